//! A cycle from its beginning to its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use rollcall_app::App;
use rollcall_app::directory::Context;
use rollcall_model::provisioning::{
    CycleKind, CycleOutcome, CycleReport, JobState, Phase, Quarantine, QuarantineReason,
};
use rollcall_model::{ApplicationId, CycleId, Kind, Link, Profile};
use rollcall_observe::TRACE;
use rollcall_store::{Claim, Writer};
use rollcall_sync::guard::{Failures, Verdict, list_code, too_many};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::entry::milliseconds;
use crate::noting::noted;
use crate::survey::{self, Candidates, Survey};
use crate::work::{PAGE, Purpose, Tally, Work};
use crate::{Engine, Error, Watch, figures, memberships, objects, overtake, references};

/// The pause of a job after its first failure; it doubles.
const QUARANTINE: SignedDuration = SignedDuration::from_mins(5);
/// The shortest time between a cycle and one that tries failed objects again.
const SHORTEST_REST: SignedDuration = SignedDuration::from_secs(5);
/// The longest pause of a job in quarantine.
pub(crate) const LONGEST_QUARANTINE: SignedDuration = SignedDuration::from_hours(24);

impl Engine {
    /// Runs one cycle of an application: an initial one when there was none, when it was restarted, or when its rules or assignments
    /// changed; otherwise an incremental one, which reads what changed. It begins with the deactivations.
    ///
    /// What stands in the way of the whole cycle is reported as its outcome, and puts the job into quarantine.
    ///
    /// # Errors
    /// [`Error::Interrupted`] and [`Error::Failed`]: then the state of the job is untouched, and the next cycle goes on. [`Error::Busy`] when
    /// a cycle of it is running already.
    pub async fn run(
        &self,
        context: &Context,
        application: ApplicationId,
        watch: Watch,
    ) -> Result<CycleReport, Error> {
        let only_one = self.claim(context, application).await?;
        let cycle = self.cycle(context, application, watch, (Purpose::Run, &only_one));
        released(&only_one, cycle.await).await
    }

    /// Makes the caller the only one who provisions an application.
    ///
    /// # Errors
    /// [`Error::Busy`]; [`Error::Stopped`] while nobody may, because the store was restored from a backup.
    pub(crate) async fn claim(
        &self,
        context: &Context,
        application: ApplicationId,
    ) -> Result<Arc<Claim>, Error> {
        let reading = context
            .tenant()
            .read::<_, Error, _>(move |reader| Ok(reader.job(application)?));
        if let Some(held) = reading.await?.held() {
            return Err(Error::Stopped {
                reason: held.reason,
                message: held.message.clone(),
            });
        }
        match context.tenant().claim_job(application).await {
            Ok(claim) => Ok(Arc::new(claim)),
            Err(rollcall_store::Error::Occupied(_)) => Err(Error::Busy),
            Err(error) => Err(error.into()),
        }
    }

    /// Runs a cycle, and counts it.
    pub(crate) async fn cycle(
        &self,
        context: &Context,
        application: ApplicationId,
        watch: Watch,
        why: (Purpose, &Arc<Claim>),
    ) -> Result<CycleReport, Error> {
        let span = tracing::info_span!(
            target: TRACE,
            "cycle",
            rollcall.application = %application,
            rollcall.cycle.kind = tracing::field::Empty,
            rollcall.cycle.outcome = tracing::field::Empty,
        );
        let running = self.figures.running.raise();
        let begun = Instant::now();
        let mut kind = CycleKind::Initial;
        let outcome = self
            .cycle_of_a_kind(context, application, watch, why, &mut kind)
            .instrument(span.clone())
            .await;
        drop(running);
        let word = self.figures.ended(kind, &outcome, begun.elapsed());
        span.record("rollcall.cycle.kind", figures::word(kind));
        span.record("rollcall.cycle.outcome", word);
        outcome
    }

