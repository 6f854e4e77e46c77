//! Takes secrets out of what is kept of a request, before it is kept.
//!
//! **Is:** careful rather than complete: what could not be looked through for passwords is not kept at all.
//! **Source:** RFC 7643 §4.1.1 for `password`; it may come in a document, in a PATCH by path (RFC 7644 §3.5.2), in a bulk request or
//! in a filter.

use rollcall_model::traffic::BODY_KEPT;
use serde_json::Value;

/// How much of a body is looked at, in bytes; what is longer is not looked through.
pub const BODY_LOOKED_AT: usize = 64 * 1024;

/// What stands for a secret.
const MASK: &str = "••••••••";
/// Shorter values are not looked for elsewhere: they are too likely to be parts of other words.
const SHORTEST: usize = 4;
/// From so many random characters on it is taken for a token.
const TOKEN_CHARACTERS: usize = 16;
/// The longest name of a region.
const REGION_CHARACTERS: usize = 16;

/// A body as it passed by.
#[derive(Debug, Clone, Copy)]
pub struct Passed<'b> {
    /// Its beginning, [`BODY_LOOKED_AT`] at most.
    pub bytes: &'b [u8],
    /// Whether that is all of it.
    pub is_whole: bool,
    /// Whether it may carry a password behind what was seen: a person, a bulk request.
    pub may_hold_passwords: bool,
}

/// Masks a body. The secrets that it held are added to `secrets`, so that an answer that quotes them can be masked alike.
pub(super) fn body(passed: Passed<'_>, secrets: &mut Vec<String>) -> Option<String> {
    let Passed {
        bytes,
        is_whole,
        may_hold_passwords,
    } = passed;
    if bytes.is_empty() {
        return None;
    }
    let parsed = is_whole.then(|| serde_json::from_slice::<Value>(bytes));
    let text = match parsed {
        Some(Ok(mut value)) => {
            within(&mut value, secrets);
            value.to_string()
        }
        // what is no JSON was refused as a whole, and what is cut off cannot be read
        _ if bytes.iter().all(u8::is_ascii_whitespace) => return None,
        _ => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let unsure =
                (!is_whole && may_hold_passwords) || mentions(&text) || text.contains("\\u");
            if unsure {
                return Some(format!(
                    "(not kept: {} bytes or more that could not be looked through for passwords)",
                    bytes.len()
                ));
            }
            text
        }
    };
    Some(cut(&quoted(&text, secrets)))
}

/// Masks a text of one line: a path with its query, the name of a client.
pub(super) fn line(text: &str, secrets: &[String]) -> String {
    let plain = decoded(text);
    if mentions(&plain) {
        // a filter on passwords; the path itself says what was asked
        let path = text.split('?').next().unwrap_or_default();
        return if mentions(&decoded(path)) {
            MASK.to_owned()
        } else {
            quoted(&format!("{path}?{MASK}"), secrets)
        };
    }
    let masked = quoted(&plain, secrets);
    if masked == plain {
        text.to_owned()
    } else {
        masked
    }
}

/// Masks provisioning tokens, and the secrets that are known.
fn quoted(text: &str, secrets: &[String]) -> String {
    let mut text = tokens(text);
    for secret in secrets {
        if text.contains(secret.as_str()) {
            text = text.replace(secret.as_str(), MASK);
        }
        // as it stands in JSON
        let written = Value::from(secret.as_str()).to_string();
        let written = written.trim_matches('"');
        if !written.is_empty() && text.contains(written) {
            text = text.replace(written, MASK);
        }
    }
    text
}

fn mentions(text: &str) -> bool {
    text.as_bytes()
        .windows(5)
        .any(|part| part.eq_ignore_ascii_case(b"passw"))
}

