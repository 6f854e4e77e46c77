//! Webhooks: endpoints of other systems that are told what happens in an organisation.
//!
//! **Is:** what an administrator does with them, and in [`rounds`] what is to be delivered next and what came of it. Events are made of the
//! organisation's change feed, and of nothing else: where an endpoint is in the feed is stored, so nothing that happened is lost.
//! **Is not:** sending; `rollcall-engine` does that.
//! **Start at** [`App::add_webhook`].

pub mod rounds;
mod signature;

use jiff::Timestamp;
use rollcall_model::webhook::{
    Delivery, Health, MOST, NAME_LENGTH, OVERLAP, Status, URL_LENGTH, Wanted, Why,
};
use rollcall_model::{EventType, OrgId, Origin, Secret, Webhook, WebhookId};
use rollcall_scim::key::canonical;
use rollcall_store::{Hook, NewAudit, Reader, Writer};
use serde_json::{Map, Value, json};

use crate::directory::Context;
use crate::{App, Failure};

pub use signature::Secrets;

/// An endpoint as somebody wants it.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// What people call it.
    pub name: String,
    /// Its address, which the client for outgoing connections has read.
    pub url: String,
    /// What it is told.
    pub events: Wanted,
}

/// What is to be another way with an endpoint.
#[derive(Debug, Clone, Default)]
pub struct WebhookChange {
    /// Another name.
    pub name: Option<String>,
    /// Another address, which the client for outgoing connections has read.
    pub url: Option<String>,
    /// What it is told.
    pub events: Option<Wanted>,
    /// What it was when whoever changes it looked at it ([`Webhook::version`]); absent: it does not matter.
    pub expected: Option<String>,
}

/// What becomes of what happened while an endpoint was paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// It is delivered.
    Deliver,
    /// It is left out.
    LeaveOut,
}

/// How long the secret before a rotation goes on signing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Former {
    /// A day, beside the new one.
    Overlaps,
    /// Not at all.
    Ends,
}

/// An endpoint as it stands.
#[derive(Debug, Clone)]
pub struct WebhookStanding {
    /// The endpoint.
    pub webhook: Webhook,
    /// How many deliveries wait.
    pub waiting: u64,
    /// How many entries of the feed were not looked at for it.
    pub behind: u64,
}

impl App {
    /// Adds an endpoint, which is told what happens from now on. Returns its secret, which is shown this once.
    ///
    /// # Errors
    /// [`Failure::Taken`] when the organisation has one of that name; [`Failure::Forbidden`] when name, address or types cannot be used.
    pub async fn add_webhook(
        &self,
        context: &Context,
        new: NewWebhook,
    ) -> Result<(Webhook, Secret), Failure> {
        let now = self.now();
        let webhook = Webhook {
            id: WebhookId::new(now, &**self.randomness()),
            name: named(&new.name)?,
            url: addressed(new.url)?,
            events: wanted(new.events)?,
            status: Status::On,
            created: now,
            secret_made: now,
            former_until: None,
            health: Health::default(),
        };
        let secrets = Secrets::fresh(&**self.randomness());
        let secret = secrets.present();
        let (app, origin) = (self.clone(), context.origin().clone());
        let organisation = context.tenant().organisation();
        let added = context.tenant().write(move |writer| {
            if writer.webhooks()?.len() >= MOST {
                let reason =
                    format!("an organisation has {MOST} webhooks at most: remove one first");
                return Err(Failure::Forbidden { reason });
            }
            is_free(writer, &webhook)?;
            let sealed = app.seal_webhook(writer, organisation, webhook.id, &secrets)?;
            let position = writer.last_change()?;
            writer.insert_webhook(&webhook, &sealed, position)?;
            let detail = described(&webhook);
            note(writer, now, origin, webhook.id, ("webhook.created", detail))?;
            Ok(webhook)
        });
        Ok((added.await?, secret))
    }

    /// Lists the organisation's endpoints in order of creation.
    pub async fn webhooks(&self, context: &Context) -> Result<Vec<WebhookStanding>, Failure> {
        context
            .tenant()
            .read(|reader| {
                let last = reader.last_change()?;
                let mut standings = Vec::new();
                for hook in reader.webhooks()? {
                    standings.push(WebhookStanding {
                        waiting: reader.waiting_deliveries(hook.webhook.id)?,
                        behind: last.saturating_sub(hook.position),
                        webhook: hook.webhook,
                    });
                }
                Ok(standings)
            })
            .await
    }

