//! API keys in the console: made after a fresh proof of identity, shown once, revoked.

use super::guest::{Guest, PASSWORD, administrator};
use super::sign_in::grown_old;
use crate::api::Program;
use crate::support::Installation;

const PAGE: &str = "/settings/security";

#[tokio::test]
async fn an_api_key_is_made_with_a_fresh_proof_shown_once_and_revoked() {
    let installation = Installation::new();
    installation.ok(&["org", "create", "vault", "--name", "The vault"]);
    administrator(&installation, "vault", "ann@example.com");
    let server = installation.serve(&[]);
    let mut guest = Guest::new(&server);
    guest.sign_in("ann@example.com", PASSWORD).await.is(303);
    grown_old(&installation);

    let fields = [
        ("key_name", "Nightly"),
        ("key_role", "manage"),
        ("expires", "90"),
    ];
    let asked = guest
        .submit(PAGE, "/settings/security/keys", &fields)
        .await
        .is(200);
    assert!(
        asked.body.contains("Confirm that it is you"),
        "{}",
        asked.body
    );
    let token = asked.token();
    let mut proven = fields.to_vec();
    proven.extend([("csrf", token.as_str()), ("proof_password", PASSWORD)]);
    let made = guest.post("/settings/security/keys", &proven).await.is(200);

    let key = made
        .body
        .split("id=\"fresh-key\" class=\"secret\">")
        .nth(1)
        .unwrap();
    let key = key.split('<').next().unwrap().to_owned();
    assert!(key.starts_with("rk_main_"), "{key}");
    let page = guest.get(PAGE).await.is(200);
    assert!(!page.body.contains(&key), "shown once");
    assert!(page.body.contains("Nightly") && page.body.contains("Manage"));
    let program = Program::with(&server, &key).await;
    let organisation = program.get("/organisation").await.is(200).body;
    assert_eq!(organisation["role"], "manage");

    let nameless = [
        ("key_name", "  "),
        ("key_role", "read"),
        ("expires", "never"),
    ];
    let refused = guest
        .submit(PAGE, "/settings/security/keys", &nameless)
        .await;
    assert!(refused.body.contains("id=\"key-err\""), "{}", refused.body);
    let page = guest.get(PAGE).await.body;
    let question = page
        .split("href=\"")
        .find(|part| part.starts_with("/settings/security/keys/"));
    let question = question.unwrap().split('"').next().unwrap().to_owned();
    let asked = guest.get(&question).await.is(200);
    assert!(
        asked
            .body
            .contains("Revoke the API key <bdi>Nightly</bdi>?"),
        "{}",
        asked.body
    );
    guest.submit(&question, &question, &[]).await.is(303);
    program.get("/organisation").await.is(401);
    let page = guest.get("/activity").await.is(200).body;
    let choice = page
        .split("value=\"key:")
        .nth(1)
        .expect("the key can be chosen");
    assert!(choice.contains(">API key Nightly</option>"), "{page}");
    let log = guest.get("/activity?action=api_key.").await.is(200).body;
    assert!(
        log.contains("API key created") && log.contains("API key revoked"),
        "{log}"
    );
}

#[tokio::test]
async fn only_owners_make_keys_and_everybody_sees_what_there_is() {
    let installation = Installation::new();
    installation.ok(&["org", "create", "vault", "--name", "The vault"]);
    administrator(&installation, "vault", "ann@example.com");
    installation.ok(&["api-key", "create", "--org", "vault", "--name", "Nightly"]);
    let server = installation.serve(&[]);
    let mut owner = Guest::new(&server);
    owner.sign_in("ann@example.com", PASSWORD).await.is(303);
    let fields = [("email", "bob@example.com"), ("role", "admin")];
    let made = owner
        .submit(PAGE, "/settings/security/invite", &fields)
        .await
        .is(200);
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
        ("password", "correct horse battery"),
    ];
    bob.post("/signin/link", &fields).await.is(303);

    let page = bob.get(PAGE).await.is(200).body;
    assert!(page.contains("Nightly"), "{page}");
    assert!(!page.contains("id=\"key_name\""), "{page}");
    let fields = [
        ("key_name", "Mine"),
        ("key_role", "manage"),
        ("expires", "never"),
    ];
    let refused = bob.submit(PAGE, "/settings/security/keys", &fields).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let listed = installation.ok(&["api-key", "list", "--org", "vault", "--json"]);
    assert!(!listed.contains("Mine"), "{listed}");
}
