//! Filters (RFC 7644 §3.4.2.2): parsed once, with one meaning.
//!
//! **Is:** the grammar, the evaluator, and the conditions by which storage may narrow its search.
//! **Is not:** a query language of a database: whatever an index does, [`Filter::matches`] decides.
//! **Start at** [`Filter::parse`].

mod evaluate;
mod parse;

use std::fmt;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::limits::Limits;
use crate::path::{Place, Scope};
use crate::schema::ResourceType;

pub(crate) use evaluate::values_at;

/// A condition on a resource, resolved against its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    pub(crate) node: Node,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Compare(Comparison),
    /// One element of a list fulfils all of the inner condition.
    Within {
        place: Place,
        inner: Box<Node>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) place: Place,
    pub(crate) operator: Operator,
    pub(crate) literal: Literal,
    /// The literal's text as it is compared: folded unless case matters.
    needle: String,
}

impl Node {
    /// Finds a part of an element about which a condition on the element asks, and which is none of the `known`.
    pub(crate) fn asks_beyond(&self, known: &[&str]) -> Option<&str> {
        match self {
            Self::And(nodes) | Self::Or(nodes) => {
                nodes.iter().find_map(|node| node.asks_beyond(known))
            }
            Self::Not(node) => node.asks_beyond(known),
            Self::Compare(Comparison { place, .. }) | Self::Within { place, .. } => {
                let name = place.attribute.name.as_str();
                (!known.contains(&name)).then_some(name)
            }
        }
    }
}

// a condition is equal to another only if it was written alike; numbers are never NaN here
impl Eq for Filter {}
impl Eq for Node {}
impl Eq for Comparison {}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Has a value.
    Pr,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Ge,
    /// Less than.
    Lt,
    /// Less than or equal.
    Le,
}

impl Operator {
    const ALL: [(Self, &'static str); 10] = [
        (Self::Eq, "eq"),
        (Self::Ne, "ne"),
        (Self::Co, "co"),
        (Self::Sw, "sw"),
        (Self::Ew, "ew"),
        (Self::Pr, "pr"),
        (Self::Gt, "gt"),
        (Self::Ge, "ge"),
        (Self::Lt, "lt"),
        (Self::Le, "le"),
    ];

    fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(operator, _)| *operator == self)
            .map_or("", |(_, word)| word)
    }
}

/// What a value is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// Nothing: equal to an absent value.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number.
    Number(serde_json::Number),
    /// A text, or an instant as text.
    String(String),
}

impl Eq for Literal {}

/// A condition that every match fulfils; storage may use it to narrow its search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conjunct<'f> {
    place: &'f Place,
    /// The list in one of whose elements the place is.
    list: Option<&'f Place>,
    /// How the value is compared.
    pub operator: Operator,
    /// What it is compared with.
    pub literal: &'f Literal,
}

impl Conjunct<'_> {
    /// Returns the canonical path of the attribute, without conditions: `userName`, `emails.value`, `meta.lastModified`.
    pub fn path(&self) -> String {
        match self.list {
            Some(list) => format!("{list}.{}", self.place),
            None if self.place.sub.is_none() && self.place.attribute.is_complex() => {
                format!("{}.value", self.place)
            }
            None => self.place.to_string(),
        }
    }
}

/// Answers for attributes that are rows beside the document: `members` of a group, `groups` of a person.
pub trait Related {
    /// Tells whether the attribute has an element with this `value`.
    fn contains(&self, attribute: &str, value: &str) -> bool;
    /// Returns all elements of the attribute.
    fn values(&self, attribute: &str) -> Vec<Value>;
}

/// There are no such rows.
#[derive(Debug, Clone, Copy)]
pub struct NoRelated;

impl Related for NoRelated {
    fn contains(&self, _attribute: &str, _value: &str) -> bool {
        false
    }
    fn values(&self, _attribute: &str) -> Vec<Value> {
        Vec::new()
    }
}

