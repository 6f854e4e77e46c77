//! People, groups, memberships and tombstones in PostgreSQL.

use std::collections::HashSet;

use jiff::Timestamp;
use rollcall_model::{IntegrationId, Kind, ResourceId};
use rollcall_scim::key;
use rollcall_scim::resource::Resource;
use tokio_postgres::Row;
use uuid::Uuid;

use super::convert::{
    behind, from_instant, from_kind_code, from_number, id, instant, kind_code, may_be_there,
    number, optional_id, uuid,
};
use super::unit::{Tenant, owned};
use crate::columns::{Columns, added, unique_attribute};
use crate::listing::{self, Whose};
use crate::{
    Entry, Error, Listing, Member, Raw, ReadDirectory, Selection, Tombstone, WriteDirectory,
};

impl ReadDirectory for Tenant<'_> {
    fn entry(&self, kind: Kind, id: ResourceId) -> Result<Option<Entry>, Error> {
        let found = self.row(
            "SELECT version, created, modified, managed_by, document FROM resources
             WHERE org = $1 AND kind = $2 AND id = $3",
            &[&self.org(), &kind_code(kind), &uuid(id)],
        )?;
        let Some(row) = found else {
            return Ok(None);
        };
        let document: &[u8] = row.try_get(4)?;
        Ok(Some(Entry {
            kind,
            id,
            version: from_number(row.try_get(0)?),
            created: from_instant(row.try_get(1)?),
            modified: from_instant(row.try_get(2)?),
            managed_by: optional_id(&row, 3)?,
            resource: Resource::from_stored(
                serde_json::from_slice(document).map_err(Error::backend)?,
            ),
        }))
    }

    fn raw(&self, kind: Kind, id: ResourceId) -> Result<Option<Raw>, Error> {
        self.row(
            "SELECT id, version, document FROM resources WHERE org = $1 AND kind = $2 AND id = $3",
            &[&self.org(), &kind_code(kind), &uuid(id)],
        )?
        .as_ref()
        .map(raw)
        .transpose()
    }

    fn named(&self, kind: Kind, name: &str) -> Result<Option<ResourceId>, Error> {
        if !may_be_there(name) {
            return Ok(None);
        }
        let name_key = key::canonical(name);
        let found = self.row(
            "SELECT id FROM resources WHERE org = $1 AND kind = $2 AND name_key = $3",
            &[&self.org(), &kind_code(kind), &name_key],
        )?;
        if found.is_none() {
            self.free.replace(Some((kind, name_key)));
        }
        found.map(|row| id(&row, 0)).transpose()
    }

    fn with_external_id(&self, kind: Kind, external_id: &str) -> Result<Vec<ResourceId>, Error> {
        if !may_be_there(external_id) {
            return Ok(Vec::new());
        }
        let rows = self.rows(
            "SELECT id FROM resources WHERE org = $1 AND kind = $2 AND external_id = $3 ORDER BY id",
            &[&self.org(), &kind_code(kind), &external_id],
        )?;
        rows.iter().map(|row| id(row, 0)).collect()
    }

    fn kind_of(&self, id: ResourceId) -> Result<Option<Kind>, Error> {
        let found = self.row(
            "SELECT kind FROM resources WHERE org = $1 AND kind IN (0, 1) AND id = $2",
            &[&self.org(), &uuid(id)],
        )?;
        found
            .map(|row| Ok(from_kind_code(row.try_get(0)?)))
            .transpose()
    }

    fn list(&self, kind: Kind, selection: &Selection) -> Result<Listing, Error> {
        listing::list(self, kind, Whose::Anybodys, selection)
    }

    fn list_managed(
        &self,
        kind: Kind,
        integration: Option<IntegrationId>,
        selection: &Selection,
    ) -> Result<Listing, Error> {
        listing::list(self, kind, Whose::ManagedBy(integration), selection)
    }

    fn members(
        &self,
        group: ResourceId,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<Member>, Error> {
        let rows = self.rows(
            "SELECT member_id, member_kind FROM members
             WHERE org = $1 AND group_id = $2 AND member_id > $3 ORDER BY member_id LIMIT $4",
            &[&self.org(), &uuid(group), &behind(after), &number(count)],
        )?;
        rows.iter().map(member).collect()
    }

    fn named_members(
        &self,
        group: ResourceId,
        count: u64,
    ) -> Result<Vec<(Member, Option<String>)>, Error> {
        let rows = self.rows(
            "SELECT m.member_id, m.member_kind, r.display FROM members m
             LEFT JOIN resources r ON r.org = m.org AND r.kind = m.member_kind AND r.id = m.member_id
             WHERE m.org = $1 AND m.group_id = $2 ORDER BY m.member_id LIMIT $3",
            &[&self.org(), &uuid(group), &number(count)],
        )?;
        rows.iter()
            .map(|row| Ok((member(row)?, row.try_get(2)?)))
            .collect()
    }

    fn is_member(&self, group: ResourceId, member: ResourceId) -> Result<bool, Error> {
        let found = self.row(
            "SELECT 1 FROM members WHERE org = $1 AND group_id = $2 AND member_id = $3",
            &[&self.org(), &uuid(group), &uuid(member)],
        )?;
        Ok(found.is_some())
    }

    fn groups_of(&self, member: ResourceId) -> Result<Vec<(ResourceId, String)>, Error> {
        let rows = self.rows(
            "SELECT m.group_id, coalesce(r.display, '') FROM members m
             JOIN resources r ON r.org = m.org AND r.kind = 1 AND r.id = m.group_id
             WHERE m.org = $1 AND m.member_id = $2 ORDER BY m.group_id",
            &[&self.org(), &uuid(member)],
        )?;
        rows.iter()
            .map(|row| Ok((id(row, 0)?, row.try_get(1)?)))
            .collect()
    }

    fn reports_of(&self, manager: ResourceId) -> Result<Vec<ResourceId>, Error> {
        let rows = self.rows(
            "SELECT id FROM resources WHERE org = $1 AND manager = $2 ORDER BY id",
            &[&self.org(), &manager.to_string()],
        )?;
        rows.iter().map(|row| id(row, 0)).collect()
    }

    fn tombstones(
        &self,
        kind: Kind,
        external_id: Option<&str>,
        name: &str,
    ) -> Result<Vec<Tombstone>, Error> {
        let external_id = external_id.filter(|text| may_be_there(text));
        let name = Some(key::canonical(name)).filter(|text| may_be_there(text));
        let rows = self.rows(
            "SELECT id, name_key, external_id, managed_by, version, deleted FROM tombstones
             WHERE org = $1 AND kind = $2 AND name_key = $3
             UNION
             SELECT id, name_key, external_id, managed_by, version, deleted FROM tombstones
             WHERE org = $1 AND kind = $2 AND external_id = $4
             ORDER BY deleted DESC",
            &[&self.org(), &kind_code(kind), &name, &external_id],
        )?;
        rows.iter().map(tombstone).collect()
    }

    fn tombstone(&self, kind: Kind, id: ResourceId) -> Result<Option<Tombstone>, Error> {
        let found = self.row(
            "SELECT id, name_key, external_id, managed_by, version, deleted FROM tombstones
             WHERE org = $1 AND kind = $2 AND id = $3",
            &[&self.org(), &kind_code(kind), &uuid(id)],
        )?;
        found.as_ref().map(tombstone).transpose()
    }
}

