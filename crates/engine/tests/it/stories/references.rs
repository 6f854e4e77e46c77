//! Managers.

use jiff::SignedDuration;
use rollcall_model::Kind;
use rollcall_model::application::{Leaving, Scope};
use rollcall_testkit::{Behaviour, Fault, Play, When};
use serde_json::{Value, json};

use crate::ends::{ENTERPRISE, Ends};

async fn report_and_boss(ends: &Ends) -> (rollcall_model::ResourceId, rollcall_model::ResourceId) {
    let boss = ends.person("boss").await;
    let body = json!({"userName": "ann", ENTERPRISE: {"manager": {"value": boss}}});
    (ends.create(Kind::User, body).await, boss)
}

fn manager(ends: &Ends) -> Value {
    ends.there("ann").unwrap()[ENTERPRISE]["manager"]["value"].clone()
}

#[tokio::test]
async fn a_manager_who_comes_into_scope_late_reaches_the_report() {
    let ends = Ends::new(Behaviour::default()).await;
    ends.configure(|application| application.scope = Scope::AssignedOnly)
        .await;
    let (ann, boss) = report_and_boss(&ends).await;
    ends.assign(Kind::User, ann).await;
    ends.settle().await;
    assert_eq!(manager(&ends), Value::Null);

    ends.assign(Kind::User, boss).await;
    let report = ends.settle().await;

    assert_eq!((report.users.created, report.references), (1, 1));
    assert_eq!(manager(&ends), ends.there("boss").unwrap()["id"]);
}

#[tokio::test]
async fn nobody_keeps_a_manager_whose_account_was_deleted() {
    let ends = Ends::new(Behaviour::default()).await;
    ends.configure(|application| {
        application.scope = Scope::AssignedOnly;
        application.settings.leaving = Leaving::Delete;
    })
    .await;
    let (ann, boss) = report_and_boss(&ends).await;
    for id in [ann, boss] {
        ends.assign(Kind::User, id).await;
    }
    ends.settle().await;
    assert_eq!(manager(&ends), ends.there("boss").unwrap()["id"]);

    ends.unassign(Kind::User, boss).await;
    ends.settle().await;
    assert_eq!(ends.there("boss"), None);
    assert_eq!(manager(&ends), Value::Null);

    // and one who comes back is there anew
    ends.assign(Kind::User, boss).await;
    ends.settle().await;
    assert_eq!(manager(&ends), ends.there("boss").unwrap()["id"]);
    ends.delete(Kind::User, boss).await;
    ends.settle().await;
    assert_eq!(manager(&ends), Value::Null);
}

#[tokio::test]
async fn a_manager_who_is_found_and_switched_off_at_once_reaches_the_report() {
    let nameless = Play::new(Fault::CreatedWithoutId, When::First(1)).below("/Users");
    let ends = Ends::new(Behaviour::default().with_play(nameless)).await;
    let boss = ends.person("boss").await;
    // created, and nobody knows
    assert_eq!(ends.cycle().await.users.failed, 1);
    let body = json!({"userName": "ann", ENTERPRISE: {"manager": {"value": boss}}});
    ends.create(Kind::User, body).await;
    ends.cycle().await;
    ends.set(Kind::User, boss, "active", false.into()).await;
    ends.pass(SignedDuration::from_hours(1));

    ends.settle().await;

    assert_eq!(ends.active("boss"), Some(false));
    assert_eq!(manager(&ends), ends.there("boss").unwrap()["id"]);
}

#[tokio::test]
async fn a_reference_of_which_no_answer_came_is_taken_away_again() {
    let ends = Ends::new(Behaviour::default()).await;
    let (ann, boss) = (ends.person("ann").await, ends.person("boss").await);
    ends.settle().await;
    ends.target.behave(lost_answers("/Users"));
    let path = format!("{ENTERPRISE}:manager");
    ends.set(Kind::User, ann, &path, json!({"value": boss}))
        .await;
    ends.cycle().await;
    assert_eq!(manager(&ends), ends.there("boss").unwrap()["id"]);

    ends.target.calm();
    let removal = json!([{"op": "remove", "path": path}]);
    ends.patch(Kind::User, ann, removal).await;
    ends.pass(SignedDuration::from_hours(7));
    ends.settle().await;

    assert_eq!(manager(&ends), Value::Null);
}

#[tokio::test]
async fn a_membership_of_which_no_answer_came_is_taken_away_again() {
    let ends = Ends::new(Behaviour::default()).await;
    let ann = ends.person("ann").await;
    let team = ends.group("Team", &[]).await;
    ends.settle().await;
    ends.target.behave(lost_answers("/Groups"));
    ends.join(team, ann).await;
    ends.cycle().await;
    assert_eq!(ends.members("Team"), Some(vec!["ann".to_owned()]));

    ends.target.calm();
    ends.leave(team, ann).await;
    ends.pass(SignedDuration::from_hours(7));
    ends.settle().await;

    assert_eq!(ends.members("Team"), Some(Vec::new()));
}

/// Everything takes effect, and no answer comes.
fn lost_answers(below: &str) -> Behaviour {
    let lost = Play::new(Fault::ResetAfterCommit, When::Always);
    Behaviour::default().with_play(lost.on(&["PATCH"]).below(below))
}
