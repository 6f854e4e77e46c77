//! Reads filters: tokens with their depth counted, then a recursive descent that the depth bounds.

use std::sync::Arc;

use serde_json::Value;

use super::{Comparison, Literal, Node, Operator};
use crate::error::{Error, quoted};
use crate::key;
use crate::leniency;
use crate::limits::Limits;
use crate::path::{Place, Scope};
use crate::schema::{AttributeType, parts_of_rows};
use crate::value;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    /// A name, an operator, a number, `true`, `null`.
    Word(String),
    /// A text in quotes.
    Text(String),
}

/// Reads a filter in a scope.
pub(super) fn parse(text: &str, scope: Scope<'_>, limits: &Limits) -> Result<Node, Error> {
    if text.len() > limits.filter_bytes {
        return Err(Error::invalid_filter(format!(
            "a filter is at most {} bytes long",
            limits.filter_bytes
        )));
    }
    let tokens = tokens(text, limits)?;
    let mut parser = Parser {
        tokens,
        next: 0,
        terms: 0,
        limits,
    };
    let node = parser.alternatives(scope)?;
    match parser.tokens.get(parser.next) {
        None => Ok(node),
        Some(token) => Err(parser.unexpected(token.clone())),
    }
}

fn tokens(text: &str, limits: &Limits) -> Result<Vec<Token>, Error> {
    let mut tokens = Vec::new();
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            ' ' | '\t' | '\r' | '\n' => {
                rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
                continue;
            }
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '[' => (Token::OpenBracket, 1),
            ']' => (Token::CloseBracket, 1),
            '"' => {
                let length = quoted_length(rest)
                    .ok_or_else(|| Error::invalid_filter("a text lacks its closing quote"))?;
                let literal = rest.get(..length).unwrap_or_default();
                let text: String = serde_json::from_str(literal).map_err(|_| {
                    Error::invalid_filter(format!(
                        "{} is not a text in JSON's notation",
                        quoted(literal)
                    ))
                })?;
                (Token::Text(text), length)
            }
            _ => {
                let end = rest
                    .find([' ', '\t', '\r', '\n', '(', ')', '[', ']', '"'])
                    .unwrap_or(rest.len());
                (
                    Token::Word(rest.get(..end).unwrap_or_default().to_owned()),
                    end,
                )
            }
        };
        match token {
            Token::Open | Token::OpenBracket => depth += 1,
            Token::Close | Token::CloseBracket => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limits.filter_depth {
            return Err(Error::invalid_filter(format!(
                "a filter nests at most {} deep",
                limits.filter_depth
            )));
        }
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(tokens)
}

/// Returns the length of the quoted text at the beginning, with its quotes.
fn quoted_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

