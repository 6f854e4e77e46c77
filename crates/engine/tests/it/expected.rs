//! What the target should hold, worked out from the source's content alone, and what must never have happened to it.
//!
//! Accounts are traced by their employee number, groups by their external id; the engine's links are not asked.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_model::Kind;
use rollcall_model::application::{Leaving, NestedGroups};
use rollcall_testkit::{State, Target};
use serde_json::Value;

use crate::ends::ENTERPRISE;
use crate::setting::Setting;
use crate::source::{Node, Source};

/// Who was entitled, and from which request of the target up to which.
#[derive(Debug, Clone)]
pub(crate) struct Epoch {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) entitled: BTreeSet<Node>,
}

/// Everything that the target and its past are judged by.
#[derive(Debug)]
pub(crate) struct Judgement<'r> {
    pub(crate) source: &'r Source,
    pub(crate) setting: &'r Setting,
    pub(crate) target: &'r Target,
    pub(crate) epochs: &'r [Epoch],
    /// The last request before each cycle.
    pub(crate) cycles: &'r [u64],
    /// Who was out of scope once.
    pub(crate) outsiders: &'r BTreeSet<Node>,
    /// The target's ids of those who are none of ours.
    pub(crate) strangers: &'r [String],
    /// Who was allowed to leave, and after which request; absent: everybody may.
    pub(crate) allowed: Option<&'r [(u64, BTreeSet<Node>)]>,
}

fn number(account: &Value) -> Option<usize> {
    account[ENTERPRISE]["employeeNumber"].as_str()?.parse().ok()
}

fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap().to_owned()
}

