//! The connection test of an address and a credential that are not stored yet.

use std::sync::Arc;

use rollcall_app::directory::Context;
use rollcall_connect::client::Refused;
use rollcall_connect::target::{Stepped, Surroundings, Target};
use rollcall_model::{Application, ApplicationId, Kind, Profile, Secret};
use uuid::Uuid;

use crate::{Engine, Error};

/// Why a connection could not be tested.
#[derive(Debug, thiserror::Error)]
pub enum NotTested {
    /// The address cannot be called.
    #[error(transparent)]
    Address(#[from] Refused),
    /// No credential was entered, and none is stored for this very address.
    #[error("enter the token: none is stored for this address")]
    NoCredential,
    /// Our own side failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Engine {
    /// Makes sure that an address can be called.
    ///
    /// # Errors
    /// [`Refused`] says what to enter instead.
    pub fn address(&self, tenant_url: &str) -> Result<(), Refused> {
        self.client.address(tenant_url).map(drop)
    }

    /// Tests the connection to an address step by step, with this credential, or with the stored one if it is stored for this very
    /// address. Nothing is stored.
    ///
    /// # Errors
    /// [`NotTested`].
    pub async fn examine(
        &self,
        context: &Context,
        application: ApplicationId,
        tenant_url: &str,
        typed: Option<Secret>,
    ) -> Result<Vec<Stepped>, NotTested> {
        self.client.address(tenant_url)?;
        let configured = self.app.configured(context, application).await;
        let configured = configured.map_err(Error::from)?;
        let known = configured.application.target.as_ref();
        let is_known = known.is_some_and(|target| target.tenant_url == tenant_url);
        let stored = configured.token.filter(|_| is_known);
        let token = typed.or(stored).ok_or(NotTested::NoCredential)?;
        let surroundings = Surroundings {
            clock: Arc::clone(self.app.clock()),
            randomness: Arc::clone(self.app.randomness()),
        };
        let client = self.client.clone();
        let target = Target::new(client, tenant_url, token, Profile::default(), surroundings)?;
        let mut nobody = [0; 16];
        self.app.randomness().fill(&mut nobody);
        let nobody = Uuid::from_bytes(nobody).to_string();
        let (kind, attribute) = matching(&configured.application);
        Ok(target.steps((kind, &attribute), &nobody).await)
    }
}

/// Returns the attribute by which people are looked up first; of groups, where only they are provisioned.
fn matching(application: &Application) -> (Kind, String) {
    let of = |kind: Kind| {
        let mapping = application.mapping(kind);
        let attributes = mapping.attributes.iter();
        let first = attributes.filter(|one| one.matching.is_some());
        let first = first.min_by_key(|one| one.matching);
        first
            .filter(|_| mapping.enabled)
            .map(|one| (kind, one.target.clone()))
    };
    of(Kind::User)
        .or_else(|| of(Kind::Group))
        .unwrap_or_else(|| (Kind::User, "userName".to_owned()))
}
