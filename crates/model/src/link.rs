//! The link: which object of the source is which object of the target, and how they stand.
//!
//! **Is:** what one application remembers of one object between cycles. It is written after every step that must not be
//! forgotten, so that a cycle that was killed goes on without doing anything twice.
//! **Is not:** the memberships that were exported, which are rows of their own: a group may have a million.
//! **Start at** [`Link`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ApplicationId, Kind, ResourceId};

/// What an application remembers of one object of the source.
#[expect(clippy::struct_excessive_bools, reason = "each is noted by itself")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// The application.
    pub application: ApplicationId,
    /// Whether the object is a person or a group.
    pub kind: Kind,
    /// The object of the source.
    pub object: ResourceId,
    /// The target's `id` of its counterpart; absent while there is none. No two objects share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_id: Option<String>,
    /// The object's name for people when both ends last agreed: it is all that is left of one that was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How the two stand.
    pub state: LinkState,
    /// A digest of the values that both ends agreed on last, and of the rules that produced them; absent: they have to be
    /// compared again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The references that were exported, by target attribute.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub references: BTreeMap<String, Reference>,
    /// Whether the references of a person, or the members of a group, have to be compared in the next cycle.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waiting: bool,
    /// Whether nobody knows which references the target has, because a request may or may not have reached it: they are sent again,
    /// whatever is on record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub references_unknown: bool,
    /// Whether nobody knows which members the target has in the group: they are read there before they are compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub members_unknown: bool,
    /// Whether it was found in the target, changed there, and not compared since: a target may keep what lets somebody in when it is
    /// first spoken to about an account, and take it the next time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// The last of the members, in order of id, that were tried before too many were refused: the next attempt begins behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_up_to: Option<ResourceId>,
    /// What went wrong last; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Setback>,
    /// When the link last changed.
    pub changed: Timestamp,
}

impl Link {
    /// Makes the link of an object that has no counterpart yet.
    pub fn new(
        application: ApplicationId,
        kind: Kind,
        object: ResourceId,
        changed: Timestamp,
    ) -> Self {
        Self {
            application,
            kind,
            object,
            target_id: None,
            name: None,
            state: LinkState::Unlinked,
            digest: None,
            references: BTreeMap::new(),
            waiting: false,
            references_unknown: false,
            members_unknown: false,
            adopted: false,
            refused_up_to: None,
            failure: None,
            changed,
        }
    }

    /// Forgets what both ends agreed on, so that everything is compared again: the values, the references, the members.
    pub fn doubt(&mut self) {
        self.digest = None;
        self.waiting = true;
        self.references_unknown = self.kind == Kind::User;
        self.members_unknown = self.kind == Kind::Group;
    }

    /// Makes what was remembered when a backup was made fit to be used again: the link is kept, and doubted. What was allowed then is not
    /// allowed now.
    pub fn restore(&mut self) {
        self.doubt();
        if self.state == LinkState::Allowed {
            self.state = LinkState::Held;
        }
    }

    /// Tells whether the counterpart exists and is meant to be in use; only such objects are sent as members or managers.
    pub fn is_active(&self) -> bool {
        self.target_id.is_some() && self.state == LinkState::Active
    }

    /// Tells whether somebody can come in by the counterpart, as far as is known.
    pub fn is_in_use(&self) -> bool {
        self.target_id.is_some()
            && matches!(
                self.state,
                LinkState::Active | LinkState::Held | LinkState::Allowed
            )
    }

    /// Tells whether the object must be looked at in the next cycle even when nothing changed at the source.
    pub fn needs_attention(&self) -> bool {
        self.failure.is_some()
            || self.waiting
            || self.adopted
            || matches!(
                self.state,
                LinkState::Creating(_) | LinkState::Held | LinkState::Allowed
            )
    }

    /// Returns the first instant at which the object is to be looked at again; absent: nothing to wait for.
    pub fn next_attempt(&self) -> Option<Timestamp> {
        self.failure.as_ref().map(|failure| failure.next_attempt)
    }
}

/// How an object of the source and its counterpart stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum LinkState {
    /// There is no counterpart, and none is being made.
    Unlinked,
    /// A counterpart may have been created: the request was sent, or was about to be, and no answer is on record.
    Creating(Intent),
    /// The counterpart is in use.
    Active,
    /// The counterpart was switched off because the object is blocked at the source, or left the scope.
    Disabled,
    /// The object left, and the application may not touch its counterpart; nothing is sent until it comes back.
    Released,
    /// The counterpart would have been switched off or deleted, but the guard stopped the cycle.
    Held,
    /// The guard had stopped the cycle, and an administrator has allowed it to go on with this one.
    Allowed,
}

/// What was about to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The matching attribute by which it can be found.
    pub attribute: String,
    /// The value that it was given.
    pub value: String,
}

/// A reference that was exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The object of the source that it points to.
    pub object: ResourceId,
    /// The target's id of that object's counterpart; empty: nobody knows what the target holds there.
    pub target_id: String,
}

/// A failure that waits for another attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Setback {
    /// How many attempts have failed in a row.
    pub count: u32,
    /// Since when.
    pub since: Timestamp,
    /// The error code of the provisioning log.
    pub code: String,
    /// The first instant of the next attempt.
    pub next_attempt: Timestamp,
}
