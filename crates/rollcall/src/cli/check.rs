//! `rollcall check`.

use std::path::PathBuf;

use clap::Args;
use rollcall_check::Persona;

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The base of the endpoint, which Entra calls Tenant URL
    #[arg(value_name = "BASE_URL")]
    pub(crate) base: String,
    #[command(flatten)]
    pub(crate) token: CheckToken,
    /// Whose ways are tested besides the RFC's: rfc, entra or okta
    #[arg(long, default_value_t, value_name = "NAME")]
    pub(crate) persona: Persona,
    /// Create, change and delete people and a group of this test's own
    #[arg(long)]
    pub(crate) write: bool,
}

/// Where the token for a check comes from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct CheckToken {
    /// A token that the endpoint takes; others on this machine can see it in the list of processes
    #[arg(long, value_name = "T")]
    pub(crate) token: Option<String>,
    /// Read the token from standard input
    #[arg(long = "token-stdin")]
    pub(crate) stdin: bool,
    /// Read the token from a file
    #[arg(long = "token-file", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Read the token from an environment variable
    #[arg(long = "token-env", value_name = "VAR")]
    pub(crate) env: Option<String>,
}
