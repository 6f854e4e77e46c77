//! Narrowing: which index finds the candidates of a filter.
//!
//! [`Filter::conjuncts`] names conditions that every match must fulfil; the best one that an index can answer is chosen here. How
//! the index is asked is up to each database.

use jiff::Timestamp;
use rollcall_model::{Kind, ResourceId};
use rollcall_scim::filter::{Conjunct, Filter, Literal, Operator};
use rollcall_scim::key;

/// A condition that an index answers.
#[derive(Debug, Clone)]
pub(crate) enum Narrowing {
    /// No index helps: every object is a candidate.
    None,
    /// No object can match.
    Nothing,
    Id(ResourceId),
    Name(String),
    ExternalId(String),
    Display(String),
    Email(String),
    /// People whose manager this is, by the canonical key of the manager's id.
    Manager(String),
    /// People who are switched off.
    Inactive,
    /// Groups that have this member.
    Member(ResourceId),
    /// Members of this group.
    Group(ResourceId),
    /// Those whose value of a kind has a canonical key that begins so.
    Beginning(Keyed, String),
    /// Changed at or after the first, at or before the second instant.
    Modified(Option<Timestamp>, Option<Timestamp>),
    /// Any of these.
    Any(Vec<Narrowing>),
}

/// The values that are kept under their canonical keys.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keyed {
    Name,
    Display,
    Email,
}

/// The path of a manager's id, as [`Conjunct::path`] writes it.
const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value";

/// Chooses the best of the filter's necessary conditions.
pub(crate) fn narrowing(filter: &Filter, kind: Kind) -> Narrowing {
    let best = narrowings(filter, kind).into_iter().next();
    best.unwrap_or(Narrowing::None)
}

/// Returns the filter's necessary conditions that an index answers, the most promising first.
pub(crate) fn narrowings(filter: &Filter, kind: Kind) -> Vec<Narrowing> {
    let mut all = each(&filter.conjuncts(), kind);
    for choice in filter.choices() {
        let alternatives: Vec<Narrowing> = choice
            .iter()
            .map(|conjuncts| narrowing_of(conjuncts, kind))
            .filter(|narrowing| !matches!(narrowing, Narrowing::Nothing))
            .collect();
        all.push(if alternatives.is_empty() {
            Narrowing::Nothing
        } else {
            Narrowing::Any(alternatives)
        });
    }
    all.retain(|narrowing| narrowing.rank() < Narrowing::None.rank());
    all.sort_by_key(Narrowing::rank);
    all
}

fn narrowing_of(conjuncts: &[Conjunct<'_>], kind: Kind) -> Narrowing {
    let best = each(conjuncts, kind)
        .into_iter()
        .min_by_key(Narrowing::rank);
    best.unwrap_or(Narrowing::None)
}

/// Finds the conditions that an index answers.
fn each(conjuncts: &[Conjunct<'_>], kind: Kind) -> Vec<Narrowing> {
    let found = conjuncts.iter().filter_map(|conjunct| {
        let path = conjunct.path();
        match (conjunct.operator, conjunct.literal) {
            (Operator::Eq, Literal::String(text)) => equal(kind, &path, text),
            (Operator::Eq, Literal::Boolean(false)) if kind == Kind::User && path == "active" => {
                Some(Narrowing::Inactive)
            }
            (Operator::Sw, Literal::String(text)) => beginning(kind, &path, text),
            _ => None,
        }
    });
    found.chain([modified(conjuncts)]).collect()
}

fn equal(kind: Kind, path: &str, text: &str) -> Option<Narrowing> {
    Some(match (kind, path) {
        (_, "id") => text.parse().map_or(Narrowing::Nothing, Narrowing::Id),
        (Kind::User, "userName") | (Kind::Group, "displayName") => {
            Narrowing::Name(key::canonical(text))
        }
        (Kind::Group, "members.value") => {
            text.parse().map_or(Narrowing::Nothing, Narrowing::Member)
        }
        (Kind::User, "groups.value") => text.parse().map_or(Narrowing::Nothing, Narrowing::Group),
        (_, "externalId") => Narrowing::ExternalId(text.to_owned()),
        (Kind::User, "emails.value") => Narrowing::Email(key::canonical(text)),
        (Kind::User, "displayName") => Narrowing::Display(key::canonical(text)),
        (Kind::User, path) if path == MANAGER => Narrowing::Manager(key::canonical(text)),
        _ => return None,
    })
}

fn beginning(kind: Kind, path: &str, text: &str) -> Option<Narrowing> {
    let keyed = match (kind, path) {
        (Kind::User, "userName") | (Kind::Group, "displayName") => Keyed::Name,
        (Kind::User, "displayName") => Keyed::Display,
        (Kind::User, "emails.value") => Keyed::Email,
        _ => return None,
    };
    // spaces at the ends of the value are not in its key, those of the beginning may be
    let beginning = key::canonical(text);
    (!beginning.is_empty()).then_some(Narrowing::Beginning(keyed, beginning))
}

/// Returns the first text behind all those that begin so, in the order of their bytes; absent: there is none.
pub(crate) fn behind(beginning: &str) -> Option<String> {
    let mut letters: Vec<char> = beginning.chars().collect();
    while let Some(last) = letters.pop() {
        // the surrogates are no characters
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            letters.push(next);
            return Some(letters.into_iter().collect());
        }
    }
    None
}

fn modified(conjuncts: &[Conjunct<'_>]) -> Narrowing {
    let (mut from, mut to) = (None, None);
    for conjunct in conjuncts
        .iter()
        .filter(|conjunct| conjunct.path() == "meta.lastModified")
    {
        let Literal::String(text) = conjunct.literal else {
            continue;
        };
        let Ok(at) = text.parse::<Timestamp>() else {
            continue;
        };
        match conjunct.operator {
            Operator::Gt | Operator::Ge => from = from.max(Some(at)),
            Operator::Lt | Operator::Le => to = Some(to.map_or(at, |to: Timestamp| to.min(at))),
            Operator::Eq => (from, to) = (Some(at), Some(at)),
            _ => {}
        }
    }
    if from.is_none() && to.is_none() {
        Narrowing::None
    } else {
        Narrowing::Modified(from, to)
    }
}

impl Narrowing {
    /// Tells whether an object is found by something that hardly any two have in common.
    pub(crate) fn is_narrow(&self) -> bool {
        matches!(
            self,
            Self::Nothing | Self::Id(_) | Self::Name(_) | Self::ExternalId(_) | Self::Email(_)
        )
    }

    /// How few candidates to expect: lower is fewer.
    fn rank(&self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Id(_) => 1,
            Self::Name(_) => 2,
            Self::ExternalId(_) => 3,
            Self::Email(_) => 4,
            Self::Display(_) => 5,
            Self::Manager(_) => 6,
            Self::Member(_) => 7,
            Self::Group(_) => 8,
            Self::Beginning(..) => 9,
            Self::Modified(..) => 10,
            Self::Inactive => 11,
            Self::None => 12,
            Self::Any(alternatives) => alternatives.iter().map(Self::rank).max().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_lies_between_a_beginning_and_what_is_behind_it() {
        for (beginning, end) in [
            ("an", Some("ao")),
            ("z", Some("{")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
        ] {
            assert_eq!(behind(beginning).as_deref(), end);
        }
    }
}
