//! What templates may write as markup: icons and times. Everything else is escaped.

#![expect(
    clippy::unnecessary_wraps,
    clippy::trivially_copy_pass_by_ref,
    reason = "askama asks for this signature"
)]

use std::fmt;

use askama::Values;
use askama::filters::{Html, HtmlSafe, escape};

use crate::words::Moment;

/// An icon of the sprite; for eyes only.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Icon(&'static str);

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<svg class=\"i\" aria-hidden=\"true\"><use href=\"#i-{}\"/></svg>",
            self.0
        )
    }
}

impl HtmlSafe for Icon {}

/// Writes the icon of this name: `{{ "home"|icon }}`.
#[askama::filter_fn]
pub(crate) fn icon(name: &'static str, _: &dyn Values) -> askama::Result<Icon> {
    Ok(Icon(name))
}

/// An instant with its machine-readable form.
#[derive(Debug)]
pub(crate) struct Time(Moment);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // both texts are made of digits, letters and punctuation by `words`
        write!(
            f,
            "<time datetime=\"{}\">{}</time>",
            self.0.iso, self.0.text
        )
    }
}

impl HtmlSafe for Time {}

/// Writes an instant: `{{ row.at|time }}`.
#[askama::filter_fn]
pub(crate) fn time(moment: &Moment, _: &dyn Values) -> askama::Result<Time> {
    Ok(Time(moment.clone()))
}

/// A text in which `code` is marked.
#[derive(Debug)]
pub(crate) struct Coded(String);

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<&str> = self.0.split('`').collect();
        // the last of an even number of parts begins with a mark that is never closed
        let whole = parts.len() - (parts.len() + 1) % 2;
        for (place, part) in parts.iter().enumerate() {
            let part = escape(part, Html).unwrap_or_else(|never| match never {});
            match place {
                _ if place >= whole => write!(f, "`{part}")?,
                _ if place % 2 == 1 => write!(f, "<code>{part}</code>")?,
                _ => write!(f, "{part}")?,
            }
        }
        Ok(())
    }
}

impl HtmlSafe for Coded {}

/// Writes a text of the product, such as an error, with what it has between back ticks as code: `{{ mistake.text|coded }}`.
#[askama::filter_fn]
pub(crate) fn coded(text: impl fmt::Display, _: &dyn Values) -> askama::Result<Coded> {
    Ok(Coded(text.to_string()))
}

/// Writes a number with separators for thousands: `{{ count|num }}`.
#[askama::filter_fn]
pub(crate) fn num(value: &u64, _: &dyn Values) -> askama::Result<String> {
    Ok(crate::words::number(*value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_back_ticks_is_code_and_nothing_gets_through() {
        for (text, expected) in [
            ("`userName` is taken", "<code>userName</code> is taken"),
            (
                "a `b` and `<i>`",
                "a <code>b</code> and <code>&#60;i&#62;</code>",
            ),
            ("one ` alone, <b>", "one ` alone, &#60;b&#62;"),
            ("`a` and ` left", "<code>a</code> and ` left"),
            ("", ""),
        ] {
            assert_eq!(Coded(text.to_owned()).to_string(), expected, "{text}");
        }
    }
}
