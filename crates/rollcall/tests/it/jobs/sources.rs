//! Every kind of source, through the same story: check, plan, run, run again, a change, a leaver.

use rollcall_model::Kind;
use rollcall_testkit::ldap::{BASE, Directory, PASSWORD, READER};
use rollcall_testkit::{Behaviour, Dialect, Target};
use serde_json::{Value, json};

use super::desk::Desk;
use super::tenant::{Population, SECRET, Tenant};
use crate::support::{Scim, Server};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Where people and groups come from.
enum Origin {
    Csv,
    JsonLines,
    /// Another SCIM server, or an organisation's own.
    Endpoint(Scim),
    /// OpenLDAP.
    Directory(Directory),
    /// Entra ID, by Microsoft Graph.
    Tenant(Tenant),
}

/// What the source says.
#[derive(Clone)]
struct State {
    people: Vec<&'static str>,
    title_of_ann: &'static str,
    bob_is_active: bool,
}

impl State {
    fn first() -> Self {
        Self {
            people: vec!["ann", "bob", "boss"],
            title_of_ann: "Buyer",
            bob_is_active: true,
        }
    }
}

impl State {
    fn is_active(&self, name: &str) -> bool {
        name != "bob" || self.bob_is_active
    }
}

impl Origin {
    /// Lets the source say this, and nothing else.
    async fn says(&self, desk: &Desk, state: &State) {
        match self {
            Self::Csv => csv(desk, state),
            Self::JsonLines => json_lines(desk, state),
            Self::Endpoint(endpoint) => bring(endpoint, state).await,
            Self::Directory(directory) => tree(directory, state).await,
            Self::Tenant(tenant) => tenant.has(members(state)),
        }
    }
}

fn csv(desk: &Desk, state: &State) {
    let row = |name: &&str| {
        let (title, manager) = match *name {
            "ann" => (state.title_of_ann, "boss"),
            _ => ("", ""),
        };
        let is_active = state.is_active(name);
        format!("id-{name},{name},\"The {name}\",{title},{manager},{is_active}\n")
    };
    let rows: Vec<String> = state.people.iter().map(row).collect();
    let header = "objectId,userPrincipalName,displayName,jobTitle,manager,accountEnabled\n";
    desk.write("people.csv", &format!("{header}{}", rows.concat()));
    let members: Vec<&str> = state
        .people
        .iter()
        .copied()
        .filter(|name| *name != "boss")
        .collect();
    let groups = format!("displayName,members\nTeam,{}\n", members.join(";"));
    desk.write("groups.csv", &groups);
}

fn json_lines(desk: &Desk, state: &State) {
    let line = |name: &&str| {
        let person = person(name, state, &format!("id-{name}"), "id-boss");
        format!("{person}\n")
    };
    let lines: Vec<String> = state.people.iter().map(line).collect();
    desk.write("people.jsonl", &lines.concat());
    let members = state.people.iter().filter(|name| **name != "boss");
    let members: Vec<Value> = members
        .map(|name| json!({"value": format!("id-{name}")}))
        .collect();
    let group = json!({"id": "g1", "displayName": "Team", "members": members});
    desk.write("groups.jsonl", &format!("{group}\n"));
}

fn person(name: &str, state: &State, id: &str, boss: &str) -> Value {
    let mut person = json!({"id": id, "userName": name, "displayName": format!("The {name}"), "active": state.is_active(name)});
    if name == "ann" {
        person["title"] = json!(state.title_of_ann);
        person[ENTERPRISE] = json!({"manager": {"value": boss}});
    }
    person
}

/// Makes the people and the group of a tree what they ought to be.
async fn tree(directory: &Directory, state: &State) {
    let dn = |name: &str| format!("uid={name},{BASE}");
    let boss = dn("boss");
    for name in State::first().people {
        let display = format!("The {name}");
        let person: &[(&str, &[&str])] = &[
            ("objectClass", &["inetOrgPerson"]),
            ("uid", &[name]),
            ("cn", &[&display]),
            ("sn", &[name]),
        ];
        if !state.people.contains(&name) {
            directory.remove(&dn(name)).await.unwrap();
            continue;
        }
        // who is there is not added again
        drop(directory.add(&dn(name), person).await);
        if name == "ann" {
            let title = state.title_of_ann;
            for (attribute, value) in [("title", title), ("manager", boss.as_str())] {
                let replaced = directory.replace(&dn(name), attribute, &[value]).await;
                replaced.unwrap();
            }
        }
        let locked: &[&str] = if state.is_active(name) {
            &[]
        } else {
            &["000001010000Z"]
        };
        let lock = "pwdAccountLockedTime";
        directory.replace(&dn(name), lock, locked).await.unwrap();
    }
    let (ann, bob) = (dn("ann"), dn("bob"));
    let team: &[(&str, &[&str])] = &[
        ("objectClass", &["groupOfNames"]),
        ("cn", &["Team"]),
        ("member", &[&ann, &bob]),
    ];
    drop(directory.add(&format!("cn=Team,{BASE}"), team).await);
}

