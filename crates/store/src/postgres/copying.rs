//! Reads a PostgreSQL store for a copy, and writes one.

use std::collections::BTreeMap;
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Transaction};
use tokio::sync::mpsc;
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Portal};
use uuid::Uuid;

use super::address::Address;
use super::connections::{Connector, SETTINGS};
use super::migrations;
use crate::Error;
use crate::copy::{
    BYTES, Cell, Column, Existing, Kind, NotCopied, Piece, Print, Progress, ROWS, Row, State,
    TABLES, Table, Taking, Tell, compare, listed, place, size,
};

pub(crate) use super::migrations::known;

/// What was just closed is not closed at once at the other end: so often, and after such a time, is looked again whether anybody is there.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// A copy takes as long as it takes, and sees all organisations.
const WORDS: &str = "SET LOCAL rollcall.scope = 'installation'; SET LOCAL statement_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0";

/// Tells whether another rollcall is connected to the database, as far as this role may know.
pub(crate) async fn is_in_use(address: &Address) -> Result<bool, Error> {
    let client = connection(address).await?;
    for look in 1..=LOOKS {
        let row = client
            .query_one(
                "SELECT EXISTS (SELECT FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()
                     AND application_name = current_setting('application_name'))",
                &[],
            )
            .await?;
        if !row.try_get::<_, bool>(0)? {
            return Ok(false);
        }
        if look < LOOKS {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(true)
}

/// Looks what there is in a database.
pub(crate) async fn state(address: &Address) -> Result<State, Error> {
    let mut client = connection(address).await?;
    if !migrations::is_there(&*client).await? {
        return Ok(State::Nothing);
    }
    let version = migrations::version(&*client).await?;
    if version == 0 {
        return Ok(State::Nothing);
    }
    let transaction = begin(&mut client, true).await?;
    Ok(State::Store {
        version,
        has_organisations: has_organisations(&transaction).await?,
    })
}

async fn has_organisations(transaction: &Transaction<'_>) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT FROM organisations)";
    Ok(transaction.query_one(sql, &[]).await?.try_get(0)?)
}

async fn connection(address: &Address) -> Result<ClientWrapper, Error> {
    Connector::new(address)?.connect(SETTINGS).await
}

async fn begin(client: &mut ClientWrapper, only_reads: bool) -> Result<Transaction<'_>, Error> {
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(only_reads)
        .start()
        .await?;
    transaction.batch_execute(WORDS).await?;
    Ok(transaction)
}

