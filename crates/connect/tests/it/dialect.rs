//! What a target does not take is found out once, and remembered.

use std::sync::Mutex;

use rollcall_model::profile::{Evidence, Updates};
use rollcall_model::{Kind, Profile};
use rollcall_sync::task::{Answer, Write, member_patch};
use serde_json::{Value, json};

use crate::scripted::{Said, Scripted, Seen};

fn rename() -> Write {
    Write::Patch {
        id: "1".into(),
        operations: vec![json!({"op": "replace", "path": "title", "value": "Buyer"})],
    }
}

fn observation(evidence: &Evidence) -> &str {
    match evidence {
        Evidence::Learned { observation, .. } => observation,
        other => panic!("{other:?}"),
    }
}

/// An endpoint with one person that does not take PATCH.
async fn without_patch() -> Scripted {
    let person = Mutex::new(json!({
        "id": "1",
        "userName": "ann",
        "title": "Clerk",
        "nickName": "Annie",
        "groups": [{"value": "g1"}],
        "meta": {"version": "W/\"7\""},
    }));
    Scripted::start(move |seen, _| match seen.method.as_str() {
        "PATCH" => Said::status(405),
        "PUT" => {
            *person.lock().unwrap() = seen.body.clone();
            Said::json(200, &seen.body)
        }
        _ => Said::json(200, &person.lock().unwrap()),
    })
    .await
}

#[tokio::test]
async fn who_takes_no_patch_gets_a_put_and_no_patch_again() {
    let endpoint = without_patch().await;
    let target = endpoint.target();

    assert_eq!(target.write(Kind::User, &rename()).await, Answer::Done);
    // nothing differs any more, so nothing is sent
    assert_eq!(
        target.clone().write(Kind::User, &rename()).await,
        Answer::Done
    );

    let path = "/scim/Users/1";
    assert_eq!(
        endpoint.lines(),
        [
            format!("PATCH {path}"),
            format!("GET {path}"),
            format!("PUT {path}"),
            format!("GET {path}")
        ]
    );
    let put = &endpoint.seen()[2];
    assert_eq!(
        put.body,
        json!({"id": "1", "userName": "ann", "title": "Buyer", "nickName": "Annie"})
    );
    assert!(put.head.contains("if-match: w/\"7\""), "{}", put.head);
    let updates = target.profile().updates;
    assert_eq!(updates.value, Updates::Put);
    assert_eq!(observation(&updates.evidence), "405 to PATCH");
}

#[tokio::test]
async fn who_takes_neither_is_told_so_and_nothing_is_remembered() {
    let endpoint = Scripted::start(|seen, _| match seen.method.as_str() {
        "GET" => Said::json(200, &json!({"id": "1"})),
        _ => Said::error(501, "read only"),
    })
    .await;
    let target = endpoint.target();

    let answer = target.write(Kind::User, &rename()).await;

    let Answer::Failed(trouble) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(
        trouble.message,
        "the target takes neither PATCH (501) nor PUT (501) for this User: it cannot be changed there: read only"
    );
    assert_eq!(target.profile(), Profile::default());
}

#[tokio::test]
async fn a_put_that_was_never_tried_teaches_nothing() {
    let endpoint = Scripted::start(|seen, _| match seen.method.as_str() {
        "PATCH" => Said::status(405),
        _ => Said::status(500),
    })
    .await;
    let target = endpoint.target();

    let answer = target.write(Kind::User, &rename()).await;

    assert!(matches!(answer, Answer::Failed(_)), "{answer:?}");
    assert_eq!(target.profile(), Profile::default());
}

