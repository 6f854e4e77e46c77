//! Provisioning tokens: created, reset, listed, revoked, and checked on every request.
//!
//! A token is shown once. What is kept is its SHA-256: with 256 random bits in the token there is nothing to guess, so a slow
//! hash would only slow down honest requests.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use rollcall_model::{
    Actor, Integration, IntegrationId, IntegrationKind, OrgId, Organisation, Origin,
    ProvisioningToken, RequestId, Secret, Slug, TokenId, TokenRecord,
};
use rollcall_store::{NewAudit, Tenant, Writer};
use serde_json::json;

use crate::directory::Context;
use crate::{App, Failure};

/// A use is noted when the last one noted is older than this, so that reading does not turn into writing.
const NOTED_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// How long the token that a reset replaces goes on working.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Not at all: the next request with it is refused.
    None,
    /// So long.
    For(SignedDuration),
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
    /// cannot be had again.
    pub async fn create_token(
        &self,
        organisation: OrgId,
        kind: IntegrationKind,
        expires: Option<Timestamp>,
        origin: Origin,
    ) -> Result<(TokenRecord, Secret), Failure> {
        self.issue(organisation, kind, expires, origin, None).await
    }

    /// Replaces the tokens of an integration by a new one.
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
        let integration = Integration {
            id: IntegrationId::new(now, &**self.randomness()),
            kind,
            created: now,
        };
        let id = TokenId::new(now, &**self.randomness());
        let record = self
            .store()
            .tenant(organisation)
            .write::<_, Failure, _>(move |writer| {
                let integration = connected(writer, integration)?;
                if let Some(overlap) = reset {
                    retire(writer, &integration, overlap, now)?;
                }
                let record = TokenRecord {
                    id,
                    integration: integration.id,
                    created: now,
                    created_by: origin.actor.clone(),
                    expires,
                    last_used: None,
                };
                writer.insert_token(&record, &hash)?;
                let action = if reset.is_some() {
                    "token.reset"
                } else {
                    "token.created"
                };
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
                writer.expire_token(token, now)?;
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
        let organisation = self
            .store()
            .organisation(&slug)
            .await?
            .ok_or(Failure::Unauthenticated { reason: REFUSED })?;
        let tenant = self.store().tenant(organisation.id);
        let hash = sha256(token.secret());
        let record = tenant
            .read::<_, Failure, _>(move |reader| Ok(reader.token_by_digest(&hash)?))
            .await?
            .ok_or(Failure::Unauthenticated { reason: REFUSED })?;
        if organisation.region != self.settings().region {
            return Err(self.other_region(&organisation.region, &slug));
        }
        let now = self.now();
        if !record.is_valid(now) {
            return Err(Failure::Unauthenticated {
                reason: "the provisioning token has expired or was reset: create a new one under Settings > Directory integrations",
            });
        }
        self.note_use(&tenant, &record, now).await?;
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

    async fn note_use(
        &self,
        tenant: &Tenant,
        record: &TokenRecord,
        now: Timestamp,
    ) -> Result<(), Failure> {
        if record
            .last_used
            .is_some_and(|used| now.duration_since(used) < NOTED_EVERY)
        {
            return Ok(());
        }
        let id = record.id;
        tenant
            .write(move |writer| Ok(writer.touch_token(id, now)?))
            .await
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

/// Ends the tokens of an integration that still work.
fn retire(
    writer: &mut dyn Writer,
    integration: &Integration,
    overlap: Overlap,
    now: Timestamp,
) -> Result<(), Failure> {
    let end = match overlap {
        Overlap::None => now,
        Overlap::For(time) => now.saturating_add(time).unwrap_or(now),
    };
    let tokens = writer.tokens()?;
    let mut working = tokens
        .iter()
        .filter(|t| t.integration == integration.id && t.is_valid(now))
        .peekable();
    if working.peek().is_none() {
        return Err(Failure::Missing {
            noun: "token to reset for integration",
            id: integration.kind.to_string(),
        });
    }
    for token in working {
        // an overlap never lengthens the life of a token that ends earlier
        if token.expires.is_none_or(|expires| end < expires) {
            writer.expire_token(token.id, end)?;
        }
    }
    Ok(())
}

fn sha256(secret: &Secret) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, secret.expose().as_bytes()).as_ref());
    hash
}
