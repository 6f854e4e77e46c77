//! People and groups as programs are told of them: each with how it stands, and who has charge.

use rollcall_model::{IntegrationKind, Kind, ResourceId, Standing};
use rollcall_scim::filter::Filter;
use rollcall_store::{Entry, Paging, Reader, Selection};

use super::{Context, missing};
use crate::invitations::standing;
use crate::{App, Failure};

/// When the documents of a page are longer than this in all, in bytes, the rest comes with the next one.
const LONG: usize = 4 * 1024 * 1024;

/// A person or a group, with what is known about it beside its document.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The object.
    pub entry: Entry,
    /// How a person stands; a group always stands.
    pub standing: Standing,
    /// The kind of directory that has charge of it; absent: none has.
    pub managed_by: Option<IntegrationKind>,
}

impl App {
    /// Returns `count` people or groups, or fewer whose documents are long, in order of id, after the one given, that match a filter in the language of SCIM (RFC 7644
    /// §3.4.2.2); and the last of them when more follow.
    ///
    /// # Errors
    /// [`Failure::Malformed`] when the filter is, or when it has to look through too much.
    pub async fn roster(
        &self,
        context: &Context,
        kind: Kind,
        filter: Option<&str>,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<(Vec<Listing>, Option<ResourceId>), Failure> {
        let filter = filter
            .filter(|text| !text.trim().is_empty())
            .map(|text| Filter::parse(text, self.resource_type(kind), &self.settings().limits))
            .transpose()
            .map_err(Failure::Malformed)?;
        let paging = Paging::After { id: after, count };
        let selection = Selection { filter, paging };
        context
            .tenant
            .read(move |reader| {
                let found = reader.list(kind, &selection)?;
                let mut more = found.more;
                let (mut listed, mut last, mut bytes) = (Vec::new(), None, 0);
                for raw in found.resources {
                    if bytes > LONG {
                        more = true;
                        break;
                    }
                    bytes += raw.document.len();
                    last = Some(raw.id);
                    if let Some(entry) = reader.entry(kind, raw.id)? {
                        listed.push(listing(reader, entry)?);
                    }
                }
                Ok((listed, last.filter(|_| more)))
            })
            .await
    }

    /// Returns one person or group likewise.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn listing(
        &self,
        context: &Context,
        kind: Kind,
        id: ResourceId,
    ) -> Result<Listing, Failure> {
        context
            .tenant
            .read(move |reader| {
                let entry = reader.entry(kind, id)?.ok_or_else(|| missing(kind, id))?;
                listing(reader, entry)
            })
            .await
    }
}

fn listing<R: Reader + ?Sized>(reader: &R, entry: Entry) -> Result<Listing, Failure> {
    let activation = match entry.kind {
        Kind::User => reader.activation(entry.id)?,
        Kind::Group => None,
    };
    let standing = match entry.kind {
        Kind::User => standing(&reader.organisation()?, &entry, activation.as_ref()),
        Kind::Group => Standing::Active,
    };
    let managed_by = match entry.managed_by {
        Some(id) => reader
            .integrations()?
            .into_iter()
            .find(|one| one.id == id)
            .map(|one| one.kind),
        None => None,
    };
    Ok(Listing {
        entry,
        standing,
        managed_by,
    })
}
