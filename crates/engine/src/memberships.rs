//! Members of groups: what the target should have, less what it is known to have, in parts. No group is ever held whole but for the
//! ids that the target is known to have.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Instant;

use rollcall_model::link::Link;
use rollcall_model::provisioning::{ModifiedProperty, Phase};
use rollcall_model::{Kind, ResourceId};
use rollcall_store::{Member, Reader};
use rollcall_sync::task::{Answer, Trouble, Write, member_patch};

use crate::objects::{one, setback};
use crate::survey::Candidates;
use crate::work::{PAGE, Work, each};
use crate::{Error, entry};

/// How many groups are handled at once.
const GROUPS: usize = 4;
/// How many members one request adds, and how many it takes out.
const ADDED: usize = 500;
const REMOVED: usize = 100;

/// A group with what has to be compared: these members, or all.
pub(crate) type Compared = (ResourceId, Option<BTreeSet<ResourceId>>);

/// Brings the members of all groups that may have changed.
pub(crate) async fn bring_all(work: &Arc<Work>, candidates: &Candidates) -> Result<(), Error> {
    if !work.rules.of(Kind::Group).members {
        return Ok(());
    }
    let groups = groups(work, candidates, |_, link| {
        link.is_some_and(Link::is_active)
    })
    .await?;
    work.begin(Phase::Members, groups.len() as u64);
    each(work, groups, GROUPS, |work, (group, members)| async move {
        bring(&work, group, members).await?;
        work.advance(1);
        Ok(())
    })
    .await
}

/// Finds out which members of which groups have to be compared. `is_in_use` tells whether an object is in use in the target: by its
/// link, or by a plan.
pub(crate) async fn groups(
    work: &Arc<Work>,
    candidates: &Candidates,
    is_in_use: impl Fn(ResourceId, Option<&Link>) -> bool + Send + 'static,
) -> Result<Vec<Compared>, Error> {
    let application = work.application;
    let Candidates::These {
        users,
        groups,
        members,
    } = candidates
    else {
        return every_group(work).await;
    };
    let (users, groups, members) = (users.clone(), groups.clone(), members.clone());
    work.tenant
        .read::<_, Error, _>(move |reader| {
            let mut compared: BTreeMap<_, _> = members
                .into_iter()
                .map(|(group, members)| (group, Some(members)))
                .collect();
            let people = users.iter().map(|id| (Kind::User, *id));
            let nested = groups.iter().map(|id| (Kind::Group, *id));
            for (kind, id) in people.chain(nested) {
                let link = reader.link(application, kind, id)?;
                let mut wanted = BTreeSet::new();
                if is_in_use(id, link.as_ref()) {
                    wanted.extend(reader.groups_of(id)?.into_iter().map(|(group, _)| group));
                }
                let exported = reader
                    .exported_groups(application, id)?
                    .into_iter()
                    .collect();
                for group in wanted.symmetric_difference(&exported) {
                    if let Some(some) = compared
                        .entry(*group)
                        .or_insert_with(|| Some(BTreeSet::new()))
                    {
                        some.insert(id);
                    }
                }
            }
            for id in groups {
                let link = reader.link(application, Kind::Group, id)?;
                if link.is_some_and(|link| link.waiting) {
                    compared.insert(id, None);
                }
            }
            Ok(compared.into_iter().collect())
        })
        .await
}

async fn every_group(work: &Arc<Work>) -> Result<Vec<Compared>, Error> {
    let application = work.application;
    work.tenant
        .read::<_, Error, _>(move |reader| {
            let (mut groups, mut after) = (Vec::new(), None);
            loop {
                let links = reader.links(application, Kind::Group, after, PAGE)?;
                let Some(last) = links.last() else {
                    return Ok(groups);
                };
                after = Some(last.object);
                groups.extend(links.iter().map(|link| (link.object, None)));
            }
        })
        .await
}

/// The comparison of a group's members, under way.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Who is compared; absent: everybody.
    chosen: Option<BTreeSet<ResourceId>>,
    after: Option<ResourceId>,
    /// Whom the target is known to have, and who was not met among the members so far.
    exported: Option<HashSet<ResourceId>>,
    /// Who is to be added, with the target's id.
    pub(crate) added: Vec<(ResourceId, String)>,
    /// Whether all members were met: whoever is left in `exported` goes.
    pub(crate) is_over: bool,
}

