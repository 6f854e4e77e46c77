//! Enterprise applications: created, configured, given credentials, assigned, started, restarted.
//!
//! **Is:** what an administrator of the directory side does before a cycle can run. **Is not:** the cycle; `rollcall-engine` runs it.

mod again;
mod credentials;

use rollcall_model::application::{Application, Assignment, Mode, NestedGroups, Status};
use rollcall_model::clock::is_within;
use rollcall_model::provisioning::{ComparisonAsked, GIVEN_UP, QuarantineReason};
use rollcall_model::{ApplicationId, JobState, Kind, Origin, ResourceId, Secret};
use rollcall_scim::key::canonical;
use rollcall_store::{Error, NewAudit, Writer};
use rollcall_sync::rules::Rules;
use serde_json::{Value, json};

use crate::directory::{self, Context};
use crate::{App, Failure};

pub use again::Held;
pub use credentials::Connection;
pub(crate) use credentials::place as credential_place;

/// An application as a cycle needs it.
#[derive(Debug)]
pub struct Configured {
    /// The application.
    pub application: Application,
    /// The credential of its target; absent: none was entered.
    pub token: Option<Secret>,
    /// Who is assigned.
    pub assignments: Vec<Assignment>,
    /// What the last cycle left.
    pub job: JobState,
}

/// What a new application begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// Any application that speaks SCIM 2.0.
    Generic,
    /// Another installation of Rollcall: it takes groups within groups as they are.
    Rollcall,
}

impl App {
    /// Adds an application made from a template, switched off.
    ///
    /// # Errors
    /// [`Failure::Taken`] when the organisation has one of that name.
    pub async fn create_application_from(
        &self,
        context: &Context,
        name: String,
        template: Template,
    ) -> Result<Application, Failure> {
        let now = self.now();
        let id = ApplicationId::new(now, &**self.randomness());
        let mut application = Application::new(id, name, now);
        if template == Template::Rollcall {
            application.settings.nested_groups = NestedGroups::Keep;
        }
        self.add_application(context, application).await
    }

    /// Adds an application with the default mappings, switched off.
    ///
    /// # Errors
    /// [`Failure::Taken`] when the organisation has one of that name.
    pub async fn create_application(
        &self,
        context: &Context,
        name: String,
    ) -> Result<Application, Failure> {
        let now = self.now();
        let id = ApplicationId::new(now, &**self.randomness());
        self.add_application(context, Application::new(id, name, now))
            .await
    }

    /// Adds an application as it is.
    pub(crate) async fn add_application(
        &self,
        context: &Context,
        application: Application,
    ) -> Result<Application, Failure> {
        let (id, now) = (application.id, self.now());
        let origin = context.origin().clone();
        context
            .tenant()
            .write(move |writer| {
                let is_taken = |other: &Application| is_named(other, &application.name);
                if writer.applications()?.iter().any(is_taken) {
                    return Err(Failure::Taken {
                        attribute: "name",
                        hint: "this organisation has an application of that name; choose another one",
                    });
                }
                writer.save_application(&application)?;
                let detail = json!({"name": application.name});
                writer.append_audit(now, &entry(origin, id, "application.created", detail))?;
                Ok(application)
            })
            .await
    }

    /// Lists an organisation's applications in order of creation.
    pub async fn applications(&self, context: &Context) -> Result<Vec<Application>, Failure> {
        context
            .tenant()
            .read(|reader| Ok(reader.applications()?))
            .await
    }

