//! Notes in the store how far a running cycle is, for whoever looks: the console, and other processes.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use rollcall_model::provisioning::{CycleKind, Running};

use crate::work::Work;

/// The pause between two notes. A cycle that ends sooner is not noted at all.
const PAUSE: Duration = Duration::from_secs(1);

/// Waits for a cycle that began then, and notes meanwhile how far it is. Afterwards there is no note.
pub(crate) async fn noted<T>(work: &Work, began: Timestamp, cycle: impl Future<Output = T>) -> T {
    let mut cycle = pin!(cycle);
    let mut has_noted = false;
    loop {
        tokio::select! {
            biased;
            outcome = &mut cycle => {
                if has_noted {
                    put(work, None).await;
                }
                return outcome;
            }
            () = pause_and_note(work, began, &mut has_noted) => {}
        }
    }
}

async fn pause_and_note(work: &Work, began: Timestamp, has_noted: &mut bool) {
    tokio::time::sleep(PAUSE).await;
    let running = Running {
        cycle: work.cycle,
        kind: if work.is_incremental.load(Ordering::Relaxed) {
            CycleKind::Incremental
        } else {
            CycleKind::Initial
        },
        began,
        noted: work.app.now(),
        progress: work.progress(),
    };
    // before the first await: a note under way is cleared too
    *has_noted = true;
    put(work, Some(running)).await;
}

/// A note that cannot be written is missed by nobody who provisions.
async fn put(work: &Work, running: Option<Running>) {
    let application = work.application;
    let noted = work
        .note_down(move |writer| writer.save_progress(application, running.as_ref()))
        .await;
    if let Err(error) = noted {
        tracing::debug!(%application, %error, "the progress of a cycle cannot be noted");
    }
}
