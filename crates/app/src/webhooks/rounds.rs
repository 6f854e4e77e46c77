//! What is to be delivered to an endpoint next, and what came of it.
//!
//! **Is:** the two transactions around a round of requests. The first makes deliveries of what the feed has and the endpoint was not told;
//! they and the place in the feed are stored together, so whoever dies afterwards loses nothing. The second stores what came of each.
//! Whoever dies in between sends again: the event has the same id.
//! **Is not:** the requests. **Start at** [`App::webhook_round`].
//!
//! INVARIANT: every write here compares the number of the claim, so one who delivers and has lost the endpoint writes nothing.

use jiff::Timestamp;
use rollcall_model::webhook::{
    Answer, Beyond, KEPT, LONGEST_REST, Round as Outcome, State, Status, WAITING, Why,
};
use rollcall_model::{Actor, Delivery, Event, Origin, Webhook, WebhookId};
use rollcall_store::{Hook, Tenant, Writer};
use serde_json::json;

use super::{Secrets, note, there};
use crate::directory::Context;
use crate::{App, Failure};

/// So many requests are sent to an endpoint at once.
pub const AT_ONCE: u64 = 8;
/// So many entries of the feed are looked at in one round.
const LOOKED_AT: u64 = 200;

/// What is to be sent to an endpoint now.
#[derive(Debug)]
pub struct Round {
    /// The endpoint.
    pub webhook: Webhook,
    /// What signs.
    pub secrets: Secrets,
    /// The deliveries, with their places. None: the feed had nothing for the endpoint, and there is more of it.
    pub deliveries: Vec<(u64, Delivery)>,
}

/// Whether somebody who delivers goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoesOn {
    /// There may be more.
    Yes,
    /// The endpoint rests, is paused or gone, or somebody else has it.
    No,
}

impl App {
    /// Returns what is to be sent to an endpoint now; absent: nothing, or the claim with this number counts no more.
    ///
    /// # Errors
    /// When the store is out of reach, or the secret cannot be opened.
    pub async fn webhook_round(
        &self,
        tenant: &Tenant,
        id: WebhookId,
        runner: u64,
    ) -> Result<Option<Round>, Failure> {
        let (app, now) = (self.clone(), self.now());
        let organisation = tenant.organisation();
        let unit = move |writer: &mut dyn Writer| {
            let Some(hook) = held(writer, id, runner)? else {
                return Ok(None);
            };
            writer.forget_deliveries(id, now, KEPT)?;
            if !hook.webhook.is_on() || hook.webhook.health.rests(now) {
                return Ok(None);
            }
            let (webhook, moved) = take_from_feed(writer, &hook, now)?;
            // one that fails is asked with one request whether it is back
            let count = if webhook.health.failures > 0 {
                1
            } else {
                AT_ONCE
            };
            let deliveries = writer.due_deliveries(id, now, Beyond::of(now).deliveries, count)?;
            if deliveries.is_empty() && !moved {
                return Ok(None);
            }
            let secrets = app.open_webhook(&*writer, organisation, &hook)?;
            let secrets = if webhook.overlaps(now) {
                secrets
            } else {
                secrets.only_present()
            };
            Ok::<_, Failure>(Some(Round {
                webhook,
                secrets,
                deliveries,
            }))
        };
        tenant.quiet().write(unit).await
    }

    /// Stores what came of a round. When the endpoint has another address meanwhile, what failed at the former one is not charged to it.
    ///
    /// # Errors
    /// When the store is out of reach: the same is sent again then.
    pub async fn note_webhook_round(
        &self,
        tenant: &Tenant,
        round: &Round,
        runner: u64,
        answers: Vec<(u64, Answer)>,
    ) -> Result<GoesOn, Failure> {
        let (app, now, id) = (self.clone(), self.now(), round.webhook.id);
        let called = round.webhook.url.clone();
        let request = self.new_request_id();
        let unit = move |writer: &mut dyn Writer| {
            let Some(hook) = held(writer, id, runner)? else {
                return Ok(GoesOn::No);
            };
            let mut webhook = hook.webhook;
            let has_moved = webhook.url != called;
            let randomness = &**app.randomness();
            let mut outcome = Outcome::default();
            let (mut is_gone, mut last) = (false, None);
            let was_paused = !webhook.is_on();
            let is_dead = (webhook.health.failing_since)
                .is_some_and(|since| now.duration_since(since) >= LONGEST_REST);
            let mut failed = Vec::new();
            for (sequence, answer) in answers {
                if has_moved && !answer.is_good() {
                    // it waits as before, and is sent to where the endpoint is now
                    continue;
                }
                if answer.is_good() {
                    outcome.delivered += 1;
                } else {
                    outcome.failed += 1;
                    let asked = answer.patience();
                    outcome.retry_after = outcome.retry_after.max(asked);
                    if answer.is_overload() {
                        outcome.overloaded = outcome.overloaded.max(asked);
                    }
                    last = Some(said(&answer));
                }
                is_gone |= answer.is_gone();
                let Some(before) = writer.delivery(id, sequence)? else {
                    continue;
                };
                if before.due().is_none() && !answer.is_good() {
                    // it was left out meanwhile
                    continue;
                }
                let mut after = before.tried(answer, now, randomness);
                // what was given up because nothing at all arrives there waits for whoever resumes the endpoint
                if is_dead && matches!(after.state, State::Failed { .. }) {
                    after = after.kept_up(now, randomness);
                }
                writer.save_delivery(id, sequence, &after)?;
                failed.extend(after.due().map(|_| (sequence, after)));
            }
            if has_moved {
                return Ok(goes_on(&webhook, now));
            }
            webhook.health.noted(outcome, now, randomness);
            if outcome.delivered > 0 && is_dead {
                // it is back: everything that waits is sent, also what was put off for a day
                let longest = Timestamp::MAX;
                for (sequence, delivery) in writer.due_deliveries(id, longest, longest, WAITING)? {
                    writer.save_delivery(id, sequence, &delivery.no_later_than(now))?;
                }
            } else if let (0, Some(end)) = (outcome.delivered, webhook.health.rest_until) {
                // whether it is back is asked as soon as it was left alone for long enough
                for (sequence, delivery) in failed {
                    writer.save_delivery(id, sequence, &delivery.no_later_than(end))?;
                }
            }
            let why = if is_gone && outcome.delivered == 0 {
                Some(Why::Gone)
            } else if webhook.health.has_failed_for_days(now) {
                Some(Why::Failing)
            } else {
                None
            };
            if let (Some(why), false) = (why, was_paused) {
                webhook.status = Status::Paused { since: now, why };
                let origin = Origin {
                    actor: Actor::System,
                    request,
                    address: None,
                };
                let detail = json!({"name": webhook.name, "why": why});
                note(writer, now, origin, id, ("webhook.paused", detail))?;
                app.post_webhook_paused(writer, now, &webhook, &last.unwrap_or_default())?;
            }
            writer.save_webhook(&webhook)?;
            Ok::<_, Failure>(goes_on(&webhook, now))
        };
        tenant.quiet().write(unit).await
    }