#[tokio::test]
async fn a_put_that_came_too_late_reads_again_once() {
    let respond = |patience: usize| {
        move |seen: &Seen, before: usize| match seen.method.as_str() {
            "PUT" if before < patience => Said::status(412),
            "PUT" => Said::status(204),
            _ => Said::json(200, &json!({"id": "1", "meta": {}})).with("etag", "\"3\""),
        }
    };
    let mut profile = Profile::default();
    profile.updates.state(Updates::Put);

    let endpoint = Scripted::start(respond(2)).await;
    let answer = endpoint
        .target_with(profile.clone())
        .write(Kind::User, &rename())
        .await;
    assert_eq!(answer, Answer::Done);
    assert!(endpoint.seen()[3].head.contains("if-match: \"3\""));

    let endpoint = Scripted::start(respond(9)).await;
    let answer = endpoint
        .target_with(profile)
        .write(Kind::User, &rename())
        .await;
    assert!(
        matches!(&answer, Answer::Failed(trouble) if trouble.may_pass),
        "{answer:?}"
    );
    assert_eq!(endpoint.seen().len(), 4);
}

#[tokio::test]
async fn members_of_a_group_are_read_and_sent_whole() {
    let endpoint = Scripted::start(|seen, _| match seen.method.as_str() {
        "PUT" => Said::status(200),
        _ => Said::json(
            200,
            &json!({"id": "1", "displayName": "Sales", "members": [{"value": "a"}]}),
        ),
    })
    .await;
    let mut profile = Profile::default();
    profile.updates.state(Updates::Put);
    let write = Write::Patch {
        id: "1".into(),
        operations: member_patch(&["b".into()], &["a".into()]),
    };

    let answer = endpoint
        .target_with(profile)
        .write(Kind::Group, &write)
        .await;

    assert_eq!(answer, Answer::Done);
    let seen = endpoint.seen();
    assert_eq!(seen[0].path, "/scim/Groups/1");
    assert_eq!(seen[1].body["members"], json!([{"value": "b"}]));
}

#[tokio::test]
async fn what_cannot_be_removed_because_it_is_not_there_is_gone_already() {
    let schema = "urn:ietf:params:scim:api:messages:2.0:Error";
    let refusal = |kind: &'static str| {
        move |_: &Seen, _| {
            let body = json!({"schemas": [schema], "status": "400", "scimType": kind});
            Said::json(400, &body)
        }
    };
    let removal = || member_patch(&[], &["b".into()]);
    let both = || member_patch(&["a".into()], &["b".into()]);
    for (operations, kind, is_done) in [
        (removal(), "noTarget", true),
        (removal(), "invalidPath", false),
        // nobody knows which of the two has no target
        (both(), "noTarget", false),
        (member_patch(&["a".into()], &[]), "noTarget", false),
    ] {
        let endpoint = Scripted::start(refusal(kind)).await;
        let write = Write::Patch {
            id: "1".into(),
            operations,
        };

        let answer = endpoint.target().write(Kind::Group, &write).await;

        assert_eq!(answer == Answer::Done, is_done, "{kind}: {write:?}");
        assert_eq!(endpoint.lines(), ["PATCH /scim/Groups/1"]);
    }
}

#[tokio::test]
async fn too_many_members_are_halved_and_never_below_one() {
    let add = |count: usize| Write::Patch {
        id: "1".into(),
        operations: member_patch(&vec!["m".to_owned(); count], &[]),
    };
    let endpoint = Scripted::start(|_, before| match before {
        1 => Said::error(400, "Too many members in one request"),
        2 => Said::error(400, "member m does not exist"),
        3 => Said::json(
            400,
            &json!({"message": "Request size exceeds 20 operations"}),
        ),
        _ => Said::status(413),
    })
    .await;
    let target = endpoint.target();

    let mut known = Vec::new();
    for count in [500, 250, 100, 40, 2, 1] {
        assert!(matches!(
            target.write(Kind::Group, &add(count)).await,
            Answer::Failed(_)
        ));
        known.push(target.profile().members_added.value);
    }

    assert_eq!(known, [250, 125, 125, 20, 1, 1]);
    let profile = target.profile();
    assert_eq!(
        observation(&profile.members_added.evidence),
        "413 to 2 members at once"
    );
    assert_eq!(profile.members_removed.evidence, Evidence::Default);
}

