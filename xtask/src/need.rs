//! What steps need beside Rust: installed where that is allowed, named where it is not.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::steps::{cargo, command_ok};

/// Makes sure that `cargo nextest` is there.
pub(crate) fn nextest() -> anyhow::Result<()> {
    cargo_command("nextest")
}

/// Makes sure that cargo has a command, such as `fuzz` of the crate `cargo-fuzz`.
pub(crate) fn cargo_command(name: &str) -> anyhow::Result<()> {
    if answers(Command::new("cargo").args([name, "--version"])) {
        return Ok(());
    }
    let package = format!("cargo-{name}");
    cargo(&["install", "--locked", &package])
        .with_context(|| format!("{package} is missing and could not be installed"))
}

/// Makes sure that a program of a Debian package is there.
pub(crate) fn program(program: &str, package: &str) -> anyhow::Result<()> {
    if answers(Command::new(program).arg("--version")) {
        return Ok(());
    }
    apt(package).with_context(|| {
        format!("`{program}` is missing: install the Debian package `{package}`")
    })?;
    if answers(Command::new(program).arg("--version")) {
        return Ok(());
    }
    bail!("`{program}` is still missing after the Debian package `{package}` was installed")
}

/// Makes sure that Python can make virtual environments.
pub(crate) fn python_venv() -> anyhow::Result<()> {
    program("python3", "python3")?;
    if answers(Command::new("python3").args(["-c", "import venv, ensurepip"])) {
        return Ok(());
    }
    apt("python3-venv").context(
        "Python cannot make virtual environments: install the Debian package `python3-venv`",
    )
}

/// Makes sure that a PostgreSQL server can be started. Debian keeps its programs out of the path.
pub(crate) fn postgresql() -> anyhow::Result<()> {
    let is_there = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten();
        let mut programs = versions
            .flatten()
            .map(|version| version.path().join("bin/initdb"));
        programs.any(|initdb| initdb.exists()) || answers(Command::new("initdb").arg("--version"))
    };
    if is_there() {
        return Ok(());
    }
    apt("postgresql")
        .context("there is no PostgreSQL server: install the Debian package `postgresql`")?;
    if is_there() {
        return Ok(());
    }
    bail!("there is still no PostgreSQL server after the Debian package `postgresql` was installed")
}

/// Makes sure that an OpenLDAP server can be started. Debian keeps it out of the path of ordinary users.
pub(crate) fn openldap() -> anyhow::Result<()> {
    let is_there = || Path::new("/usr/sbin/slapd").exists();
    if is_there() {
        return Ok(());
    }
    apt("slapd").context("there is no OpenLDAP server: install the Debian package `slapd`")?;
    if is_there() {
        return Ok(());
    }
    bail!("there is still no OpenLDAP server after the Debian package `slapd` was installed")
}

fn apt(package: &str) -> anyhow::Result<()> {
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("there is no apt-get here");
    }
    println!("installing {package} with apt");
    let quiet = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null());
        command_ok(&mut command)
    };
    quiet(&["update", "--quiet"])?;
    quiet(&[
        "install",
        "--yes",
        "--quiet",
        "--no-install-recommends",
        package,
    ])
}

/// Tells whether a command does what it is asked.
pub(crate) fn answers(command: &mut Command) -> bool {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
