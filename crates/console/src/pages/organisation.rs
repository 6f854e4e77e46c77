//! Organisation and plan: what was subscribed to, what is used of it, the name, the time zone, how long things are kept, the addresses.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use rollcall_app::{Counts, Failure};
use rollcall_model::retention::{Keep, Retention};
use rollcall_model::{Organisation, Permission, Plan};

use crate::Console;
use crate::charts;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Mistakes, Place};
use crate::pages::invitations::{Invitations, counted_up};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::{Moment, Zone};

/// Time zones that are offered while one is typed; any other of the database is taken as well.
const ZONES: [&str; 24] = [
    "Africa/Cairo",
    "Africa/Johannesburg",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Toronto",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/Istanbul",
    "Europe/London",
    "Europe/Madrid",
    "Europe/Oslo",
    "Europe/Paris",
    "Europe/Stockholm",
    "Europe/Warsaw",
    "Pacific/Auckland",
];

pub(crate) fn routes() -> Routes {
    vec![
        page(
            "/settings/organisation",
            Needs::Role(Permission::Read),
            look,
        ),
        action(
            "/settings/organisation",
            Needs::Role(Permission::ManageOrganisation),
            save,
        ),
        // what is kept for a shorter time is gone
        action(
            "/settings/organisation/keep",
            Needs::Fresh(Permission::ManageOrganisation),
            keep,
        ),
    ]
}

/// How long one thing is kept: the field's id, its label, what it is, and what stands in it.
#[derive(Debug)]
struct KeepField {
    id: &'static str,
    label: &'static str,
    hint: &'static str,
    value: String,
}

/// What is kept for a time: the field's id, its label, what it is.
const KEPT: [(&str, &str, &str); 3] = [
    (
        "keep_logs",
        "Provisioning logs, in days",
        "What was sent to applications, person by person.",
    ),
    (
        "keep_requests",
        "Live requests, in days",
        "What directories asked; of these the latest 10,000 at most.",
    ),
    (
        "keep_tombstones",
        "Tombstones, in days",
        "Who was deleted gets the same id when they come back in this time.",
    ),
];

/// Writes how long something is kept into its field: days, or nothing.
fn days(keep: Keep) -> String {
    match keep {
        Keep::Days(days) => days.to_string(),
        Keep::Forever => String::new(),
    }
}

fn typed_days(retention: &Retention) -> [String; 3] {
    [retention.logs, retention.requests, retention.tombstones].map(days)
}

#[derive(Debug, Template)]
#[template(path = "organisation.html")]
struct OrganisationPage {
    frame: Frame,
    plan: &'static str,
    trial: Option<Moment>,
    left: String,
    users: u64,
    active: u64,
    groups: u64,
    seats: Option<u64>,
    share: String,
    name: String,
    zone: String,
    zones: [&'static str; 24],
    region: String,
    console_url: String,
    tenant_url: String,
    slug: String,
    since: Moment,
    others: Vec<(String, String)>,
    invitations: Invitations,
    keeps: Vec<KeepField>,
    mistakes: Mistakes,
}

/// What stands in the form.
#[derive(Debug, Default)]
struct Typed {
    name: String,
    zone: String,
    keep: [String; 3],
    mistakes: Mistakes,
}

/// The addresses of an installation: its console, the endpoint, the other regions.
struct Addresses {
    console: String,
    tenant: String,
    others: Vec<(String, String)>,
}

fn view(
    frame: Frame,
    organisation: &Organisation,
    counts: Counts,
    addresses: Addresses,
    typed: Typed,
    invitations: Invitations,
    zone: &Zone,
) -> OrganisationPage {
    let seats = organisation.seats.map(u64::from);
    let (plan, trial) = match organisation.plan {
        Plan::Paid => ("Paid plan", None),
        Plan::Trial { until } => ("Trial", Some(until)),
    };
    OrganisationPage {
        frame,
        plan,
        left: trial.map_or(String::new(), |until| zone.relative(until)),
        trial: trial.map(|until| zone.day(until)),
        users: counts.users,
        active: counts.active_users,
        groups: counts.groups,
        share: charts::share(counts.active_users, seats.unwrap_or(1)),
        seats,
        name: typed.name,
        zone: typed.zone,
        zones: ZONES,
        region: organisation.region.to_string(),
        console_url: addresses.console,
        tenant_url: addresses.tenant,
        others: addresses.others,
        slug: organisation.slug.to_string(),
        since: zone.day(organisation.created),
        invitations,
        keeps: KEPT
            .into_iter()
            .zip(typed.keep)
            .map(|((id, label, hint), value)| KeepField {
                id,
                label,
                hint,
                value,
            })
            .collect(),
        mistakes: typed.mistakes,
    }
}

impl Console {
    async fn organisation_page(
        &self,
        known: &Known,
        typed: Option<Typed>,
    ) -> Result<OrganisationPage, Problem> {
        let organisation = &known.visitor.organisation;
        let title = if typed.is_some() {
            "Error: Organisation and plan"
        } else {
            "Organisation and plan"
        };
        let frame = self.frame(known, Place::Organisation, title).await?;
        let counts = self.app.counts(organisation.id).await?;
        let settings = self.app.settings();
        let others = settings.regions.iter();
        let others = others.filter(|(region, _)| **region != organisation.region);
        let addresses = Addresses {
            console: settings.public_url.clone(),
            tenant: settings.tenant_url(organisation),
            others: others
                .map(|(region, url)| (region.to_string(), url.clone()))
                .collect(),
        };
        let typed = typed.unwrap_or_else(|| Typed {
            name: organisation.name.clone(),
            zone: organisation.time_zone.clone().unwrap_or_default(),
            keep: typed_days(&organisation.retention),
            mistakes: Mistakes::default(),
        });
        let waiting = self.app.count_uninvited(&known.visitor.context()).await?;
        let invitations = Invitations {
            on: organisation.sends_invitations,
            sends_mail: settings.sends_mail,
            waiting: counted_up(waiting),
        };
        let zone = self.zone(known);
        Ok(view(
            frame,
            organisation,
            counts,
            addresses,
            typed,
            invitations,
            &zone,
        ))
    }
}

async fn look(State(console): State<Console>, known: Known) -> Result<Response, Problem> {
    let page = console.organisation_page(&known, None).await?;
    Ok(layout::rendered(&page))
}

async fn save(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let (name, zone) = (form.text("name").to_owned(), form.text("zone").to_owned());
    let chosen = Some(zone.clone()).filter(|zone| !zone.is_empty());
    let context = known.visitor.context();
    let saved = console
        .app
        .configure_organisation(&context, name.clone(), chosen)
        .await;
    match saved {
        Ok(()) => Ok(layout::done(
            &console,
            "/settings/organisation",
            &Flash::ok("Saved."),
        )),
        Err(Failure::Forbidden { reason }) => {
            let field = if reason.contains("time zone") {
                "zone"
            } else {
                "name"
            };
            let mistakes = Mistakes::one(field, reason);
            let keep = typed_days(&known.visitor.organisation.retention);
            let typed = Typed {
                name,
                zone,
                keep,
                mistakes,
            };
            let page = console.organisation_page(&known, Some(typed)).await?;
            Ok(layout::rendered_again(&page))
        }
        Err(failure) => Err(failure.into()),
    }
}

async fn keep(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let mut mistakes = Mistakes::default();
    let mut read = |field: &'static str| {
        let text = form.text(field);
        if text.is_empty() {
            return Keep::Forever;
        }
        text.parse().unwrap_or_else(|_| {
            mistakes.add(
                field,
                "write a number of days, from 1 to 36500, or nothing to keep them for ever",
            );
            Keep::Forever
        })
    };
    let retention = Retention {
        logs: read("keep_logs"),
        requests: read("keep_requests"),
        tombstones: read("keep_tombstones"),
    };
    if !mistakes.is_empty() {
        let organisation = &known.visitor.organisation;
        let typed = Typed {
            name: organisation.name.clone(),
            zone: organisation.time_zone.clone().unwrap_or_default(),
            keep: KEPT.map(|(field, ..)| form.text(field).to_owned()),
            mistakes,
        };
        let page = console.organisation_page(&known, Some(typed)).await?;
        return Ok(layout::rendered_again(&page));
    }
    let context = known.visitor.context();
    console.app.set_retention(&context, retention).await?;
    Ok(layout::done(
        &console,
        "/settings/organisation",
        &Flash::ok("Saved. What is older is forgotten within the hour."),
    ))
}

