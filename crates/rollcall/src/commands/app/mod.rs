//! `rollcall app`: applications from their creation to their log.
//!
//! **Is:** one function for each command: find the application, call the use case or the engine, print.
//! **Start at** [`run`]. Cycles and what is asked of the engine are in `cycles`, mappings in `mapping`, the picture of an application in
//! `show`.

mod attribute;
pub(super) mod connect;
mod cycles;
mod filter;
mod mapping;
mod schema;
mod settings;
mod show;

use rollcall_app::App;
use rollcall_app::directory::Context;
use rollcall_app::overview::LogQuery;
use rollcall_engine::Engine;
use rollcall_model::{Application, Kind, Principal, ResourceId};
use serde_json::{Value, json};

use super::confirmation;
use crate::cli::app::{AppCommand, Principals, Which};
use crate::cli::words::KindWord;
use crate::config::Config;
use crate::outcome::Exit;
use crate::provisioning::noun;
use crate::{printer, provisioning, runtime};

pub(crate) async fn run(
    config: &Config,
    command: AppCommand,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let desk = Desk {
        app: runtime::app(config).await?,
        config,
        as_json,
    };
    match command {
        AppCommand::Create(which) => desk.create(which).await,
        AppCommand::List { org } => show::list(&desk, &org).await,
        AppCommand::Show(which) => show::show(&desk, &which).await,
        AppCommand::Remove { which, yes } => desk.remove(&which, yes).await,
        AppCommand::Connect(command) => connect::connect(&desk, command).await,
        AppCommand::Test(which) => connect::test(&desk, &which).await,
        AppCommand::Set(command) => settings::set(&desk, *command).await,
        AppCommand::Start(which) => settings::start(&desk, &which).await,
        AppCommand::Stop(which) => settings::stop(&desk, &which).await,
        AppCommand::Assign(command) => desk.assign(command).await,
        AppCommand::Unassign(command) => desk.unassign(command).await,
        AppCommand::Assignments(which) => desk.assignments(&which).await,
        AppCommand::Schema(command) => schema::run(&desk, command).await,
        AppCommand::Mapping(command) => mapping::run(&desk, command).await,
        AppCommand::Attribute(command) => attribute::run(&desk, command).await,
        AppCommand::Filter(command) => filter::run(&desk, command).await,
        AppCommand::Plan { which, out, show } => {
            cycles::plan(&desk, &which, out.as_deref(), show).await
        }
        AppCommand::Run { which, plan } => cycles::run(&desk, &which, plan.as_deref()).await,
        AppCommand::Provision(command) => cycles::provision(&desk, command).await,
        AppCommand::Why(command) => cycles::why(&desk, command).await,
        AppCommand::Held(which) => cycles::held(&desk, &which).await,
        AppCommand::Allow { which, code } => cycles::allow(&desk, &which, code).await,
        AppCommand::Restart { which, reset } => cycles::restart(&desk, &which, reset).await,
        AppCommand::Compare { which, repair } => cycles::compare(&desk, &which, repair).await,
        AppCommand::Log {
            which,
            count,
            failed,
            of,
        } => desk.log(&which, (count, failed), of).await,
    }
}

/// What every command of an application needs.
struct Desk<'c> {
    config: &'c Config,
    app: App,
    as_json: bool,
}

