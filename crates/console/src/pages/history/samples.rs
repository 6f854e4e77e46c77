//! How the pages look: nothing, one, many, refused, cut off, hostile names.

use std::collections::BTreeSet;

use askama::Template;
use jiff::{SignedDuration, Timestamp};
use rollcall_app::activity::Deed as Done;
use rollcall_app::directory::Named;
use rollcall_app::history::{Changed, Deed, Differing, Reason, Revert, Step};
use rollcall_app::integrations::Parties;
use rollcall_model::history::Past;
use rollcall_model::{
    Actor, AdminId, AuditEntry, IntegrationId, IntegrationKind, Kind, Origin, RequestId, ResourceId,
};
use rollcall_scim::patch::Change;
use serde_json::{Value, json};

use super::one::{self, Head, Names, Refused, Shown, Which};
use super::run;
use super::span::{Asked, Fields, Page, SpanPage, different};
use crate::deeds::{self, Row};
use crate::layout::sample::{HOSTILE, frame};
use crate::layout::{Mistakes, Place};
use crate::words::Zone;

fn now() -> Timestamp {
    Timestamp::from_second(1_763_472_728).unwrap_or_default()
}

fn then() -> Timestamp {
    now() - SignedDuration::from_hours(100)
}

fn id(number: u8) -> ResourceId {
    ResourceId::from_bytes([number; 16])
}

fn zone() -> Zone {
    Zone::new(Some("Europe/Oslo"), now())
}

fn parties() -> Parties {
    Parties::new(
        [(IntegrationId::from_bytes([1; 16]), IntegrationKind::Entra)],
        [(AdminId::from_bytes([1; 16]), HOSTILE.to_owned())],
    )
}

fn past(title: &str, members: &[u8]) -> Past {
    Past {
        document: Some(json!({
            "userName": "ingrid.solheim@alderbrook.example", "displayName": title, "active": true, "title": title,
            rollcall_scim::schema::ENTERPRISE_USER: {"department": "Warehouse Planning"},
        })),
        members: members.iter().map(|number| id(*number)).collect(),
    }
}

fn named(names: &[&str]) -> Names {
    let named = names.iter().map(|name| Named {
        id: id(9),
        name: (*name).to_owned(),
    });
    Names::new(named.collect(), names.len() + 214)
}

fn changed(kind: Kind, before: Option<Past>, after: Option<Past>) -> Changed {
    Changed {
        kind,
        id: id(1),
        before,
        after,
    }
}

fn head(changed: &Changed, name: &str) -> Head {
    let which = Which {
        kind: changed.kind,
        id: id(1),
        at: then(),
    };
    Head::new(&which, changed, name.to_owned(), &zone())
}

fn looked_at(changed: &Changed, name: &str) -> String {
    let members = match changed.kind {
        Kind::User => (Names::default(), Names::default()),
        Kind::Group => (named(&["Hana Satō", HOSTILE]), named(&[])),
    };
    let frame = frame(Place::Users, "As it was");
    one::then_view(frame, head(changed, name), changed, members)
        .render()
        .unwrap_or_default()
}

fn differing(number: u8) -> Vec<Change> {
    let change = |path: &str, old: Value, new: Value| Change {
        path: path.to_owned(),
        old: Some(old),
        new: Some(new),
    };
    let mut changes = vec![
        change(
            "active",
            json!(number.is_multiple_of(2)),
            json!(!number.is_multiple_of(2)),
        ),
        change("title", json!(HOSTILE), json!("Shift Planner")),
    ];
    changes.push(Change {
        path: format!("{}:department", rollcall_scim::schema::ENTERPRISE_USER),
        old: Some(json!("Inbound Freight")),
        new: None,
    });
    changes
}

fn step(kind: Kind, number: u8, name: &str, deed: Deed) -> Step {
    Step {
        kind,
        id: id(number),
        name: name.to_owned(),
        deed,
    }
}

fn restored(number: u8, members: &[ResourceId]) -> Deed {
    Deed::Restore {
        version: 7,
        attributes: differing(number),
        added: members.to_vec(),
        removed: Vec::new(),
        missing: members.to_vec(),
    }
}

fn recreated() -> Deed {
    Deed::Recreate {
        from: 1_207,
        last: 1_311,
        members: Vec::new(),
        missing: vec![id(8)],
    }
}

