//! Adoption: a directory takes charge of an account that was there before it.
//!
//! An account that no directory manages is adopted by the first one that creates or changes it; before that, no directory can
//! delete it. This first contact changes neither how somebody signs in nor where mail for them goes: [`keep_addresses`]. An account that
//! another directory manages is refused, and so is an administrator's, whoever manages it: a directory must not be a way to become one,
//! nor to lock one out. Every refusal is noted ([`App::noted`]), and owners are told of adoptions ([`App::tell_of_adoption`]).

use jiff::{SignedDuration, Timestamp};
use rollcall_model::clock::is_within;
use rollcall_model::letter::Content;
use rollcall_model::{Actor, Kind, Origin, ResourceId};
use rollcall_scim::key;
use rollcall_scim::patch::{self, Change};
use rollcall_scim::resource::Resource;
use rollcall_store::{AuditQuery, Entry, NewAudit, Reader, Writer};
use serde_json::json;

use super::Context;
use crate::invitations::address;
use crate::{App, Failure};

/// So often it is noted, at most, that a directory was kept from one object.
const NOTED_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// So often, at most, owners are told that one directory adopts accounts.
const TOLD_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// What a caller is to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charge {
    /// It manages the object, or needs not to: an administrator or a command.
    Has,
    /// Nobody manages the object yet; changing it means taking charge of it.
    Takes,
}

/// Why a unit of work on an object came to nothing.
#[derive(Debug)]
pub(super) enum Kept {
    /// A directory was kept from an object that it has no charge of.
    From {
        kind: Kind,
        id: ResourceId,
        /// What the caller is told.
        failure: Failure,
    },
    /// Anything else.
    Failed(Failure),
}

impl<F: Into<Failure>> From<F> for Kept {
    fn from(failure: F) -> Self {
        Self::Failed(failure.into())
    }
}

impl Kept {
    /// Keeps a directory from an object.
    pub(super) fn from(entry: &Entry, reason: String) -> Self {
        Self::From {
            kind: entry.kind,
            id: entry.id,
            failure: Failure::Forbidden { reason },
        }
    }
}

impl App {
    /// Notes that a directory was kept from an object: in a unit of its own, for nothing is left of the one that it asked for. Once an
    /// hour for each object and directory, which may try again all day.
    pub(super) async fn noted<T>(
        &self,
        context: &Context,
        outcome: Result<T, Kept>,
    ) -> Result<T, Failure> {
        let (kind, id, failure) = match outcome {
            Ok(done) => return Ok(done),
            Err(Kept::Failed(failure)) => return Err(failure),
            Err(Kept::From { kind, id, failure }) => (kind, id, failure),
        };
        let action = match kind {
            Kind::User => "user.refused",
            Kind::Group => "group.refused",
        };
        let (now, origin) = (self.now(), context.origin().clone());
        let detail = json!({"reason": failure.to_string()});
        let unit = context.tenant.write::<_, Failure, _>(move |writer| {
            let query = AuditQuery {
                action: Some(action.to_owned()),
                object: Some(id.to_string()),
                ..AuditQuery::default()
            };
            // those of a few directories, each of which may go on trying
            let is_known = writer.audit_where(&query, 10)?.iter().any(|last| {
                is_same(&last.origin.actor, &origin.actor) && is_within(NOTED_EVERY, last.at, now)
            });
            if !is_known {
                let entry = NewAudit {
                    origin,
                    action,
                    object: id.to_string(),
                    detail,
                };
                writer.append_audit(now, &entry)?;
            }
            Ok(())
        });
        unit.await?;
        Err(failure)
    }

    /// Tells the owners that a directory adopts accounts: of the first one in a day, for there may be many.
    pub(super) fn tell_of_adoption(
        &self,
        writer: &mut dyn Writer,
        context: &Context,
        now: Timestamp,
        adopted: &Entry,
    ) -> Result<(), Failure> {
        let Some(integration) = context.integration.filter(|_| adopted.kind == Kind::User) else {
            return Ok(());
        };
        let action = "integration.adoption_told";
        let query = AuditQuery {
            action: Some(action.to_owned()),
            object: Some(integration.to_string()),
            ..AuditQuery::default()
        };
        let last = writer.audit_where(&query, 1)?;
        if last.iter().any(|last| is_within(TOLD_EVERY, last.at, now)) {
            return Ok(());
        }
        let integrations = writer.integrations()?;
        let there = integrations.iter().find(|one| one.id == integration);
        let Some(kind) = there.map(|one| one.kind) else {
            return Ok(());
        };
        let content = Content::Adopts {
            kind,
            name: super::title(adopted),
            url: format!("{}/activity", self.settings().public_url),
        };
        self.post_to_owners(writer, now, &content)?;
        let entry = NewAudit {
            origin: Origin {
                actor: Actor::System,
                ..context.origin().clone()
            },
            action,
            object: integration.to_string(),
            detail: json!({}),
        };
        writer.append_audit(now, &entry)?;
        Ok(())
    }
}

