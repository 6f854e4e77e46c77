//! What can be typed after `rollcall app mapping`, `app attribute` and `app filter`.

use clap::{Args, Subcommand};
use rollcall_model::mapping::Clause;

use super::app::Which;
use super::words::{
    ApplyWord, KindWord, MutabilityWord, NullsWord, PrecedenceOrNone, TypeWord, YesNo, clause,
};

#[derive(Debug, Subcommand)]
pub(crate) enum MappingCommand {
    /// Lists the mappings
    #[command(after_help = "Example: rollcall app mapping list Vault --org northwind --kind group")]
    List(Kinds),
    /// Says what fills an attribute of the target; what is not named stays
    #[command(
        after_help = "Example: rollcall app mapping set Vault --org northwind userName --expression 'ToLower([userPrincipalName])' --matching 1"
    )]
    Set(Box<SetMapping>),
    /// Has nothing fill an attribute of the target any more
    #[command(after_help = "Example: rollcall app mapping remove Vault --org northwind title")]
    Remove(OfMapping),
    /// Brings back the mappings of a new application: attributes, attribute list, actions, and no scoping filters
    #[command(after_help = "Example: rollcall app mapping reset Vault --org northwind --kind user")]
    Reset(Kinds),
}

/// An application, and of which kind of object it is asked.
#[derive(Debug, Args)]
pub(crate) struct Kinds {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Only people, or only groups [default: both]
    #[arg(long)]
    pub(crate) kind: Option<KindWord>,
}

/// An attribute of the target.
#[derive(Debug, Args)]
pub(crate) struct OfMapping {
    #[command(flatten)]
    pub(crate) which: Which,
    /// The target's attribute, as a SCIM path
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// Of people or of groups
    #[arg(long, default_value = "user")]
    pub(crate) kind: KindWord,
}

#[derive(Debug, Args)]
pub(crate) struct SetMapping {
    #[command(flatten)]
    pub(crate) of: OfMapping,
    #[command(flatten)]
    pub(crate) source: SourceWords,
    /// What a new object gets when the source has no value
    #[arg(long, value_name = "TEXT", conflicts_with = "no_default")]
    pub(crate) default: Option<String>,
    /// A new object gets nothing when the source has no value
    #[arg(long)]
    pub(crate) no_default: bool,
    /// Look objects up by this attribute, in this order of precedence, from 1; none: do not
    #[arg(long, value_name = "N|none")]
    pub(crate) matching: Option<PrecedenceOrNone>,
    /// Whenever an object changes, when it is created, or always but only adding
    #[arg(long)]
    pub(crate) apply: Option<ApplyWord>,
    /// What the target does with its value when the source has none
    #[arg(long)]
    pub(crate) nulls: Option<NullsWord>,
}

/// Where the value comes from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct SourceWords {
    /// Copy this attribute of the source
    #[arg(long, value_name = "SOURCE")]
    pub(crate) direct: Option<String>,
    /// Evaluate this expression
    #[arg(long, value_name = "EXPR")]
    pub(crate) expression: Option<String>,
    /// Always this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) constant: Option<String>,
    /// From nowhere: only the default, for new objects
    #[arg(long)]
    pub(crate) none: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SchemaCommand {
    /// Prints the mappings as a synchronization schema of Microsoft Graph
    #[command(
        after_help = "Example: rollcall app schema export Vault --org northwind > schema.json"
    )]
    Export(Which),
    /// Takes the mappings over from a synchronization schema, as Graph or another application exports it
    #[command(after_help = "Example: rollcall app schema import Vault --org northwind schema.json")]
    Import {
        #[command(flatten)]
        which: Which,
        /// The document (JSON)
        file: std::path::PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AttributeCommand {
    /// Lists the attributes of the target
    #[command(
        after_help = "Example: rollcall app attribute list Vault --org northwind --kind user"
    )]
    List(Kinds),
    /// Adds an attribute, or changes its properties; what is not named stays
    #[command(
        after_help = "Example: rollcall app attribute set Vault --org northwind nickName --exact-case yes"
    )]
    Set(Box<SetAttribute>),
    /// Takes an attribute out of the list
    #[command(after_help = "Example: rollcall app attribute remove Vault --org northwind nickName")]
    Remove(OfAttribute),
}

/// An attribute of the list.
#[derive(Debug, Args)]
pub(crate) struct OfAttribute {
    #[command(flatten)]
    pub(crate) which: Which,
    /// The attribute, as a SCIM path
    #[arg(value_name = "ATTRIBUTE")]
    pub(crate) attribute: String,
    /// Of people or of groups
    #[arg(long, default_value = "user")]
    pub(crate) kind: KindWord,
}

#[derive(Debug, Args)]
pub(crate) struct SetAttribute {
    #[command(flatten)]
    pub(crate) of: OfAttribute,
    /// The type of its values
    #[arg(long = "type")]
    pub(crate) value_type: Option<TypeWord>,
    /// Whether it is the resource's key
    #[arg(long)]
    pub(crate) primary_key: Option<YesNo>,
    /// Whether the target demands it
    #[arg(long)]
    pub(crate) required: Option<YesNo>,
    /// Whether it has many values
    #[arg(long)]
    pub(crate) multi_valued: Option<YesNo>,
    /// Whether a difference in case alone is a change
    #[arg(long)]
    pub(crate) exact_case: Option<YesNo>,
    /// Whether it can be read and written
    #[arg(long)]
    pub(crate) mutability: Option<MutabilityWord>,
    /// An expression of the target's own interface, kept for round trips; empty: none
    #[arg(long, value_name = "TEXT")]
    pub(crate) api_expression: Option<String>,
    /// The object types that a reference may point to, separated by commas; empty: none
    #[arg(long, value_name = "TYPES")]
    pub(crate) references: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FilterCommand {
    /// Lists the scoping filters
    #[command(after_help = "Example: rollcall app filter list Vault --org northwind")]
    List(Kinds),
    /// Adds a scoping filter: all its clauses have to be true, and one filter of several is enough
    #[command(
        after_help = "Example: rollcall app filter add Vault --org northwind --filter Sales --clause 'department EQUALS Sales' --clause 'country IS NOT NULL'"
    )]
    Add {
        #[command(flatten)]
        of: OfFilter,
        /// A condition: ATTRIBUTE OPERATOR VALUE; may be repeated
        #[arg(long = "clause", required = true, value_name = "CLAUSE", value_parser = clause)]
        clauses: Vec<Clause>,
    },
    /// Takes a scoping filter out
    #[command(
        after_help = "Example: rollcall app filter remove Vault --org northwind --filter Sales"
    )]
    Remove(OfFilter),
}

/// A scoping filter.
#[derive(Debug, Args)]
pub(crate) struct OfFilter {
    #[command(flatten)]
    pub(crate) which: Which,
    /// The filter's name
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) filter: String,
    /// Of people or of groups
    #[arg(long, default_value = "user")]
    pub(crate) kind: KindWord,
}
