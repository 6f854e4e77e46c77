//! Chance that can be repeated: everything that is random in a test comes from its seed.

use std::sync::Mutex;

use rollcall_model::Randomness;

/// A generator (`SplitMix64`): the same seed draws the same numbers.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x5bd1_e995_9d1b_54a3)
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Draws a number from `from` up to and without `to`.
    pub(crate) fn within(&mut self, from: usize, to: usize) -> usize {
        let range = u64::try_from(to - from).unwrap();
        from + usize::try_from(self.draw() % range).unwrap()
    }

    /// Tells whether something happens that happens so many times out of a hundred.
    pub(crate) fn happens(&mut self, percent: usize) -> bool {
        self.within(0, 100) < percent
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.within(0, from.len())].clone()
    }
}

/// Randomness for ids and pauses, from a seed. Pauses within a request are drawn as good as zero, those between two attempts at an object
/// at their whole length: one reads four bytes with the least first, the other with the greatest.
#[derive(Debug)]
pub(crate) struct Seeded(Mutex<Chance>);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(Chance::new(seed)))
    }
}

impl Randomness for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        let mut chance = self.0.lock().unwrap();
        for part in bytes.chunks_mut(8) {
            let drawn = chance.draw().to_be_bytes();
            part.copy_from_slice(&drawn[..part.len()]);
        }
        if let [_, _, third, fourth] = bytes {
            (*third, *fourth) = (0, 0);
        }
    }
}
