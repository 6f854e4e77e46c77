//! Writing what was recorded: in batches, each organisation's part for itself.
//!
//! **Is:** the one task that empties the queue. An organisation whose part takes long goes on beside the others', and has the next part
//! written when that is done; what could not be counted is counted later.
//! **Is not:** what is kept of a request; that is decided before.
//! **Start at** [`Recording::run`].

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rollcall_model::traffic::Hour;
use rollcall_model::{Exchange, OrgId, Slug};
use rollcall_store::{Error, Tenant, Writer};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::{Counted, WAITING, Whose};
use crate::App;

/// So many are written together at most.
const BATCH: usize = 256;
/// So long the first of a batch waits for others.
const PAUSE: Duration = Duration::from_millis(200);
/// So long a batch waits for those that it is written for; who takes longer goes on beside the next ones.
const SLOW: Duration = Duration::from_secs(2);
/// So many organisations are written for at the same time.
const AT_ONCE: usize = 64;
/// After this time is tried again what could not be counted.
const AGAIN: Duration = Duration::from_secs(5);
/// So many refused requests of one organisation are recorded in a minute: whoever has no token must not push out the records of who
/// has one.
pub(super) const REFUSED_PER_MINUTE: u32 = 60;

/// Writes what a [`super::Recorder`] took.
#[derive(Debug)]
pub struct Recording {
    app: App,
    queue: mpsc::Receiver<(Whose, Exchange)>,
    counted: Arc<Counted>,
    dropped: Arc<AtomicU64>,
    refused: HashMap<OrgId, (Instant, u32)>,
    writes: JoinSet<Written>,
    /// INVARIANT: an organisation is in it once at most.
    under_way: HashMap<Id, OrgId>,
    places: Arc<Semaphore>,
    /// Records of organisations for which there is a write under way.
    later: HashMap<OrgId, Vec<Exchange>>,
    again: Option<Instant>,
}

/// What is to be written for one organisation.
#[derive(Debug, Default)]
struct Portion {
    hours: Vec<Hour>,
    exchanges: Vec<Exchange>,
}

/// What came of it.
#[derive(Debug, Default)]
struct Written {
    /// What is still to be counted.
    uncounted: Vec<Hour>,
    /// How many records were lost.
    lost: u64,
}

impl Recording {
    pub(super) fn new(
        app: App,
        queue: mpsc::Receiver<(Whose, Exchange)>,
        counted: Arc<Counted>,
        dropped: Arc<AtomicU64>,
    ) -> Self {
        Self {
            app,
            queue,
            counted,
            dropped,
            refused: HashMap::new(),
            writes: JoinSet::new(),
            under_way: HashMap::new(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            later: HashMap::new(),
            again: None,
        }
    }

    /// Writes records until `stop`, then what still waits.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut told = 0;
        loop {
            let mut batch = Vec::new();
            let again = self.again.unwrap_or_else(Instant::now);
            tokio::select! {
                () = &mut stop => break,
                count = self.queue.recv_many(&mut batch, BATCH) => if count == 0 { break },
                () = self.counted.news.notified() => {}
                () = sleep_until(again), if self.again.is_some() => {}
                Some(ended) = self.writes.join_next_with_id() => self.ended(ended),
            }
            let end = Instant::now() + PAUSE;
            while batch.len() < BATCH {
                let room = BATCH - batch.len();
                let more = timeout_at(end, self.queue.recv_many(&mut batch, room));
                if !matches!(more.await, Ok(1..)) {
                    break;
                }
            }
            self.write(batch).await;
            let dropped = self.dropped.load(Ordering::Relaxed);
            if dropped > told {
                tracing::warn!(dropped, "too many requests to record them all");
                told = dropped;
            }
        }
        self.queue.close();
        loop {
            let mut batch = Vec::new();
            let count = self.queue.recv_many(&mut batch, BATCH).await;
            self.write(batch).await;
            if count == 0 {
                break;
            }
        }
        self.finish().await;
    }

