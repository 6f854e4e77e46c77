//! Administrators: added, listed, given a new way in.

use jiff::SignedDuration;
use rollcall_model::clock::has_come;
use rollcall_model::letter::Content;
use rollcall_model::{
    Actor, AdminId, Administrator, Email, OrgId, Origin, Role, Rules, Secret, Slug,
};
use rollcall_store::{NewAudit, Reader, SignInLink};
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::organisations::NewOrganisation;
use crate::post::called;
use crate::sign_in::{Knock, Proof, Visitor, check_password, sha256, there};
use crate::{App, Failure};

/// How long a one-time sign-in link works.
const LINK_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// How an administrator comes in for the first time, or again.
#[derive(Debug)]
pub enum WayIn {
    /// With this password.
    Password(Secret),
    /// With a one-time link, which is made.
    Link,
}

/// An administrator, with what the others see of how they come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The administrator.
    pub administrator: Administrator,
    /// Whether a second factor is asked for.
    pub second_factor: bool,
    /// How many recovery codes are left.
    pub recovery_codes: u64,
}

/// What an administrator is handed.
#[derive(Debug)]
pub enum Handed {
    /// Nothing: the password is known already.
    Nothing,
    /// The address of a page that signs in once.
    Link(Secret),
}

/// Tells whether a link still works.
pub(crate) fn is_good(link: &SignInLink, now: jiff::Timestamp) -> bool {
    !has_come(link.expires, now, LINK_LIFETIME)
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
        self.add_administrator(organisation, email, None, way, origin)
            .await
    }

    /// Invites somebody to administer, with a one-time link that is returned and mailed.
    ///
    /// # Errors
    /// [`Failure::Taken`] when the address is in use.
    pub async fn invite_administrator(
        &self,
        visitor: &Visitor,
        email: Email,
        role: Role,
    ) -> Result<(Administrator, Handed), Failure> {
        let (organisation, origin) = (visitor.organisation.id, visitor.origin());
        self.add_administrator(organisation, email, Some(role), WayIn::Link, origin)
            .await
    }

    async fn add_administrator(
        &self,
        organisation: OrgId,
        email: Email,
        role: Option<Role>,
        way: WayIn,
        origin: Origin,
    ) -> Result<(Administrator, Handed), Failure> {
        let now = self.now();
        let id = AdminId::new(now, &**self.randomness());
        let access = self.access(organisation, id, &email, way).await?;
        let (stored, letter) = (access.stored, access.letter);
        let app = self.clone();
        let administrator = self
            .store()
            .tenant(organisation)
            .write(move |writer| {
                let first = writer.administrators()?.is_empty();
                let role = match role {
                    _ if first => Role::Owner,
                    Some(role) => role,
                    None => Role::Admin,
                };
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
                if let Some((url, until)) = letter {
                    let by = called(writer, &origin.actor)?;
                    let content = Content::Invitation { by, url, until };
                    app.post_to(writer, now, &administrator.email, content)?;
                }
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
        let access = self
            .access(organisation, administrator.id, &email, way)
            .await?;
        let (stored, letter) = (access.stored, access.letter);
        let app = self.clone();
        self.store()
            .tenant(organisation)
            .write::<_, Failure, _>(move |writer| {
                stored.keep(writer, administrator.id)?;
                writer.end_sessions(administrator.id, None)?;
                if let Some((url, until)) = letter {
                    let by = called(writer, &origin.actor)?;
                    let content = Content::NewWayIn { by, url, until };
                    app.post_to(writer, now, &administrator.email, content)?;
                }
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

    /// Changes what an administrator may do; what they have open is under the new role from the next request on.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Forbidden`] for the last owner.
    pub async fn change_role(
        &self,
        visitor: &Visitor,
        id: AdminId,
        role: Role,
    ) -> Result<(), Failure> {
        let now = self.now();
        let origin = visitor.origin();
        visitor
            .tenant()
            .write::<_, Failure, _>(move |writer| {
                let mut administrator = there(writer, id)?;
                let before = administrator.role;
                if role != Role::Owner {
                    not_the_last_owner(writer, &administrator)?;
                }
                administrator.role = role;
                writer.save_administrator(&administrator)?;
                let entry = NewAudit {
                    origin,
                    action: "administrator.role_changed",
                    object: id.to_string(),
                    detail: json!({"from": before, "to": role}),
                };
                writer.append_audit(now, &entry)?;
                Ok(())
            })
            .await
    }

    /// Removes an administrator; their sessions end with the next request.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Forbidden`] for the last owner.
    pub async fn remove_administrator(
        &self,
        visitor: &Visitor,
        id: AdminId,
    ) -> Result<(), Failure> {
        let now = self.now();
        let origin = visitor.origin();
        visitor
            .tenant()
            .write::<_, Failure, _>(move |writer| {
                let administrator = there(writer, id)?;
                not_the_last_owner(writer, &administrator)?;
                writer.remove_administrator(id)?;
                let entry = NewAudit {
                    origin,
                    action: "administrator.removed",
                    object: id.to_string(),
                    detail: json!({"email": administrator.email}),
                };
                writer.append_audit(now, &entry)?;
                Ok(())
            })
            .await
    }

    /// Changes the name by which an administrator is known; absent: the address.
    pub async fn rename_self(
        &self,
        visitor: &Visitor,
        name: Option<String>,
    ) -> Result<(), Failure> {
        let id = visitor.administrator.id;
        visitor
            .tenant()
            .write::<_, Failure, _>(move |writer| {
                let mut administrator = there(writer, id)?;
                administrator.name = name;
                Ok(writer.save_administrator(&administrator)?)
            })
            .await
    }

    /// Opens the set-up of an installation without organisations: returns the address of the page that makes the first one. Absent: there
    /// is one already. The address before, if any, is no longer good.
    pub async fn open_set_up(&self) -> Result<Option<Secret>, Failure> {
        if !self.organisations().await?.is_empty() {
            return Ok(None);
        }
        let secret = self.random_secret();
        self.set_up_code.keep(Some(sha256(secret.expose())));
        let public_url = &self.settings().public_url;
        let address = format!("{public_url}/setup?code={}", secret.expose());
        Ok(Some(Secret::new(address)))
    }

    /// Tells whether this is the code of the set-up that is open.
    pub fn is_set_up_code(&self, code: &Secret) -> bool {
        self.set_up_code.is(sha256(code.expose()))
    }

    /// Makes the first organisation and its owner, who is let in. Closes the set-up for ever.
    ///
    /// # Errors
    /// [`Failure::Unauthenticated`] when the code is not good (any more); [`Failure::Forbidden`] when the password is not good enough.
    pub async fn set_up(
        &self,
        code: &Secret,
        slug: Slug,
        name: String,
        owner: (Email, Secret),
        knock: &Knock,
    ) -> Result<Proof, Failure> {
        const CLOSED: Failure = Failure::Unauthenticated {
            reason: "this set-up link is not good any more: the server prints a new one when it starts, as long as there is no organisation",
        };
        let (email, password) = owner;
        if !self.is_set_up_code(code) {
            return Err(CLOSED);
        }
        check_password(&password, &[email.as_str(), &name])?;
        // of two who use it at once only one goes on
        if !self.set_up_code.take(sha256(code.expose())) {
            return Err(CLOSED);
        }
        let made = async {
            let organisation = self
                .create_organisation(NewOrganisation {
                    slug,
                    name,
                    region: None,
                    seats: None,
                    trial_until: None,
                })
                .await?;
            let way = WayIn::Password(password);
            let origin = Origin {
                actor: Actor::System,
                request: knock.request,
                address: knock.address.clone(),
            };
            let (owner, _) = self
                .create_administrator(organisation.id, email, way, origin)
                .await?;
            self.begin(&organisation, owner.id, knock).await
        };
        let made = made.await;
        if made.is_err() && self.organisations().await?.is_empty() {
            self.set_up_code.keep(Some(sha256(code.expose())));
        }
        made
    }

    /// Lists the administrators of a visitor's organisation with how they come in, by address.
    pub async fn administrators_standing(
        &self,
        visitor: &Visitor,
    ) -> Result<Vec<Standing>, Failure> {
        visitor
            .tenant()
            .read(|reader| {
                let administrators = reader.administrators()?.into_iter();
                administrators
                    .map(|administrator| {
                        Ok(Standing {
                            second_factor: reader.second_factor(administrator.id)?.is_some(),
                            recovery_codes: reader.recovery_codes(administrator.id)?,
                            administrator,
                        })
                    })
                    .collect()
            })
            .await
    }

    /// Changes what the organisation asks of its administrators.
    pub async fn change_rules(&self, visitor: &Visitor, rules: Rules) -> Result<(), Failure> {
        let now = self.now();
        let origin = visitor.origin();
        visitor
            .tenant()
            .write::<_, Failure, _>(move |writer| {
                let mut organisation = writer.organisation()?;
                let detail = json!({"from": organisation.rules, "to": rules});
                organisation.rules = rules;
                writer.save_organisation(&organisation)?;
                let entry = NewAudit {
                    origin,
                    action: "organisation.rules_changed",
                    object: organisation.id.to_string(),
                    detail,
                };
                writer.append_audit(now, &entry)?;
                Ok(())
            })
            .await
    }

    async fn access(
        &self,
        organisation: OrgId,
        administrator: AdminId,
        email: &Email,
        way: WayIn,
    ) -> Result<Access, Failure> {
        match way {
            WayIn::Password(password) => {
                check_password(&password, &[email.as_str()])?;
                let hash = self.passwords.hash(password, &**self.randomness()).await?;
                Ok(Access {
                    stored: Stored::Hash(hash),
                    handed: Handed::Nothing,
                    letter: None,
                })
            }
            WayIn::Link => {
                let secret = self.random_secret();
                let expires = self
                    .now()
                    .saturating_add(LINK_LIFETIME)
                    .unwrap_or(jiff::Timestamp::MAX);
                let link = SignInLink {
                    administrator,
                    digest: sha256(secret.expose()),
                    expires,
                };
                // in the query, for paths are logged
                let address = format!(
                    "{}/signin/link?token={organisation}.{}",
                    self.settings().public_url,
                    secret.expose()
                );
                Ok(Access {
                    stored: Stored::Link(link),
                    letter: Some((address.clone(), expires)),
                    handed: Handed::Link(Secret::new(address)),
                })
            }
        }
    }
}

fn not_the_last_owner<R: Reader + ?Sized>(
    reader: &R,
    administrator: &Administrator,
) -> Result<(), Failure> {
    let owners = reader
        .administrators()?
        .into_iter()
        .filter(|one| one.role == Role::Owner)
        .count();
    if administrator.role == Role::Owner && owners == 1 {
        return Err(Failure::Forbidden {
            reason: format!(
                "{} is the only owner: make somebody else an owner first",
                administrator.title()
            ),
        });
    }
    Ok(())
}

/// The digest of the code that opens the set-up of an installation; in memory only, so a new start makes a new one.
#[derive(Debug, Default)]
pub(crate) struct SetUpCode(std::sync::Mutex<Option<[u8; 32]>>);

impl SetUpCode {
    fn keep(&self, code: Option<[u8; 32]>) {
        *self.lock() = code;
    }

    fn is(&self, code: [u8; 32]) -> bool {
        self.lock().is_some_and(|kept| kept.ct_eq(&code).into())
    }

    fn take(&self, code: [u8; 32]) -> bool {
        let mut kept = self.lock();
        let is = kept.is_some_and(|kept| kept.ct_eq(&code).into());
        if is {
            *kept = None;
        }
        is
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<[u8; 32]>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What is kept of a way in, and what is handed out.
struct Access {
    stored: Stored,
    handed: Handed,
    /// What is mailed of it: the link, and until when it works.
    letter: Option<(String, jiff::Timestamp)>,
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

    fn knock(app: &App) -> Knock {
        Knock {
            request: app.new_request_id(),
            address: None,
            network: String::new(),
            agent: None,
            device: None,
        }
    }

    #[tokio::test]
    async fn the_last_owner_stays() {
        let installation = Installation::new().await;
        let (app, organisation) = (&installation.app, installation.organisation.clone());
        let add = async |email: &str| {
            let way = WayIn::Password(Secret::new("correct horse battery"));
            let origin = app.command_origin();
            let added =
                app.create_administrator(organisation.id, email.parse().unwrap(), way, origin);
            added.await.unwrap().0
        };
        let (ann, bob) = (add("ann@example.com").await, add("bob@example.com").await);
        assert_eq!((ann.role, bob.role), (Role::Owner, Role::Admin));
        let proof = app.begin(&organisation, ann.id, &knock(app)).await.unwrap();
        let visitor = app.visitor(&proof.cookie, app.new_request_id(), None).await;
        let visitor = visitor.unwrap().unwrap();

        let demoted = app.change_role(&visitor, ann.id, Role::Auditor).await;
        assert!(matches!(demoted, Err(Failure::Forbidden { .. })));
        let removed = app.remove_administrator(&visitor, ann.id).await;
        assert!(matches!(removed, Err(Failure::Forbidden { .. })));

        app.change_role(&visitor, bob.id, Role::Owner)
            .await
            .unwrap();
        app.remove_administrator(&visitor, ann.id).await.unwrap();
        let gone = app.visitor(&proof.cookie, app.new_request_id(), None).await;
        assert!(gone.unwrap().is_none());
    }

    #[tokio::test]
    async fn the_set_up_is_open_once_and_only_without_organisations() {
        let installation = Installation::new().await;
        let app = &installation.app;
        assert!(app.open_set_up().await.unwrap().is_none());
        app.delete_organisation(&installation.organisation)
            .await
            .unwrap();
        let address = app.open_set_up().await.unwrap().unwrap();
        let code = Secret::new(address.expose().split_once("code=").unwrap().1);
        let set_up = async |code: &Secret, password: &str| {
            let owner = ("ann@example.com".parse().unwrap(), Secret::new(password));
            let slug = "vault".parse().unwrap();
            app.set_up(code, slug, "Vault".to_owned(), owner, &knock(app))
                .await
        };

        let wrong = set_up(&Secret::new("guess"), "correct horse battery").await;
        assert!(matches!(wrong, Err(Failure::Unauthenticated { .. })));
        assert!(matches!(
            set_up(&code, "weak").await,
            Err(Failure::Forbidden { .. })
        ));
        assert!(set_up(&code, "correct horse battery").await.is_ok());
        let again = set_up(&code, "correct horse battery").await;
        assert!(matches!(again, Err(Failure::Unauthenticated { .. })));
        assert!(app.open_set_up().await.unwrap().is_none());
    }
}
