//! Sources and targets over I/O.
//!
//! **Is:** the one client that talks to the outside ([`client`]) under its guard ([`guard`]), a SCIM endpoint as a target
//! ([`target`]), questions for whoever judges the answers itself ([`ask`]), sources that are read again and again ([`sources`]), what was sent and what came of it as [`figures`], and lists of people and groups to import ([`files`]).
//! **Is not:** decisions. What to look up and what to write is asked for by `rollcall-sync`; here it is done, and what came back is
//! put into its words.
//! **Start at** [`target::Target`].

pub mod ask;
pub mod client;
pub mod destinations;
pub mod figures;
pub mod files;
pub mod guard;
pub mod pace;
mod reply;
pub mod sources;
pub mod target;
pub mod webhooks;
