//! The order of a listing (RFC 7644 §3.4.2.3).

use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::filter::values_at;
use crate::key;
use crate::path::Path;
use crate::schema::{AttributeType, ResourceType};
use crate::value::{instant, is_primary};

/// An attribute by which resources are ordered.
#[derive(Debug, Clone)]
pub struct Sort {
    path: Path,
    descending: bool,
}

impl Sort {
    /// Reads `sortBy` and `sortOrder`.
    ///
    /// # Errors
    /// `invalidPath` for an attribute that the type does not have, that is never shown, or by which nothing can be ordered;
    /// `invalidValue` for another order than `ascending` and `descending`.
    pub fn parse(by: &str, order: Option<&str>, kind: &ResourceType) -> Result<Self, Error> {
        let path = Path::parse(by, kind)?;
        if !gives_order(&path) {
            return Err(Error::invalid_path(format!(
                "resources cannot be ordered by `{path}`"
            )));
        }
        let descending = match order.map(str::trim) {
            None | Some("") => false,
            Some(order) if order.eq_ignore_ascii_case("ascending") => false,
            Some(order) if order.eq_ignore_ascii_case("descending") => true,
            Some(_) => {
                return Err(Error::invalid_value(
                    "`sortOrder` is ascending or descending",
                ));
            }
        };
        Ok(Self { path, descending })
    }

    /// Returns where a document stands in the order.
    pub fn key(&self, document: &Map<String, Value>) -> SortKey {
        let elements = values_at(&self.path, document);
        // of a list its primary element counts, or the first (RFC 7644 §3.4.2.3)
        let element = elements
            .iter()
            .find(|element| is_primary(element))
            .or(elements.first());
        let value = element.map(|element| element.get("value").unwrap_or(element));
        let definition = self.path.definition();
        let is_date =
            definition.is_some_and(|definition| definition.kind == AttributeType::DateTime);
        let is_exact = definition.is_some_and(|definition| definition.case_exact);
        let rank = match value {
            Some(Value::Bool(value)) => Rank::Number(i128::from(*value), 0),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the whole part and the fraction are taken apart"
            )]
            Some(Value::Number(number)) => {
                let whole = number.as_i64().map_or_else(
                    || number.as_f64().unwrap_or_default().trunc() as i128,
                    i128::from,
                );
                let fraction = number.as_f64().unwrap_or_default().fract();
                Rank::Number(whole, (fraction * 1e9) as i64)
            }
            Some(Value::String(text)) if is_date => match instant(text) {
                Some(at) => Rank::Number(at.as_nanosecond(), 0),
                None => Rank::Missing,
            },
            Some(Value::String(text)) if is_exact => Rank::Text(text.clone()),
            Some(Value::String(text)) => Rank::Text(key::canonical(text)),
            _ => Rank::Missing,
        };
        SortKey {
            rank,
            descending: self.descending,
        }
    }
}

/// Tells whether documents hold something at the path that has an order: not rows beside them, and of an object its `value`.
fn gives_order(path: &Path) -> bool {
    let is_row = path.place().is_some_and(|place| place.related);
    !is_row
        && path.definition().is_some_and(|definition| {
            let has_value = definition.sub_attribute("value").is_some();
            !definition.is_secret() && (!definition.is_complex() || has_value)
        })
}

/// Where a document stands in an order. Without a value it stands last, first when descending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortKey {
    rank: Rank,
    descending: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Number(i128, i64),
    Text(String),
    Missing,
}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.rank.cmp(&other.rank);
        if self.descending {
            order.reverse()
        } else {
            order
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Registry;

    #[test]
    fn an_order_is_by_something_that_has_one() {
        let registry = Registry::standard();
        let rows = [
            ("User", "userName", true),
            ("User", "id", true),
            ("User", "name.familyName", true),
            ("User", "meta.lastModified", true),
            ("User", "emails", true),
            ("User", "emails.value", true),
            ("User", "emails[type eq \"work\"].value", true),
            ("User", "manager", true),
            ("Group", "displayName", true),
            ("User", "name", false),
            ("User", "meta", false),
            ("User", "addresses", false),
            ("User", "password", false),
            ("User", "groups", false),
            ("User", "groups.display", false),
            ("Group", "members", false),
            ("Group", "members.value", false),
            (
                "User",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
                false,
            ),
            ("User", "nothing", false),
        ];

        for (kind, by, is_read) in rows {
            let kind = registry.resource_type(kind).unwrap();

            match Sort::parse(by, None, kind) {
                Ok(_) => assert!(is_read, "{by}"),
                Err(error) => {
                    assert!(!is_read, "{by}: {error}");
                    assert_eq!(error.scim_type(), Some("invalidPath"), "{by}");
                }
            }
        }
    }
}
