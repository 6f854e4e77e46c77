//! What administrators look at and do by hand: search, one object with all that belongs to it, switching off, release, edit.
//!
//! An administrator may always switch somebody off or delete an account, whoever manages it. Its attributes are changed by hand only
//! while nobody manages it: what a directory sends would undo it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rollcall_model::link::LinkState;
use rollcall_model::{
    Action, Activation, ApplicationId, AuditEntry, Change, IntegrationId, Kind, ResourceId,
    Standing, Summary,
};
use rollcall_scim::filter::Filter;
use rollcall_scim::key;
use rollcall_scim::patch::{PATCH_SCHEMA, Patch};
use rollcall_store::{
    AuditQuery, Entry, Member, NewAudit, NewChange, Paging, ReadDirectory, Reader, Selection,
};
use serde_json::{Value, json};

use super::{Context, Expected, Shown, Wanted, missing};
use crate::invitations::standing;
use crate::{App, Failure};

/// So many groups, reports and steps of a history are shown at once.
const SHOWN: usize = 50;
/// So many who came and went are read for a history; of more, only the number is told.
const READ: u64 = 500;
/// So many objects one search looks at, which keeps it below the time of a page; the next one goes on there.
const LOOKED_AT: u64 = 4_000;
/// The longest text that is searched for, in characters.
const SEARCHED: usize = 200;

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// The beginning of a userName, a displayName or an e-mail; or a whole id or externalId. Empty: everything.
    pub text: String,
    /// Only people who are switched on, or off.
    pub active: Option<bool>,
    /// Only what this integration manages, or what none does.
    pub managed_by: Option<Option<IntegrationId>>,
    /// Only what comes after this one.
    pub after: Option<ResourceId>,
}

/// A part of what was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The objects, in order of id: the oldest first.
    pub entries: Vec<Entry>,
    /// Those of them who still have to activate.
    pub invited: BTreeSet<ResourceId>,
    /// Behind whom to go on, when more follow or may.
    pub next: Option<ResourceId>,
    /// Whether looking was given up before enough was found: what follows is not known yet.
    pub is_partial: bool,
}

/// Somebody or something, by id and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its id.
    pub id: ResourceId,
    /// Its name for people.
    pub name: String,
}

/// Where an object was provisioned to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counterpart {
    /// The application.
    pub application: ApplicationId,
    /// Its name.
    pub name: String,
    /// How the two stand.
    pub state: LinkState,
    /// Whether the last attempt failed.
    pub failed: bool,
}

/// One object, with what belongs to it.
#[derive(Debug, Clone)]
pub struct Whole {
    /// The object.
    pub entry: Entry,
    /// The first of a person's groups.
    pub groups: Vec<Named>,
    /// Whether there are more.
    pub more_groups: bool,
    /// A person's manager, when the directory knows them.
    pub manager: Option<Named>,
    /// The first of those whose manager this is.
    pub reports: Vec<Named>,
    /// Whether there are more.
    pub more_reports: bool,
    /// Where it was provisioned to.
    pub counterparts: Vec<Counterpart>,
    /// What was done to it lately, latest first: by whom, and what was changed.
    pub history: Vec<AuditEntry>,
    /// For a group: who came and who went lately.
    pub memberships: Vec<Moved>,
    /// How a person stands.
    pub standing: Standing,
    /// How far their activation is; absent: they were never invited.
    pub activation: Option<Activation>,
}

/// A change of a group's members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// When.
    pub at: Timestamp,
    /// Some of those who came in, by name.
    pub added: Vec<String>,
    /// Some of those who went out, by name.
    pub removed: Vec<String>,
}

/// A member of a group as it is listed.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The member.
    pub member: Member,
    /// It; absent: it is gone.
    pub entry: Option<Entry>,
}

/// What an administrator changes about a person whom no directory manages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// The name for others.
    pub display_name: String,
    /// The e-mail that is used first; empty: none.
    pub email: String,
}

