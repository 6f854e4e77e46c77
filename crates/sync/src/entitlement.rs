//! Whether an object is to be in use in the target, and what it means for one that is there when it is not.

use rollcall_model::Kind;
use rollcall_model::application::Leaving;
use rollcall_model::link::{Link, LinkState};

use crate::exchange::REFERENCES_FAILED;
use crate::rules::ObjectRules;
use crate::source::{Presence, SourceObject};

/// Whether the object is to be in use in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entitlement {
    /// It is.
    Entitled,
    /// It is in scope, but blocked at the source.
    Blocked,
    /// It is not assigned, or a scoping filter leaves it out.
    OutOfScope,
    /// An input filter leaves it out: whatever is in the target is left alone.
    Excluded,
    /// A foreign source does not have it any more: it is treated as what left the scope.
    Vanished,
    /// The source has deleted it.
    Gone,
}

impl Entitlement {
    /// Determines whether an object is to be in use. `needs_assignment` says that only assigned objects are.
    pub fn of(rules: &ObjectRules, object: &SourceObject, needs_assignment: bool) -> Self {
        if object.presence == Presence::Gone {
            Self::Gone
        } else if object.presence == Presence::Vanished {
            Self::Vanished
        } else if !rules.input_filters.evaluate(&object.attributes).passed {
            Self::Excluded
        } else if (needs_assignment && !object.is_assigned)
            || !rules.filters.evaluate(&object.attributes).passed
        {
            Self::OutOfScope
        } else if object.is_enabled() {
            Self::Entitled
        } else {
            Self::Blocked
        }
    }

    /// Says why the object is not to be in use.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Entitled => "it is in scope",
            Self::Blocked => "its account is blocked at the source",
            Self::OutOfScope => "it is not assigned, or a scoping filter leaves it out",
            Self::Excluded => "an input filter leaves it out, so its account is left alone",
            Self::Vanished => "the source does not have it any more",
            Self::Gone => "the source has deleted it",
        }
    }

    /// Tells whether the object is not to be in use, and what the target has of it is left as it is nevertheless.
    pub fn leaves_alone(self, rules: &ObjectRules) -> bool {
        match self {
            Self::Excluded => true,
            Self::OutOfScope | Self::Vanished => rules.leaving == Leaving::Unlink,
            Self::Entitled | Self::Blocked | Self::Gone => false,
        }
    }

    /// Tells whether an object that stands like this in the target would leave it: be switched off or deleted.
    pub fn takes_away(self, rules: &ObjectRules, link: &Link) -> bool {
        if link.target_id.is_none() {
            return false;
        }
        // what may not be done does not happen, and is not counted
        let may = if self.deletes(rules, link.kind) {
            rules.actions.delete
        } else {
            rules.actions.update
        };
        match self {
            Self::Entitled => false,
            Self::Blocked | Self::OutOfScope | Self::Vanished | Self::Excluded
                if self.leaves_alone(rules) =>
            {
                false
            }
            Self::OutOfScope | Self::Vanished if rules.leaving == Leaving::Delete => may,
            Self::Blocked | Self::OutOfScope | Self::Vanished | Self::Excluded => {
                may && !is_off(link)
            }
            Self::Gone => may,
        }
    }

    /// Tells whether whoever is not to be in use is deleted rather than switched off.
    pub(crate) fn deletes(self, rules: &ObjectRules, kind: Kind) -> bool {
        let wants = match self {
            Self::Gone => true,
            Self::OutOfScope | Self::Vanished => rules.leaving == Leaving::Delete,
            Self::Blocked | Self::Excluded | Self::Entitled => false,
        };
        wants || kind == Kind::Group || !rules.can_disable()
    }
}

/// Tells whether the counterpart is known to be switched off.
pub(crate) fn is_off(link: &Link) -> bool {
    let is_certain = link
        .failure
        .as_ref()
        .is_none_or(|failure| failure.code == REFERENCES_FAILED);
    link.state == LinkState::Disabled && is_certain
}
