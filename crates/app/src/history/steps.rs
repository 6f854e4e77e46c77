//! One step of a way back: an object becomes what it was, by the rules of every other change.
//!
//! **Start at** [`App::carry_out`], or with a whole plan at [`App::take_back`].

use std::collections::{BTreeSet, HashMap};

use rollcall_model::{Kind, ResourceId};
use rollcall_scim::patch::{Change as Difference, PATCH_SCHEMA, Patch};
use rollcall_store::AuditQuery;
use serde_json::{Value, json};

use super::revert::present;
use super::{Deed, PART, Revert, Step};
use crate::directory::{Buried, Context, Expected, Wanted};
use crate::{App, Failure};

/// Who is created again by a plan, and what became of that so far.
#[derive(Debug, Default)]
pub(super) struct Returns(HashMap<ResourceId, Return>);

/// What became of somebody who is to be created again.
#[derive(Debug, Clone, Copy)]
enum Return {
    /// Their turn is still to come.
    Awaited,
    /// They are there, under this id.
    As(ResourceId),
    /// They could not be created again.
    Never,
}

/// Members of a group, by when they can be members.
struct Members {
    now: Vec<ResourceId>,
    later: Vec<ResourceId>,
    never: u64,
}

/// What came of a step.
#[derive(Debug)]
pub(super) struct Done {
    /// The id that the object has.
    pub(super) id: ResourceId,
    /// How many members it had that it has not again.
    pub(super) missing: u64,
    /// Members whose own turn is still to come.
    pub(super) later: Vec<ResourceId>,
}

impl Returns {
    /// Whoever a plan creates again is still to come.
    pub(super) fn of(plan: &Revert) -> Self {
        let steps = plan.steps.iter();
        let back = steps.filter(|step| matches!(step.deed, Deed::Recreate { .. }));
        Self(back.map(|step| (step.id, Return::Awaited)).collect())
    }

    /// Notes what became of somebody: the id that they have now; absent: they could not be created again.
    pub(super) fn note(&mut self, id: ResourceId, came: Option<ResourceId>) {
        self.0.insert(id, came.map_or(Return::Never, Return::As));
    }

    fn sorted(&self, ids: &[ResourceId]) -> Members {
        let mut members = Members {
            now: Vec::new(),
            later: Vec::new(),
            never: 0,
        };
        for id in ids {
            match self.0.get(id) {
                None => members.now.push(*id),
                Some(Return::As(id)) => members.now.push(*id),
                Some(Return::Awaited) => members.later.push(*id),
                Some(Return::Never) => members.never += 1,
            }
        }
        members
    }
}

impl App {
    /// Does one step of a plan, if the object is still what the plan was made for. It goes through the same rules as every other change.
    /// Returns the id that the object has: one that is created again has another one when its own has been forgotten.
    ///
    /// # Errors
    /// [`Failure::Precondition`] when the object has changed since; as the use cases that change people and groups.
    pub async fn carry_out(&self, context: &Context, step: &Step) -> Result<ResourceId, Failure> {
        let done = self.take_step(context, step, &Returns::default()).await?;
        Ok(done.id)
    }

    /// Does one step of a plan of which others were done before.
    pub(super) async fn take_step(
        &self,
        context: &Context,
        step: &Step,
        returns: &Returns,
    ) -> Result<Done, Failure> {
        let (kind, id) = (step.kind, step.id);
        let alone = Done {
            id,
            missing: 0,
            later: Vec::new(),
        };
        match &step.deed {
            Deed::Leave(_) => Ok(alone),
            Deed::Restore {
                version,
                attributes,
                added,
                removed,
                missing,
            } => {
                let members = returns.sorted(added);
                let (there, gone) = self.present(context, members.now).await?;
                let patch = self.patch_of(kind, attributes, &there, removed)?;
                self.patch_exactly(context, (kind, id), patch, *version)
                    .await?;
                Ok(Done {
                    missing: missing.len() as u64 + members.never + gone,
                    later: members.later,
                    ..alone
                })
            }
            Deed::Recreate {
                from,
                last,
                members,
                missing,
            } => {
                let members = returns.sorted(members);
                let buried = Buried {
                    kind,
                    id,
                    from: *from,
                    last: *last,
                };
                let (id, gone) = self.recreate(context, buried, members.now).await?;
                Ok(Done {
                    id,
                    missing: missing.len() as u64 + members.never + gone,
                    later: members.later,
                })
            }
            Deed::Disable { version } => {
                let off = Difference {
                    path: "active".into(),
                    old: None,
                    new: Some(false.into()),
                };
                let patch = self.patch_of(kind, &[off], &[], &[])?;
                self.patch_exactly(context, (kind, id), patch, *version)
                    .await?;
                Ok(alone)
            }
            Deed::Delete { version } => {
                self.delete_as_planned(context, (kind, id), *version)
                    .await?;
                Ok(alone)
            }
        }
    }