    /// Finds an endpoint by its name, or by its id.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn webhook_named(&self, context: &Context, name: &str) -> Result<Webhook, Failure> {
        let (key, id) = (canonical(name), name.parse::<WebhookId>().ok());
        let webhooks = self.webhooks(context).await?.into_iter();
        webhooks
            .map(|standing| standing.webhook)
            .find(|one| canonical(&one.name) == key || Some(one.id) == id)
            .ok_or_else(|| missing(name))
    }

    /// Changes an endpoint. At another address the secret is another one too, which is returned, and shown this once: a secret never signs
    /// for an address that it was not made for.
    ///
    /// # Errors
    /// As [`Self::add_webhook`]; [`Failure::Missing`].
    pub async fn change_webhook(
        &self,
        context: &Context,
        id: WebhookId,
        change: WebhookChange,
    ) -> Result<(Webhook, Option<Secret>), Failure> {
        let name = change.name.as_deref().map(named).transpose()?;
        let url = change.url.map(addressed).transpose()?;
        let events = change.events.map(wanted).transpose()?;
        let app = self.clone();
        let organisation = context.tenant().organisation();
        self.on_webhook(context, id, move |writer, hook, now| {
            let before = hook.webhook;
            if change.expected.is_some_and(|seen| seen != before.version()) {
                return Err(Failure::Precondition);
            }
            let mut webhook = before.clone();
            if let Some(name) = name {
                webhook.name = name;
            }
            if let Some(events) = events {
                webhook.events = events;
            }
            let mut secret = None;
            if let Some(url) = url.filter(|url| *url != before.url) {
                webhook.url = url;
                webhook.secret_made = now;
                webhook.former_until = None;
                webhook.health.forgive();
                let secrets = Secrets::fresh(&**app.randomness());
                let sealed = app.seal_webhook(writer, organisation, id, &secrets)?;
                writer.save_webhook_secret(id, &sealed)?;
                secret = Some(secrets.present());
            }
            if webhook == before {
                return Ok(((webhook, None), None));
            }
            is_free(writer, &webhook)?;
            writer.save_webhook(&webhook)?;
            let mut detail = description(&webhook);
            let word = if secret.is_some() { "new" } else { "kept" };
            detail.insert("secret".to_owned(), json!(word));
            let detail = Value::Object(detail);
            Ok(((webhook, secret), Some(("webhook.changed", detail))))
        })
        .await
    }

    /// Pauses an endpoint: what happens from now on stays in the feed.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn pause_webhook(&self, context: &Context, id: WebhookId) -> Result<(), Failure> {
        self.on_webhook(context, id, move |writer, hook, now| {
            let mut webhook = hook.webhook;
            if !webhook.is_on() {
                return Ok(((), None));
            }
            webhook.status = Status::Paused {
                since: now,
                why: Why::Asked,
            };
            writer.save_webhook(&webhook)?;
            Ok(((), Some(("webhook.paused", json!({"name": webhook.name})))))
        })
        .await
    }

    /// Resumes an endpoint. What waited is tried at once, as if it had not been tried before; or it is left out with what happened since, and
    /// can be sent again one by one.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn resume_webhook(
        &self,
        context: &Context,
        id: WebhookId,
        missed: Missed,
    ) -> Result<(), Failure> {
        self.on_webhook(context, id, move |writer, hook, now| {
            let mut webhook = hook.webhook;
            if webhook.is_on() {
                return Ok(((), None));
            }
            webhook.status = Status::On;
            webhook.health.forgive();
            writer.save_webhook(&webhook)?;
            let last = writer.last_change()?;
            let left_out = match missed {
                Missed::Deliver => {
                    writer.hurry_deliveries(id, now)?;
                    0
                }
                Missed::LeaveOut => {
                    writer.move_webhook(id, last)?;
                    let waiting = writer.waiting_deliveries(id)?;
                    // whenever they are due
                    let until = Timestamp::MAX;
                    for (sequence, delivery) in writer.due_deliveries(id, until, until, waiting)? {
                        writer.save_delivery(id, sequence, &delivery.left_out(now))?;
                    }
                    last.saturating_sub(hook.position).saturating_add(waiting)
                }
            };
            let detail = json!({"name": webhook.name, "left_out": left_out});
            Ok(((), Some(("webhook.resumed", detail))))
        })
        .await
    }

    /// Makes a new secret, which is shown this once.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn rotate_webhook_secret(
        &self,
        context: &Context,
        id: WebhookId,
        former: Former,
    ) -> Result<(Webhook, Secret), Failure> {
        let app = self.clone();
        let organisation = context.tenant().organisation();
        self.on_webhook(context, id, move |writer, hook, now| {
            let secrets = match former {
                Former::Overlaps => {
                    let before = app.open_webhook(&*writer, organisation, &hook)?;
                    before.rotated(&**app.randomness())
                }
                Former::Ends => Secrets::fresh(&**app.randomness()),
            };
            let mut webhook = hook.webhook;
            webhook.secret_made = now;
            webhook.former_until = match former {
                Former::Overlaps => now.saturating_add(OVERLAP).ok(),
                Former::Ends => None,
            };
            let sealed = app.seal_webhook(writer, organisation, id, &secrets)?;
            writer.save_webhook_secret(id, &sealed)?;
            writer.save_webhook(&webhook)?;
            let detail = json!({"name": webhook.name, "former_until": webhook.former_until});
            let secret = secrets.present();
            Ok(((webhook, secret), Some(("webhook.secret_rotated", detail))))
        })
        .await
    }

    /// Removes an endpoint, with what waited for it.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn remove_webhook(&self, context: &Context, id: WebhookId) -> Result<(), Failure> {
        self.on_webhook(context, id, move |writer, hook, _| {
            writer.remove_webhook(id)?;
            let detail = described(&hook.webhook);
            Ok(((), Some(("webhook.removed", detail))))
        })
        .await
    }

    /// Returns the latest deliveries of an endpoint with their places, latest first, before the given place.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn webhook_deliveries(
        &self,
        context: &Context,
        id: WebhookId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<(u64, Delivery)>, Failure> {
        context
            .tenant()
            .read(move |reader| {
                there(reader, id)?;
                Ok(reader.deliveries(id, before, count)?)
            })
            .await
    }

    /// Has a delivery sent at once, whether it waits, was given up, or was delivered before: its event has the same id, so whoever has it
    /// already can tell. An endpoint that rests is woken by that.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Forbidden`] while the endpoint is paused, and for a test.
    pub async fn send_delivery_again(
        &self,
        context: &Context,
        id: WebhookId,
        sequence: u64,
    ) -> Result<(), Failure> {
        self.on_webhook(context, id, move |writer, hook, _| {
            let mut webhook = hook.webhook;
            let delivery = writer.delivery(id, sequence)?;
            let delivery = delivery.ok_or_else(|| Failure::Missing {
                noun: "delivery",
                id: sequence.to_string(),
            })?;
            if !webhook.is_on() {
                return Err(Failure::Forbidden {
                    reason: "the webhook is paused: resume it first".to_owned(),
                });
            }
            if delivery.event.kind == EventType::Test {
                return Err(Failure::Forbidden {
                    reason: "this was a test event: send another one".to_owned(),
                });
            }
            webhook.health.rest_until = None;
            writer.save_webhook(&webhook)?;
            let detail = json!({"name": webhook.name, "event": delivery.event.id});
            // before all that were due already
            writer.save_delivery(id, sequence, &delivery.again(webhook.created))?;
            Ok(((), Some(("webhook.sent_again", detail))))
        })
        .await
    }

    /// Changes an endpoint in one transaction with the entry of the audit log that the change returns, if it changed anything.
    async fn on_webhook<T: Send + 'static>(
        &self,
        context: &Context,
        id: WebhookId,
        change: impl FnOnce(
            &mut dyn Writer,
            Hook,
            Timestamp,
        ) -> Result<(T, Option<(&'static str, Value)>), Failure>
        + Send
        + 'static,
    ) -> Result<T, Failure> {
        let (now, origin) = (self.now(), context.origin().clone());
        context
            .tenant()
            .write(move |writer| {
                let hook = there(&*writer, id)?;
                let (result, entry) = change(writer, hook, now)?;
                if let Some(entry) = entry {
                    note(writer, now, origin, id, entry)?;
                }
                Ok(result)
            })
            .await
    }

    fn seal_webhook(
        &self,
        writer: &mut dyn Writer,
        organisation: OrgId,
        id: WebhookId,
        secrets: &Secrets,
    ) -> Result<Vec<u8>, Failure> {
        let randomness = &**self.randomness();
        let key = (self.sealer()).sealing_key(writer, organisation, self.now(), randomness)?;
        Ok(key.seal(&place(organisation, id), &secrets.text(), randomness))
    }

    fn open_webhook(
        &self,
        reader: &dyn Reader,
        organisation: OrgId,
        hook: &Hook,
    ) -> Result<Secrets, Failure> {
        let place = place(organisation, hook.webhook.id);
        let text = (self.sealer()).open(reader, organisation, &place, &hook.sealed_secret)?;
        Ok(Secrets::read(&text))
    }
}

