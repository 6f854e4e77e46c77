//! When cycles run: at once after something changed, at the latest every 40 minutes, and with growing pauses while a job is in quarantine.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rollcall_app::Failure;
use rollcall_app::directory::Context;
use rollcall_model::application::{Application, Mode, Status};
use rollcall_model::clock::{has_come, is_within};
use rollcall_model::provisioning::{CycleOutcome, CycleReport, DriftReport, GIVEN_UP, Quarantine};
use rollcall_model::{Actor, ApplicationId, JobState, OrgId, Origin};
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::cycle::LONGEST_QUARANTINE;
use crate::settling::LONGEST_PAUSE;
use crate::{Engine, Error, Watch, webhooks};

/// How often all change feeds are looked at: for what other processes wrote.
const LOOK: Duration = Duration::from_millis(500);
/// The longest time between two cycles (Entra's: 40 minutes).
const SWEEP: SignedDuration = SignedDuration::from_mins(40);
/// How long an application rests after our own side failed.
const REST: Duration = Duration::from_mins(1);
/// How long an application is left alone that somebody else provisions.
const BUSY: Duration = Duration::from_secs(5);
/// How many cycles run at once.
const CYCLES: usize = 4;

/// Runs the cycles of all applications that are switched on, and delivers to webhooks, until `stop`. What is in flight then is finished, and the next start
/// goes on from there.
pub async fn run(engine: Engine, stop: CancellationToken) {
    let mut schedule = Schedule {
        engine,
        stop,
        running: JoinSet::new(),
        busy: HashMap::new(),
        resting: HashMap::new(),
    };
    schedule.engine.bury_plans().await;
    let written = Arc::new(Notify::new());
    let deliveries = webhooks::run(
        schedule.engine.clone(),
        Arc::clone(&written),
        schedule.stop.clone(),
    );
    let deliveries = tokio::spawn(deliveries);
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let store = schedule.engine.app.store().clone();
        let touched = tokio::select! {
            () = schedule.stop.cancelled() => break,
            // this process wrote: at once; somebody else may have, and time passes: now and then
            organisations = store.written() => {
                written.notify_one();
                Some(organisations)
            }
            _ = look.tick() => None,
            Some(done) = schedule.running.join_next_with_id() => schedule.ended(done),
        };
        schedule.start_due(touched).await;
    }
    while schedule.running.join_next().await.is_some() {}
    drop(deliveries.await);
}

/// Which cycles run, and which must not.
struct Schedule {
    engine: Engine,
    stop: CancellationToken,
    /// Each tells how long its application is to rest.
    running: JoinSet<Option<Duration>>,
    busy: HashMap<Id, (OrgId, ApplicationId)>,
    resting: HashMap<ApplicationId, Instant>,
}

impl Schedule {
    /// Notes that a cycle ended; returns its organisation: what was written there meanwhile waits for the next one.
    fn ended(
        &mut self,
        done: Result<(Id, Option<Duration>), JoinError>,
    ) -> Option<BTreeSet<OrgId>> {
        let (id, rest) = match done {
            Ok((id, rest)) => (id, rest),
            Err(panicked) => (panicked.id(), Some(REST)),
        };
        let (organisation, application) = self.busy.remove(&id)?;
        if let Some(rest) = rest {
            self.resting.insert(application, Instant::now() + rest);
        }
        Some(BTreeSet::from([organisation]))
    }

    /// Starts what is due, in these organisations or in all.
    async fn start_due(&mut self, organisations: Option<BTreeSet<OrgId>>) {
        self.resting.retain(|_, until| *until > Instant::now());
        for (organisation, application, due) in due(&self.engine, organisations).await {
            if self.running.len() >= CYCLES {
                break;
            }
            let is_busy = self.busy.values().any(|(_, busy)| *busy == application);
            if is_busy || self.resting.contains_key(&application) {
                continue;
            }
            let (engine, stop) = (self.engine.clone(), self.stop.clone());
            let task = self
                .running
                .spawn(async move { cycle(&engine, (organisation, application, due), stop).await });
            self.busy.insert(task.id(), (organisation, application));
        }
    }
}

