//! Endpoints that are told what happens, in PostgreSQL.

use jiff::Timestamp;
use rollcall_model::webhook::Beyond;
use rollcall_model::{Delivery, OrgId, Webhook, WebhookId};
use tokio_postgres::Row;

use super::convert::{existing, from_json, from_number, id as id_at, instant, json, number, uuid};
use super::glances::Glances;
use super::unit::Tenant;
use crate::{Error, Hook, ReadWebhooks, WriteWebhooks};

const HOOK: &str = "SELECT document, sealed_secret, position, runner FROM webhooks";
const DELIVERY: &str = "SELECT sequence, document FROM webhook_deliveries";

/// Finds the endpoints for which there is something to do.
pub(super) async fn due(
    glances: &Glances,
    now: Timestamp,
    beyond: Beyond,
) -> Result<Vec<(OrgId, WebhookId)>, Error> {
    let sql = "SELECT w.org, w.id FROM webhooks w JOIN organisations o ON o.id = w.org
         WHERE (w.active AND (w.rest IS NULL OR w.rest <= $1 OR w.rest > $2) AND (w.position < o.last_change
                OR EXISTS (SELECT 1 FROM webhook_deliveries d
                           WHERE d.org = w.org AND d.webhook = w.id AND d.due IS NOT NULL AND (d.due <= $1 OR d.due > $3))))
            OR EXISTS (SELECT 1 FROM webhook_deliveries d
                       WHERE d.org = w.org AND d.webhook = w.id AND d.kept_until IS NOT NULL AND d.kept_until <= $1)
         ORDER BY w.org, w.id";
    let (now, rests, deliveries) = (
        instant(now),
        instant(beyond.rests),
        instant(beyond.deliveries),
    );
    let rows = glances.rows(sql, &[&now, &rests, &deliveries]).await?;
    let found = rows.iter().map(|row| Ok((id_at(row, 0)?, id_at(row, 1)?)));
    found.collect()
}

impl ReadWebhooks for Tenant<'_> {
    fn webhooks(&self) -> Result<Vec<Hook>, Error> {
        let rows = self.rows(
            &format!("{HOOK} WHERE org = $1 ORDER BY id"),
            &[&self.org()],
        )?;
        rows.iter().map(hook).collect()
    }

    fn webhook(&self, id: WebhookId) -> Result<Option<Hook>, Error> {
        let row = self.row(
            &format!("{HOOK} WHERE org = $1 AND id = $2"),
            &[&self.org(), &uuid(id)],
        )?;
        row.as_ref().map(hook).transpose()
    }

    fn deliveries(
        &self,
        id: WebhookId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<(u64, Delivery)>, Error> {
        let rows = self.rows(
            &format!("{DELIVERY} WHERE org = $1 AND webhook = $2 AND sequence < $3 ORDER BY sequence DESC LIMIT $4"),
            &[
                &self.org(),
                &uuid(id),
                &before.map_or(i64::MAX, number),
                &number(count),
            ],
        )?;
        rows.iter().map(delivery).collect()
    }

    fn delivery(&self, id: WebhookId, sequence: u64) -> Result<Option<Delivery>, Error> {
        let row = self.row(
            &format!("{DELIVERY} WHERE org = $1 AND webhook = $2 AND sequence = $3"),
            &[&self.org(), &uuid(id), &number(sequence)],
        )?;
        let found = row.as_ref().map(delivery).transpose()?;
        Ok(found.map(|(_, delivery)| delivery))
    }

    fn due_deliveries(
        &self,
        id: WebhookId,
        now: Timestamp,
        beyond: Timestamp,
        count: u64,
    ) -> Result<Vec<(u64, Delivery)>, Error> {
        let rows = self.rows(
            &format!(
                "{DELIVERY} WHERE org = $1 AND webhook = $2 AND due IS NOT NULL AND (due <= $3 OR due > $4)
                 ORDER BY due, sequence LIMIT $5"
            ),
            &[
                &self.org(),
                &uuid(id),
                &instant(now),
                &instant(beyond),
                &number(count),
            ],
        )?;
        rows.iter().map(delivery).collect()
    }

    fn waiting_deliveries(&self, id: WebhookId) -> Result<u64, Error> {
        let row = self.row(
            "SELECT count(*) FROM webhook_deliveries WHERE org = $1 AND webhook = $2 AND due IS NOT NULL",
            &[&self.org(), &uuid(id)],
        )?;
        row.map_or(Ok(0), |row| Ok(from_number(row.try_get(0)?)))
    }
}

