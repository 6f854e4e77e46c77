//! Mail that waits to be sent: put into the queue in the transaction of what it tells of, taken out when it was sent.
//!
//! A letter may hold a link that signs in, so the queue holds it sealed.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rollcall_model::clock::SKEW;
use rollcall_model::letter::Content;
use rollcall_model::provisioning::{Quarantine, QuarantineReason};
use rollcall_model::{
    Actor, Administrator, Application, ApplicationId, KeyRecord, Letter, OrgId, Origin, Permission,
    Role, Secret, Webhook,
};
use rollcall_store::{Reader, WaitingMail, Writer};

use crate::invitations::is_to_be_sent;
use crate::{App, Failure};

/// After so many attempts a letter is given up.
const ATTEMPTS: u32 = 12;
/// The first pause after a failure; it doubles each time.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// The longest pause.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(6);

/// So long before a token or an API key ends that is announced, and then once more.
pub(crate) const BEFORE: [SignedDuration; 2] = [
    SignedDuration::from_hours(14 * 24),
    SignedDuration::from_hours(3 * 24),
];

/// A letter that is due.
#[derive(Debug)]
pub struct Due {
    /// The organisation in whose queue it is.
    pub organisation: OrgId,
    /// The letter.
    pub letter: Letter,
    mail: WaitingMail,
}

impl App {
    /// Puts letters into the queue, in the transaction of what they tell of. Without a way to send mail nothing is kept.
    pub(crate) fn post(
        &self,
        writer: &mut dyn Writer,
        now: Timestamp,
        letters: &[Letter],
    ) -> Result<(), Failure> {
        if !self.settings().sends_mail {
            return Ok(());
        }
        let organisation = writer.organisation()?.id;
        let randomness = &**self.randomness();
        let key = (self.sealer()).sealing_key(writer, organisation, now, randomness)?;
        for letter in letters {
            let text = serde_json::to_string(letter)
                .map_err(|error| Failure::Internal(Box::new(error)))?;
            let text = Secret::new(text);
            writer.queue_mail(now, &|sequence| {
                key.seal(&place(organisation, sequence), &text, randomness)
            })?;
        }
        self.letters.notify_one();
        Ok(())
    }

    /// Waits until this process has put a letter into the queue. The transaction that holds it may still be on its way.
    pub async fn letter_posted(&self) {
        self.letters.notified().await;
    }

    /// Writes to one person of the organisation.
    pub(crate) fn post_to(
        &self,
        writer: &mut dyn Writer,
        now: Timestamp,
        to: &rollcall_model::Email,
        content: Content,
    ) -> Result<(), Failure> {
        let letter = Letter {
            to: to.clone(),
            organisation: writer.organisation()?.name,
            content,
        };
        self.post(writer, now, &[letter])
    }

