//! Whether both ends agree: every object of the target compared with what it should be, however it came to be so.
//!
//! The comparison reads the whole target and the whole directory. It uses neither the digests nor the log of the cycles; only the links say
//! which is whose counterpart, and a counterpart that is missing or superfluous is a difference.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use rollcall_app::directory::Context;
use rollcall_model::application::Leaving;
use rollcall_model::link::LinkState;
use rollcall_model::provisioning::{CycleReport, DriftReport, QuarantineReason};
use rollcall_model::{ApplicationId, Kind, ResourceId};
use rollcall_sync::source::SourceObject;
use rollcall_sync::target_path::TargetPath;
use rollcall_sync::task::Entitlement;
use rollcall_sync::wish::{Surroundings, Wish};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cycle::released;
use crate::directory::{self, Known};
use crate::memberships::known_members;
use crate::memberships::walk::Walk;
use crate::objects::next_page;
use crate::outlook::AsLinked;
use crate::survey::{Candidates, Chosen};
use crate::work::{Purpose, Work};
use crate::{Engine, Error, Watch};

/// How many differences are described; the others are counted, and found by the next comparison.
const DESCRIBED: usize = 10_000;
/// How many differences a job remembers.
const REMEMBERED: usize = 20;
/// How many resources of the target are read at once.
const TARGET_PAGE: u64 = 200;

/// What a comparison of both ends found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// People who should be in use in the target, and are as they should be.
    pub users: u64,
    /// Groups likewise.
    pub groups: u64,
    /// Memberships that both ends have.
    pub memberships: u64,
    /// People, groups and memberships of the target that this application does not manage; they are left alone.
    pub others: u64,
    /// How many differences there are.
    pub differing: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
}

/// An object that is not in the target what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its kind.
    pub kind: Kind,
    /// Its id at the source.
    pub object: ResourceId,
    /// What differs, for people.
    pub what: String,
}

impl Agreement {
    /// Tells whether both ends agree object by object.
    pub fn holds(&self) -> bool {
        self.differing == 0
    }

    fn differs(&mut self, object: &SourceObject, what: String) {
        self.differing += 1;
        if self.differences.len() < DESCRIBED {
            self.differences.push(Difference {
                kind: object.kind,
                object: object.id,
                what,
            });
        }
    }
}

impl Engine {
    /// Compares both ends because somebody asked for it, and repairs what differs if they asked for that. Until it has come to its end,
    /// the application is marked as one for which it is still to be done.
    ///
    /// # Errors
    /// [`Error::Busy`] when a cycle is running that has to end before the repair; then it is still to be done.
    pub async fn compare_as_asked(
        &self,
        context: &Context,
        application: ApplicationId,
        watch: Watch,
    ) -> Result<(), Error> {
        let tenant = context.tenant().quiet();
        let asked = tenant
            .read::<_, Error, _>(move |reader| Ok(reader.job(application)?.comparison))
            .await?;
        let Some(asked) = asked else { return Ok(()) };
        let outcome = match self.compare(context, application).await {
            Ok(agreement) if asked.repair && !agreement.holds() => {
                match self.repair(context, application, &agreement, watch).await {
                    Ok(_) => self.compare(context, application).await.map(drop),
                    Err(error) => Err(error),
                }
            }
            compared => compared.map(drop),
        };
        if let Err(Error::Busy | Error::Interrupted) = outcome {
            return outcome;
        }
        let trouble = outcome.as_ref().err().map(ToString::to_string);
        let at = self.app.now();
        tenant
            .write::<_, Error, _>(move |writer| {
                let mut job = writer.job(application)?;
                if let Some(message) = trouble {
                    job.drift = Some(DriftReport {
                        at,
                        trouble: Some(message),
                        differing: 0,
                        first: Vec::new(),
                    });
                }
                // somebody may have asked again meanwhile
                job.comparison = job.comparison.filter(|later| later.at != asked.at);
                writer.save_job(application, &job)?;
                Ok(())
            })
            .await?;
        outcome
    }

    /// Compares both ends of an application, and remembers what came of it.
    ///
    /// # Errors
    /// [`Error`] when one of them cannot be read to its end.
    pub async fn compare(
        &self,
        context: &Context,
        application: ApplicationId,
    ) -> Result<Agreement, Error> {
        let configured = self.app.configured(context, application).await?;
        let work = Work::prepare(self, context, configured, Watch::default(), Purpose::Run).await?;
        let compared = whole(&work).await;
        let report = match &compared {
            Ok(agreement) => DriftReport {
                at: self.app.now(),
                trouble: None,
                differing: agreement.differing,
                first: agreement
                    .differences
                    .iter()
                    .take(REMEMBERED)
                    .map(|difference| difference.what.clone())
                    .collect(),
            },
            // the attempt counts: the timer does not try again at once
            Err(error) => DriftReport {
                at: self.app.now(),
                trouble: Some(error.to_string()),
                differing: 0,
                first: Vec::new(),
            },
        };
        work.write(move |writer| {
            let mut job = writer.job(application)?;
            job.drift = Some(report);
            writer.save_job(application, &job)
        })
        .await?;
        compared
    }

