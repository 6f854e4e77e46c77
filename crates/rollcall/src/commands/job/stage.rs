//! A job ready to work: the file read, what it names found, the stored application brought to what it says, the source mirrored.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rollcall_app::App;
use rollcall_app::directory::Context;
use rollcall_app::jobs;
use rollcall_app::mirror::Mirroring;
use rollcall_connect::sources::files::Files;
use rollcall_connect::sources::graph::{self, Graph, Tenant};
use rollcall_connect::sources::ldap::{Ldap, Tree};
use rollcall_connect::sources::scim::Scim;
use rollcall_connect::sources::{Source, Unread};
use rollcall_connect::target::Surroundings;
use rollcall_engine::{Engine, NotMirrored};
use rollcall_model::application::{Principal, Scope};
use rollcall_model::mapping::{ObjectMapping, defaults};
use rollcall_model::{ApplicationId, Kind, Secret};
use rollcall_sync::schema::{self, Note};
use serde_json::Value;

use super::file::{self, JobFile, SecretSpec, SourceSpec};
use crate::config::Config;
use crate::outcome::Trouble;
use crate::{printer, runtime};

/// So many mistakes are shown; the rest is counted.
const SHOWN: usize = 50;
/// The longest file of a secret, in bytes.
const LONGEST_SECRET: u64 = 16 * 1024;

/// A mistake in a job file or in what it names.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Mistake {
    pub(crate) place: String,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// A job file with everything that it names on this machine.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) path: PathBuf,
    pub(crate) file: JobFile,
    pub(crate) token: Secret,
    source_secret: Option<Secret>,
    pub(crate) users: ObjectMapping,
    pub(crate) groups: ObjectMapping,
    schema: Option<Value>,
    /// What of the schema is kept and not acted on.
    pub(crate) notes: Vec<Note>,
}

impl Job {
    /// Reads a job file, and the files and variables that it names but for the source.
    pub(crate) fn read(path: &Path) -> Result<Self, Vec<Mistake>> {
        match Self::examined(path) {
            (Some(job), mistakes) if mistakes.is_empty() => Ok(job),
            (_, mistakes) => Err(mistakes),
        }
    }

    /// Reads a job file with every mistake in it and in what it names. The job is there also when there are mistakes, as far as it can be
    /// understood, so that a check can look at its source too.
    pub(crate) fn examined(path: &Path) -> (Option<Self>, Vec<Mistake>) {
        let shown = path.display().to_string();
        let text =
            std::path::absolute(path).and_then(|path| Ok((std::fs::read_to_string(&path)?, path)));
        let (text, path) = match text {
            Ok(read) => read,
            Err(error) => {
                let mistake = Mistake {
                    place: shown,
                    message: format!("it cannot be read: {error}"),
                    help: "give the path of a job file".to_owned(),
                };
                return (None, vec![mistake]);
            }
        };
        let (file, mistakes) = file::read(&text, &path, &|spec| secret(spec).err());
        let mistakes = mistakes.into_iter().map(|mistake| Mistake {
            place: format!("{shown}:{}:{}", mistake.place.0, mistake.place.1),
            message: mistake.message,
            help: mistake.help,
        });
        let mut mistakes: Vec<Mistake> = mistakes.collect();
        let Some(file) = file else {
            return (None, mistakes);
        };
        let (mut users, mut groups) = (defaults::users(), defaults::groups());
        let (mut document, mut notes) = (None, Vec::new());
        if let Some(path) = &file.schema {
            match read_schema(path) {
                Ok(imported) => {
                    groups = imported.groups_or_none();
                    users = imported.users;
                    document = Some(imported.document);
                    notes = imported.notes;
                }
                Err(more) => mistakes.extend(more),
            }
        }
        // what is wrong with one is among the mistakes
        let source_secret = file.source.secret().map(|spec| secret(spec).ok());
        let (Ok(token), None | Some(Some(_))) = (secret(&file.token), &source_secret) else {
            return (None, mistakes);
        };
        let job = Self {
            path,
            token,
            source_secret: source_secret.flatten(),
            file,
            users,
            groups,
            schema: document,
            notes,
        };
        (Some(job), mistakes)
    }

    /// Says that the file assigns somebody whom the source does not have.
    pub(crate) fn nobody(&self, principal: &Principal) -> Mistake {
        Mistake {
            place: format!("{}: [scope] assigned", self.path.display()),
            message: format!(
                "`{principal}`: the source has no such {}",
                file::noun(principal.kind)
            ),
            help: "take it out, or look at its spelling in the source".to_owned(),
        }
    }

