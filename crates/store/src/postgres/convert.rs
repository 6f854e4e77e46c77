//! Between our values and PostgreSQL's.

use std::error::Error as _;

use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

pub(super) use crate::encoding::{
    DAY, HOUR, Id, existing, from_instant, from_json, from_kind_code, from_number, instant, json,
    kind_code, number,
};

use crate::Error;

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            None if error.is_closed() || is_about_input_and_output(&error) => {
                Self::Unreachable(Box::new(error))
            }
            // a lock was not to be had in time. Deadlocks do not happen among units, which begin with the same lock, but an operator's
            // statement may come in between
            Some(
                &SqlState::LOCK_NOT_AVAILABLE
                | &SqlState::T_R_DEADLOCK_DETECTED
                | &SqlState::T_R_SERIALIZATION_FAILURE,
            ) => Self::Busy,
            Some(&SqlState::QUERY_CANCELED) => Self::TooLong,
            Some(code) if out_of_reach(code.code()) => Self::Unreachable(Box::new(error)),
            _ => Self::Backend(Box::new(error)),
        }
    }
}

fn is_about_input_and_output(error: &tokio_postgres::Error) -> bool {
    error
        .source()
        .is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// Tells whether a code of PostgreSQL (appendix A of its manual) says that it cannot work now: the connection is gone, resources
/// or the disk are at their end, it shuts down or starts up, it is a standby, or it ended a transaction that stood still.
fn out_of_reach(code: &str) -> bool {
    ["08", "53", "57P", "58"]
        .iter()
        .any(|class| code.starts_with(class))
        || matches!(code, "25006" | "25P03")
}

/// Tells whether a unique index other than the primary key refused a value.
pub(super) fn is_taken(error: &tokio_postgres::Error) -> bool {
    let Some(refusal) = error.as_db_error() else {
        return false;
    };
    *refusal.code() == SqlState::UNIQUE_VIOLATION
        && refusal
            .constraint()
            .is_some_and(|name| !name.ends_with("_pkey"))
}

pub(super) fn uuid(id: impl Id) -> Uuid {
    Uuid::from_bytes(id.bytes())
}

/// The id before the first one in a listing: the given one, or what stands before all.
pub(super) fn behind(id: Option<impl Id>) -> Uuid {
    id.map_or(Uuid::nil(), uuid)
}

pub(super) fn id<T: Id>(row: &Row, column: usize) -> Result<T, Error> {
    Ok(T::of(row.try_get::<_, Uuid>(column)?.into_bytes()))
}

pub(super) fn optional_id<T: Id>(row: &Row, column: usize) -> Result<Option<T>, Error> {
    let found: Option<Uuid> = row.try_get(column)?;
    Ok(found.map(|id| T::of(id.into_bytes())))
}

/// Reads the document of a row that is nothing but a document.
pub(super) fn document<T: serde::de::DeserializeOwned>(row: &Row) -> Result<T, Error> {
    from_json(row.try_get(0)?)
}

/// Reads a SHA-256.
pub(super) fn digest(row: &Row, column: usize) -> Result<[u8; 32], Error> {
    row.try_get::<_, &[u8]>(column)?
        .try_into()
        .map_err(Error::backend)
}

/// PostgreSQL keeps no NUL in its texts: what has one is not there.
pub(super) fn may_be_there(text: &str) -> bool {
    !text.contains('\0')
}
