//! A unit of work: a transaction, bound to one organisation.
//!
//! Units are plain functions, the client is asynchronous: a unit runs on a thread where waiting is allowed, and waits there for each
//! answer that it needs. What it only wants done is put off: it travels with the next statement that is waited for, or with the end of
//! the unit, and costs no way to the database of its own.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;

use deadpool_postgres::Transaction;
use rollcall_model::{IntegrationId, Kind, OrgId, Organisation};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::connections::{Connections, Purpose};
use super::convert::{document, existing, from_kind_code, from_number, is_taken, json, uuid};
use super::session::{Driver, Open};
use super::statistics::{GATHER, Statistics};
use crate::books::Books;
use crate::{Counts, Error, Reader, Writer};

/// A statement that was put off. Nothing of it is sent before it is polled.
type Later<'c> = Pin<Box<dyn Future<Output = Result<(), Error>> + 'c>>;

/// So many statements are put off at most.
const PUT_OFF: usize = 16;

/// The parameter of a statement that is put off.
pub(super) type Owned = Box<dyn ToSql + Sync>;

/// Makes a parameter of a statement that is put off.
pub(super) fn owned(value: impl ToSql + Sync + 'static) -> Owned {
    Box::new(value)
}

/// Parameters of a statement.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// One organisation's rows, as one transaction sees them. The storage traits are implemented for it by subject, each in a file
/// of its own.
pub(super) struct Tenant<'c> {
    pub(super) transaction: &'c Transaction<'c>,
    driver: &'c Driver,
    /// Where written rows are counted.
    statistics: Option<&'c Statistics>,
    pub(super) organisation: OrgId,
    /// When a unit that looks through many objects has to give up; absent: never, as for units that write.
    deadline: Option<Instant>,
    /// Whether a statement failed: PostgreSQL then refuses everything up to the end of the unit.
    failed: Cell<bool>,
    /// What was put off, in order.
    later: RefCell<Vec<Later<'c>>>,
    /// Whether anything was sent.
    has_spoken: Cell<bool>,
    /// The name that it found free last, as a key: while it writes, nobody else takes it.
    pub(super) free: RefCell<Option<(Kind, String)>>,
    /// What it knows of the organisation, has given places to, and has counted.
    pub(super) books: RefCell<Books>,
}

impl<'c> Tenant<'c> {
    pub(super) fn new(
        open: &'c Open<'c>,
        connections: &'c Connections,
        purpose: Purpose,
        deadline: Option<Instant>,
    ) -> Self {
        let tenant = Self {
            transaction: &open.transaction,
            driver: open.driver,
            statistics: matches!(purpose, Purpose::Write(_)).then(|| connections.statistics()),
            organisation: purpose.organisation(),
            deadline,
            failed: Cell::new(false),
            later: RefCell::default(),
            has_spoken: Cell::new(false),
            free: RefCell::default(),
            books: RefCell::default(),
        };
        if let Some(words) = purpose.first_words() {
            tenant.say_later(words);
        }
        tenant
    }

    /// Goes on with books that units before it in the same transaction have kept.
    pub(super) fn with_books(mut self, books: Books) -> Self {
        self.books = RefCell::new(books);
        self
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

    /// Makes sure that no statement failed. PostgreSQL answers the COMMIT of what failed as if all were well, and keeps nothing of it.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when one did, and the unit went on regardless.
    pub(super) fn sound(&self) -> Result<(), Error> {
        if self.failed.get() {
            let why = "a statement failed, and the unit went on regardless";
            return Err(Error::Unreachable(why.into()));
        }
        Ok(())
    }

    /// Tells whether anything was sent to the database.
    pub(super) fn has_spoken(&self) -> bool {
        self.has_spoken.get()
    }

    /// Waits for the database: for what was put off, and then for this.
    pub(super) fn wait<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        let answer = self.after_what_was_put_off(answer);
        answer.and_then(|answer| self.noted(answer.map_err(Error::from)))
    }

    /// Sends what was put off, then this, and waits for all of it; the answer to this is returned only when the rest went well.
    fn after_what_was_put_off<T>(&self, this: impl Future<Output = T>) -> Result<T, Error> {
        self.has_spoken.set(true);
        let before = all(self.later.take());
        let (before, this) = self
            .driver
            .wait(async { tokio::join!(biased; before, this) });
        self.noted(before)?;
        Ok(this)
    }

