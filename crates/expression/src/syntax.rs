//! The tree of an expression, and its canonical text.
//!
//! **Is:** nodes with their place in the source. **Is not:** judgement; `check` finds what a tree means and what is wrong.
//! **Start at** [`Node`].

use std::fmt;
use std::ops::Range;

use crate::Number;
use crate::library::Function;
use crate::pattern::Pattern;

/// A part of an expression.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Its place: bytes of the source.
    pub(crate) span: Range<usize>,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// `[name]`.
    Attribute(String),
    /// `"text"`, without quotes and escapes.
    Text(String),
    Number(Number),
    /// A bare word such as `vbTextCompare`.
    Word(Word),
    Call(Call),
    /// `a & b & c`: at least two parts.
    Concatenation(Vec<Node>),
    Comparison(Box<Comparison>),
    /// What could not be understood; a mistake has been reported.
    Wrong,
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) function: &'static Function,
    /// The place of the name.
    pub(crate) name: Range<usize>,
    /// `None` is an omitted argument.
    pub(crate) arguments: Vec<Option<Node>>,
    /// The regular expression, compiled when it is a constant.
    pub(crate) pattern: Option<Pattern>,
}

#[derive(Debug, Clone)]
pub(crate) struct Comparison {
    pub(crate) operator: Operator,
    pub(crate) left: Node,
    pub(crate) right: Node,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Operator {
    /// In the order in which they are tried: a longer one before its beginning.
    pub(crate) const ALL: [(&'static str, Self); 6] = [
        ("<>", Self::NotEqual),
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("=", Self::Equal),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    fn symbol(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, operator)| *operator == self)
            .map_or("=", |(symbol, _)| symbol)
    }
}

/// A bare word that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    TextCompare,
    BinaryCompare,
    Utf8,
    Utf16,
    Ascii,
    IgnoreAttributeFlow,
    IgnoreObjectFlow,
}

impl Word {
    pub(crate) const ALL: [(&'static str, Self); 7] = [
        ("vbTextCompare", Self::TextCompare),
        ("vbBinaryCompare", Self::BinaryCompare),
        ("UTF8", Self::Utf8),
        ("UTF16", Self::Utf16),
        ("ASCII", Self::Ascii),
        ("IgnoreAttributeFlow", Self::IgnoreAttributeFlow),
        ("IgnoreObjectFlow", Self::IgnoreObjectFlow),
    ];

    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(word, _)| *word == name)
            .map(|(_, word)| *word)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, word)| *word == self)
            .map_or("", |(name, _)| name)
    }
}

impl Node {
    /// Visits the node and everything below it, in the order of the text.
    pub(crate) fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Node)) {
        see(self);
        match &self.kind {
            Kind::Call(call) => {
                for argument in call.arguments.iter().flatten() {
                    argument.visit(see);
                }
            }
            Kind::Concatenation(parts) => {
                for part in parts {
                    part.visit(see);
                }
            }
            Kind::Comparison(comparison) => {
                comparison.left.visit(see);
                comparison.right.visit(see);
            }
            Kind::Attribute(_) | Kind::Text(_) | Kind::Number(_) | Kind::Word(_) | Kind::Wrong => {}
        }
    }

    /// Returns the text of a constant, also of a number written without quotes.
    pub(crate) fn constant(&self) -> Option<String> {
        match &self.kind {
            Kind::Text(text) => Some(text.clone()),
            Kind::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

impl fmt::Display for Node {
    /// The canonical text: one space after a comma, none elsewhere; parsing it gives the same tree.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Attribute(name) => write!(formatter, "[{name}]"),
            Kind::Text(text) => {
                let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
                write!(formatter, "\"{escaped}\"")
            }
            Kind::Number(number) => write!(formatter, "{number}"),
            Kind::Word(word) => formatter.write_str(word.name()),
            Kind::Call(call) => {
                write!(formatter, "{}(", call.function.name)?;
                for (index, argument) in call.arguments.iter().enumerate() {
                    if index > 0 {
                        formatter.write_str(", ")?;
                    }
                    if let Some(argument) = argument {
                        write!(formatter, "{argument}")?;
                    }
                }
                formatter.write_str(")")
            }
            Kind::Concatenation(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    if index > 0 {
                        formatter.write_str(" & ")?;
                    }
                    write!(formatter, "{part}")?;
                }
                Ok(())
            }
            Kind::Comparison(comparison) => write!(
                formatter,
                "{} {} {}",
                comparison.left,
                comparison.operator.symbol(),
                comparison.right
            ),
            Kind::Wrong => formatter.write_str("?"),
        }
    }
}
