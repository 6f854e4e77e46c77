//! Reports: who joined, left, was disabled and changed, by day and by directory, from what is tallied.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;
use rollcall_app::Tally;
use rollcall_app::csv;
use rollcall_app::integrations::Parties;
use rollcall_model::{AdminId, IntegrationId, Permission};

use crate::Console;
use crate::charts::{self, Chart, Label, Size};
use crate::download;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Frame, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, page};
use crate::words::{capital, number};

const DAY: i64 = 86_400;
/// The periods that are offered: word, title, days.
const PERIODS: [(&str, &str, i64); 4] = [
    ("7", "7 days", 7),
    ("30", "30 days", 30),
    ("90", "90 days", 90),
    ("365", "1 year", 365),
];
/// What is counted, in order: its title, and the actions of the log.
const COUNTED: [(&str, &[&str]); 4] = [
    ("Joined", &["user.created", "user.adopted", "user.enabled"]),
    ("Changed", &["user.updated"]),
    ("Disabled", &["user.disabled"]),
    ("Left", &["user.deleted"]),
];

pub(crate) fn routes() -> Routes {
    let read = Needs::Role(Permission::Read);
    vec![
        page("/reports", read, look),
        page("/reports/people.csv", read, export),
    ]
}

#[derive(Debug)]
struct Counts {
    name: String,
    counts: [u64; 4],
}

