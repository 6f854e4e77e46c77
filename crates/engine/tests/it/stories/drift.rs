//! What somebody does at the target by hand.

use rollcall_engine::{Agreement, Watch};
use rollcall_model::Kind;
use rollcall_model::application::{Leaving, Scope};
use rollcall_model::provisioning::CycleOutcome;
use rollcall_testkit::Behaviour;
use serde_json::{Value, json};

use crate::ends::{ENTERPRISE, Ends};

async fn compare(ends: &Ends) -> Agreement {
    let compared = ends.engine.compare(&ends.source, ends.application);
    compared.await.unwrap()
}

/// Puts another document into the place of one, under its id.
fn edit(ends: &Ends, kind: Kind, document: &Value, change: impl FnOnce(&mut Value)) {
    let mut document = document.clone();
    ends.target.remove(kind, document["id"].as_str().unwrap());
    change(&mut document);
    ends.target.insert(kind, document).unwrap();
}

#[tokio::test]
async fn what_was_edited_deleted_and_added_by_hand_is_named_and_repaired() {
    let ends = Ends::new(Behaviour::default()).await;
    let mut people = Vec::new();
    for name in ["ann", "bob", "cleo"] {
        let body = json!({"userName": name, "title": "Buyer"});
        people.push(ends.create(Kind::User, body).await);
    }
    ends.group("Team", &people[..2]).await;
    ends.group("Crew", &people).await;
    ends.settle().await;
    let cleo = ends.there("cleo").unwrap();
    let team = ends.target.by(Kind::Group, "displayName", "Team").remove(0);

    let ann = ends.there("ann").unwrap();
    edit(&ends, Kind::User, &ann, |ann| ann["title"] = json!("Boss"));
    // a manager where the source has none
    edit(&ends, Kind::User, &cleo, |cleo| {
        cleo[ENTERPRISE] = json!({"manager": {"value": ann["id"]}});
    });
    let bob = ends.there("bob").unwrap();
    ends.target.remove(Kind::User, bob["id"].as_str().unwrap());
    let stranger = ends
        .target
        .insert(Kind::User, json!({"userName": "stranger"}));
    let stranger = stranger.unwrap();
    edit(&ends, Kind::Group, &team, |team| {
        team["members"] = json!([{"value": ann["id"]}, {"value": cleo["id"]}, {"value": stranger}]);
    });

    let found = compare(&ends).await;
    let said: Vec<&str> = found
        .differences
        .iter()
        .map(|one| one.what.as_str())
        .collect();
    for expected in [
        "`ann`: title is",
        "`bob` is not in the target",
        "`cleo`: urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager is `",
        "`Team`: 1 members are missing, 1 are too many",
    ] {
        assert!(
            said.iter().any(|said| said.contains(expected)),
            "{expected}: {said:#?}"
        );
    }
    // a cycle does not look for drift
    let before = ends.target.last_request();
    ends.cycle().await;
    assert!(ends.target.writes_since(before).is_empty());

    let repair = ends
        .engine
        .repair(&ends.source, ends.application, &found, Watch::default());
    assert_eq!(repair.await.unwrap().outcome, CycleOutcome::Succeeded);
    let left = compare(&ends).await;
    assert!(left.holds(), "{left:#?}");
    assert_eq!(ends.there("ann").unwrap()["title"], "Buyer");
    assert!(ends.there("cleo").unwrap()[ENTERPRISE]["manager"]["value"].is_null());
    let names = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect::<Vec<_>>());
    // who is none of ours is left alone
    assert_eq!(ends.members("Team"), names(&["ann", "bob", "stranger"]));
    assert_eq!(ends.members("Crew"), names(&["ann", "bob", "cleo"]));
    assert_eq!(ends.target.history(&stranger).len(), 1);
}

#[tokio::test]
async fn who_was_switched_on_by_hand_is_switched_off_again() {
    let ends = Ends::new(Behaviour::default()).await;
    let ann = ends.person("ann").await;
    ends.settle().await;
    ends.set(Kind::User, ann, "active", false.into()).await;
    ends.settle().await;
    let there = ends.there("ann").unwrap();
    edit(&ends, Kind::User, &there, |ann| ann["active"] = json!(true));

    let found = compare(&ends).await;
    assert!(
        found.differences[0].what.contains("should be switched off"),
        "{found:#?}"
    );
    let repair = ends
        .engine
        .repair(&ends.source, ends.application, &found, Watch::default());
    repair.await.unwrap();

    assert_eq!(ends.active("ann"), Some(false));
    assert!(compare(&ends).await.holds());
}

#[tokio::test]
async fn who_left_the_scope_and_is_left_alone_is_no_difference() {
    let ends = Ends::new(Behaviour::default()).await;
    ends.configure(|application| {
        application.scope = Scope::AssignedOnly;
        application.settings.leaving = Leaving::Unlink;
    })
    .await;
    let ann = ends.person("ann").await;
    let team = ends.group("Team", &[ann]).await;
    ends.assign(Kind::Group, team).await;
    ends.settle().await;

    ends.unassign(Kind::Group, team).await;
    ends.settle().await;
    assert_eq!(ends.members("Team"), Some(vec!["ann".to_owned()]));

    // a permanent deletion is sent all the same
    ends.delete(Kind::Group, team).await;
    ends.settle().await;

    assert_eq!(ends.members("Team"), None);
    assert_eq!(ends.active("ann"), Some(true));
}
