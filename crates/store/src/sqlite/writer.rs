//! The writer thread: many units, one commit, one sync.
//!
//! A unit runs in a savepoint of the open transaction, so a failing unit takes back its own changes only. While the disk
//! syncs one commit the next units queue up, and all of them become the next commit: the busier the server, the fewer
//! syncs per unit. Nobody is answered before the commit that holds their unit is on disk.
//!
//! A full or failing disk makes SQLite take back the whole transaction in the middle of a unit. Whatever the batch had done is
//! gone then, and everybody in it is told so; the next unit begins a new batch.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::execute;
use super::queue::{Lane, Queue};
use crate::figures::{Does, Waiting};
use crate::{Error, Figures};

/// So many units share a commit at most, and it takes in no more after this time: the first of them waits for the last.
const UNITS_PER_COMMIT: usize = 512;
const UNITS_TIME: Duration = Duration::from_millis(20);
/// Where the disk is slow a commit takes in units for so many times as long as the last one took to sync: waiting for the disk must not
/// become what the writer does most.
const TIMES_THE_SYNC: u32 = 4;
/// Yet no longer than this: after a sync that stood still for seconds nobody waits for many times as long.
const UNITS_TIME_AT_MOST: Duration = Duration::from_millis(500);

/// A unit; tells whether its changes are to be kept.
type Job = Box<dyn FnOnce(&Connection) -> Result<bool, Error> + Send>;

struct Request {
    job: Job,
    waiting: Waiting,
    answer: oneshot::Sender<Result<(), Error>>,
}

pub(super) struct Writer {
    queue: Arc<Queue<Request>>,
    figures: Arc<Figures>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The thread's end of the queue: with the thread, however it ends, the hope of everybody who waits ends too.
struct Served(Arc<Queue<Request>>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.close();
        drop(self.0.take_all());
    }
}

impl Writer {
    pub(super) fn start(connection: Connection, figures: Arc<Figures>) -> Result<Self, Error> {
        Self::taking_in_for(UNITS_TIME, connection, figures)
    }

    /// Starts one whose commits take in units for at least so long.
    fn taking_in_for(
        time: Duration,
        mut connection: Connection,
        figures: Arc<Figures>,
    ) -> Result<Self, Error> {
        let queue = Arc::new(Queue::default());
        let committing = Arc::new(AtomicBool::new(false));
        let allowed = Arc::clone(&committing);
        // INVARIANT: only the batch commits. What a unit still does after SQLite took its transaction back would otherwise be
        // committed statement by statement.
        connection.commit_hook(Some(move || !allowed.load(Ordering::Relaxed)))?;
        let counting = Arc::clone(&figures);
        let served = Served(Arc::clone(&queue));
        std::thread::Builder::new()
            .name("rollcall-writer".into())
            .spawn(move || serve(&connection, &served.0, time, (&committing, &counting)))
            .map_err(|error| Error::Unreachable(Box::new(error)))?;
        Ok(Self { queue, figures })
    }

    /// Runs a unit; returns once its commit is on disk, or its changes are taken back because it answered `false`.
    pub(super) async fn unit(&self, lane: Lane, job: Job) -> Result<(), Error> {
        let (answer, committed) = oneshot::channel();
        let request = Request {
            job,
            waiting: self.figures.waits(Does::Write),
            answer,
        };
        self.queue.push(lane, request)?;
        committed.await.map_err(|_| Error::Abandoned)?
    }

    /// Runs a function as a unit and returns its result.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        function: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (result, computed) = oneshot::channel();
        let unit = Box::new(move |connection: &Connection| {
            let outcome = function(connection);
            let keep = outcome.is_ok();
            // the receiver is gone only when the caller gave up waiting
            drop(result.send(outcome));
            Ok(keep)
        });
        self.unit(lane, unit).await?;
        computed.await.map_err(|_| Error::Abandoned)?
    }
}

type Answer = oneshot::Sender<Result<(), Error>>;

fn serve(
    connection: &Connection,
    queue: &Queue<Request>,
    time: Duration,
    (committing, figures): (&AtomicBool, &Figures),
) {
    let mut last_sync = Duration::ZERO;
    while let Some(first) = queue.wait() {
        if let Err(error) = execute(connection, "BEGIN IMMEDIATE") {
            // another process kept the write lock for as long as we waited. Who is in the queue has waited too: if each of them
            // waited for the lock again, one would be answered per wait. Who comes after the first answer has not waited
            let waiting = std::iter::once(first).chain(queue.take_all());
            fail(waiting.map(|request| request.answer), &error.to_string());
            continue;
        }
        let mut waiting = Vec::new();
        let enough = Instant::now() + time.max(by_the_disk(last_sync));
        let mut next = Some(first);
        while let Some(request) = next {
            run(connection, request, &mut waiting);
            if connection.is_autocommit() {
                break;
            }
            let has_room = waiting.len() < UNITS_PER_COMMIT && Instant::now() < enough;
            next = has_room.then(|| queue.take()).flatten();
        }
        if connection.is_autocommit() {
            fail(waiting, "the database took the transaction back");
            continue;
        }
        committing.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        let committed = execute(connection, "COMMIT");
        committing.store(false, Ordering::Relaxed);
        last_sync = begun.elapsed();
        match committed {
            Ok(()) => {
                figures.committed(waiting.len(), begun);
                for answer in waiting {
                    drop(answer.send(Ok(())));
                }
            }
            Err(error) => {
                drop(connection.execute_batch("ROLLBACK"));
                fail(waiting, &error.to_string());
            }
        }
    }
}

