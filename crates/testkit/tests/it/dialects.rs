//! What servers are like without being wrong on a single day.

use rollcall_model::Kind;
use rollcall_testkit::{Behaviour, Dialect, Target};
use serde_json::{Value, json};

use crate::support::{answer, client};

fn target(change: impl FnOnce(&mut Dialect)) -> Target {
    let mut dialect = Dialect::default();
    change(&mut dialect);
    let target = Target::start(Behaviour::default().with_dialect(dialect));
    target
        .insert(Kind::User, json!({"id": "u1", "userName": "ann"}))
        .unwrap();
    target
        .insert(Kind::User, json!({"id": "u2", "userName": "bob"}))
        .unwrap();
    let members = json!([{"value": "u1"}, {"value": "u2"}]);
    target
        .insert(
            Kind::Group,
            json!({"id": "g1", "displayName": "Sales", "members": members}),
        )
        .unwrap();
    target
}

#[tokio::test]
async fn patch_may_be_missing_or_limited() {
    let (without, limited) = (
        target(|is| is.no_patch = true),
        target(|is| is.patch_members = Some(1)),
    );
    let remove = |ids: &[&str]| {
        let value: Value = ids.iter().map(|id| json!({"value": id})).collect();
        json!([{"op": "Remove", "path": "members", "value": value}])
    };

    assert_eq!(
        client(&without)
            .patch("/Groups/g1", remove(&["u1"]))
            .await
            .status,
        405
    );
    assert_eq!(
        client(&limited)
            .patch("/Groups/g1", remove(&["u1", "u2"]))
            .await
            .status,
        413
    );
    assert_eq!(
        client(&limited)
            .patch("/Groups/g1", remove(&["u1"]))
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn members_may_be_shown_unasked_or_not_at_all() {
    let chatty = target(|is| is.ignores_excluded_attributes = true);
    let silent = target(|is| is.lists_without_members = true);
    let has_members = |group: &Value| group.get("members").is_some();

    let path = "/Groups?excludedAttributes=members";
    assert!(has_members(
        &client(&chatty).get(path).await.body["Resources"][0]
    ));
    assert!(!has_members(
        &client(&silent).get("/Groups").await.body["Resources"][0]
    ));
    assert!(has_members(&client(&silent).get("/Groups/g1").await.body));
}

#[tokio::test]
async fn names_ids_and_versions_may_be_taken_otherwise() {
    let target = target(|is| {
        is.unique = false;
        is.keeps_ids = true;
        is.put_requires_if_match = true;
    });
    let client = client(&target);

    let twin = client
        .post("/Users", json!({"id": "mine", "userName": "ANN"}))
        .await;
    assert_eq!((twin.status, &twin.body["id"]), (201, &"mine".into()));
    assert_eq!(target.by(Kind::User, "userName", "ann").len(), 2);
    let put = |version: Option<&str>| {
        let request = client
            .request("PUT", "/Users/u1")
            .body(json!({"userName": "ann"}).to_string());
        match version {
            Some(version) => request.header("if-match", version),
            None => request,
        }
    };
    for (version, status) in [(None, 428), (Some("W/\"9\""), 412), (Some("W/\"1\""), 200)] {
        assert_eq!(
            answer(put(version)).await.unwrap().status,
            status,
            "{version:?}"
        );
    }
}

#[tokio::test]
async fn discovery_may_be_missing_and_an_empty_search_a_404() {
    let target = target(|is| {
        is.no_service_provider_config = true;
        is.empty_search_is_404 = true;
    });
    let client = client(&target);

    assert_eq!(client.get("/ServiceProviderConfig").await.status, 404);
    assert_eq!(
        client
            .get("/Users?filter=userName%20eq%20%22x%22")
            .await
            .status,
        404
    );
    assert_eq!(
        client
            .get("/Users?filter=userName%20eq%20%22ann%22")
            .await
            .status,
        200
    );
}
