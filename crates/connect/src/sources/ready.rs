//! What was read whole, given a batch at a time.

use super::{BATCH, Batch, Completeness, Refusal, SourceRecord};

/// An object that was looked at.
pub(super) type Taken = Result<SourceRecord, Refusal>;

/// All that a source has.
#[derive(Debug)]
pub(super) struct Ready {
    taken: std::vec::IntoIter<Taken>,
    completeness: Completeness,
}

impl Ready {
    pub(super) fn new(taken: Vec<Taken>, completeness: Completeness) -> Self {
        Self {
            taken: taken.into_iter(),
            completeness,
        }
    }

    pub(super) fn next(&mut self) -> Batch {
        let (mut records, mut refusals) = (Vec::new(), Vec::new());
        for one in self.taken.by_ref().take(BATCH) {
            match one {
                Ok(record) => records.push(record),
                Err(refusal) => refusals.push(refusal),
            }
        }
        if records.is_empty() && refusals.is_empty() {
            return Batch::End(self.completeness.clone());
        }
        Batch::Records(records, refusals)
    }
}
