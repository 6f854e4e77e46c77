//! What directories asked, and mail that waits, in SQLite.

use jiff::Timestamp;
use rollcall_model::traffic::{Hour, KEPT};
use rollcall_model::{Exchange, IntegrationId, RequestId};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params, params_from_iter};

use super::convert::{HOUR, blob, from_instant, from_json, from_number, instant, json, number};
use super::unit::{Counter, Tenant};
use crate::{DataKey, Error, ExchangeQuery, ReadTraffic, WaitingMail, WriteTraffic};

/// The column of an integration: empty for what was refused.
fn column(integration: Option<IntegrationId>) -> Vec<u8> {
    integration.map_or_else(Vec::new, |id| blob(id).to_vec())
}

impl ReadTraffic for Tenant<'_> {
    fn exchanges(&self, query: ExchangeQuery, count: u64) -> Result<Vec<(u64, Exchange)>, Error> {
        let index = match (query.of, query.failed) {
            (None, false) => "",
            (None, true) => "INDEXED BY exchanges_by_failure",
            (Some(_), false) => "INDEXED BY exchanges_by_integration",
            (Some(_), true) => "INDEXED BY exchanges_by_failure_and_integration",
        };
        let mut sql = format!(
            "SELECT sequence, document FROM exchanges {index} WHERE org = ? AND sequence < ?"
        );
        let before = query.before.map_or(i64::MAX, number);
        let mut values = vec![Value::from(self.org().to_vec()), Value::from(before)];
        if let Some(of) = query.of {
            sql.push_str(" AND integration = ?");
            values.push(Value::from(column(of)));
        }
        if query.failed {
            sql.push_str(" AND failed");
        }
        sql.push_str(" ORDER BY sequence DESC LIMIT ?");
        values.push(Value::from(number(count)));
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| {
            Ok((from_number(row.get(0)?), row.get::<_, String>(1)?))
        })?;
        rows.map(|row| {
            let (sequence, document) = row?;
            Ok((sequence, from_json(&document)?))
        })
        .collect()
    }

    fn exchange(&self, request: RequestId) -> Result<Option<Exchange>, Error> {
        self.connection
            .prepare_cached("SELECT document FROM exchanges WHERE org = ?1 AND request = ?2")?
            .query_row(params![self.org(), blob(request)], |row| {
                row.get::<_, String>(0)
            })
            .optional()?
            .map(|document| from_json(&document))
            .transpose()
    }

    fn first_exchange(&self, integration: IntegrationId) -> Result<Option<Exchange>, Error> {
        self.connection
            .prepare_cached(
                "SELECT document FROM exchanges WHERE org = ?1 AND integration = ?2 ORDER BY sequence LIMIT 1",
            )?
            .query_row(params![self.org(), column(Some(integration))], |row| {
                row.get::<_, String>(0)
            })
            .optional()?
            .map(|document| from_json(&document))
            .transpose()
    }

    fn traffic(&self, from: Timestamp) -> Result<Vec<Hour>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT hour, integration, requests, failed FROM traffic WHERE org = ?1 AND hour >= ?2 ORDER BY hour, integration",
        )?;
        let mut rows = statement.query(params![self.org(), instant(from).div_euclid(HOUR)])?;
        let mut hours = Vec::new();
        while let Some(row) = rows.next()? {
            let integration: Vec<u8> = row.get(1)?;
            hours.push(Hour {
                from: from_instant(row.get::<_, i64>(0)?.saturating_mul(HOUR)),
                integration: <[u8; 16]>::try_from(integration)
                    .ok()
                    .map(IntegrationId::from_bytes),
                requests: from_number(row.get(2)?),
                failed: from_number(row.get(3)?),
            });
        }
        Ok(hours)
    }

    fn due_mail(
        &self,
        now: Timestamp,
        beyond: Timestamp,
        count: u64,
    ) -> Result<Vec<WaitingMail>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, due, attempts, sealed FROM mail WHERE org = ?1 AND (due <= ?2 OR due > ?3) ORDER BY due, sequence LIMIT ?4",
        )?;
        let rows = statement.query_map(
            params![self.org(), instant(now), instant(beyond), number(count)],
            |row| {
                Ok(WaitingMail {
                    sequence: from_number(row.get(0)?),
                    due: from_instant(row.get(1)?),
                    attempts: row.get(2)?,
                    sealed: row.get(3)?,
                })
            },
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn data_keys(&self) -> Result<Vec<DataKey>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, since, sealed FROM data_keys WHERE org = ?1 ORDER BY number DESC",
        )?;
        let rows = statement.query_map([self.org()], |row| {
            Ok(DataKey {
                number: from_number(row.get(0)?),
                since: from_instant(row.get(1)?),
                sealed: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn waiting_mail(&self) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM mail WHERE org = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(from_number(
            statement.query_row([self.org()], |row| row.get(0))?,
        ))
    }
}

impl WriteTraffic for Tenant<'_> {
    fn append_exchanges(&mut self, exchanges: &[Exchange]) -> Result<(), Error> {
        let mut last = 0;
        for exchange in exchanges {
            last = self.next(Counter::Exchange)?;
            self.connection
                .prepare_cached(
                    "INSERT INTO exchanges (org, sequence, request, integration, failed, document)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    self.org(),
                    number(last),
                    blob(exchange.request),
                    column(exchange.integration),
                    exchange.failed(),
                    json(exchange)?
                ])?;
        }
        self.connection
            .prepare_cached("DELETE FROM exchanges WHERE org = ?1 AND sequence <= ?2")?
            .execute(params![self.org(), number(last.saturating_sub(KEPT))])?;
        Ok(())
    }

    fn count_traffic(&mut self, hours: &[Hour]) -> Result<(), Error> {
        for hour in hours {
            self.connection
                .prepare_cached(
                    "INSERT INTO traffic (org, hour, integration, requests, failed) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, failed = failed + excluded.failed",
                )?
                .execute(params![
                    self.org(),
                    instant(hour.from).div_euclid(HOUR),
                    column(hour.integration),
                    number(hour.requests),
                    number(hour.failed)
                ])?;
        }
        Ok(())
    }

    fn save_data_key(&mut self, key: &DataKey) -> Result<(), Error> {
        self.connection.execute(
            "INSERT OR REPLACE INTO data_keys (org, number, since, sealed) VALUES (?1, ?2, ?3, ?4)",
            params![
                self.org(),
                number(key.number),
                instant(key.since),
                key.sealed
            ],
        )?;
        Ok(())
    }

    fn remove_data_key(&mut self, key: u64) -> Result<(), Error> {
        self.connection.execute(
            "DELETE FROM data_keys WHERE org = ?1 AND number = ?2",
            params![self.org(), number(key)],
        )?;
        Ok(())
    }

    fn queue_mail(&mut self, due: Timestamp, seal: &dyn Fn(u64) -> Vec<u8>) -> Result<(), Error> {
        let sequence = self.next(Counter::Mail)?;
        let sealed = seal(sequence);
        self.connection
            .prepare_cached(
                "INSERT INTO mail (org, sequence, due, sealed) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![self.org(), number(sequence), instant(due), sealed])?;
        Ok(())
    }

    fn defer_mail(&mut self, sequence: u64, due: Timestamp) -> Result<(), Error> {
        self.connection.execute(
            "UPDATE mail SET due = ?3, attempts = attempts + 1 WHERE org = ?1 AND sequence = ?2",
            params![self.org(), number(sequence), instant(due)],
        )?;
        Ok(())
    }

    fn remove_mail(&mut self, sequence: u64) -> Result<(), Error> {
        self.connection.execute(
            "DELETE FROM mail WHERE org = ?1 AND sequence = ?2",
            params![self.org(), number(sequence)],
        )?;
        Ok(())
    }
}
