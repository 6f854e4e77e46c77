//! Looks for damage in a SQLite store.

use rusqlite::Connection;

use super::convert::from_kind_code;
use crate::columns::fit;
use crate::{Error, Finding};

/// Finds what is wrong: with the file, with references, with counts, with columns that do not say what their document says.
pub(super) fn examine(connection: &Connection) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    pages(connection, &mut findings)?;
    references(connection, &mut findings)?;
    counts(connection, &mut findings)?;
    columns(connection, &mut findings)?;
    Ok(findings)
}

fn pages(connection: &Connection, findings: &mut Vec<Finding>) -> Result<(), Error> {
    let mut statement = connection.prepare("PRAGMA quick_check(20)")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            findings.push(Finding {
                trouble: format!("the file is damaged: {line}"),
                remedy: "stop the server and restore the latest backup".into(),
            });
        }
    }
    Ok(())
}

fn references(connection: &Connection, findings: &mut Vec<Finding>) -> Result<(), Error> {
    let orphans: i64 = connection.query_row(
        "SELECT count(*) FROM members m WHERE NOT EXISTS (
             SELECT 1 FROM resources r WHERE r.org = m.org AND r.kind = m.member_kind AND r.id = m.member_id)
         OR NOT EXISTS (SELECT 1 FROM resources g WHERE g.org = m.org AND g.kind = 1 AND g.id = m.group_id)",
        [],
        |row| row.get(0),
    )?;
    if orphans > 0 {
        findings.push(Finding {
            trouble: format!("{orphans} memberships point to people or groups that are not there"),
            remedy: "this is a defect of rollcall: keep a copy of the store and report it".into(),
        });
    }
    Ok(())
}

fn counts(connection: &Connection, findings: &mut Vec<Finding>) -> Result<(), Error> {
    let mut statement = connection.prepare(
        "SELECT o.slug FROM organisations o WHERE
             o.users <> (SELECT count(*) FROM resources r WHERE r.org = o.id AND r.kind = 0)
          OR o.active_users <> (SELECT count(*) FROM resources r WHERE r.org = o.id AND r.kind = 0 AND r.active)
          OR o.groups <> (SELECT count(*) FROM resources r WHERE r.org = o.id AND r.kind = 1)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let slug: String = row.get(0)?;
        findings.push(Finding {
            trouble: format!("{slug}: the counts of people and groups are wrong"),
            remedy: "this is a defect of rollcall: keep a copy of the store and report it".into(),
        });
    }
    Ok(())
}

fn columns(connection: &Connection, findings: &mut Vec<Finding>) -> Result<(), Error> {
    let mut wrong = 0_u64;
    let mut statement =
        connection.prepare("SELECT kind, name_key, active, document FROM resources")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name_key, active): (String, bool) = (row.get(1)?, row.get(2)?);
        let document: Vec<u8> = row.get(3)?;
        let kind = from_kind_code(row.get(0)?);
        wrong += u64::from(!fit(kind, &name_key, active, &document));
    }
    if wrong > 0 {
        findings.push(Finding {
            trouble: format!(
                "{wrong} people or groups cannot be found by what their documents say"
            ),
            remedy: "this is a defect of rollcall: keep a copy of the store and report it".into(),
        });
    }
    Ok(())
}
