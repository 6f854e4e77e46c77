//! Reads a SQLite store for a copy, and writes one.

use std::path::{Path, PathBuf};

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params_from_iter};
use tokio::sync::mpsc;

use super::{archive, connect, lock, migrations, out_of_reach, writing};
use crate::copy::{
    BYTES, Cell, Column, Existing, Kind, NotCopied, Piece, Print, Progress, ROWS, Row, State,
    TABLES, Table, Taking, Tell, compare, listed, size,
};
use crate::{Claim, Error};

pub(crate) use super::migrations::known;

/// Returns the file that the server of a store has locked.
pub(crate) fn lock_file(path: &Path) -> PathBuf {
    path.with_extension("server-lock")
}

/// Keeps servers away.
pub(crate) fn claim(path: &Path) -> Result<Claim, Error> {
    Ok(Claim::new(0, lock(&lock_file(path), path)?))
}

/// Returns the files that a new store would bring along.
pub(crate) fn traces(path: &Path) -> Vec<PathBuf> {
    let mut files = files(path);
    files.retain(|file| !file.exists());
    files
}

/// Returns the files of a store.
pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = ["", "-wal", "-shm"]
        .iter()
        .map(|end| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            name.into()
        })
        .collect();
    files.push(lock_file(path));
    files
}

/// Looks what there is in a file.
pub(crate) fn state(path: &Path) -> Result<State, Error> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let version: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(out_of_reach)?;
    let has = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, bool>(0));
    let tables = "SELECT EXISTS (SELECT 1 FROM sqlite_schema)";
    let ours = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'organisations')";
    if !has(tables)? {
        return Ok(State::Nothing);
    }
    if archive::is_backup(&connection)? {
        return Ok(State::Backup);
    }
    if version == 0 || !has(ours)? {
        return Ok(State::Foreign);
    }
    let has_organisations = has("SELECT EXISTS (SELECT 1 FROM organisations)")?;
    Ok(State::Store {
        version,
        has_organisations,
    })
}

/// Sends everything, as it is at one instant. Ends without a word when nobody takes it any more.
pub(crate) fn send(path: &Path, pieces: &mpsc::Sender<Piece>) -> Result<(), NotCopied> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let snapshot = connection.unchecked_transaction().map_err(Error::from)?;
    migrations::check(&snapshot)?;
    for table in TABLES {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let mut is_wanted = true;
        let print = each(&snapshot, table, |row| {
            bytes += size(&row);
            batch.push(row);
            if batch.len() >= ROWS || bytes >= BYTES {
                bytes = 0;
                let full = Piece::Rows(std::mem::take(&mut batch));
                is_wanted = pieces.blocking_send(full).is_ok();
            }
            is_wanted
        })?;
        let ends = [Piece::Rows(batch), Piece::End(print)];
        if !is_wanted
            || ends
                .into_iter()
                .any(|end| pieces.blocking_send(end).is_err())
        {
            return Ok(());
        }
    }
    Ok(())
}

/// Takes everything and writes it, in one transaction.
pub(crate) fn receive(
    path: &Path,
    pieces: mpsc::Receiver<Piece>,
    tell: &Tell,
    existing: Existing,
) -> Result<Vec<Print>, NotCopied> {
    let mut connection = writing(path)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(out_of_reach)?;
    begin(&transaction, path, existing)?;
    take(transaction, pieces, tell)
}

/// Takes everything, writes it, and compares it.
pub(super) fn take(
    transaction: Transaction<'_>,
    mut pieces: mpsc::Receiver<Piece>,
    tell: &Tell,
) -> Result<Vec<Print>, NotCopied> {
    let mut prints = Vec::new();
    for table in TABLES {
        prints.push(fill(&transaction, table, &mut pieces, tell)?);
    }
    for (table, expected) in TABLES.iter().zip(&prints) {
        compare(table, *expected, each(&transaction, table, |_| true)?)?;
        tell(Progress::Compared { table: table.name });
    }
    transaction.commit().map_err(out_of_reach)?;
    Ok(prints)
}

/// Makes sure that it is empty, but for secrets that were made when it was begun.
fn begin(transaction: &Transaction<'_>, path: &Path, existing: Existing) -> Result<(), NotCopied> {
    if existing == Existing::Replace {
        // with everything that is in them
        transaction
            .execute("DELETE FROM organisations", [])
            .map_err(Error::from)?;
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM organisations)";
    if transaction
        .query_row(sql, [], |row| row.get(0))
        .map_err(Error::from)?
    {
        return Err(NotCopied::NotEmpty(path.display().to_string()));
    }
    transaction
        .execute("DELETE FROM installation_secrets", [])
        .map_err(Error::from)?;
    Ok(())
}

