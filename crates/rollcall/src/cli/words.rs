//! The words of settings, and what they mean.
//!
//! **Is:** parsing at the edge: whoever holds one of these values holds one that is allowed.

use std::str::FromStr;

use clap::ValueEnum;
use rollcall_model::application::{Leaving, NestedGroups, Scope};
use rollcall_model::mapping::{Apply, Clause, Mutability, Nulls, Operator, ValueType};
use rollcall_model::{Email, Kind};

use super::Lifetime;

/// Declares the words for the values of a type of the model.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $model:ty { $($word:ident = $value:expr),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
        pub(crate) enum $name { $($word),+ }

        impl From<$name> for $model {
            fn from(word: $name) -> Self {
                match word { $($name::$word => $value),+ }
            }
        }
    };
}

words!(
    /// A kind of object.
    KindWord: Kind { User = Kind::User, Group = Kind::Group }
);
words!(
    /// Who is provisioned.
    ScopeWord: Scope { All = Scope::All, Assigned = Scope::AssignedOnly }
);
words!(
    /// What groups within groups mean.
    NestedWord: NestedGroups {
        Direct = NestedGroups::Direct, Keep = NestedGroups::Keep, Flatten = NestedGroups::Flatten,
    }
);
words!(
    /// What becomes of who leaves.
    LeavingWord: Leaving {
        Disable = Leaving::Disable, Delete = Leaving::Delete, Unlink = Leaving::Unlink,
    }
);
words!(
    /// A yes or no.
    YesNo: bool { Yes = true, No = false }
);
words!(
    /// On or off.
    OnOff: bool { On = true, Off = false }
);
words!(
    /// When a mapping applies.
    ApplyWord: Apply {
        Always = Apply::Always, OnCreate = Apply::OnCreate, AddOnly = Apply::AddOnly,
    }
);
words!(
    /// What a null does.
    NullsWord: Nulls { Keep = Nulls::Keep, Clear = Nulls::Clear }
);
words!(
    /// Whether an attribute can be read and written.
    MutabilityWord: Mutability {
        ReadWrite = Mutability::ReadWrite,
        ReadOnly = Mutability::ReadOnly,
        Immutable = Mutability::Immutable,
        WriteOnly = Mutability::WriteOnly,
    }
);
words!(
    /// The type of an attribute's values.
    TypeWord: ValueType {
        String = ValueType::String,
        Integer = ValueType::Integer,
        Boolean = ValueType::Boolean,
        DateTime = ValueType::DateTime,
        Binary = ValueType::Binary,
        Reference = ValueType::Reference,
    }
);

/// A number, or none of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NumberOrDefault(pub(crate) Option<u64>);

impl FromStr for NumberOrDefault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "default" {
            return Ok(Self(None));
        }
        let number = text.parse();
        let number = number.map_err(|_| "write a number such as 50, or `default`".to_owned());
        number.map(|number| Self(Some(number)))
    }
}

/// A percentage, or none of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PercentOrDefault(pub(crate) Option<u8>);

impl FromStr for PercentOrDefault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "default" {
            return Ok(Self(None));
        }
        let number: Option<u8> = text.trim_end_matches('%').parse().ok();
        let percent = number.filter(|percent| *percent <= 100);
        let percent = percent.ok_or("write a percentage from 0 to 100, or `default`");
        Ok(Self(Some(percent?)))
    }
}

/// Whole hours, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval(pub(crate) Option<u32>);

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self(None));
        }
        let Lifetime(time) = text.parse()?;
        let seconds = time.as_secs();
        let hours = u32::try_from(seconds / 3_600)
            .ok()
            .filter(|_| seconds % 3_600 == 0);
        let hours = hours.ok_or("write whole hours, such as 1h, 24h or 7d, or `never`");
        Ok(Self(Some(hours?)))
    }
}

/// Who is told, or nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notified(pub(crate) Option<Email>);

impl FromStr for Notified {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "nobody" {
            return Ok(Self(None));
        }
        let email = text.parse::<Email>();
        let email = email.map_err(|error| format!("{error}; or write `nobody`"));
        Ok(Self(Some(email?)))
    }
}

/// A precedence of matching, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PrecedenceOrNone(pub(crate) Option<u8>);

