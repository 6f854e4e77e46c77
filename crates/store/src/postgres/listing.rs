//! The statements of listings in PostgreSQL.

use rollcall_model::{Kind, ResourceId};
use tokio_postgres::types::ToSql;

use super::convert::{
    behind as after_id, from_number, instant, kind_code, may_be_there, number, uuid,
};
use super::directory::raw;
use super::unit::Tenant;
use crate::listing::{Walk, Whose};
use crate::narrowing::{Keyed, Narrowing, behind};
use crate::{Error, Raw};

/// So many candidates come with one answer. In between, the unit asks other things on the same connection.
const CANDIDATES: i32 = 200;

impl Walk for Tenant<'_> {
    fn page(
        &self,
        kind: Kind,
        after: Option<ResourceId>,
        skip: u64,
        count: u64,
    ) -> Result<Vec<Raw>, Error> {
        let rows = self.rows(
            "SELECT id, version, document FROM resources WHERE org = $1 AND kind = $2 AND id > $3
             ORDER BY id LIMIT $4 OFFSET $5",
            &[
                &self.org(),
                &kind_code(kind),
                &after_id(after),
                &number(count),
                &number(skip),
            ],
        )?;
        rows.iter().map(raw).collect()
    }

    fn walk(
        &self,
        (kind, whose): (Kind, Whose),
        narrowing: Narrowing,
        after: Option<ResourceId>,
        take: &mut dyn FnMut(Raw) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut values = Values(vec![
            Box::new(self.org()),
            Box::new(kind_code(kind)),
            Box::new(after_id(after)),
        ]);
        // alternatives come in too many shapes for all of them to be kept
        let is_kept = !matches!(narrowing, Narrowing::Any(_));
        let sql = statement(narrowing, whose, &mut values);
        let portal = self.wait(async {
            let statement = if is_kept {
                self.transaction.prepare_cached(&sql).await?
            } else {
                self.transaction.prepare(&sql).await?
            };
            let parameters: Vec<&(dyn ToSql + Sync)> =
                values.0.iter().map(|value| &**value as _).collect();
            self.transaction.bind(&statement, &parameters).await
        })?;
        loop {
            let rows = self.wait(self.transaction.query_portal(&portal, CANDIDATES))?;
            for row in &rows {
                self.in_time()?;
                if !take(raw(row)?)? {
                    return Ok(());
                }
            }
            if rows.is_empty() {
                return Ok(());
            }
        }
    }

    fn count_up_to(&self, kind: Kind, narrowing: Narrowing, limit: u64) -> Result<u64, Error> {
        let mut values = Values(vec![Box::new(self.org()), Box::new(kind_code(kind))]);
        let Some(sql) = count(narrowing, limit, &mut values) else {
            return Ok(limit);
        };
        let values: Vec<&(dyn ToSql + Sync)> = values.0.iter().map(|value| &**value as _).collect();
        let rows = self.rows(&sql, &values)?;
        Ok(rows.first().map_or(0, |row| from_number(row.get(0))))
    }
}

/// Writes the query that counts what a narrowing leaves, up to a limit.
fn count(narrowing: Narrowing, limit: u64, values: &mut Values) -> Option<String> {
    let condition = condition(narrowing, values)?;
    Some(format!(
        "SELECT count(*) FROM (SELECT FROM resources WHERE org = $1 AND kind = $2 AND {condition} LIMIT {}) found",
        values.add(number(limit))
    ))
}

/// The values of a statement that is put together.
struct Values(Vec<Box<dyn ToSql + Sync>>);

impl Values {
    /// Adds a value and returns the name of its place.
    fn add(&mut self, value: impl ToSql + Sync + 'static) -> String {
        self.0.push(Box::new(value));
        format!("${}", self.0.len())
    }
}

/// Writes the statement that walks through the candidates in order of id; its values go behind those already there.
fn statement(narrowing: Narrowing, whose: Whose, values: &mut Values) -> String {
    let narrowed = condition(narrowing, values)
        .map_or_else(String::new, |condition| format!(" AND {condition}"));
    let managed = match whose {
        Whose::Anybodys => String::new(),
        Whose::ManagedBy(None) => " AND managed_by IS NULL".to_owned(),
        Whose::ManagedBy(Some(integration)) => {
            format!(" AND managed_by = {}", values.add(uuid(integration)))
        }
    };
    format!(
        "SELECT id, version, document FROM resources
         WHERE org = $1 AND kind = $2 AND id > $3{narrowed}{managed} ORDER BY id"
    )
}

