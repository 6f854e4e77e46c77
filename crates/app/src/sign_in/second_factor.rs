//! The second factor: codes of an authenticator app (TOTP, RFC 6238), and codes for the day on which the app is gone.
//!
//! A secret that is being set up is not stored: it travels sealed in the form, for one administrator, and is kept once its first code was
//! right.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use rollcall_model::clock::SKEW;
use rollcall_model::{AdminId, OrgId, Randomness, Secret};
use rollcall_store::{NewAudit, SecondFactor, Writer};
use serde_json::json;
use totp_rs::{Builder, Totp};

use super::{Proof, Visitor};
use crate::{App, Failure};

/// How long a code is shown, in seconds (RFC 6238 §5.2).
const STEP: u64 = 30;

/// How many recovery codes are made.
const CODES: usize = 10;
/// 160 bits, as RFC 4226 §4 recommends.
const SECRET_BYTES: usize = 20;
/// The letters of a recovery code: none that looks like another.
const LETTERS: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// What an authenticator app is set up with.
#[derive(Debug)]
pub struct Enrolment {
    /// The secret, sealed for the administrator; goes into the form and comes back with the first code.
    pub sealed: String,
    /// The secret as people type it: base32 in groups of four.
    pub typed: Secret,
    /// The address that the QR code holds (`otpauth:`).
    pub address: Secret,
}

impl App {
    /// Makes the secret of a new second factor. Nothing is stored yet.
    pub fn begin_enrolment(&self, visitor: &Visitor) -> Result<Enrolment, Failure> {
        let mut bytes = zeroize::Zeroizing::new(vec![0; SECRET_BYTES]);
        self.randomness().fill(&mut bytes);
        let secret = Secret::new(URL_SAFE_NO_PAD.encode(&*bytes));
        self.enrolment(visitor, secret)
    }

    /// Shows the secret of an enrolment again, whose first code was wrong.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] when it was made for somebody else.
    pub fn resume_enrolment(&self, visitor: &Visitor, sealed: &str) -> Result<Enrolment, Failure> {
        let secret = self.opened(visitor, sealed)?;
        self.enrolment(visitor, secret)
    }

    fn enrolment(&self, visitor: &Visitor, secret: Secret) -> Result<Enrolment, Failure> {
        let account = visitor.administrator.email.as_str().replace(':', "");
        let issuer = format!("Rollcall {}", visitor.organisation.name).replace(':', "");
        let totp = totp(&secret, Some((&account, &issuer)))?;
        let address = totp
            .to_url()
            .map_err(|error| Failure::Internal(Box::new(error)))?;
        let place = place(visitor.organisation.id, visitor.administrator.id);
        let sealed = (self.sealer()).seal_form(&place, &secret, &**self.randomness());
        let typed: Vec<u8> = decoded(&secret)?;
        let typed = totp_rs::Secret::new(typed.into_boxed_slice()).to_base32();
        let groups: Vec<&str> = typed
            .as_bytes()
            .chunks(4)
            .filter_map(|group| std::str::from_utf8(group).ok())
            .collect();
        Ok(Enrolment {
            sealed: URL_SAFE_NO_PAD.encode(sealed),
            typed: Secret::new(groups.join(" ")),
            address: Secret::new(address),
        })
    }

