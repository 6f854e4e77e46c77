//! What directories asked, and mail that waits, in PostgreSQL.

use jiff::Timestamp;
use rollcall_model::traffic::{Hour, KEPT};
use rollcall_model::{Exchange, IntegrationId, RequestId};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::convert::{
    HOUR, behind as column, document, from_instant, from_json, from_number, instant, json, number,
    uuid,
};
use super::unit::{Counter, Tenant};
use crate::{DataKey, Error, ExchangeQuery, ReadTraffic, WaitingMail, WriteTraffic};

impl ReadTraffic for Tenant<'_> {
    fn exchanges(&self, query: ExchangeQuery, count: u64) -> Result<Vec<(u64, Exchange)>, Error> {
        let mut sql =
            "SELECT sequence, document FROM exchanges WHERE org = $1 AND sequence < $2".to_owned();
        let (org, before, count) = (
            self.org(),
            query.before.map_or(i64::MAX, number),
            number(count),
        );
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![&org, &before, &count];
        let of = query.of.map(column);
        if let Some(of) = &of {
            sql.push_str(" AND integration = $4");
            values.push(of);
        }
        if query.failed {
            sql.push_str(" AND failed");
        }
        sql.push_str(" ORDER BY sequence DESC LIMIT $3");
        let rows = self.rows(&sql, &values)?;
        rows.iter()
            .map(|row| Ok((from_number(row.try_get(0)?), from_json(row.try_get(1)?)?)))
            .collect()
    }

    fn exchange(&self, request: RequestId) -> Result<Option<Exchange>, Error> {
        let found = self.row(
            "SELECT document FROM exchanges WHERE org = $1 AND request = $2 ORDER BY sequence LIMIT 1",
            &[&self.org(), &uuid(request)],
        )?;
        found.as_ref().map(document).transpose()
    }

    fn first_exchange(&self, integration: IntegrationId) -> Result<Option<Exchange>, Error> {
        let found = self.row(
            "SELECT document FROM exchanges WHERE org = $1 AND integration = $2 ORDER BY sequence LIMIT 1",
            &[&self.org(), &uuid(integration)],
        )?;
        found.as_ref().map(document).transpose()
    }

    fn traffic(&self, from: Timestamp) -> Result<Vec<Hour>, Error> {
        let rows = self.rows(
            "SELECT hour, integration, requests, failed FROM traffic WHERE org = $1 AND hour >= $2 ORDER BY hour, integration",
            &[&self.org(), &instant(from).div_euclid(HOUR)],
        )?;
        let hours = rows.iter().map(|row| {
            let integration: Uuid = row.try_get(1)?;
            Ok(Hour {
                from: from_instant(row.try_get::<_, i64>(0)?.saturating_mul(HOUR)),
                integration: (!integration.is_nil())
                    .then(|| IntegrationId::from_bytes(integration.into_bytes())),
                requests: from_number(row.try_get(2)?),
                failed: from_number(row.try_get(3)?),
            })
        });
        hours.collect()
    }

    fn due_mail(
        &self,
        now: Timestamp,
        beyond: Timestamp,
        count: u64,
    ) -> Result<Vec<WaitingMail>, Error> {
        let rows = self.rows(
            "SELECT sequence, due, attempts, sealed FROM mail WHERE org = $1 AND (due <= $2 OR due > $3) ORDER BY due, sequence LIMIT $4",
            &[&self.org(), &instant(now), &instant(beyond), &number(count)],
        )?;
        let mails = rows.iter().map(|row| {
            Ok(WaitingMail {
                sequence: from_number(row.try_get(0)?),
                due: from_instant(row.try_get(1)?),
                attempts: u32::try_from(row.try_get::<_, i64>(2)?).unwrap_or(u32::MAX),
                sealed: row.try_get(3)?,
            })
        });
        mails.collect()
    }

    fn data_keys(&self) -> Result<Vec<DataKey>, Error> {
        let rows = self.rows(
            "SELECT number, since, sealed FROM data_keys WHERE org = $1 ORDER BY number DESC",
            &[&self.org()],
        )?;
        let keys = rows.iter().map(|row| {
            Ok(DataKey {
                number: from_number(row.try_get(0)?),
                since: from_instant(row.try_get(1)?),
                sealed: row.try_get(2)?,
            })
        });
        keys.collect()
    }

    fn waiting_mail(&self) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM mail WHERE org = $1";
        let row = self.row(sql, &[&self.org()])?;
        row.map_or(Ok(0), |row| Ok(from_number(row.try_get(0)?)))
    }
}