    /// Remembers whether a statement failed.
    fn noted<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        if outcome.is_err() {
            self.failed.set(true);
        }
        outcome
    }

    /// Puts a statement without parameters off.
    pub(super) fn say_later(&self, words: String) {
        let transaction = self.transaction;
        let later = async move { Ok(transaction.batch_execute(&words).await?) };
        self.later.borrow_mut().push(Box::pin(later));
    }

    /// Puts a statement off. That it fails is said by the next one that is waited for.
    pub(super) fn execute_later(&self, sql: &str, parameters: Vec<Owned>) -> Result<(), Error> {
        self.put_off(sql, parameters, false)
    }

    /// Likewise; it fails with [`Error::Missing`] when it changes nothing.
    pub(super) fn change_later(&self, sql: &str, parameters: Vec<Owned>) -> Result<(), Error> {
        self.put_off(sql, parameters, true)
    }

    fn put_off(&self, sql: &str, parameters: Vec<Owned>, must_change: bool) -> Result<(), Error> {
        let transaction = self.transaction;
        // what is put off is sent in one go: preparing it is another way to the database, made once for each connection
        let prepared = self.driver.wait(transaction.prepare_cached(sql));
        let statement = self.noted(prepared.map_err(Error::from))?;
        let later = async move {
            let parameters: Vec<&(dyn ToSql + Sync)> =
                parameters.iter().map(|parameter| &**parameter).collect();
            let changed = transaction.execute(&statement, &parameters).await?;
            if must_change {
                return existing(changed);
            }
            Ok(())
        };
        self.later.borrow_mut().push(Box::pin(later));
        let many = self.later.borrow().len();
        if many < PUT_OFF {
            Ok(())
        } else {
            self.send_put_off()
        }
    }

    /// Puts the books into the database, and waits for whatever was put off: the end of what is to be kept.
    pub(super) fn catch_up(&self) -> Result<(), Error> {
        self.sound()?;
        self.close_books()?;
        self.send_put_off()
    }

    /// Waits for whatever was put off.
    pub(super) fn send_put_off(&self) -> Result<(), Error> {
        if self.later.borrow().is_empty() {
            return Ok(());
        }
        self.after_what_was_put_off(async {})
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
        let changed = self.wait(async {
            let statement = self.transaction.prepare_cached(sql).await?;
            self.transaction.execute(&statement, parameters).await
        })?;
        self.wrote(changed)
    }

    /// Counts written rows, and has the planner look at the tables when there are many more than before.
    pub(super) fn wrote(&self, rows: u64) -> Result<u64, Error> {
        if self.statistics.is_some_and(|all| all.wrote(rows)) {
            self.wait(self.transaction.batch_execute(GATHER))?;
        }
        Ok(rows)
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
        let changed = self.after_what_was_put_off(async {
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
        })?;
        let changed: Option<u64> = self.noted(changed.map_err(Error::from))?;
        self.wrote(changed.ok_or(Error::Taken { attribute })?)
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
}

/// Waits for all of them, begun in their order; returns the first failure.
async fn all(statements: Vec<Later<'_>>) -> Result<(), Error> {
    let mut running: Vec<Option<Later<'_>>> = statements.into_iter().map(Some).collect();
    let mut outcomes: Vec<Result<(), Error>> = running.iter().map(|_| Ok(())).collect();
    poll_fn(|context| {
        let mut is_over = true;
        for (place, outcome) in running.iter_mut().zip(&mut outcomes) {
            let Some(statement) = place else { continue };
            match statement.as_mut().poll(context) {
                Poll::Ready(ended) => (*place, *outcome) = (None, ended),
                Poll::Pending => is_over = false,
            }
        }
        if is_over {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    outcomes.into_iter().collect()
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
        if let Some(organisation) = &self.books.borrow().organisation {
            return Ok(organisation.clone());
        }
        let found = self.row(
            "SELECT document FROM organisations WHERE id = $1",
            &[&self.org()],
        )?;
        let organisation: Organisation = document(&found.ok_or(Error::Missing)?)?;
        self.books.borrow_mut().organisation = Some(organisation.clone());
        Ok(organisation)
    }

    fn counts(&self) -> Result<Counts, Error> {
        self.close_books()?;
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
        self.books.borrow_mut().organisation = None;
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
