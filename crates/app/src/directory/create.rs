//! Creating a person or a group.

use jiff::Timestamp;
use rollcall_model::{Action, IntegrationId, Kind, Membership, ResourceId};
use rollcall_scim::member::Member as Named;
use rollcall_scim::merge::Lists;
use rollcall_scim::resource::Resource;
use rollcall_store::{Entry, Member, Reader, Tombstone, Writer};
use serde_json::Value;

use super::adoption::{Charge, Kept, charge, keep_addresses, may_revive};
use super::rules::{self, Effect, Event, plan_allows};
use super::{Context, Shown, membership};
use crate::{App, Failure, history};

impl App {
    /// Creates a person or a group from a SCIM resource; adopts the account of that name when no directory manages it yet.
    ///
    /// # Errors
    /// [`Failure::Taken`] when the name is in use by an account that cannot be adopted, [`Failure::Malformed`],
    /// [`Failure::Seats`], [`Failure::TrialEnded`].
    pub async fn create(
        &self,
        context: &Context,
        kind: Kind,
        body: Value,
    ) -> Result<Shown, Failure> {
        let mut resource =
            Resource::from_request(self.resource_type(kind), body, &self.settings().limits)?;
        let members = resource.take_members().unwrap_or_default();
        let now = self.now();
        let id = ResourceId::new(now, &**self.randomness());
        let (app, inner) = (self.clone(), context.clone());
        let outcome = context
            .tenant
            .write(move |writer| {
                app.create_in(
                    writer,
                    &inner,
                    Draft {
                        kind,
                        id,
                        resource,
                        members,
                    },
                    now,
                )
            })
            .await;
        let entry = self.noted(context, outcome).await?;
        let wanted = super::Wanted {
            // who was adopted, or is back, has another id; who is new is in no group yet
            groups: entry.id != id,
            ..super::Wanted::ALL
        };
        Ok(super::read::written(context, entry, wanted).await)
    }

    fn create_in(
        &self,
        writer: &mut dyn Writer,
        context: &Context,
        draft: Draft,
        now: Timestamp,
    ) -> Result<Entry, Kept> {
        let name = name_of(draft.kind, &draft.resource).to_owned();
        if let Some(there) = writer.named(draft.kind, &name)? {
            return self.adopt(writer, context, draft, there, now);
        }
        let external_id = draft.resource.external_id();
        let tombstone = writer
            .tombstones(draft.kind, external_id, &name)?
            .into_iter()
            .find(|tombstone| may_revive(tombstone, context, external_id));
        let new = New {
            kind: draft.kind,
            id: draft.id,
            managed_by: context.integration,
            resource: draft.resource,
            tombstone,
        };
        let join =
            |writer: &mut dyn Writer, group: &Entry| membership::add(writer, group, &draft.members);
        Ok(self.insert(writer, context, new, now, join)?)
    }

    /// Puts somebody who is new, or comes back, into the directory.
    fn insert(
        &self,
        writer: &mut dyn Writer,
        context: &Context,
        new: New,
        now: Timestamp,
        join: impl FnOnce(&mut dyn Writer, &Entry) -> Result<Membership, Failure>,
    ) -> Result<Entry, Failure> {
        let mut resource = new.resource;
        if new.kind == Kind::User {
            resource.assume_active(true);
        }
        let effect = match new.kind {
            Kind::User if resource.is_active() => Effect::Admits,
            _ => Effect::Changes,
        };
        plan_allows(writer, effect, now)?;
        let tombstone = new.tombstone.as_ref();
        let entry = Entry {
            kind: new.kind,
            id: tombstone.map_or(new.id, |tombstone| tombstone.id),
            // an ETag that a client remembers from before the deletion must not fit
            version: tombstone.map_or(1, |tombstone| tombstone.version + 1),
            created: now,
            modified: now,
            managed_by: new.managed_by,
            resource,
        }
        .stamped();
        writer.insert(&entry)?;
        if tombstone.is_some() {
            writer.remove_tombstone(entry.kind, entry.id)?;
        }
        let membership = join(writer, &entry)?;
        let event = Event {
            kind: entry.kind,
            id: entry.id,
            action: Action::Created,
            entry: Some(&entry),
            version: Some(entry.version),
            membership,
            changes: Value::Null,
        };
        rules::record(self, writer, context, now, event)?;
        Ok(entry)
    }

    /// Creates an object that was deleted again, as the feed tells it, under its own id if that is not forgotten, for the directory that
    /// managed it. Members who are not there are left out. Returns its id, and how many these are.
    ///
    /// # Errors
    /// [`Failure::Precondition`] when something has happened to it since, or what it was has been erased; [`Failure::Taken`] when somebody
    /// else has its name, whoever that is; [`Failure::Malformed`], [`Failure::Seats`], [`Failure::TrialEnded`].
    pub(crate) async fn recreate(
        &self,
        context: &Context,
        buried: Buried,
        members: Vec<ResourceId>,
    ) -> Result<(ResourceId, u64), Failure> {
        let now = self.now();
        let fresh = ResourceId::new(now, &**self.randomness());
        let (app, inner) = (self.clone(), context.clone());
        // a group may have a long history, for which no writer is to wait; what was told of a person may be erased meanwhile
        let known = match buried.kind {
            Kind::User => None,
            Kind::Group => Some(
                context
                    .tenant
                    .read(move |reader| told(reader, buried))
                    .await?,
            ),
        };
        context
            .tenant
            .write(move |writer| {
                let document = match known {
                    Some(document) => document,
                    None => told(writer, buried)?,
                };
                app.recreate_in(writer, &inner, (buried, document), (fresh, &members), now)
            })
            .await
    }

