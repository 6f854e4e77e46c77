//! The rules that every way of changing a person or a group goes through.

use jiff::Timestamp;
use rollcall_model::{Action, Kind, Membership, Summary};
use rollcall_scim::schema::ResourceType;
use rollcall_store::{Entry, NewAudit, NewChange, Writer};
use serde_json::{Value, json};

use super::Context;
use crate::{App, Failure};

impl App {
    /// Returns the resource type of a kind of object, with the schemas in force.
    pub fn resource_type(&self, kind: Kind) -> &ResourceType {
        match kind {
            Kind::User => self.registry().user(),
            Kind::Group => self.registry().group(),
        }
    }
}

/// What a change does to the number of people who can come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Someone comes in who was not in.
    Admits,
    /// Neither more nor fewer.
    Changes,
    /// Someone is switched off or removed, whatever else the same request changes about them: a client that sends the whole
    /// person each time must not keep somebody in who was dismissed.
    Releases,
}

/// Refuses what the organisation's plan does not cover. Switching people off is never refused: an organisation that stopped
/// paying must still be able to lock out who left.
pub(crate) fn plan_allows(
    writer: &dyn Writer,
    effect: Effect,
    now: Timestamp,
) -> Result<(), Failure> {
    if effect == Effect::Releases {
        return Ok(());
    }
    let organisation = writer.organisation()?;
    if !organisation.is_open(now) {
        let ended = organisation.plan.last_day();
        return Err(Failure::TrialEnded { ended });
    }
    match organisation.seats {
        Some(seats)
            if effect == Effect::Admits && writer.counts()?.active_users >= u64::from(seats) =>
        {
            Err(Failure::Seats { seats })
        }
        _ => Ok(()),
    }
}

/// Writes the audit entry and the feed entry of a change, and keeps invitations in step with it. Called in the transaction of every
/// change, and nowhere else are such entries made for people and groups.
pub(crate) fn record(
    app: &App,
    writer: &mut dyn Writer,
    context: &Context,
    now: Timestamp,
    event: Event<'_>,
) -> Result<(), Failure> {
    let document = event.entry.map(|entry| entry.resource.clone().into_value());
    let audit = NewAudit {
        origin: context.origin.clone(),
        action: audit_action(event.kind, event.action),
        object: event.id.to_string(),
        detail: event.detail(),
    };
    writer.append_audit(now, &audit)?;
    crate::invitations::follow(app, writer, context, now, &event)?;
    let change = NewChange {
        kind: event.kind,
        id: event.id,
        action: event.action,
        document,
        summary: Summary {
            version: event.version,
            actor: Some(context.origin.actor.kind()),
            attributes: event.attributes(),
        },
        membership: event.membership,
    };
    writer.append_change(now, &change)?;
    Ok(())
}

/// Something that happened to a person or a group.
pub(crate) struct Event<'a> {
    pub(crate) kind: Kind,
    pub(crate) id: rollcall_model::ResourceId,
    pub(crate) action: Action,
    /// The object afterwards; absent when it is gone.
    pub(crate) entry: Option<&'a Entry>,
    /// Its version afterwards; absent when it is gone.
    pub(crate) version: Option<u64>,
    pub(crate) membership: Membership,
    /// The attributes that changed: path, old, new.
    pub(crate) changes: Value,
}

impl Event<'_> {
    /// The names of the attributes that changed. A path that picks one of several values may hold a value: only what stands before that is
    /// a name.
    fn attributes(&self) -> Vec<String> {
        let changes = self.changes.as_array().into_iter().flatten();
        let paths = changes.filter_map(|change| change.get("path")?.as_str());
        let names = paths.map(|path| path.split('[').next().unwrap_or_default().to_owned());
        let mut attributes: Vec<String> = Vec::new();
        let members = (!self.membership.is_empty()).then(|| "members".to_owned());
        for name in names.chain(members) {
            if !attributes.contains(&name) {
                attributes.push(name);
            }
        }
        attributes
    }

    fn detail(&self) -> Value {
        let mut detail = json!({});
        if let Value::Object(fields) = &mut detail {
            if !self.changes.is_null() {
                fields.insert("changes".into(), self.changes.clone());
            }
            if !self.membership.is_empty() {
                fields.insert("added".into(), json!(self.membership.added.len()));
                fields.insert("removed".into(), json!(self.membership.removed.len()));
            }
        }
        detail
    }
}

/// Lists changed attributes for the audit log.
pub(crate) fn described(changes: &[rollcall_scim::patch::Change]) -> Value {
    changes
        .iter()
        .map(|change| json!({"path": change.path.clone(), "old": change.old, "new": change.new}))
        .collect()
}

fn audit_action(kind: Kind, action: Action) -> &'static str {
    match (kind, action) {
        (Kind::User, Action::Created) => "user.created",
        (Kind::User, Action::Adopted) => "user.adopted",
        (Kind::User, Action::Updated | Action::Members) => "user.updated",
        (Kind::User, Action::Disabled) => "user.disabled",
        (Kind::User, Action::Enabled) => "user.enabled",
        (Kind::User, Action::Deleted) => "user.deleted",
        (Kind::Group, Action::Created) => "group.created",
        (Kind::Group, Action::Adopted) => "group.adopted",
        (Kind::Group, Action::Updated | Action::Disabled | Action::Enabled) => "group.updated",
        (Kind::Group, Action::Members) => "group.members",
        (Kind::Group, Action::Deleted) => "group.deleted",
    }
}

/// Says what an update amounts to, seen from outside.
pub(crate) fn action_of(before: &Entry, after: &Entry) -> Action {
    match (
        before.kind,
        before.resource.is_active(),
        after.resource.is_active(),
    ) {
        (Kind::User, true, false) => Action::Disabled,
        (Kind::User, false, true) => Action::Enabled,
        _ => Action::Updated,
    }
}

/// Says what an update does to the seats.
pub(crate) fn effect_of(before: &Entry, after: &Entry) -> Effect {
    match action_of(before, after) {
        Action::Enabled => Effect::Admits,
        Action::Disabled => Effect::Releases,
        _ => Effect::Changes,
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use rollcall_model::IntegrationKind;

    use super::super::{Expected, Wanted};
    use super::*;
    use crate::testing::Installation;

    #[tokio::test]
    async fn after_the_trial_whoever_is_switched_off_is_off_whatever_else_changes() {
        let installation = Installation::on_trial(SignedDuration::from_hours(1)).await;
        let app = &installation.app;
        let (_, _, directory) = installation.directory(IntegrationKind::Okta).await;
        let body = json!({"userName": "ann", "title": "Buyer"});
        let ann = app.create(&directory, Kind::User, body).await.unwrap();
        installation.clock.advance(SignedDuration::from_hours(2));
        let put = async |body| {
            let (id, any) = (ann.entry.id, Expected::Any);
            app.replace(&directory, Kind::User, id, body, any, Wanted::NOTHING)
                .await
        };

        let promoted = put(json!({"userName": "ann", "title": "Head", "active": true})).await;
        let dismissed = put(json!({"userName": "ann", "title": "Former", "active": false})).await;

        assert!(
            matches!(promoted, Err(Failure::TrialEnded { .. })),
            "{promoted:?}"
        );
        assert!(!dismissed.unwrap().entry.resource.is_active());
    }
}
