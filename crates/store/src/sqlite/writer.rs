//! The writer thread: many units, one commit, one sync.
//!
//! A unit runs in a savepoint of the open transaction, so a failing unit takes back its own changes only. While the disk
//! syncs one commit the next units queue up, and all of them become the next commit: the busier the server, the fewer
//! syncs per unit. Nobody is answered before the commit that holds their unit is on disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::Error;

/// So many units share a commit at most, to bound how long the first of them waits.
const UNITS_PER_COMMIT: usize = 512;

type Job = Box<dyn FnOnce(&Connection) -> bool + Send>;

struct Request {
    job: Job,
    answer: oneshot::Sender<Result<(), Error>>,
}

#[derive(Debug)]
pub(super) struct Writer {
    requests: mpsc::Sender<Request>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, Error> {
        let (requests, queue) = mpsc::channel();
        std::thread::Builder::new()
            .name("rollcall-writer".into())
            .spawn(move || serve(&connection, &queue))
            .map_err(|error| Error::Unreachable(Box::new(error)))?;
        Ok(Self { requests })
    }

    /// Runs a unit; returns once its commit is on disk, or its changes are taken back because it answered `false`.
    pub(super) async fn unit(&self, job: Job) -> Result<(), Error> {
        let (answer, committed) = oneshot::channel();
        self.requests
            .send(Request { job, answer })
            .map_err(|_| Error::Abandoned)?;
        committed.await.map_err(|_| Error::Abandoned)?
    }

    /// Runs a function as a unit and returns its result.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        function: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (result, computed) = oneshot::channel();
        self.unit(Box::new(move |connection| {
            let outcome = function(connection);
            let keep = outcome.is_ok();
            // the receiver is gone only when the caller gave up waiting
            drop(result.send(outcome));
            keep
        }))
        .await?;
        computed.await.map_err(|_| Error::Abandoned)?
    }
}

fn serve(connection: &Connection, queue: &mpsc::Receiver<Request>) {
    while let Ok(first) = queue.recv() {
        if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
            drop(first.answer.send(Err(Error::Unreachable(Box::new(error)))));
            continue;
        }
        let mut waiting = Vec::new();
        run(connection, first, &mut waiting);
        while waiting.len() < UNITS_PER_COMMIT {
            match queue.try_recv() {
                Ok(next) => run(connection, next, &mut waiting),
                Err(_) => break,
            }
        }
        match connection.execute_batch("COMMIT") {
            Ok(()) => waiting
                .into_iter()
                .for_each(|answer| drop(answer.send(Ok(())))),
            Err(error) => {
                let text = error.to_string();
                drop(connection.execute_batch("ROLLBACK"));
                for answer in waiting {
                    drop(answer.send(Err(Error::Unreachable(text.clone().into()))));
                }
            }
        }
    }
}

/// Runs one unit in a savepoint. Whoever asked for it is answered by the commit, also when the unit refused: what it told its
/// caller may rest on changes of its predecessors in this commit.
fn run(
    connection: &Connection,
    request: Request,
    waiting: &mut Vec<oneshot::Sender<Result<(), Error>>>,
) {
    let Request { job, answer } = request;
    let outcome = connection.execute_batch("SAVEPOINT unit").map(|()| {
        // a panic in a unit is that unit's failure, not the server's
        catch_unwind(AssertUnwindSafe(|| job(connection))).unwrap_or(false)
    });
    let closed = match outcome {
        Ok(true) => connection.execute_batch("RELEASE unit"),
        Ok(false) => connection.execute_batch("ROLLBACK TO unit; RELEASE unit"),
        Err(error) => Err(error),
    };
    match closed {
        Ok(()) => waiting.push(answer),
        Err(error) => {
            drop(connection.execute_batch("ROLLBACK TO unit; RELEASE unit"));
            drop(answer.send(Err(Error::Unreachable(Box::new(error)))));
        }
    }
}