#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<(String, String)> {
    use crate::layout::sample::{HOSTILE, frame};

    let now = jiff::Timestamp::from_second(1_763_472_728).unwrap_or_default();
    let zone = Zone::new(Some("Europe/Oslo"), now);
    let Ok(slug) = "alderbrook".parse() else {
        return Vec::new();
    };
    let mut organisation = Organisation {
        id: rollcall_model::OrgId::from_bytes([1; 16]),
        slug,
        name: "Alderbrook Logistics".to_owned(),
        region: rollcall_model::Region::default(),
        plan: Plan::Paid,
        seats: Some(110_000),
        created: now,
        mirrors: None,
        rules: rollcall_model::Rules::default(),
        time_zone: None,
        sends_invitations: false,
        retention: Retention::default(),
    };
    let counts = Counts {
        users: 104_318,
        active_users: 103_066,
        groups: 1_862,
    };
    let page = |organisation: &Organisation, typed| {
        let addresses = Addresses {
            console: "https://eu.rollcall.example".to_owned(),
            tenant: "https://eu.rollcall.example/scim/v2/alderbrook".to_owned(),
            others: vec![("us".to_owned(), "https://us.rollcall.example".to_owned())],
        };
        let frame = frame(Place::Organisation, "Organisation and plan");
        let invitations = Invitations {
            on: organisation.sends_invitations,
            sends_mail: organisation.seats.is_some(),
            waiting: counted_up(1_126),
        };
        view(
            frame,
            organisation,
            counts,
            addresses,
            typed,
            invitations,
            &zone,
        )
        .render()
        .unwrap_or_default()
    };
    let good = Typed {
        name: organisation.name.clone(),
        zone: "Europe/Oslo".to_owned(),
        keep: typed_days(&organisation.retention),
        mistakes: Mistakes::default(),
    };
    let wrong = Typed {
        name: HOSTILE.to_owned(),
        zone: HOSTILE.to_owned(),
        keep: [HOSTILE.to_owned(), String::new(), "30".to_owned()],
        mistakes: Mistakes::one("zone", "Nobody knows this time zone."),
    };
    let mut wrong = wrong;
    wrong.mistakes.add(
        "keep_logs",
        "write a number of days, from 1 to 36500, or nothing to keep them for ever",
    );
    let paid = page(&organisation, good);
    organisation.plan = Plan::Trial { until: now };
    organisation.seats = None;
    vec![
        ("organisation".to_owned(), paid),
        (
            "organisation-mistake".to_owned(),
            page(&organisation, wrong),
        ),
    ]
}
