//! The source as the model test knows it: who is there, changed at random, at the real source and in a copy of it.
//!
//! **Is:** the independent account of what the target should hold. **Is not:** the engine's: who is entitled is found here by walking the
//! groups from the outside in, over plain sets.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_model::application::{NestedGroups, Scope};
use rollcall_model::{Kind, ResourceId};
use serde_json::json;

use crate::chance::Chance;
use crate::ends::{ENTERPRISE, Ends};
use crate::setting::Setting;

/// A person of the source; who comes back after a deletion is the same one.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) number: usize,
    pub(crate) id: ResourceId,
    pub(crate) user_name: String,
    pub(crate) title: String,
    pub(crate) manager: Option<usize>,
    pub(crate) is_active: bool,
    pub(crate) is_there: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) id: ResourceId,
    pub(crate) name: String,
    pub(crate) members: BTreeSet<Node>,
    pub(crate) is_there: bool,
}

/// A person or group by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Person(usize),
    Group(usize),
}

/// Everybody at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub(crate) people: Vec<Person>,
    pub(crate) groups: Vec<Group>,
    pub(crate) assigned: BTreeSet<Node>,
    /// Who was deleted and came back within one change.
    pub(crate) blinked: Option<Node>,
    /// Whether every account is linked for certain. Before that a name may be looked up under which the account of somebody else still stands.
    pub(crate) is_settled: bool,
    /// Who has the name that another one had; they are not deleted, so that nobody is looked up by such a name.
    swapped: BTreeSet<usize>,
    /// How many names were given.
    names: usize,
}

impl Source {
    pub(crate) fn id(&self, node: Node) -> ResourceId {
        match node {
            Node::Person(number) => self.people[number].id,
            Node::Group(number) => self.groups[number].id,
        }
    }

    pub(crate) fn is_there(&self, node: Node) -> bool {
        match node {
            Node::Person(number) => self.people.get(number).is_some_and(|one| one.is_there),
            Node::Group(number) => self.groups.get(number).is_some_and(|one| one.is_there),
        }
    }

    /// Returns everybody within a group, at any depth.
    pub(crate) fn within(&self, group: usize) -> BTreeSet<Node> {
        let (mut found, mut open) = (BTreeSet::new(), vec![group]);
        while let Some(group) = open.pop() {
            for member in &self.groups[group].members {
                if found.insert(*member)
                    && let Node::Group(inner) = member
                {
                    open.push(*inner);
                }
            }
        }
        found
    }

    /// Returns who is in scope: assigned, or brought by a group that is.
    pub(crate) fn in_scope(&self, setting: &Setting) -> BTreeSet<Node> {
        let people = (0..self.people.len()).map(Node::Person);
        let all: BTreeSet<Node> = people
            .chain((0..self.groups.len()).map(Node::Group))
            .filter(|node| self.is_there(*node))
            .collect();
        if setting.scope == Scope::All {
            return all;
        }
        let mut brought = self.assigned.clone();
        for node in &self.assigned {
            let Node::Group(group) = *node else { continue };
            if !self.is_there(*node) {
                continue;
            }
            let is_person = |node: &Node| matches!(node, Node::Person(_));
            match setting.nested {
                NestedGroups::Direct => {
                    brought.extend(
                        self.groups[group]
                            .members
                            .iter()
                            .filter(|one| is_person(one)),
                    );
                }
                NestedGroups::Flatten => {
                    brought.extend(self.within(group).iter().filter(|one| is_person(one)));
                }
                NestedGroups::Keep => brought.extend(self.within(group)),
            }
        }
        brought.intersection(&all).copied().collect()
    }

    /// Returns who is to be in use in the target.
    pub(crate) fn entitled(&self, setting: &Setting) -> BTreeSet<Node> {
        let mut entitled = self.in_scope(setting);
        entitled.retain(|node| match node {
            Node::Person(number) => self.people[*number].is_active,
            Node::Group(_) => true,
        });
        entitled
    }

    fn nodes(&self, may: impl Fn(&Node) -> bool) -> Vec<Node> {
        let people = (0..self.people.len()).map(Node::Person);
        let groups = (0..self.groups.len()).map(Node::Group);
        let there = people.chain(groups).filter(|node| self.is_there(*node));
        there.filter(may).collect()
    }

    fn person(&self, chance: &mut Chance) -> Option<usize> {
        let people = self.nodes(|node| matches!(node, Node::Person(_)));
        match people.as_slice() {
            [] => None,
            some => match chance.pick(some) {
                Node::Person(number) => Some(number),
                Node::Group(_) => None,
            },
        }
    }

