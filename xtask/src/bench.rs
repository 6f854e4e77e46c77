//! Benchmarks of whole processes: an initial cycle between two local organisations, each with its own server, store and disk.
//!
//! Figures of one machine and one run; what is compared is measured in the same run.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use crate::steps;

/// How many groups each person is in.
const MEMBERSHIPS: usize = 3;
/// How many people change before the incremental cycle.
const CHANGES: usize = 100;

/// How many cycles without a change are run; the median counts, for the first one finds the disk busy with what came before.
const UNCHANGED: usize = 7;

/// Measures an initial cycle, an unchanged one and one with a few changes, for a directory of this size and for one of a tenth.
pub(crate) fn cycle(people: usize, groups: usize) -> anyhow::Result<()> {
    steps::cargo(&["build", "--release", "--package", "rollcall"])?;
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| steps::root().join("target"), PathBuf::from);
    let binary = target.join("release/rollcall");
    let mut rows = Vec::new();
    for (people, groups) in [(people / 10, groups / 10), (people, groups)] {
        let figures = Installation::new(&binary)?.measure(people, groups)?;
        rows.push(figures);
    }
    println!("{}", table(&rows)?);
    Ok(())
}

/// What was measured for one size.
#[derive(Debug)]
struct Figures {
    people: usize,
    groups: usize,
    memberships: u64,
    initial: Run,
    unchanged: Run,
    changed: Run,
}

/// One run of `rollcall job run`.
#[derive(Debug)]
struct Run {
    took: Duration,
    /// The cycle itself, without starting, reading the configuration and opening the store.
    cycle: Duration,
    peak_mib: u64,
    report: Value,
}

/// Two stores and a server in a fresh folder.
struct Installation {
    binary: PathBuf,
    folder: tempfile::TempDir,
    server: Option<Child>,
}

impl Drop for Installation {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            drop(server.kill());
            drop(server.wait());
        }
    }
}

