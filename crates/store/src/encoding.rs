//! How values lie in storage, whichever database it is: ids as 16 bytes, instants as microseconds, documents as JSON.

use jiff::Timestamp;
use rollcall_model::{
    AdminId, ApplicationId, IntegrationId, KeyId, Kind, OrgId, RequestId, ResourceId, SessionId,
    TokenId, WebhookId,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// An hour, in microseconds.
pub(crate) const HOUR: i64 = 3_600_000_000;
/// A day, in microseconds.
pub(crate) const DAY: i64 = 24 * HOUR;

/// An id of any noun, as 16 bytes.
pub(crate) trait Id: Sized {
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
    KeyId,
    AdminId,
    ApplicationId,
    RequestId,
    SessionId,
    WebhookId
);

pub(crate) fn instant(at: Timestamp) -> i64 {
    at.as_microsecond()
}

pub(crate) fn from_instant(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(if microseconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

pub(crate) fn kind_code(kind: Kind) -> i16 {
    match kind {
        Kind::User => 0,
        Kind::Group => 1,
    }
}

pub(crate) fn from_kind_code(code: i16) -> Kind {
    if code == 0 { Kind::User } else { Kind::Group }
}

/// Databases count with `i64`; what is counted here never gets near its end.
pub(crate) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn from_number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

pub(crate) fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(Error::backend)
}

pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(Error::backend)
}

/// Makes a change that met no row a failure.
pub(crate) fn existing<N: Default + PartialEq>(rows: N) -> Result<(), Error> {
    if rows == N::default() {
        Err(Error::Missing)
    } else {
        Ok(())
    }
}
