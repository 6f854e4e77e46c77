//! Between our values and SQLite's.

use jiff::Timestamp;
use rollcall_model::{
    AdminId, ApplicationId, IntegrationId, Kind, OrgId, RequestId, ResourceId, SessionId, TokenId,
};
use rusqlite::ErrorCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

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

/// An id of any noun, as 16 bytes.
pub(super) trait Id: Sized {
    fn bytes(&self) -> [u8; 16];
    fn of(bytes: [u8; 16]) -> Self;
}

macro_rules! ids {
    ($($name:ty),*) => {$(
        impl Id for $name {
            fn bytes(&self) -> [u8; 16] {
                *self.as_bytes()
            }
            fn of(bytes: [u8; 16]) -> Self {
                Self::from_bytes(bytes)
            }
        }
    )*};
}
ids!(
    OrgId,
    ResourceId,
    IntegrationId,
    TokenId,
    AdminId,
    ApplicationId,
    RequestId,
    SessionId
);

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

pub(super) fn instant(at: Timestamp) -> i64 {
    at.as_microsecond()
}

pub(super) fn from_instant(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(if microseconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

pub(super) fn kind_code(kind: Kind) -> i64 {
    match kind {
        Kind::User => 0,
        Kind::Group => 1,
    }
}

pub(super) fn from_kind_code(code: i64) -> Kind {
    if code == 0 { Kind::User } else { Kind::Group }
}

/// SQLite counts with `i64`; what is counted here never gets near its end.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn from_number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

pub(super) fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(Error::backend)
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(Error::backend)
}
