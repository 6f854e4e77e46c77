//! What clients send, and what becomes of it: see `tests/vectors/README.md`.

use std::collections::BTreeSet;

use rollcall_scim::error::Error;
use rollcall_scim::limits::STANDARD;
use rollcall_scim::member::Member;
use rollcall_scim::patch::{MemberChange, Patch};
use rollcall_scim::resource::Resource;
use rollcall_scim::schema::{Registry, ResourceType};
use serde_json::{Value, json};

const FILES: [(&str, &str); 4] = [
    ("entra", include_str!("../vectors/entra.json")),
    ("okta", include_str!("../vectors/okta.json")),
    ("others", include_str!("../vectors/others.json")),
    ("refused", include_str!("../vectors/refused.json")),
];

#[test]
fn every_shape_that_clients_send_has_its_effect() {
    let registry = Registry::standard();
    let mut wrong = Vec::new();
    for (file, text) in FILES {
        for row in serde_json::from_str::<Vec<Value>>(text).unwrap() {
            let kind = registry
                .resource_type(row["type"].as_str().unwrap())
                .unwrap();
            let got = match run(kind, &row) {
                Ok(document) => json!({"after": document}),
                Err(error) => {
                    json!({"error": {"status": error.status(), "scimType": error.scim_type()}})
                }
            };
            let name = if row.get("error").is_some() {
                "error"
            } else {
                "after"
            };
            if got != json!({name: row[name]}) {
                wrong.push(format!(
                    "{file}: {}\n  wanted {}\n  got    {got}",
                    row["name"], row[name]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn run(kind: &ResourceType, row: &Value) -> Result<Value, Error> {
    let body = row["body"].clone();
    if row["method"] == "POST" {
        let mut resource = Resource::from_request(kind, body, &STANDARD)?;
        let members = resource.take_members().unwrap_or_default();
        return Ok(shown(resource, ids(members)));
    }
    let mut before = Resource::from_request(kind, row["before"].clone(), &STANDARD).unwrap();
    let mut members = ids(before.take_members().unwrap_or_default());
    if row["method"] == "PUT" {
        let mut after = Resource::replacement(kind, &before, body, &STANDARD)?;
        if let Some(replaced) = after.take_members() {
            members = ids(replaced);
        }
        return Ok(shown(after, members));
    }
    let untouched = before.clone();
    let applied = Patch::parse(&body, kind, &STANDARD).and_then(|mut patch| {
        let changes = patch.take_members();
        patch.apply(&mut before, kind, &STANDARD)?;
        Ok(changes)
    });
    let changes = applied.inspect_err(|_| {
        assert_eq!(
            before, untouched,
            "{}: a refused PATCH left traces",
            row["name"]
        );
    })?;
    for change in changes {
        match change {
            MemberChange::Add(new) => members.extend(ids(new)),
            MemberChange::Replace(new) => members = ids(new),
            MemberChange::Remove(gone) => members.retain(|member| !gone.contains(member)),
            MemberChange::RemoveAll => members.clear(),
            MemberChange::RemoveWhere(filter) => panic!("{filter}"),
        }
    }
    Ok(shown(before, members))
}

fn ids(members: Vec<Member>) -> BTreeSet<String> {
    members.into_iter().map(|member| member.value).collect()
}

fn shown(resource: Resource, members: BTreeSet<String>) -> Value {
    let mut document = resource.into_value();
    let fields = document.as_object_mut().unwrap();
    for name in ["schemas", "id", "meta"] {
        fields.shift_remove(name);
    }
    if !members.is_empty() {
        fields.insert("members".into(), json!(members));
    }
    document
}
