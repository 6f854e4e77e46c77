//! Units that write: those of one organisation one after the other, many of them in one commit.
//!
//! While the database writes one commit of an organisation to disk, the next units of that organisation queue up, and all of them become
//! the next commit; each runs in a savepoint, so that one that fails takes back its own changes only. The books are the commit's: they are
//! read and written once for all of its units. Nobody is answered before the commit that holds their unit is on disk. Organisations do not wait for each other.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rollcall_model::OrgId;
use tokio::sync::oneshot;

use super::connections::{Connections, Purpose, WRITERS};
use super::session::{Open, Then};
use super::unit::Tenant;
use crate::books::Books;
use crate::figures::{Does, Waiting};
use crate::traits::Unit;
use crate::turns::Turns;
use crate::{Error, Figures};

/// So many units share a commit at most: PostgreSQL remembers as many savepoints of a transaction without effort.
const UNITS_PER_COMMIT: usize = 32;
/// So many units of an organisation wait at most; who comes then is told at once to come again later.
const QUEUE: usize = 4_096;

struct Request {
    unit: Unit,
    waiting: Waiting,
    answer: Answer,
}

type Answer = oneshot::Sender<Result<(), Error>>;

/// Runs units that write.
#[derive(Debug, Clone)]
pub(super) struct Writers {
    connections: Connections,
    turns: Arc<Turns>,
    queues: Arc<Queues>,
    figures: Arc<Figures>,
}

/// What waits, by organisation.
// INVARIANT: a queue is there exactly as long as somebody works through it
struct Queues(Mutex<HashMap<OrgId, VecDeque<Request>>>);

impl std::fmt::Debug for Queues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} organisations", self.lock().len())
    }
}

impl Queues {
    fn lock(&self) -> MutexGuard<'_, HashMap<OrgId, VecDeque<Request>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a request into a queue; tells whether somebody has to be found who works through it.
    fn push(&self, organisation: OrgId, request: Request) -> Result<bool, Error> {
        match self.lock().entry(organisation) {
            Entry::Occupied(queue) if queue.get().len() >= QUEUE => Err(Error::Busy),
            Entry::Occupied(mut queue) => {
                queue.get_mut().push_back(request);
                Ok(false)
            }
            Entry::Vacant(none) => {
                none.insert(VecDeque::from([request]));
                Ok(true)
            }
        }
    }

    /// Takes what the next commit is to hold; nothing, and no queue any more, when there is none.
    fn take(&self, organisation: OrgId) -> Vec<Request> {
        let mut queues = self.lock();
        let Entry::Occupied(mut queue) = queues.entry(organisation) else {
            return Vec::new();
        };
        let many = queue.get().len().min(UNITS_PER_COMMIT);
        if many == 0 {
            queue.remove();
            return Vec::new();
        }
        queue.get_mut().drain(..many).collect()
    }

    /// Takes what else a commit may hold that so many units are in already.
    fn take_besides(&self, organisation: OrgId, there: usize) -> Vec<Request> {
        let mut queues = self.lock();
        let Some(queue) = queues.get_mut(&organisation) else {
            return Vec::new();
        };
        let many = queue.len().min(UNITS_PER_COMMIT.saturating_sub(there));
        queue.drain(..many).collect()
    }
}

impl Writers {
    pub(super) fn new(connections: Connections, figures: Arc<Figures>) -> Self {
        Self {
            connections,
            turns: Arc::new(Turns::new(WRITERS, 1)),
            queues: Arc::new(Queues(Mutex::default())),
            figures,
        }
    }

    /// Runs a unit; returns once its commit is on disk, or its changes are taken back because it answered `false`.
    pub(super) async fn unit(&self, organisation: OrgId, unit: Unit) -> Result<(), Error> {
        let (answer, committed) = oneshot::channel();
        let request = Request {
            unit,
            waiting: self.figures.waits(Does::Write),
            answer,
        };
        if self.queues.push(organisation, request)? {
            // whoever asked may give up waiting, the others in the queue do not
            tokio::spawn(self.clone().work_through(organisation));
        }
        committed.await.map_err(|_| Error::Abandoned)?
    }

