//! What goes into storage and comes out of it.

use std::fmt::{self, Debug};

use async_trait::async_trait;
use jiff::Timestamp;
use rollcall_model::application::Application;
use rollcall_model::{
    Action, Actor, AdminId, ApplicationId, IntegrationId, JobState, Kind, Membership, OrgId,
    Origin, ResourceId, Summary, Webhook, WebhookId,
};
use rollcall_scim::filter::Filter;
use rollcall_scim::resource::Resource;
use rollcall_scim::sort::Sort;
use serde_json::Value;

use crate::narrowing::narrowing;

/// A person or a group as stored: the SCIM document, and what the server knows about it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Whether it is a person or a group.
    pub kind: Kind,
    /// Its id.
    pub id: ResourceId,
    /// Counts the changes, from 1; the ETag.
    pub version: u64,
    /// When it was created.
    pub created: Timestamp,
    /// When it last changed.
    pub modified: Timestamp,
    /// The integration that manages it; absent: none does, and one may adopt it.
    pub managed_by: Option<IntegrationId>,
    /// Its document, without members or groups, which are rows.
    pub resource: Resource,
}

impl Entry {
    /// Writes id, times and version into the document, so that the stored bytes are what a client is shown.
    #[must_use]
    pub fn stamped(mut self) -> Self {
        self.resource.set_id(&self.id.to_string());
        self.resource.set_meta(
            &self.created.to_string(),
            &self.modified.to_string(),
            self.version,
        );
        self
    }
}

/// An application with what a schedule asks of it.
#[derive(Debug, Clone)]
pub struct Scheduled {
    /// The organisation that it belongs to.
    pub organisation: OrgId,
    /// The application.
    pub application: Application,
    /// How far its provisioning has come.
    pub job: JobState,
    /// The last place in the organisation's change feed.
    pub last_change: u64,
}

/// A stored document as it lies in storage, unparsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// Its id.
    pub id: ResourceId,
    /// Its version.
    pub version: u64,
    /// The document: JSON, UTF-8.
    pub document: Vec<u8>,
}

/// Which objects a listing shows, in which order.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Only those that match; absent: all.
    pub filter: Option<Filter>,
    /// Which part of the result, and in which order.
    pub paging: Paging,
}

impl Selection {
    /// Tells whether an index finds the few objects that can match, so that listing them is a glance.
    pub fn is_narrow(&self, kind: Kind) -> bool {
        let filter = self.filter.as_ref();
        filter.is_some_and(|filter| narrowing(filter, kind).is_narrow())
    }

    /// Selects the next `count` of all objects, after the one with this id.
    pub fn after(id: Option<ResourceId>, count: u64) -> Self {
        Self {
            filter: None,
            paging: Paging::After { id, count },
        }
    }
}

/// Which part of a result a listing returns. Only a listing by index has an order of its own: after an object there is no place in
/// an order by values that change.
#[derive(Debug, Clone)]
pub enum Paging {
    /// `count` objects after skipping `skip`, and the number of all.
    Index {
        /// Ordered by this attribute; absent: by id, which is by age.
        sort: Option<Sort>,
        /// How many to pass over.
        skip: u64,
        /// How many to return at most.
        count: u64,
    },
    /// `count` objects after the one with this id (from the beginning when absent), in order of id.
    After {
        /// The last object of the page before.
        id: Option<ResourceId>,
        /// How many to return at most.
        count: u64,
    },
    /// Likewise, without looking at more than a number of objects: the answer comes soon, and may be only the first part.
    Look {
        /// The last object that was looked at before.
        id: Option<ResourceId>,
        /// How many to return at most.
        count: u64,
        /// How many to look at.
        budget: u64,
    },
}

/// A part of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// How many there are in all; absent when paging by cursor, where nobody counted.
    pub total: Option<u64>,
    /// The documents.
    pub resources: Vec<Raw>,
    /// Whether more follow.
    pub more: bool,
    /// The last object that was looked at, when looking was given up there; more may follow.
    pub looked_until: Option<ResourceId>,
}

