//! A client that writes without pause and remembers what it was told.
//!
//! Nobody else changes its people, its groups and their membership in the group of everybody. So it knows what is there: the world as of
//! the last acknowledged write, or, when a write was not answered, that one or the world with that write. A half of a write is neither.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::EVERYBODY;
use crate::chance::Chance;
use crate::support::{Answer, Scim};

/// An answer that takes longer than this is none: the client was left hanging.
const PATIENCE: Duration = Duration::from_secs(12);
/// A client keeps about so many people.
const PEOPLE: usize = 16;
const GROUPS: usize = 4;

/// What is there of a client's.
#[derive(Debug, Clone, Default, PartialEq)]
struct World {
    /// People by userName, each with the mark that is in all of its attributes.
    people: BTreeMap<String, u64>,
    /// Groups by displayName, with their members.
    groups: BTreeMap<String, BTreeSet<String>>,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was carried out.
    Acknowledged,
    /// The server says that its store is out of reach.
    Away,
    /// The connection broke.
    Broken,
}

/// What a client saw.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) acknowledged: usize,
    /// Writes that were not answered, and turned out to be carried out.
    pub(crate) carried_out: usize,
    /// Writes that were not answered, and turned out not to be carried out.
    pub(crate) not_carried_out: usize,
    /// Answers that the store is out of reach.
    pub(crate) away: usize,
    pub(crate) slowest: Duration,
}

impl Figures {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            acknowledged: self.acknowledged + other.acknowledged,
            carried_out: self.carried_out + other.carried_out,
            not_carried_out: self.not_carried_out + other.not_carried_out,
            away: self.away + other.away,
            slowest: self.slowest.max(other.slowest),
        }
    }
}

/// A write on its way.
struct Write {
    method: &'static str,
    path: String,
    body: Option<Value>,
    /// What is there when it was carried out.
    after: World,
    /// What came into being with it.
    creates: Option<String>,
}

pub(crate) struct Client {
    /// What the names of its people and groups begin with.
    prefix: String,
    pub(crate) scim: Scim,
    chance: Chance,
    world: World,
    /// What is there when the write that was not answered was carried out.
    under_way: Option<World>,
    ids: BTreeMap<String, String>,
    count: u64,
    pub(crate) figures: Figures,
}

impl Client {
    /// Makes the client of this number.
    pub(crate) fn new(number: u64, scim: Scim, seed: u64) -> Self {
        let mut world = World::default();
        world.groups.insert(EVERYBODY.to_owned(), BTreeSet::new());
        Self {
            prefix: format!("c{number}-"),
            scim,
            chance: Chance::new(seed * 1_000 + number),
            world,
            under_way: None,
            ids: BTreeMap::new(),
            // nobody's mark is another's
            count: number * 1_000_000_000,
            figures: Figures::default(),
        }
    }

    /// Tells whether it does not know what became of its last write.
    pub(crate) fn is_uncertain(&self) -> bool {
        self.under_way.is_some()
    }

    /// Writes something.
    pub(crate) async fn step(&mut self) -> Outcome {
        assert!(!self.is_uncertain(), "look first");
        let write = self.draw();
        let answer = match self
            .send(write.method, &write.path, write.body.as_ref())
            .await
        {
            Ok(answer) => answer,
            Err(outcome) => {
                self.under_way = Some(write.after);
                return outcome;
            }
        };
        assert!(
            matches!(answer.status, 200 | 201 | 204),
            "{} {} {:?}: {answer:?}",
            write.method,
            write.path,
            write.body
        );
        if let Some(name) = write.creates {
            self.ids.insert(name, answer.id());
        }
        self.world = write.after;
        self.figures.acknowledged += 1;
        Outcome::Acknowledged
    }

