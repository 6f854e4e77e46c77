//! `/applications`: where people and groups are provisioned to, how that goes, and what to do about it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rollcall_app::overview::Listed;
use rollcall_app::provisioning_logs::LogsQuery;
use rollcall_model::application::{Application as Configured, Mode, Status};
use rollcall_model::provisioning::{
    CycleKind, CycleOutcome, CycleReport, LogAction, LogEntry, LogStatus,
};
use rollcall_model::{ApplicationId, KeyRole};

use crate::described::Nothing;
use crate::groups::ObjectType;
use crate::listing::count;
use crate::operation::{Call, GET, Operation, POST};
use crate::problem::Problem;

/// What a path that names an application that is not there is about.
const NOUN: &str = "application";
/// So many of those who are held back are named; all are counted.
const NAMED: usize = 1_000;

words! {
    /// How an application stands.
    pub(crate) enum ApplicationState {
        /// A cycle is running.
        Running "running",
        /// Provisioning waits for somebody's word: see `quarantine`.
        Held "held",
        /// Provisioning has stopped and is tried again: see `quarantine`.
        Quarantine "quarantine",
        /// Provisioning is on.
        On "on",
        /// Provisioning is off.
        Off "off",
    }
}

words! {
    /// What a cycle read.
    pub(crate) enum CycleType {
        /// The whole directory.
        Initial "initial",
        /// What had changed.
        Incremental "incremental",
    }
}

words! {
    /// How a cycle ended.
    pub(crate) enum Outcome {
        /// Everything was handled.
        Succeeded "succeeded",
        /// Everything was handled, and some objects failed; they are tried again.
        SomeFailed "some_failed",
        /// It stopped before the end.
        Stopped "stopped",
    }
}

described! {
    /// What a cycle did.
    pub(crate) struct Cycle {
        /// Its id, by which the logs name it.
        id: String,
        /// What it read.
        r#type: CycleType,
        /// When it began.
        began: Timestamp,
        /// When it ended.
        ended: Timestamp,
        /// How it ended.
        outcome: Outcome,
        /// Why it stopped, for people; null: it did not.
        message: Option<String>,
        /// How many people and groups it created at the target.
        created: u64,
        /// How many it found there and linked.
        adopted: u64,
        /// How many it changed.
        updated: u64,
        /// How many it switched off.
        disabled: u64,
        /// How many it deleted.
        deleted: u64,
        /// How many the deletion guard held back.
        held: u64,
        /// How many failed.
        failed: u64,
        /// How many memberships it added.
        members_added: u64,
        /// How many memberships it removed.
        members_removed: u64,
    }
}

described! {
    /// Why provisioning stopped.
    pub(crate) struct Quarantine {
        /// The cause, for programs, such as `TooManyDeletes` or `CredentialRefused`.
        reason: String,
        /// The cause, for people.
        message: String,
        /// Since when.
        since: Timestamp,
        /// When it is tried again; null: not before somebody decides.
        next_attempt: Option<Timestamp>,
    }
}

described! {
    /// An application that people and groups are provisioned into.
    pub(crate) struct Application {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// How it stands.
        state: ApplicationState,
        /// The SCIM base URL of the target; null: nobody entered it yet.
        target_url: Option<String>,
        /// How many people and groups are in use in the target.
        in_use: u64,
        /// What the last cycle did; null: none ran.
        last_cycle: Option<Cycle>,
        /// Why it stopped; null: it did not.
        quarantine: Option<Quarantine>,
        /// The job file that configures it, and in which it is changed; null: people do.
        job_file: Option<String>,
        /// When it was created.
        created: Timestamp,
    }
}

described! {
    /// The applications.
    pub(crate) struct Applications {
        /// All of them, in order of creation.
        applications: Vec<Application>,
    }
}

described! {
    /// Somebody whom the deletion guard holds back.
    pub(crate) struct HeldObject {
        /// Its id.
        id: String,
        /// What it is.
        r#type: ObjectType,
        /// Its name when both ends last agreed; null: nobody noted it.
        name: Option<String>,
    }
}