struct Parser<'l> {
    tokens: Vec<Token>,
    next: usize,
    terms: usize,
    limits: &'l Limits,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
    }

    /// `a or b or …`; `and` binds tighter.
    fn alternatives(&mut self, scope: Scope<'_>) -> Result<Node, Error> {
        let mut nodes = vec![self.conjunction(scope)?];
        while self.is_word("or") {
            self.next += 1;
            nodes.push(self.conjunction(scope)?);
        }
        Ok(single_or(nodes, Node::Or))
    }

    fn conjunction(&mut self, scope: Scope<'_>) -> Result<Node, Error> {
        let mut nodes = vec![self.term(scope)?];
        while self.is_word("and") {
            self.next += 1;
            nodes.push(self.term(scope)?);
        }
        Ok(single_or(nodes, Node::And))
    }

    fn term(&mut self, scope: Scope<'_>) -> Result<Node, Error> {
        match self.take() {
            Some(Token::Open) => {
                let inner = self.alternatives(scope)?;
                self.expect(&Token::Close, "a parenthesis is not closed")?;
                Ok(inner)
            }
            Some(Token::Word(word))
                if word.eq_ignore_ascii_case("not") && self.peek() == Some(&Token::Open) =>
            {
                self.next += 1;
                let inner = self.alternatives(scope)?;
                self.expect(&Token::Close, "a parenthesis is not closed")?;
                Ok(Node::Not(Box::new(inner)))
            }
            Some(Token::Word(name)) => self.condition(&name, scope),
            Some(token) => Err(self.unexpected(token)),
            None => Err(Error::invalid_filter(
                "the filter ends where a condition is expected",
            )),
        }
    }

    fn condition(&mut self, name: &str, scope: Scope<'_>) -> Result<Node, Error> {
        let place = Place::resolve(name, scope).ok_or_else(|| {
            Error::invalid_filter(format!("there is no attribute {}", quoted(name)))
        })?;
        if place.definition().is_secret() {
            return Err(Error::invalid_filter(format!(
                "`{place}` cannot be filtered"
            )));
        }
        if let (true, Some(sub)) = (place.related, &place.sub) {
            check_row(&place, &sub.name)?;
        }
        if self.peek() != Some(&Token::OpenBracket) {
            return self.comparison(place).map(Node::Compare);
        }
        self.next += 1;
        if place.sub.is_some() || !place.attribute.is_complex() {
            return Err(Error::invalid_filter(format!(
                "`{place}` has no parts to put a condition on"
            )));
        }
        let element = Arc::clone(&place.attribute);
        let inner = self.alternatives(Scope::Element(&element))?;
        self.expect(&Token::CloseBracket, "a bracket is not closed")?;
        let inner = match self.peek() {
            // `emails[type eq "work"].value eq "x"`
            Some(Token::Word(word)) if word.starts_with('.') => {
                let name = word.trim_start_matches('.').to_owned();
                self.next += 1;
                let part = Place::resolve(&name, Scope::Element(&element)).ok_or_else(|| {
                    Error::invalid_filter(format!("`{place}` has no part {}", quoted(&name)))
                })?;
                let comparison = Node::Compare(self.comparison(part)?);
                match inner {
                    Node::And(mut nodes) => {
                        nodes.push(comparison);
                        Node::And(nodes)
                    }
                    other => Node::And(vec![other, comparison]),
                }
            }
            _ => inner,
        };
        if place.related
            && let Some(part) = inner.asks_beyond(parts_of_rows(&place.attribute))
        {
            check_row(&place, part)?;
        }
        Ok(Node::Within {
            place,
            inner: Box::new(inner),
        })
    }

    fn comparison(&mut self, place: Place) -> Result<Comparison, Error> {
        self.terms += 1;
        if self.terms > self.limits.filter_terms {
            return Err(Error::invalid_filter(format!(
                "a filter has at most {} conditions",
                self.limits.filter_terms
            )));
        }
        let operator = match self.take() {
            Some(Token::Word(word)) => {
                let known = Operator::ALL
                    .iter()
                    .find(|(_, known)| known.eq_ignore_ascii_case(&word));
                known.map(|(operator, _)| *operator).ok_or_else(|| {
                    Error::invalid_filter(format!(
                        "{} behind `{place}` is no operator: use eq, ne, co, sw, ew, pr, gt, ge, lt or le",
                        quoted(&word)
                    ))
                })?
            }
            _ => {
                return Err(Error::invalid_filter(format!(
                    "`{place}` is not followed by an operator"
                )));
            }
        };
        if operator == Operator::Pr {
            return Ok(Comparison {
                place,
                operator,
                literal: Literal::Null,
                needle: String::new(),
            });
        }
        let literal = match self.take() {
            Some(Token::Text(text)) => Literal::String(text),
            Some(Token::Word(word)) => bare(&word)?,
            _ => {
                return Err(Error::invalid_filter(format!(
                    "`{place} {}` lacks its value",
                    operator.word()
                )));
            }
        };
        check(place, operator, literal)
    }

    fn expect(&mut self, token: &Token, complaint: &str) -> Result<(), Error> {
        match self.take() {
            Some(found) if found == *token => Ok(()),
            Some(found) => Err(self.unexpected(found)),
            None => Err(Error::invalid_filter(complaint)),
        }
    }

    #[expect(clippy::unused_self, reason = "a parser's complaint")]
    fn unexpected(&self, token: Token) -> Error {
        let text = match token {
            Token::Open => "(".to_owned(),
            Token::Close => ")".to_owned(),
            Token::OpenBracket => "[".to_owned(),
            Token::CloseBracket => "]".to_owned(),
            Token::Word(word) | Token::Text(word) => word,
        };
        Error::invalid_filter(format!("{} is not expected there", quoted(&text)))
    }
}

/// Refuses a condition on a part that the rows of an attribute do not hold: it would be true or false of all of them.
fn check_row(place: &Place, part: &str) -> Result<(), Error> {
    let (list, known) = (&place.attribute.name, parts_of_rows(&place.attribute));
    if known.contains(&part) {
        return Ok(());
    }
    Err(Error::invalid_filter(format!(
        "`{list}.{part}` cannot be filtered, only `{list}` by {}",
        known.join(", ")
    )))
}

fn single_or(mut nodes: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
    match (nodes.pop(), nodes.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            nodes.extend(last);
            join(nodes)
        }
    }
}

/// Reads a literal without quotes.
fn bare(word: &str) -> Result<Literal, Error> {
    match word {
        "true" => return Ok(Literal::Boolean(true)),
        "false" => return Ok(Literal::Boolean(false)),
        "null" => return Ok(Literal::Null),
        _ => {}
    }
    if let Some(number) = value::number(word) {
        return Ok(Literal::Number(number));
    }
    leniency::boolean_from_text(word)
        .map(Literal::Boolean)
        .ok_or_else(|| Error::invalid_filter(format!("the value {} needs quotes", quoted(word))))
}

