//! What can be typed. The names are promises of the interface.

#![expect(
    clippy::doc_markdown,
    reason = "the comments are help texts, shown as they are"
)]

pub(crate) mod app;
pub(crate) mod check;
mod job;
pub(crate) mod mapping;
pub(crate) mod transfer;
pub(crate) mod webhook;
pub(crate) mod words;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use rollcall_app::history::Moment;
use rollcall_model::chain::Head;
use rollcall_model::retention::Keep;
use rollcall_model::{
    Email, IntegrationKind, KeyId, KeyName, KeyRole, Principal, Region, Slug, TokenId,
};

pub(crate) use job::{Job, JobFile, One};

/// Directory provisioning, both ends: a SCIM 2.0 endpoint that directories push people into, and the service that pushes.
#[derive(Debug, Parser)]
#[command(name = "rollcall", version, arg_required_else_help = true)]
#[command(
    after_help = "Begin with `rollcall demo`. Exit codes: 0 done, 1 the answer is no, 2 wrong call or input, 3 out of reach."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Default, Args)]
pub(crate) struct Common {
    /// Where the data is: sqlite:PATH or postgres://USER@HOST/DATABASE [default: sqlite:rollcall.db] [env: ROLLCALL_STORE]
    #[arg(long, global = true, value_name = "URL", help_heading = "Everywhere")]
    pub(crate) store: Option<String>,
    /// A configuration file (TOML) [env: ROLLCALL_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub(crate) config: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows the main job with nothing to set up: a directory is provisioned into an application, over real HTTP
    #[command(after_help = "Example: rollcall demo --once --users 20000")]
    Demo(Demo),
    /// Runs the SCIM endpoint, the console and the provisioning engine
    #[command(
        after_help = "Example: rollcall serve --listen 0.0.0.0:8080 --public-url https://rollcall.example.com"
    )]
    Serve(Serve),
    /// Organisations
    #[command(
        subcommand,
        after_help = "Example: rollcall org create vault --name Vault"
    )]
    Org(Org),
    /// Administrators of organisations
    #[command(subcommand, after_help = "Example: rollcall admin list --org vault")]
    Admin(Admin),
    /// Provisioning tokens
    #[command(subcommand, after_help = "Example: rollcall token create --org vault")]
    Token(Token),
    /// API keys: with one, a program asks the JSON API (docs/api.md)
    #[command(
        subcommand,
        after_help = "Example: rollcall api-key create --org vault --name 'nightly export'"
    )]
    ApiKey(ApiKey),
    /// Applications: target systems into which an organisation provisions its people and groups
    #[command(
        subcommand,
        after_help = "Example: rollcall app create Vault --org northwind

The way of an application: create, connect, assign, plan, run, and start, so that `rollcall serve` keeps it in step."
    )]
    App(app::AppCommand),
    /// Webhooks: endpoints of other systems that are told what happens to people and groups
    #[command(
        subcommand,
        after_help = "Example: rollcall webhook add siem --org northwind --url https://siem.example.com/in"
    )]
    Webhook(webhook::WebhookCommand),
    /// Brings people and groups in from files: everything, or nothing when a line is wrong
    #[command(
        after_help = "Example: rollcall import --org northwind --users people.csv --groups groups.csv

A CSV file has a header. Its columns are SCIM paths such as name.givenName, or one of email, phone, mobile, givenName, familyName, department, employeeNumber, organization, manager (a userName); of groups displayName and members (userNames or names of groups, separated by semicolons). An export can be imported again as it is."
    )]
    Import(transfer::Import),
    /// Writes people and groups out as JSON lines of SCIM resources, or as CSV
    #[command(
        after_help = "Example: rollcall export --org northwind > northwind.jsonl
         rollcall export --org northwind --csv users > people.csv"
    )]
    Export(transfer::Export),
    /// What people and groups were, what changed, and the way back
    #[command(
        subcommand,
        after_help = "Example: rollcall history diff --org vault --from 2026-11-30T09:00:00Z

A moment is an instant, or a place in the organisation's change feed, as `rollcall history list` shows it."
    )]
    History(HistoryCommand),
    /// The sending end without a server: a file says from where to where people are provisioned
    #[command(
        subcommand,
        after_help = "Example: rollcall job plan people.toml

