//! Members of groups: what the target should have, less what it is known to have, in parts. No group is ever held whole but for the
//! ids that the target is known to have.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Instant;

use rollcall_model::link::{Link, LinkState};
use rollcall_model::provisioning::{ModifiedProperty, Phase};
use rollcall_model::{Kind, ResourceId};
use rollcall_store::{Member, Reader};
use rollcall_sync::task::{Answer, REFERENCES_FAILED, Trouble, Write, member_patch};

use crate::objects::{one, setback, without_references};
use crate::survey::Candidates;
use crate::work::{PAGE, Work, each};
use crate::{Error, entry};

/// How many groups are handled at once.
const GROUPS: usize = 4;
/// How many members one request adds, and how many it takes out.
const ADDED: usize = 500;
const REMOVED: usize = 100;
/// After so many members were refused one by one, the rest of the group waits for the next attempt.
const REFUSED: u64 = 20;
/// What the log calls a resource that is not there any more.
const LOST: &str = "InvalidAnchor";

/// Tells whether members are provisioned.
pub(crate) fn has_members(work: &Work) -> bool {
    let rules = work.rules.of(Kind::Group);
    rules.enabled && rules.members
}

/// How an object stands in the target, seen as a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is in use, under this id.
    InUse(String),
    /// It left the scope, and is left alone: nothing of it is changed.
    LeftAlone,
    /// It is not there, or switched off.
    Out,
}

impl Standing {
    pub(crate) fn of(link: Option<&Link>) -> Self {
        match link {
            Some(Link {
                state: LinkState::Active,
                target_id: Some(id),
                ..
            }) => Self::InUse(id.clone()),
            Some(Link {
                state: LinkState::Released,
                ..
            }) => Self::LeftAlone,
            _ => Self::Out,
        }
    }
}

/// A group with what has to be compared: these members, or all.
pub(crate) type Compared = (ResourceId, Option<BTreeSet<ResourceId>>);

/// Brings the members of all groups that may have changed.
pub(crate) async fn bring_all(work: &Arc<Work>, candidates: &Candidates) -> Result<(), Error> {
    if !has_members(work) {
        return Ok(());
    }
    let groups = groups(work, candidates, |_, link| Standing::of(link)).await?;
    work.begin(Phase::Members, groups.len() as u64);
    each(work, groups, GROUPS, |work, (group, members)| async move {
        bring(&work, group, members).await?;
        work.advance(1);
        Ok(())
    })
    .await
}

