//! The connections to a database, and the transactions in which units run.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, Transaction,
};
use rollcall_model::OrgId;
use tokio::runtime::Handle;
use tokio_postgres::{IsolationLevel, NoTls};

use super::address::Address;
use super::convert::uuid;
use super::statistics::Statistics;
use super::unit::Tenant;
use crate::turns::WAIT;
use crate::{Error, Occupancy};

/// So many units read at the same time; more wait their turn.
pub(super) const READERS: usize = 8;
/// So many of them may belong to one organisation.
pub(super) const READERS_OF_ONE: usize = 3;
/// So many commits are made at the same time, each for an organisation of its own.
pub(super) const WRITERS: usize = 6;
/// What belongs to the installation as a whole, and leases.
const OTHERS: usize = 2;

/// How often something is begun anew when its connection turns out to be gone, before anything was changed.
pub(super) const ATTEMPTS: usize = 3;

/// What holds for every session. Acknowledged means durable, whatever the server's own setting is. Nobody waits for a lock, keeps one
/// while doing nothing, or looks at rows for longer than this.
pub(super) const SETTINGS: &str = "-c synchronous_commit=on -c lock_timeout=10s -c statement_timeout=300s \
    -c idle_in_transaction_session_timeout=60s -c client_min_messages=warning";

/// A node that stands still in the middle of a unit keeps the others from writing to the organisation for so long.
const STANDSTILL: &str = "5s";

/// What a transaction is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Reading an organisation as it is at one instant.
    Read(OrgId),
    /// Writing to an organisation, alone.
    Write(OrgId),
    /// Writing to an organisation what needs no order: its founding, and leases.
    Unordered(OrgId),
    /// What concerns the installation as a whole.
    Installation,
}

impl Purpose {
    /// Returns the organisation that it is about.
    pub(super) fn organisation(self) -> OrgId {
        match self {
            Self::Read(id) | Self::Write(id) | Self::Unordered(id) => id,
            Self::Installation => OrgId::from_bytes([0; 16]),
        }
    }

    /// Returns the words that a unit has to begin with: for whom it is. One that writes was told them before it began.
    pub(super) fn first_words(self) -> Option<String> {
        match self {
            Self::Read(organisation) => {
                let organisation = uuid(organisation);
                Some(format!(
                    "SET LOCAL rollcall.org = '{organisation}'; SET LOCAL statement_timeout = '15s'"
                ))
            }
            Self::Unordered(organisation) => {
                Some(format!("SET LOCAL rollcall.org = '{}'", uuid(organisation)))
            }
            Self::Installation => Some(
                "SET LOCAL rollcall.scope = 'installation'; SET LOCAL statement_timeout = 0"
                    .to_owned(),
            ),
            Self::Write(_) => None,
        }
    }
}

/// The connections to a database.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    pool: Pool,
    address: Address,
    runtime: Handle,
    statistics: Arc<Statistics>,
}

impl Connections {
    pub(super) fn new(address: &Address) -> Result<Self, Error> {
        Ok(Self {
            pool: pool(address, SETTINGS, READERS + WRITERS + OTHERS)?,
            address: address.clone(),
            runtime: Handle::current(),
            statistics: Arc::default(),
        })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Tells how many there are, and what they do.
    pub(super) fn occupancy(&self) -> Occupancy {
        occupancy(&self.pool)
    }

    /// Returns where to wait for what the database answers.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Returns what was written through them.
    pub(super) fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Returns a connection.
    ///
    /// # Errors
    /// [`Error::Busy`] when all are in use for too long, [`Error::Unreachable`] when none can be made.
    pub(super) async fn get(&self) -> Result<Object, Error> {
        get(&self.pool, &self.address).await
    }

    /// Runs `work` in a transaction of its own, and keeps what it changed when it succeeds.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        purpose: Purpose,
        work: impl FnOnce(&mut Tenant<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let connections = self.clone();
        tokio::task::spawn_blocking(move || {
            connections.within(purpose, |transaction| {
                let mut tenant = Tenant::new(&transaction, &connections, purpose, None);
                let result = work(&mut tenant)?;
                tenant.catch_up()?;
                drop(tenant);
                connections
                    .runtime
                    .block_on(transaction.commit())
                    .map_err(|error| Error::Unreachable(Box::new(error)))?;
                Ok(result)
            })?
        })
        .await
        .map_err(Error::backend)?
    }

    /// Runs `work` in a transaction, on a thread that may wait. Whoever drops the transaction without a commit takes everything back.
    ///
    /// A connection that broke while nobody used it is found out when the transaction begins: nothing ran yet, and another one is taken.
    pub(super) fn within<T>(
        &self,
        purpose: Purpose,
        work: impl FnOnce(Transaction<'_>) -> T,
    ) -> Result<T, Error> {
        let mut attempts = 1..ATTEMPTS;
        loop {
            let mut client = self.runtime.block_on(self.get())?;
            let error = match self.runtime.block_on(begin(&mut client, purpose)) {
                Ok(transaction) => return Ok(work(transaction)),
                Err(error) => Error::from(error),
            };
            if let Error::Unreachable(_) = error {
                drop(Object::take(client));
                if attempts.next().is_some() {
                    continue;
                }
            }
            return Err(error);
        }
    }
}

/// Makes a pool of connections whose sessions all have these settings.
pub(super) fn pool(address: &Address, settings: &str, most: usize) -> Result<Pool, Error> {
    let config = address.config(settings);
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = match address.tls()? {
        Some(tls) => Manager::from_config(config, tls, recycling),
        None => Manager::from_config(config, NoTls, recycling),
    };
    Pool::builder(manager)
        .max_size(most)
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(3 * WAIT))
        .recycle_timeout(Some(Duration::from_secs(5)))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(Error::backend)
}

/// Returns a connection of a pool.
///
/// # Errors
/// As for [`Connections::get`].
pub(super) async fn get(pool: &Pool, address: &Address) -> Result<Object, Error> {
    pool.get().await.map_err(|error| match error {
        PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => Error::Busy,
        PoolError::Backend(error) => address.explain(error),
        other => Error::Unreachable(Box::new(other)),
    })
}

/// Tells how many connections a pool has, and what they do.
pub(super) fn occupancy(pool: &Pool) -> Occupancy {
    let status = pool.status();
    let idle = status.available.min(status.size);
    Occupancy {
        in_use: status.size - idle,
        idle,
        most: status.max_size,
    }
}

/// Begins a transaction; one that is to write has waited until it is alone.
async fn begin(
    client: &mut Object,
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