    /// Finds an application by its name, or by its id.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn application_named(
        &self,
        context: &Context,
        name: &str,
    ) -> Result<Application, Failure> {
        let applications = self.applications(context).await?;
        let id: Option<ApplicationId> = name.parse().ok();
        let found = applications
            .into_iter()
            .find(|one| is_named(one, name) || Some(one.id) == id);
        found.ok_or_else(|| Failure::Missing {
            noun: "application",
            id: name.to_owned(),
        })
    }

    /// Returns an application with everything that a cycle needs.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Internal`] when its credential was sealed with another key.
    pub async fn configured(
        &self,
        context: &Context,
        id: ApplicationId,
    ) -> Result<Configured, Failure> {
        let app = self.clone();
        let organisation = context.tenant().organisation();
        context
            .tenant()
            .read(move |reader| {
                let application = reader.application(id)?.ok_or_else(|| missing(id))?;
                let place = credential_place(organisation, id);
                let token = reader
                    .sealed_secret(id)?
                    .map(|sealed| app.sealer().open(reader, organisation, &place, &sealed));
                Ok(Configured {
                    application,
                    token: token.transpose()?,
                    assignments: reader.assignments(id)?,
                    job: reader.job(id)?,
                })
            })
            .await
    }

    /// Changes an application's configuration: mappings, scope, mode, status, settings. The target is changed by
    /// [`set_credentials`](Self::set_credentials) alone. A job in quarantine tries again.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Configuration`] with every mistake in the mappings.
    pub async fn configure(
        &self,
        context: &Context,
        id: ApplicationId,
        change: impl FnOnce(&mut Application) + Send + 'static,
    ) -> Result<Application, Failure> {
        let change = |application: &mut Application| {
            change(application);
            Ok(())
        };
        self.reconfigure(context, id, change).await
    }

    /// Changes an application's configuration, likewise, by something that may be refused.
    pub(crate) async fn reconfigure(
        &self,
        context: &Context,
        id: ApplicationId,
        change: impl FnOnce(&mut Application) -> Result<(), Failure> + Send + 'static,
    ) -> Result<Application, Failure> {
        self.on_application(
            context,
            id,
            "application.configured",
            move |writer, before| {
                let mut application = before.clone();
                change(&mut application)?;
                // an address changes with its credential only
                application.target.clone_from(&before.target);
                application.token_set = before.token_set;
                application.id = id;
                Rules::compile(&application).map_err(Failure::Configuration)?;
                writer.save_application(&application)?;
                tell(writer, id, |_| {})?;
                let detail = json!({
                    "status": application.status, "mode": application.mode, "scope": application.scope,
                    "mappings": mappings_changed(&before, &application),
                });
                Ok((application, detail))
            },
        )
        .await
    }

    /// Returns an application that people configure: who would change one that a job file configures is told where.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Forbidden`].
    pub async fn changeable(
        &self,
        context: &Context,
        id: ApplicationId,
    ) -> Result<Application, Failure> {
        let application = self.application_listed(context, id).await?.application;
        match &application.job_file {
            None => Ok(application),
            Some(file) => Err(Failure::Forbidden {
                reason: format!(
                    "the job file {file} configures this application: change it there, and run `rollcall job` with it"
                ),
            }),
        }
    }

    /// Has the engine run an application's cycles.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Forbidden`] while it has no address and credential; [`Failure::Configuration`].
    pub async fn start(
        &self,
        context: &Context,
        id: ApplicationId,
    ) -> Result<Application, Failure> {
        let is_connected = context
            .tenant()
            .read::<_, Failure, _>(move |reader| {
                let application = reader.application(id)?.ok_or_else(|| missing(id))?;
                Ok(application.target.is_some() && reader.sealed_secret(id)?.is_some())
            })
            .await?;
        if !is_connected {
            return Err(unconnected());
        }
        self.configure(context, id, |application| {
            application.mode = Mode::Automatic;
            application.status = Status::On;
        })
        .await
    }

    /// Has no cycles run any more; what was provisioned stays.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn stop(&self, context: &Context, id: ApplicationId) -> Result<Application, Failure> {
        self.configure(context, id, |application| application.status = Status::Off)
            .await
    }

    /// Asks for a cycle now. One that is running goes on, and another one follows; a job in quarantine tries once, and stays in it
    /// unless that succeeds.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Forbidden`] while the application is switched off.
    pub async fn ask_for_cycle(&self, context: &Context, id: ApplicationId) -> Result<(), Failure> {
        let now = self.now();
        self.on_application(
            context,
            id,
            "application.cycle_asked",
            move |writer, application| {
                if application.mode != Mode::Automatic || application.status != Status::On {
                    return Err(Failure::Forbidden {
                        reason: "provisioning is switched off: start it first, or send a plan once"
                            .to_owned(),
                    });
                }
                let mut job = writer.job(id)?;
                if let Some(held) = job.held() {
                    return Err(Failure::Forbidden {
                        reason: format!("the application is held: {}", held.message),
                    });
                }
                job.assignments += 1;
                // one that was given up begins anew
                job.quarantine
                    .take_if(|quarantine| !is_within(GIVEN_UP, quarantine.since, now));
                if let Some(quarantine) = &mut job.quarantine {
                    quarantine.next_attempt = Some(now);
                }
                writer.save_job(id, &job)?;
                Ok(((), json!({})))
            },
        )
        .await
    }

    /// Asks for a comparison of both ends, and for the repair of what differs.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn ask_for_comparison(
        &self,
        context: &Context,
        id: ApplicationId,
        repair: bool,
    ) -> Result<(), Failure> {
        let at = self.now();
        self.on_application(
            context,
            id,
            "application.comparison_asked",
            move |writer, _| {
                let mut job = writer.job(id)?;
                job.comparison = Some(ComparisonAsked { at, repair });
                writer.save_job(id, &job)?;
                Ok(((), json!({"repair": repair})))
            },
        )
        .await
    }

    /// Assigns a person or a group to an application.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application, the person or the group.
    pub async fn assign(
        &self,
        context: &Context,
        id: ApplicationId,
        kind: Kind,
        principal: ResourceId,
    ) -> Result<(), Failure> {
        let since = self.now();
        self.on_application(context, id, "application.assigned", move |writer, _| {
            if writer.raw(kind, principal)?.is_none() {
                return Err(directory::missing(kind, principal));
            }
            let assignment = Assignment {
                kind,
                principal,
                since,
            };
            writer.assign(id, &assignment)?;
            note_assignment(writer, id)?;
            Ok(((), json!({"principal": principal, "kind": kind})))
        })
        .await
    }

    /// Ends an assignment.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application.
    pub async fn unassign(
        &self,
        context: &Context,
        id: ApplicationId,
        kind: Kind,
        principal: ResourceId,
    ) -> Result<(), Failure> {
        self.on_application(context, id, "application.unassigned", move |writer, _| {
            writer.unassign(id, kind, principal)?;
            note_assignment(writer, id)?;
            Ok(((), json!({"principal": principal, "kind": kind})))
        })
        .await
    }

    /// Removes an application with all that is remembered of it. Nothing is sent: the accounts that it provisioned stay in the target as they are.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application.
    pub async fn remove_application(
        &self,
        context: &Context,
        id: ApplicationId,
    ) -> Result<(), Failure> {
        self.on_application(
            context,
            id,
            "application.removed",
            move |writer, application| {
                writer.remove_application(id)?;
                Ok(((), json!({"name": application.name})))
            },
        )
        .await
    }

    /// Changes something about an application, with its audit entry: `change` gets the application as it is, and returns what is
    /// wanted and what the entry says about it.
    async fn on_application<T: Send + 'static>(
        &self,
        context: &Context,
        id: ApplicationId,
        action: &'static str,
        change: impl FnOnce(&mut dyn Writer, Application) -> Result<(T, Value), Failure>
        + Send
        + 'static,
    ) -> Result<T, Failure> {
        let now = self.now();
        let origin = context.origin().clone();
        context
            .tenant()
            .write(move |writer| {
                let application = writer.application(id)?.ok_or_else(|| missing(id))?;
                let (changed, detail) = change(writer, application)?;
                writer.append_audit(now, &entry(origin, id, action, detail))?;
                Ok(changed)
            })
            .await
    }
}