    /// Waits for what is under way, and writes what that kept waiting.
    async fn finish(&mut self) {
        for _ in 0..2 {
            while let Some(ended) = self.writes.join_next_with_id().await {
                self.ended(ended);
            }
            self.write(Vec::new()).await;
        }
    }

    async fn write(&mut self, batch: Vec<(Whose, Exchange)>) {
        self.again = None;
        let mut of: HashMap<OrgId, Portion> = HashMap::new();
        for (organisation, exchanges) in std::mem::take(&mut self.later) {
            of.entry(organisation).or_default().exchanges = exchanges;
        }
        for (organisation, hours) in self.counted.take() {
            of.entry(organisation).or_default().hours = hours;
        }
        for (whose, exchange) in batch {
            match whose {
                Whose::Known { organisation, .. } => {
                    of.entry(organisation).or_default().exchanges.push(exchange);
                }
                // whoever has no token is counted as far as it is recorded
                Whose::Refused(slug) => {
                    if let Some(organisation) = self.meant(&slug).await {
                        let portion = of.entry(organisation).or_default();
                        portion.hours.push(Hour {
                            from: Hour::beginning(exchange.at),
                            integration: None,
                            requests: 1,
                            failed: 1,
                        });
                        portion.exchanges.push(exchange);
                    }
                }
            }
        }
        let mut begun = Vec::new();
        for (organisation, portion) in of {
            if self.under_way.values().any(|one| *one == organisation) {
                self.keep(organisation, portion);
            } else {
                begun.push(self.begin(organisation, portion));
            }
        }
        let all = async {
            while begun.iter().any(|id| self.under_way.contains_key(id))
                && let Some(ended) = self.writes.join_next_with_id().await
            {
                self.ended(ended);
            }
        };
        drop(timeout(SLOW, all).await);
    }

    fn begin(&mut self, organisation: OrgId, portion: Portion) -> Id {
        let tenant = self.app.store().tenant(organisation).quiet();
        let places = Arc::clone(&self.places);
        let task = self.writes.spawn(async move {
            // nobody closes the places
            let _place = places.acquire_owned().await.ok();
            written(&tenant, portion).await
        });
        self.under_way.insert(task.id(), organisation);
        task.id()
    }

    fn ended(&mut self, ended: Result<(Id, Written), JoinError>) {
        let (id, written) = match ended {
            Ok(ended) => ended,
            Err(error) => (error.id(), Written::default()),
        };
        self.dropped.fetch_add(written.lost, Ordering::Relaxed);
        let Some(organisation) = self.under_way.remove(&id) else {
            return;
        };
        if !written.uncounted.is_empty() {
            self.counted.put_back(organisation, written.uncounted);
            self.again = Some(Instant::now() + AGAIN);
        }
    }

    /// Keeps what cannot be written yet, as far as there is room.
    fn keep(&mut self, organisation: OrgId, portion: Portion) {
        self.counted.put_back(organisation, portion.hours);
        let mut exchanges = portion.exchanges;
        let kept: usize = self.later.values().map(Vec::len).sum();
        let room = WAITING.saturating_sub(kept).min(BATCH);
        let lost = exchanges.len().saturating_sub(room);
        exchanges.truncate(room);
        self.dropped.fetch_add(lost as u64, Ordering::Relaxed);
        self.later.insert(organisation, exchanges);
    }

