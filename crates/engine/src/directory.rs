//! Our own directory as a source.

use std::collections::{BTreeSet, HashSet};

use rollcall_app::mirror::is_mirrored;
use rollcall_model::application::{Assignment, NestedGroups, Scope};
use rollcall_model::link::Link;
use rollcall_model::{ApplicationId, Kind, ResourceId};
use rollcall_store::{Error, Raw, Reader, Selection};
use rollcall_sync::source::SourceObject;
use serde_json::{Map, Value};

use crate::work::PAGE;

/// Who is assigned to an application.
#[derive(Debug)]
pub(crate) enum Assigned {
    /// It does not matter: everybody is in scope.
    Everybody,
    /// These, and who comes with one of these groups.
    Those {
        users: HashSet<ResourceId>,
        groups: HashSet<ResourceId>,
        nested: NestedGroups,
    },
}

impl Assigned {
    pub(crate) fn new(scope: Scope, assignments: &[Assignment], nested: NestedGroups) -> Self {
        let of = |kind| {
            let of_kind = assignments.iter().filter(move |one| one.kind == kind);
            of_kind.map(|one| one.principal).collect()
        };
        match scope {
            Scope::All => Self::Everybody,
            Scope::AssignedOnly => Self::Those {
                users: of(Kind::User),
                groups: of(Kind::Group),
                nested,
            },
        }
    }

    /// Returns by which assignment an object is in scope: its own, or that of a group that brings it. Whose groups it is in is read at
    /// the moment of the question: nobody keeps a list that may be out of date.
    pub(crate) fn by(
        &self,
        reader: &dyn Reader,
        kind: Kind,
        id: ResourceId,
    ) -> Result<Option<ResourceId>, Error> {
        let Self::Those {
            users,
            groups,
            nested,
        } = self
        else {
            return Ok(Some(id));
        };
        let own = match kind {
            Kind::User => users,
            Kind::Group => groups,
        };
        if own.contains(&id) {
            return Ok(Some(id));
        }
        let around = match (kind, nested) {
            (Kind::User, NestedGroups::Direct) => parents(reader, id)?,
            (Kind::User, NestedGroups::Keep | NestedGroups::Flatten)
            | (Kind::Group, NestedGroups::Keep) => ancestors(reader, id)?,
            (Kind::Group, NestedGroups::Direct | NestedGroups::Flatten) => return Ok(None),
        };
        Ok(around.into_iter().find(|group| groups.contains(group)))
    }
}

fn parents(reader: &dyn Reader, id: ResourceId) -> Result<Vec<ResourceId>, Error> {
    let groups = reader.groups_of(id)?;
    Ok(groups.into_iter().map(|(group, _)| group).collect())
}

/// Returns the groups around an object, at any distance, the nearest first. Groups may contain each other.
pub(crate) fn ancestors(reader: &dyn Reader, id: ResourceId) -> Result<Vec<ResourceId>, Error> {
    let mut found = parents(reader, id)?;
    let mut seen: HashSet<ResourceId> = found.iter().copied().collect();
    let mut next = 0;
    while let Some(group) = found.get(next).copied() {
        next += 1;
        let around = parents(reader, group)?;
        found.extend(around.into_iter().filter(|group| seen.insert(*group)));
    }
    Ok(found)
}

/// Returns the groups within a group, at any depth, itself included, and the people in them. Groups may contain each other.
pub(crate) fn descendants(
    reader: &dyn Reader,
    group: ResourceId,
) -> Result<(BTreeSet<ResourceId>, BTreeSet<ResourceId>), Error> {
    let (mut groups, mut people) = (BTreeSet::from([group]), BTreeSet::new());
    let mut open = vec![group];
    while let Some(group) = open.pop() {
        let mut after = None;
        loop {
            let members = reader.members(group, after, PAGE)?;
            let Some(last) = members.last() else { break };
            after = Some(last.id);
            for member in members {
                match member.kind {
                    Kind::User => drop(people.insert(member.id)),
                    Kind::Group if groups.insert(member.id) => open.push(member.id),
                    Kind::Group => {}
                }
            }
        }
    }
    Ok((groups, people))
}

/// Returns the name of a person or group for people, or its id.
pub(crate) fn name(reader: &dyn Reader, id: ResourceId) -> Result<String, Error> {
    let kind = reader.kind_of(id)?.unwrap_or(Kind::User);
    let entry = reader.entry(kind, id)?;
    let name = entry.as_ref().and_then(|entry| match kind {
        Kind::User => entry.resource.user_name(),
        Kind::Group => entry.resource.display_name(),
    });
    Ok(name.map_or_else(|| id.to_string(), str::to_owned))
}

/// An object with what is remembered of it.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) object: SourceObject,
    pub(crate) link: Option<Link>,
}

/// Reads an object, or that it is gone, with its link.
pub(crate) fn known(
    reader: &dyn Reader,
    application: ApplicationId,
    assigned: &Assigned,
    kind: Kind,
    id: ResourceId,
) -> Result<Known, Error> {
    let object = match reader.raw(kind, id)? {
        Some(raw) => from_raw(reader, &raw, kind, assigned)?,
        None if is_mirrored(id) => SourceObject::vanished(kind, id),
        None => SourceObject::gone(kind, id),
    };
    Ok(Known {
        object,
        link: reader.link(application, kind, id)?,
    })
}

/// Reads a page of all objects of a kind, in order of id.
pub(crate) fn page(
    reader: &dyn Reader,
    application: ApplicationId,
    assigned: &Assigned,
    kind: Kind,
    after: Option<ResourceId>,
) -> Result<Vec<Known>, Error> {
    let selection = Selection::after(after, PAGE);
    let listing = reader.list(kind, &selection)?;
    listing
        .resources
        .iter()
        .map(|raw| {
            Ok(Known {
                object: from_raw(reader, raw, kind, assigned)?,
                link: reader.link(application, kind, raw.id)?,
            })
        })
        .collect()
}

fn from_raw(
    reader: &dyn Reader,
    raw: &Raw,
    kind: Kind,
    assigned: &Assigned,
) -> Result<SourceObject, Error> {
    let document: Map<String, Value> =
        serde_json::from_slice(&raw.document).map_err(|error| Error::Backend(Box::new(error)))?;
    let is_assigned = assigned.by(reader, kind, raw.id)?.is_some();
    Ok(SourceObject::from_directory(
        kind,
        raw.id,
        &document,
        is_assigned,
    ))
}