/// Names the mappings that a change touched, and the lines in them.
fn mappings_changed(before: &Application, after: &Application) -> Value {
    let of = |kind| {
        let (before, after) = (before.mapping(kind), after.mapping(kind));
        if before == after {
            return None;
        }
        let lines = || before.attributes.iter().chain(&after.attributes);
        let mut targets: Vec<&str> = lines()
            .filter(|line| !before.attributes.contains(line) || !after.attributes.contains(line))
            .map(|line| line.target.as_str())
            .collect();
        targets.sort_unstable();
        targets.dedup();
        let mut parts = Vec::new();
        for (name, differs) in [
            ("enabled", before.enabled != after.enabled),
            ("actions", before.actions != after.actions),
            ("filters", before.filters != after.filters),
            (
                "attribute list",
                before.target_attributes != after.target_attributes,
            ),
        ] {
            if differs {
                parts.push(name);
            }
        }
        Some(json!({"lines": targets, "parts": parts}))
    };
    let changed = [("users", Kind::User), ("groups", Kind::Group)];
    let changed = changed
        .into_iter()
        .filter_map(|(name, kind)| Some((name.to_owned(), of(kind)?)));
    Value::Object(changed.collect())
}

fn unconnected() -> Failure {
    Failure::Forbidden {
        reason: "the application has no address and token yet: connect it, then start it"
            .to_owned(),
    }
}