    /// Opens the source; absent: it is a directory of this store.
    pub(crate) fn source(
        &self,
        app: &App,
        config: &Config,
    ) -> anyhow::Result<Option<Box<dyn Source>>> {
        let (registry, limits) = ((**app.registry()).clone(), app.settings().limits.clone());
        let secret = || self.source_secret.clone().context("the source's secret");
        let surroundings = || Surroundings {
            clock: app.clock().clone(),
            randomness: app.randomness().clone(),
        };
        Ok(match &self.file.source {
            SourceSpec::Directory { .. } => None,
            SourceSpec::Files { users, groups } => {
                let mut paths = vec![(Kind::User, users.clone())];
                paths.extend(groups.iter().map(|path| (Kind::Group, path.clone())));
                Some(Box::new(Files::new(paths, registry, limits)))
            }
            SourceSpec::Scim { url, .. } => {
                let client = runtime::client(config)?;
                let source = Scim::new(client, url, secret()?, registry, limits, surroundings());
                Some(Box::new(source.map_err(|refused| {
                    Trouble::wrong(format!("[source] url: {refused}"))
                })?))
            }
            SourceSpec::Ldap(ldap) => {
                let bind = ldap.bind.as_ref();
                let bind = bind.map(|(name, _)| anyhow::Ok((name.clone(), secret()?)));
                let tree = Tree {
                    url: ldap.url.clone(),
                    starts_tls: ldap.starts_tls,
                    bind: bind.transpose()?,
                    base: ldap.base.clone(),
                    users: ldap.users.clone(),
                    groups: ldap.groups.clone(),
                    user_name: ldap.user_name.clone(),
                    key: ldap.key.clone(),
                    attributes: ldap.attributes.clone(),
                };
                let source = Ldap::new(runtime::client(config)?, tree, registry, limits);
                Some(Box::new(source.map_err(|unusable| {
                    Trouble::wrong(format!("[source] {unusable}"))
                })?))
            }
            SourceSpec::Graph(spec) => {
                let or = |given: &Option<String>, usual: &str| {
                    given.clone().unwrap_or_else(|| usual.to_owned())
                };
                let tenant = Tenant {
                    tenant: spec.tenant.clone(),
                    client_id: spec.client_id.clone(),
                    client_secret: secret()?,
                    url: or(&spec.url, graph::GRAPH),
                    login: or(&spec.login, graph::LOGIN),
                    attributes: spec.attributes.clone(),
                };
                let client = runtime::client(config)?;
                let source = Graph::new(client, tenant, registry, limits, surroundings());
                Some(Box::new(source.map_err(|refused| {
                    Trouble::wrong(format!("[source] url or login: {refused}"))
                })?))
            }
        })
    }
}

fn read_schema(path: &Path) -> Result<schema::Imported, Vec<Mistake>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        vec![Mistake {
            place: shown.to_string(),
            message: format!("the schema cannot be read: {error}"),
            help: "[mapping] schema names a file, from the folder of the job file on".to_owned(),
        }]
    })?;
    schema::read(&text).map_err(|mistakes| {
        let mistakes = mistakes.into_iter().map(|mistake| Mistake {
            place: format!("{shown}: {}", mistake.place),
            message: mistake.message,
            help: mistake.help,
        });
        mistakes.collect()
    })
}

/// Fetches a secret, or says what is wrong with it and what to do.
fn secret(spec: &SecretSpec) -> Result<Secret, (String, &'static str)> {
    const HELP: &str = "the file holds the secret and nothing else";
    let text = match spec {
        SecretSpec::Variable(name) => std::env::var(name).map_err(|_| {
            let message = format!("the variable `{name}` is not set");
            (message, "set it before the command, or name a file")
        })?,
        SecretSpec::File(path) => {
            let shown = path.display();
            if std::fs::metadata(path).is_ok_and(|data| data.len() > LONGEST_SECRET) {
                return Err((format!("{shown} is longer than a secret"), HELP));
            }
            std::fs::read_to_string(path)
                .map_err(|error| (format!("{shown} cannot be read: {error}"), HELP))?
        }
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(("the secret is empty".to_owned(), "put it there"));
    }
    Ok(Secret::new(text))
}

/// A job whose application is in the store.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) job: Job,
    pub(crate) app: App,
    pub(crate) engine: Engine,
    pub(crate) context: Context,
    pub(crate) application: ApplicationId,
}

