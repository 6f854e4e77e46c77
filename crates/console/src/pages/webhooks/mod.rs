//! Settings, webhooks and events: endpoints of other systems, how deliveries to them go, and what is done about them.

mod view;

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::response::Response;
use rollcall_app::Failure;
use rollcall_app::webhooks::{
    Former, Missed, NewWebhook, WebhookChange, unusable_events, unusable_name, unusable_url,
};
use rollcall_model::webhook::{Answer, Wanted};
use rollcall_model::{EventType, Permission, Webhook, WebhookId};

use crate::Console;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Mistakes, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use view::{Fresh, Material, Typed};

const TITLE: &str = "Webhooks and events";
/// How many deliveries a page shows.
const SHOWN: u64 = 25;

pub(crate) fn routes() -> Routes {
    let read = Needs::Role(Permission::Read);
    let manage = Needs::Role(Permission::ManageProvisioning);
    // what makes or ends a secret needs a proof
    let fresh = Needs::Fresh(Permission::ManageProvisioning);
    vec![
        page("/settings/webhooks", read, look),
        page("/settings/webhooks/new", manage, ask_new),
        action("/settings/webhooks", fresh, add),
        page("/settings/webhooks/{id}", manage, ask_change),
        action("/settings/webhooks/{id}", fresh, change),
        action("/settings/webhooks/{id}/pause", manage, pause),
        action("/settings/webhooks/{id}/resume", manage, resume),
        action("/settings/webhooks/{id}/test", manage, test),
        action(
            "/settings/webhooks/{id}/deliveries/{number}/retry",
            manage,
            retry,
        ),
        page("/settings/webhooks/{id}/rotate", manage, ask_rotate),
        action("/settings/webhooks/{id}/rotate", fresh, rotate),
        page("/settings/webhooks/{id}/remove", manage, ask_remove),
        action("/settings/webhooks/{id}/remove", fresh, remove),
    ]
}

fn id_of(text: &str) -> Result<WebhookId, Problem> {
    text.parse().map_err(|_| Problem::missing())
}

/// The address of the page with an endpoint chosen.
fn at(id: WebhookId) -> String {
    format!("/settings/webhooks?id={id}")
}

/// What the page is asked for.
#[derive(Debug, Default)]
struct Asked {
    id: Option<WebhookId>,
    before: Option<u64>,
    /// The delivery whose event is shown.
    number: Option<u64>,
}

impl Console {
    async fn webhook(&self, known: &Known, text: &str) -> Result<Webhook, Problem> {
        let id = id_of(text)?;
        let all = self.app.webhooks(&known.visitor.context()).await?;
        let mut all = all.into_iter().map(|standing| standing.webhook);
        all.find(|one| one.id == id).ok_or_else(Problem::missing)
    }

    async fn webhooks_page(
        &self,
        known: &Known,
        asked: Asked,
        fresh: Option<Fresh>,
    ) -> Result<Response, Problem> {
        let context = known.visitor.context();
        let standings = self.app.webhooks(&context).await?;
        let chosen = match asked.id {
            None => standings.first(),
            Some(id) => Some(
                standings
                    .iter()
                    .find(|one| one.webhook.id == id)
                    .ok_or_else(Problem::missing)?,
            ),
        };
        let (mut deliveries, mut event) = (Vec::new(), None);
        if let Some(chosen) = chosen {
            let id = chosen.webhook.id;
            let found = self
                .app
                .webhook_deliveries(&context, id, asked.before, SHOWN + 1);
            deliveries = found.await?;
            if let Some(number) = asked.number {
                let before = number.checked_add(1);
                let found = self.app.webhook_deliveries(&context, id, before, 1).await?;
                let found = found.into_iter().find(|(place, _)| *place == number);
                event = Some(found.ok_or_else(Problem::missing)?.1.event);
            }
        }
        let frame = self.frame(known, Place::Webhooks, TITLE).await?;
        let material = Material {
            chosen: chosen.map(|chosen| chosen.webhook.id),
            slug: known.visitor.organisation.slug.to_string(),
            is_first: asked.before.is_none(),
            standings,
            deliveries,
            event,
            fresh,
        };
        let zone = self.zone(known);
        Ok(layout::rendered(&view::page(frame, &material, &zone)))
    }

    async fn webhook_form(
        &self,
        known: &Known,
        typed: Typed,
        mistakes: Mistakes,
    ) -> Result<view::FormPage, Problem> {
        let title = match (&typed.id, mistakes.is_empty()) {
            (None, true) => "Add a webhook",
            (None, false) => "Error: Add a webhook",
            (Some(_), true) => "Change a webhook",
            (Some(_), false) => "Error: Change a webhook",
        };
        let frame = self.frame(known, Place::Webhooks, title).await?;
        Ok(view::form(frame, typed, mistakes))
    }

