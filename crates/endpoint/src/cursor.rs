//! Cursors (RFC 9865): where the next page begins, sealed so that they fit one organisation, one query and one hour.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::hmac;
use rollcall_app::{App, Failure};
use rollcall_model::{OrgId, ResourceId};
use rollcall_scim::error::{Error, ErrorKind};

/// Makes and opens cursors with a key of the installation, the same on all its servers.
#[derive(Debug, Clone)]
pub(crate) struct Cursors {
    key: hmac::Key,
    /// How long a cursor can be used, in seconds.
    lifetime: u64,
}

impl Cursors {
    pub(crate) async fn new(app: &App) -> Result<Self, Failure> {
        let randomness = &**app.randomness();
        let secret = (app.sealer()).installation_secret(app.store(), "cursor", randomness);
        let secret = secret.await?;
        let lifetime = app.settings().limits.cursor_seconds;
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &*secret),
            lifetime,
        })
    }

    /// Makes the cursor of the page that begins after `last`.
    pub(crate) fn seal(
        &self,
        last: ResourceId,
        organisation: OrgId,
        query: &str,
        now: Timestamp,
    ) -> String {
        let mut cursor = Vec::with_capacity(56);
        cursor.extend_from_slice(last.as_bytes());
        cursor.extend_from_slice(&now.as_second().to_be_bytes());
        let tag = hmac::sign(&self.key, &message(&cursor, organisation, query));
        cursor.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(cursor)
    }

    /// Returns the object after which the page begins.
    ///
    /// # Errors
    /// `invalidCursor` for what was not made here for this organisation and query, `expiredCursor` after an hour.
    pub(crate) fn open(
        &self,
        cursor: &str,
        organisation: OrgId,
        query: &str,
        now: Timestamp,
    ) -> Result<ResourceId, Error> {
        let invalid = || {
            let detail = "this cursor does not belong to this query: repeat the query with an empty `cursor`";
            Error::new(ErrorKind::InvalidCursor, detail)
        };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
        let (content, tag) = bytes.split_at_checked(24).ok_or_else(invalid)?;
        hmac::verify(&self.key, &message(content, organisation, query), tag)
            .map_err(|_| invalid())?;
        let (id, made) = content.split_at_checked(16).ok_or_else(invalid)?;
        let id: [u8; 16] = id.try_into().map_err(|_| invalid())?;
        let made: [u8; 8] = made.try_into().map_err(|_| invalid())?;
        let age = now.as_second().saturating_sub(i64::from_be_bytes(made));
        if u64::try_from(age).unwrap_or_default() > self.lifetime {
            let detail = "this cursor is too old: repeat the query with an empty `cursor`";
            return Err(Error::new(ErrorKind::ExpiredCursor, detail));
        }
        Ok(ResourceId::from_bytes(id))
    }
}

fn message(content: &[u8], organisation: OrgId, query: &str) -> Vec<u8> {
    [content, organisation.as_bytes(), query.as_bytes()].concat()
}