/// Writes the condition on people or groups that an index answers, if one does; its values go behind those already there.
fn condition(narrowing: Narrowing, values: &mut Values) -> Option<String> {
    let mut equal = |column: &str, text: String| {
        if may_be_there(&text) {
            format!("{column} = {}", values.add(text))
        } else {
            "false".to_owned()
        }
    };
    Some(match narrowing {
        Narrowing::None => return None,
        Narrowing::Nothing => "false".to_owned(),
        Narrowing::Name(name) => equal("name_key", name),
        Narrowing::ExternalId(external_id) => equal("external_id", external_id),
        Narrowing::Display(display) => equal("display_key", display),
        Narrowing::Manager(manager) => equal("manager", manager),
        Narrowing::Email(email) => format!(
            "id IN (SELECT e.id FROM emails e WHERE e.org = $1 AND {})",
            equal("e.key", email)
        ),
        Narrowing::Id(id) => format!("id = {}", values.add(uuid(id))),
        Narrowing::Inactive => "NOT active".to_owned(),
        Narrowing::Member(member) => format!(
            "id IN (SELECT m.group_id FROM members m WHERE m.org = $1 AND m.member_id = {})",
            values.add(uuid(member))
        ),
        Narrowing::Group(group) => format!(
            "id IN (SELECT m.member_id FROM members m WHERE m.org = $1 AND m.group_id = {})",
            values.add(uuid(group))
        ),
        Narrowing::Beginning(_, beginning) if !may_be_there(&beginning) => "false".to_owned(),
        Narrowing::Beginning(keyed, beginning) => {
            let column = match keyed {
                Keyed::Name => "name_key",
                Keyed::Display => "display_key",
                Keyed::Email => "e.key",
            };
            let end = behind(&beginning);
            let mut range = format!("{column} >= {}", values.add(beginning));
            if let Some(end) = end {
                range = format!("{range} AND {column} < {}", values.add(end));
            }
            match keyed {
                Keyed::Name | Keyed::Display => range,
                Keyed::Email => {
                    format!("id IN (SELECT e.id FROM emails e WHERE e.org = $1 AND {range})")
                }
            }
        }
        Narrowing::Modified(from, to) => {
            // the index keeps microseconds; one more keeps what lies between two of them
            let to = to.map_or(i64::MAX, |to| instant(to).saturating_add(1));
            format!(
                "modified BETWEEN {} AND {}",
                values.add(from.map_or(i64::MIN, instant)),
                values.add(to)
            )
        }
        Narrowing::Any(alternatives) => {
            let mut all = Vec::new();
            for alternative in alternatives {
                // one that no index answers makes the others useless
                let condition = condition(alternative, values)?;
                all.push(format!(
                    "SELECT id FROM resources WHERE org = $1 AND kind = $2 AND {condition}"
                ));
            }
            // a union asks each index for its own; alternatives side by side would be one walk through everything
            format!("id IN ({})", all.join(" UNION "))
        }
    })
}

#[cfg(test)]
mod tests {
    use rollcall_model::{IntegrationId, OrgId};
    use rollcall_scim::filter::Filter;
    use rollcall_scim::limits::STANDARD;
    use rollcall_scim::schema::{ENTERPRISE_USER, Registry};
    use rollcall_testkit::postgres::Database;

    use super::super::connections::{Connections, Connector, Purpose};
    use super::super::session::Then;
    use super::*;
    use crate::narrowing::narrowing;
    use crate::{Location, Store};

    /// Says how PostgreSQL finds the candidates, when there are so many objects that walking through all of them is out of the question.
    fn plan(rows: &Tenant<'_>, kind: Kind, whose: Whose, narrowing: Narrowing) -> String {
        let nobody: Option<ResourceId> = None;
        let mut values = Values(vec![
            Box::new(rows.org()),
            Box::new(kind_code(kind)),
            Box::new(after_id(nobody)),
        ]);
        let sql = format!("EXPLAIN {}", statement(narrowing, whose, &mut values));
        let values: Vec<&(dyn ToSql + Sync)> = values.0.iter().map(|value| &**value as _).collect();
        let steps = rows.rows(&sql, &values).unwrap();
        let steps = steps.iter().map(|row| row.get::<_, String>(0));
        steps.collect::<Vec<_>>().join("\n")
    }

