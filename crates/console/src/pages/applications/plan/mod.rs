//! *Plan*: what the next cycle would do, worst first; approved, it is sent exactly so or not at all.

#[cfg(any(test, feature = "samples"))]
pub(super) mod samples;

use askama::Template;
use axum::extract::{Path, State as Shared};
use axum::response::Response;
use rollcall_app::Failure;
use rollcall_app::plans::{Head as PlanHead, Part};
use rollcall_model::application::{Mode, Status};
use rollcall_model::plan::{PlanRecord, PlanState};
use rollcall_model::{ApplicationId, Kind, Permission};
use rollcall_sync::plan::{Planned, PlannedMembers};
use rollcall_sync::task::Decision;

use super::{Head, Tab, assignments, parsed};
use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Mistakes, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::sentence;
use crate::words::{Moment, Zone, counted, number};

/// How many of each kind of change are shown together with all others.
const FEW: u64 = 5;
/// How many are shown of one kind of change.
const MANY: u64 = 50;
/// How many attributes of one object are shown.
const ATTRIBUTES: usize = 30;

pub(super) fn routes() -> Routes {
    let manage = Needs::Role(Permission::ManageProvisioning);
    vec![
        page(
            "/applications/{id}/plan",
            Needs::Role(Permission::Read),
            look,
        ),
        action("/applications/{id}/plan", manage, make),
        action("/applications/{id}/plan/{number}/approve", manage, approve),
        action("/applications/{id}/plan/{number}/discard", manage, discard),
    ]
}

#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) old: Option<String>,
    pub(crate) new: Option<String>,
}

#[derive(Debug)]
struct Object {
    name: String,
    sub: &'static str,
    why: String,
    href: String,
    changes: Vec<Change>,
    more: String,
    requests: Vec<String>,
}

#[derive(Debug)]
struct SectionView {
    word: &'static str,
    title: &'static str,
    sign: &'static str,
    class: &'static str,
    amount: String,
    objects: Vec<Object>,
    /// How many more there are.
    more: String,
}

#[derive(Debug)]
struct Tile {
    word: &'static str,
    sign: &'static str,
    class: &'static str,
    count: String,
    text: &'static str,
    is_current: bool,
}

#[derive(Debug)]
struct SuspectRow {
    name: String,
    account: String,
    because: String,
}

#[derive(Debug)]
struct GroupRow {
    name: String,
    href: String,
    added: u64,
    removed: u64,
}

/// What is to be said above the plan.
#[derive(Debug)]
struct Notice {
    tone: &'static str,
    icon: &'static str,
    title: String,
    text: String,
}

#[expect(clippy::struct_excessive_bools, reason = "each is shown by itself")]
#[derive(Debug, Template)]
#[template(path = "applications/plan.html")]
struct PlanPage {
    frame: Frame,
    head: Head,
    may: bool,
    /// Whether a new plan can be made now.
    can_make: bool,
    number: u64,
    made: Option<Moment>,
    /// Whether it is being made or carried out: the page looks again.
    is_busy: bool,
    can_decide: bool,
    is_first: bool,
    is_held: bool,
    /// What has to be typed to approve it; empty: nothing.
    confirm: String,
    notice: Option<Notice>,
    tiles: Vec<Tile>,
    sections: Vec<SectionView>,
    suspects: Vec<SuspectRow>,
    suspect_count: u64,
    suspects_more: String,
    matched: Vec<String>,
    groups: Vec<GroupRow>,
    group_count: u64,
    members: String,
    references: u64,
    notes: Vec<String>,
    show: String,
    next: Option<String>,
    mistakes: Mistakes,
}

/// The kinds of change in the order in which people should read them: word, title, sign, class, explanation.
const KINDS: [(Decision, &str, &str, &str, &str, &str); 8] = [
    (Decision::Delete, "delete", "Delete", "−", "g-del", "delete"),
    (
        Decision::Disable,
        "disable",
        "Disable",
        "○",
        "g-off",
        "disable",
    ),
    (Decision::Hold, "hold", "Held", "!", "g-del", "held back"),
    (
        Decision::Fail,
        "fail",
        "Would fail",
        "×",
        "g-del",
        "would fail",
    ),
    (Decision::Create, "create", "Create", "+", "g-add", "create"),
    (
        Decision::Adopt,
        "adopt",
        "Adopt",
        "↔",
        "g-chg",
        "adopt an existing account",
    ),
    (Decision::Update, "update", "Update", "~", "g-chg", "update"),
    (Decision::Skip, "skip", "Left out", "·", "", "left out"),
];

