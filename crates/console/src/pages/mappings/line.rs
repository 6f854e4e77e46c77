//! One line of a mapping as a form has it, and back; expressions with colours; the place of a mistake in one.
//!
//! **Is:** pure. **Start at** [`Fields`] and [`Caret`].

use std::fmt::Write as _;

use rollcall_expression::{Mistake, Severity};
use rollcall_model::mapping::{Apply, AttributeMapping, Nulls, Source};

use crate::form::Form;
use crate::layout::{Mistakes, encoded};
use crate::words::sentence;

/// What the form of a line holds, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// The target attribute that the line filled when the form was made; empty: the line is new.
    pub(super) was: String,
    pub(super) kind: String,
    pub(super) source: String,
    pub(super) constant: String,
    pub(super) expression: String,
    pub(super) target: String,
    pub(super) default: String,
    /// The rank as matching attribute; empty: it does not match.
    pub(super) rank: String,
    pub(super) apply: String,
    pub(super) nulls: String,
}

impl Fields {
    /// Fills the form of a line; `rank` is its place among those that match.
    pub(super) fn of_line(line: &AttributeMapping, rank: Option<usize>) -> Self {
        let mut fields = Self {
            was: line.target.clone(),
            target: line.target.clone(),
            default: line.default.clone().unwrap_or_default(),
            rank: rank.map(|rank| rank.to_string()).unwrap_or_default(),
            apply: word(&APPLY, line.apply).to_owned(),
            nulls: word(&NULLS, line.nulls).to_owned(),
            ..Self::default()
        };
        let kind = match &line.source {
            Source::Direct(name) => {
                fields.source.clone_from(name);
                "direct"
            }
            Source::Constant(text) => {
                fields.constant.clone_from(text);
                "constant"
            }
            Source::Expression(text) => {
                fields.expression.clone_from(text);
                "expression"
            }
            Source::None => "none",
        };
        kind.clone_into(&mut fields.kind);
        fields
    }

    /// Reads what was sent.
    pub(super) fn of_form(form: &Form) -> Self {
        let rank = if form.text("match") == "yes" {
            form.filled("rank").unwrap_or("1").to_owned()
        } else {
            String::new()
        };
        let or = |name: &str, otherwise: &str| form.filled(name).unwrap_or(otherwise).to_owned();
        Self {
            was: form.text("was").to_owned(),
            kind: or("type", "direct"),
            source: form.text("source").to_owned(),
            constant: form.raw("constant").to_owned(),
            // browsers send line ends of their own
            expression: form
                .raw("expression")
                .replace("\r\n", "\n")
                .trim()
                .to_owned(),
            target: form.text("target").to_owned(),
            default: form.raw("default").to_owned(),
            rank,
            apply: or("apply", "always"),
            nulls: or("nulls", "keep"),
        }
    }

    /// Makes the line. Its precedence is the rank that it is to have.
    pub(super) fn line(&self) -> Result<AttributeMapping, Mistakes> {
        let mut mistakes = Mistakes::default();
        let source = match self.kind.as_str() {
            "constant" => Source::Constant(self.constant.clone()),
            "expression" if self.expression.is_empty() => {
                mistakes.add(
                    "ex",
                    "The expression is empty. Write one, or choose another mapping type.",
                );
                Source::None
            }
            "expression" => Source::Expression(self.expression.clone()),
            "none" => Source::None,
            _ if self.source.is_empty() => {
                mistakes.add("src", "Choose the source attribute that is copied.");
                Source::None
            }
            _ => Source::Direct(self.source.clone()),
        };
        if self.target.is_empty() {
            mistakes.add("tg", "Choose the target attribute that is filled.");
        }
        let matching = match self.rank.as_str() {
            "" => None,
            rank => {
                if let Ok(rank @ 1..=u8::MAX) = rank.parse() {
                    Some(rank)
                } else {
                    mistakes.add("rank", "The matching precedence is a number from 1 on.");
                    None
                }
            }
        };
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(AttributeMapping {
            target: self.target.clone(),
            source,
            default: Some(self.default.clone()).filter(|text| !text.is_empty()),
            matching,
            apply: value(&APPLY, &self.apply),
            nulls: value(&NULLS, &self.nulls),
        })
    }

    /// Returns the fields under the names of the form.
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        let matches = if self.rank.is_empty() { "no" } else { "yes" };
        vec![
            ("type", self.kind.clone()),
            ("source", self.source.clone()),
            ("constant", self.constant.clone()),
            ("expression", self.expression.clone()),
            ("target", self.target.clone()),
            ("default", self.default.clone()),
            ("match", matches.to_owned()),
            ("rank", self.rank.clone()),
            ("apply", self.apply.clone()),
            ("nulls", self.nulls.clone()),
        ]
    }

    /// Writes the fields as a query.
    pub(super) fn query(&self) -> String {
        let pairs = self.pairs().into_iter();
        let filled = pairs.filter(|(_, value)| !value.is_empty());
        let parts: Vec<String> = filled
            .map(|(name, value)| format!("{name}={}", encoded(&value)))
            .collect();
        parts.join("&")
    }
}

