//! One organisation asks for more than there is: the others notice little of it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::store::is_a_file;
use crate::support::{Installation, Scim};

/// So many write at the same time for the organisation that asks for much.
const CROWD: usize = 24;
/// So large are the groups that they write.
const MEMBERS: usize = 1_000;
/// So often the other one writes.
const WRITES: usize = 20;

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

/// Writes a group with all members, and again, until it is over; returns how long each took.
async fn write_much(
    scim: Scim,
    name: String,
    members: Value,
    is_over: Arc<AtomicBool>,
) -> Vec<Duration> {
    let mut times = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let body = json!({"displayName": name, "members": members});
        let group = scim.post("/Groups", body).await.is(201).id();
        times.push(begun.elapsed());
        scim.send("DELETE", &format!("/Groups/{group}"), None).await;
    }
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organisation_whose_writes_are_many_and_long_waits_for_itself() {
    if !is_a_file() {
        // on PostgreSQL organisations have writers of their own
        return;
    }
    let (installation, token) = Installation::with("greedy");
    installation.ok(&["org", "create", "modest", "--name", "Modest"]);
    let modest = installation.ok(&["token", "create", "--org", "modest"]);
    let mut people = "userName\n".to_owned();
    for number in 0..MEMBERS {
        writeln!(people, "person{number}").unwrap();
    }
    std::fs::write(installation.folder.path().join("people.csv"), people).unwrap();
    installation.ok(&["import", "--org", "greedy", "--users", "people.csv"]);
    let server = installation.serve(&[("ROLLCALL_RATE", "1000000")]);
    let greedy = server.scim("greedy", &token);
    let modest = server.scim("modest", &modest);
    let page = greedy.get("/Users?count=1000&attributes=id").await.is(200);
    let members = page.body["Resources"].as_array().unwrap().iter();
    let members: Value = members.map(|one| json!({"value": one["id"]})).collect();

    let is_over = Arc::new(AtomicBool::new(false));
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        let (name, is_over) = (format!("Group {number}"), Arc::clone(&is_over));
        crowd.spawn(write_much(greedy.clone(), name, members.clone(), is_over));
    }
    // until all of them wait for the writer
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut times = Vec::new();
    for number in 0..WRITES {
        let begun = Instant::now();
        modest.person(&format!("m{number}")).await;
        times.push(begun.elapsed());
    }
    is_over.store(true, Ordering::Relaxed);

    let of_crowd = median(crowd.join_all().await.concat());
    let of_modest = median(times);
    println!(
        "with {CROWD} writers a write took {} ms, in the other organisation {} ms",
        of_crowd.as_millis(),
        of_modest.as_millis()
    );
    assert!(of_modest * 2 < of_crowd, "{of_modest:?} {of_crowd:?}");
}
