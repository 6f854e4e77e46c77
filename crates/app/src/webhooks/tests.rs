//! What administrators do with webhooks, and what is to be delivered, without a network.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use rollcall_model::webhook::{Answer, OVERLAP, PATIENCE, State, TRIES};
use rollcall_model::{IntegrationKind, Kind};
use rollcall_scim::patch::Patch;
use rollcall_store::Claim;

use super::rounds::{AT_ONCE, GoesOn, Round};
use super::*;
use crate::directory::{Expected, Wanted as Shows};
use crate::testing::Installation;

fn new(name: &str) -> NewWebhook {
    NewWebhook {
        name: name.to_owned(),
        url: "https://hooks.example.com/in/canary?key=canary".to_owned(),
        events: Wanted::All,
    }
}

fn answer(status: u16) -> Answer {
    Answer {
        at: Timestamp::UNIX_EPOCH,
        status: Some(status),
        milliseconds: 5,
        trouble: None,
        retry_after: None,
    }
}

/// An endpoint, and the only claim to it.
struct Desk {
    installation: Installation,
    context: Context,
    id: WebhookId,
    claim: Option<Claim>,
    runner: u64,
}

impl Desk {
    async fn new() -> Self {
        let installation = Installation::new().await;
        let context = installation.command();
        let (webhook, _) = installation
            .app
            .add_webhook(&context, new("siem"))
            .await
            .unwrap();
        let claim = context.tenant().claim_webhook(webhook.id).await.unwrap();
        Self {
            installation,
            context,
            id: webhook.id,
            runner: claim.number(),
            claim: Some(claim),
        }
    }

    fn app(&self) -> &App {
        &self.installation.app
    }

    async fn person(&self, name: &str) {
        let body = json!({"userName": name, "title": "canary"});
        let created = self.app().create(&self.context, Kind::User, body);
        created.await.unwrap();
    }

    async fn round(&self) -> Option<Round> {
        let (tenant, runner) = (self.context.tenant(), self.runner);
        let round = self.app().webhook_round(tenant, self.id, runner);
        round.await.unwrap()
    }

    /// Answers all of a round alike.
    async fn answer(&self, round: &Round, with: &Answer) -> GoesOn {
        let answers = round
            .deliveries
            .iter()
            .map(|(sequence, _)| (*sequence, with.clone()));
        let (tenant, answers) = (self.context.tenant(), answers.collect());
        let noted = self
            .app()
            .note_webhook_round(tenant, round, self.runner, answers);
        noted.await.unwrap()
    }

    async fn standing(&self) -> WebhookStanding {
        let standings = self.app().webhooks(&self.context).await.unwrap();
        standings.into_iter().next().unwrap()
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        let found = self
            .app()
            .webhook_deliveries(&self.context, self.id, None, 2_000);
        let found = found.await.unwrap();
        found.into_iter().map(|(_, delivery)| delivery).collect()
    }
}

#[tokio::test]
async fn what_happened_is_told_once_from_when_the_endpoint_was_added() {
    let desk = Desk::new().await;
    assert!(desk.round().await.is_none(), "nothing happened");
    for n in 0..20 {
        desk.person(&format!("p{n}")).await;
    }

    let mut ids = Vec::new();
    while let Some(round) = desk.round().await {
        assert!(round.deliveries.len() as u64 <= AT_ONCE);
        ids.extend(round.deliveries.iter().map(|(_, one)| one.event.id.clone()));
        assert_eq!(desk.answer(&round, &answer(204)).await, GoesOn::Yes);
    }

    assert_eq!(ids.len(), 20);
    let told = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), told, "each once");
    let standing = desk.standing().await;
    assert_eq!((standing.waiting, standing.behind), (0, 0));
    let day = standing.webhook.health.last_day(desk.app().now());
    assert_eq!((day.made, day.delivered), (20, 20));
}

