//! Each fault is really produced, and the same seed produces the same ones.

use std::time::{Duration, Instant};

use rollcall_model::Kind;
use rollcall_testkit::{Behaviour, Fault, Play, Target, When};
use serde_json::json;

use crate::support::{client, names};

/// Starts a target with four people of whom the fault always comes.
fn target(fault: Fault) -> Target {
    let target = Target::start(Behaviour::default().with_fault(fault, When::Always));
    for name in ["a", "b", "c", "d"] {
        target
            .insert(Kind::User, json!({"id": name, "userName": name}))
            .unwrap();
    }
    target
}

#[tokio::test]
async fn a_refusal_has_no_effect() {
    for (fault, status, retry_after) in [
        (Fault::TooManyRequests { retry_after: None }, 429, None),
        (
            Fault::TooManyRequests {
                retry_after: Some(2),
            },
            429,
            Some("2"),
        ),
        (Fault::ServerError, 500, None),
        (Fault::BadGateway, 502, None),
        (
            Fault::Unavailable {
                retry_after: Some(1),
            },
            503,
            Some("1"),
        ),
        (Fault::Unauthorized, 401, None),
        (Fault::Forbidden, 403, None),
        (Fault::Html, 200, None),
    ] {
        let target = target(fault.clone());

        let answer = client(&target)
            .post("/Users", json!({"userName": "new"}))
            .await;

        assert_eq!(answer.status, status, "{fault:?}");
        assert_eq!(answer.retry_after.as_deref(), retry_after, "{fault:?}");
        let is_page = answer
            .body
            .as_str()
            .is_some_and(|body| body.contains("<!doctype html>"));
        assert_eq!(is_page, fault == Fault::Html);
        assert_eq!(target.creates(Kind::User, "new"), 0, "{fault:?}");
        assert_eq!(target.requests()[0].fault, Some(fault));
    }
}

