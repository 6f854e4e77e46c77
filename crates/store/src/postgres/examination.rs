//! Looks for damage in a PostgreSQL store. Its pages are PostgreSQL's own affair.

use super::convert::from_kind_code;
use super::unit::Tenant;
use crate::columns::fit;
use crate::{Error, Finding};

/// So many documents come with one answer.
const DOCUMENTS: i32 = 500;

const DEFECT: &str = "this is a defect of rollcall: keep a copy of the store and report it";

/// Finds what is wrong with references, with counts, and with columns that do not say what their document says.
pub(super) fn examine(store: &Tenant<'_>) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    let mut defect = |trouble: String| {
        findings.push(Finding {
            trouble,
            remedy: DEFECT.into(),
        });
    };
    let orphans = orphans(store)?;
    if orphans > 0 {
        defect(format!(
            "{orphans} memberships point to people or groups that are not there"
        ));
    }
    for slug in miscounted(store)? {
        defect(format!("{slug}: the counts of people and groups are wrong"));
    }
    let wrong = misfits(store)?;
    if wrong > 0 {
        defect(format!(
            "{wrong} people or groups cannot be found by what their documents say"
        ));
    }
    Ok(findings)
}

fn orphans(store: &Tenant<'_>) -> Result<i64, Error> {
    let found = store.row(
        "SELECT count(*) FROM members m WHERE NOT EXISTS (
             SELECT FROM resources r WHERE r.org = m.org AND r.kind = m.member_kind AND r.id = m.member_id)
         OR NOT EXISTS (SELECT FROM resources g WHERE g.org = m.org AND g.kind = 1 AND g.id = m.group_id)",
        &[],
    )?;
    Ok(found.ok_or(Error::Missing)?.try_get(0)?)
}

fn miscounted(store: &Tenant<'_>) -> Result<Vec<String>, Error> {
    let rows = store.rows(
        "SELECT o.slug FROM organisations o LEFT JOIN (
             SELECT org, count(*) FILTER (WHERE kind = 0) AS users,
                    count(*) FILTER (WHERE kind = 0 AND active) AS active_users,
                    count(*) FILTER (WHERE kind = 1) AS groups
             FROM resources GROUP BY org
         ) r ON r.org = o.id
         WHERE (o.users, o.active_users, o.groups)
             <> (coalesce(r.users, 0), coalesce(r.active_users, 0), coalesce(r.groups, 0))
         ORDER BY o.slug",
        &[],
    )?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

fn misfits(store: &Tenant<'_>) -> Result<u64, Error> {
    let portal = store.wait(async {
        let sql = "SELECT kind, name_key, active, document FROM resources";
        store.transaction.bind(sql, &[]).await
    })?;
    let mut wrong = 0;
    loop {
        let rows = store.wait(store.transaction.query_portal(&portal, DOCUMENTS))?;
        if rows.is_empty() {
            return Ok(wrong);
        }
        for row in &rows {
            let kind = from_kind_code(row.try_get(0)?);
            let fits = fit(kind, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            wrong += u64::from(!fits);
        }
    }
}
