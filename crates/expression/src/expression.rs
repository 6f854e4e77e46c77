//! A parsed and checked expression.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::check::check;
use crate::evaluate::{Context, Evaluator, Failure, Outcome};
use crate::mistake::{Mistake, Mistakes, Severity};
use crate::outline::{Part, outline};
use crate::parse::parse;
use crate::syntax::{Kind, Node};
use crate::{Attributes, limits};

/// An expression without mistakes, ready to be evaluated.
///
/// Its `Display` is the canonical text; [`source`](Self::source) is what was written.
#[derive(Debug, Clone)]
pub struct Expression {
    source: String,
    root: Node,
    warnings: Vec<Mistake>,
}

impl Expression {
    /// Reads and checks an expression.
    ///
    /// # Errors
    /// Every mistake that was found, with the warnings among them.
    pub fn parse(source: &str) -> Result<Self, Mistakes> {
        let (mut root, mut mistakes, complete) = parse(source);
        // behind a place where nothing could be understood, the number of arguments means nothing
        if complete {
            mistakes.extend(check(&mut root, source));
        }
        if mistakes
            .iter()
            .any(|mistake| mistake.severity == Severity::Error)
            && let Some(mistakes) = Mistakes::new(mistakes.clone())
        {
            return Err(mistakes);
        }
        mistakes.sort_by_key(|mistake| (mistake.span.start, mistake.span.end));
        mistakes.truncate(limits::MISTAKES);
        Ok(Self {
            source: source.to_owned(),
            root,
            warnings: mistakes,
        })
    }

    /// Returns what may not do what was meant, or not everywhere.
    pub fn warnings(&self) -> &[Mistake] {
        &self.warnings
    }

    /// Returns the names of the attributes that it may read.
    pub fn attributes(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.root.visit(&mut |node| {
            if let Kind::Attribute(name) = &node.kind {
                names.insert(name.as_str());
            }
        });
        names
    }

    /// Returns every place where an attribute is read, in the order of the text: its name, and the bytes of it with its brackets.
    pub fn attribute_places(&self) -> Vec<(&str, Range<usize>)> {
        let mut places = Vec::new();
        self.root.visit(&mut |node| {
            if let Kind::Attribute(name) = &node.kind {
                places.push((name.as_str(), node.span.clone()));
            }
        });
        places
    }

    /// Returns the text that was parsed.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the attribute that this is, when it is nothing else: a mapping of type *Direct*.
    pub fn direct(&self) -> Option<&str> {
        match &self.root.kind {
            Kind::Attribute(name) => Some(name),
            _ => None,
        }
    }

    /// Returns what it is made of.
    pub fn outline(&self) -> Part {
        outline(&self.root)
    }

    /// Whether logs must show `[Redact]` in place of the value: `Redact` is called anywhere in it.
    pub fn is_redacted(&self) -> bool {
        self.calls("Redact")
    }

    /// Whether a function is called anywhere in it.
    pub fn calls(&self, function: &str) -> bool {
        let mut found = false;
        self.root.visit(&mut |node| {
            found |= matches!(&node.kind, Kind::Call(call) if call.function.name == function);
        });
        found
    }

    /// Evaluates the expression for one source object.
    ///
    /// # Errors
    /// When it has no value for this object; other objects may have one.
    pub fn evaluate(
        &self,
        source: &dyn Attributes,
        context: &mut Context<'_>,
    ) -> Result<Outcome, Failure> {
        Evaluator::run(&self.root, source, context)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(formatter)
    }
}

impl FromStr for Expression {
    type Err = Mistakes;

    fn from_str(source: &str) -> Result<Self, Mistakes> {
        Self::parse(source)
    }
}

impl PartialEq for Expression {
    /// Whether both are written the same, apart from white space.
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}
