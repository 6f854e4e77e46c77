//! What cycles, plans and comparisons tell whoever starts them: the guard, altered plans, what failed and why.

use serde_json::{Value, json};

use super::House;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guard_holds_until_exactly_its_list_is_allowed() {
    let house = House::connected().await;
    house.ok(&["set", "Vault", "--max-deletions", "1"]);
    house.ok(&["run", "Vault"]);
    let (_, said) = house.ends(&["held", "Vault"], 0);
    assert!(said.contains("nobody"), "{said}");
    for name in ["ann", "bob"] {
        house
            .change(&house.northwind, name, "active", json!(false))
            .await;
    }

    let (planned, _) = house.ends(&["plan", "Vault"], 1);
    assert!(planned.contains("deletion guard would stop"), "{planned}");
    let (_, stopped) = house.ends(&["run", "Vault"], 1);
    assert!(stopped.contains("rollcall app allow"), "{stopped}");
    assert_eq!(house.there("ann").await["active"], true);
    let shown = house.ok(&["show", "Vault"]);
    for part in [
        "TooManyDeletes",
        "tried again at",
        "2 by the deletion guard",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    let (_, wrong) = house.ends(&["allow", "Vault", "0000"], 1);
    assert!(wrong.contains("`rollcall app held`"), "{wrong}");
    let held = house.ok(&["held", "Vault"]);
    assert!(held.contains("ann") && held.contains("bob"), "{held}");
    let code = held.rsplit(' ').next().unwrap().to_owned();
    house.ok(&["allow", "Vault", &code]);
    let ran = house.ok(&["run", "Vault"]);
    assert!(ran.contains("2 people disabled"), "{ran}");
    assert_eq!(house.there("ann").await["active"], false);
    assert!(!house.ok(&["show", "Vault"]).contains("quarantine"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_changed_in_the_target_is_found_and_repaired() {
    let house = House::connected().await;
    house.ok(&["run", "Vault"]);
    let agreed = house.ok(&["compare", "Vault"]);
    assert!(
        agreed.contains("both ends agree object by object: 3 people, 1 groups, 3 memberships"),
        "{agreed}"
    );
    house
        .change(&house.vault, "bob", "displayName", json!("Somebody else"))
        .await;
    house
        .change(&house.northwind, "bob", "displayName", json!("Bob"))
        .await;
    house.ok(&["run", "Vault"]);
    house
        .change(&house.vault, "bob", "displayName", json!("Somebody else"))
        .await;

    let (differing, _) = house.ends(&["compare", "Vault"], 1);
    assert!(
        differing.contains("differ in 1 places")
            && differing.contains("`bob`: displayName is `Somebody else`, should be `Bob`"),
        "{differing}"
    );
    assert!(house.ok(&["show", "Vault"]).contains("1 differed: `bob`"));
    let repaired = house.ok(&["compare", "Vault", "--repair"]);

    assert!(repaired.contains("both ends agree"), "{repaired}");
    assert_eq!(house.there("bob").await["displayName"], "Bob");
    // a restart looks at everybody again
    house.ok(&["restart", "Vault"]);
    let ran = house.ok(&["run", "Vault"]);
    assert!(ran.contains("initial cycle"), "{ran}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_for_its_owners_eyes_and_an_altered_one_is_refused() {
    let house = House::connected().await;
    house.ok(&["plan", "Vault", "--out", "plan.json"]);
    let path = house.installation.folder.path().join("plan.json");
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "people's data is in it");
    }

    let (_, said) = house.ends(&["plan", "Vault", "--out", "no/such/folder/plan.json"], 2);
    assert!(said.contains("cannot be written"), "{said}");

    let altered = std::fs::read_to_string(&path)
        .unwrap()
        .replace("cleo", "cleopatra");
    std::fs::write(&path, altered).unwrap();

    let (_, said) = house.ends(&["run", "Vault", "--plan", "plan.json"], 2);
    assert!(said.contains("altered"), "{said}");
    assert_eq!(house.there("cleo").await, Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_deleted_is_found_by_name_as_long_as_the_application_remembers() {
    let house = House::connected().await;
    house.ok(&["run", "Vault"]);
    let found = house
        .northwind
        .get("/Users?filter=userName eq \"bob\"")
        .await;
    let id = found.body["Resources"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    house
        .northwind
        .send("DELETE", &format!("/Users/{id}"), None)
        .await
        .is(204);

    for name in ["user:bob", &format!("user:{id}")] {
        let why = house.ok(&["why", "Vault", name]);
        assert!(why.contains("does not have it any more"), "{why}");
        assert!(why.contains("delete"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_that_fail_are_told_with_their_cause_and_exit_code_1() {
    let house = House::connected().await;
    house.ok(&[
        "mapping",
        "set",
        "Vault",
        "active",
        "--expression",
        "ToLower(\"PERHAPS\")",
    ]);

    let (ran, said) = house.ends(&["run", "Vault"], 1);

    assert!(ran.contains("1 group created, 3 failed"), "{ran}");
    assert!(
        said.contains("3 objects failed") && said.contains("app log --failed"),
        "{said}"
    );
    let log = house.ok(&["log", "Vault", "--failed", "--count", "2"]);
    assert_eq!(log.lines().count(), 3, "a header and two entries: {log}");
    let failed = house.json(&["log", "Vault", "--failed", "--of", "user:ann"], 0);
    assert_eq!(failed[0]["status"], "failure");
    let shown = house.ok(&["show", "Vault"]);
    assert!(shown.contains("failing      3"), "{shown}");
    assert!(
        shown.contains("user ann: SchemaPropertyCanOnlyAcceptValue, 1 time since"),
        "{shown}"
    );
    house.ends(&["provision", "Vault", "user:ann"], 1);
}
