//! Places to wait for events: few, for each holds a connection and looks into the store twice a second. An organisation has only a part of
//! them, so that a few cannot take all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_model::OrgId;
use rollcall_web::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many organisations are remembered before those of whom nobody waits are forgotten.
const REMEMBERED: usize = 1_024;

/// The places of a server.
#[derive(Debug)]
pub(crate) struct Waiting {
    all: Arc<Semaphore>,
    own: Mutex<HashMap<OrgId, Arc<Semaphore>>>,
}

/// The place of one request; free again when dropped.
#[derive(Debug)]
#[must_use = "the place is free again when this is dropped"]
pub(crate) struct Place {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits::EVENTS_WAITING)),
            own: Mutex::default(),
        }
    }
}

impl Waiting {
    /// Takes a place for an organisation; absent: it has its part, or all are taken.
    pub(crate) fn place(&self, whose: OrgId) -> Option<Place> {
        let own = self.own(whose).try_acquire_owned().ok()?;
        let all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(Place {
            _own: own,
            _all: all,
        })
    }

    fn own(&self, whose: OrgId) -> Arc<Semaphore> {
        let mut all = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            // who waits holds on to it
            all.retain(|_, own| Arc::strong_count(own) > 1);
        }
        let own = all
            .entry(whose)
            .or_insert_with(|| Arc::new(Semaphore::new(limits::EVENTS_WAITING_OF_ONE)));
        Arc::clone(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organisation(number: u8) -> OrgId {
        OrgId::from_bytes([number; 16])
    }

    #[test]
    fn an_organisation_takes_its_part_of_the_places_and_leaves_the_others() {
        let waiting = Waiting::default();
        let mut taken: Vec<Place> = (0..limits::EVENTS_WAITING_OF_ONE)
            .map(|_| waiting.place(organisation(1)).unwrap())
            .collect();

        assert!(waiting.place(organisation(1)).is_none());
        let other = waiting.place(organisation(2));
        assert!(other.is_some());
        taken.pop();
        let again = waiting.place(organisation(1));
        assert!(again.is_some());
    }

    #[test]
    fn all_together_have_so_many_places() {
        let waiting = Waiting::default();
        let mut taken = Vec::new();
        for number in 0..limits::EVENTS_WAITING / limits::EVENTS_WAITING_OF_ONE {
            let whose = organisation(u8::try_from(number).unwrap());
            for _ in 0..limits::EVENTS_WAITING_OF_ONE {
                taken.push(waiting.place(whose).unwrap());
            }
        }

        assert!(waiting.place(organisation(200)).is_none());
    }
}
