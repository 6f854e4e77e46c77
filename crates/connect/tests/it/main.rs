//! Sources and targets against files on a disk, endpoints that answer as a script says, and one that misbehaves on request.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod connection;
mod corpus;
mod dialect;
mod guarded;
mod patience;
mod replies;
mod scripted;
mod sources_csv;
mod sources_graph;
mod sources_json_lines;
mod sources_ldap;
mod sources_scim;
mod sources_support;
mod tls;
