//! `rollcall job watch`: both ends stay in step until it is stopped, and it stops cleanly.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rollcall_testkit::{Behaviour, Fault, Play, When};
use serde_json::json;

use super::desk::{CSV, Desk, TOKEN};
use super::sources::{endpoint, from, northwind};

/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until something is so; returns how long that took.
#[track_caller]
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    began.elapsed()
}

/// A job that is watched; killed when dropped.
struct Watched {
    process: Child,
    said: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
}

impl Watched {
    fn start(desk: &Desk) -> Self {
        let mut command = desk.command(&["watch"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let heard = Arc::clone(&said);
        let listener = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                heard.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        Self {
            process,
            said,
            listener: Some(listener),
        }
    }

    /// Tells whether it has said something.
    fn has_said(&self, part: &str) -> bool {
        self.said.lock().unwrap().contains(part)
    }

    /// Asks it to stop, as a service manager does, and waits for its end; returns its exit code, what it printed, and what it said.
    fn stopped(mut self) -> (Option<i32>, String, String) {
        let killed = Command::new("kill")
            .arg(self.process.id().to_string())
            .status();
        assert!(killed.unwrap().success());
        let code = self.process.wait().unwrap().code();
        let mut printed = String::new();
        self.process
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut printed)
            .unwrap();
        self.listener.take().unwrap().join().unwrap();
        let said = self.said.lock().unwrap().clone();
        assert!(
            !printed.contains(TOKEN) && !said.contains(TOKEN),
            "it shows the token"
        );
        (code, printed, said)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn a_file_that_changes_is_at_the_target_soon_and_a_bad_one_changes_nothing() {
    let desk = Desk::of_people(&["ann"], "[watch]\nevery = \"1s\"");
    let watched = Watched::start(&desk);
    until("ann is there", || desk.active() == ["ann"]);

    desk.people(&["ann", "bob"]);
    until("bob is there", || desk.active() == ["ann", "bob"]);
    desk.write("people.csv", "id,userName\n\"ann");
    until("the bad file was read", || {
        watched.has_said("nothing was taken")
    });
    assert_eq!(desk.active(), ["ann", "bob"]);
    desk.people(&["ann", "cleo"]);
    until("cleo is there", || desk.active() == ["ann", "cleo"]);

    let (code, printed, said) = watched.stopped();
    assert_eq!(code, Some(0), "{said}");
    assert!(printed.contains("1 person created"), "{printed}");
    assert!(
        said.contains("watching `people`; stop with Ctrl-C"),
        "{said}"
    );
}

#[tokio::test]
async fn a_change_of_an_own_directory_is_at_the_target_within_a_second_or_so() {
    let desk = Desk::new();
    let (server, northwind) = northwind(&desk);
    let ann = northwind.person("ann").await;
    desk.job("kind = \"directory\"\norg = \"northwind\"", "");
    let watched = Watched::start(&desk);
    until("ann is there", || desk.active() == ["ann"]);

    northwind.person("bob").await;
    let came = until("bob is there", || desk.active() == ["ann", "bob"]);
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    assert!(northwind.patch(&format!("/Users/{ann}"), off).await.status < 300);
    let left = until("ann is switched off", || desk.active() == ["bob"]);

    // generous, for machines that do other things too
    assert!(came < Duration::from_secs(5), "{came:?}");
    assert!(left < Duration::from_secs(5), "{left:?}");
    assert_eq!(watched.stopped().0, Some(0));
    drop(server);
}

#[tokio::test]
async fn a_scim_source_is_read_again_after_its_period() {
    let desk = Desk::new();
    let (source, scim) = endpoint(&desk, false);
    scim.person("ann").await;
    desk.job(&from(&source), "[watch]\nevery = \"1s\"");
    let watched = Watched::start(&desk);
    until("ann is there", || desk.active() == ["ann"]);

    scim.person("bob").await;
    until("bob is there", || desk.active() == ["ann", "bob"]);

    assert_eq!(watched.stopped().0, Some(0));
}

#[test]
fn the_group_that_has_the_assigned_name_now_is_the_assigned_one() {
    let desk = Desk::new();
    let files = "kind = \"csv\"\nusers = \"people.csv\"\ngroups = \"groups.csv\"";
    desk.job(files, "[scope]\nassigned = [\"group:Team\"]");
    desk.people(&["ann", "bob"]);
    desk.write(
        "groups.csv",
        "id,displayName,members\n1,Team,ann\n2,Other,bob\n",
    );
    let watched = Watched::start(&desk);
    until("ann is there", || desk.active() == ["ann"]);

    desk.write(
        "groups.csv",
        "id,displayName,members\n1,Old,ann\n2,Team,bob\n",
    );
    until("bob is there instead", || desk.active() == ["bob"]);

    assert_eq!(watched.stopped().0, Some(0));
}

#[test]
fn a_watch_that_is_stopped_ends_what_it_began_and_goes_on_with_the_rest_when_it_is_started_again() {
    let slow = Play::new(Fault::Slow { milliseconds: 400 }, When::Always).on(&["POST"]);
    let desk = Desk::with(Behaviour::default().with_play(slow));
    let names: Vec<String> = (0..60).map(|number| format!("p{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    desk.people(&names);
    desk.job(CSV, "");
    let watched = Watched::start(&desk);
    until("the cycle is under way", || desk.active().len() > 2);

    let (code, _, said) = watched.stopped();
    assert_eq!(code, Some(0), "{said}");
    let unanswered = desk
        .target
        .requests()
        .into_iter()
        .filter(|one| one.status.is_none());
    assert_eq!(unanswered.count(), 0);
    let there = desk.active().len();
    assert!(there < names.len(), "it was stopped in the middle");
    // nothing is sent that was not asked for, and nobody is made twice
    desk.target.calm();
    let sent = desk.sends(&["run"]);
    let created = sent.iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(created, names.len() - there, "{sent:#?}");
    assert_eq!(desk.active(), names);
}

#[test]
fn a_target_out_of_reach_does_not_end_a_watch() {
    let down = Play::new(Fault::Unauthorized, When::Always);
    let desk = Desk::with(Behaviour::default().with_play(down));
    desk.people(&["ann"]);
    desk.job(CSV, "[watch]\nevery = \"1s\"");
    let mut watched = Watched::start(&desk);

    until("the job waits", || {
        desk.command(&["status"])
            .output()
            .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("quarantine"))
    });
    assert!(watched.process.try_wait().unwrap().is_none(), "it goes on");
    desk.target.calm();
    // a cycle by hand ends the quarantine, and what changes then is sent by the watch
    until("somebody ran it", || {
        desk.command(&["run"]).output().unwrap().status.success()
    });
    desk.people(&["ann", "bob"]);
    until("bob is there", || desk.active() == ["ann", "bob"]);

    let (code, _, said) = watched.stopped();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("401"), "{said}");
}
