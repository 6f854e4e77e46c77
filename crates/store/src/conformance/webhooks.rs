//! Endpoints that are told what happens, and what is delivered to them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rollcall_model::clock::SKEW;
use rollcall_model::webhook::{
    Answer, Health, KEPT_DELIVERED, KEPT_FAILED, LONGEST_REST, State, Status, Wanted, Webhook, Why,
};
use rollcall_model::{ActorKind, Delivery, Event, EventType, OrgId, RequestId, WebhookId};

use super::{DICE, at, change, creation, organisation, person};
use crate::{Error, Store, Tenant};

fn webhook(name: &str) -> Webhook {
    Webhook {
        id: WebhookId::new(at(0), &DICE),
        name: name.to_owned(),
        url: format!("https://{name}.example.com/hooks?key=1"),
        events: Wanted::Only(BTreeSet::from([EventType::UserCreated])),
        status: Status::On,
        created: at(0),
        secret_made: at(0),
        former_until: None,
        health: Health::default(),
    }
}

fn delivery(second: i64) -> Delivery {
    let request = RequestId::new(at(0), &DICE);
    let event = Event::test(request, &"one".parse().unwrap(), at(0), ActorKind::System);
    Delivery::new(event, at(second))
}

fn answer(status: u16) -> Answer {
    Answer {
        at: at(0),
        status: Some(status),
        milliseconds: 3,
        trouble: None,
        retry_after: None,
    }
}

async fn add(tenant: &Tenant, webhook: &Webhook, position: u64) {
    let webhook = webhook.clone();
    change(tenant, move |writer| {
        writer.insert_webhook(&webhook, b"sealed", position)
    })
    .await;
}

async fn due(store: &Store, now: Timestamp) -> Vec<(OrgId, WebhookId)> {
    store.due_webhooks(now).await.unwrap()
}

/// An endpoint is kept with its secret and its place in the feed, in its organisation alone, and goes with its deliveries.
pub async fn endpoints_are_kept_with_secret_and_place_in_the_feed(store: Store) {
    let tenant = organisation(&store, "one").await;
    let other = organisation(&store, "other").await;
    let (first, second) = (webhook("first"), webhook("second"));
    add(&tenant, &first, 7).await;
    add(&tenant, &second, 0).await;
    let id = first.id;
    change(&tenant, move |writer| {
        writer.add_deliveries(id, &[delivery(1)])
    })
    .await;

    let mut paused = first.clone();
    paused.status = Status::Paused {
        since: at(5),
        why: Why::Gone,
    };
    let saved = paused.clone();
    change(&tenant, move |writer| {
        writer.save_webhook(&saved)?;
        writer.save_webhook_secret(id, b"other")?;
        writer.move_webhook(id, 9)
    })
    .await;

    let seen = tenant
        .read::<_, Error, _>(|reader| reader.webhooks())
        .await
        .unwrap();
    let hook = seen[0].clone();
    assert_eq!(
        (hook.webhook, hook.sealed_secret.as_slice(), hook.position),
        (paused, b"other".as_slice(), 9)
    );
    assert_eq!(
        (
            &seen[1].webhook,
            seen[1].sealed_secret.as_slice(),
            seen[1].position
        ),
        (&second, b"sealed".as_slice(), 0)
    );
    other
        .write::<_, Error, _>(move |writer| {
            assert!(writer.webhooks()?.is_empty());
            assert!(writer.webhook(id)?.is_none());
            assert!(writer.delivery(id, 1)?.is_none());
            assert!(writer.deliveries(id, None, 9)?.is_empty());
            assert!(matches!(writer.move_webhook(id, 1), Err(Error::Missing)));
            Ok(())
        })
        .await
        .unwrap();
    change(&tenant, move |writer| writer.remove_webhook(id)).await;
    let left = tenant
        .read::<_, Error, _>(move |reader| {
            Ok((reader.webhook(id)?, reader.deliveries(id, None, 9)?.len()))
        })
        .await
        .unwrap();
    assert_eq!(left, (None, 0));
}

/// An endpoint has something to do when the feed goes on, a delivery is due or one is to be forgotten; not while it rests or is paused.
pub async fn endpoints_with_something_to_do_are_found_in_all_organisations(store: Store) {
    let tenant = organisation(&store, "one").await;
    let organisation = tenant.organisation();
    let hook = webhook("hook");
    let id = hook.id;
    add(&tenant, &hook, 0).await;
    assert_eq!(due(&store, at(0)).await, [], "nothing happened");

    let entry = person("ann", serde_json::json!({}));
    change(&tenant, move |writer| {
        writer.insert(&entry)?;
        writer.append_change(at(1), &creation(&entry))
    })
    .await;
    assert_eq!(due(&store, at(1)).await, [(organisation, id)]);
    let mut resting = hook.clone();
    resting.health.rest_until = Some(at(60));
    let saved = resting.clone();
    change(&tenant, move |writer| writer.save_webhook(&saved)).await;
    assert_eq!(due(&store, at(59)).await, []);
    assert_eq!(due(&store, at(60)).await, [(organisation, id)]);
    // it rests until a time that there cannot be: a clock was wrong
    let longest = LONGEST_REST + SKEW;
    assert_eq!(due(&store, at(60) - longest).await, []);
    assert_eq!(due(&store, at(59) - longest).await, [(organisation, id)]);
    assert!(
        !resting.health.rests(at(59) - longest),
        "the model says so, too"
    );

    change(&tenant, move |writer| {
        writer.move_webhook(id, 1)?;
        writer.add_deliveries(id, &[delivery(100), delivery(200)])
    })
    .await;
    assert_eq!(due(&store, at(99)).await, []);
    assert_eq!(due(&store, at(100)).await, [(organisation, id)]);
    let mut paused = hook.clone();
    paused.status = Status::Paused {
        since: at(0),
        why: Why::Asked,
    };
    change(&tenant, move |writer| writer.save_webhook(&paused)).await;
    assert_eq!(due(&store, at(100)).await, []);

    change(&tenant, move |writer| {
        let done = delivery(0).tried(answer(200), at(0), &DICE);
        writer.save_delivery(id, 1, &done)
    })
    .await;
    let forgotten = at(0) + KEPT_DELIVERED;
    assert_eq!(due(&store, at(100)).await, []);
    assert_eq!(due(&store, forgotten).await, [(organisation, id)]);
}

