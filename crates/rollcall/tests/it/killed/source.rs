//! The source of a story: who is there, changed at random, in the directory of an organisation or in files, and in a copy of it by which
//! the target is judged.
//!
//! No name is ever given twice, and who is gone stays gone: whatever carries a name is one person or group for good.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use rollcall_app::App;
use rollcall_app::directory::{Context, Expected, Wanted};
use rollcall_model::{Kind, ResourceId};
use rollcall_scim::limits::STANDARD;
use rollcall_scim::patch::Patch;
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::ends::app;
use crate::support::Installation;

pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// What the source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The directory of an organisation of the same store.
    Directory,
    /// Tables.
    Csv,
    /// JSON lines.
    Lines,
}

#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) manager: Option<usize>,
    pub(super) is_active: bool,
    pub(super) is_there: bool,
    /// Its id in the directory.
    id: Option<ResourceId>,
}

#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) members: BTreeSet<usize>,
    pub(super) is_there: bool,
    id: Option<ResourceId>,
}

/// What a run may have seen: changes may come while it reads.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Who was in use at some moment of it.
    pub(super) on: BTreeSet<usize>,
    /// Who was not.
    pub(super) off: BTreeSet<usize>,
}

pub(super) struct Source {
    form: Form,
    directory: Option<(App, Context)>,
    pub(super) people: Vec<Person>,
    pub(super) groups: Vec<Group>,
    /// Whose every name is or was.
    pub(super) owners: BTreeMap<String, usize>,
    pub(super) group_owners: BTreeMap<String, usize>,
    pub(super) seen: Seen,
    /// Groups and members that a run may have seen since both ends agreed.
    pub(super) memberships: BTreeSet<(usize, usize)>,
    names: usize,
}

impl Source {
    pub(super) async fn new(form: Form, installation: &Installation) -> Self {
        let directory = if form == Form::Directory {
            installation.ok(&["org", "create", "northwind", "--name", "Northwind"]);
            let app = app(installation.folder.path()).await;
            let northwind = app.organisation(&"northwind".parse().unwrap()).await;
            let context = app.command_context(northwind.unwrap().id);
            Some((app, context))
        } else {
            None
        };
        Self {
            form,
            directory,
            people: Vec::new(),
            groups: Vec::new(),
            owners: BTreeMap::new(),
            group_owners: BTreeMap::new(),
            seen: Seen::default(),
            memberships: BTreeSet::new(),
            names: 0,
        }
    }

    /// Writes the job file.
    pub(super) fn describe(&self, folder: &Path, url: &str) {
        let source = match self.form {
            Form::Directory => "kind = \"directory\"\norg = \"northwind\"",
            Form::Csv => "kind = \"csv\"\nusers = \"people.csv\"\ngroups = \"groups.csv\"",
            Form::Lines => "kind = \"jsonl\"\nusers = \"everybody.jsonl\"",
        };
        let text = format!(
            "[source]\n{source}\n[target]\nurl = \"{url}\"\ntoken = {{ env = \"TARGET_TOKEN\" }}\n\
             [safety]\nmax_deletions = 100000\nleaving = \"delete\"\n"
        );
        std::fs::write(folder.join("people.toml"), text).unwrap();
    }

    /// Tells whether it can change while somebody reads it.
    pub(super) fn is_live(&self) -> bool {
        self.form == Form::Directory
    }

    /// A run begins.
    pub(super) fn begin_run(&mut self) {
        self.seen = Seen::default();
        self.note_run();
    }

    /// What is there now may be seen by the run.
    pub(super) fn note_run(&mut self) {
        for (number, person) in self.people.iter().enumerate() {
            if person.is_there && person.is_active {
                self.seen.on.insert(number);
            } else {
                self.seen.off.insert(number);
            }
        }
        for (number, group) in self.groups.iter().enumerate() {
            let members = group.members.iter().map(|member| (number, *member));
            self.memberships.extend(members);
        }
    }

    /// Both ends agree: what was before is no excuse any more.
    pub(super) fn begin_period(&mut self) {
        self.memberships.clear();
        self.note_run();
    }

    fn present(&self) -> Vec<usize> {
        let people = self.people.iter().enumerate();
        let there = people.filter(|(_, person)| person.is_there);
        there.map(|(number, _)| number).collect()
    }

    fn present_groups(&self) -> Vec<usize> {
        let groups = self.groups.iter().enumerate();
        let there = groups.filter(|(_, group)| group.is_there);
        there.map(|(number, _)| number).collect()
    }

    fn new_name(&mut self, owner: usize) -> String {
        self.names += 1;
        let name = format!("p{owner}.{}@northwind.example", self.names);
        self.owners.insert(name.clone(), owner);
        name
    }

