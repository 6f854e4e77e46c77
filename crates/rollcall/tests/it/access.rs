//! Who may come in: every route needs the token of an integration of the organisation in its path.

use serde_json::json;

use crate::support::{Installation, answer};

/// Every route, with a method that it takes.
pub(crate) const ROUTES: [(&str, &str); 20] = [
    ("GET", "/Users"),
    ("POST", "/Users"),
    ("POST", "/Users/.search"),
    ("GET", "/Users/{user}"),
    ("PUT", "/Users/{user}"),
    ("PATCH", "/Users/{user}"),
    ("DELETE", "/Users/{user}"),
    ("GET", "/Groups"),
    ("POST", "/Groups"),
    ("POST", "/Groups/.search"),
    ("GET", "/Groups/{group}"),
    ("PUT", "/Groups/{group}"),
    ("PATCH", "/Groups/{group}"),
    ("DELETE", "/Groups/{group}"),
    ("POST", "/.search"),
    ("POST", "/Bulk"),
    ("GET", "/Me"),
    ("GET", "/ServiceProviderConfig"),
    ("GET", "/ResourceTypes"),
    ("GET", "/Schemas"),
];

#[tokio::test]
async fn no_route_answers_without_the_right_token() {
    let (installation, token) = Installation::with("vault");
    installation.ok(&["org", "create", "other", "--name", "Other"]);
    let foreign = installation.ok(&["token", "create", "--org", "other"]);
    // only failed attempts are counted against an address: here there are many on purpose
    let server = installation.serve(&[("ROLLCALL_RATE", "10000")]);
    let scim = server.scim("vault", &token);
    let user = scim.person("ann@example.com").await;
    let group = scim.group("Team", &[]).await;
    let tampered = format!("{}x", &token[..token.len() - 1]);
    let mut refused = 0;
    for authorization in [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some("Bearer nonsense".to_owned()),
        Some(format!("Bearer {tampered}")),
        Some(format!("Basic {token}")),
        Some(format!("Bearer {foreign}")),
    ] {
        for (method, path) in ROUTES {
            let path = path.replace("{user}", &user).replace("{group}", &group);
            let mut caller = scim.clone();
            caller.authorization.clone_from(&authorization);
            let found = caller.send(method, &path, Some(&json!({}))).await;
            // after twenty failures in a minute the address has to wait
            assert!(
                found.status == 401 || found.status == 429,
                "{method} {path} with {authorization:?}: {found:?}"
            );
            if found.status == 401 {
                refused += 1;
                assert!(
                    found.headers["www-authenticate"]
                        .to_str()
                        .unwrap()
                        .starts_with("Bearer")
                );
                assert_eq!(found.body["status"], "401");
            } else {
                assert!(found.headers.contains_key("retry-after"));
            }
        }
    }
    assert!(refused >= 20, "{refused}");
    // who has the right token is not kept out by the failures of others at the same address
    scim.get(&format!("/Users/{user}")).await.is(200);
    scim.get("/ServiceProviderConfig").await.is(200);
}

#[tokio::test]
async fn a_token_in_the_query_or_twice_in_the_head_is_no_credential() {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[]);
    let mut scim = server.scim("vault", &token);
    let twice = scim
        .request("GET", "/Users")
        .header("authorization", format!("Bearer {token}"));
    assert!(matches!(answer(twice).await.status, 400 | 401));
    scim.authorization = None;
    scim.get(&format!("/Users?access_token={token}"))
        .await
        .is(401);
}

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
async fn a_path_has_one_spelling() {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[]);
    let scim = server.scim("vault", &token);
    let user = scim.person("ann@example.com").await;
    let host = server.url.trim_start_matches("http://").to_owned();
    for path in [
        format!("/scim/v2/vault/Users/{user}/../{user}"),
        format!("/scim/v2/vault//Users/{user}"),
        format!("/scim/v2/%76ault/Users/{user}"),
        format!("/scim/v2/vault/Users%2f{user}"),
        format!("/scim/v2/vault/Users;x/{user}"),
        format!("/scim/v2/vault/./Users/{user}"),
    ] {
        // a client library would tidy the path up
        let reply = raw(&host, &format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        ))
        .await;
        assert!(reply.starts_with("HTTP/1.1 404"), "{path}: {reply}");
    }
}

/// Sends bytes and reads what comes back.
pub(crate) async fn raw(host: &str, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    // the server may close while the rest is still being written
    drop(stream.write_all(request.as_bytes()).await);
    let mut reply = Vec::new();
    drop(stream.read_to_end(&mut reply).await);
    String::from_utf8_lossy(&reply).into_owned()
}
