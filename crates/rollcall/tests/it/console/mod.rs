//! The console over HTTP, as a browser without scripts sees it.

mod access;
mod api_keys;
pub(crate) mod guest;
pub(crate) mod invitations;
mod letters;
mod mappings;
mod page_times;
mod receiving;
mod sending;
mod sign_in;
