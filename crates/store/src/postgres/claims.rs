//! Who provisions an application: one at a time, among all nodes.
//!
//! A claim is a lock of PostgreSQL that belongs to a session (`pg_advisory_lock`), so that it ends with the process that has it. All
//! claims of a process share one session of their own.
//!
//! Its limit: when that session breaks while its process lives, the lock is gone and another node may take it. The claim then says so
//! ([`Claim::is_held`]), but not to a request that is on its way to a target at that moment.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object};
use rollcall_model::ApplicationId;
use tokio::runtime::Handle;

use super::connections::Connections;
use crate::value::Hold;
use crate::{Claim, Error};

/// A claim that somebody just gave back is free a moment later: so often is it asked for.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(50);

/// Sets our locks apart from those that others may take in the same database.
const OURS: i64 = 0x726f_6c6c_6361_6c6c;

/// The claims of this process.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims {
    /// Which locks are held. The session would give a lock twice to its own process.
    held: Arc<Mutex<BTreeSet<i64>>>,
    session: Arc<tokio::sync::Mutex<Option<Arc<ClientWrapper>>>>,
}

impl Claims {
    /// Claims an application.
    ///
    /// # Errors
    /// [`Error::Occupied`] when somebody has it.
    pub(super) async fn claim(
        &self,
        connections: &Connections,
        id: ApplicationId,
    ) -> Result<Claim, Error> {
        let (claims, connections) = (self.clone(), connections.clone());
        // whoever gives up waiting must not leave a lock behind that nobody knows of: it is dropped where it arrives
        let claim = tokio::spawn(async move { claims.claim_key(&connections, key(id)).await });
        claim.await.map_err(Error::backend)?
    }

    async fn claim_key(&self, connections: &Connections, key: i64) -> Result<Claim, Error> {
        let occupied = || Error::Occupied(connections.address().to_string());
        let place = Place::take(&self.held, key).ok_or_else(occupied)?;
        let session = self.session(connections).await?;
        for attempt in 1..=ATTEMPTS {
            let row = session
                .query_one("SELECT pg_try_advisory_lock($1)", &[&key])
                .await?;
            if row.try_get(0)? {
                return Ok(Claim::new(Held {
                    place,
                    session,
                    runtime: connections.runtime().clone(),
                }));
            }
            if attempt < ATTEMPTS {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Err(occupied())
    }

    /// Returns the session of the claims, a new one when there is none or it broke.
    async fn session(&self, connections: &Connections) -> Result<Arc<ClientWrapper>, Error> {
        let mut session = self.session.lock().await;
        match &*session {
            Some(open) if !open.is_closed() => Ok(Arc::clone(open)),
            _ => {
                // it leaves the pool, which makes another one when it needs it
                let new = Arc::new(Object::take(connections.get().await?));
                *session = Some(Arc::clone(&new));
                Ok(new)
            }
        }
    }
}

/// Two ids of the random kind have the same key once in a very long time, and then wait for each other.
fn key(id: ApplicationId) -> i64 {
    let (high, low) = uuid::Uuid::from_bytes(*id.as_bytes()).as_u64_pair();
    OURS ^ high.rotate_left(32).cast_signed() ^ low.cast_signed()
}

/// A lock's place among those that this process holds.
#[derive(Debug)]
struct Place {
    held: Arc<Mutex<BTreeSet<i64>>>,
    key: i64,
}

impl Place {
    fn take(held: &Arc<Mutex<BTreeSet<i64>>>, key: i64) -> Option<Self> {
        let is_free = held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key);
        is_free.then(|| Self {
            held: Arc::clone(held),
            key,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(&self.key);
    }
}

/// A lock that is held.
#[derive(Debug)]
struct Held {
    place: Place,
    session: Arc<ClientWrapper>,
    runtime: Handle,
}

impl Hold for Held {
    fn is_held(&self) -> bool {
        !self.session.is_closed()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (session, key) = (Arc::clone(&self.session), self.place.key);
        // a session counts how often it has a lock: it may be asked for again before this is done
        self.runtime.spawn(async move {
            // a session that does not answer has no locks
            drop(
                session
                    .query_one("SELECT pg_advisory_unlock($1)", &[&key])
                    .await,
            );
        });
    }
}
