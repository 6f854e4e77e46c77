//! The way back: what people and groups have to become to be what they were, as a plan first.
//!
//! A plan is about the objects that changed in a span of the feed. Who was changed again after it, or within it by somebody else, is left
//! alone: only a person can tell what is right then. Who was created in the span is switched off, which can be undone; nobody is deleted unless
//! that was asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use rollcall_model::history::Past;
use rollcall_model::{Kind, ResourceId};
use rollcall_scim::patch::{Change as Difference, differences};
use rollcall_scim::resource::Resource;
use rollcall_store::{Entry, Reader};

use super::authors::Who;
use super::{Moment, parts, past, place_for, place_of};
use crate::directory::Context;
use crate::{App, Failure};

/// So much the steps of a plan hold at most that is bounded, in bytes.
const HELD: usize = 32 * 1024 * 1024;

/// Which changes are to be taken back.
#[derive(Debug, Clone)]
pub struct Span {
    /// Back to this moment.
    pub from: Moment,
    /// What changed up to this moment; what changed after it stays.
    pub to: Moment,
    /// Only this object.
    pub object: Option<(Kind, ResourceId)>,
    /// Only what this actor did, as [`rollcall_store::actor_key`] names it.
    pub by: Option<String>,
    /// Whether who was created in the span is deleted rather than switched off.
    pub deletes: bool,
    /// Only when the span touched so many objects at most; absent: any number.
    pub most: Option<usize>,
}

/// A plan of the way back.
#[derive(Debug, Clone, PartialEq)]
pub struct Revert {
    /// What is to be done, object by object, in this order.
    pub steps: Vec<Step>,
}

/// What is to become of one object.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Which kind of object.
    pub kind: Kind,
    /// Which object.
    pub id: ResourceId,
    /// What it is called.
    pub name: String,
    /// What is to be done.
    pub deed: Deed,
}

/// What is to be done with an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// It becomes what it was.
    Restore {
        /// The version that this holds for.
        version: u64,
        /// The attributes that change.
        attributes: Vec<Difference>,
        /// Who comes into the group.
        added: Vec<ResourceId>,
        /// Who goes out of it.
        removed: Vec<ResourceId>,
        /// Members that it had and that are gone.
        missing: Vec<ResourceId>,
    },
    /// It is created again, with its id if that is not forgotten, and unless somebody else has its name.
    Recreate {
        /// The place of the feed whose word about it counts: its document is read there, when its turn comes.
        from: u64,
        /// The place of the last word about it that this holds for.
        last: u64,
        /// Its members, if it is a group.
        members: Vec<ResourceId>,
        /// Members that it had and that are gone.
        missing: Vec<ResourceId>,
    },
    /// It was not there, and is switched off.
    Disable {
        /// The version that this holds for.
        version: u64,
    },
    /// It was not there, and is deleted.
    Delete {
        /// The version that this holds for.
        version: u64,
    },
    /// It stays as it is.
    Leave(Reason),
}

/// Why an object is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It was changed again after the span.
    ChangedSince,
    /// Somebody else changed it within the span too.
    SomebodyElse,
    /// What it was has been erased.
    Erased,
    /// It is a group that was not there: it is deleted when that is asked for, and otherwise stays.
    NewGroup,
}

impl Revert {
    /// Tells whether there is anything to do.
    pub fn does_anything(&self) -> bool {
        let is_deed = |step: &Step| !matches!(step.deed, Deed::Leave(_));
        self.steps.iter().any(is_deed)
    }
}

impl Step {
    /// Returns when its turn is, among the steps of a plan.
    pub(super) fn turn(&self) -> Turn {
        match (&self.deed, self.kind) {
            (Deed::Leave(_), _) => Turn::Never,
            (Deed::Delete { .. }, Kind::Group) => Turn::DeleteGroups,
            (Deed::Delete { .. }, Kind::User) => Turn::DeletePeople,
            _ if self.takes_access() => Turn::Disable,
            (Deed::Recreate { .. }, Kind::User) => Turn::BringPeople,
            (Deed::Recreate { .. }, Kind::Group) => Turn::BringGroups,
            (Deed::Restore { .. } | Deed::Disable { .. }, _) => Turn::Restore,
        }
    }

