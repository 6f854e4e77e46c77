//! Changes a resource of the target as a PATCH would: for targets that take whole resources only.
//!
//! **Is:** the operations that this crate produces, applied to the JSON that the target sent, so that the whole can be sent back by
//! PUT. What is not mentioned stays as it is, known or not.
//! **Is not:** PATCH in general: a path is a [`TargetPath`], and there is no schema. A server's PATCH is in `rollcall_scim::patch`.
//! **Start at** [`apply`].
//!
//! What is taken away stays as null, and a list as an empty one: both mean *no value* (RFC 7643 §2.5), and what a PUT leaves out may
//! stay in the target (RFC 7644 §3.5.1).

mod parts;

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::target_path::{NotAPath, TargetPath, member};
use parts::{declare, entry, is_hollow, keep_one_primary, member_mut, set_part};

/// The extension that holds `manager` (RFC 7643 §4.3).
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// An operation that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotApplicable {
    /// It is not one that provisioning sends.
    #[error("the operation {0} is not an `add`, `replace` or `remove` with a path")]
    Operation(String),
    /// Its path names no attribute.
    #[error(transparent)]
    Path(#[from] NotAPath),
    /// The target keeps something else at the path.
    #[error("`{path}` cannot be set: the target holds something there that is not {expected}")]
    Form {
        /// The path.
        path: String,
        /// What would have to be there.
        expected: &'static str,
    },
}

/// What becomes of a list that is there when values are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It keeps its values, and gets more.
    Join,
    /// It is replaced.
    Replace,
}

/// Applies the operations in order. After an error the resource is of no use.
///
/// # Errors
/// [`NotApplicable`] when an operation is of another kind, or the resource has another form, than its path says.
pub fn apply(resource: &mut Map<String, Value>, operations: &[Value]) -> Result<(), NotApplicable> {
    let mut removed = Vec::new();
    for operation in operations {
        let unknown =
            || NotApplicable::Operation(operation.to_string().chars().take(200).collect());
        let text = |name: &str| operation.get(name).and_then(Value::as_str);
        let path = TargetPath::parse(text("path").ok_or_else(unknown)?)?;
        let value = operation.get("value").cloned().unwrap_or_default();
        match (text("op"), value) {
            (Some("add" | "replace" | "remove"), Value::Null) => {
                path.remove(resource)?;
                removed.push(path);
            }
            (Some("add"), value) => path.set(resource, value, Manner::Join)?,
            (Some("replace"), value) => path.set(resource, value, Manner::Replace)?,
            // a removal with a value: it would not be clear whether all or only that is meant
            _ => return Err(unknown()),
        }
    }
    // not before the end: a later operation may have filled an element again
    for path in &removed {
        path.drop_hollow(resource);
    }
    Ok(())
}

/// Takes out of a resource what a client cannot set: `meta`, `groups` and the manager's name (RFC 7643 §3.1, §4.1.2, §4.3).
pub fn strip_read_only(resource: &mut Map<String, Value>) {
    resource.retain(|name, _| {
        !["meta", "groups"]
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own))
    });
    let manager = member_mut(resource, ENTERPRISE)
        .and_then(Value::as_object_mut)
        .and_then(|enterprise| member_mut(enterprise, "manager"))
        .and_then(Value::as_object_mut);
    if let Some(manager) = manager {
        manager.retain(|name, _| !name.eq_ignore_ascii_case("displayName"));
    }
}

