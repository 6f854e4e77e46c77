//! People and groups as they are named: found in the directory, assigned to applications together.
//!
//! **Is:** the use cases that take names; whoever is wrong is told at once with all others, and nothing is changed then.
//! **Start at** [`App::assign_all`].

use rollcall_model::{ApplicationId, Assignment, Kind, Principal, ResourceId};
use rollcall_store::Reader;
use serde_json::json;

use crate::applications::{entry, missing, note_assignment};
use crate::directory::Context;
use crate::{App, Failure};

/// A person or group that an application was assigned to, with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The assignment.
    pub assignment: Assignment,
    /// The userName or displayName; absent: the directory does not have it any more.
    pub name: Option<String>,
}

impl App {
    /// Finds a person or group by name or id for a question about an application. Who was deleted is found as long as the application
    /// remembers them.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application; [`Failure::Principals`].
    pub async fn principal(
        &self,
        context: &Context,
        id: ApplicationId,
        principal: Principal,
    ) -> Result<ResourceId, Failure> {
        context
            .tenant()
            .read(move |reader| {
                reader.application(id)?.ok_or_else(|| missing(id))?;
                let found = match here(reader, &principal)? {
                    Some(found) => Some(found),
                    None => remembered(reader, id, &principal)?,
                };
                found.ok_or_else(|| Failure::Principals(vec![unknown(&principal)]))
            })
            .await
    }

    /// Assigns people and groups to an application: all of them, or nobody when one of them is not there. Who is assigned already
    /// stays so.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application; [`Failure::Principals`] with everybody who is not there.
    pub async fn assign_all(
        &self,
        context: &Context,
        id: ApplicationId,
        principals: Vec<Principal>,
    ) -> Result<(), Failure> {
        let since = self.now();
        let origin = context.origin().clone();
        context
            .tenant()
            .write(move |writer| {
                writer.application(id)?.ok_or_else(|| missing(id))?;
                let mut wrong = Vec::new();
                let mut found = Vec::new();
                for principal in &principals {
                    match here(writer, principal)? {
                        Some(id) => found.push((principal.kind, id)),
                        None => wrong.push(unknown(principal)),
                    }
                }
                if !wrong.is_empty() {
                    return Err(Failure::Principals(wrong));
                }
                for (kind, principal) in found {
                    let assignment = Assignment {
                        kind,
                        principal,
                        since,
                    };
                    writer.assign(id, &assignment)?;
                    let detail = json!({"principal": principal, "kind": kind});
                    let entry = entry(origin.clone(), id, "application.assigned", detail);
                    writer.append_audit(since, &entry)?;
                }
                note_assignment(writer, id)?;
                Ok(())
            })
            .await
    }

    /// Ends the assignments of people and groups: of all of them, or of nobody when one of them is not assigned.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application; [`Failure::Principals`] with everybody who is not there, or not assigned.
    pub async fn unassign_all(
        &self,
        context: &Context,
        id: ApplicationId,
        principals: Vec<Principal>,
    ) -> Result<(), Failure> {
        let now = self.now();
        let origin = context.origin().clone();
        context
            .tenant()
            .write(move |writer| {
                writer.application(id)?.ok_or_else(|| missing(id))?;
                let assigned: Vec<(Kind, ResourceId)> = writer
                    .assignments(id)?
                    .iter()
                    .map(|one| (one.kind, one.principal))
                    .collect();
                let mut wrong = Vec::new();
                let mut found = Vec::new();
                for principal in &principals {
                    let kind = principal.kind;
                    // an assignment may outlive whom it is about
                    let key = match here(writer, principal)? {
                        Some(key) => Some(key),
                        None => principal.name.parse().ok(),
                    };
                    match key {
                        Some(key) if assigned.contains(&(kind, key)) => found.push((kind, key)),
                        Some(key) if writer.kind_of(key)? == Some(kind) => {
                            wrong.push(format!("`{principal}` is not assigned"));
                        }
                        _ => wrong.push(unknown(principal)),
                    }
                }
                if !wrong.is_empty() {
                    return Err(Failure::Principals(wrong));
                }
                for (kind, principal) in found {
                    writer.unassign(id, kind, principal)?;
                    let detail = json!({"principal": principal, "kind": kind});
                    let entry = entry(origin.clone(), id, "application.unassigned", detail);
                    writer.append_audit(now, &entry)?;
                }
                note_assignment(writer, id)?;
                Ok(())
            })
            .await
    }

    /// Lists who is assigned to an application, people first.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application.
    pub async fn assigned(
        &self,
        context: &Context,
        id: ApplicationId,
    ) -> Result<Vec<Assigned>, Failure> {
        context
            .tenant()
            .read(move |reader| {
                reader.application(id)?.ok_or_else(|| missing(id))?;
                let mut all = Vec::new();
                for assignment in reader.assignments(id)? {
                    let name = name(reader, assignment.kind, assignment.principal)?;
                    all.push(Assigned { assignment, name });
                }
                Ok(all)
            })
            .await
    }
}

/// Returns the name by which people know somebody in the directory.
pub(crate) fn name<R: Reader + ?Sized>(
    reader: &R,
    kind: Kind,
    id: ResourceId,
) -> Result<Option<String>, rollcall_store::Error> {
    let entry = reader.entry(kind, id)?;
    let name = entry.as_ref().and_then(|entry| match kind {
        Kind::User => entry.resource.user_name(),
        Kind::Group => entry.resource.display_name(),
    });
    Ok(name.map(str::to_owned))
}

/// Finds who is in the directory, by name or by id.
pub(crate) fn here<R: Reader + ?Sized>(
    reader: &R,
    principal: &Principal,
) -> Result<Option<ResourceId>, rollcall_store::Error> {
    if let Some(id) = reader.named(principal.kind, &principal.name)? {
        return Ok(Some(id));
    }
    let Ok(id) = principal.name.parse() else {
        return Ok(None);
    };
    Ok((reader.kind_of(id)? == Some(principal.kind)).then_some(id))
}

/// Finds who was deleted and is remembered by the application.
fn remembered<R: Reader + ?Sized>(
    reader: &R,
    id: ApplicationId,
    principal: &Principal,
) -> Result<Option<ResourceId>, rollcall_store::Error> {
    let Principal { kind, name } = principal;
    let tombstones = reader.tombstones(*kind, None, name)?;
    let buried = tombstones.into_iter().map(|tombstone| tombstone.id);
    for object in name.parse().ok().into_iter().chain(buried) {
        if reader.link(id, *kind, object)?.is_some() {
            return Ok(Some(object));
        }
    }
    Ok(None)
}

fn unknown(principal: &Principal) -> String {
    format!("there is no `{principal}` in the directory")
}