/// Finds out which members of which groups have to be compared. `stands` tells how an object stands in the target: by its link, or by a
/// plan.
pub(crate) async fn groups(
    work: &Arc<Work>,
    candidates: &Candidates,
    stands: impl Fn(ResourceId, Option<&Link>) -> Standing + Send + 'static,
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
                let exported: BTreeSet<ResourceId> = reader
                    .exported_groups(application, id)?
                    .into_iter()
                    .collect();
                let mut wanted = BTreeSet::new();
                let standing = stands(id, link.as_ref());
                if standing != Standing::Out {
                    wanted.extend(reader.groups_of(id)?.into_iter().map(|(group, _)| group));
                }
                if standing == Standing::LeftAlone {
                    wanted.retain(|group| exported.contains(group));
                }
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

    /// A walk with nothing to do.
    pub(crate) fn ended() -> Self {
        Self {
            is_over: true,
            ..Self::default()
        }
    }

    /// Compares the next members; `stands` tells how a member stands in the target.
    pub(crate) fn go_on(
        mut self,
        reader: &dyn Reader,
        work: &Work,
        group: ResourceId,
        stands: &dyn Fn(Member) -> Result<Standing, rollcall_store::Error>,
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
            match stands(member)? {
                Standing::InUse(target_id) => {
                    if !exported.remove(&member.id) {
                        self.added.push((member.id, target_id));
                    }
                }
                Standing::LeftAlone => drop(exported.remove(&member.id)),
                Standing::Out => {}
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
    let is_whole = chosen.is_none();
    if link.members_unknown {
        recount(work, group, &target_id).await?;
    }
    let mut sending = Sending {
        work,
        group,
        target_id,
        added: 0,
        removed: 0,
        refused: 0,
        is_lost: false,
        trouble: None,
    };
    sending.send_differences(Walk::over(chosen)).await?;
    let Sending {
        added,
        removed,
        refused,
        trouble,
        is_lost: sending_is_lost,
        ..
    } = sending;
    work.count_with(|tally| {
        tally.members_added += added;
        tally.members_removed += removed;
        tally.groups.failed += u64::from(trouble.is_some());
    });
    if work.is_over() {
        // the rest is sent by the next cycle
        return Ok(());
    }
    let trouble = trouble.map(|trouble| Trouble {
        code: REFERENCES_FAILED.to_owned(),
        message: match refused {
            0 => trouble.message,
            1 => format!("a member is refused: {}", trouble.message),
            _ => format!("{refused} members are refused: {}", trouble.message),
        },
        ..trouble
    });
    let mut changed = link.clone();
    changed.members_unknown = false;
    if sending_is_lost {
        // the next task looks whether the group is still there
        changed.digest = None;
    }
    match &trouble {
        Some(trouble) => {
            changed.failure = Some(setback(&link, trouble, work.app.now()));
            changed.waiting = true;
        }
        None if is_whole => {
            changed.waiting = false;
            changed.failure = without_references(changed.failure);
        }
        None => {}
    }
    let is_worth_logging = trouble.is_some() || added + removed > 0;
    let entry = is_worth_logging.then(|| {
        let properties = vec![ModifiedProperty {
            display_name: "members".to_owned(),
            old_value: (removed > 0).then(|| format!("{removed} removed")),
            new_value: (added > 0).then(|| format!("{added} added")),
        }];
        let (trouble, took) = (trouble.as_ref(), begun.elapsed());
        entry::of_references(work, &known.object, &link, properties, trouble, took)
    });
    if changed == link && entry.is_none() {
        return Ok(());
    }
    work.write(move |writer| {
        writer.save_link(&changed)?;
        if let Some(entry) = &entry {
            writer.append_log(entry)?;
        }
        Ok(())
    })
    .await
}

/// The members of one group on their way.
struct Sending<'w> {
    work: &'w Arc<Work>,
    group: ResourceId,
    target_id: String,
    added: u64,
    removed: u64,
    /// How many the target refused, each for itself.
    refused: u64,
    /// Whether the target says that the group is not there.
    is_lost: bool,
    /// The last thing that went wrong.
    trouble: Option<Trouble>,
}

/// Tells whether a refusal may be about single members, so that smaller parts may do better.
fn is_about_members(trouble: &Trouble) -> bool {
    matches!(trouble.code.as_str(), "UnprocessableEntity" | "Conflict")
}

/// Reads which members the target has in a group, and remembers that. Who is there and is not one of ours is left alone.
async fn recount(work: &Arc<Work>, group: ResourceId, target_id: &str) -> Result<(), Error> {
    let there = match work.target.members(target_id).await {
        Ok(there) => there,
        Err(trouble) => {
            work.note(Some(&trouble));
            tracing::warn!(%group, "its members cannot be read in the target: {}", trouble.message);
            return Ok(());
        }
    };
    let application = work.application;
    work.write(move |writer| {
        let mut known = Vec::new();
        for target_id in there {
            for kind in [Kind::User, Kind::Group] {
                known.extend(writer.linked_to(application, kind, &target_id)?);
            }
        }
        writer.clear_exported_members(application, group)?;
        writer.add_exported_members(application, group, &known)
    })
    .await
}

/// What is done with members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Add,
    Remove,
}