impl Walk {
    pub(crate) fn over(chosen: Option<BTreeSet<ResourceId>>) -> Self {
        Self {
            chosen,
            ..Self::default()
        }
    }

    /// Compares the next members; `counterpart` returns the target's id of a member that is in use there.
    pub(crate) fn go_on(
        mut self,
        reader: &dyn Reader,
        work: &Work,
        group: ResourceId,
        counterpart: &dyn Fn(Member) -> Result<Option<String>, rollcall_store::Error>,
    ) -> Result<Self, rollcall_store::Error> {
        let exported = match &mut self.exported {
            Some(exported) => exported,
            empty => empty.insert(match &self.chosen {
                Some(chosen) => exported_of(reader, work, group, chosen)?,
                None => exported(reader, work, group)?,
            }),
        };
        self.added.clear();
        let members = match &self.chosen {
            Some(chosen) => chosen_members(reader, group, chosen)?,
            None => reader.members(group, self.after, PAGE)?,
        };
        self.is_over = self.chosen.is_some() || members.is_empty();
        self.after = members.last().map(|last| last.id);
        for member in members {
            let Some(target_id) = counterpart(member)? else {
                continue;
            };
            if !exported.remove(&member.id) {
                self.added.push((member.id, target_id));
            }
        }
        Ok(self)
    }

    /// Returns who is to be taken out, once the walk is over.
    pub(crate) fn removed(self) -> Vec<ResourceId> {
        self.exported.unwrap_or_default().into_iter().collect()
    }
}

/// Returns those of `chosen` who are members.
fn chosen_members(
    reader: &dyn Reader,
    group: ResourceId,
    chosen: &BTreeSet<ResourceId>,
) -> Result<Vec<Member>, rollcall_store::Error> {
    let mut members = Vec::new();
    for id in chosen {
        if let Some(kind) = reader.kind_of(*id)?
            && reader.is_member(group, *id)?
        {
            members.push(Member { id: *id, kind });
        }
    }
    Ok(members)
}

/// Returns those of `chosen` whom the target is known to have in the group.
fn exported_of(
    reader: &dyn Reader,
    work: &Work,
    group: ResourceId,
    chosen: &BTreeSet<ResourceId>,
) -> Result<HashSet<ResourceId>, rollcall_store::Error> {
    let mut exported = HashSet::new();
    for id in chosen {
        if reader
            .exported_groups(work.application, *id)?
            .contains(&group)
        {
            exported.insert(*id);
        }
    }
    Ok(exported)
}

fn exported(
    reader: &dyn Reader,
    work: &Work,
    group: ResourceId,
) -> Result<HashSet<ResourceId>, rollcall_store::Error> {
    let (mut all, mut after) = (HashSet::new(), None);
    loop {
        let part = reader.exported_members(work.application, group, after, PAGE)?;
        let Some(last) = part.last() else {
            return Ok(all);
        };
        after = Some(*last);
        all.extend(part);
    }
}

/// Returns the target's id of a member that is in use there.
fn active(
    reader: &dyn Reader,
    work: &Work,
    member: Member,
) -> Result<Option<String>, rollcall_store::Error> {
    let link = reader.link(work.application, member.kind, member.id)?;
    Ok(link.filter(Link::is_active).and_then(|link| link.target_id))
}

