//! Fuzzes `expression`: see `../exercises`.
#![no_main]

#[path = "../exercises/expression.rs"]
mod expression;

libfuzzer_sys::fuzz_target!(|data: &[u8]| expression::expression(data));
