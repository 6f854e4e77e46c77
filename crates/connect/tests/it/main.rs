//! Sources and targets against files on a disk and endpoints on a port.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod sources_csv;
mod sources_json_lines;
mod sources_scim;
mod sources_support;
