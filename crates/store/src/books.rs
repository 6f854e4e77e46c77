//! The books of an organisation while somebody writes to it: the places given in feed and audit log, the head of the log's chain, who came
//! and went. They are kept here and put into the database once, at the end or when somebody asks.
//!
//! PostgreSQL keeps every version of a row that a transaction has changed until its end, and looks through all of them whenever it needs
//! the row. A unit that imports thousands of people would change the organisation's row three times for each.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use rollcall_model::chain::{Erasable, Hash, Kept, Salt, Statement};
use rollcall_model::{Kind, OrgId, Organisation, Origin};

use crate::encoding::{DAY, from_json, instant, json, number};
use crate::{Error, NewAudit, actor_key};

/// What is known of an organisation whose only writer has the books, and what the database does not know yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Books {
    /// The organisation, once it was read.
    pub(crate) organisation: Option<Organisation>,
    /// The last places given, once they are known.
    pub(crate) places: Option<Places>,
    /// What is not in the database yet.
    page: Page,
}

/// What is to be put into the database.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    /// The last places given; absent: none was.
    pub(crate) places: Option<Places>,
    /// People and groups more, or fewer, than before.
    pub(crate) users: i64,
    pub(crate) active_users: i64,
    pub(crate) groups: i64,
    /// How often what was done, by day, action and actor.
    pub(crate) tallies: BTreeMap<(i64, &'static str, String), i64>,
}

/// The last places given in the change feed and the audit log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    pub(crate) change: u64,
    pub(crate) audit: u64,
    /// The hash of the last entry of the audit log.
    pub(crate) head: Hash,
}

/// An entry of the audit log as it is written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) sequence: u64,
    pub(crate) origin: String,
    pub(crate) detail: String,
    pub(crate) actor: String,
    pub(crate) salt: Salt,
    pub(crate) hash: Hash,
}

impl Page {
    fn is_empty(&self) -> bool {
        let counted = (self.users, self.active_users, self.groups);
        self.places.is_none() && counted == (0, 0, 0) && self.tallies.is_empty()
    }
}

impl Books {
    /// Takes what has to be put into the database now; absent: it knows everything.
    pub(crate) fn close(&mut self) -> Option<Page> {
        let page = std::mem::take(&mut self.page);
        (!page.is_empty()).then_some(page)
    }

    /// Gives the next place in the change feed, after `places`.
    pub(crate) fn change(&mut self, mut places: Places) -> u64 {
        places.change += 1;
        self.give(places);
        places.change
    }

    fn give(&mut self, places: Places) {
        self.places = Some(places);
        self.page.places = Some(places);
    }

    /// Gives an entry the next place in the audit log and its hash, after `places`, and counts what was done.
    pub(crate) fn audit(
        &mut self,
        mut places: Places,
        organisation: OrgId,
        (at, entry): (Timestamp, &NewAudit),
    ) -> Result<Written, Error> {
        let (salt, detail) = (salt()?, json(&entry.detail)?);
        let erasable = Erasable::There {
            salt,
            address: entry.origin.address.clone(),
            detail: detail.clone(),
        };
        places.audit += 1;
        let statement = Statement {
            organisation,
            at,
            origin: &entry.origin,
            action: entry.action,
            object: &entry.object,
            digest: erasable.digest().ok_or(Error::Missing)?,
        };
        places.head = statement.hash(places.audit, places.head);
        self.give(places);
        let actor = actor_key(&entry.origin.actor);
        let deed = (instant(at).div_euclid(DAY), entry.action, actor.clone());
        *self.page.tallies.entry(deed).or_default() += 1;
        Ok(Written {
            sequence: places.audit,
            origin: json(&entry.origin)?,
            detail,
            actor,
            salt,
            hash: places.head,
        })
    }

    /// Counts people or groups that came or went.
    pub(crate) fn count(&mut self, kind: Kind, objects: i64, active: i64) {
        match kind {
            Kind::User => {
                self.page.users += objects;
                self.page.active_users += active;
            }
            Kind::Group => self.page.groups += objects,
        }
    }
}

fn salt() -> Result<Salt, Error> {
    let mut salt = Salt::default();
    let filled = SystemRandom::new().fill(&mut salt);
    filled.map_err(|_| Error::backend("the system gives no random numbers"))?;
    Ok(salt)
}

/// A row of the audit log as it lies in storage.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) sequence: i64,
    pub(crate) at: Timestamp,
    pub(crate) origin: String,
    pub(crate) action: String,
    pub(crate) object: String,
    pub(crate) detail: String,
    pub(crate) actor: String,
    pub(crate) salt: Option<Vec<u8>>,
    pub(crate) digest: Option<Vec<u8>>,
    pub(crate) hash: Vec<u8>,
}

/// What stands where a detail was erased.
pub(crate) const ERASED: &str = "null";

impl Found {
    /// Returns its origin without the address, and the digest of what is erased; absent: somebody has damaged it.
    pub(crate) fn without_erasable(&self) -> (String, Option<Hash>) {
        let digest = self.clone().kept().erasable.digest();
        let origin = from_json::<Origin>(&self.origin).map(|origin| Origin {
            address: None,
            ..origin
        });
        let origin = origin.and_then(|origin| json(&origin));
        (origin.unwrap_or_else(|_| self.origin.clone()), digest)
    }

    /// Reads it for whoever verifies the chain: what is not written as [`Books::audit`] and an erasure write it cannot be read.
    pub(crate) fn kept(self) -> Kept {
        let origin = from_json::<Origin>(&self.origin).ok().filter(|origin| {
            json(origin).is_ok_and(|text| text == self.origin)
                && actor_key(&origin.actor) == self.actor
        });
        let address = origin.as_ref().and_then(|origin| origin.address.clone());
        let erasable = match (self.salt.map(TryInto::try_into), self.digest) {
            (Some(Ok(salt)), None) => Erasable::There {
                salt,
                address,
                detail: self.detail,
            },
            (None, Some(digest)) if self.detail == ERASED && address.is_none() => {
                hash(&digest).map_or(Erasable::Unreadable, Erasable::Gone)
            }
            _ => Erasable::Unreadable,
        };
        Kept {
            sequence: u64::try_from(self.sequence).unwrap_or_default(),
            at: self.at,
            origin,
            action: self.action,
            object: self.object,
            erasable,
            hash: hash(&self.hash),
        }
    }
}

/// Reads a hash.
pub(crate) fn hash(bytes: &[u8]) -> Option<Hash> {
    Some(Hash::from_bytes(bytes.try_into().ok()?))
}

/// The place behind which reading a log begins: before any, also one that there cannot be.
pub(crate) fn behind(after: Option<u64>) -> i64 {
    after.map_or(i64::MIN, number)
}
