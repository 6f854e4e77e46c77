//! How a job stands.

use rollcall_app::applications::{Configured, Held};
use rollcall_model::provisioning::CycleOutcome;
use serde_json::json;

use super::sentence;
use crate::outcome::Exit;
use crate::printer;

/// Prints the state of an application's job.
pub(crate) fn status(configured: &Configured, held: &Held, as_json: bool) -> anyhow::Result<Exit> {
    let job = &configured.job;
    if as_json {
        printer::json(&json!({
            "name": configured.application.name, "job": job,
            "assignments": configured.assignments.len(),
            "held": {"count": held.links.len(), "code": held.code()},
        }))?;
        return Ok(Exit::Done);
    }
    let mut rows = Vec::new();
    let mut row = |what: &str, how: String| rows.push([what.to_owned(), how]);
    row("job", configured.application.name.clone());
    if let Some(target) = &configured.application.target {
        row("target", target.tenant_url.clone());
    }
    match &job.last {
        None => row("last cycle", "it never ran".to_owned()),
        Some(last) => {
            row("last cycle", format!("{}: {}", last.ended, sentence(last)));
            if let CycleOutcome::Stopped { message, .. } = &last.outcome {
                row("it stopped", message.clone());
            }
            let failed = last.users.failed + last.groups.failed;
            if failed > 0 {
                row("failed", format!("{failed} objects, tried again"));
            }
        }
    }
    if let Some(retry) = job.retry {
        row("next attempt", retry.to_string());
    }
    if let Some(quarantine) = &job.quarantine {
        row(
            "quarantine",
            format!("since {}: {}", quarantine.since, quarantine.message),
        );
        let next = quarantine
            .next_attempt
            .map_or_else(|| "after somebody's word".to_owned(), |at| at.to_string());
        row("next attempt", next);
    }
    if !held.links.is_empty() {
        row(
            "held back",
            format!("{} (list {})", held.links.len(), held.code()),
        );
    }
    if let Some(drift) = &job.drift {
        row(
            "compared",
            format!("{}: {} differ", drift.at, drift.differing),
        );
    }
    printer::table(["what", "how"], rows);
    printer::data("");
    super::profile(&job.profile);
    Ok(Exit::Done)
}
