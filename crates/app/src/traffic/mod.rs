//! What directories ask: recorded beside the requests, read by whoever looks after them.
//!
//! A request never waits for its record: records wait in memory, in a queue with an end, and one task writes them in batches. What
//! does not fit is dropped and counted; what is recorded of a request is worth less than the request. Every request with a token is
//! counted, but of very many alike only some are kept for looking at: nobody reads them, and they would be pushed out at once.

mod budget;
mod mask;
mod recording;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rollcall_model::traffic::{self, Hour};
use rollcall_model::{Exchange, IntegrationId, OrgId, RequestId, Slug, TokenId};
use rollcall_store::ExchangeQuery;
use tokio::sync::{Notify, mpsc};

pub use mask::{BODY_LOOKED_AT, Passed};
pub use recording::Recording;

use crate::directory::Context;
use crate::{App, Failure};
use budget::Budget;

/// So many exchanges wait to be written; more are dropped.
const WAITING: usize = 2_048;
/// How long the name of a client may be.
const AGENT_CHARACTERS: usize = 120;

/// Whose token a request carried.
#[derive(Debug, Clone)]
pub enum Whose {
    /// An integration's.
    Known {
        /// The organisation.
        organisation: OrgId,
        /// The integration.
        integration: IntegrationId,
        /// The token.
        token: TokenId,
    },
    /// Nobody's: it was refused. All that is known is which organisation it was meant for.
    Refused(Slug),
}

/// A request that was answered.
#[derive(Debug)]
pub struct Answered<'a> {
    /// Its id.
    pub request: RequestId,
    /// When it came.
    pub at: Timestamp,
    /// How long the answer took.
    pub took: Duration,
    /// Whose token it carried.
    pub whose: Whose,
    /// From where it came.
    pub address: Option<String>,
    /// What the client calls itself.
    pub agent: Option<&'a str>,
    /// The method.
    pub method: &'a str,
    /// The path below the organisation's base URL, with its query.
    pub path: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// The request's body; absent: nobody read it.
    pub asked: Option<Passed<'a>>,
    /// The answer's body.
    pub answered: Option<Passed<'a>>,
}

impl Answered<'_> {
    fn failed(&self) -> bool {
        traffic::failed(self.method, self.status)
    }

    /// Makes the record: without secrets, and cut to size.
    fn exchange(&self) -> Exchange {
        let (integration, token) = match self.whose {
            Whose::Known {
                integration, token, ..
            } => (Some(integration), Some(token)),
            Whose::Refused(_) => (None, None),
        };
        let mut secrets = Vec::new();
        let asked = self.asked.and_then(|asked| mask::body(asked, &mut secrets));
        let answered = self
            .answered
            .and_then(|answered| mask::body(answered, &mut secrets));
        let agent = self.agent.map(|agent| {
            let agent: String = agent.chars().take(AGENT_CHARACTERS).collect();
            mask::line(&agent, &secrets)
        });
        Exchange {
            request: self.request,
            at: self.at,
            took: u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX),
            integration,
            token,
            address: self.address.clone(),
            agent,
            method: self.method.chars().take(16).collect(),
            path: mask::line(self.path, &secrets),
            status: self.status,
            asked,
            answered,
        }
    }
}

/// Takes records, and never keeps anybody waiting.
#[derive(Debug, Clone)]
pub struct Recorder {
    queue: mpsc::Sender<(Whose, Exchange)>,
    counted: Arc<Counted>,
    budget: Arc<Mutex<Budget>>,
    dropped: Arc<AtomicU64>,
}

/// What was asked and is not counted in the store yet.
#[derive(Debug, Default)]
struct Counted {
    hours: Mutex<HashMap<OrgId, Vec<Hour>>>,
    news: Notify,
}

