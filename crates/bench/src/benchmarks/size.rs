//! What does not depend on how many people there are: filters, changes of groups, pages, memory, start.
//!
//! There is a server for each store, all at once, and they are asked in turns.

use std::time::Duration;

use crate::house::{House, Server};
use crate::load::{Ask, Connection, count, equals, median, median_milliseconds};
use crate::report::{Figure, Goal, Report};
use crate::{Settings, people};

/// How often a filter is asked for, and a member added, in each store or group.
const TURNS: u64 = 1_000;
const STARTS: usize = 9;
/// How many people a page has.
const PAGE: u64 = 500;
const FLAT: Goal = Goal::AtMost(1.3);

/// A store of one size, and its server.
struct Place {
    people: u64,
    house: House,
    server: Server,
    connection: Connection,
}

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> anyhow::Result<()> {
    // all stores before the first connection: none lasts while nobody uses it for as long as a store is made
    let mut houses = Vec::new();
    for &people in &settings.people {
        houses.push((people, settings.house(people)?));
    }
    let mut places = Vec::new();
    for (people, (house, token)) in houses {
        let server = house.serve()?;
        let connection = server.connect(&token).await?;
        places.push(Place {
            people,
            house,
            server,
            connection,
        });
    }
    filters(&mut places, report).await?;
    if let Some(mut largest) = places.pop() {
        drop(places);
        largest.members(report).await?;
        largest.pages(report).await?;
        largest.memory_and_start(report)?;
    }
    Ok(())
}

/// Asks each store for people by what is known of them; who is asked for is somebody else each time.
async fn filters(places: &mut [Place], report: &mut Report) -> anyhow::Result<()> {
    type Value = fn(u64) -> String;
    let attributes: [(&str, Value); 2] = [
        ("userName", people::name),
        ("externalId", people::external_id),
    ];
    for (attribute, value) in attributes {
        let mut times = vec![Vec::new(); places.len()];
        for turn in 0..TURNS {
            for (place, times) in places.iter_mut().zip(&mut times) {
                let filter = equals(attribute, &value(people::chosen(turn, place.people)));
                let ask = Ask::get(format!("/scim/v2/vault/Users?{filter}"));
                times.push(place.connection.timed(&ask, 200).await?);
            }
        }
        let medians: Vec<f64> = times
            .iter()
            .map(|times| median_milliseconds(times))
            .collect();
        compare(
            report,
            "filter",
            |place| {
                format!(
                    "{attribute} eq, {} people",
                    places.get(place).map_or(0, |place| place.people)
                )
            },
            &medians,
        );
    }
    Ok(())
}

/// Adds a figure for each size, the largest compared with the smallest.
fn compare(
    report: &mut Report,
    benchmark: &'static str,
    what: impl Fn(usize) -> String,
    medians: &[f64],
) {
    for (place, &median) in medians.iter().enumerate() {
        let mut figure = Figure::new(benchmark, what(place), median, "ms");
        if let Some(&smallest) = medians.first().filter(|_| place > 0) {
            figure = figure.beside("smallest", smallest);
            if place + 1 == medians.len() {
                figure = figure.with_goal(FLAT);
            }
        }
        report.add(figure);
    }
}