    fn parsed(filter: &str, kind: Kind) -> Filter {
        let registry = Registry::standard();
        let resource_type = registry.resource_type(kind.resource_type()).unwrap();
        Filter::parse(filter, resource_type, &STANDARD).unwrap()
    }

    fn check(rows: &Tenant<'_>) {
        const ID: &str = "01890000-0000-7000-8000-000000000001";
        rows.wait(rows.transaction.batch_execute(
            "SET LOCAL enable_seqscan = off;
             INSERT INTO organisations (id, slug, document)
                 SELECT lpad(to_hex(n), 32, '0')::uuid, n, '{}' FROM generate_series(1, 8) n;
             INSERT INTO resources (org, kind, id, name_key, external_id, display_key, active, manager, managed_by, created, modified,
                                    version, document)
                 SELECT o.id, k, gen_random_uuid(), n, n, n, n % 100 > 0, n, o.id, n, n, 1, ''
                 FROM organisations o, generate_series(0, 1) k, generate_series(1, 500) n;
             INSERT INTO emails (org, key, id) SELECT org, name_key, id FROM resources;
             INSERT INTO members (org, group_id, member_id, member_kind)
                 SELECT g.org, g.id, u.id, 0 FROM resources g JOIN resources u ON u.org = g.org AND u.kind = 0
                 WHERE g.kind = 1 AND g.version = 1 AND g.name_key::int % 100 = 0;
             ANALYZE organisations, resources, emails, members",
        ))
        .unwrap();
        for (kind, filter, index) in [
            (Kind::User, format!("id eq \"{ID}\""), "resources_pkey"),
            (Kind::User, "userName eq \"ann\"".into(), "resources_by_name"),
            (Kind::Group, "displayName eq \"sales\"".into(), "resources_by_name"),
            (Kind::User, "externalId eq \"e1\"".into(), "resources_by_external_id"),
            (
                Kind::User,
                "displayName eq \"Ann\" and title pr".into(),
                "resources_by_display",
            ),
            (Kind::User, "emails.value eq \"a@x.example\"".into(), "emails_pkey"),
            (
                Kind::User,
                format!("{ENTERPRISE_USER}:manager eq \"{ID}\""),
                "resources_by_manager",
            ),
            (Kind::User, "active eq false".into(), "resources_by_inactivity"),
            (Kind::Group, format!("members.value eq \"{ID}\""), "members_by_member"),
            (Kind::User, format!("groups.value eq \"{ID}\""), "members_pkey"),
            (Kind::User, "userName sw \"an\"".into(), "resources_by_name"),
            (Kind::User, "displayName sw \"an\"".into(), "resources_by_display"),
            (Kind::User, "emails.value sw \"an\"".into(), "emails_pkey"),
            (
                Kind::User,
                "active eq true and (userName sw \"an\" or emails.value sw \"an\" or externalId eq \"an\")".into(),
                "emails_pkey",
            ),
            (
                Kind::User,
                "meta.lastModified gt \"2026-01-01T00:00:00Z\"".into(),
                "resources_by_modified",
            ),
        ] {
            let narrowing = narrowing(&parsed(&filter, kind), kind);
            let plan = plan(rows, kind, Whose::Anybodys, narrowing);
            assert!(plan.contains(index), "{filter}: {plan}");
            assert!(!plan.contains("Seq Scan"), "{filter}: {plan}");
        }
        let integration = Some(IntegrationId::from_bytes([2; 16]));
        for managed_by in [None, integration] {
            let plan = plan(
                rows,
                Kind::User,
                Whose::ManagedBy(managed_by),
                Narrowing::None,
            );
            assert!(plan.contains("resources_by_management"), "{plan}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_narrowing_is_answered_by_its_index() {
        let database = Database::fresh().unwrap();
        let location: Location = database.url().parse().unwrap();
        Store::open(&location).await.unwrap();
        // the fence stands, but for the objects of all organisations
        let connector = Connector::new(&database.url().parse().unwrap()).unwrap();
        let connections = Connections::new(connector);
        let checked = tokio::task::spawn_blocking(move || {
            connections.within(Purpose::Installation, |open| {
                let organisation = OrgId::from_bytes(1_u128.to_be_bytes());
                let mut tenant = Tenant::new(open, &connections, Purpose::Installation, None);
                tenant.organisation = organisation;
                check(&tenant);
                Ok(((), Then::TakeBack))
            })
        });
        checked.await.unwrap().unwrap();
    }
}
