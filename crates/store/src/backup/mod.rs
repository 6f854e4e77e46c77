//! Backups: everything of a store in one file, and a store made of such a file.
//!
//! **Is:** a file that is complete or is not there, made while servers write: what is read is one snapshot. It is read again before it is
//! said to be made, and checked as a whole before anything of it is restored. A restore is one transaction.
//! **Is not:** the key that opens sealed secrets; it is kept apart. Nor is a restored store as the backup is: it may not go on where that
//! ended, for the world has moved on; see [`hold`].
//! **Start at** [`backup`] and [`restore`]; [`file`] says what the file looks like.

mod file;
mod hold;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rollcall_model::provisioning::Restored;
use tokio::sync::mpsc;

pub use file::{Contents, TableContents};
pub use hold::Ended;

use crate::copy::{
    self, Existing, NotCopied, Piece, Progress, TABLES, Tell, WAITING, blocking, claims, completed,
    is_free, is_readable, receiving, sending, without_traces,
};
use crate::sqlite::{archive, copying};
use crate::{Finding, Location, Store};
use hold::Holding;

/// A backup that was made.
#[derive(Debug)]
pub struct BackedUp {
    /// What is in it.
    pub contents: Contents,
    /// Damage found in it; the store has it too.
    pub findings: Vec<Finding>,
}

/// A store that was restored.
#[derive(Debug)]
pub struct Returned {
    /// What the backup has.
    pub contents: Contents,
    /// What came to an end by the restore.
    pub ended: Ended,
    /// Damage found in the store; the backup has it too.
    pub findings: Vec<Finding>,
    /// What is wrong with how the store is set up.
    pub warnings: Vec<Finding>,
}

