//! Reading people and groups.

use rollcall_model::{Kind, ResourceId};
use rollcall_scim::error::{Error, ErrorKind};
use rollcall_store::{Entry, Member, Paging, Reader, Selection};

use super::{Context, Related, Shown, Stored, Wanted};
use crate::{App, Failure};

/// So many members are shown in one answer, all its groups together.
const MEMBERS_PER_ANSWER: u64 = 100_000;

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
    pub objects: Vec<Stored>,
    /// The last object of this part when more follow; the next part begins after it.
    pub next: Option<ResourceId>,
}

impl App {
    /// Returns a person or a group.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Malformed`] when it is a group with more members than one answer can show.
    pub async fn get(
        &self,
        context: &Context,
        kind: Kind,
        id: ResourceId,
        wanted: Wanted,
    ) -> Result<Shown, Failure> {
        look(context, kind, wanted, move |reader| {
            let entry = reader.entry(kind, id)?;
            let entry = entry.ok_or_else(|| super::missing(kind, id))?;
            let related = related(reader, kind, id, wanted, &mut { MEMBERS_PER_ANSWER })?;
            Ok(Shown { entry, related })
        })
        .await
    }

    /// Returns a person or a group as it lies in storage.
    ///
    /// # Errors
    /// As [`App::get`].
    pub async fn stored(
        &self,
        context: &Context,
        kind: Kind,
        id: ResourceId,
        wanted: Wanted,
    ) -> Result<Stored, Failure> {
        look(context, kind, wanted, move |reader| {
            let raw = reader.raw(kind, id)?;
            let raw = raw.ok_or_else(|| super::missing(kind, id))?;
            let related = related(reader, kind, id, wanted, &mut { MEMBERS_PER_ANSWER })?;
            Ok(Stored { raw, related })
        })
        .await
    }

    /// Returns `count` members of a group in order of id, after the one given.
    pub async fn members(
        &self,
        context: &Context,
        group: ResourceId,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<Member>, Failure> {
        context
            .tenant
            .read(move |reader| Ok(reader.members(group, after, count)?))
            .await
    }

    /// Returns a part of the people or groups.
    ///
    /// # Errors
    /// [`Failure::Malformed`] when it has to look through too much, or the groups have more members than one answer can show.
    pub async fn list(&self, context: &Context, kind: Kind, query: Query) -> Result<Page, Failure> {
        let shows_members = kind == Kind::Group && query.wanted.members;
        let is_glance = query.selection.is_narrow(kind) && !shows_members;
        let unit = move |reader: &dyn Reader| page(reader, kind, &query);
        if is_glance {
            context.tenant.glance(unit).await
        } else {
            context.tenant.read(unit).await
        }
    }
}

/// Runs a unit that reads one object and what belongs to it.
async fn look<T: Send + 'static>(
    context: &Context,
    kind: Kind,
    wanted: Wanted,
    unit: impl FnOnce(&dyn Reader) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match kind {
        // a group may have many members
        Kind::Group if wanted.members => context.tenant.read(unit).await,
        Kind::User | Kind::Group => context.tenant.glance(unit).await,
    }
}

fn page(reader: &dyn Reader, kind: Kind, query: &Query) -> Result<Page, Failure> {
    let listing = reader.list(kind, &query.selection)?;
    let next = match (&query.selection.paging, listing.more) {
        (Paging::After { .. }, true) => listing.resources.last().map(|raw| raw.id),
        _ => None,
    };
    let mut page = Page {
        total: listing.total,
        objects: Vec::new(),
        next,
    };
    let mut members_left = MEMBERS_PER_ANSWER;
    for raw in listing.resources {
        let related = related(reader, kind, raw.id, query.wanted, &mut members_left)?;
        page.objects.push(Stored { raw, related });
    }
    Ok(page)
}

/// Shows an object that was just written, with the rows that belong to it.
///
/// They are read after the commit, so that nobody's change waits until the members of a large group are read. The change was
/// made whatever becomes of this: when the rows cannot be had, or are too many for one answer, the object is shown without.
pub(super) async fn written(context: &Context, entry: Entry, wanted: Wanted) -> Shown {
    let (kind, id) = (entry.kind, entry.id);
    let asked = match kind {
        Kind::User => wanted.groups,
        Kind::Group => wanted.members,
    };
    if !asked {
        let related = Related::default();
        return Shown { entry, related };
    }
    let read = look(context, kind, wanted, move |reader| {
        related(reader, kind, id, wanted, &mut { MEMBERS_PER_ANSWER })
    })
    .await;
    Shown {
        entry,
        related: read.unwrap_or_default(),
    }
}

/// Reads the rows that belong to an object; `members_left` is how many members the answer still has room for.
fn related<R: Reader + ?Sized>(
    reader: &R,
    kind: Kind,
    id: ResourceId,
    wanted: Wanted,
    members_left: &mut u64,
) -> Result<Related, Failure> {
    let mut related = Related::default();
    match kind {
        Kind::Group if wanted.members => {
            // one more than there is room for tells whether there are more
            let members = reader.named_members(id, members_left.saturating_add(1))?;
            *members_left = members_left
                .checked_sub(members.len() as u64)
                .ok_or_else(too_many_members)?;
            related.members = Some(members);
        }
        Kind::User if wanted.groups => related.groups = Some(reader.groups_of(id)?),
        _ => {}
    }
    Ok(related)
}

fn too_many_members() -> Failure {
    let detail = format!(
        "the answer would have more than {MEMBERS_PER_ANSWER} members: leave them out with `excludedAttributes=members`, or ask for fewer groups"
    );
    Failure::Malformed(Error::new(ErrorKind::TooMany, detail))
}

#[cfg(test)]
mod tests {
    use rollcall_model::SystemClock;
    use serde_json::json;

    use super::*;
    use crate::testing::Installation;

    #[tokio::test]
    async fn an_answer_has_a_bounded_number_of_members() {
        let installation = Installation::new().await;
        let context = installation.command();
        let app = &installation.app;
        let mut groups = Vec::new();
        for name in ["one", "two"] {
            let body = json!({"displayName": name});
            let group = app.create(&context, Kind::Group, body).await.unwrap();
            groups.push(group.entry.id);
        }
        let members: Vec<Member> = (0..60_000)
            .map(|_| Member {
                id: ResourceId::new(
                    rollcall_model::Clock::now(&SystemClock),
                    &**app.randomness(),
                ),
                kind: Kind::User,
            })
            .collect();
        for group in groups.clone() {
            let members = members.clone();
            let unit = move |writer: &mut dyn rollcall_store::Writer| {
                Ok::<_, Failure>(writer.add_members(group, &members)?)
            };
            context.tenant.write(unit).await.unwrap();
        }
        let list = async |wanted| {
            let paging = Paging::Index {
                sort: None,
                skip: 0,
                count: 10,
            };
            let selection = Selection {
                filter: None,
                paging,
            };
            app.list(&context, Kind::Group, Query { selection, wanted })
                .await
        };

        let with_members = list(Wanted::ALL).await;
        let Err(Failure::Malformed(error)) = with_members else {
            panic!("{with_members:?}");
        };
        assert_eq!(error.kind, ErrorKind::TooMany);
        assert!(error.detail.contains("excludedAttributes=members"));
        assert_eq!(list(Wanted::NOTHING).await.unwrap().objects.len(), 2);
        let one = app
            .get(&context, Kind::Group, groups[0], Wanted::ALL)
            .await
            .unwrap();
        assert_eq!(one.related.members.unwrap().len(), 60_000);
    }
}
