//! How objects stand in the target: as their links say, or as a plan foresees.

use rollcall_model::ResourceId;
use rollcall_model::link::{Link, LinkState};

/// How an object stands in the target, seen as a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is in use, under this id.
    InUse(String),
    /// It is left alone: it left the scope and stays as it is, or the guard holds it back.
    LeftAlone,
    /// It is not there, or switched off.
    Out,
}

impl Standing {
    pub(crate) fn of(link: Option<&Link>) -> Self {
        match link {
            Some(Link {
                state: LinkState::Active,
                target_id: Some(id),
                ..
            }) => Self::InUse(id.clone()),
            Some(Link {
                state: LinkState::Released | LinkState::Held | LinkState::Allowed,
                ..
            }) => Self::LeftAlone,
            _ => Self::Out,
        }
    }
}

/// How objects stand when their references and memberships are compared.
pub(crate) trait Outlook: Send + Sync + 'static {
    /// Tells how an object stands; `link` is what is stored.
    fn standing(&self, id: ResourceId, link: Option<&Link>) -> Standing;
    /// Returns the target's id of an object's counterpart, in use or not.
    fn counterpart(&self, id: ResourceId, link: Option<&Link>) -> Option<String>;
    /// Tells whether the counterpart is the one of which memberships and references are on record.
    fn is_on_record(&self, id: ResourceId) -> bool;
}

/// As the links say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AsLinked;

impl Outlook for AsLinked {
    fn standing(&self, _: ResourceId, link: Option<&Link>) -> Standing {
        Standing::of(link)
    }

    fn counterpart(&self, _: ResourceId, link: Option<&Link>) -> Option<String> {
        link.and_then(|link| link.target_id.clone())
    }

    fn is_on_record(&self, _: ResourceId) -> bool {
        true
    }
}
