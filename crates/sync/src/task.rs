//! The steps by which one object comes to be in the target what it should be.
//!
//! **Is:** a state machine: [`Task::step`] says what to do next, [`Task::answer`] takes what came back. It finishes with an
//! [`Ending`]: what was done, and the link to remember.
//! **Is not:** anything that waits. A run takes every step; a plan takes the reading steps and stops before the first write, so both
//! decide alike.
//! **Start at** [`Task::new`]. The order: scope → match (linked, adoptable, ambiguous, absent) → map → compare → write.
//!
//! INVARIANT: a creation is preceded by a look-up in the same task, and its intent is remembered before it is sent: after a
//! crash or an unknown outcome the next task looks first, and goes on with what it had created itself. Before a counterpart is changed,
//! the link remembers which it is, and forgets what both ends agreed on.

use jiff::Timestamp;
use rollcall_model::Kind;
use rollcall_model::link::{Intent, Link, LinkState};
use rollcall_model::mapping::defaults;
use rollcall_model::provisioning::ModifiedProperty;
use rollcall_scim::key::canonical;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crate::entitlement::Entitlement;
pub use crate::exchange::{
    Answer, Extent, INCOMPATIBLE, INSUFFICIENT_RIGHTS, REFERENCES_FAILED, Step, Trouble,
    UNAUTHORIZED, Write, member_patch, reference_patch,
};

use crate::entitlement::is_off;
use crate::rules::ObjectRules;
use crate::source::SourceObject;
use crate::target_path::{TargetPath, member};
use crate::wish::{Surroundings, Unmappable, Wish};

/// What was decided about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// Deleted in the target.
    Delete,
    /// Switched off in the target.
    Disable,
    /// Not done until somebody allows it.
    Hold,
    /// Created in the target.
    Create,
    /// Found in the target by a matching attribute, and linked.
    Adopt,
    /// Changed in the target.
    Update,
    /// As it should be.
    Keep,
    /// Left out.
    Skip,
    /// Failed.
    Fail,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// What was decided, and done unless it failed.
    pub decision: Decision,
    /// Why, as a code of the provisioning log: `RedundantExport`, `NotEffectivelyEntitled`, `DuplicateTargetEntries`, …
    pub reason: Option<Trouble>,
    /// What changed in the target.
    pub properties: Vec<ModifiedProperty>,
    /// The link to remember; absent: none is to be kept.
    pub link: Option<Link>,
}

/// One object on its way.
#[derive(Debug)]
pub struct Task<'r> {
    rules: &'r ObjectRules,
    object: &'r SourceObject,
    link: Link,
    now: Timestamp,
    wish: Option<Wish>,
    /// By what an object that has to go is looked up, when its counterpart is not where it was.
    places: Vec<(String, String)>,
    entitlement: Entitlement,
    state: State,
    properties: Vec<ModifiedProperty>,
    decision: Decision,
    /// Whether the link on disk names the counterpart that is about to be changed.
    is_remembered: bool,
    /// Whether a counterpart that was read or found turned out not to be there.
    was_lost: bool,
}

const VANISHED_AND_LEFT_ALONE: &str =
    "the source does not have it any more, and this application leaves such accounts alone";

#[derive(Debug)]
enum State {
    /// Asks for a linked resource.
    Linked(String),
    /// Looks up by the matching attribute at this place.
    Matching(usize),
    /// Looks up somebody who has to go, by the matching attribute at this place.
    Tracing(usize),
    /// Looks up what a creation of unknown outcome may have left.
    Seeking(Intent),
    /// Remembers that the counterpart is about to be changed, and which it is.
    Marking(Box<Self>),
    /// Remembers the intent to create.
    Intending,
    Creating(Map<String, Value>),
    Patching {
        id: String,
        operations: Vec<Value>,
    },
    Deleting(String),
    Over(Option<Box<Ending>>),
}

