//! One person or group: as it was at an instant, and the way back to that.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use rollcall_app::directory::Named;
use rollcall_app::history::{Changed, Deed, Moment as Then, Revert, Span};
use rollcall_app::{App, Failure};
use rollcall_model::{Kind, ResourceId};
use serde_json::Value;

use super::{NOW, differences, instant, list, meanwhile, reason, verb, when};
use crate::Console;
use crate::code::{self, Line};
use crate::deeds::{Difference, Row};
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Place};
use crate::people::{self, Attribute};
use crate::problem::Problem;
use crate::words::{Moment, Zone, counted, people, sentence};

/// So many who came into a group and went are named.
const MEMBERS: usize = 20;

/// Some of those who come or go, by name; and how many more there are.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) named: Vec<Named>,
    pub(super) count: u64,
    pub(super) more: String,
}

impl Names {
    pub(super) fn new(named: Vec<Named>, count: usize) -> Self {
        let rest = count.saturating_sub(named.len()) as u64;
        Self {
            named,
            count: count as u64,
            more: if rest > 0 {
                format!("and {} more", crate::words::number(rest))
            } else {
                String::new()
            },
        }
    }

    async fn of(app: &App, known: &Known, ids: &[ResourceId]) -> Result<Self, Problem> {
        let some = ids.iter().take(MEMBERS).copied().collect();
        let named = app.names(&known.visitor.context(), some).await?;
        Ok(Self::new(named, ids.len()))
    }
}

/// Which object, at which instant.
#[derive(Debug, Clone)]
pub(super) struct Which {
    pub(super) kind: Kind,
    pub(super) id: ResourceId,
    pub(super) at: Timestamp,
}

impl Which {
    fn new(kind: Kind, id: &str, form: &Form, zone: &Zone) -> Result<Self, Problem> {
        let id = id.parse().map_err(|_| Problem::missing())?;
        let at = instant(form.text("at"), zone, false).map_err(Problem::refused)?;
        let at = at.ok_or_else(|| {
            Problem::refused("this page needs the instant to go back to, as `at`".to_owned())
        })?;
        Ok(Self { kind, id, at })
    }

    fn place(&self) -> Place {
        match self.kind {
            Kind::User => Place::Users,
            Kind::Group => Place::Groups,
        }
    }

    fn object(&self) -> (Kind, ResourceId) {
        (self.kind, self.id)
    }

    /// Returns the way back to it from a place of the feed.
    fn span(&self, to: Then) -> Span {
        Span {
            from: Then::At(self.at),
            to,
            object: Some(self.object()),
            by: None,
            deletes: false,
            most: None,
        }
    }
}

/// What pages about an object at an instant begin with.
#[derive(Debug)]
pub(super) struct Head {
    list: &'static str,
    list_title: &'static str,
    noun: &'static str,
    id: String,
    name: String,
    /// Whether it has a page of its own.
    is_there: bool,
    at: String,
    when: Moment,
}

impl Head {
    pub(super) fn new(which: &Which, changed: &Changed, name: String, zone: &Zone) -> Self {
        Self {
            list: list(which.kind),
            list_title: match which.kind {
                Kind::User => "Users",
                Kind::Group => "Groups",
            },
            noun: match which.kind {
                Kind::User => "account",
                Kind::Group => "group",
            },
            id: which.id.to_string(),
            name,
            is_there: changed.after.is_some(),
            at: which.at.to_string(),
            when: when(which.at, zone),
        }
    }