    async fn work_through(self, organisation: OrgId) {
        loop {
            let turn = self.turns.turn(None).await;
            let requests = self.queues.take(organisation);
            if requests.is_empty() {
                return;
            }
            let turn = match turn {
                Ok(turn) => turn,
                Err(error) => {
                    fail(requests.into_iter().map(|request| request.answer), &error);
                    continue;
                }
            };
            let writers = self.clone();
            let committed = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                writers.commit(organisation, requests);
            });
            // its requests are answered, or dropped with it
            drop(committed.await);
        }
    }

    /// Runs units in one transaction, and answers them.
    fn commit(&self, organisation: OrgId, requests: Vec<Request>) {
        let mut requests = VecDeque::from(requests);
        let mut waiting = Vec::new();
        let mut begun = None;
        let committed = self
            .connections
            .within(Purpose::Write(organisation), |open| {
                // who came while another node had the lock need not wait for it again
                requests.extend(self.queues.take_besides(organisation, requests.len()));
                let tenancy = (&self.connections, Purpose::Write(organisation));
                let then = run(tenancy, open, &mut requests, &mut waiting)?;
                begun = (then == Then::Keep).then(Instant::now);
                Ok(((), then))
            });
        match committed {
            Ok(()) => {
                if let Some(begun) = begun {
                    self.figures.committed(waiting.len(), begun);
                }
                for (answer, refused) in waiting {
                    drop(answer.send(refused.map_or(Ok(()), Err)));
                }
            }
            Err(error) => {
                let waiting = waiting.into_iter().map(|(answer, _)| answer);
                fail(
                    waiting.chain(requests.into_iter().map(|request| request.answer)),
                    &error,
                );
            }
        }
    }
}

/// Runs units, and tells whether any changed anything. Who has run waits for the commit, also when the unit refused: what it told its caller
/// may rest on changes of its predecessors in this commit.
fn run(
    (connections, purpose): (&Connections, Purpose),
    open: &Open<'_>,
    requests: &mut VecDeque<Request>,
    waiting: &mut Vec<(Answer, Option<Error>)>,
) -> Result<Then, Error> {
    let is_shared = requests.len() > 1;
    let mut is_changed = false;
    let mut books = Books::default();
    while !requests.is_empty() {
        let tenant = Tenant::new(open, connections, purpose, None);
        let mut tenant = tenant.with_books(books.clone());
        if is_shared {
            tenant.say_later("SAVEPOINT unit".to_owned());
        }
        let Some(request) = requests.pop_front() else {
            break;
        };
        let Request {
            unit,
            waiting: waited,
            answer,
        } = request;
        drop(waited);
        // a panic in a unit is that unit's failure, not the server's
        let keep = catch_unwind(AssertUnwindSafe(|| unit(&mut tenant))).unwrap_or(false);
        let refused = if keep {
            end(&tenant, is_shared).err()
        } else {
            None
        };
        let is_kept = keep && refused.is_none();
        waiting.push((answer, refused));
        is_changed |= is_kept;
        if is_kept {
            books = tenant.books.take();
        } else if is_shared && tenant.has_spoken() {
            // the books stay what they were, and so does the database; what was put off and not sent is dropped with the unit
            let back = "ROLLBACK TO unit; RELEASE unit";
            open.driver.wait(open.transaction.batch_execute(back))?;
        }
    }
    // what nobody changed need not be kept for the answer to be true
    if !is_changed {
        return Ok(Then::TakeBack);
    }
    let last = Tenant::new(open, connections, purpose, None).with_books(books);
    last.catch_up()?;
    if is_shared && !last.has_spoken() {
        // a unit may have failed before its savepoint was sent, and the COMMIT would not say so
        last.wait(open.transaction.batch_execute("SELECT"))?;
    }
    Ok(Then::Keep)
}

/// Ends a unit whose changes are to be kept.
fn end(tenant: &Tenant<'_>, is_shared: bool) -> Result<(), Error> {
    if !is_shared {
        // nobody comes after it whose books these would be too
        return tenant.catch_up();
    }
    tenant.sound()?;
    tenant.say_later("RELEASE unit".to_owned());
    tenant.send_put_off()
}

/// Tells everybody that nothing of theirs was kept.
fn fail(waiting: impl IntoIterator<Item = Answer>, why: &Error) {
    for answer in waiting {
        let told = match why {
            Error::Busy | Error::TooLong => Error::Busy,
            other => Error::Unreachable(text(other).into()),
        };
        drop(answer.send(Err(told)));
    }
}

/// Writes an error with its causes.
fn text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
