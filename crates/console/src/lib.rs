//! The web console: server-rendered pages that work without JavaScript.
//!
//! **Is:** a surface. A page is a struct with a typed template; a handler asks use cases, fills the struct and renders it. Every route
//! says in [`table`] what it needs, and [`guard`] sees to it before a handler runs.
//! **Is not:** rules. What may be done, and what it does, is decided in `rollcall-app` and `rollcall-engine`.
//! **Start at** [`table`], the list of all pages; then `pages/`, one file for each.

mod assets;
mod causes;
mod charts;
mod code;
mod cookies;
mod deeds;
mod download;
mod explain;
#[expect(
    unreachable_pub,
    clippy::inline_always,
    clippy::unused_self,
    reason = "what the filters' macro makes"
)]
mod filters;
mod form;
mod guard;
mod layout;
mod pages;
mod people;
mod problem;
mod table;
mod words;

use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use rollcall_app::App;
use rollcall_engine::Engine;
use rollcall_web::limits;
use rollcall_web::places::Places;
use rollcall_web::table::{Public, Route, Routes};

/// What the console's handlers share.
#[derive(Debug, Clone)]
pub struct Console {
    app: App,
    engine: Engine,
    sent: Arc<guard::Sent>,
    files: download::Files,
    runs: Arc<pages::history::Runs>,
    past: Arc<Places>,
    tests: Arc<Places>,
}

impl Console {
    /// Puts the console on the use cases; what is asked of targets goes through the engine.
    pub fn new(app: App, engine: Engine) -> Self {
        Self {
            app,
            engine,
            sent: Arc::default(),
            files: download::Files::default(),
            runs: Arc::default(),
            past: Arc::new(Places::new(limits::PAST, limits::PAST_OF_ONE)),
            tests: Arc::new(Places::new(limits::TESTS, limits::TESTS_OF_ONE)),
        }
    }
}

/// Returns the routes of the console, and what is said where there is none.
pub fn routes(console: Console) -> Routes {
    let state = console.clone();
    table::table()
        .guarded(state, |asks, handler| {
            handler.layer(from_fn_with_state((console.clone(), asks), guard::check))
        })
        .and(assets::table().guarded((), |Public, handler| handler))
}

/// Lists every route of the console with what it needs.
pub fn route_table() -> Vec<Route> {
    let mut routes = table::table().list();
    routes.extend(assets::table().list());
    routes
}

/// Returns the answer to a request that the gate refused, or that got none.
pub fn refused(status: StatusCode) -> Response {
    problem::Problem::Gate(status).into_response()
}

/// Returns samples of every page as whole documents, by name: how it looks empty, with one, with many, failing, and with hostile
/// names.
#[cfg(any(test, feature = "samples"))]
pub fn samples() -> Vec<(String, String)> {
    pages::samples()
}

/// Returns what the samples load, by name.
#[cfg(any(test, feature = "samples"))]
pub fn sample_assets() -> [(String, &'static str); 3] {
    [
        (assets::STYLE_NAME.clone(), assets::STYLE),
        (assets::SCRIPT_NAME.clone(), assets::SCRIPT),
        (assets::ACTIVATE_NAME.clone(), assets::ACTIVATE),
    ]
}
