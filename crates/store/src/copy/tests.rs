//! Copies there and back, copies that break, and what is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rollcall_testkit::postgres::{Database, Server};
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use super::tables::LEFT_OUT;
use super::{Column, Kind, NotCopied, Progress, TABLES, copy, listed};
use crate::{Location, Store, conformance};

/// A SQLite store in a folder of its own.
struct File {
    folder: TempDir,
}

impl File {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("rollcall.db")
    }

    fn location(&self) -> Location {
        Location::Sqlite(self.path())
    }

    async fn open(&self) -> Store {
        Store::open(&self.location()).await.unwrap()
    }

    fn sql(&self, statements: &str) {
        let connection = Connection::open(self.path()).unwrap();
        connection.execute_batch(statements).unwrap();
    }

    /// Makes a store with two rows in every table: with the least that a row can hold, and with everything.
    async fn filled() -> Self {
        let file = Self::new();
        drop(file.open().await);
        let connection = Connection::open(file.path()).unwrap();
        connection
            .pragma_update(None, "foreign_keys", true)
            .unwrap();
        for table in TABLES {
            let columns = || {
                let all = table.columns.iter();
                all.filter(|column| column.computed_in_sqlite.is_none())
            };
            let sql = format!(
                "INSERT INTO \"{}\" ({}) VALUES ({})",
                table.name,
                listed(columns().map(|column| column.name)),
                vec!["?"; columns().count()].join(", ")
            );
            for (n, is_full) in [false, true].into_iter().enumerate() {
                let values = columns().map(|column| value(column, n, is_full));
                connection
                    .execute(&sql, rusqlite::params_from_iter(values))
                    .unwrap_or_else(|error| panic!("{}: {error}", table.name));
            }
        }
        file
    }
}

