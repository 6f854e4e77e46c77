//! A mirror of a foreign source: what a file or another server says, kept as an organisation's directory, so that cycles, plans and the
//! guard work on it as on any other.
//!
//! **Is:** taking over what changed, in small transactions, and at the end of a complete read the removal of who was not met.
//! **Is not:** reading; the engine does that. **Never:** a removal after a read that was not complete: what a source did not say is no word.
//! **Start at** [`Mirror`].
//!
//! An object's id follows from its identity at the source, so no table says which is which: the same object has the same id in every read.
//! When a source gives other identities, whoever has the name of an object that is not there under its own is that object, and keeps its id;
//! see [`identities`].

mod identities;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rollcall_model::{Action, Kind, Membership, OrgId, ResourceId};
use rollcall_scim::key;
use rollcall_scim::resource::Resource;
use rollcall_scim::schema::ENTERPRISE_USER;
use rollcall_store::{Entry, Member, Selection, Writer};
use rollcall_sync::record::{Pointer, Refusal, SourceRecord};
use rollcall_sync::source::SOURCE;
use rollcall_sync::target_path::member;
use serde_json::{Map, Value, json};

use crate::directory::Context;
use crate::directory::rules::{self, Event};
use crate::{App, Failure};
use identities::{Claim, Identities};

/// How many objects are removed in one transaction.
const REMOVED: usize = 100;
/// How many objects are listed at once.
const PAGE: u64 = 1_000;

/// What a read of the source came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirroring {
    /// How many objects are new.
    pub created: u64,
    /// How many changed.
    pub updated: u64,
    /// How many are as they were.
    pub unchanged: u64,
    /// How many the source has no longer.
    pub removed: u64,
    /// How many memberships came and went.
    pub memberships: u64,
    /// The records that could not be taken; their objects stay as they were.
    pub refused: Vec<Refusal>,
    /// Why nobody was taken for one that left; absent: the source was read to its end.
    pub incomplete: Option<String>,
}

/// A read of a source on its way into the mirror.
#[derive(Debug)]
pub struct Mirror {
    app: App,
    context: Context,
    met: HashSet<ResourceId>,
    identities: Option<Arc<Identities>>,
    /// Records of unknown identity, and whom each may be.
    claims: Vec<(Claim, SourceRecord)>,
    /// Records whose name somebody else has: they may give it away later in the read.
    stuck: Vec<Stuck>,
    /// Records that could not be understood, and have an identity.
    unclear: Vec<Refusal>,
    /// Groups with their members, as far as they could be told when the group came, and the pointers that are still open.
    groups: Vec<(ResourceId, String, Vec<Pointer>)>,
    /// People whose manager is given by name, with their places.
    managers: Vec<(ResourceId, String, String)>,
    /// People whose manager is given by identity, likewise.
    reports: Vec<(ResourceId, String, String)>,
    result: Mirroring,
}

/// A record that waits for its name.
#[derive(Debug)]
struct Stuck {
    id: ResourceId,
    document: Map<String, Value>,
    /// The record without what is in the document.
    record: SourceRecord,
}

impl App {
    /// Begins to mirror a source into an organisation that was made for it.
    pub fn mirror(&self, context: &Context) -> Mirror {
        Mirror {
            app: self.clone(),
            context: context.clone(),
            met: HashSet::new(),
            identities: None,
            claims: Vec::new(),
            stuck: Vec::new(),
            unclear: Vec::new(),
            groups: Vec::new(),
            managers: Vec::new(),
            reports: Vec::new(),
            result: Mirroring::default(),
        }
    }
}

/// Returns the id of a source's object in its mirror.
pub fn mirrored_id(organisation: OrgId, kind: Kind, key: &str) -> ResourceId {
    let kind = match kind {
        Kind::User => b"u",
        Kind::Group => b"g",
    };
    let name = [organisation.as_bytes().as_slice(), kind, key.as_bytes()].concat();
    let digest = ring::digest::digest(&ring::digest::SHA256, &name);
    let mut bytes = [0; 16];
    for (byte, drawn) in bytes.iter_mut().zip(digest.as_ref()) {
        *byte = *drawn;
    }
    // UUID version 8, RFC 9562 §5.8
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = (*version & 0x0f) | 0x80;
    *variant = (*variant & 0x3f) | 0x80;
    ResourceId::from_bytes(bytes)
}

