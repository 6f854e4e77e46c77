//! Listings: GET on a collection and POST `/.search` (RFC 7644 §3.4.2, §3.4.3), by index and by cursor (RFC 9865).

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use rollcall_app::directory::{Page as Found, Query as Use};
use rollcall_app::tokens::Caller;
use rollcall_model::Kind;
use rollcall_scim::error::{Error, ErrorKind};
use rollcall_scim::list::ListResponse;
use rollcall_scim::query::{Page, Query};
use rollcall_store::{Paging, Selection};
use serde_json::Value;

use crate::failure::Failure;
use crate::render::{Renderer, json_answer};
use crate::resources::wanted;
use crate::{Endpoint, input};

/// A search request is small: a filter and a few names.
const SEARCH_BODY: usize = 64 * 1024;

/// What a client asked to be listed.
pub(crate) struct Asked {
    query: Query,
    /// What a cursor is bound to: filter and order as they were written.
    fingerprint: String,
}

impl Asked {
    pub(crate) fn from_query(
        endpoint: &Endpoint,
        kind: Kind,
        query: &str,
    ) -> Result<Self, Failure> {
        let parameters = parameters(query);
        let pairs = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let query = Query::from_parameters(
            pairs,
            endpoint.resource_type(kind),
            &endpoint.app.settings().limits,
        )?;
        let find = |name: &str| {
            parameters
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str())
        };
        let fingerprint = fingerprint(kind, ["filter", "sortBy", "sortOrder"].map(find));
        Ok(Self { query, fingerprint })
    }

    fn from_body(endpoint: &Endpoint, kind: Kind, body: &Value) -> Result<Self, Failure> {
        let query = Query::from_search_request(
            body,
            endpoint.resource_type(kind),
            &endpoint.app.settings().limits,
        )?;
        let find = |name: &str| body.get(name).and_then(Value::as_str);
        let fingerprint = fingerprint(kind, ["filter", "sortBy", "sortOrder"].map(find));
        Ok(Self { query, fingerprint })
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
        let resources = self.documents(&renderer, kind, page.shown);
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
        Ok(json_answer(StatusCode::OK, &list.to_json()))
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
            sort: self.query.sort.clone(),
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
        renderer: &Renderer,
        kind: Kind,
        shown: Vec<(
            rollcall_scim::resource::Resource,
            rollcall_app::directory::Related,
        )>,
    ) -> Vec<Value> {
        let document = |(resource, related)| {
            Value::Object(renderer.document(kind, resource, related, &self.query.projection))
        };
        shown.into_iter().map(document).collect()
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
            skip,
            count: count.saturating_sub(found),
        };
        let page = asked.page(&endpoint, &caller, kind, paging).await?;
        total += page.total.unwrap_or_default();
        resources.extend(asked.documents(&renderer, kind, page.shown));
    }
    let list = ListResponse {
        total: Some(total),
        start_index: Some(start_index),
        items_per_page: resources.len() as u64,
        next_cursor: None,
        previous_cursor: None,
        resources,
    };
    Ok(json_answer(StatusCode::OK, &list.to_json()))
}

fn fingerprint(kind: Kind, parts: [Option<&str>; 3]) -> String {
    let mut text = kind.resource_type().to_owned();
    for part in parts {
        text.push('\n');
        text.push_str(part.unwrap_or_default());
    }
    text
}

/// Reads a query string: `+` and `%20` are spaces, and the later of two equal names is not looked at.
pub(crate) fn parameters(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
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
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}
