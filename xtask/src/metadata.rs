//! What cargo says of the workspace and of all that it is built from.

use anyhow::{Context, bail};
use serde_json::Value;

use crate::steps::cargo_command;

/// Returns the name of the platform that this machine builds for.
pub(crate) fn host() -> anyhow::Result<String> {
    let rustc = std::process::Command::new("rustc").arg("-vV").output();
    let rustc = String::from_utf8(rustc.context("rustc")?.stdout)?;
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc names no host")
}

/// Returns what is built for this machine.
pub(crate) fn of_host() -> anyhow::Result<Value> {
    read(&["--filter-platform", &host()?])
}

/// Returns what is built for any machine, downloading what is missing here; where that is not to be had, what is built for this one.
pub(crate) fn of_all() -> anyhow::Result<Value> {
    read(&["--offline"])
        .or_else(|_| read(&[]))
        .or_else(|_| read(&["--offline", "--filter-platform", &host()?]))
}

fn read(arguments: &[&str]) -> anyhow::Result<Value> {
    let always = ["metadata", "--format-version", "1", "--locked"];
    let output = cargo_command(&[&always, arguments].concat()).output();
    let output = output.context("cargo metadata")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("cargo metadata: {said}");
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
