//! What storage can answer beside a result.

/// Why storage did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A unique value is in use by another object; `attribute` says which (`userName`, `displayName`, `slug`, `email`).
    #[error("`{attribute}` is taken")]
    Taken {
        /// The attribute whose value is taken.
        attribute: &'static str,
    },
    /// The object changed since it was read.
    #[error("the object changed since it was read")]
    Stale,
    /// The object is not there.
    #[error("there is no such object")]
    Missing,
    /// The text names no store.
    #[error("`{0}` names no store: use `sqlite:PATH` or `postgres://USER@HOST/DATABASE`")]
    Location(String),
    /// The address of a PostgreSQL database is wrong. Says why without repeating it, for it may hold a password.
    #[error("the address of the PostgreSQL database is wrong: {0}")]
    Address(String),
    /// The store was written by a later version.
    #[error(
        "the store has schema version {found}, this version of rollcall knows {known}: use a later rollcall"
    )]
    Newer {
        /// The version in the store.
        found: u32,
        /// The latest version known here.
        known: u32,
    },
    /// The file is a backup: a store is made of it by a restore.
    #[error("`{0}` is a backup, and no store: `rollcall restore` makes one of it")]
    Backup(String),
    /// Another server runs on this store.
    #[error(
        "another rollcall server runs on `{0}`: stop it first, or give this one a store of its own"
    )]
    Occupied(String),
    /// The store does not answer: the disk is full or failing, the file cannot be opened, the database cannot be reached. Nothing was
    /// changed, unless a connection to PostgreSQL broke during a commit: whether that was carried out is not known.
    #[error("the store is out of reach")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Too much is waiting for the store already; trying again later helps. Nothing was changed.
    #[error("the store has too much to do")]
    Busy,
    /// The listing looks at more objects than can be looked at in one go.
    #[error("the listing takes too long")]
    TooLong,
    /// The store answered something that it must not.
    #[error("the store failed")]
    Backend(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A unit of work ended without a result: it panicked, or the store was closed under it. Nothing was changed.
    #[error("the unit of work was abandoned")]
    Abandoned,
}

impl Error {
    pub(crate) fn backend(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Backend(source.into())
    }
}
