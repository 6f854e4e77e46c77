//! A run over a seed: source, application, target and what is remembered of all three, and the ways in which cycles come to an end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use rollcall_engine::{Error, Watch};
use rollcall_model::Kind;
use rollcall_model::provisioning::{CycleOutcome, CycleReport, QuarantineReason};
use serde_json::json;

use crate::chance::Chance;
use crate::ends::Ends;
use crate::expected::{Epoch, Judgement};
use crate::seeds::Story;
use crate::setting::Setting;
use crate::source::{Node, Source};

/// A run over a seed.
pub(crate) struct Run {
    pub(crate) chance: Chance,
    pub(crate) setting: Setting,
    pub(crate) ends: Ends,
    pub(crate) source: Source,
    story: Story,
    epochs: Vec<Epoch>,
    cycles: Vec<u64>,
    outsiders: BTreeSet<Node>,
    strangers: Vec<String>,
    allowed: Vec<(u64, BTreeSet<Node>)>,
}

impl Run {
    /// Begins with everything that chance wants.
    pub(crate) async fn new(seed: u64, story: Story) -> Self {
        let mut chance = Chance::new(seed);
        let setting = Setting::draw(seed, &mut chance);
        Self::with(setting, chance, story).await
    }

    /// Begins with this setting.
    pub(crate) async fn with(setting: Setting, chance: Chance, story: Story) -> Self {
        story.lock().unwrap().push(format!("{setting:#?}"));
        let ends = Ends::new(setting.behaviour.clone()).await;
        let applied = setting.clone();
        ends.configure(move |application| applied.apply(application))
            .await;
        let mut run = Self {
            chance,
            setting,
            ends,
            source: Source::default(),
            story,
            epochs: Vec::new(),
            cycles: Vec::new(),
            outsiders: BTreeSet::new(),
            strangers: Vec::new(),
            allowed: Vec::new(),
        };
        run.fill().await;
        run
    }

    pub(crate) fn tell(&self, text: String) {
        let number = self.ends.target.last_request();
        self.story
            .lock()
            .unwrap()
            .push(format!("[{number}] {text}"));
    }

    /// Makes people and groups at the source, and those who are in the target already.
    async fn fill(&mut self) {
        for _ in 0..self.chance.within(5, 10) {
            let text = self.source.add_person(&self.ends, &mut self.chance).await;
            self.tell(text);
        }
        for _ in 0..self.chance.within(2, 5) {
            let text = self.source.add_group(&self.ends).await;
            self.tell(text);
        }
        let target = &self.ends.target;
        for name in ["stranger", "passer-by"] {
            let body = json!({"userName": name, "title": "None of yours"});
            self.strangers
                .push(target.insert(Kind::User, body).unwrap());
        }
        let members = json!([{"value": self.strangers[0]}]);
        let body = json!({"displayName": "Strangers", "members": members});
        self.strangers
            .push(target.insert(Kind::Group, body).unwrap());
        for person in self.source.people.iter().take(self.chance.within(0, 3)) {
            let active = self.chance.happens(70);
            let body = json!({"userName": person.user_name.to_uppercase(), "active": active});
            target.insert(Kind::User, body).unwrap();
        }
        if self.chance.happens(40) {
            let body = json!({"displayName": "Group 0", "members": members});
            target.insert(Kind::Group, body).unwrap();
        }
        self.note(0);
        for _ in 0..self.chance.within(10, 18) {
            self.change().await;
        }
    }

    /// Changes something at the source.
    pub(crate) async fn change(&mut self) {
        let from = self.ends.target.last_request();
        let changed = self
            .source
            .change(&self.ends, &self.setting, &mut self.chance)
            .await;
        if let Some(text) = changed {
            self.tell(text);
            self.note(from);
        }
    }

    /// Notes who is entitled from now on.
    fn note(&mut self, from: u64) {
        let now = self.ends.target.last_request();
        if let Some(last) = self.epochs.last_mut() {
            last.to = now;
        }
        let entitled = self.source.entitled(&self.setting);
        if let Some(node) = self.source.blinked.take() {
            let mut entitled = entitled.clone();
            entitled.remove(&node);
            self.epochs.push(Epoch {
                from,
                to: now,
                entitled,
            });
        }
        self.epochs.push(Epoch {
            from,
            to: u64::MAX,
            entitled,
        });
        let in_scope = self.source.in_scope(&self.setting);
        let people = (0..self.source.people.len()).map(Node::Person);
        let everything = people.chain((0..self.source.groups.len()).map(Node::Group));
        self.outsiders
            .extend(everything.filter(|node| !in_scope.contains(node)));
    }

