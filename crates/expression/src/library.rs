//! The functions of the language: names, arguments, meaning.
//!
//! **Is:** the one table that the checker, the evaluator, `explain` and the documentation read. **Is not:** what the
//! functions do; each entry points there.
//! **Start at** [`find`] and [`all`].

mod table;

use std::fmt;
use std::ops::Range;

use crate::evaluate::{Evaluated, Evaluator};
use crate::mistake::Mistake;
use crate::syntax::{Call, Word};

/// What a function is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Texts.
    Text,
    /// Choices and tests.
    Choice,
    /// Dates.
    Date,
    /// Multi-valued attributes.
    List,
    /// From one kind of value to another.
    Conversion,
    /// New values.
    Generated,
    /// What happens to the attribute or the object.
    Flow,
    /// Assigned roles.
    Role,
}

impl Topic {
    /// Every topic, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Text,
        Self::Choice,
        Self::Date,
        Self::List,
        Self::Conversion,
        Self::Generated,
        Self::Flow,
        Self::Role,
    ];

    /// Returns the heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Choice => "Choices and tests",
            Self::Date => "Dates",
            Self::List => "Lists",
            Self::Conversion => "Conversions",
            Self::Generated => "Generated values",
            Self::Flow => "Flow",
            Self::Role => "Roles",
        }
    }
}

/// Which engines know a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Entra application provisioning; the language proper.
    Provisioning,
    /// Entra cloud sync; accepted here with a warning.
    CloudSync,
    /// Named by Entra without a word on what it does; accepted here with a warning.
    Undocumented,
}

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any value.
    Any,
    /// One value, taken as text.
    Text,
    /// A whole number, also in quotes.
    Integer,
    /// A comparison, or a call that gives `True` or `False`.
    Condition,
    /// A date, or the text of one.
    Date,
    /// A unit of time: `yyyy`, `m`, `ww`, `d`, `h`, `n`, `s`.
    Interval,
    /// A custom date format of .NET.
    Format,
    /// Names of .NET's `DateTimeStyles`.
    Styles,
    /// A culture such as `en-US`.
    Culture,
    /// One character.
    Character,
    /// A bare word, one of the function's own.
    Word,
    /// The values of a multi-valued attribute.
    List,
    /// `[appRoleAssignments]`.
    Roles,
}

impl Kind {
    /// Returns a noun for it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Any => "any value",
            Self::Text => "text",
            Self::Integer => "whole number",
            Self::Condition => "condition",
            Self::Date => "date",
            Self::Interval => "interval",
            Self::Format => "date format",
            Self::Styles => "styles",
            Self::Culture => "culture",
            Self::Character => "one character",
            Self::Word => "word",
            Self::List => "list",
            Self::Roles => "`[appRoleAssignments]`",
        }
    }
}

/// A parameter of a function.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name in the documentation.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it can be left empty.
    pub optional: bool,
    /// What it means.
    pub meaning: &'static str,
}

/// An expression with its result, which a test holds true.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The expression.
    pub expression: &'static str,
    /// The source attributes: a JSON object.
    pub attributes: &'static str,
    /// The result as JSON; empty when it is a different one each time.
    pub result: &'static str,
}

/// A call with another number of arguments that another dialect has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForeignForm {
    pub(crate) arguments: usize,
    pub(crate) reason: &'static str,
}

/// What a call of a function does.
pub(crate) type Run = fn(&mut Evaluator<'_, '_>, &Call) -> Evaluated;

/// A function of the language.
pub struct Function {
    /// Its name; case matters.
    pub name: &'static str,
    /// What it is about.
    pub topic: Topic,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// What one should know before using it; may be empty.
    pub note: &'static str,
    /// Calls to learn from.
    pub examples: &'static [Example],
    /// Which engines know it.
    pub dialect: Dialect,
    /// Whether it can only be the outermost call.
    pub outermost: bool,
    /// How many of the last parameters repeat.
    repeating: usize,
    /// The fewest arguments; fewer than the required parameters never.
    fewest: usize,
    /// A form with fewer arguments and other places: its parameters.
    short_form: &'static [Parameter],
    pub(crate) words: &'static [Word],
    pub(crate) foreign_form: Option<ForeignForm>,
    /// The arguments whose value becomes the result as it is.
    passes: Passes,
    pub(crate) run: Run,
}

