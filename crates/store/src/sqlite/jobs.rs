//! Applications and what provisioning remembers, in SQLite.

use rollcall_model::application::{Application, Assignment};
use rollcall_model::link::Link;
use rollcall_model::plan::{KEPT, PlanRecord};
use rollcall_model::provisioning::{CYCLES_KEPT, CycleReport, JobState, LogEntry, Running};
use rollcall_model::{ApplicationId, Kind, OrgId, ResourceId};
use rusqlite::{Connection, OptionalExtension, params};

use super::convert::{
    blob, existing, from_instant, from_json, from_kind_code, from_number, id as id_at, instant,
    json, kind_code, number, taken,
};
use super::unit::Tenant;
use crate::{Error, ReadJobs, Scheduled, Standing, WriteJobs};

/// Reads the applications of an organisation, or of all, with their jobs.
pub(super) fn schedule(
    connection: &Connection,
    organisation: Option<OrgId>,
) -> Result<Vec<Scheduled>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT a.org, a.document, a.job, o.last_change FROM applications a JOIN organisations o ON o.id = a.org
         WHERE ?1 IS NULL OR a.org = ?1 ORDER BY a.org, a.id",
    )?;
    let mut rows = statement.query([organisation.map(blob)])?;
    let mut scheduled = Vec::new();
    while let Some(row) = rows.next()? {
        let job: Option<String> = row.get(2)?;
        scheduled.push(Scheduled {
            organisation: id_at(row, 0)?,
            application: from_json(&row.get::<_, String>(1)?)?,
            job: job.map_or_else(|| Ok(JobState::default()), |job| from_json(&job))?,
            last_change: from_number(row.get(3)?),
        });
    }
    Ok(scheduled)
}

