//! The promises of storage, by subject. Each has a test in [`crate::conformance`], which every backend passes.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use rollcall_model::application::{Application, Assignment};
use rollcall_model::chain::{Head, Kept};
use rollcall_model::link::Link;
use rollcall_model::plan::PlanRecord;
use rollcall_model::provisioning::{CycleReport, JobState, LogEntry, Running};
use rollcall_model::traffic::Hour;
use rollcall_model::{
    Activation, AdminId, Administrator, ApplicationId, AuditEntry, Change, Delivery, Exchange,
    Integration, IntegrationId, KeyId, KeyRecord, Kind, OrgId, Organisation, RequestId, ResourceId,
    Session, SessionId, Slug, TokenId, TokenRecord, Webhook, WebhookId,
};

use crate::{
    AuditQuery, Claim, Claimed, Counts, DataKey, Entry, Erased, Error, ExchangeQuery, Finding,
    Hook, Listing, Member, NewAudit, NewChange, Occupancy, Raw, Scheduled, SecondFactor, Selection,
    SignInLink, Standing, Tally, Tombstone, Touched, WaitingMail,
};

/// A unit of reading.
pub(crate) type Look = Box<dyn FnOnce(&dyn Reader) + Send>;
/// A unit of writing; tells whether its changes are to be kept.
pub(crate) type Unit = Box<dyn FnOnce(&mut dyn Writer) -> bool + Send>;

/// What a database has to offer to be a store.
#[async_trait]
pub(crate) trait Backend: Debug + Send + Sync {
    async fn organisations(&self) -> Result<Vec<Organisation>, Error>;
    async fn organisation(&self, slug: &Slug) -> Result<Option<Organisation>, Error>;
    /// Finds an organisation, and the token with this digest in it, at one instant.
    async fn bearer(
        &self,
        slug: &Slug,
        digest: [u8; 32],
    ) -> Result<Option<(Organisation, TokenRecord)>, Error>;
    /// Finds the API key with this digest, and its organisation, at one instant.
    async fn key(&self, digest: [u8; 32]) -> Result<Option<(Organisation, KeyRecord)>, Error>;
    /// Finds the applications of an organisation, or of all, with their jobs: asked twice a second, so one query for all.
    async fn schedule(&self, organisation: Option<OrgId>) -> Result<Vec<Scheduled>, Error>;
    async fn administrators_called(&self, email_key: &str) -> Result<Vec<(OrgId, AdminId)>, Error>;
    async fn ping(&self) -> Result<(), Error>;
    async fn create_organisation(
        &self,
        organisation: &Organisation,
        entry: &NewAudit,
    ) -> Result<(), Error>;
    async fn delete_organisation(&self, id: OrgId) -> Result<(), Error>;
    async fn installation_secrets(&self) -> Result<Vec<(String, Vec<u8>)>, Error>;
    async fn installation_secret(
        &self,
        name: &'static str,
        fresh: Vec<u8>,
    ) -> Result<Vec<u8>, Error>;
    async fn replace_installation_secret(
        &self,
        name: &str,
        old: &[u8],
        new: &[u8],
    ) -> Result<(), Error>;
    async fn examine(&self) -> Result<Vec<Finding>, Error>;
    /// What is wrong with how the store is set up.
    fn warnings(&self) -> Vec<Finding> {
        Vec::new()
    }
    /// How many connections to a database there are, if it is one.
    fn occupancy(&self) -> Option<Occupancy> {
        None
    }
    fn claim_server(&self) -> Result<Claim, Error>;
    async fn claim(&self, organisation: OrgId, what: Claimed) -> Result<Claim, Error>;
    /// Finds the endpoints for which there is something to do: asked twice a second, so one query for all.
    async fn due_webhooks(
        &self,
        now: Timestamp,
        beyond: rollcall_model::webhook::Beyond,
    ) -> Result<Vec<(OrgId, WebhookId)>, Error>;
    async fn read(&self, organisation: OrgId, unit: Look) -> Result<(), Error>;
    /// Reads a few rows by their keys: where that does not wait, it is done where the caller is.
    async fn glance(&self, organisation: OrgId, unit: Look) -> Result<(), Error> {
        self.read(organisation, unit).await
    }
    async fn write(&self, organisation: OrgId, unit: Unit) -> Result<(), Error>;
}

