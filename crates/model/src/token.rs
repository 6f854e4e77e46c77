//! The provisioning token: `rc_{region}_{random}_{checksum}`.
//!
//! **Is:** the format, in which a scanner of source code finds a leaked token and a server refuses a mistyped one without
//! asking its database; and what is kept of a token, which is never the token.
//! **Is not:** the check that a token is good: that is a use case.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{Actor, IntegrationId, Randomness, Region, TokenId};

/// A secret text: prints as `…`, is compared in constant time, and is wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Hands out the text, for the one moment in which it is sent or shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

/// A well-formed provisioning token: its parts are in place and its checksum fits. Whether it opens anything is not known.
#[derive(Clone, PartialEq, Eq)]
pub struct ProvisioningToken {
    region: Region,
    text: Secret,
}

/// A text that cannot be a provisioning token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a provisioning token: it looks like `rc_REGION_…` and must be copied whole")]
pub struct NotAToken;

/// What begins every provisioning token.
const PREFIX: &str = "rc";
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// 256 bits, five to a character.
const RANDOM_CHARACTERS: usize = 52;
/// 32 bits, five to a character.
const CHECKSUM_CHARACTERS: usize = 7;

impl ProvisioningToken {
    /// Makes a token for `region` from 256 random bits.
    pub fn generate(region: Region, randomness: &dyn Randomness) -> Self {
        let text = generated(PREFIX, &region, randomness);
        Self { region, text }
    }

    /// Returns the region whose installation issued the token.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Returns its last four characters, by which people tell tokens apart.
    pub fn ending(&self) -> String {
        ending(&self.text)
    }

    /// Returns the token's text.
    pub fn secret(&self) -> &Secret {
        &self.text
    }
}

impl fmt::Debug for ProvisioningToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rc_{}_…", self.region)
    }
}

impl FromStr for ProvisioningToken {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let region = region_in(PREFIX, text).ok_or(NotAToken)?;
        Ok(Self {
            region,
            text: Secret::new(text),
        })
    }
}

/// Makes `{prefix}_{region}_{random}_{checksum}` from 256 random bits.
pub(crate) fn generated(prefix: &str, region: &Region, randomness: &dyn Randomness) -> Secret {
    let mut bytes = Zeroizing::new([0; 32]);
    randomness.fill(&mut *bytes);
    let body = format!("{prefix}_{region}_{}", base32(&*bytes));
    Secret::new(format!("{body}_{}", checksum(&body)))
}

/// Returns the region in such a text; absent: its parts are not in place, or its checksum does not fit.
pub(crate) fn region_in(prefix: &str, text: &str) -> Option<Region> {
    let (body, sum) = text.rsplit_once('_')?;
    let mut parts = body.split('_');
    let (found, region, random, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next())
    else {
        return None;
    };
    let is_formed = found == prefix
        && random.len() == RANDOM_CHARACTERS
        && sum.len() == CHECKSUM_CHARACTERS
        && checksum(body) == sum;
    region.parse().ok().filter(|_| is_formed)
}

/// Returns the last four characters of such a text.
pub(crate) fn ending(text: &Secret) -> String {
    let text = text.expose();
    let start = text.len().saturating_sub(4);
    text.get(start..).unwrap_or_default().to_owned()
}

/// What is kept of a token. The token itself is shown once and then known to its holder only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Names the token in commands, lists and the audit log.
    pub id: TokenId,
    /// The integration on whose behalf its bearer acts.
    pub integration: IntegrationId,
    /// When it was created.
    pub created: Timestamp,
    /// Who created it.
    pub created_by: Actor,
    /// From when on it is refused; absent: never. A reset with overlap moves this forward, a revocation moves it to now.
    pub expires: Option<Timestamp>,
    /// When it was revoked; it is refused since then, whatever a clock says.
    #[serde(default)]
    pub revoked: Option<Timestamp>,
    /// When it last opened the door, to within a minute; absent: never.
    pub last_used: Option<Timestamp>,
    /// Its last characters, by which people tell tokens apart: the end of its checksum, no part of its secret. Absent for tokens from
    /// before these were kept.
    #[serde(default)]
    pub ending: Option<String>,
}

impl TokenRecord {
    /// Tells whether the token opens the door at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }
}

/// Writes bytes with 32 lower-case characters, five bits to each.
fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    #[expect(
        clippy::indexing_slicing,
        reason = "a number of five bits indexes an alphabet of 32"
    )]
    let character = |index: u32| char::from(ALPHABET[(index & 31) as usize]);
    for &byte in bytes {
        buffer = ((buffer << 8) | u32::from(byte)) & 0xFFFF;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(character(buffer >> bits));
        }
    }
    if bits > 0 {
        text.push(character(buffer << (5 - bits)));
    }
    text
}

/// CRC-32 (ISO 3309), which finds every single mistyped character; it is no protection, only a cheap refusal.
fn checksum(body: &str) -> String {
    let mut crc = u32::MAX;
    for byte in body.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            };
        }
    }
    base32(&(!crc).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;
    impl Randomness for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    fn token() -> ProvisioningToken {
        ProvisioningToken::generate("eu".parse().unwrap(), &Sevens)
    }

    #[test]
    fn a_token_reads_back_with_its_region() {
        let text = token().secret().expose().to_owned();

        let read: ProvisioningToken = text.parse().unwrap();

        assert_eq!(read, token());
        assert_eq!(read.region().as_str(), "eu");
        assert!(text.starts_with("rc_eu_"), "{text}");
    }

    #[test]
    fn any_changed_character_is_refused_without_a_look_up() {
        let text = token().secret().expose().to_owned();
        for place in 0..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[place] = if wrong[place] == b'x' { b'y' } else { b'x' };
            let wrong = String::from_utf8(wrong).unwrap();
            assert!(wrong.parse::<ProvisioningToken>().is_err(), "{wrong}");
        }
        for part in 0..text.len() {
            assert!(text[..part].parse::<ProvisioningToken>().is_err());
        }
    }

    #[test]
    fn a_secret_never_prints() {
        assert_eq!(format!("{:?}", token()), "rc_eu_…");
        assert_eq!(format!("{:?}", token().secret()), "…");
    }
}
