//! What can be tested without changing anything.

use http::Method;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use rollcall_scim::list::LIST_SCHEMA;
use serde_json::{Value, json};

use crate::session::{Answer, As, Session, Wrong, equal};
use crate::{Persona, Ungraded, catalogue as promise};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";

pub(crate) async fn run(session: &mut Session) -> Result<(), Ungraded> {
    // who is not let in cannot judge anything
    let path = "/Users?count=1";
    let first = session.get(path).await;
    match first.status() {
        Ok(status @ (401 | 403)) => {
            return Err(Ungraded::Refused {
                status,
                path: path.to_owned(),
            });
        }
        Ok(_) => {}
        Err(Wrong::Found(why) | Wrong::Untested(why)) => return Err(Ungraded::NoAnswer(why)),
    }
    session.note(&promise::A_LIST_IS_A_LIST, list(&first));
    session.note(&promise::BODIES_ARE_SCIM, declared(&first));
    access(session).await;
    discovery(session).await;
    lists(session).await;
    if session.exam.persona == Persona::Okta {
        let page = session.get("/Users?startIndex=1&count=100").await;
        session.note(&promise::OKTA_PAGES, page_of(&page));
    }
    Ok(())
}

fn list(answer: &Answer) -> Result<(), Wrong> {
    let total = answer.total()?;
    match answer.resources().len() {
        0 if total > 0 => {
            Err(format!("`totalResults` is {total}, and `Resources` is empty").into())
        }
        0 | 1 => Ok(()),
        many => Err(format!("one was asked for, and {many} came").into()),
    }
}

fn declared(answer: &Answer) -> Result<(), Wrong> {
    let kind = answer.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind
        .to_ascii_lowercase()
        .starts_with("application/scim+json")
    {
        Ok(())
    } else {
        Err(format!("`Content-Type` is `{kind}`").into())
    }
}

fn page_of(answer: &Answer) -> Result<(), Wrong> {
    answer.total()?;
    let items = answer.resources().len();
    equal("startIndex", answer.at("/startIndex"), &json!(1))?;
    equal("itemsPerPage", answer.at("/itemsPerPage"), &json!(items))
}

async fn access(session: &mut Session) {
    let path = "/Users?count=1";
    let nobody = session
        .ask_as(As::Nobody, Method::GET, path, (None, &[]))
        .await;
    let is_told = nobody.headers.contains_key(WWW_AUTHENTICATE);
    let outcome = nobody.is(401).map(drop).and_then(|()| {
        is_told
            .then_some(())
            .ok_or_else(|| "the header `WWW-Authenticate` is missing".into())
    });
    session.note(&promise::NOBODY_GETS_IN, outcome);
    let stranger = session
        .ask_as(As::Stranger, Method::GET, path, (None, &[]))
        .await;
    session.note(&promise::STRANGERS_ARE_REFUSED, stranger.is(401).map(drop));
}

async fn discovery(session: &mut Session) {
    let config = session.get("/ServiceProviderConfig").await;
    session.note(&promise::CONFIG_IS_TOLD, configuration(&config));
    session.is_configured(config.body);
    let types = session.get("/ResourceTypes").await;
    session.note(&promise::TYPES_ARE_TOLD, names(&types, "id", "User"));
    let schemas = session.get("/Schemas").await;
    session.note(&promise::SCHEMAS_ARE_TOLD, names(&schemas, "id", USER));
    // whatever is said of the types, what is there is tested
    let groups = session.get("/Groups?count=0").await;
    session.has_groups(!groups.has_status(&[404, 405, 501]));
    let missing = format!("/Users/nobody-{}", session.exam.mark);
    let missing = session.get(&missing).await;
    let outcome = missing.is(404).and_then(|answer| answer.is_error(None));
    session.note(&promise::WHAT_IS_MISSING_IS_TOLD, outcome.map(drop));
}

fn configuration(answer: &Answer) -> Result<(), Wrong> {
    answer.is(200)?.has_schema(CONFIG)?;
    for feature in ["patch", "bulk", "filter", "changePassword", "sort", "etag"] {
        if !answer.at(&format!("/{feature}/supported")).is_boolean() {
            return Err(format!("`{feature}.supported` does not say true or false").into());
        }
    }
    if answer.at("/authenticationSchemes").is_array() {
        Ok(())
    } else {
        Err("`authenticationSchemes` is no list".into())
    }
}

/// Makes sure that one in a list is called so.
fn names(answer: &Answer, field: &str, name: &str) -> Result<(), Wrong> {
    answer.is(200)?.has_schema(LIST_SCHEMA)?;
    let is_there = |one: &Value| {
        [field, "name"]
            .iter()
            .filter_map(|field| one[*field].as_str())
            .any(|found| found.eq_ignore_ascii_case(name))
    };
    if answer.resources().iter().any(is_there) {
        Ok(())
    } else {
        Err(format!("`{name}` is not in the list").into())
    }
}

async fn lists(session: &mut Session) {
    let none = session.get("/Users?count=0").await;
    let outcome = none.total().and_then(|_| match none.resources().len() {
        0 => Ok(()),
        many => Err(format!("none was asked for, and {many} came").into()),
    });
    session.note(&promise::COUNT_ZERO_COUNTS, outcome);
    let low = session.get("/Users?startIndex=0&count=1").await;
    session.note(&promise::LISTS_BEGIN_AT_ONE, low.total().map(drop));
    searches(session).await;
}

async fn searches(session: &mut Session) {
    let promises = [
        &promise::NOBODY_IS_FOUND,
        &promise::WRONG_FILTERS_ARE_REFUSED,
        &promise::SEARCH_BY_POST,
    ];
    if session.lacks("filter") {
        for promise in promises {
            session.skips(promise, "filter");
        }
        return;
    }
    let filter = format!("userName eq \"nobody-{}@example.com\"", session.exam.mark);
    let nobody = session.get(&format!("/Users?filter={filter}")).await;
    session.note(&promise::NOBODY_IS_FOUND, found_nobody(&nobody));
    let wrong = session.get("/Users?filter=userName eq eq \"x").await;
    let outcome = wrong
        .is(400)
        .and_then(|answer| answer.is_error(Some("invalidFilter")));
    session.note(&promise::WRONG_FILTERS_ARE_REFUSED, outcome.map(drop));
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": filter,
    });
    let search = session
        .ask(Method::POST, "/Users/.search", Some(body))
        .await;
    session.note(&promise::SEARCH_BY_POST, found_nobody(&search));
}

fn found_nobody(answer: &Answer) -> Result<(), Wrong> {
    match answer.total()? {
        0 => Ok(()),
        many => Err(format!("it found {many}").into()),
    }
}
