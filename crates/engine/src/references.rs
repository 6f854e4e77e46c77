//! References to other objects, such as the manager: a pass of their own, when both ends exist in the target.

use std::sync::Arc;
use std::time::Instant;

use rollcall_model::link::{Link, Reference};
use rollcall_model::provisioning::{ModifiedProperty, Phase};
use rollcall_model::{Kind, ResourceId};
use rollcall_store::Reader;
use rollcall_sync::source::SourceObject;
use rollcall_sync::task::{Answer, Extent, REFERENCES_FAILED, Trouble, Write, reference_patch};
use serde_json::Value;

use crate::directory::{self, Known};
use crate::outlook::{AsLinked, Outlook};
use crate::settling::{setback, without_references};
use crate::work::{WIDTH, Work, each};
use crate::{Error, entry};

/// Brings the references of all people who were noted for it.
pub(crate) async fn bring_all(work: &Arc<Work>) -> Result<(), Error> {
    let people = work.take_references();
    work.begin(Phase::References, people.len() as u64);
    each(work, people, WIDTH, |work, id| async move {
        bring(&work, id).await?;
        work.advance(1);
        Ok(())
    })
    .await
}

/// A source attribute, the object to which it points, and the target's id of that object.
pub(crate) type Counterpart = (&'static str, ResourceId, Option<String>);

/// What has to be sent, and what is to be remembered once it was.
pub(crate) struct Wanted {
    pub(crate) operations: Vec<Value>,
    properties: Vec<ModifiedProperty>,
    link: Link,
}

async fn bring(work: &Arc<Work>, id: ResourceId) -> Result<(), Error> {
    // who was overtaken has left
    if !work.takes_up((Kind::User, id)) {
        return Ok(());
    }
    let outcome = bring_now(work, id).await;
    work.lets_go((Kind::User, id));
    outcome
}

async fn bring_now(work: &Arc<Work>, id: ResourceId) -> Result<(), Error> {
    let begun = Instant::now();
    let (known, counterparts) = read(work, id).await?;
    let Known {
        object,
        link: Some(link),
    } = known
    else {
        return Ok(());
    };
    let Some(target_id) = link.target_id.clone().filter(|_| link.is_active()) else {
        return Ok(());
    };
    let wanted = wanted(work, link.clone(), &counterparts);
    let was_asked = !wanted.operations.is_empty();
    let answer = if was_asked {
        mark(work, &link).await?;
        let write = Write::Patch {
            id: target_id,
            operations: wanted.operations,
        };
        work.send(Kind::User, id, &write).await?
    } else {
        Answer::Done
    };
    let is_lost = answer == Answer::Missing;
    let trouble = trouble_of(answer);
    if was_asked {
        work.note(trouble.as_ref());
    }
    if trouble
        .as_ref()
        .is_some_and(|trouble| trouble.extent == Extent::Target)
    {
        return Ok(());
    }
    work.count_with(|tally| {
        tally.references += u64::from(was_asked && trouble.is_none());
        tally.references_failed += u64::from(trouble.is_some());
    });
    let changed = match &trouble {
        None => Link {
            failure: without_references(wanted.link.failure),
            ..wanted.link
        },
        Some(trouble) => Link {
            failure: Some(setback(
                &link,
                trouble,
                work.app.now(),
                &**work.app.randomness(),
            )),
            waiting: true,
            // also a refusal may have come after an attempt of which nobody knows
            references_unknown: link.references_unknown || was_asked,
            // when it is not there any more, the next task looks for it
            digest: link.digest.clone().filter(|_| !is_lost),
            ..link.clone()
        },
    };
    if changed == link && !was_asked {
        return Ok(());
    }
    let is_worth_logging = trouble.is_some() || !wanted.properties.is_empty();
    let entry = is_worth_logging.then(|| {
        let (properties, took) = (wanted.properties, begun.elapsed());
        entry::of_references(work, &object, &changed, properties, trouble.as_ref(), took)
    });
    work.write(move |writer| {
        // what others have noted meanwhile stays
        if let Some(stored) = writer.link(changed.application, Kind::User, id)?
            && stored.is_active()
            && stored.target_id == changed.target_id
        {
            writer.save_link(&Link {
                digest: stored.digest.filter(|_| changed.digest.is_some()),
                ..changed
            })?;
        }
        if let Some(entry) = &entry {
            writer.append_log(entry)?;
        }
        Ok(())
    })
    .await
}

/// Remembers that references are about to be sent, and that nobody knows what the target has of them until the outcome is remembered: the
/// sender may die in between, and the source may be as it was before by then.
async fn mark(work: &Arc<Work>, link: &Link) -> Result<(), Error> {
    let marked = Link {
        waiting: true,
        references_unknown: true,
        ..link.clone()
    };
    if marked == *link {
        return Ok(());
    }
    work.write(move |writer| writer.save_link(&marked)).await
}

/// Reads a person with the target's ids of those who are referred to.
async fn read(work: &Arc<Work>, id: ResourceId) -> Result<(Known, Vec<Counterpart>), Error> {
    let inner = Arc::clone(work);
    work.tenant
        .read::<_, Error, _>(move |reader| {
            let (application, assigned) = (inner.application, &inner.assigned);
            let known = directory::known(reader, application, assigned, Kind::User, id)?;
            let counterparts = counterparts(reader, &inner, &AsLinked, &known.object)?;
            Ok((known, counterparts))
        })
        .await
}

/// Finds the counterparts of those whom an object refers to. A manager whose account is switched off is still the manager.
pub(crate) fn counterparts(
    reader: &dyn Reader,
    work: &Work,
    outlook: &dyn Outlook,
    object: &SourceObject,
) -> Result<Vec<Counterpart>, rollcall_store::Error> {
    let mut counterparts = Vec::new();
    for reference in &object.references {
        let link = reader.link(work.application, Kind::User, reference.object)?;
        let target_id = outlook.counterpart(reference.object, link.as_ref());
        counterparts.push((reference.attribute, reference.object, target_id));
    }
    Ok(counterparts)
}

fn trouble_of(answer: Answer) -> Option<Trouble> {
    let trouble = match answer {
        Answer::Done => return None,
        Answer::Failed(trouble) | Answer::Unknown(trouble) => trouble,
        Answer::Conflict(message) => Trouble::of_object("Conflict", message, true),
        _ => Trouble::of_object("InvalidAnchor", "it is not there any more", true),
    };
    Some(Trouble {
        code: REFERENCES_FAILED.to_owned(),
        ..trouble
    })
}

/// Compares the references that the target should have with those that it was sent; when nobody knows those, all are sent.
pub(crate) fn wanted(work: &Work, mut link: Link, counterparts: &[Counterpart]) -> Wanted {
    let (mut operations, mut properties) = (Vec::new(), Vec::new());
    link.waiting = false;
    for (path, attribute) in &work.rules.of(Kind::User).references {
        let name = path.to_string();
        let source = counterparts.iter().find(|(name, ..)| name == attribute);
        let reference = match source {
            Some((_, object, Some(target_id))) => Some(Reference {
                object: *object,
                target_id: target_id.clone(),
            }),
            // nothing is waited for: when the counterpart comes into being, whoever refers to it is told
            Some((_, _, None)) | None => None,
        };
        let exported = link.references.get(&name).cloned();
        if exported == reference && !link.references_unknown {
            continue;
        }
        let target_id = reference
            .as_ref()
            .map(|reference| reference.target_id.as_str());
        operations.extend(reference_patch(path, target_id));
        let old_value = exported.map(|reference| reference.target_id);
        properties.push(ModifiedProperty {
            display_name: name.clone(),
            old_value: old_value.filter(|id| !id.is_empty()),
            new_value: target_id.map(str::to_owned),
        });
        match reference {
            Some(reference) => link.references.insert(name, reference),
            None => link.references.remove(&name),
        };
    }
    link.references_unknown = false;
    Wanted {
        operations,
        properties,
        link,
    }
}
