//! What provisioning did: log entries, reports of cycles, the state of the job.
//!
//! **Is:** records for people and for the next cycle. The entries follow the provisioning log of Microsoft Entra, so that
//! who knows one can read the other.
//! **Is not:** the audit log, which says what administrators did.
//! **Start at** [`LogEntry`] for one object, [`CycleReport`] for one run, [`JobState`] for the application.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ApplicationId, CycleId, Kind, Profile, ResourceId};

/// What one cycle did to one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// The application.
    pub application: ApplicationId,
    /// The cycle.
    pub cycle: CycleId,
    /// When it was finished.
    pub at: Timestamp,
    /// How long it took.
    pub duration_in_milliseconds: u64,
    /// What was done, or would have been.
    pub action: LogAction,
    /// How it ended.
    pub status: LogStatus,
    /// Why it failed or was skipped; absent on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorInformation>,
    /// The object at the source.
    pub source: Identity,
    /// Its counterpart at the target; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Identity>,
    /// How it came about, in order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The target's attributes that changed.
    #[serde(default)]
    pub modified_properties: Vec<ModifiedProperty>,
}

/// What is done to an object of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogAction {
    /// It is created, or adopted and brought up to date.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
    /// It is switched off.
    Disable,
    /// It would be deleted, but the guard stopped the cycle.
    StagedDelete,
    /// It would be switched off, but the guard stopped the cycle.
    StagedAction,
    /// Nothing of these.
    Other,
}

/// How the handling of an object ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogStatus {
    /// It was done.
    Success,
    /// It was done, but for a part.
    Warning,
    /// It was not done, and will be tried again.
    Failure,
    /// There was nothing to do.
    Skipped,
}

/// Why an object failed or was skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorInformation {
    /// The code by which one can search.
    pub error_code: String,
    /// The cause, for people.
    pub reason: String,
    /// What can be done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended_action: Option<String>,
}

/// Names an object of the source or the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Its id there; empty when the target has not given one.
    pub id: String,
    /// Whether it is a person or a group.
    pub kind: Kind,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The value by which it was matched, or its sign-in name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in_name: Option<String>,
}

/// One step of the handling of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its name: `EntryImport`, `EntrySynchronizationScoping`, `EntryExportUpdate`.
    pub name: String,
    /// What it is a part of.
    #[serde(rename = "type")]
    pub kind: StepKind,
    /// How it ended.
    pub status: LogStatus,
    /// What it did, for people.
    pub description: String,
    /// What it saw: names and values.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

/// The parts of the handling of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepKind {
    /// Reading the source.
    Import,
    /// Deciding whether it is in scope.
    Scoping,
    /// Finding its counterpart.
    Matching,
    /// Evaluating the mapping and comparing.
    Processing,
    /// Finding the counterparts of what it refers to.
    ReferenceResolution,
    /// Writing to the target.
    Export,
}

/// An attribute of the target with its value before and after. Values that must not be seen are `[Redact]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModifiedProperty {
    /// The attribute, as a SCIM path.
    pub display_name: String,
    /// Its value before; absent: it had none, or nobody read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_value: Option<String>,
    /// Its value after; absent: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_value: Option<String>,
}

/// What is written in the log in place of a value that must not be seen.
pub const REDACTED: &str = "[Redact]";

/// How many cycles are remembered of an application, beside the last one.
pub const CYCLES_KEPT: u64 = 200;

/// What one cycle did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CycleReport {
    /// The cycle.
    pub cycle: CycleId,
    /// Whether everything was read or only what had changed.
    pub kind: CycleKind,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// How it ended.
    pub outcome: CycleOutcome,
    /// What it did to people.
    pub users: Counts,
    /// What it did to groups.
    pub groups: Counts,
    /// For how many people it sent references, such as the manager.
    #[serde(default)]
    pub references: u64,
    /// How many memberships it added at the target.
    pub members_added: u64,
    /// How many memberships it removed at the target.
    pub members_removed: u64,
    /// How many requests it sent to the target.
    #[serde(default)]
    pub requests: u64,
    /// The milliseconds that their answers took, added up: some are under way at the same time.
    #[serde(default)]
    pub target_milliseconds: u64,
    /// The milliseconds that the handling of objects, references and memberships took, added up likewise.
    #[serde(default)]
    pub handling_milliseconds: u64,
}

