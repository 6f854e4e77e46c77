//! The mapping language of directory provisioning: parse, check, evaluate, explain.
