//! Listings: an index narrows, the one evaluator decides.
//!
//! [`Filter::conjuncts`] names conditions that every match must fulfil. The best one that an index can answer gives the
//! candidates; each candidate is then put to [`Filter::matches`] as it streams past. A wrong or missing narrowing can
//! therefore make a listing slow, never wrong.

use std::cell::RefCell;

use rollcall_model::{IntegrationId, Kind, ResourceId};
use rollcall_scim::filter::{Filter, NoRelated, Related};
use rollcall_scim::sort::{Sort, SortKey};
use serde_json::{Map, Value, json};

use crate::narrowing::{Narrowing, narrowing, narrowings};
use crate::{Error, Listing, Paging, Raw, Reader, Selection};

/// So many candidates of an index are put into order and looked at; more are walked through as they come.
const FEW: u64 = 2_000;

/// Whose objects are wanted: anybody's, or only those that one integration, or none, manages.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whose {
    Anybodys,
    ManagedBy(Option<IntegrationId>),
}

/// What a database has to offer for listings.
pub(crate) trait Walk: Reader {
    /// Returns `count` objects of a kind in order of id, from behind `after` on and after passing over `skip`.
    fn page(
        &self,
        kind: Kind,
        after: Option<ResourceId>,
        skip: u64,
        count: u64,
    ) -> Result<Vec<Raw>, Error>;

    /// Hands the candidates that a narrowing leaves to `take`, in order of id, from behind `after` on, until it answers `false`.
    ///
    /// # Errors
    /// Those of `take`; [`Error::TooLong`] when the unit has no time left.
    fn walk(
        &self,
        of: (Kind, Whose),
        narrowing: Narrowing,
        after: Option<ResourceId>,
        take: &mut dyn FnMut(Raw) -> Result<bool, Error>,
    ) -> Result<(), Error>;

    /// Counts the candidates that a narrowing leaves, up to a limit; an index answers it.
    fn count_up_to(&self, kind: Kind, narrowing: Narrowing, limit: u64) -> Result<u64, Error>;
}

/// Returns the part of the objects of a kind that `selection` asks for.
pub(crate) fn list(
    tenant: &dyn Walk,
    kind: Kind,
    whose: Whose,
    selection: &Selection,
) -> Result<Listing, Error> {
    let filter = selection.filter.as_ref();
    match (filter, &selection.paging, whose) {
        (
            filter,
            Paging::Index {
                sort: Some(sort),
                skip,
                count,
            },
            whose,
        ) => sorted(tenant, (kind, whose), filter, sort, (*skip, *count)),
        (None, paging, Whose::Anybodys) => everything(tenant, kind, paging),
        (filter, paging, whose) => filtered(tenant, (kind, whose), filter, paging),
    }
}

fn everything(tenant: &dyn Walk, kind: Kind, paging: &Paging) -> Result<Listing, Error> {
    let (skip, count, after) = match *paging {
        Paging::Index { skip, count, .. } => (skip, count, None),
        Paging::After { id, count } | Paging::Look { id, count, .. } => (0, count, id),
    };
    let total = match paging {
        Paging::Index { .. } => {
            let counts = tenant.counts()?;
            Some(match kind {
                Kind::User => counts.users,
                Kind::Group => counts.groups,
            })
        }
        Paging::After { .. } | Paging::Look { .. } => None,
    };
    let mut resources = tenant.page(kind, after, skip, count.saturating_add(1))?;
    let more = cut(&mut resources, count);
    Ok(Listing {
        total,
        resources,
        more,
        looked_until: None,
    })
}

fn filtered(
    tenant: &dyn Walk,
    of: (Kind, Whose),
    filter: Option<&Filter>,
    paging: &Paging,
) -> Result<Listing, Error> {
    let mut resources = Vec::new();
    let mut matching = 0_u64;
    let (skip, count, after, counts_all) = match *paging {
        Paging::Index { skip, count, .. } => (skip, count, None, true),
        Paging::After { id, count } | Paging::Look { id, count, .. } => (0, count, id, false),
    };
    let (narrowing, budget) = match *paging {
        Paging::Look { budget, .. } => (fewest(tenant, of, filter)?, Some(budget)),
        Paging::Index { .. } | Paging::After { .. } => (best(of, filter), None),
    };
    let end = skip.saturating_add(count);
    let looked_until = candidates(
        tenant,
        of,
        (filter, narrowing),
        (after, budget),
        |raw, _| {
            if matching >= skip && matching < end {
                resources.push(raw);
            }
            matching += 1;
            // an index page states the number of all matches; a cursor page only has to know whether one more follows
            counts_all || matching <= end
        },
    )?;
    Ok(Listing {
        total: counts_all.then_some(matching),
        resources,
        more: matching > end,
        looked_until,
    })
}

fn sorted(
    tenant: &dyn Walk,
    of: (Kind, Whose),
    filter: Option<&Filter>,
    sort: &Sort,
    (skip, count): (u64, u64),
) -> Result<Listing, Error> {
    let mut keys: Vec<(SortKey, ResourceId)> = Vec::new();
    let narrowed = (filter, best(of, filter));
    candidates(tenant, of, narrowed, (None, None), |raw, document| {
        keys.push((sort.key(document), raw.id));
        true
    })?;
    keys.sort();
    let total = keys.len() as u64;
    let page = keys
        .into_iter()
        .skip(usize::try_from(skip).unwrap_or(usize::MAX));
    let mut resources = Vec::new();
    for (_, id) in page.take(usize::try_from(count).unwrap_or(usize::MAX)) {
        resources.extend(tenant.raw(of.0, id)?);
    }
    let more = skip.saturating_add(resources.len() as u64) < total;
    Ok(Listing {
        total: Some(total),
        resources,
        more,
        looked_until: None,
    })
}