    fn opened(&self, visitor: &Visitor, sealed: &str) -> Result<Secret, Failure> {
        let refused = || Failure::Forbidden {
            reason: "this form is not the one that was made for you: begin again".to_owned(),
        };
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| refused())?;
        let place = place(visitor.organisation.id, visitor.administrator.id);
        (self.sealer().open_form(&place, &sealed)).map_err(|_| refused())
    }

    /// Keeps a second factor whose first code is right, and returns the recovery codes, which cannot be had again. The session that set it
    /// up becomes a full one, under a new secret.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] when the code is wrong.
    pub async fn finish_enrolment(
        &self,
        visitor: &Visitor,
        sealed: &str,
        code: &str,
    ) -> Result<(Vec<Secret>, Proof), Failure> {
        let secret = self.opened(visitor, sealed)?;
        let now = self.now();
        let step = step(&secret, code, now)?.ok_or_else(wrong)?;
        let organisation = visitor.organisation.id;
        let id = visitor.administrator.id;
        let app = self.clone();
        let codes: Vec<Secret> = (0..CODES)
            .map(|_| recovery_code(&**self.randomness()))
            .collect();
        let digests: Vec<[u8; 32]> = codes.iter().map(code_digest).collect();
        let origin = visitor.origin();
        let proof = self
            .promote(visitor, move |writer| {
                let randomness = &**app.randomness();
                let key = (app.sealer()).sealing_key(writer, organisation, now, randomness)?;
                let factor = SecondFactor {
                    sealed_secret: key.seal(&place(organisation, id), &secret, randomness),
                    since: now,
                    last_step: step,
                };
                writer.save_second_factor(id, Some(&factor))?;
                writer.save_recovery_codes(id, &digests)?;
                let entry = NewAudit {
                    origin,
                    action: "second_factor.added",
                    object: id.to_string(),
                    detail: json!({}),
                };
                writer.append_audit(now, &entry)?;
                Ok(())
            })
            .await?;
        Ok((codes, proof))
    }

    /// Replaces the recovery codes; the old ones are no longer good.
    pub async fn renew_recovery_codes(&self, visitor: &Visitor) -> Result<Vec<Secret>, Failure> {
        let now = self.now();
        let id = visitor.administrator.id;
        let codes: Vec<Secret> = (0..CODES)
            .map(|_| recovery_code(&**self.randomness()))
            .collect();
        let digests: Vec<[u8; 32]> = codes.iter().map(code_digest).collect();
        let origin = visitor.origin();
        visitor
            .tenant
            .write::<_, Failure, _>(move |writer| {
                writer.save_recovery_codes(id, &digests)?;
                let entry = NewAudit {
                    origin,
                    action: "recovery_codes.renewed",
                    object: id.to_string(),
                    detail: json!({}),
                };
                Ok(writer.append_audit(now, &entry)?)
            })
            .await?;
        Ok(codes)
    }

    /// Removes an administrator's second factor, with the recovery codes.
    pub async fn remove_second_factor(
        &self,
        visitor: &Visitor,
        id: AdminId,
    ) -> Result<(), Failure> {
        let now = self.now();
        let origin = visitor.origin();
        let app = self.clone();
        visitor
            .tenant
            .write::<_, Failure, _>(move |writer| {
                let owner = super::there(writer, id)?;
                writer.save_second_factor(id, None)?;
                let by = crate::post::called(writer, &origin.actor)?;
                let content = rollcall_model::letter::Content::SecondFactorRemoved { by };
                app.post_to(writer, now, &owner.email, content)?;
                // whoever could sign in with it alone signs in anew
                if origin.actor != (rollcall_model::Actor::Administrator { id }) {
                    writer.end_sessions(id, None)?;
                }
                let entry = NewAudit {
                    origin,
                    action: "second_factor.removed",
                    object: id.to_string(),
                    detail: json!({}),
                };
                writer.append_audit(now, &entry)?;
                Ok(())
            })
            .await
    }

    /// Checks a code of the authenticator app or a recovery code, and uses it up.
    pub(super) fn use_code(
        &self,
        writer: &mut dyn Writer,
        organisation: OrgId,
        id: AdminId,
        code: &str,
        now: Timestamp,
    ) -> Result<CodeVerdict, Failure> {
        let Some(factor) = writer.second_factor(id)? else {
            return Ok(CodeVerdict::Wrong);
        };
        let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        if digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let place = place(organisation, id);
            let secret =
                (self.sealer()).open(&*writer, organisation, &place, &factor.sealed_secret)?;
            return Ok(match step(&secret, &digits, now)? {
                Some(step) if step <= factor.last_step && is_believed(factor.last_step, now) => {
                    CodeVerdict::UsedBefore
                }
                Some(step) => {
                    let used = SecondFactor {
                        last_step: step,
                        ..factor
                    };
                    writer.save_second_factor(id, Some(&used))?;
                    CodeVerdict::Right
                }
                None => CodeVerdict::Wrong,
            });
        }
        let typed = Secret::new(digits.to_lowercase());
        if writer.use_recovery_code(id, &code_digest(&typed))? {
            return Ok(CodeVerdict::RightRecovery {
                left: writer.recovery_codes(id)?,
            });
        }
        Ok(CodeVerdict::Wrong)
    }
}

