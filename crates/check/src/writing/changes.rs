//! A person, changed in every way.

use http::Method;
use http::header::IF_MATCH;
use serde_json::{Map, Value, json};

use super::{Made, USER, after, of_type, patched};
use crate::catalogue as promise;
use crate::session::{Answer, As, Session, Wrong, at, equal, same};

/// Looks what came of a change.
type Look<'l> = Box<dyn Fn(&Answer) -> Result<(), Wrong> + Send + 'l>;

/// Changes the person in every way.
pub(super) async fn run(session: &mut Session, person: &Made) {
    texts(session, person).await;
    let email = format!("two-{}", person.name);
    let is_active = |expected: bool| -> Look<'_> {
        Box::new(move |now| equal("active", now.at("/active"), &json!(expected)))
    };
    let cases: [(_, _, Look<'_>); 4] = [
        (
            &promise::PARTS_ARE_REPLACED,
            json!([{"op": "replace", "path": "name.familyName", "value": "Two"}]),
            Box::new(|now| {
                equal("name.familyName", now.at("/name/familyName"), &json!("Two"))?;
                equal("name.givenName", now.at("/name/givenName"), &json!("Check"))
            }),
        ),
        (
            &promise::VALUES_ARE_CHOSEN,
            json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": email}]),
            Box::new(|now| {
                let work = of_type(now.at("/emails"), "work").map(|email| at(email, "/value"));
                same(
                    "emails[type eq \"work\"].value",
                    work.unwrap_or(&Value::Null),
                    &email,
                )
            }),
        ),
        (
            &promise::PEOPLE_ARE_DISABLED,
            json!([{"op": "replace", "path": "active", "value": false}]),
            is_active(false),
        ),
        (
            &promise::PEOPLE_ARE_ENABLED,
            json!([{"op": "replace", "path": "active", "value": true}]),
            is_active(true),
        ),
    ];
    for (promise, operations, look) in cases {
        patched(session, promise, (person, operations), look).await;
    }
    refused(session, person).await;
    stale(session, person).await;
    put(session, person).await;
}

/// Changes those texts that the endpoint has kept: an endpoint need not have each of them (RFC 7643 §4.1).
async fn texts(session: &mut Session, person: &Made) {
    const NONE: &str =
        "of displayName, title and nickName none was kept when the person was created";
    let Some(first) = person.texts.first() else {
        session.skip(&promise::ATTRIBUTES_ARE_REPLACED, NONE);
        session.skip(&promise::PATHS_MAY_BE_LEFT_OUT, NONE);
        session.skip(&promise::ATTRIBUTES_ARE_REMOVED, NONE);
        return;
    };
    let operations = json!([{"op": "replace", "path": first, "value": "Check two"}]);
    let look = |now: &Answer| equal(first, now.at(&format!("/{first}")), &json!("Check two"));
    let promise = &promise::ATTRIBUTES_ARE_REPLACED;
    patched(session, promise, (person, operations), look).await;
    let all = person.texts.iter();
    let all: Map<String, Value> = all
        .map(|text| ((*text).to_owned(), json!("Proof")))
        .collect();
    let look = |now: &Answer| {
        let mut all = person.texts.iter();
        all.try_for_each(|text| equal(text, now.at(&format!("/{text}")), &json!("Proof")))
    };
    let operations = json!([{"op": "replace", "value": all}]);
    let promise = &promise::PATHS_MAY_BE_LEFT_OUT;
    patched(session, promise, (person, operations), look).await;
    // some endpoints insist on a displayName
    let Some(gone) = person.texts.iter().rfind(|text| **text != "displayName") else {
        let why = "neither title nor nickName was kept when the person was created";
        session.skip(&promise::ATTRIBUTES_ARE_REMOVED, why);
        return;
    };
    let operations = json!([{"op": "remove", "path": gone}]);
    let look = |now: &Answer| equal(gone, now.at(&format!("/{gone}")), &Value::Null);
    let promise = &promise::ATTRIBUTES_ARE_REMOVED;
    patched(session, promise, (person, operations), look).await;
}

