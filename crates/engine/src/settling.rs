//! Remembers how an object's task ended: the link, what follows from it for others, and the log entry, in one transaction.

use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use rollcall_app::Failure;
use rollcall_model::clock::is_within;
use rollcall_model::link::{Link, LinkState, Setback};
use rollcall_model::provisioning::Departures;
use rollcall_model::{ApplicationId, Kind, Randomness, ResourceId};
use rollcall_store::Writer;
use rollcall_sync::rules::ObjectRules;
use rollcall_sync::source::SourceObject;
use rollcall_sync::task::{Decision, Ending, Extent, REFERENCES_FAILED, Trouble};

use crate::entry::Steps;
use crate::handling::remember;
use crate::survey::DAY;
use crate::work::Work;
use crate::{Error, entry};

/// The shortest and the longest pause between two attempts at an object.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(1);
pub(crate) const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(6);
/// Departures so close together are counted as one entry.
const TOGETHER: SignedDuration = SignedDuration::from_mins(5);

/// Stores a link. When it names another counterpart than before, or none, what is on record of the old one is forgotten. What others
/// have noted on it meanwhile, that its references have to be compared, is kept.
pub(crate) fn save(writer: &mut dyn Writer, mut link: Link) -> Result<(), rollcall_store::Error> {
    let Some(stored) = writer.link(link.application, link.kind, link.object)? else {
        return writer.save_link(&link);
    };
    let is_replaced = stored.target_id.is_some() && stored.target_id != link.target_id;
    if is_replaced {
        forget_counterpart(writer, link.application, link.kind, link.object)?;
    }
    if link.kind == Kind::User && link.is_active() {
        link.waiting |= stored.waiting;
        if !is_replaced {
            link.references = stored.references;
            link.references_unknown = stored.references_unknown;
        }
    }
    writer.save_link(&link)
}

/// Forgets the memberships of a counterpart that is gone, and has the references of those who report to it compared again; returns who
/// they are.
fn forget_counterpart(
    writer: &mut dyn Writer,
    application: ApplicationId,
    kind: Kind,
    object: ResourceId,
) -> Result<Vec<ResourceId>, rollcall_store::Error> {
    writer.forget_exported_member(application, object)?;
    if kind == Kind::Group {
        writer.clear_exported_members(application, object)?;
        return Ok(Vec::new());
    }
    // what they were told is not forgotten: with no counterpart in its place, it has to be taken away; another one, also one that is given
    // the same id, has to be told
    tell_reports(writer, application, object, |link| {
        let refers = link.references.values().any(|one| one.object == object);
        link.references_unknown |= refers;
    })
}

/// Has the references of those who report to a person compared again; returns who they are.
fn tell_reports(
    writer: &mut dyn Writer,
    application: ApplicationId,
    object: ResourceId,
    change: impl Fn(&mut Link),
) -> Result<Vec<ResourceId>, rollcall_store::Error> {
    let mut told = Vec::new();
    for report in writer.reports_of(object)? {
        if let Some(mut link) = writer.link(application, Kind::User, report)? {
            link.waiting = true;
            change(&mut link);
            writer.save_link(&link)?;
            told.push(report);
        }
    }
    Ok(told)
}

/// Counts a departure in the window that the guard looks at.
fn note_departure(
    writer: &mut dyn Writer,
    application: ApplicationId,
    at: Timestamp,
) -> Result<(), rollcall_store::Error> {
    let mut job = writer.job(application)?;
    match job.departures.last_mut() {
        Some(last) if is_within(TOGETHER, last.at, at) => last.count += 1,
        _ => {
            job.departures
                .retain(|departures| is_within(DAY, departures.at, at));
            job.departures.push(Departures { at, count: 1 });
        }
    }
    writer.save_job(application, &job)
}