A job is checked, planned, run for one cycle, or kept running. Its state is in the store. `rollcall job check --help` shows a whole file."
    )]
    Job(Job),
    /// What is kept about one person: all of it, or none of it any more
    #[command(
        subcommand,
        after_help = "Example: rollcall person export --org vault ann@example.com"
    )]
    Person(Person),
    /// The audit log: who did what, each entry chained to the one before
    #[command(
        subcommand,
        after_help = "Example: rollcall audit verify

Whoever can write to the store can also write a log anew. Keep the head of the log elsewhere, now and then, and give it to `audit verify`: then nothing up to there can have been changed or cut off."
    )]
    Audit(Audit),
    /// Grades any SCIM endpoint: asks what a directory would ask, and says what is wrong with the answers and what to do
    #[command(
        after_help = "Example: rollcall check https://app.example.com/scim/v2 --token-file token --persona entra --write

Without --write nothing is changed there. With it three people and a group are created, changed and deleted again; nobody else is touched. Each promise is named with where it is written; the exit code is 1 when one is broken that directories rely on."
    )]
    Check(check::Check),
    /// The language of mappings: try an expression, look a function up
    #[command(subcommand, after_help = "Example: rollcall expression explain Switch")]
    Expression(ExpressionCommand),
    /// The configuration
    #[command(subcommand, after_help = "Example: rollcall config show")]
    Config(Config),
    /// The store as a whole
    #[command(
        subcommand,
        after_help = "Example: rollcall store copy sqlite:rollcall.db env:NEW_STORE"
    )]
    Store(StoreCommand),
    /// Writes everything that is in the store into one file, while servers go on
    #[command(after_help = "Example: rollcall backup rollcall-2027-01-31.backup

The file is what the store is at one instant, and is read again before it is said to be made. It holds people's data and hashes of passwords: keep it where nobody else can read it. The key that opens sealed secrets (key_file) is not in it: keep a copy of the key somewhere else. A backup of one kind of store is restored into either kind.")]
    Backup(Backup),
    /// Makes a store of a backup; nothing is sent to any target before somebody restarts each application
    #[command(
        after_help = "Example: rollcall restore rollcall-2027-01-31.backup --store sqlite:restored.db

The file is checked as a whole before anything is written, and the store is written whole or not at all. Stop every server of the store first. The key that was used when the backup was made has to lie where key_file says; it is not in the backup.

