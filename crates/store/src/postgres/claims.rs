//! Who provisions an application, or delivers to an endpoint: one at a time, among all nodes.
//!
//! A claim is a lease: it lasts for a while, and whoever has it says several times in that while that they still live. When a node
//! dies, or stands still, its lease runs out, and another node takes over what it had. It takes the organisation's lock to do so,
//! and gives the claim a number of its own. Whoever writes in a claim's name compares that number in the same transaction
//! ([`crate::Standing::runner`]): one who wakes up and does not know how late it is can write nothing any more.
//!
//! The time of the leases is the database's. What a node knows of its own lease it counts on its own clock, from before it asked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rollcall_model::OrgId;
use tokio::task::AbortHandle;

use super::connections::{Connections, Purpose};
use super::convert::{from_number, number, uuid};
use super::unit::Tenant;
use crate::turns::Turns;
use crate::value::Hold;
use crate::{Claim, Claimed, Error};

/// A claim that somebody just gave back is free a moment later: so often is it asked for.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(50);
/// So often is a lease renewed before it runs out.
const RENEWALS: u32 = 3;

/// So many leases are begun at a time, one of an organisation: each waits for the organisation's lock with a connection in its hand, and
/// whoever reads or writes needs those too.
const BEGUN_AT_ONCE: usize = 2;

/// The claims of this process.
#[derive(Debug, Clone)]
pub(super) struct Claims {
    /// What is claimed. A lease does not tell one task of a process from another.
    held: Arc<Mutex<BTreeSet<Claimed>>>,
    turns: Arc<Turns>,
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            held: Arc::default(),
            turns: Arc::new(Turns::new(BEGUN_AT_ONCE, 1)),
        }
    }
}

impl Claims {
    /// Claims an application or an endpoint.
    ///
    /// # Errors
    /// [`Error::Occupied`] when somebody has it, [`Error::Missing`] when it is not there.
    pub(super) async fn claim(
        &self,
        connections: &Connections,
        organisation: OrgId,
        what: Claimed,
    ) -> Result<Claim, Error> {
        let (claims, connections) = (self.clone(), connections.clone());
        // whoever gives up waiting must not leave a lease behind that nobody knows of: it is dropped where it arrives
        let claim =
            tokio::spawn(async move { claims.take(&connections, organisation, what).await });
        claim.await.map_err(Error::backend)?
    }

