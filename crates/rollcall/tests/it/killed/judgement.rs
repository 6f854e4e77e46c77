//! What is right and wrong in the target, whatever was killed.
//!
//! **Is:** two questions: what may never happen ([`Judgement::news`], [`Judgement::members`]), and what has to be so once two runs were
//! left in peace ([`Judgement::agreement`]).

use std::collections::{BTreeMap, BTreeSet};

use rollcall_model::Kind;
use serde_json::Value;

use super::goal::Goal;
use super::source::{ENTERPRISE, Source};

/// What is remembered of the target.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    /// Who was there before, and is none of ours: one in a group of ours, one alone.
    pub(super) strangers: Vec<String>,
    /// Whose each resource is, also of those that are gone.
    people: BTreeMap<String, usize>,
    groups: BTreeMap<String, usize>,
    /// Who may sign in at the target.
    on: BTreeSet<usize>,
}

impl Judgement {
    /// Looks at everything that happened in the target since the last look.
    pub(super) async fn news(&mut self, source: &Source, goal: &mut Goal) -> Vec<String> {
        let mut wrong = Vec::new();
        for (kind, id, document) in goal.news().await {
            if self.strangers.contains(&id) {
                let is_seed = document.is_some_and(|document| document["title"] == "None of yours");
                if !is_seed {
                    wrong.push(format!("the stranger {id} was touched"));
                }
                continue;
            }
            let found = match (kind, document) {
                (Kind::User, Some(document)) => self.person(source, &id, &document),
                (Kind::Group, Some(document)) => self.group(source, &id, &document),
                (_, None) => self.gone(source, kind, &id),
            };
            wrong.extend(found.err());
        }
        wrong
    }

    fn person(&mut self, source: &Source, id: &str, document: &Value) -> Result<(), String> {
        let name = document["userName"].as_str().unwrap_or_default();
        let owner = source.owners.get(&name.to_lowercase());
        let owner = *owner.ok_or_else(|| format!("nobody ever was `{name}`"))?;
        one_for_one(&mut self.people, id, owner, name)?;
        let number = document[ENTERPRISE]["employeeNumber"].as_str();
        // one that is found is told his number with the first change
        if number.is_some_and(|number| number != format!("E{owner}")) {
            return Err(format!("`{name}` is E{owner}, and has {number:?}"));
        }
        let is_on = document["active"] != false;
        let was_on = self.on.contains(&owner);
        if is_on {
            self.on.insert(owner);
        } else {
            self.on.remove(&owner);
        }
        match (was_on, is_on) {
            (true, false) if !source.seen.off.contains(&owner) => {
                Err(format!("E{owner} was switched off, and is in use"))
            }
            (false, true) if !source.seen.on.contains(&owner) => {
                Err(format!("E{owner} was switched on, and is not in use"))
            }
            _ => Ok(()),
        }
    }

    fn group(&mut self, source: &Source, id: &str, document: &Value) -> Result<(), String> {
        let name = document["displayName"].as_str().unwrap_or_default();
        let owner = source.group_owners.get(name);
        let owner = *owner.ok_or_else(|| format!("no group ever was `{name}`"))?;
        one_for_one(&mut self.groups, id, owner, name)
    }

    fn gone(&mut self, source: &Source, kind: Kind, id: &str) -> Result<(), String> {
        let is_there = match kind {
            Kind::User => self.people.get(id).map(|owner| {
                self.on.remove(owner);
                source.people[*owner].is_there
            }),
            Kind::Group => self
                .groups
                .get(id)
                .map(|owner| source.groups[*owner].is_there),
        };
        if is_there == Some(true) {
            return Err(format!(
                "{kind:?} {id} was deleted, and is there at the source"
            ));
        }
        Ok(())
    }

    /// Looks at who is in which group now.
    pub(super) async fn members(&self, source: &Source, goal: &Goal) -> Vec<String> {
        let mut wrong = Vec::new();
        for group in goal.resources(Kind::Group).await {
            let id = group["id"].as_str().unwrap_or_default();
            let Some(number) = self.groups.get(id) else {
                continue;
            };
            let members = members_of(&group);
            for member in &members {
                let owner = self.people.get(member);
                let may_be = owner.is_some_and(|one| source.memberships.contains(&(*number, *one)));
                if !may_be && !self.strangers.contains(member) {
                    wrong.push(format!(
                        "group {number} has {owner:?} ({member}), who never was in it"
                    ));
                }
            }
            // the first group was there with a stranger in it
            if *number == 0 && !members.contains(&self.strangers[0]) {
                wrong.push("the stranger in group 0 was taken out".to_owned());
            }
        }
        wrong
    }

