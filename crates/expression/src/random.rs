//! Randomness as an argument.
//!
//! **Is:** the trait, and a memory that gives the same values again. **Is not:** a source; the caller brings one that is fit
//! for passwords.

/// A source of random bytes.
pub trait Randomness {
    /// Fills the slice.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// Gives what another source gave, again from the beginning after [`rewind`](Self::rewind).
///
/// For an expression that is evaluated again after a look-up: it must meet the same values.
pub struct Remembered<'a> {
    source: &'a mut dyn Randomness,
    drawn: Vec<u8>,
    position: usize,
}

impl<'a> Remembered<'a> {
    /// Remembers what `source` gives from now on.
    pub fn new(source: &'a mut dyn Randomness) -> Self {
        Self {
            source,
            drawn: Vec::new(),
            position: 0,
        }
    }

    /// Goes back to the beginning.
    pub fn rewind(&mut self) {
        self.position = 0;
    }
}

impl Randomness for Remembered<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        let end = self.position + bytes.len();
        if let Some(missing) = end.checked_sub(self.drawn.len()) {
            let mut fresh = vec![0; missing];
            self.source.fill(&mut fresh);
            self.drawn.extend(fresh);
        }
        if let Some(known) = self.drawn.get(self.position..end) {
            bytes.copy_from_slice(known);
        }
        self.position = end;
    }
}

/// Returns a number below `limit`, each as likely; 0 when there is none.
pub(crate) fn below(randomness: &mut dyn Randomness, limit: usize) -> usize {
    let Ok(limit) = u32::try_from(limit) else {
        return 0;
    };
    if limit == 0 {
        return 0;
    }
    // the last, incomplete round of numbers would favour the small ones
    let fair = u32::MAX - u32::MAX % limit;
    let mut number = 0;
    // bounded, because a broken source may give nothing else
    for _ in 0..64 {
        let mut bytes = [0; 4];
        randomness.fill(&mut bytes);
        number = u32::from_le_bytes(bytes);
        if number < fair {
            break;
        }
    }
    usize::try_from(number % limit).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(u8);

    impl Randomness for Counting {
        fn fill(&mut self, bytes: &mut [u8]) {
            for byte in bytes {
                *byte = self.0;
                self.0 = self.0.wrapping_add(1);
            }
        }
    }

    #[test]
    fn what_was_drawn_comes_again_and_then_goes_on() {
        let mut source = Counting(0);
        let mut remembered = Remembered::new(&mut source);
        let mut draw = |count: usize, rewind: bool| {
            if rewind {
                remembered.rewind();
            }
            let mut bytes = vec![0; count];
            remembered.fill(&mut bytes);
            bytes
        };

        assert_eq!(draw(3, false), [0, 1, 2]);
        assert_eq!(draw(2, true), [0, 1]);
        assert_eq!(draw(3, false), [2, 3, 4]);
    }
}
