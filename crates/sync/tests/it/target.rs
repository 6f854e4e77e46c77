//! A target in memory that fails on request, and the loop that an engine would run.

use jiff::Timestamp;
use rollcall_model::application::Application;
use rollcall_model::link::{Link, Setback};
use rollcall_model::{ApplicationId, Kind, Randomness, ResourceId};
use rollcall_sync::rules::Rules;
use rollcall_sync::source::SourceObject;
use rollcall_sync::target_path::TargetPath;
use rollcall_sync::task::{Answer, Decision, Ending, Entitlement, Step, Task, Trouble, Write};
use rollcall_sync::wish::Surroundings;
use serde_json::{Map, Value, json};

pub(crate) const ID: &str = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77";

pub(crate) struct NoDice;

impl Randomness for NoDice {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// How a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Luck {
    /// It is done and answered.
    Good,
    /// It does not arrive.
    Lost,
    /// It is done, and the answer is lost.
    Unanswered,
    /// The sender dies before it can remember the answer.
    Killed,
}

/// People or groups of a target.
#[derive(Debug, Default)]
pub(crate) struct Target {
    pub(crate) resources: Vec<Map<String, Value>>,
    /// How many were ever created.
    pub(crate) created: u32,
    /// How many requests wrote, or tried to.
    pub(crate) writes: u32,
}

impl Target {
    pub(crate) fn with(resources: &[Value]) -> Self {
        let mut target = Self::default();
        for resource in resources {
            target.insert(resource.as_object().cloned().unwrap());
        }
        target.created = 0;
        target
    }

    fn insert(&mut self, mut resource: Map<String, Value>) -> String {
        self.created += 1;
        let id = format!("t{}", self.resources.len() + self.created as usize);
        resource.insert("id".into(), json!(id));
        self.resources.push(resource);
        id
    }

    pub(crate) fn active(&self) -> usize {
        let is_active =
            |resource: &&Map<String, Value>| resource.get("active") == Some(&json!(true));
        self.resources.iter().filter(is_active).count()
    }

    fn named(&self, name: &str) -> Option<&Map<String, Value>> {
        let has = |resource: &&Map<String, Value>| {
            resource["userName"]
                .as_str()
                .unwrap()
                .eq_ignore_ascii_case(name)
        };
        self.resources.iter().find(has)
    }

    fn find(&self, attribute: &str, value: &str) -> Vec<Map<String, Value>> {
        let path = TargetPath::parse(attribute).unwrap();
        let has = |resource: &&Map<String, Value>| {
            let there = path.find(resource).and_then(Value::as_str);
            there.is_some_and(|there| there.eq_ignore_ascii_case(value))
        };
        self.resources.iter().filter(has).cloned().collect()
    }

    fn write(&mut self, write: &Write) -> Answer {
        self.writes += 1;
        match write {
            Write::Create { body } => {
                if self.named(body["userName"].as_str().unwrap()).is_some() {
                    return Answer::Conflict("it exists".into());
                }
                Answer::Created(self.insert(body.clone()))
            }
            Write::Patch { id, operations } => {
                let Some(place) = self
                    .resources
                    .iter()
                    .position(|one| one["id"] == id.as_str())
                else {
                    return Answer::Missing;
                };
                for operation in operations {
                    let path = TargetPath::parse(operation["path"].as_str().unwrap()).unwrap();
                    if operation["op"] == "remove" {
                        // only plain attributes are removed in these tests
                        self.resources[place].shift_remove(operation["path"].as_str().unwrap());
                    } else {
                        path.insert(&mut self.resources[place], operation["value"].clone());
                    }
                }
                Answer::Done
            }
            Write::Delete { id } => {
                let before = self.resources.len();
                self.resources.retain(|one| one["id"] != id.as_str());
                if self.resources.len() < before {
                    Answer::Done
                } else {
                    Answer::Missing
                }
            }
        }
    }
}

pub(crate) fn application() -> Application {
    let id: ApplicationId = ID.parse().unwrap();
    Application::new(id, "App".into(), Timestamp::UNIX_EPOCH)
}

pub(crate) fn rules(application: &Application) -> Rules {
    Rules::compile(application).unwrap()
}

/// A person of the source.
pub(crate) fn person(user_name: &str, more: Value) -> SourceObject {
    let id: ResourceId = ID.parse().unwrap();
    let mut document =
        json!({"id": ID, "userName": user_name, "displayName": user_name, "active": true});
    document
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().cloned().unwrap());
    SourceObject::from_directory(Kind::User, id, document.as_object().unwrap(), true)
}

pub(crate) fn fresh_link() -> Link {
    let (application, object) = (ID.parse().unwrap(), ID.parse().unwrap());
    Link::new(application, Kind::User, object, Timestamp::UNIX_EPOCH)
}

/// Runs a task to its end. Returns the ending, or none when the sender was killed; `remembered` is what is on disk.
pub(crate) fn run(
    rules: &Rules,
    object: &SourceObject,
    remembered: &mut Option<Link>,
    target: &mut Target,
    mut luck: impl FnMut() -> Luck,
) -> Option<Ending> {
    let surroundings = Surroundings {
        now: Timestamp::UNIX_EPOCH,
        randomness: &NoDice,
    };
    let rules = rules.of(object.kind);
    let entitlement = Entitlement::of(rules, object, true);
    let link = remembered.clone().unwrap_or_else(fresh_link);
    let mut task = Task::new(rules, object, link, entitlement, &surroundings);
    let lost = || Answer::Failed(Trouble::of_object("Timeout", "no answer", true));
    loop {
        let answer = match task.step() {
            Step::Find { attribute, value } => match luck() {
                Luck::Good => Answer::Found(target.find(&attribute, &value)),
                Luck::Killed => return None,
                _ => lost(),
            },
            Step::Get { id } => match luck() {
                Luck::Good => Answer::Got(
                    target
                        .resources
                        .iter()
                        .find(|one| one["id"] == id.as_str())
                        .cloned(),
                ),
                Luck::Killed => return None,
                _ => lost(),
            },
            Step::Remember(link) => {
                *remembered = Some(*link);
                Answer::Remembered
            }
            Step::Write(write) => match luck() {
                Luck::Good => target.write(&write),
                Luck::Lost => lost(),
                Luck::Unanswered => {
                    target.write(&write);
                    Answer::Unknown(Trouble::of_object("Timeout", "no answer", true))
                }
                Luck::Killed => {
                    target.write(&write);
                    return None;
                }
            },
            Step::End(ending) => {
                remembered.clone_from(&ending.link);
                if let (Some(link), Decision::Fail) = (remembered, ending.decision) {
                    link.failure = Some(Setback {
                        count: 1,
                        since: Timestamp::UNIX_EPOCH,
                        code: ending.reason.as_ref().unwrap().code.clone(),
                        next_attempt: Timestamp::UNIX_EPOCH,
                    });
                }
                return Some(*ending);
            }
        };
        task.answer(answer);
    }
}
