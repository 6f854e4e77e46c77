//! `Cargo.lock`: what the program is built from, to the byte.

use anyhow::Context;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

/// A package of the lock file.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Locked {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Where it comes from, as cargo writes it; absent: it is one of our own.
    pub(crate) source: Option<String>,
    /// The SHA-256 of its archive.
    pub(crate) checksum: Option<String>,
}

/// Reads the file.
pub(crate) fn read(text: &str) -> anyhow::Result<Vec<Locked>> {
    let lock: Lock = toml::from_str(text).context("Cargo.lock")?;
    Ok(lock.package)
}
