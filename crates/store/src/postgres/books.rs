//! The books of a unit that writes: the places it gave in feed and audit log, whom it counted. They are kept here and put into the database
//! once, at the unit's end or when somebody asks.
//!
//! PostgreSQL keeps every version of a row that a transaction has changed until its end, and looks through all of them whenever it needs
//! the row. A unit that imports thousands of people would change the organisation's row three times for each.

use std::collections::BTreeMap;

use super::unit::{Tenant, owned};
use crate::Error;

/// What is not in the database yet.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// The last places given, once they are known.
    places: Option<Places>,
    /// People and groups more, or fewer, than before.
    users: i64,
    active_users: i64,
    groups: i64,
    /// How often what was done, by day, action and actor.
    tallies: BTreeMap<(i64, &'static str, String), i64>,
}

/// The last places given in the change feed and the audit log.
#[derive(Debug, Clone, Copy)]
struct Places {
    change: i64,
    audit: i64,
}

impl Books {
    fn are_closed(&self) -> bool {
        let counted = (self.users, self.active_users, self.groups);
        self.places.is_none() && counted == (0, 0, 0) && self.tallies.is_empty()
    }
}

impl Tenant<'_> {
    /// Gives the next place in the change feed. Nobody else does: the organisation's row is locked.
    pub(super) fn next_change(&self) -> Result<i64, Error> {
        let mut places = self.places()?;
        places.change += 1;
        self.books.borrow_mut().places = Some(places);
        Ok(places.change)
    }

    /// Gives the next place in the audit log, and counts what was done.
    pub(super) fn next_audit(
        &self,
        day: i64,
        action: &'static str,
        actor: &str,
    ) -> Result<i64, Error> {
        let mut places = self.places()?;
        places.audit += 1;
        let mut books = self.books.borrow_mut();
        books.places = Some(places);
        *books
            .tallies
            .entry((day, action, actor.to_owned()))
            .or_default() += 1;
        Ok(places.audit)
    }

    /// Counts people and groups that came or went.
    pub(super) fn count_in_books(&self, users: i64, active_users: i64, groups: i64) {
        let mut books = self.books.borrow_mut();
        books.users += users;
        books.active_users += active_users;
        books.groups += groups;
    }

    fn places(&self) -> Result<Places, Error> {
        let known = self.books.borrow().places;
        if let Some(places) = known {
            return Ok(places);
        }
        let found = self.row(
            "SELECT last_change, last_audit FROM organisations WHERE id = $1",
            &[&self.org()],
        )?;
        let row = found.ok_or(Error::Missing)?;
        Ok(Places {
            change: row.try_get(0)?,
            audit: row.try_get(1)?,
        })
    }

    /// Puts the books into the database, with the next statement that is waited for.
    pub(super) fn close_books(&self) -> Result<(), Error> {
        let books = self.books.take();
        if books.are_closed() {
            return Ok(());
        }
        self.change_later(
            "UPDATE organisations SET last_change = coalesce($2, last_change), last_audit = coalesce($3, last_audit),
                 users = users + $4, active_users = active_users + $5, groups = groups + $6 WHERE id = $1",
            vec![
                owned(self.org()),
                owned(books.places.map(|places| places.change)),
                owned(books.places.map(|places| places.audit)),
                owned(books.users),
                owned(books.active_users),
                owned(books.groups),
            ],
        )?;
        if books.tallies.is_empty() {
            return Ok(());
        }
        let (mut days, mut actions) = (Vec::new(), Vec::new());
        let (mut actors, mut counts) = (Vec::new(), Vec::new());
        for ((day, action, actor), count) in books.tallies {
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