#[derive(Debug, Template)]
#[template(path = "reports.html")]
struct ReportsPage {
    frame: Frame,
    period: &'static str,
    periods: Vec<(&'static str, &'static str)>,
    total: u64,
    sums: Vec<(&'static str, u64)>,
    chart: Chart,
    actors: Vec<Counts>,
    days: Vec<Counts>,
}

/// Returns where an action is counted.
fn place(action: &str) -> Option<usize> {
    COUNTED
        .iter()
        .position(|(_, actions)| actions.contains(&action))
}

/// Names the actor of a tally.
fn actor(key: &str, parties: &Parties) -> String {
    match key.split_once(':') {
        Some(("integration", id)) => {
            let kind = id.parse::<IntegrationId>().ok();
            let kind = kind.and_then(|id| parties.kind(id));
            kind.map_or_else(
                || "A directory that was disconnected".to_owned(),
                |kind| capital(kind.short()),
            )
        }
        Some(("administrator", id)) => {
            let id = id.parse::<AdminId>().ok();
            let all = parties.administrators();
            let found = all.iter().find(|(other, _)| Some(*other) == id);
            found.map_or_else(
                || "A former administrator".to_owned(),
                |(_, name)| (*name).to_owned(),
            )
        }
        _ if key == "command" => "Commands on the server".to_owned(),
        _ => "Rollcall".to_owned(),
    }
}

fn date(day: i64) -> Option<Date> {
    let at = Timestamp::from_second(day.checked_mul(DAY)?).ok()?;
    Some(jiff::tz::TimeZone::UTC.to_datetime(at).date())
}

fn view(
    frame: Frame,
    (period, days): (&'static str, i64),
    today: i64,
    tallies: &[Tally],
    parties: &Parties,
) -> ReportsPage {
    let length = usize::try_from(days).unwrap_or(1);
    let mut columns = vec![[0_u64; 4]; length];
    let mut by: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    for tally in tallies {
        let Some(place) = place(&tally.action) else {
            continue;
        };
        let column = usize::try_from(tally.day - (today - days + 1)).ok();
        let column = column.and_then(|column| columns.get_mut(column));
        let own = by.entry(actor(&tally.actor, parties)).or_default();
        for counts in [column, Some(own)].into_iter().flatten() {
            if let Some(count) = counts.get_mut(place) {
                *count += tally.count;
            }
        }
    }
    let sums: Vec<(&'static str, u64)> = COUNTED
        .iter()
        .enumerate()
        .map(|(place, (title, _))| {
            let counts = columns.iter().filter_map(|counts| counts.get(place));
            (*title, counts.sum())
        })
        .collect();
    let size = Size {
        width: 1080.0,
        height: 120.0,
        gap: 0.25,
    };
    let mut chart = charts::columns(&columns, ["f-ok", "f-acc", "f-off", "f-bad"], size);
    let said: Vec<String> = sums
        .iter()
        .map(|(title, count)| format!("{} {}", number(*count), title.to_lowercase()))
        .collect();
    chart.words = format!("Changes per day: {}", said.join(", "));
    let step = (length / 6).max(1);
    for place in (0..length).step_by(step) {
        let day = i64::try_from(place)
            .ok()
            .map(|place| today - days + 1 + place);
        let Some(date) = day.and_then(date) else {
            continue;
        };
        #[expect(clippy::cast_precision_loss, reason = "a place in a drawing")]
        let x = (place as f64 + 0.5) * 720.0 / length as f64;
        chart.labels.push(Label {
            x: format!("{x:.1}"),
            text: format!("{:02}-{:02}", date.month(), date.day()),
        });
    }
    let mut actors: Vec<Counts> = by
        .into_iter()
        .map(|(name, counts)| Counts { name, counts })
        .collect();
    actors.sort_by_key(|row| std::cmp::Reverse(row.counts.iter().sum::<u64>()));
    let rows = columns.iter().enumerate().rev();
    let rows = rows.filter(|(_, counts)| counts.iter().any(|count| *count > 0));
    ReportsPage {
        frame,
        period,
        periods: PERIODS.map(|(word, title, _)| (word, title)).to_vec(),
        total: sums.iter().map(|(_, count)| count).sum(),
        sums,
        chart,
        actors,
        days: rows
            .filter_map(|(place, counts)| {
                let day = today - days + 1 + i64::try_from(place).ok()?;
                Some(Counts {
                    name: date(day)?.to_string(),
                    counts: *counts,
                })
            })
            .take(100)
            .collect(),
    }
}

fn period(form: &Form) -> (&'static str, i64) {
    let asked = form.text("period");
    let found = PERIODS.iter().find(|(word, _, _)| *word == asked);
    found.map_or(("30", 30), |(word, _, days)| (*word, *days))
}

async fn look(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let context = known.visitor.context();
    let (word, days) = period(&form);
    let today = console.app.now().as_second().div_euclid(DAY);
    let tallies = console
        .app
        .tallies(&context, today - days + 1, today)
        .await?;
    let parties = console.app.parties(&context).await?;
    let frame = console.frame(&known, Place::Reports, "Reports").await?;
    Ok(layout::rendered(&view(
        frame,
        (word, days),
        today,
        &tallies,
        &parties,
    )))
}

/// The same as a file: a row for each day, actor and action.
async fn export(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let context = known.visitor.context();
    let (_, days) = period(&form);
    let today = console.app.now().as_second().div_euclid(DAY);
    let tallies = console
        .app
        .tallies(&context, today - days + 1, today)
        .await?;
    let parties = console.app.parties(&context).await?;
    let mut text = csv::row(["day", "what", "action", "by", "count"]);
    for tally in &tallies {
        let (Some(place), Some(day)) = (place(&tally.action), date(tally.day)) else {
            continue;
        };
        let what = COUNTED.get(place).map_or("", |(title, _)| *title);
        text.push_str(&csv::row([
            day.to_string().as_str(),
            what,
            &tally.action,
            &actor(&tally.actor, &parties),
            &tally.count.to_string(),
        ]));
    }
    Ok(download::csv("people.csv", text))
}

#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<(String, String)> {
    use crate::layout::sample::{HOSTILE, frame};
    use rollcall_model::IntegrationKind;

    let id = IntegrationId::from_bytes([1; 16]);
    let admin = AdminId::from_bytes([2; 16]);
    let parties = Parties::new(
        [(id, IntegrationKind::Entra)],
        [(admin, HOSTILE.to_owned())],
    );
    let today = 20_410;
    let mut tallies = Vec::new();
    for back in 0..30_u64 {
        for (place, (_, actions)) in COUNTED.iter().enumerate() {
            for action in *actions {
                tallies.push(Tally {
                    day: today - i64::try_from(back).unwrap_or(0),
                    action: (*action).to_owned(),
                    actor: if back % 9 == 0 {
                        format!("administrator:{admin}")
                    } else {
                        format!("integration:{id}")
                    },
                    count: (back * 13 + place as u64 * 7) % 40,
                });
            }
        }
    }
    let page = |period: (&'static str, i64), tallies: &[Tally]| {
        let frame = frame(Place::Reports, "Reports");
        view(frame, period, today, tallies, &parties)
            .render()
            .unwrap_or_default()
    };
    vec![
        ("reports".to_owned(), page(("30", 30), &tallies)),
        ("reports-empty".to_owned(), page(("7", 7), &[])),
    ]
}
