//! What can be typed after `rollcall webhook`.

use std::collections::BTreeSet;
use std::str::FromStr;

use clap::{Args, Subcommand};
use rollcall_model::Slug;
use rollcall_model::event::NoEventType;
use rollcall_model::webhook::Wanted;

#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Lists the endpoints and how deliveries go
    #[command(after_help = "Example: rollcall webhook list --org northwind")]
    List {
        /// The organisation, by its name in URLs
        #[arg(long)]
        org: Slug,
    },
    /// Adds an endpoint, which is told what happens from now on; prints its secret, once
    #[command(
        mut_arg("name", |name| name.help("What it is called")),
        after_help = "Example: rollcall webhook add siem --org northwind --url https://siem.example.com/in --events user.created,user.disabled,user.deleted

Every request is signed with the secret; docs/webhooks.md shows how to check that."
    )]
    Add(Add),
    /// Changes an endpoint; what is not named stays. At another address it gets another secret, which is printed, once
    #[command(
        after_help = "Example: rollcall webhook set siem --org northwind --events all --resume"
    )]
    Set(Box<Set>),
    /// Makes a new secret and prints it, once; the old one signs as well for another day
    #[command(after_help = "Example: rollcall webhook rotate siem --org northwind")]
    Rotate {
        #[command(flatten)]
        which: Which,
        /// The old secret ends at once
        #[arg(long)]
        now: bool,
    },
    /// Sends a test event, once, and says what came of it
    #[command(after_help = "Example: rollcall webhook test siem --org northwind")]
    Test(Which),
    /// Shows the latest deliveries
    #[command(after_help = "Example: rollcall webhook deliveries siem --org northwind --count 50")]
    Deliveries {
        #[command(flatten)]
        which: Which,
        /// How many
        #[arg(long, default_value_t = 20, value_name = "N")]
        count: u64,
    },
    /// Has a delivery sent at once, also one that was given up or delivered before
    #[command(after_help = "Example: rollcall webhook resend siem --org northwind 17")]
    Resend {
        #[command(flatten)]
        which: Which,
        /// The number of the delivery, as `webhook deliveries` shows it
        number: u64,
    },
    /// Removes an endpoint, with what waits for it
    #[command(after_help = "Example: rollcall webhook remove siem --org northwind --yes")]
    Remove {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Which endpoint is meant.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Its name, or its id
    pub(crate) name: String,
    /// The organisation, by its name in URLs
    #[arg(long)]
    pub(crate) org: Slug,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Its address
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,
    /// What it is told: types of events with commas in between, or all
    #[arg(long, default_value = "all", value_name = "TYPES")]
    pub(crate) events: EventsWord,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Another name
    #[arg(long, value_name = "NAME")]
    pub(crate) rename: Option<String>,
    /// Another address, and with it another secret
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// What it is told: types of events with commas in between, or all
    #[arg(long, value_name = "TYPES")]
    pub(crate) events: Option<EventsWord>,
    /// Tell it nothing any more; what happens meanwhile is kept
    #[arg(long, conflicts_with = "resume")]
    pub(crate) pause: bool,
    /// Tell it what happens again, and what happened meanwhile
    #[arg(long)]
    pub(crate) resume: bool,
    /// With --resume: leave out what waits, and what happened while it was paused
    #[arg(long, requires = "resume")]
    pub(crate) leave_out: bool,
}

/// Which events are wanted.
#[derive(Debug, Clone)]
pub(crate) struct EventsWord(pub(crate) Wanted);

impl FromStr for EventsWord {
    type Err = NoEventType;

    fn from_str(text: &str) -> Result<Self, NoEventType> {
        if text.trim() == "all" {
            return Ok(Self(Wanted::All));
        }
        let types = text.split(',').map(|part| part.trim().parse());
        let types: Result<BTreeSet<_>, _> = types.collect();
        Ok(Self(Wanted::Only(types?)))
    }
}
