//! New values: identifiers and random texts.

use crate::evaluate::{Evaluated, Evaluator};
use crate::limits;
use crate::random::below;
use crate::syntax::Call;

#[expect(clippy::unnecessary_wraps, reason = "has the form of every function")]
pub(crate) fn guid(evaluator: &mut Evaluator<'_, '_>, _: &Call) -> Evaluated {
    let mut bytes = [0; 16];
    evaluator.randomness().fill(&mut bytes);
    Ok(uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
        .into())
}

/// The kinds of characters, in the order of the minima.
const KINDS: [&str; 4] = [
    "0123456789",
    // those of the Windows password policy
    "~!@#$%^&*_-+=`|\\(){}[]:;\"'<>,.?/",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "abcdefghijklmnopqrstuvwxyz",
];

pub(crate) fn random_string(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let length = evaluator.integer(call, 0)?;
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length <= limits::RANDOM_CHARACTERS);
    let Some(length) = length else {
        let reason = format!("the length is 0 to {}", limits::RANDOM_CHARACTERS);
        return Err(evaluator.failure(call, Some(0), reason));
    };
    let avoided = evaluator.text(call, 5)?;
    let allowed = KINDS.map(|kind| {
        kind.chars()
            .filter(|character| !avoided.contains(*character))
            .collect::<Vec<char>>()
    });
    let mut wanted: Vec<&[char]> = Vec::with_capacity(length);
    for (index, kind) in (1..).zip(&allowed) {
        let count = evaluator.integer(call, index)?;
        let Ok(count) = usize::try_from(count) else {
            return Err(evaluator.failure(call, Some(index), "a minimum is 0 or more"));
        };
        if count > length - wanted.len() {
            return Err(evaluator.failure(
                call,
                Some(0),
                "the length is less than the sum of the minima",
            ));
        }
        if count > 0 && kind.is_empty() {
            return Err(evaluator.failure(
                call,
                Some(index),
                "every character of this kind is to be avoided",
            ));
        }
        wanted.extend(std::iter::repeat_n(kind.as_slice(), count));
    }
    let any = allowed.concat();
    if any.is_empty() && wanted.len() < length {
        return Err(evaluator.failure(call, Some(5), "every character is to be avoided"));
    }
    wanted.resize(length, &any);
    let randomness = evaluator.randomness();
    let mut characters: Vec<char> = wanted
        .into_iter()
        .filter_map(|kind| kind.get(below(randomness, kind.len())).copied())
        .collect();
    for last in (1..characters.len()).rev() {
        characters.swap(last, below(randomness, last + 1));
    }
    Ok(characters.into_iter().collect::<String>().into())
}