    async fn cycle_of_a_kind(
        &self,
        context: &Context,
        application: ApplicationId,
        watch: Watch,
        (purpose, only_one): (Purpose, &Arc<Claim>),
        kind: &mut CycleKind,
    ) -> Result<CycleReport, Error> {
        let configured = self.app.configured(context, application).await?;
        let job = configured.job.clone();
        let began = self.app.now();
        let prepared = Work::prepare(self, context, configured, watch, purpose).await;
        let (work, outcome) = match prepared {
            Ok(work) => {
                work.rest_on(only_one);
                let cycle = Box::pin(perform(&work, &job, kind));
                let outcome = noted(&work, began, cycle).await;
                (Some(work), outcome)
            }
            Err(error) => (None, Err(error)),
        };
        let tally = work.as_ref().map(|work| work.tally()).unwrap_or_default();
        let (requests, waited) = work
            .as_ref()
            .map(|work| work.target.traffic())
            .unwrap_or_default();
        let handling = work
            .as_ref()
            .map(|work| work.handling())
            .unwrap_or_default();
        let report = |outcome| CycleReport {
            cycle: work.as_ref().map_or_else(
                || CycleId::new(began, &**self.app.randomness()),
                |work| work.cycle,
            ),
            kind: *kind,
            began,
            ended: self.app.now(),
            outcome,
            users: tally.users,
            groups: tally.groups,
            references: tally.references,
            members_added: tally.members_added,
            members_removed: tally.members_removed,
            requests,
            target_milliseconds: milliseconds(waited),
            handling_milliseconds: milliseconds(handling),
        };
        if work.as_ref().is_some_and(|work| !work.is_alone()) {
            return Err(Error::Interrupted);
        }
        let ended = match (outcome, &work) {
            (Ok(()), Some(work)) => Ended::Complete {
                watermark: work.watermark,
                basis: work.basis.clone(),
                retry: first_retry(work).await?,
                failures: too_many(failures(&tally)),
                report: report(outcome_of(&tally)),
            },
            (Err(Error::Stopped { reason, message }), _) => {
                Ended::Stopped(report(CycleOutcome::Stopped { reason, message }))
            }
            (Err(error), _) => return Err(error),
            (Ok(()), None) => return Err(Error::Interrupted),
        };
        let profile = work.as_ref().map(|work| work.target.profile());
        let word = (application, job.generation, job.assignments);
        let tenant = context.tenant().quiet();
        let (app, runner) = (self.app.clone(), only_one.number());
        tenant
            .write(move |writer| {
                if writer.standing(application)?.runner != runner {
                    return Err(Error::Interrupted);
                }
                remember(&app, writer, word, ended, profile)
            })
            .await
    }
}

/// Gives a claim back, and hands on how what was done under it ended: a command that ends now leaves none behind.
pub(crate) async fn released<T>(only_one: &Claim, outcome: T) -> T {
    only_one.release().await;
    outcome
}

/// Goes through the phases of a cycle.
async fn perform(work: &Arc<Work>, job: &JobState, kind: &mut CycleKind) -> Result<(), Error> {
    work.begin(Phase::Connecting, 0);
    work.connect().await?;
    work.begin(Phase::Reading, 0);
    if !work.doubted.is_empty() {
        doubt(work).await?;
    }
    let survey = survey::survey(work, job).await?;
    if matches!(survey.candidates, Candidates::These(_)) {
        *kind = CycleKind::Incremental;
    }
    let is_incremental = *kind == CycleKind::Incremental;
    work.is_incremental.store(is_incremental, Ordering::Relaxed);
    if survey.total > 0 {
        note_beginning(work).await?;
    }
    work.begin(Phase::Leaving, survey.leaving.len() as u64);
    objects::leave(work, &survey).await?;
    if let Verdict::Hold {
        leaving,
        recent,
        limit,
    } = survey.verdict
    {
        objects::hold(work, &survey).await?;
        let code = list_code(&survey.held);
        let message = match work.restored {
            None => format!(
                "{leaving} people or groups would be disabled or deleted, after {recent} in the last day, and {limit} may be in a day: bring them back, or allow the list {code}"
            ),
            Some(restored) => format!(
                "{leaving} people or groups would be disabled or deleted, in the first cycle after the store was restored from a backup of {}: bring them back, or allow the list {code}",
                restored.backup
            ),
        };
        return Err(Error::Stopped {
            reason: QuarantineReason::TooManyDeletes,
            message,
        });
    }
    if let Some(gate) = &work.gate {
        bring(work, &survey).await?;
        gate.check()?;
    } else {
        // both in one task: whoever drops the cycle drops both
        let end = CancellationToken::new();
        let bringing = async {
            let outcome = bring(work, &survey).await;
            end.cancel();
            outcome
        };
        let overtaking = overtake::run(Arc::clone(work), end.clone());
        let (outcome, overtaken) = tokio::join!(bringing, overtaking);
        outcome.and(overtaken)?;
    }
    work.begin(Phase::Finished, 0);
    Ok(())
}

/// Brings everybody who does not leave.
async fn bring(work: &Arc<Work>, survey: &Survey) -> Result<(), Error> {
    work.begin(Phase::Writing, survey.total);
    for kind in work.kinds() {
        objects::bring_all(work, survey, kind).await?;
    }
    references::bring_all(work).await?;
    memberships::bring_all(work, &survey.candidates).await
}

/// Forgets what both ends agreed on about the objects that are looked at once more.
async fn doubt(work: &Work) -> Result<(), Error> {
    let (application, chosen) = (work.application, work.doubted.clone());
    work.write(move |writer| {
        for kind in [Kind::User, Kind::Group] {
            for id in chosen.of(kind) {
                crate::work::doubt(writer, application, kind, *id)?;
            }
        }
        Ok(())
    })
    .await
}

