//! Organisations with the same names side by side, and a model of each: whatever is asked over SCIM, the answer is the model's.
//!
//! Every organisation has a client of its own, and all ask at the same time. What they ask is drawn from the seed: creating, reading,
//! changing, replacing and deleting people and groups, conditions on versions, listings with filters, order and pages; with ids of their
//! own, ids of what is gone, and ids that belong to another organisation, which are answered as those of nobody. Both databases are asked
//! the same, and answer alike.
//!
//! `ROLLCALL_SEED=17 cargo nextest run -p rollcall differential` asks something else.
//!
//! **Start at** [`model`]; what is asked is in [`deed`], and drawn in [`draw`].

mod condition;
mod deed;
mod draw;
mod model;

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rollcall_model::Kind;
use rollcall_testkit::postgres::Database;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::faults::feed::Feed;
use crate::faults::{examine, whole};
use crate::support::{Installation, Scim, answer};
use crate::{ends, soak, store};
use deed::Deed;
use draw::Foreign;
use model::{Directory, Expected};

const ORGANISATIONS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_both_databases_eight_organisations_answer_as_if_each_were_alone() {
    let (operations, seed) = (soak::many(3_000, 200_000), soak::seed(1));
    println!("seed {seed}");
    let files = Installation::new();
    let (in_files, figures) = play(files, operations, seed).await;
    println!("SQLite: {figures}");
    let database = Database::fresh().unwrap();
    let tables = Installation::new();
    store::place(tables.folder.path(), database.url());
    let (in_tables, figures) = play(tables, operations, seed).await;
    println!("PostgreSQL: {figures}");
    assert_eq!(
        in_files, in_tables,
        "seed {seed}: they answered differently"
    );
}

/// Asks all of it; returns what sums up the answers of each organisation, and figures about the whole.
async fn play(
    installation: Installation,
    operations: usize,
    seed: u64,
) -> (BTreeMap<usize, u64>, String) {
    let slugs: Vec<String> = (0..ORGANISATIONS).map(|n| format!("org-{n}")).collect();
    let mut tokens = Vec::new();
    for slug in &slugs {
        installation.ok(&["org", "create", slug, "--name", "An organisation"]);
        tokens.push(installation.ok(&["token", "create", "--org", slug]));
    }
    let server = installation.serve(&[("ROLLCALL_RATE", "1000000")]);
    let ids = Arc::new(Mutex::new(vec![Vec::new(); ORGANISATIONS]));
    let begun = Instant::now();
    let mut asking = JoinSet::new();
    for (number, (slug, token)) in slugs.iter().zip(&tokens).enumerate() {
        let mut asker = Asker {
            number,
            seed,
            scim: server.scim(slug, token),
            directory: Directory::default(),
            ids: Arc::clone(&ids),
            seen: HashMap::new(),
            digest: DefaultHasher::new(),
            statuses: BTreeMap::new(),
        };
        asking.spawn(async move {
            asker.ask(operations / ORGANISATIONS).await;
            asker
        });
    }
    let askers = asking.join_all().await;
    let took = begun.elapsed().as_secs_f64();
    let app = ends::app(installation.folder.path()).await;
    let mut digests = BTreeMap::new();
    let (mut objects, mut entries) = (0, 0);
    let mut statuses = BTreeMap::new();
    for mut asker in askers {
        objects += asker.looks_at_everything().await;
        let mut feed = Feed::new(&app, &slugs[asker.number]).await;
        feed.agrees(&asker.scim).await;
        entries += feed.place;
        for (status, many) in &asker.statuses {
            *statuses.entry(*status).or_insert(0) += many;
        }
        digests.insert(asker.number, asker.digest.finish());
    }
    examine(&installation);
    let figures = format!(
        "{operations} operations in {took:.0} s, {objects} objects left, {entries} entries in the feeds; answers {statuses:?}"
    );
    (digests, figures)
}

/// Ids, by organisation.
type Ids = Vec<Vec<(Kind, String)>>;

/// One who asks, and knows what has to be answered.
struct Asker {
    number: usize,
    seed: u64,
    scim: Scim,
    directory: Directory,
    /// The ids that each organisation has or had.
    ids: Arc<Mutex<Ids>>,
    /// When each object was made and last changed, with the version that this was seen with.
    seen: HashMap<String, (String, String, String)>,
    digest: DefaultHasher,
    statuses: BTreeMap<u16, usize>,
}

