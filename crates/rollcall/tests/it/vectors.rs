//! The vectors of known clients once more, over HTTP: what they send has its effect on what is stored.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Installation, Scim};

#[tokio::test]
async fn every_vector_has_its_effect_over_http() {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[("ROLLCALL_RATE", "10000")]);
    let scim = server.scim("vault", &token);
    let people = [
        scim.person("member one").await,
        scim.person("member two").await,
    ];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../scim/tests/vectors");
    let (mut count, mut wrong) = (0, Vec::new());
    for file in ["entra", "okta", "others", "refused"] {
        let text = std::fs::read_to_string(format!("{folder}/{file}.json")).unwrap();
        let text = text.replace("{u1}", &people[0]).replace("{u2}", &people[1]);
        for row in serde_json::from_str::<Vec<Value>>(&text).unwrap() {
            let got = run(&scim, &row).await;
            let name = if row.get("error").is_some() {
                "error"
            } else {
                "after"
            };
            let wanted = json!({name: row[name]});
            if got != wanted {
                wrong.push(format!(
                    "{file}: {}\n  wanted {wanted}\n  got    {got}",
                    row["name"]
                ));
            }
            count += 1;
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count > 75, "{count}");
}

async fn run(scim: &Scim, row: &Value) -> Value {
    let collection = if row["type"] == "User" {
        "/Users"
    } else {
        "/Groups"
    };
    let mut path = collection.to_owned();
    if let Some(before) = row.get("before") {
        let id = scim.post(collection, before.clone()).await.is(201).id();
        path = format!("{collection}/{id}");
    }
    let answer = scim
        .send(row["method"].as_str().unwrap(), &path, Some(&row["body"]))
        .await;
    if answer.status >= 400 {
        clear(scim, &path, collection).await;
        let status: u16 = answer.body["status"].as_str().unwrap().parse().unwrap();
        assert_eq!(status, answer.status);
        let scim_type = answer.body.get("scimType").cloned().unwrap_or_default();
        return json!({"error": {"status": status, "scimType": scim_type}});
    }
    if path == collection {
        path = format!("{collection}/{}", answer.id());
    }
    let found = scim.get(&path).await.is(200);
    clear(scim, &path, collection).await;
    let mut document = found.body;
    let fields = document.as_object_mut().unwrap();
    for name in ["schemas", "id", "meta", "groups"] {
        fields.shift_remove(name);
    }
    // the server adds what it knows of a member, and what it assumes of a person
    if let Some(members) = fields.shift_remove("members") {
        let ids: BTreeSet<String> = members
            .as_array()
            .unwrap()
            .iter()
            .map(|member| member["value"].as_str().unwrap().to_owned())
            .collect();
        fields.insert("members".into(), json!(ids));
    }
    if row["after"].get("active").is_none() {
        fields.shift_remove("active");
    }
    json!({"after": document})
}

/// Takes the resource away, so that the next row may use its names.
async fn clear(scim: &Scim, path: &str, collection: &str) {
    if path != collection {
        scim.send("DELETE", path, None).await.is(204);
    }
}
