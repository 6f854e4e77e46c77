//! Jobs from files: an application that a file configures, on a directory of ours or on the mirror of a foreign source.
//!
//! **Is:** bringing the stored configuration to what the file says, and nothing more: what is the same is not touched, so that a plan made
//! before still holds. **Is not:** reading the file; the binary does that.
//! **Start at** [`App::job_application`].

use rollcall_model::application::{Application, Assignment, Principal, Scope, Settings};
use rollcall_model::mapping::ObjectMapping;
use rollcall_model::{
    ApplicationId, Kind, OrgId, Organisation, Plan, ResourceId, Rules, Secret, Slug,
};
use rollcall_store::NewAudit;
use rollcall_sync::digest::Digest;
use serde_json::{Value, json};

use crate::directory::Context;
use crate::principals::here;
use crate::{App, Failure};

/// How much of a job's name its organisation's slug shows.
const SHOWN: usize = 40;

/// What a job file says about its application.
#[derive(Debug, Clone)]
pub struct Job {
    /// The job's name, and so the application's.
    pub name: String,
    /// The file, as an absolute path.
    pub file: String,
    /// The target's address.
    pub tenant_url: String,
    /// The credential for it.
    pub token: Secret,
    /// How people are mapped.
    pub users: ObjectMapping,
    /// How groups are mapped.
    pub groups: ObjectMapping,
    /// The synchronization schema from which the mappings come.
    pub schema: Option<Value>,
    /// Whose accounts are provisioned.
    pub scope: Scope,
    /// Everything else.
    pub settings: Settings,
}

impl App {
    /// Finds the organisation that mirrors a job's source.
    pub async fn job_organisation(&self, job: &str) -> Result<Option<Organisation>, Failure> {
        Ok(self.store().organisation(&slug(job)?).await?)
    }

    /// Makes the organisation that mirrors a job's source, unless it is there.
    pub async fn make_job_organisation(&self, job: &str) -> Result<Organisation, Failure> {
        if let Some(there) = self.job_organisation(job).await? {
            return Ok(there);
        }
        let organisation = Organisation {
            id: OrgId::new(self.now(), &**self.randomness()),
            slug: slug(job)?,
            name: job.to_owned(),
            region: self.settings().region.clone(),
            plan: Plan::Paid,
            seats: None,
            created: self.now(),
            mirrors: Some(job.to_owned()),
            rules: Rules::default(),
            time_zone: None,
            sends_invitations: false,
            retention: rollcall_model::retention::DEFAULT,
        };
        let entry = NewAudit {
            origin: self.command_origin(),
            action: "organisation.created",
            object: organisation.id.to_string(),
            detail: json!({"job": job}),
        };
        self.store()
            .create_organisation(&organisation, &entry)
            .await?;
        Ok(organisation)
    }

    /// Finds a job's application.
    pub async fn job_application(
        &self,
        context: &Context,
        job: &str,
    ) -> Result<Option<Application>, Failure> {
        let applications = self.applications(context).await?;
        Ok(applications
            .into_iter()
            .find(|one| one.job_file.is_some() && one.name == job))
    }

    /// Makes a job's application what the file says: it is created when there is none, and changed where it differs.
    ///
    /// # Errors
    /// [`Failure::Taken`] when the name belongs to an application that people configure, or to another file that is still there;
    /// [`Failure::Configuration`] with every mistake in the mappings.
    pub async fn bring_job(&self, context: &Context, job: Job) -> Result<ApplicationId, Failure> {
        let there = self.job_application(context, &job.name).await?;
        let application = if let Some(there) = there {
            there
        } else {
            let id = ApplicationId::new(self.now(), &**self.randomness());
            // whoever dies after this finds his application again
            let fresh = Application {
                job_file: Some(job.file.clone()),
                ..Application::new(id, job.name.clone(), self.now())
            };
            self.add_application(context, fresh).await?
        };
        claimed(&application, &job.file)?;
        let id = application.id;
        let mut wanted = application.clone();
        wanted.users = job.users;
        wanted.groups = job.groups;
        wanted.schema = job.schema;
        wanted.scope = job.scope;
        wanted.settings = job.settings;
        wanted.job_file = Some(job.file);
        if wanted != application {
            self.configure(context, id, move |application| *application = wanted)
                .await?;
        }
        let stored = self.configured(context, id).await?;
        let is_same = stored
            .application
            .target
            .as_ref()
            .is_some_and(|target| target.tenant_url == job.tenant_url)
            && stored.token.as_ref().map(Secret::expose) == Some(job.token.expose());
        if !is_same {
            self.set_credentials(context, id, job.tenant_url, &job.token)
                .await?;
        }
        Ok(id)
    }

    /// Finds the application of a job that ran before, for the file that asks.
    ///
    /// # Errors
    /// [`Failure::Taken`] when it belongs to another file that is still there: nobody asks after it, or ends it, by mistake.
    pub async fn job_of_file(
        &self,
        context: &Context,
        job: &str,
        file: &str,
    ) -> Result<Option<Application>, Failure> {
        let application = self.job_application(context, job).await?;
        if let Some(application) = &application {
            claimed(application, file)?;
        }
        Ok(application)
    }

    /// Makes exactly these people and groups the assigned ones.
    ///
    /// # Errors
    /// Those of [`assign`](Self::assign).
    pub async fn assign_only(
        &self,
        context: &Context,
        id: ApplicationId,
        wanted: &[(Kind, ResourceId)],
    ) -> Result<(), Failure> {
        let there: Vec<Assignment> = self.configured(context, id).await?.assignments;
        for one in &there {
            if !wanted.contains(&(one.kind, one.principal)) {
                self.unassign(context, id, one.kind, one.principal).await?;
            }
        }
        for (kind, principal) in wanted {
            let has = |one: &Assignment| (one.kind, one.principal) == (*kind, *principal);
            if !there.iter().any(has) {
                self.assign(context, id, *kind, *principal).await?;
            }
        }
        Ok(())
    }

    /// Finds the people and groups that are meant; the second list has those who are nobody.
    pub async fn resolve(
        &self,
        context: &Context,
        principals: Vec<Principal>,
    ) -> Result<(Vec<(Kind, ResourceId)>, Vec<Principal>), Failure> {
        context
            .tenant()
            .read::<_, Failure, _>(move |reader| {
                let (mut found, mut nobody) = (Vec::new(), Vec::new());
                for principal in principals {
                    match here(reader, &principal)? {
                        Some(id) => found.push((principal.kind, id)),
                        None => nobody.push(principal),
                    }
                }
                Ok((found, nobody))
            })
            .await
    }
}

/// Makes sure that a job's application is that of a file: its own, or one that was moved there.
fn claimed(application: &Application, file: &str) -> Result<(), Failure> {
    let of_another = application
        .job_file
        .as_ref()
        .is_some_and(|other| other != file && std::path::Path::new(other).exists());
    if of_another {
        return Err(Failure::Taken {
            attribute: "name",
            hint: "another job file of this store has the name; give this one a `name` of its own",
        });
    }
    Ok(())
}

/// Returns the slug of the organisation that mirrors a job's source: what can be read of the name, and what makes it unique.
fn slug(job: &str) -> Result<Slug, Failure> {
    let readable: String = job
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(SHOWN)
        .collect();
    let mut digest = Digest::default();
    let unique: String = digest.text(job).finish().chars().take(12).collect();
    let text = format!("job-{}-{unique}", readable.trim_matches('-'));
    text.parse()
        .map_err(|error| Failure::Internal(Box::new(error)))
}
