//! Runs a test over many seeds, some at a time, and tells the story of one that fails.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::hurry::hurried;

/// What happened, line by line.
pub(crate) type Story = Arc<Mutex<Vec<String>>>;

/// Runs a seed; returns its story when it fails.
fn fails<F: Future<Output = ()>>(seed: u64, test: &impl Fn(u64, Story) -> F) -> Option<String> {
    let story = Story::default();
    let told = Arc::clone(&story);
    let run = AssertUnwindSafe(|| hurried(test(seed, told)));
    let panicked = std::panic::catch_unwind(run).err()?;
    let text = panicked.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panicked.downcast_ref().copied()).unwrap_or("?");
    let story = story
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .join("\n");
    Some(format!("{story}\nseed {seed} failed: {text}"))
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Runs a test with so many seeds; `ROLLCALL_SEEDS` in the environment names another number, `ROLLCALL_SEED` a single one.
pub(crate) fn each_seed<F: Future<Output = ()>>(seeds: u64, test: impl Fn(u64, Story) -> F + Sync) {
    if let Some(seed) = from_environment("ROLLCALL_SEED") {
        if let Some(story) = fails(seed, &test) {
            panic!("{story}");
        }
        return;
    }
    let seeds = from_environment("ROLLCALL_SEEDS").unwrap_or(seeds);
    let begun = Instant::now();
    let next = AtomicU64::new(0);
    let failed = Mutex::new(Vec::new());
    let threads = 2 * std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    if let Some(story) = fails(seed, &test) {
                        failed.lock().unwrap().push((seed, story));
                    }
                }
            });
        }
    });
    println!("{seeds} seeds in {:?}", begun.elapsed());
    let failed = failed.into_inner().unwrap();
    if let Some((seed, story)) = failed.first() {
        let seeds: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
        let last: Vec<&str> = failed
            .iter()
            .map(|(_, story)| &story[story.rfind("\nseed ").unwrap_or_default()..])
            .collect();
        panic!(
            "{story}\nin short: {}\nfailed: {seeds:?}; run one alone with ROLLCALL_SEED={seed}",
            last.concat()
        );
    }
}
