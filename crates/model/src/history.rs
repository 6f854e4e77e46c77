//! What an object was, told by the change feed.
//!
//! The feed holds whole documents and the changes of members. So what an object was at a place of the feed is read backwards from there:
//! the latest document is the document, the latest word about each member is the truth, and a creation or deletion is where reading ends.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{Action, Change, Kind, ResourceId};

/// A reading of the feed, of one object, from a place backwards.
#[derive(Debug, Clone, Default)]
pub struct Backwards {
    document: Option<Value>,
    members: BTreeMap<ResourceId, bool>,
    end: End,
}

/// Where a reading stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum End {
    /// There may be more.
    #[default]
    Open,
    /// The object was created here.
    Created,
    /// The object was deleted here.
    Deleted,
    /// It is a person, of whom a document tells everything.
    Told,
}

/// What an object was.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// Its document; absent: it was erased since.
    pub document: Option<Value>,
    /// Its members, if it is a group.
    pub members: BTreeSet<ResourceId>,
}

impl Backwards {
    /// Takes in the change before those that were taken in already.
    pub fn follow(&mut self, change: &Change) {
        if self.is_complete() {
            return;
        }
        if change.action == Action::Deleted {
            self.end = End::Deleted;
            return;
        }
        if self.document.is_none() {
            self.document.clone_from(&change.document);
        }
        for (ids, is_in) in [
            (&change.membership.added, true),
            (&change.membership.removed, false),
        ] {
            for id in ids {
                self.members.entry(*id).or_insert(is_in);
            }
        }
        if change.action == Action::Created {
            self.end = End::Created;
        } else if change.kind == Kind::User && self.document.is_some() {
            self.end = End::Told;
        }
    }

    /// Tells whether no change before matters any more.
    pub fn is_complete(&self) -> bool {
        self.end != End::Open
    }

    /// Returns what the object was; absent: it was not there.
    pub fn past(self) -> Option<Past> {
        // a deletion is the first word or none: reading ends at it
        let was_there = self.end == End::Created || self.document.is_some();
        was_there.then(|| Past {
            document: self.document,
            members: self
                .members
                .into_iter()
                .filter_map(|(id, is_in)| is_in.then_some(id))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Membership;

    fn id(n: u8) -> ResourceId {
        ResourceId::from_bytes([n; 16])
    }

    fn change(action: Action, document: Option<Value>, added: &[u8], removed: &[u8]) -> Change {
        let ids = |of: &[u8]| of.iter().map(|n| id(*n)).collect();
        Change {
            sequence: 0,
            at: jiff::Timestamp::UNIX_EPOCH,
            kind: Kind::Group,
            id: id(9),
            action,
            document,
            membership: Membership {
                added: ids(added),
                removed: ids(removed),
            },
            summary: crate::change::Summary::default(),
        }
    }

    fn read(changes: &[Change], place: usize) -> Option<(Value, Vec<ResourceId>)> {
        let mut backwards = Backwards::default();
        for change in changes[..place].iter().rev() {
            backwards.follow(change);
        }
        let past = backwards.past()?;
        Some((past.document?, past.members.into_iter().collect()))
    }

    #[test]
    fn an_object_is_what_the_feed_told_last_of_it() {
        let life = [
            change(Action::Created, Some(json!({"v": 1})), &[1, 2], &[]),
            change(Action::Members, None, &[3], &[1]),
            change(Action::Updated, Some(json!({"v": 3})), &[], &[]),
            change(Action::Members, None, &[1], &[2]),
            change(Action::Deleted, None, &[], &[]),
            change(Action::Created, Some(json!({"v": 6})), &[2], &[]),
        ];

        assert_eq!(read(&life, 0), None);
        assert_eq!(read(&life, 1), Some((json!({"v": 1}), vec![id(1), id(2)])));
        assert_eq!(read(&life, 2), Some((json!({"v": 1}), vec![id(2), id(3)])));
        assert_eq!(read(&life, 3), Some((json!({"v": 3}), vec![id(2), id(3)])));
        assert_eq!(read(&life, 4), Some((json!({"v": 3}), vec![id(1), id(3)])));
        assert_eq!(read(&life, 5), None);
        assert_eq!(read(&life, 6), Some((json!({"v": 6}), vec![id(2)])));
    }

    #[test]
    fn the_latest_document_of_a_person_tells_everything() {
        let mut latest = change(Action::Updated, Some(json!({"v": 2})), &[], &[]);
        let mut backwards = Backwards::default();
        backwards.follow(&latest);
        assert!(!backwards.is_complete(), "a group has members");

        latest.kind = Kind::User;
        let mut erased = latest.clone();
        erased.document = None;
        let mut backwards = Backwards::default();
        backwards.follow(&erased);
        assert!(!backwards.is_complete());
        backwards.follow(&latest);

        assert!(backwards.is_complete());
        assert_eq!(backwards.past().unwrap().document, Some(json!({"v": 2})));
    }
}
