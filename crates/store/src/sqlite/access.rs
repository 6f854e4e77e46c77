//! Integrations, tokens and administrators in SQLite.

use jiff::Timestamp;
use rollcall_model::{
    Activation, AdminId, Administrator, Integration, IntegrationId, KeyId, KeyRecord, Organisation,
    ResourceId, Session, SessionId, Slug, TokenId, TokenRecord,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::convert::{blob, existing, from_instant, from_json, id, instant, json, taken};
use super::unit::Tenant;
use crate::{Error, ReadAccess, SecondFactor, SignInLink, WriteAccess};

const TOKEN: &str =
    "SELECT id, integration, created, created_by, expires, last_used, ending, revoked FROM tokens";

/// Finds an organisation, and the token with this digest in it.
pub(super) fn bearer(
    connection: &Connection,
    slug: &Slug,
    digest: &[u8; 32],
) -> Result<Option<(Organisation, TokenRecord)>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT t.id, t.integration, t.created, t.created_by, t.expires, t.last_used, t.ending, t.revoked, o.document
         FROM organisations o JOIN tokens t ON t.org = o.id WHERE o.slug = ?1 AND t.digest = ?2",
    )?;
    let mut rows = statement.query(params![slug.as_str(), digest])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some((from_json(&row.get::<_, String>(8)?)?, token(row)?)))
}

impl ReadAccess for Tenant<'_> {
    fn integrations(&self) -> Result<Vec<Integration>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT document FROM integrations WHERE org = ?1 ORDER BY id")?;
        let rows = statement.query_map([self.org()], |row| row.get::<_, String>(0))?;
        rows.map(|row| from_json(&row?)).collect()
    }

    fn tokens(&self) -> Result<Vec<TokenRecord>, Error> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("{TOKEN} WHERE org = ?1 ORDER BY id"))?;
        let mut rows = statement.query([self.org()])?;
        let mut tokens = Vec::new();
        while let Some(row) = rows.next()? {
            tokens.push(token(row)?);
        }
        Ok(tokens)
    }

    fn api_keys(&self) -> Result<Vec<KeyRecord>, Error> {
        self.keys()
    }

    fn administrators(&self) -> Result<Vec<Administrator>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT document FROM administrators WHERE org = ?1 ORDER BY email_key",
        )?;
        let rows = statement.query_map([self.org()], |row| row.get::<_, String>(0))?;
        rows.map(|row| from_json(&row?)).collect()
    }

    fn password_hash(&self, id: AdminId) -> Result<Option<String>, Error> {
        self.connection
            .prepare_cached("SELECT password_hash FROM administrators WHERE org = ?1 AND id = ?2")?
            .query_row(params![self.org(), blob(id)], |row| row.get(0))
            .optional()?
            .ok_or(Error::Missing)
    }

    fn sign_in_link(&self, id: AdminId) -> Result<Option<SignInLink>, Error> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT digest, expires FROM sign_in_links WHERE org = ?1 AND administrator = ?2",
            )?
            .query_row(params![self.org(), blob(id)], |row| {
                Ok(SignInLink {
                    administrator: id,
                    digest: row.get(0)?,
                    expires: from_instant(row.get(1)?),
                })
            })
            .optional()?)
    }

    fn sign_in_link_by_digest(&self, digest: &[u8; 32]) -> Result<Option<SignInLink>, Error> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT administrator, expires FROM sign_in_links WHERE org = ?1 AND digest = ?2",
            )?
            .query_row(params![self.org(), digest], |row| {
                Ok(SignInLink {
                    administrator: id(row, 0)?,
                    digest: *digest,
                    expires: from_instant(row.get(1)?),
                })
            })
            .optional()?)
    }

    fn session(&self, digest: &[u8; 32]) -> Result<Option<Session>, Error> {
        self.session_by(digest)
    }

    fn sessions(&self, id: AdminId) -> Result<Vec<Session>, Error> {
        self.sessions_of(id)
    }

    fn second_factor(&self, id: AdminId) -> Result<Option<SecondFactor>, Error> {
        self.factor_of(id)
    }

    fn recovery_codes(&self, id: AdminId) -> Result<u64, Error> {
        self.codes_left(id)
    }

    fn activation(&self, person: ResourceId) -> Result<Option<Activation>, Error> {
        self.activation_of(person)
    }

    fn activation_by_link(&self, digest: &[u8; 32]) -> Result<Option<Activation>, Error> {
        self.activation_with(digest)
    }

    fn uninvited(
        &self,
        integration: IntegrationId,
        now: Timestamp,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<ResourceId>, Error> {
        self.without_invitation(integration, now, after, count)
    }
}

