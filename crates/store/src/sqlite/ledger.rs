//! The change feed and the audit log in SQLite.
//!
//! The organisation's row holds the last place given (see [`super::books`]), and the writer is alone: places have no gaps, and an entry is never
//! committed after a later one.

use std::cmp::Reverse;

use jiff::Timestamp;
use rollcall_model::chain::{Head, Kept};
use rollcall_model::{AuditEntry, Change, Kind, ResourceId};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{OptionalExtension, Row, params, params_from_iter};

use super::convert::{
    DAY, blob, from_instant, from_json, from_kind_code, from_number, id, instant, json, kind_code,
    number,
};
use super::unit::Tenant;
use crate::books::{Found, behind};
use crate::traits::AT_ONCE;
use crate::{AuditQuery, Error, NewAudit, NewChange, ReadLedger, Tally, Touched, WriteLedger};

impl ReadLedger for Tenant<'_> {
    fn changes(&self, after: u64, count: u64) -> Result<Vec<Change>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, at, kind, id, action, document, membership, summary FROM changes
             WHERE org = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3",
        )?;
        // whoever is far behind reads all of the feed in one unit, and has to come to its end: a call is bounded by what it holds
        let mut rows = statement.query(params![self.org(), number(after), number(count)])?;
        let (mut changes, mut held) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            changes.push(change(row)?);
            held += length(row)?;
            if held >= AT_ONCE {
                break;
            }
        }
        Ok(changes)
    }

    fn told(&self, after: u64, count: u64) -> Result<Vec<Change>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, at, kind, id, action, NULL, NULL, summary FROM changes
             WHERE org = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3",
        )?;
        let mut rows = statement.query(params![self.org(), number(after), number(count)])?;
        let mut changes = Vec::new();
        while let Some(row) = rows.next()? {
            changes.push(change(row)?);
        }
        Ok(changes)
    }

    fn touched(&self, after: u64, count: u64) -> Result<Vec<Touched>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, at, kind, id FROM changes WHERE org = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3",
        )?;
        let mut rows = statement.query(params![self.org(), number(after), number(count)])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            self.in_time()?;
            all.push(touched(row)?);
        }
        Ok(all)
    }

    fn object_touched(
        &self,
        kind: Kind,
        id: ResourceId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<Touched>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, at, kind, id FROM changes INDEXED BY changes_by_object
             WHERE org = ?1 AND kind = ?2 AND id = ?3 AND sequence < ?4 ORDER BY sequence DESC LIMIT ?5",
        )?;
        let mut rows = statement.query(params![
            self.org(),
            kind_code(kind),
            blob(id),
            before.map_or(i64::MAX, number),
            number(count)
        ])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            self.in_time()?;
            all.push(touched(row)?);
        }
        Ok(all)
    }

    fn object_changes(
        &self,
        kind: Kind,
        id: ResourceId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<Change>, Error> {
        let mut statement = self.connection.prepare_cached(
            // the whole feed is in the wanted order too, and would be read backwards until the object comes
            "SELECT sequence, at, kind, id, action, document, membership, summary FROM changes INDEXED BY changes_by_object
             WHERE org = ?1 AND kind = ?2 AND id = ?3 AND sequence < ?4 ORDER BY sequence DESC LIMIT ?5",
        )?;
        let mut rows = statement.query(params![
            self.org(),
            kind_code(kind),
            blob(id),
            before.map_or(i64::MAX, number),
            number(count)
        ])?;
        let (mut changes, mut held) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            self.in_time()?;
            changes.push(change(row)?);
            held += length(row)?;
            if held >= AT_ONCE {
                break;
            }
        }
        Ok(changes)
    }

    fn last_change(&self) -> Result<u64, Error> {
        Ok(self.places()?.change)
    }

    fn audit_head(&self) -> Result<Head, Error> {
        let places = self.places()?;
        Ok(Head {
            sequence: places.audit,
            hash: places.head,
        })
    }

    fn chain(&self, after: Option<u64>, count: u64) -> Result<Vec<Kept>, Error> {
        let mut statement = self.connection.prepare_cached(&format!(
            "{CHAIN} WHERE org = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3"
        ))?;
        let rows = statement.query_map(params![self.org(), behind(after), number(count)], found)?;
        rows.map(|row| Ok(row?.kept())).collect()
    }

    fn audit(&self, before: Option<u64>, count: u64) -> Result<Vec<AuditEntry>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, at, origin, action, object, detail FROM audit
             WHERE org = ?1 AND sequence < ?2 ORDER BY sequence DESC LIMIT ?3",
        )?;
        let before = before.map_or(i64::MAX, number);
        let mut rows = statement.query(params![self.org(), before, number(count)])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            entries.push(audit_entry(row)?);
        }
        Ok(entries)
    }

    fn audit_where(&self, query: &AuditQuery, count: u64) -> Result<Vec<AuditEntry>, Error> {
        self.close_books()?;
        let streams = match query.object {
            Some(_) => vec![self.about_object(query)?],
            None => self.by_deed(query)?,
        };
        let mut entries = Vec::new();
        for streams in streams.chunks(MERGED) {
            self.in_time()?;
            entries.extend(self.merged(streams, count)?);
        }
        if streams.len() > MERGED {
            entries.sort_unstable_by_key(|entry| Reverse((entry.at, entry.sequence)));
            entries.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        }
        Ok(entries)
    }

    fn tallies(&self, from: i64, to: i64) -> Result<Vec<Tally>, Error> {
        self.close_books()?;
        let mut statement = self.connection.prepare_cached(
            "SELECT day, action, actor, count FROM tallies WHERE org = ?1 AND day BETWEEN ?2 AND ?3 ORDER BY day, action, actor",
        )?;
        let rows = statement.query_map(params![self.org(), from, to], |row| {
            Ok(Tally {
                day: row.get(0)?,
                action: row.get(1)?,
                actor: row.get(2)?,
                count: from_number(row.get(3)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// How many streams SQLite is asked to merge at once; it can merge 500.
const MERGED: usize = 100;

const AUDIT: &str = "SELECT sequence, at, origin, action, object, detail FROM audit WHERE org = ?";

/// A select of the audit log that an index answers in order, and its values.
struct Stream {
    sql: String,
    values: Vec<Value>,
}

impl Tenant<'_> {
    /// Returns the latest entries of some streams. SQLite merges what is in order already, and stops after the last row that is wanted.
    fn merged(&self, streams: &[Stream], count: u64) -> Result<Vec<AuditEntry>, Error> {
        let values = streams.iter().flat_map(|stream| stream.values.clone());
        let values = values.chain([Value::from(number(count))]);
        let mut statement = self.connection.prepare_cached(&merge(streams))?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            entries.push(audit_entry(row)?);
        }
        Ok(entries)
    }

    /// The entries about one object, by the index of objects.
    fn about_object(&self, query: &AuditQuery) -> Result<Stream, Error> {
        let mut sql = format!("{AUDIT} AND object = ?");
        let object = query.object.clone().unwrap_or_default();
        let mut values = vec![Value::from(self.org().to_vec()), Value::from(object)];
        if let Some((first, end)) = query.actions() {
            sql.push_str(" AND action >= ? AND action < ?");
            values.extend([Value::from(first), Value::from(end)]);
        }
        if let Some(actor) = &query.actor {
            sql.push_str(" AND actor = ?");
            values.push(Value::from(actor.clone()));
        }
        self.narrow(query, Stream { sql, values })
    }

    /// One stream for each pair of an action and an actor that occur together, which the tallies know: each is read in order from an index,
    /// and whatever is asked for is found without looking at what is not.
    fn by_deed(&self, query: &AuditQuery) -> Result<Vec<Stream>, Error> {
        let (first, end) = query.actions().unwrap_or_else(AuditQuery::all_actions);
        let day = |at: Timestamp| instant(at).div_euclid(DAY);
        let mut statement = self.connection.prepare_cached(
            "SELECT DISTINCT action, actor FROM tallies
             WHERE org = ?1 AND day BETWEEN ?2 AND ?3 AND action >= ?4 AND action < ?5 AND actor = coalesce(?6, actor)",
        )?;
        let mut rows = statement.query(params![
            self.org(),
            query.from.map_or(i64::MIN, day),
            query.to.map_or(i64::MAX, day),
            first,
            end,
            query.actor
        ])?;
        let mut streams = Vec::new();
        while let Some(row) = rows.next()? {
            let pair = Stream {
                sql: format!("{AUDIT} AND action = ? AND actor = ?"),
                values: vec![
                    Value::from(self.org().to_vec()),
                    Value::from(row.get::<_, String>(0)?),
                    Value::from(row.get::<_, String>(1)?),
                ],
            };
            streams.push(self.narrow(query, pair)?);
        }
        Ok(streams)
    }

    /// Adds what a query says of time and place. The log is in order of time but for a clock that was set back.
    fn narrow(&self, query: &AuditQuery, stream: Stream) -> Result<Stream, Error> {
        let Stream {
            mut sql,
            mut values,
        } = stream;
        if let Some(from) = query.from {
            sql.push_str(" AND at >= ?");
            values.push(Value::from(instant(from)));
        }
        if let Some(to) = query.to {
            sql.push_str(" AND at < ?");
            values.push(Value::from(instant(to)));
        }
        if let Some(before) = query.before {
            let at: Option<i64> = self
                .connection
                .prepare_cached("SELECT at FROM audit WHERE org = ?1 AND sequence = ?2")?
                .query_row(params![self.org(), number(before)], |row| row.get(0))
                .optional()?;
            // a place that was never given is beyond the end
            if let Some(at) = at {
                sql.push_str(" AND (at, sequence) < (?, ?)");
                values.extend([Value::from(at), Value::from(number(before))]);
            }
        }
        Ok(Stream { sql, values })
    }
}

fn merge(streams: &[Stream]) -> String {
    let selects: Vec<&str> = streams.iter().map(|stream| stream.sql.as_str()).collect();
    format!(
        "{} ORDER BY at DESC, sequence DESC LIMIT ?",
        selects.join(" UNION ALL ")
    )
}

/// Returns how much text an entry holds, in bytes.
fn length(row: &Row<'_>) -> Result<usize, Error> {
    let mut length = 0;
    for column in [5, 6] {
        if let ValueRef::Text(text) = row.get_ref(column)? {
            length += text.len();
        }
    }
    Ok(length)
}

fn touched(row: &Row<'_>) -> Result<Touched, Error> {
    Ok(Touched {
        sequence: from_number(row.get(0)?),
        at: from_instant(row.get(1)?),
        kind: from_kind_code(row.get(2)?),
        id: id(row, 3)?,
    })
}

fn change(row: &Row<'_>) -> Result<Change, Error> {
    let document: Option<String> = row.get(5)?;
    let membership: Option<String> = row.get(6)?;
    let summary: Option<String> = row.get(7)?;
    Ok(Change {
        sequence: from_number(row.get(0)?),
        at: from_instant(row.get(1)?),
        kind: from_kind_code(row.get(2)?),
        id: id(row, 3)?,
        action: from_json(&row.get::<_, String>(4)?)?,
        document: document.map(|text| from_json(&text)).transpose()?,
        membership: membership
            .map(|text| from_json(&text))
            .transpose()?
            .unwrap_or_default(),
        summary: summary
            .map(|text| from_json(&text))
            .transpose()?
            .unwrap_or_default(),
    })
}

/// What is read of entries for whoever looks at their chain.
pub(super) const CHAIN: &str =
    "SELECT sequence, at, origin, action, object, detail, actor, salt, digest, hash FROM audit";

/// Reads a row of [`CHAIN`].
pub(super) fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    Ok(Found {
        sequence: row.get(0)?,
        at: from_instant(row.get(1)?),
        origin: row.get(2)?,
        action: row.get(3)?,
        object: row.get(4)?,
        detail: row.get(5)?,
        actor: row.get(6)?,
        salt: row.get(7)?,
        digest: row.get(8)?,
        hash: row.get(9)?,
    })
}

fn audit_entry(row: &Row<'_>) -> Result<AuditEntry, Error> {
    Ok(AuditEntry {
        sequence: from_number(row.get(0)?),
        at: from_instant(row.get(1)?),
        origin: from_json(&row.get::<_, String>(2)?)?,
        action: row.get(3)?,
        object: row.get(4)?,
        detail: from_json(&row.get::<_, String>(5)?)?,
    })
}

impl WriteLedger for Tenant<'_> {
    fn append_change(&mut self, at: Timestamp, change: &NewChange) -> Result<(), Error> {
        let sequence = self.next_change()?;
        let membership = if change.membership.is_empty() {
            None
        } else {
            Some(json(&change.membership)?)
        };
        self.connection
            .prepare_cached(
                "INSERT INTO changes (org, sequence, at, kind, id, action, document, membership, summary)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                self.org(),
                number(sequence),
                instant(at),
                kind_code(change.kind),
                blob(change.id),
                json(&change.action)?,
                change.document.as_ref().map(json).transpose()?,
                membership,
                json(&change.summary)?,
            ])?;
        Ok(())
    }

    fn append_audit(&mut self, at: Timestamp, entry: &NewAudit) -> Result<(), Error> {
        let written = self.next_audit(at, entry)?;
        self.connection
            .prepare_cached(
                "INSERT INTO audit (org, sequence, at, origin, action, object, detail, actor, salt, hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                self.org(),
                number(written.sequence),
                instant(at),
                written.origin,
                entry.action,
                entry.object,
                written.detail,
                written.actor,
                written.salt,
                *written.hash.as_bytes(),
            ])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rollcall_model::OrgId;
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn streams_are_merged_and_nothing_is_sorted() {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::migrations::apply(&mut connection).unwrap();
        let tenant = Tenant::new(&connection, OrgId::from_bytes([1; 16]), None);
        let query = AuditQuery {
            from: Some(Timestamp::UNIX_EPOCH),
            to: Some(Timestamp::MAX),
            ..AuditQuery::default()
        };
        let pair = || {
            let sql = format!("{AUDIT} AND action = ? AND actor = ?");
            let values = vec![Value::Null; 3];
            tenant.narrow(&query, Stream { sql, values }).unwrap()
        };
        let object = AuditQuery {
            object: Some("ann".to_owned()),
            ..query.clone()
        };
        let about = tenant.about_object(&object).unwrap();
        for (streams, index) in [
            (vec![pair(), pair(), pair()], "audit_by_deed"),
            (vec![about], "audit_by_object"),
        ] {
            let explained = plan(&connection, &streams);
            assert!(!explained.contains("TEMP B-TREE"), "{explained}");
            assert_eq!(
                explained.matches(index).count(),
                streams.len(),
                "{explained}"
            );
        }
    }

    #[test]
    fn a_unit_of_reading_that_has_no_time_left_looks_at_no_more_of_the_feed() {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::migrations::apply(&mut connection).unwrap();
        connection
            .execute_batch("PRAGMA foreign_keys = OFF")
            .unwrap();
        let (organisation, ann) = (OrgId::from_bytes([1; 16]), ResourceId::from_bytes([2; 16]));
        let row = params![blob(organisation), kind_code(Kind::User), blob(ann)];
        connection
            .execute(
                "INSERT INTO changes (org, sequence, at, kind, id, action) VALUES (?1, 1, 0, ?2, ?3, '\"deleted\"')",
                row,
            )
            .unwrap();
        let late = Tenant::new(&connection, organisation, Some(Instant::now()));
        let unhurried = Tenant::new(&connection, organisation, None);
        let is_late = |refused| matches!(refused, Err(Error::TooLong));

        assert!(is_late(late.touched(0, 1).map(drop)));
        assert!(is_late(
            late.object_touched(Kind::User, ann, None, 1).map(drop)
        ));
        assert!(is_late(
            late.object_changes(Kind::User, ann, None, 1).map(drop)
        ));
        assert_eq!(unhurried.touched(0, 1).unwrap().len(), 1);
        let changes = unhurried.object_changes(Kind::User, ann, None, 1);
        assert_eq!(changes.unwrap().len(), 1);
    }

    fn plan(connection: &Connection, streams: &[Stream]) -> String {
        let values = streams.iter().flat_map(|stream| stream.values.clone());
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {}", merge(streams)))
            .unwrap();
        let rows = statement
            .query_map(params_from_iter(values.chain([Value::from(10)])), |row| {
                row.get::<_, String>(3)
            })
            .unwrap();
        rows.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    }
}
