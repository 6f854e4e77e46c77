//! Administrators coming in: password, second factor, sessions.
//!
//! **Is:** who somebody is, for how long, and how sure that is. A [`Visitor`] is the proof of a session; whatever an administrator does
//! takes its [`Context`] from there, and only after [`Visitor::may`] was asked.
//! **Is not:** cookies and forms, which are the console's.
//! **Start at** [`App::sign_in`]; [`App::visitor`] is asked on every request.

mod attempts;
mod passwords;
pub(crate) mod second_factor;
mod sessions;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use ring::digest::{SHA256, digest};
use rollcall_model::clock::is_within;
use rollcall_model::{
    Actor, AdminId, Administrator, Email, OrgId, Organisation, Origin, Permission, RequestId,
    Secret, Session, SessionId, Slug, Stage,
};
use rollcall_store::{NewAudit, Reader, Tenant, Writer};
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::directory::Context;
use crate::{App, Failure};
use attempts::Against;

pub(crate) use attempts::Attempts;
pub(crate) use passwords::{Passwords, check as check_password};
pub use second_factor::Enrolment;
pub(crate) use second_factor::place as factor_place;

/// So many accounts of one address, each in an organisation of its own, are tried with one password.
const ACCOUNTS: usize = 5;
/// How exactly is known when a session was used last.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// How much of what a browser calls itself is kept.
const AGENT_KEPT: usize = 200;

/// From where a request comes.
#[derive(Debug, Clone)]
pub struct Knock {
    /// The request.
    pub request: RequestId,
    /// The address.
    pub address: Option<String>,
    /// The network of the address: what counts as one place.
    pub network: String,
    /// What the browser calls itself.
    pub agent: Option<String>,
    /// The mark that a browser got when somebody signed in with it; see [`Proof::device`].
    pub device: Option<String>,
}

/// Somebody who wants to come in.
#[derive(Debug)]
pub struct Attempt {
    /// Their address.
    pub email: Email,
    /// Their password.
    pub password: Secret,
    /// The organisation, when they are in several.
    pub organisation: Option<Slug>,
    /// From where they come.
    pub knock: Knock,
}

/// What comes of a right password.
#[derive(Debug)]
pub enum SignIn {
    /// A session.
    Begun(Proof),
    /// The password is right in several organisations: one has to be named.
    Choose(Vec<Organisation>),
}

/// What came of trying a password on the accounts of an address.
#[derive(Default)]
struct Tried {
    right: Vec<(Organisation, AdminId)>,
    wrong: Vec<(OrgId, AdminId)>,
    /// Why an account could not be looked at.
    unavailable: Option<Failure>,
}

/// A session that has just begun or been renewed, with the secret that goes into the browser's cookie.
#[derive(Debug)]
pub struct Proof {
    /// The cookie.
    pub cookie: Secret,
    /// How far the sign-in has come.
    pub stage: Stage,
    /// What the browser shows when it signs in again, so that strangers' guesses do not count against it.
    pub device: String,
}

/// Somebody with a session: the proof that a request acts for an administrator.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// The organisation.
    pub organisation: Arc<Organisation>,
    /// The administrator.
    pub administrator: Administrator,
    /// The session.
    pub session: Session,
    tenant: Tenant,
    request: RequestId,
    address: Option<String>,
}

impl Visitor {
    /// Makes sure that the administrator's role allows something.
    ///
    /// # Errors
    /// [`Failure::Forbidden`].
    pub fn may(&self, permission: Permission) -> Result<(), Failure> {
        let role = self.administrator.role;
        if role.may(permission) {
            return Ok(());
        }
        Err(Failure::Forbidden {
            reason: format!(
                "your role, {}, may not {}: ask an owner of {}",
                role.title(),
                permission.words(),
                self.organisation.name
            ),
        })
    }

    /// Returns in whose name, and where, this request acts.
    pub fn context(&self) -> Context {
        Context::new(self.tenant.clone(), self.origin(), None)
    }

