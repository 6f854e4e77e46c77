//! A SCIM endpoint as a target.
//!
//! **Is:** the requests that provisioning sends, in the dialect that the target understands, and their answers put into the words of
//! [`rollcall_sync::task`].
//! **Is not:** trust. A reply counts only after its status, its form and its size were checked; whether a search result matches
//! is checked once more by the task that asked.
//! **Start at** [`Target::new`], then [`Target::test`]. Requests and retries are in `send`, changes by PATCH or PUT in `update`, what is
//! learned of the dialect in `dialect`, the words for what went wrong in `answers`.

mod answers;
mod check;
mod dialect;
mod send;
mod steps;
mod update;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use reqwest::Method;
use rollcall_model::profile::Profile;
use rollcall_model::{Kind, Secret};
use rollcall_scim::key::canonical;
use rollcall_sync::target_path::member;
use rollcall_sync::task::{Answer, Trouble, Write};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use url::Url;

use crate::client::{Client, Refused};
use crate::pace::{Pace, Urgency};
use answers::{conflict, done, id_of, incompatible, not_answered, refusal, unlike, unreached};

pub use crate::client::Surroundings;
pub use check::Tested;
pub use dialect::Probed;
pub use steps::{Step, Stepped};

/// How many requests are under way to a target at the same time.
pub const REQUESTS_AT_ONCE: usize = 16;

/// A SCIM endpoint with the credential for it. Clones share its pace and what is learned of it.
#[derive(Debug, Clone)]
pub struct Target {
    shared: Arc<Shared>,
    urgency: Urgency,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    base: Url,
    token: Secret,
    surroundings: Surroundings,
    profile: Mutex<Profile>,
    pace: Pace,
    /// Places for requests under way.
    places: Semaphore,
    traffic: Traffic,
    lasts: OnceLock<Lasts>,
}

/// Tells whether requests may still be sent.
struct Lasts(Box<dyn Fn() -> bool + Send + Sync>);

impl std::fmt::Debug for Lasts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0())
    }
}

/// Counts what was asked of the target.
#[derive(Debug, Default)]
struct Traffic {
    requests: AtomicU64,
    microseconds: AtomicU64,
}

/// A member of a group as the target tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetMember {
    /// The target's id.
    pub id: String,
    /// Whether it is a person or a group; absent: the target does not say. Some targets number both alike.
    pub kind: Option<Kind>,
}

impl TargetMember {
    /// Reads `{"value": "…", "type": "User"}`, or the kind from `$ref` (RFC 7643 §4.2).
    fn read(element: &Map<String, Value>) -> Option<Self> {
        let id = member(element, "value")?.as_str()?.to_owned();
        let said = |name: &str| member(element, name).and_then(Value::as_str);
        let of_reference = said("$ref").and_then(|place| {
            let mut segments = place.rsplit('/');
            segments.next();
            segments.next()
        });
        let kind = match said("type").or(of_reference) {
            Some(text) if text.eq_ignore_ascii_case("User") || text == "Users" => Some(Kind::User),
            Some(text) if text.eq_ignore_ascii_case("Group") || text == "Groups" => {
                Some(Kind::Group)
            }
            _ => None,
        };
        Some(Self { id, kind })
    }
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
    /// Makes a target of the Tenant URL as an administrator typed it, and of what is known of its dialect. Flags at the URL's end (`?name`)
    /// are understood by whoever typed them and are not sent.
    ///
    /// # Errors
    /// [`Refused`] when it cannot be called.
    pub fn new(
        client: Client,
        tenant_url: &str,
        token: Secret,
        profile: Profile,
        surroundings: Surroundings,
    ) -> Result<Self, Refused> {
        let mut base = client.address(tenant_url)?;
        base.set_query(None);
        base.set_fragment(None);
        let rate = profile.rate.as_ref().map(|rate| rate.value.into());
        Ok(Self {
            shared: Arc::new(Shared {
                client,
                base,
                token,
                surroundings,
                profile: Mutex::new(profile),
                pace: Pace::new(rate),
                places: Semaphore::new(REQUESTS_AT_ONCE),
                traffic: Traffic::default(),
                lasts: OnceLock::new(),
            }),
            urgency: Urgency::Normal,
        })
    }

    /// Lets requests go out only while `lasts` says so, asked at the last moment: who waited for a turn may have lost the right to speak.
    /// For one such condition; a later one is not heard.
    pub fn lasts_while(&self, lasts: impl Fn() -> bool + Send + Sync + 'static) {
        self.shared.lasts.get_or_init(|| Lasts(Box::new(lasts)));
    }

