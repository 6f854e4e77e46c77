//! How often somebody may ask.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use rollcall_model::{KeyId, OrgId, TokenId};

use crate::limits;

/// How long whoever asked too often should wait, in whole seconds: some clients understand nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub u64);

/// The rates of an installation.
#[derive(Debug)]
pub struct Rates {
    tokens: Keyed<TokenId>,
    organisations: Keyed<OrgId>,
    keys: Keyed<KeyId>,
    failures: Keyed<IpAddr>,
}

impl Rates {
    /// Allows each token and each API key `per_second` requests on average, and those of an organisation together
    /// [`limits::ORGANISATION_TOKENS`] times as many; a burst is twice that.
    pub fn new(per_second: NonZeroU32) -> Self {
        let quota =
            |rate: NonZeroU32| Quota::per_second(rate).allow_burst(rate.saturating_mul(BURST));
        let failed = NonZeroU32::new(limits::FAILED_PER_MINUTE).unwrap_or(NonZeroU32::MIN);
        Self {
            tokens: Keyed::new(quota(per_second)),
            organisations: Keyed::new(quota(per_second.saturating_mul(TOKENS))),
            keys: Keyed::new(quota(per_second)),
            failures: Keyed::new(Quota::per_minute(failed)),
        }
    }

    /// Counts a request of a token of an organisation.
    ///
    /// # Errors
    /// [`Wait`] when the token, or the organisation with all its tokens, has asked too often.
    pub fn request(&self, organisation: OrgId, token: TokenId) -> Result<(), Wait> {
        self.tokens.count(&token)?;
        self.organisations.count(&organisation)
    }

    /// Counts a request of an API key of an organisation.
    ///
    /// # Errors
    /// [`Wait`] when the key, or the organisation with all that it has, has asked too often.
    pub fn request_of_key(&self, organisation: OrgId, key: KeyId) -> Result<(), Wait> {
        self.keys.count(&key)?;
        self.organisations.count(&organisation)
    }

    /// Counts a failed authentication from an address.
    ///
    /// # Errors
    /// [`Wait`] when too many came from there.
    pub fn failure(&self, address: IpAddr) -> Result<(), Wait> {
        self.failures.count(&network(address))
    }

    /// Forgets whoever has not asked for a while; called now and then.
    pub fn forget_idle(&self) {
        self.tokens.0.retain_recent();
        self.organisations.0.retain_recent();
        self.keys.0.retain_recent();
        self.failures.0.retain_recent();
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self::new(NonZeroU32::new(limits::TOKEN_RATE).unwrap_or(NonZeroU32::MIN))
    }
}

const BURST: NonZeroU32 = match NonZeroU32::new(limits::TOKEN_BURST / limits::TOKEN_RATE) {
    Some(burst) => burst,
    None => NonZeroU32::MIN,
};

const TOKENS: NonZeroU32 = match NonZeroU32::new(limits::ORGANISATION_TOKENS) {
    Some(tokens) => tokens,
    None => NonZeroU32::MIN,
};

#[derive(Debug)]
struct Keyed<K: Hash + Eq + Clone>(DefaultKeyedRateLimiter<K>);

impl<K: Hash + Eq + Clone> Keyed<K> {
    fn new(quota: Quota) -> Self {
        Self(RateLimiter::keyed(quota))
    }

    fn count(&self, key: &K) -> Result<(), Wait> {
        self.0.check_key(key).map_err(|refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            Wait(
                wait.saturating_add(Duration::from_millis(999))
                    .as_secs()
                    .max(1),
            )
        })
    }
}

/// Returns what counts as one place: one customer line has 2^64 addresses of IPv6.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twenty_first_failure_of_a_minute_has_to_wait() {
        let rates = Rates::default();
        let address = IpAddr::from([192, 0, 2, 1]);

        for _ in 0..limits::FAILED_PER_MINUTE {
            assert_eq!(rates.failure(address), Ok(()));
        }

        assert!(rates.failure(address).is_err_and(|wait| wait.0 >= 1));
        assert_eq!(rates.failure(IpAddr::from([192, 0, 2, 2])), Ok(()));
    }

    #[test]
    fn an_organisation_does_not_get_more_with_every_token_that_it_makes() {
        let rates = Rates::new(NonZeroU32::MIN);
        let (one, other) = (OrgId::from_bytes([1; 16]), OrgId::from_bytes([2; 16]));
        let asked =
            |organisation, token| rates.request(organisation, TokenId::from_bytes([token; 16]));

        let allowed = (0..100).filter(|token| asked(one, *token).is_ok()).count();

        assert_eq!(allowed, 2 * limits::ORGANISATION_TOKENS as usize);
        assert_eq!(asked(other, 0), Ok(()));
    }

    #[test]
    fn a_line_of_ipv6_counts_as_one() {
        let one: IpAddr = "2001:db8:1:2::1".parse().unwrap();
        let other: IpAddr = "2001:db8:1:2:ffff::9".parse().unwrap();

        assert_eq!(network(one), network(other));
    }
}
