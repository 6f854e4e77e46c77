//! All mappings of an application as one document: given out, and taken over after what it would change was shown.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use rollcall_app::mappings::versions;
use rollcall_app::{Failure, schemas};
use rollcall_model::{Application, Kind, Permission};
use rollcall_sync::schema::{self, Imported, Mistake, Note};

use super::Head;
use super::conflict::{Sides, conflict};
use super::restore::{Difference, differences};
use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, page, upload};

pub(super) fn routes() -> Routes {
    let look_at = Needs::Role(Permission::Read);
    let change = Permission::ManageProvisioning;
    vec![
        page("/applications/{id}/schema", look_at, look),
        page("/applications/{id}/schema/download", look_at, download),
        upload("/applications/{id}/schema", change, read),
        upload("/applications/{id}/schema/apply", change, apply),
    ]
}

/// So many differences are shown of each mapping; a document may have thousands.
const SHOWN: usize = 200;

#[derive(Debug, Template)]
#[template(path = "mapping_schema.html")]
pub(super) struct SchemaPage {
    pub(super) frame: Frame,
    pub(super) head: Head,
    /// What was pasted, when it cannot be used.
    pub(super) pasted: String,
    pub(super) mistakes: Vec<Mistake>,
    /// What it would change.
    pub(super) draft: Option<Draft>,
}

impl SchemaPage {
    fn address(&self) -> String {
        format!("/applications/{}/schema", self.head.id)
    }
}

/// A document that can be taken over.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) text: String,
    pub(super) users: Vec<Difference>,
    pub(super) groups: Vec<Difference>,
    /// How many differences are not shown.
    pub(super) more: usize,
    pub(super) notes: Vec<Note>,
}

impl Draft {
    fn new(application: &Application, imported: &Imported, text: String) -> Self {
        let mut users = differences(&application.users, &imported.users);
        let mut groups = differences(&application.groups, &imported.groups_or_none());
        let more = users.len().saturating_sub(SHOWN) + groups.len().saturating_sub(SHOWN);
        users.truncate(SHOWN);
        groups.truncate(SHOWN);
        Self {
            text,
            users,
            groups,
            more,
            notes: imported.notes.clone(),
        }
    }
}

impl Console {
    async fn schema_page(
        &self,
        known: &Known,
        application: &Application,
        title: &str,
    ) -> Result<SchemaPage, Problem> {
        let head = Head {
            version: versions(application),
            ..Head::new(application, Kind::User)
        };
        Ok(SchemaPage {
            frame: self.mapping_frame(known, &head, title).await?,
            head,
            pasted: String::new(),
            mistakes: Vec::new(),
            draft: None,
        })
    }
}

async fn look(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let application = console.application(&known, &id).await?;
    let page = console
        .schema_page(&known, &application, "Synchronization schema")
        .await?;
    Ok(layout::rendered(&page))
}

async fn download(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let application = console.application(&known, &id).await?;
    let document = schemas::export(&application);
    let text = serde_json::to_string_pretty(&document)
        .map_err(|_| Problem::internal("a schema without a JSON form"))?;
    let name = format!("attachment; filename=\"{}\"", file_name(&application.name));
    let headers = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (CONTENT_DISPOSITION, name),
    ];
    Ok((headers, text).into_response())
}

/// Makes a file name of an application's name: letters, digits and hyphens.
fn file_name(application: &str) -> String {
    let letters = application.chars().map(|letter| {
        if letter.is_ascii_alphanumeric() {
            letter.to_ascii_lowercase()
        } else {
            '-'
        }
    });
    let name: String = letters.take(60).collect();
    let parts: Vec<&str> = name.split('-').filter(|part| !part.is_empty()).collect();
    match parts.join("-").as_str() {
        "" => "synchronization-schema.json".to_owned(),
        name => format!("{name}-synchronization-schema.json"),
    }
}

async fn read(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let application = console.editable(&known, &id).await?;
    let uploaded = Some(form.raw("file")).filter(|text| !text.trim().is_empty());
    let text = uploaded.unwrap_or_else(|| form.raw("document")).to_owned();
    let parsed = if text.trim().is_empty() {
        Err(vec![Mistake {
            place: "the document".to_owned(),
            message: "there is none".to_owned(),
            help: "choose a file, or paste the document".to_owned(),
        }])
    } else {
        schema::read(&text)
    };
    let title = match &parsed {
        Ok(_) => "Synchronization schema",
        Err(_) => "Error: Synchronization schema",
    };
    let mut page = console.schema_page(&known, &application, title).await?;
    match parsed {
        Ok(imported) => {
            page.draft = Some(Draft::new(&application, &imported, text));
            Ok(layout::rendered(&page))
        }
        Err(mistakes) => {
            page.mistakes = mistakes;
            form.raw("document").clone_into(&mut page.pasted);
            Ok(layout::rendered_again(&page))
        }
    }
}

async fn apply(
    State(console): State<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let application = console.editable(&known, &id).await?;
    let text = form.raw("document").to_owned();
    let imported = console
        .app
        .import_schema(
            &known.visitor.context(),
            application.id,
            &text,
            Some(form.text("version").to_owned()),
        )
        .await;
    let address = format!("/applications/{}/schema", application.id);
    match imported {
        Ok(_) => {
            let flash = Flash::ok("The mappings are those of the document from the next cycle on.");
            let to = format!("/applications/{}/mappings/users", application.id);
            Ok(layout::done(&console, &to, &flash))
        }
        Err(Failure::Precondition) => {
            let told = |changes: Vec<Difference>| {
                let changes = changes.into_iter().take(SHOWN);
                let line = |one: Difference| {
                    let side = one.after.unwrap_or_else(|| "taken out".to_owned());
                    format!("{}: {side}", one.what)
                };
                changes.map(line).collect::<Vec<String>>()
            };
            let mine = match schema::read(&text) {
                Ok(imported) => {
                    let draft = Draft::new(&application, &imported, String::new());
                    [told(draft.users), told(draft.groups)].concat()
                }
                Err(_) => Vec::new(),
            };
            let head = Head {
                version: versions(&application),
                ..Head::new(&application, Kind::User)
            };
            let lines = application.users.attributes.iter();
            let sides = Sides {
                theirs: lines
                    .map(rollcall_model::AttributeMapping::sentence)
                    .collect(),
                mine,
                action: format!("{address}/apply"),
                back: address,
            };
            conflict(&console, &known, head, &form, sides).await
        }
        Err(Failure::Configuration(mistakes)) => {
            let mut page = console
                .schema_page(&known, &application, "Error: Synchronization schema")
                .await?;
            page.mistakes = mistakes;
            page.pasted = text;
            Ok(layout::rendered_again(&page))
        }
        Err(failure) => Err(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_holds_nothing_that_a_header_minds() {
        assert_eq!(
            file_name("Key haven"),
            "key-haven-synchronization-schema.json"
        );
        assert_eq!(file_name("\"é\r\n漢;"), "synchronization-schema.json");
    }
}