    /// Returns the same target for requests that are at least as urgent: what has to be read before an urgent write is urgent, too.
    #[must_use]
    pub fn with_urgency(&self, urgency: Urgency) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            urgency,
        }
    }

    /// Returns how many requests were sent, and how long their answers took in all.
    pub fn traffic(&self) -> (u64, Duration) {
        let traffic = &self.shared.traffic;
        (
            traffic.requests.load(Ordering::Relaxed),
            Duration::from_micros(traffic.microseconds.load(Ordering::Relaxed)),
        )
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
        match self.read(url, id).await {
            Ok(read) => {
                let resource = read.map(|(resource, _)| resource);
                self.notice_members(kind, resource.as_slice());
                Answer::Got(resource)
            }
            Err(trouble) => Answer::Failed(trouble),
        }
    }

    /// Reads a group with its members.
    ///
    /// # Errors
    /// A [`Trouble`], also when it is not there.
    pub async fn members(&self, id: &str) -> Result<Vec<TargetMember>, Trouble> {
        let url = self.url(Kind::Group, Some(id));
        let reply = self.exchange(Method::GET, url).await;
        let reply = reply.map_err(|no_reply| unreached(&no_reply))?;
        if reply.status != 200 {
            return Err(refusal(&reply));
        }
        let group = reply
            .object()
            .ok_or_else(|| unlike(&reply, "a group that is not a JSON object"))?;
        let members = member(&group, "members").and_then(Value::as_array);
        let members = members.into_iter().flatten().filter_map(Value::as_object);
        Ok(members.filter_map(TargetMember::read).collect())
    }

    /// Reads resources from place `start` (from 1) on, groups without their members: `count` of them, or as many as the target shows at
    /// a time.
    ///
    /// # Errors
    /// A [`Trouble`].
    pub async fn page(&self, kind: Kind, start: u64, count: u64) -> Result<Page, Trouble> {
        let count = count.min(self.profile().page_size.value);
        let mut url = self.url(kind, None);
        url.query_pairs_mut()
            .append_pair("startIndex", &start.to_string())
            .append_pair("count", &count.to_string());
        self.list(url, kind).await
    }

    /// Writes to the target. What only takes away goes before the rest; see [`urgency_of`].
    pub async fn write(&self, kind: Kind, write: &Write) -> Answer {
        self.write_with(kind, write, urgency_of(write)).await
    }

    /// Writes to the target, as urgently as told.
    pub async fn write_with(&self, kind: Kind, write: &Write, urgency: Urgency) -> Answer {
        let target = self.with_urgency(urgency.max(self.urgency));
        match write {
            Write::Create { body } => target.create(kind, body).await,
            Write::Patch { id, operations } => target.update(kind, id, operations).await,
            Write::Delete { id } => {
                let url = target.url(kind, Some(id));
                done(target.exchange(Method::DELETE, url).await)
            }
        }
    }

    async fn create(&self, kind: Kind, body: &Map<String, Value>) -> Answer {
        let body = Value::Object(body.clone());
        let url = self.url(kind, None);
        let reply = match self.exchange_body(Method::POST, url, &body, None).await {
            Ok(reply) => reply,
            Err(no_reply) => return not_answered(&no_reply),
        };
        match reply.status {
            200 | 201 => {
                let created = reply.object().unwrap_or_default();
                match id_of(&created) {
                    Ok(Some(id)) if is_located_at(&created, id) => Answer::Created(id.to_owned()),
                    Ok(Some(id)) => self.verified(kind, id, &body).await,
                    Ok(None) => {
                        Answer::Unknown(unlike(&reply, "a created resource without its id"))
                    }
                    Err(trouble) => Answer::Unknown(trouble),
                }
            }
            409 => Answer::Conflict(conflict(&reply)),
            // it may have been created before the failure
            408 | 500..=599 => Answer::Unknown(refusal(&reply)),
            _ => Answer::Failed(refusal(&reply)),
        }
    }

    /// Makes sure that the id which a creation was answered with is that of what was created: an answer that contradicts itself may name
    /// the account of somebody else.
    async fn verified(&self, kind: Kind, id: &str, body: &Value) -> Answer {
        let name = |resource: &Map<String, Value>| {
            let attribute = match kind {
                Kind::User => "userName",
                Kind::Group => "displayName",
            };
            let name = member(resource, attribute).and_then(Value::as_str);
            name.map(canonical)
        };
        let sent = body.as_object().and_then(name);
        match self.get(kind, id).await {
            Answer::Got(Some(there)) if name(&there) == sent => Answer::Created(id.to_owned()),
            _ => Answer::Unknown(incompatible(
                "a created resource with the `id` of another one",
            )),
        }
    }

    fn url(&self, kind: Kind, id: Option<&str>) -> Url {
        let mut url = self.url_of(match kind {
            Kind::User => "Users",
            Kind::Group => "Groups",
        });
        if let (Some(id), Ok(mut path)) = (id, url.path_segments_mut()) {
            path.push(id);
        }
        url
    }

    fn url_of(&self, endpoint: &str) -> Url {
        let mut url = self.shared.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(endpoint);
        }
        url
    }

    /// Reads a resource with its version, if it has one; absent: it is not there.
    async fn read(
        &self,
        url: Url,
        id: &str,
    ) -> Result<Option<(Map<String, Value>, Option<String>)>, Trouble> {
        let reply = self.exchange(Method::GET, url).await;
        let reply = reply.map_err(|no_reply| unreached(&no_reply))?;
        match reply.status {
            200 => {}
            404 => return Ok(None),
            _ => return Err(refusal(&reply)),
        }
        let resource = reply
            .object()
            .ok_or_else(|| unlike(&reply, "a resource that is not a JSON object"))?;
        if id_of(&resource)? != Some(id) {
            return Err(incompatible("another resource than the one asked for"));
        }
        Ok(Some((resource, reply.etag)))
    }

    async fn list(&self, url: Url, kind: Kind) -> Result<Page, Trouble> {
        let url = without_members(url, kind);
        let reply = self.exchange(Method::GET, url).await;
        let reply = reply.map_err(|no_reply| unreached(&no_reply))?;
        let page = answers::page(&reply)?;
        self.notice_members(kind, &page.resources);
        Ok(page)
    }
}

