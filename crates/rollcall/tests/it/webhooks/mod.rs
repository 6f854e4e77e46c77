//! Webhooks, whole: a server, a real endpoint that hears what it tells, and commands.

pub(crate) mod receiver;

use std::collections::BTreeSet;
use std::time::Duration;

use rollcall_testkit::postgres::Database;
use serde_json::{Value, json};

use crate::store;
use crate::support::{Installation, Server};
use receiver::{Heard, Receiver};

/// What a server and commands need to call an endpoint on this machine.
const NEAR: (&str, &str) = ("ROLLCALL_ALLOW_PRIVATE_TARGETS", "127.0.0.1");

/// An organisation with an endpoint that is told everything.
struct House {
    installation: Installation,
    token: String,
    secret: String,
}

impl House {
    fn new(receiver: &Receiver) -> Self {
        let (installation, token) = Installation::with("vault");
        Self::told(installation, token, receiver)
    }

    fn told(installation: Installation, token: String, receiver: &Receiver) -> Self {
        let mut house = Self {
            installation,
            token,
            secret: String::new(),
        };
        house.secret = house.ok(&["add", "siem", "--url", &receiver.url()]);
        house
    }

    fn run(&self, arguments: &[&str]) -> std::process::Output {
        let arguments = [&["webhook"], arguments, &["--org", "vault"]].concat();
        let mut command = self.installation.command(&arguments);
        command.env(NEAR.0, NEAR.1).output().unwrap()
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// Runs a command that ends otherwise, and returns what it says.
    #[track_caller]
    fn ends(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    }

    fn serve(&self) -> Server {
        self.installation.serve(&[NEAR])
    }

    fn standing(&self) -> Value {
        self.json(&["list"])[0].clone()
    }

    /// Waits until the endpoint stands like this.
    async fn stands(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        let begun = std::time::Instant::now();
        loop {
            let standing = self.standing();
            if is_it(&standing) {
                return standing;
            }
            assert!(begun.elapsed() < receiver::PATIENCE, "{standing}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn ids(heard: &[Heard]) -> BTreeSet<String> {
    heard.iter().map(Heard::id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patch_is_told_within_a_second_signed_and_without_any_value() {
    let receiver = Receiver::start().await;
    let house = House::new(&receiver);
    let server = house.serve();
    let scim = server.scim("vault", &house.token);
    let body = json!({"userName": "canary@example.com", "title": "canary-title"});
    let ann = scim.post("/Users", body).await.is(201).id();
    receiver.hears(1).await;

    scim.patch(
        &format!("/Users/{ann}"),
        json!([{"op": "replace", "path": "active", "value": "False"},
               {"op": "replace", "path": "title", "value": "canary-title-2"}]),
    )
    .await
    .is(204);
    let answered = std::time::Instant::now();
    let heard = receiver.hears(2).await;

    let told = &heard[1];
    let took = told.at.saturating_duration_since(answered);
    println!("told {took:?} after the answer");
    assert!(took < Duration::from_secs(1), "{took:?}");
    let event = told.event();
    assert_eq!(event["type"], "user.disabled");
    assert_eq!(event["organisation"], "vault");
    assert_eq!(
        event["object"],
        json!({"type": "User", "id": ann, "version": 2})
    );
    assert_eq!(event["actor"], "integration");
    let changed: BTreeSet<&str> = event["changed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert_eq!(changed, BTreeSet::from(["active", "title"]));
    for one in &heard {
        assert!(one.is_signed_by(&house.secret), "{one:?}");
        assert_eq!(one.headers["webhook-id"], one.id());
        assert_eq!(one.headers["content-type"], "application/json");
        let timestamp: i64 = one.headers["webhook-timestamp"].parse().unwrap();
        let age = jiff::Timestamp::from_second(timestamp).unwrap();
        let now = rollcall_model::Clock::now(&rollcall_model::SystemClock);
        assert!(now.duration_since(age).as_secs().abs() < 60);
        let text = String::from_utf8(one.body.clone()).unwrap();
        assert!(!text.contains("canary"), "{text}");
    }
    let day = house
        .stands(|standing| standing["last_day"]["delivered"] == 2)
        .await;
    assert_eq!(day["last_day"]["events"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_while_an_endpoint_is_down_arrives_with_the_same_ids_though_the_server_is_killed()
 {
    let mut receiver = Receiver::down().await;
    let house = House::new(&receiver);
    let server = house.serve();
    let scim = server.scim("vault", &house.token);
    for n in 0..5 {
        scim.person(&format!("before{n}")).await;
    }
    house
        .stands(|standing| !standing["failing_since"].is_null())
        .await;
    // what it was to be told is stored: the ids are those that will be heard
    let waiting = house.json(&["deliveries", "siem"]);
    let promised: BTreeSet<String> = waiting
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["event"]["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(!promised.is_empty());

    drop(server); // SIGKILL
    let server = house.serve();
    let scim = server.scim("vault", &house.token);
    for n in 0..5 {
        scim.person(&format!("after{n}")).await;
    }
    // it is back, and refuses each first try
    receiver
        .up(|place| if place < 3 { (503, "") } else { (200, "") })
        .await;
    house.ok(&["set", "siem", "--pause"]);
    house.ok(&["set", "siem", "--resume"]);
    receiver.hears(1).await;
    house.ok(&["set", "siem", "--pause"]);
    house.ok(&["set", "siem", "--resume"]);
    let heard = receiver
        .hears_until(|heard| {
            let good: Vec<Heard> = heard
                .iter()
                .filter(|one| one.status == 200)
                .cloned()
                .collect();
            ids(&good).len() == 10
        })
        .await;

    let all = ids(&heard);
    assert_eq!(all.len(), 10, "ten events, whatever was tried how often");
    assert!(promised.is_subset(&all));
    let standing = house.stands(|standing| standing["waiting"] == 0).await;
    assert_eq!(standing["behind"], 0);
    for one in &heard {
        assert!(one.is_signed_by(&house.secret));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_tried_again_by_itself_after_what_the_endpoint_asked_for() {
    let receiver = Receiver::answering(|place| match place {
        0 => (503, "retry-after: 2\r\n"),
        _ => (200, ""),
    })
    .await;
    let house = House::new(&receiver);
    let server = house.serve();
    server.scim("vault", &house.token).person("ann").await;

    let heard = receiver.hears(2).await;

    assert_eq!(heard[0].id(), heard[1].id());
    assert_eq!(heard[0].body, heard[1].body, "byte for byte");
    let waited = heard[1].at.duration_since(heard[0].at);
    println!("tried again after {waited:?}");
    assert!(waited >= Duration::from_millis(1_900), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_answers_gone_is_paused_and_one_that_redirects_is_not_followed() {
    let elsewhere = Receiver::start().await;
    let receiver = Receiver::answering(|_| (410, "")).await;
    let house = House::new(&receiver);
    let server = house.serve();
    let scim = server.scim("vault", &house.token);
    scim.person("ann").await;

    let standing = house
        .stands(|standing| standing["status"] == "paused")
        .await;

    assert_eq!(standing["why"], "gone");
    assert_eq!(standing["waiting"], 1);
    scim.person("bob").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(receiver.heard().len(), 1, "it is told nothing more");
    let looked = house.installation.run(&["doctor"]);
    assert_eq!(looked.status.code(), Some(1));
    let found = String::from_utf8(looked.stdout).unwrap();
    assert!(
        found.contains("rollcall webhook set \"siem\" --org vault --resume"),
        "{found}"
    );

    let location: &'static str = format!("location: {}\r\n", elsewhere.url()).leak();
    let redirecting = Receiver::answering(move |_| (307, location)).await;
    house.ok(&["add", "moved", "--url", &redirecting.url()]);
    let said = house.ends(&["test", "moved"], 1);
    assert!(said.contains("redirects are not followed"), "{said}");
    assert!(elsewhere.heard().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_nothing_is_told_before_somebody_resumes_and_no_id_is_given_twice() {
    let receiver = Receiver::start().await;
    let house = House::new(&receiver);
    let server = house.serve();
    let scim = server.scim("vault", &house.token);
    scim.person("ann").await;
    receiver.hears(1).await;
    house.stands(|standing| standing["waiting"] == 0).await;
    house.installation.ok(&["backup", "one.backup"]);
    scim.person("lost").await;
    receiver.hears(2).await;

    drop(server);
    let begun = std::time::Instant::now();
    loop {
        let restored = house
            .installation
            .run(&["restore", "one.backup", "--force"]);
        if restored.status.success() {
            let said = String::from_utf8_lossy(&restored.stderr).into_owned();
            assert!(said.contains("paused: 1 webhook."), "{said}");
            break;
        }
        // the database has not noticed yet that the server is gone
        assert!(begun.elapsed() < receiver::PATIENCE, "{restored:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let server = house.serve();
    server.scim("vault", &house.token).person("bob").await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let standing = house.standing();
    assert_eq!(standing["why"], "restored", "{standing}");
    assert_eq!(receiver.heard().len(), 2, "nothing is told");

    // whoever is bob has the place in the feed that somebody had who is forgotten
    house.ok(&["set", "siem", "--resume"]);
    let heard = receiver.hears(3).await;
    assert_eq!(ids(&heard).len(), 3);
    assert_eq!(heard[2].event()["type"], "user.created");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_tell_each_event_once() {
    let database = Database::fresh().unwrap();
    let installation = Installation::new();
    let address = format!("{}&lease={}", database.url(), store::LEASE.as_secs());
    store::place(installation.folder.path(), address);
    installation.ok(&["org", "create", "vault", "--name", "Vault"]);
    let token = installation.ok(&["token", "create", "--org", "vault"]);
    let receiver = Receiver::start().await;
    let house = House::told(installation, token, &receiver);
    let (one, other) = (house.serve(), house.serve());

    for n in 0..20 {
        let server = if n % 2 == 0 { &one } else { &other };
        let scim = server.scim("vault", &house.token);
        scim.person(&format!("p{n}")).await;
    }
    let heard = receiver.hears_until(|heard| ids(heard).len() == 20).await;

    assert_eq!(heard.len(), 20, "each once");
    house.stands(|standing| standing["waiting"] == 0).await;

    // the node that has the endpoint is killed: the other one goes on
    drop(one);
    let scim = other.scim("vault", &house.token);
    for n in 20..30 {
        scim.person(&format!("p{n}")).await;
    }
    receiver.hears_until(|heard| ids(heard).len() == 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_secret_stands_in_no_table_no_file_and_no_output_but_the_one() {
    let receiver = Receiver::start().await;
    let house = House::new(&receiver);
    let server = house.serve();
    server.scim("vault", &house.token).person("ann").await;
    receiver.hears(1).await;
    let second = house.ok(&["rotate", "siem"]);
    server.scim("vault", &house.token).person("bob").await;
    let heard = receiver.hears(2).await;
    assert!(heard[1].is_signed_by(&house.secret), "the old one overlaps");
    assert!(heard[1].is_signed_by(&second));
    house.installation.ok(&["backup", "one.backup"]);

    let outputs = [
        house.ok(&["list"]),
        house.ok(&["list", "--json"]),
        house.ok(&["deliveries", "siem", "--json"]),
        house.ok(&["test", "siem", "--json"]),
    ];
    for secret in [&house.secret, &second] {
        let bare = secret.strip_prefix("whsec_").unwrap();
        for output in &outputs {
            assert!(!output.contains(bare), "{output}");
        }
        for entry in std::fs::read_dir(house.installation.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                let has = bytes
                    .windows(bare.len())
                    .any(|part| part == bare.as_bytes());
                assert!(!has, "{}", path.display());
            }
        }
    }
    drop(server);
    let small = [house.secret.to_lowercase(), second.to_lowercase()];
    let texts: Vec<&str> = small.iter().map(String::as_str).collect();
    let (tables, _) = store::tables_with(house.installation.folder.path(), &texts);
    assert_eq!(tables, [""; 0]);
}

#[test]
fn addresses_that_may_not_be_called_are_refused_when_saved_and_when_dialled() {
    let (installation, _) = Installation::with("vault");
    let run = |arguments: &[&str]| {
        let arguments = [&["webhook"], arguments, &["--org", "vault"]].concat();
        let output = installation.run(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    for url in [
        "http://hooks.example.com/in",
        "https://127.0.0.1/in",
        "https://10.0.0.7/in",
        "https://169.254.169.254/latest",
        "https://[::1]/in",
        "https://[::ffff:10.0.0.7]/in",
        "https://2130706433/in",
        "https://user:secret@hooks.example.com/in",
        "file:///etc/passwd",
        "not an address",
    ] {
        let (code, said) = run(&["add", "bad", "--url", url]);
        assert_eq!(code, Some(2), "{url}: {said}");
    }
    // names are judged by where they lead
    let (code, said) = run(&["add", "near", "--url", "https://localhost:1/in"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(&["test", "near"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("`allow_private_targets`"), "{said}");
    let (code, said) = run(&["set", "near", "--url", "https://192.168.0.1/in"]);
    assert_eq!(code, Some(2), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_do_all_that_is_done_with_webhooks() {
    let receiver = Receiver::start().await;
    let house = House::new(&receiver);
    assert!(house.secret.starts_with("whsec_"));

    let refused = house.ends(&["add", "SIEM", "--url", &receiver.url()], 2);
    assert!(refused.contains("`name` is taken"), "{refused}");
    let refused = house.ends(
        &[
            "add",
            "x",
            "--url",
            &receiver.url(),
            "--events",
            "user.renamed",
        ],
        2,
    );
    assert!(refused.contains("user.disabled"), "{refused}");
    let refused = house.ends(&["test", "nobody"], 2);
    assert!(refused.contains("rollcall webhook list"), "{refused}");
    let refused = house.ends(&["remove", "siem"], 2);
    assert!(refused.contains("--yes"), "{refused}");
    house.ends(&["set", "siem", "--pause", "--resume"], 2);

    let tested = house.json(&["test", "siem"]);
    assert_eq!(tested["state"], "delivered");
    let heard = receiver.heard();
    assert_eq!(heard[0].event()["type"], "webhook.test");
    assert!(heard[0].is_signed_by(&house.secret));

    let set = house.json(&[
        "set",
        "siem",
        "--events",
        "user.deleted,user.created",
        "--rename",
        "door",
    ]);
    assert_eq!(set["events"], "user.created,user.deleted");
    assert!(set["secret"].is_null());
    let server = house.serve();
    let scim = server.scim("vault", &house.token);
    let ann = scim.person("ann").await;
    scim.group("Sales", &[&ann]).await;
    scim.send("DELETE", &format!("/Users/{ann}"), None)
        .await
        .is(204);
    let heard = receiver.hears(3).await;
    // which of them arrives first is not promised
    let types: BTreeSet<String> = heard[1..]
        .iter()
        .map(|one| one.event()["type"].as_str().unwrap().to_owned())
        .collect();
    let told = ["user.created", "user.deleted"].map(str::to_owned);
    assert_eq!(types, BTreeSet::from(told));
    house.stands(|standing| standing["waiting"] == 0).await;

    let all = house.json(&["deliveries", "door"]);
    assert_eq!(all.as_array().unwrap().len(), 3);
    assert_eq!(all[0]["answer"]["status"], 204);
    let number = all[1]["number"].to_string();
    house.ok(&["resend", "door", &number]);
    let heard = receiver.hears(4).await;
    assert_eq!(heard[3].id(), all[1]["event"]["id"].as_str().unwrap());

    let elsewhere = Receiver::start().await;
    let moved = house.json(&["set", "door", "--url", &elsewhere.url()]);
    assert_ne!(moved["secret"].as_str().unwrap(), house.secret);
    house.ok(&["test", "door"]);
    assert!(!elsewhere.heard()[0].is_signed_by(&house.secret));
    assert!(elsewhere.heard()[0].is_signed_by(moved["secret"].as_str().unwrap()));

    house.ok(&["remove", "door", "--yes"]);
    assert_eq!(house.json(&["list"]), json!([]));
}
