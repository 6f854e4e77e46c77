//! Lists and their pages, right and wrong.
//!
//! **Start at** [`World::list`].

use rollcall_model::Kind;
use rollcall_scim::error::{Error, ErrorKind};
use rollcall_scim::limits::{Limits, STANDARD};
use rollcall_scim::list::ListResponse;
use rollcall_scim::query::{Page, Query};
use serde_json::Value;

use crate::behaviour::Fault;
use crate::directory::absent;
use crate::protocol::World;
use crate::request::{Answer, Request};

/// Resources on a page when the client does not say.
pub(crate) const DEFAULT_PAGE: u64 = 100;

impl World {
    /// Answers a list: all, or what a filter finds, a page at a time.
    pub(crate) fn list(
        &self,
        kind: Kind,
        request: &Request,
        fault: Option<&Fault>,
    ) -> Result<Answer, Error> {
        let dialect = &self.behaviour.dialect;
        let limits = Limits {
            default_count: DEFAULT_PAGE.min(dialect.page_size),
            max_count: dialect.page_size,
            ..STANDARD
        };
        let parameters = request.parameters();
        // a server without cursors does not know the parameter
        let parameters = parameters
            .iter()
            .filter(|(name, _)| {
                let is_ignored = (name.eq_ignore_ascii_case("cursor") && !dialect.cursors)
                    || (name.eq_ignore_ascii_case("excludedAttributes")
                        && dialect.ignores_excluded_attributes);
                !is_ignored
            })
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let query =
            Query::from_parameters(parameters, self.directory.resource_type(kind), &limits)?;
        let mut places = match (&query.filter, fault) {
            (None, _) | (Some(_), Some(Fault::FilterIgnored)) => self.directory.places(kind),
            (Some(filter), Some(Fault::FilterWrong)) => {
                let right = self.directory.matching(kind, filter);
                let mut wrong = self.directory.places(kind);
                wrong.retain(|place| !right.contains(place));
                wrong.truncate(1);
                wrong
            }
            (Some(filter), _) => self.directory.matching(kind, filter),
        };
        if places.is_empty() && query.filter.is_some() && dialect.empty_search_is_404 {
            return Err(absent());
        }
        let mut total = places.len() as u64;
        match fault {
            Some(Fault::PageReordered) => places.reverse(),
            Some(Fault::TotalTooHigh { by }) => total += by,
            Some(Fault::TotalTooLow { by }) => total = total.saturating_sub(*by),
            Some(Fault::CursorExpired) => {
                return Err(Error::new(
                    ErrorKind::ExpiredCursor,
                    "the cursor is too old",
                ));
            }
            _ => {}
        }
        let page = Cut::of(&places, &query.page, fault == Some(&Fault::PageShifted))?;
        let entries = page
            .places
            .iter()
            .filter_map(|place| self.directory.at(kind, *place));
        let projection = &query.projection;
        let resources: Vec<Value> = entries
            .map(|entry| {
                let mut shown = self
                    .directory
                    .shown(kind, entry, &self.url, Some(projection));
                if dialect.lists_without_members
                    && let Some(shown) = shown.as_object_mut()
                {
                    shown.shift_remove("members");
                }
                shown
            })
            .collect();
        let list = ListResponse {
            total: Some(total),
            start_index: page.start,
            items_per_page: resources.len() as u64,
            next_cursor: page.next,
            previous_cursor: None,
            resources,
        };
        Ok(Answer::json(200, &list.to_json()))
    }
}

/// A page, cut from a list.
struct Cut {
    places: Vec<u64>,
    start: Option<u64>,
    next: Option<String>,
}

impl Cut {
    fn of(all: &[u64], page: &Page, is_shifted: bool) -> Result<Self, Error> {
        let (begin, count) = match page {
            Page::Index { start, count } => {
                (usize::try_from(start - 1).unwrap_or(usize::MAX), *count)
            }
            Page::Cursor {
                cursor: None,
                count,
            } => (0, *count),
            Page::Cursor {
                cursor: Some(cursor),
                count,
            } => {
                let last: u64 = cursor.parse().map_err(|_| {
                    Error::new(ErrorKind::InvalidCursor, "this is no cursor of ours")
                })?;
                let begin = all.iter().position(|place| *place > last);
                (begin.unwrap_or(all.len()), *count)
            }
        };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let from_start = |begin: usize| {
            let rest = all.get(begin.min(all.len())..).unwrap_or_default();
            rest.get(..count.min(rest.len())).unwrap_or_default()
        };
        let straight = from_start(begin);
        let is_last = begin.saturating_add(straight.len()) >= all.len();
        let is_cursor = matches!(page, Page::Cursor { .. });
        let next = straight.last().filter(|_| is_cursor && !is_last);
        let shown = if is_shifted {
            from_start(begin.saturating_sub(1))
        } else {
            straight
        };
        Ok(Self {
            places: shown.to_vec(),
            start: match page {
                Page::Index { start, .. } => Some(*start),
                Page::Cursor { .. } => None,
            },
            next: next.map(ToString::to_string),
        })
    }
}
