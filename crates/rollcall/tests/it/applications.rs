//! Applications by commands only: their whole life, what is refused, what programs read.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::support::{Installation, Scim, Server};

/// Both ends of one installation. Everything but the directories themselves is done by commands.
struct House {
    installation: Installation,
    server: Server,
    northwind: Scim,
    vault: Scim,
    token: String,
}

impl House {
    /// Makes both organisations, and Northwind's people: ann, bob and cleo, who are the team.
    async fn new() -> Self {
        let (installation, token) = Installation::with("vault");
        installation.ok(&["org", "create", "northwind", "--name", "Northwind"]);
        let own = installation.ok(&["token", "create", "--org", "northwind"]);
        let server = installation.serve(&[("ROLLCALL_RATE", "1000000")]);
        let northwind = server.scim("northwind", &own);
        let vault = server.scim("vault", &token);
        let mut members = Vec::new();
        for name in ["ann", "bob", "cleo"] {
            members.push(northwind.person(name).await);
        }
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        northwind.group("Team", &members).await;
        std::fs::write(installation.folder.path().join("token"), &token).unwrap();
        Self {
            installation,
            server,
            northwind,
            vault,
            token,
        }
    }

    /// Makes both organisations with an application that is connected, and has the team assigned.
    async fn connected() -> Self {
        let house = Self::new().await;
        house.ok(&["create", "Vault"]);
        let url = house.vault.base.clone();
        house.ok(&["connect", "Vault", "--url", &url, "--token-file", "token"]);
        house.ok(&["assign", "Vault", "group:Team"]);
        house
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let all = [&["app"], arguments, &["--org", "northwind"]].concat();
        let mut command = self.installation.command(&all);
        command.env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true");
        command
    }

    /// Runs `rollcall app …` in Northwind, however it ends.
    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs it and makes sure of its exit code; returns what it prints and what it says.
    #[track_caller]
    fn ends(&self, arguments: &[&str], code: i32) -> (String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.run(arguments);
        let (printed, said) = (text(stdout), text(stderr));
        assert_eq!(
            status.code(),
            Some(code),
            "{arguments:?}: {printed}\n{said}"
        );
        (printed, said)
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        self.ends(arguments, 0).0
    }