fn asked_back(deed: Option<Deed>, kind: Kind, name: &str, refused: Refused) -> String {
    let plan = Revert {
        steps: deed
            .map(|deed| step(kind, 1, name, deed))
            .into_iter()
            .collect(),
    };
    let is_there = !matches!(
        plan.steps.first().map(|step| &step.deed),
        Some(Deed::Recreate { .. })
    );
    let after = is_there.then(|| past("Buyer", &[]));
    let changed = changed(kind, Some(past("Shift Planner", &[])), after);
    let members = match kind {
        Kind::User => (Names::default(), Names::default()),
        Kind::Group => (named(&["Hana Satō", HOSTILE]), named(&["Marek Dvořák"])),
    };
    let shown = Shown {
        until: 41_207,
        at: now().to_string(),
        code: "3f9c21ab".to_owned(),
    };
    let frame = frame(Place::Users, "Go back");
    let head = head(&changed, name);
    let source = Some("Entra ID");
    one::back_view(frame, head, &plan, members, source, shown, refused)
        .render()
        .unwrap_or_default()
}

fn done(action: &str, detail: Value) -> Done {
    Done {
        entry: AuditEntry {
            sequence: 100,
            at: now() - SignedDuration::from_mins(2),
            origin: Origin {
                actor: Actor::Administrator {
                    id: AdminId::from_bytes([1; 16]),
                },
                request: RequestId::from_bytes([1; 16]),
                address: Some("20.190.160.14".to_owned()),
            },
            action: action.to_owned(),
            object: id(1).to_string(),
            detail,
        },
        name: Some(HOSTILE.to_owned()),
    }
}

fn rows() -> Vec<Row> {
    let changes = json!({"changes": [{"path": "title", "old": HOSTILE, "new": "Shift Planner"}]});
    let deed = done("user.updated", changes);
    vec![deeds::row(&deed, &parties(), &zone())]
}

fn many() -> Revert {
    let mut steps = vec![
        step(Kind::User, 30, HOSTILE, recreated()),
        step(
            Kind::Group,
            31,
            "Warehouse Leads EU",
            restored(1, &[id(4), id(5)]),
        ),
        step(Kind::Group, 32, HOSTILE, Deed::Leave(Reason::NewGroup)),
    ];
    for number in 1..=80 {
        let name = format!("person.{number:03}@alderbrook.example");
        let deed = match number % 5 {
            0 => Deed::Disable { version: 1 },
            1 => Deed::Leave(Reason::ChangedSince),
            2 => Deed::Delete { version: 1 },
            _ => restored(number, &[]),
        };
        steps.push(step(Kind::User, number, &name, deed));
    }
    Revert { steps }
}

fn span(page: Page, asked: &Asked, mistakes: Mistakes) -> SpanPage {
    let frame = frame(Place::Activity, "Take back what a directory did");
    let (parties, zone) = (parties(), zone());
    let fields = Fields::new(asked, &parties, &zone);
    SpanPage::new(frame, page, asked, fields, mistakes).about(asked, &parties, &zone)
}

fn with_changes(all: &[Changed], asked: &Asked) -> SpanPage {
    let found = all.iter().map(|one| Differing {
        kind: one.kind,
        id: one.id,
        name: one.name(),
        became: one.became(),
    });
    let found: Vec<_> = found.collect();
    let details = all
        .iter()
        .map(|one| (one.id, different(one, then())))
        .collect();
    let page = span(Page::Differs, asked, Mistakes::default());
    page.with_changes(&found, asked, then(), details)
}

fn ran(
    deeds: (Option<&Done>, Option<&Done>),
    progress: Option<(u64, u64)>,
    refused: &[&str],
) -> String {
    let refusals = refused.iter().map(|name| run::Refused {
        href: format!("/users/{}", id(1)),
        name: (*name).to_owned(),
        reason: "`userName` is taken: choose another value.".to_owned(),
    });
    let frame = frame(Place::Activity, "Changes taken back");
    let refusals = refusals.collect();
    run::view(frame, deeds, progress, refusals, &parties(), &zone())
        .render()
        .unwrap_or_default()
}

fn of_one() -> Vec<(&'static str, String)> {
    let user = |before, after| changed(Kind::User, before, after);
    let (then, today) = (past("Shift Planner", &[]), past(HOSTILE, &[]));
    let erased = Past {
        document: None,
        members: BTreeSet::new(),
    };
    let group = changed(
        Kind::Group,
        Some(past("Team", &[2])),
        Some(past("Team", &[3])),
    );
    let moved = Refused {
        why: "It was changed while you looked at this page. Nothing was done; this is the way back as it is now.".to_owned(),
        meanwhile: rows(),
    };
    let none = Refused::default;
    let (user_kind, group_kind) = (Kind::User, Kind::Group);
    vec![
        (
            "history-then",
            looked_at(&user(Some(then.clone()), Some(today)), "Ingrid Solheim"),
        ),
        (
            "history-then-same",
            looked_at(&user(Some(then.clone()), Some(then.clone())), HOSTILE),
        ),
        (
            "history-then-deleted",
            looked_at(&user(Some(then.clone()), None), HOSTILE),
        ),
        (
            "history-then-not-yet",
            looked_at(&user(None, Some(then)), "Ingrid Solheim"),
        ),
        (
            "history-then-erased",
            looked_at(
                &user(Some(erased), None),
                "2819c223-7f76-453a-919d-413861904646",
            ),
        ),
        ("history-then-group", looked_at(&group, HOSTILE)),
        (
            "history-back",
            asked_back(Some(restored(2, &[])), user_kind, "Ingrid Solheim", none()),
        ),
        (
            "history-back-group",
            asked_back(Some(restored(1, &[id(4)])), group_kind, HOSTILE, none()),
        ),
        (
            "history-back-deleted",
            asked_back(Some(recreated()), user_kind, HOSTILE, none()),
        ),
        (
            "history-back-nothing",
            asked_back(None, user_kind, "Ingrid Solheim", none()),
        ),
        (
            "history-back-left",
            asked_back(
                Some(Deed::Leave(Reason::Erased)),
                user_kind,
                HOSTILE,
                none(),
            ),
        ),
        (
            "history-back-moved",
            asked_back(Some(restored(2, &[])), user_kind, HOSTILE, moved),
        ),
    ]
}

