//! The client against endpoints that answer as a script says.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod connection;
mod dialect;
mod patience;
mod replies;
mod scripted;
mod tls;