impl WriteTraffic for Tenant<'_> {
    fn append_exchanges(&mut self, exchanges: &[Exchange]) -> Result<(), Error> {
        if exchanges.is_empty() {
            return Ok(());
        }
        let many = number(exchanges.len() as u64);
        let last = self.count_up(Counter::Exchange, many)?;
        let places: Vec<i64> = (last - many + 1..=last).collect();
        let (mut requests, mut integrations) = (Vec::new(), Vec::new());
        let (mut failures, mut documents) = (Vec::new(), Vec::new());
        for exchange in exchanges {
            requests.push(uuid(exchange.request));
            integrations.push(column(exchange.integration));
            failures.push(exchange.failed());
            documents.push(json(exchange)?);
        }
        self.execute(
            "INSERT INTO exchanges (org, sequence, request, integration, failed, document)
             SELECT $1, new.* FROM unnest($2::bigint[], $3::uuid[], $4::uuid[], $5::boolean[], $6::text[]) AS new",
            &[&self.org(), &places, &requests, &integrations, &failures, &documents],
        )?;
        self.execute(
            "DELETE FROM exchanges WHERE org = $1 AND sequence <= $2",
            &[&self.org(), &last.saturating_sub(number(KEPT))],
        )?;
        Ok(())
    }

    fn count_traffic(&mut self, hours: &[Hour]) -> Result<(), Error> {
        if hours.is_empty() {
            return Ok(());
        }
        let (mut begins, mut of) = (Vec::new(), Vec::new());
        let (mut requests, mut failed) = (Vec::new(), Vec::new());
        for hour in hours {
            begins.push(instant(hour.from).div_euclid(HOUR));
            of.push(column(hour.integration));
            requests.push(number(hour.requests));
            failed.push(number(hour.failed));
        }
        self.execute(
            "INSERT INTO traffic (org, hour, integration, requests, failed)
             SELECT $1, new.* FROM unnest($2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[]) AS new
             ON CONFLICT (org, hour, integration) DO UPDATE
             SET requests = traffic.requests + excluded.requests, failed = traffic.failed + excluded.failed",
            &[&self.org(), &begins, &of, &requests, &failed],
        )?;
        Ok(())
    }

    fn save_data_key(&mut self, key: &DataKey) -> Result<(), Error> {
        self.execute(
            "INSERT INTO data_keys (org, number, since, sealed) VALUES ($1, $2, $3, $4)
             ON CONFLICT (org, number) DO UPDATE SET since = excluded.since, sealed = excluded.sealed",
            &[&self.org(), &number(key.number), &instant(key.since), &key.sealed],
        )?;
        Ok(())
    }

    fn remove_data_key(&mut self, key: u64) -> Result<(), Error> {
        self.execute(
            "DELETE FROM data_keys WHERE org = $1 AND number = $2",
            &[&self.org(), &number(key)],
        )?;
        Ok(())
    }

    fn queue_mail(&mut self, due: Timestamp, seal: &dyn Fn(u64) -> Vec<u8>) -> Result<(), Error> {
        let sequence = self.count_up(Counter::Mail, 1)?;
        let sealed = seal(sequence.unsigned_abs());
        self.execute(
            "INSERT INTO mail (org, sequence, due, sealed) VALUES ($1, $2, $3, $4)",
            &[&self.org(), &sequence, &instant(due), &sealed],
        )?;
        Ok(())
    }

    fn defer_mail(&mut self, sequence: u64, due: Timestamp) -> Result<(), Error> {
        self.execute(
            "UPDATE mail SET due = $3, attempts = attempts + 1 WHERE org = $1 AND sequence = $2",
            &[&self.org(), &number(sequence), &instant(due)],
        )?;
        Ok(())
    }

    fn remove_mail(&mut self, sequence: u64) -> Result<(), Error> {
        self.execute(
            "DELETE FROM mail WHERE org = $1 AND sequence = $2",
            &[&self.org(), &number(sequence)],
        )?;
        Ok(())
    }
}
