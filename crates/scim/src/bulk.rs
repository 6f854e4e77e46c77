//! Bulk requests (RFC 7644 §3.7): read, put in order, and their references resolved.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind, quoted};
use crate::leniency::named;
use crate::limits::Limits;

/// The schema URI of a bulk request.
pub const REQUEST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// The schema URI of the answer to one.
pub const RESPONSE_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
const PREFIX: &str = "bulkId:";

/// A bulk request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// After so many failures the rest is left undone; absent: never.
    pub fail_on_errors: Option<u64>,
    /// The operations, each behind those to which it refers.
    pub operations: Vec<Operation>,
}

/// One operation of a bulk request.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Its place in the request, from 0.
    pub place: usize,
    /// What is to be done.
    pub method: Method,
    /// The name by which other operations refer to what it creates.
    pub bulk_id: Option<String>,
    /// The collection, without slash: `Users`.
    pub collection: String,
    /// The resource; absent for a creation.
    pub id: Option<String>,
    /// The version that is expected (an ETag).
    pub version: Option<String>,
    /// The body.
    pub data: Value,
}

/// What a bulk operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Creates.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// Returns the HTTP method's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl Request {
    /// Reads the body of a POST to `/Bulk`.
    ///
    /// # Errors
    /// For a body that is no bulk request, for too many operations, and for references that go round in a circle.
    pub fn parse(body: &Value, limits: &Limits) -> Result<Self, Error> {
        let body = body
            .as_object()
            .ok_or_else(|| Error::invalid_syntax("the body must be a JSON object"))?;
        let schemas = named(body, "schemas").and_then(|(_, schemas)| schemas.as_array());
        if !schemas.is_some_and(|uris| uris.iter().any(|uri| uri.as_str() == Some(REQUEST_SCHEMA)))
        {
            return Err(Error::invalid_syntax(format!(
                "`schemas` must list {REQUEST_SCHEMA}"
            )));
        }
        let fail_on_errors = match named(body, "failOnErrors") {
            None | Some((_, Value::Null)) => None,
            Some((_, value)) => Some(
                value
                    .as_u64()
                    .filter(|count| *count > 0)
                    .ok_or_else(|| Error::invalid_value("`failOnErrors` is a number from 1"))?,
            ),
        };
        let Some((_, Value::Array(operations))) = named(body, "Operations") else {
            return Err(Error::invalid_syntax("`Operations` must be a list"));
        };
        if operations.len() > limits.bulk_operations {
            let detail = format!(
                "a bulk request has at most {} operations",
                limits.bulk_operations
            );
            return Err(Error::new(ErrorKind::TooLarge, detail));
        }
        let operations = operations.iter().enumerate().map(|(place, operation)| {
            self::operation(place, operation).map_err(|error| {
                let detail = format!("operation {}: {}", place + 1, error.detail);
                Error { detail, ..error }
            })
        });
        let operations = ordered(operations.collect::<Result<_, _>>()?)?;
        Ok(Self {
            fail_on_errors,
            operations,
        })
    }
}

fn operation(place: usize, operation: &Value) -> Result<Operation, Error> {
    let fields = operation
        .as_object()
        .ok_or_else(|| Error::invalid_syntax("an operation is an object"))?;
    let text = |name: &str| named(fields, name).and_then(|(_, value)| value.as_str());
    let method = text("method").unwrap_or_default();
    let method = [Method::Post, Method::Put, Method::Patch, Method::Delete]
        .into_iter()
        .find(|known| known.name().eq_ignore_ascii_case(method))
        .ok_or_else(|| Error::invalid_syntax("`method` must be POST, PUT, PATCH or DELETE"))?;
    let path = text("path")
        .ok_or_else(|| Error::invalid_syntax("`path` must be a text such as /Users"))?;
    let mut segments = path.trim_start_matches('/').split('/');
    let collection = segments.next().unwrap_or_default().to_owned();
    let id = segments
        .next()
        .filter(|id| !id.is_empty())
        .map(str::to_owned);
    let fits = segments.next().is_none() && (method == Method::Post) == id.is_none();
    if !fits || !matches!(collection.as_str(), "Users" | "Groups") {
        let detail = format!("the path {} does not fit {}", quoted(path), method.name());
        return Err(Error::invalid_path(detail));
    }
    let bulk_id = text("bulkId")
        .filter(|id| !id.is_empty())
        .map(str::to_owned);
    if method == Method::Post && bulk_id.is_none() {
        return Err(Error::invalid_value("`bulkId` is required for POST"));
    }
    let data = named(fields, "data")
        .map(|(_, data)| data.clone())
        .unwrap_or_default();
    if method != Method::Delete && !data.is_object() {
        return Err(Error::invalid_value("`data` must be an object"));
    }
    Ok(Operation {
        place,
        method,
        bulk_id,
        collection,
        id,
        version: text("version").map(str::to_owned),
        data,
    })
}

