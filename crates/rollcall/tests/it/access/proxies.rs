//! Whose address counts behind a proxy: in the audit log, and against whoever guesses.

use super::raw::sent;
use crate::console::guest::{Guest, PASSWORD, administrator};
use crate::support::Installation;

/// Returns how the twenty-fifth request with a wrong token is answered, each sent on behalf of another address.
async fn guessed(trusted: Option<&str>) -> u16 {
    let (installation, _) = Installation::with("vault");
    let variables: Vec<(&str, &str)> = trusted
        .map(|networks| ("ROLLCALL_TRUSTED_PROXIES", networks))
        .into_iter()
        .collect();
    let server = installation.serve(&variables);
    let host = server.url.trim_start_matches("http://");
    let mut last = 0;
    for number in 0..25 {
        let headers = [
            ("authorization", "Bearer nonsense".to_owned()),
            ("x-forwarded-for", format!("1.1.1.1, 198.51.100.{number}")),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        let reply = sent(host, "GET", "/scim/v2/vault/Users", &headers, "").await;
        last = reply.status;
    }
    last
}

#[tokio::test]
async fn without_a_trusted_proxy_forwarded_addresses_are_anybodys_word() {
    assert_eq!(guessed(None).await, 429);
    assert_eq!(guessed(Some("10.0.0.0/8,::1")).await, 429);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_its_own_budget_and_is_named_in_the_log() {
    assert_eq!(guessed(Some("127.0.0.0/8")).await, 401);

    let (installation, token) = Installation::with("vault");
    administrator(&installation, "vault", "owner@example.com");
    let server = installation.serve(&[("ROLLCALL_TRUSTED_PROXIES", "127.0.0.1")]);
    let host = server.url.trim_start_matches("http://");
    let headers = [
        ("authorization", format!("Bearer {token}")),
        ("content-type", "application/scim+json".to_owned()),
        (
            "forwarded",
            "for=\"[2001:db8::5]:4711\";proto=https".to_owned(),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let body = r#"{"userName": "ann@example.com"}"#;
    let made = sent(host, "POST", "/scim/v2/vault/Users", &headers, body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let mut owner = Guest::new(&server);
    owner.sign_in("owner@example.com", PASSWORD).await.is(303);
    let log = owner.get("/activity").await.is(200);
    assert!(log.body.contains("2001:db8::5"), "{}", log.body);
}

#[test]
fn nonsense_as_a_proxy_is_refused_at_the_start() {
    let (installation, _) = Installation::with("vault");

    let output = installation.run(&["serve", "--trusted-proxies", "10.0.0.1/8"]);

    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("10.0.0.0/8"), "{said}");
}
