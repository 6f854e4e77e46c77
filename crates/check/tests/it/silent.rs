//! An answer that does not come costs the promise that it would have told of, and no other; three in a row end the exam, not its report.

use http::Method;
use rollcall_check::{Report, Ungraded, Word};

use crate::endpoint::{Endpoint, MARK, Turn, told, verdict};

fn count(report: &Report, word: Word) -> usize {
    let all = report.verdicts.iter();
    all.filter(|verdict| verdict.word == word).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_or_endless_answer_breaks_one_promise() {
    let plain = Endpoint::start(|_| Turn::Pass, |_, _| {}).await;
    let expected = plain.graded().await;
    let endpoint = Endpoint::start(
        |asked| {
            let is_removal = asked.body["Operations"][0]["op"] == "remove";
            if is_removal && asked.is_one(&Method::PATCH, "/Users") {
                Turn::Lost
            } else {
                Turn::Pass
            }
        },
        |asked, reply| {
            if asked.query == "startIndex=0&count=1" {
                reply.body["more"] = "x".repeat(9 * 1024 * 1024).into();
            }
        },
    )
    .await;

    let report = endpoint.graded().await;

    assert!(told(&report, "patch.remove").starts_with("broken the connection"));
    let evidence = verdict(&report, "patch.remove").evidence.clone().unwrap();
    assert_eq!(evidence.status, None);
    assert_eq!(
        told(&report, "list.start"),
        "broken the reply is longer than 8 MiB"
    );
    for verdict in &expected.verdicts {
        let id = verdict.promise.id;
        if !["patch.remove", "list.start"].contains(&id) {
            assert_eq!(told(&report, id), told(&expected, id), "{id}");
        }
    }
    assert_eq!(endpoint.names(), ["ann"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_three_silences_nothing_more_is_asked_and_all_is_reported() {
    let plain = Endpoint::start(|_| Turn::Pass, |_, _| {}).await;
    let expected = plain.graded().await;
    let endpoint = Endpoint::start(
        |asked| {
            let is_patch = asked.is_one(&Method::PATCH, "/Users");
            if is_patch { Turn::Lost } else { Turn::Pass }
        },
        |_, _| {},
    )
    .await;

    let report = endpoint.graded().await;

    assert_eq!(report.verdicts.len(), expected.verdicts.len());
    assert!(told(&report, "patch.no-path").starts_with("broken"));
    assert!(told(&report, "patch.disable").starts_with("untested 3 questions in a row"));
    assert!(told(&report, "group.create").starts_with("untested 3 questions in a row"));
    assert!(count(&report, Word::Kept) > 10);
    // the clean-up tries again
    assert_eq!(endpoint.names(), ["ann"]);
    assert_eq!(report.left_behind, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_creation_is_not_answered_is_looked_for_and_deleted() {
    for collection in ["/Users", "/Groups"] {
        let endpoint = Endpoint::start(
            move |asked| {
                if asked.is(&Method::POST, collection) {
                    Turn::Lost
                } else {
                    Turn::Pass
                }
            },
            |_, _| {},
        )
        .await;

        let report = endpoint.graded().await;

        assert_eq!(endpoint.names(), ["ann"], "{collection}");
        assert_eq!(report.left_behind, [""; 0]);
    }
    // where the search says nothing either, the name is told
    let endpoint = Endpoint::start(
        |asked| {
            let is_search = asked.is(&Method::GET, "/Groups") && asked.query.starts_with("filter");
            if asked.is(&Method::POST, "/Groups") || is_search {
                Turn::Lost
            } else {
                Turn::Pass
            }
        },
        |_, _| {},
    )
    .await;

    let report = endpoint.graded().await;

    assert_eq!(report.left_behind, [format!("Check {MARK}")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_never_answers_is_not_graded() {
    let endpoint = Endpoint::start(|_| Turn::Lost, |_, _| {}).await;

    let ungraded = endpoint.graded_as(rollcall_check::Persona::Rfc).await;

    assert!(
        matches!(ungraded, Err(Ungraded::NoAnswer(_))),
        "{ungraded:?}"
    );
}