/// Tells how urgent a write is: a deletion is, and a change that does nothing but switch somebody off.
pub fn urgency_of(write: &Write) -> Urgency {
    let switches_off = |operation: &Value| {
        let text = |name: &str| operation.get(name).and_then(Value::as_str);
        let is_off = match operation.get("value") {
            Some(Value::Bool(value)) => !value,
            Some(Value::String(value)) => value.eq_ignore_ascii_case("false"),
            _ => false,
        };
        is_off && text("path").is_some_and(|path| path.eq_ignore_ascii_case("active"))
    };
    match write {
        Write::Delete { .. } => Urgency::Urgent,
        Write::Patch { operations, .. }
            if !operations.is_empty() && operations.iter().all(switches_off) =>
        {
            Urgency::Urgent
        }
        _ => Urgency::Normal,
    }
}

/// Tells whether the place that a resource says it has does not speak against its id (RFC 7643 §3.1).
fn is_located_at(resource: &Map<String, Value>, id: &str) -> bool {
    let meta = member(resource, "meta").and_then(Value::as_object);
    let location = meta.and_then(|meta| member(meta, "location")?.as_str());
    location.is_none_or(|location| {
        let end = location.trim_end_matches('/').rsplit('/').next();
        end.is_some_and(|end| end == id)
    })
}

fn without_members(mut url: Url, kind: Kind) -> Url {
    if kind == Kind::Group {
        url.query_pairs_mut()
            .append_pair("excludedAttributes", "members");
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_only_takes_away_is_urgent() {
        let patch = |operations: Value| Write::Patch {
            id: "1".into(),
            operations: operations.as_array().unwrap().clone(),
        };
        let off = json!({"op": "replace", "path": "active", "value": "False"});
        let rows = [
            (Write::Delete { id: "1".into() }, Urgency::Urgent),
            (Write::Create { body: Map::new() }, Urgency::Normal),
            (patch(json!([off])), Urgency::Urgent),
            (
                patch(json!([{"op": "replace", "path": "active", "value": false}])),
                Urgency::Urgent,
            ),
            (
                patch(json!([{"op": "replace", "path": "active", "value": true}])),
                Urgency::Normal,
            ),
            (
                patch(json!([off, {"op": "add", "path": "title", "value": "x"}])),
                Urgency::Normal,
            ),
            (patch(json!([])), Urgency::Normal),
        ];
        for (write, expected) in rows {
            assert_eq!(urgency_of(&write), expected, "{write:?}");
        }
    }
}
