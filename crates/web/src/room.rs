//! Room for bodies: how many bytes of requests are worked on at the same time.
//!
//! A body is bounded, and so are the connections; a server has no memory for the product of the two. So a request takes room while its body
//! comes, and keeps it until it is answered. An organisation has only a part of all room, and waits for itself. What is short needs none:
//! whoever floods the server with long bodies keeps nobody from signing in, or from pressing Stop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_model::OrgId;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::limits;

/// Room is given out by the KiB.
const UNIT: usize = 1024;
/// So many organisations are remembered before those that do nothing are forgotten.
const REMEMBERED: usize = 1_024;

/// There was no room for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The room of an installation.
#[derive(Debug)]
pub struct Room {
    all: Arc<Semaphore>,
    own: Mutex<HashMap<OrgId, Arc<Semaphore>>>,
}

/// The room of one request; free again when dropped.
#[derive(Debug)]
pub struct Place {
    own: Arc<Semaphore>,
    all: Arc<Semaphore>,
    held: tokio::sync::Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    units: usize,
    permits: Vec<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits::ROOM_BYTES / UNIT)),
            own: Mutex::default(),
        }
    }
}

impl Room {
    /// Gives a request of this organisation a place, which holds nothing yet.
    pub fn place(&self, whose: OrgId) -> Arc<Place> {
        let mut all = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.retain(|_, own| Arc::strong_count(own) > 1);
        }
        let own = all
            .entry(whose)
            .or_insert_with(|| Arc::new(Semaphore::new(limits::ROOM_BYTES_OF_ONE / UNIT)));
        Arc::new(Place {
            own: Arc::clone(own),
            all: Arc::clone(&self.all),
            held: tokio::sync::Mutex::default(),
        })
    }
}

impl Place {
    /// Waits until there is room for so many bytes of the request's body; those that it holds already are among them.
    ///
    /// # Errors
    /// [`Full`] when there is none for [`limits::ROOM_TIME`].
    pub(crate) async fn hold(&self, bytes: usize) -> Result<(), Full> {
        let needed = bytes.saturating_sub(limits::ROOM_FREE_BYTES).div_ceil(UNIT);
        let mut held = self.held.lock().await;
        let Some(more) = needed.checked_sub(held.units).filter(|more| *more > 0) else {
            return Ok(());
        };
        let units = u32::try_from(more).map_err(|_| Full)?;
        let both = async {
            let own = Arc::clone(&self.own).acquire_many_owned(units).await?;
            let all = Arc::clone(&self.all).acquire_many_owned(units).await?;
            Ok::<_, AcquireError>((own, all))
        };
        let permits = timeout(limits::ROOM_TIME, both).await;
        held.permits
            .push(permits.map_err(|_| Full)?.map_err(|_| Full)?);
        held.units = needed;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn organisation(number: u8) -> OrgId {
        OrgId::from_bytes([number; 16])
    }

    #[tokio::test(start_paused = true)]
    async fn an_organisation_fills_its_own_room_and_not_that_of_others() {
        let room = Room::default();
        let mut taken = Vec::new();
        for _ in 0..limits::ROOM_BYTES_OF_ONE / (16 * MIB) {
            let place = room.place(organisation(1));
            // as a body comes: piece by piece
            for half in [8 * MIB, 16 * MIB] {
                place.hold(half + limits::ROOM_FREE_BYTES).await.unwrap();
            }
            taken.push(place);
        }

        let more = room.place(organisation(1)).hold(MIB).await;
        assert_eq!(more, Err(Full));
        let other = room.place(organisation(2)).hold(MIB).await;
        assert_eq!(other, Ok(()));
        // what is short needs no room, whose ever it is
        let short = room.place(organisation(1));
        assert_eq!(short.hold(limits::ROOM_FREE_BYTES).await, Ok(()));

        taken.pop();
        let again = room.place(organisation(1)).hold(MIB).await;
        assert_eq!(again, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn all_together_have_so_much_room() {
        let room = Room::default();
        let mut taken = Vec::new();
        for number in 0..limits::ROOM_BYTES / limits::ROOM_BYTES_OF_ONE {
            let place = room.place(organisation(u8::try_from(number).unwrap()));
            let all = limits::ROOM_BYTES_OF_ONE + limits::ROOM_FREE_BYTES;
            place.hold(all).await.unwrap();
            taken.push(place);
        }

        let newcomer = room.place(organisation(200));

        assert_eq!(newcomer.hold(MIB).await, Err(Full));
    }
}
