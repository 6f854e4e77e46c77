//! Cursors: where the next page begins, sealed so that each fits one organisation, one question and a limited time.
//!
//! **Is:** the seal, for every surface that has pages. **Is not:** what a surface calls a page, or says of a cursor that it refuses.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::hmac;
use rollcall_model::OrgId;

use crate::{App, Failure};

/// The instant at which it was made, in bytes.
const TIME: usize = 8;
/// The seal, in bytes: HMAC-SHA256.
const TAG: usize = 32;

/// Makes and opens cursors with a key of the installation, the same on all its servers.
#[derive(Debug, Clone)]
pub struct Cursors {
    key: hmac::Key,
    /// How long a cursor can be used, in seconds.
    lifetime: u64,
}

/// A text that opens no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPage {
    /// It was not made here for this organisation and question.
    #[error("this cursor does not belong to this query: repeat the query with an empty `cursor`")]
    Foreign,
    /// It was, too long ago.
    #[error("this cursor is too old: repeat the query with an empty `cursor`")]
    TooOld,
}

impl Cursors {
    /// Makes them with the key of an installation, the one of this name.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub async fn of(app: &App, name: &'static str) -> Result<Self, Failure> {
        let randomness = &**app.randomness();
        let secret = (app.sealer()).installation_secret(app.store(), name, randomness);
        let secret = secret.await?;
        let lifetime = app.settings().limits.cursor_seconds;
        Ok(Self::new(&*secret, lifetime))
    }

    /// Makes them with a key, to be used for so many seconds each.
    pub fn new(key: &[u8], lifetime: u64) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            lifetime,
        }
    }

    /// Makes the cursor of the page that begins at a place.
    pub fn seal(&self, place: &[u8], organisation: OrgId, query: &str, now: Timestamp) -> String {
        let mut cursor = Vec::with_capacity(place.len() + TIME + TAG);
        cursor.extend_from_slice(place);
        cursor.extend_from_slice(&now.as_second().to_be_bytes());
        let tag = hmac::sign(&self.key, &message(&cursor, organisation, query));
        cursor.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(cursor)
    }

    /// Returns the place at which the page begins, which takes `N` bytes.
    ///
    /// # Errors
    /// [`NoPage`].
    pub fn open<const N: usize>(
        &self,
        cursor: &str,
        organisation: OrgId,
        query: &str,
        now: Timestamp,
    ) -> Result<[u8; N], NoPage> {
        let bytes = URL_SAFE_NO_PAD
            .decode(cursor)
            .map_err(|_| NoPage::Foreign)?;
        let split = bytes.split_at_checked(N + TIME);
        let (content, tag) = split.ok_or(NoPage::Foreign)?;
        hmac::verify(&self.key, &message(content, organisation, query), tag)
            .map_err(|_| NoPage::Foreign)?;
        let (place, made) = content.split_at_checked(N).ok_or(NoPage::Foreign)?;
        let made: [u8; TIME] = made.try_into().map_err(|_| NoPage::Foreign)?;
        let age = now.as_second().saturating_sub(i64::from_be_bytes(made));
        if u64::try_from(age).unwrap_or_default() > self.lifetime {
            return Err(NoPage::TooOld);
        }
        place.try_into().map_err(|_| NoPage::Foreign)
    }
}

fn message(content: &[u8], organisation: OrgId, query: &str) -> Vec<u8> {
    [content, organisation.as_bytes(), query.as_bytes()].concat()
}
