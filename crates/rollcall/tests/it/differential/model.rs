//! A directory of one organisation in memory: maps, and the rules in the fewest words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use rollcall_model::Kind;
use serde_json::{Map, Value, json};

use super::deed::{Deed, MemberChange, Order, Shows, collection, name_of, rows_of};

/// What has to be answered.
#[derive(Debug, PartialEq)]
pub(super) struct Expected {
    pub(super) status: u16,
    pub(super) version: Option<String>,
    /// Without the times.
    pub(super) body: Value,
}

#[derive(Debug, Clone)]
struct Object {
    version: u64,
    attributes: Map<String, Value>,
    members: BTreeSet<String>,
}

/// What is left of something that was deleted.
#[derive(Debug)]
struct Tombstone {
    kind: Kind,
    id: String,
    name: String,
    external_id: Option<Value>,
    version: u64,
}

#[derive(Debug, Default)]
pub(super) struct Directory {
    people: BTreeMap<String, Object>,
    groups: BTreeMap<String, Object>,
    /// In the order of deletion.
    tombstones: Vec<Tombstone>,
    /// All ids that ever were, in the order in which they came into being.
    known: Vec<(Kind, String)>,
}

impl Directory {
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.all(kind).len()
    }

    /// Returns the ids that are there, in the order in which they came into being, which is the same on every run.
    pub(super) fn present(&self, kind: Kind) -> Vec<&str> {
        let all = self.all(kind);
        let known = self.known.iter().map(|(_, id)| id.as_str());
        known.filter(|id| all.contains_key(*id)).collect()
    }

    /// Returns the ids of what was deleted.
    pub(super) fn gone(&self, kind: Kind) -> Vec<&str> {
        let tombstones = self.tombstones.iter();
        let of_kind = tombstones.filter(|tombstone| tombstone.kind == kind);
        of_kind.map(|tombstone| tombstone.id.as_str()).collect()
    }

    pub(super) fn version(&self, kind: Kind, id: &str) -> Option<u64> {
        self.all(kind).get(id).map(|object| object.version)
    }

    pub(super) fn name(&self, kind: Kind, id: &str) -> Option<&str> {
        self.all(kind).get(id)?.attributes[name_of(kind)].as_str()
    }

    /// Writes the place of each own id instead of the id, and that of nobody for foreign ones.
    pub(super) fn without_ids(&self, text: &str) -> String {
        const LENGTH: usize = 36;
        let is_id = |text: &str| {
            let is_fit = |(place, byte): (usize, u8)| match place {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            };
            text.bytes().enumerate().all(is_fit)
        };
        let (mut rest, mut written) = (text, String::new());
        while let Some(first) = rest.chars().next() {
            match rest.get(..LENGTH) {
                Some(id) if is_id(id) => {
                    match self.known.iter().position(|(_, known)| known == id) {
                        Some(place) => write!(written, "#{place}").unwrap(),
                        None => written.push_str("nobody"),
                    }
                    rest = &rest[LENGTH..];
                }
                _ => {
                    written.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        written
    }

    fn all(&self, kind: Kind) -> &BTreeMap<String, Object> {
        match kind {
            Kind::User => &self.people,
            Kind::Group => &self.groups,
        }
    }

    fn all_mut(&mut self, kind: Kind) -> &mut BTreeMap<String, Object> {
        match kind {
            Kind::User => &mut self.people,
            Kind::Group => &mut self.groups,
        }
    }

    /// Carries out what is asked. `given` is the id that the answer names.
    pub(super) fn carry_out(&mut self, deed: &Deed, given: Option<&str>, base: &str) -> Expected {
        let done = match deed {
            Deed::Create {
                kind,
                attributes,
                members,
            } => self
                .create(*kind, attributes, members, given)
                .map(|id| self.shown(201, *kind, &id, base)),
            Deed::Get { kind, id, has } => self.get(*kind, id, *has, base),
            Deed::Patch {
                kind,
                id,
                changes,
                members,
                expected,
            } => self
                .modify(*kind, id, *expected, |after| {
                    for (name, value) in changes {
                        match value {
                            Some(value) => {
                                after.attributes.insert((*name).to_owned(), value.clone());
                            }
                            None => drop(after.attributes.remove(*name)),
                        }
                    }
                    members.clone()
                })
                .map(|version| Expected {
                    status: 204,
                    version: Some(tag(version)),
                    body: Value::Null,
                }),
            Deed::Put {
                kind,
                id,
                attributes,
                members,
                expected,
            } => self
                .modify(*kind, id, *expected, |after| {
                    let active = after.attributes.get("active").cloned();
                    after.attributes.clone_from(attributes);
                    if let Some(active) = active {
                        after.attributes.entry("active").or_insert(active);
                    }
                    let members = members.clone().map(MemberChange::Replace);
                    members.into_iter().collect()
                })
                .map(|_| self.shown(200, *kind, id, base)),
            Deed::Delete { kind, id, expected } => self.delete(*kind, id, *expected),
            Deed::List { .. } => Ok(self.list(deed, base)),
        };
        done.unwrap_or_else(|refused| refused)
    }

    fn get(
        &self,
        kind: Kind,
        id: &str,
        has: Option<u64>,
        base: &str,
    ) -> Result<Expected, Expected> {
        let version = self.version(kind, id).ok_or_else(|| missing(kind, id))?;
        if has == Some(version) {
            return Ok(Expected {
                status: 304,
                version: None,
                body: Value::Null,
            });
        }
        Ok(self.shown(200, kind, id, base))
    }

    fn shown(&self, status: u16, kind: Kind, id: &str, base: &str) -> Expected {
        Expected {
            status,
            version: self.version(kind, id).map(tag),
            body: self.document(kind, id, base).unwrap_or_default(),
        }
    }

    /// Returns an object as it is shown, without its times.
    pub(super) fn document(&self, kind: Kind, id: &str, base: &str) -> Option<Value> {
        let object = self.all(kind).get(id)?;
        let resource_type = kind.resource_type();
        let mut document = object.attributes.clone();
        document.insert(
            "schemas".into(),
            json!([format!(
                "urn:ietf:params:scim:schemas:core:2.0:{resource_type}"
            )]),
        );
        document.insert("id".into(), id.into());
        document.insert(
            "meta".into(),
            json!({
                "resourceType": resource_type,
                "version": tag(object.version),
                "location": format!("{base}/{}/{id}", collection(kind)),
            }),
        );
        let rows: Vec<Value> = match kind {
            Kind::User => self
                .groups_of(id)
                .map(|id| self.group_of(id, base))
                .collect(),
            Kind::Group => {
                let members = object.members.iter();
                members.map(|id| self.member(id, base)).collect()
            }
        };
        if !rows.is_empty() {
            document.insert(rows_of(kind).into(), rows.into());
        }
        Some(document.into())
    }

    fn groups_of(&self, id: &str) -> impl Iterator<Item = &str> {
        let groups = self.groups.iter();
        groups
            .filter(move |(_, group)| group.members.contains(id))
            .map(|(id, _)| id.as_str())
    }

    fn group_of(&self, id: &str, base: &str) -> Value {
        json!({
            "$ref": format!("{base}/Groups/{id}"), "value": id, "type": "direct",
            "display": self.groups[id].attributes["displayName"],
        })
    }

    fn member(&self, id: &str, base: &str) -> Value {
        let (kind, object) = match self.people.get(id) {
            Some(person) => (Kind::User, person),
            None => (Kind::Group, &self.groups[id]),
        };
        let location = format!("{base}/{}/{id}", collection(kind));
        let mut member = json!({"value": id, "$ref": location, "type": kind.resource_type()});
        if let Some(display) = object.attributes.get("displayName") {
            member["display"] = display.clone();
        }
        member
    }

    fn is_taken(&self, kind: Kind, name: &str, by_other_than: Option<&str>) -> bool {
        self.all(kind).iter().any(|(id, object)| {
            Some(id.as_str()) != by_other_than
                && key(&object.attributes[name_of(kind)]) == name.to_lowercase()
        })
    }

    fn create(
        &mut self,
        kind: Kind,
        attributes: &Map<String, Value>,
        members: &[String],
        given: Option<&str>,
    ) -> Result<String, Expected> {
        let name = key(&attributes[name_of(kind)]);
        if self.is_taken(kind, &name, None) {
            return Err(taken(kind, "it exists already; look it up and change it"));
        }
        let external_id = attributes.get("externalId");
        // who comes back gets the id and goes on from the version: the last one deleted of whom nothing speaks against it
        let revived = self.tombstones.iter().rposition(|tombstone| {
            let old = tombstone.external_id.as_ref();
            let is_meant = tombstone.name == name || (old.is_some() && old == external_id);
            let is_another = old.is_some() && external_id.is_some() && old != external_id;
            tombstone.kind == kind && is_meant && !is_another
        });
        let (id, version) = match revived {
            Some(place) => {
                let tombstone = &self.tombstones[place];
                (tombstone.id.clone(), tombstone.version + 1)
            }
            None => (given.unwrap_or_default().to_owned(), 1),
        };
        let mut object = Object {
            version,
            attributes: attributes.clone(),
            members: BTreeSet::new(),
        };
        if kind == Kind::User {
            object.attributes.entry("active").or_insert(true.into());
        }
        // the group is there when its members are looked at, and may be named only by who knows its id from before
        let add = MemberChange::Add(members.to_vec());
        self.change_members(&id, &mut object.members, &add)?;
        if let Some(place) = revived {
            self.tombstones.remove(place);
        } else {
            let is_new = !self.known.iter().any(|(_, known)| *known == id);
            assert!(is_new, "the id {id} was given before");
            self.known.push((kind, id.clone()));
        }
        self.all_mut(kind).insert(id.clone(), object);
        Ok(id)
    }

    /// Changes an object, or nothing; returns its version.
    fn modify(
        &mut self,
        kind: Kind,
        id: &str,
        expected: Option<u64>,
        change: impl FnOnce(&mut Object) -> Vec<MemberChange>,
    ) -> Result<u64, Expected> {
        let before = self.find(kind, id, expected)?;
        let mut after = before.clone();
        for members in change(&mut after) {
            self.change_members(id, &mut after.members, &members)?;
        }
        if after.attributes == before.attributes && after.members == before.members {
            return Ok(before.version);
        }
        let name = key(&after.attributes[name_of(kind)]);
        if self.is_taken(kind, &name, Some(id)) {
            return Err(taken(kind, "choose another value"));
        }
        after.version += 1;
        let version = after.version;
        self.all_mut(kind).insert(id.to_owned(), after);
        Ok(version)
    }

    fn find(&self, kind: Kind, id: &str, expected: Option<u64>) -> Result<&Object, Expected> {
        let object = self.all(kind).get(id).ok_or_else(|| missing(kind, id))?;
        if expected.is_some_and(|version| version != object.version) {
            let detail =
                "the resource changed since you read it: read it again and repeat the change";
            return Err(refused(412, None, detail));
        }
        Ok(object)
    }

    fn change_members(
        &self,
        group: &str,
        members: &mut BTreeSet<String>,
        change: &MemberChange,
    ) -> Result<(), Expected> {
        match change {
            MemberChange::Add(ids) | MemberChange::Replace(ids) => {
                for id in ids {
                    let why = if id == group {
                        "is the group itself; a group cannot be its own member"
                    } else if self.people.contains_key(id) || self.groups.contains_key(id) {
                        continue;
                    } else {
                        "is not a user or group of this organisation"
                    };
                    let detail = format!("`members`: `{id}` {why}");
                    return Err(refused(400, Some("invalidValue"), &detail));
                }
                if let MemberChange::Replace(_) = change {
                    members.clear();
                }
                members.extend(ids.iter().cloned());
            }
            MemberChange::Remove(ids) | MemberChange::RemoveEach(ids) => {
                members.retain(|id| !ids.contains(id));
            }
        }
        Ok(())
    }

    fn delete(
        &mut self,
        kind: Kind,
        id: &str,
        expected: Option<u64>,
    ) -> Result<Expected, Expected> {
        self.find(kind, id, expected)?;
        for group in self.groups.values_mut() {
            if group.members.remove(id) {
                group.version += 1;
            }
        }
        let object = self.all_mut(kind).remove(id).unwrap();
        self.tombstones.push(Tombstone {
            kind,
            id: id.to_owned(),
            name: key(&object.attributes[name_of(kind)]),
            external_id: object.attributes.get("externalId").cloned(),
            version: object.version,
        });
        Ok(Expected {
            status: 204,
            version: None,
            body: Value::Null,
        })
    }

    fn list(&self, deed: &Deed, base: &str) -> Expected {
        let Deed::List {
            kind,
            condition,
            order,
            start,
            count,
            shows,
        } = deed
        else {
            unreachable!("it is a listing");
        };
        let mut found: Vec<(&String, &Object)> = self.all(*kind).iter().collect();
        found.retain(|(id, object)| {
            let related: Vec<&str> = match kind {
                Kind::User => self.groups_of(id).collect(),
                Kind::Group => object.members.iter().map(String::as_str).collect(),
            };
            condition
                .as_ref()
                .is_none_or(|condition| condition.holds(&object.attributes, &related))
        });
        if *order != Order::Age {
            found.sort_by_key(|(_, object)| key(&object.attributes[name_of(*kind)]));
        }
        if *order == Order::Backwards {
            found.reverse();
        }
        let page = found.iter().skip(start - 1).take(*count);
        let resources: Vec<Value> = page
            .map(|(id, _)| {
                let mut document = self.document(*kind, id, base).unwrap();
                let fields = document.as_object_mut().unwrap();
                match shows {
                    Shows::Everything => {}
                    Shows::NamesOnly => fields.retain(|name, _| {
                        ["schemas", "id", name_of(*kind)].contains(&name.as_str())
                    }),
                    Shows::NoRows => drop(fields.remove(rows_of(*kind))),
                }
                document
            })
            .collect();
        Expected {
            status: 200,
            version: None,
            body: json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
                "totalResults": found.len(),
                "startIndex": start,
                "itemsPerPage": resources.len(),
                "Resources": resources,
            }),
        }
    }
}

fn key(name: &Value) -> String {
    name.as_str().unwrap_or_default().to_lowercase()
}

fn tag(version: u64) -> String {
    format!("W/\"{version}\"")
}

fn missing(kind: Kind, id: &str) -> Expected {
    let noun = match kind {
        Kind::User => "user",
        Kind::Group => "group",
    };
    refused(404, None, &format!("there is no {noun} `{id}`"))
}

fn taken(kind: Kind, hint: &str) -> Expected {
    let detail = format!("`{}` is taken: {hint}", name_of(kind));
    refused(409, Some("uniqueness"), &detail)
}

fn refused(status: u16, scim_type: Option<&str>, detail: &str) -> Expected {
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": status.to_string(),
        "detail": detail,
    });
    if let Some(scim_type) = scim_type {
        body["scimType"] = scim_type.into();
    }
    Expected {
        status,
        version: None,
        body,
    }
}
