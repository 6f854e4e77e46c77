//! The receiving end in the console: a token is made, a directory comes with it, and everything it did is seen.

use serde_json::json;

use super::guest::{Guest, PASSWORD, administrator};
use crate::support::Installation;

/// Loads a page until it says something: what directories ask is written a moment after it was answered.
async fn says(guest: &mut Guest, path: &str, text: &str) -> String {
    for _ in 0..100 {
        let page = guest.get(path).await.is(200);
        if page.body.contains(text) {
            return page.body;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{path} does not say `{text}`");
}

#[expect(clippy::too_many_lines, reason = "a story")]
#[tokio::test]
async fn a_directory_is_connected_and_what_it_does_is_seen() {
    let installation = Installation::new();
    installation.ok(&["org", "create", "vault", "--name", "The vault"]);
    administrator(&installation, "vault", "ann@example.com");
    let server = installation.serve(&[]);
    let mut guest = Guest::new(&server);
    guest.sign_in("ann@example.com", PASSWORD).await.is(303);
    says(&mut guest, "/", "Connect your first directory").await;

    let form = "/settings/integrations/entra";
    let made = guest
        .submit(form, &format!("{form}/token"), &[("expires", "90")])
        .await
        .is(200);
    let token = made.body.split("class=\"secret\">").nth(1).unwrap();
    let token = token.split('<').next().unwrap().to_owned();
    assert!(!guest.get(form).await.body.contains(&token), "shown once");
    let scim = server.scim("vault", &token);
    scim.get("/Users?filter=userName%20eq%20%22nobody%22")
        .await
        .is(200);
    let body = json!({"userName": "bob@example.com", "displayName": "=Bob <b>"});
    let bob = scim.post("/Users", body).await.is(201).id();
    let team = scim.group("Team", &[&bob]).await;
    scim.post("/Users", json!({"userName": "bob@example.com"}))
        .await
        .is(409);

    says(&mut guest, "/requests?failed=1", "This name is taken").await;
    let page = says(&mut guest, form, "This name is taken").await;
    assert!(page.contains("Connected") && page.contains("manages <b class=\"num\">1</b> person"));
    assert_eq!(page.matches("class=\"done\"").count(), 7);
    says(&mut guest, "/users?q=BOB", &bob).await;
    says(&mut guest, "/users?source=entra&status=active", &bob).await;
    says(&mut guest, "/users?source=none", "Nobody here").await;
    says(&mut guest, &format!("/users/{bob}"), "Managed by Entra ID").await;
    says(&mut guest, &format!("/groups/{team}"), &bob).await;
    says(&mut guest, "/activity?action=user.", "Person created").await;
    says(&mut guest, "/reports?period=7", "Entra ID").await;
    let csv = guest.get("/activity/export?format=csv").await.is(200).body;
    assert!(csv.contains(",'=Bob <b>,"), "{csv}");
    let lines = guest
        .get("/activity/export?format=jsonl")
        .await
        .is(200)
        .body;
    assert!(lines.lines().all(|line| line.starts_with('{')), "{lines}");

    let person = format!("/users/{bob}");
    for (step, then) in [
        ("disable", "Disabled"),
        ("enable", "Active"),
        ("release", "No directory manages this account"),
    ] {
        let action = format!("{person}/{step}");
        guest.submit(&person, &action, &[]).await.is(303);
        says(&mut guest, &person, then).await;
    }
    let version = guest.get(&person).await.value("version");
    let fields = [
        ("display", "Bob"),
        ("email", "no address"),
        ("version", &version),
    ];
    let edit = format!("{person}/edit");
    let again = guest.submit(&person, &edit, &fields).await.is(422);
    assert!(again.body.contains("<title>Error: ") && again.body.contains("value=\"no address\""));
    let fields = [
        ("display", "Bob"),
        ("email", "bob@mail.example"),
        ("version", &version),
    ];
    guest.submit(&person, &edit, &fields).await.is(303);
    // made from a version that is gone
    let fields = [("display", "Robert"), ("email", ""), ("version", &version)];
    guest.submit(&person, &edit, &fields).await.is(422);
    says(&mut guest, "/users?q=bob@mail", "Bob").await;
    guest
        .submit(&person, &format!("{person}/delete"), &[])
        .await
        .is(303);
    guest.get(&person).await.is(404);

    let zoe = format!("/users/{}", scim.person("zoe@mail.example").await);
    says(&mut guest, &zoe, "Personal data").await;
    let data = guest.get(&format!("{zoe}/data")).await.is(200).body;
    assert!(
        data.contains("\"userName\": \"zoe@mail.example\""),
        "{data}"
    );
    let erase = format!("{zoe}/erase");
    says(&mut guest, &erase, "release it first").await;
    let refused = guest.submit(&erase, &erase, &[]).await.is(303);
    assert_eq!(refused.to(), zoe);
    says(&mut guest, &zoe, "Nothing was erased").await;
    let release = format!("{zoe}/release");
    guest.submit(&release, &release, &[]).await.is(303);
    let erased = guest.submit(&erase, &erase, &[]).await.is(303);
    assert_eq!(erased.to(), "/users");
    guest.get(&zoe).await.is(404);
    let log = guest.get("/activity?action=user.").await.is(200).body;
    assert!(log.contains("Person erased") && log.contains("details erased"));
    assert!(!log.contains("zoe@mail.example"));

    let reset = format!("{form}/token/reset");
    let made = guest.submit(&reset, &reset, &[("overlap", "1440")]).await;
    assert!(made.is(200).body.contains("Stop it now"));
    scim.get("/Users").await.is(200);
    let page = guest.get(form).await.body;
    let stop = page.split("formaction=\"").nth(1);
    let stop = stop.unwrap().split('"').next().unwrap().to_owned();
    guest.submit(form, &stop, &[]).await.is(303);
    scim.get("/Users").await.is(401);
    says(
        &mut guest,
        "/requests?integration=refused",
        "The token was refused",
    )
    .await;
    let unknown = guest.get(&format!("/requests?id={bob}")).await.is(404);
    assert!(unknown.body.contains("This request is not kept"));
    guest.get("/requests?id=7").await.is(404);

    let fields = [("name", "The vault"), ("zone", "Mars/Base")];
    let organisation = "/settings/organisation";
    guest
        .submit(organisation, organisation, &fields)
        .await
        .is(422);
    let fields = [("name", "Vault & sons"), ("zone", "Europe/Oslo")];
    guest
        .submit(organisation, organisation, &fields)
        .await
        .is(303);
    says(&mut guest, "/", "Vault &#38; sons").await;
}
