//! The target as its clients meet it: correct when it is calm, and wrong in exactly the way that was asked for.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod dialects;
mod faults;
mod standard;
mod support;
