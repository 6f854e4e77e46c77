//! Invitations of one person: sent again, handed over as a link, and begun anew when the password was lost.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use rollcall_app::Failure;
use rollcall_app::administrators::Handed;
use rollcall_app::directory::{Wanted, title};
use rollcall_model::{Kind, ResourceId};

use super::change::{ask, parsed};
use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Place};
use crate::pages::object_question::Verb;
use crate::problem::Problem;
use crate::words::{counted, sentence};

/// A page that shows a link, once.
#[derive(Debug, Template)]
#[template(path = "invitation_link.html")]
pub(super) struct LinkPage {
    pub(super) frame: Frame,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) link: String,
}

pub(super) async fn send(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let context = known.visitor.context();
    console
        .answered(
            &known,
            id,
            console
                .app
                .send_invitation(&context, id)
                .await
                .map(|()| Handed::Nothing),
        )
        .await
}

pub(super) async fn hand(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let handed = console
        .app
        .hand_invitation(&known.visitor.context(), id)
        .await;
    console.answered(&known, id, handed).await
}

pub(super) async fn ask_reset(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    ask(&console, &known, &id, Verb::ResetActivation).await
}

pub(super) async fn reset(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let handed = console
        .app
        .reset_activation(&known.visitor.context(), id)
        .await;
    console.answered(&known, id, handed).await
}

pub(super) async fn confirm_address(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let address = form.text("address").parse();
    let address = address.map_err(|_| {
        Problem::refused("the form names no address: load this person's page again".to_owned())
    })?;
    let context = known.visitor.context();
    console.app.confirm_address(&context, id, &address).await?;
    let flash = Flash::ok(format!(
        "Confirmed: invitations may go to {address} from now on."
    ));
    Ok(layout::done(&console, &format!("/users/{id}"), &flash))
}

impl Console {
    /// Goes back to the person, or shows the link that was made.
    async fn answered(
        &self,
        known: &Known,
        id: ResourceId,
        handed: Result<Handed, Failure>,
    ) -> Result<Response, Problem> {
        let flash = match handed {
            Ok(Handed::Link(link)) => {
                let context = known.visitor.context();
                let shown = self
                    .app
                    .get(&context, Kind::User, id, Wanted::NOTHING)
                    .await?;
                let frame = self.frame(known, Place::Users, "Invitation link").await?;
                return Ok(layout::rendered(&LinkPage {
                    frame,
                    id: id.to_string(),
                    name: title(&shown.entry),
                    link: link.expose().to_owned(),
                }));
            }
            Ok(Handed::Nothing) => Flash::ok(
                "The invitation is on its way. A link that was sent before does not work any more.",
            ),
            Err(Failure::TooMany { seconds }) => Flash::warn(format!(
                "No invitation was sent: three went to this person within an hour. The next one can be sent in {}.",
                counted(seconds.div_ceil(60), "minute")
            )),
            Err(Failure::Forbidden { reason }) => {
                Flash::warn(format!("No invitation was sent. {}", sentence(&reason)))
            }
            Err(failure) => return Err(failure.into()),
        };
        Ok(layout::done(self, &format!("/users/{id}"), &flash))
    }
}