impl Filter {
    /// Reads a filter on resources of a type.
    ///
    /// # Errors
    /// `invalidFilter` with the place, for what is malformed, too long, too deep, or names what is not there.
    pub fn parse(text: &str, kind: &ResourceType, limits: &Limits) -> Result<Self, Error> {
        Self::parse_in(text, Scope::Resource(kind), limits)
    }

    pub(crate) fn parse_in(text: &str, scope: Scope<'_>, limits: &Limits) -> Result<Self, Error> {
        Ok(Self {
            node: parse::parse(text, scope, limits)?,
        })
    }

    /// Tells whether a document fulfils the filter.
    pub fn matches(&self, document: &Map<String, Value>, related: &dyn Related) -> bool {
        evaluate::matches(&self.node, document, related)
    }

    /// Returns how many comparisons the filter has.
    pub(crate) fn terms(&self) -> usize {
        fn count(node: &Node) -> usize {
            match node {
                Node::And(nodes) | Node::Or(nodes) => nodes.iter().map(count).sum(),
                Node::Not(node) | Node::Within { inner: node, .. } => count(node),
                Node::Compare(_) => 1,
            }
        }
        count(&self.node)
    }

    /// Tells whether the filter asks about rows beside the document.
    pub fn uses_related(&self) -> bool {
        fn asks(node: &Node) -> bool {
            match node {
                Node::And(nodes) | Node::Or(nodes) => nodes.iter().any(asks),
                Node::Not(node) => asks(node),
                Node::Compare(comparison) => comparison.place.related,
                Node::Within { place, .. } => place.related,
            }
        }
        asks(&self.node)
    }

    /// Returns the conditions that every match fulfils.
    pub fn conjuncts(&self) -> Vec<Conjunct<'_>> {
        conjuncts_of(&self.node)
    }
}

fn conjuncts_of(node: &Node) -> Vec<Conjunct<'_>> {
    fn collect<'f>(node: &'f Node, list: Option<&'f Place>, found: &mut Vec<Conjunct<'f>>) {
        match node {
            Node::And(nodes) => nodes.iter().for_each(|node| collect(node, list, found)),
            Node::Within { place, inner } => collect(inner, Some(place), found),
            Node::Compare(comparison) => found.push(Conjunct {
                place: &comparison.place,
                list,
                operator: comparison.operator,
                literal: &comparison.literal,
            }),
            Node::Or(_) | Node::Not(_) => {}
        }
    }
    let mut found = Vec::new();
    collect(node, None, &mut found);
    found
}

impl Filter {
    /// Returns, for each choice between conditions that every match has to make, the alternatives: of each, the conditions that hold
    /// when it is the one. `userName sw "a" or displayName sw "a"` is one choice with two alternatives.
    pub fn choices(&self) -> Vec<Vec<Vec<Conjunct<'_>>>> {
        fn collect<'f>(node: &'f Node, found: &mut Vec<Vec<Vec<Conjunct<'f>>>>) {
            match node {
                Node::And(nodes) => nodes.iter().for_each(|node| collect(node, found)),
                Node::Or(nodes) => found.push(nodes.iter().map(conjuncts_of).collect()),
                _ => {}
            }
        }
        let mut found = Vec::new();
        collect(&self.node, &mut found);
        found
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.node)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, nodes: &[Node], word: &str| {
            for (at, node) in nodes.iter().enumerate() {
                if at > 0 {
                    write!(f, " {word} ")?;
                }
                match node {
                    Self::And(_) | Self::Or(_) => write!(f, "({node})")?,
                    other => write!(f, "{other}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::And(nodes) => joined(f, nodes, "and"),
            Self::Or(nodes) => joined(f, nodes, "or"),
            Self::Not(node) => write!(f, "not ({node})"),
            Self::Within { place, inner } => write!(f, "{place}[{inner}]"),
            Self::Compare(comparison) => {
                write!(f, "{} {}", comparison.place, comparison.operator.word())?;
                if comparison.operator == Operator::Pr {
                    Ok(())
                } else {
                    write!(f, " {}", comparison.literal)
                }
            }
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::String(text) => write!(f, "{}", Value::String(text.clone())),
        }
    }
}
