//! What can be wrong with a log.

use std::fmt;

use super::Head;

/// Damage to a log. Shows itself as a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// An entry does not say what it said when it was written.
    Edited {
        /// Its place.
        sequence: u64,
    },
    /// The hash of an entry was changed; what it says was not.
    HashEdited {
        /// Its place.
        sequence: u64,
    },
    /// Entries are missing between others.
    Removed {
        /// The first one.
        first: u64,
        /// The last one.
        last: u64,
    },
    /// Entries stand at places that they were not written for.
    Moved {
        /// The place of the first one.
        first: u64,
        /// The place of the last one.
        last: u64,
        /// The place that the first one was written for; the others follow it.
        written_as: u64,
    },
    /// An entry does not follow from the one before, nor does the next one from it.
    Foreign {
        /// Its place.
        sequence: u64,
    },
    /// The end of the log is missing.
    Truncated {
        /// The last entry there is.
        last: u64,
        /// The last entry there was.
        written: u64,
    },
    /// There are entries behind the last one that was written.
    Appended {
        /// The first one.
        first: u64,
        /// The last one.
        last: u64,
    },
    /// What is noted as the log's head is not the hash of its last entry.
    HeadEdited {
        /// The last entry.
        sequence: u64,
    },
    /// The entry whose head was kept elsewhere has another hash now.
    Rewritten {
        /// What was kept.
        kept: Head,
    },
    /// The end of the log is missing, with the entry whose head was kept elsewhere.
    CutOff {
        /// The last entry there is.
        last: u64,
        /// What was kept.
        kept: Head,
    },
}

impl Damage {
    /// Returns the place of the first entry that is concerned.
    pub fn sequence(&self) -> u64 {
        match self {
            Self::Edited { sequence }
            | Self::HashEdited { sequence }
            | Self::Foreign { sequence }
            | Self::HeadEdited { sequence } => *sequence,
            Self::Removed { first, .. }
            | Self::Moved { first, .. }
            | Self::Appended { first, .. } => *first,
            Self::Truncated { last, .. } | Self::CutOff { last, .. } => last + 1,
            Self::Rewritten { kept } => kept.sequence,
        }
    }

    /// Returns a word for it, for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Edited { .. } => "edited",
            Self::HashEdited { .. } => "hash_edited",
            Self::Removed { .. } => "removed",
            Self::Moved { .. } => "moved",
            Self::Foreign { .. } => "foreign",
            Self::Truncated { .. } => "truncated",
            Self::Appended { .. } => "appended",
            Self::HeadEdited { .. } => "head_edited",
            Self::Rewritten { .. } => "rewritten",
            Self::CutOff { .. } => "cut_off",
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited { sequence } => write!(
                f,
                "entry {sequence} was changed: it does not say what it said when it was written"
            ),
            Self::HashEdited { sequence } => write!(f, "the hash of entry {sequence} was changed"),
            Self::Removed { first, last } if first == last => write!(f, "entry {first} is missing"),
            Self::Removed { first, last } => write!(f, "entries {first} to {last} are missing"),
            Self::Moved {
                first,
                last,
                written_as,
            } if first == last => {
                write!(
                    f,
                    "entry {first} was moved: it was written as entry {written_as}"
                )
            }
            Self::Moved {
                first,
                last,
                written_as,
            } => write!(
                f,
                "entries {first} to {last} were moved: the first of them was written as entry {written_as}"
            ),
            Self::Foreign { sequence } => write!(
                f,
                "entry {sequence} does not belong here: it was inserted, or changed together with its hash"
            ),
            Self::Truncated { last, written } => write!(
                f,
                "the log ends with entry {last}, but {written} were written: its end was removed"
            ),
            Self::Appended { first, last } if first == last => {
                write!(
                    f,
                    "entry {first} stands behind the last one that was written"
                )
            }
            Self::Appended { first, last } => write!(
                f,
                "entries {first} to {last} stand behind the last one that was written"
            ),
            Self::HeadEdited { sequence } => write!(
                f,
                "the head that is noted is not the hash of the last entry, {sequence}: one of them was changed"
            ),
            Self::Rewritten { kept } => write!(
                f,
                "entry {} is not the one whose head was kept: the log was written anew there or before",
                kept.sequence
            ),
            Self::CutOff { last, kept } => write!(
                f,
                "the log ends with entry {last}, but the head of entry {} was kept: its end was removed",
                kept.sequence
            ),
        }
    }
}
