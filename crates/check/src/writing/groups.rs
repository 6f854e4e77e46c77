//! A group with two members, who come and go.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use super::people::is_alone;
use super::{Draft, Made, after, create, create_person};
use crate::session::{Answer, Expected, Session, Wrong, at, equal};
use crate::{Persona, catalogue as promise};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

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
        has(&answer, &[person, &other])?;
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

/// Makes sure who is in a group.
pub(super) fn has(group: &Answer, members: &[&Made]) -> Result<(), Wrong> {
    let values = group.at("/members").as_array().into_iter().flatten();
    let found: BTreeSet<&str> = values
        .filter_map(|member| at(member, "/value").as_str())
        .collect();
    let expected: BTreeSet<&str> = members.iter().map(|member| member.id.as_str()).collect();
    if found == expected {
        return Ok(());
    }
    Err(format!(
        "the members are {} instead of {}",
        told(&found),
        told(&expected)
    )
    .into())
}

fn told(ids: &BTreeSet<&str>) -> String {
    let ids: Vec<&str> = ids.iter().copied().collect();
    if ids.is_empty() {
        "nobody".to_owned()
    } else {
        ids.join(" and ")
    }
}

async fn found(session: &mut Session, group: &Made, person: &Made) {
    let path = format!("/Groups?filter=displayName eq \"{}\"", group.name);
    let found = session.get(&path).await;
    session.note(&promise::GROUPS_ARE_FOUND, is_alone(&found, group));
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

async fn changed(session: &mut Session, group: &Made, (person, other): (&Made, &Made)) {
    let mut cases = vec![
        (
            &promise::MEMBERS_LEAVE,
            json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", other.id)}]),
            vec![person],
        ),
        (
            &promise::MEMBERS_JOIN,
            json!([{"op": "add", "path": "members", "value": [{"value": other.id}]}]),
            vec![person, other],
        ),
    ];
    match session.exam.persona {
        Persona::Rfc => {}
        Persona::Entra => cases.push((
            &promise::ENTRA_MEMBERS_LEAVE,
            json!([{"op": "Remove", "path": "members", "value": [{"value": other.id}]}]),
            vec![person],
        )),
        Persona::Okta => cases.push((
            &promise::OKTA_REPLACES_MEMBERS,
            json!([{"op": "replace", "path": "members", "value": [{"value": other.id}]}]),
            vec![other],
        )),
    }
    let mut members = Vec::new();
    for (promise, operations, expected) in cases {
        let answer = session.patch(&group.path, operations).await;
        let now = after(session, answer, &group.path).await;
        session.note(promise, now.and_then(|now| has(&now, &expected)));
        members = expected;
    }
    let mut names = vec![(
        &promise::GROUPS_ARE_RENAMED,
        json!([{"op": "replace", "path": "displayName", "value": format!("{} again", group.name)}]),
        format!("{} again", group.name),
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