impl FromStr for PrecedenceOrNone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let precedence: Option<u8> = text.parse().ok();
        let precedence = precedence.filter(|precedence| *precedence > 0);
        let precedence = precedence.ok_or("write a precedence from 1 to 255, or `none`");
        Ok(Self(Some(precedence?)))
    }
}

/// Reads a clause of a scoping filter: an attribute of the source, an operator, and a value where the operator takes one. The value is the
/// rest of the text as it stands.
pub(crate) fn clause(text: &str) -> Result<Clause, String> {
    let (attribute, rest) = text
        .trim()
        .split_once(char::is_whitespace)
        .unwrap_or((text.trim(), ""));
    if attribute.is_empty() {
        return Err(
            "a clause is an attribute, an operator and a value: department EQUALS Sales".to_owned(),
        );
    }
    let rest = rest.trim();
    // the longest one that fits: `Greater_Than` begins another operator's name, too
    let mut fitting: Vec<(Operator, &str)> = Operator::ALL
        .into_iter()
        .filter_map(|operator| Some((operator, after(rest, operator.name())?)))
        .collect();
    fitting.sort_by_key(|(operator, _)| operator.name().len());
    let Some((operator, value)) = fitting.pop() else {
        let names = Operator::ALL.map(Operator::name).join(", ");
        return Err(format!(
            "no operator follows `{attribute}`: use one of {names}"
        ));
    };
    let values = match (operator.takes_a_value(), value) {
        (true, "") => {
            return Err(format!(
                "`{attribute} {}` needs a value to compare with",
                operator.name()
            ));
        }
        (false, value) if !value.is_empty() => {
            return Err(format!(
                "`{attribute} {}` takes no value, and `{value}` follows",
                operator.name()
            ));
        }
        (true, value) => vec![value.to_owned()],
        (false, _) => Vec::new(),
    };
    Ok(Clause {
        attribute: attribute.to_owned(),
        operator,
        values,
    })
}

/// Returns what follows an operator's name, which is written in any case.
fn after<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (head, tail) = text.split_at_checked(name.len())?;
    let ends = tail.is_empty() || tail.starts_with(char::is_whitespace);
    (head.eq_ignore_ascii_case(name) && ends).then(|| tail.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_can_be_written_in_a_clause() {
        for operator in Operator::ALL {
            let value = if operator.takes_a_value() {
                " 1 or 2"
            } else {
                ""
            };
            let text = format!("costCenter {}{value}", operator.name());

            let read = clause(&text).unwrap();

            assert_eq!(read.operator, operator, "{text}");
            assert_eq!(read.attribute, "costCenter");
            assert_eq!(read.values.len(), usize::from(operator.takes_a_value()));
        }
        let read = clause("  department   not equals   North  West ").unwrap();
        assert_eq!(read.operator, Operator::NotEquals);
        assert_eq!(read.values, ["North  West"]);
    }

    #[test]
    fn a_clause_that_is_wrong_says_what_is_missing() {
        for (text, said) in [
            ("", "an attribute, an operator and a value"),
            ("department", "use one of EQUALS, NOT EQUALS"),
            ("department IS Sales", "use one of EQUALS"),
            ("department EQUALSSales", "use one of EQUALS"),
            ("department EQUALS", "needs a value"),
            ("active IS TRUE today", "takes no value"),
        ] {
            let error = clause(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn numbers_times_and_addresses_have_a_word_for_none() {
        assert_eq!("default".parse(), Ok(NumberOrDefault(None)));
        assert_eq!("7".parse(), Ok(NumberOrDefault(Some(7))));
        assert_eq!("20%".parse(), Ok(PercentOrDefault(Some(20))));
        assert_eq!("never".parse(), Ok(Interval(None)));
        assert_eq!("2d".parse(), Ok(Interval(Some(48))));
        assert_eq!("nobody".parse(), Ok(Notified(None)));
        assert_eq!("none".parse(), Ok(PrecedenceOrNone(None)));
        for wrong in ["-1", "x", ""] {
            assert!(wrong.parse::<NumberOrDefault>().is_err(), "{wrong}");
        }
        for wrong in ["101", "300", "x"] {
            assert!(wrong.parse::<PercentOrDefault>().is_err(), "{wrong}");
        }
        for wrong in ["90m", "30s", "x"] {
            assert!(wrong.parse::<Interval>().is_err(), "{wrong}");
        }
        assert!("0".parse::<PrecedenceOrNone>().is_err());
        assert!("nowhere".parse::<Notified>().is_err());
    }
}
