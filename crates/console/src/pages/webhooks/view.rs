//! What the pages of webhooks show.

use askama::Template;
use rollcall_app::webhooks::WebhookStanding;
use rollcall_model::webhook::{Answer, State, Status, TRIES, Wanted, Why};
use rollcall_model::{Delivery, Event, EventType, Secret, Webhook, WebhookId};

use crate::code::{self, Line};
use crate::filters;
use crate::layout::{Frame, Mistakes, Place};
use crate::words::{Moment, Zone, counted, number};

/// A secret that was made a moment ago.
#[derive(Debug)]
pub(super) struct Fresh {
    name: String,
    secret: String,
    text: &'static str,
}

impl Fresh {
    pub(super) fn new(webhook: &Webhook, secret: &Secret, text: &'static str) -> Self {
        Self {
            name: webhook.name.clone(),
            secret: secret.expose().to_owned(),
            text,
        }
    }
}

/// What the page is made of.
pub(super) struct Material {
    pub(super) standings: Vec<WebhookStanding>,
    pub(super) chosen: Option<WebhookId>,
    pub(super) deliveries: Vec<(u64, Delivery)>,
    pub(super) is_first: bool,
    /// The event that is shown.
    pub(super) event: Option<Event>,
    pub(super) slug: String,
    pub(super) fresh: Option<Fresh>,
}

/// How something stands: a class, an icon, words.
#[derive(Debug)]
struct Mark {
    class: &'static str,
    icon: &'static str,
    text: String,
}

fn mark(class: &'static str, icon: &'static str, text: impl Into<String>) -> Mark {
    Mark {
        class,
        icon,
        text: text.into(),
    }
}

#[derive(Debug)]
struct Row {
    link: String,
    is_chosen: bool,
    place: String,
    name: String,
    status: Mark,
    events: String,
    delivered: String,
    last: Option<Moment>,
}

#[derive(Debug)]
struct DeliveryRow {
    number: u64,
    at: Moment,
    kind: &'static str,
    answer: Mark,
    /// Why there was no answer.
    trouble: Option<String>,
    next: String,
    /// What the button says; absent: there is none.
    action: Option<&'static str>,
    /// Whether the button need not be seen first.
    is_quiet: bool,
    link: String,
    is_chosen: bool,
}

#[derive(Debug)]
struct Chosen {
    id: String,
    name: String,
    place: String,
    is_on: bool,
    /// Why it is paused.
    paused: Option<(String, &'static str)>,
    waiting: u64,
    behind: u64,
    secret_made: Moment,
    former_until: Option<Moment>,
    rows: Vec<DeliveryRow>,
    is_first: bool,
    older: Option<String>,
    newest: String,
}

#[derive(Debug, Template)]
#[template(path = "webhooks.html")]
pub(super) struct WebhooksPage {
    frame: Frame,
    fresh: Option<Fresh>,
    rows: Vec<Row>,
    chosen: Option<Chosen>,
    is_sample: bool,
    lines: Vec<Line>,
}

pub(super) fn page(frame: Frame, material: &Material, zone: &Zone) -> WebhooksPage {
    let rows = material
        .standings
        .iter()
        .map(|one| row(one, material, zone));
    let standing = material
        .standings
        .iter()
        .find(|one| Some(one.webhook.id) == material.chosen);
    let may = frame.may.provisioning;
    let shown = material.event.as_ref().map(serde_json::to_string);
    let shown = shown.and_then(Result::ok);
    WebhooksPage {
        rows: rows.collect(),
        chosen: standing.map(|standing| chosen(standing, material, may, zone)),
        is_sample: shown.is_none(),
        lines: code::body(&shown.unwrap_or_else(|| sample(&material.slug))),
        fresh: material.fresh.as_ref().map(|fresh| Fresh {
            name: fresh.name.clone(),
            secret: fresh.secret.clone(),
            text: fresh.text,
        }),
        frame,
    }
}

/// An event as an example.
fn sample(slug: &str) -> String {
    let event = serde_json::json!({
        "id": "evt_5f0c9a1e7b3d42868c1de0a94b7f6a20", "type": EventType::UserUpdated,
        "time": "2026-11-18T13:30:12Z", "organisation": slug,
        "object": {"type": "User", "id": "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77", "version": 4},
        "changed": ["title"], "actor": "integration",
    });
    event.to_string()
}

fn row(standing: &WebhookStanding, material: &Material, zone: &Zone) -> Row {
    let webhook = &standing.webhook;
    let day = webhook.health.last_day(zone.now());
    Row {
        link: super::at(webhook.id),
        is_chosen: material.chosen == Some(webhook.id),
        place: webhook.place(),
        name: webhook.name.clone(),
        status: status(standing, zone),
        events: match &webhook.events {
            Wanted::All => "All events".to_owned(),
            Wanted::Only(types) => {
                let words: Vec<&str> = types.iter().map(|one| one.word()).collect();
                words.join(", ")
            }
        },
        delivered: match day.made {
            0 => "0".to_owned(),
            made => format!("{} of {}", number(day.delivered), number(made)),
        },
        last: webhook.health.last_try.map(|at| zone.short(at)),
    }
}

fn status(standing: &WebhookStanding, zone: &Zone) -> Mark {
    let health = &standing.webhook.health;
    match standing.webhook.status {
        Status::Paused { since, why } => {
            let text = format!("Paused since {}", zone.short(since).text);
            match why {
                Why::Asked => mark("st-off", "offc", text),
                Why::Failing | Why::Gone => mark("st-bad", "xc", text),
                Why::Restored => mark("st-warn", "alert", text),
            }
        }
        Status::On if health.failing_since.is_some() => {
            let text = format!("Retrying, {} waiting", number(standing.waiting));
            mark("st-warn", "alert", text)
        }
        Status::On if health.last_success.is_some() => mark("st-ok", "okc", "Delivering"),
        Status::On => mark("st-off", "dashc", "Nothing sent yet"),
    }
}

fn paused(why: Why) -> &'static str {
    match why {
        Why::Asked => "Somebody here paused it.",
        Why::Failing => {
            "Nothing arrived there for three days. Find out why, send a test event, and resume it."
        }
        Why::Gone => {
            "It answered that it is gone for good (410). Enter another address, or remove the webhook."
        }
        Why::Restored => {
            "The store was restored from a backup. Resume it when you know that this is the only installation that should tell it anything. Events that it has already come again with the same id."
        }
    }
}

