//! What people and groups were, and how to get back there.
//!
//! **Is:** reading the change feed backwards: an object as it was, what differs between two places of the feed, and the way back (see
//! [`revert`]). **Is not:** a log of who did what; that is the activity log's.
//! **Start at** [`App::past`].

mod authors;
mod back;
mod revert;
mod steps;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use rollcall_model::history::{Backwards, Past};
use rollcall_model::{Change, IntegrationId, Kind, Principal, ResourceId};
use rollcall_scim::patch::{Change as Difference, differences};
use rollcall_scim::resource::Resource;
use rollcall_store::{Error as StoreError, Reader};
use serde_json::Value;

use crate::directory::{Context, Named, title};
use crate::{App, Failure};
use authors::Who;
pub use back::{Outcome, Part, Refusal};
pub use revert::{Deed, Reason, Revert, Span, Step};

/// So many entries of the feed are read at once.
const PART: u64 = 500;
/// So many people are compared in one unit of reading, which has a bounded time.
const AT_ONCE: usize = 10;
/// So many changes of an object are looked through for its last name.
const LOOKED_BACK: u64 = 10;

/// A moment of an organisation: an instant, or a place in its change feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// What was committed at this instant or before it.
    At(Timestamp),
    /// What the feed had told with this entry.
    Place(u64),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(place) = text.parse() {
            return Ok(Self::Place(place));
        }
        text.parse().map(Self::At).map_err(|_| {
            format!("`{text}` is no moment: write an instant, such as 2026-01-31T09:00:00Z, or a place in the change feed, such as 1207")
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => at.fmt(f),
            Self::Place(place) => place.fmt(f),
        }
    }
}

/// What differs between two places of the feed, as a list: details of one object are what [`App::compared`] tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// From this place of the feed.
    pub from: u64,
    /// To this one.
    pub to: u64,
    /// Those that are not what they were, in the order in which they changed first.
    pub objects: Vec<Differing>,
}

/// An object that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    /// Which kind of object.
    pub kind: Kind,
    /// Which object.
    pub id: ResourceId,
    /// What it is called: as it became, or else as it was.
    pub name: String,
    /// What became of it.
    pub became: Became,
}

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It was not there, and came.
    New,
    /// It is not there any more.
    Gone,
    /// It is another than it was.
    Different,
}

/// An object at two moments.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// Which kind of object.
    pub kind: Kind,
    /// Which object.
    pub id: ResourceId,
    /// What it was; absent: it was not there.
    pub before: Option<Past>,
    /// What it became; absent: it was not there any more.
    pub after: Option<Past>,
}

impl Changed {
    /// Returns the attributes that differ.
    pub fn attributes(&self) -> Vec<Difference> {
        let resource = |past: &Option<Past>| {
            let document = past.as_ref().and_then(|past| past.document.clone());
            Resource::from_stored(document.unwrap_or_default())
        };
        differences(&resource(&self.before), &resource(&self.after))
    }

    /// Returns who came into the group and who went.
    pub fn members(&self) -> (Vec<ResourceId>, Vec<ResourceId>) {
        let none = BTreeSet::new();
        let members = |past: &Option<Past>| past.as_ref().map(|past| past.members.clone());
        let (before, after) = (members(&self.before), members(&self.after));
        let (before, after) = (before.unwrap_or(none.clone()), after.unwrap_or(none));
        let apart =
            |one: &BTreeSet<_>, other: &BTreeSet<_>| one.difference(other).copied().collect();
        (apart(&after, &before), apart(&before, &after))
    }

    /// Tells whether it is not what it was.
    pub fn is_another(&self) -> bool {
        self.before.is_some() != self.after.is_some()
            || !self.attributes().is_empty()
            || self.members() != (Vec::new(), Vec::new())
    }

    /// Tells what became of it.
    pub fn became(&self) -> Became {
        match (&self.before, &self.after) {
            (None, _) => Became::New,
            (_, None) => Became::Gone,
            _ => Became::Different,
        }
    }

