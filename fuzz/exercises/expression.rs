//! What is done with bytes from anywhere: the fuzz target runs it, and the tests run it again on the committed corpus.

#![expect(
    clippy::expect_used,
    reason = "whatever is unexpected here is a finding"
)]

use rollcall_expression::{Context, Expression, Randomness, Taken, render};
use serde_json::json;

struct Constant;

impl Randomness for Constant {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0x5a);
    }
}

/// An expression is refused with places that can be shown, or gives the same result every time.
pub(super) fn expression(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(mistakes) => {
            for mistake in &mistakes {
                assert!(
                    text.get(mistake.span.clone()).is_some(),
                    "{mistake:?} of {text:?}"
                );
                assert!(render(text, mistake).contains('^'));
            }
            return;
        }
    };
    let attributes = json!({
        "mail": "Ann.Lee@example.com", "givenName": "Ann", "surname": "Lée", "employeeId": "000123",
        "proxyAddresses": ["SMTP:ann@example.com", "smtp:a@b.c"], "accountEnabled": true, "n": 7,
        "hireDate": "2024-02-29T23:59:59Z", "empty": "", "none": null,
    });
    let attributes = attributes.as_object().expect("an object");
    let evaluate = || {
        let mut context = Context {
            now: "2025-07-30T12:00:00Z".parse().expect("an instant"),
            randomness: &mut Constant,
            taken: &|value| {
                if value.len() % 2 == 0 {
                    Taken::Yes
                } else {
                    Taken::No
                }
            },
        };
        format!("{:?}", expression.evaluate(attributes, &mut context))
    };
    assert_eq!(evaluate(), evaluate());
}
