//! Targets that ask for patience, and requests that are sent again.

use std::time::{Duration, Instant};

use rollcall_connect::pace::Urgency;
use rollcall_model::profile::{Evidence, Known, Rate};
use rollcall_model::{Kind, Profile};
use rollcall_sync::task::{Answer, Extent, Write};
use serde_json::{Map, json};

use crate::scripted::{Said, Scripted};

fn creation() -> Write {
    Write::Create {
        body: json!({"userName": "ann"}).as_object().cloned().unwrap(),
    }
}

#[tokio::test]
async fn who_is_asked_for_patience_waits_as_long_and_remembers_the_rate() {
    let endpoint = Scripted::start(|_, before| match before {
        0 => Said::status(429).with("retry-after", "0.4"),
        _ => Said::json(201, &json!({"id": "1"})),
    })
    .await;
    let target = endpoint.target();
    let begun = Instant::now();

    let answer = target.write(Kind::User, &creation()).await;

    // what certainly had no effect is sent again, also a creation
    assert_eq!(answer, Answer::Created("1".into()));
    assert!(begun.elapsed() >= Duration::from_millis(400));
    let rate = target.profile().rate.unwrap();
    assert!((f64::from(rate.value) - 0.5).abs() < 0.01, "{rate:?}");
    assert!(
        matches!(&rate.evidence, Evidence::Learned { observation, .. } if observation == "429 at 1 requests per second"),
        "{rate:?}"
    );
}

#[tokio::test]
async fn who_asks_for_long_patience_is_left_alone_by_everybody() {
    let endpoint = Scripted::start(|_, _| {
        Said::status(429).with("retry-after", "Mon, 05 Jan 2026 13:00:00 GMT")
    })
    .await;
    let target = endpoint.target();

    let first = target.write(Kind::User, &creation()).await;
    let urgent = target.clone().with_urgency(Urgency::Urgent);
    let second = urgent.get(Kind::User, "1").await;

    for (answer, message) in [
        (first, "the target takes no more requests for a while (429)"),
        (
            second,
            "the target asked to be left alone for 3599 seconds more",
        ),
    ] {
        let Answer::Failed(trouble) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(trouble.extent, Extent::Target);
        assert_eq!(trouble.code, "TooManyRequests");
        assert_eq!(trouble.message, message);
        let asked = trouble.retry_after.unwrap().as_secs_f64();
        assert!((3_590.0..=3_600.0).contains(&asked), "{asked}");
    }
    assert_eq!(endpoint.seen().len(), 1);
}

#[tokio::test]
async fn a_busy_target_says_for_how_long_and_the_trouble_tells_it() {
    let endpoint = Scripted::start(|_, _| Said::status(503).with("retry-after", "0.05")).await;

    let profile = Profile {
        rate: Some(Known::assumed(Rate::from(1_000.0))),
        ..Profile::default()
    };

    let answer = endpoint.target_with(profile).get(Kind::User, "1").await;

    let Answer::Failed(trouble) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(trouble.retry_after, Some(Duration::from_millis(50)));
    assert!(trouble.may_pass);
    assert_eq!(endpoint.seen().len(), 4);
}

#[tokio::test]
async fn a_creation_of_unknown_outcome_is_not_sent_again_and_anything_else_is() {
    let endpoint = Scripted::start(|_, _| Said::status(502)).await;
    let target = endpoint.target();

    let created = target.write(Kind::User, &creation()).await;
    assert!(matches!(created, Answer::Unknown(_)), "{created:?}");
    assert_eq!(endpoint.seen().len(), 1);

    let deleted = target
        .write(Kind::User, &Write::Delete { id: "1".into() })
        .await;
    assert!(matches!(deleted, Answer::Unknown(_)), "{deleted:?}");
    assert_eq!(endpoint.seen().len(), 5);
}

#[tokio::test]
async fn a_created_resource_with_a_number_for_an_id_is_of_unknown_outcome() {
    let endpoint = Scripted::start(|_, _| Said::json(201, &json!({"id": 5}))).await;

    let answer = endpoint
        .target()
        .write(Kind::User, &Write::Create { body: Map::new() })
        .await;

    let Answer::Unknown(trouble) = answer else {
        panic!("{answer:?}");
    };
    assert!(
        trouble.message.contains("whose `id` is 5"),
        "{}",
        trouble.message
    );
}