impl Desk<'_> {
    /// Finds an application, and opens its organisation.
    async fn find(&self, which: &Which) -> anyhow::Result<(Context, Application)> {
        let organisation = self.app.organisation(&which.org).await?;
        let context = self.app.command_context(organisation.id);
        let application = self.app.application_named(&context, &which.name).await?;
        Ok((context, application))
    }

    fn engine(&self) -> anyhow::Result<Engine> {
        let client = runtime::client(self.config)?;
        Ok(Engine::new(self.app.clone(), client))
    }

    /// Finds a person or group that a question is about.
    async fn principal(
        &self,
        context: &Context,
        application: &Application,
        principal: Principal,
    ) -> anyhow::Result<(Kind, ResourceId)> {
        let kind = principal.kind;
        let found = self
            .app
            .principal(context, application.id, principal)
            .await?;
        Ok((kind, found))
    }

    /// Says that something was done, or prints it as data for programs.
    fn done(&self, said: &str, data: &Value) -> anyhow::Result<Exit> {
        if self.as_json {
            printer::json(data)?;
        } else {
            printer::good(said);
        }
        Ok(Exit::Done)
    }

    /// The id is data: a script can go on with it.
    async fn create(&self, which: Which) -> anyhow::Result<Exit> {
        let organisation = self.app.organisation(&which.org).await?;
        let context = self.app.command_context(organisation.id);
        let application = self.app.create_application(&context, which.name).await?;
        if self.as_json {
            printer::json(&application)?;
        } else {
            printer::good(&format!(
                "`{}` has the default mappings and is switched off; `rollcall app connect` enters its address",
                application.name
            ));
            printer::data(&application.id.to_string());
        }
        Ok(Exit::Done)
    }

    async fn remove(&self, which: &Which, yes: bool) -> anyhow::Result<Exit> {
        let (context, application) = self.find(which).await?;
        if !yes && !confirmed(&application)? {
            return Ok(Exit::No);
        }
        self.app
            .remove_application(&context, application.id)
            .await?;
        self.done(
            &format!(
                "removed `{}`; whom it provisioned stays in the target as they are",
                application.name
            ),
            &json!({"removed": application.id, "name": application.name}),
        )
    }

    async fn assign(&self, command: Principals) -> anyhow::Result<Exit> {
        let (context, application) = self.find(&command.which).await?;
        let (said, data) = told(&command.principals);
        self.app
            .assign_all(&context, application.id, command.principals)
            .await?;
        self.done(&format!("assigned {said}"), &json!({"assigned": data}))
    }

    async fn unassign(&self, command: Principals) -> anyhow::Result<Exit> {
        let (context, application) = self.find(&command.which).await?;
        let (said, data) = told(&command.principals);
        self.app
            .unassign_all(&context, application.id, command.principals)
            .await?;
        self.done(
            &format!("{said} assigned no more"),
            &json!({"unassigned": data}),
        )
    }

    async fn assignments(&self, which: &Which) -> anyhow::Result<Exit> {
        let (context, application) = self.find(which).await?;
        let assigned = self.app.assigned(&context, application.id).await?;
        if self.as_json {
            let described: Vec<Value> = assigned
                .iter()
                .map(|one| {
                    let assignment = one.assignment;
                    json!({
                        "kind": assignment.kind, "id": assignment.principal, "name": one.name,
                        "since": assignment.since,
                    })
                })
                .collect();
            printer::json(&described)?;
            return Ok(Exit::Done);
        }
        let rows = assigned.into_iter().map(|one| {
            let assignment = one.assignment;
            [
                noun(assignment.kind).to_owned(),
                one.name.unwrap_or_else(|| "(deleted)".to_owned()),
                assignment.principal.to_string(),
                assignment.since.to_string(),
            ]
        });
        printer::table(["kind", "name", "id", "since"], rows);
        Ok(Exit::Done)
    }

    async fn log(
        &self,
        which: &Which,
        (count, failed_only): (u64, bool),
        of: Option<Principal>,
    ) -> anyhow::Result<Exit> {
        let (context, application) = self.find(which).await?;
        let of = match of {
            None => None,
            Some(principal) => Some(self.principal(&context, &application, principal).await?),
        };
        let query = LogQuery {
            count,
            failed_only,
            of,
        };
        let entries = self
            .app
            .provisioning_log(&context, application.id, query)
            .await?;
        provisioning::object::log(&entries, self.as_json)?;
        Ok(Exit::Done)
    }
}

fn told(principals: &[Principal]) -> (String, Vec<String>) {
    let all: Vec<String> = principals.iter().map(ToString::to_string).collect();
    (all.join(", "), all)
}

fn confirmed(application: &Application) -> anyhow::Result<bool> {
    let name = &application.name;
    let says = format!("This removes `{name}` with its settings, links and log");
    confirmation::confirmed("removing an application", &says, name)
}

/// Returns the kinds that are spoken of: one, or both when none is named.
fn kinds(word: Option<KindWord>) -> Vec<Kind> {
    match word {
        Some(word) => vec![word.into()],
        None => vec![Kind::User, Kind::Group],
    }
}
