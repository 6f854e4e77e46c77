//! The queue before the writer: each organisation has a lane of its own, and the lanes take turns.
//!
//! One writer serves all organisations. Were they in one line, an organisation that sends more than can be written would make
//! everybody wait behind it. As it is, a unit waits for those of its own organisation, and for one of each other that has any.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rollcall_model::OrgId;

use crate::Error;

/// When so many wait, who comes then is told at once to come again later.
const QUEUE: usize = 4_096;
/// So many of one organisation wait at most.
const QUEUE_OF_ONE: usize = 1_024;
/// So many of one organisation may always wait, so that a few that fill the queue shut nobody out.
const RESERVED_FOR_EACH: usize = 16;

/// Whose line somebody stands in: an organisation's, or the installation's own.
pub(super) type Lane = Option<OrgId>;

/// A queue that many fill and one empties.
pub(super) struct Queue<T> {
    lanes: Mutex<Lanes<T>>,
    came: Condvar,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            lanes: Mutex::default(),
            came: Condvar::new(),
        }
    }
}

impl<T> Queue<T> {
    /// Puts somebody at the end of a lane.
    ///
    /// # Errors
    /// [`Error::Busy`] when too many wait, and [`Error::Abandoned`] when nobody will come any more.
    pub(super) fn push(&self, lane: Lane, item: T) -> Result<(), Error> {
        self.locked().push(lane, item)?;
        self.came.notify_one();
        Ok(())
    }

    /// Takes whose turn it is, and waits until there is somebody; `None` once the queue is closed and empty.
    pub(super) fn wait(&self) -> Option<T> {
        let lanes = self.locked();
        let mut lanes = self
            .came
            .wait_while(lanes, |lanes| lanes.waiting == 0 && !lanes.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        lanes.pop()
    }

    /// Takes whose turn it is, if there is anybody.
    pub(super) fn take(&self) -> Option<T> {
        self.locked().pop()
    }

    /// Takes everybody who waits at this moment.
    pub(super) fn take_all(&self) -> Vec<T> {
        let mut lanes = self.locked();
        std::iter::from_fn(|| lanes.pop()).collect()
    }

    /// Lets nobody in any more; who waits already is still served.
    pub(super) fn close(&self) {
        self.locked().is_closed = true;
        self.came.notify_all();
    }

    fn locked(&self) -> MutexGuard<'_, Lanes<T>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lanes<T> {
    /// INVARIANT: none is empty, and `turns` has each of them once.
    each: HashMap<Lane, VecDeque<T>>,
    turns: VecDeque<Lane>,
    waiting: usize,
    is_closed: bool,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self {
            each: HashMap::new(),
            turns: VecDeque::new(),
            waiting: 0,
            is_closed: false,
        }
    }
}

impl<T> Lanes<T> {
    fn push(&mut self, lane: Lane, item: T) -> Result<(), Error> {
        if self.is_closed {
            return Err(Error::Abandoned);
        }
        let own = self.each.get(&lane).map_or(0, VecDeque::len);
        if own >= QUEUE_OF_ONE || (self.waiting >= QUEUE && own >= RESERVED_FOR_EACH) {
            return Err(Error::Busy);
        }
        match self.each.entry(lane) {
            Entry::Occupied(mut own) => own.get_mut().push_back(item),
            Entry::Vacant(own) => {
                own.insert(VecDeque::from([item]));
                self.turns.push_back(lane);
            }
        }
        self.waiting += 1;
        Ok(())
    }

    fn pop(&mut self) -> Option<T> {
        let lane = self.turns.pop_front()?;
        let Entry::Occupied(mut own) = self.each.entry(lane) else {
            return None;
        };
        let item = own.get_mut().pop_front();
        if own.get().is_empty() {
            own.remove();
        } else {
            self.turns.push_back(lane);
        }
        self.waiting -= 1;
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organisation(number: u8) -> OrgId {
        OrgId::from_bytes([number; 16])
    }

    #[test]
    fn organisations_take_turns_and_each_keeps_its_order() {
        let queue = Queue::default();
        for number in 0..4 {
            queue.push(Some(organisation(1)), ("one", number)).unwrap();
        }
        queue.push(Some(organisation(2)), ("other", 0)).unwrap();
        queue.push(None, ("installation", 0)).unwrap();
        queue.push(Some(organisation(2)), ("other", 1)).unwrap();

        assert_eq!(
            queue.take_all(),
            [
                ("one", 0),
                ("other", 0),
                ("installation", 0),
                ("one", 1),
                ("other", 1),
                ("one", 2),
                ("one", 3),
            ]
        );
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn an_organisation_that_fills_its_lane_leaves_room_for_the_others() {
        let queue = Queue::default();
        for number in 0..QUEUE_OF_ONE {
            queue.push(Some(organisation(1)), number).unwrap();
        }

        assert!(matches!(
            queue.push(Some(organisation(1)), 0),
            Err(Error::Busy)
        ));
        queue.push(Some(organisation(2)), 0).unwrap();
        queue.take().unwrap();
        queue.push(Some(organisation(1)), 0).unwrap();
    }

    #[test]
    fn there_is_an_end_to_all_lanes_together_which_shuts_nobody_out() {
        let queue = Queue::default();
        for number in 0..QUEUE {
            let lane = organisation(u8::try_from(number % 100).unwrap());
            queue.push(Some(lane), number).unwrap();
        }

        let push = |lane| queue.push(Some(organisation(lane)), 0);
        assert!(matches!(push(1), Err(Error::Busy)));
        for _ in 0..RESERVED_FOR_EACH {
            push(200).unwrap();
        }
        assert!(matches!(push(200), Err(Error::Busy)));
    }

    #[test]
    fn a_closed_queue_is_emptied_and_lets_nobody_in() {
        let queue = Queue::default();
        queue.push(Some(organisation(1)), 1).unwrap();
        queue.close();

        assert!(matches!(
            queue.push(Some(organisation(1)), 2),
            Err(Error::Abandoned)
        ));
        assert_eq!(queue.wait(), Some(1));
        assert_eq!(queue.wait(), None);
    }
}
