//! The provisioning logs of all applications as one, latest first, looked through in bounded steps.
//!
//! **Start at** [`App::provisioning_logs`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use rollcall_model::provisioning::{LogAction, LogStatus};
use rollcall_model::{ApplicationId, LogEntry};
use rollcall_scim::key::canonical;
use rollcall_store::{Error, Reader};

use crate::directory::Context;
use crate::{App, Failure};

/// How many entries are read at once, of one application.
const PAGE: u64 = 100;
/// How many entries one question looks through.
const BUDGET: usize = 4_000;
/// How many failures are looked at for others with the same problem.
const FAILURES: u64 = 1_000;

/// Which entries are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogsQuery {
    /// Only those of this application.
    pub application: Option<ApplicationId>,
    /// Only those that ended so.
    pub status: Option<LogStatus>,
    /// Only those that did this; held ones count as what they would have been.
    pub action: Option<LogAction>,
    /// Only those with this error code.
    pub code: Option<String>,
    /// Only those about somebody whose name or id has this part.
    pub text: String,
    /// Only those before these places, by application; an application that is not named: from the end.
    pub before: BTreeMap<ApplicationId, u64>,
    /// How many.
    pub count: usize,
}

/// A part of the logs.
#[derive(Debug, Clone, PartialEq)]
pub struct LogsPage {
    /// The applications by name.
    pub applications: Vec<(ApplicationId, String)>,
    /// The entries with their places, latest first.
    pub entries: Vec<(u64, LogEntry)>,
    /// Where the next part begins; absent: this was all.
    pub next: Option<BTreeMap<ApplicationId, u64>>,
    /// Until when was looked, if the search was given up before enough was found.
    pub looked_until: Option<Timestamp>,
}

/// One entry, and who else has the same problem.
#[derive(Debug, Clone, PartialEq)]
pub struct LogDetail {
    /// The name of the application.
    pub application: String,
    /// The entry.
    pub entry: LogEntry,
    /// How many others failed of the same code lately.
    pub others: u64,
    /// Whether there may be more: not all failures were looked at.
    pub is_partial: bool,
}

impl LogsQuery {
    fn wants(&self, entry: &LogEntry, text: &str) -> bool {
        let is_like =
            |part: Option<&String>| part.is_some_and(|part| canonical(part).contains(text));
        let source = &entry.source;
        self.status.is_none_or(|status| entry.status == status)
            && self
                .action
                .is_none_or(|action| kind(entry.action) == action)
            && self.code.as_ref().is_none_or(|code| {
                entry
                    .error
                    .as_ref()
                    .is_some_and(|error| error.error_code == *code)
            })
            && (text.is_empty()
                || is_like(source.display_name.as_ref())
                || is_like(source.sign_in_name.as_ref())
                || is_like(Some(&source.id))
                || is_like(entry.target.as_ref().map(|target| &target.id)))
    }
}

/// Returns what a held action would have been.
fn kind(action: LogAction) -> LogAction {
    match action {
        LogAction::StagedDelete => LogAction::Delete,
        LogAction::StagedAction => LogAction::Disable,
        other => other,
    }
}

/// The log of one application while it is merged with the others.
struct Strand {
    id: ApplicationId,
    before: Option<u64>,
    read: VecDeque<(u64, LogEntry)>,
    is_over: bool,
}

impl Strand {
    fn fill(&mut self, reader: &dyn Reader, failures: bool) -> Result<(), Error> {
        if self.is_over || !self.read.is_empty() {
            return Ok(());
        }
        let page = if failures {
            reader.provisioning_failures(self.id, self.before, PAGE)?
        } else {
            reader.provisioning_log(self.id, self.before, PAGE)?
        };
        self.is_over = page.is_empty();
        self.read = page.into();
        Ok(())
    }
}

impl App {
    /// Returns entries of the provisioning logs.
    ///
    /// # Errors
    /// [`Failure::Missing`] for the application, when one is named.
    pub async fn provisioning_logs(
        &self,
        context: &Context,
        query: LogsQuery,
    ) -> Result<LogsPage, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let applications = reader.applications()?;
                let names: Vec<_> = applications
                    .iter()
                    .map(|one| (one.id, one.name.clone()))
                    .collect();
                let is_wanted = |id: ApplicationId| query.application.is_none_or(|one| one == id);
                let mut strands: Vec<Strand> = names
                    .iter()
                    .filter(|(id, _)| is_wanted(*id))
                    .map(|(id, _)| Strand {
                        id: *id,
                        before: query.before.get(id).copied(),
                        read: VecDeque::new(),
                        is_over: false,
                    })
                    .collect();
                if let (Some(id), true) = (query.application, strands.is_empty()) {
                    return Err(crate::applications::missing(id));
                }
                let failures = query.status == Some(LogStatus::Failure);
                let text = canonical(&query.text);
                let mut page = LogsPage {
                    applications: names,
                    entries: Vec::new(),
                    next: None,
                    looked_until: None,
                };
                let mut looked_at = 0;
                loop {
                    for strand in &mut strands {
                        strand.fill(reader, failures)?;
                    }
                    let latest = strands
                        .iter_mut()
                        .filter(|strand| !strand.read.is_empty())
                        .max_by_key(|strand| strand.read.front().map(|(_, entry)| entry.at));
                    let Some(strand) = latest else { break };
                    if page.entries.len() == query.count || looked_at == BUDGET {
                        if page.entries.len() < query.count {
                            page.looked_until = strand.read.front().map(|(_, entry)| entry.at);
                        }
                        let places = strands
                            .iter()
                            .filter_map(|strand| Some((strand.id, strand.before?)));
                        page.next = Some(places.collect());
                        break;
                    }
                    looked_at += 1;
                    if let Some((place, entry)) = strand.read.pop_front() {
                        strand.before = Some(place);
                        if query.wants(&entry, &text) {
                            page.entries.push((place, entry));
                        }
                    }
                }
                Ok(page)
            })
            .await
    }

    /// Returns one entry of the provisioning log, and how many others have the same problem.
    pub async fn provisioning_event(
        &self,
        context: &Context,
        id: ApplicationId,
        place: u64,
    ) -> Result<Option<LogDetail>, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let Some(application) = reader.application(id)? else {
                    return Ok(None);
                };
                let found = reader.provisioning_log(id, place.checked_add(1), 1)?;
                let Some((_, entry)) = found.into_iter().find(|(at, _)| *at == place) else {
                    return Ok(None);
                };
                let (mut others, mut is_partial) = (BTreeSet::new(), false);
                if let Some(error) = &entry.error
                    && entry.status == LogStatus::Failure
                {
                    let failures = reader.provisioning_failures(id, None, FAILURES)?;
                    is_partial = failures.len() as u64 == FAILURES;
                    for (_, other) in failures {
                        let code = other.error.as_ref().map(|error| &error.error_code);
                        if code == Some(&error.error_code) && other.source.id != entry.source.id {
                            others.insert(other.source.id);
                        }
                    }
                }
                Ok(Some(LogDetail {
                    application: application.name,
                    entry,
                    others: others.len() as u64,
                    is_partial,
                }))
            })
            .await
    }
}
