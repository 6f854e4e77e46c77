//! The contract of storage as code: one function for each promise, run against every backend.
