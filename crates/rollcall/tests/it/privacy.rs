//! A person who was everywhere in a store, and is nowhere after the erasure.

use jiff::Timestamp;
use rollcall_app::directory::Context;
use rollcall_app::privacy::{KEPT, Keeps};
use rollcall_model::provisioning::{CycleReport, DriftReport};
use rollcall_model::{Kind, ResourceId};
use serde_json::{Value, json};

use crate::ends::Ends;
use crate::store::tables_with;
use crate::support::Installation;

/// Nothing else is called so.
const CANARY: &str = "quokkazoe";

fn person(installation: &Installation, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = installation.run(&[&["person"], arguments].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// Writes the canary where only chance would put it: into what an application remembers.
async fn remember(ends: &Ends, report: CycleReport) {
    let id = ends.application;
    ends.source
        .tenant()
        .write::<_, rollcall_store::Error, _>(move |writer| {
            let mut job = writer.job(id)?;
            job.drift = Some(DriftReport {
                at: Timestamp::UNIX_EPOCH,
                trouble: None,
                differing: 1,
                first: vec![format!("{CANARY}@example.com differs")],
            });
            writer.save_job(id, &job)?;
            let report = CycleReport {
                outcome: rollcall_model::provisioning::CycleOutcome::Stopped {
                    reason: rollcall_model::provisioning::QuarantineReason::Unknown,
                    message: format!("{CANARY}@example.com cannot be read"),
                },
                ..report
            };
            writer.append_cycle(id, &report)
        })
        .await
        .unwrap();
}

async fn feed(source: &Context) -> Vec<u64> {
    source
        .tenant()
        .read::<_, rollcall_store::Error, _>(|reader| {
            let changes = reader.changes(0, 1_000)?;
            Ok(changes.iter().map(|change| change.sequence).collect())
        })
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_erased_is_nowhere_in_the_store_and_everything_goes_on() {
    let ends = Ends::new().await;
    let installation = &ends.installation;
    let folder = installation.folder.path();
    let name = format!("{CANARY}@example.com");
    // a directory creates and changes the person, who has a manager's place and a group
    let token = installation.ok(&["token", "create", "--org", "northwind"]);
    let directory = ends.server.scim("northwind", &token);
    let body = json!({
        "userName": name, "externalId": format!("{CANARY}-7"), "displayName": format!("{CANARY} Lee"),
        "name": {"formatted": format!("{CANARY} Lee"), "familyName": CANARY},
        "emails": [{"value": name, "primary": true}],
    });
    let id = directory.post("/Users", body).await.is(201).id();
    let change = json!([{"op": "replace", "path": "displayName", "value": format!("{CANARY} Li")}]);
    directory
        .patch(&format!("/Users/{id}"), change)
        .await
        .is(204);
    let filter = format!("/Users?filter=userName+eq+%22{CANARY}%40example.com%22");
    directory.get(&filter).await.is(200);
    let zoe: ResourceId = id.parse().unwrap();
    let bob = ends
        .person(
            "bob@example.com",
            json!({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
                "manager": {"value": id, "displayName": format!("{CANARY} Lee")},
            }}),
        )
        .await;
    let group = ends.group("Sales", &[zoe, bob]).await;
    ends.assign(Kind::Group, group).await;
    ends.assign(Kind::User, zoe).await;
    let report = ends.settle().await;
    remember(&ends, report.clone()).await;

    // all of it is in the export
    let (code, export, _) = person(installation, &["export", "--org", "northwind", &name]);
    assert_eq!(code, Some(0));
    let export: Value = serde_json::from_str(&export).unwrap();
    assert_eq!(export["id"], id);
    assert_eq!(export["person"]["document"]["userName"], name);
    assert_eq!(export["person"]["managed_by"], "entra");
    assert_eq!(export["groups"][0]["name"], "Sales");
    assert_eq!(export["manager_of"], json!([bob]));
    assert_eq!(export["history"].as_array().unwrap().len(), 2, "{export:#}");
    assert!(export["activity"].as_array().unwrap().len() >= 2);
    let at = &export["applications"][0];
    assert!(
        at["assigned"].is_string() && at["link"]["targetId"].is_string(),
        "{at:#}"
    );
    assert!(!at["log"].as_array().unwrap().is_empty());
    assert_eq!(
        (&at["in_job"], &at["in_cycles"]),
        (&json!(true), &json!(true))
    );

    // first the directory lets them go, and the application takes the account away
    let erase = ["erase", "--org", "northwind", &id, "--yes"];
    let (code, _, said) = person(installation, &erase);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Entra ID manages this person"), "{said}");
    let path = format!("/Users/{id}");
    directory.send("DELETE", &path, None).await.is(204);
    let (code, _, said) = person(installation, &erase);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("`Vault` still has an account"), "{said}");
    ends.settle().await;
    assert_eq!(ends.active(&name).await, None);
    remember(&ends, report).await;
    // the last requests are noted a little later
    crate::recording::stop(ends.server);

    let before = tables_with(folder, &[CANARY]).0;
    for (table, _) in KEPT.iter().filter(|(_, keeps)| *keeps == Keeps::Entries) {
        assert!(before.contains(&(*table).to_owned()), "{table}: {before:?}");
    }
    let head = installation.ok(&["audit", "head", "--org", "northwind"]);
    let kept = head.split(' ').next().unwrap();
    let places = feed(&ends.source).await;
    let (code, said, trouble) = person(installation, &erase);
    assert_eq!(code, Some(0), "{said}{trouble}");
    assert_eq!(feed(&ends.source).await, places);

    // Vault has deleted them too, and finds them by the name that they had
    let erase_there = ["erase", "--org", "vault", &name, "--yes"];
    let (code, _, said) = person(installation, &erase_there);
    assert_eq!(code, Some(0), "{said}");

    let (found, bytes) = tables_with(folder, &[CANARY]);
    assert_eq!(found, Vec::<String>::new());
    let is_there = bytes
        .windows(CANARY.len())
        .any(|window| window.eq_ignore_ascii_case(CANARY.as_bytes()));
    assert!(!is_there, "the name is in the file");
    // the id stays where places must not move
    assert_eq!(tables_with(folder, &[&id]).0, ["audit", "changes"]);
    installation.ok(&["audit", "verify", "--org", "northwind", "--head", kept]);
    installation.ok(&["doctor"]);
}
