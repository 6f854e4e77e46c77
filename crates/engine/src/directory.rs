//! Our own directory as a source.

use std::collections::HashSet;

use rollcall_model::application::{Assignment, Scope};
use rollcall_model::link::Link;
use rollcall_model::{ApplicationId, Kind, ResourceId};
use rollcall_store::{Error, Paging, Raw, Reader, Selection};
use rollcall_sync::source::SourceObject;
use serde_json::{Map, Value};

use crate::work::PAGE;

/// Who is assigned to an application.
#[derive(Debug)]
pub(crate) enum Assigned {
    /// It does not matter: everybody is in scope.
    Everybody,
    /// These, directly or as direct members of an assigned group.
    Those {
        users: HashSet<ResourceId>,
        groups: HashSet<ResourceId>,
    },
}

impl Assigned {
    pub(crate) fn has(&self, kind: Kind, id: ResourceId) -> bool {
        match (self, kind) {
            (Self::Everybody, _) => true,
            (Self::Those { users, .. }, Kind::User) => users.contains(&id),
            (Self::Those { groups, .. }, Kind::Group) => groups.contains(&id),
        }
    }
}

/// An object with what is remembered of it.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) object: SourceObject,
    pub(crate) link: Option<Link>,
}

/// Reads who is assigned.
pub(crate) fn assigned(
    reader: &dyn Reader,
    scope: Scope,
    assignments: &[Assignment],
) -> Result<Assigned, Error> {
    if scope == Scope::All {
        return Ok(Assigned::Everybody);
    }
    let (mut users, mut groups) = (HashSet::new(), HashSet::new());
    for assignment in assignments {
        match assignment.kind {
            Kind::User => {
                users.insert(assignment.principal);
            }
            Kind::Group => {
                groups.insert(assignment.principal);
                let mut after = None;
                loop {
                    let members = reader.members(assignment.principal, after, PAGE)?;
                    let Some(last) = members.last() else { break };
                    after = Some(last.id);
                    let people = members.iter().filter(|member| member.kind == Kind::User);
                    users.extend(people.map(|member| member.id));
                }
            }
        }
    }
    Ok(Assigned::Those { users, groups })
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
        Some(raw) => from_raw(&raw, kind, assigned)?,
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
    let selection = Selection {
        filter: None,
        sort: None,
        paging: Paging::After {
            id: after,
            count: PAGE,
        },
    };
    let listing = reader.list(kind, &selection)?;
    listing
        .resources
        .iter()
        .map(|raw| {
            Ok(Known {
                object: from_raw(raw, kind, assigned)?,
                link: reader.link(application, kind, raw.id)?,
            })
        })
        .collect()
}

fn from_raw(raw: &Raw, kind: Kind, assigned: &Assigned) -> Result<SourceObject, Error> {
    let document: Map<String, Value> =
        serde_json::from_slice(&raw.document).map_err(|error| Error::Backend(Box::new(error)))?;
    let is_assigned = assigned.has(kind, raw.id);
    Ok(SourceObject::from_directory(
        kind,
        raw.id,
        &document,
        is_assigned,
    ))
}
