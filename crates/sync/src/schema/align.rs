//! A list of a document that is to say something else.
//!
//! **Is:** which elements stay, which are changed, which are made. **Is not:** knowledge of what the elements are.
//! **Start at** [`align`].

use serde_json::Value;

/// Returns a list that says what is wanted: an element that says so already is taken as it is, one about the same thing is changed, or one
/// in the same place when the lists are equally long, and the others are made.
pub(super) fn align<T: PartialEq>(
    there: &[Value],
    wanted: &[T],
    read: impl Fn(&Value) -> Option<T>,
    is_about: impl Fn(&T, &T) -> bool,
    change: impl Fn(&mut Value, &T, &T),
    make: impl Fn(&T) -> Value,
) -> Vec<Value> {
    // what is taken leaves nothing behind
    let mut old: Vec<Option<T>> = there.iter().map(read).collect();
    let is_same = old.len() == wanted.len()
        && old
            .iter()
            .zip(wanted)
            .all(|(old, new)| old.as_ref() == Some(new));
    if is_same {
        return there.to_vec();
    }
    let is_as_long = there.len() == wanted.len();
    let mut made: Vec<Option<Value>> = wanted.iter().map(|_| None).collect();
    for pass in [Pass::Equal, Pass::About, Pass::Place] {
        for (place, (new, made)) in wanted.iter().zip(&mut made).enumerate() {
            if made.is_some() {
                continue;
            }
            let mut candidates = old.iter_mut().zip(there).enumerate();
            let found = candidates.find(|(at, (old, _))| {
                old.as_ref().is_some_and(|old| match pass {
                    Pass::Equal => old == new,
                    Pass::About => is_about(old, new),
                    Pass::Place => is_as_long && *at == place,
                })
            });
            if let Some((_, (old, value))) = found
                && let Some(old) = old.take()
            {
                let mut value = value.clone();
                if old != *new {
                    change(&mut value, &old, new);
                }
                *made = Some(value);
            }
        }
    }
    wanted
        .iter()
        .zip(made)
        .map(|(new, made)| made.unwrap_or_else(|| make(new)))
        .collect()
}

/// How an element for what is wanted is looked for.
#[derive(Clone, Copy)]
enum Pass {
    Equal,
    About,
    Place,
}
