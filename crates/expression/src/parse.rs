//! Text to tree.
//!
//! **Is:** recursive descent over the characters of an expression; after a mistake it goes on at the next comma or
//! parenthesis, so that several are found at once. **Is not:** the meaning: how many arguments a function takes and what may
//! stand where is `check`'s matter.
//! **Start at** [`parse`].

use std::ops::Range;

use crate::Number;
use crate::library;
use crate::limits;
use crate::mistake::Mistake;
use crate::syntax::{Call, Comparison, Kind, Node, Operator, Word};

/// Reads an expression: the tree as far as it was understood, the mistakes on the way, and whether the end was reached.
///
/// A tree without mistakes holds no [`Kind::Wrong`].
pub(crate) fn parse(source: &str) -> (Node, Vec<Mistake>, bool) {
    let mut parser = Parser {
        source,
        position: 0,
        depth: 0,
        stopped: false,
        mistakes: Vec::new(),
    };
    let node = parser.expression();
    (node, parser.mistakes, !parser.stopped)
}

struct Parser<'a> {
    source: &'a str,
    /// INVARIANT: at a character border of `source`.
    position: usize,
    depth: usize,
    /// Whether nothing behind this place can be understood; what follows would only be noise.
    stopped: bool,
    mistakes: Vec<Mistake>,
}

