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
    /// It does not take the token.
    #[error("the endpoint does not take the token: it answered {status} to `GET {path}`")]
    Refused {
        /// What it answered.
        status: u16,
        /// To which path.
        path: String,
    },
}

/// Grades an endpoint. Every promise is tested, whatever became of those before; what cannot be tested says why.
///
/// # Errors
/// [`Ungraded`] when there is nothing to judge.
pub async fn grade(client: &Client, exam: Exam) -> Result<Report, Ungraded> {
    let mut session = Session::begin(client.clone(), exam);
    reading::run(&mut session).await?;
    if session.exam.writes {
        writing::run(&mut session).await;
        // whatever happened, nothing is left behind
        session.clean_up().await;
    }
    Ok(session.report())
}
