//! `rollcall webhook`.

use rollcall_app::App;
use rollcall_app::directory::Context;
use rollcall_app::webhooks::rounds::said;
use rollcall_app::webhooks::{Former, Missed, NewWebhook, WebhookChange, WebhookStanding};
use rollcall_engine::Engine;
use rollcall_model::webhook::{Answer, State, Status, TRIES, Wanted, Why};
use rollcall_model::{Delivery, EventType, Secret, Slug, Webhook};
use serde_json::{Value, json};

use super::confirmation;
use crate::cli::webhook::{Add, Set, WebhookCommand, Which};
use crate::config::Config;
use crate::outcome::Exit;
use crate::{printer, runtime};

pub(crate) async fn run(
    config: &Config,
    command: WebhookCommand,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let desk = Desk {
        app: runtime::app(config).await?,
        config,
        as_json,
    };
    match command {
        WebhookCommand::List { org } => desk.list(&org).await,
        WebhookCommand::Add(command) => desk.add(command).await,
        WebhookCommand::Set(command) => desk.set(*command).await,
        WebhookCommand::Rotate { which, now } => desk.rotate(&which, now).await,
        WebhookCommand::Test(which) => desk.test(&which).await,
        WebhookCommand::Deliveries { which, count } => desk.deliveries(&which, count).await,
        WebhookCommand::Resend { which, number } => desk.resend(&which, number).await,
        WebhookCommand::Remove { which, yes } => desk.remove(&which, yes).await,
    }
}

/// What every command of an endpoint needs.
struct Desk<'c> {
    config: &'c Config,
    app: App,
    as_json: bool,
}

