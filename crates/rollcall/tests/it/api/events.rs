//! Events: nothing is left out, nobody waits longer than need be, and no value is told.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Program;
use crate::support::{Installation, Scim, Server};

async fn house() -> (Installation, Server, Scim, Program) {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[("ROLLCALL_RATE", "10000")]);
    let scim = server.scim("vault", &token);
    let program = Program::new(&installation, &server, "vault", "read").await;
    (installation, server, scim, program)
}

#[tokio::test]
async fn every_change_is_an_event_in_order_without_its_values() {
    let (_installation, _server, scim, program) = house().await;
    let ann = scim.person("canary@example.com").await;
    let group = scim.group("Canary", &[]).await;
    let patch = async |path: String, operations: Value| {
        let status = scim.patch(&path, operations).await.status;
        assert!(matches!(status, 200 | 204), "{path}: {status}");
    };
    let (user, team) = (format!("/Users/{ann}"), format!("/Groups/{group}"));
    patch(
        user.clone(),
        json!([{"op": "replace", "path": "displayName", "value": "Canary"}]),
    )
    .await;
    patch(
        user.clone(),
        json!([{"op": "replace", "path": "active", "value": false}]),
    )
    .await;
    patch(
        user.clone(),
        json!([{"op": "replace", "path": "active", "value": true}]),
    )
    .await;
    patch(
        team.clone(),
        json!([{"op": "add", "path": "members", "value": [{"value": ann}]}]),
    )
    .await;
    scim.send("DELETE", &user, None).await.is(204);

    let (mut events, mut after) = (Vec::new(), String::new());
    loop {
        let page = program
            .get(&format!("/events?limit=2&after={after}"))
            .await
            .is(200)
            .body;
        events.extend(page["events"].as_array().unwrap().iter().cloned());
        page["cursor"].as_str().unwrap().clone_into(&mut after);
        if page["more"] == false {
            break;
        }
    }

    let told: Vec<Value> = events
        .iter()
        .map(|one| {
            json!([
                one["type"],
                one["object"]["id"],
                one["object"]["version"],
                one["changed"]
            ])
        })
        .collect();
    assert_eq!(
        told,
        [
            json!(["user.created", ann, 1, []]),
            json!(["group.created", group, 1, []]),
            json!(["user.updated", ann, 2, ["displayName"]]),
            json!(["user.disabled", ann, 3, ["active"]]),
            json!(["user.enabled", ann, 4, ["active"]]),
            json!(["group.members_changed", group, 2, ["members"]]),
            json!(["group.members_changed", group, 3, ["members"]]),
            json!(["user.deleted", ann, null, []]),
        ]
    );
    let text = json!(events).to_string();
    assert!(!text.to_lowercase().contains("canary"), "{text}");
    assert!(
        events
            .iter()
            .all(|one| one["actor"] == "integration" && one["organisation"] == "vault")
    );
    // asked again, they are the same
    let again = program.get("/events").await.is(200).body;
    assert_eq!(again["events"], json!(events));
    let end = program.get("/events?after=end").await.is(200).body;
    assert_eq!(
        (&end["events"], &end["cursor"]),
        (&json!([]), &json!(after))
    );
}

#[tokio::test]
async fn whoever_waits_is_told_within_a_second_or_when_the_time_is_up() {
    let (_installation, _server, scim, program) = house().await;
    let begun = Instant::now();
    let none = program.get("/events?after=end&wait=1").await.is(200).body;
    assert_eq!(none["events"], json!([]));
    assert!(begun.elapsed() >= Duration::from_secs(1));

    let cursor = none["cursor"].as_str().unwrap().to_owned();
    let waiting = {
        let program = program.clone();
        tokio::spawn(async move {
            let told = program
                .get(&format!("/events?after={cursor}&wait=25"))
                .await;
            (told.is(200).body, Instant::now())
        })
    };
    tokio::time::sleep(Duration::from_millis(700)).await;
    let ann = scim.person("ann").await;
    let written = Instant::now();

    let (told, at) = waiting.await.unwrap();
    assert_eq!(told["events"][0]["object"]["id"], *ann);
    assert!(
        at.duration_since(written) < Duration::from_secs(2),
        "{:?}",
        at - written
    );
}

#[tokio::test]
async fn a_server_that_stops_does_not_wait_for_those_who_wait() {
    let (_installation, mut server, _scim, program) = house().await;
    let waiting = tokio::spawn(async move { program.get("/events?after=end&wait=25").await });
    tokio::time::sleep(Duration::from_millis(500)).await;

    let begun = Instant::now();
    let id = rustix::process::Pid::from_child(&server.process);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let told = waiting.await.unwrap().is(200).body;

    assert_eq!(told["events"], json!([]));
    let ended = tokio::task::spawn_blocking(move || server.process.wait().unwrap());
    assert!(ended.await.unwrap().success());
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn whoever_follows_is_told_when_a_restore_put_another_event_into_the_place() {
    let (installation, server, mut scim, mut program) = house().await;
    scim.person("ann").await;
    let kept = program.get("/events").await.is(200).body;
    installation.ok(&["backup", "one.backup"]);
    scim.person("lost").await;
    let lost = program.get("/events").await.is(200).body;

    let url = server.url.clone();
    drop(server);
    let begun = Instant::now();
    loop {
        let restored = installation.run(&["restore", "one.backup", "--force"]);
        if restored.status.success() {
            break;
        }
        // the database has not noticed yet that the server is gone
        assert!(begun.elapsed() < Duration::from_secs(30), "{restored:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let server = installation.serve(&[]);
    for base in [&mut scim.base, &mut program.http.base] {
        *base = base.replace(&url, &server.url);
    }
    let follow = async |answer: &Value| {
        let cursor = answer["cursor"].as_str().unwrap();
        program.get(&format!("/events?after={cursor}")).await
    };
    let refused = follow(&lost).await.is(400).body;
    assert!(refused.to_string().contains("restored"), "{refused}");
    let bob = scim.person("bob").await;

    // bob has the place in the feed that somebody had who is forgotten
    let refused = follow(&lost).await.is(400).body;
    assert!(refused.to_string().contains("after=end"), "{refused}");
    let next = follow(&kept).await.is(200).body;
    assert_eq!(next["events"][0]["object"]["id"], *bob);
}