const APPLY: [(&str, Apply); 3] = [
    ("always", Apply::Always),
    ("onCreate", Apply::OnCreate),
    ("addOnly", Apply::AddOnly),
];
const NULLS: [(&str, Nulls); 2] = [("keep", Nulls::Keep), ("clear", Nulls::Clear)];

fn word<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    let found = words.iter().find(|(_, known)| *known == value);
    found.map_or("", |(word, _)| *word)
}

fn value<T: Copy + Default>(words: &[(&str, T)], word: &str) -> T {
    let found = words.iter().find(|(known, _)| *known == word);
    found.map(|(_, value)| *value).unwrap_or_default()
}

/// A part of a text with the class in which it is shown; empty: none.
pub(super) type Piece = (&'static str, String);

/// Returns what fills the target, with colours.
pub(super) fn pieces(source: &Source) -> Vec<Piece> {
    match source {
        Source::Direct(name) => vec![("", name.clone())],
        Source::Constant(text) => vec![("s", format!("\"{text}\""))],
        Source::Expression(text) => coloured(text),
        Source::None => vec![("muted", "nothing".to_owned())],
    }
}

/// Colours the functions and the texts of an expression. The pieces together are the text.
pub(super) fn coloured(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (class, length) = match first {
            '"' => ("s", literal(rest)),
            '[' => ("", rest.find(']').map_or(rest.len(), |end| end + 1)),
            letter if letter.is_alphanumeric() => {
                let end = rest.find(|c: char| !c.is_alphanumeric());
                let end = end.unwrap_or(rest.len());
                let is_call = rest
                    .get(end..)
                    .unwrap_or_default()
                    .trim_start()
                    .starts_with('(');
                (if is_call { "f" } else { "" }, end)
            }
            other => ("", other.len_utf8()),
        };
        let (piece, behind) = rest.split_at_checked(length).unwrap_or((rest, ""));
        match pieces.last_mut() {
            Some((last, written)) if *last == class => written.push_str(piece),
            _ => pieces.push((class, piece.to_owned())),
        }
        rest = behind;
    }
    pieces
}

