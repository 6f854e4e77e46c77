//! The corpus of the fuzz target, once more: whatever a fuzzer has found stays mended.

#[path = "../../../../fuzz/exercises/expression.rs"]
mod exercises;

#[test]
fn every_expression_of_the_corpus_is_refused_or_gives_one_result() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/expression");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        exercises::expression(&std::fs::read(file.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 15, "{count} files only");
}
