//! Members of groups: what the target should have, less what it is known to have, in parts. No group is ever held whole but for the
//! ids that the target is known to have.
//!
//! **Start at** [`bring_all`]; a comparison is a [`walk`], what comes of it is [`sending`].

mod sending;
pub(crate) mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use rollcall_connect::target::TargetMember;
use rollcall_model::application::NestedGroups;
use rollcall_model::link::Link;
use rollcall_model::provisioning::{ModifiedProperty, Phase};
use rollcall_model::{ApplicationId, Kind, ResourceId};
use rollcall_store::Reader;
use rollcall_sync::task::{REFERENCES_FAILED, Trouble};

use crate::objects::one;
use crate::outlook::{AsLinked, Outlook, Standing};
use crate::settling::{setback, without_references};
use crate::survey::{Candidates, Chosen};
use crate::work::{PAGE, Work, each};
use crate::{Error, directory, entry};
use sending::Sending;
use walk::Walk;

/// How many groups are handled at once.
const GROUPS: usize = 4;

/// Tells whether members are provisioned.
pub(crate) fn has_members(work: &Work) -> bool {
    let rules = work.rules.of(Kind::Group);
    rules.enabled && rules.members
}

/// A group with what has to be compared: these members, or all.
pub(crate) type Compared = (ResourceId, Option<BTreeSet<ResourceId>>);

/// Brings the members of all groups that may have changed.
pub(crate) async fn bring_all(work: &Arc<Work>, candidates: &Candidates) -> Result<(), Error> {
    if !has_members(work) {
        return Ok(());
    }
    let groups = groups(work, candidates, AsLinked).await?;
    work.begin(Phase::Members, groups.len() as u64);
    each(work, groups, GROUPS, |work, (group, members)| async move {
        bring(&work, group, members).await?;
        work.advance(1);
        Ok(())
    })
    .await
}

/// Finds out which members of which groups have to be compared.
pub(crate) async fn groups(
    work: &Arc<Work>,
    candidates: &Candidates,
    outlook: impl Outlook,
) -> Result<Vec<Compared>, Error> {
    let Candidates::These(chosen) = candidates else {
        return every_group(work).await;
    };
    let (inner, chosen) = (Arc::clone(work), chosen.clone());
    work.tenant
        .read::<_, Error, _>(move |reader| {
            let Chosen {
                users,
                groups,
                members,
            } = chosen;
            let is_flat = inner.nested == NestedGroups::Flatten;
            let mut compared: BTreeMap<_, _> = BTreeMap::new();
            if !is_flat {
                compared.extend(members.into_iter().map(|(group, some)| (group, Some(some))));
            }
            let people = users.iter().map(|id| (Kind::User, *id));
            let nested = groups.iter().map(|id| (Kind::Group, *id));
            for (kind, id) in people.chain(nested.filter(|_| !is_flat)) {
                let link = reader.link(inner.application, kind, id)?;
                for group in differing(reader, &inner, &outlook, id, link.as_ref())? {
                    let some = compared
                        .entry(group)
                        .or_insert_with(|| Some(BTreeSet::new()));
                    if let Some(some) = some {
                        some.insert(id);
                    }
                }
            }
            for id in groups {
                let link = reader.link(inner.application, Kind::Group, id)?;
                if link.is_some_and(|link| link.waiting) {
                    compared.insert(id, None);
                }
            }
            Ok(compared.into_iter().collect())
        })
        .await
}

/// Returns the groups that have an object as a member in the target and should not, or should and do not.
fn differing(
    reader: &dyn Reader,
    work: &Work,
    outlook: &dyn Outlook,
    id: ResourceId,
    link: Option<&Link>,
) -> Result<Vec<ResourceId>, rollcall_store::Error> {
    let standing = outlook.standing(id, link);
    let mut exported = BTreeSet::new();
    if outlook.is_on_record(id) {
        exported.extend(reader.exported_groups(work.application, id)?);
    }
    let mut wanted = BTreeSet::new();
    if standing != Standing::Out {
        wanted.extend(groups_around(reader, work, id)?);
    }
    if standing == Standing::LeftAlone {
        wanted.retain(|group| exported.contains(group));
    }
    Ok(wanted.symmetric_difference(&exported).copied().collect())
}