    /// Compares both ends object by object.
    pub(super) async fn agreement(&self, source: &Source, goal: &Goal) -> Vec<String> {
        let mut wrong = Vec::new();
        let (people, groups) = (
            goal.resources(Kind::User).await,
            goal.resources(Kind::Group).await,
        );
        let id = |resource: &Value| resource["id"].as_str().unwrap_or_default().to_owned();
        let mut there = BTreeMap::new();
        for person in people {
            if let Some(owner) = self.people.get(&id(&person)) {
                there.insert(*owner, person);
            } else if !self.strangers.contains(&id(&person)) {
                wrong.push(format!("nobody knows {person}"));
            }
        }
        for (number, person) in source.people.iter().enumerate() {
            let is_active = person.is_there && person.is_active;
            let account = there.get(&number);
            match account {
                None if is_active => wrong.push(format!("E{number} is not there")),
                Some(_) if !person.is_there => wrong.push(format!("E{number} is there still")),
                Some(account) if !is_active && account["active"] != false => {
                    wrong.push(format!("E{number} is not switched off"));
                }
                Some(account) if is_active => {
                    let manager = person.manager.and_then(|manager| there.get(&manager));
                    let wanted = (
                        person.name.clone(),
                        person.title.clone(),
                        true,
                        format!("E{number}"),
                        manager.map(id).unwrap_or_default(),
                    );
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    let found = (
                        // its case is the target's own
                        text(&account["userName"]).to_lowercase(),
                        text(&account["title"]),
                        account["active"] == true,
                        text(&account[ENTERPRISE]["employeeNumber"]),
                        text(&account[ENTERPRISE]["manager"]["value"]),
                    );
                    if wanted != found {
                        wrong.push(format!("E{number} is {found:?}, should be {wanted:?}"));
                    }
                }
                _ => {}
            }
        }
        let mut met = BTreeMap::new();
        for group in &groups {
            if let Some(owner) = self.groups.get(&id(group)) {
                met.insert(*owner, group);
            } else {
                wrong.push(format!("nobody knows {group}"));
            }
        }
        for (number, group) in source.groups.iter().enumerate() {
            let Some(found) = met.get(&number) else {
                if group.is_there {
                    wrong.push(format!("group {number} is not there"));
                }
                continue;
            };
            let in_use = group.members.iter().filter(|member| {
                let person = &source.people[**member];
                person.is_there && person.is_active
            });
            let mut wanted: BTreeSet<String> = in_use
                .filter_map(|member| there.get(member))
                .map(id)
                .collect();
            if number == 0 {
                wanted.insert(self.strangers[0].clone());
            }
            if !group.is_there {
                wrong.push(format!("group {number} is there still"));
            } else if found["displayName"] != *group.name || members_of(found) != wanted {
                wrong.push(format!("group {number} is {found}, should be {group:?}"));
            }
        }
        wrong
    }
}

/// Makes sure that a resource is one owner's for good, and his only one.
fn one_for_one(
    owners: &mut BTreeMap<String, usize>,
    id: &str,
    owner: usize,
    name: &str,
) -> Result<(), String> {
    if let Some(before) = owners.insert(id.to_owned(), owner)
        && before != owner
    {
        return Err(format!(
            "what was {before}'s is now `{name}`, who is {owner}"
        ));
    }
    let other = owners
        .iter()
        .find(|(other, one)| **one == owner && *other != id);
    match other {
        Some((other, _)) => Err(format!("`{name}` is there twice: {other} and {id}")),
        None => Ok(()),
    }
}

fn members_of(group: &Value) -> BTreeSet<String> {
    let members = group["members"].as_array().into_iter().flatten();
    let ids = members.filter_map(|member| member["value"].as_str());
    ids.map(str::to_owned).collect()
}
