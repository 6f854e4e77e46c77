//! How a provisioned person becomes active: invited, until they choose the password that opens the key of their vault.
//!
//! **Is:** what is known of that, and the rules: when somebody counts as invited, how often a link is sent, what ends it.
//! **Is not:** the password or the vault's key, which never leave the person's browser; nor the SCIM attribute `active`, which is the
//! directory's word.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clock::{has_come, is_within};
use crate::{Email, ResourceId};

/// How long the link of an invitation works.
pub const LINK_LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);
/// So many invitations may go to one person within [`SPAN`].
pub const AT_MOST: usize = 3;
/// See [`AT_MOST`].
pub const SPAN: SignedDuration = SignedDuration::from_hours(1);
/// How the browser makes keys of a password (RFC 8018, RFC 5869); stored with each vault, so that it may change.
pub const DERIVATION: &str = "PBKDF2-HMAC-SHA-256 HKDF-SHA-256 AES-256-GCM";
/// How many rounds of PBKDF2 it takes (OWASP's figure for HMAC-SHA-256).
pub const ROUNDS: u32 = 600_000;

/// What is known of how one person becomes active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activation {
    /// Whose.
    pub person: ResourceId,
    /// When they were invited first; after a reset, when that was.
    pub invited: Timestamp,
    /// When the latest invitations were sent, at most [`AT_MOST`], in order.
    pub sent: Vec<Timestamp>,
    /// The link of the latest invitation, unless it was used or ended.
    pub link: Option<Invitation>,
    /// Their vault: present when they are active.
    pub vault: Option<Vault>,
    /// The address that is known to be theirs: the one whose link they used, or one that an administrator has confirmed since. Absent: they
    /// have never activated.
    #[serde(default)]
    pub proven: Option<Email>,
    /// The address on record when it was looked at last.
    #[serde(default)]
    pub seen: Option<Email>,
    /// When the owner of the proven address was told last that another one is on record.
    #[serde(default)]
    pub told: Option<Timestamp>,
}

/// A link by which a person activates, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// SHA-256 of the secret in the link.
    pub digest: [u8; 32],
    /// From when on it is refused.
    pub expires: Timestamp,
    /// The address for which it was made: with another one on record it is refused.
    pub address: Email,
    /// The salt of the password that is chosen with it: 16 bytes, base64url.
    pub salt: String,
}

/// What the server keeps of a vault. None of it opens the vault without the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vault {
    /// Since when it exists.
    pub since: Timestamp,
    /// How the browser made the keys: [`DERIVATION`].
    pub derivation: String,
    /// With how many rounds.
    pub rounds: u32,
    /// With which salt: 16 bytes, base64url.
    pub salt: String,
    /// The hash (PHC string) of the key by which the person is recognised.
    pub verifier: String,
    /// The vault's key, wrapped by a key that the server never sees: nonce, ciphertext and tag, base64url.
    pub wrapped_key: String,
}

/// How a person stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They can use what the organisation offers.
    Active,
    /// They still have to activate.
    Invited,
    /// The account is switched off.
    Disabled,
}

/// Why an invitation is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotInvited {
    /// There is nothing to invite to.
    #[error("this account is activated already")]
    Activated,
    /// It would go to an address of which nobody knows that it is theirs.
    #[error("the e-mail address was changed after this account was activated")]
    Unconfirmed,
    /// Too many were sent lately.
    #[error("{AT_MOST} invitations were sent to this person within an hour")]
    TooMany {
        /// When the next one may be sent.
        next: Timestamp,
    },
}

impl Standing {
    /// Tells how a person stands: `is_active` is the directory's word; `is_expected` tells whether a directory manages the account of an
    /// organisation that asks people to activate.
    pub fn of(is_active: bool, is_expected: bool, activation: Option<&Activation>) -> Self {
        let is_invited = activation.map_or(is_expected, |activation| activation.vault.is_none());
        match (is_active, is_invited) {
            (false, _) => Self::Disabled,
            (true, true) => Self::Invited,
            (true, false) => Self::Active,
        }
    }
}

