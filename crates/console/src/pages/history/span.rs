//! A span of time: what changed in it, and the way back from what somebody did in it, as a plan first.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use rollcall_app::history::{
    Became, Changed, Deed, Differences, Differing, Moment as Then, Revert, Span, Step,
};
use rollcall_app::integrations::Parties;
use rollcall_app::{App, Failure};
use rollcall_model::{Kind, ResourceId};

use super::{NOW, Reading, differences, instant, list, meanwhile, reason, when};
use crate::Console;
use crate::deeds::{Difference, Row};
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Mistakes, Place, encoded};
use crate::people;
use crate::problem::Problem;
use crate::words::{Zone, counted, number};

/// So many objects of each kind are shown together with all others.
const FEW: usize = 5;
/// So many are shown of one kind.
const MANY: usize = 50;
/// So many objects a plan in the console is about; the command knows no limit.
const MOST: usize = 10_000;
/// So long the answer waits for the end; after that the page of the run shows how far it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked about: a span of time, and who.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
    pub(super) by: String,
    pub(super) deletes: bool,
    /// One kind of what is done, from a place on.
    pub(super) show: String,
    pub(super) first: usize,
}

impl Asked {
    fn new(form: &Form, zone: &Zone, mistakes: &mut Mistakes) -> Self {
        let mut read = |field: &'static str, is_end| {
            instant(form.text(field), zone, is_end).unwrap_or_else(|wrong| {
                mistakes.add(field, wrong);
                None
            })
        };
        let (from, to) = (read("from", false), read("to", true));
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            mistakes.add("to", "this is before the beginning: choose a later time");
        }
        Self {
            from,
            to,
            by: form.text("by").chars().take(80).collect(),
            deletes: form.has("deletes"),
            show: form.text("show").to_owned(),
            first: form.text("first").parse().unwrap_or(0),
        }
    }

    fn query(&self) -> String {
        let at = |at: Option<Timestamp>| at.map_or(String::new(), |at| at.to_string());
        format!(
            "from={}&to={}&by={}{}",
            at(self.from),
            at(self.to),
            encoded(&self.by),
            if self.deletes { "&deletes=on" } else { "" }
        )
    }

    /// Returns the span up to a place of the feed.
    fn span(&self, from: Timestamp, to: Then) -> Span {
        Span {
            from: Then::At(from),
            to,
            object: None,
            by: Some(self.by.clone()).filter(|by| !by.is_empty()),
            deletes: self.deletes,
            most: Some(MOST),
        }
    }
}

/// The fields of the form, filled.
#[derive(Debug)]
pub(super) struct Fields {
    /// The span as it was asked for, to the instant.
    exact: (String, String),
    by: String,
    from: String,
    to: String,
    deletes: bool,
    actors: Vec<(String, String, bool)>,
}

impl Fields {
    pub(super) fn new(asked: &Asked, parties: &Parties, zone: &Zone) -> Self {
        let local = |at: Option<Timestamp>| {
            at.map_or(String::new(), |at| {
                let local = zone.time_zone().to_datetime(at);
                local.strftime("%Y-%m-%dT%H:%M:%S").to_string()
            })
        };
        let exact = |at: Option<Timestamp>| at.map_or(String::new(), |at| at.to_string());
        let actors = people::actors(parties).into_iter();
        Self {
            exact: (exact(asked.from), exact(asked.to)),
            by: asked.by.clone(),
            from: local(asked.from),
            to: local(asked.to),
            deletes: asked.deletes,
            actors: actors
                .map(|(word, title)| {
                    let is_chosen = word == asked.by;
                    (word, title, is_chosen)
                })
                .collect(),
        }
    }
}

/// An object that changed, or changes back.
#[derive(Debug)]
pub(super) struct Object {
    name: String,
    sub: &'static str,
    why: String,
    look: String,
    changes: Vec<Difference>,
    more: String,
}

/// The objects of one kind of change.
#[derive(Debug)]
struct Section {
    kind: &'static What,
    count: u64,
    objects: Vec<Object>,
    more: String,
    next: Option<usize>,
}

/// A kind of change: its word in addresses, what it is called, its sign and class, what the tile says.
#[derive(Debug)]
struct What {
    word: &'static str,
    title: &'static str,
    sign: &'static str,
    class: &'static str,
    tile: &'static str,
}

