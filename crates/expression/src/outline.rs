//! What an expression is made of, for those who write it in another form.
//!
//! **Is:** calls with the names of their parameters, attributes and constants, each with its canonical text. **Is not:** the tree that is
//! evaluated; an outline keeps nothing of the places in the source.
//! **Start at** [`Expression::outline`](crate::Expression::outline).

use crate::syntax::{Kind, Node};

/// A part of an expression, with everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its canonical text.
    pub text: String,
    /// What it is.
    pub kind: PartKind,
}

/// What a part of an expression is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartKind {
    /// `[name]`.
    Attribute(String),
    /// A text in quotes, or a number: without quotes and escapes.
    Constant(String),
    /// A bare word such as `vbTextCompare`.
    Word(&'static str),
    /// A function with the arguments that were given, each under the name of its parameter.
    Call {
        /// The function's name.
        function: &'static str,
        /// The arguments; one that was left out is not among them.
        arguments: Vec<(&'static str, Part)>,
    },
    /// Parts joined by an operator, such as `[a] & [b]` or `[a] = "b"`.
    Operation(Vec<Part>),
}

pub(crate) fn outline(node: &Node) -> Part {
    let kind = match &node.kind {
        Kind::Attribute(name) => PartKind::Attribute(name.clone()),
        Kind::Text(text) => PartKind::Constant(text.clone()),
        Kind::Number(number) => PartKind::Constant(number.to_string()),
        Kind::Word(word) => PartKind::Word(word.name()),
        Kind::Call(call) => {
            let count = call.arguments.len();
            let given = call.arguments.iter().enumerate();
            let arguments = given.filter_map(|(place, argument)| {
                let name = call
                    .function
                    .parameter(place, count)
                    .map_or("value", |known| known.name);
                Some((name, outline(argument.as_ref()?)))
            });
            PartKind::Call {
                function: call.function.name,
                arguments: arguments.collect(),
            }
        }
        Kind::Concatenation(parts) => PartKind::Operation(parts.iter().map(outline).collect()),
        Kind::Comparison(comparison) => {
            PartKind::Operation(vec![outline(&comparison.left), outline(&comparison.right)])
        }
        Kind::Wrong => PartKind::Operation(Vec::new()),
    };
    Part {
        text: node.to_string(),
        kind,
    }
}

#[cfg(test)]
mod tests {
    use crate::{Expression, Part, PartKind};

    fn shown(part: &Part) -> String {
        match &part.kind {
            PartKind::Attribute(name) => format!("attribute {name}"),
            PartKind::Constant(text) => format!("constant {text}"),
            PartKind::Word(word) => format!("word {word}"),
            PartKind::Call {
                function,
                arguments,
            } => {
                let arguments: Vec<String> = arguments
                    .iter()
                    .map(|(name, part)| format!("{name}: {}", shown(part)))
                    .collect();
                format!("{function}({})", arguments.join(", "))
            }
            PartKind::Operation(parts) => {
                let parts: Vec<String> = parts.iter().map(shown).collect();
                format!("operation({})", parts.join(", "))
            }
        }
    }

    #[test]
    fn an_outline_names_the_parameters_of_the_arguments_that_were_given() {
        let rows = [
            ("[mail]", "attribute mail"),
            (r#""a\"b""#, "constant a\"b"),
            (
                r#"Join(" ", [givenName], ToUpper([surname]))"#,
                "Join(separator: constant  , source: attribute givenName, source: ToUpper(source: attribute surname))",
            ),
            (
                r#"Switch([IsSoftDeleted], , "False", "True", "True", "False")"#,
                "Switch(source: attribute IsSoftDeleted, key: constant False, value: constant True, key: constant True, value: constant False)",
            ),
            (
                r#"IIF([a] = "b", 7, IgnoreAttributeFlow)"#,
                "IIF(condition: operation(attribute a, constant b), valueIfTrue: constant 7, valueIfFalse: word IgnoreAttributeFlow)",
            ),
        ];
        for (text, wanted) in rows {
            let outline = Expression::parse(text).unwrap().outline();
            assert_eq!(shown(&outline), wanted, "{text}");
            assert_eq!(outline.text, text);
        }
    }
}