#[tokio::test]
async fn a_round_whose_end_was_not_noted_is_sent_again_with_the_same_ids() {
    let mut desk = Desk::new().await;
    desk.person("ann").await;
    let first = desk.round().await.unwrap();

    // whoever sent it dies, and somebody else comes
    drop(desk.claim.take());
    let claim = desk.context.tenant().claim_webhook(desk.id).await.unwrap();
    let tenant = desk.context.tenant();
    let second = desk
        .app()
        .webhook_round(tenant, desk.id, claim.number())
        .await
        .unwrap()
        .unwrap();

    assert_eq!(first.deliveries[0].1.event, second.deliveries[0].1.event);
    // the one who was slow wakes up, and changes nothing
    assert_eq!(desk.answer(&first, &answer(410)).await, GoesOn::No);
    assert!(desk.round().await.is_none());
    assert!(desk.standing().await.webhook.is_on());
}

#[tokio::test]
async fn what_fails_is_tried_again_and_an_endpoint_that_fails_for_days_is_paused_with_one_letter() {
    let desk = Desk::new().await;
    let way = crate::administrators::WayIn::Link;
    let (organisation, origin) = (
        desk.installation.organisation.id,
        desk.app().command_origin(),
    );
    let email = "owner@example.com".parse().unwrap();
    let owner = desk
        .app()
        .create_administrator(organisation, email, way, origin);
    owner.await.unwrap();
    let before = desk.app().waiting_letters().await.unwrap();
    for n in 0..30 {
        desk.person(&format!("p{n}")).await;
    }
    let begun = desk.app().now();

    let mut rounds = 0;
    while desk.standing().await.webhook.is_on() {
        if let Some(round) = desk.round().await {
            if rounds > 0 {
                assert!(round.deliveries.len() <= 1, "one asks whether it is back");
            }
            desk.answer(&round, &answer(503)).await;
            rounds += 1;
        }
        desk.installation
            .clock
            .advance(SignedDuration::from_mins(20));
    }

    let failed_for = desk.app().now().duration_since(begun);
    assert!(failed_for >= PATIENCE, "{failed_for:?}");
    assert!(
        failed_for < PATIENCE + SignedDuration::from_hours(2),
        "{failed_for:?}"
    );
    let standing = desk.standing().await;
    assert_eq!(standing.waiting, 30, "nothing is lost");
    assert_eq!(desk.app().waiting_letters().await.unwrap(), before + 1);

    // what happens while it is paused is told afterwards
    desk.person("later").await;
    assert!(desk.round().await.is_none());
    let (context, id) = (&desk.context, desk.id);
    desk.app()
        .resume_webhook(context, id, Missed::Deliver)
        .await
        .unwrap();
    let mut told = 0;
    while let Some(round) = desk.round().await {
        told += round.deliveries.len();
        desk.answer(&round, &answer(200)).await;
    }
    assert_eq!(told, 31);
    assert!(
        desk.deliveries()
            .await
            .iter()
            .all(|one| matches!(one.state, State::Delivered { .. }))
    );
}

#[tokio::test]
async fn what_one_event_fails_of_does_not_hold_up_the_others_and_is_given_up_in_the_end() {
    let desk = Desk::new().await;
    desk.person("poison").await;
    let mut tries = 0;
    let mut n = 0;
    loop {
        let Some(round) = desk.round().await else {
            let all = desk.deliveries().await;
            if all
                .iter()
                .any(|one| matches!(one.state, State::Failed { .. }))
            {
                break;
            }
            desk.installation
                .clock
                .advance(SignedDuration::from_hours(2));
            n += 1;
            desk.person(&format!("p{n}")).await;
            continue;
        };
        let mut answers = Vec::new();
        for (sequence, _) in &round.deliveries {
            tries += u32::from(*sequence == 1);
            answers.push((*sequence, answer(if *sequence == 1 { 500 } else { 200 })));
        }
        let (tenant, runner) = (desk.context.tenant(), desk.runner);
        let noted = desk
            .app()
            .note_webhook_round(tenant, &round, runner, answers);
        noted.await.unwrap();
    }

    assert_eq!(tries, TRIES);
    assert!(desk.standing().await.webhook.is_on());
    // somebody has it sent again
    desk.app()
        .send_delivery_again(&desk.context, desk.id, 1)
        .await
        .unwrap();
    let round = desk.round().await.unwrap();
    assert_eq!(round.deliveries[0].0, 1);
    assert_eq!(desk.answer(&round, &answer(200)).await, GoesOn::Yes);
}