impl WriteWebhooks for Tenant<'_> {
    fn insert_webhook(
        &mut self,
        webhook: &Webhook,
        sealed_secret: &[u8],
        position: u64,
    ) -> Result<(), Error> {
        self.execute(
            "INSERT INTO webhooks (org, id, document, sealed_secret, position, active, rest)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                &self.org(),
                &uuid(webhook.id),
                &json(webhook)?,
                &sealed_secret,
                &number(position),
                &webhook.is_on(),
                &webhook.health.rest_until.map(instant),
            ],
        )?;
        Ok(())
    }

    fn save_webhook(&mut self, webhook: &Webhook) -> Result<(), Error> {
        existing(self.execute(
            "UPDATE webhooks SET document = $3, active = $4, rest = $5 WHERE org = $1 AND id = $2",
            &[
                &self.org(),
                &uuid(webhook.id),
                &json(webhook)?,
                &webhook.is_on(),
                &webhook.health.rest_until.map(instant),
            ],
        )?)
    }

    fn save_webhook_secret(&mut self, id: WebhookId, sealed_secret: &[u8]) -> Result<(), Error> {
        existing(self.execute(
            "UPDATE webhooks SET sealed_secret = $3 WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id), &sealed_secret],
        )?)
    }

    fn move_webhook(&mut self, id: WebhookId, position: u64) -> Result<(), Error> {
        existing(self.execute(
            "UPDATE webhooks SET position = $3 WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id), &number(position)],
        )?)
    }

    fn remove_webhook(&mut self, id: WebhookId) -> Result<(), Error> {
        existing(self.execute(
            "DELETE FROM webhooks WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id)],
        )?)
    }

    fn add_deliveries(&mut self, id: WebhookId, added: &[Delivery]) -> Result<(), Error> {
        let many = number(added.len() as u64);
        let row = self.row(
            "UPDATE webhooks SET last_delivery = last_delivery + $3 WHERE org = $1 AND id = $2 RETURNING last_delivery",
            &[&self.org(), &uuid(id), &many],
        )?;
        let last: i64 = row.ok_or(Error::Missing)?.try_get(0)?;
        let places: Vec<i64> = (last - many + 1..=last).collect();
        let (mut dues, mut ends, mut documents) = (Vec::new(), Vec::new(), Vec::new());
        for delivery in added {
            dues.push(delivery.due().map(instant));
            ends.push(delivery.kept_until().map(instant));
            documents.push(json(delivery)?);
        }
        self.execute(
            "INSERT INTO webhook_deliveries (org, webhook, sequence, due, kept_until, document)
             SELECT $1, $2, new.* FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::text[]) AS new",
            &[&self.org(), &uuid(id), &places, &dues, &ends, &documents],
        )?;
        Ok(())
    }

    fn save_delivery(
        &mut self,
        id: WebhookId,
        sequence: u64,
        delivery: &Delivery,
    ) -> Result<(), Error> {
        self.execute(
            "UPDATE webhook_deliveries SET due = $4, kept_until = $5, document = $6
             WHERE org = $1 AND webhook = $2 AND sequence = $3",
            &[
                &self.org(),
                &uuid(id),
                &number(sequence),
                &delivery.due().map(instant),
                &delivery.kept_until().map(instant),
                &json(delivery)?,
            ],
        )?;
        Ok(())
    }

    fn forget_deliveries(&mut self, id: WebhookId, now: Timestamp, kept: u64) -> Result<(), Error> {
        self.execute(
            "DELETE FROM webhook_deliveries
             WHERE org = $1 AND webhook = $2 AND kept_until IS NOT NULL AND kept_until <= $3",
            &[&self.org(), &uuid(id), &instant(now)],
        )?;
        self.execute(
            // what is to be kept longest, because nobody took it, goes last
            "DELETE FROM webhook_deliveries WHERE org = $1 AND webhook = $2 AND kept_until IS NOT NULL
                 AND sequence IN (SELECT sequence FROM webhook_deliveries
                                  WHERE org = $1 AND webhook = $2 AND kept_until IS NOT NULL
                                  ORDER BY kept_until DESC, sequence DESC OFFSET $3)",
            &[&self.org(), &uuid(id), &number(kept)],
        )?;
        Ok(())
    }

    fn hurry_deliveries(&mut self, id: WebhookId, now: Timestamp) -> Result<(), Error> {
        let waiting = self.rows(
            &format!("{DELIVERY} WHERE org = $1 AND webhook = $2 AND due IS NOT NULL"),
            &[&self.org(), &uuid(id)],
        )?;
        for row in &waiting {
            let (sequence, delivery) = delivery(row)?;
            self.save_delivery(id, sequence, &delivery.again(now))?;
        }
        Ok(())
    }
}

fn hook(row: &Row) -> Result<Hook, Error> {
    Ok(Hook {
        webhook: from_json(row.try_get(0)?)?,
        sealed_secret: row.try_get(1)?,
        position: from_number(row.try_get(2)?),
        runner: from_number(row.try_get(3)?),
    })
}

fn delivery(row: &Row) -> Result<(u64, Delivery), Error> {
    Ok((from_number(row.try_get(0)?), from_json(row.try_get(1)?)?))
}
