//! The dashboard: what needs a person, then how things stand.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use rollcall_app::attention::Attention;
use rollcall_model::Permission;

use crate::Console;
use crate::filters;
use crate::guard::Known;
use crate::layout::{self, Frame, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, page};

pub(crate) fn routes() -> Routes {
    vec![page("/", Needs::Role(Permission::Read), look)]
}

/// How many decisions wait where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) applications: u64,
    pub(crate) integrations: u64,
}

/// Counts the decisions that wait.
pub(crate) async fn waiting(console: &Console, known: &Known) -> Result<Waiting, Problem> {
    let mut waiting = Waiting::default();
    for attention in console.app.attention(&known.visitor.context()).await? {
        match attention {
            Attention::Held { .. } | Attention::Quarantine { .. } => waiting.applications += 1,
            Attention::TokenExpires { .. } => waiting.integrations += 1,
            Attention::TrialEnds { .. } | Attention::Seats { .. } => {}
        }
    }
    Ok(waiting)
}

#[derive(Debug, Template)]
#[template(path = "dashboard.html")]
struct Dashboard {
    frame: Frame,
}

async fn look(State(console): State<Console>, known: Known) -> Result<Response, Problem> {
    let frame = console.frame(&known, Place::Dashboard, "Dashboard").await?;
    Ok(layout::rendered(&Dashboard { frame }))
}

#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<(String, String)> {
    let page = Dashboard {
        frame: layout::sample::frame(Place::Dashboard, "Dashboard"),
    };
    vec![("dashboard".to_owned(), page.render().unwrap_or_default())]
}