/// What an application waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    cycle: bool,
    /// A comparison that somebody asked for.
    comparison: bool,
}

/// Compares both ends because somebody asked; tells how long the application is to rest then. Whoever is stopped meanwhile does it again
/// after the next start.
async fn compare_as_asked(
    engine: &Engine,
    context: &Context,
    id: ApplicationId,
    watch: Watch,
) -> Option<Duration> {
    let interrupt = watch.interrupt.clone();
    let done = tokio::select! {
        done = Box::pin(engine.compare_as_asked(context, id, watch)) => done,
        () = interrupt.cancelled() => return None,
    };
    match done {
        Ok(()) | Err(Error::Interrupted) => None,
        Err(Error::Busy) => Some(BUSY),
        Err(error) => {
            tracing::warn!(application = %id, %error, "both ends could not be compared");
            Some(REST)
        }
    }
}

/// Runs a cycle, and compares both ends when it is time; tells how long the application is to rest then.
async fn cycle(
    engine: &Engine,
    (organisation, application, due): (OrgId, ApplicationId, Due),
    stop: CancellationToken,
) -> Option<Duration> {
    let origin = Origin {
        actor: Actor::System,
        request: engine.app.new_request_id(),
        address: None,
    };
    let context = Context::new(engine.app.store().tenant(organisation), origin, None);
    let watch = Watch {
        interrupt: stop,
        ..Watch::default()
    };
    if !due.cycle {
        return Box::pin(compare_as_asked(engine, &context, application, watch)).await;
    }
    let outcome = engine.run(&context, application, watch.clone()).await;
    let rest = match &outcome {
        // the store is out of reach for a moment more often than for long
        Err(Error::Failed(Failure::Unavailable(_)) | Error::Busy) => Some(BUSY),
        Err(Error::Failed(_)) => Some(REST),
        _ => None,
    };
    match outcome {
        Ok(report) => {
            tell(application, &report);
            if due.comparison {
                return Box::pin(compare_as_asked(engine, &context, application, watch)).await;
            }
            if let Err(error) = check_drift(engine, &context, application, watch).await {
                tracing::warn!(%application, %error, "both ends could not be compared");
            }
        }
        Err(Error::Busy) => tracing::debug!(%application, "somebody else runs its cycle"),
        Err(Error::Interrupted) => tracing::info!(%application, "a cycle was interrupted"),
        Err(error) => tracing::error!(%application, %error, "a cycle failed"),
    }
    rest
}

fn tell(application: ApplicationId, report: &CycleReport) {
    match &report.outcome {
        CycleOutcome::Stopped { reason, message } => {
            tracing::warn!(%application, ?reason, "provisioning is in quarantine: {message}");
        }
        outcome => tracing::info!(
            %application, ?outcome, users = report.users.exports(), groups = report.groups.exports(),
            members_added = report.members_added, members_removed = report.members_removed,
            "a cycle ended"
        ),
    }
}

/// Compares both ends, and repairs what differs, when it is configured and time for it.
///
/// # Errors
/// As [`Engine::compare`] and [`Engine::repair`].
pub async fn check_drift(
    engine: &Engine,
    context: &Context,
    id: ApplicationId,
    watch: Watch,
) -> Result<(), Error> {
    let configured = engine.app.configured(context, id).await?;
    let now = engine.app.now();
    if !is_drift_check_due(&configured.application, &configured.job, now) {
        return Ok(());
    }
    let agreement = engine.compare(context, id).await?;
    if agreement.holds() {
        return Ok(());
    }
    tracing::warn!(application = %id, differing = agreement.differing, "the target is not what it should be");
    let repairs = configured.application.settings.drift;
    if repairs.is_some_and(|drift| drift.repair) {
        let report = engine.repair(context, id, &agreement, watch).await?;
        tell(id, &report);
    }
    Ok(())
}

