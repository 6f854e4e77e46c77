//! Cursors (RFC 9865): where the next page of a listing begins.

use jiff::Timestamp;
use rollcall_app::cursors::{self, NoPage};
use rollcall_app::{App, Failure};
use rollcall_model::{OrgId, ResourceId};
use rollcall_scim::error::{Error, ErrorKind};

/// Makes and opens cursors with a key of the installation, the same on all its servers.
#[derive(Debug, Clone)]
pub struct Cursors(cursors::Cursors);

impl Cursors {
    /// Makes them with the key of an installation.
    pub(crate) async fn of(app: &App) -> Result<Self, Failure> {
        Ok(Self(cursors::Cursors::of(app, "cursor").await?))
    }

    /// Makes them with a key, to be used for so many seconds each.
    pub fn new(key: &[u8], lifetime: u64) -> Self {
        Self(cursors::Cursors::new(key, lifetime))
    }

    /// Makes the cursor of the page that begins after `last`.
    pub fn seal(
        &self,
        last: ResourceId,
        organisation: OrgId,
        query: &str,
        now: Timestamp,
    ) -> String {
        self.0.seal(last.as_bytes(), organisation, query, now)
    }

    /// Returns the object after which the page begins.
    ///
    /// # Errors
    /// `invalidCursor` for what was not made here for this organisation and query, `expiredCursor` after an hour.
    pub fn open(
        &self,
        cursor: &str,
        organisation: OrgId,
        query: &str,
        now: Timestamp,
    ) -> Result<ResourceId, Error> {
        let opened = self.0.open(cursor, organisation, query, now);
        opened.map(ResourceId::from_bytes).map_err(|refused| {
            let kind = match refused {
                NoPage::Foreign => ErrorKind::InvalidCursor,
                NoPage::TooOld => ErrorKind::ExpiredCursor,
            };
            Error::new(kind, refused.to_string())
        })
    }
}
