//! How people become active, in SQLite. A part of [`super::access`].

use jiff::Timestamp;
use rollcall_model::{Activation, IntegrationId, ResourceId};
use rusqlite::{OptionalExtension, params};

use super::convert::{blob, from_json, id, instant, json, number};
use super::unit::Tenant;
use crate::Error;

impl Tenant<'_> {
    pub(super) fn activation_of(&self, person: ResourceId) -> Result<Option<Activation>, Error> {
        self.connection
            .prepare_cached("SELECT document FROM activations WHERE org = ?1 AND person = ?2")?
            .query_row(params![self.org(), blob(person)], |row| {
                row.get::<_, String>(0)
            })
            .optional()?
            .map(|document| from_json(&document))
            .transpose()
    }

    pub(super) fn activation_with(&self, digest: &[u8; 32]) -> Result<Option<Activation>, Error> {
        self.connection
            .prepare_cached("SELECT document FROM activations WHERE org = ?1 AND link = ?2")?
            .query_row(params![self.org(), digest], |row| row.get::<_, String>(0))
            .optional()?
            .map(|document| from_json(&document))
            .transpose()
    }

    pub(super) fn without_invitation(
        &self,
        integration: IntegrationId,
        now: Timestamp,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<ResourceId>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT r.id FROM resources r INDEXED BY resources_by_management
             WHERE r.org = ?1 AND r.managed_by = ?2 AND r.kind = 0 AND r.active = 1 AND r.id > ?4
               AND NOT EXISTS (SELECT 1 FROM activations a
                               WHERE a.org = r.org AND a.person = r.id AND (a.activated = 1 OR a.link_expires > ?3))
             ORDER BY r.id LIMIT ?5",
        )?;
        let after = after.map_or_else(Vec::new, |id| blob(id).to_vec());
        let rows = statement.query_map(
            params![
                self.org(),
                blob(integration),
                instant(now),
                after,
                number(count)
            ],
            |row| id(row, 0),
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(super) fn keep_activation(&self, activation: &Activation) -> Result<(), Error> {
        let link = activation.link.as_ref();
        self.connection
            .prepare_cached(
                "INSERT INTO activations (org, person, link, link_expires, activated, document) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (org, person) DO UPDATE SET link = ?3, link_expires = ?4, activated = ?5, document = ?6",
            )?
            .execute(params![
                self.org(),
                blob(activation.person),
                link.map(|link| link.digest),
                link.map(|link| instant(link.expires)),
                activation.vault.is_some(),
                json(activation)?,
            ])?;
        Ok(())
    }

    pub(super) fn drop_activation(&self, person: ResourceId) -> Result<(), Error> {
        self.connection
            .prepare_cached("DELETE FROM activations WHERE org = ?1 AND person = ?2")?
            .execute(params![self.org(), blob(person)])?;
        Ok(())
    }
}
