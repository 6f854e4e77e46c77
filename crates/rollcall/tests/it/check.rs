//! `rollcall check`: our own endpoint passes, a broken one is told what is wrong, and nothing is left behind.

use rollcall_model::Kind;
use rollcall_testkit::{Behaviour, Fault, Play, Target, When};
use serde_json::{Value, json};

use crate::support::{Installation, Scim};

fn graded(installation: &Installation, base: &str, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = installation.run(&[&["check", base, "--json"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = serde_json::from_slice(&output.stdout);
    (
        output.status.code(),
        report.unwrap_or_else(|error| panic!("{error}: {said}")),
    )
}

fn called(report: &Value, word: &str) -> Vec<String> {
    let verdicts = report["verdicts"].as_array().unwrap().iter();
    verdicts
        .filter(|verdict| verdict["word"] == word)
        .map(|verdict| format!("{}: {}", verdict["id"], verdict["found"]))
        .collect()
}

async fn people(scim: &Scim) -> (Value, Value) {
    let people = scim.get("/Users?count=0").await.is(200).body;
    let groups = scim.get("/Groups?count=0").await.is(200).body;
    (
        people["totalResults"].clone(),
        groups["totalResults"].clone(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_endpoint_keeps_every_promise_to_every_persona() {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[]);
    let scim = server.scim("vault", &token);
    let body = json!({"userName": "ann@example.com"});
    let ann = scim.post("/Users", body).await.is(201).id();
    std::fs::write(installation.folder.path().join("token"), &token).unwrap();

    for persona in ["rfc", "entra", "okta"] {
        let how = ["--token-file", "token", "--persona", persona, "--write"];
        let (code, report) = graded(&installation, &scim.base, &how);

        assert_eq!(called(&report, "broken"), [""; 0], "{persona}");
        assert_eq!(called(&report, "untested"), [""; 0], "{persona}");
        assert_eq!((code, &report["grade"]), (Some(0), &"A".into()));
        assert_eq!(report["left_behind"], json!([]));
        assert!(report["verdicts"].as_array().unwrap().len() > 45);
        assert_eq!(people(&scim).await, (1.into(), 0.into()), "{persona}");
    }
    scim.get(&format!("/Users/{ann}")).await.is(200);

    // without being told to, it changes nothing
    let before = installation.ok(&["audit", "head", "--org", "vault"]);
    let (code, report) = graded(&installation, &scim.base, &["--token", &token]);
    assert_eq!((code, &report["writes"]), (Some(0), &false.into()));
    assert_eq!(
        installation.ok(&["audit", "head", "--org", "vault"]),
        before
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_call_has_its_exit_code() {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[]);
    let base = server.scim("vault", &token).base;
    let code = |arguments: &[&str]| {
        let output = installation.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };

    let (refused, said) = code(&["check", &base, "--token", "rc_main_wrong_token"]);
    assert_eq!(refused, Some(2), "{said}");
    assert!(said.contains("401") && said.contains("hint"), "{said}");
    let (away, said) = code(&["check", "http://127.0.0.1:9/scim", "--token", "x"]);
    assert_eq!(away, Some(3), "{said}");
    let (wrong, said) = code(&["check", "ftp://example.com", "--token", "x"]);
    assert_eq!(wrong, Some(2), "{said}");
    let (wrong, said) = code(&["check", &base, "--token", "x", "--persona", "ldap"]);
    assert_eq!(wrong, Some(2), "{said}");
    assert!(said.contains("entra"), "{said}");
    let (none, said) = code(&["check", &base]);
    assert_eq!(none, Some(2), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_endpoint_gets_wrong_is_named_with_what_it_was_asked() {
    let installation = Installation::new();
    for (fault, broken) in [
        (Fault::FilterIgnored, "filter.nobody"),
        (Fault::MembersLost, "group.join"),
        (Fault::CreatedWithoutId, "create.person"),
    ] {
        let target = Target::start(Behaviour::default().with_fault(fault, When::Always));
        let body =
            json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann"});
        target.insert(Kind::User, body).unwrap();
        let token = target.token();
        let how = ["--token", &token, "--write"];

        let (code, report) = graded(&installation, target.url(), &how);

        assert_eq!(target.by(Kind::User, "userName", "ann").len(), 1);
        assert_eq!(code, Some(1), "{report:#}");
        assert_ne!(report["grade"], "A");
        let verdicts = report["verdicts"].as_array().unwrap();
        let verdict = verdicts.iter().find(|one| one["id"] == broken).unwrap();
        assert_eq!(verdict["word"], "broken", "{report:#}");
        assert!(verdict["evidence"]["asked"].is_string(), "{verdict}");
        assert!(!verdict["advice"].as_str().unwrap().is_empty());
        assert!(!report.to_string().contains(&token));
        // and for people
        let output = installation.run(&["check", target.url(), "--token", &token, "--write"]);
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains(broken) && told.contains("do  "), "{told}");
        assert!(told.contains("\nGrade "), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_the_command_leaves_nothing_there() {
    let installation = Installation::new();
    let silence = Fault::Silence { takes_effect: true };
    let silent = Play::new(silence, When::Always)
        .on(&["POST"])
        .below("/Groups");
    let (created, is_created) = std::sync::mpsc::channel();
    let observer = move |seen: &rollcall_testkit::Recorded| {
        if seen.method == "POST" && seen.path_and_query.ends_with("/Groups") {
            created.send(()).unwrap();
        }
    };
    let here = ([127, 0, 0, 1], 0).into();
    let behaviour = Behaviour::default().with_play(silent);
    let target = Target::listen(here, behaviour, Some(Box::new(observer))).unwrap();
    let token = target.token();
    let mut command = installation.command(&["check", target.url(), "--token", &token, "--write"]);
    let process = command
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();

    is_created.recv().unwrap();
    assert_eq!(target.resources(Kind::User).len(), 2);
    let id = rustix::process::Pid::from_raw(process.id().cast_signed()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let output = process.wait_with_output().unwrap();

    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("nothing of it is left there"), "{said}");
    assert_eq!(target.resources(Kind::User).len(), 0);
    assert_eq!(target.resources(Kind::Group).len(), 0);
}

#[test]
fn the_authorities_of_the_configuration_are_heeded() {
    let installation = Installation::new();
    let at = |name: &str| installation.folder.path().join(name);
    std::fs::write(at("house.pem"), "no certificate").unwrap();
    std::fs::write(at("rollcall.toml"), "authorities = [\"house.pem\"]").unwrap();

    let base = "https://127.0.0.1:9/scim";
    let arguments = ["check", base, "--token", "x", "--config", "rollcall.toml"];
    let output = installation.run(&arguments);

    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("house.pem"), "{said}");
}
