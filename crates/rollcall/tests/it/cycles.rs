//! Provisioning from one organisation into another, over HTTP: what happens at the source arrives at the target.

use rollcall_engine::Watch;
use rollcall_model::Kind;
use rollcall_model::application::Scope;
use rollcall_model::provisioning::{CycleOutcome, CycleReport, QuarantineReason, ResetScope};
use rollcall_sync::task::Decision;
use serde_json::json;

use crate::ends::Ends;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn off() -> serde_json::Value {
    json!([{"op": "replace", "path": "active", "value": false}])
}

fn on() -> serde_json::Value {
    json!([{"op": "replace", "path": "active", "value": true}])
}

fn stopped(report: &CycleReport) -> (QuarantineReason, String) {
    match &report.outcome {
        CycleOutcome::Stopped { reason, message } => (*reason, message.clone()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_groups_members_and_managers_follow_the_source() {
    let ends = Ends::new().await;
    let boss = ends.person("boss", json!({})).await;
    let ann = ends
        .person("ann", json!({ENTERPRISE: {"manager": {"value": boss}}}))
        .await;
    let bob = ends.person("bob", json!({})).await;
    let team = ends.group("Team", &[ann, bob, boss]).await;
    let all = ends.group("All", &[team]).await;
    ends.assign(Kind::Group, team).await;
    ends.assign(Kind::Group, all).await;

    let first = ends.settle().await;
    assert_eq!(
        (
            first.users.created,
            first.groups.created,
            first.members_added
        ),
        (3, 2, 4)
    );
    assert_eq!(ends.members("Team").await, ["ann", "bob", "boss"]);
    assert_eq!(ends.members("All").await, ["Team"]);

    let second = ends.settle().await;
    assert!(
        !second.has_exports() && second.users.imported == 0,
        "{second:?}"
    );

    ends.patch(
        Kind::User,
        ann,
        json!([{"op": "replace", "path": "userName", "value": "ann.lee"}]),
    )
    .await;
    ends.patch(
        Kind::Group,
        team,
        json!([{"op": "replace", "path": "displayName", "value": "Crew"}]),
    )
    .await;
    ends.patch(Kind::User, bob, off()).await;
    ends.settle().await;
    assert_eq!(ends.active("bob").await, Some(false));
    assert_eq!(ends.members("Crew").await, ["ann.lee", "boss"]);

    ends.patch(Kind::User, bob, on()).await;
    ends.settle().await;
    assert_eq!(ends.members("Crew").await, ["ann.lee", "bob", "boss"]);

    ends.delete(Kind::User, boss).await;
    ends.settle().await;
    assert_eq!(ends.active("boss").await, None);
    assert!(ends.there("Users", "ann.lee").await.unwrap()[ENTERPRISE].is_null());

    ends.app
        .unassign(&ends.source, ends.application, Kind::Group, all)
        .await
        .unwrap();
    ends.settle().await;
    assert!(ends.there("Groups", "All").await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_assigned_any_more_is_switched_off_however_it_came_about() {
    let ends = Ends::new().await;
    let mut people = Vec::new();
    for name in ["a", "b", "c", "d"] {
        people.push(ends.person(name, json!({})).await);
    }
    let team = ends.group("Team", &people[..2]).await;
    let crew = ends.group("Crew", &people[2..3]).await;
    ends.assign(Kind::Group, team).await;
    ends.assign(Kind::Group, crew).await;
    ends.assign(Kind::User, people[3]).await;
    ends.settle().await;

    let path = format!("members[value eq \"{}\"]", people[0]);
    ends.patch(Kind::Group, team, json!([{"op": "remove", "path": path}]))
        .await;
    ends.settle().await;
    assert_eq!(ends.active("a").await, Some(false));

    // the whole group goes: nobody can be told from the feed who was in it
    ends.delete(Kind::Group, crew).await;
    ends.settle().await;
    assert_eq!(ends.active("c").await, Some(false));
    assert!(ends.there("Groups", "Crew").await.is_none());

    ends.app
        .unassign(&ends.source, ends.application, Kind::User, people[3])
        .await
        .unwrap();
    ends.settle().await;
    assert_eq!(ends.active("d").await, Some(false));
    assert_eq!(ends.active("b").await, Some(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_leave_are_held_until_somebody_allows_it_and_small_steps_are_no_way_around() {
    let ends = Ends::new().await;
    ends.app
        .configure(&ends.source, ends.application, |application| {
            application.scope = Scope::All;
        })
        .await
        .unwrap();
    let mut people = Vec::new();
    for number in 0..30 {
        people.push(ends.person(&format!("p{number}"), json!({})).await);
    }
    ends.settle().await;

    for person in &people[..6] {
        ends.patch(Kind::User, *person, off()).await;
    }
    assert_eq!(ends.settle().await.users.disabled, 6);
    for person in &people[6..12] {
        ends.patch(Kind::User, *person, off()).await;
    }
    let held = ends.cycle().await;
    let (reason, message) = stopped(&held);
    assert_eq!(
        (reason, held.users.disabled),
        (QuarantineReason::TooManyDeletes, 0)
    );
    assert!(message.contains("after 6 in the last day"), "{message}");
    assert_eq!(ends.active("p6").await, Some(true));
    assert_eq!(held.users.held, 6);

    // one more wants to leave after the list was shown, and it is not the list any more
    let held = |ends: &Ends| {
        let (app, source, application) = (ends.app.clone(), ends.source.clone(), ends.application);
        async move { app.held(&source, application).await.unwrap() }
    };
    let shown = held(&ends).await;
    assert!(message.contains(&shown.code()), "{message}");
    ends.patch(Kind::User, people[12], off()).await;
    ends.cycle().await;
    let allow = |code: String| {
        ends.app
            .allow_deletions(&ends.source, ends.application, code)
    };
    assert!(matches!(
        allow(shown.code()).await,
        Err(rollcall_app::Failure::Precondition)
    ));

    // the list as it is now goes, but for one who comes back, and one who leaves later is asked about again
    let shown = held(&ends).await;
    assert_eq!(allow(shown.code()).await.unwrap(), 7);
    ends.patch(Kind::User, people[6], on()).await;
    for person in &people[13..18] {
        ends.patch(Kind::User, *person, off()).await;
    }
    let report = ends.cycle().await;
    let (reason, _) = stopped(&report);
    assert_eq!(reason, QuarantineReason::TooManyDeletes);
    assert_eq!((report.users.disabled, report.users.held), (6, 5));
    let mut active = Vec::new();
    for name in ["p6", "p7", "p12", "p13"] {
        active.push(ends.active(name).await.unwrap());
    }
    assert_eq!(active, [true, false, false, true]);
    assert_eq!(held(&ends).await.links.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_out_of_reach_costs_nothing_and_is_told_exactly() {
    let mut ends = Ends::new().await;
    let ann = ends.person("ann", json!({})).await;
    ends.assign(Kind::User, ann).await;
    ends.aim(&ends.vault.base.clone(), "rc_main_wrong").await;
    let (reason, message) = stopped(&ends.cycle().await);
    assert_eq!(reason, QuarantineReason::CredentialRefused);
    assert!(message.contains("401"), "{message}");

    let (base, token) = (ends.vault.base.clone(), ends.token.clone());
    ends.aim(&base, &token).await;
    ends.settle().await;
    ends.server.process.kill().unwrap();
    ends.server.process.wait().unwrap();
    ends.patch(Kind::User, ann, off()).await;
    let (_, message) = stopped(&ends.cycle().await);
    assert!(message.contains("nothing listens"), "{message}");
    let quarantine = ends
        .app
        .configured(&ends.source, ends.application)
        .await
        .unwrap()
        .job
        .quarantine
        .unwrap();
    assert!(quarantine.next_attempt.is_some());

    let listen = base
        .trim_start_matches("http://")
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    ends.server = crate::support::Server::start(
        ends.installation.folder.path(),
        &listen,
        &[("ROLLCALL_RATE", "1000000")],
    );
    ends.settle().await;
    assert_eq!(ends.active("ann").await, Some(false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_was_deleted_at_the_target_comes_back_with_groups_and_reports() {
    let ends = Ends::new().await;
    let boss = ends.person("boss", json!({})).await;
    let ann = ends
        .person("ann", json!({ENTERPRISE: {"manager": {"value": boss}}}))
        .await;
    let team = ends.group("Team", &[boss, ann]).await;
    ends.assign(Kind::Group, team).await;
    ends.settle().await;
    let id = ends.there("Users", "boss").await.unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    ends.vault
        .send("DELETE", &format!("/Users/{id}"), None)
        .await
        .is(204);
    // another person under the name, so that the tombstone gives no id back
    let group = ends.there("Groups", "Team").await.unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    ends.vault
        .send("DELETE", &format!("/Groups/{group}"), None)
        .await
        .is(204);

    ends.patch(
        Kind::User,
        boss,
        json!([{"op": "replace", "path": "title", "value": "Head"}]),
    )
    .await;
    ends.patch(
        Kind::Group,
        team,
        json!([{"op": "replace", "path": "displayName", "value": "Crew"}]),
    )
    .await;
    ends.cycle().await;
    // the report is told in the cycle after, when its manager's counterpart is known
    ends.cycle().await;
    ends.settle().await;

    assert_eq!(ends.members("Crew").await, ["ann", "boss"]);
    assert!(!ends.there("Users", "ann").await.unwrap()[ENTERPRISE]["manager"]["value"].is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_compares_everything_again() {
    let ends = Ends::new().await;
    let ann = ends.person("ann", json!({"title": "Buyer"})).await;
    ends.assign(Kind::User, ann).await;
    ends.settle().await;
    let id = ends.there("Users", "ann").await.unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let altered = json!([{"op": "replace", "path": "title", "value": "Altered"}]);
    ends.vault
        .patch(&format!("/Users/{id}"), altered)
        .await
        .is(204);
    ends.cycle().await;
    assert_eq!(
        ends.there("Users", "ann").await.unwrap()["title"],
        "Altered",
        "cycles do not look for drift"
    );

    ends.app
        .restart(&ends.source, ends.application, ResetScope::default())
        .await
        .unwrap();

    assert_eq!(ends.settle().await.users.updated, 1);
    assert_eq!(ends.there("Users", "ann").await.unwrap()["title"], "Buyer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_who_comes_later_is_noticed() {
    let ends = Ends::new().await;
    let boss = ends.person("boss", json!({})).await;
    let ann = ends
        .person("ann", json!({ENTERPRISE: {"manager": {"value": boss}}}))
        .await;
    ends.assign(Kind::User, ann).await;
    ends.settle().await;
    let quiet = ends.settle().await;
    assert_eq!(
        quiet.users.imported, 0,
        "nothing is waited for by looking again and again"
    );

    let team = ends.group("Team", &[]).await;
    ends.assign(Kind::Group, team).await;
    ends.settle().await;
    let member = json!([{"op": "add", "path": "members", "value": [{"value": boss}]}]);
    ends.patch(Kind::Group, team, member).await;
    let report = ends.settle().await;

    assert_eq!((report.users.created, report.references), (1, 1));
    let ann = ends.there("Users", "ann").await.unwrap();
    let boss = ends.there("Users", "boss").await.unwrap();
    assert_eq!(ann[ENTERPRISE]["manager"]["value"], boss["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memberships_that_somebody_changed_at_the_target_are_mended_by_a_restart() {
    let ends = Ends::new().await;
    let (ann, bob) = (
        ends.person("ann", json!({})).await,
        ends.person("bob", json!({})).await,
    );
    let team = ends.group("Team", &[ann, bob]).await;
    ends.assign(Kind::Group, team).await;
    ends.settle().await;
    let there = ends.there("Groups", "Team").await.unwrap();
    let path = format!("/Groups/{}", there["id"].as_str().unwrap());
    let stranger = ends.vault.person("stranger").await;
    let member = ends.there("Users", "ann").await.unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let altered = json!([
        {"op": "remove", "path": format!("members[value eq \"{member}\"]")},
        {"op": "add", "path": "members", "value": [{"value": stranger}]},
    ]);
    ends.vault.patch(&path, altered).await.is(204);

    ends.app
        .restart(&ends.source, ends.application, ResetScope::default())
        .await
        .unwrap();
    let report = ends.cycle().await;

    assert_eq!(report.members_added, 1);
    // who is none of ours is left alone
    assert_eq!(ends.members("Team").await, ["ann", "bob", "stranger"]);

    // and a group that is gone is made again with its members
    ends.vault.send("DELETE", &path, None).await.is(204);
    ends.app
        .restart(&ends.source, ends.application, ResetScope::default())
        .await
        .unwrap();
    ends.settle().await;
    assert_eq!(ends.members("Team").await, ["ann", "bob"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_blocked_is_switched_off_though_the_account_was_made_anew_by_hand() {
    let ends = Ends::new().await;
    let ann = ends.person("ann", json!({"externalId": "e1"})).await;
    ends.assign(Kind::User, ann).await;
    ends.settle().await;
    let path = format!(
        "/Users/{}",
        ends.there("Users", "ann").await.unwrap()["id"]
            .as_str()
            .unwrap()
    );
    ends.vault.send("DELETE", &path, None).await.is(204);
    // another externalId: another account, with another id
    let anew = json!({"userName": "ann", "externalId": "by hand"});
    let anew = ends.vault.post("/Users", anew).await.is(201).id();
    assert!(!path.ends_with(&anew));

    ends.patch(Kind::User, ann, off()).await;
    ends.cycle().await;

    assert_eq!(ends.active("ann").await, Some(false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_address_is_another_target() {
    let ends = Ends::new().await;
    let ann = ends.person("ann", json!({})).await;
    ends.assign(Kind::User, ann).await;
    ends.settle().await;
    ends.installation
        .ok(&["org", "create", "second", "--name", "Second"]);
    let token = ends
        .installation
        .ok(&["token", "create", "--org", "second"]);
    let second = ends.server.scim("second", &token);

    ends.aim(&second.base, &token).await;
    assert_eq!(ends.settle().await.users.created, 1);
    // and nothing of what happens now reaches the first one
    ends.patch(Kind::User, ann, off()).await;
    ends.settle().await;
    assert_eq!(ends.active("ann").await, Some(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_with_one_matching_value_are_told_apart_or_refused() {
    let ends = Ends::new().await;
    ends.app
        .configure(&ends.source, ends.application, |application| {
            application.scope = Scope::All;
            for mapping in &mut application.users.attributes {
                mapping.matching = (mapping.target == "externalId").then_some(1);
            }
        })
        .await
        .unwrap();
    // the default mapping makes `ann` of both
    ends.person("ann@one.example", json!({})).await;
    ends.person("ann@other.example", json!({})).await;

    let report = ends.cycle().await;

    assert_eq!(
        (report.users.created, report.users.failed),
        (1, 1),
        "{report:?}"
    );
    let all = ends.vault.get("/Users").await.is(200);
    assert_eq!(all.body["totalResults"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_is_switched_off_is_left_alone() {
    let ends = Ends::new().await;
    let ann = ends.person("ann", json!({})).await;
    let team = ends.group("Team", &[ann]).await;
    ends.assign(Kind::Group, team).await;
    ends.settle().await;

    ends.app
        .configure(&ends.source, ends.application, |application| {
            application.groups.enabled = false;
        })
        .await
        .unwrap();
    ends.settle().await;

    assert_eq!(ends.members("Team").await, ["ann"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_writes_nothing_and_says_what_the_cycle_then_does() {
    let ends = Ends::new().await;
    ends.vault.person("EARLY").await;
    let (early, ann) = (
        ends.person("early", json!({})).await,
        ends.person("ann", json!({})).await,
    );
    let blocked = ends.person("blocked", json!({"active": false})).await;
    let team = ends.group("Team", &[early, ann, blocked]).await;
    ends.assign(Kind::Group, team).await;

    let plan = ends
        .engine
        .plan(&ends.source, ends.application, Watch::default())
        .await
        .unwrap();
    assert_eq!(
        ends.vault.get("/Users").await.body["totalResults"],
        1,
        "nothing was written"
    );
    let report = ends.settle().await;

    for (decision, kind, done) in [
        (Decision::Create, Kind::User, report.users.created),
        (Decision::Adopt, Kind::User, report.users.adopted),
        (Decision::Create, Kind::Group, report.groups.created),
    ] {
        assert_eq!(plan.count(decision, kind), done, "{decision:?} {kind:?}");
    }
    assert_eq!(plan.references.len() as u64, report.references);
    assert_eq!(
        plan.membership_counts(),
        (report.members_added, report.members_removed)
    );
    let again = ends
        .engine
        .plan(&ends.source, ends.application, Watch::default())
        .await
        .unwrap();
    assert!(again.is_empty(), "{again:?}");
}

/// The server's own schedule: nobody starts a cycle by hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_carries_changes_over_within_moments() {
    let mut ends = Ends::new().await;
    let folder = ends.installation.folder.path().to_owned();
    ends.server.process.kill().unwrap();
    ends.server.process.wait().unwrap();
    let listen = ends
        .vault
        .base
        .trim_start_matches("http://")
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let variables = [("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")];
    ends.server = crate::support::Server::start(&folder, &listen, &variables);
    let ann = ends.person("ann", json!({})).await;
    ends.assign(Kind::User, ann).await;
    ends.app
        .configure(&ends.source, ends.application, |application| {
            application.mode = rollcall_model::application::Mode::Automatic;
            application.status = rollcall_model::application::Status::On;
        })
        .await
        .unwrap();
    let arrives = async |wanted: Option<bool>| {
        let begun = std::time::Instant::now();
        while ends.active("ann").await != wanted {
            assert!(begun.elapsed().as_secs() < 10, "ten seconds are no moment");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        begun.elapsed()
    };
    let created = arrives(Some(true)).await;
    ends.patch(Kind::User, ann, off()).await;
    let disabled = arrives(Some(false)).await;
    println!("created after {created:?}, switched off after {disabled:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cause_of_a_failed_connection_has_its_own_words() {
    let ends = Ends::new().await;
    let host = ends.server.url.clone();
    let port = host.rsplit(':').next().unwrap().to_owned();
    let page = canned(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<html>Hi</html>",
    );
    let moved =
        canned("HTTP/1.1 302 Found\r\nLocation: https://example.com/\r\nContent-Length: 0\r\n\r\n");
    let everybody = canned(
        "HTTP/1.1 200 OK\r\nContent-Type: application/scim+json\r\nContent-Length: 66\r\n\r\n{\"totalResults\": 1, \"Resources\": [{\"id\": \"1\", \"userName\": \"ann\"}]}\n",
    );
    for (url, said) in [
        (format!("{host}/scim/v2/nowhere"), "401"),
        (format!("{host}/nothing/here"), "404"),
        (page, "sent a web page"),
        (moved, "redirects to `https://example.com/` (302)"),
        (everybody, "ignores filters"),
        ("http://127.0.0.1:1/scim".to_owned(), "nothing listens"),
        (
            format!("https://127.0.0.1:{port}/scim"),
            "does not speak TLS",
        ),
        (
            "http://nowhere.invalid/scim".to_owned(),
            "cannot be resolved",
        ),
    ] {
        ends.aim(&url, &ends.token).await;
        let error = ends
            .engine
            .test_connection(&ends.source, ends.application)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(said), "{url}: {error}");
    }
}

/// Starts a server that answers every request alike; returns its address.
fn canned(reply: &'static str) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4_096];
            drop(stream.read(&mut head));
            drop(stream.write_all(reply.as_bytes()));
        }
    });
    format!("http://{address}/scim")
}
