//! The chores of this repository.
//!
//! `cargo xtask test` runs every test, `cargo xtask test --quick` those of the inner loop, `cargo xtask tidy` the checks of the
//! repository itself, `cargo xtask bench` the benchmarks, `cargo xtask fuzz 60` the fuzz targets, `cargo xtask soak` the long forms of the
//! tests of reliability; `cargo xtask screens` takes the pictures of the documentation, `cargo xtask sbom` lists what the program is built from. What a step needs and is missing is installed with apt or cargo where
//! that is allowed; otherwise the step fails and names it. Nothing is skipped in silence.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal"
)]

mod bill;
mod conformance;
mod metadata;
mod need;
mod soak;
mod steps;
mod supply;
mod tidy;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["test"] => steps::run(steps::ALL),
        ["test", "--quick"] => steps::run(steps::QUICK),
        ["test", "--step", names @ ..] if !names.is_empty() => steps::run_named(names),
        ["tidy"] => tidy::check(),
        ["bench", "pages", people] => steps::bench_pages(people),
        ["bench", arguments @ ..] => steps::bench(arguments),
        ["fuzz", seconds] => steps::fuzz(seconds),
        ["soak"] => soak::run("100"),
        ["soak", percent] => soak::run(percent),
        ["screens"] => steps::screens(),
        ["sbom"] => bill::write(None),
        ["sbom", file] => bill::write(Some(file)),
        _ => {
            eprintln!(
                "usage: cargo xtask test [--quick | --step NAME…] | tidy | bench [--help | NAME… | pages PEOPLE] | fuzz SECONDS | soak [PERCENT] | screens | sbom [FILE]\n"
            );
            eprintln!("steps of test: {}", steps::names().join(", "));
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
