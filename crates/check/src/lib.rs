//! Grades any SCIM endpoint.
//!
//! **Is:** a list of promises that a SCIM endpoint makes ([`catalogue`]), the questions by which each is tested ([`reading`], [`writing`],
//! and what a certain directory sends: [`persona`]), and a [`Report`] with what was asked and what was answered where one is broken.
//! **Is not:** a client that copes: what an endpoint gets wrong is told, not put up with.
//! **Start at** [`grade`].

pub mod catalogue;
mod persona;
mod reading;
mod report;
mod session;
mod writing;

use rollcall_connect::client::Client;
use rollcall_model::Secret;
use url::Url;

pub use persona::Persona;
pub use report::{Evidence, Report, Verdict, Word};

use session::Session;

/// What is to be graded, and how.
#[derive(Debug, Clone)]
pub struct Exam {
    /// The base of the endpoint, such as `https://app.example.com/scim/v2`.
    pub base: Url,
    /// A token that it takes.
    pub token: Secret,
    /// Whose ways it has to understand besides the RFC's.
    pub persona: Persona,
    /// Whether people and groups are created, changed and deleted. Whatever is created is deleted at the end.
    pub writes: bool,
    /// Distinguishes what this exam creates from everything else there: letters and digits.
    pub mark: String,
}

/// Why an endpoint could not be graded.
#[derive(Debug, thiserror::Error)]
pub enum Ungraded {
    /// It does not answer the first question; says why.
    #[error("{0}")]
    NoAnswer(String),
    /// It was interrupted.
    #[error("the test was interrupted; {}", left(.left_behind))]
    Interrupted {
        /// What was created and may still be there: paths, or names of those of whom nobody can tell.
        left_behind: Vec<String>,
    },
    /// It does not take the token.
    #[error("the endpoint does not take the token: it answered {status} to `GET {path}`")]
    Refused {
        /// What it answered.
        status: u16,
        /// To which path.
        path: String,
    },
}

fn left(behind: &[String]) -> String {
    if behind.is_empty() {
        "nothing of it is left there".to_owned()
    } else {
        format!(
            "what was created for it may still be there: {}",
            behind.join(", ")
        )
    }
}

/// Grades an endpoint. Every promise is tested, whatever became of those before; what cannot be tested says why. When `stop` ends, no more
/// is tested, and what was created is deleted; when it ends again meanwhile, that ends as well.
///
/// # Errors
/// [`Ungraded`] when there is nothing to judge.
pub async fn grade(client: &Client, exam: Exam, stop: impl AsyncFn()) -> Result<Report, Ungraded> {
    let mut session = Session::begin(client.clone(), exam);
    let outcome = tokio::select! {
        outcome = run(&mut session) => outcome.map(|()| true),
        () = stop() => Ok(false),
    };
    // whatever happened, nothing is left behind
    tokio::select! {
        () = session.clean_up() => {}
        () = stop() => session.leave_behind(),
    }
    let report = session.report();
    if outcome? {
        Ok(report)
    } else {
        Err(Ungraded::Interrupted {
            left_behind: report.left_behind,
        })
    }
}

async fn run(session: &mut Session) -> Result<(), Ungraded> {
    reading::run(session).await?;
    if session.exam.writes {
        writing::run(session).await;
    }
    Ok(())
}