async fn bring(
    work: &Arc<Work>,
    group: ResourceId,
    chosen: Option<BTreeSet<ResourceId>>,
) -> Result<(), Error> {
    let begun = Instant::now();
    let known = one(work, Kind::Group, group).await?;
    let Some(link) = known.link.filter(Link::is_active) else {
        return Ok(());
    };
    let Some(target_id) = link.target_id.clone() else {
        return Ok(());
    };
    let mut sent = Sent::default();
    let is_whole = chosen.is_none();
    let walk = Walk::over(chosen);
    let trouble = send_differences(work, group, &target_id, walk, &mut sent).await?;
    work.note(trouble.as_ref());
    work.count_with(|tally| {
        tally.members_added += sent.added;
        tally.members_removed += sent.removed;
    });
    if work.is_over() {
        // the rest is sent by the next cycle
        return Ok(());
    }
    let changed = match &trouble {
        Some(trouble) => Link {
            failure: Some(setback(&link, trouble, work.app.now())),
            waiting: true,
            ..link.clone()
        },
        None if is_whole => Link {
            waiting: false,
            ..link.clone()
        },
        None => link.clone(),
    };
    if trouble.is_some() {
        work.count_with(|tally| tally.groups.failed += 1);
    }
    let is_worth_logging = trouble.is_some() || sent != Sent::default();
    let entry = is_worth_logging.then(|| {
        let properties = vec![ModifiedProperty {
            display_name: "members".to_owned(),
            old_value: (sent.removed > 0).then(|| format!("{} removed", sent.removed)),
            new_value: (sent.added > 0).then(|| format!("{} added", sent.added)),
        }];
        let (trouble, took) = (trouble.as_ref(), begun.elapsed());
        entry::of_references(work, &known.object, &link, properties, trouble, took)
    });
    if changed == link && entry.is_none() {
        return Ok(());
    }
    work.tenant
        .write::<_, Error, _>(move |writer| {
            writer.save_link(&changed)?;
            if let Some(entry) = &entry {
                writer.append_log(entry)?;
            }
            Ok(())
        })
        .await
}

/// How many memberships were sent.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sent {
    added: u64,
    removed: u64,
}

/// Sends what differs; returns what went wrong.
async fn send_differences(
    work: &Arc<Work>,
    group: ResourceId,
    target_id: &str,
    mut walk: Walk,
    sent: &mut Sent,
) -> Result<Option<Trouble>, Error> {
    let mut waiting: Vec<(ResourceId, String)> = Vec::new();
    loop {
        let inner = Arc::clone(work);
        walk = work
            .tenant
            .read::<_, Error, _>(move |reader| {
                let counterpart = |member| active(reader, &inner, member);
                Ok(walk.go_on(reader, &inner, group, &counterpart)?)
            })
            .await?;
        waiting.append(&mut walk.added);
        while waiting.len() >= ADDED || (walk.is_over && !waiting.is_empty()) {
            let rest = waiting.split_off(waiting.len().min(ADDED));
            let part = std::mem::replace(&mut waiting, rest);
            let (ids, targets): (Vec<_>, Vec<_>) = part.into_iter().unzip();
            if let Some(trouble) = send(work, target_id, &targets, &[]).await {
                return Ok(Some(trouble));
            }
            sent.added += ids.len() as u64;
            let application = work.application;
            work.tenant
                .write::<_, Error, _>(move |writer| {
                    Ok(writer.add_exported_members(application, group, &ids)?)
                })
                .await?;
        }
        if walk.is_over {
            break;
        }
        if work.is_over() {
            return Ok(None);
        }
    }
    let removed = walk.removed();
    for part in removed.chunks(REMOVED) {
        let ids = part.to_vec();
        let targets = targets_of(work, ids.clone()).await?;
        if !targets.is_empty()
            && let Some(trouble) = send(work, target_id, &[], &targets).await
        {
            return Ok(Some(trouble));
        }
        sent.removed += ids.len() as u64;
        let application = work.application;
        work.tenant
            .write::<_, Error, _>(move |writer| {
                Ok(writer.remove_exported_members(application, group, &ids)?)
            })
            .await?;
    }
    Ok(None)
}

/// Returns the target's ids of those who have one. Who has none was deleted there, and its memberships with it.
async fn targets_of(work: &Arc<Work>, ids: Vec<ResourceId>) -> Result<Vec<String>, Error> {
    let application = work.application;
    work.tenant
        .read::<_, Error, _>(move |reader| {
            let mut targets = Vec::new();
            for id in ids {
                for kind in [Kind::User, Kind::Group] {
                    let link = reader.link(application, kind, id)?;
                    targets.extend(link.and_then(|link| link.target_id));
                }
            }
            Ok(targets)
        })
        .await
}

async fn send(work: &Work, group: &str, added: &[String], removed: &[String]) -> Option<Trouble> {
    let write = Write::Patch {
        id: group.to_owned(),
        operations: member_patch(added, removed),
    };
    match work.target.write(Kind::Group, &write).await {
        Answer::Done => None,
        Answer::Failed(trouble) => Some(trouble),
        Answer::Conflict(message) => Some(Trouble::of_object("Conflict", message, true)),
        _ => Some(Trouble::of_object(
            "InvalidAnchor",
            "the group is not there any more",
            true,
        )),
    }
}