    /// Puts a letter to whoever an application names into the queue: provisioning has stopped.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub fn post_quarantine(
        &self,
        writer: &mut dyn Writer,
        now: Timestamp,
        application: &Application,
        quarantine: &Quarantine,
    ) -> Result<(), Failure> {
        let Some(to) = application.notified() else {
            return Ok(());
        };
        let url = self.application_page(application.id);
        let (application, message) = (application.name.clone(), quarantine.message.clone());
        let content = if quarantine.reason == QuarantineReason::TooManyDeletes {
            Content::Held {
                application,
                message,
                url,
            }
        } else {
            Content::Quarantine {
                application,
                message,
                next_attempt: quarantine.next_attempt,
                url,
            }
        };
        let letter = Letter {
            to: to.clone(),
            organisation: writer.organisation()?.name,
            content,
        };
        self.post(writer, now, &[letter])
    }

    /// Writes to whoever may change provisioning that an endpoint is told nothing any more.
    pub(crate) fn post_webhook_paused(
        &self,
        writer: &mut dyn Writer,
        now: Timestamp,
        webhook: &Webhook,
        message: &str,
    ) -> Result<(), Failure> {
        let content = Content::WebhookPaused {
            webhook: webhook.name.clone(),
            place: webhook.place(),
            message: message.to_owned(),
            url: format!(
                "{}/settings/webhooks?id={}",
                self.settings().public_url,
                webhook.id
            ),
        };
        let name = writer.organisation()?.name;
        let letters = to_managers(&writer.administrators()?, &name, &content);
        self.post(writer, now, &letters)
    }

    /// Returns how many letters wait, due or not, in all organisations.
    pub async fn waiting_letters(&self) -> Result<u64, Failure> {
        let mut many = 0;
        for organisation in self.organisations().await? {
            let tenant = self.store().tenant(organisation.id);
            let waiting = tenant.read::<_, Failure, _>(|reader| Ok(reader.waiting_mail()?));
            many += waiting.await?;
        }
        Ok(many)
    }

    /// Returns letters that are due, from all organisations, a few of each. Those of an organisation that cannot be asked wait for the next
    /// time, and for them nobody else's do.
    pub async fn due_letters(&self) -> Result<Vec<Due>, Failure> {
        let mut due = Vec::new();
        for organisation in self.organisations().await? {
            let id = organisation.id;
            match self.due_letters_of(id).await {
                Ok(letters) => due.extend(letters),
                Err(failure) => {
                    tracing::warn!(organisation = %id, %failure, "the mail that waits could not be read");
                }
            }
        }
        Ok(due)
    }

    async fn due_letters_of(&self, id: OrgId) -> Result<Vec<Due>, Failure> {
        const EACH: u64 = 50;
        let now = self.now();
        let beyond = LONGEST_PAUSE.saturating_add(SKEW);
        let beyond = now.saturating_add(beyond).unwrap_or(Timestamp::MAX);
        let app = self.clone();
        let unit = move |reader: &dyn Reader| {
            let letters = reader.due_mail(now, beyond, EACH)?.into_iter().map(|mail| {
                let place = place(id, mail.sequence);
                let opened = app.sealer().open(reader, id, &place, &mail.sealed).ok();
                let letter = opened.and_then(|text| serde_json::from_str(text.expose()).ok());
                // asked again at the last moment: who was switched off or moved to another address meanwhile is not written to
                let is_to_be_sent = match &letter {
                    Some(letter) => is_to_be_sent(reader, letter, now)?,
                    None => false,
                };
                Ok((mail, letter, is_to_be_sent))
            });
            letters.collect::<Result<Vec<_>, Failure>>()
        };
        let mut due = Vec::new();
        for (mail, letter, is_to_be_sent) in self.store().tenant(id).read(unit).await? {
            let was_sent = self.sent_letters().contains(&(id, mail.sequence));
            match letter {
                Some(letter) if is_to_be_sent && !was_sent => {
                    due.push(Due {
                        organisation: id,
                        letter,
                        mail,
                    });
                    continue;
                }
                Some(_) => {}
                None => {
                    tracing::error!(organisation = %id, "a letter cannot be opened, and is given up: the key file was replaced");
                }
            }
            // one that stays is looked at again the next time
            if let Err(failure) = self.forget_letter(id, mail.sequence).await {
                tracing::warn!(organisation = %id, %failure, "a letter could not be taken out of the queue");
            }
        }
        Ok(due)
    }

    /// Returns the letters that wait in an organisation, due or not, as far as they can be opened.
    pub(crate) fn letters_waiting(
        &self,
        reader: &dyn Reader,
        organisation: OrgId,
    ) -> Result<Vec<(WaitingMail, Letter)>, Failure> {
        let waiting = reader.due_mail(Timestamp::MAX, Timestamp::MAX, u64::MAX)?;
        let letters = waiting.into_iter().filter_map(|mail| {
            let place = place(organisation, mail.sequence);
            let text = (self.sealer()).open(reader, organisation, &place, &mail.sealed);
            let text = text.ok()?;
            let letter = serde_json::from_str(text.expose()).ok()?;
            Some((mail, letter))
        });
        Ok(letters.collect())
    }

    /// Takes a letter that was sent out of the queue. One that cannot be taken out now is remembered, so that it is not sent again.
    pub async fn letter_sent(&self, due: Due) -> Result<(), Failure> {
        self.sent_letters()
            .insert((due.organisation, due.mail.sequence));
        self.forget_letter(due.organisation, due.mail.sequence)
            .await
    }

    /// Puts a letter that could not be sent off, longer each time; in the end it is given up. Tells whether it was.
    pub async fn letter_failed(&self, due: Due) -> Result<bool, Failure> {
        let attempts = due.mail.attempts + 1;
        if attempts >= ATTEMPTS {
            self.forget_letter(due.organisation, due.mail.sequence)
                .await?;
            return Ok(true);
        }
        let pause = FIRST_PAUSE * 2_i32.saturating_pow(attempts.saturating_sub(1).min(16));
        let again = self
            .now()
            .saturating_add(pause.min(LONGEST_PAUSE))
            .unwrap_or(Timestamp::MAX);
        let sequence = due.mail.sequence;
        self.store()
            .tenant(due.organisation)
            .quiet()
            .write::<_, Failure, _>(move |writer| Ok(writer.defer_mail(sequence, again)?))
            .await?;
        Ok(false)
    }

    async fn forget_letter(&self, organisation: OrgId, sequence: u64) -> Result<(), Failure> {
        self.store()
            .tenant(organisation)
            .quiet()
            .write::<_, Failure, _>(move |writer| Ok(writer.remove_mail(sequence)?))
            .await?;
        self.sent_letters().remove(&(organisation, sequence));
        Ok(())
    }

    fn sent_letters(&self) -> MutexGuard<'_, BTreeSet<(OrgId, u64)>> {
        (self.sent_letters.lock()).unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces tokens that end soon to those who can reset them: two weeks before, and once more three days before. Called now and
    /// then; whom it has told it does not tell again. An organisation where that cannot be done now is told the next time.
    pub async fn announce_expiring_tokens(&self) -> Result<(), Failure> {
        let now = self.now();
        for organisation in self.organisations().await? {
            let app = self.clone();
            let (origin, name) = (self.command_origin(), organisation.name);
            let announced = self
                .store()
                .tenant(organisation.id)
                .quiet()
                .write(move |writer| app.announce_ends_of_tokens(writer, now, &name, &origin))
                .await;
            if let Err(failure) = announced {
                tracing::warn!(organisation = %organisation.id, %failure, "expiring tokens could not be looked for");
            }
        }
        Ok(())
    }

    fn announce_ends_of_tokens(
        &self,
        writer: &mut dyn Writer,
        now: Timestamp,
        name: &str,
        origin: &Origin,
    ) -> Result<(), Failure> {
        let integrations = writer.integrations()?;
        let administrators = writer.administrators()?;
        for token in writer.tokens()? {
            let Some(at) = token.expires.filter(|at| *at > now) else {
                continue;
            };
            let left = at.duration_since(now);
            let Some(stage) = BEFORE.iter().filter(|before| left <= **before).min() else {
                continue;
            };
            // a successor that lives longer makes it no news
            let has_successor = writer.tokens()?.iter().any(|other| {
                other.integration == token.integration && other.expires.is_none_or(|end| end > at)
            });
            let told = format!("{} {}", token.id, stage.as_hours());
            let query = rollcall_store::AuditQuery {
                action: Some("token.expiry_announced".to_owned()),
                object: Some(told.clone()),
                ..Default::default()
            };
            let kind = integrations
                .iter()
                .find(|integration| integration.id == token.integration);
            let (Some(kind), false, true) = (
                kind.map(|integration| integration.kind),
                has_successor,
                writer.audit_where(&query, 1)?.is_empty(),
            ) else {
                continue;
            };
            let url = self.integration_page(kind);
            let content = Content::TokenExpires { kind, at, url };
            let letters = to_managers(&administrators, name, &content);
            self.post(writer, now, &letters)?;
            let entry = rollcall_store::NewAudit {
                origin: Origin {
                    actor: Actor::System,
                    ..origin.clone()
                },
                action: "token.expiry_announced",
                object: told,
                detail: serde_json::json!({"expires": at}),
            };
            writer.append_audit(now, &entry)?;
        }
        Ok(())
    }

    /// Returns the address of the console's page of an integration.
    pub(crate) fn integration_page(&self, kind: rollcall_model::IntegrationKind) -> String {
        format!(
            "{}/settings/integrations/{}",
            self.settings().public_url,
            kind.word()
        )
    }

    /// Returns the address of the console's page of an application.
    pub(crate) fn application_page(&self, id: ApplicationId) -> String {
        format!("{}/applications/{id}", self.settings().public_url)
    }

    /// Writes to the owners of the organisation.
    pub(crate) fn post_to_owners(
        &self,
        writer: &mut dyn Writer,
        now: Timestamp,
        content: &Content,
    ) -> Result<(), Failure> {
        let organisation = writer.organisation()?.name;
        let owners = writer.administrators()?.into_iter();
        let letters: Vec<Letter> = owners
            .filter(|one| one.role == Role::Owner)
            .map(|one| Letter {
                to: one.email,
                organisation: organisation.clone(),
                content: content.clone(),
            })
            .collect();
        self.post(writer, now, &letters)
    }

    /// Writes to whoever manages administrators that an API key was made.
    pub(crate) fn post_key_made(
        &self,
        writer: &mut dyn Writer,
        now: Timestamp,
        key: &KeyRecord,
    ) -> Result<(), Failure> {
        let content = Content::KeyMade {
            name: key.name.as_str().to_owned(),
            role: key.role,
            by: called(writer, &key.created_by)?,
            url: format!("{}/settings/security", self.settings().public_url),
        };
        self.post_to_owners(writer, now, &content)
    }

    /// Writes to whoever may change provisioning that a token was made.
    pub(crate) fn post_token_made(
        &self,
        writer: &mut dyn Writer,
        now: Timestamp,
        kind: rollcall_model::IntegrationKind,
        by: &Actor,
    ) -> Result<(), Failure> {
        let content = Content::TokenMade {
            kind,
            by: called(writer, by)?,
            url: self.integration_page(kind),
        };
        let name = writer.organisation()?.name;
        let letters = to_managers(&writer.administrators()?, &name, &content);
        self.post(writer, now, &letters)
    }

    /// Writes to whoever may change provisioning that people go to an application with another credential, or to another address.
    pub(crate) fn post_credential_changed(
        &self,
        writer: &mut dyn Writer,
        now: Timestamp,
        application: &Application,
        by: &Actor,
    ) -> Result<(), Failure> {
        let Some(target) = &application.target else {
            return Ok(());
        };
        let content = Content::CredentialChanged {
            application: application.name.clone(),
            tenant_url: target.tenant_url.clone(),
            by: called(writer, by)?,
            url: self.application_page(application.id),
        };
        let name = writer.organisation()?.name;
        let letters = to_managers(&writer.administrators()?, &name, &content);
        self.post(writer, now, &letters)
    }
}

