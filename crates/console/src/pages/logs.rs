//! The provisioning logs: across all applications, or of one; each entry with its steps, its cause and what can be done.

mod file;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State as Shared};
use axum::response::Response;
use rollcall_app::provisioning_logs::{LogDetail, LogsPage as Found, LogsQuery};
use rollcall_model::provisioning::{Identity, LogAction, LogEntry, LogStatus};
use rollcall_model::{ApplicationId, Kind, Permission};

use super::applications::plan::{Change, changes};
use super::applications::steps::{self, StepView};
use super::applications::{Head, Tab, parsed};
use crate::Console;
use crate::causes;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Frame, Place, encoded};
use crate::problem::Problem;
use crate::table::{Needs, Routes, page};
use crate::words::sentence;
use crate::words::{Moment, Zone, counted, number};

/// How many entries are shown on a page.
const ROWS: usize = 50;

pub(crate) fn routes() -> Routes {
    let read = Needs::Role(Permission::Read);
    vec![
        page("/provisioning-logs", read, look),
        page("/provisioning-logs/download", read, file::download_all),
        page("/applications/{id}/logs", read, look_at_one),
        page("/applications/{id}/logs/download", read, file::download_one),
    ]
}

#[derive(Debug)]
struct Row {
    href: String,
    at: Moment,
    tone: &'static str,
    icon: &'static str,
    status: &'static str,
    action: &'static str,
    who: String,
    sub: String,
    is_selected: bool,
}

#[derive(Debug)]
struct Detail {
    title: String,
    tone: &'static str,
    status: &'static str,
    at: Moment,
    application: String,
    application_href: String,
    took: String,
    who: String,
    who_href: String,
    target: String,
    cause: String,
    reason: String,
    recommended: String,
    is_known: bool,
    is_trouble: bool,
    remedies: &'static [&'static str],
    others: String,
    others_href: String,
    steps: Vec<StepView>,
    changes: Vec<Change>,
    more: String,
    /// The addresses of what can be done about whom it is about.
    demand_href: String,
    why_href: String,
    cycle: String,
}

/// What was asked for.
#[derive(Debug, Clone, Default)]
struct Asked {
    q: String,
    app: String,
    result: String,
    action: String,
    code: String,
    event: String,
    before: String,
}

#[derive(Debug)]
struct LogsView {
    /// Where the list is: of all applications, or of one.
    path: String,
    asked: Asked,
    applications: Vec<(String, String)>,
    rows: Vec<Row>,
    detail: Option<Detail>,
    back: String,
    first: Option<String>,
    next: Option<String>,
    looked_until: Option<Moment>,
    /// The addresses of the same entries as a file.
    csv: String,
    lines: String,
    may: bool,
}

#[derive(Debug, Template)]
#[template(path = "logs.html")]
struct LogsPage {
    frame: Frame,
    logs: LogsView,
}

#[derive(Debug, Template)]
#[template(path = "applications/logs.html")]
struct ApplicationLogsPage {
    frame: Frame,
    head: Head,
    logs: LogsView,
}

impl Asked {
    fn of(form: &Form) -> Self {
        let text = |name| form.text(name).to_owned();
        Self {
            q: text("q"),
            app: text("app"),
            result: text("result"),
            action: text("action"),
            code: text("code"),
            event: text("event"),
            before: text("before"),
        }
    }

    fn query(&self, only: Option<ApplicationId>, count: usize) -> LogsQuery {
        LogsQuery {
            application: only.or_else(|| self.app.parse().ok()),
            status: match self.result.as_str() {
                "success" => Some(LogStatus::Success),
                "failure" => Some(LogStatus::Failure),
                "skipped" => Some(LogStatus::Skipped),
                "warning" => Some(LogStatus::Warning),
                _ => None,
            },
            action: match self.action.as_str() {
                "create" => Some(LogAction::Create),
                "update" => Some(LogAction::Update),
                "disable" => Some(LogAction::Disable),
                "delete" => Some(LogAction::Delete),
                "other" => Some(LogAction::Other),
                _ => None,
            },
            code: Some(self.code.clone()).filter(|code| !code.is_empty()),
            text: self.q.clone(),
            before: places(&self.before),
            count,
        }
    }

