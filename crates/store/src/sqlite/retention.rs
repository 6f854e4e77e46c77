//! Forgets what an organisation does not keep any longer, in SQLite.

use jiff::Timestamp;
use rollcall_model::{ApplicationId, Exchange};
use rusqlite::params;

use super::convert::{blob, from_json, instant, number};
use super::unit::Tenant;
use crate::{Error, WriteRetention};

impl WriteRetention for Tenant<'_> {
    // entries lie in the order in which they came: the oldest are looked at by key, without an index of their times
    fn forget_log(
        &mut self,
        id: ApplicationId,
        before: Timestamp,
        count: u64,
    ) -> Result<u64, Error> {
        let forgotten = self
            .connection
            .prepare_cached(
                "DELETE FROM provisioning_log WHERE org = ?1 AND application = ?2 AND sequence IN (
                     SELECT sequence FROM (
                         SELECT sequence, at FROM provisioning_log WHERE org = ?1 AND application = ?2 ORDER BY sequence LIMIT ?4
                     ) WHERE at < ?3)",
            )?
            .execute(params![
                self.org(),
                blob(id),
                instant(before),
                number(count)
            ])?;
        Ok(forgotten as u64)
    }

    fn forget_exchanges(&mut self, before: Timestamp, count: u64) -> Result<u64, Error> {
        let mut old = 0;
        {
            let mut statement = self.connection.prepare_cached(
                "SELECT sequence, document FROM exchanges WHERE org = ?1 ORDER BY sequence LIMIT ?2",
            )?;
            let mut rows = statement.query(params![self.org(), number(count)])?;
            while let Some(row) = rows.next()? {
                let exchange: Exchange = from_json(&row.get::<_, String>(1)?)?;
                if exchange.at >= before {
                    break;
                }
                old = row.get(0)?;
            }
        }
        let forgotten = self
            .connection
            .prepare_cached("DELETE FROM exchanges WHERE org = ?1 AND sequence <= ?2")?
            .execute(params![self.org(), old])?;
        Ok(forgotten as u64)
    }

    fn forget_tombstones(&mut self, before: Timestamp, count: u64) -> Result<u64, Error> {
        let forgotten = self
            .connection
            .prepare_cached(
                "DELETE FROM tombstones WHERE org = ?1 AND (kind, id) IN (
                     SELECT kind, id FROM tombstones WHERE org = ?1 AND deleted < ?2 ORDER BY deleted LIMIT ?3)",
            )?
            .execute(params![self.org(), instant(before), number(count)])?;
        Ok(forgotten as u64)
    }
}
