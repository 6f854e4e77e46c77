//! Forgets what an organisation does not keep any longer, in PostgreSQL.

use jiff::Timestamp;
use rollcall_model::{ApplicationId, Exchange};

use super::convert::{from_json, instant, number, uuid};
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
        self.execute(
            "DELETE FROM provisioning_log WHERE org = $1 AND application = $2 AND sequence IN (
                 SELECT sequence FROM (
                     SELECT sequence, at FROM provisioning_log WHERE org = $1 AND application = $2 ORDER BY sequence LIMIT $4
                 ) AS oldest WHERE at < $3)",
            &[&self.org(), &uuid(id), &instant(before), &number(count)],
        )
    }

    fn forget_exchanges(&mut self, before: Timestamp, count: u64) -> Result<u64, Error> {
        let rows = self.rows(
            "SELECT sequence, document FROM exchanges WHERE org = $1 ORDER BY sequence LIMIT $2",
            &[&self.org(), &number(count)],
        )?;
        let mut old = 0_i64;
        for row in &rows {
            let exchange: Exchange = from_json(row.try_get(1)?)?;
            if exchange.at >= before {
                break;
            }
            old = row.try_get(0)?;
        }
        self.execute(
            "DELETE FROM exchanges WHERE org = $1 AND sequence <= $2",
            &[&self.org(), &old],
        )
    }

    fn forget_tombstones(&mut self, before: Timestamp, count: u64) -> Result<u64, Error> {
        self.execute(
            "DELETE FROM tombstones WHERE org = $1 AND (kind, id) IN (
                 SELECT kind, id FROM tombstones WHERE org = $1 AND deleted < $2 ORDER BY deleted LIMIT $3)",
            &[&self.org(), &instant(before), &number(count)],
        )
    }
}
