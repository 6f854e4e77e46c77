//! What is done to an application as a whole: started, stopped, run, restarted, compared, held lists released, deleted.
//!
//! What cannot be undone, or takes access away from many, has a page of its own.

use askama::Template;
use axum::extract::{Path, State as Shared};
use axum::response::Response;
use rollcall_app::Failure;
use rollcall_model::provisioning::ResetScope;
use rollcall_model::{ApplicationId, Kind, Permission};

use super::{Head, Tab, parsed};
use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Mistakes, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::{Moment, counted, number, people};

/// How many of those who are held are shown.
const SHOWN: usize = 100;

pub(super) fn routes() -> Routes {
    let manage = Needs::Role(Permission::ManageProvisioning);
    vec![
        action("/applications/{id}/start", manage, start),
        action("/applications/{id}/stop", manage, stop),
        action("/applications/{id}/run", manage, run),
        action("/applications/{id}/compare", manage, compare),
        action("/applications/{id}/repair", manage, repair),
        page("/applications/{id}/restart", manage, ask_restart),
        action("/applications/{id}/restart", manage, restart),
        page(
            "/applications/{id}/held",
            Needs::Role(Permission::Read),
            look_at_held,
        ),
        action("/applications/{id}/held", manage, release),
        page("/applications/{id}/delete", manage, ask_delete),
        action("/applications/{id}/delete", manage, delete),
    ]
}

#[derive(Debug, Template)]
#[template(path = "applications/restart.html")]
struct RestartPage {
    frame: Frame,
    head: Head,
    in_use: u64,
}

#[derive(Debug)]
struct HeldRow {
    name: String,
    kind: &'static str,
    id: String,
    since: Moment,
}

#[derive(Debug, Template)]
#[template(path = "applications/held.html")]
struct HeldPage {
    frame: Frame,
    head: Head,
    may: bool,
    rows: Vec<HeldRow>,
    what: String,
    count: u64,
    rest: String,
    has_rest: bool,
    code: String,
    mistakes: Mistakes,
}

#[derive(Debug, Template)]
#[template(path = "applications/delete.html")]
struct DeletePage {
    frame: Frame,
    head: Head,
    in_use: u64,
    typed: String,
    mistakes: Mistakes,
}

fn home(id: ApplicationId) -> String {
    format!("/applications/{id}")
}

async fn start(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = console.changeable(&known, parsed(&id)?).await?.id;
    let started = console.app.start(&known.visitor.context(), id).await;
    match started {
        Err(Failure::Forbidden { .. }) => {
            let flash = Flash::warn("Enter the Tenant URL and the Secret Token first, then start.");
            let to = format!("{}/provisioning", home(id));
            Ok(layout::done(&console, &to, &flash))
        }
        started => {
            started?;
            let flash = Flash::ok("Provisioning is switched on. The first cycle begins now.");
            Ok(layout::done(&console, &home(id), &flash))
        }
    }
}

async fn stop(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = console.changeable(&known, parsed(&id)?).await?.id;
    console.app.stop(&known.visitor.context(), id).await?;
    let flash = Flash::ok("Provisioning is switched off. What was provisioned stays as it is.");
    Ok(layout::done(&console, &home(id), &flash))
}

async fn run(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = console.changeable(&known, parsed(&id)?).await?.id;
    let context = known.visitor.context();
    console.app.ask_for_cycle(&context, id).await?;
    let flash = Flash::ok("A cycle begins now, or as soon as the running one ends.");
    Ok(layout::done(&console, &home(id), &flash))
}

async fn compare(
    shared: Shared<Console>,
    known: Known,
    path: Path<String>,
) -> Result<Response, Problem> {
    ask_for_comparison(shared, &known, path, false).await
}

async fn repair(
    shared: Shared<Console>,
    known: Known,
    path: Path<String>,
) -> Result<Response, Problem> {
    ask_for_comparison(shared, &known, path, true).await
}

