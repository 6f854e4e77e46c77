//! What can be typed after `rollcall app`.
//!
//! **Start at** [`AppCommand`]; mappings, attribute lists and filters are in [`super::mapping`], the words of settings in
//! [`super::words`].

#![expect(
    clippy::doc_markdown,
    reason = "the comments are help texts, shown as they are"
)]

use std::path::PathBuf;

use clap::{Args, Subcommand};
use rollcall_model::provisioning::ResetScope;
use rollcall_model::{Principal, Slug};

use super::mapping::{AttributeCommand, FilterCommand, MappingCommand, SchemaCommand};
use super::words::{
    Interval, KindWord, LeavingWord, NestedWord, Notified, NumberOrDefault, OnOff,
    PercentOrDefault, ScopeWord, YesNo,
};

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// Adds an application with the default mappings, switched off; prints its id
    #[command(
        mut_arg("name", |name| name.help("Its name")),
        after_help = "Example: rollcall app create Vault --org northwind"
    )]
    Create(Which),
    /// Lists the applications
    #[command(after_help = "Example: rollcall app list --org northwind")]
    List {
        /// The organisation, by its name in URLs
        #[arg(long)]
        org: Slug,
    },
    /// Shows an application: how it is set up and how it stands
    #[command(after_help = "Example: rollcall app show Vault --org northwind")]
    Show(Which),
    /// Removes an application; the accounts that it provisioned stay in the target as they are
    #[command(after_help = "Example: rollcall app remove Vault --org northwind --yes")]
    Remove {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Enters the address and the token of the target, and tests the connection
    #[command(
        after_help = "Example: rollcall app connect Vault --org northwind --url https://vault.example.com/scim/v2/northwind --token-file token

The token is never an argument, which others could see in the list of processes. At another address nobody is known: the next cycle looks everybody up."
    )]
    Connect(Connect),
    /// Asks the target whether it is there, filters, and takes the token; tells how it wants to be spoken to
    #[command(after_help = "Example: rollcall app test Vault --org northwind")]
    Test(Which),
    /// Changes settings; what is not named stays
    #[command(
        after_help = "Example: rollcall app set Vault --org northwind --scope all --max-deletions 50 --notify ann@example.com"
    )]
    Set(Box<Set>),
    /// Has `rollcall serve` run its cycles
    #[command(after_help = "Example: rollcall app start Vault --org northwind")]
    Start(Which),
    /// Has no cycles run any more; what was provisioned stays
    #[command(after_help = "Example: rollcall app stop Vault --org northwind")]
    Stop(Which),
    /// Assigns people and groups: all of them, or nobody when one is not there
    #[command(
        after_help = "Example: rollcall app assign Vault --org northwind group:Sales user:adele@example.com"
    )]
    Assign(Principals),
    /// Ends assignments: all of them, or none when one is not there
    #[command(after_help = "Example: rollcall app unassign Vault --org northwind group:Sales")]
    Unassign(Principals),
    /// Lists who is assigned
    #[command(after_help = "Example: rollcall app assignments Vault --org northwind")]
    Assignments(Which),
    /// Mappings: which source attribute becomes which attribute of the target, and how
    #[command(
        subcommand,
        after_help = "Example: rollcall app mapping list Vault --org northwind"
    )]
    Mapping(MappingCommand),
    /// All mappings as one document: the synchronization schema of Microsoft Graph
    #[command(
        subcommand,
        after_help = "Example: rollcall app schema export Vault --org northwind"
    )]
    Schema(SchemaCommand),
    /// The target's attribute list: types and properties
    #[command(
        subcommand,
        after_help = "Example: rollcall app attribute list Vault --org northwind"
    )]
    Attribute(AttributeCommand),
    /// Scoping filters: whom the mapping lets through; without any, everybody
    #[command(
        subcommand,
        after_help = "Example: rollcall app filter add Vault --org northwind --filter Sales --clause 'department EQUALS Sales'"
    )]
    Filter(FilterCommand),
    /// Says what the next cycle would do, worst first; nothing is written. Exit code 1 when the guard would hold it, or objects would fail
    #[command(after_help = "Example: rollcall app plan Vault --org northwind --out plan.json")]
    Plan {
        #[command(flatten)]
        which: Which,
        /// Write the plan to a file, which `app run --plan` carries out
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// How many objects of each decision are shown
        #[arg(long, value_name = "N", default_value_t = crate::provisioning::SHOWN)]
        show: usize,
    },
    /// Runs one cycle. Exit code 1 when objects failed, the guard held it, or the plan does not hold any more
    #[command(after_help = "Example: rollcall app run Vault --org northwind --plan plan.json")]
    Run {
        #[command(flatten)]
        which: Which,
        /// Do exactly what this plan says, or nothing
        #[arg(long, value_name = "FILE")]
        plan: Option<PathBuf>,
    },
    /// Provisions one person or group now, and shows every step
    #[command(
        after_help = "Example: rollcall app provision Vault --org northwind user:adele@example.com"
    )]
    Provision(One),
    /// Says why a person or group is what it is in the target, and what would be done now; nothing is written
    #[command(
        after_help = "Example: rollcall app why Vault --org northwind user:adele@example.com"
    )]
    Why(One),
    /// Lists whom the deletion guard holds back, and the code of the list
    #[command(after_help = "Example: rollcall app held Vault --org northwind")]
    Held(Which),
    /// Lets those go in the next cycle whom the guard holds back: exactly the list of this code
    #[command(after_help = "Example: rollcall app allow Vault --org northwind 3f9c21ab")]
    Allow {
        #[command(flatten)]
        which: Which,
        /// The code, as `app held` shows it
        code: String,
    },
    /// Makes the next cycle an initial one, which compares everything again
    #[command(
        after_help = "Example: rollcall app restart Vault --org northwind --reset Watermark,QuarantineState"
    )]
    Restart {
        #[command(flatten)]
        which: Which,
        /// What is forgotten: Watermark, Escrows, QuarantineState, ConnectorDataStore, Full, ForceDeletes or None, separated by commas [default: Watermark,Escrows,QuarantineState]
        #[arg(long, value_name = "SCOPES")]
        reset: Option<ResetScope>,
    },
    /// Compares both ends object by object. Exit code 1 when they differ
    #[command(after_help = "Example: rollcall app compare Vault --org northwind --repair")]
    Compare {
        #[command(flatten)]
        which: Which,
        /// Repair what differs, and compare again
        #[arg(long)]
        repair: bool,
    },
    /// Shows the provisioning log, latest first
    #[command(
        after_help = "Example: rollcall app log Vault --org northwind --failed --of user:adele@example.com"
    )]
    Log {
        #[command(flatten)]
        which: Which,
        /// How many entries
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        count: u64,
        /// Only failures
        #[arg(long)]
        failed: bool,
        /// Only what was done to this person or group
        #[arg(long, value_name = "PRINCIPAL")]
        of: Option<Principal>,
    },
}

