//! An application at a glance: its state, the cycle that runs, what stands in the way, the last report.

use askama::Template;
use axum::extract::{Path, State as Shared};
use axum::response::Response;
use rollcall_app::overview::{Cause, Listed, Standing};
use rollcall_engine::schedule::gives_up;
use rollcall_model::application::{Mode, Scope, Status};
use rollcall_model::provisioning::{
    Counts, CycleKind, CycleOutcome, CycleReport, Phase, QuarantineReason, Running,
};
use rollcall_model::{Application, Permission};

use super::{Head, Tab, list, parsed, title_of};
use crate::Console;
use crate::filters;
use crate::guard::Known;
use crate::layout::{self, Frame, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, page};
use crate::words::sentence;
use crate::words::{Moment, Zone, counted, number, people};

pub(super) fn routes() -> Routes {
    let read = Needs::Role(Permission::Read);
    vec![page("/applications/{id}", read, look)]
}

/// A part of the running cycle.
#[derive(Debug)]
struct PhaseRow {
    /// `done`, `now`, or empty: it waits.
    class: &'static str,
    title: &'static str,
    detail: String,
}

#[derive(Debug)]
struct RunningView {
    kind: &'static str,
    began: Moment,
    done: u64,
    total: u64,
    phases: Vec<PhaseRow>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is shown by itself")]
#[derive(Debug)]
struct QuarantineView {
    title: &'static str,
    message: String,
    is_held: bool,
    is_restored: bool,
    is_credential: bool,
    since: Moment,
    count: String,
    next: Option<Moment>,
    gives_up: Moment,
    waits: String,
    still_in: String,
    has_still_in: bool,
    last_good: Option<Moment>,
    did: String,
}

#[derive(Debug)]
struct CauseRow {
    code: String,
    title: String,
    detail: String,
    names: String,
}

#[derive(Debug)]
struct ReportRow {
    what: &'static str,
    counts: Counts,
}

#[derive(Debug)]
struct ReportView {
    kind: &'static str,
    ended: Moment,
    took: String,
    icon: &'static str,
    tone: &'static str,
    outcome: String,
    rows: Vec<ReportRow>,
    extra: String,
}

/// A cycle of the past.
#[derive(Debug)]
struct CycleRow {
    began: Moment,
    kind: &'static str,
    took: String,
    tone: &'static str,
    icon: &'static str,
    did: String,
}

#[derive(Debug)]
struct DriftView {
    tone: &'static str,
    icon: &'static str,
    text: String,
    at: Moment,
    first: Vec<String>,
    can_repair: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "each is shown by itself")]
#[derive(Debug, Template)]
#[template(path = "applications/overview.html")]
struct OverviewPage {
    frame: Frame,
    head: Head,
    /// Whether the visitor may change something here.
    may: bool,
    is_on: bool,
    is_connected: bool,
    running: Option<RunningView>,
    quarantine: Option<QuarantineView>,
    in_use: u64,
    held: u64,
    failing: u64,
    is_partial: bool,
    assigned: String,
    causes: Vec<CauseRow>,
    report: Option<ReportView>,
    /// Those before the last one.
    cycles: Vec<CycleRow>,
    drift: Option<DriftView>,
    /// Since when a comparison is asked for that has not ended.
    comparing: Option<Moment>,
    comparing_repairs: bool,
    next: String,
    address: Option<String>,
    scope: &'static str,
    users: u64,
    groups: u64,
    users_on: bool,
    groups_on: bool,
    guard: String,
    mailed: Option<String>,
}

fn running(running: &Running, zone: &Zone) -> RunningView {
    let now = running.progress.phase;
    let of_now = match (running.progress.done, running.progress.total) {
        (_, 0) => "Under way".to_owned(),
        (done, total) => format!("{} of {}", number(done), number(total)),
    };
    let phases = [
        Phase::Connecting,
        Phase::Reading,
        Phase::Leaving,
        Phase::Writing,
        Phase::References,
        Phase::Members,
    ];
    RunningView {
        kind: kind(running.kind),
        began: zone.exact(running.began),
        done: running.progress.done.min(running.progress.total),
        total: running.progress.total,
        phases: phases
            .into_iter()
            .map(|phase| {
                let (class, detail) = match phase.cmp(&now) {
                    std::cmp::Ordering::Less => ("done", "Done".to_owned()),
                    std::cmp::Ordering::Equal => ("now", of_now.clone()),
                    std::cmp::Ordering::Greater => ("", "Waiting".to_owned()),
                };
                PhaseRow {
                    class,
                    title: list::phase(phase),
                    detail,
                }
            })
            .collect(),
    }
}

