//! Changing a person or a group: PATCH and PUT.

use jiff::Timestamp;
use rollcall_model::{Action, Kind, Membership, ResourceId};
use rollcall_scim::key;
use rollcall_scim::patch::{self, Change, Patch};
use rollcall_scim::resource::Resource;
use rollcall_store::{Entry, Writer};
use serde_json::Value;

use super::adoption::{Charge, Kept, charge, keep_addresses};
use super::rules::{self, Effect, Event, plan_allows};
use super::{Context, Expected, Shown, Wanted, membership};
use crate::{App, Failure};

impl App {
    /// Applies a SCIM PATCH to a person or a group. All its operations take effect, or none. A patch that changes nothing
    /// writes nothing and leaves the version as it was.
    ///
    /// # Errors
    /// [`Failure::Missing`], [`Failure::Precondition`], [`Failure::Malformed`], [`Failure::Taken`], [`Failure::Forbidden`],
    /// [`Failure::Seats`], [`Failure::TrialEnded`].
    pub async fn patch(
        &self,
        context: &Context,
        kind: Kind,
        id: ResourceId,
        mut patch: Patch,
        expected: Expected,
        wanted: Wanted,
    ) -> Result<Shown, Failure> {
        let members = patch.take_members();
        self.modify(
            context,
            kind,
            id,
            expected,
            wanted,
            move |app, writer, before| {
                let mut resource = before.resource.clone();
                let changes = patch.apply(
                    &mut resource,
                    app.resource_type(kind),
                    &app.settings().limits,
                )?;
                let membership = membership::apply(writer, before, &members)?;
                Ok(Modified {
                    resource,
                    changes,
                    membership,
                })
            },
        )
        .await
    }

    /// Replaces a person or a group by a SCIM resource (PUT): attributes that it does not mention are cleared; members that it
    /// does not mention at all stay.
    ///
    /// # Errors
    /// As [`Self::patch`].
    pub async fn replace(
        &self,
        context: &Context,
        kind: Kind,
        id: ResourceId,
        body: Value,
        expected: Expected,
        wanted: Wanted,
    ) -> Result<Shown, Failure> {
        self.modify(
            context,
            kind,
            id,
            expected,
            wanted,
            move |app, writer, before| {
                let limits = &app.settings().limits;
                let mut resource =
                    Resource::replacement(app.resource_type(kind), &before.resource, body, limits)?;
                // who was switched off is not switched on by saying nothing about it
                if kind == Kind::User {
                    resource.assume_active(before.resource.is_active());
                }
                let membership = match resource.take_members() {
                    Some(members) => membership::replace(writer, before, &members)?,
                    None => Membership::default(),
                };
                let changes = patch::differences(&before.resource, &resource);
                Ok(Modified {
                    resource,
                    changes,
                    membership,
                })
            },
        )
        .await
    }

    /// The one way in which something that exists is changed.
    async fn modify<F>(
        &self,
        context: &Context,
        kind: Kind,
        id: ResourceId,
        expected: Expected,
        wanted: Wanted,
        change: F,
    ) -> Result<Shown, Failure>
    where
        F: FnOnce(&App, &mut dyn Writer, &Entry) -> Result<Modified, Failure> + Send + 'static,
    {
        let now = self.now();
        let (app, inner) = (self.clone(), context.clone());
        let outcome = context
            .tenant
            .write(move |writer| {
                let before = writer
                    .entry(kind, id)?
                    .ok_or_else(|| super::missing(kind, id))?;
                if !expected.allows(before.version) {
                    return Err(Failure::Precondition.into());
                }
                let charge = charge(writer, &inner, &before)?;
                let modified = change(&app, writer, &before)?;
                settle(&app, writer, &inner, now, before, modified, charge)
            })
            .await;
        let after = self.noted(context, outcome).await?;
        Ok(super::read::written(context, after, wanted).await)
    }
}

/// What a change comes to, before the rules have seen it.
struct Modified {
    resource: Resource,
    changes: Vec<Change>,
    membership: Membership,
}

/// Checks the rules and writes what changed, if anything did.
fn settle(
    app: &App,
    writer: &mut dyn Writer,
    context: &Context,
    now: Timestamp,
    before: Entry,
    modified: Modified,
    charge: Charge,
) -> Result<Entry, Kept> {
    let Modified {
        mut resource,
        mut changes,
        membership,
    } = modified;
    let adopts = charge == Charge::Takes;
    if changes.is_empty() && membership.is_empty() && !adopts {
        return Ok(before);
    }
    let name = |resource: &Resource| resource.user_name().map(key::canonical);
    if adopts && name(&before.resource) != name(&resource) {
        // taking charge must not change how somebody signs in; that is a step of its own, by who has charge already
        let reason = "no directory manages this account yet: take charge of it under its present userName first, then rename it";
        return Err(Kept::from(&before, reason.to_owned()));
    }
    if adopts {
        changes = keep_addresses(&before, &mut resource);
    }
    let after = Entry {
        version: before.version + 1,
        modified: now,
        managed_by: context.integration.or(before.managed_by),
        resource,
        ..before.clone()
    }
    .stamped();
    let effect = match rules::effect_of(&before, &after) {
        // taking members out of a group only ever takes something away
        Effect::Changes if changes.is_empty() && membership.added.is_empty() => Effect::Releases,
        effect => effect,
    };
    plan_allows(writer, effect, now)?;
    writer.update(&after)?;
    let action = match rules::action_of(&before, &after) {
        Action::Updated if adopts => Action::Adopted,
        Action::Updated if changes.is_empty() => Action::Members,
        action => action,
    };
    let event = Event {
        kind: after.kind,
        id: after.id,
        action,
        entry: (!changes.is_empty() || adopts || after.kind == Kind::User).then_some(&after),
        version: Some(after.version),
        membership,
        changes: rules::described(&changes),
    };
    rules::record(app, writer, context, now, event)?;
    if adopts {
        app.tell_of_adoption(writer, context, now, &after)?;
    }
    Ok(after)
}