#[derive(Debug, Clone, Copy)]
enum Passes {
    Nothing,
    All,
    /// All but the first.
    Rest,
    /// `Switch`: default and values.
    Values,
}

impl Function {
    /// Returns how it is called: `Switch(source, defaultValue, key, value, …)`; optional parameters in brackets.
    pub fn signature(&self) -> String {
        let names: Vec<String> = self
            .parameters
            .iter()
            .map(|parameter| {
                if parameter.optional {
                    format!("[{}]", parameter.name)
                } else {
                    parameter.name.to_owned()
                }
            })
            .collect();
        let more = if self.repeating > 0 { ", …" } else { "" };
        format!("{}({}{more})", self.name, names.join(", "))
    }

    /// Says how many arguments it takes: "2 or 3 arguments".
    pub fn arity(&self) -> String {
        let most = self.parameters.len();
        match (self.repeating, self.fewest == most) {
            (0, true) if most == 1 => "1 argument".to_owned(),
            (0, true) => format!("{most} arguments"),
            (0, false) if self.fewest + 1 == most => format!("{} or {most} arguments", self.fewest),
            (0, false) => format!("{} to {most} arguments", self.fewest),
            (2, _) => format!("an even number of arguments, {} or more,", self.fewest),
            _ if self.fewest == 1 => "1 or more arguments".to_owned(),
            _ => format!("{} or more arguments", self.fewest),
        }
    }

    /// Explains it, as Markdown that reads well as plain text.
    pub fn explanation(&self) -> String {
        let mut lines = vec![
            format!("### {}", self.name),
            String::new(),
            format!("`{}`", self.signature()),
            String::new(),
            self.summary.to_owned(),
        ];
        if !self.parameters.is_empty() {
            lines.push(String::new());
        }
        lines.extend(self.parameters.iter().map(|parameter| {
            let optional = if parameter.optional {
                ", may be empty"
            } else {
                ""
            };
            format!(
                "- `{}` ({}{optional}): {}",
                parameter.name,
                parameter.kind.noun(),
                parameter.meaning
            )
        }));
        if !self.note.is_empty() {
            lines.extend([String::new(), self.note.to_owned()]);
        }
        let shown = match self.dialect {
            Dialect::Provisioning => None,
            Dialect::CloudSync => {
                Some("Entra knows it in cloud sync only; here it works, with a warning.")
            }
            Dialect::Undocumented => {
                Some("Entra lists it without saying what it does; here it works, with a warning.")
            }
        };
        if let Some(shown) = shown {
            lines.extend([String::new(), shown.to_owned()]);
        }
        for example in self.examples {
            let result = if example.result.is_empty() {
                "differs every time"
            } else {
                example.result
            };
            lines.extend([
                String::new(),
                "```text".to_owned(),
                example.expression.to_owned(),
                format!("  with {}", example.attributes),
                format!("  is   {result}"),
                "```".to_owned(),
            ]);
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// Whether it can be called with that many arguments; omitted ones count.
    pub(crate) fn accepts(&self, given: usize) -> bool {
        given >= self.fewest
            && match self.repeating {
                0 => given <= self.parameters.len(),
                repeating => (given - self.fewest).is_multiple_of(repeating),
            }
    }

    /// Returns the parameter at a place of a call with so many arguments.
    pub(crate) fn parameter(&self, index: usize, given: usize) -> Option<&'static Parameter> {
        if given == self.short_form.len() && given > 0 {
            return self.short_form.get(index);
        }
        let count = self.parameters.len();
        if index < count || self.repeating == 0 {
            return self.parameters.get(index);
        }
        self.parameters
            .get(count - self.repeating + (index - count) % self.repeating)
    }

    /// Whether the value of some argument becomes the result as it is.
    pub(crate) fn passes_anything(&self) -> bool {
        !matches!(self.passes, Passes::Nothing)
    }

    /// Whether the value of this argument becomes the result as it is.
    pub(crate) fn passes_through(&self, index: usize) -> bool {
        match self.passes {
            Passes::Nothing => false,
            Passes::All => true,
            Passes::Rest => index > 0,
            Passes::Values => index % 2 == 1,
        }
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

/// Returns the reference of all functions as a Markdown page.
pub fn page() -> String {
    let mut page = String::from(
        "# The expression language\n\n\
         Mappings of type *Expression* are written in the language of Entra's application provisioning. An attribute is written in brackets,\n\
         `[givenName]`; a text in double quotes; a function by its name, in exactly this case. `rollcall expression eval` tries an\n\
         expression, `rollcall expression explain NAME` shows a function. This page is made from the library itself.\n",
    );
    for topic in Topic::ALL {
        page.push_str("\n## ");
        page.push_str(topic.title());
        page.push('\n');
        for function in all().iter().filter(|function| function.topic == topic) {
            page.push('\n');
            page.push_str(&function.explanation());
        }
    }
    page
}

/// Returns every function, by name.
pub fn all() -> &'static [Function] {
    table::FUNCTIONS
}

/// Finds a function; case matters.
pub fn find(name: &str) -> Option<&'static Function> {
    let place = table::FUNCTIONS
        .binary_search_by(|function| function.name.cmp(name))
        .ok()?;
    table::FUNCTIONS.get(place)
}

/// Returns the function whose name is nearest to a text that is none.
pub fn nearest(name: &str) -> Option<&'static Function> {
    let best = nearest_of(name, all().iter().map(|function| function.name))?;
    find(best)
}