/// Tells whether an id is one that [`mirrored_id`] gives: what a foreign source had has such a one, and nothing else does.
pub fn is_mirrored(id: ResourceId) -> bool {
    id.as_bytes()
        .get(6)
        .is_some_and(|version| version >> 4 == 8)
}

impl Mirror {
    /// Takes records over. People come before groups.
    ///
    /// # Errors
    /// Those of the store; what is wrong with a record is in the result.
    pub async fn take(&mut self, records: Vec<SourceRecord>) -> Result<(), Failure> {
        let identities = self.identities().await?;
        let mut batch = Vec::with_capacity(records.len());
        for record in records {
            let id = identities.id(record.kind, &record.key);
            if self.met.insert(id) {
                batch.push((id, record));
            } else {
                let reason = format!(
                    "the source has two objects with the identity `{}`",
                    record.key
                );
                self.result.refused.push(refusal(record, reason));
            }
        }
        let (batch, claims) = self
            .context
            .tenant()
            .read::<_, Failure, _>(move |reader| {
                let (mut plain, mut claims) = (Vec::with_capacity(batch.len()), Vec::new());
                for (id, record) in batch {
                    match identities::claim(reader, id, &record)? {
                        Some(claim) => claims.push((claim, record)),
                        None => plain.push((id, record)),
                    }
                }
                Ok((plain, claims))
            })
            .await?;
        self.claims.extend(claims);
        self.bring(batch).await
    }

    /// Notes records that the reader could not understand.
    pub fn refuse(&mut self, refused: Vec<Refusal>) {
        let known = refused.iter().filter(|one| one.key.is_some());
        self.unclear.extend(known.cloned());
        self.result.refused.extend(refused);
    }

    /// Returns the identities, which are read at the beginning.
    async fn identities(&mut self) -> Result<Arc<Identities>, Failure> {
        if let Some(identities) = &self.identities {
            return Ok(Arc::clone(identities));
        }
        let organisation = self.context.tenant().organisation();
        let identities = self
            .context
            .tenant()
            .read::<_, Failure, _>(move |reader| Ok(Identities::read(reader, organisation)?))
            .await?;
        let identities = Arc::new(identities);
        self.identities = Some(Arc::clone(&identities));
        Ok(identities)
    }

    /// Stores records.
    async fn bring(&mut self, batch: Vec<(ResourceId, SourceRecord)>) -> Result<(), Failure> {
        let pointing: Vec<(ResourceId, SourceRecord)> = batch
            .iter()
            .map(|(id, record)| {
                let pointing = SourceRecord {
                    body: Value::Null,
                    attributes: Map::new(),
                    ..record.clone()
                };
                (*id, pointing)
            })
            .collect();
        let taken = self
            .unit(move |unit| {
                let mut taken = HashMap::new();
                for (id, record) in batch {
                    taken.insert(id, unit.take(id, record)?);
                }
                Ok(taken)
            })
            .await?;
        let mut taken = taken;
        // who was refused stays as he was, and so does whom he points to
        for (id, record) in pointing {
            match taken.remove(&id) {
                Some(Taken::Done) => self.points(id, record),
                Some(Taken::Stuck(document)) => self.stuck.push(Stuck {
                    id,
                    document,
                    record,
                }),
                Some(Taken::Refused) | None => {}
            }
        }
        Ok(())
    }

    /// Notes to whom an object that was stored points.
    fn points(&mut self, id: ResourceId, record: SourceRecord) {
        match (record.kind, record.manager) {
            (Kind::Group, _) => self.groups.push((id, record.place, record.members)),
            (Kind::User, Some(Pointer::Name(name))) => {
                self.managers.push((id, record.place, name));
            }
            (Kind::User, Some(Pointer::Key(key))) => self.reports.push((id, record.place, key)),
            (Kind::User, None) => {}
        }
    }

