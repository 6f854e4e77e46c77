//! Invitations over HTTP: what sends one, what ends its link, and what the pages say.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use super::guest::{Guest, PASSWORD, administrator};
use crate::support::{Installation, Scim, Server};

const ANN: &str = "ann@example.com";
const SETTINGS: &str = "/settings/organisation";

/// An organisation with an owner, who is signed in, and a directory; mail goes into a folder.
pub(crate) struct House {
    pub(crate) installation: Installation,
    pub(crate) server: Server,
    pub(crate) owner: Guest,
    pub(crate) scim: Scim,
    pub(crate) mail: PathBuf,
}

impl House {
    pub(crate) async fn new(sends_mail: bool) -> Self {
        let (installation, token) = Installation::with("vault");
        administrator(&installation, "vault", "owner@example.com");
        let mail = installation.folder.path().join("mail");
        let path = mail.display().to_string();
        let variables = [("ROLLCALL_MAIL_DIR", path.as_str())];
        let server = installation.serve(if sends_mail { &variables } else { &[] });
        let mut owner = Guest::new(&server);
        owner.sign_in("owner@example.com", PASSWORD).await.is(303);
        let scim = server.scim("vault", &token);
        Self {
            installation,
            server,
            owner,
            scim,
            mail,
        }
    }

    /// Likewise, with invitations switched on.
    pub(crate) async fn inviting() -> Self {
        let mut house = Self::new(true).await;
        house.switch("on").await;
        house
    }

    async fn switch(&mut self, word: &str) {
        let action = format!("{SETTINGS}/invitations");
        self.owner
            .submit(SETTINGS, &action, &[("invitations", word)])
            .await
            .is(303);
    }

    /// Presses a button of a person's page.
    pub(crate) async fn press(&mut self, id: &str, action: &str) -> super::guest::Page {
        let page = format!("/users/{id}");
        let action = format!("{page}/{action}");
        self.owner.submit(&page, &action, &[]).await
    }

    pub(crate) async fn page(&mut self, id: &str) -> String {
        self.owner.get(&format!("/users/{id}")).await.is(200).body
    }

    /// The address of the page that a link opens.
    pub(crate) async fn invited(&self, address: &str, number: usize) -> String {
        let folder = self.mail.clone();
        let address = address.to_owned();
        let found = tokio::task::spawn_blocking(move || link(&folder, &address, number));
        found.await.unwrap()
    }

    /// The link of an invitation. One that a command sent may wait for a minute before the server looks: then the page makes a newer one.
    pub(crate) async fn mailed_or_made(
        &mut self,
        address: &str,
        id: &str,
        number: usize,
    ) -> String {
        if links(&self.mail, address).len() < number {
            tokio::time::sleep(Duration::from_millis(600)).await;
        }
        if links(&self.mail, address).len() < number {
            self.press(id, "invite").await.is(303);
        }
        self.invited(address, number).await;
        links(&self.mail, address).pop().unwrap()
    }

    pub(crate) async fn is_good(&self, link: &str) -> bool {
        let page = Guest::new(&self.server).get(link).await;
        let is_good = page.status == 200;
        assert!(
            is_good || page.body.contains("used already"),
            "{}",
            page.body
        );
        is_good
    }

    /// Does what the page's script does, with keys of no password.
    pub(crate) async fn activate(&self, link: &str) -> super::guest::Page {
        let mut guest = Guest::new(&self.server);
        let (_, token) = link.split_once("token=").unwrap();
        let salt = guest.get(link).await.value("salt");
        let (key, wrapped) = ("A".repeat(43), "B".repeat(80));
        let fields = [
            ("token", token.to_owned()),
            ("salt", salt),
            ("key", key),
            ("wrapped", wrapped),
        ];
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = guest.submit("/signin", "/activate", &fields).await;
        if answer.status == 303 {
            let done = guest.get(answer.to()).await.is(200);
            assert!(done.body.contains("Welcome to An organisation"));
        }
        answer
    }
}

