//! Cells of tables that people open with a spreadsheet.
//!
//! **Is:** how a text that a spreadsheet would calculate is kept from it, and read back. **Is not:** rows; those who write and read tables
//! know them.
//! **Start at** [`guarded`].

use std::borrow::Cow;

/// Returns a text as it stands in a cell: what a spreadsheet would take for a formula gets a quote before it.
pub fn guarded(text: &str) -> Cow<'_, str> {
    if is_formula(text) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

/// Returns the text that [`guarded`] made a cell of.
pub fn plain(cell: &str) -> &str {
    cell.strip_prefix('\'')
        .filter(|rest| is_formula(rest))
        .unwrap_or(cell)
}

/// Tells whether a spreadsheet might calculate a text instead of showing it; or one that says so already, so that whoever takes one quote
/// away has the text.
fn is_formula(text: &str) -> bool {
    let is_passed_over = |c: char| c.is_control() || c.is_whitespace() || c == '\'';
    let mut passed_over = text.chars().take_while(|c| is_passed_over(*c));
    let seen = text.trim_start_matches(is_passed_over);
    // a control character, and a whole sequence that it begins, may be lost on the way to the spreadsheet
    passed_over.any(char::is_control) || seen.starts_with(['=', '+', '-', '@'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_that_is_calculated_is_a_cell() {
        let formulas = [
            "=1+1",
            "+1",
            "-1",
            "@x",
            "\tx",
            "\rx",
            "\u{1b}[0m=1",
            " =1",
            "\u{7f}=1",
            "\u{a0}-1",
            "\n@x",
            "'=1",
            "'\u{0}'=1",
        ];
        for formula in formulas {
            assert_eq!(guarded(formula), format!("'{formula}"));
        }
        for text in ["", "a=1", "'", "'tis", "O'Brien", " x"] {
            assert_eq!(guarded(text), text);
        }
    }

    proptest! {
        #[test]
        fn a_cell_is_read_back_as_the_text_that_it_was_made_of(text in "['=+@\\-\t\r\n \u{1b}\u{7f}\u{a0}a]{0,6}|.{0,8}") {
            let cell = guarded(&text);
            prop_assert_eq!(plain(&cell), &text);
        }
    }
}
