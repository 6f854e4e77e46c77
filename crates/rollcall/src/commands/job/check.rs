//! `rollcall job check`: everything that can be wrong, told at once, and nothing changed.

use std::path::Path;

use rollcall_app::App;
use rollcall_connect::sources::{Batch, Completeness, Source};
use rollcall_connect::target::{Surroundings, Target};
use rollcall_model::application::Application;
use rollcall_model::{ApplicationId, Kind, Profile};
use rollcall_sync::rules::Rules;
use serde_json::json;

use super::file::SourceSpec;
use super::stage::{Job, Mistake, not_read, wrong};
use crate::config::Config;
use crate::outcome::{Exit, Trouble};
use crate::{printer, runtime};

/// So many refused records are shown.
const SHOWN: usize = 50;

/// What reading the source to its end showed.
#[derive(Debug, Default)]
struct Census {
    people: u64,
    groups: u64,
    refused: u64,
}

pub(crate) async fn run(
    config: &Config,
    path: &Path,
    offline: bool,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let job = match Job::read(path) {
        Ok(job) => job,
        Err(mistakes) if as_json => {
            printer::json(&json!({"mistakes": mistakes}))?;
            return Ok(Exit::Wrong);
        }
        Err(mistakes) => return Err(wrong(&mistakes)),
    };
    let app = runtime::scratch(config).await?;
    let rules = compiled(&app, &job);
    let (rules, mut mistakes) = match rules {
        Ok(rules) => (Some(rules), Vec::new()),
        Err(mistakes) => (None, mistakes),
    };
    let calls_source = matches!(job.file.source, SourceSpec::Scim { .. });
    let mut census = None;
    match &job.file.source {
        SourceSpec::Directory { org } => {
            let known = match super::store(config).await? {
                Some(store) => store.organisation(org).await.is_ok(),
                None => false,
            };
            if !known {
                mistakes.push(Mistake {
                    place: format!("{}: [source] org", job.path.display()),
                    message: format!("this store has no organisation `{org}`"),
                    help: "`rollcall org list` shows those that there are; --store names another store"
                        .to_owned(),
                });
            }
        }
        _ if calls_source && offline => {}
        _ => {
            if let Some(mut source) = job.source(&app, config)? {
                census = Some(count(&mut *source, job.file.accept_empty).await?);
            }
        }
    }
    if !mistakes.is_empty() {
        if as_json {
            printer::json(&json!({"mistakes": mistakes}))?;
            return Ok(Exit::Wrong);
        }
        return Err(wrong(&mistakes));
    }
    let connection = match (&rules, offline) {
        (Some(rules), false) => Some(connect(config, &app, &job, rules).await?),
        _ => None,
    };
    let exit = match &census {
        Some(census) if census.refused > 0 => Exit::No,
        _ => Exit::Done,
    };
    if as_json {
        let source = census.map(|census| {
            json!({"people": census.people, "groups": census.groups, "refused": census.refused})
        });
        let notes = job
            .notes
            .iter()
            .map(|note| json!({"place": note.place, "message": note.message}));
        printer::json(&json!({
            "name": job.file.name, "mistakes": [], "source": source, "notes": notes.collect::<Vec<_>>(),
            "target": connection.map(|latency| json!({"latency_ms": latency})),
        }))?;
        return Ok(exit);
    }
    printer::good(&format!("the job `{}` can be read", job.file.name));
    if let Some(census) = census {
        printer::good(&format!(
            "the source has {} people and {} groups",
            census.people, census.groups
        ));
    }
    printer::good(&format!(
        "{} mappings of people and {} of groups",
        job.users.attributes.len(),
        job.groups.attributes.len()
    ));
    for note in &job.notes {
        printer::detail(&format!(
            "kept, not acted on: {}: {}",
            note.place, note.message
        ));
    }
    if let Some(latency) = connection {
        printer::good(&format!(
            "the target answers in {latency} ms, filters, and takes the token"
        ));
    }
    Ok(exit)
}

fn compiled(app: &App, job: &Job) -> Result<Rules, Vec<Mistake>> {
    let id = ApplicationId::new(app.now(), &**app.randomness());
    let mut application = Application::new(id, job.file.name.clone(), app.now());
    application.users = job.users.clone();
    application.groups = job.groups.clone();
    application.settings = job.file.settings.clone();
    Rules::compile(&application).map_err(|mistakes| {
        let place = match &job.file.schema {
            Some(schema) => schema.display().to_string(),
            None => job.path.display().to_string(),
        };
        let mistakes = mistakes.into_iter().map(|mistake| Mistake {
            place: format!("{place}: {}", mistake.place),
            message: mistake.message,
            help: mistake.help,
        });
        mistakes.collect()
    })
}

/// Reads a source to its end.
async fn count(source: &mut dyn Source, may_be_empty: bool) -> anyhow::Result<Census> {
    let mut census = Census::default();
    loop {
        let batch = source.next().await;
        match batch.map_err(|unread| not_read(&unread))? {
            Batch::Records(records, refused) => {
                for record in &records {
                    match record.kind {
                        Kind::User => census.people += 1,
                        Kind::Group => census.groups += 1,
                    }
                }
                for refusal in &refused {
                    if census.refused < SHOWN as u64 {
                        printer::error(&format!("{}: {}", refusal.place, refusal.reason));
                    }
                    census.refused += 1;
                }
            }
            Batch::End(Completeness::Complete) => return Ok(census),
            Batch::End(Completeness::Empty(_)) if may_be_empty => return Ok(census),
            Batch::End(Completeness::Incomplete(reason) | Completeness::Empty(reason)) => {
                printer::error(&format!(
                    "the source may not be read to its end, so nobody would count as having left: {reason}"
                ));
                census.refused += 1;
                return Ok(census);
            }
        }
    }
}

/// Tests the connection to the target; returns how many milliseconds it takes to answer.
async fn connect(config: &Config, app: &App, job: &Job, rules: &Rules) -> anyhow::Result<u128> {
    let surroundings = Surroundings {
        clock: app.clock().clone(),
        randomness: app.randomness().clone(),
    };
    let client = runtime::client(config)?;
    let target = Target::new(
        client,
        &job.file.url,
        job.token.clone(),
        Profile::default(),
        surroundings,
    );
    let target = target.map_err(|refused| Trouble::wrong(format!("[target] url: {refused}")))?;
    let kinds: Vec<(Kind, String)> = [Kind::User, Kind::Group]
        .into_iter()
        .filter(|kind| rules.of(*kind).enabled)
        .filter_map(|kind| {
            let rules = rules.of(kind);
            let matching = rules.attributes.get(*rules.matching.first()?)?;
            Some((kind, matching.target.to_string()))
        })
        .collect();
    let nobody = app.new_request_id().to_string();
    let tested = target.test(&kinds, &nobody).await;
    let tested = tested.map_err(|trouble| Trouble::unreachable(trouble.message))?;
    for note in &tested.notes {
        printer::detail(note);
    }
    Ok(tested.latency.as_millis())
}
