//! Logs that are damaged in every way, and what is said of them.

use proptest::prelude::*;

use super::*;
use crate::{AdminId, IntegrationId, RequestId, TokenId};

fn ours() -> OrgId {
    OrgId::from_bytes([7; 16])
}

/// What is varied of an entry.
type Words = (u8, i64, String, Option<String>, bool);

fn log(words: &[Words]) -> (Vec<Kept>, Head) {
    let mut head = Head::NONE;
    let mut entries = Vec::new();
    for (who, seconds, detail, address, is_erased) in words {
        let actor = match who % 4 {
            0 => Actor::Integration {
                id: IntegrationId::from_bytes([*who; 16]),
                token: TokenId::from_bytes([1; 16]),
            },
            1 => Actor::Administrator {
                id: AdminId::from_bytes([*who; 16]),
            },
            2 => Actor::Command,
            _ => Actor::System,
        };
        let origin = Origin {
            actor,
            request: RequestId::from_bytes([*who; 16]),
            address: address.clone(),
        };
        let erasable = Erasable::There {
            salt: [*who; 16],
            address: address.clone(),
            detail: detail.clone(),
        };
        let mut entry = Kept {
            sequence: head.sequence + 1,
            at: Timestamp::from_second(*seconds).unwrap(),
            origin: Some(origin),
            action: format!("user.{who}"),
            object: "ann".to_owned(),
            erasable,
            hash: None,
        };
        entry.hash = hash(&entry, head.hash);
        head = Head {
            sequence: entry.sequence,
            hash: entry.hash.unwrap(),
        };
        if *is_erased {
            erase(&mut entry);
        }
        entries.push(entry);
    }
    (entries, head)
}

fn hash(entry: &Kept, previous: Hash) -> Option<Hash> {
    let statement = Statement {
        organisation: ours(),
        at: entry.at,
        origin: entry.origin.as_ref()?,
        action: &entry.action,
        object: &entry.object,
        digest: entry.erasable.digest()?,
    };
    Some(statement.hash(entry.sequence, previous))
}

fn erase(entry: &mut Kept) {
    entry.erasable = Erasable::Gone(entry.erasable.digest().unwrap());
    if let Some(origin) = &mut entry.origin {
        origin.address = None;
    }
}

fn verified(entries: &[Kept], head: Head, kept: Option<Head>) -> Vec<Damage> {
    let mut verification = Verification::new(ours(), kept);
    for entry in entries {
        verification.take(entry.clone());
    }
    verification.end(head).damages
}

/// A log of so many entries.
fn of(count: u8) -> (Vec<Kept>, Head) {
    let words: Vec<Words> = (0..count)
        .map(|n| (n, i64::from(n), format!("{{\"n\":{n}}}"), None, false))
        .collect();
    log(&words)
}

fn renumbered(entries: &mut [Kept]) {
    for (entry, place) in entries.iter_mut().zip(1..) {
        entry.sequence = place;
    }
}

