//! A group with two members, who come and go.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use super::people::is_alone;
use super::{Draft, Made, after, create, create_person};
use crate::session::{Answer, Expected, Session, Wrong, at, equal};
use crate::{Persona, catalogue as promise};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// The ids of members.
type Ids = BTreeSet<String>;

/// The promises about groups, with those of the personas.
fn all(persona: Persona) -> impl Iterator<Item = &'static promise::Promise> {
    promise::ALL.iter().copied().filter(move |one| {
        let of_dialect = match persona {
            Persona::Rfc => &[][..],
            Persona::Entra => &["entra.leave", "entra.group-filter"][..],
            Persona::Okta => &["okta.members", "okta.rename"][..],
        };
        one.id.starts_with("group.") || of_dialect.contains(&one.id)
    })
}

pub(super) async fn run(session: &mut Session, person: &Made) {
    let persona = session.exam.persona;
    if session.is_without_groups() {
        for promise in all(persona) {
            session.skip(
                promise,
                "there are no groups: `GET /Groups` is not answered",
            );
        }
        return;
    }
    let draft = Draft::of(session, "two");
    let (_, other) = create_person(session, &draft).await;
    let Ok(other) = other else {
        for promise in all(persona) {
            session.skip(promise, "a second person could not be created");
        }
        return;
    };
    let expected = Expected {
        collection: "Groups",
        attribute: "displayName",
        name: format!("Check {}", session.exam.mark),
    };
    let name = json!(expected.name);
    let body = json!({
        "schemas": [GROUP],
        "displayName": name,
        "members": [{"value": person.id}, {"value": other.id}],
    });
    let (answer, group) = create(session, expected, body).await;
    let is_created = answer.is(201).map(drop).and_then(|()| {
        equal("displayName", answer.at("/displayName"), &name)?;
        has(&answer, &Ids::from([person.id.clone(), other.id.clone()]))?;
        group.clone().map(drop)
    });
    session.note(&promise::GROUPS_ARE_CREATED, is_created);
    let Ok(group) = group else {
        for promise in all(persona).filter(|one| **one != promise::GROUPS_ARE_CREATED) {
            session.skip(promise, "no group could be created");
        }
        return;
    };
    found(session, &group, person).await;
    changed(session, &group, (person, &other)).await;
    deleted(session, &group, person).await;
}

/// Returns who is in a group.
fn members(group: &Answer) -> Ids {
    let values = group.at("/members").as_array().into_iter().flatten();
    let ids = values.filter_map(|member| at(member, "/value").as_str());
    ids.map(str::to_owned).collect()
}

/// Makes sure who is in a group.
fn has(group: &Answer, expected: &Ids) -> Result<(), Wrong> {
    let found = members(group);
    if found == *expected {
        return Ok(());
    }
    Err(format!(
        "the members are {} instead of {}",
        told(&found),
        told(expected)
    )
    .into())
}

fn told(members: &Ids) -> String {
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    if members.is_empty() {
        "nobody".to_owned()
    } else {
        members.join(" and ")
    }
}

async fn found(session: &mut Session, group: &Made, person: &Made) {
    let path = format!("/Groups?filter=displayName eq \"{}\"", group.name);
    if !session.skips(&promise::GROUPS_ARE_FOUND, "filter") {
        let found = session.get(&path).await;
        session.note(&promise::GROUPS_ARE_FOUND, is_alone(&found, group));
    }
    let less = session
        .get(&format!("{}?excludedAttributes=members", group.path))
        .await;
    let is_less = less
        .is(200)
        .and_then(|less| equal("members", less.at("/members"), &Value::Null));
    session.note(&promise::MEMBERS_CAN_BE_LEFT_OUT, is_less);
    if session.exam.persona == Persona::Entra {
        let path = format!("{path}&excludedAttributes=members");
        let found = session.get(&path).await;
        session.note(&promise::ENTRA_GROUP_FILTER, is_alone(&found, group));
    }
    let of = session.get(&person.path).await;
    let groups = of.at("/groups").as_array().into_iter().flatten();
    let is_told = groups
        .into_iter()
        .any(|one| at(one, "/value") == group.id.as_str());
    let outcome = of.is(200).and_then(|_| {
        is_told
            .then_some(())
            .ok_or_else(|| "`groups` does not name the group".into())
    });
    session.note(&promise::GROUPS_ARE_TOLD, outcome);
}

/// A change of the members.
struct Case {
    promise: &'static promise::Promise,
    /// Who is in the group before.
    before: Ids,
    operations: Value,
    /// Says who is in the group afterwards, of those who are in it; absent: the change would show nothing.
    after: fn(Ids, &str) -> Option<Ids>,
}

fn without(mut members: Ids, other: &str) -> Option<Ids> {
    members.remove(other).then_some(members)
}

fn with(mut members: Ids, other: &str) -> Option<Ids> {
    members.insert(other.to_owned()).then_some(members)
}

