//! How the books come from the database and into it. See [`crate::books`].

use jiff::Timestamp;
use rollcall_model::Kind;

use super::convert::{from_number, number};
use super::unit::{Tenant, owned};
use crate::books::{Places, Written, hash};
use crate::{Error, NewAudit};

impl Tenant<'_> {
    /// Gives the next place in the change feed. Nobody else does: the organisation's row is locked.
    pub(super) fn next_change(&self) -> Result<i64, Error> {
        let places = self.places()?;
        Ok(number(self.books.borrow_mut().change(places)))
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

    /// Returns the last places given, without those that others give meanwhile: in a unit that writes there are none.
    pub(super) fn places(&self) -> Result<Places, Error> {
        let known = self.books.borrow().places;
        if let Some(places) = known {
            return Ok(places);
        }
        let found = self.row(
            "SELECT last_change, last_audit, audit_head FROM organisations WHERE id = $1",
            &[&self.org()],
        )?;
        let row = found.ok_or(Error::Missing)?;
        Ok(Places {
            change: from_number(row.try_get(0)?),
            audit: from_number(row.try_get(1)?),
            head: hash(row.try_get(2)?).ok_or_else(|| Error::backend("the head is no hash"))?,
        })
    }

    /// Puts the books into the database, with the next statement that is waited for.
    pub(super) fn close_books(&self) -> Result<(), Error> {
        let Some(page) = self.books.borrow_mut().close() else {
            return Ok(());
        };
        self.change_later(
            "UPDATE organisations SET last_change = coalesce($2, last_change), last_audit = coalesce($3, last_audit),
                 audit_head = coalesce($4, audit_head),
                 users = users + $5, active_users = active_users + $6, groups = groups + $7 WHERE id = $1",
            vec![
                owned(self.org()),
                owned(page.places.map(|places| number(places.change))),
                owned(page.places.map(|places| number(places.audit))),
                owned(page.places.map(|places| places.head.as_bytes().to_vec())),
                owned(page.users),
                owned(page.active_users),
                owned(page.groups),
            ],
        )?;
        if page.tallies.is_empty() {
            return Ok(());
        }
        let (mut days, mut actions) = (Vec::new(), Vec::new());
        let (mut actors, mut counts) = (Vec::new(), Vec::new());
        for ((day, action, actor), count) in page.tallies {
            days.push(day);
            actions.push(action);
            actors.push(actor);
            counts.push(count);
        }
        self.execute_later(
            "INSERT INTO tallies (org, day, action, actor, count)
             SELECT $1, new.* FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[]) AS new
             ON CONFLICT (org, day, action, actor) DO UPDATE SET count = tallies.count + excluded.count",
            vec![
                owned(self.org()),
                owned(days),
                owned(actions),
                owned(actors),
                owned(counts),
            ],
        )
    }
}
