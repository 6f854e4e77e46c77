//! What a listing is asked for: query parameters and search requests (RFC 7644 §3.4.2, §3.4.3; RFC 9865).

use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::filter::Filter;
use crate::leniency::named;
use crate::limits::Limits;
use crate::projection::Projection;
use crate::schema::ResourceType;
use crate::sort::Sort;

/// The schema URI of a search request.
pub const SEARCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// A listing's question.
#[derive(Debug, Clone)]
pub struct Query {
    /// Which resources; absent: all.
    pub filter: Option<Filter>,
    /// In which order; absent: the server's. Never together with [`Page::Cursor`].
    pub sort: Option<Sort>,
    /// Which part of the result.
    pub page: Page,
    /// Which attributes.
    pub projection: Projection,
}

/// Which part of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// So many resources from a place, from 1.
    Index {
        /// The place of the first.
        start: u64,
        /// How many at most.
        count: u64,
    },
    /// So many resources from where the page before ended. A cursor keeps the last resource of that page, which tells where to go
    /// on in the server's order only: by the time of the next page it may be elsewhere in another one, or gone.
    Cursor {
        /// Where it ended; absent: the first page.
        cursor: Option<String>,
        /// How many at most.
        count: u64,
    },
}

/// The parameters as text, whether they came in a query or in a body.
#[derive(Default)]
struct Parameters {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    attributes: Option<String>,
    excluded: Option<String>,
    start: Option<i64>,
    count: Option<i64>,
    cursor: Option<String>,
}

impl Query {
    /// Reads query parameters, already decoded. Names that are not SCIM's are passed over: Entra appends flags.
    ///
    /// # Errors
    /// For a parameter that is wrong.
    pub fn from_parameters<'p>(
        parameters: impl Iterator<Item = (&'p str, &'p str)>,
        kind: &ResourceType,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let mut read = Parameters::default();
        for (name, value) in parameters {
            let text = || Some(value.to_owned());
            match name.to_ascii_lowercase().as_str() {
                "filter" => read.filter = text(),
                "sortby" => read.sort_by = text(),
                "sortorder" => read.sort_order = text(),
                "attributes" => read.attributes = text(),
                "excludedattributes" => read.excluded = text(),
                "startindex" => read.start = Some(number(name, value)?),
                "count" => read.count = Some(number(name, value)?),
                "cursor" => read.cursor = text(),
                _ => {}
            }
        }
        read.query(kind, limits)
    }

    /// Reads the body of a POST to `/.search`.
    ///
    /// # Errors
    /// For a body that is no search request.
    pub fn from_search_request(
        body: &Value,
        kind: &ResourceType,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let body = body
            .as_object()
            .ok_or_else(|| Error::invalid_syntax("the body must be a JSON object"))?;
        if let Some((_, schemas)) = named(body, "schemas")
            && !schemas
                .as_array()
                .is_some_and(|uris| uris.iter().any(|uri| uri.as_str() == Some(SEARCH_SCHEMA)))
        {
            return Err(Error::invalid_syntax(format!(
                "`schemas` must list {SEARCH_SCHEMA}"
            )));
        }
        let text = |name: &str| match named(body, name) {
            None | Some((_, Value::Null)) => Ok(None),
            Some((_, Value::String(text))) => Ok(Some(text.clone())),
            Some(_) => Err(Error::invalid_value(format!("`{name}` must be a text"))),
        };
        let names = |name: &str| match named(body, name) {
            Some((_, Value::Array(list))) => {
                let names: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
                names
                    .map(|names| Some(names.join(",")))
                    .ok_or_else(|| Error::invalid_value(format!("`{name}` lists names")))
            }
            _ => text(name),
        };
        let whole = |name: &str| match named(body, name) {
            None | Some((_, Value::Null)) => Ok(None),
            Some((_, value)) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| Error::invalid_value(format!("`{name}` must be a whole number"))),
        };
        Parameters {
            filter: text("filter")?,
            sort_by: text("sortBy")?,
            sort_order: text("sortOrder")?,
            attributes: names("attributes")?,
            excluded: names("excludedAttributes")?,
            start: whole("startIndex")?,
            count: whole("count")?,
            cursor: text("cursor")?,
        }
        .query(kind, limits)
    }
}

fn number(name: &str, value: &str) -> Result<i64, Error> {
    value
        .trim()
        .parse()
        .map_err(|_| Error::invalid_value(format!("`{name}` must be a whole number")))
}

impl Parameters {
    fn query(self, kind: &ResourceType, limits: &Limits) -> Result<Query, Error> {
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let count = match self.count {
            None => limits.default_count,
            // RFC 7644 §3.4.2.4: a negative count is zero
            Some(count) => u64::try_from(count).unwrap_or(0).min(limits.max_count),
        };
        let page = match self.cursor {
            Some(_) if self.start.is_some() => {
                return Err(Error::new(
                    ErrorKind::InvalidCursor,
                    "`cursor` and `startIndex` exclude each other",
                ));
            }
            Some(_) if given(self.sort_by.clone()).is_some() => {
                return Err(Error::invalid_value(
                    "`sortBy` and `cursor` exclude each other: page through a sorted listing by `startIndex`",
                ));
            }
            Some(cursor) => Page::Cursor {
                cursor: given(Some(cursor)),
                count,
            },
            None => Page::Index {
                start: self
                    .start
                    .map_or(1, |start| u64::try_from(start).unwrap_or(1).max(1)),
                count,
            },
        };
        Ok(Query {
            filter: given(self.filter)
                .map(|text| Filter::parse(&text, kind, limits))
                .transpose()?,
            sort: given(self.sort_by)
                .map(|by| Sort::parse(&by, self.sort_order.as_deref(), kind))
                .transpose()?,
            page,
            projection: Projection::parse(
                self.attributes.as_deref(),
                self.excluded.as_deref(),
                kind,
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::STANDARD;
    use crate::schema::Registry;

    type Pairs = &'static [(&'static str, &'static str)];

    #[test]
    fn a_cursor_goes_with_neither_a_place_nor_an_order() {
        let registry = Registry::standard();
        let rows: &[(Pairs, Option<&str>)] = &[
            (&[("cursor", ""), ("count", "5")], None),
            (&[("cursor", "x"), ("sortBy", " ")], None),
            (&[("sortBy", "userName"), ("startIndex", "5")], None),
            (
                &[("cursor", ""), ("sortBy", "userName")],
                Some("invalidValue"),
            ),
            (&[("cursor", "x"), ("sortBy", "id")], Some("invalidValue")),
            (
                &[("cursor", ""), ("startIndex", "5")],
                Some("invalidCursor"),
            ),
        ];

        for (parameters, expected) in rows {
            let got =
                Query::from_parameters(parameters.iter().copied(), registry.user(), &STANDARD);

            let scim_type = got.err().and_then(|error| error.scim_type());
            assert_eq!(scim_type, *expected, "{parameters:?}");
        }
    }
}
