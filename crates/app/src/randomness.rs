//! The operating system's randomness.

use ring::rand::{SecureRandom, SystemRandom};
use rollcall_model::Randomness;

/// The operating system's generator, fit for secrets.
#[derive(Debug, Clone)]
pub struct SystemRandomness(SystemRandom);

impl Default for SystemRandomness {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

impl Randomness for SystemRandomness {
    #[expect(
        clippy::expect_used,
        reason = "a server without randomness must stop: it cannot make a single safe token"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        self.0
            .fill(bytes)
            .expect("the operating system gives random bytes");
    }
}
