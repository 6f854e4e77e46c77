//! API keys: made, listed, revoked, and checked on every request.
//!
//! As of tokens, only the SHA-256 of a key is kept (see [`crate::tokens`]). Nothing is remembered between requests, so a key that is revoked
//! is refused by every server from the next request on.

use std::sync::Arc;

use jiff::Timestamp;
use rollcall_model::clock::is_within;
use rollcall_model::letter::Content;
use rollcall_model::{
    Actor, ApiKey, KeyId, KeyName, KeyRecord, KeyRole, OrgId, Organisation, Origin, RequestId,
    Secret,
};
use rollcall_store::{AuditQuery, NewAudit, Tenant, Writer};
use serde_json::json;

use crate::directory::Context;
use crate::post::BEFORE;
use crate::tokens::{NOTED_EVERY, sha256};
use crate::{App, Failure};

/// So many keys of an organisation may work at the same time.
const KEYS: usize = 100;

/// What a key is to be.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What it is for.
    pub name: KeyName,
    /// What it may do.
    pub role: KeyRole,
    /// From when on it is refused; absent: never.
    pub expires: Option<Timestamp>,
}

/// A program whose key was checked: the proof that a request may act in an organisation.
#[derive(Debug, Clone)]
pub struct KeyHolder {
    /// The organisation that the key opens.
    pub organisation: Arc<Organisation>,
    /// The key.
    pub key: KeyId,
    /// What it may do.
    pub role: KeyRole,
    tenant: Tenant,
    origin: Origin,
}

impl KeyHolder {
    /// Returns in whose name, and where, the holder's requests act.
    pub fn context(&self) -> Context {
        Context::new(self.tenant.clone(), self.origin.clone(), None)
    }

    /// Returns who asks.
    pub fn origin(&self) -> Origin {
        self.origin.clone()
    }
}

impl App {
    /// Makes an API key of an organisation. Returns it; it cannot be had again.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] when the organisation has many already.
    pub async fn create_api_key(
        &self,
        organisation: OrgId,
        new: NewKey,
        origin: Origin,
    ) -> Result<(KeyRecord, Secret), Failure> {
        let now = self.now();
        let key = ApiKey::generate(self.settings().region.clone(), &**self.randomness());
        let digest = sha256(key.secret());
        let record = KeyRecord {
            id: KeyId::new(now, &**self.randomness()),
            name: new.name,
            role: new.role,
            created: now,
            created_by: origin.actor.clone(),
            expires: new.expires,
            revoked: None,
            last_used: None,
            ending: key.ending(),
        };
        let (app, stored) = (self.clone(), record.clone());
        self.store()
            .tenant(organisation)
            .write::<_, Failure, _>(move |writer| {
                let working = writer.api_keys()?;
                if working.iter().filter(|key| key.is_valid(now)).count() >= KEYS {
                    return Err(Failure::Forbidden {
                        reason: format!(
                            "this organisation has {KEYS} API keys: revoke those that nobody uses"
                        ),
                    });
                }
                writer.insert_api_key(&stored, &digest)?;
                app.post_key_made(writer, now, &stored)?;
                let detail =
                    json!({"name": stored.name, "role": stored.role, "expires": stored.expires});
                let entry = NewAudit {
                    origin,
                    action: "api_key.created",
                    object: stored.id.to_string(),
                    detail,
                };
                writer.append_audit(now, &entry)?;
                Ok(())
            })
            .await?;
        Ok((record, key.secret().clone()))
    }

    /// Lists an organisation's API keys, in order of creation.
    pub async fn api_keys(&self, organisation: OrgId) -> Result<Vec<KeyRecord>, Failure> {
        self.store()
            .tenant(organisation)
            .read(|reader| Ok(reader.api_keys()?))
            .await
    }

    /// Refuses an API key from now on, and every provisioning token that it made. Returns how many of these there were.
    ///
    /// # Errors
    /// [`Failure::Missing`] when there is no such key.
    pub async fn revoke_api_key(
        &self,
        organisation: OrgId,
        key: KeyId,
        origin: Origin,
    ) -> Result<usize, Failure> {
        let now = self.now();
        self.store()
            .tenant(organisation)
            .write(move |writer| {
                let Some(record) = writer.api_keys()?.into_iter().find(|one| one.id == key) else {
                    return Err(Failure::Missing {
                        noun: "API key",
                        id: key.to_string(),
                    });
                };
                writer.revoke_api_key(key, now)?;
                let mut made = writer.tokens()?;
                made.retain(|token| {
                    token.created_by == (Actor::Key { id: key }) && token.revoked.is_none()
                });
                let entry = NewAudit {
                    origin: origin.clone(),
                    action: "api_key.revoked",
                    object: key.to_string(),
                    detail: json!({"name": record.name, "tokens": made.len()}),
                };
                writer.append_audit(now, &entry)?;
                for token in &made {
                    writer.revoke_token(token.id, now)?;
                    let entry = NewAudit {
                        origin: origin.clone(),
                        action: "token.revoked",
                        object: token.id.to_string(),
                        detail: json!({"made_by": record.name}),
                    };
                    writer.append_audit(now, &entry)?;
                }
                Ok(made.len())
            })
            .await
    }

