//! A server that gets SIGKILL at a random moment, again and again, while clients write; now and then while it starts.
//!
//! The store is the same through all rounds. `ROLLCALL_SEED=17 cargo nextest run -p rollcall faults::killed_server` tells another story.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::client::{Client, Figures, Outcome};
use super::feed::Feed;
use super::{clients, examine};
use crate::chance::Chance;
use crate::support::{Installation, Server, rollcall};
use crate::{ends, soak};

/// So often the store is examined: it takes a process of its own.
const EXAMINED_EVERY: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_keeps_every_acknowledged_write_and_no_half_of_one() {
    let (rounds, seed) = (soak::many(8, 1_000), soak::seed(1));
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let begun = Instant::now();
    let (installation, token) = Installation::with("vault");
    let mut server = serve(&installation);
    let scim = server.scim("vault", &token);
    let mut clients = clients(&scim, seed).await;
    let app = ends::app(installation.folder.path()).await;
    let mut feed = Feed::new(&app, "vault").await;
    let mut slowest_start = Duration::ZERO;
    let mut head = installation.ok(&["audit", "head", "--org", "vault"]);
    for round in 1..=rounds {
        clients = load(clients, server, &mut chance).await;
        if round % EXAMINED_EVERY == 0 && chance.happens(50) {
            examine(&installation);
        }
        if chance.happens(15) {
            start_in_vain(&installation, &mut chance);
        }
        let starting = Instant::now();
        server = serve(&installation);
        slowest_start = slowest_start.max(starting.elapsed());
        let scim = server.scim("vault", &token);
        for client in &mut clients {
            client.scim.base.clone_from(&scim.base);
            client.look().await.unwrap();
        }
        feed.agrees(&scim).await;
        if round % EXAMINED_EVERY == 0 {
            examine(&installation);
            head = chained_since(&installation, &head);
        }
    }
    examine(&installation);
    chained_since(&installation, &head);
    let figures = clients
        .iter()
        .fold(Figures::default(), |all, client| all.and(client.figures));
    println!(
        "{rounds} kills in {:.0} s: {} writes acknowledged and there; of those under way {} were carried out and {} were not; \
         {} entries in the feed; the slowest start took {} ms",
        begun.elapsed().as_secs_f64(),
        figures.acknowledged,
        figures.carried_out,
        figures.not_carried_out,
        feed.place,
        slowest_start.as_millis(),
    );
}

fn serve(installation: &Installation) -> Server {
    installation.serve(&[("ROLLCALL_RATE", "1000000")])
}

/// Makes sure that the audit log goes on from a head that was taken before, and returns the present one.
fn chained_since(installation: &Installation, head: &str) -> String {
    let kept = head.split(' ').next().unwrap();
    installation.ok(&["audit", "verify", "--org", "vault", "--head", kept]);
    installation.ok(&["audit", "head", "--org", "vault"])
}

/// Lets clients write until the server is killed under them.
async fn load(clients: Vec<Client>, mut server: Server, chance: &mut Chance) -> Vec<Client> {
    let mut writing = JoinSet::new();
    for mut client in clients {
        writing.spawn(async move {
            loop {
                match client.step().await {
                    Outcome::Acknowledged => {}
                    Outcome::Broken => return client,
                    Outcome::Away => panic!("a file is never away"),
                }
            }
        });
    }
    let moment = Duration::from_micros(chance.within(5_000, 500_000) as u64);
    tokio::time::sleep(moment).await;
    server.process.kill().unwrap();
    server.process.wait().unwrap();
    writing.join_all().await
}

/// Starts a server that is killed before it is there.
fn start_in_vain(installation: &Installation, chance: &mut Chance) {
    let mut process = rollcall(
        installation.folder.path(),
        &["serve", "--listen", "127.0.0.1:0"],
    )
    .stderr(Stdio::null())
    .spawn()
    .unwrap();
    std::thread::sleep(Duration::from_micros(chance.within(0, 120_000) as u64));
    process.kill().unwrap();
    process.wait().unwrap();
}
