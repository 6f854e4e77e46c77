//! One person: attributes, who manages them, groups, history, the resource as it is stored.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use rollcall_app::directory::{self, Named, Whole};
use rollcall_app::integrations::Parties;
use rollcall_model::link::LinkState;
use rollcall_model::{Kind, ResourceId, Standing};
use serde_json::Value;

use crate::Console;
use crate::code::{self, Line};
use crate::deeds::Row;
use crate::filters;
use crate::guard::Known;
use crate::layout::{self, Frame, Mistakes, Place};
use crate::people::{self, Attribute, Person};
use crate::problem::Problem;
use crate::words::{Moment, Zone};

/// Where somebody was provisioned to.
#[derive(Debug)]
pub(crate) struct Counterpart {
    pub(crate) application: String,
    pub(crate) name: String,
    pub(crate) class: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) words: &'static str,
}

pub(crate) fn counterpart(found: &directory::Counterpart) -> Counterpart {
    let (class, icon, words) = match found.state {
        _ if found.failed => ("st-bad", "xc", "Failed"),
        LinkState::Active => ("st-ok", "okc", "In use"),
        LinkState::Held => ("st-warn", "alert", "Held back"),
        LinkState::Allowed => ("st-warn", "clock", "Will be removed"),
        LinkState::Unlinked => ("st-run", "dashc", "Not there yet"),
        _ => ("st-off", "offc", "Not in use"),
    };
    Counterpart {
        application: found.application.to_string(),
        name: found.name.clone(),
        class,
        icon,
        words,
    }
}

/// How far a person's activation is.
#[derive(Debug)]
struct Activation {
    invited: Option<Moment>,
    sent: Option<Moment>,
    /// Until when a link works, if one does.
    link: Option<Moment>,
    activated: Option<Moment>,
    /// The address by which they activated, and the one on record that nobody has confirmed.
    unconfirmed: Option<(String, String)>,
    /// Whether it is expected of this person at all.
    is_expected: bool,
    sends_mail: bool,
}

impl Activation {
    fn new(whole: &Whole, sends_mail: bool, zone: &Zone) -> Self {
        let there = whole.activation.as_ref();
        let link = there.and_then(|there| there.link.as_ref());
        let link = link.filter(|link| link.expires > zone.now());
        Self {
            invited: there.map(|there| zone.short(there.invited)),
            sent: there
                .and_then(|there| there.sent.last())
                .map(|at| zone.short(*at)),
            link: link.map(|link| zone.short(link.expires)),
            activated: there
                .and_then(|there| there.vault.as_ref())
                .map(|vault| zone.short(vault.since)),
            unconfirmed: there
                .and_then(rollcall_model::Activation::unconfirmed)
                .map(|(proven, seen)| (proven.to_string(), seen.to_string())),
            is_expected: there.is_some() || whole.standing == Standing::Invited,
            sends_mail,
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "user.html")]
pub(super) struct UserPage {
    frame: Frame,
    person: Person,
    attributes: Vec<Attribute>,
    manager: Option<Named>,
    external: Option<String>,
    since: Moment,
    exact: Moment,
    version: u64,
    groups: Vec<Named>,
    more_groups: bool,
    reports: Vec<Named>,
    more_reports: bool,
    counterparts: Vec<Counterpart>,
    activation: Activation,
    history: Vec<Row>,
    lines: Vec<Line>,
    display: String,
    email: String,
    mistakes: Mistakes,
}

/// What was typed into the form and did not fit.
#[derive(Debug, Default)]
pub(super) struct Typed {
    pub(super) display: String,
    pub(super) email: String,
    pub(super) mistakes: Mistakes,
}

pub(super) fn view(
    frame: Frame,
    whole: Whole,
    typed: Option<Typed>,
    sends_mail: bool,
    parties: &Parties,
    zone: &Zone,
) -> UserPage {
    let entry = &whole.entry;
    let resource = &entry.resource;
    let typed = typed.unwrap_or_else(|| Typed {
        display: resource.display_name().unwrap_or_default().to_owned(),
        email: first_email(resource.as_map()),
        mistakes: Mistakes::default(),
    });
    UserPage {
        frame,
        person: Person {
            standing: whole.standing,
            ..Person::new(entry, parties, zone)
        },
        activation: Activation::new(&whole, sends_mail, zone),
        attributes: people::attributes(entry),
        external: resource.external_id().map(str::to_owned),
        since: zone.day(entry.created),
        exact: zone.exact(entry.modified),
        version: entry.version,
        history: people::history(&whole.history, &[], parties, zone),
        counterparts: whole.counterparts.iter().map(counterpart).collect(),
        lines: code::lines(&Value::Object(resource.as_map().clone())),
        manager: whole.manager,
        groups: whole.groups,
        more_groups: whole.more_groups,
        reports: whole.reports,
        more_reports: whole.more_reports,
        display: typed.display,
        email: typed.email,
        mistakes: typed.mistakes,
    }
}

/// Returns the e-mail that is used first, for the form.
fn first_email(document: &serde_json::Map<String, Value>) -> String {
    let emails = document.get("emails").and_then(Value::as_array);
    let emails: Vec<&Value> = emails.into_iter().flatten().collect();
    let is_primary = |email: &&&Value| email.get("primary").and_then(Value::as_bool) == Some(true);
    let first = emails.iter().find(is_primary).or(emails.first());
    let value = first.and_then(|email| email.get("value")?.as_str());
    value.unwrap_or_default().to_owned()
}

impl Console {
    pub(super) async fn user_page(
        &self,
        known: &Known,
        id: ResourceId,
        typed: Option<Typed>,
    ) -> Result<UserPage, Problem> {
        let context = known.visitor.context();
        let whole = self.app.whole(&context, Kind::User, id).await?;
        let parties = self.app.parties(&context).await?;
        let mut title: String = directory::title(&whole.entry).chars().take(80).collect();
        if typed.is_some() {
            title = format!("Error: {title}");
        }
        let frame = self.frame(known, Place::Users, &title).await?;
        let sends_mail = self.app.settings().sends_mail;
        let zone = self.zone(known);
        Ok(view(frame, whole, typed, sends_mail, &parties, &zone))
    }
}

pub(super) async fn look(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id.parse().map_err(|_| Problem::missing())?;
    Ok(layout::rendered(
        &console.user_page(&known, id, None).await?,
    ))
}
