//! Somebody else was faster: what they did, what was typed here, and both ways forward.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::Head;
use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Frame, Place};
use crate::problem::Problem;

/// What stands on both sides.
#[derive(Debug, Clone)]
pub(super) struct Sides {
    /// What is there now.
    pub(super) theirs: Vec<String>,
    /// What was about to be saved.
    pub(super) mine: Vec<String>,
    /// Where the form goes.
    pub(super) action: String,
    /// Where theirs can be seen.
    pub(super) back: String,
}

#[derive(Debug, Template)]
#[template(path = "mapping_conflict.html")]
pub(super) struct ConflictPage {
    pub(super) frame: Frame,
    pub(super) head: Head,
    pub(super) sides: Sides,
    /// What was sent, to be sent again.
    pub(super) fields: Vec<(String, String)>,
}

/// Answers a form that was made for an older version.
pub(super) async fn conflict(
    console: &Console,
    known: &Known,
    head: Head,
    form: &Form,
    sides: Sides,
) -> Result<Response, Problem> {
    let frame = console
        .frame(known, Place::Applications, "Somebody else was faster")
        .await?;
    let fields = kept(form);
    let page = ConflictPage {
        frame,
        head,
        sides,
        fields,
    };
    let mut response = layout::rendered(&page);
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::CONFLICT;
    }
    Ok(response)
}

/// Returns the fields that are sent again: all but those that belong to the page.
fn kept(form: &Form) -> Vec<(String, String)> {
    let of_page = ["csrf", "once", "version"];
    let fields = form.fields().iter();
    fields
        .filter(|(name, _)| !of_page.contains(&name.as_str()))
        .cloned()
        .collect()
}
