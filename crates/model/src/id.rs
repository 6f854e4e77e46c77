//! Identifiers: one type per noun, all UUIDs of version 7.
//!
//! **Is:** newtypes that cannot be mixed up. Version 7 keeps index pages in order of creation and still holds 74 random
//! bits, so an id cannot be guessed.
//! **Is not:** a generator: randomness and time are arguments.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A source of random bytes; the system's in production, a seeded one in tests.
pub trait Randomness: Send + Sync {
    /// Fills `bytes` with random bytes fit for secrets.
    fn fill(&self, bytes: &mut [u8]);
}

/// A text that is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {noun} id (a UUID such as 0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77)")]
pub struct NotAnId {
    noun: &'static str,
    text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $noun:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new id for something that begins to exist at `now`.
            pub fn new(now: Timestamp, randomness: &dyn Randomness) -> Self {
                Self(version_7(now, randomness))
            }

            /// Returns the 16 bytes by which storage keeps the id; they sort like the id itself.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// Reads back what [`Self::as_bytes`] gave.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            /// Accepts the hyphenated form only, so that one object has one spelling.
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let refused = || NotAnId { noun: $noun, text: text.chars().take(64).collect() };
                if text.len() != 36 {
                    return Err(refused());
                }
                Uuid::try_parse(text).map(Self).map_err(|_| refused())
            }
        }
    };
}

id!(
    /// An organisation: the border that nothing crosses.
    OrgId, "organisation"
);
id!(
    /// A person or a group in an organisation's directory; the SCIM `id`.
    ResourceId, "resource"
);
id!(
    /// A directory integration of an organisation.
    IntegrationId, "integration"
);
id!(
    /// A provisioning token (not its secret).
    TokenId, "token"
);
id!(
    /// An API key (not its secret).
    KeyId, "API key"
);
id!(
    /// An enterprise application that an organisation provisions into.
    ApplicationId, "application"
);
id!(
    /// An administrator of an organisation.
    AdminId, "administrator"
);
id!(
    /// A session of an administrator in the console (not its secret).
    SessionId, "session"
);
id!(
    /// An endpoint of another system that is told what happens (not its secret).
    WebhookId, "webhook"
);
id!(
    /// One run over an application: the entries of its log share it.
    CycleId, "cycle"
);
id!(
    /// One request or command; written to every log line, audit entry and error that it causes.
    RequestId, "request"
);

fn version_7(now: Timestamp, randomness: &dyn Randomness) -> Uuid {
    let mut bytes = [0; 10];
    randomness.fill(&mut bytes);
    let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;
    impl Randomness for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (place, byte) in bytes.iter_mut().enumerate() {
                *byte = u8::try_from(place).unwrap();
            }
        }
    }

    #[test]
    fn ids_sort_by_the_time_of_their_making() {
        let early = ResourceId::new(Timestamp::from_second(1_000).unwrap(), &Counting);
        let late = ResourceId::new(Timestamp::from_second(2_000).unwrap(), &Counting);

        assert!(early < late);
        assert!(early.to_string() < late.to_string());
    }

    #[test]
    fn an_id_reads_back_from_its_text_and_only_from_that_spelling() {
        let id = OrgId::new(Timestamp::from_second(1_000).unwrap(), &Counting);

        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().replace('-', "").parse::<OrgId>().is_err());
        assert!("../etc/passwd".parse::<OrgId>().is_err());
    }
}
