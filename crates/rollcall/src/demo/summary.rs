//! What the demonstration came to: counts, times, memory.

use std::time::Duration;

use rollcall_model::provisioning::CycleReport;
use serde_json::{Value, json};

use crate::printer;

/// A cycle that ran.
pub(super) struct Cycle {
    pub(super) name: &'static str,
    pub(super) report: CycleReport,
    pub(super) took: Duration,
}

/// All cycles that ran.
#[derive(Default)]
pub(super) struct Summary {
    pub(super) cycles: Vec<Cycle>,
}

impl Summary {
    /// Returns the summary as text.
    pub(super) fn text(&self, whole: Duration) -> String {
        let rows = self.cycles.iter().flat_map(|cycle| {
            let report = &cycle.report;
            let row = |kind: &str, counts: &rollcall_model::provisioning::Counts, time: String| {
                [
                    cycle.name.to_owned(),
                    kind.to_owned(),
                    counts.created.to_string(),
                    counts.adopted.to_string(),
                    counts.updated.to_string(),
                    counts.disabled.to_string(),
                    counts.deleted.to_string(),
                    counts.failed.to_string(),
                    time,
                ]
            };
            [
                row("people", &report.users, seconds(cycle.took)),
                row("groups", &report.groups, String::new()),
            ]
        });
        let header = [
            "cycle", "what", "created", "adopted", "updated", "disabled", "deleted", "failed",
            "time",
        ];
        let mut lines = vec![printer::table_text(header, rows)];
        lines.extend(self.cycles.iter().map(|cycle| {
            let (added, removed) = (cycle.report.members_added, cycle.report.members_removed);
            format!(
                "{}: {added} memberships added, {removed} removed",
                cycle.name
            )
        }));
        if let Some(first) = self.cycles.first() {
            let people = first.report.users.exports();
            let rate = u128::from(people) * 1_000 / first.took.as_millis().max(1);
            lines.push(format!(
                "{people} people in {} ({rate} a second, both ends and their disk included); all in {}",
                seconds(first.took),
                seconds(whole)
            ));
        }
        if let Some(peak) = peak_memory() {
            lines.push(format!(
                "peak memory of this process, both ends in it: {peak} MiB"
            ));
        }
        lines.join("\n")
    }
}

impl Summary {
    /// Returns the summary for programs.
    pub(super) fn json(&self, whole: Duration, agrees: bool) -> Value {
        let cycles: Vec<Value> = self
            .cycles
            .iter()
            .map(|cycle| json!({"name": cycle.name, "seconds": cycle.took.as_secs_f64(), "report": cycle.report}))
            .collect();
        json!({
            "ends_agree": agrees, "cycles": cycles, "seconds": whole.as_secs_f64(),
            "peak_memory_mebibytes": peak_memory(),
        })
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Returns the most memory that this process has had, in MiB.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(kibibytes / 1024)
}
