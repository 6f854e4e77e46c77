//! When cycles run: soon after something changed, at the latest every 40 minutes, and with growing pauses while a job is in quarantine.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rollcall_app::Failure;
use rollcall_app::directory::Context;
use rollcall_model::application::{Application, Mode, Status};
use rollcall_model::provisioning::CycleOutcome;
use rollcall_model::{Actor, ApplicationId, JobState, OrgId, Origin};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Engine, Error, Watch};

/// How often the change feeds are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// The longest time between two cycles (Entra's: 40 minutes).
const SWEEP: SignedDuration = SignedDuration::from_mins(40);
/// How many cycles run at once.
const CYCLES: usize = 4;

/// Runs the cycles of all applications that are switched on, until `stop`. What is in flight then is finished, and the next start
/// goes on from there.
pub async fn run(engine: Engine, stop: CancellationToken) {
    let mut running: JoinSet<ApplicationId> = JoinSet::new();
    let mut busy: HashSet<ApplicationId> = HashSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(LOOK) => {}
        }
        while let Some(done) = running.try_join_next() {
            match done {
                Ok(application) => drop(busy.remove(&application)),
                // which one it was is not known: none is busy any more when all have ended
                Err(_) if running.is_empty() => busy.clear(),
                Err(_) => {}
            }
        }
        let due = match due(&engine, &busy).await {
            Ok(due) => due,
            Err(failure) => {
                tracing::warn!(%failure, "the applications cannot be read");
                continue;
            }
        };
        for (organisation, application) in due {
            if running.len() >= CYCLES {
                break;
            }
            busy.insert(application);
            let (engine, stop) = (engine.clone(), stop.clone());
            running.spawn(async move {
                cycle(&engine, organisation, application, stop).await;
                application
            });
        }
    }
    while running.join_next().await.is_some() {}
}

async fn cycle(
    engine: &Engine,
    organisation: OrgId,
    application: ApplicationId,
    stop: CancellationToken,
) {
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
    match engine.run(&context, application, watch).await {
        Ok(report) => match &report.outcome {
            CycleOutcome::Stopped { reason, message } => {
                tracing::warn!(%application, ?reason, "provisioning is in quarantine: {message}");
            }
            outcome => tracing::info!(
                %application, ?outcome, users = report.users.exports(), groups = report.groups.exports(),
                members_added = report.members_added, members_removed = report.members_removed,
                "a cycle ended"
            ),
        },
        Err(Error::Interrupted) => tracing::info!(%application, "a cycle was interrupted"),
        Err(error) => tracing::error!(%application, %error, "a cycle failed"),
    }
}

/// Finds the applications whose next cycle is due.
async fn due(
    engine: &Engine,
    busy: &HashSet<ApplicationId>,
) -> Result<Vec<(OrgId, ApplicationId)>, Failure> {
    let now = engine.app.now();
    let mut due = Vec::new();
    for organisation in engine.app.store().organisations().await? {
        let tenant = engine.app.store().tenant(organisation.id);
        let found = tenant
            .read::<_, Failure, _>(move |reader| {
                let mut found = Vec::new();
                for application in reader.applications()? {
                    let job = reader.job(application.id)?;
                    if is_due(&application, &job, reader.last_change()?, now) {
                        found.push(application.id);
                    }
                }
                Ok(found)
            })
            .await?;
        let free = found.into_iter().filter(|id| !busy.contains(id));
        due.extend(free.map(|application| (organisation.id, application)));
    }
    Ok(due)
}

/// Tells whether an application's next cycle is due.
fn is_due(application: &Application, job: &JobState, last_change: u64, now: Timestamp) -> bool {
    if application.mode != Mode::Automatic || application.status != Status::On {
        return false;
    }
    if let Some(quarantine) = &job.quarantine {
        return quarantine.next_attempt.is_some_and(|at| at <= now);
    }
    let Some(last) = &job.last else { return true };
    let has_news = job
        .watermark
        .is_none_or(|watermark| watermark < last_change);
    has_news || now.duration_since(last.ended) >= SWEEP
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
            last: Some(CycleReport {
                cycle,
                kind: CycleKind::Initial,
                began: at(ended),
                ended: at(ended),
                outcome: CycleOutcome::Succeeded,
                users: Counts::default(),
                groups: Counts::default(),
                members_added: 0,
                members_removed: 0,
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
}