described! {
    /// Whom the deletion guard holds back.
    pub(crate) struct Held {
        /// How many.
        count: u64,
        /// What allows exactly this list (`allow`); null: it is empty.
        code: Option<String>,
        /// They, people first; a thousand at most.
        objects: Vec<HeldObject>,
    }
}

described! {
    /// An application, with whom its deletion guard holds back.
    pub(crate) struct WholeApplication {
        /// The application.
        application: Application,
        /// Whom its deletion guard holds back.
        held: Held,
    }
}

described! {
    /// Which list is allowed.
    pub(crate) struct Allowed {
        /// The `code` of the list that was looked at. Had anybody come or gone since, nobody is let go.
        code: String,
    }
}

described! {
    /// How many were let go.
    pub(crate) struct LetGo {
        /// They are switched off or deleted by the next cycle.
        count: u64,
    }
}

words! {
    /// What was done to an object of the target.
    pub(crate) enum Deed {
        /// It was created, or adopted and brought up to date.
        Create "create",
        /// It was changed.
        Update "update",
        /// It was switched off.
        Disable "disable",
        /// It was deleted.
        Delete "delete",
        /// It would have been switched off, but the guard held it back.
        HeldDisable "held_disable",
        /// It would have been deleted, but the guard held it back.
        HeldDelete "held_delete",
        /// Nothing of these.
        Other "other",
    }
}

words! {
    /// How that ended.
    pub(crate) enum Ended {
        /// It was done.
        Success "success",
        /// It was done, but for a part.
        Warning "warning",
        /// It was not done, and is tried again.
        Failure "failure",
        /// There was nothing to do.
        Skipped "skipped",
    }
}

described! {
    /// An attribute of the target that changed. Values that must not be seen are `[Redact]`.
    pub(crate) struct Property {
        /// The attribute, as a SCIM path.
        path: String,
        /// Its value before; null: it had none, or nobody read it.
        old: Option<String>,
        /// Its value after; null: it has none.
        new: Option<String>,
    }
}

described! {
    /// Why something failed or was skipped.
    pub(crate) struct Cause {
        /// The code by which one can search.
        code: String,
        /// The cause, for people.
        reason: String,
        /// What can be done about it; null: nothing is known.
        recommended_action: Option<String>,
    }
}

described! {
    /// What a cycle did to one object.
    pub(crate) struct Log {
        /// When it was finished.
        at: Timestamp,
        /// The cycle.
        cycle: String,
        /// What was done.
        action: Deed,
        /// How it ended.
        status: Ended,
        /// What the object is.
        r#type: ObjectType,
        /// Its id here.
        source_id: String,
        /// Its name; null: nobody noted it.
        name: Option<String>,
        /// Its id at the target; null: it has none.
        target_id: Option<String>,
        /// What changed at the target.
        changes: Vec<Property>,
        /// Why it failed or was skipped; null: it did not.
        error: Option<Cause>,
    }
}

described! {
    /// A page of the provisioning log.
    pub(crate) struct Logs {
        /// The entries, the latest first.
        entries: Vec<Log>,
        /// The `cursor` of the next page; null: this is the last.
        next: Option<String>,
    }
}