fn alone(members: Ids, other: &str) -> Option<Ids> {
    let alone = Ids::from([other.to_owned()]);
    (members != alone).then_some(alone)
}

async fn changed(session: &mut Session, group: &Made, (person, other): (&Made, &Made)) {
    let both = Ids::from([person.id.clone(), other.id.clone()]);
    let one = Ids::from([person.id.clone()]);
    let mut cases = vec![
        Case {
            promise: &promise::MEMBERS_LEAVE,
            before: both.clone(),
            operations: json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", other.id)}]),
            after: without,
        },
        Case {
            promise: &promise::MEMBERS_JOIN,
            before: one,
            operations: json!([{"op": "add", "path": "members", "value": [{"value": other.id}]}]),
            after: with,
        },
    ];
    match session.exam.persona {
        Persona::Rfc => {}
        Persona::Entra => cases.push(Case {
            promise: &promise::ENTRA_MEMBERS_LEAVE,
            before: both,
            operations: json!([{"op": "Remove", "path": "members", "value": [{"value": other.id}]}]),
            after: without,
        }),
        Persona::Okta => cases.push(Case {
            promise: &promise::OKTA_REPLACES_MEMBERS,
            before: both,
            operations: json!([{"op": "replace", "path": "members", "value": [{"value": other.id}]}]),
            after: alone,
        }),
    }
    for case in cases {
        let promise = case.promise;
        if session.skips(promise, "patch") {
            continue;
        }
        let outcome = changes(session, group, case, &other.id).await;
        session.note(promise, outcome);
    }
    renamed(session, group).await;
}

/// Changes the members, and looks who is in the group then.
async fn changes(
    session: &mut Session,
    group: &Made,
    case: Case,
    other: &str,
) -> Result<(), Wrong> {
    let before = prepared(session, group, case.before).await?;
    let told = told(&before);
    let Some(expected) = (case.after)(before, other) else {
        return Err(Wrong::Untested(format!(
            "the members are {told}, and putting others there by PUT had no effect"
        )));
    };
    let answer = session.patch(&group.path, case.operations).await;
    has(&after(session, answer, &group.path).await?, &expected)
}

/// Puts members into the group where others are in it, so that a change that went wrong does not make the next one look wrong as well;
/// returns who is in it then.
async fn prepared(session: &mut Session, group: &Made, wanted: Ids) -> Result<Ids, Wrong> {
    let now = session.get(&group.path).await;
    if members(readable(&now)?) == wanted {
        return Ok(wanted);
    }
    let all: Vec<Value> = wanted.iter().map(|id| json!({"value": id})).collect();
    let whole = json!({
        "schemas": [GROUP],
        "id": group.id,
        "displayName": group.name,
        "members": all,
    });
    session.ask(Method::PUT, &group.path, Some(whole)).await;
    let now = session.get(&group.path).await;
    Ok(members(readable(&now)?))
}

/// Makes sure that there is something to compare with; that there is not, is no fault of the change.
fn readable(group: &Answer) -> Result<&Answer, Wrong> {
    group.is(200).map_err(|wrong| match wrong {
        Wrong::Found(why) => Wrong::Untested(format!("the group could not be read: {why}")),
        untested @ Wrong::Untested(_) => untested,
    })
}

async fn renamed(session: &mut Session, group: &Made) {
    let again = format!("{} again", group.name);
    let mut names = vec![(
        &promise::GROUPS_ARE_RENAMED,
        json!([{"op": "replace", "path": "displayName", "value": again}]),
        again,
    )];
    if session.exam.persona == Persona::Okta {
        let name = format!("{} of Okta", group.name);
        names.push((
            &promise::OKTA_RENAMES,
            json!([{"op": "replace", "value": {"id": group.id, "displayName": name}}]),
            name,
        ));
    }
    for (promise, operations, name) in names {
        if session.skips(promise, "patch") {
            continue;
        }
        let before = session.get(&group.path).await;
        let members = match readable(&before) {
            Ok(group) => members(group),
            Err(why) => {
                session.note(promise, Err(why));
                continue;
            }
        };
        let answer = session.patch(&group.path, operations).await;
        let now = after(session, answer, &group.path).await;
        let outcome = now.and_then(|now| {
            equal("displayName", now.at("/displayName"), &json!(name))?;
            has(&now, &members)
        });
        session.note(promise, outcome);
    }
}

async fn deleted(session: &mut Session, group: &Made, person: &Made) {
    let answer = session.ask(Method::DELETE, &group.path, None).await;
    if answer.has_status(&[204]) {
        session.forget(&group.path);
    }
    let member = session.get(&person.path).await;
    let gone = session.get(&group.path).await;
    let outcome = answer.is(204).map(drop).and_then(|()| {
        gone.is(404)?;
        if member.has_status(&[404]) {
            return Err("a member is gone with the group".into());
        }
        member.is(200).map(drop)
    });
    session.note(&promise::GROUPS_ARE_DELETED, outcome);
}
