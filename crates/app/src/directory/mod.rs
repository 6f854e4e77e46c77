//! People and groups: who may do what to whom, and what is recorded of it.
//!
//! Every change goes one way: load, check the caller's charge over the object, compute the new document with the pure SCIM
//! code, check the organisation's rules, and store document, audit entry and feed entry in one transaction. The functions
//! here are those ways, one for each verb; [`rules`] holds what they share.

mod adoption;
mod create;
mod desk;
mod membership;
mod modify;
mod read;
mod remove;
mod roster;
pub(crate) mod rules;

use rollcall_model::{IntegrationId, Kind, Origin, ResourceId};
use rollcall_store::{Entry, Member, Raw, Tenant};

pub(crate) use create::Buried;
pub(crate) use desk::first_email;
pub use desk::{Counterpart, Edit, Found, Listed, Moved, Named, Search, Whole, title};
pub(crate) use membership::is_about_members;
pub use read::{Page, Query};
pub(crate) use remove::take_away;
pub use roster::Listing;

/// In whose name, and in which organisation, a use case acts.
#[derive(Debug, Clone)]
pub struct Context {
    tenant: Tenant,
    origin: Origin,
    integration: Option<IntegrationId>,
}

impl Context {
    /// Puts together where a use case acts, who asked for it, and which integration takes charge of what it touches; absent
    /// for administrators and commands.
    pub fn new(tenant: Tenant, origin: Origin, integration: Option<IntegrationId>) -> Self {
        Self {
            tenant,
            origin,
            integration,
        }
    }

    /// Returns the storage of the organisation.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Tells whether a directory acts.
    pub(crate) fn is_directory(&self) -> bool {
        self.integration.is_some()
    }

    /// Returns who asked.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// Which version of an object a caller is ready to change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is there.
    #[default]
    Any,
    /// Any version, but it must exist (`If-Match: *`).
    Existing,
    /// One of these versions.
    Versions(Vec<u64>),
}

impl Expected {
    fn allows(&self, version: u64) -> bool {
        match self {
            Self::Any | Self::Existing => true,
            Self::Versions(versions) => versions.contains(&version),
        }
    }
}

/// An object as it is shown: its document, and the rows that belong to it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What was stored.
    pub entry: Entry,
    /// What belongs to it.
    pub related: Related,
}

/// An object as it lies in storage, unparsed, and the rows that belong to it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What was stored.
    pub raw: Raw,
    /// What belongs to it.
    pub related: Related,
}

/// The rows that belong to a shown object.
#[derive(Debug, Clone, Default)]
pub struct Related {
    /// A group's members with their names, when they were asked for.
    pub members: Option<Vec<(Member, Option<String>)>>,
    /// A person's groups with their names, when they were asked for.
    pub groups: Option<Vec<(ResourceId, String)>>,
}

/// Which of the rows that belong to an object are to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// A group's members.
    pub members: bool,
    /// A person's groups.
    pub groups: bool,
}

impl Wanted {
    /// Everything.
    pub const ALL: Self = Self {
        members: true,
        groups: true,
    };
    /// The document alone.
    pub const NOTHING: Self = Self {
        members: false,
        groups: false,
    };
}

pub(crate) fn missing(kind: Kind, id: impl ToString) -> crate::Failure {
    let noun = match kind {
        Kind::User => "user",
        Kind::Group => "group",
    };
    crate::Failure::Missing {
        noun,
        id: id.to_string(),
    }
}
