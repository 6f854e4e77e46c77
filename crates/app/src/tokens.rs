//! Provisioning tokens: created, reset, listed, revoked, and checked on every request.
//!
//! A token is shown once. What is kept is its SHA-256: with 256 random bits in the token there is nothing to guess, so a slow
//! hash would only slow down honest requests.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use rollcall_model::clock::is_within;
use rollcall_model::integration::Seen;
use rollcall_model::{
    Actor, Integration, IntegrationId, IntegrationKind, KeyId, OrgId, Organisation, Origin,
    ProvisioningToken, RequestId, Secret, Slug, TokenId, TokenRecord,
};
use rollcall_store::{NewAudit, Tenant, Writer};
use serde_json::json;

use crate::directory::Context;
use crate::{App, Failure};

/// A use is noted when the last one noted is older than this, so that reading does not turn into writing.
pub(crate) const NOTED_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// So many tokens of an integration may work at the same time.
const TOKENS: usize = 20;
/// So many are made in an hour: each is told to the administrators by mail.
const MADE_IN_AN_HOUR: usize = 40;
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// For so long it can be seen that a token was revoked.
const REVOKED_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// So long at most works the token that an API key without an end makes.
pub const MADE_BY_KEY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How long the token that a reset replaces goes on working.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Not at all: the next request with it is refused.
    None,
    /// So long.
    For(SignedDuration),
}

/// The tokens, or API keys, whose use is being noted: a note that waits for the writer is not made again by each request meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Noting<Id>(Arc<Mutex<HashSet<Id>>>);

impl<Id> Default for Noting<Id> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<Id: Copy + Eq + Hash> Noting<Id> {
    /// Tells whether the note is to be made, by the caller.
    pub(crate) fn begin(&self, id: Id) -> bool {
        self.noted().insert(id)
    }

    pub(crate) fn end(&self, id: Id) {
        self.noted().remove(&id);
    }

    fn noted(&self) -> MutexGuard<'_, HashSet<Id>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bearer whose token was checked: the proof that a request acts for an integration of an organisation.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The organisation.
    pub organisation: Arc<Organisation>,
    /// The integration.
    pub integration: IntegrationId,
    /// The token that was used.
    pub token: TokenId,
    tenant: Tenant,
    origin: Origin,
}

impl Caller {
    /// Returns in whose name, and where, the caller's requests act.
    pub fn context(&self) -> Context {
        Context::new(
            self.tenant.clone(),
            self.origin.clone(),
            Some(self.integration),
        )
    }
}

impl App {
    /// Creates a token for an integration of the given kind, which is connected if it was not yet. Returns the token, which
    /// cannot be had again. One that an API key makes ends no later than the key, or after [`MADE_BY_KEY`] where that has no end: whoever
    /// finds a key gains nothing that stays.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] when the integration has many already.
    pub async fn create_token(
        &self,
        organisation: OrgId,
        kind: IntegrationKind,
        expires: Option<Timestamp>,
        origin: Origin,
    ) -> Result<(TokenRecord, Secret), Failure> {
        self.issue(organisation, kind, expires, origin, None).await
    }

    /// Replaces the tokens of an integration by a new one, which lives as long as the latest of them was meant to: resetting a
    /// token must not be a way to make one that never ends. What an API key may make is as in [`App::create_token`].
    ///
    /// # Errors
    /// [`Failure::Missing`] when the organisation has no token of this kind of integration that could be reset.
    pub async fn reset_token(
        &self,
        organisation: OrgId,
        kind: IntegrationKind,
        overlap: Overlap,
        origin: Origin,
    ) -> Result<(TokenRecord, Secret), Failure> {
        self.issue(organisation, kind, None, origin, Some(overlap))
            .await
    }