/// Finds the name that was probably meant, among these.
pub fn nearest_of<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let lower = name.to_ascii_lowercase();
    let allowed = match name.chars().count() {
        0..=3 => 0,
        4..=6 => 1,
        _ => 2,
    };
    names
        .into_iter()
        .map(|known| (distance(&lower, &known.to_ascii_lowercase()), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= allowed)
        .map(|(_, known)| known)
}

/// Counts the characters to change, add, leave out or exchange with their neighbour between two short texts.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().take(64).collect();
    let right: Vec<char> = right.chars().take(64).collect();
    let width = right.len() + 1;
    // costs[row * width + column]: from the first `row` characters of one to the first `column` of the other
    let mut costs: Vec<usize> = (0..width).collect();
    for row in 1..=left.len() {
        costs.push(row);
        for column in 1..width {
            let at = |up: usize, back: usize| {
                let place = (row - up) * width + column - back;
                costs.get(place).copied().unwrap_or(usize::MAX - 1)
            };
            let is_same = left.get(row - 1) == right.get(column - 1);
            let is_exchange = row > 1
                && column > 1
                && left.get(row - 1) == right.get(column - 2)
                && left.get(row - 2) == right.get(column - 1);
            let mut cost = (at(1, 1) + usize::from(!is_same))
                .min(at(0, 1) + 1)
                .min(at(1, 0) + 1);
            if is_exchange {
                cost = cost.min(at(2, 2) + 1);
            }
            costs.push(cost);
        }
    }
    costs.last().copied().unwrap_or(usize::MAX)
}

/// Functions of the on-premises engine, with what to write here.
const CONNECT_SYNC: &[(&str, &str)] = &[
    ("BitOr", ""),
    ("CGuid", ""),
    ("CNum", "numbers in texts need no conversion"),
    ("ConvertToUTF8", ""),
    ("DNComponentRev", ""),
    ("EscapeDNComponent", ""),
    ("FormatDateTimeLocal", ""),
    ("ImportedValue", ""),
    ("InStrRev", ""),
    ("IsBitSet", "compare `BitAnd(…)` with 0"),
    ("IsDate", ""),
    ("IsGuid", ""),
    ("IsNumeric", ""),
    ("ItemOrNull", "use `Item`"),
    ("LCase", "use `ToLower`"),
    ("LTrim", "use `Replace` with the pattern `^\\s+`"),
    ("Len", ""),
    (
        "PadLeft",
        "use `Replace(Join(\"\", \"0000\", [x]), , \"(.*?)(?<id>.{0,4})$\", , \"${id}\", , )`",
    ),
    ("PadRight", ""),
    ("RTrim", "use `Replace` with the pattern `\\s+$`"),
    ("RandomNum", "use `RandomString`"),
    ("ReplaceChars", "use `NormalizeDiacritics` or `Replace`"),
    (
        "Right",
        "use `Replace` with the pattern `(.*?)(?<end>.{0,4})$`",
    ),
    ("Select", ""),
    ("Trace", ""),
    ("UCase", "use `ToUpper`"),
    ("Where", ""),
    ("With", ""),
];

