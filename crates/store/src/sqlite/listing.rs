//! Listings: an index narrows, the one evaluator decides.
//!
//! [`Filter::conjuncts`] names conditions that every match must fulfil. The best one that an index can answer gives the
//! candidates; each candidate is then put to [`Filter::matches`] as it streams past. A wrong or missing narrowing can
//! therefore make a listing slow, never wrong.

use std::cell::RefCell;

use jiff::Timestamp;
use rollcall_model::{IntegrationId, Kind, ResourceId};
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

/// Whose objects are wanted: anybody's, or only those that one integration, or none, manages.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose {
    Anybodys,
    ManagedBy(Option<IntegrationId>),
}

/// Returns the part of the objects of a kind that `selection` asks for.
pub(super) fn list(
    tenant: &Tenant<'_>,
    kind: Kind,
    whose: Whose,
    selection: &Selection,
) -> Result<Listing, Error> {
    let filter = selection.filter.as_ref();
    match (filter, &selection.paging, whose) {
        (
            filter,
            Paging::Index {
                sort: Some(sort),
                skip,
                count,
            },
            whose,
        ) => sorted(tenant, (kind, whose), filter, sort, (*skip, *count)),
        (None, paging, Whose::Anybodys) => everything(tenant, kind, paging),
        (filter, paging, whose) => filtered(tenant, (kind, whose), filter, paging),
    }
}