impl Desk<'_> {
    async fn context(&self, org: &Slug) -> anyhow::Result<Context> {
        let organisation = self.app.organisation(org).await?;
        Ok(self.app.command_context(organisation.id))
    }

    async fn find(&self, which: &Which) -> anyhow::Result<(Context, Webhook)> {
        let context = self.context(&which.org).await?;
        let webhook = self.app.webhook_named(&context, &which.name).await?;
        Ok((context, webhook))
    }

    /// Reads an address: one that can never be called is not stored.
    fn address(&self, url: &str) -> anyhow::Result<String> {
        Ok(runtime::client(self.config)?.address(url)?.to_string())
    }

    async fn list(&self, org: &Slug) -> anyhow::Result<Exit> {
        let context = self.context(org).await?;
        let standings = self.app.webhooks(&context).await?;
        let now = self.app.now();
        if self.as_json {
            let all: Vec<Value> = standings
                .iter()
                .map(|standing| {
                    let day = standing.webhook.health.last_day(now);
                    with(
                        described(&standing.webhook),
                        [
                            ("waiting", json!(standing.waiting)),
                            ("behind", json!(standing.behind)),
                            (
                                "last_day",
                                json!({"events": day.made, "delivered": day.delivered}),
                            ),
                        ],
                    )
                })
                .collect();
            printer::json(&all)?;
            return Ok(Exit::Done);
        }
        let rows = standings.iter().map(|standing| {
            let webhook = &standing.webhook;
            let day = webhook.health.last_day(now);
            [
                webhook.name.clone(),
                webhook.place(),
                status(standing),
                events(webhook),
                format!("{} of {}", day.delivered, day.made),
                or_never(webhook.health.last_try),
            ]
        });
        printer::table(
            [
                "name",
                "address",
                "status",
                "events",
                "delivered, 24 h",
                "last delivery",
            ],
            rows,
        );
        Ok(Exit::Done)
    }

    async fn add(&self, command: Add) -> anyhow::Result<Exit> {
        let context = self.context(&command.which.org).await?;
        let new = NewWebhook {
            name: command.which.name,
            url: self.address(&command.url)?,
            events: command.events.0,
        };
        let (webhook, secret) = self.app.add_webhook(&context, new).await?;
        self.secret(&webhook, &secret)
    }

    async fn set(&self, command: Set) -> anyhow::Result<Exit> {
        let (context, before) = self.find(&command.which).await?;
        let url = command.url.as_deref().map(|url| self.address(url));
        let change = WebhookChange {
            name: command.rename,
            url: url.transpose()?,
            events: command.events.map(|events| events.0),
            expected: None,
        };
        let (mut webhook, secret) = self.app.change_webhook(&context, before.id, change).await?;
        if command.pause {
            self.app.pause_webhook(&context, before.id).await?;
        }
        if command.resume {
            let missed = if command.leave_out {
                Missed::LeaveOut
            } else {
                Missed::Deliver
            };
            self.app.resume_webhook(&context, before.id, missed).await?;
        }
        if let Some(secret) = secret {
            printer::say("another address: the old secret is forgotten, and this is the new one");
            return self.secret(&webhook, &secret);
        }
        if command.pause || command.resume {
            let id = before.id.to_string();
            webhook = self.app.webhook_named(&context, &id).await?;
        }
        self.done(&format!("`{}` is set", webhook.name), described(&webhook))
    }

    async fn rotate(&self, which: &Which, now: bool) -> anyhow::Result<Exit> {
        let (context, webhook) = self.find(which).await?;
        let former = if now { Former::Ends } else { Former::Overlaps };
        let (webhook, secret) = self
            .app
            .rotate_webhook_secret(&context, webhook.id, former)
            .await?;
        if let Some(until) = webhook.former_until {
            printer::say(&format!("the old secret signs as well until {until}"));
        }
        self.secret(&webhook, &secret)
    }

    async fn test(&self, which: &Which) -> anyhow::Result<Exit> {
        let (context, webhook) = self.find(which).await?;
        let engine = Engine::new(self.app.clone(), runtime::client(self.config)?);
        let delivery = engine.test_webhook(&context, webhook.id).await?;
        let arrived = delivery.last.as_ref().is_some_and(Answer::is_good);
        if self.as_json {
            printer::json(&line(None, &delivery))?;
        } else {
            let came = delivery.last.as_ref().map(said).unwrap_or_default();
            let took = delivery.last.as_ref().map_or(0, |last| last.milliseconds);
            if arrived {
                printer::good(&format!("the test event arrived: {came} in {took} ms"));
            } else {
                printer::error(&format!("the test event did not arrive: {came}"));
            }
        }
        let was_answered = delivery.last.is_some_and(|last| last.status.is_some());
        Ok(match (arrived, was_answered) {
            (true, _) => Exit::Done,
            (false, true) => Exit::No,
            (false, false) => Exit::Unreachable,
        })
    }

    async fn deliveries(&self, which: &Which, count: u64) -> anyhow::Result<Exit> {
        let (context, webhook) = self.find(which).await?;
        let found = self
            .app
            .webhook_deliveries(&context, webhook.id, None, count)
            .await?;
        if self.as_json {
            let all = found.iter().map(|(place, one)| line(Some(*place), one));
            printer::json(&all.collect::<Vec<_>>())?;
            return Ok(Exit::Done);
        }
        let rows = found.iter().map(|(place, one)| {
            let next = match one.state {
                State::Waiting { next } => format!("{next}, try {} of {TRIES}", one.tries + 1),
                State::Delivered { .. } => String::new(),
                State::Failed { .. } if one.event.kind == EventType::Test => String::new(),
                State::Failed { .. } => "given up".to_owned(),
            };
            [
                place.to_string(),
                one.event.time.to_string(),
                one.event.kind.to_string(),
                one.last.as_ref().map_or_else(String::new, said),
                next,
                one.event.id.clone(),
            ]
        });
        printer::table(
            ["number", "time", "event", "answer", "next try", "id"],
            rows,
        );
        Ok(Exit::Done)
    }

    async fn resend(&self, which: &Which, number: u64) -> anyhow::Result<Exit> {
        let (context, webhook) = self.find(which).await?;
        self.app
            .send_delivery_again(&context, webhook.id, number)
            .await?;
        self.done(
            "`rollcall serve` sends it in a moment",
            json!({"webhook": webhook.id, "number": number}),
        )
    }

    async fn remove(&self, which: &Which, yes: bool) -> anyhow::Result<Exit> {
        let (context, webhook) = self.find(which).await?;
        if !yes && !confirmed(&webhook)? {
            return Ok(Exit::No);
        }
        self.app.remove_webhook(&context, webhook.id).await?;
        self.done(
            &format!("removed `{}`", webhook.name),
            json!({"removed": webhook.id, "name": webhook.name}),
        )
    }

    /// The secret is data: it goes to stdout, alone, so that a script can take it.
    fn secret(&self, webhook: &Webhook, secret: &Secret) -> anyhow::Result<Exit> {
        if self.as_json {
            let secret = json!(secret.expose());
            printer::json(&with(described(webhook), [("secret", secret)]))?;
            return Ok(Exit::Done);
        }
        printer::say(&format!("`{}` is at {}", webhook.name, webhook.place()));
        printer::say("Signing secret, shown this once:");
        printer::data(secret.expose());
        Ok(Exit::Done)
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is made for this")]
    fn done(&self, text: &str, data: Value) -> anyhow::Result<Exit> {
        if self.as_json {
            printer::json(&data)?;
        } else {
            printer::good(text);
        }
        Ok(Exit::Done)
    }
}

