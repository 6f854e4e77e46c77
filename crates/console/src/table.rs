//! Every route of the console, with what it needs. The tests of access read this table, so a page cannot be forgotten.

use rollcall_model::Permission;
use rollcall_web::limits;
pub(crate) use rollcall_web::table::Needs;
use rollcall_web::table::{Entry, Policy, Table};

use crate::Console;
use crate::pages::{self, security, sign_in};

/// What a route of the console asks: who it is, and how much they may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asks {
    /// What a request has to bring.
    pub(crate) needs: Needs,
    /// How long a form may be, in bytes, of whoever brings it.
    pub(crate) bytes: usize,
}

impl From<Asks> for Policy {
    fn from(asks: Asks) -> Self {
        asks.needs.into()
    }
}

/// The routes of a page, or of all.
pub(crate) type Routes = Vec<Entry<Console, Asks>>;

/// Describes a page that is looked at.
pub(crate) fn page<H, T>(path: &'static str, needs: Needs, handler: H) -> Entry<Console, Asks>
where
    H: axum::handler::Handler<T, Console>,
    T: 'static,
{
    Entry::get(path, Asks { needs, bytes: 0 }, handler)
}

/// Describes a form that is sent.
pub(crate) fn action<H, T>(path: &'static str, needs: Needs, handler: H) -> Entry<Console, Asks>
where
    H: axum::handler::Handler<T, Console>,
    T: 'static,
{
    let bytes = limits::FORM_BYTES;
    Entry::post(path, Asks { needs, bytes }, handler)
}

/// Describes a form with a file.
pub(crate) fn upload<H, T>(
    path: &'static str,
    permission: Permission,
    handler: H,
) -> Entry<Console, Asks>
where
    H: axum::handler::Handler<T, Console>,
    T: 'static,
{
    let (needs, bytes) = (Needs::Role(permission), limits::UPLOAD_BYTES);
    Entry::post(path, Asks { needs, bytes }, handler)
}

/// Returns every route of the console.
pub(crate) fn routes() -> Routes {
    let mut routes = Vec::new();
    routes.extend(sign_in::routes());
    routes.extend(security::routes());
    routes.extend(pages::api_keys::routes());
    routes.extend(pages::activate::routes());
    routes.extend(pages::dashboard::routes());
    routes.extend(pages::mappings::routes());
    routes.extend(pages::applications::routes());
    routes.extend(pages::logs::routes());
    routes.extend(pages::integrations::routes());
    routes.extend(pages::activity::routes());
    routes.extend(pages::history::routes());
    routes.extend(pages::reports::routes());
    routes.extend(pages::organisation::routes());
    routes.extend(pages::invitations::routes());
    routes.extend(pages::groups::routes());
    routes.extend(pages::users::routes());
    routes.extend(pages::requests::routes());
    routes.extend(pages::webhooks::routes());
    routes
}

/// Returns the table of the console.
pub(crate) fn table() -> Table<Console, Asks> {
    Table::new(routes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_needs_no_more_than_reading_and_changing_needs_more() {
        for info in table().list() {
            let Policy::Console(needs) = info.policy else {
                panic!("{}: {:?}", info.path, info.policy);
            };
            match (info.method.as_str(), needs) {
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
