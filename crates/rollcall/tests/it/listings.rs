//! Listings over HTTP: one question has one meaning, however it is written.

use serde_json::json;

use crate::support::{Installation, Scim, Server};

async fn five_people() -> (Server, Scim, Installation) {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[("ROLLCALL_RATE", "10000")]);
    let scim = server.scim("vault", &token);
    for name in ["a1", "a2", "a3", "b1", "b2"] {
        scim.person(name).await;
    }
    (server, scim, installation)
}

const OF_A: &str = "filter=userName sw \"a\"";
const OF_B: &str = "filter=userName sw \"b\"";

#[tokio::test]
async fn a_cursor_is_bound_to_the_question_that_is_answered() {
    let (_server, scim, _installation) = five_people().await;
    let first = scim
        .get(&format!("/Users?{OF_A}&cursor&count=1"))
        .await
        .is(200);
    let cursor = first.body["nextCursor"].as_str().unwrap().to_owned();

    for (query, is_answered) in [
        (OF_A.to_owned(), true),
        ("Filter=USERNAME  SW \"a\"".to_owned(), true),
        (OF_B.to_owned(), false),
        ("count=1".to_owned(), false),
    ] {
        let found = scim.get(&format!("/Users?{query}&cursor={cursor}")).await;
        let wanted = if is_answered { 200 } else { 400 };
        assert_eq!(found.status, wanted, "{query}: {}", found.body);
    }
    for (body, is_answered) in [
        (
            json!({"filter": "userName sw \"a\"", "cursor": cursor}),
            true,
        ),
        (
            json!({"Filter": "userName sw \"a\"", "CURSOR": cursor}),
            true,
        ),
        (
            json!({"Filter": "userName sw \"b\"", "cursor": cursor}),
            false,
        ),
        (json!({"cursor": cursor}), false),
    ] {
        let found = scim.post("/Users/.search", body.clone()).await;
        let wanted = if is_answered { 200 } else { 400 };
        assert_eq!(found.status, wanted, "{body}: {}", found.body);
        if !is_answered {
            assert_eq!(found.body["scimType"], "invalidCursor", "{body}");
        }
    }
}

#[tokio::test]
async fn a_question_that_could_be_read_in_two_ways_is_refused() {
    let (_server, scim, _installation) = five_people().await;
    let id = scim.person("c1").await;
    for path in [
        format!("/Users?{OF_A}&{OF_B}"),
        format!("/Users?{OF_A}&Filter=userName pr"),
        "/Users?filter=title eq \"%FF\"".to_owned(),
        "/Users?startIndex=1&startindex=2".to_owned(),
        format!("/Users/{id}?attributes=userName&attributes=title"),
        format!("/Users/{id}?attributes=%C3"),
    ] {
        let found = scim.get(&path).await.is(400);
        assert_eq!(found.body["scimType"], "invalidValue", "{path}");
    }
    let flagged = scim.get("/Users?aadOptscim062020&x=1&x=2").await.is(200);
    assert_eq!(flagged.body["totalResults"], 6);
}

#[tokio::test]
async fn a_sorted_listing_has_an_order_and_pages_by_index() {
    let (_server, scim, _installation) = five_people().await;
    for (path, scim_type) in [
        ("/Users?sortBy=groups", "invalidPath"),
        ("/Users?sortBy=groups.display", "invalidPath"),
        ("/Users?sortBy=name", "invalidPath"),
        ("/Groups?sortBy=members", "invalidPath"),
        ("/Groups?sortBy=members.value", "invalidPath"),
        ("/Users?sortBy=userName&cursor", "invalidValue"),
        ("/Users?sortBy=userName&cursor=x", "invalidValue"),
    ] {
        let found = scim.get(path).await.is(400);
        assert_eq!(found.body["scimType"], scim_type, "{path}: {}", found.body);
    }
    let body = json!({"SortBy": "userName", "cursor": ""});
    let found = scim.post("/Users/.search", body).await.is(400);
    assert!(
        found.body["detail"]
            .as_str()
            .unwrap()
            .contains("startIndex")
    );

    let page = scim
        .get("/Users?sortBy=userName&sortOrder=descending&startIndex=2&count=2")
        .await
        .is(200);
    let names = page.body["Resources"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|person| &person["userName"]).collect();
    assert_eq!(names, ["b1", "a3"]);
}

#[tokio::test]
async fn rows_are_filtered_by_what_they_hold_or_not_at_all() {
    let (_server, scim, _installation) = five_people().await;
    let ann = scim.person("ann").await;
    scim.group("Sales", &[&ann]).await;
    for path in [
        "/Groups?filter=members.display ne \"Ann\"",
        "/Groups?filter=members[display eq \"Ann\"]",
        "/Groups?filter=members.$ref pr",
        "/Users?filter=groups.$ref pr",
    ] {
        let found = scim.get(path).await.is(400);
        assert_eq!(found.body["scimType"], "invalidFilter", "{path}");
    }
    for path in [
        "/Users?filter=groups.display eq \"sales\"".to_owned(),
        "/Users?filter=groups[display sw \"S\" and type eq \"direct\"]".to_owned(),
        "/Groups?filter=members.type eq \"User\"".to_owned(),
        format!("/Groups?filter=members[type eq \"User\" and value eq \"{ann}\"]"),
    ] {
        let found = scim.get(&path).await.is(200);
        assert_eq!(found.body["totalResults"], 1, "{path}");
    }
}
