//! A person's life at the receiving end: adopted, disabled, deleted, back again; and what the plan allows.

use serde_json::{Value, json};

use crate::support::{Installation, answer};

#[tokio::test]
async fn an_account_that_nobody_manages_is_adopted_and_one_that_is_managed_conflicts() {
    let (installation, entra) = Installation::with("vault");
    let okta = installation.ok(&["token", "create", "--org", "vault", "--integration", "okta"]);
    let people = installation.folder.path().join("people.csv");
    std::fs::write(&people, "userName,displayName\nann@example.com,Ann\n").unwrap();
    installation.ok(&[
        "import",
        "--org",
        "vault",
        "--users",
        people.to_str().unwrap(),
    ]);
    let server = installation.serve(&[]);
    let (entra, okta) = (server.scim("vault", &entra), server.scim("vault", &okta));

    let found = entra
        .get("/Users?filter=userName eq \"ann@example.com\"")
        .await
        .is(200);
    let before = found.body["Resources"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let deleted = entra
        .send("DELETE", &format!("/Users/{before}"), None)
        .await;
    let deleted = deleted.is(403);
    let reason = deleted.body["detail"].as_str().unwrap();
    assert!(reason.contains("take charge of it first"), "{reason}");
    let adopted = entra
        .post(
            "/Users",
            json!({"userName": "Ann@Example.com", "externalId": "e1", "title": "Buyer"}),
        )
        .await
        .is(201);
    assert_eq!(adopted.id(), before, "it is the same account");
    assert_eq!(adopted.body["title"], "Buyer");

    entra
        .post("/Users", json!({"userName": "ann@example.com"}))
        .await
        .is(409);
    let theirs = okta
        .post("/Users", json!({"userName": "ann@example.com"}))
        .await
        .is(409);
    assert_eq!(theirs.body["scimType"], "uniqueness");
    let path = format!("/Users/{before}");
    let refused = okta
        .patch(
            &path,
            json!([{"op": "replace", "path": "active", "value": false}]),
        )
        .await;
    assert_eq!(
        refused.status, 403,
        "another directory manages it: {}",
        refused.body
    );
    assert_eq!(entra.get(&path).await.body["active"], true);
}

#[tokio::test]
async fn who_is_deleted_and_comes_back_has_the_same_id() {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[]);
    let scim = server.scim("vault", &token);
    let first = scim
        .post(
            "/Users",
            json!({"userName": "ann@example.com", "externalId": "e1"}),
        )
        .await
        .is(201);
    let path = format!("/Users/{}", first.id());

    scim.send("DELETE", &path, None).await.is(204);
    scim.get(&path).await.is(404);
    scim.send("DELETE", &path, None).await.is(404);
    let found = scim
        .get("/Users?filter=userName eq \"ann@example.com\"")
        .await
        .is(200);
    assert_eq!(found.body["totalResults"], 0);

    let again = scim
        .post(
            "/Users",
            json!({"userName": "ann.lee@example.com", "externalId": "e1"}),
        )
        .await
        .is(201);
    assert_eq!(again.id(), first.id());
}

#[tokio::test]
async fn disabling_is_soft_and_a_change_is_seen_in_version_and_condition() {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[]);
    let scim = server.scim("vault", &token);
    let created = scim
        .post("/Users", json!({"userName": "ann@example.com"}))
        .await
        .is(201);
    let path = format!("/Users/{}", created.id());
    let version = created.headers["etag"].to_str().unwrap().to_owned();

    scim.patch(
        &path,
        json!([{"op": "Replace", "path": "active", "value": "False"}]),
    )
    .await
    .is(204);
    let found = scim.get(&path).await.is(200);
    assert_eq!(found.body["active"], false);
    assert_ne!(found.headers["etag"], version.as_str());
    let all = scim.get("/Users?filter=active eq false").await.is(200);
    assert_eq!(all.body["totalResults"], 1);

    let current = found.headers["etag"].to_str().unwrap().to_owned();
    let stale = scim
        .request("PUT", &path)
        .header("if-match", &version)
        .header("content-type", "application/scim+json")
        .body(json!({"userName": "ann@example.com", "title": "lost"}).to_string());
    answer(stale).await.is(412);
    let not_modified = scim.request("GET", &path).header("if-none-match", &current);
    assert_eq!(answer(not_modified).await.status, 304);
    // nothing changed: nothing is written
    scim.patch(
        &path,
        json!([{"op": "replace", "path": "active", "value": false}]),
    )
    .await
    .is(204);
    assert_eq!(scim.get(&path).await.headers["etag"], current.as_str());
}

