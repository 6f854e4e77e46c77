//! Reading a person by id, beside a bare axum handler that returns the same bytes.
//!
//! Both are processes on the same core, in turns; those who ask are on the others.

use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::bare::Page;
use crate::house::Server;
use crate::load::{Ask, Connection, Load, connections, count, equals, median, window};
use crate::report::{Figure, Goal, Report};
use crate::{Settings, cores, people};

/// How many people are read, of the smallest store.
const PAGES: u64 = 200;
/// How many ask at the same time.
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 7;
const WINDOW: Duration = Duration::from_secs(2);

/// One of the two sides.
struct Side {
    server: Server,
    connections: Vec<Connection>,
    rates: Vec<f64>,
    /// Microseconds of a processor for an answer.
    work: Vec<f64>,
}

impl Side {
    async fn new(server: Server, token: &str) -> anyhow::Result<Self> {
        let connections = connections(CONNECTIONS, &server.authority, token).await?;
        Ok(Self {
            server,
            connections,
            rates: Vec::new(),
            work: Vec::new(),
        })
    }

    async fn round(&mut self, paths: &Arc<Vec<String>>) -> anyhow::Result<()> {
        let paths = Arc::clone(paths);
        let before = self.server.work()?;
        let load: Load = window(
            &mut self.connections,
            WINDOW,
            200,
            &Arc::new(AtomicU64::new(0)),
            move |number| {
                let place = people::chosen(number, PAGES);
                let place = usize::try_from(place).unwrap_or_default();
                Ask::get(paths.get(place).cloned().unwrap_or_default())
            },
        )
        .await?;
        let work = self.server.work()?.saturating_sub(before);
        self.rates.push(load.per_second());
        self.work
            .push(work.as_secs_f64() * 1e6 / count(load.answers));
        Ok(())
    }
}

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> anyhow::Result<()> {
    let people = settings.smallest();
    let (house, token) = settings.house(people)?;
    let ours = cores::on_the_first(|| house.serve())?;
    let mut connection = ours.connect(&token).await?;
    let (mut paths, mut pages) = (Vec::new(), String::new());
    for number in 0..PAGES {
        let name = people::name(people::chosen(number, people));
        let path = format!("/scim/v2/vault/Users?{}", equals("userName", &name));
        let found = connection.ask(&Ask::get(path)).await?.is(200)?.json()?;
        let id = found.pointer("/Resources/0/id").and_then(|id| id.as_str());
        let path = format!("/scim/v2/vault/Users/{}", id.unwrap_or_default());
        let answer = connection.ask(&Ask::get(path.clone())).await?.is(200)?;
        let page = Page {
            path: path.clone(),
            body: String::from_utf8(answer.body.to_vec())?,
        };
        writeln!(pages, "{}", serde_json::to_string(&page)?)?;
        paths.push(path);
    }
    let paths = Arc::new(paths);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("pages.jsonl");
    std::fs::write(&file, pages)?;
    let mut bare = Command::new(std::env::current_exe()?);
    bare.arg("bare").arg(&file);
    let bare = cores::on_the_first(|| Server::start(bare))?;

    let mut ours = Side::new(ours, &token).await?;
    let mut bare = Side::new(bare, &token).await?;
    for _ in 0..ROUNDS {
        ours.round(&paths).await?;
        bare.round(&paths).await?;
    }
    let ratios = ours
        .rates
        .iter()
        .zip(&bare.rates)
        .map(|(ours, bare)| ours / bare);
    let ratio = median(ratios.collect());
    report.add(
        Figure::new("read", "a person by id", median(ours.rates), "answers/s")
            .with_ratio("bare axum", median(bare.rates), ratio)
            .with_goal(Goal::AtLeast(0.8)),
    );
    report.add(
        Figure::new("read", "processor for it", median(ours.work), "µs")
            .beside("bare axum", median(bare.work)),
    );
    Ok(())
}
