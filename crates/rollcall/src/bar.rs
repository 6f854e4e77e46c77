//! A progress bar that follows a cycle or a plan, on stderr and on a terminal only.
//!
//! **Start at** [`watched`]; [`followed`] also ends the work when somebody presses Ctrl-C.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rollcall_engine::Watch;
use rollcall_model::provisioning::{Phase, Progress};

use crate::commands::serve::stop_signal;
use crate::printer;

/// Does something that takes a while under a progress bar. Ctrl-C or SIGTERM ends it after what is in flight.
pub(crate) async fn followed<F: Future>(
    name: &'static str,
    act: impl FnOnce(Watch) -> F,
) -> F::Output {
    let (watch, bar) = watched(name);
    let interrupt = watch.interrupt.clone();
    let listening = tokio::spawn(async move {
        while stop_signal().await.is_ok() {
            printer::say("finishing what is in flight …");
            interrupt.cancel();
        }
    });
    let outcome = act(watch).await;
    listening.abort();
    bar.finish().await;
    outcome
}

/// A progress bar that follows a cycle.
pub(crate) struct Bar {
    bar: ProgressBar,
    following: tokio::task::JoinHandle<()>,
}

/// Makes a watch whose progress is drawn on the terminal.
pub(crate) fn watched(name: &'static str) -> (Watch, Bar) {
    let watch = Watch::default();
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) =
        ProgressStyle::with_template("  {prefix:<11} {msg:<10} {bar:32} {pos}/{len} {eta}")
    {
        bar.set_style(style);
    }
    bar.set_prefix(name);
    let mut progress = watch.progress.subscribe();
    let drawn = bar.clone();
    let following = tokio::spawn(async move {
        while progress.changed().await.is_ok() {
            let Progress { phase, done, total } = *progress.borrow_and_update();
            drawn.set_message(word(phase));
            drawn.set_length(total);
            drawn.set_position(done);
        }
    });
    (watch, Bar { bar, following })
}

impl Bar {
    /// Takes the bar off the terminal.
    pub(crate) async fn finish(self) {
        self.following.abort();
        drop(self.following.await);
        self.bar.finish_and_clear();
    }
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "connecting",
        Phase::Reading => "reading",
        Phase::Leaving => "leaving",
        Phase::Writing => "people",
        Phase::References => "managers",
        Phase::Members => "members",
        Phase::Finished => "done",
    }
}
