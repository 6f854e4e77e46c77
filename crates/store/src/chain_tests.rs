//! Damage that is done to an audit log with the database's own means, on both of them.

use rollcall_model::chain::{Damage, Head};
use rollcall_testkit::postgres::Database;
use rusqlite::Connection;

use crate::conformance::{audited, verified};
use crate::{Location, Store, Tenant, copy};

/// What is done, and what is found. `?` stands for the organisation.
struct Deed {
    name: &'static str,
    sql: &'static str,
    found: Vec<Damage>,
}

/// Each is done to a log of ten entries.
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn deeds() -> Vec<Deed> {
    let edited = |name, sql| Deed {
        name,
        sql,
        found: vec![Damage::Edited { sequence: 5 }],
    };
    let other = |name, sql, found: &[Damage]| Deed {
        name,
        sql,
        found: found.to_vec(),
    };
    vec![
        other("nothing", "", &[]),
        edited(
            "detail",
            "UPDATE audit SET detail = '{}' WHERE org = ? AND sequence = 5",
        ),
        edited(
            "detail-space",
            "UPDATE audit SET detail = detail || ' ' WHERE org = ? AND sequence = 5",
        ),
        edited(
            "detail-erased-alone",
            "UPDATE audit SET detail = 'null' WHERE org = ? AND sequence = 5",
        ),
        edited(
            "time",
            "UPDATE audit SET at = at + 1 WHERE org = ? AND sequence = 5",
        ),
        edited(
            "action",
            "UPDATE audit SET action = 'user.deleted' WHERE org = ? AND sequence = 5",
        ),
        edited(
            "object",
            "UPDATE audit SET object = 'bob' WHERE org = ? AND sequence = 5",
        ),
        edited(
            "actor",
            "UPDATE audit SET actor = 'command' WHERE org = ? AND sequence = 5",
        ),
        edited(
            "origin",
            "UPDATE audit SET origin = replace(origin, 'system', 'command'), actor = 'command' WHERE org = ? AND sequence = 5",
        ),
        edited(
            "address",
            "UPDATE audit SET origin = replace(origin, 'null', '\"10.0.0.1\"') WHERE org = ? AND sequence = 5",
        ),
        edited(
            "origin-space",
            "UPDATE audit SET origin = origin || ' ' WHERE org = ? AND sequence = 5",
        ),
        other(
            "hash",
            "UPDATE audit SET hash = (SELECT hash FROM audit WHERE org = ? AND sequence = 2) WHERE org = ? AND sequence = 5",
            &[Damage::HashEdited { sequence: 5 }],
        ),
        other(
            "removed",
            "DELETE FROM audit WHERE org = ? AND sequence IN (5, 6)",
            &[Damage::Removed { first: 5, last: 6 }],
        ),
        other(
            "removed-and-closed",
            "DELETE FROM audit WHERE org = ? AND sequence = 5;
             UPDATE audit SET sequence = -sequence WHERE org = ? AND sequence > 5;
             UPDATE audit SET sequence = -sequence - 1 WHERE org = ? AND sequence < 0",
            &[
                Damage::Moved {
                    first: 5,
                    last: 9,
                    written_as: 6,
                },
                Damage::Truncated {
                    last: 9,
                    written: 10,
                },
            ],
        ),
        other(
            "inserted",
            "UPDATE audit SET sequence = -sequence WHERE org = ? AND sequence > 4;
             UPDATE audit SET sequence = -sequence + 1 WHERE org = ? AND sequence < 0;
             INSERT INTO audit (org, sequence, at, origin, action, object, detail, actor, salt, hash)
             SELECT org, 5, at, origin, action, 'bob', detail, actor, salt, hash FROM audit WHERE org = ? AND sequence = 2;
             UPDATE organisations SET last_audit = 11 WHERE id = ?",
            &[
                Damage::Foreign { sequence: 5 },
                Damage::Moved {
                    first: 6,
                    last: 11,
                    written_as: 5,
                },
            ],
        ),
        other(
            "inserted-before-all",
            "INSERT INTO audit (org, sequence, at, origin, action, object, detail, actor, salt, hash)
             SELECT org, -1, at, origin, action, 'bob', detail, actor, salt, hash FROM audit WHERE org = ? AND sequence = 2",
            &[Damage::Foreign { sequence: 0 }],
        ),
        other(
            "reordered",
            "UPDATE audit SET sequence = -sequence WHERE org = ? AND sequence IN (5, 6);
             UPDATE audit SET sequence = sequence + 11 WHERE org = ? AND sequence < 0",
            &[
                Damage::Moved {
                    first: 5,
                    last: 5,
                    written_as: 6,
                },
                Damage::Moved {
                    first: 6,
                    last: 6,
                    written_as: 5,
                },
            ],
        ),
        other(
            "truncated",
            "DELETE FROM audit WHERE org = ? AND sequence > 8",
            &[Damage::Truncated {
                last: 8,
                written: 10,
            }],
        ),
        other(
            "head",
            "UPDATE organisations SET audit_head = (SELECT hash FROM audit WHERE org = ? AND sequence = 9) WHERE id = ?",
            &[Damage::HeadEdited { sequence: 10 }],
        ),
        other(
            "count",
            "UPDATE organisations SET last_audit = 9 WHERE id = ?",
            &[Damage::Appended {
                first: 10,
                last: 10,
            }],
        ),
    ]
}

