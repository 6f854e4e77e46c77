//! `rollcall person`: what is kept about a person, and its erasure.

use rollcall_app::{App, Failure};
use rollcall_model::ResourceId;
use rollcall_store::Location;
use serde_json::json;

use super::confirmation;
use crate::cli::{OnePerson, Person};
use crate::config::Config;
use crate::outcome::{Exit, Trouble};
use crate::{printer, runtime};

pub(crate) async fn run(config: &Config, command: Person, as_json: bool) -> anyhow::Result<Exit> {
    let app = runtime::app(config).await?;
    match command {
        Person::Export(one) => {
            let (context, id) = found(&app, one).await?;
            printer::json(&app.person_data(&context, id).await?)?;
            Ok(Exit::Done)
        }
        Person::Erase { one, yes } => {
            let called = one.person.clone();
            let (context, id) = found(&app, one).await?;
            if !yes && !confirmed(&called, id)? {
                return Ok(Exit::No);
            }
            let erased = app.erase_person(&context, id).await.map_err(refused)?;
            if as_json {
                printer::json(&json!({
                    "id": id, "changes_in_feed": erased.changes, "entries": erased.entries,
                }))?;
                return Ok(Exit::Done);
            }
            printer::good(&format!(
                "nothing is kept about {id} but the id, in {} entries of the activity log",
                erased.entries
            ));
            if let Location::Sqlite(path) = &config.store.value {
                printer::hint(&format!(
                    "free pages of the file may hold what was erased until they are used again: `sqlite3 {} VACUUM` writes the file anew. Backups hold it until they are gone",
                    path.display()
                ));
            }
            Ok(Exit::Done)
        }
    }
}

async fn found(
    app: &App,
    one: OnePerson,
) -> anyhow::Result<(rollcall_app::directory::Context, ResourceId)> {
    let organisation = app.organisation(&one.org).await?;
    let context = app.command_context(organisation.id);
    let id = app.person_called(&context, one.person).await?;
    Ok((context, id))
}

fn confirmed(called: &str, id: ResourceId) -> anyhow::Result<bool> {
    let says = format!("This erases everything that is kept about `{called}` ({id})");
    confirmation::confirmed("erasing a person", &says, called)
}

/// Somebody else has to do something first: that is an answer, not a wrong call.
fn refused(failure: Failure) -> anyhow::Error {
    match failure {
        Failure::Forbidden { reason } => Trouble::no(reason).hint("nothing was changed").into(),
        other => other.into(),
    }
}