/// A member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Its id.
    pub id: ResourceId,
    /// Whether it is a person or a group.
    pub kind: Kind,
}

/// How many objects an organisation has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// People, active or not.
    pub users: u64,
    /// People who are active: the seats in use.
    pub active_users: u64,
    /// Groups.
    pub groups: u64,
}

/// An entry of the change feed without what it holds: which object, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched {
    /// Its place in the feed.
    pub sequence: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// What kind of object.
    pub kind: Kind,
    /// Which object.
    pub id: ResourceId,
}

/// What is kept of a deleted object, so that the same person gets the same id again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// The id that it had.
    pub id: ResourceId,
    /// The canonical userName or displayName that it had.
    pub name_key: String,
    /// The externalId that it had.
    pub external_id: Option<String>,
    /// The integration that had managed it.
    pub managed_by: Option<IntegrationId>,
    /// The version at which it was deleted; a revived object goes on from there.
    pub version: u64,
    /// When it was deleted.
    pub deleted: Timestamp,
}

/// What an erasure met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// How many entries of the change feed lost their document.
    pub changes: u64,
    /// How many entries of the audit log lost their detail.
    pub entries: u64,
}

/// A change on its way into the feed; storage gives it its place.
#[derive(Debug, Clone)]
pub struct NewChange {
    /// What kind of object.
    pub kind: Kind,
    /// Which object.
    pub id: ResourceId,
    /// What happened.
    pub action: Action,
    /// The document after the change.
    pub document: Option<Value>,
    /// Who came into the group and who went.
    pub membership: Membership,
    /// What may be told of it without values.
    pub summary: Summary,
}

/// An entry on its way into the audit log; storage gives it its place.
#[derive(Debug, Clone)]
pub struct NewAudit {
    /// Who did it, and how.
    pub origin: Origin,
    /// What was done, as `noun.verb`.
    pub action: &'static str,
    /// The id of what it was done to.
    pub object: String,
    /// More about it.
    pub detail: Value,
}

/// A one-time link by which an administrator signs in without a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInLink {
    /// Whose.
    pub administrator: AdminId,
    /// SHA-256 of the secret in the link.
    pub digest: [u8; 32],
    /// From when on it is refused.
    pub expires: Timestamp,
}

/// An administrator's second factor: a time-based code (RFC 6238).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// The shared secret, sealed.
    pub sealed_secret: Vec<u8>,
    /// Since when it is asked for.
    pub since: Timestamp,
    /// The last time step whose code was used.
    pub last_step: u64,
}

/// Which entries of the audit log are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only what was done so: the whole action (`user.created`) or its noun (`user.`).
    pub action: Option<String>,
    /// Only what was done to this object.
    pub object: Option<String>,
    /// Only what was done by this actor, as [`actor_key`] names it.
    pub actor: Option<String>,
    /// Only from this instant on.
    pub from: Option<Timestamp>,
    /// Only before this instant.
    pub to: Option<Timestamp>,
    /// Only entries before this place.
    pub before: Option<u64>,
}

impl AuditQuery {
    /// The range of actions that is wanted: one, up to the first character that an action cannot have, or with a point at its end all of a
    /// noun, from `user.` up to `user/`, the next character.
    pub(crate) fn actions(&self) -> Option<(String, String)> {
        let asked = self.action.as_deref()?;
        let end = match asked.strip_suffix('.') {
            Some(noun) => format!("{noun}/"),
            None => format!("{asked}!"),
        };
        Some((asked.to_owned(), end))
    }

    /// The range of all actions.
    pub(crate) fn all_actions() -> (String, String) {
        (String::new(), char::MAX.to_string())
    }
}

