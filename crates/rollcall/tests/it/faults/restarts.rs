//! A PostgreSQL server that is stopped under a server of ours and started again, in turns as by a crash and in good order.
//!
//! While it is away, clients are told so within seconds (503, when to come again, an error in SCIM's words); when it is back, so is the
//! endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rollcall_testkit::postgres::Server as Database;
use serde_json::Value;
use tokio::task::JoinSet;

use super::client::{Client, Figures, Outcome, mark_of, marked, says_away};
use super::feed::Feed;
use super::{clients, examine};
use crate::chance::Chance;
use crate::support::{Installation, Scim};
use crate::{ends, soak, store};

/// So soon a write works again.
const BACK_WITHIN: Duration = Duration::from_secs(5);
/// So soon a client is told that the database is away, but for one time in twenty.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
/// So soon a client is answered, whatever it is told.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// Makes a store in a database, with an organisation and a token for it.
fn with_vault(database: String) -> (Installation, String) {
    let installation = Installation::new();
    store::place(installation.folder.path(), database);
    installation.ok(&["org", "create", "vault", "--name", "An organisation"]);
    let token = installation.ok(&["token", "create", "--org", "vault"]);
    (installation, token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_restarts_is_missed_for_seconds_and_loses_nothing() {
    let (rounds, seed) = (soak::many(3, 20), soak::seed(1));
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let database_server = Database::of_ones_own("", &[]).unwrap();
    let database = database_server.database().unwrap();
    let (installation, token) = with_vault(database.url());
    let server = installation.serve(&[("ROLLCALL_RATE", "1000000")]);
    let scim = server.scim("vault", &token);
    let mut clients = clients(&scim, seed).await;
    let mut probe = Probe::new(&scim).await;
    let app = ends::app(installation.folder.path()).await;
    let mut feed = Feed::new(&app, "vault").await;
    let (mut longest, mut slowest) = (Duration::ZERO, Duration::ZERO);
    for round in 1..=rounds {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut writing = JoinSet::new();
        for client in clients {
            writing.spawn(write(client, Arc::clone(&is_over)));
        }
        pause(chance.within(100, 700)).await;
        let is_crash = round % 2 == 1;
        if is_crash {
            database_server.crash().unwrap();
        } else {
            database_server.stop().unwrap();
        }
        let away = Instant::now();
        let stay = Duration::from_millis(chance.within(50, 2_500) as u64);
        while away.elapsed() < stay {
            assert!(!probe.write().await, "the database is stopped");
            pause(5).await;
        }
        database_server.start().unwrap();
        let started = Instant::now();
        while !probe.write().await {
            let waited = started.elapsed();
            assert!(waited < BACK_WITHIN, "not back after {waited:?}");
            pause(10).await;
        }
        let back = started.elapsed();
        longest = longest.max(back);
        pause(300).await;
        is_over.store(true, Ordering::Relaxed);
        clients = writing.join_all().await;
        probe.look().await;
        for client in &mut clients {
            client.look().await.unwrap();
        }
        feed.agrees(&scim).await;
        examine(&installation);
        slowest = clients
            .iter()
            .map(|client| client.figures.slowest)
            .fold(slowest.max(probe.slowest), Duration::max);
        println!(
            "round {round}: {}, away for {} ms, back after {} ms",
            if is_crash { "crash" } else { "stop" },
            stay.as_millis(),
            back.as_millis()
        );
    }
    let figures = clients
        .iter()
        .fold(Figures::default(), |all, client| all.and(client.figures));
    println!(
        "{rounds} restarts: back after {} ms at most; {} writes acknowledged and there; of those under way {} were carried out and {} \
         were not; {} answers of 503; the slowest answer took {} ms; {} entries in the feed",
        longest.as_millis(),
        figures.acknowledged + probe.acknowledged,
        figures.carried_out,
        figures.not_carried_out,
        figures.away + probe.away,
        slowest.as_millis(),
        feed.place,
    );
    assert!(slowest < ANSWERED_WITHIN, "{slowest:?}");
    assert!(figures.away + probe.away > rounds, "nobody was told");
    assert!(
        probe.late * 20 <= probe.away,
        "{} of {}",
        probe.late,
        probe.away
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_told_twice_ends_although_its_database_stands_still() {
    let database_server = Database::of_ones_own("", &[]).unwrap();
    let database = database_server.database().unwrap();
    let (installation, token) = with_vault(database.url());
    let mut server = installation.serve(&[]);
    let scim = server.scim("vault", &token);
    let person = |name: &str| serde_json::json!({"userName": name});
    scim.post("/Users", person("ann")).await.is(201);
    let backends = database
        .sql("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        .unwrap();
    let backends: Vec<i32> = backends.lines().map(|pid| pid.parse().unwrap()).collect();
    let signal = |signal| {
        for pid in &backends {
            let pid = rustix::process::Pid::from_raw(*pid).unwrap();
            rustix::process::kill_process(pid, signal).unwrap();
        }
    };
    signal(rustix::process::Signal::STOP);
    let bob = person("bob");
    let asking = tokio::spawn(async move { scim.post("/Users", bob).await });
    pause(500).await;

    let id = rustix::process::Pid::from_child(&server.process);
    let stop = || rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    stop();
    pause(1_000).await;
    assert!(server.process.try_wait().unwrap().is_none() && !asking.is_finished());
    stop();

    let begun = Instant::now();
    let status = loop {
        if let Some(status) = server.process.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "it goes on");
        pause(100).await;
    };
    assert!(status.success(), "{status}");
    signal(rustix::process::Signal::CONT);
    asking.abort();
}

async fn pause(milliseconds: usize) {
    tokio::time::sleep(Duration::from_millis(milliseconds as u64)).await;
}

/// Lets a client write, and look when it does not know what became of a write, until it is over.
async fn write(mut client: Client, is_over: Arc<AtomicBool>) -> Client {
    while !is_over.load(Ordering::Relaxed) {
        let outcome = if client.is_uncertain() {
            client
                .look()
                .await
                .map_or_else(|outcome| outcome, |()| Outcome::Acknowledged)
        } else {
            client.step().await
        };
        match outcome {
            Outcome::Acknowledged => {}
            Outcome::Away => pause(5).await,
            Outcome::Broken => panic!("the server hung up"),
        }
    }
    client
}

/// Somebody who writes all the time, whatever became of the last write: a person whose marks grow.
struct Probe {
    scim: Scim,
    path: String,
    /// The mark of the last acknowledged write.
    last: u64,
    /// The mark of the last write.
    tried: u64,
    acknowledged: usize,
    away: usize,
    /// Answers of 503 that took longer than [`TOLD_WITHIN`].
    late: usize,
    slowest: Duration,
}

impl Probe {
    async fn new(scim: &Scim) -> Self {
        let mut body = marked(0);
        body["userName"] = "probe".into();
        let id = scim.post("/Users", body).await.is(201).id();
        Self {
            scim: scim.clone(),
            path: format!("/Users/{id}"),
            last: 0,
            tried: 0,
            acknowledged: 0,
            away: 0,
            late: 0,
            slowest: Duration::ZERO,
        }
    }

    /// Writes; tells whether it was acknowledged.
    async fn write(&mut self) -> bool {
        self.tried += 1;
        let mut body: Value = marked(self.tried);
        body["userName"] = "probe".into();
        let begun = Instant::now();
        let answer = self.scim.send("PUT", &self.path, Some(&body)).await;
        self.slowest = self.slowest.max(begun.elapsed());
        if answer.status == 503 {
            says_away(&answer);
            self.away += 1;
            self.late += usize::from(begun.elapsed() > TOLD_WITHIN);
            return false;
        }
        answer.is(200);
        self.last = self.tried;
        self.acknowledged += 1;
        true
    }

    /// Makes sure that what is there is the last acknowledged write, or a later one.
    async fn look(&self) {
        let found = mark_of(&self.scim.get(&self.path).await.is(200).body);
        assert!((self.last..=self.tried).contains(&found), "{found}");
    }
}