/// Makes up what a column holds in the row with this number. Rows with one number belong together.
fn value(column: &Column, n: usize, is_full: bool) -> Value {
    let byte = u8::try_from(n).unwrap() + 1;
    if column.optional && !is_full {
        return Value::Null;
    }
    match column.kind {
        Kind::IdOrNobody if !is_full => Value::Blob(Vec::new()),
        Kind::Id | Kind::IdOrNobody => Value::Blob(vec![byte; 16]),
        Kind::Integer if column.name.ends_with("kind") => Value::Integer(n.try_into().unwrap()),
        Kind::Integer if column.name == "sequence" => Value::Integer(byte.into()),
        Kind::Integer if is_full => Value::Integer(i64::MAX),
        Kind::Integer => Value::Integer(-1),
        Kind::Text if column.name == "document" && is_full => {
            Value::Text(r#"{"status": "failure", "name": "Zoë \u0000 😀"}"#.to_owned())
        }
        Kind::Text if column.name == "document" => Value::Text("{}".to_owned()),
        Kind::Text if is_full => {
            Value::Text(format!("'\"\\{{NULL,}}\u{1}\n\t ß 😀 {}", column.name))
        }
        Kind::Text => Value::Text(String::new()),
        Kind::Bytes if is_full => Value::Blob((0..=255).collect()),
        Kind::Bytes => Value::Blob(Vec::new()),
        Kind::Boolean => Value::Integer(is_full.into()),
    }
}

fn location(database: &Database<'_>) -> Location {
    database.url().parse().unwrap()
}

/// Everything in a SQLite file, read by nothing but SQLite.
fn dump(path: &Path) -> BTreeMap<String, Vec<String>> {
    let connection = Connection::open(path).unwrap();
    let names = strings(
        &connection,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
    );
    let rows = names.into_iter().map(|name| {
        let mut statement = connection
            .prepare(&format!("SELECT * FROM {name}"))
            .unwrap();
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let rows = statement.query_map([], |row| {
            let cells: Vec<Value> = (0..columns.len()).map(|n| row.get(n).unwrap()).collect();
            Ok(format!("{columns:?} {cells:?}"))
        });
        let mut rows: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
        rows.sort();
        (name, rows)
    });
    rows.collect()
}

fn strings(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let found = statement.query_map([], |row| row.get(0)).unwrap();
    found.map(Result::unwrap).collect()
}

/// Runs promises of the conformance suite, each on a store of its own, and returns those.
macro_rules! after {
    ($($promise:ident),+ $(,)?) => {{
        let mut files = Vec::new();
        $(
            let file = File::new();
            conformance::$promise(file.open().await).await;
            files.push((stringify!($promise), file));
        )+
        files
    }};
}

/// Copies a SQLite store to PostgreSQL and back, and makes sure that nothing was lost on the way.
async fn there_and_back(file: &File) -> Vec<(&'static str, u64)> {
    let (database, back) = (Database::fresh().unwrap(), File::new());
    let there = copy(&file.location(), &location(&database), |_| {})
        .await
        .unwrap();
    let returned = copy(&location(&database), &back.location(), |_| {})
        .await
        .unwrap();
    assert_eq!(there.tables, returned.tables);
    assert_eq!(dump(&file.path()), dump(&back.path()));
    let failures = r#"SELECT count(*) FROM provisioning_log WHERE failed <> (document ~ '"status": ?"failure"')"#;
    assert_eq!(database.sql(failures).unwrap(), "0");
    there.tables
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_column_may_hold_is_the_same_after_it_went_to_postgresql_and_back() {
    let file = File::filled().await;

    let tables = there_and_back(&file).await;

    let filled: Vec<_> = TABLES.iter().map(|table| (table.name, 2)).collect();
    assert_eq!(tables, filled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_store_was_used_for_is_the_same_after_it_went_to_postgresql_and_back() {
    for (promise, file) in after![
        exchanges_are_counted_and_the_oldest_go,
        a_look_has_a_budget_and_goes_on_where_it_ended,
        listings_agree_with_the_evaluator,
        the_log_is_read_from_its_end_whole_or_of_one_object,
        plans_have_numbers,
        an_activation_is_found_by_person_and_by_link,
        mail_waits_until_it_is_sent,
    ] {
        let tables = there_and_back(&file).await;

        let all: u64 = tables.iter().map(|(_, rows)| rows).sum();
        assert!(all > 3, "{promise}: {tables:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_copied_to_another_one_of_its_kind() {
    let (file, other) = (File::filled().await, File::new());
    let databases = [Database::fresh().unwrap(), Database::fresh().unwrap()];
    let [first, second] = databases.each_ref().map(location);
    // a server was there once, and left an empty store with a secret of its own
    let begun = other.open().await;
    begun
        .installation_secret("console", vec![9; 32])
        .await
        .unwrap();
    drop(begun);

    copy(&file.location(), &other.location(), |_| {})
        .await
        .unwrap();
    copy(&file.location(), &first, |_| {}).await.unwrap();
    copy(&first, &second, |_| {}).await.unwrap();

    assert_eq!(dump(&file.path()), dump(&other.path()));
    let back = File::new();
    copy(&second, &back.location(), |_| {}).await.unwrap();
    assert_eq!(dump(&file.path()), dump(&back.path()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_is_found_in_the_copy_and_a_sound_one_has_none() {
    let (made_up, sound, copies) = (
        File::filled().await,
        File::new(),
        [File::new(), File::new()],
    );
    conformance::listings_agree_with_the_evaluator(sound.open().await).await;

    let damaged = copy(&made_up.location(), &copies[0].location(), |_| {})
        .await
        .unwrap();
    let in_order = copy(&sound.location(), &copies[1].location(), |_| {})
        .await
        .unwrap();

    assert!(!damaged.findings.is_empty());
    assert_eq!(in_order.findings, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_is_that_of_both_schemas() {
    let (file, database) = (File::filled().await, Database::fresh().unwrap());
    drop(Store::open(&location(&database)).await.unwrap());
    let mut described: Vec<BTreeSet<String>> = vec![BTreeSet::new(), BTreeSet::new()];
    for table in TABLES {
        for (n, column) in table.columns.iter().enumerate() {
            let (in_sqlite, in_postgres) = match column.kind {
                Kind::Id | Kind::IdOrNobody => ("BLOB", "uuid"),
                Kind::Integer => ("INTEGER", "integer"),
                Kind::Text => ("TEXT", "text"),
                Kind::Bytes => ("BLOB", "bytea"),
                Kind::Boolean => ("INTEGER", "boolean"),
            };
            let key = if n < table.key { n + 1 } else { 0 };
            let line = |kind: &str| {
                format!(
                    "{}.{} {kind} {} key {key}",
                    table.name,
                    column.name,
                    u8::from(!column.optional)
                )
            };
            if column.computed_in_sqlite.is_none() {
                described[0].insert(line(in_sqlite));
            }
            described[1].insert(line(in_postgres));
        }
    }

    let connection = Connection::open(file.path()).unwrap();
    let sqlite = strings(
        &connection,
        "SELECT t.name || '.' || c.name || ' ' || c.type || ' ' || (c.\"notnull\" OR c.pk > 0) || ' key ' || c.pk
         FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'",
    );
    let left_out = format!("'{}'", LEFT_OUT.join("', '"));
    let postgres = database.sql(&format!(
        "SELECT t.relname || '.' || c.attname || ' ' || CASE WHEN c.atttypid IN ('smallint'::regtype, 'bigint'::regtype)
             THEN 'integer' ELSE c.atttypid::regtype::text END || ' ' || c.attnotnull::int || ' key '
             || coalesce(array_position(k.indkey::smallint[], c.attnum) + 1, 0)
         FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped
         JOIN pg_index k ON k.indrelid = t.oid AND k.indisprimary
         WHERE t.relnamespace = 'public'::regnamespace AND t.relkind = 'r' AND t.relname NOT IN ({left_out})"
    ));
    assert_eq!(described[0], sqlite.into_iter().collect());
    let postgres = postgres.unwrap();
    assert_eq!(described[1], postgres.lines().map(str::to_owned).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_whose_connection_breaks_leaves_nothing() {
    let file = File::filled().await;
    let databases = [Database::fresh().unwrap(), Database::fresh().unwrap()];
    let [there, broken] = databases.each_ref().map(location);
    copy(&file.location(), &there, |_| {}).await.unwrap();

    // in the middle, and when everything is written and half of it is compared
    for at in [
        Progress::Written {
            table: "links",
            rows: 2,
        },
        Progress::Compared { table: "links" },
    ] {
        let name = databases[1].sql("SELECT current_database()").unwrap();
        let original = file.location();
        let failed = copy(&original, &broken, move |progress| {
            if progress == at {
                end_connections(&name);
            }
        });
        let failed = failed.await.unwrap_err();

        assert!(
            matches!(failed, NotCopied::Refused { .. } | NotCopied::Store(_)),
            "{failed:?}"
        );
        for table in TABLES {
            let count = format!("SELECT count(*) FROM \"{}\"", table.name);
            assert_eq!(
                databases[1].sql(&count).unwrap(),
                "0",
                "{} {at:?}",
                table.name
            );
        }
    }
    copy(&there, &broken, |_| {}).await.unwrap();

    let source = databases[0].sql("SELECT current_database()").unwrap();
    let target = File::new();
    let place = target.location();
    let failed = copy(&there, &place, move |progress| {
        if matches!(
            progress,
            Progress::Written {
                table: "organisations",
                ..
            }
        ) {
            end_connections(&source);
        }
    });
    // whoever reads is never more than a few batches ahead
    let failed = failed.await.unwrap_err();
    assert!(matches!(failed, NotCopied::Store(_)), "{failed:?}");
    assert_eq!(std::fs::read_dir(target.folder.path()).unwrap().count(), 0);
}

/// Ends all connections of the ordinary role to a database.
fn end_connections(database: &str) {
    let sql = format!(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{database}' AND usename = 'rollcall'"
    );
    let ended = Server::shared().unwrap().sql("postgres", &sql).unwrap();
    assert!(ended.contains('t'), "nobody was connected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_differs_is_not_kept() {
    let (file, target) = (File::filled().await, File::new());
    let database = Database::fresh().unwrap();
    drop(target.open().await);
    drop(Store::open(&location(&database)).await.unwrap());
    target.sql("CREATE TRIGGER meddling AFTER INSERT ON links BEGIN UPDATE links SET document = 'other'; END");
    database
        .sql(
            "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER meddling BEFORE INSERT ON links FOR EACH ROW EXECUTE FUNCTION meddle()",
        )
        .unwrap();

    let changed = copy(&file.location(), &target.location(), |_| {}).await;
    let lost = copy(&file.location(), &location(&database), |_| {}).await;

    assert!(
        matches!(
            changed,
            Err(NotCopied::Different {
                table: "links",
                expected: 2,
                found: 2
            })
        ),
        "{changed:?}"
    );
    assert!(
        matches!(
            lost,
            Err(NotCopied::Different {
                table: "links",
                expected: 2,
                found: 0
            })
        ),
        "{lost:?}"
    );
    assert!(dump(&target.path()).values().all(Vec::is_empty));
    assert_eq!(
        database.sql("SELECT count(*) FROM organisations").unwrap(),
        "0"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_already_is_never_written_to() {
    let (file, full) = (File::filled().await, File::filled().await);
    let database = Database::fresh().unwrap();
    copy(&file.location(), &location(&database), |_| {})
        .await
        .unwrap();
    let before = dump(&full.path());

    for target in [full.location(), location(&database)] {
        let refused = copy(&file.location(), &target, |_| {}).await;
        assert!(
            matches!(refused, Err(NotCopied::NotEmpty(_))),
            "{refused:?}"
        );
    }
    let foreign = File::new();
    foreign.sql("CREATE TABLE recipes (name TEXT)");
    let refused = copy(&file.location(), &foreign.location(), |_| {}).await;

    assert!(matches!(refused, Err(NotCopied::Foreign(_))), "{refused:?}");
    assert_eq!(dump(&full.path()), before);
    assert_eq!(dump(&foreign.path()).len(), 1);
    assert_eq!(
        database.sql("SELECT count(*) FROM organisations").unwrap(),
        "2"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_not_there_or_is_the_same_or_older_is_not_copied() {
    let (none, file, target) = (File::new(), File::filled().await, File::new());
    let empty = Database::fresh().unwrap();
    let detour = file.folder.path().join(".").join("rollcall.db");
    let again = Location::Sqlite(
        file.folder
            .path()
            .join("..")
            .join(file.folder.path().file_name().unwrap())
            .join("rollcall.db"),
    );

    for nowhere in [none.location(), location(&empty)] {
        let refused = copy(&nowhere, &target.location(), |_| {}).await;
        assert!(matches!(refused, Err(NotCopied::NoStore(_))), "{refused:?}");
    }
    let same = copy(&file.location(), &Location::Sqlite(detour), |_| {}).await;
    assert!(matches!(same, Err(NotCopied::Same(_))), "{same:?}");
    let same = copy(&file.location(), &again, |_| {}).await;
    assert!(
        matches!(same, Err(NotCopied::Same(_) | NotCopied::NotEmpty(_))),
        "{same:?}"
    );
    file.sql("PRAGMA user_version = 1");
    let older = copy(&file.location(), &target.location(), |_| {}).await;
    assert!(
        matches!(older, Err(NotCopied::Outdated { found: 1, .. })),
        "{older:?}"
    );

    for untouched in [&none, &target] {
        assert_eq!(
            std::fs::read_dir(untouched.folder.path()).unwrap().count(),
            0
        );
    }
    assert_eq!(
        empty.sql("SELECT to_regclass('rollcall_schema')").unwrap(),
        ""
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_use_is_not_copied() {
    let (file, target) = (File::filled().await, File::new());
    let database = Database::fresh().unwrap();
    copy(&file.location(), &location(&database), |_| {})
        .await
        .unwrap();
    let serving = file.open().await;
    let claim = serving.claim_server().unwrap();
    let node = Store::open(&location(&database)).await.unwrap();

    for used in [file.location(), location(&database)] {
        let refused = copy(&used, &target.location(), |_| {}).await;
        assert!(matches!(refused, Err(NotCopied::InUse(_))), "{refused:?}");
    }
    drop((claim, node));

    copy(&location(&database), &target.location(), |_| {})
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_postgresql_cannot_keep_is_refused_with_its_place() {
    let (file, other) = (File::filled().await, File::new());
    let database = Database::fresh().unwrap();
    file.sql(
        "UPDATE organisations SET slug = 'northwind' WHERE id = x'02020202020202020202020202020202';
         UPDATE resources SET display = 'a' || char(0) || 'b' WHERE kind = 1",
    );

    let refused = copy(&file.location(), &location(&database), |_| {}).await;
    copy(&file.location(), &other.location(), |_| {})
        .await
        .unwrap();

    let said = refused.unwrap_err().to_string();
    for part in [
        "U+0000",
        "`resources`",
        "`display`",
        "`northwind`",
        "kind 1, id 02020202-0202-0202-0202-020202020202",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(
        database.sql("SELECT count(*) FROM organisations").unwrap(),
        "0"
    );
    assert_eq!(dump(&file.path()), dump(&other.path()));
}
