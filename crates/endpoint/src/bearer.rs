//! Who asks: the bearer token of one integration of the organisation in the path.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rollcall_app::Failure as App;
use rollcall_app::traffic::Whose;
use rollcall_web::bearer;
use rollcall_web::gate::Seen;
use rollcall_web::room::Room;

use crate::Endpoint;
use crate::failure::Failure;

/// Checks the token before anything else of the request is looked at, and leaves the [`rollcall_app::tokens::Caller`] for the
/// handlers; and [`Whose`] token it was for whoever records the answer.
pub(crate) async fn check(
    State(endpoint): State<Endpoint>,
    Path(parameters): Path<std::collections::HashMap<String, String>>,
    axum::Extension(Seen { id, address }): axum::Extension<Seen>,
    axum::Extension(room): axum::Extension<Arc<Room>>,
    mut request: Request,
    next: Next,
) -> Response {
    let slug = parameters
        .get("organisation")
        .map(String::as_str)
        .unwrap_or_default();
    let authenticated = match bearer::secret(request.headers()) {
        Some(token) => {
            let address = address.map(|address| address.to_string());
            endpoint.app.authenticate(slug, &token, id, address).await
        }
        None => Err(App::Unauthenticated {
            reason: "send the provisioning token in one header `Authorization: Bearer rc_…`",
        }),
    };
    match authenticated {
        Ok(caller) => {
            let whose = Whose::Known {
                organisation: caller.organisation.id,
                integration: caller.integration,
                token: caller.token,
            };
            let organisation = caller.organisation.id;
            let mut response = if let Err(wait) = endpoint.rates.request(organisation, caller.token)
            {
                Failure::TooMany(wait).into_response()
            } else {
                // kept until the request is answered: what was read of its body is worked on
                let place = room.place(organisation);
                request.extensions_mut().insert(Arc::clone(&place));
                request.extensions_mut().insert(caller);
                next.run(request).await
            };
            response.extensions_mut().insert(whose);
            response
        }
        Err(failure) => {
            let failed = matches!(failure, App::Unauthenticated { .. });
            match address
                .filter(|_| failed)
                .map(|address| endpoint.rates.failure(address))
            {
                Some(Err(wait)) => Failure::TooMany(wait).into_response(),
                _ => Failure::from(failure).into_response(),
            }
        }
    }
}