#[tokio::test]
async fn saying_nothing_about_active_never_lets_anybody_in() {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[]);
    let scim = server.scim("vault", &token);
    let created = scim
        .post("/Users", json!({"userName": "ann"}))
        .await
        .is(201);
    assert_eq!(created.body["active"], true, "a new person is active");
    let path = format!("/Users/{}", created.id());

    scim.patch(
        &path,
        json!([{"op": "replace", "path": "active", "value": false}]),
    )
    .await
    .is(204);
    let put = json!({"userName": "ann", "title": "Buyer"});
    let found = scim.send("PUT", &path, Some(&put)).await.is(200);
    assert_eq!(
        found.body["active"], false,
        "a PUT that does not mention it"
    );
    for value in [json!(""), json!(null), json!([])] {
        let cleared = json!([{"op": "replace", "path": "active", "value": value}]);
        scim.patch(&path, cleared).await.is(400);
    }
    scim.patch(&path, json!([{"op": "remove", "path": "active"}]))
        .await
        .is(204);
    assert!(scim.get(&path).await.is(200).body.get("active").is_none());
    let inside = scim.get("/Users?filter=active eq true").await.is(200);
    assert_eq!(inside.body["totalResults"], 0);
    let shown = installation.ok(&["org", "show", "vault", "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["active_users"], 0, "{shown}");
}

#[tokio::test]
async fn seats_and_the_end_of_a_trial_refuse_people_but_never_keep_somebody_in() {
    let (installation, _) = Installation::with("unused");
    installation.ok(&["org", "create", "small", "--name", "Small", "--seats", "2"]);
    let token = installation.ok(&["token", "create", "--org", "small"]);
    installation.ok(&[
        "org",
        "create",
        "past",
        "--name",
        "Past",
        "--trial-until",
        "2020-01-31",
    ]);
    let past = installation.ok(&["token", "create", "--org", "past"]);
    let server = installation.serve(&[]);
    let scim = server.scim("small", &token);
    let ann = scim.person("ann").await;
    scim.person("bob").await;

    let third = scim
        .post("/Users", json!({"userName": "cid"}))
        .await
        .is(403);
    assert!(
        third.body["detail"].as_str().unwrap().contains("2 seats"),
        "{}",
        third.body
    );
    let blocked = scim
        .post("/Users", json!({"userName": "cid", "active": false}))
        .await
        .is(201)
        .id();
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    let on = json!([{"op": "replace", "path": "active", "value": true}]);
    scim.patch(&format!("/Users/{blocked}"), on.clone())
        .await
        .is(403);
    let put = json!({"userName": "cid", "active": true});
    scim.send("PUT", &format!("/Users/{blocked}"), Some(&put))
        .await
        .is(403);
    scim.patch(&format!("/Users/{ann}"), off).await.is(204);
    scim.patch(&format!("/Users/{blocked}"), on).await.is(204);

    let past = server.scim("past", &past);
    let refused = past
        .post("/Users", json!({"userName": "ann"}))
        .await
        .is(403);
    assert!(
        refused.body["detail"].as_str().unwrap().contains("trial"),
        "{}",
        refused.body
    );
}

#[tokio::test]
async fn another_region_says_where_to_go() {
    let installation = Installation::new();
    let config = installation.folder.path().join("rollcall.toml");
    std::fs::write(
        &config,
        "region = \"eu\"\n[regions]\nus = \"https://us.rollcall.example\"\n",
    )
    .unwrap();
    let config = config.to_str().unwrap();
    installation.ok(&[
        "org", "create", "here", "--name", "Here", "--config", config,
    ]);
    installation.ok(&[
        "org", "create", "there", "--name", "There", "--region", "us", "--config", config,
    ]);
    let here = installation.ok(&["token", "create", "--org", "here", "--config", config]);
    let there = installation.ok(&["token", "create", "--org", "there", "--config", config]);
    let server = installation.serve(&[("ROLLCALL_CONFIG", config)]);

    server.scim("here", &here).get("/Users").await.is(200);
    let wrong: Value = server
        .scim("there", &there)
        .get("/Users")
        .await
        .is(421)
        .body;
    let detail = wrong["detail"].as_str().unwrap();
    assert!(
        detail.contains("https://us.rollcall.example/scim/v2/there"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_group_counts_its_members_once_and_loses_who_is_deleted() {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[]);
    let scim = server.scim("vault", &token);
    let (ann, bob) = (scim.person("ann").await, scim.person("bob").await);
    let team = scim.group("Team", &[&ann, &ann, &bob]).await;
    let path = format!("/Groups/{team}");
    let count = async || {
        scim.get(&path).await.is(200).body["members"]
            .as_array()
            .map_or(0, Vec::len)
    };

    assert_eq!(count().await, 2);
    scim.patch(
        &path,
        json!([{"op": "add", "path": "members", "value": [{"value": ann}]}]),
    )
    .await
    .is(204);
    assert_eq!(count().await, 2);
    let itself = json!([{"op": "add", "path": "members", "value": [{"value": team}]}]);
    scim.patch(&path, itself).await.is(400);
    scim.send("DELETE", &format!("/Users/{bob}"), None)
        .await
        .is(204);
    assert_eq!(count().await, 1);
    let without = scim
        .get(&format!("{path}?excludedAttributes=members"))
        .await
        .is(200);
    assert!(without.body.get("members").is_none());
    let groups = scim.get(&format!("/Users/{ann}")).await.is(200);
    assert_eq!(groups.body["groups"][0]["value"], team.as_str());
}

#[tokio::test]
async fn who_is_deleted_is_nobodys_manager_any_more() {
    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[]);
    let scim = server.scim("vault", &token);
    let boss = scim.person("boss").await;
    let body =
        json!({"userName": "ann", ENTERPRISE: {"manager": {"value": boss}, "department": "Sales"}});
    let ann = scim.post("/Users", body).await.is(201).id();

    scim.send("DELETE", &format!("/Users/{boss}"), None)
        .await
        .is(204);

    let found = scim.get(&format!("/Users/{ann}")).await.is(200);
    assert_eq!(found.body[ENTERPRISE], json!({"department": "Sales"}));
}