    fn group(&self, chance: &mut Chance) -> Option<usize> {
        match self.nodes(|node| matches!(node, Node::Group(_))).as_slice() {
            [] => None,
            some => match chance.pick(some) {
                Node::Group(number) => Some(number),
                Node::Person(_) => None,
            },
        }
    }

    fn new_name(&mut self, number: usize) -> String {
        self.names += 1;
        format!("p{number}.{}@northwind.example", self.names)
    }

    pub(crate) async fn add_person(&mut self, ends: &Ends, chance: &mut Chance) -> String {
        self.is_settled = false;
        let number = self.people.len();
        let person = Person {
            number,
            // known once it was made
            id: ResourceId::from_bytes([0; 16]),
            user_name: self.new_name(number),
            title: format!("Title {}", self.names),
            manager: self.person(chance).filter(|_| chance.happens(60)),
            is_active: chance.happens(85),
            is_there: true,
        };
        self.people.push(person);
        self.make_person(ends, number).await;
        let person = &self.people[number];
        format!(
            "person {number} comes as {} ({})",
            person.user_name, person.id
        )
    }

    async fn make_person(&mut self, ends: &Ends, number: usize) {
        let person = &self.people[number];
        let mut enterprise = json!({"employeeNumber": number.to_string()});
        if let Some(manager) = person.manager {
            enterprise["manager"] = json!({"value": self.people[manager].id});
        }
        let body = json!({
            "userName": person.user_name, "active": person.is_active, "title": person.title,
            "displayName": format!("Person {number}"), ENTERPRISE: enterprise,
        });
        self.people[number].id = ends.create(Kind::User, body).await;
    }

    pub(crate) async fn add_group(&mut self, ends: &Ends) -> String {
        let number = self.groups.len();
        let name = format!("Group {number}");
        let id = ends.group(&name, &[]).await;
        self.groups.push(Group {
            id,
            name,
            members: BTreeSet::new(),
            is_there: true,
        });
        format!("group {number} comes ({id})")
    }

    /// Changes something; returns what, for people.
    pub(crate) async fn change(
        &mut self,
        ends: &Ends,
        setting: &Setting,
        chance: &mut Chance,
    ) -> Option<String> {
        match chance.within(0, 22) {
            0 => return Some(self.add_person(ends, chance).await),
            1 | 2 => {
                let number = self.person(chance)?;
                let name = self.new_name(number);
                let was = std::mem::replace(&mut self.people[number].user_name, name.clone());
                let id = self.people[number].id;
                ends.set(Kind::User, id, "userName", name.clone().into())
                    .await;
                Some(format!("{was} is renamed {name}"))
            }
            3 => {
                let number = self.person(chance)?;
                self.names += 1;
                let title = format!("Title {}", self.names);
                self.people[number].title.clone_from(&title);
                ends.set(
                    Kind::User,
                    self.people[number].id,
                    "title",
                    title.clone().into(),
                )
                .await;
                Some(format!("person {number} is {title}"))
            }
            4..=7 => {
                let number = self.person(chance)?;
                let person = &mut self.people[number];
                person.is_active = !person.is_active;
                self.is_settled = false;
                ends.set(Kind::User, person.id, "active", person.is_active.into())
                    .await;
                let word = if person.is_active {
                    "enabled"
                } else {
                    "blocked"
                };
                Some(format!("person {} is {word}", person.number))
            }
            8 => self.delete(ends, Node::Person(self.person(chance)?)).await,
            9 => {
                let gone: Vec<usize> = self
                    .people
                    .iter()
                    .filter(|one| !one.is_there)
                    .map(|one| one.number)
                    .collect();
                self.come_back(ends, gone.first().copied()?).await
            }
            10 => {
                let number = self.person(chance)?;
                self.delete(ends, Node::Person(number)).await?;
                self.blinked = Some(Node::Person(number));
                self.come_back(ends, number).await
            }
            11..=14 => self.assign(ends, chance).await,
            15..=17 => self.join_or_leave(ends, chance).await,
            18 => self.change_manager(ends, chance).await,
            19 => self.swap(ends, setting, chance).await,
            20 => {
                let number = self.group(chance)?;
                self.names += 1;
                let name = format!("Group {number} as {}", self.names);
                self.groups[number].name.clone_from(&name);
                ends.set(
                    Kind::Group,
                    self.groups[number].id,
                    "displayName",
                    name.clone().into(),
                )
                .await;
                Some(format!("group {number} is renamed {name}"))
            }
            _ if chance.happens(50) => Some(self.add_group(ends).await),
            _ => self.delete(ends, Node::Group(self.group(chance)?)).await,
        }
    }

