//! Two organisations with the same names never see each other, at whatever place a foreign id is put.

use serde_json::{Value, json};

use crate::access::scim_routes;
use crate::support::{Installation, Scim};

const UNKNOWN: &str = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77";

struct Pair {
    _server: crate::support::Server,
    _installation: Installation,
    own: Scim,
    other: Scim,
    /// A person and a group of the other organisation.
    foreign: (String, String),
}

async fn pair() -> Pair {
    let (installation, token) = Installation::with("own");
    installation.ok(&["org", "create", "other", "--name", "Other"]);
    let other_token = installation.ok(&["token", "create", "--org", "other"]);
    let server = installation.serve(&[("ROLLCALL_RATE", "10000")]);
    let (own, other) = (
        server.scim("own", &token),
        server.scim("other", &other_token),
    );
    let mut foreign = None;
    for scim in [&own, &other] {
        let person = scim.person("ann@example.com").await;
        let group = scim.group("Team", &[&person]).await;
        foreign = Some((person, group));
    }
    Pair {
        _server: server,
        _installation: installation,
        own,
        other,
        foreign: foreign.unwrap(),
    }
}

/// The same answer but for the id that was asked for.
fn comparable(answer: &crate::support::Answer, id: &str) -> (u16, String) {
    (answer.status, answer.body.to_string().replace(id, "ID"))
}

#[tokio::test]
async fn a_foreign_id_is_answered_as_an_unknown_one_at_every_route() {
    let pair = pair().await;
    let (person, group) = &pair.foreign;
    let mut compared = 0;
    for (method, path) in scim_routes() {
        let is_one = path.contains("{user}") || path.contains("{group}");
        if !is_one {
            continue;
        }
        let at = |id: &str| path.replace("{user}", id).replace("{group}", id);
        let foreign = if path.contains("{user}") {
            person
        } else {
            group
        };
        let body = match &*method {
            "PUT" if path.contains("{user}") => json!({"userName": "x@example.com"}),
            "PUT" => json!({"displayName": "X"}),
            _ => json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": "replace", "path": "displayName", "value": "X"}],
            }),
        };
        let body = (method != "GET" && method != "DELETE").then_some(&body);
        let found = pair.own.send(&method, &at(foreign), body).await;
        let unknown = pair.own.send(&method, &at(UNKNOWN), body).await;
        assert_eq!(
            comparable(&found, foreign),
            comparable(&unknown, UNKNOWN),
            "{method} {path}"
        );
        assert_eq!(found.status, 404, "{method} {path}");
        compared += 1;
    }
    // four methods, two kinds, two spellings of their name
    assert_eq!(compared, 16);
    untouched(&pair).await;
}

#[tokio::test]
async fn a_foreign_id_inside_a_body_is_an_unknown_one() {
    let pair = pair().await;
    let (person, group) = &pair.foreign;
    let team = pair
        .own
        .get("/Groups?filter=displayName eq \"Team\"")
        .await
        .is(200)
        .body["Resources"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for foreign in [person, group] {
        let both = async |method: &str, path: &str, body: &dyn Fn(&str) -> Value| {
            let found = pair.own.send(method, path, Some(&body(foreign))).await;
            let unknown = pair.own.send(method, path, Some(&body(UNKNOWN))).await;
            assert_eq!(
                comparable(&found, foreign),
                comparable(&unknown, UNKNOWN),
                "{method} {path} {}",
                body(foreign)
            );
            assert!(found.status >= 400, "{method} {path}: {found:?}");
        };
        let patch = |operations: Value| {
            json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations,
            })
        };
        let path = format!("/Groups/{team}");
        both(
            "POST",
            "/Groups",
            &|id| json!({"displayName": "New", "members": [{"value": id}]}),
        )
        .await;
        both(
            "PUT",
            &path,
            &|id| json!({"displayName": "Team", "members": [{"value": id}]}),
        )
        .await;
        both("PATCH", &path, &|id| {
            patch(json!([{"op": "add", "path": "members", "value": [{"value": id}]}]))
        })
        .await;
        both("PATCH", &path, &|id| {
            patch(json!([{"op": "replace", "value": {"members": [{"value": id}]}}]))
        })
        .await;
    }
    untouched(&pair).await;
}

#[tokio::test]
async fn a_bulk_request_reaches_nothing_foreign() {
    let pair = pair().await;
    let (person, group) = &pair.foreign;
    let body = |person: &str, group: &str| {
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [
                {"method": "DELETE", "path": format!("/Users/{person}")},
                {"method": "PATCH", "path": format!("/Groups/{group}"), "data": {
                    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                    "Operations": [{"op": "replace", "path": "displayName", "value": "Taken over"}],
                }},
            ],
        })
    };

    let found = pair.own.post("/Bulk", body(person, group)).await.is(200);
    let unknown = pair.own.post("/Bulk", body(UNKNOWN, UNKNOWN)).await.is(200);

    let text = found
        .body
        .to_string()
        .replace(person.as_str(), "ID")
        .replace(group.as_str(), "ID");
    assert_eq!(text, unknown.body.to_string().replace(UNKNOWN, "ID"));
    untouched(&pair).await;
}

#[tokio::test]
async fn filters_cursors_and_searches_find_nothing_foreign() {
    let pair = pair().await;
    let (person, group) = &pair.foreign;
    for (path, id) in [
        (format!("/Users?filter=id eq \"{person}\""), person),
        (format!("/Users?filter=groups.value eq \"{group}\""), group),
        (format!("/Groups?filter=id eq \"{group}\""), group),
        (
            format!("/Groups?filter=members.value eq \"{person}\""),
            person,
        ),
        (format!("/Groups?filter=members eq \"{person}\""), person),
    ] {
        let found = pair.own.get(&path).await.is(200);
        assert_eq!(found.body["totalResults"], 0, "{path} {id}");
        let there = pair.other.get(&path).await.is(200);
        assert_eq!(
            there.body["totalResults"], 1,
            "{path}: it would be found by its own organisation"
        );
    }
    for name in ["second", "third"] {
        pair.other.person(name).await;
    }
    let page = pair.other.get("/Users?cursor&count=1").await.is(200);
    let cursor = page.body["nextCursor"].as_str().unwrap();
    pair.other
        .get(&format!("/Users?cursor={cursor}&count=1"))
        .await
        .is(200);
    let stolen = pair
        .own
        .get(&format!("/Users?cursor={cursor}&count=1"))
        .await
        .is(400);
    assert_eq!(stolen.body["scimType"], "invalidCursor");
}

#[tokio::test]
async fn names_are_taken_within_one_organisation_only() {
    let pair = pair().await;

    let again = pair
        .own
        .post("/Users", json!({"userName": "ANN@example.com"}))
        .await
        .is(409);

    assert_eq!(again.body["scimType"], "uniqueness");
    assert!(!again.body.to_string().contains(&pair.foreign.0));
}

/// What belongs to the other organisation is as it was.
async fn untouched(pair: &Pair) {
    let (person, group) = &pair.foreign;
    let found = pair.other.get(&format!("/Users/{person}")).await.is(200);
    assert_eq!(found.body["userName"], "ann@example.com");
    let found = pair.other.get(&format!("/Groups/{group}")).await.is(200);
    assert_eq!(found.body["displayName"], "Team");
    assert_eq!(found.body["members"].as_array().unwrap().len(), 1);
}
