//! Entries of the provisioning log: what was done to an object, and how it came about.

use std::time::Duration;

use jiff::Timestamp;
use rollcall_model::Kind;
use rollcall_model::link::Link;
use rollcall_model::provisioning::{
    ErrorInformation, Identity, LogAction, LogEntry, LogStatus, ModifiedProperty, Step, StepKind,
};
use rollcall_sync::source::SourceObject;
use rollcall_sync::task::{Answer, Decision, Ending, Trouble, Write};
use serde_json::{Value, json};

use crate::work::Work;

/// The steps of one object, as they happen.
#[derive(Debug, Default)]
pub(crate) struct Steps(Vec<Step>);

impl Steps {
    /// A look-up in the target was answered.
    pub(crate) fn matched(&mut self, attribute: &str, value: &str, answer: &Answer) {
        let (status, said) = match answer {
            Answer::Found(found) => (LogStatus::Success, format!("{} found", found.len())),
            Answer::Failed(trouble) | Answer::Unknown(trouble) => {
                (LogStatus::Failure, trouble.message.clone())
            }
            Answer::TakenByAnother(message) => (LogStatus::Warning, message.clone()),
            _ => (LogStatus::Failure, "not answered".to_owned()),
        };
        let details = json!({"attribute": attribute, "value": value});
        self.add("EntryImport", StepKind::Matching, status, said, details);
    }

    /// The linked resource was read.
    pub(crate) fn read(&mut self, answer: &Answer) {
        let (status, said) = match answer {
            Answer::Got(Some(_)) => (LogStatus::Success, "read the linked resource".to_owned()),
            Answer::Got(None) => (
                LogStatus::Warning,
                "the linked resource is not there any more".to_owned(),
            ),
            Answer::Failed(trouble) | Answer::Unknown(trouble) => {
                (LogStatus::Failure, trouble.message.clone())
            }
            _ => (LogStatus::Failure, "not answered".to_owned()),
        };
        self.add("EntryImport", StepKind::Matching, status, said, json!({}));
    }

    /// The target was written to.
    pub(crate) fn wrote(&mut self, write: &Write, answer: &Answer) {
        let (name, what) = match write {
            Write::Create { .. } => ("EntryExportAdd", "created"),
            Write::Patch { .. } => ("EntryExportUpdate", "updated"),
            Write::Delete { .. } => ("EntryExportDelete", "deleted"),
        };
        let (status, said) = match answer {
            Answer::Created(_) | Answer::Done => (LogStatus::Success, what.to_owned()),
            Answer::Missing => (LogStatus::Warning, "it is not there any more".to_owned()),
            Answer::Conflict(message) => (LogStatus::Failure, message.clone()),
            Answer::Failed(trouble) | Answer::Unknown(trouble) => {
                (LogStatus::Failure, trouble.message.clone())
            }
            _ => (LogStatus::Failure, "not answered".to_owned()),
        };
        self.add(name, StepKind::Export, status, said, json!({}));
    }

    fn add(
        &mut self,
        name: &str,
        kind: StepKind,
        status: LogStatus,
        description: String,
        details: Value,
    ) {
        let details = details.as_object().cloned().unwrap_or_default();
        self.0.push(Step {
            name: name.to_owned(),
            kind,
            status,
            description,
            details,
        });
    }
}

/// Makes the entry of an object's task.
pub(crate) fn of_object(
    work: &Work,
    object: &SourceObject,
    link: Option<&Link>,
    ending: &Ending,
    steps: Steps,
    at: Timestamp,
    took: Duration,
) -> LogEntry {
    let Steps(taken) = steps;
    let mut steps = vec![scoping(work, object)];
    steps.extend(taken);
    LogEntry {
        application: work.application,
        cycle: work.cycle,
        at,
        duration_in_milliseconds: milliseconds(took),
        action: action(object.kind, ending.decision, link),
        status: status(ending.decision),
        error: ending.reason.as_ref().map(error),
        source: identity(object),
        target: target(object.kind, link),
        steps,
        modified_properties: ending.properties.clone(),
    }
}

/// Makes the entry of a change of references or members.
pub(crate) fn of_references(
    work: &Work,
    object: &SourceObject,
    link: &Link,
    properties: Vec<ModifiedProperty>,
    trouble: Option<&Trouble>,
    took: Duration,
) -> LogEntry {
    LogEntry {
        application: work.application,
        cycle: work.cycle,
        at: work.app.now(),
        duration_in_milliseconds: milliseconds(took),
        action: LogAction::Update,
        status: if trouble.is_some() {
            LogStatus::Failure
        } else {
            LogStatus::Success
        },
        error: trouble.map(error),
        source: identity(object),
        target: target(object.kind, Some(link)),
        steps: Vec::new(),
        modified_properties: properties,
    }
}

fn scoping(work: &Work, object: &SourceObject) -> Step {
    let rules = work.rules.of(object.kind);
    let scope = rules.filters.evaluate(&object.attributes);
    let truth = |flag: bool| if flag { "True" } else { "False" };
    let details = json!({
        "Active in the source system": truth(!object.is_gone() && object.is_enabled()),
        "Assigned to the application": truth(object.is_assigned),
        "Scoping filter evaluation passed": truth(scope.passed),
        "ScopeEvaluationResult": Value::Object(scope.details).to_string(),
    });
    let details = details.as_object().cloned().unwrap_or_default();
    Step {
        name: "EntrySynchronizationScoping".to_owned(),
        kind: StepKind::Scoping,
        status: LogStatus::Success,
        description: "decided whether it is to be in use in the target".to_owned(),
        details,
    }
}

fn action(kind: Kind, decision: Decision, link: Option<&Link>) -> LogAction {
    match decision {
        Decision::Delete => LogAction::Delete,
        Decision::Disable => LogAction::Disable,
        Decision::Hold if kind == Kind::Group => LogAction::StagedDelete,
        Decision::Hold => LogAction::StagedAction,
        Decision::Create | Decision::Adopt => LogAction::Create,
        Decision::Fail if link.is_none_or(|link| link.target_id.is_none()) => LogAction::Create,
        Decision::Update | Decision::Fail => LogAction::Update,
        Decision::Keep | Decision::Skip => LogAction::Other,
    }
}

fn status(decision: Decision) -> LogStatus {
    match decision {
        Decision::Fail => LogStatus::Failure,
        Decision::Keep | Decision::Skip | Decision::Hold => LogStatus::Skipped,
        _ => LogStatus::Success,
    }
}

fn error(trouble: &Trouble) -> ErrorInformation {
    ErrorInformation {
        error_code: trouble.code.clone(),
        reason: trouble.message.clone(),
        recommended_action: None,
    }
}

fn identity(object: &SourceObject) -> Identity {
    Identity {
        id: object.id.to_string(),
        kind: object.kind,
        display_name: object.display_name().map(str::to_owned),
        sign_in_name: object.sign_in_name().map(str::to_owned),
    }
}

fn target(kind: Kind, link: Option<&Link>) -> Option<Identity> {
    let link = link?;
    let id = link.target_id.clone()?;
    Some(Identity {
        id,
        kind,
        display_name: link.name.clone(),
        sign_in_name: None,
    })
}

fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
