//! Running a tree over the attributes of one object.
//!
//! **Is:** the walk, its fuel, the conversion of arguments. **Is not:** the functions; they are in `functions`.
//! **Start at** [`Evaluator::run`]. A call evaluates its arguments itself, so that a choice evaluates only what it takes.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::mistake::Mistake;
use crate::random::Randomness;
use crate::syntax::{Call, Comparison, Kind, Node, Operator, Word};
use crate::{Attributes, Number, Value, date, limits};

/// What an evaluation may ask of the world.
pub struct Context<'a> {
    /// The time that `Now()` gives.
    pub now: Timestamp,
    /// Where random values come from.
    pub randomness: &'a mut dyn Randomness,
    /// Whether a value exists in the target already; asked by `SelectUniqueValue`.
    pub taken: &'a dyn Fn(&str) -> Taken,
}

/// What is known of a value in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Another object has it.
    Yes,
    /// It is free.
    No,
    /// It has not been looked up.
    Unknown,
}

/// What came out of an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The value; [`Value::Null`] leaves an attribute alone.
    Value(Value),
    /// The attribute is left out, the others go on.
    Ignore,
    /// The object is neither created nor updated.
    SkipObject,
    /// The state of this value decides: look it up, then evaluate again with the same randomness.
    NeedsLookUp(String),
}

/// Why an expression has no value for one object. Never holds the object's data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", function.map(|name| format!("`{name}`: ")).unwrap_or_default())]
pub struct Failure {
    /// The function that failed.
    pub function: Option<&'static str>,
    /// The place: bytes of the expression.
    pub span: Range<usize>,
    /// What it could not do.
    pub reason: String,
}

impl Failure {
    /// Returns the mistake with which [`render`](crate::render) shows it.
    pub fn mistake(&self) -> Mistake {
        Mistake::error(self.span.clone(), self.to_string())
    }
}

/// Why an evaluation ended before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    Ignore,
    SkipObject,
    NeedsLookUp(String),
    Failure(Failure),
}

/// What a node evaluates to.
pub(crate) type Evaluated = Result<Value, Stop>;

/// One evaluation.
pub(crate) struct Evaluator<'run, 'context> {
    source: &'run dyn Attributes,
    context: &'run mut Context<'context>,
    fuel: u64,
}

impl<'run, 'context> Evaluator<'run, 'context> {
    /// Evaluates a tree that has no mistakes.
    pub(crate) fn run(
        root: &Node,
        source: &'run dyn Attributes,
        context: &'run mut Context<'context>,
    ) -> Result<Outcome, Failure> {
        let mut evaluator = Self {
            source,
            context,
            fuel: limits::FUEL,
        };
        match evaluator.node(root) {
            Ok(value) => Ok(Outcome::Value(value)),
            Err(Stop::Ignore) => Ok(Outcome::Ignore),
            Err(Stop::SkipObject) => Ok(Outcome::SkipObject),
            Err(Stop::NeedsLookUp(value)) => Ok(Outcome::NeedsLookUp(value)),
            Err(Stop::Failure(failure)) => Err(failure),
        }
    }

    fn node(&mut self, node: &Node) -> Evaluated {
        self.burn(None, &node.span, 1)?;
        match &node.kind {
            Kind::Attribute(name) => {
                let value = self.source.attribute(name);
                if let Value::List(values) = &value {
                    self.burn(
                        None,
                        &node.span,
                        u64::try_from(values.len() / 16).unwrap_or(u64::MAX),
                    )?;
                }
                Ok(value)
            }
            Kind::Text(text) => Ok(Value::Text(text.clone())),
            Kind::Number(number) => Ok(Value::Number(*number)),
            Kind::Word(Word::IgnoreAttributeFlow) => Err(Stop::Ignore),
            Kind::Word(Word::IgnoreObjectFlow) => Err(Stop::SkipObject),
            Kind::Call(call) => {
                let value = (call.function.run)(self, call)?;
                match &value {
                    Value::Text(text) if !call.function.passes_anything() => {
                        self.bounded(call, text.len())?;
                    }
                    _ => {}
                }
                Ok(value)
            }
            Kind::Concatenation(parts) => {
                let mut out = String::new();
                for part in parts {
                    let value = self.node(part)?;
                    out.push_str(&self.single(None, part, &value)?.unwrap_or_default());
                    if out.len() > limits::TEXT_BYTES {
                        return Err(too_long(None, &node.span));
                    }
                }
                Ok(out.into())
            }
            Kind::Comparison(comparison) => self.compare(comparison).map(Value::Boolean),
            Kind::Word(_) | Kind::Wrong => Err(stop(None, &node.span, "this has no value")),
        }
    }