    /// Returns what it is called: as it became, or else as it was.
    pub fn name(&self) -> String {
        let of = |past: &Option<Past>| name(self.kind, past.as_ref()?.document.as_ref()?);
        of(&self.after)
            .or_else(|| of(&self.before))
            .unwrap_or_else(|| self.id.to_string())
    }
}

/// Returns the userName of a person, or the displayName of a group.
fn name(kind: Kind, document: &Value) -> Option<String> {
    let attribute = match kind {
        Kind::User => "userName",
        Kind::Group => "displayName",
    };
    Some(document.get(attribute)?.as_str()?.to_owned())
}

impl App {
    /// Finds a person or a group that is there, or was.
    ///
    /// # Errors
    /// [`Failure::Missing`].
    pub async fn anybody(
        &self,
        context: &Context,
        principal: &Principal,
    ) -> Result<ResourceId, Failure> {
        let principal = principal.clone();
        context
            .tenant()
            .read(move |reader| {
                let Principal { kind, name } = &principal;
                if let Some(id) = crate::principals::here(reader, &principal)? {
                    return Ok(id);
                }
                let buried = reader.tombstones(*kind, None, name)?;
                if let Some(tombstone) = buried.first() {
                    return Ok(tombstone.id);
                }
                let missing = || crate::directory::missing(*kind, name);
                let id = name.parse().map_err(|_| missing())?;
                let told = reader.object_touched(*kind, id, None, 1)?;
                told.first().map(|_| id).ok_or_else(missing)
            })
            .await
    }

