//! The target of a story: the testkit's, which tells every request and every state of everything, or another rollcall server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rollcall_app::directory::Context;
use rollcall_model::{Action, Kind};
use rollcall_testkit::{Behaviour, Recorded, TOKEN, Target};
use serde_json::{Value, json};

use super::Trap;
use crate::ends::app;
use crate::support::{Installation, Scim, Server};

/// A target.
pub(super) enum Goal {
    Testkit {
        target: Target,
        /// Up to which request the states were told.
        told: u64,
    },
    Server {
        /// It runs as long as the story.
        _server: Box<Server>,
        vault: Box<Scim>,
        token: String,
        context: Context,
        /// Up to which change the feed was told.
        told: u64,
    },
}

/// A state in which a resource was: its kind, its id, and its document; without one, it was deleted.
pub(super) type State = (Kind, String, Option<Value>);

/// At which moment of a run something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    /// Before it asked the target for anything.
    Start,
    /// It had not written anything.
    Reading,
    /// It had written people or groups last.
    Objects,
    /// It had written managers last.
    Managers,
    /// It had written members last.
    Members,
    /// Nobody knows: the target does not tell its requests.
    Unknown,
}

impl Moment {
    /// Tells how far a run is that has sent these requests.
    pub(super) fn of(requests: &[Recorded]) -> Self {
        let Some(last) = requests.iter().rfind(|request| request.is_write()) else {
            return if requests.is_empty() {
                Self::Start
            } else {
                Self::Reading
            };
        };
        let body = last.json().to_string();
        let is_change = matches!(last.method.as_str(), "PATCH" | "PUT");
        if is_change && last.path_and_query.contains("/Groups/") && body.contains("\"members") {
            Self::Members
        } else if last.method == "PATCH" && body.contains(":manager") {
            Self::Managers
        } else {
            Self::Objects
        }
    }

    /// Counts moments, in words.
    pub(super) fn counted(moments: &[Self]) -> String {
        let mut counts: BTreeMap<Self, usize> = BTreeMap::new();
        for moment in moments {
            *counts.entry(*moment).or_default() += 1;
        }
        let counts = counts.into_iter();
        let counts: Vec<String> = counts
            .map(|(moment, count)| format!("{moment:?} {count}"))
            .collect();
        counts.join(", ")
    }
}

impl Goal {
    /// Starts a target that may kill its sender.
    pub(super) fn testkit(behaviour: Behaviour, trap: &Arc<Mutex<Trap>>) -> Self {
        let trap = Arc::clone(trap);
        let observer = move |request: &Recorded| trap.lock().unwrap().hears(request);
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let target = Target::listen(here, behaviour, Some(Box::new(observer))).unwrap();
        Self::Testkit { target, told: 0 }
    }

    /// Starts a server with an organisation.
    pub(super) async fn server(installation: &Installation) -> Self {
        installation.ok(&["org", "create", "vault", "--name", "Vault"]);
        let token = installation.ok(&["token", "create", "--org", "vault"]);
        let server = installation.serve(&[("ROLLCALL_RATE", "1000000")]);
        let app = app(installation.folder.path()).await;
        let organisation = app.organisation(&"vault".parse().unwrap()).await.unwrap();
        let context = app.command_context(organisation.id);
        Self::Server {
            vault: Box::new(server.scim("vault", &token)),
            _server: Box::new(server),
            token,
            context,
            told: 0,
        }
    }

    pub(super) fn url(&self) -> &str {
        match self {
            Self::Testkit { target, .. } => target.url(),
            Self::Server { vault, .. } => &vault.base,
        }
    }

    pub(super) fn token(&self) -> &str {
        match self {
            Self::Testkit { .. } => TOKEN,
            Self::Server { token, .. } => token,
        }
    }

    /// Puts there a person and a group that will be found, and strangers: a person who is in that group, and one who is alone. Returns the
    /// ids of these two.
    pub(super) async fn fill(&mut self, person: &str, group: &str) -> Vec<String> {
        let person = json!({"userName": person.to_uppercase(), "active": false});
        let stranger = |name: &str| json!({"userName": name, "title": "None of yours"});
        let group = |member: &str| json!({"displayName": group, "members": [{"value": member}]});
        let (inside, alone) = match self {
            Self::Testkit { target, .. } => {
                target.insert(Kind::User, person).unwrap();
                let inside = target.insert(Kind::User, stranger("inside")).unwrap();
                target.insert(Kind::Group, group(&inside)).unwrap();
                let alone = target.insert(Kind::User, stranger("alone")).unwrap();
                (inside, alone)
            }
            Self::Server { vault, .. } => {
                vault.post("/Users", person).await.is(201);
                let inside = vault.post("/Users", stranger("inside")).await.is(201).id();
                vault.post("/Groups", group(&inside)).await.is(201);
                let alone = vault.post("/Users", stranger("alone")).await.is(201).id();
                (inside, alone)
            }
        };
        vec![inside, alone]
    }