    fn compare(&mut self, comparison: &Comparison) -> Result<bool, Stop> {
        let left = self.node(&comparison.left)?;
        let right = self.node(&comparison.right)?;
        let ordering = if let (Value::Date(left), Value::Date(right)) = (&left, &right) {
            left.cmp(right)
        } else {
            let left = self
                .single(None, &comparison.left, &left)?
                .unwrap_or_default();
            let right = self
                .single(None, &comparison.right, &right)?
                .unwrap_or_default();
            match (left.parse::<Number>(), right.parse::<Number>()) {
                (Ok(left), Ok(right)) => left.cmp(&right),
                _ => left.cmp(&right),
            }
        };
        Ok(match comparison.operator {
            Operator::Equal => ordering.is_eq(),
            Operator::NotEqual => ordering.is_ne(),
            Operator::Greater => ordering.is_gt(),
            Operator::GreaterOrEqual => ordering.is_ge(),
            Operator::Less => ordering.is_lt(),
            Operator::LessOrEqual => ordering.is_le(),
        })
    }

    /// Evaluates an argument; null when it is omitted.
    pub(crate) fn value(&mut self, call: &Call, index: usize) -> Evaluated {
        match call.arguments.get(index) {
            Some(Some(argument)) => self.node(argument),
            _ => Ok(Value::Null),
        }
    }

    /// Evaluates an argument to one text; `None` when it is null or omitted.
    pub(crate) fn text_or_null(
        &mut self,
        call: &Call,
        index: usize,
    ) -> Result<Option<String>, Stop> {
        let Some(Some(argument)) = call.arguments.get(index) else {
            return Ok(None);
        };
        let value = self.node(argument)?;
        self.single(Some(call), argument, &value)
    }

    /// Evaluates an argument to one text; null is the empty one.
    pub(crate) fn text(&mut self, call: &Call, index: usize) -> Result<String, Stop> {
        self.text_or_null(call, index)
            .map(Option::unwrap_or_default)
    }

    fn single(
        &mut self,
        call: Option<&Call>,
        node: &Node,
        value: &Value,
    ) -> Result<Option<String>, Stop> {
        let name = call.map(|call| call.function.name);
        if value.is_null() {
            return Ok(None);
        }
        let Some(text) = value.text() else {
            let what = match value {
                Value::List(_) => "several values",
                _ => "an object",
            };
            let reason = match &node.kind {
                Kind::Attribute(attribute) => {
                    format!("`[{attribute}]` holds {what} where one is expected")
                }
                _ => format!("{what} where one is expected"),
            };
            return Err(stop(name, &node.span, reason));
        };
        self.burn(
            name,
            &node.span,
            u64::try_from(text.len() / 64).unwrap_or(u64::MAX),
        )?;
        Ok(Some(text.into_owned()))
    }

    /// Evaluates an argument to a whole number.
    pub(crate) fn integer(&mut self, call: &Call, index: usize) -> Result<i64, Stop> {
        self.integer_or_null(call, index)?.ok_or_else(|| {
            self.failure(
                call,
                Some(index),
                "a whole number is expected, there is none",
            )
        })
    }

    /// Evaluates an argument to a whole number; `None` when it is null, empty or omitted.
    pub(crate) fn integer_or_null(
        &mut self,
        call: &Call,
        index: usize,
    ) -> Result<Option<i64>, Stop> {
        let text = self.text(call, index)?;
        if text.is_empty() {
            return Ok(None);
        }
        let number: Option<Number> = text.trim().parse().ok();
        let whole = number
            .and_then(|number| number.integer())
            .and_then(|whole| i64::try_from(whole).ok());
        whole
            .map(Some)
            .ok_or_else(|| self.failure(call, Some(index), "a whole number is expected"))
    }