/// Returns the groups of which an object is to be a member.
fn groups_around(
    reader: &dyn Reader,
    work: &Work,
    id: ResourceId,
) -> Result<Vec<ResourceId>, rollcall_store::Error> {
    if work.nested == NestedGroups::Flatten {
        return directory::ancestors(reader, id);
    }
    let groups = reader.groups_of(id)?;
    Ok(groups.into_iter().map(|(group, _)| group).collect())
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

/// Brings the members of one group: those that are chosen, or all.
pub(crate) async fn bring(
    work: &Arc<Work>,
    group: ResourceId,
    chosen: Option<BTreeSet<ResourceId>>,
) -> Result<(), Error> {
    // who was overtaken has left, and his members with him
    if !work.takes_up((Kind::Group, group)) {
        return Ok(());
    }
    let outcome = bring_now(work, group, chosen).await;
    work.lets_go((Kind::Group, group));
    outcome
}

async fn bring_now(
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
    // a plan knows one order only
    let begins_after = link.refused_up_to.filter(|_| work.gate.is_none());
    let mut sending = Sending::new(work, group, target_id, begins_after);
    if link.members_unknown {
        // what is to be sent follows from what is there
        sending.trouble = recount(work, group, &sending.target_id).await?;
    }
    let is_unread = sending.trouble.is_some();
    if !is_unread {
        sending.send_differences(Walk::over(group, chosen)).await?;
    }
    work.count_with(|tally| {
        tally.members_added += sending.added;
        tally.members_removed += sending.removed;
        tally.references_failed += u64::from(sending.trouble.is_some());
    });
    if work.is_over() {
        // the rest is sent by the next cycle
        return Ok(());
    }
    let trouble = sending.trouble.take().map(|trouble| Trouble {
        code: REFERENCES_FAILED.to_owned(),
        message: match sending.refused {
            0 => trouble.message,
            1 => format!("a member is refused: {}", trouble.message),
            refused => format!("{refused} members are refused: {}", trouble.message),
        },
        ..trouble
    });
    let setback = trouble.as_ref().map(|trouble| {
        let now = work.app.now();
        setback(&link, trouble, now, &**work.app.randomness())
    });
    let is_unknown = is_unread || sending.is_unknown;
    let was_waiting = link.waiting;
    let change = move |link: &mut Link| {
        link.members_unknown = is_unknown;
        link.refused_up_to = sending.refused_up_to;
        if sending.is_lost {
            // the next task looks whether the group is still there
            link.digest = None;
        }
        match &setback {
            Some(setback) => {
                link.failure = Some(setback.clone());
                link.waiting = true;
            }
            None if is_whole => {
                link.waiting = false;
                link.failure = without_references(link.failure.take());
            }
            // it was marked before the first request
            None => link.waiting = was_waiting,
        }
    };
    let (added, removed, lost_members) =
        (sending.added, sending.removed, sending.lost_members.clone());
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
    let application = work.application;
    work.write(move |writer| {
        // what others have noted meanwhile stays
        if let Some(stored) = writer.link(application, Kind::Group, group)?
            && stored.is_active()
        {
            let mut changed = stored.clone();
            change(&mut changed);
            if changed != stored {
                writer.save_link(&changed)?;
            }
        }
        for member in lost_members {
            if let Some(mut link) = writer.link(application, Kind::User, member)? {
                // its own task looks whether it is still there
                link.digest = None;
                link.waiting = true;
                writer.save_link(&link)?;
            }
        }
        if let Some(entry) = &entry {
            writer.append_log(entry)?;
        }
        Ok(())
    })
    .await
}

/// Reads which members the target has in a group, and remembers that. Who is there and is not one of ours is left alone. Returns what
/// went wrong when it may go well another time; a target that does not show members has those that are on record.
async fn recount(
    work: &Arc<Work>,
    group: ResourceId,
    target_id: &str,
) -> Result<Option<Trouble>, Error> {
    let there = match work.target.members(target_id).await {
        Ok(there) => there,
        Err(trouble) => {
            work.note(Some(&trouble));
            return Ok(Some(trouble).filter(|trouble| trouble.may_pass));
        }
    };
    let application = work.application;
    work.write(move |writer| {
        let known = known_members(&*writer, application, group, there, |_, _| None)?;
        writer.clear_exported_members(application, group)?;
        writer.add_exported_members(application, group, &known)
    })
    .await?;
    Ok(None)
}

/// Returns who is meant by the members that the target has in a group: the objects that are linked to them, or that `planned` names. Where
/// the target does not say of which kind one is, and both fit, it is the one that is a member at the source, or else the person.
pub(crate) fn known_members<R: Reader + ?Sized>(
    reader: &R,
    application: ApplicationId,
    group: ResourceId,
    there: Vec<TargetMember>,
    planned: impl Fn(Kind, &str) -> Option<ResourceId>,
) -> Result<Vec<ResourceId>, rollcall_store::Error> {
    let mut known = Vec::new();
    for TargetMember { id, kind } in there {
        let mut meant = Vec::new();
        for kind in kind.map_or(vec![Kind::User, Kind::Group], |kind| vec![kind]) {
            let object = match planned(kind, &id) {
                Some(object) => Some(object),
                None => reader.linked_to(application, kind, &id)?,
            };
            meant.extend(object);
        }
        if let [_, second] = meant.as_slice()
            && reader.is_member(group, *second)?
        {
            meant.remove(0);
        }
        known.extend(meant.first());
    }
    Ok(known)
}