/// Sends everything, as it is at one instant. Ends without a word when nobody takes it any more.
pub(crate) async fn send(address: &Address, pieces: mpsc::Sender<Piece>) -> Result<(), NotCopied> {
    let mut client = connection(address).await?;
    migrations::check(&client).await?;
    let snapshot = begin(&mut client, true).await?;
    for table in TABLES {
        let mut reading = Reading::begin(&snapshot, table).await?;
        loop {
            let rows = reading.next(&snapshot).await?;
            if rows.is_empty() {
                break;
            }
            if pieces.send(Piece::Rows(rows)).await.is_err() {
                return Ok(());
            }
        }
        let end = Piece::End(reading.taking.print());
        if pieces.send(end).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Takes everything and writes it, in one transaction.
pub(crate) async fn receive(
    address: &Address,
    mut pieces: mpsc::Receiver<Piece>,
    tell: &Tell,
    existing: Existing,
) -> Result<Vec<Print>, NotCopied> {
    let mut client = connection(address).await?;
    let transaction = begin(&mut client, false).await?;
    // nobody begins an organisation before this has ended. Secrets were made when the store was begun
    transaction
        .batch_execute("LOCK TABLE organisations, installation_secrets IN EXCLUSIVE MODE; DELETE FROM installation_secrets")
        .await
        .map_err(Error::from)?;
    if existing == Existing::Replace {
        // with everything that is in them
        transaction
            .batch_execute("DELETE FROM organisations")
            .await
            .map_err(Error::from)?;
    }
    if has_organisations(&transaction).await? {
        return Err(NotCopied::NotEmpty(address.to_string()));
    }
    let mut slugs = BTreeMap::new();
    let mut prints = Vec::new();
    for table in TABLES {
        let filling = fill(&transaction, table, &mut pieces, (&mut slugs, tell));
        prints.push(filling.await?);
    }
    for (table, expected) in TABLES.iter().zip(&prints) {
        // whoever looks next need not wait for the database to find out how much there is
        let sql = format!("ANALYZE \"{}\"", table.name);
        transaction.batch_execute(&sql).await.map_err(Error::from)?;
        let mut reading = Reading::begin(&transaction, table).await?;
        while !reading.next(&transaction).await?.is_empty() {}
        compare(table, *expected, reading.taking.print())?;
        tell(Progress::Compared { table: table.name });
    }
    transaction
        .commit()
        .await
        .map_err(|error| Error::Unreachable(Box::new(error)))?;
    Ok(prints)
}

/// Writes the rows of a table that arrive; returns what they should be.
async fn fill(
    transaction: &Transaction<'_>,
    table: &'static Table,
    pieces: &mut mpsc::Receiver<Piece>,
    (slugs, tell): (&mut BTreeMap<[u8; 16], String>, &Tell),
) -> Result<Print, NotCopied> {
    let arrays: Vec<String> = table
        .columns
        .iter()
        .enumerate()
        .map(|(n, column)| format!("${}::{}[]", n + 1, array_of(column.kind)))
        .collect();
    // row-level security leaves no COPY
    let sql = format!(
        "INSERT INTO \"{}\" ({}) SELECT * FROM unnest({})",
        table.name,
        listed(table.columns.iter().map(|column| column.name)),
        arrays.join(", ")
    );
    let refused = |error: tokio_postgres::Error| NotCopied::Refused {
        table: table.name,
        source: error.into(),
    };
    let statement = transaction.prepare(&sql).await.map_err(refused)?;
    let mut written = 0;
    loop {
        match pieces.recv().await.ok_or(Error::Abandoned)? {
            Piece::Rows(rows) if rows.is_empty() => {}
            Piece::Rows(rows) => {
                for row in &rows {
                    if let (true, [Cell::Id(id), Cell::Text(slug), ..]) =
                        (table.name == "organisations", row.as_slice())
                    {
                        slugs.insert(*id, slug.clone());
                    }
                    writable(table, row, slugs)?;
                }
                written += rows.len() as u64;
                let arrays = turned(table, rows);
                let values: Vec<&(dyn ToSql + Sync)> = arrays
                    .iter()
                    .map(|array| &**array as &(dyn ToSql + Sync))
                    .collect();
                transaction
                    .execute(&statement, &values)
                    .await
                    .map_err(refused)?;
                tell(Progress::Written {
                    table: table.name,
                    rows: written,
                });
            }
            Piece::End(print) => return Ok(print),
        }
    }
}

/// Makes sure that PostgreSQL keeps the texts of a row.
fn writable(
    table: &'static Table,
    row: &Row,
    slugs: &BTreeMap<[u8; 16], String>,
) -> Result<(), NotCopied> {
    let wrong =
        table.columns.iter().zip(row).find(
            |(_, cell)| matches!(cell, Cell::Text(text) if !super::convert::may_be_there(text)),
        );
    let Some((column, _)) = wrong else {
        return Ok(());
    };
    let organisation = match row.first() {
        Some(Cell::Id(id)) => slugs.get(id).cloned(),
        _ => None,
    };
    Err(NotCopied::Character {
        table: table.name,
        column: column.name,
        organisation: organisation.unwrap_or_default(),
        place: place(table, row),
    })
}

fn array_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Id | Kind::IdOrNobody => "uuid",
        Kind::Integer => "bigint",
        Kind::Text => "text",
        Kind::Bytes => "bytea",
        Kind::Boolean => "boolean",
    }
}

type Array = Box<dyn ToSql + Sync + Send>;