/// Writes the rows of a table that arrive; returns what they should be.
fn fill(
    transaction: &Transaction<'_>,
    table: &'static Table,
    pieces: &mut mpsc::Receiver<Piece>,
    tell: &Tell,
) -> Result<Print, NotCopied> {
    let refused = |error: rusqlite::Error| NotCopied::Refused {
        table: table.name,
        source: error.into(),
    };
    let stored = |column: &Column| column.computed_in_sqlite.is_none();
    let columns = || table.columns.iter().filter(|column| stored(column));
    let sql = format!(
        "INSERT INTO \"{}\" ({}) VALUES ({})",
        table.name,
        listed(columns().map(|column| column.name)),
        vec!["?"; columns().count()].join(", ")
    );
    let mut statement = transaction.prepare(&sql).map_err(refused)?;
    let mut rows = 0;
    loop {
        match pieces.blocking_recv().ok_or(Error::Abandoned)? {
            Piece::Rows(batch) => {
                for row in &batch {
                    let cells = table.columns.iter().zip(row);
                    let values = cells
                        .filter(|(column, _)| stored(column))
                        .map(|(column, cell)| Value(column.kind, cell));
                    statement
                        .execute(params_from_iter(values))
                        .map_err(refused)?;
                }
                rows += batch.len() as u64;
                tell(Progress::Written {
                    table: table.name,
                    rows,
                });
            }
            Piece::End(print) => return Ok(print),
        }
    }
}

/// A cell as it lies in a column.
struct Value<'a>(Kind, &'a Cell);

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.1 {
            Cell::Nothing => ValueRef::Null,
            Cell::Id([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
                if self.0 == Kind::IdOrNobody =>
            {
                ValueRef::Blob(&[])
            }
            Cell::Id(id) => ValueRef::Blob(id),
            Cell::Integer(number) => ValueRef::Integer(*number),
            Cell::Text(text) => ValueRef::Text(text.as_bytes()),
            Cell::Bytes(bytes) => ValueRef::Blob(bytes),
            Cell::Boolean(truth) => ValueRef::Integer(i64::from(*truth)),
        }))
    }
}

/// Takes the prints of all tables.
pub(super) fn prints(connection: &Connection) -> Result<Vec<Print>, Error> {
    let tables = TABLES.iter();
    tables
        .map(|table| each(connection, table, |_| true))
        .collect()
}

/// Reads a table in the order of its key, until `take` has enough.
fn each(
    connection: &Connection,
    table: &Table,
    mut take: impl FnMut(Row) -> bool,
) -> Result<Print, Error> {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| match column.computed_in_sqlite {
            Some(expression) => expression.to_owned(),
            None => format!("\"{}\"", column.name),
        })
        .collect();
    let sql = format!(
        "SELECT {} FROM \"{}\" ORDER BY {}",
        columns.join(", "),
        table.name,
        table.listed_key()
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut taking = Taking::new();
    while let Some(row) = rows.next()? {
        let cells = table.columns.iter().enumerate();
        let read: Result<Row, Error> = cells
            .map(|(n, column)| cell(table, column, row.get_ref(n)?))
            .collect();
        let read = read?;
        taking.add(&read);
        if !take(read) {
            break;
        }
    }
    Ok(taking.print())
}

fn cell(table: &Table, column: &Column, value: ValueRef<'_>) -> Result<Cell, Error> {
    let odd = || {
        let reason = format!(
            "the column `{}` of `{}` holds something that it must not",
            column.name, table.name
        );
        Error::backend(reason)
    };
    Ok(match (column.kind, value) {
        (_, ValueRef::Null) if column.optional => Cell::Nothing,
        (Kind::IdOrNobody, ValueRef::Blob([])) => Cell::Id([0; 16]),
        (Kind::Id | Kind::IdOrNobody, ValueRef::Blob(bytes)) => {
            Cell::Id(bytes.try_into().map_err(|_| odd())?)
        }
        (Kind::Integer, ValueRef::Integer(number)) => Cell::Integer(number),
        (Kind::Text, ValueRef::Text(text)) => {
            Cell::Text(std::str::from_utf8(text).map_err(|_| odd())?.to_owned())
        }
        (Kind::Bytes, ValueRef::Blob(bytes)) => Cell::Bytes(bytes.to_vec()),
        (Kind::Boolean, ValueRef::Integer(0)) => Cell::Boolean(false),
        (Kind::Boolean, ValueRef::Integer(1)) => Cell::Boolean(true),
        _ => return Err(odd()),
    })
}
