//! Which processor cores a thread may run on: a server and those who load it are kept apart, so that what the load costs does not count.
//!
//! A thread or a process that is started has the cores of the thread that started it.

use std::sync::OnceLock;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Returns how many cores this process may use.
pub(crate) fn count() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Runs `deed` on the first core alone.
pub(crate) fn on_the_first<T>(deed: impl FnOnce() -> T) -> T {
    restricted(|core| core == 0, deed)
}

/// Runs `deed` on all cores but the first; on a machine with one core, on that.
pub(crate) fn on_the_others<T>(deed: impl FnOnce() -> T) -> T {
    restricted(|core| core > 0, deed)
}

fn restricted<T>(is_wanted: impl Fn(usize) -> bool, deed: impl FnOnce() -> T) -> T {
    // what the process began with; a thread that is restricted may start others on cores that are not its own
    static ALL: OnceLock<Option<CpuSet>> = OnceLock::new();
    let Some(all) = ALL.get_or_init(|| sched_getaffinity(None).ok()) else {
        return deed();
    };
    let before = sched_getaffinity(None).unwrap_or(*all);
    let usable = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
    let mut wanted = CpuSet::new();
    for (place, core) in usable.enumerate() {
        if is_wanted(place) {
            wanted.set(core);
        }
    }
    // where it cannot be had, everything runs everywhere, on both sides of a comparison
    let is_restricted = wanted.count() > 0 && sched_setaffinity(None, &wanted).is_ok();
    let result = deed();
    if is_restricted {
        sched_setaffinity(None, &before).ok();
    }
    result
}
