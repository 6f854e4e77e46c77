//! Why a person is, or is not, what they are in an application: everything that the decision rests on, and what would be done now.
//!
//! Nothing is written. The answer is made by the code of a plan for one object, so it cannot differ from what a cycle does.

use rollcall_app::directory::Context;
use rollcall_model::link::{Link, LinkState};
use rollcall_model::provisioning::{Identity, LogEntry};
use rollcall_model::{ApplicationId, Kind, ResourceId};
use rollcall_sync::explain::{Explained, explain};
use rollcall_sync::plan::Planned;
use rollcall_sync::task::Entitlement;
use rollcall_sync::wish::Surroundings;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::directory::Assigned;
use crate::planning::prospect;
use crate::work::{Purpose, Work};
use crate::{Engine, Error, Watch, directory, entry, objects};

/// How many entries of the provisioning log are told.
const ENTRIES: u64 = 5;

/// Everything that a decision about one object rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// The object at the source.
    pub object: Identity,
    /// Whether the source has it.
    pub exists: bool,
    /// Whether its account is enabled at the source.
    pub is_enabled: bool,
    /// By what it is in scope, in words: directly, by a group that brings it, or because everybody is; absent: by nothing.
    pub assigned_by: Option<String>,
    /// What each clause of the scoping filters says.
    pub scope: Map<String, Value>,
    /// What each mapping makes of it.
    pub mappings: Vec<Explained>,
    /// Whether it is to be in use in the target, in words.
    pub verdict: &'static str,
    /// How it stands in the target as far as is known.
    pub standing: String,
    /// The target's id of its counterpart.
    pub target_id: Option<String>,
    /// What went wrong last, with the instant of the next attempt.
    pub failure: Option<rollcall_model::link::Setback>,
    /// What the next cycle would do with it; absent when the target cannot be asked.
    pub would: Option<Planned>,
    /// Why the target cannot be asked.
    pub target_trouble: Option<String>,
    /// The latest entries of the provisioning log, latest first.
    pub log: Vec<LogEntry>,
}

impl Engine {
    /// Explains how one person or group stands in an application, and what would be done now.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the configuration cannot be used.
    pub async fn why(
        &self,
        context: &Context,
        application: ApplicationId,
        kind: Kind,
        id: ResourceId,
    ) -> Result<Why, Error> {
        let configured = self.app.configured(context, application).await?;
        let purpose = Purpose::Plan { made: None };
        let work = Work::prepare(self, context, configured, Watch::default(), purpose).await?;
        let known = objects::one(&work, kind, id).await?;
        let inner = std::sync::Arc::clone(&work);
        let (assigned_by, log) = work
            .tenant
            .read::<_, Error, _>(move |reader| {
                let principal = inner.assigned.by(reader, kind, id)?;
                let log = reader.object_log(inner.application, kind, id, ENTRIES)?;
                let name = match (&inner.assigned, principal) {
                    (Assigned::Everybody, _) => Some("everybody is in scope".to_owned()),
                    (_, Some(principal)) if principal == id => Some("directly".to_owned()),
                    (_, Some(principal)) => {
                        Some(format!("by `{}`", directory::name(reader, principal)?))
                    }
                    (_, None) => None,
                };
                Ok((name, log))
            })
            .await?;
        let object = &known.object;
        let entitlement = work.entitlement(object);
        let rules = work.rules.of(kind);
        let surroundings = Surroundings {
            now: work.at,
            randomness: &**work.app.randomness(),
        };
        let (would, target_trouble) = match work.connect().await {
            Err(Error::Stopped { message, .. }) => (None, Some(message)),
            Err(error) => return Err(error),
            Ok(_) => {
                let again = objects::one(&work, kind, id).await?;
                (Some(prospect(&work, again).await?), None)
            }
        };
        Ok(Why {
            object: entry::identity(object),
            exists: !object.is_gone(),
            is_enabled: !object.is_gone() && object.is_enabled(),
            assigned_by: assigned_by.filter(|_| !object.is_gone()),
            mappings: explain(rules, object, &surroundings),
            scope: rules.filters.evaluate(&object.attributes).details,
            verdict: words(entitlement),
            standing: standing(known.link.as_ref()).to_owned(),
            target_id: known.link.as_ref().and_then(|link| link.target_id.clone()),
            failure: known.link.and_then(|link| link.failure),
            would,
            target_trouble,
            log,
        })
    }
}

fn words(entitlement: Entitlement) -> &'static str {
    match entitlement {
        Entitlement::Entitled => "it is to be in use in the target",
        other => other.reason(),
    }
}

fn standing(link: Option<&Link>) -> &'static str {
    match link.map(|link| &link.state) {
        None | Some(LinkState::Unlinked) => "it has no counterpart that this application knows of",
        Some(LinkState::Creating(_)) => {
            "its counterpart was being created, and the outcome is unknown: the next cycle looks for it"
        }
        Some(LinkState::Active) => "its counterpart is in use",
        Some(LinkState::Disabled) => "its counterpart is switched off",
        Some(LinkState::Released) => "its counterpart is left alone",
        Some(LinkState::Held) => "it would leave, and the deletion guard holds it back",
        Some(LinkState::Allowed) => "it was allowed to leave, and does in the next cycle",
    }
}