/// Where the secrets of an endpoint are kept.
pub(crate) fn place(organisation: OrgId, id: WebhookId) -> String {
    format!("webhooks.sealed_secret {organisation} {id}")
}

fn there<R: Reader + ?Sized>(reader: &R, id: WebhookId) -> Result<Hook, Failure> {
    reader.webhook(id)?.ok_or_else(|| missing(id))
}

fn missing(id: impl ToString) -> Failure {
    Failure::Missing {
        noun: "webhook",
        id: id.to_string(),
    }
}

fn note(
    writer: &mut dyn Writer,
    now: Timestamp,
    origin: Origin,
    id: WebhookId,
    (action, detail): (&'static str, Value),
) -> Result<(), Failure> {
    let entry = NewAudit {
        origin,
        action,
        object: id.to_string(),
        detail,
    };
    Ok(writer.append_audit(now, &entry)?)
}

/// Describes an endpoint for the audit log, without what may be a secret in its address.
fn described(webhook: &Webhook) -> Value {
    Value::Object(description(webhook))
}

fn description(webhook: &Webhook) -> Map<String, Value> {
    let events = match &webhook.events {
        Wanted::All => json!("all"),
        Wanted::Only(types) => json!(types),
    };
    [
        ("name", json!(webhook.name)),
        ("address", json!(webhook.place())),
        ("events", events),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect()
}

fn is_free(writer: &dyn Writer, webhook: &Webhook) -> Result<(), Failure> {
    let key = canonical(&webhook.name);
    let is_taken =
        |other: &Hook| other.webhook.id != webhook.id && canonical(&other.webhook.name) == key;
    if writer.webhooks()?.iter().any(is_taken) {
        return Err(Failure::Taken {
            attribute: "name",
            hint: "this organisation has a webhook of that name; choose another one",
        });
    }
    Ok(())
}

/// Says why a name cannot be used; absent: it can.
pub fn unusable_name(name: &str) -> Option<String> {
    let name = name.trim();
    let is_sound = !name.is_empty()
        && name.chars().count() <= NAME_LENGTH
        && !name.chars().any(char::is_control);
    (!is_sound).then(|| {
        format!(
            "the name of a webhook has 1 to {NAME_LENGTH} characters, and no line breaks or other control characters"
        )
    })
}

/// Says why an address cannot be used, though the client would call it; absent: it can.
pub fn unusable_url(url: &str) -> Option<String> {
    (url.len() > URL_LENGTH || url.contains('#'))
        .then(|| format!("the address of a webhook has {URL_LENGTH} bytes at most, and no `#`"))
}

/// Says why a choice of events cannot be used; absent: it can.
pub fn unusable_events(events: &Wanted) -> Option<String> {
    let has_none = matches!(events, Wanted::Only(types) if types.is_empty());
    has_none.then(|| "choose at least one type of event, or all".to_owned())
}

fn named(name: &str) -> Result<String, Failure> {
    usable(name.trim().to_owned(), unusable_name(name))
}

fn addressed(url: String) -> Result<String, Failure> {
    let unusable = unusable_url(&url);
    usable(url, unusable)
}

fn wanted(events: Wanted) -> Result<Wanted, Failure> {
    let unusable = unusable_events(&events);
    usable(events, unusable)
}

fn usable<T>(value: T, unusable: Option<String>) -> Result<T, Failure> {
    match unusable {
        Some(reason) => Err(Failure::Forbidden { reason }),
        None => Ok(value),
    }
}

#[cfg(test)]
mod tests;