fn kind(kind: CycleKind) -> &'static str {
    match kind {
        CycleKind::Initial => "Initial",
        CycleKind::Incremental => "Incremental",
    }
}

fn quarantine(standing: &Standing, zone: &Zone) -> Option<QuarantineView> {
    let quarantine = standing.job.quarantine.as_ref()?;
    let good = standing.job.last_complete.as_ref();
    let next = quarantine.next_attempt;
    let gives_up = gives_up(quarantine);
    Some(QuarantineView {
        title: title_of(quarantine.reason),
        message: sentence(&quarantine.message),
        is_held: quarantine.reason == QuarantineReason::TooManyDeletes,
        is_restored: quarantine.reason == QuarantineReason::RestoredFromBackup,
        is_credential: matches!(
            quarantine.reason,
            QuarantineReason::EncounteredQuarantineException | QuarantineReason::CredentialRefused
        ),
        since: zone.short(quarantine.since),
        count: counted(u64::from(quarantine.count), "try").replace("trys", "tries"),
        next: next.filter(|at| *at < gives_up).map(|at| zone.short(at)),
        gives_up: zone.day(gives_up),
        waits: match standing.changes_waiting {
            0 => "No change of the directory waits".to_owned(),
            1 => "1 change of the directory waits".to_owned(),
            count => format!("{} changes of the directory wait", number(count)),
        },
        still_in: people(standing.still_in),
        has_still_in: standing.still_in > 0,
        last_good: good.map(|report| zone.short(report.ended)),
        did: good.map(list::did).unwrap_or_default(),
    })
}

/// How an outcome looks.
fn signs(outcome: &CycleOutcome) -> (&'static str, &'static str) {
    match outcome {
        CycleOutcome::Succeeded => ("ok", "okc"),
        CycleOutcome::EntryLevelErrors => ("warn", "alert"),
        CycleOutcome::Stopped { .. } => ("bad", "xc"),
    }
}

fn took(report: &CycleReport) -> String {
    took_text(report.ended.duration_since(report.began))
}

fn past(report: &CycleReport, zone: &Zone) -> CycleRow {
    let (tone, icon) = signs(&report.outcome);
    CycleRow {
        began: zone.short(report.began),
        kind: kind(report.kind),
        took: took(report),
        tone,
        icon,
        did: list::did(report),
    }
}

fn report(report: &CycleReport, zone: &Zone) -> ReportView {
    let (tone, icon) = signs(&report.outcome);
    let outcome = match &report.outcome {
        CycleOutcome::Succeeded => "Everything was handled".to_owned(),
        CycleOutcome::EntryLevelErrors => "Some objects failed, and are tried again".to_owned(),
        CycleOutcome::Stopped { reason, .. } => format!("Stopped: {}", title_of(*reason)),
    };
    let mut extra = Vec::new();
    for (count, noun, done) in [
        (report.references, "reference", " sent"),
        (report.members_added, "membership", " added"),
        (report.members_removed, "membership", " removed"),
        (report.requests, "request", ""),
    ] {
        if count > 0 {
            extra.push(format!("{}{done}", counted(count, noun)));
        }
    }
    ReportView {
        kind: kind(report.kind),
        ended: zone.short(report.ended),
        took: took(report),
        icon,
        tone,
        outcome,
        rows: vec![
            ReportRow {
                what: "People",
                counts: report.users,
            },
            ReportRow {
                what: "Groups",
                counts: report.groups,
            },
        ],
        extra: extra.join(", "),
    }
}

