//! Going the way back: a whole plan, as it was shown, with a note in the activity log of what was meant and what came of it.
//!
//! **Start at** [`App::take_back`]. Each object is one unit of work: what is done stays done, whatever becomes of the rest, and a plan that is
//! made anew holds what is left.

use std::sync::atomic::{AtomicU64, Ordering};

use rollcall_model::{Kind, ResourceId};
use rollcall_store::NewAudit;
use rollcall_sync::digest::Digest;
use serde_json::{Value, json};

use super::{Deed, Moment, Revert, Span, Step};
use crate::directory::Context;
use crate::{App, Failure};

/// So many refusals are named in the activity log; the others are counted.
const NAMED: usize = 50;
/// So many digits of a plan's digest are its code.
const CODE: usize = 12;

/// What came of a plan that was carried out.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many objects are what they were.
    pub done: u64,
    /// How many were left alone, as the plan said.
    pub left: u64,
    /// Those that did not become what they were.
    pub refused: Vec<Refusal>,
    /// How many were not tried, because the store was out of reach.
    pub untried: u64,
}

/// An object that did not become what it was.
#[derive(Debug)]
pub struct Refusal {
    /// Which kind of object.
    pub kind: Kind,
    /// Which object.
    pub id: ResourceId,
    /// Why not.
    pub why: Failure,
}

impl Refusal {
    /// Says why not, as the log holds it: without values of the object, which would outlast an erasure.
    fn told(&self) -> String {
        match &self.why {
            Failure::Malformed(_) => "what it was does not fit the schema of today".to_owned(),
            other => other.to_string(),
        }
    }
}

impl Step {
    /// Tells whether somebody cannot sign in afterwards who can before.
    pub fn takes_access(&self) -> bool {
        self.kind == Kind::User
            && match &self.deed {
                Deed::Disable { .. } | Deed::Delete { .. } => true,
                Deed::Restore { attributes, .. } => attributes
                    .iter()
                    .any(|change| change.path == "active" && change.new == Some(false.into())),
                Deed::Recreate { .. } | Deed::Leave(_) => false,
            }
    }

    fn absorb(&self, digest: &mut Digest) {
        digest.text(self.kind.resource_type());
        digest.bytes(self.id.as_bytes());
        let mut ids = |ids: &[ResourceId]| {
            digest.bytes(&(ids.len() as u64).to_be_bytes());
            for id in ids {
                digest.bytes(id.as_bytes());
            }
        };
        match &self.deed {
            Deed::Restore {
                attributes,
                added,
                removed,
                missing,
                ..
            } => {
                for list in [added, removed, missing] {
                    ids(list);
                }
                for change in attributes {
                    digest.text(&change.path);
                    let value = |value: &Option<Value>| value.clone().unwrap_or_default();
                    digest.value(&value(&change.old)).value(&value(&change.new));
                }
            }
            Deed::Recreate {
                document,
                members,
                missing,
            } => {
                ids(members);
                ids(missing);
                digest.value(document);
            }
            Deed::Disable { .. } => drop(digest.text("disable")),
            Deed::Delete { .. } => drop(digest.text("delete")),
            Deed::Leave(reason) => drop(digest.text(&format!("leave {reason:?}"))),
        }
    }
}

impl Revert {
    /// Returns the code of the plan: it changes when anything changes that the plan would do.
    pub fn code(&self) -> String {
        let mut digest = Digest::default();
        for step in &self.steps {
            step.absorb(&mut digest);
        }
        digest.finish().chars().take(CODE).collect()
    }

    /// Returns how many people lose access by it.
    pub fn losing_access(&self) -> u64 {
        self.steps.iter().filter(|step| step.takes_access()).count() as u64
    }
}

impl App {
    /// Carries a plan out, step by step, and counts in `progress` how many steps are behind it. Objects that have changed since the plan
    /// was made are refused one by one. A plan about a span is noted in the activity log before and after, under the id of the request.
    ///
    /// # Errors
    /// When the store is out of reach before anything was done, or when the end cannot be noted.
    pub async fn take_back(
        &self,
        context: &Context,
        span: &Span,
        plan: &Revert,
        progress: &AtomicU64,
    ) -> Result<Outcome, Failure> {
        let asked = json!({
            "from": moment(span.from), "to": moment(span.to), "by": span.by, "deletes": span.deletes, "steps": plan.steps.len(),
        });
        self.note(context, span, "history.begun", asked.clone())
            .await?;
        let mut outcome = Outcome::default();
        for (place, step) in plan.steps.iter().enumerate() {
            match self.carry_out(context, step).await {
                Ok(_) if matches!(step.deed, Deed::Leave(_)) => outcome.left += 1,
                Ok(_) => outcome.done += 1,
                Err(Failure::Unavailable(_)) => {
                    outcome.untried = plan.steps.len().saturating_sub(place) as u64;
                    break;
                }
                Err(why) => outcome.refused.push(Refusal {
                    kind: step.kind,
                    id: step.id,
                    why,
                }),
            }
            progress.fetch_add(1, Ordering::Relaxed);
        }
        let mut told = asked;
        if let (Some(told), Value::Object(came)) = (told.as_object_mut(), came(&outcome)) {
            told.extend(came);
        }
        self.note(context, span, "history.taken_back", told).await?;
        Ok(outcome)
    }

    async fn note(
        &self,
        context: &Context,
        span: &Span,
        action: &'static str,
        detail: Value,
    ) -> Result<(), Failure> {
        // of one object the change itself tells everything
        if span.object.is_some() {
            return Ok(());
        }
        let entry = NewAudit {
            origin: context.origin().clone(),
            action,
            object: context.origin().request.to_string(),
            detail,
        };
        let now = self.now();
        context
            .tenant()
            .write(move |writer| Ok(writer.append_audit(now, &entry)?))
            .await
    }
}

/// What came of it, as the log holds it: with ids, no names, which would outlast an erasure.
fn came(outcome: &Outcome) -> Value {
    let refusals = outcome.refused.iter().take(NAMED);
    let refusals = refusals
        .map(|one| json!({"kind": one.kind.resource_type(), "id": one.id, "reason": one.told()}));
    json!({
        "done": outcome.done, "left": outcome.left, "untried": outcome.untried,
        "refused": outcome.refused.len(), "refusals": refusals.collect::<Vec<_>>(),
    })
}

fn moment(moment: Moment) -> Value {
    match moment {
        Moment::At(at) => json!(at.to_string()),
        Moment::Place(place) => json!(place),
    }
}
