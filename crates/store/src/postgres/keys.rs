//! API keys in PostgreSQL. A part of [`super::access`].

use jiff::Timestamp;
use rollcall_model::{KeyId, KeyRecord, Organisation};
use tokio_postgres::Row;

use super::convert::{existing, from_instant, from_json, id as id_at, instant, json, uuid};
use super::glances::Glances;
use super::unit::Tenant;
use crate::Error;

/// Finds the key with this digest, and the organisation that it opens.
pub(super) async fn key(
    glances: &Glances,
    digest: &[u8; 32],
) -> Result<Option<(Organisation, KeyRecord)>, Error> {
    let sql = "SELECT k.id, k.name, k.role, k.created, k.created_by, k.expires, k.last_used, k.ending, k.revoked, o.document
         FROM api_keys k JOIN organisations o ON o.id = k.org WHERE k.digest = $1";
    let Some(row) = glances.row(sql, &[&digest.as_slice()]).await? else {
        return Ok(None);
    };
    Ok(Some((from_json(row.try_get(9)?)?, record(&row)?)))
}

impl Tenant<'_> {
    pub(super) fn keys(&self) -> Result<Vec<KeyRecord>, Error> {
        let rows = self.rows(
            "SELECT id, name, role, created, created_by, expires, last_used, ending, revoked FROM api_keys
             WHERE org = $1 ORDER BY id",
            &[&self.org()],
        )?;
        rows.iter().map(record).collect()
    }

    pub(super) fn add_key(&self, key: &KeyRecord, digest: &[u8; 32]) -> Result<(), Error> {
        self.execute(
            "INSERT INTO api_keys (org, id, digest, name, role, created, created_by, expires, last_used, ending, revoked)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            &[
                &self.org(),
                &uuid(key.id),
                &digest.as_slice(),
                &key.name.as_str(),
                &json(&key.role)?,
                &instant(key.created),
                &json(&key.created_by)?,
                &key.expires.map(instant),
                &key.last_used.map(instant),
                &key.ending,
                &key.revoked.map(instant),
            ],
        )?;
        Ok(())
    }

    pub(super) fn end_key(&self, id: KeyId, at: Timestamp) -> Result<(), Error> {
        existing(self.execute(
            "UPDATE api_keys SET revoked = coalesce(revoked, $3), expires = least(expires, $3) WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id), &instant(at)],
        )?)
    }

    pub(super) fn note_key(&self, id: KeyId, at: Timestamp) -> Result<(), Error> {
        self.execute(
            "UPDATE api_keys SET last_used = $3 WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id), &instant(at)],
        )?;
        Ok(())
    }
}

fn record(row: &Row) -> Result<KeyRecord, Error> {
    Ok(KeyRecord {
        id: id_at(row, 0)?,
        name: row
            .try_get::<_, String>(1)?
            .parse()
            .map_err(Error::backend)?,
        role: from_json(row.try_get(2)?)?,
        created: from_instant(row.try_get(3)?),
        created_by: from_json(row.try_get(4)?)?,
        expires: row.try_get::<_, Option<i64>>(5)?.map(from_instant),
        last_used: row.try_get::<_, Option<i64>>(6)?.map(from_instant),
        ending: row.try_get(7)?,
        revoked: row.try_get::<_, Option<i64>>(8)?.map(from_instant),
    })
}