impl<'r> Task<'r> {
    /// Begins with an object, what is remembered of it, and whether it is entitled.
    pub fn new(
        rules: &'r ObjectRules,
        object: &'r SourceObject,
        link: Link,
        entitlement: Entitlement,
        surroundings: &Surroundings<'_>,
    ) -> Self {
        let mut task = Self {
            rules,
            object,
            is_remembered: link.target_id.is_some(),
            link,
            now: surroundings.now,
            wish: None,
            places: Vec::new(),
            entitlement,
            state: State::Over(None),
            properties: Vec::new(),
            decision: Decision::Keep,
            was_lost: false,
        };
        task.begin(surroundings);
        task
    }

    fn begin(&mut self, surroundings: &Surroundings<'_>) {
        match self.entitlement {
            Entitlement::Entitled => match self.map(surroundings) {
                Err(unmappable) => self.unmappable(&unmappable),
                Ok(wish) => self.begin_entitled(wish),
            },
            Entitlement::Blocked | Entitlement::OutOfScope | Entitlement::Excluded => {
                self.places = Wish::places(self.rules, self.object, surroundings);
                self.begin_leaving();
            }
            // nothing is left of it by which it could be looked up
            Entitlement::Vanished => self.begin_leaving(),
            Entitlement::Gone => match (self.link.target_id.clone(), self.link.state.clone()) {
                // a permanent deletion reaches also who was left alone, unless that was because nothing may be deleted
                (_, LinkState::Released) if !self.rules.actions.delete => {
                    self.end_without_link(Decision::Skip, Some(self.entitlement.reason()));
                }
                (Some(id), _) => self.delete(id),
                (None, LinkState::Creating(intent)) => self.state = State::Seeking(intent),
                (None, _) => {
                    self.end_without_link(Decision::Skip, Some(self.entitlement.reason()));
                }
            },
        }
    }

    fn begin_entitled(&mut self, wish: Wish) {
        let is_at_rest = self.link.failure.as_ref().is_none_or(|failure| {
            // the object itself is well; what it refers to is tried again in a pass of its own
            failure.code == REFERENCES_FAILED
        });
        let is_unchanged = self.link.state == LinkState::Active
            && self.link.digest.as_deref() == Some(wish.digest(self.rules).as_str())
            && is_at_rest;
        self.wish = Some(wish);
        match (self.link.target_id.clone(), self.link.state.clone()) {
            (Some(_), _) if is_unchanged => {
                self.end(Decision::Keep, Some(("RedundantExport", "nothing changed")));
            }
            (Some(id), _) => self.state = State::Linked(id),
            // what was begun is found under the value that it was begun with, though the object may have another one now
            (None, LinkState::Creating(intent)) => self.state = State::Seeking(intent),
            (None, _) => self.look_up(0),
        }
    }

    /// Switches off, or deletes where that is not possible. Nothing else is mapped or sent: no other attribute may stand in the way
    /// of somebody who has to go.
    fn begin_leaving(&mut self) {
        let target_id = self.link.target_id.clone();
        if self.entitlement.leaves_alone(self.rules) {
            if self.entitlement == Entitlement::Vanished {
                // nobody comes back from a source that has no such object: what comes is looked up like anybody
                return self.end_without_link(Decision::Skip, Some(VANISHED_AND_LEFT_ALONE));
            }
            if target_id.is_some() {
                self.link.state = LinkState::Released;
            }
            return self.skip(match self.entitlement {
                Entitlement::Excluded => self.entitlement.reason(),
                _ => "it left the scope, and this application leaves such accounts alone",
            });
        }
        match (self.link.state.clone(), target_id) {
            (LinkState::Creating(intent), None) => self.state = State::Seeking(intent),
            (_, Some(_)) if is_off(&self.link) && self.disables() => {
                self.skip("it is switched off in the target already");
            }
            (_, None) => self.skip(self.entitlement.reason()),
            (_, Some(id)) if self.disables() => {
                self.decision = Decision::Disable;
                self.state = State::Linked(id);
            }
            (_, Some(id)) => self.delete(id),
        }
    }

    /// Tells whether who is not entitled is switched off rather than deleted.
    fn disables(&self) -> bool {
        !self.entitlement.deletes(self.rules, self.object.kind)
    }

