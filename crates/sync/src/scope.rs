//! Scoping filters: which objects of the source an application gets.
//!
//! **Is:** the clauses of a mapping, compiled and evaluated. Clauses of one filter all have to be true; one filter of
//! several is enough.
//! **Is not:** assignment, nor whether the account is blocked; see [`Entitlement`](crate::task::Entitlement).

use regex::{Regex, RegexBuilder};
use rollcall_model::mapping::{Clause, Operator, ScopeFilter};
use serde_json::{Map, Value};

/// Filters that can be evaluated.
#[derive(Debug, Clone, Default)]
pub struct ScopeFilters(Vec<Filter>);

#[derive(Debug, Clone)]
struct Filter {
    name: String,
    clauses: Vec<Compiled>,
}

#[derive(Debug, Clone)]
struct Compiled {
    clause: Clause,
    pattern: Option<Regex>,
    numbers: Vec<i64>,
}

/// What the filters said about an object.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopeResult {
    /// Whether it is in scope.
    pub passed: bool,
    /// What each clause said, under its text.
    pub details: Map<String, Value>,
}

/// A clause that cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadClause {
    /// The place of its filter.
    pub filter: usize,
    /// Its place in the filter.
    pub clause: usize,
    /// What is wrong with it.
    pub message: String,
    /// What to do about it.
    pub help: &'static str,
}

impl ScopeFilters {
    /// Compiles filters.
    ///
    /// # Errors
    /// Every clause that cannot be evaluated.
    pub fn compile(filters: &[ScopeFilter]) -> Result<Self, Vec<BadClause>> {
        let mut mistakes = Vec::new();
        let mut compiled = Vec::new();
        for (place, filter) in filters.iter().enumerate() {
            let mut clauses = Vec::new();
            for (number, clause) in filter.clauses.iter().enumerate() {
                match Compiled::new(clause) {
                    Ok(clause) => clauses.push(clause),
                    Err((message, help)) => mistakes.push(BadClause {
                        filter: place,
                        clause: number,
                        message,
                        help,
                    }),
                }
            }
            compiled.push(Filter {
                name: filter.name.clone(),
                clauses,
            });
        }
        if mistakes.is_empty() {
            Ok(Self(compiled))
        } else {
            Err(mistakes)
        }
    }

    /// Evaluates the filters on an object's attributes.
    pub fn evaluate(&self, attributes: &Map<String, Value>) -> ScopeResult {
        let mut details = Map::new();
        let mut passed = self.0.is_empty();
        for filter in &self.0 {
            let mut all = true;
            for clause in &filter.clauses {
                let is_true = clause.is_true(attributes);
                all &= is_true;
                details.insert(
                    format!("{}.{}", filter.name, clause.text()),
                    Value::Bool(is_true),
                );
            }
            passed |= all;
        }
        ScopeResult { passed, details }
    }

    /// Tells whether every object passes, without evaluating what the log shows.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Compiled {
    /// Compiles a clause; otherwise returns what is wrong, and what to do about it.
    fn new(clause: &Clause) -> Result<Self, (String, &'static str)> {
        let shown = format!("`{} {}`", clause.attribute, clause.operator.name());
        if clause.attribute.trim().is_empty() {
            let help = "choose the source attribute that is asked";
            return Err((format!("{shown} names no attribute"), help));
        }
        if clause.operator.takes_a_value() && clause.values.is_empty() {
            let help = "write the value, or ask IS NULL or IS NOT NULL";
            return Err((format!("{shown} needs a value to compare with"), help));
        }
        let mut compiled = Self {
            clause: clause.clone(),
            pattern: None,
            numbers: Vec::new(),
        };
        match clause.operator {
            Operator::RegexMatch | Operator::NotRegexMatch => {
                let [pattern] = clause.values.as_slice() else {
                    let help = "join the patterns with `|`, or make a filter of each";
                    return Err((format!("{shown} takes one pattern"), help));
                };
                let pattern = RegexBuilder::new(pattern)
                    .size_limit(1 << 20)
                    .build()
                    .map_err(|error| {
                        let help =
                            "mend the pattern; look-around and back-references are not known here";
                        (
                            format!("{shown}: the pattern `{pattern}` cannot be used: {error}"),
                            help,
                        )
                    })?;
                compiled.pattern = Some(pattern);
            }
            Operator::GreaterThan | Operator::GreaterThanOrEquals => {
                for value in &clause.values {
                    let number = value.trim().parse().map_err(|_| {
                        let help = "write a whole number, or use another operator";
                        (
                            format!("{shown} compares with an integer, and `{value}` is none"),
                            help,
                        )
                    })?;
                    compiled.numbers.push(number);
                }
            }
            _ => {}
        }
        Ok(compiled)
    }

    fn text(&self) -> String {
        let Clause {
            attribute,
            operator,
            values,
        } = &self.clause;
        let values: Vec<String> = values.iter().map(|value| format!(" '{value}'")).collect();
        format!("{attribute} {}{}", operator.name(), values.join(","))
    }

