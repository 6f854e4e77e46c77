//! How an application's provisioning stands, read at one instant, and its log.
//!
//! **Is not:** a credential: whether there is one is told, not which.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rollcall_model::clock::is_within;
use rollcall_model::link::Setback;
use rollcall_model::provisioning::{CycleReport, LogStatus, NOTE_LASTS, ObjectKey, Running};
use rollcall_model::{Application, ApplicationId, JobState, Kind, LinkState, LogEntry, ResourceId};

use rollcall_store::Reader;

use crate::applications::missing;
use crate::directory::Context;
use crate::principals::name;
use crate::{App, Failure};

/// How many links or log entries are read at once.
const PAGE: u64 = 1_000;
/// How many links that wait a page looks at.
const LOOKED_AT: u64 = 2_000;
/// How many names a cause is told with.
const NAMED: usize = 5;
/// How many failures are told; all are counted.
const TOLD: usize = 20;

/// How an application stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// The application.
    pub application: Application,
    /// Whether a credential for its target was entered.
    pub has_credential: bool,
    /// What its job remembers: the last cycle, the quarantine, the target's profile, drift.
    pub job: JobState,
    /// How many people and groups are assigned.
    pub assigned: u64,
    /// How many people and groups are in use in the target.
    pub in_use: u64,
    /// How many are held back by the deletion guard.
    pub held: u64,
    /// How many failed and wait for another attempt.
    pub failing: u64,
    /// The first of those that failed.
    pub failures: Vec<Failing>,
}

/// A person or group that failed and waits for another attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Whether it is a person or a group.
    pub kind: Kind,
    /// Its id.
    pub object: ResourceId,
    /// Its userName or displayName; absent: it is gone, and was never provisioned.
    pub name: Option<String>,
    /// What went wrong last.
    pub failure: Setback,
}

/// How an application stands, as a page shows it: bounded, however many objects wait.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The application.
    pub application: Application,
    /// Whether a credential for its target was entered.
    pub has_credential: bool,
    /// What its job remembers.
    pub job: JobState,
    /// The cycle that is running, if one is.
    pub running: Option<Running>,
    /// How many people are assigned directly.
    pub assigned_people: u64,
    /// How many groups are assigned.
    pub assigned_groups: u64,
    /// How many people and groups are in use in the target.
    pub in_use: u64,
    /// How many of those that were looked at are held back by the deletion guard.
    pub held: u64,
    /// How many of those that were looked at failed and wait for another attempt.
    pub failing: u64,
    /// What they failed of, most frequent first.
    pub causes: Vec<Cause>,
    /// Whether more wait than were looked at: then the numbers are too low.
    pub is_partial: bool,
    /// How many changes of the directory no complete cycle has seen.
    pub changes_waiting: u64,
    /// How many people who were disabled or deleted in these changes are still in use in the target, while a job is in quarantine.
    pub still_in: u64,
    /// The latest cycles that did or met something, latest first.
    pub cycles: Vec<CycleReport>,
}

/// Why objects failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The error code of the provisioning log.
    pub code: String,
    /// How many.
    pub count: u64,
    /// The first of them by name.
    pub first: Vec<String>,
    /// Since when the first of them fails.
    pub since: Timestamp,
}

/// An application in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The application.
    pub application: Application,
    /// What its job remembers.
    pub job: JobState,
    /// The cycle that is running, if one is.
    pub running: Option<Running>,
    /// How many people and groups are in use in the target.
    pub in_use: u64,
}

/// What the form *Provisioning* tells beside the application itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetUp {
    /// Whether a credential is stored.
    pub has_credential: bool,
    /// How many people are assigned directly.
    pub assigned_people: u64,
    /// How many groups are assigned.
    pub assigned_groups: u64,
    /// How many people the directory has.
    pub people: u64,
    /// How many groups it has.
    pub groups: u64,
}

/// Returns the cycle that is noted to be running, unless the note is so old that it has died.
fn alive(running: Option<Running>, now: Timestamp) -> Option<Running> {
    running.filter(|running| is_within(NOTE_LASTS, running.noted, now))
}

