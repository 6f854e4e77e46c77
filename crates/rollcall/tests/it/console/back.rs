//! Going back in the console: one person, one group, and all that a directory did by mistake.

use serde_json::{Value, json};

use super::guest::{Guest, PASSWORD, Page, administrator};
use crate::support::{Installation, Scim, Server};

struct Story {
    installation: Installation,
    _server: Server,
    vault: Scim,
    guest: Guest,
}

impl Story {
    async fn new() -> Self {
        let (installation, token) = Installation::with("vault");
        administrator(&installation, "vault", "owner@example.com");
        let server = installation.serve(&[("ROLLCALL_RATE", "1000000")]);
        let vault = server.scim("vault", &token);
        let mut guest = Guest::new(&server);
        guest.sign_in("owner@example.com", PASSWORD).await.is(303);
        Self {
            installation,
            _server: server,
            vault,
            guest,
        }
    }

    /// Everybody and every group, but for versions and times.
    fn state(&self) -> Vec<Value> {
        let text = self.installation.ok(&["export", "--org", "vault"]);
        let objects = text.lines().map(|line| {
            let mut object: Value = serde_json::from_str(line).unwrap();
            object.as_object_mut().unwrap().remove("meta");
            object
        });
        let mut objects: Vec<Value> = objects.collect();
        objects.sort_by_key(|object| object["id"].to_string());
        objects
    }

    /// The instant of the latest change of somebody.
    fn changed_at(&self, who: &str) -> String {
        let all = ["history", "list", who, "--org", "vault", "--json"];
        let life: Value = serde_json::from_str(&self.installation.ok(&all)).unwrap();
        life[0]["at"].as_str().unwrap().to_owned()
    }

    async fn set(&self, id: &str, path: &str, value: Value) {
        let operations = json!([{"op": "replace", "path": path, "value": value}]);
        let person = format!("/Users/{id}");
        self.vault.patch(&person, operations).await.is(204);
    }

    /// Sends the plan of a page as its form does.
    async fn take(&mut self, page: &Page, action: &str, confirm: &str) -> Page {
        let names = ["csrf", "at", "from", "to", "by", "until", "shown", "code"];
        // the field of this name that is hidden in the form of the plan
        let form = page.body.split("method=\"post\"").last().unwrap();
        let values = names.map(|name| {
            let mark = format!("name=\"{name}\" value=\"");
            let value = form.split(&mark).nth(1).unwrap_or_default();
            value.split('"').next().unwrap().to_owned()
        });
        let mut fields: Vec<(&str, &str)> = names
            .into_iter()
            .zip(values.iter().map(String::as_str))
            .collect();
        fields.push(("confirm", confirm));
        self.guest.post(action, &fields).await
    }
}

