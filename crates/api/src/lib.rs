//! The JSON API: `/api/v1`, and its description, `/api/openapi.json`.
//!
//! **Is:** the surface that programs talk to: checks the API key, which says which organisation it opens, parses, calls one use case, and
//! answers in plain JSON. An [`operation::Operation`] holds a route, its handler and everything that is said of it; handler and description
//! have the same types, so neither can say what the other does not. The only place with status codes is [`problem`].
//! **Is not:** rules or storage; and nothing that needs the engine.
//! **Start at** [`routes`]; a request's way is [`key`] → [`operation`] → use case → JSON.

#[macro_use]
mod described;
mod applications;
mod audit;
mod events;
mod groups;
mod integrations;
mod key;
mod listing;
mod openapi;
mod operation;
mod organisation;
mod people;
mod problem;

use std::sync::Arc;

use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use rollcall_app::cursors::Cursors;
use rollcall_app::{App, Failure};
use rollcall_model::KeyRole;
use rollcall_web::limits;
use rollcall_web::places::Places;
use rollcall_web::rates::Rates;
use rollcall_web::table::{Entry, Key, Public, Route, Routes, Table};
use tokio_util::sync::CancellationToken;

use operation::Operation;
use problem::Problem;

/// Where the operations are.
const BASE: &str = "/api/v1";

/// What the handlers share.
#[derive(Debug, Clone)]
pub struct Api {
    app: App,
    rates: Arc<Rates>,
    cursors: Cursors,
    /// Who waits for events.
    waiting: Arc<Places>,
    stopping: CancellationToken,
}

impl Api {
    /// Puts the API on the use cases. Who waits for events is answered when the server stops.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub async fn new(
        app: App,
        rates: Arc<Rates>,
        stopping: CancellationToken,
    ) -> Result<Self, Failure> {
        let cursors = Cursors::of(&app, "api cursor").await?;
        Ok(Self {
            app,
            rates,
            cursors,
            waiting: Arc::new(Places::new(
                limits::EVENTS_WAITING,
                limits::EVENTS_WAITING_OF_ONE,
            )),
            stopping,
        })
    }
}

/// Returns the routes. Every one of them needs an API key of the role that it declares, and so does what is said of paths that are none;
/// the description is for everybody.
pub fn routes(api: Api) -> Routes {
    let description = Arc::new(openapi::text(&operations(), &api.app.settings().public_url));
    let state = api.clone();
    let keyed = table(operations()).guarded(state, |Key(role), handler| {
        handler.layer(from_fn_with_state((api.clone(), role), key::check))
    });
    keyed.and(open_table().guarded(description, |Public, handler| handler))
}

/// Lists them.
pub fn route_table() -> Vec<Route> {
    let mut list = table(operations()).list();
    list.extend(open_table().list());
    list
}

/// Returns the description (OpenAPI 3.1) of an installation with this public URL.
pub fn description(public_url: &str) -> serde_json::Value {
    openapi::document(&operations(), public_url)
}

/// Returns the answer to a request that the gate refused, or that got none.
pub fn refused(status: StatusCode) -> Response {
    Problem::Refused(status).told(None).into_response()
}

fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    all.extend(organisation::operations());
    all.extend(people::operations());
    all.extend(groups::operations());
    all.extend(events::operations());
    all.extend(integrations::operations());
    all.extend(applications::operations());
    all.extend(audit::operations());
    all
}

fn table(operations: Vec<Operation>) -> Table<Api, Key> {
    let entries = operations.into_iter().map(Operation::into_entry);
    Table::new(entries.collect())
        .under(BASE)
        .or_no_path(Key(KeyRole::Read), key::no_path)
        .or_no_method(Key(KeyRole::Read), key::no_method)
}

fn open_table() -> Table<Arc<String>, Public> {
    Table::new(vec![Entry::get("/api/openapi.json", Public, described)])
}

async fn described(State(text): State<Arc<String>>) -> Response {
    ([(CONTENT_TYPE, "application/json")], text.to_string()).into_response()
}
