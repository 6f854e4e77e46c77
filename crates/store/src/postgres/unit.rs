//! A unit of work: a transaction, bound to one organisation.
//!
//! Units are plain functions, the client is asynchronous: a unit runs on a thread where waiting is allowed, and waits there for each
//! answer.

use std::cell::Cell;
use std::time::Instant;

use deadpool_postgres::Transaction;
use rollcall_model::{IntegrationId, Kind, OrgId, Organisation};
use tokio::runtime::Handle;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::convert::{document, existing, from_kind_code, from_number, is_taken, json, uuid};
use crate::{Counts, Error, Reader, Writer};

/// Parameters of a statement.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// One organisation's rows, as one transaction sees them. The storage traits are implemented for it by subject, each in a file
/// of its own.
pub(super) struct Tenant<'c> {
    pub(super) transaction: &'c Transaction<'c>,
    runtime: &'c Handle,
    pub(super) organisation: OrgId,
    /// When a unit that looks through many objects has to give up; absent: never, as for units that write.
    deadline: Option<Instant>,
    /// Whether a statement failed: PostgreSQL then refuses everything up to the end of the unit.
    failed: Cell<bool>,
}

impl<'c> Tenant<'c> {
    pub(super) fn new(
        transaction: &'c Transaction<'c>,
        runtime: &'c Handle,
        organisation: OrgId,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            transaction,
            runtime,
            organisation,
            deadline,
            failed: Cell::new(false),
        }
    }

    /// The first parameter of every statement.
    pub(super) fn org(&self) -> Uuid {
        uuid(self.organisation)
    }

    /// Makes sure that there is time left to look at one more object.
    pub(super) fn in_time(&self) -> Result<(), Error> {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Error::TooLong),
            _ => Ok(()),
        }
    }

    /// Tells whether a statement failed, so that nothing of the unit can be kept.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.get()
    }

    /// Waits for the database.
    pub(super) fn wait<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        self.runtime.block_on(answer).map_err(|error| {
            self.failed.set(true);
            error.into()
        })
    }

    /// Returns the rows that a statement answers.
    pub(super) fn rows(&self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
        self.wait(async {
            let statement = self.transaction.prepare_cached(sql).await?;
            self.transaction.query(&statement, parameters).await
        })
    }

    /// Returns the row that a statement answers, if there is one.
    pub(super) fn row(&self, sql: &str, parameters: Parameters<'_>) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, parameters)?.into_iter().next())
    }

    /// Returns how many rows a statement changed.
    pub(super) fn execute(&self, sql: &str, parameters: Parameters<'_>) -> Result<u64, Error> {
        self.wait(async {
            let statement = self.transaction.prepare_cached(sql).await?;
            self.transaction.execute(&statement, parameters).await
        })
    }

    /// Returns how many rows a statement changed that a unique index may refuse. After a refusal the unit goes on as if the statement
    /// had not been: it runs in a savepoint, whose two ends travel with it.
    ///
    /// # Errors
    /// [`Error::Taken`] when the index refuses it.
    pub(super) fn execute_unique(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
        attribute: &'static str,
    ) -> Result<u64, Error> {
        let changed = self.runtime.block_on(async {
            let statement = self.transaction.prepare_cached(sql).await?;
            let (begun, changed, ended) = tokio::join!(
                self.transaction.batch_execute("SAVEPOINT statement"),
                self.transaction.execute(&statement, parameters),
                self.transaction.batch_execute("RELEASE statement"),
            );
            begun?;
            match changed {
                Err(error) if is_taken(&error) => {
                    let back = "ROLLBACK TO statement; RELEASE statement";
                    self.transaction.batch_execute(back).await.map(|()| None)
                }
                changed => ended.and(changed.map(Some)),
            }
        });
        match changed {
            Ok(Some(changed)) => Ok(changed),
            Ok(None) => Err(Error::Taken { attribute }),
            Err(error) => {
                self.failed.set(true);
                Err(error.into())
            }
        }
    }

    /// Counts one of the organisation's counters up by `many` and returns its new value.
    pub(super) fn count_up(&self, counter: Counter, many: i64) -> Result<i64, Error> {
        let sql = match counter {
            Counter::Exchange => {
                "UPDATE organisations SET last_exchange = last_exchange + $2 WHERE id = $1 RETURNING last_exchange"
            }
            Counter::Mail => {
                "UPDATE organisations SET last_mail = last_mail + $2 WHERE id = $1 RETURNING last_mail"
            }
        };
        let row = self.row(sql, &[&self.org(), &many])?;
        Ok(row.ok_or(Error::Missing)?.try_get(0)?)
    }

    /// Keeps the counts that seats and totals are read from.
    pub(super) fn count(&self, kind: Kind, objects: i64, active: i64) -> Result<(), Error> {
        match kind {
            _ if objects == 0 && active == 0 => Ok(0),
            Kind::User => self.execute(
                "UPDATE organisations SET users = users + $2, active_users = active_users + $3 WHERE id = $1",
                &[&self.org(), &objects, &active],
            ),
            Kind::Group => self.execute(
                "UPDATE organisations SET groups = groups + $2 WHERE id = $1",
                &[&self.org(), &objects],
            ),
        }
        .map(drop)
    }
}

/// The counters that give entries their places and are counted apart from them.
pub(super) enum Counter {
    /// Of what directories asked.
    Exchange,
    /// Of the mail that waits.
    Mail,
}

impl Reader for Tenant<'_> {
    fn organisation(&self) -> Result<Organisation, Error> {
        let found = self.row(
            "SELECT document FROM organisations WHERE id = $1",
            &[&self.org()],
        )?;
        document(&found.ok_or(Error::Missing)?)
    }

    fn counts(&self) -> Result<Counts, Error> {
        let found = self.row(
            "SELECT users, active_users, groups FROM organisations WHERE id = $1",
            &[&self.org()],
        )?;
        let row = found.ok_or(Error::Missing)?;
        Ok(Counts {
            users: from_number(row.try_get(0)?),
            active_users: from_number(row.try_get(1)?),
            groups: from_number(row.try_get(2)?),
        })
    }

    fn managed(&self, integration: Option<IntegrationId>) -> Result<Counts, Error> {
        let integration = integration.map(uuid);
        // an index finds what equals and what is absent, but not what is one or the other
        let rows = match &integration {
            Some(integration) => self.rows(
                "SELECT kind, active, count(*) FROM resources WHERE org = $1 AND managed_by = $2 GROUP BY kind, active",
                &[&self.org(), integration],
            )?,
            None => self.rows(
                "SELECT kind, active, count(*) FROM resources WHERE org = $1 AND managed_by IS NULL GROUP BY kind, active",
                &[&self.org()],
            )?,
        };
        let mut counts = Counts::default();
        for row in rows {
            let count = from_number(row.try_get(2)?);
            match from_kind_code(row.try_get(0)?) {
                Kind::Group => counts.groups += count,
                Kind::User => {
                    counts.users += count;
                    if row.try_get(1)? {
                        counts.active_users += count;
                    }
                }
            }
        }
        Ok(counts)
    }
}

impl Writer for Tenant<'_> {
    fn save_organisation(&mut self, organisation: &Organisation) -> Result<(), Error> {
        existing(self.execute_unique(
            "UPDATE organisations SET slug = $2, document = $3 WHERE id = $1",
            &[
                &self.org(),
                &organisation.slug.as_str(),
                &json(organisation)?,
            ],
            "slug",
        )?)
    }
}
