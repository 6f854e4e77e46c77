//! What a directory wanted with a request, what came of it, and what to do when it failed, in plain words.
//!
//! **Is:** read off what was kept of the request. **Is not:** a second opinion: why something was refused is said by the answer.

use rollcall_model::Exchange;
use serde_json::Value;

use crate::layout::{Tone, encoded};
use crate::words::{capital, counted, number, sentence};

/// A request in words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Explained {
    pub(crate) tone: Tone,
    /// What came of it.
    pub(crate) title: String,
    /// The same in a sentence or two.
    pub(crate) text: String,
    /// What to do, when something is to be done.
    pub(crate) remedies: Vec<String>,
    /// Where that is done: words and address.
    pub(crate) links: Vec<(String, String)>,
}

/// The kind of thing that a request was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Users,
    Groups,
}

impl About {
    fn one(self) -> &'static str {
        match self {
            Self::Users => "person",
            Self::Groups => "group",
        }
    }

    fn many(self) -> &'static str {
        match self {
            Self::Users => "people",
            Self::Groups => "groups",
        }
    }

    fn count(self, count: u64) -> String {
        match (self, count) {
            (_, 1) => format!("1 {}", self.one()),
            _ => format!("{} {}", number(count), self.many()),
        }
    }
}

/// A request, taken apart.
struct Taken<'e> {
    exchange: &'e Exchange,
    about: Option<About>,
    /// What stands behind the collection: an id.
    id: Option<String>,
    filter: Option<String>,
    asked: Value,
    answered: Value,
}

impl<'e> Taken<'e> {
    fn new(exchange: &'e Exchange) -> Self {
        let (path, query) = exchange
            .path
            .split_once('?')
            .unwrap_or((&exchange.path, ""));
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        let about = match segments.next().map(str::to_ascii_lowercase).as_deref() {
            Some("users") => Some(About::Users),
            Some("groups") => Some(About::Groups),
            _ => None,
        };
        let read = |body: &Option<String>| {
            body.as_deref()
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or(Value::Null)
        };
        let asked = read(&exchange.asked);
        let in_query = url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "filter")
            .map(|(_, value)| value.into_owned());
        let filter = in_query.or_else(|| text(&asked, "filter"));
        Self {
            exchange,
            about,
            id: segments
                .next()
                .filter(|segment| *segment != ".search")
                .map(str::to_owned),
            filter,
            answered: read(&exchange.answered),
            asked,
        }
    }

    /// Names what it was about, as far as the request says it.
    fn name(&self) -> Option<String> {
        let field = match self.about? {
            About::Users => "userName",
            About::Groups => "displayName",
        };
        text(&self.asked, field).or_else(|| text(&self.answered, field))
    }

    /// The operations of a PATCH: path and value.
    fn operations(&self) -> Vec<(String, String, &Value)> {
        let operations = get(&self.asked, "Operations").and_then(Value::as_array);
        operations
            .into_iter()
            .flatten()
            .map(|operation| {
                let word = |name| text(operation, name).unwrap_or_default();
                let value = get(operation, "value").unwrap_or(&Value::Null);
                (word("op").to_ascii_lowercase(), word("path"), value)
            })
            .collect()
    }
}

fn get<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value
        .as_object()?
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn text(value: &Value, name: &str) -> Option<String> {
    get(value, name)?.as_str().map(str::to_owned)
}

/// Explains a request of `directory`.
pub(crate) fn explain(exchange: &Exchange, directory: &str) -> Explained {
    let taken = Taken::new(exchange);
    if exchange.failed() {
        return failed(&taken, directory);
    }
    let (title, text) = came(&taken, directory);
    Explained {
        tone: Tone::Ok,
        title,
        text,
        remedies: Vec::new(),
        links: Vec::new(),
    }
}

