//! What the server writes to its log: never a secret, however much it is asked to tell.

use serde_json::json;

use super::Watched;
use crate::api::Program;
use crate::console::guest::{Guest, PASSWORD, administrator};
use crate::support::{Installation, Server, rollcall};

/// Becomes the server, and keeps what it says in a file too.
const KEPT: &str = r#"exec "$0" "$@" 2> >(exec tee log >&2)"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_of_the_log_is_an_object_when_that_is_asked_for() {
    let (installation, token) = Installation::with("vault");
    let folder = installation.folder.path();
    let mut command = rollcall(folder, &["serve", "--listen", "127.0.0.1:0"]);
    command.envs([
        ("ROLLCALL_LOG", "rollcall_web=debug"),
        ("ROLLCALL_LOG_FORMAT", "json"),
    ]);
    let (server, _) = Server::of(command);

    server
        .scim("vault", &token)
        .get("/Users/line%0Abreak")
        .await;

    let line = server.said_line("line").await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "DEBUG", "{line}");
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_highest_level_the_log_holds_no_secret() {
    let watched = Watched::started_by(|folder| {
        let plain = rollcall(folder, &["serve", "--listen", "127.0.0.1:0"]);
        let mut command = std::process::Command::new("bash");
        command
            .args(["-c", KEPT])
            .arg(plain.get_program())
            .args(plain.get_args());
        command.current_dir(folder).env_clear();
        let variables = plain.get_envs();
        command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
        command
            .env("PATH", "/usr/bin:/bin")
            .env("ROLLCALL_LOG", "trace");
        command.env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true");
        Server::of(command)
    });
    let folder = watched.installation.folder.path();
    let token = std::fs::read_to_string(folder.join("token")).unwrap();
    let own = watched
        .installation
        .ok(&["token", "create", "--org", "northwind"]);
    administrator(&watched.installation, "vault", "owner@vault.example");

    // the sending end uses the target's token
    watched.provision("ann").await;
    let scim = watched.server.scim("vault", &token);
    let body = json!({"userName": "bob", "password": "canary-in-a-body"});
    scim.post("/Users", body).await.is(201);
    let wrong = format!("{}{}", &token[..token.len() - 1], "z");
    watched
        .server
        .scim("vault", &wrong)
        .get("/Users")
        .await
        .is(401);
    watched
        .server
        .scim("vault", &own)
        .get("/Users")
        .await
        .is(401);
    let anonymous = watched.server.scim("vault", "");
    anonymous
        .get(&format!("/Users?access_token={token}"))
        .await
        .is(401);
    let create = ["api-key", "create", "--org", "vault", "--name", "a key"];
    let key = watched
        .installation
        .ok(&[&create[..], &["--role", "manage"]].concat());
    let program = Program::with(&watched.server, &key).await;
    program.get("/organisation").await.is(200);
    program.get(&format!("/people?key={key}")).await.is(400);
    let made = program.act("/integrations/okta/tokens").await.is(201).body;
    let made = made["token"].as_str().unwrap().to_owned();
    let wrong_key = format!("{}{}", &key[..key.len() - 1], "1");
    let stranger = Program::with(&watched.server, &wrong_key).await;
    stranger.get("/organisation").await.is(401);
    let mut guest = Guest::new(&watched.server);
    guest
        .sign_in("owner@vault.example", "canary-as-a-password")
        .await;
    guest.sign_in("owner@vault.example", PASSWORD).await;
    guest.get("/users").await;
    let mut secrets = vec![token.clone(), wrong, own, PASSWORD.to_owned()];
    secrets.extend([key, wrong_key, made]);
    secrets.extend(["canary-in-a-body", "canary-as-a-password"].map(str::to_owned));
    secrets.extend(
        guest
            .cookies
            .values()
            .filter(|value| value.len() > 20)
            .cloned(),
    );
    assert!(secrets.len() > 9, "there is no session");

    let log = std::fs::read_to_string(folder.join("log")).unwrap();
    for part in ["TRACE", "DEBUG", "answered"] {
        assert!(log.contains(part), "{part} is not in the log");
    }
    for secret in secrets {
        let place = log.lines().find(|line| line.contains(&secret));
        assert_eq!(place, None, "{secret}");
    }
}
