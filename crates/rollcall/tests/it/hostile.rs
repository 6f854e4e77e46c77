//! What nobody should send: refused with a clear answer, and the server goes on.

use serde_json::json;

use crate::access::raw;
use crate::support::{Installation, Scim, Server, answer};

fn server() -> (Server, Scim, Installation) {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[("ROLLCALL_RATE", "10000")]);
    let scim = server.scim("vault", &token);
    (server, scim, installation)
}

async fn body(scim: &Scim, text: String) -> crate::support::Answer {
    answer(
        scim.request("POST", "/Users")
            .header("content-type", "application/scim+json")
            .body(text),
    )
    .await
}

#[tokio::test]
async fn malformed_bodies_are_refused_with_a_reason() {
    let (_server, scim, _installation) = server();
    for (text, scim_type, reason) in [
        ("{".to_owned(), "invalidSyntax", "JSON"),
        (String::new(), "invalidSyntax", "JSON"),
        ("[]".to_owned(), "invalidSyntax", "object"),
        (
            r#"{"userName": "a", "username": "b"}"#.to_owned(),
            "invalidSyntax",
            "twice",
        ),
        (
            r#"{"userName": "a\u0000b"}"#.to_owned(),
            "invalidSyntax",
            "U+0000",
        ),
        (
            r#"{"userName": "\ud800"}"#.to_owned(),
            "invalidSyntax",
            "JSON",
        ),
        (
            format!("{}{}", r#"{"userName":"#.repeat(200), "}".repeat(200)),
            "invalidSyntax",
            "deep",
        ),
        (
            format!(r#"{{"userName": "{}"}}"#, "x".repeat(9_000)),
            "invalidSyntax",
            "longer",
        ),
        (r#"{"userName": "a", "surprise": true}"#.to_owned(), "", ""),
        (r#"{"userName": 7}"#.to_owned(), "invalidValue", "userName"),
        (
            r#"{"userName": "b", "emails": [7]}"#.to_owned(),
            "invalidValue",
            "emails",
        ),
        (
            r#"{"displayName": "nameless"}"#.to_owned(),
            "invalidValue",
            "userName",
        ),
        (
            format!(
                r#"{{"userName": "a", "emails": [{}]}}"#,
                vec![r#"{"value":"x@y.z"}"#; 1_001].join(",")
            ),
            "invalidValue",
            "emails",
        ),
    ] {
        let shown: String = text.chars().take(80).collect();
        let found = body(&scim, text).await;
        if scim_type.is_empty() {
            // unknown attributes of a body are passed over, and stored nowhere
            found.is(201);
            continue;
        }
        assert_eq!(found.status, 400, "{shown}: {}", found.body);
        assert_eq!(found.body["scimType"], scim_type, "{shown}: {}", found.body);
        let detail = found.body["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(reason), "{shown}: {detail}");
        assert!(detail.len() < 600, "{shown}: {detail}");
    }
    scim.person("still here").await;
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_read_to_its_end() {
    let (server, scim, _installation) = server();
    let host = server.url.trim_start_matches("http://").to_owned();
    let large = format!(r#"{{"userName": "{}"}}"#, "x".repeat(1_100_000));
    body(&scim, large).await.is(413);

    let authorization = scim.authorization.clone().unwrap();
    let head = |line: &str, fields: &str| {
        format!(
            "{line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\nConnection: close\r\n{fields}\r\n"
        )
    };
    let claimed = head(
        "POST /scim/v2/vault/Users",
        "Content-Type: application/scim+json\r\nContent-Length: 99999999\r\n",
    );
    assert!(raw(&host, &claimed).await.starts_with("HTTP/1.1 413"));
    let long_path = head(
        &format!("GET /scim/v2/vault/Users?filter={}", "x".repeat(9_000)),
        "",
    );
    assert!(raw(&host, &long_path).await.starts_with("HTTP/1.1 414"));
    let long_field = head(
        "GET /scim/v2/vault/Users",
        &format!("X-Long: {}\r\n", "x".repeat(20_000)),
    );
    assert!(raw(&host, &long_field).await.starts_with("HTTP/1.1 431"));
    let many_fields = head("GET /scim/v2/vault/Users", &"X-Many: 1\r\n".repeat(70));
    assert!(raw(&host, &many_fields).await.starts_with("HTTP/1.1 431"));
    scim.person("still here").await;
}

#[tokio::test]
async fn a_body_of_very_many_values_is_refused() {
    let (_server, scim, _installation) = server();
    let zeros = format!(r#"{{"displayName":"a","x":[{}0]}}"#, "0,".repeat(1_000_000));

    let found = answer(
        scim.request("POST", "/Groups")
            .header("content-type", "application/scim+json")
            .body(zeros),
    )
    .await
    .is(400);

    assert_eq!(found.body["scimType"], "invalidSyntax");
    let detail = found.body["detail"].as_str().unwrap();
    assert!(detail.contains("more than 1000000 values"), "{detail}");
}

#[tokio::test]
async fn filters_are_bounded_and_explained() {
    let (_server, scim, _installation) = server();
    for filter in [
        "userName eq",
        "userName xx \"a\"",
        "(userName eq \"a\"",
        "userName eq \"a\" or",
        "nothingLikeThis eq \"a\"",
        "emails[type eq \"work\"",
        &format!("{}userName pr{}", "(".repeat(200), ")".repeat(200)),
        &vec!["userName pr"; 70].join(" or "),
        "password eq \"x\"",
    ] {
        let found = scim.get(&format!("/Users?filter={filter}")).await;
        assert_eq!(found.status, 400, "{filter}: {}", found.body);
        assert_eq!(found.body["scimType"], "invalidFilter", "{filter}");
    }
    let found = scim.get("/Users?count=-5&startIndex=0").await.is(200);
    assert_eq!(found.body["startIndex"], 1);
    let all = scim.get("/Users?count=100000").await.is(200);
    assert!(all.body["itemsPerPage"].as_u64().unwrap() <= 1_000);
}

#[tokio::test]
async fn a_patch_that_is_wrong_anywhere_changes_nothing() {
    let (_server, scim, _installation) = server();
    let id = scim.person("ann").await;
    let path = format!("/Users/{id}");
    for (operations, scim_type) in [
        (
            json!([{"op": "replace", "path": "title", "value": "x"}, {"op": "replace", "path": "nope", "value": 1}]),
            "invalidPath",
        ),
        (
            json!([{"op": "replace", "path": "title", "value": "x"}, {"op": "move", "path": "title"}]),
            "invalidSyntax",
        ),
        (
            json!([{"op": "replace", "path": "title", "value": "x"}, {"op": "remove"}]),
            "noTarget",
        ),
        (
            json!([{"op": "replace", "path": "title", "value": "x"}, {"op": "replace", "path": "id", "value": "other"}]),
            "mutability",
        ),
        (
            json!([{"op": "replace", "path": "title", "value": {"a": 1}}]),
            "invalidValue",
        ),
        (
            json!([{"op": "replace", "path": "active", "value": "perhaps"}]),
            "invalidValue",
        ),
    ] {
        let found = scim.patch(&path, operations.clone()).await;
        assert_eq!(
            (found.status, found.body["scimType"].as_str()),
            (400, Some(scim_type)),
            "{operations}: {}",
            found.body
        );
    }
    let many: Vec<_> = (0..1_001)
        .map(|_| json!({"op": "add", "path": "title", "value": "x"}))
        .collect();
    let found = scim.patch(&path, json!(many)).await;
    assert!(found.status == 400 || found.status == 413, "{}", found.body);
    assert!(scim.get(&path).await.body.get("title").is_none());
}

#[tokio::test]
async fn an_operation_of_a_bulk_request_is_no_longer_than_a_request() {
    let (_server, scim, _installation) = server();
    let id = scim.person("ann").await;
    let long = |path: &str| {
        let titles =
            vec![json!({"op": "replace", "path": "displayName", "value": "x".repeat(8_000)}); 140];
        json!({"method": "PATCH", "path": path, "data": {"Operations": titles}})
    };
    let group = scim.group("team", &[]).await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            long(&format!("/Users/{id}")),
            long(&format!("/Groups/{group}")),
            {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"userName": "bob"}},
        ],
    });

    let found = scim.post("/Bulk", body).await.is(200);

    let statuses: Vec<_> = found.body["Operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|operation| operation["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["413", "200", "201"], "{}", found.body);
}

#[tokio::test]
async fn bodies_of_another_type_and_methods_that_are_not_there_are_named() {
    let (_server, scim, _installation) = server();
    let form = scim
        .request("POST", "/Users")
        .header("content-type", "text/xml")
        .body("<a/>");
    answer(form).await.is(415);
    scim.send("PATCH", "/Users", Some(&json!({}))).await.is(405);
    scim.send("GET", "/Nothing", None).await.is(404);
    scim.get("/Me").await.is(501);
}

/// Slow senders are cut off: nobody holds a connection with half a head or half a body.
#[tokio::test]
async fn half_a_request_is_not_waited_for_for_ever() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (server, scim, _installation) = server();
    let host = server.url.trim_start_matches("http://").to_owned();
    let authorization = scim.authorization.clone().unwrap();
    let half_head = format!("GET /scim/v2/vault/Users HTTP/1.1\r\nHost: {host}\r\n");
    let half_body = format!(
        "POST /scim/v2/vault/Users HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n\
         Content-Type: application/scim+json\r\nContent-Length: 100\r\n\r\n{{\"userName\""
    );
    let ends = [half_head, half_body].map(|part| {
        let host = host.clone();
        tokio::spawn(async move {
            let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
            stream.write_all(part.as_bytes()).await.unwrap();
            let mut reply = Vec::new();
            let wait = std::time::Duration::from_secs(25);
            tokio::time::timeout(wait, stream.read_to_end(&mut reply))
                .await
                .is_ok()
        })
    });
    for end in ends {
        assert!(end.await.unwrap(), "the server still waits");
    }
    scim.get("/Users").await.is(200);
}

/// A client sends the body a moment after the head. Who is answered before that goes on with the same connection, or is told that it ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_answered_before_its_body_came_costs_no_other_request() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[]);
    let host = server.url.strip_prefix("http://").unwrap();
    let wrong = format!("{token}x");
    let head = |token: &str, length: usize, more: &str| {
        format!(
            "POST /scim/v2/vault/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n"
        )
    };
    let read = async |stream: &mut tokio::net::TcpStream| {
        let (mut reply, mut part) = (String::new(), [0; 4_096]);
        loop {
            let length = stream.read(&mut part).await.unwrap();
            reply.push_str(std::str::from_utf8(&part[..length]).unwrap());
            let is_whole = reply.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                length.is_some_and(|length| body.len() >= length.parse().unwrap())
            });
            if is_whole || length == 0 {
                return reply.to_lowercase();
            }
        }
    };
    let pause = std::time::Duration::from_millis(100);

    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    for turn in 0..3 {
        stream
            .write_all(head(&wrong, 2, "").as_bytes())
            .await
            .unwrap();
        tokio::time::sleep(pause).await;
        stream.write_all(b"{}").await.unwrap();
        let reply = read(&mut stream).await;
        assert!(reply.starts_with("http/1.1 401"), "{turn}: {reply}");
        assert!(!reply.contains("connection: close"), "{turn}: {reply}");
    }
    let body = r#"{"userName": "ann"}"#;
    let whole = head(&token, body.len(), "") + body;
    stream.write_all(whole.as_bytes()).await.unwrap();
    let reply = read(&mut stream).await;
    assert!(reply.starts_with("http/1.1 201"), "{reply}");

    for (length, more) in [(2, ""), (2, "Expect: 100-continue\r\n"), (900_000, "")] {
        let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
        stream
            .write_all(head(&wrong, length, more).as_bytes())
            .await
            .unwrap();
        let reply = read(&mut stream).await;
        assert!(reply.starts_with("http/1.1 401"), "{reply}");
        assert!(reply.contains("connection: close"), "{reply}");
    }
}
