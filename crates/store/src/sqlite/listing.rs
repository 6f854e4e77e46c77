//! The statements of listings in SQLite.

use rollcall_model::{Kind, ResourceId};
use rusqlite::params_from_iter;
use rusqlite::types::Value as Sql;

use super::convert::{blob, instant, kind_code, number};
use super::directory::raw;
use super::unit::Tenant;
use crate::listing::{Walk, Whose};
use crate::narrowing::{Keyed, Narrowing, behind};
use crate::{Error, Raw};

impl Walk for Tenant<'_> {
    fn page(
        &self,
        kind: Kind,
        after: Option<ResourceId>,
        skip: u64,
        count: u64,
    ) -> Result<Vec<Raw>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, version, document FROM resources WHERE org = ?1 AND kind = ?2 AND id > ?3
             ORDER BY id LIMIT ?4 OFFSET ?5",
        )?;
        let rows = statement.query_map(
            rusqlite::params![
                self.org(),
                kind_code(kind),
                after.map_or_else(Vec::new, |id| blob(id).to_vec()),
                number(count),
                number(skip)
            ],
            raw,
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn walk(
        &self,
        (kind, whose): (Kind, Whose),
        narrowing: Narrowing,
        after: Option<ResourceId>,
        take: &mut dyn FnMut(Raw) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut values = vec![
            Sql::Blob(self.org().to_vec()),
            Sql::Integer(kind_code(kind).into()),
            Sql::Blob(after.map_or_else(Vec::new, |id| blob(id).to_vec())),
        ];
        let sql = statement(narrowing, whose, &mut values);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            self.in_time()?;
            if !take(raw(row)?)? {
                break;
            }
        }
        Ok(())
    }

    fn count_up_to(&self, kind: Kind, narrowing: Narrowing, limit: u64) -> Result<u64, Error> {
        let mut values = vec![
            Sql::Blob(self.org().to_vec()),
            Sql::Integer(kind_code(kind).into()),
        ];
        let Some(ids) = sql(narrowing, &mut values) else {
            return Ok(limit);
        };
        values.push(Sql::Integer(number(limit)));
        let limit = values.len();
        let sql = format!("SELECT count(*) FROM ({ids} LIMIT ?{limit})");
        let count = self
            .connection
            .prepare_cached(&sql)?
            .query_row(params_from_iter(values), |row| row.get::<_, i64>(0))?;
        Ok(count.unsigned_abs())
    }
}

/// Writes the statement that walks through the candidates in order of id; its values go behind those already there.
///
/// A narrowing finds ids first, by the index that it names: left to choose, SQLite takes the primary key, because it gives the
/// order for nothing, and looks at every object. The plus keeps it from walking the primary key from `?3` on after all.
fn statement(narrowing: Narrowing, whose: Whose, values: &mut Vec<Sql>) -> String {
    let ids = sql(narrowing, values);
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

/// Writes the query that finds the ids, if an index helps; its values go behind those already there.
fn sql(narrowing: Narrowing, values: &mut Vec<Sql>) -> Option<String> {
    let key = |id: ResourceId| Sql::Blob(blob(id).to_vec());
    let mut next = |value: Sql| {
        values.push(value);
        format!("?{}", values.len())
    };
    Some(match narrowing {
        Narrowing::None | Narrowing::Nothing => return None,
        Narrowing::Id(id) => format!(
            "SELECT id FROM resources WHERE org = ?1 AND kind = ?2 AND id = {}",
            next(key(id))
        ),
        Narrowing::Name(name) => format!(
            "SELECT id FROM resources INDEXED BY resources_by_name
                 WHERE org = ?1 AND kind = ?2 AND name_key = {}",
            next(Sql::Text(name))
        ),
        Narrowing::ExternalId(external_id) => format!(
            "SELECT id FROM resources INDEXED BY resources_by_external_id
                 WHERE org = ?1 AND kind = ?2 AND external_id = {}",
            next(Sql::Text(external_id))
        ),
        Narrowing::Display(display) => format!(
            "SELECT id FROM resources INDEXED BY resources_by_display
                 WHERE org = ?1 AND kind = ?2 AND display_key = {}",
            next(Sql::Text(display))
        ),
        Narrowing::Manager(manager) => format!(
            "SELECT id FROM resources INDEXED BY resources_by_manager WHERE org = ?1 AND manager = {}",
            next(Sql::Text(manager))
        ),
        Narrowing::Inactive => "SELECT id FROM resources INDEXED BY resources_by_inactivity
                 WHERE org = ?1 AND kind = ?2 AND active = 0"
            .to_owned(),
        Narrowing::Email(email) => format!(
            "SELECT e.id FROM emails e WHERE e.org = ?1 AND e.key = {}",
            next(Sql::Text(email))
        ),
        Narrowing::Member(member) => format!(
            "SELECT m.group_id FROM members m INDEXED BY members_by_member
                 WHERE m.org = ?1 AND m.member_id = {}",
            next(key(member))
        ),
        Narrowing::Group(group) => format!(
            "SELECT m.member_id FROM members m WHERE m.org = ?1 AND m.group_id = {}",
            next(key(group))
        ),
        Narrowing::Beginning(keyed, beginning) => {
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
        Narrowing::Modified(from, to) => {
            let from = next(Sql::Integer(from.map_or(i64::MIN, instant)));
            // the index keeps microseconds; one more keeps what lies between two of them
            let to = to.map_or(i64::MAX, |to| instant(to).saturating_add(1));
            format!(
                "SELECT id FROM resources INDEXED BY resources_by_modified
                     WHERE org = ?1 AND kind = ?2 AND modified >= {from} AND modified <= {}",
                next(Sql::Integer(to))
            )
        }
        Narrowing::Any(alternatives) => {
            let mut all = Vec::new();
            for alternative in alternatives {
                // one that no index answers makes the others useless
                all.push(sql(alternative, values)?);
            }
            all.join(" UNION ")
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rollcall_model::{IntegrationId, OrgId};
    use rollcall_scim::filter::Filter;
    use rollcall_scim::limits::STANDARD;
    use rollcall_scim::schema::Registry;
    use rusqlite::Connection;

    use super::*;
    use crate::listing::list;
    use crate::narrowing::narrowing;
    use crate::{Paging, Selection};

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
            Sql::Integer(kind_code(kind).into()),
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
        let with = |deadline| Tenant::new(&connection, organisation, deadline);

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
