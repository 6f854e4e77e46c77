//! A backup that is made while clients write is a state that existed; a restore that is killed leaves nothing, or everything.

use std::fmt::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rollcall_app::App;
use rollcall_model::Change;
use rollcall_store::Error;
use rollcall_testkit::postgres::Database;
use tokio::task::JoinSet;

use super::{ended, json, said};
use crate::chance::Chance;
use crate::faults::{Outcome, clients, examine, feed::Feed};
use crate::support::Installation;
use crate::{ends, soak, store};

/// Reads the whole feed of Vault.
async fn feed(app: &App) -> Vec<Change> {
    let organisation = app.organisation(&"vault".parse().unwrap()).await.unwrap();
    let tenant = app.store().tenant(organisation.id);
    let read = tenant.read::<_, Error, _>(|reader| {
        let mut feed: Vec<Change> = Vec::new();
        loop {
            let after = feed.last().map_or(0, |last| last.sequence);
            let part = reader.changes(after, 1_000)?;
            if part.is_empty() {
                return Ok(feed);
            }
            feed.extend(part);
        }
    });
    read.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_clients_write_is_a_state_that_existed() {
    let (rounds, seed) = (soak::many(4, 40), soak::seed(5));
    println!("seed {seed}");
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[("ROLLCALL_RATE", "1000000")]);
    let scim = server.scim("vault", &token);
    // they rest while a backup is looked at: else what there is to compare grows with every round
    let (writes, stop) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut writing = JoinSet::new();
    for mut client in clients(&scim, seed).await {
        let (writes, stop) = (Arc::clone(&writes), Arc::clone(&stop));
        writing.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                if writes.load(Ordering::Relaxed) {
                    assert!(matches!(client.step().await, Outcome::Acknowledged));
                } else {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        });
    }
    let original = ends::app(installation.folder.path()).await;

    for round in 1..=rounds {
        writes.store(true, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(150)).await;
        let before = feed(&original).await.len();
        let file = format!("{round}.backup");
        let mut backup = installation.command(&["backup", &file, "--json"]);
        let made = tokio::task::spawn_blocking(move || backup.output().unwrap());
        let report = json(&made.await.unwrap(), 0);
        writes.store(false, Ordering::Relaxed);
        let whole = feed(&original).await;

        // into the one kind of store and the other
        let database = Database::fresh().unwrap();
        let restored = Installation::new();
        let folder = restored.folder.path();
        if round % 2 == 0 {
            store::place(folder, database.url());
        } else {
            let file = folder.join("rollcall.db");
            store::place(folder, format!("sqlite:{}", file.display()));
        }
        let file = installation.folder.path().join(&file);
        ended(&restored.run(&["restore", file.to_str().unwrap()]), 0);
        // no key is made by a restore: there is none to be had from a backup
        let key = store::location(folder).key_file();
        assert!(!folder.join(&key).exists());
        let place = store::location(installation.folder.path()).key_file();
        let original_key = installation.folder.path().join(place);
        std::fs::copy(original_key, folder.join(&key)).unwrap();
        let app = ends::app(folder).await;
        let told = feed(&app).await;
        let server = restored.serve(&[]);
        let mut follower = Feed::new(&app, "vault").await;
        follower.agrees(&server.scim("vault", &token)).await;

        assert!(
            (before..=whole.len()).contains(&told.len()),
            "{before} {} {}",
            told.len(),
            whole.len()
        );
        assert!(told == whole[..told.len()], "another story is told");
        assert_eq!(report["tables"]["changes"]["rows"], told.len());
        drop(server);
        examine(&restored);
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(client) = writing.join_next().await {
        client.unwrap();
    }
}

#[test]
fn a_restore_that_is_killed_leaves_nothing_or_everything() {
    const PEOPLE: usize = 3_000;
    let (rounds, seed) = (soak::many(8, 100), soak::seed(6));
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let installation = Installation::new();
    installation.ok(&["org", "create", "vault", "--name", "Vault"]);
    let mut people = "userName,displayName\n".to_owned();
    for number in 0..PEOPLE {
        writeln!(people, "person{number},Person {number}").unwrap();
    }
    std::fs::write(installation.folder.path().join("people.csv"), people).unwrap();
    installation.ok(&["import", "--org", "vault", "--users", "people.csv"]);
    installation.ok(&["backup", "one.backup"]);
    let file = installation.folder.path().join("one.backup");
    let file = file.to_str().unwrap();
    let begun = Instant::now();
    ended(&Installation::new().run(&["restore", file]), 0);
    let whole = usize::try_from(begun.elapsed().as_micros()).unwrap();

    let (mut nothing, mut everything) = (0, 0);
    let key = |of: &Installation| {
        let folder = of.folder.path();
        folder.join(store::location(folder).key_file())
    };
    for _ in 0..rounds {
        let target = Installation::new();
        // otherwise whoever looks into the store while it is empty makes a key for it
        std::fs::copy(key(&installation), key(&target)).unwrap();
        let mut process = target
            .command(&["restore", file])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(chance.within(0, whole) as u64));
        process.kill().unwrap();
        process.wait().unwrap();

        let listed = target.run(&["org", "list", "--json"]);
        let organisations: serde_json::Value = match listed.status.code() {
            Some(0) => serde_json::from_slice(&listed.stdout).unwrap(),
            Some(3) => serde_json::json!([]),
            _ => panic!("{}", said(&listed)),
        };
        if organisations.as_array().unwrap().is_empty() {
            nothing += 1;
            // and nothing is in the way of the next attempt
            ended(&target.run(&["restore", file]), 0);
        } else {
            everything += 1;
        }
        let exported = target.ok(&["export", "--org", "vault"]);
        assert_eq!(exported.lines().count(), PEOPLE);
        examine(&target);
    }
    println!("{nothing} times nothing, {everything} times everything");
    assert!(nothing > 0, "nothing was ever interrupted");
}
