//! Listings: GET on a collection and POST `/.search` (RFC 7644 §3.4.2, §3.4.3), by index and by cursor (RFC 9865).

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use rollcall_app::directory::{Page as Found, Query as Use, Stored};
use rollcall_app::tokens::Caller;
use rollcall_model::Kind;
use rollcall_scim::error::{Error, ErrorKind};
use rollcall_scim::list::ListResponse;
use rollcall_scim::query::{Page, Query};
use rollcall_store::{Paging, Selection};
use serde_json::Value;

use crate::failure::Failure;
use crate::render::{Renderer, json_text};
use crate::resources::wanted;
use crate::{Endpoint, input};

/// A search request is small: a filter and a few names.
const SEARCH_BODY: usize = 64 * 1024;

/// What a client asked to be listed.
pub(crate) struct Asked {
    query: Query,
    /// What a cursor is bound to.
    fingerprint: String,
}

impl Asked {
    pub(crate) fn from_query(
        endpoint: &Endpoint,
        kind: Kind,
        query: &str,
    ) -> Result<Self, Failure> {
        let parameters = parameters(query)?;
        let pairs = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let query = Query::from_parameters(
            pairs,
            endpoint.resource_type(kind),
            &endpoint.app.settings().limits,
        )?;
        Ok(Self::new(kind, query))
    }

    fn from_body(endpoint: &Endpoint, kind: Kind, body: &Value) -> Result<Self, Failure> {
        let query = Query::from_search_request(
            body,
            endpoint.resource_type(kind),
            &endpoint.app.settings().limits,
        )?;
        Ok(Self::new(kind, query))
    }

    fn new(kind: Kind, query: Query) -> Self {
        let fingerprint = fingerprint(kind, &query);
        Self { query, fingerprint }
    }

    /// Runs the listing and answers with a page.
    pub(crate) async fn answer(
        self,
        endpoint: &Endpoint,
        caller: &Caller,
        kind: Kind,
    ) -> Result<Response, Failure> {
        let renderer = Renderer::new(endpoint, &caller.organisation);
        let organisation = caller.organisation.id;
        let now = endpoint.app.now();
        let paging = match &self.query.page {
            Page::Index { start, count } => Paging::Index {
                sort: self.query.sort.clone(),
                skip: start.saturating_sub(1),
                count: *count,
            },
            Page::Cursor { cursor, count } => {
                let id = match cursor {
                    Some(cursor) => Some(endpoint.cursors.open(
                        cursor,
                        organisation,
                        &self.fingerprint,
                        now,
                    )?),
                    None => None,
                };
                Paging::After { id, count: *count }
            }
        };
        let page = self.page(endpoint, caller, kind, paging).await?;
        let next = page.next.map(|id| {
            endpoint
                .cursors
                .seal(id, organisation, &self.fingerprint, now)
        });
        let resources = self.documents(&renderer, kind, page.objects)?;
        let start_index = match &self.query.page {
            Page::Index { start, .. } => Some(*start),
            Page::Cursor { .. } => None,
        };
        let list = ListResponse {
            total: page.total,
            start_index,
            items_per_page: resources.len() as u64,
            next_cursor: next,
            previous_cursor: None,
            resources,
        };
        Ok(json_text(StatusCode::OK, list.to_bytes()))
    }

    async fn page(
        &self,
        endpoint: &Endpoint,
        caller: &Caller,
        kind: Kind,
        paging: Paging,
    ) -> Result<Found, Failure> {
        let selection = Selection {
            filter: self.query.filter.clone(),
            paging,
        };
        let query = Use {
            selection,
            wanted: wanted(&self.query.projection),
        };
        Ok(endpoint.app.list(&caller.context(), kind, query).await?)
    }

    fn documents(
        &self,
        renderer: &Renderer<'_>,
        kind: Kind,
        objects: Vec<Stored>,
    ) -> Result<Vec<Vec<u8>>, Failure> {
        let document = |Stored { raw, related }| {
            let object = (kind, raw.id);
            renderer.document(object, &raw.document, related, &self.query.projection)
        };
        objects.into_iter().map(document).collect()
    }
}

/// POST `/Users/.search`, `/Groups/.search`.
pub(crate) async fn in_kind(
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
    Extension(kind): Extension<Kind>,
    request: Request,
) -> Result<Response, Failure> {
    let body = input::json(&endpoint, request, SEARCH_BODY).await?;
    Asked::from_body(&endpoint, kind, &body)?
        .answer(&endpoint, &caller, kind)
        .await
}

