//! Measures what it costs to add one member to a group of 10 and to one of 100 000, with rules, audit, feed and a durable commit, as a
//! PATCH of a directory does. Both are measured in turn, so that whatever else the machine does falls on both.
//!
//! `cargo xtask bench` runs it; it fails when the large group costs more than 1.3 times the small one.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement for the terminal"
)]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rollcall_app::directory::{Context, Expected, Wanted};
use rollcall_app::organisations::NewOrganisation;
use rollcall_app::sealing::Sealer;
use rollcall_app::transfer::Listed;
use rollcall_app::{App, Settings, SystemRandomness};
use rollcall_model::{Kind, Region, ResourceId, SystemClock};
use rollcall_scim::limits::STANDARD;
use rollcall_scim::patch::Patch;
use rollcall_scim::schema::Registry;
use rollcall_store::{Location, Store};
use serde_json::{Value, json};

const SMALL: usize = 10;
const LARGE: usize = 100_000;
/// How often each group is measured.
const ROUNDS: usize = 300;
/// How many times the cost of the small group the large one may have.
const ALLOWED: f64 = 1.3;

#[tokio::main]
async fn main() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let (app, context) = open(folder.path()).await;
    let (small, large, newcomers) = fill(&app, &context).await;
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for newcomer in newcomers {
        few.push(add(&app, &context, small, newcomer).await);
        many.push(add(&app, &context, large, newcomer).await);
    }
    let (few, many) = (median(&mut few), median(&mut many));
    let ratio = many.as_secs_f64() / few.as_secs_f64();
    println!("adding one member, median of {ROUNDS}, durable:");
    println!("  to a group of {SMALL:>7}: {few:>9.1?}");
    println!("  to a group of {LARGE:>7}: {many:>9.1?}   {ratio:.2} times");
    if ratio <= ALLOWED {
        ExitCode::SUCCESS
    } else {
        println!("more than {ALLOWED} times: what a change costs must not depend on the group");
        ExitCode::FAILURE
    }
}

async fn open(folder: &std::path::Path) -> (App, Context) {
    let location: Location = format!("sqlite:{}", folder.join("bench.db").display())
        .parse()
        .unwrap();
    let settings = Settings {
        region: Region::default(),
        regions: BTreeMap::new(),
        public_url: String::new(),
        limits: STANDARD,
        sends_mail: false,
    };
    let app = App::new(
        Store::open(&location).await.unwrap(),
        Arc::new(SystemClock),
        Arc::new(SystemRandomness::default()),
        Arc::new(Registry::standard()),
        Sealer::new(&[7; 32]),
        settings,
    );
    let new = NewOrganisation {
        slug: "bench".parse().unwrap(),
        name: "Bench".into(),
        region: None,
        seats: None,
        trial_until: None,
    };
    let organisation = app.create_organisation(new).await.unwrap();
    let context = app.command_context(organisation.id);
    (app, context)
}

/// Makes the people and both groups; returns the groups and people who are in neither.
async fn fill(app: &App, context: &Context) -> (ResourceId, ResourceId, Vec<ResourceId>) {
    let listed = |body: Value, reference: Option<String>, members: Vec<String>| Listed {
        line: 1,
        reference,
        body,
        members,
        manager: None,
    };
    let name = |number: usize| format!("person {number}");
    let people = (0..LARGE + ROUNDS)
        .map(|number| {
            listed(
                json!({"userName": name(number)}),
                Some(name(number)),
                Vec::new(),
            )
        })
        .collect();
    let group = |title: &str, count: usize| {
        listed(
            json!({"displayName": title}),
            None,
            (0..count).map(name).collect(),
        )
    };
    let groups = vec![group("small", SMALL), group("large", LARGE)];
    app.import(context, people, groups).await.unwrap();
    context
        .tenant()
        .read::<_, rollcall_store::Error, _>(move |reader| {
            let mut newcomers = Vec::new();
            for number in LARGE..LARGE + ROUNDS {
                newcomers.extend(reader.named(Kind::User, &name(number))?);
            }
            let small = reader.named(Kind::Group, "small")?.unwrap();
            let large = reader.named(Kind::Group, "large")?.unwrap();
            Ok((small, large, newcomers))
        })
        .await
        .unwrap()
}

async fn add(app: &App, context: &Context, group: ResourceId, member: ResourceId) -> Duration {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "add", "path": "members", "value": [{"value": member.to_string()}]}],
    });
    let patch = Patch::parse(&body, app.registry().group(), &STANDARD).unwrap();
    let begun = Instant::now();
    app.patch(
        context,
        Kind::Group,
        group,
        patch,
        Expected::Any,
        Wanted::NOTHING,
    )
    .await
    .unwrap();
    begun.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
