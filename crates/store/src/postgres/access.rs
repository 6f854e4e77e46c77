//! Integrations, tokens and administrators in PostgreSQL.

use jiff::Timestamp;
use rollcall_model::{
    Activation, AdminId, Administrator, Integration, IntegrationId, KeyId, KeyRecord, Organisation,
    ResourceId, Session, SessionId, Slug, TokenId, TokenRecord,
};
use tokio_postgres::Row;

use super::convert::{
    digest as digest_at, document, existing, from_instant, from_json, id as id_at, instant, json,
    uuid,
};
use super::glances::Glances;
use super::unit::Tenant;
use crate::{Error, ReadAccess, SecondFactor, SignInLink, WriteAccess};

impl ReadAccess for Tenant<'_> {
    fn integrations(&self) -> Result<Vec<Integration>, Error> {
        let rows = self.rows(
            "SELECT document FROM integrations WHERE org = $1 ORDER BY id",
            &[&self.org()],
        )?;
        rows.iter().map(document).collect()
    }

    fn tokens(&self) -> Result<Vec<TokenRecord>, Error> {
        let rows = self.rows(
            "SELECT id, integration, created, created_by, expires, last_used, ending, revoked FROM tokens
             WHERE org = $1 ORDER BY id",
            &[&self.org()],
        )?;
        rows.iter().map(token).collect()
    }

    fn api_keys(&self) -> Result<Vec<KeyRecord>, Error> {
        self.keys()
    }

    fn administrators(&self) -> Result<Vec<Administrator>, Error> {
        let rows = self.rows(
            "SELECT document FROM administrators WHERE org = $1 ORDER BY email_key",
            &[&self.org()],
        )?;
        rows.iter().map(document).collect()
    }

    fn password_hash(&self, id: AdminId) -> Result<Option<String>, Error> {
        let found = self.row(
            "SELECT password_hash FROM administrators WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id)],
        )?;
        Ok(found.ok_or(Error::Missing)?.try_get(0)?)
    }

    fn sign_in_link(&self, id: AdminId) -> Result<Option<SignInLink>, Error> {
        let found = self.row(
            "SELECT administrator, digest, expires FROM sign_in_links WHERE org = $1 AND administrator = $2",
            &[&self.org(), &uuid(id)],
        )?;
        found.as_ref().map(link).transpose()
    }

    fn sign_in_link_by_digest(&self, digest: &[u8; 32]) -> Result<Option<SignInLink>, Error> {
        let found = self.row(
            "SELECT administrator, digest, expires FROM sign_in_links WHERE org = $1 AND digest = $2",
            &[&self.org(), &digest.as_slice()],
        )?;
        found.as_ref().map(link).transpose()
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
        self.execute_unique(
            "INSERT INTO integrations (org, id, kind, document) VALUES ($1, $2, $3, $4)",
            &[
                &self.org(),
                &uuid(integration.id),
                &integration.kind.word(),
                &json(integration)?,
            ],
            "integration",
        )?;
        Ok(())
    }

    fn save_integration(&mut self, integration: &Integration) -> Result<(), Error> {
        existing(self.execute(
            "UPDATE integrations SET document = $3 WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(integration.id), &json(integration)?],
        )?)
    }

    fn remove_integration(&mut self, id: IntegrationId) -> Result<(), Error> {
        self.execute(
            "DELETE FROM tokens WHERE org = $1 AND integration = $2",
            &[&self.org(), &uuid(id)],
        )?;
        self.execute(
            "UPDATE resources SET managed_by = NULL WHERE org = $1 AND managed_by = $2",
            &[&self.org(), &uuid(id)],
        )?;
        existing(self.execute(
            "DELETE FROM integrations WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id)],
        )?)
    }

    fn insert_token(&mut self, token: &TokenRecord, digest: &[u8; 32]) -> Result<(), Error> {
        self.execute(
            "INSERT INTO tokens (org, id, digest, integration, created, created_by, expires, last_used, ending, revoked)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            &[
                &self.org(),
                &uuid(token.id),
                &digest.as_slice(),
                &uuid(token.integration),
                &instant(token.created),
                &json(&token.created_by)?,
                &token.expires.map(instant),
                &token.last_used.map(instant),
                &token.ending,
                &token.revoked.map(instant),
            ],
        )?;
        Ok(())
    }

    fn expire_token(&mut self, id: TokenId, expires: Timestamp) -> Result<(), Error> {
        existing(self.execute(
            "UPDATE tokens SET expires = $3 WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id), &instant(expires)],
        )?)
    }

    fn revoke_token(&mut self, id: TokenId, at: Timestamp) -> Result<(), Error> {
        existing(self.execute(
            "UPDATE tokens SET revoked = coalesce(revoked, $3), expires = least(expires, $3) WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id), &instant(at)],
        )?)
    }

    fn forget_revoked_tokens(&mut self, before: Timestamp) -> Result<(), Error> {
        self.execute(
            "DELETE FROM tokens WHERE org = $1 AND revoked < $2",
            &[&self.org(), &instant(before)],
        )?;
        Ok(())
    }

    fn touch_token(&mut self, id: TokenId, at: Timestamp) -> Result<(), Error> {
        self.execute(
            "UPDATE tokens SET last_used = $3 WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id), &instant(at)],
        )?;
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
        self.execute_unique(
            "INSERT INTO administrators (org, id, email_key, document) VALUES ($1, $2, $3, $4)",
            &[
                &self.org(),
                &uuid(administrator.id),
                &administrator.email.key(),
                &json(administrator)?,
            ],
            "email",
        )?;
        Ok(())
    }

    fn save_password_hash(&mut self, id: AdminId, hash: &str) -> Result<(), Error> {
        self.remove_sign_in_link(id)?;
        existing(self.execute(
            "UPDATE administrators SET password_hash = $3 WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id), &hash],
        )?)
    }

    fn save_sign_in_link(&mut self, link: &SignInLink) -> Result<(), Error> {
        self.execute(
            "UPDATE administrators SET password_hash = NULL WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(link.administrator)],
        )?;
        self.execute(
            "INSERT INTO sign_in_links (org, administrator, digest, expires) VALUES ($1, $2, $3, $4)
             ON CONFLICT (org, administrator) DO UPDATE SET digest = excluded.digest, expires = excluded.expires",
            &[
                &self.org(),
                &uuid(link.administrator),
                &link.digest.as_slice(),
                &instant(link.expires),
            ],
        )?;
        Ok(())
    }

    fn remove_sign_in_link(&mut self, id: AdminId) -> Result<(), Error> {
        self.execute(
            "DELETE FROM sign_in_links WHERE org = $1 AND administrator = $2",
            &[&self.org(), &uuid(id)],
        )?;
        Ok(())
    }

    fn save_administrator(&mut self, administrator: &Administrator) -> Result<(), Error> {
        existing(self.execute_unique(
            "UPDATE administrators SET email_key = $3, document = $4 WHERE org = $1 AND id = $2",
            &[
                &self.org(),
                &uuid(administrator.id),
                &administrator.email.key(),
                &json(administrator)?,
            ],
            "email",
        )?)
    }

    fn remove_administrator(&mut self, id: AdminId) -> Result<(), Error> {
        self.remove_sign_in_link(id)?;
        existing(self.execute(
            "DELETE FROM administrators WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id)],
        )?)
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

fn link(row: &Row) -> Result<SignInLink, Error> {
    Ok(SignInLink {
        administrator: id_at(row, 0)?,
        digest: digest_at(row, 1)?,
        expires: from_instant(row.try_get(2)?),
    })
}

/// Finds an organisation, and the token with this digest in it.
pub(super) async fn bearer(
    glances: &Glances,
    slug: &Slug,
    digest: &[u8; 32],
) -> Result<Option<(Organisation, TokenRecord)>, Error> {
    let sql = "SELECT t.id, t.integration, t.created, t.created_by, t.expires, t.last_used, t.ending, t.revoked, o.document
         FROM organisations o JOIN tokens t ON t.org = o.id WHERE o.slug = $1 AND t.digest = $2";
    let (slug, digest) = (slug.as_str(), digest.as_slice());
    let Some(row) = glances.row(sql, &[&slug, &digest]).await? else {
        return Ok(None);
    };
    Ok(Some((from_json(row.try_get(8)?)?, token(&row)?)))
}

fn token(row: &Row) -> Result<TokenRecord, Error> {
    Ok(TokenRecord {
        id: id_at(row, 0)?,
        integration: id_at(row, 1)?,
        created: from_instant(row.try_get(2)?),
        created_by: from_json(row.try_get(3)?)?,
        expires: row.try_get::<_, Option<i64>>(4)?.map(from_instant),
        last_used: row.try_get::<_, Option<i64>>(5)?.map(from_instant),
        ending: row.try_get(6)?,
        revoked: row.try_get::<_, Option<i64>>(7)?.map(from_instant),
    })
}