/// An application of an organisation.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The organisation, by its name in URLs
    #[arg(long)]
    pub(crate) org: Slug,
    /// The application's name or id
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct Connect {
    #[command(flatten)]
    pub(crate) which: Which,
    /// The address of its SCIM endpoint, which Entra calls Tenant URL
    #[arg(long)]
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) token: TokenFrom,
    /// Do not test the connection
    #[arg(long)]
    pub(crate) no_test: bool,
}

/// Where the token is read from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TokenFrom {
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

#[derive(Debug, Args)]
pub(crate) struct Principals {
    #[command(flatten)]
    pub(crate) which: Which,
    /// People and groups: user:USERNAME or group:NAME, or either with an id
    #[arg(required = true, value_name = "PRINCIPAL")]
    pub(crate) principals: Vec<Principal>,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Who: user:USERNAME or group:NAME, or either with an id
    pub(crate) principal: Principal,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) changes: Changes,
    /// Of which kind --create, --update and --delete speak [default: both]
    #[arg(long)]
    pub(crate) kind: Option<KindWord>,
}

/// The settings that can be changed.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Changes {
    /// Who is provisioned: everybody, or who is assigned
    #[arg(long)]
    pub(crate) scope: Option<ScopeWord>,
    /// What groups within groups mean: direct members only, kept nested, or flattened
    #[arg(long)]
    pub(crate) nested: Option<NestedWord>,
    /// What becomes of an account whose owner leaves the scope
    #[arg(long)]
    pub(crate) leaving: Option<LeavingWord>,
    /// How many may be switched off or deleted in a day before a cycle stops and asks
    #[arg(long, value_name = "N|default")]
    pub(crate) max_deletions: Option<NumberOrDefault>,
    /// The same as a percentage of the accounts in use; the smaller one of both holds
    #[arg(long, value_name = "N|default")]
    pub(crate) max_deletions_percent: Option<PercentOrDefault>,
    /// How often both ends are compared, in whole hours
    #[arg(long, value_name = "TIME|never")]
    pub(crate) drift_every: Option<Interval>,
    /// Whether what differs then is repaired
    #[arg(long)]
    pub(crate) drift_repair: Option<YesNo>,
    /// Who is told when provisioning fails or stops
    #[arg(long, value_name = "EMAIL|nobody")]
    pub(crate) notify: Option<Notified>,
    /// Whether groups are provisioned
    #[arg(long)]
    pub(crate) groups: Option<OnOff>,
    /// Whether objects may be created in the target; otherwise existing ones are adopted only
    #[arg(long)]
    pub(crate) create: Option<YesNo>,
    /// Whether objects of the target may be changed, which includes switching them off
    #[arg(long)]
    pub(crate) update: Option<YesNo>,
    /// Whether objects of the target may be deleted
    #[arg(long)]
    pub(crate) delete: Option<YesNo>,
}
