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
