//! A plan is what is done: the requests of a file that was written, read and applied are those that the target gets, byte for byte; when
//! anything has moved in between, it gets none.

use std::collections::BTreeMap;

use rollcall_engine::{NotApplied, Watch};
use rollcall_model::application::Scope;
use rollcall_model::mapping::AttributeMapping;
use rollcall_model::provisioning::{CycleOutcome, ResetScope};
use rollcall_model::{Kind, ResourceId};
use rollcall_sync::plan::{Plan, document};
use rollcall_sync::request::{Request, placeholder};
use rollcall_testkit::{Behaviour, Recorded};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::ends::Ends;
use crate::run::{Run, is_held};
use crate::seeds::each_seed;
use crate::setting::Setting;

/// How many seeds are run.
const SEEDS: u64 = 150;

/// A request as it goes over the line: method, path, body.
type Sent = (String, String, Vec<u8>);

async fn plan(ends: &Ends) -> Plan {
    let made = ends
        .engine
        .plan(&ends.source, ends.application, Watch::default());
    let text = document::write(&made.await.unwrap());
    document::read(&text).unwrap()
}

/// Returns what a plan says is sent, by object, with the ids that the target has given.
fn planned(ends: &Ends, plan: &Plan) -> BTreeMap<String, Vec<Sent>> {
    // every object carries its id at the source as externalId
    let mut given = BTreeMap::new();
    for (id, states) in ends.target.histories() {
        // who was deleted before and is created now has another id
        let document = states.last().and_then(|state| state.document.as_ref());
        if let Some(document) = document
            && let Some(object) = document["externalId"].as_str()
            && let Ok(object) = object.parse::<ResourceId>()
        {
            given.insert(placeholder(object), id);
        }
    }
    let mut all = BTreeMap::new();
    for ((_, object), requests) in plan.requests() {
        let sent = requests.into_iter().map(|request| {
            let Request { method, path, body } = request.with(&|text| given.get(text).cloned());
            let body = body.map(|body| body.to_string().into_bytes());
            (method, format!("/scim/v2{path}"), body.unwrap_or_default())
        });
        all.insert(object.to_string(), sent.collect());
    }
    all
}

/// Returns what was sent, by object.
fn sent(ends: &Ends, writes: Vec<Recorded>) -> BTreeMap<String, Vec<Sent>> {
    let histories = ends.target.histories();
    let mut all: BTreeMap<String, Vec<Sent>> = BTreeMap::new();
    for write in writes {
        let id = write.path_and_query.rsplit('/').next().unwrap();
        let object = match histories.get(id) {
            // who is adopted is told in the request itself
            Some(states) => states
                .iter()
                .filter_map(|state| state.document.as_ref()?["externalId"].as_str())
                .next_back()
                .unwrap_or_else(|| panic!("{write:?}"))
                .to_owned(),
            None => write.json()["externalId"].as_str().unwrap().to_owned(),
        };
        let request = (write.method, write.path_and_query, write.body);
        all.entry(object).or_default().push(request);
    }
    all
}

/// Plans, applies, and compares what was sent.
async fn plan_and_apply(run: &mut Run) {
    let plan = plan(&run.ends).await;
    run.tell(plan.text(20));
    let ends = &run.ends;
    let before = ends.target.last_request();
    let watch = Watch::default();
    let applied = ends
        .engine
        .apply(&ends.source, ends.application, plan.clone(), watch);
    let report = applied.await.unwrap();
    let (planned, sent) = (
        planned(ends, &plan),
        sent(ends, ends.target.writes_since(before)),
    );
    assert_eq!(shown(&planned), shown(&sent));
    assert_eq!(plan.held_back.is_some(), is_held(&report), "{report:#?}");
    run.tell(format!("applied: {:?}", report.outcome));
    if is_held(&report) {
        run.allow().await;
    } else {
        assert_eq!(report.outcome, CycleOutcome::Succeeded, "{report:#?}");
    }
}

fn shown(all: &BTreeMap<String, Vec<Sent>>) -> BTreeMap<&str, Vec<String>> {
    let text =
        |(method, path, body): &Sent| format!("{method} {path} {}", String::from_utf8_lossy(body));
    all.iter()
        .map(|(object, sent)| (object.as_str(), sent.iter().map(text).collect()))
        .collect()
}

