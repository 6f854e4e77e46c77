//! Samples of a plan, in every state, with hostile names.

use askama::Template;
use rollcall_app::plans::{Head as PlanHead, Section};
use rollcall_model::plan::{PlanRecord, PlanState};
use rollcall_model::provisioning::{CycleKind, ModifiedProperty};
use rollcall_model::{Actor, Kind, ResourceId};
use rollcall_sync::plan::{Count, HeldBack, Planned, PlannedMembers, Suspect};
use rollcall_sync::request::Request;
use rollcall_sync::task::Decision;

use super::{Asked, Parts, view};
use crate::layout::sample::{HOSTILE, frame};
use crate::layout::{Mistakes, Place};
use crate::pages::applications::{Tab, sample};

#[expect(clippy::too_many_lines, reason = "a sample for each case")]
pub(crate) fn samples() -> Vec<(String, String)> {
    let zone = sample::zone();
    let Ok(id) = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77".parse::<ResourceId>() else {
        return Vec::new();
    };
    let planned = |decision, name: &str| Planned {
        kind: Kind::User,
        object: id,
        name: name.to_owned(),
        decision,
        code: None,
        reason: (decision == Decision::Disable).then(|| "not in scope any more".to_owned()),
        matched: (decision == Decision::Adopt).then(|| "userName".to_owned()),
        properties: vec![
            ModifiedProperty {
                display_name:
                    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"
                        .to_owned(),
                old_value: Some("inbound freight".to_owned()),
                new_value: Some("warehouse planning".to_owned()),
            },
            ModifiedProperty {
                display_name: "name.formatted".to_owned(),
                old_value: None,
                new_value: Some(name.to_owned()),
            },
        ],
        requests: vec![Request {
            method: "PATCH".to_owned(),
            path: "/Users/u_48213".to_owned(),
            body: None,
        }],
    };
    let decisions = [
        Decision::Delete,
        Decision::Disable,
        Decision::Create,
        Decision::Update,
    ];
    let count = |decision, count| Count {
        decision,
        kind: Kind::User,
        count,
    };
    let plan_head = |is_first: bool| PlanHead {
        made: zone.now(),
        kind: CycleKind::Incremental,
        is_first,
        held_back: None,
        counts: decisions.iter().map(|one| count(*one, 61)).collect(),
        sections: decisions
            .iter()
            .zip([0, 61, 122, 183])
            .map(|(decision, first)| Section {
                decision: *decision,
                first,
                count: 61,
            })
            .collect(),
        references: 3,
        groups: 2,
        members_added: 353,
        members_removed: 1,
        matched: vec![("userName".to_owned(), 7_921)],
        suspects: if is_first {
            vec![Suspect {
                name: "elodie.marchetti@alderbrook.example".to_owned(),
                account: HOSTILE.to_owned(),
                attribute: "displayName".to_owned(),
                value: "Élodie Marchetti".to_owned(),
            }]
        } else {
            Vec::new()
        },
        suspect_count: u64::from(is_first),
        notes: vec![
            "nobody was compared with the accounts that are there: the target does not list them"
                .to_owned(),
        ],
        is_empty: false,
    };
    let parts = || Parts {
        sections: decisions
            .iter()
            .map(|one| {
                (
                    *one,
                    vec![
                        planned(*one, "marek.dvorak@alderbrook.example"),
                        planned(*one, HOSTILE),
                    ],
                )
            })
            .collect(),
        groups: vec![PlannedMembers {
            object: id,
            name: HOSTILE.to_owned(),
            added: 353,
            removed: 1,
            requests: Vec::new(),
        }],
    };
    let record = |state| PlanRecord {
        number: 7,
        at: zone.now(),
        by: Actor::Command,
        state,
        digest: String::new(),
    };
    let head = || sample::head("Keyhaven", Tab::Plan, ("off", "offc", "Provisioning off"));
    let page = |record: Option<PlanRecord>, plan_head: Option<PlanHead>, asked: &Asked| {
        let parts = plan_head.as_ref().map(|_| parts()).unwrap_or_default();
        let frame = frame(Place::Applications, "Plan");
        let mut page = view(
            frame,
            head(),
            record.as_ref(),
            plan_head.as_ref(),
            &parts,
            asked,
            &zone,
        );
        page.can_make = !page.is_busy;
        page
    };
    let all = Asked::default();
    let one = Asked {
        show: "update".to_owned(),
        from: 0,
    };
    let mut held = plan_head(false);
    held.held_back = Some(HeldBack {
        leaving: 65,
        recent: 0,
        limit: 50,
        code: "3f9c21ab".to_owned(),
    });
    let failed = PlanState::Failed {
        message: HOSTILE.to_owned(),
    };
    let refused = PlanState::Refused {
        message: "the plan does not hold any more; nothing was sent: the source changed".to_owned(),
    };
    let mut wrong = page(Some(record(PlanState::Ready)), Some(plan_head(false)), &all);
    wrong.mistakes = Mistakes::one(
        "confirm",
        "Type the number of those who are disabled or deleted, to show that you have seen it.",
    );
    [
        ("plan-none", page(None, None, &all)),
        (
            "plan-making",
            page(Some(record(PlanState::Making)), None, &all),
        ),
        ("plan-failed", page(Some(record(failed)), None, &all)),
        (
            "plan",
            page(Some(record(PlanState::Ready)), Some(plan_head(false)), &all),
        ),
        ("plan-wrong", wrong),
        (
            "plan-one-kind",
            page(Some(record(PlanState::Ready)), Some(plan_head(false)), &one),
        ),
        (
            "plan-first",
            page(Some(record(PlanState::Ready)), Some(plan_head(true)), &all),
        ),
        (
            "plan-held",
            page(Some(record(PlanState::Ready)), Some(held), &all),
        ),
        (
            "plan-refused",
            page(Some(record(refused)), Some(plan_head(false)), &all),
        ),
    ]
    .into_iter()
    .map(|(name, page)| (name.to_owned(), page.render().unwrap_or_default()))
    .collect()
}
