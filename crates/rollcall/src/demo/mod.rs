//! `rollcall demo`: the main job from beginning to end, on real data, over real HTTP, with nothing to set up.
//!
//! **Is:** the story of connecting a directory to an application, told while it happens: first the receiving end, then the sending
//! end, the plan, the initial cycle, changes, the incremental cycle, and the comparison of both ends.
//! **Is not:** special code. Everything is done with the use cases and the engine that `serve` runs.
//! **Start at** [`run`]; Northwind's people are made in [`northwind`].

mod day;
mod northwind;
mod summary;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use rollcall_app::administrators::WayIn;
use rollcall_app::directory::Context;
use rollcall_app::organisations::NewOrganisation;
use rollcall_app::transfer::NotImported;
use rollcall_app::{App, Failure};
use rollcall_connect::guard::Reach;
use rollcall_engine::Engine;
use rollcall_model::application::{Mode, Status};
use rollcall_model::provisioning::{CycleOutcome, CycleReport};
use rollcall_model::{
    ApplicationId, Email, IntegrationKind, Kind, Organisation, ResourceId, Secret,
};
use rollcall_store::{Claim, Location, Selection};
use rollcall_web::proxies::Proxies;
use rollcall_web::rates::Rates;
use serde_json::json;

use crate::cli::Demo;
use crate::commands::serve::{self, Served, Serving};
use crate::config::{Config, Setting, Source};
use crate::outcome::{Exit, Trouble};
use crate::{bar, printer, provisioning, runtime};
use day::Day;
use summary::{Cycle, Summary};

/// The people of Northwind who signed up at Vault by themselves, before anybody connected the directory.
const EARLY: [usize; 3] = [12, 24, 35];
/// The smallest company with everything in it that the story tells of.
const FEWEST: usize = 40;
/// How many differences are shown.
const SHOWN_DIFFERENCES: usize = 20;
/// How many objects of each kind a plan shows.
const SHOWN: usize = 3;

/// Tells the story.
pub(crate) async fn run(config: &Config, demo: &Demo, as_json: bool) -> anyhow::Result<Exit> {
    if demo.users < FEWEST {
        return Err(Trouble::wrong(format!(
            "a company of {} people is too small for the story",
            demo.users
        ))
        .hint(format!("use --users {FEWEST} or more"))
        .into());
    }
    let begun = Instant::now();
    let folder = tempfile::Builder::new()
        .prefix("rollcall-demo-")
        .tempdir()
        .context("a fresh directory for the demonstration")?
        .keep();
    let stage = Stage::build(config, demo, folder).await?;
    let mut summary = Summary::default();
    let agrees = stage.tell(demo, &mut summary).await?;
    printer::say("");
    if as_json {
        printer::json(&summary.json(begun.elapsed(), agrees))?;
    } else {
        printer::data(&summary.text(begun.elapsed()));
    }
    let exit = if agrees { Exit::Done } else { Exit::No };
    if demo.once {
        let folder = stage.folder.clone();
        stage.served.stop().await;
        if agrees {
            std::fs::remove_dir_all(&folder)?;
        } else {
            printer::say(&format!("the store is kept in {}", folder.display()));
        }
        return Ok(exit);
    }
    stage.stay().await?;
    Ok(exit)
}

/// The installation of the demonstration.
struct Stage {
    folder: PathBuf,
    app: App,
    engine: Engine,
    served: Served,
    _only_server: Claim,
    vault: Organisation,
    northwind: Organisation,
}

impl Stage {
    async fn build(config: &Config, demo: &Demo, folder: PathBuf) -> anyhow::Result<Self> {
        let listener = serve::bind(&demo.listen).await?;
        let mut config = config.clone();
        let set = |value: PathBuf| Setting {
            value,
            source: Source::Default,
        };
        config.store.value = Location::Sqlite(folder.join("rollcall.db"));
        config.key_file = set(folder.join("rollcall.db.key"));
        config.allow_private_targets.value = Reach::Anywhere;
        config.public_url.value = format!("http://{}", listener.local_addr()?);
        let app = runtime::begun(&config).await?;
        let only_server = app.store().claim_server()?;
        let client = runtime::client(&config)?;
        let engine = Engine::new(app.clone(), client);
        let serving = Serving {
            app: app.clone(),
            // the story runs its cycles itself
            engine: engine.clone(),
            runs_cycles: false,
            mail: None,
            rates: Rates::new(NonZeroU32::MAX),
            proxies: Proxies::default(),
            metrics: None,
            traces: None,
        };
        let served = serve::start(serving, listener).await?;
        let new = |slug: &str, name: &str| -> anyhow::Result<NewOrganisation> {
            Ok(NewOrganisation {
                slug: slug.parse()?,
                name: name.to_owned(),
                region: None,
                seats: None,
                trial_until: None,
            })
        };
        let vault = app.create_organisation(new("vault", "Vault")?).await?;
        let northwind = app
            .create_organisation(new("northwind", "Northwind")?)
            .await?;
        Ok(Self {
            folder,
            app,
            engine,
            served,
            _only_server: only_server,
            vault,
            northwind,
        })
    }

