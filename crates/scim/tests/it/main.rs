//! The tests of `rollcall-scim` that are not beside the code.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod corpus;
mod hostile;
mod laws;
mod vectors;

/// `UPDATE_DOCS=1` writes the page instead.
#[test]
fn the_page_of_leniencies_is_made_of_the_list() {
    let page = rollcall_scim::leniency::Leniency::page();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/leniencies.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(path).unwrap() == page,
        "docs/leniencies.md is out of date: run this test with UPDATE_DOCS=1"
    );
}
