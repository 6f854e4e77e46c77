//! Durable creates, beside one row a person put straight into the database at the same concurrency.
//!
//! The other side has no HTTP, no JSON to read, no rules, no audit, no change feed and one index: it is what the disk and the database
//! allow. A create of ours writes the person, their columns, an entry of the audit and one of the feed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use rollcall_testkit::postgres;
use rusqlite::params;

use crate::house::House;
use crate::load::{Ask, Connection, Load, connections, median, window};
use crate::report::{Figure, Goal, Report};
use crate::{Settings, people};

/// How many create at the same time.
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 5;
const WINDOW: Duration = Duration::from_secs(3);
/// What both databases are told; the rest is what a Debian package has.
pub(crate) const POSTGRES: &str = "fsync = on\nsynchronous_commit = on\nshared_buffers = 256MB";

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&settings.folder)?;
    let store = format!("sqlite:{}", folder.path().join("create.db").display());
    let mut ours = Ours::new(settings, folder.path(), store).await?;
    let raw = RawSqlite::open(&folder.path().join("raw.db"))?;
    let mut rates = Rates::default();
    for _ in 0..ROUNDS {
        rates.ours.push(ours.round().await?);
        rates.raw.push(raw.round()?);
    }
    report.add(rates.figure("SQLite", "raw rusqlite, group commit"));

    let server = postgres::Server::of_ones_own(POSTGRES, &[])?;
    let (database, other) = (server.database()?, server.database()?);
    let mut ours = Ours::new(settings, folder.path(), database.url()).await?;
    let mut raw = RawPostgres::connect(&other.url()).await?;
    let mut rates = Rates::default();
    for _ in 0..ROUNDS {
        rates.ours.push(ours.round().await?);
        rates.raw.push(raw.round().await?);
    }
    report.add(rates.figure("PostgreSQL", "raw tokio-postgres"));
    Ok(())
}

/// Persons a second, in the order of the rounds.
#[derive(Default)]
struct Rates {
    ours: Vec<f64>,
    raw: Vec<f64>,
}

impl Rates {
    fn figure(self, database: &str, beside: &str) -> Figure {
        let ratios = self
            .ours
            .iter()
            .zip(&self.raw)
            .map(|(ours, raw)| ours / raw);
        let ratio = median(ratios.collect());
        Figure::new(
            "create",
            format!("{CONNECTIONS} create people durably, {database}"),
            median(self.ours),
            "people/s",
        )
        .with_ratio(beside, median(self.raw), ratio)
        .with_goal(Goal::AtLeast(0.7))
    }
}

/// A Rollcall of one node.
struct Ours {
    _server: crate::house::Server,
    connections: Vec<Connection>,
    next: Arc<AtomicU64>,
}

impl Ours {
    async fn new(settings: &Settings, folder: &Path, store: String) -> anyhow::Result<Self> {
        let (house, token) = House::new(&settings.binary, folder, store)?;
        let server = house.serve()?;
        Ok(Self {
            connections: connections(CONNECTIONS, &server.authority, &token).await?,
            _server: server,
            next: Arc::default(),
        })
    }

    async fn round(&mut self) -> anyhow::Result<f64> {
        let load = window(&mut self.connections, WINDOW, 201, &self.next, create).await?;
        Ok(load.per_second())
    }
}

/// Returns the request that creates the person of this number.
pub(crate) fn create(person: u64) -> Ask {
    Ask::post(
        "/scim/v2/vault/Users".to_owned(),
        people::resource(person, "Buyer"),
    )
}

/// A person as a row, and who waits until it is durable.
struct Row {
    id: String,
    name: String,
    document: String,
    waits: Sender<()>,
}

/// A writer that commits what has arrived while it wrote, with one sync for all of it.
struct RawSqlite {
    writes: Sender<Row>,
    next: AtomicU64,
}

impl RawSqlite {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let connection = rusqlite::Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute_batch(
            "CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, document TEXT NOT NULL) WITHOUT ROWID",
        )?;
        let (writes, waiting) = channel();
        std::thread::spawn(move || {
            if let Err(error) = Self::write(connection, &waiting) {
                eprintln!("the raw writer: {error}");
            }
        });
        Ok(Self {
            writes,
            next: AtomicU64::new(0),
        })
    }

    fn write(
        mut connection: rusqlite::Connection,
        waiting: &Receiver<Row>,
    ) -> rusqlite::Result<()> {
        while let Ok(first) = waiting.recv() {
            let transaction = connection.transaction()?;
            let mut done = Vec::new();
            {
                let mut insert = transaction.prepare_cached(
                    "INSERT INTO people (id, name, document) VALUES (?1, ?2, ?3)",
                )?;
                for row in std::iter::once(first).chain(waiting.try_iter()) {
                    insert.execute(params![row.id, row.name, row.document])?;
                    done.push(row.waits);
                }
            }
            transaction.commit()?;
            for waits in done {
                // a client waits for each of its writes
                waits.send(()).ok();
            }
        }
        Ok(())
    }

    fn round(&self) -> anyhow::Result<f64> {
        let begun = Instant::now();
        let answers = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CONNECTIONS)
                .map(|_| {
                    scope.spawn(|| {
                        let (done, wait) = channel();
                        let mut answers = 0;
                        while begun.elapsed() < WINDOW {
                            let person = self.next.fetch_add(1, Ordering::Relaxed);
                            let row = Row {
                                id: format!("{person:032}"),
                                name: people::name(person),
                                document: people::resource(person, "Buyer").to_string(),
                                waits: done.clone(),
                            };
                            self.writes.send(row).ok()?;
                            wait.recv().ok()?;
                            answers += 1;
                        }
                        Some(answers)
                    })
                })
                .collect();
            clients
                .into_iter()
                .map(|client| client.join().ok().flatten())
                .sum::<Option<u64>>()
        });
        let answers = answers.context("the raw writer is gone")?;
        Ok(Load::new(answers, begun.elapsed()).per_second())
    }
}

/// Connections that each put a row in and wait until it is durable.
struct RawPostgres {
    clients: Vec<tokio_postgres::Client>,
    next: Arc<AtomicU64>,
}

impl RawPostgres {
    async fn connect(url: &str) -> anyhow::Result<Self> {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
            tokio::spawn(connection);
            clients.push(client);
        }
        let first = clients.first().context("no connections")?;
        first
            .batch_execute("CREATE TABLE people (id text PRIMARY KEY, name text NOT NULL UNIQUE, document text NOT NULL)")
            .await?;
        Ok(Self {
            clients,
            next: Arc::default(),
        })
    }

    async fn round(&mut self) -> anyhow::Result<f64> {
        let begun = Instant::now();
        let running: Vec<_> = self
            .clients
            .drain(..)
            .map(|client| {
                let next = Arc::clone(&self.next);
                tokio::spawn(async move {
                    let insert = client
                        .prepare("INSERT INTO people (id, name, document) VALUES ($1, $2, $3)")
                        .await?;
                    let mut answers = 0_u64;
                    while begun.elapsed() < WINDOW {
                        let person = next.fetch_add(1, Ordering::Relaxed);
                        let document = people::resource(person, "Buyer").to_string();
                        client
                            .execute(
                                &insert,
                                &[&format!("{person:032}"), &people::name(person), &document],
                            )
                            .await?;
                        answers += 1;
                    }
                    anyhow::Ok((client, answers))
                })
            })
            .collect();
        let mut answers = 0;
        for one in running {
            let (client, its_answers) = one.await??;
            self.clients.push(client);
            answers += its_answers;
        }
        Ok(Load::new(answers, begun.elapsed()).per_second())
    }
}
