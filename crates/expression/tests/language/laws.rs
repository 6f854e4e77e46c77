//! What holds for every expression.

use proptest::prelude::*;
use rollcall_expression::{Expression, library, render};
use serde_json::json;

use crate::{evaluate, json};

/// Texts that are made of the language's own pieces, so that many of them parse.
fn pieces() -> impl Strategy<Value = String> {
    let names: Vec<&str> = library::all()
        .iter()
        .map(|function| function.name)
        .collect();
    let piece = prop_oneof![
        4 => proptest::sample::select(names).prop_map(|name| format!("{name}(")),
        4 => Just(")".to_owned()),
        4 => Just(",".to_owned()),
        3 => proptest::sample::select(vec!["[mail]", "[many]", "[none]", "[n]"]).prop_map(str::to_owned),
        3 => "[a-zé😀 .@-]{0,6}".prop_map(|text| format!("\"{text}\"")),
        2 => (-9_i32..2_000).prop_map(|number| number.to_string()),
        1 => proptest::sample::select(vec!["[", "\"", "\\", " ", "&", "'", "\u{0}", "[appRoleAssignments]"])
            .prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn attributes() -> serde_json::Value {
    json!({
        "mail": "Ann.Lee@example.com", "many": ["a", "b", "smtp:c@example.com"], "n": "12",
        "appRoleAssignments": ["Admin"],
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn any_text_is_an_expression_or_a_mistake_that_can_be_shown(text in prop_oneof![pieces(), any::<String>()]) {
        match Expression::parse(&text) {
            Ok(expression) => prop_assert_eq!(expression.source(), text),
            Err(mistakes) => {
                prop_assert!(mistakes.iter().next().is_some());
                for mistake in &mistakes {
                    prop_assert!(text.get(mistake.span.clone()).is_some(), "{:?} of {:?}", mistake, text);
                    prop_assert!(render(&text, mistake).contains('^'), "{}", render(&text, mistake));
                }
            }
        }
    }

    #[test]
    fn what_parses_evaluates_to_the_same_every_time(text in pieces()) {
        if let Ok(expression) = Expression::parse(&text) {
            let once = || {
                let outcome = evaluate(&expression, &attributes(), "2025-07-30T12:00:00Z", &["Ann"]);
                outcome.map(|outcome| json(&outcome)).map_err(|failure| failure.to_string())
            };
            prop_assert_eq!(once(), once());
        }
    }

    #[test]
    fn an_attribute_alone_is_its_value(value in any::<String>()) {
        let expression = Expression::parse("[mail]").unwrap();
        let outcome = evaluate(&expression, &json!({"mail": value}), "2025-07-30T12:00:00Z", &[]);
        let found = json(&outcome.unwrap());
        prop_assert!(found == json!(value) || (value.is_empty() && found.is_null()), "{:?}", found);
    }
}
