//! A store that moves to another database: whoever uses it does not notice.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use rollcall_testkit::postgres::Database;
use serde_json::Value;

use crate::store;
use crate::support::{Installation, Scim, Server, rollcall};

/// Copies the store of a folder; the address of the other one is told by a variable.
fn copying(folder: &Path, other: &str, arguments: &[&str]) -> Output {
    rollcall(folder, &[&["store", "copy"], arguments].concat())
        .env("OTHER_STORE", other)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a command of Northwind's application, which sends to this machine.
fn app(installation: &Installation, arguments: &[&str]) -> String {
    let all = [&["app"], arguments, &["--org", "northwind"]].concat();
    let mut command: Command = installation.command(&all);
    let output = command
        .env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The files in a folder, but for those that SQLite has beside a store while it, or a process that was quick to end, had it open.
fn files(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm"))
        .collect()
}

/// Everything that the ends answer.
async fn answers(ends: [&Scim; 2]) -> Vec<Value> {
    let mut bodies = Vec::new();
    for end in ends {
        for path in ["/Users", "/Groups"] {
            bodies.push(end.get(path).await.is(200).body);
        }
    }
    bodies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_moved_to_postgresql_and_back_serves_the_same() {
    let installation = Installation::new();
    let folder = installation.folder.path();
    let database = Database::fresh().unwrap();
    store::place(folder, "sqlite:rollcall.db".to_owned());
    installation.ok(&["org", "create", "vault", "--name", "Vault"]);
    installation.ok(&["org", "create", "northwind", "--name", "Northwind"]);
    let tokens = ["vault", "northwind"]
        .map(|organisation| installation.ok(&["token", "create", "--org", organisation]));
    let server = installation.serve(&[]);
    let listen = server.url.trim_start_matches("http://").to_owned();
    let vault = server.scim("vault", &tokens[0]);
    let northwind = server.scim("northwind", &tokens[1]);
    let mut members = Vec::new();
    for name in ["ann", "bob", "cleo"] {
        members.push(northwind.person(name).await);
    }
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    northwind.group("Team", &members).await;
    std::fs::write(folder.join("token"), &tokens[0]).unwrap();
    app(&installation, &["create", "Vault"]);
    let to = ["connect", "Vault", "--token-file", "token", "--url"];
    app(&installation, &[&to[..], &[vault.base.as_str()]].concat());
    app(&installation, &["assign", "Vault", "group:Team"]);
    app(&installation, &["run", "Vault"]);
    let before = answers([&vault, &northwind]).await;
    assert_eq!(before[0]["totalResults"], 3, "{}", before[0]);

    let served = copying(
        folder,
        &database.url(),
        &["sqlite:rollcall.db", "env:OTHER_STORE"],
    );
    assert_eq!(served.status.code(), Some(3), "{}", said(&served));
    assert!(said(&served).contains("is in use"), "{}", said(&served));
    drop(server);
    let moved = copying(
        folder,
        &database.url(),
        &["sqlite:rollcall.db", "env:OTHER_STORE"],
    );
    assert!(moved.status.success(), "{}", said(&moved));
    let printed = String::from_utf8_lossy(&moved.stdout);
    assert!(printed.contains("resources"), "{printed}");
    for part in ["rollcall.key", "ROLLCALL_STORE", "stays as it is"] {
        assert!(said(&moved).contains(part), "{part}: {}", said(&moved));
    }
    std::fs::rename(folder.join("rollcall.db"), folder.join("old.db")).unwrap();
    std::fs::rename(folder.join("rollcall.db.key"), folder.join("old.key")).unwrap();
    store::place(folder, database.url());
    let server = Server::start(folder, &listen, &[]);
    assert_eq!(answers([&vault, &northwind]).await, before);
    let ran = app(&installation, &["run", "Vault"]);
    assert!(ran.contains("nothing to do"), "{ran}");
    northwind.person("dan").await;
    let with_dan = answers([&vault, &northwind]).await;
    drop(server);

    let returned = copying(
        folder,
        &database.url(),
        &["env:OTHER_STORE", "sqlite:back.db", "--json"],
    );
    assert!(returned.status.success(), "{}", said(&returned));
    let report: Value = serde_json::from_slice(&returned.stdout).unwrap();
    assert_eq!(report["tables"]["organisations"], 2, "{report}");
    assert_eq!(report["key_file"], "back.db.key", "{report}");
    std::fs::rename(folder.join("rollcall.key"), folder.join("older.key")).unwrap();
    store::place(folder, "sqlite:back.db".to_owned());
    let _server = Server::start(folder, &listen, &[]);
    assert_eq!(answers([&vault, &northwind]).await, with_dan);
    let ran = app(&installation, &["run", "Vault"]);
    assert!(ran.contains("nothing to do"), "{ran}");
}

#[test]
fn a_copy_that_is_refused_says_what_to_do_and_changes_nothing() {
    let installation = Installation::new();
    let folder = installation.folder.path();
    for name in ["one", "other"] {
        store::place(folder, format!("sqlite:{name}.db"));
        installation.ok(&["org", "create", name, "--name", "An organisation"]);
    }
    std::fs::write(folder.join("taken.db.key"), [7; 32]).unwrap();
    let before = files(folder);

    for (arguments, code, why) in [
        (["sqlite:one.db", "sqlite:other.db"], 2, "is not empty"),
        (["sqlite:one.db", "sqlite:one.db"], 2, "onto itself"),
        (["sqlite:typo.db", "sqlite:new.db"], 3, "there is no store"),
        (["sqlite:one.db", "sqlite:taken.db"], 2, "another key"),
        (["sqlite:one.db", "mysql://x"], 2, "names no store"),
        (["sqlite:one.db", "env:NOWHERE"], 2, "NOWHERE is not set"),
        (["sqlite:one.db", "sqlite:no/folder.db"], 3, "folder.db"),
    ] {
        let output = copying(folder, "", &arguments);

        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(why), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?} prints and fails");
    }
    assert_eq!(files(folder), before);
    assert_eq!(std::fs::read(folder.join("taken.db.key")).unwrap(), [7; 32]);
}
