//! When tokens end, and how often they may ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::Installation;

#[tokio::test]
async fn the_old_token_ends_with_the_reset_or_with_the_overlap() {
    let (installation, first) = Installation::with("vault");
    let server = installation.serve(&[]);
    server.scim("vault", &first).get("/Users").await.is(200);

    let second = installation.ok(&["token", "reset", "--org", "vault"]);
    server.scim("vault", &first).get("/Users").await.is(401);
    server.scim("vault", &second).get("/Users").await.is(200);

    let third = installation.ok(&["token", "reset", "--org", "vault", "--overlap", "1s"]);
    server.scim("vault", &second).get("/Users").await.is(200);
    server.scim("vault", &third).get("/Users").await.is(200);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    server.scim("vault", &second).get("/Users").await.is(401);
    server.scim("vault", &third).get("/Users").await.is(200);

    let listed: serde_json::Value =
        serde_json::from_str(&installation.ok(&["token", "list", "--org", "vault", "--json"]))
            .unwrap();
    let text = listed.to_string();
    for token in [&first, &second, &third] {
        assert!(!text.contains(token.as_str()), "a list shows no token");
    }
    let used = listed
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| !row["last_used"].is_null());
    assert_eq!(used.count(), 3, "{listed}");
}

#[tokio::test]
async fn a_token_ends_when_its_time_is_over_or_it_is_revoked() {
    let (installation, token) = Installation::with("vault");
    let short = installation.ok(&[
        "token",
        "create",
        "--org",
        "vault",
        "--integration",
        "okta",
        "--expires",
        "1s",
    ]);
    let server = installation.serve(&[]);
    server.scim("vault", &short).get("/Users").await.is(200);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    server.scim("vault", &short).get("/Users").await.is(401);

    let listed: serde_json::Value =
        serde_json::from_str(&installation.ok(&["token", "list", "--org", "vault", "--json"]))
            .unwrap();
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    installation.ok(&["token", "revoke", "--org", "vault", &id]);
    server.scim("vault", &token).get("/Users").await.is(401);
}

#[tokio::test]
async fn a_token_that_asks_too_often_is_told_when_to_come_again_and_others_are_not_kept_out() {
    let (installation, token) = Installation::with("vault");
    let create = ["token", "create", "--org", "vault", "--integration", "okta"];
    let other = installation.ok(&create);
    // a burst is twice as much
    let server = installation.serve(&[("ROLLCALL_RATE", "2")]);
    let (scim, other) = (server.scim("vault", &token), server.scim("vault", &other));
    let mut refused = None;
    for _ in 0..20 {
        let found = scim.get("/ServiceProviderConfig").await;
        if found.status != 200 {
            refused = Some(found);
            break;
        }
    }

    let refused = refused
        .expect("twenty requests at once are too many")
        .is(429);
    let wait = refused.headers["retry-after"].to_str().unwrap();
    let wait: u64 = wait.parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    assert_eq!(refused.body["status"], "429");
    let schema = "urn:ietf:params:scim:api:messages:2.0:Error";
    assert_eq!(refused.body["schemas"][0], schema);
    other.get("/ServiceProviderConfig").await.is(200);
    tokio::time::sleep(Duration::from_secs(wait)).await;
    scim.get("/ServiceProviderConfig").await.is(200);
}

#[tokio::test]
async fn no_request_that_begins_after_a_reset_gets_in_with_the_old_token_however_many_there_are() {
    let (installation, old) = Installation::with("vault");
    let server = installation.serve(&[("ROLLCALL_RATE", "100000")]);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let answered = Arc::new(AtomicUsize::new(0));
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let (scim, stopped) = (server.scim("vault", &old), stopped.clone());
            let answered = Arc::clone(&answered);
            tokio::spawn(async move {
                let mut answers = Vec::new();
                while !*stopped.borrow() {
                    let begun = Instant::now();
                    answers.push((begun, scim.get("/Users?count=1").await.status));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                answers
            })
        })
        .collect();
    let many = async |more: usize| {
        let enough = answered.load(Ordering::Relaxed) + more;
        while answered.load(Ordering::Relaxed) < enough {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    many(50).await;
    tokio::time::sleep(Duration::from_millis(100)).await;

    let before = Instant::now();
    let folder = installation.folder.path().to_owned();
    let reset = tokio::task::spawn_blocking(move || {
        let reset = ["token", "reset", "--org", "vault"];
        crate::support::rollcall(&folder, &reset).output().unwrap()
    });
    let new = reset.await.unwrap();
    let done = Instant::now();
    let new = String::from_utf8(new.stdout).unwrap().trim().to_owned();
    server.scim("vault", &new).get("/Users").await.is(200);
    many(50).await;
    stop.send_replace(true);

    let mut counts = (0, 0);
    for task in asking {
        for (begun, status) in task.await.unwrap() {
            if begun + Duration::from_millis(100) < before {
                assert_eq!(status, 200, "before");
                counts.0 += 1;
            } else if begun > done {
                assert!(matches!(status, 401 | 429), "after: {status}");
                counts.1 += 1;
            }
        }
    }
    assert!(counts.0 > 20 && counts.1 > 20, "{counts:?}");
}
