//! Who is assigned to an application, as a page shows it; and what an assignment, or its end, would mean for how many.
//!
//! Everything here is bounded: who counts members stops at a limit, and says so.

use std::collections::{BTreeSet, HashSet};

use rollcall_model::application::NestedGroups;
use rollcall_model::{Application, ApplicationId, Assignment, Kind, ResourceId};
use rollcall_scim::key::canonical;
use rollcall_scim::resource::Resource;
use rollcall_store::Reader;

use crate::applications::missing;
use crate::directory::{self, Context};
use crate::{App, Failure};

/// How many people are looked at to say what an assignment means.
const LOOKED_AT: usize = 2_000;
/// How many assignments are searched by name.
const SEARCHED: usize = 5_000;
/// How many members are read at once.
const PAGE: u64 = 500;
/// How many are found for what was typed, of each kind.
const FOUND: u64 = 10;

/// A person or group as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Whether it is a person or a group.
    pub kind: Kind,
    /// Its id.
    pub id: ResourceId,
    /// Its userName or displayName.
    pub name: String,
    /// A person's name for people, if it is another one.
    pub display: Option<String>,
    /// Whether it may sign in; groups are always active.
    pub is_active: bool,
}

/// An assignment with whom it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentRow {
    /// The assignment.
    pub assignment: Assignment,
    /// Who; absent: the directory does not have them any more.
    pub who: Option<Named>,
}

/// A part of the assignments of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentPage {
    /// The application.
    pub application: Application,
    /// How many people are assigned directly.
    pub people: u64,
    /// How many groups are.
    pub groups: u64,
    /// This part, groups first.
    pub rows: Vec<AssignmentRow>,
    /// Where the next part begins, when there is one.
    pub next: Option<u64>,
    /// Whether more were assigned than were searched.
    pub is_partial: bool,
}

/// What an assignment, or its end, would mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// Who is to be assigned, or not any more.
    pub who: Named,
    /// Whether it is assigned now.
    pub is_assigned: bool,
    /// How many people it brings.
    pub people: u64,
    /// How many of them nothing else brings: they come or go with it.
    pub alone: u64,
    /// Whether there are more than were looked at: then the numbers are too low.
    pub is_partial: bool,
    /// Whether scope is a matter of assignments at all.
    pub matters: bool,
}

/// Whether somebody is in scope by assignments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeAnswer {
    /// Who was asked about.
    pub who: Named,
    /// Whether the person may sign in here; who may not is switched off whatever else holds.
    pub is_active: bool,
    /// The assignments that bring them.
    pub by: Vec<Named>,
    /// Whether everybody is in scope.
    pub is_everybody: bool,
}

impl App {
    /// Finds groups and people, a few of each, as [`find`](Self::find) does.
    ///
    /// # Errors
    /// Those of [`find`](Self::find).
    pub async fn find_named(&self, context: &Context, text: &str) -> Result<Vec<Named>, Failure> {
        let mut found = Vec::new();
        for kind in [Kind::Group, Kind::User] {
            let search = directory::Search {
                text: text.to_owned(),
                ..directory::Search::default()
            };
            let entries = self.find(context, kind, search, FOUND).await?.entries;
            found.extend(entries.iter().map(|one| named(kind, one.id, &one.resource)));
        }
        Ok(found)
    }

    /// Returns a person or group by kind and id.
    pub async fn named(
        &self,
        context: &Context,
        kind: Kind,
        id: ResourceId,
    ) -> Result<Option<Named>, Failure> {
        context
            .tenant()
            .read(move |reader| Ok(look_up(reader, kind, id)?))
            .await
    }

