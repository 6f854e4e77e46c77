//! The people of the benchmarks: made of their number, so that who knows the number knows the person.

use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::Path;

use serde_json::{Value, json};

/// Returns the userName of a person.
pub(crate) fn name(person: u64) -> String {
    format!("person{person:07}@northwind.example")
}

/// Returns the externalId of a person.
pub(crate) fn external_id(person: u64) -> String {
    format!("external-{person:07}")
}

/// Returns a person as Entra's default mappings make them.
pub(crate) fn resource(person: u64, title: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "userName": name(person), "externalId": external_id(person), "displayName": format!("Person {person}"), "title": title,
        "active": true, "name": {"givenName": "Person", "familyName": person.to_string()},
        "emails": [{"type": "work", "value": name(person), "primary": true}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "department": format!("Department {}", person % 50), "employeeNumber": person.to_string(),
        },
    })
}

/// Returns a person as a line of a file, with a manager.
fn line(person: u64, title: &str) -> Value {
    let mut line = resource(person, title);
    if let (Some(manager), Some(enterprise)) = (
        person.checked_sub(1).map(|_| name(person / 10)),
        line.get_mut("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User")
            .and_then(Value::as_object_mut),
    ) {
        enterprise.insert("manager".to_owned(), json!({"value": manager}));
    }
    line
}

/// Writes people into a file, a line each.
pub(crate) fn write(path: &Path, people: Range<u64>, title: &str) -> anyhow::Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    for person in people {
        writeln!(file, "{}", line(person, title))?;
    }
    Ok(file.flush()?)
}

/// Writes a file of groups with these names, each with these people as its members.
pub(crate) fn write_groups<M: Iterator<Item = u64>>(
    path: &Path,
    groups: impl Iterator<Item = (String, M)>,
) -> anyhow::Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    for (title, members) in groups {
        let members: Vec<Value> = members
            .map(|person| json!({"value": name(person)}))
            .collect();
        writeln!(
            file,
            "{}",
            json!({"displayName": title, "members": members})
        )?;
    }
    Ok(file.flush()?)
}

/// Chooses a person of so many by the number of a request, as good as by chance and the same in each run.
pub(crate) fn chosen(number: u64, people: u64) -> u64 {
    // SplitMix64, by Steele, Lea and Flood
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % people
}
