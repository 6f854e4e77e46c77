//! The requests of an initial cycle of Entra's provisioning service: everybody is looked up and created, then every group, then every
//! membership, one at a time, as its default rules for other people's endpoints do it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Mutex;

use crate::benchmarks::create::create;
use crate::house::House;
use crate::load::{Ask, Connection, connections, count, equals, median, median_milliseconds};
use crate::report::{Figure, Report};
use crate::{Settings, people};

const PEOPLE: usize = 10_000;
const GROUPS: usize = 200;
/// How many groups each person is in.
const MEMBERSHIPS: usize = 2;
/// How many requests are under way at once.
const CONNECTIONS: usize = 16;

/// What happens to an object, one request after another, and how long each took.
struct Steps {
    connections: Vec<Connection>,
    times: Vec<(&'static str, Vec<Duration>)>,
}

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&settings.folder)?;
    let store = format!("sqlite:{}", folder.path().join("entra.db").display());
    let (house, token) = House::new(&settings.binary, folder.path(), store)?;
    let server = house.serve()?;
    let mut steps = Steps {
        connections: connections(CONNECTIONS, &server.authority, &token).await?,
        times: Vec::new(),
    };
    let begun = Instant::now();
    let look = |person: usize| {
        let filter = equals("userName", &people::name(person as u64));
        Ask::get(format!("/scim/v2/vault/Users?{filter}"))
    };
    steps.each(PEOPLE, "look up a person", 200, look).await?;
    let ids = steps
        .each(PEOPLE, "create a person", 201, |person| {
            create(person as u64)
        })
        .await?;
    let look = |group: usize| {
        let filter = equals("displayName", &title(group));
        Ask::get(format!(
            "/scim/v2/vault/Groups?excludedAttributes=members&{filter}"
        ))
    };
    steps.each(GROUPS, "look up a group", 200, look).await?;
    let make = |group: usize| {
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": title(group), "externalId": format!("group-{group}"), "members": [],
        });
        Ask::post("/scim/v2/vault/Groups".to_owned(), group)
    };
    let groups = steps.each(GROUPS, "create a group", 201, make).await?;
    let add = move |number: usize| {
        let (person, turn) = (number / MEMBERSHIPS, number % MEMBERSHIPS);
        let group = groups.get((person * 7 + turn * 13) % GROUPS);
        let operation =
            json!({"op": "Add", "path": "members", "value": [{"value": ids.get(person)}]});
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]});
        let group = group.map(String::as_str).unwrap_or_default();
        Ask::patch(
            format!("/scim/v2/vault/Groups/{group}?excludedAttributes=members"),
            body,
        )
    };
    steps
        .each(PEOPLE * MEMBERSHIPS, "add a member", 200, add)
        .await?;
    let took = begun.elapsed();
    let requests: usize = steps.times.iter().map(|(_, times)| times.len()).sum();
    report.add(Figure::new(
        "entra",
        format!("the mix, {CONNECTIONS} at once"),
        count(requests as u64) / took.as_secs_f64(),
        "requests/s",
    ));
    for (what, times) in steps.times {
        let worst = times.iter().map(|time| time.as_secs_f64() * 1e3);
        let mut worst: Vec<f64> = worst.collect();
        worst.sort_by(f64::total_cmp);
        let hundredth = worst.get(worst.len() * 99 / 100).copied();
        report.add(
            Figure::new("entra", what, median_milliseconds(&times), "ms")
                .beside("99 of 100 within", hundredth.unwrap_or(median(worst))),
        );
    }
    Ok(())
}

fn title(group: usize) -> String {
    format!("Group {group}")
}

impl Steps {
    /// Sends one request for each of so many things, and returns the ids that were given, in order.
    async fn each<F>(
        &mut self,
        things: usize,
        what: &'static str,
        status: u16,
        ask: F,
    ) -> anyhow::Result<Vec<String>>
    where
        F: Fn(usize) -> Ask + Send + Sync + 'static,
    {
        let next = Arc::new(AtomicUsize::new(0));
        let ask = Arc::new(ask);
        let ids = Arc::new(Mutex::new(vec![
            String::new();
            if status == 201 { things } else { 0 }
        ]));
        let running: Vec<_> = self
            .connections
            .drain(..)
            .map(|mut connection| {
                let (next, ask, ids) = (Arc::clone(&next), Arc::clone(&ask), Arc::clone(&ids));
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    loop {
                        let thing = next.fetch_add(1, Ordering::Relaxed);
                        if thing >= things {
                            return anyhow::Ok((connection, times));
                        }
                        let begun = Instant::now();
                        let answer = connection.ask(&ask(thing)).await?.is(status)?;
                        times.push(begun.elapsed());
                        if let Some(id) = ids.lock().await.get_mut(thing) {
                            *id = answer.id()?;
                        }
                    }
                })
            })
            .collect();
        let mut times = Vec::with_capacity(things);
        for one in running {
            let (connection, its_times) = one.await??;
            self.connections.push(connection);
            times.extend(its_times);
        }
        self.times.push((what, times));
        let ids = std::mem::take(&mut *ids.lock().await);
        Ok(ids)
    }
}
