//! What a backup and a restore refuse, and what they say of a key and of tokens.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::{ended, json, said, seal};
use crate::store;
use crate::support::{Installation, rollcall};

/// An installation on a file, with an organisation and a sealed token of a target.
fn house() -> Installation {
    let installation = Installation::new();
    let folder = installation.folder.path();
    store::place(folder, "sqlite:rollcall.db".to_owned());
    installation.ok(&["org", "create", "vault", "--name", "Vault"]);
    installation
}

#[test]
fn what_is_refused_says_what_to_do_and_changes_nothing() {
    let installation = house();
    let folder = installation.folder.path();
    std::fs::write(folder.join("precious"), "precious").unwrap();
    std::fs::write(folder.join("empty"), "").unwrap();
    installation.ok(&["backup", "good"]);
    let mut damaged = std::fs::read(folder.join("good")).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(folder.join("damaged"), damaged).unwrap();
    let store = std::fs::read(folder.join("rollcall.db")).unwrap();

    for (arguments, code, parts) in [
        (
            &["backup", "precious"][..],
            2,
            ["is there already", "--force"],
        ),
        (
            &["backup", "rollcall.db"],
            2,
            ["the store itself", "another file"],
        ),
        (
            &["backup", "rollcall.db.key", "--force"],
            2,
            ["the store itself", "the key"],
        ),
        (
            &["backup", "./rollcall.db-wal", "--force"],
            2,
            ["the store itself", "another file"],
        ),
        (&["backup", "no/folder"], 3, ["cannot be written", "folder"]),
        (
            &["backup", "new", "--store", "sqlite:typo.db"],
            3,
            ["there is no store", "typo.db"],
        ),
        (&["restore", "good"], 2, ["is not empty", "hint:"]),
        (&["restore", "gone"], 3, ["cannot be read", "gone"]),
        (
            &["restore", "precious"],
            2,
            ["no backup", "`rollcall backup`"],
        ),
        (&["restore", "empty"], 2, ["no backup", "cut short"]),
        (
            &["restore", "rollcall.db", "--store", "sqlite:new.db"],
            2,
            ["no backup", "hint:"],
        ),
        (
            &["restore", "damaged", "--force"],
            1,
            ["is damaged", "older backup"],
        ),
        (
            &["org", "list", "--store", "sqlite:good"],
            2,
            ["is a backup", "rollcall restore"],
        ),
        (
            &["serve", "--store", "sqlite:good"],
            2,
            ["is a backup", "rollcall restore"],
        ),
    ] {
        let output = installation.run(arguments);
        let told = said(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        for part in parts {
            assert!(told.contains(part), "{arguments:?}: {part}: {told}");
        }
        assert!(output.stdout.is_empty(), "{arguments:?} prints and fails");
    }
    assert_eq!(std::fs::read(folder.join("precious")).unwrap(), b"precious");
    assert_eq!(std::fs::read(folder.join("rollcall.db")).unwrap(), store);
    assert!(!folder.join("new.db").exists());
    let left = std::fs::read_dir(folder).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.contains("unfinished")).count(), 0);

    installation.ok(&["backup", "precious", "--force"]);
    let mode = std::fs::metadata(folder.join("precious")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_store_that_is_served_is_backed_up_and_not_replaced() {
    let installation = Installation::new();
    installation.ok(&["org", "create", "vault", "--name", "Vault"]);
    let _server = installation.serve(&[]);

    installation.ok(&["backup", "good"]);
    let refused = installation.run(&["restore", "good", "--force"]);

    ended(&refused, 3);
    assert!(said(&refused).contains("is in use"), "{}", said(&refused));
}

#[test]
fn a_full_disk_ends_a_backup_and_leaves_nothing_of_it() {
    let installation = house();
    let folder = installation.folder.path();

    // no file may grow beyond 64 blocks: that is met like a disk that is full
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" backup new";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_rollcall")])
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap();

    ended(&output, 3);
    assert!(
        said(&output).contains("room on the disk"),
        "{}",
        said(&output)
    );
    let left = std::fs::read_dir(folder).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.starts_with("new")).count(), 0);
}

#[test]
fn the_key_is_kept_apart_and_one_that_does_not_fit_is_told() {
    let installation = house();
    seal(&installation);
    let folder = installation.folder.path();
    let made = installation.run(&["backup", "good"]);
    ended(&made, 0);
    assert!(said(&made).contains("rollcall.db.key"), "{}", said(&made));
    assert!(said(&made).contains("apart"), "{}", said(&made));
    let key = std::fs::read(folder.join("rollcall.db.key")).unwrap();
    let backup = std::fs::read(folder.join("good")).unwrap();
    for secret in [key.as_slice(), b"the-token"] {
        assert!(!backup.windows(secret.len()).any(|part| part == secret));
    }

    let restore = |name: &str, key: Option<&[u8]>| {
        let file = folder.join(format!("{name}.db.key"));
        if let Some(key) = key {
            std::fs::write(&file, key).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let store = format!("sqlite:{name}.db");
        let output = rollcall(folder, &["restore", "good", "--store", &store, "--json"]).output();
        let report = json(&output.unwrap(), 0);
        assert_eq!(file.exists(), key.is_some(), "no key is made by the way");
        report["key"].clone()
    };
    let fitting = restore("fitting", Some(&key));
    let missing = restore("missing", None);
    let nobodys: Vec<u8> = (0..32).collect();
    let other = restore("other", Some(&nobodys));

    assert_eq!(fitting["fits"], true);
    assert!(fitting["trouble"].is_null(), "{fitting}");
    assert_eq!(missing["fits"], false);
    let trouble = missing["trouble"].as_str().unwrap();
    assert!(trouble.contains("is not there"), "{trouble}");
    let trouble = other["trouble"].as_str().unwrap();
    assert!(trouble.contains("is not in the key file"), "{trouble}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_come_back_as_they_were_and_that_is_said() {
    let (installation, token) = Installation::with("vault");
    installation.ok(&["backup", "good"]);
    let tokens = json(
        &installation.run(&["token", "list", "--org", "vault", "--json"]),
        0,
    );
    let id = tokens[0]["id"].as_str().unwrap().to_owned();
    installation.ok(&["token", "revoke", "--org", "vault", &id]);

    let restored = installation.run(&["restore", "good", "--force"]);

    ended(&restored, 0);
    assert!(
        said(&restored).contains("token list"),
        "{}",
        said(&restored)
    );
    let server = installation.serve(&[]);
    server.scim("vault", &token).get("/Users").await.is(200);
}
