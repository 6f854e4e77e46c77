//! Adoption: a directory takes charge of an account that was there before it.
//!
//! An account that no directory manages is adopted by the first one that creates or changes it; before that, no directory can
//! delete it. An account that another directory manages is refused, and so is an administrator's, whoever manages it: a
//! directory must not be a way to become one, nor to lock one out.

use rollcall_model::Kind;
use rollcall_scim::key;
use rollcall_store::{Entry, Reader};

use super::Context;
use crate::Failure;

/// What a caller is to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charge {
    /// It manages the object, or needs not to: an administrator or a command.
    Has,
    /// Nobody manages the object yet; changing it means taking charge of it.
    Takes,
}

/// Tells what the caller is to the object.
///
/// # Errors
/// [`Failure::Forbidden`] when the object is another directory's or an administrator's.
pub(super) fn charge(
    reader: &dyn Reader,
    context: &Context,
    entry: &Entry,
) -> Result<Charge, Failure> {
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
            return Err(Failure::Forbidden {
                reason: format!(
                    "this {} is managed by {title}; disconnect it there, or change it there",
                    entry.kind.resource_type().to_lowercase()
                ),
            });
        }
        None => Charge::Takes,
    };
    // somebody may have become an administrator after a directory took charge of the account
    if is_administrator(reader, entry)? {
        return Err(Failure::Forbidden {
            reason: "this account belongs to an administrator of the organisation: a directory can neither take it over nor change it"
                .into(),
        });
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
