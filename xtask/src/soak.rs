//! The long forms of the tests of reliability: what the ordinary run does for seconds, for minutes and at full speed.
//!
//! A test takes part by asking `soak::many` (in the tests of the binary) how much it is to do.

use std::time::{Duration, Instant};

use anyhow::Context;

use crate::{need, steps};

/// The tests with a long form: what each group shows, and the filter that finds it.
const SOAKS: &[(&str, &str)] = &[
    ("killed server", "test(/^faults::killed_server::/)"),
    ("each call", "test(/^faults::each_call::/)"),
    ("slow clients", "test(/^faults::slow_clients::/)"),
    ("restarted database", "test(/^faults::restarts::/)"),
    ("backups under load", "test(/^backups::under_load::/)"),
    ("two nodes", "test(/^nodes::/)"),
    ("differential", "test(/^differential::/)"),
];

/// Runs the long forms, or so many percent of them. All are run, also when one fails.
pub(crate) fn run(percent: &str) -> anyhow::Result<()> {
    let percent: u32 = percent.parse().context("how many percent?")?;
    need::nextest()?;
    need::postgresql()?;
    let mut rows: Vec<(&str, Duration, bool)> = Vec::new();
    for (name, filter) in SOAKS {
        println!("── {name} ──");
        let begun = Instant::now();
        let mut command = steps::cargo_command(&["nextest", "run", "--release", "--no-fail-fast"]);
        command.args(["--package", "rollcall", "--no-capture", "-E", filter]);
        command.env("ROLLCALL_SOAK", percent.to_string());
        let has_passed = command
            .status()
            .with_context(|| format!("{command:?} could not be started"))?
            .success();
        rows.push((name, begun.elapsed(), has_passed));
    }
    println!();
    for (name, time, has_passed) in &rows {
        let word = if *has_passed { "held" } else { "FAILED" };
        println!("{name:<20} {:>7.1} s  {word}", time.as_secs_f64());
    }
    let failed = rows.iter().filter(|(_, _, has_passed)| !has_passed);
    let failed: Vec<&str> = failed.map(|(name, _, _)| *name).collect();
    anyhow::ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}