    /// Repairs what a comparison found: a cycle looks at those objects once more, whatever both ends agreed on before. The deletion guard
    /// counts who would leave.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn repair(
        &self,
        context: &Context,
        application: ApplicationId,
        agreement: &Agreement,
        watch: Watch,
    ) -> Result<CycleReport, Error> {
        let mut chosen = Chosen::default();
        for difference in &agreement.differences {
            match difference.kind {
                Kind::User => chosen.users.insert(difference.object),
                Kind::Group => chosen.groups.insert(difference.object),
            };
        }
        let only_one = self.claim(context, application).await?;
        let purpose = Purpose::Repair(chosen);
        let cycle = self.cycle(context, application, watch, (purpose, &only_one));
        released(&only_one, cycle.await).await
    }
}

/// Compares everything.
async fn whole(work: &Arc<Work>) -> Result<Agreement, Error> {
    let mut agreement = Agreement::default();
    for kind in work.kinds() {
        let seen = target_side(work, kind, &mut agreement).await?;
        source_side(work, kind, &seen, &mut agreement).await?;
    }
    Ok(agreement)
}

/// Reads the target; returns the objects of the source whose counterparts were there.
async fn target_side(
    work: &Arc<Work>,
    kind: Kind,
    agreement: &mut Agreement,
) -> Result<HashSet<ResourceId>, Error> {
    let mut seen = HashSet::new();
    let mut start = 1;
    loop {
        let page = work
            .target
            .page(kind, start, TARGET_PAGE)
            .await
            .map_err(|trouble| Error::Stopped {
                reason: QuarantineReason::Unknown,
                message: trouble.message,
            })?;
        let read = page.resources.len() as u64;
        for resource in page.resources {
            match counterpart(work, kind, &resource).await? {
                None => agreement.others += 1,
                Some(known) => {
                    if !seen.insert(known.object.id) {
                        let what = format!("{} is in the target twice", name(&known));
                        agreement.differs(&known.object, what);
                    }
                    compare(work, &known, &resource, agreement).await?;
                }
            }
        }
        start += read;
        if read == 0 || start > page.total {
            return Ok(seen);
        }
    }
}

async fn counterpart(
    work: &Arc<Work>,
    kind: Kind,
    resource: &Map<String, Value>,
) -> Result<Option<Known>, Error> {
    let Some(target_id) = resource
        .get("id")
        .and_then(Value::as_str)
        .map(str::to_owned)
    else {
        return Ok(None);
    };
    let inner = Arc::clone(work);
    work.tenant
        .read(move |reader| {
            let (application, assigned) = (inner.application, &inner.assigned);
            let Some(id) = reader.linked_to(application, kind, &target_id)? else {
                return Ok(None);
            };
            Ok(Some(directory::known(
                reader,
                application,
                assigned,
                kind,
                id,
            )?))
        })
        .await
}

/// Compares one counterpart with what it should be.
async fn compare(
    work: &Arc<Work>,
    known: &Known,
    resource: &Map<String, Value>,
    agreement: &mut Agreement,
) -> Result<(), Error> {
    let object = &known.object;
    let rules = work.rules.of(object.kind);
    let entitlement = work.entitlement(object);
    if is_left_alone(known, entitlement, rules.leaving) {
        return Ok(());
    }
    if entitlement == Entitlement::Gone
        || (object.kind == Kind::Group && entitlement != Entitlement::Entitled)
    {
        agreement.differs(
            object,
            format!("{} should not be in the target", name(known)),
        );
        return Ok(());
    }
    if entitlement != Entitlement::Entitled {
        let (operations, _) = rules.switch_off(resource);
        if !operations.is_empty() {
            agreement.differs(object, format!("{} should be switched off", name(known)));
        }
        return Ok(());
    }
    let surroundings = Surroundings {
        now: work.app.now(),
        randomness: &**work.app.randomness(),
    };
    let wish = match Wish::of(rules, object, &surroundings) {
        Ok(wish) => wish,
        Err(unmappable) => {
            agreement.differs(object, format!("{}: {unmappable}", name(known)));
            return Ok(());
        }
    };
    let (_, mut differing) = wish.changes(rules, resource);
    let mut described: Vec<String> = differing
        .drain(..)
        .map(|property| {
            let (old, new) = (property.old_value.as_ref(), property.new_value.as_ref());
            unlike(&property.display_name, old, new)
        })
        .collect();
    for (path, attribute) in &rules.references {
        let wanted = object
            .reference(attribute)
            .map(|reference| reference.object);
        let wanted = target_id(work, Kind::User, wanted).await?;
        let there = reference(path, resource);
        if wanted != there {
            described.push(unlike(&path.to_string(), there.as_ref(), wanted.as_ref()));
        }
    }
    if described.is_empty() {
        match object.kind {
            Kind::User => agreement.users += 1,
            Kind::Group => agreement.groups += 1,
        }
    } else {
        let what = format!("{}: {}", name(known), described.join("; "));
        agreement.differs(object, what);
    }
    if object.kind == Kind::Group && rules.members {
        members(work, known, agreement).await?;
    }
    Ok(())
}

