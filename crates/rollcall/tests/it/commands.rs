//! Commands: help, exit codes, what goes to which stream.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::store::is_a_file;
use crate::support::Installation;

#[test]
fn every_command_explains_itself_with_an_example() {
    let installation = Installation::new();
    let mut waiting = vec![vec![]];
    let mut count = 0;
    while let Some(command) = waiting.pop() {
        let mut arguments: Vec<&str> = command.clone();
        arguments.push("--help");
        let help = installation.ok(&arguments);
        let (_, listed) = help.split_once("\nCommands:\n").unwrap_or_default();
        let listed = listed.split("\n\n").next().unwrap_or_default();
        // a long description goes on, further in, on the next line
        let names = listed.lines().filter(|line| !line.starts_with("   "));
        let inner: Vec<&str> = names
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        if inner.is_empty() {
            assert!(help.contains("Example: rollcall "), "{command:?}: {help}");
            count += 1;
        }
        for name in inner.into_iter().filter(|name| *name != "help") {
            let mut next = command.clone();
            next.push(Box::leak(name.to_owned().into_boxed_str()));
            waiting.push(next);
        }
    }
    assert!(count >= 20, "{count} commands");
}

#[test]
fn exit_codes_say_who_has_to_act() {
    let (installation, _) = Installation::with("vault");
    for (arguments, code) in [
        (&["org", "list"][..], 0),
        (&["doctor"], 0),
        (&["audit", "verify", "--head", "@1"], 2),
        (
            &["audit", "verify", "--org", "vault", "--head", "no-file"],
            2,
        ),
        (&["org", "show", "nowhere"], 2),
        (&["org", "create", "vault", "--name", "Again"], 2),
        (&["org", "create", "Not A Slug", "--name", "X"], 2),
        (&["no-such-command"], 2),
        (&["org", "list", "--store", "mysql://x"], 2),
        (
            &["org", "list", "--store", "sqlite:/no/such/folder/x.db"],
            3,
        ),
        (&["expression", "eval", "Jion([a])"], 2),
        (&["org", "list", "--store", "sqlite:typo.db"], 3),
        (&["doctor", "--store", "sqlite:typo.db"], 3),
        (
            &["org", "create", "far", "--name", "Far", "--region", "mars"],
            2,
        ),
        (&["org", "create", "nameless", "--name", ""], 2),
        (&["serve", "--listen", "nowhere"], 2),
        (&["serve", "--listen", "192.0.2.1:1"], 3),
        (&["demo", "--users", "3"], 2),
    ] {
        let output = installation.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        if code != 0 {
            assert!(
                output.stdout.is_empty(),
                "{arguments:?} prints data and fails"
            );
            assert!(said.contains("error:"), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn data_is_json_when_it_is_asked_for() {
    let (installation, _) = Installation::with("vault");
    for arguments in [
        &["org", "list"][..],
        &["org", "show", "vault"],
        &["org", "create", "other", "--name", "Other"],
        &["token", "list", "--org", "vault"],
        &["token", "create", "--org", "vault"],
        &["token", "reset", "--org", "vault"],
        &[
            "admin",
            "create",
            "--org",
            "vault",
            "--email",
            "ann@example.com",
        ],
        &[
            "admin",
            "reset",
            "--org",
            "vault",
            "--email",
            "ann@example.com",
        ],
        &["admin", "list", "--org", "vault"],
        &["expression", "list"],
        &["expression", "explain", "Switch"],
        &["config", "show"],
        &["audit", "verify"],
        &["audit", "head", "--org", "vault"],
        &["doctor"],
        &["migrate"],
        &["backup", "vault.backup"],
        &["restore", "vault.backup", "--store", "sqlite:restored.db"],
        &["demo", "--once", "--users", "40"],
    ] {
        let printed = installation.ok(&[arguments, &["--json"]].concat());
        assert!(
            serde_json::from_str::<Value>(&printed).is_ok(),
            "{arguments:?}: {printed}"
        );
    }
}

#[test]
fn nobody_who_reads_the_output_is_no_reason_to_panic() {
    let installation = Installation::new();
    let mut child = installation
        .command(&["expression", "list", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn a_password_in_the_name_of_a_store_is_not_repeated() {
    let installation = Installation::new();
    for (store, code) in [
        ("mysql://ann:canary@host/db", 2),
        ("postgres://ann:canary@host", 2),
        ("postgres://ann:canary@host/db?sslmode=canary", 2),
        // nobody listens there
        ("postgres://ann:canary@127.0.0.1:1/db", 3),
    ] {
        let output = installation.run(&["org", "list", "--store", store]);
        assert_eq!(output.status.code(), Some(code), "{store}: {output:?}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("canary"));
    }
    let shown = installation.ok(&["config", "show", "--store", "postgres://ann:canary@host/db"]);
    assert!(shown.contains("postgres://ann@host:5432/db"), "{shown}");
    assert!(!shown.contains("canary"));
}

#[test]
fn a_token_is_alone_on_standard_output() {
    let (installation, token) = Installation::with("vault");
    assert!(
        token.starts_with("rc_") && !token.contains(char::is_whitespace),
        "{token}"
    );
    let reset = installation.run(&["token", "reset", "--org", "vault"]);
    assert_eq!(String::from_utf8(reset.stdout).unwrap().lines().count(), 1);
}

#[test]
fn golden_expressions_have_their_results_at_the_command_line() {
    let installation = Installation::new();
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../expression/tests/cases.jsonl"
    );
    let printed = installation.ok(&[
        "expression",
        "eval",
        "--cases",
        file,
        "--now",
        "2025-07-30T12:00:00Z",
    ]);
    let cases = std::fs::read_to_string(file).unwrap();
    let (mut compared, mut wrong) = (0, Vec::new());
    for (case, result) in cases.lines().zip(printed.lines()) {
        let case: Value = serde_json::from_str(case).unwrap();
        let result: Value = serde_json::from_str(result).unwrap();
        let wanted = &case["expected"];
        let is_shape = wanted.get("$regex").is_some()
            || wanted.get("$random").is_some()
            || case["unordered"] == true;
        let is_same = if wanted.get("$error").is_some() {
            result.get("$error").is_some()
        } else {
            // numbers may be written either way; their text is what counts
            plain(wanted) == plain(&result)
        };
        if !is_shape {
            compared += 1;
            if !is_same {
                wrong.push(format!("{}: {wanted} but {result}", case["expression"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(printed.lines().count(), cases.lines().count());
    assert!(compared > 300, "{compared}");
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(";"),
        other => other.to_string(),
    }
}

#[test]
fn a_server_ends_on_sigterm_and_a_second_one_is_refused() {
    let (installation, _) = Installation::with("vault");
    let mut server = installation.serve(&[]);

    if is_a_file() {
        let second = installation.run(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(second.status.code(), Some(3), "{second:?}");
        assert!(
            String::from_utf8_lossy(&second.stderr).contains("another"),
            "{second:?}"
        );
    } else {
        // any number of nodes may share a database
        drop(installation.serve(&[]));
    }
    // commands go on beside it
    installation.ok(&["org", "list"]);

    let id = server.process.id().to_string();
    let told = std::process::Command::new("kill")
        .args(["-TERM", &id])
        .stderr(Stdio::null())
        .status();
    assert!(told.unwrap().success());
    let begun = Instant::now();
    let status = server.process.wait().unwrap();
    assert!(status.success(), "{status}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn the_configuration_shows_where_each_value_comes_from() {
    let installation = Installation::new();
    let file = installation.folder.path().join("rollcall.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:9\"\n").unwrap();
    let shown = installation.ok(&["config", "show", "--config", "rollcall.toml", "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["listen"]["value"], "127.0.0.1:9");
    assert!(
        shown["listen"]["source"]
            .as_str()
            .unwrap()
            .contains("rollcall.toml")
    );
    let store = if is_a_file() {
        "default"
    } else {
        "$ROLLCALL_STORE"
    };
    assert_eq!(shown["store"]["source"], store);
}