async fn with_ten(store: &Store, slug: &str) -> Tenant {
    let tenant = audited(store, slug, 10).await;
    assert_eq!(verified(&tenant, None).await, []);
    tenant
}

/// Does everything to organisations of one store, by `sql`, which is told the organisation's id as the database writes it.
async fn every_damage_is_found(store: &Store, id: impl Fn(&Tenant) -> String, sql: impl Fn(&str)) {
    for deed in deeds() {
        let tenant = with_ten(store, deed.name).await;
        if !deed.sql.is_empty() {
            sql(&deed.sql.replace('?', &id(&tenant)));
        }
        assert_eq!(verified(&tenant, None).await, deed.found, "{}", deed.name);
    }
    // what the log itself cannot tell, a head that was kept elsewhere does
    let tenant = with_ten(store, "cut-off").await;
    let kept = tenant
        .read::<_, crate::Error, _>(|reader| reader.audit_head())
        .await
        .unwrap();
    let cut = "DELETE FROM audit WHERE org = ? AND sequence > 8;
        UPDATE organisations SET last_audit = 8, audit_head = (SELECT hash FROM audit WHERE org = ? AND sequence = 8) WHERE id = ?";
    sql(&cut.replace('?', &id(&tenant)));
    assert_eq!(verified(&tenant, None).await, []);
    let missing = Damage::CutOff { last: 8, kept };
    assert_eq!(verified(&tenant, Some(kept)).await, [missing]);
    let kept = Head {
        sequence: 7,
        ..kept
    };
    let rewritten = Damage::Rewritten { kept };
    assert_eq!(verified(&tenant, Some(kept)).await, [rewritten]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_damage_to_a_log_in_sqlite_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollcall.db");
    let store = Store::open(&Location::Sqlite(path.clone())).await.unwrap();
    let connection = Connection::open(&path).unwrap();

    let id = |tenant: &Tenant| {
        let id = tenant.organisation().to_string().replace('-', "");
        format!("x'{id}'")
    };
    every_damage_is_found(&store, id, |sql| connection.execute_batch(sql).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_damage_to_a_log_in_postgresql_is_found_and_named() {
    let database = Database::fresh().unwrap();
    let location: Location = database.url().parse().unwrap();
    let store = Store::open(&location).await.unwrap();

    let id = |tenant: &Tenant| format!("'{}'", tenant.organisation());
    every_damage_is_found(&store, id, |sql| {
        // who does that is a superuser, who may silence triggers
        let sql = format!("SET session_replication_role = replica; {sql}");
        database.sql(&sql).unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_lets_nobody_but_an_erasure_at_the_log() {
    let database = Database::fresh().unwrap();
    let location: Location = database.url().parse().unwrap();
    let store = Store::open(&location).await.unwrap();
    let tenant = with_ten(&store, "one").await;
    let change = "UPDATE audit SET object = 'bob'";

    for sql in [change, "DELETE FROM audit", "TRUNCATE audit"] {
        // a superuser meets the triggers
        let refused = database.sql(sql).unwrap_err().to_string();
        assert!(refused.contains("only appended to"), "{sql}: {refused}");
    }
    let words = format!(
        "SET ROLE rollcall; SET rollcall.scope = 'installation'; SET rollcall.org = '{}'",
        tenant.organisation()
    );
    // Rollcall's own role meets no row at all
    for sql in [change, "DELETE FROM audit"] {
        database.sql(&format!("{words}; {sql}")).unwrap();
    }
    // and says it that it erases, it may do that alone
    let refused = database
        .sql(&format!("{words}; SET rollcall.erasing = 'on'; {change}"))
        .unwrap_err();
    assert!(refused.to_string().contains("only appended to"));
    assert_eq!(verified(&tenant, None).await, []);
    store
        .delete_organisation(tenant.organisation())
        .await
        .unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM audit").unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_a_copied_store_verifies_against_the_head_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let from = Location::Sqlite(folder.path().join("from.db"));
    let there = Location::Sqlite(folder.path().join("back.db"));
    let database = Database::fresh().unwrap();
    let between: Location = database.url().parse().unwrap();
    let store = Store::open(&from).await.unwrap();
    let tenant = with_ten(&store, "one").await;
    let id = tenant.organisation();
    let kept = tenant
        .read::<_, crate::Error, _>(|reader| reader.audit_head())
        .await
        .unwrap();
    drop((store, tenant));

    for (from, to) in [(&from, &between), (&between, &there)] {
        copy(from, to, |_| {}).await.unwrap();
        let copied = Store::open(to).await.unwrap();
        assert_eq!(verified(&copied.tenant(id), Some(kept)).await, []);
    }
}