    /// Returns `count` of the assignments of an application from a place on, groups first; only those whose name has a part like the
    /// text.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application.
    pub async fn assignment_page(
        &self,
        context: &Context,
        id: ApplicationId,
        (text, from, count): (String, u64, u64),
    ) -> Result<AssignmentPage, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let application = reader.application(id)?.ok_or_else(|| missing(id))?;
                let mut all = reader.assignments(id)?;
                let groups = all.iter().filter(|one| one.kind == Kind::Group).count();
                all.sort_by_key(|one| (one.kind == Kind::User, one.principal));
                let mut page = AssignmentPage {
                    application,
                    people: (all.len() - groups) as u64,
                    groups: groups as u64,
                    rows: Vec::new(),
                    next: None,
                    is_partial: !text.is_empty() && all.len() > SEARCHED,
                };
                let wanted = canonical(&text);
                let skipped = usize::try_from(from).unwrap_or(usize::MAX);
                let looked_at = if text.is_empty() {
                    usize::MAX
                } else {
                    SEARCHED
                };
                for (place, assignment) in all.into_iter().enumerate().take(looked_at).skip(skipped)
                {
                    let who = look_up(reader, assignment.kind, assignment.principal)?;
                    let is_wanted = text.is_empty()
                        || who.as_ref().is_some_and(|who| {
                            let display = who.display.as_deref().unwrap_or_default();
                            canonical(&who.name).contains(&wanted)
                                || canonical(display).contains(&wanted)
                        });
                    if !is_wanted {
                        continue;
                    }
                    if page.rows.len() as u64 == count {
                        page.next = Some(place as u64);
                        break;
                    }
                    page.rows.push(AssignmentRow { assignment, who });
                }
                Ok(page)
            })
            .await
    }

    /// Says what an assignment, or its end, would mean for how many people.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application, or whom it is about.
    pub async fn assignment_effect(
        &self,
        context: &Context,
        id: ApplicationId,
        kind: Kind,
        principal: ResourceId,
    ) -> Result<Effect, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let application = reader.application(id)?.ok_or_else(|| missing(id))?;
                let assignments = reader.assignments(id)?;
                let key = (kind, principal);
                let is_assigned = assignments
                    .iter()
                    .any(|one| (one.kind, one.principal) == key);
                let who = match look_up(reader, kind, principal)? {
                    Some(who) => who,
                    // an assignment may outlive whom it is about
                    None if is_assigned => Named {
                        kind,
                        id: principal,
                        name: principal.to_string(),
                        display: None,
                        is_active: false,
                    },
                    None => return Err(directory::missing(kind, principal)),
                };
                let nested = application.settings.nested_groups;
                let others: HashSet<ResourceId> = assignments
                    .iter()
                    .filter(|one| (one.kind, one.principal) != key)
                    .map(|one| one.principal)
                    .collect();
                let (people, is_partial) = match kind {
                    Kind::User => (BTreeSet::from([principal]), false),
                    Kind::Group => people_of(reader, principal, nested)?,
                };
                let mut alone = 0;
                for person in &people {
                    let is_covered = others.contains(person)
                        || around(reader, *person, nested)?
                            .iter()
                            .any(|group| others.contains(group));
                    alone += u64::from(!is_covered);
                }
                Ok(Effect {
                    who,
                    is_assigned,
                    people: people.len() as u64,
                    alone,
                    is_partial,
                    matters: application.scope == rollcall_model::application::Scope::AssignedOnly,
                })
            })
            .await
    }

    /// Says by which assignments somebody is in scope.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application, or whom it is about.
    pub async fn in_scope_by(
        &self,
        context: &Context,
        id: ApplicationId,
        kind: Kind,
        principal: ResourceId,
    ) -> Result<ScopeAnswer, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let application = reader.application(id)?.ok_or_else(|| missing(id))?;
                let who = look_up(reader, kind, principal)?
                    .ok_or_else(|| directory::missing(kind, principal))?;
                let nested = application.settings.nested_groups;
                let mut wanted = vec![principal];
                let comes_with_groups = kind == Kind::User || nested == NestedGroups::Keep;
                if comes_with_groups {
                    wanted.extend(around(reader, principal, nested)?);
                }
                let wanted: HashSet<ResourceId> = wanted.into_iter().collect();
                let mut by = Vec::new();
                for one in reader.assignments(id)? {
                    if wanted.contains(&one.principal) {
                        by.extend(look_up(reader, one.kind, one.principal)?);
                    }
                }
                Ok(ScopeAnswer {
                    is_active: who.is_active,
                    who,
                    by,
                    is_everybody: application.scope == rollcall_model::application::Scope::All,
                })
            })
            .await
    }
}

fn named(kind: Kind, id: ResourceId, resource: &Resource) -> Named {
    let display = resource.display_name().map(str::to_owned);
    let (name, display) = match kind {
        Kind::User => (resource.user_name().map(str::to_owned), display),
        Kind::Group => (display, None),
    };
    Named {
        kind,
        id,
        name: name.unwrap_or_else(|| id.to_string()),
        display,
        is_active: kind == Kind::Group || resource.is_active(),
    }
}

fn look_up(
    reader: &dyn Reader,
    kind: Kind,
    id: ResourceId,
) -> Result<Option<Named>, rollcall_store::Error> {
    let entry = reader.entry(kind, id)?;
    Ok(entry.map(|entry| named(kind, id, &entry.resource)))
}

/// Returns the people whom a group brings, and whether there are more than were looked at.
fn people_of(
    reader: &dyn Reader,
    group: ResourceId,
    nested: NestedGroups,
) -> Result<(BTreeSet<ResourceId>, bool), rollcall_store::Error> {
    let (mut people, mut seen) = (BTreeSet::new(), BTreeSet::from([group]));
    let mut open = vec![group];
    while let Some(group) = open.pop() {
        let mut after = None;
        loop {
            let members = reader.members(group, after, PAGE)?;
            let Some(last) = members.last() else { break };
            after = Some(last.id);
            for member in members {
                match member.kind {
                    Kind::User if people.len() == LOOKED_AT => return Ok((people, true)),
                    Kind::User => drop(people.insert(member.id)),
                    Kind::Group if nested != NestedGroups::Direct && seen.insert(member.id) => {
                        open.push(member.id);
                    }
                    Kind::Group => {}
                }
            }
        }
    }
    Ok((people, false))
}

/// Returns the groups whose assignment brings somebody.
fn around(
    reader: &dyn Reader,
    id: ResourceId,
    nested: NestedGroups,
) -> Result<Vec<ResourceId>, rollcall_store::Error> {
    let parents = |id| -> Result<Vec<ResourceId>, rollcall_store::Error> {
        let groups = reader.groups_of(id)?.into_iter();
        Ok(groups.map(|(group, _)| group).collect())
    };
    let mut found = parents(id)?;
    if nested == NestedGroups::Direct {
        return Ok(found);
    }
    let mut seen: HashSet<ResourceId> = found.iter().copied().collect();
    let mut next = 0;
    while let Some(group) = found.get(next).copied() {
        next += 1;
        let more = parents(group)?;
        found.extend(more.into_iter().filter(|group| seen.insert(*group)));
    }
    Ok(found)
}
