//! `/groups`, and who is in them.

use jiff::Timestamp;
use rollcall_app::directory::{Listing, title};
use rollcall_model::{KeyRole, Kind, ResourceId};

use crate::described::Nothing;
use crate::listing::count;
use crate::operation::{Call, GET, Operation};
use crate::problem::Problem;

/// What a path that names a group that is not there is about.
const NOUN: &str = "group";

words! {
    /// What something is.
    pub(crate) enum ObjectType {
        /// A person.
        User "user",
        /// A group.
        Group "group",
    }
}

impl From<Kind> for ObjectType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::User => Self::User,
            Kind::Group => Self::Group,
        }
    }
}

described! {
    /// A group.
    pub(crate) struct Group {
        /// Its id; it never changes.
        id: String,
        /// Its name; unique.
        display_name: String,
        /// The kind of directory that has charge of it, such as `entra`; null: none has.
        managed_by: Option<String>,
        /// Its id in that directory; null: it has not said.
        external_id: Option<String>,
        /// When it was created.
        created: Timestamp,
        /// When it changed last.
        changed: Timestamp,
        /// Counts its changes, from 1.
        version: u64,
    }
}

described! {
    /// A page of groups.
    pub(crate) struct Groups {
        /// The groups, in order of id, which is that of their creation.
        groups: Vec<Group>,
        /// The `cursor` of the next page; null: this is the last.
        next: Option<String>,
    }
}

described! {
    /// Which groups are wanted.
    pub(crate) struct Asked {
        /// Only those that match this filter, in the language of SCIM: `displayName sw "Sales"`.
        filter: Option<String>,
        /// The page that begins here: `next` of the page before, asked with the same `filter`; good for an hour.
        cursor: Option<String>,
        /// How many at most, 1 to 1000; 100 when absent.
        limit: Option<u64>,
    }
}

described! {
    /// A direct member of a group.
    pub(crate) struct Member {
        /// Its id.
        id: String,
        /// What it is.
        r#type: ObjectType,
        /// Its name for people; null: it is gone.
        name: Option<String>,
    }
}

described! {
    /// A page of members.
    pub(crate) struct Members {
        /// The members, in order of id.
        members: Vec<Member>,
        /// The `cursor` of the next page; null: this is the last.
        next: Option<String>,
    }
}

described! {
    /// Which members are wanted.
    pub(crate) struct MembersAsked {
        /// The page that begins here: `next` of the page before; good for an hour.
        cursor: Option<String>,
        /// How many at most, 1 to 1000; 100 when absent.
        limit: Option<u64>,
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    use KeyRole::Read;
    vec![
        Operation::new((GET, "/groups"), Read, ("listGroups", "Lists groups"), list),
        Operation::new(
            (GET, "/groups/{id}"),
            Read,
            ("getGroup", "Returns a group"),
            look,
        ),
        Operation::new(
            (GET, "/groups/{id}/members"),
            Read,
            ("listMembers", "Lists the direct members of a group"),
            members,
        ),
    ]
}

impl Group {
    fn of(listing: &Listing) -> Self {
        let (entry, resource) = (&listing.entry, &listing.entry.resource);
        Self {
            id: entry.id.to_string(),
            display_name: resource.display_name().unwrap_or_default().to_owned(),
            managed_by: listing.managed_by.map(|kind| kind.word().to_owned()),
            external_id: resource.external_id().map(str::to_owned),
            created: entry.created,
            changed: entry.modified,
            version: entry.version,
        }
    }
}

async fn list(call: Call<Asked, Nothing>) -> Result<Groups, Problem> {
    let Asked {
        filter,
        cursor,
        limit,
    } = &call.query;
    let question = format!("groups {}", filter.as_deref().unwrap_or_default());
    let after = call.opened(cursor.as_deref(), &question)?;
    let after = after.map(ResourceId::from_bytes);
    let (context, filter) = (call.context(), filter.as_deref());
    let found = (call.api.app).roster(&context, Kind::Group, filter, after, count(*limit));
    let (listed, next) = found.await?;
    Ok(Groups {
        groups: listed.iter().map(Group::of).collect(),
        next: next.map(|last| call.sealed(last.as_bytes(), &question)),
    })
}

async fn look(call: Call<Nothing, Nothing>) -> Result<Group, Problem> {
    let id = call.id(NOUN)?;
    let found = call
        .api
        .app
        .listing(&call.context(), Kind::Group, id)
        .await?;
    Ok(Group::of(&found))
}

async fn members(call: Call<MembersAsked, Nothing>) -> Result<Members, Problem> {
    let id: ResourceId = call.id(NOUN)?;
    let question = format!("members {id}");
    let after = call.opened(call.query.cursor.as_deref(), &question)?;
    let after = after.map(ResourceId::from_bytes);
    let (app, context) = (&call.api.app, call.context());
    // of a group that is not there, this is told before the members that it has not
    app.listing(&context, Kind::Group, id).await?;
    let found = app.listed_members(&context, id, after, count(call.query.limit));
    let (listed, next) = found.await?;
    Ok(Members {
        members: listed
            .iter()
            .map(|one| Member {
                id: one.member.id.to_string(),
                r#type: one.member.kind.into(),
                name: one.entry.as_ref().map(title),
            })
            .collect(),
        next: next.map(|last| call.sealed(last.as_bytes(), &question)),
    })
}
