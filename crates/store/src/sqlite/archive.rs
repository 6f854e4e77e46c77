//! The file of a backup: a SQLite database with the tables of a store, and what is said about them.
//!
//! **Is:** what of it is SQL: writing it, reading its head, bringing an older one to this version's schema.
//! **Is not:** the check of the whole file; see [`crate::backup`].

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};
use tokio::sync::mpsc;

use super::{connect, copying, examination, migrations, out_of_reach};
use crate::copy::{NotCopied, Piece, Print, TABLES, Tell};
use crate::{Error, Finding};

/// What tells a backup from a store that can be served: the application id in the head of the file (`RCBK`).
const BACKUP: i32 = 0x5243_424b;

/// How many KiB of the file are kept in memory while it is written.
const CACHE: i64 = 64 * 1024;

/// What a backup says of itself: words by name, and how many rows each table has with their SHA-256, in hexadecimal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) schema: u32,
    pub(crate) made: String,
    pub(crate) rollcall: String,
    pub(crate) store: String,
    pub(crate) tables: Vec<(String, u64, String)>,
}

/// Tells whether a file is a backup.
pub(super) fn is_backup(connection: &Connection) -> Result<bool, Error> {
    let id: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(out_of_reach)?;
    Ok(id == BACKUP)
}

/// Tells whether an error says that a file is damaged, or is no database at all.
pub(crate) fn is_damage(error: &Error) -> bool {
    let (Error::Backend(source) | Error::Unreachable(source)) = error else {
        return false;
    };
    // what a column must not hold is said in words of our own
    source
        .downcast_ref::<rusqlite::Error>()
        .map_or(matches!(error, Error::Backend(_)), |error| {
            matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            )
        })
}

/// Writes everything that arrives into an empty file. One that fails is of no use.
pub(crate) fn write(
    path: &Path,
    pieces: mpsc::Receiver<Piece>,
    tell: &Tell,
) -> Result<Vec<Print>, NotCopied> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // nobody reads the file before it is whole, and it is synced then
    for (setting, value) in [("journal_mode", "off"), ("synchronous", "off")] {
        connection
            .pragma_update(None, setting, value)
            .map_err(out_of_reach)?;
    }
    connection
        .pragma_update(None, "cache_size", -CACHE)
        .map_err(out_of_reach)?;
    migrations::apply(&mut connection)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(out_of_reach)?;
    copying::take(transaction, pieces, tell)
}

/// Writes what the backup says of itself, which makes it one.
pub(crate) fn finish(path: &Path, head: &Head) -> Result<(), Error> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection
        .pragma_update(None, "journal_mode", "off")
        .map_err(out_of_reach)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "CREATE TABLE rollcall_backup (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
         CREATE TABLE rollcall_backup_tables (
             name TEXT PRIMARY KEY, rows INTEGER NOT NULL, sha256 TEXT NOT NULL) STRICT, WITHOUT ROWID;",
    )?;
    for (name, value) in [
        ("made", &head.made),
        ("rollcall", &head.rollcall),
        ("store", &head.store),
    ] {
        let sql = "INSERT INTO rollcall_backup (name, value) VALUES (?1, ?2)";
        transaction.execute(sql, [name, value])?;
    }
    for (name, rows, sha256) in &head.tables {
        transaction.execute(
            "INSERT INTO rollcall_backup_tables (name, rows, sha256) VALUES (?1, ?2, ?3)",
            params![name, super::convert::number(*rows), sha256],
        )?;
    }
    transaction.pragma_update(None, "application_id", BACKUP)?;
    transaction.commit().map_err(out_of_reach)
}

/// Reads what a backup says of itself; absent: it is none.
pub(crate) fn head(path: &Path) -> Result<Option<Head>, Error> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    if !is_backup(&connection)? {
        return Ok(None);
    }
    let word = |name: &str| {
        let sql = "SELECT value FROM rollcall_backup WHERE name = ?1";
        let found = connection.query_row(sql, [name], |row| row.get::<_, String>(0));
        found.optional().map(Option::unwrap_or_default)
    };
    let mut statement = connection
        .prepare("SELECT name, rows, sha256 FROM rollcall_backup_tables ORDER BY name")?;
    let tables = statement.query_map([], |row| {
        Ok((
            row.get(0)?,
            super::convert::from_number(row.get(1)?),
            row.get(2)?,
        ))
    })?;
    Ok(Some(Head {
        schema: connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
        made: word("made")?,
        rollcall: word("rollcall")?,
        store: word("store")?,
        tables: tables.collect::<Result<_, _>>()?,
    }))
}

/// Reads all rows of a backup of this version again: the prints of its tables, and what is wrong with what is in them.
pub(crate) fn read_again(path: &Path) -> Result<(Vec<Print>, Vec<Finding>), Error> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let prints = copying::prints(&connection)?;
    debug_assert_eq!(prints.len(), TABLES.len());
    Ok((prints, examination::examine(&connection)?))
}

/// Brings a copy of an older backup to this version's schema. It is no backup any more then, and nobody's store.
pub(crate) fn migrate(path: &Path) -> Result<(), Error> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection
        .pragma_update(None, "application_id", 0)
        .map_err(out_of_reach)?;
    migrations::apply(&mut connection)
}
