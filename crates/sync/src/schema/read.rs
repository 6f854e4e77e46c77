//! Reads a document: from its text to mappings, or to all its mistakes.
//!
//! **Is:** the way in. **Is not:** the meaning of the parts; see `document` and what it calls.
//! **Start at** [`read`].

use std::collections::BTreeSet;

use rollcall_scim::limits::{Limits, STANDARD};
use serde_json::Value;

use super::document::document;
use super::findings::{At, Finding, Findings};
use super::lines::lines;
use super::{DOCUMENT_BYTES, Imported, Mistake};

/// Bounds on the JSON of a document. An expression may be long, and its parameters repeat it.
const LIMITS: Limits = Limits {
    json_depth: 100,
    string_bytes: 1024 * 1024,
    ..STANDARD
};

/// So many mistakes are told; who has mended these can read the next ones.
const MISTAKES: usize = 200;

/// Reads a document.
///
/// # Errors
/// Every mistake in it. The place is a JSON pointer (RFC 6901) with the line, or line and column where the text is no JSON.
pub fn read(text: &str) -> Result<Imported, Vec<Mistake>> {
    // editors on Windows put a mark before the text
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value = json(text).map_err(|mistake| vec![mistake])?;
    let mut findings = Findings::default();
    let (users, groups) = document(&mut findings, &At::root(&value));
    match users {
        Some(users) if findings.mistakes.is_empty() => Ok(Imported {
            users,
            groups,
            notes: findings.notes,
            document: value,
        }),
        _ => Err(placed(text, &findings.mistakes)),
    }
}

fn json(text: &str) -> Result<Value, Mistake> {
    if text.len() > DOCUMENT_BYTES {
        return Err(Mistake {
            place: format!("{} bytes", text.len()),
            message: format!("the document is longer than {DOCUMENT_BYTES} bytes"),
            help: "leave out the parts of the directories that no mapping names".to_owned(),
        });
    }
    if let Err(error) = serde_json::from_str::<Value>(text) {
        return Err(Mistake {
            place: format!("line {}, column {}", error.line(), error.column()),
            message: pointed(text, &error),
            help: "mend the JSON: often a comma, a quote or a bracket is missing just before"
                .to_owned(),
        });
    }
    // this door also refuses what two readers could understand differently
    rollcall_scim::json::parse(text.as_bytes(), &LIMITS).map_err(|error| Mistake {
        place: "the document".to_owned(),
        message: error.detail,
        help: "leave the document as it was exported, apart from the mappings".to_owned(),
    })
}

/// Shows where the text is no JSON.
fn pointed(text: &str, error: &serde_json::Error) -> String {
    let start: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let place = start + error.column().saturating_sub(1);
    let message = error.to_string();
    // the line and column are shown beside it
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(message, _)| message);
    let mistake = rollcall_expression::Mistake {
        span: place..place,
        message: format!("the text is no JSON: {message}"),
        help: None,
        fix: None,
        severity: rollcall_expression::Severity::Error,
    };
    rollcall_expression::render(text, &mistake)
        .trim_end()
        .to_owned()
}

/// Adds the lines, in the order of the text.
fn placed(text: &str, findings: &[Finding]) -> Vec<Mistake> {
    let told = findings.get(..MISTAKES).unwrap_or(findings);
    let pointers: BTreeSet<&str> = told.iter().map(|one| one.pointer.as_str()).collect();
    let lines = lines(text, &pointers);
    let mut mistakes: Vec<(usize, Mistake)> = told
        .iter()
        .map(|one| {
            let pointer = if one.pointer.is_empty() {
                "the document"
            } else {
                &one.pointer
            };
            let line = lines.get(&one.pointer).copied();
            let mistake = Mistake {
                place: line.map_or_else(
                    || pointer.to_owned(),
                    |line| format!("{pointer} (line {line})"),
                ),
                message: one.message.clone(),
                help: one.help.clone(),
            };
            (line.unwrap_or_default(), mistake)
        })
        .collect();
    mistakes.sort_by_key(|(line, _)| *line);
    let mut mistakes: Vec<Mistake> = mistakes.into_iter().map(|(_, mistake)| mistake).collect();
    if findings.len() > told.len() {
        mistakes.push(Mistake {
            place: "the document".to_owned(),
            message: format!("{} more mistakes", findings.len() - told.len()),
            help: "mend the others first".to_owned(),
        });
    }
    mistakes
}
