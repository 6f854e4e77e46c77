//! A password is told wherever it is told.

use http::Method;
use serde_json::Value;

use crate::endpoint::{Asked, Endpoint, Reply, Turn, told, verdict};

fn tell(body: &mut Value) {
    if body["userName"].is_string() {
        body["password"] = "secret".into();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_in_any_answer_breaks_the_promise() {
    type Tells = fn(&Asked) -> bool;
    let cases: [(&str, Tells); 5] = [
        ("POST /Users", |asked| asked.is(&Method::POST, "/Users")),
        ("GET /Users/", |asked| asked.is_one(&Method::GET, "/Users")),
        ("GET /Users?filter", |asked| {
            asked.query.starts_with("filter")
        }),
        ("PATCH /Users/", |asked| {
            asked.is_one(&Method::PATCH, "/Users")
        }),
        ("PUT /Users/", |asked| asked.is_one(&Method::PUT, "/Users")),
    ];
    for (asked, tells) in cases {
        let endpoint = Endpoint::start(
            |_| Turn::Pass,
            move |asked, reply: &mut Reply| {
                if !tells(asked) {
                    return;
                }
                tell(&mut reply.body);
                for one in reply.body["Resources"].as_array_mut().into_iter().flatten() {
                    tell(one);
                }
            },
        )
        .await;

        let report = endpoint.graded().await;

        let verdict = verdict(&report, "read.password");
        let evidence = verdict
            .evidence
            .as_ref()
            .unwrap_or_else(|| panic!("{asked}: {verdict:?}"));
        assert!(evidence.asked.starts_with(asked), "{asked}: {evidence:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_said_of_passwords_where_nobody_was_shown() {
    let endpoint = Endpoint::start(
        |asked| {
            if asked.is(&Method::POST, "/Users") {
                Turn::Answer(Reply::error(500))
            } else {
                Turn::Pass
            }
        },
        |_, _| {},
    )
    .await;

    let report = endpoint.graded().await;

    assert!(told(&report, "read.password").starts_with("untested"));
}
