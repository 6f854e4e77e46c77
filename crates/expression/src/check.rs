//! What a tree may look like, and which trees deserve a warning.
//!
//! **Is:** number and kind of arguments, constants that can be judged before any input is there, constructs that Entra
//! documents as unreliable or that belong to another dialect. **Is not:** grammar; that is `parse`.
//! **Start at** [`check`].

use crate::date;
use crate::date_format;
use crate::library::{Dialect, Function, Kind as Expected};
use crate::mistake::Mistake;
use crate::pattern::Pattern;
use crate::syntax::{Call, Kind, Node, Word};
use crate::{Number, replace};

/// Where a node stands, seen from the whole expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// It is the expression.
    Outermost,
    /// Its value becomes the result as it is: the branch of a choice.
    Tail,
    /// Something is made of its value.
    Inner,
}

/// Judges a tree and compiles its constant patterns.
pub(crate) fn check(root: &mut Node, source: &str) -> Vec<Mistake> {
    let mut checker = Checker {
        source,
        mistakes: Vec::new(),
    };
    checker.node(root, Position::Outermost, false);
    checker.mistakes
}

struct Checker<'a> {
    source: &'a str,
    mistakes: Vec<Mistake>,
}

impl Checker<'_> {
    fn node(&mut self, node: &mut Node, position: Position, condition: bool) {
        match &mut node.kind {
            Kind::Attribute(name) => {
                if name == "appRoleAssignments" {
                    self.mistakes.push(
                        Mistake::warning(
                            node.span.clone(),
                            "`[appRoleAssignments]` cannot be used directly",
                        )
                        .help("wrap it: `SingleAppRoleAssignment([appRoleAssignments])`"),
                    );
                }
            }
            Kind::Text(_) | Kind::Number(_) | Kind::Wrong => {}
            Kind::Word(word) => {
                match word {
                    Word::IgnoreAttributeFlow | Word::IgnoreObjectFlow => {
                        if position == Position::Inner {
                            self.mistakes.push(Mistake::warning(
                            node.span.clone(),
                            format!("`{}` takes effect for the whole expression, not for this argument", word.name()),
                        ));
                        }
                    }
                    _ => self.mistakes.push(Mistake::error(
                        node.span.clone(),
                        format!("the word `{}` has no meaning here", word.name()),
                    )),
                }
            }
            Kind::Concatenation(parts) => {
                self.mistakes.push(
                    Mistake::warning(
                        node.span.clone(),
                        "`&` belongs to the cloud sync dialect; Entra application provisioning refuses it",
                    )
                    .help("use `Join(\"\", …)` or `Append(…)`"),
                );
                for part in parts {
                    self.node(part, Position::Inner, false);
                }
            }
            Kind::Comparison(comparison) => {
                if !condition {
                    self.mistakes.push(
                        Mistake::error(
                            node.span.clone(),
                            "a comparison can only stand as the condition of `IIF` or in `CBool`",
                        )
                        .help("`CBool(a = b)` gives True or False"),
                    );
                }
                for side in [&mut comparison.left, &mut comparison.right] {
                    self.node(side, Position::Inner, false);
                }
            }
            Kind::Call(call) => {
                let span = node.span.clone();
                self.call(call, span, position);
            }
        }
    }

    fn call(&mut self, call: &mut Call, span: std::ops::Range<usize>, position: Position) {
        let function = call.function;
        if position != Position::Outermost && function.outermost {
            if position == Position::Inner || function.name == "SelectUniqueValue" {
                self.mistakes.push(Mistake::error(
                    call.name.clone(),
                    format!("`{}` must be the outermost function", function.name),
                ));
            } else {
                self.mistakes.push(Mistake::warning(
                    call.name.clone(),
                    format!(
                        "Entra documents `{}` as the outermost function only",
                        function.name
                    ),
                ));
            }
        }
        match function.dialect {
            Dialect::Provisioning => {}
            Dialect::CloudSync => self.mistakes.push(Mistake::warning(
                call.name.clone(),
                format!(
                    "`{}` belongs to the cloud sync dialect; Entra application provisioning refuses it",
                    function.name
                ),
            )),
            Dialect::Undocumented => self.mistakes.push(Mistake::warning(
                call.name.clone(),
                format!("Entra lists `{}` but documents no behaviour for it", function.name),
            )),
        }
        let fits = self.arity(call, &span);
        self.arguments(call, position);
        if fits {
            self.special(call, &span);
        }
    }

    /// Checks how many arguments there are and that none of the required ones is omitted.
    fn arity(&mut self, call: &Call, span: &std::ops::Range<usize>) -> bool {
        let function = call.function;
        let given = call.arguments.len();
        if function.name == "Switch" && self.lost_default(call, span) {
            return false;
        }
        if !function.accepts(given) {
            let mistake = Mistake::error(
                call.name.clone(),
                format!(
                    "`{}` takes {}, not {given}",
                    function.name,
                    function.arity()
                ),
            );
            let help = match function.foreign_form {
                Some(form) if given == form.arguments => {
                    format!("{}; here it is `{}`", form.reason, function.signature())
                }
                _ => format!("`{}`", function.signature()),
            };
            self.mistakes.push(mistake.help(help));
            return false;
        }
        let mut complete = true;
        for (index, argument) in call.arguments.iter().enumerate() {
            let Some(parameter) = function.parameter(index, given) else {
                continue;
            };
            if argument.is_none() && !parameter.optional {
                complete = false;
                self.mistakes.push(
                    Mistake::error(
                        call.name.clone(),
                        format!(
                            "`{}` of `{}` (argument {}) cannot be omitted",
                            parameter.name,
                            function.name,
                            index + 1
                        ),
                    )
                    .help(format!("`{}`", function.signature())),
                );
            }
        }
        complete
    }

    /// Recognises the `Switch` that lost its empty second argument when it was copied out of a web page.
    fn lost_default(&mut self, call: &Call, span: &std::ops::Range<usize>) -> bool {
        let given = call.arguments.len();
        if given < 3 || given.is_multiple_of(2) {
            return false;
        }
        let mistake = Mistake::error(
            call.name.clone(),
            "`Switch` takes an even number of arguments: source, default, then pairs of key and value",
        );
        let constant = matches!(
            call.arguments.get(1),
            Some(Some(Node {
                kind: Kind::Text(_),
                ..
            }))
        );
        let source_end = call
            .arguments
            .first()
            .and_then(Option::as_ref)
            .map(|first| first.span.end);
        let help = match (constant, source_end) {
            (true, Some(end)) => {
                let head = self.source.get(span.start..end).unwrap_or_default();
                let tail = self.source.get(end..span.end).unwrap_or_default();
                let repaired = format!("{head}, {tail}");
                if repaired.chars().count() <= 160 {
                    format!("the empty default after the first comma is missing: `{repaired}`")
                } else {
                    "the empty default after the first comma is missing: `Switch(source, , key, value, …)`".to_owned()
                }
            }
            _ => "a key or a value is missing; for no default write `Switch(source, , key, value, …)`".to_owned(),
        };
        self.mistakes.push(mistake.help(help));
        true
    }

    fn arguments(&mut self, call: &mut Call, position: Position) {
        let function = call.function;
        let given = call.arguments.len();
        for (index, argument) in call.arguments.iter_mut().enumerate() {
            let Some(argument) = argument else { continue };
            let parameter = function.parameter(index, given);
            let expected = parameter.map_or(Expected::Any, |parameter| parameter.kind);
            if expected == Expected::Word {
                self.word(argument, function);
                continue;
            }
            if let Some(parameter) = parameter {
                self.constant(argument, parameter.name, expected, function);
            }
            if expected == Expected::Roles
                && matches!(&argument.kind, Kind::Attribute(name) if name == "appRoleAssignments")
            {
                continue;
            }
            let inside = if function.passes_through(index) && position != Position::Inner {
                Position::Tail
            } else {
                Position::Inner
            };
            self.node(argument, inside, expected == Expected::Condition);
        }
    }

    fn word(&mut self, argument: &Node, function: &Function) {
        let words = function.words;
        if let Kind::Word(word) = &argument.kind
            && words.contains(word)
        {
            return;
        }
        let names: Vec<String> = words
            .iter()
            .map(|word| format!("`{}`", word.name()))
            .collect();
        self.mistakes.push(Mistake::error(
            argument.span.clone(),
            format!("one of the words {} is expected here", names.join(", ")),
        ));
    }

    /// Judges an argument that is a constant.
    fn constant(&mut self, argument: &Node, name: &str, expected: Expected, function: &Function) {
        let Some(text) = argument.constant() else {
            return;
        };
        let problem = match expected {
            Expected::Integer => match text.parse::<Number>() {
                Ok(number) if number.integer().is_some() => None,
                _ => Some("a whole number is expected".to_owned()),
            },
            Expected::Date => match date::parse(&text) {
                Ok(_) => None,
                Err(problem) => Some(problem.to_string()),
            },
            Expected::Interval => date::Interval::find(&text).err(),
            Expected::Format => date_format::Format::parse(&text)
                .err()
                .map(|problem| problem.to_string()),
            Expected::Styles => date_format::unknown_style(&text)
                .map(|style| format!("`{style}` is not one of .NET's DateTimeStyles")),
            Expected::Culture => {
                (!is_culture(&text)).then(|| "a culture is written like `en-US`".to_owned())
            }
            Expected::Character => {
                (text.chars().count() != 1).then(|| "one character is expected".to_owned())
            }
            _ => None,
        };
        if let Some(problem) = problem {
            self.mistakes.push(Mistake::error(
                argument.span.clone(),
                format!("`{name}` of `{}`: {problem}", function.name),
            ));
        }
    }

    /// Checks what only one function has.
    fn special(&mut self, call: &mut Call, span: &std::ops::Range<usize>) {
        match call.function.name {
            "Replace" => self.replace(call, span),
            "IIF" => self.choice(call),
            "Switch" => {
                if let Some(Some(source)) = call.arguments.first()
                    && is_call_of(source, &["IsPresent", "IsNull", "IsNullOrEmpty"])
                {
                    self.mistakes.push(
                        Mistake::warning(source.span.clone(), "a test as the source of `Switch` gives True or False, which is compared with the keys")
                            .help("Entra advises against it; use `IIF` or `Coalesce`"),
                    );
                }
            }
            _ => {}
        }
    }

    fn choice(&mut self, call: &Call) {
        let Some(Some(condition)) = call.arguments.first() else {
            return;
        };
        let tests_emptiness = match &condition.kind {
            Kind::Comparison(comparison) => [&comparison.left, &comparison.right]
                .iter()
                .any(|side| matches!(&side.kind, Kind::Text(text) if text.is_empty())),
            _ => is_call_of(condition, &["IsPresent", "IsNull", "IsNullOrEmpty"]),
        };
        if tests_emptiness {
            self.mistakes.push(
                Mistake::warning(condition.span.clone(), "Entra documents `IIF` over an absent or empty value as unreliable; here it is plain logic")
                    .help("on both sides works: `Switch([x], [x], \"\", \"when empty\")`"),
            );
        }
    }

    fn replace(&mut self, call: &mut Call, span: &std::ops::Range<usize>) {
        let Some(mode) = replace::Mode::of(&call.arguments) else {
            self.mistakes.push(
                Mistake::error(call.name.clone(), "`Replace` cannot tell what to do from the arguments that are given")
                    .help("give oldValue with replacementValue or template, or regexPattern with replacementValue, or regexPattern and regexGroupName with replacementValue or replacementAttributeName"),
            );
            return;
        };
        let argument = |index: usize| call.arguments.get(index).and_then(Option::as_ref);
        if let Some(old) = argument(replace::OLD_VALUE)
            && matches!(&old.kind, Kind::Text(text) if text.is_empty())
            && mode.uses_old_value()
        {
            self.mistakes.push(Mistake::error(
                old.span.clone(),
                "`oldValue` of `Replace`: the empty text cannot be replaced",
            ));
        }
        if !mode.uses_pattern() {
            if let Some(extra) = argument(replace::PATTERN) {
                self.mistakes.push(Mistake::warning(
                    extra.span.clone(),
                    "`regexPattern` has no effect beside `oldValue`",
                ));
            }
            return;
        }
        let Some(node) = argument(replace::PATTERN) else {
            return;
        };
        let Some(text) = node.constant() else { return };
        let pattern = match Pattern::new(&text) {
            Ok(pattern) => pattern,
            Err(problem) => {
                self.mistakes.push(Mistake::error(
                    node.span.clone(),
                    format!("`regexPattern` of `Replace`: {problem}"),
                ));
                return;
            }
        };
        if let Some(group) = argument(replace::GROUP)
            && mode.uses_group()
            && let Some(name) = group.constant()
            && !pattern.has_group(&name)
        {
            self.mistakes.push(
                Mistake::error(
                    group.span.clone(),
                    format!("the pattern has no group `{name}`"),
                )
                .help(format!("a named group is written `(?<{name}>…)`")),
            );
        }
        if let Some(replacement) = argument(replace::REPLACEMENT)
            && let Some(text) = replacement.constant()
        {
            for name in pattern.unknown_groups(&text) {
                self.mistakes.push(Mistake::warning(
                    replacement.span.clone(),
                    format!(
                        "the pattern has no group `{name}`: `${{{name}}}` stays as it is written"
                    ),
                ));
            }
        }
        debug_assert!(span.start <= node.span.start);
        call.pattern = Some(pattern);
    }
}

fn is_call_of(node: &Node, names: &[&str]) -> bool {
    matches!(&node.kind, Kind::Call(call) if names.contains(&call.function.name))
}

/// Whether a text looks like the name of a culture; the empty one is the invariant culture.
pub(crate) fn is_culture(text: &str) -> bool {
    text.is_empty()
        || text.split('-').all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}