described! {
    /// Which entries are wanted.
    pub(crate) struct LogsAsked {
        /// Only those that ended so.
        status: Option<Ended>,
        /// The page that begins here: `next` of the page before, asked with the same `status`; good for an hour.
        cursor: Option<String>,
        /// How many at most, 1 to 1000; 100 when absent. A page may have fewer, though more follow.
        limit: Option<u64>,
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    use KeyRole::{Manage, Read};
    vec![
        Operation::new(
            (GET, "/applications"),
            Read,
            ("listApplications", "Lists the applications"),
            list,
        ),
        Operation::new(
            (GET, "/applications/{id}"),
            Read,
            (
                "getApplication",
                "Returns an application, with whom its deletion guard holds back",
            ),
            look,
        ),
        Operation::new(
            (POST, "/applications/{id}/start"),
            Manage,
            ("startApplication", "Switches provisioning on"),
            start,
        ),
        Operation::new(
            (POST, "/applications/{id}/stop"),
            Manage,
            (
                "stopApplication",
                "Switches provisioning off; what was provisioned stays",
            ),
            stop,
        ),
        Operation::new(
            (POST, "/applications/{id}/run"),
            Manage,
            ("runApplication", "Asks for a cycle now"),
            run,
        ),
        Operation::new(
            (POST, "/applications/{id}/allow"),
            Manage,
            (
                "allowDeletions",
                "Lets exactly those go whom the deletion guard holds back and who were looked at",
            ),
            allow,
        ),
        Operation::new(
            (GET, "/applications/{id}/logs"),
            Read,
            (
                "listLogs",
                "Lists the provisioning log of an application, the latest entries first",
            ),
            logs,
        ),
    ]
}

impl Cycle {
    fn of(report: &CycleReport) -> Self {
        let (users, groups) = (&report.users, &report.groups);
        let (outcome, message) = match &report.outcome {
            CycleOutcome::Succeeded => (Outcome::Succeeded, None),
            CycleOutcome::EntryLevelErrors => (Outcome::SomeFailed, None),
            CycleOutcome::Stopped { message, .. } => (Outcome::Stopped, Some(message.clone())),
        };
        Self {
            id: report.cycle.to_string(),
            r#type: match report.kind {
                CycleKind::Initial => CycleType::Initial,
                CycleKind::Incremental => CycleType::Incremental,
            },
            began: report.began,
            ended: report.ended,
            outcome,
            message,
            created: users.created + groups.created,
            adopted: users.adopted + groups.adopted,
            updated: users.updated + groups.updated,
            disabled: users.disabled + groups.disabled,
            deleted: users.deleted + groups.deleted,
            held: users.held + groups.held,
            failed: users.failed + groups.failed,
            members_added: report.members_added,
            members_removed: report.members_removed,
        }
    }
}

fn state(listed: &Listed) -> ApplicationState {
    match (&listed.running, &listed.job.quarantine) {
        (Some(_), _) => ApplicationState::Running,
        (None, Some(quarantine)) if quarantine.reason.waits_for_word() => ApplicationState::Held,
        (None, Some(_)) => ApplicationState::Quarantine,
        (None, None) if is_on(&listed.application) => ApplicationState::On,
        (None, None) => ApplicationState::Off,
    }
}

fn is_on(application: &Configured) -> bool {
    (application.mode, application.status) == (Mode::Automatic, Status::On)
}

impl Application {
    fn of(listed: Listed) -> Self {
        let state = state(&listed);
        let Listed {
            application,
            job,
            in_use,
            ..
        } = listed;
        Self {
            id: application.id.to_string(),
            name: application.name,
            state,
            target_url: application.target.map(|target| target.tenant_url),
            in_use,
            last_cycle: job.last.as_ref().map(Cycle::of),
            quarantine: job.quarantine.map(|quarantine| Quarantine {
                reason: quarantine.reason.word().to_owned(),
                message: quarantine.message,
                since: quarantine.since,
                next_attempt: quarantine.next_attempt,
            }),
            job_file: application.job_file,
            created: application.created,
        }
    }
}

impl<Q, B> Call<Q, B> {
    /// Returns the id of the application in the path, which people configure.
    async fn changeable(&self) -> Result<ApplicationId, Problem> {
        let id = self.id(NOUN)?;
        Ok(self.api.app.changeable(&self.context(), id).await?.id)
    }

    async fn application(&self, id: ApplicationId) -> Result<Application, Problem> {
        let context = self.context();
        let listed = self.api.app.application_listed(&context, id);
        Ok(Application::of(listed.await?))
    }
}

async fn list(call: Call<Nothing, Nothing>) -> Result<Applications, Problem> {
    let listed = call.api.app.applications_listed(&call.context()).await?;
    Ok(Applications {
        applications: listed.into_iter().map(Application::of).collect(),
    })
}

