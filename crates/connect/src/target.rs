//! A SCIM endpoint as a target.
//!
//! **Is:** the requests that provisioning sends, in the shapes that the field's endpoints understand, and their answers put into the
//! words of [`rollcall_sync::task`].
//! **Is not:** trust. A reply counts only after its status, its form and its size were checked; whether a search result matches
//! is checked once more by the task that asked.
//! **Start at** [`Target::new`], then [`Target::test`].

use std::time::Duration;

use reqwest::Method;
use rollcall_model::{Kind, Secret};
use rollcall_scim::limits::{Limits, STANDARD};
use rollcall_scim::patch::PATCH_SCHEMA;
use rollcall_sync::target_path::member;
use rollcall_sync::task::{Answer, Extent, INCOMPATIBLE, Trouble, Write};
use serde_json::{Map, Value, json};
use url::Url;

use crate::client::{Client, REPLY_BYTES, Refused};
use crate::reply::{NoReply, Reply, send};

/// How often a request is tried in all.
const ATTEMPTS: u32 = 4;
/// The pause before the second attempt; it doubles. A `Retry-After` wins.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause within a cycle; whoever asks for more is asked again in the next cycle.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Longest text of the target's own words that is passed on, in characters.
const WORDS: usize = 300;

/// A SCIM endpoint with the credential for it.
#[derive(Debug, Clone)]
pub struct Target {
    client: Client,
    base: Url,
    token: Secret,
}

/// A part of a target's resources.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The resources.
    pub resources: Vec<Map<String, Value>>,
    /// How many the target says there are in all.
    pub total: u64,
}

impl Target {
    /// Makes a target of the Tenant URL as an administrator typed it. Flags at its end (`?name`) are understood by whoever typed
    /// them and are not sent.
    ///
    /// # Errors
    /// [`Refused`] when it cannot be called.
    pub fn new(client: Client, tenant_url: &str, token: Secret) -> Result<Self, Refused> {
        let mut base = client.address(tenant_url)?;
        base.set_query(None);
        base.set_fragment(None);
        Ok(Self {
            client,
            base,
            token,
        })
    }

    /// Tests the connection as Entra does: a look-up of a value that cannot exist, for each kind with its matching attribute. A target
    /// that finds something does not filter, and would lead to writes on the wrong person.
    ///
    /// # Errors
    /// A [`Trouble`] that says exactly what is wrong.
    pub async fn test(&self, kinds: &[(Kind, String)], nobody: &str) -> Result<(), Trouble> {
        for (kind, attribute) in kinds {
            match self.find(*kind, attribute, nobody).await {
                Answer::Found(found) if found.is_empty() => {}
                Answer::Failed(trouble) | Answer::Unknown(trouble) => {
                    return Err(Trouble {
                        extent: Extent::Target,
                        ..trouble
                    });
                }
                _ => {
                    let message = format!(
                        "the endpoint ignores filters: it found {}s whose `{attribute}` is a value that nobody has",
                        kind.resource_type()
                    );
                    return Err(Trouble::of_target(INCOMPATIBLE, message));
                }
            }
        }
        Ok(())
    }

    /// Looks resources up by the value of an attribute.
    pub async fn find(&self, kind: Kind, attribute: &str, value: &str) -> Answer {
        let mut url = self.url(kind, None);
        // JSON's escapes are those of a filter's strings (RFC 7644 §3.4.2.2)
        let filter = format!("{attribute} eq {}", Value::from(value));
        url.query_pairs_mut().append_pair("filter", &filter);
        let page = match self.list(url, kind).await {
            Ok(page) => page,
            Err(trouble) => return Answer::Failed(trouble),
        };
        match (page.resources.len(), page.total) {
            (0, 1..) => Answer::Failed(incompatible(
                "a search result that counts more than it shows",
            )),
            (1, 2..) => {
                let message = format!(
                    "the target has several objects whose `{attribute}` is `{value}`: make it unique there"
                );
                Answer::Failed(Trouble::of_object("DuplicateTargetEntries", message, false))
            }
            _ => Answer::Found(page.resources),
        }
    }

    /// Reads a resource, a group without its members.
    pub async fn get(&self, kind: Kind, id: &str) -> Answer {
        let url = without_members(self.url(kind, Some(id)), kind);
        match self.exchange(Method::GET, url, None).await {
            Ok(reply) if reply.status == 404 => Answer::Got(None),
            Ok(reply) if reply.status == 200 => match object(&reply.body) {
                Some(resource) if member(&resource, "id").and_then(Value::as_str) == Some(id) => {
                    Answer::Got(Some(resource))
                }
                Some(_) => Answer::Failed(incompatible("another resource than the one asked for")),
                None => Answer::Failed(incompatible("a resource that is not a JSON object")),
            },
            Ok(reply) => Answer::Failed(refusal(&reply)),
            Err(no_reply) => Answer::Failed(unreached(&no_reply)),
        }
    }

