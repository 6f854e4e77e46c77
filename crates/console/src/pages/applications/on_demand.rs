//! *Provision on demand*, and *why*: one person or group, now, step by step.

use askama::Template;
use axum::extract::{Path, State as Shared};
use axum::response::Response;
use rollcall_app::assignments::Named;
use rollcall_engine::{Error, OnDemand, Why};
use rollcall_model::provisioning::LogStatus;
use rollcall_model::{ApplicationId, Kind, Permission, ResourceId};
use rollcall_sync::explain::Outcome;
use rollcall_sync::plan::word;
use rollcall_sync::task::Decision;

use super::assignments::{Who, href, key, object};
use super::plan::{Change, changes};
use super::steps::{self, StepView};
use super::{Head, Tab, parsed};
use crate::Console;
use crate::causes;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Frame, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::sentence;
use crate::words::{Moment, Zone, counted, number};

pub(super) fn routes() -> Routes {
    let (read, manage) = (
        Needs::Role(Permission::Read),
        Needs::Role(Permission::ManageProvisioning),
    );
    vec![
        page("/applications/{id}/on-demand", read, look),
        action("/applications/{id}/on-demand", manage, provision),
        page("/applications/{id}/why", read, why),
    ]
}

#[derive(Debug)]
struct Done {
    tone: &'static str,
    icon: &'static str,
    title: String,
    text: String,
    steps: Vec<StepView>,
    changes: Vec<Change>,
    more: String,
    extra: String,
}

/// Why nothing was done, or what has to be said first.
#[derive(Debug)]
struct Asked {
    /// What the button says that goes on all the same; absent: there is nothing to go on with.
    verb: Option<&'static str>,
    title: String,
    text: String,
}

#[derive(Debug, Template)]
#[template(path = "applications/on_demand.html")]
struct OnDemandPage {
    frame: Frame,
    head: Head,
    may: bool,
    is_connected: bool,
    q: String,
    found: Vec<Who>,
    chosen: Option<Who>,
    asked: Option<Asked>,
    done: Option<Done>,
}

#[derive(Debug)]
struct MappedRow {
    target: String,
    value: String,
    is_bad: bool,
}

#[derive(Debug)]
struct LogLine {
    at: Moment,
    tone: &'static str,
    icon: &'static str,
    text: String,
}

#[derive(Debug)]
struct WhyView {
    who: String,
    href: String,
    key: String,
    source: &'static str,
    assigned: String,
    scope: Vec<(String, String)>,
    verdict: String,
    standing: String,
    target_id: Option<String>,
    failure: Option<String>,
    remedies: &'static [&'static str],
    would: String,
    is_bad: bool,
    changes: Vec<Change>,
    more: String,
    requests: Vec<String>,
    mappings: Vec<MappedRow>,
    log: Vec<LogLine>,
}

#[derive(Debug, Template)]
#[template(path = "applications/why.html")]
struct WhyPage {
    frame: Frame,
    head: Head,
    may: bool,
    q: String,
    found: Vec<Who>,
    view: Option<WhyView>,
    trouble: Option<String>,
}

impl Console {
    async fn on_demand_page(
        &self,
        known: &Known,
        id: ApplicationId,
        form: &Form,
        chosen: Option<(Kind, ResourceId)>,
    ) -> Result<OnDemandPage, Problem> {
        let context = known.visitor.context();
        let (application, head) = self.application_head(known, id, Tab::OnDemand).await?;
        let title = format!("Provision on demand · {}", head.name);
        let frame = self.frame(known, Place::Applications, &title).await?;
        let q = form.text("q");
        let found = if q.is_empty() {
            Vec::new()
        } else {
            self.app.find_named(&context, q).await?
        };
        let chosen = match chosen {
            Some((kind, object)) => Some(self.who(known, kind, object).await?),
            None => None,
        };
        Ok(OnDemandPage {
            may: frame.may.provisioning && application.job_file.is_none(),
            is_connected: application.target.is_some(),
            frame,
            head,
            q: q.to_owned(),
            found: found.iter().map(Who::of).collect(),
            chosen,
            asked: None,
            done: None,
        })
    }

    /// Returns a person or group; one that is gone by its id.
    async fn who(&self, known: &Known, kind: Kind, id: ResourceId) -> Result<Who, Problem> {
        let context = known.visitor.context();
        let named = self.app.named(&context, kind, id).await?;
        Ok(Who::of(&named.unwrap_or_else(|| Named {
            kind,
            id,
            name: id.to_string(),
            display: None,
            is_active: false,
        })))
    }
}

