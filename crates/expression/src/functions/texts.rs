//! Functions of texts. Characters are Unicode scalar values.

use crate::evaluate::{Evaluated, Evaluator};
use crate::functions::letters;
use crate::syntax::{Call, Word};
use crate::{Number, Value};

pub(crate) fn append(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let mut text = evaluator.text(call, 0)?;
    text.push_str(&evaluator.text(call, 1)?);
    Ok(text.into())
}

pub(crate) fn prepend(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    append(evaluator, call)
}

pub(crate) fn left(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let text = evaluator.text(call, 0)?;
    let length = evaluator.integer(call, 1)?;
    Ok(match usize::try_from(length) {
        Ok(length) => text.chars().take(length).collect::<String>().into(),
        // a negative length, for which Entra documents the whole text
        Err(_) => text.into(),
    })
}

pub(crate) fn mid(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let text = evaluator.text(call, 0)?;
    let start = evaluator.integer(call, 1)?;
    let length = evaluator.integer(call, 2)?;
    let Some(skipped) = start
        .checked_sub(1)
        .and_then(|skipped| usize::try_from(skipped).ok())
    else {
        return Err(evaluator.failure(call, Some(1), "the start is 1 or more"));
    };
    let Ok(length) = usize::try_from(length) else {
        return Err(evaluator.failure(call, Some(2), "the length is 0 or more"));
    };
    Ok(text
        .chars()
        .skip(skipped)
        .take(length)
        .collect::<String>()
        .into())
}

pub(crate) fn strip_spaces(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let text = evaluator.text(call, 0)?;
    Ok(text.replace(' ', "").into())
}

pub(crate) fn trim(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let text = evaluator.text(call, 0)?;
    Ok(text.trim().into())
}

pub(crate) fn to_lower(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let text = evaluator.text(call, 0)?;
    let culture = evaluator.text(call, 1)?;
    Ok(letters::lower(&text, &culture).into())
}

pub(crate) fn to_upper(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let text = evaluator.text(call, 0)?;
    let culture = evaluator.text(call, 1)?;
    Ok(letters::upper(&text, &culture).into())
}

pub(crate) fn proper_case(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let text = evaluator.text(call, 0)?;
    let separators = evaluator.text_or_null(call, 1)?;
    Ok(letters::proper(&text, separators.as_deref()).into())
}

pub(crate) fn normalize_diacritics(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let text = evaluator.text(call, 0)?;
    Ok(letters::without_accents(&text).into())
}

pub(crate) fn word(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let text = evaluator.text(call, 0)?;
    let number = evaluator.integer(call, 1)?;
    let delimiters = evaluator.text(call, 2)?;
    let Some(index) = number
        .checked_sub(1)
        .and_then(|index| usize::try_from(index).ok())
    else {
        return Ok("".into());
    };
    let mut words = text
        .split(|character| delimiters.contains(character))
        .filter(|word| !word.is_empty());
    Ok(words.nth(index).unwrap_or_default().into())
}

pub(crate) fn in_str(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let mut text = evaluator.text(call, 0)?;
    let mut sought = evaluator.text(call, 1)?;
    let start = evaluator.integer_or_null(call, 2)?.unwrap_or(1);
    let Some(skipped) = start
        .checked_sub(1)
        .and_then(|skipped| usize::try_from(skipped).ok())
    else {
        return Err(evaluator.failure(call, Some(2), "the start is 1 or more"));
    };
    if Evaluator::word(call, 3) == Some(Word::TextCompare) {
        text = letters::lower(&text, "");
        sought = letters::lower(&sought, "");
    }
    let from = text
        .char_indices()
        .map(|(index, _)| index)
        .chain([text.len()])
        .nth(skipped);
    let found = from.and_then(|from| Some(from + text.get(from..)?.find(&sought)?));
    let position = found
        .and_then(|found| text.get(..found))
        .map_or(0, |before| before.chars().count() + 1);
    Ok(Number::from(position).into())
}

/// Fails with the words of the author.
pub(crate) fn error(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let message = evaluator.text(call, 0)?;
    let message: String = message.chars().take(200).collect();
    Err(evaluator.failure(call, None, message))
}

pub(crate) fn redact(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    evaluator.value(call, 0)
}

/// Returns the value of the n-th part of a distinguished name, from the left.
pub(crate) fn dn_component(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let name = evaluator.text(call, 0)?;
    let number = evaluator.integer(call, 1)?;
    let Some(index) = number
        .checked_sub(1)
        .and_then(|index| usize::try_from(index).ok())
    else {
        return Err(evaluator.failure(call, Some(1), "components count from 1"));
    };
    Ok(components(&name)
        .into_iter()
        .nth(index)
        .map_or(Value::Null, Value::Text))
}

/// Splits a distinguished name at the commas that are not escaped; RFC 4514.
fn components(name: &str) -> Vec<String> {
    let mut components = Vec::new();
    let mut value = String::new();
    let mut in_value = false;
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        match character {
            ',' => {
                components.push(std::mem::take(&mut value).trim().to_owned());
                in_value = false;
            }
            '=' if !in_value => {
                value.clear();
                in_value = true;
            }
            '\\' => {
                let rest = characters.as_str();
                let code = rest
                    .get(..2)
                    .filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
                match code
                    .and_then(|code| u8::from_str_radix(code, 16).ok())
                    .filter(u8::is_ascii)
                {
                    Some(byte) => {
                        value.push(char::from(byte));
                        characters = rest.get(2..).unwrap_or_default().chars();
                    }
                    None => value.extend(characters.next()),
                }
            }
            other => value.push(other),
        }
    }
    if in_value || !value.is_empty() {
        components.push(value.trim().to_owned());
    }
    components
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distinguished_name_is_split_at_plain_commas() {
        assert_eq!(
            components(r"cn=Doe\, Joe,ou=A\2cB = C,dc=x"),
            ["Doe, Joe", "A,B = C", "x"]
        );
        assert_eq!(components(""), [""; 0]);
    }
}
