//! Choices, which evaluate only what they take, and tests.

use crate::Value;
use crate::evaluate::{Evaluated, Evaluator, Stop, Taken};
use crate::syntax::Call;

pub(crate) fn iif(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let branch = if evaluator.truth(call, 0)? { 1 } else { 2 };
    evaluator.value(call, branch)
}

pub(crate) fn switch(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let source = evaluator.text(call, 0)?;
    for key in (2..call.arguments.len()).step_by(2) {
        if evaluator.text(call, key)? == source {
            return evaluator.value(call, key + 1);
        }
    }
    evaluator.value(call, 1)
}

pub(crate) fn coalesce(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    for index in 0..call.arguments.len() {
        let value = evaluator.value(call, index)?;
        if !value.is_null() {
            return Ok(value);
        }
    }
    Ok(Value::Null)
}

pub(crate) fn is_null(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    Ok(evaluator.value(call, 0)?.is_null().into())
}

pub(crate) fn is_null_or_empty(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    Ok(evaluator.value(call, 0)?.is_null_or_empty().into())
}

pub(crate) fn is_present(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    Ok((!evaluator.value(call, 0)?.is_null_or_empty()).into())
}

/// Whether `CStr` could make a text of it.
pub(crate) fn is_string(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    Ok(evaluator.value(call, 0)?.text().is_some().into())
}

pub(crate) fn not(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let value = evaluator.value(call, 0)?;
    Ok((value.text().as_deref() != Some("True")).into())
}

pub(crate) fn cbool(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    evaluator.truth(call, 0).map(Value::Boolean)
}

pub(crate) fn ignore_if_empty(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let value = evaluator.value(call, 0)?;
    if value.is_null_or_empty() {
        Err(Stop::Ignore)
    } else {
        Ok(value)
    }
}

/// Returns the first value that is free in the target; rules without a value are passed over.
pub(crate) fn select_unique(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    for index in 0..call.arguments.len() {
        let value = evaluator.text(call, index)?;
        if value.is_empty() {
            continue;
        }
        match evaluator.taken(&value) {
            Taken::No => return Ok(value.into()),
            Taken::Yes => {}
            Taken::Unknown => return Err(Stop::NeedsLookUp(value)),
        }
    }
    Err(evaluator.failure(
        call,
        None,
        "every rule gives a value that is taken, or none",
    ))
}
