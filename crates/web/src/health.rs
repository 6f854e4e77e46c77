//! Liveness and readiness: up or down, and nothing else, for anyone who asks.
//!
//! Anyone may ask as often as they like, so asking costs next to nothing: the store is asked once a second at most.

use std::future::Future;
use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use rollcall_app::App;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::limits;
use crate::table::{Entry, Public, Route, Routes, Table};

/// Returns the routes `/healthz` and `/readyz`.
pub fn routes(app: App) -> Routes {
    let readiness = Readiness {
        app,
        known: Arc::default(),
    };
    table().guarded(readiness, |Public, handler| handler)
}

/// Lists them.
pub fn route_table() -> Vec<Route> {
    table().list()
}

fn table() -> Table<Readiness, Public> {
    Table::new(vec![
        Entry::get("/healthz", Public, async || "up\n"),
        Entry::get("/readyz", Public, ready),
    ])
}

#[derive(Debug, Clone)]
struct Readiness {
    app: App,
    known: Arc<Known>,
}

/// What was found out last, and when.
#[derive(Debug, Default)]
struct Known(Mutex<Option<(Instant, bool)>>);

impl Known {
    /// Returns what is known, finding it out when it is not known any more. Who asks meanwhile waits for the same answer.
    async fn or_ask(&self, ask: impl Future<Output = bool>) -> bool {
        let mut known = self.0.lock().await;
        if let Some((at, answer)) = *known
            && at.elapsed() < limits::READY_TIME
        {
            return answer;
        }
        let answer = ask.await;
        *known = Some((Instant::now(), answer));
        answer
    }
}

async fn ready(State(readiness): State<Readiness>) -> (StatusCode, &'static str) {
    let Readiness { app, known } = readiness;
    let ask = async {
        let answer = app.store().ping().await;
        if let Err(error) = &answer {
            tracing::warn!(%error, "the store does not answer");
        }
        answer.is_ok()
    };
    if known.or_ask(ask).await {
        (StatusCode::OK, "ready\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store is out of reach\n",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_store_is_asked_once_a_second_at_most() {
        let known = Known::default();

        assert!(known.or_ask(async { true }).await);
        assert!(known.or_ask(async { panic!("asked again") }).await);
        tokio::time::advance(limits::READY_TIME).await;
        assert!(!known.or_ask(async { false }).await);
    }
}