    fn recreate_in(
        &self,
        writer: &mut dyn Writer,
        context: &Context,
        (buried, mut document): (Buried, Value),
        (fresh, members): (ResourceId, &[ResourceId]),
        now: Timestamp,
    ) -> Result<(ResourceId, u64), Failure> {
        let Buried { kind, id, .. } = buried;
        let latest = writer.object_touched(kind, id, None, 1)?;
        if latest.first().map(|latest| latest.sequence) != Some(buried.last) {
            return Err(Failure::Precondition);
        }
        if let Some(fields) = document.as_object_mut() {
            fields.retain(|name, _| name != "id" && name != "meta");
        }
        let limits = &self.settings().limits;
        let resource = Resource::from_request(self.resource_type(kind), document, limits)?;
        if writer.named(kind, name_of(kind, &resource))?.is_some() {
            return Err(Failure::Taken {
                attribute: unique(kind),
                hint: "somebody else has it by now",
            });
        }
        let tombstone = writer.tombstone(kind, id)?;
        let new = New {
            kind,
            id: fresh,
            managed_by: tombstone
                .as_ref()
                .and_then(|tombstone| tombstone.managed_by),
            resource,
            tombstone,
        };
        let mut gone = 0;
        let join = |writer: &mut dyn Writer, group: &Entry| {
            let mut there = Vec::new();
            for id in members {
                match writer.kind_of(*id)? {
                    Some(kind) if *id != group.id => there.push(Member { id: *id, kind }),
                    _ => gone += 1,
                }
            }
            Ok(Membership {
                added: writer.add_members(group.id, &there)?,
                removed: Vec::new(),
            })
        };
        let entry = self.insert(writer, context, new, now, join)?;
        Ok((entry.id, gone))
    }

    /// Takes charge of the account that has the name already. Its userName and its addresses stay as they are: signing in must not
    /// change because a directory was connected.
    fn adopt(
        &self,
        writer: &mut dyn Writer,
        context: &Context,
        draft: Draft,
        there: ResourceId,
        now: Timestamp,
    ) -> Result<Entry, Kept> {
        let taken = |hint| Failure::Taken {
            attribute: unique(draft.kind),
            hint,
        };
        let before = writer
            .entry(draft.kind, there)?
            .ok_or_else(|| super::missing(draft.kind, there))?;
        match charge(writer, context, &before) {
            Ok(Charge::Takes) => {}
            Ok(Charge::Has) => {
                return Err(taken("it exists already; look it up and change it").into());
            }
            Err(Kept::From { kind, id, .. }) => {
                let failure = taken(
                    "an account that this directory cannot take over has it; choose another value",
                );
                return Err(Kept::From { kind, id, failure });
            }
            Err(failed) => return Err(failed),
        }
        let mut resource = before.resource.clone();
        resource.take_over(
            &draft.resource,
            Lists::Whole,
            self.resource_type(draft.kind),
            &self.settings().limits,
        )?;
        let changes = keep_addresses(&before, &mut resource);
        let after = Entry {
            version: before.version + 1,
            modified: now,
            managed_by: context.integration,
            resource,
            ..before.clone()
        }
        .stamped();
        plan_allows(writer, rules::effect_of(&before, &after), now)?;
        writer.update(&after)?;
        let membership = membership::add(writer, &after, &draft.members)?;
        let event = Event {
            kind: after.kind,
            id: after.id,
            action: Action::Adopted,
            entry: Some(&after),
            version: Some(after.version),
            membership,
            changes: rules::described(&changes),
        };
        rules::record(self, writer, context, now, event)?;
        self.tell_of_adoption(writer, context, now, &after)?;
        Ok(after)
    }
}

/// A checked object on its way into the directory.
struct Draft {
    kind: Kind,
    id: ResourceId,
    resource: Resource,
    members: Vec<Named>,
}

/// An object that is not there yet, or not any more.
struct New {
    kind: Kind,
    /// The id that it gets without a tombstone.
    id: ResourceId,
    managed_by: Option<IntegrationId>,
    resource: Resource,
    /// What is known of it from before.
    tombstone: Option<Tombstone>,
}

/// An object that was deleted and is to be created again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buried {
    pub(crate) kind: Kind,
    pub(crate) id: ResourceId,
    /// The place of the feed at which it was what it becomes.
    pub(crate) from: u64,
    /// The place of the last word about it.
    pub(crate) last: u64,
}

/// Reads what an object was that is to be created again.
///
/// # Errors
/// [`Failure::Precondition`] when nothing is known of it any more.
fn told(reader: &dyn Reader, buried: Buried) -> Result<Value, Failure> {
    let was = history::past(reader, (buried.kind, buried.id), buried.from)?;
    was.and_then(|was| was.document)
        .ok_or(Failure::Precondition)
}

fn name_of(kind: Kind, resource: &Resource) -> &str {
    let name = match kind {
        Kind::User => resource.user_name(),
        Kind::Group => resource.display_name(),
    };
    name.unwrap_or_default()
}

fn unique(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "userName",
        Kind::Group => "displayName",
    }
}
