//! Why a use case did not do what it was asked.

use rollcall_model::Region;

/// Why a use case did not do what it was asked. Nothing was changed. Each surface maps it in one place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The request is malformed, or asks for what the schema forbids.
    #[error("{0}")]
    Malformed(rollcall_scim::error::Error),
    /// There is no such object in this organisation.
    #[error("there is no {noun} `{id}`")]
    Missing {
        /// What was looked for.
        noun: &'static str,
        /// The id or name by which it was looked for.
        id: String,
    },
    /// A unique value is in use.
    #[error("`{attribute}` is taken: {hint}")]
    Taken {
        /// The attribute whose value is taken.
        attribute: &'static str,
        /// What can be done about it.
        hint: &'static str,
    },
    /// The object changed since the caller read it.
    #[error("the resource changed since you read it: read it again and repeat the change")]
    Precondition,
    /// The credential is not good; says why, without saying what exists.
    #[error("{reason}")]
    Unauthenticated {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The caller is known and may not do this.
    #[error("{reason}")]
    Forbidden {
        /// Why not.
        reason: String,
    },
    /// Too many attempts were made.
    #[error("too many attempts: try again in {seconds} s")]
    TooMany {
        /// How long to wait, in seconds.
        seconds: u64,
    },
    /// All seats are taken.
    #[error("all {seats} seats of this organisation are taken: disable someone, or add seats")]
    Seats {
        /// How many there are.
        seats: u32,
    },
    /// The trial is over.
    #[error(
        "the trial of this organisation ended on {ended}: people can still be disabled and removed, not added or changed; choose a plan to go on"
    )]
    TrialEnded {
        /// Its last day.
        ended: String,
    },
    /// The organisation lives in another region.
    #[error("this organisation lives in region `{region}`{}", .url.as_ref().map(|url| format!(": use {url}")).unwrap_or_default())]
    OtherRegion {
        /// Its region.
        region: Region,
        /// Where to go, when this installation knows.
        url: Option<String>,
    },
    /// People or groups that were named are not there, or not assigned; every one of them, with what is wrong.
    #[error("{}", .0.join("; "))]
    Principals(Vec<String>),
    /// An application's mappings cannot be used; every mistake in them.
    #[error("{} mistakes in the configuration: {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Configuration(Vec<rollcall_sync::rules::Mistake>),
    /// The store is out of reach; trying again later helps.
    #[error("the store is out of reach")]
    Unavailable(#[source] rollcall_store::Error),
    /// Something is wrong here.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Failure {
    /// Too much is asked for at once; trying again later helps.
    pub fn busy() -> Self {
        Self::Unavailable(rollcall_store::Error::Busy)
    }

    /// Tells whether too much is asked for at once.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Unavailable(rollcall_store::Error::Busy))
    }
}

impl From<rollcall_store::Error> for Failure {
    fn from(error: rollcall_store::Error) -> Self {
        use rollcall_store::Error;
        match error {
            Error::Taken { attribute } => Self::Taken {
                attribute,
                hint: "choose another value",
            },
            Error::Stale => Self::Precondition,
            Error::Unreachable(_) | Error::Busy => Self::Unavailable(error),
            Error::TooLong => Self::Malformed(rollcall_scim::error::Error::new(
                rollcall_scim::error::ErrorKind::TooMany,
                "this listing has to look at too many resources: add a condition that an index answers, such as userName, externalId, id or meta.lastModified",
            )),
            other => Self::Internal(Box::new(other)),
        }
    }
}

impl From<rollcall_scim::error::Error> for Failure {
    fn from(error: rollcall_scim::error::Error) -> Self {
        Self::Malformed(error)
    }
}
