//! A running target: how a test starts it, seeds it, and asks afterwards what happened.
//!
//! **Start at** [`Target::start`].

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use rollcall_model::Kind;
use rollcall_scim::error::Error;
use rollcall_scim::filter::Filter;
use rollcall_scim::limits::STANDARD;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::behaviour::{Behaviour, Fault};
use crate::directory::{State, Terms};
use crate::protocol::World;
use crate::request::BASE;
use crate::server::{Shared, serve};

/// A SCIM server on a thread of its own, with a runtime of its own; it ends when this is dropped.
pub struct Target {
    address: SocketAddr,
    url: String,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Hears of each request when it was handled.
pub type Observer = Box<dyn Fn(&Recorded) + Send + Sync>;

/// A request, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its number, from 1, in the order in which requests took effect.
    pub number: u64,
    /// Its method, in capitals.
    pub method: String,
    /// Its path from the root on, with the query as it was written.
    pub path_and_query: String,
    /// Its body.
    pub body: Vec<u8>,
    /// The status with which it was answered; absent: no answer went out.
    pub status: Option<u16>,
    /// What went wrong with it.
    pub fault: Option<Fault>,
}

impl Recorded {
    /// Tells whether it asked for a change.
    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }

    /// Returns the body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Target {
    /// Starts a target on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When the machine gives no port or no thread.
    #[expect(clippy::expect_used, reason = "a test without a target has failed")]
    pub fn start(behaviour: Behaviour) -> Self {
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::listen(here, behaviour, None).expect("a target on 127.0.0.1")
    }

    /// Starts a target on an address; `observer` hears of each request when it was handled.
    ///
    /// # Errors
    /// When nobody can listen there.
    pub fn listen(
        address: SocketAddr,
        behaviour: Behaviour,
        observer: Option<Observer>,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let url = format!("http://{address}{BASE}");
        let shared = Arc::new(Shared::new(World::new(url.clone(), behaviour), observer));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stops) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("target".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let Ok(listener) = TcpListener::from_std(listener) else {
                        return;
                    };
                    tokio::select! {
                        () = serve(listener, served) => {}
                        _ = stops => {}
                    }
                });
            })?;
        Ok(Self {
            address,
            url,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Returns the address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of the SCIM endpoint: what an administrator types as Tenant URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the bearer token that it asks for.
    pub fn token(&self) -> String {
        self.shared.world().behaviour.token.clone()
    }

    /// Switches all faults off; the dialect stays.
    pub fn calm(&self) {
        self.shared.world().is_calm = true;
    }

    /// Behaves otherwise from now on; what is there stays, and faults are counted anew.
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.world().behave(behaviour);
    }

    /// Lets requests wait until [`Self::resume`].
    pub fn pause(&self) {
        self.shared.paused.send_replace(true);
    }

    /// Handles the requests that waited.
    pub fn resume(&self) {
        self.shared.paused.send_replace(false);
    }

    /// Puts a resource there, as if somebody else had made it; returns its id, which is the one in the document if there is one. It
    /// keeps to the rules but not to uniqueness, and does not count as a creation.
    ///
    /// # Errors
    /// When it is no resource of that kind, or the id is taken.
    pub fn insert(&self, kind: Kind, document: Value) -> Result<String, Error> {
        let terms = Terms {
            request: 0,
            unique: false,
            keeps_ids: true,
            loses_members: false,
        };
        self.shared.world().directory.create(kind, document, terms)
    }

    /// Takes a resource away, as if somebody else had; tells whether it was there.
    pub fn remove(&self, kind: Kind, id: &str) -> bool {
        let terms = Terms {
            request: 0,
            unique: false,
            keeps_ids: false,
            loses_members: false,
        };
        self.shared
            .world()
            .directory
            .delete(kind, id, terms)
            .is_ok()
    }

    /// Returns all requests, in the order in which they took effect.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.world().requests.clone()
    }

    /// Returns the number of the last request; 0 before the first.
    pub fn last_request(&self) -> u64 {
        self.shared.world().requests.len() as u64
    }

    /// Returns the requests after a number that asked for a change, whatever became of them.
    pub fn writes_since(&self, number: u64) -> Vec<Recorded> {
        let world = self.shared.world();
        let later = world
            .requests
            .iter()
            .filter(|request| request.number > number);
        later
            .filter(|request| request.is_write())
            .cloned()
            .collect()
    }

    /// Returns all resources of a kind, groups with their members, in the order in which they came into being.
    pub fn resources(&self, kind: Kind) -> Vec<Value> {
        let world = self.shared.world();
        let directory = &world.directory;
        let places = directory.places(kind).into_iter();
        let entries = places.filter_map(|place| directory.at(kind, place));
        entries
            .map(|entry| directory.shown(kind, entry, &self.url, None))
            .collect()
    }

    /// Returns a resource, a group with its members.
    pub fn resource(&self, kind: Kind, id: &str) -> Option<Value> {
        let world = self.shared.world();
        let entry = world.directory.entry(kind, id)?;
        Some(world.directory.shown(kind, entry, &self.url, None))
    }

    /// Returns the resources whose attribute has a value, compared as filters do.
    ///
    /// # Panics
    /// When the kind has no such attribute.
    #[expect(
        clippy::expect_used,
        reason = "a test that misspells an attribute has failed"
    )]
    pub fn by(&self, kind: Kind, attribute: &str, value: &str) -> Vec<Value> {
        let world = self.shared.world();
        let directory = &world.directory;
        let text = format!("{attribute} eq {}", Value::from(value));
        let filter = Filter::parse(&text, directory.resource_type(kind), &STANDARD)
            .expect("an attribute of this kind");
        let places = directory.matching(kind, &filter).into_iter();
        let entries = places.filter_map(|place| directory.at(kind, place));
        entries
            .map(|entry| directory.shown(kind, entry, &self.url, None))
            .collect()
    }

    /// Tells how often a POST took effect for this userName, or displayName of a group.
    pub fn creates(&self, kind: Kind, name: &str) -> u64 {
        self.shared.world().directory.creates(kind, name)
    }

    /// Returns the states in which a resource was, the first first; the last is without a document when it was deleted.
    pub fn history(&self, id: &str) -> Vec<State> {
        self.shared.world().directory.history(id)
    }

    /// Returns the states in which each resource was that ever was there, by id, people and groups together.
    pub fn histories(&self) -> BTreeMap<String, Vec<State>> {
        self.shared.world().directory.histories()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // who is not there any more need not be told
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Target")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
