//! Both ends of a test: an organisation in a store of its own with an application, and the target that it provisions.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rollcall_app::directory::{Context, Expected, Wanted};
use rollcall_app::organisations::NewOrganisation;
use rollcall_app::sealing::Sealer;
use rollcall_app::sealing::master::MasterKeys;
use rollcall_app::{App, Settings};
use rollcall_connect::client::{Client, Options};
use rollcall_connect::guard::Reach;
use rollcall_engine::{Engine, Watch};
use rollcall_model::application::{Application, Scope};
use rollcall_model::provisioning::{CycleOutcome, CycleReport};
use rollcall_model::{ApplicationId, FixedClock, Kind, Region, ResourceId, Secret};
use rollcall_scim::limits::STANDARD;
use rollcall_scim::patch::{PATCH_SCHEMA, Patch};
use rollcall_scim::schema::Registry;
use rollcall_store::Store;
use rollcall_testkit::{Behaviour, Recorded, Target};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::chance::Seeded;

pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// When the clock stands at the beginning.
const START: i64 = 1_800_000_000;

/// Tells when the target has handled so many requests.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    left: Mutex<Option<usize>>,
    rings: Notify,
}

impl Alarm {
    /// Waits until the target has handled so many more requests.
    pub(crate) async fn after(&self, requests: usize) {
        *self.left.lock().unwrap() = Some(requests);
        self.rings.notified().await;
    }

    fn count(&self) {
        let mut left = self.left.lock().unwrap();
        match *left {
            Some(0) | None => {}
            Some(1) => {
                *left = None;
                self.rings.notify_one();
            }
            Some(more) => *left = Some(more - 1),
        }
    }
}

pub(crate) struct Ends {
    pub(crate) app: App,
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) source: Context,
    pub(crate) application: ApplicationId,
    pub(crate) target: Target,
    pub(crate) alarm: Arc<Alarm>,
    _folder: TempDir,
}

impl Ends {
    /// Makes both ends: everybody is in scope.
    pub(crate) async fn new(behaviour: Behaviour) -> Self {
        let folder = folder();
        let location = format!("sqlite:{}", folder.path().join("store.db").display());
        let store = Store::open(&location.parse().unwrap()).await.unwrap();
        let clock = Arc::new(FixedClock::at(Timestamp::from_second(START).unwrap()));
        let settings = Settings {
            region: Region::default(),
            regions: BTreeMap::new(),
            public_url: String::new(),
            limits: STANDARD,
            sends_mail: false,
        };
        let randomness = Seeded::new(behaviour.seed);
        let masters = MasterKeys::new(&[1; 32], &[]);
        let sealer = Sealer::begin(&store, masters, Box::new(|| None), &randomness).await;
        let app = App::new(
            store,
            clock.clone(),
            Arc::new(randomness),
            Arc::new(Registry::standard()),
            sealer.unwrap(),
            settings,
        );
        let new = NewOrganisation {
            slug: "northwind".parse().unwrap(),
            name: "Northwind".into(),
            region: None,
            seats: None,
            trial_until: None,
        };
        let organisation = app.create_organisation(new).await.unwrap();
        let source = app.command_context(organisation.id);
        let application = app
            .create_application(&source, "Vault".into())
            .await
            .unwrap();
        let alarm = Arc::new(Alarm::default());
        let heard = Arc::clone(&alarm);
        let observer = Box::new(move |_: &Recorded| heard.count());
        let here = ([127, 0, 0, 1], 0).into();
        let target = Target::listen(here, behaviour, Some(observer)).unwrap();
        let token = Secret::new(target.token());
        app.set_credentials(&source, application.id, target.url().to_owned(), &token)
            .await
            .unwrap();
        let ends = Self {
            engine: Engine::new(app.clone(), client()),
            app,
            clock,
            source,
            application: application.id,
            target,
            alarm,
            _folder: folder,
        };
        ends.configure(|application| application.scope = Scope::All)
            .await;
        ends
    }

    pub(crate) async fn configure(&self, change: impl FnOnce(&mut Application) + Send + 'static) {
        let configured = self.app.configure(&self.source, self.application, change);
        configured.await.unwrap();
    }

    pub(crate) fn pass(&self, time: SignedDuration) {
        self.clock.advance(time);
    }

    /// Creates a person or group at the source.
    pub(crate) async fn create(&self, kind: Kind, body: Value) -> ResourceId {
        let created = self.app.create(&self.source, kind, body).await;
        created.unwrap().entry.id
    }

    pub(crate) async fn person(&self, user_name: &str) -> ResourceId {
        self.create(Kind::User, json!({"userName": user_name}))
            .await
    }

