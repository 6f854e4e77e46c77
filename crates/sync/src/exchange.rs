//! What a task asks for, and what it is told: the whole of its dealings with the target.

use std::time::Duration;

use rollcall_model::link::Link;
use serde_json::{Map, Value, json};

use crate::target_path::TargetPath;
use crate::task::Ending;

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Look the object up in the target.
    Find {
        /// The target's attribute.
        attribute: String,
        /// Its value.
        value: String,
    },
    /// Read a resource of the target.
    Get {
        /// Its id.
        id: String,
    },
    /// Remember the link before the next step, on disk.
    Remember(Box<Link>),
    /// Write to the target.
    Write(Write),
    /// Nothing more: this is how it ended.
    End(Box<Ending>),
}

/// A request that changes the target.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Creates a resource.
    Create {
        /// Its body.
        body: Map<String, Value>,
    },
    /// Changes a resource.
    Patch {
        /// Its id.
        id: String,
        /// The operations.
        operations: Vec<Value>,
    },
    /// Deletes a resource.
    Delete {
        /// Its id.
        id: String,
    },
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Resources that a look-up found.
    Found(Vec<Map<String, Value>>),
    /// The resource that was read; absent: there is none.
    Got(Option<Map<String, Value>>),
    /// It is remembered.
    Remembered,
    /// A look-up found what another object of the source is linked to; the text says which.
    TakenByAnother(String),
    /// It was created, with this id.
    Created(String),
    /// It was done.
    Done,
    /// The target has another object with a unique value of this one.
    Conflict(String),
    /// The resource is not there.
    Missing,
    /// It did not work, and nothing was done.
    Failed(Trouble),
    /// It may have been done or not: no answer came, or one that cannot be read.
    Unknown(Trouble),
}

/// Why a step did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The code of the provisioning log.
    pub code: String,
    /// What happened, for people.
    pub message: String,
    /// Whether trying again later may help.
    pub may_pass: bool,
    /// How far it reaches.
    pub extent: Extent,
    /// For how long the target asked not to be asked again; absent: it did not say.
    pub retry_after: Option<Duration>,
}

/// How far a trouble reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It concerns this object; others may do well.
    Object,
    /// It concerns the target: out of reach, wrong credentials, not SCIM. Nothing else will work either.
    Target,
}

impl Trouble {
    /// Tells whether it is the credential that is wrong, or what its owner may do, and not the way to the target.
    pub fn is_about_credential(&self) -> bool {
        matches!(self.code.as_str(), UNAUTHORIZED | INSUFFICIENT_RIGHTS)
    }

    /// Makes a trouble with one object.
    pub fn of_object(code: &str, message: impl Into<String>, may_pass: bool) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            may_pass,
            extent: Extent::Object,
            retry_after: None,
        }
    }

    /// Makes a trouble with the target.
    pub fn of_target(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            may_pass: true,
            extent: Extent::Target,
            retry_after: None,
        }
    }

    /// Adds for how long the target asked not to be asked again.
    #[must_use]
    pub fn after(self, retry_after: Option<Duration>) -> Self {
        Self {
            retry_after,
            ..self
        }
    }
}

/// What the log calls a reference or members that could not be sent. The object itself is well then.
pub const REFERENCES_FAILED: &str = "UnableToResolveReferenceAttributeValue";

/// What the log calls an endpoint that does not do what SCIM says.
pub const INCOMPATIBLE: &str = "SystemForCrossDomainIdentityManagementServiceIncompatible";
/// The code of a target that refuses the credential.
pub const UNAUTHORIZED: &str = "Unauthorized";
/// The code of a target that does not let the credential's owner do something.
pub const INSUFFICIENT_RIGHTS: &str = "InsufficientRights";

/// Returns the PATCH that sets a reference of a resource, or takes it away.
pub fn reference_patch(path: &TargetPath, target_id: Option<&str>) -> Vec<Value> {
    let path = path.to_string();
    match target_id {
        Some(id) => vec![json!({"op": "add", "path": path, "value": id})],
        None => vec![json!({"op": "remove", "path": path})],
    }
}

/// Returns the PATCH operations that add members to a group and take members out of it.
pub fn member_patch(added: &[String], removed: &[String]) -> Vec<Value> {
    let mut operations: Vec<Value> = removed
        .iter()
        .map(|id| json!({"op": "remove", "path": format!("members[value eq {}]", Value::from(id.as_str()))}))
        .collect();
    if !added.is_empty() {
        let members: Vec<Value> = added.iter().map(|id| json!({"value": id})).collect();
        operations.push(json!({"op": "add", "path": "members", "value": members}));
    }
    operations
}