/// Which entries of the provisioning log are wanted.
#[derive(Debug, Clone, Copy)]
pub struct LogQuery {
    /// How many at most.
    pub count: u64,
    /// Whether only failures are.
    pub failed_only: bool,
    /// About whom; absent: about everybody.
    pub of: Option<ObjectKey>,
}

/// How many cycles a page shows.
const CYCLES: u64 = 10;

impl App {
    /// Lists an organisation's applications with how each stands, in order of creation.
    pub async fn applications_listed(&self, context: &Context) -> Result<Vec<Listed>, Failure> {
        let now = self.now();
        context
            .tenant()
            .read(move |reader| {
                let applications = reader.applications()?.into_iter();
                applications
                    .map(|application| listed(reader, application, now))
                    .collect()
            })
            .await
    }

    /// Returns an application as a list shows it.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn application_listed(
        &self,
        context: &Context,
        id: ApplicationId,
    ) -> Result<Listed, Failure> {
        let now = self.now();
        context
            .tenant()
            .read(move |reader| {
                let application = reader.application(id)?.ok_or_else(|| missing(id))?;
                listed(reader, application, now)
            })
            .await
    }

    /// Returns what the form *Provisioning* tells beside the application itself.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn set_up_of(&self, context: &Context, id: ApplicationId) -> Result<SetUp, Failure> {
        context
            .tenant()
            .read(move |reader| {
                reader.application(id)?.ok_or_else(|| missing(id))?;
                let assignments = reader.assignments(id)?;
                let groups = assignments.iter().filter(|one| one.kind == Kind::Group);
                let assigned_groups = groups.count() as u64;
                let counts = reader.counts()?;
                Ok(SetUp {
                    has_credential: reader.sealed_secret(id)?.is_some(),
                    assigned_people: assignments.len() as u64 - assigned_groups,
                    assigned_groups,
                    people: counts.users,
                    groups: counts.groups,
                })
            })
            .await
    }

    /// Returns how an application stands, for a page.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn standing(
        &self,
        context: &Context,
        id: ApplicationId,
    ) -> Result<Standing, Failure> {
        let now = self.now();
        context
            .tenant()
            .read(move |reader| {
                let application = reader.application(id)?.ok_or_else(|| missing(id))?;
                let assignments = reader.assignments(id)?;
                let groups = assignments.iter().filter(|one| one.kind == Kind::Group);
                let assigned_groups = groups.count() as u64;
                let job = reader.job(id)?;
                let read_up_to = job.watermark.unwrap_or_default();
                let mut standing = Standing {
                    application,
                    has_credential: reader.sealed_secret(id)?.is_some(),
                    running: alive(reader.progress(id)?, now),
                    assigned_people: assignments.len() as u64 - assigned_groups,
                    assigned_groups,
                    in_use: reader.in_use(id)?,
                    held: 0,
                    failing: 0,
                    causes: Vec::new(),
                    is_partial: false,
                    changes_waiting: reader.last_change()?.saturating_sub(read_up_to),
                    still_in: 0,
                    cycles: reader.cycles(id, CYCLES)?,
                    job,
                };
                if standing.job.quarantine.is_some() && standing.job.watermark.is_some() {
                    standing.still_in = still_in(reader, id, read_up_to)?;
                }
                for kind in [Kind::User, Kind::Group] {
                    let links = reader.links_needing_attention(id, kind, None, LOOKED_AT)?;
                    standing.is_partial |= links.len() as u64 == LOOKED_AT;
                    for link in links {
                        standing.held += u64::from(link.state == LinkState::Held);
                        let Some(failure) = link.failure else {
                            continue;
                        };
                        standing.failing += 1;
                        let name = link.name.unwrap_or_else(|| link.object.to_string());
                        note_cause(&mut standing.causes, failure, name);
                    }
                }
                standing
                    .causes
                    .sort_by_key(|cause| std::cmp::Reverse(cause.count));
                Ok(standing)
            })
            .await
    }

    /// Returns how an application stands.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn overview(
        &self,
        context: &Context,
        id: ApplicationId,
    ) -> Result<Overview, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let mut overview = Overview {
                    application: reader.application(id)?.ok_or_else(|| missing(id))?,
                    has_credential: reader.sealed_secret(id)?.is_some(),
                    job: reader.job(id)?,
                    assigned: reader.assignments(id)?.len() as u64,
                    in_use: reader.in_use(id)?,
                    held: 0,
                    failing: 0,
                    failures: Vec::new(),
                };
                for kind in [Kind::User, Kind::Group] {
                    let mut after: Option<ResourceId> = None;
                    loop {
                        let links = reader.links_needing_attention(id, kind, after, PAGE)?;
                        let Some(last) = links.last() else { break };
                        after = Some(last.object);
                        for link in links {
                            overview.held += u64::from(link.state == LinkState::Held);
                            let Some(failure) = link.failure else {
                                continue;
                            };
                            overview.failing += 1;
                            if overview.failures.len() < TOLD {
                                overview.failures.push(Failing {
                                    kind,
                                    object: link.object,
                                    name: name(reader, kind, link.object)?.or(link.name),
                                    failure,
                                });
                            }
                        }
                    }
                }
                Ok(overview)
            })
            .await
    }

    /// Returns entries of an application's provisioning log, latest first.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application.
    pub async fn provisioning_log(
        &self,
        context: &Context,
        id: ApplicationId,
        query: LogQuery,
    ) -> Result<Vec<LogEntry>, Failure> {
        context
            .tenant()
            .read(move |reader| {
                reader.application(id)?.ok_or_else(|| missing(id))?;
                let is_wanted =
                    |entry: &LogEntry| !query.failed_only || entry.status == LogStatus::Failure;
                let count = usize::try_from(query.count).unwrap_or(usize::MAX);
                if let Some((kind, object)) = query.of {
                    // the log of one object is short, but for one that fails all the time
                    let all = if query.failed_only {
                        u64::MAX >> 1
                    } else {
                        query.count
                    };
                    let entries = reader.object_log(id, kind, object, all)?;
                    return Ok(entries.into_iter().filter(is_wanted).take(count).collect());
                }
                let (mut found, mut before) = (Vec::new(), None);
                while found.len() < count {
                    let page = reader.provisioning_log(id, before, PAGE)?;
                    let Some((place, _)) = page.last() else { break };
                    before = Some(*place);
                    let wanted = page.into_iter().map(|(_, entry)| entry).filter(is_wanted);
                    found.extend(wanted.take(count - found.len()));
                }
                Ok(found)
            })
            .await
    }
}

