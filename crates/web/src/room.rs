//! Room for bodies: how many bytes of requests are worked on at the same time.
//!
//! A body is bounded, and so are the connections; a server has no memory for the product of the two. So a request takes room for its
//! body before any of it is read, and keeps it until it is answered. An organisation has only a part of all room, and waits for itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http_body::SizeHint;
use rollcall_model::OrgId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
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
    own: Mutex<HashMap<Option<OrgId>, Arc<Semaphore>>>,
}

/// The room of one request; free again when dropped.
#[derive(Debug)]
#[must_use = "the room is free again when this is dropped"]
pub struct Place {
    _room: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
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
    /// Waits for room for a body of this size; `whose` is the organisation that asks, or nobody before somebody is known. At most `limit`
    /// bytes of the body will be read. One that does not say how long it is takes room for that much.
    ///
    /// # Errors
    /// [`Full`] when there is none for [`limits::ROOM_TIME`].
    pub async fn place(
        &self,
        whose: Option<OrgId>,
        size: SizeHint,
        limit: usize,
    ) -> Result<Place, Full> {
        if size.exact() == Some(0) {
            return Ok(Place { _room: None });
        }
        let units = units(&size, limit);
        let both = async {
            let own = self.own(whose).acquire_many_owned(units).await?;
            let all = Arc::clone(&self.all).acquire_many_owned(units).await?;
            Ok::<_, tokio::sync::AcquireError>((own, all))
        };
        match timeout(limits::ROOM_TIME, both).await {
            Ok(Ok(room)) => Ok(Place { _room: Some(room) }),
            Ok(Err(_)) | Err(_) => Err(Full),
        }
    }

    fn own(&self, whose: Option<OrgId>) -> Arc<Semaphore> {
        let mut all = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.retain(|_, own| Arc::strong_count(own) > 1);
        }
        let own = all
            .entry(whose)
            .or_insert_with(|| Arc::new(Semaphore::new(limits::ROOM_BYTES_OF_ONE / UNIT)));
        Arc::clone(own)
    }
}

fn units(size: &SizeHint, limit: usize) -> u32 {
    let length = size.exact().and_then(|bytes| usize::try_from(bytes).ok());
    let bytes = length.map_or(limit, |length| length.min(limit));
    let units = bytes.min(limits::ROOM_BYTES_OF_ONE).div_ceil(UNIT);
    u32::try_from(units).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn organisation(number: u8) -> OrgId {
        OrgId::from_bytes([number; 16])
    }

    fn short() -> SizeHint {
        SizeHint::with_exact(2)
    }

    #[test]
    fn a_body_takes_what_it_says_and_no_more_than_will_be_read() {
        let exact = SizeHint::with_exact;

        assert_eq!(units(&exact(1), MIB), 1);
        assert_eq!(units(&exact(1025), MIB), 2);
        assert_eq!(units(&exact(u64::MAX), MIB), 1024);
        assert_eq!(units(&SizeHint::default(), MIB), 1024);
    }

    #[tokio::test(start_paused = true)]
    async fn an_organisation_fills_its_own_room_and_not_that_of_others() {
        let room = Room::default();
        let mut taken = Vec::new();
        for _ in 0..limits::ROOM_BYTES_OF_ONE / (16 * MIB) {
            let place = room
                .place(Some(organisation(1)), SizeHint::default(), 16 * MIB)
                .await;
            taken.push(place.unwrap());
        }

        let more = room.place(Some(organisation(1)), short(), MIB).await;
        assert_eq!(more.err(), Some(Full));
        let other = room.place(Some(organisation(2)), short(), MIB).await;
        drop(other.unwrap());
        // who sends nothing needs no room
        let nothing = room
            .place(Some(organisation(1)), SizeHint::with_exact(0), MIB)
            .await;
        drop(nothing.unwrap());

        taken.pop();
        let again = room.place(Some(organisation(1)), short(), MIB).await;
        drop(again.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn all_together_have_so_much_room() {
        let room = Room::default();
        let mut taken = Vec::new();
        let organisations = limits::ROOM_BYTES / limits::ROOM_BYTES_OF_ONE;
        for number in 0..organisations {
            let whose = organisation(u8::try_from(number).unwrap());
            let place = room.place(Some(whose), SizeHint::default(), limits::ROOM_BYTES_OF_ONE);
            taken.push(place.await.unwrap());
        }

        let newcomer = room.place(Some(organisation(200)), short(), MIB).await;

        assert_eq!(newcomer.err(), Some(Full));
    }
}