#[tokio::test]
async fn an_endpoint_that_is_back_is_soon_asked_and_told_everything_that_waits() {
    let desk = Desk::new().await;
    for name in ["ann", "bob", "cid"] {
        desk.person(name).await;
    }
    let clock = &desk.installation.clock;
    for _ in 0..30 * 12 {
        if let Some(round) = desk.round().await {
            desk.answer(&round, &answer(503)).await;
        }
        clock.advance(SignedDuration::from_mins(5));
    }

    // after thirty hours each has been put off for long
    clock.advance(SignedDuration::from_mins(60));
    let round = desk.round().await.expect("within an hour it is asked");
    desk.answer(&round, &answer(200)).await;
    let rest = desk.round().await.expect("and then told the rest at once");
    desk.answer(&rest, &answer(200)).await;

    assert_eq!(round.deliveries.len() + rest.deliveries.len(), 3);
    assert_eq!(desk.standing().await.waiting, 0);
}

#[tokio::test]
async fn a_clock_that_was_ahead_does_not_keep_a_failing_endpoint_from_being_paused() {
    let desk = Desk::new().await;
    desk.person("ann").await;
    let clock = &desk.installation.clock;
    clock.advance(SignedDuration::from_hours(365 * 24));
    let round = desk.round().await.unwrap();
    desk.answer(&round, &answer(503)).await;
    clock.advance(SignedDuration::from_hours(-365 * 24));

    for _ in 0..80 {
        if let Some(round) = desk.round().await {
            desk.answer(&round, &answer(503)).await;
        }
        clock.advance(SignedDuration::from_hours(1));
    }

    assert!(!desk.standing().await.webhook.is_on());
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_paused_at_once() {
    let desk = Desk::new().await;
    desk.person("ann").await;
    let round = desk.round().await.unwrap();

    assert_eq!(desk.answer(&round, &answer(410)).await, GoesOn::No);

    let standing = desk.standing().await;
    assert!(matches!(
        standing.webhook.status,
        Status::Paused { why: Why::Gone, .. }
    ));
    assert_eq!(standing.waiting, 1);
    let refused = desk
        .app()
        .send_delivery_again(&desk.context, desk.id, 1)
        .await;
    assert!(
        matches!(refused, Err(Failure::Forbidden { .. })),
        "{refused:?}"
    );
    // what happened meanwhile may be left out, with what waited before
    desk.person("bob").await;
    desk.app()
        .resume_webhook(&desk.context, desk.id, Missed::LeaveOut)
        .await
        .unwrap();
    assert!(desk.round().await.is_none());
    assert_eq!(desk.standing().await.waiting, 0);
    desk.person("cid").await;
    let round = desk.round().await.unwrap();
    assert_eq!(
        round.deliveries.len(),
        1,
        "what happens from now on is sent"
    );
    desk.answer(&round, &answer(200)).await;
    // what was left out is not lost
    desk.app()
        .send_delivery_again(&desk.context, desk.id, 1)
        .await
        .unwrap();
    assert_eq!(desk.round().await.unwrap().deliveries[0].0, 1);
}

#[tokio::test]
async fn what_the_former_address_answers_is_not_charged_to_the_new_one() {
    for status in [410, 503] {
        let desk = Desk::new().await;
        desk.person("ann").await;
        desk.person("bob").await;
        let round = desk.round().await.unwrap();
        let moved = WebhookChange {
            url: Some("https://new.example.com/in".to_owned()),
            ..WebhookChange::default()
        };
        let (context, id) = (&desk.context, desk.id);
        desk.app().change_webhook(context, id, moved).await.unwrap();

        let answers = vec![(1, answer(200)), (2, answer(status))];
        let (tenant, runner) = (context.tenant(), desk.runner);
        let noted = desk
            .app()
            .note_webhook_round(tenant, &round, runner, answers);
        assert_eq!(noted.await.unwrap(), GoesOn::Yes);

        let webhook = desk.standing().await.webhook;
        assert!(webhook.is_on(), "{status}");
        assert_eq!(
            (webhook.health.last_try, webhook.health.failures),
            (None, 0)
        );
        // what arrived has arrived; the other one goes to the new address at once
        let round = desk.round().await.unwrap();
        assert_eq!(round.webhook.url, "https://new.example.com/in");
        assert_eq!(round.deliveries.len(), 1);
        assert_eq!((round.deliveries[0].0, round.deliveries[0].1.tries), (2, 0));
    }
}

#[tokio::test]
async fn what_an_overloaded_endpoint_asks_for_is_heeded_though_something_arrived() {
    let desk = Desk::new().await;
    desk.person("ann").await;
    desk.person("bob").await;
    let round = desk.round().await.unwrap();
    let busy = Answer {
        retry_after: Some(600),
        ..answer(429)
    };
    let answers = vec![(1, answer(200)), (2, busy)];
    let (tenant, runner) = (desk.context.tenant(), desk.runner);
    let noted = desk
        .app()
        .note_webhook_round(tenant, &round, runner, answers);
    assert_eq!(noted.await.unwrap(), GoesOn::No);

    desk.person("cid").await;
    assert!(desk.round().await.is_none());
    desk.installation
        .clock
        .advance(SignedDuration::from_mins(10));
    assert!(desk.round().await.is_some());
}

#[tokio::test]
async fn what_waits_and_what_is_kept_has_bounds_and_the_feed_has_the_rest() {
    let desk = Desk::new().await;
    let tenant = desk.context.tenant();
    let change = rollcall_store::NewChange {
        kind: Kind::User,
        id: rollcall_model::ResourceId::new(desk.app().now(), &**desk.app().randomness()),
        action: rollcall_model::Action::Updated,
        document: None,
        membership: rollcall_model::Membership::default(),
        summary: rollcall_model::Summary::default(),
    };
    let now = desk.app().now();
    tenant
        .write::<_, Failure, _>(move |writer| {
            (0..1_300).try_for_each(|_| Ok(writer.append_change(now, &change)?))
        })
        .await
        .unwrap();

    let down = desk.round().await.unwrap();
    desk.answer(&down, &answer(500)).await;
    for _ in 0..200 {
        desk.installation
            .clock
            .advance(SignedDuration::from_hours(1));
        if !desk.standing().await.webhook.is_on() {
            break;
        }
        if let Some(round) = desk.round().await {
            desk.answer(&round, &answer(500)).await;
        }
    }
    assert_eq!(
        desk.standing().await.waiting,
        rollcall_model::webhook::WAITING
    );
    desk.app()
        .resume_webhook(&desk.context, desk.id, Missed::Deliver)
        .await
        .unwrap();
    let mut ids = BTreeSet::new();
    while let Some(round) = desk.round().await {
        for (_, delivery) in &round.deliveries {
            ids.insert(delivery.event.id.clone());
        }
        desk.answer(&round, &answer(200)).await;
    }

    assert_eq!(ids.len(), 1_300);
    assert!(desk.deliveries().await.len() as u64 <= rollcall_model::webhook::KEPT + AT_ONCE);
    desk.installation
        .clock
        .advance(SignedDuration::from_hours(25));
    assert!(desk.round().await.is_none());
    assert!(desk.deliveries().await.is_empty());
}

#[tokio::test]
async fn another_address_has_another_secret_and_a_rotation_overlaps_for_a_day() {
    let installation = Installation::new().await;
    let (app, context) = (&installation.app, installation.command());
    let (webhook, first) = app.add_webhook(&context, new("siem")).await.unwrap();
    let id = webhook.id;
    let change = |name: Option<&str>, url: Option<&str>| WebhookChange {
        name: name.map(ToOwned::to_owned),
        url: url.map(ToOwned::to_owned),
        events: None,
        expected: None,
    };
    let signs = async || {
        let (_, secrets, _) = app.webhook_test(&context, id).await.unwrap();
        secrets
    };

    let (_, kept) = app
        .change_webhook(&context, id, change(Some("SIEM"), None))
        .await
        .unwrap();
    assert!(kept.is_none(), "the address is the same");
    assert_eq!(signs().await.present().expose(), first.expose());

    let (_, second) = app
        .rotate_webhook_secret(&context, id, Former::Overlaps)
        .await
        .unwrap();
    assert_ne!(second.expose(), first.expose());
    let signed = async || signs().await.sign("evt_1", 1, b"{}").split(' ').count();
    assert_eq!(signed().await, 2);
    installation.clock.advance(OVERLAP);
    assert_eq!(signed().await, 1);

    for url in [
        "https://hooks.example.com/other",
        "https://hooks.example.com:8443/other",
        "http://hooks.example.com:8443/other",
        "https://elsewhere.example.com/other",
    ] {
        let before = signs().await.present();
        let (_, fresh) = app
            .change_webhook(&context, id, change(None, Some(url)))
            .await
            .unwrap();
        let present = signs().await.present();
        assert_eq!(fresh.unwrap().expose(), present.expose(), "{url}");
        assert_ne!(before.expose(), present.expose(), "{url}");
        assert_eq!(signed().await, 1, "{url}");
    }
}

#[tokio::test]
async fn every_change_is_in_the_activity_log_without_secrets() {
    let installation = Installation::new().await;
    let (app, context) = (&installation.app, installation.command());
    let (webhook, secret) = app.add_webhook(&context, new("siem")).await.unwrap();
    let id = webhook.id;
    let renamed = WebhookChange {
        name: Some("other".to_owned()),
        ..WebhookChange::default()
    };
    let (changed, _) = app.change_webhook(&context, id, renamed).await.unwrap();
    assert_ne!(changed.version(), webhook.version());
    let stale = WebhookChange {
        url: Some(webhook.url.clone()),
        expected: Some(webhook.version()),
        ..WebhookChange::default()
    };
    let refused = app.change_webhook(&context, id, stale).await;
    assert!(matches!(refused, Err(Failure::Precondition)));
    app.pause_webhook(&context, id).await.unwrap();
    app.resume_webhook(&context, id, Missed::Deliver)
        .await
        .unwrap();
    let (_, fresh) = app
        .rotate_webhook_secret(&context, id, Former::Ends)
        .await
        .unwrap();
    app.remove_webhook(&context, id).await.unwrap();

    let log = context
        .tenant()
        .read::<_, Failure, _>(|reader| Ok(reader.audit(None, 50)?));
    let log = log.await.unwrap();
    let told: Vec<&str> = log
        .iter()
        .filter(|entry| entry.object == id.to_string())
        .map(|entry| entry.action.as_str())
        .rev()
        .collect();
    assert_eq!(
        told,
        [
            "webhook.created",
            "webhook.changed",
            "webhook.paused",
            "webhook.resumed",
            "webhook.secret_rotated",
            "webhook.removed"
        ]
    );
    let text = format!("{log:?}");
    assert!(!text.contains(secret.expose()) && !text.contains(fresh.expose()));
    assert!(
        !text.contains("canary"),
        "path and query of an address may be a secret"
    );
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_what_to_do() {
    let installation = Installation::new().await;
    let (app, context) = (&installation.app, installation.command());
    app.add_webhook(&context, new("siem")).await.unwrap();
    let refused = async |new: NewWebhook| app.add_webhook(&context, new).await.unwrap_err();

    let taken = refused(new(" SIEM ")).await;
    assert!(
        matches!(
            taken,
            Failure::Taken {
                attribute: "name",
                ..
            }
        ),
        "{taken}"
    );
    for wrong in ["", "  ", "a\nb", &"x".repeat(101)] {
        let failure = refused(new(wrong)).await;
        assert!(failure.to_string().contains("1 to 100"), "{failure}");
    }
    let mut long = new("long");
    long.url = format!("https://x.example/{}", "y".repeat(2_000));
    assert!(refused(long).await.to_string().contains("2000 bytes"));
    let mut none = new("none");
    none.events = Wanted::Only(BTreeSet::new());
    assert!(refused(none).await.to_string().contains("at least one"));
}

#[tokio::test]
async fn another_organisation_has_no_part_in_an_endpoint() {
    let desk = Desk::new().await;
    desk.person("ann").await;
    desk.round().await.unwrap();
    let other = crate::organisations::NewOrganisation {
        slug: "other".parse().unwrap(),
        name: "Other".into(),
        region: None,
        seats: None,
        trial_until: None,
    };
    let other = desk.app().create_organisation(other).await.unwrap();
    let context = desk.app().command_context(other.id);
    let (app, id) = (desk.app(), desk.id);

    let missing = |failure: Result<(), Failure>| match failure {
        Err(Failure::Missing {
            noun: "webhook", ..
        }) => {}
        other => panic!("{other:?}"),
    };
    missing(app.pause_webhook(&context, id).await);
    missing(app.resume_webhook(&context, id, Missed::Deliver).await);
    missing(app.remove_webhook(&context, id).await);
    missing(app.send_delivery_again(&context, id, 1).await);
    missing(app.webhook_test(&context, id).await.map(drop));
    missing(
        app.webhook_deliveries(&context, id, None, 9)
            .await
            .map(drop),
    );
    let change = WebhookChange::default();
    missing(app.change_webhook(&context, id, change).await.map(drop));
    let rotated = app.rotate_webhook_secret(&context, id, Former::Overlaps);
    missing(rotated.await.map(drop));
    missing(app.webhook_named(&context, "siem").await.map(drop));
    assert!(app.webhooks(&context).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_event_names_what_a_patch_changed_and_who_changed_it_and_no_value() {
    let desk = Desk::new().await;
    let (_, _, directory) = desk.installation.directory(IntegrationKind::Entra).await;
    let app = desk.app();
    let body = json!({"userName": "ann@example.com", "emails": [{"value": "canary@example.com", "type": "work"}]});
    let ann = app.create(&directory, Kind::User, body).await.unwrap();
    let body = json!({"schemas": [rollcall_scim::patch::PATCH_SCHEMA], "Operations": [
        {"op": "replace", "path": "emails[value eq \"canary@example.com\"].value", "value": "canary2@example.com"},
        {"op": "add", "path": "name.familyName", "value": "canary"},
        {"op": "replace", "path": "active", "value": false}]});
    let patch = Patch::parse(&body, app.resource_type(Kind::User), &app.settings().limits).unwrap();
    let patched = app.patch(
        &directory,
        Kind::User,
        ann.entry.id,
        patch,
        Expected::Any,
        Shows::NOTHING,
    );
    patched.await.unwrap();

    let round = desk.round().await.unwrap();

    let sent = serde_json::to_value(&round.deliveries[1].1.event).unwrap();
    assert_eq!(sent["type"], "user.disabled");
    assert_eq!(sent["actor"], "integration");
    assert_eq!(sent["object"]["version"], 2);
    let mut changed: Vec<&str> = sent["changed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    changed.sort_unstable();
    assert_eq!(changed, ["active", "emails", "name.familyName"]);
    for (_, delivery) in &round.deliveries {
        let text = serde_json::to_string(&delivery.event).unwrap();
        assert!(!text.contains("canary") && !text.contains("ann@"), "{text}");
    }
}