impl CycleReport {
    /// Tells whether the cycle changed anything at the target.
    pub fn has_exports(&self) -> bool {
        let objects = self.users.exports() + self.groups.exports();
        objects + self.references + self.members_added + self.members_removed > 0
    }

    /// Tells whether the cycle is worth remembering: most find nothing to do.
    pub fn is_eventful(&self) -> bool {
        self.has_exports()
            || self.kind == CycleKind::Initial
            || self.outcome != CycleOutcome::Succeeded
    }
}

/// What a cycle read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CycleKind {
    /// The whole source.
    Initial,
    /// What changed at the source since the cycle before.
    Incremental,
}

/// How a cycle ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum CycleOutcome {
    /// Everything was handled.
    Succeeded,
    /// Everything was handled, and some objects failed; they are tried again.
    EntryLevelErrors,
    /// It stopped before the end.
    Stopped {
        /// Why.
        reason: QuarantineReason,
        /// The cause, for people.
        message: String,
    },
}

/// How many objects met which fate in a cycle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// Read from the source.
    pub imported: u64,
    /// Created at the target.
    pub created: u64,
    /// Found at the target and linked.
    pub adopted: u64,
    /// Changed at the target.
    pub updated: u64,
    /// Switched off at the target.
    pub disabled: u64,
    /// Deleted at the target.
    pub deleted: u64,
    /// In scope and equal at both ends.
    pub kept: u64,
    /// Out of scope, or not to be handled.
    pub skipped: u64,
    /// Held back by the guard.
    pub held: u64,
    /// Failed.
    pub failed: u64,
}

impl Counts {
    /// Returns how many objects of the target were written to.
    pub fn exports(&self) -> u64 {
        self.created + self.adopted + self.updated + self.disabled + self.deleted
    }
}

/// What an application's job remembers between cycles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobState {
    /// The place in the source's change feed up to which everything was handled; absent: the whole source is to be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<u64>,
    /// A digest of the rules and assignments of the last complete cycle; when it differs, the whole source is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// The last cycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<CycleReport>,
    /// The last cycle that was complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_complete: Option<CycleReport>,
    /// Why the job is in quarantine; absent: it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
    /// From which backup the store was restored; absent: it was not, or both ends were brought together since. Until then nobody is
    /// switched off or deleted without somebody's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restored>,
    /// When a complete cycle first had nothing to export.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steady_since: Option<Timestamp>,
    /// Who was switched off or deleted in the last day: the guard looks at all of them together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub departures: Vec<Departures>,
    /// Whether a cycle began to write and did not come to its end: then the next one looks at everything.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unfinished: bool,
    /// When the first of the objects that failed is to be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Timestamp>,
    /// How the target wants to be spoken to, as far as is known.
    pub profile: Profile,
    /// What the last comparison of both ends found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftReport>,
    /// A comparison of both ends that somebody asked for, and that has not come to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<ComparisonAsked>,
    /// Counts the changes of assignments, and the requests for a cycle: one that is running goes on, and another one follows.
    pub assignments: u64,
    /// The words and assignments that the last complete cycle knew of; others are waited for by the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<(u64, u64)>,
    /// Counts the words of administrators (restart, allowed deletions), so that a cycle that was running meanwhile does not undo
    /// them.
    pub generation: u64,
}

/// A restore of the whole store, as a job remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// When the backup was made: what the target met since is not known here.
    pub backup: Timestamp,
    /// When it was brought back.
    pub at: Timestamp,
}

