//! What is kept of requests: enough to understand them, and no secret.

use std::path::Path;
use std::process::Command;

use rollcall_app::ExchangeQuery;
use rollcall_model::{Exchange, Slug};
use serde_json::json;

use crate::api::Program;
use crate::ends::app;
use crate::support::{Installation, Server, answer};

const PASSWORD: &str = "correct-horse-battery";

/// Stops a server as an operator does.
pub(crate) fn stop(mut server: Server) {
    let stopped = Command::new("kill")
        .args(["-TERM", &server.process.id().to_string()])
        .status();
    assert!(stopped.unwrap().success());
    assert!(server.process.wait().unwrap().success());
}

async fn kept(folder: &Path) -> Vec<Exchange> {
    let app = app(folder).await;
    let slug: Slug = "vault".parse().unwrap();
    let organisation = app.organisation(&slug).await.unwrap();
    let context = app.command_context(organisation.id);
    let kept = app.exchanges(&context, ExchangeQuery::default(), 100).await;
    kept.unwrap()
        .into_iter()
        .map(|(_, exchange)| exchange)
        .collect()
}

#[tokio::test]
async fn requests_are_kept_without_passwords_and_tokens() {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[]);
    let scim = server.scim("vault", &token);
    let body = json!({"userName": "ann", "password": PASSWORD, "nickName": token});
    let ann = scim.post("/Users", body).await.is(201).id();
    let change = json!([{"op": "replace", "value": PASSWORD, "path": "password"}]);
    scim.patch(&format!("/Users/{ann}"), change).await;
    scim.get(&format!("/Users?filter=password%20eq%20%22{PASSWORD}%22"))
        .await;
    let agent = scim
        .request("GET", "/Users/")
        .header("user-agent", format!("a client {token}"));
    answer(agent).await.is(200);
    let mut nobody = scim.clone();
    nobody.authorization = Some(format!("Bearer {}", token.replace("rc_", "rc_x")));
    nobody
        .get(&format!("/Users?access_token={token}"))
        .await
        .is(401);
    server.scim("elsewhere", &token).get("/Users").await.is(401);
    stop(server);

    let kept = kept(installation.folder.path()).await;

    let shown: Vec<(&str, u16, bool)> = kept
        .iter()
        .map(|exchange| {
            let is_known = exchange.integration.is_some() && exchange.token.is_some();
            (exchange.method.as_str(), exchange.status, is_known)
        })
        .collect();
    assert_eq!(shown[0], ("GET", 401, false), "{kept:#?}");
    assert_eq!(shown[1], ("GET", 200, true), "{kept:#?}");
    assert_eq!(shown[4], ("POST", 201, true), "{kept:#?}");
    assert_eq!(shown.len(), 5, "{kept:#?}");
    assert!(kept[4].asked.as_ref().unwrap().contains("\"ann\""));
    assert!(kept[4].answered.as_ref().unwrap().contains(&ann));
    // the person's nickname is stored as it was sent; what is kept of requests is not
    let text = serde_json::to_string(&kept).unwrap();
    let secret = token.rsplit('_').nth(1).unwrap();
    assert!(!text.contains(secret), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");
}

#[tokio::test]
async fn the_store_holds_no_secret_that_was_only_sent() {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[]);
    let scim = server.scim("vault", &token);
    let body = json!({"userName": "ann", "password": PASSWORD});
    let ann = scim.post("/Users", body).await.is(201).id();
    let change = json!([{"op": "replace", "value": {"password": PASSWORD}}]);
    scim.patch(&format!("/Users/{ann}"), change).await;
    scim.get(&format!("/Users?access_token={token}")).await;
    let broken = scim
        .request("POST", "/Users")
        .header("content-type", "application/json")
        .body(format!("{{\"password\": \"{PASSWORD}\""));
    answer(broken).await.is(400);
    let create = ["api-key", "create", "--org", "vault", "--name", "a key"];
    let key = installation.ok(&[&create[..], &["--role", "manage"]].concat());
    let program = Program::with(&server, &key).await;
    program.get(&format!("/people/{ann}")).await.is(200);
    let made = program.act("/integrations/okta/tokens").await.is(201).body;
    let made = made["token"].as_str().unwrap().to_owned();
    program.get(&format!("/people?key={key}")).await.is(400);
    stop(server);

    // nobody has the store open: no file comes or goes meanwhile
    for entry in std::fs::read_dir(installation.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let random = [&token, &key, &made].map(|text| text.rsplit('_').nth(1).unwrap());
        for secret in random.into_iter().chain([PASSWORD]) {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{secret} in {}", path.display());
        }
    }
    assert_eq!(kept(installation.folder.path()).await.len(), 4);
}
