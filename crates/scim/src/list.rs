//! The list answer (RFC 7644 §3.4.2, RFC 9865 §2).

use serde_json::{Map, Value};

/// The schema URI of a list.
pub const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// A page of a result; its resources are JSON values, or JSON text that is written already.
#[derive(Debug, Clone, PartialEq)]
pub struct ListResponse<R = Value> {
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
    pub resources: Vec<R>,
}

impl<R> ListResponse<R> {
    /// Returns the body of the answer without its resources, and those.
    fn apart(self) -> (Map<String, Value>, Vec<R>) {
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
        (fields, self.resources)
    }
}

impl ListResponse {
    /// Returns the body of the answer.
    pub fn to_json(self) -> Value {
        let (mut fields, resources) = self.apart();
        fields.insert("Resources".into(), resources.into());
        Value::Object(fields)
    }
}

impl ListResponse<Vec<u8>> {
    /// Returns the body of the answer as JSON text.
    pub fn to_bytes(self) -> Vec<u8> {
        let (fields, resources) = self.apart();
        let mut body = Value::Object(fields).to_string().into_bytes();
        // the brace that closes it comes behind the resources
        body.pop();
        body.extend_from_slice(b",\"Resources\":[");
        for (place, resource) in resources.iter().enumerate() {
            if place > 0 {
                body.push(b',');
            }
            body.extend_from_slice(resource);
        }
        body.extend_from_slice(b"]}");
        body
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page<R>(resources: Vec<R>) -> ListResponse<R> {
        ListResponse {
            total: Some(7),
            start_index: None,
            items_per_page: 2,
            next_cursor: Some("\"]}".into()),
            previous_cursor: None,
            resources,
        }
    }

    #[test]
    fn a_list_of_texts_is_the_list_of_their_values() {
        for resources in [
            vec![],
            vec![json!({"id": "1"})],
            vec![json!({}), json!({"a": [2]})],
        ] {
            let texts = page(
                resources
                    .iter()
                    .map(|value| value.to_string().into_bytes())
                    .collect(),
            );

            let read: Value = serde_json::from_slice(&texts.to_bytes()).unwrap();

            assert_eq!(read, page(resources).to_json());
        }
    }
}