impl Stage {
    /// Prepares a job: makes its application what the file says, reads the source, and assigns who is named. Nothing is sent.
    pub(crate) async fn open(
        config: &Config,
        path: &Path,
    ) -> anyhow::Result<(Self, Option<Mirroring>)> {
        let job = Job::read(path).map_err(|mistakes| wrong(&mistakes))?;
        let app = runtime::begun(config).await?;
        let engine = Engine::new(app.clone(), runtime::client(config)?);
        let organisation = match &job.file.source {
            SourceSpec::Directory { org } => app.organisation(org).await?,
            _ => app.make_job_organisation(&job.file.name).await?,
        };
        let context = app.command_context(organisation.id);
        let wanted = jobs::Job {
            name: job.file.name.clone(),
            file: job.path.display().to_string(),
            tenant_url: job.file.url.clone(),
            token: job.token.clone(),
            users: job.users.clone(),
            groups: job.groups.clone(),
            schema: job.schema.clone(),
            scope: if job.file.assigned.is_some() {
                Scope::AssignedOnly
            } else {
                Scope::All
            },
            settings: job.file.settings.clone(),
        };
        let application = app.bring_job(&context, wanted).await?;
        let stage = Self {
            job,
            app,
            engine,
            context,
            application,
        };
        let mirroring = stage.read_source(config).await?;
        stage.assign().await?;
        Ok((stage, mirroring))
    }

    /// Finds a job that ran before, as it is in the store.
    pub(crate) async fn existing(config: &Config, path: &Path) -> anyhow::Result<Self> {
        let job = Job::read(path).map_err(|mistakes| wrong(&mistakes))?;
        let app = runtime::app(config).await?;
        let never = || {
            Trouble::wrong(format!(
                "the job `{}` never ran on this store",
                job.file.name
            ))
            .hint("`rollcall job run` begins it; --store names another store")
        };
        let organisation = match &job.file.source {
            SourceSpec::Directory { org } => app.organisation(org).await?,
            _ => app
                .job_organisation(&job.file.name)
                .await?
                .ok_or_else(never)?,
        };
        let context = app.command_context(organisation.id);
        let file = job.path.display().to_string();
        let application = app.job_of_file(&context, &job.file.name, &file).await?;
        let application = application.ok_or_else(never)?.id;
        let engine = Engine::new(app.clone(), runtime::client(config)?);
        Ok(Self {
            job,
            app,
            engine,
            context,
            application,
        })
    }

    /// Reads the source into its mirror; nothing for a directory of this store.
    pub(crate) async fn read_source(&self, config: &Config) -> anyhow::Result<Option<Mirroring>> {
        let Some(mut source) = self.job.source(&self.app, config)? else {
            return Ok(None);
        };
        let mirroring = self
            .engine
            .mirror(&self.context, &mut *source, self.job.file.accept_empty)
            .await;
        let mirroring = mirroring.map_err(|error| match error {
            NotMirrored::Unread(unread) => anyhow::Error::from(not_read(&unread)),
            NotMirrored::Failed(failure) => failure.into(),
        })?;
        for refusal in mirroring.refused.iter().take(SHOWN) {
            printer::error(&format!("{}: {}", refusal.place, refusal.reason));
        }
        if mirroring.refused.len() > SHOWN {
            printer::error(&format!("… and {} more", mirroring.refused.len() - SHOWN));
        }
        if let Some(reason) = &mirroring.incomplete {
            printer::error(&format!(
                "the source may not have been read to its end, so nobody counts as having left: {reason}"
            ));
        }
        Ok(Some(mirroring))
    }

    /// Assigns exactly those whom the file names.
    pub(crate) async fn assign(&self) -> anyhow::Result<()> {
        let principals = self.job.file.assigned.clone().unwrap_or_default();
        let (found, nobody) = self.app.resolve(&self.context, principals).await?;
        if !nobody.is_empty() {
            let mistakes: Vec<Mistake> = nobody
                .iter()
                .map(|principal| self.job.nobody(principal))
                .collect();
            return Err(wrong(&mistakes));
        }
        Ok(self
            .app
            .assign_only(&self.context, self.application, &found)
            .await?)
    }
}

/// Says every mistake, and ends the command.
pub(crate) fn wrong(mistakes: &[Mistake]) -> anyhow::Error {
    for mistake in mistakes.iter().take(SHOWN) {
        printer::say(&format!("{}: {}", mistake.place, mistake.message));
        for line in mistake.help.lines() {
            printer::say(&format!("    {line}"));
        }
    }
    let said = match mistakes.len() {
        1 => "a mistake in the job; nothing was done".to_owned(),
        count => format!("{count} mistakes in the job; nothing was done"),
    };
    Trouble::wrong(said).into()
}

/// Says why a source cannot be read.
pub(crate) fn not_read(unread: &Unread) -> Trouble {
    for mistake in unread.mistakes.iter().take(SHOWN) {
        printer::say(&format!("{}: {}", mistake.place, mistake.reason));
    }
    let trouble = if unread.is_out_of_reach {
        Trouble::unreachable(unread.message.clone())
    } else {
        Trouble::wrong(unread.message.clone())
    };
    trouble.hint(unread.help.clone())
}
