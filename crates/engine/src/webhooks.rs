//! Delivers what happened to endpoints of other systems.
//!
//! **Is:** a courier that looks for endpoints with something to do, at once after this process wrote and twice a second otherwise, and gives
//! them slots in turn; and rounds of requests, by whoever has the only claim to the endpoint.
//! **Is not:** what is to be sent and what follows from an answer; `rollcall_app::webhooks::rounds` and the model say that.
//! **Start at** [`run`].

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rollcall_app::directory::Context;
use rollcall_app::webhooks::Secrets;
use rollcall_app::webhooks::rounds::{GoesOn, Round};
use rollcall_connect::webhooks::Message;
use rollcall_model::webhook::Answer;
use rollcall_model::{Delivery, OrgId, Webhook, WebhookId};
use rollcall_store::{Claim, Tenant};
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{Engine, Error};

/// How often is looked for what other processes wrote, and for what is due.
const LOOK: Duration = Duration::from_millis(500);
/// What is written one after the other is looked for once in so long: each time all organisations are looked at.
const PAUSE: Duration = Duration::from_millis(100);
/// Endpoints to which is delivered at once.
const ENDPOINTS: usize = 32;
/// Those of one organisation among them.
const EACH: usize = 8;
/// How long an endpoint with more and more to do has a slot; a round that has begun is finished.
const TURN: Duration = Duration::from_secs(5);
/// How long an endpoint is left alone about which our own side failed.
const REST: Duration = Duration::from_secs(5);
/// How long one is left alone for which there was nothing to do.
const IDLE: Duration = LOOK;
/// How long one is left alone that somebody else has: they look after it.
const BUSY: Duration = Duration::from_secs(2);

/// Delivers until `stop`. What is in flight then is finished.
pub(crate) async fn run(engine: Engine, written: Arc<Notify>, stop: CancellationToken) {
    let mut courier = Courier {
        engine,
        stop,
        running: JoinSet::new(),
        busy: HashMap::new(),
        resting: HashMap::new(),
        turns: Turns::default(),
    };
    let (mut is_news, mut next) = (false, Instant::now());
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = courier.stop.cancelled() => break,
            () = written.notified() => is_news = true,
            _ = look.tick() => is_news = true,
            Some(done) = courier.running.join_next_with_id() => {
                courier.ended(done);
                is_news = true;
            }
            () = tokio::time::sleep_until(next), if is_news => {
                is_news = false;
                courier.start_due().await;
                next = Instant::now() + PAUSE;
            }
        }
    }
    while courier.running.join_next().await.is_some() {}
}

/// To whom is delivered at present.
struct Courier {
    engine: Engine,
    stop: CancellationToken,
    /// Each tells whether its endpoint is to rest.
    running: JoinSet<Option<Duration>>,
    busy: HashMap<Id, (OrgId, WebhookId)>,
    resting: HashMap<WebhookId, Instant>,
    turns: Turns,
}

impl Courier {
    fn ended(&mut self, done: Result<(Id, Option<Duration>), tokio::task::JoinError>) {
        let (id, rest) = match done {
            Ok((id, rest)) => (id, rest),
            Err(panicked) => (panicked.id(), Some(REST)),
        };
        if let (Some((_, webhook)), Some(rest)) = (self.busy.remove(&id), rest) {
            self.resting.insert(webhook, Instant::now() + rest);
        }
    }

    async fn start_due(&mut self) {
        self.resting.retain(|_, until| *until > Instant::now());
        let app = &self.engine.app;
        let due = app.store().due_webhooks(app.now());
        let mut due = match due.await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "the webhooks cannot be read");
                return;
            }
        };
        due.retain(|(_, id)| !self.resting.contains_key(id));
        let busy = self.busy.values().copied().collect();
        for (organisation, id) in self.turns.choose(&due, &busy) {
            let (engine, stop) = (self.engine.clone(), self.stop.clone());
            let task = self
                .running
                .spawn(async move { deliver(&engine, (organisation, id), stop).await });
            self.busy.insert(task.id(), (organisation, id));
        }
    }
}

/// Who is next to get a slot. Whoever always has more to do, at receivers that take long, must not keep others waiting.
#[derive(Default)]
struct Turns {
    /// The organisation that got the last one.
    organisation: Option<OrgId>,
    /// The endpoint of each organisation that got its last one.
    endpoints: BTreeMap<OrgId, WebhookId>,
}

