//! By which attributes objects are matched, and in which order.
//!
//! **Is:** edits that keep the precedences a row of numbers from 1, so that nobody has to free one first. **Is not:** whether an
//! attribute can match; the rules say so.
//! **Start at** [`ObjectMapping::put`].

use super::{AttributeMapping, ObjectMapping};

impl ObjectMapping {
    /// Returns the places of the lines that match, in the order in which they are tried.
    pub fn matching_order(&self) -> Vec<usize> {
        let lines = self.attributes.iter().enumerate();
        let mut order: Vec<(u8, usize)> = lines
            .filter_map(|(place, line)| Some((line.matching?, place)))
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, place)| place).collect()
    }

    /// Returns the place of the line that fills an attribute of the target.
    pub fn place_of(&self, target: &str) -> Option<usize> {
        let target = target.trim();
        self.attributes
            .iter()
            .position(|line| line.target.trim().eq_ignore_ascii_case(target))
    }

    /// Has a line match at this rank, from 1, or not match. The other lines keep their order and are numbered anew.
    pub fn rank(&mut self, place: usize, rank: Option<u8>) {
        let mut order = self.matching_order();
        order.retain(|other| *other != place);
        if let Some(rank) = rank {
            let at = usize::from(rank).saturating_sub(1).min(order.len());
            order.insert(at, place);
        }
        for (other, line) in self.attributes.iter_mut().enumerate() {
            let rank = order.iter().position(|ordered| *ordered == other);
            line.matching = rank.map(|rank| u8::try_from(rank + 1).unwrap_or(u8::MAX));
        }
    }

    /// Moves a line that matches one rank up or down.
    pub fn shift(&mut self, place: usize, up: bool) {
        let order = self.matching_order();
        let Some(rank) = order.iter().position(|ordered| *ordered == place) else {
            return;
        };
        let wanted = if up { rank } else { rank + 2 };
        self.rank(place, Some(u8::try_from(wanted).unwrap_or(u8::MAX).max(1)));
    }

    /// Puts a line in the place of the one that fills `was`, or at the end. Its precedence is the rank that it is to have.
    pub fn put(&mut self, was: Option<&str>, line: AttributeMapping) {
        let rank = line.matching;
        let place = was.and_then(|was| self.place_of(was));
        let place = if let Some((place, there)) =
            place.and_then(|place| Some((place, self.attributes.get_mut(place)?)))
        {
            let before = there.matching;
            *there = AttributeMapping {
                matching: before,
                ..line
            };
            place
        } else {
            self.attributes.push(AttributeMapping {
                matching: None,
                ..line
            });
            self.attributes.len() - 1
        };
        let order = self.matching_order();
        let now = order.iter().position(|ordered| *ordered == place);
        if now.map(|now| now + 1) != rank.map(usize::from) {
            self.rank(place, rank);
        }
    }

    /// Takes the line out that fills an attribute of the target, and numbers the others anew; tells whether there was one.
    pub fn take_out(&mut self, target: &str) -> Option<AttributeMapping> {
        let place = self.place_of(target)?;
        self.rank_others(place);
        Some(self.attributes.remove(place))
    }

    fn rank_others(&mut self, place: usize) {
        let kept = self.attributes.get(place).and_then(|line| line.matching);
        if kept.is_none() {
            return;
        }
        self.rank(place, None);
        if let Some(line) = self.attributes.get_mut(place) {
            line.matching = kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::defaults;

    fn ranks(mapping: &ObjectMapping) -> Vec<(&str, u8)> {
        let mut ranks: Vec<(&str, u8)> = mapping
            .attributes
            .iter()
            .filter_map(|line| Some((line.target.as_str(), line.matching?)))
            .collect();
        ranks.sort_by_key(|(_, rank)| *rank);
        ranks
    }

    #[test]
    fn who_becomes_the_first_moves_the_others_down() {
        let mut mapping = defaults::users();
        let place = mapping.place_of("externalId").unwrap();
        mapping.rank(place, Some(1));
        assert_eq!(ranks(&mapping), [("externalId", 1), ("userName", 2)]);
        mapping.shift(place, false);
        assert_eq!(ranks(&mapping), [("userName", 1), ("externalId", 2)]);
        mapping.shift(place, false);
        assert_eq!(ranks(&mapping), [("userName", 1), ("externalId", 2)]);
        mapping.shift(place, true);
        mapping.shift(place, true);
        assert_eq!(ranks(&mapping), [("externalId", 1), ("userName", 2)]);
        mapping.rank(place, None);
        assert_eq!(ranks(&mapping), [("userName", 1)]);
    }

    #[test]
    fn gaps_stay_until_the_order_changes() {
        let mut mapping = defaults::users();
        mapping.attributes[0].matching = Some(2);
        mapping.attributes[18].matching = Some(7);
        let line = AttributeMapping {
            matching: Some(2),
            ..AttributeMapping::direct("mail", "externalId")
        };
        mapping.put(Some("EXTERNALID"), line.clone());
        assert_eq!(ranks(&mapping), [("userName", 2), ("externalId", 7)]);
        mapping.put(
            Some("externalId"),
            AttributeMapping {
                matching: Some(1),
                ..line
            },
        );
        assert_eq!(ranks(&mapping), [("externalId", 1), ("userName", 2)]);
    }

    #[test]
    fn a_line_that_goes_leaves_no_gap_and_says_what_it_was() {
        let mut mapping = defaults::users();
        mapping.put(
            None,
            AttributeMapping::direct("employeeId", "nickName").matching(1),
        );
        assert_eq!(ranks(&mapping), [("nickName", 1), ("userName", 2)]);
        let gone = mapping.take_out("nickname").unwrap();
        assert_eq!(gone.matching, Some(1));
        assert_eq!(ranks(&mapping), [("userName", 1)]);
        assert_eq!(mapping.take_out("nickName"), None);
    }
}
