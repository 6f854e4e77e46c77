//! The decisions of provisioning against a target in memory: what single steps lead to, and what holds whatever happens.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod documents;
mod edits;
mod laws;
mod mappings;
mod schema;
mod stories;
mod target;