    /// Where the browser goes back to.
    fn home(&self) -> String {
        if self.is_there {
            format!("/{}/{}", self.list, self.id)
        } else {
            format!("/activity?object={}", self.id)
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "history_then.html")]
pub(super) struct ThenPage {
    pub(super) frame: Frame,
    pub(super) head: Head,
    /// What to know first: class, icon, title, text.
    pub(super) note: (&'static str, &'static str, String, String),
    pub(super) can_go_back: bool,
    pub(super) differences: Vec<Difference>,
    pub(super) more: String,
    pub(super) is_group: bool,
    pub(super) came: Names,
    pub(super) went: Names,
    pub(super) members: u64,
    pub(super) attributes: Vec<Attribute>,
    pub(super) lines: Vec<Line>,
}

pub(super) fn then_view(
    frame: Frame,
    head: Head,
    changed: &Changed,
    (came, went): (Names, Names),
) -> ThenPage {
    let past = changed.before.as_ref();
    let document = past.and_then(|past| past.document.clone());
    let (is_there, was_there) = (changed.after.is_some(), past.is_some());
    let is_same = !changed.is_another();
    let compared = is_there && document.is_some();
    let (differences, more) = if compared {
        differences(&changed.attributes())
    } else {
        (Vec::new(), String::new())
    };
    let noun = head.noun;
    let (class, icon, title, text) = match (was_there, is_there) {
        (false, false) => (
            "is-plain",
            "info",
            format!("The {noun} was not there"),
            "Neither then nor now. Another instant of its history may show it.",
        ),
        (false, true) => (
            "is-plain",
            "info",
            format!("The {noun} was not there yet"),
            "It was created later.",
        ),
        (true, _) if document.is_none() => (
            "is-plain",
            "info",
            "What it was has been erased".to_owned(),
            "Nobody can bring it back.",
        ),
        (true, false) => (
            "is-warn",
            "trash",
            format!("The {noun} has been deleted since"),
            "This is what it was. It can be created again as long as nobody else has its name, with the same id as long as the directory remembers it.",
        ),
        (true, true) if is_same => (
            "is-ok",
            "okc",
            "Nothing differs from today".to_owned(),
            "What it was then, it is now.",
        ),
        (true, true) => (
            "",
            "clock",
            "This is the past".to_owned(),
            "Today some of it is different, as listed below.",
        ),
    };
    let fields = document.as_ref().and_then(Value::as_object);
    ThenPage {
        frame,
        note: (class, icon, title, text.to_owned()),
        can_go_back: !is_same && document.is_some(),
        differences,
        more,
        is_group: changed.kind == Kind::Group,
        came,
        went,
        members: past.map_or(0, |past| past.members.len() as u64),
        attributes: fields.map(people::attributes_of).unwrap_or_default(),
        lines: document.as_ref().map(code::lines).unwrap_or_default(),
        head,
    }
}

impl Console {
    async fn changed_since(
        &self,
        known: &Known,
        which: &Which,
    ) -> Result<(Changed, Head), Problem> {
        let context = known.visitor.context();
        let moments = (Then::At(which.at), NOW);
        let changed = self.app.compared(&context, which.object(), moments).await?;
        let mut names = self.app.names(&context, vec![which.id]).await?;
        let name = names.pop().map(|named| named.name).unwrap_or_default();
        let head = Head::new(which, &changed, name, &self.zone(known));
        Ok((changed, head))
    }

    fn title(of: &Head, words: &str) -> String {
        let name: String = of.name.chars().take(60).collect();
        format!("{words} {name}, {}", of.when.text)
    }
}

async fn then(
    console: &Console,
    known: &Known,
    kind: Kind,
    id: &str,
    form: &Form,
) -> Result<Response, Problem> {
    let which = Which::new(kind, id, form, &console.zone(known))?;
    let _reading = console.reading(known)?;
    let (changed, head) = console.changed_since(known, &which).await?;
    let (came, went) = match kind {
        Kind::User => (Vec::new(), Vec::new()),
        Kind::Group => changed.members(),
    };
    let members = (
        Names::of(&console.app, known, &came).await?,
        Names::of(&console.app, known, &went).await?,
    );
    let title = Console::title(&head, "As it was:");
    let frame = console.frame(known, which.place(), &title).await?;
    Ok(layout::rendered(&then_view(frame, head, &changed, members)))
}

pub(super) async fn then_user(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    then(&console, &known, Kind::User, &id, &form).await
}

pub(super) async fn then_group(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    then(&console, &known, Kind::Group, &id, &form).await
}

/// A plan as it is shown: up to which place of the feed it was made, when, and its code.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    pub(super) until: u64,
    pub(super) at: String,
    pub(super) code: String,
}

