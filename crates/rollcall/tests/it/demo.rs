//! The demonstration, from beginning to end, and killed in the middle.

use crate::support::Installation;

#[test]
fn the_demonstration_ends_with_both_ends_in_agreement() {
    let installation = Installation::new();

    let output = installation.run(&["demo", "--once", "--users", "120"]);

    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(
        said.matches("both ends agree object by object").count(),
        2,
        "{said}"
    );
    let summary = String::from_utf8(output.stdout).unwrap();
    assert!(summary.contains("peak memory"), "{summary}");
    assert_eq!(
        std::fs::read_dir(installation.folder.path())
            .unwrap()
            .count(),
        0,
        "nothing is left behind"
    );
}
