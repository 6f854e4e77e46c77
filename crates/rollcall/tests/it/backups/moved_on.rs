//! A target goes on while the store goes back: an old backup is restored, and nobody loses access by it, and nobody is made twice.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rollcall_model::Kind;
use rollcall_testkit::{Behaviour, Fault, Play, Target, When};
use serde_json::{Value, json};

use super::{ended, json as printed, said};
use crate::support::{Installation, Scim, Server};

const TOKEN: &str = "token-of-the-target-5c1f";

struct House {
    installation: Installation,
    target: Target,
    token: String,
}

impl House {
    fn serve(&self) -> (Server, Scim) {
        let variables = [("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")];
        let server = self.installation.serve(&variables);
        let northwind = server.scim("northwind", &self.token);
        (server, northwind)
    }

    fn app(&self, arguments: &[&str]) -> std::process::Output {
        let all = [&["app"], arguments, &["--org", "northwind"]].concat();
        let mut command = self.installation.command(&all);
        command.env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true");
        command.output().unwrap()
    }

    #[track_caller]
    fn app_ok(&self, arguments: &[&str]) -> String {
        ended(&self.app(arguments), 0)
    }

    fn job(&self) -> Value {
        printed(&self.app(&["show", "Vault", "--json"]), 0)["job"].take()
    }

    /// The people of the target by name: their id, and whether they can come in.
    fn there(&self) -> BTreeMap<String, (String, bool)> {
        let people = self.target.resources(Kind::User);
        let text = |person: &Value, name: &str| person[name].as_str().unwrap().to_owned();
        let all = people.iter().map(|person| {
            let state = (text(person, "id"), person["active"] != false);
            (text(person, "userName"), state)
        });
        let all: BTreeMap<_, _> = all.collect();
        assert_eq!(all.len(), people.len(), "a name is there twice");
        all
    }

    fn is_in(&self, name: &str) -> bool {
        self.there().get(name).is_some_and(|(_, active)| *active)
    }

    /// Somebody else makes the account of a person anew.
    fn remake(&self, name: &str) {
        assert!(self.target.remove(Kind::User, &self.there()[name].0));
        let person = json!({"userName": name, "active": true, "displayName": name});
        self.target.insert(Kind::User, person).unwrap();
    }
}

#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

