//! Runs provisioning cycles.
//!
//! **Is:** the effects that the pure decisions of `rollcall-sync` ask for: reading our own directory as a source, asking and writing
//! the target, remembering links and log entries, each in one small transaction; the schedule.
//! **Is not:** decisions. What is to be done with an object is said by a [`rollcall_sync::task::Task`]; a plan asks the same one.
//! **Start at** [`Engine::run`]; the phases of a cycle are in `cycle`, in order.
//!
//! INVARIANT: a link is stored after each write to the target, and the watermark moves only when every candidate was handled. A cycle
//! that was killed anywhere is simply run again.

mod agreement;
mod cycle;
mod directory;
mod entry;
mod examination;
mod figures;
mod gate;
mod handling;
mod kept_plans;
mod memberships;
mod mirror;
mod noting;
mod objects;
mod on_demand;
mod outlook;
mod overtake;
mod planning;
pub mod preview;
mod references;
pub mod schedule;
mod settling;
mod survey;
mod suspects;
mod webhooks;
mod why;
mod work;

use rollcall_app::directory::Context;
use rollcall_app::{App, Failure};
use rollcall_connect::client::Client;
use rollcall_model::provisioning::{Phase, Progress, QuarantineReason};
use rollcall_model::{ApplicationId, Profile};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use agreement::{Agreement, Difference};
pub use examination::NotTested;
pub use figures::{Cycles, Figures, Objects};
pub use mirror::NotMirrored;
pub use on_demand::OnDemand;
pub use planning::NotApplied;
pub use rollcall_connect::client::Refused;
pub use rollcall_connect::target::{Step, Stepped};
pub use why::Why;

/// Runs cycles for the applications of an installation.
#[derive(Debug, Clone)]
pub struct Engine {
    app: App,
    client: Client,
    /// Turns to look at many objects at once.
    looks: std::sync::Arc<tokio::sync::Semaphore>,
    figures: std::sync::Arc<Figures>,
}

/// Where a cycle tells how far it is, and where it is told to stop.
#[derive(Debug, Clone)]
pub struct Watch {
    /// How far it is.
    pub progress: watch::Sender<Progress>,
    /// Ends it after what is in flight; nothing is lost, the next cycle goes on.
    pub interrupt: CancellationToken,
}

impl Default for Watch {
    fn default() -> Self {
        let beginning = Progress {
            phase: Phase::Connecting,
            done: 0,
            total: 0,
        };
        Self {
            progress: watch::Sender::new(beginning),
            interrupt: CancellationToken::new(),
        }
    }
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The target or the configuration stands in the way.
    #[error("{message}")]
    Stopped {
        /// What a job in quarantine is told to have.
        reason: QuarantineReason,
        /// The cause, for people.
        message: String,
    },
    /// Somebody else provisions this application at this moment.
    #[error("a cycle of this application is running already: wait for its end")]
    Busy,
    /// What a plan did not foresee came up while it was carried out; nothing else was sent.
    #[error("{0}")]
    Deviated(String),
    /// Our own side failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<rollcall_store::Error> for Error {
    fn from(error: rollcall_store::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl Engine {
    /// Puts an engine on the use cases, with the client for what goes out.
    pub fn new(app: App, client: Client) -> Self {
        Self {
            app,
            client,
            looks: std::sync::Arc::new(tokio::sync::Semaphore::new(preview::AT_ONCE)),
            figures: std::sync::Arc::default(),
        }
    }

    /// Returns what it has done since it was made.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Returns the client through which everything goes out.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Tests the connection to an application's target with its stored credential, and asks the target how it wants to be spoken to.
    /// What it says is remembered.
    ///
    /// # Errors
    /// [`Error::Stopped`] with the exact reason.
    pub async fn test_connection(
        &self,
        context: &Context,
        application: ApplicationId,
    ) -> Result<Connection, Error> {
        let configured = self.app.configured(context, application).await?;
        let purpose = work::Purpose::Run;
        let work =
            work::Work::prepare(self, context, configured, Watch::default(), purpose).await?;
        let tested = work.connect().await?;
        let probed = work.target.probe().await;
        let probed = probed.map_err(|trouble| work::stopped(&trouble))?;
        let profile = work.target.profile();
        let known = profile.clone();
        work.write(move |writer| {
            let mut job = writer.job(application)?;
            job.profile = known;
            writer.save_job(application, &job)
        })
        .await?;
        let mut notes = tested.notes;
        notes.extend(probed.notes);
        // both look at the address
        let mut told = std::collections::HashSet::new();
        notes.retain(|note| told.insert(note.clone()));
        Ok(Connection {
            latency: tested.latency,
            notes,
            profile,
        })
    }
}

/// What a connection test that succeeded found.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// How long the target takes to answer a look-up: the median.
    pub latency: std::time::Duration,
    /// What is worth knowing, and no failure.
    pub notes: Vec<String>,
    /// How the target wants to be spoken to.
    pub profile: Profile,
}
