//! Tables for spreadsheets: rows of CSV.

/// Writes a row of CSV (RFC 4180). What a spreadsheet would take for a formula gets a quote before it.
pub fn row<'f>(fields: impl IntoIterator<Item = &'f str>) -> String {
    let mut row = String::new();
    for (place, field) in fields.into_iter().enumerate() {
        if place > 0 {
            row.push(',');
        }
        let field = if is_formula(field) {
            format!("'{field}")
        } else {
            field.to_owned()
        };
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

/// Tells whether a spreadsheet would calculate a field instead of showing it; or one that says so already, so that whoever takes one quote
/// away has the field.
fn is_formula(field: &str) -> bool {
    let field = field.trim_start_matches('\'');
    field.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_back_and_is_never_a_formula() {
        assert_eq!(row(["a", "", "b"]), "a,,b\r\n");
        assert_eq!(row(["a,b", "say \"x\""]), "\"a,b\",\"say \"\"x\"\"\"\r\n");
        for formula in ["=1+1", "+1", "-1", "@x", "\tx", "\rx"] {
            let row = row([formula]);
            assert!(row.trim_start_matches('"').starts_with('\''), "{row}");
        }
    }
}
