//! A way back that was gone: how far it is, and what came of it, as the activity log has it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use rollcall_app::AuditQuery;
use rollcall_app::activity::Deed;
use rollcall_app::integrations::Parties;
use rollcall_model::OrgId;
use serde_json::Value;

use super::span::whose;
use super::when;
use crate::Console;
use crate::filters;
use crate::guard::Known;
use crate::layout::{self, Frame, Place};
use crate::problem::Problem;
use crate::words::{Moment, Zone, sentence};

/// So many ways back are known at once; each of them keeps a writer busy.
const REMEMBERED: usize = 100;

/// A way back, by whose it is and the id of its request.
type Key = (OrgId, String);

/// The ways back that this process goes just now, with how far each is.
#[derive(Debug, Default)]
pub(crate) struct Runs(Mutex<VecDeque<(Key, Arc<AtomicU64>, u64)>>);

impl Runs {
    /// Notes that one begins; returns what counts its steps.
    pub(super) fn begin(&self, key: Key, total: u64) -> Arc<AtomicU64> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.len() == REMEMBERED {
            runs.pop_front();
        }
        let progress = Arc::new(AtomicU64::new(0));
        runs.push_back((key, Arc::clone(&progress), total));
        progress
    }

    /// Notes that one has ended.
    pub(super) fn end(&self, key: &Key) {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|(other, ..)| other != key);
    }

    /// Tells how far one is: steps that are behind it, and all.
    fn progress(&self, key: &Key) -> Option<(u64, u64)> {
        let runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let run = runs.iter().find(|(other, ..)| other == key);
        run.map(|(_, done, total)| (done.load(Ordering::Relaxed), *total))
    }
}

/// Somebody or a group that did not become what it was.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) href: String,
    pub(super) name: String,
    pub(super) reason: String,
}

/// How a way back stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Running,
    Done,
    CutOff,
}

#[derive(Debug, Template)]
#[template(path = "history_run.html")]
pub(super) struct RunPage {
    frame: Frame,
    state: Stage,
    about: String,
    by: String,
    at: Option<Moment>,
    steps: u64,
    behind: u64,
    done: u64,
    left: u64,
    refused: u64,
    untried: u64,
    /// Members that groups had and have not again.
    missing: u64,
    refusals: Vec<Refused>,
    /// Where a plan of what is left is made.
    again: String,
    activity: String,
}

pub(super) fn view(
    frame: Frame,
    (begun, ended): (Option<&Deed>, Option<&Deed>),
    progress: Option<(u64, u64)>,
    refusals: Vec<Refused>,
    parties: &Parties,
    zone: &Zone,
) -> RunPage {
    let told = ended.or(begun);
    let detail = told
        .map(|deed| deed.entry.detail.clone())
        .unwrap_or_default();
    let number = |field: &str| detail.get(field).and_then(Value::as_u64).unwrap_or(0);
    let text = |field: &str| {
        let text = detail.get(field).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let (from, by) = (text("from"), text("by"));
    let back = from.parse().map(|at| when(at, zone).text);
    let (behind, steps) = progress.unwrap_or((0, number("steps")));
    RunPage {
        frame,
        state: match (ended, progress) {
            (Some(_), _) => Stage::Done,
            (None, Some(_)) => Stage::Running,
            (None, None) => Stage::CutOff,
        },
        about: format!(
            "Back to {}{}",
            back.unwrap_or_else(|_| from.clone()),
            whose(&by, parties)
        ),
        by: told.map_or(String::new(), |deed| {
            parties.name(&deed.entry.origin.actor).to_owned()
        }),
        at: told.map(|deed| when(deed.entry.at, zone)),
        steps,
        behind,
        done: number("done"),
        left: number("left"),
        refused: number("refused"),
        untried: number("untried"),
        missing: number("missing"),
        refusals,
        again: again(&detail),
        activity: told.map_or("/activity".to_owned(), |deed| {
            let actor = rollcall_app::actor_key(&deed.entry.origin.actor);
            format!("/activity?actor={}", layout::encoded(&actor))
        }),
    }
}

/// Returns the address of a plan of what is left: of the same span, and to the same end.
fn again(detail: &Value) -> String {
    let text = |field: &str| {
        detail
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let deletes = detail.get("deletes") == Some(&Value::Bool(true));
    format!(
        "/history/back?from={}&to={}&by={}{}",
        text("from"),
        text("until"),
        layout::encoded(text("by")),
        if deletes { "&deletes=on" } else { "" }
    )
}

pub(super) async fn look(
    State(console): State<Console>,
    known: Known,
    Path(run): Path<String>,
) -> Result<Response, Problem> {
    let context = known.visitor.context();
    let query = AuditQuery {
        object: Some(run.clone()),
        action: Some("history.".to_owned()),
        ..AuditQuery::default()
    };
    let found = console.app.activity(&context, query, 2).await?;
    let of = |action: &str| found.iter().find(|deed| deed.entry.action == action);
    let (begun, ended) = (of("history.begun"), of("history.taken_back"));
    let key = (context.tenant().organisation(), run);
    let progress = console.runs.progress(&key);
    if begun.is_none() && progress.is_none() {
        return Err(Problem::missing());
    }
    let refusals = ended.and_then(|deed| deed.entry.detail.get("refusals"));
    let mut refused = Vec::new();
    for one in refusals.and_then(Value::as_array).into_iter().flatten() {
        let text = |field: &str| one.get(field).and_then(Value::as_str).unwrap_or_default();
        let Ok(id) = text("id").parse() else { continue };
        let mut names = console.app.names(&context, vec![id]).await?;
        let list = if text("kind") == "Group" {
            "groups"
        } else {
            "users"
        };
        refused.push(Refused {
            href: format!("/{list}/{id}"),
            name: names.pop().map(|named| named.name).unwrap_or_default(),
            reason: sentence(text("reason")),
        });
    }
    let parties = console.app.parties(&context).await?;
    let frame = console
        .frame(&known, Place::Activity, "Changes taken back")
        .await?;
    let zone = console.zone(&known);
    Ok(layout::rendered(&view(
        frame,
        (begun, ended),
        progress,
        refused,
        &parties,
        &zone,
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_of_what_is_left_is_of_the_same_span_and_to_the_same_end() {
        let begun = json!({
            "from": "2026-01-31T09:00:00Z", "to": 1207, "until": "2026-01-31T09:20:00.5Z", "by": "command", "deletes": true,
        });
        assert_eq!(
            again(&begun),
            "/history/back?from=2026-01-31T09:00:00Z&to=2026-01-31T09:20:00.5Z&by=command&deletes=on"
        );
        let kept =
            json!({"from": "2026-01-31T09:00:00Z", "to": 1207, "by": null, "deletes": false});
        assert_eq!(
            again(&kept),
            "/history/back?from=2026-01-31T09:00:00Z&to=&by="
        );
    }
}
