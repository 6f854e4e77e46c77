//! Changes resources, by PATCH or by PUT: what the target does not take is found out once.

use reqwest::Method;
use rollcall_model::Kind;
use rollcall_model::profile::Updates;
use rollcall_scim::patch::PATCH_SCHEMA;
use rollcall_sync::edit;
use rollcall_sync::target_path::member;
use rollcall_sync::task::{Answer, INCOMPATIBLE, Trouble};
use serde_json::{Map, Value, json};

use super::Target;
use super::answers::{done, not_answered, said};
use crate::reply::{NoReply, Reply};

/// How often a resource is read again because it changed while it was being changed.
const READINGS: u32 = 2;

/// How one way of changing a resource went.
enum Way {
    /// The target took the method, and did what was asked.
    Open(Answer),
    /// It ended otherwise; whether the target takes the method is not known from that.
    Unclear(Answer),
    /// The target does not take the method; the reply says so.
    Closed(Reply),
}

impl Target {
    /// Changes a resource in the way that the target takes; where it refuses the method, in the other.
    pub(super) async fn update(&self, kind: Kind, id: &str, operations: &[Value]) -> Answer {
        let known = self.profile().updates.value;
        let closed = match self.update_by(known, kind, id, operations).await {
            Way::Open(answer) | Way::Unclear(answer) => return answer,
            Way::Closed(reply) => reply,
        };
        let (other, tried) = match known {
            Updates::Patch => (Updates::Put, "PATCH"),
            Updates::Put => (Updates::Patch, "PUT"),
        };
        match self.update_by(other, kind, id, operations).await {
            Way::Unclear(answer) => answer,
            Way::Open(answer) => {
                let observation = format!("{} to {tried}", closed.status);
                self.learn("updates", observation, |profile, at, observation| {
                    profile.updates.learn(other, at, observation)
                });
                answer
            }
            Way::Closed(reply) => {
                let message = format!(
                    "the target takes neither PATCH ({}) nor PUT ({}) for this {}: it cannot be changed there{}",
                    if known == Updates::Patch {
                        closed.status
                    } else {
                        reply.status
                    },
                    if known == Updates::Patch {
                        reply.status
                    } else {
                        closed.status
                    },
                    kind.resource_type(),
                    said(&reply),
                );
                Answer::Failed(Trouble::of_object("MethodNotAllowed", message, false))
            }
        }
    }

    async fn update_by(&self, updates: Updates, kind: Kind, id: &str, operations: &[Value]) -> Way {
        match updates {
            Updates::Patch => self.patch(kind, id, operations).await,
            Updates::Put => self.put(kind, id, operations).await,
        }
    }

    async fn patch(&self, kind: Kind, id: &str, operations: &[Value]) -> Way {
        let body = json!({"schemas": [PATCH_SCHEMA], "Operations": operations});
        let url = self.url(kind, Some(id));
        let outcome = self.exchange_body(Method::PATCH, url, &body, None).await;
        if let Ok(reply) = &outcome {
            self.notice_size(operations, reply);
            if takes_away_nothing(operations, reply) {
                return Way::Unclear(Answer::Done);
            }
        }
        way(outcome)
    }

    /// Reads the resource, applies the operations, and sends it back whole.
    async fn put(&self, kind: Kind, id: &str, operations: &[Value]) -> Way {
        for _ in 0..READINGS {
            let (before, etag) = match self.read(self.url(kind, Some(id)), id).await {
                Ok(Some(read)) => read,
                Ok(None) => return Way::Unclear(Answer::Missing),
                Err(trouble) => return Way::Unclear(Answer::Failed(trouble)),
            };
            let version = etag
                .or_else(|| version_of(&before))
                .filter(|text| is_entity_tag(text));
            let mut after = before.clone();
            if let Err(error) = edit::apply(&mut after, operations) {
                let trouble = Trouble::of_object(INCOMPATIBLE, error.to_string(), false);
                return Way::Unclear(Answer::Failed(trouble));
            }
            if after == before {
                // nothing that a PATCH would change either
                return Way::Unclear(Answer::Done);
            }
            edit::strip_read_only(&mut after);
            let url = self.url(kind, Some(id));
            let body = Value::Object(after);
            let outcome = self
                .exchange_body(Method::PUT, url, &body, version.as_deref())
                .await;
            match outcome {
                Ok(reply) if reply.status == 412 => {}
                outcome => return way(outcome),
            }
        }
        let message =
            "the object changed in the target while it was being changed: it is tried again later";
        let trouble = Trouble::of_object("UnprocessableEntity", message, true);
        Way::Unclear(Answer::Failed(trouble))
    }
}

fn way(outcome: Result<Reply, NoReply>) -> Way {
    match outcome {
        Ok(reply) if matches!(reply.status, 405 | 501) => Way::Closed(reply),
        Ok(reply) => match done(Ok(reply)) {
            Answer::Done => Way::Open(Answer::Done),
            answer => Way::Unclear(answer),
        },
        Err(no_reply) => Way::Unclear(not_answered(&no_reply)),
    }
}

/// Returns the version that the resource tells of itself (RFC 7643 §3.1).
fn version_of(resource: &Map<String, Value>) -> Option<String> {
    let version = member(member(resource, "meta")?.as_object()?, "version")?;
    version.as_str().map(str::to_owned)
}

/// Tells whether a text has the form of an entity tag (RFC 9110 §8.8.3). Versions of another form cannot be compared by `If-Match`.
fn is_entity_tag(text: &str) -> bool {
    let inner = text
        .strip_prefix("W/")
        .unwrap_or(text)
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.is_some_and(|inner| inner.chars().all(|c| c.is_ascii_graphic() && c != '"'))
}

/// Tells whether the target says that there is nothing to take away (RFC 7644 §3.5.2, `noTarget`): then it is as it should be.
fn takes_away_nothing(operations: &[Value], reply: &Reply) -> bool {
    let [operation] = operations else {
        return false;
    };
    let removes = operation.get("op") == Some(&Value::from("remove"));
    let said = reply.object();
    let kind = said
        .as_ref()
        .and_then(|error| member(error, "scimType")?.as_str());
    removes && reply.status == 400 && kind == Some("noTarget")
}
