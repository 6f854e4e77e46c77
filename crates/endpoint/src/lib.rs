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

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use rollcall_app::App;
use rollcall_app::traffic::Recorder;
use rollcall_model::Kind;
use rollcall_web::rates::Rates;

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

/// Returns the routes of SCIM. Every one of them needs the token of an integration of the organisation in its path.
pub fn routes(endpoint: Endpoint) -> Router {
    let kinds = |kind: Kind| {
        let name = resources::collection(kind);
        // Microsoft's reference tests also write `users` and `/Users/`
        [name.to_owned(), name.to_lowercase()]
            .into_iter()
            .fold(Router::new(), |router, name| {
                let collection = || get(resources::list).post(resources::create);
                let single = get(resources::read)
                    .put(resources::replace)
                    .patch(resources::patch)
                    .delete(resources::delete);
                router
                    .route(&format!("/{name}"), collection())
                    .route(&format!("/{name}/"), collection())
                    .route(&format!("/{name}/.search"), post(search::in_kind))
                    .route(&format!("/{name}/{{id}}"), single)
            })
            .layer(axum::Extension(kind))
    };
    let scim = Router::new()
        .merge(kinds(Kind::User))
        .merge(kinds(Kind::Group))
        .route("/.search", post(search::everywhere))
        .route("/Bulk", post(bulk::run))
        .route("/Me", axum::routing::any(discovery::me))
        .route(
            "/ServiceProviderConfig",
            get(discovery::service_provider_config),
        )
        // the name in Microsoft\'s reference tests
        .route(
            "/serviceConfiguration",
            get(discovery::service_provider_config),
        )
        .route("/ResourceTypes", get(discovery::resource_types))
        .route("/ResourceTypes/{name}", get(discovery::resource_type))
        .route("/Schemas", get(discovery::schemas))
        .route("/Schemas/{name}", get(discovery::schema))
        .fallback(|| async { Failure::NoRoute })
        .method_not_allowed_fallback(|| async { Failure::Method })
        .layer(from_fn_with_state(endpoint.clone(), bearer::check))
        .layer(from_fn_with_state(endpoint.clone(), record::note))
        .with_state(endpoint);
    Router::new().nest("/scim/v2/{organisation}", scim)
}