fn change(property: &rollcall_model::provisioning::ModifiedProperty) -> Change {
    let name = &property.display_name;
    let short = if name.starts_with("urn:") {
        name.rsplit(':').next().unwrap_or(name)
    } else {
        name
    };
    Change {
        name: short.to_owned(),
        old: property.old_value.clone(),
        new: property.new_value.clone(),
    }
}

/// Makes the view of attributes that changed; for the log, too.
pub(crate) fn changes(
    properties: &[rollcall_model::provisioning::ModifiedProperty],
) -> (Vec<Change>, String) {
    let rest = properties.len().saturating_sub(ATTRIBUTES) as u64;
    let more = if rest > 0 {
        format!("{} more attributes", number(rest))
    } else {
        String::new()
    };
    (
        properties.iter().take(ATTRIBUTES).map(change).collect(),
        more,
    )
}

fn object(planned: &Planned) -> Object {
    let (changes, more) = changes(&planned.properties);
    let why = match (&planned.reason, &planned.matched, changes.len()) {
        (Some(reason), ..) => sentence(reason),
        (None, Some(attribute), _) => format!("Found by {attribute}"),
        (None, None, 0) => String::new(),
        (None, None, count) => counted(count as u64, "attribute"),
    };
    let requests = planned.requests.iter();
    Object {
        name: planned.name.clone(),
        sub: match planned.kind {
            Kind::User => "",
            Kind::Group => "Group",
        },
        why,
        href: format!(
            "why?object={}",
            assignments::key(planned.kind, planned.object)
        ),
        changes,
        more,
        requests: requests
            .map(|request| format!("{} {}", request.method, request.path))
            .collect(),
    }
}

fn amount(head: &PlanHead, decision: Decision) -> String {
    let users = head.count_of(decision, Kind::User);
    let groups = head.count_of(decision, Kind::Group);
    match (users, groups) {
        (users, 0) => crate::words::people(users),
        (0, groups) => counted(groups, "group"),
        (users, groups) => format!(
            "{} and {}",
            crate::words::people(users),
            counted(groups, "group")
        ),
    }
}

fn notice(record: &PlanRecord, zone: &Zone) -> Option<Notice> {
    let notice = |tone, icon, title: String, text: String| {
        Some(Notice {
            tone,
            icon,
            title,
            text,
        })
    };
    match &record.state {
        PlanState::Making => notice(
            "",
            "sync",
            "The plan is being made".to_owned(),
            "Everybody in scope is compared with the target. Nothing is written. This page looks again by itself.".to_owned(),
        ),
        PlanState::Failed { message } => notice(
            "is-bad",
            "xc",
            "The plan could not be made".to_owned(),
            sentence(message),
        ),
        PlanState::Running { .. } => notice(
            "",
            "sync",
            "The plan is being carried out".to_owned(),
            "First it is made once more: if anything came out differently, nothing is sent. How far it is, the overview shows.".to_owned(),
        ),
        PlanState::Done { at, .. } => notice(
            "is-ok",
            "okc",
            format!("This plan was carried out, {}", zone.short(*at).text),
            "What it did to each person is in the provisioning logs.".to_owned(),
        ),
        PlanState::Refused { message } => notice(
            "is-warn",
            "alert",
            "This plan was not carried out to its end".to_owned(),
            sentence(message),
        ),
        PlanState::Discarded { .. } => notice(
            "is-plain",
            "info",
            "This plan was discarded".to_owned(),
            "Nothing of it was sent.".to_owned(),
        ),
        PlanState::Ready => None,
    }
}

/// The parts of a plan that a page shows.
#[derive(Debug, Default)]
struct Parts {
    sections: Vec<(Decision, Vec<Planned>)>,
    groups: Vec<PlannedMembers>,
}