#[test]
fn what_was_planned_is_sent_byte_for_byte_and_nothing_else() {
    each_seed(SEEDS, |seed, story| async move {
        let mut chance = Chance::new(seed);
        let mut setting = Setting::draw(seed, &mut chance);
        setting.behaviour.faults.clear();
        let dialect = &mut setting.behaviour.dialect;
        (dialect.no_patch, dialect.patch_members) = (false, None);
        let mut run = Run::with(setting, chance, story).await;
        for _ in 0..5 {
            // also after a cycle that died
            if run.chance.happens(30) {
                run.cycle().await;
            }
            for _ in 0..run.chance.within(1, 7) {
                run.change().await;
            }
            plan_and_apply(&mut run).await;
        }
        for _ in 0..4 {
            plan_and_apply(&mut run).await;
        }
        let left = plan(&run.ends).await;
        assert!(left.is_empty(), "{}", left.text(9));
        let wrong = run.wrong();
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}

/// Who is there when something moves.
struct Scene {
    ends: Ends,
    /// In the target, and about to be changed.
    ann: ResourceId,
    /// Assigned to nothing.
    bob: ResourceId,
}

impl Scene {
    async fn new() -> Self {
        let ends = Ends::new(Behaviour::default()).await;
        ends.configure(|application| application.scope = Scope::AssignedOnly)
            .await;
        let (ann, bob) = (ends.person("ann").await, ends.person("bob").await);
        ends.assign(Kind::User, ann).await;
        ends.settle().await;
        ends.set(Kind::User, ann, "title", "Buyer".into()).await;
        // one group and one member of it are found in the target, one more is new
        let early = json!({"userName": "early", "active": true});
        ends.target.insert(Kind::User, early).unwrap();
        ends.target
            .insert(Kind::Group, json!({"displayName": "Team"}))
            .unwrap();
        let (early, new) = (ends.person("early").await, ends.person("new").await);
        let team = ends.group("Team", &[ann, early, new]).await;
        ends.assign(Kind::Group, team).await;
        Self { ends, ann, bob }
    }

    fn edit(&self, kind: Kind, attribute: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut document = self.ends.target.by(kind, attribute, name).remove(0);
        self.ends
            .target
            .remove(kind, document["id"].as_str().unwrap());
        change(&mut document);
        self.ends.target.insert(kind, document).unwrap();
    }

    async fn move_something(&self, what: &str) {
        let ends = &self.ends;
        match what {
            "nothing" => {}
            "source" => {
                ends.set(Kind::User, self.ann, "title", "Seller".into())
                    .await;
            }
            "assignment" => ends.assign(Kind::User, self.bob).await,
            "mapping" => {
                ends.configure(|application| {
                    let nick_name = AttributeMapping::constant("x", "nickName");
                    application.users.attributes.push(nick_name);
                })
                .await;
            }
            "restart" => {
                let scope = ResetScope::default();
                let restart = ends.app.restart(&ends.source, ends.application, scope);
                restart.await.unwrap();
            }
            "cycle" => drop(ends.cycle().await),
            "edited" => self.edit(Kind::User, "userName", "ann", |ann| {
                ann["externalId"] = json!("by hand");
            }),
            "deleted" => {
                let ann = ends.there("ann").unwrap();
                ends.target.remove(Kind::User, ann["id"].as_str().unwrap());
            }
            "created" => {
                let new = json!({"userName": "NEW"});
                drop(ends.target.insert(Kind::User, new).unwrap());
            }
            "member" => {
                let early = ends.there("early").unwrap()["id"].clone();
                self.edit(Kind::Group, "displayName", "Team", |team| {
                    team["members"] = json!([{"value": early}]);
                });
            }
            other => panic!("nobody knows how to move {other}"),
        }
    }
}

#[tokio::test]
async fn when_something_moved_the_plan_is_refused_and_nothing_is_sent() {
    let target = "the target, or what is known of it, changed";
    let settings = "the mappings, the scope or the assignments changed";
    let word = "an administrator has restarted or configured the application since";
    for (what, said) in [
        (
            "source",
            &["the source changed", "`ann`: update with other values"][..],
        ),
        (
            "assignment",
            &[settings, "`bob`: create, which is not in the plan"],
        ),
        (
            "mapping",
            &[settings, word, "`new`: create with other values"],
        ),
        ("restart", &[word]),
        ("cycle", &["`ann`: nothing instead of update"]),
        ("edited", &[target, "`ann`: update with other values"]),
        ("deleted", &[target, "`ann`: create instead of update"]),
        ("created", &[target, "`new`: adopt instead of create"]),
        ("member", &[target]),
    ] {
        let scene = Scene::new().await;
        let ends = &scene.ends;
        let plan = plan(ends).await;
        scene.move_something(what).await;
        let before = ends.target.last_request();

        let watch = Watch::default();
        let applied = ends
            .engine
            .apply(&ends.source, ends.application, plan, watch);
        let refused = applied.await.unwrap_err();

        let NotApplied::Moved(moved) = refused else {
            panic!("{what}: {refused:?}");
        };
        for said in said {
            assert!(
                moved.iter().any(|text| text.contains(said)),
                "{what}: {said}: {moved:#?}"
            );
        }
        let writes = ends.target.writes_since(before);
        assert!(writes.is_empty(), "{what}: {writes:#?}");
    }
}

#[tokio::test]
async fn when_nothing_moved_the_plan_is_carried_out() {
    let scene = Scene::new().await;
    let ends = &scene.ends;
    let plan = plan(ends).await;
    scene.move_something("nothing").await;

    let watch = Watch::default();
    let applied = ends
        .engine
        .apply(&ends.source, ends.application, plan, watch);

    assert_eq!(applied.await.unwrap().outcome, CycleOutcome::Succeeded);
    let members = ["ann", "early", "new"].map(str::to_owned);
    assert_eq!(ends.members("Team"), Some(members.to_vec()));
}
