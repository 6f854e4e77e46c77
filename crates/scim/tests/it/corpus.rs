//! The corpora of the fuzz targets, once more, and what is made from them.

#[path = "../../../../fuzz/exercises/scim.rs"]
mod exercises;
#[path = "../../../../fuzz/exercises/runs.rs"]
mod runs;

#[test]
fn every_filter_of_the_corpus_is_refused_or_written_as_it_was_read() {
    runs::replay("filter", exercises::filter);
}

#[test]
fn a_filter_that_is_made_by_chance_is_refused_or_written_as_it_was_read() {
    runs::mutate("filter", exercises::filter);
}

#[test]
fn every_path_of_the_corpus_is_refused_or_followed() {
    runs::replay("path", exercises::path);
}

#[test]
fn a_path_that_is_made_by_chance_is_refused_or_followed() {
    runs::mutate("path", exercises::path);
}

#[test]
fn every_patch_of_the_corpus_is_refused_whole_or_applied_whole() {
    runs::replay("patch", exercises::patch);
}

#[test]
fn a_patch_that_is_made_by_chance_is_refused_whole_or_applied_whole() {
    runs::mutate("patch", exercises::patch);
}

#[test]
fn every_body_of_the_corpus_is_refused_or_acceptable_again() {
    runs::replay("resource", exercises::resource);
}

#[test]
fn a_body_that_is_made_by_chance_is_refused_or_acceptable_again() {
    runs::mutate("resource", exercises::resource);
}
