//! Which parts of a document are ours: the rule, and its mappings of people and groups.
//!
//! **Is:** the one place that decides it, for reading and for writing. **Is not:** a check; where nothing fits there is nothing.
//! **Start at** [`Chosen::of`].

use rollcall_model::Kind;
use serde_json::Value;

/// Places in a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    /// The synchronization rule.
    pub(super) rule: Option<usize>,
    /// Its object mapping of people.
    pub(super) users: Option<usize>,
    /// Its object mapping of groups.
    pub(super) groups: Option<usize>,
}

impl Chosen {
    /// Chooses the rule that comes first and maps people, or the first; in it, the first mapping of each kind.
    pub(super) fn of(document: &Value) -> Self {
        let rules = elements(document, "synchronizationRules");
        let mut order: Vec<(i64, usize)> = rules
            .iter()
            .enumerate()
            .map(|(place, rule)| {
                let priority = rule.get("priority").and_then(Value::as_i64);
                (priority.unwrap_or(i64::MAX), place)
            })
            .collect();
        order.sort_unstable();
        let of = |place: usize| {
            let mappings = rules
                .get(place)
                .map_or(&[][..], |rule| elements(rule, "objectMappings"));
            Self {
                rule: Some(place),
                users: first(mappings, Kind::User),
                groups: first(mappings, Kind::Group),
            }
        };
        let mut candidates = order.iter().map(|(_, place)| of(*place));
        let first = candidates.next().unwrap_or_default();
        if first.users.is_some() {
            return first;
        }
        candidates
            .find(|chosen| chosen.users.is_some())
            .unwrap_or(first)
    }

    /// Returns the place of the object mapping of a kind.
    pub(super) fn mapping(self, kind: Kind) -> Option<usize> {
        match kind {
            Kind::User => self.users,
            Kind::Group => self.groups,
        }
    }
}

/// Returns a list's elements; none when it is no list.
pub(super) fn elements<'d>(value: &'d Value, name: &str) -> &'d [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Returns the place of the element of that name, also when only the case differs.
pub(super) fn named(elements: &[Value], name: &str) -> Option<usize> {
    let is = |same: fn(&str, &str) -> bool| {
        elements.iter().position(|element| {
            element
                .get("name")
                .and_then(Value::as_str)
                .is_some_and(|there| same(there, name))
        })
    };
    is(|there, name| there == name).or_else(|| is(str::eq_ignore_ascii_case))
}

/// Returns what kind of object a mapping is about: by its source, or else by its target.
pub(super) fn kind_of(mapping: &Value) -> Option<Kind> {
    ["sourceObjectName", "targetObjectName"]
        .iter()
        .find_map(|name| kind(mapping.get(name)?.as_str()?))
}

/// `User`, or a URN that ends so.
fn kind(name: &str) -> Option<Kind> {
    let last = name.trim().rsplit(':').next()?;
    match last.to_ascii_lowercase().as_str() {
        "user" => Some(Kind::User),
        "group" => Some(Kind::Group),
        _ => None,
    }
}

/// The first of its kind, whether it is switched on or not: another one must not take its place when it is switched off.
fn first(mappings: &[Value], kind: Kind) -> Option<usize> {
    mappings
        .iter()
        .position(|mapping| kind_of(mapping) == Some(kind))
}
