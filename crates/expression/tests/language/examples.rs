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

/// `UPDATE_DOCS=1` writes the page instead.
#[test]
fn the_reference_page_is_made_of_the_library() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/expressions.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, library::page()).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap();
    assert!(
        page == library::page(),
        "docs/expressions.md is out of date: run this test with UPDATE_DOCS=1"
    );
}
