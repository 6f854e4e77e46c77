//! Listings: an index narrows, the one evaluator decides.
//!
//! [`Filter::conjuncts`] names conditions that every match must fulfil. The best one that an index can answer gives the
//! candidates; each candidate is then put to [`Filter::matches`] as it streams past. A wrong or missing narrowing can
//! therefore make a listing slow, never wrong.

use std::cell::RefCell;

use jiff::Timestamp;
use rollcall_model::{Kind, ResourceId};
use rollcall_scim::filter::{Conjunct, Filter, Literal, NoRelated, Operator, Related};
use rollcall_scim::key;
use rollcall_scim::sort::{Sort, SortKey};
use rusqlite::types::Value as Sql;
use rusqlite::{Row, params_from_iter};
use serde_json::{Map, Value, json};

use super::convert::{blob, instant, kind_code, number};
use super::directory::raw;
use super::unit::Tenant;
use crate::{Error, Listing, Paging, Raw, ReadDirectory, Reader, Selection};

/// Returns the part of the objects of a kind that `selection` asks for.
pub(super) fn list(
    tenant: &Tenant<'_>,
    kind: Kind,
    selection: &Selection,
) -> Result<Listing, Error> {
    match (&selection.filter, &selection.sort) {
        (None, None) => everything(tenant, kind, selection.paging),
        (Some(filter), None) => filtered(tenant, kind, filter, selection.paging),
        (filter, Some(sort)) => sorted(tenant, kind, filter.as_ref(), sort, selection.paging),
    }
}

fn everything(tenant: &Tenant<'_>, kind: Kind, paging: Paging) -> Result<Listing, Error> {
    let (skip, count, after) = match paging {
        Paging::Index { skip, count } => (skip, count, Vec::new()),
        Paging::After { id, count } => (0, count, id.map_or_else(Vec::new, |id| blob(id).to_vec())),
    };
    let total = match paging {
        Paging::Index { .. } => {
            let counts = tenant.counts()?;
            Some(match kind {
                Kind::User => counts.users,
                Kind::Group => counts.groups,
            })
        }
        Paging::After { .. } => None,
    };
    let mut statement = tenant.connection.prepare_cached(
        "SELECT id, version, document FROM resources WHERE org = ?1 AND kind = ?2 AND id > ?3
         ORDER BY id LIMIT ?4 OFFSET ?5",
    )?;
    let rows = statement.query_map(
        rusqlite::params![
            tenant.org(),
            kind_code(kind),
            after,
            number(count.saturating_add(1)),
            number(skip)
        ],
        raw,
    )?;
    let mut resources = rows.collect::<Result<Vec<_>, _>>()?;
    let more = cut(&mut resources, count);
    Ok(Listing {
        total,
        resources,
        more,
    })
}

fn filtered(
    tenant: &Tenant<'_>,
    kind: Kind,
    filter: &Filter,
    paging: Paging,
) -> Result<Listing, Error> {
    let mut resources = Vec::new();
    let mut matching = 0_u64;
    let (skip, count, after, counts_all) = match paging {
        Paging::Index { skip, count } => (skip, count, None, true),
        Paging::After { id, count } => (0, count, id, false),
    };
    let end = skip.saturating_add(count);
    candidates(tenant, kind, Some(filter), after, |raw, _| {
        if matching >= skip && matching < end {
            resources.push(raw);
        }
        matching += 1;
        // an index page states the number of all matches; a cursor page only has to know whether one more follows
        counts_all || matching <= end
    })?;
    Ok(Listing {
        total: counts_all.then_some(matching),
        resources,
        more: matching > end,
    })
}

