//! `rollcall job`: what can be typed.

#![expect(
    clippy::doc_markdown,
    reason = "the comments are help texts, shown as they are"
)]

use std::path::PathBuf;

use clap::{Args, Subcommand};
use rollcall_model::application::Principal;
use rollcall_model::provisioning::ResetScope;

/// What a whole job file looks like.
const FILE: &str = "Example: rollcall job check people.toml

A job file:

  [source]
  kind = \"csv\"                    # csv, jsonl, ldap, graph, scim or directory
  users = \"people.csv\"            # with a header: Entra's column names, SCIM paths, or your own
  groups = \"groups.csv\"
  # kind = \"ldap\":      url = \"ldaps://ldap.example.com\", base = \"dc=example,dc=com\",
  #                      bind = \"cn=reader,dc=example,dc=com\", password = { env = \"LDAP_PASSWORD\" }
  # kind = \"graph\":     tenant = \"contoso.onmicrosoft.com\", client_id = \"…\", client_secret = { env = \"GRAPH_SECRET\" }
  # kind = \"scim\":      url = \"https://hr.example.com/scim/v2\", token = { env = \"HR_TOKEN\" }
  # kind = \"directory\": org = \"northwind\"

  [target]
  url = \"https://app.example.com/scim/v2\"
  token = { env = \"TARGET_TOKEN\" }     # or { file = \"token.txt\" }

  [mapping]
  schema = \"schema.json\"          # as Microsoft Graph exports it; the default mappings when absent

  [scope]
  assigned = [\"group:Sales\", \"user:adele@example.com\"]   # everybody when absent
  nested_groups = \"direct\"        # direct, keep or flatten

  [safety]
  max_deletions = 50              # within a day; a tenth of all, and ten at least, when absent
  max_deletions_percent = 10
  leaving = \"disable\"             # who left the scope or the source: disable, delete or unlink
  accept_empty = false            # whether a source that has nobody any more is believed

  [drift]
  every = \"24h\"                   # compare both ends
  repair = true

  [watch]
  every = \"10m\"                   # how often the source is read";

#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// Checks a job file and everything that it names: all mistakes at once
    #[command(after_help = FILE)]
    Check {
        #[command(flatten)]
        file: JobFile,
        /// Do not call the source and the target
        #[arg(long)]
        offline: bool,
    },
    /// Shows what the next cycle would do; nothing is written to the target
    #[command(after_help = "Example: rollcall job plan people.toml --out plan.json")]
    Plan {
        #[command(flatten)]
        file: JobFile,
        /// Write the plan to a file, which `job run --plan` carries out exactly
        #[arg(long, value_name = "PLAN")]
        out: Option<PathBuf>,
        /// How many objects of each kind are shown
        #[arg(long, default_value_t = 10, value_name = "N")]
        show: usize,
    },
    /// Runs one cycle
    #[command(after_help = "Example: rollcall job run people.toml --plan plan.json")]
    Run {
        #[command(flatten)]
        file: JobFile,
        /// Do what this plan says, or nothing when anything has moved since
        #[arg(long, value_name = "PLAN")]
        plan: Option<PathBuf>,
    },
    /// Keeps both ends in step until it is stopped
    #[command(after_help = "Example: rollcall job watch people.toml")]
    Watch(JobFile),
    /// Shows the state of a job: the last cycle, what waits, what is held
    #[command(after_help = "Example: rollcall job status people.toml --json")]
    Status(JobFile),
    /// Lists whom the deletion guard holds back
    #[command(after_help = "Example: rollcall job held people.toml")]
    Held(JobFile),
    /// Lets exactly the list go that `job held` showed
    #[command(after_help = "Example: rollcall job allow people.toml 4f2a91c07be3")]
    Allow {
        #[command(flatten)]
        file: JobFile,
        /// The code of the list
        code: String,
    },
    /// Provisions one person or group now, and shows every step
    #[command(after_help = "Example: rollcall job provision people.toml user:adele@example.com")]
    Provision(One),
    /// Explains how a person or group stands, and what would be done now
    #[command(after_help = "Example: rollcall job why people.toml user:adele@example.com")]
    Why(One),
    /// Compares both ends object by object
    #[command(after_help = "Example: rollcall job compare people.toml --repair")]
    Compare {
        #[command(flatten)]
        file: JobFile,
        /// Mend what differs
        #[arg(long)]
        repair: bool,
    },
    /// Makes the next cycle compare everything again
    #[command(after_help = "Example: rollcall job restart people.toml --reset Watermark,Escrows")]
    Restart {
        #[command(flatten)]
        file: JobFile,
        /// What is forgotten: Watermark, Escrows, QuarantineState, ConnectorDataStore, Full, ForceDeletes
        #[arg(
            long,
            value_name = "SCOPES",
            default_value = "Watermark,Escrows,QuarantineState"
        )]
        reset: ResetScope,
    },
    /// Forgets a job; the accounts that it provisioned stay in the target as they are
    #[command(after_help = "Example: rollcall job forget people.toml --yes")]
    Forget {
        #[command(flatten)]
        file: JobFile,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct JobFile {
    /// The job file
    #[arg(value_name = "FILE")]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    #[command(flatten)]
    pub(crate) file: JobFile,
    /// user:NAME or group:NAME
    pub(crate) principal: Principal,
}