/// POST `/.search`: people and groups together, people first. A filter on an attribute that only one kind has finds only that
/// kind; one that neither has is refused.
pub(crate) async fn everywhere(
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Failure> {
    let body = input::json(&endpoint, request, SEARCH_BODY).await?;
    let asked =
        [Kind::User, Kind::Group].map(|kind| (kind, Asked::from_body(&endpoint, kind, &body)));
    if let [(_, Err(failure)), (_, Err(_))] = asked {
        return Err(failure);
    }
    let renderer = Renderer::new(&endpoint, &caller.organisation);
    let (mut total, mut resources, mut start_index) = (0, Vec::new(), 1);
    for (kind, asked) in asked {
        let Ok(asked) = asked else { continue };
        let Page::Index { start, count } = asked.query.page else {
            let detail =
                "search one kind of resource to page by cursor: /Users/.search or /Groups/.search";
            return Err(Error::new(ErrorKind::InvalidCursor, detail).into());
        };
        start_index = start;
        let found = resources.len() as u64;
        let skip = start.saturating_sub(1).saturating_sub(total);
        let paging = Paging::Index {
            sort: asked.query.sort.clone(),
            skip,
            count: count.saturating_sub(found),
        };
        let page = asked.page(&endpoint, &caller, kind, paging).await?;
        total += page.total.unwrap_or_default();
        resources.extend(asked.documents(&renderer, kind, page.objects)?);
    }
    let list = ListResponse {
        total: Some(total),
        start_index: Some(start_index),
        items_per_page: resources.len() as u64,
        next_cursor: None,
        previous_cursor: None,
        resources,
    };
    Ok(json_text(StatusCode::OK, list.to_bytes()))
}

/// Returns what decides which resources a listing has, and in which order. It is made of the question as it was understood, so
/// that a cursor is bound to what is answered, however it was written. A listing with a cursor is never sorted.
fn fingerprint(kind: Kind, query: &Query) -> String {
    let filter = query.filter.as_ref().map(ToString::to_string);
    format!(
        "{}\n{}",
        kind.resource_type(),
        filter.as_deref().unwrap_or_default()
    )
}

/// The parameters that have a meaning here. Others are passed over: Entra appends flags.
const KNOWN: [&str; 8] = [
    "filter",
    "sortBy",
    "sortOrder",
    "attributes",
    "excludedAttributes",
    "startIndex",
    "count",
    "cursor",
];

/// Reads a query string: `+` and `%20` are spaces.
///
/// # Errors
/// `invalidValue` for bytes that are no UTF-8, and for a parameter of SCIM that occurs twice: one reader would take the first of
/// them and another the last.
pub(crate) fn parameters(query: &str) -> Result<Vec<(String, String)>, Error> {
    let mut parameters: Vec<(String, String)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (name, value) = (decoded(name)?, decoded(value)?);
        let Some(known) = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(&name)) else {
            continue;
        };
        if parameters.iter().any(|(name, _)| name == known) {
            return Err(Error::invalid_value(format!(
                "the parameter `{known}` occurs twice"
            )));
        }
        parameters.push(((*known).to_owned(), value));
    }
    Ok(parameters)
}

fn decoded(text: &str) -> Result<String, Error> {
    let text = text.replace('+', " ");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        bytes.push(escape.unwrap_or(*first));
        rest = if escape.is_some() {
            tail.get(2..).unwrap_or_default()
        } else {
            tail
        };
    }
    String::from_utf8(bytes)
        .map_err(|_| Error::invalid_value("the query is not UTF-8 in percent encoding"))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = &'static [(&'static str, &'static str)];

    #[test]
    fn a_query_has_one_meaning_or_none() {
        let rows: &[(&str, Option<Pairs>)] = &[
            ("", Some(&[])),
            ("&&", Some(&[])),
            (
                "filter=title%20eq+%22B%C3%BCro%22&COUNT=5",
                Some(&[("filter", "title eq \"Büro\""), ("count", "5")]),
            ),
            ("cursor", Some(&[("cursor", "")])),
            ("aadOptscim062020&x=1&x=2&count=1", Some(&[("count", "1")])),
            ("filter=100%", Some(&[("filter", "100%")])),
            ("filter=a&filter=b", None),
            ("filter=a&Filter=a", None),
            ("attributes=a&%61ttributes=b", None),
            ("filter=%FF", None),
            ("filter=%C3", None),
            ("x=%C3%28", None),
        ];

        for (text, expected) in rows {
            let got = parameters(text);

            let got = got.as_ref().map(|pairs| {
                let pairs = pairs.iter();
                pairs
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect::<Vec<_>>()
            });
            match expected {
                Some(expected) => assert_eq!(got, Ok(expected.to_vec()), "{text}"),
                None => assert_eq!(got.unwrap_err().scim_type(), Some("invalidValue"), "{text}"),
            }
        }
    }
}
