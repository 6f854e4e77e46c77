//! Sessions of administrators, and their second factors, in SQLite. A part of [`super::access`].

use jiff::Timestamp;
use rollcall_model::{AdminId, Session, SessionId, session};
use rusqlite::{OptionalExtension, params};

use super::convert::{blob, from_instant, from_json, from_number, instant, json, number};
use super::unit::Tenant;
use crate::{Error, SecondFactor};

impl Tenant<'_> {
    pub(super) fn session_by(&self, digest: &[u8; 32]) -> Result<Option<Session>, Error> {
        self.connection
            .prepare_cached("SELECT document FROM sessions WHERE org = ?1 AND digest = ?2")?
            .query_row(params![self.org(), digest], |row| row.get::<_, String>(0))
            .optional()?
            .map(|document| from_json(&document))
            .transpose()
    }

    pub(super) fn sessions_of(&self, administrator: AdminId) -> Result<Vec<Session>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT document FROM sessions WHERE org = ?1 AND administrator = ?2 ORDER BY id",
        )?;
        let rows = statement.query_map(params![self.org(), blob(administrator)], |row| {
            row.get::<_, String>(0)
        })?;
        rows.map(|row| from_json(&row?)).collect()
    }

    pub(super) fn keep_session(
        &self,
        kept: &Session,
        digest: &[u8; 32],
        now: Timestamp,
    ) -> Result<(), Error> {
        self.connection
            .prepare_cached("DELETE FROM sessions WHERE org = ?1 AND ends <= ?2")?
            .execute(params![self.org(), instant(now)])?;
        let ends = kept.created.saturating_add(session::ABSOLUTE);
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO sessions (org, digest, id, administrator, ends, document)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                self.org(),
                digest,
                blob(kept.id),
                blob(kept.administrator),
                instant(ends.unwrap_or(Timestamp::MAX)),
                json(kept)?
            ])?;
        Ok(())
    }

    pub(super) fn drop_session(
        &self,
        administrator: AdminId,
        id: SessionId,
    ) -> Result<bool, Error> {
        let ended = self.connection.execute(
            "DELETE FROM sessions WHERE org = ?1 AND administrator = ?2 AND id = ?3",
            params![self.org(), blob(administrator), blob(id)],
        )?;
        Ok(ended > 0)
    }

    pub(super) fn drop_sessions(
        &self,
        administrator: AdminId,
        except: Option<SessionId>,
    ) -> Result<(), Error> {
        self.connection.execute(
            "DELETE FROM sessions WHERE org = ?1 AND administrator = ?2 AND id IS NOT ?3",
            params![self.org(), blob(administrator), except.map(blob)],
        )?;
        Ok(())
    }

    pub(super) fn factor_of(&self, id: AdminId) -> Result<Option<SecondFactor>, Error> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT sealed_secret, since, last_step FROM second_factors WHERE org = ?1 AND administrator = ?2",
            )?
            .query_row(params![self.org(), blob(id)], |row| {
                Ok(SecondFactor {
                    sealed_secret: row.get(0)?,
                    since: from_instant(row.get(1)?),
                    last_step: from_number(row.get(2)?),
                })
            })
            .optional()?)
    }

    pub(super) fn keep_factor(
        &self,
        id: AdminId,
        factor: Option<&SecondFactor>,
    ) -> Result<(), Error> {
        let Some(factor) = factor else {
            for table in ["second_factors", "recovery_codes"] {
                self.connection.execute(
                    &format!("DELETE FROM {table} WHERE org = ?1 AND administrator = ?2"),
                    params![self.org(), blob(id)],
                )?;
            }
            return Ok(());
        };
        self.connection.execute(
            "INSERT OR REPLACE INTO second_factors (org, administrator, sealed_secret, since, last_step)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                self.org(),
                blob(id),
                factor.sealed_secret,
                instant(factor.since),
                number(factor.last_step)
            ],
        )?;
        Ok(())
    }

    pub(super) fn codes_left(&self, id: AdminId) -> Result<u64, Error> {
        Ok(self.connection.query_row(
            "SELECT count(*) FROM recovery_codes WHERE org = ?1 AND administrator = ?2",
            params![self.org(), blob(id)],
            |row| row.get(0).map(from_number),
        )?)
    }

    pub(super) fn keep_codes(&self, id: AdminId, digests: &[[u8; 32]]) -> Result<(), Error> {
        self.connection.execute(
            "DELETE FROM recovery_codes WHERE org = ?1 AND administrator = ?2",
            params![self.org(), blob(id)],
        )?;
        for digest in digests {
            self.connection.execute(
                "INSERT INTO recovery_codes (org, administrator, digest) VALUES (?1, ?2, ?3)",
                params![self.org(), blob(id), digest],
            )?;
        }
        Ok(())
    }

    pub(super) fn use_code(&self, id: AdminId, digest: &[u8; 32]) -> Result<bool, Error> {
        let used = self.connection.execute(
            "DELETE FROM recovery_codes WHERE org = ?1 AND administrator = ?2 AND digest = ?3",
            params![self.org(), blob(id), digest],
        )?;
        Ok(used > 0)
    }
}
