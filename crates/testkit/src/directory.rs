//! People and groups in memory: what requests do to them, and what became of each.
//!
//! **Is:** the meaning of POST, PUT, PATCH and DELETE, with uniqueness, versions and memberships. **Is not:** HTTP, or faults other
//! than a write that loses members.
//! **Start at** [`Directory::create`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rollcall_model::Kind;
use rollcall_scim::error::{Error, ErrorKind};
use rollcall_scim::filter::NoRelated;
use rollcall_scim::key::canonical;
use rollcall_scim::limits::{Limits, STANDARD};
use rollcall_scim::member::Member;
use rollcall_scim::patch::{MemberChange, Patch};
use rollcall_scim::resource::Resource;
use rollcall_scim::schema::{Registry, ResourceType};
use serde_json::Value;
use uuid::Uuid;

use crate::chance::mixed;

/// 2026-01-01T00:00:00Z: the clock of a target begins here and moves by a second with each request.
const BEGINNING: i64 = 1_767_225_600;

/// A state in which a resource was, without memberships.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The number of the request that led to it; 0 when a test put it there.
    pub request: u64,
    /// The document; absent: it was deleted.
    pub document: Option<Value>,
}

/// How a write is to be taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// The number of the request.
    pub(crate) request: u64,
    /// Whether a name can be taken.
    pub(crate) unique: bool,
    /// Whether the client chooses the id.
    pub(crate) keeps_ids: bool,
    /// Whether half of the members that are added get lost.
    pub(crate) loses_members: bool,
}

/// A resource with what lies beside its document.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) resource: Resource,
    pub(crate) members: BTreeSet<String>,
}

/// The resources of a kind, in the order in which they came into being.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) entries: BTreeMap<u64, Entry>,
    pub(crate) ids: HashMap<String, u64>,
    pub(crate) names: HashMap<String, BTreeSet<u64>>,
}

/// All resources, and what became of them.
#[derive(Debug)]
pub(crate) struct Directory {
    registry: Registry,
    limits: Limits,
    seed: u64,
    serial: u64,
    pub(crate) users: Table,
    groups: Table,
    /// The groups of each member.
    pub(crate) memberships: HashMap<String, BTreeSet<String>>,
    creates: HashMap<(Kind, String), u64>,
    history: HashMap<String, Vec<State>>,
}

