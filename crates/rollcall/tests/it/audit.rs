//! The audit log as a chain: what an operator does to be sure of it, and what they see when somebody was at it.

use serde_json::Value;

use crate::store::change;
use crate::support::Installation;

/// Changes the log of a folder's store behind the back of those who use it, with triggers silenced.
fn tamper(installation: &Installation, sql: &str) {
    let in_a_database = format!("SET session_replication_role = replica; {sql}");
    change(installation.folder.path(), sql, &in_a_database);
}

#[test]
fn a_log_that_somebody_was_at_is_told_by_entry() {
    let (installation, _) = Installation::with("vault");
    installation.ok(&["token", "create", "--org", "vault"]);
    let kept = installation.ok(&["audit", "head", "--org", "vault"]);
    let file = installation.folder.path().join("head.json");
    let as_json = installation.ok(&["audit", "head", "--org", "vault", "--json"]);
    std::fs::write(&file, as_json).unwrap();
    let kept = kept.split(' ').next().unwrap();
    assert!(kept.ends_with("@3"), "{kept}");
    installation.ok(&["token", "create", "--org", "vault"]);
    for head in [kept, "head.json"] {
        installation.ok(&["audit", "verify", "--org", "vault", "--head", head]);
    }
    installation.ok(&["audit", "verify"]);

    // the end is cut off with the head that is noted: only who kept one can tell
    tamper(&installation, "DELETE FROM audit WHERE sequence > 2");
    tamper(
        &installation,
        "UPDATE organisations SET last_audit = 2, audit_head = (SELECT hash FROM audit WHERE sequence = 2)",
    );
    installation.ok(&["audit", "verify"]);
    for head in [kept, "head.json"] {
        let output = installation.run(&[
            "audit", "verify", "--org", "vault", "--head", head, "--json",
        ]);
        assert_eq!(output.status.code(), Some(1));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found[0]["damages"][0]["kind"], "cut_off");
        assert_eq!(found[0]["damages"][0]["sequence"], 3);
    }

    // what an entry says is changed
    tamper(
        &installation,
        "UPDATE audit SET object = 'another' WHERE sequence = 2",
    );
    for command in [&["audit", "verify"][..], &["doctor"]] {
        let output = installation.run(command);
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("vault: "), "{said}");
        // nothing rests on the last one: it may have been inserted as well
        assert!(said.contains("entry 2 does not belong here"), "{said}");
    }
}