    /// Looks what is there of it, and fails when that is neither what it was told nor what may have become of the write that was not
    /// answered.
    pub(crate) async fn look(&mut self) -> Result<(), Outcome> {
        let mut found = World::default();
        let path = format!("/Users?count=500&filter=userName sw \"{}\"", self.prefix);
        let people = self.send("GET", &path, None).await?.is(200).body;
        let path = format!(
            "/Groups?count=500&filter=displayName sw \"{}\" or displayName eq \"{EVERYBODY}\"",
            self.prefix
        );
        let groups = self.send("GET", &path, None).await?.is(200).body;
        let mut names = BTreeMap::new();
        let mut in_groups = BTreeMap::new();
        for person in people["Resources"].as_array().into_iter().flatten() {
            let name = text(&person["userName"]);
            let mark = mark_of(person);
            found.people.insert(name.clone(), mark);
            names.insert(text(&person["id"]), name.clone());
            self.note_id(&name, &text(&person["id"]));
            let groups = person["groups"].as_array().into_iter().flatten();
            let groups: BTreeSet<String> = groups.map(|group| text(&group["display"])).collect();
            in_groups.insert(name, groups);
        }
        for group in groups["Resources"].as_array().into_iter().flatten() {
            let name = text(&group["displayName"]);
            let members = group["members"].as_array().into_iter().flatten();
            let members: Vec<String> = members.map(|member| text(&member["value"])).collect();
            let own: BTreeSet<String> = members
                .iter()
                .filter_map(|id| names.get(id).cloned())
                .collect();
            if name != EVERYBODY {
                assert_eq!(own.len(), members.len(), "{name} has members that are gone");
            }
            self.note_id(&name, &text(&group["id"]));
            found.groups.insert(name, own);
        }
        for (person, groups) in &in_groups {
            let has = |(name, members): (&String, &BTreeSet<String>)| {
                members.contains(person).then(|| name.clone())
            };
            let named: BTreeSet<String> = found.groups.iter().filter_map(has).collect();
            assert_eq!(*groups, named, "{person} and the groups do not agree");
        }
        self.settle(found);
        Ok(())
    }

    /// Compares what is there with what it knows.
    fn settle(&mut self, found: World) {
        let under_way = self.under_way.take();
        if found == self.world {
            self.figures.not_carried_out += usize::from(under_way.is_some());
        } else if under_way.as_ref() == Some(&found) {
            self.figures.carried_out += 1;
        } else {
            panic!(
                "found {found:#?}\nacknowledged {:#?}\nunder way {under_way:#?}",
                self.world
            );
        }
        self.world = found;
    }

    fn note_id(&mut self, name: &str, id: &str) {
        let known = self
            .ids
            .entry(name.to_owned())
            .or_insert_with(|| id.to_owned());
        assert_eq!(known, id, "{name}");
    }