    async fn issue(
        &self,
        organisation: OrgId,
        kind: IntegrationKind,
        expires: Option<Timestamp>,
        origin: Origin,
        reset: Option<Overlap>,
    ) -> Result<(TokenRecord, Secret), Failure> {
        let now = self.now();
        let token =
            ProvisioningToken::generate(self.settings().region.clone(), &**self.randomness());
        let hash = sha256(token.secret());
        let ending = token.ending();
        let integration = Integration {
            id: IntegrationId::new(now, &**self.randomness()),
            kind,
            created: now,
            seen: Seen::default(),
        };
        let id = TokenId::new(now, &**self.randomness());
        let app = self.clone();
        let record = self
            .store()
            .tenant(organisation)
            .write::<_, Failure, _>(move |writer| {
                let integration = connected(writer, integration)?;
                let expires = match reset {
                    Some(overlap) => retire(writer, &integration, overlap, now)?
                        .map(|lifetime| now.saturating_add(lifetime).unwrap_or(Timestamp::MAX)),
                    None => expires,
                };
                let expires = match &origin.actor {
                    Actor::Key { id } => Some(within_key(writer, *id, expires, now)?),
                    _ => expires,
                };
                if let Ok(kept) = now.checked_sub(REVOKED_KEPT) {
                    writer.forget_revoked_tokens(kept)?;
                }
                let mut own = writer.tokens()?;
                own.retain(|token| token.integration == integration.id);
                let fresh = own.iter().filter(|token| is_within(HOUR, token.created, now));
                if fresh.count() >= MADE_IN_AN_HOUR {
                    return Err(Failure::TooMany {
                        seconds: HOUR.as_secs().unsigned_abs(),
                    });
                }
                if own.iter().filter(|token| token.is_valid(now)).count() >= TOKENS {
                    return Err(Failure::Forbidden {
                        reason: format!(
                            "the {kind} integration has {TOKENS} tokens that work: revoke those that nobody uses"
                        ),
                    });
                }
                let record = TokenRecord {
                    id,
                    integration: integration.id,
                    created: now,
                    created_by: origin.actor.clone(),
                    expires,
                    revoked: None,
                    last_used: None,
                    ending: Some(ending),
                };
                writer.insert_token(&record, &hash)?;
                let action = if reset.is_some() {
                    "token.reset"
                } else {
                    "token.created"
                };
                app.post_token_made(writer, now, kind, &origin.actor)?;
                let detail = json!({"integration": kind.word(), "expires": expires});
                writer.append_audit(
                    now,
                    &NewAudit {
                        origin,
                        action,
                        object: id.to_string(),
                        detail,
                    },
                )?;
                Ok(record)
            })
            .await?;
        Ok((record, token.secret().clone()))
    }

    /// Lists an organisation's integrations and tokens.
    pub async fn tokens(
        &self,
        organisation: OrgId,
    ) -> Result<(Vec<Integration>, Vec<TokenRecord>), Failure> {
        self.store()
            .tenant(organisation)
            .read(|reader| Ok((reader.integrations()?, reader.tokens()?)))
            .await
    }

    /// Refuses a token from now on.
    ///
    /// # Errors
    /// [`Failure::Missing`] when there is no such token.
    pub async fn revoke_token(
        &self,
        organisation: OrgId,
        token: TokenId,
        origin: Origin,
    ) -> Result<(), Failure> {
        let now = self.now();
        self.store()
            .tenant(organisation)
            .write(move |writer| {
                if !writer.tokens()?.iter().any(|record| record.id == token) {
                    return Err(Failure::Missing {
                        noun: "token",
                        id: token.to_string(),
                    });
                }
                writer.revoke_token(token, now)?;
                let entry = NewAudit {
                    origin,
                    action: "token.revoked",
                    object: token.to_string(),
                    detail: json!({}),
                };
                writer.append_audit(now, &entry)?;
                Ok(())
            })
            .await
    }

