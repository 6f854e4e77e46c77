//! Where the stores of tests are: each in a file of its own, or, when `ROLLCALL_TEST_STORE` is `postgres`, each in a database of its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rollcall_store::Location;
use rollcall_testkit::postgres::Database;

/// For how long a process that was killed keeps an application, in a database.
pub(crate) const LEASE: Duration = Duration::from_secs(1);

/// The databases by folder. They go with the server.
static DATABASES: Mutex<Option<HashMap<PathBuf, Database<'static>>>> = Mutex::new(None);

/// Stores that a test put somewhere itself, by folder.
static PLACES: Mutex<Option<HashMap<PathBuf, String>>> = Mutex::new(None);

/// Says where the store of a folder is, whatever the variable says.
pub(crate) fn place(folder: &Path, address: String) {
    let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    places
        .get_or_insert_default()
        .insert(folder.to_owned(), address);
}

/// Tells whether stores are files, which a test can look into.
pub(crate) fn is_a_file() -> bool {
    std::env::var("ROLLCALL_TEST_STORE").as_deref() != Ok("postgres")
}

/// Returns the address of a folder's store, if it is not the file that lies there.
fn address(folder: &Path) -> Option<String> {
    let places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(address) = places.as_ref().and_then(|places| places.get(folder)) {
        return Some(address.clone());
    }
    drop(places);
    if is_a_file() {
        return None;
    }
    let mut databases = DATABASES.lock().unwrap_or_else(PoisonError::into_inner);
    let database = databases
        .get_or_insert_default()
        .entry(folder.to_owned())
        .or_insert_with(|| Database::fresh().unwrap());
    Some(format!("{}&lease={}", database.url(), LEASE.as_secs()))
}

/// Tells a command where the store is that belongs to its folder.
pub(crate) fn tell(command: &mut Command, folder: &Path) {
    if let Some(address) = address(folder) {
        command.env("ROLLCALL_STORE", address);
    }
}

/// Returns where a folder's store is.
pub(crate) fn location(folder: &Path) -> Location {
    let file = || format!("sqlite:{}", folder.join("rollcall.db").display());
    let address = address(folder).unwrap_or_else(file);
    address.parse().unwrap()
}

/// Returns the tables of a folder's store in which any of these texts stands, in small letters, and the bytes of its file. What was removed
/// leaves nothing in the file: it is written anew before.
pub(crate) fn tables_with(folder: &Path, texts: &[&str]) -> (Vec<String>, Vec<u8>) {
    let hex = |text: &str| {
        let digits: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        digits.concat()
    };
    let mut found = Vec::new();
    if let Some(address) = address(folder) {
        let databases = DATABASES.lock().unwrap_or_else(PoisonError::into_inner);
        let all = databases.as_ref().and_then(|all| all.get(folder));
        let database = all.unwrap_or_else(|| panic!("{address}: not ours"));
        let tables = database
            .sql("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1")
            .unwrap();
        for table in tables.lines() {
            let conditions: Vec<String> = texts
                .iter()
                .flat_map(|text| [(*text).to_owned(), hex(text)])
                .map(|text| format!("position('{text}' IN lower(t::text)) > 0"))
                .collect();
            let sql = format!(
                "SELECT count(*) FROM {table} t WHERE {}",
                conditions.join(" OR ")
            );
            if database.sql(&sql).unwrap() != "0" {
                found.push(table.to_owned());
            }
        }
        return (found, Vec::new());
    }
    let file = folder.join("rollcall.db");
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection
        .execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    let strings = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    for table in strings(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1",
    ) {
        let columns = strings(&format!("SELECT name FROM pragma_table_info('{table}')"));
        let conditions: Vec<String> = columns
            .iter()
            .flat_map(|column| texts.iter().map(move |text| (column, text)))
            .map(|(column, text)| {
                let (raw, text) = (text.replace('-', ""), hex(text));
                format!("instr(lower(hex(lower(CAST(\"{column}\" AS TEXT)))), '{text}') OR lower(hex(\"{column}\")) = '{raw}'")
            })
            .collect();
        let sql = format!(
            "SELECT count(*) FROM {table} WHERE {}",
            conditions.join(" OR ")
        );
        let count: i64 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        if count > 0 {
            found.push(table);
        }
    }
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.extend(std::fs::read(folder.join("rollcall.db-wal")).unwrap_or_default());
    (found, bytes)
}

/// Changes rows of a folder's store behind the back of those who use it.
pub(crate) fn change(folder: &Path, in_a_file: &str, in_a_database: &str) {
    if address(folder).is_some() {
        let databases = DATABASES.lock().unwrap_or_else(PoisonError::into_inner);
        let database = databases.as_ref().and_then(|all| all.get(folder));
        let statement = format!("{in_a_database} RETURNING 'changed'");
        let changed = database.unwrap().sql(&statement).unwrap();
        assert!(!changed.is_empty(), "{in_a_database}: no such row");
    } else {
        let file = folder.join("rollcall.db");
        let connection = rusqlite::Connection::open(file).unwrap();
        let changed = connection.execute(in_a_file, []).unwrap();
        assert!(changed > 0, "{in_a_file}: no such row");
    }
}
