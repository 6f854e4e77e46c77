//! A target that is away for an hour.

use jiff::SignedDuration;
use rollcall_engine::schedule::is_cycle_due;
use rollcall_model::Kind;
use rollcall_model::provisioning::CycleOutcome;
use rollcall_store::Error;
use rollcall_testkit::{Behaviour, Fault, Play, When};
use serde_json::json;

use crate::ends::Ends;

/// Runs a cycle if one is due, as the schedule does; tells whether it was.
async fn due(ends: &Ends) -> bool {
    let configured = ends.app.configured(&ends.source, ends.application).await;
    let configured = configured.unwrap();
    let last = (ends.source.tenant()).read::<_, Error, _>(|reader| reader.last_change());
    let (application, job) = (&configured.application, &configured.job);
    let is_due = is_cycle_due(application, job, last.await.unwrap(), ends.app.now());
    if is_due {
        let report = ends.cycle().await;
        assert_ne!(report.outcome, CycleOutcome::Succeeded);
    }
    is_due
}

#[tokio::test]
async fn what_happens_in_an_hour_without_the_target_arrives_once_when_it_is_back() {
    let ends = Ends::new(Behaviour::default()).await;
    let (ann, bob) = (ends.person("ann").await, ends.person("bob").await);
    let team = ends.group("Team", &[ann, bob]).await;
    ends.settle().await;
    let away = Play::new(Fault::ResetBeforeCommit, When::Always);
    ends.target.behave(Behaviour::default().with_play(away));
    let before = ends.target.last_request();

    ends.set(Kind::User, ann, "active", json!(false)).await;
    let cleo = ends.person("cleo").await;
    ends.join(team, cleo).await;
    ends.leave(team, bob).await;
    let mut attempts = 0;
    for minute in 0..60 {
        attempts += u32::from(due(&ends).await);
        if minute == 30 {
            ends.set(Kind::User, bob, "title", json!("Buyer")).await;
        }
        ends.pass(SignedDuration::from_mins(1));
    }
    let asked = ends.target.last_request() - before;
    assert!(
        (2..30).contains(&attempts),
        "{attempts} attempts in an hour"
    );
    assert!(asked < 400, "{asked} requests to a target that is away");
    assert_eq!(ends.active("ann"), Some(true), "it could not be told");

    ends.target.calm();
    ends.pass(SignedDuration::from_hours(7));
    ends.settle().await;

    assert_eq!(ends.active("ann"), Some(false));
    assert_eq!(
        ends.active("bob"),
        Some(true),
        "nobody else was switched off"
    );
    assert_eq!(ends.there("bob").unwrap()["title"], "Buyer");
    // who is switched off is in no group there
    assert_eq!(ends.members("Team").unwrap(), ["cleo"]);
    assert_eq!(ends.target.creates(Kind::User, "cleo"), 1);
}