impl JobState {
    /// Makes what was remembered when a backup was made fit to be used again: the target may have moved on since. Nothing that was agreed
    /// on is trusted, nothing that was asked for is carried out, and no cycle runs before somebody restarts the job.
    pub fn restore(&mut self, restored: Restored) {
        self.watermark = None;
        self.unfinished = true;
        self.retry = None;
        self.comparison = None;
        // plans do not hold that were made before, or in the time that is undone: words count by ones, and a restore by microseconds
        let now = u64::try_from(restored.at.as_microsecond()).unwrap_or_default();
        self.generation = now.max(self.generation + 1);
        self.restored = Some(restored);
        self.quarantine = Some(Quarantine {
            reason: QuarantineReason::RestoredFromBackup,
            message: format!(
                "restored from a backup of {}: the target may have moved on since, so nothing is sent before somebody restarts it; then both ends are compared, and nobody is disabled or deleted whom you do not allow to be",
                restored.backup
            ),
            since: restored.at,
            count: 1,
            next_attempt: None,
        });
    }

    /// Returns why no cycle may run before somebody restarts the job; absent: one may.
    pub fn held(&self) -> Option<&Quarantine> {
        let quarantine = self.quarantine.as_ref()?;
        (quarantine.reason == QuarantineReason::RestoredFromBackup).then_some(quarantine)
    }
}

/// What a restart forgets. The words are those of Microsoft Graph's `resetScope`, separated by commas.
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags that are chosen independently of each other"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResetScope {
    /// `Watermark`: the whole source is read and compared again.
    pub watermark: bool,
    /// `Escrows`: objects that failed are tried at once.
    pub escrows: bool,
    /// `QuarantineState`: the quarantine ends.
    pub quarantine: bool,
    /// `ConnectorDataStore`: which object is which counterpart; all are looked up again.
    pub links: bool,
    /// `ForceDeletes`: whom the guard holds back now may go.
    pub force_deletes: bool,
}

impl Default for ResetScope {
    /// What the portal's *Restart provisioning* resets: `Watermark, Escrows, QuarantineState`.
    fn default() -> Self {
        Self {
            watermark: true,
            escrows: true,
            quarantine: true,
            links: false,
            force_deletes: false,
        }
    }
}

impl FromStr for ResetScope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut scope = Self {
            watermark: false,
            escrows: false,
            quarantine: false,
            ..Self::default()
        };
        for word in text.split(',').map(str::trim) {
            match word.to_ascii_lowercase().as_str() {
                "none" => {}
                "watermark" => scope.watermark = true,
                "escrows" => scope.escrows = true,
                "quarantinestate" => scope.quarantine = true,
                "connectordatastore" => scope.links = true,
                "forcedeletes" => scope.force_deletes = true,
                "full" => {
                    scope = Self {
                        links: true,
                        force_deletes: scope.force_deletes,
                        ..Self::default()
                    }
                }
                _ => {
                    return Err(format!(
                        "`{word}` cannot be reset: use Watermark, Escrows, QuarantineState, ConnectorDataStore, Full, ForceDeletes or None, separated by commas"
                    ));
                }
            }
        }
        Ok(scope)
    }
}

/// What a comparison of both ends found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftReport {
    /// When.
    pub at: Timestamp,
    /// Why both ends could not be compared; absent: they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// How many objects were not what they should be.
    pub differing: u64,
    /// The first of them, for people.
    pub first: Vec<String>,
}

/// A comparison of both ends that somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComparisonAsked {
    /// When.
    pub at: Timestamp,
    /// Whether what differs is to be repaired.
    pub repair: bool,
}

/// How many were switched off or deleted in one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Departures {
    /// When.
    pub at: Timestamp,
    /// How many.
    pub count: u64,
}

/// A job that has stopped for a cause outside single objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantine {
    /// Why.
    pub reason: QuarantineReason,
    /// The cause, for people.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
    /// How many cycles in a row ended like this.
    pub count: u32,
    /// When the next cycle tries; absent: not before an administrator decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Timestamp>,
}

