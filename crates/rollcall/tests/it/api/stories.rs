//! What programs do with people, groups, tokens and the audit log.

use serde_json::{Value, json};

use super::Program;
use crate::support::{Installation, Scim, Server};

/// An organisation with a directory, and a program that may change things.
struct House {
    installation: Installation,
    server: Server,
    scim: Scim,
    program: Program,
}

async fn house() -> House {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[("ROLLCALL_RATE", "10000")]);
    let scim = server.scim("vault", &token);
    let program = Program::new(&installation, &server, "vault", "manage").await;
    House {
        installation,
        server,
        scim,
        program,
    }
}

#[expect(clippy::too_many_lines, reason = "a story")]
#[tokio::test]
async fn people_are_listed_in_pages_looked_at_switched_and_deleted() {
    let House {
        scim,
        program,
        server: _server,
        ..
    } = house().await;
    let body = json!({"userName": "ann@example.com", "displayName": "Ann", "externalId": "x-1",
        "emails": [{"value": "ann@example.com", "type": "work", "primary": true}, {"value": "a@home.example"}]});
    let ann = scim.post("/Users", body).await.is(201).id();
    let mut all = vec![ann.clone()];
    for name in ["bob", "cem", "dea"] {
        all.push(scim.person(name).await);
    }

    let found = program.get(&format!("/people/{ann}")).await.is(200).body;
    assert_eq!(
        json!([
            found["id"],
            found["userName"],
            found["displayName"],
            found["emails"],
            found["state"],
            found["managedBy"],
            found["externalId"],
            found["version"]
        ]),
        json!([
            ann,
            "ann@example.com",
            "Ann",
            [
                {"value": "ann@example.com", "type": "work", "primary": true},
                {"value": "a@home.example", "type": null, "primary": false},
            ],
            "active",
            "entra",
            "x-1",
            1
        ])
    );
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = program
            .get(&format!("/people?limit=3&cursor={cursor}"))
            .await;
        let page = page.is(200).body;
        let people = page["people"].as_array().unwrap();
        assert!((1..=3).contains(&people.len()));
        listed.extend(
            people
                .iter()
                .map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    all.sort();
    assert_eq!(listed, all);
    let foreign = format!("/people?filter=active eq true&cursor={cursor}");
    let refused = program.get(&foreign).await.is(400).body;
    assert_eq!(refused["type"], "urn:rollcall:problem:cursor");

    let off = program
        .act(&format!("/people/{ann}/disable"))
        .await
        .is(200)
        .body;
    assert_eq!(
        (&off["state"], &off["version"]),
        (&json!("disabled"), &json!(2))
    );
    assert_eq!(
        scim.get(&format!("/Users/{ann}")).await.is(200).body["active"],
        false
    );
    let found = program
        .get("/people?filter=active eq false")
        .await
        .is(200)
        .body;
    assert_eq!(found["people"].as_array().unwrap().len(), 1);
    let on = program
        .act(&format!("/people/{ann}/enable"))
        .await
        .is(200)
        .body;
    assert_eq!(on["state"], "active");
    program.delete(&format!("/people/{ann}")).await.is(204);
    program.get(&format!("/people/{ann}")).await.is(404);
    program.delete(&format!("/people/{ann}")).await.is(404);
    scim.get(&format!("/Users/{ann}")).await.is(404);

    let log = program
        .get(&format!("/audit?object={ann}&limit=2"))
        .await
        .is(200)
        .body;
    let actions: Vec<&Value> = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["action"])
        .collect();
    assert_eq!(actions, ["user.deleted", "user.enabled"]);
    let by = &log["entries"][0]["actor"];
    assert_eq!(
        (&by["type"], &by["name"]),
        (&json!("key"), &json!("API key test"))
    );
    let next = log["next"].as_str().unwrap();
    let rest = program
        .get(&format!("/audit?object={ann}&cursor={next}"))
        .await
        .is(200)
        .body;
    assert_eq!(rest["entries"].as_array().unwrap().len(), 2);
    assert_eq!(rest["next"], Value::Null);
}

