//! What clients see of the directory: resources with their rows, and what a filter finds.

use rollcall_model::Kind;
use rollcall_scim::filter::{Filter, Literal, Operator, Related};
use rollcall_scim::key::canonical;
use rollcall_scim::member::Member;
use rollcall_scim::projection::Projection;
use serde_json::{Value, json};

use crate::directory::{Directory, Entry};

impl Directory {
    /// Returns the places of those that match, in their order.
    pub(crate) fn matching(&self, kind: Kind, filter: &Filter) -> Vec<u64> {
        let name = if kind == Kind::User {
            "userName"
        } else {
            "displayName"
        };
        let conjuncts = filter.conjuncts();
        let named = conjuncts
            .iter()
            .find_map(|conjunct| match conjunct.literal {
                Literal::String(text)
                    if conjunct.operator == Operator::Eq && conjunct.path() == name =>
                {
                    Some(canonical(text))
                }
                _ => None,
            });
        let table = self.table(kind);
        let candidates: Vec<u64> = match named {
            Some(name) => table
                .names
                .get(&name)
                .into_iter()
                .flatten()
                .copied()
                .collect(),
            None => table.entries.keys().copied().collect(),
        };
        let fits = |place: &u64| {
            table.entries.get(place).is_some_and(|entry| {
                let rows = Rows {
                    directory: self,
                    entry,
                };
                filter.matches(entry.resource.as_map(), &rows)
            })
        };
        candidates.into_iter().filter(fits).collect()
    }

    /// Returns a resource as clients see it.
    pub(crate) fn shown(
        &self,
        kind: Kind,
        entry: &Entry,
        base: &str,
        projection: Option<&Projection>,
    ) -> Value {
        let mut document = entry.resource.as_map().clone();
        let is_shown = |name: &str| projection.is_none_or(|projection| projection.includes(name));
        if kind == Kind::Group && is_shown("members") && !entry.members.is_empty() {
            let members = entry.members.iter().map(|id| self.member(id).to_json());
            document.insert("members".to_owned(), members.collect());
        }
        if kind == Kind::User && is_shown("groups") {
            let groups = self.memberships.get(&entry.id).into_iter().flatten();
            let groups: Vec<Value> = groups
                .map(|id| json!({"value": id, "type": "direct"}))
                .collect();
            if !groups.is_empty() {
                document.insert("groups".to_owned(), groups.into());
            }
        }
        if let Some(meta) = document.get_mut("meta").and_then(Value::as_object_mut) {
            let endpoint = &self.resource_type(kind).endpoint;
            meta.insert(
                "location".to_owned(),
                format!("{base}{endpoint}/{}", entry.id).into(),
            );
        }
        if let Some(projection) = projection {
            projection.apply(self.resource_type(kind), &mut document);
        }
        Value::Object(document)
    }

    /// Returns a member with its kind.
    pub(crate) fn member(&self, id: &str) -> Member {
        let kind = if self.users.ids.contains_key(id) {
            Kind::User
        } else {
            Kind::Group
        };
        Member {
            kind: Some(kind.resource_type().to_owned()),
            ..Member::new(id)
        }
    }
}

/// What lies beside a document, for filters.
struct Rows<'d> {
    directory: &'d Directory,
    entry: &'d Entry,
}

impl Related for Rows<'_> {
    fn contains(&self, attribute: &str, value: &str) -> bool {
        if attribute == "members" {
            return self.entry.members.contains(value);
        }
        let groups = self.directory.memberships.get(&self.entry.id);
        groups.is_some_and(|groups| groups.contains(value))
    }

    fn values(&self, attribute: &str) -> Vec<Value> {
        let ids = match attribute {
            "members" => Some(&self.entry.members),
            _ => self.directory.memberships.get(&self.entry.id),
        };
        let ids = ids.into_iter().flatten();
        ids.map(|id| self.directory.member(id).to_json()).collect()
    }
}
