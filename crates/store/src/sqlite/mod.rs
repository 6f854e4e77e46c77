//! The SQLite backend: one file, one writer, many readers.
//!
//! Acknowledged means durable: WAL with `synchronous=FULL`, and a unit is answered only after the sync of the commit that
//! holds it. One writer thread takes all waiting units into one commit (see [`writer`]), so that the price of a sync is
//! shared by those who wait for it.

mod access;
mod activations;
pub(crate) mod archive;
mod books;
mod convert;
pub(crate) mod copying;
mod directory;
mod erasure;
mod examination;
mod jobs;
mod keys;
mod ledger;
mod listing;
mod migrations;
mod queue;
mod readers;
mod retention;
mod sessions;
mod traffic;
mod unit;
mod webhooks;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use rollcall_model::{AdminId, KeyRecord, OrgId, Organisation, Slug, TokenRecord, WebhookId};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::traits::{Backend, Look, Unit};
use crate::{Claim, Claimed, Error, Figures, Finding, NewAudit, Scheduled, WriteLedger};
use convert::{blob, from_json, json};

/// How long a unit of reading may look through objects.
const SCAN_TIME: Duration = Duration::from_secs(10);

/// How many KiB of the database the writer keeps in memory.
const WRITER_CACHE: i64 = 16 * 1024;

/// An open SQLite store.
#[derive(Debug)]
pub(crate) struct Sqlite {
    path: PathBuf,
    readers: readers::Readers,
    writer: writer::Writer,
}

impl Sqlite {
    pub(crate) fn open(path: &Path, figures: Arc<Figures>) -> Result<Self, Error> {
        let connection = writing(path)?;
        Ok(Self {
            path: path.to_owned(),
            readers: readers::Readers::new(path.to_owned(), Arc::clone(&figures)),
            writer: writer::Writer::start(connection, figures)?,
        })
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.readers.run(None, look).await
    }
}