#[tokio::test]
async fn groups_are_listed_with_their_members_and_the_organisation_is_counted() {
    let House {
        scim,
        program,
        server: _server,
        ..
    } = house().await;
    let ann = scim.person("ann").await;
    let inner = scim.group("Inner", &[]).await;
    let group = scim.group("Team", &[&ann, &inner]).await;

    let found = program
        .get("/groups?filter=displayName eq \"team\"")
        .await
        .is(200)
        .body;
    assert_eq!(found["groups"][0]["id"], *group);
    assert_eq!(
        program.get(&format!("/groups/{group}")).await.is(200).body,
        found["groups"][0]
    );
    let page = program
        .get(&format!("/groups/{group}/members?limit=1"))
        .await
        .is(200)
        .body;
    let next = page["next"].as_str().unwrap();
    let rest = program
        .get(&format!("/groups/{group}/members?cursor={next}"))
        .await
        .is(200)
        .body;
    let mut members = vec![page["members"][0].clone(), rest["members"][0].clone()];
    members.sort_by_key(|one| one["name"].to_string());
    assert_eq!(
        members,
        [
            json!({"id": inner, "type": "group", "name": "Inner"}),
            json!({"id": ann, "type": "user", "name": "ann"}),
        ]
    );
    program.get(&format!("/groups/{ann}")).await.is(404);
    program.get(&format!("/groups/{ann}/members")).await.is(404);
    let organisation = program.get("/organisation").await.is(200).body;
    assert_eq!(
        json!([
            organisation["slug"],
            organisation["people"],
            organisation["activePeople"],
            organisation["groups"],
            organisation["role"]
        ]),
        json!(["vault", 1, 1, 2, "manage"])
    );
}

