//! The provisioning logs as a file, with the filters of the page.

use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use rollcall_app::App;
use rollcall_app::csv;
use rollcall_app::directory::Context;
use rollcall_app::provisioning_logs::{LogsPage, LogsQuery};
use rollcall_model::ApplicationId;
use rollcall_model::provisioning::LogEntry;
use serde_json::json;
use tokio::sync::mpsc;

use super::Asked;
use crate::Console;
use crate::download::{self, FileFormat};
use crate::form::Form;
use crate::guard::Known;
use crate::pages::applications::{parsed, steps};
use crate::problem::Problem;

/// So many entries are read at once.
const BATCH: usize = 500;

pub(super) async fn download_all(
    State(console): State<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    download(&console, &known, &form, None).await
}

pub(super) async fn download_one(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    download(&console, &known, &form, Some(parsed(&id)?)).await
}

async fn download(
    console: &Console,
    known: &Known,
    form: &Form,
    only: Option<ApplicationId>,
) -> Result<Response, Problem> {
    let context = known.visitor.context();
    let query = Asked::of(form).query(only, BATCH);
    // what cannot be read at all is a page that says so, and not an empty file
    let first = console
        .app
        .provisioning_logs(&context, query.clone())
        .await?;
    let turn = console.files.turn()?;
    let format = FileFormat::of(form);
    let (sender, response) = format.begin("provisioning-logs");
    let app = console.app.clone();
    tokio::spawn(async move {
        let _turn = turn;
        send(&app, &context, query, first, format, &sender).await;
    });
    Ok(response)
}

/// Sends the entries, a batch at a time, until all are sent or nobody reads any more.
async fn send(
    app: &App,
    context: &Context,
    mut query: LogsQuery,
    mut page: LogsPage,
    format: FileFormat,
    sender: &mpsc::Sender<Bytes>,
) {
    if format == FileFormat::Csv {
        let head = csv::row([
            "time",
            "application",
            "action",
            "result",
            "kind",
            "name",
            "sign-in name",
            "source id",
            "target id",
            "milliseconds",
            "code",
            "reason",
            "recommended action",
            "attributes",
            "cycle",
        ]);
        if sender.send(Bytes::from(head)).await.is_err() {
            return;
        }
    }
    loop {
        let lines = page.entries.iter().map(|(_, entry)| {
            let name = page
                .applications
                .iter()
                .find(|(id, _)| *id == entry.application);
            line(entry, name.map_or("", |(_, name)| name), format)
        });
        let text: String = lines.collect();
        if !text.is_empty() && sender.send(Bytes::from(text)).await.is_err() {
            return;
        }
        let Some(next) = page.next.take() else { return };
        query.before = next;
        page = match app.provisioning_logs(context, query.clone()).await {
            Ok(page) => page,
            Err(failure) => {
                tracing::warn!(%failure, "a file of logs ended early");
                return drop(sender.send(download::ended_early()).await);
            }
        };
    }
}

fn line(entry: &LogEntry, application: &str, format: FileFormat) -> String {
    if format == FileFormat::JsonLines {
        let line = json!({"applicationName": application, "event": entry});
        return format!("{line}\n");
    }
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let error = entry.error.as_ref();
    let attributes: Vec<&str> = entry
        .modified_properties
        .iter()
        .map(|property| property.display_name.as_str())
        .collect();
    csv::row([
        entry.at.to_string().as_str(),
        application,
        steps::action(entry.action),
        steps::status(entry.status).2,
        match entry.source.kind {
            rollcall_model::Kind::User => "person",
            rollcall_model::Kind::Group => "group",
        },
        &text(entry.source.display_name.as_ref()),
        &text(entry.source.sign_in_name.as_ref()),
        &entry.source.id,
        entry.target.as_ref().map_or("", |target| &target.id),
        &entry.duration_in_milliseconds.to_string(),
        error.map_or("", |error| &error.error_code),
        error.map_or("", |error| &error.reason),
        &text(error.and_then(|error| error.recommended_action.as_ref())),
        &attributes.join(", "),
        &entry.cycle.to_string(),
    ])
}