/// Functions that Entra names without saying what they do, and that cannot be guessed.
const UNEXPLAINED: &[&str] = &["AppRoleAssignments", "DefaultDomain"];

/// Makes the mistake for a name that is no function.
pub(crate) fn unknown(name: &str, span: Range<usize>) -> Mistake {
    let same = |other: &str| other.eq_ignore_ascii_case(name);
    if let Some(function) = all().iter().find(|function| same(function.name)) {
        let message = format!("unknown function `{name}`");
        return Mistake::error(span.clone(), message)
            .help(format!("did you mean `{}`? Case matters", function.name))
            .fix(span, function.name);
    }
    if let Some((foreign, instead)) = CONNECT_SYNC.iter().find(|(foreign, _)| same(foreign)) {
        let mistake = Mistake::error(
            span,
            format!(
                "`{foreign}` belongs to the Connect sync dialect, not to application provisioning"
            ),
        );
        return if instead.is_empty() {
            mistake
        } else {
            mistake.help(*instead)
        };
    }
    if UNEXPLAINED.iter().any(|unexplained| same(unexplained)) {
        let message = format!(
            "Entra lists `{name}` but documents no behaviour for it; it cannot be used here"
        );
        return Mistake::error(span, message);
    }
    let mistake = Mistake::error(span.clone(), format!("unknown function `{name}`"));
    match nearest(name) {
        Some(function) => mistake
            .help(format!("did you mean `{}`?", function.name))
            .fix(span, function.name),
        None => mistake,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_because_they_are_in_order() {
        assert!(all().is_sorted_by(|one, next| one.name < next.name));
        for function in all() {
            assert_eq!(
                find(function.name).map(|found| found.name),
                Some(function.name)
            );
        }
        assert!(find("switch").is_none());
    }

    #[test]
    fn every_function_is_explained() {
        for function in all() {
            assert!(!function.summary.is_empty(), "{}", function.name);
            assert!(
                !function.examples.is_empty(),
                "{} has no example",
                function.name
            );
            for parameter in function.parameters {
                assert!(
                    !parameter.meaning.is_empty(),
                    "{}: {}",
                    function.name,
                    parameter.name
                );
            }
        }
    }

    #[test]
    fn a_name_that_is_no_function_is_explained() {
        for (name, help) in [
            ("switch", "did you mean `Switch`? Case matters"),
            ("Swich", "did you mean `Switch`?"),
            ("NormaliseDiacritics", "did you mean `NormalizeDiacritics`?"),
            ("lcase", "use `ToLower`"),
        ] {
            assert_eq!(unknown(name, 0..1).help.as_deref(), Some(help), "{name}");
        }
        assert!(unknown("Len", 0..1).message.contains("Connect sync"));
        assert_eq!(unknown("Frobnicate", 0..1).help, None);
    }

    #[test]
    fn signatures_show_what_is_optional_and_what_repeats() {
        for (name, signature, arity) in [
            (
                "Switch",
                "Switch(source, [defaultValue], key, value, …)",
                "an even number of arguments, 4 or more,",
            ),
            ("Left", "Left(source, length)", "2 arguments"),
            ("Now", "Now()", "0 arguments"),
            (
                "InStr",
                "InStr(value1, value2, [start], [compareType])",
                "2 to 4 arguments",
            ),
            ("ToLower", "ToLower(source, [culture])", "1 or 2 arguments"),
        ] {
            let function = find(name).unwrap();
            assert_eq!(
                (function.signature().as_str(), function.arity().as_str()),
                (signature, arity)
            );
        }
    }
}
