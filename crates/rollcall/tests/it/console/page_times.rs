//! How long the pages take where there is much: `cargo xtask bench pages`. Two organisations on one server, the second provisioned from the
//! first over HTTP; every page of the route table is asked for, and what costs more than other things: short searches, filters without a
//! match, the group of everybody.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use rollcall_console::route_table;
use rollcall_web::table::{Needs, Policy};
use serde_json::{Value, json};

use super::guest::{Guest, PASSWORD, administrator};
use crate::support::{Installation, Scim, Server};

/// How many people there are; the benchmark asks for 100 000.
const PEOPLE: &str = "ROLLCALL_BENCH_PEOPLE";
/// What a page may cost, with the request's way over the loopback.
const LIMIT: Duration = Duration::from_millis(100);
/// How often each page is asked for; the median counts.
const TURNS: usize = 7;
/// Files: they are streamed, and as long as the organisation.
const FILES: &[&str] = &["/export", "/download", ".csv"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a benchmark: cargo xtask bench pages"]
async fn every_page_is_fast() {
    let people: usize = std::env::var(PEOPLE).map_or(2_000, |text| text.parse().unwrap());
    let house = House::new(people).await;
    let mut times = Vec::new();
    for owner in ["northwind", "vault"] {
        let mut guest = Guest::new(&house.server);
        let email = format!("owner@{owner}.example");
        guest.sign_in(&email, PASSWORD).await.is(303);
        for path in house.addresses(owner).await {
            times.push(timed(&mut guest, owner, &path).await);
        }
    }
    times.sort_by_key(|time| std::cmp::Reverse(time.median));
    let mut table =
        format!("\n{people} people on each side; milliseconds, median and worst of {TURNS}:\n");
    for Time {
        organisation,
        path,
        median,
        worst,
        kib,
    } in &times
    {
        let (median, worst) = (median.as_secs_f64() * 1e3, worst.as_secs_f64() * 1e3);
        writeln!(
            table,
            "{median:8.1} {worst:8.1} {kib:6} KiB  {organisation} {path}"
        )
        .unwrap();
    }
    println!("{table}");
    let slow = times.iter().filter(|time| time.median > LIMIT).count();
    assert_eq!(slow, 0, "{slow} pages take longer than {LIMIT:?}");
}

struct Time {
    organisation: &'static str,
    path: String,
    median: Duration,
    worst: Duration,
    kib: usize,
}

async fn timed(guest: &mut Guest, organisation: &'static str, path: &str) -> Time {
    let mut turns = Vec::new();
    let mut kib = 0;
    for _ in 0..TURNS {
        let begun = Instant::now();
        let page = guest.get(path).await;
        turns.push(begun.elapsed());
        // a page about something that nobody named is one that says so
        assert!(page.status < 500, "{path}: {}", page.status);
        kib = page.body.len() / 1024;
    }
    turns.sort();
    Time {
        organisation,
        path: path.to_owned(),
        median: turns[TURNS / 2],
        worst: turns[TURNS - 1],
        kib,
    }
}

/// Two organisations that are provisioned.
struct House {
    // dropped before the folder it writes to
    server: Server,
    northwind: Scim,
    vault: Scim,
    application: String,
    installation: Installation,
}

impl House {
    async fn new(people: usize) -> Self {
        let (installation, vault) = Installation::with("vault");
        installation.ok(&["org", "create", "northwind", "--name", "Northwind"]);
        let northwind = installation.ok(&["token", "create", "--org", "northwind"]);
        administrator(&installation, "vault", "owner@vault.example");
        administrator(&installation, "northwind", "owner@northwind.example");
        let folder = installation.folder.path();
        std::fs::write(folder.join("users.jsonl"), users(people)).unwrap();
        std::fs::write(folder.join("groups.jsonl"), groups(people)).unwrap();
        std::fs::write(folder.join("token"), &vault).unwrap();
        let files = ["--users", "users.jsonl", "--groups", "groups.jsonl"];
        installation.ok(&[&["import", "--org", "northwind"], &files[..]].concat());
        let server = installation.serve(&[
            ("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true"),
            ("ROLLCALL_RATE", "1000000"),
            ("ROLLCALL_LOG", "warn"),
        ]);
        let (northwind, vault) = (
            server.scim("northwind", &northwind),
            server.scim("vault", &vault),
        );
        let made = app(&installation, &["create", "Vault"]);
        let application = made.split_whitespace().next_back().unwrap().to_owned();
        app(
            &installation,
            &[
                "connect",
                "Vault",
                "--url",
                &vault.base,
                "--token-file",
                "token",
            ],
        );
        app(&installation, &["set", "Vault", "--scope", "all"]);
        let house = Self {
            server,
            northwind,
            vault,
            application,
            installation,
        };
        house.plan().await;
        let report: Value =
            serde_json::from_str(&app(&house.installation, &["run", "Vault", "--json"])).unwrap();
        let created = report["users"]["created"].as_u64().unwrap();
        // who is switched off is not created
        assert!(created > people as u64 * 9 / 10, "{report}");
        house
    }

    /// Has the whole plan of the first cycle made, which is the longest.
    async fn plan(&self) {
        let mut guest = Guest::new(&self.server);
        guest
            .sign_in("owner@northwind.example", PASSWORD)
            .await
            .is(303);
        let page = format!("/applications/{}/plan", self.application);
        guest.submit(&page, &page, &[]).await.is(303);
        while guest.get(&page).await.is(200).body.contains("data-poll") {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What there is to look at in an organisation: every page, with an object of it, and what costs most.
    async fn addresses(&self, organisation: &str) -> Vec<String> {
        let scim = if organisation == "vault" {
            &self.vault
        } else {
            &self.northwind
        };
        let person = found(
            scim,
            "Users?filter=userName eq \"person0000007@northwind.example\"",
        )
        .await;
        let everybody = found(scim, "Groups?filter=displayName eq \"Everybody\"").await;
        let is_sender = organisation == "northwind";
        let mut addresses: Vec<String> = route_table()
            .into_iter()
            .filter(|route| {
                route.method == "GET" && matches!(route.policy, Policy::Console(Needs::Role(_)))
            })
            .filter(|route| !FILES.iter().any(|file| route.path.ends_with(file)))
            .filter(|route| is_sender || !route.path.contains("/applications/{"))
            .map(|route| {
                let id = match route.path.split('/').nth(1).unwrap_or_default() {
                    "users" => &person,
                    "groups" => &everybody,
                    _ => &self.application,
                };
                let path = route
                    .path
                    .replace("{kind}", "entra")
                    .replace("{object}", "users")
                    .replace("{side}", "users");
                path.replace("{n}", "1")
                    .replace("{number}", "1")
                    .replace("{id}", id)
            })
            // an administrator, a token: pages of one row
            .filter(|path| !path.contains("/administrators/") && !path.contains("/tokens/"))
            .collect();
        let month = "from=2020-01-01&to=2020-02-01";
        for more in [
            "/users?q=p",
            "/users?q=person",
            "/users?q=person00",
            "/users?q=nobody-is-called-so",
            "/users?q=a&status=disabled",
            "/users?q=person&status=disabled",
            "/users?status=disabled",
            "/users?status=active",
            "/users?source=entra",
            "/users?source=none",
            "/users?q=person&source=entra",
            "/users?q=Person 77",
            "/groups?q=e",
            "/groups?q=everybody",
            "/groups?source=entra",
            "/activity?actor=system",
            "/activity?actor=administrator:0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77",
            "/activity?action=user.",
            "/activity?action=user.created",
            "/activity?action=user.&actor=system",
            "/activity?action=user.disabled&actor=command",
            &format!("/activity?{month}"),
            &format!("/activity?action=user.created&{month}"),
            &format!("/activity?object={person}"),
            &format!("/activity?object={everybody}"),
            "/requests?failed=on",
            "/requests?integration=entra",
            "/reports?period=year",
            &format!("/users/{person}?show=raw"),
            &format!("/groups/{everybody}?show=raw"),
        ] {
            addresses.push(more.replace(' ', "%20"));
        }
        if is_sender {
            let base = format!("/applications/{}", self.application);
            for more in [
                "/plan?show=create",
                "/plan?from=2000",
                "/plan?show=members",
                "/logs?q=person",
                "/logs?status=failure",
                "/logs?status=success",
                "/mappings/users?person=person0000007@northwind.example",
                "/mappings/users/1?count=on",
                "/assignments?q=p",
                "/assignments/add?q=person",
                "/on-demand?q=person",
                "/why?q=person0000007@northwind.example",
                "/why?q=everybody&object=groups",
            ] {
                addresses.push(format!("{base}{more}"));
            }
        }
        addresses
    }
}

async fn found(scim: &Scim, query: &str) -> String {
    let answer = scim
        .get(&format!(
            "/{}",
            query.replace(' ', "%20").replace('"', "%22")
        ))
        .await
        .is(200);
    answer.body["Resources"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn app(installation: &Installation, arguments: &[&str]) -> String {
    let all = [&["app"], arguments, &["--org", "northwind"]].concat();
    let output = installation
        .command(&all)
        .env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{all:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn name(person: usize) -> String {
    format!("person{person:07}@northwind.example")
}

fn users(people: usize) -> String {
    let lines = (0..people).map(|person| {
        json!({
            "userName": name(person), "displayName": format!("Person {person}"), "active": person % 97 != 5,
            "name": {"givenName": "Person", "familyName": person.to_string()},
            "emails": [{"type": "work", "value": name(person)}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
                "department": format!("Department {}", person % 50), "manager": {"value": name(person / 10)},
            },
        })
        .to_string()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A group of everybody, and as many others as there are hundreds of people, of a hundred each.
fn groups(people: usize) -> String {
    let group = |title: String, members: &mut dyn Iterator<Item = usize>| {
        let members: Vec<Value> = members
            .map(|person| json!({"value": name(person)}))
            .collect();
        json!({"displayName": title, "members": members}).to_string()
    };
    let mut lines = vec![group("Everybody".to_owned(), &mut (0..people))];
    for number in 0..people / 100 {
        lines.push(group(
            format!("Group {number}"),
            &mut (number * 100..number * 100 + 100),
        ));
    }
    lines.join("\n")
}