    /// Reads a group with its members.
    ///
    /// # Errors
    /// A [`Trouble`], also when it is not there.
    pub async fn members(&self, id: &str) -> Result<Vec<String>, Trouble> {
        let url = self.url(Kind::Group, Some(id));
        let reply = self.exchange(Method::GET, url, None).await;
        let reply = reply.map_err(|no_reply| unreached(&no_reply))?;
        if reply.status != 200 {
            return Err(refusal(&reply));
        }
        let group =
            object(&reply.body).ok_or_else(|| incompatible("a group that is not a JSON object"))?;
        let members = member(&group, "members").and_then(Value::as_array);
        let ids = members.into_iter().flatten().filter_map(|one| {
            let id = member(one.as_object()?, "value")?.as_str()?;
            Some(id.to_owned())
        });
        Ok(ids.collect())
    }

    /// Reads `count` resources from place `start` (from 1) on, groups without their members.
    ///
    /// # Errors
    /// A [`Trouble`].
    pub async fn page(&self, kind: Kind, start: u64, count: u64) -> Result<Page, Trouble> {
        let mut url = self.url(kind, None);
        url.query_pairs_mut()
            .append_pair("startIndex", &start.to_string())
            .append_pair("count", &count.to_string());
        self.list(url, kind).await
    }

    /// Writes to the target.
    pub async fn write(&self, kind: Kind, write: &Write) -> Answer {
        match write {
            Write::Create { body } => self.create(kind, body).await,
            Write::Patch { id, operations } => self.patch(kind, id, operations).await,
            Write::Delete { id } => {
                let url = self.url(kind, Some(id));
                done(self.exchange(Method::DELETE, url, None).await)
            }
        }
    }

    async fn create(&self, kind: Kind, body: &Map<String, Value>) -> Answer {
        let body = Value::Object(body.clone());
        let url = self.url(kind, None);
        let reply = match self.exchange(Method::POST, url, Some(&body)).await {
            Ok(reply) => reply,
            Err(no_reply) => return not_answered(&no_reply),
        };
        match reply.status {
            200 | 201 => {
                let created = object(&reply.body);
                let id = created
                    .as_ref()
                    .and_then(|created| member(created, "id")?.as_str());
                match id.filter(|id| !id.is_empty()) {
                    Some(id) => Answer::Created(id.to_owned()),
                    None => Answer::Unknown(incompatible("a created resource without its id")),
                }
            }
            409 => Answer::Conflict(conflict(&reply)),
            // it may have been created before the failure
            408 | 500..=599 => Answer::Unknown(refusal(&reply)),
            _ => Answer::Failed(refusal(&reply)),
        }
    }

    async fn patch(&self, kind: Kind, id: &str, operations: &[Value]) -> Answer {
        let body = json!({"schemas": [PATCH_SCHEMA], "Operations": operations});
        done(
            self.exchange(Method::PATCH, self.url(kind, Some(id)), Some(&body))
                .await,
        )
    }

    fn url(&self, kind: Kind, id: Option<&str>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(match kind {
                Kind::User => "Users",
                Kind::Group => "Groups",
            });
            if let Some(id) = id {
                path.push(id);
            }
        }
        url
    }

    async fn list(&self, url: Url, kind: Kind) -> Result<Page, Trouble> {
        let url = without_members(url, kind);
        let reply = self.exchange(Method::GET, url, None).await;
        let reply = reply.map_err(|no_reply| unreached(&no_reply))?;
        match reply.status {
            200 => {}
            404 => {
                let message = "the endpoint answers 404 to a search: the path of the Tenant URL is not that of a SCIM endpoint";
                return Err(Trouble::of_target(INCOMPATIBLE, message));
            }
            _ => return Err(refusal(&reply)),
        }
        let unlike = "a search result that is not a SCIM ListResponse";
        let list = object(&reply.body).ok_or_else(|| incompatible(unlike))?;
        let total = member(&list, "totalResults")
            .and_then(Value::as_u64)
            .ok_or_else(|| incompatible(unlike))?;
        let resources = match member(&list, "Resources") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(resources)) => resources
                .iter()
                .map(|resource| resource.as_object().cloned())
                .collect::<Option<_>>()
                .ok_or_else(|| incompatible(unlike))?,
            Some(_) => return Err(incompatible(unlike)),
        };
        Ok(Page { resources, total })
    }

    /// Sends a request, again when the target asks for patience or was not reached.
    async fn exchange(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<Reply, NoReply> {
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            let mut request = self
                .client
                .request(method.clone(), url.clone())
                .bearer_auth(self.token.expose())
                .header("accept", "application/scim+json");
            if let Some(body) = body {
                request = request
                    .header("content-type", "application/scim+json; charset=utf-8")
                    .body(body.to_string());
            }
            let outcome = send(request).await;
            let patience = match &outcome {
                // what certainly had no effect may be sent again, whatever it is
                Ok(reply) if reply.status == 429 => reply.retry_after.or(Some(pause)),
                Ok(reply) if reply.status == 503 && reply.retry_after.is_some() => {
                    reply.retry_after
                }
                Err(NoReply {
                    was_not_sent: true, ..
                }) => Some(pause),
                // a creation whose outcome is unknown is looked up by the next cycle, not sent again
                Ok(reply) if matches!(reply.status, 502..=504) && method != Method::POST => {
                    Some(pause)
                }
                Err(_) if method != Method::POST => Some(pause),
                _ => None,
            };
            match patience {
                Some(patience) if attempt < ATTEMPTS && patience <= LONGEST_PAUSE => {
                    tracing::debug!(%method, path = url.path(), attempt, ?patience, "the target is asked again");
                    tokio::time::sleep(patience).await;
                    pause *= 2;
                    attempt += 1;
                }
                _ => return outcome,
            }
        }
    }
}

