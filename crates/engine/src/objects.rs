//! Brings single objects to the target: takes the steps that a task asks for, and remembers how it ended.

use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use rollcall_app::Failure;
use rollcall_model::link::{Link, LinkState, Setback};
use rollcall_model::provisioning::Departures;
use rollcall_model::{ApplicationId, Kind, ResourceId};
use rollcall_scim::key::canonical;
use rollcall_store::Writer;
use rollcall_sync::rules::ObjectRules;
use rollcall_sync::source::SourceObject;
use rollcall_sync::task::{
    Answer, Decision, Ending, Extent, REFERENCES_FAILED, Step, Task, Trouble,
};
use rollcall_sync::wish::Surroundings;

use crate::directory::{self, Known};
use crate::entry::Steps;
use crate::survey::{Candidates, DAY, Survey};
use crate::work::{PAGE, WIDTH, Work, each};
use crate::{Error, entry};

/// The shortest and the longest pause between two attempts at an object.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(1);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(6);
/// Departures so close together are counted as one entry.
const TOGETHER: SignedDuration = SignedDuration::from_mins(5);

/// Handles who leaves the target.
pub(crate) async fn leave(work: &Arc<Work>, survey: &Survey) -> Result<(), Error> {
    let ids: Vec<_> = survey.leaving.iter().copied().collect();
    each(work, ids, WIDTH, |work, (kind, id)| async move {
        let known = one(&work, kind, id).await?;
        bring_in_turn(&work, known).await
    })
    .await
}

/// Holds back who would leave.
pub(crate) async fn hold(work: &Arc<Work>, survey: &Survey) -> Result<(), Error> {
    let ids: Vec<_> = survey.held.iter().copied().collect();
    each(work, ids, WIDTH, |work, (kind, id)| async move {
        let known = one(&work, kind, id).await?;
        let begun = Instant::now();
        let before = known.link.clone();
        if before
            .as_ref()
            .is_some_and(|link| link.state == LinkState::Held)
        {
            work.count(kind, Decision::Hold);
            return Ok(());
        }
        let ending = begin(&work, &known).hold();
        finish(
            &work,
            &known.object,
            before,
            ending,
            Steps::default(),
            begun,
        )
        .await
    })
    .await
}

