//! A SCIM endpoint as a source, on its good days and its bad ones.

use std::time::Duration;

use rollcall_connect::client::Client;
use rollcall_connect::guard::Reach;
use rollcall_connect::sources::scim::Scim;
use rollcall_connect::sources::{Completeness, Pointer, Unread};
use rollcall_model::{Kind, Secret};
use rollcall_scim::limits::STANDARD;
use rollcall_scim::schema::Registry;
use rollcall_testkit::{Behaviour, Dialect, Fault, Play, Target, When};
use serde_json::{Value, json};

use crate::scripted::surroundings;
use crate::sources_support::{Reading, read};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Starts a target with so many people, of whom all but the first report to the first, and two groups.
fn target(people: usize, behaviour: Behaviour) -> Target {
    let target = Target::start(behaviour);
    for number in 0..people {
        let mut person = json!({"id": format!("u{number}"), "userName": format!("user{number}")});
        if number > 0 {
            person[ENTERPRISE] = json!({"department": "Sales", "manager": {"value": "u0"}});
        }
        target.insert(Kind::User, person).unwrap();
    }
    let members: Value = (0..people.min(2))
        .map(|number| json!({"value": format!("u{number}")}))
        .collect();
    let sales = json!({"id": "g0", "displayName": "Sales", "members": members});
    target.insert(Kind::Group, sales).unwrap();
    target
        .insert(Kind::Group, json!({"id": "g1", "displayName": "Empty"}))
        .unwrap();
    target
}

/// Starts a target with five people that shows two on a page.
fn paged(fault: Option<(Fault, When)>, cursors: bool) -> Target {
    let dialect = Dialect {
        page_size: 2,
        cursors,
        ..Dialect::default()
    };
    let mut behaviour = Behaviour::default().with_dialect(dialect);
    if let Some((fault, when)) = fault {
        behaviour = behaviour.with_play(Play::new(fault, when).below("/Users"));
    }
    target(5, behaviour)
}

async fn pull(target: &Target) -> Result<Reading, Unread> {
    pull_with(target.url(), &target.token()).await
}

async fn pull_with(url: &str, token: &str) -> Result<Reading, Unread> {
    let client = Client::new(Reach::Anywhere).unwrap();
    let source = Scim::new(
        client,
        url,
        Secret::new(token),
        Registry::standard(),
        STANDARD,
        surroundings(),
    );
    read(&mut source.unwrap().with_pause(Duration::from_millis(1))).await
}

const ALL: [&str; 7] = ["u0", "u1", "u2", "u3", "u4", "g0", "g1"];

#[tokio::test]
async fn people_and_groups_come_with_what_they_point_to() {
    for cursors in [false, true] {
        let reading = pull(&paged(None, cursors)).await.unwrap();

        assert_eq!(reading.completeness, Completeness::Complete);
        assert_eq!(reading.keys(), ALL);
        let ann = &reading.records[1];
        assert_eq!(ann.place, "/Users/u1");
        assert_eq!(ann.manager, Some(Pointer::Key("u0".to_owned())));
        assert_eq!(ann.body[ENTERPRISE], json!({"department": "Sales"}));
        let members: Vec<_> = ["u0", "u1"].map(|id| Pointer::Key(id.to_owned())).into();
        assert_eq!(reading.records[5].members, members);
        assert_eq!(reading.records[6].members, []);
    }
}

#[tokio::test]
async fn cursors_are_used_where_they_are_offered() {
    for (cursors, parameter) in [(true, "/Users?cursor="), (false, "/Users?startIndex=")] {
        let target = paged(None, cursors);
        pull(&target).await.unwrap();

        let lists = target
            .requests()
            .into_iter()
            .filter(|request| request.path_and_query.contains("/Users?"));
        let lists: Vec<_> = lists.map(|request| request.path_and_query).collect();
        assert!(
            lists.len() >= 3 && lists.iter().all(|list| list.contains(parameter)),
            "{lists:?}"
        );
    }
}