    /// Goes through the guide; returns whether both ends agree at the end.
    async fn tell(&self, demo: &Demo, summary: &mut Summary) -> anyhow::Result<bool> {
        let source = self.app.command_context(self.northwind.id);
        printer::title("Rollcall: a directory and an application, connected");
        self.fill(&source, demo.users).await?;

        printer::title("1  At Vault, the application that receives");
        let token = self.receive().await?;

        printer::title("2  At Northwind, the directory that sends");
        let application = self.connect(&source, token).await?;

        printer::title("3  The plan: what the first cycle would do; nothing is written");
        self.plan(&source, application).await?;

        printer::title("4  The initial cycle");
        let first = self.cycle(&source, application, "initial", summary).await?;
        let first_agrees = self.compare(&source, application).await?;

        printer::title("5  A day passes at Northwind");
        let day = Day {
            app: &self.app,
            source: &source,
        };
        day.pass(demo.users).await?;
        printer::say("");
        self.plan(&source, application).await?;

        printer::title("6  The incremental cycle: only what changed");
        let second = self
            .cycle(&source, application, "incremental", summary)
            .await?;
        let second_agrees = self.compare(&source, application).await?;
        Ok(first && second && first_agrees && second_agrees)
    }

    /// Fills both directories.
    async fn fill(&self, source: &Context, users: usize) -> anyhow::Result<()> {
        let people = northwind::people(users);
        let groups = northwind::groups(users);
        let group_count = groups.len();
        self.app
            .import(source, people, groups)
            .await
            .map_err(not_imported)?;
        let target = self.app.command_context(self.vault.id);
        for person in EARLY {
            let (given, family) = northwind::name(person);
            let body = json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "userName": northwind::sign_in_name(person).to_uppercase(),
                "displayName": format!("{given} {family}"),
            });
            self.app.create(&target, Kind::User, body).await?;
        }
        printer::detail(&format!(
            "Northwind's directory holds {users} people and {group_count} groups."
        ));
        printer::detail(&format!(
            "At Vault {} of them have signed up by themselves already.",
            EARLY.len()
        ));
        Ok(())
    }

    async fn receive(&self) -> anyhow::Result<Secret> {
        let (_, token) = self
            .app
            .create_token(
                self.vault.id,
                IntegrationKind::Entra,
                None,
                self.app.command_origin(),
            )
            .await?;
        let shown: String = token.expose().chars().take(10).collect();
        printer::good("Settings > Directory integrations > Azure AD > Create Provisioning Token");
        printer::detail(&format!(
            "Tenant URL      {}",
            self.app.settings().tenant_url(&self.vault)
        ));
        printer::detail(&format!(
            "Secret Token    {shown}…   shown once, kept only as a hash"
        ));
        Ok(token)
    }

    async fn connect(&self, source: &Context, token: Secret) -> anyhow::Result<ApplicationId> {
        let application = self
            .app
            .create_application(source, "Vault".to_owned())
            .await?;
        let id = application.id;
        printer::good("Enterprise applications > New application > Non-gallery: Vault");
        let url = self.app.settings().tenant_url(&self.vault);
        self.app.set_credentials(source, id, url, &token).await?;
        self.engine.test_connection(source, id).await?;
        printer::good(
            "Provisioning > Automatic > Test Connection: the endpoint answers, filters, and takes the token",
        );
        printer::good(&format!(
            "Mappings: {} attributes of people, {} of groups; people are matched by userName",
            application.users.attributes.len(),
            application.groups.attributes.len()
        ));
        let groups = self.groups(source).await?;
        let mut assigned = 0;
        for (group, name) in &groups {
            if name != "Contractors" {
                self.app.assign(source, id, Kind::Group, *group).await?;
                assigned += 1;
            }
        }
        printer::good(&format!(
            "Users and groups: {assigned} of {} groups assigned; Contractors are not",
            groups.len()
        ));
        self.app
            .configure(source, id, |application| {
                application.mode = Mode::Automatic;
                application.status = Status::On;
            })
            .await?;
        printer::good("Scope: only assigned users and groups. Provisioning status: On");
        Ok(id)
    }

    /// Lists Northwind's groups.
    async fn groups(&self, source: &Context) -> Result<Vec<(ResourceId, String)>, Failure> {
        source
            .tenant()
            .read(|reader| {
                let (mut groups, mut after) = (Vec::new(), None);
                loop {
                    let selection = Selection::after(after, 500);
                    let listing = reader.list(Kind::Group, &selection)?;
                    for raw in &listing.resources {
                        if let Some(entry) = reader.entry(Kind::Group, raw.id)? {
                            let name = entry.resource.display_name().unwrap_or_default();
                            groups.push((raw.id, name.to_owned()));
                        }
                    }
                    after = listing.resources.last().map(|raw| raw.id);
                    if !listing.more {
                        return Ok(groups);
                    }
                }
            })
            .await
    }

    async fn plan(&self, source: &Context, application: ApplicationId) -> anyhow::Result<()> {
        let (watch, bar) = bar::watched("planning");
        let plan = self.engine.plan(source, application, watch).await;
        bar.finish().await;
        for line in plan?.text(SHOWN).lines() {
            printer::detail(line);
        }
        Ok(())
    }

    async fn cycle(
        &self,
        source: &Context,
        application: ApplicationId,
        name: &'static str,
        summary: &mut Summary,
    ) -> anyhow::Result<bool> {
        let (watch, bar) = bar::watched(name);
        let begun = Instant::now();
        let report = self.engine.run(source, application, watch).await;
        bar.finish().await;
        let report = report?;
        let took = begun.elapsed();
        say_how_it_ended(&report);
        let is_good = report.outcome == CycleOutcome::Succeeded;
        summary.cycles.push(Cycle { name, report, took });
        Ok(is_good)
    }

    async fn compare(&self, source: &Context, application: ApplicationId) -> anyhow::Result<bool> {
        let agreement = self.engine.compare(source, application).await?;
        if agreement.holds() {
            printer::good(&format!(
                "both ends agree object by object: {} people, {} groups, {} memberships",
                agreement.users, agreement.groups, agreement.memberships
            ));
        } else {
            for difference in agreement.differences.iter().take(SHOWN_DIFFERENCES) {
                printer::error(&difference.what);
            }
            printer::error(&format!(
                "the ends differ in {} places",
                agreement.differing
            ));
        }
        Ok(agreement.holds())
    }

    /// Makes somebody who may sign in to an organisation's console; returns address and password.
    async fn owner(&self, organisation: &Organisation) -> anyhow::Result<(Email, Secret)> {
        let mut bytes = [0; 8];
        self.app.randomness().fill(&mut bytes);
        let password = bytes.map(|byte| format!("{byte:02x}"));
        let password = Secret::new(password.concat());
        let email: Email = format!("owner@{}.example", organisation.slug).parse()?;
        let way = WayIn::Password(password.clone());
        let origin = self.app.command_origin();
        self.app
            .create_administrator(organisation.id, email.clone(), way, origin)
            .await?;
        Ok((email, password))
    }

    /// Goes on serving until it is told to stop.
    async fn stay(mut self) -> anyhow::Result<()> {
        let url = self.app.settings().tenant_url(&self.vault);
        let (_, token) = self
            .app
            .create_token(
                self.vault.id,
                IntegrationKind::Custom,
                None,
                self.app.command_origin(),
            )
            .await?;
        // from now on as on any server: what is changed in the console goes out within a second
        self.served.run_cycles(self.engine.clone());
        printer::title("Where to look");
        printer::detail(&format!("The console: {}/", self.app.settings().public_url));
        for organisation in [&self.northwind, &self.vault] {
            let (email, password) = self.owner(organisation).await?;
            printer::detail(&format!(
                "  {:<10} sign in as {email}, password {}",
                organisation.name,
                password.expose()
            ));
        }
        printer::detail("Over SCIM, one person at Vault, with a token of your own:");
        printer::detail(&format!(
            "  curl -H 'Authorization: Bearer {}' '{url}/Users?count=1'",
            token.expose()
        ));
        let store = self.folder.join("rollcall.db");
        printer::detail("The store of both ends; the commands work on it while this runs:");
        printer::detail(&format!(
            "  rollcall org list --store sqlite:{}",
            store.display()
        ));
        printer::say("");
        printer::say("Stop with Ctrl-C.");
        serve::stop_signal().await?;
        self.served.stop().await;
        Ok(())
    }
}

fn say_how_it_ended(report: &CycleReport) {
    match &report.outcome {
        CycleOutcome::Succeeded => printer::good(&provisioning::sentence(report)),
        CycleOutcome::EntryLevelErrors => printer::error(&format!(
            "{}; {} objects failed and are tried again",
            provisioning::sentence(report),
            report.users.failed + report.groups.failed
        )),
        CycleOutcome::Stopped { message, .. } => printer::error(message),
    }
}

fn not_imported(error: NotImported) -> anyhow::Error {
    match error {
        NotImported::Refused(refusals) => {
            let first = refusals.first().map(|refusal| refusal.reason.clone());
            anyhow::anyhow!("Northwind's people cannot be imported: {first:?}")
        }
        NotImported::Failed(failure) => failure.into(),
    }
}
