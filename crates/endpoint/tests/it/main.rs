//! The endpoint's own tests; whole stories over HTTP are those of the binary.

mod corpus;
