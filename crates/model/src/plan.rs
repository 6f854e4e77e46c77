//! A plan that was made in the console: a stored object with a number, which waits for somebody to approve it.
//!
//! **Is:** what is shown of it in lists. **Is not:** the plan itself, which is `rollcall-sync`'s, and kept as bytes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Actor;

/// How many plans an application keeps; the oldest go first.
pub const KEPT: u64 = 20;

/// What is kept of a plan beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// Its number, from 1; 0 until storage has given one.
    pub number: u64,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: Actor,
    /// What has become of it.
    pub state: PlanState,
    /// The SHA-256 by which a plan is told from one that was edited; empty while it is being made.
    pub digest: String,
}

/// What has become of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum PlanState {
    /// It is being made.
    Making,
    /// It could not be made.
    Failed {
        /// Why, for people.
        message: String,
    },
    /// It waits for a decision.
    Ready,
    /// It is being carried out.
    Running {
        /// Who approved it.
        by: Actor,
    },
    /// It was carried out.
    Done {
        /// Who approved it.
        by: Actor,
        /// When it ended.
        at: Timestamp,
    },
    /// It was not carried out, because something had moved.
    Refused {
        /// What had moved, for people.
        message: String,
    },
    /// Somebody decided against it.
    Discarded {
        /// Who.
        by: Actor,
    },
}