    /// Tells whether each request can be heard.
    pub(super) fn tells_requests(&self) -> bool {
        matches!(self, Self::Testkit { .. })
    }

    /// Returns the number of the last request; 0 where none is told.
    pub(super) fn last_request(&self) -> u64 {
        match self {
            Self::Testkit { target, .. } => target.last_request(),
            Self::Server { .. } => 0,
        }
    }

    pub(super) fn moment_since(&self, number: u64) -> Moment {
        match self {
            Self::Testkit { target, .. } => {
                let requests = target.requests();
                let since = requests.iter().filter(|request| request.number > number);
                let since: Vec<Recorded> = since.cloned().collect();
                Moment::of(&since)
            }
            Self::Server { .. } => Moment::Unknown,
        }
    }

    pub(super) fn pause(&self) {
        if let Self::Testkit { target, .. } = self {
            target.pause();
        }
    }

    pub(super) fn resume(&self) {
        if let Self::Testkit { target, .. } = self {
            target.resume();
        }
    }

    /// Waits until what was on its way has arrived: against a request that takes effect after the next run has looked, no sender can do
    /// anything.
    pub(super) async fn settle(&self) {
        let (mut before, mut quiet) = (self.writes().await, 0);
        while quiet < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let now = self.writes().await;
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
        }
    }

    /// Returns how much was written.
    pub(super) async fn writes(&self) -> u64 {
        match self {
            Self::Testkit { target, .. } => target.writes_since(0).len() as u64,
            Self::Server { context, .. } => {
                let last = context
                    .tenant()
                    .read::<_, rollcall_app::Failure, _>(|reader| Ok(reader.last_change()?));
                last.await.unwrap()
            }
        }
    }

    /// Returns all resources of a kind.
    pub(super) async fn resources(&self, kind: Kind) -> Vec<Value> {
        match self {
            Self::Testkit { target, .. } => target.resources(kind),
            Self::Server { vault, .. } => {
                let path = match kind {
                    Kind::User => "/Users?count=1000",
                    Kind::Group => "/Groups?count=1000",
                };
                let mut body = vault.get(path).await.is(200).body;
                match body["Resources"].take() {
                    Value::Array(resources) => resources,
                    _ => Vec::new(),
                }
            }
        }
    }

    /// Returns the states that were not told yet, in order. A server tells the last one of each, and each that was the first.
    pub(super) async fn news(&mut self) -> Vec<State> {
        match self {
            Self::Testkit { target, told } => {
                let since = std::mem::replace(told, target.last_request());
                let mut states = Vec::new();
                for (id, history) in target.histories() {
                    let kind = history.iter().find_map(|state| {
                        let document = state.document.as_ref()?;
                        let is_user = document.get("userName").is_some();
                        Some(if is_user { Kind::User } else { Kind::Group })
                    });
                    for state in history.into_iter().filter(|state| state.request > since) {
                        states.push((state.request, (kind.unwrap(), id.clone(), state.document)));
                    }
                }
                states.sort_by_key(|(request, _)| *request);
                states.into_iter().map(|(_, state)| state).collect()
            }
            Self::Server {
                vault,
                context,
                told,
                ..
            } => {
                let since = *told;
                let changes = context
                    .tenant()
                    .read::<_, rollcall_app::Failure, _>(move |reader| {
                        Ok(reader.changes(since, 100_000)?)
                    })
                    .await
                    .unwrap();
                let mut states = Vec::new();
                for change in changes {
                    *told = change.sequence;
                    let path = match change.kind {
                        Kind::User => format!("/Users/{}", change.id),
                        Kind::Group => format!("/Groups/{}", change.id),
                    };
                    if change.action == Action::Deleted {
                        states.push((change.kind, change.id.to_string(), None));
                        continue;
                    }
                    let found = vault.get(&path).await;
                    if found.status == 200 {
                        states.push((change.kind, change.id.to_string(), Some(found.body)));
                    }
                }
                states
            }
        }
    }
}
