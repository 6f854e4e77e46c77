//! A disk that is full for a while: a small file system in memory, which only the server and what it starts can see.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use super::{examine, whole};
use crate::store::is_a_file;
use crate::support::{Installation, Scim, Server};

/// How large the file system is, and how much of it is taken at first.
const SIZE: &str = "24m";
const TAKEN: usize = 8 * 1024 * 1024;

/// Begins an installation in a file system of its own, and becomes the server.
const BEGIN: &str = r#"
set -e
mkdir full && mount -t tmpfs -o size=$SIZE none full && cd full
head -c $TAKEN /dev/zero > taken
"$BINARY" org create vault --name Vault 2>/dev/null
"$BINARY" token create --org vault > ../token 2>/dev/null
exec "$BINARY" serve --listen 127.0.0.1:0
"#;

/// A person of so many kilobytes.
async fn create(scim: &Scim, number: usize) -> (u16, Value, bool) {
    let long = "x".repeat(8_000);
    let body = json!({"userName": format!("person{number}"), "title": long, "nickName": long, "displayName": long});
    let answer = scim.post("/Users", body).await;
    let says_when = answer.headers.contains_key("retry-after");
    (answer.status, answer.body, says_when)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_once_there_is_room_everything_goes_on() {
    if !is_a_file() {
        // PostgreSQL's disk is PostgreSQL's
        return;
    }
    let installation = Installation::new();
    let folder = installation.folder.path();
    let mut command = std::process::Command::new("unshare");
    command
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "--",
            "sh",
            "-c",
            BEGIN,
        ])
        .current_dir(folder)
        .env("SIZE", SIZE)
        .env("TAKEN", TAKEN.to_string())
        .env("BINARY", env!("CARGO_BIN_EXE_rollcall"))
        .env("ROLLCALL_RATE", "1000000")
        .stdin(Stdio::null());
    let (server, _) = Server::of(command);
    let inside = |name: &str| -> PathBuf {
        let root = format!("/proc/{}/root", server.process.id());
        let place = folder.join("full").join(name);
        Path::new(&root).join(place.strip_prefix("/").unwrap())
    };
    let token = std::fs::read_to_string(folder.join("token")).unwrap();
    let scim = server.scim("vault", token.trim());

    let mut there = Vec::new();
    let mut refused = 0;
    for number in 0..4_000 {
        let (status, body, says_when) = create(&scim, number).await;
        if status == 201 {
            assert_eq!(refused, 0, "nothing fits any more, and then something does");
            there.push(body["id"].as_str().unwrap().to_owned());
            continue;
        }
        assert!(matches!(status, 503 | 507), "{status}: {body}");
        assert!(status == 507 || says_when, "{body}");
        assert!(
            body["schemas"][0].as_str().unwrap().ends_with(":Error"),
            "{body}"
        );
        refused += 1;
        if refused == 5 {
            break;
        }
    }
    assert_eq!(refused, 5, "the disk was never full");
    assert!(there.len() > 100, "{}", there.len());
    // who only reads does not notice
    let first = format!("/Users/{}", there[0]);
    scim.get(&first).await.is(200);

    std::fs::remove_file(inside("taken")).unwrap();
    let (status, body, _) = create(&scim, 5_000).await;
    assert_eq!(status, 201, "{body}");
    there.push(body["id"].as_str().unwrap().to_owned());
    let mut found: Vec<String> = whole(&scim, "/Users")
        .await
        .iter()
        .map(|person| person["id"].as_str().unwrap().to_owned())
        .collect();
    found.sort();
    there.sort();
    assert_eq!(
        found, there,
        "who was acknowledged is there, and nobody else"
    );
    for name in ["rollcall.db", "rollcall.db-wal", "rollcall.db.key"] {
        std::fs::copy(inside(name), folder.join(name)).unwrap();
    }
    drop(server);
    examine(&installation);
}
