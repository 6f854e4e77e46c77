//! Backups and restores by command: made while clients write, killed in the middle, refused, and what becomes of an application whose
//! target has moved on meanwhile.

mod doctor;
mod moved_on;
mod refusals;
mod under_load;

use std::process::Output;

use serde_json::Value;

use crate::support::Installation;

/// Gives Vault an application whose token is sealed.
fn seal(installation: &Installation) {
    let target = rollcall_testkit::Target::start(
        rollcall_testkit::Behaviour::default().with_token("the-token"),
    );
    let folder = installation.folder.path();
    std::fs::write(folder.join("token"), "the-token").unwrap();
    installation.ok(&["app", "create", "Wiki", "--org", "vault"]);
    let connect = [
        "app",
        "connect",
        "Wiki",
        "--org",
        "vault",
        "--token-file",
        "token",
        "--url",
    ];
    let output = installation
        .command(&[&connect[..], &[target.url()]].concat())
        .env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")
        .output()
        .unwrap();
    ended(&output, 0);
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Makes sure of an exit code; returns what was printed.
#[track_caller]
fn ended(output: &Output, code: i32) -> String {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        output.status.code(),
        Some(code),
        "{printed}\n{}",
        said(output)
    );
    printed
}

/// Makes sure of an exit code; returns the JSON that was printed.
#[track_caller]
fn json(output: &Output, code: i32) -> Value {
    let printed = ended(output, code);
    serde_json::from_str(&printed)
        .unwrap_or_else(|error| panic!("{error}: {printed}\n{}", said(output)))
}