/// Handles all candidates of a kind, other than those who leave.
pub(crate) async fn bring_all(work: &Arc<Work>, survey: &Survey, kind: Kind) -> Result<(), Error> {
    let mut after = None;
    while let Some(page) = next_page(work, &survey.candidates, kind, &mut after).await? {
        let read = page.len() as u64;
        let of_interest = page.into_iter().filter(|known| {
            // who began to leave after the count is in the feed of the next cycle, where the guard counts him
            let leaves = known.link.as_ref().is_some_and(|link| {
                work.entitlement(&known.object)
                    .takes_away(work.rules.of(kind), link)
            });
            if leaves || survey.leaving.contains(&known.object.key()) {
                return false;
            }
            // most objects of a large directory are not assigned: nothing is remembered of them, nothing is done
            let is_foreign = known.link.is_none() && !is_entitled(work, &known.object);
            if is_foreign {
                work.count(kind, Decision::Skip);
            }
            !is_foreign
        });
        let of_interest: Vec<Known> = of_interest.collect();
        work.advance(read - of_interest.len() as u64);
        each(work, of_interest, WIDTH, |work, known| async move {
            bring_in_turn(&work, known).await?;
            work.advance(1);
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Reads the next page of candidates; none: there are no more.
pub(crate) async fn next_page(
    work: &Arc<Work>,
    candidates: &Candidates,
    kind: Kind,
    after: &mut Option<ResourceId>,
) -> Result<Option<Vec<Known>>, Error> {
    let from = *after;
    let chosen: Option<Vec<ResourceId>> = candidates.of(kind).map(|ids| {
        let rest = ids.iter().filter(|id| from.is_none_or(|from| **id > from));
        rest.take(usize::try_from(PAGE).unwrap_or(usize::MAX))
            .copied()
            .collect()
    });
    let inner = Arc::clone(work);
    let page = work
        .tenant
        .read::<_, Error, _>(move |reader| {
            let (application, assigned) = (inner.application, &inner.assigned);
            match chosen {
                None => Ok(directory::page(reader, application, assigned, kind, from)?),
                Some(ids) => ids
                    .into_iter()
                    .map(|id| Ok(directory::known(reader, application, assigned, kind, id)?))
                    .collect(),
            }
        })
        .await?;
    let Some(last) = page.last() else {
        return Ok(None);
    };
    *after = Some(last.object.id);
    Ok(Some(page))
}

fn is_entitled(work: &Work, object: &SourceObject) -> bool {
    work.entitlement(object) == rollcall_sync::task::Entitlement::Entitled
}

/// Reads an object with what is remembered of it.
pub(crate) async fn one(work: &Arc<Work>, kind: Kind, id: ResourceId) -> Result<Known, Error> {
    let inner = Arc::clone(work);
    work.tenant
        .read(move |reader| {
            Ok(directory::known(
                reader,
                inner.application,
                &inner.assigned,
                kind,
                id,
            )?)
        })
        .await
}

/// Begins the task of an object.
pub(crate) fn begin<'w>(work: &'w Work, known: &'w Known) -> Task<'w> {
    let object = &known.object;
    let now = if work.is_planned {
        work.at
    } else {
        work.app.now()
    };
    let link = known
        .link
        .clone()
        .unwrap_or_else(|| Link::new(work.application, object.kind, object.id, now));
    let derived = work.is_planned.then(|| {
        let label = [object.id.as_bytes().as_slice(), now.to_string().as_bytes()].concat();
        work.app.sealer().derived(label)
    });
    let surroundings = Surroundings {
        now,
        randomness: match &derived {
            Some(derived) => derived,
            None => &**work.app.randomness(),
        },
    };
    let entitlement = work.entitlement(object);
    Task::new(
        work.rules.of(object.kind),
        object,
        link,
        entitlement,
        &surroundings,
    )
}

/// Handles an object, unless it was overtaken.
async fn bring_in_turn(work: &Arc<Work>, known: Known) -> Result<(), Error> {
    let key = known.object.key();
    if !work.takes_up(key) {
        return Ok(());
    }
    let outcome = bring(work, known).await;
    work.lets_go(key);
    outcome
}

/// Takes the steps of an object's task.
pub(crate) async fn bring(work: &Arc<Work>, known: Known) -> Result<(), Error> {
    let begun = Instant::now();
    let kind = known.object.kind;
    let mut steps = Steps::default();
    let mut task = begin(work, &known);
    let mut was_asked = false;
    let ending = loop {
        let step = task.step();
        was_asked |= !matches!(step, Step::Remember(_) | Step::End(_));
        match step {
            Step::Find { attribute, value } => {
                let answer = find(work, &known.object, &attribute, &value).await?;
                steps.matched(&attribute, &value, &answer);
                task.answer(answer);
            }
            Step::Get { id } => {
                let answer = work.target.get(kind, &id).await;
                steps.read(&answer);
                task.answer(answer);
            }
            Step::Remember(link) => task.answer(remember(work, *link).await?),
            Step::Write(write) => {
                let answer = work.send(kind, known.object.id, &write).await;
                steps.wrote(&write, &answer);
                task.answer(own(work, &known.object, answer).await?);
            }
            Step::End(ending) => break *ending,
        }
    };
    let trouble = ending
        .reason
        .as_ref()
        .filter(|_| ending.decision == Decision::Fail);
    if was_asked {
        work.note(trouble);
    }
    finish(work, &known.object, known.link, ending, steps, begun).await
}

/// Remembers a link before the target is written to. Who has no counterpart yet is in no group of the target, and has no members
/// there: what is on record of a lost counterpart goes with the same commit.
async fn remember(work: &Arc<Work>, link: Link) -> Result<Answer, Error> {
    if let Some(trouble) = claim(work, &link) {
        return Ok(Answer::Failed(trouble));
    }
    let saved = work.write(move |writer| save(writer, link)).await;
    match saved {
        Ok(()) => Ok(Answer::Remembered),
        Err(Error::Failed(Failure::Taken { .. })) => Ok(Answer::Failed(taken("counterpart"))),
        Err(error) => Err(error),
    }
}

/// Claims the value by which an object is about to be created; another object of this cycle may have it.
pub(crate) fn claim(work: &Work, link: &Link) -> Option<Trouble> {
    let LinkState::Creating(intent) = &link.state else {
        return None;
    };
    let place = format!("{} {}", intent.attribute, canonical(&intent.value));
    let is_free = link.target_id.is_some() || work.claims(link.kind, place, link.object);
    (!is_free).then(|| taken(&intent.attribute))
}

fn taken(what: &str) -> Trouble {
    let message = format!(
        "another object of the source has the same {what}: make the matching value unique at the source"
    );
    Trouble::of_object("DuplicateSourceEntries", message, false)
}

/// Stores a link. When it names another counterpart than before, or none, what is on record of the old one is forgotten. What others
/// have noted on it meanwhile, that its references have to be compared, is kept.
fn save(writer: &mut dyn Writer, mut link: Link) -> Result<(), rollcall_store::Error> {
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
        }
    }
    writer.save_link(&link)
}

/// Makes sure that what was created is not another object's counterpart: some targets answer a creation with what was there.
async fn own(work: &Work, object: &SourceObject, answer: Answer) -> Result<Answer, Error> {
    match &answer {
        Answer::Created(id) if !is_free(work, object, id.clone()).await? => {
            let message = "the target answered the creation with the account of another person";
            let trouble = Trouble::of_object("DuplicateTargetEntries", message, false);
            Ok(Answer::Failed(trouble))
        }
        _ => Ok(answer),
    }
}

/// Looks an object up, and makes sure that what is found is not another object's counterpart.
pub(crate) async fn find(
    work: &Work,
    object: &SourceObject,
    attribute: &str,
    value: &str,
) -> Result<Answer, Error> {
    let answer = work.target.find(object.kind, attribute, value).await;
    let Answer::Found(found) = &answer else {
        return Ok(answer);
    };
    let only = match found.as_slice() {
        [only] => only.get("id").and_then(serde_json::Value::as_str),
        _ => None,
    };
    match only {
        Some(id) if !is_free(work, object, id.to_owned()).await? => {
            Ok(Answer::TakenByAnother(format!(
                "another object of the source is linked to the one whose `{attribute}` is `{value}`: make the value unique at the source"
            )))
        }
        _ => Ok(answer),
    }
}

/// Tells whether a resource of the target is this object's counterpart, or nobody's; it is this object's from now on.
async fn is_free(work: &Work, object: &SourceObject, target_id: String) -> Result<bool, Error> {
    let (kind, id) = object.key();
    if !work.claims(kind, format!("id {target_id}"), id) {
        return Ok(false);
    }
    let application = work.application;
    let linked = work
        .tenant
        .read::<_, Error, _>(move |reader| Ok(reader.linked_to(application, kind, &target_id)?))
        .await?;
    Ok(linked.is_none_or(|linked| linked == id))
}

/// Forgets the memberships of a counterpart that is gone, and that those who report to it were told.
fn forget_counterpart(
    writer: &mut dyn Writer,
    application: ApplicationId,
    kind: Kind,
    object: ResourceId,
) -> Result<(), rollcall_store::Error> {
    writer.forget_exported_member(application, object)?;
    if kind == Kind::Group {
        return writer.clear_exported_members(application, object);
    }
    tell_reports(writer, application, object, |link| link.references.clear()).map(drop)
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
        Some(last) if at.duration_since(last.at) < TOGETHER => last.count += 1,
        _ => {
            job.departures
                .retain(|departures| at.duration_since(departures.at) < DAY);
            job.departures.push(Departures { at, count: 1 });
        }
    }
    writer.save_job(application, &job)
}

/// Stores how an object's task ended: the link, what follows from it, and the log entry, together.
async fn finish(
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
        link.failure = Some(setback(link, trouble, now));
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
    let arrives =
        kind == Kind::User && matches!(ending.decision, Decision::Create | Decision::Adopt);
    let is_known = before.is_some();
    let outcome = work
        .write(move |writer| {
            match link {
                Some(link) => save(writer, link)?,
                None if is_known => {
                    forget_counterpart(writer, application, kind, id)?;
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
            Ok(Vec::new())
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
    rules.references.iter().all(|(path, attribute)| {
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

/// Returns a failure's record: the pauses grow.
pub(crate) fn setback(link: &Link, trouble: &Trouble, now: Timestamp) -> Setback {
    let before = link.failure.as_ref();
    let count = before.map_or(0, |failure| failure.count).saturating_add(1);
    let first = if trouble.may_pass {
        FIRST_PAUSE
    } else {
        FIRST_PAUSE * 30
    };
    let pause = first
        .checked_mul(1_i32.checked_shl(count.min(12) - 1).unwrap_or(1))
        .map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE));
    Setback {
        count,
        since: before.map_or(now, |failure| failure.since),
        code: trouble.code.clone(),
        next_attempt: now.saturating_add(pause).unwrap_or(now),
    }
}
