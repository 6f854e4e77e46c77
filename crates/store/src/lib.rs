//! Storage, opened for one organisation.
//!
//! **Is:** the promises that storage makes ([`Reader`], [`Writer`], and the tests of `conformance`), and the backends that
//! keep them. A request can only get a [`Tenant`]: a handle that is bound to one organisation, so that forgetting a `where`
//! clause cannot show one organisation to another.
//! **Is not:** rules. What may be changed, and what is written to the feed and the audit log, is decided by `rollcall-app`.
//! **Start at** [`Store`]; a unit of work is a plain function, see [`Tenant::write`].

mod backup;
mod books;
#[cfg(test)]
mod chain_tests;
mod columns;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod copy;
mod encoding;
mod error;
mod figures;
mod listing;
mod narrowing;
mod postgres;
mod sqlite;
mod traits;
mod turns;
mod value;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rollcall_model::webhook::Beyond;
use rollcall_model::{
    AdminId, ApplicationId, KeyRecord, OrgId, Organisation, Slug, TokenRecord, WebhookId,
};
use tokio::sync::Notify;

pub use backup::{BackedUp, Contents, Ended, Returned, TableContents, backup, inspect, restore};
pub use copy::{Copied, Existing, NotCopied, Progress, can_be_copied, copy, tables};
pub use error::Error;
pub use figures::{Figures, Occupancy, Units};
pub use postgres::Address;
pub use traits::{
    ReadAccess, ReadDirectory, ReadJobs, ReadLedger, ReadTraffic, ReadWebhooks, Reader,
    WriteAccess, WriteDirectory, WriteErasure, WriteJobs, WriteLedger, WriteRetention,
    WriteTraffic, WriteWebhooks, Writer,
};
pub use value::{
    AuditQuery, Claim, Claimed, Counts, DataKey, Entry, Erased, ExchangeQuery, Finding, Hook,
    Listing, Member, NewAudit, NewChange, Paging, Raw, Scheduled, SecondFactor, Selection,
    SignInLink, Standing, Tally, Tombstone, Touched, WaitingMail, actor_key,
};

use figures::Does;
use traits::{Backend, Look, Unit};

/// Where a store is: `sqlite:PATH` or `postgres://…`. Shows itself without a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<Address>),
}

impl Location {
    /// Tells whether there is a store, without making one.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when that cannot be found out.
    pub async fn holds_store(&self) -> Result<bool, Error> {
        match self {
            Self::Sqlite(path) => Ok(path.exists()),
            Self::Postgres(address) => postgres::holds_store(address).await,
        }
    }

    /// Returns where the key lies that belongs to the store and is kept apart from it, unless it is told otherwise.
    pub fn key_file(&self) -> PathBuf {
        match self {
            Self::Sqlite(path) => format!("{}.key", path.display()).into(),
            Self::Postgres(_) => "rollcall.key".into(),
        }
    }
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                Ok(Self::Postgres(Box::new(text.parse()?)))
            }
            // what follows the scheme may hold a password
            Some((scheme, _)) => Err(Error::Location(format!(
                "{}:…",
                scheme.chars().take(20).collect::<String>()
            ))),
            None => Err(Error::Location(text.chars().take(200).collect())),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(address) => write!(f, "{address}"),
        }
    }
}

/// An open store: organisations, and the door to each one.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    news: Arc<News>,
    figures: Arc<Figures>,
}

/// Tells whoever waits that organisations were written to, by this process. Others' writes are found by looking.
#[derive(Debug, Default)]
struct News {
    written: Mutex<BTreeSet<OrgId>>,
    notify: Notify,
}

impl News {
    fn tell(&self, organisation: OrgId) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.insert(organisation);
        self.notify.notify_one();
    }
}

impl Store {
    /// Opens the store at `location`, creating it and applying outstanding migrations.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when it cannot be opened, [`Error::Newer`] when a later version of Rollcall has written it.
    pub async fn open(location: &Location) -> Result<Self, Error> {
        let figures = Arc::<Figures>::default();
        let backend: Arc<dyn Backend> = match location {
            Location::Sqlite(path) => {
                let (path, counting) = (path.clone(), Arc::clone(&figures));
                let open = move || sqlite::Sqlite::open(&path, counting);
                let opened = tokio::task::spawn_blocking(open);
                Arc::new(opened.await.map_err(Error::backend)??)
            }
            Location::Postgres(address) => {
                Arc::new(postgres::Postgres::open(address, Arc::clone(&figures)).await?)
            }
        };
        Ok(Self {
            backend,
            news: Arc::default(),
            figures,
        })
    }

    /// Returns what it has done since it was opened.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Returns how many connections to the database there are; absent: it is a file.
    pub fn occupancy(&self) -> Option<Occupancy> {
        self.backend.occupancy()
    }

