//! An installation for the tests of this crate: a store of its own, a clock that stands still.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use rollcall_model::{
    Actor, FixedClock, IntegrationKind, Organisation, Origin, Secret, TokenRecord,
};
use rollcall_scim::limits::Limits;
use rollcall_scim::schema::Registry;
use rollcall_store::Store;
use tempfile::TempDir;

use crate::directory::Context;
use crate::organisations::NewOrganisation;
use crate::sealing::Sealer;
use crate::sealing::master::MasterKeys;
use crate::{App, Settings, SystemRandomness};

/// When the clock stands at the beginning.
pub(crate) const START: i64 = 1_800_000_000;

/// The master key that seals, and those that came before it.
type Keys = ([u8; 32], Vec<[u8; 32]>);

pub(crate) struct Installation {
    pub(crate) app: App,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) organisation: Organisation,
    master_keys: Arc<Mutex<Keys>>,
    _folder: TempDir,
}

impl Installation {
    /// Makes an installation with one organisation.
    pub(crate) async fn new() -> Self {
        Self::with(None, true).await
    }

    /// Makes one that has no way to send mail.
    pub(crate) async fn without_mail() -> Self {
        Self::with(None, false).await
    }

    /// Makes an installation with one organisation, whose trial ends so long after the start.
    pub(crate) async fn on_trial(time: SignedDuration) -> Self {
        Self::with(Some(start() + time), true).await
    }

    async fn with(trial_until: Option<Timestamp>, sends_mail: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = format!("sqlite:{}", folder.path().join("store.db").display());
        let store = Store::open(&location.parse().unwrap()).await.unwrap();
        let clock = Arc::new(FixedClock::at(start()));
        let master_keys = Arc::new(Mutex::new(([1; 32], Vec::new())));
        let at_hand = Arc::clone(&master_keys);
        let read = move || {
            let (first, before) = &*at_hand.lock().unwrap();
            MasterKeys::new(first, before)
        };
        let randomness = SystemRandomness::default();
        let source = Box::new({
            let read = read.clone();
            move || Some(read())
        });
        let sealer = Sealer::begin(&store, read(), source, &randomness).await;
        let app = App::new(
            store,
            clock.clone(),
            Arc::new(randomness),
            Arc::new(Registry::standard()),
            sealer.unwrap(),
            Settings {
                region: rollcall_model::Region::default(),
                regions: BTreeMap::new(),
                public_url: "https://rollcall.example".into(),
                limits: Limits::default(),
                sends_mail,
            },
        );
        let new = NewOrganisation {
            slug: "vault".parse().unwrap(),
            name: "Vault".into(),
            region: None,
            seats: None,
            trial_until,
        };
        let organisation = app.create_organisation(new).await.unwrap();
        Self {
            app,
            clock,
            organisation,
            master_keys,
            _folder: folder,
        }
    }

    /// Puts other master keys where the installation reads them.
    pub(crate) fn put_master_keys(&self, first: &[u8; 32], before: &[[u8; 32]]) {
        *self.master_keys.lock().unwrap() = (*first, before.to_vec());
    }

    /// Returns the context of a command in the organisation.
    pub(crate) fn command(&self) -> Context {
        self.app.command_context(self.organisation.id)
    }

    /// Connects a directory; returns its token and the context in which it acts.
    pub(crate) async fn directory(&self, kind: IntegrationKind) -> (TokenRecord, Secret, Context) {
        let origin = self.app.command_origin();
        let (record, token) = self
            .app
            .create_token(self.organisation.id, kind, None, origin)
            .await
            .unwrap();
        let origin = Origin {
            actor: Actor::Integration {
                id: record.integration,
                token: record.id,
            },
            request: self.app.new_request_id(),
            address: None,
        };
        let tenant = self.app.store().tenant(self.organisation.id);
        let context = Context::new(tenant, origin, Some(record.integration));
        (record, token, context)
    }
}

pub(crate) fn start() -> Timestamp {
    Timestamp::from_second(START).unwrap()
}