fn chosen(
    standing: &WebhookStanding,
    material: &Material,
    may_manage: bool,
    zone: &Zone,
) -> Chosen {
    let webhook = &standing.webhook;
    let base = super::at(webhook.id);
    let shown = usize::try_from(super::SHOWN).unwrap_or(usize::MAX);
    let is_on = webhook.is_on();
    let rows: Vec<DeliveryRow> = material
        .deliveries
        .iter()
        .take(shown)
        .map(|(place, delivery)| {
            let is_chosen =
                (material.event.as_ref()).is_some_and(|event| event.id == delivery.event.id);
            DeliveryRow {
                number: *place,
                at: zone.exact(delivery.event.time),
                kind: delivery.event.kind.word(),
                answer: answer(delivery),
                trouble: delivery.last.as_ref().and_then(|last| last.trouble.clone()),
                next: next(delivery, zone),
                is_quiet: matches!(delivery.state, State::Delivered { .. }),
                action: action(delivery).filter(|_| may_manage && is_on),
                link: format!("{base}&delivery={place}"),
                is_chosen,
            }
        })
        .collect();
    let has_more = material.deliveries.len() > shown;
    Chosen {
        id: webhook.id.to_string(),
        name: webhook.name.clone(),
        place: webhook.place(),
        is_on,
        paused: match webhook.status {
            Status::On => None,
            Status::Paused { since, why } => {
                let title = format!("It is told nothing since {}", zone.short(since).text);
                Some((title, paused(why)))
            }
        },
        waiting: standing.waiting,
        behind: standing.behind,
        secret_made: zone.short(webhook.secret_made),
        former_until: webhook
            .former_until
            .filter(|until| *until > zone.now())
            .map(|until| zone.short(until)),
        older: rows
            .last()
            .filter(|_| has_more)
            .map(|row| format!("{base}&before={}", row.number)),
        rows,
        is_first: material.is_first,
        newest: base,
    }
}

fn answer(delivery: &Delivery) -> Mark {
    let (class, icon) = match delivery.state {
        State::Delivered { .. } => ("st-ok", "okc"),
        State::Waiting { .. } if delivery.last.is_none() => ("st-off", "dashc"),
        State::Waiting { .. } => ("st-warn", "alert"),
        State::Failed { .. } => ("st-bad", "xc"),
    };
    let text = match &delivery.last {
        None => "Not sent yet".to_owned(),
        Some(last) => said(last),
    };
    mark(class, icon, text)
}