impl Operation {
    /// Returns the names of the operations to which this one refers.
    fn references(&self) -> BTreeSet<&str> {
        fn collect<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
            match value {
                Value::String(text) => found.extend(text.strip_prefix(PREFIX)),
                Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
                Value::Object(map) => map.values().for_each(|value| collect(value, found)),
                _ => {}
            }
        }
        let mut found: BTreeSet<&str> = self
            .id
            .iter()
            .filter_map(|id| id.strip_prefix(PREFIX))
            .collect();
        collect(&self.data, &mut found);
        found
    }

    /// Puts the ids of what was created in the place of references.
    ///
    /// # Errors
    /// 409 when a reference is to an operation that did not succeed, `invalidValue` when there is no such operation.
    pub fn resolve(&mut self, created: &HashMap<String, String>) -> Result<(), Error> {
        fn replace(value: &mut Value, created: &HashMap<String, String>) -> Result<(), Error> {
            match value {
                Value::String(text) => {
                    if let Some(id) = target(text, created)? {
                        *text = id;
                    }
                    Ok(())
                }
                Value::Array(list) => list
                    .iter_mut()
                    .try_for_each(|value| replace(value, created)),
                Value::Object(map) => map
                    .values_mut()
                    .try_for_each(|value| replace(value, created)),
                _ => Ok(()),
            }
        }
        if let Some(id) = &mut self.id
            && let Some(found) = target(id, created)?
        {
            *id = found;
        }
        replace(&mut self.data, created)
    }
}

fn target(text: &str, created: &HashMap<String, String>) -> Result<Option<String>, Error> {
    let Some(name) = text.strip_prefix(PREFIX) else {
        return Ok(None);
    };
    created.get(name).cloned().map(Some).ok_or_else(|| {
        Error::new(
            ErrorKind::Conflict,
            format!("the operation {} created nothing to refer to", quoted(name)),
        )
    })
}

/// Puts each operation behind those to which it refers, otherwise keeping the order of the request.
fn ordered(operations: Vec<Operation>) -> Result<Vec<Operation>, Error> {
    let mut names: HashMap<String, usize> = HashMap::new();
    for operation in &operations {
        if let Some(name) = &operation.bulk_id
            && operation.method == Method::Post
            && names.insert(name.clone(), operation.place).is_some()
        {
            return Err(Error::invalid_value(format!(
                "the bulkId {} occurs twice",
                quoted(name)
            )));
        }
    }
    let mut needs: Vec<BTreeSet<usize>> = Vec::with_capacity(operations.len());
    for operation in &operations {
        let mut needed = BTreeSet::new();
        for name in operation.references() {
            let place = names.get(name).copied();
            needed.insert(place.ok_or_else(|| {
                Error::invalid_value(format!("no operation has the bulkId {}", quoted(name)))
            })?);
        }
        needs.push(needed);
    }
    let mut done: BTreeSet<usize> = BTreeSet::new();
    let mut waiting = operations;
    let mut result = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let before = result.len();
        let mut blocked = Vec::new();
        for operation in waiting {
            if needs
                .get(operation.place)
                .is_none_or(|needed| needed.is_subset(&done))
            {
                done.insert(operation.place);
                result.push(operation);
            } else {
                blocked.push(operation);
            }
        }
        if result.len() == before {
            let detail = "operations refer to each other in a circle: create one of them first and change it afterwards";
            return Err(Error::new(ErrorKind::Conflict, detail));
        }
        waiting = blocked;
    }
    Ok(result)
}

/// What became of one operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Its place in the request.
    pub place: usize,
    /// Its method.
    pub method: Method,
    /// The name that the client gave it.
    pub bulk_id: Option<String>,
    /// Where the resource is; absent when it could not be created.
    pub location: Option<String>,
    /// The resource's version, as an ETag.
    pub version: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// The error's body, when it failed.
    pub response: Option<Value>,
}

/// Returns the body of the answer, in the order of the request.
pub fn response(mut outcomes: Vec<Outcome>) -> Value {
    outcomes.sort_by_key(|outcome| outcome.place);
    let operations: Vec<Value> = outcomes
        .into_iter()
        .map(|outcome| {
            let mut fields = Map::new();
            fields.insert("method".into(), outcome.method.name().into());
            let mut put = |name: &str, value: Option<Value>| {
                if let Some(value) = value {
                    fields.insert(name.to_owned(), value);
                }
            };
            put("bulkId", outcome.bulk_id.map(Value::from));
            put("location", outcome.location.map(Value::from));
            put("version", outcome.version.map(Value::from));
            put("status", Some(outcome.status.to_string().into()));
            put("response", outcome.response);
            Value::Object(fields)
        })
        .collect();
    json!({"schemas": [RESPONSE_SCHEMA], "Operations": operations})
}