/// How long a commit takes in units after one that took so long to sync.
fn by_the_disk(last_sync: Duration) -> Duration {
    last_sync
        .saturating_mul(TIMES_THE_SYNC)
        .min(UNITS_TIME_AT_MOST)
}

/// Tells everybody that nothing of theirs was kept.
fn fail(waiting: impl IntoIterator<Item = Answer>, why: &str) {
    for answer in waiting {
        drop(answer.send(Err(Error::Unreachable(why.into()))));
    }
}

/// Runs one unit in a savepoint. Whoever asked for it is answered by the commit, also when the unit refused: what it told its
/// caller may rest on changes of its predecessors in this commit.
fn run(connection: &Connection, request: Request, waiting: &mut Vec<Answer>) {
    let Request {
        job,
        waiting: waited,
        answer,
    } = request;
    drop(waited);
    let begun = execute(connection, "SAVEPOINT unit").map_err(Error::from);
    let outcome = begun.and_then(|()| {
        // a panic in a unit is that unit's failure, not the server's
        catch_unwind(AssertUnwindSafe(|| job(connection))).unwrap_or(Ok(false))
    });
    if connection.is_autocommit() {
        // no savepoint is left to close: the caller tells the batch
        waiting.push(answer);
        return;
    }
    let closed = match outcome {
        Ok(true) => execute(connection, "RELEASE unit").map_err(Error::from),
        Ok(false) => {
            let back = connection.execute_batch("ROLLBACK TO unit; RELEASE unit");
            back.map_err(Error::from)
        }
        Err(error) => Err(error),
    };
    match closed {
        Ok(()) => waiting.push(answer),
        Err(error) => {
            drop(connection.execute_batch("ROLLBACK TO unit; RELEASE unit"));
            drop(answer.send(Err(error)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;

    use rollcall_model::OrgId;

    use super::*;

    fn connection(folder: &tempfile::TempDir) -> Connection {
        let connection = Connection::open(folder.path().join("store.db")).unwrap();
        connection
            .pragma_update(None, "journal_mode", "wal")
            .unwrap();
        connection
            .execute_batch("CREATE TABLE IF NOT EXISTS t (x BLOB)")
            .unwrap();
        connection
    }

    /// Starts a writer whose batches end when nobody waits, however slow the machine is.
    fn started(connection: Connection, figures: Arc<Figures>) -> Writer {
        Writer::taking_in_for(Duration::from_mins(1), connection, figures).unwrap()
    }

    fn insert(bytes: i64) -> impl FnOnce(&Connection) -> Result<(), Error> + Send {
        move |connection| {
            connection.execute("INSERT INTO t VALUES (zeroblob(?1))", [bytes])?;
            Ok(())
        }
    }

    fn rows(folder: &tempfile::TempDir) -> Vec<i64> {
        let connection = connection(folder);
        let mut statement = connection
            .prepare("SELECT length(x) FROM t ORDER BY 1")
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// Keeps the writer in a unit until the sender is dropped, so that what comes meanwhile shares its commit.
    async fn held(writer: &Arc<Writer>) -> (mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
        let (hold, held) = mpsc::channel::<()>();
        let (running, runs) = oneshot::channel();
        let writer = Arc::clone(writer);
        let task = tokio::spawn(async move {
            let unit = writer.run(None, move |_| {
                running.send(()).unwrap();
                // until the sender is gone
                assert!(held.recv().is_err());
                Ok(())
            });
            drop(unit.await);
        });
        runs.await.unwrap();
        (hold, task)
    }

    #[test]
    fn a_slow_disk_makes_batches_longer_and_one_that_stood_still_does_not_keep_the_next_waiting() {
        for (sync, takes_in) in [(0, 0), (30, 120), (125, 500), (3_000, 500)] {
            let time = by_the_disk(Duration::from_millis(sync));
            assert_eq!(time, Duration::from_millis(takes_in), "{sync} ms");
        }
    }

    #[tokio::test]
    async fn when_the_disk_is_full_the_whole_batch_is_told_and_nothing_of_it_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let connection = connection(&folder);
        connection
            .pragma_update(None, "max_page_count", 16)
            .unwrap();
        let writer = Arc::new(started(connection, Arc::default()));
        let (hold, task) = held(&writer).await;

        let before = writer.run(None, insert(10));
        let full = writer.run(None, |connection| {
            let failed = insert(1_000_000)(connection);
            // a unit that goes on regardless must not commit anything either
            drop(insert(30)(connection));
            failed
        });
        let stubborn = writer.run(None, |connection| {
            drop(insert(1_000_000)(connection));
            insert(40)(connection)
        });
        let after = writer.run(None, insert(20));
        let release = async move {
            tokio::task::yield_now().await;
            drop(hold);
        };
        let (before, full, stubborn, after, ()) =
            tokio::join!(before, full, stubborn, after, release);
        task.await.unwrap();

        assert!(matches!(before, Err(Error::Unreachable(_))), "{before:?}");
        assert!(matches!(full, Err(Error::Unreachable(_))), "{full:?}");
        assert!(
            matches!(stubborn, Err(Error::Unreachable(_))),
            "{stubborn:?}"
        );
        after.unwrap();
        assert_eq!(rows(&folder), [20]);
        writer.run(None, insert(50)).await.unwrap();
        assert_eq!(rows(&folder), [20, 50]);
    }

    #[tokio::test]
    async fn while_another_process_writes_all_who_wait_are_answered_together() {
        let folder = tempfile::tempdir().unwrap();
        let other = connection(&folder);
        let connection = connection(&folder);
        connection.busy_timeout(Duration::from_millis(300)).unwrap();
        let writer = started(connection, Arc::default());
        other.execute_batch("BEGIN IMMEDIATE").unwrap();

        let asked = Instant::now();
        let mut units = Vec::new();
        for _ in 0..20 {
            units.push(writer.run(None, insert(1)));
        }
        let mut failed = 0;
        let mut units = units.into_iter().map(Box::pin).collect::<Vec<_>>();
        // all of them are in the queue before the first is waited for
        for unit in &mut units {
            let polled = std::future::poll_fn(|context| {
                std::task::Poll::Ready(unit.as_mut().poll(context).is_ready())
            });
            assert!(!polled.await);
        }
        for unit in units {
            failed += usize::from(matches!(unit.await, Err(Error::Unreachable(_))));
        }

        assert_eq!(failed, 20);
        assert!(asked.elapsed() < Duration::from_secs(2));
        other.execute_batch("ROLLBACK").unwrap();
        writer.run(None, insert(1)).await.unwrap();
    }

    #[tokio::test]
    async fn figures_tell_who_waits_and_how_many_shared_a_commit() {
        let folder = tempfile::tempdir().unwrap();
        let figures = Arc::<Figures>::default();
        let writer = started(connection(&folder), Arc::clone(&figures));
        let writer = Arc::new(writer);
        let (hold, task) = held(&writer).await;
        let (one, other) = (writer.run(None, insert(1)), writer.run(None, insert(2)));
        let waiting = async {
            // both are in the queue: they were polled before
            assert_eq!(figures.writes.waiting.value(), 2);
            drop(hold);
        };

        let (one, other, ()) = tokio::join!(one, other, waiting);

        one.and(other).unwrap();
        task.await.unwrap();
        let commits = figures.commits.read();
        assert_eq!(
            (commits.count, commits.sum.round()),
            (1, 3.0),
            "{commits:?}"
        );
        assert_eq!(figures.writes.waiting.value(), 0);
        assert_eq!(figures.writes.wait.read().count, 3);
        assert_eq!(figures.commit_time.read().count, 1);
    }

    #[tokio::test]
    async fn an_organisation_that_sends_too_much_waits_for_itself_only() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Arc::new(started(connection(&folder), Arc::default()));
        let (hold, task) = held(&writer).await;
        let greedy = Some(OrgId::from_bytes([1; 16]));
        let served = Arc::new(AtomicUsize::new(0));
        let crowd = || {
            let served = Arc::clone(&served);
            let job: Job = Box::new(move |_| {
                served.fetch_add(1, Ordering::Relaxed);
                Ok(true)
            });
            let (answer, _) = oneshot::channel();
            let waiting = writer.figures.waits(Does::Write);
            Request {
                job,
                waiting,
                answer,
            }
        };
        while writer.queue.push(greedy, crowd()).is_ok() {}

        let refused = writer.run(greedy, insert(1)).await;
        assert!(matches!(refused, Err(Error::Busy)), "{refused:?}");
        let before = Arc::clone(&served);
        let modest = writer.run(Some(OrgId::from_bytes([2; 16])), move |_| {
            Ok(before.load(Ordering::Relaxed))
        });
        let release = async move { drop(hold) };
        let (modest, ()) = tokio::join!(modest, release);

        assert_eq!(modest.unwrap(), 1);
        task.await.unwrap();
        writer.run(greedy, insert(1)).await.unwrap();
        assert!(served.load(Ordering::Relaxed) > 1_000);
    }
}