#[tokio::test]
async fn a_lost_answer_may_be_one_of_success() {
    for (fault, creates, is_timeout) in [
        (Fault::ResetBeforeCommit, 0, false),
        (Fault::ResetAfterCommit, 1, false),
        (Fault::TruncatedBody, 1, false),
        (
            Fault::Silence {
                takes_effect: false,
            },
            0,
            true,
        ),
        (Fault::Silence { takes_effect: true }, 1, true),
        (
            Fault::Slow {
                milliseconds: 5_000,
            },
            1,
            true,
        ),
    ] {
        let target = target(fault.clone());

        let body = json!({"userName": "new"});
        let error = client(&target)
            .send("POST", "/Users", Some(body))
            .await
            .unwrap_err();

        assert_eq!(error.is_timeout(), is_timeout, "{fault:?}: {error:?}");
        assert_eq!(target.creates(Kind::User, "new"), creates, "{fault:?}");
        assert_eq!(target.requests().len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_slow_answer_is_the_right_one() {
    let target = target(Fault::Slow { milliseconds: 50 });
    let before = Instant::now();

    let answer = client(&target).get("/Users/a").await;

    assert_eq!(answer.status, 200);
    assert!(before.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_search_may_find_the_wrong_ones() {
    let search = "/Users?filter=userName%20eq%20%22b%22";
    for (fault, expected) in [
        (Fault::FilterIgnored, vec!["a", "b", "c", "d"]),
        (Fault::FilterWrong, vec!["a"]),
    ] {
        let target = target(fault);

        assert_eq!(names(&client(&target).get(search).await.body), expected);
        target.calm();
        assert_eq!(names(&client(&target).get(search).await.body), ["b"]);
    }
}

#[tokio::test]
async fn pages_may_not_fit_together() {
    let read = async |target: &Target| {
        let client = client(target);
        let mut read = Vec::new();
        let mut totals = Vec::new();
        for start in [1, 3] {
            let page = client
                .get(&format!("/Users?startIndex={start}&count=2"))
                .await
                .body;
            read.extend(names(&page).iter().map(ToString::to_string));
            totals.push(page["totalResults"].as_u64().unwrap());
        }
        (read.concat(), totals)
    };
    for (fault, names, total) in [
        (Fault::PageShifted, "abbc", 4),
        (Fault::PageReordered, "abba", 4),
        (Fault::TotalTooHigh { by: 1 }, "abcd", 5),
        (Fault::TotalTooLow { by: 2 }, "abcd", 2),
    ] {
        assert_eq!(
            read(&target(fault.clone())).await,
            (names.to_owned(), vec![total; 2]),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn a_cursor_may_be_too_old() {
    let target = target(Fault::CursorExpired);
    let client = client(&target);

    assert_eq!(client.get("/Users?cursor=").await.status, 200);
    let refused = client.get("/Users?cursor=1").await;
    assert_eq!(
        (refused.status, &refused.body["scimType"]),
        (400, &"expiredCursor".into())
    );
}

#[tokio::test]
async fn members_may_get_lost_in_a_success() {
    let target = target(Fault::MembersLost);
    let client = client(&target);
    let members = json!([{"value": "a"}, {"value": "b"}, {"value": "c"}]);

    let group = client
        .post(
            "/Groups",
            json!({"displayName": "Sales", "members": members}),
        )
        .await;
    assert_eq!(group.status, 201);
    let path = format!("/Groups/{}", group.body["id"].as_str().unwrap());
    let add = json!([{"op": "add", "path": "members", "value": [{"value": "d"}]}]);
    assert_eq!(client.patch(&path, add).await.status, 204);

    let members = target.resources(Kind::Group)[0]["members"].clone();
    assert_eq!(members, json!([{"value": "a", "type": "User"}]));
}

#[tokio::test]
async fn a_creation_may_be_answered_with_no_id_or_a_wrong_one() {
    for (fault, id) in [
        (Fault::CreatedWithoutId, None),
        (Fault::CreatedWithForeignId, Some("a")),
    ] {
        let target = target(fault);
        let client = client(&target);

        let created = client.post("/Users", json!({"userName": "new"})).await;
        assert_eq!((created.status, created.body["id"].as_str()), (201, id));
        assert_eq!(target.creates(Kind::User, "new"), 1);

        let again = client.post("/Users", json!({"userName": "new"})).await;
        assert_eq!(again.status, 409);
        assert_eq!(target.requests()[1].fault, None);
    }
}

#[tokio::test]
async fn a_fault_comes_to_the_requests_for_which_it_is_meant() {
    let only = Play::new(Fault::ServerError, When::EveryNth(2))
        .on(&["get"])
        .below("/Users");
    let behaviour = Behaviour::default()
        .with_play(only)
        .with_fault(Fault::Unauthorized, When::From(6));
    let target = Target::start(behaviour);
    let client = client(&target);

    let mut statuses = Vec::new();
    for path in [
        "/Users", "/Groups", "/Users", "/Groups", "/Users", "/Users", "/Groups",
    ] {
        statuses.push(client.get(path).await.status);
    }

    assert_eq!(statuses, [200, 200, 500, 200, 200, 500, 401]);
}

#[tokio::test]
async fn the_same_seed_plays_the_same_faults_and_gives_the_same_ids() {
    let run = async |seed: u64| {
        let behaviour = Behaviour::default()
            .with_seed(seed)
            .with_fault(Fault::ServerError, When::PerMille(200))
            .with_fault(Fault::BadGateway, When::PerMille(200));
        let target = Target::start(behaviour);
        let client = client(&target);
        for number in 0..50 {
            client
                .post("/Users", json!({"userName": format!("u{number}")}))
                .await;
        }
        let faults: Vec<_> = target
            .requests()
            .into_iter()
            .map(|request| request.fault)
            .collect();
        (
            faults,
            target.resources(Kind::User).len(),
            target.resources(Kind::User)[0]["id"].clone(),
        )
    };

    let first = run(7).await;

    assert_eq!(first, run(7).await);
    assert_ne!(first, run(8).await);
    assert!(first.0.contains(&Some(Fault::ServerError)) && first.0.contains(&None));
}

#[tokio::test]
async fn a_paused_target_answers_later() {
    let target = Target::start(Behaviour::default());
    let client = client(&target);

    target.pause();
    assert!(
        client
            .send("GET", "/Users", None)
            .await
            .unwrap_err()
            .is_timeout()
    );
    assert_eq!(target.last_request(), 0);
    target.resume();
    assert_eq!(client.get("/Users").await.status, 200);
}
