//! Figures by name, where the names are few but not known beforehand.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

/// A table of figures with so many places. Looking a name up takes no lock; a place that was taken stays taken. Whoever comes when all
/// are taken shares one place: a table never grows with what strangers send.
#[derive(Debug)]
pub struct Slots<T, const PLACES: usize> {
    places: Box<[Place<T>]>,
    rest: T,
    hasher: RandomState,
}

/// A name with its figures, once somebody took the place.
type Place<T> = OnceLock<(Box<str>, T)>;

/// The name of what found no place.
const REST: &str = "other";

impl<T: Default, const PLACES: usize> Default for Slots<T, PLACES> {
    fn default() -> Self {
        Self {
            places: (0..PLACES).map(|_| OnceLock::new()).collect(),
            rest: T::default(),
            hasher: RandomState::new(),
        }
    }
}

impl<T: Default, const PLACES: usize> Slots<T, PLACES> {
    /// Returns the figures of a name.
    pub fn of(&self, name: &str) -> &T {
        let start = self.hasher.hash_one(name) % (PLACES.max(1) as u64);
        let start = usize::try_from(start).unwrap_or_default();
        let (before, after) = self.places.split_at(start.min(self.places.len()));
        for place in after.iter().chain(before) {
            let (taken, figures) = place.get_or_init(|| (name.into(), T::default()));
            if **taken == *name {
                return figures;
            }
        }
        &self.rest
    }

    /// Returns everything with its name, in no order; what found no place is called `other`, and comes last.
    pub fn all(&self) -> impl Iterator<Item = (&str, &T)> {
        let taken = self.places.iter().filter_map(OnceLock::get);
        taken
            .map(|(name, figures)| (&**name, figures))
            .chain([(REST, &self.rest)])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::Counter;

    #[test]
    fn who_finds_no_place_is_counted_with_the_others() {
        let slots: Slots<Counter, 2> = Slots::default();
        for name in ["a", "b", "a", "c", "d", "b", "a"] {
            slots.of(name).increment();
        }

        let counted: BTreeMap<&str, u64> = slots
            .all()
            .map(|(name, counter)| (name, counter.value()))
            .collect();

        assert_eq!(counted, BTreeMap::from([("a", 3), ("b", 2), ("other", 2)]));
    }

    #[test]
    fn a_name_has_one_place_whoever_comes_first() {
        let slots: Slots<Counter, 64> = Slots::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for name in 0..32 {
                        slots.of(&name.to_string()).increment();
                    }
                });
            }
        });

        let counts: Vec<u64> = slots.all().map(|(_, counter)| counter.value()).collect();

        assert_eq!(counts.len(), 33);
        assert!(counts[..32].iter().all(|count| *count == 4), "{counts:?}");
    }
}
