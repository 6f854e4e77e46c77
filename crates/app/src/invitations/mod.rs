//! Invitations: how people whom a directory created become active.
//!
//! A person chooses a password in their browser, which makes two keys of it: one that never leaves the browser and wraps the key of the
//! vault, and one that is sent, by which the person is recognised. Here only the second arrives, and only its hash is kept.
//!
//! [`follow`] is called with every change of a person, whatever made it: who is switched off or deleted, or has another address, cannot
//! use a link any more from that transaction on.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rollcall_model::activation::{
    Activation, DERIVATION, Invitation, LINK_LIFETIME, NotInvited, ROUNDS, Standing, Vault,
};
use rollcall_model::letter::Content;
use rollcall_model::{
    Action, Actor, Email, IntegrationId, Kind, Letter, Organisation, Origin, ResourceId, Secret,
};
use rollcall_scim::resource::Resource;
use rollcall_store::{Entry, NewAudit, Reader, Writer};
use serde_json::{Value, json};

use crate::administrators::{Handed, is_good};
use crate::directory::rules::Event;
use crate::directory::{Context, first_email, missing};
use crate::post::called;
use crate::sign_in::{Knock, sha256, taken_apart};
use crate::{App, Failure};

/// So many are invited in one go, and so far people are counted who could be.
pub const MANY: u64 = 10_000;
/// So many are invited in one transaction.
const TOGETHER: u64 = 500;
/// The bytes of a salt, of the key that a browser sends, and of a wrapped key with its nonce and tag.
const BYTES: (usize, usize, usize) = (16, 32, 12 + 32 + 16);

const GONE: Failure = Failure::Unauthenticated {
    reason: "this link was used already, is too old, or was replaced: ask an administrator for a new one",
};

/// What the page on which somebody activates has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The organisation.
    pub organisation: String,
    /// The userName of the account.
    pub user_name: String,
    /// The salt of the password: base64url.
    pub salt: String,
    /// The rounds of PBKDF2.
    pub rounds: u32,
}

/// What a browser made of a password. The password is not in it.
#[derive(Debug)]
pub struct Made {
    /// The salt that was used.
    pub salt: String,
    /// The key by which the person is recognised: 32 bytes, base64url.
    pub key: Secret,
    /// The wrapped key of the vault: base64url.
    pub wrapped_key: String,
}

/// What came of inviting everybody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Invited {
    /// How many were invited.
    pub invited: u64,
    /// How many were not: there is no address, or too many invitations went to it lately.
    pub passed_over: u64,
    /// Whether there are more, for another go.
    pub more: bool,
}

impl App {
    /// Switches on or off that people whom a directory creates are invited by mail. Nobody who is there already is.
    pub async fn set_invitations(&self, context: &Context, on: bool) -> Result<(), Failure> {
        let now = self.now();
        let origin = context.origin().clone();
        context
            .tenant()
            .write(move |writer| {
                let mut organisation = writer.organisation()?;
                if organisation.sends_invitations == on {
                    return Ok(());
                }
                let change = json!({"path": "sends_invitations", "old": !on, "new": on});
                organisation.sends_invitations = on;
                writer.save_organisation(&organisation)?;
                let entry = NewAudit {
                    origin,
                    action: "organisation.changed",
                    object: organisation.id.to_string(),
                    detail: json!({"changes": [change]}),
                };
                writer.append_audit(now, &entry)?;
                Ok(())
            })
            .await
    }

    /// Sends a person an invitation; a link that was sent before is no longer good.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Forbidden`] when the account is switched off, active already, or has no address, or when there is
    /// no way to send mail; [`Failure::TooMany`].
    pub async fn send_invitation(&self, context: &Context, id: ResourceId) -> Result<(), Failure> {
        if !self.settings().sends_mail {
            return Err(forbidden(
                "there is no way to send mail: copy a link instead",
            ));
        }
        self.invite(context, id, false).await?;
        Ok(())
    }