impl Judgement<'_> {
    /// Returns what is wrong in the target as it is now.
    pub(crate) fn present(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let entitled = self.source.entitled(self.setting);
        let in_scope = self.source.in_scope(self.setting);
        let mut accounts: BTreeMap<Node, Vec<Value>> = BTreeMap::new();
        for account in self.target.resources(Kind::User) {
            if let Some(number) = number(&account) {
                accounts
                    .entry(Node::Person(number))
                    .or_default()
                    .push(account);
            }
        }
        let by_id = self.source.groups_by_id();
        for group in self.target.resources(Kind::Group) {
            let source = group["externalId"].as_str().and_then(|id| by_id.get(id));
            if let Some(number) = source {
                accounts
                    .entry(Node::Group(*number))
                    .or_default()
                    .push(group);
            }
        }
        let people = (0..self.source.people.len()).map(Node::Person);
        for node in people.chain((0..self.source.groups.len()).map(Node::Group)) {
            let is_left_alone =
                self.setting.leaving == Leaving::Unlink && self.outsiders.contains(&node);
            let found = accounts.get(&node).map(Vec::as_slice).unwrap_or_default();
            match (entitled.contains(&node), found) {
                (true, [only]) => self.compare(node, only, &accounts, &mut wrong),
                (true, found) => wrong.push(format!("{node:?} is there {} times", found.len())),
                (false, []) => {}
                (false, _) if is_left_alone => {}
                (false, [only]) => {
                    let may_stay = matches!(node, Node::Person(_))
                        && self.source.is_there(node)
                        && (in_scope.contains(&node) || self.setting.leaving == Leaving::Disable);
                    if !may_stay {
                        wrong.push(format!("{node:?} should be gone"));
                    } else if only["active"] != false {
                        wrong.push(format!("{node:?} should be switched off"));
                    }
                }
                (false, _) => wrong.push(format!("{node:?} is there more than once")),
            }
        }
        wrong
    }

    fn compare(
        &self,
        node: Node,
        there: &Value,
        accounts: &BTreeMap<Node, Vec<Value>>,
        wrong: &mut Vec<String>,
    ) {
        let mut expect = |what: &str, is: &Value, should: Value| {
            if *is != should {
                wrong.push(format!("{node:?}: {what} is {is}, should be {should}"));
            }
        };
        let counterpart = |node: Node| accounts.get(&node).and_then(|all| all.first()).map(id);
        match node {
            Node::Group(number) => {
                let group = &self.source.groups[number];
                expect(
                    "displayName",
                    &there["displayName"],
                    group.name.as_str().into(),
                );
                self.compare_members(number, there, accounts, wrong);
            }
            Node::Person(number) => {
                let person = &self.source.people[number];
                expect("active", &there["active"], true.into());
                let name = there["userName"].as_str().unwrap().to_lowercase();
                expect("userName", &name.into(), person.user_name.as_str().into());
                expect("title", &there["title"], person.title.as_str().into());
                let name = format!("Person {number}");
                expect("displayName", &there["displayName"], name.into());
                expect(
                    "externalId",
                    &there["externalId"],
                    person.id.to_string().into(),
                );
                let manager = person.manager.map(Node::Person);
                let is_certain = self.setting.leaving != Leaving::Unlink
                    || manager.is_none_or(|manager| !self.outsiders.contains(&manager));
                if is_certain {
                    let should = manager.and_then(counterpart);
                    let is = &there[ENTERPRISE]["manager"]["value"];
                    expect("manager", is, should.map_or(Value::Null, Value::from));
                }
            }
        }
    }

    fn compare_members(
        &self,
        number: usize,
        there: &Value,
        accounts: &BTreeMap<Node, Vec<Value>>,
        wrong: &mut Vec<String>,
    ) {
        let mut should = match self.setting.nested {
            NestedGroups::Flatten => self.source.within(number),
            NestedGroups::Direct | NestedGroups::Keep => self.source.groups[number].members.clone(),
        };
        if self.setting.nested == NestedGroups::Flatten {
            should.retain(|node| matches!(node, Node::Person(_)));
        }
        let entitled = self.source.entitled(self.setting);
        should.retain(|node| entitled.contains(node));
        let whose: BTreeMap<String, Node> = accounts
            .iter()
            .flat_map(|(node, all)| all.iter().map(|one| (id(one), *node)))
            .collect();
        let mut is = BTreeSet::new();
        for member in there["members"].as_array().into_iter().flatten() {
            let value = member["value"].as_str().unwrap();
            match whose.get(value) {
                Some(node) => drop(is.insert(*node)),
                None if self.strangers.iter().any(|stranger| stranger == value) => {}
                None => wrong.push(format!("group {number} has {value}, whom nobody knows")),
            }
        }
        for node in should.symmetric_difference(&is) {
            let is_left_alone = !entitled.contains(node)
                && self.setting.leaving == Leaving::Unlink
                && self.outsiders.contains(node);
            if !is_left_alone {
                let word = if is.contains(node) {
                    "too many"
                } else {
                    "missing"
                };
                wrong.push(format!("group {number}: {node:?} is {word}"));
            }
        }
    }

    /// Returns what should never have happened: strangers touched, people created twice, somebody switched off or deleted whom the source
    /// had in use at that time, or whom nobody had allowed to go.
    pub(crate) fn past(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let histories = self.target.histories();
        let by_id = self.source.groups_by_id();
        let mut lives: BTreeMap<Node, Vec<(u64, u64)>> = BTreeMap::new();
        for (id, states) in &histories {
            if self.strangers.contains(id) {
                if states.len() != 1 {
                    wrong.push(format!("the stranger {id} was touched: {states:#?}"));
                }
                continue;
            }
            let mut documents = states.iter().filter_map(|state| state.document.as_ref());
            let node = documents.clone().find_map(|document| {
                let group = document["externalId"].as_str().and_then(|id| by_id.get(id));
                let group = group.map(|number| Node::Group(*number));
                number(document).map(Node::Person).or(group)
            });
            let Some(node) = node else { continue };
            if documents.any(|document| number(document).is_some_and(|it| Node::Person(it) != node))
            {
                wrong.push(format!("{id} was of {node:?} and of another: {states:#?}"));
            }
            let begun = states.first().map_or(0, |state| state.request);
            let last = states.last().unwrap();
            let ended = if last.document.is_none() {
                last.request
            } else {
                u64::MAX
            };
            lives.entry(node).or_default().push((begun, ended));
            self.departures(node, states, &mut wrong);
        }
        for (node, mut lives) in lives {
            let is_left_alone =
                self.setting.leaving == Leaving::Unlink && self.outsiders.contains(&node);
            lives.sort_unstable();
            let overlap = lives.windows(2).any(|two| two[0].1 > two[1].0);
            if overlap && !is_left_alone {
                wrong.push(format!(
                    "{node:?} was created while it was there: {lives:?}"
                ));
            }
        }
        wrong
    }

    /// Looks whether everybody who left the target was to leave it.
    fn departures(&self, node: Node, states: &[State], wrong: &mut Vec<String>) {
        let is_in_use = |state: &State| {
            let document = state.document.as_ref();
            document.is_some_and(|document| document["active"] != false)
        };
        for two in states.windows(2) {
            let request = two[1].request;
            let leaves = (is_in_use(&two[0]) && !is_in_use(&two[1])) || two[1].document.is_none();
            if !leaves {
                continue;
            }
            let begun = self.cycles.iter().rev().find(|start| **start < request);
            let begun = begun.copied().unwrap_or_default();
            let mut epochs = self
                .epochs
                .iter()
                .filter(|epoch| epoch.from <= request && epoch.to >= begun);
            if epochs.all(|epoch| epoch.entitled.contains(&node)) {
                wrong.push(format!(
                    "{node:?} left by request {request}, and was entitled"
                ));
            }
            let is_allowed = self.allowed.is_none_or(|allowed| {
                let before = allowed.iter().filter(|(since, _)| *since < request);
                before.into_iter().any(|(_, list)| list.contains(&node))
            });
            // who is off already may be deleted with less ado, but not without a word either
            if !is_allowed {
                wrong.push(format!(
                    "{node:?} left by request {request}, and nobody allowed it"
                ));
            }
        }
    }
}
