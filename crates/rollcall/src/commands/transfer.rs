//! `rollcall import` and `rollcall export`.

use std::path::Path;
use std::sync::Arc;

use rollcall_app::directory::{Context, Query, Stored, Wanted};
use rollcall_app::history::Moment;
use rollcall_app::transfer::{Listed, NotImported};
use rollcall_app::{App, csv};
use rollcall_connect::files::{self, Record};
use rollcall_model::{Kind, ResourceId};
use rollcall_store::{Member, Selection};
use serde_json::{Map, Value, json};

use super::history::document;
use super::table;
use crate::cli::transfer::{Export, Import, Tabled};
use crate::config::Config;
use crate::outcome::{Exit, Trouble};
use crate::{printer, runtime};

/// A file longer than this is not read: 256 MiB.
const LONGEST_FILE: u64 = 256 * 1024 * 1024;
/// So many mistakes are shown; the rest is counted.
const SHOWN_MISTAKES: usize = 50;
/// So many objects are read together.
const PAGE: u64 = 1_000;

pub(crate) async fn import(
    config: &Config,
    command: &Import,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let app = runtime::app(config).await?;
    let organisation = app.organisation(&command.org).await?;
    let mut records = read(&app, Kind::User, &command.users)?;
    if let Some(path) = command.groups.as_deref() {
        records.extend(read(&app, Kind::Group, path)?);
    }
    let (users, groups): (Vec<_>, Vec<_>) =
        (records.into_iter()).partition(|(record, _)| record.kind == Kind::User);
    let list = |records: Vec<_>| records.into_iter().map(listed).collect();
    let (users, groups) = (list(users), list(groups));
    let context = app.command_context(organisation.id);
    match app.import(&context, users, groups).await {
        Ok(report) if as_json => printer::json(&json!({
            "created": report.created, "updated": report.updated, "unchanged": report.unchanged,
            "memberships": report.memberships,
        }))?,
        Ok(report) => printer::say(&format!(
            "{} created, {} updated, {} unchanged, {} memberships added",
            report.created, report.updated, report.unchanged, report.memberships
        )),
        Err(NotImported::Refused(refusals)) => {
            let lines = refusals
                .into_iter()
                .map(|refusal| (refusal.file, refusal.line, refusal.reason));
            return Err(mistakes(lines.collect()));
        }
        Err(NotImported::Failed(failure)) => return Err(failure.into()),
    }
    Ok(Exit::Done)
}

/// Reads a file; each record comes with the file's name.
fn read(app: &App, kind: Kind, path: &Path) -> anyhow::Result<Vec<(Record, Arc<str>)>> {
    let unreadable = |error| Trouble::wrong(format!("{} cannot be read: {error}", path.display()));
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > LONGEST_FILE {
        return Err(
            Trouble::wrong(format!("{} is longer than 256 MiB", path.display()))
                .hint("split it")
                .into(),
        );
    }
    let text = std::fs::read(path).map_err(unreadable)?;
    let name: Arc<str> = path.display().to_string().into();
    match files::read(kind, app.registry(), &text, &app.settings().limits) {
        Ok(records) => {
            let records = records.into_iter();
            Ok(records.map(|record| (record, Arc::clone(&name))).collect())
        }
        Err(wrong) => Err(mistakes(
            wrong
                .into_iter()
                .map(|mistake| (Arc::clone(&name), mistake.line, mistake.reason))
                .collect(),
        )),
    }
}

fn listed((record, file): (Record, Arc<str>)) -> Listed {
    let Record {
        kind: _,
        line,
        reference,
        body,
        lists,
        members,
        manager,
    } = record;
    Listed {
        file,
        line,
        reference,
        body,
        lists,
        members,
        manager,
    }
}

fn mistakes(mistakes: Vec<(Arc<str>, u64, String)>) -> anyhow::Error {
    for (path, line, reason) in mistakes.iter().take(SHOWN_MISTAKES) {
        printer::say(&format!("{path}:{line}: {reason}"));
    }
    let said = match mistakes.len() {
        1 => "a mistake; nothing was imported".to_owned(),
        count => format!("{count} mistakes; nothing was imported"),
    };
    Trouble::wrong(said)
        .hint("mend the lines above and repeat")
        .into()
}

pub(crate) async fn export(config: &Config, command: &Export) -> anyhow::Result<Exit> {
    let app = runtime::app(config).await?;
    let organisation = app.organisation(&command.org).await?;
    let context = app.command_context(organisation.id);
    let kinds: &[Kind] = match command.csv {
        None => &[Kind::User, Kind::Group],
        Some(Tabled::Users) => &[Kind::User],
        Some(Tabled::Groups) => &[Kind::Group],
    };
    if command.csv.is_some() {
        let columns = kinds.iter().flat_map(|kind| table::columns(*kind));
        row(columns.map(str::to_owned));
    }
    for kind in kinds {
        let written = Written {
            kind: *kind,
            is_table: command.csv.is_some(),
        };
        match command.at {
            Some(at) => export_past(&app, &context, at, written).await?,
            None => export_present(&app, &context, written).await?,
        }
    }
    Ok(Exit::Done)
}

/// How objects are written out.
#[derive(Clone, Copy)]
struct Written {
    kind: Kind,
    is_table: bool,
}

impl Written {
    fn one(self, document: &Value) {
        if self.is_table {
            row(table::cells(self.kind, document));
        } else {
            printer::line(&document.to_string());
        }
    }
}

fn row(cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    let row = csv::row(cells.iter().map(String::as_str));
    printer::line(row.trim_end_matches(['\r', '\n']));
}

async fn export_present(app: &App, context: &Context, written: Written) -> anyhow::Result<()> {
    let kind = written.kind;
    let mut after: Option<ResourceId> = None;
    loop {
        let selection = Selection::after(after, PAGE);
        let wanted = Wanted::NOTHING;
        let page = app.list(context, kind, Query { selection, wanted }).await?;
        for Stored { raw, .. } in page.objects {
            let mut document: Map<String, Value> = serde_json::from_slice(&raw.document)?;
            if kind == Kind::Group {
                let members = members(app, context, raw.id).await?;
                document.insert("members".into(), members);
            }
            written.one(&Value::Object(document));
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Writes out what was at a moment.
async fn export_past(
    app: &App,
    context: &Context,
    at: Moment,
    written: Written,
) -> anyhow::Result<()> {
    let kind = written.kind;
    // one place for all: what is written out is a state that existed
    let at = Moment::Place(app.place(context, at).await?);
    for id in app.ever(context, kind, at).await? {
        let past = app.past(context, (kind, id), at).await?;
        if let Some(document) = past.and_then(|past| document(kind, past)) {
            written.one(&document);
        }
    }
    Ok(())
}

/// Reads the members of a group, a page at a time: only one group is in memory, however many there are.
async fn members(app: &App, context: &Context, group: ResourceId) -> anyhow::Result<Value> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = app.members(context, group, after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(Value::Array(all));
        };
        after = Some(last.id);
        let described =
            |member: &Member| json!({"value": member.id, "type": member.kind.resource_type()});
        all.extend(page.iter().map(described));
    }
}
