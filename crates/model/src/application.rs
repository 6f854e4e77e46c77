//! The enterprise application: where an organisation's people and groups are provisioned to, who, and how.
//!
//! **Is:** what an administrator configures on the directory side: target, mappings, scope, assignments, settings.
//! **Is not:** the target's secret, which is stored apart and sealed; nor what has been provisioned, which is in
//! [`crate::link`] and [`crate::provisioning`].
//! **Start at** [`Application`].

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::mapping::{self, ObjectMapping};
use crate::{ApplicationId, Email, Kind, ResourceId};

/// An application that an organisation provisions its people and groups into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Its identity.
    pub id: ApplicationId,
    /// Its name for people.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
    /// Where it lives; absent until an administrator has entered it.
    pub target: Option<Target>,
    /// Since when its credential is the one that is stored; absent: nobody noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_set: Option<Timestamp>,
    /// Who is told when provisioning fails or stops; absent: nobody.
    pub notification_email: Option<Email>,
    /// Whether a failure is mailed to the notification address.
    #[serde(default)]
    pub notify_on_failure: bool,
    /// Whether accounts are provisioned at all.
    pub mode: Mode,
    /// Whether cycles run.
    pub status: Status,
    /// Whose accounts are provisioned.
    pub scope: Scope,
    /// How people are mapped.
    pub users: ObjectMapping,
    /// How groups are mapped.
    pub groups: ObjectMapping,
    /// Everything else that can be set.
    #[serde(default)]
    pub settings: Settings,
    /// The synchronization schema that the mappings were taken from, as it was; absent: none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// The job file that configures it; absent: people do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_file: Option<String>,
}

impl Application {
    /// Makes an application with the default mappings, switched off.
    pub fn new(id: ApplicationId, name: String, created: Timestamp) -> Self {
        Self {
            id,
            name,
            created,
            target: None,
            token_set: None,
            notification_email: None,
            notify_on_failure: false,
            mode: Mode::Manual,
            status: Status::Off,
            scope: Scope::AssignedOnly,
            users: mapping::defaults::users(),
            groups: mapping::defaults::groups(),
            settings: Settings::default(),
            schema: None,
            job_file: None,
        }
    }

    /// Returns who is to be told when provisioning fails or stops.
    pub fn notified(&self) -> Option<&Email> {
        self.notification_email
            .as_ref()
            .filter(|_| self.notify_on_failure)
    }

    /// Returns the mapping of a kind of object.
    pub fn mapping(&self, kind: Kind) -> &ObjectMapping {
        match kind {
            Kind::User => &self.users,
            Kind::Group => &self.groups,
        }
    }
}

/// Where an application lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The address of its SCIM endpoint, as typed; may end in flags (`?name`), which are not sent with requests.
    pub tenant_url: String,
}

/// Whether an application is provisioned by cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// By people: no cycle runs.
    Manual,
    /// By the provisioning engine.
    Automatic,
}

/// Whether cycles run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// They do.
    On,
    /// They do not.
    Off,
}

/// Whose accounts are provisioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// People and groups that are assigned, and people who are direct members of an assigned group.
    AssignedOnly,
    /// Everybody.
    All,
}

/// What else can be set for an application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// How many accounts may be disabled or deleted within a day before the cycle stops and asks; absent, and no percentage
    /// either: ten, or a tenth of the accounts that it manages, whichever is more.
    pub max_deletions: Option<u64>,
    /// The same, as a percentage of the accounts that the application manages. Of both, the smaller one holds.
    pub max_deletions_percent: Option<u8>,
    /// What becomes of an account whose owner leaves the scope.
    pub leaving: Leaving,
    /// What groups within groups mean.
    pub nested_groups: NestedGroups,
    /// How often both ends are compared, and whether what differs is repaired; absent: only on demand.
    pub drift: Option<DriftCheck>,
}

/// What becomes of an account whose owner leaves the scope, or vanishes from a foreign source. Who is blocked at the source is switched off in
/// any case, and a permanent deletion in an own directory is always sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Leaving {
    /// It is switched off; deleted where the mapping cannot switch off, and groups always.
    #[default]
    Disable,
    /// It is deleted.
    Delete,
    /// It is left as it is, and nobody looks after it until its owner comes back (Entra's `SkipOutOfScopeDeletions`).
    Unlink,
}

/// What groups within groups mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NestedGroups {
    /// An assigned group brings its direct members only; a group within it is a member if it is in scope itself. So does Entra.
    #[default]
    Direct,
    /// An assigned group brings the groups within it, at any depth, and their members; the target gets them nested as they are.
    Keep,
    /// An assigned group brings everybody within it, at any depth; in the target they are its direct members.
    Flatten,
}

/// A comparison of both ends on a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftCheck {
    /// The hours between two comparisons.
    pub every_hours: u32,
    /// Whether what differs is repaired; otherwise it is reported.
    pub repair: bool,
}

/// A person or group that an application was assigned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Assignment {
    /// Whether it is a person or a group.
    pub kind: Kind,
    /// Which.
    pub principal: ResourceId,
    /// Since when.
    pub since: Timestamp,
}

/// Names a person or a group as people write it: `user:adele@example.com`, `group:Sales`, or either with an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Whether it is a person or a group.
    pub kind: Kind,
    /// A userName, a displayName of a group, or an id; not empty.
    pub name: String,
}

impl FromStr for Principal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "`{text}` is no person or group: write `user:adele@example.com` or `group:Sales`"
            )
        };
        let (kind, name) = text.split_once(':').ok_or_else(refused)?;
        let kind = match kind {
            "user" => Kind::User,
            "group" => Kind::Group,
            _ => return Err(refused()),
        };
        if name.trim().is_empty() {
            return Err(refused());
        }
        Ok(Self {
            kind,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::User => "user",
            Kind::Group => "group",
        };
        write!(f, "{kind}:{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_reads_back_from_what_it_is_written_as() {
        for (text, kind, name) in [
            ("user:adele@example.com", Kind::User, "adele@example.com"),
            ("group:Sales: North", Kind::Group, "Sales: North"),
        ] {
            let principal: Principal = text.parse().unwrap();
            assert_eq!((principal.kind, principal.name.as_str()), (kind, name));
            assert_eq!(principal.to_string(), text);
        }
        for wrong in ["", "adele", "user:", "user: ", "people:adele", ":adele"] {
            let said = wrong.parse::<Principal>().unwrap_err();
            assert!(said.contains("user:adele@example.com"), "{wrong}: {said}");
        }
    }
}