impl ReadJobs for Tenant<'_> {
    fn applications(&self) -> Result<Vec<Application>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT document FROM applications WHERE org = ?1 ORDER BY id")?;
        let rows = statement.query_map([self.org()], |row| row.get::<_, String>(0))?;
        rows.map(|row| from_json(&row?)).collect()
    }

    fn application(&self, id: ApplicationId) -> Result<Option<Application>, Error> {
        self.connection
            .prepare_cached("SELECT document FROM applications WHERE org = ?1 AND id = ?2")?
            .query_row(params![self.org(), blob(id)], |row| row.get::<_, String>(0))
            .optional()?
            .map(|document| from_json(&document))
            .transpose()
    }

    fn sealed_secret(&self, id: ApplicationId) -> Result<Option<Vec<u8>>, Error> {
        let secret = self
            .connection
            .prepare_cached("SELECT sealed_secret FROM applications WHERE org = ?1 AND id = ?2")?
            .query_row(params![self.org(), blob(id)], |row| row.get(0))
            .optional()?;
        secret.ok_or(Error::Missing)
    }

    fn assignments(&self, id: ApplicationId) -> Result<Vec<Assignment>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT kind, principal, since FROM assignments WHERE org = ?1 AND application = ?2 ORDER BY kind, principal",
        )?;
        let rows = statement.query_map(params![self.org(), blob(id)], |row| {
            Ok(Assignment {
                kind: from_kind_code(row.get(0)?),
                principal: id_at(row, 1)?,
                since: from_instant(row.get(2)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn job(&self, id: ApplicationId) -> Result<JobState, Error> {
        let job: Option<String> = self
            .connection
            .prepare_cached("SELECT job FROM applications WHERE org = ?1 AND id = ?2")?
            .query_row(params![self.org(), blob(id)], |row| row.get(0))
            .optional()?
            .ok_or(Error::Missing)?;
        job.map(|job| from_json(&job))
            .transpose()
            .map(Option::unwrap_or_default)
    }

    fn standing(&self, id: ApplicationId) -> Result<Standing, Error> {
        self.connection
            .prepare_cached(
                "SELECT generation, runner FROM applications WHERE org = ?1 AND id = ?2",
            )?
            .query_row(params![self.org(), blob(id)], |row| {
                Ok(Standing {
                    generation: row.get::<_, i64>(0)?.unsigned_abs(),
                    runner: row.get::<_, i64>(1)?.unsigned_abs(),
                })
            })
            .optional()?
            .ok_or(Error::Missing)
    }

    fn link(
        &self,
        id: ApplicationId,
        kind: Kind,
        object: ResourceId,
    ) -> Result<Option<Link>, Error> {
        self.connection
            .prepare_cached(
                "SELECT document FROM links WHERE org = ?1 AND application = ?2 AND kind = ?3 AND object = ?4",
            )?
            .query_row(params![self.org(), blob(id), kind_code(kind), blob(object)], |row| row.get::<_, String>(0))
            .optional()?
            .map(|document| from_json(&document))
            .transpose()
    }

    fn links(
        &self,
        id: ApplicationId,
        kind: Kind,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<Link>, Error> {
        self.links_where(
            "SELECT document FROM links WHERE org = ?1 AND application = ?2 AND kind = ?3 AND object > ?4
             ORDER BY object LIMIT ?5",
            (id, kind, after, count),
        )
    }

    fn links_needing_attention(
        &self,
        id: ApplicationId,
        kind: Kind,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<Link>, Error> {
        self.links_where(
            // left to itself SQLite walks the primary key, which has the same order and everybody in it
            "SELECT document FROM links INDEXED BY links_by_attention
             WHERE org = ?1 AND application = ?2 AND kind = ?3 AND object > ?4 AND attention ORDER BY object LIMIT ?5",
            (id, kind, after, count),
        )
    }

    fn in_use(&self, id: ApplicationId) -> Result<u64, Error> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT count(*) FROM links INDEXED BY links_in_use WHERE org = ?1 AND application = ?2 AND in_use",
            )?
            .query_row(params![self.org(), blob(id)], |row| row.get::<_, i64>(0))?
            .unsigned_abs())
    }

    fn linked_to(
        &self,
        id: ApplicationId,
        kind: Kind,
        target_id: &str,
    ) -> Result<Option<ResourceId>, Error> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT object FROM links WHERE org = ?1 AND application = ?2 AND kind = ?3 AND target_id = ?4",
            )?
            .query_row(params![self.org(), blob(id), kind_code(kind), target_id], |row| id_at(row, 0))
            .optional()?)
    }

    fn exported_members(
        &self,
        id: ApplicationId,
        group: ResourceId,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<ResourceId>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT member_id FROM exported_members
             WHERE org = ?1 AND application = ?2 AND group_id = ?3 AND member_id > ?4 ORDER BY member_id LIMIT ?5",
        )?;
        let after = after.map_or_else(Vec::new, |id| blob(id).to_vec());
        let parameters = params![self.org(), blob(id), blob(group), after, number(count)];
        let rows = statement.query_map(parameters, |row| id_at(row, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn exported_groups(
        &self,
        id: ApplicationId,
        member: ResourceId,
    ) -> Result<Vec<ResourceId>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT group_id FROM exported_members
             WHERE org = ?1 AND application = ?2 AND member_id = ?3 ORDER BY group_id",
        )?;
        let rows = statement.query_map(params![self.org(), blob(id), blob(member)], |row| {
            id_at(row, 0)
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn provisioning_log(
        &self,
        id: ApplicationId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<(u64, LogEntry)>, Error> {
        self.log_where(("", "true"), id, before, count)
    }

    fn provisioning_failures(
        &self,
        id: ApplicationId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<(u64, LogEntry)>, Error> {
        let index = "INDEXED BY provisioning_log_failures";
        let failed = "document ->> '$.status' = 'failure'";
        self.log_where((index, failed), id, before, count)
    }

    fn cycles(&self, id: ApplicationId, count: u64) -> Result<Vec<CycleReport>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT document FROM cycles WHERE org = ?1 AND application = ?2 ORDER BY sequence DESC LIMIT ?3",
        )?;
        let rows = statement.query_map(params![self.org(), blob(id), number(count)], |row| {
            row.get::<_, String>(0)
        })?;
        rows.map(|document| from_json(&document?)).collect()
    }

    fn progress(&self, id: ApplicationId) -> Result<Option<Running>, Error> {
        let progress: Option<Option<String>> = self
            .connection
            .prepare_cached("SELECT progress FROM applications WHERE org = ?1 AND id = ?2")?
            .query_row(params![self.org(), blob(id)], |row| row.get(0))
            .optional()?;
        progress.flatten().map(|text| from_json(&text)).transpose()
    }

    fn plans(&self, id: ApplicationId) -> Result<Vec<PlanRecord>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, document FROM plans WHERE org = ?1 AND application = ?2 ORDER BY sequence DESC",
        )?;
        let rows = statement.query_map(params![self.org(), blob(id)], |row| {
            Ok((from_number(row.get(0)?), row.get::<_, String>(1)?))
        })?;
        rows.map(|row| {
            let (number, document) = row?;
            let record = from_json::<PlanRecord>(&document)?;
            Ok(PlanRecord { number, ..record })
        })
        .collect()
    }

    fn plan(&self, id: ApplicationId, place: u64) -> Result<Option<Vec<u8>>, Error> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT plan FROM plans WHERE org = ?1 AND application = ?2 AND sequence = ?3",
            )?
            .query_row(params![self.org(), blob(id), number(place)], |row| {
                row.get(0)
            })
            .optional()?)
    }

    fn plan_page(
        &self,
        id: ApplicationId,
        place: u64,
        page: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT body FROM plan_pages WHERE org = ?1 AND application = ?2 AND sequence = ?3 AND page = ?4",
            )?
            .query_row(
                params![self.org(), blob(id), number(place), number(page)],
                |row| row.get(0),
            )
            .optional()?)
    }

    fn object_log(
        &self,
        id: ApplicationId,
        kind: Kind,
        object: ResourceId,
        count: u64,
    ) -> Result<Vec<LogEntry>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT document FROM provisioning_log
             WHERE org = ?1 AND application = ?2 AND kind = ?3 AND object = ?4 ORDER BY sequence DESC LIMIT ?5",
        )?;
        let rows = statement.query_map(
            params![
                self.org(),
                blob(id),
                kind_code(kind),
                object.to_string(),
                number(count)
            ],
            |row| row.get::<_, String>(0),
        )?;
        rows.map(|row| from_json(&row?)).collect()
    }
}