/// Tells whether nobody looks after a counterpart any more: its owner left the scope of an application that leaves such accounts alone, or
/// it may not be deleted.
fn is_left_alone(known: &Known, entitlement: Entitlement, leaving: Leaving) -> bool {
    let is_released = || {
        let link = known.link.as_ref();
        link.is_some_and(|link| link.state == LinkState::Released)
    };
    match entitlement {
        Entitlement::Excluded => true,
        Entitlement::OutOfScope | Entitlement::Vanished => {
            leaving == Leaving::Unlink || is_released()
        }
        Entitlement::Gone => is_released(),
        Entitlement::Entitled | Entitlement::Blocked => false,
    }
}

/// Compares the members of a group. Whom the target has and nobody knows is not of this application.
async fn members(work: &Arc<Work>, known: &Known, agreement: &mut Agreement) -> Result<(), Error> {
    let Some(id) = known.link.as_ref().and_then(|link| link.target_id.clone()) else {
        return Ok(());
    };
    let there = work
        .target
        .members(&id)
        .await
        .map_err(|trouble| Error::Stopped {
            reason: QuarantineReason::Unknown,
            message: trouble.message,
        })?;
    let (inner, group) = (Arc::clone(work), known.object.id);
    let (wanted, ours, others) = work
        .tenant
        .read::<_, Error, _>(move |reader| {
            let mut walk = Walk::over(group, None).knowing(HashSet::new());
            let mut wanted = BTreeSet::new();
            while !walk.is_over {
                walk = walk.go_on(reader, &inner, &AsLinked)?;
                wanted.extend(walk.added.drain(..).map(|(id, _)| id));
            }
            let count = there.len();
            let ours = known_members(reader, inner.application, group, there, |_, _| None)?;
            let ours: BTreeSet<ResourceId> = ours.into_iter().collect();
            let others = count.saturating_sub(ours.len()) as u64;
            Ok((wanted, ours, others))
        })
        .await?;
    agreement.memberships += wanted.intersection(&ours).count() as u64;
    agreement.others += others;
    let (missing, superfluous) = (
        wanted.difference(&ours).count(),
        ours.difference(&wanted).count(),
    );
    if missing + superfluous > 0 {
        let what = format!(
            "{}: {missing} members are missing, {superfluous} are too many",
            name(known)
        );
        agreement.differs(&known.object, what);
    }
    Ok(())
}

/// Reads the directory: who should be in the target and was not seen there?
async fn source_side(
    work: &Arc<Work>,
    kind: Kind,
    seen: &HashSet<ResourceId>,
    agreement: &mut Agreement,
) -> Result<(), Error> {
    let surroundings = Surroundings {
        now: work.app.now(),
        randomness: &**work.app.randomness(),
    };
    let mut after = None;
    while let Some(page) = next_page(work, &Candidates::Whole, kind, &mut after).await? {
        for known in page {
            let object = &known.object;
            let is_wanted = work.entitlement(object) == Entitlement::Entitled
                && Wish::of(work.rules.of(kind), object, &surroundings)
                    .is_ok_and(|wish| !wish.matching.is_empty());
            if is_wanted && !seen.contains(&object.id) {
                agreement.differs(object, format!("{} is not in the target", name(&known)));
            }
        }
    }
    Ok(())
}

async fn target_id(
    work: &Arc<Work>,
    kind: Kind,
    object: Option<ResourceId>,
) -> Result<Option<String>, Error> {
    let (Some(object), application) = (object, work.application) else {
        return Ok(None);
    };
    work.tenant
        .read(move |reader| {
            let link = reader.link(application, kind, object)?;
            Ok(link.and_then(|link| link.target_id))
        })
        .await
}

/// Reads a reference in the target: an object with a value, or the id alone.
fn reference(path: &TargetPath, resource: &Map<String, Value>) -> Option<String> {
    let found = path.find(resource)?;
    let id = found.get("value").unwrap_or(found).as_str()?;
    (!id.is_empty()).then(|| id.to_owned())
}

fn unlike(path: &str, there: Option<&String>, wanted: Option<&String>) -> String {
    let value = |value: Option<&String>| {
        value.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"))
    };
    format!("{path} is {}, should be {}", value(there), value(wanted))
}

fn name(known: &Known) -> String {
    let object = &known.object;
    let name = object
        .name()
        .or_else(|| known.link.as_ref()?.name.as_deref());
    name.map_or_else(|| object.id.to_string(), |name| format!("`{name}`"))
}