#[tokio::test]
async fn a_group_that_comes_with_members_and_a_search_that_finds_anybody_are_remembered() {
    let endpoint = Scripted::start(|_, _| {
        Said::list(&[json!({"id": "1", "displayName": "Sales", "members": [{"value": "a"}]})])
    })
    .await;
    let target = endpoint.target();

    let kinds = [(Kind::Group, "displayName".to_owned())];
    target.test(&kinds, "nobody").await.unwrap_err();

    let profile = target.profile();
    assert_eq!(
        observation(&profile.excludes_members.evidence),
        "a group came with its members"
    );
    assert!(!profile.filters.value);
}

#[tokio::test]
async fn a_probe_takes_over_what_is_stated_and_tries_a_list() {
    let endpoint = Scripted::start(|seen, _| {
        if seen.path.starts_with("/scim/ServiceProviderConfig") {
            return Said::json(
                200,
                &json!({"patch": {"supported": true}, "filter": {"supported": true, "maxResults": 50}}),
            );
        }
        Said::list(&[json!({"id": "1"})])
    })
    .await;
    let target = endpoint.target();

    let probed = target.probe().await.unwrap();

    let changed: Vec<&str> = probed.changes.iter().map(|row| row.what).collect();
    assert_eq!(changed, ["updates", "page size", "filters"]);
    assert_eq!(endpoint.seen()[1].path, "/scim/Users?startIndex=1&count=1");
    target.page(Kind::User, 1, 200).await.unwrap();
    assert_eq!(endpoint.seen()[2].path, "/scim/Users?startIndex=1&count=50");
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_of_itself_keeps_the_defaults() {
    let rows: [(Said, Said, &[&str]); 4] = [
        (Said::status(404), Said::list(&[]), &["the address is http"]),
        (
            Said::text(200, "text/plain", "{{{"),
            Said::status(501),
            &["users cannot be listed", "http"],
        ),
        (
            Said::json(200, &json!([])),
            Said::json(200, &json!({"totalResults": 7, "Resources": []})),
            &["counts 7 users and shows none", "http"],
        ),
        (
            Said::status(501),
            Said::list(&[json!({"id": "1"}), json!({"id": "2"})]),
            &["ignores `count`", "http"],
        ),
    ];
    for (config, list, notes) in rows {
        let endpoint = Scripted::start(move |_, before| {
            if before == 0 {
                config.clone()
            } else {
                list.clone()
            }
        })
        .await;
        let target = endpoint.target();

        let probed = target.probe().await.unwrap();

        assert_eq!(target.profile(), Profile::default());
        assert_eq!(probed.changes, []);
        assert_eq!(probed.notes.len(), notes.len(), "{:?}", probed.notes);
        for (note, expected) in probed.notes.iter().zip(notes) {
            assert!(note.contains(expected), "{note}");
        }
    }
}

#[tokio::test]
async fn a_probe_fails_where_nothing_would_work() {
    let endpoint = Scripted::start(|_, _| Said::status(401)).await;

    let trouble = endpoint.target().probe().await.unwrap_err();

    assert!(
        trouble.message.contains("refuses the credential"),
        "{}",
        trouble.message
    );
}

#[tokio::test]
async fn a_stored_profile_is_gone_by() {
    let endpoint = without_patch().await;
    let stored: Value = json!({"updates": {"value": "put", "from": "learned", "at": "2026-01-01T00:00:00Z", "observation": "405 to PATCH"}});
    let profile: Profile = serde_json::from_value(stored).unwrap();

    endpoint
        .target_with(profile)
        .write(Kind::User, &rename())
        .await;

    assert_eq!(endpoint.lines(), ["GET /scim/Users/1", "PUT /scim/Users/1"]);
}
