//! Decides what a provisioning cycle does.
//!
//! **Is:** the rules of an application compiled ([`rules`]), what the target should hold of an object ([`wish`]), the steps by
//! which one object gets there ([`task`]), and what comes of many ([`plan`], [`guard`]); what the mappings make of one object
//! ([`explain`]); mappings as a document of Microsoft Graph ([`schema`]). Plain data in, decisions out.
//! **Is not:** a client or a store: nothing here waits, reads a clock or draws a random number. The engine asks a [`task::Task`]
//! for its next step, takes it, and tells what came back; a plan asks the same questions and stops before the first write.
//! **Start at** [`task::Task`].

mod comparison;
pub mod digest;
pub mod edit;
mod entitlement;
mod exchange;
pub mod explain;
pub mod guard;
pub mod plan;
pub mod record;
pub mod request;
pub mod rules;
pub mod schema;
pub mod scope;
pub mod source;
pub mod target_path;
pub mod task;
pub mod wish;
