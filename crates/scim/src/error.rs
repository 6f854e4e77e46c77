//! What went wrong, in the words of SCIM.
//!
//! **Is:** the one error type of this crate, with the status and `scimType` that RFC 7644 §3.12
//! and RFC 9865 §2.1 assign. **Is not:** for causes that a client must not see; those stay in a log.
//! **Start at** [`ErrorKind`].

use serde_json::{Value, json};

/// The schema URI of an error body.
pub const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// A refusal that can be sent to the client as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    /// What kind of refusal; decides status and `scimType`.
    pub kind: ErrorKind,
    /// A sentence fragment for people: what is wrong, and where.
    pub detail: String,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is wrong in a way that has no `scimType`.
    BadRequest,
    /// The filter is malformed, or names what cannot be filtered.
    InvalidFilter,
    /// The query would give more results than the server will compute.
    TooMany,
    /// Another resource has the value already.
    Uniqueness,
    /// The attribute cannot be changed, or not like this.
    Mutability,
    /// The body is not JSON, or not the JSON of this request.
    InvalidSyntax,
    /// The path is malformed, or names no attribute.
    InvalidPath,
    /// The path selects nothing that could be changed.
    NoTarget,
    /// A value is missing, or does not fit its attribute.
    InvalidValue,
    /// The protocol version is not supported.
    InvalidVersion,
    /// The request would put personal data into the URL.
    Sensitive,
    /// The cursor is not one of ours (RFC 9865).
    InvalidCursor,
    /// The cursor is too old (RFC 9865).
    ExpiredCursor,
    /// The page size is wrong for this cursor (RFC 9865).
    InvalidCount,
    /// No credential, or one that is not valid.
    Unauthorized,
    /// The credential does not allow this.
    Forbidden,
    /// There is no such resource for this caller.
    NotFound,
    /// The address exists, the method does not.
    MethodNotAllowed,
    /// The client accepts no format that we write.
    NotAcceptable,
    /// The request fights the present state.
    Conflict,
    /// The resource changed since the client read it.
    PreconditionFailed,
    /// The body is too large.
    TooLarge,
    /// The address is too long.
    AddressTooLong,
    /// The body has a content type that we do not read.
    UnsupportedMediaType,
    /// The caller sends faster than allowed.
    TooManyRequests,
    /// The header block is too large.
    HeadersTooLarge,
    /// Something failed on our side.
    Internal,
    /// The feature is not offered.
    NotImplemented,
    /// Something we need is out of reach; worth trying again.
    Unavailable,
    /// The store is full.
    StorageFull,
}

impl ErrorKind {
    /// Returns the HTTP status of this kind.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest
            | Self::InvalidFilter
            | Self::TooMany
            | Self::Mutability
            | Self::InvalidSyntax
            | Self::InvalidPath
            | Self::NoTarget
            | Self::InvalidValue
            | Self::InvalidVersion
            | Self::InvalidCursor
            | Self::ExpiredCursor
            | Self::InvalidCount => 400,
            Self::Unauthorized => 401,
            Self::Sensitive | Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::Uniqueness | Self::Conflict => 409,
            Self::PreconditionFailed => 412,
            Self::TooLarge => 413,
            Self::AddressTooLong => 414,
            Self::UnsupportedMediaType => 415,
            Self::TooManyRequests => 429,
            Self::HeadersTooLarge => 431,
            Self::Internal => 500,
            Self::NotImplemented => 501,
            Self::Unavailable => 503,
            Self::StorageFull => 507,
        }
    }

    /// Returns the `scimType` keyword, where the standards define one.
    pub fn scim_type(self) -> Option<&'static str> {
        match self {
            Self::InvalidFilter => Some("invalidFilter"),
            Self::TooMany => Some("tooMany"),
            Self::Uniqueness => Some("uniqueness"),
            Self::Mutability => Some("mutability"),
            Self::InvalidSyntax => Some("invalidSyntax"),
            Self::InvalidPath => Some("invalidPath"),
            Self::NoTarget => Some("noTarget"),
            Self::InvalidValue => Some("invalidValue"),
            Self::InvalidVersion => Some("invalidVers"),
            Self::Sensitive => Some("sensitive"),
            Self::InvalidCursor => Some("invalidCursor"),
            Self::ExpiredCursor => Some("expiredCursor"),
            Self::InvalidCount => Some("invalidCount"),
            Self::BadRequest
            | Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::NotAcceptable
            | Self::Conflict
            | Self::PreconditionFailed
            | Self::TooLarge
            | Self::AddressTooLong
            | Self::UnsupportedMediaType
            | Self::TooManyRequests
            | Self::HeadersTooLarge
            | Self::Internal
            | Self::NotImplemented
            | Self::Unavailable
            | Self::StorageFull => None,
        }
    }
}

impl Error {
    /// Makes an error of a kind.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }

    /// Makes the error for a body that is not the JSON of its request.
    pub fn invalid_syntax(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidSyntax, detail)
    }

    /// Makes the error for a value that does not fit its attribute.
    pub fn invalid_value(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidValue, detail)
    }

    /// Makes the error for a path that names nothing.
    pub fn invalid_path(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidPath, detail)
    }

    /// Makes the error for a filter that cannot be used.
    pub fn invalid_filter(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidFilter, detail)
    }

    /// Makes the error for an attribute that cannot be changed.
    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Mutability, detail)
    }

    /// Makes the error for a path that selects nothing.
    pub fn no_target(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::NoTarget, detail)
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        self.kind.status()
    }

    /// Returns the `scimType` keyword, where the standards define one.
    pub fn scim_type(&self) -> Option<&'static str> {
        self.kind.scim_type()
    }

    /// Returns the body of the answer; `status` is a string, as RFC 7644 §3.12 wants it.
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "schemas": [ERROR_SCHEMA],
            "status": self.status().to_string(),
            "detail": self.detail,
        });
        if let (Some(keyword), Some(map)) = (self.scim_type(), body.as_object_mut()) {
            map.insert("scimType".to_owned(), keyword.into());
        }
        body
    }
}

/// Returns a client's text fit to be repeated in a message: short, without control characters.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST)
        .collect();
    if text.chars().count() > LONGEST {
        shown.push('…');
    }
    format!("`{shown}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_carries_the_status_as_text_and_the_keyword_when_there_is_one() {
        let duplicate = Error::new(ErrorKind::Uniqueness, "`userName` is taken by another user");
        let absent = Error::new(ErrorKind::NotFound, "no such user");

        assert_eq!(
            duplicate.to_json(),
            json!({"schemas": [ERROR_SCHEMA], "status": "409", "scimType": "uniqueness",
                   "detail": "`userName` is taken by another user"})
        );
        assert_eq!(
            absent.to_json(),
            json!({"schemas": [ERROR_SCHEMA], "status": "404", "detail": "no such user"})
        );
    }
}
