//! The secret of an endpoint, and what it signs.
//!
//! **Source:** Standard Webhooks, version 1 (standardwebhooks.com): `webhook-id`, `webhook-timestamp` and `webhook-signature`, which is
//! `v1,` and the base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use rollcall_model::{Randomness, Secret};
use zeroize::Zeroizing;

/// What every secret begins with.
const PREFIX: &str = "whsec_";
/// So many random bytes are in it.
const BYTES: usize = 32;

/// The secrets of an endpoint. Kept as one text, so that they are sealed together.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// The one that counts.
    present: Secret,
    /// The one before it, which signs as well for a while after a rotation.
    former: Option<Secret>,
}

impl Secrets {
    /// Makes the only secret of an endpoint.
    pub(super) fn fresh(randomness: &dyn Randomness) -> Self {
        let mut bytes = Zeroizing::new([0; BYTES]);
        randomness.fill(&mut *bytes);
        Self {
            present: Secret::new(format!("{PREFIX}{}", STANDARD.encode(*bytes))),
            former: None,
        }
    }

    /// Makes another secret, beside which the present one goes on.
    pub(super) fn rotated(&self, randomness: &dyn Randomness) -> Self {
        Self {
            former: Some(self.present.clone()),
            ..Self::fresh(randomness)
        }
    }

    /// Reads the text that was sealed.
    pub(super) fn read(text: &Secret) -> Self {
        match text.expose().split_once(' ') {
            Some((present, former)) => Self {
                present: Secret::new(present),
                former: Some(Secret::new(former)),
            },
            None => Self {
                present: text.clone(),
                former: None,
            },
        }
    }

    /// Returns the text that is sealed.
    pub(super) fn text(&self) -> Secret {
        match &self.former {
            Some(former) => Secret::new(format!("{} {}", self.present.expose(), former.expose())),
            None => self.present.clone(),
        }
    }

    /// Leaves the one that counts.
    pub(super) fn only_present(self) -> Self {
        Self {
            former: None,
            ..self
        }
    }

    /// Returns the one that counts.
    pub fn present(&self) -> Secret {
        self.present.clone()
    }

    /// Signs a body: a signature by each secret, with spaces in between.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
        let secrets = [Some(&self.present), self.former.as_ref()];
        let signatures = secrets.into_iter().flatten().map(|secret| {
            let text = secret.expose();
            let text = text.strip_prefix(PREFIX).unwrap_or(text);
            let key = Zeroizing::new(STANDARD.decode(text).unwrap_or_default());
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed);
            format!("v1,{}", STANDARD.encode(tag.as_ref()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandomness;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // the example of the specification's own libraries
        let secrets = Secrets::read(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));

        let signed = secrets.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );

        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn after_a_rotation_both_sign_and_no_third() {
        let randomness = SystemRandomness::default();
        let first = Secrets::fresh(&randomness);
        let second = first.rotated(&randomness);
        let third = second.rotated(&randomness);

        let by = |secrets: &Secrets| secrets.sign("evt_1", 1, b"{}");
        assert_eq!(by(&second).split(' ').count(), 2);
        assert!(by(&second).ends_with(&by(&first)));
        assert_eq!(by(&third).split(' ').count(), 2);
        assert!(!by(&third).contains(&by(&first)));
        assert_eq!(by(&Secrets::read(&third.text())), by(&third));
        assert_eq!(by(&second.only_present()).split(' ').count(), 1);
        assert!(first.present().expose().starts_with("whsec_"));
    }
}
