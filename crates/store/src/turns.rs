//! Turns: how many units run at the same time.
//!
//! All organisations share a database, and none may take all of it: an organisation has a few turns of its own, and whoever waits
//! for one for too long is told to come again later.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rollcall_model::OrgId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Error;

/// How long a unit waits for its turn.
pub(crate) const WAIT: Duration = Duration::from_secs(10);
/// So many organisations are remembered before those that do nothing are forgotten.
const REMEMBERED: usize = 1_024;

/// Gives turns.
#[derive(Debug)]
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    of_one: usize,
    own: Mutex<HashMap<OrgId, Arc<Semaphore>>>,
}

/// A turn; ends when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _own: Option<OwnedSemaphorePermit>,
    _shared: OwnedSemaphorePermit,
}

impl Turns {
    /// Lets `all` units run at the same time, of which `of_one` may belong to one organisation.
    pub(crate) fn new(all: usize, of_one: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all)),
            of_one,
            own: Mutex::default(),
        }
    }

    /// Waits for a turn: an organisation's, or the installation's own.
    ///
    /// # Errors
    /// [`Error::Busy`] when it does not come for too long.
    pub(crate) async fn turn(&self, organisation: Option<OrgId>) -> Result<Turn, Error> {
        let own = match organisation {
            Some(organisation) => Some(permit(&self.own(organisation)).await?),
            None => None,
        };
        Ok(Turn {
            _own: own,
            _shared: permit(&self.all).await?,
        })
    }

    fn own(&self, organisation: OrgId) -> Arc<Semaphore> {
        let mut all = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        let turns = all
            .entry(organisation)
            .or_insert_with(|| Arc::new(Semaphore::new(self.of_one)));
        Arc::clone(turns)
    }
}

/// Waits for a permit.
///
/// # Errors
/// [`Error::Busy`] when it does not come for too long.
pub(crate) async fn permit(turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Error> {
    tokio::time::timeout(WAIT, Arc::clone(turns).acquire_owned())
        .await
        .map_err(|_| Error::Busy)?
        .map_err(Error::backend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_for_a_turn_is_told_to_come_again() {
        let turns = Turns::new(1, 1);
        let _taken = turns.turn(None).await.unwrap();

        assert!(matches!(turns.turn(None).await, Err(Error::Busy)));
    }

    #[tokio::test(start_paused = true)]
    async fn one_organisation_waits_for_itself_only() {
        let turns = Turns::new(2, 1);
        let (one, other) = (OrgId::from_bytes([1; 16]), OrgId::from_bytes([2; 16]));
        let _taken = turns.turn(Some(one)).await.unwrap();

        assert!(matches!(turns.turn(Some(one)).await, Err(Error::Busy)));
        turns.turn(Some(other)).await.unwrap();
    }
}
