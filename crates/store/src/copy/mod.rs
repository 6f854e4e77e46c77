//! Copies everything of a store into another one, of the same kind or of the other.
//!
//! **Is:** a copy that is whole and compared, or is not there: what is read is one snapshot, what is written is one transaction, and before
//! it is committed the rows are counted and compared with what was read.
//! **Is not:** a backup (that is [`crate::backup`], which is built of the same parts), or a way to keep two stores in step. Sealed secrets are copied as they are: whoever opens the copy needs the
//! same key.
//! **Start at** [`copy`]; [`tables`] says what is copied, each backend knows how to read and to write it.

mod rows;
mod tables;
#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;

pub(crate) use rows::{BYTES, Cell, Piece, Print, ROWS, Row, Taking, place, size};
pub(crate) use tables::{Column, Kind, TABLES, Table, listed};

use crate::{Claim, Error, Finding, Location, Store, postgres, sqlite};

/// So many batches of rows wait for whoever writes them.
pub(crate) const WAITING: usize = 2;

/// Returns the names of the tables of which a store consists, but for those that are not copied.
pub fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.name)
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many rows of a table are written.
    Written {
        /// The table.
        table: &'static str,
        /// Its rows so far.
        rows: u64,
    },
    /// A table of the copy has the same rows as the original.
    Compared {
        /// The table.
        table: &'static str,
    },
}

/// Whom progress is told.
pub(crate) type Tell = Arc<dyn Fn(Progress) + Send + Sync>;

/// A copy that was made.
#[derive(Debug)]
pub struct Copied {
    /// Each table with how many rows it has.
    pub tables: Vec<(&'static str, u64)>,
    /// Damage found in the copy; the original has it too.
    pub findings: Vec<Finding>,
    /// What is wrong with how the new store is set up.
    pub warnings: Vec<Finding>,
}

/// What becomes of what is there already where something is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is written.
    Keep,
    /// It goes, once what takes its place is complete.
    Replace,
}

/// Why a store was not copied, backed up or restored. Nothing is left of the attempt but, in a database that had none, empty tables. When a connection to
/// PostgreSQL broke during the commit, it is not known whether that was carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotCopied {
    /// There is nothing to copy.
    #[error("there is no store `{0}`")]
    NoStore(String),
    /// Both are the same store.
    #[error("`{0}` cannot be copied onto itself")]
    Same(String),
    /// There is something already where the copy is to be.
    #[error("`{0}` is not empty: it has organisations")]
    NotEmpty(String),
    /// There is a database that is not a store.
    #[error("`{0}` is a database of something else")]
    Foreign(String),
    /// The store has another version's schema.
    #[error("`{store}` has schema version {found}, this version of rollcall knows {known}")]
    Outdated {
        /// The store.
        store: String,
        /// Its version.
        found: u32,
        /// The version known here.
        known: u32,
    },
    /// Somebody uses the store.
    #[error("`{0}` is in use: a server, or another command, is connected to it")]
    InUse(String),
    /// A text holds U+0000, which PostgreSQL does not keep.
    #[error(
        "PostgreSQL keeps no text with the character U+0000, and there is one in `{table}`, column `{column}`, organisation `{organisation}`: {place}"
    )]
    Character {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The organisation's slug; empty: it belongs to none.
        organisation: String,
        /// The key of the row.
        place: String,
    },
    /// The copy does not say what the original says.
    #[error("the copy of `{table}` differs from the original: {found} rows of {expected}")]
    Different {
        /// The table.
        table: &'static str,
        /// How many rows the original has.
        expected: u64,
        /// How many rows the copy has.
        found: u64,
    },
    /// A table could not be written.
    #[error("the table `{table}` cannot be written")]
    Refused {
        /// The table.
        table: &'static str,
        /// Why.
        #[source]
        source: Error,
    },
    /// There is a file already where the backup is to be.
    #[error("`{0}` is there already")]
    Exists(PathBuf),
    /// The store, or its key, would be overwritten by the backup.
    #[error("`{0}` belongs to the store itself")]
    OwnFile(PathBuf),
    /// The file of a backup cannot be read or written.
    #[error("the file `{path}` cannot be {deed}")]
    File {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        deed: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What is to be restored is something else.
    #[error("`{0}` is no backup of rollcall, or its end is missing")]
    NoBackup(PathBuf),
    /// What is to be restored is not as it was when it was made.
    #[error("`{file}` is damaged: {what}")]
    DamagedBackup {
        /// The file.
        file: PathBuf,
        /// What shows it.
        what: String,
    },
    /// A later version has made the backup.
    #[error(
        "`{file}` was made by a later rollcall: its {what} has version {found}, this one knows {known}"
    )]
    LaterBackup {
        /// The file.
        file: PathBuf,
        /// `format` or `schema`.
        what: &'static str,
        /// The version in it.
        found: u32,
        /// The latest version known here.
        known: u32,
    },
    /// What is to be copied or served is the file of a backup.
    #[error("`{0}` is a backup, and no store")]
    Backup(String),
    /// The store that is to be backed up cannot be read.
    #[error("`{store}` is damaged, and cannot be read whole")]
    DamagedStore {
        /// The store.
        store: String,
        /// What was met.
        #[source]
        source: Error,
    },
    /// A store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

