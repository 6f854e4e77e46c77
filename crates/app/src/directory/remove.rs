//! Deleting a person or a group.

use jiff::Timestamp;
use rollcall_model::{Action, Kind, Membership, ResourceId};
use rollcall_scim::patch::{PATCH_SCHEMA, Patch};
use rollcall_scim::schema::ENTERPRISE_USER;
use rollcall_store::{Entry, Writer};
use serde_json::{Value, json};

use super::adoption::{Charge, Kept, charge};
use super::rules::{self, Event};
use super::{Context, Expected};
use crate::{App, Failure};

impl App {
    /// Deletes a person or a group. What remains is a tombstone, so that who comes back gets the same id; and an entry in the
    /// feed for each group that loses a member and each person who loses their manager. A directory deletes only what it manages.
    ///
    /// # Errors
    /// [`Failure::Missing`], [`Failure::Precondition`], [`Failure::Forbidden`].
    pub async fn delete(
        &self,
        context: &Context,
        kind: Kind,
        id: ResourceId,
        expected: Expected,
    ) -> Result<(), Failure> {
        let now = self.now();
        let (app, inner) = (self.clone(), context.clone());
        let outcome = context
            .tenant
            .write::<_, Kept, _>(move |writer| {
                let before = writer
                    .entry(kind, id)?
                    .ok_or_else(|| super::missing(kind, id))?;
                if !expected.allows(before.version) {
                    return Err(Failure::Precondition.into());
                }
                if charge(writer, &inner, &before)? == Charge::Takes {
                    // a directory sees what was there before it, and may not have meant it
                    let noun = kind.resource_type().to_lowercase();
                    let reason = format!(
                        "no directory manages this {noun}: take charge of it first, by creating it (POST) or changing it (PATCH), then delete it"
                    );
                    return Err(Kept::from(&before, reason));
                }
                Ok(take_away(&app, writer, &inner, now, kind, id)?)
            })
            .await;
        self.noted(context, outcome).await
    }
}

/// Takes an object away, which is there, with an entry in the feed for all whom that changes.
pub(crate) fn take_away(
    app: &App,
    writer: &mut dyn Writer,
    context: &Context,
    now: Timestamp,
    kind: Kind,
    id: ResourceId,
) -> Result<(), Failure> {
    leave_groups(app, writer, context, now, id)?;
    if kind == Kind::User {
        leave_reports(app, writer, context, now, id)?;
    }
    writer.remove(kind, id, now)?;
    let event = Event {
        kind,
        id,
        action: Action::Deleted,
        entry: None,
        version: None,
        membership: Membership::default(),
        changes: Value::Null,
    };
    rules::record(app, writer, context, now, event)
}

/// Takes an object out of all groups.
fn leave_groups(
    app: &App,
    writer: &mut dyn Writer,
    context: &Context,
    now: Timestamp,
    id: ResourceId,
) -> Result<(), Failure> {
    for (group, _) in writer.groups_of(id)? {
        let Some(entry) = writer.entry(Kind::Group, group)? else {
            continue;
        };
        let removed = writer.remove_members(group, &[id])?;
        let after = Entry {
            version: entry.version + 1,
            modified: now,
            ..entry
        }
        .stamped();
        writer.update(&after)?;
        let event = Event {
            kind: Kind::Group,
            id: group,
            action: Action::Members,
            entry: None,
            version: Some(after.version),
            membership: Membership {
                added: Vec::new(),
                removed,
            },
            changes: Value::Null,
        };
        rules::record(app, writer, context, now, event)?;
    }
    Ok(())
}

/// Takes a person away as manager of others, so that nobody reports to somebody who is not there.
fn leave_reports(
    app: &App,
    writer: &mut dyn Writer,
    context: &Context,
    now: Timestamp,
    id: ResourceId,
) -> Result<(), Failure> {
    let body = json!({
        "schemas": [PATCH_SCHEMA],
        "Operations": [{"op": "remove", "path": format!("{ENTERPRISE_USER}:manager")}],
    });
    let (kind, limits) = (app.resource_type(Kind::User), &app.settings().limits);
    let patch = Patch::parse(&body, kind, limits)?;
    for report in writer.reports_of(id)? {
        let Some(before) = writer.entry(Kind::User, report)? else {
            continue;
        };
        let mut resource = before.resource.clone();
        let changes = patch.apply(&mut resource, kind, limits)?;
        let after = Entry {
            version: before.version + 1,
            modified: now,
            resource,
            ..before
        }
        .stamped();
        writer.update(&after)?;
        let event = Event {
            kind: Kind::User,
            id: report,
            action: Action::Updated,
            entry: Some(&after),
            version: Some(after.version),
            membership: Membership::default(),
            changes: rules::described(&changes),
        };
        rules::record(app, writer, context, now, event)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rollcall_model::IntegrationKind;

    use super::super::Wanted;
    use super::*;
    use crate::testing::Installation;

    #[tokio::test]
    async fn a_directory_deletes_what_it_manages_and_nothing_else() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let (_, _, directory) = installation.directory(IntegrationKind::Okta).await;
        for (kind, body) in [
            (Kind::User, json!({"userName": "ann"})),
            (Kind::Group, json!({"displayName": "Sales"})),
        ] {
            let command = installation.command();
            let there = app.create(&command, kind, body.clone()).await.unwrap();
            let id = there.entry.id;

            let refused = app.delete(&directory, kind, id, Expected::Any).await;

            let Err(Failure::Forbidden { reason }) = refused else {
                panic!("{refused:?}");
            };
            assert!(reason.contains("take charge of it first"), "{reason}");
            let still = app.get(&directory, kind, id, Wanted::NOTHING).await;
            assert_eq!(still.unwrap().entry.version, 1);
            let adopted = app.create(&directory, kind, body).await.unwrap();
            assert_eq!(adopted.entry.id, id);
            app.delete(&directory, kind, id, Expected::Any)
                .await
                .unwrap();
        }
    }
}
