//! Applications and what provisioning remembers, in PostgreSQL.

use rollcall_model::application::{Application, Assignment};
use rollcall_model::link::Link;
use rollcall_model::plan::{KEPT, PlanRecord};
use rollcall_model::provisioning::{
    CYCLES_KEPT, CycleReport, JobState, LogEntry, LogStatus, Running,
};
use rollcall_model::{ApplicationId, Kind, OrgId, ResourceId};
use uuid::Uuid;

use super::convert::{
    behind, document, existing, from_instant, from_json, from_kind_code, from_number, id as id_at,
    instant, json, kind_code, may_be_there, number, uuid,
};
use super::glances::Glances;
use super::unit::{Tenant, owned};
use crate::{Error, ReadJobs, Scheduled, Standing, WriteJobs};

/// Reads the applications of an organisation, or of all, with their jobs.
pub(super) async fn schedule(
    glances: &Glances,
    organisation: Option<OrgId>,
) -> Result<Vec<Scheduled>, Error> {
    let sql = "SELECT a.org, a.document, a.job, o.last_change FROM applications a JOIN organisations o ON o.id = a.org
         WHERE $1::uuid IS NULL OR a.org = $1 ORDER BY a.org, a.id";
    let rows = glances.rows(sql, &[&organisation.map(uuid)]).await?;
    let scheduled = rows.iter().map(|row| {
        let job: Option<&str> = row.try_get(2)?;
        Ok(Scheduled {
            organisation: id_at(row, 0)?,
            application: from_json(row.try_get(1)?)?,
            job: job.map_or_else(|| Ok(JobState::default()), from_json)?,
            last_change: from_number(row.try_get(3)?),
        })
    });
    scheduled.collect()
}

