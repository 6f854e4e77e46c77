//! People, groups, memberships and tombstones in SQLite.

use jiff::Timestamp;
use rollcall_model::{IntegrationId, Kind, ResourceId};
use rollcall_scim::key;
use rollcall_scim::resource::Resource;
use rusqlite::{OptionalExtension, Row, params};

use super::convert::{
    blob, from_instant, from_kind_code, from_number, id, instant, kind_code, number, optional_id,
    taken,
};
use super::unit::Tenant;
use crate::columns::{Columns, added, unique_attribute};
use crate::listing::Whose;
use crate::{
    Entry, Error, Listing, Member, Raw, ReadDirectory, Selection, Tombstone, WriteDirectory,
};

impl ReadDirectory for Tenant<'_> {
    fn entry(&self, kind: Kind, id: ResourceId) -> Result<Option<Entry>, Error> {
        let row = self
            .connection
            .prepare_cached(
                "SELECT version, created, modified, managed_by, document FROM resources
                 WHERE org = ?1 AND kind = ?2 AND id = ?3",
            )?
            .query_row(params![self.org(), kind_code(kind), blob(id)], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, i64>(2)?,
                    optional_id(row, 3)?,
                    row.get::<_, Vec<u8>>(4)?,
                ))
            })
            .optional()?;
        let Some((version, created, modified, managed_by, document)) = row else {
            return Ok(None);
        };
        Ok(Some(Entry {
            kind,
            id,
            version: from_number(version),
            created: from_instant(created),
            modified: from_instant(modified),
            managed_by,
            resource: Resource::from_stored(
                serde_json::from_slice(&document).map_err(Error::backend)?,
            ),
        }))
    }

    fn raw(&self, kind: Kind, id: ResourceId) -> Result<Option<Raw>, Error> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT id, version, document FROM resources WHERE org = ?1 AND kind = ?2 AND id = ?3",
            )?
            .query_row(params![self.org(), kind_code(kind), blob(id)], raw)
            .optional()?)
    }

    fn named(&self, kind: Kind, name: &str) -> Result<Option<ResourceId>, Error> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT id FROM resources WHERE org = ?1 AND kind = ?2 AND name_key = ?3",
            )?
            .query_row(
                params![self.org(), kind_code(kind), key::canonical(name)],
                |row| id(row, 0),
            )
            .optional()?)
    }

    fn with_external_id(&self, kind: Kind, external_id: &str) -> Result<Vec<ResourceId>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM resources WHERE org = ?1 AND kind = ?2 AND external_id = ?3 ORDER BY id",
        )?;
        let rows = statement
            .query_map(params![self.org(), kind_code(kind), external_id], |row| {
                id(row, 0)
            })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn kind_of(&self, id: ResourceId) -> Result<Option<Kind>, Error> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT kind FROM resources WHERE org = ?1 AND kind IN (0, 1) AND id = ?2",
            )?
            .query_row(params![self.org(), blob(id)], |row| {
                row.get(0).map(from_kind_code)
            })
            .optional()?)
    }

    fn list(&self, kind: Kind, selection: &Selection) -> Result<Listing, Error> {
        crate::listing::list(self, kind, Whose::Anybodys, selection)
    }

    fn list_managed(
        &self,
        kind: Kind,
        integration: Option<IntegrationId>,
        selection: &Selection,
    ) -> Result<Listing, Error> {
        crate::listing::list(self, kind, Whose::ManagedBy(integration), selection)
    }

    fn members(
        &self,
        group: ResourceId,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<Member>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT member_id, member_kind FROM members
             WHERE org = ?1 AND group_id = ?2 AND member_id > ?3 ORDER BY member_id LIMIT ?4",
        )?;
        let after = after.map_or_else(Vec::new, |id| blob(id).to_vec());
        let rows = statement.query_map(
            params![self.org(), blob(group), after, number(count)],
            |row| {
                Ok(Member {
                    id: id(row, 0)?,
                    kind: from_kind_code(row.get(1)?),
                })
            },
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn named_members(
        &self,
        group: ResourceId,
        count: u64,
    ) -> Result<Vec<(Member, Option<String>)>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT m.member_id, m.member_kind, r.display FROM members m
             LEFT JOIN resources r ON r.org = m.org AND r.kind = m.member_kind AND r.id = m.member_id
             WHERE m.org = ?1 AND m.group_id = ?2 ORDER BY m.member_id LIMIT ?3",
        )?;
        let parameters = params![self.org(), blob(group), number(count)];
        let rows = statement.query_map(parameters, |row| {
            let member = Member {
                id: id(row, 0)?,
                kind: from_kind_code(row.get(1)?),
            };
            Ok((member, row.get(2)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn is_member(&self, group: ResourceId, member: ResourceId) -> Result<bool, Error> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT 1 FROM members WHERE org = ?1 AND group_id = ?2 AND member_id = ?3",
            )?
            .exists(params![self.org(), blob(group), blob(member)])?)
    }

    fn groups_of(&self, member: ResourceId) -> Result<Vec<(ResourceId, String)>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT m.group_id, r.display FROM members m
             JOIN resources r ON r.org = m.org AND r.kind = 1 AND r.id = m.group_id
             WHERE m.org = ?1 AND m.member_id = ?2 ORDER BY m.group_id",
        )?;
        let rows = statement.query_map(params![self.org(), blob(member)], |row| {
            Ok((
                id(row, 0)?,
                row.get::<_, Option<String>>(1)?.unwrap_or_default(),
            ))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn reports_of(&self, manager: ResourceId) -> Result<Vec<ResourceId>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM resources WHERE org = ?1 AND manager = ?2 ORDER BY id",
        )?;
        let rows =
            statement.query_map(params![self.org(), manager.to_string()], |row| id(row, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn tombstones(
        &self,
        kind: Kind,
        external_id: Option<&str>,
        name: &str,
    ) -> Result<Vec<Tombstone>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, name_key, external_id, managed_by, version, deleted FROM tombstones
             WHERE org = ?1 AND kind = ?2 AND name_key = ?3
             UNION
             SELECT id, name_key, external_id, managed_by, version, deleted FROM tombstones
             WHERE org = ?1 AND kind = ?2 AND external_id = ?4
             ORDER BY deleted DESC",
        )?;
        let parameters = params![
            self.org(),
            kind_code(kind),
            key::canonical(name),
            external_id
        ];
        let rows = statement.query_map(parameters, tombstone)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn tombstone(&self, kind: Kind, id: ResourceId) -> Result<Option<Tombstone>, Error> {
        let found = self
            .connection
            .prepare_cached(
                "SELECT id, name_key, external_id, managed_by, version, deleted FROM tombstones
                 WHERE org = ?1 AND kind = ?2 AND id = ?3",
            )?
            .query_row(params![self.org(), kind_code(kind), blob(id)], tombstone)
            .optional()?;
        Ok(found)
    }
}

fn tombstone(row: &Row<'_>) -> rusqlite::Result<Tombstone> {
    Ok(Tombstone {
        id: id(row, 0)?,
        name_key: row.get(1)?,
        external_id: row.get(2)?,
        managed_by: optional_id(row, 3)?,
        version: from_number(row.get(4)?),
        deleted: from_instant(row.get(5)?),
    })
}

impl WriteDirectory for Tenant<'_> {
    fn insert(&mut self, entry: &Entry) -> Result<(), Error> {
        let columns = Columns::of(entry.kind, &entry.resource);
        self.connection
            .prepare_cached(
                "INSERT INTO resources (org, kind, id, name_key, external_id, display, display_key, active, managed_by,
                                        created, modified, version, document, manager)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )?
            .execute(params![
                self.org(),
                kind_code(entry.kind),
                blob(entry.id),
                columns.name_key,
                columns.external_id,
                columns.display,
                columns.display_key,
                columns.active,
                entry.managed_by.map(blob),
                instant(entry.created),
                instant(entry.modified),
                number(entry.version),
                entry.resource.to_bytes(),
                columns.manager,
            ])
            .map_err(|error| taken(error, unique_attribute(entry.kind)))?;
        self.index_emails(entry.id, &[], &columns.emails)?;
        self.count(entry.kind, 1, i64::from(columns.active));
        Ok(())
    }

    fn update(&mut self, entry: &Entry) -> Result<(), Error> {
        let before = self.entry(entry.kind, entry.id)?.ok_or(Error::Missing)?;
        if before.version + 1 != entry.version {
            return Err(Error::Stale);
        }
        let (old, new) = (
            Columns::of(before.kind, &before.resource),
            Columns::of(entry.kind, &entry.resource),
        );
        self.connection
            .prepare_cached(
                "UPDATE resources SET name_key = ?4, external_id = ?5, display = ?6, display_key = ?7, active = ?8,
                                      managed_by = ?9, modified = ?10, version = ?11, document = ?12, manager = ?13
                 WHERE org = ?1 AND kind = ?2 AND id = ?3",
            )?
            .execute(params![
                self.org(),
                kind_code(entry.kind),
                blob(entry.id),
                new.name_key,
                new.external_id,
                new.display,
                new.display_key,
                new.active,
                entry.managed_by.map(blob),
                instant(entry.modified),
                number(entry.version),
                entry.resource.to_bytes(),
                new.manager,
            ])
            .map_err(|error| taken(error, unique_attribute(entry.kind)))?;
        self.index_emails(entry.id, &old.emails, &new.emails)?;
        self.count(entry.kind, 0, i64::from(new.active) - i64::from(old.active));
        Ok(())
    }

    fn remove(&mut self, kind: Kind, id: ResourceId, at: Timestamp) -> Result<(), Error> {
        let before = self.entry(kind, id)?.ok_or(Error::Missing)?;
        let old = Columns::of(before.kind, &before.resource);
        self.index_emails(id, &old.emails, &[])?;
        let object = params![self.org(), blob(id)];
        self.connection
            .prepare_cached("DELETE FROM members WHERE org = ?1 AND member_id = ?2")?
            .execute(object)?;
        self.connection
            .prepare_cached("DELETE FROM members WHERE org = ?1 AND group_id = ?2")?
            .execute(object)?;
        self.connection
            .prepare_cached("DELETE FROM resources WHERE org = ?1 AND kind = ?2 AND id = ?3")?
            .execute(params![self.org(), kind_code(kind), blob(id)])?;
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO tombstones (org, kind, id, name_key, external_id, managed_by, version, deleted)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                self.org(),
                kind_code(kind),
                blob(id),
                old.name_key,
                old.external_id,
                before.managed_by.map(blob),
                number(before.version),
                instant(at),
            ])?;
        self.count(kind, -1, -i64::from(old.active));
        Ok(())
    }

    fn remove_tombstone(&mut self, kind: Kind, id: ResourceId) -> Result<(), Error> {
        self.connection
            .prepare_cached("DELETE FROM tombstones WHERE org = ?1 AND kind = ?2 AND id = ?3")?
            .execute(params![self.org(), kind_code(kind), blob(id)])?;
        Ok(())
    }

    fn add_members(
        &mut self,
        group: ResourceId,
        members: &[Member],
    ) -> Result<Vec<ResourceId>, Error> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO members (org, group_id, member_id, member_kind) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?;
        let mut added = Vec::new();
        for member in members {
            if statement.execute(params![
                self.org(),
                blob(group),
                blob(member.id),
                kind_code(member.kind)
            ])? == 1
            {
                added.push(member.id);
            }
        }
        Ok(added)
    }

    fn remove_members(
        &mut self,
        group: ResourceId,
        members: &[ResourceId],
    ) -> Result<Vec<ResourceId>, Error> {
        let mut statement = self.connection.prepare_cached(
            "DELETE FROM members WHERE org = ?1 AND group_id = ?2 AND member_id = ?3",
        )?;
        let mut removed = Vec::new();
        for member in members {
            if statement.execute(params![self.org(), blob(group), blob(*member)])? == 1 {
                removed.push(*member);
            }
        }
        Ok(removed)
    }

    fn clear_members(&mut self, group: ResourceId) -> Result<Vec<ResourceId>, Error> {
        let mut statement = self.connection.prepare_cached(
            "DELETE FROM members WHERE org = ?1 AND group_id = ?2 RETURNING member_id",
        )?;
        let rows = statement.query_map(params![self.org(), blob(group)], |row| id(row, 0))?;
        let mut removed = rows.collect::<Result<Vec<ResourceId>, _>>()?;
        removed.sort_unstable();
        Ok(removed)
    }
}

impl Tenant<'_> {
    /// Makes the e-mail index say what the document says.
    fn index_emails(&self, id: ResourceId, old: &[String], new: &[String]) -> Result<(), Error> {
        for gone in added(new, old) {
            self.connection
                .prepare_cached("DELETE FROM emails WHERE org = ?1 AND key = ?2 AND id = ?3")?
                .execute(params![self.org(), gone, blob(id)])?;
        }
        for come in added(old, new) {
            self.connection
                .prepare_cached(
                    "INSERT INTO emails (org, key, id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                )?
                .execute(params![self.org(), come, blob(id)])?;
        }
        Ok(())
    }
}

/// Reads a row of id, version, document.
pub(super) fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        id: id(row, 0)?,
        version: from_number(row.get(1)?),
        document: row.get(2)?,
    })
}
