//! The way back: what people and groups have to become to be what they were, as a plan first.
//!
//! A plan is about the objects that changed in a span of the feed. Who was changed again after it, or within it by somebody else, is left
//! alone: only a person can tell what is right then. Who was created in the span is switched off, which can be undone; nobody is deleted unless
//! that was asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use rollcall_model::history::Past;
use rollcall_model::{Kind, ResourceId};
use rollcall_scim::patch::{Change as Difference, PATCH_SCHEMA, Patch, differences};
use rollcall_scim::resource::Resource;
use rollcall_store::{Entry, Reader};
use serde_json::{Value, json};

use super::authors::Who;
use super::{AT_ONCE, Moment, past, place_of};
use crate::directory::{Context, Expected, Wanted};
use crate::{App, Failure};

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
    /// It is created again, with its id if nobody else has its name.
    Recreate {
        /// Its document.
        document: Value,
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

impl App {
    /// Plans the way back. Nothing is changed.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] when the span touched more objects than it says; when the store is out of reach.
    pub async fn plan_revert(&self, context: &Context, span: Span) -> Result<Revert, Failure> {
        let (from, to) = (span.from, span.to);
        let places = context.tenant().read::<_, Failure, _>(move |reader| {
            Ok((place_of(reader, from)?, place_of(reader, to)?))
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
        let mut steps = Vec::new();
        for part in objects.chunks(AT_ONCE) {
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
        }
        reunite(&mut steps);
        // people come back before the groups that they belong to, and go after them
        steps.sort_by_key(|step| match (&step.deed, step.kind) {
            (Deed::Recreate { .. }, Kind::User) => 0,
            (Deed::Recreate { .. }, Kind::Group) => 1,
            (Deed::Restore { .. }, _) => 2,
            (Deed::Delete { .. }, Kind::Group) => 3,
            (Deed::Disable { .. } | Deed::Delete { .. }, _) => 4,
            (Deed::Leave(_), _) => 5,
        });
        Ok(Revert { steps })
    }

    /// Does one step of a plan, if the object is still what the plan was made for. It goes through the same rules as every other change.
    /// Returns the id that the object has: one that is created again has another one when somebody else has taken its place.
    ///
    /// # Errors
    /// [`Failure::Precondition`] when the object has changed since; as the use cases that change people and groups.
    pub async fn carry_out(&self, context: &Context, step: &Step) -> Result<ResourceId, Failure> {
        let (kind, id) = (step.kind, step.id);
        let exactly = |version: u64| Expected::Versions(vec![version]);
        match &step.deed {
            Deed::Leave(_) => Ok(id),
            Deed::Restore {
                version,
                attributes,
                added,
                removed,
                ..
            } => {
                let patch = self.patch_of(kind, attributes, added, removed)?;
                let expected = exactly(*version);
                self.patch(context, kind, id, patch, expected, Wanted::NOTHING)
                    .await
                    .map(|_| id)
            }
            Deed::Recreate {
                document, members, ..
            } => {
                let mut body = document.clone();
                if let Some(fields) = body.as_object_mut() {
                    fields.retain(|name, _| name != "id" && name != "meta");
                    if kind == Kind::Group {
                        let members = members.iter().map(|id| json!({"value": id}));
                        fields.insert("members".into(), members.collect());
                    }
                }
                let context = self.as_its_manager(context, kind, id).await?;
                let created = self.create(&context, kind, body).await?;
                Ok(created.entry.id)
            }
            Deed::Disable { version } => {
                let off = Difference {
                    path: "active".into(),
                    old: None,
                    new: Some(false.into()),
                };
                let patch = self.patch_of(kind, &[off], &[], &[])?;
                let expected = exactly(*version);
                self.patch(context, kind, id, patch, expected, Wanted::NOTHING)
                    .await
                    .map(|_| id)
            }
            Deed::Delete { version } => self
                .delete(context, kind, id, exactly(*version))
                .await
                .map(|()| id),
        }
    }

    /// Who comes back gets their id from the tombstone, and belongs to the directory that managed them.
    async fn as_its_manager(
        &self,
        context: &Context,
        kind: Kind,
        id: ResourceId,
    ) -> Result<Context, Failure> {
        let found = context
            .tenant()
            .read::<_, Failure, _>(move |reader| Ok(reader.tombstone(kind, id)?));
        let manager = found.await?.and_then(|tombstone| tombstone.managed_by);
        Ok(Context::new(
            context.tenant().clone(),
            context.origin().clone(),
            manager,
        ))
    }

    /// Writes attributes and members as a PATCH: it goes through the same checks as a directory's.
    fn patch_of(
        &self,
        kind: Kind,
        attributes: &[Difference],
        added: &[ResourceId],
        removed: &[ResourceId],
    ) -> Result<Patch, Failure> {
        let mut operations: Vec<Value> = attributes
            .iter()
            .map(|change| match &change.new {
                Some(value) => json!({"op": "replace", "path": change.path, "value": value}),
                None => json!({"op": "remove", "path": change.path}),
            })
            .collect();
        for (op, ids) in [("add", added), ("remove", removed)] {
            if !ids.is_empty() {
                let ids = ids.iter().map(|id| json!({"value": id}));
                let ids: Value = ids.collect();
                operations.push(json!({"op": op, "path": "members", "value": ids}));
            }
        }
        let body = json!({"schemas": [PATCH_SCHEMA], "Operations": operations});
        let limits = &self.settings().limits;
        Ok(Patch::parse(&body, self.resource_type(kind), limits)?)
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
    let deed = deed(reader, (kind, id), was.as_ref(), is.as_ref(), deletes)?;
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
    was: Option<&Past>,
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
        return Ok(Some(Deed::Recreate {
            document: document.clone(),
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
fn present(
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