    /// Returns how much memory it takes, in bytes, as far as that grows with the object.
    fn size(&self) -> usize {
        let ids = |lists: &[&Vec<ResourceId>]| {
            let ids = lists.iter().map(|ids| ids.len());
            ids.sum::<usize>() * size_of::<ResourceId>()
        };
        match &self.deed {
            Deed::Restore {
                attributes,
                added,
                removed,
                missing,
                ..
            } => {
                let values = attributes.iter().flat_map(|one| [&one.old, &one.new]);
                let values = values.flatten().map(|value| value.to_string().len());
                ids(&[added, removed, missing]) + values.sum::<usize>()
            }
            Deed::Recreate {
                members, missing, ..
            } => ids(&[members, missing]),
            Deed::Disable { .. } | Deed::Delete { .. } | Deed::Leave(_) => 0,
        }
    }
}

/// The turns of a plan. Who goes frees a seat for who comes back; people come back before the groups that they belong to, and these before
/// others get them as members; whoever is deleted changes those whom they belonged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    Disable,
    BringPeople,
    BringGroups,
    Restore,
    DeleteGroups,
    DeletePeople,
    Never,
}

impl App {
    /// Plans the way back. Nothing is changed.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] when the span touched more objects than it says; when the store is out of reach.
    pub async fn plan_revert(&self, context: &Context, span: Span) -> Result<Revert, Failure> {
        let (from, to) = (span.from, span.to);
        let object = span.object;
        let places = context.tenant().read::<_, Failure, _>(move |reader| {
            let place = |moment| match object {
                Some(object) => place_for(reader, object, moment),
                None => place_of(reader, moment),
            };
            Ok((place(from)?, place(to)?))
        });
        let (from, to) = places.await?;
        let objects = match span.object {
            Some(object) => vec![object],
            None => self.touched(context, from, to, span.most).await?,
        };
        let authors = match &span.by {
            Some(by) => Some(self.authors(context, span.object, (from, to), by).await?),
            None => None,
        };
        let authors = Arc::new(authors);
        let last = context
            .tenant()
            .read::<_, Failure, _>(|reader| Ok(reader.last_change()?));
        // when the span goes up to the end, nothing has changed since
        let is_last = last.await? <= to;
        let (mut steps, mut known, mut size) = (Vec::new(), 0, 0);
        for part in parts(&objects) {
            let (part, authors, deletes) = (part.to_vec(), Arc::clone(&authors), span.deletes);
            let found = context.tenant().read::<_, Failure, _>(move |reader| {
                let steps = part.into_iter().map(|(kind, id)| {
                    let who = match &*authors {
                        Some(authors) => match authors.get(&id) {
                            Some(Who::Others) | None => return Ok(None),
                            Some(who) => *who,
                        },
                        None => Who::Them,
                    };
                    let until = if is_last { u64::MAX } else { to };
                    step(reader, (kind, id), (from, until), who, deletes)
                });
                steps.collect::<Result<Vec<_>, Failure>>()
            });
            steps.extend(found.await?.into_iter().flatten());
            let held = steps.iter().skip(known).map(Step::size).sum::<usize>();
            (known, size) = (steps.len(), size + held);
            if span.most.is_some() && size > HELD {
                let reason = "what changed in that time is too much for a plan on a page: choose a shorter one, or use the command `rollcall history`";
                return Err(Failure::Forbidden {
                    reason: reason.to_owned(),
                });
            }
        }
        reunite(&mut steps);
        // who goes last came first: others point to them
        let is_last = |step: &Step| matches!(step.deed, Deed::Delete { .. });
        let (goes, mut steps): (Vec<_>, Vec<_>) = steps.into_iter().partition(is_last);
        steps.extend(goes.into_iter().rev());
        steps.sort_by_key(Step::turn);
        Ok(Revert { steps })
    }
}

