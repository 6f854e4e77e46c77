//! One transaction of a mirror: what is written of a record, of its manager or its members, and who is removed.

use std::collections::HashSet;

use rollcall_model::{Action, Kind, Membership, ResourceId};
use rollcall_scim::key;
use rollcall_scim::resource::Resource;
use rollcall_scim::schema::ENTERPRISE_USER;
use rollcall_store::{Entry, Member, Writer};
use rollcall_sync::record::{Pointer, Refusal, SourceRecord};
use rollcall_sync::source::SOURCE;
use serde_json::{Map, Value, json};

use super::identities::Identities;
use super::{Mirroring, PAGE, Stuck, attribute, refusal};
use crate::directory::Context;
use crate::directory::rules::{self, Event};
use crate::{App, Failure};

/// What became of a record.
pub(super) enum Taken {
    Done,
    /// Somebody else has its name.
    Stuck(Map<String, Value>),
    Refused,
}

/// One transaction of a mirror.
pub(super) struct Unit<'a> {
    app: &'a App,
    context: &'a Context,
    identities: &'a Identities,
    writer: &'a mut dyn Writer,
    now: jiff::Timestamp,
    pub(super) result: Mirroring,
}

impl<'a> Unit<'a> {
    pub(super) fn new(
        app: &'a App,
        context: &'a Context,
        identities: &'a Identities,
        writer: &'a mut dyn Writer,
    ) -> Self {
        Self {
            now: app.now(),
            app,
            context,
            identities,
            writer,
            result: Mirroring::default(),
        }
    }

    /// Takes a record over.
    pub(super) fn take(&mut self, id: ResourceId, record: SourceRecord) -> Result<Taken, Failure> {
        let kind = record.kind;
        let bare = SourceRecord {
            body: Value::Null,
            attributes: Map::new(),
            members: Vec::new(),
            ..record.clone()
        };
        let outcome = match self.document(record) {
            Ok(document) => match self.store(kind, id, document.clone()) {
                Err(Failure::Taken { .. }) => return Ok(Taken::Stuck(document)),
                outcome => outcome,
            },
            Err(failure) => Err(failure),
        };
        match outcome {
            Ok(()) => Ok(Taken::Done),
            Err(failure @ (Failure::Unavailable(_) | Failure::Internal(_))) => Err(failure),
            Err(refused) => {
                self.result.refused.push(refusal(bare, refused.to_string()));
                Ok(Taken::Refused)
            }
        }
    }

    /// Tells of those who wait for a name who can have it: nobody has it, or somebody who gives it away together with them. Returns the
    /// records of the others too.
    pub(super) fn free(
        &self,
        stuck: Vec<Stuck>,
    ) -> Result<(Vec<Stuck>, Vec<SourceRecord>), Failure> {
        let mut free = Vec::with_capacity(stuck.len());
        let (mut refused, mut wanted) = (Vec::new(), HashSet::new());
        for one in stuck {
            // of two who want the same, the first gets it
            if wanted.insert((one.record.kind, key::canonical(one.name()))) {
                free.push(one);
            } else {
                refused.push(one.record);
            }
        }
        loop {
            let giving: HashSet<ResourceId> = free.iter().map(|one| one.id).collect();
            let count = free.len();
            let mut still = Vec::with_capacity(count);
            for one in free {
                let holder = self.writer.named(one.record.kind, one.name())?;
                if holder.is_none_or(|holder| giving.contains(&holder)) {
                    still.push(one);
                } else {
                    refused.push(one.record);
                }
            }
            free = still;
            if free.len() == count {
                return Ok((free, refused));
            }
        }
    }

    /// Gives somebody a name that nobody else has, within this transaction.
    pub(super) fn step_aside(&mut self, one: &Stuck) -> Result<(), Failure> {
        let Some(before) = self.writer.entry(one.record.kind, one.id)? else {
            return Ok(());
        };
        let mut document = before.resource.as_map().clone();
        let attribute = attribute(one.record.kind);
        document.retain(|name, _| !name.eq_ignore_ascii_case(attribute));
        document.insert(attribute.to_owned(), json!(one.id.to_string()));
        let aside = Entry {
            version: before.version + 1,
            resource: Resource::from_stored(Value::Object(document)),
            ..before
        }
        .stamped();
        self.writer.update(&aside)?;
        Ok(())
    }

