//! What a cycle has to look at, and who would leave the target: counted before anything is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rollcall_model::provisioning::JobState;
use rollcall_model::{Action, Kind, ResourceId};
use rollcall_store::Reader;
use rollcall_sync::guard::{Departures, Verdict, judge};

use crate::Error;
use crate::directory::{self, Assigned};
use crate::work::{PAGE, Work};

/// The guard looks at everybody who left within so long: many small cycles are no way around it.
pub(crate) const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What a cycle has to look at.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Which objects.
    pub(crate) candidates: Candidates,
    /// Who would be switched off or deleted.
    pub(crate) leaving: BTreeSet<(Kind, ResourceId)>,
    /// What the guard says to that.
    pub(crate) verdict: Verdict,
    /// How many objects there are to look at.
    pub(crate) total: u64,
}

/// The objects that a cycle has to look at.
#[derive(Debug)]
pub(crate) enum Candidates {
    /// All.
    Whole,
    /// These: what changed at the source, and what did not come to rest at the target.
    These {
        users: BTreeSet<ResourceId>,
        groups: BTreeSet<ResourceId>,
        /// Who came into which groups or went out of them.
        members: BTreeMap<ResourceId, BTreeSet<ResourceId>>,
    },
}

impl Candidates {
    pub(crate) fn of(&self, kind: Kind) -> Option<&BTreeSet<ResourceId>> {
        match (self, kind) {
            (Self::Whole, _) => None,
            (Self::These { users, .. }, Kind::User) => Some(users),
            (Self::These { groups, .. }, Kind::Group) => Some(groups),
        }
    }
}

/// Finds out what has to be looked at, and who would leave.
pub(crate) async fn survey(work: &Arc<Work>, job: &JobState) -> Result<Survey, Error> {
    let is_known = !job.unfinished && job.basis.as_deref() == Some(&work.basis);
    let since = job.watermark.filter(|_| is_known);
    let now = work.app.now();
    let recent = departures(job, now);
    let allowed = job.allowed_deletions;
    let inner = Arc::clone(work);
    work.tenant
        .read::<_, Error, _>(move |reader| {
            let candidates = match since {
                None => Candidates::Whole,
                Some(since) => changed(&inner, reader, since, now)?,
            };
            let leaving = leaving(&inner, reader, &candidates)?;
            let verdict = if leaving.is_empty() {
                Verdict::Pass
            } else {
                let departures = Departures {
                    leaving: leaving.len() as u64,
                    recent,
                    in_use: reader.in_use(inner.application)?,
                };
                judge(departures, inner.max_deletions, allowed)
            };
            let total = match &candidates {
                Candidates::Whole => {
                    let counts = reader.counts()?;
                    counts.users + counts.groups
                }
                Candidates::These { users, groups, .. } => (users.len() + groups.len()) as u64,
            };
            Ok(Survey {
                candidates,
                leaving,
                verdict,
                total,
            })
        })
        .await
}

/// Counts who left in the last day.
fn departures(job: &JobState, now: Timestamp) -> u64 {
    let recent = job
        .departures
        .iter()
        .filter(|departures| now.duration_since(departures.at) < DAY);
    recent.map(|departures| departures.count).sum()
}

/// Reads the change feed, and what needs attention.
fn changed(
    work: &Work,
    reader: &dyn Reader,
    since: u64,
    now: Timestamp,
) -> Result<Candidates, Error> {
    let (mut users, mut groups) = (BTreeSet::new(), BTreeSet::new());
    let mut members: BTreeMap<ResourceId, BTreeSet<ResourceId>> = BTreeMap::new();
    let mut after = since;
    loop {
        let changes = reader.changes(after, PAGE)?;
        let Some(last) = changes.last() else { break };
        after = last.sequence;
        for change in changes {
            match change.kind {
                Kind::User => {
                    users.insert(change.id);
                }
                Kind::Group => {
                    // nobody can tell who was a member of a group that is gone
                    if change.action == Action::Deleted && work.assigns(change.id) {
                        return Ok(Candidates::Whole);
                    }
                    groups.insert(change.id);
                    if change.membership.is_empty() {
                        continue;
                    }
                    let moved = members.entry(change.id).or_default();
                    moved.extend(change.membership.added);
                    moved.extend(change.membership.removed);
                }
            }
        }
    }
    for (kind, into) in [(Kind::User, &mut users), (Kind::Group, &mut groups)] {
        let mut after = None;
        loop {
            let links = reader.links_needing_attention(work.application, kind, after, PAGE)?;
            let Some(last) = links.last() else { break };
            after = Some(last.object);
            let is_due = |at: Option<Timestamp>| at.is_none_or(|at| at <= now);
            let due = links.iter().filter(|link| is_due(link.next_attempt()));
            into.extend(due.map(|link| link.object));
        }
    }
    // who came into an assigned group or went out of it may be assigned, or not any more
    if matches!(work.assigned, Assigned::Those { .. }) {
        for id in members.values().flatten() {
            if reader.kind_of(*id)? != Some(Kind::Group) {
                users.insert(*id);
            }
        }
    }
    Ok(Candidates::These {
        users,
        groups,
        members,
    })
}

/// Finds who stands in the target and is not entitled to any more.
fn leaving(
    work: &Work,
    reader: &dyn Reader,
    candidates: &Candidates,
) -> Result<BTreeSet<(Kind, ResourceId)>, Error> {
    let mut leaving = BTreeSet::new();
    for kind in work.kinds() {
        if let Some(ids) = candidates.of(kind) {
            for id in ids {
                if leaves(work, reader, kind, *id)? {
                    leaving.insert((kind, *id));
                }
            }
            continue;
        }
        let mut after = None;
        loop {
            let links = reader.links(work.application, kind, after, PAGE)?;
            let Some(last) = links.last() else { break };
            after = Some(last.object);
            for link in links {
                if leaves(work, reader, kind, link.object)? {
                    leaving.insert((kind, link.object));
                }
            }
        }
    }
    Ok(leaving)
}

fn leaves(work: &Work, reader: &dyn Reader, kind: Kind, id: ResourceId) -> Result<bool, Error> {
    let known = directory::known(reader, work.application, &work.assigned, kind, id)?;
    let entitlement = work.entitlement(&known.object);
    let takes = |link| entitlement.takes_away(work.rules.of(kind), link);
    Ok(known.link.as_ref().is_some_and(takes))
}