/// Returns when an application's next cycle is due at the latest, unless something changes before; absent: nobody knows of one.
pub fn next_cycle(application: &Application, job: &JobState) -> Option<Timestamp> {
    if application.mode != Mode::Automatic || application.status != Status::On {
        return None;
    }
    if let Some(quarantine) = &job.quarantine {
        let gives_up = quarantine.since.saturating_add(GIVEN_UP).ok()?;
        return quarantine.next_attempt.filter(|at| *at < gives_up);
    }
    let last = job.last.as_ref()?;
    let sweep = last.ended.saturating_add(SWEEP).ok();
    sweep.into_iter().chain(job.retry).min()
}

/// Returns when a job in quarantine is given up: from then on it is not tried any more.
pub fn gives_up(quarantine: &Quarantine) -> Timestamp {
    let at = quarantine.since.saturating_add(GIVEN_UP);
    at.unwrap_or(Timestamp::MAX)
}

/// Finds the applications whose next cycle is due, or that a comparison was asked for, the one that waits longest first.
async fn due(
    engine: &Engine,
    organisations: Option<BTreeSet<OrgId>>,
) -> Vec<(OrgId, ApplicationId, Due)> {
    let now = engine.app.now();
    let sees_all = organisations.is_none();
    let of = organisations.map_or_else(
        || vec![None],
        |organisations| organisations.into_iter().map(Some).collect(),
    );
    let mut due = Vec::new();
    let mut quarantined = 0;
    for organisation in of {
        let scheduled = match engine.app.store().schedule(organisation).await {
            Ok(scheduled) => scheduled,
            Err(error) => {
                tracing::warn!(%error, "the applications cannot be read");
                return Vec::new();
            }
        };
        for one in scheduled {
            let is_on = one.application.status == Status::On;
            quarantined += u64::from(is_on && one.job.quarantine.is_some());
            let what = Due {
                cycle: is_due(&one.application, &one.job, one.last_change, now),
                comparison: one.job.comparison.is_some(),
            };
            if what.cycle || what.comparison {
                let waits_since = one.job.last.map(|last| last.ended);
                due.push((waits_since, one.organisation, one.application.id, what));
            }
        }
    }
    if sees_all {
        engine.figures.quarantined.set(quarantined);
    }
    due.sort();
    due.into_iter()
        .map(|(_, organisation, application, due)| (organisation, application, due))
        .collect()
}

/// Tells whether both ends are to be compared.
fn is_drift_check_due(application: &Application, job: &JobState, now: Timestamp) -> bool {
    let Some(drift) = application.settings.drift else {
        return false;
    };
    let every = SignedDuration::from_hours(i64::from(drift.every_hours.max(1)));
    let is_time = |report: &DriftReport| !is_within(every, report.at, now);
    job.quarantine.is_none()
        && job.last_complete.is_some()
        && job.drift.as_ref().is_none_or(is_time)
}

/// Tells whether an application's next cycle is due, and it is switched on.
fn is_due(application: &Application, job: &JobState, last_change: u64, now: Timestamp) -> bool {
    application.mode == Mode::Automatic
        && application.status == Status::On
        && is_cycle_due(application, job, last_change, now)
}

/// Tells whether an application's next cycle is due: something changed at the source, an object that failed is to be tried again, both
/// ends are to be compared, or much time has passed.
pub fn is_cycle_due(
    application: &Application,
    job: &JobState,
    last_change: u64,
    now: Timestamp,
) -> bool {
    if let Some(quarantine) = &job.quarantine {
        // a target that was lost for so long comes back by somebody's word only
        return now.duration_since(quarantine.since) < GIVEN_UP
            && quarantine
                .next_attempt
                .is_some_and(|at| has_come(at, now, LONGEST_QUARANTINE));
    }
    let Some(last) = &job.last else { return true };
    let has_news = job
        .watermark
        .is_none_or(|watermark| watermark < last_change);
    let has_words = job.known != Some((job.generation, job.assignments));
    let has_retries = job.retry.is_some_and(|at| has_come(at, now, LONGEST_PAUSE));
    let compares = is_drift_check_due(application, job, now);
    has_news || has_words || has_retries || compares || !is_within(SWEEP, last.ended, now)
}

