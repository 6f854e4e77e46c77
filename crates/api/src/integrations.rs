//! `/integrations/{kind}/tokens`: the provisioning tokens of directories.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use rollcall_app::Failure;
use rollcall_app::tokens::Overlap;
use rollcall_model::{IntegrationKind, KeyRole, Secret, TokenId, TokenRecord};

use crate::described::Nothing;
use crate::operation::{Call, DELETE, GET, Operation, POST};
use crate::problem::Problem;

/// The longest overlap of a reset, in seconds: 30 days.
const LONGEST_OVERLAP: u64 = 30 * 24 * 3_600;

described! {
    /// A provisioning token, without its secret.
    pub(crate) struct Token {
        /// Its id.
        id: String,
        /// When it was created.
        created: Timestamp,
        /// From when on it is refused; null: never.
        expires: Option<Timestamp>,
        /// When it was last used, to within a minute; null: never.
        last_used: Option<Timestamp>,
        /// Its last characters, by which people tell tokens apart; null: it is from before these were kept.
        ending: Option<String>,
        /// Whether it works.
        valid: bool,
    }
}

described! {
    /// The provisioning tokens of a directory.
    pub(crate) struct Tokens {
        /// The tokens, in order of creation.
        tokens: Vec<Token>,
        /// The SCIM base URL to which they belong.
        tenant_url: String,
    }
}

described! {
    /// A new provisioning token, with its secret, which is shown this once.
    pub(crate) struct NewToken {
        /// Its id.
        id: String,
        /// The token itself.
        token: String,
        /// The SCIM base URL to which it belongs.
        tenant_url: String,
        /// From when on it is refused: when it was asked for, and no later than the API key that made it, or 90 days from now where that has no end.
        expires: Option<Timestamp>,
    }
}

described! {
    /// What the token is to be.
    pub(crate) struct Wanted {
        /// From when on it is refused, such as `2027-01-31T00:00:00Z`; absent, or too late: as late as may be, which is when the API key that asks ends, or in 90 days where it has no end.
        expires: Option<Timestamp>,
    }
}

described! {
    /// How the token is replaced.
    pub(crate) struct Replaced {
        /// For how many seconds the old token goes on working, up to 2592000; absent: not at all.
        overlap: Option<u64>,
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    use KeyRole::{Manage, Read};
    vec![
        Operation::new(
            (GET, "/integrations/{kind}/tokens"),
            Read,
            ("listTokens", "Lists the provisioning tokens of a directory"),
            list,
        ),
        Operation::new(
            (POST, "/integrations/{kind}/tokens"),
            Manage,
            ("createToken", "Creates a provisioning token, connecting the directory if it was not yet; administrators are told by mail"),
            create,
        )
        .with(StatusCode::CREATED),
        Operation::new(
            (POST, "/integrations/{kind}/tokens/reset"),
            Manage,
            ("resetToken", "Replaces the provisioning tokens of a directory by a new one; administrators are told by mail"),
            reset,
        )
        .with(StatusCode::CREATED),
        Operation::new(
            (DELETE, "/integrations/{kind}/tokens/{token}"),
            Manage,
            ("revokeToken", "Refuses a provisioning token from now on"),
            revoke,
        )
        .with(StatusCode::NO_CONTENT),
    ]
}

impl<Q, B> Call<Q, B> {
    fn kind(&self) -> Result<IntegrationKind, Problem> {
        self.word("kind")
    }

    /// Returns the tokens of the directory in the path.
    async fn tokens(&self) -> Result<Vec<TokenRecord>, Problem> {
        let kind = self.kind()?;
        let (integrations, mut tokens) = self.api.app.tokens(self.holder.organisation.id).await?;
        let own = integrations.iter().find(|one| one.kind == kind);
        tokens.retain(|token| own.is_some_and(|own| own.id == token.integration));
        Ok(tokens)
    }

    fn tenant_url(&self) -> String {
        self.api
            .app
            .settings()
            .tenant_url(&self.holder.organisation)
    }

    fn made(&self, (record, token): (TokenRecord, Secret)) -> NewToken {
        NewToken {
            id: record.id.to_string(),
            token: token.expose().to_owned(),
            tenant_url: self.tenant_url(),
            expires: record.expires,
        }
    }
}

async fn list(call: Call<Nothing, Nothing>) -> Result<Tokens, Problem> {
    let now = call.api.app.now();
    let tokens = call.tokens().await?.into_iter();
    Ok(Tokens {
        tokens: tokens
            .map(|token| Token {
                id: token.id.to_string(),
                created: token.created,
                expires: token.expires,
                last_used: token.last_used,
                valid: token.is_valid(now),
                ending: token.ending,
            })
            .collect(),
        tenant_url: call.tenant_url(),
    })
}

async fn create(call: Call<Nothing, Wanted>) -> Result<NewToken, Problem> {
    let (kind, expires) = (call.kind()?, call.body.expires);
    if expires.is_some_and(|expires| expires <= call.api.app.now()) {
        return Err(Problem::Wrong(
            "`expires` is over already: give an instant that is to come, or leave it out"
                .to_owned(),
        ));
    }
    let (organisation, origin) = (call.holder.organisation.id, call.holder.origin());
    let made = (call.api.app).create_token(organisation, kind, expires, origin);
    Ok(call.made(made.await?))
}

async fn reset(call: Call<Nothing, Replaced>) -> Result<NewToken, Problem> {
    let overlap = match call.body.overlap.unwrap_or_default() {
        0 => Overlap::None,
        seconds if seconds <= LONGEST_OVERLAP => {
            Overlap::For(SignedDuration::from_secs(seconds.cast_signed()))
        }
        _ => {
            return Err(Problem::Wrong(format!(
                "`overlap` is too long: {LONGEST_OVERLAP} seconds at most"
            )));
        }
    };
    let (organisation, origin) = (call.holder.organisation.id, call.holder.origin());
    let made = (call.api.app).reset_token(organisation, call.kind()?, overlap, origin);
    Ok(call.made(made.await?))
}

async fn revoke(call: Call<Nothing, Nothing>) -> Result<Nothing, Problem> {
    let text = call
        .path
        .get("token")
        .map(String::as_str)
        .unwrap_or_default();
    let missing = || Failure::Missing {
        noun: "token",
        id: text.chars().take(64).collect(),
    };
    let id: TokenId = text.parse().map_err(|_| missing())?;
    // a token of another directory is none of this one
    if !call.tokens().await?.iter().any(|token| token.id == id) {
        return Err(missing().into());
    }
    let (organisation, origin) = (call.holder.organisation.id, call.holder.origin());
    call.api.app.revoke_token(organisation, id, origin).await?;
    Ok(Nothing {})
}
