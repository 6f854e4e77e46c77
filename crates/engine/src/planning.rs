//! A plan: the same survey and the same tasks as a cycle's, stopped before the first write.
//!
//! A task that wants to write is told that it worked, so that it says how the object would stand; references and memberships are then
//! compared under that outlook, by the code that a cycle uses.
//!
//! **Start at** [`Engine::plan`]; [`Engine::apply`] carries a plan out.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use rollcall_app::directory::Context;
use rollcall_model::Link;
use rollcall_model::provisioning::{CycleKind, CycleReport, JobState, ModifiedProperty, Phase};
use rollcall_model::{ApplicationId, Kind, ResourceId};
use rollcall_store::{Claim, Reader};
use rollcall_sync::guard::{Verdict, list_code};
use rollcall_sync::plan::document::moved;
use rollcall_sync::plan::{Grounds, HeldBack, Plan, Planned, PlannedMembers, PlannedReferences};
use rollcall_sync::request::{Request, placeholder};
use rollcall_sync::source::SourceObject;
use rollcall_sync::task::{Answer, Decision, Entitlement, Step, Task, Write};

use crate::cycle::released;
use crate::directory::{self, Known};
use crate::handling::{begin, claim, find};
use crate::memberships::walk::{Collecting, Part, Walk, removal};
use crate::objects::{self, next_page};
use crate::outlook::{Outlook, Standing};
use crate::references::{counterparts, wanted};
use crate::settling::agrees_on_references;
use crate::survey::{Candidates, Survey, survey};
use crate::work::{Purpose, WIDTH, Work, each, locked};
use crate::{Engine, Error, Watch, memberships, suspects};

/// A plan being made.
#[derive(Debug, Default)]
struct Draft {
    objects: Vec<Planned>,
    /// How the objects that were looked at will stand.
    ends: HashMap<ResourceId, End>,
    /// Which object gets which counterpart that is there already.
    found: HashMap<(Kind, String), ResourceId>,
    /// People whose references have to be compared.
    referring: BTreeSet<ResourceId>,
}

/// How an object will stand in the target.
#[derive(Debug, Clone)]
struct End {
    standing: Standing,
    counterpart: Option<String>,
    /// Whether the counterpart is the one that was there before.
    is_same: bool,
    /// Whether it is in use, and was not before.
    comes_back: bool,
    /// Whether there is a counterpart where none was, or the other way round, or another one.
    moves: bool,
}

/// How objects stand once a plan is carried out.
#[derive(Debug, Clone)]
struct AsPlanned(Arc<Mutex<Draft>>);

impl AsPlanned {
    fn end(&self, id: ResourceId) -> Option<End> {
        locked(&self.0).ends.get(&id).cloned()
    }

    /// Returns the groups that will be in use, and are not now: all of their members are compared.
    fn coming_back(&self) -> Vec<ResourceId> {
        let draft = locked(&self.0);
        let groups = draft
            .objects
            .iter()
            .filter(|planned| planned.kind == Kind::Group)
            .map(|planned| planned.object);
        groups
            .filter(|id| draft.ends.get(id).is_some_and(|end| end.comes_back))
            .collect()
    }
}

impl Outlook for AsPlanned {
    fn standing(&self, id: ResourceId, link: Option<&Link>) -> Standing {
        self.end(id)
            .map_or_else(|| Standing::of(link), |end| end.standing)
    }

    fn counterpart(&self, id: ResourceId, link: Option<&Link>) -> Option<String> {
        match self.end(id) {
            Some(end) => end.counterpart,
            None => link.and_then(|link| link.target_id.clone()),
        }
    }

    fn is_on_record(&self, id: ResourceId) -> bool {
        self.end(id).is_none_or(|end| end.is_same)
    }
}

