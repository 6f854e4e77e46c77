//! Webhooks in the console: an endpoint is added, told, changed, paused and removed, and its secret is shown once.

use super::guest::{Guest, PASSWORD, Page, administrator};
use crate::support::Installation;
use crate::webhooks::receiver::Receiver;

/// Takes the secret out of a page that shows it.
fn secret(page: &Page) -> String {
    let secret = page.body.split("class=\"secret\">").nth(1).unwrap();
    secret.split('<').next().unwrap().to_owned()
}

/// Loads a page until it says something.
async fn says(guest: &mut Guest, path: &str, text: &str) -> String {
    for _ in 0..200 {
        let page = guest.get(path).await.is(200);
        if page.body.contains(text) {
            return page.body;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{path} does not say `{text}`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_is_added_told_changed_paused_and_removed() {
    let (installation, token) = Installation::with("vault");
    administrator(&installation, "vault", "ann@example.com");
    let server = installation.serve(&[("ROLLCALL_ALLOW_PRIVATE_TARGETS", "127.0.0.1")]);
    let receiver = Receiver::start().await;
    let mut guest = Guest::new(&server);
    guest.sign_in("ann@example.com", PASSWORD).await.is(303);
    let list = "/settings/webhooks";
    says(&mut guest, list, "No endpoint yet").await;

    let form = format!("{list}/new");
    let fields = [
        ("name", ""),
        ("url", "https://169.254.169.254/"),
        ("which", "some"),
    ];
    let again = guest.submit(&form, list, &fields).await.is(422);
    for mistake in [
        "1 to 100 characters",
        "private network",
        "at least one type",
    ] {
        assert!(again.body.contains(mistake), "{mistake}: {}", again.body);
    }
    let url = receiver.url();
    let fields = [
        ("name", "Door <b>"),
        ("url", url.as_str()),
        ("which", "some"),
        ("event", "user.created"),
        ("event", "user.disabled"),
    ];
    let added = guest.submit(&form, list, &fields).await.is(200);
    let first = secret(&added);
    assert!(first.starts_with("whsec_"));
    let page = guest.get(list).await.is(200).body;
    assert!(!page.contains(&first), "shown once");
    assert!(
        page.contains("Door &#60;b&#62;") && !page.contains("key=1"),
        "{page}"
    );
    let again = guest.submit(&form, list, &fields).await.is(422);
    assert!(again.body.contains("is taken"), "{}", again.body);

    let scim = server.scim("vault", &token);
    let bob = scim.person("bob").await;
    let heard = receiver.hears(1).await;
    assert!(heard[0].is_signed_by(&first));
    says(&mut guest, list, "204 in").await;
    says(&mut guest, list, "Delivering").await;
    let one = says(&mut guest, list, "1 of 1").await;
    let id = one.split("/settings/webhooks?id=").nth(1).unwrap();
    let id = id.split(['"', '&']).next().unwrap().to_owned();
    let at = format!("{list}/{id}");
    says(&mut guest, &format!("{list}?id={id}&delivery=1"), &bob).await;

    guest.submit(list, &format!("{at}/test"), &[]).await.is(303);
    says(&mut guest, list, "The test event arrived").await;
    let heard = receiver.hears(2).await;
    assert_eq!(heard[1].event()["type"], "webhook.test");
    let again = format!("{at}/deliveries/1/retry");
    guest.submit(list, &again, &[]).await.is(303);
    let heard = receiver.hears(3).await;
    assert_eq!(heard[2].id(), heard[0].id());

    guest
        .submit(list, &format!("{at}/pause"), &[])
        .await
        .is(303);
    says(&mut guest, list, "Paused since").await;
    guest.submit(list, &again, &[]).await.is(403);
    scim.person("cleo").await;
    let resume = format!("{at}/resume");
    let fields = [("missed", "leave-out")];
    guest.submit(list, &resume, &fields).await.is(303);
    scim.person("dora").await;
    let heard = receiver.hears(4).await;
    assert_eq!(heard.len(), 4, "what happened meanwhile is left out");

    let rotate = format!("{at}/rotate");
    let fields = [("former", "ends")];
    let second = guest.submit(&rotate, &rotate, &fields).await.is(200);
    let second = secret(&second);
    assert_ne!(second, first);
    let elsewhere = Receiver::start().await;
    let url = elsewhere.url();
    let third = move_to(&mut guest, &at, &url).await;
    assert_ne!(third, second);
    scim.person("emil").await;
    let heard = elsewhere.hears(1).await;
    assert!(heard[0].is_signed_by(&third) && !heard[0].is_signed_by(&second));

    says(
        &mut guest,
        "/activity?action=webhook.",
        "Webhook&#39;s secret rotated",
    )
    .await;
    let remove = format!("{at}/remove");
    guest.submit(&remove, &remove, &[]).await.is(303);
    says(&mut guest, list, "No endpoint yet").await;
    guest.get(&at).await.is(404);
}

/// Gives an endpoint another address; returns its new secret.
async fn move_to(guest: &mut Guest, at: &str, url: &str) -> String {
    let version = guest.get(at).await.value("version");
    let fields = [
        ("name", "Door"),
        ("url", url),
        ("which", "all"),
        ("version", version.as_str()),
    ];
    let moved = guest.submit(at, at, &fields).await.is(200);
    // a form from before that says where the endpoint was
    guest.submit(at, at, &fields).await.is(409);
    secret(&moved)
}

#[tokio::test]
async fn another_organisations_endpoint_is_not_there() {
    let (installation, _) = Installation::with("vault");
    installation.ok(&["org", "create", "other", "--name", "Other"]);
    installation.ok(&[
        "webhook",
        "add",
        "siem",
        "--org",
        "vault",
        "--url",
        "https://siem.example.com/in",
    ]);
    let listed = installation.ok(&["webhook", "list", "--org", "vault", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    administrator(&installation, "other", "eve@example.com");
    let server = installation.serve(&[]);
    let mut guest = Guest::new(&server);
    guest.sign_in("eve@example.com", PASSWORD).await.is(303);
    let list = "/settings/webhooks";

    for path in ["", "/rotate", "/remove"] {
        guest.get(&format!("{list}/{id}{path}")).await.is(404);
    }
    guest.get(&format!("{list}?id={id}")).await.is(404);
    for path in [
        "/pause",
        "/resume",
        "/test",
        "/deliveries/1/retry",
        "/remove",
    ] {
        let path = format!("{list}/{id}{path}");
        guest.submit(list, &path, &[]).await.is(404);
    }
    let rotate = format!("{list}/{id}/rotate");
    guest
        .submit(list, &rotate, &[("former", "ends")])
        .await
        .is(404);
    let fields = [
        ("name", "x"),
        ("url", "https://x.example.com/"),
        ("which", "all"),
    ];
    let change = format!("{list}/{id}");
    guest.submit(list, &change, &fields).await.is(404);
    let still = installation.ok(&["webhook", "list", "--org", "vault", "--json"]);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&still).unwrap(),
        listed
    );
}
