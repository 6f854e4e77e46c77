//! A request as the target reads it, and an answer before it is sent.
//!
//! **Is:** what a request is about, and which faults could concern it. **Is not:** what it leads to; that is [`crate::protocol`].

use rollcall_model::Kind;
use serde_json::Value;
use url::form_urlencoded;

/// The path of the base URL.
pub(crate) const BASE: &str = "/scim/v2";
/// A request, read.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path, with what stands before it.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) if_match: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<u64>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
}

/// What a request is about.
pub(crate) enum Route<'r> {
    Config,
    All(Kind),
    One(Kind, String),
    Elsewhere(&'r str),
}

impl Request {
    pub(crate) fn route(&self) -> Route<'_> {
        let Some(path) = self.path.strip_prefix(BASE) else {
            return Route::Elsewhere(&self.path);
        };
        let mut parts = path.trim_matches('/').splitn(2, '/');
        let kind = match parts.next() {
            Some("Users") => Kind::User,
            Some("Groups") => Kind::Group,
            Some("ServiceProviderConfig") => return Route::Config,
            _ => return Route::Elsewhere(&self.path),
        };
        match parts.next() {
            // an id may hold anything; a plus in a path is a plus
            Some(id) => {
                let encoded = id.replace('+', "%2B");
                let decoded = form_urlencoded::parse(encoded.as_bytes()).next();
                Route::One(
                    kind,
                    decoded.map(|(id, _)| id.into_owned()).unwrap_or_default(),
                )
            }
            None => Route::All(kind),
        }
    }

    pub(crate) fn parameters(&self) -> Vec<(String, String)> {
        let query = self.query.as_deref().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect()
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let mut parameters = self.parameters().into_iter();
        let found = parameters.find(|(given, _)| given.eq_ignore_ascii_case(name));
        found
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn is_list(&self) -> bool {
        self.method == "GET" && matches!(self.route(), Route::All(_))
    }

    pub(crate) fn is_later_page(&self) -> bool {
        let start = self
            .parameter("startIndex")
            .and_then(|start| start.parse::<u64>().ok());
        self.is_list()
            && (start.is_some_and(|start| start > 1) || self.parameter("cursor").is_some())
    }

    pub(crate) fn adds_members(&self) -> bool {
        let Ok(body) = serde_json::from_slice::<Value>(&self.body) else {
            return false;
        };
        let has_some = |value: &Value| value.as_array().is_some_and(|all| !all.is_empty());
        if matches!(self.method.as_str(), "POST" | "PUT") {
            return body.get("members").is_some_and(has_some);
        }
        let operations = body.get("Operations").and_then(Value::as_array);
        self.method == "PATCH"
            && operations.into_iter().flatten().any(|operation| {
                let word = |name| {
                    operation
                        .get(name)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                };
                let value = operation.get("value");
                !word("op").eq_ignore_ascii_case("remove")
                    && (word("path").eq_ignore_ascii_case("members")
                        || value
                            .and_then(|value| value.get("members"))
                            .is_some_and(has_some))
            })
    }
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            retry_after: None,
            content_type: "application/scim+json",
            body: body.to_string().into_bytes(),
        }
    }

    /// A page as a proxy or a sign-in page sends it.
    pub(crate) fn page_for_people() -> Self {
        Self {
            status: 200,
            retry_after: None,
            content_type: "text/html; charset=utf-8",
            body: b"<!doctype html><title>Sign in</title><p>Please sign in.".to_vec(),
        }
    }

    pub(crate) fn empty() -> Self {
        Self {
            body: Vec::new(),
            ..Self::json(204, &Value::Null)
        }
    }
}
