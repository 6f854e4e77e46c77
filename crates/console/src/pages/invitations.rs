//! Whether people whom a directory creates are invited, and the question before everybody is: parts of the organisation's page.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use rollcall_app::invitations::MANY;
use rollcall_model::Permission;

use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::{number, people};

/// Where it is shown.
const PAGE: &str = "/settings/organisation";

pub(crate) fn routes() -> Routes {
    let manage = Needs::Role(Permission::ManageOrganisation);
    vec![
        action("/settings/organisation/invitations", manage, save),
        page("/settings/organisation/invite-everybody", manage, ask),
        action("/settings/organisation/invite-everybody", manage, invite),
    ]
}

/// What the organisation's page says of invitations.
#[derive(Debug)]
pub(crate) struct Invitations {
    pub(crate) on: bool,
    pub(crate) sends_mail: bool,
    /// How many could be invited, in words; absent: nobody.
    pub(crate) waiting: Option<String>,
}

/// The question before everybody is invited.
#[derive(Debug, Template)]
#[template(path = "invite_everybody.html")]
struct QuestionPage {
    frame: Frame,
    /// How many, in words; absent: nobody.
    waiting: Option<String>,
    many: u64,
    is_more: bool,
    sends_mail: bool,
}

/// Names a number of people that was counted up to [`MANY`].
pub(crate) fn counted_up(count: u64) -> Option<String> {
    match count {
        0 => None,
        count if count > MANY => Some(format!("more than {} people", number(MANY))),
        count => Some(people(count)),
    }
}

async fn save(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let on = form.text("invitations") == "on";
    let context = known.visitor.context();
    console.app.set_invitations(&context, on).await?;
    let flash = Flash::ok(if on {
        "From now on, people whom a directory creates are invited by mail."
    } else {
        "No invitations are sent by themselves any more. Links that were sent still work."
    });
    Ok(layout::done(&console, PAGE, &flash))
}

fn question(frame: Frame, count: u64, sends_mail: bool) -> QuestionPage {
    QuestionPage {
        frame,
        waiting: counted_up(count),
        many: MANY,
        is_more: count > MANY,
        sends_mail,
    }
}

async fn ask(State(console): State<Console>, known: Known) -> Result<Response, Problem> {
    let context = known.visitor.context();
    let count = console.app.count_uninvited(&context).await?;
    let title = "Invite everybody who is not active yet?";
    let frame = console.frame(&known, Place::Organisation, title).await?;
    let sends_mail = console.app.settings().sends_mail;
    Ok(layout::rendered(&question(frame, count, sends_mail)))
}

async fn invite(State(console): State<Console>, known: Known) -> Result<Response, Problem> {
    let context = known.visitor.context();
    let done = console.app.invite_everybody(&context).await?;
    let mut text = format!(
        "{} {} invited. The mails go out one after the other.",
        people(done.invited),
        if done.invited == 1 { "is" } else { "are" }
    );
    if done.passed_over > 0 {
        text.push_str(&format!(
            " {} could not be: they have no e-mail address, or were sent three invitations within the last hour.",
            people(done.passed_over)
        ));
    }
    if done.more {
        text.push_str(" There are more: invite them the same way.");
    }
    Ok(layout::done(&console, PAGE, &Flash::ok(text)))
}

#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<(String, String)> {
    let page = |count, sends_mail| {
        let title = "Invite everybody who is not active yet?";
        let frame = crate::layout::sample::frame(Place::Organisation, title);
        let page = question(frame, count, sends_mail).render();
        page.unwrap_or_default()
    };
    vec![
        ("invite-everybody".to_owned(), page(1_126, true)),
        ("invite-everybody-one".to_owned(), page(1, true)),
        ("invite-everybody-nobody".to_owned(), page(0, true)),
        ("invite-everybody-many".to_owned(), page(MANY + 1, true)),
        ("invite-everybody-no-mail".to_owned(), page(1_126, false)),
    ]
}
