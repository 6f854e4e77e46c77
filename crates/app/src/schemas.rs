//! The synchronization schema of an application: taken over from a document of Microsoft Graph, and given out as one.

use rollcall_model::{Application, ApplicationId};
use rollcall_sync::schema::{self, Imported, Note};
use serde_json::Value;

use crate::directory::Context;
use crate::{App, Failure, mappings};

impl App {
    /// Takes an application's mappings over from a document, which is kept so that it can be given out again as it was. Returns what of it is
    /// kept and not acted on. `expected` is the version of the mappings ([`mappings::versions`]) that are to be replaced; absent: whatever
    /// is there.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Precondition`] when somebody else changed the mappings meanwhile; [`Failure::Configuration`] with every mistake in the document.
    pub async fn import_schema(
        &self,
        context: &Context,
        id: ApplicationId,
        text: &str,
        expected: Option<String>,
    ) -> Result<Vec<Note>, Failure> {
        let imported = schema::read(text).map_err(Failure::Configuration)?;
        let groups = imported.groups_or_none();
        let Imported {
            document,
            users,
            notes,
            ..
        } = imported;
        self.reconfigure(context, id, move |application| {
            if expected.is_some_and(|expected| expected != mappings::versions(application)) {
                return Err(Failure::Precondition);
            }
            application.users = users;
            application.groups = groups;
            application.schema = Some(document);
            Ok(())
        })
        .await?;
        Ok(notes)
    }
}

/// Returns an application's mappings as a document: the one that they were taken from, where it still holds.
pub fn export(application: &Application) -> Value {
    schema::write(
        application.schema.as_ref(),
        &application.users,
        &application.groups,
    )
}