/// Returns the length of the text in quotes at the beginning; `\"` does not end it.
fn literal(text: &str) -> usize {
    let mut is_escaped = false;
    for (place, letter) in text.char_indices().skip(1) {
        match letter {
            '"' if !is_escaped => return place + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

/// The place of a mistake in an expression, with what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caret {
    /// The lines before the one with the mistake.
    pub(super) above: String,
    /// The line up to the place.
    pub(super) before: String,
    /// What is wrong.
    pub(super) wrong: String,
    /// The rest of the line.
    pub(super) after: String,
    /// As many spaces as `before` has characters.
    pub(super) pad: String,
    /// As many carets as `wrong` has characters; at least one.
    pub(super) carets: String,
    /// What is wrong there, and what to do.
    pub(super) message: String,
    /// What the button puts in, and the whole expression with it.
    pub(super) fix: Option<(String, String)>,
    pub(super) is_error: bool,
}

/// So many characters before and after the place are shown of a long line.
const AROUND: usize = 60;

impl Caret {
    pub(super) fn new(source: &str, mistake: &Mistake) -> Self {
        let start = border(source, mistake.span.start);
        let end = border(source, mistake.span.end).max(start);
        let line_start = part(source, 0, start)
            .rfind('\n')
            .map_or(0, |place| place + 1);
        let line_end = part(source, start, source.len())
            .find('\n')
            .map_or(source.len(), |place| start + place);
        let end = end.min(line_end);
        let before = shown(part(source, line_start, start));
        let before = match before.char_indices().rev().nth(AROUND) {
            Some((cut, letter)) => {
                format!("…{}", part(&before, cut + letter.len_utf8(), before.len()))
            }
            None => before,
        };
        let wrong = cut(shown(part(source, start, end)));
        let above = shown_lines(part(source, 0, line_start));
        Self {
            pad: " ".repeat(before.chars().count()),
            carets: "^".repeat(wrong.chars().count().max(1)),
            after: cut(shown(part(source, end, line_end))),
            above,
            before,
            wrong,
            message: sentence(&match &mistake.help {
                Some(help) => format!("{}: {help}", mistake.message),
                None => mistake.message.clone(),
            }),
            fix: mistake.fix.as_ref().map(|fix| {
                let what = if fix.text.is_empty() {
                    "nothing".to_owned()
                } else {
                    fix.text.clone()
                };
                (what, fix.applied(source))
            }),
            is_error: mistake.severity == Severity::Error,
        }
    }
}

fn part(text: &str, from: usize, to: usize) -> &str {
    text.get(from..to).unwrap_or_default()
}

fn border(source: &str, index: usize) -> usize {
    let mut index = index.min(source.len());
    while !source.is_char_boundary(index) {
        index -= 1;
    }
    index
}

fn cut(text: String) -> String {
    match text.char_indices().nth(AROUND) {
        Some((place, _)) => format!("{}…", part(&text, 0, place)),
        None => text,
    }
}

/// Replaces what would move the carets: one character stands for each.
fn shown(text: &str) -> String {
    let is_moving = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let replaced = text.chars().map(|letter| match letter {
        '\t' | '\r' => ' ',
        letter if is_moving(letter) => '\u{fffd}',
        letter => letter,
    });
    replaced.collect()
}

/// The last lines of a text.
fn shown_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut above = String::new();
    for line in lines.iter().skip(lines.len().saturating_sub(3)) {
        let _ = writeln!(above, "{}", cut(shown(line)));
    }
    above
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_expression::Expression;
    use rollcall_model::mapping::defaults;

    #[test]
    fn a_line_goes_into_the_form_and_comes_back_the_same() {
        let mut lines = defaults::users().attributes;
        lines.extend(defaults::groups().attributes);
        lines.push(AttributeMapping {
            default: Some(" é \"x\" ".to_owned()),
            matching: Some(3),
            apply: Apply::AddOnly,
            nulls: Nulls::Clear,
            ..AttributeMapping::constant("  a & b=c  ", "roles")
        });
        lines.push(AttributeMapping {
            source: Source::None,
            apply: Apply::OnCreate,
            ..AttributeMapping::direct("", "nickName")
        });
        for line in lines {
            let fields = Fields::of_line(&line, line.matching.map(usize::from));
            let form = Form::of_query(&fields.query());
            let read = Fields::of_form(&form);
            assert_eq!(read.line().unwrap(), line);
        }
    }

    #[test]
    fn what_is_missing_is_told_at_its_fields() {
        let form = Form::of_query("type=expression&match=yes&rank=0");
        let mistakes = Fields::of_form(&form).line().unwrap_err();
        let fields: Vec<&str> = mistakes.0.iter().map(|mistake| mistake.field).collect();
        assert_eq!(fields, ["ex", "tg", "rank"]);
    }

    #[test]
    fn colours_do_not_change_the_text() {
        for text in [
            r#"Switch([IsSoftDeleted], , "False", "True")"#,
            r#"Join("é\"(", [ä ö], ToUpper ([b]))"#,
            "\"open",
            "[open",
            "é",
            "",
        ] {
            let together: String = coloured(text).into_iter().map(|(_, piece)| piece).collect();
            assert_eq!(together, text);
        }
        let pieces = coloured(r#"Join("a(b", [c])"#);
        assert_eq!(pieces[0], ("f", "Join".to_owned()));
        assert_eq!(pieces[2], ("s", "\"a(b\"".to_owned()));
    }

    #[test]
    fn the_carets_are_under_the_characters_of_the_mistake() {
        let source = "Join(\"é漢\",\n\t[ä] [surname])";
        let mistakes = Expression::parse(source).unwrap_err();
        let caret = Caret::new(source, mistakes.iter().next().unwrap());
        assert_eq!(caret.above, "Join(\"é漢\",\n");
        assert_eq!(caret.before, " [ä] ");
        assert_eq!(caret.pad.len(), 5);
        assert_eq!((caret.wrong.as_str(), caret.carets.as_str()), ("[", "^"));
        assert_eq!(caret.after, "surname])");
        let (_, mended) = caret.fix.unwrap();
        assert_eq!(mended, "Join(\"é漢\",\n\t[ä], [surname])");
        assert!(Expression::parse(&mended).is_ok());
    }

    #[test]
    fn a_mistake_in_a_long_line_and_at_its_end_is_shown() {
        let source = format!("Join(\"{}\", [a] [b]", "漢".repeat(500));
        let mistakes = Expression::parse(&source).unwrap_err();
        let carets: Vec<Caret> = mistakes
            .iter()
            .map(|mistake| Caret::new(&source, mistake))
            .collect();
        assert!(carets.iter().any(|caret| caret.before.starts_with('…')));
        for caret in carets {
            assert_eq!(caret.pad.len(), caret.before.chars().count());
            assert!(!caret.carets.is_empty());
        }
        let hostile = "[\u{202e}] \u{202e}x";
        let mistakes = Expression::parse(hostile).unwrap_err();
        let caret = Caret::new(hostile, mistakes.iter().next().unwrap());
        assert!(!format!("{}{}{}", caret.before, caret.wrong, caret.after).contains('\u{202e}'));
    }
}
