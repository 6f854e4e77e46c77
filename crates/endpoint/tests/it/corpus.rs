//! The corpus of the fuzz target, once more, and what is made from it.

#[path = "../../../../fuzz/exercises/endpoint.rs"]
mod exercises;
#[path = "../../../../fuzz/exercises/runs.rs"]
mod runs;

#[test]
fn no_cursor_of_the_corpus_is_opened_for_another_query_or_organisation() {
    runs::replay("cursor", exercises::cursor);
}

#[test]
fn no_cursor_that_is_made_by_chance_is_opened() {
    runs::mutate("cursor", exercises::cursor);
}
