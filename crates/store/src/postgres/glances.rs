//! Looks at the installation as a whole: one statement each, on a connection that sees every organisation and can change nothing.
//!
//! Every request begins with one, for a credential has to be known before it is known whose it is. So it costs one way to the database: no
//! transaction is begun and ended around it, and what it may see was said when the connection was made.

use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use tokio_postgres::{NoTls, Row};

use super::connections::{ATTEMPTS, Connector, SETTINGS};
use super::unit::Parameters;
use crate::turns::WAIT;
use crate::{Error, Occupancy};

/// So many are made at the same time.
const GLANCES: usize = 3;

/// What holds for every session beyond what holds for all: whom it sees, that it changes nothing, and how long it looks.
const FENCE: &str =
    "-c rollcall.scope=installation -c default_transaction_read_only=on -c statement_timeout=15s";

/// The connections for looks.
#[derive(Debug)]
pub(super) struct Glances {
    pool: Pool,
    connector: Connector,
}

impl Glances {
    pub(super) fn new(connector: Connector) -> Result<Self, Error> {
        let config = connector.address().config(&format!("{SETTINGS} {FENCE}"));
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = match connector.tls() {
            Some(tls) => Manager::from_config(config, tls, recycling),
            None => Manager::from_config(config, NoTls, recycling),
        };
        let pool = Pool::builder(manager)
            .max_size(GLANCES)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(3 * WAIT))
            .recycle_timeout(Some(Duration::from_secs(5)))
            .runtime(Runtime::Tokio1)
            .build();
        Ok(Self {
            pool: pool.map_err(Error::backend)?,
            connector,
        })
    }

    /// Makes sure that what was said when a connection was made arrived: some poolers keep it to themselves, and then nobody would be found,
    /// and nothing be durable that the server's own settings leave to luck.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when it did not arrive.
    pub(super) async fn check(&self) -> Result<(), Error> {
        let said = "SELECT coalesce(current_setting('rollcall.scope', true), '') = 'installation'
             AND current_setting('default_transaction_read_only') = 'on'";
        let row = self.row(said, &[]).await?.ok_or(Error::Missing)?;
        if row.try_get(0)? {
            return Ok(());
        }
        let trouble = format!(
            "{}: something between here and PostgreSQL keeps the settings of a session to itself (the start-up parameter `options`), as \
             PgBouncer does with `ignore_startup_parameters`: give the address of PostgreSQL itself",
            self.connector.address()
        );
        Err(Error::Unreachable(trouble.into()))
    }

    /// Tells how many there are, and what they do.
    pub(super) fn occupancy(&self) -> Occupancy {
        let status = self.pool.status();
        let idle = status.available.min(status.size);
        Occupancy {
            in_use: status.size - idle,
            idle,
            most: status.max_size,
        }
    }

    /// Returns a connection.
    ///
    /// # Errors
    /// [`Error::Busy`] when all are in use for too long, [`Error::Unreachable`] when none can be made.
    pub(super) async fn client(&self) -> Result<Object, Error> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => Error::Busy,
            PoolError::Backend(error) => self.connector.address().explain(error),
            other => Error::Unreachable(Box::new(other)),
        })
    }

    /// Returns the rows that a statement answers. It only reads: when the connection breaks, it is made again on another one.
    ///
    /// # Errors
    /// As for [`Glances::client`].
    pub(super) async fn rows(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        let mut attempts = 1..ATTEMPTS;
        loop {
            let client = self.client().await?;
            match look(&client, sql, parameters).await {
                Err(Error::Unreachable(_)) if attempts.next().is_some() => {
                    drop(Object::take(client));
                }
                answer => return answer,
            }
        }
    }

    /// Returns the row that a statement answers, if there is one.
    ///
    /// # Errors
    /// As for [`Glances::rows`].
    pub(super) async fn row(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, parameters).await?.into_iter().next())
    }
}

async fn look(client: &Object, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
    let rows = async {
        let statement = client.prepare_cached(sql).await?;
        client.query(&statement, parameters).await
    };
    rows.await.map_err(|error| match Error::from(error) {
        // not too much was asked for: the database is slow
        Error::TooLong => Error::Busy,
        other => other,
    })
}