    /// Runs it with `--json` and makes sure of its exit code.
    #[track_caller]
    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let (printed, said) = self.ends(&[arguments, &["--json"]].concat(), code);
        serde_json::from_str(&printed)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {printed}\n{said}"))
    }

    /// Makes sure that wrong input is told and prints no data.
    #[track_caller]
    fn refuses(&self, arguments: &[&str], said: &str) {
        let (printed, told) = self.ends(arguments, 2);
        assert!(told.contains(said), "{arguments:?}: {told}");
        assert_eq!(printed, "", "{arguments:?} prints data and fails");
    }

    /// Runs it with something on standard input.
    fn fed(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        // who refuses the call reads nothing
        drop(pipe.write_all(input.as_bytes()));
        drop(pipe);
        child.wait_with_output().unwrap()
    }

    async fn change(&self, end: &Scim, name: &str, path: &str, value: Value) {
        let found = end
            .get(&format!("/Users?filter=userName eq \"{name}\""))
            .await
            .is(200);
        let id = found.body["Resources"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let operations = json!([{"op": "replace", "path": path, "value": value}]);
        let changed = end.patch(&format!("/Users/{id}"), operations).await;
        assert!(changed.status < 300, "{}", changed.body);
    }

    async fn there(&self, name: &str) -> Value {
        let path = format!("/Users?filter=userName eq \"{name}\"");
        self.vault.get(&path).await.is(200).body["Resources"][0].clone()
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_lives_by_commands_alone() {
    let house = House::new().await;
    let id = house.ok(&["create", "Vault"]);
    assert_eq!(id.len(), 36, "the id is alone on standard output: {id}");
    let url = house.vault.base.clone();
    let tested = house.ok(&["connect", "Vault", "--url", &url, "--token-file", "token"]);
    assert!(tested.contains("latency"), "{tested}");
    assert!(tested.contains("updates"), "{tested}");
    house.ok(&["assign", "Vault", "group:Team", "user:ann"]);
    let assigned = house.ok(&["assignments", &id]);
    assert!(
        assigned.contains("Team") && assigned.contains("ann"),
        "{assigned}"
    );

    let (planned, said) = house.ends(&["plan", "Vault", "--out", "plan.json"], 0);
    assert!(planned.contains("create   3 people, 1 group"), "{planned}");
    assert!(said.contains("app run --plan plan.json"), "{said}");
    assert_eq!(house.there("ann").await, Value::Null, "nothing was written");
    let ran = house.ok(&["run", "Vault", "--plan", "plan.json"]);
    assert!(
        ran.contains("3 people created, 1 group created, 3 memberships added"),
        "{ran}"
    );
    assert_eq!(house.there("ann").await["active"], true);

    house
        .change(&house.northwind, "ann", "title", json!("Buyer"))
        .await;
    let (printed, refused) = house.ends(&["run", "Vault", "--plan", "plan.json"], 1);
    assert_eq!(printed, "");
    assert!(
        refused.contains("does not hold any more; nothing was sent")
            && refused.contains("the source changed")
            && refused.contains("hint: make a new plan"),
        "{refused}"
    );
    assert!(house.there("ann").await["title"].is_null());

    let why = house.ok(&["why", "Vault", "user:ann"]);
    for part in [
        "has it, enabled",
        "assignment  directly",
        "mapping     userName = \"ann\"",
        "its counterpart is in use",
        "update: title – → Buyer",
        "PATCH /Users/",
        "create success",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let provisioned = house.ok(&["provision", "Vault", "user:ann"]);
    for part in ["ann: update", "1 import", "2 scope", "3 match", "4 action"] {
        assert!(provisioned.contains(part), "{part}: {provisioned}");
    }
    assert_eq!(house.there("ann").await["title"], "Buyer");

    let log = house.ok(&["log", "Vault", "--of", "user:ann"]);
    assert!(log.contains("title – → Buyer"), "{log}");
    assert_eq!(house.ok(&["log", "Vault", "--failed"]), "");

    house.ok(&["unassign", "Vault", "user:ann"]);
    house.ok(&["start", "Vault"]);
    let listed = house.json(&["list"], 0);
    assert_eq!(listed[0]["application"]["status"], "on");
    house.ok(&["stop", "Vault"]);
    let (_, said) = house.ends(&["remove", "Vault"], 2);
    assert!(said.contains("--yes"), "{said}");
    house.ok(&["remove", "Vault", "--yes"]);
    house.ends(&["show", "Vault"], 2);
    assert_eq!(
        house.there("ann").await["active"],
        true,
        "who was provisioned stays"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guard_holds_until_exactly_its_list_is_allowed() {
    let house = House::connected().await;
    house.ok(&["set", "Vault", "--max-deletions", "1"]);
    house.ok(&["run", "Vault"]);
    let (_, said) = house.ends(&["held", "Vault"], 0);
    assert!(said.contains("nobody"), "{said}");
    for name in ["ann", "bob"] {
        house
            .change(&house.northwind, name, "active", json!(false))
            .await;
    }

    let (planned, _) = house.ends(&["plan", "Vault"], 1);
    assert!(planned.contains("deletion guard would stop"), "{planned}");
    let (_, stopped) = house.ends(&["run", "Vault"], 1);
    assert!(stopped.contains("rollcall app allow"), "{stopped}");
    assert_eq!(house.there("ann").await["active"], true);
    let shown = house.ok(&["show", "Vault"]);
    for part in [
        "TooManyDeletes",
        "tried again at",
        "2 by the deletion guard",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    let (_, wrong) = house.ends(&["allow", "Vault", "0000"], 1);
    assert!(wrong.contains("`rollcall app held`"), "{wrong}");
    let held = house.ok(&["held", "Vault"]);
    assert!(held.contains("ann") && held.contains("bob"), "{held}");
    let code = held.rsplit(' ').next().unwrap().to_owned();
    house.ok(&["allow", "Vault", &code]);
    let ran = house.ok(&["run", "Vault"]);
    assert!(ran.contains("2 people disabled"), "{ran}");
    assert_eq!(house.there("ann").await["active"], false);
    assert!(!house.ok(&["show", "Vault"]).contains("quarantine"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_changed_in_the_target_is_found_and_repaired() {
    let house = House::connected().await;
    house.ok(&["run", "Vault"]);
    let agreed = house.ok(&["compare", "Vault"]);
    assert!(
        agreed.contains("both ends agree object by object: 3 people, 1 groups, 3 memberships"),
        "{agreed}"
    );
    house
        .change(&house.vault, "bob", "displayName", json!("Somebody else"))
        .await;
    house
        .change(&house.northwind, "bob", "displayName", json!("Bob"))
        .await;
    house.ok(&["run", "Vault"]);
    house
        .change(&house.vault, "bob", "displayName", json!("Somebody else"))
        .await;

    let (differing, _) = house.ends(&["compare", "Vault"], 1);
    assert!(
        differing.contains("differ in 1 places")
            && differing.contains("`bob`: displayName is `Somebody else`, should be `Bob`"),
        "{differing}"
    );
    assert!(house.ok(&["show", "Vault"]).contains("1 differed: `bob`"));
    let repaired = house.ok(&["compare", "Vault", "--repair"]);

    assert!(repaired.contains("both ends agree"), "{repaired}");
    assert_eq!(house.there("bob").await["displayName"], "Bob");
    // a restart looks at everybody again
    house.ok(&["restart", "Vault"]);
    let ran = house.ok(&["run", "Vault"]);
    assert!(ran.contains("initial cycle"), "{ran}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_for_its_owners_eyes_and_an_altered_one_is_refused() {
    let house = House::connected().await;
    house.ok(&["plan", "Vault", "--out", "plan.json"]);
    let path = house.installation.folder.path().join("plan.json");
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "people's data is in it");
    }

    let (_, said) = house.ends(&["plan", "Vault", "--out", "no/such/folder/plan.json"], 2);
    assert!(said.contains("cannot be written"), "{said}");

    let altered = std::fs::read_to_string(&path)
        .unwrap()
        .replace("cleo", "cleopatra");
    std::fs::write(&path, altered).unwrap();

    let (_, said) = house.ends(&["run", "Vault", "--plan", "plan.json"], 2);
    assert!(said.contains("altered"), "{said}");
    assert_eq!(house.there("cleo").await, Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_deleted_is_found_by_name_as_long_as_the_application_remembers() {
    let house = House::connected().await;
    house.ok(&["run", "Vault"]);
    let found = house
        .northwind
        .get("/Users?filter=userName eq \"bob\"")
        .await;
    let id = found.body["Resources"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    house
        .northwind
        .send("DELETE", &format!("/Users/{id}"), None)
        .await
        .is(204);

    for name in ["user:bob", &format!("user:{id}")] {
        let why = house.ok(&["why", "Vault", name]);
        assert!(why.contains("does not have it any more"), "{why}");
        assert!(why.contains("delete"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_that_fail_are_told_with_their_cause_and_exit_code_1() {
    let house = House::connected().await;
    house.ok(&[
        "mapping",
        "set",
        "Vault",
        "active",
        "--expression",
        "ToLower(\"PERHAPS\")",
    ]);

    let (ran, said) = house.ends(&["run", "Vault"], 1);

    assert!(ran.contains("1 group created, 3 failed"), "{ran}");
    assert!(
        said.contains("3 objects failed") && said.contains("app log --failed"),
        "{said}"
    );
    let log = house.ok(&["log", "Vault", "--failed", "--count", "2"]);
    assert_eq!(log.lines().count(), 3, "a header and two entries: {log}");
    let failed = house.json(&["log", "Vault", "--failed", "--of", "user:ann"], 0);
    assert_eq!(failed[0]["status"], "failure");
    let shown = house.ok(&["show", "Vault"]);
    assert!(shown.contains("failing      3"), "{shown}");
    assert!(
        shown.contains("user ann: SchemaPropertyCanOnlyAcceptValue, 1 time since"),
        "{shown}"
    );
    house.ends(&["provision", "Vault", "user:ann"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_changed_one_by_one() {
    let house = House::new().await;
    house.ok(&["create", "Vault"]);
    house.ok(&[
        "set",
        "Vault",
        "--scope",
        "all",
        "--nested",
        "flatten",
        "--leaving",
        "delete",
        "--max-deletions",
        "7",
        "--max-deletions-percent",
        "20",
        "--drift-every",
        "24h",
        "--drift-repair",
        "yes",
        "--notify",
        "ann@example.com",
        "--groups",
        "off",
        "--delete",
        "no",
        "--kind",
        "group",
    ]);
    let set = house.json(&["show", "Vault"], 0)["application"].clone();
    assert_eq!(set["scope"], "all");
    assert_eq!(
        set["settings"],
        json!({
            "maxDeletions": 7, "maxDeletionsPercent": 20, "leaving": "delete", "nestedGroups": "flatten",
            "drift": {"everyHours": 24, "repair": true},
        })
    );
    assert_eq!(set["notification_email"], "ann@example.com");
    assert_eq!(set["groups"]["enabled"], false);
    assert_eq!(set["groups"]["actions"]["delete"], false);
    assert_eq!(set["users"]["actions"]["delete"], true);
    house.ok(&[
        "set",
        "Vault",
        "--max-deletions",
        "default",
        "--drift-every",
        "never",
        "--notify",
        "nobody",
    ]);
    let set = house.json(&["show", "Vault"], 0)["application"].clone();
    assert_eq!(set["settings"]["maxDeletions"], Value::Null);
    assert_eq!(
        set["settings"]["maxDeletionsPercent"], 20,
        "not named: stays"
    );
    assert_eq!(set["settings"]["drift"], Value::Null);
    assert_eq!(set["notification_email"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mappings_attributes_and_filters_are_changed_one_by_one() {
    let house = House::new().await;
    house.ok(&["create", "Vault"]);
    house.ok(&["set", "Vault", "--scope", "all", "--groups", "off"]);

    // what is not named stays: the mapping still matches
    let mapping = house.json(
        &[
            "mapping",
            "set",
            "Vault",
            "userName",
            "--expression",
            "ToLower([userPrincipalName], )",
        ],
        0,
    );
    assert_eq!(mapping["matching"], 1);
    house.ok(&[
        "mapping",
        "set",
        "Vault",
        "title",
        "--none",
        "--default",
        "Colleague",
        "--apply",
        "on-create",
        "--nulls",
        "clear",
    ]);
    let listed = house.ok(&["mapping", "list", "Vault", "--kind", "user"]);
    assert!(
        listed.contains("= ToLower([userPrincipalName], )")
            && listed.contains("default \"Colleague\", on creation only, a null clears"),
        "{listed}"
    );
    house.ok(&["mapping", "remove", "Vault", "title"]);
    assert!(
        !house
            .ok(&["mapping", "list", "Vault"])
            .contains("Colleague")
    );

    house.ok(&[
        "attribute",
        "set",
        "Vault",
        "costs",
        "--type",
        "integer",
        "--required",
        "yes",
        "--references",
        "User, Group",
    ]);
    let listed = house.ok(&["attribute", "list", "Vault", "--kind", "user"]);
    let line = listed.lines().find(|line| line.contains("costs")).unwrap();
    assert!(
        line.contains("Integer") && line.contains("required, of User or Group"),
        "{line}"
    );
    house.ok(&["attribute", "remove", "Vault", "costs"]);

    house.ok(&[
        "filter",
        "add",
        "Vault",
        "--filter",
        "Sales",
        "--clause",
        "department EQUALS Sales",
        "--clause",
        "country is not null",
    ]);
    let listed = house.ok(&["filter", "list", "Vault"]);
    assert!(
        listed.contains("department EQUALS Sales and country IS NOT NULL"),
        "{listed}"
    );
    house.ok(&["filter", "remove", "Vault", "--filter", "sales"]);
    assert_eq!(house.json(&["filter", "list", "Vault"], 0), json!([]));

    house.ok(&["mapping", "reset", "Vault"]);
    let set = house.json(&["show", "Vault"], 0)["application"].clone();
    assert_eq!(set["groups"]["enabled"], true);
    assert_eq!(set["scope"], "all", "a reset is about mappings");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_input_is_told_and_changes_nothing() {
    let house = House::connected().await;
    let before = house.json(&["show", "Vault"], 0);
    let url = house.vault.base.clone();
    for (arguments, said) in [
        (&["create", "vault"][..], "is taken"),
        (&["create", ""], "a value is required"),
        (&["show", "Nothing"], "`rollcall app list`"),
        (&["connect", "Vault", "--url", &url], "--token-stdin"),
        (
            &[
                "connect",
                "Vault",
                "--url",
                "vault",
                "--token-file",
                "token",
            ],
            "is not a URL",
        ),
        (
            &["connect", "Vault", "--url", &url, "--token-file", "nowhere"],
            "the token file `nowhere`",
        ),
        (
            &["connect", "Vault", "--url", &url, "--token-env", "NO_SUCH"],
            "`NO_SUCH` is not set",
        ),
        (
            &["connect", "Vault", "--url", &url, "--token-stdin"],
            "the token is empty",
        ),
        (&["set", "Vault"], "required"),
        (&["set", "Vault", "--scope", "some"], "all, assigned"),
        (
            &["set", "Vault", "--kind", "user", "--scope", "all"],
            "--kind says nothing",
        ),
        (&["set", "Vault", "--max-deletions", "few"], "or `default`"),
        (&["set", "Vault", "--drift-every", "90m"], "whole hours"),
        (
            &["set", "Vault", "--drift-repair", "yes"],
            "--drift-every 24h",
        ),
        (&["set", "Vault", "--notify", "ann"], "`nobody`"),
        (&["assign", "Vault", "ann"], "user:adele@example.com"),
        (
            &["unassign", "Vault", "user:ann"],
            "`user:ann` is not assigned",
        ),
        (
            &["why", "Vault", "group:ann"],
            "no `group:ann` in the directory",
        ),
        (&["provision", "Vault", "user:zoe"], "no `user:zoe`"),
        (&["log", "Vault", "--of", "user:zoe"], "no `user:zoe`"),
        (&["log", "Vault", "--count", "0"], "--count"),
    ] {
        house.refuses(arguments, said);
    }
    let (_, told) = house.ends(
        &["assign", "Vault", "user:ann", "user:zoe", "group:Crew"],
        2,
    );
    for name in ["`user:zoe`", "`group:Crew`"] {
        assert!(told.contains(name), "all at once: {told}");
    }
    let (_, told) = house.ends(&["unassign", "Vault", "group:Team", "user:ann"], 2);
    assert!(told.contains("user:ann"), "{told}");
    assert_eq!(house.json(&["show", "Vault"], 0), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_mappings_and_filters_are_told_and_change_nothing() {
    let house = House::connected().await;
    let before = house.json(&["show", "Vault"], 0);
    for (arguments, said) in [
        (&["mapping", "set", "Vault", "title"][..], "--direct"),
        (
            &[
                "mapping",
                "set",
                "Vault",
                "title",
                "--expression",
                "Jion([a])",
            ],
            "title: ",
        ),
        (
            &[
                "mapping",
                "set",
                "Vault",
                "a[b ne \"c\"].d",
                "--direct",
                "mail",
            ],
            "a mistake in the configuration; nothing was changed",
        ),
        (
            &[
                "mapping",
                "set",
                "Vault",
                "userName",
                "--direct",
                "mail",
                "--matching",
                "none",
            ],
            "matching attribute",
        ),
        (
            &["mapping", "remove", "Vault", "userName"],
            "matching attribute",
        ),
        (
            &["mapping", "remove", "Vault", "shoeSize"],
            "no mapping `shoeSize`",
        ),
        (
            &["attribute", "remove", "Vault", "shoeSize"],
            "no attribute `shoeSize`",
        ),
        (
            &["attribute", "set", "Vault", "x", "--type", "shoe"],
            "date-time",
        ),
        (
            &[
                "filter",
                "add",
                "Vault",
                "--filter",
                "f",
                "--clause",
                "department LIKE Sales",
            ],
            "use one of EQUALS, NOT EQUALS",
        ),
        (
            &[
                "filter",
                "add",
                "Vault",
                "--filter",
                "f",
                "--clause",
                "city REGEX MATCH (",
            ],
            "the pattern `(`",
        ),
        (
            &["filter", "remove", "Vault", "--filter", "f"],
            "no scoping filter `f`",
        ),
        (
            &["run", "Vault", "--plan", "nowhere.json"],
            "`rollcall app plan --out FILE`",
        ),
        (
            &["restart", "Vault", "--reset", "Everything"],
            "ConnectorDataStore",
        ),
    ] {
        house.refuses(arguments, said);
    }
    assert_eq!(house.json(&["show", "Vault"], 0), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_comes_by_every_way_but_as_an_argument() {
    let house = House::new().await;
    house.ok(&["create", "Vault"]);
    let url = house.vault.base.clone();
    house.ends(&["start", "Vault"], 2);
    let (_, said) = house.ends(&["test", "Vault"], 2);
    assert!(
        said.contains("no Tenant URL and Secret Token yet"),
        "{said}"
    );

    let connect = ["connect", "Vault", "--url", &url, "--token-stdin"];
    let fed = house.fed(&connect, &format!("  {}\n", house.token));
    assert!(fed.status.success(), "{fed:?}");
    let by_variable = house
        .command(&[
            "connect",
            "Vault",
            "--url",
            &url,
            "--token-env",
            "THE_TOKEN",
        ])
        .env("THE_TOKEN", &house.token)
        .output()
        .unwrap();
    assert!(by_variable.status.success(), "{by_variable:?}");
    let two_words = house.fed(&connect, "one two");
    assert_eq!(two_words.status.code(), Some(2));

    // another token than the target's is wrong input, and is stored
    let refused = house.fed(&connect, "another");
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(refused.stderr).contains("401"));
    house.fed(
        &[
            "connect",
            "Vault",
            "--url",
            &url,
            "--token-stdin",
            "--no-test",
        ],
        &house.token,
    );
    let printed = [
        house.ok(&["show", "Vault"]),
        house.ok(&["show", "Vault", "--json"]),
    ]
    .concat();
    assert!(!printed.contains(&house.token), "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_out_of_reach_is_exit_code_3() {
    let mut house = House::connected().await;
    house.server.process.kill().unwrap();
    house.server.process.wait().unwrap();

    for arguments in [
        &["test", "Vault"][..],
        &["plan", "Vault"],
        &["run", "Vault"],
        &["provision", "Vault", "user:ann"],
        &["compare", "Vault"],
    ] {
        let (_, said) = house.ends(arguments, 3);
        assert!(said.contains("error:"), "{arguments:?}: {said}");
        assert!(said.contains("hint:"), "{arguments:?}: {said}");
    }
    let (why, _) = house.ends(&["why", "Vault", "user:ann"], 3);
    assert!(
        why.contains("by `Team`") && why.contains("unknown: "),
        "what is known without the target is told: {why}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_cycle_runs_at_a_time() {
    let house = House::connected().await;
    let id = house.json(&["show", "Vault"], 0)["application"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let app = crate::ends::app(house.installation.folder.path()).await;
    let northwind = app.organisation(&"northwind".parse().unwrap()).await;
    let tenant = app.store().tenant(northwind.unwrap().id);
    let _somebody_else = tenant.claim_job(id.parse().unwrap()).await.unwrap();

    let (_, said) = house.ends(&["run", "Vault"], 3);

    assert!(said.contains("running already"), "{said}");
    assert!(said.contains("hint: `rollcall serve`"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_an_application_prints_json_when_it_is_asked_for() {
    let house = House::new().await;
    let url = house.vault.base.clone();
    house.json(&["create", "Vault"], 0);
    for arguments in [
        &["connect", "Vault", "--url", &url, "--token-file", "token"][..],
        &[
            "connect",
            "Vault",
            "--url",
            &url,
            "--token-file",
            "token",
            "--no-test",
        ],
        &["test", "Vault"],
        &["set", "Vault", "--max-deletions", "5"],
        &["assign", "Vault", "group:Team", "user:ann"],
        &["assignments", "Vault"],
        &["unassign", "Vault", "user:ann"],
        &["mapping", "list", "Vault"],
        &["mapping", "set", "Vault", "nickName", "--direct", "mail"],
        &["mapping", "remove", "Vault", "nickName"],
        &["mapping", "reset", "Vault"],
        &["attribute", "list", "Vault"],
        &["attribute", "set", "Vault", "x", "--exact-case", "yes"],
        &["attribute", "remove", "Vault", "x"],
        &[
            "filter",
            "add",
            "Vault",
            "--filter",
            "f",
            "--clause",
            "userType IS NULL",
        ],
        &["filter", "list", "Vault"],
        &["filter", "remove", "Vault", "--filter", "f"],
        &["plan", "Vault"],
        &["plan", "Vault", "--out", "plan.json"],
        &["run", "Vault", "--plan", "plan.json"],
        &["run", "Vault"],
        &["provision", "Vault", "group:Team"],
        &["why", "Vault", "user:ann"],
        &["held", "Vault"],
        &["compare", "Vault"],
        &["compare", "Vault", "--repair"],
        &["log", "Vault"],
        &["restart", "Vault"],
        &["start", "Vault"],
        &["stop", "Vault"],
        &["show", "Vault"],
        &["list"],
        &["remove", "Vault", "--yes"],
    ] {
        house.json(arguments, 0);
    }
}