/// Writes everything of a store into a file, as it is at one instant; servers may go on. `made` is when, `rollcall` which version makes it;
/// `apart` are files that a backup must not overwrite, beside those of the store: its key.
///
/// # Errors
/// See [`NotCopied`]. The file is complete, or as it was before.
pub async fn backup(
    from: &Location,
    file: &Path,
    existing: Existing,
    (made, rollcall): (Timestamp, &str),
    apart: &[PathBuf],
    progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<BackedUp, NotCopied> {
    file::is_writable(file, from, apart, existing)?;
    let damaged = |error| damaged(from, error);
    is_readable(from).await.map_err(damaged)?;
    let unfinished = file::Unfinished::beside(file)?;
    let tell: Tell = Arc::new(progress);
    let (pieces, arriving) = mpsc::channel(WAITING);
    let path = unfinished.path().to_owned();
    let (read, prints) = tokio::join!(
        sending(from, pieces),
        blocking(move || archive::write(&path, arriving, &tell))
    );
    // who reads stops without a word when nobody writes; who writes, when no more comes
    read.map_err(damaged)?;
    let prints = prints.map_err(|error| file::unwritten(file, error))?;
    let head = archive::Head {
        schema: copying::known(),
        made: made.to_string(),
        rollcall: rollcall.to_owned(),
        store: match from {
            Location::Sqlite(_) => "sqlite",
            Location::Postgres(_) => "postgres",
        }
        .to_owned(),
        tables: file::described(&prints),
    };
    let (path, target) = (unfinished.path().to_owned(), file.to_owned());
    let made = blocking(move || {
        archive::finish(&path, &head).map_err(|error| file::unwritten(&target, error.into()))?;
        file::seal(&path)?;
        let contents = file::inspect(&path)?;
        let findings = file::compare(&path, &prints)?;
        unfinished.becomes(&target, existing)?;
        Ok(BackedUp { contents, findings })
    });
    made.await
}

/// Says of an error of reading that the store is damaged, when it is.
fn damaged(from: &Location, error: NotCopied) -> NotCopied {
    match error {
        NotCopied::Store(source)
            if matches!(from, Location::Sqlite(_)) && archive::is_damage(&source) =>
        {
            let store = from.to_string();
            NotCopied::DamagedStore { store, source }
        }
        error => error,
    }
}

/// Reads what a backup says of itself, and makes sure that the file is as it was when it was made.
///
/// # Errors
/// [`NotCopied::NoBackup`], [`NotCopied::DamagedBackup`], [`NotCopied::LaterBackup`], [`NotCopied::File`].
pub async fn inspect(file: &Path) -> Result<Contents, NotCopied> {
    let file = file.to_owned();
    blocking(move || file::inspect(&file)).await
}

/// Makes a store of a backup, at the instant `now`: where there is none, or an empty one, or in place of another one. All jobs are held,
/// and everything ends by which somebody could come in who is not meant to any more; see [`Ended`].
///
/// # Errors
/// See [`NotCopied`]. The store is complete, or as it was before.
pub async fn restore(
    file: &Path,
    to: &Location,
    existing: Existing,
    now: Timestamp,
    progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<Returned, NotCopied> {
    let contents = inspect(file).await?;
    is_free(to, existing).await?;
    let tell: Tell = Arc::new(progress);
    let restoring = attempt(file, &contents, to, (existing, now), tell);
    let (ended, copied) = without_traces(to, restoring).await?;
    Ok(Returned {
        contents,
        ended,
        findings: copied.findings,
        warnings: copied.warnings,
    })
}

async fn attempt(
    file: &Path,
    contents: &Contents,
    to: &Location,
    (existing, now): (Existing, Timestamp),
    tell: Tell,
) -> Result<(Ended, copy::Copied), NotCopied> {
    let _claims = claims(&[to]).await?;
    // an older one is brought to this version's schema: a copy of it
    let migrated = if contents.schema < copying::known() {
        let copy = file::Unfinished::copy_of(file, to)?;
        let path = copy.path().to_owned();
        blocking(move || Ok(archive::migrate(&path)?)).await?;
        Some(copy)
    } else {
        None
    };
    // it makes the tables, or refuses what a later version has made
    drop(Store::open(to).await?);

    let source = migrated.as_ref().map_or(file, file::Unfinished::path);
    let expected = migrated.is_none().then(|| contents.clone());
    let (pieces, passing) = mpsc::channel(WAITING);
    let (passed, arriving) = mpsc::channel(WAITING);
    let restored = Restored {
        backup: contents.made,
        at: now,
    };
    let (source, named) = (source.to_owned(), file.to_owned());
    let (read, held, written) = tokio::join!(
        blocking(move || copying::send(&source, &pieces)),
        blocking(move || pass(passing, &passed, Holding::new(restored), (&named, expected))),
        receiving(to, arriving, tell, existing),
    );
    // who reads stops without a word when nobody takes it; who writes, when no more comes
    read.map_err(|error| unreadable(file, error))?;
    let ended = held?;
    Ok((ended, completed(to, &written?).await?))
}

/// Says of an error of reading that the backup is damaged, when it is.
fn unreadable(file: &Path, error: NotCopied) -> NotCopied {
    match error {
        NotCopied::Store(source) if archive::is_damage(&source) => {
            file::damaged(file, source.to_string())
        }
        error => error,
    }
}

/// Hands on what is restored, row by row, and makes sure that it is what the backup is said to have.
fn pass(
    mut passing: mpsc::Receiver<Piece>,
    passed: &mpsc::Sender<Piece>,
    mut holding: Holding,
    (file, expected): (&Path, Option<Contents>),
) -> Result<Ended, NotCopied> {
    for table in TABLES {
        let mut taking = copy::Taking::new();
        loop {
            let (piece, is_last) = match passing.blocking_recv() {
                // the reader says why
                None => return Ok(holding.ended()),
                Some(Piece::Rows(rows)) => {
                    let mut kept = Vec::with_capacity(rows.len());
                    for row in rows {
                        if let Some(row) = holding.row(table, row)? {
                            taking.add(&row);
                            kept.push(row);
                        }
                    }
                    (Piece::Rows(kept), false)
                }
                Some(Piece::End(print)) => {
                    if let Some(contents) = &expected {
                        contents.confirms(table.name, print, file)?;
                    }
                    let taken = std::mem::replace(&mut taking, copy::Taking::new());
                    (Piece::End(taken.print()), true)
                }
            };
            if passed.blocking_send(piece).is_err() {
                return Ok(holding.ended());
            }
            if is_last {
                break;
            }
        }
    }
    Ok(holding.ended())
}