/// Every invitation in a folder to an address, the oldest first, by path and query of its link.
pub(crate) fn links(folder: &Path, address: &str) -> Vec<String> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map_while(Result::ok)
        .map(|file| file.path())
        .collect();
    files.sort();
    let mut links = Vec::new();
    for file in files {
        let mail = std::fs::read_to_string(file).unwrap_or_default();
        // long lines are folded, and `=` is written as `=3D`
        let plain = mail.replace("=\r\n", "").replace("=3D", "=");
        let rest = plain.split_once("/activate?token=");
        if let (true, Some((_, rest))) = (plain.contains(&format!("To: {address}")), rest) {
            let token = rest.split(|c: char| c.is_whitespace() || c == '"').next();
            links.push(format!("/activate?token={}", token.unwrap()));
        }
    }
    links
}

/// Waits for a mail that says something, and makes sure that there are so many.
pub(crate) async fn mailed(folder: &Path, text: &str, many: usize) -> String {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        let files = std::fs::read_dir(folder).into_iter().flatten();
        let mails: Vec<String> = files
            .map_while(Result::ok)
            .map(|file| std::fs::read_to_string(file.path()).unwrap_or_default())
            .map(|mail| mail.replace("=\r\n", "").replace("=3D", "="))
            .filter(|mail| mail.contains(text))
            .collect();
        if let Some(mail) = mails.first() {
            assert_eq!(mails.len(), many, "{mails:?}");
            return mail.clone();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no mail says `{text}`");
}

/// Waits for the invitation of this number to an address.
pub(crate) fn link(folder: &Path, address: &str, number: usize) -> String {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if let Some(link) = links(folder, address).get(number - 1) {
            return link.clone();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("there is no invitation {number} to {address}");
}

#[tokio::test]
async fn a_person_is_invited_activates_and_begins_anew() {
    let mut house = House::inviting().await;
    let ann = house.scim.person(ANN).await;
    let listed = house.owner.get("/users").await.is(200).body;
    assert!(listed.contains("Invited"), "{listed}");
    let page = house.page(&ann).await;
    assert!(page.contains("Person invited to activate") && page.contains("works until"));
    let link = house.invited(ANN, 1).await;

    let shown = Guest::new(&house.server).get(&link).await.is(200);
    assert!(shown.body.contains("An organisation") && shown.body.contains(ANN));
    let password_field = shown.body.split("id=\"password\"").nth(1).unwrap();
    let password_field = password_field.split('>').next().unwrap();
    assert!(!password_field.contains("name="), "{password_field}");
    assert_eq!(shown.headers.get("referrer-policy").unwrap(), "no-referrer");
    house.activate(&link).await.is(303);

    assert!(!house.is_good(&link).await, "a link is good once");
    let page = house.page(&ann).await;
    assert!(page.contains("Account activated by its owner") && !page.contains("pill-acc"));
    let raw = house.scim.get(&format!("/Users/{ann}")).await.is(200).body;
    let raw = raw.to_string();
    assert!(raw.contains("\"active\":true"), "{raw}");
    for hidden in ["activat", "wrapped", "verifier", "argon2", "invit"] {
        assert!(!raw.contains(hidden), "{raw}");
        assert!(!page.contains("$argon2id") && !page.contains(&"B".repeat(80)));
    }

    let question = format!("/users/{ann}/reset-activation");
    let asked = house.owner.get(&question).await.is(200).body;
    assert!(asked.contains("The key of the vault is lost"), "{asked}");
    house.owner.submit(&question, &question, &[]).await.is(303);
    assert!(house.page(&ann).await.contains("Activation reset"));
    let link = house.invited(ANN, 2).await;
    house.activate(&link).await.is(303);
}

#[tokio::test]
async fn a_link_ends_with_address_account_and_time() {
    let house = House::inviting().await;
    let moved = house.scim.person("moved@example.com").await;
    let off = house.scim.person("off@example.com").await;
    let gone = house.scim.person("gone@example.com").await;
    house.scim.person("late@example.com").await;
    let mut open = Vec::new();
    for name in ["moved", "off", "gone", "late"] {
        let link = house.invited(&format!("{name}@example.com"), 1).await;
        assert!(house.is_good(&link).await);
        open.push(link);
    }

    let value = json!([{"value": "new@example.com", "type": "work"}]);
    let operation = json!([{"op": "Replace", "path": "emails", "value": value}]);
    house
        .scim
        .patch(&format!("/Users/{moved}"), operation)
        .await
        .is(204);
    let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
        {"method": "PATCH", "path": format!("/Users/{off}"), "data": {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "Replace", "path": "active", "value": "False"}]}},
        {"method": "DELETE", "path": format!("/Users/{gone}")},
    ]});
    house.scim.post("/Bulk", bulk).await.is(200);
    crate::store::change(
        house.installation.folder.path(),
        "UPDATE activations SET document = json_set(document, '$.link.expires', '2020-01-01T00:00:00Z')
         WHERE document ->> '$.link.address' = 'late@example.com'",
        "UPDATE activations SET document = jsonb_set(document::jsonb, '{link,expires}', '\"2020-01-01T00:00:00Z\"')::text
         WHERE document::jsonb #>> '{link,address}' = 'late@example.com'",
    );

    for link in &open {
        assert!(!house.is_good(link).await, "{link}");
        house.activate(link).await.is(400);
    }
    let fresh = house.invited("new@example.com", 1).await;
    house.activate(&fresh).await.is(303);
}

