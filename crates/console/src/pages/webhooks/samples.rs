//! How the pages look: nothing yet, one, many, one that fails, hostile names, to whoever only reads.

use std::collections::BTreeSet;

use askama::Template;
use jiff::{SignedDuration, Timestamp};
use rollcall_app::webhooks::WebhookStanding;
use rollcall_model::webhook::{Answer, Health, Hour, State, Status, Wanted, Why};
use rollcall_model::{
    ActorKind, Delivery, Event, EventType, RequestId, Secret, Webhook, WebhookId,
};

use super::view::{self, Fresh, Material, Typed};
use crate::layout::sample::{HOSTILE, frame};
use crate::layout::{Frame, Mistakes, Place};
use crate::words::Zone;

fn now() -> Timestamp {
    Timestamp::from_second(1_763_472_728).unwrap_or_default()
}

fn zone() -> Zone {
    Zone::new(Some("Europe/Oslo"), now())
}

fn this() -> Frame {
    frame(Place::Webhooks, super::TITLE)
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn standing(number: u8, name: &str, url: &str) -> WebhookStanding {
    let hour = now().as_second().div_euclid(3_600);
    let counted = Hour {
        made: 284,
        delivered: 284,
    };
    WebhookStanding {
        webhook: Webhook {
            id: WebhookId::from_bytes([number; 16]),
            name: name.to_owned(),
            url: url.to_owned(),
            events: Wanted::Only(BTreeSet::from([
                EventType::UserCreated,
                EventType::UserDisabled,
                EventType::UserDeleted,
            ])),
            status: Status::On,
            created: ago(90_000),
            secret_made: ago(90_000),
            former_until: None,
            health: Health {
                last_try: Some(ago(4)),
                last_success: Some(ago(4)),
                hours: [(hour, counted)].into(),
                ..Health::default()
            },
        },
        waiting: 0,
        behind: 0,
    }
}

fn failing() -> WebhookStanding {
    let mut failing = standing(
        2,
        "Security events",
        "https://hooks.alderbrook.example/siem",
    );
    failing.webhook.events = Wanted::All;
    failing.webhook.health.failing_since = Some(ago(20));
    failing.webhook.former_until = Some(ago(-600));
    failing.waiting = 3;
    failing.behind = 12;
    failing
}

fn paused(why: Why) -> WebhookStanding {
    let mut paused = standing(
        3,
        "HR intake",
        "https://old-hr.alderbrook.example/in?key=hidden",
    );
    paused.webhook.status = Status::Paused {
        since: ago(20_000),
        why,
    };
    paused.webhook.health.hours.clear();
    paused
}

fn delivery(kind: EventType, minutes: i64, status: Option<u16>, tries: u32) -> Option<Delivery> {
    let request = RequestId::from_bytes([u8::try_from(minutes).unwrap_or(0); 16]);
    let slug = "alderbrook".parse().ok()?;
    let mut event = Event::test(request, &slug, ago(minutes), ActorKind::Integration);
    event.kind = kind;
    let answer = Answer {
        at: ago(minutes),
        status,
        milliseconds: 1_234,
        trouble: status
            .is_none()
            .then(|| "`hooks.alderbrook.example` refuses connections: nothing listens at this address and port; check both".to_owned()),
        retry_after: None,
    };
    let is_good = answer.is_good();
    Some(Delivery {
        event,
        tries,
        state: match (is_good, tries) {
            (true, _) => State::Delivered { at: ago(minutes) },
            (false, 12) => State::Failed { at: ago(minutes) },
            (false, _) => State::Waiting { next: ago(-4) },
        },
        last: (tries > 0).then_some(answer),
    })
}

fn deliveries() -> Vec<(u64, Delivery)> {
    let all = [
        delivery(EventType::UserUpdated, 1, None, 0),
        delivery(EventType::UserUpdated, 2, Some(503), 2),
        delivery(EventType::GroupMembersChanged, 3, None, 3),
        delivery(EventType::UserCreated, 6, Some(200), 1),
        delivery(EventType::Test, 8, Some(204), 1),
        delivery(EventType::UserDisabled, 11, Some(500), 12),
    ];
    (1..)
        .zip(all.into_iter().flatten())
        .map(|(place, one)| (40 - place, one))
        .collect()
}

fn material(standings: Vec<WebhookStanding>) -> Material {
    Material {
        chosen: standings.first().map(|one| one.webhook.id),
        standings,
        deliveries: Vec::new(),
        is_first: true,
        event: None,
        slug: "alderbrook".to_owned(),
        fresh: None,
    }
}

pub(crate) fn samples() -> Vec<(String, String)> {
    let page = |frame: Frame, material: &Material| {
        let page = view::page(frame, material, &zone());
        page.render().unwrap_or_default()
    };
    let door = || {
        standing(
            1,
            "Door badges",
            "https://badge.alderbrook.example/hooks/people",
        )
    };
    let one = Material {
        fresh: Some(Fresh::new(
            &door().webhook,
            &Secret::new("whsec_c2FtcGxlIHNhbXBsZSBzYW1wbGUgc2FtcGxlIHM="),
            "It signs every request from now on.",
        )),
        ..material(vec![door()])
    };
    let mut many = material(vec![door(), failing(), paused(Why::Asked)]);
    many.chosen = Some(failing().webhook.id);
    many.deliveries = deliveries();
    let mut full = material(
        (0..20)
            .map(|n| {
                standing(
                    n,
                    &format!("Endpoint {n}"),
                    "https://hooks.alderbrook.example/x",
                )
            })
            .collect(),
    );
    full.deliveries = (0..60)
        .filter_map(|n| Some((90 - n, delivery(EventType::UserCreated, 5, Some(200), 1)?)))
        .collect();
    let mut detail = material(vec![failing()]);
    detail.deliveries = deliveries();
    detail.event = detail.deliveries.first().map(|(_, one)| one.event.clone());
    let mut hostile = standing(9, HOSTILE, &format!("https://x.example/{HOSTILE}"));
    hostile.webhook.health.failing_since = Some(ago(9));
    let mut hostile = material(vec![hostile]);
    if let Some(mut troubled) = delivery(EventType::UserCreated, 6, None, 1) {
        if let Some(last) = &mut troubled.last {
            last.trouble = Some(HOSTILE.to_owned());
        }
        hostile.deliveries.push((1, troubled));
    }
    let mut reader = this();
    reader.may.provisioning = false;
    let mut samples: Vec<(String, String)> = [
        ("webhooks-empty", page(this(), &material(Vec::new()))),
        ("webhooks-one", page(this(), &one)),
        ("webhooks", page(this(), &many)),
        ("webhooks-many", page(this(), &full)),
        ("webhooks-detail", page(this(), &detail)),
        ("webhooks-hostile", page(this(), &hostile)),
        ("webhooks-reader", page(reader.clone(), &many)),
        ("webhooks-reader-empty", page(reader, &material(Vec::new()))),
    ]
    .map(|(name, html)| (name.to_owned(), html))
    .into();
    for why in [Why::Failing, Why::Gone, Why::Restored] {
        let name = format!("webhooks-paused-{why:?}").to_lowercase();
        samples.push((name, page(this(), &material(vec![paused(why)]))));
    }
    samples.extend(forms());
    samples
}

fn forms() -> [(String, String); 5] {
    let typed = |id, name: &str, url: &str, events| Typed {
        id,
        version: String::new(),
        name: name.to_owned(),
        url: url.to_owned(),
        events,
    };
    let form = |typed, mistakes| {
        let page = view::form(this(), typed, mistakes);
        page.render().unwrap_or_default()
    };
    let webhook = standing(
        1,
        "Door badges",
        "https://badge.alderbrook.example/hooks/people",
    )
    .webhook;
    let mut mistakes = Mistakes::one("name", "`name` is taken: choose another one");
    mistakes.add("url", "`http://x` is not https");
    mistakes.add("which", "choose at least one type of event, or all");
    let none = Wanted::Only(BTreeSet::new());
    [
        (
            "webhook-new",
            form(typed(None, "", "", Wanted::All), Mistakes::default()),
        ),
        (
            "webhook-again",
            form(typed(None, HOSTILE, HOSTILE, none), mistakes),
        ),
        (
            "webhook-change",
            form(
                typed(
                    Some(webhook.id),
                    &webhook.name,
                    &webhook.url,
                    webhook.events.clone(),
                ),
                Mistakes::default(),
            ),
        ),
        (
            "webhook-rotate",
            view::rotate_page(this(), &webhook, &zone())
                .render()
                .unwrap_or_default(),
        ),
        (
            "webhook-remove",
            view::remove_page(this(), &webhook, 3)
                .render()
                .unwrap_or_default(),
        ),
    ]
    .map(|(name, html)| (name.to_owned(), html))
}
