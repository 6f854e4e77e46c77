//! Fuzzes `resource`: see `../exercises`.
#![no_main]

#[path = "../exercises/scim.rs"]
#[allow(dead_code)]
pub(crate) mod scim;

libfuzzer_sys::fuzz_target!(|data: &[u8]| scim::resource(data));