impl Activation {
    /// Begins for a person who was not invited before.
    pub fn new(person: ResourceId, now: Timestamp) -> Self {
        Self {
            person,
            invited: now,
            sent: Vec::new(),
            link: None,
            vault: None,
            proven: None,
            seen: None,
            told: None,
        }
    }

    /// Tells whether an invitation may go to an address. Once an account was activated, whoever can change its address must not be able
    /// to have it reset to themselves.
    pub fn is_open_to(&self, address: &Email) -> bool {
        self.proven.as_ref().is_none_or(|proven| proven == address)
    }

    /// Returns the proven address and the one on record, when nobody has confirmed that one.
    pub fn unconfirmed(&self) -> Option<(&Email, &Email)> {
        let both = self.proven.as_ref().zip(self.seen.as_ref());
        both.filter(|(proven, seen)| proven != seen)
    }

    /// Notes that an administrator vouches for an address.
    pub fn confirm(&mut self, address: Email) {
        if self.proven.is_some() {
            self.seen = Some(address.clone());
            self.proven = Some(address);
        }
    }

    /// Notes the address on record after a change. Returns the proven one when its owner is to be told that it was replaced: once an hour
    /// at most, for a directory may change its mind all day.
    pub fn moves(&mut self, to: Option<&Email>, now: Timestamp) -> Option<Email> {
        let proven = self.proven.clone()?;
        if self.seen.as_ref() == to {
            return None;
        }
        self.seen = to.cloned();
        let was_told = self.told.is_some_and(|told| is_within(SPAN, told, now));
        if Some(&proven) == to || was_told {
            return None;
        }
        self.told = Some(now);
        Some(proven)
    }

    /// Notes that an invitation is sent; the link of the one before, if any, is no longer good.
    pub fn invite(&mut self, link: Invitation, now: Timestamp) -> Result<(), NotInvited> {
        if self.vault.is_some() {
            return Err(NotInvited::Activated);
        }
        if !self.is_open_to(&link.address) {
            return Err(NotInvited::Unconfirmed);
        }
        let next = |sent: &Timestamp| sent.saturating_add(SPAN).unwrap_or(Timestamp::MAX);
        self.sent.retain(|sent| is_within(SPAN, *sent, now));
        if let (AT_MOST.., Some(first)) = (self.sent.len(), self.sent.first()) {
            return Err(NotInvited::TooMany { next: next(first) });
        }
        self.sent.push(now);
        self.link = Some(link);
        Ok(())
    }

    /// Returns the link, if it is good for this address.
    pub fn open_link(&self, address: Option<&Email>, now: Timestamp) -> Option<&Invitation> {
        self.link.as_ref().filter(|link| {
            !has_come(link.expires, now, LINK_LIFETIME) && Some(&link.address) == address
        })
    }

    /// Makes the person active; the link is used up.
    pub fn activate(&mut self, vault: Vault) {
        if let Some(link) = self.link.take() {
            self.seen = Some(link.address.clone());
            self.proven = Some(link.address);
        }
        self.vault = Some(vault);
    }