/// The first link of a page that begins so.
fn link(page: &Page, begin: &str) -> String {
    let mark = format!("href=\"{begin}");
    let rest = page.body.split(&mark).nth(1);
    let rest = rest.unwrap_or_else(|| panic!("no link to {begin}: {}", page.body));
    format!("{begin}{}", rest.split('"').next().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_directory_did_by_mistake_is_taken_back_and_what_changed_since_is_left_alone() {
    let mut story = Story::new().await;
    let mut ids = Vec::new();
    for number in 0..21 {
        ids.push(story.vault.person(&format!("p{number:02}")).await);
    }
    let members: Vec<&str> = ids.iter().map(String::as_str).collect();
    story.vault.group("Team", &members).await;
    let before = story.state();
    let from = story.changed_at("group:Team");
    for id in &ids[..20] {
        story.set(id, "active", json!(false)).await;
    }
    let gone = format!("/Users/{}", ids[20]);
    story.vault.send("DELETE", &gone, None).await.is(204);
    let new = story.vault.person("new").await;
    let to = story.changed_at("user:new");
    story.set(&ids[7], "displayName", json!("Right")).await;

    let form = story.guest.get("/history/back").await.is(200);
    let by = form.body.split("value=\"integration:").nth(1).unwrap();
    let by = format!("integration:{}", by.split('"').next().unwrap());
    let address = format!("/history/back?from={from}&to={to}&by={by}");
    let plan = story.guest.get(&address).await.is(200);
    for said in [
        "○ 1</b><span>disable",
        "+ 1</b><span>create again",
        // the team has its deleted member again
        "~ 20</b><span>change back",
        "· 1</b><span>left alone",
        "Type <b>1</b>",
    ] {
        assert!(plan.body.contains(said), "{said}: {}", plan.body);
    }
    let left = story.guest.get(&format!("{address}&show=leave")).await;
    assert!(left.body.contains("<b>p07</b>") && left.body.contains("Changed again since"));
    let differs = format!("/history/diff?from={from}&to={to}");
    let differs = story.guest.get(&differs).await.is(200).body;
    for said in [
        "− 1</b><span>went",
        "+ 1</b><span>came",
        "~ 21</b><span>changed",
    ] {
        assert!(differs.contains(said), "{said}: {differs}");
    }
    let unchanged = story.state();

    let unconfirmed = story.take(&plan, "/history/back", "21").await.is(422);
    assert!(unconfirmed.body.contains("<title>Error: "));
    story.set(&ids[8], "title", json!("Buyer")).await;
    let moved = story.take(&plan, "/history/back", "1").await.is(409);
    assert!(moved.body.contains("were changed while you looked"));
    let changed_meanwhile = format!("href=\"/users/{}\">p08</a>", ids[8]);
    assert!(moved.body.contains(&changed_meanwhile), "{}", moved.body);
    let differing = |now: &[Value], then: &[Value]| {
        let changed = now.iter().filter(|object| !then.contains(object));
        let names = changed.map(|object| object["userName"].as_str().unwrap_or("Team").to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(
        differing(&story.state(), &unchanged),
        ["p08"],
        "nothing was done"
    );

    let plan = story.guest.get(&address).await.is(200);
    let done = story.take(&plan, "/history/back", "1").await.is(303);
    let outcome = story.guest.get(done.to()).await.is(200).body;
    assert!(outcome.contains("It is done"), "{outcome}");
    assert!(
        outcome.contains("Are what they were</dt><dd class=\"num\">21</dd>"),
        "{outcome}"
    );
    let mut after = story.state();
    after.retain(|object| object["id"] != *new || object["active"] == true);
    assert_eq!(differing(&after, &before), ["p07", "p08"]);
    let off = after
        .iter()
        .find(|object| object["userName"] == "p07")
        .unwrap();
    assert_eq!(
        (&off["active"], &off["displayName"]),
        (&json!(false), &json!("Right"))
    );
    let log = story
        .guest
        .get("/activity?action=history.")
        .await
        .is(200)
        .body;
    assert!(
        log.contains("Changes taken back") && log.contains(done.to()),
        "{log}"
    );
    story
        .installation
        .ok(&["audit", "verify", "--org", "vault"]);
    let nothing = story.guest.get(&address).await.is(200).body;
    assert!(
        nothing.contains("Nothing is changed by this plan"),
        "{nothing}"
    );
}

#[expect(clippy::too_many_lines, reason = "a story")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_is_looked_at_as_they_were_and_goes_back_to_that() {
    let mut story = Story::new().await;
    let ann = story.vault.person("ann").await;
    let team = story.vault.group("Team", &[&ann]).await;
    story.set(&ann, "title", json!("Buyer")).await;
    story.set(&ann, "title", json!("Head")).await;
    let (person, group) = (format!("/users/{ann}"), format!("/groups/{team}"));

    // the timeline begins with the latest change: the second link is that of the one before
    let page = story.guest.get(&person).await.is(200);
    let latest = link(&page, &format!("{person}/then?at="));
    let latest = story.guest.get(&latest).await.is(200);
    assert!(latest.body.contains("Nothing differs from today"));
    assert!(!latest.body.contains(&format!("{person}/back")));
    let rest = page
        .body
        .split(&format!("{person}/then?at="))
        .nth(2)
        .unwrap();
    let at = rest.split('"').next().unwrap().to_owned();
    let then = story
        .guest
        .get(&format!("{person}/then?at={at}"))
        .await
        .is(200);
    assert!(
        then.body
            .contains("<td class=\"brk\">Buyer</td><td class=\"brk\">Head</td>")
    );
    let back = link(&then, &format!("{person}/back?at="));
    let plan = story.guest.get(&back).await.is(200);
    assert!(
        plan.body.contains("<del>Head</del><ins>Buyer</ins>"),
        "{}",
        plan.body
    );

    story.set(&ann, "title", json!("Boss")).await;
    let action = format!("{person}/back");
    let moved = story.take(&plan, &action, "").await.is(409);
    assert!(moved.body.contains("Person changed by"), "{}", moved.body);
    assert!(moved.body.contains("<del>Boss</del><ins>Buyer</ins>"));
    let done = story.take(&moved, &action, "").await.is(303);
    assert_eq!(done.to(), person);
    let shown = story.guest.get(&person).await.is(200).body;
    assert!(
        shown.contains("Gone back to") && shown.contains(">Buyer<"),
        "{shown}"
    );

    // a group gets its members back, and who was deleted comes back with the same id
    let emptied = json!([{"op": "remove", "path": "members"}]);
    story
        .vault
        .patch(&format!("/Groups/{team}"), emptied)
        .await
        .is(204);
    let page = story.guest.get(&group).await.is(200);
    let rest = page
        .body
        .split(&format!("{group}/back?at="))
        .nth(2)
        .unwrap();
    let back = format!("{group}/back?at={}", rest.split('"').next().unwrap());
    let plan = story.guest.get(&back).await.is(200);
    assert!(
        plan.body
            .contains("Come in again</dt><dd class=\"brk\"><bdi>ann"),
        "{}",
        plan.body
    );
    story
        .take(&plan, &format!("{group}/back"), "")
        .await
        .is(303);
    story
        .vault
        .send("DELETE", &format!("/Users/{ann}"), None)
        .await
        .is(204);
    story.guest.get(&person).await.is(404);
    let log = story
        .guest
        .get(&format!("/activity?object={ann}"))
        .await
        .is(200);
    let before = link(&log, &format!("{person}/then?at="));
    let before = story.guest.get(&before).await.is(200);
    assert!(
        before.body.contains("has been deleted since"),
        "{}",
        before.body
    );
    let back = link(&before, &format!("{person}/back?at="));
    let plan = story.guest.get(&back).await.is(200);
    let done = story.take(&plan, &action, "").await.is(303);
    assert_eq!(done.to(), person);
    let title = &story.vault.get(&format!("/Users/{ann}")).await.is(200).body["title"];
    assert_eq!(*title, "Buyer");

    for (path, status) in [
        (format!("{person}/then"), 400),
        (format!("{person}/then?at=yesterday"), 400),
        (format!("/users/{team}/then?at={at}"), 404),
        ("/history/back?from=yesterday".to_owned(), 422),
        ("/history/back/nobody".to_owned(), 404),
    ] {
        assert_eq!(story.guest.get(&path).await.status, status, "{path}");
    }
}