#[async_trait]
impl Backend for Sqlite {
    async fn organisations(&self) -> Result<Vec<Organisation>, Error> {
        self.look(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT document FROM organisations ORDER BY slug")?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            rows.map(|row| from_json(&row?)).collect()
        })
        .await
    }

    async fn organisation(&self, slug: &Slug) -> Result<Option<Organisation>, Error> {
        let slug = slug.clone();
        self.look(move |connection| {
            connection
                .prepare_cached("SELECT document FROM organisations WHERE slug = ?1")?
                .query_row([slug.as_str()], |row| row.get::<_, String>(0))
                .optional()?
                .map(|document| from_json(&document))
                .transpose()
        })
        .await
    }

    async fn bearer(
        &self,
        slug: &Slug,
        digest: [u8; 32],
    ) -> Result<Option<(Organisation, TokenRecord)>, Error> {
        self.readers
            .glance(|connection| access::bearer(connection, slug, &digest))
    }

    async fn key(&self, digest: [u8; 32]) -> Result<Option<(Organisation, KeyRecord)>, Error> {
        self.readers
            .glance(|connection| keys::key(connection, &digest))
    }

    async fn schedule(&self, organisation: Option<OrgId>) -> Result<Vec<Scheduled>, Error> {
        self.look(move |connection| jobs::schedule(connection, organisation))
            .await
    }

    async fn administrators_called(&self, email_key: &str) -> Result<Vec<(OrgId, AdminId)>, Error> {
        let email_key = email_key.to_owned();
        self.look(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT org, id FROM administrators WHERE email_key = ?1 ORDER BY org",
            )?;
            let rows = statement.query_map([email_key], |row| {
                Ok((convert::id(row, 0)?, convert::id(row, 1)?))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn ping(&self) -> Result<(), Error> {
        self.look(migrations::check).await
    }

    async fn create_organisation(
        &self,
        organisation: &Organisation,
        entry: &NewAudit,
    ) -> Result<(), Error> {
        let (organisation, entry) = (organisation.clone(), entry.clone());
        self.writer
            .run(Some(organisation.id), move |connection| {
                connection
                    .execute(
                        "INSERT INTO organisations (id, slug, document) VALUES (?1, ?2, ?3)",
                        params![
                            blob(organisation.id),
                            organisation.slug.as_str(),
                            json(&organisation)?
                        ],
                    )
                    .map_err(|error| convert::taken(error, "slug"))?;
                let mut tenant = unit::Tenant::new(connection, organisation.id, None);
                tenant.append_audit(organisation.created, &entry)?;
                tenant.close_books()
            })
            .await
    }

    async fn delete_organisation(&self, id: OrgId) -> Result<(), Error> {
        self.writer
            .run(Some(id), move |connection| {
                convert::existing(
                    connection.execute("DELETE FROM organisations WHERE id = ?1", [blob(id)])?,
                )
            })
            .await
    }

    async fn installation_secrets(&self) -> Result<Vec<(String, Vec<u8>)>, Error> {
        self.look(|connection| {
            let mut statement = connection
                .prepare("SELECT name, secret FROM installation_secrets ORDER BY name")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn replace_installation_secret(
        &self,
        name: &str,
        old: &[u8],
        new: &[u8],
    ) -> Result<(), Error> {
        let (name, old, new) = (name.to_owned(), old.to_vec(), new.to_vec());
        self.writer
            .run(None, move |connection| {
                let replaced = connection.execute(
                    "UPDATE installation_secrets SET secret = ?3 WHERE name = ?1 AND secret = ?2",
                    params![name, old, new],
                )?;
                if replaced == 1 {
                    Ok(())
                } else {
                    Err(Error::Stale)
                }
            })
            .await
    }

    async fn installation_secret(
        &self,
        name: &'static str,
        fresh: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        self.writer
            .run(None, move |connection| {
                connection.execute(
                    "INSERT INTO installation_secrets (name, secret) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                    params![name, fresh],
                )?;
                Ok(connection.query_row(
                    "SELECT secret FROM installation_secrets WHERE name = ?1",
                    [name],
                    |row| row.get(0),
                )?)
            })
            .await
    }

    async fn examine(&self) -> Result<Vec<Finding>, Error> {
        self.look(examination::examine).await
    }

    fn claim_server(&self) -> Result<Claim, Error> {
        copying::claim(&self.path)
    }

    async fn claim(&self, organisation: OrgId, what: Claimed) -> Result<Claim, Error> {
        let folder = self.path.with_extension("job-locks");
        std::fs::create_dir_all(&folder).map_err(|error| Error::Unreachable(Box::new(error)))?;
        let file = lock(&folder.join(what.to_string()), &self.path)?;
        let (sql, id) = match what {
            Claimed::Job(id) => (
                "UPDATE applications SET runner = runner + 1 WHERE org = ?1 AND id = ?2 RETURNING runner",
                blob(id),
            ),
            Claimed::Webhook(id) => (
                "UPDATE webhooks SET runner = runner + 1 WHERE org = ?1 AND id = ?2 RETURNING runner",
                blob(id),
            ),
        };
        let number = self
            .writer
            .run(Some(organisation), move |connection| {
                let found: Option<i64> = connection
                    .query_row(sql, [blob(organisation), id], |row| row.get(0))
                    .optional()?;
                found.ok_or(Error::Missing)
            })
            .await?;
        Ok(Claim::new(number.unsigned_abs(), file))
    }

    async fn due_webhooks(
        &self,
        now: Timestamp,
        beyond: rollcall_model::webhook::Beyond,
    ) -> Result<Vec<(OrgId, WebhookId)>, Error> {
        self.look(move |connection| webhooks::due(connection, now, beyond))
            .await
    }

    async fn read(&self, organisation: OrgId, unit: Look) -> Result<(), Error> {
        self.readers
            .run(Some(organisation), move |connection| {
                snapshot(connection, organisation, unit)
            })
            .await
    }

    async fn glance(&self, organisation: OrgId, unit: Look) -> Result<(), Error> {
        self.readers
            .glance(|connection| snapshot(connection, organisation, unit))
    }

    async fn write(&self, organisation: OrgId, unit: Unit) -> Result<(), Error> {
        let unit = Box::new(move |connection: &Connection| {
            let mut tenant = unit::Tenant::new(connection, organisation, None);
            let keep = unit(&mut tenant);
            if keep {
                tenant.close_books()?;
            }
            Ok(keep)
        });
        self.writer.unit(Some(organisation), unit).await
    }
}

/// Runs a unit of reading: one snapshot for all that it reads.
fn snapshot(connection: &Connection, organisation: OrgId, unit: Look) -> Result<(), Error> {
    execute(connection, "BEGIN")?;
    let deadline = Some(Instant::now() + SCAN_TIME);
    unit(&unit::Tenant::new(connection, organisation, deadline));
    Ok(execute(connection, "COMMIT")?)
}

/// Executes a statement that is needed again and again, without having it read anew each time.
fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

/// Locks a file as long as it is open; a process that dies lets go of it.
fn lock(path: &Path, store: &Path) -> Result<std::fs::File, Error> {
    let unreachable = |error| Error::Unreachable(Box::new(error));
    let file = std::fs::File::create(path).map_err(unreachable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Occupied(store.display().to_string())),
        Err(std::fs::TryLockError::Error(error)) => Err(unreachable(error)),
    }
}

/// Opens the file for writing, making it and applying outstanding migrations.
fn writing(path: &Path) -> Result<Connection, Error> {
    is_safe(rusqlite::version_number())?;
    let mut connection = connect(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    )?;
    if archive::is_backup(&connection)? {
        return Err(Error::Backup(path.display().to_string()));
    }
    private_file(path)?;
    connection
        .pragma_update(None, "journal_mode", "wal")
        .map_err(out_of_reach)?;
    connection
        .pragma_update(None, "synchronous", "full")
        .map_err(out_of_reach)?;
    connection
        // the pages that one commit touches in a large organisation; in KiB, as SQLite has it for what is negative
        .pragma_update(None, "cache_size", -WRITER_CACHE)
        .map_err(out_of_reach)?;
    connection
        // what a savepoint may have to take back is not written into a file of its own; readers sort much, and may write some
        .pragma_update(None, "temp_store", "memory")
        .map_err(out_of_reach)?;
    connection
        .pragma_update(None, "foreign_keys", true)
        .map_err(out_of_reach)?;
    migrations::apply(&mut connection)?;
    Ok(connection)
}

/// The oldest SQLite, as it counts its versions, in which a reset of the WAL beside a reader cannot damage the database.
const OLDEST: i32 = 3_051_003;

/// Refuses an SQLite that may lose what it holds. The one that comes with this program is newer; a package may bring another.
fn is_safe(version: i32) -> Result<(), Error> {
    if version >= OLDEST {
        return Ok(());
    }
    let told = |version: i32| {
        format!(
            "{}.{}.{}",
            version / 1_000_000,
            version / 1_000 % 1_000,
            version % 1_000
        )
    };
    Err(Error::backend(format!(
        "this program was built with SQLite {}, which can damage a store: build it with {} or newer",
        told(version),
        told(OLDEST)
    )))
}

/// Opens the file with the settings that every connection shares.
fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(out_of_reach)?;
    // another process (a command beside the server) may hold the write lock for the length of one commit
    connection
        .busy_timeout(Duration::from_secs(10))
        .map_err(out_of_reach)?;
    connection.set_prepared_statement_cache_capacity(128);
    connection
        // otherwise SQLite looks at the values of parameters, to find whether a partial index would do, and prepares the statement anew
        // whenever they change
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(out_of_reach)?;
    Ok(connection)
}

/// The store holds people's data: only its owner may read it.
fn private_file(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(|error| Error::Unreachable(Box::new(error)))
}

fn out_of_reach(error: rusqlite::Error) -> Error {
    Error::Unreachable(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlite_that_can_damage_a_store_is_refused() {
        assert!(is_safe(rusqlite::version_number()).is_ok());
        assert!(is_safe(3_051_003).is_ok());

        let refused = is_safe(3_051_002).unwrap_err();
        let said = std::error::Error::source(&refused).unwrap().to_string();
        assert!(
            said.contains("SQLite 3.51.2") && said.contains("3.51.3"),
            "{said}"
        );
    }

    #[test]
    fn a_store_of_a_newer_version_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollcall.db");
        let connection = writing(&path).unwrap();
        let newer = migrations::known() + 1;
        connection
            .pragma_update(None, "user_version", newer)
            .unwrap();
        drop(connection);
        let before = std::fs::read(&path).unwrap();

        let refused = writing(&path).map(drop).unwrap_err();

        assert!(
            matches!(refused, Error::Newer { found, .. } if found == newer),
            "{refused}"
        );
        assert!(std::fs::read(&path).unwrap() == before);
    }

    #[test]
    fn every_index_begins_with_the_organisation() {
        let folder = tempfile::tempdir().unwrap();
        let connection = writing(&folder.path().join("rollcall.db")).unwrap();
        let mut statement = connection
            .prepare(
                "SELECT l.name FROM sqlite_schema t, pragma_index_list(t.name) l, pragma_index_info(l.name) i
                  WHERE t.type = 'table' AND i.seqno = 0 AND i.name <> 'org' ORDER BY 1",
            )
            .unwrap();
        let others = statement
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap();
        let others: Vec<String> = others.collect::<Result<_, _>>().unwrap();

        // an address, a slug and an API key are looked up before the organisation is known
        assert_eq!(
            others,
            [
                "administrators_by_address",
                "api_keys_by_digest",
                "sqlite_autoindex_installation_secrets_1",
                "sqlite_autoindex_organisations_1",
                "sqlite_autoindex_organisations_2",
            ]
        );
    }
}
