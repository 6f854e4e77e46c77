//! Versions as `ETags` (RFC 7644 §3.14): weak, a number that counts changes.

use std::fmt;

use crate::error::Error;

/// The ETag of a version: `W/"n"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ETag(pub u64);

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "W/\"{}\"", self.0)
    }
}

/// What `If-Match` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// Any version of what exists.
    Any,
    /// One of these. A tag that is not ours stands for no version, so the list may be empty.
    Versions(Vec<u64>),
}

/// What `If-None-Match` asks for.
pub type IfNoneMatch = IfMatch;

impl IfMatch {
    /// Reads the header's value: `*`, or tags with commas between them.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        let wrong = || {
            Error::new(
                crate::error::ErrorKind::BadRequest,
                "an entity tag looks like `W/\"3\"`, or is `*`",
            )
        };
        let mut versions = Vec::new();
        for tag in text.split(',').map(str::trim) {
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            let inner = tag
                .strip_prefix('"')
                .and_then(|tag| tag.strip_suffix('"'))
                .ok_or_else(wrong)?;
            versions.extend(inner.parse::<u64>().ok());
        }
        Ok(Self::Versions(versions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_weak_or_strong_alone_or_in_a_list() {
        assert_eq!(IfMatch::parse("*"), Ok(IfMatch::Any));
        assert_eq!(
            IfMatch::parse(&ETag(7).to_string()),
            Ok(IfMatch::Versions(vec![7]))
        );
        assert_eq!(
            IfMatch::parse("\"1\", W/\"2\", \"abc\""),
            Ok(IfMatch::Versions(vec![1, 2]))
        );
        assert!(IfMatch::parse("7").is_err());
        assert!(IfMatch::parse("").is_err());
    }
}
