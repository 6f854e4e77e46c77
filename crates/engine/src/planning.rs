//! A plan: the same survey and the same tasks as a cycle's, stopped before the first write.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_app::directory::Context;
use rollcall_model::link::Link;
use rollcall_model::provisioning::Phase;
use rollcall_model::{ApplicationId, Kind, ResourceId};
use rollcall_store::Member;
use rollcall_sync::guard::Verdict;
use rollcall_sync::plan::{Plan, Planned};
use rollcall_sync::source::SourceObject;
use rollcall_sync::task::{Answer, Decision, Entitlement, Step};

use crate::directory::Known;
use crate::memberships::{self, Standing, Walk};
use crate::objects::{self, begin, claim, find, next_page};
use crate::survey::{Survey, survey};
use crate::work::{WIDTH, Work, each};
use crate::{Engine, Error, Watch};

/// A plan being made.
#[derive(Debug, Default)]
struct Draft {
    plan: Plan,
    /// Whether objects that are looked at will be in use in the target afterwards.
    in_use: HashMap<ResourceId, bool>,
    /// Objects that refer to others, or did, with their links.
    referring: Vec<(SourceObject, Option<Link>)>,
}

/// Tells how an object will stand in the target once the plan is carried out.
fn will_stand(draft: &Mutex<Draft>, id: ResourceId, link: Option<&Link>) -> Standing {
    match locked(draft).in_use.get(&id) {
        Some(true) => Standing::InUse(String::new()),
        Some(false) => Standing::Out,
        None => Standing::of(link),
    }
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
        let configured = self.app.configured(context, application).await?;
        let job = configured.job.clone();
        let work = Work::prepare(self, context, configured, watch).await?;
        work.begin(Phase::Connecting, 0);
        work.connect().await?;
        work.begin(Phase::Reading, 0);
        let survey = survey(&work, &job).await?;
        work.begin(Phase::Writing, survey.total);
        let draft = Arc::new(Mutex::new(Draft::default()));
        let holds = matches!(survey.verdict, Verdict::Hold { .. });
        for (kind, id) in &survey.leaving {
            let known = objects::one(&work, *kind, *id).await?;
            consider(&work, known, holds, &draft).await?;
        }
        // a cycle that is held does nothing else either
        if !holds {
            for kind in work.kinds() {
                all(&work, &survey, kind, &draft).await?;
            }
            compare_references(&work, &draft).await?;
            compare_members(&work, &survey, &draft).await?;
        }
        let mut plan = std::mem::take(&mut locked(&draft).plan);
        plan.sort();
        Ok(plan)
    }
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
                if !is_foreign {
                    consider(&work, known, false, &draft).await?;
                }
                work.advance(1);
                Ok(())
            }
        })
        .await?;
    }
    Ok(())
}

/// Takes the reading steps of an object's task.
async fn consider(
    work: &Arc<Work>,
    known: Known,
    holds: bool,
    draft: &Mutex<Draft>,
) -> Result<(), Error> {
    let object = &known.object;
    let mut task = begin(work, &known);
    let (decision, reason, properties) = if holds {
        let ending = task.hold();
        (ending.decision, ending.reason, ending.properties)
    } else {
        loop {
            match task.step() {
                Step::Find { attribute, value } => {
                    task.answer(find(work, object, &attribute, &value).await?);
                }
                Step::Get { id } => task.answer(work.target.get(object.kind, &id).await),
                Step::Remember(link) => {
                    if let Some(trouble) = claim(work, &link) {
                        task.answer(Answer::Failed(trouble));
                        continue;
                    }
                    let (decision, properties) = task.prospect();
                    break (decision, None, properties);
                }
                Step::Write(_) => {
                    let (decision, properties) = task.prospect();
                    break (decision, None, properties);
                }
                Step::End(ending) => break (ending.decision, ending.reason, ending.properties),
            }
        }
    };
    work.note(reason.as_ref().filter(|_| decision == Decision::Fail));
    let name = object
        .name()
        .or_else(|| known.link.as_ref()?.name.as_deref())
        .map_or_else(|| object.id.to_string(), str::to_owned);
    let mut draft = locked(draft);
    match decision {
        Decision::Create | Decision::Adopt | Decision::Update | Decision::Keep => {
            draft.in_use.insert(object.id, true);
        }
        Decision::Delete | Decision::Disable => {
            draft.in_use.insert(object.id, false);
        }
        Decision::Hold | Decision::Skip | Decision::Fail => {}
    }
    if draft.in_use.get(&object.id) == Some(&true) && !object.references.is_empty()
        || known
            .link
            .as_ref()
            .is_some_and(|link| !link.references.is_empty())
    {
        let exported = known.link.filter(|_| decision != Decision::Create);
        draft.referring.push((known.object.clone(), exported));
    }
    draft.plan.add(Planned {
        kind: object.kind,
        object: object.id,
        name,
        decision,
        reason: reason.map(|trouble| trouble.message),
        properties,
    });
    Ok(())
}

