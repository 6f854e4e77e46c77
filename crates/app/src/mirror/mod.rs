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
mod unit;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rollcall_model::{Kind, OrgId, ResourceId};
use rollcall_store::Selection;
use rollcall_sync::record::{Pointer, Refusal, SourceRecord};
use rollcall_sync::target_path::member;
use serde_json::{Map, Value};

use crate::directory::Context;
use crate::{App, Failure};
use identities::{Claim, Identities};
use unit::{Taken, Unit};

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