const fn what(
    word: &'static str,
    title: &'static str,
    sign: &'static str,
    class: &'static str,
    tile: &'static str,
) -> What {
    What {
        word,
        title,
        sign,
        class,
        tile,
    }
}

/// What a plan does, the worst first.
static WAYS: [What; 5] = [
    what("off", "Disable", "○", "g-off", "disable"),
    what("delete", "Delete", "−", "g-del", "delete"),
    what("create", "Create again", "+", "g-add", "create again"),
    what("change", "Change back", "~", "g-chg", "change back"),
    what("leave", "Left alone", "·", "", "left alone"),
];

/// What becomes different in a span.
static DIFFERENCES: [What; 3] = [
    what("went", "Went", "−", "g-del", "went"),
    what("came", "Came", "+", "g-add", "came"),
    what("changed", "Changed", "~", "g-chg", "changed"),
];

fn way(step: &Step) -> &'static str {
    match &step.deed {
        Deed::Delete { .. } => "delete",
        Deed::Leave(_) => "leave",
        _ if step.takes_access() => "off",
        Deed::Recreate { .. } => "create",
        Deed::Restore { .. } | Deed::Disable { .. } => "change",
    }
}

/// Says how many come into a group and go out of it, and who stays away.
fn moved(added: usize, removed: usize, missing: usize) -> Vec<String> {
    let mut parts = Vec::new();
    for (count, words) in [
        (added, "in"),
        (removed, "out"),
        (missing, "gone, and stays so"),
    ] {
        if count > 0 {
            parts.push(format!("{} {words}", counted(count as u64, "member")));
        }
    }
    parts
}

fn sub(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "",
        Kind::Group => "Group",
    }
}

fn look(kind: Kind, id: ResourceId, at: Timestamp) -> String {
    format!("/{}/{id}/then?at={at}", list(kind))
}

fn planned(step: &Step, from: Timestamp) -> Object {
    let (mut changes, mut more) = (Vec::new(), String::new());
    let why = match &step.deed {
        Deed::Restore {
            attributes,
            added,
            removed,
            missing,
            ..
        } => {
            (changes, more) = differences(attributes);
            let mut parts = moved(added.len(), removed.len(), missing.len());
            if !attributes.is_empty() {
                parts.insert(0, counted(attributes.len() as u64, "attribute"));
            }
            parts.join(", ")
        }
        Deed::Recreate {
            members, missing, ..
        } => moved(members.len(), 0, missing.len()).join(", "),
        Deed::Disable { .. } => "Was not there: came in that time.".to_owned(),
        Deed::Delete { .. } => "Was not there: came in that time, with all its data.".to_owned(),
        Deed::Leave(why) => reason(*why).to_owned(),
    };
    Object {
        name: step.name.clone(),
        sub: sub(step.kind),
        why,
        look: look(step.kind, step.id, from),
        changes,
        more,
    }
}

impl Object {
    fn named(one: &Differing, from: Timestamp) -> Self {
        Self {
            name: one.name.clone(),
            sub: sub(one.kind),
            why: String::new(),
            look: look(one.kind, one.id, from),
            changes: Vec::new(),
            more: String::new(),
        }
    }
}

pub(super) fn different(changed: &Changed, from: Timestamp) -> Object {
    let both = changed.before.is_some() && changed.after.is_some();
    let attributes = if both {
        changed.attributes()
    } else {
        Vec::new()
    };
    let (changes, more) = differences(&attributes);
    let (added, removed) = changed.members();
    let mut parts = moved(added.len(), removed.len(), 0);
    if !attributes.is_empty() {
        parts.insert(0, counted(attributes.len() as u64, "attribute"));
    }
    Object {
        name: changed.name(),
        sub: sub(changed.kind),
        why: parts.join(", "),
        look: look(changed.kind, changed.id, from),
        changes,
        more,
    }
}

/// Tells from which on, and how many, objects of a kind are shown: a few of each kind, or one part of one.
fn window(kinds: &[What], kind: &What, asked: &Asked, count: usize) -> (usize, usize) {
    let is_one = kinds.iter().any(|kind| kind.word == asked.show);
    match (is_one, kind.word == asked.show) {
        (true, false) => (0, 0),
        (true, true) => (asked.first.min(count), MANY),
        (false, _) => (0, FEW),
    }
}

