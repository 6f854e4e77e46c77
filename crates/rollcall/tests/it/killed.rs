//! Senders that are killed: a real `rollcall job run` process gets SIGKILL at a random moment, again and again, while the source goes
//! on changing. Whatever was on its way, nobody is created twice, nobody loses access whom the source has in use, and as soon as two
//! runs are left in peace, both ends agree.
//!
//! Four tests of fifty kills each, with another source and another target. Every story follows from its seed but for the moment at which
//! the system delivers the signal; `ROLLCALL_SEED=17 cargo nextest run -p rollcall killed` tells another one.
//!
//! **Start at** `Run::whole`; the sources are in [`source`], the targets in [`goal`], what is right and wrong in [`judgement`].

mod goal;
mod judgement;
mod source;

use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rollcall_testkit::{Behaviour, Dialect, Fault, Recorded, When};

use crate::chance::Chance;
use crate::store;
use crate::support::{Installation, rollcall};
use goal::{Goal, Moment};
use judgement::Judgement;
use source::{Form, Source};

/// How many processes are killed in a test.
const KILLS: usize = 50;
/// How many rounds a test may take: a process may be done before its moment comes.
const ROUNDS: usize = 4 * KILLS;

/// A process, and when it is killed.
#[derive(Debug, Default)]
pub(crate) struct Trap {
    process: Option<Child>,
    /// After so many requests, or requests that write; absent: by the clock.
    after: Option<Count>,
    was_sprung: bool,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    left: usize,
    of: Counted,
}

/// Which requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    All,
    Writes,
    /// What points from object to object: managers and members, which come last.
    Pointers,
}

impl Trap {
    /// Hears that a request took effect and is not answered yet.
    fn hears(&mut self, request: &Recorded) {
        let Some(count) = &mut self.after else {
            return;
        };
        let counts = match count.of {
            Counted::All => true,
            Counted::Writes => request.is_write(),
            Counted::Pointers => {
                let moment = Moment::of(std::slice::from_ref(request));
                matches!(moment, Moment::Managers | Moment::Members)
            }
        };
        if !counts {
            return;
        }
        count.left -= 1;
        if count.left == 0 {
            self.after = None;
            self.spring();
        }
    }

    /// Kills the process, and waits until nothing of it is left.
    fn spring(&mut self) {
        if let Some(process) = &mut self.process
            && process.try_wait().unwrap().is_none()
        {
            process.kill().unwrap();
            process.wait().unwrap();
            self.was_sprung = true;
        }
    }

    fn is_over(&mut self) -> bool {
        let process = self.process.as_mut();
        process.is_none_or(|process| process.try_wait().unwrap().is_some())
    }
}

/// How a process is killed.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// After a time.
    Clock(Duration),
    /// When so many requests took effect, before the last of them is answered.
    Answer(Count),
    /// When after so many requests the next ones wait for an answer, and are handled or not when nobody is there to hear it.
    Waiting(u64),
}

/// How a process came to its end.
#[derive(Debug)]
struct End {
    was_killed: bool,
    code: Option<i32>,
    said: String,
}

/// One story.
struct Run {
    seed: u64,
    chance: Chance,
    installation: Installation,
    source: Source,
    goal: Goal,
    judgement: Judgement,
    trap: Arc<Mutex<Trap>>,
    story: Vec<String>,
    /// How long a run takes that is left in peace.
    pace: Duration,
    /// At which moments of a run the kills fell.
    moments: Vec<Moment>,
}

impl Run {
    async fn new(seed: u64, form: Form, behaviour: Option<Behaviour>) -> Self {
        let seed = std::env::var("ROLLCALL_SEED").map_or(seed, |seed| seed.parse().unwrap());
        let installation = Installation { folder: folder() };
        let trap = Arc::new(Mutex::new(Trap::default()));
        let goal = match behaviour {
            Some(behaviour) => Goal::testkit(behaviour.with_seed(seed), &trap),
            None => Goal::server(&installation).await,
        };
        let source = Source::new(form, &installation).await;
        source.describe(installation.folder.path(), goal.url());
        Self {
            seed,
            chance: Chance::new(seed),
            installation,
            source,
            goal,
            judgement: Judgement::default(),
            trap,
            story: Vec::new(),
            pace: Duration::ZERO,
            moments: Vec::new(),
        }
    }

    fn tell(&mut self, text: String) {
        self.story.push(text);
    }

    /// Fails with the whole story.
    #[track_caller]
    fn wrong(&self, what: &[String]) {
        assert!(
            what.is_empty(),
            "seed {}:\n{}\n{}",
            self.seed,
            self.story.join("\n"),
            what.join("\n")
        );
    }