async fn look(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let chosen = object(form.text("object"));
    let page = console
        .on_demand_page(&known, parsed(&id)?, &form, chosen)
        .await?;
    Ok(layout::rendered(&page))
}

async fn provision(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let id = console.changeable(&known, parsed(&id)?).await?.id;
    let (kind, object) = object(form.text("object")).ok_or_else(Problem::missing)?;
    let context = known.visitor.context();
    let mut page = console
        .on_demand_page(&known, id, &form, Some((kind, object)))
        .await?;
    if !form.has("sure") {
        let why = console.engine.why(&context, id, kind, object).await;
        let would = why.ok().and_then(|why| why.would);
        let takes_away = |decision| matches!(decision, Decision::Delete | Decision::Disable);
        if let Some(would) = would.filter(|would| takes_away(would.decision)) {
            let deletes = would.decision == Decision::Delete;
            page.asked = Some(Asked {
                verb: Some(if deletes { "Delete the account" } else { "Disable the account" }),
                title: if deletes {
                    "The account would be deleted".to_owned()
                } else {
                    "The account would be disabled".to_owned()
                },
                text: "The deletion guard is not asked for a single person. Nothing has been sent yet.".to_owned(),
            });
            return Ok(layout::rendered(&page));
        }
    }
    match console.engine.provision(&context, id, kind, object).await {
        Ok(done) => {
            page.done = Some(told(&done));
            Ok(layout::rendered(&page))
        }
        Err(error @ (Error::Busy | Error::Stopped { .. } | Error::Interrupted)) => {
            page.asked = Some(Asked {
                verb: None,
                title: "Nothing was provisioned".to_owned(),
                text: sentence(&error.to_string()),
            });
            Ok(layout::rendered_again(&page))
        }
        Err(error) => Err(super::provisioning::failed(error)),
    }
}

fn told(done: &OnDemand) -> Done {
    let name = steps::name(&done.entry.source);
    let has_failed = done.decision == Decision::Fail || done.failed > 0;
    let (tone, icon) = match (has_failed, done.entry.status) {
        (true, _) => ("is-bad", "xc"),
        (false, LogStatus::Skipped) => ("is-plain", "info"),
        (false, _) => ("is-ok", "okc"),
    };
    let title = match done.decision {
        Decision::Create => format!("{name} was created"),
        Decision::Adopt => format!("{name} was found and adopted"),
        Decision::Update => format!("{name} was updated"),
        Decision::Disable => format!("{name} was disabled"),
        Decision::Delete => format!("{name} was deleted"),
        Decision::Keep => format!("{name} is as it should be: nothing to do"),
        Decision::Skip => format!("{name} was left out"),
        Decision::Hold => format!("{name} is held"),
        Decision::Fail => format!("{name} could not be provisioned"),
    };
    let mut extra = Vec::new();
    for (count, text) in [
        (done.references, "references set"),
        (done.members_added, "members added"),
        (done.members_removed, "members removed"),
        (
            done.failed,
            "references or memberships failed, and are tried again",
        ),
    ] {
        if count > 0 {
            extra.push(format!("{} {text}", number(count)));
        }
    }
    let (changes, more) = changes(&done.entry.modified_properties);
    Done {
        tone,
        icon,
        title,
        text: done
            .entry
            .error
            .as_ref()
            .map(|error| sentence(&error.reason))
            .unwrap_or_default(),
        steps: steps::of(&done.entry.steps),
        changes,
        more,
        extra: extra.join(", "),
    }
}

async fn why(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let id = parsed(&id)?;
    let context = known.visitor.context();
    let (application, head) = console.application_head(&known, id, Tab::OnDemand).await?;
    let title = format!("Why · {}", head.name);
    let frame = console.frame(&known, Place::Applications, &title).await?;
    let zone = console.zone(&known);
    let q = form.text("q");
    let found = if q.is_empty() {
        Vec::new()
    } else {
        console.app.find_named(&context, q).await?
    };
    let mut page = WhyPage {
        may: frame.may.provisioning && application.job_file.is_none(),
        frame,
        head,
        q: q.to_owned(),
        found: found.iter().map(Who::of).collect(),
        view: None,
        trouble: None,
    };
    if let Some((kind, object)) = object(form.text("object")) {
        match console.engine.why(&context, id, kind, object).await {
            Ok(why) => page.view = Some(explained(&why, (kind, object), &zone)),
            Err(Error::Failed(failure)) => return Err(failure.into()),
            Err(error) => page.trouble = Some(sentence(&error.to_string())),
        }
    }
    Ok(layout::rendered(&page))
}