/// The narrowing with the fewest candidates, as far as the filter tells.
fn best((kind, _): (Kind, Whose), filter: Option<&Filter>) -> Narrowing {
    filter.map_or(Narrowing::None, |filter| narrowing(filter, kind))
}

/// The first narrowing that leaves so few candidates that all of them can be looked at. Without any, matches are so frequent, or so many
/// objects have to be looked at, that walking through all in order finds the first ones sooner than an index, whose findings have to be
/// put into order before.
fn fewest(
    tenant: &dyn Walk,
    (kind, _): (Kind, Whose),
    filter: Option<&Filter>,
) -> Result<Narrowing, Error> {
    let Some(filter) = filter else {
        return Ok(Narrowing::None);
    };
    for narrowing in narrowings(filter, kind) {
        if count_up_to(tenant, kind, &narrowing, FEW)? < FEW {
            return Ok(narrowing);
        }
    }
    Ok(Narrowing::None)
}

fn count_up_to(
    tenant: &dyn Walk,
    kind: Kind,
    narrowing: &Narrowing,
    limit: u64,
) -> Result<u64, Error> {
    match narrowing {
        Narrowing::Nothing => Ok(0),
        Narrowing::None => Ok(limit),
        Narrowing::Any(alternatives) => alternatives.iter().try_fold(0, |count, alternative| {
            let left = limit.saturating_sub(count);
            Ok(count + count_up_to(tenant, kind, alternative, left)?)
        }),
        one => tenant.count_up_to(kind, one.clone(), limit),
    }
}

/// Streams the matches in order of id to `take` until it answers `false`. With a budget it gives up after so many candidates; then it
/// returns the last one.
fn candidates(
    tenant: &dyn Walk,
    (kind, whose): (Kind, Whose),
    (filter, narrowing): (Option<&Filter>, Narrowing),
    (after, budget): (Option<ResourceId>, Option<u64>),
    mut take: impl FnMut(Raw, &Map<String, Value>) -> bool,
) -> Result<Option<ResourceId>, Error> {
    if let Narrowing::Nothing = narrowing {
        return Ok(None);
    }
    let mut left = budget.unwrap_or(u64::MAX);
    let mut looked_until = None;
    tenant.walk((kind, whose), narrowing, after, &mut |raw| {
        left = left.saturating_sub(1);
        let id = raw.id;
        let document: Map<String, Value> =
            serde_json::from_slice(&raw.document).map_err(Error::backend)?;
        let matches = match filter {
            None => true,
            Some(filter) if filter.uses_related() => {
                let related = Rows {
                    tenant,
                    kind,
                    id: raw.id,
                    failure: RefCell::default(),
                };
                let matches = filter.matches(&document, &related);
                if let Some(failure) = related.failure.into_inner() {
                    return Err(failure);
                }
                matches
            }
            Some(filter) => filter.matches(&document, &NoRelated),
        };
        if matches && !take(raw, &document) {
            return Ok(false);
        }
        looked_until = Some(id).filter(|_| left == 0);
        Ok(left > 0)
    })?;
    Ok(looked_until)
}

/// Answers the evaluator's questions about attributes that are rows: a group's members, a person's groups.
struct Rows<'a> {
    tenant: &'a dyn Walk,
    kind: Kind,
    id: ResourceId,
    /// What went wrong while answering; the evaluator itself knows no failures.
    failure: RefCell<Option<Error>>,
}

impl Rows<'_> {
    fn answer<T: Default>(&self, answer: Result<T, Error>) -> T {
        answer.unwrap_or_else(|failure| {
            *self.failure.borrow_mut() = Some(failure);
            T::default()
        })
    }
}

impl Related for Rows<'_> {
    fn contains(&self, attribute: &str, value: &str) -> bool {
        let Ok(other) = value.parse::<ResourceId>() else {
            return false;
        };
        let (group, member) = match (self.kind, attribute) {
            (Kind::Group, "members") => (self.id, other),
            (Kind::User, "groups") => (other, self.id),
            _ => return false,
        };
        self.answer(self.tenant.is_member(group, member))
    }

    fn values(&self, attribute: &str) -> Vec<Value> {
        match (self.kind, attribute) {
            (Kind::Group, "members") => self
                .answer(self.tenant.members(self.id, None, u64::MAX))
                .into_iter()
                .map(|member| json!({"value": member.id.to_string(), "type": member.kind.resource_type()}))
                .collect(),
            (Kind::User, "groups") => self
                .answer(self.tenant.groups_of(self.id))
                .into_iter()
                .map(|(group, display)| json!({"value": group.to_string(), "display": display, "type": "direct"}))
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// Takes the one object too many off the end and tells whether there was one.
fn cut(resources: &mut Vec<Raw>, count: u64) -> bool {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let more = resources.len() > count;
    resources.truncate(count);
    more
}
