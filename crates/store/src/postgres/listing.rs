//! The statements of listings in PostgreSQL.

use rollcall_model::{Kind, ResourceId};
use tokio_postgres::types::ToSql;

use super::convert::{behind as after_id, instant, kind_code, may_be_there, number, uuid};
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