    /// Checks the bearer token of a request to the organisation named in its path.
    ///
    /// The token is looked up inside that organisation, so a token can never open another one.
    ///
    /// # Errors
    /// [`Failure::Unauthenticated`], alike for an unknown organisation and a wrong token; [`Failure::OtherRegion`] for a
    /// token or an organisation of another region.
    pub async fn authenticate(
        &self,
        slug: &str,
        bearer: &Secret,
        request: RequestId,
        address: Option<String>,
    ) -> Result<Caller, Failure> {
        const REFUSED: &str = "the provisioning token is not valid for this URL: copy URL and token from Settings > Directory integrations";
        let token: ProvisioningToken = bearer.expose().parse().map_err(|_| Failure::Unauthenticated {
            reason: "the bearer token is not a provisioning token: it looks like `rc_REGION_…` and must be copied whole",
        })?;
        let slug: Slug = slug
            .parse()
            .map_err(|_| Failure::Unauthenticated { reason: REFUSED })?;
        if *token.region() != self.settings().region {
            return Err(self.other_region(token.region(), &slug));
        }
        let (organisation, record) = self
            .store()
            .bearer(&slug, sha256(token.secret()))
            .await?
            .ok_or(Failure::Unauthenticated { reason: REFUSED })?;
        let tenant = self.store().tenant(organisation.id);
        if organisation.region != self.settings().region {
            return Err(self.other_region(&organisation.region, &slug));
        }
        let now = self.now();
        if !record.is_valid(now) {
            return Err(Failure::Unauthenticated {
                reason: "the provisioning token has expired or was reset: create a new one under Settings > Directory integrations",
            });
        }
        self.note_use(&tenant, &record, now);
        let actor = Actor::Integration {
            id: record.integration,
            token: record.id,
        };
        Ok(Caller {
            organisation: Arc::new(organisation),
            integration: record.integration,
            token: record.id,
            tenant,
            origin: Origin {
                actor,
                request,
                address,
            },
        })
    }

    /// Notes that a token was used, beside the request: who may read does not wait for whoever writes, and is not refused because
    /// the note could not be made.
    fn note_use(&self, tenant: &Tenant, record: &TokenRecord, now: Timestamp) {
        let id = record.id;
        let is_recent = record
            .last_used
            .is_some_and(|used| is_within(NOTED_EVERY, used, now));
        if is_recent || !self.noting.begin(id) {
            return;
        }
        let (noting, tenant) = (self.noting.clone(), tenant.clone());
        tokio::spawn(async move {
            let noted = tenant
                .write::<_, Failure, _>(move |writer| Ok(writer.touch_token(id, now)?))
                .await;
            noting.end(id);
            if let Err(failure) = noted {
                tracing::warn!(token = %id, %failure, "the use of a token could not be noted");
            }
        });
    }

    fn other_region(&self, region: &rollcall_model::Region, slug: &Slug) -> Failure {
        let url = self
            .settings()
            .regions
            .get(region)
            .map(|url| format!("{url}/scim/v2/{slug}"));
        Failure::OtherRegion {
            region: region.clone(),
            url,
        }
    }
}

/// Returns the integration of this kind, connecting it when there is none.
fn connected(writer: &mut dyn Writer, new: Integration) -> Result<Integration, Failure> {
    if let Some(there) = writer
        .integrations()?
        .into_iter()
        .find(|there| there.kind == new.kind)
    {
        return Ok(there);
    }
    writer.insert_integration(&new)?;
    Ok(new)
}

/// Returns when a token ends that an API key makes: no later than the key itself.
fn within_key(
    writer: &dyn Writer,
    key: KeyId,
    wanted: Option<Timestamp>,
    now: Timestamp,
) -> Result<Timestamp, Failure> {
    let keys = writer.api_keys()?.into_iter();
    let key = keys
        .filter(|one| one.is_valid(now))
        .find(|one| one.id == key);
    // it may have been revoked since it was checked
    let key = key.ok_or(Failure::Unauthenticated {
        reason: "this API key has expired or was revoked",
    })?;
    let latest = key
        .expires
        .unwrap_or_else(|| now.saturating_add(MADE_BY_KEY).unwrap_or(now));
    Ok(wanted.map_or(latest, |wanted| wanted.min(latest)))
}

