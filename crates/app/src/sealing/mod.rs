//! Secrets that have to be read again, such as a target's token: sealed with keys that are sealed themselves.
//!
//! Three layers. The *master key* is not in the store (see [`master`]). It seals the *data keys*, one for each organisation, and the secrets
//! of the installation. A data key seals the organisation's secrets. So a key is replaced without touching what the layer below holds,
//! and whoever has one organisation's key has no other's.
//!
//! A sealed text names its form (one byte) and the number of its data key, then come the nonce and what AES-256-GCM made of the secret. The
//! row and column where it is kept are part of what is authenticated, so a sealed text that was moved elsewhere does not open.

pub mod master;
mod rotation;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use ring::hmac;
use rollcall_model::{OrgId, Randomness, Secret};
use rollcall_store::{DataKey, Reader, Store, Writer};
use zeroize::Zeroizing;

use crate::Failure;
use master::{KeyId, MasterKeys, cipher};
pub use rotation::{KeyUse, Replaced, Rotated};

/// The first byte of a sealed text.
const FORM: u8 = 2;
/// So many data keys are kept open at most.
const KEPT_OPEN: usize = 4_096;
/// The secret of the installation from which other secrets are made.
const ORIGIN: &str = "derivation";

/// A sealed text or key cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// It was sealed with a key that is not there.
    #[error(
        "what is sealed in the store was sealed with the key {0}, which is not in the key file: bring that file back, or copy it from another node"
    )]
    OtherKey(KeyId),
    /// It was sealed for another place, or was damaged.
    #[error("a stored secret cannot be opened: it was damaged, or moved from another place")]
    Damaged,
}

/// Reads the master keys anew, because they may have changed; absent: they cannot be read at present.
pub type Source = Box<dyn Fn() -> Option<MasterKeys> + Send + Sync>;

/// Seals and opens.
pub struct Sealer {
    source: Source,
    masters: Mutex<Arc<MasterKeys>>,
    /// The key of what is derived; see [`Sealer::derived`].
    derivation: hmac::Key,
    /// Seals what is handed out and comes back, such as a form, and is not kept.
    forms: LessSafeKey,
    /// Data keys that were opened before, by what they are sealed as: a number may be given twice when a transaction was taken back.
    opened: Mutex<HashMap<Vec<u8>, Arc<LessSafeKey>>>,
}

/// Seals an organisation's secrets.
#[derive(Clone)]
pub struct SealingKey {
    number: u32,
    cipher: Arc<LessSafeKey>,
}

impl Sealer {
    /// Makes a sealer with the keys that the source gives, which have to be those of the store.
    ///
    /// # Errors
    /// [`Failure::Internal`] with [`NotOpened`] when they are not.
    pub async fn begin(
        store: &Store,
        masters: MasterKeys,
        source: Source,
        randomness: &dyn Randomness,
    ) -> Result<Self, Failure> {
        let origin = installation_secret(store, &masters, ORIGIN, randomness).await?;
        let key = |label: &[u8]| {
            let origin = hmac::Key::new(hmac::HMAC_SHA256, &*origin);
            let mut key = Zeroizing::new([0; 32]);
            key.copy_from_slice(hmac::sign(&origin, label).as_ref());
            key
        };
        Ok(Self {
            source,
            masters: Mutex::new(Arc::new(masters)),
            derivation: hmac::Key::new(hmac::HMAC_SHA256, &*key(b"rollcall derived randomness")),
            forms: cipher(&key(b"rollcall forms")),
            opened: Mutex::default(),
        })
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

    /// Returns the key that seals the organisation's secrets now, making one when it has none.
    ///
    /// # Errors
    /// [`Failure::Internal`] with [`NotOpened`] when it cannot be opened.
    pub fn sealing_key(
        &self,
        writer: &mut dyn Writer,
        organisation: OrgId,
        now: jiff::Timestamp,
        randomness: &dyn Randomness,
    ) -> Result<SealingKey, Failure> {
        let newest = writer.data_keys()?.into_iter().next();
        let stored = match newest {
            Some(stored) => stored,
            None => self.new_data_key(writer, (organisation, 1), now, randomness)?,
        };
        Ok(SealingKey {
            number: u32::try_from(stored.number).map_err(internal)?,
            cipher: self.data_key(organisation, &stored)?,
        })
    }

    /// Opens what was sealed for a place in an organisation.
    ///
    /// # Errors
    /// [`Failure::Internal`] with [`NotOpened`].
    pub fn open(
        &self,
        reader: &dyn Reader,
        organisation: OrgId,
        place: &str,
        sealed: &[u8],
    ) -> Result<Secret, Failure> {
        let number = data_key_of(sealed).ok_or_else(|| internal(NotOpened::Damaged))?;
        let stored = reader.data_keys()?;
        let stored = stored.iter().find(|key| key.number == number);
        let stored = stored.ok_or_else(|| internal(NotOpened::Damaged))?;
        let cipher = self.data_key(organisation, stored)?;
        let text = sealed.get(1 + size_of::<u32>()..).unwrap_or_default();
        opened(&cipher, place, text).map_err(internal)
    }

    /// Seals what is handed out for a place, and is not kept.
    pub fn seal_form(&self, place: &str, secret: &Secret, randomness: &dyn Randomness) -> Vec<u8> {
        sealed(&self.forms, place, secret, randomness)
    }

    /// Opens what was handed out for a place.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub fn open_form(&self, place: &str, sealed: &[u8]) -> Result<Secret, NotOpened> {
        opened(&self.forms, place, sealed)
    }

