//! Brings single objects to the target: takes the steps that a task asks for, and remembers how it ended.

use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use rollcall_model::link::{Link, LinkState, Setback};
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
use crate::survey::{Candidates, Survey};
use crate::work::{PAGE, WIDTH, Work, each};
use crate::{Error, entry};

/// The shortest and the longest pause between two attempts at an object.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(1);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(6);

/// Handles who leaves the target.
pub(crate) async fn leave(work: &Arc<Work>, survey: &Survey) -> Result<(), Error> {
    let ids: Vec<_> = survey.leaving.iter().copied().collect();
    each(work, ids, WIDTH, |work, (kind, id)| async move {
        let known = one(&work, kind, id).await?;
        bring(&work, known).await
    })
    .await
}

/// Holds back who would leave.
pub(crate) async fn hold(work: &Arc<Work>, survey: &Survey) -> Result<(), Error> {
    let ids: Vec<_> = survey.leaving.iter().copied().collect();
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
            bring(&work, known).await?;
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
    let now = work.app.now();
    let link = known
        .link
        .clone()
        .unwrap_or_else(|| Link::new(work.application, object.kind, object.id, now));
    let surroundings = Surroundings {
        now,
        randomness: &**work.app.randomness(),
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

/// Takes the steps of an object's task.
async fn bring(work: &Arc<Work>, known: Known) -> Result<(), Error> {
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
                let answer = work.target.write(kind, &write).await;
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
    let taken = |what: &str| {
        let message = format!(
            "another object of the source has the same {what}: make the matching value unique at the source"
        );
        Trouble::of_object("DuplicateSourceEntries", message, false)
    };
    if let LinkState::Creating(intent) = &link.state
        && link.target_id.is_none()
    {
        let place = format!("{} {}", intent.attribute, canonical(&intent.value));
        if !work.claims(link.kind, place, link.object) {
            return Ok(Answer::Failed(taken(&intent.attribute)));
        }
    }
    let saved = work
        .tenant
        .write::<_, rollcall_store::Error, _>(move |writer| {
            if link.target_id.is_none() {
                forget_counterpart(writer, link.application, link.kind, link.object)?;
            }
            writer.save_link(&link)
        })
        .await;
    match saved {
        Ok(()) => Ok(Answer::Remembered),
        Err(rollcall_store::Error::Taken { .. }) => Ok(Answer::Failed(taken("counterpart"))),
        Err(error) => Err(error.into()),
    }
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

/// Forgets what is on record of a counterpart that is gone: its memberships, and that those who report to it were told.
fn forget_counterpart(
    writer: &mut dyn Writer,
    application: ApplicationId,
    kind: Kind,
    object: ResourceId,
) -> Result<(), rollcall_store::Error> {
    let known = writer.link(application, kind, object)?;
    if known.is_none_or(|link| link.target_id.is_none()) {
        return Ok(());
    }
    writer.forget_exported_member(application, object)?;
    if kind == Kind::Group {
        return writer.clear_exported_members(application, object);
    }
    for report in writer.reports_of(object)? {
        if let Some(mut link) = writer.link(application, Kind::User, report)? {
            link.waiting = true;
            link.references.clear();
            writer.save_link(&link)?;
        }
    }
    Ok(())
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
    if ending.decision == Decision::Keep && link == before {
        return Ok(());
    }
    let is_worth_logging = before.is_some() || link.is_some() || object.is_assigned;
    let entry = is_worth_logging.then(|| {
        let target = link.as_ref().or(before.as_ref());
        entry::of_object(work, object, target, &ending, steps, now, begun.elapsed())
    });
    let (application, kind, id) = (work.application, object.kind, object.id);
    let is_known = before.is_some();
    let was = before.and_then(|link| link.target_id);
    let is_other = was.is_some() && was != link.as_ref().and_then(|link| link.target_id.clone());
    let outcome = work
        .tenant
        .write::<_, rollcall_store::Error, _>(move |writer| {
            if is_other {
                forget_counterpart(writer, application, kind, id)?;
            }
            match &link {
                Some(link) => writer.save_link(link)?,
                None if is_known => writer.remove_link(application, kind, id)?,
                None => {}
            }
            if let Some(entry) = &entry {
                writer.append_log(entry)?;
            }
            Ok(())
        })
        .await;
    match outcome {
        Ok(()) => Ok(()),
        // another object has the same counterpart: this one is looked at again when its value has changed
        Err(rollcall_store::Error::Taken { .. }) => {
            tracing::warn!(%id, "two objects of the source have the same counterpart");
            Ok(())
        }
        Err(error) => Err(error.into()),
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
        Kind::Group if rules.members && !was_there => link.waiting = true,
        Kind::Group => {}
        Kind::User => {
            if link.waiting || !agrees_on_references(rules, object, link) {
                work.note_references(object.id);
            }
        }
    }
}

fn agrees_on_references(rules: &ObjectRules, object: &SourceObject, link: &Link) -> bool {
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