impl App {
    /// Searches people or groups, a part at a time.
    ///
    /// # Errors
    /// [`Failure::Malformed`] when it has to look through too much.
    pub async fn find(
        &self,
        context: &Context,
        kind: Kind,
        search: Search,
        count: u64,
    ) -> Result<Found, Failure> {
        let filter = self.filter_of(kind, &search)?;
        context
            .tenant
            .read(move |reader| {
                if let Some(entry) = by_id(reader, kind, &search)? {
                    let entries = vec![entry];
                    return Ok(Found {
                        invited: invited(reader, &entries)?,
                        entries,
                        next: None,
                        is_partial: false,
                    });
                }
                let selection = Selection {
                    filter,
                    paging: Paging::Look {
                        id: search.after,
                        count,
                        budget: LOOKED_AT,
                    },
                };
                let listing = match search.managed_by {
                    None => reader.list(kind, &selection)?,
                    Some(by) => reader.list_managed(kind, by, &selection)?,
                };
                let mut entries = Vec::new();
                for raw in &listing.resources {
                    entries.extend(reader.entry(kind, raw.id)?);
                }
                let last = listing.resources.last().map(|raw| raw.id);
                Ok(Found {
                    invited: invited(reader, &entries)?,
                    entries,
                    next: last.filter(|_| listing.more).or(listing.looked_until),
                    is_partial: listing.looked_until.is_some(),
                })
            })
            .await
    }

    fn filter_of(&self, kind: Kind, search: &Search) -> Result<Option<Filter>, Failure> {
        let mut conditions = Vec::new();
        if let (Kind::User, Some(active)) = (kind, search.active) {
            conditions.push(format!("active eq {active}"));
        }
        let text: String = search.text.trim().chars().take(SEARCHED).collect();
        if !text.is_empty() {
            let text = Value::from(text).to_string();
            conditions.push(match kind {
                Kind::User => format!(
                    "(userName sw {text} or displayName sw {text} or emails.value sw {text} or externalId eq {text})"
                ),
                Kind::Group => format!("(displayName sw {text} or externalId eq {text})"),
            });
        }
        if conditions.is_empty() {
            return Ok(None);
        }
        let limits = &self.settings().limits;
        let filter = Filter::parse(&conditions.join(" and "), self.resource_type(kind), limits);
        Ok(Some(filter.map_err(Failure::Malformed)?))
    }