    /// Reads what became of a creation of unknown outcome.
    fn sought(&mut self, intent: &Intent, found: &[Map<String, Value>]) {
        let Intent { attribute, value } = intent;
        if !found.iter().all(|one| has_value(one, attribute, value)) {
            return self.fail(unfiltered(attribute));
        }
        match found {
            [] => self.not_begun(),
            [only] => {
                let Some(id) = id_of(only) else {
                    return self.fail(nameless());
                };
                self.link.target_id = Some(id.clone());
                match self.entitlement {
                    Entitlement::Entitled => {
                        self.decision = Decision::Create;
                        self.compare(id, only);
                    }
                    _ if self.disables() => {
                        self.decision = Decision::Disable;
                        self.compare(id, only);
                    }
                    _ => self.delete(id),
                }
            }
            _ => self.fail(ambiguous(attribute, value)),
        }
    }

    /// A creation of unknown outcome left nothing.
    fn not_begun(&mut self) {
        self.link.state = LinkState::Unlinked;
        match self.entitlement {
            Entitlement::Entitled => self.look_up(0),
            _ => self.end_without_link(Decision::Skip, Some(self.entitlement.reason())),
        }
    }

    fn map(&self, surroundings: &Surroundings<'_>) -> Result<Wish, Unmappable> {
        Wish::of(self.rules, self.object, surroundings)
    }

    /// Ends the task without writing: somebody has to allow it first.
    pub fn hold(mut self) -> Ending {
        self.link.state = LinkState::Held;
        let message =
            "more objects would leave than the deletion guard allows; allow it, or bring them back"
                .to_owned();
        self.ending(
            Decision::Hold,
            Some(Trouble::of_object("TooManyDeletes", message, true)),
        )
    }

    /// Returns what to do next.
    pub fn step(&mut self) -> Step {
        match &mut self.state {
            State::Linked(id) => Step::Get { id: id.clone() },
            State::Matching(place) => {
                let matching = self
                    .wish
                    .as_ref()
                    .and_then(|wish| wish.matching.get(*place));
                let (attribute, value) = matching.cloned().unwrap_or_default();
                Step::Find { attribute, value }
            }
            State::Tracing(place) => {
                let (attribute, value) = self.places.get(*place).cloned().unwrap_or_default();
                Step::Find { attribute, value }
            }
            State::Seeking(Intent { attribute, value }) => Step::Find {
                attribute: attribute.clone(),
                value: value.clone(),
            },
            State::Intending | State::Marking(_) => Step::Remember(Box::new(self.link.clone())),
            State::Creating(body) => Step::Write(Write::Create { body: body.clone() }),
            State::Patching { id, operations } => Step::Write(Write::Patch {
                id: id.clone(),
                operations: operations.clone(),
            }),
            State::Deleting(id) => Step::Write(Write::Delete { id: id.clone() }),
            State::Over(ending) => match ending.take() {
                Some(ending) => Step::End(ending),
                None => Step::End(Box::new(self.ending(Decision::Fail, Some(unexpected())))),
            },
        }
    }

    /// Returns what would be done and changed if the task went on from here: for plans, before a write.
    pub fn prospect(&self) -> (Decision, Vec<ModifiedProperty>) {
        (self.decision, self.properties.clone())
    }

