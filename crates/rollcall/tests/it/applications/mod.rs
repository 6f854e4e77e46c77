//! Applications by commands only: their whole life, and what programs read. How they are set up, and how their cycles run, is in files of
//! their own.

mod keys;
mod running;
mod setting_up;

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::support::{Installation, Scim, Server};

/// Both ends of one installation. Everything but the directories themselves is done by commands.
struct House {
    installation: Installation,
    server: Server,
    northwind: Scim,
    vault: Scim,
    token: String,
}

impl House {
    /// Makes both organisations, and Northwind's people: ann, bob and cleo, who are the team.
    async fn new() -> Self {
        let (installation, token) = Installation::with("vault");
        installation.ok(&["org", "create", "northwind", "--name", "Northwind"]);
        let own = installation.ok(&["token", "create", "--org", "northwind"]);
        let server = installation.serve(&[("ROLLCALL_RATE", "1000000")]);
        let northwind = server.scim("northwind", &own);
        let vault = server.scim("vault", &token);
        let mut members = Vec::new();
        for name in ["ann", "bob", "cleo"] {
            members.push(northwind.person(name).await);
        }
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        northwind.group("Team", &members).await;
        std::fs::write(installation.folder.path().join("token"), &token).unwrap();
        Self {
            installation,
            server,
            northwind,
            vault,
            token,
        }
    }

    /// Makes both organisations with an application that is connected, and has the team assigned.
    async fn connected() -> Self {
        let house = Self::new().await;
        house.ok(&["create", "Vault"]);
        let url = house.vault.base.clone();
        house.ok(&["connect", "Vault", "--url", &url, "--token-file", "token"]);
        house.ok(&["assign", "Vault", "group:Team"]);
        house
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let all = [&["app"], arguments, &["--org", "northwind"]].concat();
        let mut command = self.installation.command(&all);
        command.env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true");
        command
    }

    /// Runs `rollcall app …` in Northwind, however it ends.
    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs it and makes sure of its exit code; returns what it prints and what it says.
    #[track_caller]
    fn ends(&self, arguments: &[&str], code: i32) -> (String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.run(arguments);
        let (printed, said) = (text(stdout), text(stderr));
        assert_eq!(
            status.code(),
            Some(code),
            "{arguments:?}: {printed}\n{said}"
        );
        (printed, said)
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        self.ends(arguments, 0).0
    }

