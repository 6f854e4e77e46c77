//! What goes wrong with one change of a group is told of that change alone.

use http::Method;
use rollcall_check::{Persona, Word};
use serde_json::json;

use crate::endpoint::{Asked, Endpoint, Turn, told, verdict};

async fn broken(persona: Persona, meddle: fn(&mut Asked)) -> Vec<&'static str> {
    let meddled = move |asked: &mut Asked| {
        if asked.is_one(&Method::PATCH, "/Groups") {
            meddle(asked);
        }
        Turn::Pass
    };
    let endpoint = Endpoint::start(meddled, |_, _| {}).await;

    let report = endpoint.graded_as(persona).await.unwrap();

    let changes = [
        "group.leave",
        "group.join",
        "group.rename",
        "entra.leave",
        "okta.members",
        "okta.rename",
    ];
    let all = report.verdicts.iter();
    let of_changes = all.filter(|verdict| changes.contains(&verdict.promise.id));
    of_changes
        .filter(|verdict| verdict.word != Word::Kept)
        .map(|verdict| verdict.promise.id)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_empties_the_group_breaks_one_promise() {
    let empty = |asked: &mut Asked| {
        let operation = &mut asked.body["Operations"][0];
        if operation["op"] == "remove" {
            operation["path"] = "members".into();
        }
    };
    let entra = |asked: &mut Asked| {
        let operation = &mut asked.body["Operations"][0];
        if operation["op"] == "Remove" {
            operation.as_object_mut().unwrap().remove("value");
        }
    };
    for persona in Persona::ALL {
        assert_eq!(broken(persona, empty).await, ["group.leave"], "{persona}");
    }
    assert_eq!(broken(Persona::Entra, entra).await, ["entra.leave"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_without_effect_breaks_one_promise() {
    let nothing = |asked: &mut Asked| {
        if asked.body["Operations"][0]["op"] == "remove" {
            asked.body["Operations"] = json!([{"op": "remove", "path": "externalId"}]);
        }
    };
    for persona in Persona::ALL {
        assert_eq!(broken(persona, nothing).await, ["group.leave"], "{persona}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_members_cannot_be_put_back_the_rest_is_judged_by_who_is_there() {
    let endpoint = Endpoint::start(
        |asked| {
            if asked.is_one(&Method::PUT, "/Groups") {
                return Turn::Answer(crate::endpoint::Reply::error(405));
            }
            if asked.body["Operations"][0]["op"] == "remove" {
                asked.body["Operations"] = json!([{"op": "remove", "path": "externalId"}]);
            }
            Turn::Pass
        },
        |_, _| {},
    )
    .await;

    let report = endpoint.graded().await;

    assert!(told(&report, "group.join").starts_with("untested the members are"));
    assert_eq!(verdict(&report, "group.leave").word, Word::Broken);
    assert_eq!(told(&report, "group.rename"), "kept");
}
