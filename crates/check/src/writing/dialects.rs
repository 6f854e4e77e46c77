//! What certain directories send, as they send it.

use http::Method;
use serde_json::{Value, json};

use super::{Draft, ENTERPRISE, Made, USER, after, create_person, of_type, patched};
use crate::catalogue as promise;
use crate::session::{Answer, Session, at, equal};

/// Asks as Microsoft Entra ID does.
pub(super) async fn entra(session: &mut Session, person: &Made) {
    let operations = json!([
        {"op": "Add", "path": "title", "value": "Added"},
        {"op": "Replace", "path": "displayName", "value": "Replaced"},
    ]);
    patched(
        session,
        &promise::ENTRA_OPERATIONS,
        (person, operations),
        |now| {
            equal("title", now.at("/title"), &json!("Added"))?;
            equal("displayName", now.at("/displayName"), &json!("Replaced"))
        },
    )
    .await;
    let path = "phoneNumbers[type eq \"work\"].value";
    let operations = json!([{"op": "Add", "path": path, "value": "+47 555 0100"}]);
    patched(
        session,
        &promise::ENTRA_CREATES_VALUES,
        (person, operations),
        |now| {
            let work = of_type(now.at("/phoneNumbers"), "work").map(|phone| at(phone, "/value"));
            equal(path, work.unwrap_or(&Value::Null), &json!("+47 555 0100"))
        },
    )
    .await;
    let department = format!("{ENTERPRISE}:department");
    let operations = json!([{"op": "Replace", "value": {
        "name.familyName": "Dotted",
        (department.as_str()): "Dialects",
    }}]);
    patched(
        session,
        &promise::ENTRA_DOTTED_NAMES,
        (person, operations),
        |now| {
            equal(
                "name.familyName",
                now.at("/name/familyName"),
                &json!("Dotted"),
            )?;
            equal(
                &department,
                now.at(&format!("/{ENTERPRISE}/department")),
                &json!("Dialects"),
            )
        },
    )
    .await;
    manager(session, person).await;
    let operations = json!([{"op": "Replace", "path": "active", "value": "False"}]);
    patched(
        session,
        &promise::ENTRA_DISABLES,
        (person, operations),
        |now| equal("active", now.at("/active"), &json!(false)),
    )
    .await;
    let path = format!("/Users?filter=userName eq \"{}\"", person.name);
    let found = session.get(&path).await;
    session.note(
        &promise::ENTRA_FINDS_DISABLED,
        super::people::is_alone(&found, person),
    );
    let operations = json!([{"op": "Replace", "path": "active", "value": "True"}]);
    session.patch(&person.path, operations).await;
}

async fn manager(session: &mut Session, person: &Made) {
    let draft = Draft::of(session, "boss");
    let (_, boss) = create_person(session, &draft).await;
    let Ok(boss) = boss else {
        session.skip(&promise::ENTRA_MANAGERS, "a manager could not be created");
        return;
    };
    let path = format!("{ENTERPRISE}:manager");
    let operations = json!([{"op": "Add", "path": path, "value": boss.id}]);
    patched(
        session,
        &promise::ENTRA_MANAGERS,
        (person, operations),
        |now| {
            let manager = now.at(&format!("/{ENTERPRISE}/manager"));
            equal(&format!("{path}.value"), &manager["value"], &json!(boss.id))
        },
    )
    .await;
}

/// Asks as Okta does.
pub(super) async fn okta(session: &mut Session, person: &Made) {
    let is_disabled = |now: &Answer| equal("active", now.at("/active"), &json!(false));
    let whole = |active: bool| {
        json!({
            "schemas": [USER],
            "id": person.id,
            "userName": person.name,
            "name": {"givenName": "Check", "familyName": "Okta"},
            "emails": [{"primary": true, "value": person.name, "type": "work"}],
            "active": active,
        })
    };
    let answer = session
        .ask(Method::PUT, &person.path, Some(whole(false)))
        .await;
    let now = after(session, answer, &person.path).await;
    session.note(
        &promise::OKTA_DISABLES_BY_PUT,
        now.and_then(|now| is_disabled(&now)),
    );
    session
        .ask(Method::PUT, &person.path, Some(whole(true)))
        .await;
    let operations = json!([{"op": "replace", "value": {"active": false}}]);
    patched(
        session,
        &promise::OKTA_DISABLES_BY_PATCH,
        (person, operations),
        is_disabled,
    )
    .await;
    let operations = json!([{"op": "replace", "value": {"active": true}}]);
    session.patch(&person.path, operations).await;
}
