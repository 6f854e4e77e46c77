//! Creating a person or a group.

use jiff::Timestamp;
use rollcall_model::{Action, Kind, ResourceId};
use rollcall_scim::member::Member;
use rollcall_scim::merge::Lists;
use rollcall_scim::resource::Resource;
use rollcall_store::{Entry, Writer};
use serde_json::Value;

use super::adoption::{Charge, Kept, charge, keep_addresses, may_revive};
use super::rules::{self, Effect, Event, plan_allows};
use super::{Context, Shown, membership};
use crate::{App, Failure};

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
        let name = match draft.kind {
            Kind::User => draft.resource.user_name(),
            Kind::Group => draft.resource.display_name(),
        }
        .unwrap_or_default()
        .to_owned();
        if let Some(there) = writer.named(draft.kind, &name)? {
            return self.adopt(writer, context, draft, there, now);
        }
        let mut resource = draft.resource;
        if draft.kind == Kind::User {
            resource.assume_active(true);
        }
        let effect = match draft.kind {
            Kind::User if resource.is_active() => Effect::Admits,
            _ => Effect::Changes,
        };
        plan_allows(writer, effect, now)?;

        let external_id = resource.external_id().map(str::to_owned);
        let external_id = external_id.as_deref();
        let tombstone = writer
            .tombstones(draft.kind, external_id, &name)?
            .into_iter()
            .find(|tombstone| may_revive(tombstone, context, external_id));
        let entry = Entry {
            kind: draft.kind,
            id: tombstone
                .as_ref()
                .map_or(draft.id, |tombstone| tombstone.id),
            // an ETag that a client remembers from before the deletion must not fit
            version: tombstone
                .as_ref()
                .map_or(1, |tombstone| tombstone.version + 1),
            created: now,
            modified: now,
            managed_by: context.integration,
            resource,
        }
        .stamped();
        writer.insert(&entry)?;
        if tombstone.is_some() {
            writer.remove_tombstone(entry.kind, entry.id)?;
        }
        let membership = membership::add(writer, &entry, &draft.members)?;
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
    members: Vec<Member>,
}

fn unique(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "userName",
        Kind::Group => "displayName",
    }
}
