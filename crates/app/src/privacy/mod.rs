//! What is kept about a person: all of it as one document, and its erasure.
//!
//! **Is:** the two use cases, over one collection ([`dossier`]), so that what one shows the other erases.
//! **Is not:** a search for what others say about somebody in their own data: titles, names of groups.
//! **Start at** [`App::person_data`]; [`kept`] says of every table what is in it about people, and a test that none is forgotten.

mod dossier;
mod kept;
#[cfg(test)]
mod tests;
mod words;

use rollcall_model::link::LinkState;
use rollcall_model::{Kind, ResourceId};
use rollcall_store::{Erased, NewAudit, Reader, Writer};
use serde_json::{Value, json};

use crate::directory::{Context, missing, take_away};
use crate::{App, Failure};
pub use kept::{KEPT, Keeps};

use dossier::Dossier;
use words::Words;

/// What is written while an erasure looks for the rest is looked for again, so often at most.
const PASSES: usize = 5;

impl App {
    /// Finds a person by userName or id, also one who was deleted.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Forbidden`] when several people who were deleted had the userName.
    pub async fn person_called(
        &self,
        context: &Context,
        text: String,
    ) -> Result<ResourceId, Failure> {
        context
            .tenant()
            .read(move |reader| called(reader, &text))
            .await
    }

    /// Returns everything that is kept about a person, as one JSON document. Secrets, such as the link of an invitation, are not in it.
    ///
    /// # Errors
    /// [`Failure::Missing`] when nothing is kept.
    pub async fn person_data(&self, context: &Context, id: ResourceId) -> Result<Value, Failure> {
        let dossier = Dossier::gather(self, context, id, Words::of(id)).await?;
        if dossier.is_empty() {
            return Err(missing(Kind::User, id));
        }
        Ok(dossier.document(self.now()))
    }

    /// Erases everything that is kept about a person, who is deleted first if they are there. What stays are entries of the audit log and
    /// the change feed, with the id and nothing else, and one that tells of the erasure.
    ///
    /// Requests that came in the last seconds may be noted afterwards; they are kept for a short time only.
    ///
    /// # Errors
    /// [`Failure::Missing`] when nothing is kept; [`Failure::Forbidden`] when a directory manages the person, or an application still has
    /// an account for them: says what to do first.
    pub async fn erase_person(&self, context: &Context, id: ResourceId) -> Result<Erased, Failure> {
        if context.is_directory() {
            return Err(forbidden(
                "only an administrator erases what is kept about a person".into(),
            ));
        }
        let mut erased = Erased::default();
        let mut words = Words::of(id);
        for pass in 0..PASSES {
            let dossier = Dossier::gather(self, context, id, words).await?;
            if dossier.is_empty() {
                return Err(missing(Kind::User, id));
            }
            if pass > 0 && !dossier.is_personal() {
                break;
            }
            words = dossier.words.clone();
            let (app, inner) = (self.clone(), context.clone());
            let met = context
                .tenant()
                .write(move |writer| {
                    if pass == 0 {
                        may_go(writer, id)?;
                    }
                    let met = erase(&app, writer, &inner, &dossier)?;
                    if pass == 0 {
                        note(&app, writer, &inner, id, met)?;
                    }
                    Ok::<_, Failure>(met)
                })
                .await?;
            erased.changes += met.changes;
            erased.entries += met.entries;
        }
        Ok(erased)
    }
}

/// Finds a person by userName or id: who is there, who has a tombstone, who is in the change feed.
fn called(reader: &dyn Reader, text: &str) -> Result<ResourceId, Failure> {
    if let Some(id) = reader.named(Kind::User, text)? {
        return Ok(id);
    }
    if let Ok(id) = text.parse::<ResourceId>() {
        let is_known = reader.kind_of(id)? == Some(Kind::User)
            || reader.tombstone(Kind::User, id)?.is_some()
            || !reader.object_changes(Kind::User, id, None, 1)?.is_empty();
        if is_known {
            return Ok(id);
        }
    }
    let buried = reader.tombstones(Kind::User, None, text)?;
    match buried.as_slice() {
        [] => Err(missing(Kind::User, text)),
        [one] => Ok(one.id),
        several => {
            let ids: Vec<String> = several.iter().map(|one| one.id.to_string()).collect();
            Err(forbidden(format!(
                "several people who were deleted were called `{text}`: name one by id, {}",
                ids.join(" or ")
            )))
        }
    }
}

/// Makes sure that nobody would bring the person back, or keep an account for them elsewhere.
fn may_go(writer: &dyn Writer, id: ResourceId) -> Result<(), Failure> {
    let entry = writer.entry(Kind::User, id)?;
    if let Some(by) = entry.and_then(|entry| entry.managed_by) {
        let kinds = writer.integrations()?;
        let kind = kinds.iter().find(|one| one.id == by);
        let name = kind.map_or("a directory", |one| one.kind.short());
        return Err(forbidden(format!(
            "{name} manages this person, and would send them again: take them out of its assignment, so that it deletes them, or release them first"
        )));
    }
    for application in writer.applications()? {
        let link = writer.link(application.id, Kind::User, id)?;
        let has_account = link
            .is_some_and(|link| link.is_in_use() || matches!(link.state, LinkState::Creating(_)));
        if has_account {
            return Err(forbidden(format!(
                "`{}` still has an account of this person, which nobody would know of any more: delete the person, let the next cycle take the account away, then erase",
                application.name
            )));
        }
    }
    Ok(())
}

fn erase(
    app: &App,
    writer: &mut dyn Writer,
    context: &Context,
    dossier: &Dossier,
) -> Result<Erased, Failure> {
    let (id, now) = (dossier.id, app.now());
    if writer.entry(Kind::User, id)?.is_some() {
        take_away(app, writer, context, now, Kind::User, id)?;
    }
    let erased = writer.erase_person(id)?;
    let requests: Vec<u64> = dossier.requests.iter().map(|(place, _)| *place).collect();
    writer.remove_exchanges(&requests)?;
    for (mail, _) in &dossier.mail {
        writer.remove_mail(mail.sequence)?;
    }
    for at in &dossier.applications {
        let mentions: Vec<u64> = at.mentions.iter().map(|(place, _)| *place).collect();
        writer.remove_log(at.id, &mentions)?;
        for plan in &at.plans {
            writer.remove_plan(at.id, *plan)?;
        }
        if at.is_in_cycles {
            writer.forget_cycles(at.id)?;
        }
        if at.is_in_job {
            let job = writer.job(at.id)?;
            if let Some(job) = dossier.words.without(&job) {
                writer.save_job(at.id, &job)?;
            }
        }
    }
    Ok(erased)
}

fn note(
    app: &App,
    writer: &mut dyn Writer,
    context: &Context,
    id: ResourceId,
    erased: Erased,
) -> Result<(), Failure> {
    let entry = NewAudit {
        origin: context.origin().clone(),
        action: "user.erased",
        object: id.to_string(),
        detail: json!({"changes_in_feed": erased.changes, "entries": erased.entries}),
    };
    Ok(writer.append_audit(app.now(), &entry)?)
}

fn forbidden(reason: String) -> Failure {
    Failure::Forbidden { reason }
}