    /// Runs a cycle, in one of the ways in which cycles come to an end.
    pub(crate) async fn cycle(&mut self) -> Option<CycleReport> {
        self.cycles.push(self.ends.target.last_request());
        let watch = Watch::default();
        let (engine, source) = (self.ends.engine.clone(), self.ends.source.clone());
        let (application, interrupt) = (self.ends.application, watch.interrupt.clone());
        let alarm = Arc::clone(&self.ends.alarm);
        let requests = self.chance.within(1, 60);
        let cycle = async move { engine.run(&source, application, watch).await };
        let may_be_cut = !self.setting.is_tight;
        let (way, ended) = match self.chance.within(0, 10) {
            0 | 1 if may_be_cut => (
                "is killed",
                tokio::select! {
                    ended = cycle => Some(ended),
                    () = alarm.after(requests) => None,
                },
            ),
            2 if may_be_cut => ("is interrupted", {
                let stopping = async {
                    alarm.after(requests).await;
                    interrupt.cancel();
                    std::future::pending::<()>().await;
                };
                tokio::select! { ended = cycle => Some(ended), () = stopping => None }
            }),
            3 | 4 if may_be_cut => ("is overtaken by events", {
                let running = tokio::spawn(cycle);
                for _ in 0..3 {
                    tokio::time::sleep(Duration::from_millis(400)).await;
                    self.change().await;
                }
                Some(running.await.unwrap())
            }),
            _ => ("runs", Some(cycle.await)),
        };
        if ended.is_none() {
            // what is on its way arrives before anything else happens, in the target's time
            let pause = || std::thread::sleep(Duration::from_millis(25));
            tokio::task::spawn_blocking(pause).await.unwrap();
        }
        self.ended(way, ended)
    }

    fn ended(&self, way: &str, ended: Option<Result<CycleReport, Error>>) -> Option<CycleReport> {
        match ended {
            None => self.tell(format!("a cycle {way}: dropped")),
            Some(Err(Error::Interrupted)) => self.tell(format!("a cycle {way}: interrupted")),
            Some(Err(error)) => panic!("a cycle {way}: {error:?}"),
            Some(Ok(report)) => {
                self.tell(format!("a cycle {way}: {:?}", report.outcome));
                return Some(report);
            }
        }
        None
    }

    /// Allows the list of those who are held back.
    pub(crate) async fn allow(&mut self) {
        let (app, context, application) =
            (&self.ends.app, &self.ends.source, self.ends.application);
        let held = app.held(context, application).await.unwrap();
        let everything = (0..self.source.people.len()).map(Node::Person);
        let everything = everything.chain((0..self.source.groups.len()).map(Node::Group));
        let is_held = |node: &Node| {
            held.links
                .iter()
                .any(|link| link.object == self.source.id(*node))
        };
        let list: BTreeSet<Node> = everything.filter(is_held).collect();
        let code = held.code();
        app.allow_deletions(context, application, code)
            .await
            .unwrap();
        self.tell(format!("allowed to leave: {list:?}"));
        let since = self.ends.target.last_request();
        self.allowed.push((since, list));
    }

    /// Runs cycles until nobody is held back.
    pub(crate) async fn complete_cycle(&mut self) -> CycleReport {
        for _ in 0..3 {
            self.ends.pass(SignedDuration::from_hours(7));
            self.cycles.push(self.ends.target.last_request());
            let report = self.ends.cycle().await;
            self.tell(format!("a cycle in calm: {:?}", report.outcome));
            if !is_held(&report) {
                return report;
            }
            assert!(self.setting.is_tight);
            self.allow().await;
        }
        panic!("the guard holds back whom it was allowed to let go");
    }

    /// Returns what is wrong in the target, and what was.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let judgement = Judgement {
            source: &self.source,
            setting: &self.setting,
            target: &self.ends.target,
            epochs: &self.epochs,
            cycles: &self.cycles,
            outsiders: &self.outsiders,
            strangers: &self.strangers,
            allowed: self.setting.is_tight.then_some(&*self.allowed),
        };
        [judgement.present(), judgement.past()].concat()
    }
}

/// Tells whether the guard stopped a cycle.
pub(crate) fn is_held(report: &CycleReport) -> bool {
    matches!(
        report.outcome,
        CycleOutcome::Stopped {
            reason: QuarantineReason::TooManyDeletes,
            ..
        }
    )
}