/// Writes how long something took.
pub(super) fn took_text(took: jiff::SignedDuration) -> String {
    let seconds = took.as_secs();
    match seconds {
        ..1 => format!("{} ms", took.as_millis().max(0)),
        1..120 => format!("{seconds} s"),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

fn cause(cause: &Cause, zone: &Zone) -> CauseRow {
    let first = cause.first.join(", ");
    let rest = cause.count.saturating_sub(cause.first.len() as u64);
    let names = if rest > 0 {
        format!("{first} and {} more", number(rest))
    } else {
        first
    };
    let known = crate::causes::of(&cause.code);
    CauseRow {
        code: cause.code.clone(),
        title: known.map_or_else(|| cause.code.clone(), |known| known.title.to_owned()),
        detail: format!(
            "{} since {}.",
            counted(cause.count, "object"),
            zone.short(cause.since).text
        ),
        names,
    }
}

fn drift(standing: &Standing, zone: &Zone) -> Option<DriftView> {
    let drift = standing.job.drift.as_ref()?;
    let at = zone.short(drift.at);
    let (tone, icon, text) = match (&drift.trouble, drift.differing) {
        (Some(trouble), _) => (
            "bad",
            "xc",
            format!("They could not be compared: {}", sentence(trouble)),
        ),
        (None, 0) => ("ok", "okc", "Both ends agree, object by object.".to_owned()),
        (None, 1) => (
            "warn",
            "alert",
            "1 object is not what it should be.".to_owned(),
        ),
        (None, count) => (
            "warn",
            "alert",
            format!("{} objects are not what they should be.", number(count)),
        ),
    };
    Some(DriftView {
        tone,
        icon,
        text,
        at,
        first: drift.first.clone(),
        can_repair: drift.trouble.is_none() && drift.differing > 0,
    })
}

/// Says when the deletion guard holds a cycle.
pub(super) fn guard(application: &Application) -> String {
    let settings = &application.settings;
    match (settings.max_deletions, settings.max_deletions_percent) {
        (None, None) => "10 in a day, or a tenth of the accounts".to_owned(),
        (Some(count), None) => format!("{} in a day", number(count)),
        (None, Some(percent)) => format!("{percent} % in a day"),
        (Some(count), Some(percent)) => {
            format!(
                "{} or {percent} % in a day, whichever is less",
                number(count)
            )
        }
    }
}

async fn look(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let context = known.visitor.context();
    let standing = console.app.standing(&context, parsed(&id)?).await?;
    let application = &standing.application;
    let frame = console
        .frame(&known, Place::Applications, &application.name)
        .await?;
    let zone = console.zone(&known);
    Ok(layout::rendered(&view(frame, &standing, &zone)))
}

fn view(frame: Frame, standing: &Standing, zone: &Zone) -> OverviewPage {
    let Standing {
        application, job, ..
    } = standing;
    let head = Head::of(application, job, standing.running.as_ref(), Tab::Overview);
    let listed = Listed {
        application: application.clone(),
        job: job.clone(),
        running: standing.running,
        in_use: standing.in_use,
    };
    let email = application.notification_email.as_ref();
    OverviewPage {
        may: frame.may.provisioning && application.job_file.is_none(),
        is_on: application.mode == Mode::Automatic && application.status == Status::On,
        is_connected: application.target.is_some() && standing.has_credential,
        running: standing.running.as_ref().map(|one| running(one, zone)),
        quarantine: quarantine(standing, zone),
        in_use: standing.in_use,
        held: standing.held,
        failing: standing.failing,
        is_partial: standing.is_partial,
        assigned: format!(
            "{} and {}",
            counted(standing.assigned_groups, "group"),
            people(standing.assigned_people)
        ),
        causes: standing.causes.iter().map(|one| cause(one, zone)).collect(),
        report: job.last.as_ref().map(|last| report(last, zone)),
        cycles: standing
            .cycles
            .iter()
            .filter(|past| {
                job.last
                    .as_ref()
                    .is_none_or(|last| last.cycle != past.cycle)
            })
            .map(|one| past(one, zone))
            .collect(),
        drift: drift(standing, zone),
        comparing: job.comparison.map(|asked| zone.short(asked.at)),
        comparing_repairs: job.comparison.is_some_and(|asked| asked.repair),
        next: list::next(&listed, zone),
        address: application
            .target
            .as_ref()
            .map(|target| target.tenant_url.clone()),
        scope: match application.scope {
            Scope::AssignedOnly => "Only assigned users and groups",
            Scope::All => "All users and groups",
        },
        users: application.users.attributes.len() as u64,
        groups: application.groups.attributes.len() as u64,
        users_on: application.users.enabled,
        groups_on: application.groups.enabled,
        guard: guard(application),
        mailed: email
            .filter(|_| application.notify_on_failure)
            .map(ToString::to_string),
        frame,
        head,
    }
}

#[cfg(any(test, feature = "samples"))]
#[expect(clippy::too_many_lines, reason = "a sample for each case")]
pub(super) fn samples() -> Vec<(String, String)> {
    use crate::layout::sample::{HOSTILE, frame};
    use rollcall_model::application::Target;
    use rollcall_model::provisioning::{
        ComparisonAsked, DriftReport, Progress, Quarantine, Restored,
    };
    use rollcall_model::{ApplicationId, CycleId};

    let zone = super::sample::zone();
    let now = zone.now();
    let nobody = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77";
    let (Ok(id), Ok(cycle)) = (nobody.parse::<ApplicationId>(), nobody.parse::<CycleId>()) else {
        return Vec::new();
    };
    let report = |outcome| CycleReport {
        cycle,
        kind: CycleKind::Incremental,
        began: now - jiff::SignedDuration::from_secs(62),
        ended: now - jiff::SignedDuration::from_secs(40),
        outcome,
        users: Counts {
            imported: 2_079,
            created: 4,
            updated: 61,
            disabled: 1,
            kept: 2_006,
            failed: 7,
            ..Counts::default()
        },
        groups: Counts::default(),
        references: 3,
        members_added: 12,
        members_removed: 1,
        requests: 812,
        target_milliseconds: 0,
        handling_milliseconds: 0,
    };
    let standing = |name: &str| {
        let mut application = Application::new(id, name.to_owned(), now);
        application.mode = Mode::Automatic;
        application.status = Status::On;
        application.target = Some(Target {
            tenant_url: "https://quillworks.example/scim/v2".to_owned(),
        });
        let mut job = rollcall_model::JobState {
            last: Some(report(CycleOutcome::EntryLevelErrors)),
            ..rollcall_model::JobState::default()
        };
        job.last_complete.clone_from(&job.last);
        Standing {
            application,
            has_credential: true,
            job,
            running: None,
            assigned_people: 4,
            assigned_groups: 38,
            in_use: 12_115,
            held: 0,
            failing: 7,
            causes: vec![Cause {
                code: "UnprocessableEntity".to_owned(),
                count: 7,
                first: vec!["dario.conti@alderbrook.example".to_owned(), name.to_owned()],
                since: now,
            }],
            is_partial: false,
            changes_waiting: 214,
            still_in: 0,
            cycles: [
                CycleOutcome::Succeeded,
                CycleOutcome::EntryLevelErrors,
                CycleOutcome::Stopped {
                    reason: QuarantineReason::TooManyDeletes,
                    message: name.to_owned(),
                },
            ]
            .map(|outcome| CycleReport {
                cycle: CycleId::from_bytes([2; 16]),
                ..report(outcome)
            })
            .into(),
        }
    };
    let mut runs = standing("Quillworks Docs");
    runs.running = Some(Running {
        cycle,
        kind: CycleKind::Incremental,
        began: now - jiff::SignedDuration::from_secs(41),
        noted: now,
        progress: Progress {
            phase: Phase::Writing,
            done: 1_418,
            total: 2_086,
        },
    });
    let stopped = |reason, message: &str| {
        let mut standing = standing("Meridian CRM");
        standing.still_in = 9;
        standing.held = 65;
        standing.job.quarantine = Some(Quarantine {
            reason,
            message: message.to_owned(),
            since: now - jiff::SignedDuration::from_hours(58),
            count: 8,
            next_attempt: Some(now + jiff::SignedDuration::from_mins(48)),
        });
        standing
    };
    let mut drifted = standing(HOSTILE);
    drifted.job.drift = Some(DriftReport {
        at: now,
        trouble: None,
        differing: 2,
        first: vec![
            HOSTILE.to_owned(),
            "`ann` is missing in the target".to_owned(),
        ],
    });
    drifted.job.comparison = Some(ComparisonAsked {
        at: now,
        repair: true,
    });
    let mut fresh = standing("Farewell Expenses");
    fresh.application = Application::new(id, "Farewell Expenses".to_owned(), now);
    fresh.job = rollcall_model::JobState::default();
    fresh.has_credential = false;
    fresh.causes.clear();
    (fresh.failing, fresh.in_use) = (0, 0);
    let mut of_file = standing("Depot Display Boards");
    of_file.application.job_file = Some("/etc/rollcall/depot.toml".to_owned());
    let refused = stopped(
        QuarantineReason::CredentialRefused,
        "the target refuses the credential (401): create a new token there and enter it here; it says: Token expired",
    );
    let held = stopped(
        QuarantineReason::TooManyDeletes,
        "65 people or groups would be disabled or deleted, after 0 in the last day, and 50 may be in a day: bring them back, or allow the list 3f9c21ab",
    );
    let mut restored = standing("Ledger & Sons");
    restored.job.restore(Restored {
        backup: now - jiff::SignedDuration::from_hours(9),
        at: now,
    });
    [
        ("application", runs),
        ("application-restored", restored),
        ("application-quarantine", refused),
        ("application-held", held),
        ("application-drift", drifted),
        ("application-fresh", fresh),
        ("application-file", of_file),
    ]
    .into_iter()
    .map(|(name, standing)| {
        let frame = frame(Place::Applications, &standing.application.name);
        let page = view(frame, &standing, &zone);
        (name.to_owned(), page.render().unwrap_or_default())
    })
    .collect()
}