fn explained(why: &Why, (kind, id): (Kind, ResourceId), zone: &Zone) -> WhyView {
    let failure = why.failure.as_ref();
    let planned = why.would.as_ref();
    let (changes, more) = planned.map_or_else(
        || (Vec::new(), String::new()),
        |planned| changes(&planned.properties),
    );
    let would = match (planned, &why.target_trouble) {
        (Some(planned), _) => match &planned.reason {
            Some(reason) => sentence(&format!("{}: {reason}", word(planned.decision))),
            None => sentence(word(planned.decision)),
        },
        (None, Some(trouble)) => format!("Unknown: {}", sentence(trouble)),
        (None, None) => "Unknown.".to_owned(),
    };
    let code = failure.map(|failure| failure.code.as_str());
    let code = code.or_else(|| planned.and_then(|planned| planned.code.as_deref()));
    let cause = code.and_then(causes::of);
    WhyView {
        who: steps::name(&why.object),
        href: href(kind, id),
        key: key(kind, id),
        source: match (why.exists, why.is_enabled) {
            (false, _) => "Not there any more",
            (true, false) => "There, and disabled",
            (true, true) => "There, and active",
        },
        assigned: why
            .assigned_by
            .as_ref()
            .map_or_else(|| "By nothing.".to_owned(), |by| sentence(by)),
        scope: why
            .scope
            .iter()
            .map(|(clause, value)| (clause.clone(), steps::plain(value)))
            .collect(),
        verdict: sentence(why.verdict),
        standing: sentence(&why.standing),
        target_id: why.target_id.clone(),
        failure: failure.map(|failure| {
            format!(
                "{}, {} since {}. Tried again {}.",
                causes::of(&failure.code).map_or(failure.code.as_str(), |cause| cause.title),
                counted(u64::from(failure.count), "time"),
                zone.short(failure.since).text,
                zone.short(failure.next_attempt).text
            )
        }),
        remedies: cause.map_or(&[], |cause| cause.remedies),
        would,
        is_bad: planned.is_some_and(|planned| planned.decision == Decision::Fail)
            || why.target_trouble.is_some(),
        changes,
        more,
        requests: planned
            .iter()
            .flat_map(|planned| &planned.requests)
            .map(|request| {
                let body = request.body.as_ref().map(steps::plain).unwrap_or_default();
                format!("{} {} {body}", request.method, request.path)
            })
            .collect(),
        mappings: why.mappings.iter().map(mapped).collect(),
        log: why
            .log
            .iter()
            .map(|entry| {
                let (tone, icon, word) = steps::status(entry.status);
                let reason = entry.error.as_ref().map(|error| sentence(&error.reason));
                LogLine {
                    at: zone.exact(entry.at),
                    tone,
                    icon,
                    text: format!(
                        "{}: {}",
                        steps::action(entry.action),
                        reason.unwrap_or_else(|| word.to_owned())
                    ),
                }
            })
            .collect(),
    }
}

fn mapped(line: &rollcall_sync::explain::Explained) -> MappedRow {
    let (value, is_bad) = match &line.outcome {
        Outcome::Value(value) => (value.clone(), false),
        Outcome::DefaultAtCreation(value) => (format!("{value} (the default, at creation)"), false),
        Outcome::Reference(value) => (format!("the counterpart of {value}"), false),
        Outcome::Members => ("its members".to_owned(), false),
        Outcome::LeftAlone => ("left alone".to_owned(), false),
        Outcome::Failed { code, message } => (format!("{code}: {message}"), true),
        Outcome::Nothing => ("nothing".to_owned(), false),
    };
    MappedRow {
        target: line.target.clone(),
        value: steps::plain(&value.into()),
        is_bad,
    }
}

