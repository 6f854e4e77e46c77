//! Applications, looked at and steered by a program.

use rollcall_model::Kind;
use serde_json::{Value, json};

use super::Program;
use crate::ends::Ends;

#[expect(clippy::too_many_lines, reason = "a story")]
#[tokio::test]
async fn an_application_is_looked_at_and_steered() {
    let ends = Ends::new().await;
    let program = Program::new(&ends.installation, &ends.server, "northwind", "manage").await;
    let mut people = Vec::new();
    for name in ["ann", "bob", "cem", "dea"] {
        let id = ends.person(name, json!({})).await;
        ends.assign(Kind::User, id).await;
        people.push(id);
    }
    ends.settle().await;
    let id = ends.application;

    let listed = program.get("/applications").await.is(200).body;
    let found = &listed["applications"][0];
    assert_eq!(
        json!([
            found["name"],
            found["state"],
            found["inUse"],
            found["lastCycle"]["outcome"],
            found["lastCycle"]["created"],
            found["quarantine"]
        ]),
        json!(["Vault", "off", 4, "succeeded", 4, null])
    );
    assert!(!listed.to_string().contains(&ends.token));
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/applications/{id}/logs?status=success&limit=3&cursor={cursor}");
        let page = program.get(&path).await.is(200).body;
        entries.extend(page["entries"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(entries.len(), 4);
    assert!(
        entries
            .iter()
            .all(|one| one["action"] == "create" && one["targetId"].is_string())
    );
    let failed = program
        .get(&format!("/applications/{id}/logs?status=failure"))
        .await;
    assert_eq!(failed.is(200).body["entries"], json!([]));

    // the guard holds back, and lets go whom somebody looked at
    let limit = |application: &mut rollcall_model::Application| {
        application.settings.max_deletions = Some(1);
    };
    ends.app.configure(&ends.source, id, limit).await.unwrap();
    for person in &people[..3] {
        let operations = json!([{"op": "replace", "path": "active", "value": false}]);
        ends.patch(Kind::User, *person, operations).await;
    }
    ends.cycle().await;
    let whole = program
        .get(&format!("/applications/{id}"))
        .await
        .is(200)
        .body;
    assert_eq!(whole["application"]["state"], "held", "{whole}");
    assert_eq!(
        whole["application"]["quarantine"]["reason"],
        "TooManyDeletes"
    );
    assert_eq!(whole["held"]["count"], 3);
    assert_eq!(whole["held"]["objects"].as_array().unwrap().len(), 3);
    let allow = format!("/applications/{id}/allow");
    // whom a job file governs the API does not let go
    let govern = async |file: Option<&str>| {
        let file = file.map(str::to_owned);
        let govern = |application: &mut rollcall_model::Application| application.job_file = file;
        ends.app.configure(&ends.source, id, govern).await.unwrap();
    };
    govern(Some("vault.toml")).await;
    let code = json!({"code": whole["held"]["code"]});
    let refused = program.post(&allow, code).await.is(403).body;
    assert!(refused.to_string().contains("vault.toml"), "{refused}");
    govern(None).await;
    let refused = program
        .post(&allow, json!({"code": "another"}))
        .await
        .is(409)
        .body;
    assert_eq!(refused["type"], "urn:rollcall:problem:changed");
    program.post(&allow, json!({})).await.is(400);
    let allowed = program
        .post(&allow, json!({"code": whole["held"]["code"]}))
        .await;
    assert_eq!(allowed.is(200).body["count"], 3);
    ends.settle().await;
    let whole = program
        .get(&format!("/applications/{id}"))
        .await
        .is(200)
        .body;
    assert_eq!(
        whole["held"],
        json!({"count": 0, "code": null, "objects": []})
    );

    let run = format!("/applications/{id}/run");
    let refused = program.act(&run).await.is(403).body;
    assert!(
        refused["detail"].as_str().unwrap().contains("start it"),
        "{refused}"
    );
    let started = program
        .act(&format!("/applications/{id}/start"))
        .await
        .is(200)
        .body;
    assert_ne!(started["state"], "off");
    program.act(&run).await.is(200);
    program
        .act(&format!("/applications/{id}/stop"))
        .await
        .is(200);
    let log = program
        .get("/audit?action=application.&limit=3")
        .await
        .is(200)
        .body;
    let actions: Vec<&Value> = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["action"])
        .collect();
    assert_eq!(
        actions,
        [
            "application.configured",
            "application.cycle_asked",
            "application.configured"
        ]
    );
}
