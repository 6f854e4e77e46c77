//! The source: an organisation whose people change all the time, and what is known of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::chance::Chance;
use crate::support::{Scim, Server};

/// A person as both ends show them: userName, displayName, whether they are active.
pub(super) type Shown = (String, String, bool);

/// Returns a person as both ends show them. Who is switched off is not kept up to date in the target.
pub(super) fn shown(name: String, display: String, is_active: bool) -> Shown {
    (
        name,
        if is_active { display } else { String::new() },
        is_active,
    )
}

/// An organisation, as its clients know it.
pub(super) struct Source {
    scim: Scim,
    chance: Chance,
    people: BTreeMap<String, Person>,
    group: Option<String>,
}

struct Person {
    id: String,
    display: String,
    is_active: bool,
    is_member: bool,
}

impl Source {
    pub(super) fn new(scim: Scim, seed: u64) -> Self {
        Self {
            scim,
            chance: Chance::new(seed + 1),
            people: BTreeMap::new(),
            group: None,
        }
    }

    /// Speaks to this node from now on.
    pub(super) fn speak_to(&mut self, node: &Server) {
        self.scim.base = format!("{}/scim/v2/northwind", node.url);
    }

    /// Makes so many changes.
    pub(super) async fn change(&mut self, many: usize) {
        for _ in 0..many {
            let known: Vec<String> = self.people.keys().cloned().collect();
            let chosen = self.chance.within(0, known.len() + 1);
            match known.get(chosen) {
                Some(name) if self.chance.happens(70) => self.alter(name).await,
                _ => self.add(known.len()).await,
            }
        }
    }

    async fn add(&mut self, number: usize) {
        let name = format!("person{number:05}@northwind.example");
        let display = format!("Person {number}");
        let body = json!({"userName": name, "displayName": display, "active": true});
        let id = self.scim.post("/Users", body).await.is(201).id();
        let person = Person {
            id,
            display,
            is_active: true,
            is_member: false,
        };
        self.people.insert(name, person);
    }

    async fn alter(&mut self, name: &str) {
        if self.group.is_none() {
            self.group = Some(self.scim.group("Everybody", &[]).await);
        }
        let group = format!("/Groups/{}", self.group.as_deref().unwrap());
        let choice = self.chance.within(0, 3);
        let fresh = self.chance.within(0, 1_000_000);
        let person = self.people.get_mut(name).unwrap();
        let path = format!("/Users/{}", person.id);
        let replace =
            |path: &str, value: Value| json!([{"op": "replace", "path": path, "value": value}]);
        match choice {
            0 => {
                person.is_active = !person.is_active;
                let operations = replace("active", person.is_active.into());
                patched(&self.scim, &path, operations).await;
            }
            1 => {
                person.display = format!("Person {fresh}");
                let operations = replace("displayName", person.display.clone().into());
                patched(&self.scim, &path, operations).await;
            }
            _ => {
                person.is_member = !person.is_member;
                let operations = if person.is_member {
                    json!([{"op": "add", "path": "members", "value": [{"value": person.id}]}])
                } else {
                    let path = format!("members[value eq \"{}\"]", person.id);
                    json!([{"op": "remove", "path": path}])
                };
                patched(&self.scim, &group, operations).await;
            }
        }
    }

    /// Returns userName, displayName and whether they are active, of all, in order.
    pub(super) fn people(&self) -> Vec<Shown> {
        let people = self.people.iter();
        people
            .map(|(name, person)| shown(name.clone(), person.display.clone(), person.is_active))
            .collect()
    }

    /// Returns how many members the group has in the target: who is switched off there is no member.
    pub(super) fn members(&self) -> usize {
        let members = self.people.values();
        members
            .filter(|person| person.is_member && person.is_active)
            .count()
    }
}

async fn patched(scim: &Scim, path: &str, operations: Value) {
    let status = scim.patch(path, operations).await.status;
    assert!(matches!(status, 200 | 204), "{path}: {status}");
}