/// Stores how an object's task ended: the link, what follows from it, and the log entry, together.
pub(crate) async fn finish(
    work: &Arc<Work>,
    object: &SourceObject,
    before: Option<Link>,
    ending: Ending,
    steps: Steps,
    begun: Instant,
) -> Result<(), Error> {
    let Ending { mut link, .. } = ending.clone();
    let now = work.app.now();
    let failed = ending
        .reason
        .as_ref()
        .filter(|_| ending.decision == Decision::Fail);
    if failed.is_some_and(|trouble| trouble.extent == Extent::Target) {
        // no fault of the object: what is on record stays, and it is tried again as soon as the target is back
        return match link {
            Some(link) => remember(work, link).await.map(drop),
            None => Ok(()),
        };
    }
    if let (Some(link), Some(trouble)) = (&mut link, failed) {
        link.failure = Some(setback(link, trouble, now, &**work.app.randomness()));
    }
    work.count(object.kind, ending.decision);
    if let Some(link) = &mut link {
        note_what_follows(work, object, before.as_ref(), link, ending.decision);
    }
    // an object at rest leaves no trace
    if matches!(ending.decision, Decision::Keep | Decision::Skip)
        && link == before
        && link.is_some()
    {
        return Ok(());
    }
    let is_worth_logging = before.is_some() || link.is_some() || object.is_assigned;
    let entry = is_worth_logging.then(|| {
        let target = link.as_ref().or(before.as_ref());
        entry::of_object(work, object, target, &ending, steps, now, begun.elapsed())
    });
    let (application, kind, id) = (work.application, object.kind, object.id);
    // who was allowed to leave is no sign of a mistake
    let is_allowed = before
        .as_ref()
        .is_some_and(|link| link.state == LinkState::Allowed);
    let departs = matches!(ending.decision, Decision::Disable | Decision::Delete) && !is_allowed;
    // also one who was found and switched off at once is somebody's manager
    let had = before.as_ref().and_then(|link| link.target_id.as_ref());
    let has = link.as_ref().and_then(|link| link.target_id.as_ref());
    let is_new = matches!(ending.decision, Decision::Create | Decision::Adopt);
    let arrives = kind == Kind::User && has.is_some() && (is_new || has != had);
    let is_known = before.is_some();
    let outcome = work
        .write(move |writer| {
            let mut told = Vec::new();
            match link {
                Some(link) => save(writer, link)?,
                None if is_known => {
                    told = forget_counterpart(writer, application, kind, id)?;
                    writer.remove_link(application, kind, id)?;
                }
                None => {}
            }
            if departs {
                note_departure(writer, application, now)?;
            }
            if let Some(entry) = &entry {
                writer.append_log(entry)?;
            }
            if arrives {
                return tell_reports(writer, application, id, |_| {});
            }
            Ok(told)
        })
        .await;
    match outcome {
        Ok(told) => {
            for report in told {
                work.note_references(report);
            }
            Ok(())
        }
        // another object has the same counterpart: this one is looked at again when its value has changed
        Err(Error::Failed(Failure::Taken { .. })) => {
            tracing::warn!(%id, "two objects of the source have the same counterpart");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Notes what has to be done after all objects were handled: references of a person, all members of a new group.
fn note_what_follows(
    work: &Work,
    object: &SourceObject,
    before: Option<&Link>,
    link: &mut Link,
    decision: Decision,
) {
    if !link.is_active() {
        return;
    }
    let rules = work.rules.of(object.kind);
    // a target may give a new counterpart the id of the old one
    let is_new = matches!(decision, Decision::Create | Decision::Adopt);
    let was_there = !is_new && before.is_some_and(Link::is_active);
    let sends_others = match object.kind {
        Kind::User => !rules.references.is_empty(),
        Kind::Group => rules.members,
    };
    if !sends_others {
        link.waiting = false;
        link.failure = without_references(link.failure.take());
        return;
    }
    match object.kind {
        // remembered on disk: a cycle that is killed before it comes to the members must not forget them
        Kind::Group if rules.members && !was_there => {
            link.waiting = true;
            // of one that was there already nobody knows whom it holds
            link.members_unknown |= decision == Decision::Adopt;
        }
        Kind::Group => {}
        Kind::User => {
            if link.waiting || !agrees_on_references(rules, object, link) {
                work.note_references(object.id);
            }
        }
    }
}

pub(crate) fn agrees_on_references(
    rules: &ObjectRules,
    object: &SourceObject,
    link: &Link,
) -> bool {
    !link.references_unknown
        && rules.references.iter().all(|(path, attribute)| {
            let wanted = object
                .reference(attribute)
                .map(|reference| reference.object);
            let exported = link.references.get(&path.to_string());
            wanted == exported.map(|reference| reference.object)
        })
}

/// Returns what is left of a failure once references and members are well.
pub(crate) fn without_references(failure: Option<Setback>) -> Option<Setback> {
    failure.filter(|failure| failure.code != REFERENCES_FAILED)
}

/// Returns a failure's record. The pauses grow, and are drawn at random up to their length (full jitter), so that objects which failed
/// together do not all come back together; what the target asked for is never undercut.
pub(crate) fn setback(
    link: &Link,
    trouble: &Trouble,
    now: Timestamp,
    randomness: &dyn Randomness,
) -> Setback {
    let before = link.failure.as_ref();
    let count = before.map_or(0, |failure| failure.count).saturating_add(1);
    let first = if trouble.may_pass {
        FIRST_PAUSE
    } else {
        FIRST_PAUSE * 30
    };
    let longest = first
        .checked_mul(1_i32.checked_shl(count.min(12) - 1).unwrap_or(1))
        .map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE));
    let mut drawn = [0; 4];
    randomness.fill(&mut drawn);
    let share = i64::from(u32::from_be_bytes(drawn) >> 16);
    let drawn = SignedDuration::from_millis(longest.as_secs() * share * 1_000 / (1 << 16));
    let asked = trouble
        .retry_after
        .and_then(|asked| SignedDuration::try_from(asked).ok());
    let pause = asked.map_or(drawn, |asked| asked.max(drawn).min(LONGEST_PAUSE));
    Setback {
        count,
        since: before.map_or(now, |failure| failure.since),
        code: trouble.code.clone(),
        next_attempt: now.saturating_add(pause).unwrap_or(now),
    }
}
