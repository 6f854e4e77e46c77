//! What a target is like, and what goes wrong with it; written in code, or in TOML or JSON.
//!
//! ```toml
//! seed = 7
//!
//! [dialect]
//! page_size = 100
//! no_patch = true
//!
//! [[faults]]
//! fault = "reset-after-commit"
//! when = { per-mille = 20 }
//! methods = ["POST"]
//!
//! [[faults]]
//! fault = { too-many-requests = { retry_after = 1 } }
//! when = { every-nth = 50 }
//! ```

use serde::{Deserialize, Serialize};

/// The bearer token that a target asks for unless its behaviour names another.
pub const TOKEN: &str = "testkit-token";

/// What a target is like, and what goes wrong with it. The default is well behaved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// From what chance is drawn: the same seed and the same requests lead to the same faults and the same ids.
    pub seed: u64,
    /// The bearer token that it asks for.
    pub token: String,
    /// What goes wrong. A request meets one fault at most: the first of these whose time has come.
    pub faults: Vec<Play>,
    /// What it is like even on a good day.
    pub dialect: Dialect,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            seed: 0,
            token: TOKEN.to_owned(),
            faults: Vec::new(),
            dialect: Dialect::default(),
        }
    }
}

impl Behaviour {
    /// Draws chance from another seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Asks for another token.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = token.into();
        self
    }

    /// Adds a fault that any request may meet to which it can happen.
    #[must_use]
    pub fn with_fault(self, fault: Fault, when: When) -> Self {
        self.with_play(Play::new(fault, when))
    }

    /// Adds a fault with the requests that may meet it.
    #[must_use]
    pub fn with_play(mut self, play: Play) -> Self {
        self.faults.push(play);
        self
    }

    /// Gives it another dialect.
    #[must_use]
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }
}

/// A fault, and which requests meet it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Play {
    /// What goes wrong.
    pub fault: Fault,
    /// Which of the requests meet it that may.
    pub when: When,
    /// Only requests with one of these methods; none named: with any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Only requests whose path below the base begins like this: `/Users`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub below: String,
}

impl Play {
    /// Makes a fault that any request may meet to which it can happen.
    pub fn new(fault: Fault, when: When) -> Self {
        Self {
            fault,
            when,
            methods: Vec::new(),
            below: String::new(),
        }
    }

    /// Narrows it to requests with these methods.
    #[must_use]
    pub fn on(mut self, methods: &[&str]) -> Self {
        self.methods = methods.iter().map(ToString::to_string).collect();
        self
    }

    /// Narrows it to requests whose path below the base begins like this: `/Users`.
    #[must_use]
    pub fn below(mut self, path: impl Into<String>) -> Self {
        self.below = path.into();
        self
    }
}

