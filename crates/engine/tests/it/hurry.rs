//! Time that runs faster: a pause of a second passes in milliseconds.
//!
//! The runtime's clock is stopped and moved on by hand. It would move by itself whenever nobody has anything to do, also while an answer of
//! the target is on its way, and every time-out would be over; a thread that keeps the runtime busy prevents that.

use std::time::Duration;

use tokio::sync::mpsc;

/// How much of the runtime's time passes in a millisecond.
const STEP: Duration = Duration::from_millis(200);

/// Runs a test on a runtime of its own, two hundred times as fast as the clock on the wall.
pub(crate) fn hurried<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async move {
        let (tick, mut ticks) = mpsc::channel(1);
        tokio::task::spawn_blocking(move || {
            while tick.blocking_send(()).is_ok() {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let clock = tokio::spawn(async move {
            while ticks.recv().await.is_some() {
                tokio::time::advance(STEP).await;
            }
        });
        let output = test.await;
        clock.abort();
        output
    })
}