impl TargetPath {
    /// Sets the value in a resource.
    ///
    /// # Errors
    /// [`NotApplicable::Form`] when the resource keeps something else there.
    pub fn set(
        &self,
        resource: &mut Map<String, Value>,
        value: Value,
        manner: Manner,
    ) -> Result<(), NotApplicable> {
        let container = match &self.urn {
            Some(urn) => {
                declare(resource, urn);
                let inner = entry(resource, urn);
                if inner.is_null() {
                    *inner = json!({});
                }
                inner
                    .as_object_mut()
                    .ok_or_else(|| self.form("an object"))?
            }
            None => resource,
        };
        let there = entry(container, &self.attribute);
        if !self.filter.is_empty() {
            return self.set_in_chosen(there, value);
        }
        let Some(sub) = &self.sub else {
            self.set_whole(there, value, manner);
            return Ok(());
        };
        match there {
            Value::Object(object) => set_part(object, sub, value),
            Value::Array(list) if !list.is_empty() => {
                for element in list.iter_mut().filter_map(Value::as_object_mut) {
                    set_part(element, sub, value.clone());
                }
            }
            Value::Null | Value::Array(_) => {
                *there = Value::Object(Map::from_iter([(sub.clone(), value)]));
            }
            _ => return Err(self.form("an object")),
        }
        Ok(())
    }

    /// Takes the value out of a resource.
    ///
    /// # Errors
    /// [`NotApplicable::Form`] when the resource keeps something else there.
    pub fn remove(&self, resource: &mut Map<String, Value>) -> Result<(), NotApplicable> {
        let container = match &self.urn {
            Some(urn) => member_mut(resource, urn).and_then(Value::as_object_mut),
            None => Some(resource),
        };
        let Some(there) = container.and_then(|container| member_mut(container, &self.attribute))
        else {
            return Ok(());
        };
        let chosen = self.chosen(there);
        match (there, &self.sub) {
            (Value::Null, _) => {}
            (Value::Array(list), None) if self.filter.is_empty() => list.clear(),
            (there, None) if self.filter.is_empty() => *there = Value::Null,
            (Value::Array(list), sub) => {
                let mut chosen = chosen.into_iter();
                list.retain_mut(|element| {
                    let is_chosen = chosen.next().unwrap_or_default();
                    match (element.as_object_mut(), sub) {
                        _ if !is_chosen => true,
                        (Some(element), Some(sub)) => {
                            element.retain(|name, _| !name.eq_ignore_ascii_case(sub));
                            if sub.eq_ignore_ascii_case("value") {
                                element.shift_remove("$ref");
                            }
                            true
                        }
                        _ => false,
                    }
                });
            }
            (there @ Value::Object(_), sub) if self.filter.is_empty() || self.chooses(there) => {
                match (there.as_object_mut(), sub) {
                    (Some(object), Some(sub)) => {
                        if let Some(part) = member_mut(object, sub) {
                            *part = Value::Null;
                        }
                    }
                    _ => *there = Value::Null,
                }
            }
            (Value::Object(_), _) => {}
            _ => return Err(self.form("an object or a list")),
        }
        Ok(())
    }

    /// Takes elements out of a list of which nothing is left but of what kind they are.
    fn drop_hollow(&self, resource: &mut Map<String, Value>) {
        let container = match &self.urn {
            Some(urn) => member_mut(resource, urn).and_then(Value::as_object_mut),
            None => Some(resource),
        };
        let there = container.and_then(|container| member_mut(container, &self.attribute));
        if let Some(Value::Array(list)) = there {
            list.retain(|element| !element.as_object().is_some_and(is_hollow));
        }
    }

    fn form(&self, expected: &'static str) -> NotApplicable {
        NotApplicable::Form {
            path: self.to_string(),
            expected,
        }
    }