#[tokio::test]
async fn a_list_that_moves_once_is_read_again_and_one_that_always_moves_is_incomplete() {
    for (fault, cursors, reason) in [
        (Fault::PageShifted, false, "two places of the list"),
        (Fault::PageReordered, false, "two places of the list"),
        (
            Fault::TotalTooHigh { by: 1 },
            false,
            "counts 6 Users and shows 5",
        ),
        (
            Fault::TotalTooHigh { by: 1 },
            true,
            "counts 6 Users and shows 5",
        ),
        // the first page ends where the count says that the list does
        (
            Fault::TotalTooLow { by: 3 },
            false,
            "counts 2 Users and shows 5",
        ),
        (
            Fault::TotalTooLow { by: 1 },
            true,
            "counts 4 Users and shows 5",
        ),
        (Fault::CursorExpired, true, "the cursor expired"),
        (Fault::PageShifted, true, "two places of the list"),
    ] {
        let once = pull(&paged(Some((fault.clone(), When::First(1))), cursors))
            .await
            .unwrap();
        assert_eq!(once.completeness, Completeness::Complete, "{fault:?}");
        assert_eq!(once.keys(), ALL, "{fault:?}");

        let always = pull(&paged(Some((fault.clone(), When::Always)), cursors))
            .await
            .unwrap();
        assert!(
            always.reason().contains(reason),
            "{fault:?}: {}",
            always.reason()
        );
        let mut keys = always.keys();
        keys.dedup();
        assert_eq!(keys.len(), always.records.len(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_total_that_changes_on_the_way_is_noticed() {
    let target = paged(
        Some((Fault::TotalTooHigh { by: 1 }, When::EveryNth(2))),
        false,
    );

    let reading = pull(&target).await.unwrap();

    assert_eq!(
        reading.reason(),
        "`totalResults` went from 5 to 6 while the list was read"
    );
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    for fault in [
        Fault::ResetBeforeCommit,
        Fault::ResetAfterCommit,
        Fault::TruncatedBody,
        Fault::ServerError,
        Fault::BadGateway,
        Fault::TooManyRequests {
            retry_after: Some(0),
        },
        Fault::Unavailable {
            retry_after: Some(0),
        },
    ] {
        let target = paged(Some((fault.clone(), When::EveryNth(2))), false);

        let reading = pull(&target).await.unwrap();

        assert_eq!(reading.completeness, Completeness::Complete, "{fault:?}");
        assert_eq!(reading.keys(), ALL, "{fault:?}");
    }
}

#[tokio::test]
async fn a_retry_after_is_kept() {
    let busy = Fault::TooManyRequests {
        retry_after: Some(1),
    };
    let target = target(1, Behaviour::default().with_fault(busy, When::First(1)));
    let before = std::time::Instant::now();

    pull(&target).await.unwrap();

    assert!(before.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn what_stands_in_the_way_is_said_exactly() {
    for (fault, is_out_of_reach, expected) in [
        (Fault::Unauthorized, false, "refuses the token (401)"),
        (Fault::Html, false, "not a SCIM ListResponse"),
        (
            Fault::ServerError,
            true,
            "answers 500, also when asked again",
        ),
        (
            Fault::TooManyRequests {
                retry_after: Some(3_600),
            },
            true,
            "answers 429",
        ),
        (Fault::ResetBeforeCommit, true, "broke off"),
    ] {
        let target = paged(Some((fault.clone(), When::Always)), false);

        let unread = pull(&target).await.unwrap_err();

        assert_eq!(
            unread.is_out_of_reach, is_out_of_reach,
            "{fault:?}: {unread:?}"
        );
        assert!(unread.message.contains(expected), "{fault:?}: {unread:?}");
        assert!(!unread.help.is_empty());
    }
    let target = paged(None, false);
    let wrong_path = pull_with(&format!("{}/Users", target.url()), &target.token())
        .await
        .unwrap_err();
    assert!(
        wrong_path.message.contains("404") && wrong_path.help.contains("before `/Users`"),
        "{wrong_path:?}"
    );
    let wrong_token = pull_with(target.url(), "other").await.unwrap_err();
    assert!(wrong_token.message.contains("(401)"), "{wrong_token:?}");
}

#[tokio::test]
async fn a_failure_in_the_middle_ends_the_reading() {
    let target = paged(Some((Fault::Unauthorized, When::From(3))), false);

    let unread = pull(&target).await.unwrap_err();

    assert!(unread.message.contains("(401)"), "{unread:?}");
}

#[tokio::test]
async fn groups_that_come_without_members_are_read_singly() {
    let dialect = Dialect {
        lists_without_members: true,
        no_service_provider_config: true,
        ..Dialect::default()
    };
    let target = target(2, Behaviour::default().with_dialect(dialect));

    let reading = pull(&target).await.unwrap();

    assert_eq!(reading.completeness, Completeness::Complete);
    assert_eq!(reading.records[2].members.len(), 2);
}

#[tokio::test]
async fn an_endpoint_that_shows_nobody_is_not_believed() {
    let reading = pull(&target(0, Behaviour::default())).await.unwrap();

    assert_eq!(reading.reason(), "the endpoint shows no people");
}

#[tokio::test]
async fn many_people_come_in_parts() {
    let reading = pull(&target(1_101, Behaviour::default())).await.unwrap();

    assert_eq!(reading.completeness, Completeness::Complete);
    assert_eq!(reading.records.len(), 1_103);
}