/// Puts objects into sections.
fn sections<T>(
    kinds: &'static [What],
    asked: &Asked,
    all: &[T],
    kind_of: impl Fn(&T) -> &'static str,
    mut object: impl FnMut(&T) -> Object,
) -> Vec<Section> {
    let is_one = kinds.iter().any(|kind| kind.word == asked.show);
    let section = |kind: &'static What| {
        let of_kind: Vec<&T> = all.iter().filter(|one| kind_of(one) == kind.word).collect();
        let (first, most) = window(kinds, kind, asked, of_kind.len());
        let shown = of_kind.iter().skip(first).take(most);
        let shown: Vec<Object> = shown.map(|one| object(one)).collect();
        let rest = of_kind.len().saturating_sub(first + shown.len());
        let goes_on = most > 0 && rest > 0;
        Section {
            kind,
            count: of_kind.len() as u64,
            more: if goes_on {
                number(rest as u64)
            } else {
                String::new()
            },
            next: Some(first + shown.len()).filter(|_| is_one && goes_on),
            objects: shown,
        }
    };
    let sections = kinds.iter().map(section);
    sections.filter(|section| section.count > 0).collect()
}

fn became(one: &Differing) -> &'static str {
    match one.became {
        Became::New => "came",
        Became::Gone => "went",
        Became::Different => "changed",
    }
}

/// Which page of a span is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    Back,
    Differs,
}

#[derive(Debug, Template)]
#[template(path = "history_span.html")]
pub(super) struct SpanPage {
    frame: Frame,
    page: Page,
    may: bool,
    fields: Fields,
    mistakes: Mistakes,
    /// Whether a span was asked about, and could be answered.
    is_answered: bool,
    sections: Vec<Section>,
    show: String,
    /// What the answer is about, in words.
    about: String,
    query: String,
    /// What is sent along to carry a plan out; empty: there is nothing to do.
    code: String,
    until: u64,
    shown: String,
    /// How many people lose access: this number is typed.
    losing: u64,
    refusal: String,
    meanwhile: Vec<Row>,
}

impl SpanPage {
    pub(super) fn new(
        frame: Frame,
        page: Page,
        asked: &Asked,
        fields: Fields,
        mistakes: Mistakes,
    ) -> Self {
        Self {
            may: frame.may.provisioning,
            frame,
            page,
            fields,
            mistakes,
            is_answered: false,
            sections: Vec::new(),
            show: asked.show.clone(),
            about: String::new(),
            query: asked.query(),
            code: String::new(),
            until: 0,
            shown: String::new(),
            losing: 0,
            refusal: String::new(),
            meanwhile: Vec::new(),
        }
    }

    /// Puts a plan into the page, as it is at a place of the feed.
    pub(super) fn with_plan(
        mut self,
        plan: &Revert,
        asked: &Asked,
        from: Timestamp,
        (until, at): (u64, Timestamp),
    ) -> Self {
        self.is_answered = true;
        self.sections = sections(&WAYS, asked, &plan.steps, way, |step| planned(step, from));
        if plan.does_anything() {
            self.code = plan.code();
        }
        self.until = until;
        self.shown = at.to_string();
        self.losing = plan.losing_access();
        self
    }

    /// Puts what changed into the page; of those that are shown, with what differs.
    pub(super) fn with_changes(
        mut self,
        found: &[Differing],
        asked: &Asked,
        from: Timestamp,
        mut details: HashMap<ResourceId, Object>,
    ) -> Self {
        self.is_answered = true;
        let object = |one: &Differing| {
            let known = details.remove(&one.id);
            known.unwrap_or_else(|| Object::named(one, from))
        };
        self.sections = sections(&DIFFERENCES, asked, found, became, object);
        self
    }

    pub(super) fn about(mut self, asked: &Asked, parties: &Parties, zone: &Zone) -> Self {
        self.about = about(asked, parties, zone);
        self
    }

    pub(super) fn refused(mut self, why: &str, meanwhile: Vec<Row>) -> Self {
        why.clone_into(&mut self.refusal);
        self.meanwhile = meanwhile;
        self
    }
}