    /// Makes the document that is kept of a record: its resource, and beside it what only the source knows.
    fn document(&self, record: SourceRecord) -> Result<Map<String, Value>, Failure> {
        let resource_type = self.app.resource_type(record.kind);
        let mut resource =
            Resource::from_request(resource_type, record.body, &self.app.settings().limits)?;
        if record.kind == Kind::User {
            resource.assume_active(true);
        }
        let Value::Object(mut document) = resource.into_value() else {
            return Ok(Map::new());
        };
        let manager = match &record.manager {
            Some(Pointer::Key(key)) => Some(self.identities.id(Kind::User, key)),
            Some(Pointer::Name(name)) => self.person(name)?,
            None => None,
        };
        if let Some(manager) = manager {
            set_manager(&mut document, Some(manager));
        }
        document.insert(
            SOURCE.to_owned(),
            json!({"id": record.key, "attributes": record.attributes}),
        );
        Ok(document)
    }

    pub(super) fn store(
        &mut self,
        kind: Kind,
        id: ResourceId,
        document: Map<String, Value>,
    ) -> Result<(), Failure> {
        let before = self.writer.entry(kind, id)?;
        if let Some(before) = &before
            && same(before.resource.as_map(), &document)
        {
            self.result.unchanged += 1;
            return Ok(());
        }
        let entry = Entry {
            kind,
            id,
            version: before.as_ref().map_or(1, |before| before.version + 1),
            created: before.as_ref().map_or(self.now, |before| before.created),
            modified: self.now,
            managed_by: None,
            resource: Resource::from_stored(Value::Object(document)),
        }
        .stamped();
        let action = match &before {
            None => {
                self.writer.insert(&entry)?;
                self.writer.remove_tombstone(kind, id)?;
                self.result.created += 1;
                Action::Created
            }
            Some(before) => {
                self.writer.update(&entry)?;
                self.result.updated += 1;
                rules::action_of(before, &entry)
            }
        };
        self.record(kind, id, action, Some(&entry), Membership::default())
    }

    fn record(
        &mut self,
        kind: Kind,
        id: ResourceId,
        action: Action,
        entry: Option<&Entry>,
        membership: Membership,
    ) -> Result<(), Failure> {
        let event = Event {
            kind,
            id,
            action,
            entry,
            version: entry.map(|entry| entry.version),
            membership,
            changes: Value::Null,
        };
        rules::record(self.app, self.writer, self.context, self.now, event)
    }

    /// Finds a person by what a source wrote: an identity, or a userName.
    fn person(&self, text: &str) -> Result<Option<ResourceId>, Failure> {
        Ok(self.find(Kind::User, text)?)
    }

    /// Finds an object by its identity at the source.
    fn known(&self, kind: Kind, key: &str) -> Result<Option<ResourceId>, rollcall_store::Error> {
        let id = self.identities.id(kind, key);
        Ok((self.writer.kind_of(id)? == Some(kind)).then_some(id))
    }

    /// Finds an object by what a source wrote: its identity, or its name.
    fn find(&self, kind: Kind, text: &str) -> Result<Option<ResourceId>, rollcall_store::Error> {
        if let Some(id) = self.known(kind, text)? {
            return Ok(Some(id));
        }
        if key::canonical(text).is_empty() {
            return Ok(None);
        }
        self.writer.named(kind, text)
    }

    /// Sets a manager who is given by name, now that everybody is there.
    pub(super) fn manager(
        &mut self,
        id: ResourceId,
        place: &str,
        name: &str,
    ) -> Result<(), Failure> {
        let Some(before) = self.writer.entry(Kind::User, id)? else {
            return Ok(());
        };
        let found = self.person(name)?;
        if found.is_none() {
            self.result.refused.push(Refusal {
                kind: Kind::User,
                place: place.to_owned(),
                reason: format!("its manager `{name}` is nobody in the source"),
                key: None,
                name: None,
            });
        }
        let mut document = before.resource.as_map().clone();
        set_manager(&mut document, found);
        if same(before.resource.as_map(), &document) {
            return Ok(());
        }
        let count = self.result.updated;
        self.store(Kind::User, id, document)?;
        // counted already, when the record came
        self.result.updated = count;
        Ok(())
    }

