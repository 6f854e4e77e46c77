//! What can be tested only by creating, changing and deleting: three people and a group, all of whom are deleted again.

mod changes;
mod dialects;
mod groups;
mod people;

use http::Method;
use serde_json::{Value, json};

use crate::session::{Answer, Expected, Session, Wrong, at};
use crate::{Persona, catalogue as promise};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Attributes of a person that are plain texts. An endpoint may leave them out.
const TEXTS: [&str; 3] = ["displayName", "title", "nickName"];

/// Somebody or something that was created.
#[derive(Debug, Clone)]
struct Made {
    id: String,
    /// Its path below the base.
    path: String,
    /// userName or displayName.
    name: String,
    /// Which of [`TEXTS`] it has.
    texts: Vec<&'static str>,
}

pub(crate) async fn run(session: &mut Session) {
    session.begin_writing();
    let Some(person) = people::created(session).await else {
        session.note_passwords();
        // nothing else can be tested on nobody
        let rest = promise::ALL.iter().filter(|one| {
            let is_persons = match one.id.split_once('.') {
                Some(("entra", _)) => session.exam.persona == Persona::Entra,
                Some(("okta", _)) => session.exam.persona == Persona::Okta,
                _ => true,
            };
            is_persons && !session.has_noted(one)
        });
        let rest: Vec<_> = rest.copied().collect();
        for promise in rest {
            session.skip(promise, "no person could be created");
        }
        return;
    };
    people::read(session, &person).await;
    changes::run(session, &person).await;
    match session.exam.persona {
        Persona::Rfc => {}
        Persona::Entra => dialects::entra(session, &person).await,
        Persona::Okta => dialects::okta(session, &person).await,
    }
    groups::run(session, &person).await;
    people::deleted(session, &person).await;
    session.note_passwords();
}

/// Somebody who is to be created.
#[derive(Debug)]
struct Draft {
    /// The userName.
    name: String,
    external_id: String,
    /// The whole resource.
    body: Value,
}

impl Draft {
    /// Draws somebody up with names of this exam's own.
    fn of(session: &Session, role: &str) -> Self {
        let mark = &session.exam.mark;
        Self::called(&format!("Check-{role}-{mark}@example.com"), role, mark)
    }

    fn called(name: &str, role: &str, mark: &str) -> Self {
        let external_id = format!("check-{role}-{mark}");
        let body = json!({
            "schemas": [USER, ENTERPRISE],
            "userName": name,
            "externalId": external_id,
            "displayName": format!("Check {role}"),
            "title": "Tester",
            "nickName": "Probe",
            "name": {"givenName": "Check", "familyName": role},
            "emails": [{"value": format!("check-{role}-{mark}@example.com"), "type": "work", "primary": true}],
            "active": true,
            "password": format!("A-long-one-{mark}!"),
            (ENTERPRISE): {"department": "Testing", "employeeNumber": "4711"},
        });
        Self {
            name: name.to_owned(),
            external_id,
            body,
        }
    }
}

/// Creates somebody.
async fn create_person(session: &mut Session, draft: &Draft) -> (Answer, Result<Made, Wrong>) {
    let expected = Expected {
        collection: "Users",
        attribute: "userName",
        name: draft.name.clone(),
    };
    create(session, expected, draft.body.clone()).await
}

/// Creates somebody or something, and remembers it: whatever comes in between, it is deleted again. Nothing is made when the endpoint
/// does not say what it is known by, or says what somebody else is known by.
async fn create(
    session: &mut Session,
    expected: Expected,
    body: Value,
) -> (Answer, Result<Made, Wrong>) {
    session.expect(&expected);
    let collection = format!("/{}", expected.collection);
    let answer = session.ask(Method::POST, &collection, Some(body)).await;
    if answer.is_without_effect() {
        session.give_up(&expected);
    }
    let made = match answer.is_success() {
        Ok(_) => identified(session, &expected, &answer.body).await,
        Err(wrong) => Err(wrong),
    };
    session.show(&answer);
    (answer, made)
}

/// Makes sure that an id leads to what was created: everything that follows changes and deletes what is there.
async fn identified(
    session: &mut Session,
    expected: &Expected,
    created: &Value,
) -> Result<Made, Wrong> {
    let (Some(path), Some(id)) = (expected.path(created), at(created, "/id").as_str()) else {
        return Err("`id` is missing".into());
    };
    let shown = session.get(&path).await;
    let is_there = if shown.has_status(&[200]) {
        expected.is(&shown.body)
    } else {
        let found = session.get(&expected.search()).await;
        let found = expected.found_alone(&found);
        found.is_some_and(|paths| paths.contains(&path))
    };
    if !is_there {
        let wrong = format!(
            "`id` does not lead to who was created: at `{path}` is somebody else, or nobody"
        );
        return Err(wrong.into());
    }
    session.keep(expected, &path);
    let shown = shown.is(200).map_or(created, |shown| &shown.body);
    let mut texts = TEXTS.to_vec();
    texts.retain(|text| at(shown, &format!("/{text}")).is_string());
    Ok(Made {
        texts,
        id: id.to_owned(),
        path,
        name: expected.name.clone(),
    })
}

/// Makes sure that a change was answered as one, and reads what is there now: what counts is what the next reader sees.
async fn after(session: &mut Session, changed: Answer, path: &str) -> Result<Answer, Wrong> {
    changed.is_one_of(&[200, 204])?;
    let now = session.get(path).await;
    now.is(200).cloned()
}

/// Changes a person, and looks what came of it.
async fn patched(
    session: &mut Session,
    promise: &'static promise::Promise,
    (person, operations): (&Made, Value),
    look: impl FnOnce(&Answer) -> Result<(), Wrong>,
) {
    if session.skips(promise, "patch") {
        return;
    }
    let answer = session.patch(&person.path, operations).await;
    let now = after(session, answer, &person.path).await;
    session.note(promise, now.and_then(|now| look(&now)));
}

/// Returns the only value of a type.
fn of_type<'v>(values: &'v Value, kind: &str) -> Option<&'v Value> {
    let mut all = values.as_array()?.iter();
    all.find(|value| at(value, "/type") == kind)
}
