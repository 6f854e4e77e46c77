//! A pool of connections that only read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_model::OrgId;
use rusqlite::{Connection, OpenFlags};

use super::connect;
use crate::figures::Does;
use crate::turns::Turns;
use crate::{Error, Figures};

/// How many units read at the same time; more wait their turn.
const READERS: usize = 8;
/// How many of them may belong to one organisation.
const READERS_OF_ONE: usize = 3;

#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    turns: Turns,
    figures: Arc<Figures>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, figures: Arc<Figures>) -> Self {
        Self {
            path,
            turns: Turns::new(READERS, READERS_OF_ONE),
            figures,
            idle: Arc::default(),
        }
    }

    /// Runs `look` on a connection of the pool, for an organisation or for the installation.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        organisation: Option<OrgId>,
        look: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let waiting = self.figures.waits(Does::Read);
        let turn = self.turns.turn(organisation).await?;
        drop(waiting);
        let idle = Arc::clone(&self.idle);
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || {
            // the turn ends with the work, also when nobody waits for it any more
            let _turn = turn;
            lent(&idle, &path, look)
        })
        .await
        .map_err(Error::backend)?
    }

    /// Runs `look` at once, on the caller's thread, for what reads a few rows by their keys: that is done sooner than handed over.
    pub(super) fn glance<T>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let looked = catch_unwind(AssertUnwindSafe(|| lent(&self.idle, &self.path, look)));
        looked.unwrap_or(Err(Error::Abandoned))
    }
}

/// Runs `look` on an idle connection, or on a new one. One that it panics with is not used again.
fn lent<T>(
    idle: &Mutex<Vec<Connection>>,
    path: &Path,
    look: impl FnOnce(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let connection = match waiting {
        Some(connection) => connection,
        None => open(path)?,
    };
    let result = look(&connection);
    // one that could not end what it began is of no use to the next
    if connection.is_autocommit() {
        idle.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
    }
    result
}

fn open(path: &Path) -> Result<Connection, Error> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}