impl WriteAccess for Tenant<'_> {
    fn insert_integration(&mut self, integration: &Integration) -> Result<(), Error> {
        self.connection
            .execute(
                "INSERT INTO integrations (org, id, kind, document) VALUES (?1, ?2, ?3, ?4)",
                params![
                    self.org(),
                    blob(integration.id),
                    integration.kind.word(),
                    json(integration)?
                ],
            )
            .map_err(|error| taken(error, "integration"))?;
        Ok(())
    }

    fn save_integration(&mut self, integration: &Integration) -> Result<(), Error> {
        let changed = self.connection.execute(
            "UPDATE integrations SET document = ?3 WHERE org = ?1 AND id = ?2",
            params![self.org(), blob(integration.id), json(integration)?],
        )?;
        existing(changed)
    }

    fn remove_integration(&mut self, id: IntegrationId) -> Result<(), Error> {
        let object = params![self.org(), blob(id)];
        self.connection.execute(
            "DELETE FROM tokens WHERE org = ?1 AND integration = ?2",
            object,
        )?;
        self.connection.execute(
            "UPDATE resources SET managed_by = NULL WHERE org = ?1 AND managed_by = ?2",
            object,
        )?;
        existing(self.connection.execute(
            "DELETE FROM integrations WHERE org = ?1 AND id = ?2",
            object,
        )?)
    }

    fn insert_token(&mut self, token: &TokenRecord, digest: &[u8; 32]) -> Result<(), Error> {
        self.connection.execute(
            "INSERT INTO tokens (org, id, digest, integration, created, created_by, expires, last_used, ending, revoked)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                self.org(),
                blob(token.id),
                digest,
                blob(token.integration),
                instant(token.created),
                json(&token.created_by)?,
                token.expires.map(instant),
                token.last_used.map(instant),
                token.ending,
                token.revoked.map(instant),
            ],
        )?;
        Ok(())
    }

    fn expire_token(&mut self, id: TokenId, expires: Timestamp) -> Result<(), Error> {
        let changed = self.connection.execute(
            "UPDATE tokens SET expires = ?3 WHERE org = ?1 AND id = ?2",
            params![self.org(), blob(id), instant(expires)],
        )?;
        existing(changed)
    }

    fn revoke_token(&mut self, id: TokenId, at: Timestamp) -> Result<(), Error> {
        existing(self.connection.execute(
            "UPDATE tokens SET revoked = ifnull(revoked, ?3), expires = min(ifnull(expires, ?3), ?3) WHERE org = ?1 AND id = ?2",
            params![self.org(), blob(id), instant(at)],
        )?)
    }

    fn forget_revoked_tokens(&mut self, before: Timestamp) -> Result<(), Error> {
        self.connection.execute(
            "DELETE FROM tokens WHERE org = ?1 AND revoked < ?2",
            params![self.org(), instant(before)],
        )?;
        Ok(())
    }

    fn touch_token(&mut self, id: TokenId, at: Timestamp) -> Result<(), Error> {
        self.connection
            .prepare_cached("UPDATE tokens SET last_used = ?3 WHERE org = ?1 AND id = ?2")?
            .execute(params![self.org(), blob(id), instant(at)])?;
        Ok(())
    }

    fn insert_api_key(&mut self, key: &KeyRecord, digest: &[u8; 32]) -> Result<(), Error> {
        self.add_key(key, digest)
    }

    fn revoke_api_key(&mut self, id: KeyId, at: Timestamp) -> Result<(), Error> {
        self.end_key(id, at)
    }

    fn touch_api_key(&mut self, id: KeyId, at: Timestamp) -> Result<(), Error> {
        self.note_key(id, at)
    }

    fn insert_administrator(&mut self, administrator: &Administrator) -> Result<(), Error> {
        self.connection
            .execute(
                "INSERT INTO administrators (org, id, email_key, document) VALUES (?1, ?2, ?3, ?4)",
                params![
                    self.org(),
                    blob(administrator.id),
                    administrator.email.key(),
                    json(administrator)?
                ],
            )
            .map_err(|error| taken(error, "email"))?;
        Ok(())
    }

    fn save_password_hash(&mut self, id: AdminId, hash: &str) -> Result<(), Error> {
        self.connection.execute(
            "DELETE FROM sign_in_links WHERE org = ?1 AND administrator = ?2",
            params![self.org(), blob(id)],
        )?;
        let changed = self.connection.execute(
            "UPDATE administrators SET password_hash = ?3 WHERE org = ?1 AND id = ?2",
            params![self.org(), blob(id), hash],
        )?;
        existing(changed)
    }

    fn save_sign_in_link(&mut self, link: &SignInLink) -> Result<(), Error> {
        self.connection.execute(
            "UPDATE administrators SET password_hash = NULL WHERE org = ?1 AND id = ?2",
            params![self.org(), blob(link.administrator)],
        )?;
        self.connection.execute(
            "INSERT OR REPLACE INTO sign_in_links (org, administrator, digest, expires) VALUES (?1, ?2, ?3, ?4)",
            params![self.org(), blob(link.administrator), link.digest, instant(link.expires)],
        )?;
        Ok(())
    }

    fn remove_sign_in_link(&mut self, id: AdminId) -> Result<(), Error> {
        self.connection.execute(
            "DELETE FROM sign_in_links WHERE org = ?1 AND administrator = ?2",
            params![self.org(), blob(id)],
        )?;
        Ok(())
    }

    fn save_administrator(&mut self, administrator: &Administrator) -> Result<(), Error> {
        let changed = self
            .connection
            .execute(
                "UPDATE administrators SET email_key = ?3, document = ?4 WHERE org = ?1 AND id = ?2",
                params![
                    self.org(),
                    blob(administrator.id),
                    administrator.email.key(),
                    json(administrator)?
                ],
            )
            .map_err(|error| taken(error, "email"))?;
        existing(changed)
    }

    fn remove_administrator(&mut self, id: AdminId) -> Result<(), Error> {
        self.remove_sign_in_link(id)?;
        let removed = self.connection.execute(
            "DELETE FROM administrators WHERE org = ?1 AND id = ?2",
            params![self.org(), blob(id)],
        )?;
        existing(removed)
    }

    fn save_session(
        &mut self,
        session: &Session,
        digest: &[u8; 32],
        now: Timestamp,
    ) -> Result<(), Error> {
        self.keep_session(session, digest, now)
    }

    fn end_session(&mut self, administrator: AdminId, id: SessionId) -> Result<bool, Error> {
        self.drop_session(administrator, id)
    }

    fn end_sessions(
        &mut self,
        administrator: AdminId,
        except: Option<SessionId>,
    ) -> Result<(), Error> {
        self.drop_sessions(administrator, except)
    }

    fn save_second_factor(
        &mut self,
        id: AdminId,
        factor: Option<&SecondFactor>,
    ) -> Result<(), Error> {
        self.keep_factor(id, factor)
    }

    fn save_recovery_codes(&mut self, id: AdminId, digests: &[[u8; 32]]) -> Result<(), Error> {
        self.keep_codes(id, digests)
    }

    fn use_recovery_code(&mut self, id: AdminId, digest: &[u8; 32]) -> Result<bool, Error> {
        self.use_code(id, digest)
    }

    fn save_activation(&mut self, activation: &Activation) -> Result<(), Error> {
        self.keep_activation(activation)
    }

    fn remove_activation(&mut self, person: ResourceId) -> Result<(), Error> {
        self.drop_activation(person)
    }
}

fn token(row: &Row<'_>) -> Result<TokenRecord, Error> {
    Ok(TokenRecord {
        id: id(row, 0)?,
        integration: id(row, 1)?,
        created: from_instant(row.get(2)?),
        created_by: from_json(&row.get::<_, String>(3)?)?,
        expires: row.get::<_, Option<i64>>(4)?.map(from_instant),
        last_used: row.get::<_, Option<i64>>(5)?.map(from_instant),
        ending: row.get(6)?,
        revoked: row.get::<_, Option<i64>>(7)?.map(from_instant),
    })
}
