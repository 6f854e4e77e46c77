//! The change feed and the audit log in SQLite.
//!
//! The organisation's row holds the last place given, and the writer is alone: places have no gaps, and an entry is never
//! committed after a later one.

use jiff::Timestamp;
use rollcall_model::{AuditEntry, Change};
use rusqlite::{OptionalExtension, params};

use super::convert::{
    blob, from_instant, from_json, from_kind_code, from_number, id, instant, json, kind_code,
    number,
};
use super::unit::{Counter, Tenant};
use crate::{Error, NewAudit, NewChange, ReadLedger, WriteLedger};

impl ReadLedger for Tenant<'_> {
    fn changes(&self, after: u64, count: u64) -> Result<Vec<Change>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, at, kind, id, action, document, membership FROM changes
             WHERE org = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3",
        )?;
        let mut rows = statement.query(params![self.org(), number(after), number(count)])?;
        let mut changes = Vec::new();
        while let Some(row) = rows.next()? {
            let document: Option<String> = row.get(5)?;
            let membership: Option<String> = row.get(6)?;
            changes.push(Change {
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
            });
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
            entries.push(AuditEntry {
                sequence: from_number(row.get(0)?),
                at: from_instant(row.get(1)?),
                origin: from_json(&row.get::<_, String>(2)?)?,
                action: row.get(3)?,
                object: row.get(4)?,
                detail: from_json(&row.get::<_, String>(5)?)?,
            });
        }
        Ok(entries)
    }
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
        Ok(sequence)
    }
}
