//! Between our values and SQLite's.

use rusqlite::ErrorCode;

pub(super) use crate::encoding::{
    DAY, HOUR, Id, existing, from_instant, from_json, from_kind_code, from_number, instant, json,
    kind_code, number,
};

use crate::Error;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(
                ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ReadOnly,
            ) => Self::Unreachable(Box::new(error)),
            _ => Self::Backend(Box::new(error)),
        }
    }
}

/// Reads the refusal of a unique index as [`Error::Taken`].
pub(super) fn taken(error: rusqlite::Error, attribute: &'static str) -> Error {
    if error
        .sqlite_error()
        .is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE)
    {
        Error::Taken { attribute }
    } else {
        error.into()
    }
}

pub(super) fn blob(id: impl Id) -> [u8; 16] {
    id.bytes()
}

pub(super) fn id<T: Id>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<T> {
    Ok(T::of(row.get(column)?))
}

pub(super) fn optional_id<T: Id>(
    row: &rusqlite::Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(T::of))
}
