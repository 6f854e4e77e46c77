//! Fuzzes `schema`: see `../exercises`.
#![no_main]

#[path = "../exercises/schema.rs"]
mod schema;

libfuzzer_sys::fuzz_target!(|data: &[u8]| schema::schema(data));