/// Checks that operator and literal fit the attribute, and brings the literal into the attribute's type.
fn check(place: Place, operator: Operator, literal: Literal) -> Result<Comparison, Error> {
    use AttributeType as Type;
    let definition = Arc::clone(place.definition());
    // `emails eq "x"` means the elements' `value`
    let compared = match definition.sub_attribute("value") {
        Some(value) if definition.is_complex() => Arc::clone(value),
        _ => definition,
    };
    let wanted = |what: &str| {
        Err(Error::invalid_filter(format!(
            "`{place}` is compared with {what}"
        )))
    };
    let literal = match (compared.kind, literal) {
        (_, Literal::Null) if matches!(operator, Operator::Eq | Operator::Ne) => Literal::Null,
        (_, Literal::Null) => return wanted("a value by this operator, not with null"),
        (Type::Complex, _) => return wanted("null only; ask for one of its parts"),
        (Type::Boolean, literal) => {
            if !matches!(operator, Operator::Eq | Operator::Ne) {
                return wanted("true or false by eq and ne only");
            }
            match literal {
                Literal::Boolean(value) => Literal::Boolean(value),
                Literal::String(text) => match leniency::boolean_from_text(&text) {
                    Some(value) => Literal::Boolean(value),
                    None => return wanted("true or false"),
                },
                _ => return wanted("true or false"),
            }
        }
        (Type::Integer | Type::Decimal, literal) => {
            if matches!(operator, Operator::Co | Operator::Sw | Operator::Ew) {
                return wanted("a number, not with a part of one");
            }
            match literal {
                Literal::Number(number) => Literal::Number(number),
                Literal::String(text) => match value::number(&text) {
                    Some(number) => Literal::Number(number),
                    None => return wanted("a number"),
                },
                _ => return wanted("a number"),
            }
        }
        (Type::DateTime, Literal::String(text)) => {
            let is_partial = matches!(operator, Operator::Co | Operator::Sw | Operator::Ew);
            if !is_partial && value::instant(&text).is_none() {
                return wanted("an instant such as \"2030-01-31T12:00:00Z\"");
            }
            Literal::String(text)
        }
        (_, Literal::String(text)) => Literal::String(text),
        (_, _) => return wanted("a text in quotes"),
    };
    let needle = match &literal {
        Literal::String(text) if compared.case_exact => text.clone(),
        Literal::String(text) => match operator {
            Operator::Co | Operator::Sw | Operator::Ew => key::fold(text),
            _ => key::canonical(text),
        },
        _ => String::new(),
    };
    Ok(Comparison {
        place,
        operator,
        literal,
        needle,
    })
}

impl Comparison {
    /// Returns the literal as a JSON value.
    pub(crate) fn value(&self) -> Value {
        match &self.literal {
            Literal::Null => Value::Null,
            Literal::Boolean(value) => Value::Bool(*value),
            Literal::Number(number) => Value::Number(number.clone()),
            Literal::String(text) => Value::String(text.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::filter::Filter;
    use crate::limits::STANDARD;
    use crate::schema::Registry;

    #[test]
    fn rows_are_filtered_by_what_they_hold() {
        let registry = Registry::standard();
        let rows = [
            ("Group", "members eq \"x\"", true),
            ("Group", "members.value ne \"x\"", true),
            ("Group", "members.TYPE eq \"User\"", true),
            (
                "Group",
                "members[type eq \"User\" and value eq \"x\"]",
                true,
            ),
            ("Group", "members.display eq \"Ann\"", false),
            ("Group", "members.display ne \"Ann\"", false),
            ("Group", "not (members.$ref pr)", false),
            ("Group", "members[Display eq \"Ann\"]", false),
            (
                "Group",
                "displayName pr or members[value eq \"x\" and not ($ref pr)]",
                false,
            ),
            (
                "Group",
                "members[type eq \"User\"].display eq \"Ann\"",
                false,
            ),
            ("User", "groups.display eq \"Sales\"", true),
            ("User", "groups[display sw \"S\"]", true),
            ("User", "groups.$ref pr", false),
            ("User", "groups[$ref pr]", false),
        ];

        for (kind, text, is_read) in rows {
            let kind = registry.resource_type(kind).unwrap();

            let filter = Filter::parse(text, kind, &STANDARD);

            match filter {
                Ok(_) => assert!(is_read, "{text}"),
                Err(error) => {
                    assert!(!is_read, "{text}: {error}");
                    assert_eq!(error.scim_type(), Some("invalidFilter"), "{text}");
                    assert!(error.detail.contains("by value, type"), "{error}");
                }
            }
        }
    }
}
