//! Every route of the console, with what it needs. The tests of access read this table, so a page cannot be forgotten.

use axum::routing::{MethodRouter, get, post};
use http::Method;
use rollcall_model::Permission;

use crate::Console;
use crate::pages::{self, security, sign_in};

/// What a request has to bring before its handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: anyone may see it.
    Nothing,
    /// A sign-in that has begun, whatever is still missing.
    Begun,
    /// A session. For what concerns only its owner.
    Session,
    /// A session whose role allows this.
    Role(Permission),
    /// Likewise, and a proof of identity that is at most five minutes old.
    Fresh(Permission),
}

/// A route, as the tests of access see it.
#[derive(Debug, Clone)]
pub struct RouteInfo {
    /// The method.
    pub method: Method,
    /// The path, with `{placeholders}`.
    pub path: &'static str,
    /// What it needs.
    pub needs: Needs,
}

pub(crate) type Routes = Vec<(RouteInfo, MethodRouter<Console>)>;

/// Describes a page that is looked at.
pub(crate) fn page<H, T>(
    path: &'static str,
    needs: Needs,
    handler: H,
) -> (RouteInfo, MethodRouter<Console>)
where
    H: axum::handler::Handler<T, Console>,
    T: 'static,
{
    let info = RouteInfo {
        method: Method::GET,
        path,
        needs,
    };
    (info, get(handler))
}

/// Describes a form that is sent.
pub(crate) fn action<H, T>(
    path: &'static str,
    needs: Needs,
    handler: H,
) -> (RouteInfo, MethodRouter<Console>)
where
    H: axum::handler::Handler<T, Console>,
    T: 'static,
{
    let info = RouteInfo {
        method: Method::POST,
        path,
        needs,
    };
    (info, post(handler))
}

/// Returns every route of the console.
pub(crate) fn routes() -> Routes {
    let mut routes = Vec::new();
    routes.extend(sign_in::routes());
    routes.extend(security::routes());
    routes.extend(pages::activate::routes());
    routes.extend(pages::dashboard::routes());
    routes.extend(pages::mappings::routes());
    routes.extend(pages::applications::routes());
    routes.extend(pages::logs::routes());
    routes.extend(pages::integrations::routes());
    routes.extend(pages::activity::routes());
    routes.extend(pages::reports::routes());
    routes.extend(pages::organisation::routes());
    routes.extend(pages::invitations::routes());
    routes.extend(pages::groups::routes());
    routes.extend(pages::users::routes());
    routes.extend(pages::requests::routes());
    routes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_needs_no_more_than_reading_and_changing_needs_more() {
        for (info, _) in routes() {
            match (info.method.as_str(), info.needs) {
                ("GET", Needs::Fresh(_)) => panic!("{}: a page cannot ask for a proof", info.path),
                ("POST", Needs::Role(Permission::Read)) => {
                    panic!(
                        "{}: what changes something needs more than reading",
                        info.path
                    )
                }
                _ => {}
            }
        }
    }
}