/// Reads one organisation at one instant.
pub trait Reader:
    ReadDirectory + ReadLedger + ReadAccess + ReadJobs + ReadTraffic + ReadWebhooks
{
    /// Returns the organisation itself.
    ///
    /// # Errors
    /// [`Error::Missing`] when it was deleted meanwhile.
    fn organisation(&self) -> Result<Organisation, Error>;
    /// Returns how many people and groups there are.
    fn counts(&self) -> Result<Counts, Error>;
    /// Returns how many people and groups this integration manages; absent: how many none manages.
    fn managed(&self, integration: Option<IntegrationId>) -> Result<Counts, Error>;
}

/// Reads and changes one organisation; what it changes is visible to its own reads at once, to others after the commit.
pub trait Writer:
    Reader
    + WriteDirectory
    + WriteLedger
    + WriteAccess
    + WriteJobs
    + WriteTraffic
    + WriteErasure
    + WriteWebhooks
    + WriteRetention
{
    /// Stores a changed organisation.
    fn save_organisation(&mut self, organisation: &Organisation) -> Result<(), Error>;
}

/// People, groups, memberships and tombstones.
pub trait ReadDirectory {
    /// Returns a person or a group.
    fn entry(&self, kind: Kind, id: ResourceId) -> Result<Option<Entry>, Error>;
    /// Returns the stored bytes of a person or a group.
    fn raw(&self, kind: Kind, id: ResourceId) -> Result<Option<Raw>, Error>;
    /// Returns the id of the person with this userName, or the group with this displayName, however it is written.
    fn named(&self, kind: Kind, name: &str) -> Result<Option<ResourceId>, Error>;
    /// Returns the objects with this externalId (exact case), oldest first.
    fn with_external_id(&self, kind: Kind, external_id: &str) -> Result<Vec<ResourceId>, Error>;
    /// Returns the kind of the object with this id, whichever it is.
    fn kind_of(&self, id: ResourceId) -> Result<Option<Kind>, Error>;
    /// Returns a part of the objects of a kind.
    ///
    /// # Errors
    /// [`Error::TooLong`] when a unit of reading would have to look through more objects than it has time for.
    fn list(&self, kind: Kind, selection: &Selection) -> Result<Listing, Error>;
    /// Returns likewise only those that this integration manages; absent: those that none manages.
    ///
    /// # Errors
    /// As [`Self::list`].
    fn list_managed(
        &self,
        kind: Kind,
        integration: Option<IntegrationId>,
        selection: &Selection,
    ) -> Result<Listing, Error>;

    /// Returns `count` members of a group in order of id, after the one given.
    fn members(
        &self,
        group: ResourceId,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<Member>, Error>;
    /// Returns the first `count` members of a group with their display names, in order of id.
    fn named_members(
        &self,
        group: ResourceId,
        count: u64,
    ) -> Result<Vec<(Member, Option<String>)>, Error>;
    /// Tells whether `member` is a direct member of `group`.
    fn is_member(&self, group: ResourceId, member: ResourceId) -> Result<bool, Error>;
    /// Returns the groups whose direct member this is, with their display names, in order of id.
    fn groups_of(&self, member: ResourceId) -> Result<Vec<(ResourceId, String)>, Error>;

    /// Returns the people whose manager this is, in order of id.
    fn reports_of(&self, manager: ResourceId) -> Result<Vec<ResourceId>, Error>;

    /// Returns the tombstones of objects that had this externalId or this name, latest first.
    fn tombstones(
        &self,
        kind: Kind,
        external_id: Option<&str>,
        name: &str,
    ) -> Result<Vec<Tombstone>, Error>;
    /// Returns the tombstone of an object.
    fn tombstone(&self, kind: Kind, id: ResourceId) -> Result<Option<Tombstone>, Error>;
}

/// Changes people, groups and memberships.
pub trait WriteDirectory {
    /// Adds an object.
    ///
    /// # Errors
    /// [`Error::Taken`] when its userName or displayName is in use.
    fn insert(&mut self, entry: &Entry) -> Result<(), Error>;
    /// Replaces an object whose stored version is `entry.version - 1`.
    ///
    /// # Errors
    /// [`Error::Stale`] when the stored version is another, [`Error::Missing`] when it is gone, [`Error::Taken`] as above.
    fn update(&mut self, entry: &Entry) -> Result<(), Error>;
    /// Removes an object with all its memberships, leaving a tombstone.
    ///
    /// # Errors
    /// [`Error::Missing`] when it is not there.
    fn remove(&mut self, kind: Kind, id: ResourceId, at: Timestamp) -> Result<(), Error>;
    /// Removes a tombstone: the object came back.
    fn remove_tombstone(&mut self, kind: Kind, id: ResourceId) -> Result<(), Error>;

