//! Secrets that have to be read again, such as a target's token: sealed with a key that is not in the store.
//!
//! A sealed text names its form (one byte), then the nonce, then what AES-256-GCM made of the secret. The place where it is kept is
//! part of what is authenticated, so a sealed text that was moved to another application does not open.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use rollcall_model::{Randomness, Secret};
use zeroize::Zeroizing;

/// The first byte of a sealed text.
const FORM: u8 = 1;

/// Seals and opens.
pub struct Sealer {
    key: LessSafeKey,
    /// The key of what is derived; see [`Sealer::derived`].
    derivation: hmac::Key,
}

/// A sealed text cannot be opened: it was sealed with another key, for another place, or was damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a stored credential cannot be opened: the key file is not the one with which it was sealed; bring the old key back or enter the credential again"
)]
pub struct NotOpened;

impl Sealer {
    /// Makes a sealer with a key.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "a key of the algorithm's length is a key"
    )]
    pub fn new(key: &[u8; 32]) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, key);
        let derivation = hmac::sign(&master, b"rollcall derived randomness");
        Self {
            key: LessSafeKey::new(
                UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are a key of AES-256"),
            ),
            derivation: hmac::Key::new(hmac::HMAC_SHA256, derivation.as_ref()),
        }
    }

    /// Returns random numbers that only this installation can make, and makes again for the same label: a plan and the run that carries
    /// it out draw the same ones.
    pub fn derived(&self, label: Vec<u8>) -> Derived {
        Derived {
            key: self.derivation.clone(),
            label,
            drawn: AtomicU64::new(0),
        }
    }

    /// Returns a code that only this installation can make: who shows it again has it from here.
    pub fn mark(&self, label: &[u8]) -> [u8; 32] {
        let mut mark = [0; 32];
        mark.copy_from_slice(hmac::sign(&self.derivation, &[b"mark ", label].concat()).as_ref());
        mark
    }

    /// Seals a secret for a place.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "sealing fails only for texts of many gigabytes"
    )]
    pub fn seal(&self, place: &[u8], secret: &Secret, randomness: &dyn Randomness) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        randomness.fill(&mut nonce);
        let mut text = secret.expose().as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place),
                &mut text,
            )
            .expect("a credential is short");
        let mut sealed = vec![FORM];
        sealed.extend_from_slice(&nonce);
        sealed.append(&mut text);
        sealed
    }

    /// Opens what was sealed for a place.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Secret, NotOpened> {
        let rest = sealed.strip_prefix(&[FORM]).ok_or(NotOpened)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(NotOpened)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| NotOpened)?;
        let mut text = Zeroizing::new(text.to_vec());
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(place), &mut text)
            .map_err(|_| NotOpened)?;
        std::str::from_utf8(opened)
            .map(Secret::new)
            .map_err(|_| NotOpened)
    }
}

/// Random numbers that come out the same for the same label.
#[derive(Debug)]
pub struct Derived {
    key: hmac::Key,
    label: Vec<u8>,
    drawn: AtomicU64,
}

impl Randomness for Derived {
    fn fill(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(hmac::HMAC_SHA256.digest_algorithm().output_len()) {
            let place = self.drawn.fetch_add(1, Ordering::Relaxed);
            let block = hmac::sign(
                &self.key,
                &[&place.to_be_bytes(), self.label.as_slice()].concat(),
            );
            for (byte, drawn) in part.iter_mut().zip(block.as_ref()) {
                *byte = *drawn;
            }
        }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn derived_numbers_come_again_for_the_same_label_and_key_only() {
        use rollcall_model::Randomness as _;
        let draw = |key: u8, label: &str| {
            let mut bytes = [0; 70];
            let derived = super::Sealer::new(&[key; 32]).derived(label.into());
            derived.fill(&mut bytes);
            bytes
        };

        assert_eq!(draw(1, "ann"), draw(1, "ann"));
        assert_ne!(draw(1, "ann"), draw(1, "bob"));
        assert_ne!(draw(1, "ann"), draw(2, "ann"));
        assert_ne!(draw(1, "ann")[..32], draw(1, "ann")[32..64]);
    }

    use super::*;
    use crate::SystemRandomness;

    #[test]
    fn a_secret_opens_at_its_place_with_its_key_only() {
        let (one, other) = (Sealer::new(&[1; 32]), Sealer::new(&[2; 32]));
        let secret = Secret::new("rc_eu_canary");
        let mut sealed = one.seal(b"here", &secret, &SystemRandomness::default());

        assert_eq!(one.open(b"here", &sealed).unwrap().expose(), "rc_eu_canary");
        assert!(!String::from_utf8_lossy(&sealed).contains("canary"));
        assert_eq!(other.open(b"here", &sealed).unwrap_err(), NotOpened);
        assert_eq!(one.open(b"there", &sealed).unwrap_err(), NotOpened);
        assert_eq!(one.open(b"here", &sealed[..9]).unwrap_err(), NotOpened);
        sealed[20] ^= 1;
        assert_eq!(one.open(b"here", &sealed).unwrap_err(), NotOpened);
    }
}
