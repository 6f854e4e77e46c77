//! Import: people and groups from a list, in one transaction: all of it, or nothing and every reason why.
//!
//! Who is there already (by userName, groups by displayName) is updated by what the list says; who is not is created. Nobody is
//! deleted: a list is not the whole truth.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use rollcall_model::{Action, Kind, Membership, ResourceId};
use rollcall_scim::key;
use rollcall_scim::merge::Lists;
use rollcall_scim::patch::Patch;
use rollcall_scim::resource::Resource;
use rollcall_store::{Entry, Member, Writer};
use serde_json::{Value, json};

use crate::directory::Context;
use crate::directory::rules::{self, Effect, Event, plan_allows};
use crate::{App, Failure};

/// A person or a group in a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The name of the file that it is in, for messages.
    pub file: Arc<str>,
    /// Its line there.
    pub line: u64,
    /// The id by which other lines refer to it, if it has one.
    pub reference: Option<String>,
    /// The resource, without members and manager.
    pub body: Value,
    /// Whether what it says of a list is all of it.
    pub lists: Lists,
    /// Its members: references, userNames or group names.
    pub members: Vec<String>,
    /// Its manager: a reference or a userName.
    pub manager: Option<String>,
}

impl Listed {
    fn refused(&self, reason: String) -> Refusal {
        Refusal {
            file: Arc::clone(&self.file),
            line: self.line,
            reason,
        }
    }
}

/// What an import came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// How many came into being.
    pub created: u64,
    /// How many changed.
    pub updated: u64,
    /// How many were as the list says.
    pub unchanged: u64,
    /// How many memberships came into being.
    pub memberships: u64,
}

/// Why a line of a list cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The name of the file that it is in.
    pub file: Arc<str>,
    /// The line.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum NotImported {
    /// Lines are wrong.
    #[error("{} lines cannot be taken; nothing was imported", .0.len())]
    Refused(Vec<Refusal>),
    /// The import itself failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<rollcall_store::Error> for NotImported {
    fn from(error: rollcall_store::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl App {
    /// Imports people, then groups with their members.
    ///
    /// # Errors
    /// [`NotImported::Refused`] with every line that is wrong.
    pub async fn import(
        &self,
        context: &Context,
        users: Vec<Listed>,
        groups: Vec<Listed>,
    ) -> Result<Report, NotImported> {
        let now = self.now();
        let (app, inner) = (self.clone(), context.clone());
        context
            .tenant()
            .write(move |writer| {
                let mut import = Import {
                    app: &app,
                    writer,
                    context: &inner,
                    now,
                    known: HashMap::new(),
                    report: Report::default(),
                    refusals: Vec::new(),
                };
                let users = import.take_all(Kind::User, users)?;
                import.managers(&users)?;
                let groups = import.take_all(Kind::Group, groups)?;
                import.members(&groups)?;
                let Import {
                    report, refusals, ..
                } = import;
                if refusals.is_empty() {
                    Ok(report)
                } else {
                    Err(NotImported::Refused(refusals))
                }
            })
            .await
    }
}

/// An import under way.
struct Import<'a> {
    app: &'a App,
    writer: &'a mut dyn Writer,
    context: &'a Context,
    now: Timestamp,
    /// What references and names of the list mean.
    known: HashMap<(Kind, String), ResourceId>,
    report: Report,
    refusals: Vec<Refusal>,
}