impl Asker {
    async fn ask(&mut self, operations: usize) {
        let mut chance = Chance::new(self.seed * 100 + self.number as u64);
        for turn in 1..=operations {
            let deed = {
                let ids = self.ids.lock().unwrap();
                let foreign = Foreign {
                    own: self.number,
                    ids: &ids,
                };
                draw::deed(&mut chance, &self.directory, &foreign)
            };
            let place = format!(
                "seed {}, organisation {}, turn {turn}",
                self.seed, self.number
            );
            self.carry_out(&deed, &place).await;
        }
    }

    async fn carry_out(&mut self, deed: &Deed, place: &str) {
        let (method, path, body) = deed.request();
        let mut request = self.scim.request(method, &path);
        if let Some((name, version)) = deed.condition() {
            request = request.header(name, format!("W/\"{version}\""));
        }
        if let Some(body) = &body {
            let text = body.to_string();
            request = request
                .header("content-type", "application/scim+json")
                .body(text);
        }
        let mut found = answer(request).await;
        let given = found.body["id"].as_str().map(str::to_owned);
        let expected = self
            .directory
            .carry_out(deed, given.as_deref(), &self.scim.base);
        self.check_times(&mut found.body, place);
        let version = found.headers.get("etag");
        let version = version.map(|etag| etag.to_str().unwrap().to_owned());
        let found = Expected {
            status: found.status,
            version,
            body: found.body,
        };
        assert!(
            found == expected,
            "{place}\n{method} {path} {:?}\n{}\nfound    {found:?}\nexpected {expected:?}",
            deed.condition(),
            body.unwrap_or_default(),
        );
        *self.statuses.entry(found.status).or_default() += 1;
        if let (Deed::Create { kind, .. }, 201, Some(id)) = (deed, found.status, given) {
            let own = &mut self.ids.lock().unwrap()[self.number];
            own.push((*kind, id));
        }
        self.sum_up(method, &path, &found);
    }

    /// Makes sure that an object says the same of its times as long as its version is the same; takes them out of the answer.
    fn check_times(&mut self, body: &mut Value, place: &str) {
        if let Some(resources) = body.get_mut("Resources").and_then(Value::as_array_mut) {
            for resource in resources {
                self.check_times(resource, place);
            }
            return;
        }
        let Some(id) = body["id"].as_str().map(str::to_owned) else {
            return;
        };
        let Some(meta) = body.get_mut("meta").and_then(Value::as_object_mut) else {
            return;
        };
        let mut take = |name: &str| meta.remove(name).unwrap().as_str().unwrap().to_owned();
        let (created, modified) = (take("created"), take("lastModified"));
        let version = meta["version"].as_str().unwrap().to_owned();
        let now = (version, created, modified);
        let before = self.seen.entry(id).or_insert_with(|| now.clone());
        if before.0 == now.0 {
            assert_eq!(*before, now, "{place}");
        }
        *before = now;
    }

    /// Adds what was asked and answered to the digest, in words that are the same whatever ids and times there are.
    fn sum_up(&mut self, method: &str, path: &str, found: &Expected) {
        let body = match found.body.get("totalResults") {
            // ids of one millisecond are in the order of chance, and so is what a page holds
            Some(total) => total.to_string(),
            None => found.body.to_string().replace(&self.scim.base, ""),
        };
        let text = self.directory.without_ids(&format!("{path}\"{body}"));
        let mut words: Vec<&str> = text.split('"').collect();
        words.sort_unstable();
        (method, found.status, &found.version, words).hash(&mut self.digest);
    }

    /// Compares everything that is there; returns how much that is.
    async fn looks_at_everything(&mut self) -> usize {
        let mut objects = 0;
        for (kind, collection) in [(Kind::User, "/Users"), (Kind::Group, "/Groups")] {
            let there = whole(&self.scim, collection).await;
            assert_eq!(there.len(), self.directory.count(kind));
            for mut object in there {
                self.check_times(&mut object, "in the end");
                let id = object["id"].as_str().unwrap();
                let expected = self.directory.document(kind, id, &self.scim.base);
                assert_eq!(object, expected.unwrap());
                objects += 1;
            }
        }
        objects
    }
}
