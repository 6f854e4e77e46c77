//! On demand: one person or one group at once, outside the cycle, with every step shown.
//!
//! The watermark stays where it is. What is done is done by the tasks and passes of a cycle, for one object; the target is asked even when
//! nothing changed at the source.

use std::sync::Arc;
use std::time::Instant;

use rollcall_app::directory::Context;
use rollcall_model::provisioning::{LogEntry, Phase, QuarantineReason};
use rollcall_model::{ApplicationId, Kind, ResourceId};
use rollcall_store::Claim;
use rollcall_sync::task::Decision;

use crate::cycle::{note_beginning, released};
use crate::handling::take_steps;
use crate::survey::{Candidates, Chosen};
use crate::work::{Purpose, Work};
use crate::{Engine, Error, Watch, entry, memberships, objects, references, settling};

/// What was done to one object on demand.
#[derive(Debug, Clone, PartialEq)]
pub struct OnDemand {
    /// What was decided, and done unless it failed.
    pub decision: Decision,
    /// The entry of the provisioning log, with the four steps: import, scoping, matching, action.
    pub entry: LogEntry,
    /// How many people's references were sent: its own, or those of who reports to it.
    pub references: u64,
    /// How many memberships were added in the target.
    pub members_added: u64,
    /// How many were taken away.
    pub members_removed: u64,
    /// How many references or memberships failed.
    pub failed: u64,
}

impl Engine {
    /// Provisions one person or group now: reads it, decides whether it is in scope, finds its counterpart, acts; then its references and
    /// memberships.
    ///
    /// Whoever has to leave is switched off or deleted without asking the deletion guard: this is somebody's word for one object.
    ///
    /// # Errors
    /// [`Error::Stopped`] when target or configuration stand in the way, [`Error::Busy`] when a cycle is running.
    pub async fn provision(
        &self,
        context: &Context,
        application: ApplicationId,
        kind: Kind,
        id: ResourceId,
    ) -> Result<OnDemand, Error> {
        let only_one = self.claim(context, application).await?;
        let provided = self.provision_alone(context, application, (kind, id), &only_one);
        released(&only_one, provided.await).await
    }

    async fn provision_alone(
        &self,
        context: &Context,
        application: ApplicationId,
        (kind, id): (Kind, ResourceId),
        only_one: &Arc<Claim>,
    ) -> Result<OnDemand, Error> {
        let configured = self.app.configured(context, application).await?;
        let was_unfinished = configured.job.unfinished;
        let work = Work::prepare(self, context, configured, Watch::default(), Purpose::Run).await?;
        work.rest_on(only_one);
        if !work.rules.of(kind).enabled {
            return Err(Error::Stopped {
                reason: QuarantineReason::InvalidConfiguration,
                message: format!(
                    "the mapping of {}s is switched off for this application",
                    kind.resource_type().to_lowercase()
                ),
            });
        }
        work.begin(Phase::Connecting, 0);
        work.connect().await?;
        // when what follows dies, or the target is lost, the next cycle looks at everything
        note_beginning(&work).await?;
        let begun = Instant::now();
        let mut known = objects::one(&work, kind, id).await?;
        let before = known.link.clone();
        if let Some(link) = &mut known.link {
            // compared, whatever both ends agreed on last
            link.digest = None;
        }
        let (ending, mut steps) = take_steps(&work, &known).await?;
        let link = ending.link.as_ref().or(before.as_ref());
        steps.concluded(&ending, link);
        let (now, took) = (work.app.now(), begun.elapsed());
        let entry = entry::of_object(
            &work,
            &known.object,
            link,
            &ending,
            steps.clone().with_import(&known.object),
            now,
            took,
        );
        let decision = ending.decision;
        settling::finish(&work, &known.object, before, ending, steps, begun).await?;
        references::bring_all(&work).await?;
        memberships::bring_all(&work, &only(kind, id)).await?;
        if kind == Kind::Group && memberships::has_members(&work) {
            memberships::bring(&work, id, None).await?;
        }
        if !was_unfinished && !work.is_over() {
            note_end(&work).await?;
        }
        work.begin(Phase::Finished, 0);
        let tally = work.tally();
        Ok(OnDemand {
            decision,
            entry,
            references: tally.references,
            members_added: tally.members_added,
            members_removed: tally.members_removed,
            failed: tally.references_failed,
        })
    }
}

async fn note_end(work: &Work) -> Result<(), Error> {
    let application = work.application;
    work.write(move |writer| {
        let mut job = writer.job(application)?;
        job.unfinished = false;
        writer.save_job(application, &job)
    })
    .await
}

fn only(kind: Kind, id: ResourceId) -> Candidates {
    let mut chosen = Chosen::default();
    match kind {
        Kind::User => chosen.users.insert(id),
        Kind::Group => chosen.groups.insert(id),
    };
    Candidates::These(chosen)
}