    /// Announces keys that end soon to the owners: two weeks before, and once more three days before. Called now and then; of which it has
    /// told it does not tell again. An organisation where that cannot be done now is told the next time.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub async fn announce_expiring_keys(&self) -> Result<(), Failure> {
        let now = self.now();
        for organisation in self.organisations().await? {
            let (app, origin) = (self.clone(), self.command_origin());
            let announced = self
                .store()
                .tenant(organisation.id)
                .quiet()
                .write::<_, Failure, _>(move |writer| {
                    for key in writer.api_keys()? {
                        app.announce_end(writer, now, &key, &origin)?;
                    }
                    Ok(())
                })
                .await;
            if let Err(failure) = announced {
                tracing::warn!(organisation = %organisation.id, %failure, "expiring API keys could not be looked for");
            }
        }
        Ok(())
    }

    fn announce_end(
        &self,
        writer: &mut dyn Writer,
        now: Timestamp,
        key: &KeyRecord,
        origin: &Origin,
    ) -> Result<(), Failure> {
        let Some(at) = key.expires.filter(|at| *at > now) else {
            return Ok(());
        };
        // a key that was made for a day is no news the day before
        let (left, life) = (at.duration_since(now), at.duration_since(key.created));
        let stages = BEFORE
            .iter()
            .filter(|before| left <= **before && **before < life);
        let Some(stage) = stages.min() else {
            return Ok(());
        };
        let told = format!("{} {}", key.id, stage.as_hours());
        let query = AuditQuery {
            action: Some("api_key.expiry_announced".to_owned()),
            object: Some(told.clone()),
            ..AuditQuery::default()
        };
        if !writer.audit_where(&query, 1)?.is_empty() {
            return Ok(());
        }
        let content = Content::KeyExpires {
            name: key.name.to_string(),
            at,
            url: format!("{}/settings/security", self.settings().public_url),
        };
        self.post_to_owners(writer, now, &content)?;
        let entry = NewAudit {
            origin: Origin {
                actor: Actor::System,
                ..origin.clone()
            },
            action: "api_key.expiry_announced",
            object: told,
            detail: json!({"expires": at}),
        };
        writer.append_audit(now, &entry)?;
        Ok(())
    }

    /// Checks the API key of a request. The key says which organisation it opens; nothing else of the request does.
    ///
    /// # Errors
    /// [`Failure::Unauthenticated`]; [`Failure::OtherRegion`] for a key or an organisation of another region.
    pub async fn authenticate_key(
        &self,
        bearer: &Secret,
        request: RequestId,
        address: Option<String>,
    ) -> Result<KeyHolder, Failure> {
        let key: ApiKey = bearer.expose().parse().map_err(|_| Failure::Unauthenticated {
            reason: "this is not an API key: it looks like `rk_REGION_…` and must be copied whole",
        })?;
        let elsewhere = |region: &rollcall_model::Region| Failure::OtherRegion {
            url: (self.settings().regions.get(region)).map(|url| format!("{url}/api/v1")),
            region: region.clone(),
        };
        if *key.region() != self.settings().region {
            return Err(elsewhere(key.region()));
        }
        let found = self.store().key(sha256(key.secret())).await?;
        let (organisation, record) = found.ok_or(Failure::Unauthenticated {
            reason: "this API key is not known: make one under Settings > Admins and security, or with `rollcall api-key create`",
        })?;
        if organisation.region != self.settings().region {
            return Err(elsewhere(&organisation.region));
        }
        let now = self.now();
        if !record.is_valid(now) {
            return Err(Failure::Unauthenticated {
                reason: "this API key has expired or was revoked: make a new one under Settings > Admins and security, or with `rollcall api-key create`",
            });
        }
        let tenant = self.store().tenant(organisation.id);
        self.note_use_of_key(&tenant, &record, now);
        Ok(KeyHolder {
            organisation: Arc::new(organisation),
            key: record.id,
            role: record.role,
            tenant,
            origin: Origin {
                actor: Actor::Key { id: record.id },
                request,
                address,
            },
        })
    }

    /// Notes that a key was used, beside the request, as [`App::authenticate`] does of tokens.
    fn note_use_of_key(&self, tenant: &Tenant, record: &KeyRecord, now: Timestamp) {
        let id = record.id;
        let is_recent = record
            .last_used
            .is_some_and(|used| is_within(NOTED_EVERY, used, now));
        if is_recent || !self.noting_keys.begin(id) {
            return;
        }
        let (noting, tenant) = (self.noting_keys.clone(), tenant.clone());
        tokio::spawn(async move {
            let noted = tenant
                .write::<_, Failure, _>(move |writer| Ok(writer.touch_api_key(id, now)?))
                .await;
            noting.end(id);
            if let Err(failure) = noted {
                tracing::warn!(key = %id, %failure, "the use of an API key could not be noted");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::testing::Installation;

    async fn made(installation: &Installation, expires: Option<Timestamp>) -> (KeyRecord, Secret) {
        let app = &installation.app;
        let new = NewKey {
            name: "nightly".parse().unwrap(),
            role: KeyRole::Read,
            expires,
        };
        let organisation = installation.organisation.id;
        let made = app.create_api_key(organisation, new, app.command_origin());
        made.await.unwrap()
    }

    #[tokio::test]
    async fn a_key_opens_its_organisation_until_it_ends_or_is_revoked() {
        let installation = Installation::new().await;
        let (app, organisation) = (&installation.app, installation.organisation.id);
        let check = async |key: &Secret| {
            let checked = app.authenticate_key(key, app.new_request_id(), None);
            checked.await.map(|holder| holder.organisation.id)
        };
        let (_, short) = made(
            &installation,
            Some(app.now() + SignedDuration::from_hours(1)),
        )
        .await;
        let (record, long) = made(&installation, None).await;
        assert_eq!(check(&short).await.unwrap(), organisation);
        assert_eq!(check(&long).await.unwrap(), organisation);

        installation.clock.advance(SignedDuration::from_hours(1));
        let origin = app.command_origin();
        let ended = check(&short).await;
        assert!(
            matches!(ended, Err(Failure::Unauthenticated { .. })),
            "{ended:?}"
        );
        assert_eq!(check(&long).await.unwrap(), organisation);
        app.revoke_api_key(organisation, record.id, origin)
            .await
            .unwrap();
        let revoked = check(&long).await;
        assert!(
            matches!(revoked, Err(Failure::Unauthenticated { .. })),
            "{revoked:?}"
        );
    }

    #[tokio::test]
    async fn the_owners_are_told_twice_before_a_key_ends() {
        let installation = Installation::new().await;
        let (app, organisation) = (&installation.app, installation.organisation.id);
        let email = "owner@example.com".parse().unwrap();
        let way = crate::administrators::WayIn::Link;
        app.create_administrator(organisation, email, way, app.command_origin())
            .await
            .unwrap();
        let day = SignedDuration::from_hours(24);
        made(&installation, Some(app.now() + day * 90)).await;
        made(&installation, Some(app.now() + day * 2)).await;
        let told = async || {
            for _ in 0..2 {
                app.announce_expiring_keys().await.unwrap();
            }
            let letters = app.due_letters().await.unwrap();
            let is_news = |letter: &&crate::post::Due| {
                matches!(letter.letter.content, Content::KeyExpires { .. })
            };
            letters.iter().filter(is_news).count()
        };

        assert_eq!(told().await, 0);
        installation.clock.advance(day * 80);
        assert_eq!(told().await, 1);
        installation.clock.advance(day * 8);
        assert_eq!(told().await, 2);
        installation.clock.advance(day * 8);
        assert_eq!(told().await, 2);
    }

    #[tokio::test]
    async fn making_and_revoking_a_key_is_audited_and_the_owners_are_told() {
        let installation = Installation::new().await;
        let (app, organisation) = (&installation.app, installation.organisation.id);
        let email = "owner@example.com".parse().unwrap();
        let way = crate::administrators::WayIn::Link;
        let origin = app.command_origin();
        app.create_administrator(organisation, email, way, origin)
            .await
            .unwrap();
        let before = app.due_letters().await.unwrap().len();

        let (record, key) = made(&installation, None).await;
        app.revoke_api_key(organisation, record.id, app.command_origin())
            .await
            .unwrap();

        let letters = app.due_letters().await.unwrap();
        assert_eq!(letters.len(), before + 1);
        assert!(!format!("{letters:?}").contains(key.expose()));
        let tenant = app.store().tenant(organisation);
        let read = tenant.read::<_, Failure, _>(|reader| Ok(reader.audit(None, 2)?));
        let entries = read.await.unwrap();
        let actions: Vec<&str> = entries.iter().map(|one| one.action.as_str()).collect();
        assert_eq!(actions, ["api_key.revoked", "api_key.created"]);
        assert!(!format!("{entries:?}").contains(key.expose()));
        let missing = app.revoke_api_key(
            organisation,
            KeyId::from_bytes([1; 16]),
            app.command_origin(),
        );
        assert!(matches!(missing.await, Err(Failure::Missing { .. })));
    }
}
