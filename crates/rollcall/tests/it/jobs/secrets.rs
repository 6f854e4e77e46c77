//! The token is used, and nothing shows it.

use std::path::Path;
use std::process::Stdio;

use rollcall_model::Kind;

use super::desk::{CSV, Desk, TOKEN, judged};
use crate::store::is_a_file;

fn has(bytes: &[u8], token: &str) -> bool {
    bytes
        .windows(token.len())
        .any(|part| part == token.as_bytes())
}

/// Returns the files below a folder that hold the token in the clear.
fn leaks(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(leaks(&path));
        } else if has(&std::fs::read(&path).unwrap(), TOKEN) {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found.sort();
    found
}

#[test]
fn the_token_stands_in_no_output_no_plan_and_no_byte_of_the_store() {
    let desk = Desk::of_people(&["ann", "bob"], "");
    // every command is looked at by `ends`
    for json in [&[][..], &["--json"]] {
        for (arguments, code) in [
            (&["check"][..], 0),
            (&["plan", "--out", "plan.json"], 0),
            (&["run", "--plan", "plan.json"], 0),
            (&["run"], 0),
            (&["status"], 0),
            (&["held"], 0),
            (&["provision", "user:ann"], 0),
            (&["why", "user:ann"], 0),
            (&["compare"], 0),
            (&["allow", "000000000000"], 1),
            (&["restart"], 0),
        ] {
            desk.ends(&[arguments, json].concat(), code);
        }
    }
    assert!(!is_a_file() || desk.path("rollcall.db").exists());
    assert!(desk.path("plan.json").exists());
    desk.installation.ok(&["backup", "one.backup"]);
    assert_eq!(leaks(desk.installation.folder.path()), [""; 0]);

    // also when the process is killed before the log of the store is folded in
    let mut watching = desk
        .command(&["watch"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    desk.people(&["ann", "bob", "cleo"]);
    super::watching::until("cleo is there", || desk.active().len() == 3);
    assert!(!is_a_file() || desk.path("rollcall.db-wal").exists());
    watching.kill().unwrap();
    watching.wait().unwrap();
    assert_eq!(leaks(desk.installation.folder.path()), [""; 0]);
}

#[test]
fn a_token_in_the_job_file_is_refused_without_being_shown() {
    let desk = Desk::of_people(&["ann"], "");
    let text = desk.read("people.toml");
    let text = text.replace("{ env = \"TARGET_TOKEN\" }", &format!("\"{TOKEN}\""));
    desk.write("people.toml", &text);

    for command in ["check", "run", "status"] {
        desk.refuses(
            &[command],
            2,
            &["a job file holds no secrets", "token = { env ="],
        );
    }
}

#[test]
fn a_token_from_a_file_works_and_is_used_as_it_is_now() {
    let desk = Desk::of_people(&["ann"], "");
    let text = desk.read("people.toml");
    desk.write(
        "people.toml",
        &text.replace("env = \"TARGET_TOKEN\"", "file = \"token.txt\""),
    );
    desk.refuses(&["check"], 2, &["token.txt cannot be read"]);
    desk.write("token.txt", "\n");
    desk.refuses(&["check"], 2, &["the secret is empty"]);
    desk.write("token.txt", &format!("{TOKEN}\n"));

    desk.ok(&["check"]);
    desk.ok(&["run"]);
    desk.write("token.txt", "expired");
    desk.people(&["ann", "bob"]);
    desk.refuses(&["run"], 2, &["401"]);
    desk.write("token.txt", TOKEN);
    desk.ok(&["run"]);
    assert_eq!(desk.target.resources(Kind::User).len(), 2);
}

#[test]
fn a_wrong_token_is_what_the_check_and_the_run_say() {
    let desk = Desk::of_people(&["ann"], "");
    desk.job(CSV, "");
    for command in ["check", "plan", "run"] {
        let output = desk
            .command(&[command])
            .env("TARGET_TOKEN", "the-wrong-one")
            .output()
            .unwrap();
        let (printed, said) = judged(&[command], output, 2);
        assert!(
            said.contains("401") && said.contains("token"),
            "{command}: {said}"
        );
        assert!(!printed.contains("the-wrong-one") && !said.contains("the-wrong-one"));
    }
}