impl Parser<'_> {
    fn expression(&mut self) -> Node {
        let characters = self.source.chars().count();
        if characters > limits::EXPRESSION_CHARACTERS {
            let message = format!(
                "an expression has at most {} characters; this one has {characters}",
                limits::EXPRESSION_CHARACTERS
            );
            self.mistakes.push(Mistake::error(0..0, message));
            return self.wrong(0);
        }
        self.skip_space();
        if self.peek().is_none() {
            self.mistakes.push(
                Mistake::error(0..0, "the expression is empty")
                    .help("for an empty text write \"\""),
            );
            return self.wrong(0);
        }
        let node = self.argument();
        self.skip_space();
        if self.peek().is_some() && !self.stopped {
            let span = self.position..self.source.len();
            let mistake = match self.peek() {
                Some(')') => Mistake::error(
                    self.position..self.position + 1,
                    "one `)` too many: it closes nothing",
                ),
                Some(',') => Mistake::error(
                    self.position..self.position + 1,
                    "a comma outside of the parentheses of a function",
                )
                .help("an expression is one call, one attribute or one constant"),
                _ => match self.operator_of_another_language() {
                    Some(mistake) => mistake,
                    None => Mistake::error(span, "text after the end of the expression")
                        .help("an expression is one call; join values with `Join` or `Append`"),
                },
            };
            self.mistakes.push(mistake);
        }
        node
    }

    /// An operand, `a & b`, or a comparison of two of these.
    fn argument(&mut self) -> Node {
        let mut left = self.concatenation();
        while let Some((operator, span)) = self.comparison_operator() {
            if matches!(left.kind, Kind::Comparison(_)) {
                self.mistakes.push(
                    Mistake::error(span, "only one comparison can stand here").help(
                        "for AND nest an `IIF` in the true branch, for OR in the false branch",
                    ),
                );
            }
            let right = self.operand_after_operator();
            let span = left.span.start..right.span.end;
            left = Node {
                span,
                kind: if matches!(left.kind, Kind::Comparison(_)) {
                    Kind::Wrong
                } else {
                    Kind::Comparison(Box::new(Comparison {
                        operator,
                        left,
                        right,
                    }))
                },
            };
        }
        left
    }

    fn operand_after_operator(&mut self) -> Node {
        self.skip_space();
        if matches!(self.peek(), None | Some(',' | ')')) {
            self.mistakes.push(Mistake::error(
                self.position..self.position,
                "a value is missing after the operator",
            ));
            return self.wrong(self.position);
        }
        self.concatenation()
    }

    fn comparison_operator(&mut self) -> Option<(Operator, Range<usize>)> {
        if self.stopped {
            return None;
        }
        self.skip_space();
        let start = self.position;
        for (foreign, ours) in [("==", "="), ("!=", "<>")] {
            if self.rest().starts_with(foreign) {
                self.position += foreign.len();
                self.mistakes.push(
                    Mistake::error(
                        start..self.position,
                        format!("unknown operator `{foreign}`"),
                    )
                    .help(format!("write `{ours}`"))
                    .fix(start..self.position, ours),
                );
                return Some((Operator::Equal, start..self.position));
            }
        }
        let (symbol, operator) = Operator::ALL
            .into_iter()
            .find(|(symbol, _)| self.rest().starts_with(symbol))?;
        self.position += symbol.len();
        Some((operator, start..self.position))
    }

    fn concatenation(&mut self) -> Node {
        let first = self.operand();
        let start = first.span.start;
        let mut parts = vec![first];
        while !self.stopped {
            self.skip_space();
            if self.peek() != Some('&') {
                break;
            }
            self.position += 1;
            self.skip_space();
            if matches!(self.peek(), None | Some(',' | ')' | '&')) {
                self.mistakes.push(Mistake::error(
                    self.position - 1..self.position,
                    "a value is missing after the operator",
                ));
                parts.push(self.wrong(self.position));
                continue;
            }
            let part = self.operand();
            parts.push(part);
        }
        let end = parts.last().map_or(start, |part| part.span.end);
        match parts.pop() {
            Some(single) if parts.is_empty() => single,
            last => {
                parts.extend(last);
                Node {
                    span: start..end,
                    kind: Kind::Concatenation(parts),
                }
            }
        }
    }

    fn operand(&mut self) -> Node {
        self.skip_space();
        let start = self.position;
        match self.peek() {
            Some('[') => self.attribute(),
            Some('"') => self.text(),
            Some('0'..='9' | '-' | '.') => self.number(),
            Some('&') => self.hexadecimal(),
            Some(letter) if is_name(letter) => self.word_or_call(),
            Some('\'') => self.foreign_quotes('\'', '\''),
            Some('“' | '”' | '„') => self.foreign_quotes('“', '”'),
            Some('%') => {
                let mistake = self.parameter_of_connect_sync();
                self.mistakes.push(mistake);
                self.wrong(start)
            }
            Some('=') if start == 0 => {
                self.position += 1;
                self.mistakes.push(
                    Mistake::error(
                        start..self.position,
                        "an expression does not begin with `=`",
                    )
                    .help("leave it out")
                    .fix(start..self.position, ""),
                );
                self.operand()
            }
            _ => {
                let end = self.skip_to_border();
                self.mistakes.push(
                    Mistake::error(start..end, "this is neither attribute, constant nor call")
                        .help("write `[attribute]`, `\"text\"`, a number or `Function(…)`"),
                );
                self.wrong(start)
            }
        }
    }

    fn attribute(&mut self) -> Node {
        let start = self.position;
        let mut depth = 0_usize;
        let mut quoted = false;
        let mut end = None;
        for (offset, character) in self.rest().char_indices() {
            match character {
                // filters hold quoted text, in which brackets are plain
                '"' if depth > 1 => quoted = !quoted,
                '[' if !quoted => depth += 1,
                ']' if !quoted => {
                    depth -= 1;
                    if depth == 0 {
                        end = Some(start + offset);
                        break;
                    }
                }
                _ => {}
            }
        }
        let Some(end) = end else {
            self.position += 1;
            let name_end = self.skip_to_border();
            self.mistakes.push(Mistake::error(
                start..name_end,
                "the attribute is not closed: a `]` is missing",
            ));
            return self.wrong(start);
        };
        self.position = end + 1;
        let name = self.source.get(start + 1..end).unwrap_or_default().trim();
        if name.is_empty() {
            self.mistakes.push(Mistake::error(
                start..self.position,
                "an attribute needs a name between the brackets",
            ));
            return self.wrong(start);
        }
        Node {
            span: start..self.position,
            kind: Kind::Attribute(name.to_owned()),
        }
    }

    fn text(&mut self) -> Node {
        let start = self.position;
        let mut text = String::new();
        let mut characters = self.rest().char_indices().skip(1).peekable();
        let mut escaped_quote = None;
        while let Some((offset, character)) = characters.next() {
            match character {
                '"' => {
                    self.position = start + offset + 1;
                    return Node {
                        span: start..self.position,
                        kind: Kind::Text(text),
                    };
                }
                '\\' => match characters.peek() {
                    Some((_, next @ ('"' | '\\'))) => {
                        if *next == '"' {
                            escaped_quote = Some(start + offset);
                        }
                        text.push(*next);
                        characters.next();
                    }
                    // any other sequence stays as written: patterns are published as "\+" and as "\\+"
                    _ => text.push('\\'),
                },
                other => text.push(other),
            }
        }
        let mistake = Mistake::error(
            start..start + 1,
            "the text is not closed: a `\"` is missing",
        );
        self.mistakes.push(match escaped_quote {
            Some(_) => mistake
                .help("`\\\"` is a quote inside a text; a backslash at its end is written `\\\\`"),
            None => mistake,
        });
        self.position = self.source.len();
        self.stopped = true;
        self.wrong(start)
    }

    fn foreign_quotes(&mut self, open: char, close: char) -> Node {
        let start = self.position;
        self.advance();
        let length = self
            .rest()
            .find(|character| [open, close, '"', '”', '“'].contains(&character));
        match length {
            Some(length) => {
                self.position += length;
                self.advance();
            }
            None => {
                self.skip_to_border();
            }
        }
        let mistake = Mistake::error(
            start..self.position,
            "text is written in straight double quotes",
        )
        .help("write \"…\"");
        let written = self.source.get(start..self.position).unwrap_or_default();
        let mut letters = written.chars();
        letters.next();
        let is_closed = length.is_some() && letters.next_back().is_some();
        let text = letters.as_str();
        let mistake = if is_closed && !text.contains(['"', '\\']) {
            mistake.fix(start..self.position, format!("\"{text}\""))
        } else {
            mistake
        };
        self.mistakes.push(mistake);
        self.wrong(start)
    }

    fn number(&mut self) -> Node {
        let start = self.position;
        let length = self
            .rest()
            .find(|character: char| {
                !(character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_'))
            })
            .unwrap_or(self.rest().len());
        self.position += length.max(1);
        let text = self.source.get(start..self.position).unwrap_or_default();
        match text.parse::<Number>() {
            Ok(number) => Node {
                span: start..self.position,
                kind: Kind::Number(number),
            },
            Err(problem) => {
                self.mistakes.push(Mistake::error(
                    start..self.position,
                    format!("`{text}` is {problem}"),
                ));
                self.wrong(start)
            }
        }
    }

    fn hexadecimal(&mut self) -> Node {
        let start = self.position;
        let digits_start = start + 2;
        if !self.rest().starts_with("&H") {
            self.position += 1;
            self.mistakes.push(
                Mistake::error(start..self.position, "nothing stands before `&`")
                    .help("a hexadecimal number is written `&HF7`"),
            );
            return self.wrong(start);
        }
        self.position = digits_start;
        let length = self
            .rest()
            .find(|character: char| !is_name(character))
            .unwrap_or(self.rest().len());
        self.position += length;
        let digits = self
            .source
            .get(digits_start..self.position)
            .unwrap_or_default();
        let number = if digits.is_empty() {
            None
        } else {
            Number::from_hexadecimal(digits).ok()
        };
        let Some(number) = number else {
            self.mistakes.push(
                Mistake::error(start..self.position, "not a hexadecimal number")
                    .help("`&H` and one to sixteen of 0–9, A–F: `&HF7`"),
            );
            return self.wrong(start);
        };
        Node {
            span: start..self.position,
            kind: Kind::Number(number),
        }
    }

    fn word_or_call(&mut self) -> Node {
        let start = self.position;
        let length = self
            .rest()
            .find(|character: char| !is_name(character))
            .unwrap_or(self.rest().len());
        self.position += length;
        let span = start..self.position;
        let name = self.source.get(span.clone()).unwrap_or_default();
        self.skip_space();
        if self.peek() == Some('(') {
            return self.call(name, span);
        }
        self.position = span.end;
        if let Some(word) = Word::find(name) {
            return Node {
                span,
                kind: Kind::Word(word),
            };
        }
        let mistake = Mistake::error(span.clone(), format!("unknown word `{name}`"));
        let word = Word::ALL
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(name));
        let mistake = if let Some((word, _)) = word {
            mistake
                .help(format!("did you mean `{word}`? Case matters"))
                .fix(span.clone(), *word)
        } else if library::find(name).is_some() {
            mistake.help(format!(
                "a function is called with parentheses: `{name}(…)`"
            ))
        } else {
            mistake
                .help(format!(
                    "an attribute is written `[{name}]`, a text `\"{name}\"`"
                ))
                .fix(span.clone(), format!("[{name}]"))
        };
        self.mistakes.push(mistake);
        Node {
            span,
            kind: Kind::Wrong,
        }
    }

    /// The arguments, from the opening parenthesis on.
    fn call(&mut self, name: &str, name_span: Range<usize>) -> Node {
        let function = library::find(name);
        if function.is_none() {
            self.mistakes
                .push(library::unknown(name, name_span.clone()));
        }
        self.depth += 1;
        if self.depth > limits::DEPTH {
            self.mistakes.push(Mistake::error(
                name_span.clone(),
                format!("calls are nested more than {} deep", limits::DEPTH),
            ));
            self.stopped = true;
            self.position = self.source.len();
            self.depth -= 1;
            return self.wrong(name_span.start);
        }
        let arguments = self.arguments(name, &name_span);
        self.depth -= 1;
        let span = name_span.start..self.position;
        let kind = match function {
            Some(function) => Kind::Call(Call {
                function,
                name: name_span,
                arguments,
                pattern: None,
            }),
            None => Kind::Wrong,
        };
        Node { span, kind }
    }

    fn arguments(&mut self, name: &str, name_span: &Range<usize>) -> Vec<Option<Node>> {
        let open = self.position;
        self.position += 1;
        let mut arguments = Vec::new();
        self.skip_space();
        if self.peek() == Some(')') {
            self.position += 1;
            return arguments;
        }
        loop {
            self.skip_space();
            if self.stopped {
                return arguments;
            }
            match self.peek() {
                Some(',') => {
                    self.position += 1;
                    arguments.push(None);
                    continue;
                }
                Some(')') => {
                    self.position += 1;
                    arguments.push(None);
                    return arguments;
                }
                None => {
                    self.unclosed(name, name_span, open);
                    return arguments;
                }
                Some(_) => {}
            }
            let argument = self.argument();
            arguments.push(Some(argument));
            if self.stopped {
                return arguments;
            }
            self.skip_space();
            match self.peek() {
                Some(',') => self.position += 1,
                Some(')') => {
                    self.position += 1;
                    return arguments;
                }
                None => {
                    self.unclosed(name, name_span, open);
                    return arguments;
                }
                Some(_) => self.missing_comma(),
            }
        }
    }

    fn unclosed(&mut self, name: &str, name_span: &Range<usize>, open: usize) {
        self.stopped = true;
        self.mistakes.push(Mistake::error(
            name_span.start..open + 1,
            format!("the call of `{name}` is not closed: a `)` is missing"),
        ));
    }

    /// Reports what stands between two arguments, and leaves the position where the next one may begin.
    fn missing_comma(&mut self) {
        if let Some(mistake) = self.operator_of_another_language() {
            self.mistakes.push(mistake);
            return;
        }
        let start = self.position;
        let begins_operand = self
            .peek()
            .is_some_and(|next| is_name(next) || matches!(next, '[' | '"' | '\'' | '“'));
        if begins_operand {
            let before = self.source.get(..start).unwrap_or_default();
            let end = before.trim_end().len();
            self.mistakes.push(
                Mistake::error(
                    start..start + self.peek().map_or(0, char::len_utf8),
                    "a comma is missing before this",
                )
                .fix(end..end, ","),
            );
            return;
        }
        let end = self.skip_to_border();
        self.mistakes.push(Mistake::error(
            start..end,
            "a comma or a closing parenthesis is expected here",
        ));
        if self.peek() == Some(',') {
            self.position += 1;
        }
    }

    /// Recognises, behind an operand, the operators that other languages have; goes past one.
    fn operator_of_another_language(&mut self) -> Option<Mistake> {
        let start = self.position;
        let word: String = self
            .rest()
            .chars()
            .take_while(|next| is_name(*next))
            .collect();
        let upper = word.to_ascii_uppercase();
        let (length, help) = match upper.as_str() {
            "AND" | "ANDALSO" => (word.len(), "for AND nest an `IIF` in the true branch"),
            "OR" | "ORELSE" => (word.len(), "for OR nest an `IIF` in the false branch"),
            _ => match self.peek()? {
                '+' => (
                    1,
                    "there is no arithmetic; texts are joined with `Join` or `Append`",
                ),
                '*' | '/' | '-' | '^' => (1, "there is no arithmetic in expressions"),
                '|' => (1, "for OR nest an `IIF` in the false branch"),
                ';' => (1, "arguments are separated by commas"),
                _ => return None,
            },
        };
        self.position += length;
        let symbol = self.source.get(start..self.position).unwrap_or_default();
        let message = format!("there is no operator `{symbol}`");
        Some(Mistake::error(start..self.position, message).help(help))
    }

    fn parameter_of_connect_sync(&mut self) -> Mistake {
        let start = self.position;
        self.position += 1;
        let length = self.rest().find(|next: char| !is_name(next) && next != '.');
        self.position += length.unwrap_or(self.rest().len());
        if self.peek() == Some('%') {
            self.position += 1;
        }
        Mistake::error(
            start..self.position,
            "`%parameter%` belongs to the Connect sync dialect, not to application provisioning",
        )
    }

    fn wrong(&self, start: usize) -> Node {
        Node {
            span: start..self.position.max(start),
            kind: Kind::Wrong,
        }
    }

    fn rest(&self) -> &str {
        self.source.get(self.position..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self) {
        self.position += self.peek().map_or(0, char::len_utf8);
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_start().len();
    }

    /// Goes to the next comma or parenthesis, at least one character, and returns where the text before it ends.
    fn skip_to_border(&mut self) -> usize {
        let start = self.position;
        let first = self.peek().map_or(0, char::len_utf8);
        let after = self.source.get(start + first..).unwrap_or_default();
        let length = after.find([',', '(', ')']).unwrap_or(after.len());
        self.position = start + first + length;
        let skipped = self.source.get(start..self.position).unwrap_or_default();
        start + skipped.trim_end().len().max(first)
    }
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}
