//! Who may come in: what every route declares, against whatever somebody may bring; and when tokens end.

mod matrix;
mod proxies;
mod raw;
mod spellings;
mod tokens;

use rollcall_web::table::{Policy, Route};

pub(crate) use raw::raw;

/// An id that nothing has.
pub(crate) const NOBODY: &str = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77";

/// Every route that the server has at its main address.
fn routes() -> Vec<Route> {
    let mut routes = rollcall_web::health::route_table();
    routes.extend(rollcall_endpoint::route_table());
    routes.extend(rollcall_api::route_table());
    routes.extend(rollcall_console::route_table());
    routes
}

/// Every route of SCIM, below its base: the method, and the path with `{user}` and `{group}`.
pub(crate) fn scim_routes() -> Vec<(String, String)> {
    let routes = rollcall_endpoint::route_table().into_iter();
    routes
        .map(|route| {
            let path = route.path.replace("/scim/v2/{organisation}", "");
            let id = if path.to_lowercase().starts_with("/users") {
                "{user}"
            } else {
                "{group}"
            };
            (route.method.to_string(), path.replace("{id}", id))
        })
        .collect()
}

/// Fills the placeholders of a path: `user` and `group` exist.
fn filled(route: &Route, user: &str, group: &str) -> String {
    if route.policy == Policy::Bearer {
        let path = route.path.replace("{organisation}", "vault");
        let id = if path.to_lowercase().contains("/users") {
            user
        } else {
            group
        };
        let name = if path.contains("/ResourceTypes") {
            "User"
        } else {
            "urn:ietf:params:scim:schemas:core:2.0:User"
        };
        return path.replace("{id}", id).replace("{name}", name);
    }
    if matches!(route.policy, Policy::Key(_)) {
        let id = if route.path.contains("/people/") {
            user
        } else if route.path.contains("/groups/") {
            group
        } else {
            NOBODY
        };
        return page(&route.path.replace("{id}", id));
    }
    if route.policy == Policy::Public {
        let [(style, _), ..] = rollcall_console::sample_assets();
        return route.path.replace("{name}", &style);
    }
    page(&route.path)
}

/// Fills the placeholders of a path of the console, with things that are not there.
pub(crate) fn page(path: &str) -> String {
    path.split('/')
        .map(|part| match part {
            "{kind}" => "entra",
            "{object}" | "{side}" => "users",
            "{n}" | "{number}" => "0",
            part if part.starts_with('{') => NOBODY,
            part => part,
        })
        .collect::<Vec<_>>()
        .join("/")
}
