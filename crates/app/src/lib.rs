//! Use cases: the only code that changes an organisation's data.
//!
//! **Is:** one function for each thing that can be done, with its rules, its audit entry and its entry in the change feed,
//! whoever asks: the SCIM endpoint, the console, a command, an import.
//! **Is not:** a surface. Nothing here knows HTTP, and no surface knows a rule.
//! **Start at** [`App`]; [`directory`] holds the rules about people and groups.

pub mod activity;
pub mod administrators;
pub mod api_keys;
pub mod applications;
pub mod assignments;
pub mod attention;
pub mod audit;
pub mod csv;
pub mod cursors;
pub mod directory;
pub mod event_feed;
mod failure;
pub mod glance;
pub mod history;
pub mod integrations;
pub mod invitations;
pub mod jobs;
pub mod mappings;
pub mod mirror;
pub mod organisations;
pub mod overview;
pub mod plans;
pub mod post;
pub mod principals;
pub mod privacy;
pub mod provisioning_logs;
mod randomness;
pub mod schemas;
pub mod sealing;
pub mod sign_in;
#[cfg(test)]
mod testing;
pub mod tokens;
pub mod traffic;
pub mod transfer;
pub mod upkeep;
pub mod webhooks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use rollcall_model::{
    Actor, Clock, KeyId, OrgId, Organisation, Origin, Randomness, Region, RequestId, TokenId,
};
use rollcall_scim::limits::Limits;
use rollcall_scim::schema::Registry;
use rollcall_store::Store;

use sealing::Sealer;

pub use failure::Failure;
pub use randomness::SystemRandomness;
pub use rollcall_store::{
    AuditQuery, Counts, Entry, Error as StoreError, ExchangeQuery, Member, Paging, Selection,
    Tally, actor_key,
};

/// What an installation knows about itself.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The region that it serves.
    pub region: Region,
    /// Where other regions are: their public URLs.
    pub regions: BTreeMap<Region, String>,
    /// Its own public URL, without a slash at the end; the base of every address that it hands out.
    pub public_url: String,
    /// The limits of SCIM requests.
    pub limits: Limits,
    /// Whether there is a way to send mail; without one none is written.
    pub sends_mail: bool,
}

impl Settings {
    /// Returns the SCIM base URL of an organisation, in its region: the Tenant URL that directories ask for.
    pub fn tenant_url(&self, organisation: &Organisation) -> String {
        let elsewhere = self
            .regions
            .get(&organisation.region)
            .filter(|_| organisation.region != self.region);
        let base = elsewhere.unwrap_or(&self.public_url);
        format!("{base}/scim/v2/{}", organisation.slug)
    }
}

/// The use cases, with what they need: storage, a clock, randomness, the schemas, the key of credentials.
#[derive(Clone)]
pub struct App {
    store: Store,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    registry: Arc<Registry>,
    sealer: Arc<Sealer>,
    settings: Arc<Settings>,
    noting: tokens::Noting<TokenId>,
    noting_keys: tokens::Noting<KeyId>,
    passwords: sign_in::Passwords,
    attempts: Arc<sign_in::Attempts>,
    set_up_code: Arc<administrators::SetUpCode>,
    letters: Arc<tokio::sync::Notify>,
    /// Letters that were sent and could not be taken out of the queue yet.
    sent_letters: Arc<Mutex<BTreeSet<(OrgId, u64)>>>,
}

impl App {
    /// Puts the use cases on a store.
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
        registry: Arc<Registry>,
        sealer: Sealer,
        settings: Settings,
    ) -> Self {
        Self {
            store,
            clock,
            randomness,
            registry,
            sealer: Arc::new(sealer),
            settings: Arc::new(settings),
            noting: tokens::Noting::default(),
            noting_keys: tokens::Noting::default(),
            passwords: sign_in::Passwords::default(),
            attempts: Arc::default(),
            set_up_code: Arc::default(),
            letters: Arc::default(),
            sent_letters: Arc::default(),
        }
    }

    /// Returns the storage under the use cases.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the schemas in force.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Returns what seals credentials.
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Returns what the installation knows about itself.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the source of randomness.
    pub fn randomness(&self) -> &Arc<dyn Randomness> {
        &self.randomness
    }

    /// Returns the clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Returns the present instant, to the millisecond: what is written is what is shown.
    pub fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// Makes the id of a new request or command.
    pub fn new_request_id(&self) -> RequestId {
        RequestId::new(self.now(), &*self.randomness)
    }

    /// Returns the context of a command on the server, in an organisation.
    pub fn command_context(&self, organisation: rollcall_model::OrgId) -> directory::Context {
        directory::Context::new(self.store.tenant(organisation), self.command_origin(), None)
    }

    /// Returns the origin of what a command on the server does.
    pub fn command_origin(&self) -> Origin {
        Origin {
            actor: Actor::Command,
            request: self.new_request_id(),
            address: None,
        }
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("store", &self.store)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
