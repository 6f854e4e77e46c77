//! The list answer (RFC 7644 §3.4.2, RFC 9865 §2).

use serde_json::{Map, Value};

/// The schema URI of a list.
pub const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// A page of a result.
#[derive(Debug, Clone, PartialEq)]
pub struct ListResponse {
    /// How many results there are in all; absent when nobody counted.
    pub total: Option<u64>,
    /// The place of the first resource, from 1; absent when paging by cursor.
    pub start_index: Option<u64>,
    /// How many resources are on this page.
    pub items_per_page: u64,
    /// Where the next page begins; absent on the last one.
    pub next_cursor: Option<String>,
    /// Where the page before begins, if that is known.
    pub previous_cursor: Option<String>,
    /// The resources.
    pub resources: Vec<Value>,
}

impl ListResponse {
    /// Returns the body of the answer.
    pub fn to_json(self) -> Value {
        let mut fields = Map::new();
        fields.insert("schemas".into(), vec![LIST_SCHEMA].into());
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        put("totalResults", self.total.map(Value::from));
        put("startIndex", self.start_index.map(Value::from));
        put("itemsPerPage", Some(self.items_per_page.into()));
        put("nextCursor", self.next_cursor.map(Value::from));
        put("previousCursor", self.previous_cursor.map(Value::from));
        put("Resources", Some(self.resources.into()));
        Value::Object(fields)
    }
}