impl ReadJobs for Tenant<'_> {
    fn applications(&self) -> Result<Vec<Application>, Error> {
        let rows = self.rows(
            "SELECT document FROM applications WHERE org = $1 ORDER BY id",
            &[&self.org()],
        )?;
        rows.iter().map(document).collect()
    }

    fn application(&self, id: ApplicationId) -> Result<Option<Application>, Error> {
        let found = self.row(
            "SELECT document FROM applications WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id)],
        )?;
        found.as_ref().map(document).transpose()
    }

    fn sealed_secret(&self, id: ApplicationId) -> Result<Option<Vec<u8>>, Error> {
        let found = self.row(
            "SELECT sealed_secret FROM applications WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id)],
        )?;
        Ok(found.ok_or(Error::Missing)?.try_get(0)?)
    }

    fn assignments(&self, id: ApplicationId) -> Result<Vec<Assignment>, Error> {
        let rows = self.rows(
            "SELECT kind, principal, since FROM assignments WHERE org = $1 AND application = $2 ORDER BY kind, principal",
            &[&self.org(), &uuid(id)],
        )?;
        let assignments = rows.iter().map(|row| {
            Ok(Assignment {
                kind: from_kind_code(row.try_get(0)?),
                principal: id_at(row, 1)?,
                since: from_instant(row.try_get(2)?),
            })
        });
        assignments.collect()
    }

    fn job(&self, id: ApplicationId) -> Result<JobState, Error> {
        let found = self.row(
            "SELECT job FROM applications WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id)],
        )?;
        let row = found.ok_or(Error::Missing)?;
        let job: Option<&str> = row.try_get(0)?;
        job.map_or_else(|| Ok(JobState::default()), from_json)
    }

    fn standing(&self, id: ApplicationId) -> Result<Standing, Error> {
        let found = self.row(
            "SELECT generation, runner FROM applications WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id)],
        )?;
        let found = found.ok_or(Error::Missing)?;
        Ok(Standing {
            generation: from_number(found.try_get(0)?),
            runner: from_number(found.try_get(1)?),
        })
    }

    fn link(
        &self,
        id: ApplicationId,
        kind: Kind,
        object: ResourceId,
    ) -> Result<Option<Link>, Error> {
        let found = self.row(
            "SELECT document FROM links WHERE org = $1 AND application = $2 AND kind = $3 AND object = $4",
            &[&self.org(), &uuid(id), &kind_code(kind), &uuid(object)],
        )?;
        found.as_ref().map(document).transpose()
    }

    fn links(
        &self,
        id: ApplicationId,
        kind: Kind,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<Link>, Error> {
        let rows = self.rows(
            "SELECT document FROM links WHERE org = $1 AND application = $2 AND kind = $3 AND object > $4
             ORDER BY object LIMIT $5",
            &[&self.org(), &uuid(id), &kind_code(kind), &behind(after), &number(count)],
        )?;
        rows.iter().map(document).collect()
    }

    fn links_needing_attention(
        &self,
        id: ApplicationId,
        kind: Kind,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<Link>, Error> {
        let rows = self.rows(
            "SELECT document FROM links WHERE org = $1 AND application = $2 AND kind = $3 AND object > $4 AND attention
             ORDER BY object LIMIT $5",
            &[&self.org(), &uuid(id), &kind_code(kind), &behind(after), &number(count)],
        )?;
        rows.iter().map(document).collect()
    }

    fn in_use(&self, id: ApplicationId) -> Result<u64, Error> {
        let found = self.row(
            "SELECT count(*) FROM links WHERE org = $1 AND application = $2 AND in_use",
            &[&self.org(), &uuid(id)],
        )?;
        Ok(from_number(found.ok_or(Error::Missing)?.try_get(0)?))
    }

    fn linked_to(
        &self,
        id: ApplicationId,
        kind: Kind,
        target_id: &str,
    ) -> Result<Option<ResourceId>, Error> {
        if !may_be_there(target_id) {
            return Ok(None);
        }
        let found = self.row(
            "SELECT object FROM links WHERE org = $1 AND application = $2 AND kind = $3 AND target_id = $4",
            &[&self.org(), &uuid(id), &kind_code(kind), &target_id],
        )?;
        found.map(|row| id_at(&row, 0)).transpose()
    }

    fn exported_members(
        &self,
        id: ApplicationId,
        group: ResourceId,
        after: Option<ResourceId>,
        count: u64,
    ) -> Result<Vec<ResourceId>, Error> {
        let rows = self.rows(
            "SELECT member_id FROM exported_members
             WHERE org = $1 AND application = $2 AND group_id = $3 AND member_id > $4 ORDER BY member_id LIMIT $5",
            &[&self.org(), &uuid(id), &uuid(group), &behind(after), &number(count)],
        )?;
        rows.iter().map(|row| id_at(row, 0)).collect()
    }

    fn exported_groups(
        &self,
        id: ApplicationId,
        member: ResourceId,
    ) -> Result<Vec<ResourceId>, Error> {
        let rows = self.rows(
            "SELECT group_id FROM exported_members
             WHERE org = $1 AND application = $2 AND member_id = $3 ORDER BY group_id",
            &[&self.org(), &uuid(id), &uuid(member)],
        )?;
        rows.iter().map(|row| id_at(row, 0)).collect()
    }

    fn provisioning_log(
        &self,
        id: ApplicationId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<(u64, LogEntry)>, Error> {
        self.log(
            "SELECT sequence, document FROM provisioning_log
             WHERE org = $1 AND application = $2 AND sequence < $3 ORDER BY sequence DESC LIMIT $4",
            (id, before, count),
        )
    }

    fn provisioning_failures(
        &self,
        id: ApplicationId,
        before: Option<u64>,
        count: u64,
    ) -> Result<Vec<(u64, LogEntry)>, Error> {
        self.log(
            "SELECT sequence, document FROM provisioning_log
             WHERE org = $1 AND application = $2 AND sequence < $3 AND failed ORDER BY sequence DESC LIMIT $4",
            (id, before, count),
        )
    }

    fn cycles(&self, id: ApplicationId, count: u64) -> Result<Vec<CycleReport>, Error> {
        let rows = self.rows(
            "SELECT document FROM cycles WHERE org = $1 AND application = $2 ORDER BY sequence DESC LIMIT $3",
            &[&self.org(), &uuid(id), &number(count)],
        )?;
        rows.iter().map(document).collect()
    }

    fn progress(&self, id: ApplicationId) -> Result<Option<Running>, Error> {
        let found = self.row(
            "SELECT progress FROM applications WHERE org = $1 AND id = $2 AND progress IS NOT NULL",
            &[&self.org(), &uuid(id)],
        )?;
        found.as_ref().map(document).transpose()
    }

    fn plans(&self, id: ApplicationId) -> Result<Vec<PlanRecord>, Error> {
        let rows = self.rows(
            "SELECT document, sequence FROM plans WHERE org = $1 AND application = $2 ORDER BY sequence DESC",
            &[&self.org(), &uuid(id)],
        )?;
        let plans = rows.iter().map(|row| {
            Ok(PlanRecord {
                number: from_number(row.try_get(1)?),
                ..document(row)?
            })
        });
        plans.collect()
    }

    fn plan(&self, id: ApplicationId, place: u64) -> Result<Option<Vec<u8>>, Error> {
        let found = self.row(
            "SELECT plan FROM plans WHERE org = $1 AND application = $2 AND sequence = $3",
            &[&self.org(), &uuid(id), &number(place)],
        )?;
        found.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    fn plan_page(
        &self,
        id: ApplicationId,
        place: u64,
        page: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let found = self.row(
            "SELECT body FROM plan_pages WHERE org = $1 AND application = $2 AND sequence = $3 AND page = $4",
            &[&self.org(), &uuid(id), &number(place), &number(page)],
        )?;
        found.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    fn object_log(
        &self,
        id: ApplicationId,
        kind: Kind,
        object: ResourceId,
        count: u64,
    ) -> Result<Vec<LogEntry>, Error> {
        let rows = self.rows(
            "SELECT document FROM provisioning_log
             WHERE org = $1 AND application = $2 AND kind = $3 AND object = $4 ORDER BY sequence DESC LIMIT $5",
            &[
                &self.org(),
                &uuid(id),
                &kind_code(kind),
                &object.to_string(),
                &number(count),
            ],
        )?;
        rows.iter().map(document).collect()
    }
}

impl WriteJobs for Tenant<'_> {
    fn save_application(&mut self, application: &Application) -> Result<(), Error> {
        self.execute(
            "INSERT INTO applications (org, id, document) VALUES ($1, $2, $3)
             ON CONFLICT (org, id) DO UPDATE SET document = excluded.document",
            &[&self.org(), &uuid(application.id), &json(application)?],
        )?;
        Ok(())
    }

    fn remove_application(&mut self, id: ApplicationId) -> Result<(), Error> {
        existing(self.execute(
            "DELETE FROM applications WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id)],
        )?)
    }

    fn save_sealed_secret(
        &mut self,
        id: ApplicationId,
        secret: Option<&[u8]>,
    ) -> Result<(), Error> {
        existing(self.execute(
            "UPDATE applications SET sealed_secret = $3 WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id), &secret],
        )?)
    }

    fn assign(&mut self, id: ApplicationId, assignment: &Assignment) -> Result<(), Error> {
        self.execute(
            "INSERT INTO assignments (org, application, kind, principal, since) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
            &[
                &self.org(),
                &uuid(id),
                &kind_code(assignment.kind),
                &uuid(assignment.principal),
                &instant(assignment.since),
            ],
        )?;
        Ok(())
    }

    fn unassign(
        &mut self,
        id: ApplicationId,
        kind: Kind,
        principal: ResourceId,
    ) -> Result<bool, Error> {
        let removed = self.execute(
            "DELETE FROM assignments WHERE org = $1 AND application = $2 AND kind = $3 AND principal = $4",
            &[&self.org(), &uuid(id), &kind_code(kind), &uuid(principal)],
        )?;
        Ok(removed == 1)
    }

    fn save_job(&mut self, id: ApplicationId, job: &JobState) -> Result<(), Error> {
        existing(self.execute(
            "UPDATE applications SET job = $3, generation = $4 WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id), &json(job)?, &number(job.generation)],
        )?)
    }

    fn save_link(&mut self, link: &Link) -> Result<(), Error> {
        self.execute_unique(
            "INSERT INTO links (org, application, kind, object, target_id, attention, in_use, document)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (org, application, kind, object) DO UPDATE SET target_id = excluded.target_id,
                 attention = excluded.attention, in_use = excluded.in_use, document = excluded.document",
            &[
                &self.org(),
                &uuid(link.application),
                &kind_code(link.kind),
                &uuid(link.object),
                &link.target_id,
                &link.needs_attention(),
                &link.is_in_use(),
                &json(link)?,
            ],
            "target id",
        )?;
        Ok(())
    }

    fn remove_link(
        &mut self,
        id: ApplicationId,
        kind: Kind,
        object: ResourceId,
    ) -> Result<(), Error> {
        self.execute(
            "DELETE FROM links WHERE org = $1 AND application = $2 AND kind = $3 AND object = $4",
            &[&self.org(), &uuid(id), &kind_code(kind), &uuid(object)],
        )?;
        Ok(())
    }

    fn add_exported_members(
        &mut self,
        id: ApplicationId,
        group: ResourceId,
        members: &[ResourceId],
    ) -> Result<(), Error> {
        let members: Vec<Uuid> = members.iter().map(|member| uuid(*member)).collect();
        self.execute(
            "INSERT INTO exported_members (org, application, group_id, member_id) SELECT $1, $2, $3, unnest($4::uuid[])
             ON CONFLICT DO NOTHING",
            &[&self.org(), &uuid(id), &uuid(group), &members],
        )?;
        Ok(())
    }

    fn remove_exported_members(
        &mut self,
        id: ApplicationId,
        group: ResourceId,
        members: &[ResourceId],
    ) -> Result<(), Error> {
        let members: Vec<Uuid> = members.iter().map(|member| uuid(*member)).collect();
        self.execute(
            "DELETE FROM exported_members WHERE org = $1 AND application = $2 AND group_id = $3 AND member_id = ANY ($4)",
            &[&self.org(), &uuid(id), &uuid(group), &members],
        )?;
        Ok(())
    }

    fn forget_links(&mut self, id: ApplicationId) -> Result<(), Error> {
        for statement in [
            "DELETE FROM links WHERE org = $1 AND application = $2",
            "DELETE FROM exported_members WHERE org = $1 AND application = $2",
        ] {
            self.execute(statement, &[&self.org(), &uuid(id)])?;
        }
        Ok(())
    }

    fn forget_exported_member(
        &mut self,
        id: ApplicationId,
        member: ResourceId,
    ) -> Result<(), Error> {
        self.execute(
            "DELETE FROM exported_members WHERE org = $1 AND application = $2 AND member_id = $3",
            &[&self.org(), &uuid(id), &uuid(member)],
        )?;
        Ok(())
    }

    fn clear_exported_members(
        &mut self,
        id: ApplicationId,
        group: ResourceId,
    ) -> Result<(), Error> {
        self.execute(
            "DELETE FROM exported_members WHERE org = $1 AND application = $2 AND group_id = $3",
            &[&self.org(), &uuid(id), &uuid(group)],
        )?;
        Ok(())
    }

    fn append_log(&mut self, entry: &LogEntry) -> Result<(), Error> {
        self.change_later(
            "WITH place AS (
                 UPDATE applications SET last_log = last_log + 1 WHERE org = $1 AND id = $2 RETURNING last_log
             )
             INSERT INTO provisioning_log (org, application, sequence, at, kind, object, failed, document)
             SELECT $1, $2, last_log, $3, $4, $5, $6, $7 FROM place",
            vec![
                owned(self.org()),
                owned(uuid(entry.application)),
                owned(instant(entry.at)),
                owned(kind_code(entry.source.kind)),
                owned(entry.source.id.clone()),
                owned(entry.status == LogStatus::Failure),
                owned(json(entry)?),
            ],
        )
    }

    fn append_cycle(&mut self, id: ApplicationId, report: &CycleReport) -> Result<(), Error> {
        let appended = self.row(
            "INSERT INTO cycles (org, application, sequence, document)
             SELECT $1, $2, coalesce(max(sequence), 0) + 1, $3 FROM cycles WHERE org = $1 AND application = $2
             RETURNING sequence",
            &[&self.org(), &uuid(id), &json(report)?],
        )?;
        let sequence: i64 = appended.ok_or(Error::Missing)?.try_get(0)?;
        self.execute(
            "DELETE FROM cycles WHERE org = $1 AND application = $2 AND sequence <= $3",
            &[
                &self.org(),
                &uuid(id),
                &sequence.saturating_sub(number(CYCLES_KEPT)),
            ],
        )?;
        Ok(())
    }

    fn save_progress(&mut self, id: ApplicationId, running: Option<&Running>) -> Result<(), Error> {
        self.execute(
            "UPDATE applications SET progress = $3 WHERE org = $1 AND id = $2",
            &[&self.org(), &uuid(id), &running.map(json).transpose()?],
        )?;
        Ok(())
    }

    fn add_plan(&mut self, id: ApplicationId, plan: &PlanRecord) -> Result<u64, Error> {
        let added = self.row(
            "WITH place AS (
                 UPDATE applications SET last_plan = last_plan + 1 WHERE org = $1 AND id = $2 RETURNING last_plan
             )
             INSERT INTO plans (org, application, sequence, at, document, plan)
             SELECT $1, $2, last_plan, $3, $4, '' FROM place RETURNING sequence",
            &[&self.org(), &uuid(id), &instant(plan.at), &json(plan)?],
        )?;
        let sequence: i64 = added.ok_or(Error::Missing)?.try_get(0)?;
        self.execute(
            "DELETE FROM plans WHERE org = $1 AND application = $2 AND sequence <= $3",
            &[
                &self.org(),
                &uuid(id),
                &sequence.saturating_sub(number(KEPT)),
            ],
        )?;
        Ok(from_number(sequence))
    }

    fn save_plan(
        &mut self,
        id: ApplicationId,
        plan: &PlanRecord,
        bytes: Option<&[u8]>,
    ) -> Result<(), Error> {
        existing(self.execute(
            "UPDATE plans SET document = $4, plan = coalesce($5, plan) WHERE org = $1 AND application = $2 AND sequence = $3",
            &[&self.org(), &uuid(id), &number(plan.number), &json(plan)?, &bytes],
        )?)
    }

    fn save_plan_page(
        &mut self,
        id: ApplicationId,
        place: u64,
        page: u64,
        body: &[u8],
    ) -> Result<(), Error> {
        self.execute(
            "INSERT INTO plan_pages (org, application, sequence, page, body) VALUES ($1, $2, $3, $4, $5)",
            &[&self.org(), &uuid(id), &number(place), &number(page), &body],
        )?;
        Ok(())
    }
}

impl Tenant<'_> {
    /// Returns the entries of the log that a statement selects, latest first.
    fn log(
        &self,
        sql: &str,
        (id, before, count): (ApplicationId, Option<u64>, u64),
    ) -> Result<Vec<(u64, LogEntry)>, Error> {
        let before = before.map_or(i64::MAX, number);
        let rows = self.rows(sql, &[&self.org(), &uuid(id), &before, &number(count)])?;
        rows.iter()
            .map(|row| Ok((from_number(row.try_get(0)?), from_json(row.try_get(1)?)?)))
            .collect()
    }
}