    /// Returns a person or a group with what belongs to it.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn whole(
        &self,
        context: &Context,
        kind: Kind,
        id: ResourceId,
    ) -> Result<Whole, Failure> {
        context
            .tenant
            .read(move |reader| {
                let entry = reader.entry(kind, id)?.ok_or_else(|| missing(kind, id))?;
                let mut groups: Vec<Named> = reader
                    .groups_of(id)?
                    .into_iter()
                    .map(|(id, name)| Named { id, name })
                    .collect();
                let more_groups = groups.len() > SHOWN;
                groups.truncate(SHOWN);
                let manager = entry.resource.manager().and_then(|id| id.parse().ok());
                let manager = manager.map(|id| named(reader, id)).transpose()?.flatten();
                let mut reports = match kind {
                    Kind::User => reader.reports_of(id)?,
                    Kind::Group => Vec::new(),
                };
                let more_reports = reports.len() > SHOWN;
                reports.truncate(SHOWN);
                let reports = reports.into_iter().map(|id| named(reader, id));
                let reports: Result<Vec<_>, Failure> = reports.collect();
                let mut counterparts = Vec::new();
                for application in reader.applications()? {
                    if let Some(link) = reader.link(application.id, kind, id)? {
                        counterparts.push(Counterpart {
                            application: application.id,
                            name: application.name,
                            state: link.state,
                            failed: link.failure.is_some(),
                        });
                    }
                }
                let query = AuditQuery {
                    object: Some(id.to_string()),
                    ..AuditQuery::default()
                };
                let history = reader.audit_where(&query, SHOWN as u64)?;
                let memberships = match kind {
                    // the names are worth reading only while they are few
                    Kind::Group if history.iter().map(moved).sum::<u64>() <= READ => {
                        memberships(reader, id)?
                    }
                    Kind::Group | Kind::User => Vec::new(),
                };
                let activation = match kind {
                    Kind::User => reader.activation(id)?,
                    Kind::Group => None,
                };
                let organisation = reader.organisation()?;
                Ok(Whole {
                    standing: standing(&organisation, &entry, activation.as_ref()),
                    activation,
                    entry,
                    groups,
                    more_groups,
                    manager,
                    reports: reports?.into_iter().flatten().collect(),
                    more_reports,
                    counterparts,
                    history,
                    memberships,
                })
            })
            .await
    }

    /// Returns `count` members of a group in order of id, after the one given, with what they are; and the last of them when more
    /// follow.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn listed_members(
        &self,
        context: &Context,
        group: ResourceId,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<(Vec<Listed>, Option<ResourceId>), Failure> {
        context
            .tenant
            .read(move |reader| {
                let mut members = reader.members(group, after, count.saturating_add(1))?;
                let more = members.len() as u64 > count;
                members.truncate(usize::try_from(count).unwrap_or(usize::MAX));
                let next = members.last().map(|member| member.id).filter(|_| more);
                let listed = members.into_iter().map(|member| {
                    let entry = reader.entry(member.kind, member.id)?;
                    Ok(Listed { member, entry })
                });
                Ok((listed.collect::<Result<_, Failure>>()?, next))
            })
            .await
    }

    /// Switches a person off or on, whoever manages the account.
    ///
    /// # Errors
    /// As [`App::patch`].
    pub async fn set_active(
        &self,
        context: &Context,
        id: ResourceId,
        active: bool,
    ) -> Result<Shown, Failure> {
        let operations = json!([{"op": "replace", "path": "active", "value": active}]);
        self.patch_by_hand(context, id, operations, Expected::Any)
            .await
    }

    /// Changes a person whom no directory manages.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] when a directory manages the account; [`Failure::Precondition`] when it changed meanwhile; else as
    /// [`App::patch`].
    pub async fn edit_person(
        &self,
        context: &Context,
        id: ResourceId,
        version: u64,
        edit: Edit,
    ) -> Result<Shown, Failure> {
        let shown = self.get(context, Kind::User, id, Wanted::NOTHING).await?;
        if shown.entry.managed_by.is_some() {
            return Err(Failure::Forbidden {
                reason: "a directory manages this account and would undo the change: change it there, or release the account first".into(),
            });
        }
        let resource = &shown.entry.resource;
        let mut operations = Vec::new();
        let (name, email) = (edit.display_name.trim(), edit.email.trim());
        if resource.display_name().unwrap_or_default() != name {
            operations.push(if name.is_empty() {
                json!({"op": "remove", "path": "displayName"})
            } else {
                json!({"op": "replace", "path": "displayName", "value": name})
            });
        }
        let mut emails: Vec<Value> = resource
            .as_map()
            .get("emails")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let place = first_email(&emails);
        let before = place.and_then(|place| emails.get(place)?.get("value")?.as_str());
        if before.unwrap_or_default() != email {
            match place {
                Some(place) if email.is_empty() => {
                    emails.remove(place);
                }
                Some(place) => {
                    if let Some(fields) = emails.get_mut(place).and_then(Value::as_object_mut) {
                        fields.insert("value".into(), email.into());
                    }
                }
                None => emails.push(json!({"value": email, "type": "work", "primary": true})),
            }
            operations.push(if emails.is_empty() {
                json!({"op": "remove", "path": "emails"})
            } else {
                json!({"op": "replace", "path": "emails", "value": emails})
            });
        }
        // of two who change it at once, the second is told
        let expected = Expected::Versions(vec![version]);
        if operations.is_empty() {
            return Ok(shown);
        }
        self.patch_by_hand(context, id, Value::from(operations), expected)
            .await
    }

    async fn patch_by_hand(
        &self,
        context: &Context,
        id: ResourceId,
        operations: Value,
        expected: Expected,
    ) -> Result<Shown, Failure> {
        let body = json!({"schemas": [PATCH_SCHEMA], "Operations": operations});
        let kind = self.resource_type(Kind::User);
        let patch =
            Patch::parse(&body, kind, &self.settings().limits).map_err(Failure::Malformed)?;
        self.patch(context, Kind::User, id, patch, expected, Wanted::NOTHING)
            .await
    }

    /// Takes an object out of the charge of the directory that manages it: the next one that creates or changes it takes charge.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Forbidden`] for a directory, which cannot give away what it does not own.
    pub async fn release(
        &self,
        context: &Context,
        kind: Kind,
        id: ResourceId,
    ) -> Result<(), Failure> {
        if context.integration.is_some() {
            return Err(Failure::Forbidden {
                reason: "only an administrator releases an account".into(),
            });
        }
        let now = self.now();
        let origin = context.origin.clone();
        let actor = origin.actor.kind();
        context
            .tenant
            .write(move |writer| {
                let before = writer.entry(kind, id)?.ok_or_else(|| missing(kind, id))?;
                let Some(from) = before.managed_by else {
                    return Ok(());
                };
                let after = Entry {
                    version: before.version + 1,
                    modified: now,
                    managed_by: None,
                    ..before
                }
                .stamped();
                writer.update(&after)?;
                let kinds = writer.integrations()?;
                let from = kinds.iter().find(|other| other.id == from);
                let audit = NewAudit {
                    origin,
                    action: match kind {
                        Kind::User => "user.released",
                        Kind::Group => "group.released",
                    },
                    object: id.to_string(),
                    detail: json!({"from": from.map(|from| from.kind.word())}),
                };
                writer.append_audit(now, &audit)?;
                let change = NewChange {
                    kind,
                    id,
                    action: Action::Updated,
                    document: Some(after.resource.into_value()),
                    membership: rollcall_model::Membership::default(),
                    summary: Summary {
                        version: Some(after.version),
                        actor: Some(actor),
                        attributes: Vec::new(),
                    },
                };
                writer.append_change(now, &change)?;
                Ok(())
            })
            .await
    }
}

