//! Doing it again, and letting go: restarts, and whom the deletion guard holds back.

use jiff::Timestamp;
use rollcall_model::provisioning::{ObjectKey, QuarantineReason, ResetScope};
use rollcall_model::{ApplicationId, Kind, Link, LinkState};
use rollcall_store::{Error, ReadJobs, Writer};
use rollcall_sync::guard::list_code;
use serde_json::json;

use super::{missing, tell};
use crate::directory::Context;
use crate::{App, Failure};

/// So many links are read at once.
const LINKS: u64 = 1_000;

/// Whom the deletion guard holds back.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// Their links, people first, in order of id.
    pub links: Vec<Link>,
}

impl Held {
    /// Returns the code of the list: it changes when anybody comes or goes.
    pub fn code(&self) -> String {
        let keys: Vec<ObjectKey> = self
            .links
            .iter()
            .map(|link| (link.kind, link.object))
            .collect();
        list_code(&keys)
    }
}

impl App {
    /// Makes the next cycle an initial one, which compares everything again, and forgets what the scope says.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application.
    pub async fn restart(
        &self,
        context: &Context,
        id: ApplicationId,
        scope: ResetScope,
    ) -> Result<(), Failure> {
        let now = self.now();
        self.on_application(context, id, "application.restarted", move |writer, _| {
            let mut job = writer.job(id)?;
            if scope.watermark {
                job.watermark = None;
            }
            if scope.quarantine {
                job.quarantine = None;
            }
            job.generation += 1;
            writer.save_job(id, &job)?;
            if scope.force_deletes {
                let list = held(writer, id)?;
                allow(writer, id, &list, now)?;
                let mut job = writer.job(id)?;
                let reason = job.quarantine.as_ref().map(|quarantine| quarantine.reason);
                if reason == Some(QuarantineReason::TooManyDeletes) {
                    job.quarantine = None;
                    writer.save_job(id, &job)?;
                }
            }
            if scope.links {
                writer.forget_links(id)?;
            } else if scope.watermark || scope.escrows {
                for kind in [Kind::User, Kind::Group] {
                    forget_agreement(writer, id, kind, scope, now)?;
                }
            }
            Ok(((), json!({"scope": format!("{scope:?}")})))
        })
        .await
    }

    /// Returns who is held back by the deletion guard, and the code by which exactly this list can be allowed.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application.
    pub async fn held(&self, context: &Context, id: ApplicationId) -> Result<Held, Failure> {
        context
            .tenant()
            .read(move |reader| {
                reader.application(id)?.ok_or_else(|| missing(id))?;
                Ok(Held {
                    links: held(reader, id)?,
                })
            })
            .await
    }

    /// Lets exactly those go whom the guard holds back and who were shown: `code` names the list ([`Held::code`]).
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application; [`Failure::Precondition`] when the list is another one by now.
    pub async fn allow_deletions(
        &self,
        context: &Context,
        id: ApplicationId,
        code: String,
    ) -> Result<u64, Failure> {
        let now = self.now();
        self.on_application(
            context,
            id,
            "application.deletions_allowed",
            move |writer, _| {
                let list = Held {
                    links: held(writer, id)?,
                };
                if list.code() != code || list.links.is_empty() {
                    return Err(Failure::Precondition);
                }
                allow(writer, id, &list.links, now)?;
                tell(writer, id, |_| {})?;
                let count = list.links.len() as u64;
                Ok((count, json!({"count": count, "list": code})))
            },
        )
        .await
    }
}

fn held<R: ReadJobs + ?Sized>(reader: &R, id: ApplicationId) -> Result<Vec<Link>, Error> {
    let mut held = Vec::new();
    for kind in [Kind::User, Kind::Group] {
        let mut after = None;
        loop {
            let links = reader.links_needing_attention(id, kind, after, LINKS)?;
            let Some(last) = links.last() else { break };
            after = Some(last.object);
            held.extend(
                links
                    .into_iter()
                    .filter(|link| link.state == LinkState::Held),
            );
        }
    }
    Ok(held)
}

fn allow(
    writer: &mut dyn Writer,
    id: ApplicationId,
    links: &[Link],
    now: Timestamp,
) -> Result<(), Error> {
    for link in links {
        debug_assert_eq!(link.application, id);
        writer.save_link(&Link {
            state: LinkState::Allowed,
            changed: now,
            ..link.clone()
        })?;
    }
    Ok(())
}

/// Forgets what both ends agreed on, as far as the scope says: what is compared again with the watermark, whose turn it is with the
/// failures.
fn forget_agreement(
    writer: &mut dyn Writer,
    id: ApplicationId,
    kind: Kind,
    scope: ResetScope,
    now: Timestamp,
) -> Result<(), Error> {
    let mut after = None;
    loop {
        let links = writer.links(id, kind, after, LINKS)?;
        let Some(last) = links.last() else {
            return Ok(());
        };
        after = Some(last.object);
        for mut link in links {
            if scope.watermark {
                link.doubt();
            }
            if let Some(failure) = link.failure.as_mut().filter(|_| scope.escrows) {
                failure.next_attempt = now;
            }
            writer.save_link(&link)?;
        }
    }
}