#[tokio::test]
async fn nobody_is_written_to_unless_asked_for_and_thrice_an_hour_at_most() {
    let mut house = House::new(true).await;
    let ann = house.scim.person(ANN).await;
    house.scim.person("bob@example.com").await;
    assert!(house.page(&ann).await.contains("Not asked to activate"));
    let settings = house.owner.get(SETTINGS).await.is(200).body;
    assert!(settings.contains("2 people") && settings.contains("Send invitations"));

    for number in 1..=3 {
        house.press(&ann, "invite").await.is(303);
        house.invited(ANN, number).await;
    }
    house.press(&ann, "invite").await.is(303);
    let refused = house.page(&ann).await;
    assert!(refused.contains("three went to this person"), "{refused}");
    assert!(refused.contains("pill-acc"), "invited");
    let earlier = house.invited(ANN, 2).await;
    assert!(!house.is_good(&earlier).await, "another one came after it");

    let question = format!("{SETTINGS}/invite-everybody");
    let asked = house.owner.get(&question).await.is(200).body;
    assert!(asked.contains("<b>1 person</b>"), "ann holds one: {asked}");
    let once = house.owner.get(&question).await.value("once");
    house
        .owner
        .submit(&question, &question, &[("once", &once)])
        .await
        .is(303);
    house.invited("bob@example.com", 1).await;
    assert_eq!(links(&house.mail, ANN).len(), 3);
    let told = house.owner.get(SETTINGS).await.body;
    assert!(told.contains("1 person is invited"), "{told}");
}

#[tokio::test]
async fn without_mail_a_link_is_shown_once() {
    let mut house = House::new(false).await;
    house.switch("on").await;
    let ann = house.scim.person(ANN).await;
    assert!(house.page(&ann).await.contains("sends no mail"));
    let settings = house.owner.get(SETTINGS).await.is(200).body;
    assert!(settings.contains("This installation sends no mail"));

    let shown = house.press(&ann, "invitation-link").await.is(200);
    let link = shown.body.split("class=\"secret\">").nth(1).unwrap();
    let link = link.split('<').next().unwrap().to_owned();
    let page = house.page(&ann).await;
    assert!(!page.contains(&link), "it is shown once");
    assert!(page.contains("the link was shown"), "it is on record");
    house.activate(&link).await.is(303);

    let reset = house.press(&ann, "reset-activation").await.is(200);
    assert!(reset.body.contains("/activate?token="), "{}", reset.body);
    let sent = house.press(&ann, "invite").await;
    assert_eq!(sent.status, 303);
    assert!(house.page(&ann).await.contains("No invitation was sent"));
}
