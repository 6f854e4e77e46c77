//! Endpoints that are told what happens, in SQLite.

use jiff::Timestamp;
use rollcall_model::webhook::Beyond;
use rollcall_model::{Delivery, OrgId, Webhook, WebhookId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::convert::{blob, existing, from_json, from_number, id as id_at, instant, json, number};
use super::unit::Tenant;
use crate::{Error, Hook, ReadWebhooks, WriteWebhooks};

const HOOK: &str = "SELECT document, sealed_secret, position, runner FROM webhooks";
const DELIVERY: &str = "SELECT sequence, document FROM webhook_deliveries";

/// Finds the endpoints for which there is something to do.
pub(super) fn due(
    connection: &Connection,
    now: Timestamp,
    beyond: Beyond,
) -> Result<Vec<(OrgId, WebhookId)>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT w.org, w.id FROM webhooks w JOIN organisations o ON o.id = w.org
         WHERE (w.active AND (w.rest IS NULL OR w.rest <= ?1 OR w.rest > ?2) AND (w.position < o.last_change
                OR EXISTS (SELECT 1 FROM webhook_deliveries d
                           WHERE d.org = w.org AND d.webhook = w.id AND d.due IS NOT NULL AND (d.due <= ?1 OR d.due > ?3))))
            OR EXISTS (SELECT 1 FROM webhook_deliveries d
                       WHERE d.org = w.org AND d.webhook = w.id AND d.kept_until IS NOT NULL AND d.kept_until <= ?1)
         ORDER BY w.org, w.id",
    )?;
    let bounds = params![
        instant(now),
        instant(beyond.rests),
        instant(beyond.deliveries)
    ];
    let rows = statement.query_map(bounds, |row| Ok((id_at(row, 0)?, id_at(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

impl ReadWebhooks for Tenant<'_> {
    fn webhooks(&self) -> Result<Vec<Hook>, Error> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("{HOOK} WHERE org = ?1 ORDER BY id"))?;
        let mut rows = statement.query([self.org()])?;
        let mut hooks = Vec::new();
        while let Some(row) = rows.next()? {
            hooks.push(hook(row)?);
        }
        Ok(hooks)
    }

    fn webhook(&self, id: WebhookId) -> Result<Option<Hook>, Error> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("{HOOK} WHERE org = ?1 AND id = ?2"))?;
        let mut rows = statement.query(params![self.org(), blob(id)])?;
        rows.next()?.map(hook).transpose()
    }

    fn deliveries(
        &self,
        id: WebhookId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<(u64, Delivery)>, Error> {
        let mut statement = self.connection.prepare_cached(&format!(
            "{DELIVERY} WHERE org = ?1 AND webhook = ?2 AND sequence < ?3 ORDER BY sequence DESC LIMIT ?4"
        ))?;
        let before = before.map_or(i64::MAX, number);
        let rows = statement.query(params![self.org(), blob(id), before, number(count)])?;
        deliveries(rows)
    }

    fn delivery(&self, id: WebhookId, sequence: u64) -> Result<Option<Delivery>, Error> {
        let mut statement = self.connection.prepare_cached(&format!(
            "{DELIVERY} WHERE org = ?1 AND webhook = ?2 AND sequence = ?3"
        ))?;
        let rows = statement.query(params![self.org(), blob(id), number(sequence)])?;
        let found = deliveries(rows)?.into_iter().next();
        Ok(found.map(|(_, delivery)| delivery))
    }

    fn due_deliveries(
        &self,
        id: WebhookId,
        now: Timestamp,
        beyond: Timestamp,
        count: u64,
    ) -> Result<Vec<(u64, Delivery)>, Error> {
        let mut statement = self.connection.prepare_cached(&format!(
            "{DELIVERY} WHERE org = ?1 AND webhook = ?2 AND due IS NOT NULL AND (due <= ?3 OR due > ?4)
             ORDER BY due, sequence LIMIT ?5"
        ))?;
        let rows = statement.query(params![
            self.org(),
            blob(id),
            instant(now),
            instant(beyond),
            number(count)
        ])?;
        deliveries(rows)
    }

    fn waiting_deliveries(&self, id: WebhookId) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM webhook_deliveries WHERE org = ?1 AND webhook = ?2 AND due IS NOT NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        let count = statement.query_row(params![self.org(), blob(id)], |row| row.get(0))?;
        Ok(from_number(count))
    }
}