fn tombstone(row: &Row) -> Result<Tombstone, Error> {
    Ok(Tombstone {
        id: id(row, 0)?,
        name_key: row.try_get(1)?,
        external_id: row.try_get(2)?,
        managed_by: optional_id(row, 3)?,
        version: from_number(row.try_get(4)?),
        deleted: from_instant(row.try_get(5)?),
    })
}

impl WriteDirectory for Tenant<'_> {
    fn insert(&mut self, entry: &Entry) -> Result<(), Error> {
        let columns = Columns::of(entry.kind, &entry.resource);
        let sql = "INSERT INTO resources (org, kind, id, name_key, external_id, display, display_key, active, managed_by,
                                    created, modified, version, document, manager)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let is_free = self.free.take().is_some_and(|(kind, name_key)| {
            (kind, name_key.as_str()) == (entry.kind, &*columns.name_key)
        });
        let emails = columns.emails;
        let values = vec![
            owned(self.org()),
            owned(kind_code(entry.kind)),
            owned(uuid(entry.id)),
            owned(columns.name_key),
            owned(columns.external_id),
            owned(columns.display),
            owned(columns.display_key),
            owned(columns.active),
            owned(entry.managed_by.map(uuid)),
            owned(instant(entry.created)),
            owned(instant(entry.modified)),
            owned(number(entry.version)),
            owned(entry.resource.to_bytes()),
            owned(columns.manager),
        ];
        if is_free {
            self.execute_later(sql, values)?;
            self.wrote(1)?;
        } else {
            let values: Vec<_> = values.iter().map(|value| &**value).collect();
            self.execute_unique(sql, &values, unique_attribute(entry.kind))?;
        }
        self.index_emails(entry.id, &[], &emails)?;
        self.count(entry.kind, 1, i64::from(columns.active));
        Ok(())
    }

    fn update(&mut self, entry: &Entry) -> Result<(), Error> {
        let before = self.entry(entry.kind, entry.id)?.ok_or(Error::Missing)?;
        if before.version + 1 != entry.version {
            return Err(Error::Stale);
        }
        self.free.take();
        let old = Columns::of(before.kind, &before.resource);
        let new = Columns::of(entry.kind, &entry.resource);
        self.execute_unique(
            "UPDATE resources SET name_key = $4, external_id = $5, display = $6, display_key = $7, active = $8,
                                  managed_by = $9, modified = $10, version = $11, document = $12, manager = $13
             WHERE org = $1 AND kind = $2 AND id = $3",
            &[
                &self.org(),
                &kind_code(entry.kind),
                &uuid(entry.id),
                &new.name_key,
                &new.external_id,
                &new.display,
                &new.display_key,
                &new.active,
                &entry.managed_by.map(uuid),
                &instant(entry.modified),
                &number(entry.version),
                &entry.resource.to_bytes(),
                &new.manager,
            ],
            unique_attribute(entry.kind),
        )?;
        self.index_emails(entry.id, &old.emails, &new.emails)?;
        self.count(entry.kind, 0, i64::from(new.active) - i64::from(old.active));
        Ok(())
    }

    fn remove(&mut self, kind: Kind, id: ResourceId, at: Timestamp) -> Result<(), Error> {
        let before = self.entry(kind, id)?.ok_or(Error::Missing)?;
        let old = Columns::of(kind, &before.resource);
        self.index_emails(id, &old.emails, &[])?;
        self.execute_later(
            "DELETE FROM members WHERE org = $1 AND member_id = $2",
            vec![owned(self.org()), owned(uuid(id))],
        )?;
        self.execute_later(
            "DELETE FROM members WHERE org = $1 AND group_id = $2",
            vec![owned(self.org()), owned(uuid(id))],
        )?;
        self.execute_later(
            "DELETE FROM resources WHERE org = $1 AND kind = $2 AND id = $3",
            vec![owned(self.org()), owned(kind_code(kind)), owned(uuid(id))],
        )?;
        self.execute_later(
            "INSERT INTO tombstones (org, kind, id, name_key, external_id, managed_by, version, deleted)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (org, kind, id) DO UPDATE SET name_key = excluded.name_key, external_id = excluded.external_id,
                 managed_by = excluded.managed_by, version = excluded.version, deleted = excluded.deleted",
            vec![
                owned(self.org()),
                owned(kind_code(kind)),
                owned(uuid(id)),
                owned(old.name_key),
                owned(old.external_id),
                owned(before.managed_by.map(uuid)),
                owned(number(before.version)),
                owned(instant(at)),
            ],
        )?;
        self.count(kind, -1, -i64::from(old.active));
        Ok(())
    }

    fn remove_tombstone(&mut self, kind: Kind, id: ResourceId) -> Result<(), Error> {
        self.execute_later(
            "DELETE FROM tombstones WHERE org = $1 AND kind = $2 AND id = $3",
            vec![owned(self.org()), owned(kind_code(kind)), owned(uuid(id))],
        )
    }

    fn add_members(
        &mut self,
        group: ResourceId,
        members: &[Member],
    ) -> Result<Vec<ResourceId>, Error> {
        let kinds: Vec<i16> = members
            .iter()
            .map(|member| kind_code(member.kind))
            .collect();
        let members: Vec<Uuid> = members.iter().map(|member| uuid(member.id)).collect();
        let rows = self.rows(
            "INSERT INTO members (org, group_id, member_id, member_kind)
             SELECT $1, $2, new.id, new.kind FROM unnest($3::uuid[], $4::smallint[]) AS new (id, kind)
             ON CONFLICT DO NOTHING RETURNING member_id",
            &[&self.org(), &uuid(group), &members, &kinds],
        )?;
        self.wrote(rows.len() as u64)?;
        in_order(members, &rows)
    }

    fn remove_members(
        &mut self,
        group: ResourceId,
        members: &[ResourceId],
    ) -> Result<Vec<ResourceId>, Error> {
        let members: Vec<Uuid> = members.iter().map(|member| uuid(*member)).collect();
        let rows = self.rows(
            "DELETE FROM members WHERE org = $1 AND group_id = $2 AND member_id = ANY ($3) RETURNING member_id",
            &[&self.org(), &uuid(group), &members],
        )?;
        in_order(members, &rows)
    }

    fn clear_members(&mut self, group: ResourceId) -> Result<Vec<ResourceId>, Error> {
        let rows = self.rows(
            "DELETE FROM members WHERE org = $1 AND group_id = $2 RETURNING member_id",
            &[&self.org(), &uuid(group)],
        )?;
        let removed = rows.iter().map(|row| id(row, 0));
        let mut removed = removed.collect::<Result<Vec<ResourceId>, Error>>()?;
        removed.sort_unstable();
        Ok(removed)
    }
}