impl Place {
    /// Adds one member to groups of each size, durably, and takes them out again.
    async fn members(&mut self, report: &mut Report) -> anyhow::Result<()> {
        let newcomer = people::resource(u64::MAX >> 1, "Newcomer");
        let ask = Ask::post("/scim/v2/vault/Users".to_owned(), newcomer);
        let newcomer = self.connection.ask(&ask).await?.is(201)?.id()?;
        let sizes = crate::group_sizes(self.people);
        let mut groups = Vec::new();
        for size in &sizes {
            let filter = equals("displayName", &crate::group_of(*size));
            let path = format!("/scim/v2/vault/Groups?{filter}&excludedAttributes=members");
            let found = self
                .connection
                .ask(&Ask::get(path))
                .await?
                .is(200)?
                .json()?;
            let id = found.pointer("/Resources/0/id").and_then(|id| id.as_str());
            groups.push(format!("/scim/v2/vault/Groups/{}", id.unwrap_or_default()));
        }
        let change = |path: &str, op: &str| {
            let member = serde_json::json!([{"value": newcomer}]);
            let body = serde_json::json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": op, "path": "members", "value": member}],
            });
            Ask::patch(format!("{path}?excludedAttributes=members"), body)
        };
        let mut times = vec![Vec::new(); sizes.len()];
        for _ in 0..TURNS {
            for (group, times) in groups.iter().zip(&mut times) {
                times.push(self.connection.timed(&change(group, "add"), 200).await?);
                self.connection
                    .ask(&change(group, "remove"))
                    .await?
                    .is(200)?;
            }
        }
        let path = format!("/scim/v2/vault/Users/{newcomer}");
        let gone = Ask {
            method: http::Method::DELETE,
            ..Ask::get(path)
        };
        self.connection.ask(&gone).await?.is(204)?;
        let medians: Vec<f64> = times
            .iter()
            .map(|times| median_milliseconds(times))
            .collect();
        compare(
            report,
            "member",
            |place| {
                format!(
                    "add one to a group of {}",
                    sizes.get(place).copied().unwrap_or_default()
                )
            },
            &medians,
        );
        Ok(())
    }

    /// Pages through everybody, with cursors.
    async fn pages(&mut self, report: &mut Report) -> anyhow::Result<()> {
        let base = format!("/scim/v2/vault/Users?count={PAGE}");
        let mut path = format!("{base}&cursor");
        let mut times: Vec<Duration> = Vec::new();
        let mut found = 0;
        let begun = std::time::Instant::now();
        loop {
            let before = std::time::Instant::now();
            let answer = self.connection.ask(&Ask::get(path)).await?.is(200)?;
            times.push(before.elapsed());
            let page = answer.json()?;
            let people = page.get("Resources").and_then(|all| all.as_array());
            found += people.map_or(0, Vec::len);
            match page.get("nextCursor").and_then(|cursor| cursor.as_str()) {
                Some(cursor) => path = format!("{base}&cursor={cursor}"),
                None => break,
            }
        }
        let took = begun.elapsed();
        anyhow::ensure!(
            found as u64 == self.people,
            "{found} people in all pages of {}",
            self.people
        );
        // the first page counts everybody once
        let all = times
            .get(1..times.len().saturating_sub(1))
            .unwrap_or_default();
        let part = (all.len() / 10).max(1).min(all.len());
        let first = median_milliseconds(all.get(..part).unwrap_or_default());
        let last = median_milliseconds(all.get(all.len() - part..).unwrap_or_default());
        report.add(
            Figure::new(
                "page",
                format!("{PAGE} people, the last tenth of {}", self.people),
                last,
                "ms",
            )
            .beside("the first tenth", first)
            .with_goal(FLAT),
        );
        let rate = count(self.people) / took.as_secs_f64();
        report.add(Figure::new(
            "page",
            "everybody, read and parsed",
            rate,
            "people/s",
        ));
        Ok(())
    }

    /// What the server has needed for all of it, and how long another one takes to start.
    fn memory_and_start(self, report: &mut Report) -> anyhow::Result<()> {
        let peak = self.server.peak_mib()?;
        report.add(
            Figure::new(
                "memory",
                format!("peak, {} people", self.people),
                peak,
                "MiB",
            )
            .with_goal(Goal::AtMost(256.0)),
        );
        drop(self.server);
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            starts.push(self.house.serve()?.starting.as_secs_f64() * 1e3);
        }
        report.add(
            Figure::new(
                "start",
                format!("until it listens, {} people", self.people),
                median(starts),
                "ms",
            )
            .with_goal(Goal::AtMost(200.0)),
        );
        Ok(())
    }
}
