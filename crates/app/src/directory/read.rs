//! Reading people and groups.

use rollcall_model::{Kind, ResourceId};
use rollcall_scim::resource::Resource;
use rollcall_store::{Entry, Paging, Reader, Selection};

use super::{Context, Related, Shown, Wanted};
use crate::{App, Failure};

/// What a listing asks for.
#[derive(Debug, Clone)]
pub struct Query {
    /// Which objects, in which order, and which part of them.
    pub selection: Selection,
    /// Which of the rows that belong to them.
    pub wanted: Wanted,
}

/// A part of a listing.
#[derive(Debug, Clone)]
pub struct Page {
    /// How many there are in all, when it was counted.
    pub total: Option<u64>,
    /// The objects of this part.
    pub shown: Vec<(Resource, Related)>,
    /// The last object of this part when more follow; the next part begins after it.
    pub next: Option<ResourceId>,
}

impl App {
    /// Returns a person or a group.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn get(
        &self,
        context: &Context,
        kind: Kind,
        id: ResourceId,
        wanted: Wanted,
    ) -> Result<Shown, Failure> {
        context
            .tenant
            .read(move |reader| {
                let entry = reader
                    .entry(kind, id)?
                    .ok_or_else(|| super::missing(kind, id))?;
                shown(reader, entry, wanted)
            })
            .await
    }

    /// Returns a part of the people or groups.
    pub async fn list(&self, context: &Context, kind: Kind, query: Query) -> Result<Page, Failure> {
        context
            .tenant
            .read(move |reader| {
                let listing = reader.list(kind, &query.selection)?;
                let next = match (&query.selection.paging, listing.more) {
                    (Paging::After { .. }, true) => listing.resources.last().map(|raw| raw.id),
                    _ => None,
                };
                let mut page = Page {
                    total: listing.total,
                    shown: Vec::new(),
                    next,
                };
                for raw in listing.resources {
                    let document = serde_json::from_slice(&raw.document)
                        .map_err(|error| Failure::Internal(Box::new(error)))?;
                    let related = related(reader, kind, raw.id, query.wanted)?;
                    page.shown.push((Resource::from_stored(document), related));
                }
                Ok(page)
            })
            .await
    }
}

/// Adds the rows that belong to an object.
pub(super) fn shown<R: Reader + ?Sized>(
    reader: &R,
    entry: Entry,
    wanted: Wanted,
) -> Result<Shown, Failure> {
    let related = related(reader, entry.kind, entry.id, wanted)?;
    Ok(Shown { entry, related })
}

fn related<R: Reader + ?Sized>(
    reader: &R,
    kind: Kind,
    id: ResourceId,
    wanted: Wanted,
) -> Result<Related, Failure> {
    let mut related = Related::default();
    match kind {
        Kind::Group if wanted.members => related.members = Some(reader.named_members(id)?),
        Kind::User if wanted.groups => related.groups = Some(reader.groups_of(id)?),
        _ => {}
    }
    Ok(related)
}