Every application that was on is held: make a plan, and restart it (`app restart`, `job restart`). Its next cycle compares everything, and disables and deletes nobody whom you do not allow to be (`app held`, `app allow`). Sessions, sign-in links and invitations end, and mail that waited is not sent. Tokens and API keys that were revoked since the backup work again: look at them with `rollcall token list` and `rollcall api-key list`."
    )]
    Restore(Restore),
    /// Shows and replaces the keys that seal secrets in the store
    #[command(subcommand, after_help = "Example: rollcall key rotate")]
    Key(KeyCommand),
    /// Brings the store to this version's schema
    #[command(after_help = "Example: rollcall migrate --store sqlite:rollcall.db")]
    Migrate,
    /// Looks for trouble in the store and explains it
    #[command(after_help = "Example: rollcall doctor --store sqlite:rollcall.db")]
    Doctor,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen [default: 127.0.0.1:8080] [env: ROLLCALL_LISTEN]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Show figures for Prometheus at this address, under /metrics; keep it to those who watch [default: nowhere] [env: ROLLCALL_METRICS_LISTEN]
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics_listen: Option<String>,
    /// Send traces to the OpenTelemetry collector at this base URL, such as http://127.0.0.1:4318 [default: nowhere] [env: OTEL_EXPORTER_OTLP_ENDPOINT]
    #[arg(long, value_name = "URL")]
    pub(crate) otlp_endpoint: Option<String>,
    /// The URL under which clients reach this server [default: http:// and the address] [env: ROLLCALL_PUBLIC_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Proxies in front, as addresses or networks with commas in between, whose X-Forwarded-For or Forwarded says where a request comes from [default: none; the headers are ignored] [env: ROLLCALL_TRUSTED_PROXIES]
    #[arg(long, value_name = "CIDR,…")]
    pub(crate) trusted_proxies: Option<String>,
    /// Write mail into this folder, as .eml files. To send it instead, set ROLLCALL_SMTP_URL, such as smtps://USER:PASSWORD@HOST [env: ROLLCALL_MAIL_DIR]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) mail_dir: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// How many people the directory holds, 40 or more
    #[arg(long, default_value_t = 500, value_name = "N")]
    pub(crate) users: usize,
    /// Where the receiving end listens [default: any free port of this machine]
    #[arg(
        long,
        default_value = "127.0.0.1:0",
        value_name = "ADDR",
        hide_default_value = true
    )]
    pub(crate) listen: String,
    /// Exit after the summary; the exit code tells whether both ends agree
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Org {
    /// Creates an organisation
    #[command(
        after_help = "Example: rollcall org create vault --name Vault --seats 250 --trial-until 2027-01-31"
    )]
    Create {
        /// Its name in URLs
        slug: Slug,
        /// Its name for people
        #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
        name: String,
        /// Its region [default: the installation's]
        #[arg(long)]
        region: Option<Region>,
        /// How many active people it may have [default: any number]
        #[arg(long)]
        seats: Option<u32>,
        /// The last day of its trial, UTC [default: a paid account]
        #[arg(long, value_name = "DATE", value_parser = date)]
        trial_until: Option<jiff::civil::Date>,
    },
    /// Lists the organisations
    #[command(after_help = "Example: rollcall org list --json")]
    List,
    /// Shows an organisation
    #[command(after_help = "Example: rollcall org show vault")]
    Show {
        /// Its name in URLs
        slug: Slug,
    },
    /// Changes how long an organisation keeps logs, requests and tombstones; what is older is forgotten by servers, for good
    #[command(
        after_help = "Example: rollcall org set vault --keep-logs 90d --keep-requests 7d --keep-tombstones forever

The audit log and the history of people and groups are kept."
    )]
    Set {
        /// Its name in URLs
        slug: Slug,
        /// How long provisioning logs are kept, such as 90d, or forever [at first: 365d]
        #[arg(long, value_name = "DAYS", required_unless_present_any = ["keep_requests", "keep_tombstones"])]
        keep_logs: Option<Keep>,
        /// How long requests of directories are kept, of the latest 10 000 [at first: 30d]
        #[arg(long, value_name = "DAYS")]
        keep_requests: Option<Keep>,
        /// How long who was deleted gets the same id when they come back [at first: 1095d]
        #[arg(long, value_name = "DAYS")]
        keep_tombstones: Option<Keep>,
    },
    /// Deletes an organisation with everything in it
    #[command(after_help = "Example: rollcall org delete vault --yes")]
    Delete {
        /// Its name in URLs
        slug: Slug,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Adds an administrator; without a password it prints a link that signs in once
    #[command(after_help = "Example: rollcall admin create --org vault --email ann@example.com")]
    Create(AdminAccess),
    /// Lists the administrators
    #[command(after_help = "Example: rollcall admin list --org vault")]
    List {
        /// The organisation, by its name in URLs
        #[arg(long)]
        org: Slug,
    },
    /// Gives an administrator a new password, or a link that signs in once
    #[command(after_help = "Example: rollcall admin reset --org vault --email ann@example.com")]
    Reset(AdminAccess),
}

