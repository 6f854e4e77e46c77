//! Fuzzes `cursor`: see `../exercises`.
#![no_main]

#[path = "../exercises/endpoint.rs"]
mod endpoint;

libfuzzer_sys::fuzz_target!(|data: &[u8]| endpoint::cursor(data));
