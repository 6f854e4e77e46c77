//! What each command does: parse, call use cases, print.

mod admin;
mod api_key;
mod app;
mod audit;
mod backup;
mod check;
mod config;
mod confirmation;
mod doctor;
mod expression;
mod files;
mod history;
mod job;
mod key;
mod org;
mod person;
pub(crate) mod serve;
mod store;
mod table;
mod token;
mod transfer;
mod webhook;

use std::time::Duration;

use crate::cli::{Arguments, Command};
use crate::config::Config;
use crate::outcome::Exit;

/// How long the end waits for a thread that still waits for something itself, such as a database that stands still.
pub(crate) const LAST_WAIT: Duration = Duration::from_secs(3);

/// Runs a command to its end.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let Arguments { common, command } = arguments;
    let serving = match &command {
        Command::Serve(serve) => Some(serve),
        _ => None,
    };
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let config = Config::read(&common, serving, &variable)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Demo(demo) => crate::demo::run(&config, &demo, common.json).await,
            Command::Serve(_) => serve::run(&config).await,
            Command::Org(org) => org::run(&config, org, common.json).await,
            Command::Admin(admin) => admin::run(&config, admin, common.json).await,
            Command::Token(token) => token::run(&config, token, common.json).await,
            Command::ApiKey(command) => api_key::run(&config, command, common.json).await,
            Command::App(command) => app::run(&config, command, common.json).await,
            Command::Webhook(command) => webhook::run(&config, command, common.json).await,
            Command::Import(import) => transfer::import(&config, &import, common.json).await,
            Command::Export(export) => transfer::export(&config, &export).await,
            Command::Person(command) => person::run(&config, command, common.json).await,
            Command::Audit(audit) => audit::run(&config, audit, common.json).await,
            Command::Job(job) => Box::pin(job::run(&config, job, common.json)).await,
            Command::Expression(command) => expression::run(command, common.json),
            Command::Config(crate::cli::Config::Show) => config::show(&config, common.json),
            Command::History(command) => history::run(&config, command, common.json).await,
            Command::Key(command) => key::run(&config, command, common.json).await,
            Command::Store(command) => store::run(&config, command, &variable, common.json).await,
            Command::Backup(command) => backup::backup(&config, &command, common.json).await,
            Command::Restore(command) => backup::restore(&config, &command, common.json).await,
            Command::Migrate => doctor::migrate(&config, common.json).await,
            Command::Check(check) => self::check::run(&config, check, common.json).await,
            Command::Doctor => doctor::run(&config, common.json).await,
        }
    });
    runtime.shutdown_timeout(LAST_WAIT);
    outcome
}
