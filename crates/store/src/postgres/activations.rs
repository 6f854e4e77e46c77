//! How people become active, in PostgreSQL. A part of [`super::access`].

use jiff::Timestamp;
use rollcall_model::{Activation, IntegrationId, ResourceId};

use super::convert::{behind, document, id, instant, json, number, uuid};
use super::unit::Tenant;
use crate::Error;

impl Tenant<'_> {
    pub(super) fn activation_of(&self, person: ResourceId) -> Result<Option<Activation>, Error> {
        let found = self.row(
            "SELECT document FROM activations WHERE org = $1 AND person = $2",
            &[&self.org(), &uuid(person)],
        )?;
        found.as_ref().map(document).transpose()
    }

    pub(super) fn activation_with(&self, digest: &[u8; 32]) -> Result<Option<Activation>, Error> {
        let found = self.row(
            "SELECT document FROM activations WHERE org = $1 AND link = $2",
            &[&self.org(), &digest.as_slice()],
        )?;
        found.as_ref().map(document).transpose()
    }

    pub(super) fn without_invitation(
        &self,
        integration: IntegrationId,
        now: Timestamp,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<ResourceId>, Error> {
        let rows = self.rows(
            "SELECT r.id FROM resources r
             WHERE r.org = $1 AND r.managed_by = $2 AND r.kind = 0 AND r.active AND r.id > $4
               AND NOT EXISTS (SELECT FROM activations a
                               WHERE a.org = r.org AND a.person = r.id AND (a.activated OR a.link_expires > $3))
             ORDER BY r.id LIMIT $5",
            &[
                &self.org(),
                &uuid(integration),
                &instant(now),
                &behind(after),
                &number(count),
            ],
        )?;
        rows.iter().map(|row| id(row, 0)).collect()
    }

    pub(super) fn keep_activation(&self, activation: &Activation) -> Result<(), Error> {
        let link = activation.link.as_ref();
        self.execute(
            "INSERT INTO activations (org, person, link, link_expires, activated, document) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (org, person) DO UPDATE SET link = excluded.link, link_expires = excluded.link_expires,
                 activated = excluded.activated, document = excluded.document",
            &[
                &self.org(),
                &uuid(activation.person),
                &link.map(|link| link.digest.as_slice()),
                &link.map(|link| instant(link.expires)),
                &activation.vault.is_some(),
                &json(activation)?,
            ],
        )?;
        Ok(())
    }

    pub(super) fn drop_activation(&self, person: ResourceId) -> Result<(), Error> {
        self.execute(
            "DELETE FROM activations WHERE org = $1 AND person = $2",
            &[&self.org(), &uuid(person)],
        )?;
        Ok(())
    }
}
