//! `rollcall import` and `rollcall export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rollcall_app::history::Moment;
use rollcall_model::Slug;

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The organisation, by its name in URLs
    #[arg(long)]
    pub(crate) org: Slug,
    /// People: CSV with a header, or JSON lines of SCIM resources
    #[arg(long, value_name = "FILE")]
    pub(crate) users: PathBuf,
    /// Groups: likewise
    #[arg(long, value_name = "FILE")]
    pub(crate) groups: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The organisation, by its name in URLs
    #[arg(long)]
    pub(crate) org: Slug,
    /// As it was at this moment: an instant, or a place in the change feed [default: as it is]
    #[arg(long, value_name = "MOMENT")]
    pub(crate) at: Option<Moment>,
    /// As CSV: of `users`, or of `groups`; what does not fit into a table is left out
    #[arg(long, value_name = "WHAT")]
    pub(crate) csv: Option<Tabled>,
}

/// What is written as a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tabled {
    /// People, in the columns that an import knows.
    Users,
    /// Groups, with the ids of their members.
    Groups,
}
