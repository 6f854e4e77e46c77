//! The activity log: read with filters, and taken along as a file.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use rollcall_app::activity::Deed;
use rollcall_app::csv;
use rollcall_app::directory::Context;
use rollcall_app::integrations::Parties;
use rollcall_app::{App, AuditQuery};
use rollcall_model::Permission;
use rollcall_model::chain::Head;
use serde_json::json;
use tokio::sync::mpsc;

use crate::Console;
use crate::deeds::{self, NOUNS, Row, WORDS};
use crate::download::{self, FileFormat};
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Frame, Place, encoded};
use crate::people::{self, ROWS};
use crate::problem::Problem;
use crate::table::{Needs, Routes, page};
use crate::words::{Moment, Zone, number};

/// So many are read at once for it.
const BATCH: u64 = 500;

pub(crate) fn routes() -> Routes {
    let read = Needs::Role(Permission::Read);
    vec![
        page("/activity", read, look),
        page("/activity/export", read, export),
    ]
}

/// An entry with its time of day.
#[derive(Debug)]
struct Timed {
    clock: String,
    exact: Moment,
    row: Row,
}

#[derive(Debug)]
struct Day {
    title: String,
    rows: Vec<Timed>,
}

type Choice = (String, String, bool);

#[derive(Debug, Template)]
#[template(path = "activity.html")]
struct ActivityPage {
    frame: Frame,
    nouns: Vec<Choice>,
    actions: Vec<Choice>,
    actors: Vec<Choice>,
    from: String,
    to: String,
    object: String,
    about: String,
    days: Vec<Day>,
    count: usize,
    is_later: bool,
    older: Option<u64>,
    base: String,
    export: String,
    /// The place of the log's last entry, and its head as it is written.
    last: String,
    head: String,
}

/// What was asked of the log, as it stands in the address.
#[derive(Debug, Default)]
struct Asked {
    action: String,
    actor: String,
    object: String,
    from: Option<Date>,
    to: Option<Date>,
    before: Option<u64>,
}

impl Asked {
    fn new(form: &Form) -> Self {
        let known = |action: &str| {
            deeds::of(action).is_some() || NOUNS.iter().any(|(noun, _)| *noun == action)
        };
        Self {
            action: form
                .filled("action")
                .filter(|action| known(action))
                .unwrap_or_default()
                .to_owned(),
            actor: form.text("actor").chars().take(80).collect(),
            object: form.text("object").chars().take(80).collect(),
            from: form.text("from").parse().ok(),
            to: form.text("to").parse().ok(),
            before: form.text("before").parse().ok(),
        }
    }

    fn query(&self, zone: &Zone) -> AuditQuery {
        let begins = |date: Date| -> Option<Timestamp> {
            let midnight = date.at(0, 0, 0, 0);
            zone.time_zone().to_timestamp(midnight).ok()
        };
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        AuditQuery {
            action: some(&self.action),
            object: some(&self.object),
            actor: some(&self.actor),
            from: self.from.and_then(begins),
            // the last day is meant to be in
            to: self.to.and_then(|to| begins(to.tomorrow().ok()?)),
            before: self.before,
        }
    }

    /// The filters as a query.
    fn filters(&self) -> String {
        let date = |date: Option<Date>| date.map_or(String::new(), |date| date.to_string());
        format!(
            "action={}&actor={}&object={}&from={}&to={}",
            encoded(&self.action),
            encoded(&self.actor),
            encoded(&self.object),
            date(self.from),
            date(self.to)
        )
    }
}

fn view(
    frame: Frame,
    asked: &Asked,
    found: &[Deed],
    parties: &Parties,
    (zone, head): (&Zone, Head),
) -> ActivityPage {
    let shown = found.len().min(usize::try_from(ROWS).unwrap_or(usize::MAX));
    let rows = found.get(..shown).unwrap_or(found);
    let mut days: Vec<Day> = Vec::new();
    for deed in rows {
        let at = zone.time_zone().to_datetime(deed.entry.at);
        let now = zone.time_zone().to_datetime(zone.now());
        let title = if at.date() == now.date() {
            "Today".to_owned()
        } else {
            zone.day(deed.entry.at).text
        };
        if days.last().is_none_or(|day| day.title != title) {
            days.push(Day {
                title,
                rows: Vec::new(),
            });
        }
        if let Some(day) = days.last_mut() {
            day.rows.push(Timed {
                clock: format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second()),
                exact: zone.exact(deed.entry.at),
                row: deeds::row(deed, parties, zone),
            });
        }
    }
    let chosen = |word: String, title: String, chosen: &str| {
        let is_chosen = word == chosen;
        (word, title, is_chosen)
    };
    let about = rows.first().filter(|_| !asked.object.is_empty());
    let filters = asked.filters();
    ActivityPage {
        frame,
        nouns: NOUNS
            .iter()
            .map(|(word, title)| chosen((*word).to_owned(), (*title).to_owned(), &asked.action))
            .collect(),
        actions: WORDS
            .iter()
            .map(|word| chosen(word.action.to_owned(), word.title.to_owned(), &asked.action))
            .collect(),
        actors: people::actors(parties)
            .into_iter()
            .map(|(word, title)| chosen(word, title, &asked.actor))
            .collect(),
        from: asked.from.map_or(String::new(), |date| date.to_string()),
        to: asked.to.map_or(String::new(), |date| date.to_string()),
        about: about.and_then(|deed| deed.name.clone()).unwrap_or_default(),
        object: asked.object.clone(),
        count: rows.len(),
        days,
        is_later: asked.before.is_some(),
        older: rows
            .last()
            .map(|deed| deed.entry.sequence)
            .filter(|_| found.len() > shown),
        base: format!("/activity?{filters}"),
        export: format!("/activity/export?{filters}"),
        last: number(head.sequence),
        head: head.to_string(),
    }
}

