//! One organisation asks for more than there is: the others notice little of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Installation, Scim};

/// So many write at the same time for the organisation that asks for much.
const CROWD: usize = 200;
/// So often the other one writes.
const WRITES: usize = 30;

/// Creates somebody; returns how long it took.
async fn created(scim: &Scim, name: &str) -> Duration {
    let begun = Instant::now();
    let body = json!({"userName": name, "title": "x".repeat(2_000)});
    scim.post("/Users", body).await.is(201);
    begun.elapsed()
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organisation_that_floods_the_server_waits_for_itself() {
    let (installation, token) = Installation::with("greedy");
    installation.ok(&["org", "create", "modest", "--name", "Modest"]);
    let modest = installation.ok(&["token", "create", "--org", "modest"]);
    let server = installation.serve(&[("ROLLCALL_RATE", "1000000")]);
    let greedy = server.scim("greedy", &token);
    let modest = server.scim("modest", &modest);
    let is_over = Arc::new(AtomicBool::new(false));
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        let (scim, is_over) = (greedy.clone(), Arc::clone(&is_over));
        crowd.spawn(async move {
            let mut times = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let name = format!("g{number}-{}", times.len());
                times.push(created(&scim, &name).await);
            }
            times
        });
    }
    // until all of them are there
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut times = Vec::new();
    for number in 0..WRITES {
        times.push(created(&modest, &format!("m{number}")).await);
    }
    is_over.store(true, Ordering::Relaxed);

    let of_crowd = median(crowd.join_all().await.concat());
    let of_modest = median(times);
    println!(
        "a write of the organisation with {CROWD} writers took {} ms, of the other one {} ms",
        of_crowd.as_millis(),
        of_modest.as_millis()
    );
    assert!(of_modest * 3 < of_crowd, "{of_modest:?} {of_crowd:?}");
}