fn sorted(
    tenant: &Tenant<'_>,
    kind: Kind,
    filter: Option<&Filter>,
    sort: &Sort,
    paging: Paging,
) -> Result<Listing, Error> {
    let mut keys: Vec<(SortKey, ResourceId)> = Vec::new();
    candidates(tenant, kind, filter, None, |raw, document| {
        keys.push((sort.key(document), raw.id));
        true
    })?;
    keys.sort();
    let (skip, count) = match paging {
        Paging::Index { skip, count } => (skip, count),
        // a cursor walks in order of id; a sorted listing has no place after an id, so its pages are found by position
        Paging::After { id, count } => {
            let passed = id.and_then(|id| keys.iter().position(|(_, other)| *other == id));
            (passed.map_or(0, |place| place as u64 + 1), count)
        }
    };
    let total = keys.len() as u64;
    let page = keys
        .into_iter()
        .skip(usize::try_from(skip).unwrap_or(usize::MAX));
    let mut resources = Vec::new();
    for (_, id) in page.take(usize::try_from(count).unwrap_or(usize::MAX)) {
        resources.extend(tenant.raw(kind, id)?);
    }
    let more = skip.saturating_add(resources.len() as u64) < total;
    Ok(Listing {
        total: Some(total),
        resources,
        more,
    })
}

/// Streams the matches in order of id to `take` until it answers `false`.
fn candidates(
    tenant: &Tenant<'_>,
    kind: Kind,
    filter: Option<&Filter>,
    after: Option<ResourceId>,
    mut take: impl FnMut(Raw, &Map<String, Value>) -> bool,
) -> Result<(), Error> {
    let narrowing = filter.map_or(Narrowing::None, |filter| narrowing(filter, kind));
    if let Narrowing::Nothing = narrowing {
        return Ok(());
    }
    let mut values = vec![
        Sql::Blob(tenant.org().to_vec()),
        Sql::Integer(kind_code(kind)),
        Sql::Blob(after.map_or_else(Vec::new, |id| blob(id).to_vec())),
    ];
    let condition = narrowing.sql(&mut values);
    let sql = format!(
        "SELECT id, version, document FROM resources WHERE org = ?1 AND kind = ?2 AND id > ?3{condition} ORDER BY id"
    );
    let mut statement = tenant.connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let raw = row_of(row)?;
        let document: Map<String, Value> =
            serde_json::from_slice(&raw.document).map_err(Error::backend)?;
        let matches = match filter {
            None => true,
            Some(filter) if filter.uses_related() => {
                let related = Rows {
                    tenant,
                    kind,
                    id: raw.id,
                    failure: RefCell::default(),
                };
                let matches = filter.matches(&document, &related);
                if let Some(failure) = related.failure.into_inner() {
                    return Err(failure);
                }
                matches
            }
            Some(filter) => filter.matches(&document, &NoRelated),
        };
        if matches && !take(raw, &document) {
            break;
        }
    }
    Ok(())
}

fn row_of(row: &Row<'_>) -> Result<Raw, Error> {
    Ok(raw(row)?)
}

/// A condition that an index answers.
enum Narrowing {
    /// No index helps: every object is a candidate.
    None,
    /// No object can match.
    Nothing,
    Id(ResourceId),
    Name(String),
    ExternalId(String),
    Display(String),
    Email(String),
    /// Groups that have this member.
    Member(ResourceId),
    /// Members of this group.
    Group(ResourceId),
    /// Changed at or after the first, at or before the second instant.
    Modified(Option<Timestamp>, Option<Timestamp>),
}

