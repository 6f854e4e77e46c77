//! JSON as pages show it: indented, a line at a time, each piece with its class.

use serde_json::Value;

/// So many lines are shown at most.
const LINES: usize = 400;
/// A text in JSON is shown to this length.
const TEXT: usize = 400;

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// `k` for a key, `s` for a text, `n` for a number or a word, empty for punctuation.
    pub(crate) class: &'static str,
    pub(crate) text: String,
}

pub(crate) type Line = Vec<Piece>;

/// Writes a document in lines.
pub(crate) fn lines(value: &Value) -> Vec<Line> {
    let mut lines = vec![Line::new()];
    write(value, 0, &mut lines);
    if lines.len() > LINES {
        lines.truncate(LINES);
        lines.push(vec![piece("", "…")]);
    }
    lines
}

/// Writes a body as it was kept: JSON in lines, anything else as it is.
pub(crate) fn body(text: &str) -> Vec<Line> {
    if let Ok(value) = serde_json::from_str(text) {
        return lines(&value);
    }
    text.lines()
        .take(LINES)
        .map(|line| vec![piece("", line)])
        .collect()
}

fn piece(class: &'static str, text: impl Into<String>) -> Piece {
    Piece {
        class,
        text: text.into(),
    }
}

fn write(value: &Value, depth: usize, lines: &mut Vec<Line>) {
    // what would not be shown is not written
    if lines.len() > LINES {
        return;
    }
    let (open, close, count) = match value {
        Value::Object(fields) => ("{", "}", fields.len()),
        Value::Array(elements) => ("[", "]", elements.len()),
        Value::String(_) => {
            let mut text = value.to_string();
            if text.len() > TEXT {
                let end = text.floor_char_boundary(TEXT);
                text.truncate(end);
                text.push('…');
            }
            push(lines, piece("s", text));
            return;
        }
        other => {
            push(lines, piece("n", other.to_string()));
            return;
        }
    };
    push(lines, piece("", open));
    let begin = |lines: &mut Vec<Line>| lines.push(vec![piece("", "  ".repeat(depth + 1))]);
    match value {
        Value::Object(fields) => {
            for (place, (key, value)) in fields.iter().enumerate() {
                begin(lines);
                push(lines, piece("k", Value::from(key.as_str()).to_string()));
                push(lines, piece("", ": "));
                write(value, depth + 1, lines);
                comma(lines, place, count);
            }
        }
        Value::Array(elements) => {
            for (place, value) in elements.iter().enumerate() {
                begin(lines);
                write(value, depth + 1, lines);
                comma(lines, place, count);
            }
        }
        _ => {}
    }
    if count > 0 {
        lines.push(vec![piece("", "  ".repeat(depth))]);
    }
    push(lines, piece("", close));
}

fn comma(lines: &mut [Line], place: usize, count: usize) {
    if place + 1 < count {
        push(lines, piece("", ","));
    }
}

fn push(lines: &mut [Line], piece: Piece) {
    if let Some(line) = lines.last_mut() {
        line.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(lines: &[Line]) -> String {
        let lines = lines
            .iter()
            .map(|line| line.iter().map(|piece| piece.text.as_str()).collect());
        lines.collect::<Vec<String>>().join("\n")
    }

    #[test]
    fn the_lines_are_the_document() {
        let value = json!({"a": [1, {"b": "c\"d"}], "e": {}, "f": [], "g": null});
        let written = lines(&value);
        assert_eq!(
            plain(&written),
            serde_json::to_string_pretty(&value).unwrap()
        );
        assert_eq!(written[1][1].class, "k");
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let long = json!({"a": "é".repeat(10_000), "b": vec![1; 10_000]});
        let written = lines(&long);
        assert_eq!(written.len(), LINES + 1);
        assert!(written[1].iter().all(|piece| piece.text.len() <= TEXT + 3));
        assert_eq!(plain(&body("not json\nat all")), "not json\nat all");
    }
}