fn events(webhook: &Webhook) -> String {
    match &webhook.events {
        Wanted::All => "all".to_owned(),
        Wanted::Only(types) => {
            let words: Vec<&str> = types.iter().map(|one| one.word()).collect();
            words.join(",")
        }
    }
}

fn status(standing: &WebhookStanding) -> String {
    match standing.webhook.status {
        Status::Paused { since, why } => format!("paused since {since} ({})", why_word(why)),
        Status::On if standing.webhook.health.failing_since.is_some() => {
            format!("retrying, {} waiting", standing.waiting)
        }
        Status::On => "delivering".to_owned(),
    }
}

fn why_word(why: Why) -> &'static str {
    match why {
        Why::Asked => "asked",
        Why::Failing => "nothing arrived for days",
        Why::Gone => "it answered 410, gone",
        Why::Restored => "the store was restored",
    }
}

fn or_never(instant: Option<jiff::Timestamp>) -> String {
    instant.map_or_else(|| "never".to_owned(), |at| at.to_string())
}

fn described(webhook: &Webhook) -> Value {
    let (status, since, why) = match webhook.status {
        Status::On => ("on", None, None),
        Status::Paused { since, why } => ("paused", Some(since), Some(why)),
    };
    json!({
        "id": webhook.id, "name": webhook.name, "url": webhook.url, "events": events(webhook),
        "status": status, "paused_since": since, "why": why, "created": webhook.created,
        "secret_made": webhook.secret_made, "former_until": webhook.former_until,
        "last_try": webhook.health.last_try, "last_success": webhook.health.last_success,
        "failing_since": webhook.health.failing_since,
    })
}

/// Adds fields to an object.
fn with<const N: usize>(mut object: Value, fields: [(&str, Value); N]) -> Value {
    if let Value::Object(object) = &mut object {
        object.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    }
    object
}

fn line(number: Option<u64>, delivery: &Delivery) -> Value {
    let (state, next) = match delivery.state {
        State::Waiting { next } => ("waiting", Some(next)),
        State::Delivered { .. } => ("delivered", None),
        State::Failed { .. } => ("failed", None),
    };
    json!({
        "number": number, "state": state, "next_try": next, "tries": delivery.tries,
        "event": delivery.event, "answer": delivery.last,
    })
}

fn confirmed(webhook: &Webhook) -> anyhow::Result<bool> {
    let name = &webhook.name;
    let says = format!("This removes `{name}` with what waits for it");
    confirmation::confirmed("removing a webhook", &says, name)
}