/// What there is where a store is, or is to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No table at all.
    Nothing,
    /// Tables that are not ours.
    Foreign,
    /// A backup.
    Backup,
    /// A store.
    Store {
        version: u32,
        has_organisations: bool,
    },
}

/// Makes sure that there is a store at `from`, of this version, and none at `to`, or an empty one. It changes nothing.
///
/// # Errors
/// See [`NotCopied`].
pub async fn can_be_copied(from: &Location, to: &Location) -> Result<(), NotCopied> {
    if from == to {
        return Err(NotCopied::Same(from.to_string()));
    }
    is_readable(from).await?;
    is_free(to, Existing::Keep).await
}

/// Makes sure that there is a store, of this version.
pub(crate) async fn is_readable(from: &Location) -> Result<(), NotCopied> {
    if !from.holds_store().await? {
        return Err(NotCopied::NoStore(from.to_string()));
    }
    match state(from).await? {
        State::Store { version, .. } if version == known(from) => Ok(()),
        State::Store { version: found, .. } => {
            let known = known(from);
            Err(if found > known {
                Error::Newer { found, known }.into()
            } else {
                let store = from.to_string();
                NotCopied::Outdated {
                    store,
                    found,
                    known,
                }
            })
        }
        State::Nothing => Err(NotCopied::NoStore(from.to_string())),
        State::Foreign => Err(NotCopied::Foreign(from.to_string())),
        State::Backup => Err(NotCopied::Backup(from.to_string())),
    }
}

/// Makes sure that there is no store, or an empty one, or one that may be replaced.
pub(crate) async fn is_free(to: &Location, existing: Existing) -> Result<(), NotCopied> {
    if !to.holds_store().await? {
        return Ok(());
    }
    match state(to).await? {
        State::Store { version, .. } if version > known(to) => Err(Error::Newer {
            found: version,
            known: known(to),
        }
        .into()),
        State::Store {
            has_organisations: true,
            ..
        } if existing == Existing::Keep => Err(NotCopied::NotEmpty(to.to_string())),
        State::Foreign => Err(NotCopied::Foreign(to.to_string())),
        State::Backup => Err(NotCopied::Backup(to.to_string())),
        State::Nothing | State::Store { .. } => Ok(()),
    }
}