/// What a code was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CodeVerdict {
    Right,
    RightRecovery { left: u64 },
    UsedBefore,
    Wrong,
}

pub(super) fn wrong() -> Failure {
    Failure::Forbidden {
        reason: "the code is not right: take the one that the app shows now, and look whether the phone's clock is right"
            .to_owned(),
    }
}

/// Where the secret of a second factor is kept.
pub(crate) fn place(organisation: OrgId, id: AdminId) -> String {
    format!("second_factors.sealed_secret {organisation} {id}")
}

fn decoded(secret: &Secret) -> Result<Vec<u8>, Failure> {
    URL_SAFE_NO_PAD
        .decode(secret.expose())
        .map_err(|error| Failure::Internal(Box::new(error)))
}

fn totp(secret: &Secret, named: Option<(&str, &str)>) -> Result<Totp, Failure> {
    let secret = totp_rs::Secret::new(decoded(secret)?.into_boxed_slice());
    let mut builder = Builder::new().with_secret(secret);
    if let Some((account, issuer)) = named {
        builder = builder
            .with_account_name(account)
            .with_issuer(Some(issuer.to_owned()));
    }
    builder
        .build()
        .map_err(|error| Failure::Internal(Box::new(error)))
}

/// Tells whether a code of this time step can have been used by now. If not, the clock was set back, and whoever used it must not be kept
/// out until that time has come.
fn is_believed(step: u64, now: Timestamp) -> bool {
    let begins = i64::try_from(step.saturating_mul(STEP));
    let begins = begins.ok().and_then(|at| Timestamp::from_second(at).ok());
    begins.is_some_and(|begins| begins.duration_since(now) <= SKEW)
}

/// Returns the time step of a code, of those around `now`; absent: it is none of theirs.
fn step(secret: &Secret, code: &str, now: Timestamp) -> Result<Option<u64>, Failure> {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let named = Some(("rollcall", "rollcall"));
    Ok(totp(secret, named)?.check(code.trim(), seconds))
}

/// Makes a recovery code: all but 50 random bits, as two words of five letters.
fn recovery_code(randomness: &dyn Randomness) -> Secret {
    let mut bytes = [0; 10];
    randomness.fill(&mut bytes);
    let mut code = String::new();
    for (place, byte) in bytes.into_iter().enumerate() {
        if place == 5 {
            code.push('-');
        }
        let letter = LETTERS.get(usize::from(byte) % LETTERS.len());
        code.push(char::from(*letter.unwrap_or(&b'a')));
    }
    Secret::new(code)
}

fn code_digest(code: &Secret) -> [u8; 32] {
    let letters: String = code.expose().chars().filter(|c| *c != '-').collect();
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, letters.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
pub(super) fn code_now(enrolment: &Enrolment, now: Timestamp) -> String {
    let base32: String = enrolment
        .typed
        .expose()
        .chars()
        .filter(|c| *c != ' ')
        .collect();
    let secret = totp_rs::Secret::try_from_base32(base32).unwrap();
    let totp = Builder::new()
        .with_secret(secret)
        .with_account_name("x")
        .with_issuer(Some("x".to_owned()))
        .build()
        .unwrap();
    totp.generate(u64::try_from(now.as_second()).unwrap())
        .to_string()
}
