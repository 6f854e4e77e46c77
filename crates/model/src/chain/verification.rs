//! Reads a log from its beginning and tells what is wrong with it.
//!
//! Entries that do not follow from the one before are doubtful. They are judged together once an entry follows from the last of them again,
//! or when there are many of them: then it is known which of their hashes others rest on, and for which places they were made.

use sha2::Sha256;

use super::{Damage, Hash, Head, Kept, placed};
use crate::OrgId;

/// So many doubtful entries are judged together.
const TOGETHER: usize = 32;
/// So far is looked for the place for which an entry was written.
const FAR: u64 = 64;
/// So much damage is told; who finds more need not know each of it.
const TOLD: usize = 100;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How many entries were read.
    pub entries: u64,
    /// The last of them.
    pub head: Head,
    /// What is wrong, in order of place; 100 findings at most.
    pub damages: Vec<Damage>,
}

/// Takes the entries of a log, in order of their places.
#[derive(Debug)]
pub struct Verification {
    organisation: OrgId,
    kept: Option<Head>,
    entries: u64,
    /// The place of the last entry.
    place: u64,
    /// The hash that the last entry has; absent: that is not known, for entries are missing, or it has none.
    previous: Option<Hash>,
    /// The hash before the first of the doubtful entries.
    before_doubtful: Option<Hash>,
    doubtful: Vec<Kept>,
    damages: Vec<Damage>,
}

impl Verification {
    /// Begins. `kept` is a head of this log that was kept elsewhere.
    pub fn new(organisation: OrgId, kept: Option<Head>) -> Self {
        Self {
            organisation,
            kept,
            entries: 0,
            place: 0,
            previous: Some(Hash::NONE),
            before_doubtful: None,
            doubtful: Vec::new(),
            damages: Vec::new(),
        }
    }

    /// Returns the place of the last entry that was taken.
    pub fn place(&self) -> u64 {
        self.place
    }

    /// Takes the next entry that there is.
    pub fn take(&mut self, entry: Kept) {
        self.entries += 1;
        if entry.sequence <= self.place {
            // there is no such place, or it was taken already
            let sequence = entry.sequence;
            self.tell(Damage::Foreign { sequence });
            return;
        }
        if let Some(kept) = self.kept.filter(|kept| kept.sequence == entry.sequence)
            && entry.hash != Some(kept.hash)
        {
            self.tell(Damage::Rewritten { kept });
        }
        let is_next = entry.sequence == self.place.saturating_add(1);
        if !is_next {
            self.judge(None);
            self.tell(Damage::Removed {
                first: self.place.saturating_add(1),
                last: entry.sequence.saturating_sub(1),
            });
        }
        let (place, hash) = (entry.sequence, entry.hash);
        // what the first one after a gap rests on is gone with the gap
        if is_next && !self.follows(&entry) {
            if self.doubtful.is_empty() {
                self.before_doubtful = self.previous;
            }
            self.doubtful.push(entry);
            if self.doubtful.len() >= TOGETHER {
                self.judge(None);
            }
        } else {
            self.judge(Some(&entry).filter(|_| is_next));
        }
        (self.place, self.previous) = (place, hash);
    }

    /// Ends: `head` is what is noted as the log's last entry.
    pub fn end(mut self, head: Head) -> Outcome {
        self.judge(None);
        let last = self.place;
        if last < head.sequence {
            self.tell(Damage::Truncated {
                last,
                written: head.sequence,
            });
        } else if last > head.sequence {
            self.tell(Damage::Appended {
                first: head.sequence.saturating_add(1),
                last,
            });
        } else if self.previous != Some(head.hash) {
            self.tell(Damage::HeadEdited { sequence: last });
        }
        if let Some(kept) = self.kept {
            if kept.sequence > last {
                self.tell(Damage::CutOff { last, kept });
            } else if kept.sequence == 0 && kept.hash != Hash::NONE {
                self.tell(Damage::Rewritten { kept });
            }
        }
        self.damages.sort_by_key(Damage::sequence);
        Outcome {
            entries: self.entries,
            head: Head {
                sequence: last,
                hash: self.previous.unwrap_or(Hash::NONE),
            },
            damages: self.damages,
        }
    }

    fn follows(&self, entry: &Kept) -> bool {
        let Some(previous) = self.previous else {
            return false;
        };
        let begun = entry.begun(self.organisation);
        let hash = begun.map(|begun| placed(&begun, entry.sequence, previous));
        hash.is_some() && hash == entry.hash
    }

