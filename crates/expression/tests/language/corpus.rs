//! The corpus of the fuzz target, once more, and what is made from it.

#[path = "../../../../fuzz/exercises/expression.rs"]
mod exercises;
#[path = "../../../../fuzz/exercises/runs.rs"]
mod runs;

#[test]
fn every_expression_of_the_corpus_is_refused_or_gives_one_result() {
    runs::replay("expression", exercises::expression);
}

#[test]
fn an_expression_that_is_made_by_chance_is_refused_or_gives_one_result() {
    runs::mutate("expression", exercises::expression);
}
