//! The corpora of the fuzz targets, once more: whatever a fuzzer has found stays mended.

#[path = "../../../../fuzz/exercises/scim.rs"]
mod exercises;

fn replay(target: &str, exercise: fn(&[u8])) {
    let folder = format!("{}/../../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        exercise(&std::fs::read(file.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 15, "{target} has {count} files only");
}

#[test]
fn every_filter_of_the_corpus_is_refused_or_written_as_it_was_read() {
    replay("filter", exercises::filter);
}

#[test]
fn every_path_of_the_corpus_is_refused_or_followed() {
    replay("path", exercises::path);
}

#[test]
fn every_patch_of_the_corpus_is_refused_whole_or_applied_whole() {
    replay("patch", exercises::patch);
}

#[test]
fn every_body_of_the_corpus_is_refused_or_acceptable_again() {
    replay("resource", exercises::resource);
}