#[derive(Debug, Args)]
pub(crate) struct AdminAccess {
    /// The organisation, by its name in URLs
    #[arg(long)]
    pub(crate) org: Slug,
    /// The address to sign in with
    #[arg(long)]
    pub(crate) email: Email,
    /// Read a password from standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Creates a provisioning token and prints it, once
    #[command(
        after_help = "Example: rollcall token create --org vault --integration entra --expires 90d"
    )]
    Create {
        /// The organisation, by its name in URLs
        #[arg(long)]
        org: Slug,
        /// The directory at the other end: entra, okta, onelogin, google, jumpcloud, ping or custom
        #[arg(long, default_value = "entra", value_name = "KIND")]
        integration: IntegrationKind,
        /// How long it works, such as 90d or 12h [default: until it is reset or revoked]
        #[arg(long, value_name = "TIME")]
        expires: Option<Lifetime>,
    },
    /// Replaces the token of an integration and prints the new one, once
    #[command(
        after_help = "Example: rollcall token reset --org vault --integration okta --overlap 1h"
    )]
    Reset {
        /// The organisation, by its name in URLs
        #[arg(long)]
        org: Slug,
        /// The directory at the other end
        #[arg(long, default_value = "entra", value_name = "KIND")]
        integration: IntegrationKind,
        /// How long the old token goes on working [default: not at all]
        #[arg(long, value_name = "TIME")]
        overlap: Option<Lifetime>,
    },
    /// Lists the tokens
    #[command(after_help = "Example: rollcall token list --org vault")]
    List {
        /// The organisation, by its name in URLs
        #[arg(long)]
        org: Slug,
    },
    /// Refuses a token from now on
    #[command(
        after_help = "Example: rollcall token revoke --org vault 0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77"
    )]
    Revoke {
        /// The organisation, by its name in URLs
        #[arg(long)]
        org: Slug,
        /// The token's id, as `token list` shows it
        id: TokenId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApiKey {
    /// Makes an API key and prints it, once
    #[command(
        after_help = "Example: rollcall api-key create --org vault --name 'nightly export' --role read --expires 90d"
    )]
    Create {
        /// The organisation that it opens, by its name in URLs
        #[arg(long)]
        org: Slug,
        /// What it is for
        #[arg(long)]
        name: KeyName,
        /// What it may do: read (everything but secrets) or manage (and change people, tokens and applications)
        #[arg(long, default_value = "read", value_name = "ROLE")]
        role: KeyRole,
        /// How long it works, such as 90d or 12h [default: until it is revoked]
        #[arg(long, value_name = "TIME")]
        expires: Option<Lifetime>,
    },
    /// Lists the API keys
    #[command(after_help = "Example: rollcall api-key list --org vault")]
    List {
        /// The organisation, by its name in URLs
        #[arg(long)]
        org: Slug,
    },
    /// Refuses an API key from now on
    #[command(
        after_help = "Example: rollcall api-key revoke --org vault 0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77"
    )]
    Revoke {
        /// The organisation, by its name in URLs
        #[arg(long)]
        org: Slug,
        /// The key's id, as `api-key list` shows it
        id: KeyId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum HistoryCommand {
    /// Lists the changes of a person or a group, the latest first
    #[command(after_help = "Example: rollcall history list --org vault user:adele@example.com")]
    List(OneObject),
    /// Prints a person or a group as it was: a SCIM resource
    #[command(
        after_help = "Example: rollcall history show --org vault user:adele@example.com --at 2026-11-30T09:00:00Z
         rollcall export --org vault --at 2026-11-30T09:00:00Z"
    )]
    Show(ShowPast),
    /// Shows what differs between two moments
    #[command(
        after_help = "Example: rollcall history diff --org vault --from 2026-11-30T09:00:00Z --to 2026-11-30T10:00:00Z"
    )]
    Diff(DiffMoments),
    /// Plans the way back to what was, and goes it when `--yes` is given
    #[command(
        after_help = "Example: rollcall history revert --org vault user:adele@example.com --from 1206
         rollcall history revert --org vault --from 2026-11-30T09:00:00Z --to 2026-11-30T09:20:00Z --by entra --yes

Taking a cycle back: --from is when it began and --to when it ended, as `rollcall app show` tells at the sending end, and --by the kind of the integration that it came through.

Who was changed again since then, or by somebody else meanwhile, is left alone and listed. Who came in that time is switched off; with --delete, deleted. Every step goes through the same rules as any other change, is in the activity log, and can be taken back likewise."
    )]
    Revert(RevertTo),
}

#[derive(Debug, Args)]
pub(crate) struct OneObject {
    /// user:NAME or group:NAME, or either with an id; who was deleted is found too
    #[arg(value_name = "OBJECT")]
    pub(crate) object: Principal,
    /// The organisation, by its name in URLs
    #[arg(long)]
    pub(crate) org: Slug,
}

#[derive(Debug, Args)]
pub(crate) struct ShowPast {
    #[command(flatten)]
    pub(crate) which: OneObject,
    /// When: an instant, or a place in the change feed
    #[arg(long, value_name = "MOMENT")]
    pub(crate) at: Moment,
}