/// Why a plan was not carried out, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum NotApplied {
    /// Something moved since the plan was made; nothing was sent.
    #[error("the plan does not hold any more; nothing was sent: {}", .0.join("; "))]
    Moved(Vec<String>),
    /// It could not be carried out.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Engine {
    /// Makes a plan of an application's next cycle. Nothing is written, neither here nor in the target.
    ///
    /// # Errors
    /// [`Error`], as when a cycle is run.
    pub async fn plan(
        &self,
        context: &Context,
        application: ApplicationId,
        watch: Watch,
    ) -> Result<Plan, Error> {
        self.plan_for(context, application, watch, None).await
    }

    /// Carries a plan out: first it is made once more, and when it comes out differently nothing is sent; then each request is compared
    /// with the plan before it goes out.
    ///
    /// # Errors
    /// [`NotApplied::Moved`] says what moved.
    pub async fn apply(
        &self,
        context: &Context,
        application: ApplicationId,
        plan: Plan,
        watch: Watch,
    ) -> Result<CycleReport, NotApplied> {
        let only_one = self.claim(context, application).await?;
        let applied = self.apply_alone(context, application, plan, (watch, &only_one));
        released(&only_one, applied.await).await
    }

    async fn apply_alone(
        &self,
        context: &Context,
        application: ApplicationId,
        plan: Plan,
        (watch, only_one): (Watch, &Arc<Claim>),
    ) -> Result<CycleReport, NotApplied> {
        let fresh = self
            .plan_for(context, application, watch.clone(), Some(plan.made))
            .await?;
        let moved = moved(&plan, &fresh);
        if !moved.is_empty() {
            return Err(NotApplied::Moved(moved));
        }
        let purpose = Purpose::Apply(Box::new(plan));
        Ok(self
            .cycle(context, application, watch, (purpose, only_one))
            .await?)
    }

    async fn plan_for(
        &self,
        context: &Context,
        application: ApplicationId,
        watch: Watch,
        made: Option<jiff::Timestamp>,
    ) -> Result<Plan, Error> {
        let configured = self.app.configured(context, application).await?;
        let job = configured.job.clone();
        let target = configured.application.target.clone();
        let work = Work::prepare(self, context, configured, watch, Purpose::Plan { made }).await?;
        work.begin(Phase::Connecting, 0);
        work.connect().await?;
        work.begin(Phase::Reading, 0);
        let survey = survey(&work, &job).await?;
        work.begin(Phase::Writing, survey.total);
        let mut plan = blank(&work, &job, &survey, target.map(|target| target.tenant_url));
        let outlook = AsPlanned(Arc::default());
        for (kind, id) in &survey.leaving {
            let known = objects::one(&work, *kind, *id).await?;
            consider(&work, known, false, &outlook.0).await?;
        }
        for (kind, id) in &survey.held {
            let known = objects::one(&work, *kind, *id).await?;
            consider(&work, known, true, &outlook.0).await?;
        }
        // a cycle that is held does nothing else either
        if survey.verdict == Verdict::Pass {
            for kind in work.kinds() {
                all(&work, &survey, kind, &outlook.0).await?;
            }
            plan.references = references(&work, &outlook).await?;
            plan.memberships = members(&work, &survey, &outlook).await?;
            if plan.is_first {
                match suspects::of(&work, &survey.candidates, &created(&outlook)).await? {
                    Ok(suspects) => plan.suspects = suspects,
                    Err(trouble) => plan.notes.push(format!(
                        "nobody was compared with the accounts that are there: {}",
                        trouble.message
                    )),
                }
            }
        }
        for planned in std::mem::take(&mut locked(&outlook.0).objects) {
            plan.add(planned);
        }
        plan.sort();
        Ok(plan)
    }
}

/// Makes a plan with nothing in it but what it is made from.
fn blank(work: &Work, job: &JobState, survey: &Survey, target: Option<String>) -> Plan {
    let grounds = Grounds {
        application: work.application,
        target: target.unwrap_or_default(),
        source: work.watermark,
        configuration: work.basis.clone(),
        words: work.generation,
    };
    let kind = match survey.candidates {
        Candidates::Whole => CycleKind::Initial,
        Candidates::These(_) => CycleKind::Incremental,
    };
    let is_first = job.last_complete.is_none();
    let mut plan = Plan::new(work.at, kind, is_first, grounds);
    if let Verdict::Hold {
        leaving,
        recent,
        limit,
    } = survey.verdict
    {
        plan.held_back = Some(HeldBack {
            leaving,
            recent,
            limit,
            code: list_code(&survey.held),
        });
    }
    plan
}