/// What was asked for: one kind of change from a place on, or a few of all.
#[derive(Debug, Clone, Default)]
struct Asked {
    show: String,
    from: u64,
}

impl Console {
    async fn plan_page(
        &self,
        known: &Known,
        id: ApplicationId,
        form: Option<&Form>,
        mistakes: Mistakes,
    ) -> Result<PlanPage, Problem> {
        let context = known.visitor.context();
        let plans = self.app.plans(&context, id).await?;
        let wanted: Option<u64> = form.and_then(|form| form.text("number").parse().ok());
        let record = plans
            .iter()
            .find(|plan| wanted.is_none_or(|number| plan.number == number));
        let asked = Asked {
            show: form
                .map(|form| form.text("show").to_owned())
                .unwrap_or_default(),
            from: form
                .and_then(|form| form.text("from").parse().ok())
                .unwrap_or_default(),
        };
        let plan_head = match record {
            Some(record) => self.app.plan_head(&context, id, record.number).await?,
            None => None,
        };
        let mut parts = Parts::default();
        if let (Some(record), Some(plan_head)) = (record, &plan_head) {
            parts = self
                .plan_parts(known, (id, record.number), plan_head, &asked)
                .await?;
        }
        let (application, head) = self.application_head(known, id, Tab::Plan).await?;
        let title = if mistakes.is_empty() {
            format!("Plan · {}", head.name)
        } else {
            format!("Error: Plan · {}", head.name)
        };
        let frame = self.frame(known, Place::Applications, &title).await?;
        let is_on = application.mode == Mode::Automatic && application.status == Status::On;
        let latest = plans.first().map(|plan| plan.number);
        let is_latest = record.map(|record| record.number) == latest;
        let zone = self.zone(known);
        let mut page = view(
            frame,
            head,
            record,
            plan_head.as_ref(),
            &parts,
            &asked,
            &zone,
        );
        page.may &= application.job_file.is_none();
        page.can_decide &= page.may && is_latest;
        page.can_make = page.may && application.target.is_some() && !page.is_busy;
        page.mistakes = mistakes;
        if is_on && page.notice.is_none() && page.can_decide && !page.is_held {
            page.notice = Some(Notice {
                tone: "is-plain",
                icon: "info",
                title: "Provisioning is on".to_owned(),
                text: "Cycles run by themselves: what this plan shows may be done before you approve it, and is refused then.".to_owned(),
            });
        }
        Ok(page)
    }

    async fn plan_parts(
        &self,
        known: &Known,
        (id, number): (ApplicationId, u64),
        plan_head: &PlanHead,
        asked: &Asked,
    ) -> Result<Parts, Problem> {
        let context = known.visitor.context();
        if asked.show == "members" {
            let part = Part {
                from: asked.from,
                count: MANY,
            };
            let groups = self.app.plan_groups(&context, id, number, part).await?;
            return Ok(Parts {
                sections: Vec::new(),
                groups,
            });
        }
        let wanted: Vec<_> = KINDS
            .iter()
            .filter(|(_, word, ..)| asked.show.is_empty() || asked.show == *word)
            .filter_map(|(decision, ..)| plan_head.section(*decision))
            .collect();
        let is_one = !asked.show.is_empty();
        let of = |section: &rollcall_app::plans::Section| {
            let from = if is_one {
                asked.from.min(section.count)
            } else {
                0
            };
            let most = if is_one { MANY } else { FEW };
            Part {
                from: section.first + from,
                count: most.min(section.count - from),
            }
        };
        let asked_for: Vec<Part> = wanted.iter().map(of).collect();
        let lists = self
            .app
            .plan_objects(&context, id, number, asked_for)
            .await?;
        let decisions = wanted.iter().map(|section| section.decision);
        let groups = if is_one || plan_head.groups == 0 {
            Vec::new()
        } else {
            let part = Part {
                from: 0,
                count: FEW,
            };
            self.app.plan_groups(&context, id, number, part).await?
        };
        Ok(Parts {
            sections: decisions.zip(lists).collect(),
            groups,
        })
    }
}