impl Tenant<'_> {
    /// Makes the e-mail index say what the document says.
    fn index_emails(&self, id: ResourceId, old: &[String], new: &[String]) -> Result<(), Error> {
        let (gone, come): (Vec<String>, Vec<String>) = (
            added(new, old).cloned().collect(),
            added(old, new).cloned().collect(),
        );
        if !gone.is_empty() {
            self.execute_later(
                "DELETE FROM emails WHERE org = $1 AND key = ANY ($2) AND id = $3",
                vec![owned(self.org()), owned(gone), owned(uuid(id))],
            )?;
        }
        if !come.is_empty() {
            self.execute_later(
                "INSERT INTO emails (org, key, id) SELECT $1, key, $3 FROM unnest($2::text[]) AS new (key)
                 ON CONFLICT DO NOTHING",
                vec![owned(self.org()), owned(come), owned(uuid(id))],
            )?;
        }
        Ok(())
    }
}

/// Returns those members that a statement changed, once each, in the order in which they were given.
fn in_order(members: Vec<Uuid>, changed: &[Row]) -> Result<Vec<ResourceId>, Error> {
    let changed = changed.iter().map(|row| row.try_get(0));
    let mut changed = changed.collect::<Result<HashSet<Uuid>, _>>()?;
    let mut ordered = members;
    ordered.retain(|member| changed.remove(member));
    let ids = ordered.into_iter().map(Uuid::into_bytes);
    Ok(ids.map(ResourceId::from_bytes).collect())
}

/// Reads a row of id, version, document.
pub(super) fn raw(row: &Row) -> Result<Raw, Error> {
    Ok(Raw {
        id: id(row, 0)?,
        version: from_number(row.try_get(1)?),
        document: row.try_get(2)?,
    })
}

fn member(row: &Row) -> Result<Member, Error> {
    Ok(Member {
        id: id(row, 0)?,
        kind: from_kind_code(row.try_get(1)?),
    })
}
