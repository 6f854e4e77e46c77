//! The change feed and the audit log in PostgreSQL.
//!
//! The organisation's row holds the last place given, and whoever writes for the organisation has locked that row: places have no
//! gaps, and an entry is never committed after a later one, by whichever node.

use jiff::Timestamp;
use rollcall_model::{AuditEntry, Change, Kind, ResourceId};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::convert::{
    DAY, from_instant, from_json, from_kind_code, from_number, id, instant, json, kind_code,
    may_be_there, number, uuid,
};
use super::unit::Tenant;
use crate::{AuditQuery, Error, NewAudit, NewChange, ReadLedger, Tally, WriteLedger, actor_key};

/// So many entries of the audit log are looked at with one answer.
const ENTRIES: i64 = 500;

impl ReadLedger for Tenant<'_> {
    fn changes(&self, after: u64, count: u64) -> Result<Vec<Change>, Error> {
        let rows = self.rows(
            "SELECT sequence, at, kind, id, action, document, membership FROM changes
             WHERE org = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
            &[&self.org(), &number(after), &number(count)],
        )?;
        rows.iter().map(change).collect()
    }

    fn object_changes(
        &self,
        kind: Kind,
        id: ResourceId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<Change>, Error> {
        let rows = self.rows(
            "SELECT sequence, at, kind, id, action, document, membership FROM changes
             WHERE org = $1 AND kind = $2 AND id = $3 AND sequence < $4 ORDER BY sequence DESC LIMIT $5",
            &[
                &self.org(),
                &kind_code(kind),
                &uuid(id),
                &before.map_or(i64::MAX, number),
                &number(count),
            ],
        )?;
        rows.iter().map(change).collect()
    }

    fn last_change(&self) -> Result<u64, Error> {
        let found = self.row(
            "SELECT last_change FROM organisations WHERE id = $1",
            &[&self.org()],
        )?;
        Ok(from_number(found.ok_or(Error::Missing)?.try_get(0)?))
    }

    fn audit(&self, before: Option<u64>, count: u64) -> Result<Vec<AuditEntry>, Error> {
        let rows = self.rows(
            "SELECT sequence, at, origin, action, object, detail FROM audit
             WHERE org = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT $3",
            &[
                &self.org(),
                &before.map_or(i64::MAX, number),
                &number(count),
            ],
        )?;
        rows.iter().map(audit_entry).collect()
    }

    fn audit_where(&self, query: &AuditQuery, count: u64) -> Result<Vec<AuditEntry>, Error> {
        let texts = [&query.action, &query.object];
        if texts.into_iter().flatten().any(|text| !may_be_there(text)) {
            return Ok(Vec::new());
        }
        let mut before = query.before.map_or(i64::MAX, number);
        let mut entries = Vec::new();
        // what the indexes do not answer is looked at here, piece by piece
        loop {
            let rows = self.audit_page(query, before)?;
            for row in &rows {
                if entries.len() as u64 >= count {
                    return Ok(entries);
                }
                self.in_time()?;
                before = row.try_get(0)?;
                let at = from_instant(row.try_get(1)?);
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
            if rows.is_empty() {
                return Ok(entries);
            }
        }
    }

    fn tallies(&self, from: i64, to: i64) -> Result<Vec<Tally>, Error> {
        let rows = self.rows(
            "SELECT day, action, actor, count FROM tallies WHERE org = $1 AND day BETWEEN $2 AND $3
             ORDER BY day, action, actor",
            &[&self.org(), &from, &to],
        )?;
        let tallies = rows.iter().map(|row| {
            Ok(Tally {
                day: row.try_get(0)?,
                action: row.try_get(1)?,
                actor: row.try_get(2)?,
                count: from_number(row.try_get(3)?),
            })
        });
        tallies.collect()
    }
}

impl Tenant<'_> {
    /// Returns the next entries of the audit log of an action and an object.
    fn audit_page(&self, query: &AuditQuery, before: i64) -> Result<Vec<Row>, Error> {
        let mut sql = "SELECT sequence, at, origin, action, object, detail FROM audit
             WHERE org = $1 AND sequence < $2"
            .to_owned();
        let org = self.org();
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![&org, &before];
        let end;
        match &query.action {
            Some(noun) if noun.ends_with('.') => {
                // everything between `user.` and `user/`, the next character
                end = format!("{}/", noun.trim_end_matches('.'));
                sql.push_str(" AND action >= $3 AND action < $4");
                values.extend([noun as &(dyn ToSql + Sync), &end]);
            }
            Some(action) => {
                sql.push_str(" AND action = $3");
                values.push(action);
            }
            None => {}
        }
        if let Some(object) = &query.object {
            values.push(object);
            sql = format!("{sql} AND object = ${}", values.len());
        }
        values.push(&ENTRIES);
        sql = format!("{sql} ORDER BY sequence DESC LIMIT ${}", values.len());
        self.rows(&sql, &values)
    }
}

