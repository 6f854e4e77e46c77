//! Erases a person in SQLite.

use rollcall_model::chain::Hash;
use rollcall_model::{ApplicationId, ResourceId};
use rusqlite::params;

use super::convert::{blob, number};
use super::ledger::{CHAIN, found};
use super::unit::Tenant;
use crate::books::ERASED;
use crate::{Erased, Error, WriteErasure};

/// What goes as it is, by the person's id.
const WHOLE: &[&str] = &[
    "DELETE FROM tombstones WHERE org = ?1 AND kind = 0 AND id = ?2",
    "DELETE FROM emails WHERE org = ?1 AND id = ?2",
    "DELETE FROM activations WHERE org = ?1 AND person = ?2",
    "DELETE FROM assignments WHERE org = ?1 AND kind = 0 AND principal = ?2",
    "DELETE FROM links WHERE org = ?1 AND kind = 0 AND object = ?2",
    "DELETE FROM exported_members WHERE org = ?1 AND member_id = ?2",
];

impl WriteErasure for Tenant<'_> {
    fn erase_person(&mut self, person: ResourceId) -> Result<Erased, Error> {
        for sql in WHOLE {
            self.connection
                .execute(sql, params![self.org(), blob(person)])?;
        }
        self.connection.execute(
            "DELETE FROM provisioning_log WHERE org = ?1 AND kind = 0 AND object = ?2",
            params![self.org(), person.to_string()],
        )?;
        let changes = self.connection.execute(
            "UPDATE changes SET document = NULL WHERE org = ?1 AND kind = 0 AND id = ?2 AND document IS NOT NULL",
            params![self.org(), blob(person)],
        )?;
        let mut statement = self.connection.prepare(&format!(
            "{CHAIN} WHERE org = ?1 AND object = ?2 AND salt IS NOT NULL"
        ))?;
        let rows = statement.query_map(params![self.org(), person.to_string()], found)?;
        let entries: Vec<_> = rows.collect::<Result<_, _>>()?;
        for entry in &entries {
            let (origin, digest) = entry.without_erasable();
            self.connection
                .prepare_cached(
                    "UPDATE audit SET detail = ?3, origin = ?4, digest = ?5, salt = NULL WHERE org = ?1 AND sequence = ?2",
                )?
                .execute(params![
                    self.org(),
                    entry.sequence,
                    ERASED,
                    origin,
                    *digest.unwrap_or(Hash::NONE).as_bytes(),
                ])?;
        }
        Ok(Erased {
            changes: changes as u64,
            entries: entries.len() as u64,
        })
    }

    fn remove_exchanges(&mut self, sequences: &[u64]) -> Result<(), Error> {
        for sequence in sequences {
            self.connection
                .prepare_cached("DELETE FROM exchanges WHERE org = ?1 AND sequence = ?2")?
                .execute(params![self.org(), number(*sequence)])?;
        }
        Ok(())
    }

    fn remove_log(&mut self, id: ApplicationId, sequences: &[u64]) -> Result<(), Error> {
        for sequence in sequences {
            self.connection
                .prepare_cached(
                    "DELETE FROM provisioning_log WHERE org = ?1 AND application = ?2 AND sequence = ?3",
                )?
                .execute(params![self.org(), blob(id), number(*sequence)])?;
        }
        Ok(())
    }

    fn remove_plan(&mut self, id: ApplicationId, sequence: u64) -> Result<(), Error> {
        self.connection.execute(
            "DELETE FROM plans WHERE org = ?1 AND application = ?2 AND sequence = ?3",
            params![self.org(), blob(id), number(sequence)],
        )?;
        Ok(())
    }

    fn forget_cycles(&mut self, id: ApplicationId) -> Result<(), Error> {
        self.connection.execute(
            "DELETE FROM cycles WHERE org = ?1 AND application = ?2",
            params![self.org(), blob(id)],
        )?;
        Ok(())
    }
}