async fn look(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let context = known.visitor.context();
    let zone = console.zone(&known);
    let asked = Asked::new(&form);
    let query = asked.query(&zone);
    let found = console.app.activity(&context, query, ROWS + 1).await?;
    let parties = console.app.parties(&context).await?;
    let (head, _) = console
        .app
        .audit_head(context.tenant().organisation())
        .await?;
    let frame = console
        .frame(&known, Place::Activity, "Activity log")
        .await?;
    Ok(layout::rendered(&view(
        frame,
        &asked,
        &found,
        &parties,
        (&zone, head),
    )))
}

async fn export(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let context = known.visitor.context();
    let zone = console.zone(&known);
    let query = Asked::new(&form).query(&zone);
    let parties = console.app.parties(&context).await?;
    let turn = console.files.turn()?;
    let format = FileFormat::of(&form);
    let (sender, response) = format.begin("activity");
    let app = console.app.clone();
    tokio::spawn(async move {
        let _turn = turn;
        send(&app, &context, query, format, &parties, &sender).await;
    });
    Ok(response)
}

/// Sends the entries, a batch at a time, until all are sent or nobody reads any more.
async fn send(
    app: &App,
    context: &Context,
    mut query: AuditQuery,
    format: FileFormat,
    parties: &Parties,
    sender: &mpsc::Sender<Bytes>,
) {
    if format == FileFormat::Csv {
        let head = csv::row([
            "time", "action", "what", "object", "name", "by", "address", "request", "detail",
        ]);
        if sender.send(Bytes::from(head)).await.is_err() {
            return;
        }
    }
    loop {
        let deeds = match app.activity(context, query.clone(), BATCH).await {
            Ok(deeds) => deeds,
            Err(failure) => {
                tracing::warn!(%failure, "an export ended early");
                return drop(sender.send(download::ended_early()).await);
            }
        };
        let Some(last) = deeds.last() else { return };
        query.before = Some(last.entry.sequence);
        let text: String = deeds
            .iter()
            .map(|deed| line(deed, format, parties))
            .collect();
        if sender.send(Bytes::from(text)).await.is_err() {
            return;
        }
    }
}

fn line(deed: &Deed, format: FileFormat, parties: &Parties) -> String {
    let entry = &deed.entry;
    let by = parties.name(&entry.origin.actor);
    let what = deeds::title(&entry.action);
    if format == FileFormat::JsonLines {
        let line = json!({
            "time": entry.at, "action": entry.action, "what": what, "object": entry.object, "name": deed.name,
            "by": by, "actor": entry.origin.actor, "address": entry.origin.address, "request": entry.origin.request,
            "detail": entry.detail,
        });
        return format!("{line}\n");
    }
    csv::row([
        entry.at.to_string().as_str(),
        &entry.action,
        what,
        &entry.object,
        deed.name.as_deref().unwrap_or_default(),
        by,
        entry.origin.address.as_deref().unwrap_or_default(),
        &entry.origin.request.to_string(),
        &entry.detail.to_string(),
    ])
}

#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<(String, String)> {
    use crate::layout::sample::{HOSTILE, frame};
    use rollcall_model::chain::Hash;
    use rollcall_model::{
        Actor, AdminId, AuditEntry, IntegrationId, IntegrationKind, Origin, RequestId, TokenId,
    };

    let now = Timestamp::from_second(1_763_472_728).unwrap_or_default();
    let zone = Zone::new(Some("Europe/Oslo"), now);
    let id = IntegrationId::from_bytes([1; 16]);
    let parties = Parties::new(
        [(id, IntegrationKind::Entra)],
        [(AdminId::from_bytes([1; 16]), HOSTILE.to_owned())],
    );
    let deed = |(place, word): (usize, &deeds::Word)| Deed {
        entry: AuditEntry {
            sequence: 100,
            at: now - jiff::SignedDuration::from_hours(i64::try_from(place).unwrap_or(0)),
            origin: Origin {
                actor: if place % 3 == 0 {
                    Actor::Administrator {
                        id: AdminId::from_bytes([1; 16]),
                    }
                } else {
                    Actor::Integration {
                        id,
                        token: TokenId::from_bytes([1; 16]),
                    }
                },
                request: RequestId::from_bytes([1; 16]),
                address: Some("20.190.160.14".to_owned()),
            },
            action: word.action.to_owned(),
            object: "2819c223-7f76-453a-919d-413861904646".to_owned(),
            detail: json!({"changes": [{"path": "title", "old": HOSTILE, "new": "Shift Planner"}]}),
        },
        name: Some(
            if place % 5 == 0 {
                HOSTILE
            } else {
                "Ingrid Solheim"
            }
            .to_owned(),
        ),
    };
    let many: Vec<Deed> = WORDS.iter().enumerate().map(deed).take(14).collect();
    let head = Head {
        sequence: 41_207,
        hash: Hash::from_bytes([0xa7; 32]),
    };
    let page = |asked: &Asked, found: &[Deed]| {
        let frame = frame(Place::Activity, "Activity log");
        view(frame, asked, found, &parties, (&zone, head))
            .render()
            .unwrap_or_default()
    };
    let filtered = Asked {
        action: "user.".to_owned(),
        object: HOSTILE.to_owned(),
        before: Some(7),
        from: "2025-11-01".parse().ok(),
        ..Asked::default()
    };
    vec![
        ("activity".to_owned(), page(&Asked::default(), &many)),
        ("activity-none".to_owned(), page(&filtered, &[])),
    ]
}