impl Directory {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            registry: Registry::standard(),
            // a test may put large groups into one request
            limits: Limits {
                patch_operations: 100_000,
                ..STANDARD
            },
            seed,
            serial: 0,
            users: Table::default(),
            groups: Table::default(),
            memberships: HashMap::new(),
            creates: HashMap::new(),
            history: HashMap::new(),
        }
    }

    pub(crate) fn resource_type(&self, kind: Kind) -> &ResourceType {
        match kind {
            Kind::User => self.registry.user(),
            Kind::Group => self.registry.group(),
        }
    }

    pub(crate) fn table(&self, kind: Kind) -> &Table {
        match kind {
            Kind::User => &self.users,
            Kind::Group => &self.groups,
        }
    }

    fn table_mut(&mut self, kind: Kind) -> &mut Table {
        match kind {
            Kind::User => &mut self.users,
            Kind::Group => &mut self.groups,
        }
    }

    pub(crate) fn entry(&self, kind: Kind, id: &str) -> Option<&Entry> {
        let table = self.table(kind);
        table.entries.get(table.ids.get(id)?)
    }

    pub(crate) fn at(&self, kind: Kind, place: u64) -> Option<&Entry> {
        self.table(kind).entries.get(&place)
    }

    /// Returns the places of all resources of a kind, in their order.
    pub(crate) fn places(&self, kind: Kind) -> Vec<u64> {
        self.table(kind).entries.keys().copied().collect()
    }

    /// Creates a resource; returns its id.
    pub(crate) fn create(
        &mut self,
        kind: Kind,
        body: Value,
        terms: Terms,
    ) -> Result<String, Error> {
        let given = body.get("id").and_then(Value::as_str).map(str::to_owned);
        let resource_type = self.resource_type(kind);
        let mut resource = Resource::from_request(resource_type, body, &self.limits)?;
        if kind == Kind::User {
            resource.assume_active(true);
        }
        let members = self.members_of(&mut resource, terms)?;
        let name = name_of(&resource);
        self.check_name(kind, &name, None, terms)?;
        self.serial += 1;
        let id = match given.filter(|_| terms.keeps_ids) {
            Some(id) if self.entry(kind, &id).is_some() => {
                return Err(Error::new(ErrorKind::Uniqueness, "`id` is taken"));
            }
            Some(id) => id,
            None => {
                let half = |salt| mixed(self.seed, &[self.serial, salt]);
                Uuid::from_u64_pair(half(0), half(1)).to_string()
            }
        };
        resource.set_id(&id);
        let at = moment(terms.request);
        resource.set_meta(&at, &at, 1);
        let (place, serial) = (id.clone(), self.serial);
        let table = self.table_mut(kind);
        table.ids.insert(place, serial);
        table.names.entry(name.clone()).or_default().insert(serial);
        let entry = Entry {
            id: id.clone(),
            version: 1,
            resource,
            members: BTreeSet::new(),
        };
        table.entries.insert(serial, entry);
        if terms.request > 0 {
            *self.creates.entry((kind, name)).or_default() += 1;
        }
        self.set_members(&id, members);
        self.remember(kind, &id, terms);
        Ok(id)
    }

    /// Puts a resource into the place of another.
    pub(crate) fn replace(
        &mut self,
        kind: Kind,
        id: &str,
        body: Value,
        terms: Terms,
    ) -> Result<(), Error> {
        let entry = self.entry(kind, id).ok_or_else(absent)?;
        let resource_type = self.resource_type(kind);
        let mut resource =
            Resource::replacement(resource_type, &entry.resource, body, &self.limits)?;
        if kind == Kind::User {
            resource.assume_active(true);
        }
        let members = self.members_of(&mut resource, terms)?;
        self.store(kind, id, resource, terms)?;
        if kind == Kind::Group {
            self.set_members(id, members);
        }
        Ok(())
    }

    /// Applies the operations of a PATCH, all or none.
    pub(crate) fn patch(
        &mut self,
        kind: Kind,
        id: &str,
        mut patch: Patch,
        terms: Terms,
    ) -> Result<(), Error> {
        let entry = self.entry(kind, id).ok_or_else(absent)?;
        let (mut resource, before) = (entry.resource.clone(), entry.members.clone());
        let mut members = before.clone();
        for change in patch.take_members() {
            match change {
                MemberChange::Add(added) => members.extend(self.admitted(added, terms)?),
                MemberChange::Remove(ids) => ids.iter().for_each(|id| {
                    members.remove(id);
                }),
                MemberChange::Replace(all) => members = self.admitted(all, terms)?,
                MemberChange::RemoveAll => members.clear(),
                MemberChange::RemoveWhere(filter) => members.retain(|id| {
                    let row = self.member(id).to_json();
                    !row.as_object()
                        .is_some_and(|row| filter.matches(row, &NoRelated))
                }),
            }
        }
        let resource_type = self.resource_type(kind);
        let changes = patch.apply(&mut resource, resource_type, &self.limits)?;
        if !changes.is_empty() || members != before {
            self.store(kind, id, resource, terms)?;
            self.set_members(id, members);
        }
        Ok(())
    }

    /// Reads the body of a PATCH.
    pub(crate) fn read_patch(&self, kind: Kind, body: &Value) -> Result<Patch, Error> {
        Patch::parse(body, self.resource_type(kind), &self.limits)
    }

    /// Deletes a resource and its memberships.
    pub(crate) fn delete(&mut self, kind: Kind, id: &str, terms: Terms) -> Result<(), Error> {
        let name = name_of(&self.entry(kind, id).ok_or_else(absent)?.resource);
        self.set_members(id, BTreeSet::new());
        for group in self.memberships.remove(id).unwrap_or_default() {
            if let Some(entry) = self.groups.entry_mut(&group) {
                entry.members.remove(id);
            }
        }
        let table = self.table_mut(kind);
        if let Some(place) = table.ids.remove(id) {
            table.entries.remove(&place);
            table.forget_name(&name, place);
        }
        self.remember(kind, id, terms);
        Ok(())
    }

    /// Tells how often a POST of this name took effect.
    pub(crate) fn creates(&self, kind: Kind, name: &str) -> u64 {
        let count = self.creates.get(&(kind, canonical(name)));
        count.copied().unwrap_or_default()
    }

    /// Returns the states in which a resource was.
    pub(crate) fn history(&self, id: &str) -> Vec<State> {
        self.history.get(id).cloned().unwrap_or_default()
    }

    /// Returns the states in which each resource was.
    pub(crate) fn histories(&self) -> BTreeMap<String, Vec<State>> {
        let histories = self.history.iter();
        histories
            .map(|(id, states)| (id.clone(), states.clone()))
            .collect()
    }

    /// Stores another state of a resource.
    fn store(
        &mut self,
        kind: Kind,
        id: &str,
        mut resource: Resource,
        terms: Terms,
    ) -> Result<(), Error> {
        let name = name_of(&resource);
        self.check_name(kind, &name, Some(id), terms)?;
        let table = self.table_mut(kind);
        let place = *table.ids.get(id).ok_or_else(absent)?;
        let entry = table.entries.get_mut(&place).ok_or_else(absent)?;
        let before = name_of(&entry.resource);
        entry.version += 1;
        let created = resource
            .as_map()
            .get("meta")
            .and_then(|meta| meta.get("created"));
        let created = created
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        resource.set_meta(&created, &moment(terms.request), entry.version);
        entry.resource = resource;
        table.forget_name(&before, place);
        table.names.entry(name).or_default().insert(place);
        self.remember(kind, id, terms);
        Ok(())
    }

    fn remember(&mut self, kind: Kind, id: &str, terms: Terms) {
        let entry = self.entry(kind, id);
        let document = entry.map(|entry| Value::Object(entry.resource.as_map().clone()));
        let state = State {
            request: terms.request,
            document,
        };
        self.history.entry(id.to_owned()).or_default().push(state);
    }

    fn check_name(
        &self,
        kind: Kind,
        name: &str,
        own: Option<&str>,
        terms: Terms,
    ) -> Result<(), Error> {
        let table = self.table(kind);
        let mut others = table.names.get(name).into_iter().flatten();
        let is_taken = others.any(|place| {
            let other = table.entries.get(place);
            other.is_some_and(|other| Some(other.id.as_str()) != own)
        });
        if terms.unique && is_taken {
            let attribute = if kind == Kind::User {
                "userName"
            } else {
                "displayName"
            };
            let detail = format!("`{attribute}` is taken by another resource");
            return Err(Error::new(ErrorKind::Uniqueness, detail));
        }
        Ok(())
    }

    fn members_of(&self, resource: &mut Resource, terms: Terms) -> Result<BTreeSet<String>, Error> {
        self.admitted(resource.take_members().unwrap_or_default(), terms)
    }

    /// Checks members that are to be added; half of them get lost where that is asked for.
    fn admitted(&self, mut members: Vec<Member>, terms: Terms) -> Result<BTreeSet<String>, Error> {
        let exists = |id: &str| self.users.ids.contains_key(id) || self.groups.ids.contains_key(id);
        if let Some(unknown) = members.iter().find(|member| !exists(&member.value)) {
            let detail = format!("there is nobody with the id `{}`", unknown.value);
            return Err(Error::invalid_value(detail));
        }
        if terms.loses_members {
            members.truncate(members.len() / 2);
        }
        Ok(members.into_iter().map(|member| member.value).collect())
    }

    fn set_members(&mut self, group: &str, members: BTreeSet<String>) {
        let Some(entry) = self.groups.entry_mut(group) else {
            return;
        };
        let before = std::mem::replace(&mut entry.members, members);
        for gone in before.difference(&entry.members) {
            if let Some(groups) = self.memberships.get_mut(gone) {
                groups.remove(group);
            }
        }
        for new in entry.members.difference(&before) {
            let groups = self.memberships.entry(new.clone()).or_default();
            groups.insert(group.to_owned());
        }
    }
}

impl Table {
    fn entry_mut(&mut self, id: &str) -> Option<&mut Entry> {
        self.entries.get_mut(self.ids.get(id)?)
    }

    fn forget_name(&mut self, name: &str, place: u64) {
        if let Some(places) = self.names.get_mut(name) {
            places.remove(&place);
        }
    }
}

fn name_of(resource: &Resource) -> String {
    let name = resource.user_name().or(resource.display_name());
    canonical(name.unwrap_or_default())
}

/// Returns the refusal for what is not there.
pub(crate) fn absent() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such resource")
}

fn moment(request: u64) -> String {
    let seconds = BEGINNING.saturating_add_unsigned(request);
    jiff::Timestamp::from_second(seconds)
        .unwrap_or_default()
        .to_string()
}