    /// Returns a link to be handed over by other means than mail, where there is none. Else as [`Self::send_invitation`].
    ///
    /// # Errors
    /// As [`Self::send_invitation`]; [`Failure::Forbidden`] when there is a way to send mail.
    pub async fn hand_invitation(
        &self,
        context: &Context,
        id: ResourceId,
    ) -> Result<Handed, Failure> {
        if self.settings().sends_mail {
            return Err(forbidden(
                "invitations are sent by mail: nobody else sees a link",
            ));
        }
        self.invite(context, id, false).await
    }

    /// Takes an active person's vault away, for good, and invites the person again: by mail, or with a link that is returned where there
    /// is no way to send mail.
    ///
    /// # Errors
    /// As [`Self::send_invitation`]; [`Failure::Forbidden`] when the person is not active.
    pub async fn reset_activation(
        &self,
        context: &Context,
        id: ResourceId,
    ) -> Result<Handed, Failure> {
        self.invite(context, id, true).await
    }

    /// Vouches for the address on record of an account that was activated under another one: from now on invitations may go there.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Precondition`] when `address` is not the one on record any more.
    pub async fn confirm_address(
        &self,
        context: &Context,
        id: ResourceId,
        address: &Email,
    ) -> Result<(), Failure> {
        let (now, confirmed) = (self.now(), address.clone());
        let origin = context.origin().clone();
        context
            .tenant()
            .write(move |writer| {
                let entry = writer.entry(Kind::User, id)?;
                let entry = entry.ok_or_else(|| missing(Kind::User, id))?;
                if self::address(&entry.resource).as_ref() != Some(&confirmed) {
                    return Err(Failure::Precondition);
                }
                let mut activation = activation(writer, id, now)?;
                if activation.is_open_to(&confirmed) {
                    return Ok(());
                }
                activation.confirm(confirmed);
                writer.save_activation(&activation)?;
                note(writer, now, &origin, "user.address_confirmed", id, "")
            })
            .await
    }

    async fn invite(
        &self,
        context: &Context,
        id: ResourceId,
        reset: bool,
    ) -> Result<Handed, Failure> {
        let now = self.now();
        let (app, origin) = (self.clone(), context.origin().clone());
        context
            .tenant()
            .write(move |writer| {
                let entry = writer.entry(Kind::User, id)?;
                let entry = entry.ok_or_else(|| missing(Kind::User, id))?;
                if reset {
                    let mut activation = activation(writer, id, now)?;
                    if activation.vault.is_none() {
                        return Err(forbidden("this account is not activated yet"));
                    }
                    activation.reset(now);
                    writer.save_activation(&activation)?;
                    note(writer, now, &origin, "user.activation_reset", id, "")?;
                }
                app.invite_in(writer, &origin, now, &entry)
            })
            .await
    }

    /// Invites a person, in the transaction of whatever else is done to them.
    fn invite_in(
        &self,
        writer: &mut dyn Writer,
        origin: &Origin,
        now: Timestamp,
        entry: &Entry,
    ) -> Result<Handed, Failure> {
        if !entry.resource.is_active() {
            return Err(forbidden("this account is disabled: enable it first"));
        }
        let address = address(&entry.resource).ok_or_else(|| {
            forbidden("this account has no e-mail address to which an invitation could go")
        })?;
        let secret = self.random_secret();
        let mut salt = [0; BYTES.0];
        self.randomness().fill(&mut salt);
        let expires = now.saturating_add(LINK_LIFETIME).unwrap_or(Timestamp::MAX);
        let link = Invitation {
            digest: sha256(secret.expose()),
            expires,
            address: address.clone(),
            salt: URL_SAFE_NO_PAD.encode(salt),
        };
        let mut activation = activation(writer, entry.id, now)?;
        activation
            .invite(link, now)
            .map_err(|refused| match refused {
                NotInvited::TooMany { next } => Failure::TooMany {
                    seconds: next.duration_since(now).as_secs().unsigned_abs().max(1),
                },
                NotInvited::Activated => {
                    forbidden(&format!("{refused}: reset it when the password is lost"))
                }
                NotInvited::Unconfirmed => forbidden(&format!(
                    "{refused}: ask its owner whether the new one is theirs, then confirm it on this person's page"
                )),
            })?;
        writer.save_activation(&activation)?;
        let organisation = writer.organisation()?;
        // in the query, for paths are logged
        let url = format!(
            "{}/activate?token={}.{}",
            self.settings().public_url,
            organisation.id,
            secret.expose()
        );
        if !self.settings().sends_mail {
            let how = "the link was shown, to be handed over";
            note(writer, now, origin, "user.invited", entry.id, how)?;
            return Ok(Handed::Link(Secret::new(url)));
        }
        note(writer, now, origin, "user.invited", entry.id, "")?;
        let letter = Letter {
            to: address,
            organisation: organisation.name,
            content: Content::Activation {
                user_name: entry.resource.user_name().unwrap_or_default().to_owned(),
                url,
                until: expires,
            },
        };
        self.post(writer, now, &[letter])?;
        Ok(Handed::Nothing)
    }