#[tokio::test]
async fn tokens_are_created_reset_and_revoked() {
    let House {
        program, server, ..
    } = house().await;

    let made = program.act("/integrations/okta/tokens").await.is(201).body;
    let first = made["token"].as_str().unwrap().to_owned();
    assert!(first.starts_with("rc_"));
    server.scim("vault", &first).get("/Users").await.is(200);
    let made = program
        .post("/integrations/okta/tokens/reset", json!({"overlap": 3600}))
        .await;
    let second = made.is(201).body["token"].as_str().unwrap().to_owned();
    server.scim("vault", &first).get("/Users").await.is(200);
    server.scim("vault", &second).get("/Users").await.is(200);

    let listed = program.get("/integrations/okta/tokens").await.is(200).body;
    let tokens = listed["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 2);
    assert!(
        !listed.to_string().contains(&first[10..50]),
        "a list shows no token"
    );
    for token in tokens {
        let id = token["id"].as_str().unwrap();
        // it is none of another directory
        program
            .delete(&format!("/integrations/entra/tokens/{id}"))
            .await
            .is(404);
        program
            .delete(&format!("/integrations/okta/tokens/{id}"))
            .await
            .is(204);
    }
    for token in [&first, &second] {
        server.scim("vault", token).get("/Users").await.is(401);
    }
    let past = json!({"expires": "2020-01-01T00:00:00Z"});
    program
        .post("/integrations/okta/tokens", past)
        .await
        .is(400);
    program.act("/integrations/ping/tokens/reset").await.is(404);
    let unknown = program.act("/integrations/azure/tokens").await.is(400).body;
    assert!(
        unknown["detail"].as_str().unwrap().contains("entra"),
        "{unknown}"
    );
}

#[tokio::test]
async fn what_a_key_made_ends_with_it() {
    let (installation, own) = Installation::with("vault");
    let server = installation.serve(&[]);
    let create = ["api-key", "create", "--org", "vault", "--json", "--name"];
    let make = |rest: &[&str]| -> Value {
        let made = installation.ok(&[&create[..], rest].concat());
        serde_json::from_str(&made).unwrap()
    };
    let key = make(&["short", "--role", "manage", "--expires", "30d"]);
    let endless = make(&["endless", "--role", "manage"]);
    let program = Program::with(&server, key["key"].as_str().unwrap()).await;
    let other = Program::with(&server, endless["key"].as_str().unwrap()).await;

    let made = program.act("/integrations/okta/tokens").await.is(201).body;
    assert_eq!(made["expires"], key["expires"]);
    let late = json!({"expires": "2999-01-01T00:00:00Z"});
    let late = program.post("/integrations/okta/tokens", late).await;
    assert_eq!(late.is(201).body["expires"], key["expires"]);
    let kept = other.act("/integrations/ping/tokens").await.is(201).body;
    let listed = other.get("/integrations/ping/tokens").await.is(200).body;
    let at = |field: &str| -> jiff::Timestamp {
        let text = listed["tokens"][0][field].as_str().unwrap();
        text.parse().unwrap()
    };
    let life = at("expires").duration_since(at("created"));
    assert_eq!(life.as_hours(), 90 * 24);

    let id = key["id"].as_str().unwrap();
    installation.ok(&["api-key", "revoke", "--org", "vault", id]);
    let opens = async |token: &Value| {
        let scim = server.scim("vault", token.as_str().unwrap());
        scim.get("/Users").await.status
    };
    assert_eq!(opens(&made["token"]).await, 401);
    assert_eq!(opens(&kept["token"]).await, 200);
    assert_eq!(opens(&json!(own)).await, 200);
    let log = other.get("/audit?action=token.revoked").await.is(200).body;
    assert_eq!(log["entries"].as_array().unwrap().len(), 2, "{log}");
}

#[tokio::test]
async fn what_is_wrong_is_named_with_what_to_do() {
    let House {
        program,
        installation,
        server,
        ..
    } = house().await;
    for (method, path, body, status, word) in [
        ("GET", "/people?limt=3", None, 400, "`limt`"),
        ("GET", "/people?limit=many", None, 400, "limit"),
        ("GET", "/people?filter=userName is ann", None, 400, "is"),
        ("GET", "/people?cursor=nonsense", None, 400, "cursor"),
        ("GET", "/events?after=nonsense", None, 400, "`after`"),
        ("GET", "/events?after=17", None, 400, "`after`"),
        (
            "GET",
            "/events?after=9-0f5c1a7e9b3d2468ace013579bdf2468",
            None,
            400,
            "restored",
        ),
        ("GET", "/people/nobody", None, 404, "nobody"),
        ("GET", "/nothing", None, 404, "openapi.json"),
        ("PUT", "/people", Some("{}"), 405, "openapi.json"),
        (
            "POST",
            "/integrations/okta/tokens",
            Some("{\"expire\": 1, \"x\": 2}"),
            400,
            "`expire`",
        ),
        (
            "POST",
            "/integrations/okta/tokens",
            Some("{\"expires\": \"soon\"}"),
            400,
            "expires",
        ),
        ("POST", "/integrations/okta/tokens", Some("[]"), 400, "body"),
        ("POST", "/integrations/okta/tokens", Some("{"), 400, "body"),
        (
            "POST",
            "/people/0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77/disable",
            Some("{\"why\": 1}"),
            400,
            "`why`",
        ),
    ] {
        let mut request = program.http.request(method, path);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let found = crate::support::answer(request).await;
        let detail = found.body["detail"].as_str().unwrap_or_default().to_owned();
        assert_eq!(found.status, status, "{method} {path}: {}", found.body);
        assert!(detail.contains(word), "{method} {path}: {detail}");
    }
    let plain = program
        .http
        .request("POST", "/integrations/okta/tokens")
        .body("{}");
    crate::support::answer(plain).await.is(415);
    let long = format!("{{\"expires\": \"{}\"}}", "x".repeat(70_000));
    let long = program
        .http
        .request("POST", "/integrations/okta/tokens")
        .body(long);
    crate::support::answer(long.header("content-type", "application/json"))
        .await
        .is(413);
    let reads = Program::new(&installation, &server, "vault", "read").await;
    let refused = reads.act("/integrations/okta/tokens").await.is(403).body;
    assert!(
        refused["detail"].as_str().unwrap().contains("`manage`"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_key_ends_at_the_next_request_and_its_rate_is_its_own() {
    let (installation, _) = Installation::with("vault");
    let server = installation.serve(&[("ROLLCALL_RATE", "2")]);
    let other = Program::new(&installation, &server, "vault", "read").await;
    let create = [
        "api-key", "create", "--org", "vault", "--name", "busy", "--json",
    ];
    let made: Value = serde_json::from_str(&installation.ok(&create)).unwrap();
    let busy = Program::with(&server, made["key"].as_str().unwrap()).await;
    let mut refused = None;
    for _ in 0..20 {
        let found = busy.get("/organisation").await;
        if found.status != 200 {
            refused = Some(found);
            break;
        }
    }
    let refused = refused
        .expect("twenty requests at once are too many")
        .is(429);
    let wait: u64 = refused.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    other.get("/organisation").await.is(200);
    tokio::time::sleep(std::time::Duration::from_secs(wait)).await;
    busy.get("/organisation").await.is(200);

    let listed: Value =
        serde_json::from_str(&installation.ok(&["api-key", "list", "--org", "vault", "--json"]))
            .unwrap();
    assert!(!listed.to_string().contains(made["key"].as_str().unwrap()));
    let row = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["id"] == made["id"])
        .unwrap();
    assert_eq!(
        (&row["name"], &row["role"], &row["valid"]),
        (&json!("busy"), &json!("read"), &json!(true))
    );
    assert!(row["last_used"].is_string(), "{row}");
    installation.ok(&[
        "api-key",
        "revoke",
        "--org",
        "vault",
        made["id"].as_str().unwrap(),
    ]);
    busy.get("/organisation").await.is(401);
}
