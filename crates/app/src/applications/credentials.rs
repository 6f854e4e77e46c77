//! Where an application lives, and the credential for it: both change together, or not at all.

use rollcall_model::application::{Application, Mode, Status, Target};
use rollcall_model::{ApplicationId, JobState, OrgId, Profile, Secret};
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
        let sealed = self.sealer().seal(
            &place(context.tenant().organisation(), id),
            token,
            &**self.randomness(),
        );
        let now = self.now();
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
                writer.save_sealed_secret(id, Some(&sealed))?;
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
        let token = connection.as_ref().and_then(|one| one.token.as_ref());
        let sealed = token.map(|token| {
            self.sealer().seal(
                &place(context.tenant().organisation(), id),
                token,
                &**self.randomness(),
            )
        });
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
                if let Some(connection) = connection {
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
                if let Some(sealed) = &sealed {
                    writer.save_sealed_secret(id, Some(sealed))?;
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
                if is_another || sealed.is_some() {
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

/// Forgets what was learned of a target, because the application lives at another address now.
fn move_away(job: &mut JobState) {
    job.watermark = None;
    job.profile = Profile::default();
    job.drift = None;
    job.last_complete = None;
}

/// What a sealed credential is bound to.
pub(crate) fn place(organisation: OrgId, id: ApplicationId) -> Vec<u8> {
    [organisation.as_bytes().as_slice(), id.as_bytes()].concat()
}