/// Masks the values of passwords in a JSON value.
fn within(value: &mut Value, secrets: &mut Vec<String>) {
    match value {
        Value::Array(elements) => {
            for element in elements {
                within(element, secrets);
            }
        }
        Value::Object(fields) => {
            let path_is_password = fields.iter().any(|(key, value)| {
                key.eq_ignore_ascii_case("path") && value.as_str().is_some_and(mentions)
            });
            for (key, value) in fields.iter_mut() {
                let is_path = key.eq_ignore_ascii_case("path");
                let compares = (is_path || key.eq_ignore_ascii_case("filter"))
                    && value
                        .as_str()
                        .is_some_and(|text| mentions(text) && (!is_path || text.contains('"')));
                if mentions(key)
                    || compares
                    || (path_is_password && key.eq_ignore_ascii_case("value"))
                {
                    collect(value, secrets);
                    *value = Value::from(MASK);
                } else {
                    within(value, secrets);
                }
            }
        }
        _ => {}
    }
}

/// Collects the texts of a secret value.
fn collect(value: &Value, secrets: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() >= SHORTEST => {
            secrets.push(text.clone());
            // a condition quotes its literal
            secrets.extend(
                text.split('"')
                    .skip(1)
                    .step_by(2)
                    .filter(|part| part.len() >= SHORTEST)
                    .map(str::to_owned),
            );
        }
        Value::Array(elements) => elements
            .iter()
            .for_each(|element| collect(element, secrets)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, secrets)),
        Value::Number(number) if number.to_string().len() >= SHORTEST => {
            secrets.push(number.to_string());
        }
        _ => {}
    }
}

/// Masks whatever looks like a provisioning token, leaving its beginning.
fn tokens(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = find_mark(rest) {
        let (before, from) = rest.split_at(at);
        masked.push_str(before);
        let Some(length) = token_length(from) else {
            let (mark, after) = from.split_at("rc_".len());
            masked.push_str(mark);
            rest = after;
            continue;
        };
        let (token, after) = from.split_at(length);
        let beginning = token.splitn(3, '_').take(2).collect::<Vec<_>>().join("_");
        masked.push_str(&beginning);
        masked.push('_');
        masked.push_str(MASK);
        rest = after;
    }
    masked.push_str(rest);
    masked
}

fn find_mark(text: &str) -> Option<usize> {
    text.as_bytes()
        .windows(3)
        .position(|part| part.eq_ignore_ascii_case(b"rc_"))
}

/// Returns how long the token is with which a text begins, if it does.
fn token_length(text: &str) -> Option<usize> {
    let after = text.get("rc_".len()..)?;
    let region = after.bytes().take_while(u8::is_ascii_alphanumeric).count();
    if region == 0 || region > REGION_CHARACTERS || after.as_bytes().get(region) != Some(&b'_') {
        return None;
    }
    let random = after.get(region + 1..)?;
    let count = random.bytes().take_while(u8::is_ascii_alphanumeric).count();
    if count < TOKEN_CHARACTERS {
        return None;
    }
    let all = random
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        .count();
    Some("rc_".len() + region + 1 + all)
}

