//! The API key: `rk_{region}_{random}_{checksum}`.
//!
//! **Is:** the form, which is that of a provisioning token with another beginning, so that neither is taken for the other; what a key may do;
//! and what is kept of it, which is never the key.
//! **Is not:** the check that a key is good: that is a use case.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::token::{ending, generated, region_in};
use crate::{Actor, KeyId, Randomness, Region, Secret};

/// What begins every API key.
const PREFIX: &str = "rk";
/// The longest name of a key, in characters.
pub const NAME_CHARACTERS: usize = 60;

/// A well-formed API key: its parts are in place and its checksum fits. Whether it opens anything is not known.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    region: Region,
    text: Secret,
}

/// A text that cannot be an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key: it looks like `rk_REGION_…` and must be copied whole")]
pub struct NotAKey;

impl ApiKey {
    /// Makes a key for `region` from 256 random bits.
    pub fn generate(region: Region, randomness: &dyn Randomness) -> Self {
        let text = generated(PREFIX, &region, randomness);
        Self { region, text }
    }

    /// Returns the region whose installation issued the key.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Returns its last four characters, by which people tell keys apart.
    pub fn ending(&self) -> String {
        ending(&self.text)
    }

    /// Returns the key's text.
    pub fn secret(&self) -> &Secret {
        &self.text
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rk_{}_…", self.region)
    }
}

impl FromStr for ApiKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let region = region_in(PREFIX, text).ok_or(NotAKey)?;
        Ok(Self {
            region,
            text: Secret::new(text),
        })
    }
}

/// What a key may do; each allows all that the milder one does. Administrators and the organisation itself are changed by people only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyRole {
    /// Look at everything but secrets.
    Read,
    /// Likewise, and change people, tokens and applications.
    Manage,
}

impl KeyRole {
    /// All of them, the milder first.
    pub const ALL: [Self; 2] = [Self::Read, Self::Manage];

    /// Returns its word in commands and answers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Manage => "manage",
        }
    }
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A text that names no role of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role of API keys: use read or manage")]
pub struct UnknownKeyRole(String);

impl FromStr for KeyRole {
    type Err = UnknownKeyRole;

    fn from_str(text: &str) -> Result<Self, UnknownKeyRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.word() == text)
            .ok_or_else(|| UnknownKeyRole(text.chars().take(40).collect()))
    }
}

/// The name of a key: 1 to 60 characters in one line, without white space around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(String);

/// A text that cannot name a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key is called something: use 1 to {NAME_CHARACTERS} characters in one line, such as `nightly export`"
)]
pub struct NotAKeyName;

impl KeyName {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = NotAKeyName;

    fn from_str(text: &str) -> Result<Self, NotAKeyName> {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 || length > NAME_CHARACTERS || text.chars().any(char::is_control) {
            return Err(NotAKeyName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for KeyName {
    type Error = NotAKeyName;
    fn try_from(text: String) -> Result<Self, NotAKeyName> {
        text.parse()
    }
}
impl From<KeyName> for String {
    fn from(name: KeyName) -> Self {
        name.0
    }
}
impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is kept of a key. The key itself is shown once and then known to its holder only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Names the key in commands, lists and the audit log.
    pub id: KeyId,
    /// What it is for, in the words of whoever made it.
    pub name: KeyName,
    /// What it may do.
    pub role: KeyRole,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it.
    pub created_by: Actor,
    /// From when on it is refused; absent: never. A revocation moves it to now.
    pub expires: Option<Timestamp>,
    /// When it was revoked; it is refused since then, whatever a clock says.
    pub revoked: Option<Timestamp>,
    /// When it last opened the door, to within a minute; absent: never.
    pub last_used: Option<Timestamp>,
    /// Its last characters, by which people tell keys apart: the end of its checksum, no part of its secret.
    pub ending: String,
}

impl KeyRecord {
    /// Tells whether the key opens the door at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProvisioningToken;

    struct Sevens;
    impl Randomness for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    #[test]
    fn a_key_is_no_token_and_a_token_is_no_key() {
        let region: Region = "eu".parse().unwrap();
        let key = ApiKey::generate(region.clone(), &Sevens);
        let token = ProvisioningToken::generate(region, &Sevens);
        let (key_text, token_text) = (key.secret().expose(), token.secret().expose());

        assert_eq!(key_text.parse::<ApiKey>(), Ok(key.clone()));
        assert!(key_text.starts_with("rk_eu_"), "{key_text}");
        assert!(key_text.parse::<ProvisioningToken>().is_err());
        assert!(token_text.parse::<ApiKey>().is_err());
        // the beginning is under the checksum
        assert!(
            token_text
                .replacen("rc", "rk", 1)
                .parse::<ApiKey>()
                .is_err()
        );
        assert_eq!(format!("{key:?}"), "rk_eu_…");
    }

    #[test]
    fn a_name_is_one_line_with_something_in_it() {
        assert_eq!(" export ".parse::<KeyName>().unwrap().as_str(), "export");
        for bad in ["", "  ", "a\nb", &"x".repeat(61)] {
            assert!(bad.parse::<KeyName>().is_err(), "{bad}");
        }
    }
}