#[derive(Debug, Args)]
pub(crate) struct DiffMoments {
    /// Only this one: user:NAME or group:NAME
    #[arg(value_name = "OBJECT")]
    pub(crate) object: Option<Principal>,
    /// The organisation, by its name in URLs
    #[arg(long)]
    pub(crate) org: Slug,
    /// The earlier moment
    #[arg(long, value_name = "MOMENT")]
    pub(crate) from: Moment,
    /// The later moment [default: now]
    #[arg(long, value_name = "MOMENT")]
    pub(crate) to: Option<Moment>,
    /// Only what was done by this kind of integration (entra, okta, …), by the API key with this id, or by `command`
    #[arg(long, value_name = "WHO")]
    pub(crate) by: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RevertTo {
    #[command(flatten)]
    pub(crate) span: DiffMoments,
    /// Delete who came in that time, instead of switching them off
    #[arg(long)]
    pub(crate) delete: bool,
    /// Do it
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Person {
    /// Prints everything that is kept about a person, as one JSON document
    #[command(
        after_help = "Example: rollcall person export --org vault ann@example.com > ann.json

It holds the account, groups, history, entries of the activity log, requests, links and log of provisioning, invitations and mail that waits. Also of somebody who was deleted, by userName or id."
    )]
    Export(OnePerson),
    /// Erases everything that is kept about a person who was deleted, or whom no directory manages
    #[command(
        after_help = "Example: rollcall person erase --org vault ann@example.com --yes

In the activity log and the change feed the id stays, and nothing else; the log verifies as before. When a directory manages the person, or an application still has an account of theirs, it says what to do first."
    )]
    Erase {
        #[command(flatten)]
        one: OnePerson,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct OnePerson {
    /// The organisation, by its name in URLs
    #[arg(long)]
    pub(crate) org: Slug,
    /// The person, by userName or id
    #[arg(value_name = "USERNAME|ID")]
    pub(crate) person: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Reads the log from its beginning and says which entries were changed, removed, inserted or moved; exit code 1 when any was
    #[command(
        after_help = "Example: rollcall audit verify --org vault --head head-of-january.json"
    )]
    Verify {
        /// The organisation, by its name in URLs [default: all]
        #[arg(long)]
        org: Option<Slug>,
        /// A head that was kept: as HASH@SEQUENCE, or a file that holds what `audit head` printed
        #[arg(long, value_name = "FILE|HASH@SEQUENCE", requires = "org")]
        head: Option<KeptHead>,
    },
    /// Prints the head of the log, to be kept elsewhere: the hash and the place of its last entry, and its time
    #[command(after_help = "Example: rollcall audit head --org vault --json > head.json")]
    Head {
        /// The organisation, by its name in URLs
        #[arg(long)]
        org: Slug,
    },
}

/// A head of a log as it is given: itself, or where it is.
#[derive(Debug, Clone)]
pub(crate) enum KeptHead {
    Here(Head),
    InFile(PathBuf),
}

impl std::str::FromStr for KeptHead {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text
            .parse()
            .map_or_else(|_| Self::InFile(text.into()), Self::Here))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExpressionCommand {
    /// Evaluates an expression and prints the result as one JSON value
    #[command(
        after_help = "Example: rollcall expression eval 'Join(\" \", [givenName], [surname])' --attributes ann.json"
    )]
    Eval(Evaluation),
    /// Lists the functions
    #[command(after_help = "Example: rollcall expression list")]
    List,
    /// Explains a function, with examples
    #[command(after_help = "Example: rollcall expression explain Switch")]
    Explain {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Evaluation {
    /// The expression
    #[arg(required_unless_present = "cases", conflicts_with = "cases")]
    pub(crate) expression: Option<String>,
    /// A JSON object of source attributes; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "cases")]
    pub(crate) attributes: Option<PathBuf>,
    /// The present instant, such as 2026-01-31T09:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) now: Option<jiff::Timestamp>,
    /// A value that exists in the target already; may be repeated
    #[arg(long, value_name = "VALUE")]
    pub(crate) taken: Vec<String>,
    /// JSON lines with `expression`, `attributes`, and where needed `now` and `taken`; prints one result per line
    #[arg(long, value_name = "FILE")]
    pub(crate) cases: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Shows the configuration in force, and where each value comes from
    #[command(after_help = "Example: rollcall config show --config rollcall.toml")]
    Show,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Copies everything from one store to another, of the same kind or not, and compares both
    #[command(
        after_help = "Example: rollcall store copy sqlite:rollcall.db env:NEW_STORE

Stop every server of both stores first. The new store is a new file, or an empty database; it is written whole, or not at all. The old one stays as it is. The key that opens sealed secrets is copied to where the new store looks for it; a file that ROLLCALL_KEY_FILE names serves both.

An address is written as with --store. Other people on the machine see what is typed: put an address with a password into a variable, and type env:NAME."
    )]
    Copy(CopyStore),
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Tells which keys are at hand and how much each of them seals
    #[command(after_help = "Example: rollcall key show --json")]
    Show,
    /// Puts a new key into the key file, before the others: it seals from now on, and nothing is sealed anew yet
    #[command(after_help = "Example: rollcall key add