    /// Finds the organisation that a refused request was meant for, unless so many were recorded already that it is enough.
    async fn meant(&mut self, slug: &Slug) -> Option<OrgId> {
        let organisation = self.app.store().organisation(slug).await.ok().flatten()?.id;
        let now = Instant::now();
        let (since, count) = self.refused.entry(organisation).or_insert((now, 0));
        if now.duration_since(*since) >= Duration::from_mins(1) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        if *count > REFUSED_PER_MINUTE {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(organisation)
    }
}

async fn written(tenant: &Tenant, portion: Portion) -> Written {
    let count = portion.exchanges.len() as u64;
    let hours = portion.hours.clone();
    let write = move |writer: &mut dyn Writer| append(writer, &portion);
    let Err(failure) = tenant.write(write).await else {
        return Written::default();
    };
    let organisation = tenant.organisation();
    tracing::warn!(%organisation, %failure, count, "requests could not be recorded");
    Written {
        uncounted: match failure {
            // the organisation was deleted meanwhile
            Error::Missing => Vec::new(),
            _ => hours,
        },
        lost: count,
    }
}

/// Counts requests, writes those that are kept, and notes what an integration is seen doing for the first time.
fn append(writer: &mut dyn Writer, portion: &Portion) -> Result<(), Error> {
    // one that was deleted is missing, and not a row that refers to nothing
    writer.organisation()?;
    writer.count_traffic(&portion.hours)?;
    writer.append_exchanges(&portion.exchanges)?;
    for mut integration in writer.integrations()? {
        let own = portion
            .exchanges
            .iter()
            .filter(|exchange| exchange.integration == Some(integration.id));
        let mut is_new = false;
        for exchange in own {
            is_new |= integration.seen.note(exchange);
        }
        if is_new {
            writer.save_integration(&integration)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rollcall_model::IntegrationKind;
    use rollcall_store::ExchangeQuery;

    use super::super::Recorder;
    use super::super::tests::answered;
    use super::*;
    use crate::Failure;
    use crate::directory::Context;
    use crate::testing::Installation;

    async fn there(app: &App, context: &Context) -> (usize, u64) {
        let kept = app.exchanges(context, ExchangeQuery::default(), 500).await;
        let hours = app.traffic(context, Timestamp::MIN).await.unwrap();
        (
            kept.unwrap().len(),
            hours.iter().map(|hour| hour.requests).sum(),
        )
    }

    #[tokio::test]
    async fn what_could_not_be_counted_is_counted_later() {
        let installation = Installation::new().await;
        let (app, organisation) = (&installation.app, installation.organisation.id);
        let (record, _, context) = installation.directory(IntegrationKind::Entra).await;
        let (recorder, mut recording) = Recorder::new(app.clone());
        let ask = || {
            let whose = Whose::Known {
                organisation,
                integration: record.integration,
                token: record.id,
            };
            recorder.record(&answered(app, whose, "GET", "/Users"));
        };
        ask();

        installation
            .while_full(organisation, recording.write(Vec::new()))
            .await;
        ask();
        assert!(recording.again.is_some());
        recording.run(async {}).await;

        assert_eq!(there(app, &context).await, (2, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_takes_long_keeps_the_next_batch_waiting_for_a_moment_and_loses_nothing() {
        let installation = Installation::new().await;
        let (app, organisation) = (&installation.app, installation.organisation.id);
        let (record, _, context) = installation.directory(IntegrationKind::Entra).await;
        let (recorder, mut recording) = Recorder::new(app.clone());
        let ask = || {
            let whose = Whose::Known {
                organisation,
                integration: record.integration,
                token: record.id,
            };
            recorder.record(&answered(app, whose, "GET", "/Users"));
        };
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let tenant = app.store().tenant(organisation);
        let standing = tokio::spawn(async move {
            let unit = move |_: &mut dyn Writer| Ok(held.recv().is_err());
            tenant.write::<_, Failure, _>(unit).await
        });
        while app.store().figures().writes.wait.read().count == 0 {
            tokio::task::yield_now().await;
        }

        let mut took = Vec::new();
        for _ in 0..3 {
            ask();
            let (mut batch, begun) = (Vec::new(), Instant::now());
            recording.queue.recv_many(&mut batch, BATCH).await;
            recording.write(batch).await;
            took.push(begun.elapsed());
        }

        // of an organisation one write is under way: what comes meanwhile waits for it, and nobody for that
        assert_eq!(took, [SLOW, Duration::ZERO, Duration::ZERO]);
        drop(hold);
        standing.await.unwrap().unwrap();
        recording.run(async {}).await;
        assert_eq!(there(app, &context).await, (3, 3));
        assert_eq!(recorder.dropped(), 0);
    }
}