fn created(outlook: &AsPlanned) -> BTreeSet<ResourceId> {
    let draft = locked(&outlook.0);
    let people = draft
        .objects
        .iter()
        .filter(|planned| planned.kind == Kind::User && planned.decision == Decision::Create);
    people.map(|planned| planned.object).collect()
}

async fn all(
    work: &Arc<Work>,
    survey: &Survey,
    kind: Kind,
    draft: &Arc<Mutex<Draft>>,
) -> Result<(), Error> {
    let mut after = None;
    while let Some(page) = next_page(work, &survey.candidates, kind, &mut after).await? {
        let rest: Vec<Known> = page
            .into_iter()
            .filter(|known| !survey.leaving.contains(&known.object.key()))
            .collect();
        each(work, rest, WIDTH, |work, known| {
            let draft = Arc::clone(draft);
            async move {
                let is_foreign = known.link.is_none()
                    && work.entitlement(&known.object) != Entitlement::Entitled;
                // of those who are not assigned nobody need read; of the others, why they are left out
                if !is_foreign || known.object.is_assigned {
                    consider(&work, known, false, &draft).await?;
                }
                work.advance(1);
                Ok(())
            }
        })
        .await?;
    }
    for (_, id) in survey.begun.iter().filter(|key| key.0 == kind) {
        let known = objects::one(work, kind, *id).await?;
        consider(work, known, false, draft).await?;
        work.advance(1);
    }
    Ok(())
}

/// What the reading steps of a task, and the write that it wants, came to.
struct Considered {
    decision: Decision,
    code: Option<String>,
    reason: Option<String>,
    matched: Option<String>,
    properties: Vec<ModifiedProperty>,
    request: Option<Request>,
    link: Option<Link>,
}

/// Takes the steps of an object's task, and writes nothing.
async fn consider(
    work: &Arc<Work>,
    known: Known,
    holds: bool,
    draft: &Mutex<Draft>,
) -> Result<(), Error> {
    let object = &known.object;
    let task = begin(work, &known);
    let considered = if holds {
        let ending = task.hold();
        Considered {
            decision: ending.decision,
            code: ending.reason.as_ref().map(|trouble| trouble.code.clone()),
            reason: ending.reason.map(|trouble| trouble.message),
            matched: None,
            properties: ending.properties,
            request: None,
            link: ending.link,
        }
    } else {
        take_steps(work, object, task).await?
    };
    let Considered {
        decision,
        code,
        reason,
        matched,
        properties,
        request,
        link,
    } = considered;
    work.check()?;
    let before = known.link.as_ref();
    let name = object.name().or_else(|| before?.name.as_deref());
    let planned = Planned {
        kind: object.kind,
        object: object.id,
        name: name.map_or_else(|| object.id.to_string(), str::to_owned),
        decision,
        code,
        reason,
        matched: matched.filter(|_| decision == Decision::Adopt),
        properties,
        requests: request.into_iter().collect(),
    };
    let mut draft = locked(draft);
    note(work, &mut draft, &known, link.as_ref());
    draft.objects.push(planned);
    Ok(())
}

/// Returns what the next cycle would do with one object.
pub(crate) async fn prospect(work: &Arc<Work>, known: Known) -> Result<Planned, Error> {
    let draft = Mutex::default();
    consider(work, known, false, &draft).await?;
    let planned = locked(&draft).objects.pop();
    planned.ok_or(Error::Interrupted)
}