    /// Returns what a person or a group was; absent: it was not there.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub async fn past(
        &self,
        context: &Context,
        (kind, id): (Kind, ResourceId),
        moment: Moment,
    ) -> Result<Option<Past>, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let place = place_for(reader, (kind, id), moment)?;
                past(reader, (kind, id), place)
            })
            .await
    }

    /// Returns the latest `count` changes of an object up to a moment, the latest first.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub async fn life(
        &self,
        context: &Context,
        (kind, id): (Kind, ResourceId),
        count: u64,
    ) -> Result<Vec<Change>, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let mut life: Vec<Change> = Vec::new();
                loop {
                    let before = life.last().map(|change| change.sequence);
                    let left = count.saturating_sub(life.len() as u64);
                    let part = reader.object_changes(kind, id, before, left)?;
                    if part.is_empty() {
                        return Ok(life);
                    }
                    life.extend(part);
                }
            })
            .await
    }

    /// Returns the objects that are not what they were; with `by`, only those that this actor changed, alone or among others. What changed
    /// and changed back is not among them. Of each object only its name is kept: there may be many, and each may hold much.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] when more than `most` objects were touched; when the store is out of reach.
    pub async fn changed(
        &self,
        context: &Context,
        (from, to): (Moment, Moment),
        by: Option<&str>,
        most: Option<usize>,
    ) -> Result<Differences, Failure> {
        let between = context.tenant().read::<_, Failure, _>(move |reader| {
            Ok((place_of(reader, from)?, place_of(reader, to)?))
        });
        let (from, to) = between.await?;
        let mut touched = self.touched(context, from, to, most).await?;
        if let Some(by) = by {
            let authors = self.authors(context, None, (from, to), by).await?;
            touched.retain(|(_, id)| matches!(authors.get(id), Some(Who::Them | Who::Both)));
        }
        let mut objects = Vec::new();
        for part in parts(&touched) {
            let part = part.to_vec();
            let differing = context.tenant().read::<_, Failure, _>(move |reader| {
                let mut differing = Vec::new();
                for (kind, id) in part {
                    let compared = compared(reader, (kind, id), from, to)?;
                    if compared.is_another() {
                        differing.push(Differing {
                            kind,
                            id,
                            name: compared.name(),
                            became: compared.became(),
                        });
                    }
                }
                Ok(differing)
            });
            objects.extend(differing.await?);
        }
        Ok(Differences { from, to, objects })
    }

    /// Returns what one object was at two moments.
    ///
    /// # Errors
    /// [`Failure::Missing`] when nothing was ever told of it; when the store is out of reach.
    pub async fn compared(
        &self,
        context: &Context,
        (kind, id): (Kind, ResourceId),
        (from, to): (Moment, Moment),
    ) -> Result<Changed, Failure> {
        context
            .tenant()
            .read(move |reader| {
                if reader.object_touched(kind, id, None, 1)?.is_empty() {
                    return Err(crate::directory::missing(kind, id));
                }
                let place = |moment| place_for(reader, (kind, id), moment);
                compared(reader, (kind, id), place(from)?, place(to)?)
            })
            .await
    }

    /// Returns the place of the feed that a moment means.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub async fn place(&self, context: &Context, moment: Moment) -> Result<u64, Failure> {
        context
            .tenant()
            .read(move |reader| place_of(reader, moment))
            .await
    }

    /// Returns the integration that manages an object, or managed it when it was deleted.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub async fn manager(
        &self,
        context: &Context,
        (kind, id): (Kind, ResourceId),
    ) -> Result<Option<IntegrationId>, Failure> {
        context
            .tenant()
            .read(move |reader| {
                if let Some(entry) = reader.entry(kind, id)? {
                    return Ok(entry.managed_by);
                }
                let tombstone = reader.tombstone(kind, id)?;
                Ok(tombstone.and_then(|tombstone| tombstone.managed_by))
            })
            .await
    }

    /// Names people and groups; who is gone, as they were called last, or by their ids.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub async fn names(
        &self,
        context: &Context,
        ids: Vec<ResourceId>,
    ) -> Result<Vec<Named>, Failure> {
        context
            .tenant()
            .read(move |reader| {
                let named = ids.into_iter().map(|id| {
                    let name = known_as(reader, id)?.unwrap_or_else(|| id.to_string());
                    Ok(Named { id, name })
                });
                named.collect()
            })
            .await
    }

    /// Returns everybody, or all groups, who were there at some time up to a moment, in the order in which they came.
    ///
    /// # Errors
    /// When the store is out of reach.
    pub async fn ever(
        &self,
        context: &Context,
        kind: Kind,
        until: Moment,
    ) -> Result<Vec<ResourceId>, Failure> {
        let place = context
            .tenant()
            .read(move |reader| place_of(reader, until))
            .await?;
        let touched = self.touched(context, 0, place, None).await?.into_iter();
        let of_kind = touched.filter(|(of, _)| *of == kind);
        Ok(of_kind.map(|(_, id)| id).collect())
    }

    /// Returns the objects that entries of the feed after `from`, up to `to`, are about, in order.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] when there are more than `most`.
    pub(crate) async fn touched(
        &self,
        context: &Context,
        from: u64,
        to: u64,
        most: Option<usize>,
    ) -> Result<Vec<(Kind, ResourceId)>, Failure> {
        let (mut touched, mut known) = (Vec::new(), BTreeSet::new());
        let mut place = from;
        while place < to {
            let part = PART.min(to - place);
            let read = context
                .tenant()
                .read::<_, Failure, _>(move |reader| Ok(reader.touched(place, part)?));
            let changes = read.await?;
            let Some(last) = changes.last() else { break };
            place = last.sequence;
            let objects = changes.iter().map(|change| (change.kind, change.id));
            touched.extend(objects.filter(|object| known.insert(*object)));
            if let Some(most) = most.filter(|most| touched.len() > *most) {
                let reason = format!(
                    "more than {most} people and groups changed in that time: choose a shorter one, or use the command `rollcall history`"
                );
                return Err(Failure::Forbidden { reason });
            }
        }
        Ok(touched)
    }
}

