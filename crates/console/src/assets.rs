//! The one style sheet, the one script and the one of the page that makes keys, under names that change with their content, so that browsers may keep them for a year.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use ring::digest::{SHA256, digest};

use crate::Console;

/// The style sheet.
pub(crate) const STYLE: &str = include_str!("../assets/style.css");
/// The script.
pub(crate) const SCRIPT: &str = include_str!("../assets/console.js");
/// The script of the page on which an account is activated.
pub(crate) const ACTIVATE: &str = include_str!("../assets/activate.js");

/// The name of the style sheet in addresses.
pub(crate) static STYLE_NAME: LazyLock<String> = LazyLock::new(|| named("style", STYLE, "css"));
/// The name of the script in addresses.
pub(crate) static SCRIPT_NAME: LazyLock<String> = LazyLock::new(|| named("console", SCRIPT, "js"));
/// The name of the script that makes keys, in addresses.
pub(crate) static ACTIVATE_NAME: LazyLock<String> =
    LazyLock::new(|| named("activate", ACTIVATE, "js"));

fn named(stem: &str, content: &str, ending: &str) -> String {
    let hash = digest(&SHA256, content.as_bytes());
    let [a, b, c, d, ..] = hash.as_ref() else {
        return format!("{stem}.{ending}");
    };
    format!("{stem}-{a:02x}{b:02x}{c:02x}{d:02x}.{ending}")
}

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/assets/{name}", get(asset))
}

async fn asset(Path(name): Path<String>) -> Response {
    let (content, kind) = if name == *STYLE_NAME {
        (STYLE, "text/css; charset=utf-8")
    } else if name == *SCRIPT_NAME {
        (SCRIPT, "text/javascript; charset=utf-8")
    } else if name == *ACTIVATE_NAME {
        (ACTIVATE, "text/javascript; charset=utf-8")
    } else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = content.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    response
}
