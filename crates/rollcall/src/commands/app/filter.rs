//! `rollcall app filter`: who passes.

use rollcall_model::Application;
use rollcall_model::mapping::ScopeFilter;
use serde_json::{Value, json};

use super::{Desk, kinds};
use crate::cli::mapping::{FilterCommand, Kinds};
use crate::outcome::Exit;
use crate::printer;
use crate::provisioning::noun;

pub(super) async fn run(desk: &Desk<'_>, command: FilterCommand) -> anyhow::Result<Exit> {
    match command {
        FilterCommand::List(kinds) => list(desk, &kinds).await,
        FilterCommand::Add { of, clauses } => {
            let (context, application) = desk.find(&of.which).await?;
            let filter = ScopeFilter {
                name: of.filter.clone(),
                clauses,
            };
            let application = desk
                .app
                .add_filter(&context, application.id, of.kind.into(), filter)
                .await?;
            changed(desk, &application, &format!("`{}` is added", of.filter))
        }
        FilterCommand::Remove(of) => {
            let (context, application) = desk.find(&of.which).await?;
            let key = (of.kind.into(), of.filter.clone());
            let application = desk
                .app
                .remove_filter(&context, application.id, key)
                .await?;
            changed(desk, &application, &format!("`{}` is removed", of.filter))
        }
    }
}

fn changed(desk: &Desk<'_>, application: &Application, said: &str) -> anyhow::Result<Exit> {
    let said = format!("{said}; `rollcall app plan` shows what that means");
    desk.done(&said, &described(application, &kinds(None)))
}

async fn list(desk: &Desk<'_>, command: &Kinds) -> anyhow::Result<Exit> {
    let (_, application) = desk.find(&command.which).await?;
    let kinds = kinds(command.kind);
    if desk.as_json {
        printer::json(&described(&application, &kinds))?;
        return Ok(Exit::Done);
    }
    let rows = kinds.iter().flat_map(|kind| {
        let filters = application.mapping(*kind).filters.iter();
        filters.map(|filter| {
            [
                noun(*kind).to_owned(),
                filter.name.clone(),
                filter.sentence(),
            ]
        })
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        printer::say("there is no scoping filter: everybody passes");
    } else {
        printer::table(["kind", "filter", "clauses"], rows);
    }
    Ok(Exit::Done)
}

fn described(application: &Application, kinds: &[rollcall_model::Kind]) -> Value {
    let all = kinds.iter().flat_map(|kind| {
        let filters = application.mapping(*kind).filters.iter();
        filters.map(
            move |filter| json!({"kind": kind, "name": filter.name, "clauses": filter.clauses}),
        )
    });
    Value::Array(all.collect())
}
