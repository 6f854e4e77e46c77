//! What a cycle has to look at, and who would leave the target: counted before anything is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rollcall_model::application::NestedGroups;
use rollcall_model::clock::{has_come, is_within};
use rollcall_model::link::{Link, LinkState};
use rollcall_model::provisioning::{JobState, ObjectKey};
use rollcall_model::{Action, ApplicationId, Change, Kind, ResourceId};
use rollcall_store::Reader;
use rollcall_sync::guard::{Departures, Limit, Verdict, judge};
use rollcall_sync::task::Entitlement;

use crate::Error;
use crate::directory::{self, Assigned};
use crate::settling::LONGEST_PAUSE;
use crate::work::{PAGE, Work};

/// The guard looks at everybody who left within so long: many small cycles are no way around it.
pub(crate) const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What a cycle has to look at.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Which objects.
    pub(crate) candidates: Candidates,
    /// Who will be switched off or deleted.
    pub(crate) leaving: BTreeSet<ObjectKey>,
    /// Who would be as well, if the guard did not hold them back.
    pub(crate) held: BTreeSet<ObjectKey>,
    /// What the guard says.
    pub(crate) verdict: Verdict,
    /// Whom the source does not have any more, and whose creation may have begun: no reading of the whole source meets them.
    pub(crate) begun: BTreeSet<ObjectKey>,
    /// How many objects there are to look at.
    pub(crate) total: u64,
}

/// The objects that a cycle has to look at.
#[derive(Debug)]
pub(crate) enum Candidates {
    /// All.
    Whole,
    /// These: what changed at the source, and what did not come to rest at the target.
    These(Chosen),
}

/// Some objects, and the memberships that may have changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chosen {
    pub(crate) users: BTreeSet<ResourceId>,
    pub(crate) groups: BTreeSet<ResourceId>,
    /// Who came into which groups or went out of them.
    pub(crate) members: BTreeMap<ResourceId, BTreeSet<ResourceId>>,
}

impl Chosen {
    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty() && self.members.is_empty()
    }

    pub(crate) fn of(&self, kind: Kind) -> &BTreeSet<ResourceId> {
        match kind {
            Kind::User => &self.users,
            Kind::Group => &self.groups,
        }
    }
}

impl Candidates {
    pub(crate) fn of(&self, kind: Kind) -> Option<&BTreeSet<ResourceId>> {
        match self {
            Self::Whole => None,
            Self::These(chosen) => Some(chosen.of(kind)),
        }
    }
}

/// Finds out what has to be looked at, and who would leave.
pub(crate) async fn survey(work: &Arc<Work>, job: &JobState) -> Result<Survey, Error> {
    let is_known = !job.unfinished && job.basis.as_deref() == Some(&work.basis);
    let since = job.watermark.filter(|_| is_known);
    let recent = departures(job, work.at);
    let inner = Arc::clone(work);
    work.tenant
        .read::<_, Error, _>(move |reader| {
            let candidates = match since {
                None => Candidates::Whole,
                Some(since) => {
                    let mut candidates = changes_since(&inner, reader, since)?;
                    if let Candidates::These(chosen) = &mut candidates {
                        add_restless(&inner, reader, chosen)?;
                        chosen.users.extend(&inner.doubted.users);
                        chosen.groups.extend(&inner.doubted.groups);
                    }
                    candidates
                }
            };
            let (mut leaving, others) = leaving(&inner, reader, &candidates)?;
            let leavers = others.len() as u64;
            let verdict = verdict(reader, inner.application, (leavers, recent), inner.limit)?;
            let held = if verdict == Verdict::Pass {
                leaving.extend(others);
                BTreeSet::new()
            } else {
                others
            };
            let begun = match &candidates {
                Candidates::Whole => begun(&inner, reader)?,
                Candidates::These(_) => BTreeSet::new(),
            };
            let total = match &candidates {
                Candidates::Whole => {
                    let counts = reader.counts()?;
                    counts.users + counts.groups + begun.len() as u64
                }
                Candidates::These(chosen) => (chosen.users.len() + chosen.groups.len()) as u64,
            };
            Ok(Survey {
                candidates,
                leaving,
                held,
                verdict,
                begun,
                total,
            })
        })
        .await
}

/// Asks the guard about so many who would leave, after so many in the last day. Those in use are counted only when somebody leaves: a
/// cycle without departures costs nothing that grows with the directory.
pub(crate) fn verdict(
    reader: &dyn Reader,
    application: ApplicationId,
    (leaving, recent): (u64, u64),
    limit: Limit,
) -> Result<Verdict, rollcall_store::Error> {
    let in_use = match leaving {
        0 => 0,
        _ => reader.in_use(application)?,
    };
    let departures = Departures {
        leaving,
        recent,
        in_use,
    };
    Ok(judge(departures, limit))
}

/// Finds the creations of unknown outcome whose object is gone from the source.
fn begun(work: &Work, reader: &dyn Reader) -> Result<BTreeSet<ObjectKey>, Error> {
    let mut begun = BTreeSet::new();
    for kind in work.kinds() {
        let mut after = None;
        loop {
            let links = reader.links_needing_attention(work.application, kind, after, PAGE)?;
            let Some(last) = links.last() else { break };
            after = Some(last.object);
            for link in links {
                let is_open = matches!(link.state, LinkState::Creating(_));
                if is_open && link.target_id.is_none() && reader.kind_of(link.object)?.is_none() {
                    begun.insert((kind, link.object));
                }
            }
        }
    }
    Ok(begun)
}