#[derive(Debug, Template)]
#[template(path = "history_back.html")]
pub(super) struct BackPage {
    pub(super) frame: Frame,
    pub(super) head: Head,
    /// Why nothing was done; empty: nothing was tried.
    pub(super) refusal: String,
    /// What was done to it while the plan was looked at.
    pub(super) meanwhile: Vec<Row>,
    pub(super) what: Vec<String>,
    pub(super) differences: Vec<Difference>,
    pub(super) more: String,
    pub(super) added: Names,
    pub(super) removed: Names,
    pub(super) stays: Vec<String>,
    /// What the button says; empty: there is nothing to do.
    pub(super) verb: &'static str,
    pub(super) shown: Shown,
}

/// Why a plan was not carried out.
#[derive(Debug, Default)]
pub(super) struct Refused {
    pub(super) why: String,
    pub(super) meanwhile: Vec<Row>,
}

pub(super) fn back_view(
    frame: Frame,
    head: Head,
    plan: &Revert,
    (added, removed): (Names, Names),
    source: Option<&str>,
    shown: Shown,
    refused: Refused,
) -> BackPage {
    let deed = plan.steps.first().map(|step| &step.deed);
    let mut what = Vec::new();
    let mut stays = Vec::new();
    let noun = head.noun;
    let mut changes = (Vec::new(), String::new());
    match deed {
        None => what.push(format!("The {noun} is what it was then: there is nothing to do.")),
        Some(Deed::Restore {
            attributes,
            missing,
            ..
        }) => {
            changes = differences(attributes);
            if plan.losing_access() > 0 {
                what.push("The account is disabled: whoever uses it cannot sign in any more.".to_owned());
            }
            what.push(match attributes.len() as u64 {
                0 => "No attribute changes.".to_owned(),
                count => format!("{}, old to new:", counted(count, "attribute")),
            });
            still_gone(missing.len(), &mut stays);
        }
        Some(Deed::Recreate { missing, .. }) => {
            what.push(format!("The {noun} is created again as it was, with the same id as long as the directory remembers it. If somebody else has its name by now, nothing is done."));
            still_gone(missing.len(), &mut stays);
            if noun == "account" {
                stays.push("Its groups of that time are not changed: take those back on their own pages.".to_owned());
            }
        }
        Some(Deed::Disable { .. }) => what.push(
            "The account was not there then: it is disabled, which can be undone. Nothing is deleted.".to_owned(),
        ),
        Some(Deed::Delete { .. }) => what.push(format!("The {noun} was not there then: it is deleted.")),
        Some(Deed::Leave(why)) => what.push(reason(*why).to_owned()),
    }
    if let Some(source) = source {
        stays.push(format!("{source} manages the {noun}: what it sends next counts again. Correct the cause there as well."));
    }
    let does = plan.does_anything();
    if does {
        stays.push("History stays. This is one more change, in your name, and can be taken back in its turn.".to_owned());
    }
    BackPage {
        frame,
        refusal: refused.why,
        meanwhile: refused.meanwhile,
        what,
        differences: changes.0,
        more: changes.1,
        added,
        removed,
        stays,
        verb: deed.filter(|_| does).map_or("", verb),
        shown,
        head,
    }
}

fn still_gone(missing: usize, stays: &mut Vec<String>) {
    if missing > 0 {
        let missing = people(missing as u64);
        stays.push(format!(
            "{missing} who belonged to it are gone, and stay so."
        ));
    }
}

