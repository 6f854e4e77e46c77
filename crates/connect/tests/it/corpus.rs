//! The corpora of the fuzz targets, once more, and what is made from them.

#[path = "../../../../fuzz/exercises/connect.rs"]
mod exercises;
#[path = "../../../../fuzz/exercises/runs.rs"]
mod runs;

#[test]
fn every_address_of_the_corpus_is_refused_or_may_be_called_by_every_spelling() {
    runs::replay("guard", exercises::guard);
}

#[test]
fn an_address_that_is_made_by_chance_does_not_get_past_the_guard() {
    runs::mutate("guard", exercises::guard);
}

#[test]
fn every_list_of_the_corpus_is_refused_or_read_line_by_line() {
    runs::replay("csv", exercises::csv);
}

#[test]
fn a_list_that_is_made_by_chance_is_refused_or_read_line_by_line() {
    runs::mutate("csv", exercises::csv);
}