/// Counts the people who were disabled or deleted since a place in the change feed, and whose counterparts are in use.
fn still_in(
    reader: &dyn Reader,
    id: ApplicationId,
    read_up_to: u64,
) -> Result<u64, rollcall_store::Error> {
    let changes = reader.touched(read_up_to, LOOKED_AT)?;
    let people: BTreeSet<ResourceId> = changes
        .iter()
        .filter(|change| change.kind == Kind::User)
        .map(|change| change.id)
        .collect();
    let mut count = 0;
    for person in people {
        let entry = reader.entry(Kind::User, person)?;
        let may_sign_in = entry.is_some_and(|entry| entry.resource.is_active());
        let link = reader.link(id, Kind::User, person)?;
        if !may_sign_in && link.is_some_and(|link| link.is_in_use()) {
            count += 1;
        }
    }
    Ok(count)
}

fn listed(
    reader: &dyn Reader,
    application: Application,
    now: Timestamp,
) -> Result<Listed, Failure> {
    let id = application.id;
    Ok(Listed {
        job: reader.job(id)?,
        running: alive(reader.progress(id)?, now),
        in_use: reader.in_use(id)?,
        application,
    })
}

fn note_cause(causes: &mut Vec<Cause>, failure: Setback, name: String) {
    let known = causes.iter_mut().find(|cause| cause.code == failure.code);
    let Some(cause) = known else {
        causes.push(Cause {
            code: failure.code,
            count: 1,
            first: vec![name],
            since: failure.since,
        });
        return;
    };
    cause.count += 1;
    cause.since = cause.since.min(failure.since);
    if cause.first.len() < NAMED {
        cause.first.push(name);
    }
}
