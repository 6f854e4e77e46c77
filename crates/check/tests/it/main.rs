//! Exams of endpoints that get something wrong, each in a way of its own.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod busy;
mod conforming;
mod endpoint;
mod groups;
mod interrupted;
mod left_behind;
mod passwords;
mod silent;
