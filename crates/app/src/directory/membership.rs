//! Members of groups, changed as sets: what is not touched is not loaded.

use rollcall_model::{Kind, Membership, ResourceId};
use rollcall_scim::error::{Error, ErrorKind};
use rollcall_scim::member::Member as Named;
use rollcall_scim::patch::MemberChange;
use rollcall_store::{Entry, Member, Writer};
use serde_json::{Map, Value};

use crate::Failure;

/// So many members are looked at together when a condition has to be put to each of them.
const PAGE: u64 = 1_000;
/// What a refusal of members begins with.
const ABOUT: &str = "`members`";

/// Tells whether a refusal is about who is to be a member.
pub(crate) fn is_about_members(refusal: &Error) -> bool {
    refusal.detail.starts_with(ABOUT)
}

/// Makes the named objects members of a group.
///
/// # Errors
/// [`Failure::Malformed`] when a member is unknown, or is the group itself.
pub(super) fn add(
    writer: &mut dyn Writer,
    group: &Entry,
    named: &[Named],
) -> Result<Membership, Failure> {
    if named.is_empty() {
        return Ok(Membership::default());
    }
    let members = known(writer, group.id, named)?;
    Ok(Membership {
        added: writer.add_members(group.id, &members)?,
        removed: Vec::new(),
    })
}

/// Makes the named objects the only members of a group.
pub(super) fn replace(
    writer: &mut dyn Writer,
    group: &Entry,
    named: &[Named],
) -> Result<Membership, Failure> {
    let mut wanted = known(writer, group.id, named)?;
    wanted.sort_unstable();
    let mut surplus = Vec::new();
    let mut after = None;
    loop {
        let page = writer.members(group.id, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        surplus.extend(
            page.iter()
                .filter(|member| wanted.binary_search(member).is_err())
                .map(|member| member.id),
        );
    }
    let removed = writer.remove_members(group.id, &surplus)?;
    let added = writer.add_members(group.id, &wanted)?;
    Ok(Membership { added, removed })
}

/// Applies the membership operations of a PATCH, in order.
pub(super) fn apply(
    writer: &mut dyn Writer,
    group: &Entry,
    changes: &[MemberChange],
) -> Result<Membership, Failure> {
    let mut net = Net::default();
    for change in changes {
        let membership = match change {
            MemberChange::Add(named) => add(writer, group, named)?,
            MemberChange::Replace(named) => replace(writer, group, named)?,
            MemberChange::Remove(values) => {
                // a value that is no id of ours names nobody here
                let ids: Vec<ResourceId> = values
                    .iter()
                    .filter_map(|value| value.parse().ok())
                    .collect();
                Membership {
                    added: Vec::new(),
                    removed: writer.remove_members(group.id, &ids)?,
                }
            }
            MemberChange::RemoveAll => Membership {
                added: Vec::new(),
                removed: writer.clear_members(group.id)?,
            },
            MemberChange::RemoveWhere(filter) => {
                let ids = matching(writer, group.id, filter)?;
                Membership {
                    added: Vec::new(),
                    removed: writer.remove_members(group.id, &ids)?,
                }
            }
        };
        net.absorb(membership);
    }
    Ok(net.into_membership())
}

/// Finds the members that a condition on the member itself picks out. It asks about `value` and `type` only: a [`Patch`] with
/// a condition on other parts does not come into being.
///
/// [`Patch`]: rollcall_scim::patch::Patch
fn matching(
    writer: &dyn Writer,
    group: ResourceId,
    filter: &rollcall_scim::filter::Filter,
) -> Result<Vec<ResourceId>, Failure> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = writer.members(group, after, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after = Some(last.id);
        for member in &page {
            let mut element = Map::new();
            element.insert("value".into(), Value::String(member.id.to_string()));
            element.insert(
                "type".into(),
                Value::String(member.kind.resource_type().into()),
            );
            if filter.matches(&element, &rollcall_scim::filter::NoRelated) {
                found.push(member.id);
            }
        }
    }
}

/// Finds out what the named objects are.
fn known(writer: &dyn Writer, group: ResourceId, named: &[Named]) -> Result<Vec<Member>, Failure> {
    let mut members = Vec::with_capacity(named.len());
    for name in named {
        let refused = |why: &str| {
            let detail = format!(
                "{ABOUT}: `{}` {why}",
                name.value.chars().take(64).collect::<String>()
            );
            Failure::Malformed(Error::new(ErrorKind::InvalidValue, detail))
        };
        let unknown = || refused("is not a user or group of this organisation");
        let id: ResourceId = name.value.parse().map_err(|_| unknown())?;
        if id == group {
            return Err(refused(
                "is the group itself; a group cannot be its own member",
            ));
        }
        let kind: Kind = writer.kind_of(id)?.ok_or_else(unknown)?;
        members.push(Member { id, kind });
    }
    Ok(members)
}

/// What several membership changes come to together.
#[derive(Default)]
struct Net {
    added: std::collections::BTreeSet<ResourceId>,
    removed: std::collections::BTreeSet<ResourceId>,
}

impl Net {
    fn absorb(&mut self, membership: Membership) {
        for id in membership.added {
            if !self.removed.remove(&id) {
                self.added.insert(id);
            }
        }
        for id in membership.removed {
            if !self.added.remove(&id) {
                self.removed.insert(id);
            }
        }
    }

    fn into_membership(self) -> Membership {
        Membership {
            added: self.added.into_iter().collect(),
            removed: self.removed.into_iter().collect(),
        }
    }
}
