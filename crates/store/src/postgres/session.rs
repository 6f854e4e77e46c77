//! Sessions with the database for units, each driven by the unit that uses it.
//!
//! A unit waits for every answer before it goes on. Were its session driven by the server's common threads, two of them would have to be woken
//! for each answer: one to ask, one to go on. So the unit's own thread drives it, by a runtime that belongs to the session. While no unit
//! uses a session nothing happens in it: whatever is to be said is waited for before it is put back.

use std::sync::{Mutex, MutexGuard, PoisonError};

use deadpool_postgres::{ClientWrapper, Transaction};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio_postgres::IsolationLevel;

use super::address::Address;
use super::connections::{Purpose, SETTINGS, connect};
use super::convert::uuid;
use crate::Error;

/// A node that stands still in the middle of a unit keeps the others from writing to the organisation for so long.
const STANDSTILL: &str = "5s";

/// A session. It may be dropped only where a thread may wait; [`Sessions`] puts those away that nobody uses.
#[derive(Debug)]
pub(super) struct Session {
    client: ClientWrapper,
    driver: Driver,
}

/// Drives a session while somebody waits for it.
#[derive(Debug)]
pub(super) struct Driver(Runtime);

impl Driver {
    /// Waits for an answer of the session. The thread has to be one that may wait.
    pub(super) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.0.block_on(answer)
    }
}

/// An open transaction, and who drives it.
pub(super) struct Open<'c> {
    pub(super) transaction: Transaction<'c>,
    pub(super) driver: &'c Driver,
}

/// What is to become of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Keep,
    TakeBack,
}

impl Session {
    /// Makes a session.
    ///
    /// # Errors
    /// As for [`connect`].
    pub(super) fn new(address: &Address) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let driver = Driver(runtime.map_err(Error::backend)?);
        let client = driver.wait(connect(address, SETTINGS))?;
        Ok(Self { client, driver })
    }

    /// Begins a transaction; one that is to write has waited until it is alone.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the connection is gone, [`Error::Busy`] when the organisation's lock does not come for too long.
    pub(super) fn begin(&mut self, purpose: Purpose) -> Result<Open<'_>, Error> {
        let Self { client, driver } = self;
        let transaction = driver.wait(begin(client, purpose))?;
        Ok(Open {
            transaction,
            driver,
        })
    }

    /// Tells whether it can go on being used, after a look at what came while nobody did.
    fn is_alive(&self) -> bool {
        self.driver.wait(async {
            // first the driver learns that something came, then the connection reads it
            yield_now().await;
            yield_now().await;
        });
        !self.client.is_closed()
    }
}

impl Open<'_> {
    /// Ends it.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when it was to be kept, and nobody knows whether it was.
    pub(super) fn end(self, then: Then) -> Result<(), Error> {
        let ended = self.driver.wait(async {
            match then {
                Then::Keep => self.transaction.commit().await,
                Then::TakeBack => self.transaction.rollback().await,
            }
        });
        ended.map_err(|error| Error::Unreachable(Box::new(error)))
    }
}

async fn begin(
    client: &mut ClientWrapper,
    purpose: Purpose,
) -> Result<Transaction<'_>, tokio_postgres::Error> {
    let transaction = client.build_transaction();
    let transaction = match purpose {
        // one snapshot for all that the unit reads
        Purpose::Read(_) => transaction
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true),
        // every statement sees what was committed when the lock was got; a snapshot would be as old as the wait for it
        _ => transaction.isolation_level(IsolationLevel::ReadCommitted),
    };
    let transaction = transaction.start().await?;
    if let Purpose::Write(organisation) = purpose {
        let organisation = uuid(organisation);
        let words = format!(
            "SET LOCAL rollcall.org = '{organisation}'; SET LOCAL idle_in_transaction_session_timeout = '{STANDSTILL}'; \
             SELECT FROM organisations WHERE id = '{organisation}' FOR UPDATE"
        );
        transaction.batch_execute(&words).await?;
    }
    Ok(transaction)
}

/// The sessions that nobody uses at the moment.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<Vec<Session>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Vec<Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Takes one that can be used, the one that was used last first. The thread has to be one that may wait.
    pub(super) fn take(&self) -> Option<Session> {
        loop {
            let session = self.lock().pop()?;
            if session.is_alive() {
                return Some(session);
            }
        }
    }

    /// Puts one back whose transaction has ended.
    pub(super) fn put(&self, session: Session) {
        self.lock().push(session);
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        // whoever closes a store need not be where a thread may wait, as the end of a runtime does unless it is told not to
        for Session { client, driver } in self.lock().drain(..) {
            drop(client);
            driver.0.shutdown_background();
        }
    }
}