/// Says what came of a request that got what it asked for.
fn came(taken: &Taken<'_>, directory: &str) -> (String, String) {
    let exchange = taken.exchange;
    let Some(about) = taken.about else {
        let path = exchange.path.to_ascii_lowercase();
        let (title, text) = if path.starts_with("/bulk") {
            (
                "Several changes at once",
                "sent a bulk request. What came of each change is in the answer.",
            )
        } else if path.starts_with("/.search") {
            ("A search through people and groups", "searched.")
        } else {
            (
                "A question about this server",
                "asked what this server can do and which attributes it knows. Nothing was changed.",
            )
        };
        return (title.to_owned(), format!("{} {text}", start(directory)));
    };
    let directory = start(directory);
    let name = taken.name();
    let called = name
        .as_ref()
        .map_or_else(|| format!("a {}", about.one()), |name| format!("“{name}”"));
    let search = exchange.path.to_ascii_lowercase().contains("/.search");
    match exchange.method.as_str() {
        "GET" if taken.id.is_some() => {
            if exchange.status == 404 {
                return (
                    format!("There is no such {}", about.one()),
                    format!(
                        "{directory} asked for a {} by an id that nobody has here. Who is created anew gets the id back, or a new one.",
                        about.one()
                    ),
                );
            }
            (
                format!("{} was read", capital(&called)),
                format!("{directory} looked at {called}. Nothing was changed."),
            )
        }
        "GET" => listed(taken, about, &directory),
        "POST" if search => listed(taken, about, &directory),
        "POST" => {
            let meta = |field| get(&taken.answered, "meta").and_then(|meta| text(meta, field));
            let is_new = meta("created").is_none() || meta("created") == meta("lastModified");
            if is_new {
                (
                    format!("{} was created", capital(&called)),
                    format!(
                        "{directory} sent {called}, and manages the {} from now on.",
                        about.one()
                    ),
                )
            } else {
                (
                    format!("{} was adopted", capital(&called)),
                    format!(
                        "{directory} sent {called}. The {} was here already and nobody managed it, so {directory} took charge of it; there is no second one.",
                        about.one()
                    ),
                )
            }
        }
        "PUT" => (
            format!("{} was replaced", capital(&called)),
            format!(
                "{directory} sent all attributes of {called}. Those that it left out were cleared."
            ),
        ),
        "PATCH" => patched(taken, about, &directory),
        "DELETE" => (
            format!("A {} was deleted", about.one()),
            format!(
                "{directory} deleted the {}. Whoever comes back gets the same id again.",
                about.one()
            ),
        ),
        _ => (
            format!("{} was answered", exchange.method),
            format!("{directory} got what it asked for."),
        ),
    }
}

fn listed(taken: &Taken<'_>, about: About, directory: &str) -> (String, String) {
    let found = get(&taken.answered, "totalResults").and_then(Value::as_u64);
    let Some(filter) = &taken.filter else {
        let title = format!("The {} were listed", about.many());
        return (
            title,
            format!(
                "{directory} read a page of the {}. Nothing was changed.",
                about.many()
            ),
        );
    };
    let text = match found {
        Some(0) => format!(
            "{directory} looked for {}, and none was found. A directory asks so before it creates somebody; a connection test asks for somebody who does not exist.",
            about.many()
        ),
        Some(count) => format!(
            "{directory} looked for {}, and found {}.",
            about.many(),
            about.count(count)
        ),
        None => format!("{directory} looked for {}.", about.many()),
    };
    let title = match found {
        Some(0) => format!("Nobody matches {filter}"),
        _ => format!("Look-up: {filter}"),
    };
    (title, text)
}

fn patched(taken: &Taken<'_>, about: About, directory: &str) -> (String, String) {
    let (mut active, mut changed, mut added, mut removed) = (None, Vec::new(), 0_u64, 0_u64);
    let count = |value: &Value| match value {
        Value::Array(members) => members.len() as u64,
        _ => 1,
    };
    for (operation, path, value) in taken.operations() {
        if path.to_ascii_lowercase().starts_with("members") {
            if operation == "remove" {
                removed += if value.is_null() { 1 } else { count(value) };
            } else {
                added += count(value);
            }
            continue;
        }
        let fields: Vec<(String, &Value)> = if path.is_empty() {
            let fields = value.as_object().into_iter().flatten();
            fields.map(|(key, value)| (key.clone(), value)).collect()
        } else {
            vec![(path, value)]
        };
        for (path, value) in fields {
            if path.eq_ignore_ascii_case("active") {
                active = match value {
                    Value::Bool(value) => Some(*value),
                    Value::String(text) => Some(text.eq_ignore_ascii_case("true")),
                    _ => active,
                };
            } else if !changed.contains(&path) {
                changed.push(path);
            }
        }
    }
    let one = about.one();
    if active == Some(false) {
        return (
            format!("A {one} was disabled"),
            format!(
                "{directory} switched the {one} off. The account stays, with its id and its groups, and takes no seat."
            ),
        );
    }
    if active == Some(true) && changed.is_empty() {
        return (
            format!("A {one} was enabled"),
            format!("{directory} switched the {one} on."),
        );
    }
    if added + removed > 0 {
        let mut parts = Vec::new();
        if added > 0 {
            parts.push(format!("{} sent in", counted(added, "member")));
        }
        if removed > 0 {
            parts.push(format!("{} taken out", counted(removed, "member")));
        }
        return (
            "A group's members changed".to_owned(),
            format!("{directory}: {}.", parts.join(", ")),
        );
    }
    let which: Vec<&str> = changed.iter().take(5).map(String::as_str).collect();
    let more = changed.len().saturating_sub(which.len());
    let mut list = which.join(", ");
    if more > 0 {
        list = format!("{list} and {}", counted(more as u64, "other"));
    }
    if list.is_empty() {
        "its attributes".clone_into(&mut list);
    }
    (
        format!("A {one} was changed"),
        format!("{directory} changed {list}."),
    )
}

