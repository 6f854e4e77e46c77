//! The chain of an audit log: the hash of each entry holds that of the entry before, so that whoever changes, removes, inserts or moves
//! an entry breaks it.
//!
//! **Is:** what is hashed, and how ([`Statement::hash`]); and what a log that is read again says about itself ([`Verification`]).
//! **Is not:** a proof against somebody who can write the whole log anew, with all hashes. Against them helps a [`Head`] that is kept
//! elsewhere.
//! **Start at** [`Statement`].

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Actor, OrgId, Origin};

mod damage;
mod verification;

pub use damage::Damage;
pub use verification::{Outcome, Verification};

/// The version of the encoding. A log may go on in a later one.
const VERSION: u8 = 1;

/// A SHA-256, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What stands before the first entry.
    pub const NONE: Self = Self([0; 32]);

    /// Reads a hash as it is stored.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns it as it is stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is not a hash, or not the head of a log.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not the head of a log: it is written HASH@SEQUENCE, with 64 hexadecimal digits, as `rollcall audit head` prints it"
)]
pub struct NotAHead(String);

impl FromStr for Hash {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let wrong = || NotAHead(text.chars().take(100).collect());
        let mut hash = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self(hash))
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The last entry of a log: whoever keeps it elsewhere can tell later that nothing before it was changed or cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The entry's place; 0: there is none yet.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Head {
    /// The head of a log without entries.
    pub const NONE: Self = Self {
        sequence: 0,
        hash: Hash::NONE,
    };
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.hash, self.sequence)
    }
}

impl FromStr for Head {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let wrong = || NotAHead(text.chars().take(100).collect());
        let (hash, sequence) = text.split_once('@').ok_or_else(wrong)?;
        Ok(Self {
            hash: hash.parse().map_err(|_| wrong())?,
            sequence: sequence.parse().map_err(|_| wrong())?,
        })
    }
}

/// What makes the digest of something that is erased a number without meaning: nobody can try out what it may have been.
pub type Salt = [u8; 16];

/// What an entry says that may be personal. It is in the chain by its digest only, so that it can be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erasable {
    /// It is there.
    There {
        /// Goes when the rest goes.
        salt: Salt,
        /// From which address the request came.
        address: Option<String>,
        /// The detail as it is stored: JSON.
        detail: String,
    },
    /// It was erased; this was its digest.
    Gone(Hash),
    /// It cannot be read: somebody has damaged it.
    Unreadable,
}

impl Erasable {
    /// Returns its digest; absent: it cannot be read.
    pub fn digest(&self) -> Option<Hash> {
        match self {
            Self::There {
                salt,
                address,
                detail,
            } => {
                let mut digest = Sha256::new();
                digest.update(salt);
                optional(&mut digest, address.as_deref());
                text(&mut digest, detail);
                Some(Hash(digest.finalize().into()))
            }
            Self::Gone(digest) => Some(*digest),
            Self::Unreadable => None,
        }
    }
}

/// What an entry states, without its place in the chain.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    /// The organisation whose log it is.
    pub organisation: OrgId,
    /// When it happened; to the microsecond.
    pub at: Timestamp,
    /// Who did it; the address is in the digest.
    pub origin: &'a Origin,
    /// What was done.
    pub action: &'a str,
    /// What it was done to.
    pub object: &'a str,
    /// The digest of what can be erased.
    pub digest: Hash,
}

impl Statement<'_> {
    /// Returns the hash of the entry at this place, after the entry with the hash `previous`.
    ///
    /// It is the SHA-256 of: the version (1 byte, 1), the organisation (16), the microseconds since 1970 (8), who acted (1, and its ids of
    /// 16), the request (16), action and object (each its length in bytes, 8, and UTF-8), the digest of detail and address (32), the
    /// place (8), the hash before (32). Numbers are big-endian.
    pub fn hash(&self, sequence: u64, previous: Hash) -> Hash {
        placed(&self.begun(), sequence, previous)
    }

    /// Takes in everything but the place.
    fn begun(&self) -> Sha256 {
        let mut digest = Sha256::new();
        digest.update([VERSION]);
        digest.update(self.organisation.as_bytes());
        digest.update(self.at.as_microsecond().to_be_bytes());
        match &self.origin.actor {
            Actor::Integration { id, token } => {
                digest.update([0]);
                digest.update(id.as_bytes());
                digest.update(token.as_bytes());
            }
            Actor::Administrator { id } => {
                digest.update([1]);
                digest.update(id.as_bytes());
            }
            Actor::Command => digest.update([2]),
            Actor::System => digest.update([3]),
            Actor::Key { id } => {
                digest.update([4]);
                digest.update(id.as_bytes());
            }
        }
        digest.update(self.origin.request.as_bytes());
        text(&mut digest, self.action);
        text(&mut digest, self.object);
        digest.update(self.digest.0);
        digest
    }
}

fn placed(begun: &Sha256, sequence: u64, previous: Hash) -> Hash {
    let mut digest = begun.clone();
    digest.update(sequence.to_be_bytes());
    digest.update(previous.0);
    Hash(digest.finalize().into())
}

fn text(digest: &mut Sha256, text: &str) {
    digest.update((text.len() as u64).to_be_bytes());
    digest.update(text.as_bytes());
}

fn optional(digest: &mut Sha256, value: Option<&str>) {
    digest.update([u8::from(value.is_some())]);
    if let Some(value) = value {
        text(digest, value);
    }
}

/// An entry of a log as it was read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its place.
    pub sequence: u64,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it; absent: it cannot be read, or is not written as Rollcall writes it.
    pub origin: Option<Origin>,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub object: String,
    /// What can be erased.
    pub erasable: Erasable,
    /// Its hash; absent: it is none.
    pub hash: Option<Hash>,
}

impl Kept {
    /// Takes in everything but the place; absent: it cannot be read.
    fn begun(&self, organisation: OrgId) -> Option<Sha256> {
        let statement = Statement {
            organisation,
            at: self.at,
            origin: self.origin.as_ref()?,
            action: &self.action,
            object: &self.object,
            digest: self.erasable.digest()?,
        };
        Some(statement.begun())
    }
}

#[cfg(test)]
mod tests;