    fn tell(&mut self, damage: Damage) {
        // a stretch that moved together is told once
        if let (
            Some(Damage::Moved {
                first,
                last,
                written_as,
            }),
            Damage::Moved {
                first: next,
                last: end,
                written_as: next_as,
            },
        ) = (self.damages.last_mut(), &damage)
            && *last + 1 == *next
            && next_as.checked_sub(*written_as) == Some(*next - *first)
        {
            *last = *end;
            return;
        }
        if self.damages.len() < TOLD {
            self.damages.push(damage);
        }
    }

    /// Says what is wrong with the doubtful entries. `witness` follows from the last of them.
    fn judge(&mut self, witness: Option<&Kept>) {
        let doubtful = std::mem::take(&mut self.doubtful);
        if doubtful.is_empty() || self.damages.len() >= TOLD {
            return;
        }
        let view = View::new(self.organisation, &doubtful, self.before_doubtful);
        let rests: Vec<Option<Rest>> = (0..doubtful.len()).map(|n| view.rest(n)).collect();
        for (n, entry) in doubtful.iter().enumerate() {
            let place = entry.sequence;
            let damage = match rests.get(n).copied().flatten() {
                // it is what it was: what it rests on is not
                Some(rest) if rest.place == place => continue,
                Some(rest) => moved(place, rest.place),
                None => {
                    let is_last = n + 1 == doubtful.len();
                    let child = rests
                        .iter()
                        .flatten()
                        .find(|rest| Some(rest.previous) == entry.hash);
                    match child.map(|rest| rest.place.saturating_sub(1)) {
                        Some(written) if written != place => moved(place, written),
                        Some(_) => Damage::Edited { sequence: place },
                        None if is_last && witness.is_some() => Damage::Edited { sequence: place },
                        None if view.is_rested_on(n) => Damage::HashEdited { sequence: place },
                        None => Damage::Foreign { sequence: place },
                    }
                }
            };
            self.tell(damage);
        }
    }
}

fn moved(place: u64, written_as: u64) -> Damage {
    Damage::Moved {
        first: place,
        last: place,
        written_as,
    }
}

/// What the hash of an entry was made of.
#[derive(Debug, Clone, Copy)]
struct Rest {
    /// For which place.
    place: u64,
    /// After which hash.
    previous: Hash,
}

/// Doubtful entries side by side.
struct View<'a> {
    entries: &'a [Kept],
    begun: Vec<Option<Sha256>>,
    /// The hash that stands before each entry.
    before: Vec<Option<Hash>>,
    /// The hash that each entry would have there.
    computed: Vec<Option<Hash>>,
}

impl<'a> View<'a> {
    fn new(organisation: OrgId, entries: &'a [Kept], first: Option<Hash>) -> Self {
        let begun: Vec<_> = entries
            .iter()
            .map(|entry| entry.begun(organisation))
            .collect();
        let before: Vec<_> = std::iter::once(first)
            .chain(entries.iter().map(|entry| entry.hash))
            .take(entries.len())
            .collect();
        let computed = entries
            .iter()
            .zip(&begun)
            .zip(&before)
            .map(|((entry, begun), before)| {
                Some(placed(begun.as_ref()?, entry.sequence, (*before)?))
            })
            .collect();
        Self {
            entries,
            begun,
            before,
            computed,
        }
    }

    /// Finds out what the hash of an entry was made of: after the hash before it for another place nearby, or after another one here.
    fn rest(&self, n: usize) -> Option<Rest> {
        let entry = self.entries.get(n)?;
        let begun = self.begun.get(n)?.as_ref()?;
        let hash = entry.hash?;
        let first = self.entries.first()?.sequence;
        let last = self.entries.last()?.sequence;
        let nearby = entry.sequence.saturating_sub(FAR).max(1)..=entry.sequence.saturating_add(FAR);
        let here = first.saturating_sub(1).max(1)..=last.saturating_add(1);
        let before = self.before.get(n).copied().flatten();
        let after_its_own = before
            .into_iter()
            .flat_map(|previous| nearby.clone().map(move |place| Rest { place, previous }));
        let others = self.before.iter().chain(&self.computed).copied().flatten();
        let others = others.chain(self.entries.iter().filter_map(|entry| entry.hash));
        let after_another =
            others.flat_map(|previous| here.clone().map(move |place| Rest { place, previous }));
        after_its_own
            .chain(after_another)
            .find(|rest| placed(begun, rest.place, rest.previous) == hash)
    }

    /// Tells whether the next entry follows from what this one says, though not from the hash that it has.
    fn is_rested_on(&self, n: usize) -> bool {
        let next = (self.entries.get(n + 1), self.begun.get(n + 1));
        let ((Some(next), Some(Some(begun))), Some(Some(computed))) = (next, self.computed.get(n))
        else {
            return false;
        };
        Some(placed(begun, next.sequence, *computed)) == next.hash
    }
}
