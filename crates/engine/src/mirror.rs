//! Reads a foreign source into its mirror.

use rollcall_app::Failure;
use rollcall_app::directory::Context;
use rollcall_app::mirror::Mirroring;
use rollcall_connect::sources::{Batch, Completeness, Source, Unread};

use crate::Engine;

/// Why a source was not mirrored.
#[derive(Debug, thiserror::Error)]
pub enum NotMirrored {
    /// The source cannot be read. What it gave before is kept; nobody left.
    #[error(transparent)]
    Unread(#[from] Unread),
    /// Our own side failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Engine {
    /// Reads a source from its beginning to its end into the organisation that mirrors it. One that has nobody of a kind any more is not
    /// believed, unless it may be empty.
    ///
    /// # Errors
    /// [`NotMirrored`].
    pub async fn mirror(
        &self,
        context: &Context,
        source: &mut dyn Source,
        may_be_empty: bool,
    ) -> Result<Mirroring, NotMirrored> {
        let mut mirror = self.app.mirror(context);
        let mut nameless = 0;
        loop {
            match source.next().await? {
                Batch::Records(records, refused) => {
                    nameless += refused.iter().filter(|one| one.key.is_none()).count();
                    mirror.refuse(refused);
                    mirror.take(records).await?;
                }
                Batch::End(completeness) => {
                    let incomplete = match completeness {
                        Completeness::Incomplete(reason) => Some(reason),
                        Completeness::Empty(reason) if !may_be_empty => Some(format!(
                            "{reason}; set accept_empty = true when that is meant"
                        )),
                        Completeness::Complete | Completeness::Empty(_) if nameless > 0 => Some(
                            format!("{nameless} of its records cannot be told from others"),
                        ),
                        Completeness::Complete | Completeness::Empty(_) => None,
                    };
                    return Ok(mirror.finish(incomplete, may_be_empty).await?);
                }
            }
        }
    }
}