    /// Returns who acts, through which request.
    pub fn origin(&self) -> Origin {
        Origin {
            actor: Actor::Administrator {
                id: self.administrator.id,
            },
            request: self.request,
            address: self.address.clone(),
        }
    }

    /// Returns the storage of the organisation.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }
}

impl App {
    /// Checks address and password, and begins a session.
    ///
    /// # Errors
    /// [`Failure::Unauthenticated`], alike for an unknown address and a wrong password; [`Failure::TooMany`] for who guesses;
    /// [`Failure::Unavailable`] when too many sign in at once, or when the password fits nowhere and there is an account that could not be
    /// looked at.
    pub async fn sign_in(&self, attempt: Attempt) -> Result<SignIn, Failure> {
        let now = self.now();
        let account = attempt.email.key();
        let against = self.against(&account, &attempt.knock);
        self.patience(&against)?;
        let tried = self.try_accounts(&account, &attempt).await?;
        if tried.right.is_empty() {
            // with nothing tried nothing can be learned from trying again
            if !tried.wrong.is_empty() || tried.unavailable.is_none() {
                self.attempts.failed(&against, now);
            }
            for (organisation, id) in tried.wrong {
                let noted = self.note_refusal(organisation, id, &attempt.knock).await;
                if let Err(failure) = noted {
                    tracing::warn!(%organisation, %failure, "a refused sign-in could not be noted");
                }
            }
            return Err(refused(tried.unavailable));
        }
        let mut right = tried.right;
        if let Some(slug) = attempt.organisation {
            right.retain(|(organisation, _)| organisation.slug == slug);
        }
        match right.as_slice() {
            [] => Err(refused(tried.unavailable)),
            [(organisation, id)] => {
                self.attempts.succeeded(&against);
                let proof = self.begin(organisation, *id, &attempt.knock).await?;
                Ok(SignIn::Begun(proof))
            }
            _ => Ok(SignIn::Choose(
                right.into_iter().map(|(one, _)| one).collect(),
            )),
        }
    }

