//! Coming in and going out.

use super::guest::{Guest, PASSWORD, administrator};
use crate::support::{Installation, Server};

fn installed() -> (Installation, Server) {
    let (installation, _) = Installation::with("vault");
    administrator(&installation, "vault", "ann@example.com");
    let server = installation.serve(&[]);
    (installation, server)
}

#[tokio::test]
async fn whoever_signs_in_gets_to_the_page_that_was_asked_for_and_nowhere_else() {
    let (_installation, server) = installed();
    let mut guest = Guest::new(&server);

    let sent = guest.get("/settings/security").await.is(303);
    assert!(sent.to().starts_with("/signin?next="), "{}", sent.to());
    let page = guest.get(sent.to()).await.is(200);
    let (token, next) = (page.token(), page.value("next"));
    let fields = [
        ("email", "Ann@Example.com"),
        ("password", PASSWORD),
        ("csrf", &token),
        ("next", &next),
    ];
    let answer = guest.post("/signin", &fields).await.is(303);
    assert_eq!(answer.to(), "/settings/security");
    let page = guest.get("/settings/security").await.is(200);
    assert!(page.body.contains("ann@example.com"));

    // a forged address is not followed
    let mut other = Guest::new(&server);
    let token = other.get("/signin").await.token();
    for forged in ["https://evil.example/", "x.//evil.example", "/settings"] {
        let fields = [
            ("email", "ann@example.com"),
            ("password", PASSWORD),
            ("csrf", &token),
            ("next", forged),
        ];
        let mut other = other.clone();
        let answer = other.post("/signin", &fields).await.is(303);
        assert_eq!(answer.to(), "/", "{forged}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_alike() {
    let (_installation, server) = installed();
    let mut guest = Guest::new(&server);

    let wrong = guest
        .sign_in("ann@example.com", "wrong horse battery")
        .await;
    let unknown = guest.sign_in("eve@example.com", PASSWORD).await;

    let plain = |page: &super::guest::Page| {
        page.body
            .replace("ann@example.com", "…")
            .replace("eve@example.com", "…")
    };
    assert_eq!((wrong.status, unknown.status), (422, 422));
    assert_eq!(plain(&wrong), plain(&unknown));
    assert!(!guest.cookies.contains_key("rollcall_session"));
}

#[tokio::test]
async fn a_session_ends_with_signing_out_and_its_cookie_is_worth_nothing_then() {
    let (_installation, server) = installed();
    let mut guest = Guest::new(&server);
    guest.sign_in("ann@example.com", PASSWORD).await.is(303);
    let kept = guest.clone();

    guest
        .submit("/settings/security", "/signout", &[])
        .await
        .is(303);

    assert!(!guest.cookies.contains_key("rollcall_session"));
    let mut thief = kept;
    assert_eq!(thief.get("/").await.status, 303);
}

/// Makes every session older than five minutes: in the store, for a test does not wait.
pub(super) fn grown_old(installation: &Installation) {
    crate::store::change(
        installation.folder.path(),
        "UPDATE sessions SET document = json_set(document, '$.proven', '2020-01-01T00:00:00Z')",
        "UPDATE sessions SET document = jsonb_set(document::jsonb, '{proven}', '\"2020-01-01T00:00:00Z\"')::text",
    );
}

#[tokio::test]
async fn a_secret_that_was_typed_before_the_proof_is_typed_again_and_never_in_a_page() {
    let (installation, server) = installed();
    let mut guest = Guest::new(&server);
    guest.sign_in("ann@example.com", PASSWORD).await.is(303);
    grown_old(&installation);
    let (new, other) = ("a new battery horse", "another battery horse");

    let asked = guest
        .submit(
            "/settings/security",
            "/me/password",
            &[("new_password", new)],
        )
        .await
        .is(200);
    assert!(asked.body.contains("Confirm that it is you"));
    assert!(!asked.body.contains(new), "{}", asked.body);
    assert!(asked.body.contains("New password, once more"));
    let token = asked.token();

    // without it nothing is done, and a wrong password does not repeat it either
    for (again, password) in [("", PASSWORD), (new, "no")] {
        let fields = [
            ("csrf", token.as_str()),
            ("again", "new_password"),
            ("new_password", again),
            ("proof_password", password),
        ];
        let page = guest.post("/me/password", &fields).await.is(200);
        assert!(page.body.contains("Confirm that it is you"), "{password}");
        assert!(page.body.contains("aria-invalid"), "{password}");
        assert!(!page.body.contains(new), "{}", page.body);
    }

    // what is typed the second time counts
    let fields = [
        ("csrf", token.as_str()),
        ("again", "new_password"),
        ("new_password", other),
        ("proof_password", PASSWORD),
    ];
    guest.post("/me/password", &fields).await.is(303);
    let mut again = Guest::new(&server);
    assert_eq!(again.sign_in("ann@example.com", new).await.status, 422);
    again.sign_in("ann@example.com", other).await.is(303);
}

#[tokio::test]
async fn what_changes_a_secret_asks_for_the_password_and_loses_nothing() {
    let (installation, server) = installed();
    let mut guest = Guest::new(&server);
    guest.sign_in("ann@example.com", PASSWORD).await.is(303);
    grown_old(&installation);

    let fields = [("email", "bob@example.com"), ("role", "auditor")];
    let asked = guest
        .submit("/settings/security", "/settings/security/invite", &fields)
        .await
        .is(200);
    assert!(asked.body.contains("Confirm that it is you"));
    assert!(asked.body.contains("value=\"bob@example.com\""));
    let token = asked.token();
    let with = |password| {
        [
            ("email", "bob@example.com"),
            ("role", "auditor"),
            ("csrf", token.as_str()),
            ("proof_password", password),
        ]
    };
    let wrong = guest.post("/settings/security/invite", &with("no")).await;
    assert!(wrong.body.contains("This is not your password."));
    let before = guest.cookies["rollcall_session"].clone();
    let made = guest
        .post("/settings/security/invite", &with(PASSWORD))
        .await
        .is(200);
    assert!(made.body.contains("/signin/link?token="), "{}", made.body);
    assert_ne!(guest.cookies["rollcall_session"], before, "a new secret");

    // the link works once, and its owner may only look
    let link = made
        .body
        .split("<output id=\"link\" class=\"secret\">")
        .nth(1)
        .unwrap();
    let link = link.split("</output>").next().unwrap();
    let mut bob = Guest::new(&server);
    let page = bob.get(link).await.is(200);
    let (csrf, secret) = (page.token(), page.value("token"));
    let fields = [
        ("csrf", csrf.as_str()),
        ("token", &secret),
        ("name", "Bob"),
        ("password", "another horse battery"),
    ];
    bob.post("/signin/link", &fields).await.is(303);
    assert!(bob.get("/").await.is(200).body.contains("Auditor"));
    assert_eq!(Guest::new(&server).get(link).await.status, 400);
}

#[tokio::test]
async fn an_empty_installation_is_set_up_by_the_link_that_it_prints() {
    let installation = Installation::new();
    let (server, said) = installation.serve_telling();
    let link = said
        .iter()
        .find_map(|line| {
            line.trim()
                .strip_prefix("http")
                .filter(|rest| rest.contains("/setup?code="))
        })
        .map(|rest| format!("http{rest}"))
        .unwrap();
    let mut guest = Guest::new(&server);
    assert_eq!(guest.get("/setup?code=guess").await.status, 400);

    let page = guest.get(&link).await.is(200);
    let (csrf, code) = (page.token(), page.value("code"));
    let send = |slug: &'static str, password: &'static str| {
        [
            ("csrf", csrf.clone()),
            ("code", code.clone()),
            ("name", "Vault".to_owned()),
            ("slug", slug.to_owned()),
            ("email", "ann@example.com".to_owned()),
            ("password", password.to_owned()),
        ]
    };
    let mut post = async |fields: [(&str, String); 6]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        guest.post("/setup", &fields).await
    };
    let wrong = post(send("No Slug", PASSWORD)).await.is(422);
    assert!(wrong.body.contains("cannot be a slug"));
    let short = post(send("vault", "short")).await.is(422);
    assert!(short.body.contains("12 to 128 characters"));
    let done = post(send("vault", PASSWORD)).await.is(303);
    assert_eq!(done.to(), "/settings/integrations/entra");
    let mut late = Guest::new(&server);
    assert_eq!(late.get(&link).await.status, 400, "it is closed");
}
