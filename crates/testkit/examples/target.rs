//! A SCIM target to try provisioning against, which fails as you tell it to.
//!
//! ```text
//! cargo run -p rollcall-testkit --example target -- --listen 127.0.0.1:9090 --token T --seed 7 --behaviour behaviour.toml
//! ```
//!
//! It prints its address, then a line for each request: number, method, path, status, and the fault that was played. The file of the
//! behaviour is described at `rollcall_testkit::Behaviour`; without it, the target is well behaved. Everything is kept in
//! memory and gone when it ends. Rollcall calls it only with `allow_private_targets`.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use rollcall_testkit::{Behaviour, Recorded, Target};

/// A SCIM target that misbehaves on request.
#[derive(Debug, Parser)]
struct Arguments {
    /// The address on which it listens.
    #[arg(long, default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// The bearer token that it asks for; wins over the file's.
    #[arg(long)]
    token: Option<String>,
    /// From what chance is drawn; wins over the file's.
    #[arg(long)]
    seed: Option<u64>,
    /// What it is like and what goes wrong: TOML, or JSON when the name ends in `.json`.
    #[arg(long)]
    behaviour: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut behaviour = match &arguments.behaviour {
        Some(path) => {
            let text = std::fs::read_to_string(path)?;
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                serde_json::from_str(&text)?
            } else {
                toml::from_str(&text)?
            }
        }
        None => Behaviour::default(),
    };
    if let Some(token) = arguments.token {
        behaviour.token = token;
    }
    if let Some(seed) = arguments.seed {
        behaviour.seed = seed;
    }
    let token = behaviour.token.clone();
    let target = Target::listen(arguments.listen, behaviour, Some(Box::new(show)))?;
    println!("Tenant URL    {}", target.url());
    println!("Secret token  {token}");
    loop {
        std::thread::park();
    }
}

fn show(request: &Recorded) {
    let Recorded {
        number,
        method,
        path_and_query,
        ..
    } = request;
    let status = request
        .status
        .map_or("---".to_owned(), |status| status.to_string());
    let fault = request.fault.as_ref().map(|fault| format!("  ({fault:?})"));
    println!(
        "{number:>6}  {status}  {method:<6} {path_and_query}{}",
        fault.unwrap_or_default()
    );
}
