//! Whole cycles between two organisations, each with its own process, store and disk.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::house::{House, ORGANISATION, Server, peak_mib, work};
use crate::load::{count, median};
use crate::report::{Figure, Goal, Report};
use crate::{Settings, people};

/// How many people the source has, and groups.
const SIZES: [(u64, u64); 2] = [(1_000, 20), (10_000, 200)];
/// How many groups each person is in.
const MEMBERSHIPS: u64 = 3;
/// How many people change before the incremental cycle.
const CHANGES: u64 = 100;
/// How many requests are under way to a target at the same time, at most.
const REQUESTS_AT_ONCE: f64 = 16.0;
/// How many cycles without a change are run; the median counts, for the first one finds the disk busy with what came before.
const UNCHANGED: usize = 7;

pub(crate) fn run(settings: &Settings, report: &mut Report) -> anyhow::Result<()> {
    for (people, groups) in SIZES {
        let folder = tempfile::tempdir_in(&settings.folder)?;
        Ends::new(settings, folder.path(), people, groups)?.measure(report)?;
    }
    Ok(())
}

/// The two ends.
struct Ends {
    people: u64,
    source: House,
    target: Server,
}

/// One run of `rollcall job run`.
struct Run {
    /// The cycle itself, without starting, reading the configuration and opening the store.
    cycle: Duration,
    peak_mib: f64,
    /// How long processors worked for the sending end, and for the receiving one meanwhile.
    sending: Duration,
    receiving: Duration,
    report: Value,
}

impl Run {
    fn number(&self, name: &str) -> f64 {
        let number = self.report.get(name).and_then(Value::as_u64);
        count(number.unwrap_or_default())
    }
}

impl Ends {
    fn new(settings: &Settings, folder: &Path, people: u64, groups: u64) -> anyhow::Result<Self> {
        let (target, token) = House::new(&settings.binary, folder, "sqlite:vault.db".to_owned())?;
        let target = target.serve()?;
        let source = House {
            binary: settings.binary.clone(),
            folder: folder.to_owned(),
            store: "sqlite:northwind.db".to_owned(),
        };
        source.run(&["org", "create", "northwind", "--name", "Northwind"])?;
        people::write(&folder.join("users.jsonl"), 0..people, "Buyer")?;
        let members = |group| {
            (0..people).flat_map(move |person| {
                (0..MEMBERSHIPS)
                    .filter(move |turn| (person * 7 + turn * 13) % groups == group)
                    .map(move |_| person)
            })
        };
        people::write_groups(
            &folder.join("groups.jsonl"),
            (0..groups).map(|group| (format!("Group {group}"), members(group))),
        )?;
        let import = ["import", "--org", "northwind", "--users", "users.jsonl"];
        source.run(&[&import[..], &["--groups", "groups.jsonl"]].concat())?;
        let job = format!(
            "[source]\nkind = \"directory\"\norg = \"northwind\"\n[target]\nurl = \"http://{}/scim/v2/{ORGANISATION}\"\ntoken = {{ file = \"token\" }}\n",
            target.authority
        );
        std::fs::write(folder.join("bench.toml"), job)?;
        std::fs::write(folder.join("token"), token)?;
        Ok(Self {
            people,
            source,
            target,
        })
    }

    fn measure(self, report: &mut Report) -> anyhow::Result<()> {
        let people = self.people;
        let initial = self.cycle()?;
        let mut unchanged = Vec::new();
        for _ in 0..UNCHANGED {
            unchanged.push(self.cycle()?);
        }
        let changes = CHANGES.min(people);
        people::write(
            &self.source.folder.join("users.jsonl"),
            0..changes,
            "Head of Buying",
        )?;
        self.source
            .run(&["import", "--org", "northwind", "--users", "users.jsonl"])?;
        let changed = self.cycle()?;
        for (run, what, expected) in [
            (&initial, "created", people),
            (&changed, "updated", changes),
        ] {
            let done = run
                .report
                .pointer(&format!("/users/{what}"))
                .and_then(Value::as_u64);
            ensure!(
                done == Some(expected),
                "{what}: {done:?}, expected {expected}: {}",
                run.report
            );
        }

        let seconds = initial.cycle.as_secs_f64();
        report.add(Figure::new(
            "cycle",
            format!("initial, {people} people"),
            count(people) / seconds,
            "people/s",
        ));
        report.add(Figure::new(
            "cycle",
            "  requests",
            initial.number("requests") / seconds,
            "requests/s",
        ));
        report.add(Figure::new(
            "cycle",
            "  peak memory of the sender",
            initial.peak_mib,
            "MiB",
        ));
        let asked = initial.number("targetMilliseconds") / 1e3;
        let share = 1.0 - asked / (REQUESTS_AT_ONCE * seconds);
        report.add(
            Figure::new(
                "cycle",
                "  share of the sender: the target could have been asked for more",
                share * 100.0,
                "%",
            )
            .with_goal(Goal::AtMost(20.0)),
        );
        let (sending, receiving) = (
            initial.sending.as_secs_f64(),
            initial.receiving.as_secs_f64(),
        );
        let (sending, receiving) = (
            sending * 1e6 / count(people),
            receiving * 1e6 / count(people),
        );
        report.add(
            Figure::new(
                "cycle",
                "  processor of the sender, a person",
                sending,
                "µs",
            )
            .beside("of the receiver", receiving),
        );
        let unchanged: Vec<f64> = unchanged
            .iter()
            .map(|run| run.cycle.as_secs_f64() * 1e3)
            .collect();
        report.add(Figure::new(
            "cycle",
            format!("nothing changed, {people} people"),
            median(unchanged),
            "ms",
        ));
        let changed = changed.cycle.as_secs_f64() * 1e3;
        report.add(Figure::new(
            "cycle",
            format!("{changes} changes, {people} people"),
            changed,
            "ms",
        ));
        Ok(())
    }

    /// Runs a cycle, and looks at its process.
    fn cycle(&self) -> anyhow::Result<Run> {
        let before = self.target.work()?;
        let mut child = self
            .source
            .command(&["job", "run", "bench.toml", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (mut peak, mut sending) = (0.0_f64, Duration::ZERO);
        while child.try_wait()?.is_none() {
            peak = peak.max(peak_mib(child.id()).unwrap_or_default());
            sending = sending.max(work(child.id()).unwrap_or_default());
            std::thread::sleep(Duration::from_millis(5));
        }
        let receiving = self.target.work()?.saturating_sub(before);
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "the cycle failed");
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let instant = |name: &str| -> anyhow::Result<jiff::Timestamp> {
            let text = report.get(name).and_then(Value::as_str);
            Ok(text.context("the report's times")?.parse()?)
        };
        let cycle = Duration::try_from(instant("ended")?.duration_since(instant("began")?))?;
        Ok(Run {
            cycle,
            peak_mib: peak,
            sending,
            receiving,
            report,
        })
    }
}
