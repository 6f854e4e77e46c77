//! What templates may write as markup: icons and times. Everything else is escaped.

#![expect(
    clippy::unnecessary_wraps,
    clippy::trivially_copy_pass_by_ref,
    reason = "askama asks for this signature"
)]

use std::fmt;

use askama::Values;
use askama::filters::HtmlSafe;

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

/// Writes a number with separators for thousands: `{{ count|num }}`.
#[askama::filter_fn]
pub(crate) fn num(value: &u64, _: &dyn Values) -> askama::Result<String> {
    Ok(crate::words::number(*value))
}
