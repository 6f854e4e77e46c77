//! The connections to a database, and the transactions in which units run.

use std::sync::Arc;

use deadpool_postgres::ClientWrapper;
use rollcall_model::OrgId;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_postgres::NoTls;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Address;
use super::convert::uuid;
use super::session::{Open, Session, Sessions, Then};
use super::statistics::Statistics;
use super::unit::Tenant;
use crate::turns::{WAIT, permit};
use crate::{Error, Occupancy};

/// So many units read at the same time; more wait their turn.
pub(super) const READERS: usize = 8;
/// So many of them may belong to one organisation.
pub(super) const READERS_OF_ONE: usize = 3;
/// So many commits are made at the same time, each for an organisation of its own.
pub(super) const WRITERS: usize = 6;
/// What belongs to the installation as a whole, and leases.
const OTHERS: usize = 2;
/// So many connections for units there are at most.
const MOST: usize = READERS + WRITERS + OTHERS;

/// How often something is begun anew when its connection turns out to be gone, before anything was changed.
pub(super) const ATTEMPTS: usize = 3;

/// What holds for every session. Acknowledged means durable, whatever the server's own setting is. Nobody waits for a lock, keeps one
/// while doing nothing, or looks at rows for longer than this.
pub(super) const SETTINGS: &str = "-c synchronous_commit=on -c lock_timeout=10s -c statement_timeout=300s \
    -c idle_in_transaction_session_timeout=60s -c client_min_messages=warning";

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

/// The connections to a database on which units run.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    sessions: Arc<Sessions>,
    /// Who may use one.
    places: Arc<Semaphore>,
    connector: Connector,
    runtime: Handle,
    statistics: Arc<Statistics>,
}

impl Connections {
    pub(super) fn new(connector: Connector) -> Self {
        Self {
            sessions: Arc::default(),
            places: Arc::new(Semaphore::new(MOST)),
            connector,
            runtime: Handle::current(),
            statistics: Arc::default(),
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.connector.address
    }

    /// Tells how many there are, and what they do.
    pub(super) fn occupancy(&self) -> Occupancy {
        Occupancy {
            in_use: MOST - self.places.available_permits(),
            idle: self.sessions.len(),
            most: MOST,
        }
    }

    /// Returns where tasks run.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Returns what was written through them.
    pub(super) fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Runs `work` in a transaction of its own, and keeps what it changed when it succeeds.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        purpose: Purpose,
        work: impl FnOnce(&mut Tenant<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let connections = self.clone();
        tokio::task::spawn_blocking(move || {
            connections.within(purpose, |open| {
                let mut tenant = Tenant::new(open, &connections, purpose, None);
                let result = work(&mut tenant)?;
                tenant.catch_up()?;
                Ok((result, Then::Keep))
            })
        })
        .await
        .map_err(Error::backend)?
    }

    /// Runs `work` in a transaction, on a thread that may wait, and ends the transaction as it says; a failure takes everything back.
    ///
    /// A connection that broke while nobody used it is found out when the transaction begins: nothing ran yet, and another one is taken.
    ///
    /// # Errors
    /// Those of `work`; [`Error::Busy`] when all connections are in use for too long; [`Error::Unreachable`] when none can be made, or when
    /// nobody knows whether what was to be kept was.
    pub(super) fn within<T>(
        &self,
        purpose: Purpose,
        work: impl FnOnce(&Open<'_>) -> Result<(T, Then), Error>,
    ) -> Result<T, Error> {
        let _place = self.runtime.block_on(permit(&self.places))?;
        let mut attempts = 1..ATTEMPTS;
        loop {
            let mut session = match self.sessions.take() {
                Some(session) => session,
                None => Session::new(&self.connector)?,
            };
            let open = match session.begin(purpose) {
                Ok(open) => open,
                Err(Error::Unreachable(_)) if attempts.next().is_some() => continue,
                Err(error) => return Err(error),
            };
            let (outcome, then) = match work(&open) {
                Ok((result, then)) => (Ok(result), then),
                Err(error) => (Err(error), Then::TakeBack),
            };
            let ended = open.end(then);
            if ended.is_ok() {
                self.sessions.put(session);
            }
            return match then {
                Then::Keep => ended.and(outcome),
                // with the session its changes are gone
                Then::TakeBack => outcome,
            };
        }
    }
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    address: Address,
    tls: Option<MakeRustlsConnect>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.address.fmt(f)
    }
}

impl Connector {
    /// Reads the certificates that the address names.
    ///
    /// # Errors
    /// [`Error::Address`] when they cannot be read.
    pub(super) fn new(address: &Address) -> Result<Self, Error> {
        Ok(Self {
            tls: address.tls()?,
            address: address.clone(),
        })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn tls(&self) -> Option<MakeRustlsConnect> {
        self.tls.clone()
    }

    /// Makes a connection whose session has these settings; it is driven by the runtime in which it is made.
    ///
    /// # Errors
    /// [`Error::Unreachable`], with what to do about it.
    pub(super) async fn connect(&self, settings: &str) -> Result<ClientWrapper, Error> {
        // a handshake is large, and few wait for one
        let connected = Box::pin(async {
            match self.tls() {
                Some(tls) => self.connect_by(tls, settings).await,
                None => self.connect_by(NoTls, settings).await,
            }
        });
        let late =
            |_| Error::Unreachable(format!("{} does not answer in time", self.address).into());
        let connected = tokio::time::timeout(3 * WAIT, connected);
        connected.await.map_err(late)?
    }

    async fn connect_by<T>(&self, tls: T, settings: &str) -> Result<ClientWrapper, Error>
    where
        T: MakeTlsConnect<tokio_postgres::Socket, Stream: Send + 'static>,
    {
        let connected = self.address.config(settings).connect(tls).await;
        let (client, connection) = connected.map_err(|error| self.address.explain(error))?;
        let driven = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::info!(%error, "a connection to the database has ended");
            }
        });
        Ok(ClientWrapper::new(client, driven))
    }
}