/// Decodes the percent signs and pluses of a path with its query, as people read it.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let mut in_query = false;
    while let Some((first, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
                continue;
            }
            (b'+', _) if in_query => bytes.push(b' '),
            (other, _) => {
                in_query |= *other == b'?';
                bytes.push(*other);
            }
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Cuts a text to what is kept of a body.
fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(BODY_KEPT);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "rc_eu_abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst_abcdefg";

    fn masked(text: &str) -> String {
        let passed = Passed {
            bytes: text.as_bytes(),
            is_whole: true,
            may_hold_passwords: true,
        };
        body(passed, &mut Vec::new()).unwrap_or_default()
    }

    #[test]
    fn no_password_is_kept_wherever_it_stands() {
        for text in [
            r#"{"userName":"ann","password":"hunter2!"}"#,
            r#"{"userName":"ann","PassWord":"hunter2!"}"#,
            r#"{"userName":"ann","pass\u0077ord":"hunter2!"}"#,
            r#"{"password":{"value":["hunter2!"]}}"#,
            r#"{"Operations":[{"op":"replace","value":"hunter2!","path":"password"}]}"#,
            r#"{"Operations":[{"op":"add","Path":"urn:ietf:params:scim:schemas:core:2.0:User:password","Value":"hunter2!"}]}"#,
            r#"{"Operations":[{"op":"add","value":{"password":"hunter2!"}}]}"#,
            r#"{"Operations":[{"method":"POST","data":{"password":"hunter2!"}}]}"#,
            r#"{"filter":"password eq \"hunter2!\""}"#,
            r#"{"Operations":[{"op":"remove","path":"password[value eq \"hunter2!\"]"}]}"#,
            // no JSON
            r#"{"password":"hunter2!""#,
            "password=hunter2!",
            r#"{"pass\u0077ord":"hunter2!""#,
        ] {
            let kept = masked(text);
            assert!(!kept.contains("hunter2"), "{text}: {kept}");
        }
    }

    #[test]
    fn what_is_no_secret_is_kept() {
        let text = r#"{"userName":"ann","active":true,"emails":[{"value":"a@x.example"}]}"#;
        assert_eq!(masked(text), text);
        assert_eq!(masked("no json"), "no json");
        assert_eq!(
            masked(r#"{"Operations":[{"op":"remove","path":"password"}]}"#),
            r#"{"Operations":[{"op":"remove","path":"password"}]}"#
        );
        assert_eq!(
            line("/Users?filter=userName%20eq%20%22a%22", &[]),
            "/Users?filter=userName%20eq%20%22a%22"
        );
        assert_eq!(
            tokens("arc_de_triomphe rc_ rc__x"),
            "arc_de_triomphe rc_ rc__x"
        );
    }

    #[test]
    fn no_token_is_kept() {
        let escaped = TOKEN.replace('_', "\\u005f");
        for text in [
            format!(r#"{{"nickName":"{TOKEN}"}}"#),
            format!(r#"{{"{TOKEN}":1}}"#),
            format!(r#"{{"nickName":"{escaped}"}}"#),
            format!("token={TOKEN}"),
            TOKEN.to_uppercase(),
        ] {
            let kept = masked(&text).to_lowercase();
            assert!(!kept.contains("abcdefghij"), "{text}: {kept}");
            assert!(kept.contains("rc_eu_"), "{text}: {kept}");
        }
        let query = format!("/Users?access_token={}", TOKEN.replace('_', "%5F"));
        assert_eq!(
            line(&query, &[]),
            format!("/Users?access_token=rc_eu_{MASK}")
        );
        assert_eq!(
            line("/Users?filter=pass%77ord+eq+%22x%22", &[]),
            format!("/Users?{MASK}")
        );
    }

    #[test]
    fn an_answer_that_quotes_a_password_is_masked_alike() {
        let mut secrets = Vec::new();
        let request = Passed {
            bytes: br#"{"password":"hunter\"2!"}"#,
            is_whole: true,
            may_hold_passwords: true,
        };
        body(request, &mut secrets);
        let answer = Passed {
            bytes: br#"{"detail":"`hunter\"2!` is too short"}"#,
            is_whole: true,
            may_hold_passwords: false,
        };
        let kept = body(answer, &mut secrets).unwrap();
        assert!(!kept.contains("hunter"), "{kept}");
    }

    #[test]
    fn a_long_body_is_cut_and_one_that_was_not_seen_whole_is_kept_only_where_no_password_can_be() {
        let long = format!(r#"{{"a":"{}"}}"#, "é".repeat(BODY_KEPT));
        let kept = masked(&long);
        assert!(kept.len() <= BODY_KEPT && kept.len() > BODY_KEPT - 3);
        let part = |may_hold_passwords| {
            let passed = Passed {
                bytes: br#"{"Operations":[{"value":"hunter2!","#,
                is_whole: false,
                may_hold_passwords,
            };
            body(passed, &mut Vec::new()).unwrap()
        };
        assert!(part(true).starts_with("(not kept"));
        assert!(part(false).starts_with("{\"Operations\""));
    }
}