    /// Makes those members of a group who were created again after it. Returns how many never were, or are gone again.
    pub(super) async fn add_later(
        &self,
        context: &Context,
        group: ResourceId,
        later: &[ResourceId],
        returns: &Returns,
    ) -> Result<u64, Failure> {
        let members = returns.sorted(later);
        let (there, gone) = self.present(context, members.now).await?;
        if let Some(patch) = self.patch_of(Kind::Group, &[], &there, &[])? {
            let (kind, any) = (Kind::Group, Expected::Any);
            self.patch(context, kind, group, patch, any, Wanted::NOTHING)
                .await?;
        }
        Ok(members.never + gone)
    }

    async fn patch_exactly(
        &self,
        context: &Context,
        (kind, id): (Kind, ResourceId),
        patch: Option<Patch>,
        version: u64,
    ) -> Result<(), Failure> {
        let Some(patch) = patch else { return Ok(()) };
        let expected = Expected::Versions(vec![version]);
        self.patch(context, kind, id, patch, expected, Wanted::NOTHING)
            .await
            .map(|_| ())
    }

    /// Deletes an object of the version that the plan saw. A deletion takes its object out of groups and away as a manager: what this same
    /// run did to an object that way is no reason to leave it.
    async fn delete_as_planned(
        &self,
        context: &Context,
        (kind, id): (Kind, ResourceId),
        version: u64,
    ) -> Result<(), Failure> {
        let exactly = |version| Expected::Versions(vec![version]);
        let deleted = self.delete(context, kind, id, exactly(version)).await;
        if !matches!(deleted, Err(Failure::Precondition)) {
            return deleted;
        }
        let own = self.own_version(context, (kind, id), version).await?;
        let own = own.ok_or(Failure::Precondition)?;
        self.delete(context, kind, id, exactly(own)).await
    }

    /// Returns the version of an object when all that happened to it since an earlier one was asked for by the request of this context.
    async fn own_version(
        &self,
        context: &Context,
        (kind, id): (Kind, ResourceId),
        version: u64,
    ) -> Result<Option<u64>, Failure> {
        let request = context.origin().request;
        context
            .tenant()
            .read(move |reader| {
                let now = reader.entry(kind, id)?.map(|entry| entry.version);
                let Some(now) = now.filter(|now| *now > version && now - version <= PART) else {
                    return Ok(None);
                };
                let changes = reader.object_touched(kind, id, None, now - version)?;
                let query = AuditQuery {
                    object: Some(id.to_string()),
                    from: changes.iter().map(|change| change.at).min(),
                    ..AuditQuery::default()
                };
                // each change has its entry in the log
                let deeds = reader.audit_where(&query, 2 * PART)?;
                let is_own = deeds.len() >= changes.len()
                    && deeds.iter().all(|deed| deed.origin.request == request);
                Ok(is_own.then_some(now))
            })
            .await
    }

    /// Tells who of some is there, and how many are not.
    async fn present(
        &self,
        context: &Context,
        ids: Vec<ResourceId>,
    ) -> Result<(Vec<ResourceId>, u64), Failure> {
        if ids.is_empty() {
            return Ok((ids, 0));
        }
        let ids: BTreeSet<ResourceId> = ids.into_iter().collect();
        context
            .tenant()
            .read(move |reader| {
                let (there, gone) = present(reader, &ids)?;
                Ok((there, gone.len() as u64))
            })
            .await
    }

    /// Writes attributes and members as a PATCH: it goes through the same checks as a directory's. Absent: there is nothing to write.
    fn patch_of(
        &self,
        kind: Kind,
        attributes: &[Difference],
        added: &[ResourceId],
        removed: &[ResourceId],
    ) -> Result<Option<Patch>, Failure> {
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
        if operations.is_empty() {
            return Ok(None);
        }
        let body = json!({"schemas": [PATCH_SCHEMA], "Operations": operations});
        let limits = &self.settings().limits;
        let patch = Patch::parse(&body, self.resource_type(kind), limits)?;
        Ok(Some(patch))
    }
}