    /// Writes the filters as a query, and what is to be added to them.
    fn with(&self, path: &str, added: &[(&str, &str)]) -> String {
        let own = [
            ("q", self.q.as_str()),
            ("app", &self.app),
            ("result", &self.result),
            ("action", &self.action),
            ("code", &self.code),
        ];
        let pairs: Vec<String> = own
            .iter()
            .chain(added)
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        if pairs.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", pairs.join("&"))
        }
    }
}

/// Reads `ID-PLACE`, as often as it comes.
fn places(text: &str) -> BTreeMap<ApplicationId, u64> {
    text.split('.')
        .filter_map(|one| {
            let (id, place) = one.rsplit_once('-')?;
            Some((id.parse().ok()?, place.parse().ok()?))
        })
        .collect()
}

fn written(places: &BTreeMap<ApplicationId, u64>) -> String {
    let all: Vec<String> = places
        .iter()
        .map(|(id, place)| format!("{id}-{place}"))
        .collect();
    all.join(".")
}

fn row(place: u64, entry: &LogEntry, (path, asked): (&str, &Asked), zone: &Zone) -> Row {
    let (tone, icon, status) = steps::status(entry.status);
    let event = format!("{}-{place}", entry.application);
    let sub = match &entry.error {
        Some(error) => causes::of(&error.error_code)
            .map_or_else(|| error.error_code.clone(), |cause| cause.title.to_owned()),
        None => match entry.modified_properties.len() as u64 {
            0 => String::new(),
            count => counted(count, "attribute"),
        },
    };
    Row {
        href: asked.with(path, &[("before", &asked.before), ("event", &event)]),
        at: zone.exact(entry.at),
        tone,
        icon,
        status,
        action: steps::action(entry.action),
        who: steps::name(&entry.source),
        sub,
        is_selected: asked.event == event,
    }
}

fn key(identity: &Identity) -> String {
    match identity.kind {
        Kind::User => format!("user:{}", identity.id),
        Kind::Group => format!("group:{}", identity.id),
    }
}

fn detail(found: &LogDetail, path: &str, zone: &Zone) -> Detail {
    let entry = &found.entry;
    let (tone, _, status) = steps::status(entry.status);
    let who = steps::name(&entry.source);
    let error = entry.error.as_ref();
    let cause = error.and_then(|error| causes::of(&error.error_code));
    let (changes, more) = changes(&entry.modified_properties);
    let home = format!("/applications/{}", entry.application);
    let others = match (found.others, found.is_partial) {
        (0, _) => String::new(),
        (1, false) => "1 other has the same problem.".to_owned(),
        (count, false) => format!("{} others have the same problem.", number(count)),
        (count, true) => format!("More than {} others have the same problem.", number(count)),
    };
    let asked = Asked {
        result: "failure".to_owned(),
        code: error
            .map(|error| error.error_code.clone())
            .unwrap_or_default(),
        app: if path == "/provisioning-logs" {
            entry.application.to_string()
        } else {
            String::new()
        },
        ..Asked::default()
    };
    Detail {
        title: format!("{} {who}", steps::action(entry.action)),
        tone,
        status,
        at: zone.exact(entry.at),
        application: found.application.clone(),
        took: format!("{} ms", number(entry.duration_in_milliseconds)),
        who_href: match entry.source.kind {
            Kind::User => format!("/users/{}", entry.source.id),
            Kind::Group => format!("/groups/{}", entry.source.id),
        },
        target: entry
            .target
            .as_ref()
            .map(|target| target.id.clone())
            .unwrap_or_default(),
        cause: match (cause, error) {
            (Some(cause), _) => cause.title.to_owned(),
            (None, Some(error)) => error.error_code.clone(),
            (None, None) => String::new(),
        },
        reason: error
            .map(|error| sentence(&error.reason))
            .unwrap_or_default(),
        recommended: error
            .and_then(|error| error.recommended_action.clone())
            .unwrap_or_default(),
        is_known: cause.is_some(),
        is_trouble: matches!(entry.status, LogStatus::Failure | LogStatus::Warning),
        remedies: cause.map_or(&[], |cause| cause.remedies),
        others,
        others_href: asked.with(path, &[]),
        steps: steps::of(&entry.steps),
        changes,
        more,
        demand_href: format!("{home}/on-demand?object={}", key(&entry.source)),
        why_href: format!("{home}/why?object={}", key(&entry.source)),
        cycle: entry.cycle.to_string(),
        application_href: home,
        who,
    }
}