impl Turns {
    /// Gives the slots that are free to those for which there is something to do: to one of each organisation after the other, beginning
    /// after whoever got the last one.
    fn choose(
        &mut self,
        due: &[(OrgId, WebhookId)],
        busy: &BTreeSet<(OrgId, WebhookId)>,
    ) -> Vec<(OrgId, WebhookId)> {
        let mut lines: BTreeMap<OrgId, VecDeque<WebhookId>> = BTreeMap::new();
        for (organisation, id) in due.iter().filter(|one| !busy.contains(one)) {
            lines.entry(*organisation).or_default().push_back(*id);
        }
        for (organisation, line) in &mut lines {
            begin_after(line, self.endpoints.get(organisation));
            let has = busy.iter().filter(|(other, _)| other == organisation);
            line.truncate(EACH.saturating_sub(has.count()));
        }
        self.endpoints.retain(|organisation, _| {
            let is_busy = busy.iter().any(|(other, _)| other == organisation);
            is_busy || lines.contains_key(organisation)
        });
        let mut order: VecDeque<OrgId> = lines.keys().copied().collect();
        begin_after(&mut order, self.organisation.as_ref());
        let mut chosen = Vec::new();
        while busy.len() + chosen.len() < ENDPOINTS {
            let Some(organisation) = order.pop_front() else {
                break;
            };
            let line = lines.get_mut(&organisation);
            let Some(id) = line.and_then(VecDeque::pop_front) else {
                continue;
            };
            order.push_back(organisation);
            self.organisation = Some(organisation);
            self.endpoints.insert(organisation, id);
            chosen.push((organisation, id));
        }
        chosen
    }
}

/// Has a line, which is in order, begin after one of it, or after where that one was.
fn begin_after<T: Ord>(line: &mut VecDeque<T>, last: Option<&T>) {
    if let Some(last) = last {
        let earlier = line.partition_point(|one| one <= last);
        line.rotate_left(earlier);
    }
}

/// Delivers to an endpoint until there is nothing left to do, or its turn is over; tells for how long it is to be left alone then.
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
        Ok(Rounds::Nothing) => Some(IDLE),
        Err(error) => {
            tracing::warn!(webhook = %id, %error, "deliveries to a webhook are interrupted");
            Some(REST)
        }
    }
}

/// What rounds came to.
enum Rounds {
    /// Something was done. What is left is for the next turn.
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
    let (mut done, begun) = (Rounds::Nothing, Instant::now());
    while !stop.is_cancelled() && claim.is_held() && begun.elapsed() < TURN {
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
            .note_webhook_round(tenant, &round, claim.number(), answers);
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
                // what follows the host may be a secret
                trouble: Some(refused.about(webhook.place()).to_string()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn organisation(number: u8) -> OrgId {
        OrgId::from_bytes([number; 16])
    }

    fn endpoints(of: u8, count: u8) -> Vec<(OrgId, WebhookId)> {
        (0..count)
            .map(|n| (organisation(of), WebhookId::from_bytes([n; 16])))
            .collect()
    }

    #[test]
    fn an_organisation_with_many_slow_receivers_leaves_slots_to_others_and_all_of_its_own_have_a_turn()
     {
        let mut turns = Turns::default();
        let (many, few) = (endpoints(1, 20), endpoints(2, 1));
        let due = [many.clone(), few.clone()].concat();
        let first = turns.choose(&due, &BTreeSet::new());
        assert_eq!(first.len(), EACH + 1);
        assert!(first[..2].contains(&few[0]), "one of each after the other");

        // all of them are still there, as they are slow: who has a slot keeps it, and nobody gets another one
        let busy: BTreeSet<_> = first.iter().copied().collect();
        assert_eq!(turns.choose(&due, &busy), []);

        let mut served = busy;
        for _ in 0..2 {
            served.extend(turns.choose(&due, &BTreeSet::new()));
        }
        assert_eq!(served.len(), due.len(), "each had a turn");
    }

    #[test]
    fn where_there_are_more_organisations_than_slots_each_has_a_turn() {
        let due: Vec<_> = (0..100).flat_map(|of| endpoints(of, 3)).collect();
        let mut turns = Turns::default();
        let mut served = BTreeSet::new();
        for _ in 0..4 {
            let chosen = turns.choose(&due, &BTreeSet::new());
            assert_eq!(chosen.len(), ENDPOINTS);
            served.extend(chosen.into_iter().map(|(of, _)| of));
        }
        assert_eq!(served.len(), 100);
    }
}