fn is_named(application: &Application, name: &str) -> bool {
    canonical(&application.name) == canonical(name)
}

pub(crate) fn entry(
    origin: Origin,
    id: ApplicationId,
    action: &'static str,
    detail: Value,
) -> NewAudit {
    NewAudit {
        origin,
        action,
        object: id.to_string(),
        detail,
    }
}

/// Tells a job an administrator's word: a cycle that is running does not undo it, and one in quarantine tries again.
fn tell(
    writer: &mut dyn Writer,
    id: ApplicationId,
    word: impl FnOnce(&mut JobState),
) -> Result<(), Error> {
    let mut job = writer.job(id)?;
    word(&mut job);
    // what a restored store is held for is not answered by the way
    job.quarantine
        .take_if(|quarantine| quarantine.reason != QuarantineReason::RestoredFromBackup);
    job.generation += 1;
    writer.save_job(id, &job)
}

/// Notes that the assignments changed: a cycle is due. One that is running goes on, and another one follows.
pub(crate) fn note_assignment(writer: &mut dyn Writer, id: ApplicationId) -> Result<(), Error> {
    let mut job = writer.job(id)?;
    job.assignments += 1;
    writer.save_job(id, &job)
}

pub(crate) fn missing(id: ApplicationId) -> Failure {
    Failure::Missing {
        noun: "application",
        id: id.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use rollcall_model::provisioning::{Quarantine, QuarantineReason, ResetScope, Restored};

    use super::*;
    use crate::testing::Installation;

    #[expect(clippy::unnecessary_wraps, reason = "what is asked for is optional")]
    fn connection(tenant_url: &str, token: Option<&str>) -> Option<Connection> {
        Some(Connection {
            tenant_url: tenant_url.to_owned(),
            token: token.map(Secret::new),
        })
    }

    #[tokio::test]
    async fn a_credential_stays_with_the_address_that_it_was_entered_for() {
        let installation = Installation::new().await;
        let (app, context) = (&installation.app, installation.command());
        let made = app.create_application(&context, "Vault".to_owned());
        let id = made.await.unwrap().id;
        let on = |application: &mut Application| {
            application.mode = Mode::Automatic;
            application.status = Status::On;
        };
        let bare = app.save_provisioning(&context, id, None, on).await;
        assert!(matches!(bare, Err(Failure::Forbidden { .. })), "{bare:?}");

        let one = "https://one.example/scim";
        let saved = app.save_provisioning(&context, id, connection(one, Some("secret")), on);
        assert!(saved.await.unwrap().token_set.is_some());
        let saved = app.save_provisioning(&context, id, connection(one, None), on);
        saved.await.unwrap();
        let kept = app.configured(&context, id).await.unwrap().token;
        assert_eq!(kept.as_ref().map(Secret::expose), Some("secret"));

        let two = connection("https://two.example/scim", None);
        let moved = app.save_provisioning(&context, id, two, |application| {
            application.status = Status::Off;
        });
        assert!(moved.await.unwrap().token_set.is_none());
        assert!(app.configured(&context, id).await.unwrap().token.is_none());
    }

    #[tokio::test]
    async fn a_cycle_is_asked_for_without_ending_one_that_runs_or_the_quarantine() {
        let installation = Installation::new().await;
        let (app, context) = (&installation.app, installation.command());
        let made = app.create_application(&context, "Vault".to_owned());
        let id = made.await.unwrap().id;
        let off = app.ask_for_cycle(&context, id).await;
        assert!(matches!(off, Err(Failure::Forbidden { .. })));
        let one = connection("https://one.example/scim", Some("secret"));
        app.save_provisioning(&context, id, one, |application| {
            application.mode = Mode::Automatic;
            application.status = Status::On;
        })
        .await
        .unwrap();
        let (now, stopped) = (
            app.now(),
            Quarantine {
                reason: QuarantineReason::EncounteredQuarantineException,
                message: "the target cannot be reached".to_owned(),
                since: app.now(),
                count: 3,
                next_attempt: None,
            },
        );
        let quarantine = stopped.clone();
        let before = context
            .tenant()
            .write::<_, Failure, _>(move |writer| {
                let mut job = writer.job(id)?;
                job.quarantine = Some(quarantine);
                writer.save_job(id, &job)?;
                Ok(job)
            })
            .await
            .unwrap();

        app.ask_for_cycle(&context, id).await.unwrap();

        let job = app.configured(&context, id).await.unwrap().job;
        assert_eq!(job.generation, before.generation, "a running cycle goes on");
        assert_eq!(job.assignments, before.assignments + 1);
        let tried = Quarantine {
            next_attempt: Some(now),
            ..stopped
        };
        assert_eq!(job.quarantine, Some(tried));
    }

    #[tokio::test]
    async fn an_application_that_was_restored_waits_for_a_restart_whatever_else_is_said() {
        let installation = Installation::new().await;
        let (app, context) = (&installation.app, installation.command());
        let made = app.create_application(&context, "Vault".to_owned());
        let id = made.await.unwrap().id;
        let on = |application: &mut Application| {
            application.mode = Mode::Automatic;
            application.status = Status::On;
        };
        let one = || connection("https://one.example/scim", Some("secret"));
        app.save_provisioning(&context, id, one(), on)
            .await
            .unwrap();
        let restored = Restored {
            backup: app.now(),
            at: app.now(),
        };
        let restore = context.tenant().write::<_, Failure, _>(move |writer| {
            let mut job = writer.job(id)?;
            job.restore(restored);
            Ok(writer.save_job(id, &job)?)
        });
        restore.await.unwrap();

        let asked = app.ask_for_cycle(&context, id).await;
        app.save_provisioning(&context, id, one(), on)
            .await
            .unwrap();
        app.stop(&context, id).await.unwrap();
        app.start(&context, id).await.unwrap();
        let only_some = "Watermark, Escrows".parse().unwrap();
        app.restart(&context, id, only_some).await.unwrap();

        assert!(matches!(asked, Err(Failure::Forbidden { .. })), "{asked:?}");
        let job = app.configured(&context, id).await.unwrap().job;
        assert!(job.held().is_some(), "{job:?}");
        let whole = ResetScope::default();
        app.restart(&context, id, whole).await.unwrap();
        let job = app.configured(&context, id).await.unwrap().job;
        assert!(job.held().is_none(), "{job:?}");
        assert_eq!(job.restored, Some(restored), "until a cycle ends well");
    }
}