/// Counts the people whose references would change.
async fn compare_references(work: &Arc<Work>, draft: &Arc<Mutex<Draft>>) -> Result<(), Error> {
    let (inner, held) = (Arc::clone(work), Arc::clone(draft));
    let count = work
        .tenant
        .read::<_, Error, _>(move |reader| {
            let referring = std::mem::take(&mut locked(&held).referring);
            let mut count = 0;
            for (object, link) in referring {
                let mut differs = false;
                for (path, attribute) in &inner.rules.of(object.kind).references {
                    let wanted = object
                        .reference(attribute)
                        .map(|reference| reference.object);
                    let wanted = match wanted {
                        Some(id) => {
                            let counterpart = reader.link(inner.application, Kind::User, id)?;
                            let is_there = counterpart.is_some_and(|link| link.target_id.is_some())
                                || locked(&held).in_use.get(&id) == Some(&true);
                            wanted.filter(|_| is_there)
                        }
                        None => None,
                    };
                    let exported = link
                        .as_ref()
                        .and_then(|link| link.references.get(&path.to_string()));
                    differs |= wanted != exported.map(|reference| reference.object);
                }
                count += u64::from(differs);
            }
            Ok(count)
        })
        .await?;
    locked(draft).plan.references = count;
    Ok(())
}

/// Counts the memberships that would change.
async fn compare_members(
    work: &Arc<Work>,
    survey: &Survey,
    draft: &Arc<Mutex<Draft>>,
) -> Result<(), Error> {
    if !memberships::has_members(work) {
        return Ok(());
    }
    let planned = Arc::clone(draft);
    let stands = move |id, link: Option<&Link>| will_stand(&planned, id, link);
    let groups = memberships::groups(work, &survey.candidates, stands).await?;
    let mut groups: HashMap<ResourceId, _> = groups.into_iter().collect();
    for planned in &locked(draft).plan.objects {
        let arrives = matches!(planned.decision, Decision::Create | Decision::Adopt);
        if planned.kind == Kind::Group && arrives {
            groups.insert(planned.object, None);
        }
    }
    for (group, chosen) in groups {
        let mut walk = Walk::over(chosen);
        let mut added = 0;
        loop {
            let (inner, draft) = (Arc::clone(work), Arc::clone(draft));
            walk = work
                .tenant
                .read::<_, Error, _>(move |reader| {
                    let link = reader.link(inner.application, Kind::Group, group)?;
                    // members of a group that goes, go with it
                    if will_stand(&draft, group, link.as_ref()) == Standing::Out {
                        return Ok(Walk::ended());
                    }
                    let stands = |member: Member| {
                        let link = reader.link(inner.application, member.kind, member.id)?;
                        Ok(will_stand(&draft, member.id, link.as_ref()))
                    };
                    Ok(walk.go_on(reader, &inner, group, &stands)?)
                })
                .await?;
            added += walk.added.len() as u64;
            if walk.is_over {
                break;
            }
        }
        let mut draft = locked(draft);
        draft.plan.memberships.0 += added;
        draft.plan.memberships.1 += walk.removed().len() as u64;
    }
    Ok(())
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
