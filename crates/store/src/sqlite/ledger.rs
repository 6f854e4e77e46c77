//! The change feed and the audit log in SQLite.
//!
//! The organisation's row holds the last place given, and the writer is alone: places have no gaps, and an entry is never
//! committed after a later one.

use jiff::Timestamp;
use rollcall_model::{AuditEntry, Change, Kind, ResourceId};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params, params_from_iter};

use super::convert::{
    DAY, blob, from_instant, from_json, from_kind_code, from_number, id, instant, json, kind_code,
    number,
};
use super::unit::{Counter, Tenant};
use crate::{AuditQuery, Error, NewAudit, NewChange, ReadLedger, Tally, WriteLedger, actor_key};

impl ReadLedger for Tenant<'_> {
    fn changes(&self, after: u64, count: u64) -> Result<Vec<Change>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, at, kind, id, action, document, membership FROM changes
             WHERE org = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3",
        )?;
        let mut rows = statement.query(params![self.org(), number(after), number(count)])?;
        let mut changes = Vec::new();
        while let Some(row) = rows.next()? {
            changes.push(change(row)?);
        }
        Ok(changes)
    }

    fn object_changes(
        &self,
        kind: Kind,
        id: ResourceId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<Change>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, at, kind, id, action, document, membership FROM changes
             WHERE org = ?1 AND kind = ?2 AND id = ?3 AND sequence < ?4 ORDER BY sequence DESC LIMIT ?5",
        )?;
        let mut rows = statement.query(params![
            self.org(),
            kind_code(kind),
            blob(id),
            before.map_or(i64::MAX, number),
            number(count)
        ])?;
        let mut changes = Vec::new();
        while let Some(row) = rows.next()? {
            changes.push(change(row)?);
        }
        Ok(changes)
    }

    fn last_change(&self) -> Result<u64, Error> {
        self.connection
            .prepare_cached("SELECT last_change FROM organisations WHERE id = ?1")?
            .query_row([self.org()], |row| row.get(0).map(from_number))
            .optional()?
            .ok_or(Error::Missing)
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
        let mut sql = "SELECT sequence, at, origin, action, object, detail FROM audit
             WHERE org = ? AND sequence < ?"
            .to_owned();
        let before = query.before.map_or(i64::MAX, number);
        let mut values = vec![Value::from(self.org().to_vec()), Value::from(before)];
        match query.action.as_deref() {
            Some(noun) if noun.ends_with('.') => {
                // everything between `user.` and `user/`, the next character
                sql.push_str(" AND action >= ? AND action < ?");
                values.push(Value::from(noun.to_owned()));
                values.push(Value::from(format!("{}/", noun.trim_end_matches('.'))));
            }
            Some(action) => {
                sql.push_str(" AND action = ?");
                values.push(Value::from(action.to_owned()));
            }
            None => {}
        }
        if let Some(object) = &query.object {
            sql.push_str(" AND object = ?");
            values.push(Value::from(object.clone()));
        }
        sql.push_str(" ORDER BY sequence DESC");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            if entries.len() as u64 >= count {
                break;
            }
            self.in_time()?;
            let at = from_instant(row.get(1)?);
            // the log is in order of time, but for a clock that was set back
            if query.to.is_some_and(|to| at >= to) || query.from.is_some_and(|from| at < from) {
                continue;
            }
            let entry = audit_entry(row)?;
            let is_by = |actor: &String| *actor == actor_key(&entry.origin.actor);
            if query.actor.as_ref().is_none_or(is_by) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    fn tallies(&self, from: i64, to: i64) -> Result<Vec<Tally>, Error> {
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

fn change(row: &Row<'_>) -> Result<Change, Error> {
    let document: Option<String> = row.get(5)?;
    let membership: Option<String> = row.get(6)?;
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
    fn append_change(&mut self, at: Timestamp, change: &NewChange) -> Result<u64, Error> {
        let sequence = self.next(Counter::Change)?;
        let membership = if change.membership.is_empty() {
            None
        } else {
            Some(json(&change.membership)?)
        };
        self.connection
            .prepare_cached(
                "INSERT INTO changes (org, sequence, at, kind, id, action, document, membership)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
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
            ])?;
        Ok(sequence)
    }

    fn append_audit(&mut self, at: Timestamp, entry: &NewAudit) -> Result<u64, Error> {
        let sequence = self.next(Counter::Audit)?;
        self.connection
            .prepare_cached(
                "INSERT INTO audit (org, sequence, at, origin, action, object, detail)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                self.org(),
                number(sequence),
                instant(at),
                json(&entry.origin)?,
                entry.action,
                entry.object,
                json(&entry.detail)?,
            ])?;
        self.connection
            .prepare_cached(
                "INSERT INTO tallies (org, day, action, actor, count) VALUES (?1, ?2, ?3, ?4, 1)
                 ON CONFLICT DO UPDATE SET count = count + 1",
            )?
            .execute(params![
                self.org(),
                instant(at).div_euclid(DAY),
                entry.action,
                actor_key(&entry.origin.actor)
            ])?;
        Ok(sequence)
    }
}
