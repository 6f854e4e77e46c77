//! A directory that went wrong, and the way back, by commands.

use serde_json::{Value, json};

use crate::api::Program;
use crate::support::{Installation, Scim, Server};

struct Story {
    installation: Installation,
    server: Server,
    vault: Scim,
    ids: Vec<String>,
}

impl Story {
    async fn new() -> Self {
        let (installation, token) = Installation::with("vault");
        let server = installation.serve(&[("ROLLCALL_RATE", "1000000")]);
        let vault = server.scim("vault", &token);
        let mut ids = Vec::new();
        for name in ["ann", "bob", "cleo"] {
            ids.push(vault.person(name).await);
        }
        let members: Vec<&str> = ids.iter().map(String::as_str).collect();
        ids.push(vault.group("Team", &members).await);
        Self {
            installation,
            server,
            vault,
            ids,
        }
    }

    fn history(&self, arguments: &[&str]) -> Value {
        let all = [&["history"], arguments, &["--org", "vault", "--json"]].concat();
        serde_json::from_str(&self.installation.ok(&all)).unwrap()
    }

    fn export(&self, more: &[&str]) -> Vec<Value> {
        let all = [&["export", "--org", "vault"], more].concat();
        let text = self.installation.ok(&all);
        let mut objects: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for object in &mut objects {
            let members = object["members"].as_array_mut();
            for member in members.into_iter().flatten() {
                member
                    .as_object_mut()
                    .unwrap()
                    .retain(|name, _| name == "value");
            }
            object.as_object_mut().unwrap().remove("meta");
        }
        objects.sort_by_key(|object| object["id"].to_string());
        objects
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_directory_did_wrong_is_taken_back() {
    let story = Story::new().await;
    let before = story.export(&[]);
    let place = story.history(&["list", "group:Team"])[0]["place"].to_string();
    let [ann, bob, cleo, team] = &story.ids[..] else {
        panic!()
    };
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    story
        .vault
        .patch(&format!("/Users/{ann}"), off)
        .await
        .is(204);
    story
        .vault
        .send("DELETE", &format!("/Users/{bob}"), None)
        .await
        .is(204);
    let named = json!([{"op": "add", "path": "title", "value": "?"}, {"op": "replace", "path": "userName", "value": "kleo"}]);
    story
        .vault
        .patch(&format!("/Users/{cleo}"), named)
        .await
        .is(204);
    let emptied = json!([{"op": "remove", "path": "members"}]);
    story
        .vault
        .patch(&format!("/Groups/{team}"), emptied)
        .await
        .is(204);
    let eve = story.vault.person("eve").await;

    assert_eq!(story.export(&["--at", &place]), before, "what was is told");
    let differs = story.history(&["diff", "--from", &place]);
    let what: Vec<_> = differs
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["what"].as_str().unwrap())
        .collect();
    assert_eq!(what, ["changed", "changed", "went", "changed", "came"]);
    let by = |who: &str| story.history(&["diff", "--from", &place, "--by", who]);
    assert_eq!(by("entra"), differs);
    assert_eq!(by("command"), json!([]));
    let shown = [
        "history", "show", "user:bob", "--at", &place, "--org", "vault",
    ];
    let shown: Value = serde_json::from_str(&story.installation.ok(&shown)).unwrap();
    assert_eq!(shown["id"], **bob);
    let gone = [
        "history", "show", "user:bob", "--at", "9999", "--org", "vault",
    ];
    assert_eq!(story.installation.run(&gone).status.code(), Some(1));

    let back = ["revert", "--from", &place, "--by", "entra"];
    let planned = story.history(&back);
    assert_eq!(planned["done"], false);
    let deeds = |plan: &Value| {
        let steps = plan["steps"].as_array().unwrap().iter();
        steps
            .map(|step| {
                format!(
                    "{} {}",
                    step["deed"].as_str().unwrap(),
                    step["name"].as_str().unwrap()
                )
            })
            .collect::<Vec<_>>()
    };
    let expected = [
        "disable eve",
        "recreate bob",
        "restore ann",
        "restore Team",
        "restore kleo",
    ];
    assert_eq!(deeds(&planned), expected);
    assert_ne!(story.export(&[]), before, "a plan changes nothing");
    let done = story.history(&[&back[..], &["--yes"]].concat());
    assert_eq!(deeds(&done), expected);

    let mut after = story.export(&[]);
    let eve = after.iter().position(|one| one["id"] == *eve).unwrap();
    assert_eq!(after.remove(eve)["active"], false);
    assert_eq!(after, before);
    // the directory goes on with the ids that it knows
    let title = json!([{"op": "add", "path": "title", "value": "Buyer"}]);
    story
        .vault
        .patch(&format!("/Users/{bob}"), title)
        .await
        .is(204);
    let nothing = story.history(&["revert", "user:ann", "--from", &place, "--yes"]);
    assert_eq!(deeds(&nothing), [""; 0]);
    story.installation.ok(&["doctor"]);
}

#[tokio::test]
async fn what_a_key_did_is_taken_back_by_its_id() {
    let story = Story::new().await;
    let before = story.export(&[]);
    let place = story.history(&["list", "group:Team"])[0]["place"].to_string();
    let create = [
        "api-key", "create", "--org", "vault", "--name", "x", "--role", "manage", "--json",
    ];
    let key: Value = serde_json::from_str(&story.installation.ok(&create)).unwrap();
    let program = Program::with(&story.server, key["key"].as_str().unwrap()).await;
    let [ann, bob, ..] = &story.ids[..] else {
        panic!()
    };
    program.act(&format!("/people/{ann}/disable")).await.is(200);
    let title = json!([{"op": "add", "path": "title", "value": "Buyer"}]);
    let path = format!("/Users/{bob}");
    story.vault.patch(&path, title).await.is(204);

    let id = key["id"].as_str().unwrap();
    let did = story.history(&["diff", "--from", &place, "--by", id]);
    assert_eq!(did.as_array().unwrap().len(), 1, "{did}");
    story.history(&["revert", "--from", &place, "--by", id, "--yes"]);
    let after = story.export(&[]);
    let same = |name: &str| {
        let of = |all: &[Value]| all.iter().find(|one| one["id"] == name).cloned();
        of(&before) == of(&after)
    };
    assert!(same(ann) && !same(bob));
}

#[test]
fn a_wrong_moment_or_object_is_told() {
    let (installation, _) = Installation::with("vault");
    for (arguments, said) in [
        (&["show", "user:nobody", "--at", "1"][..], "nobody"),
        (
            &["show", "user:nobody", "--at", "yesterday"],
            "is no moment",
        ),
        (&["diff", "--from", "1", "somebody"], "user:adele"),
        (
            &["revert", "--from", "0", "--by", "okta"],
            "no integration `okta`",
        ),
    ] {
        let all = [&["history"], arguments, &["--org", "vault"]].concat();
        let output = installation.run(&all);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(said), "{arguments:?}: {told}");
    }
}
