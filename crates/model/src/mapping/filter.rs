//! Scoping filters: conditions on the attributes of a source's object.
//!
//! **Is:** filters, clauses and operators as an administrator edits them. **Is not:** their evaluation; that belongs to the rules of a
//! cycle.
//! **Start at** [`ScopeFilter`].

use serde::{Deserialize, Serialize};

/// Clauses that all have to be true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeFilter {
    /// Its name for people.
    pub name: String,
    /// The clauses.
    pub clauses: Vec<Clause>,
}

/// A condition on one attribute of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause {
    /// The source's attribute.
    pub attribute: String,
    /// What is asked of it.
    pub operator: Operator,
    /// The values it is compared with; none for operators that need none.
    #[serde(default)]
    pub values: Vec<String>,
}

/// What a clause asks. A source without a value makes every clause false but [`Operator::IsNull`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// The whole text is equal, also in case.
    #[serde(rename = "EQUALS")]
    Equals,
    /// The text differs.
    #[serde(rename = "NOT EQUALS")]
    NotEquals,
    /// The boolean is true.
    #[serde(rename = "IS TRUE")]
    IsTrue,
    /// The boolean is false.
    #[serde(rename = "IS FALSE")]
    IsFalse,
    /// There is no value, or an empty one.
    #[serde(rename = "IS NULL")]
    IsNull,
    /// There is a value.
    #[serde(rename = "IS NOT NULL")]
    IsNotNull,
    /// The pattern matches somewhere.
    #[serde(rename = "REGEX MATCH")]
    RegexMatch,
    /// The pattern matches nowhere.
    #[serde(rename = "NOT REGEX MATCH")]
    NotRegexMatch,
    /// The integer is greater.
    #[serde(rename = "Greater_Than")]
    GreaterThan,
    /// The integer is greater or equal.
    #[serde(rename = "Greater_Than_OR_EQUALS")]
    GreaterThanOrEquals,
    /// The text contains the value, also in case.
    #[serde(rename = "Includes")]
    Includes,
    /// The text ends with the value, also in case.
    #[serde(rename = "ENDS_WITH")]
    EndsWith,
    /// The attribute's value occurs in the text given.
    #[serde(rename = "&")]
    OccursIn,
    /// The attribute's value does not occur in the text given.
    #[serde(rename = "!&")]
    NotOccursIn,
}

impl Operator {
    /// All operators, in the order in which they are offered.
    pub const ALL: [Self; 14] = [
        Self::Equals,
        Self::NotEquals,
        Self::IsTrue,
        Self::IsFalse,
        Self::IsNull,
        Self::IsNotNull,
        Self::RegexMatch,
        Self::NotRegexMatch,
        Self::GreaterThan,
        Self::GreaterThanOrEquals,
        Self::Includes,
        Self::EndsWith,
        Self::OccursIn,
        Self::NotOccursIn,
    ];

    /// Returns the name that an exported schema uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Equals => "EQUALS",
            Self::NotEquals => "NOT EQUALS",
            Self::IsTrue => "IS TRUE",
            Self::IsFalse => "IS FALSE",
            Self::IsNull => "IS NULL",
            Self::IsNotNull => "IS NOT NULL",
            Self::RegexMatch => "REGEX MATCH",
            Self::NotRegexMatch => "NOT REGEX MATCH",
            Self::GreaterThan => "Greater_Than",
            Self::GreaterThanOrEquals => "Greater_Than_OR_EQUALS",
            Self::Includes => "Includes",
            Self::EndsWith => "ENDS_WITH",
            Self::OccursIn => "&",
            Self::NotOccursIn => "!&",
        }
    }

    /// Finds an operator by the name that an exported schema uses, in whatever case.
    pub fn find(name: &str) -> Option<Self> {
        let name = name.trim();
        Self::ALL
            .into_iter()
            .find(|operator| operator.name().eq_ignore_ascii_case(name))
    }

    /// Tells whether the operator compares with a value.
    pub fn takes_a_value(self) -> bool {
        !matches!(
            self,
            Self::IsTrue | Self::IsFalse | Self::IsNull | Self::IsNotNull
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_is_written_under_the_name_of_the_exported_schema() {
        for operator in Operator::ALL {
            let written = serde_json::to_value(operator).unwrap();
            assert_eq!(written, operator.name(), "{operator:?}");
            assert_eq!(
                serde_json::from_value::<Operator>(written).unwrap(),
                operator
            );
            assert_eq!(
                Operator::find(&operator.name().to_lowercase()),
                Some(operator)
            );
        }
    }
}
