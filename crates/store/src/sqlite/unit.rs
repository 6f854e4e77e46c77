//! A unit of work: a connection, bound to one organisation.

use std::cell::RefCell;
use std::time::Instant;

use rollcall_model::{IntegrationId, Kind, OrgId, Organisation};
use rusqlite::{Connection, OptionalExtension, params};

use super::convert::{blob, existing, from_json, from_kind_code, from_number, json};
use crate::books::Books;
use crate::{Counts, Error, Reader, Writer};

/// One organisation's rows, as one transaction sees them. The storage traits are implemented for it by subject, each in a file
/// of its own.
pub(super) struct Tenant<'c> {
    pub(super) connection: &'c Connection,
    pub(super) organisation: OrgId,
    /// When a unit that looks through many objects has to give up; absent: never, as for units that write.
    deadline: Option<Instant>,
    /// What it has given places to and counted.
    pub(super) books: RefCell<Books>,
}

impl<'c> Tenant<'c> {
    pub(super) fn new(
        connection: &'c Connection,
        organisation: OrgId,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            connection,
            organisation,
            deadline,
            books: RefCell::default(),
        }
    }

    /// The first parameter of every statement.
    pub(super) fn org(&self) -> [u8; 16] {
        blob(self.organisation)
    }

    /// Makes sure that there is time left to look at one more object.
    pub(super) fn in_time(&self) -> Result<(), Error> {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Error::TooLong),
            _ => Ok(()),
        }
    }

    /// Counts one of the organisation's counters up and returns its new value.
    pub(super) fn next(&self, counter: Counter) -> Result<u64, Error> {
        let sql = match counter {
            Counter::Exchange => {
                "UPDATE organisations SET last_exchange = last_exchange + 1 WHERE id = ?1 RETURNING last_exchange"
            }
            Counter::Mail => {
                "UPDATE organisations SET last_mail = last_mail + 1 WHERE id = ?1 RETURNING last_mail"
            }
        };
        self.connection
            .prepare_cached(sql)?
            .query_row([self.org()], |row| row.get(0))
            .optional()?
            .map(from_number)
            .ok_or(Error::Missing)
    }
}

/// The counters that give entries their places and are counted apart from the books.
pub(super) enum Counter {
    /// Of what directories asked.
    Exchange,
    /// Of the mail that waits.
    Mail,
}

impl Reader for Tenant<'_> {
    fn organisation(&self) -> Result<Organisation, Error> {
        let document: String = self
            .connection
            .prepare_cached("SELECT document FROM organisations WHERE id = ?1")?
            .query_row([self.org()], |row| row.get(0))
            .optional()?
            .ok_or(Error::Missing)?;
        from_json(&document)
    }

    fn counts(&self) -> Result<Counts, Error> {
        self.close_books()?;
        self.connection
            .prepare_cached("SELECT users, active_users, groups FROM organisations WHERE id = ?1")?
            .query_row([self.org()], |row| {
                Ok(Counts {
                    users: from_number(row.get(0)?),
                    active_users: from_number(row.get(1)?),
                    groups: from_number(row.get(2)?),
                })
            })
            .optional()?
            .ok_or(Error::Missing)
    }

    fn managed(&self, integration: Option<IntegrationId>) -> Result<Counts, Error> {
        let mut statement = self.connection.prepare_cached(
            // in the order of the index: nothing has to be sorted
            "SELECT kind, count(*), sum(active) FROM resources WHERE org = ?1 AND managed_by IS ?2 GROUP BY kind",
        )?;
        let mut rows = statement.query(params![self.org(), integration.map(blob)])?;
        let mut counts = Counts::default();
        while let Some(row) = rows.next()? {
            let count = from_number(row.get(1)?);
            match from_kind_code(row.get(0)?) {
                Kind::Group => counts.groups = count,
                Kind::User => {
                    counts.users = count;
                    counts.active_users = from_number(row.get(2)?);
                }
            }
        }
        Ok(counts)
    }
}

impl Writer for Tenant<'_> {
    fn save_organisation(&mut self, organisation: &Organisation) -> Result<(), Error> {
        let changed = self
            .connection
            .execute(
                "UPDATE organisations SET slug = ?2, document = ?3 WHERE id = ?1",
                params![self.org(), organisation.slug.as_str(), json(organisation)?],
            )
            .map_err(|error| super::convert::taken(error, "slug"))?;
        existing(changed)
    }
}
