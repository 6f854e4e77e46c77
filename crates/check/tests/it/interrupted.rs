//! Who interrupts an exam leaves nothing there, or is told what.

use std::sync::Arc;

use http::Method;
use rollcall_check::{Persona, Ungraded};
use tokio::sync::Notify;

use crate::endpoint::{Asked, Endpoint, Turn};

/// Grades an endpoint, interrupted when the first group is created, and again whenever something is deleted.
async fn interrupted(is_in_haste: bool) -> (Endpoint, Vec<String>) {
    let interrupt = Arc::new(Notify::new());
    let seen = Arc::clone(&interrupt);
    let interrupts = move |asked: &Asked| {
        asked.is(&Method::POST, "/Groups") || (is_in_haste && asked.method == Method::DELETE)
    };
    let endpoint = Endpoint::start(
        move |asked| {
            if interrupts(asked) {
                Turn::Held
            } else {
                Turn::Pass
            }
        },
        move |asked, _| {
            if interrupts(asked) {
                seen.notify_one();
            }
        },
    )
    .await;
    let stop = async || interrupt.notified().await;

    let ungraded = endpoint.graded_until(Persona::Rfc, stop).await;

    let Err(Ungraded::Interrupted { left_behind }) = ungraded else {
        panic!("{ungraded:?}");
    };
    (endpoint, left_behind)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_created_until_then_is_deleted() {
    let (endpoint, left_behind) = interrupted(false).await;

    assert_eq!(endpoint.names(), ["ann"]);
    assert_eq!(left_behind, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_interrupts_the_clean_up_is_told_what_is_left() {
    let (endpoint, left_behind) = interrupted(true).await;

    // the group was deleted; that it was, was not waited for
    assert_eq!(endpoint.names().len(), 3);
    assert_eq!(left_behind.len(), 3, "{left_behind:?}");
}
