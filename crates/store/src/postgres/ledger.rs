//! The change feed and the audit log in PostgreSQL.
//!
//! The organisation's row holds the last place given (see [`super::books`]), and whoever writes for the organisation has locked that row:
//! places have no gaps, and an entry is never committed after a later one, by whichever node.

use jiff::Timestamp;
use rollcall_model::chain::{Head, Kept};
use rollcall_model::{AuditEntry, Change, Kind, ResourceId};
use tokio_postgres::Row;

use super::convert::{
    DAY, from_instant, from_json, from_kind_code, from_number, id, instant, json, kind_code,
    may_be_there, number, uuid,
};
use super::unit::{Tenant, owned};
use crate::books::{Found, behind};
use crate::traits::AT_ONCE;
use crate::{AuditQuery, Error, NewAudit, NewChange, ReadLedger, Tally, Touched, WriteLedger};

impl ReadLedger for Tenant<'_> {
    fn changes(&self, after: u64, count: u64) -> Result<Vec<Change>, Error> {
        // whoever is far behind reads all of the feed in one unit, and has to come to its end: a call is bounded by what it holds
        let rows = self.rows(
            "SELECT sequence, at, kind, id, action, document, membership, summary FROM (
                 SELECT *, sum(coalesce(octet_length(document), 0) + coalesce(octet_length(membership), 0))
                     OVER (ORDER BY sequence ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
                 FROM changes WHERE org = $1 AND sequence > $2 ORDER BY sequence LIMIT $3
             ) part WHERE coalesce(before, 0) < $4 ORDER BY sequence",
            &[&self.org(), &number(after), &number(count), &number(AT_ONCE as u64)],
        )?;
        rows.iter().map(change).collect()
    }

    fn told(&self, after: u64, count: u64) -> Result<Vec<Change>, Error> {
        let rows = self.rows(
            "SELECT sequence, at, kind, id, action, NULL::text, NULL::text, summary FROM changes
             WHERE org = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
            &[&self.org(), &number(after), &number(count)],
        )?;
        rows.iter().map(change).collect()
    }

    fn touched(&self, after: u64, count: u64) -> Result<Vec<Touched>, Error> {
        let rows = self.rows(
            "SELECT sequence, at, kind, id FROM changes WHERE org = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
            &[&self.org(), &number(after), &number(count)],
        )?;
        self.in_time()?;
        rows.iter().map(touched).collect()
    }

    fn object_touched(
        &self,
        kind: Kind,
        id: ResourceId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<Touched>, Error> {
        let rows = self.rows(
            "SELECT sequence, at, kind, id FROM changes
             WHERE org = $1 AND kind = $2 AND id = $3 AND sequence < $4 ORDER BY sequence DESC LIMIT $5",
            &[
                &self.org(),
                &kind_code(kind),
                &uuid(id),
                &before.map_or(i64::MAX, number),
                &number(count),
            ],
        )?;
        self.in_time()?;
        rows.iter().map(touched).collect()
    }

    fn object_changes(
        &self,
        kind: Kind,
        id: ResourceId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<Change>, Error> {
        let rows = self.rows(
            "SELECT sequence, at, kind, id, action, document, membership, summary FROM (
                 SELECT *, sum(coalesce(octet_length(document), 0) + coalesce(octet_length(membership), 0))
                     OVER (ORDER BY sequence DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
                 FROM changes WHERE org = $1 AND kind = $2 AND id = $3 AND sequence < $4 ORDER BY sequence DESC LIMIT $5
             ) part WHERE coalesce(before, 0) < $6 ORDER BY sequence DESC",
            &[
                &self.org(),
                &kind_code(kind),
                &uuid(id),
                &before.map_or(i64::MAX, number),
                &number(count),
                &number(AT_ONCE as u64),
            ],
        )?;
        self.in_time()?;
        rows.iter().map(change).collect()
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
        let rows = self.rows(
            &format!("{CHAIN} WHERE org = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"),
            &[&self.org(), &behind(after), &number(count)],
        )?;
        rows.iter().map(|row| Ok(found(row)?.kept())).collect()
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
        self.close_books()?;
        let texts = [&query.action, &query.object, &query.actor];
        if texts.into_iter().flatten().any(|text| !may_be_there(text)) {
            return Ok(Vec::new());
        }
        let (first, end) = query.actions().unwrap_or_else(AuditQuery::all_actions);
        let (behind, before) = self.place(query)?;
        let from = query.from.map_or(i64::MIN, instant);
        let to = query.to.map_or(i64::MAX, instant);
        let (org, count) = (self.org(), number(count));
        let rows = match &query.object {
            Some(object) => self.rows(
                "SELECT sequence, at, origin, action, object, detail FROM audit
                 WHERE org = $1 AND object = $2 AND action >= $3 AND action < $4 AND actor = coalesce($5, actor)
                 AND at >= $6 AND at < $7 AND (at, sequence) < ($8, $9)
                 ORDER BY at DESC, sequence DESC LIMIT $10",
                &[
                    &org, object, &first, &end, &query.actor, &from, &to, &behind, &before, &count,
                ],
            )?,
            // each pair of an action and an actor that occur together, which the tallies know, is read in order from an index, and whatever
            // is asked for is found without looking at what is not
            None => self.rows(
                "SELECT a.sequence, a.at, a.origin, a.action, a.object, a.detail FROM (
                     SELECT DISTINCT action, actor FROM tallies WHERE org = $1 AND day BETWEEN $2 AND $3
                     AND action >= $4 AND action < $5 AND actor = coalesce($6, actor)
                 ) deed CROSS JOIN LATERAL (
                     SELECT sequence, at, origin, action, object, detail FROM audit
                     WHERE org = $1 AND action = deed.action AND actor = deed.actor
                     AND at >= $7 AND at < $8 AND (at, sequence) < ($9, $10)
                     ORDER BY at DESC, sequence DESC LIMIT $11
                 ) a ORDER BY a.at DESC, a.sequence DESC LIMIT $11",
                &[
                    &org,
                    &from.div_euclid(DAY),
                    &to.div_euclid(DAY),
                    &first,
                    &end,
                    &query.actor,
                    &from,
                    &to,
                    &behind,
                    &before,
                    &count,
                ],
            )?,
        };
        rows.iter().map(audit_entry).collect()
    }

    fn tallies(&self, from: i64, to: i64) -> Result<Vec<Tally>, Error> {
        self.close_books()?;
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
    /// Returns when and at which place the entry stands behind which a query wants the rest. The log is in order of time but for a clock
    /// that was set back; a place that was never given is beyond the end.
    fn place(&self, query: &AuditQuery) -> Result<(i64, i64), Error> {
        let Some(before) = query.before.map(number) else {
            return Ok((i64::MAX, i64::MAX));
        };
        let found = self.row(
            "SELECT at FROM audit WHERE org = $1 AND sequence = $2",
            &[&self.org(), &before],
        )?;
        let at = found.map_or(Ok(i64::MAX), |row| row.try_get(0))?;
        Ok((at, before))
    }
}

fn touched(row: &Row) -> Result<Touched, Error> {
    Ok(Touched {
        sequence: from_number(row.try_get(0)?),
        at: from_instant(row.try_get(1)?),
        kind: from_kind_code(row.try_get(2)?),
        id: id(row, 3)?,
    })
}

fn change(row: &Row) -> Result<Change, Error> {
    let document: Option<&str> = row.try_get(5)?;
    let membership: Option<&str> = row.try_get(6)?;
    let summary: Option<&str> = row.try_get(7)?;
    Ok(Change {
        sequence: from_number(row.try_get(0)?),
        at: from_instant(row.try_get(1)?),
        kind: from_kind_code(row.try_get(2)?),
        id: id(row, 3)?,
        action: from_json(row.try_get(4)?)?,
        document: document.map(from_json).transpose()?,
        membership: membership.map(from_json).transpose()?.unwrap_or_default(),
        summary: summary.map(from_json).transpose()?.unwrap_or_default(),
    })
}

/// What is read of entries for whoever looks at their chain.
pub(super) const CHAIN: &str =
    "SELECT sequence, at, origin, action, object, detail, actor, salt, digest, hash FROM audit";

/// Reads a row of [`CHAIN`].
pub(super) fn found(row: &Row) -> Result<Found, Error> {
    Ok(Found {
        sequence: row.try_get(0)?,
        at: from_instant(row.try_get(1)?),
        origin: row.try_get(2)?,
        action: row.try_get(3)?,
        object: row.try_get(4)?,
        detail: row.try_get(5)?,
        actor: row.try_get(6)?,
        salt: row.try_get(7)?,
        digest: row.try_get(8)?,
        hash: row.try_get(9)?,
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
    fn append_change(&mut self, at: Timestamp, change: &NewChange) -> Result<(), Error> {
        let membership = if change.membership.is_empty() {
            None
        } else {
            Some(json(&change.membership)?)
        };
        let place = self.next_change()?;
        self.execute_later(
            "INSERT INTO changes (org, sequence, at, kind, id, action, document, membership, summary)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            vec![
                owned(self.org()),
                owned(place),
                owned(instant(at)),
                owned(kind_code(change.kind)),
                owned(uuid(change.id)),
                owned(json(&change.action)?),
                owned(change.document.as_ref().map(json).transpose()?),
                owned(membership),
                owned(json(&change.summary)?),
            ],
        )
    }

    fn append_audit(&mut self, at: Timestamp, entry: &NewAudit) -> Result<(), Error> {
        let written = self.next_audit(at, entry)?;
        self.execute_later(
            "INSERT INTO audit (org, sequence, at, origin, action, object, detail, actor, salt, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            vec![
                owned(self.org()),
                owned(number(written.sequence)),
                owned(instant(at)),
                owned(written.origin),
                owned(entry.action),
                owned(entry.object.clone()),
                owned(written.detail),
                owned(written.actor),
                owned(written.salt.to_vec()),
                owned(written.hash.as_bytes().to_vec()),
            ],
        )
    }
}
