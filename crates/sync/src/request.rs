//! A write to the target as it goes out: method, path and body.
//!
//! **Is:** the one place that gives a [`Write`] its form (RFC 7644 §3.3, §3.5.2, §3.6), so that what a plan shows is what is sent, byte for
//! byte.
//! **Is not:** the sending; `rollcall-connect` does that.

use rollcall_model::provisioning::REDACTED;
use rollcall_model::{Kind, ResourceId};
use rollcall_scim::patch::PATCH_SCHEMA;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::rules::ObjectRules;
use crate::task::Write;

/// A write to the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// `POST`, `PATCH` or `DELETE`.
    pub method: String,
    /// The path below the Tenant URL: `/Users/2819c223`.
    pub path: String,
    /// The body; absent for a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

impl Request {
    /// Gives a write its form.
    pub fn of(kind: Kind, write: &Write) -> Self {
        let collection = collection(kind);
        let (method, path, body) = match write {
            Write::Create { body } => (
                "POST",
                format!("/{collection}"),
                Some(Value::Object(body.clone())),
            ),
            Write::Patch { id, operations } => (
                "PATCH",
                format!("/{collection}/{id}"),
                Some(patch_body(operations)),
            ),
            Write::Delete { id } => ("DELETE", format!("/{collection}/{id}"), None),
        };
        Self {
            method: method.to_owned(),
            path,
            body,
        }
    }

    /// Puts other texts in place of some: in the path, and wherever the body holds one of them as a whole text.
    #[must_use]
    pub fn with(mut self, replace: &dyn Fn(&str) -> Option<String>) -> Self {
        let segments = self.path.split('/');
        let segments: Vec<String> = segments
            .map(|segment| replace(segment).unwrap_or_else(|| segment.to_owned()))
            .collect();
        self.path = segments.join("/");
        if let Some(body) = &mut self.body {
            substitute(body, replace);
        }
        self
    }
}

impl ObjectRules {
    /// Returns a write as people may see it: what an expression marks as secret is `[Redact]`.
    pub fn redacted(&self, write: &Write) -> Write {
        let mut shown = write.clone();
        for rule in self.attributes.iter().filter(|rule| rule.is_secret()) {
            match &mut shown {
                Write::Create { body } if rule.target.find(body).is_some() => {
                    rule.target.insert(body, Value::from(REDACTED));
                }
                Write::Patch { operations, .. } => {
                    let path = Value::from(rule.target.to_string());
                    for operation in operations.iter_mut().filter_map(Value::as_object_mut) {
                        if operation.get("path") == Some(&path) && operation.contains_key("value") {
                            operation.insert("value".into(), Value::from(REDACTED));
                        }
                    }
                }
                Write::Create { .. } | Write::Delete { .. } => {}
            }
        }
        shown
    }
}

/// Returns the body of a PATCH.
pub fn patch_body(operations: &[Value]) -> Value {
    json!({"schemas": [PATCH_SCHEMA], "Operations": operations})
}

/// Returns the path segment under which a target keeps objects of a kind.
pub fn collection(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "Users",
        Kind::Group => "Groups",
    }
}

/// What stands in a plan for the target's id of an object that the plan itself creates, in the way of RFC 7644 §3.7.2.
pub fn placeholder(object: ResourceId) -> String {
    format!("bulkId:{object}")
}

fn substitute(value: &mut Value, replace: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(other) = replace(text) {
                *text = other;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|one| substitute(one, replace)),
        Value::Object(members) => members
            .values_mut()
            .for_each(|one| substitute(one, replace)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::member_patch;

    #[test]
    fn a_write_has_one_form_and_ids_can_be_replaced_in_it() {
        let write = Write::Patch {
            id: "g1".into(),
            operations: member_patch(&["u1".into(), "u2".into()], &[]),
        };

        let request = Request::of(Kind::Group, &write);
        let replaced = request
            .clone()
            .with(&|text| (text == "u2" || text == "g1").then(|| format!("bulkId:{text}")));

        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("PATCH", "/Groups/g1")
        );
        assert_eq!(replaced.path, "/Groups/bulkId:g1");
        assert_eq!(
            replaced.body.unwrap()["Operations"][0]["value"],
            json!([{"value": "u1"}, {"value": "bulkId:u2"}])
        );
    }
}