/// Returns when the first of the objects that failed is to be tried again.
async fn first_retry(work: &Work) -> Result<Option<Timestamp>, Error> {
    let (application, kinds) = (work.application, work.kinds().collect::<Vec<_>>());
    let soonest = work.app.now().saturating_add(SHORTEST_REST).ok();
    work.tenant
        .read::<_, Error, _>(move |reader| {
            let mut first: Option<Timestamp> = None;
            for kind in kinds {
                let mut after = None;
                loop {
                    let links = reader.links_needing_attention(application, kind, after, PAGE)?;
                    let Some(last) = links.last() else { break };
                    after = Some(last.object);
                    let attempts = links.iter().filter_map(Link::next_attempt);
                    first = first.into_iter().chain(attempts).min();
                }
            }
            // whatever is wrong, no cycle follows the other without a pause
            Ok(first.max(soonest.filter(|_| first.is_some())))
        })
        .await
}

/// Notes that the cycle begins to write. Whoever dies from here on leaves objects behind that are at rest themselves while what depends
/// on them, references and memberships, is not: the next cycle looks at everything.
pub(crate) async fn note_beginning(work: &Work) -> Result<(), Error> {
    let application = work.application;
    work.write(move |writer| {
        let mut job = writer.job(application)?;
        job.unfinished = true;
        writer.save_job(application, &job)
    })
    .await
}

fn outcome_of(tally: &Tally) -> CycleOutcome {
    if tally.users.failed + tally.groups.failed + tally.references_failed > 0 {
        CycleOutcome::EntryLevelErrors
    } else {
        CycleOutcome::Succeeded
    }
}

fn failures(tally: &Tally) -> Failures {
    Failures {
        objects: tally.users.failed + tally.groups.failed,
        references: tally.references_failed,
        handled: tally.users.imported + tally.groups.imported,
    }
}

enum Ended {
    Complete {
        watermark: u64,
        basis: String,
        retry: Option<Timestamp>,
        failures: Option<QuarantineReason>,
        report: CycleReport,
    },
    Stopped(CycleReport),
}

/// Stores how a cycle ended. The state is read again in the same transaction: what an administrator said meanwhile is for the next cycle,
/// and stays.
fn remember(
    app: &App,
    writer: &mut dyn Writer,
    (application, generation, assignments): (ApplicationId, u64, u64),
    ended: Ended,
    profile: Option<Profile>,
) -> Result<CycleReport, Error> {
    let mut job = writer.job(application)?;
    let reason_before = job.quarantine.as_ref().map(|before| before.reason);
    let is_current = job.generation == generation;
    if let Some(profile) = profile.filter(|_| is_current) {
        job.profile = profile;
    }
    let report = match ended {
        Ended::Complete {
            watermark,
            basis,
            retry,
            failures,
            report,
        } => {
            if is_current {
                job.watermark = Some(watermark);
                job.basis = Some(basis);
                job.retry = retry;
                job.known = Some((generation, assignments));
                // both ends were brought together
                job.restored = None;
                let before = job.quarantine.take();
                job.quarantine = failures.map(|reason| {
                    let message =
                        "too many objects failed: read the log, and mend what they have in common";
                    quarantine(before, reason, message.to_owned(), report.ended)
                });
            }
            job.unfinished = false;
            if !report.has_exports() {
                job.steady_since.get_or_insert(report.ended);
            }
            job.last_complete = Some(report.clone());
            report
        }
        Ended::Stopped(report) => {
            if let CycleOutcome::Stopped { reason, message } = &report.outcome
                && is_current
            {
                let before = job.quarantine.take();
                let quarantine = quarantine(before, *reason, message.clone(), report.ended);
                job.quarantine = Some(quarantine);
            }
            report
        }
    };
    job.last = Some(report.clone());
    writer.save_job(application, &job)?;
    if report.is_eventful() {
        writer.append_cycle(application, &report)?;
    }
    // one mail for each cause
    if let Some(quarantine) = &job.quarantine
        && reason_before != Some(quarantine.reason)
        && let Some(application) = writer.application(application)?
    {
        app.post_quarantine(writer, report.ended, &application, quarantine)?;
    }
    Ok(report)
}

fn quarantine(
    before: Option<Quarantine>,
    reason: QuarantineReason,
    message: String,
    now: Timestamp,
) -> Quarantine {
    let count = before
        .as_ref()
        .map_or(0, |before| before.count)
        .saturating_add(1);
    let pause = QUARANTINE
        .checked_mul(1_i32.checked_shl(count.min(12) - 1).unwrap_or(1))
        .map_or(LONGEST_QUARANTINE, |pause| pause.min(LONGEST_QUARANTINE));
    // a configuration does not mend itself; who was about to leave may come back
    let waits_for_word = reason == QuarantineReason::InvalidConfiguration;
    Quarantine {
        reason,
        message,
        since: before.map_or(now, |before| before.since),
        count,
        next_attempt: (!waits_for_word).then(|| now.saturating_add(pause).unwrap_or(now)),
    }
}
