//! From one kind of value to another.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::evaluate::{Evaluated, Evaluator, Stop};
use crate::syntax::{Call, Word};
use crate::{Number, Value};

pub(crate) fn cstr(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    Ok(evaluator
        .text_or_null(call, 0)?
        .map_or(Value::Null, Value::Text))
}

pub(crate) fn bit_and(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let left = evaluator.integer(call, 0)?;
    let right = evaluator.integer(call, 1)?;
    Ok(Number::from(left & right).into())
}

pub(crate) fn to_base64(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let text = evaluator.text(call, 0)?;
    evaluator.bounded(call, text.len())?;
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    Ok(STANDARD.encode(bytes).into())
}

pub(crate) fn to_utf8_hex(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let text = evaluator.text(call, 0)?;
    evaluator.bounded(call, text.len() * 2)?;
    let digits = text.bytes().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let hexadecimal = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
    Ok(hexadecimal
        .map(|digit| digit.to_ascii_uppercase())
        .collect::<String>()
        .into())
}

fn decoded(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Result<Vec<u8>, Stop> {
    let text = evaluator.text(call, 0)?;
    STANDARD
        .decode(text.trim())
        .map_err(|_| evaluator.failure(call, Some(0), "the text is not base64"))
}

pub(crate) fn from_base64(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let bytes = decoded(evaluator, call)?;
    let text = match Evaluator::word(call, 1) {
        Some(Word::Utf8) => String::from_utf8(bytes).ok(),
        Some(Word::Ascii) => String::from_utf8(bytes).ok().filter(|text| text.is_ascii()),
        _ => {
            let (pairs, rest) = bytes.as_chunks::<2>();
            let units: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
            if rest.is_empty() {
                String::from_utf16(&units).ok()
            } else {
                None
            }
        }
    };
    text.map(Value::Text)
        .ok_or_else(|| evaluator.failure(call, Some(0), "the bytes are no text in that encoding"))
}

/// Writes the binary form of a security identifier as `S-1-…`; MS-DTYP 2.4.2.
pub(crate) fn string_from_sid(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let bytes = decoded(evaluator, call)?;
    sid(&bytes)
        .map(Value::Text)
        .ok_or_else(|| evaluator.failure(call, Some(0), "the bytes are no security identifier"))
}

fn sid(bytes: &[u8]) -> Option<String> {
    let ([revision, count], rest) = bytes.split_first_chunk::<2>()?;
    let (authority, rest) = rest.split_first_chunk::<6>()?;
    let (parts, rest) = rest.as_chunks::<4>();
    if *revision != 1 || parts.len() != usize::from(*count) || !rest.is_empty() {
        return None;
    }
    let authority = authority
        .iter()
        .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let mut text = format!("S-1-{authority}");
    for part in parts {
        text.push('-');
        text.push_str(&u32::from_le_bytes(*part).to_string());
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_security_identifier_is_written_as_text() {
        let bytes = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0];
        assert_eq!(sid(&bytes).as_deref(), Some("S-1-5-32-544"));
        assert_eq!(sid(&bytes[..15]), None);
        assert_eq!(sid(&[]), None);
    }
}
