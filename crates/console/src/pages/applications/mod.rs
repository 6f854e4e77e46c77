//! The sending end: applications, from their list to their end.
//!
//! **Start at** [`routes`]. What all pages of one application share, its name, state and tabs, is [`Head`]; each page is a file.

mod acts;
mod assignments;
mod list;
mod on_demand;
mod overview;
pub(crate) mod plan;
mod provisioning;
pub(crate) mod steps;

use rollcall_model::application::{Mode, Status};
use rollcall_model::provisioning::{JobState, QuarantineReason, Running};
use rollcall_model::{Application, ApplicationId};

use crate::Console;
use crate::guard::Known;
use crate::problem::Problem;
use crate::table::Routes;

pub(crate) fn routes() -> Routes {
    let mut routes = Vec::new();
    routes.extend(list::routes());
    routes.extend(overview::routes());
    routes.extend(acts::routes());
    routes.extend(provisioning::routes());
    routes.extend(assignments::routes());
    routes.extend(plan::routes());
    routes.extend(on_demand::routes());
    routes
}

/// The pages of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Overview,
    Assignments,
    Provisioning,
    Mappings,
    Plan,
    OnDemand,
    Logs,
    /// One that is not among the tabs.
    None,
}

/// How an application stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    /// The tone: `ok`, `warn`, `bad`, `off`, `run`.
    pub(crate) tone: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) text: &'static str,
}

impl State {
    pub(crate) fn of(application: &Application, job: &JobState, running: Option<&Running>) -> Self {
        let state = |tone, icon, text| Self { tone, icon, text };
        if running.is_some() {
            return state("run", "sync", "Running");
        }
        match &job.quarantine {
            Some(quarantine) if quarantine.reason.waits_for_word() => {
                return state("warn", "alert", "Held");
            }
            Some(_) => return state("bad", "xc", "In quarantine"),
            None => {}
        }
        match (application.mode, application.status) {
            (Mode::Manual, _) => state("off", "offc", "Manual"),
            (Mode::Automatic, Status::Off) => state("off", "offc", "Provisioning off"),
            (Mode::Automatic, Status::On) => state("ok", "okc", "Provisioning on"),
        }
    }

    /// Returns the class of a pill.
    pub(crate) fn pill(&self) -> &'static str {
        match self.tone {
            "ok" => "pill-ok",
            "warn" => "pill-warn",
            "bad" => "pill-bad",
            "run" => "pill-acc",
            _ => "",
        }
    }
}

/// The head of every page of an application: its name, its state, its tabs.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) initial: String,
    pub(crate) state: State,
    pub(crate) tab: Tab,
    /// The job file that configures it: then nothing is changed here.
    pub(crate) job_file: Option<String>,
}

impl Head {
    pub(crate) fn of(
        application: &Application,
        job: &JobState,
        running: Option<&Running>,
        tab: Tab,
    ) -> Self {
        Self {
            id: application.id.to_string(),
            name: application.name.clone(),
            initial: initial(&application.name),
            state: State::of(application, job, running),
            tab,
            job_file: application.job_file.clone(),
        }
    }

    /// Marks the current tab.
    pub(crate) fn at(&self, tab: Tab) -> &'static str {
        if self.tab == tab {
            " aria-current=page"
        } else {
            ""
        }
    }
}

/// Returns the letter that stands for an application.
pub(crate) fn initial(name: &str) -> String {
    let letter = name.chars().find(|c| c.is_alphanumeric());
    letter.map_or_else(|| "?".to_owned(), |letter| letter.to_uppercase().collect())
}

pub(crate) fn parsed(id: &str) -> Result<ApplicationId, Problem> {
    id.parse().map_err(|_| Problem::missing())
}

impl Console {
    /// Makes the head of an application's page.
    pub(crate) async fn application_head(
        &self,
        known: &Known,
        id: ApplicationId,
        tab: Tab,
    ) -> Result<(Application, Head), Problem> {
        let context = known.visitor.context();
        let listed = self.app.application_listed(&context, id).await?;
        let head = Head::of(
            &listed.application,
            &listed.job,
            listed.running.as_ref(),
            tab,
        );
        Ok((listed.application, head))
    }

    /// Makes sure that an application is configured by people: what a job file says is changed there.
    pub(crate) async fn changeable(
        &self,
        known: &Known,
        id: ApplicationId,
    ) -> Result<Application, Problem> {
        let context = known.visitor.context();
        Ok(self.app.changeable(&context, id).await?)
    }
}

/// Says what stopped a job, as a title.
pub(crate) fn title_of(reason: QuarantineReason) -> &'static str {
    match reason {
        QuarantineReason::EncounteredQuarantineException => "The target cannot be reached",
        QuarantineReason::CredentialRefused => "The target refuses the token",
        QuarantineReason::ServiceIncompatible => "The target does not speak SCIM at this address",
        QuarantineReason::TooManyDeletes => "Held: too many people would lose access",
        QuarantineReason::EncounteredBaseEscrowThreshold
        | QuarantineReason::EncounteredTotalEscrowThreshold
        | QuarantineReason::EncounteredEscrowProportionThreshold => "Too many objects fail",
        QuarantineReason::InvalidConfiguration => "The configuration cannot be used",
        QuarantineReason::RestoredFromBackup => "Held: restored from a backup",
        QuarantineReason::Unknown => "Provisioning stopped",
    }
}

#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<(String, String)> {
    let mut samples = Vec::new();
    samples.extend(list::samples());
    samples.extend(overview::samples());
    samples.extend(acts::samples());
    samples.extend(provisioning::samples());
    samples.extend(assignments::samples());
    samples.extend(plan::samples::samples());
    samples.extend(on_demand::samples());
    samples
}

#[cfg(any(test, feature = "samples"))]
pub(crate) mod sample {
    //! Applications for samples.

    use super::{Head, State, Tab, initial};

    /// The instant of all samples.
    pub(crate) const NOW: &str = "2025-11-18T13:32:00Z";
    const ID: &str = "app_0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77";

    pub(crate) fn zone() -> crate::words::Zone {
        crate::words::Zone::new(
            Some("Europe/Oslo"),
            NOW.parse().unwrap_or(jiff::Timestamp::UNIX_EPOCH),
        )
    }

    pub(crate) fn head(
        name: &str,
        tab: Tab,
        (tone, icon, text): (&'static str, &'static str, &'static str),
    ) -> Head {
        Head {
            id: ID.to_owned(),
            name: name.to_owned(),
            initial: initial(name),
            state: State { tone, icon, text },
            tab,
            job_file: None,
        }
    }
}
