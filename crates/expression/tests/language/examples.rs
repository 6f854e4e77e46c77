//! The examples of the library are true, and the reference page is made of it.

use rollcall_expression::library;
use serde_json::Value as Json;

use crate::run;

#[test]
fn every_example_of_the_library_has_the_result_that_it_shows() {
    for function in library::all() {
        for example in function.examples {
            let attributes: Json = serde_json::from_str(example.attributes).unwrap();
            let found = run(example.expression, &attributes);
            let found = found.unwrap_or_else(|reason| panic!("{}: {reason}", example.expression));
            if !example.result.is_empty() {
                let expected: Json = serde_json::from_str(example.result).unwrap();
                assert_eq!(found, expected, "{}", example.expression);
            }
        }
    }
}
