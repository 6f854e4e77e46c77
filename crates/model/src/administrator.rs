//! The people who run an organisation in the console.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::AdminId;

/// An administrator of one organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Administrator {
    /// Their identity.
    pub id: AdminId,
    /// The address with which they sign in.
    pub email: Email,
    /// Their name; absent: they have not said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// When they were added.
    pub created: Timestamp,
    /// When they signed in last; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in: Option<Timestamp>,
}

impl Administrator {
    /// Returns the name by which others know them: the name, else the address.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(self.email.as_str())
    }
}

/// What an administrator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, including other administrators.
    Owner,
    /// Everything but other administrators and the organisation itself.
    Admin,
    /// People and groups.
    Helpdesk,
    /// Reads everything, changes nothing.
    Auditor,
}

/// Something that an administrator may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Look at everything in the organisation.
    Read,
    /// Change people and groups, and provision one of them on demand.
    ManagePeople,
    /// Change how people come in and go out: integrations with their tokens, applications, plans and cycles.
    ManageProvisioning,
    /// Add, change and remove administrators, and the rules for them.
    ManageAdministrators,
    /// Change the organisation itself.
    ManageOrganisation,
}

impl Permission {
    /// Every permission, the mildest first.
    pub const ALL: [Self; 5] = [
        Self::Read,
        Self::ManagePeople,
        Self::ManageProvisioning,
        Self::ManageAdministrators,
        Self::ManageOrganisation,
    ];

    /// Returns what it allows, as the end of a sentence that begins with "your role may not".
    pub fn words(self) -> &'static str {
        match self {
            Self::Read => "look at this organisation",
            Self::ManagePeople => "change people and groups",
            Self::ManageProvisioning => "change integrations and applications",
            Self::ManageAdministrators => "manage administrators",
            Self::ManageOrganisation => "change the organisation",
        }
    }
}

impl Role {
    /// Every role, the mightiest first.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Helpdesk, Self::Auditor];

    /// Tells whether the role allows something.
    pub fn may(self, permission: Permission) -> bool {
        let allowed: &[Permission] = match self {
            Self::Owner => &Permission::ALL,
            Self::Admin => &[
                Permission::Read,
                Permission::ManagePeople,
                Permission::ManageProvisioning,
            ],
            Self::Helpdesk => &[Permission::Read, Permission::ManagePeople],
            Self::Auditor => &[Permission::Read],
        };
        allowed.contains(&permission)
    }

    /// Returns its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Admin => "Administrator",
            Self::Helpdesk => "Helpdesk",
            Self::Auditor => "Auditor, reads only",
        }
    }

    /// Returns its word in commands and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Helpdesk => "helpdesk",
            Self::Auditor => "auditor",
        }
    }
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role: use owner, admin, helpdesk or auditor")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.word() == text)
            .ok_or_else(|| UnknownRole(text.chars().take(40).collect()))
    }
}

/// An e-mail address, kept as typed and compared without regard to case.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// Returns the address as it was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the form by which addresses are compared and looked up.
    pub fn key(&self) -> String {
        rollcall_scim::key::canonical(&self.0)
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl Eq for Email {}

/// A text that is not an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an e-mail address")]
pub struct NotAnEmail(String);

impl FromStr for Email {
    type Err = NotAnEmail;

    /// Accepts `local@domain` without white space or control characters, at most 254 bytes (RFC 5321 §4.5.3.1). Whether it
    /// can be delivered only a mail shows.
    fn from_str(text: &str) -> Result<Self, NotAnEmail> {
        let text = text.trim();
        let fits = text.len() <= 254
            && !text
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || c == '<' || c == '>')
            && text.rsplit_once('@').is_some_and(|(local, domain)| {
                !local.is_empty()
                    && !domain.is_empty()
                    && !domain.starts_with('.')
                    && !domain.ends_with('.')
            });
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnEmail(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for Email {
    type Error = NotAnEmail;
    fn try_from(text: String) -> Result<Self, NotAnEmail> {
        text.parse()
    }
}
impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}
impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mightier_role_may_all_that_a_milder_one_may() {
        for pair in Role::ALL.windows(2) {
            let [mightier, milder] = pair else {
                unreachable!()
            };
            for permission in Permission::ALL {
                assert!(
                    mightier.may(permission) || !milder.may(permission),
                    "{mightier:?} {permission:?}"
                );
            }
        }
        assert!(Role::ALL.iter().all(|role| role.may(Permission::Read)));
    }
}