impl WriteWebhooks for Tenant<'_> {
    fn insert_webhook(
        &mut self,
        webhook: &Webhook,
        sealed_secret: &[u8],
        position: u64,
    ) -> Result<(), Error> {
        self.connection.execute(
            "INSERT INTO webhooks (org, id, document, sealed_secret, position, active, rest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                self.org(),
                blob(webhook.id),
                json(webhook)?,
                sealed_secret,
                number(position),
                webhook.is_on(),
                webhook.health.rest_until.map(instant),
            ],
        )?;
        Ok(())
    }

    fn save_webhook(&mut self, webhook: &Webhook) -> Result<(), Error> {
        existing(
            self.connection
                .prepare_cached(
                    "UPDATE webhooks SET document = ?3, active = ?4, rest = ?5 WHERE org = ?1 AND id = ?2",
                )?
                .execute(params![
                    self.org(),
                    blob(webhook.id),
                    json(webhook)?,
                    webhook.is_on(),
                    webhook.health.rest_until.map(instant),
                ])?,
        )
    }

    fn save_webhook_secret(&mut self, id: WebhookId, sealed_secret: &[u8]) -> Result<(), Error> {
        existing(self.connection.execute(
            "UPDATE webhooks SET sealed_secret = ?3 WHERE org = ?1 AND id = ?2",
            params![self.org(), blob(id), sealed_secret],
        )?)
    }

    fn move_webhook(&mut self, id: WebhookId, position: u64) -> Result<(), Error> {
        existing(
            self.connection
                .prepare_cached("UPDATE webhooks SET position = ?3 WHERE org = ?1 AND id = ?2")?
                .execute(params![self.org(), blob(id), number(position)])?,
        )
    }

    fn remove_webhook(&mut self, id: WebhookId) -> Result<(), Error> {
        existing(self.connection.execute(
            "DELETE FROM webhooks WHERE org = ?1 AND id = ?2",
            params![self.org(), blob(id)],
        )?)
    }

    fn add_deliveries(&mut self, id: WebhookId, added: &[Delivery]) -> Result<(), Error> {
        let last: i64 = self
            .connection
            .prepare_cached(
                "UPDATE webhooks SET last_delivery = last_delivery + ?3 WHERE org = ?1 AND id = ?2 RETURNING last_delivery",
            )?
            .query_row(params![self.org(), blob(id), number(added.len() as u64)], |row| row.get(0))
            .optional()?
            .ok_or(Error::Missing)?;
        let first = last - number(added.len() as u64) + 1;
        for (sequence, delivery) in (first..).zip(added) {
            self.connection
                .prepare_cached(
                    "INSERT INTO webhook_deliveries (org, webhook, sequence, due, kept_until, document)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    self.org(),
                    blob(id),
                    sequence,
                    delivery.due().map(instant),
                    delivery.kept_until().map(instant),
                    json(delivery)?
                ])?;
        }
        Ok(())
    }

    fn save_delivery(
        &mut self,
        id: WebhookId,
        sequence: u64,
        delivery: &Delivery,
    ) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "UPDATE webhook_deliveries SET due = ?4, kept_until = ?5, document = ?6
                 WHERE org = ?1 AND webhook = ?2 AND sequence = ?3",
            )?
            .execute(params![
                self.org(),
                blob(id),
                number(sequence),
                delivery.due().map(instant),
                delivery.kept_until().map(instant),
                json(delivery)?
            ])?;
        Ok(())
    }

    fn forget_deliveries(&mut self, id: WebhookId, now: Timestamp, kept: u64) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "DELETE FROM webhook_deliveries
                 WHERE org = ?1 AND webhook = ?2 AND kept_until IS NOT NULL AND kept_until <= ?3",
            )?
            .execute(params![self.org(), blob(id), instant(now)])?;
        self.connection
            .prepare_cached(
                // what is to be kept longest, because nobody took it, goes last
                "DELETE FROM webhook_deliveries WHERE org = ?1 AND webhook = ?2 AND kept_until IS NOT NULL
                     AND sequence IN (SELECT sequence FROM webhook_deliveries
                                      WHERE org = ?1 AND webhook = ?2 AND kept_until IS NOT NULL
                                      ORDER BY kept_until DESC, sequence DESC LIMIT -1 OFFSET ?3)",
            )?
            .execute(params![self.org(), blob(id), number(kept)])?;
        Ok(())
    }

    fn hurry_deliveries(&mut self, id: WebhookId, now: Timestamp) -> Result<(), Error> {
        let waiting = {
            let mut statement = self.connection.prepare_cached(&format!(
                "{DELIVERY} WHERE org = ?1 AND webhook = ?2 AND due IS NOT NULL"
            ))?;
            deliveries(statement.query(params![self.org(), blob(id)])?)?
        };
        for (sequence, delivery) in waiting {
            self.save_delivery(id, sequence, &delivery.again(now))?;
        }
        Ok(())
    }
}

fn hook(row: &Row<'_>) -> Result<Hook, Error> {
    Ok(Hook {
        webhook: from_json(&row.get::<_, String>(0)?)?,
        sealed_secret: row.get(1)?,
        position: from_number(row.get(2)?),
        runner: from_number(row.get(3)?),
    })
}

fn deliveries(mut rows: rusqlite::Rows<'_>) -> Result<Vec<(u64, Delivery)>, Error> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let document: String = row.get(1)?;
        found.push((from_number(row.get(0)?), from_json(&document)?));
    }
    Ok(found)
}