/// Addresses a letter to everybody who may change provisioning.
fn to_managers(
    administrators: &[Administrator],
    organisation: &str,
    content: &Content,
) -> Vec<Letter> {
    administrators
        .iter()
        .filter(|one| one.role.may(Permission::ManageProvisioning))
        .map(|one| Letter {
            to: one.email.clone(),
            organisation: organisation.to_owned(),
            content: content.clone(),
        })
        .collect()
}

/// Returns how a letter calls whoever acted.
pub(crate) fn called<R: Reader + ?Sized>(reader: &R, actor: &Actor) -> Result<String, Failure> {
    Ok(match actor {
        Actor::Administrator { id } => reader
            .administrators()?
            .iter()
            .find(|one| one.id == *id)
            .map_or_else(
                || "an administrator".to_owned(),
                |one| one.title().to_owned(),
            ),
        Actor::Command => "a command on the server".to_owned(),
        Actor::Integration { .. } => "a directory".to_owned(),
        Actor::System => "Rollcall".to_owned(),
        Actor::Key { id } => reader
            .api_keys()?
            .iter()
            .find(|key| key.id == *id)
            .map_or_else(
                || "an API key".to_owned(),
                |key| format!("the API key `{}`", key.name),
            ),
    })
}

/// Where a letter waits.
fn place(organisation: OrgId, sequence: u64) -> String {
    format!("mail.sealed {organisation} {sequence}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Installation;

    async fn post(app: &App, organisation: OrgId, to: &str) {
        let (app, now, to) = (app.clone(), app.now(), to.parse().unwrap());
        let content = Content::KeyMade {
            name: "nightly".to_owned(),
            role: rollcall_model::KeyRole::Read,
            by: "Ann".to_owned(),
            url: String::new(),
        };
        let tenant = app.store().tenant(organisation);
        let posted = tenant.write(move |writer| app.post_to(writer, now, &to, content));
        posted.await.unwrap();
    }

    fn addressees(due: &[Due]) -> Vec<String> {
        due.iter().map(|due| due.letter.to.to_string()).collect()
    }

    #[tokio::test]
    async fn the_mail_of_an_organisation_does_not_wait_for_one_that_has_too_much_to_do() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let busy = installation.another().await.id;
        post(app, busy, "bob@example.com").await;
        post(app, installation.organisation.id, "ann@example.com").await;

        let due = installation.while_busy(busy, app.due_letters()).await;

        assert_eq!(addressees(&due.unwrap()), ["ann@example.com"]);
        let due = app.due_letters().await.unwrap();
        assert_eq!(addressees(&due), ["bob@example.com", "ann@example.com"]);
    }

    #[tokio::test]
    async fn a_letter_that_was_sent_is_not_sent_again_when_it_cannot_be_taken_out_of_the_queue() {
        let installation = Installation::new().await;
        let (app, organisation) = (&installation.app, installation.organisation.id);
        post(app, organisation, "ann@example.com").await;
        let due = app.due_letters().await.unwrap().remove(0);

        let noted = installation
            .while_full(organisation, app.letter_sent(due))
            .await;

        assert!(noted.unwrap_err().is_busy());
        assert_eq!(addressees(&app.due_letters().await.unwrap()), [""; 0]);
        assert_eq!(app.waiting_letters().await.unwrap(), 0);
    }
}
