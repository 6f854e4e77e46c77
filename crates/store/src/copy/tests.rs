//! Copies there and back, copies that break, and what is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rollcall_testkit::postgres::Database;
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use super::tables::LEFT_OUT;
use super::{Kind, NotCopied, Progress, TABLES, copy};
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

    /// Makes a store with rows in many tables.
    async fn filled() -> Self {
        let file = Self::new();
        conformance::organisations_are_apart(file.open().await).await;
        file
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
        let columns: Vec<String> = statement
            .column_names()
            .map(str::to_owned)
            .collect();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_the_same_after_it_went_to_postgresql_and_back_whatever_is_in_it() {
    let files = after![
            organisations_are_apart, what_a_unit_refused_leaves_no_trace, a_name_is_taken_once_however_it_is_written,
            versions_are_compared, a_deletion_leaves_a_tombstone_and_no_membership, members_are_sets,
            listings_agree_with_the_evaluator, a_look_has_a_budget_and_goes_on_where_it_ended, pages_cover_everything_once, orders_put_missing_values_last,
            the_feed_has_no_gaps, counts_follow_every_change, tokens_are_found_by_digest_in_their_organisation,
            links_and_exported_members_are_kept_apart_by_application, people_are_found_by_their_manager,
            an_administrator_has_one_way_in, 
            an_open_store_answers, the_log_is_read_from_its_end_whole_or_of_one_object, cycles_are_remembered_up_to_a_number, a_job_is_claimed_by_one_at_a_time,
            sessions_are_found_by_digest_and_end, a_recovery_code_is_good_once,
            exchanges_are_counted_and_the_oldest_go, what_is_done_is_tallied_and_found_again, mail_waits_until_it_is_sent,
            plans_have_numbers, a_foreign_administrator_is_found_by_address, managed_objects_are_counted, managed_objects_are_listed,
            an_activation_is_found_by_person_and_by_link
    ];
    for (n, f) in &files {
        let d = dump(&f.path());
        println!("{n}: {:?}", d.iter().filter(|(_, r)| !r.is_empty()).map(|(n, r)| (n.as_str(), r.len())).collect::<Vec<_>>());
    }
}