/// Deliveries have places; those that are due are found in order; what came to an end is kept for a while, and up to a number.
pub async fn deliveries_wait_in_order_and_are_kept_for_a_while(store: Store) {
    let tenant = organisation(&store, "one").await;
    let (hook, other) = (webhook("hook"), webhook("other"));
    let (id, foreign) = (hook.id, other.id);
    add(&tenant, &hook, 0).await;
    add(&tenant, &other, 0).await;
    change(&tenant, move |writer| {
        writer.add_deliveries(id, &[delivery(30), delivery(10)])?;
        writer.add_deliveries(foreign, &[delivery(0)])?;
        writer.add_deliveries(id, &[delivery(20), delivery(400_000)])
    })
    .await;

    let (waiting, first, beyond, page) = tenant
        .read::<_, Error, _>(move |reader| {
            let places = |now, beyond, count| -> Result<Vec<u64>, Error> {
                let due = reader.due_deliveries(id, at(now), at(beyond), count)?;
                Ok(due.into_iter().map(|(place, _)| place).collect())
            };
            let page = reader.deliveries(id, Some(4), 2)?;
            let page: Vec<u64> = page.into_iter().map(|(place, _)| place).collect();
            Ok((
                reader.waiting_deliveries(id)?,
                places(25, 900_000, 9)?,
                places(25, 100, 9)?,
                page,
            ))
        })
        .await
        .unwrap();
    assert_eq!(waiting, 4);
    assert_eq!(first, [2, 3]);
    assert_eq!(beyond, [2, 3, 4]);
    assert_eq!(page, [3, 2]);

    change(&tenant, move |writer| {
        for (place, status) in [(2, 200), (3, 204)] {
            let done = delivery(0).tried(answer(status), at(place), &DICE);
            writer.save_delivery(id, u64::try_from(place).unwrap(), &done)?;
        }
        let failed = delivery(0).tested(answer(500), at(0));
        writer.save_delivery(id, 1, &failed)?;
        writer.hurry_deliveries(id, at(50))
    })
    .await;
    let states = async |now: Timestamp, kept| -> Vec<u64> {
        change(&tenant, move |writer| {
            writer.forget_deliveries(id, now, kept)
        })
        .await;
        let left = tenant.read::<_, Error, _>(move |reader| reader.deliveries(id, None, 9));
        left.await.unwrap().into_iter().map(|(at, _)| at).collect()
    };
    assert_eq!(states(at(60), 9).await, [4, 3, 2, 1]);
    let hurried = tenant.read::<_, Error, _>(move |reader| reader.delivery(id, 4));
    assert_eq!(
        hurried.await.unwrap().unwrap().state,
        State::Waiting { next: at(50) }
    );
    assert_eq!(
        states(at(60), 2).await,
        [4, 3, 1],
        "what was delivered first goes, before what was given up"
    );
    assert_eq!(states(at(3) + KEPT_DELIVERED, 9).await, [4, 1]);
    assert_eq!(
        states(at(0) + KEPT_FAILED, 9).await,
        [4],
        "what waits stays"
    );
    let foreign = tenant.read::<_, Error, _>(move |reader| reader.waiting_deliveries(foreign));
    assert_eq!(foreign.await.unwrap(), 1);
}

/// To an endpoint is delivered by one at a time, whose number is greater than that of any before.
pub async fn an_endpoint_is_claimed_by_one_at_a_time(store: Store) {
    let tenant = organisation(&store, "one").await;
    let hook = webhook("hook");
    let id = hook.id;
    add(&tenant, &hook, 0).await;

    let claim = tenant.claim_webhook(id).await.unwrap();

    assert!(claim.is_held());
    let runner = tenant.read::<_, Error, _>(move |reader| reader.webhook(id));
    assert_eq!(runner.await.unwrap().unwrap().runner, claim.number());
    assert!(matches!(
        tenant.claim_webhook(id).await,
        Err(Error::Occupied(_))
    ));
    let first = claim.number();
    claim.release().await;
    drop(claim);
    let second = tenant.claim_webhook(id).await.unwrap();
    assert!(second.number() > first);
    second.release().await;
    drop(second);
    change(&tenant, move |writer| writer.remove_webhook(id)).await;
    assert!(matches!(
        tenant.claim_webhook(id).await,
        Err(Error::Missing)
    ));
}
