//! Sends what differs in a group's members, and remembers what was sent.

use std::sync::Arc;

use rollcall_model::{Kind, ResourceId};
use rollcall_sync::task::{Answer, Trouble};

use super::walk::{Change, Collecting, Part, Walk, removal};
use crate::Error;
use crate::outlook::AsLinked;
use crate::work::Work;

/// After so many members were refused one by one, the rest of the group waits for the next attempt.
const REFUSED: u64 = 20;
/// What the log calls a resource that is not there any more.
const LOST: &str = "InvalidAnchor";

/// The members of one group on their way.
pub(super) struct Sending<'w> {
    work: &'w Arc<Work>,
    group: ResourceId,
    pub(super) target_id: String,
    /// The additions begin behind this member: those before it were tried last time.
    begins_after: Option<ResourceId>,
    pub(super) added: u64,
    pub(super) removed: u64,
    /// How many the target refused, each for itself.
    pub(super) refused: u64,
    /// Where the next attempt begins, when too many were refused.
    pub(super) refused_up_to: Option<ResourceId>,
    /// Members of whom the target says that they are not there.
    pub(super) lost_members: Vec<ResourceId>,
    /// Whether the target says that the group is not there.
    pub(super) is_lost: bool,
    /// Whether the link on disk says that members are on their way.
    is_marked: bool,
    /// Whether nobody knows what became of a request.
    pub(super) is_unknown: bool,
    /// The last thing that went wrong.
    pub(super) trouble: Option<Trouble>,
}

/// Tells whether a refusal may be about single members, so that smaller parts may do better. A target may answer 404 for a member that it
/// does not know, and not for the group.
fn is_about_members(trouble: &Trouble) -> bool {
    matches!(
        trouble.code.as_str(),
        "UnprocessableEntity" | "Conflict" | LOST
    )
}

impl<'w> Sending<'w> {
    pub(super) fn new(
        work: &'w Arc<Work>,
        group: ResourceId,
        target_id: String,
        begins_after: Option<ResourceId>,
    ) -> Self {
        Self {
            work,
            group,
            target_id,
            begins_after,
            added: 0,
            removed: 0,
            refused: 0,
            refused_up_to: None,
            lost_members: Vec::new(),
            is_lost: false,
            is_marked: false,
            is_unknown: false,
            trouble: None,
        }
    }

    /// Sends what differs: additions as soon as a part is full, and at the end who is taken out. Neither waits for the other to go well.
    pub(super) async fn send_differences(&mut self, mut walk: Walk) -> Result<(), Error> {
        let (size, out) = self.work.members_per_request();
        let mut collecting = Collecting::new(size);
        let (mut tried_before, begins_after) = (Vec::new(), self.begins_after);
        while !walk.is_over {
            let inner = Arc::clone(self.work);
            walk = self
                .work
                .tenant
                .read::<_, Error, _>(move |reader| Ok(walk.go_on(reader, &inner, &AsLinked)?))
                .await?;
            let last = |member: &(ResourceId, String)| Some(member.0) <= begins_after;
            tried_before.extend(walk.added.extract_if(.., |member| last(member)));
            for part in collecting.take(&mut walk) {
                self.send(part).await?;
            }
        }
        for part in tried_before.chunks(size) {
            let members = part.iter().cloned();
            let members = members.map(|(id, target)| (id, Some(target))).collect();
            let change = Change::Add;
            self.send(Part { change, members }).await?;
        }
        let refused_additions = std::mem::take(&mut self.refused);
        for ids in walk.removed().chunks(out) {
            let (inner, ids) = (Arc::clone(self.work), ids.to_vec());
            let part = self
                .work
                .tenant
                .read::<_, Error, _>(move |reader| Ok(removal(reader, &inner, &AsLinked, &ids)?))
                .await?;
            self.send(part).await?;
        }
        self.refused += refused_additions;
        Ok(())
    }

    /// Sends members, in ever smaller parts when the target refuses: one bad member must not keep out the others.
    async fn send(&mut self, part: Part) -> Result<(), Error> {
        let mut parts = vec![part];
        while let Some(mut part) = parts.pop() {
            if part.members.is_empty()
                || self.work.is_over()
                || self.is_lost
                || self.refused >= REFUSED
            {
                continue;
            }
            match self.request(&part).await? {
                None => self.remember(part).await?,
                Some(trouble) if part.members.len() > 1 && is_about_members(&trouble) => {
                    let members = part.members.split_off(part.members.len() / 2);
                    let half = Part { members, ..part };
                    parts.extend([half, part]);
                }
                Some(trouble) => {
                    let goes_on = is_about_members(&trouble);
                    if trouble.code == LOST {
                        self.look_for_the_group(&part).await;
                    }
                    self.trouble = Some(trouble);
                    if !goes_on {
                        return Ok(());
                    }
                    self.refused += 1;
                    if self.refused >= REFUSED && part.change == Change::Add {
                        self.refused_up_to = part.members.first().map(|(id, _)| *id);
                    }
                }
            }
        }
        Ok(())
    }

    /// Finds out who is not there: the group, or the only member of a part.
    async fn look_for_the_group(&mut self, part: &Part) {
        match self.work.target.get(Kind::Group, &self.target_id).await {
            Answer::Got(Some(_)) => {
                self.lost_members
                    .extend(part.members.first().map(|(id, _)| *id));
            }
            _ => self.is_lost = true,
        }
    }

    /// Sends one request; returns what went wrong.
    async fn request(&mut self, part: &Part) -> Result<Option<Trouble>, Error> {
        let Some(write) = part.write(&self.target_id) else {
            return Ok(None);
        };
        self.mark().await?;
        let trouble = match self.work.send(Kind::Group, self.group, &write).await? {
            Answer::Done => None,
            Answer::Failed(trouble) | Answer::Unknown(trouble) => Some(trouble),
            Answer::Conflict(message) => Some(Trouble::of_object("Conflict", message, false)),
            _ => Some(Trouble::of_object(
                LOST,
                "the target says that it is not there any more",
                true,
            )),
        };
        // also a call for patience may have come after an attempt of which nobody knows
        let is_certain = |trouble: &Trouble| is_about_members(trouble);
        self.is_unknown |= trouble.as_ref().is_some_and(|trouble| !is_certain(trouble));
        self.work.note(trouble.as_ref());
        Ok(trouble)
    }

    /// Remembers that members are on their way: the sender may die, and the source may be as it was before by the time of the next
    /// attempt.
    async fn mark(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.is_marked, true) {
            return Ok(());
        }
        let (application, group) = (self.work.application, self.group);
        self.work
            .write(move |writer| {
                let Some(mut link) = writer.link(application, Kind::Group, group)? else {
                    return Ok(());
                };
                (link.waiting, link.members_unknown) = (true, true);
                writer.save_link(&link)
            })
            .await
    }

    async fn remember(&mut self, part: Part) -> Result<(), Error> {
        let Part { change, members } = part;
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
}
