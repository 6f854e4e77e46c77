//! SCIM over HTTP: `/scim/v2/{organisation}`.
//!
//! **Is:** the surface that foreign directories talk to: checks the bearer, parses with `rollcall-scim`, calls one use case,
//! renders the answer. The only place with SCIM's HTTP status codes is [`failure`].
//! **Is not:** rules or storage.
//! **Start at** [`routes`]; a request's way is record → bearer → [`resources`] → use case → [`render`].

mod bearer;
mod bulk;
pub mod cursor;
mod discovery;
mod failure;
mod input;
mod record;
mod render;
mod resources;
mod search;

use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use rollcall_app::App;
use rollcall_app::traffic::Recorder;
use rollcall_model::Kind;
use rollcall_web::rates::Rates;
use rollcall_web::table::{Bearer, Entry, Route, Routes, Table};

use failure::Failure;

/// What the endpoint's handlers share.
#[derive(Debug, Clone)]
pub struct Endpoint {
    app: App,
    rates: Arc<Rates>,
    cursors: cursor::Cursors,
    recorder: Recorder,
}

impl Endpoint {
    /// Puts the endpoint on the use cases; what it is asked goes to the recorder.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub async fn new(
        app: App,
        rates: Arc<Rates>,
        recorder: Recorder,
    ) -> Result<Self, rollcall_app::Failure> {
        let cursors = cursor::Cursors::of(&app).await?;
        Ok(Self {
            app,
            rates,
            cursors,
            recorder,
        })
    }
}

/// Returns the routes of SCIM. Every one of them needs the token of an integration of the organisation in its path, and so does what is
/// said of paths that are none.
pub fn routes(endpoint: Endpoint) -> Routes {
    let state = endpoint.clone();
    table().guarded(state, |Bearer, handler| {
        handler
            .layer(from_fn_with_state(endpoint.clone(), bearer::check))
            .layer(from_fn_with_state(endpoint.clone(), record::note))
    })
}

/// Lists them.
pub fn route_table() -> Vec<Route> {
    table().list()
}

/// Returns the answer to a request that the gate refused, or that got none.
pub fn refused(status: StatusCode) -> Response {
    Failure::Refused(status).into_response()
}

fn table() -> Table<Endpoint, Bearer> {
    let mut entries = Vec::new();
    for kind in [Kind::User, Kind::Group] {
        entries.extend(of_kind(kind));
    }
    entries.extend([
        Entry::post("/.search", Bearer, search::everywhere),
        Entry::post("/Bulk", Bearer, bulk::run),
        Entry::get("/Me", Bearer, discovery::me),
        Entry::post("/Me", Bearer, discovery::me),
        Entry::put("/Me", Bearer, discovery::me),
        Entry::patch("/Me", Bearer, discovery::me),
        Entry::delete("/Me", Bearer, discovery::me),
        Entry::get("/ResourceTypes", Bearer, discovery::resource_types),
        Entry::get("/ResourceTypes/{name}", Bearer, discovery::resource_type),
        Entry::get("/Schemas", Bearer, discovery::schemas),
        Entry::get("/Schemas/{name}", Bearer, discovery::schema),
    ]);
    // the second is the name in Microsoft's reference tests
    for path in ["/ServiceProviderConfig", "/serviceConfiguration"] {
        entries.push(Entry::get(path, Bearer, discovery::service_provider_config));
    }
    Table::new(entries)
        .under("/scim/v2/{organisation}")
        .or_no_path(Bearer, async || Failure::NoRoute)
        .or_no_method(Bearer, async || Failure::Method)
}

/// Returns the routes of a kind of resource.
fn of_kind(kind: Kind) -> Vec<Entry<Endpoint, Bearer>> {
    let mut entries = Vec::new();
    let name = resources::collection(kind);
    // Microsoft's reference tests also write `users` and `/Users/`
    for name in [name.to_owned(), name.to_lowercase()] {
        for collection in [format!("/{name}"), format!("/{name}/")] {
            entries.extend([
                Entry::get(&*collection, Bearer, resources::list),
                Entry::post(&*collection, Bearer, resources::create),
            ]);
        }
        let single = format!("/{name}/{{id}}");
        entries.extend([
            Entry::post(format!("/{name}/.search"), Bearer, search::in_kind),
            Entry::get(&*single, Bearer, resources::read),
            Entry::put(&*single, Bearer, resources::replace),
            Entry::patch(&*single, Bearer, resources::patch),
            Entry::delete(&*single, Bearer, resources::delete),
        ]);
    }
    entries.into_iter().map(|entry| entry.told(kind)).collect()
}
