//! Liveness and readiness: up or down, and nothing else, for anyone who asks.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;
use rollcall_app::App;

/// Returns the routes `/healthz` and `/readyz`.
pub fn routes(app: App) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "up\n" }))
        .route("/readyz", get(ready))
        .with_state(app)
}

async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    match app.organisations().await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store is out of reach\n",
        ),
    }
}