    /// Returns a secret of the installation, made when it is first asked for.
    ///
    /// # Errors
    /// [`Failure::Internal`] with [`NotOpened`]; when the store is out of reach.
    pub async fn installation_secret(
        &self,
        store: &Store,
        name: &'static str,
        randomness: &dyn Randomness,
    ) -> Result<Zeroizing<[u8; 32]>, Failure> {
        installation_secret(store, &self.masters(), name, randomness).await
    }

    /// Returns the master keys as they were last read.
    fn masters(&self) -> Arc<MasterKeys> {
        let masters = self.masters.lock();
        Arc::clone(&masters.unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the master keys anew: somebody may have put another one there.
    fn read_again(&self) -> Arc<MasterKeys> {
        if let Some(masters) = (self.source)() {
            let mut kept = self.masters.lock().unwrap_or_else(PoisonError::into_inner);
            *kept = Arc::new(masters);
        }
        self.masters()
    }

    /// Opens a data key, unless it was opened before.
    fn data_key(&self, organisation: OrgId, stored: &DataKey) -> Result<Arc<LessSafeKey>, Failure> {
        let kept = || self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cipher) = kept().get(&stored.sealed) {
            return Ok(Arc::clone(cipher));
        }
        let place = data_key_place(organisation, stored.number);
        let key = match self.masters().unwrap(&place, &stored.sealed) {
            Err(NotOpened::OtherKey(_)) => self.read_again().unwrap(&place, &stored.sealed),
            other => other,
        };
        let opened = Arc::new(cipher(&*key.map_err(internal)?));
        let mut kept = kept();
        if kept.len() >= KEPT_OPEN {
            kept.clear();
        }
        kept.insert(stored.sealed.clone(), Arc::clone(&opened));
        Ok(opened)
    }

    /// Makes a data key with a number, and stores it.
    fn new_data_key(
        &self,
        writer: &mut dyn Writer,
        (organisation, number): (OrgId, u64),
        now: jiff::Timestamp,
        randomness: &dyn Randomness,
    ) -> Result<DataKey, Failure> {
        let mut key = Zeroizing::new([0; 32]);
        randomness.fill(&mut *key);
        let place = data_key_place(organisation, number);
        // with the key that seals now, also when that was put there a moment ago
        let stored = DataKey {
            number,
            since: now,
            sealed: self.read_again().wrap(&place, &key, randomness),
        };
        writer.save_data_key(&stored)?;
        Ok(stored)
    }
}

impl SealingKey {
    /// Seals a secret for a place.
    pub fn seal(&self, place: &str, secret: &Secret, randomness: &dyn Randomness) -> Vec<u8> {
        let mut text = vec![FORM];
        text.extend_from_slice(&self.number.to_be_bytes());
        text.append(&mut sealed(&self.cipher, place, secret, randomness));
        text
    }
}

/// Returns a secret of the installation, making it when it is not there.
async fn installation_secret(
    store: &Store,
    masters: &MasterKeys,
    name: &'static str,
    randomness: &dyn Randomness,
) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let place = installation_place(name);
    let kept = store.installation_secrets().await?;
    if let Some((_, kept)) = kept.iter().find(|(kept, _)| kept == name) {
        return masters.unwrap(&place, kept).map_err(internal);
    }
    let mut fresh = Zeroizing::new([0; 32]);
    randomness.fill(&mut *fresh);
    let fresh = masters.wrap(&place, &fresh, randomness);
    let kept = store.installation_secret(name, fresh).await?;
    masters.unwrap(&place, &kept).map_err(internal)
}

fn installation_place(name: &str) -> String {
    format!("installation_secrets.secret {name}")
}

fn data_key_place(organisation: OrgId, number: u64) -> String {
    format!("data_keys.sealed {organisation} {number}")
}

/// Tells with which of the organisation's data keys this was sealed.
fn data_key_of(sealed: &[u8]) -> Option<u64> {
    let number = sealed.strip_prefix(&[FORM])?.first_chunk()?;
    Some(u32::from_be_bytes(*number).into())
}

/// Returns nonce and sealed text.
#[expect(
    clippy::expect_used,
    reason = "sealing fails only for texts of many gigabytes"
)]
fn sealed(
    cipher: &LessSafeKey,
    place: &str,
    secret: &Secret,
    randomness: &dyn Randomness,
) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    randomness.fill(&mut nonce);
    let mut text = Zeroizing::new(secret.expose().as_bytes().to_vec());
    let tag = cipher
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(place),
            &mut text,
        )
        .expect("a secret is short");
    [&nonce[..], &text, tag.as_ref()].concat()
}

fn opened(cipher: &LessSafeKey, place: &str, sealed: &[u8]) -> Result<Secret, NotOpened> {
    let (nonce, text) = sealed
        .split_at_checked(NONCE_LEN)
        .ok_or(NotOpened::Damaged)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| NotOpened::Damaged)?;
    let mut text = Zeroizing::new(text.to_vec());
    let opened = cipher
        .open_in_place(nonce, Aad::from(place), &mut text)
        .map_err(|_| NotOpened::Damaged)?;
    std::str::from_utf8(opened)
        .map(Secret::new)
        .map_err(|_| NotOpened::Damaged)
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Internal(Box::new(error))
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

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({}, …)", self.number)
    }
}

#[cfg(test)]
mod tests;
