//! Erases a person in PostgreSQL.

use rollcall_model::chain::Hash;
use rollcall_model::{ApplicationId, ResourceId};

use super::convert::{number, uuid};
use super::ledger::{CHAIN, found};
use super::unit::{Tenant, owned};
use crate::books::ERASED;
use crate::{Erased, Error, WriteErasure};

/// What goes as it is, by the person's id.
const WHOLE: &[&str] = &[
    "DELETE FROM tombstones WHERE org = $1 AND kind = 0 AND id = $2",
    "DELETE FROM emails WHERE org = $1 AND id = $2",
    "DELETE FROM activations WHERE org = $1 AND person = $2",
    "DELETE FROM assignments WHERE org = $1 AND kind = 0 AND principal = $2",
    "DELETE FROM links WHERE org = $1 AND kind = 0 AND object = $2",
    "DELETE FROM exported_members WHERE org = $1 AND member_id = $2",
];

impl WriteErasure for Tenant<'_> {
    fn erase_person(&mut self, person: ResourceId) -> Result<Erased, Error> {
        let (org, id, text) = (self.org(), uuid(person), person.to_string());
        for sql in WHOLE {
            self.execute(sql, &[&org, &id])?;
        }
        self.execute(
            "DELETE FROM provisioning_log WHERE org = $1 AND kind = 0 AND object = $2",
            &[&org, &text],
        )?;
        let changes = self.execute(
            "UPDATE changes SET document = NULL WHERE org = $1 AND kind = 0 AND id = $2 AND document IS NOT NULL",
            &[&org, &id],
        )?;
        let rows = self.rows(
            &format!("{CHAIN} WHERE org = $1 AND object = $2 AND salt IS NOT NULL"),
            &[&org, &text],
        )?;
        let entries: Vec<_> = rows.iter().map(found).collect::<Result<_, _>>()?;
        // the fence around the log lets through who says so
        self.say_later("SET LOCAL rollcall.erasing = 'on'".to_owned());
        for entry in &entries {
            let (origin, digest) = entry.without_erasable();
            let digest = digest.unwrap_or(Hash::NONE);
            self.change_later(
                "UPDATE audit SET detail = $3, origin = $4, digest = $5, salt = NULL WHERE org = $1 AND sequence = $2",
                vec![
                    owned(org),
                    owned(entry.sequence),
                    owned(ERASED),
                    owned(origin),
                    owned(digest.as_bytes().to_vec()),
                ],
            )?;
        }
        self.say_later("SET LOCAL rollcall.erasing = ''".to_owned());
        Ok(Erased {
            changes,
            entries: entries.len() as u64,
        })
    }

    fn remove_exchanges(&mut self, sequences: &[u64]) -> Result<(), Error> {
        let sequences: Vec<i64> = sequences.iter().copied().map(number).collect();
        self.execute(
            "DELETE FROM exchanges WHERE org = $1 AND sequence = ANY($2)",
            &[&self.org(), &sequences],
        )?;
        Ok(())
    }

    fn remove_log(&mut self, id: ApplicationId, sequences: &[u64]) -> Result<(), Error> {
        let sequences: Vec<i64> = sequences.iter().copied().map(number).collect();
        self.execute(
            "DELETE FROM provisioning_log WHERE org = $1 AND application = $2 AND sequence = ANY($3)",
            &[&self.org(), &uuid(id), &sequences],
        )?;
        Ok(())
    }

    fn remove_plan(&mut self, id: ApplicationId, sequence: u64) -> Result<(), Error> {
        self.execute(
            "DELETE FROM plans WHERE org = $1 AND application = $2 AND sequence = $3",
            &[&self.org(), &uuid(id), &number(sequence)],
        )?;
        Ok(())
    }

    fn forget_cycles(&mut self, id: ApplicationId) -> Result<(), Error> {
        self.execute(
            "DELETE FROM cycles WHERE org = $1 AND application = $2",
            &[&self.org(), &uuid(id)],
        )?;
        Ok(())
    }
}
