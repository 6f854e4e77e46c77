//! Delivers what happened to endpoints of other systems.
//!
//! **Is:** a courier that looks for endpoints with something to do, at once after this process wrote and twice a second otherwise; and rounds
//! of requests, by whoever has the only claim to the endpoint.
//! **Is not:** what is to be sent and what follows from an answer; `rollcall_app::webhooks::rounds` and the model say that.
//! **Start at** [`run`].

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rollcall_app::directory::Context;
use rollcall_app::webhooks::Secrets;
use rollcall_app::webhooks::rounds::{GoesOn, Round};
use rollcall_connect::webhooks::Message;
use rollcall_model::webhook::Answer;
use rollcall_model::{Delivery, OrgId, Webhook, WebhookId};
use rollcall_store::{Claim, Tenant};
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{Engine, Error};

/// How often is looked for what other processes wrote, and for what is due.
const LOOK: Duration = Duration::from_millis(500);
/// Endpoints to which is delivered at once.
const ENDPOINTS: usize = 32;
/// How long an endpoint is left alone about which our own side failed.
const REST: Duration = Duration::from_secs(5);
/// How long one is left alone that somebody else has, or for which there was nothing to do.
const BUSY: Duration = LOOK;

/// Delivers until `stop`. What is in flight then is finished.
pub(crate) async fn run(engine: Engine, written: Arc<Notify>, stop: CancellationToken) {
    let mut courier = Courier {
        engine,
        stop,
        running: JoinSet::new(),
        busy: HashMap::new(),
        resting: HashMap::new(),
    };
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = courier.stop.cancelled() => break,
            () = written.notified() => {}
            _ = look.tick() => {}
            Some(done) = courier.running.join_next_with_id() => courier.ended(done),
        }
        courier.start_due().await;
    }
    while courier.running.join_next().await.is_some() {}
}

/// To whom is delivered at present.
struct Courier {
    engine: Engine,
    stop: CancellationToken,
    /// Each tells whether its endpoint is to rest.
    running: JoinSet<Option<Duration>>,
    busy: HashMap<Id, WebhookId>,
    resting: HashMap<WebhookId, Instant>,
}

impl Courier {
    fn ended(&mut self, done: Result<(Id, Option<Duration>), tokio::task::JoinError>) {
        let (id, rest) = match done {
            Ok((id, rest)) => (id, rest),
            Err(panicked) => (panicked.id(), Some(REST)),
        };
        if let (Some(webhook), Some(rest)) = (self.busy.remove(&id), rest) {
            self.resting.insert(webhook, Instant::now() + rest);
        }
    }

    async fn start_due(&mut self) {
        self.resting.retain(|_, until| *until > Instant::now());
        let app = &self.engine.app;
        let due = app.store().due_webhooks(app.now(), app.webhooks_beyond());
        let due = match due.await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "the webhooks cannot be read");
                return;
            }
        };
        let busy: BTreeSet<WebhookId> = self.busy.values().copied().collect();
        for (organisation, id) in due {
            if self.running.len() >= ENDPOINTS {
                break;
            }
            if busy.contains(&id) || self.resting.contains_key(&id) {
                continue;
            }
            let (engine, stop) = (self.engine.clone(), self.stop.clone());
            let task = self
                .running
                .spawn(async move { deliver(&engine, (organisation, id), stop).await });
            self.busy.insert(task.id(), id);
        }
    }
}

/// Delivers to an endpoint until there is nothing left to do; tells for how long it is to be left alone then.
async fn deliver(
    engine: &Engine,
    (organisation, id): (OrgId, WebhookId),
    stop: CancellationToken,
) -> Option<Duration> {
    let tenant = engine.app.store().tenant(organisation);
    let claim = match tenant.claim_webhook(id).await {
        Ok(claim) => claim,
        Err(rollcall_store::Error::Occupied(_) | rollcall_store::Error::Missing) => {
            return Some(BUSY);
        }
        Err(error) => {
            tracing::warn!(webhook = %id, %error, "a webhook cannot be claimed");
            return Some(REST);
        }
    };
    let delivered = rounds(engine, (&tenant, id), &claim, &stop).await;
    claim.release().await;
    match delivered {
        Ok(Rounds::Done) => None,
        // the feed has more than may wait: nothing to do before something is due
        Ok(Rounds::Nothing) => Some(BUSY),
        Err(error) => {
            tracing::warn!(webhook = %id, %error, "deliveries to a webhook are interrupted");
            Some(REST)
        }
    }
}

/// What rounds came to.
enum Rounds {
    /// Something was done, and nothing is left.
    Done,
    /// There was nothing to do at all.
    Nothing,
}

async fn rounds(
    engine: &Engine,
    (tenant, id): (&Tenant, WebhookId),
    claim: &Claim,
    stop: &CancellationToken,
) -> Result<Rounds, Error> {
    let mut done = Rounds::Nothing;
    while !stop.is_cancelled() && claim.is_held() {
        let round = engine.app.webhook_round(tenant, id, claim.number()).await?;
        let Some(round) = round else {
            break;
        };
        done = Rounds::Done;
        if round.deliveries.is_empty() {
            continue;
        }
        let answers = engine.send(&round).await;
        let noted = engine
            .app
            .note_webhook_round(tenant, id, claim.number(), answers);
        if noted.await? == GoesOn::No {
            break;
        }
    }
    Ok(done)
}

impl Engine {
    /// Sends what is due, all at once; returns what came of each.
    async fn send(&self, round: &Round) -> Vec<(u64, Answer)> {
        let mut sending = JoinSet::new();
        for (sequence, delivery) in &round.deliveries {
            let (engine, sequence) = (self.clone(), *sequence);
            let (webhook, secrets) = (round.webhook.clone(), round.secrets.clone());
            let delivery = delivery.clone();
            sending
                .spawn(async move { (sequence, engine.tell(&webhook, &secrets, &delivery).await) });
        }
        sending.join_all().await
    }

    /// Sends an event to an endpoint, once.
    async fn tell(&self, webhook: &Webhook, secrets: &Secrets, delivery: &Delivery) -> Answer {
        let now = self.app.now();
        let body = serde_json::to_vec(&delivery.event).unwrap_or_default();
        let (id, timestamp) = (delivery.event.id.as_str(), now.as_second());
        let signature = secrets.sign(id, timestamp, &body);
        let message = Message {
            id,
            timestamp,
            signature: &signature,
            body,
        };
        match self.client.tell(&webhook.url, message, now).await {
            Ok(told) => Answer {
                at: now,
                status: told.status,
                milliseconds: u64::try_from(told.took.as_millis()).unwrap_or(u64::MAX),
                trouble: told.trouble,
                retry_after: told
                    .retry_after
                    .map(|asked| i64::try_from(asked.as_secs()).unwrap_or(i64::MAX)),
            },
            Err(refused) => Answer {
                at: now,
                status: None,
                milliseconds: 0,
                trouble: Some(refused.to_string()),
                retry_after: None,
            },
        }
    }

    /// Sends a test event to an endpoint, whatever state it is in; returns what came of it, which is kept among its deliveries.
    ///
    /// # Errors
    /// [`Error::Failed`] when there is no such endpoint, or the store is out of reach.
    pub async fn test_webhook(&self, context: &Context, id: WebhookId) -> Result<Delivery, Error> {
        let (webhook, secrets, delivery) = self.app.webhook_test(context, id).await?;
        let answer = self.tell(&webhook, &secrets, &delivery).await;
        let noted = self.app.note_webhook_test(context, id, delivery, answer);
        Ok(noted.await?)
    }
}