    async fn delete(&mut self, ends: &Ends, node: Node) -> Option<String> {
        let id = self.id(node);
        match node {
            Node::Person(number) if self.swapped.contains(&number) => return None,
            Node::Person(number) => {
                ends.delete(Kind::User, id).await;
                self.people[number].is_there = false;
                for person in &mut self.people {
                    person.manager = person.manager.filter(|manager| *manager != number);
                }
            }
            Node::Group(number) => {
                ends.delete(Kind::Group, id).await;
                self.groups[number].is_there = false;
                self.groups[number].members.clear();
            }
        }
        for group in &mut self.groups {
            group.members.remove(&node);
        }
        Some(format!("{node:?} is deleted"))
    }

    async fn come_back(&mut self, ends: &Ends, number: usize) -> Option<String> {
        self.is_settled = false;
        let before = self.people[number].id;
        let person = &mut self.people[number];
        (person.is_there, person.is_active, person.manager) = (true, true, None);
        self.make_person(ends, number).await;
        assert_eq!(self.people[number].id, before, "who comes back is the same");
        Some(format!("person {number} was deleted and comes back"))
    }

    async fn assign(&mut self, ends: &Ends, chance: &mut Chance) -> Option<String> {
        let everything = self.nodes(|_| true);
        let node = chance.pick(&everything);
        let kind = kind(node);
        self.is_settled = false;
        if self.assigned.remove(&node) {
            ends.unassign(kind, self.id(node)).await;
            return Some(format!("{node:?} is not assigned any more"));
        }
        ends.assign(kind, self.id(node)).await;
        self.assigned.insert(node);
        Some(format!("{node:?} is assigned"))
    }

    async fn join_or_leave(&mut self, ends: &Ends, chance: &mut Chance) -> Option<String> {
        let group = self.group(chance)?;
        let others = self.nodes(|node| *node != Node::Group(group));
        if others.is_empty() {
            return None;
        }
        let member = chance.pick(&others);
        self.is_settled = false;
        let (id, of) = (self.groups[group].id, self.id(member));
        if self.groups[group].members.remove(&member) {
            ends.leave(id, of).await;
            return Some(format!("{member:?} leaves group {group}"));
        }
        ends.join(id, of).await;
        self.groups[group].members.insert(member);
        Some(format!("{member:?} joins group {group}"))
    }

    async fn change_manager(&mut self, ends: &Ends, chance: &mut Chance) -> Option<String> {
        let (number, manager) = (self.person(chance)?, self.person(chance)?);
        let id = self.people[number].id;
        let path = format!("{ENTERPRISE}:manager");
        if self.people[number].manager == Some(manager) || number == manager {
            self.people[number].manager = None;
            let operations = json!([{"op": "remove", "path": path}]);
            ends.patch(Kind::User, id, operations).await;
            return Some(format!("person {number} has no manager"));
        }
        self.people[number].manager = Some(manager);
        let value = json!({"value": self.people[manager].id});
        ends.set(Kind::User, id, &path, value).await;
        Some(format!("person {number} reports to person {manager}"))
    }

    /// Two people get each other's names.
    async fn swap(
        &mut self,
        ends: &Ends,
        setting: &Setting,
        chance: &mut Chance,
    ) -> Option<String> {
        let (one, other) = (self.person(chance)?, self.person(chance)?);
        // two names that change places cannot both be set where a name can be taken
        let is_possible = self.is_settled && !setting.behaviour.dialect.unique;
        if one == other || !is_possible {
            return None;
        }
        let entitled = self.entitled(setting);
        if !entitled.contains(&Node::Person(one)) || !entitled.contains(&Node::Person(other)) {
            return None;
        }
        self.swapped.extend([one, other]);
        let (first, second) = (
            self.people[one].user_name.clone(),
            self.people[other].user_name.clone(),
        );
        for (number, name) in [(one, "between".to_owned()), (other, first), (one, second)] {
            ends.set(
                Kind::User,
                self.people[number].id,
                "userName",
                name.clone().into(),
            )
            .await;
            self.people[number].user_name = name;
        }
        Some(format!("people {one} and {other} swap their names"))
    }

    /// Returns the numbers of the groups by their ids.
    pub(crate) fn groups_by_id(&self) -> BTreeMap<String, usize> {
        let groups = self.groups.iter().enumerate();
        groups
            .map(|(number, group)| (group.id.to_string(), number))
            .collect()
    }
}

pub(crate) fn kind(node: Node) -> Kind {
    match node {
        Node::Person(_) => Kind::User,
        Node::Group(_) => Kind::Group,
    }
}