    /// Decides who those are whose identity is unknown: whoever has the name of somebody who is not in the source under his own identity
    /// is him. In a read that was not complete nobody knows who is not there.
    async fn settle_claims(&mut self, is_complete: bool) -> Result<(), Failure> {
        let mut identities = (*self.identities().await?).clone();
        let mut batch = Vec::with_capacity(self.claims.len());
        for (claim, record) in std::mem::take(&mut self.claims) {
            let (kind, id) = (record.kind, claim.id());
            if self.met.contains(&id) {
                batch.push((identities.id(kind, &record.key), record));
            } else if is_complete || matches!(claim, Claim::Buried(_)) {
                self.met.insert(id);
                identities.give(kind, record.key.clone(), id);
                batch.push((id, record));
            } else {
                let reason = "it has the name of somebody whom this read may have left out: it is \
                              taken over when the source is read to its end";
                self.result.refused.push(refusal(record, reason.to_owned()));
            }
        }
        // a manager who got another identity is somebody else than when the reports came
        let given = std::mem::take(&mut identities.given);
        self.identities = Some(Arc::new(identities));
        let reports = std::mem::take(&mut self.reports);
        let moved = reports
            .into_iter()
            .filter(|(_, _, key)| given.contains(&(Kind::User, key.clone())));
        self.managers.extend(moved);
        for part in batch.chunks(REMOVED) {
            self.bring(part.to_vec()).await?;
        }
        Ok(())
    }

    /// Notes that those are in the source whose records could not be understood.
    async fn meet_unclear(&mut self) -> Result<(), Failure> {
        let identities = self.identities().await?;
        let unclear = std::mem::take(&mut self.unclear);
        let met = self
            .context
            .tenant()
            .read::<_, Failure, _>(move |reader| {
                let mut met = Vec::new();
                for Refusal {
                    kind, key, name, ..
                } in unclear
                {
                    let id = key.map(|key| identities.id(kind, &key));
                    let is_known = match id {
                        Some(id) => reader.kind_of(id)?.is_some(),
                        None => false,
                    };
                    met.extend(id);
                    if let (false, Some(name)) = (is_known, name) {
                        met.extend(reader.named(kind, &name)?);
                    }
                }
                Ok(met)
            })
            .await?;
        self.met.extend(met);
        Ok(())
    }

    /// Stores those who waited for their names, all who can have them together: names that went round are free when everybody has given his
    /// away.
    async fn settle_stuck(&mut self) -> Result<(), Failure> {
        let stuck = std::mem::take(&mut self.stuck);
        if stuck.is_empty() {
            return Ok(());
        }
        let (stored, refused) = self
            .unit(move |unit| {
                let (free, refused) = unit.free(stuck)?;
                // between two names nobody has one that another one waits for
                for one in &free {
                    unit.step_aside(one)?;
                }
                let mut stored = Vec::with_capacity(free.len());
                for one in free {
                    unit.store(one.record.kind, one.id, one.document)?;
                    stored.push((one.id, one.record));
                }
                Ok((stored, refused))
            })
            .await?;
        for (id, record) in stored {
            self.points(id, record);
        }
        for record in refused {
            let attribute = attribute(record.kind);
            let reason = format!("its `{attribute}` is that of somebody else in the source");
            self.result.refused.push(refusal(record, reason));
        }
        Ok(())
    }

