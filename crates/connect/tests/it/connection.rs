//! The connection test says exactly what is wrong, and what to do.

use std::time::Duration;

use rollcall_connect::client::Options;
use rollcall_connect::guard::Reach;
use rollcall_model::{Kind, Profile};
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::scripted::{Said, Scripted, target_at, trouble_of};

fn anywhere() -> Options {
    Options::of(Reach::Anywhere)
}

fn impatient() -> Options {
    Options {
        connect: Duration::from_millis(200),
        silence: Duration::from_millis(400),
        ..anywhere()
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_told_with_what_to_do() {
    let list = |resources| json!({"totalResults": 1, "Resources": resources});
    let rows = [
        (
            Said::error(401, "no such token"),
            "the target refuses the credential (401)",
            "create a new token there and enter it here: no such token",
        ),
        (
            Said::status(403),
            "the target does not allow this (403)",
            "give the token's owner there the right",
        ),
        (
            Said::status(404),
            "answers 404 to a search",
            "check the path of the Tenant URL",
        ),
        (
            Said::status(405),
            "answers 405 to a search",
            "check the path of the Tenant URL",
        ),
        (
            Said::error(501, "no filters"),
            "the endpoint answers 501 to a search",
            "it has to support `filter` with `eq`",
        ),
        (
            Said::status(500),
            "the target answered 500",
            "look into its log",
        ),
        (
            Said::status(302).with("location", "https://login.example.com/start?secret=1"),
            "the target redirects to `https://login.example.com/start` (302)",
            "enter the address to which it leads as Tenant URL",
        ),
        (
            Said::status(301),
            "the target redirects (301)",
            "enter the address to which it leads",
        ),
        (
            Said::text(200, "text/html; charset=utf-8", "<html>Sign in</html>"),
            "the endpoint sent a web page",
            "check the path of the Tenant URL",
        ),
        (
            Said::json(200, &json!({"status": "up"})),
            "a search result that is not a SCIM ListResponse",
            "check the path of the Tenant URL",
        ),
        (
            Said::text(
                200,
                "application/scim+json",
                "{\"totalResults\": 0, \"Resou",
            ),
            "a search result that is not a SCIM ListResponse",
            "check the path of the Tenant URL",
        ),
        (
            Said::json(200, &list(json!([{"id": "1", "userName": "ann"}]))),
            "the endpoint ignores filters",
            "`filter=userName eq \"…\"`",
        ),
        (
            Said::json(
                200,
                &json!({"totalResults": 90, "Resources": [{"id": "1"}]}),
            ),
            "the endpoint ignores filters",
            "another matching attribute",
        ),
        (
            Said::json(200, &list(json!([{"id": "1"}, {"id": "1"}]))),
            "shows the resource `1` twice",
            "check the path",
        ),
        (
            Said::json(200, &list(json!([{"id": 17, "userName": "ann"}]))),
            "a resource whose `id` is 17, where SCIM demands a string such as \"17\"",
            "its maker has to mend that",
        ),
    ];
    for (said, what, to_do) in rows {
        let endpoint = Scripted::start(move |_, _| said.clone()).await;

        let message = trouble_of(&endpoint.target()).await;

        assert!(message.contains(what), "{message}");
        assert!(message.contains(to_do), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_told() {
    let endpoint = Scripted::start(|_, _| {
        Said::text(200, "application/scim+json", "{\"totalResults\"").with("content-length", "900")
    })
    .await;

    let message = trouble_of(&endpoint.target()).await;

    assert!(
        message.contains("broke off before the answer was complete"),
        "{message}"
    );
    assert!(message.contains("look into the target's log"), "{message}");
}

#[tokio::test]
async fn a_name_that_nobody_has_is_told() {
    let target = target_at(
        "https://scim.nobody.invalid/v2",
        &anywhere(),
        Profile::default(),
    );

    let message = trouble_of(&target).await;

    assert!(
        message.contains("the name `scim.nobody.invalid` cannot be resolved"),
        "{message}"
    );
    assert!(message.contains("check its spelling"), "{message}");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);

    let target = target_at(
        &format!("http://{address}/"),
        &anywhere(),
        Profile::default(),
    );

    let message = trouble_of(&target).await;
    assert!(
        message.contains("`127.0.0.1` refuses connections"),
        "{message}"
    );
    assert!(message.contains("check both"), "{message}");
}

#[tokio::test]
async fn a_port_that_accepts_nobody_is_told() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // the queue of those who wait to be accepted is filled
    let mut waiting = Vec::new();
    let brief = Duration::from_millis(100);
    while let Ok(Ok(stream)) = tokio::time::timeout(brief, TcpStream::connect(address)).await {
        waiting.push(stream);
        assert!(waiting.len() < 100, "this system's queue has no end");
    }

    let target = target_at(
        &format!("http://{address}/"),
        &impatient(),
        Profile::default(),
    );

    let message = trouble_of(&target).await;
    assert!(
        message.contains("did not accept a connection in time"),
        "{message}"
    );
    assert!(
        message.contains("check address, port and firewall"),
        "{message}"
    );
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_is_told() {
    let endpoint = Scripted::start(|_, _| Said::list(&[]).after(Duration::from_hours(1))).await;
    let url = format!("http://{}/", endpoint.address);

    let message = trouble_of(&target_at(&url, &impatient(), Profile::default())).await;

    assert!(
        message.contains("took the request and did not answer in time"),
        "{message}"
    );
    assert!(
        message.contains("look there whether it is overloaded"),
        "{message}"
    );
}

#[tokio::test]
async fn a_slow_endpoint_is_noted_and_no_failure() {
    let kinds = [(Kind::User, "userName".to_owned())];
    let slow = Scripted::start(|_, _| Said::list(&[]).after(Duration::from_millis(2_100))).await;
    let quick = Scripted::start(|_, _| Said::list(&[])).await;

    let (slow, quick) = (slow.target(), quick.target());
    let slow = slow.test(&kinds, "nobody").await.unwrap();
    let quick = quick.test(&kinds, "nobody").await.unwrap();

    assert!(slow.latency > Duration::from_secs(2));
    assert!(
        slow.notes[0].contains("takes 2.1 seconds"),
        "{:?}",
        slow.notes
    );
    assert!(
        slow.notes[0].contains("look there for a missing index"),
        "{:?}",
        slow.notes
    );
    assert!(quick.latency < Duration::from_secs(2));
    assert_eq!(quick.notes.len(), 1);
    assert!(
        quick.notes[0].contains("the address is http"),
        "{:?}",
        quick.notes
    );
}