Where several nodes serve the store: add a key on one, copy the key file to the others, then `rollcall key rotate`.")]
    Add,
    /// Seals everything anew: with the key that comes first in the key file, or with a new one when that is in use
    #[command(after_help = "Example: rollcall key rotate
         rollcall key rotate --data --org acme

Servers may run meanwhile. The old key stays in the key file until `rollcall key prune`: backups made before need it.")]
    Rotate(RotateKey),
    /// Takes keys out of the key file that seal nothing in the store any more
    #[command(after_help = "Example: rollcall key prune

Backups that were made before the last `rollcall key rotate` need the old keys: keep a copy of the file with them.")]
    Prune,
}

#[derive(Debug, Args)]
pub(crate) struct RotateKey {
    /// Replace the keys of organisations too, and seal their secrets anew
    #[arg(long)]
    pub(crate) data: bool,
    /// Of this organisation only [default: all]
    #[arg(long, value_name = "SLUG", requires = "data")]
    pub(crate) org: Option<rollcall_model::Slug>,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Where the backup is to be
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Replace everything that is in the store
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CopyStore {
    /// The store that is copied: sqlite:PATH, postgres://USER@HOST/DATABASE, or env:NAME
    #[arg(value_name = "FROM")]
    pub(crate) from: String,
    /// Where the copy is to be, likewise
    #[arg(value_name = "TO")]
    pub(crate) to: String,
}

fn date(text: &str) -> Result<jiff::civil::Date, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a day: write it as 2027-01-31"))
}

fn instant(text: &str) -> Result<jiff::Timestamp, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not an instant: write it as 2026-01-31T09:00:00Z"))
}

/// A length of time as people type it: `90d`, `12h`, `30m`, `45s`, `2w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime(pub(crate) jiff::SignedDuration);

impl std::str::FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("`{text}` is not a length of time: write 45s, 30m, 12h, 90d or 2w");
        let unit_at = text.len().saturating_sub(1);
        let (number, unit) = text.split_at_checked(unit_at).ok_or_else(refused)?;
        let number: i64 = number.parse().map_err(|_| refused())?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return Err(refused()),
        };
        let seconds = number
            .checked_mul(unit)
            .filter(|seconds| (1..=3_153_600_000).contains(seconds));
        seconds
            .map(|seconds| Self(jiff::SignedDuration::from_secs(seconds)))
            .ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_in_its_help() {
        use clap::CommandFactory;
        fn visit(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                help.contains("Example: rollcall ") || help.contains("Begin with `rollcall demo`"),
                "{path} has no example"
            );
            for inner in command.get_subcommands() {
                visit(inner, &path);
            }
        }
        visit(&Arguments::command(), "");
    }

    #[test]
    fn a_length_of_time_has_a_unit_and_an_end() {
        assert_eq!(
            "90d".parse(),
            Ok(Lifetime(jiff::SignedDuration::from_hours(90 * 24)))
        );
        for bad in [
            "",
            "d",
            "90",
            "90y",
            "-1d",
            "0s",
            "9999999999999999w",
            "1.5h",
            "½d",
        ] {
            assert!(bad.parse::<Lifetime>().is_err(), "{bad}");
        }
    }
}