    /// Takes what came back.
    pub fn answer(&mut self, answer: Answer) {
        let state = std::mem::replace(&mut self.state, State::Over(None));
        match (state, answer) {
            (State::Intending | State::Creating(_), Answer::Failed(trouble)) => {
                self.refused(trouble);
            }
            (_, Answer::Failed(trouble) | Answer::Unknown(trouble)) => self.fail(trouble),
            (State::Linked(id), Answer::Got(Some(there))) => self.compare(id, &there),
            (State::Matching(place), Answer::Found(found)) => self.matched(place, &found),
            (State::Matching(_), Answer::TakenByAnother(message)) => {
                self.fail(trouble("DuplicateSourceEntries", &message, false));
            }
            (State::Seeking(intent), Answer::Found(found)) => self.sought(&intent, &found),
            (State::Tracing(place), Answer::Found(found)) => self.traced(place, &found),
            (State::Tracing(place), Answer::TakenByAnother(_)) => self.trace(place + 1),
            // what carries the value now was not made by this object
            (State::Seeking(_), Answer::TakenByAnother(_)) => self.not_begun(),
            (State::Intending, Answer::Remembered) => self.create(),
            (State::Marking(next), Answer::Remembered) => {
                self.is_remembered = true;
                self.state = *next;
            }
            (State::Creating(_), Answer::Created(id)) => {
                self.link.target_id = Some(id);
                self.settle(Decision::Create);
            }
            (State::Creating(_), Answer::Conflict(message)) => {
                self.refused(trouble("Conflict", &message, true));
            }
            (State::Patching { .. }, Answer::Conflict(message)) => {
                self.fail(trouble("Conflict", &message, true));
            }
            (State::Patching { .. }, Answer::Done) => self.settle(self.decision),
            (State::Linked(_), Answer::Got(None)) | (State::Patching { .. }, Answer::Missing) => {
                self.lost();
            }
            (State::Deleting(_), Answer::Done | Answer::Missing) => {
                self.end_without_link(Decision::Delete, None);
            }
            _ => self.fail(unexpected()),
        }
    }

    /// The target has certainly not created it: nothing is to be looked for later.
    fn refused(&mut self, trouble: Trouble) {
        self.link.state = LinkState::Unlinked;
        self.fail(trouble);
    }

    fn look_up(&mut self, place: usize) {
        let count = self.wish.as_ref().map_or(0, |wish| wish.matching.len());
        if count == 0 {
            let message = "it has no value for any matching attribute, so it cannot be looked up";
            return self.end(Decision::Skip, Some(("ImportSkipped", message)));
        }
        if place < count {
            self.state = State::Matching(place);
        } else if self.rules.actions.create {
            let wish = self.wish.as_ref();
            let body = wish.map(|wish| wish.creation(self.rules, schema(self.object.kind)));
            match body {
                Some(Ok((_, properties))) => self.properties = properties,
                Some(Err(unmappable)) => return self.unmappable(&unmappable),
                None => return self.fail(unexpected()),
            }
            let first = wish.and_then(|wish| wish.matching.first());
            let (attribute, value) = first.cloned().unwrap_or_default();
            self.link.state = LinkState::Creating(Intent { attribute, value });
            self.link.changed = self.now;
            self.decision = Decision::Create;
            self.state = State::Intending;
        } else {
            self.end(
                Decision::Skip,
                Some((
                    "NotPermitted",
                    "creations are switched off for this application",
                )),
            );
        }
    }

    /// Reads what a look-up found. The target is not trusted to have filtered: what it sent must have the value.
    fn matched(&mut self, place: usize, found: &[Map<String, Value>]) {
        let matching = self.wish.as_ref().and_then(|wish| wish.matching.get(place));
        let (attribute, value) = matching.cloned().unwrap_or_default();
        if !found.iter().all(|one| has_value(one, &attribute, &value)) {
            return self.fail(unfiltered(&attribute));
        }
        match found {
            [] => self.look_up(place + 1),
            [only] => match id_of(only) {
                Some(id) => {
                    self.decision = Decision::Adopt;
                    self.link.target_id = Some(id.clone());
                    self.compare(id, only);
                }
                None => self.fail(nameless()),
            },
            _ => self.fail(ambiguous(&attribute, &value)),
        }
    }

    /// Compares what is there with what should be.
    fn compare(&mut self, id: String, there: &Map<String, Value>) {
        let (operations, properties) = if self.entitlement == Entitlement::Entitled {
            let Some(wish) = &self.wish else {
                return self.fail(unexpected());
            };
            wish.changes(self.rules, there)
        } else {
            self.rules.switch_off(there)
        };
        self.properties = properties;
        if operations.is_empty() {
            return match self.decision {
                Decision::Keep => self.settle_quietly(),
                decision => self.settle(decision),
            };
        }
        if self.decision == Decision::Keep {
            self.decision = Decision::Update;
        }
        if !self.rules.actions.update {
            let message = "updates are switched off for this application";
            return self.end(Decision::Skip, Some(("NotPermitted", message)));
        }
        let was_off = matches!(self.link.state, LinkState::Disabled | LinkState::Released);
        if self.entitlement == Entitlement::Entitled && was_off {
            // once the request is on its way, nobody may believe that it is switched off
            self.link.state = LinkState::Active;
            self.is_remembered = false;
        }
        self.mark(State::Patching { id, operations });
    }

