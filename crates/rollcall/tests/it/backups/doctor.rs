//! `rollcall doctor` finds each trouble that it is meant to find, and says what to do.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{ended, json, seal};
use crate::store;
use crate::support::Installation;

/// An installation on a file, with an application whose token is sealed.
fn house() -> Installation {
    let installation = Installation::new();
    let folder = installation.folder.path();
    store::place(folder, "sqlite:rollcall.db".to_owned());
    installation.ok(&["org", "create", "vault", "--name", "Vault"]);
    seal(&installation);
    assert_eq!(found(&installation), Vec::<(String, String)>::new());
    installation
}

/// What it finds, with what is to be done.
fn found(installation: &Installation) -> Vec<(String, String)> {
    let output = installation.run(&["doctor", "--json"]);
    let code = output.status.code().unwrap();
    let findings = json(&output, code);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let findings: Vec<_> = findings
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (text(&finding["trouble"]), text(&finding["remedy"])))
        .collect();
    assert_eq!(code, i32::from(!findings.is_empty()));
    findings
}

/// Makes sure that exactly one trouble is found.
#[track_caller]
fn finds(installation: &Installation, trouble: &str, remedy: &str) {
    let findings = found(installation);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert!(findings[0].0.contains(trouble), "{findings:#?}");
    assert!(findings[0].1.contains(remedy), "{findings:#?}");
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_key_that_is_missing_or_another_one_or_open_to_others_is_found() {
    let installation = house();
    let key = installation.folder.path().join("rollcall.db.key");
    let right = std::fs::read(&key).unwrap();

    let nobodys: Vec<u8> = (0..32).collect();
    std::fs::write(&key, nobodys).unwrap();
    finds(&installation, "not in the key file", "right key");
    std::fs::remove_file(&key).unwrap();
    finds(&installation, "is not there", "before anything is started");
    assert!(!key.exists(), "no key is made by the way");
    std::fs::write(&key, "short").unwrap();
    mode(&key, 0o600);
    finds(&installation, "exactly 32 bytes", "right key");
    std::fs::write(&key, right).unwrap();
    mode(&key, 0o644);
    let findings = found(&installation);
    // the group of a file of root's may read it: so root hands a key to the server
    let is_roots = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&key).unwrap()) == 0;
    let widest = if is_roots { 0o640 } else { 0o600 };
    assert!(
        findings
            .iter()
            .any(|(trouble, remedy)| trouble.contains("(mode 644)")
                && remedy == &format!("chmod {widest:o} rollcall.db.key")),
        "{findings:#?}"
    );
    mode(&key, widest);
    assert!(found(&installation).is_empty());
}

#[test]
fn a_store_that_others_may_read_or_that_has_no_room_is_found() {
    let installation = house();
    let path = installation.folder.path().join("rollcall.db");

    mode(&path, 0o644);
    finds(
        &installation,
        "rollcall.db can be used by other users",
        "chmod 600 rollcall.db",
    );
    assert!(
        found(&installation).is_empty(),
        "opening it made it private"
    );

    // a file that is said to be larger than any disk
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(1 << 43).unwrap();
    finds(
        &installation,
        "MiB are free where rollcall.db is",
        "make room",
    );
    file.set_len(length).unwrap();
    assert!(found(&installation).is_empty());
}

#[test]
fn a_job_that_is_held_or_in_quarantine_is_found() {
    let installation = house();
    installation.ok(&["app", "start", "Wiki", "--org", "vault"]);
    assert!(found(&installation).is_empty());

    // its target is gone
    let run = installation
        .command(&["app", "run", "Wiki", "--org", "vault"])
        .env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")
        .output()
        .unwrap();
    ended(&run, 3);
    finds(
        &installation,
        "vault: Wiki is in quarantine since",
        "rollcall app show \"Wiki\" --org vault",
    );
    installation.ok(&["backup", "good"]);
    installation.ok(&["restore", "good", "--force"]);
    finds(
        &installation,
        "vault: Wiki is held since",
        "rollcall app restart \"Wiki\" --org vault",
    );
}

#[test]
fn an_api_key_that_ends_soon_is_found_unless_it_was_made_for_days_only() {
    let installation = house();
    let create = ["api-key", "create", "--org", "vault", "--name"];
    let make = |rest: &[&str]| installation.ok(&[&create[..], rest].concat());
    make(&["endless"]);
    make(&["long", "--expires", "90d"]);
    make(&["passing", "--expires", "1d"]);
    assert!(found(&installation).is_empty());

    make(&["nightly", "--expires", "10d"]);
    finds(
        &installation,
        "vault: the API key `nightly` ends at",
        "rollcall api-key create --org vault --name \"nightly\" --role read",
    );
}

#[test]
fn damage_is_found() {
    let installation = house();
    installation.ok(&["org", "create", "other", "--name", "Other"]);
    let file = installation.folder.path().join("rollcall.db");
    let connection = rusqlite::Connection::open(file).unwrap();
    let wrong = "UPDATE organisations SET users = 7 WHERE slug = 'other'";
    assert_eq!(connection.execute(wrong, []).unwrap(), 1);
    drop(connection);

    finds(
        &installation,
        "other: the counts of people and groups are wrong",
        "report it",
    );
}
