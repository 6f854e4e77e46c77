//! What was measured, as a table for people and as JSON for programs.

use std::fmt;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use rollcall_model::{Clock, SystemClock};
use serde::Serialize;

/// What a figure is to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
        }
    }
}

/// One line: a figure, what it is compared with where it is, and the goal where there is one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figure {
    benchmark: &'static str,
    what: String,
    value: f64,
    unit: &'static str,
    /// The other side: what it is, and its figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    beside: Option<(String, f64)>,
    /// This side divided by the other one.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    /// What the ratio is to be, or the figure where there is no ratio.
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<Goal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_met: Option<bool>,
}

impl Figure {
    pub(crate) fn new(
        benchmark: &'static str,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> Self {
        Self {
            benchmark,
            what: what.into(),
            value,
            unit,
            beside: None,
            ratio: None,
            goal: None,
            is_met: None,
        }
    }

    /// Compares it with another figure of the same unit.
    pub(crate) fn beside(self, what: impl Into<String>, value: f64) -> Self {
        let ratio = self.value / value;
        self.with_ratio(what, value, ratio)
    }

    /// Compares it with another figure; the ratio was measured in pairs.
    pub(crate) fn with_ratio(mut self, what: impl Into<String>, value: f64, ratio: f64) -> Self {
        self.beside = Some((what.into(), value));
        self.ratio = Some(ratio);
        self
    }

    pub(crate) fn with_goal(mut self, goal: Goal) -> Self {
        self.is_met = Some(goal.is_met(self.ratio.unwrap_or(self.value)));
        self.goal = Some(goal);
        self
    }

    /// Returns its line, for whoever waits.
    pub(crate) fn line(&self) -> String {
        let mut line = format!("  {}: {} {}", self.what, round(self.value), self.unit);
        if let (Some((what, value)), Some(ratio)) = (&self.beside, self.ratio) {
            line = format!("{line}; {what}: {} ({ratio:.2} ×)", round(*value));
        }
        line
    }
}

/// Everything that one run measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    began: jiff::Timestamp,
    version: String,
    machine: Machine,
    figures: Vec<Figure>,
}

/// Where it was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Machine {
    cores: usize,
    processor: String,
    kernel: String,
}

impl Report {
    pub(crate) fn new(version: String) -> Self {
        Self {
            began: SystemClock.now(),
            version,
            machine: Machine::this(),
            figures: Vec::new(),
        }
    }

    /// Takes a figure in, and shows it to whoever waits.
    pub(crate) fn add(&mut self, figure: Figure) {
        println!("{}", figure.line());
        self.figures.push(figure);
    }

    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table
            .load_style(UTF8_HORIZONTAL_ONLY)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header([
                "benchmark",
                "what",
                "measured",
                "beside it",
                "ratio",
                "goal",
                "",
            ]);
        for figure in &self.figures {
            let beside = figure
                .beside
                .as_ref()
                .map(|(what, value)| format!("{what}: {}", round(*value)));
            let goal = figure.goal.map(|goal| goal.to_string());
            let verdict = figure
                .is_met
                .map(|is_met| if is_met { "met" } else { "short" });
            table.add_row([
                figure.benchmark.to_owned(),
                figure.what.clone(),
                format!("{} {}", round(figure.value), figure.unit),
                beside.unwrap_or_default(),
                figure
                    .ratio
                    .map(|ratio| format!("{ratio:.2}"))
                    .unwrap_or_default(),
                goal.unwrap_or_default(),
                verdict.unwrap_or_default().to_owned(),
            ]);
        }
        for column in [2, 4, 5] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let Machine {
            cores,
            processor,
            kernel,
        } = &self.machine;
        format!(
            "{table}\n{}, {cores} × {processor}, Linux {kernel}; figures of one run on one machine",
            self.version
        )
    }
}

impl Machine {
    fn this() -> Self {
        let text = |path| std::fs::read_to_string(path).unwrap_or_default();
        let processors = text("/proc/cpuinfo");
        let model = processors
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .and_then(|rest| rest.split_once(':'));
        Self {
            cores: crate::cores::count(),
            processor: model.map_or("unknown", |(_, name)| name.trim()).to_owned(),
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

/// Writes a figure with three digits that count.
fn round(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
