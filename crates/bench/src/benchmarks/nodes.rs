//! Two nodes on one PostgreSQL, beside one: the same clients create people at the first, or half of them at the second.
//!
//! Both nodes run all the time. Afterwards everybody who was acknowledged is there, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use rollcall_testkit::postgres;

use crate::Settings;
use crate::benchmarks::create::{POSTGRES, create};
use crate::house::House;
use crate::load::{Ask, connections, median, window};
use crate::report::{Figure, Goal, Report};

/// How many create at the same time.
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 7;
const WINDOW: Duration = Duration::from_secs(3);

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&settings.folder)?;
    let server = postgres::Server::of_ones_own(POSTGRES, &[])?;
    let database = server.database()?;
    let (house, token) = House::new(&settings.binary, folder.path(), database.url())?;
    let (first, second) = (house.serve()?, house.serve()?);
    let half = CONNECTIONS / 2;
    let mut one = connections(CONNECTIONS, &first.authority, &token).await?;
    let mut both = connections(half, &first.authority, &token).await?;
    both.extend(connections(half, &second.authority, &token).await?);
    let next = Arc::new(AtomicU64::new(0));
    let (mut of_one, mut of_both) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        of_one.push(
            window(&mut one, WINDOW, 201, &next, create)
                .await?
                .per_second(),
        );
        of_both.push(
            window(&mut both, WINDOW, 201, &next, create)
                .await?
                .per_second(),
        );
    }
    let path = "/scim/v2/vault/Users?count=0".to_owned();
    let mut connection = second.connect(&token).await?;
    let everybody = connection.ask(&Ask::get(path)).await?.is(200)?.json()?;
    let (there, made) = (
        everybody
            .get("totalResults")
            .and_then(serde_json::Value::as_u64),
        next.load(Ordering::Relaxed),
    );
    ensure!(
        there == Some(made),
        "{made} people were made, {there:?} are there"
    );
    let ratios = of_both.iter().zip(&of_one).map(|(both, one)| both / one);
    let ratio = median(ratios.collect());
    report.add(
        Figure::new(
            "nodes",
            format!("two nodes, {CONNECTIONS} create people"),
            median(of_both),
            "people/s",
        )
        .with_ratio("one node", median(of_one), ratio)
        .with_goal(Goal::AtLeast(1.0)),
    );
    Ok(())
}
