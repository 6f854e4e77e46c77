//! Sessions of administrators, and their second factors, in PostgreSQL. A part of [`super::access`].

use jiff::Timestamp;
use rollcall_model::{AdminId, Session, SessionId, session};

use super::convert::{document, from_instant, from_number, instant, json, number, uuid};
use super::unit::Tenant;
use crate::{Error, SecondFactor};

impl Tenant<'_> {
    pub(super) fn session_by(&self, digest: &[u8; 32]) -> Result<Option<Session>, Error> {
        let found = self.row(
            "SELECT document FROM sessions WHERE org = $1 AND digest = $2",
            &[&self.org(), &digest.as_slice()],
        )?;
        found.as_ref().map(document).transpose()
    }

    pub(super) fn sessions_of(&self, administrator: AdminId) -> Result<Vec<Session>, Error> {
        let rows = self.rows(
            "SELECT document FROM sessions WHERE org = $1 AND administrator = $2 ORDER BY id",
            &[&self.org(), &uuid(administrator)],
        )?;
        rows.iter().map(document).collect()
    }

    pub(super) fn keep_session(
        &self,
        kept: &Session,
        digest: &[u8; 32],
        now: Timestamp,
    ) -> Result<(), Error> {
        self.execute(
            "DELETE FROM sessions WHERE org = $1 AND ends <= $2",
            &[&self.org(), &instant(now)],
        )?;
        let ends = kept.created.saturating_add(session::ABSOLUTE);
        self.execute(
            "INSERT INTO sessions (org, digest, id, administrator, ends, document) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (org, digest) DO UPDATE SET id = excluded.id, administrator = excluded.administrator,
                 ends = excluded.ends, document = excluded.document",
            &[
                &self.org(),
                &digest.as_slice(),
                &uuid(kept.id),
                &uuid(kept.administrator),
                &instant(ends.unwrap_or(Timestamp::MAX)),
                &json(kept)?,
            ],
        )?;
        Ok(())
    }

    pub(super) fn drop_session(
        &self,
        administrator: AdminId,
        id: SessionId,
    ) -> Result<bool, Error> {
        let ended = self.execute(
            "DELETE FROM sessions WHERE org = $1 AND administrator = $2 AND id = $3",
            &[&self.org(), &uuid(administrator), &uuid(id)],
        )?;
        Ok(ended > 0)
    }

    pub(super) fn drop_sessions(
        &self,
        administrator: AdminId,
        except: Option<SessionId>,
    ) -> Result<(), Error> {
        self.execute(
            "DELETE FROM sessions WHERE org = $1 AND administrator = $2 AND id IS DISTINCT FROM $3",
            &[&self.org(), &uuid(administrator), &except.map(uuid)],
        )?;
        Ok(())
    }

    pub(super) fn factor_of(&self, id: AdminId) -> Result<Option<SecondFactor>, Error> {
        let found = self.row(
            "SELECT sealed_secret, since, last_step FROM second_factors WHERE org = $1 AND administrator = $2",
            &[&self.org(), &uuid(id)],
        )?;
        found
            .map(|row| {
                Ok(SecondFactor {
                    sealed_secret: row.try_get(0)?,
                    since: from_instant(row.try_get(1)?),
                    last_step: from_number(row.try_get(2)?),
                })
            })
            .transpose()
    }

    pub(super) fn keep_factor(
        &self,
        id: AdminId,
        factor: Option<&SecondFactor>,
    ) -> Result<(), Error> {
        let Some(factor) = factor else {
            for statement in [
                "DELETE FROM second_factors WHERE org = $1 AND administrator = $2",
                "DELETE FROM recovery_codes WHERE org = $1 AND administrator = $2",
            ] {
                self.execute(statement, &[&self.org(), &uuid(id)])?;
            }
            return Ok(());
        };
        self.execute(
            "INSERT INTO second_factors (org, administrator, sealed_secret, since, last_step) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (org, administrator) DO UPDATE SET sealed_secret = excluded.sealed_secret,
                 since = excluded.since, last_step = excluded.last_step",
            &[
                &self.org(),
                &uuid(id),
                &factor.sealed_secret,
                &instant(factor.since),
                &number(factor.last_step),
            ],
        )?;
        Ok(())
    }

    pub(super) fn codes_left(&self, id: AdminId) -> Result<u64, Error> {
        let found = self.row(
            "SELECT count(*) FROM recovery_codes WHERE org = $1 AND administrator = $2",
            &[&self.org(), &uuid(id)],
        )?;
        Ok(from_number(found.ok_or(Error::Missing)?.try_get(0)?))
    }

    pub(super) fn keep_codes(&self, id: AdminId, digests: &[[u8; 32]]) -> Result<(), Error> {
        self.execute(
            "DELETE FROM recovery_codes WHERE org = $1 AND administrator = $2",
            &[&self.org(), &uuid(id)],
        )?;
        let digests: Vec<&[u8]> = digests.iter().map(<[u8; 32]>::as_slice).collect();
        self.execute(
            "INSERT INTO recovery_codes (org, administrator, digest) SELECT $1, $2, unnest($3::bytea[])",
            &[&self.org(), &uuid(id), &digests],
        )?;
        Ok(())
    }

    pub(super) fn use_code(&self, id: AdminId, digest: &[u8; 32]) -> Result<bool, Error> {
        let used = self.execute(
            "DELETE FROM recovery_codes WHERE org = $1 AND administrator = $2 AND digest = $3",
            &[&self.org(), &uuid(id), &digest.as_slice()],
        )?;
        Ok(used > 0)
    }
}