    /// Counts the people whom a directory manages, who are not active yet and hold no invitation that still works: up to [`MANY`], and
    /// one more when there are more.
    pub async fn count_uninvited(&self, context: &Context) -> Result<u64, Failure> {
        let now = self.now();
        context
            .tenant()
            .read(move |reader| {
                let mut count = 0;
                for integration in reader.integrations()? {
                    let wanted = (MANY + 1).saturating_sub(count);
                    count += reader.uninvited(integration.id, now, None, wanted)?.len() as u64;
                }
                Ok(count)
            })
            .await
    }

    /// Invites those whom [`Self::count_uninvited`] counts, up to [`MANY`].
    ///
    /// # Errors
    /// [`Failure::Forbidden`] when there is no way to send mail.
    pub async fn invite_everybody(&self, context: &Context) -> Result<Invited, Failure> {
        if !self.settings().sends_mail {
            return Err(forbidden("there is no way to send mail"));
        }
        let mut done = Invited::default();
        let integrations = context
            .tenant()
            .read::<_, Failure, _>(|reader| Ok(reader.integrations()?))
            .await?;
        for integration in integrations {
            let mut after = None;
            loop {
                if done.invited >= MANY {
                    done.more = true;
                    return Ok(done);
                }
                let (some, last) = self.invite_some(context, integration.id, after).await?;
                done.invited += some.invited;
                done.passed_over += some.passed_over;
                after = last;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(done)
    }

    /// Invites the next few of an integration's people; returns the last of them when there may be more.
    async fn invite_some(
        &self,
        context: &Context,
        integration: IntegrationId,
        after: Option<ResourceId>,
    ) -> Result<(Invited, Option<ResourceId>), Failure> {
        let now = self.now();
        let (app, origin) = (self.clone(), context.origin().clone());
        context
            .tenant()
            .write(move |writer| {
                let people = writer.uninvited(integration, now, after, TOGETHER)?;
                let mut done = Invited::default();
                for id in &people {
                    let Some(entry) = writer.entry(Kind::User, *id)? else {
                        continue;
                    };
                    match app.invite_in(writer, &origin, now, &entry) {
                        Ok(_) => done.invited += 1,
                        Err(Failure::Forbidden { .. } | Failure::TooMany { .. }) => {
                            done.passed_over += 1;
                        }
                        Err(other) => return Err(other),
                    }
                }
                let is_last = (people.len() as u64) < TOGETHER;
                Ok((done, people.last().copied().filter(|_| !is_last)))
            })
            .await
    }

    /// Returns what the page of a link has to know; absent: the link is not good any more.
    pub async fn activation_offer(&self, link: &Secret) -> Result<Option<Offer>, Failure> {
        let Some((organisation, secret)) = taken_apart(link) else {
            return Ok(None);
        };
        let (digest, now) = (sha256(secret), self.now());
        self.store()
            .tenant(organisation)
            .read(move |reader| {
                let Some(open) = opened(reader, &digest, now)? else {
                    return Ok(None);
                };
                Ok(Some(Offer {
                    organisation: reader.organisation()?.name,
                    user_name: open
                        .entry
                        .resource
                        .user_name()
                        .unwrap_or_default()
                        .to_owned(),
                    salt: open.link.salt,
                    rounds: ROUNDS,
                }))
            })
            .await
    }

    /// Uses a link up: its owner is active from now on. Returns the organisation's name.
    ///
    /// # Errors
    /// [`Failure::Unauthenticated`] when the link is not good any more; [`Failure::Forbidden`] when the browser did not make of the
    /// password what it should have.
    pub async fn activate(
        &self,
        link: &Secret,
        made: Made,
        knock: &Knock,
    ) -> Result<String, Failure> {
        let offer = self.activation_offer(link).await?.ok_or(GONE)?;
        let is_whole = made.salt == offer.salt
            && length(made.key.expose()) == Some(BYTES.1)
            && length(&made.wrapped_key) == Some(BYTES.2);
        if !is_whole {
            return Err(forbidden(
                "the browser sent something else than the keys that belong to this page: load it again",
            ));
        }
        let verifier = self.passwords.hash(made.key, &**self.randomness()).await?;
        let (organisation, secret) = taken_apart(link).ok_or(GONE)?;
        let (digest, now) = (sha256(secret), self.now());
        let vault = Vault {
            since: now,
            derivation: DERIVATION.to_owned(),
            rounds: offer.rounds,
            salt: made.salt,
            verifier,
            wrapped_key: made.wrapped_key,
        };
        let origin = Origin {
            actor: Actor::System,
            request: knock.request,
            address: knock.address.clone(),
        };
        self.store()
            .tenant(organisation)
            .write::<_, Failure, _>(move |writer| {
                // of two who use it at once only one activates
                let mut open = opened(writer, &digest, now)?.ok_or(GONE)?;
                open.activation.activate(vault);
                writer.save_activation(&open.activation)?;
                note(writer, now, &origin, "user.activated", open.entry.id, "")
            })
            .await?;
        Ok(offer.organisation)
    }
}

/// Keeps invitations in step with a change of a person, in its transaction.
pub(crate) fn follow(
    app: &App,
    writer: &mut dyn Writer,
    context: &Context,
    now: Timestamp,
    event: &Event<'_>,
) -> Result<(), Failure> {
    if event.kind != Kind::User {
        return Ok(());
    }
    let Some(entry) = event.entry else {
        if event.action == Action::Deleted {
            writer.remove_activation(event.id)?;
        }
        return Ok(());
    };
    let there = match event.action {
        Action::Created => None,
        _ => writer.activation(entry.id)?,
    };
    let address = address(&entry.resource);
    let there = match there {
        Some(there) => Some(app.follow_address(writer, context, now, (entry, &address), there)?),
        None => None,
    };
    if there.as_ref().is_some_and(|there| there.vault.is_some()) {
        return Ok(());
    }
    let is_active = entry.resource.is_active();
    let ended = there.filter(|there| {
        let link = there.link.as_ref();
        link.is_some_and(|link| !is_active || Some(&link.address) != address.as_ref())
    });
    let has_ended = ended.is_some();
    if let Some(mut ended) = ended {
        ended.link = None;
        writer.save_activation(&ended)?;
    }
    let comes_in = has_ended || matches!(event.action, Action::Created | Action::Enabled);
    let is_invited = comes_in
        && is_active
        && address.is_some()
        && context.is_directory()
        && app.settings().sends_mail
        && writer.organisation()?.sends_invitations;
    if !is_invited {
        return Ok(());
    }
    match app.invite_in(writer, context.origin(), now, entry) {
        // a directory that switches somebody off and on all day is not kept from it, nor is one that changes the address of somebody
        // who was active: it only has nobody invited there
        Ok(_) | Err(Failure::TooMany { .. } | Failure::Forbidden { .. }) => Ok(()),
        Err(other) => Err(other),
    }
}

impl App {
    /// Looks whether the address of somebody who was activated once has changed: an administrator who changes it by hand vouches for it;
    /// of any other change the owner of the address before is told.
    fn follow_address(
        &self,
        writer: &mut dyn Writer,
        context: &Context,
        now: Timestamp,
        (entry, address): (&Entry, &Option<Email>),
        mut activation: Activation,
    ) -> Result<Activation, Failure> {
        let before = activation.clone();
        let told = activation.moves(address.as_ref(), now);
        let actor = &context.origin().actor;
        if let (Actor::Administrator { .. }, Some(address), true) =
            (actor, address, activation.seen != before.seen)
        {
            activation.confirm(address.clone());
        }
        if activation != before {
            writer.save_activation(&activation)?;
        }
        if let Some(to) = told {
            let content = Content::AddressChanged {
                user_name: entry.resource.user_name().unwrap_or_default().to_owned(),
                by: called(writer, actor)?,
            };
            self.post_to(writer, now, &to, content)?;
        }
        Ok(activation)
    }
}

/// Tells how a person stands in their organisation.
pub(crate) fn standing(
    organisation: &Organisation,
    entry: &Entry,
    activation: Option<&Activation>,
) -> Standing {
    let is_expected = organisation.sends_invitations && entry.managed_by.is_some();
    Standing::of(entry.resource.is_active(), is_expected, activation)
}

/// Tells whether a letter is still to be sent: one whose link has ended is not.
pub(crate) fn is_to_be_sent<R: Reader + ?Sized>(
    reader: &R,
    letter: &Letter,
    now: Timestamp,
) -> Result<bool, Failure> {
    let digest = |url: &str| sha256(url.rsplit('.').next().unwrap_or_default());
    match &letter.content {
        Content::Activation { url, .. } => Ok(opened(reader, &digest(url), now)?.is_some()),
        Content::Invitation { url, .. } | Content::NewWayIn { url, .. } => {
            let link = reader.sign_in_link_by_digest(&digest(url))?;
            Ok(link.is_some_and(|link| is_good(&link, now)))
        }
        _ => Ok(true),
    }
}

/// A link that is good, with whose it is.
struct Open {
    activation: Activation,
    link: Invitation,
    entry: Entry,
}

fn opened<R: Reader + ?Sized>(
    reader: &R,
    digest: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Open>, Failure> {
    let Some(activation) = reader.activation_by_link(digest)? else {
        return Ok(None);
    };
    let Some(entry) = reader.entry(Kind::User, activation.person)? else {
        return Ok(None);
    };
    let address = address(&entry.resource).filter(|_| entry.resource.is_active());
    let link = activation.open_link(address.as_ref(), now).cloned();
    Ok(link.map(|link| Open {
        activation,
        link,
        entry,
    }))
}

/// Returns the address to which invitations go: the e-mail that is used first, else a userName that is an address.
pub(crate) fn address(resource: &Resource) -> Option<Email> {
    let emails = resource.as_map().get("emails").and_then(Value::as_array);
    let first = emails.and_then(|emails| emails.get(first_email(emails)?)?.get("value")?.as_str());
    let name = || resource.user_name()?.parse().ok();
    first.and_then(|first| first.parse().ok()).or_else(name)
}

fn activation(
    writer: &dyn Writer,
    person: ResourceId,
    now: Timestamp,
) -> Result<Activation, Failure> {
    let there = writer.activation(person)?;
    Ok(there.unwrap_or_else(|| Activation::new(person, now)))
}

fn note(
    writer: &mut dyn Writer,
    now: Timestamp,
    origin: &Origin,
    action: &'static str,
    person: ResourceId,
    reason: &str,
) -> Result<(), Failure> {
    let detail = if reason.is_empty() {
        json!({})
    } else {
        json!({"reason": reason})
    };
    let entry = NewAudit {
        origin: origin.clone(),
        action,
        object: person.to_string(),
        detail,
    };
    writer.append_audit(now, &entry)?;
    Ok(())
}

fn forbidden(reason: &str) -> Failure {
    Failure::Forbidden {
        reason: reason.to_owned(),
    }
}

/// Returns how many bytes a base64url text stands for.
fn length(text: &str) -> Option<usize> {
    URL_SAFE_NO_PAD.decode(text).ok().map(|bytes| bytes.len())
}

#[cfg(test)]
mod tests;