async fn ask_for_comparison(
    Shared(console): Shared<Console>,
    known: &Known,
    Path(id): Path<String>,
    repairs: bool,
) -> Result<Response, Problem> {
    let id = console.changeable(known, parsed(&id)?).await?.id;
    let context = known.visitor.context();
    console
        .app
        .ask_for_comparison(&context, id, repairs)
        .await?;
    let flash = if repairs {
        Flash::ok("Both ends are compared, and what differs is repaired.")
    } else {
        Flash::ok("Both ends are compared. What differs is shown here.")
    };
    Ok(layout::done(
        &console,
        &format!("{}#drift", home(id)),
        &flash,
    ))
}

async fn ask_restart(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = console.changeable(&known, parsed(&id)?).await?.id;
    let context = known.visitor.context();
    let listed = console.app.application_listed(&context, id).await?;
    let (_, head) = console.application_head(&known, id, Tab::None).await?;
    let title = format!("Restart {}", head.name);
    let frame = console.frame(&known, Place::Applications, &title).await?;
    Ok(layout::rendered(&RestartPage {
        frame,
        head,
        in_use: listed.in_use,
    }))
}

async fn restart(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let id = console.changeable(&known, parsed(&id)?).await?.id;
    let scope = ResetScope {
        watermark: form.has("watermark"),
        escrows: form.has("escrows"),
        quarantine: form.has("quarantine"),
        links: form.has("links"),
        force_deletes: false,
    };
    console
        .app
        .restart(&known.visitor.context(), id, scope)
        .await?;
    let flash = Flash::ok("Reset. The next cycle begins with it.");
    Ok(layout::done(&console, &home(id), &flash))
}

impl Console {
    async fn held_page(
        &self,
        known: &Known,
        id: ApplicationId,
        mistakes: Mistakes,
    ) -> Result<HeldPage, Problem> {
        let context = known.visitor.context();
        let held = self.app.held(&context, id).await?;
        let (_, head) = self.application_head(known, id, Tab::None).await?;
        let title = if mistakes.is_empty() {
            format!("Who is held · {}", head.name)
        } else {
            format!("Error: Who is held · {}", head.name)
        };
        let frame = self.frame(known, Place::Applications, &title).await?;
        let zone = self.zone(known);
        let users = held.links.iter().filter(|link| link.kind == Kind::User);
        let users = users.count() as u64;
        let count = held.links.len() as u64;
        let rows = held.links.iter().take(SHOWN).map(|link| HeldRow {
            name: link.name.clone().unwrap_or_else(|| link.object.to_string()),
            kind: match link.kind {
                Kind::User => "user",
                Kind::Group => "group",
            },
            id: link.object.to_string(),
            since: zone.short(link.changed),
        });
        let rest = count.saturating_sub(SHOWN as u64);
        Ok(HeldPage {
            may: frame.may.provisioning && head.job_file.is_none(),
            rows: rows.collect(),
            what: match (users, count - users) {
                (users, 0) => people(users),
                (0, groups) => counted(groups, "group"),
                (users, groups) => format!("{} and {}", people(users), counted(groups, "group")),
            },
            count,
            rest: number(rest),
            has_rest: rest > 0,
            code: held.code(),
            frame,
            head,
            mistakes,
        })
    }
}

async fn look_at_held(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let page = console
        .held_page(&known, parsed(&id)?, Mistakes::default())
        .await?;
    Ok(layout::rendered(&page))
}

async fn release(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let id = console.changeable(&known, parsed(&id)?).await?.id;
    let context = known.visitor.context();
    let code = form.text("code").to_owned();
    let again = async |text: &str| {
        let mistakes = Mistakes::one("confirm", text);
        let page = console.held_page(&known, id, mistakes).await?;
        Ok(layout::rendered_again(&page))
    };
    let typed: String = form.text("confirm").replace([',', ' '], "");
    if form.text("count") != typed {
        return again("Type the number of those who are held, to show that you have seen it.")
            .await;
    }
    match console.app.allow_deletions(&context, id, code).await {
        Ok(count) => {
            let text = format!("{} may go. The next cycle does it.", number(count));
            Ok(layout::done(&console, &home(id), &Flash::ok(text)))
        }
        Err(Failure::Precondition) => {
            again("The list has changed since you saw it: nobody was released. This is the list as it is now.").await
        }
        Err(failure) => Err(failure.into()),
    }
}