/// Says why a request failed, and what to do.
#[expect(clippy::too_many_lines, reason = "one case after the other")]
fn failed(taken: &Taken<'_>, directory: &str) -> Explained {
    let exchange = taken.exchange;
    let detail = text(&taken.answered, "detail").unwrap_or_default();
    let about = taken.about.unwrap_or(About::Users);
    let called = taken
        .name()
        .map_or_else(|| format!("a {}", about.one()), |name| format!("“{name}”"));
    let (who, one) = (start(directory), about.one());
    let wanted = match exchange.method.as_str() {
        "POST" => format!("{who} tried to create {called}."),
        "DELETE" => format!("{who} tried to delete a {one}."),
        "PUT" | "PATCH" => format!("{who} tried to change a {one}."),
        _ => format!("{who} asked a question."),
    };
    let retries = format!("{who} tries again by itself.");
    let mut links = Vec::new();
    let (title, why, remedies): (&str, &str, Vec<String>) = match exchange.status {
        401 => (
            "The token was refused",
            "",
            vec![
                "If this is your directory: create a new token under Directory integrations, paste it into the directory as Secret Token, and test the connection there.".to_owned(),
                "If it is not: somebody tried the address of your organisation. Without a token nothing can be seen or changed.".to_owned(),
            ],
        ),
        403 if detail.contains("seat") => (
            "All seats are taken",
            "",
            vec![
                "Disable people who do not need their account any more, or get more seats.".to_owned(),
                "Changes and removals of people who are here keep flowing meanwhile.".to_owned(),
            ],
        ),
        403 if detail.contains("trial") => (
            "The trial has ended",
            "",
            vec!["Nobody new can come in until there is a paid plan. People can still be disabled and removed.".to_owned()],
        ),
        403 if detail.contains("administrator") => (
            "This account belongs to an administrator",
            "",
            vec!["A directory must not be a way to become an administrator, or to lock one out. Change the account here by hand, or take the person out of the directory's assignment.".to_owned()],
        ),
        403 if detail.contains("managed by") => (
            "Somebody else manages this account",
            "",
            vec![
                format!("If {directory} should manage it: open the account and release it from the directory that has it. {retries}"),
                "If not: take the person out of the assignment there.".to_owned(),
            ],
        ),
        403 => ("This is not allowed", "", vec!["Do what the answer below says.".to_owned()]),
        404 => (
            "There is nothing with this id",
            "It was deleted here, or never existed.",
            vec![format!("{who} remembers an account that is gone. Restart provisioning there, so that it forgets the ids and looks people up anew.")],
        ),
        409 => (
            "This name is taken",
            "",
            vec![
                format!("If {directory} should manage the account that has the name: open it and release it from whoever manages it. {retries}"),
                format!("If these are two people: give one of them another name in {directory}."),
            ],
        ),
        412 => ("It had changed meanwhile", "", vec![retries]),
        413 => ("The request was too long", "", vec!["Have the directory send fewer members or changes at a time.".to_owned()]),
        415 => ("The body was not declared as JSON", "", vec!["The client has to send `Content-Type: application/scim+json`.".to_owned()]),
        429 => ("Too many requests at once", "The answer said how long to wait.", vec![retries]),
        501 => ("This is not offered here", "", vec!["Nothing needs to be done: the client goes on without it.".to_owned()]),
        400 => (
            "The request could not be understood",
            "",
            vec![format!("The answer names the attribute. Its mapping in {directory} sends something that SCIM does not allow there: correct the mapping, or remove it.")],
        ),
        503 => ("The server could not answer just now", "", vec![retries]),
        500.. => (
            "Something is wrong with this server",
            "",
            vec!["The cause is in the server's log, under the request number above.".to_owned()],
        ),
        _ => ("The request was refused", "", vec!["Do what the answer below says.".to_owned()]),
    };
    match exchange.status {
        401 => links.push((
            "Directory integrations".to_owned(),
            "/settings/integrations".to_owned(),
        )),
        403 | 409 => {
            let (list, words) = match about {
                About::Users => ("/users", "Look at the account"),
                About::Groups => ("/groups", "Look at the group"),
            };
            if let Some(id) = &taken.id {
                links.push((words.to_owned(), format!("{list}/{}", encoded(id))));
            } else if let Some(name) = taken.name() {
                links.push((words.to_owned(), format!("{list}?q={}", encoded(&name))));
            }
        }
        _ => {}
    }
    let mut text = wanted;
    for part in [why, &detail] {
        if !part.is_empty() {
            text.push(' ');
            text.push_str(&sentence(part));
        }
    }
    Explained {
        tone: Tone::Bad,
        title: title.to_owned(),
        text,
        remedies,
        links,
    }
}

