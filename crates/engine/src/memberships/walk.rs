//! The comparison of one group's members: what the target should have, less what it is known to have, in parts.

use std::collections::{BTreeSet, HashSet};

use rollcall_model::application::NestedGroups;
use rollcall_model::{Kind, ResourceId};
use rollcall_store::{Error, Member, Reader};
use rollcall_sync::task::{Write, member_patch};

use crate::directory;
use crate::outlook::{Outlook, Standing};
use crate::work::{PAGE, Work};

/// The comparison of a group's members, under way.
#[derive(Debug)]
pub(crate) struct Walk {
    group: ResourceId,
    /// Who is compared; absent: everybody.
    chosen: Option<BTreeSet<ResourceId>>,
    /// The groups whose members are still to be met, each with the last one that was: one, or with flattened groups those within it.
    open: Vec<(ResourceId, Option<ResourceId>)>,
    /// Who was met, where an object may be met twice.
    met: HashSet<ResourceId>,
    /// Whom the target is known to have, and who was not met among the members so far.
    exported: Option<HashSet<ResourceId>>,
    /// Who is to be added, with the target's id.
    pub(crate) added: Vec<(ResourceId, String)>,
    /// Whether all members were met: whoever is left in `exported` goes.
    pub(crate) is_over: bool,
}

impl Walk {
    pub(crate) fn over(group: ResourceId, chosen: Option<BTreeSet<ResourceId>>) -> Self {
        Self {
            group,
            chosen,
            open: vec![(group, None)],
            met: HashSet::new(),
            exported: None,
            added: Vec::new(),
            is_over: false,
        }
    }

    /// Takes for known whom the target has, whatever the store says.
    pub(crate) fn knowing(mut self, exported: HashSet<ResourceId>) -> Self {
        self.exported = Some(match &self.chosen {
            Some(chosen) => exported
                .into_iter()
                .filter(|id| chosen.contains(id))
                .collect(),
            None => exported,
        });
        self
    }

    /// Compares the next members.
    pub(crate) fn go_on(
        mut self,
        reader: &dyn Reader,
        work: &Work,
        outlook: &dyn Outlook,
    ) -> Result<Self, Error> {
        let group = self.group;
        if self.exported.is_none() {
            self.exported = Some(if outlook.is_on_record(group) {
                let mut exported = match &self.chosen {
                    Some(chosen) => exported_of(reader, work, group, chosen)?,
                    None => exported(reader, work, group)?,
                };
                exported.retain(|id| outlook.is_on_record(*id));
                exported
            } else {
                HashSet::new()
            });
        }
        self.added.clear();
        let members = match &self.chosen {
            Some(chosen) => {
                self.open.clear();
                chosen_members(reader, work, group, chosen)?
            }
            None => self.next_members(reader, work)?,
        };
        self.is_over = self.open.is_empty();
        for member in members {
            let link = reader.link(work.application, member.kind, member.id)?;
            let exported = self.exported.get_or_insert_default();
            match outlook.standing(member.id, link.as_ref()) {
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

    /// Reads the next members of the group, or of one within it.
    fn next_members(&mut self, reader: &dyn Reader, work: &Work) -> Result<Vec<Member>, Error> {
        let Some((group, after)) = self.open.pop() else {
            return Ok(Vec::new());
        };
        let mut members = reader.members(group, after, PAGE)?;
        if let Some(last) = members.last() {
            self.open.push((group, Some(last.id)));
        }
        if work.nested == NestedGroups::Flatten {
            self.met.insert(group);
            members.retain(|member| self.met.insert(member.id));
            let within = members.iter().filter(|member| member.kind == Kind::Group);
            self.open.extend(within.map(|group| (group.id, None)));
            members.retain(|member| member.kind == Kind::User);
        }
        Ok(members)
    }

    /// Returns who is to be taken out, in order, once the walk is over.
    pub(crate) fn removed(self) -> Vec<ResourceId> {
        let mut removed: Vec<_> = self.exported.unwrap_or_default().into_iter().collect();
        removed.sort_unstable();
        removed
    }
}

/// Returns those of `chosen` who are members.
fn chosen_members(
    reader: &dyn Reader,
    work: &Work,
    group: ResourceId,
    chosen: &BTreeSet<ResourceId>,
) -> Result<Vec<Member>, Error> {
    let mut members = Vec::new();
    for id in chosen {
        let is_member = match work.nested {
            NestedGroups::Flatten => directory::ancestors(reader, *id)?.contains(&group),
            NestedGroups::Direct | NestedGroups::Keep => reader.is_member(group, *id)?,
        };
        if let Some(kind) = reader.kind_of(*id)?
            && is_member
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
) -> Result<HashSet<ResourceId>, Error> {
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
) -> Result<HashSet<ResourceId>, Error> {
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

/// What is done with members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Add,
    Remove,
}

/// Members that one request adds or takes out, with the target's ids of their counterparts; without one, the counterpart was deleted
/// there, and the membership with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) change: Change,
    pub(crate) members: Vec<(ResourceId, Option<String>)>,
}

impl Part {
    /// Returns the request; none when nobody of it is in the target.
    pub(crate) fn write(&self, group: &str) -> Option<Write> {
        let targets: Vec<String> = self
            .members
            .iter()
            .filter_map(|(_, target)| target.clone())
            .collect();
        let operations = match self.change {
            Change::Add => member_patch(&targets, &[]),
            Change::Remove => member_patch(&[], &targets),
        };
        (!targets.is_empty()).then(|| Write::Patch {
            id: group.to_owned(),
            operations,
        })
    }
}

/// Collects who is added until a part is full.
#[derive(Debug)]
pub(crate) struct Collecting {
    size: usize,
    open: Vec<(ResourceId, Option<String>)>,
}

impl Collecting {
    /// Begins; `size` is how many members one request may add.
    pub(crate) fn new(size: usize) -> Self {
        Self {
            size: size.max(1),
            open: Vec::new(),
        }
    }

    /// Takes what a walk has found; returns the parts that are full, and at its end the last one.
    pub(crate) fn take(&mut self, walk: &mut Walk) -> Vec<Part> {
        let found = walk.added.drain(..);
        self.open
            .extend(found.map(|(id, target)| (id, Some(target))));
        let mut parts = Vec::new();
        while self.open.len() >= self.size || (walk.is_over && !self.open.is_empty()) {
            let rest = self.open.split_off(self.open.len().min(self.size));
            parts.push(Part {
                change: Change::Add,
                members: std::mem::replace(&mut self.open, rest),
            });
        }
        parts
    }
}

/// Finds the target's ids of those who are taken out.
pub(crate) fn removal(
    reader: &dyn Reader,
    work: &Work,
    outlook: &dyn Outlook,
    ids: &[ResourceId],
) -> Result<Part, Error> {
    let mut members = Vec::with_capacity(ids.len());
    for id in ids {
        let mut target = None;
        for kind in [Kind::User, Kind::Group] {
            let link = reader.link(work.application, kind, *id)?;
            target = target.or_else(|| outlook.counterpart(*id, link.as_ref()));
        }
        members.push((*id, target));
    }
    Ok(Part {
        change: Change::Remove,
        members,
    })
}
