//! The keys of an installation, which are not in the store. They seal nothing but other keys.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use rollcall_model::Randomness;
use zeroize::Zeroizing;

use super::NotOpened;

/// The first byte of a sealed key.
const FORM: u8 = 3;
const KEY_LEN: usize = 32;

/// What tells keys apart without telling what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The keys of an installation: the first seals, all of them open. A key that was replaced stays until nothing is sealed with it.
pub struct MasterKeys(Vec<(KeyId, LessSafeKey)>);

impl MasterKeys {
    /// Makes the first key, and those that came before it.
    pub fn new(first: &[u8; KEY_LEN], before: &[[u8; KEY_LEN]]) -> Self {
        let keys = std::iter::once(first).chain(before);
        Self(keys.map(|key| (key_id(key), cipher(key))).collect())
    }

    /// Returns the ids, that of the key that seals first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().map(|(id, _)| *id)
    }

    /// Seals a key for a place.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "sealing fails only for texts of many gigabytes, and there is a first key"
    )]
    pub fn wrap(&self, place: &str, key: &[u8; KEY_LEN], randomness: &dyn Randomness) -> Vec<u8> {
        let (id, cipher) = self.0.first().expect("it is made with one");
        let mut nonce = [0; NONCE_LEN];
        randomness.fill(&mut nonce);
        let mut text = Zeroizing::new(*key);
        let tag = cipher
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place),
                text.as_mut_slice(),
            )
            .expect("a key is short");
        [&[FORM], &id.0[..], &nonce, text.as_slice(), tag.as_ref()].concat()
    }

    /// Opens a key that was sealed for a place.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub fn unwrap(
        &self,
        place: &str,
        wrapped: &[u8],
    ) -> Result<Zeroizing<[u8; KEY_LEN]>, NotOpened> {
        let id = sealed_with(wrapped).ok_or(NotOpened::Damaged)?;
        let (_, cipher) = self
            .0
            .iter()
            .find(|(one, _)| *one == id)
            .ok_or(NotOpened::OtherKey(id))?;
        let rest = wrapped.get(1 + id.0.len()..).ok_or(NotOpened::Damaged)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(NotOpened::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| NotOpened::Damaged)?;
        let mut text = Zeroizing::new(text.to_vec());
        let opened = cipher
            .open_in_place(nonce, Aad::from(place), &mut text)
            .map_err(|_| NotOpened::Damaged)?;
        let key: [u8; KEY_LEN] = (&*opened).try_into().map_err(|_| NotOpened::Damaged)?;
        Ok(Zeroizing::new(key))
    }
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

/// Tells which key sealed this; absent: none of ours did.
pub fn sealed_with(wrapped: &[u8]) -> Option<KeyId> {
    let id = wrapped.strip_prefix(&[FORM])?.first_chunk()?;
    Some(KeyId(*id))
}

/// Tells a key's id.
pub fn key_id(key: &[u8; KEY_LEN]) -> KeyId {
    let digest = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"rollcall key id");
    let mut id = [0; 8];
    for (byte, digest) in id.iter_mut().zip(digest.as_ref()) {
        *byte = *digest;
    }
    KeyId(id)
}

/// Makes a key of the algorithm that seals everything.
#[expect(
    clippy::expect_used,
    reason = "a key of the algorithm's length is a key"
)]
pub(super) fn cipher(key: &[u8; KEY_LEN]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are a key of AES-256"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandomness;

    #[test]
    fn a_key_opens_at_its_place_with_a_key_that_is_there() {
        let randomness = SystemRandomness::default();
        let old = MasterKeys::new(&[1; 32], &[]);
        let both = MasterKeys::new(&[2; 32], &[[1; 32]]);
        let other = MasterKeys::new(&[3; 32], &[]);
        let mut wrapped = old.wrap("here", &[7; 32], &randomness);

        assert_eq!(*old.unwrap("here", &wrapped).unwrap(), [7; 32]);
        assert_eq!(*both.unwrap("here", &wrapped).unwrap(), [7; 32]);
        assert_eq!(sealed_with(&wrapped), old.ids().next());
        let again = both.wrap("here", &[7; 32], &randomness);
        assert_eq!(sealed_with(&again), Some(key_id(&[2; 32])));
        assert_eq!(
            other.unwrap("here", &wrapped).unwrap_err(),
            NotOpened::OtherKey(key_id(&[1; 32]))
        );
        assert_eq!(
            old.unwrap("there", &wrapped).unwrap_err(),
            NotOpened::Damaged
        );
        assert_eq!(
            old.unwrap("here", &wrapped[..9]).unwrap_err(),
            NotOpened::Damaged
        );
        wrapped[30] ^= 1;
        assert_eq!(
            old.unwrap("here", &wrapped).unwrap_err(),
            NotOpened::Damaged
        );
    }
}
