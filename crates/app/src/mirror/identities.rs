//! Which object of a mirror has which identity at the source.
//!
//! **Is:** the rule that an object's id follows from its identity, and the exceptions to it: who is known at the source by another
//! identity than he came with. **Is not:** a table; the exceptions are found in the documents, which hold the identity.
//! **Start at** [`Identities`].

use std::collections::{HashMap, HashSet};

use rollcall_model::{Kind, OrgId, ResourceId};
use rollcall_scim::key;
use rollcall_store::{Error, Reader, Selection};
use rollcall_sync::record::SourceRecord;
use rollcall_sync::source::SOURCE;
use rollcall_sync::target_path::member;
use serde_json::Value;

use super::{PAGE, attribute, is_mirrored, mirrored_id};

/// By which identities the source knows the objects of a mirror.
#[derive(Debug, Clone)]
pub(super) struct Identities {
    organisation: OrgId,
    /// Those who have another id than follows from their identity.
    moved: HashMap<(Kind, String), ResourceId>,
    /// Their ids.
    theirs: HashSet<ResourceId>,
    /// Who got another identity in this read.
    pub(super) given: HashSet<(Kind, String)>,
}

impl Identities {
    /// Finds the exceptions.
    pub(super) fn read(reader: &dyn Reader, organisation: OrgId) -> Result<Self, Error> {
        let mut identities = Self {
            organisation,
            moved: HashMap::new(),
            theirs: HashSet::new(),
            given: HashSet::new(),
        };
        for kind in [Kind::User, Kind::Group] {
            let mut after = None;
            loop {
                let page = reader.list(kind, &Selection::after(after, PAGE))?;
                after = page.resources.last().map(|raw| raw.id);
                for raw in &page.resources {
                    let key = identity(&raw.document).filter(|_| is_mirrored(raw.id));
                    if let Some(key) = key
                        && mirrored_id(organisation, kind, &key) != raw.id
                    {
                        identities.set(kind, key, raw.id);
                    }
                }
                if !page.more {
                    break;
                }
            }
        }
        Ok(identities)
    }

    /// Returns the id of the object with an identity, whether there is one or not.
    pub(super) fn id(&self, kind: Kind, key: &str) -> ResourceId {
        if let Some(id) = self.moved.get(&(kind, key.to_owned())) {
            return *id;
        }
        // somebody who came with this identity, and is known by another one now, keeps the id
        let mut salted = key.to_owned();
        loop {
            let id = mirrored_id(self.organisation, kind, &salted);
            if !self.theirs.contains(&id) {
                return id;
            }
            salted.push('\0');
        }
    }

    /// Knows an object by another identity from now on.
    pub(super) fn give(&mut self, kind: Kind, key: String, id: ResourceId) {
        self.given.insert((kind, key.clone()));
        self.set(kind, key, id);
    }

    fn set(&mut self, kind: Kind, key: String, id: ResourceId) {
        self.moved.insert((kind, key), id);
        self.theirs.insert(id);
    }
}

/// Reads the identity out of a stored document.
fn identity(document: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(document).ok()?;
    Some(document.get(SOURCE)?.get("id")?.as_str()?.to_owned())
}

/// Whom a record of unknown identity may be, because of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// An object of the mirror, if the source does not have it under its identity any more.
    Held(ResourceId),
    /// One that vanished before, and whose account an application remembers.
    Buried(ResourceId),
}

impl Claim {
    pub(super) fn id(self) -> ResourceId {
        let (Self::Held(id) | Self::Buried(id)) = self;
        id
    }
}

/// Finds whom a record may be, when the mirror does not know its identity.
pub(super) fn claim(
    reader: &dyn Reader,
    id: ResourceId,
    record: &SourceRecord,
) -> Result<Option<Claim>, Error> {
    let kind = record.kind;
    let Some(name) = name(record) else {
        return Ok(None);
    };
    if reader.kind_of(id)?.is_some() || is_remembered(reader, kind, id)? {
        return Ok(None);
    }
    if let Some(held) = reader.named(kind, name)? {
        return Ok(is_mirrored(held).then_some(Claim::Held(held)));
    }
    for tombstone in reader.tombstones(kind, None, name)? {
        let id = tombstone.id;
        if is_mirrored(id) && reader.kind_of(id)?.is_none() && is_remembered(reader, kind, id)? {
            return Ok(Some(Claim::Buried(id)));
        }
    }
    Ok(None)
}

/// Tells whether an application remembers an object.
fn is_remembered(reader: &dyn Reader, kind: Kind, id: ResourceId) -> Result<bool, Error> {
    for application in reader.applications()? {
        if reader.link(application.id, kind, id)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the name of what a record describes.
pub(super) fn name(record: &SourceRecord) -> Option<&str> {
    let name = member(record.body.as_object()?, attribute(record.kind))?.as_str()?;
    (!key::canonical(name).is_empty()).then_some(name)
}