impl Installation {
    fn new(binary: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            binary: binary.to_owned(),
            folder: tempfile::tempdir()?,
            server: None,
        })
    }

    fn command(&self, store: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("ROLLCALL_STORE", format!("sqlite:{store}.db"))
            .env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")
            .env("ROLLCALL_RATE", "1000000");
        command
    }

    fn ok(&self, store: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(store, arguments).output()?;
        if !output.status.success() {
            bail!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    fn measure(mut self, people: usize, groups: usize) -> anyhow::Result<Figures> {
        println!("{people} people, {groups} groups: preparing both ends");
        self.ok("vault", &["org", "create", "vault", "--name", "Vault"])?;
        let token = self.ok("vault", &["token", "create", "--org", "vault"])?;
        let url = self.serve()?;
        self.ok(
            "northwind",
            &["org", "create", "northwind", "--name", "Northwind"],
        )?;
        self.write("users.jsonl", &users(0..people, "Buyer"))?;
        self.write("groups.jsonl", &group_lines(people, groups))?;
        let import = ["import", "--org", "northwind", "--users", "users.jsonl"];
        self.ok(
            "northwind",
            &[import.as_slice(), &["--groups", "groups.jsonl"]].concat(),
        )?;
        let job = format!(
            "[source]\nkind = \"directory\"\norg = \"northwind\"\n[target]\nurl = \"{url}/scim/v2/vault\"\ntoken = {{ file = \"token\" }}\n"
        );
        self.write("bench.toml", &job)?;
        self.write("token", &token)?;

        println!("  the initial cycle");
        let initial = self.run()?;
        println!("  cycles in which nothing changed");
        let mut unchanged = Vec::new();
        for _ in 0..UNCHANGED {
            unchanged.push(self.run()?);
        }
        unchanged.sort_by_key(|run| run.cycle);
        let unchanged = unchanged.swap_remove(UNCHANGED / 2);
        println!("  a cycle with {CHANGES} changes");
        self.write(
            "users.jsonl",
            &users(0..CHANGES.min(people), "Head of Buying"),
        )?;
        self.ok("northwind", &import)?;
        let changed = self.run()?;
        let done = [
            (&initial, "created", people as u64),
            (&changed, "updated", CHANGES.min(people) as u64),
        ];
        for (run, what, count) in done {
            let users = run.report.get("users").and_then(|users| users.get(what));
            let there = users.and_then(Value::as_u64);
            ensure!(
                there == Some(count),
                "{what}: {there:?}, expected {count}: {}",
                run.report
            );
        }
        Ok(Figures {
            people,
            groups,
            memberships: number(&initial.report, "membersAdded"),
            initial,
            unchanged,
            changed,
        })
    }

    /// Starts the receiving end; returns its address.
    fn serve(&mut self) -> anyhow::Result<String> {
        let mut server = self
            .command("vault", &["serve", "--listen", "127.0.0.1:0"])
            .env("ROLLCALL_LOG", "warn")
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = server.stderr.take().context("the server's messages")?;
        self.server = Some(server);
        let mut lines = BufReader::new(stderr).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once(" on ")?.1.trim().to_owned()));
        std::thread::spawn(move || lines.for_each(drop));
        Ok(format!(
            "http://{}",
            address.context("the server's address")?
        ))
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        Ok(std::fs::write(self.folder.path().join(name), text)?)
    }

    /// Runs a cycle, and looks at the memory of its process.
    fn run(&self) -> anyhow::Result<Run> {
        let begun = Instant::now();
        let mut child = self
            .command("northwind", &["job", "run", "bench.toml", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut peak_mib = 0;
        while child.try_wait()?.is_none() {
            peak_mib = peak_mib.max(peak(child.id()).unwrap_or(0));
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output()?;
        let took = begun.elapsed();
        ensure!(output.status.success(), "the cycle failed");
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let instant = |name: &str| -> anyhow::Result<jiff::Timestamp> {
            let text = report.get(name).and_then(Value::as_str);
            Ok(text.context("the report's times")?.parse()?)
        };
        let cycle = Duration::try_from(instant("ended")?.duration_since(instant("began")?))?;
        Ok(Run {
            took,
            cycle,
            peak_mib,
            report,
        })
    }
}

fn number(report: &Value, name: &str) -> u64 {
    report.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// Returns the most memory that a process has had, in MiB.
fn peak(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(kibibytes / 1024)
}

fn name(person: usize) -> String {
    format!("person{person:07}@northwind.example")
}

fn users(people: std::ops::Range<usize>, title: &str) -> String {
    let mut lines = String::new();
    for person in people {
        let manager = person
            .checked_sub(1)
            .map(|_| json!({"value": name(person / 10)}));
        let line = json!({
            "userName": name(person), "displayName": format!("Person {person}"), "title": title, "active": true,
            "name": {"givenName": "Person", "familyName": person.to_string()},
            "emails": [{"type": "work", "value": name(person)}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
                "department": format!("Department {}", person % 50), "employeeNumber": person.to_string(), "manager": manager,
            },
        });
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    lines
}

fn group_lines(people: usize, groups: usize) -> String {
    let mut members: Vec<Vec<Value>> = vec![Vec::new(); groups];
    for person in 0..people {
        for turn in 0..MEMBERSHIPS {
            let group = (person * 7 + turn * 13) % groups;
            if let Some(members) = members.get_mut(group) {
                members.push(json!({"value": name(person)}));
            }
        }
    }
    let mut lines = String::new();
    for (group, members) in members.into_iter().enumerate() {
        let line = json!({"displayName": format!("Group {group}"), "members": members});
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    lines
}

fn table(rows: &[Figures]) -> anyhow::Result<String> {
    let mut text = String::new();
    for figures in rows {
        let report = &figures.initial.report;
        let rate = figures.people as u128 * 1_000 / figures.initial.cycle.as_millis().max(1);
        let (waited, handling) = (
            number(report, "targetMilliseconds"),
            number(report, "handlingMilliseconds"),
        );
        writeln!(
            text,
            "\n{} people, {} groups, {} memberships",
            figures.people, figures.groups, figures.memberships
        )?;
        writeln!(
            text,
            "  initial cycle     {:>9.2} s   {rate} people/s, {} requests, {} % of the handling is waiting for the target, peak memory {} MiB",
            figures.initial.cycle.as_secs_f64(),
            number(report, "requests"),
            waited * 100 / handling.max(1),
            figures.initial.peak_mib
        )?;
        for (what, run) in [
            ("nothing changed", &figures.unchanged),
            ("100 changes", &figures.changed),
        ] {
            writeln!(
                text,
                "  {what:<17} {:>9.3} s   {} requests, whole process {:.3} s, peak memory {} MiB",
                run.cycle.as_secs_f64(),
                number(&run.report, "requests"),
                run.took.as_secs_f64(),
                run.peak_mib
            )?;
        }
    }
    Ok(text)
}