    fn new_group_name(&mut self, owner: usize) -> String {
        self.names += 1;
        let name = format!("Group {owner}.{}", self.names);
        self.group_owners.insert(name.clone(), owner);
        name
    }

    /// Changes something; returns what, in words.
    pub(super) async fn change(&mut self, chance: &mut Chance) -> Option<String> {
        let (people, groups) = (self.present(), self.present_groups());
        // who has just come may be on his way still: what happens to him then is what a sender must not lose
        let newest = &people[people.len().saturating_sub(6)..];
        let is_newest = chance.happens(50);
        let person = chance.pick(if is_newest { newest } else { &people })?;
        let group = chance.pick(&groups)?;
        match chance.within(0, 100) {
            0..24 if people.len() < 36 => Some(self.add_person(chance).await),
            24..40 => Some(self.rename(person).await),
            40..46 => Some(self.retitle(person).await),
            46..56 => Some(self.switch(person).await),
            56..66 if people.len() > 20 => Some(self.delete(person).await),
            66..76 => {
                let manager = chance.pick(&people).filter(|manager| *manager != person);
                let manager = manager.filter(|_| chance.happens(80));
                Some(self.report_to(person, manager).await)
            }
            76..92 => Some(self.join_or_leave(group, person).await),
            92..95 => Some(self.rename_group(group).await),
            95..97 if groups.len() < 7 => Some(self.add_group(chance).await),
            97..99 if groups.len() > 3 => Some(self.delete_group(group).await),
            _ => None,
        }
    }

    pub(super) async fn add_person(&mut self, chance: &mut Chance) -> String {
        let number = self.people.len();
        let mut person = Person {
            name: self.new_name(number),
            title: format!("Title {}", self.names),
            manager: chance.pick(&self.present()).filter(|_| chance.happens(60)),
            is_active: chance.happens(85),
            is_there: true,
            id: None,
        };
        if let Some((app, context)) = &self.directory {
            let body = self.person_body(number, &person);
            let created = app.create(context, Kind::User, body).await.unwrap();
            person.id = Some(created.entry.id);
        }
        let text = format!("+ E{number} {person:?}");
        self.people.push(person);
        text
    }

    pub(super) async fn add_group(&mut self, chance: &mut Chance) -> String {
        let number = self.groups.len();
        let people = self.present();
        let members: BTreeSet<usize> = (0..chance.within(0, 12))
            .filter_map(|_| chance.pick(&people))
            .collect();
        let mut group = Group {
            name: self.new_group_name(number),
            members,
            is_there: true,
            id: None,
        };
        if let Some((app, context)) = &self.directory {
            let members: Vec<Value> = group
                .members
                .iter()
                .map(|member| json!({"value": self.people[*member].id.unwrap()}))
                .collect();
            let body = json!({"displayName": group.name, "members": members});
            let created = app.create(context, Kind::Group, body).await.unwrap();
            group.id = Some(created.entry.id);
        }
        let text = format!("+ group {number} {group:?}");
        self.groups.push(group);
        text
    }

    async fn rename(&mut self, number: usize) -> String {
        let name = self.new_name(number);
        self.people[number].name.clone_from(&name);
        let change = json!({"op": "replace", "path": "userName", "value": name});
        self.patch(Kind::User, self.people[number].id, change).await;
        format!("E{number} is now {name}")
    }

    async fn retitle(&mut self, number: usize) -> String {
        self.names += 1;
        let title = format!("Title {}", self.names);
        self.people[number].title.clone_from(&title);
        let change = json!({"op": "replace", "path": "title", "value": title});
        self.patch(Kind::User, self.people[number].id, change).await;
        format!("E{number} is now {title}")
    }

    async fn switch(&mut self, number: usize) -> String {
        let is_active = !self.people[number].is_active;
        self.people[number].is_active = is_active;
        let change = json!({"op": "replace", "path": "active", "value": is_active});
        self.patch(Kind::User, self.people[number].id, change).await;
        format!(
            "E{number} is switched {}",
            if is_active { "on" } else { "off" }
        )
    }

    async fn delete(&mut self, number: usize) -> String {
        self.people[number].is_there = false;
        for person in &mut self.people {
            person.manager = person.manager.filter(|manager| *manager != number);
        }
        for group in &mut self.groups {
            group.members.remove(&number);
        }
        if let (Some((app, context)), Some(id)) = (&self.directory, self.people[number].id) {
            app.delete(context, Kind::User, id, Expected::Any)
                .await
                .unwrap();
        }
        format!("- E{number}")
    }

    async fn report_to(&mut self, number: usize, manager: Option<usize>) -> String {
        self.people[number].manager = manager;
        let path = format!("{ENTERPRISE}:manager");
        let change = match manager {
            Some(manager) => {
                let id = self.people[manager].id;
                json!({"op": "replace", "path": path, "value": {"value": id}})
            }
            None => json!({"op": "remove", "path": path}),
        };
        self.patch(Kind::User, self.people[number].id, change).await;
        format!("E{number} reports to {manager:?}")
    }