fn change(row: &Row) -> Result<Change, Error> {
    let document: Option<&str> = row.try_get(5)?;
    let membership: Option<&str> = row.try_get(6)?;
    Ok(Change {
        sequence: from_number(row.try_get(0)?),
        at: from_instant(row.try_get(1)?),
        kind: from_kind_code(row.try_get(2)?),
        id: id(row, 3)?,
        action: from_json(row.try_get(4)?)?,
        document: document.map(from_json).transpose()?,
        membership: membership.map(from_json).transpose()?.unwrap_or_default(),
    })
}

fn audit_entry(row: &Row) -> Result<AuditEntry, Error> {
    Ok(AuditEntry {
        sequence: from_number(row.try_get(0)?),
        at: from_instant(row.try_get(1)?),
        origin: from_json(row.try_get(2)?)?,
        action: row.try_get(3)?,
        object: row.try_get(4)?,
        detail: from_json(row.try_get(5)?)?,
    })
}

impl WriteLedger for Tenant<'_> {
    fn append_change(&mut self, at: Timestamp, change: &NewChange) -> Result<u64, Error> {
        let membership = if change.membership.is_empty() {
            None
        } else {
            Some(json(&change.membership)?)
        };
        let appended = self.row(
            "WITH place AS (
                 UPDATE organisations SET last_change = last_change + 1 WHERE id = $1 RETURNING last_change
             )
             INSERT INTO changes (org, sequence, at, kind, id, action, document, membership)
             SELECT $1, last_change, $2, $3, $4, $5, $6, $7 FROM place RETURNING sequence",
            &[
                &self.org(),
                &instant(at),
                &kind_code(change.kind),
                &uuid(change.id),
                &json(&change.action)?,
                &change.document.as_ref().map(json).transpose()?,
                &membership,
            ],
        )?;
        Ok(from_number(appended.ok_or(Error::Missing)?.try_get(0)?))
    }

    fn append_audit(&mut self, at: Timestamp, entry: &NewAudit) -> Result<u64, Error> {
        let appended = self.row(
            "WITH place AS (
                 UPDATE organisations SET last_audit = last_audit + 1 WHERE id = $1 RETURNING last_audit
             ), counted AS (
                 INSERT INTO tallies (org, day, action, actor, count) SELECT $1, $2, $3, $4, 1 FROM place
                 ON CONFLICT (org, day, action, actor) DO UPDATE SET count = tallies.count + 1
             )
             INSERT INTO audit (org, sequence, at, origin, action, object, detail)
             SELECT $1, last_audit, $5, $6, $3, $7, $8 FROM place RETURNING sequence",
            &[
                &self.org(),
                &instant(at).div_euclid(DAY),
                &entry.action,
                &actor_key(&entry.origin.actor),
                &instant(at),
                &json(&entry.origin)?,
                &entry.object,
                &json(&entry.detail)?,
            ],
        )?;
        Ok(from_number(appended.ok_or(Error::Missing)?.try_get(0)?))
    }
}