/// How long a job in quarantine is tried again (Entra's: 28 days).
pub const GIVEN_UP: jiff::SignedDuration = jiff::SignedDuration::from_hours(28 * 24);

/// Why a job stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum QuarantineReason {
    /// The target is out of reach.
    EncounteredQuarantineException,
    /// The target refuses the credential, or does not let its owner read; Entra says `EncounteredQuarantineException` of this too.
    CredentialRefused,
    /// The target does not speak SCIM.
    ServiceIncompatible,
    /// More accounts would have been disabled or deleted than the guard allows.
    TooManyDeletes,
    /// More than 40,000 objects failed.
    EncounteredBaseEscrowThreshold,
    /// With references and memberships, 60,000 or more failed.
    EncounteredTotalEscrowThreshold,
    /// More than 40 % of the objects failed.
    EncounteredEscrowProportionThreshold,
    /// The configuration cannot be used.
    InvalidConfiguration,
    /// The store was restored from a backup: nobody knows what the target met since.
    RestoredFromBackup,
    /// Anything else.
    Unknown,
}

impl QuarantineReason {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::EncounteredQuarantineException,
        Self::CredentialRefused,
        Self::ServiceIncompatible,
        Self::TooManyDeletes,
        Self::EncounteredBaseEscrowThreshold,
        Self::EncounteredTotalEscrowThreshold,
        Self::EncounteredEscrowProportionThreshold,
        Self::InvalidConfiguration,
        Self::RestoredFromBackup,
        Self::Unknown,
    ];

    /// Returns its word for programs, which stays whatever it is called here.
    pub fn word(self) -> &'static str {
        match self {
            Self::EncounteredQuarantineException => "EncounteredQuarantineException",
            Self::CredentialRefused => "CredentialRefused",
            Self::ServiceIncompatible => "ServiceIncompatible",
            Self::TooManyDeletes => "TooManyDeletes",
            Self::EncounteredBaseEscrowThreshold => "EncounteredBaseEscrowThreshold",
            Self::EncounteredTotalEscrowThreshold => "EncounteredTotalEscrowThreshold",
            Self::EncounteredEscrowProportionThreshold => "EncounteredEscrowProportionThreshold",
            Self::InvalidConfiguration => "InvalidConfiguration",
            Self::RestoredFromBackup => "RestoredFromBackup",
            Self::Unknown => "Unknown",
        }
    }

    /// Tells whether nothing is broken: somebody has to decide.
    pub fn waits_for_word(self) -> bool {
        matches!(self, Self::TooManyDeletes | Self::RestoredFromBackup)
    }
}

/// How far a cycle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// How many units of this phase are done.
    pub done: u64,
    /// How many there are; 0 while nobody knows.
    pub total: u64,
}

/// A cycle that is running, as far as it was noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// The cycle.
    pub cycle: CycleId,
    /// Whether everything is read or only what has changed.
    pub kind: CycleKind,
    /// When it began.
    pub began: Timestamp,
    /// When this was noted. A cycle whose notes are old has died.
    pub noted: Timestamp,
    /// How far it is.
    pub progress: Progress,
}

/// How old a note of a running cycle may be before nobody believes it any more.
pub const NOTE_LASTS: jiff::SignedDuration = jiff::SignedDuration::from_secs(30);

/// The parts of a cycle, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Asking the target whether it is there.
    Connecting,
    /// Reading the source and counting who leaves.
    Reading,
    /// Switching off and deleting.
    Leaving,
    /// Creating, adopting and updating.
    Writing,
    /// Managers.
    References,
    /// Members of groups.
    Members,
    /// Done.
    Finished,
}

/// Names an object in the lists of a cycle.
pub type ObjectKey = (Kind, ResourceId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_the_word_with_which_it_is_stored() {
        for reason in QuarantineReason::ALL {
            let stored = serde_json::to_value(reason).unwrap();
            assert_eq!(stored, reason.word());
        }
    }
}