/// Tells whether two actors are one, whatever their tokens: a reset does not make another directory.
fn is_same(one: &Actor, other: &Actor) -> bool {
    match (one, other) {
        (Actor::Integration { id: one, .. }, Actor::Integration { id: other, .. }) => one == other,
        _ => one == other,
    }
}

/// Leaves an account that is adopted its e-mail addresses: mail that opens it must not go elsewhere because a directory was connected. One
/// that has none takes them over, unless mail goes to its userName and would go elsewhere from then on. Whoever has charge may change
/// them with the next request. Returns what is changed.
pub(super) fn keep_addresses(before: &Entry, resource: &mut Resource) -> Vec<Change> {
    if before.kind == Kind::User {
        let has_none = before.resource.emails().next().is_none();
        let own = address(&before.resource);
        let stays = own.is_none() || own == address(resource);
        if !(has_none && stays) {
            resource.keep_emails(&before.resource);
        }
    }
    patch::differences(&before.resource, resource)
}

/// Tells what the caller is to the object.
///
/// # Errors
/// [`Kept::From`] when the object is another directory's or an administrator's.
pub(super) fn charge(
    reader: &dyn Reader,
    context: &Context,
    entry: &Entry,
) -> Result<Charge, Kept> {
    let Some(integration) = context.integration else {
        return Ok(Charge::Has);
    };
    let charge = match entry.managed_by {
        Some(manager) if manager == integration => Charge::Has,
        Some(manager) => {
            let title = reader
                .integrations()?
                .into_iter()
                .find(|other| other.id == manager)
                .map_or("another directory", |other| other.kind.title());
            let noun = entry.kind.resource_type().to_lowercase();
            let reason = format!(
                "this {noun} is managed by {title}; disconnect it there, or change it there"
            );
            return Err(Kept::from(entry, reason));
        }
        None => Charge::Takes,
    };
    // somebody may have become an administrator after a directory took charge of the account
    if is_administrator(reader, entry)? {
        let reason = "this account belongs to an administrator of the organisation: a directory can neither take it over nor change it";
        return Err(Kept::from(entry, reason.to_owned()));
    }
    Ok(charge)
}

/// Tells whether an account carries an administrator's address, as its userName or as an e-mail.
fn is_administrator(reader: &dyn Reader, entry: &Entry) -> Result<bool, Failure> {
    if entry.kind != Kind::User {
        return Ok(false);
    }
    let resource = &entry.resource;
    let mut addresses: Vec<String> = resource.emails().map(key::canonical).collect();
    addresses.extend(resource.user_name().map(key::canonical));
    Ok(reader
        .administrators()?
        .iter()
        .any(|admin| addresses.contains(&admin.email.key())))
}

/// Tells whether a tombstone may give its id back to a new object of this caller: same directory, and the same person as far as
/// can be told. A name alone is not enough when the two carry different external ids: names are given to new people.
pub(super) fn may_revive(
    tombstone: &rollcall_store::Tombstone,
    context: &Context,
    external_id: Option<&str>,
) -> bool {
    let same_person = match (&tombstone.external_id, external_id) {
        (Some(old), Some(new)) => old == new,
        _ => true,
    };
    same_person && tombstone.managed_by == context.integration
}

#[cfg(test)]
mod tests {
    use rollcall_model::IntegrationKind;
    use serde_json::json;

    use super::super::{Expected, Wanted};
    use super::*;
    use crate::administrators::WayIn;
    use crate::testing::Installation;

    #[tokio::test]
    async fn a_directory_does_not_change_an_administrators_account_that_it_manages() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let (_, _, directory) = installation.directory(IntegrationKind::Entra).await;
        let body = json!({"userName": "ann", "emails": [{"value": "Ann@Example.com"}]});
        let ann = app.create(&directory, Kind::User, body).await.unwrap();
        let (organisation, email) = (
            installation.organisation.id,
            "ann@example.com".parse().unwrap(),
        );
        app.create_administrator(organisation, email, WayIn::Link, app.command_origin())
            .await
            .unwrap();

        let id = ann.entry.id;
        let changed = app
            .replace(
                &directory,
                Kind::User,
                id,
                json!({"userName": "ann", "active": false}),
                Expected::Any,
                Wanted::NOTHING,
            )
            .await;
        let deleted = app.delete(&directory, Kind::User, id, Expected::Any).await;

        assert!(
            matches!(changed, Err(Failure::Forbidden { .. })),
            "{changed:?}"
        );
        assert!(
            matches!(deleted, Err(Failure::Forbidden { .. })),
            "{deleted:?}"
        );
        app.delete(&installation.command(), Kind::User, id, Expected::Any)
            .await
            .unwrap();
    }
}
