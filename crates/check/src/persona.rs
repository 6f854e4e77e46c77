//! Whose ways an endpoint has to understand.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A directory whose dialect is tested for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Persona {
    /// What the RFCs say, and no more.
    #[default]
    Rfc,
    /// Microsoft Entra ID.
    Entra,
    /// Okta.
    Okta,
}

impl Persona {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rfc, Self::Entra, Self::Okta];

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rfc => "rfc",
            Self::Entra => "entra",
            Self::Okta => "okta",
        }
    }
}

impl fmt::Display for Persona {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

impl FromStr for Persona {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        all.find(|one| one.word() == text)
            .ok_or_else(|| format!("`{text}` is none of rfc, entra and okta"))
    }
}
