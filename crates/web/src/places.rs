//! Places for requests that hold on to much or for long: few, and an organisation has only a part of them, so that a few cannot take
//! all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_model::OrgId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many organisations are remembered before those that have no place are forgotten.
const REMEMBERED: usize = 1_024;

/// The places of a server for one purpose.
#[derive(Debug)]
pub struct Places {
    all: Arc<Semaphore>,
    of_one: usize,
    own: Mutex<HashMap<OrgId, Arc<Semaphore>>>,
}

/// A place that is taken; free again when dropped.
#[derive(Debug)]
#[must_use = "the place is free again when this is dropped"]
pub struct Place {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Places {
    /// Makes so many places, of which one organisation has `of_one` at most.
    pub fn new(all: usize, of_one: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all)),
            of_one,
            own: Mutex::default(),
        }
    }

    /// Takes a place for an organisation; absent: it has its part, or all are taken.
    pub fn place(&self, whose: OrgId) -> Option<Place> {
        let own = self.own(whose).try_acquire_owned().ok()?;
        let all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(Place {
            _own: own,
            _all: all,
        })
    }

    fn own(&self, whose: OrgId) -> Arc<Semaphore> {
        let mut all = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            // who has a place holds on to it
            all.retain(|_, own| Arc::strong_count(own) > 1);
        }
        let own = all
            .entry(whose)
            .or_insert_with(|| Arc::new(Semaphore::new(self.of_one)));
        Arc::clone(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organisation(number: u8) -> OrgId {
        OrgId::from_bytes([number; 16])
    }

    #[test]
    fn an_organisation_takes_its_part_of_the_places_and_leaves_the_others() {
        let places = Places::new(8, 3);
        let mut taken: Vec<Place> = (0..3)
            .map(|_| places.place(organisation(1)).unwrap())
            .collect();

        assert!(places.place(organisation(1)).is_none());
        let other = places.place(organisation(2));
        assert!(other.is_some());
        taken.pop();
        let again = places.place(organisation(1));
        assert!(again.is_some());
    }

    #[test]
    fn all_together_have_so_many_places() {
        let places = Places::new(4, 2);
        let mut taken = Vec::new();
        for number in [1, 1, 2, 2] {
            taken.push(places.place(organisation(number)).unwrap());
        }

        assert!(places.place(organisation(200)).is_none());
    }
}