impl Console {
    async fn delete_page(
        &self,
        known: &Known,
        id: ApplicationId,
        typed: &str,
        mistakes: Mistakes,
    ) -> Result<DeletePage, Problem> {
        let context = known.visitor.context();
        let listed = self.app.application_listed(&context, id).await?;
        let (_, head) = self.application_head(known, id, Tab::None).await?;
        let title = if mistakes.is_empty() {
            format!("Delete {}", head.name)
        } else {
            format!("Error: Delete {}", head.name)
        };
        let frame = self.frame(known, Place::Applications, &title).await?;
        Ok(DeletePage {
            frame,
            head,
            in_use: listed.in_use,
            typed: typed.to_owned(),
            mistakes,
        })
    }
}

async fn ask_delete(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = console.changeable(&known, parsed(&id)?).await?.id;
    let page = console
        .delete_page(&known, id, "", Mistakes::default())
        .await?;
    Ok(layout::rendered(&page))
}

async fn delete(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let application = console.changeable(&known, parsed(&id)?).await?;
    let typed = form.text("name");
    if typed != application.name.trim() {
        let mistakes = Mistakes::one("name", "Type the name exactly as it is shown.");
        let page = console
            .delete_page(&known, application.id, typed, mistakes)
            .await?;
        return Ok(layout::rendered_again(&page));
    }
    let context = known.visitor.context();
    console
        .app
        .remove_application(&context, application.id)
        .await?;
    let text = format!(
        "{} is deleted. Whom it provisioned stays in the target as they are.",
        application.name
    );
    Ok(layout::done(&console, "/applications", &Flash::ok(text)))
}

#[cfg(any(test, feature = "samples"))]
pub(super) fn samples() -> Vec<(String, String)> {
    use crate::layout::sample::{HOSTILE, frame};

    let zone = super::sample::zone();
    let head = |name: &str| super::sample::head(name, Tab::None, ("warn", "alert", "Held"));
    let held = |rows: Vec<HeldRow>, mistakes| HeldPage {
        frame: frame(Place::Applications, "Who is held"),
        head: head(HOSTILE),
        may: true,
        count: rows.len() as u64,
        what: people(rows.len() as u64),
        rows,
        rest: "0".to_owned(),
        has_rest: false,
        code: "3f9c21ab".to_owned(),
        mistakes,
    };
    let row = |name: &str| HeldRow {
        name: name.to_owned(),
        kind: "user",
        id: "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77".to_owned(),
        since: zone.short(zone.now()),
    };
    let rows = || {
        let many = std::iter::repeat_n("marek.dvorak@alderbrook.example", 64);
        many.chain([HOSTILE]).map(row).collect::<Vec<_>>()
    };
    let changed = "The list has changed since you saw it: nobody was released. This is the list as it is now.";
    let restart = RestartPage {
        frame: frame(Place::Applications, "Restart"),
        head: head("Keyhaven"),
        in_use: 8_412,
    };
    let delete = |mistakes| DeletePage {
        frame: frame(Place::Applications, "Delete"),
        head: head(HOSTILE),
        in_use: 8_412,
        typed: String::new(),
        mistakes,
    };
    let wrong = Mistakes::one("name", "Type the name exactly as it is shown.");
    vec![
        (
            "application-held-list".to_owned(),
            held(rows(), Mistakes::default())
                .render()
                .unwrap_or_default(),
        ),
        (
            "application-held-none".to_owned(),
            held(Vec::new(), Mistakes::default())
                .render()
                .unwrap_or_default(),
        ),
        (
            "application-held-changed".to_owned(),
            held(rows(), Mistakes::one("confirm", changed))
                .render()
                .unwrap_or_default(),
        ),
        (
            "application-restart".to_owned(),
            restart.render().unwrap_or_default(),
        ),
        (
            "application-delete".to_owned(),
            delete(Mistakes::default()).render().unwrap_or_default(),
        ),
        (
            "application-delete-wrong".to_owned(),
            delete(wrong).render().unwrap_or_default(),
        ),
    ]
}