async fn take_steps(
    work: &Arc<Work>,
    object: &SourceObject,
    mut task: Task<'_>,
) -> Result<Considered, Error> {
    let (mut matched, mut written) = (None, None);
    loop {
        match task.step() {
            Step::Find { attribute, value } => {
                let answer = find(work, object, &attribute, &value).await?;
                if matches!(&answer, Answer::Found(found) if found.len() == 1) {
                    matched = Some(attribute);
                }
                task.answer(answer);
            }
            Step::Get { id } => task.answer(work.target.get(object.kind, &id).await),
            Step::Remember(link) => task.answer(match claim(work, &link) {
                Some(trouble) => Answer::Failed(trouble),
                None => Answer::Remembered,
            }),
            Step::Write(write) => {
                let (decision, properties) = task.prospect();
                let shown = work.rules.of(object.kind).redacted(&write);
                written = Some((decision, properties, Request::of(object.kind, &shown)));
                task.answer(match write {
                    Write::Create { .. } => Answer::Created(placeholder(object.id)),
                    Write::Patch { .. } | Write::Delete { .. } => Answer::Done,
                });
            }
            Step::End(ending) => {
                let (decision, properties, request) = match written {
                    Some((decision, properties, request)) => (decision, properties, Some(request)),
                    None => (ending.decision, ending.properties, None),
                };
                if let Some(trouble) = &ending.reason {
                    work.note(Some(trouble).filter(|_| ending.decision == Decision::Fail));
                }
                return Ok(Considered {
                    decision,
                    code: ending.reason.as_ref().map(|trouble| trouble.code.clone()),
                    reason: ending.reason.map(|trouble| trouble.message),
                    matched,
                    properties,
                    request,
                    link: ending.link,
                });
            }
        }
    }
}

/// Notes how an object will stand, and whether its references have to be compared.
fn note(work: &Work, draft: &mut Draft, known: &Known, link: Option<&Link>) {
    let object = &known.object;
    let before = known.link.as_ref().and_then(|link| link.target_id.as_ref());
    let counterpart = link.and_then(|link| link.target_id.clone());
    let is_same = before.is_none() || before == counterpart.as_ref();
    if let Some(link) = link
        && object.kind == Kind::User
        && link.is_active()
    {
        let mut link = link.clone();
        if !is_same {
            link.references.clear();
            link.references_unknown = false;
        }
        let rules = work.rules.of(Kind::User);
        if link.waiting || !agrees_on_references(rules, object, &link) {
            draft.referring.insert(object.id);
        }
    }
    if let Some(id) = &counterpart {
        draft.found.insert((object.kind, id.clone()), object.id);
    }
    let was_in_use = known.link.as_ref().is_some_and(Link::is_active) && is_same;
    let end = End {
        standing: Standing::of(link),
        moves: before != counterpart.as_ref(),
        counterpart,
        is_same,
        comes_back: link.is_some_and(Link::is_active) && !was_in_use,
    };
    draft.ends.insert(object.id, end);
}

/// Plans the references of everybody for whom they differ: those who were noted, and who report to somebody that arrives or goes.
async fn references(
    work: &Arc<Work>,
    outlook: &AsPlanned,
) -> Result<Vec<PlannedReferences>, Error> {
    let (inner, outlook) = (Arc::clone(work), outlook.clone());
    work.tenant
        .read::<_, Error, _>(move |reader| {
            let (mut people, moving) = {
                let draft = locked(&outlook.0);
                let moving = draft.ends.iter().filter(|(_, end)| end.moves);
                let moving: BTreeSet<ResourceId> = moving.map(|(id, _)| *id).collect();
                (draft.referring.clone(), moving)
            };
            for id in moving {
                for report in reader.reports_of(id)? {
                    if reader
                        .link(inner.application, Kind::User, report)?
                        .is_some()
                    {
                        people.insert(report);
                    }
                }
            }
            let mut planned = Vec::new();
            for id in people {
                planned.extend(reference(reader, &inner, &outlook, id)?);
            }
            Ok(planned)
        })
        .await
}