/// Returns the place of the e-mail that is used first.
pub(crate) fn first_email(emails: &[Value]) -> Option<usize> {
    let primary = emails
        .iter()
        .position(|email| email.get("primary").and_then(Value::as_bool) == Some(true));
    primary.or((!emails.is_empty()).then_some(0))
}

/// Returns who of these people still has to activate.
fn invited<R: Reader + ?Sized>(
    reader: &R,
    entries: &[Entry],
) -> Result<BTreeSet<ResourceId>, Failure> {
    let organisation = reader.organisation()?;
    let mut found = BTreeSet::new();
    for entry in entries.iter().filter(|entry| entry.kind == Kind::User) {
        let activation = reader.activation(entry.id)?;
        if standing(&organisation, entry, activation.as_ref()) == Standing::Invited {
            found.insert(entry.id);
        }
    }
    Ok(found)
}

fn by_id<R: Reader + ?Sized>(
    reader: &R,
    kind: Kind,
    search: &Search,
) -> Result<Option<Entry>, Failure> {
    let Ok(id) = search.text.trim().parse::<ResourceId>() else {
        return Ok(None);
    };
    let entry = reader.entry(kind, id)?;
    Ok(entry.filter(|entry| {
        let is_wanted = search
            .managed_by
            .is_none_or(|managed_by| entry.managed_by == managed_by);
        is_wanted
            && search
                .active
                .is_none_or(|active| entry.resource.is_active() == active)
    }))
}

/// Names an object, if it is there.
fn named<R: ReadDirectory + ?Sized>(reader: &R, id: ResourceId) -> Result<Option<Named>, Failure> {
    let Some(kind) = reader.kind_of(id)? else {
        return Ok(None);
    };
    let entry = reader.entry(kind, id)?;
    Ok(entry.map(|entry| Named {
        id,
        name: title(&entry),
    }))
}

/// Returns the name by which people know an object: what it shows, else its userName.
pub fn title(entry: &Entry) -> String {
    let resource = &entry.resource;
    let shown = resource
        .display_name()
        .filter(|name| !key::canonical(name).is_empty());
    shown
        .or_else(|| resource.user_name())
        .unwrap_or("Without a name")
        .to_owned()
}

/// Tells how many came into a group and went out of it.
fn moved(entry: &AuditEntry) -> u64 {
    let count = |field| entry.detail.get(field).and_then(Value::as_u64);
    count("added").unwrap_or(0) + count("removed").unwrap_or(0)
}