    /// Reads the form of an endpoint; what cannot be used is said at its field.
    fn webhook_typed(&self, id: Option<WebhookId>, form: &Form) -> (Typed, NewWebhook, Mistakes) {
        let mut mistakes = Mistakes::default();
        let events = if form.text("which") == "all" {
            Wanted::All
        } else {
            let types = form.all("event").filter_map(|word| word.parse().ok());
            Wanted::Only(types.collect::<BTreeSet<EventType>>())
        };
        let mut new = NewWebhook {
            name: form.text("name").to_owned(),
            url: form.text("url").to_owned(),
            events,
        };
        let typed = Typed {
            id,
            version: form.text("version").to_owned(),
            name: new.name.clone(),
            url: new.url.clone(),
            events: new.events.clone(),
        };
        if let Some(reason) = unusable_name(&new.name) {
            mistakes.add("name", reason);
        }
        match self.engine.client().address(&new.url) {
            Ok(url) => new.url = url.to_string(),
            Err(refused) => mistakes.add("url", refused.to_string()),
        }
        if let Some(reason) = unusable_url(&new.url) {
            mistakes.add("url", reason);
        }
        if let Some(reason) = unusable_events(&new.events) {
            mistakes.add("which", reason);
        }
        (typed, new, mistakes)
    }
}

async fn look(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let asked = Asked {
        id: form.filled("id").map(id_of).transpose()?,
        before: form.text("before").parse().ok(),
        number: form.text("delivery").parse().ok(),
    };
    console.webhooks_page(&known, asked, None).await
}

async fn ask_new(State(console): State<Console>, known: Known) -> Result<Response, Problem> {
    let typed = Typed {
        id: None,
        version: String::new(),
        name: String::new(),
        url: String::new(),
        events: Wanted::All,
    };
    let page = console.webhook_form(&known, typed, Mistakes::default());
    Ok(layout::rendered(&page.await?))
}

/// Adds an endpoint and shows its secret in the answer to the form itself, so that loading the page again does not show it again.
async fn add(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let (typed, new, mistakes) = console.webhook_typed(None, &form);
    if !mistakes.is_empty() {
        let page = console.webhook_form(&known, typed, mistakes).await?;
        return Ok(layout::rendered_again(&page));
    }
    let added = console.app.add_webhook(&known.visitor.context(), new).await;
    match added {
        Ok((webhook, secret)) => {
            let asked = Asked {
                id: Some(webhook.id),
                ..Asked::default()
            };
            let fresh = Fresh::new(&webhook, &secret, "It signs every request from now on.");
            console.webhooks_page(&known, asked, Some(fresh)).await
        }
        Err(failure) => console.webhook_again(&known, typed, failure).await,
    }
}

impl Console {
    /// Shows the form again when the name is in use.
    async fn webhook_again(
        &self,
        known: &Known,
        typed: Typed,
        failure: Failure,
    ) -> Result<Response, Problem> {
        if !matches!(failure, Failure::Taken { .. }) {
            return Err(failure.into());
        }
        let mistakes = Mistakes::one("name", failure.to_string());
        let page = self.webhook_form(known, typed, mistakes).await?;
        Ok(layout::rendered_again(&page))
    }
}

async fn ask_change(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let webhook = console.webhook(&known, &id).await?;
    let typed = Typed {
        id: Some(webhook.id),
        version: webhook.version(),
        name: webhook.name,
        url: webhook.url,
        events: webhook.events,
    };
    let page = console.webhook_form(&known, typed, Mistakes::default());
    Ok(layout::rendered(&page.await?))
}

async fn change(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let id = console.webhook(&known, &id).await?.id;
    let (typed, new, mistakes) = console.webhook_typed(Some(id), &form);
    if !mistakes.is_empty() {
        let page = console.webhook_form(&known, typed, mistakes).await?;
        return Ok(layout::rendered_again(&page));
    }
    let change = WebhookChange {
        name: Some(new.name),
        url: Some(new.url),
        events: Some(new.events),
        expected: Some(typed.version.clone()),
    };
    let context = known.visitor.context();
    match console.app.change_webhook(&context, id, change).await {
        Ok((webhook, Some(secret))) => {
            let asked = Asked {
                id: Some(id),
                ..Asked::default()
            };
            let text = "The address is another one, so the old secret was forgotten.";
            let fresh = Fresh::new(&webhook, &secret, text);
            console.webhooks_page(&known, asked, Some(fresh)).await
        }
        Ok((_, None)) => Ok(layout::done(
            &console,
            &at(id),
            &Flash::ok("The webhook was saved."),
        )),
        Err(failure) => console.webhook_again(&known, typed, failure).await,
    }
}

