//! Who asks: the API key, which says which organisation it opens and what it may do there.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use rollcall_app::Failure;
use rollcall_model::KeyRole;
use rollcall_web::bearer;
use rollcall_web::gate::Seen;

use crate::Api;
use crate::problem::Problem;

/// Checks the key before anything else of the request is looked at, and leaves the [`rollcall_app::api_keys::KeyHolder`] for the handlers.
pub(crate) async fn check(
    State((api, needed)): State<(Api, KeyRole)>,
    axum::Extension(Seen { id, address }): axum::Extension<Seen>,
    mut request: Request,
    next: Next,
) -> Response {
    let authenticated = match bearer::secret(request.headers()) {
        Some(key) => {
            let address = address.map(|address| address.to_string());
            api.app.authenticate_key(&key, id, address).await
        }
        None => Err(Failure::Unauthenticated {
            reason: "send an API key in one header `Authorization: Bearer rk_…`",
        }),
    };
    let problem = match authenticated {
        Ok(holder) => {
            let organisation = holder.organisation.id;
            if let Err(wait) = api.rates.request_of_key(organisation, holder.key) {
                Problem::TooMany(wait)
            } else if holder.role < needed {
                Problem::Role(needed)
            } else {
                request.extensions_mut().insert(holder);
                return next.run(request).await;
            }
        }
        Err(failure) => {
            let failed = matches!(failure, Failure::Unauthenticated { .. });
            match address
                .filter(|_| failed)
                .map(|address| api.rates.failure(address))
            {
                Some(Err(wait)) => Problem::TooMany(wait),
                _ => failure.into(),
            }
        }
    };
    problem.told(Some(id))
}

pub(crate) async fn no_path(axum::Extension(Seen { id, .. }): axum::Extension<Seen>) -> Response {
    Problem::NoRoute.told(Some(id))
}

pub(crate) async fn no_method(axum::Extension(Seen { id, .. }): axum::Extension<Seen>) -> Response {
    Problem::Method.told(Some(id))
}
