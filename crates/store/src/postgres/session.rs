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

use super::connections::{Connector, Purpose, SETTINGS};
use super::convert::uuid;
use crate::Error;

/// A node that stands still in the middle of a unit keeps the others from writing to the organisation for so long.
const STANDSTILL: &str = "5s";

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    client: ClientWrapper,
    driver: Driver,
}

/// Drives a session while somebody waits for it.
// INVARIANT: the runtime is there until the driver is dropped
#[derive(Debug)]
pub(super) struct Driver(Option<Runtime>);

impl Driver {
    fn new() -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::Unreachable(Box::new(error)))?;
        Ok(Self(Some(runtime)))
    }

    /// Waits for an answer of the session. The thread has to be one that may wait.
    pub(super) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        let Some(runtime) = &self.0 else {
            unreachable!("a session was used after its end");
        };
        runtime.block_on(answer)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // the end of a runtime waits for a name that is being looked up, which no thread may that drives others, unless it is told not to
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
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
    /// As for [`Connector::connect`].
    pub(super) fn new(connector: &Connector) -> Result<Self, Error> {
        let driver = Driver::new()?;
        let client = driver.wait(connector.connect(SETTINGS))?;
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