    /// Makes `members` members of `group`; returns those who were not yet.
    fn add_members(
        &mut self,
        group: ResourceId,
        members: &[Member],
    ) -> Result<Vec<ResourceId>, Error>;
    /// Ends memberships; returns those who had been members.
    fn remove_members(
        &mut self,
        group: ResourceId,
        members: &[ResourceId],
    ) -> Result<Vec<ResourceId>, Error>;
    /// Ends all memberships of a group; returns who had been members.
    fn clear_members(&mut self, group: ResourceId) -> Result<Vec<ResourceId>, Error>;
}

/// So many bytes of documents and memberships are read of the change feed at once.
pub(crate) const AT_ONCE: usize = 4 * 1024 * 1024;

/// The change feed and the audit log.
pub trait ReadLedger {
    /// Returns entries of the change feed after `sequence`, in order: `count` at most, and fewer when they hold much, but one at least if there
    /// is one. Whoever needs all goes on after the last.
    fn changes(&self, after: u64, count: u64) -> Result<Vec<Change>, Error>;
    /// Likewise all `count`, without what was changed to: neither documents, which may be long, nor members.
    fn told(&self, after: u64, count: u64) -> Result<Vec<Change>, Error>;
    /// Tells which objects entries of the change feed after `sequence` are about, in order, `count` at most. What they hold is not read.
    ///
    /// # Errors
    /// [`Error::TooLong`] when a unit of reading has no time left.
    fn touched(&self, after: u64, count: u64) -> Result<Vec<Touched>, Error>;
    /// Tells at which places an object was changed, the latest first, before the given place, `count` at most. What these entries hold is not
    /// read.
    ///
    /// # Errors
    /// [`Error::TooLong`] when a unit of reading has no time left.
    fn object_touched(
        &self,
        kind: Kind,
        id: ResourceId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<Touched>, Error>;
    /// Returns the place of the feed's last entry; 0 when it is empty.
    fn last_change(&self) -> Result<u64, Error>;
    /// Returns the latest entries of the feed about one object, latest first, before the given place: `count` at most, and fewer when they hold
    /// much, but one at least if there is one.
    ///
    /// # Errors
    /// [`Error::TooLong`] when a unit of reading has no time left.
    fn object_changes(
        &self,
        kind: Kind,
        id: ResourceId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<Change>, Error>;
    /// Returns entries of the audit log, latest first, before the given place (from the end when absent).
    fn audit(&self, before: Option<u64>, count: u64) -> Result<Vec<AuditEntry>, Error>;
    /// Returns the latest `count` entries of the audit log that answer a query, latest first.
    ///
    /// # Errors
    /// [`Error::TooLong`] when a unit of reading would have to look through more entries than it has time for.
    fn audit_where(&self, query: &AuditQuery, count: u64) -> Result<Vec<AuditEntry>, Error>;
    /// Returns the last entry of the audit log.
    fn audit_head(&self) -> Result<Head, Error>;
    /// Returns entries of the audit log after the given place, in order, as whoever verifies the log needs them; absent: from the very
    /// beginning.
    fn chain(&self, after: Option<u64>, count: u64) -> Result<Vec<Kept>, Error>;
    /// Returns how often what was done on the days `from` to `to`, both included, in order of day, action and actor.
    fn tallies(&self, from: i64, to: i64) -> Result<Vec<Tally>, Error>;
}

/// Forgets what is not kept any longer, the oldest first, a bounded part at a time. Each returns how many it forgot: fewer than `count` are the
/// last ones.
pub trait WriteRetention {
    /// Forgets entries of an application's provisioning log from before an instant.
    fn forget_log(
        &mut self,
        id: ApplicationId,
        before: Timestamp,
        count: u64,
    ) -> Result<u64, Error>;
    /// Forgets exchanges from before an instant.
    fn forget_exchanges(&mut self, before: Timestamp, count: u64) -> Result<u64, Error>;
    /// Forgets tombstones of who was deleted before an instant.
    fn forget_tombstones(&mut self, before: Timestamp, count: u64) -> Result<u64, Error>;
}

/// Appends to the change feed and the audit log.
pub trait WriteLedger {
    /// Appends to the change feed, at the next place.
    fn append_change(&mut self, at: Timestamp, change: &NewChange) -> Result<(), Error>;
    /// Appends to the audit log, at the next place.
    fn append_audit(&mut self, at: Timestamp, entry: &NewAudit) -> Result<(), Error>;
}

/// Erases what is kept about a person.
pub trait WriteErasure {
    /// Erases what lies under the person's id, who is deleted already: tombstone, addresses, activation, assignments, links, provisioning log,
    /// the documents in the change feed, details and addresses in the audit log. The entries of both stay at their places, with the id, and
    /// the log's chain still verifies.
    fn erase_person(&mut self, person: ResourceId) -> Result<Erased, Error>;
    /// Removes exchanges, by their places.
    fn remove_exchanges(&mut self, sequences: &[u64]) -> Result<(), Error>;
    /// Removes entries of the provisioning log, by their places.
    fn remove_log(&mut self, id: ApplicationId, sequences: &[u64]) -> Result<(), Error>;
    /// Removes a plan with its pieces.
    fn remove_plan(&mut self, id: ApplicationId, number: u64) -> Result<(), Error>;
    /// Forgets the cycles that are remembered.
    fn forget_cycles(&mut self, id: ApplicationId) -> Result<(), Error>;
}

/// Who may come in: integrations with their tokens, administrators.
pub trait ReadAccess {
    /// Lists the integrations in order of creation.
    fn integrations(&self) -> Result<Vec<Integration>, Error>;
    /// Lists the tokens in order of creation.
    fn tokens(&self) -> Result<Vec<TokenRecord>, Error>;
    /// Lists the API keys in order of creation.
    fn api_keys(&self) -> Result<Vec<KeyRecord>, Error>;
    /// Lists the administrators by address.
    fn administrators(&self) -> Result<Vec<Administrator>, Error>;
    /// Returns an administrator's password hash (PHC string).
    fn password_hash(&self, id: AdminId) -> Result<Option<String>, Error>;
    /// Returns an administrator's one-time sign-in link.
    fn sign_in_link(&self, id: AdminId) -> Result<Option<SignInLink>, Error>;
    /// Finds a one-time sign-in link by the SHA-256 of its secret.
    fn sign_in_link_by_digest(&self, digest: &[u8; 32]) -> Result<Option<SignInLink>, Error>;
    /// Finds a session by the SHA-256 of its secret.
    fn session(&self, digest: &[u8; 32]) -> Result<Option<Session>, Error>;
    /// Lists an administrator's sessions in order of creation.
    fn sessions(&self, id: AdminId) -> Result<Vec<Session>, Error>;
    /// Returns an administrator's second factor.
    fn second_factor(&self, id: AdminId) -> Result<Option<SecondFactor>, Error>;
    /// Counts an administrator's unused recovery codes.
    fn recovery_codes(&self, id: AdminId) -> Result<u64, Error>;

    /// Returns how far a person's activation is; absent: they were never invited.
    fn activation(&self, person: ResourceId) -> Result<Option<Activation>, Error>;
    /// Finds an activation by the SHA-256 of its link's secret.
    fn activation_by_link(&self, digest: &[u8; 32]) -> Result<Option<Activation>, Error>;
    /// Returns `count` of the active people whom this integration manages, who have not activated and hold no link that is good at
    /// `now`, in order of id, after the one given.
    fn uninvited(
        &self,
        integration: IntegrationId,
        now: Timestamp,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<ResourceId>, Error>;
}

/// Changes who may come in.
pub trait WriteAccess {
    /// Adds an integration.
    ///
    /// # Errors
    /// [`Error::Taken`] when there is one of the same kind.
    fn insert_integration(&mut self, integration: &Integration) -> Result<(), Error>;
    /// Stores a changed integration.
    ///
    /// # Errors
    /// [`Error::Missing`] when it is gone.
    fn save_integration(&mut self, integration: &Integration) -> Result<(), Error>;
    /// Removes an integration with its tokens; what it managed is managed by none from then on.
    fn remove_integration(&mut self, id: IntegrationId) -> Result<(), Error>;
    /// Adds a token under the SHA-256 of its text.
    fn insert_token(&mut self, token: &TokenRecord, digest: &[u8; 32]) -> Result<(), Error>;
    /// Sets the instant from which a token is refused.
    fn expire_token(&mut self, id: TokenId, expires: Timestamp) -> Result<(), Error>;
    /// Refuses a token for good.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is none of this id.
    fn revoke_token(&mut self, id: TokenId, at: Timestamp) -> Result<(), Error>;
    /// Removes the tokens that were revoked before an instant.
    fn forget_revoked_tokens(&mut self, before: Timestamp) -> Result<(), Error>;
    /// Notes that a token was used.
    fn touch_token(&mut self, id: TokenId, at: Timestamp) -> Result<(), Error>;

    /// Adds an API key under the SHA-256 of its text.
    fn insert_api_key(&mut self, key: &KeyRecord, digest: &[u8; 32]) -> Result<(), Error>;
    /// Refuses an API key for good.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is none of this id.
    fn revoke_api_key(&mut self, id: KeyId, at: Timestamp) -> Result<(), Error>;
    /// Notes that an API key was used.
    fn touch_api_key(&mut self, id: KeyId, at: Timestamp) -> Result<(), Error>;

    /// Adds an administrator.
    ///
    /// # Errors
    /// [`Error::Taken`] when the address is in use.
    fn insert_administrator(&mut self, administrator: &Administrator) -> Result<(), Error>;
    /// Makes a password an administrator's only way in: stores its hash (PHC string) and forgets the sign-in link.
    fn save_password_hash(&mut self, id: AdminId, hash: &str) -> Result<(), Error>;
    /// Makes a one-time link an administrator's only way in: replaces an earlier one and forgets the password.
    fn save_sign_in_link(&mut self, link: &SignInLink) -> Result<(), Error>;
    /// Forgets an administrator's one-time sign-in link: it was used.
    fn remove_sign_in_link(&mut self, id: AdminId) -> Result<(), Error>;
    /// Stores a changed administrator.
    ///
    /// # Errors
    /// [`Error::Missing`] when they are gone, [`Error::Taken`] when the address is in use.
    fn save_administrator(&mut self, administrator: &Administrator) -> Result<(), Error>;
    /// Removes an administrator with their sessions and ways in.
    ///
    /// # Errors
    /// [`Error::Missing`] when they are not there.
    fn remove_administrator(&mut self, id: AdminId) -> Result<(), Error>;

    /// Adds a session under the SHA-256 of its secret, or stores a changed one; forgets those that have ended by `now`.
    fn save_session(
        &mut self,
        session: &Session,
        digest: &[u8; 32],
        now: Timestamp,
    ) -> Result<(), Error>;
    /// Ends a session of an administrator; tells whether there was one.
    fn end_session(&mut self, administrator: AdminId, id: SessionId) -> Result<bool, Error>;
    /// Ends all sessions of an administrator, except one.
    fn end_sessions(
        &mut self,
        administrator: AdminId,
        except: Option<SessionId>,
    ) -> Result<(), Error>;
    /// Stores an administrator's second factor; absent: removes it, with the recovery codes.
    fn save_second_factor(
        &mut self,
        id: AdminId,
        factor: Option<&SecondFactor>,
    ) -> Result<(), Error>;
    /// Replaces an administrator's recovery codes by those with these SHA-256.
    fn save_recovery_codes(&mut self, id: AdminId, digests: &[[u8; 32]]) -> Result<(), Error>;
    /// Uses a recovery code up; tells whether there was one with this SHA-256.
    fn use_recovery_code(&mut self, id: AdminId, digest: &[u8; 32]) -> Result<bool, Error>;

    /// Stores how far a person's activation is.
    fn save_activation(&mut self, activation: &Activation) -> Result<(), Error>;
    /// Forgets a person's activation; nothing happens when there is none.
    fn remove_activation(&mut self, person: ResourceId) -> Result<(), Error>;
}

/// What directories asked, mail that waits, and the keys that seal.
pub trait ReadTraffic {
    /// Returns the latest `count` exchanges that answer a query, with their places, latest first.
    fn exchanges(&self, query: ExchangeQuery, count: u64) -> Result<Vec<(u64, Exchange)>, Error>;
    /// Returns the exchange of a request.
    fn exchange(&self, request: RequestId) -> Result<Option<Exchange>, Error>;
    /// Returns what was asked in the hours that began at `from` or later, in order of hour.
    fn traffic(&self, from: Timestamp) -> Result<Vec<Hour>, Error>;
    /// Returns the first exchange that is kept of an integration.
    fn first_exchange(&self, integration: IntegrationId) -> Result<Option<Exchange>, Error>;
    /// Returns `count` mails that are due by `now`, or only after `beyond`, which is later than any mail is put off; in order of being due.
    fn due_mail(
        &self,
        now: Timestamp,
        beyond: Timestamp,
        count: u64,
    ) -> Result<Vec<WaitingMail>, Error>;
    /// Returns how many mails wait, due or not.
    fn waiting_mail(&self) -> Result<u64, Error>;
    /// Returns the keys that seal the organisation's secrets, the one that seals now first.
    fn data_keys(&self) -> Result<Vec<DataKey>, Error>;
}

/// Notes what directories asked, keeps mail until it is sent, and the keys that seal.
pub trait WriteTraffic {
    /// Appends exchanges, and forgets the oldest beyond [`rollcall_model::traffic::KEPT`].
    fn append_exchanges(&mut self, exchanges: &[Exchange]) -> Result<(), Error>;
    /// Adds requests to what was counted of their hours; there is one of each integration and hour at most.
    fn count_traffic(&mut self, hours: &[Hour]) -> Result<(), Error>;
    /// Puts a mail into the queue; `seal` seals it for the place that it gets.
    fn queue_mail(&mut self, due: Timestamp, seal: &dyn Fn(u64) -> Vec<u8>) -> Result<(), Error>;
    /// Puts a mail off, counting an attempt.
    fn defer_mail(&mut self, sequence: u64, due: Timestamp) -> Result<(), Error>;
    /// Takes a mail out of the queue.
    fn remove_mail(&mut self, sequence: u64) -> Result<(), Error>;
    /// Stores a key that seals the organisation's secrets, in place of the one with its number if there is one.
    fn save_data_key(&mut self, key: &DataKey) -> Result<(), Error>;
    /// Forgets such a key: what it sealed cannot be opened any more.
    fn remove_data_key(&mut self, number: u64) -> Result<(), Error>;
}

/// Endpoints that are told what happens, and what is to be delivered to them.
pub trait ReadWebhooks {
    /// Lists the endpoints in order of creation.
    fn webhooks(&self) -> Result<Vec<Hook>, Error>;
    /// Returns an endpoint.
    fn webhook(&self, id: WebhookId) -> Result<Option<Hook>, Error>;
    /// Returns the latest `count` deliveries of an endpoint with their places, latest first, before the given place.
    fn deliveries(
        &self,
        id: WebhookId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<(u64, Delivery)>, Error>;
    /// Returns the delivery at a place.
    fn delivery(&self, id: WebhookId, sequence: u64) -> Result<Option<Delivery>, Error>;
    /// Returns `count` deliveries that are due by `now`, or only after `beyond`, which is later than any is put off; in order of being due.
    fn due_deliveries(
        &self,
        id: WebhookId,
        now: Timestamp,
        beyond: Timestamp,
        count: u64,
    ) -> Result<Vec<(u64, Delivery)>, Error>;
    /// Counts the deliveries that wait, due or not.
    fn waiting_deliveries(&self, id: WebhookId) -> Result<u64, Error>;
}

/// Changes endpoints that are told what happens, and notes what was delivered.
pub trait WriteWebhooks {
    /// Adds an endpoint with its sealed secrets, which is told what happens after this place of the feed.
    fn insert_webhook(
        &mut self,
        webhook: &Webhook,
        sealed_secret: &[u8],
        position: u64,
    ) -> Result<(), Error>;
    /// Stores a changed endpoint.
    ///
    /// # Errors
    /// [`Error::Missing`] when it is gone.
    fn save_webhook(&mut self, webhook: &Webhook) -> Result<(), Error>;
    /// Replaces the sealed secrets of an endpoint.
    ///
    /// # Errors
    /// [`Error::Missing`] when it is gone.
    fn save_webhook_secret(&mut self, id: WebhookId, sealed_secret: &[u8]) -> Result<(), Error>;
    /// Notes up to which place of the feed deliveries were made.
    ///
    /// # Errors
    /// [`Error::Missing`] when it is gone.
    fn move_webhook(&mut self, id: WebhookId, position: u64) -> Result<(), Error>;
    /// Removes an endpoint with its deliveries.
    ///
    /// # Errors
    /// [`Error::Missing`] when it is not there.
    fn remove_webhook(&mut self, id: WebhookId) -> Result<(), Error>;
    /// Adds deliveries, at the next places.
    fn add_deliveries(&mut self, id: WebhookId, deliveries: &[Delivery]) -> Result<(), Error>;
    /// Stores what became of a delivery; nothing happens when it is gone.
    fn save_delivery(
        &mut self,
        id: WebhookId,
        sequence: u64,
        delivery: &Delivery,
    ) -> Result<(), Error>;
    /// Forgets the deliveries that are not kept any longer, and the oldest of those that came to an end beyond a number.
    fn forget_deliveries(&mut self, id: WebhookId, now: Timestamp, kept: u64) -> Result<(), Error>;
    /// Makes all deliveries that wait due now, as if they had not been tried.
    fn hurry_deliveries(&mut self, id: WebhookId, now: Timestamp) -> Result<(), Error>;
}

/// Applications, and what provisioning remembers between cycles.
pub trait ReadJobs {
    /// Lists the applications in order of creation.
    fn applications(&self) -> Result<Vec<Application>, Error>;
    /// Returns an application.
    fn application(&self, id: ApplicationId) -> Result<Option<Application>, Error>;
    /// Returns the sealed secret of an application's target.
    fn sealed_secret(&self, id: ApplicationId) -> Result<Option<Vec<u8>>, Error>;
    /// Lists who is assigned to an application.
    fn assignments(&self, id: ApplicationId) -> Result<Vec<Assignment>, Error>;
    /// Returns what the next cycle has to know.
    fn job(&self, id: ApplicationId) -> Result<JobState, Error>;

    /// Returns in whose name the application is provisioned at present, without reading the rest of the job.
    fn standing(&self, id: ApplicationId) -> Result<Standing, Error>;

    /// Returns the link of an object.
    fn link(
        &self,
        id: ApplicationId,
        kind: Kind,
        object: ResourceId,
    ) -> Result<Option<Link>, Error>;
    /// Returns `count` links in order of their objects' ids, after the one given.
    fn links(
        &self,
        id: ApplicationId,
        kind: Kind,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<Link>, Error>;
    /// Returns `count` of the links that are not at rest ([`Link::needs_attention`]), likewise.
    fn links_needing_attention(
        &self,
        id: ApplicationId,
        kind: Kind,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<Link>, Error>;
    /// Counts the objects whose counterpart in the target is in use ([`Link::is_in_use`]).
    fn in_use(&self, id: ApplicationId) -> Result<u64, Error>;
    /// Returns the object that is linked to this target object.
    fn linked_to(
        &self,
        id: ApplicationId,
        kind: Kind,
        target_id: &str,
    ) -> Result<Option<ResourceId>, Error>;

    /// Returns `count` members that the target is known to have in a group, in order of id, after the one given.
    fn exported_members(
        &self,
        id: ApplicationId,
        group: ResourceId,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<ResourceId>, Error>;
    /// Returns the groups in which the target is known to have this member.
    fn exported_groups(
        &self,
        id: ApplicationId,
        member: ResourceId,
    ) -> Result<Vec<ResourceId>, Error>;

    /// Returns entries of the provisioning log with their places, latest first, before the given place.
    fn provisioning_log(
        &self,
        id: ApplicationId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<(u64, LogEntry)>, Error>;
    /// Returns those entries that tell of a failure, likewise.
    fn provisioning_failures(
        &self,
        id: ApplicationId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<(u64, LogEntry)>, Error>;
    /// Returns how far a running cycle is; absent: none is running.
    fn progress(&self, id: ApplicationId) -> Result<Option<Running>, Error>;
    /// Lists the plans that were made, latest first.
    fn plans(&self, id: ApplicationId) -> Result<Vec<PlanRecord>, Error>;
    /// Returns a plan's bytes, as they were saved.
    fn plan(&self, id: ApplicationId, number: u64) -> Result<Option<Vec<u8>>, Error>;
    /// Returns a piece of a plan, as it was saved.
    fn plan_page(
        &self,
        id: ApplicationId,
        number: u64,
        page: u64,
    ) -> Result<Option<Vec<u8>>, Error>;
    /// Returns the latest `count` cycles that were remembered, latest first.
    fn cycles(&self, id: ApplicationId, count: u64) -> Result<Vec<CycleReport>, Error>;
    /// Returns the latest `count` entries of the provisioning log about one object of the source, latest first.
    fn object_log(
        &self,
        id: ApplicationId,
        kind: Kind,
        object: ResourceId,
        count: u64,
    ) -> Result<Vec<LogEntry>, Error>;
}

/// Changes applications, and what provisioning remembers.
pub trait WriteJobs {
    /// Adds an application, or stores a changed one.
    fn save_application(&mut self, application: &Application) -> Result<(), Error>;
    /// Removes an application with all that provisioning remembers of it.
    fn remove_application(&mut self, id: ApplicationId) -> Result<(), Error>;
    /// Stores the sealed secret of an application's target; absent: forgets it.
    fn save_sealed_secret(&mut self, id: ApplicationId, secret: Option<&[u8]>)
    -> Result<(), Error>;
    /// Assigns a person or group; does nothing when it is assigned already.
    fn assign(&mut self, id: ApplicationId, assignment: &Assignment) -> Result<(), Error>;
    /// Ends an assignment; tells whether there was one.
    fn unassign(
        &mut self,
        id: ApplicationId,
        kind: Kind,
        principal: ResourceId,
    ) -> Result<bool, Error>;
    /// Stores what the next cycle has to know.
    fn save_job(&mut self, id: ApplicationId, job: &JobState) -> Result<(), Error>;

    /// Stores a link.
    ///
    /// # Errors
    /// [`Error::Taken`] when another object of the application is linked to the same target object.
    fn save_link(&mut self, link: &Link) -> Result<(), Error>;
    /// Forgets a link.
    fn remove_link(
        &mut self,
        id: ApplicationId,
        kind: Kind,
        object: ResourceId,
    ) -> Result<(), Error>;
    /// Notes that the target has these members in a group.
    fn add_exported_members(
        &mut self,
        id: ApplicationId,
        group: ResourceId,
        members: &[ResourceId],
    ) -> Result<(), Error>;
    /// Notes that the target does not have these members in a group.
    fn remove_exported_members(
        &mut self,
        id: ApplicationId,
        group: ResourceId,
        members: &[ResourceId],
    ) -> Result<(), Error>;
    /// Forgets all links and exported members: the target is another one.
    fn forget_links(&mut self, id: ApplicationId) -> Result<(), Error>;
    /// Forgets that the target has this object in any group.
    fn forget_exported_member(
        &mut self,
        id: ApplicationId,
        member: ResourceId,
    ) -> Result<(), Error>;
    /// Notes that the target has no members in a group.
    fn clear_exported_members(&mut self, id: ApplicationId, group: ResourceId)
    -> Result<(), Error>;
    /// Appends to the provisioning log.
    fn append_log(&mut self, entry: &LogEntry) -> Result<(), Error>;
    /// Remembers a cycle, and forgets the oldest beyond [`rollcall_model::provisioning::CYCLES_KEPT`].
    fn append_cycle(&mut self, id: ApplicationId, report: &CycleReport) -> Result<(), Error>;
    /// Notes how far a running cycle is; absent: it has ended.
    fn save_progress(&mut self, id: ApplicationId, running: Option<&Running>) -> Result<(), Error>;
    /// Adds a plan that is being made, and returns its number; forgets the oldest beyond [`rollcall_model::plan::KEPT`].
    fn add_plan(&mut self, id: ApplicationId, plan: &PlanRecord) -> Result<u64, Error>;
    /// Stores what became of a plan, and its bytes when it was made.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is none of this number.
    fn save_plan(
        &mut self,
        id: ApplicationId,
        plan: &PlanRecord,
        bytes: Option<&[u8]>,
    ) -> Result<(), Error>;
    /// Stores a piece of a plan, for whoever looks at it; it goes with the plan.
    fn save_plan_page(
        &mut self,
        id: ApplicationId,
        number: u64,
        page: u64,
        body: &[u8],
    ) -> Result<(), Error>;
}