    fn is_true(&self, attributes: &Map<String, Value>) -> bool {
        let value = attributes.get(&self.clause.attribute).and_then(text_of);
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return self.clause.operator == Operator::IsNull;
        };
        let values = &self.clause.values;
        match self.clause.operator {
            Operator::Equals => values.contains(&value),
            Operator::NotEquals => !values.contains(&value),
            Operator::IsTrue => value.eq_ignore_ascii_case("true"),
            Operator::IsFalse => value.eq_ignore_ascii_case("false"),
            Operator::IsNull => false,
            Operator::IsNotNull => true,
            Operator::RegexMatch => self
                .pattern
                .as_ref()
                .is_some_and(|pattern| pattern.is_match(&value)),
            Operator::NotRegexMatch => self
                .pattern
                .as_ref()
                .is_some_and(|pattern| !pattern.is_match(&value)),
            Operator::GreaterThan => self.compares(&value, |there, given| there > given),
            Operator::GreaterThanOrEquals => self.compares(&value, |there, given| there >= given),
            Operator::Includes => values.iter().any(|given| value.contains(given)),
            Operator::EndsWith => values.iter().any(|given| value.ends_with(given)),
            Operator::OccursIn => values.iter().any(|given| given.contains(&value)),
            Operator::NotOccursIn => !values.iter().any(|given| given.contains(&value)),
        }
    }

    fn compares(&self, value: &str, holds: fn(i64, i64) -> bool) -> bool {
        value
            .trim()
            .parse()
            .is_ok_and(|there| self.numbers.iter().any(|given| holds(there, *given)))
    }
}

/// The text of a single value; many values cannot be asked.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filter(clauses: &[(&str, Operator, &[&str])]) -> ScopeFilter {
        ScopeFilter {
            name: "f".into(),
            clauses: clauses
                .iter()
                .map(|(attribute, operator, values)| Clause {
                    attribute: (*attribute).into(),
                    operator: *operator,
                    values: values.iter().map(|value| (*value).to_owned()).collect(),
                })
                .collect(),
        }
    }

    #[test]
    fn each_operator_asks_what_the_directory_documents() {
        use Operator as O;
        let attributes = json!({"dep": "Sales", "on": true, "off": "False", "n": "12", "empty": "", "many": ["a"]});
        let rows: &[(&str, Operator, &[&str], bool)] = &[
            ("dep", O::Equals, &["Sales"], true),
            ("dep", O::Equals, &["sales"], false),
            ("dep", O::NotEquals, &["sales"], true),
            ("dep", O::NotEquals, &["Sales"], false),
            ("none", O::NotEquals, &["Sales"], false),
            ("on", O::IsTrue, &[], true),
            ("off", O::IsTrue, &[], false),
            ("off", O::IsFalse, &[], true),
            ("none", O::IsFalse, &[], false),
            ("none", O::IsNull, &[], true),
            ("empty", O::IsNull, &[], true),
            ("dep", O::IsNull, &[], false),
            ("dep", O::IsNotNull, &[], true),
            ("empty", O::IsNotNull, &[], false),
            ("dep", O::RegexMatch, &["^S.*s$"], true),
            ("dep", O::RegexMatch, &["ale"], true),
            ("dep", O::NotRegexMatch, &["ale"], false),
            ("none", O::NotRegexMatch, &["ale"], false),
            ("n", O::GreaterThan, &["11"], true),
            ("n", O::GreaterThan, &["12"], false),
            ("n", O::GreaterThanOrEquals, &["12"], true),
            ("dep", O::GreaterThan, &["1"], false),
            ("dep", O::Includes, &["ale"], true),
            ("dep", O::Includes, &["ALE"], false),
            ("dep", O::EndsWith, &["es"], true),
            ("dep", O::OccursIn, &["IT;Sales;HR"], true),
            ("dep", O::NotOccursIn, &["IT;Sales;HR"], false),
            ("dep", O::NotOccursIn, &["IT"], true),
            ("many", O::IsNotNull, &[], false),
        ];
        for (attribute, operator, values, wanted) in rows {
            let filters =
                ScopeFilters::compile(&[filter(&[(attribute, *operator, values)])]).unwrap();
            let result = filters.evaluate(attributes.as_object().unwrap());
            assert_eq!(
                result.passed, *wanted,
                "{attribute} {operator:?} {values:?}"
            );
        }
    }

    #[test]
    fn clauses_are_joined_by_and_and_filters_by_or() {
        let attributes = json!({"a": "1", "b": "2"});
        let a = ("a", Operator::Equals, ["1"].as_slice());
        let b = ("b", Operator::Equals, ["x"].as_slice());
        let both = ScopeFilters::compile(&[filter(&[a, b])]).unwrap();
        let either = ScopeFilters::compile(&[filter(&[a]), filter(&[b])]).unwrap();

        assert!(!both.evaluate(attributes.as_object().unwrap()).passed);
        let result = either.evaluate(attributes.as_object().unwrap());
        assert!(result.passed);
        assert_eq!(
            Value::Object(result.details),
            json!({"f.a EQUALS '1'": true, "f.b EQUALS 'x'": false})
        );
    }

    #[test]
    fn all_clauses_that_cannot_be_evaluated_are_named_at_once() {
        let filters = [filter(&[
            ("a", Operator::RegexMatch, &["("]),
            ("b", Operator::GreaterThan, &["many"]),
            ("c", Operator::Equals, &[]),
        ])];

        assert_eq!(ScopeFilters::compile(&filters).unwrap_err().len(), 3);
    }
}
