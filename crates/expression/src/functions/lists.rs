//! Functions of multi-valued attributes.

use std::collections::HashSet;

use crate::evaluate::{Evaluated, Evaluator};
use crate::syntax::Call;
use crate::{Number, Value, limits};

pub(crate) fn join(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let separator = evaluator.text(call, 0)?;
    let mut out = String::new();
    let mut first = true;
    for index in 1..call.arguments.len() {
        for value in evaluator.list(call, index)? {
            if value.is_null_or_empty() {
                continue;
            }
            let Some(text) = value.text() else {
                return Err(evaluator.failure(
                    call,
                    Some(index),
                    "an object where a text is expected",
                ));
            };
            if !first {
                out.push_str(&separator);
            }
            first = false;
            out.push_str(&text);
            evaluator.bounded(call, out.len())?;
        }
    }
    Ok(out.into())
}

pub(crate) fn split(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let text = evaluator.text(call, 0)?;
    let delimiter = evaluator.text(call, 1)?;
    let mut characters = delimiter.chars();
    let (Some(delimiter), None) = (characters.next(), characters.next()) else {
        return Err(evaluator.failure(call, Some(1), "one character is expected"));
    };
    let parts = text
        .split(delimiter)
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let values: Vec<Value> = parts
        .take(limits::LIST_VALUES + 1)
        .map(Value::from)
        .collect();
    if values.len() > limits::LIST_VALUES {
        let reason = format!("the result has more than {} values", limits::LIST_VALUES);
        return Err(evaluator.failure(call, None, reason));
    }
    evaluator.spend(call, u64::try_from(values.len() / 16).unwrap_or(u64::MAX))?;
    Ok(Value::List(values))
}

pub(crate) fn item(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let values = evaluator.list(call, 0)?;
    let number = evaluator.integer(call, 1)?;
    let index = number
        .checked_sub(1)
        .and_then(|index| usize::try_from(index).ok());
    index
        .and_then(|index| values.into_iter().nth(index))
        .ok_or_else(|| {
            evaluator.failure(
                call,
                Some(1),
                "there is no value of that number; they count from 1",
            )
        })
}

pub(crate) fn count(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let values = evaluator.list(call, 0)?;
    Ok(Number::from(values.len()).into())
}

/// Keeps the first of equal values.
pub(crate) fn remove_duplicates(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let mut seen = HashSet::new();
    let mut values = evaluator.list(call, 0)?;
    values.retain(|value| seen.insert(value.to_json().to_string()));
    Ok(Value::List(values))
}

/// Returns the position of a text among values, from 1; 0 when it is not there.
pub(crate) fn contains(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let values = evaluator.list(call, 0)?;
    let sought = evaluator.text(call, 1)?;
    let position = values
        .iter()
        .position(|value| value.text().is_some_and(|text| text == sought));
    Ok(Number::from(position.map_or(0, |index| index + 1)).into())
}
