//! The other side of reading: a bare axum handler that returns the same bytes from memory, served as axum serves.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};

/// An answer to repeat.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) body: String,
}

type Pages = Arc<HashMap<String, Bytes>>;

/// Serves the pages of a file, one JSON object a line, until it is killed.
#[expect(
    clippy::disallowed_methods,
    reason = "it stands for a server without anything: there is no policy"
)]
pub(crate) fn serve(file: &Path) -> anyhow::Result<()> {
    let mut pages = HashMap::new();
    for line in BufReader::new(std::fs::File::open(file)?).lines() {
        let page: Page = serde_json::from_str(&line?)?;
        pages.insert(page.path, Bytes::from(page.body));
    }
    let router = Router::new()
        .route("/scim/v2/{organisation}/Users/{id}", get(page))
        .with_state(Arc::new(pages));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        eprintln!("listening on {}", listener.local_addr()?);
        axum::serve(listener, router).await.context("serving")
    })
}

async fn page(State(pages): State<Pages>, uri: Uri) -> Response {
    match pages.get(uri.path()) {
        Some(body) => ([(CONTENT_TYPE, "application/scim+json")], body.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
