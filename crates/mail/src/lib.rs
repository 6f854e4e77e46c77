//! Mail: its words, and its way out.
//!
//! **Is:** how a [`rollcall_model::Letter`] becomes a mail in text and HTML ([`words`]), and who takes it: an SMTP server or a folder
//! ([`Way`]). The courier takes what is due out of the queue and tries again what did not get through.
//! **Is not:** what is written to whom, which use cases decide.
//! **Start at** [`run`].

mod way;
mod words;

use std::sync::Arc;
use std::time::Duration;

use rollcall_app::App;
use rollcall_observe::{Counter, Gauge};
use tokio_util::sync::CancellationToken;

pub use way::{Way, WayError};
pub use words::{Mail, written};

/// The queue is looked at this often, whatever is said to have been put into it.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// So long after a letter was put into the queue its transaction is over.
const SETTLES: Duration = Duration::from_millis(200);
/// Tokens that end soon are looked for this often.
const ANNOUNCE_EVERY: Duration = Duration::from_hours(1);

/// What the courier has done since it began.
#[derive(Debug, Default)]
pub struct Figures {
    /// Letters that were handed over.
    pub sent: Counter,
    /// Attempts that failed; the letter waits for the next one.
    pub deferred: Counter,
    /// Letters that were given up.
    pub given_up: Counter,
    /// Letters that wait, as the courier saw them last.
    pub waiting: Gauge,
}

/// Sends what is due, until `stop`.
pub async fn run(app: App, way: Way, figures: Arc<Figures>, stop: CancellationToken) {
    let mut announced: Option<tokio::time::Instant> = None;
    loop {
        if announced.is_none_or(|at| at.elapsed() >= ANNOUNCE_EVERY) {
            if let Err(failure) = app.announce_expiring_tokens().await {
                tracing::warn!(%failure, "expiring tokens could not be looked for");
            }
            if let Err(failure) = app.announce_expiring_keys().await {
                tracing::warn!(%failure, "expiring API keys could not be looked for");
            }
            announced = Some(tokio::time::Instant::now());
        }
        if let Err(failure) = deliver(&app, &way, &figures).await {
            tracing::warn!(%failure, "the mail that waits could not be read");
        }
        if let Ok(many) = app.waiting_letters().await {
            figures.waiting.set(many);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.letter_posted() => tokio::time::sleep(SETTLES).await,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Sends what is due now. A mail that cannot be sent is tried again, and one organisation whose queue cannot be written to keeps nobody
/// else's mail.
///
/// # Errors
/// When no queue can be read.
pub async fn deliver(app: &App, way: &Way, figures: &Figures) -> Result<(), rollcall_app::Failure> {
    for due in app.due_letters().await? {
        let mail = words::written(&due.letter);
        let organisation = due.organisation;
        let noted = match way.send(&due.letter.to, &mail, app.now()).await {
            Ok(()) => {
                figures.sent.increment();
                app.letter_sent(due).await
            }
            Err(error) => {
                let to = due.letter.to.to_string();
                app.letter_failed(due).await.map(|given_up| {
                    let ended = if given_up {
                        &figures.given_up
                    } else {
                        &figures.deferred
                    };
                    ended.increment();
                    tracing::warn!(%to, %error, given_up, "a mail could not be sent");
                })
            }
        };
        if let Err(failure) = noted {
            tracing::warn!(%organisation, %failure, "what became of a mail could not be noted");
        }
    }
    Ok(())
}
