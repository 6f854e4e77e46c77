//! Who asks to be left alone for a while is asked again, and has broken nothing.

use std::collections::HashSet;
use std::sync::Mutex;

use http::header::RETRY_AFTER;

use crate::endpoint::{Endpoint, Reply, Turn, told};

fn busy(status: u16) -> Reply {
    let mut reply = Reply::error(status);
    reply.headers.insert(RETRY_AFTER, "0".parse().unwrap());
    reply
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_off_once_is_asked_again() {
    let plain = Endpoint::start(|_| Turn::Pass, |_, _| {}).await;
    let expected = plain.graded().await;
    let put_off = Mutex::new(HashSet::new());
    let endpoint = Endpoint::start(
        move |asked| {
            let question = format!(
                "{} {} {} {}",
                asked.method, asked.path, asked.query, asked.body
            );
            let mut put_off = put_off.lock().unwrap();
            let status = if put_off.len() % 2 == 0 { 429 } else { 503 };
            if put_off.insert(question) {
                Turn::Answer(busy(status))
            } else {
                Turn::Pass
            }
        },
        |_, _| {},
    )
    .await;

    let report = endpoint.graded().await;

    for verdict in &expected.verdicts {
        let id = verdict.promise.id;
        assert_eq!(
            told(&report, id).split(' ').next(),
            told(&expected, id).split(' ').next(),
            "{id}"
        );
    }
    assert_eq!(endpoint.names(), ["ann"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_off_for_good_is_not_tested() {
    let endpoint = Endpoint::start(
        |asked| {
            if asked.path == "/Schemas" {
                Turn::Answer(busy(429))
            } else {
                Turn::Pass
            }
        },
        |_, _| {},
    )
    .await;

    let report = endpoint.graded().await;

    let expected = "untested it answered 429 again and again";
    assert!(told(&report, "discovery.schemas").starts_with(expected));
}