fn said(answer: &Answer) -> String {
    let took = match answer.milliseconds {
        milliseconds @ 0..1_000 => format!("{milliseconds} ms"),
        milliseconds => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
    };
    match answer.status {
        Some(status) if answer.is_good() => format!("{status} in {took}"),
        Some(status) => format!("{status} after {took}"),
        None => "No answer".to_owned(),
    }
}

fn next(delivery: &Delivery, zone: &Zone) -> String {
    match delivery.state {
        State::Waiting { next } if delivery.tries == 0 => {
            if next <= zone.now() {
                "Soon".to_owned()
            } else {
                zone.exact(next).text
            }
        }
        State::Waiting { next } => format!(
            "{}, try {} of {TRIES}",
            zone.exact(next).text,
            delivery.tries + 1
        ),
        State::Failed { .. } if delivery.event.kind != EventType::Test => {
            format!(
                "Given up after {}",
                counted(delivery.tries.into(), "attempt")
            )
        }
        State::Failed { .. } | State::Delivered { .. } => String::new(),
    }
}

fn action(delivery: &Delivery) -> Option<&'static str> {
    match delivery.state {
        _ if delivery.event.kind == EventType::Test => None,
        State::Waiting { .. } => Some("Send now"),
        State::Failed { .. } | State::Delivered { .. } => Some("Send again"),
    }
}

/// What stands in the form of an endpoint.
#[derive(Debug)]
pub(super) struct Typed {
    /// Absent: it is a new one.
    pub(super) id: Option<WebhookId>,
    /// What it was when the form was made.
    pub(super) version: String,
    pub(super) name: String,
    pub(super) url: String,
    pub(super) events: Wanted,
}

#[derive(Debug, Template)]
#[template(path = "webhook_form.html")]
pub(super) struct FormPage {
    frame: Frame,
    /// Where the form goes.
    action: String,
    is_new: bool,
    version: String,
    back: String,
    name: String,
    url: String,
    is_all: bool,
    types: Vec<(&'static str, &'static str, bool)>,
    mistakes: Mistakes,
}

pub(super) fn form(frame: Frame, typed: Typed, mistakes: Mistakes) -> FormPage {
    let chosen = |kind: EventType| match &typed.events {
        Wanted::All => false,
        Wanted::Only(types) => types.contains(&kind),
    };
    FormPage {
        types: EventType::ALL
            .map(|kind| (kind.word(), meaning(kind), chosen(kind)))
            .into(),
        is_all: typed.events == Wanted::All,
        is_new: typed.id.is_none(),
        version: typed.version,
        action: typed.id.map_or_else(
            || "/settings/webhooks".to_owned(),
            |id| format!("/settings/webhooks/{id}"),
        ),
        back: typed
            .id
            .map_or_else(|| "/settings/webhooks".to_owned(), super::at),
        name: typed.name,
        url: typed.url,
        frame,
        mistakes,
    }
}

fn meaning(kind: EventType) -> &'static str {
    match kind {
        EventType::UserCreated => "Somebody arrives, or comes back",
        EventType::UserUpdated => "Somebody's attributes change",
        EventType::UserDisabled => "Somebody is switched off",
        EventType::UserEnabled => "Somebody is switched on again",
        EventType::UserDeleted => "Somebody is deleted",
        EventType::GroupCreated => "A group is created",
        EventType::GroupUpdated => "A group's attributes change",
        EventType::GroupMembersChanged => "People or groups come into a group, or leave it",
        EventType::GroupDeleted => "A group is deleted",
        EventType::Test => "Somebody tries the way",
    }
}

#[derive(Debug, Template)]
#[template(path = "webhook_rotate.html")]
pub(super) struct RotatePage {
    frame: Frame,
    id: String,
    name: String,
    back: String,
    made: Moment,
}

pub(super) fn rotate_page(frame: Frame, webhook: &Webhook, zone: &Zone) -> RotatePage {
    RotatePage {
        frame,
        id: webhook.id.to_string(),
        name: webhook.name.clone(),
        back: super::at(webhook.id),
        made: zone.short(webhook.secret_made),
    }
}

#[derive(Debug, Template)]
#[template(path = "webhook_remove.html")]
pub(super) struct RemovePage {
    frame: Frame,
    id: String,
    name: String,
    place: String,
    back: String,
    waiting: u64,
}

pub(super) fn remove_page(frame: Frame, webhook: &Webhook, waiting: u64) -> RemovePage {
    RemovePage {
        frame,
        id: webhook.id.to_string(),
        name: webhook.name.clone(),
        place: webhook.place(),
        back: super::at(webhook.id),
        waiting,
    }
}