    /// Makes the members of a group those that the source says; when the read was not complete, nobody is taken out.
    pub(super) fn members(
        &mut self,
        group: ResourceId,
        place: &str,
        pointers: &[Pointer],
        is_complete: bool,
    ) -> Result<(), Failure> {
        let Some(before) = self.writer.entry(Kind::Group, group)? else {
            return Ok(());
        };
        let mut wanted = Vec::with_capacity(pointers.len());
        let mut is_certain = is_complete;
        for pointer in pointers {
            let mut found = None;
            for kind in [Kind::User, Kind::Group] {
                let id = match pointer {
                    Pointer::Key(key) => self.known(kind, key)?,
                    Pointer::Name(text) => self.find(kind, text)?,
                };
                let id = id.filter(|id| *id != group);
                found = found.or(id.map(|id| Member { id, kind }));
            }
            let (Pointer::Key(text) | Pointer::Name(text)) = pointer;
            match found {
                Some(member) => wanted.push(member),
                // a server may show members that it does not list: those of another kind, say
                None if matches!(pointer, Pointer::Key(_)) => {}
                // it may be somebody who could not be taken under a new name: nobody is taken out
                None => {
                    is_certain = false;
                    self.result.refused.push(Refusal {
                        kind: Kind::Group,
                        place: place.to_owned(),
                        reason: format!("its member `{text}` is nobody in the source"),
                        key: None,
                        name: None,
                    });
                }
            }
        }
        let added = self.writer.add_members(group, &wanted)?;
        let removed = if is_certain {
            let keep: HashSet<ResourceId> = wanted.iter().map(|member| member.id).collect();
            let leaving = others(self.writer, group, &keep)?;
            self.writer.remove_members(group, &leaving)?
        } else {
            Vec::new()
        };
        if added.is_empty() && removed.is_empty() {
            return Ok(());
        }
        self.result.memberships += (added.len() + removed.len()) as u64;
        let after = Entry {
            version: before.version + 1,
            modified: self.now,
            ..before
        }
        .stamped();
        self.writer.update(&after)?;
        let membership = Membership { added, removed };
        self.record(Kind::Group, group, Action::Members, None, membership)
    }

    pub(super) fn remove(&mut self, kind: Kind, id: ResourceId) -> Result<(), Failure> {
        for (group, _) in self.writer.groups_of(id)? {
            let removed = self.writer.remove_members(group, &[id])?;
            self.result.memberships += removed.len() as u64;
            let membership = Membership {
                added: Vec::new(),
                removed,
            };
            self.record(Kind::Group, group, Action::Members, None, membership)?;
        }
        self.writer.remove(kind, id, self.now)?;
        self.result.removed += 1;
        self.record(kind, id, Action::Deleted, None, Membership::default())
    }
}

fn others(
    reader: &dyn Writer,
    group: ResourceId,
    keep: &HashSet<ResourceId>,
) -> Result<Vec<ResourceId>, rollcall_store::Error> {
    let (mut others, mut after) = (Vec::new(), None);
    loop {
        let members = reader.members(group, after, PAGE)?;
        let Some(last) = members.last() else {
            return Ok(others);
        };
        after = Some(last.id);
        let leaving = members.iter().filter(|member| !keep.contains(&member.id));
        others.extend(leaving.map(|member| member.id));
    }
}

fn set_manager(document: &mut Map<String, Value>, manager: Option<ResourceId>) {
    match manager {
        Some(manager) => {
            let extension = document
                .entry(ENTERPRISE_USER)
                .or_insert_with(|| Value::Object(Map::new()));
            if let Some(extension) = extension.as_object_mut() {
                extension.insert("manager".into(), json!({"value": manager}));
            }
        }
        None => {
            if let Some(Value::Object(extension)) = document.get_mut(ENTERPRISE_USER) {
                extension.shift_remove("manager");
            }
        }
    }
}

/// Compares what a source says with what is kept, whatever the store has added.
fn same(kept: &Map<String, Value>, said: &Map<String, Value>) -> bool {
    let of_source = |name: &str| !matches!(name, "id" | "meta");
    let count =
        |document: &Map<String, Value>| document.keys().filter(|name| of_source(name)).count();
    count(kept) == count(said)
        && said
            .iter()
            .filter(|(name, _)| of_source(name))
            .all(|(name, value)| kept.get(name) == Some(value))
}