    /// Goes on to change the counterpart, once the link on disk says which it is and that nobody knows what it holds: the sender may
    /// die before it can remember the outcome, and the source may be as it was before by then.
    fn mark(&mut self, next: State) {
        self.is_remembered &= self.link.digest.is_none();
        self.link.digest = None;
        self.state = if self.is_remembered {
            next
        } else {
            State::Marking(Box::new(next))
        };
    }

    /// The counterpart is not there any more.
    fn lost(&mut self) {
        if self.entitlement != Entitlement::Entitled && !self.was_lost {
            self.was_lost = true;
            self.is_remembered = false;
            return self.trace(0);
        }
        if self.was_lost {
            let message = "the target finds it, and then says that it is not there";
            return self.fail(trouble("InvalidAnchor", message, true));
        }
        self.was_lost = true;
        self.is_remembered = false;
        let Link {
            application,
            kind,
            object,
            ..
        } = self.link;
        self.link = Link::new(application, kind, object, self.now);
        self.decision = Decision::Keep;
        self.look_up(0);
    }

    /// Looks for somebody who has to go and is not where he was: deleted and made again by hand, say.
    fn trace(&mut self, place: usize) {
        if place < self.places.len() {
            self.state = State::Tracing(place);
        } else {
            let message = "its counterpart is not in the target any more";
            self.end_without_link(Decision::Skip, Some(message));
        }
    }

    fn traced(&mut self, place: usize, found: &[Map<String, Value>]) {
        let (attribute, value) = self.places.get(place).cloned().unwrap_or_default();
        if !found.iter().all(|one| has_value(one, &attribute, &value)) {
            return self.fail(unfiltered(&attribute));
        }
        match found {
            [] => self.trace(place + 1),
            [only] => match id_of(only) {
                Some(id) => {
                    self.link.target_id = Some(id.clone());
                    self.compare(id, only);
                }
                None => self.fail(nameless()),
            },
            _ => self.fail(ambiguous(&attribute, &value)),
        }
    }

    fn create(&mut self) {
        let Some(wish) = &self.wish else {
            return self.fail(unexpected());
        };
        match wish.creation(self.rules, schema(self.object.kind)) {
            Ok((body, properties)) => {
                self.properties = properties;
                self.state = State::Creating(body);
            }
            Err(unmappable) => self.unmappable(&unmappable),
        }
    }

    fn delete(&mut self, id: String) {
        self.decision = Decision::Delete;
        if self.rules.actions.delete {
            self.mark(State::Deleting(id));
        } else {
            self.link.state = LinkState::Released;
            self.end(
                Decision::Skip,
                Some((
                    "NotPermitted",
                    "deletions are switched off for this application",
                )),
            );
        }
    }

    /// The target is as it should be: the link remembers it. Whether somebody who was found there took everything is seen in the next
    /// cycle.
    fn settle(&mut self, decision: Decision) {
        self.remember_agreement();
        if decision == Decision::Adopt && !self.properties.is_empty() && self.link.is_active() {
            self.link.adopted = true;
            self.link.digest = None;
        }
        let ending = self.ending(decision, None);
        self.state = State::Over(Some(Box::new(ending)));
    }

    fn settle_quietly(&mut self) {
        self.remember_agreement();
        self.end(
            Decision::Keep,
            Some(("RedundantExport", "both sides are equal")),
        );
    }

    fn remember_agreement(&mut self) {
        self.link.state = match self.entitlement {
            Entitlement::Entitled => LinkState::Active,
            _ => LinkState::Disabled,
        };
        // of who was switched off, nothing else was compared
        let wish = self.wish.as_ref();
        let wish = wish.filter(|_| self.entitlement == Entitlement::Entitled);
        self.link.digest = wish.map(|wish| wish.digest(self.rules));
        if let Some(name) = self.object.name() {
            self.link.name = Some(name.to_owned());
        }
        self.link.adopted = false;
        self.forget_failure();
        if self.entitlement != Entitlement::Entitled {
            // references are compared when it comes back
            self.link.failure = None;
            self.link.waiting = false;
        }
        self.link.changed = self.now;
    }

