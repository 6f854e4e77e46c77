//! `Replace`, whose seven positions hold five different functions.
//!
//! **Is:** which [`Mode`] the given arguments select, and what each does. **Is not:** regular expressions; those are in
//! `pattern`.

use std::borrow::Cow;

use crate::evaluate::{Evaluated, Evaluator, Stop};
use crate::pattern::Pattern;
use crate::syntax::Call;
use crate::{Value, limits};

pub(crate) const SOURCE: usize = 0;
pub(crate) const OLD_VALUE: usize = 1;
pub(crate) const PATTERN: usize = 2;
pub(crate) const GROUP: usize = 3;
pub(crate) const REPLACEMENT: usize = 4;
pub(crate) const REPLACEMENT_ATTRIBUTE: usize = 5;
pub(crate) const TEMPLATE: usize = 6;

/// What `Replace` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The template, with the source in place of the old value.
    Template,
    /// Every old value replaced.
    Text,
    /// The source; without one, what a group captures in another attribute.
    OtherAttribute,
    /// In each match the text of one group replaced.
    Group,
    /// Every match replaced.
    Matches,
}

impl Mode {
    /// Selects by the arguments that are given: the first that fits.
    pub(crate) fn of<T>(arguments: &[Option<T>]) -> Option<Self> {
        let given = |index: usize| matches!(arguments.get(index), Some(Some(_)));
        if given(OLD_VALUE) && given(TEMPLATE) {
            Some(Self::Template)
        } else if given(OLD_VALUE) && given(REPLACEMENT) {
            Some(Self::Text)
        } else if !given(PATTERN) {
            None
        } else if given(GROUP) && given(REPLACEMENT_ATTRIBUTE) {
            Some(Self::OtherAttribute)
        } else if given(GROUP) && given(REPLACEMENT) {
            Some(Self::Group)
        } else if given(REPLACEMENT) {
            Some(Self::Matches)
        } else {
            None
        }
    }

    pub(crate) fn uses_old_value(self) -> bool {
        matches!(self, Self::Template | Self::Text)
    }

    pub(crate) fn uses_pattern(self) -> bool {
        !self.uses_old_value()
    }

    pub(crate) fn uses_group(self) -> bool {
        matches!(self, Self::OtherAttribute | Self::Group)
    }
}

pub(crate) fn replace(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let Some(mode) = Mode::of(&call.arguments) else {
        return Err(evaluator.failure(call, None, "the arguments that are given fit no use of it"));
    };
    let Some(source) = evaluator.text_or_null(call, SOURCE)? else {
        return match mode {
            Mode::OtherAttribute => other_attribute(evaluator, call, Value::Null),
            _ => Ok(Value::Null),
        };
    };
    match mode {
        Mode::Template => {
            let template = evaluator.text(call, TEMPLATE)?;
            replace_text(evaluator, call, &template, &source)
        }
        Mode::Text => {
            let replacement = evaluator.text(call, REPLACEMENT)?;
            replace_text(evaluator, call, &source, &replacement)
        }
        Mode::OtherAttribute if !source.is_empty() => Ok(source.into()),
        Mode::OtherAttribute => other_attribute(evaluator, call, source.into()),
        Mode::Group | Mode::Matches => replace_matches(evaluator, call, &source, mode),
    }
}

fn replace_text(
    evaluator: &mut Evaluator<'_, '_>,
    call: &Call,
    text: &str,
    replacement: &str,
) -> Evaluated {
    let old = evaluator.text(call, OLD_VALUE)?;
    if old.is_empty() {
        return Err(evaluator.failure(call, Some(OLD_VALUE), "the empty text cannot be replaced"));
    }
    let mut out = String::new();
    let mut parts = text.split(old.as_str());
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str(replacement);
        out.push_str(part);
        evaluator.spend(call, 1)?;
        evaluator.bounded(call, out.len())?;
    }
    Ok(out.into())
}

/// Returns the pattern of the call, compiled now when it is not a constant.
fn pattern<'a>(
    evaluator: &mut Evaluator<'_, '_>,
    call: &'a Call,
) -> Result<Cow<'a, Pattern>, Stop> {
    if let Some(pattern) = &call.pattern {
        return Ok(Cow::Borrowed(pattern));
    }
    evaluator.spend(call, 500)?;
    let text = evaluator.text(call, PATTERN)?;
    evaluator.bounded(call, text.len())?;
    // the reason may quote the pattern, which may come from an attribute
    let pattern = Pattern::new(&text).map_err(|_| {
        evaluator.failure(
            call,
            Some(PATTERN),
            "not a regular expression that can be used",
        )
    })?;
    Ok(Cow::Owned(pattern))
}

fn group(evaluator: &mut Evaluator<'_, '_>, call: &Call, pattern: &Pattern) -> Result<usize, Stop> {
    let name = evaluator.text(call, GROUP)?;
    pattern.group(&name).ok_or_else(|| {
        evaluator.failure(call, Some(GROUP), "the pattern has no group of that name")
    })
}

fn other_attribute(evaluator: &mut Evaluator<'_, '_>, call: &Call, otherwise: Value) -> Evaluated {
    let pattern = pattern(evaluator, call)?;
    let group = group(evaluator, call, &pattern)?;
    let text = evaluator.text(call, REPLACEMENT_ATTRIBUTE)?;
    search_costs(evaluator, call, &pattern, text.len())?;
    let found = pattern
        .find(&text, 0)
        .and_then(|found| found.get(group).map(|part| part.as_str().to_owned()));
    Ok(found.map_or(otherwise, Value::Text))
}

fn replace_matches(
    evaluator: &mut Evaluator<'_, '_>,
    call: &Call,
    source: &str,
    mode: Mode,
) -> Evaluated {
    let pattern = pattern(evaluator, call)?;
    let replacement = evaluator.text(call, REPLACEMENT)?;
    let group = match mode {
        Mode::Group => Some(group(evaluator, call, &pattern)?),
        _ => None,
    };
    let mut out = String::new();
    let mut copied = 0;
    let mut position = 0;
    loop {
        search_costs(
            evaluator,
            call,
            &pattern,
            source.len().saturating_sub(position),
        )?;
        let Some(found) = pattern.find(source, position) else {
            break;
        };
        let whole = found.get(0).map_or(0..0, |whole| whole.range());
        let replaced = match group {
            None => Some(whole.clone()),
            Some(group) => found.get(group).map(|part| part.range()),
        };
        if let Some(place) = replaced {
            out.push_str(source.get(copied..place.start).unwrap_or_default());
            if group.is_some() {
                out.push_str(&replacement);
            } else {
                pattern.expand(&replacement, source, &found, &mut out);
            }
            copied = place.end;
        }
        evaluator.bounded(call, out.len())?;
        // .NET also takes an empty match at the end of the one before, but each place only once
        position = if whole.is_empty() {
            let rest = source.get(whole.end..).unwrap_or_default();
            match rest.chars().next() {
                Some(next) => whole.end + next.len_utf8(),
                None => break,
            }
        } else {
            whole.end
        };
    }
    out.push_str(source.get(copied..).unwrap_or_default());
    Ok(out.into())
}

/// Pays for one search, and refuses a text that is too long for any.
fn search_costs(
    evaluator: &mut Evaluator<'_, '_>,
    call: &Call,
    pattern: &Pattern,
    bytes: usize,
) -> Result<(), Stop> {
    if bytes > limits::TEXT_BYTES {
        return Err(evaluator.failure(call, None, "the text is too long for a regular expression"));
    }
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    evaluator.spend(call, 1 + bytes.saturating_mul(pattern.weight()) / 128)
}
