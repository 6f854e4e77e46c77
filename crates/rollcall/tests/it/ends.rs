//! Both ends of one installation: a server, and the use cases and the engine beside it on the same store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rollcall_app::directory::{Context, Expected, Wanted};
use rollcall_app::sealing::Sealer;
use rollcall_app::sealing::master::MasterKeys;
use rollcall_app::{App, Settings, SystemRandomness};
use rollcall_connect::client::Client;
use rollcall_connect::guard::Reach;
use rollcall_engine::{Engine, Watch};
use rollcall_model::provisioning::{CycleOutcome, CycleReport};
use rollcall_model::{ApplicationId, Kind, Region, ResourceId, Secret, SystemClock};
use rollcall_scim::limits::STANDARD;
use rollcall_scim::patch::Patch;
use rollcall_scim::schema::Registry;
use rollcall_store::{Location, Store};
use serde_json::{Value, json};

use crate::support::{Installation, Scim, Server};

/// Opens the use cases on the store of an installation that was used before.
pub(crate) async fn app(folder: &Path) -> App {
    app_on(&crate::store::location(folder), folder).await
}

/// Opens the use cases on a store whose key lies in a folder.
pub(crate) async fn app_on(location: &Location, folder: &Path) -> App {
    let store = Store::open(location).await.unwrap();
    let key = std::fs::read(folder.join(location.key_file())).unwrap();
    let masters = MasterKeys::new(key.as_slice().try_into().unwrap(), &[]);
    let randomness = SystemRandomness::default();
    let sealer = Sealer::begin(&store, masters, Box::new(|| None), &randomness).await;
    let settings = Settings {
        region: Region::default(),
        regions: BTreeMap::new(),
        public_url: String::new(),
        limits: STANDARD,
        sends_mail: false,
    };
    App::new(
        store,
        Arc::new(SystemClock),
        Arc::new(randomness),
        Arc::new(Registry::standard()),
        sealer.unwrap(),
        settings,
    )
}

/// Northwind sends, Vault receives.
pub(crate) struct Ends {
    pub(crate) installation: Installation,
    pub(crate) server: Server,
    pub(crate) app: App,
    pub(crate) engine: Engine,
    /// Northwind's side.
    pub(crate) source: Context,
    pub(crate) application: ApplicationId,
    /// Vault's side.
    pub(crate) vault: Scim,
    pub(crate) token: String,
}

impl Ends {
    /// Makes both ends, with an application that knows the address and is assigned to nobody.
    pub(crate) async fn new() -> Self {
        let (installation, token) = Installation::with("vault");
        installation.ok(&["org", "create", "northwind", "--name", "Northwind"]);
        let server = installation.serve(&[("ROLLCALL_RATE", "1000000")]);
        let app = app(installation.folder.path()).await;
        let engine = Engine::new(app.clone(), Client::new(Reach::Anywhere).unwrap());
        let northwind = app
            .organisation(&"northwind".parse().unwrap())
            .await
            .unwrap();
        let source = app.command_context(northwind.id);
        let application = app
            .create_application(&source, "Vault".into())
            .await
            .unwrap()
            .id;
        let vault = server.scim("vault", &token);
        let ends = Self {
            installation,
            server,
            app,
            engine,
            source,
            application,
            vault,
            token,
        };
        ends.aim(&ends.vault.base, &ends.token).await;
        ends
    }

    /// Enters an address and a credential.
    pub(crate) async fn aim(&self, url: &str, token: &str) {
        let token = Secret::new(token);
        self.app
            .set_credentials(&self.source, self.application, url.to_owned(), &token)
            .await
            .unwrap();
    }

    pub(crate) async fn person(&self, user_name: &str, more: Value) -> ResourceId {
        let mut body = json!({"userName": user_name});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().cloned().unwrap());
        self.app
            .create(&self.source, Kind::User, body)
            .await
            .unwrap()
            .entry
            .id
    }

    pub(crate) async fn group(&self, name: &str, members: &[ResourceId]) -> ResourceId {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let body = json!({"displayName": name, "members": members});
        self.app
            .create(&self.source, Kind::Group, body)
            .await
            .unwrap()
            .entry
            .id
    }

    pub(crate) async fn assign(&self, kind: Kind, id: ResourceId) {
        self.app
            .assign(&self.source, self.application, kind, id)
            .await
            .unwrap();
    }

    /// Changes something at Northwind.
    pub(crate) async fn patch(&self, kind: Kind, id: ResourceId, operations: Value) {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations,
        });
        let patch = Patch::parse(&body, self.app.resource_type(kind), &STANDARD).unwrap();
        self.app
            .patch(
                &self.source,
                kind,
                id,
                patch,
                Expected::Any,
                Wanted::NOTHING,
            )
            .await
            .unwrap();
    }

    pub(crate) async fn delete(&self, kind: Kind, id: ResourceId) {
        self.app
            .delete(&self.source, kind, id, Expected::Any)
            .await
            .unwrap();
    }

    /// Runs a cycle, however it ends.
    pub(crate) async fn cycle(&self) -> CycleReport {
        self.engine
            .run(&self.source, self.application, Watch::default())
            .await
            .unwrap()
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
            let agreement = self
                .engine
                .compare(&self.source, self.application)
                .await
                .unwrap();
            assert!(agreement.holds(), "{place}: {agreement:#?}");
            report
        }
    }

    /// Returns a resource of Vault by its name.
    pub(crate) async fn there(&self, collection: &str, name: &str) -> Option<Value> {
        let attribute = if collection == "Users" {
            "userName"
        } else {
            "displayName"
        };
        let path = format!("/{collection}?filter={attribute} eq \"{name}\"");
        let found = self.vault.get(&path).await.is(200);
        found.body["Resources"].get(0).cloned()
    }

    /// Tells whether a person is at Vault, and may come in.
    pub(crate) async fn active(&self, user_name: &str) -> Option<bool> {
        self.there("Users", user_name).await?["active"].as_bool()
    }

    /// Returns the names of a group's members at Vault, in order.
    pub(crate) async fn members(&self, group: &str) -> Vec<String> {
        let Some(group) = self.there("Groups", group).await else {
            return Vec::new();
        };
        let mut names = Vec::new();
        for member in group["members"].as_array().into_iter().flatten() {
            let id = member["value"].as_str().unwrap();
            let collection = if member["type"] == "Group" {
                "Groups"
            } else {
                "Users"
            };
            let found = self
                .vault
                .get(&format!("/{collection}/{id}"))
                .await
                .is(200)
                .body;
            let name = found.get("userName").unwrap_or(&found["displayName"]);
            names.push(name.as_str().unwrap().to_owned());
        }
        names.sort();
        names
    }
}