    /// Runs it with `--json` and makes sure of its exit code.
    #[track_caller]
    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let (printed, said) = self.ends(&[arguments, &["--json"]].concat(), code);
        serde_json::from_str(&printed)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {printed}\n{said}"))
    }

    /// Makes sure that wrong input is told and prints no data.
    #[track_caller]
    fn refuses(&self, arguments: &[&str], said: &str) {
        let (printed, told) = self.ends(arguments, 2);
        assert!(told.contains(said), "{arguments:?}: {told}");
        assert_eq!(printed, "", "{arguments:?} prints data and fails");
    }

    /// Runs it with something on standard input.
    fn fed(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        // who refuses the call reads nothing
        drop(pipe.write_all(input.as_bytes()));
        drop(pipe);
        child.wait_with_output().unwrap()
    }

    async fn change(&self, end: &Scim, name: &str, path: &str, value: Value) {
        let found = end
            .get(&format!("/Users?filter=userName eq \"{name}\""))
            .await
            .is(200);
        let id = found.body["Resources"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let operations = json!([{"op": "replace", "path": path, "value": value}]);
        let changed = end.patch(&format!("/Users/{id}"), operations).await;
        assert!(changed.status < 300, "{}", changed.body);
    }

    async fn there(&self, name: &str) -> Value {
        let path = format!("/Users?filter=userName eq \"{name}\"");
        self.vault.get(&path).await.is(200).body["Resources"][0].clone()
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_lives_by_commands_alone() {
    let house = House::new().await;
    let id = house.ok(&["create", "Vault"]);
    assert_eq!(id.len(), 36, "the id is alone on standard output: {id}");
    let url = house.vault.base.clone();
    let tested = house.ok(&["connect", "Vault", "--url", &url, "--token-file", "token"]);
    assert!(tested.contains("latency"), "{tested}");
    assert!(tested.contains("updates"), "{tested}");
    house.ok(&["assign", "Vault", "group:Team", "user:ann"]);
    let assigned = house.ok(&["assignments", &id]);
    assert!(
        assigned.contains("Team") && assigned.contains("ann"),
        "{assigned}"
    );

    let (planned, said) = house.ends(&["plan", "Vault", "--out", "plan.json"], 0);
    assert!(planned.contains("create   3 people, 1 group"), "{planned}");
    assert!(said.contains("app run --plan plan.json"), "{said}");
    assert_eq!(house.there("ann").await, Value::Null, "nothing was written");
    let ran = house.ok(&["run", "Vault", "--plan", "plan.json"]);
    assert!(
        ran.contains("3 people created, 1 group created, 3 memberships added"),
        "{ran}"
    );
    assert_eq!(house.there("ann").await["active"], true);

    house
        .change(&house.northwind, "ann", "title", json!("Buyer"))
        .await;
    let (printed, refused) = house.ends(&["run", "Vault", "--plan", "plan.json"], 1);
    assert_eq!(printed, "");
    assert!(
        refused.contains("does not hold any more; nothing was sent")
            && refused.contains("the source changed")
            && refused.contains("hint: make a new plan"),
        "{refused}"
    );
    assert!(house.there("ann").await["title"].is_null());

    let why = house.ok(&["why", "Vault", "user:ann"]);
    for part in [
        "has it, enabled",
        "assignment  directly",
        "mapping     userName = \"ann\"",
        "its counterpart is in use",
        "update: title – → Buyer",
        "PATCH /Users/",
        "create success",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let provisioned = house.ok(&["provision", "Vault", "user:ann"]);
    for part in ["ann: update", "1 import", "2 scope", "3 match", "4 action"] {
        assert!(provisioned.contains(part), "{part}: {provisioned}");
    }
    assert_eq!(house.there("ann").await["title"], "Buyer");

    let log = house.ok(&["log", "Vault", "--of", "user:ann"]);
    assert!(log.contains("title – → Buyer"), "{log}");
    assert_eq!(house.ok(&["log", "Vault", "--failed"]), "");

    house.ok(&["unassign", "Vault", "user:ann"]);
    house.ok(&["start", "Vault"]);
    let listed = house.json(&["list"], 0);
    assert_eq!(listed[0]["application"]["status"], "on");
    house.ok(&["stop", "Vault"]);
    let (_, said) = house.ends(&["remove", "Vault"], 2);
    assert!(said.contains("--yes"), "{said}");
    house.ok(&["remove", "Vault", "--yes"]);
    house.ends(&["show", "Vault"], 2);
    assert_eq!(
        house.there("ann").await["active"],
        true,
        "who was provisioned stays"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_out_of_reach_is_exit_code_3() {
    let mut house = House::connected().await;
    house.server.process.kill().unwrap();
    house.server.process.wait().unwrap();

    for arguments in [
        &["test", "Vault"][..],
        &["plan", "Vault"],
        &["run", "Vault"],
        &["provision", "Vault", "user:ann"],
        &["compare", "Vault"],
    ] {
        let (_, said) = house.ends(arguments, 3);
        assert!(said.contains("error:"), "{arguments:?}: {said}");
        assert!(said.contains("hint:"), "{arguments:?}: {said}");
    }
    let (why, _) = house.ends(&["why", "Vault", "user:ann"], 3);
    assert!(
        why.contains("by `Team`") && why.contains("unknown: "),
        "what is known without the target is told: {why}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_cycle_runs_at_a_time() {
    let house = House::connected().await;
    let id = house.json(&["show", "Vault"], 0)["application"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let app = crate::ends::app(house.installation.folder.path()).await;
    let northwind = app.organisation(&"northwind".parse().unwrap()).await;
    let tenant = app.store().tenant(northwind.unwrap().id);
    let _somebody_else = tenant.claim_job(id.parse().unwrap()).await.unwrap();

    let (_, said) = house.ends(&["run", "Vault"], 3);

    assert!(said.contains("running already"), "{said}");
    assert!(said.contains("hint: `rollcall serve`"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_an_application_prints_json_when_it_is_asked_for() {
    let house = House::new().await;
    let url = house.vault.base.clone();
    house.json(&["create", "Vault"], 0);
    for arguments in [
        &["connect", "Vault", "--url", &url, "--token-file", "token"][..],
        &[
            "connect",
            "Vault",
            "--url",
            &url,
            "--token-file",
            "token",
            "--no-test",
        ],
        &["test", "Vault"],
        &["set", "Vault", "--max-deletions", "5"],
        &["assign", "Vault", "group:Team", "user:ann"],
        &["assignments", "Vault"],
        &["unassign", "Vault", "user:ann"],
        &["mapping", "list", "Vault"],
        &["mapping", "set", "Vault", "nickName", "--direct", "mail"],
        &["mapping", "remove", "Vault", "nickName"],
        &["mapping", "reset", "Vault"],
        &["attribute", "list", "Vault"],
        &["attribute", "set", "Vault", "x", "--exact-case", "yes"],
        &["attribute", "remove", "Vault", "x"],
        &[
            "filter",
            "add",
            "Vault",
            "--filter",
            "f",
            "--clause",
            "userType IS NULL",
        ],
        &["filter", "list", "Vault"],
        &["filter", "remove", "Vault", "--filter", "f"],
        &["plan", "Vault"],
        &["plan", "Vault", "--out", "plan.json"],
        &["run", "Vault", "--plan", "plan.json"],
        &["run", "Vault"],
        &["provision", "Vault", "group:Team"],
        &["why", "Vault", "user:ann"],
        &["held", "Vault"],
        &["compare", "Vault"],
        &["compare", "Vault", "--repair"],
        &["log", "Vault"],
        &["restart", "Vault"],
        &["start", "Vault"],
        &["stop", "Vault"],
        &["show", "Vault"],
        &["list"],
        &["remove", "Vault", "--yes"],
    ] {
        house.json(arguments, 0);
    }
}
