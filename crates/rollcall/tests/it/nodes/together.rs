//! What concerns all nodes: whoever is refused by one is refused by the others, and a node that is told to stop ends what it has begun.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rollcall_testkit::postgres::Database;
use serde_json::{Value, json};

use super::signal;
use crate::api::Program;
use crate::console::guest::{Guest, PASSWORD, administrator};
use crate::store;
use crate::support::{Installation, Server};

/// So soon every node refuses who was refused by one.
const EVERYWHERE_WITHIN: Duration = Duration::from_secs(1);

/// Two nodes on a database of their own.
struct Pair {
    nodes: [Server; 2],
    token: String,
    installation: Installation,
    _database: Database<'static>,
}

impl Pair {
    fn new() -> Self {
        let database = Database::fresh().unwrap();
        let installation = Installation::new();
        store::place(installation.folder.path(), database.url());
        installation.ok(&["org", "create", "vault", "--name", "Vault"]);
        let token = installation.ok(&["token", "create", "--org", "vault"]);
        let serve = || installation.serve(&[("ROLLCALL_RATE", "1000000")]);
        Self {
            nodes: [serve(), serve()],
            token,
            installation,
            _database: database,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_by_one_node_is_refused_by_all_at_once() {
    let pair = Pair::new();
    administrator(&pair.installation, "vault", "ada@vault.example");
    let clients = pair
        .nodes
        .each_ref()
        .map(|node| node.scim("vault", &pair.token));
    let mut guest = Guest::new(&pair.nodes[0]);
    guest.sign_in("ada@vault.example", PASSWORD).await.is(303);
    // a session belongs to the installation, not to the node at which it began
    let mut guests = [guest.clone(), guest];
    guests[1].base.clone_from(&pair.nodes[1].url);
    let create = [
        "api-key", "create", "--org", "vault", "--name", "a key", "--json",
    ];
    let key: Value = serde_json::from_str(&pair.installation.ok(&create)).unwrap();
    let (id, text) = (key["id"].as_str().unwrap(), key["key"].as_str().unwrap());
    let programs = [
        Program::with(&pair.nodes[0], text).await,
        Program::with(&pair.nodes[1], text).await,
    ];
    for (client, guest) in clients.iter().zip(&mut guests) {
        client.get("/Users").await.is(200);
        guest.get("/users").await.is(200);
    }
    for program in &programs {
        program.get("/organisation").await.is(200);
    }

    let reset = pair.installation.ok(&["token", "reset", "--org", "vault"]);
    pair.installation.ok(&[
        "admin",
        "reset",
        "--org",
        "vault",
        "--email",
        "ada@vault.example",
    ]);
    pair.installation
        .ok(&["api-key", "revoke", "--org", "vault", id]);
    let done = Instant::now();

    for (client, guest) in clients.iter().zip(&mut guests) {
        client.get("/Users").await.is(401);
        guest.get("/users").await.is(303);
    }
    for program in &programs {
        program.get("/organisation").await.is(401);
    }
    assert!(done.elapsed() < EVERYWHERE_WITHIN, "{:?}", done.elapsed());
    for node in &pair.nodes {
        node.scim("vault", &reset).get("/Users").await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_told_to_stop_ends_what_it_has_begun() {
    let mut pair = Pair::new();
    let begun = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let scim = pair.nodes[0].scim("vault", &pair.token);
            let begun = Arc::clone(&begun);
            tokio::spawn(async move {
                let mut acknowledged = BTreeSet::new();
                for turn in 0.. {
                    let name = format!("person-{number}-{turn}");
                    let person = json!({"userName": name});
                    begun.fetch_add(1, Ordering::Relaxed);
                    let sent =
                        scim.attempt("POST", "/Users", Some(&person), Duration::from_mins(1));
                    match sent.await {
                        Ok(answer) => {
                            acknowledged.insert(answer.is(201).body["userName"].to_string())
                        }
                        // nobody listens any more
                        Err(_) => break,
                    };
                }
                acknowledged
            })
        })
        .collect();
    while begun.load(Ordering::Relaxed) < 100 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    signal(&pair.nodes[0], "TERM");
    let told = Instant::now();
    let mut acknowledged = BTreeSet::new();
    for client in clients {
        acknowledged.extend(client.await.unwrap());
    }
    let ended = pair.nodes[0].process.wait().unwrap();

    assert!(ended.success(), "{ended}");
    assert!(
        told.elapsed() < Duration::from_secs(20),
        "{:?}",
        told.elapsed()
    );
    let other = pair.nodes[1].scim("vault", &pair.token);
    let path = "/Users?count=1000&attributes=userName";
    let page = other.get(path).await.is(200).body;
    let total = page["totalResults"].as_u64().unwrap();
    let (mut found, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let page = other
            .get(&format!("{path}&cursor={cursor}"))
            .await
            .is(200)
            .body;
        for person in page["Resources"].as_array().unwrap() {
            found.insert(person["userName"].to_string());
        }
        match page["nextCursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(found.len() as u64, total);
    // whoever was answered is there, and whoever is there was answered
    assert_eq!(found, acknowledged);
}