/// How a way back stands that was begun.
fn of_runs() -> Vec<(&'static str, String)> {
    let by = format!("integration:{}", IntegrationId::from_bytes([1; 16]));
    let detail = json!({
        "from": then().to_string(), "to": 41_207, "until": now().to_string(), "by": by, "deletes": true, "steps": 83, "done": 80, "left": 1, "refused": 2, "untried": 0, "missing": 3,
    });
    let (begun, ended) = (
        done("history.begun", detail.clone()),
        done("history.taken_back", detail),
    );
    let both = (Some(&begun), Some(&ended));
    vec![
        ("history-run", ran((None, None), Some((4_107, 9_210)), &[])),
        (
            "history-run-done",
            ran(both, None, &[HOSTILE, "Ingrid Solheim"]),
        ),
        ("history-run-cut-off", ran((Some(&begun), None), None, &[])),
    ]
}

pub(crate) fn samples() -> Vec<(String, String)> {
    let asked = Asked {
        from: Some(then()),
        by: format!("integration:{}", IntegrationId::from_bytes([1; 16])),
        ..Asked::default()
    };
    let render = |page: SpanPage| page.render().unwrap_or_default();
    let plan = |asked: &Asked, plan: &Revert, mistakes| {
        let place = (41_207, now());
        span(Page::Back, asked, mistakes).with_plan(plan, asked, then(), place)
    };
    let one_kind = Asked {
        show: "change".to_owned(),
        deletes: true,
        ..asked.clone()
    };
    let left = Revert {
        steps: vec![step(
            Kind::User,
            1,
            HOSTILE,
            Deed::Leave(Reason::SomebodyElse),
        )],
    };
    let one_person = Revert {
        steps: vec![step(Kind::User, 1, HOSTILE, recreated())],
    };
    let nothing = Revert { steps: Vec::new() };
    let none = Mistakes::default;
    let wrong = Mistakes::one(
        "confirm",
        "Type the number of those who lose access, to show that you have seen it.",
    );
    let far = Mistakes::one(
        "from",
        "more than 10000 people and groups changed in that time: choose a shorter one, or use the command `rollcall history`",
    );
    let differing = [
        changed(
            Kind::User,
            Some(past("Shift Planner", &[])),
            Some(past(HOSTILE, &[])),
        ),
        Changed {
            id: id(2),
            ..changed(Kind::User, None, Some(past(HOSTILE, &[])))
        },
        Changed {
            id: id(3),
            ..changed(Kind::Group, Some(past("Team", &[2])), None)
        },
    ];
    let moved = "People or groups of this plan were changed while you looked at it. Nothing was done; this is the plan as it is now.";
    let of_spans = vec![
        (
            "history-span-asked",
            render(span(Page::Back, &Asked::default(), none())),
        ),
        ("history-span", render(plan(&asked, &many(), none()))),
        (
            "history-span-one",
            render(plan(&asked, &one_person, none())),
        ),
        (
            "history-span-kind",
            render(plan(&one_kind, &many(), none())),
        ),
        (
            "history-span-nothing",
            render(plan(&asked, &nothing, none())),
        ),
        ("history-span-left", render(plan(&asked, &left, none()))),
        (
            "history-span-unconfirmed",
            render(plan(&asked, &many(), wrong)),
        ),
        (
            "history-span-moved",
            render(plan(&asked, &many(), none()).refused(moved, rows())),
        ),
        (
            "history-span-too-much",
            render(span(Page::Back, &asked, far)),
        ),
        ("history-diff", render(with_changes(&differing, &asked))),
        ("history-diff-nothing", render(with_changes(&[], &asked))),
    ];
    let all = of_one().into_iter().chain(of_spans).chain(of_runs());
    all.map(|(name, html)| (name.to_owned(), html)).collect()
}
