//! Who is not in the source any more, and who is there under another key.

use rollcall_model::Kind;
use rollcall_testkit::{Behaviour, Dialect};
use serde_json::{Value, json};

use super::desk::{CSV, Desk, sent};
use super::sources::{endpoint, from};

const GROUPS: &str = "kind = \"csv\"\nusers = \"people.csv\"\ngroups = \"groups.csv\"";

fn id(desk: &Desk, name: &str) -> Value {
    desk.person(name)["id"].clone()
}

#[test]
fn who_vanishes_is_switched_off_and_comes_back_as_the_same_account() {
    let desk = Desk::new();
    desk.job(GROUPS, "");
    desk.people(&["ann", "bob", "cleo"]);
    let team = |members: &str| format!("displayName,members\nTeam,{members}\n");
    desk.write("groups.csv", &team("ann;bob"));
    desk.ok(&["run"]);
    let bob = id(&desk, "bob");

    desk.people(&["ann", "cleo"]);
    desk.write("groups.csv", &team("ann"));
    let (planned, _) = desk.ends(&["plan"], 0);
    assert!(planned.contains("disable  1 person"), "{planned}");
    let why = desk.ok(&["why", "user:bob"]);
    for part in ["does not have it any more", "disable"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let sent = desk.sends(&["run"]);
    assert_eq!(sent.len(), 2, "{sent:#?}");
    assert_eq!(desk.active(), ["ann", "cleo"]);
    assert_eq!(desk.members("Team"), ["ann"]);
    assert_eq!(desk.sends(&["run"]), [""; 0]);
    let why = desk.ok(&["why", "user:bob"]);
    assert!(why.contains("switched off"), "{why}");
    desk.ok(&["restart"]);
    let sent = desk.sends(&["run"]);
    assert!(
        !sent.iter().any(|line| line.contains(bob.as_str().unwrap())),
        "{sent:#?}"
    );
    assert!(desk.ok(&["compare"]).contains("2 people"));

    // switched on by hand, he is found and switched off again
    let mut account = desk.person("bob");
    account["active"] = json!(true);
    desk.target.remove(Kind::User, bob.as_str().unwrap());
    desk.target.insert(Kind::User, account).unwrap();
    let (differing, _) = desk.ends(&["compare"], 1);
    assert!(
        differing.contains("`bob` should be switched off"),
        "{differing}"
    );
    desk.ok(&["compare", "--repair"]);
    assert_eq!(desk.active(), ["ann", "cleo"]);

    // he comes back, and what was switched off is in use: also under a new key, and a new name
    desk.people(&["ann", "bob", "cleo"]);
    desk.write("groups.csv", &team("ann;bob"));
    desk.ok(&["run"]);
    assert_eq!(id(&desk, "bob"), bob);
    assert_eq!(desk.members("Team"), ["ann", "bob"]);
    desk.people(&["ann", "cleo"]);
    desk.write("groups.csv", &team("ann"));
    desk.ok(&["run"]);
    desk.write("people.csv", "id,userName\nann,ann\n99,bob\ncleo,cleo\n");
    desk.ok(&["run"]);
    desk.write(
        "people.csv",
        "id,userName\nann,ann\n99,bob.lee\ncleo,cleo\n",
    );
    desk.ok(&["run"]);
    assert_eq!(id(&desk, "bob.lee"), bob);
    assert_eq!(desk.target.resources(Kind::User).len(), 3);
    desk.ok(&["compare"]);
}

#[test]
fn who_vanishes_is_deleted_or_forgotten_where_the_job_says_so_and_a_group_is_deleted() {
    for (leaving, method, there) in [
        ("delete", Some("DELETE"), 1),
        ("unlink", None, 2),
        ("disable", Some("PATCH"), 2),
    ] {
        let desk = Desk::new();
        desk.job(GROUPS, &format!("[safety]\nleaving = \"{leaving}\""));
        desk.people(&["ann", "bob"]);
        desk.write("groups.csv", "displayName,members\nTeam,bob\nCrew,ann\n");
        desk.ok(&["run"]);
        let bob = id(&desk, "bob");

        desk.people(&["ann"]);
        desk.write("groups.csv", "displayName,members\nCrew,ann\n");
        let sent = desk.sends(&["run"]);
        let of = |kind: &str| {
            let path = format!(" /{kind}/");
            sent.iter()
                .filter(|line| line.contains(&path))
                .map(|line| line.split(' ').next().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(of("Users"), Vec::from_iter(method), "{leaving}: {sent:#?}");
        let deleted: &[&str] = if leaving == "unlink" {
            &[]
        } else {
            &["DELETE"]
        };
        assert_eq!(of("Groups"), deleted, "{leaving}: {sent:#?}");
        assert_eq!(desk.target.resources(Kind::User).len(), there, "{leaving}");
        desk.ok(&["compare"]);
        desk.ok(&["restart"]);
        let sent = desk.sends(&["run"]);
        assert!(
            !sent.iter().any(|line| line.contains(bob.as_str().unwrap())),
            "{leaving}: {sent:#?}"
        );

        desk.people(&["ann", "bob"]);
        desk.ok(&["run"]);
        assert_eq!(id(&desk, "bob") == bob, leaving != "delete", "{leaving}");
        assert_eq!(desk.active(), ["ann", "bob"], "{leaving}");
    }
}

#[test]
fn the_guard_counts_who_vanished() {
    let desk = Desk::of_people(&["ann", "bob", "cleo"], "[safety]\nmax_deletions = 1");
    desk.ok(&["run"]);
    desk.people(&["ann"]);
    desk.refuses(&["run"], 1, &["rollcall job held"]);

    let held = desk.json(&["held"], 0);
    let code = held["code"].as_str().unwrap().to_owned();
    desk.ok(&["allow", &code]);
    assert_eq!(desk.sends(&["run"]).len(), 2);

    assert_eq!(desk.active(), ["ann"]);
    assert_eq!(desk.target.resources(Kind::User).len(), 3);
}

#[test]
fn a_column_of_keys_that_is_added_changes_nobody() {
    let desk = Desk::new();
    desk.job(GROUPS, "[safety]\nmax_deletions = 0");
    desk.write("people.csv", "userName,manager\nann,bob\nbob,\ncleo,\n");
    desk.write("groups.csv", "displayName,members\nTeam,ann;bob\n");
    desk.ok(&["run"]);
    let before: Vec<Value> = ["ann", "bob", "cleo"].map(|name| id(&desk, name)).into();

    desk.write(
        "people.csv",
        "id,userName,manager\n1,ann,2\n2,bob,\n3,cleo,\n",
    );
    desk.write("groups.csv", "id,displayName,members\n10,Team,1;2\n");
    let only_ids = |sent: Vec<String>| {
        let is_id = |line: &String| line.starts_with("PATCH") && line.contains("externalId");
        assert!(sent.iter().all(is_id), "{sent:#?}");
    };
    only_ids(desk.sends(&["run"]));
    assert_eq!(desk.sends(&["run"]), [""; 0]);
    // by the new keys people are known when they are renamed
    desk.write(
        "people.csv",
        "id,userName,manager\n1,ann,2\n2,bob,\n3,cleo.lee,\n",
    );
    desk.ok(&["run"]);
    let after: Vec<Value> = ["ann", "bob", "cleo.lee"]
        .map(|name| id(&desk, name))
        .into();
    assert_eq!(after, before);
    desk.ok(&["compare"]);

    desk.write("people.csv", "userName,manager\nann,bob\nbob,\ncleo.lee,\n");
    desk.write("groups.csv", "displayName,members\nTeam,ann;bob\n");
    only_ids(desk.sends(&["run"]));
    assert_eq!(desk.active(), ["ann", "bob", "cleo.lee"]);
    let after: Vec<Value> = ["ann", "bob", "cleo.lee"]
        .map(|name| id(&desk, name))
        .into();
    assert_eq!(after, before);
}

/// Whether a target takes two names that are swapped is its own affair; this one does.
#[test]
fn people_who_swap_their_names_keep_their_accounts() {
    let dialect = Dialect {
        unique: false,
        ..Dialect::default()
    };
    let desk = Desk::with(Behaviour::default().with_dialect(dialect));
    desk.job(CSV, "[safety]\nmax_deletions = 0");
    desk.write("people.csv", "id,userName\n1,ann\n2,bob\n");
    desk.ok(&["run"]);
    let before = [id(&desk, "ann"), id(&desk, "bob")];

    desk.write("people.csv", "id,userName\n1,bob\n2,ann\n");
    let sent = desk.sends(&["run"]);

    assert_eq!(sent.len(), 2, "{sent:#?}");
    assert_eq!([id(&desk, "bob"), id(&desk, "ann")], before);
}

#[tokio::test]
async fn who_was_made_anew_at_a_scim_server_is_the_same_person() {
    let desk = Desk::new();
    let (source, scim) = endpoint(&desk, false);
    scim.person("ann").await;
    scim.person("bob").await;
    desk.job(&from(&source), "");
    desk.ok(&["run"]);
    let account = id(&desk, "bob");

    let old = source.by(Kind::User, "userName", "bob")[0]["id"].clone();
    source.remove(Kind::User, old.as_str().unwrap());
    scim.person("bob").await;
    let before = desk.target.last_request();
    desk.ok(&["run"]);

    assert_eq!(id(&desk, "bob"), account);
    assert_eq!(desk.active(), ["ann", "bob"]);
    let writes = sent(&desk.target.writes_since(before));
    assert!(
        writes.iter().all(|line| line.starts_with("PATCH")),
        "{writes:#?}"
    );
}

#[test]
fn who_changes_the_key_and_cannot_be_understood_stays() {
    let desk = Desk::new();
    desk.job(CSV, "");
    desk.write("people.csv", "userName,active\nann,\nbob,\n");
    desk.ok(&["run"]);

    desk.write("people.csv", "id,userName,active\n1,ann,\n2,bob,perhaps\n");
    desk.refuses(&["run"], 1, &["people.csv, line 3"]);

    assert_eq!(desk.active(), ["ann", "bob"]);
}