    /// Begins a test: an event that is sent once, whatever state the endpoint is in.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn webhook_test(
        &self,
        context: &Context,
        id: WebhookId,
    ) -> Result<(Webhook, Secrets, Delivery), Failure> {
        let (app, now) = (self.clone(), self.now());
        let (request, actor) = (self.new_request_id(), context.origin().actor.kind());
        let organisation = context.tenant().organisation();
        context
            .tenant()
            .read(move |reader| {
                let hook = there(reader, id)?;
                let secrets = app.open_webhook(reader, organisation, &hook)?;
                let secrets = if hook.webhook.overlaps(now) {
                    secrets
                } else {
                    secrets.only_present()
                };
                let slug = reader.organisation()?.slug;
                let event = Event::test(request, &slug, now, actor);
                Ok((hook.webhook, secrets, Delivery::new(event, now)))
            })
            .await
    }

    /// Ends a test: notes what came of it, and returns it.
    ///
    /// # Errors
    /// [`Failure::Missing`] when the endpoint was removed meanwhile.
    pub async fn note_webhook_test(
        &self,
        context: &Context,
        id: WebhookId,
        delivery: Delivery,
        answer: Answer,
    ) -> Result<Delivery, Failure> {
        let (now, origin) = (self.now(), context.origin().clone());
        let delivery = delivery.tested(answer, now);
        context
            .tenant()
            .write(move |writer| {
                let hook = there(&*writer, id)?;
                writer.add_deliveries(id, std::slice::from_ref(&delivery))?;
                writer.forget_deliveries(id, now, KEPT)?;
                let arrived = delivery.last.as_ref().is_some_and(Answer::is_good);
                let detail = json!({"name": hook.webhook.name, "arrived": arrived});
                note(writer, now, origin, id, ("webhook.tested", detail))?;
                Ok(delivery)
            })
            .await
    }
}

fn goes_on(webhook: &Webhook, now: Timestamp) -> GoesOn {
    if webhook.is_on() && !webhook.health.rests(now) {
        GoesOn::Yes
    } else {
        GoesOn::No
    }
}

/// Returns the endpoint, if it is there and the claim with this number is the latest.
fn held(writer: &dyn Writer, id: WebhookId, runner: u64) -> Result<Option<Hook>, Failure> {
    Ok(writer.webhook(id)?.filter(|hook| hook.runner == runner))
}

/// Makes deliveries of what the feed has and the endpoint was not told; tells whether it came further in the feed.
fn take_from_feed(
    writer: &mut dyn Writer,
    hook: &Hook,
    now: Timestamp,
) -> Result<(Webhook, bool), Failure> {
    let (id, mut webhook) = (hook.webhook.id, hook.webhook.clone());
    if hook.position >= writer.last_change()? {
        return Ok((webhook, false));
    }
    let room = WAITING.saturating_sub(writer.waiting_deliveries(id)?);
    let changes = writer.told(hook.position, LOOKED_AT.min(room))?;
    let Some(last) = changes.last().map(|change| change.sequence) else {
        return Ok((webhook, false));
    };
    let organisation = writer.organisation()?;
    let events = changes
        .iter()
        .map(|change| Event::of(change, organisation.id, &organisation.slug));
    let made: Vec<Delivery> = events
        .filter(|event| webhook.events.includes(event))
        .map(|event| Delivery::new(event, now))
        .collect();
    writer.move_webhook(id, last)?;
    if !made.is_empty() {
        writer.add_deliveries(id, &made)?;
        webhook.health.made(now, made.len() as u64);
        writer.save_webhook(&webhook)?;
    }
    Ok((webhook, true))
}

/// Says in words what an endpoint answered.
pub fn said(answer: &Answer) -> String {
    match (answer.status, &answer.trouble) {
        (Some(status @ 300..=399), _) => {
            format!("it answered {status}, a redirect, and redirects are not followed")
        }
        (Some(status), _) => format!("it answered {status}"),
        (None, Some(trouble)) => trouble.clone(),
        (None, None) => "there was no answer".to_owned(),
    }
}