/// Which exchanges are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExchangeQuery {
    /// Only those of this integration, or only those that were refused.
    pub of: Option<Option<IntegrationId>>,
    /// Only those that failed.
    pub failed: bool,
    /// Only those before this place.
    pub before: Option<u64>,
}

/// How often something was done on one day, by one actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The day: how many days after 1970-01-01, UTC.
    pub day: i64,
    /// What was done, as in the audit log.
    pub action: String,
    /// By whom, as [`actor_key`] names them.
    pub actor: String,
    /// How often.
    pub count: u64,
}

/// Names an actor for tallies and queries: its kind and, where there are several of the kind, its id.
pub fn actor_key(actor: &Actor) -> String {
    match actor {
        Actor::Integration { id, .. } => format!("integration:{id}"),
        Actor::Administrator { id } => format!("administrator:{id}"),
        Actor::Command => "command".to_owned(),
        Actor::System => "system".to_owned(),
        Actor::Key { id } => format!("key:{id}"),
    }
}

/// A key that seals an organisation's secrets, as it lies in the store: itself sealed, with a key that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKey {
    /// Which one of the organisation's: the one with the highest number seals.
    pub number: u64,
    /// When it was made.
    pub since: Timestamp,
    /// The key, sealed.
    pub sealed: Vec<u8>,
}

/// A mail that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingMail {
    /// Its place in the organisation's queue.
    pub sequence: u64,
    /// When it is to be sent.
    pub due: Timestamp,
    /// How often that was tried.
    pub attempts: u32,
    /// The mail, sealed.
    pub sealed: Vec<u8>,
}

/// An endpoint that is told what happens, as it lies in storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The endpoint.
    pub webhook: Webhook,
    /// Its secrets, sealed.
    pub sealed_secret: Vec<u8>,
    /// Up to which place of the feed events were made of it for the endpoint.
    pub position: u64,
    /// The number of the latest claim ([`Claim::number`]).
    pub runner: u64,
}

/// Something that is done by one at a time, among all who share a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claimed {
    /// Provisioning an application.
    Job(ApplicationId),
    /// Delivering to an endpoint.
    Webhook(WebhookId),
}

impl fmt::Display for Claimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(id) => fmt::Display::fmt(id, f),
            Self::Webhook(id) => fmt::Display::fmt(id, f),
        }
    }
}

/// Something wrong with a store, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub trouble: String,
    /// What to do.
    pub remedy: String,
}

/// In whose name an application is provisioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How many words of administrators the job has heard ([`rollcall_model::JobState::generation`]).
    pub generation: u64,
    /// The number of the latest claim ([`Claim::number`]).
    pub runner: u64,
}

/// The proof of being the only one: the store's only server, or the only one who provisions an application or delivers to an endpoint. Ends when dropped, and with
/// the process.
#[derive(Debug)]
pub struct Claim {
    number: u64,
    hold: Box<dyn Hold>,
}

/// What makes a claim hold.
#[async_trait]
pub(crate) trait Hold: Debug + Send + Sync {
    /// Tells whether it still does.
    fn is_held(&self) -> bool {
        true
    }

    /// Ends it before it is dropped.
    async fn release(&self) {}
}

impl Claim {
    pub(crate) fn new(number: u64, hold: impl Hold + 'static) -> Self {
        Self {
            number,
            hold: Box::new(hold),
        }
    }

    /// Returns the claim's fencing number: greater than that of any earlier claim to the same application. Whoever writes in the claim's
    /// name compares it with [`Standing::runner`] in the same unit.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Tells whether the claim still holds, as far as is known here: a lease ends when it could not be renewed in time.
    pub fn is_held(&self) -> bool {
        self.hold.is_held()
    }

    /// Gives it back, and returns when others can have it. A claim that is only dropped ends soon.
    pub async fn release(&self) {
        self.hold.release().await;
    }
}

/// The lock of a file.
impl Hold for std::fs::File {}

/// Nothing is needed where there may be many.
impl Hold for () {}