    /// Lists all organisations by slug.
    pub async fn organisations(&self) -> Result<Vec<Organisation>, Error> {
        let all = self.backend.organisations();
        self.figures.counted(Does::Read, all).await
    }

    /// Finds an organisation by its name in URLs.
    pub async fn organisation(&self, slug: &Slug) -> Result<Option<Organisation>, Error> {
        let found = self.backend.organisation(slug);
        self.figures.counted(Does::Read, found).await
    }

    /// Finds an organisation by its name in URLs, and the token with this SHA-256 in it; absent when either is not there.
    pub async fn bearer(
        &self,
        slug: &Slug,
        digest: [u8; 32],
    ) -> Result<Option<(Organisation, TokenRecord)>, Error> {
        let found = self.backend.bearer(slug, digest);
        self.figures.counted(Does::Read, found).await
    }

    /// Finds the API key with this SHA-256, and the organisation that it opens; absent when there is none.
    pub async fn key(&self, digest: [u8; 32]) -> Result<Option<(Organisation, KeyRecord)>, Error> {
        let found = self.backend.key(digest);
        self.figures.counted(Does::Read, found).await
    }

    /// Returns the applications of an organisation, or of all, with their jobs.
    pub async fn schedule(&self, organisation: Option<OrgId>) -> Result<Vec<Scheduled>, Error> {
        let found = self.backend.schedule(organisation);
        self.figures.counted(Does::Read, found).await
    }

    /// Finds the endpoints for which there is something to do: what happened is not delivered yet, a delivery is due by `now`, or only after
    /// the latest instant that there can be (see [`Beyond`]); or something is to be forgotten.
    pub async fn due_webhooks(&self, now: Timestamp) -> Result<Vec<(OrgId, WebhookId)>, Error> {
        let found = self.backend.due_webhooks(now, Beyond::of(now));
        self.figures.counted(Does::Read, found).await
    }

    /// Finds the administrators with this address (see [`rollcall_model::Email::key`]) in all organisations.
    pub async fn administrators_called(
        &self,
        email_key: &str,
    ) -> Result<Vec<(OrgId, AdminId)>, Error> {
        let found = self.backend.administrators_called(email_key);
        self.figures.counted(Does::Read, found).await
    }

    /// Asks the store whether it answers, and whether it has the schema that it was opened with.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when it does not answer.
    pub async fn ping(&self) -> Result<(), Error> {
        self.backend.ping().await
    }

    /// Adds an organisation, and the first entry of its audit log, in one transaction.
    ///
    /// # Errors
    /// [`Error::Taken`] when the slug is in use.
    pub async fn create_organisation(
        &self,
        organisation: &Organisation,
        entry: &NewAudit,
    ) -> Result<(), Error> {
        let created = self.backend.create_organisation(organisation, entry);
        self.figures.counted(Does::Write, created).await
    }

    /// Removes an organisation and everything in it.
    pub async fn delete_organisation(&self, id: OrgId) -> Result<(), Error> {
        let deleted = self.backend.delete_organisation(id);
        self.figures.counted(Does::Write, deleted).await
    }

    /// Opens the door to one organisation.
    pub fn tenant(&self, organisation: OrgId) -> Tenant {
        Tenant {
            backend: Arc::clone(&self.backend),
            organisation,
            news: Some(Arc::clone(&self.news)),
            figures: Arc::clone(&self.figures),
        }
    }

    /// Waits until this process has written to organisations; returns which. For one waiter.
    pub async fn written(&self) -> BTreeSet<OrgId> {
        loop {
            let written = {
                let mut written = self
                    .news
                    .written
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *written)
            };
            if !written.is_empty() {
                return written;
            }
            self.news.notify.notified().await;
        }
    }

    /// Looks for damage: pages, references, counts, index columns that disagree with their documents.
    pub async fn examine(&self) -> Result<Vec<Finding>, Error> {
        self.backend.examine().await
    }

    /// Says what is wrong with how the store is set up, though it can be used.
    pub fn warnings(&self) -> Vec<Finding> {
        self.backend.warnings()
    }

    /// Makes this process the only server of the store, until the guard is dropped. Commands need no claim. Where several servers may
    /// share a store, on PostgreSQL, it is always granted.
    ///
    /// # Errors
    /// [`Error::Occupied`] when another server has it.
    pub fn claim_server(&self) -> Result<Claim, Error> {
        self.backend.claim_server()
    }

    /// Returns the secrets of this installation that were kept, by name, as they were kept: sealed.
    pub async fn installation_secrets(&self) -> Result<Vec<(String, Vec<u8>)>, Error> {
        self.backend.installation_secrets().await
    }

    /// Keeps a secret of this installation unless one of that name is kept already; returns the one that is kept.
    pub async fn installation_secret(
        &self,
        name: &'static str,
        fresh: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        self.backend.installation_secret(name, fresh).await
    }

    /// Replaces a secret of this installation, unless somebody else did so before.
    ///
    /// # Errors
    /// [`Error::Stale`] when another one than `old` is kept.
    pub async fn replace_installation_secret(
        &self,
        name: &str,
        old: &[u8],
        new: &[u8],
    ) -> Result<(), Error> {
        self.backend
            .replace_installation_secret(name, old, new)
            .await
    }
}

