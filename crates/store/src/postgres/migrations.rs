//! Brings a store to the schema of this version: numbered steps, each in a transaction of its own, never edited once released.

use std::cmp::Ordering;

use tokio_postgres::{Client, GenericClient, IsolationLevel};

use crate::Error;

const STEPS: &[&str] = &[include_str!("migrations/0001-beginning.sql")];

pub(crate) fn known() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// Tells whether there is a schema of ours, of whichever version.
pub(super) async fn is_there(client: &impl GenericClient) -> Result<bool, tokio_postgres::Error> {
    let sql = "SELECT to_regclass('rollcall_schema') IS NOT NULL";
    client.query_one(sql, &[]).await?.try_get(0)
}

/// Reads the version of the schema; 0: there is none.
pub(super) async fn version(client: &impl GenericClient) -> Result<u32, tokio_postgres::Error> {
    if !is_there(client).await? {
        return Ok(0);
    }
    let row = client
        .query_one("SELECT coalesce(max(version), 0) FROM rollcall_schema", &[])
        .await?;
    Ok(row.try_get::<_, i32>(0)?.unsigned_abs())
}

/// Makes sure that the store still has the schema of this version.
pub(super) async fn check(client: &Client) -> Result<(), Error> {
    let (found, known) = (version(client).await?, known());
    match found.cmp(&known) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(Error::Newer { found, known }),
        Ordering::Less => Err(Error::backend(format!(
            "the store has schema version {found} where {known} was left"
        ))),
    }
}

/// Applies the steps that are missing. Several processes may do so at once: the second one waits and then finds nothing to do.
pub(super) async fn apply(client: &mut Client) -> Result<(), Applying> {
    let known = known();
    loop {
        let found = version(client).await?;
        match found.cmp(&known) {
            Ordering::Equal => return Ok(()),
            Ordering::Greater => return Err(Applying::Newer { found, known }),
            Ordering::Less => {}
        }
        // the lock comes before the first look: each statement sees what whoever had it before has left
        let step = client
            .build_transaction()
            .isolation_level(IsolationLevel::ReadCommitted)
            .start()
            .await?;
        step.batch_execute(
            "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; SET LOCAL rollcall.scope = 'installation';
             SELECT pg_advisory_xact_lock(hashtext('rollcall migrations'))",
        )
        .await?;
        let now = version(&step).await?;
        // somebody else has gone on: what there is to do is seen in the next round
        let Some(sql) = STEPS.get(now as usize).filter(|_| now == found) else {
            step.rollback().await?;
            continue;
        };
        if now == 0 {
            step.batch_execute("CREATE TABLE rollcall_schema (version integer PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())")
                .await?;
        }
        step.batch_execute(sql).await?;
        let next = i32::try_from(now + 1).unwrap_or(i32::MAX);
        step.execute(
            "INSERT INTO rollcall_schema (version) VALUES ($1)",
            &[&next],
        )
        .await?;
        step.commit().await?;
    }
}

/// Why a store could not be brought to the schema of this version.
#[derive(Debug)]
pub(super) enum Applying {
    /// A later version has written it.
    Newer { found: u32, known: u32 },
    /// The database refused.
    Refused(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Applying {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Refused(error)
    }
}
