//! Brings a store to the schema of this version: numbered steps, each in a transaction of its own, never edited once released.

use std::cmp::Ordering;

use rusqlite::{Connection, TransactionBehavior};

use super::out_of_reach;
use crate::Error;

const STEPS: &[&str] = &[
    include_str!("migrations/0001-beginning.sql"),
    include_str!("migrations/0002-console.sql"),
];

/// Makes sure that the store still has the schema of this version.
pub(super) fn check(connection: &Connection) -> Result<(), Error> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = known();
    match found.cmp(&known) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(Error::Newer { found, known }),
        Ordering::Less => Err(Error::backend(format!(
            "the store has schema version {found} where {known} was left"
        ))),
    }
}

pub(crate) fn known() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// Applies the steps that are missing. Several processes may do so at once: the second one waits and then finds nothing to do.
pub(super) fn apply(connection: &mut Connection) -> Result<(), Error> {
    let known = known();
    loop {
        let step = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(out_of_reach)?;
        let found: u32 = step
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(out_of_reach)?;
        if found > known {
            return Err(Error::Newer { found, known });
        }
        let Some(sql) = STEPS.get(found as usize) else {
            return Ok(());
        };
        step.execute_batch(sql)?;
        step.pragma_update(None, "user_version", found + 1)?;
        step.commit().map_err(out_of_reach)?;
    }
}
