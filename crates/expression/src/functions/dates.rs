//! Functions of dates. Everything is UTC.

use jiff::civil::DateTime;

use crate::date::{self, Interval};
use crate::date_format::{Format, Styles, unknown_style};
use crate::evaluate::{Evaluated, Evaluator, Stop};
use crate::syntax::Call;
use crate::{Number, Value};

#[expect(clippy::unnecessary_wraps, reason = "has the form of every function")]
pub(crate) fn now(evaluator: &mut Evaluator<'_, '_>, _: &Call) -> Evaluated {
    Ok(Value::Date(evaluator.now()))
}

pub(crate) fn cdate(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    evaluator.date(call, 0).map(Value::Date)
}

fn interval(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Result<Interval, Stop> {
    let name = evaluator.text(call, 0)?;
    Interval::find(&name).map_err(|problem| evaluator.failure(call, Some(0), problem))
}

pub(crate) fn date_add(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let interval = interval(evaluator, call)?;
    let count = evaluator.integer(call, 1)?;
    let date = evaluator.date(call, 2)?;
    interval
        .add(date, count)
        .map(Value::Date)
        .ok_or_else(|| evaluator.failure(call, None, "the date is beyond the years 1 to 9999"))
}

pub(crate) fn date_diff(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let interval = interval(evaluator, call)?;
    let from = evaluator.date(call, 1)?;
    let to = evaluator.date(call, 2)?;
    Ok(Number::from(interval.between(from, to)).into())
}

pub(crate) fn date_from_num(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let ticks = evaluator.integer(call, 0)?;
    date::from_file_time(ticks.into())
        .map(Value::Date)
        .ok_or_else(|| {
            let reason = if ticks == i64::MAX {
                "this number means \"never\", which is no date"
            } else {
                "the date is beyond the years 1 to 9999"
            };
            evaluator.failure(call, Some(0), reason)
        })
}

pub(crate) fn num_from_date(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let date = evaluator.date(call, 0)?;
    Ok(Number::from(date::file_time(date)).into())
}

/// With four arguments the second holds styles; the older form has only three.
pub(crate) fn format_date_time(evaluator: &mut Evaluator<'_, '_>, call: &Call) -> Evaluated {
    let (styles_at, input_at) = if call.arguments.len() == 4 {
        (Some(1), 2)
    } else {
        (None, 1)
    };
    let output_at = input_at + 1;
    let value = evaluator.value(call, 0)?;
    let date = match value {
        // a date is not written out only to be read again in a format that may not fit
        Value::Date(date) => date,
        _ => read(evaluator, call, &value, styles_at, input_at)?,
    };
    let output = format(evaluator, call, output_at)?;
    Ok(output.write(date).into())
}

fn read(
    evaluator: &mut Evaluator<'_, '_>,
    call: &Call,
    value: &Value,
    styles_at: Option<usize>,
    input_at: usize,
) -> Result<DateTime, Stop> {
    let Some(text) = value.text() else {
        let reason = if value.is_null() {
            "there is no date to format"
        } else {
            "one date is expected"
        };
        return Err(evaluator.failure(call, Some(0), reason));
    };
    let styles = match styles_at {
        Some(index) => evaluator.text(call, index)?,
        None => String::new(),
    };
    if unknown_style(&styles).is_some() {
        return Err(evaluator.failure(call, styles_at, "not one of .NET's DateTimeStyles"));
    }
    let input = format(evaluator, call, input_at)?;
    let today = evaluator.now();
    input
        .read(&text, Styles::parse(&styles), today)
        .map_err(|problem| evaluator.failure(call, Some(0), problem.to_string()))
}

fn format(evaluator: &mut Evaluator<'_, '_>, call: &Call, index: usize) -> Result<Format, Stop> {
    let text = evaluator.text(call, index)?;
    Format::parse(&text)
        .map_err(|problem| evaluator.failure(call, Some(index), problem.to_string()))
}