/// Returns who came into a group and who went lately, a few of them by name.
fn memberships<R: Reader + ?Sized>(reader: &R, group: ResourceId) -> Result<Vec<Moved>, Failure> {
    const NAMED: usize = 5;
    let changes: Vec<Change> = reader.object_changes(Kind::Group, group, None, SHOWN as u64)?;
    let mut found = Vec::new();
    for change in changes
        .into_iter()
        .filter(|change| !change.membership.is_empty())
    {
        let names = |ids: &[ResourceId]| {
            let mut names = Vec::new();
            for id in ids.iter().take(NAMED) {
                let name = named(reader, *id)?.map(|named| named.name);
                names.push(name.unwrap_or_else(|| "somebody who is gone".to_owned()));
            }
            Ok::<_, Failure>(names)
        };
        let membership = &change.membership;
        found.push(Moved {
            at: change.at,
            added: names(&membership.added)?,
            removed: names(&membership.removed)?,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use rollcall_model::IntegrationKind;

    use super::*;
    use crate::testing::Installation;

    async fn person(installation: &Installation, context: &Context, name: &str) -> ResourceId {
        let body = json!({"userName": name, "displayName": format!("The {name}"), "externalId": format!("x-{name}"),
            "emails": [{"value": format!("{name}@mail.example")}]});
        let created = installation.app.create(context, Kind::User, body).await;
        created.unwrap().entry.id
    }

    #[tokio::test]
    async fn people_are_found_by_how_their_names_begin_and_by_what_identifies_them() {
        let installation = Installation::new().await;
        let (_, _, directory) = installation.directory(IntegrationKind::Okta).await;
        let command = installation.command();
        let ann = person(&installation, &directory, "ann").await;
        // ids are in order of time
        installation
            .clock
            .advance(jiff::SignedDuration::from_secs(1));
        let bob = person(&installation, &command, "bob").await;
        let app = &installation.app;
        app.set_active(&command, bob, false).await.unwrap();
        let find = async |text: &str, active, managed_by| {
            let search = Search {
                text: text.to_owned(),
                active,
                managed_by,
                after: None,
            };
            let found = app.find(&command, Kind::User, search, 10).await.unwrap();
            let ids: Vec<ResourceId> = found.entries.iter().map(|entry| entry.id).collect();
            ids
        };
        let okta = directory.integration;
        for (text, active, managed_by, expected) in [
            ("", None, None, vec![ann, bob]),
            ("AN", None, None, vec![ann]),
            ("the b", None, None, vec![bob]),
            ("bob@", None, None, vec![bob]),
            ("x-ann", None, None, vec![ann]),
            (&ann.to_string(), None, None, vec![ann]),
            (&ann.to_string(), Some(false), None, vec![]),
            ("\"or\" \\ (", None, None, vec![]),
            ("the", Some(true), None, vec![ann]),
            ("", Some(false), None, vec![bob]),
            ("", None, Some(okta), vec![ann]),
            ("the", None, Some(None), vec![bob]),
        ] {
            let found = find(text, active, managed_by).await;
            assert_eq!(found, expected, "{text} {active:?} {managed_by:?}");
        }
    }

    #[tokio::test]
    async fn a_released_account_is_changed_by_hand_and_adopted_by_the_next_directory() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let (_, _, okta) = installation.directory(IntegrationKind::Okta).await;
        let (_, _, entra) = installation.directory(IntegrationKind::Entra).await;
        let command = installation.command();
        let ann = person(&installation, &okta, "ann").await;
        let edit = Edit {
            display_name: "Ann Lee".into(),
            email: "ann.lee@mail.example".into(),
        };
        let refused = app.edit_person(&command, ann, 1, edit.clone()).await;
        assert!(
            matches!(refused, Err(Failure::Forbidden { .. })),
            "{refused:?}"
        );
        let theirs = app.release(&okta, Kind::User, ann).await;
        assert!(
            matches!(theirs, Err(Failure::Forbidden { .. })),
            "{theirs:?}"
        );

        app.release(&command, Kind::User, ann).await.unwrap();
        let stale = app.edit_person(&command, ann, 1, edit.clone()).await;
        let edited = app.edit_person(&command, ann, 2, edit).await.unwrap();

        assert!(matches!(stale, Err(Failure::Precondition)), "{stale:?}");
        let resource = &edited.entry.resource;
        assert_eq!(resource.display_name(), Some("Ann Lee"));
        assert_eq!(
            resource.emails().collect::<Vec<_>>(),
            ["ann.lee@mail.example"]
        );
        let body = json!({"userName": "ann"});
        let adopted = app.create(&entra, Kind::User, body).await.unwrap();
        assert_eq!(adopted.entry.id, ann);
        let whole = app.whole(&command, Kind::User, ann).await.unwrap();
        let actions: Vec<&str> = whole
            .history
            .iter()
            .map(|one| one.action.as_str())
            .collect();
        assert_eq!(
            actions,
            [
                "user.adopted",
                "user.updated",
                "user.released",
                "user.created"
            ]
        );
    }

    #[tokio::test]
    async fn an_object_is_shown_with_what_belongs_to_it() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let command = installation.command();
        let boss = person(&installation, &command, "boss").await;
        let body = json!({"userName": "ann", rollcall_scim::schema::ENTERPRISE_USER: {"manager": {"value": boss}}});
        let ann = app
            .create(&command, Kind::User, body)
            .await
            .unwrap()
            .entry
            .id;
        let body = json!({"displayName": "Sales", "members": [{"value": ann}, {"value": boss}]});
        let sales = app
            .create(&command, Kind::Group, body)
            .await
            .unwrap()
            .entry
            .id;

        let (boss_page, ann_page) = (
            app.whole(&command, Kind::User, boss).await.unwrap(),
            app.whole(&command, Kind::User, ann).await.unwrap(),
        );
        let group_page = app.whole(&command, Kind::Group, sales).await.unwrap();
        let (first, next) = app.listed_members(&command, sales, None, 1).await.unwrap();
        let (second, end) = app.listed_members(&command, sales, next, 1).await.unwrap();

        assert_eq!(boss_page.reports[0].id, ann);
        assert_eq!(ann_page.manager.unwrap().name, "The boss");
        assert_eq!(ann_page.groups[0].name, "Sales");
        assert_eq!(group_page.memberships[0].added.len(), 2);
        assert_eq!((first.len(), second.len(), end), (1, 1, None));
    }
}