    async fn take(
        &self,
        connections: &Connections,
        organisation: OrgId,
        what: Claimed,
    ) -> Result<Claim, Error> {
        for attempt in 1..=ATTEMPTS {
            if let Some(place) = Place::take(&self.held, what)
                && let Some(lease) = self.begin(connections, organisation, what).await?
            {
                let lease = Arc::new(lease);
                let renewing = tokio::spawn(keep(Arc::clone(&lease))).abort_handle();
                let held = Held {
                    place: Arc::new(place),
                    renewing,
                    lease: Arc::clone(&lease),
                };
                return Ok(Claim::new(lease.runner, held));
            }
            if attempt < ATTEMPTS {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Err(Error::Occupied(connections.address().to_string()))
    }

    /// Begins a lease, unless one runs.
    async fn begin(
        &self,
        connections: &Connections,
        organisation: OrgId,
        what: Claimed,
    ) -> Result<Option<Lease>, Error> {
        // a look is enough to see that somebody has it
        let looked = connections.run(Purpose::Unordered(organisation), move |tenant| {
            tenant.is_leased(what)
        });
        if looked.await? {
            return Ok(None);
        }
        let _turn = self.turns.turn(Some(organisation)).await?;
        Lease::begin(connections, organisation, what).await
    }
}

/// A claim's place among those of this process.
#[derive(Debug)]
struct Place {
    held: Arc<Mutex<BTreeSet<Claimed>>>,
    what: Claimed,
}

impl Place {
    fn take(held: &Arc<Mutex<BTreeSet<Claimed>>>, what: Claimed) -> Option<Self> {
        let is_free = held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(what);
        is_free.then(|| Self {
            held: Arc::clone(held),
            what,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(&self.what);
    }
}

/// A lease as this process knows it.
#[derive(Debug)]
struct Lease {
    connections: Connections,
    organisation: OrgId,
    what: Claimed,
    runner: u64,
    /// Until when nobody else can have got it.
    until: Mutex<Instant>,
}

impl Lease {
    /// Begins a lease, unless one runs.
    async fn begin(
        connections: &Connections,
        organisation: OrgId,
        what: Claimed,
    ) -> Result<Option<Self>, Error> {
        let span = connections.address().lease();
        let until = Mutex::new(Instant::now() + span);
        let taken = connections.run(Purpose::Write(organisation), move |tenant| {
            tenant.take_lease(what, span)
        });
        let Some(runner) = taken.await? else {
            return Ok(None);
        };
        let lease = Self {
            connections: connections.clone(),
            organisation,
            what,
            runner,
            until,
        };
        // the wait for the organisation's lock may have used it up
        lease.renew().await;
        Ok(Some(lease))
    }

    /// Says that its holder still lives; tells whether it is theirs.
    async fn renew(&self) -> bool {
        let (what, runner) = (self.what, self.runner);
        let (begun, span) = (Instant::now(), self.span());
        let renewed = self.run(move |tenant| tenant.renew_lease(what, runner, span));
        match renewed.await {
            Ok(true) => self.set(begun + span),
            Ok(false) => {
                self.set(begun);
                return false;
            }
            Err(error) => tracing::warn!(%what, %error, "a lease cannot be renewed yet"),
        }
        true
    }

    fn span(&self) -> Duration {
        self.connections.address().lease()
    }

    /// Gives it back. When that fails it runs out by itself.
    async fn end(&self) {
        self.set(Instant::now());
        let (what, runner) = (self.what, self.runner);
        let ended = self.run(move |tenant| tenant.end_lease(what, runner));
        if let Err(error) = ended.await {
            tracing::debug!(%what, %error, "a lease was not given back: it runs out");
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tenant<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let purpose = Purpose::Unordered(self.organisation);
        self.connections.run(purpose, work).await
    }

    fn set(&self, until: Instant) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// Renews a lease as long as it is its holder's.
async fn keep(lease: Arc<Lease>) {
    loop {
        tokio::time::sleep(lease.span() / RENEWALS).await;
        if !lease.renew().await {
            tracing::warn!(what = %lease.what, "another node has it now: this one stood still for too long");
            return;
        }
    }
}

/// A claim that is held.
#[derive(Debug)]
struct Held {
    place: Arc<Place>,
    lease: Arc<Lease>,
    renewing: AbortHandle,
}

#[async_trait]
impl Hold for Held {
    fn is_held(&self) -> bool {
        let until = self.lease.until.lock();
        Instant::now() < *until.unwrap_or_else(PoisonError::into_inner)
    }

    async fn release(&self) {
        self.renewing.abort();
        self.lease.end().await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renewing.abort();
        if self.is_held() {
            let (place, lease) = (Arc::clone(&self.place), Arc::clone(&self.lease));
            self.lease.connections.runtime().spawn(async move {
                lease.end().await;
                drop(place);
            });
        }
    }
}

/// Where it lies who has what.
struct Tables {
    take: [&'static str; 4],
    renew: &'static str,
    end: &'static str,
    id: uuid::Uuid,
}

impl Tables {
    fn of(what: Claimed) -> Self {
        match what {
            Claimed::Job(id) => Self {
                take: [
                    "SELECT FROM leases WHERE org = $1 AND application = $2 FOR UPDATE",
                    "SELECT FROM leases WHERE org = $1 AND application = $2 AND until > clock_timestamp()",
                    "UPDATE applications SET runner = runner + 1 WHERE org = $1 AND id = $2 RETURNING runner",
                    "INSERT INTO leases (org, application, runner, until)
                     VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
                     ON CONFLICT (org, application) DO UPDATE SET runner = excluded.runner, until = excluded.until",
                ],
                renew: "UPDATE leases SET until = clock_timestamp() + make_interval(secs => $4)
                     WHERE org = $1 AND application = $2 AND runner = $3",
                end: "DELETE FROM leases WHERE org = $1 AND application = $2 AND runner = $3",
                id: uuid(id),
            },
            Claimed::Webhook(id) => Self {
                take: [
                    "SELECT FROM webhook_leases WHERE org = $1 AND webhook = $2 FOR UPDATE",
                    "SELECT FROM webhook_leases WHERE org = $1 AND webhook = $2 AND until > clock_timestamp()",
                    "UPDATE webhooks SET runner = runner + 1 WHERE org = $1 AND id = $2 RETURNING runner",
                    "INSERT INTO webhook_leases (org, webhook, runner, until)
                     VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
                     ON CONFLICT (org, webhook) DO UPDATE SET runner = excluded.runner, until = excluded.until",
                ],
                renew: "UPDATE webhook_leases SET until = clock_timestamp() + make_interval(secs => $4)
                     WHERE org = $1 AND webhook = $2 AND runner = $3",
                end: "DELETE FROM webhook_leases WHERE org = $1 AND webhook = $2 AND runner = $3",
                id: uuid(id),
            },
        }
    }
}

impl Tenant<'_> {
    /// Tells whether somebody has it now.
    fn is_leased(&mut self, what: Claimed) -> Result<bool, Error> {
        let tables = Tables::of(what);
        let [_, running, ..] = tables.take;
        Ok(self.row(running, &[&self.org(), &tables.id])?.is_some())
    }

    /// Begins a lease when there is none that runs; returns its number.
    fn take_lease(&mut self, what: Claimed, span: Duration) -> Result<Option<u64>, Error> {
        let tables = Tables::of(what);
        let key: super::unit::Parameters<'_> = &[&self.org(), &tables.id];
        let [lock, running, count, insert] = tables.take;
        // locked first, looked at then: whoever renews it at this moment has done so, or finds it gone
        self.row(lock, key)?;
        if self.row(running, key)?.is_some() {
            return Ok(None);
        }
        let row = self.row(count, key)?;
        let runner: i64 = row.ok_or(Error::Missing)?.try_get(0)?;
        self.execute(
            insert,
            &[&self.org(), &tables.id, &runner, &span.as_secs_f64()],
        )?;
        Ok(Some(from_number(runner)))
    }

    /// Makes a lease last longer; tells whether it is still there.
    fn renew_lease(&mut self, what: Claimed, runner: u64, span: Duration) -> Result<bool, Error> {
        let tables = Tables::of(what);
        let renewed = self.execute(
            tables.renew,
            &[
                &self.org(),
                &tables.id,
                &number(runner),
                &span.as_secs_f64(),
            ],
        )?;
        Ok(renewed > 0)
    }

    /// Ends a lease.
    fn end_lease(&mut self, what: Claimed, runner: u64) -> Result<(), Error> {
        let tables = Tables::of(what);
        self.execute(tables.end, &[&self.org(), &tables.id, &number(runner)])?;
        Ok(())
    }
}