/// Returns who is in a tenant, as Graph shows them.
fn members(state: &State) -> Population {
    let user = |name: &&str| {
        let mut user = json!({
            "id": format!("id-{name}"), "userPrincipalName": name, "displayName": format!("The {name}"),
            "accountEnabled": state.is_active(name),
        });
        if *name == "ann" {
            user["jobTitle"] = json!(state.title_of_ann);
            user["manager"] = json!({"id": "id-boss"});
        }
        user
    };
    let team = state.people.iter().filter(|name| **name != "boss");
    Population {
        users: state.people.iter().map(user).collect(),
        groups: vec![json!({"id": "g1", "displayName": "Team", "securityEnabled": true})],
        members: team.map(|name| format!("id-{name}")).collect(),
    }
}

/// Creates who is missing at an endpoint, changes who is there, and deletes who is not wanted.
async fn bring(endpoint: &Scim, state: &State) {
    let mut there = Vec::new();
    for name in State::first().people {
        let path = format!("/Users?filter=userName eq \"{name}\"");
        let found = endpoint.get(&path).await.is(200).body;
        if let Some(found) = found["Resources"].get(0) {
            there.push((name, text(&found["id"])));
        }
    }
    if there.is_empty() {
        let boss = endpoint
            .post("/Users", person("boss", state, "", ""))
            .await
            .is(201)
            .id();
        let mut members = Vec::new();
        for name in state.people.iter().filter(|name| **name != "boss") {
            let made = endpoint
                .post("/Users", person(name, state, "", &boss))
                .await;
            members.push(made.is(201).id());
        }
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        endpoint.group("Team", &members).await;
        return;
    }
    for (name, id) in there {
        let path = format!("/Users/{id}");
        if !state.people.contains(&name) {
            endpoint.send("DELETE", &path, None).await.is(204);
        } else if name == "ann" {
            let title = json!([{"op": "replace", "path": "title", "value": state.title_of_ann}]);
            assert!(endpoint.patch(&path, title).await.status < 300);
        } else if name == "bob" {
            let active = json!([{"op": "replace", "path": "active", "value": state.bob_is_active}]);
            assert!(endpoint.patch(&path, active).await.status < 300);
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Goes through the story. `counted` is what `job check` says of the source.
async fn story(desk: &Desk, origin: &Origin, counted: &str) {
    let mut state = State::first();
    origin.says(desk, &state).await;

    let checked = desk.refuses(&["check"], 0, &["the target answers", counted]);
    assert!(!checked.contains("error"), "{checked}");
    let (planned, _) = desk.ends(&["plan"], 0);
    assert!(planned.contains("create   3 people, 1 group"), "{planned}");
    assert_eq!(
        desk.target.resources(Kind::User).len(),
        0,
        "a plan writes nothing"
    );
    let ran = desk.ok(&["run"]);
    assert!(
        ran.contains("3 people created, 1 group created, 1 manager set, 2 memberships added"),
        "{ran}"
    );
    let (ann, boss) = (desk.person("ann"), desk.person("boss"));
    assert_eq!(ann["title"], "Buyer");
    assert_eq!(ann["displayName"], "The ann");
    assert_eq!(ann[ENTERPRISE]["manager"]["value"], boss["id"]);
    assert_eq!(desk.members("Team"), ["ann", "bob"]);

    assert_eq!(
        desk.sends(&["run"]),
        [""; 0],
        "the second run has nothing to do"
    );

    state.title_of_ann = "Seller";
    origin.says(desk, &state).await;
    let sent = desk.sends(&["run"]);
    assert_eq!(sent.len(), 1, "{sent:#?}");
    assert!(
        sent[0].starts_with(&format!("PATCH /Users/{}", text(&ann["id"])))
            && sent[0].contains(r#"[{"op":"replace","path":"title","value":"Seller"}]"#),
        "{sent:#?}"
    );

    // who is blocked is switched off and leaves the group
    let bob = text(&desk.person("bob")["id"]);
    state.bob_is_active = false;
    origin.says(desk, &state).await;
    let sent = desk.sends(&["run"]);
    assert_eq!(sent.len(), 2, "{sent:#?}");
    assert!(
        sent[0].starts_with(&format!("PATCH /Users/{bob}"))
            && sent[0].contains(r#"[{"op":"replace","path":"active","value":false}]"#)
            && sent[1].starts_with("PATCH /Groups/")
            && sent[1].contains(r#""op":"remove""#),
        "{sent:#?}"
    );
    assert_eq!(desk.active(), ["ann", "boss"]);
    state.people.retain(|name| *name != "bob");
    origin.says(desk, &state).await;
    // who is deleted in an own directory is deleted; why a foreign source does not have him any more, nobody knows
    let is_own = desk.read("people.toml").contains("kind = \"directory\"");
    let deletion = is_own.then(|| format!("DELETE /Users/{bob}"));
    assert_eq!(desk.sends(&["run"]), Vec::from_iter(deletion));
    assert_eq!(desk.members("Team"), ["ann"]);
    assert_eq!(desk.sends(&["run"]), [""; 0]);
    let compared = desk.ok(&["compare"]);
    assert!(
        compared.contains("both ends agree object by object: 2 people, 1 group"),
        "{compared}"
    );
}

const COUNTED: &str = "the source has 3 people and 1 groups";

#[tokio::test]
async fn csv_files_are_provisioned_and_followed() {
    let desk = Desk::new();
    desk.job(
        "kind = \"csv\"\nusers = \"people.csv\"\ngroups = \"groups.csv\"",
        "",
    );

    story(&desk, &Origin::Csv, COUNTED).await;
}

#[tokio::test]
async fn json_lines_are_provisioned_and_followed() {
    let desk = Desk::new();
    desk.job(
        "kind = \"jsonl\"\nusers = \"people.jsonl\"\ngroups = \"groups.jsonl\"",
        "",
    );

    story(&desk, &Origin::JsonLines, COUNTED).await;
}

#[tokio::test]
async fn a_directory_that_speaks_ldap_is_provisioned_and_followed() {
    let desk = Desk::new();
    let folder = desk.path("ldap");
    let directory = Directory::start(&folder, None).await.unwrap();
    desk.write("ldap-password", PASSWORD);
    let section = format!(
        "kind = \"ldap\"\nurl = \"{}\"\nbase = \"{BASE}\"\nbind = \"{READER}\"\npassword = {{ file = \"ldap-password\" }}",
        directory.url()
    );
    desk.job(&section, "");

    let origin = Origin::Directory(directory);
    story(&desk, &origin, COUNTED).await;

    desk.job(&section.replace("cn=reader", "cn=nobody"), "");
    desk.refuses(&["run"], 2, &["does not take the name and password"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_of_entra_id_is_provisioned_and_followed() {
    let desk = Desk::new();
    let tenant = Tenant::start().await;
    desk.write("graph-secret", SECRET);
    desk.job(&tenant.section(), "");

    let origin = Origin::Tenant(tenant);
    story(&desk, &origin, COUNTED).await;

    desk.write("graph-secret", "another");
    desk.refuses(&["run"], 2, &["AADSTS7000215", "client secret"]);
}

#[tokio::test]
async fn an_organisation_of_the_store_is_provisioned_and_followed() {
    let desk = Desk::new();
    let (server, northwind) = northwind(&desk);
    desk.job("kind = \"directory\"\norg = \"northwind\"", "");

    story(&desk, &Origin::Endpoint(northwind), "can be read").await;
    drop(server);
}

/// Makes an organisation in the desk's store, with a server for it.
pub(crate) fn northwind(desk: &Desk) -> (Server, Scim) {
    let installation = &desk.installation;
    installation.ok(&["org", "create", "northwind", "--name", "Northwind"]);
    let token = installation.ok(&["token", "create", "--org", "northwind"]);
    let server = installation.serve(&[("ROLLCALL_RATE", "1000000")]);
    let northwind = server.scim("northwind", &token);
    (server, northwind)
}

/// Starts another SCIM server as a source, which shows two on a page.
pub(crate) fn endpoint(desk: &Desk, cursors: bool) -> (Target, Scim) {
    let dialect = Dialect {
        page_size: 2,
        cursors,
        ..Dialect::default()
    };
    let source = Target::start(Behaviour::default().with_dialect(dialect));
    std::fs::write(desk.path("source-token"), source.token()).unwrap();
    let scim = Scim::of(source.url(), &source.token());
    (source, scim)
}

/// Returns the section of a SCIM source.
pub(crate) fn from(source: &Target) -> String {
    format!(
        "kind = \"scim\"\nurl = \"{}\"\ntoken = {{ file = \"source-token\" }}",
        source.url()
    )
}

#[tokio::test]
async fn a_scim_server_is_provisioned_and_followed_page_by_page_and_by_cursor() {
    for cursors in [false, true] {
        let desk = Desk::new();
        let (source, scim) = endpoint(&desk, cursors);
        desk.job(&from(&source), "");

        story(&desk, &Origin::Endpoint(scim), COUNTED).await;

        let is_paged =
            |path: &str| path.contains(if cursors { "?cursor=" } else { "startIndex=3" });
        let requests = source.requests();
        assert!(
            requests
                .iter()
                .any(|request| is_paged(&request.path_and_query))
        );
    }
}
