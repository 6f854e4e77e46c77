//! `rollcall job check`: everything that can be wrong, told at once, and nothing changed.

use std::collections::HashSet;
use std::path::Path;

use rollcall_app::App;
use rollcall_connect::sources::{Batch, Completeness, Source, Unread};
use rollcall_connect::target::{Surroundings, Target};
use rollcall_model::application::{Application, Principal};
use rollcall_model::{ApplicationId, Kind, Profile, ResourceId};
use rollcall_scim::key::canonical;
use rollcall_sync::rules::Rules;
use rollcall_sync::target_path::member;
use serde_json::json;

use super::file::SourceSpec;
use super::stage::{Job, Mistake, not_read, wrong};
use crate::config::Config;
use crate::outcome::{Exit, NEW_TOKEN, Trouble};
use crate::{printer, runtime};

/// So many refused records are shown.
const SHOWN: usize = 50;

/// What reading the source to its end showed.
#[derive(Debug, Default)]
struct Census {
    people: u64,
    groups: u64,
    refused: u64,
    /// The names of all, as they are compared, to see who is meant by an assignment.
    names: HashSet<(Kind, String)>,
}

pub(crate) async fn run(
    config: &Config,
    path: &Path,
    offline: bool,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let (job, mut mistakes) = Job::examined(path);
    let Some(job) = job else {
        return told(&mistakes, as_json);
    };
    let app = runtime::scratch(config).await?;
    let rules = match compiled(&app, &job) {
        Ok(rules) => Some(rules),
        Err(more) => {
            mistakes.extend(more);
            None
        }
    };
    let census = look(config, &app, &job, offline, &mut mistakes).await?;
    if !mistakes.is_empty() {
        return told(&mistakes, as_json);
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

/// Looks at what the job names as its source; adds what is wrong with it.
async fn look(
    config: &Config,
    app: &App,
    job: &Job,
    offline: bool,
    mistakes: &mut Vec<Mistake>,
) -> anyhow::Result<Option<Census>> {
    let calls_source = job.file.source.calls_somebody();
    let mut census = None;
    match &job.file.source {
        SourceSpec::Directory { org } => {
            let known = match super::store(config).await? {
                Some(store) => match store.organisation(org).await {
                    Ok(organisation) => Some((store.command_context(organisation.id), store)),
                    Err(_) => None,
                },
                None => None,
            };
            if let Some((context, store)) = known {
                let assigned = job.file.assigned.clone().unwrap_or_default();
                let (_, nobody) = store.resolve(&context, assigned).await?;
                mistakes.extend(nobody.iter().map(|principal| job.nobody(principal)));
            } else {
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
            if let Some(mut source) = job.source(app, config)? {
                match count(&mut *source, job.file.accept_empty).await {
                    Ok(counted) => {
                        mistakes.extend(strangers(job, &counted));
                        census = Some(counted);
                    }
                    // what cannot be reached is no mistake in the job
                    Err(unread) if unread.is_out_of_reach && mistakes.is_empty() => {
                        return Err(not_read(&unread).into());
                    }
                    Err(unread) => mistakes.extend(unreadable(job, unread)),
                }
            }
        }
    }
    Ok(census)
}

/// Ends a check that found mistakes.
fn told(mistakes: &[Mistake], as_json: bool) -> anyhow::Result<Exit> {
    if as_json {
        printer::json(&json!({"mistakes": mistakes}))?;
        return Ok(Exit::Wrong);
    }
    Err(wrong(mistakes))
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

/// Finds who is assigned and not in the source. Where some of it could not be read, nobody can tell.
fn strangers(job: &Job, census: &Census) -> Vec<Mistake> {
    let assigned = job.file.assigned.iter().flatten();
    let is_strange = |principal: &&Principal| {
        census.refused == 0
            && principal.name.parse::<ResourceId>().is_err()
            && !census
                .names
                .contains(&(principal.kind, canonical(&principal.name)))
    };
    assigned
        .filter(is_strange)
        .map(|principal| job.nobody(principal))
        .collect()
}

/// Puts what is wrong with a source beside the mistakes of the job.
fn unreadable(job: &Job, unread: Unread) -> Vec<Mistake> {
    let Unread {
        message,
        help,
        mistakes,
        ..
    } = unread;
    if mistakes.is_empty() {
        let place = format!("{}: [source]", job.path.display());
        return vec![Mistake {
            place,
            message,
            help,
        }];
    }
    let mistakes = mistakes.into_iter().map(|mistake| Mistake {
        place: mistake.place,
        // a reason says what to do
        message: mistake.reason,
        help: String::new(),
    });
    mistakes.collect()
}

/// Reads a source to its end.
async fn count(source: &mut dyn Source, may_be_empty: bool) -> Result<Census, Unread> {
    let mut census = Census::default();
    loop {
        match source.next().await? {
            Batch::Records(records, refused) => {
                for record in &records {
                    let attribute = match record.kind {
                        Kind::User => {
                            census.people += 1;
                            "userName"
                        }
                        Kind::Group => {
                            census.groups += 1;
                            "displayName"
                        }
                    };
                    let body = record.body.as_object();
                    let name = body.and_then(|body| member(body, attribute)?.as_str());
                    census
                        .names
                        .extend(name.map(|name| (record.kind, canonical(name))));
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
    let tested = tested.map_err(|trouble| {
        if trouble.is_about_credential() {
            Trouble::wrong(trouble.message).hint(NEW_TOKEN)
        } else {
            Trouble::unreachable(trouble.message)
        }
    })?;
    for note in &tested.notes {
        printer::detail(note);
    }
    Ok(tested.latency.as_millis())
}
