//! What is said about wrong expressions: the place under a caret, what is wrong, and what would be right.

use rollcall_expression::{Expression, render};

/// Returns all mistakes of an expression as they are shown.
fn shown(source: &str) -> String {
    let mistakes = Expression::parse(source).unwrap_err();
    let shown: Vec<String> = mistakes
        .iter()
        .map(|mistake| render(source, mistake))
        .collect();
    shown.join("\n")
}

#[test]
fn each_common_mistake_is_explained_at_its_place() {
    for (source, said, caret_under) in [
        ("Jion(\" \", [a])", "Join", "Jion"),
        ("Join(\" \", [a]", ")", ""),
        ("Left([mail])", "Left", "Left([mail])"),
        ("Append([mail], “x”)", "quot", "“"),
        ("[mail", "]", "[mail"),
        ("", "empty", ""),
        ("Trim([a]) Trim([b])", "", "Trim([b])"),
    ] {
        let shown = shown(source);
        assert!(shown.contains(said), "{source}:\n{shown}");
        assert!(shown.contains('^'), "{source}:\n{shown}");
        assert!(shown.contains(caret_under), "{source}:\n{shown}");
    }
}

#[test]
fn every_mistake_is_reported_at_once() {
    let mistakes = Expression::parse("Join(Lefft([a], 1), Triim([b]), ToLowerr([c]))").unwrap_err();

    assert_eq!(mistakes.iter().count(), 3, "{mistakes}");
}

#[test]
fn what_is_too_long_or_too_deep_is_refused_quickly() {
    let deep = format!("{}[a]{}", "Trim(".repeat(5_000), ")".repeat(5_000));
    let long = format!("Trim(\"{}\")", "x".repeat(1 << 20));

    assert!(Expression::parse(&deep).is_err());
    assert!(Expression::parse(&long).is_err());
}