impl Console {
    async fn logs(
        &self,
        known: &Known,
        path: String,
        asked: Asked,
        only: Option<ApplicationId>,
        may: bool,
    ) -> Result<LogsView, Problem> {
        let context = known.visitor.context();
        let zone = self.zone(known);
        let query = asked.query(only, ROWS);
        let found = self.app.provisioning_logs(&context, query).await?;
        let event = places(&asked.event).into_iter().next();
        let event = event.filter(|(id, _)| only.is_none_or(|only| only == *id));
        let detail = match event {
            Some((id, place)) => self.app.provisioning_event(&context, id, place).await?,
            None => None,
        };
        Ok(view(path, asked, &found, detail.as_ref(), &zone, may))
    }
}

fn view(
    path: String,
    asked: Asked,
    found: &Found,
    selected: Option<&LogDetail>,
    zone: &Zone,
    may: bool,
) -> LogsView {
    let rows = found.entries.iter();
    LogsView {
        rows: rows
            .map(|(place, entry)| row(*place, entry, (&path, &asked), zone))
            .collect(),
        applications: found
            .applications
            .iter()
            .map(|(id, name)| (id.to_string(), name.clone()))
            .collect(),
        detail: selected.map(|selected| detail(selected, &path, zone)),
        back: asked.with(&path, &[("before", &asked.before)]),
        first: (!asked.before.is_empty()).then(|| asked.with(&path, &[])),
        next: found
            .next
            .as_ref()
            .map(|places| asked.with(&path, &[("before", &written(places))])),
        looked_until: found.looked_until.map(|at| zone.exact(at)),
        csv: asked.with(&format!("{path}/download"), &[("format", "csv")]),
        lines: asked.with(&format!("{path}/download"), &[("format", "jsonl")]),
        may,
        path,
        asked,
    }
}

async fn look(
    Shared(console): Shared<Console>,
    known: Known,
    form: Form,
) -> Result<Response, Problem> {
    let frame = console
        .frame(&known, Place::Logs, "Provisioning logs")
        .await?;
    let may = frame.may.provisioning;
    let path = "/provisioning-logs".to_owned();
    let logs = console
        .logs(&known, path, Asked::of(&form), None, may)
        .await?;
    Ok(layout::rendered(&LogsPage { frame, logs }))
}

async fn look_at_one(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let (application, head) = console.application_head(&known, id, Tab::Logs).await?;
    let title = format!("Provisioning logs · {}", head.name);
    let frame = console.frame(&known, Place::Applications, &title).await?;
    let may = frame.may.provisioning && application.job_file.is_none();
    let path = format!("/applications/{id}/logs");
    let mut asked = Asked::of(&form);
    asked.app.clear();
    let logs = console.logs(&known, path, asked, Some(id), may).await?;
    Ok(layout::rendered(&ApplicationLogsPage { frame, head, logs }))
}

