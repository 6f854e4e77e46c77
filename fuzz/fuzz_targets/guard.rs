//! Fuzzes `guard`: see `../exercises`.
#![no_main]

#[path = "../exercises/connect.rs"]
#[allow(dead_code)]
pub(crate) mod connect;

libfuzzer_sys::fuzz_target!(|data: &[u8]| connect::guard(data));
