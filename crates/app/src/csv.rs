//! Tables for spreadsheets: rows of CSV.

use rollcall_model::cell::guarded;

/// Writes a row of CSV (RFC 4180). What a spreadsheet would take for a formula gets a quote before it.
pub fn row<'f>(fields: impl IntoIterator<Item = &'f str>) -> String {
    let mut row = String::new();
    for (place, field) in fields.into_iter().enumerate() {
        if place > 0 {
            row.push(',');
        }
        let field = guarded(field);
        if field.contains([',', '"', '\n', '\r']) {
            row.push('"');
            row.push_str(&field.replace('"', "\"\""));
            row.push('"');
        } else {
            row.push_str(&field);
        }
    }
    row.push_str("\r\n");
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_back_and_is_never_a_formula() {
        assert_eq!(row(["a", "", "b"]), "a,,b\r\n");
        assert_eq!(row(["a,b", "say \"x\""]), "\"a,b\",\"say \"\"x\"\"\"\r\n");
        for formula in ["=1+1", "\tx", "\u{1b}[0m=1"] {
            let row = row([formula]);
            assert!(row.trim_start_matches('"').starts_with('\''), "{row}");
        }
    }
}