#[test]
fn the_hash_of_an_entry_stays_what_it_was_in_every_version() {
    let (entries, head) = of(3);

    assert_eq!(
        head.to_string(),
        "6720e27f672a8b5c5f39464801ea3ebafedd43981c59df19cf911269e6bccac4@3"
    );
    assert_eq!(head.to_string().parse::<Head>().unwrap(), head);
    assert_eq!(entries.len(), 3);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn damage_is_named_by_its_kind_and_place() {
    type Change = fn(&mut Vec<Kept>);
    let cases: [(&str, Change, &[Damage]); 14] = [
        ("nothing", |_| {}, &[]),
        (
            "an edited detail",
            |log| {
                log[4].erasable = Erasable::There {
                    salt: [4; 16],
                    address: None,
                    detail: "{}".into(),
                }
            },
            &[Damage::Edited { sequence: 5 }],
        ),
        (
            "an edited object",
            |log| log[4].object = "bob".into(),
            &[Damage::Edited { sequence: 5 }],
        ),
        (
            "what cannot be read",
            |log| log[4].origin = None,
            &[Damage::Edited { sequence: 5 }],
        ),
        (
            "an edited hash",
            |log| log[4].hash = Some(Hash([9; 32])),
            &[Damage::HashEdited { sequence: 5 }],
        ),
        (
            "a forged entry",
            |log| {
                log[4].object = "bob".into();
                log[4].hash = hash(&log[4], log[3].hash.unwrap());
            },
            // what comes after it does not rest on it
            &[Damage::Edited { sequence: 6 }],
        ),
        (
            "a removed entry",
            |log| drop(log.remove(4)),
            &[Damage::Removed { first: 5, last: 5 }],
        ),
        (
            "removed entries",
            |log| drop(log.drain(4..7)),
            &[Damage::Removed { first: 5, last: 7 }],
        ),
        (
            "a removed entry whose gap was closed",
            |log| {
                log.remove(4);
                renumbered(log);
            },
            &[
                Damage::Moved {
                    first: 5,
                    last: 9,
                    written_as: 6,
                },
                Damage::Truncated {
                    last: 9,
                    written: 10,
                },
            ],
        ),
        (
            "an entry put in between",
            |log| {
                let mut copy = log[1].clone();
                copy.object = "bob".into();
                log.insert(4, copy);
                renumbered(log);
            },
            &[
                Damage::Foreign { sequence: 5 },
                Damage::Moved {
                    first: 6,
                    last: 11,
                    written_as: 5,
                },
                Damage::Appended {
                    first: 11,
                    last: 11,
                },
            ],
        ),
        (
            "two entries that changed places",
            |log| {
                log.swap(4, 5);
                renumbered(log);
            },
            &[
                Damage::Moved {
                    first: 5,
                    last: 5,
                    written_as: 6,
                },
                Damage::Moved {
                    first: 6,
                    last: 6,
                    written_as: 5,
                },
            ],
        ),
        (
            "a removed end",
            |log| log.truncate(8),
            &[Damage::Truncated {
                last: 8,
                written: 10,
            }],
        ),
        (
            "an entry behind the end",
            |log| {
                let mut copy = log[9].clone();
                copy.sequence = 11;
                copy.hash = hash(&copy, log[9].hash.unwrap());
                log.push(copy);
            },
            &[Damage::Appended {
                first: 11,
                last: 11,
            }],
        ),
        (
            "a place that there is not",
            |log| {
                let mut copy = log[9].clone();
                copy.sequence = 0;
                log.insert(0, copy);
            },
            &[Damage::Foreign { sequence: 0 }],
        ),
    ];
    for (name, change, expected) in cases {
        let (mut entries, head) = of(10);
        change(&mut entries);
        assert_eq!(verified(&entries, head, None), expected, "{name}");
    }
}

#[test]
fn a_log_that_was_written_anew_is_found_by_a_head_that_was_kept_elsewhere() {
    let (entries, head) = of(10);
    let (mut forged, _) = of(10);
    forged[4].object = "bob".into();
    for n in 4..10 {
        forged[n].hash = hash(&forged[n], forged[n - 1].hash.unwrap());
    }
    let forged_head = Head {
        sequence: 10,
        hash: forged[9].hash.unwrap(),
    };
    let kept = Head {
        sequence: 7,
        hash: entries[6].hash.unwrap(),
    };

    assert_eq!(verified(&forged, forged_head, None), []);
    assert_eq!(
        verified(&forged, forged_head, Some(kept)),
        [Damage::Rewritten { kept }]
    );
    // cut off, and the head with it
    let shorter = Head {
        sequence: 5,
        hash: entries[4].hash.unwrap(),
    };
    assert_eq!(
        verified(&entries[..5], shorter, Some(kept)),
        [Damage::CutOff { last: 5, kept }]
    );
    assert_eq!(verified(&entries, head, Some(kept)), []);
}

#[test]
fn a_log_of_which_nothing_is_right_is_judged_soon() {
    let (entries, head) = of(250);
    let mut verification = Verification::new(OrgId::from_bytes([8; 16]), None);
    for round in 0..100 {
        for entry in &entries {
            let mut entry = entry.clone();
            entry.sequence += round * 250;
            verification.take(entry);
        }
    }
    let damages = verification.end(head).damages;
    assert!(damages.len() >= 90, "{damages:?}");
}

fn words() -> impl Strategy<Value = Vec<Words>> {
    let word = (
        any::<u8>(),
        0..4_000_000_000_i64,
        "[a-c\"{}]{0,6}",
        proptest::option::of("[0-9.]{0,4}"),
        any::<bool>(),
    );
    proptest::collection::vec(word, 1..40)
}

proptest! {
    #[test]
    fn what_was_written_verifies_whatever_was_erased(words in words(), at in any::<proptest::sample::Index>()) {
        let (mut entries, head) = log(&words);
        let kept = entries.iter().map(|entry| Head { sequence: entry.sequence, hash: entry.hash.unwrap() });
        let kept = kept.collect::<Vec<_>>()[at.index(entries.len())];
        prop_assert_eq!(verified(&entries, head, Some(kept)), []);
        for entry in &mut entries {
            if !matches!(entry.erasable, Erasable::Gone(_)) {
                erase(entry);
            }
        }
        prop_assert_eq!(verified(&entries, head, Some(kept)), []);
    }

    #[test]
    fn whatever_is_done_to_a_log_is_found(
        words in words(),
        at in any::<proptest::sample::Index>(),
        to in any::<proptest::sample::Index>(),
        deed in 0..9_u8,
        is_renumbered in any::<bool>(),
    ) {
        let (whole, head) = log(&words);
        let mut entries = whole.clone();
        let (at, to) = (at.index(entries.len()), to.index(entries.len()));
        match deed {
            0 => entries[at].object.push('x'),
            1 => entries[at].at = entries[at].at.saturating_add(jiff::SignedDuration::from_micros(1)).unwrap(),
            2 => entries[at].erasable = Erasable::Gone(Hash([3; 32])),
            3 => entries[at].hash = Some(Hash([5; 32])),
            4 => drop(entries.remove(at)),
            5 => {
                let one = entries[at].clone();
                entries.insert(to, one);
                renumbered(&mut entries);
            }
            6 => entries.truncate(at),
            7 => entries[at].origin = None,
            _ => {
                entries.swap(at, to);
                renumbered(&mut entries);
            }
        }
        if is_renumbered {
            renumbered(&mut entries);
        }
        let damages = verified(&entries, head, None);
        prop_assert_eq!(damages.is_empty(), entries == whole, "{:?}", damages);
    }
}