    /// Sends a request, and makes sure that a server without its store says so.
    async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Outcome> {
        let begun = Instant::now();
        let answer = self.scim.attempt(method, path, body, PATIENCE).await;
        self.figures.slowest = self.figures.slowest.max(begun.elapsed());
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                assert!(!error.is_timeout(), "{method} {path} hangs");
                return Err(Outcome::Broken);
            }
        };
        if answer.status == 503 {
            says_away(&answer);
            self.figures.away += 1;
            return Err(Outcome::Away);
        }
        Ok(answer)
    }

    /// Draws what is written next.
    fn draw(&mut self) -> Write {
        let people: Vec<String> = self.world.people.keys().cloned().collect();
        let groups: Vec<String> = self.world.groups.keys().cloned().collect();
        let own: Vec<&String> = groups.iter().filter(|name| *name != EVERYBODY).collect();
        if people.len() < 4 {
            return self.create_person();
        }
        let person = people[self.chance.within(0, people.len())].clone();
        let group = groups[self.chance.within(0, groups.len())].clone();
        match self.chance.within(0, 100) {
            0..18 if people.len() < PEOPLE => self.create_person(),
            18..43 => self.join(&group, &people),
            43..53 => self.leave(&group),
            53..59 if own.len() < GROUPS => self.create_group(&people),
            59..63 if own.len() > 1 => {
                let name = own[self.chance.within(0, own.len())].clone();
                self.delete("Groups", &name)
            }
            63..73 if people.len() > 6 => self.delete("Users", &person),
            _ => self.mark(&person),
        }
    }

    fn fresh(&mut self, noun: &str) -> String {
        self.count += 1;
        format!("{}{noun}{}", self.prefix, self.count)
    }

    fn at(&self, collection: &str, name: &str) -> String {
        format!("/{collection}/{}", self.ids[name])
    }

    fn create_person(&mut self) -> Write {
        let name = self.fresh("p");
        let mut after = self.world.clone();
        after.people.insert(name.clone(), self.count);
        let mut body = marked(self.count);
        body["userName"] = name.clone().into();
        Write {
            method: "POST",
            path: "/Users".to_owned(),
            body: Some(body),
            after,
            creates: Some(name),
        }
    }

    /// Changes all attributes of a person at once.
    fn mark(&mut self, name: &str) -> Write {
        self.count += 1;
        let mut after = self.world.clone();
        after.people.insert(name.to_owned(), self.count);
        let path = self.at("Users", name);
        let mut body = marked(self.count);
        if self.chance.happens(30) {
            body["userName"] = name.into();
            return Write {
                method: "PUT",
                path,
                body: Some(body),
                after,
                creates: None,
            };
        }
        let fields = body.as_object().unwrap();
        let operations = fields
            .iter()
            .map(|(path, value)| json!({"op": "replace", "path": path, "value": value}))
            .collect();
        Self::patch(path, operations, after)
    }

    fn patch(path: String, operations: Value, after: World) -> Write {
        Write {
            method: "PATCH",
            path,
            body: Some(json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": operations,
            })),
            after,
            creates: None,
        }
    }

    /// Draws some people: the first ones of a row that begins anywhere.
    fn some(&mut self, people: &[String], most: usize) -> BTreeSet<String> {
        let start = self.chance.within(0, people.len());
        let many = self.chance.within(1, most + 1);
        let row = people.iter().cycle().skip(start);
        row.take(many.min(people.len())).cloned().collect()
    }

    fn values(&self, names: &BTreeSet<String>) -> Value {
        names
            .iter()
            .map(|name| json!({"value": self.ids[name]}))
            .collect()
    }

    fn join(&mut self, group: &str, people: &[String]) -> Write {
        let joining = self.some(people, 4);
        let value = self.values(&joining);
        let mut after = self.world.clone();
        after.groups.get_mut(group).unwrap().extend(joining);
        let operations = json!([{"op": "add", "path": "members", "value": value}]);
        Self::patch(self.at("Groups", group), operations, after)
    }

    /// Takes the first half of the members out; of the group of everybody these are only its own.
    fn leave(&mut self, group: &str) -> Write {
        let mut after = self.world.clone();
        let members = after.groups.get_mut(group).unwrap();
        let leaving: BTreeSet<String> = members.iter().take(members.len() / 2).cloned().collect();
        members.retain(|name| !leaving.contains(name));
        let operations = leaving
            .iter()
            .map(|name| {
                let path = format!("members[value eq \"{}\"]", self.ids[name]);
                json!({"op": "remove", "path": path})
            })
            .collect::<Vec<_>>();
        if operations.is_empty() {
            let person = self.world.people.keys().next().unwrap().clone();
            return self.mark(&person);
        }
        Self::patch(self.at("Groups", group), operations.into(), after)
    }

    fn create_group(&mut self, people: &[String]) -> Write {
        let name = self.fresh("g");
        let members = self.some(people, 6);
        let body = json!({"displayName": name, "members": self.values(&members)});
        let mut after = self.world.clone();
        after.groups.insert(name.clone(), members);
        Write {
            method: "POST",
            path: "/Groups".to_owned(),
            body: Some(body),
            after,
            creates: Some(name),
        }
    }

    fn delete(&mut self, collection: &str, name: &str) -> Write {
        let mut after = self.world.clone();
        after.people.remove(name);
        after.groups.remove(name);
        for members in after.groups.values_mut() {
            members.remove(name);
        }
        Write {
            method: "DELETE",
            path: self.at(collection, name),
            body: None,
            after,
            creates: None,
        }
    }
}

/// Makes sure that an answer says, in SCIM's words, that the store is out of reach and when to come again.
#[track_caller]
pub(super) fn says_away(answer: &Answer) {
    let wait = answer.headers["retry-after"].to_str().unwrap();
    assert!(wait.parse::<u64>().is_ok(), "{wait}");
    assert_eq!(answer.headers["content-type"], "application/scim+json");
    assert_eq!(answer.body["status"], "503");
    assert_eq!(
        answer.body["schemas"],
        json!(["urn:ietf:params:scim:api:messages:2.0:Error"])
    );
}

/// Returns attributes that all say the same.
pub(super) fn marked(mark: u64) -> Value {
    json!({
        "title": format!("m{mark}"),
        "nickName": format!("m{mark}"),
        "externalId": format!("m{mark}"),
        "active": mark.is_multiple_of(2),
    })
}

/// Returns what all attributes of a person say.
#[track_caller]
pub(super) fn mark_of(person: &Value) -> u64 {
    let mark: u64 = text(&person["title"])[1..].parse().unwrap();
    for (name, value) in marked(mark).as_object().unwrap() {
        assert_eq!(person[name], *value, "half a write: {person}");
    }
    mark
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
