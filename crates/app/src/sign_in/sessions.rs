//! Sessions, listed and ended; passwords, changed.

use rollcall_model::{AdminId, Secret, Session, SessionId};
use rollcall_store::NewAudit;
use serde_json::json;

use super::{Knock, Proof, Visitor, check_password};
use crate::administrators::is_good;
use crate::{App, Failure};

impl App {
    /// Ends the session of a request.
    pub async fn sign_out(&self, visitor: &Visitor) -> Result<(), Failure> {
        self.end_session(visitor, visitor.session.id).await
    }

    /// Lists an administrator's own sessions that still last, the latest first.
    pub async fn own_sessions(&self, visitor: &Visitor) -> Result<Vec<Session>, Failure> {
        let id = visitor.administrator.id;
        let (now, idle) = (self.now(), super::idle(&visitor.organisation));
        let mut sessions = visitor
            .tenant
            .read::<_, Failure, _>(move |reader| Ok(reader.sessions(id)?))
            .await?;
        sessions.retain(|session| session.lasts(now, idle));
        sessions.reverse();
        Ok(sessions)
    }

    /// Ends one of an administrator's own sessions.
    ///
    /// # Errors
    /// [`Failure::Missing`] when there is no such session.
    pub async fn end_session(&self, visitor: &Visitor, id: SessionId) -> Result<(), Failure> {
        let now = self.now();
        let administrator = visitor.administrator.id;
        let origin = visitor.origin();
        visitor
            .tenant
            .write::<_, Failure, _>(move |writer| {
                if !writer.end_session(administrator, id)? {
                    return Err(Failure::Missing {
                        noun: "session",
                        id: id.to_string(),
                    });
                }
                let entry = NewAudit {
                    origin,
                    action: "session.ended",
                    object: id.to_string(),
                    detail: json!({}),
                };
                writer.append_audit(now, &entry)?;
                Ok(())
            })
            .await
    }

    /// Ends all of an administrator's own sessions but the one of the request.
    pub async fn end_other_sessions(&self, visitor: &Visitor) -> Result<(), Failure> {
        let now = self.now();
        let (administrator, kept) = (visitor.administrator.id, visitor.session.id);
        let origin = visitor.origin();
        visitor
            .tenant
            .write::<_, Failure, _>(move |writer| {
                writer.end_sessions(administrator, Some(kept))?;
                let entry = NewAudit {
                    origin,
                    action: "session.others_ended",
                    object: administrator.to_string(),
                    detail: json!({}),
                };
                writer.append_audit(now, &entry)?;
                Ok(())
            })
            .await
    }

    /// Changes an administrator's own password, and ends their other sessions.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] when the new one is not good enough.
    pub async fn change_password(
        &self,
        visitor: &Visitor,
        password: Secret,
    ) -> Result<Proof, Failure> {
        let id = visitor.administrator.id;
        let about = [
            visitor.administrator.email.as_str(),
            &visitor.organisation.name,
        ];
        check_password(&password, &about)?;
        let hash = self.passwords.hash(password, &**self.randomness()).await?;
        let now = self.now();
        let origin = visitor.origin();
        self.promote(visitor, move |writer| {
            writer.save_password_hash(id, &hash)?;
            let current = writer.sessions(id)?.into_iter().next_back();
            writer.end_sessions(id, current.map(|session| session.id))?;
            let entry = NewAudit {
                origin,
                action: "administrator.password_changed",
                object: id.to_string(),
                detail: json!({}),
            };
            writer.append_audit(now, &entry)?;
            Ok(())
        })
        .await
    }

    /// Finds out whose a one-time link is: of which organisation and administrator. Absent: nobody's any more.
    pub async fn link_owner(
        &self,
        link: &Secret,
    ) -> Result<Option<(rollcall_model::Organisation, rollcall_model::Administrator)>, Failure>
    {
        let Some((organisation, secret)) = super::taken_apart(link) else {
            return Ok(None);
        };
        let hash = super::sha256(secret);
        let now = self.now();
        let found = self
            .store()
            .tenant(organisation)
            .read::<_, rollcall_store::Error, _>(move |reader| {
                let link = reader.sign_in_link_by_digest(&hash)?;
                let Some(link) = link.filter(|link| is_good(link, now)) else {
                    return Ok(None);
                };
                let administrator = reader
                    .administrators()?
                    .into_iter()
                    .find(|one| one.id == link.administrator);
                let organisation = reader.organisation()?;
                Ok(administrator.map(|administrator| (organisation, administrator)))
            })
            .await;
        match found {
            Err(rollcall_store::Error::Missing) => Ok(None),
            found => Ok(found?),
        }
    }

    /// Uses a one-time link up: its owner chooses a password and is let in, as far as the password goes.
    ///
    /// # Errors
    /// [`Failure::Unauthenticated`] when the link is not good any more; [`Failure::Forbidden`] when the password is not good enough.
    pub async fn use_link(
        &self,
        link: &Secret,
        name: Option<String>,
        password: Secret,
        knock: &Knock,
    ) -> Result<Proof, Failure> {
        const GONE: Failure = Failure::Unauthenticated {
            reason: "this link was used already or is too old: ask for a new one",
        };
        let (organisation, administrator) = self.link_owner(link).await?.ok_or(GONE)?;
        check_password(
            &password,
            &[administrator.email.as_str(), &organisation.name],
        )?;
        let hash = self.passwords.hash(password, &**self.randomness()).await?;
        let (_, secret) = super::taken_apart(link).ok_or(GONE)?;
        let digest = super::sha256(secret);
        let now = self.now();
        let id: AdminId = administrator.id;
        let origin = rollcall_model::Origin {
            actor: rollcall_model::Actor::Administrator { id },
            request: knock.request,
            address: knock.address.clone(),
        };
        self.store()
            .tenant(organisation.id)
            .write::<_, Failure, _>(move |writer| {
                // of two who use it at once only one is let in
                let link = writer.sign_in_link_by_digest(&digest)?;
                link.filter(|link| is_good(link, now)).ok_or(GONE)?;
                let mut administrator = super::there(writer, id)?;
                if name.is_some() {
                    administrator.name = name;
                    writer.save_administrator(&administrator)?;
                }
                writer.save_password_hash(id, &hash)?;
                writer.end_sessions(id, None)?;
                let entry = NewAudit {
                    origin,
                    action: "administrator.link_used",
                    object: id.to_string(),
                    detail: json!({}),
                };
                writer.append_audit(now, &entry)?;
                Ok(())
            })
            .await?;
        self.begin(&organisation, id, knock).await
    }
}
