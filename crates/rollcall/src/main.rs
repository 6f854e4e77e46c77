//! The `rollcall` binary: arguments in, use cases called, results printed.
//!
//! **Start at** [`cli`] for what can be typed, [`config`] for where settings come from, [`commands`] for what is done.

mod bar;
mod cli;
mod commands;
mod config;
mod confinement;
mod demo;
mod figures;
mod key;
mod outcome;
#[cfg(test)]
mod packaging;
mod printer;
mod provisioning;
mod runtime;
mod spelling;
mod traces;

use std::process::ExitCode;

use clap::Parser;

/// Small allocations of many documents: mimalloc keeps them compact and is faster than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    confinement::begin();
    let arguments = cli::Arguments::parse();
    match commands::run(arguments) {
        Ok(exit) => exit.into(),
        Err(error) => outcome::report(&error),
    }
}