impl Sending<'_> {
    /// Sends what differs, as soon as a part is full.
    async fn send_differences(&mut self, mut walk: Walk) -> Result<(), Error> {
        let mut added: Vec<(ResourceId, Option<String>)> = Vec::new();
        while !walk.is_over {
            let (inner, group) = (Arc::clone(self.work), self.group);
            walk = self
                .work
                .tenant
                .read::<_, Error, _>(move |reader| {
                    let stands = |member: Member| {
                        let link = reader.link(inner.application, member.kind, member.id)?;
                        Ok(Standing::of(link.as_ref()))
                    };
                    Ok(walk.go_on(reader, &inner, group, &stands)?)
                })
                .await?;
            added.extend(walk.added.drain(..).map(|(id, target)| (id, Some(target))));
            while added.len() >= ADDED || (walk.is_over && !added.is_empty()) {
                let rest = added.split_off(added.len().min(ADDED));
                self.send(Change::Add, std::mem::replace(&mut added, rest))
                    .await?;
            }
        }
        for part in walk.removed().chunks(REMOVED) {
            let targets = self.targets_of(part.to_vec()).await?;
            self.send(Change::Remove, targets).await?;
        }
        Ok(())
    }

    /// Sends members, in ever smaller parts when the target refuses: one bad member must not keep out the others.
    async fn send(
        &mut self,
        change: Change,
        members: Vec<(ResourceId, Option<String>)>,
    ) -> Result<(), Error> {
        let mut parts = vec![members];
        while let Some(mut part) = parts.pop() {
            if part.is_empty() || self.work.is_over() || self.is_lost || self.refused >= REFUSED {
                continue;
            }
            let targets: Vec<String> = part
                .iter()
                .filter_map(|(_, target)| target.clone())
                .collect();
            let trouble = self.request(change, &targets).await;
            match trouble {
                None => self.remember(change, part).await?,
                Some(trouble) if part.len() > 1 && is_about_members(&trouble) => {
                    let half = part.split_off(part.len() / 2);
                    parts.extend([half, part]);
                }
                Some(trouble) => {
                    let goes_on = is_about_members(&trouble);
                    self.refused += u64::from(goes_on);
                    self.is_lost |= trouble.code == LOST;
                    self.trouble = Some(trouble);
                    if !goes_on {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends one request; returns what went wrong.
    async fn request(&self, change: Change, targets: &[String]) -> Option<Trouble> {
        // who has no id in the target was deleted there, and the membership with it
        if targets.is_empty() {
            return None;
        }
        let operations = match change {
            Change::Add => member_patch(targets, &[]),
            Change::Remove => member_patch(&[], targets),
        };
        let write = Write::Patch {
            id: self.target_id.clone(),
            operations,
        };
        let trouble = match self.work.target.write(Kind::Group, &write).await {
            Answer::Done => None,
            Answer::Failed(trouble) | Answer::Unknown(trouble) => Some(trouble),
            Answer::Conflict(message) => Some(Trouble::of_object("Conflict", message, false)),
            _ => Some(Trouble::of_object(
                LOST,
                "the group is not there any more",
                true,
            )),
        };
        self.work.note(trouble.as_ref());
        trouble
    }

    async fn remember(
        &mut self,
        change: Change,
        members: Vec<(ResourceId, Option<String>)>,
    ) -> Result<(), Error> {
        let ids: Vec<ResourceId> = members.into_iter().map(|(id, _)| id).collect();
        let count = ids.len() as u64;
        match change {
            Change::Add => self.added += count,
            Change::Remove => self.removed += count,
        }
        let (application, group) = (self.work.application, self.group);
        self.work
            .write(move |writer| match change {
                Change::Add => writer.add_exported_members(application, group, &ids),
                Change::Remove => writer.remove_exported_members(application, group, &ids),
            })
            .await
    }

    /// Finds the target's ids of members.
    async fn targets_of(
        &self,
        ids: Vec<ResourceId>,
    ) -> Result<Vec<(ResourceId, Option<String>)>, Error> {
        let application = self.work.application;
        self.work
            .tenant
            .read::<_, Error, _>(move |reader| {
                let mut targets = Vec::new();
                for id in ids {
                    let mut target = None;
                    for kind in [Kind::User, Kind::Group] {
                        let link = reader.link(application, kind, id)?;
                        target = target.or_else(|| link.and_then(|link| link.target_id));
                    }
                    targets.push((id, target));
                }
                Ok(targets)
            })
            .await
    }
}