fn section(
    plan_head: &PlanHead,
    decision: Decision,
    objects: &[Planned],
    asked: &Asked,
) -> Option<SectionView> {
    let (_, word, title, sign, class, _) = KINDS.into_iter().find(|kind| kind.0 == decision)?;
    let total = plan_head
        .section(decision)
        .map_or(0, |section| section.count);
    let rest = if asked.show.is_empty() {
        total.saturating_sub(objects.len() as u64)
    } else {
        0
    };
    Some(SectionView {
        word,
        title,
        sign,
        class,
        amount: amount(plan_head, decision),
        objects: objects.iter().map(object).collect(),
        more: if rest > 0 {
            number(rest)
        } else {
            String::new()
        },
    })
}

fn view(
    frame: Frame,
    head: Head,
    record: Option<&PlanRecord>,
    plan_head: Option<&PlanHead>,
    parts: &Parts,
    asked: &Asked,
    zone: &Zone,
) -> PlanPage {
    let state = record.map(|record| &record.state);
    let leaves = plan_head.map_or(0, |plan| {
        plan.count(Decision::Delete) + plan.count(Decision::Disable)
    });
    let is_held = plan_head.is_some_and(|plan| plan.held_back.is_some());
    let mut page = PlanPage {
        may: frame.may.provisioning,
        can_make: false,
        number: record.map_or(0, |record| record.number),
        made: record.map(|record| zone.short(record.at)),
        is_busy: matches!(state, Some(PlanState::Making | PlanState::Running { .. })),
        can_decide: state == Some(&PlanState::Ready)
            && plan_head.is_some_and(|plan| !plan.is_empty),
        is_first: plan_head.is_some_and(|plan| plan.is_first),
        is_held,
        confirm: if leaves > 0 && !is_held {
            leaves.to_string()
        } else {
            String::new()
        },
        notice: record.and_then(|record| notice(record, zone)),
        tiles: Vec::new(),
        sections: Vec::new(),
        suspects: Vec::new(),
        suspect_count: 0,
        suspects_more: String::new(),
        matched: Vec::new(),
        groups: Vec::new(),
        group_count: 0,
        members: String::new(),
        references: 0,
        notes: Vec::new(),
        show: asked.show.clone(),
        next: None,
        mistakes: Mistakes::default(),
        frame,
        head,
    };
    if let Some(plan_head) = plan_head {
        fill(&mut page, plan_head, parts, asked);
    }
    page
}

fn fill(page: &mut PlanPage, plan_head: &PlanHead, parts: &Parts, asked: &Asked) {
    if let Some(held) = &plan_head.held_back {
        page.notice = Some(Notice {
            tone: "is-warn",
            icon: "alert",
            title: format!(
                "Held: {} would lose access, the limit is {} in a day",
                number(held.leaving),
                number(held.limit)
            ),
            text: if held.recent > 0 {
                format!(
                    "{} left in the last day already. Nothing else is done either until somebody decides.",
                    number(held.recent)
                )
            } else {
                "Nothing else is done either until somebody decides. If it was a mistake, put them back, and make a new plan.".to_owned()
            },
        });
    }
    page.tiles = KINDS
        .into_iter()
        .filter_map(|(decision, word, _, sign, class, text)| {
            let count = plan_head.count(decision);
            (count > 0).then(|| Tile {
                word,
                sign,
                class,
                count: number(count),
                text,
                is_current: asked.show == word,
            })
        })
        .collect();
    page.sections = parts
        .sections
        .iter()
        .filter_map(|(decision, objects)| section(plan_head, *decision, objects, asked))
        .collect();
    page.suspects = plan_head
        .suspects
        .iter()
        .take(if asked.show == "duplicates" { 500 } else { 10 })
        .map(|suspect| SuspectRow {
            name: suspect.name.clone(),
            account: suspect.account.clone(),
            because: format!("{} is {}", suspect.attribute, suspect.value),
        })
        .collect();
    page.suspect_count = plan_head.suspect_count;
    let rest = plan_head
        .suspect_count
        .saturating_sub(page.suspects.len() as u64);
    page.suspects_more = if rest > 0 {
        number(rest)
    } else {
        String::new()
    };
    page.matched = plan_head
        .matched
        .iter()
        .map(|(attribute, count)| format!("{} found by {attribute}", number(*count)))
        .collect();
    page.groups = parts
        .groups
        .iter()
        .map(|group| GroupRow {
            name: group.name.clone(),
            href: assignments::href(Kind::Group, group.object),
            added: group.added,
            removed: group.removed,
        })
        .collect();
    page.group_count = plan_head.groups;
    page.members = format!(
        "{} added, {} removed, in {}",
        number(plan_head.members_added),
        number(plan_head.members_removed),
        counted(plan_head.groups, "group")
    );
    page.references = plan_head.references;
    page.notes = plan_head.notes.iter().map(|note| sentence(note)).collect();
    let total = match asked.show.as_str() {
        "" => 0,
        "members" => plan_head.groups,
        word => KINDS
            .iter()
            .find(|kind| kind.1 == word)
            .and_then(|kind| plan_head.section(kind.0))
            .map_or(0, |section| section.count),
    };
    let end = asked.from.saturating_add(MANY);
    page.next = (end < total).then(|| {
        format!(
            "/applications/{}/plan?number={}&show={}&from={end}",
            page.head.id, page.number, asked.show
        )
    });
}

