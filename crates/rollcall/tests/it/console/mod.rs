//! The console over HTTP, as a browser without scripts sees it.

mod access;
mod api_keys;
mod back;
pub(crate) mod guest;
pub(crate) mod invitations;
mod keeping;
mod letters;
mod mappings;
mod page_times;
mod receiving;
mod sending;
mod sign_in;
mod webhooks;
