//! A pool of connections that only read.
//!
//! All organisations share it, and none may take all of it: an organisation has a few turns of its own, and whoever waits for
//! one for too long is told to come again later.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rollcall_model::OrgId;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connect;
use crate::Error;

/// How many units read at the same time; more wait their turn.
const READERS: usize = 8;
/// How many of them may belong to one organisation.
const READERS_OF_ONE: usize = 3;
/// How long a unit waits for its turn.
const WAIT: Duration = Duration::from_secs(10);
/// So many organisations are remembered before those that read nothing are forgotten.
const REMEMBERED: usize = 1_024;

#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    turns: Arc<Semaphore>,
    own_turns: Mutex<HashMap<OrgId, Arc<Semaphore>>>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            turns: Arc::new(Semaphore::new(READERS)),
            own_turns: Mutex::default(),
            idle: Arc::default(),
        }
    }

    /// Runs `look` on a connection of the pool, for the installation.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.run_holding(None, look).await
    }

    /// Runs `look` on a connection of the pool, for an organisation.
    pub(super) async fn run_for<T: Send + 'static>(
        &self,
        organisation: OrgId,
        look: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let own = turn(&self.own_turns(organisation)).await?;
        self.run_holding(Some(own), look).await
    }

    async fn run_holding<T: Send + 'static>(
        &self,
        own: Option<OwnedSemaphorePermit>,
        look: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = turn(&self.turns).await?;
        let idle = Arc::clone(&self.idle);
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || {
            // the turns end with the work, also when nobody waits for it any more
            let _turns = (turn, own);
            let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match waiting {
                Some(connection) => connection,
                None => open(&path)?,
            };
            let result = look(&connection);
            idle.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
            result
        })
        .await
        .map_err(Error::backend)?
    }

    fn own_turns(&self, organisation: OrgId) -> Arc<Semaphore> {
        let mut all = self
            .own_turns
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        let turns = all
            .entry(organisation)
            .or_insert_with(|| Arc::new(Semaphore::new(READERS_OF_ONE)));
        Arc::clone(turns)
    }
}

async fn turn(turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Error> {
    tokio::time::timeout(WAIT, Arc::clone(turns).acquire_owned())
        .await
        .map_err(|_| Error::Busy)?
        .map_err(Error::backend)
}

fn open(path: &std::path::Path) -> Result<Connection, Error> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_for_a_turn_is_told_to_come_again() {
        let turns = Arc::new(Semaphore::new(1));
        let _taken = turn(&turns).await.unwrap();

        assert!(matches!(turn(&turns).await, Err(Error::Busy)));
    }
}