async fn look(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let page = console
        .plan_page(&known, parsed(&id)?, Some(&form), Mistakes::default())
        .await?;
    Ok(layout::rendered(&page))
}

fn home(id: ApplicationId) -> String {
    format!("/applications/{id}/plan")
}

async fn make(
    Shared(console): Shared<Console>,
    known: Known,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = console.changeable(&known, parsed(&id)?).await?.id;
    let begun = console
        .engine
        .begin_plan(&known.visitor.context(), id)
        .await;
    let flash = match begun {
        Ok(_) => Flash::ok("The plan is being made."),
        Err(rollcall_engine::Error::Failed(Failure::Precondition)) => {
            Flash::warn("A plan is being made or carried out already: wait for its end.")
        }
        Err(error) => return Err(super::provisioning::failed(error)),
    };
    Ok(layout::done(&console, &home(id), &flash))
}

async fn approve(
    Shared(console): Shared<Console>,
    known: Known,
    Path((id, number)): Path<(String, u64)>,
    form: Form,
) -> Result<Response, Problem> {
    let id = console.changeable(&known, parsed(&id)?).await?.id;
    let context = known.visitor.context();
    let plan_head = console.app.plan_head(&context, id, number).await?;
    let plan_head = plan_head.ok_or_else(Problem::missing)?;
    let leaves = plan_head.count(Decision::Delete) + plan_head.count(Decision::Disable);
    let typed = form.text("confirm").replace([',', ' '], "");
    if leaves > 0 && plan_head.held_back.is_none() && typed != leaves.to_string() {
        let mistakes = Mistakes::one(
            "confirm",
            "Type the number of those who are disabled or deleted, to show that you have seen it.",
        );
        let page = console.plan_page(&known, id, None, mistakes).await?;
        return Ok(layout::rendered_again(&page));
    }
    match console.engine.approve_plan(&context, id, number).await {
        Ok(()) => {
            let flash =
                Flash::ok("The plan is being carried out, exactly as it is, or not at all.");
            Ok(layout::done(&console, &home(id), &flash))
        }
        Err(rollcall_engine::Error::Failed(Failure::Precondition)) => {
            let flash = Flash::warn(
                "There is a newer plan, or somebody has decided about this one. Nothing was sent.",
            );
            Ok(layout::done(&console, &home(id), &flash))
        }
        Err(error) => Err(super::provisioning::failed(error)),
    }
}

async fn discard(
    Shared(console): Shared<Console>,
    known: Known,
    Path((id, number)): Path<(String, u64)>,
) -> Result<Response, Problem> {
    let id = console.changeable(&known, parsed(&id)?).await?.id;
    let context = known.visitor.context();
    match console.app.discard_plan(&context, id, number).await {
        Ok(()) | Err(Failure::Precondition) => {
            let flash = Flash::ok("The plan is discarded. Nothing of it is sent.");
            Ok(layout::done(&console, &home(id), &flash))
        }
        Err(failure) => Err(failure.into()),
    }
}