/// Chooses the best of the filter's necessary conditions.
fn narrowing(filter: &Filter, kind: Kind) -> Narrowing {
    let conjuncts = filter.conjuncts();
    let equal = conjuncts
        .iter()
        .filter(|conjunct| conjunct.operator == Operator::Eq);
    let mut best = Narrowing::None;
    for conjunct in equal {
        let Literal::String(text) = conjunct.literal else {
            continue;
        };
        let found = match (kind, conjunct.path().as_str()) {
            (_, "id") => text.parse().map_or(Narrowing::Nothing, Narrowing::Id),
            (Kind::User, "userName") | (Kind::Group, "displayName") => {
                Narrowing::Name(key::canonical(text))
            }
            (Kind::Group, "members.value") => {
                text.parse().map_or(Narrowing::Nothing, Narrowing::Member)
            }
            (Kind::User, "groups.value") => {
                text.parse().map_or(Narrowing::Nothing, Narrowing::Group)
            }
            (_, "externalId") => Narrowing::ExternalId(text.clone()),
            (Kind::User, "emails.value") => Narrowing::Email(key::canonical(text)),
            (Kind::User, "displayName") => Narrowing::Display(key::canonical(text)),
            _ => continue,
        };
        if found.rank() < best.rank() {
            best = found;
        }
    }
    if let Narrowing::None = best {
        best = modified(&conjuncts);
    }
    best
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
    /// How few candidates to expect: lower is fewer.
    fn rank(&self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Id(_) => 1,
            Self::Name(_) => 2,
            Self::ExternalId(_) => 3,
            Self::Email(_) => 4,
            Self::Display(_) => 5,
            Self::Member(_) => 6,
            Self::Group(_) => 7,
            Self::Modified(..) => 8,
            Self::None => 9,
        }
    }

    /// Writes the condition; its values go behind those already there.
    fn sql(self, values: &mut Vec<Sql>) -> &'static str {
        let key = |id: ResourceId| Sql::Blob(blob(id).to_vec());
        match self {
            Self::None | Self::Nothing => "",
            Self::Id(id) => {
                values.push(key(id));
                " AND id = ?4"
            }
            Self::Name(name) => {
                values.push(Sql::Text(name));
                " AND name_key = ?4"
            }
            Self::ExternalId(external_id) => {
                values.push(Sql::Text(external_id));
                " AND external_id = ?4"
            }
            Self::Display(display) => {
                values.push(Sql::Text(display));
                " AND display_key = ?4"
            }
            Self::Email(email) => {
                values.push(Sql::Text(email));
                " AND id IN (SELECT e.id FROM emails e WHERE e.org = ?1 AND e.key = ?4)"
            }
            Self::Member(member) => {
                values.push(key(member));
                " AND id IN (SELECT m.group_id FROM members m WHERE m.org = ?1 AND m.member_id = ?4)"
            }
            Self::Group(group) => {
                values.push(key(group));
                " AND id IN (SELECT m.member_id FROM members m WHERE m.org = ?1 AND m.group_id = ?4)"
            }
            Self::Modified(from, to) => {
                values.push(Sql::Integer(from.map_or(i64::MIN, instant)));
                // the index keeps microseconds; one more keeps what lies between two of them
                values.push(Sql::Integer(
                    to.map_or(i64::MAX, |to| instant(to).saturating_add(1)),
                ));
                " AND modified >= ?4 AND modified <= ?5"
            }
        }
    }
}

/// Answers the evaluator's questions about attributes that are rows: a group's members, a person's groups.
struct Rows<'a> {
    tenant: &'a Tenant<'a>,
    kind: Kind,
    id: ResourceId,
    /// What went wrong while answering; the evaluator itself knows no failures.
    failure: RefCell<Option<Error>>,
}

impl Rows<'_> {
    fn answer<T: Default>(&self, answer: Result<T, Error>) -> T {
        answer.unwrap_or_else(|failure| {
            *self.failure.borrow_mut() = Some(failure);
            T::default()
        })
    }
}

impl Related for Rows<'_> {
    fn contains(&self, attribute: &str, value: &str) -> bool {
        let Ok(other) = value.parse::<ResourceId>() else {
            return false;
        };
        let (group, member) = match (self.kind, attribute) {
            (Kind::Group, "members") => (self.id, other),
            (Kind::User, "groups") => (other, self.id),
            _ => return false,
        };
        self.answer(self.tenant.is_member(group, member))
    }

    fn values(&self, attribute: &str) -> Vec<Value> {
        match (self.kind, attribute) {
            (Kind::Group, "members") => self
                .answer(self.tenant.members(self.id, None, u64::MAX))
                .into_iter()
                .map(|member| json!({"value": member.id.to_string(), "type": member.kind.resource_type()}))
                .collect(),
            (Kind::User, "groups") => self
                .answer(self.tenant.groups_of(self.id))
                .into_iter()
                .map(|(group, display)| json!({"value": group.to_string(), "display": display, "type": "direct"}))
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// Takes the one object too many off the end and tells whether there was one.
fn cut(resources: &mut Vec<Raw>, count: u64) -> bool {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let more = resources.len() > count;
    resources.truncate(count);
    more
}
