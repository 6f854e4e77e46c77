//! The golden cases: expressions with the results that the documentation of the service gives or that follow from it.

use rollcall_expression::Expression;
use serde_json::Value as Json;

use crate::{evaluate, json};

#[test]
fn every_golden_case_has_its_result() {
    let lines = include_str!("../cases.jsonl").lines();
    let mut failing = Vec::new();
    let mut count = 0;
    for (index, line) in lines.enumerate() {
        count += 1;
        let case: Json = serde_json::from_str(line).unwrap();
        if let Err(reason) = check(&case) {
            let expression = case["expression"].as_str().unwrap();
            failing.push(format!("line {}: {expression}\n    {reason}", index + 1));
        }
    }
    assert!(
        failing.is_empty(),
        "{} of {count} fail:\n{}",
        failing.len(),
        failing.join("\n")
    );
    assert!(count > 350, "{count} cases only");
}

fn check(case: &Json) -> Result<(), String> {
    let text = case["expression"].as_str().unwrap();
    let expected = &case["expected"];
    let wants_error = expected.get("$error").is_some();
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(_) if wants_error => return Ok(()),
        Err(mistakes) => return Err(format!("does not parse: {mistakes}")),
    };
    let now = case["now"].as_str().unwrap_or("2025-07-30T12:00:00Z");
    let taken: Vec<&str> = case["taken"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    let outcome = match evaluate(&expression, &case["attributes"], now, &taken) {
        Ok(outcome) => json(&outcome),
        Err(_) if wants_error => return Ok(()),
        Err(failure) => return Err(format!("fails: {failure}")),
    };
    if wants_error {
        return Err(format!("gives {outcome} where an error is expected"));
    }
    if case["logged"].is_string() != expression.is_redacted() {
        return Err("is redacted or not, against the case".to_owned());
    }
    let same = match expected {
        Json::Object(matcher) if matcher.contains_key("$regex") => {
            let pattern = regex::Regex::new(matcher["$regex"].as_str().unwrap()).unwrap();
            outcome.as_str().is_some_and(|text| pattern.is_match(text))
        }
        Json::Object(matcher) if matcher.contains_key("$random") => outcome
            .as_str()
            .is_some_and(|text| is_random(text, &matcher["$random"])),
        _ => {
            let (mut found, mut wanted) = (canonical(&outcome), canonical(expected));
            if case["unordered"] == true {
                found.sort();
                wanted.sort();
            }
            found == wanted
        }
    };
    if same {
        Ok(())
    } else {
        Err(format!("gives {outcome}, expected {expected}"))
    }
}

/// Compares as the service writes: booleans with a capital, numbers in decimal.
fn canonical(json: &Json) -> Vec<String> {
    match json {
        Json::Bool(true) => vec!["True".to_owned()],
        Json::Bool(false) => vec!["False".to_owned()],
        Json::String(text) => vec![text.clone()],
        Json::Array(values) => {
            let mut all = vec![format!("list of {}", values.len())];
            all.extend(values.iter().flat_map(canonical));
            all
        }
        Json::Null => vec!["null".to_owned(), "absent".to_owned()],
        other => vec![other.to_string()],
    }
}

fn is_random(text: &str, matcher: &Json) -> bool {
    let at_least = |name: &str, kind: fn(char) -> bool| {
        text.chars().filter(|character| kind(*character)).count() as u64
            >= matcher[name].as_u64().unwrap_or(0)
    };
    text.chars().count() as u64 == matcher["length"].as_u64().unwrap()
        && at_least("minDigits", |character| character.is_ascii_digit())
        && at_least("minSpecial", |character| character.is_ascii_punctuation())
        && at_least("minUpper", |character| character.is_ascii_uppercase())
        && at_least("minLower", |character| character.is_ascii_lowercase())
        && !text.contains(|character| {
            matcher["avoid"]
                .as_str()
                .unwrap_or_default()
                .contains(character)
        })
}
