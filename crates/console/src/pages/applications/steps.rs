//! The steps in which the handling of one person or group is told: import, scope, match, action.

use rollcall_model::provisioning::{Identity, LogAction, LogStatus, Step, StepKind};
use serde_json::Value;

use crate::words::sentence;

/// How many details of a step are shown, and how long one may be.
const DETAILS: usize = 12;
const LONGEST: usize = 4_000;

/// One of the four steps.
#[derive(Debug)]
pub(crate) struct StepView {
    /// `ok`, `bad`, `warn`, or empty: nothing was done.
    pub(crate) class: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) title: &'static str,
    pub(crate) lines: Vec<String>,
    pub(crate) details: Vec<(String, String)>,
    /// The request that was sent, when it is told whole.
    pub(crate) request: Option<String>,
}

const STEPS: [(&str, &[StepKind]); 4] = [
    ("1. Import", &[StepKind::Import]),
    ("2. Determine if in scope", &[StepKind::Scoping]),
    ("3. Match between source and target", &[StepKind::Matching]),
    (
        "4. Perform action",
        &[
            StepKind::Processing,
            StepKind::ReferenceResolution,
            StepKind::Export,
        ],
    ),
];

/// Tells the steps; of what has none, such as members that were sent in one request with others, nothing is told.
pub(crate) fn of(steps: &[Step]) -> Vec<StepView> {
    if steps.is_empty() {
        return Vec::new();
    }
    STEPS
        .into_iter()
        .map(|(title, kinds)| {
            let of_it: Vec<&Step> = steps
                .iter()
                .filter(|step| kinds.contains(&step.kind))
                .collect();
            one(title, &of_it)
        })
        .collect()
}

fn one(title: &'static str, steps: &[&Step]) -> StepView {
    let has = |status| steps.iter().any(|step| step.status == status);
    let (class, icon) = if steps.is_empty() {
        ("", "dashc")
    } else if has(LogStatus::Failure) {
        ("bad", "xc")
    } else if has(LogStatus::Warning) {
        ("warn", "alert")
    } else if has(LogStatus::Skipped) {
        ("", "offc")
    } else {
        ("ok", "okc")
    };
    let mut view = StepView {
        class,
        icon,
        title,
        lines: steps
            .iter()
            .map(|step| sentence(&step.description))
            .collect(),
        details: Vec::new(),
        request: None,
    };
    if view.lines.is_empty() {
        view.lines.push("Nothing was done.".to_owned());
    }
    for (name, value) in steps.iter().flat_map(|step| &step.details) {
        let text = plain(value);
        let is_nothing = text.is_empty() || text == "{}";
        if is_nothing {
            continue;
        }
        if name == "request" && value.is_object() {
            view.request = serde_json::to_string_pretty(value).ok().map(shortened);
        } else if view.details.len() < DETAILS {
            view.details.push((name.clone(), text));
        }
    }
    view
}

/// Writes a value as people read it.
pub(crate) fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    shortened(text)
}

fn shortened(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let mut text: String = text.chars().take(LONGEST / 4).collect();
    text.push('…');
    text
}

/// Returns the name of somebody for people.
pub(crate) fn name(identity: &Identity) -> String {
    let name = identity
        .sign_in_name
        .as_ref()
        .or(identity.display_name.as_ref());
    name.unwrap_or(&identity.id).clone()
}

/// Returns the word of an action.
pub(crate) fn action(action: LogAction) -> &'static str {
    match action {
        LogAction::Create => "Create",
        LogAction::Update => "Update",
        LogAction::Delete => "Delete",
        LogAction::Disable => "Disable",
        LogAction::StagedDelete => "Delete, held",
        LogAction::StagedAction => "Disable, held",
        LogAction::Other => "Other",
    }
}

/// Returns tone, icon and word of a result.
pub(crate) fn status(status: LogStatus) -> (&'static str, &'static str, &'static str) {
    match status {
        LogStatus::Success => ("ok", "okc", "Success"),
        LogStatus::Warning => ("warn", "alert", "Warning"),
        LogStatus::Failure => ("bad", "xc", "Failed"),
        LogStatus::Skipped => ("off", "offc", "Skipped"),
    }
}