async fn pause(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id_of(&id)?;
    let context = known.visitor.context();
    console.app.pause_webhook(&context, id).await?;
    let flash = Flash::ok("The webhook is paused. What happens meanwhile is kept.");
    Ok(layout::done(&console, &at(id), &flash))
}

async fn resume(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let id = id_of(&id)?;
    let (missed, text) = if form.text("missed") == "leave-out" {
        let text = "The webhook is told what happens from now on.";
        (Missed::LeaveOut, text)
    } else {
        let text = "The webhook is told what happens, and what happened meanwhile.";
        (Missed::Deliver, text)
    };
    let context = known.visitor.context();
    console.app.resume_webhook(&context, id, missed).await?;
    Ok(layout::done(&console, &at(id), &Flash::ok(text)))
}

async fn test(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id_of(&id)?;
    let context = known.visitor.context();
    let Some(_place) = console.tests.place(context.tenant().organisation()) else {
        let flash = Flash::warn("Other tests are under way. Wait until they have ended.");
        return Ok(layout::done(&console, &at(id), &flash));
    };
    let tested = console.engine.test_webhook(&context, id).await;
    let delivery = tested.map_err(|error| match error {
        rollcall_engine::Error::Failed(failure) => Problem::from(failure),
        _ => Problem::internal("a test of a webhook"),
    })?;
    let flash = match &delivery.last {
        Some(answer) if answer.is_good() => {
            let took = answer.milliseconds;
            Flash::ok(format!("The test event arrived, in {took} ms."))
        }
        Some(answer) => Flash::warn(format!("The test event did not arrive: {}.", said(answer))),
        None => Flash::warn("The test event did not arrive."),
    };
    Ok(layout::done(&console, &at(id), &flash))
}

fn said(answer: &Answer) -> String {
    rollcall_app::webhooks::rounds::said(answer)
}

async fn retry(
    State(console): State<Console>,
    known: Known,
    Path((id, number)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let id = id_of(&id)?;
    let number = number.parse().map_err(|_| Problem::missing())?;
    let context = known.visitor.context();
    console
        .app
        .send_delivery_again(&context, id, number)
        .await?;
    let flash = Flash::ok("It is sent in a moment.");
    Ok(layout::done(&console, &at(id), &flash))
}

async fn ask_rotate(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let webhook = console.webhook(&known, &id).await?;
    let title = "Rotate a secret";
    let frame = console.frame(&known, Place::Webhooks, title).await?;
    let zone = console.zone(&known);
    Ok(layout::rendered(&view::rotate_page(frame, &webhook, &zone)))
}

async fn rotate(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let id = id_of(&id)?;
    let (former, text) = match form.text("former") {
        "overlaps" => {
            let text = "For a day, every request is signed with the old secret as well.";
            (Former::Overlaps, text)
        }
        "ends" => {
            let text = "The old secret does not sign any more.";
            (Former::Ends, text)
        }
        _ => {
            let why = "choose how long the old secret keeps signing";
            return Err(Problem::refused(why.to_owned()));
        }
    };
    let context = known.visitor.context();
    let (webhook, secret) = console
        .app
        .rotate_webhook_secret(&context, id, former)
        .await?;
    let asked = Asked {
        id: Some(id),
        ..Asked::default()
    };
    let fresh = Fresh::new(&webhook, &secret, text);
    console.webhooks_page(&known, asked, Some(fresh)).await
}

async fn ask_remove(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let webhook = console.webhook(&known, &id).await?;
    let all = console.app.webhooks(&known.visitor.context()).await?;
    let waiting = all.iter().find(|one| one.webhook.id == webhook.id);
    let waiting = waiting.map_or(0, |one| one.waiting);
    let title = "Remove a webhook";
    let frame = console.frame(&known, Place::Webhooks, title).await?;
    Ok(layout::rendered(&view::remove_page(
        frame, &webhook, waiting,
    )))
}

async fn remove(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id_of(&id)?;
    let context = known.visitor.context();
    console.app.remove_webhook(&context, id).await?;
    let flash = Flash::ok("The webhook was removed. It is told nothing any more.");
    Ok(layout::done(&console, "/settings/webhooks", &flash))
}

#[cfg(any(test, feature = "samples"))]
pub(crate) use samples::samples;

#[cfg(any(test, feature = "samples"))]
mod samples;
