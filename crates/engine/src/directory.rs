//! Our own directory as a source.

use std::collections::HashSet;

use rollcall_model::application::{Assignment, Scope};
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
    /// These, and people who are direct members of one of these groups.
    Those {
        users: HashSet<ResourceId>,
        groups: HashSet<ResourceId>,
    },
}

impl Assigned {
    pub(crate) fn new(scope: Scope, assignments: &[Assignment]) -> Self {
        let of = |kind| {
            let of_kind = assignments.iter().filter(move |one| one.kind == kind);
            of_kind.map(|one| one.principal).collect()
        };
        match scope {
            Scope::All => Self::Everybody,
            Scope::AssignedOnly => Self::Those {
                users: of(Kind::User),
                groups: of(Kind::Group),
            },
        }
    }

    /// Tells whether an object is assigned. Whose groups a person is in is read at the moment of the question: nobody keeps a list that
    /// may be out of date.
    fn has(&self, reader: &dyn Reader, kind: Kind, id: ResourceId) -> Result<bool, Error> {
        let Self::Those { users, groups } = self else {
            return Ok(true);
        };
        Ok(match kind {
            Kind::Group => groups.contains(&id),
            Kind::User if users.contains(&id) => true,
            Kind::User => reader
                .groups_of(id)?
                .iter()
                .any(|(group, _)| groups.contains(group)),
        })
    }
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
    let is_assigned = assigned.has(reader, kind, raw.id)?;
    Ok(SourceObject::from_directory(
        kind,
        raw.id,
        &document,
        is_assigned,
    ))
}