impl Import<'_> {
    /// Creates or updates each listed object; returns them with their ids.
    fn take_all(
        &mut self,
        kind: Kind,
        listed: Vec<Listed>,
    ) -> Result<Vec<(ResourceId, Listed)>, Failure> {
        let mut taken = Vec::with_capacity(listed.len());
        for line in listed {
            match self.take(kind, &line) {
                Ok(id) => {
                    if let Some(reference) = &line.reference {
                        self.known.insert((kind, reference.clone()), id);
                    }
                    taken.push((id, line));
                }
                Err(failure) => self.refuse(&line, failure)?,
            }
        }
        Ok(taken)
    }

    fn take(&mut self, kind: Kind, line: &Listed) -> Result<ResourceId, Failure> {
        let resource_type = self.app.resource_type(kind);
        let limits = &self.app.settings().limits;
        let wanted = Resource::from_request(resource_type, line.body.clone(), limits)?;
        let name = match kind {
            Kind::User => wanted.user_name(),
            Kind::Group => wanted.display_name(),
        }
        .unwrap_or_default();
        let Some(there) = self.writer.named(kind, name)? else {
            return self.create(kind, wanted);
        };
        let before = self
            .writer
            .entry(kind, there)?
            .ok_or_else(|| crate::directory::missing(kind, there))?;
        let mut resource = before.resource.clone();
        let changes = resource.take_over(&wanted, line.lists, resource_type, limits)?;
        if changes.is_empty() {
            self.report.unchanged += 1;
        } else {
            self.report.updated += 1;
            self.store(&before, resource, rules::described(&changes))?;
        }
        Ok(there)
    }

    fn create(&mut self, kind: Kind, mut resource: Resource) -> Result<ResourceId, Failure> {
        if kind == Kind::User {
            resource.assume_active(true);
        }
        let admits = kind == Kind::User && resource.is_active();
        plan_allows(
            self.writer,
            if admits {
                Effect::Admits
            } else {
                Effect::Changes
            },
            self.now,
        )?;
        let entry = Entry {
            kind,
            id: ResourceId::new(self.now, &**self.app.randomness()),
            version: 1,
            created: self.now,
            modified: self.now,
            managed_by: None,
            resource,
        }
        .stamped();
        self.writer.insert(&entry)?;
        self.report.created += 1;
        let event = Event {
            kind,
            id: entry.id,
            action: Action::Created,
            entry: Some(&entry),
            version: Some(entry.version),
            membership: Membership::default(),
            changes: Value::Null,
        };
        rules::record(self.app, self.writer, self.context, self.now, event)?;
        Ok(entry.id)
    }

    fn store(&mut self, before: &Entry, resource: Resource, changes: Value) -> Result<(), Failure> {
        let after = Entry {
            version: before.version + 1,
            modified: self.now,
            resource,
            ..before.clone()
        }
        .stamped();
        plan_allows(self.writer, rules::effect_of(before, &after), self.now)?;
        self.writer.update(&after)?;
        let event = Event {
            kind: after.kind,
            id: after.id,
            action: rules::action_of(before, &after),
            entry: Some(&after),
            version: Some(after.version),
            membership: Membership::default(),
            changes,
        };
        rules::record(self.app, self.writer, self.context, self.now, event)
    }

    /// Managers point to people who may stand further down in the list, so they come when all people are there.
    fn managers(&mut self, users: &[(ResourceId, Listed)]) -> Result<(), Failure> {
        for (id, line) in users {
            let Some(manager) = &line.manager else {
                continue;
            };
            let Some(found) = self.find(&[Kind::User], manager)? else {
                let reason =
                    format!("its manager `{manager}` is nobody in the list or in the directory");
                self.refusals.push(line.refused(reason));
                continue;
            };
            let Some(before) = self.writer.entry(Kind::User, *id)? else {
                continue;
            };
            let mut resource = before.resource.clone();
            let path = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value";
            let body = json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": "replace", "path": path, "value": found.to_string()}],
            });
            let (resource_type, limits) = (
                self.app.resource_type(Kind::User),
                &self.app.settings().limits,
            );
            let changes = Patch::parse(&body, resource_type, limits)?.apply(
                &mut resource,
                resource_type,
                limits,
            )?;
            if !changes.is_empty()
                && let Err(failure) = self.store(&before, resource, rules::described(&changes))
            {
                self.refuse(line, failure)?;
            }
        }
        Ok(())
    }

    fn members(&mut self, groups: &[(ResourceId, Listed)]) -> Result<(), Failure> {
        for (group, line) in groups {
            let mut members = Vec::with_capacity(line.members.len());
            for name in &line.members {
                match self.find(&[Kind::User, Kind::Group], name)? {
                    Some(id) if id != *group => {
                        let kind = self.writer.kind_of(id)?.unwrap_or(Kind::User);
                        members.push(Member { id, kind });
                    }
                    Some(_) => {
                        let reason = "a group cannot be its own member".to_owned();
                        self.refusals.push(line.refused(reason));
                    }
                    None => {
                        let reason = format!(
                            "its member `{name}` is nobody in the lists or in the directory"
                        );
                        self.refusals.push(line.refused(reason));
                    }
                }
            }
            let added = self.writer.add_members(*group, &members)?;
            if added.is_empty() {
                continue;
            }
            if let Err(failure) = plan_allows(self.writer, Effect::Changes, self.now) {
                self.refuse(line, failure)?;
                continue;
            }
            self.report.memberships += added.len() as u64;
            let Some(before) = self.writer.entry(Kind::Group, *group)? else {
                continue;
            };
            let after = Entry {
                version: before.version + 1,
                modified: self.now,
                ..before
            }
            .stamped();
            self.writer.update(&after)?;
            let event = Event {
                kind: Kind::Group,
                id: *group,
                action: Action::Members,
                entry: None,
                version: Some(after.version),
                membership: Membership {
                    added,
                    removed: Vec::new(),
                },
                changes: Value::Null,
            };
            rules::record(self.app, self.writer, self.context, self.now, event)?;
        }
        Ok(())
    }

    /// Finds out whom a list means: by its own reference, by id, by name.
    fn find(&self, kinds: &[Kind], name: &str) -> Result<Option<ResourceId>, Failure> {
        for kind in kinds {
            if let Some(id) = self.known.get(&(*kind, name.to_owned())) {
                return Ok(Some(*id));
            }
        }
        if let Ok(id) = name.parse::<ResourceId>()
            && self
                .writer
                .kind_of(id)?
                .is_some_and(|kind| kinds.contains(&kind))
        {
            return Ok(Some(id));
        }
        if key::canonical(name).is_empty() {
            return Ok(None);
        }
        for kind in kinds {
            if let Some(id) = self.writer.named(*kind, name)? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Notes what is wrong with a line and goes on, so that all mistakes are told at once. What is wrong with the store is no
    /// line's mistake.
    fn refuse(&mut self, line: &Listed, failure: Failure) -> Result<(), Failure> {
        match failure {
            Failure::Unavailable(_) | Failure::Internal(_) => Err(failure),
            other => {
                self.refusals.push(line.refused(other.to_string()));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::testing::Installation;

    fn listed(body: Value, members: &[&str]) -> Listed {
        Listed {
            file: "groups.csv".into(),
            line: 2,
            reference: None,
            body,
            lists: Lists::Whole,
            members: members.iter().map(|member| (*member).to_owned()).collect(),
            manager: None,
        }
    }

    #[tokio::test]
    async fn after_the_trial_a_list_adds_no_member() {
        let installation = Installation::on_trial(SignedDuration::from_hours(1)).await;
        let (app, context) = (&installation.app, installation.command());
        let people = || vec![listed(json!({"userName": "ann"}), &[])];
        let groups = |members: &[&str]| vec![listed(json!({"displayName": "Sales"}), members)];
        app.import(&context, people(), groups(&[])).await.unwrap();
        installation.clock.advance(SignedDuration::from_hours(2));

        let nothing_new = app.import(&context, people(), groups(&[])).await;
        let refused = app.import(&context, people(), groups(&["ann"])).await;

        assert_eq!(nothing_new.unwrap().unchanged, 2);
        let Err(NotImported::Refused(refusals)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!((&*refusals[0].file, refusals[0].line), ("groups.csv", 2));
        assert!(refusals[0].reason.contains("trial"), "{refusals:?}");
    }
}