async fn look(call: Call<Nothing, Nothing>) -> Result<WholeApplication, Problem> {
    let id = call.id(NOUN)?;
    let application = call.application(id).await?;
    let held = call.api.app.held(&call.context(), id).await?;
    let code = (!held.links.is_empty()).then(|| held.code());
    Ok(WholeApplication {
        application,
        held: Held {
            count: held.links.len() as u64,
            code,
            objects: held
                .links
                .into_iter()
                .take(NAMED)
                .map(|link| HeldObject {
                    id: link.object.to_string(),
                    r#type: link.kind.into(),
                    name: link.name,
                })
                .collect(),
        },
    })
}

async fn start(call: Call<Nothing, Nothing>) -> Result<Application, Problem> {
    let id = call.changeable().await?;
    call.api.app.start(&call.context(), id).await?;
    call.application(id).await
}

async fn stop(call: Call<Nothing, Nothing>) -> Result<Application, Problem> {
    let id = call.changeable().await?;
    call.api.app.stop(&call.context(), id).await?;
    call.application(id).await
}

async fn run(call: Call<Nothing, Nothing>) -> Result<Application, Problem> {
    let id = call.changeable().await?;
    call.api.app.ask_for_cycle(&call.context(), id).await?;
    call.application(id).await
}

async fn allow(call: Call<Nothing, Allowed>) -> Result<LetGo, Problem> {
    let id = call.changeable().await?;
    let (context, code) = (call.context(), call.body.code.clone());
    let allowed = (call.api.app).allow_deletions(&context, id, code);
    Ok(LetGo {
        count: allowed.await?,
    })
}

async fn logs(call: Call<LogsAsked, Nothing>) -> Result<Logs, Problem> {
    let id: ApplicationId = call.id(NOUN)?;
    let status = call.query.status.map(|status| match status {
        Ended::Success => LogStatus::Success,
        Ended::Warning => LogStatus::Warning,
        Ended::Failure => LogStatus::Failure,
        Ended::Skipped => LogStatus::Skipped,
    });
    let question = format!("logs {id} {status:?}");
    let before = call.opened(call.query.cursor.as_deref(), &question)?;
    let before = before.map(|place| (id, u64::from_be_bytes(place)));
    let many = count(call.query.limit);
    let query = LogsQuery {
        application: Some(id),
        status,
        before: before.into_iter().collect::<BTreeMap<_, _>>(),
        count: usize::try_from(many).unwrap_or(usize::MAX),
        ..LogsQuery::default()
    };
    let page = call
        .api
        .app
        .provisioning_logs(&call.context(), query)
        .await?;
    let next = page.next.as_ref().and_then(|places| places.get(&id));
    Ok(Logs {
        entries: page
            .entries
            .into_iter()
            .map(|(_, entry)| log(entry))
            .collect(),
        next: next.map(|place| call.sealed(&place.to_be_bytes(), &question)),
    })
}

fn log(entry: LogEntry) -> Log {
    Log {
        at: entry.at,
        cycle: entry.cycle.to_string(),
        action: match entry.action {
            LogAction::Create => Deed::Create,
            LogAction::Update => Deed::Update,
            LogAction::Delete => Deed::Delete,
            LogAction::Disable => Deed::Disable,
            LogAction::StagedDelete => Deed::HeldDelete,
            LogAction::StagedAction => Deed::HeldDisable,
            LogAction::Other => Deed::Other,
        },
        status: match entry.status {
            LogStatus::Success => Ended::Success,
            LogStatus::Warning => Ended::Warning,
            LogStatus::Failure => Ended::Failure,
            LogStatus::Skipped => Ended::Skipped,
        },
        r#type: entry.source.kind.into(),
        name: entry.source.display_name.or(entry.source.sign_in_name),
        source_id: entry.source.id,
        target_id: entry
            .target
            .map(|target| target.id)
            .filter(|id| !id.is_empty()),
        changes: entry
            .modified_properties
            .into_iter()
            .map(|changed| Property {
                path: changed.display_name,
                old: changed.old_value,
                new: changed.new_value,
            })
            .collect(),
        error: entry.error.map(|error| Cause {
            code: error.error_code,
            reason: error.reason,
            recommended_action: error.recommended_action,
        }),
    }
}