/// Ends the tokens of an integration that still work; returns how long the latest of them was meant to live, unless for ever.
fn retire(
    writer: &mut dyn Writer,
    integration: &Integration,
    overlap: Overlap,
    now: Timestamp,
) -> Result<Option<SignedDuration>, Failure> {
    let mut working = writer.tokens()?;
    working.retain(|token| token.integration == integration.id && token.is_valid(now));
    let latest = working
        .iter()
        .max_by_key(|token| token.created)
        .ok_or_else(|| Failure::Missing {
            noun: "token to reset for integration",
            id: integration.kind.to_string(),
        })?;
    let lifetime = latest
        .expires
        .map(|expires| expires.duration_since(latest.created));
    for token in &working {
        match overlap {
            Overlap::None => writer.revoke_token(token.id, now)?,
            Overlap::For(time) => {
                let end = now.saturating_add(time).unwrap_or(now);
                // an overlap never lengthens the life of a token that ends earlier
                if token.expires.is_none_or(|expires| end < expires) {
                    writer.expire_token(token.id, end)?;
                }
            }
        }
    }
    Ok(lifetime)
}

pub(crate) fn sha256(secret: &Secret) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, secret.expose().as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::Installation;

    #[tokio::test]
    async fn a_token_is_checked_while_the_writer_is_busy() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let (record, token, context) = installation.directory(IntegrationKind::Entra).await;
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let (running, runs) = tokio::sync::oneshot::channel();
        let tenant = context.tenant().clone();
        let writing = tokio::spawn(async move {
            let unit = tenant.write::<(), Failure, _>(move |_| {
                running.send(()).unwrap();
                // until the sender is gone
                assert!(held.recv().is_err());
                Ok(())
            });
            unit.await
        });
        runs.await.unwrap();

        for _ in 0..3 {
            let checked = app.authenticate("vault", &token, app.new_request_id(), None);
            let caller = tokio::time::timeout(Duration::from_secs(5), checked).await;
            assert_eq!(caller.unwrap().unwrap().token, record.id);
        }

        drop(hold);
        writing.await.unwrap().unwrap();
        // whatever is written now comes after the note
        installation.directory(IntegrationKind::Okta).await;
        let (_, tokens) = app.tokens(installation.organisation.id).await.unwrap();
        let used = tokens.iter().find(|token| token.id == record.id).unwrap();
        assert_eq!(used.last_used, Some(app.now()));
    }

    #[tokio::test]
    async fn an_integration_has_so_many_tokens_that_work() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let organisation = installation.organisation.id;
        let kind = IntegrationKind::Entra;
        let create = async |kind| {
            let made = app.create_token(organisation, kind, None, app.command_origin());
            made.await.map(|(record, _)| record)
        };
        let reset = async |overlap| {
            let made = app.reset_token(organisation, kind, overlap, app.command_origin());
            made.await.map(|(record, _)| record)
        };
        let first = create(kind).await.unwrap();
        for _ in 1..TOKENS {
            create(kind).await.unwrap();
        }

        let refused = create(kind).await;
        assert!(
            matches!(&refused, Err(Failure::Forbidden { reason }) if reason.contains("revoke")),
            "{refused:?}"
        );
        // a reset that leaves the others working makes one more
        let overlap = Overlap::For(SignedDuration::from_hours(1));
        let refused = reset(overlap).await;
        assert!(
            matches!(refused, Err(Failure::Forbidden { .. })),
            "{refused:?}"
        );
        create(IntegrationKind::Okta).await.unwrap();
        app.revoke_token(organisation, first.id, app.command_origin())
            .await
            .unwrap();
        create(kind).await.unwrap();
        reset(Overlap::None).await.unwrap();
    }

    #[tokio::test]
    async fn a_revoked_token_and_key_stay_so_when_the_clock_is_set_back() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let organisation = installation.organisation.id;
        let (record, token, _) = installation.directory(IntegrationKind::Entra).await;
        let new = crate::api_keys::NewKey {
            name: "nightly".parse().unwrap(),
            role: rollcall_model::KeyRole::Read,
            expires: None,
        };
        let made = app.create_api_key(organisation, new, app.command_origin());
        let (key, secret) = made.await.unwrap();
        let revoked = app.revoke_token(organisation, record.id, app.command_origin());
        revoked.await.unwrap();
        let revoked = app.revoke_api_key(organisation, key.id, app.command_origin());
        revoked.await.unwrap();

        installation.clock.advance(SignedDuration::from_hours(-24));

        let with_token = app.authenticate("vault", &token, app.new_request_id(), None);
        assert!(with_token.await.is_err());
        let with_key = app.authenticate_key(&secret, app.new_request_id(), None);
        assert!(with_key.await.is_err());
    }

    #[tokio::test]
    async fn who_makes_and_revokes_tokens_in_a_loop_is_stopped() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let organisation = installation.organisation.id;
        let create = async || {
            let kind = IntegrationKind::Entra;
            let made = app.create_token(organisation, kind, None, app.command_origin());
            made.await.map(|(record, _)| record)
        };
        for _ in 0..MADE_IN_AN_HOUR {
            let made = create().await.unwrap();
            let revoked = app.revoke_token(organisation, made.id, app.command_origin());
            revoked.await.unwrap();
        }

        assert!(matches!(create().await, Err(Failure::TooMany { .. })));

        installation.clock.advance(REVOKED_KEPT + HOUR);
        create().await.unwrap();
        let (_, tokens) = app.tokens(organisation).await.unwrap();
        assert_eq!(tokens.len(), 1, "what was revoked long ago is forgotten");
    }

    #[tokio::test]
    async fn a_token_that_a_key_resets_ends_with_the_key() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let organisation = installation.organisation.id;
        installation.directory(IntegrationKind::Entra).await;
        let end = app.now() + SignedDuration::from_hours(48);
        let new = crate::api_keys::NewKey {
            name: "nightly".parse().unwrap(),
            role: rollcall_model::KeyRole::Manage,
            expires: Some(end),
        };
        let made = app.create_api_key(organisation, new, app.command_origin());
        let (key, _) = made.await.unwrap();
        let origin = || Origin {
            actor: Actor::Key { id: key.id },
            ..app.command_origin()
        };
        let reset = async || {
            let made = app.reset_token(
                organisation,
                IntegrationKind::Entra,
                Overlap::None,
                origin(),
            );
            made.await.map(|(record, _)| record.expires)
        };

        assert_eq!(reset().await.unwrap(), Some(end));

        let revoked = app.revoke_api_key(organisation, key.id, app.command_origin());
        assert_eq!(revoked.await.unwrap(), 1);
        // who was let in just before the revocation makes nothing after it
        let refused = app.create_token(organisation, IntegrationKind::Entra, None, origin());
        let refused = refused.await.map(|(record, _)| record);
        assert!(
            matches!(refused, Err(Failure::Unauthenticated { .. })),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn a_reset_token_lives_as_long_as_the_one_that_it_replaces() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let organisation = installation.organisation.id;
        let lifetime = SignedDuration::from_hours(90 * 24);
        for (kind, expires) in [
            (IntegrationKind::Entra, Some(app.now() + lifetime)),
            (IntegrationKind::Okta, None),
        ] {
            app.create_token(organisation, kind, expires, app.command_origin())
                .await
                .unwrap();
        }
        installation.clock.advance(SignedDuration::from_hours(24));
        let reset = async |kind, overlap| {
            app.reset_token(organisation, kind, overlap, app.command_origin())
                .await
                .unwrap()
                .0
        };

        let overlap = Overlap::For(SignedDuration::from_hours(2));
        let entra = reset(IntegrationKind::Entra, overlap).await;
        assert_eq!(entra.expires, Some(app.now() + lifetime));
        installation.clock.advance(SignedDuration::from_hours(1));
        // the older one still works, for an hour; its life is not what counts
        let again = reset(IntegrationKind::Entra, Overlap::None).await;
        assert_eq!(again.expires, Some(app.now() + lifetime));
        assert_eq!(
            reset(IntegrationKind::Okta, Overlap::None).await.expires,
            None
        );
    }
}