    /// Tells of each element of a list whether it is meant. What is told by its `value` is told exactly, as long as it is there: ids may
    /// differ by case only.
    fn chosen(&self, there: &Value) -> Vec<bool> {
        let Value::Array(list) = there else {
            return Vec::new();
        };
        let names_value = self
            .filter
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("value"));
        if names_value {
            let is_exact = |element: &Value| {
                let element = element.as_object();
                self.filter.iter().all(|(name, wanted)| {
                    element.and_then(|element| member(element, name)) == Some(wanted)
                })
            };
            let exact: Vec<bool> = list.iter().map(is_exact).collect();
            if exact.contains(&true) {
                return exact;
            }
        }
        list.iter().map(|element| self.chooses(element)).collect()
    }

    fn set_in_chosen(&self, there: &mut Value, value: Value) -> Result<(), NotApplicable> {
        if there.is_null() {
            *there = json!([]);
        }
        let chosen = self.chosen(there);
        let is_single = self.chooses(there);
        let list = match there {
            Value::Array(list) => list,
            Value::Object(single) if is_single => {
                self.set_element(single, value);
                return Ok(());
            }
            _ => return Err(self.form("a list")),
        };
        if !chosen.contains(&true) {
            list.push(self.new_element(value));
            let newest = list.len() - 1;
            keep_one_primary(list, newest);
            return Ok(());
        }
        for place in (0..chosen.len()).filter(|place| chosen.get(*place) == Some(&true)) {
            if let Some(element) = list.get_mut(place).and_then(Value::as_object_mut) {
                self.set_element(element, value.clone());
                keep_one_primary(list, place);
            }
        }
        Ok(())
    }

    fn set_element(&self, element: &mut Map<String, Value>, value: Value) {
        match (&self.sub, value) {
            (Some(sub), value) => set_part(element, sub, value),
            (None, Value::Object(parts)) => {
                for (name, value) in parts {
                    set_part(element, &name, value);
                }
            }
            (None, value) => set_part(element, "value", value),
        }
    }

    /// Sets a whole attribute.
    fn set_whole(&self, there: &mut Value, value: Value, manner: Manner) {
        match (there, value) {
            (Value::Object(there), Value::Object(parts)) => {
                for (name, value) in parts {
                    set_part(there, &name, value);
                }
            }
            // a reference, told as an object by the target and as an id by us
            (Value::Object(there), value @ Value::String(_)) => {
                if member(there, "value") != Some(&value) {
                    *there = Map::from_iter([("value".to_owned(), value)]);
                }
            }
            (Value::Array(there), Value::Array(more)) if manner == Manner::Join => {
                self.join(there, more);
            }
            (Value::Array(there), Value::Array(list)) => *there = list,
            (Value::Array(there), one) if manner == Manner::Join => self.join(there, vec![one]),
            (Value::Array(there), one) => *there = vec![one],
            (there, value @ Value::String(_)) if self.is_manager() => {
                *there = json!({"value": value});
            }
            (there, value) => *there = value,
        }
    }

    /// Adds to a list what it does not hold yet. An element with the same `value` and `type` is the same one, more fully told; a member is
    /// itself whether its type is told or not.
    fn join(&self, list: &mut Vec<Value>, more: Vec<Value>) {
        let value = |one: &Value| match one {
            Value::Object(object) => member(object, "value").map(Value::to_string),
            other => Some(other.to_string()),
        };
        let kind = |one: &Value| Some(member(one.as_object()?, "type")?.clone());
        let is_members = self.is_core("members");
        let mut known: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, one) in list.iter().enumerate() {
            if let Some(value) = value(one) {
                known.entry(value).or_default().push(place);
            }
        }
        for one in more {
            let places = value(&one).and_then(|value| known.get(&value));
            let same = places.into_iter().flatten().copied().find(|place| {
                let (there, new) = (list.get(*place).and_then(kind), kind(&one));
                there == new || (is_members && (there.is_none() || new.is_none()))
            });
            let place = match same {
                Some(place) => {
                    let there = list.get_mut(place).and_then(Value::as_object_mut);
                    if let (Some(there), Value::Object(parts)) = (there, one) {
                        for (name, value) in parts {
                            set_part(there, &name, value);
                        }
                    }
                    place
                }
                None if list.contains(&one) => continue,
                None => {
                    if let Some(value) = value(&one) {
                        known.entry(value).or_default().push(list.len());
                    }
                    list.push(one);
                    list.len() - 1
                }
            };
            keep_one_primary(list, place);
        }
    }

    fn is_manager(&self) -> bool {
        self.attribute.eq_ignore_ascii_case("manager")
            && self
                .urn
                .as_ref()
                .is_some_and(|urn| urn.eq_ignore_ascii_case(ENTERPRISE))
    }
}
