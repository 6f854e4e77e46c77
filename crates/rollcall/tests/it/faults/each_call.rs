//! A disk that fails at a certain call: before a write or a sync, in the middle of a write, or with the power, when what was not synced is
//! there only in parts; and one that answers each write with an error for a while.
//!
//! The process is made to fail by a small library that is loaded into it, see `each_call.c`.

use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::task::JoinSet;

use super::client::{Client, Figures, Outcome};
use super::{clients, examine};
use crate::chance::Chance;
use crate::store::is_a_file;
use crate::support::{Installation, Server, rollcall};
use crate::{ends, soak};

/// So many calls are tried one after the other in the long form: some dozen writes of SCIM. Moments that are farther away are drawn by
/// chance, up to [`FAR`]: some checkpoints.
const NEAR: usize = 300;
const FAR: usize = 6_000;
/// About so many calls there are for each that syncs.
const CALLS_PER_SYNC: usize = 30;

/// How a call fails.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The process is killed before it.
    Killed,
    /// The first half is written.
    Torn,
    /// The power goes.
    Lost,
    /// The disk is full.
    Full,
    /// The disk does not work.
    Broken,
}

impl Fault {
    fn word(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// A library that makes calls fail.
struct Library {
    path: PathBuf,
    armed: PathBuf,
}

impl Library {
    fn built(folder: &Path) -> Self {
        let path = folder.join("each_call.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faults/each_call.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&path)
            .arg(source)
            .args(["-ldl", "-lpthread"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{said}");
        let armed = folder.join("armed");
        Self { path, armed }
    }

    /// Loads itself into a process, which fails at this call once it is armed.
    fn load(&self, command: &mut Command, fault: Fault, at: usize) {
        command
            .env("LD_PRELOAD", &self.path)
            .env("FAULT", fault.word())
            .env("FAULT_AT", at.to_string())
            .env("FAULT_ARMED", &self.armed);
    }

    fn arm(&self) {
        std::fs::write(&self.armed, "").unwrap();
    }

    fn disarm(&self) {
        std::fs::remove_file(&self.armed).unwrap();
    }
}

/// An installation, and clients that write into it.
struct Story {
    installation: Installation,
    token: String,
    library: Library,
    clients: Vec<Client>,
    head: String,
}

impl Story {
    async fn begin(seed: u64) -> Self {
        let (installation, token) = Installation::with("vault");
        let library = Library::built(installation.folder.path());
        let server = installation.serve(&[]);
        let clients = clients(&server.scim("vault", &token), seed).await;
        drop(server);
        let head = installation.ok(&["audit", "head", "--org", "vault"]);
        Self {
            installation,
            token,
            library,
            clients,
            head,
        }
    }

    /// Returns the command of a server of which one call will fail: of all that write, or of those that sync.
    fn faulty(&self, fault: Fault, at: usize, on: &str) -> Command {
        let folder = self.installation.folder.path();
        let mut command = rollcall(folder, &["serve", "--listen", "127.0.0.1:0"]);
        command.env("ROLLCALL_RATE", "1000000").env("FAULT_ON", on);
        self.library.load(&mut command, fault, at);
        command
    }

    /// Starts a server, and lets the clients see that all is there.
    async fn serve(&mut self, command: Command) -> Server {
        let (server, _) = Server::of(command);
        let base = server.scim("vault", &self.token).base;
        for client in &mut self.clients {
            client.scim.base.clone_from(&base);
            client.look().await.unwrap();
        }
        server
    }

    /// Lets clients write until each has met with something other than an acknowledgement.
    async fn load(&mut self) {
        let mut writing = JoinSet::new();
        for mut client in std::mem::take(&mut self.clients) {
            writing.spawn(async move {
                while matches!(client.step().await, Outcome::Acknowledged) {}
                client
            });
        }
        self.clients = writing.join_all().await;
    }

    fn examine(&mut self) {
        examine(&self.installation);
        let kept = self.head.split(' ').next().unwrap();
        let verify = ["audit", "verify", "--org", "vault", "--head", kept];
        self.installation.ok(&verify);
        self.head = self.installation.ok(&["audit", "head", "--org", "vault"]);
    }

    /// Returns what the clients have seen.
    fn told(&self, what: &str) -> String {
        let each = self.clients.iter().map(|client| client.figures);
        let all = each.fold(Figures::default(), Figures::and);
        format!(
            "{what}: {} writes acknowledged and there; of those under way {} were carried out and {} were not",
            all.acknowledged, all.carried_out, all.not_carried_out
        )
    }
}

/// Returns the calls at which something happens: all near ones and as many far ones in the long form, and a few otherwise.
fn moments(chance: &mut Chance, few: usize) -> Vec<usize> {
    let many = soak::many(few, 2 * NEAR);
    let near = many / 2;
    let mut moments: Vec<usize> = (1..=near)
        .map(|number| (number * NEAR / near).max(1))
        .collect();
    moments.extend((near..many).map(|_| chance.within(1, FAR)));
    moments
}

async fn dies(fault: Fault, on: &str) -> String {
    if !is_a_file() {
        return "PostgreSQL writes with processes of its own".to_owned();
    }
    let seed = soak::seed(1);
    let mut chance = Chance::new(seed);
    let moments = moments(&mut chance, 12);
    let mut story = Story::begin(seed).await;
    for (round, at) in moments.iter().enumerate() {
        let at = if on == "sync" {
            at / CALLS_PER_SYNC + 1
        } else {
            *at
        };
        let command = story.faulty(fault, at, on);
        let mut server = story.serve(command).await;
        story.library.arm();
        story.load().await;
        server.process.wait().unwrap();
        story.library.disarm();
        if round % 5 == 4 {
            story.examine();
        }
    }
    // the last death, too, has left nothing behind
    let sound = story
        .installation
        .command(&["serve", "--listen", "127.0.0.1:0"]);
    let server = story.serve(sound).await;
    let scim = server.scim("vault", &story.token);
    let app = ends::app(story.installation.folder.path()).await;
    super::feed::Feed::new(&app, "vault")
        .await
        .agrees(&scim)
        .await;
    story.examine();
    story.told(&format!("{} times {fault:?}", moments.len()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_before_any_call_keeps_what_it_acknowledged() {
    println!("{}", dies(Fault::Killed, "any").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_before_any_sync_keeps_what_it_acknowledged() {
    println!("{}", dies(Fault::Killed, "sync").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_in_the_middle_of_a_write_keeps_what_it_acknowledged() {
    println!("{}", dies(Fault::Torn, "any").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlasts_the_power() {
    println!("{}", dies(Fault::Lost, "any").await);
}

/// Whoever doubts that these tests see a loss finds one here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_disk_that_lies_about_its_syncs_the_loss_is_seen() {
    if !is_a_file() {
        return;
    }
    let mut story = Story::begin(soak::seed(1)).await;
    let mut lying = story.faulty(Fault::Lost, NEAR, "any");
    lying.env("FAULT_LIES", "1");
    let mut server = story.serve(lying).await;
    story.library.arm();
    story.load().await;
    server.process.wait().unwrap();

    let sound = story
        .installation
        .command(&["serve", "--listen", "127.0.0.1:0"]);
    let looked = tokio::spawn(async move { story.serve(sound).await });

    let Err(seen) = looked.await else {
        panic!("nobody has noticed");
    };
    let said = seen.into_panic();
    let said = said.downcast_ref::<String>().unwrap();
    assert!(
        said.starts_with("found ") && said.contains("acknowledged"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_for_a_while_is_told_and_then_everything_goes_on() {
    if !is_a_file() {
        return;
    }
    let seed = soak::seed(1);
    let mut chance = Chance::new(seed);
    let mut story = Story::begin(seed).await;
    let moments = moments(&mut chance, 6);
    for (round, at) in moments.iter().enumerate() {
        let fault = [Fault::Full, Fault::Broken][round % 2];
        let on = ["any", "sync"][round / 2 % 2];
        let at = if on == "sync" {
            at / CALLS_PER_SYNC + 1
        } else {
            *at
        };
        let command = story.faulty(fault, at, on);
        let server = story.serve(command).await;
        story.library.arm();
        story.load().await;
        story.library.disarm();
        for client in &mut story.clients {
            client.look().await.unwrap();
            for _ in 0..3 {
                let outcome = client.step().await;
                assert!(matches!(outcome, Outcome::Acknowledged), "{outcome:?}");
            }
        }
        drop(server);
        if round % 5 == 4 {
            story.examine();
        }
    }
    story.examine();
    println!(
        "{}",
        story.told(&format!("{} times a failing disk", moments.len()))
    );
}

#[test]
fn a_store_whose_making_is_cut_short_anywhere_is_made_the_next_time() {
    if !is_a_file() {
        return;
    }
    let seed = soak::seed(1);
    let mut chance = Chance::new(seed);
    let workshop = tempfile::tempdir().unwrap();
    let library = Library::built(workshop.path());
    library.arm();
    let create = ["org", "create", "vault", "--name", "Vault"];
    let made = |fault, at| {
        let installation = Installation::new();
        let count = installation.folder.path().join("count");
        let mut command = installation.command(&create);
        library.load(&mut command, fault, at);
        command.env("FAULT_COUNT", &count);
        let output = command.output().unwrap();
        // empty where the process died while it wrote the count
        let count = std::fs::read_to_string(count).unwrap_or_default();
        let count = count.parse().unwrap_or(0);
        (installation, output.status.success(), count)
    };
    let (_, was_made, calls) = made(Fault::Killed, usize::MAX);
    assert!(was_made && calls > 20, "{calls}");
    let rounds = soak::many(12, calls);
    let mut died = 0;
    for round in 0..rounds {
        let fault = [Fault::Killed, Fault::Torn, Fault::Lost][round % 3];
        let at = if rounds < calls {
            chance.within(1, calls)
        } else {
            round + 1
        };
        let (installation, was_made, _) = made(fault, at);
        // how many calls there are differs by some from time to time
        died += usize::from(!was_made);

        let again = installation.run(&create);
        // the first try may have got as far as the organisation, and not to the end of the process
        let said = String::from_utf8_lossy(&again.stderr).into_owned();
        let is_there = said.contains("`slug` is taken");
        assert!(
            again.status.success() || is_there,
            "{fault:?} at {at}: {said}"
        );
        let listed = installation.ok(&["org", "list"]);
        assert!(listed.contains("vault"), "{fault:?} at {at}: {listed}");
        examine(&installation);
    }
    println!("{rounds} of {calls} calls, {died} deaths");
    assert!(died * 2 > rounds, "{died}");
}
