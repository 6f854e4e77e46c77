//! Another SCIM endpoint as a source.
//!
//! **Is:** all people, then all groups with their members, each kind read whole before any of it is given: pages that do not fit
//! together are noticed (RFC 7644 §3.4.2.4 promises nothing while the list moves), read once more, and then called incomplete.
//! **Is not:** a target; nothing is written.
//! **Start at** [`Scim::new`].

use std::time::Duration;

use async_trait::async_trait;
use rollcall_model::{Kind, Secret};
use rollcall_scim::limits::Limits;
use rollcall_scim::schema::Registry;
use serde_json::{Map, Value};

use super::asking::{Asking, PAUSE};
use super::json_lines::{Parts, checked};
use super::pages::{Endpoint, endpoint};
use super::{BATCH, Batch, Completeness, Pointer, Refusal, Source, SourceRecord, Unread};
use crate::client::{Client, Refused, Surroundings};

/// A SCIM endpoint, to be read once.
#[derive(Debug)]
pub struct Scim {
    endpoint: Endpoint,
    registry: Registry,
    limits: Limits,
    /// Whether there are cursors, once that was asked.
    has_cursors: Option<bool>,
    /// What is still to be read, the last first.
    kinds: Vec<Kind>,
    kind: Kind,
    resources: std::vec::IntoIter<Map<String, Value>>,
    reasons: Vec<String>,
    empty: Vec<String>,
}

impl Scim {
    /// Makes a source of the base URL and the bearer token that an administrator entered.
    ///
    /// # Errors
    /// [`Refused`] when the address cannot be called.
    pub fn new(
        client: Client,
        base_url: &str,
        token: Secret,
        registry: Registry,
        limits: Limits,
        surroundings: Surroundings,
    ) -> Result<Self, Refused> {
        let mut base = client.address(base_url)?;
        base.set_query(None);
        base.set_fragment(None);
        Ok(Self {
            endpoint: Endpoint {
                asking: Asking {
                    client,
                    pause: PAUSE,
                    surroundings,
                },
                base,
                token,
            },
            registry,
            limits,
            has_cursors: None,
            kinds: vec![Kind::Group, Kind::User],
            kind: Kind::User,
            resources: Vec::new().into_iter(),
            reasons: Vec::new(),
            empty: Vec::new(),
        })
    }

    /// Waits so long before a request is repeated the first time; the pauses after it double.
    #[must_use]
    pub fn with_pause(mut self, pause: Duration) -> Self {
        self.endpoint.asking.pause = pause;
        self
    }

    /// Reads all resources of the next kind.
    async fn read(&mut self, kind: Kind) -> Result<(), Unread> {
        let has_cursors = match self.has_cursors {
            Some(known) => known,
            None => self.endpoint.offers_cursors().await?,
        };
        self.has_cursors = Some(has_cursors);
        let listed = self.endpoint.all(kind, has_cursors).await?;
        // nobody at all is more likely a token that sees nobody
        let is_empty = kind == Kind::User && listed.resources.is_empty();
        if is_empty && listed.flaw.is_none() {
            self.empty.push("the endpoint shows no people".to_owned());
        }
        self.reasons.extend(listed.flaw);
        self.kind = kind;
        self.resources = listed.resources.into_iter();
        Ok(())
    }

    async fn record(&mut self, resource: Map<String, Value>) -> Result<Option<Taken>, Unread> {
        let kind = self.kind;
        let mut parts = Parts::of(kind, resource);
        let path = endpoint(kind);
        let Some(key) = parts.key else {
            let name = parts.name.as_deref().unwrap_or("a resource without a name");
            let place = format!("/{path}, {}", name.chars().take(200).collect::<String>());
            return Ok(Some(Err(Refusal {
                kind,
                place,
                reason: "it has no `id`".to_owned(),
                key: None,
                name: parts.name,
            })));
        };
        if kind == Kind::Group && parts.members.is_none() {
            // a list may leave members out, and so may a group that has none
            let Some(group) = self.endpoint.one(kind, &key).await? else {
                self.reasons.push(format!(
                    "the group `{key}` was in the list and is not there"
                ));
                return Ok(None);
            };
            parts.members = Parts::of(kind, group).members;
        }
        let place = format!("/{path}/{key}");
        let taken = match checked(kind, &self.registry, parts.body, &self.limits) {
            Ok(body) => Ok(SourceRecord {
                kind,
                key,
                place,
                body,
                attributes: Map::new(),
                members: parts
                    .members
                    .into_iter()
                    .flatten()
                    .map(Pointer::Key)
                    .collect(),
                manager: parts.manager.map(Pointer::Key),
            }),
            Err(reason) => Err(Refusal {
                kind,
                place,
                reason,
                key: Some(key),
                name: parts.name,
            }),
        };
        Ok(Some(taken))
    }
}

type Taken = Result<SourceRecord, Refusal>;

#[async_trait]
impl Source for Scim {
    async fn next(&mut self) -> Result<Batch, Unread> {
        while self.resources.len() == 0 {
            match self.kinds.pop() {
                Some(kind) => self.read(kind).await?,
                None => return Ok(Batch::End(Completeness::of(&self.reasons, &self.empty))),
            }
        }
        let (mut records, mut refusals) = (Vec::new(), Vec::new());
        while records.len() + refusals.len() < BATCH
            && let Some(resource) = self.resources.next()
        {
            match self.record(resource).await? {
                Some(Ok(record)) => records.push(record),
                Some(Err(refusal)) => refusals.push(refusal),
                None => {}
            }
        }
        Ok(Batch::Records(records, refusals))
    }
}
