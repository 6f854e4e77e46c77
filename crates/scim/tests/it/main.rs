//! The tests of `rollcall-scim` that are not beside the code.

mod hostile;
mod laws;
mod vectors;
