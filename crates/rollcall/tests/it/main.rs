//! The binary as its users meet it: commands, the SCIM endpoint over HTTP, whole stories.
//!
//! Every test starts its own server on its own store, on a free port.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod access;
mod api;
mod applications;
mod audit;
mod backups;
mod browser;
mod capture;
mod chance;
mod check;
mod commands;
mod console;
mod copying;
mod cycles;
mod deactivation;
mod demo;
mod differential;
mod discovery;
mod ends;
mod fairness;
mod faults;
mod history;
mod hostile;
mod isolation;
mod jobs;
mod killed;
mod lifecycle;
mod listings;
mod nodes;
mod okta;
mod privacy;
mod recording;
mod soak;
mod store;
mod support;
mod transfer;
mod vectors;
mod watched;
mod webhooks;