fn reference(
    reader: &dyn Reader,
    work: &Work,
    outlook: &AsPlanned,
    id: ResourceId,
) -> Result<Option<PlannedReferences>, rollcall_store::Error> {
    let known = directory::known(reader, work.application, &work.assigned, Kind::User, id)?;
    let Standing::InUse(target_id) = outlook.standing(id, known.link.as_ref()) else {
        return Ok(None);
    };
    let link = known.link.filter(|_| outlook.is_on_record(id));
    let link = link.unwrap_or_else(|| Link::new(work.application, Kind::User, id, work.at));
    let counterparts = counterparts(reader, work, outlook, &known.object)?;
    let operations = wanted(work, link, &counterparts).operations;
    if operations.is_empty() {
        return Ok(None);
    }
    let write = Write::Patch {
        id: target_id,
        operations,
    };
    Ok(Some(PlannedReferences {
        object: id,
        name: known.object.name().unwrap_or_default().to_owned(),
        requests: vec![Request::of(Kind::User, &write)],
    }))
}

/// Plans the memberships of all groups for which they differ.
async fn members(
    work: &Arc<Work>,
    survey: &Survey,
    outlook: &AsPlanned,
) -> Result<Vec<PlannedMembers>, Error> {
    if !memberships::has_members(work) {
        return Ok(Vec::new());
    }
    let groups = memberships::groups(work, &survey.candidates, outlook.clone()).await?;
    let mut groups: HashMap<ResourceId, _> = groups.into_iter().collect();
    for group in outlook.coming_back() {
        groups.insert(group, None);
    }
    let mut planned = Vec::new();
    for (group, chosen) in groups {
        planned.extend(of_group(work, outlook, group, chosen).await?);
    }
    Ok(planned)
}

async fn of_group(
    work: &Arc<Work>,
    outlook: &AsPlanned,
    group: ResourceId,
    chosen: Option<BTreeSet<ResourceId>>,
) -> Result<Option<PlannedMembers>, Error> {
    let known = objects::one(work, Kind::Group, group).await?;
    let Standing::InUse(target_id) = outlook.standing(group, known.link.as_ref()) else {
        return Ok(None);
    };
    let mut walk = Walk::over(group, chosen);
    let is_adopted = outlook.end(group).is_some_and(|end| {
        let before = known.link.as_ref().and_then(|link| link.target_id.as_ref());
        before != Some(&target_id) && end.counterpart != Some(placeholder(group))
    });
    if is_adopted || known.link.as_ref().is_some_and(|link| link.members_unknown) {
        let there = work.target.members(&target_id).await;
        let there = there.map_err(|trouble| crate::work::stopped(&trouble))?;
        let (inner, draft) = (Arc::clone(work), Arc::clone(&outlook.0));
        let known = work
            .tenant
            .read::<_, Error, _>(move |reader| {
                memberships::known_members(reader, inner.application, group, there, |kind, id| {
                    locked(&draft).found.get(&(kind, id.to_owned())).copied()
                })
                .map_err(Error::from)
            })
            .await?;
        walk = walk.knowing(known.into_iter().collect());
    }
    let (size, out) = work.members_per_request();
    let mut collecting = Collecting::new(size);
    let mut parts: Vec<Part> = Vec::new();
    while !walk.is_over {
        let (inner, outlook) = (Arc::clone(work), outlook.clone());
        walk = work
            .tenant
            .read::<_, Error, _>(move |reader| Ok(walk.go_on(reader, &inner, &outlook)?))
            .await?;
        parts.extend(collecting.take(&mut walk));
    }
    let added = parts.iter().map(|part| part.members.len() as u64).sum();
    let removed = walk.removed();
    for ids in removed.chunks(out) {
        let (inner, outlook, ids) = (Arc::clone(work), outlook.clone(), ids.to_vec());
        let part = work
            .tenant
            .read::<_, Error, _>(move |reader| Ok(removal(reader, &inner, &outlook, &ids)?))
            .await?;
        parts.push(part);
    }
    let writes = parts.iter().filter_map(|part| part.write(&target_id));
    let requests: Vec<Request> = writes
        .map(|write| Request::of(Kind::Group, &write))
        .collect();
    Ok((!requests.is_empty()).then(|| PlannedMembers {
        object: group,
        name: known.object.name().unwrap_or_default().to_owned(),
        added,
        removed: removed.len() as u64,
        requests,
    }))
}
