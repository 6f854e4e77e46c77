//! People: created, read, deleted.

use http::Method;
use http::header::LOCATION;
use rollcall_scim::list::LIST_SCHEMA;
use serde_json::{Value, json};

use super::{Draft, ENTERPRISE, Made, USER, create, create_person};
use crate::catalogue as promise;
use crate::session::{Answer, Expected, Session, Wrong, at, equal, same};

/// Creates the person that everything else is tested on.
pub(super) async fn created(session: &mut Session) -> Option<Made> {
    let draft = Draft::of(session, "one");
    let (answer, person) = create_person(session, &draft).await;
    let outcome = is_created(&answer, &draft).and_then(|()| person.clone().map(drop));
    session.note(&promise::PEOPLE_ARE_CREATED, outcome);
    let Ok(person) = person else {
        return None;
    };
    session.show(&answer);
    session.note(&promise::WHERE_IT_IS_IS_TOLD, location(&answer));
    session.show(&answer);
    let external = equal(
        "externalId",
        answer.at("/externalId"),
        &json!(draft.external_id),
    );
    session.note(&promise::EXTERNAL_IDS_ARE_KEPT, external);
    session.show(&answer);
    let work = equal(
        &format!("{ENTERPRISE}:department"),
        answer.at(&format!("/{ENTERPRISE}/department")),
        &json!("Testing"),
    );
    session.note(&promise::WORK_IS_KEPT, work);
    twice(session, &draft).await;
    let nobody = Expected {
        collection: "Users",
        attribute: "displayName",
        name: format!("Nobody {}", session.exam.mark),
    };
    let body = json!({"schemas": [USER], "displayName": nobody.name});
    let (nameless, _) = create(session, nobody, body).await;
    let outcome = nameless.is(400).and_then(|answer| answer.is_error(None));
    session.note(&promise::NAMELESS_IS_REFUSED, outcome.map(drop));
    Some(person)
}

fn is_created(answer: &Answer, draft: &Draft) -> Result<(), Wrong> {
    answer.is(201)?.has_schema(USER)?;
    if answer.at("/id").as_str().is_none_or(str::is_empty) {
        return Err("`id` is missing".into());
    }
    same("userName", answer.at("/userName"), &draft.name)?;
    equal("active", answer.at("/active"), &json!(true))?;
    equal(
        "meta.resourceType",
        answer.at("/meta/resourceType"),
        &json!("User"),
    )
}

fn location(answer: &Answer) -> Result<(), Wrong> {
    let header = answer.headers.get(LOCATION);
    let header = header.and_then(|header| header.to_str().ok());
    match (header, answer.at("/meta/location").as_str()) {
        (Some(header), Some(location)) if header == location => Ok(()),
        (None, _) => Err("the header `Location` is missing".into()),
        (_, None) => Err("`meta.location` is missing".into()),
        (Some(header), Some(location)) => {
            Err(format!("`Location` is {header}, and `meta.location` {location}").into())
        }
    }
}

/// Creates the same person again, in another case.
async fn twice(session: &mut Session, draft: &Draft) {
    let upper = draft.name.to_uppercase();
    let again = Draft::called(&upper, "one", &session.exam.mark);
    let (answer, _) = create_person(session, &again).await;
    let outcome = answer
        .is(409)
        .and_then(|answer| answer.is_error(Some("uniqueness")));
    session.note(&promise::NAMES_ARE_TAKEN_ONCE, outcome.map(drop));
}

/// Reads and finds the person.
pub(super) async fn read(session: &mut Session, person: &Made) {
    let read = session.get(&person.path).await;
    let is_same = read.is(200).map(drop).and_then(|()| {
        equal("id", read.at("/id"), &json!(person.id))?;
        same("userName", read.at("/userName"), &person.name)
    });
    session.note(&promise::PEOPLE_ARE_READ, is_same);
    let external = read.at("/externalId").as_str().unwrap_or_default();
    let cases = [
        (&promise::NAMES_ARE_FOUND, "userName", person.name.clone()),
        (
            &promise::CASE_DOES_NOT_MATTER,
            "userName",
            person.name.to_uppercase(),
        ),
        (
            &promise::EXTERNAL_IDS_ARE_FOUND,
            "externalId",
            external.to_owned(),
        ),
    ];
    for (promise, attribute, value) in cases {
        if session.skips(promise, "filter") {
            continue;
        }
        let path = format!("/Users?filter={attribute} eq \"{value}\"");
        let found = session.get(&path).await;
        session.note(promise, is_alone(&found, person));
    }
    let path = format!("{}?attributes=userName", person.path);
    let less = session.get(&path).await;
    session.note(&promise::LESS_CAN_BE_ASKED_FOR, is_less(&less, person));
}

/// Makes sure that a list has one person, and which.
pub(super) fn is_alone(answer: &Answer, made: &Made) -> Result<(), Wrong> {
    let total = answer.is(200)?.has_schema(LIST_SCHEMA)?.total()?;
    if total != 1 {
        return Err(format!("it found {total} instead of one").into());
    }
    let id = answer.resources().first().map(|one| at(one, "/id"));
    equal("id", id.unwrap_or(&Value::Null), &json!(made.id))
}

fn is_less(answer: &Answer, person: &Made) -> Result<(), Wrong> {
    same("userName", answer.is(200)?.at("/userName"), &person.name)?;
    equal("id", answer.at("/id"), &json!(person.id))?;
    equal("displayName", answer.at("/displayName"), &Value::Null)
}

/// Deletes the person, looks for them, and gives the name to another.
pub(super) async fn deleted(session: &mut Session, person: &Made) {
    let answer = session.ask(Method::DELETE, &person.path, None).await;
    session.note(&promise::PEOPLE_ARE_DELETED, answer.is(204).map(drop));
    if answer.has_status(&[204]) {
        session.forget(&person.path);
    }
    let gone = session.get(&person.path).await;
    let mut outcome = gone.is(404).map(drop);
    if outcome.is_ok() && !session.lacks("filter") {
        let path = format!("/Users?filter=userName eq \"{}\"", person.name);
        outcome = match session.get(&path).await.total() {
            Ok(0) => Ok(()),
            Ok(_) => Err("a filter still finds them".into()),
            Err(wrong) => Err(wrong),
        };
    }
    session.note(&promise::WHO_IS_DELETED_IS_GONE, outcome);
    let draft = Draft::of(session, "one");
    let (again, _) = create_person(session, &draft).await;
    let outcome = again
        .is(201)
        .and_then(|answer| same("userName", answer.at("/userName"), &draft.name));
    session.note(&promise::NAMES_ARE_FREE_AGAIN, outcome);
}
