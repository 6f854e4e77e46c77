//! Where an application lives, and the credential for it: both change together, or not at all.

use rollcall_model::application::{Application, Mode, Status, Target};
use rollcall_model::{ApplicationId, JobState, OrgId, Profile, Secret};
use rollcall_store::Writer;
use rollcall_sync::rules::Rules;
use serde_json::json;

use super::{entry, tell, unconnected};
use crate::directory::Context;
use crate::{App, Failure};

/// Where an application is to live from now on.
#[derive(Debug)]
pub struct Connection {
    /// The address of its SCIM endpoint.
    pub tenant_url: String,
    /// The credential for it; absent: the stored one, if the address stays the same.
    pub token: Option<Secret>,
}

impl App {
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
        let (app, token) = (self.clone(), token.clone());
        let organisation = context.tenant().organisation();
        let now = self.now();
        let actor = context.origin().actor.clone();
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
                }
                application.token_set = Some(now);
                writer.save_application(&application)?;
                app.save_credential(writer, organisation, id, &token)?;
                app.post_credential_changed(writer, now, &application, &actor)?;
                tell(writer, id, |job| {
                    if is_another {
                        move_away(job);
                    }
                })?;
                Ok(((), detail))
            },
        )
        .await
    }

    /// Changes everything at once that the form *Provisioning* shows: where the application lives, the credential for it, settings. What
    /// holds for [`set_credentials`](Self::set_credentials) holds here: at another address nobody is known, and the stored credential is
    /// forgotten unless another one is given.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Configuration`]; [`Failure::Forbidden`] when cycles are to run without address and credential.
    pub async fn save_provisioning(
        &self,
        context: &Context,
        id: ApplicationId,
        connection: Option<Connection>,
        change: impl FnOnce(&mut Application) + Send + 'static,
    ) -> Result<Application, Failure> {
        let now = self.now();
        let app = self.clone();
        let organisation = context.tenant().organisation();
        let origin = context.origin().clone();
        self.on_application(
            context,
            id,
            "application.configured",
            move |writer, before| {
                let mut application = before.clone();
                change(&mut application);
                application.id = id;
                application.target.clone_from(&before.target);
                application.token_set = before.token_set;
                let mut token = None;
                if let Some(connection) = connection {
                    token = connection.token;
                    application.target = Some(Target {
                        tenant_url: connection.tenant_url,
                    });
                }
                Rules::compile(&application).map_err(Failure::Configuration)?;
                let is_another = application.target != before.target;
                if is_another {
                    writer.forget_links(id)?;
                    writer.save_sealed_secret(id, None)?;
                    application.token_set = None;
                }
                if let Some(token) = &token {
                    app.save_credential(writer, organisation, id, token)?;
                    application.token_set = Some(now);
                }
                let runs = application.mode == Mode::Automatic && application.status == Status::On;
                let is_connected =
                    application.target.is_some() && writer.sealed_secret(id)?.is_some();
                if runs && !is_connected {
                    return Err(unconnected());
                }
                writer.save_application(&application)?;
                tell(writer, id, |job| {
                    if is_another {
                        move_away(job);
                    }
                })?;
                if is_another || token.is_some() {
                    app.post_credential_changed(writer, now, &application, &origin.actor)?;
                    let target = application.target.as_ref();
                    let detail = json!({"tenant_url": target.map(|target| &target.tenant_url)});
                    let entry = entry(origin, id, "application.credentials", detail);
                    writer.append_audit(now, &entry)?;
                }
                let detail = json!({
                    "status": application.status, "mode": application.mode, "scope": application.scope,
                });
                Ok((application, detail))
            },
        )
        .await
    }
}

impl App {
    fn save_credential(
        &self,
        writer: &mut dyn Writer,
        organisation: OrgId,
        id: ApplicationId,
        token: &Secret,
    ) -> Result<(), Failure> {
        let randomness = &**self.randomness();
        let key = (self.sealer()).sealing_key(writer, organisation, self.now(), randomness)?;
        let sealed = key.seal(&place(organisation, id), token, randomness);
        Ok(writer.save_sealed_secret(id, Some(&sealed))?)
    }
}

/// Forgets what was learned of a target, because the application lives at another address now.
fn move_away(job: &mut JobState) {
    job.watermark = None;
    job.profile = Profile::default();
    job.drift = None;
    job.last_complete = None;
}

/// Where the credential of an application is kept.
pub(crate) fn place(organisation: OrgId, id: ApplicationId) -> String {
    format!("applications.sealed_secret {organisation} {id}")
}
