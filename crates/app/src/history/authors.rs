//! By whom objects were changed in a span of the feed.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use rollcall_model::{Kind, ResourceId};
use rollcall_store::{AuditQuery, Touched, actor_key};

use super::PART;
use crate::directory::Context;
use crate::{App, Failure};

/// So many entries of the audit log are read at once: each holds what changed.
const DEEDS: u64 = 100;

/// By whom an object was changed within a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Them,
    Others,
    Both,
}

impl App {
    /// Tells of the objects that entries of the feed after `from`, up to `to`, are about, or of one of them, whether this actor changed
    /// them. For each change the audit log has an entry of the same instant; what else it says of an object is no change.
    pub(super) async fn authors(
        &self,
        context: &Context,
        object: Option<(Kind, ResourceId)>,
        (from, to): (u64, u64),
        by: &str,
    ) -> Result<HashMap<ResourceId, Who>, Failure> {
        let mut told: HashMap<ResourceId, BTreeSet<Timestamp>> = HashMap::new();
        // of one object backwards, of all forwards
        let (mut place, mut before) = (from, to.saturating_add(1));
        loop {
            let read = context
                .tenant()
                .read::<_, Failure, _>(move |reader| match object {
                    Some((kind, id)) => {
                        let end = Some(before);
                        Ok(reader.object_touched(kind, id, end, PART)?)
                    }
                    None => Ok(reader.touched(place, PART.min(to.saturating_sub(place)))?),
                });
            let part: Vec<Touched> = read.await?;
            let Some(last) = part.last() else { break };
            (place, before) = (last.sequence, last.sequence);
            for one in part.iter().filter(|one| one.sequence > from) {
                told.entry(one.id).or_default().insert(one.at);
            }
            if object.is_some() && before <= from {
                break;
            }
        }
        let mut authors = HashMap::new();
        let times = || told.values().flatten();
        let (Some(first), Some(last)) = (times().min(), times().max()) else {
            return Ok(authors);
        };
        let mut query = AuditQuery {
            object: object.map(|(_, id)| id.to_string()),
            from: Some(*first),
            to: last.checked_add(SignedDuration::from_micros(1)).ok(),
            ..AuditQuery::default()
        };
        loop {
            let asked = query.clone();
            let read = context
                .tenant()
                .read::<_, Failure, _>(move |reader| Ok(reader.audit_where(&asked, DEEDS)?));
            let entries = read.await?;
            for entry in &entries {
                let Ok(id) = entry.object.parse::<ResourceId>() else {
                    continue;
                };
                if !told.get(&id).is_some_and(|times| times.contains(&entry.at)) {
                    continue;
                }
                let who = if actor_key(&entry.origin.actor) == by {
                    Who::Them
                } else {
                    Who::Others
                };
                authors
                    .entry(id)
                    .and_modify(|known| {
                        if *known != who {
                            *known = Who::Both;
                        }
                    })
                    .or_insert(who);
            }
            let Some(last) = entries.last() else { break };
            query.before = Some(last.sequence);
        }
        Ok(authors)
    }
}
