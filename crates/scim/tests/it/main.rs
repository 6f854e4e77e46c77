//! The tests of `rollcall-scim` that are not beside the code.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod hostile;
mod laws;
mod vectors;