#[cfg(any(test, feature = "samples"))]
#[expect(clippy::too_many_lines, reason = "a sample for each case")]
pub(super) fn samples() -> Vec<(String, String)> {
    use crate::layout::sample::{HOSTILE, frame};
    use rollcall_model::provisioning::{ModifiedProperty, Step, StepKind};
    use serde_json::{Map, json};

    let zone = super::sample::zone();
    let Ok(id) = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77".parse::<ResourceId>() else {
        return Vec::new();
    };
    let head = || super::sample::head("Keyhaven", Tab::OnDemand, ("ok", "okc", "Provisioning on"));
    let who = |name: &str| {
        Who::of(&Named {
            kind: Kind::User,
            id,
            name: name.to_owned(),
            display: Some(name.to_owned()),
            is_active: true,
        })
    };
    let page = |chosen: Option<&str>| OnDemandPage {
        frame: frame(Place::Applications, "Provision on demand"),
        head: head(),
        may: true,
        is_connected: true,
        q: String::new(),
        found: Vec::new(),
        chosen: chosen.map(who),
        asked: None,
        done: None,
    };
    let step = |kind, status, description: &str, details: serde_json::Value| Step {
        name: String::new(),
        kind,
        status,
        description: description.to_owned(),
        details: match details {
            serde_json::Value::Object(details) => details,
            _ => Map::new(),
        },
    };
    let seen = [
        step(
            StepKind::Import,
            LogStatus::Success,
            "read from the directory",
            json!({"objectId": HOSTILE}),
        ),
        step(
            StepKind::Scoping,
            LogStatus::Success,
            "in scope: assigned directly",
            json!({}),
        ),
        step(
            StepKind::Matching,
            LogStatus::Success,
            "found by externalId",
            json!({"asked": "externalId eq \"8d1f6a0e\""}),
        ),
        step(
            StepKind::Export,
            LogStatus::Failure,
            "the target answered 400",
            json!({"request": {"method": "PATCH", "path": "/Users/u_1", "body": {"title": HOSTILE}}}),
        ),
    ];
    let property = ModifiedProperty {
        display_name: "name.formatted".to_owned(),
        old_value: Some("Ingrid Hagen Solheim".to_owned()),
        new_value: Some(HOSTILE.to_owned()),
    };
    let done = |tone, icon, title: &str, seen: &[Step]| {
        let (changes, more) = changes(std::slice::from_ref(&property));
        Done {
            tone,
            icon,
            title: title.to_owned(),
            text: String::new(),
            steps: steps::of(seen),
            changes,
            more,
            extra: "3 members added".to_owned(),
        }
    };
    let mut good = page(Some("Ingrid Solheim"));
    good.done = Some(done(
        "is-ok",
        "okc",
        "Ingrid Solheim was updated",
        seen.get(..3).unwrap_or_default(),
    ));
    let mut bad = page(Some(HOSTILE));
    bad.done = Some(done("is-bad", "xc", HOSTILE, &seen));
    let mut question = page(Some("Marek Dvořák"));
    question.asked = Some(Asked {
        verb: Some("Disable the account"),
        title: "The account would be disabled".to_owned(),
        text: "The deletion guard is not asked for a single person. Nothing has been sent yet."
            .to_owned(),
    });
    let mut found = page(None);
    found.q.push('i');
    found.found = vec![who("Ingrid Solheim"), who(HOSTILE)];
    let why = |view, trouble: Option<&str>| WhyPage {
        frame: frame(Place::Applications, "Why"),
        head: head(),
        may: true,
        q: String::new(),
        found: Vec::new(),
        view,
        trouble: trouble.map(str::to_owned),
    };
    let (shown, more) = changes(std::slice::from_ref(&property));
    let view = WhyView {
        who: HOSTILE.to_owned(),
        href: "/users/x".to_owned(),
        key: key(Kind::User, id),
        source: "There, and active",
        assigned: "By `Nordic depots`.".to_owned(),
        scope: vec![("department EQUALS Sales".to_owned(), "true".to_owned())],
        verdict: "It is to be in use in the target.".to_owned(),
        standing: "Its counterpart is in use.".to_owned(),
        target_id: Some("u_55109".to_owned()),
        failure: Some("The target does not accept the values, 3 times since Today 13:31. Tried again Today 14:51.".to_owned()),
        remedies: causes::of("UnprocessableEntity").map_or(&[], |cause| cause.remedies),
        would: "Update.".to_owned(),
        is_bad: false,
        changes: shown,
        more,
        requests: vec![format!("PATCH /Users/u_55109 {HOSTILE}")],
        mappings: vec![
            MappedRow { target: "userName".to_owned(), value: "\"ingrid.solheim@alderbrook.example\"".to_owned(), is_bad: false },
            MappedRow { target: "title".to_owned(), value: HOSTILE.to_owned(), is_bad: true },
        ],
        log: vec![LogLine { at: zone.exact(zone.now()), tone: "bad", icon: "xc", text: format!("Update: {HOSTILE}") }],
    };
    [
        ("on-demand-empty", page(None).render()),
        ("on-demand-found", found.render()),
        ("on-demand-chosen", page(Some("Ingrid Solheim")).render()),
        ("on-demand-question", question.render()),
        ("on-demand", good.render()),
        ("on-demand-failed", bad.render()),
        ("why-empty", why(None, None).render()),
        ("why", why(Some(view), None).render()),
        (
            "why-trouble",
            why(
                None,
                Some("The application has no Tenant URL and Secret Token yet."),
            )
            .render(),
        ),
    ]
    .into_iter()
    .map(|(name, page)| (name.to_owned(), page.unwrap_or_default()))
    .collect()
}
