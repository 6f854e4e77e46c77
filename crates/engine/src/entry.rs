//! Entries of the provisioning log: what was done to an object, and how it came about.

use std::time::Duration;

use jiff::Timestamp;
use rollcall_model::Kind;
use rollcall_model::link::Link;
use rollcall_model::provisioning::{
    ErrorInformation, Identity, LogAction, LogEntry, LogStatus, ModifiedProperty, Step, StepKind,
};
use rollcall_sync::request::Request;
use rollcall_sync::source::SourceObject;
use rollcall_sync::task::{Answer, Decision, Ending, Trouble};
use serde_json::{Value, json};

use crate::work::Work;

/// The steps of one object, as they happen.
#[derive(Debug, Clone, Default)]
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

    /// The target was written to. The request is kept as it went out, but for what nobody may see.
    pub(crate) fn wrote(&mut self, request: Request, answer: &Answer) {
        let (name, what) = match request.method.as_str() {
            "POST" => ("EntryExportAdd", "created"),
            "DELETE" => ("EntryExportDelete", "deleted"),
            _ => ("EntryExportUpdate", "updated"),
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
        // the properties that changed are in the entry; a refused request is worth reading whole
        let details = match status {
            LogStatus::Success => {
                json!({"request": format!("{} {}", request.method, request.path)})
            }
            _ => json!({"request": request}),
        };
        self.add(name, StepKind::Export, status, said, details);
    }

    /// The task ended without writing: why, as the last step.
    pub(crate) fn concluded(&mut self, ending: &Ending, link: Option<&Link>) {
        let has_matched = self.0.iter().any(|step| step.kind == StepKind::Matching);
        if let Some(id) = link.and_then(|link| link.target_id.as_ref())
            && !has_matched
        {
            let said = "it is linked to a resource of the target".to_owned();
            let details = json!({"id": id});
            self.add(
                "EntryImport",
                StepKind::Matching,
                LogStatus::Success,
                said,
                details,
            );
        }
        if self.0.iter().any(|step| step.kind == StepKind::Export) {
            return;
        }
        let (code, said) = match &ending.reason {
            Some(trouble) => (trouble.code.as_str(), trouble.message.clone()),
            None => ("RedundantExport", "there is nothing to do".to_owned()),
        };
        let details = json!({"SkipReason": code});
        let status = status(ending.decision);
        self.add(
            "EntrySynchronizationSkip",
            StepKind::Processing,
            status,
            said,
            details,
        );
    }

    /// Puts what was read from the source in front.
    pub(crate) fn with_import(mut self, object: &SourceObject) -> Self {
        let mut import = Self::default();
        let (status, said) = if object.is_gone() {
            (LogStatus::Warning, "the source does not have it any more")
        } else {
            (LogStatus::Success, "read from the source")
        };
        let attributes = Value::Object(object.attributes.clone());
        import.add(
            "EntryImport",
            StepKind::Import,
            status,
            said.to_owned(),
            attributes,
        );
        import.0.append(&mut self.0);
        import
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
    let Steps(mut steps) = steps;
    let imports = steps
        .iter()
        .take_while(|step| step.kind == StepKind::Import)
        .count();
    steps.insert(imports, scoping(work, object));
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

pub(crate) fn identity(object: &SourceObject) -> Identity {
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

pub(crate) fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