/// Turns rows into an array for each column.
fn turned(table: &Table, rows: Vec<Row>) -> Vec<Array> {
    let mut columns: Vec<Vec<Cell>> = table.columns.iter().map(|_| Vec::new()).collect();
    for row in rows {
        for (column, cell) in columns.iter_mut().zip(row) {
            column.push(cell);
        }
    }
    let arrays = table.columns.iter().zip(columns);
    arrays
        .map(|(column, cells)| array(column.kind, cells))
        .collect()
}

fn array(kind: Kind, cells: Vec<Cell>) -> Array {
    fn of<T>(cells: Vec<Cell>, value: impl Fn(Cell) -> Option<T>) -> Vec<Option<T>> {
        cells.into_iter().map(value).collect()
    }
    match kind {
        Kind::Id | Kind::IdOrNobody => Box::new(of(cells, |cell| match cell {
            Cell::Id(id) => Some(Uuid::from_bytes(id)),
            _ => None,
        })),
        Kind::Integer => Box::new(of(cells, |cell| match cell {
            Cell::Integer(number) => Some(number),
            _ => None,
        })),
        Kind::Text => Box::new(of(cells, |cell| match cell {
            Cell::Text(text) => Some(text),
            _ => None,
        })),
        Kind::Bytes => Box::new(of(cells, |cell| match cell {
            Cell::Bytes(bytes) => Some(bytes),
            _ => None,
        })),
        Kind::Boolean => Box::new(of(cells, |cell| match cell {
            Cell::Boolean(truth) => Some(truth),
            _ => None,
        })),
    }
}

/// A table that is read in the order of its key.
struct Reading<'t> {
    table: &'t Table,
    portal: Portal,
    /// How many rows come next: about as many as belong together, by the size of those before.
    count: i32,
    taking: Taking,
}

impl<'t> Reading<'t> {
    async fn begin(transaction: &Transaction<'_>, table: &'t Table) -> Result<Self, Error> {
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("\"{}\"::{}", column.name, array_of(column.kind)))
            .collect();
        let sql = format!(
            "SELECT {} FROM \"{}\" ORDER BY {}",
            columns.join(", "),
            table.name,
            // not what is selected under the same name: that may be of another type than the index
            table
                .columns
                .iter()
                .take(table.key)
                .map(|column| format!("\"{}\".\"{}\"", table.name, column.name))
                .collect::<Vec<_>>()
                .join(", ")
        );
        let statement = transaction.prepare(&sql).await?;
        Ok(Self {
            table,
            portal: transaction.bind(&statement, &[]).await?,
            count: 10,
            taking: Taking::new(),
        })
    }

    /// Returns the next rows; none: that was all.
    async fn next(&mut self, transaction: &Transaction<'_>) -> Result<Vec<Row>, Error> {
        let found = transaction.query_portal(&self.portal, self.count).await?;
        let mut rows = Vec::with_capacity(found.len());
        let mut bytes = 0;
        for row in &found {
            let cells = self.table.columns.iter().enumerate();
            let read: Result<Row, Error> = cells.map(|(n, column)| cell(column, row, n)).collect();
            let read = read?;
            self.taking.add(&read);
            bytes += size(&read);
            rows.push(read);
        }
        let fitting = BYTES * rows.len() / bytes.max(1);
        self.count = i32::try_from(fitting.clamp(1, ROWS)).unwrap_or(1);
        Ok(rows)
    }
}

fn cell(column: &Column, row: &tokio_postgres::Row, n: usize) -> Result<Cell, Error> {
    let found = match column.kind {
        Kind::Id | Kind::IdOrNobody => row
            .try_get::<_, Option<Uuid>>(n)?
            .map(|id| Cell::Id(id.into_bytes())),
        Kind::Integer => row.try_get::<_, Option<i64>>(n)?.map(Cell::Integer),
        Kind::Text => row.try_get::<_, Option<String>>(n)?.map(Cell::Text),
        Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(n)?.map(Cell::Bytes),
        Kind::Boolean => row.try_get::<_, Option<bool>>(n)?.map(Cell::Boolean),
    };
    Ok(found.unwrap_or(Cell::Nothing))
}