fn everything(tenant: &Tenant<'_>, kind: Kind, paging: &Paging) -> Result<Listing, Error> {
    let (skip, count, after) = match *paging {
        Paging::Index { skip, count, .. } => (skip, count, Vec::new()),
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
    of: (Kind, Whose),
    filter: Option<&Filter>,
    paging: &Paging,
) -> Result<Listing, Error> {
    let mut resources = Vec::new();
    let mut matching = 0_u64;
    let (skip, count, after, counts_all) = match *paging {
        Paging::Index { skip, count, .. } => (skip, count, None, true),
        Paging::After { id, count } => (0, count, id, false),
    };
    let end = skip.saturating_add(count);
    candidates(tenant, of, filter, after, |raw, _| {
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
    of: (Kind, Whose),
    filter: Option<&Filter>,
    sort: &Sort,
    (skip, count): (u64, u64),
) -> Result<Listing, Error> {
    let mut keys: Vec<(SortKey, ResourceId)> = Vec::new();
    candidates(tenant, of, filter, None, |raw, document| {
        keys.push((sort.key(document), raw.id));
        true
    })?;
    keys.sort();
    let total = keys.len() as u64;
    let page = keys
        .into_iter()
        .skip(usize::try_from(skip).unwrap_or(usize::MAX));
    let mut resources = Vec::new();
    for (_, id) in page.take(usize::try_from(count).unwrap_or(usize::MAX)) {
        resources.extend(tenant.raw(of.0, id)?);
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
    (kind, whose): (Kind, Whose),
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
    let sql = statement(narrowing, whose, &mut values);
    let mut statement = tenant.connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        tenant.in_time()?;
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

/// Writes the statement that walks through the candidates in order of id; its values go behind those already there.
///
/// A narrowing finds ids first, by the index that it names: left to choose, SQLite takes the primary key, because it gives the
/// order for nothing, and looks at every object. The plus keeps it from walking the primary key from `?3` on after all.
fn statement(narrowing: Narrowing, whose: Whose, values: &mut Vec<Sql>) -> String {
    let ids = narrowing.sql(values);
    let (mut index, mut managed) = ("", String::new());
    if let Whose::ManagedBy(integration) = whose {
        values.push(integration.map_or(Sql::Null, |id| Sql::Blob(blob(id).to_vec())));
        managed = format!(" AND managed_by IS ?{}", values.len());
        if ids.is_none() {
            index = "INDEXED BY resources_by_management";
        }
    }
    let condition = ids.map_or_else(
        || "id > ?3".to_owned(),
        |ids| format!("+id > ?3 AND id IN ({ids})"),
    );
    format!(
        "SELECT id, version, document FROM resources {index}
         WHERE org = ?1 AND kind = ?2 AND {condition}{managed} ORDER BY id"
    )
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
enum Keyed {
    Name,
    Display,
    Email,
}

/// The path of a manager's id, as [`Conjunct::path`] writes it.
const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value";

/// Chooses the best of the filter's necessary conditions.
fn narrowing(filter: &Filter, kind: Kind) -> Narrowing {
    let mut best = narrowing_of(&filter.conjuncts(), kind);
    for choice in filter.choices() {
        let alternatives: Vec<Narrowing> = choice
            .iter()
            .map(|conjuncts| narrowing_of(conjuncts, kind))
            .filter(|narrowing| !matches!(narrowing, Narrowing::Nothing))
            .collect();
        let found = if alternatives.is_empty() {
            Narrowing::Nothing
        } else {
            Narrowing::Any(alternatives)
        };
        if found.rank() < best.rank() {
            best = found;
        }
    }
    best
}

fn narrowing_of(conjuncts: &[Conjunct<'_>], kind: Kind) -> Narrowing {
    let mut best = Narrowing::None;
    for conjunct in conjuncts {
        let path = conjunct.path();
        let found = match (conjunct.operator, conjunct.literal) {
            (Operator::Eq, Literal::String(text)) => equal(kind, &path, text),
            (Operator::Eq, Literal::Boolean(false)) if kind == Kind::User && path == "active" => {
                Some(Narrowing::Inactive)
            }
            (Operator::Sw, Literal::String(text)) => beginning(kind, &path, text),
            _ => None,
        };
        if let Some(found) = found.filter(|found| found.rank() < best.rank()) {
            best = found;
        }
    }
    if let Narrowing::None = best {
        best = modified(conjuncts);
    }
    best
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
fn behind(beginning: &str) -> Option<String> {
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

    /// Writes the query that finds the ids, if an index helps; its values go behind those already there.
    fn sql(self, values: &mut Vec<Sql>) -> Option<String> {
        let key = |id: ResourceId| Sql::Blob(blob(id).to_vec());
        let mut next = |value: Sql| {
            values.push(value);
            format!("?{}", values.len())
        };
        Some(match self {
            Self::None | Self::Nothing => return None,
            Self::Id(id) => format!(
                "SELECT id FROM resources WHERE org = ?1 AND kind = ?2 AND id = {}",
                next(key(id))
            ),
            Self::Name(name) => format!(
                "SELECT id FROM resources INDEXED BY resources_by_name
                 WHERE org = ?1 AND kind = ?2 AND name_key = {}",
                next(Sql::Text(name))
            ),
            Self::ExternalId(external_id) => format!(
                "SELECT id FROM resources INDEXED BY resources_by_external_id
                 WHERE org = ?1 AND kind = ?2 AND external_id = {}",
                next(Sql::Text(external_id))
            ),
            Self::Display(display) => format!(
                "SELECT id FROM resources INDEXED BY resources_by_display
                 WHERE org = ?1 AND kind = ?2 AND display_key = {}",
                next(Sql::Text(display))
            ),
            Self::Manager(manager) => format!(
                "SELECT id FROM resources INDEXED BY resources_by_manager WHERE org = ?1 AND manager = {}",
                next(Sql::Text(manager))
            ),
            Self::Inactive => "SELECT id FROM resources INDEXED BY resources_by_inactivity
                 WHERE org = ?1 AND kind = ?2 AND active = 0"
                .to_owned(),
            Self::Email(email) => format!(
                "SELECT e.id FROM emails e WHERE e.org = ?1 AND e.key = {}",
                next(Sql::Text(email))
            ),
            Self::Member(member) => format!(
                "SELECT m.group_id FROM members m INDEXED BY members_by_member
                 WHERE m.org = ?1 AND m.member_id = {}",
                next(key(member))
            ),
            Self::Group(group) => format!(
                "SELECT m.member_id FROM members m WHERE m.org = ?1 AND m.group_id = {}",
                next(key(group))
            ),
            Self::Beginning(keyed, beginning) => {
                let end = behind(&beginning);
                let (ids, key) = match keyed {
                    Keyed::Name => (
                        "SELECT id FROM resources INDEXED BY resources_by_name WHERE org = ?1 AND kind = ?2",
                        "name_key",
                    ),
                    Keyed::Display => (
                        "SELECT id FROM resources INDEXED BY resources_by_display WHERE org = ?1 AND kind = ?2",
                        "display_key",
                    ),
                    Keyed::Email => ("SELECT id FROM emails WHERE org = ?1", "key"),
                };
                let mut sql = format!("{ids} AND {key} >= {}", next(Sql::Text(beginning)));
                if let Some(end) = end {
                    sql = format!("{sql} AND {key} < {}", next(Sql::Text(end)));
                }
                sql
            }
            Self::Modified(from, to) => {
                let from = next(Sql::Integer(from.map_or(i64::MIN, instant)));
                // the index keeps microseconds; one more keeps what lies between two of them
                let to = to.map_or(i64::MAX, |to| instant(to).saturating_add(1));
                format!(
                    "SELECT id FROM resources INDEXED BY resources_by_modified
                     WHERE org = ?1 AND kind = ?2 AND modified >= {from} AND modified <= {}",
                    next(Sql::Integer(to))
                )
            }
            Self::Any(alternatives) => {
                let mut all = Vec::new();
                for alternative in alternatives {
                    // one that no index answers makes the others useless
                    all.push(alternative.sql(values)?);
                }
                all.join(" UNION ")
            }
        })
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rollcall_model::OrgId;
    use rollcall_scim::limits::STANDARD;
    use rollcall_scim::schema::Registry;
    use rusqlite::Connection;

    use super::*;

    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::migrations::apply(&mut connection).unwrap();
        connection
    }

    fn parsed(filter: &str, kind: Kind) -> Filter {
        let registry = Registry::standard();
        let resource_type = registry.resource_type(kind.resource_type()).unwrap();
        Filter::parse(filter, resource_type, &STANDARD).unwrap()
    }

    /// Says how SQLite finds the candidates of a filter.
    fn plan(connection: &Connection, kind: Kind, filter: &str) -> String {
        let mut values = vec![
            Sql::Blob(vec![1; 16]),
            Sql::Integer(kind_code(kind)),
            Sql::Blob(Vec::new()),
        ];
        let narrowing = narrowing(&parsed(filter, kind), kind);
        let sql = statement(narrowing, Whose::Anybodys, &mut values);
        let mut explained = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let steps = explained
            .query_map(params_from_iter(values), |row| row.get::<_, String>(3))
            .unwrap();
        steps.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    }

    #[test]
    fn every_narrowing_is_answered_by_its_index() {
        const ENTERPRISE: &str = rollcall_scim::schema::ENTERPRISE_USER;
        const ID: &str = "01890000-0000-7000-8000-000000000001";
        let connection = store();
        for (kind, filter, step) in [
            (
                Kind::User,
                format!("id eq \"{ID}\""),
                "(org=? AND kind=? AND id=?)",
            ),
            (
                Kind::User,
                "userName eq \"ann\"".into(),
                "resources_by_name (org=? AND kind=? AND name_key=?)",
            ),
            (
                Kind::Group,
                "displayName eq \"sales\"".into(),
                "resources_by_name (org=? AND kind=? AND name_key=?)",
            ),
            (
                Kind::User,
                "externalId eq \"e1\"".into(),
                "resources_by_external_id (org=? AND kind=? AND external_id=?)",
            ),
            (
                Kind::User,
                "displayName eq \"Ann\" and title pr".into(),
                "resources_by_display (org=? AND kind=? AND display_key=?)",
            ),
            (
                Kind::User,
                "emails.value eq \"a@x.example\"".into(),
                "SEARCH e USING PRIMARY KEY (org=? AND key=?)",
            ),
            (
                Kind::User,
                format!("{ENTERPRISE}:manager eq \"{ID}\""),
                "resources_by_manager (org=? AND manager=?)",
            ),
            (
                Kind::User,
                format!("{ENTERPRISE}:manager.value eq \"{ID}\""),
                "resources_by_manager (org=? AND manager=?)",
            ),
            (
                Kind::User,
                "active eq false".into(),
                "resources_by_inactivity (org=? AND kind=?)",
            ),
            (
                Kind::Group,
                format!("members.value eq \"{ID}\""),
                "members_by_member (org=? AND member_id=?)",
            ),
            (
                Kind::User,
                format!("groups.value eq \"{ID}\""),
                "SEARCH m USING PRIMARY KEY (org=? AND group_id=?)",
            ),
            (
                Kind::User,
                "userName sw \"an\"".into(),
                "resources_by_name (org=? AND kind=? AND name_key>? AND name_key<?)",
            ),
            (
                Kind::Group,
                "displayName sw \"an\"".into(),
                "resources_by_name (org=? AND kind=? AND name_key>? AND name_key<?)",
            ),
            (
                Kind::User,
                "displayName sw \"an\"".into(),
                "resources_by_display (org=? AND kind=? AND display_key>? AND display_key<?)",
            ),
            (
                Kind::User,
                "emails.value sw \"an\"".into(),
                "emails USING PRIMARY KEY (org=? AND key>? AND key<?)",
            ),
            (
                Kind::User,
                "active eq true and (userName sw \"an\" or emails.value sw \"an\" or externalId eq \"an\")".into(),
                "emails USING PRIMARY KEY (org=? AND key>? AND key<?)",
            ),
            (
                Kind::User,
                "meta.lastModified gt \"2026-01-01T00:00:00Z\"".into(),
                "resources_by_modified (org=? AND kind=? AND modified>? AND modified<?)",
            ),
        ] {
            let plan = plan(&connection, kind, &filter);
            assert!(plan.contains(step), "{filter}: {plan}");
            // the objects themselves are fetched one by one
            assert!(
                plan.contains("(org=? AND kind=? AND id=?)"),
                "{filter}: {plan}"
            );
            assert!(!plan.contains("SCAN"), "{filter}: {plan}");
        }
    }

    #[test]
    fn what_an_integration_manages_is_walked_by_its_index() {
        let connection = store();
        for managed_by in [None, Some(IntegrationId::from_bytes([2; 16]))] {
            let mut values = vec![
                Sql::Blob(vec![1; 16]),
                Sql::Integer(0),
                Sql::Blob(Vec::new()),
            ];
            let whose = Whose::ManagedBy(managed_by);
            let sql = statement(Narrowing::None, whose, &mut values);
            let plan: String = connection
                .query_row(
                    &format!("EXPLAIN QUERY PLAN {sql}"),
                    params_from_iter(values),
                    |row| row.get(3),
                )
                .unwrap();
            assert!(
                plan.contains("(org=? AND managed_by=? AND kind=? AND id>?)"),
                "{plan}"
            );
        }
    }

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

    #[test]
    fn a_listing_that_takes_too_long_is_given_up() {
        let connection = store();
        let organisation = OrgId::from_bytes([1; 16]);
        connection
            .execute(
                "INSERT INTO organisations (id, slug, document) VALUES (?1, 'one', '{}')",
                [blob(organisation)],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO resources (org, kind, id, name_key, active, created, modified, version, document)
                 VALUES (?1, 0, ?2, 'ann', 1, 0, 0, 1, CAST('{\"userName\": \"ann\", \"title\": \"a\"}' AS BLOB))",
                rusqlite::params![blob(organisation), [2_u8; 16]],
            )
            .unwrap();
        let selection = Selection {
            filter: Some(parsed("title co \"a\"", Kind::User)),
            paging: Paging::Index {
                sort: None,
                skip: 0,
                count: 1,
            },
        };
        let with = |deadline| Tenant {
            connection: &connection,
            organisation,
            deadline,
        };

        let late = list(
            &with(Some(Instant::now())),
            Kind::User,
            Whose::Anybodys,
            &selection,
        );
        let unhurried = list(&with(None), Kind::User, Whose::Anybodys, &selection);

        assert!(matches!(late, Err(Error::TooLong)), "{late:?}");
        assert_eq!(unhurried.unwrap().total, Some(1));
    }
}