/// Which requests meet a fault, of those that may meet it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// Each one.
    Always,
    /// So many of a thousand, drawn from the seed and the request's number.
    PerMille(u16),
    /// The nth, the 2nth and so on.
    EveryNth(u64),
    /// The first n.
    First(u64),
    /// The nth, counted from 1, and every one after it.
    From(u64),
    /// The nth alone.
    Nth(u64),
}

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// 429, with or without `Retry-After`; the request has no effect.
    TooManyRequests {
        /// How long to wait, in seconds.
        retry_after: Option<u64>,
    },
    /// 500 without an effect.
    ServerError,
    /// 502 without an effect.
    BadGateway,
    /// 503 without an effect, with or without `Retry-After`.
    Unavailable {
        /// How long to wait, in seconds.
        retry_after: Option<u64>,
    },
    /// 401, though the token is the right one.
    Unauthorized,
    /// 403: the token's owner may not do this.
    Forbidden,
    /// 200 with a page for people, as a proxy or a sign-in page sends it; no effect.
    Html,
    /// The connection ends before the request has an effect.
    ResetBeforeCommit,
    /// The request takes effect, then the connection ends: the answer is lost.
    ResetAfterCommit,
    /// The answer comes late.
    Slow {
        /// After so many milliseconds.
        milliseconds: u64,
    },
    /// No answer ever comes, and the connection stays open.
    Silence {
        /// Whether the request takes effect before.
        takes_effect: bool,
    },
    /// The connection ends in the middle of the answer's body; the request took effect.
    TruncatedBody,
    /// A search finds everything.
    FilterIgnored,
    /// A search finds one resource, which does not match.
    FilterWrong,
    /// A list says that there are more than there are.
    TotalTooHigh {
        /// By how many.
        by: u64,
    },
    /// A list says that there are fewer than there are.
    TotalTooLow {
        /// By how many.
        by: u64,
    },
    /// A page behind the first begins one place too early, as if somebody had been added in between: one comes twice, and one is
    /// missing unless the next page does the same.
    PageShifted,
    /// A page behind the first is cut from the list in the opposite order.
    PageReordered,
    /// A page by cursor is refused: the cursor is too old (RFC 9865 `expiredCursor`).
    CursorExpired,
    /// Of the members that a write adds, the last half (at least one) is dropped, and the answer is that of success.
    MembersLost,
    /// 201 with a resource without its id.
    CreatedWithoutId,
    /// 201 with the id of another resource of the kind.
    CreatedWithForeignId,
}

/// What a target is like. The default is a server that keeps to the standards, without cursors.
#[expect(
    clippy::struct_excessive_bools,
    reason = "peculiarities of servers, independent of each other"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dialect {
    /// A userName, and a group's displayName, can be taken: 409. Else there may be many of one name.
    pub unique: bool,
    /// PATCH is not offered: 405.
    pub no_patch: bool,
    /// Most members in one PATCH.
    pub patch_members: Option<usize>,
    /// The status for more: 413 or 400.
    pub patch_members_status: u16,
    /// `excludedAttributes` has no effect.
    pub ignores_excluded_attributes: bool,
    /// A list shows groups without their members.
    pub lists_without_members: bool,
    /// There is no `ServiceProviderConfig`: 404.
    pub no_service_provider_config: bool,
    /// Most resources on a page.
    pub page_size: u64,
    /// Paging by cursor is offered (RFC 9865).
    pub cursors: bool,
    /// The `id` in the body of a POST is taken.
    pub keeps_ids: bool,
    /// PUT without `If-Match` is refused: 428.
    pub put_requires_if_match: bool,
    /// A search that finds nothing is answered with 404.
    pub empty_search_is_404: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            unique: true,
            no_patch: false,
            patch_members: None,
            patch_members_status: 413,
            ignores_excluded_attributes: false,
            lists_without_members: false,
            no_service_provider_config: false,
            page_size: 1_000,
            cursors: false,
            keeps_ids: false,
            put_requires_if_match: false,
            empty_search_is_404: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_behaviour_is_read_from_a_file_of_any_length() {
        let full = r#"
            seed = 7

            [dialect]
            page_size = 100
            no_patch = true

            [[faults]]
            fault = "reset-after-commit"
            when = { per-mille = 20 }
            methods = ["POST"]
            below = "/Users"

            [[faults]]
            fault = { too-many-requests = { retry_after = 1 } }
            when = "always"
        "#;
        let dialect = Dialect {
            page_size: 100,
            no_patch: true,
            ..Dialect::default()
        };
        let reset = Play::new(Fault::ResetAfterCommit, When::PerMille(20));
        let busy = Fault::TooManyRequests {
            retry_after: Some(1),
        };
        let expected = Behaviour::default()
            .with_seed(7)
            .with_dialect(dialect)
            .with_play(reset.on(&["POST"]).below("/Users"))
            .with_fault(busy, When::Always);

        assert_eq!(toml::from_str::<Behaviour>(full).unwrap(), expected);
        assert_eq!(
            toml::from_str::<Behaviour>("").unwrap(),
            Behaviour::default()
        );
        assert!(toml::from_str::<Behaviour>("sede = 7").is_err());
    }
}