/// Says which span it is, and whose.
fn about(asked: &Asked, parties: &Parties, zone: &Zone) -> String {
    let at = |at: Option<Timestamp>| at.map_or("now".to_owned(), |at| when(at, zone).text);
    let by = whose(&asked.by, parties);
    format!("From {} to {}{by}", at(asked.from), at(asked.to))
}

/// Says whose changes are meant, as the end of a sentence.
pub(super) fn whose(by: &str, parties: &Parties) -> String {
    let actors = people::actors(parties);
    match actors.iter().find(|(key, _)| *key == by) {
        Some((_, name)) => format!(", by {name}"),
        None if by.is_empty() => String::new(),
        None => ", by somebody who is not here any more".to_owned(),
    }
}

/// A plan that was made, or why it could not be.
enum Made {
    Plan(Revert, u64),
    Mistakes(Mistakes),
}

impl Console {
    /// Plans the way back up to a place of the feed, or up to what was asked for.
    async fn plan_of(
        &self,
        known: &Known,
        asked: &Asked,
        from: Timestamp,
        until: Option<u64>,
    ) -> Result<Made, Problem> {
        let context = known.visitor.context();
        let until = if let Some(until) = until {
            until
        } else {
            let to = asked.to.map_or(NOW, Then::At);
            self.app.place(&context, to).await?
        };
        let span = asked.span(from, Then::Place(until));
        match self.app.plan_revert(&context, span).await {
            Ok(plan) => Ok(Made::Plan(plan, until)),
            Err(Failure::Forbidden { reason }) => Ok(Made::Mistakes(Mistakes::one("from", reason))),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Reads what differs in those that are shown.
    async fn details(
        &self,
        known: &Known,
        found: &Differences,
        asked: &Asked,
        from: Timestamp,
    ) -> Result<HashMap<ResourceId, Object>, Problem> {
        let context = known.visitor.context();
        let moments = (Then::Place(found.from), Then::Place(found.to));
        let mut details = HashMap::new();
        for kind in &DIFFERENCES {
            let of_kind = found.objects.iter().filter(|one| became(one) == kind.word);
            let of_kind: Vec<&Differing> = of_kind.collect();
            let (first, most) = window(&DIFFERENCES, kind, asked, of_kind.len());
            for one in of_kind.into_iter().skip(first).take(most) {
                let object = (one.kind, one.id);
                let changed = self.app.compared(&context, object, moments).await?;
                details.insert(one.id, different(&changed, from));
            }
        }
        Ok(details)
    }

    async fn span_page(
        &self,
        known: &Known,
        page: Page,
        asked: &Asked,
        mistakes: Mistakes,
    ) -> Result<SpanPage, Problem> {
        let context = known.visitor.context();
        let parties = self.app.parties(&context).await?;
        let zone = self.zone(known);
        let at = self.app.now();
        let mut mistakes = mistakes;
        let mut made = None;
        let mut changed = None;
        // a number that was mistyped does not make the plan wrong
        let is_wrong = mistakes.0.iter().any(|one| one.field != "confirm");
        if let Some(from) = asked.from.filter(|_| !is_wrong) {
            match page {
                Page::Back => match self.plan_of(known, asked, from, None).await? {
                    Made::Plan(plan, until) => made = Some((plan, until)),
                    Made::Mistakes(more) => mistakes.0.extend(more.0),
                },
                Page::Differs => {
                    let to = asked.to.map_or(NOW, Then::At);
                    let by = Some(asked.by.as_str()).filter(|by| !by.is_empty());
                    let moments = (Then::At(from), to);
                    let found = self.app.changed(&context, moments, by, Some(MOST));
                    match found.await {
                        Ok(found) => {
                            let details = self.details(known, &found, asked, from).await?;
                            changed = Some((found, details));
                        }
                        Err(Failure::Forbidden { reason }) => mistakes.add("from", reason),
                        Err(failure) => return Err(failure.into()),
                    }
                }
            }
        }
        let title = match page {
            Page::Back => "Take back what a directory did",
            Page::Differs => "What changed",
        };
        let title = if mistakes.is_empty() {
            title.to_owned()
        } else {
            format!("Error: {title}")
        };
        let frame = self.frame(known, Place::Activity, &title).await?;
        let fields = Fields::new(asked, &parties, &zone);
        let view = SpanPage::new(frame, page, asked, fields, mistakes);
        let view = view.about(asked, &parties, &zone);
        let from = asked.from.unwrap_or(at);
        Ok(match (made, changed) {
            (Some((plan, until)), _) => view.with_plan(&plan, asked, from, (until, at)),
            (None, Some((found, details))) => {
                view.with_changes(&found.objects, asked, from, details)
            }
            (None, None) => view,
        })
    }

    async fn look_at_span(
        &self,
        known: &Known,
        page: Page,
        form: &Form,
    ) -> Result<Response, Problem> {
        let mut mistakes = Mistakes::default();
        let asked = Asked::new(form, &self.zone(known), &mut mistakes);
        let _reading = match asked.from {
            Some(_) => Some(self.reading(known)?),
            None => None,
        };
        let page = self.span_page(known, page, &asked, mistakes).await?;
        if page.mistakes.is_empty() {
            return Ok(layout::rendered(&page));
        }
        Ok(layout::rendered_again(&page))
    }
}

pub(super) async fn differs(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    console.look_at_span(&known, Page::Differs, &form).await
}

pub(super) async fn ask(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    console.look_at_span(&known, Page::Back, &form).await
}

pub(super) async fn take(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let mut mistakes = Mistakes::default();
    let asked = Asked::new(&form, &console.zone(&known), &mut mistakes);
    let reading = console.reading(&known)?;
    let again = async |mistakes: Mistakes| {
        let page = console
            .span_page(&known, Page::Back, &asked, mistakes)
            .await?;
        Ok(layout::rendered_again(&page))
    };
    let (Some(from), true) = (asked.from, mistakes.is_empty()) else {
        return again(mistakes).await;
    };
    let until = form.text("until").parse().ok();
    let plan = match console.plan_of(&known, &asked, from, until).await? {
        Made::Plan(plan, _) => plan,
        Made::Mistakes(mistakes) => return again(mistakes).await,
    };
    if plan.code() != form.text("code") {
        let since = form.text("shown").parse().ok();
        let meanwhile = meanwhile(&console, &known, None, since).await?;
        let page = console
            .span_page(&known, Page::Back, &asked, Mistakes::default())
            .await?;
        let why = "People or groups of this plan were changed while you looked at it. Nothing was done; this is the plan as it is now.";
        let mut response = layout::rendered(&page.refused(why, meanwhile));
        *response.status_mut() = StatusCode::CONFLICT;
        return Ok(response);
    }
    let losing = plan.losing_access();
    let typed: String = form.text("confirm").replace([',', ' '], "");
    if losing > 0 && typed != losing.to_string() {
        let text = "Type the number of those who lose access, to show that you have seen it.";
        return again(Mistakes::one("confirm", text)).await;
    }
    let place = until.unwrap_or(0);
    let span = asked.span(from, Then::Place(place));
    Ok(console.begin(&known, span, plan, reading).await)
}

impl Console {
    /// Carries a plan out beside the request, which waits a little for the end: the work goes on when the browser does not.
    async fn begin(&self, known: &Known, span: Span, plan: Revert, reading: Reading) -> Response {
        let context = known.visitor.context();
        let run = context.origin().request.to_string();
        let (organisation, total) = (context.tenant().organisation(), plan.steps.len() as u64);
        let progress = self.runs.begin((organisation, run.clone()), total);
        let (app, runs): (App, _) = (self.app.clone(), Arc::clone(&self.runs));
        let key = (organisation, run.clone());
        let work = tokio::spawn(async move {
            let came = app.take_back(&context, &span, &plan, &progress).await;
            if let Err(failure) = &came {
                tracing::error!(%failure, "a way back was cut off");
            }
            runs.end(&key);
            drop(reading);
            came.is_ok()
        });
        let flash = match tokio::time::timeout(PATIENCE, work).await {
            Ok(Ok(true)) => Flash::ok("Done. What came of it is listed here."),
            Ok(_) => Flash::warn(
                "It was cut off. What was done so far is done; plan it again to see what is left.",
            ),
            Err(_) => Flash::ok("Begun. It goes on when you leave this page."),
        };
        layout::done(self, &format!("/history/back/{run}"), &flash)
    }
}