    pub(crate) async fn group(&self, name: &str, members: &[ResourceId]) -> ResourceId {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let body = json!({"displayName": name, "members": members});
        self.create(Kind::Group, body).await
    }

    /// Changes a person or group at the source.
    pub(crate) async fn patch(&self, kind: Kind, id: ResourceId, operations: Value) {
        let body = json!({"schemas": [PATCH_SCHEMA], "Operations": operations});
        let patch = Patch::parse(&body, self.app.resource_type(kind), &STANDARD).unwrap();
        let (any, nothing) = (Expected::Any, Wanted::NOTHING);
        let patched = self.app.patch(&self.source, kind, id, patch, any, nothing);
        patched.await.unwrap();
    }

    pub(crate) async fn set(&self, kind: Kind, id: ResourceId, path: &str, value: Value) {
        let operations = json!([{"op": "replace", "path": path, "value": value}]);
        self.patch(kind, id, operations).await;
    }

    pub(crate) async fn join(&self, group: ResourceId, member: ResourceId) {
        let operations = json!([{"op": "add", "path": "members", "value": [{"value": member}]}]);
        self.patch(Kind::Group, group, operations).await;
    }

    pub(crate) async fn leave(&self, group: ResourceId, member: ResourceId) {
        let path = format!("members[value eq \"{member}\"]");
        let operations = json!([{"op": "remove", "path": path}]);
        self.patch(Kind::Group, group, operations).await;
    }

    pub(crate) async fn delete(&self, kind: Kind, id: ResourceId) {
        let deleted = self.app.delete(&self.source, kind, id, Expected::Any);
        deleted.await.unwrap();
    }

    pub(crate) async fn assign(&self, kind: Kind, id: ResourceId) {
        let assigned = self.app.assign(&self.source, self.application, kind, id);
        assigned.await.unwrap();
    }

    pub(crate) async fn unassign(&self, kind: Kind, id: ResourceId) {
        let unassigned = self.app.unassign(&self.source, self.application, kind, id);
        unassigned.await.unwrap();
    }

    /// Runs a cycle, however it ends.
    pub(crate) async fn cycle(&self) -> CycleReport {
        let cycle = self
            .engine
            .run(&self.source, self.application, Watch::default());
        cycle.await.unwrap()
    }

    /// Runs a cycle that has to succeed, after which both ends agree.
    #[track_caller]
    pub(crate) fn settle(&self) -> impl Future<Output = CycleReport> {
        let place = std::panic::Location::caller();
        async move {
            let report = self.cycle().await;
            assert_eq!(
                report.outcome,
                CycleOutcome::Succeeded,
                "{place}: {report:#?}"
            );
            let agreement = self.engine.compare(&self.source, self.application).await;
            let agreement = agreement.unwrap();
            assert!(agreement.holds(), "{place}: {agreement:#?}");
            report
        }
    }

    /// Returns a person of the target.
    pub(crate) fn there(&self, user_name: &str) -> Option<Value> {
        let found = self.target.by(Kind::User, "userName", user_name);
        assert!(found.len() < 2, "{found:#?}");
        found.into_iter().next()
    }

    /// Tells whether a person is in the target, and may come in.
    pub(crate) fn active(&self, user_name: &str) -> Option<bool> {
        self.there(user_name)?["active"].as_bool()
    }

    /// Returns the names of a group's members in the target, in order; absent: there is no such group.
    pub(crate) fn members(&self, group: &str) -> Option<Vec<String>> {
        let found = self.target.by(Kind::Group, "displayName", group);
        assert!(found.len() < 2, "{found:#?}");
        let members = found.first()?["members"].as_array().cloned();
        let name = |member: &Value| {
            let id = member["value"].as_str().unwrap();
            let person = self.target.resource(Kind::User, id);
            let one = person.or_else(|| self.target.resource(Kind::Group, id));
            let one = one.unwrap();
            let name = one.get("userName").unwrap_or(&one["displayName"]);
            name.as_str().unwrap().to_owned()
        };
        let mut names: Vec<String> = members.iter().flatten().map(name).collect();
        names.sort();
        Some(names)
    }
}

/// Makes a client whose patience is long: where time is hurried, a busy machine must not look like a silent target.
pub(crate) fn client() -> Client {
    let options = Options {
        connect: Duration::from_mins(4),
        silence: Duration::from_mins(2),
        total: Duration::from_mins(4),
        ..Options::of(Reach::Anywhere)
    };
    Client::with(&options).unwrap()
}

/// Makes a folder for a store: in memory where the system has such a place.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir()
        && let Ok(folder) = tempfile::tempdir_in(memory)
    {
        return folder;
    }
    tempfile::tempdir().unwrap()
}
