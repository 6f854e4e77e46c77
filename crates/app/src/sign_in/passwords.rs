//! Passwords of administrators: which are good enough, and how they are kept.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use rollcall_model::{Randomness, Secret};
use tokio::sync::Semaphore;

use crate::Failure;

/// Shortest and longest password, in characters (NIST SP 800-63B §5.1.1.2: length, no composition rules).
const LENGTH: std::ops::RangeInclusive<usize> = 12..=128;
/// Memory of a hash in KiB, and passes over it (OWASP's first choice for Argon2id).
const COST: (u32, u32) = (19_456, 2);
/// So many passwords are hashed at the same time: each takes 19 MiB and a core.
const AT_ONCE: usize = 2;
/// So many wait for their turn; more are told to come again.
const WAITING: usize = 64;
/// Long passwords that everybody tries first. Shorter ones are too short anyway.
const COMMON: &str = include_str!("common_passwords.txt");

/// Hashes and checks passwords, few at a time.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            queue: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
        }
    }
}

/// Refuses a password that is too short, too long or too common; `about` are words that its owner is known by.
pub(crate) fn check(password: &Secret, about: &[&str]) -> Result<(), Failure> {
    let text = password.expose();
    let length = text.chars().count();
    let refused = |reason: String| Err(Failure::Forbidden { reason });
    if !LENGTH.contains(&length) {
        return refused(format!(
            "a password has {} to {} characters, this one has {length}",
            LENGTH.start(),
            LENGTH.end()
        ));
    }
    let lower = text.to_lowercase();
    let is_common = COMMON.lines().any(|common| common == lower);
    let mut letters: Vec<char> = lower.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    if is_common || letters.len() < 4 {
        return refused(
            "this password is among the first that are tried: choose another one".to_owned(),
        );
    }
    let is_name = |word: &&&str| word.chars().count() >= 8 && lower.contains(&word.to_lowercase());
    if about.iter().find(is_name).is_some() {
        return refused("the password holds your address or your organisation's name".to_owned());
    }
    Ok(())
}

impl Passwords {
    /// Hashes a password; returns a PHC string.
    pub(crate) async fn hash(
        &self,
        password: Secret,
        randomness: &dyn Randomness,
    ) -> Result<String, Failure> {
        let mut salt = [0; 16];
        randomness.fill(&mut salt);
        self.in_turn(move || {
            hasher()
                .and_then(|hasher| {
                    hasher
                        .hash_password_with_salt(password.expose().as_bytes(), &salt)
                        .map(|hash| hash.to_string())
                        .map_err(|error| error.to_string())
                })
                .map_err(|error| Failure::Internal(error.into()))
        })
        .await?
    }

    /// Tells whether a password is the one of this hash. Without a hash the work is done all the same: an answer must not be quicker
    /// for an account that does not exist.
    pub(crate) async fn verify(
        &self,
        password: Secret,
        hash: Option<String>,
    ) -> Result<bool, Failure> {
        self.in_turn(move || {
            let Ok(hasher) = hasher() else { return false };
            let hash = hash.as_deref().unwrap_or(NOBODYS);
            let is_right = PasswordHash::new(hash).is_ok_and(|hash| {
                hasher
                    .verify_password(password.expose().as_bytes(), &hash)
                    .is_ok()
            });
            is_right && hash != NOBODYS
        })
        .await
    }

    /// Tells whether a hash was made in another way than [`Self::hash`] makes them now: the next right password is a chance to mend it.
    pub(crate) fn is_outdated(hash: &str) -> bool {
        let now = hasher().map(|hasher| hasher.params().clone());
        let then = PasswordHash::new(hash).ok();
        let made = then.filter(|hash| {
            hash.algorithm == Algorithm::Argon2id.ident()
                && hash.version == Some(Version::V0x13.into())
        });
        let made = made.and_then(|hash| Params::try_from(&hash).ok());
        match (made, now) {
            (Some(made), Ok(now)) => {
                (made.m_cost(), made.t_cost(), made.p_cost())
                    != (now.m_cost(), now.t_cost(), now.p_cost())
            }
            (None, _) | (_, Err(_)) => true,
        }
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let _place = self.queue.try_acquire().map_err(|_| Failure::busy())?;
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| Failure::busy())?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        })
        .await
        .map_err(|error| Failure::Internal(Box::new(error)))
    }
}

/// The hash of a password that nobody knows, made with the cost of all others.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn hasher() -> Result<Argon2<'static>, String> {
    let (memory, passes) = COST;
    let parameters = Params::new(memory, passes, 1, None).map_err(|error| error.to_string())?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters))
}

/// Hashes a password with another memory, in KiB, and other passes than ours.
#[cfg(test)]
pub(super) fn hashed_with(password: &str, (memory, passes): (u32, u32)) -> String {
    let parameters = Params::new(memory, passes, 1, None).unwrap();
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    let hash = hasher.hash_password_with_salt(password.as_bytes(), &[1; 16]);
    hash.unwrap().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandomness;

    #[test]
    fn a_password_is_long_uncommon_and_not_the_owners_name() {
        let about = ["mira.castellan@example.com", "Alderbrook Logistics"];
        let verdict = |text: &str| check(&Secret::new(text), &about).is_ok();

        assert!(verdict("correct horse battery"));
        assert!(verdict("ΠολύΜακρύΣύνθημα"));
        for bad in [
            "short",
            "Password1234",
            "111111111111",
            "abababababab",
            "mira.castellan@example.com1",
            "alderbrook logistics 2026",
            &"x1y2".repeat(40),
        ] {
            assert!(!verdict(bad), "{bad}");
        }
    }

    #[test]
    fn a_hash_of_another_cost_or_kind_is_outdated() {
        assert!(!Passwords::is_outdated(NOBODYS));
        for (now, then) in [
            ("m=19456", "m=9216"),
            ("t=2", "t=1"),
            ("argon2id", "argon2i"),
            ("v=19", "v=16"),
        ] {
            let hash = NOBODYS.replace(now, then);
            assert!(Passwords::is_outdated(&hash), "{hash}");
        }
    }

    #[tokio::test]
    async fn a_password_is_recognised_by_its_hash() {
        let passwords = Passwords::default();
        let hash = passwords
            .hash(
                Secret::new("correct horse battery"),
                &SystemRandomness::default(),
            )
            .await
            .unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let is_right = async |text: &str, hash: Option<String>| {
            passwords.verify(Secret::new(text), hash).await.unwrap()
        };
        assert!(is_right("correct horse battery", Some(hash.clone())).await);
        assert!(!is_right("correct horse batterz", Some(hash)).await);
        assert!(!is_right("correct horse battery", None).await);
    }
}