    /// Tells the story; returns its figures.
    async fn whole(mut self) -> String {
        let begun = Instant::now();
        self.fill().await;
        self.calm().await;
        let (mut rounds, mut calm_after) = (0, self.chance.within(5, 11));
        for round in 1..=ROUNDS {
            if self.moments.len() == KILLS {
                break;
            }
            rounds = round;
            self.tell(format!("round {round}"));
            for _ in 0..self.chance.within(3, 14) {
                self.change().await;
            }
            self.round().await;
            calm_after -= 1;
            if calm_after == 0 {
                calm_after = self.chance.within(5, 11);
                self.calm().await;
            }
        }
        assert_eq!(
            self.moments.len(),
            KILLS,
            "too many processes were done before their moment"
        );
        self.calm().await;
        self.peace().await;
        format!(
            "seed {}: {} kills in {rounds} rounds and {:.1} s, an undisturbed run takes {} ms; {}",
            self.seed,
            self.moments.len(),
            begun.elapsed().as_secs_f64(),
            self.pace.as_millis(),
            Moment::counted(&self.moments),
        )
    }

    /// Makes people and groups at the source, and those who are in the target already.
    async fn fill(&mut self) {
        for _ in 0..16 {
            let text = self.source.add_person(&mut self.chance).await;
            self.tell(text);
        }
        for _ in 0..5 {
            let text = self.source.add_group(&mut self.chance).await;
            self.tell(text);
        }
        // who is not in use would not be looked up
        let mut people = self.source.people.iter();
        let person = people.find(|person| person.is_active).unwrap();
        let group = &self.source.groups[0];
        let strangers = self.goal.fill(&person.name, &group.name).await;
        self.judgement.strangers = strangers;
        self.source.begin_period();
    }

    async fn change(&mut self) {
        if let Some(text) = self.source.change(&mut self.chance).await {
            self.tell(text);
        }
    }

    /// Runs a process that is killed, and looks at what it has done.
    async fn round(&mut self) {
        self.source.begin_run();
        self.source.publish(self.installation.folder.path());
        let way = self.way();
        self.tell(format!("a run is to be killed: {way:?}"));
        let before = self.goal.last_request();
        let end = self.killed(way).await;
        self.goal.settle().await;
        let moment = self.goal.moment_since(before);
        self.tell(format!(
            "  {}, {moment:?}, code {:?}: {}",
            if end.was_killed { "killed" } else { "done" },
            end.code,
            end.said
        ));
        if end.was_killed {
            self.moments.push(moment);
            if !store::is_a_file() {
                // nobody else can know yet that it died
                tokio::time::sleep(store::LEASE).await;
            }
        } else if end.code != Some(0) {
            self.wrong(&["a run that nobody killed failed".to_owned()]);
        }
        let mut wrong = self.judgement.news(&self.source, &mut self.goal).await;
        wrong.extend(self.judgement.members(&self.source, &self.goal).await);
        self.wrong(&wrong);
    }

    /// Draws how a run is killed.
    fn way(&mut self) -> Way {
        let pace = usize::try_from(self.pace.as_micros()).unwrap();
        let drawn = u64::try_from(self.chance.within(0, pace * 6 / 5 + 1)).unwrap();
        let clock = Way::Clock(Duration::from_micros(drawn));
        if !self.goal.tells_requests() {
            return clock;
        }
        let answer = |left, of| Way::Answer(Count { left, of });
        match self.chance.within(0, 20) {
            0..8 => clock,
            8..10 => answer(self.chance.within(1, 40), Counted::All),
            10..14 => answer(self.chance.within(1, 16), Counted::Writes),
            14..18 => answer(self.chance.within(1, 5), Counted::Pointers),
            _ => Way::Waiting(u64::try_from(self.chance.within(1, 30)).unwrap()),
        }
    }

    async fn killed(&mut self, way: Way) -> End {
        let start = self.goal.last_request();
        self.start(match way {
            Way::Answer(count) => Some(count),
            Way::Clock(_) | Way::Waiting(_) => None,
        });
        let begun = Instant::now();
        // a directory does not wait for cycles with its changes
        let changes_at =
            (self.source.is_live() && self.chance.happens(30)).then(|| self.pace.mul_f64(0.5));
        let mut has_changed = false;
        loop {
            if self.trap.lock().unwrap().is_over() {
                break;
            }
            match way {
                Way::Clock(after) if begun.elapsed() >= after => {
                    self.trap.lock().unwrap().spring();
                    break;
                }
                Way::Waiting(requests) if self.goal.last_request() >= start + requests => {
                    self.goal.pause();
                    tokio::time::sleep(Duration::from_millis(15)).await;
                    self.trap.lock().unwrap().spring();
                    self.goal.resume();
                    break;
                }
                _ => tokio::time::sleep(Duration::from_micros(500)).await,
            }
            if !has_changed && changes_at.is_some_and(|at| begun.elapsed() >= at) {
                has_changed = true;
                self.change().await;
                self.source.note_run();
            }
        }
        self.end()
    }