impl WriteJobs for Tenant<'_> {
    fn save_application(&mut self, application: &Application) -> Result<(), Error> {
        self.connection.execute(
            "INSERT INTO applications (org, id, document) VALUES (?1, ?2, ?3)
             ON CONFLICT (org, id) DO UPDATE SET document = excluded.document",
            params![self.org(), blob(application.id), json(application)?],
        )?;
        Ok(())
    }

    fn remove_application(&mut self, id: ApplicationId) -> Result<(), Error> {
        existing(self.connection.execute(
            "DELETE FROM applications WHERE org = ?1 AND id = ?2",
            params![self.org(), blob(id)],
        )?)
    }

    fn save_sealed_secret(
        &mut self,
        id: ApplicationId,
        secret: Option<&[u8]>,
    ) -> Result<(), Error> {
        existing(self.connection.execute(
            "UPDATE applications SET sealed_secret = ?3 WHERE org = ?1 AND id = ?2",
            params![self.org(), blob(id), secret],
        )?)
    }

    fn assign(&mut self, id: ApplicationId, assignment: &Assignment) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO assignments (org, application, kind, principal, since) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                self.org(),
                blob(id),
                kind_code(assignment.kind),
                blob(assignment.principal),
                instant(assignment.since),
            ])?;
        Ok(())
    }

    fn unassign(
        &mut self,
        id: ApplicationId,
        kind: Kind,
        principal: ResourceId,
    ) -> Result<bool, Error> {
        let removed = self.connection.execute(
            "DELETE FROM assignments WHERE org = ?1 AND application = ?2 AND kind = ?3 AND principal = ?4",
            params![self.org(), blob(id), kind_code(kind), blob(principal)],
        )?;
        Ok(removed == 1)
    }

    fn save_job(&mut self, id: ApplicationId, job: &JobState) -> Result<(), Error> {
        existing(
            self.connection
                .prepare_cached(
                    "UPDATE applications SET job = ?3, generation = ?4 WHERE org = ?1 AND id = ?2",
                )?
                .execute(params![
                    self.org(),
                    blob(id),
                    json(job)?,
                    number(job.generation)
                ])?,
        )
    }

    fn save_link(&mut self, link: &Link) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO links (org, application, kind, object, target_id, attention, in_use, document)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (org, application, kind, object) DO UPDATE SET target_id = excluded.target_id,
                     attention = excluded.attention, in_use = excluded.in_use, document = excluded.document",
            )?
            .execute(params![
                self.org(),
                blob(link.application),
                kind_code(link.kind),
                blob(link.object),
                link.target_id,
                link.needs_attention(),
                link.is_in_use(),
                json(link)?,
            ])
            .map_err(|error| taken(error, "target id"))?;
        Ok(())
    }

    fn remove_link(
        &mut self,
        id: ApplicationId,
        kind: Kind,
        object: ResourceId,
    ) -> Result<(), Error> {
        self.connection
            .prepare_cached("DELETE FROM links WHERE org = ?1 AND application = ?2 AND kind = ?3 AND object = ?4")?
            .execute(params![self.org(), blob(id), kind_code(kind), blob(object)])?;
        Ok(())
    }

    fn add_exported_members(
        &mut self,
        id: ApplicationId,
        group: ResourceId,
        members: &[ResourceId],
    ) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO exported_members (org, application, group_id, member_id) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
        )?;
        for member in members {
            statement.execute(params![self.org(), blob(id), blob(group), blob(*member)])?;
        }
        Ok(())
    }

    fn remove_exported_members(
        &mut self,
        id: ApplicationId,
        group: ResourceId,
        members: &[ResourceId],
    ) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "DELETE FROM exported_members WHERE org = ?1 AND application = ?2 AND group_id = ?3 AND member_id = ?4",
        )?;
        for member in members {
            statement.execute(params![self.org(), blob(id), blob(group), blob(*member)])?;
        }
        Ok(())
    }

    fn forget_links(&mut self, id: ApplicationId) -> Result<(), Error> {
        for statement in [
            "DELETE FROM links WHERE org = ?1 AND application = ?2",
            "DELETE FROM exported_members WHERE org = ?1 AND application = ?2",
        ] {
            self.connection
                .prepare_cached(statement)?
                .execute(params![self.org(), blob(id)])?;
        }
        Ok(())
    }

    fn forget_exported_member(
        &mut self,
        id: ApplicationId,
        member: ResourceId,
    ) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "DELETE FROM exported_members WHERE org = ?1 AND application = ?2 AND member_id = ?3",
            )?
            .execute(params![self.org(), blob(id), blob(member)])?;
        Ok(())
    }

    fn clear_exported_members(
        &mut self,
        id: ApplicationId,
        group: ResourceId,
    ) -> Result<(), Error> {
        self.connection
            .prepare_cached("DELETE FROM exported_members WHERE org = ?1 AND application = ?2 AND group_id = ?3")?
            .execute(params![self.org(), blob(id), blob(group)])?;
        Ok(())
    }

    fn append_log(&mut self, entry: &LogEntry) -> Result<(), Error> {
        let id = blob(entry.application);
        let sequence: i64 = self
            .connection
            .prepare_cached(
                "UPDATE applications SET last_log = last_log + 1 WHERE org = ?1 AND id = ?2 RETURNING last_log",
            )?
            .query_row(params![self.org(), id], |row| row.get(0))
            .optional()?
            .ok_or(Error::Missing)?;
        self.connection
            .prepare_cached(
                "INSERT INTO provisioning_log (org, application, sequence, at, kind, object, document)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                self.org(),
                id,
                sequence,
                instant(entry.at),
                kind_code(entry.source.kind),
                entry.source.id,
                json(entry)?
            ])?;
        Ok(())
    }

    fn append_cycle(&mut self, id: ApplicationId, report: &CycleReport) -> Result<(), Error> {
        let sequence: i64 = self
            .connection
            .prepare_cached(
                "INSERT INTO cycles (org, application, sequence, document)
                 SELECT ?1, ?2, coalesce(max(sequence), 0) + 1, ?3 FROM cycles WHERE org = ?1 AND application = ?2
                 RETURNING sequence",
            )?
            .query_row(params![self.org(), blob(id), json(report)?], |row| {
                row.get(0)
            })?;
        self.connection
            .prepare_cached(
                "DELETE FROM cycles WHERE org = ?1 AND application = ?2 AND sequence <= ?3",
            )?
            .execute(params![
                self.org(),
                blob(id),
                sequence.saturating_sub(number(CYCLES_KEPT))
            ])?;
        Ok(())
    }

    fn save_progress(&mut self, id: ApplicationId, running: Option<&Running>) -> Result<(), Error> {
        self.connection
            .prepare_cached("UPDATE applications SET progress = ?3 WHERE org = ?1 AND id = ?2")?
            .execute(params![
                self.org(),
                blob(id),
                running.map(json).transpose()?
            ])?;
        Ok(())
    }

    fn add_plan(&mut self, id: ApplicationId, plan: &PlanRecord) -> Result<u64, Error> {
        let sequence: i64 = self
            .connection
            .query_row(
                "UPDATE applications SET last_plan = last_plan + 1 WHERE org = ?1 AND id = ?2 RETURNING last_plan",
                params![self.org(), blob(id)],
                |row| row.get(0),
            )
            .optional()?
            .ok_or(Error::Missing)?;
        self.connection.execute(
            "INSERT INTO plans (org, application, sequence, at, document, plan) VALUES (?1, ?2, ?3, ?4, ?5, x'')",
            params![self.org(), blob(id), sequence, instant(plan.at), json(plan)?],
        )?;
        self.connection.execute(
            "DELETE FROM plans WHERE org = ?1 AND application = ?2 AND sequence <= ?3",
            params![self.org(), blob(id), sequence.saturating_sub(number(KEPT))],
        )?;
        Ok(from_number(sequence))
    }

    fn save_plan(
        &mut self,
        id: ApplicationId,
        plan: &PlanRecord,
        bytes: Option<&[u8]>,
    ) -> Result<(), Error> {
        let changed = self.connection.execute(
            "UPDATE plans SET document = ?4, plan = coalesce(?5, plan) WHERE org = ?1 AND application = ?2 AND sequence = ?3",
            params![self.org(), blob(id), number(plan.number), json(plan)?, bytes],
        )?;
        existing(changed)
    }

    fn save_plan_page(
        &mut self,
        id: ApplicationId,
        place: u64,
        page: u64,
        body: &[u8],
    ) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO plan_pages (org, application, sequence, page, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                self.org(),
                blob(id),
                number(place),
                number(page),
                body
            ])?;
        Ok(())
    }
}

