//! The sending end as a whole: an engine on a real store, and a target that misbehaves.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that meets the unexpected fails, and tells what it measured"
)]

mod chance;
mod ends;
mod expected;
mod hurry;
mod model;
mod plans;
mod run;
mod seeds;
mod setting;
mod source;
mod stories;
mod turns;
