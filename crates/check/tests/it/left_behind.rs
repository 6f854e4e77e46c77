//! Whatever an endpoint gets wrong, nobody is deleted but who was created for the exam, and who is left there is named.

use http::Method;
use rollcall_model::Kind;
use rollcall_testkit::{Behaviour, Fault, When};

use crate::endpoint::{Asked, Endpoint, Reply, Turn, told};

/// Forgets the filter of a search.
fn without_filter(asked: &mut Asked) {
    if asked.query.starts_with("filter=") {
        asked.query.clear();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_is_deleted_where_filters_are_ignored_and_creations_refused() {
    for status in [400, 500] {
        let endpoint = Endpoint::start(
            move |asked| {
                without_filter(asked);
                if asked.is(&Method::POST, "/Users") {
                    Turn::Answer(Reply::error(status))
                } else {
                    Turn::Pass
                }
            },
            |_, _| {},
        )
        .await;

        let report = endpoint.graded().await;

        assert_eq!(endpoint.names(), ["ann"], "{report:#?}");
        assert!(told(&report, "create.person").starts_with("broken"));
        // who was refused is not there; of whoever the endpoint failed at, nobody can tell
        let doubtful = usize::from(status == 500);
        assert_eq!(report.left_behind.len(), doubtful, "{report:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_is_deleted_where_filters_are_ignored_and_ids_not_told() {
    let endpoint = Endpoint::start(
        |asked| {
            without_filter(asked);
            Turn::Pass
        },
        |asked, reply| {
            if asked.is(&Method::POST, "/Users") {
                reply.body["id"] = "".into();
            }
        },
    )
    .await;

    let report = endpoint.graded().await;

    assert_eq!(
        endpoint.names(),
        ["Check-one-0123456789abcdef@example.com", "ann"]
    );
    assert_eq!(
        report.left_behind,
        ["Check-one-0123456789abcdef@example.com"]
    );
    let writes = endpoint.target.writes_since(0).into_iter();
    let deleted: Vec<_> = writes.filter(|write| write.method == "DELETE").collect();
    assert_eq!(deleted, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_changed_whose_id_is_told_for_that_of_another() {
    for can_be_read in [true, false] {
        let endpoint = Endpoint::start(
            move |asked| {
                if !can_be_read && asked.is_one(&Method::GET, "/Users") {
                    Turn::Answer(Reply::error(500))
                } else {
                    Turn::Pass
                }
            },
            |_, _| {},
        )
        .await;
        let ann = endpoint.target.by(Kind::User, "userName", "ann");
        let ann = ann[0]["id"].as_str().unwrap();
        let foreign = Behaviour::default().with_fault(Fault::CreatedWithForeignId, When::Always);
        endpoint.target.behave(foreign);

        let report = endpoint.graded().await;

        let told = told(&report, "create.person");
        assert!(told.contains("somebody else"), "{report:#?}");
        assert_eq!(endpoint.names(), ["ann"]);
        assert_eq!(endpoint.target.history(ann).len(), 1);
        assert_eq!(report.left_behind, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_be_read_but_found_is_tested_on() {
    let endpoint = Endpoint::start(
        |asked| {
            if asked.is_one(&Method::GET, "/Users") {
                Turn::Answer(Reply::error(500))
            } else {
                Turn::Pass
            }
        },
        |_, _| {},
    )
    .await;

    let report = endpoint.graded().await;

    assert_eq!(told(&report, "create.person"), "kept");
    assert!(told(&report, "read.person").starts_with("broken"));
    assert_eq!(told(&report, "filter.name"), "kept");
    assert_eq!(endpoint.names(), ["ann"]);
}