impl Counted {
    fn count(&self, organisation: OrgId, integration: IntegrationId, answered: &Answered<'_>) {
        let (from, integration) = (Hour::beginning(answered.at), Some(integration));
        let mut all = self.hours.lock().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            self.news.notify_one();
        }
        let hour = Hour {
            from,
            integration,
            requests: 1,
            failed: u64::from(answered.failed()),
        };
        add(all.entry(organisation).or_default(), &hour);
    }

    fn take(&self) -> HashMap<OrgId, Vec<Hour>> {
        std::mem::take(&mut *self.hours.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds what was taken, and could not be written, to what was counted meanwhile.
    fn put_back(&self, organisation: OrgId, hours: Vec<Hour>) {
        let mut all = self.hours.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = all.entry(organisation).or_default();
        for hour in hours {
            add(counted, &hour);
        }
    }
}

fn add(hours: &mut Vec<Hour>, more: &Hour) {
    let known = (hours.iter_mut())
        .find(|hour| hour.from == more.from && hour.integration == more.integration);
    match known {
        Some(hour) => {
            hour.requests += more.requests;
            hour.failed += more.failed;
        }
        None => hours.push(more.clone()),
    }
}

impl Recorder {
    /// Makes a recorder, and what writes its records: [`Recording::run`] has to be running.
    pub fn new(app: App) -> (Self, Recording) {
        let (sender, queue) = mpsc::channel(WAITING);
        let dropped = Arc::<AtomicU64>::default();
        let counted = Arc::<Counted>::default();
        let recording = Recording::new(app, queue, Arc::clone(&counted), Arc::clone(&dropped));
        let recorder = Self {
            queue: sender,
            counted,
            budget: Arc::default(),
            dropped,
        };
        (recorder, recording)
    }

    /// Counts a request, and records it, unless there were many like it in this second; or drops the record when too many wait.
    pub fn record(&self, answered: &Answered<'_>) {
        if let Whose::Known {
            organisation,
            integration,
            ..
        } = answered.whose
        {
            self.counted.count(organisation, integration, answered);
            let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
            if !budget.allows(organisation, answered) {
                return;
            }
        }
        // no work for what would be dropped
        let Ok(place) = self.queue.try_reserve() else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        place.send((answered.whose.clone(), answered.exchange()));
    }

    /// Returns how many records were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl App {
    /// Returns the latest `count` exchanges that answer a query, with their places, latest first.
    pub async fn exchanges(
        &self,
        context: &Context,
        query: ExchangeQuery,
        count: u64,
    ) -> Result<Vec<(u64, Exchange)>, Failure> {
        context
            .tenant()
            .read(move |reader| Ok(reader.exchanges(query, count)?))
            .await
    }

    /// Returns what is kept of one request.
    pub async fn exchange(
        &self,
        context: &Context,
        request: RequestId,
    ) -> Result<Option<Exchange>, Failure> {
        context
            .tenant()
            .read(move |reader| Ok(reader.exchange(request)?))
            .await
    }

    /// Returns what was asked in the hours that began at `from` or later, in order of hour.
    pub async fn traffic(&self, context: &Context, from: Timestamp) -> Result<Vec<Hour>, Failure> {
        context
            .tenant()
            .read(move |reader| Ok(reader.traffic(from)?))
            .await
    }
}

#[cfg(test)]
mod tests {
    use rollcall_model::IntegrationKind;

    use super::recording::REFUSED_PER_MINUTE;
    use super::*;
    use crate::testing::Installation;

    pub(super) fn answered<'a>(
        app: &App,
        whose: Whose,
        method: &'a str,
        path: &'a str,
    ) -> Answered<'a> {
        Answered {
            request: app.new_request_id(),
            at: app.now(),
            took: Duration::from_millis(3),
            whose,
            address: None,
            agent: Some("a client"),
            method,
            path,
            status: 201,
            asked: None,
            answered: None,
        }
    }

    #[tokio::test]
    async fn what_was_recorded_before_the_end_is_written_and_steps_are_noted_once() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let (record, _, context) = installation.directory(IntegrationKind::Entra).await;
        let (recorder, recording) = Recorder::new(app.clone());
        let known = || Whose::Known {
            organisation: installation.organisation.id,
            integration: record.integration,
            token: record.id,
        };
        let paths = ["/Users?filter=userName eq \"a\"", "/Users"];
        recorder.record(&answered(app, known(), "GET", paths[0]));
        recorder.record(&answered(app, known(), "POST", paths[1]));
        let refused = Whose::Refused("vault".parse().unwrap());
        recorder.record(&answered(app, refused, "GET", "/Users"));
        let nowhere = Whose::Refused("nowhere".parse().unwrap());
        recorder.record(&answered(app, nowhere, "GET", "/Users"));

        recording.run(async {}).await;

        let kept = app.exchanges(&context, ExchangeQuery::default(), 10).await;
        assert_eq!(kept.unwrap().len(), 3);
        let (integrations, _) = app.tokens(installation.organisation.id).await.unwrap();
        let seen = integrations[0].seen;
        assert_eq!(seen.connected, Some(app.now()));
        assert_eq!(seen.looked_up, Some(app.now()));
        assert_eq!(seen.created, Some(app.now()));
        assert_eq!(seen.changed, None);
        assert_eq!(recorder.dropped(), 0);
    }

    #[tokio::test]
    async fn of_very_many_requests_alike_all_are_counted_and_some_are_kept() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let (record, _, context) = installation.directory(IntegrationKind::Entra).await;
        let (recorder, recording) = Recorder::new(app.clone());
        let known = || Whose::Known {
            organisation: installation.organisation.id,
            integration: record.integration,
            token: record.id,
        };
        for _ in 0..200 {
            recorder.record(&answered(app, known(), "GET", "/Users"));
        }
        let failed = Answered {
            status: 500,
            ..answered(app, known(), "GET", "/Users")
        };
        recorder.record(&failed);
        recorder.record(&answered(app, known(), "POST", "/Users"));

        recording.run(async {}).await;

        let kept = app.exchanges(&context, ExchangeQuery::default(), 500).await;
        let kept = kept.unwrap();
        let is_failure = |(_, exchange): &&(u64, Exchange)| exchange.failed();
        assert_eq!(
            (kept.len(), kept.iter().filter(is_failure).count()),
            (52, 1)
        );
        let hours = app.traffic(&context, Timestamp::MIN).await.unwrap();
        assert_eq!(hours.len(), 1);
        assert_eq!((hours[0].requests, hours[0].failed), (202, 1));
    }

    #[tokio::test]
    async fn records_that_do_not_fit_are_dropped_and_counted() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let (recorder, _recording) = Recorder::new(app.clone());
        let refused = || Whose::Refused("vault".parse().unwrap());

        for _ in 0..WAITING + 3 {
            recorder.record(&answered(app, refused(), "GET", "/Users"));
        }

        assert_eq!(recorder.dropped(), 3);
    }

    #[tokio::test]
    async fn requests_that_are_refused_do_not_push_out_the_others() {
        let installation = Installation::new().await;
        let app = &installation.app;
        let (recorder, recording) = Recorder::new(app.clone());
        for _ in 0..2 * REFUSED_PER_MINUTE {
            let refused = Whose::Refused("vault".parse().unwrap());
            recorder.record(&answered(app, refused, "GET", "/Users"));
        }

        recording.run(async {}).await;

        let context = installation.command();
        let kept = app.exchanges(&context, ExchangeQuery::default(), 500).await;
        assert_eq!(kept.unwrap().len() as u64, u64::from(REFUSED_PER_MINUTE));
    }
}