/// Finds what has to be done with one object that they changed; nothing: it is what it was.
fn step(
    reader: &dyn Reader,
    (kind, id): (Kind, ResourceId),
    (from, to): (u64, u64),
    who: Who,
    deletes: bool,
) -> Result<Option<Step>, Failure> {
    let was = past(reader, (kind, id), from)?;
    let is = reader.entry(kind, id)?;
    let deed = deed(
        reader,
        (kind, id),
        (from, was.as_ref()),
        is.as_ref(),
        deletes,
    )?;
    let Some(deed) = deed else { return Ok(None) };
    let document = was.as_ref().and_then(|past| past.document.as_ref());
    let name = is
        .as_ref()
        .and_then(|entry| super::name(kind, &entry.resource.clone().into_value()))
        .or_else(|| super::name(kind, document?))
        .unwrap_or_else(|| id.to_string());
    let is_changed_since = to < u64::MAX && {
        let last = reader.object_touched(kind, id, None, 1)?;
        last.first().is_some_and(|change| change.sequence > to)
    };
    let deed = match who {
        _ if is_changed_since => Deed::Leave(Reason::ChangedSince),
        Who::Them => deed,
        Who::Both | Who::Others => Deed::Leave(Reason::SomebodyElse),
    };
    Ok(Some(Step {
        kind,
        id,
        name,
        deed,
    }))
}

fn deed(
    reader: &dyn Reader,
    (kind, id): (Kind, ResourceId),
    (from, was): (u64, Option<&Past>),
    is: Option<&Entry>,
    deletes: bool,
) -> Result<Option<Deed>, Failure> {
    let Some(was) = was else {
        return Ok(is.and_then(|is| match kind {
            _ if deletes => Some(Deed::Delete {
                version: is.version,
            }),
            Kind::Group => Some(Deed::Leave(Reason::NewGroup)),
            Kind::User => is.resource.is_active().then_some(Deed::Disable {
                version: is.version,
            }),
        }));
    };
    let Some(document) = &was.document else {
        return Ok(Some(Deed::Leave(Reason::Erased)));
    };
    let Some(is) = is else {
        let (members, missing) = present(reader, &was.members)?;
        let last = reader.object_touched(kind, id, None, 1)?;
        return Ok(Some(Deed::Recreate {
            from,
            last: last.first().map_or(0, |last| last.sequence),
            members,
            missing,
        }));
    };
    let attributes = differences(&is.resource, &Resource::from_stored(document.clone()));
    let mut members = BTreeSet::new();
    if kind == Kind::Group {
        members.extend(
            reader
                .members(id, None, u64::MAX)?
                .iter()
                .map(|member| member.id),
        );
    }
    let back: BTreeSet<ResourceId> = was.members.difference(&members).copied().collect();
    let (added, missing) = present(reader, &back)?;
    let removed: Vec<ResourceId> = members.difference(&was.members).copied().collect();
    if attributes.is_empty() && back.is_empty() && removed.is_empty() {
        return Ok(None);
    }
    Ok(Some(Deed::Restore {
        version: is.version,
        attributes,
        added,
        removed,
        missing,
    }))
}

/// Tells those who are there from those who are not.
pub(super) fn present(
    reader: &dyn Reader,
    ids: &BTreeSet<ResourceId>,
) -> Result<(Vec<ResourceId>, Vec<ResourceId>), Failure> {
    let (mut there, mut gone) = (Vec::new(), Vec::new());
    for id in ids {
        match reader.kind_of(*id)? {
            Some(_) => there.push(*id),
            None => gone.push(*id),
        }
    }
    Ok((there, gone))
}

/// Members who are gone and come back with the same plan are members again.
fn reunite(steps: &mut [Step]) {
    let back: BTreeSet<ResourceId> = steps
        .iter()
        .filter(|step| matches!(step.deed, Deed::Recreate { .. }))
        .map(|step| step.id)
        .collect();
    for step in steps {
        if let Deed::Restore {
            added: members,
            missing,
            ..
        }
        | Deed::Recreate {
            members, missing, ..
        } = &mut step.deed
        {
            members.extend(missing.extract_if(.., |id| back.contains(id)));
        }
    }
}
