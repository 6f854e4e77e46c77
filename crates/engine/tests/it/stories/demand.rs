//! One object on demand, and why an object is what it is.

use rollcall_engine::{OnDemand, Why};
use rollcall_model::application::Scope;
use rollcall_model::mapping::{Clause, Operator, ScopeFilter};
use rollcall_model::provisioning::StepKind;
use rollcall_model::{Kind, ResourceId};
use rollcall_sync::task::Decision;
use rollcall_testkit::{Behaviour, Dialect};
use serde_json::json;

use crate::ends::Ends;

async fn provision(ends: &Ends, kind: Kind, id: ResourceId) -> OnDemand {
    let done = ends
        .engine
        .provision(&ends.source, ends.application, kind, id);
    done.await.unwrap()
}

async fn why(ends: &Ends, kind: Kind, id: ResourceId) -> Why {
    let why = ends.engine.why(&ends.source, ends.application, kind, id);
    why.await.unwrap()
}

fn steps(done: &OnDemand) -> Vec<StepKind> {
    done.entry.steps.iter().map(|step| step.kind).collect()
}

#[tokio::test]
async fn a_person_and_a_group_are_provisioned_on_demand_in_four_steps() {
    let ends = Ends::new(Behaviour::default()).await;
    let ann = ends.person("ann").await;
    let team = ends.group("Team", &[ann]).await;

    for (kind, id, second) in [
        (Kind::User, ann, Decision::Keep),
        (Kind::Group, team, Decision::Keep),
    ] {
        let done = provision(&ends, kind, id).await;
        assert_eq!(
            (done.decision, done.failed),
            (Decision::Create, 0),
            "{done:#?}"
        );
        let (first, last) = (StepKind::Import, StepKind::Export);
        assert_eq!(
            steps(&done),
            [first, StepKind::Scoping, StepKind::Matching, last]
        );
        assert_eq!(done.members_added, u64::from(kind == Kind::Group));

        let before = ends.target.last_request();
        let done = provision(&ends, kind, id).await;
        assert_eq!(done.decision, second, "{done:#?}");
        let (matching, processing) = (StepKind::Matching, StepKind::Processing);
        assert_eq!(
            steps(&done),
            [first, StepKind::Scoping, matching, processing]
        );
        let skip = &done.entry.steps.last().unwrap().details;
        assert_eq!(skip["SkipReason"], "RedundantExport");
        assert!(ends.target.writes_since(before).is_empty());
    }
    assert_eq!(ends.members("Team"), Some(vec!["ann".to_owned()]));

    // the cycle finds nothing left to do
    let before = ends.target.last_request();
    ends.settle().await;
    assert!(ends.target.writes_since(before).is_empty());
}

#[tokio::test]
async fn what_somebody_did_at_the_target_is_mended_on_demand() {
    let ends = Ends::new(Behaviour::default()).await;
    let ann = ends.person("ann").await;
    ends.settle().await;
    let id = ends.there("ann").unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    ends.target.remove(Kind::User, &id);

    let done = provision(&ends, Kind::User, ann).await;

    assert_eq!(done.decision, Decision::Create);
    assert_eq!(ends.active("ann"), Some(true));
}

#[tokio::test]
async fn why_tells_what_each_decision_rests_on() {
    let ends = Ends::new(Behaviour::default()).await;
    ends.configure(|application| {
        application.scope = Scope::AssignedOnly;
        application.settings.max_deletions = Some(0);
        application.users.filters.push(ScopeFilter {
            name: "not temporary".into(),
            clauses: vec![Clause {
                attribute: "jobTitle".into(),
                operator: Operator::NotEquals,
                values: vec!["Temp".into()],
            }],
        });
    })
    .await;
    let mut people = Vec::new();
    for name in ["unassigned", "filtered", "blocked", "leaving"] {
        let title = if name == "filtered" { "Temp" } else { "Buyer" };
        let body = json!({"userName": name, "title": title, "active": name != "blocked"});
        people.push(ends.create(Kind::User, body).await);
    }
    let [unassigned, filtered, blocked, leaving] = people[..] else {
        panic!("four people");
    };
    for id in [filtered, blocked, leaving] {
        ends.assign(Kind::User, id).await;
    }
    ends.settle().await;

    let nobody = why(&ends, Kind::User, unassigned).await;
    assert!(nobody.assigned_by.is_none() && nobody.is_enabled);
    let temporary = why(&ends, Kind::User, filtered).await;
    assert_eq!(temporary.assigned_by.as_deref(), Some("directly"));
    assert!(temporary.scope.values().any(|passed| passed == false));
    for one in [&nobody, &temporary] {
        assert_eq!(
            one.verdict,
            "it is not assigned, or a scoping filter leaves it out"
        );
        assert_eq!(one.would.as_ref().unwrap().decision, Decision::Skip);
    }
    let off = why(&ends, Kind::User, blocked).await;
    assert_eq!(off.verdict, "its account is blocked at the source");
    assert!(!off.is_enabled && off.exists);
    let fine = why(&ends, Kind::User, leaving).await;
    assert_eq!(fine.standing, "its counterpart is in use");
    assert_eq!(fine.would.unwrap().decision, Decision::Keep);

    ends.set(Kind::User, leaving, "active", false.into()).await;
    ends.cycle().await;
    let held = why(&ends, Kind::User, leaving).await;
    assert!(
        held.standing.contains("guard holds it back"),
        "{}",
        held.standing
    );
    assert_eq!(ends.active("leaving"), Some(true));
    assert_eq!(
        held.log[0].error.as_ref().unwrap().error_code,
        "TooManyDeletes"
    );
}

#[tokio::test]
async fn why_tells_of_a_failure_and_of_a_target_that_cannot_be_asked() {
    let ends = Ends::new(Behaviour::default()).await;
    ends.configure(|application| {
        for mapping in &mut application.users.attributes {
            mapping.matching = (mapping.target == "externalId").then_some(1);
        }
    })
    .await;
    // looked up by another attribute than the one that is taken
    ends.target
        .insert(Kind::User, json!({"userName": "ann"}))
        .unwrap();
    let ann = ends.person("ann").await;
    let report = ends.cycle().await;
    assert_eq!(report.users.failed, 1, "{report:#?}");

    let taken = why(&ends, Kind::User, ann).await;
    assert_eq!(taken.failure.as_ref().unwrap().code, "Conflict");
    assert!(taken.log[0].error.as_ref().unwrap().reason.contains("409"));
    assert_eq!(taken.would.unwrap().decision, Decision::Create);

    ends.target.behave(
        Behaviour::default()
            .with_token("another")
            .with_dialect(Dialect::default()),
    );
    let unreached = why(&ends, Kind::User, ann).await;
    assert!(unreached.would.is_none());
    assert!(unreached.target_trouble.unwrap().contains("401"));
}
