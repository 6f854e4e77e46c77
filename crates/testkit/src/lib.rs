//! A SCIM target that misbehaves on request, for tests and for trials at the desk.
//!
//! **Is:** a real HTTP server with people and groups in memory, which speaks SCIM 2.0 correctly until its [`Behaviour`] says
//! otherwise, and afterwards tells what was asked of it and what it did. The same seed plays the same faults.
//! **Is not:** our endpoint or our store: it shares nothing with them but the values of `rollcall-scim`, so that a mistake of
//! one cannot hide a mistake of the other. Nothing that ships depends on it.
//! **Start at** [`Target::start`]; what can go wrong is listed at [`Fault`], what a server may be like at [`Dialect`].
//!
//! ```
//! use rollcall_testkit::{Behaviour, Fault, Target, When};
//!
//! let behaviour = Behaviour::default().with_seed(7).with_fault(Fault::ResetAfterCommit, When::First(1));
//! let target = Target::start(behaviour);
//! assert!(target.url().ends_with("/scim/v2"));
//! assert!(target.requests().is_empty());
//! ```

mod behaviour;
mod chance;
mod directory;
pub mod ldap;
mod pages;
pub mod postgres;
mod protocol;
mod request;
mod server;
mod target;
mod view;

pub use behaviour::{Behaviour, Dialect, Fault, Play, TOKEN, When};
pub use directory::State;
pub use target::{Observer, Recorded, Target};