    /// Tries a password on the accounts of an address, first on that in the organisation that is named. One that cannot be looked at keeps
    /// nobody from the others.
    async fn try_accounts(&self, account: &str, attempt: &Attempt) -> Result<Tried, Failure> {
        let mut accounts = self.store().administrators_called(account).await?;
        let named = match &attempt.organisation {
            Some(slug) => self.store().organisation(slug).await?.map(|one| one.id),
            None => None,
        };
        accounts.sort_by_key(|(organisation, _)| Some(*organisation) != named);
        accounts.truncate(ACCOUNTS);
        if accounts.is_empty() {
            self.passwords
                .verify(attempt.password.clone(), None)
                .await?;
        }
        let mut tried = Tried::default();
        for (organisation, id) in accounts {
            let tenant = self.store().tenant(organisation);
            let looked = tenant.glance::<_, Failure, _>(move |reader| {
                Ok((reader.password_hash(id)?, reader.organisation()?))
            });
            let (hash, there) = match looked.await {
                Ok(found) => found,
                Err(failure @ Failure::Unavailable(_)) => {
                    tracing::warn!(%organisation, %failure, "an account could not be looked at for a sign-in");
                    tried.unavailable = Some(failure);
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let password = attempt.password.clone();
            if !self.passwords.verify(password, hash.clone()).await? {
                tried.wrong.push((organisation, id));
                continue;
            }
            let renewed = self.renew_hash(organisation, id, hash, &attempt.password);
            if let Err(failure) = renewed.await {
                tracing::warn!(%organisation, %failure, "a password could not be hashed anew");
            }
            tried.right.push((there, id));
            if Some(organisation) == named {
                break;
            }
        }
        Ok(tried)
    }

    /// Hashes a password that was right anew, when its hash was made in a way that is not good enough any more.
    async fn renew_hash(
        &self,
        organisation: OrgId,
        id: AdminId,
        hash: Option<String>,
        password: &Secret,
    ) -> Result<(), Failure> {
        let Some(old) = hash.filter(|hash| Passwords::is_outdated(hash)) else {
            return Ok(());
        };
        let new = self
            .passwords
            .hash(password.clone(), &**self.randomness())
            .await?;
        let tenant = self.store().tenant(organisation);
        tenant
            .quiet()
            .write::<_, Failure, _>(move |writer| {
                // a password that was changed meanwhile stays changed
                if writer.password_hash(id)? == Some(old) {
                    writer.save_password_hash(id, &new)?;
                }
                Ok(())
            })
            .await
    }

    /// Finds out whose session a cookie is. Absent: nobody's, or one that has ended.
    pub async fn visitor(
        &self,
        cookie: &Secret,
        request: RequestId,
        address: Option<String>,
    ) -> Result<Option<Visitor>, Failure> {
        let Some((organisation, secret)) = taken_apart(cookie) else {
            return Ok(None);
        };
        let hash = sha256(secret);
        let tenant = self.store().tenant(organisation);
        let found = tenant
            .read::<_, rollcall_store::Error, _>(move |reader| {
                let Some(session) = reader.session(&hash)? else {
                    return Ok(None);
                };
                let administrator = reader
                    .administrators()?
                    .into_iter()
                    .find(|one| one.id == session.administrator);
                let organisation = reader.organisation()?;
                Ok(administrator.map(|administrator| (session, administrator, organisation)))
            })
            .await;
        let (mut session, administrator, organisation) = match found {
            Ok(Some(found)) => found,
            // an organisation that was deleted has no sessions
            Ok(None) | Err(rollcall_store::Error::Missing) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let now = self.now();
        if !session.lasts(now, idle(&organisation)) {
            return Ok(None);
        }
        if !is_within(SEEN_EVERY, session.seen, now) {
            session.seen = now;
            let seen = session.clone();
            tenant
                .quiet()
                .write::<_, Failure, _>(move |writer| {
                    // whoever signed out meanwhile stays signed out
                    if writer.session(&hash)?.is_some() {
                        writer.save_session(&seen, &hash, now)?;
                    }
                    Ok(())
                })
                .await?;
        }
        Ok(Some(Visitor {
            organisation: Arc::new(organisation),
            administrator,
            session,
            tenant,
            request,
            address,
        }))
    }

    /// Asks for the second factor of a sign-in that waits for it; the session becomes a full one, under a new secret. Returns, besides,
    /// how many recovery codes are left when one was used.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] when the code is wrong or was used before; [`Failure::TooMany`] for who guesses.
    pub async fn second_step(
        &self,
        visitor: &Visitor,
        code: &str,
        knock: &Knock,
    ) -> Result<(Proof, Option<u64>), Failure> {
        use second_factor::CodeVerdict;
        if visitor.session.stage != Stage::SecondFactor {
            return Err(second_factor::wrong());
        }
        let now = self.now();
        // whoever got this far knows the password: guesses at the code count apart
        let account = format!("code {}", visitor.administrator.id);
        let against = self.against(&account, knock);
        self.patience(&against)?;
        let (app, code) = (self.clone(), code.to_owned());
        let (organisation, id) = (visitor.organisation.id, visitor.administrator.id);
        let verdict = visitor
            .tenant
            .write::<_, Failure, _>(move |writer| {
                app.use_code(writer, organisation, id, &code, now)
            })
            .await?;
        let left = match verdict {
            CodeVerdict::Right => None,
            CodeVerdict::RightRecovery { left } => Some(left),
            CodeVerdict::UsedBefore => {
                return Err(Failure::Forbidden {
                    reason: "this code was used already: wait for the next one, at most 30 seconds"
                        .to_owned(),
                });
            }
            CodeVerdict::Wrong => {
                self.attempts.failed(&against, now);
                self.note_refusal(organisation, id, knock).await?;
                return Err(second_factor::wrong());
            }
        };
        self.attempts.succeeded(&against);
        let origin = visitor.origin();
        let proof = self
            .promote(visitor, move |writer| {
                let how = if left.is_some() {
                    "recovery code"
                } else {
                    "code"
                };
                signed_in(writer, id, now, origin, how)
            })
            .await?;
        Ok((proof, left))
    }

    /// Asks a signed-in administrator for the password once more; the session is renewed under a new secret.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] when it is wrong; [`Failure::TooMany`] for who guesses.
    pub async fn prove(
        &self,
        visitor: &Visitor,
        password: Secret,
        knock: &Knock,
    ) -> Result<Proof, Failure> {
        let now = self.now();
        let against = self.against(&visitor.administrator.email.key(), knock);
        self.patience(&against)?;
        let id = visitor.administrator.id;
        let hash = visitor
            .tenant
            .read::<_, Failure, _>(move |reader| Ok(reader.password_hash(id)?))
            .await?;
        if !self.passwords.verify(password, hash).await? {
            self.attempts.failed(&against, now);
            return Err(Failure::Forbidden {
                reason: "this is not your password".to_owned(),
            });
        }
        self.attempts.succeeded(&against);
        self.promote(visitor, |_| Ok(())).await
    }

    fn patience(&self, against: &[Against]) -> Result<(), Failure> {
        match self.attempts.wait(against, self.now()) {
            Some(wait) => Err(Failure::TooMany {
                seconds: u64::try_from(wait.as_secs() + 1).unwrap_or(1),
            }),
            None => Ok(()),
        }
    }

    /// Against whom a failed attempt of this account counts.
    fn against(&self, account: &str, knock: &Knock) -> Vec<Against> {
        let known = knock.device.as_deref().filter(|device| {
            device.split_once('.').is_some_and(|(random, mark)| {
                let expected = self.device_mark(account, random);
                mark.as_bytes().ct_eq(expected.as_bytes()).into()
            })
        });
        match known {
            Some(device) => vec![Against::From(account.to_owned(), device.to_owned())],
            None => vec![
                Against::From(account.to_owned(), knock.network.clone()),
                Against::Anywhere(account.to_owned()),
                Against::Network(knock.network.clone()),
            ],
        }
    }

    fn device_mark(&self, account: &str, random: &str) -> String {
        let label = format!("device {random} {account}");
        URL_SAFE_NO_PAD.encode(self.sealer().mark(label.as_bytes()))
    }

    /// Begins a session for an administrator whose first factor was right.
    pub(crate) async fn begin(
        &self,
        organisation: &Organisation,
        id: AdminId,
        knock: &Knock,
    ) -> Result<Proof, Failure> {
        let now = self.now();
        let secret = self.random_secret();
        let hash = sha256(secret.expose());
        let wants_second = organisation.rules.second_factor;
        let origin = Origin {
            actor: Actor::Administrator { id },
            request: knock.request,
            address: knock.address.clone(),
        };
        let mut session = Session {
            id: SessionId::new(now, &**self.randomness()),
            administrator: id,
            stage: Stage::Full,
            created: now,
            seen: now,
            proven: now,
            address: knock.address.clone(),
            agent: knock
                .agent
                .as_ref()
                .map(|agent| agent.chars().take(AGENT_KEPT).collect()),
        };
        let (email, stage) = self
            .store()
            .tenant(organisation.id)
            .write::<_, Failure, _>(move |writer| {
                let administrator = there(writer, id)?;
                session.stage = if writer.second_factor(id)?.is_some() {
                    Stage::SecondFactor
                } else if wants_second {
                    Stage::Enrolment
                } else {
                    Stage::Full
                };
                writer.save_session(&session, &hash, now)?;
                if session.stage == Stage::Full {
                    signed_in(writer, id, now, origin, "password")?;
                }
                Ok((administrator.email, session.stage))
            })
            .await?;
        Ok(self.proof(organisation.id, &email, &secret, stage))
    }

    /// Makes a session a full one, newly proven, under a new secret; `and` is done in the same transaction.
    async fn promote(
        &self,
        visitor: &Visitor,
        and: impl FnOnce(&mut dyn Writer) -> Result<(), Failure> + Send + 'static,
    ) -> Result<Proof, Failure> {
        let now = self.now();
        let secret = self.random_secret();
        let hash = sha256(secret.expose());
        let old = visitor.session.clone();
        let fresh = Session {
            id: SessionId::new(now, &**self.randomness()),
            stage: Stage::Full,
            seen: now,
            proven: now,
            created: match old.stage {
                Stage::Full => old.created,
                Stage::SecondFactor | Stage::Enrolment => now,
            },
            ..old.clone()
        };
        visitor
            .tenant
            .write::<_, Failure, _>(move |writer| {
                if !writer.end_session(old.administrator, old.id)? {
                    return Err(Failure::Unauthenticated {
                        reason: "you were signed out meanwhile",
                    });
                }
                writer.save_session(&fresh, &hash, now)?;
                and(writer)
            })
            .await?;
        let email = &visitor.administrator.email;
        Ok(self.proof(visitor.organisation.id, email, &secret, Stage::Full))
    }

    fn proof(&self, organisation: OrgId, email: &Email, secret: &Secret, stage: Stage) -> Proof {
        let mut random = [0; 16];
        self.randomness().fill(&mut random);
        let random = URL_SAFE_NO_PAD.encode(random);
        let mark = self.device_mark(&email.key(), &random);
        Proof {
            cookie: Secret::new(format!("{organisation}.{}", secret.expose())),
            stage,
            device: format!("{random}.{mark}"),
        }
    }

    /// Makes a secret of 256 random bits.
    pub(crate) fn random_secret(&self) -> Secret {
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        self.randomness().fill(&mut *bytes);
        Secret::new(URL_SAFE_NO_PAD.encode(*bytes))
    }

    async fn note_refusal(
        &self,
        organisation: OrgId,
        id: AdminId,
        knock: &Knock,
    ) -> Result<(), Failure> {
        let now = self.now();
        let origin = Origin {
            actor: Actor::System,
            request: knock.request,
            address: knock.address.clone(),
        };
        self.store()
            .tenant(organisation)
            .write::<_, Failure, _>(move |writer| {
                let entry = NewAudit {
                    origin,
                    action: "administrator.refused",
                    object: id.to_string(),
                    detail: json!({}),
                };
                writer.append_audit(now, &entry)?;
                Ok(())
            })
            .await
    }
}

/// Says that nobody comes in: the password is wrong, unless it may be right where nobody could look.
fn refused(unavailable: Option<Failure>) -> Failure {
    unavailable.unwrap_or(Failure::Unauthenticated {
        reason: "address and password do not fit together",
    })
}

/// How long a signed-in session of an organisation may rest.
fn idle(organisation: &Organisation) -> SignedDuration {
    SignedDuration::from_mins(i64::from(organisation.rules.idle_minutes))
}

/// Returns an administrator who has to be there.
pub(crate) fn there<R: Reader + ?Sized>(reader: &R, id: AdminId) -> Result<Administrator, Failure> {
    reader
        .administrators()?
        .into_iter()
        .find(|administrator| administrator.id == id)
        .ok_or_else(|| Failure::Missing {
            noun: "administrator",
            id: id.to_string(),
        })
}

fn signed_in(
    writer: &mut dyn Writer,
    id: AdminId,
    now: jiff::Timestamp,
    origin: Origin,
    how: &str,
) -> Result<(), Failure> {
    let mut administrator = there(writer, id)?;
    administrator.signed_in = Some(now);
    writer.save_administrator(&administrator)?;
    let entry = NewAudit {
        origin,
        action: "administrator.signed_in",
        object: id.to_string(),
        detail: json!({ "with": how }),
    };
    writer.append_audit(now, &entry)?;
    Ok(())
}

/// Takes a cookie or a link apart: the organisation, and the secret in it.
pub(crate) fn taken_apart(text: &Secret) -> Option<(OrgId, &str)> {
    let (organisation, secret) = text.expose().split_once('.')?;
    Some((organisation.parse().ok()?, secret))
}

pub(crate) fn sha256(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests;
