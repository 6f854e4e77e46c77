//! A job from a file, after the store was restored: it sends nothing before it is restarted.

use super::desk::Desk;

#[test]
fn a_job_sends_nothing_after_a_restore_until_it_is_restarted() {
    let desk = Desk::of_people(&["ann", "bob"], "");
    desk.ok(&["run"]);
    desk.installation.ok(&["backup", "old.backup"]);
    desk.people(&["ann", "bob", "cleo"]);
    assert_eq!(desk.sends(&["run"]).len(), 1);
    let there = desk.person("cleo")["id"].clone();
    desk.installation.ok(&["restore", "old.backup", "--force"]);

    // the file has moved on too: cleo is in it, and bob is not any more
    desk.people(&["ann", "cleo"]);
    let why = ["restored from a backup of", "job restart"];
    desk.refuses(&["run"], 1, &why);
    desk.refuses(&["provision", "user:ann"], 1, &why[..1]);
    let status = desk.ok(&["status"]);
    assert!(status.contains("restored from a backup of"), "{status}");
    desk.ok(&["restart"]);
    desk.refuses(&["run"], 1, &["rollcall job held"]);
    assert_eq!(desk.active(), ["ann", "bob", "cleo"]);

    let held = desk.ok(&["held"]);
    assert!(held.contains("bob"), "{held}");
    let code = held.trim().rsplit(' ').next().unwrap().to_owned();
    desk.ok(&["allow", &code]);
    desk.ok(&["run"]);
    assert_eq!(desk.active(), ["ann", "cleo"]);
    assert_eq!(
        desk.person("cleo")["id"],
        there,
        "she was found, and not made twice"
    );
    assert!(desk.json(&["status"], 0)["job"]["restored"].is_null());
}
