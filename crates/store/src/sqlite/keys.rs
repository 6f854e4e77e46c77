//! API keys in SQLite. A part of [`super::access`].

use jiff::Timestamp;
use rollcall_model::{KeyId, KeyRecord, Organisation};
use rusqlite::{Connection, Row, params};

use super::convert::{blob, existing, from_instant, from_json, id, instant, json};
use super::unit::Tenant;
use crate::Error;

/// Finds the key with this digest, and the organisation that it opens.
pub(super) fn key(
    connection: &Connection,
    digest: &[u8; 32],
) -> Result<Option<(Organisation, KeyRecord)>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT k.id, k.name, k.role, k.created, k.created_by, k.expires, k.last_used, k.ending, k.revoked, o.document
         FROM api_keys k JOIN organisations o ON o.id = k.org WHERE k.digest = ?1",
    )?;
    let mut rows = statement.query([digest])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some((from_json(&row.get::<_, String>(9)?)?, record(row)?)))
}

impl Tenant<'_> {
    pub(super) fn keys(&self) -> Result<Vec<KeyRecord>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, name, role, created, created_by, expires, last_used, ending, revoked FROM api_keys
             WHERE org = ?1 ORDER BY id",
        )?;
        let mut rows = statement.query([self.org()])?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next()? {
            keys.push(record(row)?);
        }
        Ok(keys)
    }

    pub(super) fn add_key(&self, key: &KeyRecord, digest: &[u8; 32]) -> Result<(), Error> {
        self.connection.execute(
            "INSERT INTO api_keys (org, id, digest, name, role, created, created_by, expires, last_used, ending, revoked)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                self.org(),
                blob(key.id),
                digest,
                key.name.as_str(),
                json(&key.role)?,
                instant(key.created),
                json(&key.created_by)?,
                key.expires.map(instant),
                key.last_used.map(instant),
                key.ending,
                key.revoked.map(instant),
            ],
        )?;
        Ok(())
    }

    pub(super) fn end_key(&self, id: KeyId, at: Timestamp) -> Result<(), Error> {
        existing(self.connection.execute(
            "UPDATE api_keys SET revoked = ifnull(revoked, ?3), expires = min(ifnull(expires, ?3), ?3) WHERE org = ?1 AND id = ?2",
            params![self.org(), blob(id), instant(at)],
        )?)
    }

    pub(super) fn note_key(&self, id: KeyId, at: Timestamp) -> Result<(), Error> {
        self.connection
            .prepare_cached("UPDATE api_keys SET last_used = ?3 WHERE org = ?1 AND id = ?2")?
            .execute(params![self.org(), blob(id), instant(at)])?;
        Ok(())
    }
}

fn record(row: &Row<'_>) -> Result<KeyRecord, Error> {
    Ok(KeyRecord {
        id: id(row, 0)?,
        name: row.get::<_, String>(1)?.parse().map_err(Error::backend)?,
        role: from_json(&row.get::<_, String>(2)?)?,
        created: from_instant(row.get(3)?),
        created_by: from_json(&row.get::<_, String>(4)?)?,
        expires: row.get::<_, Option<i64>>(5)?.map(from_instant),
        last_used: row.get::<_, Option<i64>>(6)?.map(from_instant),
        ending: row.get(7)?,
        revoked: row.get::<_, Option<i64>>(8)?.map(from_instant),
    })
}
