//! Sources and targets over I/O.
//!
//! **Start at** [`files`] for lists of people and groups in files.

pub mod files;
