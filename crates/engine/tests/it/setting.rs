//! What an application and its target are like in a run of the model test: drawn from the seed.

use rollcall_model::application::{Application, Leaving, NestedGroups, Scope};
use rollcall_model::mapping::AttributeMapping;
use rollcall_testkit::{Behaviour, Dialect, Fault, Play, When};

use crate::chance::Chance;

/// How an application is configured.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) scope: Scope,
    pub(crate) nested: NestedGroups,
    pub(crate) leaving: Leaving,
    /// Whether people are looked up by their id at the source first.
    pub(crate) by_external_id: bool,
    /// Whether nobody may leave without somebody's word.
    pub(crate) is_tight: bool,
    pub(crate) behaviour: Behaviour,
}

impl Setting {
    pub(crate) fn draw(seed: u64, chance: &mut Chance) -> Self {
        let is_tight = chance.happens(15);
        Self {
            scope: chance.pick(&[Scope::All, Scope::AssignedOnly, Scope::AssignedOnly]),
            nested: chance.pick(&[
                NestedGroups::Direct,
                NestedGroups::Keep,
                NestedGroups::Flatten,
            ]),
            leaving: chance.pick(&[
                Leaving::Disable,
                Leaving::Disable,
                Leaving::Delete,
                Leaving::Unlink,
            ]),
            by_external_id: chance.happens(40),
            is_tight,
            behaviour: behaviour(seed, is_tight, chance),
        }
    }

    pub(crate) fn apply(&self, application: &mut Application) {
        application.scope = self.scope;
        let settings = &mut application.settings;
        settings.nested_groups = self.nested;
        settings.leaving = self.leaving;
        settings.max_deletions = Some(if self.is_tight { 0 } else { 1_000 });
        let attributes = &mut application.users.attributes;
        attributes.retain(|mapping| mapping.target != "externalId");
        let mut external_id = AttributeMapping::direct("objectId", "externalId");
        if self.by_external_id {
            external_id = external_id.matching(1);
            for mapping in attributes.iter_mut() {
                mapping.matching = mapping.matching.map(|_| 2);
            }
        }
        attributes.push(external_id);
    }

    /// Tells whether some fault is played with this fault's kind.
    pub(crate) fn plays(&self, is_it: impl Fn(&Fault) -> bool) -> bool {
        self.behaviour.faults.iter().any(|play| is_it(&play.fault))
    }
}

fn behaviour(seed: u64, is_tight: bool, chance: &mut Chance) -> Behaviour {
    let mut behaviour = Behaviour::default()
        .with_seed(seed)
        .with_dialect(dialect(chance));
    // every kind has its turn, whatever chance says
    let first = usize::try_from(seed).unwrap();
    for place in 0..chance.within(1, 4) {
        let fault = fault(first + place * 5, chance);
        // where nobody may leave, it has to be certain who has come
        if is_tight && !is_refusal(&fault) {
            continue;
        }
        behaviour = behaviour.with_play(play(fault, chance));
    }
    behaviour
}

fn dialect(chance: &mut Chance) -> Dialect {
    Dialect {
        unique: chance.happens(75),
        no_patch: chance.happens(20),
        patch_members: chance.happens(30).then(|| chance.within(1, 4)),
        patch_members_status: chance.pick(&[413, 400]),
        ignores_excluded_attributes: chance.happens(20),
        lists_without_members: chance.happens(20),
        no_service_provider_config: chance.happens(30),
        page_size: chance.pick(&[3, 10, 1_000]),
        cursors: chance.happens(20),
        keeps_ids: chance.happens(10),
        put_requires_if_match: chance.happens(40),
        // such a target fails the connection test
        empty_search_is_404: false,
    }
}

fn fault(which: usize, chance: &mut Chance) -> Fault {
    let retry_after = chance.pick(&[None, Some(0), Some(1)]);
    match which % 21 {
        0 => Fault::TooManyRequests { retry_after },
        1 => Fault::ServerError,
        2 => Fault::BadGateway,
        3 => Fault::Unavailable { retry_after },
        4 => Fault::Unauthorized,
        5 => Fault::Html,
        6 => Fault::ResetBeforeCommit,
        7 => Fault::ResetAfterCommit,
        8 => Fault::Slow { milliseconds: 3 },
        9 => Fault::Silence { takes_effect: true },
        10 => Fault::Silence {
            takes_effect: false,
        },
        11 => Fault::TruncatedBody,
        12 => Fault::FilterIgnored,
        13 => Fault::FilterWrong,
        14 => Fault::TotalTooHigh { by: 1 },
        15 => Fault::TotalTooLow { by: 1 },
        16 => Fault::PageShifted,
        17 => Fault::PageReordered,
        18 => Fault::MembersLost,
        19 => Fault::CreatedWithoutId,
        _ => Fault::CreatedWithForeignId,
    }
}

/// Tells whether a request that meets the fault certainly has no effect, and its sender knows.
fn is_refusal(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::TooManyRequests { .. }
            | Fault::Unauthorized
            | Fault::Slow { .. }
            | Fault::FilterIgnored
    )
}

fn play(fault: Fault, chance: &mut Chance) -> Play {
    let is_rare = matches!(fault, Fault::Silence { .. } | Fault::Unauthorized);
    let when = match chance.within(0, 4) {
        _ if is_rare => When::PerMille(10),
        0 => When::PerMille(u16::try_from(chance.within(20, 250)).unwrap()),
        1 => When::EveryNth(u64::try_from(chance.within(2, 20)).unwrap()),
        2 => When::Nth(u64::try_from(chance.within(1, 40)).unwrap()),
        _ => When::PerMille(u16::try_from(chance.within(20, 60)).unwrap()),
    };
    let play = Play::new(fault, when);
    match chance.within(0, 3) {
        0 => play.on(&["POST", "PATCH", "PUT", "DELETE"]),
        _ => play,
    }
}
