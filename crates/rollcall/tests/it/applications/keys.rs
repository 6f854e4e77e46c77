//! The keys that seal credentials: shown, replaced while everything goes on, and missed when they are not there.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::Value;

use super::House;
use crate::store::location;

impl House {
    fn key_file(&self) -> PathBuf {
        let folder = self.installation.folder.path();
        folder.join(location(folder).key_file())
    }

    /// Returns what `rollcall key show` tells of each key: its state, and how much is sealed with it.
    fn keys(&self) -> Vec<(String, u64)> {
        let shown = self.installation.ok(&["key", "show", "--json"]);
        let shown: Vec<Value> = serde_json::from_str(&shown).unwrap();
        let key = |key: &Value| {
            let state = key["state"].as_str().unwrap().to_owned();
            (state, key["sealed"].as_u64().unwrap())
        };
        shown.iter().map(key).collect()
    }

    /// Runs a command that has to be refused, and returns what it says.
    fn refused(&self, variables: &[(&str, &str)], arguments: &[&str]) -> String {
        let mut command = self.installation.command(arguments);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        said
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_replaced_and_what_they_sealed_still_opens() {
    let house = House::connected().await;
    let key = |state: &str, sealed| (state.to_owned(), sealed);
    let all = house.keys()[0].1;
    assert_eq!(house.keys(), [key("seals", all)]);
    house.ok(&["run", "Vault"]);

    house.installation.ok(&["key", "rotate"]);
    assert_eq!(house.keys(), [key("seals", all), key("opens", 0)]);
    house.ok(&["run", "Vault"]);
    house.installation.ok(&["key", "prune"]);
    assert_eq!(house.keys(), [key("seals", all)]);
    let rotated =
        (house.installation).ok(&["key", "rotate", "--data", "--org", "northwind", "--json"]);
    let rotated: Value = serde_json::from_str(&rotated).unwrap();
    assert_eq!(rotated["secrets"], 1, "{rotated}");
    // for other nodes: a key that is there first, and seals nothing yet
    house.installation.ok(&["key", "add"]);
    assert_eq!(house.keys()[0], key("seals", 0));
    house.installation.ok(&["key", "rotate"]);
    assert_eq!(house.keys()[0], key("seals", all));
    house.installation.ok(&["key", "prune"]);

    house.ok(&["run", "Vault"]);
    assert_eq!(house.keys(), [key("seals", all)]);
    let mode = std::fs::metadata(house.key_file()).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_not_opened_with_another_key_or_none() {
    use base64::Engine as _;
    let house = House::connected().await;
    let path = house.key_file();
    let key = std::fs::read(&path).unwrap();
    let typed = base64::engine::general_purpose::STANDARD.encode(&key);

    std::fs::remove_file(&path).unwrap();
    let said = house.refused(&[], &["org", "list"]);
    assert!(said.contains("is not there"), "{said}");
    assert!(!path.exists(), "no other one is made in its place");
    let other: Vec<u8> = (0..32).collect();
    std::fs::write(&path, other).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let said = house.refused(&[], &["org", "list"]);
    assert!(said.contains("which is not in the key file"), "{said}");
    for wrong in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="] {
        house.refused(&[("ROLLCALL_KEY", wrong)], &["org", "list"]);
    }

    // the same key, from the environment
    let mut command = house.command(&["run", "Vault"]);
    let output = command.env("ROLLCALL_KEY", &typed).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = house.refused(&[("ROLLCALL_KEY", &typed)], &["key", "add"]);
    assert!(said.contains("no command can change"), "{said}");
    std::fs::write(&path, key).unwrap();
    house.ok(&["run", "Vault"]);
}
