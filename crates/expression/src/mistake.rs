//! What is wrong with an expression, and how to show it.
//!
//! **Is:** [`Mistake`], all of them at once as [`Mistakes`], and [`render`]. **Is not:** what fails on one input; that is
//! [`Failure`](crate::Failure), which becomes a mistake to be shown.

use std::fmt::{self, Write as _};
use std::ops::Range;

use crate::limits;

/// How serious a [`Mistake`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The expression cannot be used.
    Error,
    /// It can, but may not do what was meant, or not everywhere.
    Warning,
}

/// One mistake in an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where: bytes of the expression, at character borders.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What would be right, when it is known.
    pub help: Option<String>,
    /// What would be right, when it is certain enough to be put in for the writer.
    pub fix: Option<Fix>,
    /// Whether it can be used all the same.
    pub severity: Severity,
}

/// A change of the text that mends a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What is replaced: bytes of the expression, at character borders; nothing, when something is put in.
    pub span: Range<usize>,
    /// What stands there instead.
    pub text: String,
}

impl Fix {
    /// Returns the expression with the change.
    pub fn applied(&self, source: &str) -> String {
        let start = border(source, self.span.start);
        let end = border(source, self.span.end).max(start);
        let before = source.get(..start).unwrap_or_default();
        let after = source.get(end..).unwrap_or_default();
        format!("{before}{}{after}", self.text)
    }
}

impl Mistake {
    pub(crate) fn error(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            help: None,
            fix: None,
            severity: Severity::Error,
        }
    }

    pub(crate) fn warning(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(span, message)
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn fix(mut self, span: Range<usize>, text: impl Into<String>) -> Self {
        self.fix = Some(Fix {
            span,
            text: text.into(),
        });
        self
    }
}

/// Everything that is wrong with an expression, in the order of its text. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Keeps the first mistakes of a text; `None` when there is none.
    pub(crate) fn new(mut all: Vec<Mistake>) -> Option<Self> {
        all.sort_by_key(|mistake| (mistake.span.start, mistake.span.end));
        all.dedup();
        all.truncate(limits::MISTAKES);
        (!all.is_empty()).then_some(Self(all))
    }

    /// Goes through the mistakes.
    pub fn iter(&self) -> std::slice::Iter<'_, Mistake> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Mistakes {
    type Item = &'a Mistake;
    type IntoIter = std::slice::Iter<'a, Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Mistakes {
    type Item = Mistake;
    type IntoIter = std::vec::IntoIter<Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Mistakes {
    /// One line: the messages, with semicolons.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.iter().enumerate() {
            if index > 0 {
                formatter.write_str("; ")?;
            }
            formatter.write_str(&mistake.message)?;
            if let Some(help) = &mistake.help {
                write!(formatter, " ({help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Most characters of a line that are shown around a place.
const WINDOW: usize = 100;

/// Shows a mistake: the line, carets under the place, the message, the help. Without colour; ends with a line break.
///
/// A long line is cut around the place; tabs and other control characters show as one space each.
pub fn render(source: &str, mistake: &Mistake) -> String {
    let place = Place::find(source, &mistake.span);
    let title = match mistake.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    let mut out = format!("{title}: {}\n", mistake.message);
    let _ = writeln!(out, "{gutter} |");
    let _ = writeln!(out, "{number} | {}", place.text.trim_end());
    let carets = "^".repeat(place.width);
    let _ = writeln!(out, "{gutter} | {}{carets}", " ".repeat(place.column));
    if let Some(help) = &mistake.help {
        let _ = writeln!(out, "{gutter} = help: {help}");
    }
    out
}

/// A place of a source as it is shown.
struct Place {
    /// The line, from 1.
    line: usize,
    /// What is shown of it.
    text: String,
    /// Characters of `text` before the place.
    column: usize,
    /// Characters of the place in `text`; at least 1.
    width: usize,
}

impl Place {
    fn find(source: &str, span: &Range<usize>) -> Self {
        let start = border(source, span.start);
        let end = border(source, span.end).max(start);
        let before = source.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |index| index + 1);
        let from_line = source.get(line_start..).unwrap_or_default();
        let line = from_line.split('\n').next().unwrap_or_default();
        let line_end = line_start + line.len();

        let count =
            |from: usize, to: usize| source.get(from..to).map_or(0, |text| text.chars().count());
        let column = count(line_start, start);
        let width = count(start, end.min(line_end)).max(1);
        let total = line.chars().count();
        let first = if total <= WINDOW {
            0
        } else {
            column.saturating_sub(WINDOW / 3)
        };
        let shown_width = width.min(WINDOW * 2 / 3 - 1);
        let mut text: String = line
            .chars()
            .skip(first)
            .take(WINDOW)
            .map(|character| {
                if character.is_control() {
                    ' '
                } else {
                    character
                }
            })
            .collect();
        let mut column = column - first;
        if first > 0 {
            text.insert(0, '…');
            column += 1;
        }
        if first + WINDOW < total {
            text.push('…');
        }
        Self {
            line: before.matches('\n').count() + 1,
            text,
            column,
            width: shown_width,
        }
    }
}

/// Returns the character border at or before `index`.
fn border(source: &str, index: usize) -> usize {
    let mut index = index.min(source.len());
    while !source.is_char_boundary(index) {
        index -= 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_shown_with_carets_under_characters_not_bytes() {
        let source = "Join(\"é\",\n\t[ä], oops)";
        let start = source.find("oops").unwrap();
        let mistake =
            Mistake::error(start..start + 4, "unknown word `oops`").help("write `[oops]`");

        let shown = render(source, &mistake);

        assert_eq!(
            shown,
            "error: unknown word `oops`\n  |\n2 |  [ä], oops)\n  |       ^^^^\n  = help: write `[oops]`\n"
        );
    }

    #[test]
    fn what_is_certain_can_be_put_in() {
        for (source, mended) in [
            ("swich([a], , \"b\", \"c\")", "Switch([a], , \"b\", \"c\")"),
            ("Join(\"é\", [ä] [b])", "Join(\"é\", [ä], [b])"),
            ("Join(‘x’, [a])", ""),
            ("ToLower(“é”)", "ToLower(\"é\")"),
            ("ToLower(mail)", "ToLower([mail])"),
            ("=[mail]", "[mail]"),
            (
                "IIF([a] == \"b\", \"1\", \"2\")",
                "IIF([a] = \"b\", \"1\", \"2\")",
            ),
        ] {
            let mistakes = crate::Expression::parse(source).unwrap_err();
            let fix = mistakes.iter().find_map(|mistake| mistake.fix.as_ref());
            let applied = fix.map(|fix| fix.applied(source)).unwrap_or_default();
            assert_eq!(applied, mended, "{source}");
        }
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let source = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let shown = render(&source, &Mistake::error(500..501, "here"));

        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[2].chars().count() < 120);
        let caret = lines[3]
            .chars()
            .position(|character| character == '^')
            .unwrap();
        assert_eq!(lines[2].chars().nth(caret), Some('X'));
    }

    #[test]
    fn a_place_at_or_past_the_end_is_shown() {
        for span in [3..3, 2..9, 9..20] {
            assert!(
                render("abé", &Mistake::error(span.clone(), "end")).contains('^'),
                "{span:?}"
            );
        }
    }
}