/// Splits objects into parts that are read in one unit each: a group may have a history that needs all the time of one.
fn parts(objects: &[(Kind, ResourceId)]) -> impl Iterator<Item = &[(Kind, ResourceId)]> {
    let both_people =
        |one: &(Kind, _), other: &(Kind, _)| (one.0, other.0) == (Kind::User, Kind::User);
    let runs = objects.chunk_by(both_people);
    runs.flat_map(|run| run.chunks(AT_ONCE))
}

/// Says what it means here that a unit of reading had no time left.
fn in_time<T>(read: Result<T, StoreError>) -> Result<T, Failure> {
    read.map_err(|error| match error {
        StoreError::TooLong => Failure::Forbidden {
            reason: "too much was changed to be read in the time that one request has".to_owned(),
        },
        other => other.into(),
    })
}

/// Returns the place of the feed that a moment means: the last entry at that instant or before it. Entries are in the order of their
/// commits. They say when their unit was asked for, which may have waited for others: where they are not in order of time, the last one
/// nearby counts. Where a clock was set back, the place is one of those that the instant may mean.
fn place_of(reader: &dyn Reader, moment: Moment) -> Result<u64, Failure> {
    let last = reader.last_change()?;
    let at = match moment {
        Moment::Place(place) => return Ok(place.min(last)),
        Moment::At(at) => at,
    };
    let (mut before, mut after) = (0, last + 1);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        let entry = reader.touched(middle - 1, 1)?;
        match entry.first() {
            Some(entry) if entry.at <= at => before = middle,
            _ => after = middle,
        }
    }
    let nearby = reader.touched(before, PART)?;
    let last = nearby.iter().rfind(|entry| entry.at <= at);
    Ok(last.map_or(before, |entry| entry.sequence))
}

/// Returns the place of the feed that a moment means for one object: its own last change at that instant or before it, which is exact
/// whatever else was committed meanwhile, and by whichever node.
fn place_for(
    reader: &dyn Reader,
    (kind, id): (Kind, ResourceId),
    moment: Moment,
) -> Result<u64, Failure> {
    let Moment::At(at) = moment else {
        return place_of(reader, moment);
    };
    let mut before = None;
    loop {
        let part = in_time(reader.object_touched(kind, id, before, PART))?;
        let Some(earliest) = part.last() else {
            return Ok(0);
        };
        before = Some(earliest.sequence);
        if let Some(found) = part.iter().find(|change| change.at <= at) {
            return Ok(found.sequence);
        }
    }
}

/// Reads what an object was at two places of the feed.
fn compared(
    reader: &dyn Reader,
    (kind, id): (Kind, ResourceId),
    from: u64,
    to: u64,
) -> Result<Changed, Failure> {
    Ok(Changed {
        kind,
        id,
        before: past(reader, (kind, id), from)?,
        after: past(reader, (kind, id), to)?,
    })
}

/// Returns what somebody or a group is called for people, or was called last.
fn known_as(reader: &dyn Reader, id: ResourceId) -> Result<Option<String>, Failure> {
    for kind in [Kind::User, Kind::Group] {
        if let Some(entry) = reader.entry(kind, id)? {
            return Ok(Some(title(&entry)));
        }
        let told = reader.object_changes(kind, id, None, LOOKED_BACK)?;
        let last = told.iter().find_map(|change| change.document.as_ref());
        if let Some(name) = last.and_then(|document| name(kind, document)) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Reads what an object was at a place of the feed.
pub(crate) fn past(
    reader: &dyn Reader,
    (kind, id): (Kind, ResourceId),
    place: u64,
) -> Result<Option<Past>, Failure> {
    let mut backwards = Backwards::default();
    let mut before = place.saturating_add(1);
    // the latest document is mostly all that is needed
    let mut count = 1;
    while !backwards.is_complete() {
        let part = in_time(reader.object_changes(kind, id, Some(before), count))?;
        count = PART;
        let Some(earliest) = part.last() else { break };
        before = earliest.sequence;
        for change in &part {
            backwards.follow(change);
        }
    }
    Ok(backwards.past())
}

#[cfg(test)]
mod tests;