impl Console {
    async fn back_page(
        &self,
        known: &Known,
        which: &Which,
        refused: Refused,
    ) -> Result<BackPage, Problem> {
        let context = known.visitor.context();
        let (_, head) = self.changed_since(known, which).await?;
        let at = self.app.now().to_string();
        let until = self.app.place(&context, NOW).await?;
        let plan = self
            .app
            .plan_revert(&context, which.span(Then::Place(until)))
            .await?;
        let (added, removed): (&[_], &[_]) = match plan.steps.first().map(|step| &step.deed) {
            Some(Deed::Restore { added, removed, .. }) => (added, removed),
            Some(Deed::Recreate { members, .. }) => (members, &[]),
            _ => (&[], &[]),
        };
        let members = (
            Names::of(&self.app, known, added).await?,
            Names::of(&self.app, known, removed).await?,
        );
        let managed_by = self.app.manager(&context, which.object()).await?;
        let parties = self.app.parties(&context).await?;
        let source = managed_by.map(|by| people::source(Some(by), &parties));
        let title = if refused.why.is_empty() {
            Self::title(&head, "Go back:")
        } else {
            Self::title(&head, "Error: Go back:")
        };
        let frame = self.frame(known, which.place(), &title).await?;
        let shown = Shown {
            until,
            at,
            code: plan.code(),
        };
        Ok(back_view(
            frame, head, &plan, members, source, shown, refused,
        ))
    }
}

async fn ask(
    console: &Console,
    known: &Known,
    kind: Kind,
    id: &str,
    form: &Form,
) -> Result<Response, Problem> {
    let which = Which::new(kind, id, form, &console.zone(known))?;
    let _reading = console.reading(known)?;
    let page = console.back_page(known, &which, Refused::default()).await?;
    Ok(layout::rendered(&page))
}

async fn take(
    console: &Console,
    known: &Known,
    kind: Kind,
    id: &str,
    form: &Form,
) -> Result<Response, Problem> {
    let zone = console.zone(known);
    let which = Which::new(kind, id, form, &zone)?;
    let _reading = console.reading(known)?;
    let context = known.visitor.context();
    let until = form.text("until").parse().unwrap_or(0);
    let span = which.span(Then::Place(until));
    let plan = console.app.plan_revert(&context, span).await?;
    let again = async |refused: Refused| {
        let page = console.back_page(known, &which, refused).await?;
        let mut response = layout::rendered(&page);
        *response.status_mut() = StatusCode::CONFLICT;
        Ok(response)
    };
    let moved = async || {
        let since = form.text("shown").parse().ok();
        let object = Some(which.id.to_string());
        let refused = Refused {
            why: "It was changed while you looked at this page. Nothing was done; this is the way back as it is now.".to_owned(),
            meanwhile: meanwhile(console, known, object, since).await?,
        };
        again(refused).await
    };
    if plan.code() != form.text("code") {
        return moved().await;
    }
    let Some(step) = plan.steps.first().filter(|_| plan.does_anything()) else {
        return again(Refused::default()).await;
    };
    match console.app.carry_out(&context, step).await {
        Ok(id) => {
            let flash = Flash::ok(format!("Gone back to {}.", when(which.at, &zone).text));
            let to = if matches!(step.deed, Deed::Delete { .. }) {
                format!("/{}", list(kind))
            } else {
                format!("/{}/{id}", list(kind))
            };
            Ok(layout::done(console, &to, &flash))
        }
        Err(Failure::Precondition) => moved().await,
        Err(failure @ (Failure::Unavailable(_) | Failure::Internal(_))) => Err(failure.into()),
        Err(failure) => {
            let refused = Refused {
                why: format!("Nothing was done. {}", sentence(&failure.to_string())),
                meanwhile: Vec::new(),
            };
            again(refused).await
        }
    }
}

pub(super) async fn ask_user(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    ask(&console, &known, Kind::User, &id, &form).await
}

pub(super) async fn take_user(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    take(&console, &known, Kind::User, &id, &form).await
}

pub(super) async fn ask_group(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    ask(&console, &known, Kind::Group, &id, &form).await
}

pub(super) async fn take_group(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    take(&console, &known, Kind::Group, &id, &form).await
}
