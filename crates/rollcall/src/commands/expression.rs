//! `rollcall expression`: the mapping language at the terminal.

use std::io::Read;
use std::path::Path;

use rollcall_app::SystemRandomness;
use rollcall_expression::{
    Context, Expression, Failure, Outcome, Randomness, Taken, library, render,
};
use rollcall_model::{Clock, Randomness as _, SystemClock};
use serde_json::{Map, Value, json};

use crate::cli::{Evaluation, ExpressionCommand};
use crate::outcome::{Exit, Trouble};
use crate::printer;

pub(crate) fn run(command: ExpressionCommand, as_json: bool) -> anyhow::Result<Exit> {
    match command {
        ExpressionCommand::Eval(evaluation) => match &evaluation.cases {
            Some(cases) => all_cases(cases, &evaluation),
            None => one(&evaluation),
        },
        ExpressionCommand::List => list(as_json),
        ExpressionCommand::Explain { name } => explain(&name, as_json),
    }
}

fn one(evaluation: &Evaluation) -> anyhow::Result<Exit> {
    let source = evaluation.expression.as_deref().unwrap_or_default();
    let attributes = match &evaluation.attributes {
        None => Map::new(),
        Some(path) => attributes(path)?,
    };
    let expression = Expression::parse(source).map_err(|mistakes| {
        let shown: Vec<String> = mistakes
            .iter()
            .map(|mistake| render(source, mistake))
            .collect();
        Trouble::wrong(without_label(&shown.join("\n")))
    })?;
    for warning in expression.warnings() {
        printer::say(render(source, warning).trim_end());
    }
    let now = evaluation.now.unwrap_or_else(|| SystemClock.now());
    let outcome =
        evaluate(&expression, &attributes, now, &evaluation.taken).map_err(|failure| {
            let shown = render(source, &failure.mistake());
            Trouble::wrong(without_label(&shown))
                .hint("the expression is right, but not for these attributes")
        })?;
    printer::data(&result(&outcome).to_string());
    Ok(Exit::Done)
}

/// Takes off the label that is printed in front of every error.
fn without_label(shown: &str) -> String {
    let shown = shown.trim_end();
    shown.strip_prefix("error: ").unwrap_or(shown).to_owned()
}

/// Evaluates JSON lines with `expression`, `attributes` and, where the case needs them, `now` and `taken`.
fn all_cases(path: &Path, evaluation: &Evaluation) -> anyhow::Result<Exit> {
    let default_now = evaluation.now.unwrap_or_else(|| SystemClock.now());
    for (index, line) in read(path)?.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let place = || format!("{}:{}", path.display(), index + 1);
        let case: Map<String, Value> = serde_json::from_str(line)
            .map_err(|error| Trouble::wrong(format!("{}: not a JSON object: {error}", place())))?;
        let source = case
            .get("expression")
            .and_then(Value::as_str)
            .ok_or_else(|| Trouble::wrong(format!("{}: `expression` is missing", place())))?;
        let now = match case.get("now").and_then(Value::as_str) {
            None => default_now,
            Some(text) => text.parse().map_err(|error| {
                Trouble::wrong(format!("{}: `now` is not an instant: {error}", place()))
            })?,
        };
        let wrong = |what: &str| Trouble::wrong(format!("{}: {what}", place()));
        let attributes = match case.get("attributes") {
            None => None,
            Some(Value::Object(attributes)) => Some(attributes.clone()),
            Some(_) => return Err(wrong("`attributes` is not an object").into()),
        };
        let taken = match case.get("taken") {
            None => evaluation.taken.clone(),
            Some(values) => serde_json::from_value(values.clone())
                .map_err(|_| wrong("`taken` is not a list of texts"))?,
        };
        let outcome = match Expression::parse(source) {
            Err(mistakes) => json!({"$error": mistakes.to_string()}),
            Ok(expression) => {
                match evaluate(&expression, &attributes.unwrap_or_default(), now, &taken) {
                    Ok(outcome) => result(&outcome),
                    Err(failure) => json!({"$error": failure.to_string()}),
                }
            }
        };
        printer::data(&outcome.to_string());
    }
    Ok(Exit::Done)
}

struct System(SystemRandomness);

impl Randomness for System {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

fn evaluate(
    expression: &Expression,
    attributes: &Map<String, Value>,
    now: jiff::Timestamp,
    taken: &[String],
) -> Result<Outcome, Failure> {
    let is_taken = |value: &str| {
        if taken.iter().any(|known| known == value) {
            Taken::Yes
        } else {
            Taken::No
        }
    };
    let mut context = Context {
        now,
        randomness: &mut System(SystemRandomness::default()),
        taken: &is_taken,
    };
    expression.evaluate(attributes, &mut context)
}

fn result(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Value(value) => value.to_json(),
        Outcome::Ignore => json!({"$flow": "ignore"}),
        Outcome::SkipObject => json!({"$flow": "skip-object"}),
        // every value that is not named as taken is free here
        Outcome::NeedsLookUp(value) => {
            json!({"$error": format!("whether `{value}` is taken is not known")})
        }
    }
}

fn attributes(path: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = read(path)?;
    Ok(serde_json::from_str(&text).map_err(|error| {
        Trouble::wrong(format!(
            "{}: not a JSON object of attributes: {error}",
            path.display()
        ))
        .hint("for example {\"givenName\": \"Ann\", \"surname\": \"Lee\"}")
    })?)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let read = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    Ok(read
        .map_err(|error| Trouble::wrong(format!("{} cannot be read: {error}", path.display())))?)
}

fn list(as_json: bool) -> anyhow::Result<Exit> {
    let functions = library::all();
    if as_json {
        let rows: Vec<Value> = functions
            .iter()
            .map(|function| {
                json!({
                    "name": function.name, "signature": function.signature(),
                    "topic": function.topic.title(), "summary": function.summary,
                })
            })
            .collect();
        printer::json(&rows)?;
    } else {
        for topic in library::Topic::ALL {
            printer::data(topic.title());
            for function in functions.iter().filter(|function| function.topic == topic) {
                printer::data(&format!("  {}", function.signature()));
                printer::data(&format!("      {}", function.summary));
            }
        }
    }
    Ok(Exit::Done)
}

fn explain(name: &str, as_json: bool) -> anyhow::Result<Exit> {
    let same = |other: &str| other.eq_ignore_ascii_case(name);
    let Some(function) = library::all().iter().find(|function| same(function.name)) else {
        let trouble = Trouble::wrong(format!("there is no function `{name}`"));
        return Err(match library::nearest(name) {
            Some(nearest) => trouble.hint(format!("did you mean `{}`?", nearest.name)),
            None => trouble.hint("`rollcall expression list` shows all functions"),
        }
        .into());
    };
    if as_json {
        let parameters: Vec<Value> = function
            .parameters
            .iter()
            .map(|one| json!({"name": one.name, "takes": one.kind.noun(), "optional": one.optional, "meaning": one.meaning}))
            .collect();
        let examples: Vec<Value> = function
            .examples
            .iter()
            .map(|one| json!({"expression": one.expression, "attributes": one.attributes, "result": one.result}))
            .collect();
        printer::json(&json!({
            "name": function.name, "signature": function.signature(), "topic": function.topic.title(),
            "summary": function.summary, "note": function.note, "parameters": parameters, "examples": examples,
        }))?;
    } else {
        printer::data(function.explanation().trim_end());
    }
    Ok(Exit::Done)
}