    /// Ends the read: managers and members are resolved, and when it was complete, who was not met is removed. A source that has nobody of a
    /// kind any more counts as incomplete, unless somebody said that it may be empty.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn finish(
        mut self,
        incomplete: Option<String>,
        may_be_empty: bool,
    ) -> Result<Mirroring, Failure> {
        self.meet_unclear().await?;
        self.settle_claims(incomplete.is_none()).await?;
        self.result.incomplete = match incomplete {
            None if !may_be_empty => self.vanished().await?,
            incomplete => incomplete,
        };
        let is_complete = self.result.incomplete.is_none();
        if is_complete {
            for (kind, ids) in self.missing().await? {
                for part in ids.chunks(REMOVED) {
                    let part = part.to_vec();
                    self.unit(move |unit| {
                        part.into_iter().try_for_each(|id| unit.remove(kind, id))
                    })
                    .await?;
                }
            }
        }
        self.settle_stuck().await?;
        for part in std::mem::take(&mut self.managers).chunks(REMOVED) {
            let part = part.to_vec();
            self.unit(move |unit| {
                part.into_iter()
                    .try_for_each(|(id, place, name)| unit.manager(id, &place, &name))
            })
            .await?;
        }
        for (group, place, members) in std::mem::take(&mut self.groups) {
            self.unit(move |unit| unit.members(group, &place, &members, is_complete))
                .await?;
        }
        Ok(self.result)
    }

    async fn unit<T: Send + 'static>(
        &mut self,
        act: impl FnOnce(&mut Unit<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let identities = self.identities().await?;
        let (app, context) = (self.app.clone(), self.context.clone());
        let (done, outcome) = self
            .context
            .tenant()
            .write::<_, Failure, _>(move |writer| {
                let mut unit = Unit::new(&app, &context, &identities, writer);
                let outcome = act(&mut unit)?;
                Ok((unit.result, outcome))
            })
            .await?;
        self.add(done);
        Ok(outcome)
    }

    fn add(&mut self, done: Mirroring) {
        let all = &mut self.result;
        all.created += done.created;
        all.updated += done.updated;
        all.unchanged += done.unchanged;
        all.removed += done.removed;
        all.memberships += done.memberships;
        all.refused.extend(done.refused);
    }

    /// Tells of which kind everybody has vanished.
    async fn vanished(&self) -> Result<Option<String>, Failure> {
        let missing = self.missing().await?;
        let counts = self.context.tenant();
        let counts = counts
            .read::<_, Failure, _>(|reader| Ok(reader.counts()?))
            .await?;
        let vanished = missing.into_iter().find(|(kind, ids)| {
            let there = match kind {
                Kind::User => counts.users,
                Kind::Group => counts.groups,
            };
            there > 0 && ids.len() as u64 == there
        });
        Ok(vanished.map(|(kind, ids)| {
            format!(
                "it had {} {}s and has none any more; set accept_empty = true when that is meant",
                ids.len(),
                kind.resource_type().to_lowercase()
            )
        }))
    }

    /// Finds the objects of the mirror that the source does not have any more: groups first, so that their members need not be told.
    async fn missing(&self) -> Result<Vec<(Kind, Vec<ResourceId>)>, Failure> {
        let met = self.met.clone();
        self.context
            .tenant()
            .read::<_, Failure, _>(move |reader| {
                let mut missing = Vec::new();
                for kind in [Kind::Group, Kind::User] {
                    let (mut ids, mut after) = (Vec::new(), None);
                    loop {
                        let page = reader.list(kind, &Selection::after(after, PAGE))?;
                        after = page.resources.last().map(|raw| raw.id);
                        // what did not come from a source is not the source's to take away
                        let gone = page
                            .resources
                            .iter()
                            .filter(|raw| is_mirrored(raw.id) && !met.contains(&raw.id));
                        ids.extend(gone.map(|raw| raw.id));
                        if !page.more {
                            break;
                        }
                    }
                    missing.push((kind, ids));
                }
                Ok(missing)
            })
            .await
    }
}

impl Stuck {
    fn name(&self) -> &str {
        let name = member(&self.document, attribute(self.record.kind));
        name.and_then(Value::as_str).unwrap_or_default()
    }
}

/// What became of a record.
enum Taken {
    Done,
    /// Somebody else has its name.
    Stuck(Map<String, Value>),
    Refused,
}

/// Returns the attribute that holds the name of an object.
fn attribute(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "userName",
        Kind::Group => "displayName",
    }
}

fn refusal(record: SourceRecord, reason: String) -> Refusal {
    Refusal {
        name: None,
        place: record.place,
        kind: record.kind,
        key: Some(record.key),
        reason,
    }
}

/// One transaction of a mirror.
struct Unit<'a> {
    app: &'a App,
    context: &'a Context,
    identities: &'a Identities,
    writer: &'a mut dyn Writer,
    now: jiff::Timestamp,
    result: Mirroring,
}

impl<'a> Unit<'a> {
    fn new(
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
    fn take(&mut self, id: ResourceId, record: SourceRecord) -> Result<Taken, Failure> {
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
    fn free(&self, stuck: Vec<Stuck>) -> Result<(Vec<Stuck>, Vec<SourceRecord>), Failure> {
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
    fn step_aside(&mut self, one: &Stuck) -> Result<(), Failure> {
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

    fn store(
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
    fn manager(&mut self, id: ResourceId, place: &str, name: &str) -> Result<(), Failure> {
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
    fn members(
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

    fn remove(&mut self, kind: Kind, id: ResourceId) -> Result<(), Failure> {
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