/// Sends changes that must not be carried out.
async fn refused(session: &mut Session, person: &Made) {
    if session.skips(&promise::WRONG_PATHS_ARE_REFUSED, "patch")
        | session.skips(&promise::ALL_OR_NOTHING, "patch")
    {
        return;
    }
    let wrong = json!([{"op": "replace", "path": "noSuchAttribute[", "value": "x"}]);
    let answer = session.patch(&person.path, wrong).await;
    let outcome = answer.is(400).and_then(|answer| answer.is_error(None));
    session.note(&promise::WRONG_PATHS_ARE_REFUSED, outcome.map(drop));
    let text = person.texts.first().copied().unwrap_or("displayName");
    let half = json!([
        {"op": "replace", "path": text, "value": "Half"},
        {"op": "replace", "path": "noSuchAttribute[", "value": "x"},
    ]);
    let answer = session.patch(&person.path, half).await;
    let now = session.get(&person.path).await;
    let outcome = answer.is(400).and_then(|_| {
        if *now.is(200)?.at(&format!("/{text}")) == "Half" {
            return Err("the first operation was carried out".into());
        }
        Ok(())
    });
    session.note(&promise::ALL_OR_NOTHING, outcome);
}

async fn stale(session: &mut Session, person: &Made) {
    if session.skips(&promise::OLD_VERSIONS_ARE_REFUSED, "patch") {
        return;
    }
    if !session.has_etags() {
        session.skip(
            &promise::OLD_VERSIONS_ARE_REFUSED,
            "the configuration says that ETags are not supported",
        );
        return;
    }
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "displayName", "value": "Too late"}],
    });
    let stale = [(IF_MATCH, "W/\"of-long-ago\"")];
    let answer = session
        .ask_as(
            As::Holder,
            Method::PATCH,
            &person.path,
            (Some(body), &stale),
        )
        .await;
    session.note(&promise::OLD_VERSIONS_ARE_REFUSED, answer.is(412).map(drop));
}

async fn put(session: &mut Session, person: &Made) {
    let text = person.texts.first().copied();
    let before = session.get(&person.path).await;
    // what is there and will not be sent
    let mut left_out = person.texts.iter().skip(1);
    let left_out = left_out.find(|text| before.at(&format!("/{text}")).is_string());
    let mut whole = json!({
        "schemas": [USER],
        "id": person.id,
        "userName": person.name,
        "name": {"givenName": "Check", "familyName": "Three"},
        "active": true,
    });
    if let (Some(whole), Some(text)) = (whole.as_object_mut(), text) {
        whole.insert(text.to_owned(), json!("Check three"));
    }
    let answer = session.ask(Method::PUT, &person.path, Some(whole)).await;
    let now = after(session, answer, &person.path).await;
    let is_replaced = now.as_ref().map_err(Wrong::clone).and_then(|now| {
        let (place, expected) = match text {
            Some(text) => (text, "Check three"),
            None => ("name/familyName", "Three"),
        };
        equal(place, now.at(&format!("/{place}")), &json!(expected))?;
        equal("id", now.at("/id"), &json!(person.id))
    });
    session.note(&promise::PEOPLE_ARE_REPLACED, is_replaced);
    match (now, left_out) {
        (Ok(now), Some(left_out)) => {
            session.show(&now);
            let is_cleared = equal(left_out, now.at(&format!("/{left_out}")), &Value::Null);
            session.note(&promise::WHAT_IS_LEFT_OUT_IS_GONE, is_cleared);
        }
        (Ok(_), None) => session.skip(
            &promise::WHAT_IS_LEFT_OUT_IS_GONE,
            "neither title nor nickName was there to be left out",
        ),
        (Err(_), _) => session.skip(&promise::WHAT_IS_LEFT_OUT_IS_GONE, "PUT did not work"),
    }
}