/// Copies everything of the store `from` to `to`, where there is no store yet, or an empty one, and compares both.
///
/// # Errors
/// See [`NotCopied`]. The original is never changed.
pub async fn copy(
    from: &Location,
    to: &Location,
    progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<Copied, NotCopied> {
    can_be_copied(from, to).await?;
    without_traces(to, attempt(from, to, Arc::new(progress))).await
}

/// Writes a store; when that fails, removes what a store that was not there has left.
pub(crate) async fn without_traces<T>(
    to: &Location,
    writing: impl Future<Output = Result<T, NotCopied>>,
) -> Result<T, NotCopied> {
    let is_new = !to.holds_store().await?;
    let traces = match to {
        Location::Sqlite(path) if is_new => sqlite::copying::traces(path),
        _ => Vec::new(),
    };
    let written = writing.await;
    if written.is_err() {
        for trace in traces {
            // not all of them need have come to be, and what stays is empty
            drop(std::fs::remove_file(trace));
        }
    }
    written
}

async fn attempt(from: &Location, to: &Location, tell: Tell) -> Result<Copied, NotCopied> {
    let _claims = claims(&[from, to]).await?;
    // it makes the tables, or refuses what a later version has made
    drop(Store::open(to).await?);

    let (pieces, arriving) = mpsc::channel(WAITING);
    let (read, written) = tokio::join!(
        sending(from, pieces),
        receiving(to, arriving, tell, Existing::Keep)
    );
    // who reads stops without a word when nobody writes; who writes, when no more comes
    read?;
    completed(to, &written?).await
}

/// Looks at what was written.
pub(crate) async fn completed(to: &Location, prints: &[Print]) -> Result<Copied, NotCopied> {
    let copy = Store::open(to).await?;
    let warnings = copy.warnings();
    let mut findings = copy.examine().await?;
    findings.retain(|finding| !warnings.contains(finding));
    let tables = TABLES.iter().zip(prints);
    Ok(Copied {
        tables: tables
            .map(|(table, print)| (table.name, print.rows))
            .collect(),
        findings,
        warnings,
    })
}

/// Reads a store: one snapshot.
pub(crate) async fn sending(from: &Location, pieces: mpsc::Sender<Piece>) -> Result<(), NotCopied> {
    match from {
        Location::Sqlite(path) => {
            let path = path.clone();
            blocking(move || sqlite::copying::send(&path, &pieces)).await
        }
        Location::Postgres(address) => postgres::copying::send(address, pieces).await,
    }
}

/// Writes a store: one transaction.
pub(crate) async fn receiving(
    to: &Location,
    arriving: mpsc::Receiver<Piece>,
    tell: Tell,
    existing: Existing,
) -> Result<Vec<Print>, NotCopied> {
    match to {
        Location::Sqlite(path) => {
            let path = path.clone();
            blocking(move || sqlite::copying::receive(&path, arriving, &tell, existing)).await
        }
        Location::Postgres(address) => {
            postgres::copying::receive(address, arriving, &tell, existing).await
        }
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NotCopied> + Send + 'static,
) -> Result<T, NotCopied> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(Error::backend)?
}

/// Makes sure that nobody else uses these stores, as far as that can be known, for as long as the guards live.
pub(crate) async fn claims(locations: &[&Location]) -> Result<Vec<Claim>, NotCopied> {
    let mut files: Vec<&Path> = Vec::new();
    for location in locations {
        match location {
            Location::Sqlite(path) => files.push(path),
            Location::Postgres(address) => {
                if postgres::copying::is_in_use(address).await? {
                    return Err(NotCopied::InUse(location.to_string()));
                }
            }
        }
    }
    if let [one, other] = *files
        && let (Ok(same), Ok(as_this)) = (one.canonicalize(), other.canonicalize())
        && same == as_this
    {
        return Err(NotCopied::Same(
            Location::Sqlite(one.to_owned()).to_string(),
        ));
    }
    // two files whose names differ in their ends share a lock
    files.dedup_by_key(|path| sqlite::copying::lock_file(path));
    let claims = files.into_iter().map(|path| {
        sqlite::copying::claim(path).map_err(|error| match error {
            Error::Occupied(_) => NotCopied::InUse(Location::Sqlite(path.to_owned()).to_string()),
            error => error.into(),
        })
    });
    claims.collect()
}

pub(crate) async fn state(location: &Location) -> Result<State, NotCopied> {
    match location {
        Location::Sqlite(path) => {
            let path = path.clone();
            blocking(move || Ok(sqlite::copying::state(&path)?)).await
        }
        Location::Postgres(address) => Ok(postgres::copying::state(address).await?),
    }
}

fn known(location: &Location) -> u32 {
    match location {
        Location::Sqlite(_) => sqlite::copying::known(),
        Location::Postgres(_) => postgres::copying::known(),
    }
}

/// Makes sure that the copy of a table is what was read.
pub(crate) fn compare(table: &Table, expected: Print, found: Print) -> Result<(), NotCopied> {
    if expected == found {
        return Ok(());
    }
    Err(NotCopied::Different {
        table: table.name,
        expected: expected.rows,
        found: found.rows,
    })
}
