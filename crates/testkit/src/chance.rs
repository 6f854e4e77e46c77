//! Chance that can be repeated: which request meets which fault.
//!
//! **Is:** a function of the seed, the request's number and how many like it came before. **Is not:** random.

use crate::behaviour::{Fault, Play, When};

/// Counts, per fault, the requests that could have met it.
#[derive(Debug, Default)]
pub(crate) struct Turns(Vec<u64>);

impl Turns {
    /// Returns the fault that a request meets. `may_meet` tells whether a fault can happen to it at all.
    pub(crate) fn draw(
        &mut self,
        seed: u64,
        number: u64,
        plays: &[Play],
        may_meet: impl Fn(&Play) -> bool,
    ) -> Option<Fault> {
        self.0.resize(plays.len(), 0);
        let mut drawn = None;
        for ((place, play), turn) in (0_u64..).zip(plays).zip(&mut self.0) {
            if !may_meet(play) {
                continue;
            }
            *turn += 1;
            let is_due = match play.when {
                When::Always => true,
                When::PerMille(share) => mixed(seed, &[number, place]) % 1_000 < u64::from(share),
                When::EveryNth(nth) => nth > 0 && turn.is_multiple_of(nth),
                When::First(count) => *turn <= count,
                When::From(nth) => *turn >= nth,
                When::Nth(nth) => *turn == nth,
            };
            if is_due && drawn.is_none() {
                drawn = Some(play.fault.clone());
            }
        }
        drawn
    }
}

/// Mixes numbers into one that looks random (the finalizer of `SplitMix64`, once per number).
pub(crate) fn mixed(seed: u64, numbers: &[u64]) -> u64 {
    numbers
        .iter()
        .fold(step(seed), |state, number| step(state ^ *number))
}

fn step(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, when: When, requests: u64) -> Vec<u64> {
        let plays = [Play::new(Fault::ServerError, when)];
        let mut turns = Turns::default();
        (1..=requests)
            .filter(|number| turns.draw(seed, *number, &plays, |_| true).is_some())
            .collect()
    }

    #[test]
    fn a_fault_comes_when_it_is_due() {
        for (when, expected) in [
            (When::Always, &[1, 2, 3, 4, 5, 6][..]),
            (When::First(2), &[1, 2]),
            (When::EveryNth(3), &[3, 6]),
            (When::From(5), &[5, 6]),
            (When::Nth(4), &[4]),
            (When::PerMille(0), &[]),
            (When::PerMille(1_000), &[1, 2, 3, 4, 5, 6]),
        ] {
            assert_eq!(drawn(7, when, 6), expected, "{when:?}");
        }
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed_and_keeps_to_its_share() {
        let one = drawn(7, When::PerMille(100), 10_000);

        assert_eq!(one, drawn(7, When::PerMille(100), 10_000));
        assert_ne!(one, drawn(8, When::PerMille(100), 10_000));
        assert!((850..1_150).contains(&one.len()), "{}", one.len());
    }
}