/// The storage of one organisation; the only handle that a request gets.
#[derive(Debug, Clone)]
pub struct Tenant {
    backend: Arc<dyn Backend>,
    organisation: OrgId,
    /// Where its writes are told; absent: nobody need know.
    news: Option<Arc<News>>,
    figures: Arc<Figures>,
}

impl Tenant {
    /// Returns the organisation whose storage this is.
    pub fn organisation(&self) -> OrgId {
        self.organisation
    }

    /// Returns the same door, whose writes are nobody's news: those by which provisioning keeps its books.
    #[must_use]
    pub fn quiet(&self) -> Self {
        Self {
            news: None,
            ..self.clone()
        }
    }

    /// Makes the caller the only one who provisions an application, until the claim is released or dropped.
    ///
    /// # Errors
    /// [`Error::Occupied`] when somebody does already, in this process or in another one, [`Error::Missing`] when there is no such
    /// application.
    pub async fn claim_job(&self, application: ApplicationId) -> Result<Claim, Error> {
        let what = Claimed::Job(application);
        self.backend.claim(self.organisation, what).await
    }

    /// Makes the caller the only one who delivers to an endpoint, until the claim is released or dropped.
    ///
    /// # Errors
    /// As [`Self::claim_job`].
    pub async fn claim_webhook(&self, webhook: WebhookId) -> Result<Claim, Error> {
        let what = Claimed::Webhook(webhook);
        self.backend.claim(self.organisation, what).await
    }

    /// Runs `unit` over a snapshot of the organisation.
    ///
    /// # Errors
    /// Those of `unit`, [`Error::Unreachable`] when there is no snapshot to be had, [`Error::Busy`] when the organisation reads
    /// so much already that its turn did not come.
    pub async fn read<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&dyn Reader) -> Result<T, E> + Send + 'static,
    {
        let (outcome, unit) = looking(unit);
        let read = self.backend.read(self.organisation, unit);
        self.figures.counted(Does::Read, read).await?;
        outcome.taken()
    }

    /// Runs `unit` likewise, for as little as finding a few rows by their keys: on SQLite that takes less time than handing it to another
    /// thread, and is done at once, where the caller is. A unit that may look through many rows is for [`Self::read`].
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn glance<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&dyn Reader) -> Result<T, E> + Send + 'static,
    {
        let (outcome, unit) = looking(unit);
        let read = self.backend.glance(self.organisation, unit);
        self.figures.counted(Does::Read, read).await?;
        outcome.taken()
    }

    /// Runs `unit` as one transaction of the organisation. It returns once the change is on disk; when `unit` fails nothing
    /// is left of it. Units of one organisation run one after the other.
    ///
    /// `unit` runs on a storage thread: it computes and uses the writer, and never waits for anything else.
    ///
    /// # Errors
    /// Those of `unit`, or [`Error::Unreachable`] when the commit failed, or [`Error::Busy`] when too many wait already: then
    /// nothing happened.
    pub async fn write<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&mut dyn Writer) -> Result<T, E> + Send + 'static,
    {
        let outcome = Slot::new();
        let filling = outcome.clone();
        let unit: Unit = Box::new(move |writer: &mut dyn Writer| {
            let result = unit(writer);
            let keep = result.is_ok();
            filling.fill(result);
            keep
        });
        let written = self.backend.write(self.organisation, unit);
        self.figures.counted(Does::Write, written).await?;
        let result = outcome.taken();
        if let (Ok(_), Some(news)) = (&result, &self.news) {
            news.tell(self.organisation);
        }
        result
    }
}

/// Makes a unit of reading of a function, and where its result will be.
fn looking<T, E, F>(unit: F) -> (Slot<T, E>, Look)
where
    T: Send + 'static,
    E: Send + 'static,
    F: FnOnce(&dyn Reader) -> Result<T, E> + Send + 'static,
{
    let outcome = Slot::new();
    let filling = outcome.clone();
    (
        outcome,
        Box::new(move |reader: &dyn Reader| filling.fill(unit(reader))),
    )
}

/// Carries a unit's result from the storage thread to whoever waits.
struct Slot<T, E>(Arc<Mutex<Option<Result<T, E>>>>);

impl<T, E> Slot<T, E> {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
    fn fill(&self, result: Result<T, E>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    }
    /// Returns the result; a unit that panicked left none.
    fn taken(self) -> Result<T, E>
    where
        E: From<Error>,
    {
        let result = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.unwrap_or_else(|| Err(E::from(Error::Abandoned)))
    }
}
