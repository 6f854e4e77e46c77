//! What of a backup must not go on where it ended.
//!
//! **Is:** plain rows in, rows out. The targets may have moved on since the backup was made: every job is held until somebody restarts it,
//! webhooks are paused until somebody resumes them, and what links say is doubted. Who was let in then may have been shut out since: sessions and links that let somebody in end. What
//! waited to be mailed was mailed long ago.
//! **Is not:** anything about tokens: they stay, also those that were revoked since.
//! **Start at** [`Holding::row`].

use jiff::Timestamp;
use rollcall_model::activation::Activation;
use rollcall_model::application::{Application, Status};
use rollcall_model::provisioning::Restored;
use rollcall_model::{JobState, Link, Webhook};

use crate::Error;
use crate::copy::{Cell, Row, Table, place};
use crate::encoding::{from_json, instant, json, number};

/// What came to an end by a restore.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// Applications whose jobs are held until somebody restarts them.
    pub jobs: u64,
    /// Sessions of administrators.
    pub sessions: u64,
    /// Links by which administrators sign in once.
    pub sign_in_links: u64,
    /// Links by which people activate.
    pub invitations: u64,
    /// Letters that waited to be sent.
    pub letters: u64,
    /// Webhooks that are paused until somebody resumes them.
    pub webhooks: u64,
}

/// Holds what goes through it.
#[derive(Debug)]
pub(super) struct Holding {
    restored: Restored,
    ended: Ended,
}

impl Holding {
    pub(super) fn new(restored: Restored) -> Self {
        Self {
            restored,
            ended: Ended::default(),
        }
    }

    /// Returns what it has ended.
    pub(super) fn ended(&self) -> Ended {
        self.ended
    }

    /// Returns a row as it is restored; absent: it is not.
    pub(super) fn row(&mut self, table: &Table, row: Row) -> Result<Option<Row>, Error> {
        let key = place(table, &row);
        let held = self.held(table, row);
        held.map_err(|error| {
            Error::backend(format!(
                "a row of `{}` cannot be read ({key}): {error}",
                table.name
            ))
        })
    }

    fn held(&mut self, table: &Table, mut row: Row) -> Result<Option<Row>, Error> {
        let mut columns = Columns {
            table,
            row: &mut row,
        };
        match table.name {
            "sessions" => self.ended.sessions += 1,
            "sign_in_links" => self.ended.sign_in_links += 1,
            "mail" => self.ended.letters += 1,
            "activations" => {
                self.activation(&mut columns)?;
                return Ok(Some(row));
            }
            "applications" => {
                self.application(&mut columns)?;
                return Ok(Some(row));
            }
            "webhooks" => {
                self.webhook(&mut columns)?;
                return Ok(Some(row));
            }
            "links" => {
                link(&mut columns)?;
                return Ok(Some(row));
            }
            _ => return Ok(Some(row)),
        }
        Ok(None)
    }

    fn activation(&mut self, columns: &mut Columns<'_>) -> Result<(), Error> {
        let mut activation: Activation = from_json(columns.text("document")?)?;
        if activation.link.take().is_some() {
            self.ended.invitations += 1;
            columns.set("link", Cell::Nothing)?;
            columns.set("link_expires", Cell::Nothing)?;
            columns.set("document", Cell::Text(json(&activation)?))?;
        }
        Ok(())
    }

    fn webhook(&mut self, columns: &mut Columns<'_>) -> Result<(), Error> {
        let mut webhook: Webhook = from_json(columns.text("document")?)?;
        if webhook.is_on() {
            webhook.restore(self.restored.at);
            self.ended.webhooks += 1;
            columns.set("active", Cell::Boolean(false))?;
            columns.set("document", Cell::Text(json(&webhook)?))?;
        }
        let Cell::Integer(runner) = *columns.cell("runner")? else {
            return Err(missing("runner"));
        };
        columns.set("runner", Cell::Integer(later(runner, self.restored.at)))
    }

    fn application(&mut self, columns: &mut Columns<'_>) -> Result<(), Error> {
        let application: Application = from_json(columns.text("document")?)?;
        let job: Option<JobState> = match columns.cell("job")? {
            Cell::Nothing => None,
            _ => Some(from_json(columns.text("job")?)?),
        };
        // one that never ran and is off has sent nothing, and sends nothing by itself
        let has_begun =
            job.is_some() || application.status == Status::On || application.job_file.is_some();
        if has_begun {
            let mut job = job.unwrap_or_default();
            job.restore(self.restored);
            self.ended.jobs += 1;
            columns.set("job", Cell::Text(json(&job)?))?;
            columns.set("generation", Cell::Integer(number(job.generation)))?;
        }
        let Cell::Integer(runner) = *columns.cell("runner")? else {
            return Err(missing("runner"));
        };
        // whoever had the application before the restore, under any number, has it no more
        columns.set("runner", Cell::Integer(later(runner, self.restored.at)))?;
        columns.set("progress", Cell::Nothing)
    }
}

/// Returns a number of a claim that none has had: claims count by ones, and a restore by microseconds.
fn later(runner: i64, now: Timestamp) -> i64 {
    runner.saturating_add(1).max(instant(now))
}

fn link(columns: &mut Columns<'_>) -> Result<(), Error> {
    let mut link: Link = from_json(columns.text("document")?)?;
    link.restore();
    columns.set("attention", Cell::Boolean(link.needs_attention()))?;
    columns.set("in_use", Cell::Boolean(link.is_in_use()))?;
    columns.set("document", Cell::Text(json(&link)?))
}

/// The cells of a row by name.
struct Columns<'r> {
    table: &'r Table,
    row: &'r mut Row,
}

impl Columns<'_> {
    fn place(&self, name: &str) -> Result<usize, Error> {
        let columns = &mut self.table.columns.iter();
        columns
            .position(|column| column.name == name)
            .ok_or_else(|| missing(name))
    }

    fn cell(&self, name: &str) -> Result<&Cell, Error> {
        let place = self.place(name)?;
        self.row.get(place).ok_or_else(|| missing(name))
    }

    fn text(&self, name: &str) -> Result<&str, Error> {
        match self.cell(name)? {
            Cell::Text(text) => Ok(text),
            _ => Err(missing(name)),
        }
    }

    fn set(&mut self, name: &str, value: Cell) -> Result<(), Error> {
        let place = self.place(name)?;
        *self.row.get_mut(place).ok_or_else(|| missing(name))? = value;
        Ok(())
    }
}

fn missing(column: &str) -> Error {
    Error::backend(format!("there is no `{column}`"))
}