    /// Takes the vault away: the person is invited again. What the vault held is lost, for nobody else has its key.
    pub fn reset(&mut self, now: Timestamp) {
        self.vault = None;
        self.invited = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    fn link(minute: i64) -> Invitation {
        Invitation {
            digest: [1; 32],
            expires: at(minute) + LINK_LIFETIME,
            address: "ann@example.com".parse().unwrap(),
            salt: "AAAAAAAAAAAAAAAAAAAAAA".into(),
        }
    }

    fn vault() -> Vault {
        Vault {
            since: at(0),
            derivation: DERIVATION.into(),
            rounds: ROUNDS,
            salt: String::new(),
            verifier: String::new(),
            wrapped_key: String::new(),
        }
    }

    fn nobody() -> Activation {
        Activation::new(ResourceId::from_bytes([1; 16]), at(0))
    }

    #[test]
    fn a_person_is_invited_until_they_activated() {
        use Standing::{Active, Disabled, Invited};
        let (invited, mut activated) = (nobody(), nobody());
        activated.activate(vault());
        for (is_active, is_expected, activation, expected) in [
            (true, false, None, Active),
            (true, true, None, Invited),
            (true, false, Some(&invited), Invited),
            (true, true, Some(&activated), Active),
            (false, true, Some(&activated), Disabled),
            (false, true, Some(&invited), Disabled),
            (false, false, None, Disabled),
        ] {
            let standing = Standing::of(is_active, is_expected, activation);
            assert_eq!(
                standing, expected,
                "{is_active} {is_expected} {activation:?}"
            );
        }
    }

    #[test]
    fn three_invitations_go_out_in_an_hour_and_the_fourth_when_the_first_is_an_hour_old() {
        let mut ann = nobody();
        for minute in [0, 10, 20] {
            ann.invite(link(minute), at(minute)).unwrap();
        }

        let refused = ann.invite(link(59), at(59));
        assert_eq!(refused, Err(NotInvited::TooMany { next: at(60) }));
        assert_eq!(ann.link, Some(link(20)));

        ann.invite(link(60), at(60)).unwrap();
        assert_eq!(ann.sent, [at(10), at(20), at(60)]);
    }

    #[test]
    fn a_link_is_good_for_its_address_until_it_expires_or_is_used() {
        let mut ann = nobody();
        ann.invite(link(0), at(0)).unwrap();
        let (ann_is, bob_is) = (
            "Ann@example.com".parse::<Email>().unwrap(),
            "bob@example.com".parse::<Email>().unwrap(),
        );
        let good =
            |ann: &Activation, address: Option<&Email>, now| ann.open_link(address, now).is_some();

        assert!(good(&ann, Some(&ann_is), at(1)));
        assert!(!good(&ann, Some(&bob_is), at(1)));
        assert!(!good(&ann, None, at(1)));
        assert!(!good(&ann, Some(&ann_is), at(0) + LINK_LIFETIME));
        ann.activate(vault());
        assert!(!good(&ann, Some(&ann_is), at(1)));
        assert_eq!(ann.invite(link(2), at(2)), Err(NotInvited::Activated));
        ann.reset(at(3));
        assert_eq!(ann.invite(link(3), at(3)), Ok(()));
    }

    #[test]
    fn who_activated_once_is_invited_to_another_address_only_when_somebody_has_confirmed_it() {
        let mut ann = nobody();
        ann.invite(link(0), at(0)).unwrap();
        ann.activate(vault());
        let (own, other) = ("ann@example.com", "eve@example.com");
        let (own, other): (Email, Email) = (own.parse().unwrap(), other.parse().unwrap());
        let to_other = |minute| Invitation {
            address: other.clone(),
            ..link(minute)
        };

        assert_eq!(ann.moves(Some(&other), at(1)), Some(own.clone()));
        assert_eq!(ann.moves(Some(&other), at(2)), None, "it is no news");
        assert_eq!(ann.moves(None, at(3)), None, "they were told a moment ago");
        assert_eq!(ann.moves(Some(&other), at(90)), Some(own.clone()));
        assert_eq!(ann.unconfirmed(), Some((&own, &other)));
        ann.reset(at(91));
        let refused = ann.invite(to_other(92), at(92));
        assert_eq!(refused, Err(NotInvited::Unconfirmed));
        assert_eq!(ann.link, None);
        assert_eq!(ann.invite(link(93), at(93)), Ok(()));

        ann.confirm(other.clone());
        assert_eq!(ann.unconfirmed(), None);
        assert_eq!(ann.invite(to_other(94), at(94)), Ok(()));
        assert_eq!(ann.moves(Some(&own), at(200)), Some(other));
    }

    #[test]
    fn who_never_activated_is_invited_to_whatever_address_is_on_record() {
        let mut ann = nobody();
        ann.confirm("eve@example.com".parse().unwrap());
        assert_eq!(ann.moves(None, at(0)), None);
        assert_eq!(ann.invite(link(0), at(0)), Ok(()));
    }
}