    /// Evaluates an argument to a date.
    pub(crate) fn date(&mut self, call: &Call, index: usize) -> Result<DateTime, Stop> {
        let value = self.value(call, index)?;
        if let Value::Date(date) = value {
            return Ok(date);
        }
        let text = match call.arguments.get(index) {
            Some(Some(node)) => self.single(Some(call), node, &value)?.unwrap_or_default(),
            _ => String::new(),
        };
        if text.is_empty() {
            return Err(self.failure(call, Some(index), "a date is expected, there is none"));
        }
        date::parse(&text).map_err(|problem| self.failure(call, Some(index), problem.to_string()))
    }

    /// Evaluates an argument to the values of a list: none for null, one for a single value.
    pub(crate) fn list(&mut self, call: &Call, index: usize) -> Result<Vec<Value>, Stop> {
        let values = match self.value(call, index)? {
            Value::Null => Vec::new(),
            Value::List(values) => values,
            single => vec![single],
        };
        self.spend(call, u64::try_from(values.len() / 16).unwrap_or(u64::MAX))?;
        Ok(values)
    }

    /// Evaluates an argument to a truth: a comparison, `True`, `False`, a number. Null and the empty text are false.
    pub(crate) fn truth(&mut self, call: &Call, index: usize) -> Result<bool, Stop> {
        let value = self.value(call, index)?;
        if let Value::Boolean(truth) = value {
            return Ok(truth);
        }
        let text = match call.arguments.get(index) {
            Some(Some(node)) => self.single(Some(call), node, &value)?.unwrap_or_default(),
            _ => String::new(),
        };
        if text.is_empty() || text.eq_ignore_ascii_case("False") {
            Ok(false)
        } else if text.eq_ignore_ascii_case("True") {
            Ok(true)
        } else if let Ok(number) = text.parse::<Number>() {
            Ok(!number.is_zero())
        } else {
            Err(self.failure(call, Some(index), "neither True nor False nor a number"))
        }
    }

    /// Returns the bare word at a place.
    pub(crate) fn word(call: &Call, index: usize) -> Option<Word> {
        match call.arguments.get(index)?.as_ref()?.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    /// Returns the time of the evaluation, in UTC.
    pub(crate) fn now(&self) -> DateTime {
        Offset::UTC.to_datetime(self.context.now)
    }

    pub(crate) fn randomness(&mut self) -> &mut dyn Randomness {
        self.context.randomness
    }

    pub(crate) fn taken(&self, value: &str) -> Taken {
        (self.context.taken)(value)
    }

    /// Makes the failure of a call, at one of its arguments or at its name.
    #[expect(
        clippy::unused_self,
        reason = "reads as what the evaluator says, like its siblings"
    )]
    pub(crate) fn failure(
        &self,
        call: &Call,
        index: Option<usize>,
        reason: impl Into<String>,
    ) -> Stop {
        let argument = index
            .and_then(|index| call.arguments.get(index))
            .and_then(Option::as_ref);
        let span = argument.map_or(&call.name, |argument| &argument.span);
        stop(Some(call.function.name), span, reason)
    }

    /// Pays for work that is more than a node.
    pub(crate) fn spend(&mut self, call: &Call, steps: u64) -> Result<(), Stop> {
        self.burn(Some(call.function.name), &call.name, steps)
    }

    /// Refuses a text of more bytes than a function may return.
    #[expect(
        clippy::unused_self,
        reason = "reads as what the evaluator allows, like its siblings"
    )]
    pub(crate) fn bounded(&self, call: &Call, bytes: usize) -> Result<(), Stop> {
        if bytes > limits::TEXT_BYTES {
            return Err(too_long(Some(call.function.name), &call.name));
        }
        Ok(())
    }

    fn burn(
        &mut self,
        function: Option<&'static str>,
        span: &Range<usize>,
        steps: u64,
    ) -> Result<(), Stop> {
        match self.fuel.checked_sub(steps) {
            Some(left) => {
                self.fuel = left;
                Ok(())
            }
            None => Err(stop(
                function,
                span,
                format!(
                    "the evaluation takes more than the {} steps that are allowed",
                    limits::FUEL
                ),
            )),
        }
    }
}

fn stop(function: Option<&'static str>, span: &Range<usize>, reason: impl Into<String>) -> Stop {
    Stop::Failure(Failure {
        function,
        span: span.clone(),
        reason: reason.into(),
    })
}

fn too_long(function: Option<&'static str>, span: &Range<usize>) -> Stop {
    stop(
        function,
        span,
        format!("the result is longer than {} bytes", limits::TEXT_BYTES),
    )
}
