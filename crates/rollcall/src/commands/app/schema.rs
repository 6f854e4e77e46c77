//! `rollcall app schema`: mappings as a document of Microsoft Graph.

use std::path::Path;

use rollcall_app::schemas;
use serde_json::json;

use super::Desk;
use crate::cli::mapping::SchemaCommand;
use crate::outcome::{Exit, Trouble};
use crate::printer;

/// A document longer than this is not read: 16 MiB.
const LONGEST: u64 = 16 * 1024 * 1024;

pub(super) async fn run(desk: &Desk<'_>, command: SchemaCommand) -> anyhow::Result<Exit> {
    match command {
        SchemaCommand::Export(which) => {
            let (_, application) = desk.find(&which).await?;
            printer::json(&schemas::export(&application))?;
            Ok(Exit::Done)
        }
        SchemaCommand::Import { which, file } => {
            let text = read(&file)?;
            let (context, application) = desk.find(&which).await?;
            let notes = desk
                .app
                .import_schema(&context, application.id, &text, None)
                .await?;
            if desk.as_json {
                let notes = notes
                    .iter()
                    .map(|note| json!({"place": note.place, "message": note.message}));
                printer::json(&json!({"notes": notes.collect::<Vec<_>>()}))?;
                return Ok(Exit::Done);
            }
            printer::good(
                "the mappings are those of the document; `rollcall app plan` shows what that means",
            );
            for note in &notes {
                printer::say(&format!(
                    "kept, not acted on: {}: {}",
                    note.place, note.message
                ));
            }
            Ok(Exit::Done)
        }
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    let wrong =
        |reason: String| Trouble::wrong(format!("the schema `{}`: {reason}", path.display()));
    let length = std::fs::metadata(path).map(|data| data.len());
    if length.map_err(|error| wrong(error.to_string()))? > LONGEST {
        return Err(wrong("it is longer than 16 MiB".to_owned()).into());
    }
    Ok(std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?)
}
