//! The language as its users meet it.
//!
//! **Is:** golden cases, the examples of the library, mistakes, laws. **Is not:** the parts; they are tested beside their code.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod cases;
mod corpus;
mod examples;
mod laws;
mod mistakes;

use rollcall_expression::{Context, Expression, Failure, Outcome, Randomness, Taken};
use serde_json::Value as Json;

/// Gives the same values from the same seed.
pub(crate) struct Seeded(pub(crate) u64);

impl Randomness for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            // SplitMix64
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (mixed >> 56) as u8;
        }
    }
}

/// Evaluates an expression over attributes, with values that are taken.
pub(crate) fn evaluate(
    expression: &Expression,
    attributes: &Json,
    now: &str,
    taken: &[&str],
) -> Result<Outcome, Failure> {
    let is_taken = |value: &str| {
        if taken.contains(&value) {
            Taken::Yes
        } else {
            Taken::No
        }
    };
    let mut randomness = Seeded(7);
    let mut context = Context {
        now: now.parse().unwrap(),
        randomness: &mut randomness,
        taken: &is_taken,
    };
    expression.evaluate(attributes.as_object().unwrap(), &mut context)
}

/// Evaluates a text; what does not parse or evaluate is the reason.
pub(crate) fn run(expression: &str, attributes: &Json) -> Result<Json, String> {
    let expression = Expression::parse(expression).map_err(|mistakes| mistakes.to_string())?;
    let outcome = evaluate(&expression, attributes, "2025-07-30T12:00:00Z", &[]);
    outcome
        .map(|outcome| json(&outcome))
        .map_err(|failure| failure.to_string())
}

/// Returns an outcome in the form of the golden cases.
pub(crate) fn json(outcome: &Outcome) -> Json {
    match outcome {
        Outcome::Value(value) => value.to_json(),
        Outcome::Ignore => serde_json::json!({"$flow": "ignore"}),
        Outcome::SkipObject => serde_json::json!({"$flow": "skip-object"}),
        Outcome::NeedsLookUp(value) => serde_json::json!({"$look-up": value}),
    }
}

#[test]
fn no_file_of_this_folder_is_forgotten() {
    let root = include_str!("main.rs");
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/language")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            name == "main" || root.contains(&format!("mod {name};")),
            "{name}"
        );
    }
}
