//! Chance that can be repeated: everything that a story draws comes from its seed.

/// A generator (`SplitMix64`): the same seed draws the same numbers.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x5bd1_e995_9d1b_54a3)
    }

    /// Draws a number from `from` up to and without `to`.
    pub(crate) fn within(&mut self, from: usize, to: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let range = u64::try_from(to - from).unwrap();
        from + usize::try_from(mixed % range).unwrap()
    }

    /// Tells whether something happens that happens so many times out of a hundred.
    pub(crate) fn happens(&mut self, percent: usize) -> bool {
        self.within(0, 100) < percent
    }

    /// Picks one of some; none when there is none.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.within(0, from.len())])
    }
}