impl Tenant<'_> {
    /// Returns the entries of the log for which `condition` holds, latest first.
    fn log_where(
        &self,
        (index, condition): (&str, &str),
        id: ApplicationId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<(u64, LogEntry)>, Error> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT sequence, document FROM provisioning_log {index}
             WHERE org = ?1 AND application = ?2 AND sequence < ?3 AND {condition} ORDER BY sequence DESC LIMIT ?4"
        ))?;
        let before = before.map_or(i64::MAX, number);
        let rows = statement.query_map(
            params![self.org(), blob(id), before, number(count)],
            |row| Ok((from_number(row.get(0)?), row.get::<_, String>(1)?)),
        )?;
        rows.map(|row| {
            let (sequence, document) = row?;
            Ok((sequence, from_json(&document)?))
        })
        .collect()
    }

    fn links_where(
        &self,
        sql: &str,
        (id, kind, after, count): (ApplicationId, Kind, Option<ResourceId>, u64),
    ) -> Result<Vec<Link>, Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let after = after.map_or_else(Vec::new, |id| blob(id).to_vec());
        let parameters = params![self.org(), blob(id), kind_code(kind), after, number(count)];
        let rows = statement.query_map(parameters, |row| row.get::<_, String>(0))?;
        rows.map(|row| from_json(&row?)).collect()
    }
}
