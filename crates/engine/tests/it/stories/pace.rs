//! When things happen: deactivations that overtake, retries, wake-up.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use rollcall_engine::{Watch, schedule};
use rollcall_model::application::{Mode, Status};
use rollcall_model::provisioning::{CycleOutcome, QuarantineReason};
use rollcall_model::{Kind, ResourceId};
use rollcall_testkit::{Behaviour, Dialect, Fault, Play, When};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::ends::Ends;

#[tokio::test]
async fn who_is_blocked_while_three_hundred_arrive_does_not_wait_for_them() {
    let ends = Ends::new(Behaviour::default()).await;
    let ann = ends.person("ann").await;
    ends.settle().await;
    let slow = Fault::Slow { milliseconds: 60 };
    ends.target
        .behave(Behaviour::default().with_play(Play::new(slow, When::Always).on(&["POST"])));
    for number in 0..300 {
        ends.person(&format!("p{number}")).await;
    }

    let before = ends.target.last_request();
    let (engine, source, id) = (ends.engine.clone(), ends.source.clone(), ends.application);
    let cycle = tokio::spawn(async move { engine.run(&source, id, Watch::default()).await });
    ends.alarm.after(60).await;
    let blocked_at = ends.target.last_request();
    ends.set(Kind::User, ann, "active", false.into()).await;
    let report = cycle.await.unwrap().unwrap();

    assert_eq!((report.users.created, report.users.disabled), (300, 1));
    let off = ends.target.writes_since(before);
    let off = off
        .iter()
        .find(|write| write.method == "PATCH")
        .unwrap()
        .number;
    let last = ends.target.last_request();
    println!("blocked at request {blocked_at}, off by {off}, the cycle went on up to {last}");
    assert!(
        off - blocked_at < 150 && off + 200 < last,
        "{blocked_at} {off} {last}"
    );
    ends.settle().await;
}

#[tokio::test]
async fn a_cycle_that_was_dropped_leaves_nothing_running() {
    let ends = Ends::new(Behaviour::default()).await;
    let ann = ends.person("ann").await;
    ends.settle().await;
    let slow = Fault::Slow { milliseconds: 60 };
    ends.target
        .behave(Behaviour::default().with_play(Play::new(slow, When::Always).on(&["POST"])));
    for number in 0..100 {
        ends.person(&format!("p{number}")).await;
    }
    tokio::select! {
        report = ends.cycle() => panic!("{report:#?}"),
        () = ends.alarm.after(60) => {}
    }
    ends.set(Kind::User, ann, "active", false.into()).await;
    tokio::time::sleep(Duration::from_millis(600)).await;

    assert_eq!(ends.active("ann"), Some(true), "nobody runs a cycle");
    ends.settle().await;
    assert_eq!(ends.active("ann"), Some(false));
}

#[tokio::test]
async fn an_object_is_not_tried_again_before_the_target_allows_it() {
    let ends = Ends::new(Behaviour::default()).await;
    ends.person("ann").await;
    let busy = Fault::Unavailable {
        retry_after: Some(61),
    };
    ends.target
        .behave(Behaviour::default().with_play(Play::new(busy, When::First(1)).on(&["POST"])));
    ends.cycle().await;
    assert_eq!(ends.active("ann"), None);
    let configured = ends.app.configured(&ends.source, ends.application).await;
    let retry = configured.unwrap().job.retry.unwrap();
    assert!(retry.duration_since(ends.app.now()) >= SignedDuration::from_secs(61));

    ends.pass(SignedDuration::from_secs(60));
    let early = ends.cycle().await;
    assert_eq!((early.users.imported, ends.active("ann")), (0, None));
    ends.pass(SignedDuration::from_hours(1));
    let later = ends.cycle().await;
    assert_eq!(
        (later.users.created, later.outcome),
        (1, CycleOutcome::Succeeded)
    );
}

#[tokio::test]
async fn a_target_that_ignores_filters_is_never_written_to() {
    let ignores = Play::new(Fault::FilterIgnored, When::Always);
    let ends = Ends::new(Behaviour::default().with_play(ignores)).await;
    ends.target
        .insert(Kind::User, json!({"userName": "stranger"}))
        .unwrap();
    ends.person("ann").await;

    let report = ends.cycle().await;

    let CycleOutcome::Stopped { reason, message } = report.outcome else {
        panic!("{report:#?}");
    };
    assert_eq!(reason, QuarantineReason::ServiceIncompatible);
    assert!(message.contains("ignores filters"), "{message}");
    assert!(ends.target.writes_since(0).is_empty());
}

#[tokio::test]
async fn a_target_that_answers_an_empty_search_with_404_is_told_to_be_incompatible() {
    let dialect = Dialect {
        empty_search_is_404: true,
        ..Dialect::default()
    };
    let ends = Ends::new(Behaviour::default().with_dialect(dialect)).await;
    ends.person("ann").await;

    let report = ends.cycle().await;

    assert!(
        matches!(&report.outcome, CycleOutcome::Stopped { reason: QuarantineReason::ServiceIncompatible, message } if message.contains("404")),
        "{report:#?}"
    );
    assert!(ends.target.writes_since(0).is_empty());
}

/// Waits until the target has a title, and returns how long that took since `begun`.
async fn arrival(ends: &Ends, user_name: &str, title: &str, begun: Instant) -> Duration {
    while ends
        .there(user_name)
        .is_none_or(|there| there["title"] != title)
    {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{title} does not arrive"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_change_is_at_the_target_within_a_second_of_its_commit() {
    let ends = Ends::new(Behaviour::default()).await;
    ends.configure(|application| {
        application.mode = Mode::Automatic;
        application.status = Status::On;
    })
    .await;
    let mut people: Vec<(String, ResourceId)> = Vec::new();
    for number in 0..20 {
        let name = format!("p{number}");
        let id = ends.person(&name).await;
        people.push((name, id));
    }
    ends.settle().await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(schedule::run(ends.engine.clone(), stop.clone()));

    let mut times = Vec::new();
    for number in 0..200 {
        let (name, id) = &people[number % people.len()];
        let title = format!("Title {number}");
        ends.set(Kind::User, *id, "title", title.clone().into())
            .await;
        times.push(arrival(&ends, name, &title, Instant::now()).await);
    }
    stop.cancel();
    running.await.unwrap();

    times.sort_unstable();
    let (median, most) = (times[100], times[197]);
    println!(
        "200 changes: p50 {median:?}, p99 {most:?}, slowest {:?}",
        times[199]
    );
    assert!(most < Duration::from_secs(1), "{times:?}");
}
