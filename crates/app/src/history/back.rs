//! Going the way back: a whole plan, as it was shown, with a note in the activity log of what was meant and what came of it.
//!
//! **Start at** [`App::take_back`]. Each object is one unit of work: what is done stays done, whatever becomes of the rest, and a plan that is
//! made anew holds what is left.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use rollcall_model::{Kind, ResourceId};
use rollcall_store::NewAudit;
use rollcall_sync::digest::Digest;
use serde_json::{Value, json};

use super::revert::Turn;
use super::steps::Returns;
use super::{Deed, Moment, Revert, Span, Step, place_of};
use crate::directory::{Context, is_about_members};
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
    /// How many members groups had that they have not again, because these are gone.
    pub missing: u64,
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
    /// What of it could not be done.
    pub part: Part,
    /// Why not.
    pub why: Failure,
}

/// What of a step could not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// It is there again, and lacks members who came after it.
    Members,
}

impl Refusal {
    /// Says why not.
    pub fn said(&self) -> String {
        match self.part {
            Part::Whole => self.why.to_string(),
            Part::Members => format!("it is there again, and lacks members: {}", self.why),
        }
    }

    /// Says why not, as the log holds it: without values of the object, which would outlast an erasure.
    fn told(&self) -> String {
        match (&self.why, self.part) {
            (Failure::Malformed(_), Part::Members) => {
                "it is there again, and lacks members, who cannot be added to it".to_owned()
            }
            (Failure::Malformed(wrong), Part::Whole) if is_about_members(wrong) => {
                "somebody who belonged to it cannot be a member any more".to_owned()
            }
            (Failure::Malformed(_), Part::Whole) => {
                "what it was does not fit the schema of today".to_owned()
            }
            _ => self.said(),
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
                from,
                last,
                members,
                missing,
            } => {
                ids(members);
                ids(missing);
                // what the feed told at a place stays what it told
                digest.bytes(&from.to_be_bytes());
                digest.bytes(&last.to_be_bytes());
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
            "from": moment(span.from), "to": moment(span.to), "until": self.end_of(context, span.to).await?,
            "by": span.by, "deletes": span.deletes, "steps": plan.steps.len(),
        });
        self.note(context, span, "history.begun", asked.clone())
            .await?;
        let mut run = Run {
            app: self,
            context,
            progress,
            returns: Returns::of(plan),
            later: Vec::new(),
            tried: 0,
            outcome: Outcome::default(),
        };
        // the store is out of reach: what was not tried is counted
        let _is_over = run.go(plan).await;
        let untried = plan.steps.len().saturating_sub(run.tried) as u64;
        let outcome = Outcome {
            untried,
            ..run.outcome
        };
        let mut told = asked;
        if let (Some(told), Value::Object(came)) = (told.as_object_mut(), came(&outcome)) {
            told.extend(came);
        }
        self.note(context, span, "history.taken_back", told).await?;
        Ok(outcome)
    }

    /// Returns the instant of the last change that a plan up to this moment is about: whoever plans what is left asks for the same span.
    async fn end_of(&self, context: &Context, to: Moment) -> Result<Option<String>, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let before = place_of(reader, to)?.saturating_sub(1);
                let last = reader.touched(before, 1)?;
                Ok(last.first().map(|last| last.at.to_string()))
            })
            .await
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

/// A plan on its way.
struct Run<'a> {
    app: &'a App,
    context: &'a Context,
    progress: &'a AtomicU64,
    returns: Returns,
    /// Groups that are there again, with members whose turn came after theirs.
    later: Vec<(ResourceId, Vec<ResourceId>)>,
    tried: usize,
    outcome: Outcome,
}

impl Run<'_> {
    /// Goes all the way; breaks off when the store is out of reach.
    async fn go(&mut self, plan: &Revert) -> ControlFlow<()> {
        let all_are_back = |step: &Step| step.turn() > Turn::BringGroups;
        let first = plan.steps.iter().take_while(|step| !all_are_back(step));
        for step in first {
            self.take(step).await?;
        }
        self.reunite().await?;
        for step in plan.steps.iter().skip_while(|step| !all_are_back(step)) {
            self.take(step).await?;
        }
        ControlFlow::Continue(())
    }

    async fn take(&mut self, step: &Step) -> ControlFlow<()> {
        let came = self.app.take_step(self.context, step, &self.returns).await;
        if matches!(came, Err(Failure::Unavailable(_))) {
            return ControlFlow::Break(());
        }
        if matches!(step.deed, Deed::Recreate { .. }) {
            let came = came.as_ref().ok().map(|done| done.id);
            self.returns.note(step.id, came);
        }
        match came {
            Ok(_) if matches!(step.deed, Deed::Leave(_)) => self.outcome.left += 1,
            Ok(done) => {
                self.outcome.done += 1;
                self.outcome.missing += done.missing;
                if !done.later.is_empty() {
                    self.later.push((done.id, done.later));
                }
            }
            Err(why) => self.outcome.refused.push(Refusal {
                kind: step.kind,
                id: step.id,
                part: Part::Whole,
                why,
            }),
        }
        self.tried += 1;
        self.progress.fetch_add(1, Ordering::Relaxed);
        ControlFlow::Continue(())
    }

    /// Gives groups that are there again those members who came after them.
    async fn reunite(&mut self) -> ControlFlow<()> {
        for (group, later) in std::mem::take(&mut self.later) {
            let added = self
                .app
                .add_later(self.context, group, &later, &self.returns);
            match added.await {
                Ok(missing) => self.outcome.missing += missing,
                Err(Failure::Unavailable(_)) => return ControlFlow::Break(()),
                Err(why) => {
                    self.outcome.done -= 1;
                    self.outcome.refused.push(Refusal {
                        kind: Kind::Group,
                        id: group,
                        part: Part::Members,
                        why,
                    });
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// What came of it, as the log holds it: with ids, no names, which would outlast an erasure.
fn came(outcome: &Outcome) -> Value {
    let refusals = outcome.refused.iter().take(NAMED);
    let refusals = refusals
        .map(|one| json!({"kind": one.kind.resource_type(), "id": one.id, "reason": one.told()}));
    json!({
        "done": outcome.done, "left": outcome.left, "untried": outcome.untried, "missing": outcome.missing,
        "refused": outcome.refused.len(), "refusals": refusals.collect::<Vec<_>>(),
    })
}

fn moment(moment: Moment) -> Value {
    match moment {
        Moment::At(at) => json!(at.to_string()),
        Moment::Place(place) => json!(place),
    }
}
