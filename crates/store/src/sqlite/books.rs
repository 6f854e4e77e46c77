//! How the books come from the file and into it. See [`crate::books`].

use jiff::Timestamp;
use rollcall_model::Kind;
use rusqlite::{OptionalExtension, params};

use super::convert::{existing, from_number, number};
use super::unit::Tenant;
use crate::books::{Places, Written, hash};
use crate::{Error, NewAudit};

impl Tenant<'_> {
    /// Gives the next place in the change feed. Nobody else does: the writer is alone.
    pub(super) fn next_change(&self) -> Result<u64, Error> {
        let places = self.places()?;
        Ok(self.books.borrow_mut().change(places))
    }

    /// Gives an entry the next place in the audit log, and counts what was done.
    pub(super) fn next_audit(&self, at: Timestamp, entry: &NewAudit) -> Result<Written, Error> {
        let places = self.places()?;
        let mut books = self.books.borrow_mut();
        books.audit(places, self.organisation, (at, entry))
    }

    /// Keeps the counts that seats and totals are read from.
    pub(super) fn count(&self, kind: Kind, objects: i64, active: i64) {
        self.books.borrow_mut().count(kind, objects, active);
    }

    /// Returns the last places given.
    pub(super) fn places(&self) -> Result<Places, Error> {
        let known = self.books.borrow().places;
        if let Some(places) = known {
            return Ok(places);
        }
        let (change, audit, head): (i64, i64, Vec<u8>) = self
            .connection
            .prepare_cached(
                "SELECT last_change, last_audit, audit_head FROM organisations WHERE id = ?1",
            )?
            .query_row([self.org()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?
            .ok_or(Error::Missing)?;
        Ok(Places {
            change: from_number(change),
            audit: from_number(audit),
            head: hash(&head).ok_or_else(|| Error::backend("the head is no hash"))?,
        })
    }

    /// Puts the books into the file.
    pub(super) fn close_books(&self) -> Result<(), Error> {
        let Some(page) = self.books.borrow_mut().close() else {
            return Ok(());
        };
        let places = page.places;
        let changed = self
            .connection
            .prepare_cached(
                "UPDATE organisations SET last_change = coalesce(?2, last_change), last_audit = coalesce(?3, last_audit),
                     audit_head = coalesce(?4, audit_head),
                     users = users + ?5, active_users = active_users + ?6, groups = groups + ?7 WHERE id = ?1",
            )?
            .execute(params![
                self.org(),
                places.map(|places| number(places.change)),
                places.map(|places| number(places.audit)),
                places.map(|places| *places.head.as_bytes()),
                page.users,
                page.active_users,
                page.groups,
            ])?;
        existing(changed)?;
        for ((day, action, actor), count) in page.tallies {
            self.connection
                .prepare_cached(
                    "INSERT INTO tallies (org, day, action, actor, count) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO UPDATE SET count = count + excluded.count",
                )?
                .execute(params![self.org(), day, action, actor, count])?;
        }
        Ok(())
    }
}