async fn id(end: &Scim, name: &str) -> String {
    let found = end
        .get(&format!("/Users?filter=userName eq \"{name}\""))
        .await
        .is(200);
    found.body["Resources"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn block(end: &Scim, name: &str) {
    let operations = json!([{"op": "replace", "path": "active", "value": false}]);
    let path = format!("/Users/{}", id(end, name).await);
    assert!(end.patch(&path, operations).await.status < 300);
}

async fn delete(end: &Scim, name: &str) {
    let path = format!("/Users/{}", id(end, name).await);
    end.send("DELETE", &path, None).await.is(204);
}

impl House {
    fn new() -> Self {
        let installation = Installation::new();
        installation.ok(&["org", "create", "northwind", "--name", "Northwind"]);
        let token = installation.ok(&["token", "create", "--org", "northwind"]);
        let house = Self {
            target: Target::start(Behaviour::default().with_token(TOKEN)),
            installation,
            token,
        };
        std::fs::write(house.installation.folder.path().join("token"), TOKEN).unwrap();
        house.app_ok(&["create", "Vault"]);
        let url = house.target.url().to_owned();
        house.app_ok(&["connect", "Vault", "--url", &url, "--token-file", "token"]);
        house.app_ok(&["set", "Vault", "--scope", "all"]);
        house
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_creation_of_unknown_outcome_left_is_not_taken_away_without_a_word() {
    let house = House::new();
    let (server, northwind) = house.serve();
    for name in ["ann", "ivy"] {
        northwind.person(name).await;
    }
    // both are created, and the answers are lost: that is the state of the backup
    let lost = Play::new(Fault::ResetAfterCommit, When::Always).on(&["POST"]);
    let behaviour = Behaviour::default().with_token(TOKEN);
    house.target.behave(behaviour.with_play(lost));
    house.app(&["run", "Vault"]);
    let there = house.there();
    assert_eq!(there.len(), 2);
    house.target.calm();
    house.installation.ok(&["backup", "old.backup"]);
    drop(server);
    house.installation.ok(&["restore", "old.backup", "--force"]);

    let (_server, northwind) = house.serve();
    delete(&northwind, "ivy").await;
    house.app_ok(&["restart", "Vault"]);
    let run = house.app(&["run", "Vault"]);

    ended(&run, 1);
    assert!(said(&run).contains("app held"), "{}", said(&run));
    assert_eq!(house.there(), there);
    let held = house.app_ok(&["held", "Vault"]);
    let code = held.trim().rsplit(' ').next().unwrap().to_owned();
    house.app_ok(&["allow", "Vault", &code]);
    house.app_ok(&["run", "Vault"]);
    let now = house.there();
    assert_eq!(
        now["ann"], there["ann"],
        "she was found, and not made twice"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_backup_disables_deletes_and_duplicates_nobody() {
    let house = House::new();
    let (server, northwind) = house.serve();
    for name in ["ann", "bob", "cleo", "dan", "gus", "hal"] {
        northwind.person(name).await;
    }
    house.app_ok(&["start", "Vault"]);
    until("everybody is there", || house.there().len() == 6);
    until("the cycle ended", || house.job()["last"] != Value::Null);

    // the backup, and what happens afterwards
    house.installation.ok(&["backup", "old.backup"]);
    block(&northwind, "bob").await;
    delete(&northwind, "dan").await;
    northwind.person("eve").await;
    until("they follow", || {
        !house.is_in("bob") && !house.is_in("dan") && house.is_in("eve")
    });
    house.remake("cleo");
    let dan = json!({"userName": "dan", "active": true});
    house.target.insert(Kind::User, dan).unwrap();
    drop(server);
    let moved_on = house.there();

    // the old state comes back: the target is left alone, whoever asks
    let restored = house
        .installation
        .run(&["restore", "old.backup", "--force"]);
    ended(&restored, 0);
    for part in ["held: 1 application", "app restart", "token list"] {
        assert!(
            said(&restored).contains(part),
            "{part}: {}",
            said(&restored)
        );
    }
    let asked = house.target.last_request();
    let (server, northwind) = house.serve();
    block(&northwind, "gus").await;
    delete(&northwind, "hal").await;
    let run = house.app(&["run", "Vault"]);
    ended(&run, 1);
    assert!(
        said(&run).contains("restored from a backup of"),
        "{}",
        said(&run)
    );
    assert!(said(&run).contains("app restart"), "{}", said(&run));
    for command in [
        ["provision", "Vault", "user:ann"].as_slice(),
        &["compare", "Vault", "--repair"],
    ] {
        house.app(command);
    }
    // settings are no word for it
    house.app_ok(&["set", "Vault", "--max-deletions", "100"]);
    house.app_ok(&["stop", "Vault"]);
    house.app_ok(&["start", "Vault"]);
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(house.target.writes_since(asked).is_empty());
    let shown = house.app_ok(&["show", "Vault"]);
    assert!(shown.contains("RestoredFromBackup"), "{shown}");
    let doctor = house.installation.run(&["doctor"]);
    let found = ended(&doctor, 1);
    assert!(found.contains("northwind: Vault is held since"), "{found}");
    let plan = house.app(&["plan", "Vault"]);
    let plan = ended(&plan, 1);
    assert!(plan.contains("deletion guard would stop"), "{plan}");
    assert_eq!(house.there(), moved_on);

    // somebody's word: both ends are compared, and who would leave is asked for
    house.app_ok(&["restart", "Vault"]);
    until("the guard stops the cycle", || {
        house.job()["quarantine"]["reason"] == "TooManyDeletes"
    });
    assert!(house.job()["restored"].is_object());
    for (name, (id, active)) in &moved_on {
        let (now, is_in) = &house.there()[name];
        assert_eq!(now, id, "{name} was made anew");
        assert!(is_in >= active, "{name} lost access");
    }
    let held = house.app_ok(&["held", "Vault"]);
    assert!(held.contains("gus") && held.contains("hal"), "{held}");
    let code = held.trim().rsplit(' ').next().unwrap().to_owned();
    house.app_ok(&["allow", "Vault", &code]);
    until(
        "who was allowed to go has gone, and the rest is brought together",
        || house.job()["restored"].is_null(),
    );

    // eve is unknown here, and untouched; when the source has her again, she is found
    assert!(!house.is_in("gus") && !house.is_in("hal"));
    assert!(house.is_in("bob"), "the restored directory lets him in");
    northwind.person("eve").await;
    until("eve is linked", || {
        let why = house.app_ok(&["why", "Vault", "user:eve", "--json"]);
        why.contains(&moved_on["eve"].0)
    });
    let now = house.there();
    for name in ["ann", "bob", "cleo", "dan", "eve"] {
        assert_eq!(now[name].0, moved_on[name].0, "{name} was made twice");
        assert!(now[name].1, "{name} lost access");
    }
    drop(server);
}
