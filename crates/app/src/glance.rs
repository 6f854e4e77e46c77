//! The applications at a glance: switched on or off, how many are in use there, whether the job has stopped.

use rollcall_model::Application;
use rollcall_model::provisioning::Quarantine;

use crate::directory::Context;
use crate::{App, Failure};

/// An application at a glance.
#[derive(Debug, Clone)]
pub struct Glance {
    /// The application.
    pub application: Application,
    /// How many people and groups are in use in the target.
    pub in_use: u64,
    /// Why its job has stopped; absent: it has not.
    pub quarantine: Option<Quarantine>,
}

impl App {
    /// Returns the applications at a glance, in order of creation.
    pub async fn applications_at_a_glance(
        &self,
        context: &Context,
    ) -> Result<Vec<Glance>, Failure> {
        context
            .tenant()
            .read(|reader| {
                let applications = reader.applications()?.into_iter().map(|application| {
                    Ok(Glance {
                        in_use: reader.in_use(application.id)?,
                        quarantine: reader.job(application.id)?.quarantine,
                        application,
                    })
                });
                applications.collect()
            })
            .await
    }
}
