//! Brings one object to the target: takes the steps that its task asks for.

use std::sync::Arc;
use std::time::Instant;

use rollcall_app::Failure;
use rollcall_connect::pace::Urgency;
use rollcall_model::link::{Link, LinkState};
use rollcall_scim::key::canonical;
use rollcall_sync::request::Request;
use rollcall_sync::source::SourceObject;
use rollcall_sync::task::{Answer, Decision, Ending, Entitlement, Step, Task, Trouble};
use rollcall_sync::wish::Surroundings;

use crate::Error;
use crate::directory::Known;
use crate::entry::Steps;
use crate::settling::{finish, save};
use crate::work::Work;

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

/// Brings an object, and remembers how that ended.
pub(crate) async fn bring(work: &Arc<Work>, known: Known) -> Result<(), Error> {
    let begun = Instant::now();
    let (ending, steps) = take_steps(work, &known).await?;
    finish(work, &known.object, known.link, ending, steps, begun).await
}

/// Takes the steps of an object's task.
pub(crate) async fn take_steps(work: &Arc<Work>, known: &Known) -> Result<(Ending, Steps), Error> {
    let kind = known.object.kind;
    let mut steps = Steps::default();
    let target = match work.entitlement(&known.object) {
        Entitlement::Entitled => work.target.clone(),
        // who has to go does not queue behind those who come
        _ => work.target.with_urgency(Urgency::Urgent),
    };
    let mut task = begin(work, known);
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
                let answer = target.get(kind, &id).await;
                steps.read(&answer);
                task.answer(answer);
            }
            Step::Remember(link) => task.answer(remember(work, *link).await?),
            Step::Write(write) => {
                let answer = work.send(kind, known.object.id, &write).await?;
                let shown = work.rules.of(kind).redacted(&write);
                steps.wrote(Request::of(kind, &shown), &answer);
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
    Ok((ending, steps))
}

/// Remembers a link before the target is written to. Who has no counterpart yet is in no group of the target, and has no members
/// there: what is on record of a lost counterpart goes with the same commit.
pub(crate) async fn remember(work: &Arc<Work>, link: Link) -> Result<Answer, Error> {
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
        .glance::<_, Error, _>(move |reader| Ok(reader.linked_to(application, kind, &target_id)?))
        .await?;
    Ok(linked.is_none_or(|linked| linked == id))
}