    fn unmappable(&mut self, unmappable: &Unmappable) {
        match unmappable {
            Unmappable::LeftOut { .. } => self.end(
                Decision::Skip,
                Some((unmappable.code(), &unmappable.to_string())),
            ),
            Unmappable::Failed { .. } | Unmappable::Unfit { .. } => {
                self.fail(trouble(unmappable.code(), &unmappable.to_string(), true));
            }
        }
    }

    /// Forgets what went wrong with the object itself.
    fn forget_failure(&mut self) {
        let failure = self.link.failure.take();
        self.link.failure = failure.filter(|failure| failure.code == REFERENCES_FAILED);
    }

    fn fail(&mut self, trouble: Trouble) {
        let ending = self.ending(Decision::Fail, Some(trouble));
        self.state = State::Over(Some(Box::new(ending)));
    }

    fn end(&mut self, decision: Decision, reason: Option<(&str, &str)>) {
        let reason = reason.map(|(code, message)| trouble(code, message, false));
        // whatever went wrong before, there is nothing to be tried again
        self.forget_failure();
        if matches!(self.link.state, LinkState::Released | LinkState::Disabled) {
            // its references are compared when it comes back
            self.link.failure = None;
            self.link.waiting = false;
            self.link.adopted = false;
        }
        let ending = self.ending(decision, reason);
        self.state = State::Over(Some(Box::new(ending)));
    }

    fn skip(&mut self, message: &str) {
        self.end(Decision::Skip, Some(("NotEffectivelyEntitled", message)));
    }

    /// Ends with nothing to remember.
    fn end_without_link(&mut self, decision: Decision, reason: Option<&str>) {
        let reason = reason.map(|message| trouble("NotEffectivelyEntitled", message, false));
        let ending = Ending {
            decision,
            reason,
            properties: Vec::new(),
            link: None,
        };
        self.state = State::Over(Some(Box::new(ending)));
    }

    fn ending(&self, decision: Decision, reason: Option<Trouble>) -> Ending {
        let is_nothing =
            matches!(self.link.state, LinkState::Unlinked) && self.link.target_id.is_none();
        let keeps = !is_nothing || decision == Decision::Fail;
        Ending {
            decision,
            reason,
            properties: self.properties.clone(),
            link: keeps.then(|| self.link.clone()),
        }
    }
}

fn schema(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "urn:ietf:params:scim:schemas:core:2.0:User",
        Kind::Group => defaults::GROUP,
    }
}

/// Tells whether a resource of the target has a value, in whatever case.
fn has_value(resource: &Map<String, Value>, attribute: &str, value: &str) -> bool {
    let path = TargetPath::parse(attribute);
    let there = path
        .as_ref()
        .ok()
        .and_then(|path| path.find(resource))
        .and_then(Value::as_str);
    there.is_some_and(|there| canonical(there) == canonical(value))
}

fn id_of(resource: &Map<String, Value>) -> Option<String> {
    let id = member(resource, "id").and_then(Value::as_str);
    id.filter(|id| !id.is_empty()).map(str::to_owned)
}

fn unfiltered(attribute: &str) -> Trouble {
    let message =
        format!("the target answered a filter on `{attribute}` with objects that do not match it");
    trouble(INCOMPATIBLE, &message, false)
}

fn nameless() -> Trouble {
    trouble(
        INCOMPATIBLE,
        "the target found an object without an id",
        false,
    )
}

fn ambiguous(attribute: &str, value: &str) -> Trouble {
    let message = format!(
        "the target has several objects whose `{attribute}` is `{value}`: make it unique there"
    );
    trouble("DuplicateTargetEntries", &message, false)
}

fn trouble(code: &str, message: &str, may_pass: bool) -> Trouble {
    Trouble::of_object(code, message, may_pass)
}

fn unexpected() -> Trouble {
    trouble(
        "InternalError",
        "a step was answered by something that it did not ask for",
        true,
    )
}
