//! A digest of values: tells whether anything changed since it was taken.
//!
//! **Is:** FNV-1a over 128 bits, the same on every machine and in every version, because it is stored.
//! **Is not:** a protection: whoever can choose the values can choose the digest. It decides only whether a comparison is
//! worth its request.

use serde_json::Value;

const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// Takes in values, gives out a digest.
#[derive(Debug, Clone)]
pub struct Digest(u128);

impl Default for Digest {
    fn default() -> Self {
        Self(OFFSET)
    }
}

impl Digest {
    /// Takes in bytes; their number is a part of the digest, so that `ab`, `c` is not `a`, `bc`.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.absorb(&(bytes.len() as u64).to_be_bytes());
        self.absorb(bytes);
        self
    }

    /// Takes in a text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Takes in a JSON value; the order of an object's members counts.
    pub fn value(&mut self, value: &Value) -> &mut Self {
        self.text(&value.to_string())
    }

    /// Returns the digest: 32 hexadecimal digits.
    pub fn finish(&self) -> String {
        format!("{:032x}", self.0)
    }

    fn absorb(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(PRIME);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_fnv_1a_and_never_changes() {
        let mut digest = Digest::default();
        digest.absorb(b"foobar");

        assert_eq!(digest.finish(), "343e1662793c64bf6f0d3597ba446f18");
    }

    #[test]
    fn where_one_text_ends_and_the_next_begins_counts() {
        let mut one = Digest::default();
        let mut two = Digest::default();

        one.text("ab").text("c");
        two.text("a").text("bc");

        assert_ne!(one.finish(), two.finish());
    }
}