    /// Starts a run of the job.
    fn start(&self, after: Option<Count>) {
        let mut command = rollcall(
            self.installation.folder.path(),
            &["job", "run", "people.toml"],
        );
        command
            .env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")
            .env("TARGET_TOKEN", self.goal.token())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // requests are heard once the process is known
        let mut trap = self.trap.lock().unwrap();
        *trap = Trap {
            process: Some(command.spawn().unwrap()),
            after,
            was_sprung: false,
        };
    }

    /// Reads what became of the run.
    fn end(&self) -> End {
        let mut trap = self.trap.lock().unwrap();
        let trap = std::mem::take(&mut *trap);
        let output = trap.process.unwrap().wait_with_output().unwrap();
        End {
            was_killed: trap.was_sprung,
            code: output.status.code(),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }
    }

    /// Runs a process and leaves it in peace; returns how long it took.
    async fn left_alone(&mut self) -> Duration {
        self.source.begin_run();
        self.source.publish(self.installation.folder.path());
        let begun = Instant::now();
        self.start(None);
        let end = loop {
            if self.trap.lock().unwrap().is_over() {
                break self.end();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        let took = begun.elapsed();
        self.tell(format!("a run in peace, code {:?}: {}", end.code, end.said));
        let mut wrong = self.judgement.news(&self.source, &mut self.goal).await;
        if end.code != Some(0) {
            wrong.push("a run in peace failed".to_owned());
        }
        wrong.extend(self.judgement.members(&self.source, &self.goal).await);
        self.wrong(&wrong);
        took
    }

    /// Leaves two runs in peace, after which both ends agree.
    async fn calm(&mut self) {
        self.pace = self.left_alone().await;
        let agrees = self.judgement.agreement(&self.source, &self.goal).await;
        if !agrees.is_empty() {
            self.tell(format!("  one run was not enough: {agrees:?}"));
            self.left_alone().await;
            let wrong = self.judgement.agreement(&self.source, &self.goal).await;
            self.wrong(&wrong);
        }
        self.source.begin_period();
    }

    /// Makes sure that there is nothing left to do.
    async fn peace(&mut self) {
        let before = self.goal.writes().await;
        self.left_alone().await;
        assert_eq!(self.goal.writes().await, before, "both ends agreed already");
        let mut command = rollcall(
            self.installation.folder.path(),
            &["job", "compare", "people.toml"],
        );
        command
            .env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")
            .env("TARGET_TOKEN", self.goal.token());
        let compared = command.output().unwrap();
        let said = String::from_utf8_lossy(&compared.stdout).into_owned();
        assert!(compared.status.success(), "{said}");
    }
}

/// Makes a folder; in memory where there is one: a killed process loses nothing that it has written, wherever that is.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Answers that take a moment widen the gap between what the target did and what its sender knows.
fn slow() -> Behaviour {
    Behaviour::default().with_fault(Fault::Slow { milliseconds: 4 }, When::PerMille(400))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_killed_runs_from_a_directory_lose_nothing_and_do_nothing_twice() {
    let dialect = Dialect {
        patch_members: Some(3),
        ..Dialect::default()
    };
    let run = Run::new(1, Form::Directory, Some(slow().with_dialect(dialect))).await;
    println!("{}", run.whole().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_killed_runs_from_tables_lose_nothing_and_do_nothing_twice() {
    // nobody but the sender prevents that somebody is there twice
    let dialect = Dialect {
        unique: false,
        page_size: 10,
        ..Dialect::default()
    };
    let run = Run::new(2, Form::Csv, Some(slow().with_dialect(dialect))).await;
    println!("{}", run.whole().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_killed_runs_from_json_lines_to_a_target_without_patch_lose_nothing_and_do_nothing_twice()
 {
    let dialect = Dialect {
        unique: false,
        no_patch: true,
        ..Dialect::default()
    };
    let run = Run::new(3, Form::Lines, Some(slow().with_dialect(dialect))).await;
    println!("{}", run.whole().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_killed_runs_from_one_organisation_of_a_server_to_another_lose_nothing_and_do_nothing_twice()
 {
    let run = Run::new(4, Form::Directory, None).await;
    println!("{}", run.whole().await);
}