fn start(name: &str) -> String {
    capital(name)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rollcall_model::RequestId;
    use serde_json::json;

    use super::*;

    fn exchange(
        method: &str,
        path: &str,
        status: u16,
        asked: &Value,
        answered: &Value,
    ) -> Exchange {
        let body = |value: &Value| (!value.is_null()).then(|| value.to_string());
        Exchange {
            request: RequestId::from_bytes([7; 16]),
            at: Timestamp::UNIX_EPOCH,
            took: 1_000,
            integration: None,
            token: None,
            address: None,
            agent: None,
            method: method.to_owned(),
            path: path.to_owned(),
            status,
            asked: body(asked),
            answered: body(answered),
        }
    }

    #[test]
    fn a_request_is_told_by_what_came_of_it() {
        let none = Value::Null;
        let deactivation =
            json!({"Operations": [{"op": "Replace", "path": "active", "value": "False"}]});
        let titles =
            json!({"Operations": [{"op": "add", "value": {"title": "Head", "active": true}}]});
        let members = json!({"operations": [{"op": "Add", "path": "members", "value": [{"value": "a"}, {"value": "b"}]}]});
        let adopted = json!({"userName": "ann", "meta": {"created": "a", "lastModified": "b"}});
        for (method, path, status, asked, answered, title) in [
            (
                "GET",
                "/Users?filter=userName+eq+%22x%22",
                200,
                &none,
                &json!({"totalResults": 0}),
                "Nobody matches userName eq \"x\"",
            ),
            (
                "GET",
                "/Users/7",
                404,
                &none,
                &none,
                "There is no such person",
            ),
            (
                "POST",
                "/Users",
                201,
                &json!({"userName": "ann"}),
                &none,
                "“ann” was created",
            ),
            ("POST", "/Users", 201, &none, &adopted, "“ann” was adopted"),
            (
                "PATCH",
                "/Users/7",
                204,
                &deactivation,
                &none,
                "A person was disabled",
            ),
            (
                "PATCH",
                "/Users/7",
                204,
                &titles,
                &none,
                "A person was changed",
            ),
            (
                "PATCH",
                "/Groups/7",
                204,
                &members,
                &none,
                "A group's members changed",
            ),
            (
                "DELETE",
                "/Groups/7",
                204,
                &none,
                &none,
                "A group was deleted",
            ),
            (
                "GET",
                "/ServiceProviderConfig",
                200,
                &none,
                &none,
                "A question about this server",
            ),
            (
                "POST",
                "/Users",
                409,
                &json!({"userName": "ann"}),
                &json!({"detail": "taken"}),
                "This name is taken",
            ),
            ("GET", "/Users", 401, &none, &none, "The token was refused"),
        ] {
            let told = explain(&exchange(method, path, status, asked, answered), "Entra ID");
            assert_eq!(told.title, title, "{method} {path} {told:?}");
            assert_eq!(
                told.remedies.is_empty(),
                status < 400 || title.contains("no such"),
                "{told:?}"
            );
        }
    }

    #[test]
    fn whatever_was_kept_is_told_somehow() {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", ""] {
            for path in ["", "/", "/Users", "/Groups/x", "/Bulk", "//", "?", "/Me"] {
                for status in [0, 200, 400, 403, 404, 413, 415, 418, 500, 501, 503, 999] {
                    let odd = json!({"Operations": [1, {"op": 2, "path": [], "value": null}]});
                    let told = explain(
                        &exchange(method, path, status, &odd, &odd),
                        "the SCIM client",
                    );
                    assert!(!told.title.is_empty() && !told.text.is_empty());
                }
            }
        }
    }
}
