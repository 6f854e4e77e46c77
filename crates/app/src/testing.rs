//! An installation for the tests of this crate: a store of its own, a clock that stands still.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rollcall_model::{
    Actor, FixedClock, IntegrationKind, OrgId, Organisation, Origin, Secret, TokenRecord,
};
use rollcall_scim::limits::Limits;
use rollcall_scim::schema::Registry;
use rollcall_store::Store;
use tempfile::TempDir;

use crate::directory::Context;
use crate::organisations::NewOrganisation;
use crate::sealing::Sealer;
use crate::sealing::master::MasterKeys;
use crate::{App, Failure, Settings, SystemRandomness};

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
        let organisation = made(&app, "vault", trial_until).await;
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

    /// Makes a second organisation, which comes before the first.
    pub(crate) async fn another(&self) -> Organisation {
        made(&self.app, "abacus", None).await
    }

    /// Does `work` while an organisation reads as much as it may: what else it wants to read waits for too long.
    pub(crate) async fn while_busy<T>(
        &self,
        organisation: OrgId,
        work: impl Future<Output = T>,
    ) -> T {
        tokio::time::pause();
        let (hold, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let reading = (0..8).map(|_| {
            let (tenant, held) = (self.app.store().tenant(organisation), Arc::clone(&held));
            tokio::spawn(async move {
                let unit = move |_: &dyn rollcall_store::Reader| {
                    // until the sender is gone
                    Ok(held.lock().unwrap().recv().is_err())
                };
                tenant.read::<_, Failure, _>(unit).await
            })
        });
        let reading: Vec<_> = reading.collect();
        // all of them are in line before the work begins
        tokio::task::yield_now().await;
        let mut work = pin!(work);
        let done = loop {
            tokio::select! {
                biased;
                done = &mut work => break done,
                () = tokio::time::advance(Duration::from_secs(1)) => {}
            }
        };
        drop(hold);
        for unit in reading {
            drop(unit.await.unwrap());
        }
        tokio::time::resume();
        done
    }

    /// Does `work` while so many units of an organisation wait behind one that does not end that there is no room for another.
    pub(crate) async fn while_full<T>(
        &self,
        organisation: OrgId,
        work: impl Future<Output = T>,
    ) -> T {
        let (hold, held) = mpsc::channel::<()>();
        let mut first = Some(held);
        let mut waiting = Vec::new();
        for _ in 0..1_100 {
            let (tenant, held) = (self.app.store().tenant(organisation), first.take());
            // until the sender is gone
            let unit =
                move |_: &mut dyn rollcall_store::Writer| Ok(held.map(|held| held.recv().is_err()));
            waiting.push(tokio::spawn(async move {
                tenant.write::<_, Failure, _>(unit).await
            }));
        }
        while self.app.store().figures().writes.waiting.value() < 1_024 {
            tokio::task::yield_now().await;
        }
        let done = work.await;
        drop(hold);
        for unit in waiting {
            drop(unit.await.unwrap());
        }
        done
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

async fn made(app: &App, slug: &str, trial_until: Option<Timestamp>) -> Organisation {
    let new = NewOrganisation {
        slug: slug.parse().unwrap(),
        name: slug[..1].to_uppercase() + &slug[1..],
        region: None,
        seats: None,
        trial_until,
    };
    app.create_organisation(new).await.unwrap()
}

pub(crate) fn start() -> Timestamp {
    Timestamp::from_second(START).unwrap()
}