#[cfg(test)]
mod tests {
    use rollcall_model::CycleId;
    use rollcall_model::provisioning::{
        Counts, CycleKind, CycleReport, Quarantine, QuarantineReason,
    };

    use super::*;

    const ID: &str = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77";

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn job(watermark: Option<u64>, ended: i64) -> JobState {
        let cycle: CycleId = ID.parse().unwrap();
        JobState {
            watermark,
            known: Some((0, 0)),
            last: Some(CycleReport {
                cycle,
                kind: CycleKind::Initial,
                began: at(ended),
                ended: at(ended),
                outcome: CycleOutcome::Succeeded,
                users: Counts::default(),
                groups: Counts::default(),
                references: 0,
                members_added: 0,
                members_removed: 0,
                requests: 0,
                target_milliseconds: 0,
                handling_milliseconds: 0,
            }),
            ..JobState::default()
        }
    }

    #[test]
    fn a_cycle_is_due_when_something_changed_or_time_has_passed_and_it_is_switched_on() {
        let mut application = Application::new(ID.parse().unwrap(), "App".into(), at(0));
        assert!(
            !is_due(&application, &JobState::default(), 9, at(9)),
            "it is off"
        );
        application.mode = Mode::Automatic;
        application.status = Status::On;

        assert!(
            is_due(&application, &JobState::default(), 0, at(0)),
            "it never ran"
        );
        assert!(
            !is_due(&application, &job(Some(9), 10), 9, at(49)),
            "nothing changed"
        );
        assert!(
            is_due(&application, &job(Some(9), 10), 10, at(10)),
            "something changed"
        );
        assert!(
            is_due(&application, &job(Some(9), 10), 9, at(50)),
            "40 minutes passed"
        );
        assert!(
            is_due(&application, &job(None, 10), 9, at(11)),
            "it was restarted"
        );
    }

    #[test]
    fn a_job_in_quarantine_waits_for_its_time_or_for_a_word() {
        let mut application = Application::new(ID.parse().unwrap(), "App".into(), at(0));
        application.mode = Mode::Automatic;
        application.status = Status::On;
        let mut job = job(None, 10);
        job.quarantine = Some(Quarantine {
            reason: QuarantineReason::EncounteredQuarantineException,
            message: String::new(),
            since: at(10),
            count: 1,
            next_attempt: Some(at(15)),
        });

        assert!(!is_due(&application, &job, 99, at(14)));
        assert!(is_due(&application, &job, 99, at(15)));
        if let Some(quarantine) = &mut job.quarantine {
            quarantine.next_attempt = None;
        }
        assert!(!is_due(&application, &job, 99, at(9_999)));
    }

    #[test]
    fn after_a_clock_went_a_year_ahead_and_back_nothing_waits_for_that_year() {
        let mut application = Application::new(ID.parse().unwrap(), "App".into(), at(0));
        application.mode = Mode::Automatic;
        application.status = Status::On;
        let now = at(10);
        let year = SignedDuration::from_hours(365 * 24);
        let mut ahead = job(Some(9), 10);
        ahead.last.as_mut().unwrap().ended = now + year;
        assert!(is_due(&application, &ahead, 9, now), "a sweep");
        let mut ahead = job(Some(9), 10);
        ahead.retry = Some(now + year);
        assert!(is_due(&application, &ahead, 9, now), "a failed object");
        let mut ahead = job(Some(9), 10);
        ahead.quarantine = Some(Quarantine {
            reason: QuarantineReason::EncounteredQuarantineException,
            message: String::new(),
            since: now,
            count: 1,
            next_attempt: Some(now + year),
        });
        assert!(is_due(&application, &ahead, 9, now), "a quarantine");
    }
}
