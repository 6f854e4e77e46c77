//! How long the tests of reliability go on: for seconds in the ordinary run, for minutes in `cargo xtask soak`.

/// Returns how many there are to be: `short`, or so many percent of `long` as `ROLLCALL_SOAK` says.
pub(crate) fn many(short: usize, long: usize) -> usize {
    std::env::var("ROLLCALL_SOAK").map_or(short, |percent| {
        let percent: usize = percent.parse().unwrap();
        (long * percent / 100).max(1)
    })
}

/// Returns the seed of a story: `ROLLCALL_SEED`, if it is set.
pub(crate) fn seed(default: u64) -> u64 {
    std::env::var("ROLLCALL_SEED").map_or(default, |seed| seed.parse().unwrap())
}
