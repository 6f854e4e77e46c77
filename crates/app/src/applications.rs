//! Enterprise applications: created, configured, given credentials, assigned, started, restarted.
//!
//! **Is:** what an administrator of the directory side does before a cycle can run. **Is not:** the cycle; `rollcall-engine` runs it.

use jiff::Timestamp;
use rollcall_model::application::{Application, Assignment, Target};
use rollcall_model::{ApplicationId, JobState, Kind, Origin, ResourceId, Secret};
use rollcall_store::{Error, NewAudit, Writer};
use rollcall_sync::rules::Rules;
use serde_json::{Value, json};

use crate::directory::{self, Context};
use crate::{App, Failure};

/// How many links are looked at in one read.
const LINKS: u64 = 1_000;

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

impl App {
    /// Adds an application with the default mappings, switched off.
    pub async fn create_application(
        &self,
        context: &Context,
        name: String,
    ) -> Result<Application, Failure> {
        let now = self.now();
        let id = ApplicationId::new(now, &**self.randomness());
        let application = Application::new(id, name, now);
        let origin = context.origin().clone();
        context
            .tenant()
            .write(move |writer| {
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

    /// Returns an application with everything that a cycle needs.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Internal`] when its credential was sealed with another key.
    pub async fn configured(
        &self,
        context: &Context,
        id: ApplicationId,
    ) -> Result<Configured, Failure> {
        let (application, sealed, assignments, job) = context
            .tenant()
            .read::<_, Failure, _>(move |reader| {
                let application = reader.application(id)?.ok_or_else(|| missing(id))?;
                let sealed = reader.sealed_secret(id)?;
                Ok((
                    application,
                    sealed,
                    reader.assignments(id)?,
                    reader.job(id)?,
                ))
            })
            .await?;
        let token = match sealed {
            Some(sealed) => Some(
                self.sealer()
                    .open(&place(context, id), &sealed)
                    .map_err(|error| Failure::Internal(Box::new(error)))?,
            ),
            None => None,
        };
        Ok(Configured {
            application,
            token,
            assignments,
            job,
        })
    }

    /// Sets where an application lives and the credential for it. Both together: a credential never goes to an address that it
    /// was not entered for. At another address nobody is known: what was provisioned before is forgotten, and the next cycle looks
    /// everybody up.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn set_credentials(
        &self,
        context: &Context,
        id: ApplicationId,
        tenant_url: String,
        token: &Secret,
    ) -> Result<(), Failure> {
        let sealed = self
            .sealer()
            .seal(&place(context, id), token, &**self.randomness());
        self.on_application(
            context,
            id,
            "application.credentials",
            move |writer, mut application| {
                let detail = json!({"tenant_url": tenant_url});
                let target = Some(Target { tenant_url });
                let is_another = application.target != target;
                if is_another {
                    writer.forget_links(id)?;
                    application.target = target;
                    writer.save_application(&application)?;
                }
                writer.save_sealed_secret(id, Some(&sealed))?;
                tell(writer, id, |job| {
                    if is_another {
                        job.watermark = None;
                    }
                })?;
                Ok(((), detail))
            },
        )
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
        self.on_application(
            context,
            id,
            "application.configured",
            move |writer, before| {
                let mut application = before.clone();
                change(&mut application);
                // an address changes with its credential only
                application.target = before.target;
                application.id = id;
                Rules::compile(&application).map_err(Failure::Configuration)?;
                writer.save_application(&application)?;
                tell(writer, id, |_| {})?;
                let detail = json!({
                    "status": application.status, "mode": application.mode, "scope": application.scope,
                });
                Ok((application, detail))
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
            Ok(((), json!({"principal": principal, "kind": kind})))
        })
        .await
    }

    /// Makes the next cycle an initial one: the watermark, the waiting times of failures, the quarantine and what both ends agreed on are
    /// forgotten, so that everything is compared again; the links are kept.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application.
    pub async fn restart(&self, context: &Context, id: ApplicationId) -> Result<(), Failure> {
        let now = self.now();
        self.on_application(context, id, "application.restarted", move |writer, _| {
            tell(writer, id, |job| job.watermark = None)?;
            for kind in [Kind::User, Kind::Group] {
                forget_agreement(writer, id, kind, now)?;
            }
            Ok(((), json!({})))
        })
        .await
    }

    /// Allows the next cycle so many deletions, beyond those of the last day.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application.
    pub async fn allow_deletions(
        &self,
        context: &Context,
        id: ApplicationId,
        count: u64,
    ) -> Result<(), Failure> {
        self.on_application(
            context,
            id,
            "application.deletions_allowed",
            move |writer, _| {
                tell(writer, id, |job| job.allowed_deletions = Some(count))?;
                Ok(((), json!({"count": count})))
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

fn entry(origin: Origin, id: ApplicationId, action: &'static str, detail: Value) -> NewAudit {
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
    job.quarantine = None;
    job.generation += 1;
    writer.save_job(id, &job)
}

fn forget_agreement(
    writer: &mut dyn Writer,
    id: ApplicationId,
    kind: Kind,
    now: Timestamp,
) -> Result<(), Error> {
    let mut after = None;
    loop {
        let links = writer.links(id, kind, after, LINKS)?;
        let Some(last) = links.last() else {
            return Ok(());
        };
        after = Some(last.object);
        for mut link in links {
            link.digest = None;
            link.references.clear();
            link.waiting = true;
            link.members_unknown = kind == Kind::Group;
            if let Some(failure) = &mut link.failure {
                failure.next_attempt = now;
            }
            writer.save_link(&link)?;
        }
    }
}

/// What a sealed credential is bound to.
fn place(context: &Context, id: ApplicationId) -> Vec<u8> {
    let organisation = context.tenant().organisation();
    [organisation.as_bytes().as_slice(), id.as_bytes()].concat()
}

fn missing(id: ApplicationId) -> Failure {
    Failure::Missing {
        noun: "application",
        id: id.to_string(),
    }
}