/// Counts who left in the last day.
pub(crate) fn departures(job: &JobState, now: Timestamp) -> u64 {
    let recent = job
        .departures
        .iter()
        .filter(|departures| is_within(DAY, departures.at, now));
    recent.map(|departures| departures.count).sum()
}

/// Reads the change feed from a place on: which objects are touched.
pub(crate) fn changes_since(
    work: &Work,
    reader: &dyn Reader,
    since: u64,
) -> Result<Candidates, Error> {
    let mut chosen = Chosen::default();
    let mut after = since;
    loop {
        let changes = reader.changes(after, PAGE)?;
        let Some(last) = changes.last() else { break };
        after = last.sequence;
        for change in changes {
            if !add(work, &mut chosen, change) {
                return Ok(Candidates::Whole);
            }
        }
    }
    touch(work, reader, &mut chosen)?;
    Ok(Candidates::These(chosen))
}

/// Adds the objects that did not come to rest at the target, and are due.
fn add_restless(work: &Work, reader: &dyn Reader, chosen: &mut Chosen) -> Result<(), Error> {
    for kind in work.kinds() {
        let mut after = None;
        loop {
            let links = reader.links_needing_attention(work.application, kind, after, PAGE)?;
            let Some(last) = links.last() else { break };
            after = Some(last.object);
            let is_due =
                |at: Option<Timestamp>| at.is_none_or(|at| has_come(at, work.at, LONGEST_PAUSE));
            let due = links.iter().filter(|link| is_due(link.next_attempt()));
            let due = due.map(|link| link.object);
            match kind {
                Kind::User => chosen.users.extend(due),
                Kind::Group => chosen.groups.extend(due),
            }
        }
    }
    Ok(())
}

/// Adds a change of the source; tells whether what it touches can be told.
fn add(work: &Work, chosen: &mut Chosen, change: Change) -> bool {
    match change.kind {
        Kind::User => drop(chosen.users.insert(change.id)),
        Kind::Group => {
            // nobody can tell who was a member of a group that is gone
            let brought_others = work.nested != NestedGroups::Direct || work.assigns(change.id);
            if change.action == Action::Deleted && brought_others {
                return false;
            }
            chosen.groups.insert(change.id);
            if !change.membership.is_empty() {
                let moved = chosen.members.entry(change.id).or_default();
                moved.extend(change.membership.added);
                moved.extend(change.membership.removed);
            }
        }
    }
    true
}

/// Adds who is touched by the memberships that changed: who came into a group or went out of it may be assigned, or not any more, and
/// with a group everybody in it.
fn touch(work: &Work, reader: &dyn Reader, chosen: &mut Chosen) -> Result<(), Error> {
    let is_nested = work.nested != NestedGroups::Direct;
    if !is_nested && matches!(work.assigned, Assigned::Everybody) {
        return Ok(());
    }
    let moved: BTreeSet<ResourceId> = chosen.members.values().flatten().copied().collect();
    for id in moved {
        match reader.kind_of(id)? {
            Some(Kind::Group) if is_nested => {
                let (groups, people) = directory::descendants(reader, id)?;
                chosen.groups.extend(groups);
                chosen.users.extend(people);
            }
            Some(Kind::Group) => {}
            Some(Kind::User) | None => drop(chosen.users.insert(id)),
        }
    }
    Ok(())
}

/// Finds who stands in the target and is not entitled to any more: those whom an administrator has allowed to go, and the others.
fn leaving(
    work: &Work,
    reader: &dyn Reader,
    candidates: &Candidates,
) -> Result<(BTreeSet<ObjectKey>, BTreeSet<ObjectKey>), Error> {
    let (mut allowed, mut others) = (BTreeSet::new(), BTreeSet::new());
    let mut look = |kind, id| -> Result<(), Error> {
        if let Some(link) = leaves(work, reader, kind, id)? {
            let into = match link.state {
                LinkState::Allowed => &mut allowed,
                _ => &mut others,
            };
            into.insert((kind, id));
        }
        Ok(())
    };
    for kind in work.kinds() {
        if let Some(ids) = candidates.of(kind) {
            for id in ids {
                look(kind, *id)?;
            }
            continue;
        }
        let mut after = None;
        loop {
            let links = reader.links(work.application, kind, after, PAGE)?;
            let Some(last) = links.last() else { break };
            after = Some(last.object);
            for link in links {
                look(kind, link.object)?;
            }
        }
    }
    Ok((allowed, others))
}

/// Returns the link of an object that stands in the target and is not entitled to.
pub(crate) fn leaves(
    work: &Work,
    reader: &dyn Reader,
    kind: Kind,
    id: ResourceId,
) -> Result<Option<Link>, Error> {
    let known = directory::known(reader, work.application, &work.assigned, kind, id)?;
    let entitlement = work.entitlement(&known.object);
    let rules = work.rules.of(kind);
    // nobody knows what became of a creation that was begun before a backup: what it may have left is taken away by somebody's word
    let may_be_there = |link: &Link| {
        work.restored.is_some()
            && matches!(link.state, LinkState::Creating(_))
            && entitlement != Entitlement::Entitled
            && !entitlement.leaves_alone(rules)
    };
    Ok(known
        .link
        .filter(|link| entitlement.takes_away(rules, link) || may_be_there(link)))
}
