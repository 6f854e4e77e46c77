//! How an exercise is run where no fuzzer is: on the committed corpus, and on inputs that are made from it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// How many inputs are made from a corpus; `ROLLCALL_MUTATIONS` says otherwise.
const MUTATIONS: u64 = 2_000;
/// The longest input, in bytes; the fuzzers have the same bound.
const LONGEST: usize = 4_096;
/// An input that takes longer than this is a finding, as it is for the fuzzers.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs an exercise on all that is in the corpus of a target: whatever a fuzzer has found stays mended.
pub(crate) fn replay(target: &str, exercise: fn(&[u8])) {
    let corpus = corpus(target);
    assert!(
        corpus.len() > 15,
        "{target} has {} files only",
        corpus.len()
    );
    for input in corpus {
        exercise(&input);
    }
}

/// Runs an exercise on inputs that are made from the corpus of a target by chance. Which ones, follows from the seed: `ROLLCALL_SEED`, or
/// one that is always the same.
pub(crate) fn mutate(target: &str, exercise: fn(&[u8])) {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seed = number("ROLLCALL_SEED").unwrap_or(1);
    let mutations = number("ROLLCALL_MUTATIONS").unwrap_or(MUTATIONS);
    let corpus = corpus(target);
    let mut chance = Chance(seed);
    for count in 0..mutations {
        let input = made(&corpus, &mut chance);
        let begun = Instant::now();
        let done = catch_unwind(AssertUnwindSafe(|| exercise(&input)));
        let what = match done {
            Ok(()) if begun.elapsed() < PATIENCE => continue,
            Ok(()) => "takes too long",
            // the panic itself was told when it happened
            Err(_) => "fails",
        };
        panic!(
            "{target}: input {count} of seed {seed} {what}: mend it, and put it into fuzz/corpus/{target}:\n{}",
            input.escape_ascii()
        );
    }
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = format!("{}/../../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = files.map(|file| file.path()).collect();
    // the order in a folder is nobody's promise, and what is made depends on it
    paths.sort();
    let read = |path| std::fs::read(path).unwrap_or_default();
    paths.into_iter().map(read).collect()
}

/// Makes an input: one of the corpus, changed in a few places.
fn made(corpus: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut input = chance.one_of(corpus).cloned().unwrap_or_default();
    for _ in 0..=chance.below(4) {
        let at = chance.below(input.len() + 1);
        let end = (at + 1 + chance.below(16)).min(input.len());
        match chance.below(6) {
            // a bit
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << chance.below(8);
                }
            }
            // a byte that means something to somebody
            1 => {
                let marks = b"\0\"\\'()[]{},:;=.*%/@#<>-+ \t\r\n0919azAZ\x7f\x80\xc3\xff";
                let mark = chance.one_of(marks).copied().unwrap_or_default();
                input.insert(at, mark);
            }
            2 => drop(input.drain(at..end)),
            // a part twice
            3 => {
                let part = input.get(at..end).unwrap_or_default().to_vec();
                drop(input.splice(at..at, part));
            }
            // a part of another input, at this place or from here on
            kind => {
                let other = chance.one_of(corpus).cloned().unwrap_or_default();
                let from = chance.below(other.len() + 1);
                let length = chance.below(other.len() - from + 1);
                let part = other.get(from..from + length).unwrap_or_default();
                let until = if kind == 4 { at } else { input.len() };
                drop(input.splice(at..until, part.iter().copied()));
            }
        }
    }
    input.truncate(LONGEST);
    input
}

/// Chance that follows from a seed (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`, which is above 0.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    fn one_of<'l, T>(&mut self, list: &'l [T]) -> Option<&'l T> {
        list.get(self.below(list.len()))
    }
}