fn without_members(mut url: Url, kind: Kind) -> Url {
    if kind == Kind::Group {
        url.query_pairs_mut()
            .append_pair("excludedAttributes", "members");
    }
    url
}

fn done(outcome: Result<Reply, NoReply>) -> Answer {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(no_reply) => return not_answered(&no_reply),
    };
    match reply.status {
        200 | 202 | 204 => Answer::Done,
        404 => Answer::Missing,
        409 => Answer::Conflict(conflict(&reply)),
        408 | 500..=599 => Answer::Unknown(refusal(&reply)),
        _ => Answer::Failed(refusal(&reply)),
    }
}

fn not_answered(no_reply: &NoReply) -> Answer {
    if no_reply.was_not_sent {
        Answer::Failed(unreached(no_reply))
    } else {
        Answer::Unknown(unreached(no_reply))
    }
}

fn object(body: &[u8]) -> Option<Map<String, Value>> {
    let limits = Limits {
        string_bytes: REPLY_BYTES,
        ..STANDARD
    };
    match rollcall_scim::json::parse(body, &limits) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// The endpoint said something that SCIM does not know. One such answer may be about one object; the engine counts them.
fn incompatible(what: &str) -> Trouble {
    let message = format!("the endpoint sent {what}: it does not speak SCIM 2.0 at this address");
    Trouble::of_object(INCOMPATIBLE, message, true)
}

fn unreached(no_reply: &NoReply) -> Trouble {
    if no_reply.was_not_sent {
        Trouble::of_target("WebExceptionProtocolError", &no_reply.message)
    } else {
        let code = if no_reply.is_time_out {
            "Timeout"
        } else {
            "WebExceptionProtocolError"
        };
        Trouble::of_object(code, &no_reply.message, true)
    }
}

fn conflict(reply: &Reply) -> String {
    let said = said(reply);
    format!("the target has another object with a unique value of this one (409){said}")
}

/// Puts a refusal into words.
fn refusal(reply: &Reply) -> Trouble {
    let said = said(reply);
    match reply.status {
        401 => Trouble::of_target(
            "Unauthorized",
            format!(
                "the target refuses the credential (401): create a new token there and enter it here{said}"
            ),
        ),
        403 => Trouble::of_object(
            "InsufficientRights",
            format!("the target does not allow this (403){said}"),
            true,
        ),
        429 if reply.retry_after.is_some_and(|wait| wait > LONGEST_PAUSE) => Trouble::of_target(
            "TooManyRequests",
            format!("the target takes no more requests for a while (429){said}"),
        ),
        300..=399 => Trouble::of_target(
            INCOMPATIBLE,
            format!(
                "the target redirects ({}), which is not followed: enter the address to which it leads",
                reply.status
            ),
        ),
        status => {
            let code = match status {
                404 => "InvalidAnchor",
                405 => "MethodNotAllowed",
                408 | 504 => "Timeout",
                429 => "TooManyRequests",
                501 => "NotImplemented",
                500..=599 => "InternalServerError",
                _ => "UnprocessableEntity",
            };
            let may_pass = matches!(status, 408 | 425 | 429 | 500..=599);
            Trouble::of_object(
                code,
                format!("the target answered {status}{said}"),
                may_pass,
            )
        }
    }
}

/// Returns what a SCIM error says, after a colon; nothing of a body that is no SCIM error.
fn said(reply: &Reply) -> String {
    let detail = object(&reply.body).and_then(|error| {
        let schemas = member(&error, "schemas")?.to_string();
        let detail = member(&error, "detail")?.as_str()?;
        schemas
            .contains("api:messages:2.0:Error")
            .then(|| detail.chars().take(WORDS).collect::<String>())
    });
    detail
        .map(|detail| format!(": {detail}"))
        .unwrap_or_default()
}
