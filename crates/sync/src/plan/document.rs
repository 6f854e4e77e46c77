//! The plan as a file: what was approved is what is done, or nothing.
//!
//! The file is JSON with a digest over all of it, so that one that was altered or cut off is noticed. A run makes the plan once more and
//! carries it out only when it comes out the same.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Plan, Planned};
use crate::digest::Digest;

/// What the file says it is.
const FORMAT: &str = "rollcall plan 1";
/// So many differences are described.
const DESCRIBED: usize = 20;

/// Why a file is not a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPlan {
    /// It is not of the form.
    #[error("this is not a plan of this version of rollcall: {0}")]
    Unreadable(String),
    /// It is not as it was written.
    #[error("the plan was altered or is not whole: its digest does not fit; make a new one")]
    Altered,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: String,
    digest: String,
    plan: Value,
}

/// Writes a plan as a file.
pub fn write(plan: &Plan) -> String {
    write_with_digest(plan).0
}

/// Writes a plan likewise; returns its digest too.
pub fn write_with_digest(plan: &Plan) -> (String, String) {
    // a structure of texts, numbers and lists always has a JSON form
    let plan = serde_json::to_value(plan).unwrap_or_default();
    let digest = digest(&plan);
    let document = Document {
        format: FORMAT.to_owned(),
        digest: digest.clone(),
        plan,
    };
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    (text, digest)
}

/// Reads a plan from a file.
///
/// # Errors
/// [`NotAPlan`].
pub fn read(text: &str) -> Result<Plan, NotAPlan> {
    let unreadable = |error: serde_json::Error| NotAPlan::Unreadable(error.to_string());
    let document: Document = serde_json::from_str(text).map_err(unreadable)?;
    if document.format != FORMAT {
        let format: String = document.format.chars().take(40).collect();
        return Err(NotAPlan::Unreadable(format!(
            "its format is `{format}`, not `{FORMAT}`"
        )));
    }
    if digest(&document.plan) != document.digest {
        return Err(NotAPlan::Altered);
    }
    serde_json::from_value(document.plan).map_err(unreadable)
}

fn digest(plan: &Value) -> String {
    let mut digest = Digest::default();
    digest.value(plan);
    digest.finish()
}

/// Says what has moved since a plan was made; nothing: it can be carried out.
pub fn moved(saved: &Plan, fresh: &Plan) -> Vec<String> {
    let (was, is) = (&saved.grounds, &fresh.grounds);
    let mut moved = Vec::new();
    if was.application != is.application {
        moved.push("the plan is for another application".to_owned());
    }
    if was.target != is.target {
        moved.push(format!(
            "the target is `{}`, and was `{}`",
            is.target, was.target
        ));
    }
    if was.configuration != is.configuration {
        moved.push("the mappings, the scope or the assignments changed".to_owned());
    }
    if was.words != is.words {
        moved.push(
            "an administrator has restarted or configured the application since, or a cycle was allowed deletions"
                .to_owned(),
        );
    }
    if was.source != is.source {
        moved.push("the source changed".to_owned());
    }
    if saved != fresh && moved.is_empty() {
        moved.push("the target, or what is known of it, changed".to_owned());
    }
    if saved != fresh {
        describe(saved, fresh, &mut moved);
    }
    moved
}

fn describe<'p>(saved: &'p Plan, fresh: &'p Plan, moved: &mut Vec<String>) {
    let key = |planned: &Planned| (planned.kind, planned.object);
    let index = |plan: &'p Plan| -> HashMap<_, &'p Planned> {
        let objects = plan.objects.iter();
        objects.map(|planned| (key(planned), planned)).collect()
    };
    let (was, is) = (index(saved), index(fresh));
    let mut differences = Vec::new();
    for planned in &saved.objects {
        match is.get(&key(planned)) {
            Some(now) if *now == planned => {}
            Some(now) if now.decision == planned.decision => differences.push(format!(
                "`{}`: {} with other values than planned",
                planned.name,
                super::word(now.decision)
            )),
            Some(now) => differences.push(format!(
                "`{}`: {} instead of {}",
                planned.name,
                super::word(now.decision),
                super::word(planned.decision)
            )),
            None => differences.push(format!(
                "`{}`: nothing instead of {}",
                planned.name,
                super::word(planned.decision)
            )),
        }
    }
    for planned in &fresh.objects {
        if !was.contains_key(&key(planned)) {
            differences.push(format!(
                "`{}`: {}, which is not in the plan",
                planned.name,
                super::word(planned.decision)
            ));
        }
    }
    let rest = differences.len().saturating_sub(DESCRIBED);
    moved.extend(differences.into_iter().take(DESCRIBED));
    if rest > 0 {
        moved.push(format!("… and {rest} more"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::some;
    use super::*;

    #[test]
    fn a_plan_reads_back_from_its_file_and_an_altered_one_is_refused() {
        let plan = some();
        let text = write(&plan);

        assert_eq!(read(&text).as_ref(), Ok(&plan));
        assert_eq!(
            read(&text.replace("cleo", "cleopatra")),
            Err(NotAPlan::Altered)
        );
        for wrong in [
            "",
            "{}",
            &text[..text.len() / 2],
            &text.replace("plan 1", "plan 2"),
        ] {
            assert!(
                matches!(read(wrong), Err(NotAPlan::Unreadable(_))),
                "{wrong:.40}"
            );
        }
    }

    #[test]
    fn what_moved_is_said() {
        let saved = some();
        assert!(moved(&saved, &saved).is_empty());

        let mut fresh = saved.clone();
        fresh.grounds.source = 8;
        fresh.objects.retain(|planned| planned.name != "dan");
        assert_eq!(
            moved(&saved, &fresh),
            ["the source changed", "`dan`: nothing instead of delete"]
        );
        let mut fresh = saved.clone();
        fresh.memberships.clear();
        assert_eq!(
            moved(&saved, &fresh),
            ["the target, or what is known of it, changed"]
        );
    }
}