    async fn join_or_leave(&mut self, group: usize, number: usize) -> String {
        let id = self.people[number].id;
        let (change, text) = if self.groups[group].members.remove(&number) {
            let path = format!("members[value eq \"{}\"]", id.unwrap_or_else(nobody));
            (json!({"op": "remove", "path": path}), "leaves")
        } else {
            self.groups[group].members.insert(number);
            let value = json!([{"value": id}]);
            (
                json!({"op": "add", "path": "members", "value": value}),
                "joins",
            )
        };
        self.patch(Kind::Group, self.groups[group].id, change).await;
        format!("E{number} {text} group {group}")
    }

    async fn rename_group(&mut self, group: usize) -> String {
        let name = self.new_group_name(group);
        self.groups[group].name.clone_from(&name);
        let change = json!({"op": "replace", "path": "displayName", "value": name});
        self.patch(Kind::Group, self.groups[group].id, change).await;
        format!("group {group} is now {name}")
    }

    async fn delete_group(&mut self, group: usize) -> String {
        self.groups[group].is_there = false;
        self.groups[group].members.clear();
        if let (Some((app, context)), Some(id)) = (&self.directory, self.groups[group].id) {
            app.delete(context, Kind::Group, id, Expected::Any)
                .await
                .unwrap();
        }
        format!("- group {group}")
    }

    /// Changes the directory, where there is one.
    async fn patch(&self, kind: Kind, id: Option<ResourceId>, operation: Value) {
        let (Some((app, context)), Some(id)) = (&self.directory, id) else {
            return;
        };
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation],
        });
        let patch = Patch::parse(&body, app.resource_type(kind), &STANDARD).unwrap();
        let (expected, wanted) = (Expected::Any, Wanted::NOTHING);
        app.patch(context, kind, id, patch, expected, wanted)
            .await
            .unwrap();
    }

    /// Returns a person as SCIM writes it, with the manager's id in this source.
    fn person_body(&self, number: usize, person: &Person) -> Value {
        let mut enterprise = json!({"employeeNumber": format!("E{number}")});
        if let Some(manager) = person.manager {
            let id = self.people[manager].id;
            let id = id.map_or_else(|| format!("E{manager}"), |id| id.to_string());
            enterprise["manager"] = json!({"value": id});
        }
        json!({
            "userName": person.name, "title": person.title, "active": person.is_active,
            ENTERPRISE: enterprise,
        })
    }

    /// Writes the files, where there are any.
    pub(super) fn publish(&self, folder: &Path) {
        match self.form {
            Form::Directory => {}
            Form::Csv => self.publish_tables(folder),
            Form::Lines => self.publish_lines(folder),
        }
    }

    fn publish_tables(&self, folder: &Path) {
        let mut text =
            "objectId,userPrincipalName,jobTitle,accountEnabled,employeeId,manager\n".to_owned();
        for number in self.present() {
            let person = &self.people[number];
            let manager = person.manager.map(|manager| format!("E{manager}"));
            writeln!(
                text,
                "E{number},{},{},{},E{number},{}",
                person.name,
                person.title,
                person.is_active,
                manager.unwrap_or_default()
            )
            .unwrap();
        }
        std::fs::write(folder.join("people.csv"), text).unwrap();
        let mut text = "objectId,displayName,members\n".to_owned();
        for number in self.present_groups() {
            let group = &self.groups[number];
            let members = group.members.iter();
            let members: Vec<String> = members.map(|member| format!("E{member}")).collect();
            writeln!(text, "G{number},{},{}", group.name, members.join(";")).unwrap();
        }
        std::fs::write(folder.join("groups.csv"), text).unwrap();
    }

    fn publish_lines(&self, folder: &Path) {
        let mut text = String::new();
        for number in self.present() {
            let mut body = self.person_body(number, &self.people[number]);
            body["id"] = format!("E{number}").into();
            body["meta"] = json!({"resourceType": "User"});
            writeln!(text, "{body}").unwrap();
        }
        for number in self.present_groups() {
            let group = &self.groups[number];
            let members = group.members.iter();
            let members: Vec<Value> = members
                .map(|member| json!({"value": format!("E{member}")}))
                .collect();
            let body = json!({
                "id": format!("G{number}"), "displayName": group.name, "members": members,
                "meta": {"resourceType": "Group"},
            });
            writeln!(text, "{body}").unwrap();
        }
        std::fs::write(folder.join("everybody.jsonl"), text).unwrap();
    }
}

/// The id of nobody: files know none.
fn nobody() -> ResourceId {
    ResourceId::from_bytes([0; 16])
}
