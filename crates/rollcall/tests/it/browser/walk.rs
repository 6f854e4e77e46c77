//! The whole guide, step by step, in a browser: both ends on one server, with scripts and without.

use super::Browser;
use crate::console::guest::{PASSWORD, administrator};
use crate::support::{Installation, Server};

/// A directory with people and groups, an application that is to receive them, and an owner of each.
fn prepared() -> (Installation, Server) {
    let installation = Installation::new();
    installation.ok(&["org", "create", "vault", "--name", "Vault"]);
    installation.ok(&["org", "create", "northwind", "--name", "Northwind"]);
    let person = |n: u8| {
        format!(
            "person{n}@northwind.example,Given{n},Family{n},Given{n} Family{n},person{n}@northwind.example,e-{n}"
        )
    };
    let people: Vec<String> = (1..=6).map(person).collect();
    let at = |name: &str| installation.folder.path().join(name).display().to_string();
    std::fs::write(
        at("people.csv"),
        format!(
            "userName,name.givenName,name.familyName,displayName,email,externalId\n{}\n",
            people.join("\n")
        ),
    )
    .unwrap();
    std::fs::write(
        at("groups.csv"),
        "displayName,members\nSales,person1@northwind.example;person2@northwind.example;person3@northwind.example\n",
    )
    .unwrap();
    let (users, groups) = (at("people.csv"), at("groups.csv"));
    installation.ok(&[
        "import",
        "--org",
        "northwind",
        "--users",
        &users,
        "--groups",
        &groups,
    ]);
    administrator(&installation, "vault", "owner@vault.example");
    administrator(&installation, "northwind", "owner@northwind.example");
    let server = installation.serve(&[("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")]);
    (installation, server)
}

/// Walks the guide; `guide-walk` numbers in the comments.
async fn walk(browser: &Browser) {
    let (_installation, server) = prepared();

    // 1.1–1.4: the application's console, Settings > Directory integrations > Azure AD
    browser
        .sign_in(&server.url, "owner@vault.example", PASSWORD)
        .await;
    browser.press("Directory integrations").await;
    browser.says("Azure AD / Entra ID").await;
    // 1.5: the URL
    let url = browser.text_of("#url").await;
    assert_eq!(url, format!("{}/scim/v2/vault", server.url));
    // 1.6: the token, shown once
    browser.press("Create provisioning token").await;
    let first = browser.text_of("#tok").await;
    assert!(first.starts_with("rc_main_"), "{first}");
    browser.press("I have stored it").await;
    assert!(!browser.shown().await.contains(&first), "it is shown once");
    // the note: a reset makes a new one, and the old one stops
    browser.press("Reset provisioning token").await;
    browser.choose("Stops now").await;
    browser.press("Reset token").await;
    let token = browser.text_of("#tok").await;
    assert_ne!(token, first);
    browser.sign_out(&server.url).await;

    // 2.1–2.3: the directory's console, a new non-gallery application
    browser
        .sign_in(&server.url, "owner@northwind.example", PASSWORD)
        .await;
    browser.press("Enterprise applications").await;
    browser.press("New application").await;
    browser.fill("name", "Vault").await;
    browser.press("Add").await;
    browser.says("Vault").await;
    // 2.4–2.6: provisioning, automatic, URL and token
    browser.press("Provisioning").await;
    browser.choose("Automatic").await;
    browser.fill("url", &url).await;
    // 2.7: a wrong token is told exactly, the right one is good
    browser.fill("token", &first).await;
    browser.press("Test Connection").await;
    browser.says("does not accept").await;
    browser.fill("token", &token).await;
    browser.press("Test Connection").await;
    browser.says("Vault answered").await;
    // 2.8: notification, save
    browser.fill("token", &token).await;
    browser.fill("email", "ops@northwind.example").await;
    browser
        .choose("Send an email notification when a failure occurs")
        .await;
    browser.press("Save").await;
    browser.says("Saved").await;

    // 2.9–2.12: the mapping of people; Join as in the guide, seen on a real person first
    browser.press("Synchronize Users to Vault").await;
    browser.says("Attribute mapping").await;
    browser.press("Edit displayName").await;
    browser.choose("Expression").await;
    let join = "Join(\" \", [givenName], [surname])";
    browser.fill("ex", join).await;
    browser.press("Preview").await;
    // whoever is the first in the directory
    let result = browser.text_of("output.result").await;
    assert!(
        result.starts_with("Given") && result.contains(" Family"),
        "{result}"
    );
    browser.press("Apply").await;
    browser.says(join).await;
    // 2.14–2.16: the mapping of groups
    browser
        .found(".seg a[href$=groups]")
        .await
        .click()
        .await
        .unwrap();
    browser.says("members").await;

    // 2.18: who
    browser.press("Vault").await;
    browser.press("Users and groups").await;
    browser.press("Add user or group").await;
    browser.fill("q", "Sales").await;
    browser.press("Find").await;
    browser.press("Choose").await;
    browser.press("Assign").await;
    browser.says("Sales").await;

    // 2.19–2.20: on
    browser.press("Provisioning").await;
    browser.choose("On").await;
    browser.press("Save").await;
    browser.says("Saved").await;

    // the end: people are there, and the log says so
    browser.press("Overview").await;
    browser
        .open(&format!("{}/provisioning-logs", server.url))
        .await;
    browser.says_in_time("person3@northwind.example").await;
    browser.sign_out(&server.url).await;
    browser
        .sign_in(&server.url, "owner@vault.example", PASSWORD)
        .await;
    browser.press("Users").await;
    browser.says_in_time("Given1 Family1").await;
    browser.press("Groups").await;
    browser.says_in_time("Sales").await;
    browser.press("Directory integrations").await;
    browser.says_in_time("3 people").await;
}

#[tokio::test]
async fn the_guide_is_walked_with_scripts() {
    let browser = Browser::start(1280, 900).await;
    walk(&browser).await;
}

#[tokio::test]
async fn the_guide_is_walked_without_scripts() {
    let browser = Browser::start(1280, 900).await;
    browser.without_scripts().await;
    walk(&browser).await;
}