#[cfg(any(test, feature = "samples"))]
#[expect(clippy::too_many_lines, reason = "a sample for each case")]
pub(crate) fn samples() -> Vec<(String, String)> {
    use super::applications::sample;
    use crate::layout::sample::{HOSTILE, frame};
    use rollcall_model::CycleId;
    use rollcall_model::provisioning::{ErrorInformation, ModifiedProperty, Step, StepKind};

    let zone = sample::zone();
    let nobody = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77";
    let (Ok(id), Ok(cycle)) = (nobody.parse::<ApplicationId>(), nobody.parse::<CycleId>()) else {
        return Vec::new();
    };
    let step = |kind, status, description: &str| Step {
        name: String::new(),
        kind,
        status,
        description: description.to_owned(),
        details: serde_json::Map::new(),
    };
    let entry = |name: &str, action, status, code: Option<&str>| LogEntry {
        application: id,
        cycle,
        at: zone.now(),
        duration_in_milliseconds: 109,
        action,
        status,
        error: code.map(|code| ErrorInformation {
            error_code: code.to_owned(),
            reason: format!("the target does not accept it (400); it says: {name}"),
            recommended_action: None,
        }),
        source: Identity {
            id: nobody.to_owned(),
            kind: Kind::User,
            display_name: None,
            sign_in_name: Some(name.to_owned()),
        },
        target: None,
        steps: vec![
            step(
                StepKind::Import,
                LogStatus::Success,
                "read from the directory",
            ),
            step(StepKind::Export, status, name),
        ],
        modified_properties: vec![ModifiedProperty {
            display_name: "userName".to_owned(),
            old_value: None,
            new_value: Some(name.to_owned()),
        }],
    };
    let entries = vec![
        entry(
            "dario.conti@alderbrook.example",
            LogAction::Create,
            LogStatus::Failure,
            Some("UnprocessableEntity"),
        ),
        entry(
            HOSTILE,
            LogAction::Update,
            LogStatus::Warning,
            Some("SomethingNew"),
        ),
        entry(
            "ingrid.solheim@alderbrook.example",
            LogAction::Update,
            LogStatus::Success,
            None,
        ),
        entry(
            "svc-12@alderbrook.example",
            LogAction::Other,
            LogStatus::Skipped,
            Some("NotEffectivelyEntitled"),
        ),
    ];
    let found = |entries: Vec<LogEntry>| Found {
        applications: vec![(id, "Quillworks Docs".to_owned()), (id, HOSTILE.to_owned())],
        entries: (1..).zip(entries).collect(),
        next: Some(BTreeMap::from([(id, 1)])),
        looked_until: None,
    };
    let selected = |place: usize| {
        entries.get(place).map(|entry| LogDetail {
            application: "Quillworks Docs".to_owned(),
            entry: entry.clone(),
            others: 6,
            is_partial: false,
        })
    };
    let page = |found: &Found, detail: Option<LogDetail>, event: &str| LogsPage {
        frame: frame(Place::Logs, "Provisioning logs"),
        logs: view(
            "/provisioning-logs".to_owned(),
            Asked {
                event: event.to_owned(),
                ..Asked::default()
            },
            found,
            detail.as_ref(),
            &zone,
            true,
        ),
    };
    let mut given_up = found(Vec::new());
    given_up.looked_until = Some(zone.now());
    let mut nothing = found(Vec::new());
    nothing.next = None;
    let of_one = ApplicationLogsPage {
        frame: frame(Place::Applications, "Provisioning logs"),
        head: sample::head("Keyhaven", Tab::Logs, ("ok", "okc", "Provisioning on")),
        logs: view(
            format!("/applications/{id}/logs"),
            Asked {
                code: "UnprocessableEntity".to_owned(),
                ..Asked::default()
            },
            &found(entries.clone()),
            selected(0).as_ref(),
            &zone,
            true,
        ),
    };
    let all = found(entries.clone());
    [
        ("logs-empty", page(&nothing, None, "").render()),
        ("logs-given-up", page(&given_up, None, "").render()),
        ("logs", page(&all, None, "").render()),
        (
            "logs-detail",
            page(&all, selected(0), &format!("{id}-1")).render(),
        ),
        (
            "logs-unknown",
            page(&all, selected(1), &format!("{id}-2")).render(),
        ),
        ("logs-one", of_one.render()),
    ]
    .into_iter()
    .map(|(name, page)| (name.to_owned(), page.unwrap_or_default()))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_were_written() {
        let one: ApplicationId = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77".parse().unwrap();
        let two: ApplicationId = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e78".parse().unwrap();
        let all = BTreeMap::from([(one, 12), (two, 3)]);
        assert_eq!(places(&written(&all)), all);
        assert!(places("").is_empty());
        assert!(places("nonsense-.-x.-1").is_empty());
    }
}
