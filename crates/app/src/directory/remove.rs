//! Deleting a person or a group.

use rollcall_model::{Action, Kind, Membership, ResourceId};
use serde_json::Value;

use super::adoption::charge;
use super::rules::{self, Event};
use super::{Context, Expected};
use crate::{App, Failure};

impl App {
    /// Deletes a person or a group. What remains is a tombstone, so that who comes back gets the same id; and an entry in the
    /// feed for each group that loses a member.
    ///
    /// # Errors
    /// [`Failure::Missing`], [`Failure::Precondition`], [`Failure::Forbidden`].
    pub async fn delete(
        &self,
        context: &Context,
        kind: Kind,
        id: ResourceId,
        expected: Expected,
    ) -> Result<(), Failure> {
        let now = self.now();
        let inner = context.clone();
        context
            .tenant
            .write(move |writer| {
                let before = writer
                    .entry(kind, id)?
                    .ok_or_else(|| super::missing(kind, id))?;
                if !expected.allows(before.version) {
                    return Err(Failure::Precondition);
                }
                charge(writer, &inner, &before)?;
                for (group, _) in writer.groups_of(id)? {
                    let Some(entry) = writer.entry(Kind::Group, group)? else {
                        continue;
                    };
                    let removed = writer.remove_members(group, &[id])?;
                    let after = rollcall_store::Entry {
                        version: entry.version + 1,
                        modified: now,
                        ..entry
                    }
                    .stamped();
                    writer.update(&after)?;
                    let event = Event {
                        kind: Kind::Group,
                        id: group,
                        action: Action::Members,
                        entry: None,
                        membership: Membership {
                            added: Vec::new(),
                            removed,
                        },
                        changes: Value::Null,
                    };
                    rules::record(writer, &inner, now, event)?;
                }
                writer.remove(kind, id, now)?;
                let event = Event {
                    kind,
                    id,
                    action: Action::Deleted,
                    entry: None,
                    membership: Membership::default(),
                    changes: Value::Null,
                };
                rules::record(writer, &inner, now, event)
            })
            .await
    }
}
