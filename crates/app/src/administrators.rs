//! Administrators: added, listed, given a new way in.

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use ring::digest::{SHA256, digest};
use rollcall_model::{AdminId, Administrator, Email, OrgId, Origin, Role, Secret};
use rollcall_store::{NewAudit, SignInLink};
use serde_json::json;

use crate::{App, Failure};

/// How long a one-time sign-in link works.
const LINK_LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// Shortest and longest password, in characters (NIST SP 800-63B §5.1.1.2: length, no composition rules).
const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 12..=128;

/// How an administrator comes in for the first time, or again.
#[derive(Debug)]
pub enum WayIn {
    /// With this password.
    Password(Secret),
    /// With a one-time link, which is made.
    Link,
}

/// What an administrator is handed.
#[derive(Debug)]
pub enum Handed {
    /// Nothing: the password is known already.
    Nothing,
    /// The address of a page that signs in once.
    Link(Secret),
}

impl App {
    /// Adds an administrator to an organisation. The first one is its owner.
    ///
    /// # Errors
    /// [`Failure::Taken`] when the address is in use, [`Failure::Forbidden`] when the password is too short or too long.
    pub async fn create_administrator(
        &self,
        organisation: OrgId,
        email: Email,
        way: WayIn,
        origin: Origin,
    ) -> Result<(Administrator, Handed), Failure> {
        let now = self.now();
        let id = AdminId::new(now, &**self.randomness());
        let access = self.access(id, way).await?;
        let stored = access.stored;
        let administrator = self
            .store()
            .tenant(organisation)
            .write(move |writer| {
                let first = writer.administrators()?.is_empty();
                let role = if first { Role::Owner } else { Role::Admin };
                let administrator = Administrator {
                    id,
                    email,
                    name: None,
                    role,
                    created: now,
                    signed_in: None,
                };
                writer
                    .insert_administrator(&administrator)
                    .map_err(|error| match error {
                        rollcall_store::Error::Taken { attribute } => Failure::Taken {
                            attribute,
                            hint: "there is an administrator with this address",
                        },
                        other => other.into(),
                    })?;
                stored.keep(writer, id)?;
                let detail = json!({"email": administrator.email, "role": role});
                let entry = NewAudit {
                    origin,
                    action: "administrator.created",
                    object: id.to_string(),
                    detail,
                };
                writer.append_audit(now, &entry)?;
                Ok::<_, Failure>(administrator)
            })
            .await?;
        Ok((administrator, access.handed))
    }

    /// Gives an administrator a new way in, and ends the one that there was.
    ///
    /// # Errors
    /// [`Failure::Missing`] when nobody has this address.
    pub async fn reset_administrator(
        &self,
        organisation: OrgId,
        email: Email,
        way: WayIn,
        origin: Origin,
    ) -> Result<Handed, Failure> {
        let now = self.now();
        let administrator = self
            .administrators(organisation)
            .await?
            .into_iter()
            .find(|administrator| administrator.email == email)
            .ok_or_else(|| Failure::Missing {
                noun: "administrator",
                id: email.to_string(),
            })?;
        let access = self.access(administrator.id, way).await?;
        let stored = access.stored;
        self.store()
            .tenant(organisation)
            .write::<_, Failure, _>(move |writer| {
                stored.keep(writer, administrator.id)?;
                let object = administrator.id.to_string();
                let entry = NewAudit {
                    origin,
                    action: "administrator.reset",
                    object,
                    detail: json!({}),
                };
                Ok(writer.append_audit(now, &entry)?)
            })
            .await?;
        Ok(access.handed)
    }

    /// Lists an organisation's administrators by address.
    pub async fn administrators(&self, organisation: OrgId) -> Result<Vec<Administrator>, Failure> {
        self.store()
            .tenant(organisation)
            .read(|reader| Ok(reader.administrators()?))
            .await
    }

    async fn access(&self, administrator: AdminId, way: WayIn) -> Result<Access, Failure> {
        match way {
            WayIn::Password(password) => {
                let hash = self.hash_password(password).await?;
                Ok(Access {
                    stored: Stored::Hash(hash),
                    handed: Handed::Nothing,
                })
            }
            WayIn::Link => {
                let mut bytes = [0; 32];
                self.randomness().fill(&mut bytes);
                let secret = URL_SAFE_NO_PAD.encode(bytes);
                let mut hash = [0; 32];
                hash.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
                let expires = self
                    .now()
                    .saturating_add(LINK_LIFETIME)
                    .unwrap_or(jiff::Timestamp::MAX);
                let link = SignInLink {
                    administrator,
                    digest: hash,
                    expires,
                };
                let address = format!("{}/sign-in/link/{secret}", self.settings().public_url);
                Ok(Access {
                    stored: Stored::Link(link),
                    handed: Handed::Link(Secret::new(address)),
                })
            }
        }
    }

    async fn hash_password(&self, password: Secret) -> Result<String, Failure> {
        let length = password.expose().chars().count();
        if !PASSWORD_LENGTH.contains(&length) {
            return Err(Failure::Forbidden {
                reason: format!(
                    "a password has {} to {} characters, this one has {length}",
                    PASSWORD_LENGTH.start(),
                    PASSWORD_LENGTH.end()
                ),
            });
        }
        let mut salt = [0; 16];
        self.randomness().fill(&mut salt);
        tokio::task::spawn_blocking(move || {
            let parameters = Params::new(19_456, 2, 1, None).map_err(|e| e.to_string())?;
            Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
                .hash_password_with_salt(password.expose().as_bytes(), &salt)
                .map(|hash| hash.to_string())
                .map_err(|error| error.to_string())
        })
        .await
        .map_err(|error| Failure::Internal(Box::new(error)))?
        .map_err(|error| Failure::Internal(error.into()))
    }
}

/// What is kept of a way in, and what is handed out.
struct Access {
    stored: Stored,
    handed: Handed,
}

enum Stored {
    Hash(String),
    Link(SignInLink),
}

impl Stored {
    fn keep(&self, writer: &mut dyn rollcall_store::Writer, id: AdminId) -> Result<(), Failure> {
        match self {
            Self::Hash(hash) => writer.save_password_hash(id, hash)?,
            Self::Link(link) => writer.save_sign_in_link(link)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Installation;

    #[tokio::test]
    async fn a_new_way_in_ends_the_old_one() {
        let installation = Installation::new().await;
        let (app, organisation) = (&installation.app, installation.organisation.id);
        let email: Email = "ann@example.com".parse().unwrap();
        let password = || WayIn::Password(Secret::new("correct horse battery"));
        let (administrator, _) = app
            .create_administrator(
                organisation,
                email.clone(),
                WayIn::Link,
                app.command_origin(),
            )
            .await
            .unwrap();
        let id = administrator.id;
        let ways = async || {
            let tenant = app.store().tenant(organisation);
            let unit = tenant.read::<_, Failure, _>(move |reader| {
                let password = reader.password_hash(id)?.is_some();
                Ok((password, reader.sign_in_link(id)?.is_some()))
            });
            unit.await.unwrap()
        };
        assert_eq!(ways().await, (false, true));

        for (way, expected) in [(password(), (true, false)), (WayIn::Link, (false, true))] {
            app.reset_administrator(organisation, email.clone(), way, app.command_origin())
                .await
                .unwrap();
            assert_eq!(ways().await, expected);
        }
    }
}
