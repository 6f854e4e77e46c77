//! Two nodes on one database, and one application that both would provision. The one that does is stopped for three lease times and woken
//! up again, or killed, again and again, while the source goes on changing.
//!
//! The database itself watches who writes ([`Watched`]): there is one runner at a time, and nothing is written in the name of an earlier
//! one. Afterwards both ends agree, and nobody was created twice.

mod source;
mod together;

use std::process::Command;
use std::time::{Duration, Instant};

use rollcall_model::Kind;
use rollcall_testkit::postgres::Database;
use rollcall_testkit::{Behaviour, Fault, Target, When};
use serde_json::Value;

use crate::chance::Chance;
use crate::support::{Installation, Server};
use crate::{soak, store};
use source::{Shown, Source, shown};

/// How long a node keeps an application that it says nothing more about.
const LEASE: Duration = Duration::from_secs(1);
/// So soon another node goes on: it may have to wait for the organisation's lock that the frozen one has, and rests between two attempts.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stands_still_is_replaced_and_writes_nothing_when_it_wakes() {
    let rounds = soak::many(3, 50);
    let seed = soak::seed(1);
    println!("seed {seed}");
    let mut house = House::new(seed);
    let (mut round, mut longest) = (0, Duration::ZERO);
    while round < rounds {
        house.source.change(40).await;
        let (node, runner) = house.runner().await;
        let moment = house.chance.within(0, 400) as u64;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        house.signal(node, "STOP");
        let stopped = Instant::now();
        // a cycle may have ended just before, and nothing is left to take over
        let holds = house.holds(runner);
        house.source.speak_to(&house.nodes[1 - node]);
        house.source.change(10).await;
        if holds {
            while house.latest_claim() == runner {
                assert!(
                    stopped.elapsed() < TAKEN_OVER_WITHIN,
                    "runner {runner} is not replaced"
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            longest = longest.max(stopped.elapsed());
            round += 1;
            println!(
                "round {round}: node {node} stopped as runner {runner}, replaced after {:?}",
                stopped.elapsed()
            );
        }
        tokio::time::sleep((3 * LEASE).saturating_sub(stopped.elapsed())).await;
        house.signal(node, "CONT");
    }
    house.agrees().await;
    println!(
        "{rounds} rounds, each with a takeover, after {longest:?} at most; {}",
        house.figures()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_is_replaced() {
    let rounds = soak::many(2, 30);
    let seed = soak::seed(1);
    println!("seed {seed}");
    let mut house = House::new(seed);
    for round in 1..=rounds {
        house.source.change(40).await;
        let (node, runner) = house.runner().await;
        let moment = house.chance.within(0, 700) as u64;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        house.nodes[node].process.kill().unwrap();
        house.source.speak_to(&house.nodes[1 - node]);
        house.source.change(10).await;
        tokio::time::sleep(LEASE).await;
        house.nodes[node] = House::node(&house.installation, &house.address, node);
        println!("round {round}: node {node} killed as runner {runner}");
    }
    house.agrees().await;
    println!("{rounds} rounds; {}", house.figures());
}

/// Sends a node a signal.
fn signal(node: &Server, signal: &str) {
    let process = node.process.id().to_string();
    let mut kill = Command::new("kill");
    let status = kill.args([&format!("-{signal}"), &process]).status();
    assert!(status.unwrap().success());
}

/// Two nodes, what they share, and the target.
struct House {
    // dropped before what they use
    nodes: [Server; 2],
    source: Source,
    target: Target,
    database: Database<'static>,
    installation: Installation,
    address: String,
    chance: Chance,
}

impl House {
    fn new(seed: u64) -> Self {
        // so slow that a cycle is caught in its middle
        let slow = Fault::Slow { milliseconds: 100 };
        let behaviour = Behaviour::default().with_fault(slow, When::Always);
        let target = Target::start(behaviour.with_seed(seed));
        let database = Database::fresh().unwrap();
        let address = format!("{}&lease={}", database.url(), LEASE.as_secs());
        let installation = Installation::new();
        let folder = installation.folder.path();
        store::place(folder, address.clone());
        installation.ok(&["org", "create", "northwind", "--name", "Northwind"]);
        let token = installation.ok(&["token", "create", "--org", "northwind"]);
        database.sql(include_str!("watch.sql")).unwrap();
        std::fs::write(folder.join("token"), target.token()).unwrap();
        for arguments in [
            &["create", "Vault"][..],
            &[
                "connect",
                "Vault",
                "--url",
                target.url(),
                "--token-file",
                "token",
            ],
            &[
                "set",
                "Vault",
                "--scope",
                "all",
                "--max-deletions",
                "100000",
            ],
            &["set", "Vault", "--max-deletions-percent", "100"],
            &["start", "Vault"],
        ] {
            let all = [&["app"], arguments, &["--org", "northwind"]].concat();
            let mut command = installation.command(&all);
            command.env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true");
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{all:?}: {said}");
        }
        let nodes = [0, 1].map(|node| Self::node(&installation, &address, node));
        let source = Source::new(nodes[0].scim("northwind", &token), seed);
        Self {
            nodes,
            source,
            target,
            database,
            installation,
            address,
            chance: Chance::new(seed),
        }
    }

    fn node(installation: &Installation, address: &str, node: usize) -> Server {
        let address = format!("{address}&application_name=node-{node}");
        installation.serve(&[
            ("ROLLCALL_STORE", &address),
            ("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true"),
            ("ROLLCALL_RATE", "1000000"),
        ])
    }

    fn ask(&self, statement: &str) -> String {
        self.database.sql(statement).unwrap().trim().to_owned()
    }

    /// Waits until somebody provisions; returns which node, and the number of its claim.
    async fn runner(&mut self) -> (usize, u64) {
        let begun = Instant::now();
        loop {
            let held = self.ask(
                "SELECT c.node, l.runner FROM leases l JOIN claims c USING (runner) WHERE l.until > clock_timestamp()",
            );
            if let Some((node, runner)) = held.split_once('|')
                && let Some(node) = node.strip_prefix("node-")
            {
                return (node.parse().unwrap(), runner.parse().unwrap());
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "nobody provisions"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Tells whether the lease of a claim was not given back.
    fn holds(&self, runner: u64) -> bool {
        !self
            .ask(&format!("SELECT 1 FROM leases WHERE runner = {runner}"))
            .is_empty()
    }

    fn latest_claim(&self) -> u64 {
        self.ask("SELECT max(runner) FROM claims").parse().unwrap()
    }

    fn signal(&self, node: usize, signal: &str) {
        self::signal(&self.nodes[node], signal);
    }

    /// Waits until both ends agree, and makes sure of what the database has watched.
    async fn agrees(&mut self) {
        let begun = Instant::now();
        while let Err(difference) = self.compare() {
            assert!(begun.elapsed() < Duration::from_mins(1), "{difference}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let strangers = self.ask(
            "SELECT w.what, w.node, w.runner, c.node FROM watched w LEFT JOIN claims c USING (runner)
             WHERE NOT w.is_doubt AND w.node IS DISTINCT FROM c.node",
        );
        assert_eq!(strangers, "", "written in another one's name");
        let shared = self.ask("SELECT runner FROM claims GROUP BY runner HAVING count(*) > 1");
        assert_eq!(shared, "", "one number, two runners");
        for (name, ..) in self.there() {
            let creates = self.target.creates(Kind::User, &name);
            assert_eq!(creates, 1, "{name} was created {creates} times");
        }
    }

    /// Returns userName, displayName and whether they are active, of all accounts of the target, in order.
    fn there(&self) -> Vec<Shown> {
        let there = self.target.resources(Kind::User);
        let account = |person: &Value| {
            let text = |name: &str| person[name].as_str().unwrap_or_default().to_owned();
            shown(
                text("userName"),
                text("displayName"),
                person["active"] == true,
            )
        };
        let mut there: Vec<Shown> = there.iter().map(account).collect();
        there.sort();
        there
    }

    /// Compares the target with the source.
    fn compare(&self) -> Result<(), String> {
        let there = self.there();
        let mut here = self.source.people();
        // who was switched off before they were created is not
        here.retain(|one| one.2 || there.iter().any(|other| other.0 == one.0));
        if let Some((one, other)) = here.iter().zip(&there).find(|(one, other)| one != other) {
            return Err(format!("{one:?} is {other:?} in the target"));
        }
        if here.len() != there.len() {
            return Err(format!("{} people are {}", here.len(), there.len()));
        }
        let groups = self.target.resources(Kind::Group);
        let members = groups
            .first()
            .map_or(0, |group| group["members"].as_array().map_or(0, Vec::len));
        let wanted = self.source.members();
        if members != wanted {
            return Err(format!("{wanted} members are {members} in the target"));
        }
        Ok(())
    }

    fn figures(&self) -> String {
        let claims = self.ask("SELECT count(*) FROM claims");
        let writes = self.ask("SELECT count(*) FROM watched WHERE NOT is_doubt");
        let doubts = self.ask("SELECT count(*) FROM watched w JOIN claims c USING (runner) WHERE w.is_doubt AND w.node <> c.node");
        let requests = self.target.writes_since(0);
        let refused = requests
            .iter()
            .filter(|one| one.status == Some(409))
            .count();
        format!(
            "{claims} claims, {writes} writes of state, each by the holder of its number; {doubts} late answers were handed on; {} people \
             in the target, {} writes to the target, {refused} of them refused as taken",
            self.there().len(),
            requests.len(),
        )
    }
}
