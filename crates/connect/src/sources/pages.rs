//! Reads the pages of a SCIM endpoint, patiently, and says what a list of them is worth.
//!
//! **Is:** pages by place (RFC 7644 §3.4.2.4) or by cursor (RFC 9865), and the check that they fit together.
//! **Is not:** the meaning of what is on them; that is [`super::scim`].
//! **Start at** [`Endpoint::all`].

use std::collections::HashSet;

use reqwest::Method;
use rollcall_model::{Kind, Secret};
use rollcall_sync::target_path::member;
use serde_json::{Map, Value};
use url::Url;

use super::Unread;
use super::asking::{Asking, passes, shown, words};
use crate::reply::Reply;

/// So many resources are asked for at a time; the endpoint may give fewer.
const COUNT: usize = 200;
/// More resources of a kind than this are not read: a list without an end is no list.
const MOST: usize = 1_000_000;

const NOT_SCIM: &str = "enter the base URL of a SCIM 2.0 endpoint, which ends before `/Users`";

/// A SCIM endpoint that is read.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) asking: Asking,
    pub(super) base: Url,
    pub(super) token: Secret,
}

/// All that the pages of a list showed.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// The resources, each id once.
    pub(super) resources: Vec<Map<String, Value>>,
    /// Why they may not be all.
    pub(super) flaw: Option<String>,
}

/// A page of a list.
struct Page {
    resources: Vec<Map<String, Value>>,
    total: Option<u64>,
    next: Option<String>,
}

/// How to go on behind a page.
enum Position {
    Place(usize),
    Cursor(String),
}

impl Endpoint {
    /// Tells whether the endpoint offers cursors. One that says nothing of itself does not.
    pub(super) async fn offers_cursors(&self) -> Result<bool, Unread> {
        let url = self.url(&["ServiceProviderConfig"]);
        let reply = self.get(&url).await?;
        if reply.status == 401 {
            return Err(refusal(&url, &reply));
        }
        let config = reply.object().filter(|_| reply.status == 200);
        let cursor = config
            .as_ref()
            .and_then(|config| member(member(config, "pagination")?.as_object()?, "cursor"));
        Ok(cursor == Some(&Value::Bool(true)))
    }

    /// Reads all resources of a kind; what does not fit together is read once more from the start.
    pub(super) async fn all(&self, kind: Kind, by_cursor: bool) -> Result<Listed, Unread> {
        let first = self.once(kind, by_cursor).await?;
        match first.flaw {
            None => Ok(first),
            Some(flaw) => {
                tracing::debug!(%flaw, "the list is read once more");
                self.once(kind, by_cursor).await
            }
        }
    }

    async fn once(&self, kind: Kind, by_cursor: bool) -> Result<Listed, Unread> {
        let mut list = List::of(kind);
        let mut position = if by_cursor {
            Position::Cursor(String::new())
        } else {
            Position::Place(1)
        };
        loop {
            let mut url = self.url(&[endpoint(kind)]);
            let (name, value) = match &position {
                Position::Place(place) => ("startIndex", place.to_string()),
                Position::Cursor(cursor) => ("cursor", cursor.clone()),
            };
            url.query_pairs_mut()
                .append_pair(name, &value)
                .append_pair("count", &COUNT.to_string());
            let reply = self.get(&url).await?;
            if reply.status == 400 && is_expired(&reply) {
                return Ok(list.flawed("the cursor expired while the list was read".to_owned()));
            }
            if list.is_behind(&position) && reply.status != 200 {
                break;
            }
            let page = page(&url, &reply)?;
            let count = page.resources.len();
            // behind the end a list is empty; some endpoints show its last page there instead
            if list.is_behind(&position) && !list.has_news(&page.resources) {
                break;
            }
            let has_news = list.take(page.resources, page.total);
            if list.resources.len() > MOST {
                let message = format!(
                    "the endpoint shows more than {MOST} {}s",
                    kind.resource_type()
                );
                return Err(Unread::wrong(
                    message,
                    "a source of this size is not supported",
                ));
            }
            position = match (position, page.next) {
                (Position::Cursor(_), None) => break,
                (Position::Place(_), _) if count == 0 => break,
                _ if !has_news => {
                    list.flaw
                        .get_or_insert_with(|| "a page of the list shows nothing new".to_owned());
                    break;
                }
                (Position::Cursor(_), Some(next)) => Position::Cursor(next),
                (Position::Place(place), _) => Position::Place(place + count),
            };
        }
        if list.total.is_none() && !by_cursor {
            return Err(not_scim(
                &self.url(&[endpoint(kind)]),
                "a list without `totalResults`",
            ));
        }
        Ok(list.finished())
    }

    /// Reads one resource; absent when it is not there.
    pub(super) async fn one(
        &self,
        kind: Kind,
        id: &str,
    ) -> Result<Option<Map<String, Value>>, Unread> {
        let url = self.url(&[endpoint(kind), id]);
        let reply = self.get(&url).await?;
        match reply.status {
            404 => Ok(None),
            200 => match reply.object() {
                Some(resource) if member(&resource, "id").and_then(Value::as_str) == Some(id) => {
                    Ok(Some(resource))
                }
                Some(_) => Err(not_scim(&url, "another resource than the one asked for")),
                None => Err(not_scim(&url, "something that is not a JSON object")),
            },
            _ => Err(refusal(&url, &reply)),
        }
    }

    fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }

    async fn get(&self, url: &Url) -> Result<Reply, Unread> {
        let reply = self.asking.ask(Method::GET, url, |request| {
            request
                .bearer_auth(self.token.expose())
                .header("accept", "application/scim+json, application/json")
        });
        match reply.await? {
            reply if passes(reply.status) => Err(refusal(url, &reply)),
            reply => Ok(reply),
        }
    }
}

/// A list while it is read.
struct List {
    kind: Kind,
    resources: Vec<Map<String, Value>>,
    seen: HashSet<String>,
    nameless: u64,
    total: Option<u64>,
    flaw: Option<String>,
}

impl List {
    fn of(kind: Kind) -> Self {
        Self {
            kind,
            resources: Vec::new(),
            seen: HashSet::new(),
            nameless: 0,
            total: None,
            flaw: None,
        }
    }

    /// Tells whether a place lies behind the end that the endpoint gives the list. It is looked at all the same: an endpoint that
    /// counts too few would otherwise hide the rest.
    fn is_behind(&self, position: &Position) -> bool {
        match (position, self.total) {
            (Position::Place(place), Some(total)) => *place as u64 > total,
            _ => false,
        }
    }

    fn has_news(&self, resources: &[Map<String, Value>]) -> bool {
        let id = |resource| member(resource, "id").and_then(Value::as_str);
        resources
            .iter()
            .any(|resource| id(resource).is_none_or(|id| !self.seen.contains(id)))
    }

    /// Takes a page; tells whether it showed anything that was not there before.
    fn take(&mut self, resources: Vec<Map<String, Value>>, total: Option<u64>) -> bool {
        let before = self.resources.len();
        for resource in resources {
            let id = member(&resource, "id")
                .and_then(Value::as_str)
                .map(str::to_owned);
            match id.filter(|id| !id.is_empty()) {
                Some(id) if self.seen.contains(&id) => {
                    self.flaw.get_or_insert(format!(
                        "`{id}` came on two places of the list: it moved while it was read"
                    ));
                }
                Some(id) => {
                    self.seen.insert(id);
                    self.resources.push(resource);
                }
                None => {
                    self.nameless += 1;
                    self.resources.push(resource);
                }
            }
        }
        if let (Some(first), Some(now)) = (self.total, total)
            && first != now
        {
            self.flaw.get_or_insert(format!(
                "`totalResults` went from {first} to {now} while the list was read"
            ));
        }
        self.total = self.total.or(total);
        self.resources.len() > before
    }

    fn flawed(mut self, flaw: String) -> Listed {
        self.flaw = Some(flaw);
        self.finished()
    }

    fn finished(self) -> Listed {
        let shown = self.resources.len() as u64;
        let kind = self.kind.resource_type();
        let miscounted = self
            .total
            .filter(|total| *total != shown)
            .map(|total| format!("the endpoint counts {total} {kind}s and shows {shown}"));
        let nameless =
            (self.nameless > 0).then(|| format!("{} of the {kind}s have no id", self.nameless));
        Listed {
            resources: self.resources,
            flaw: self.flaw.or(miscounted).or(nameless),
        }
    }
}

/// Returns where the resources of a kind are.
pub(super) fn endpoint(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "Users",
        Kind::Group => "Groups",
    }
}

fn page(url: &Url, reply: &Reply) -> Result<Page, Unread> {
    if reply.status != 200 {
        return Err(refusal(url, reply));
    }
    let unlike = || not_scim(url, "something that is not a SCIM ListResponse");
    let list = reply.object().ok_or_else(unlike)?;
    let total = member(&list, "totalResults").and_then(Value::as_u64);
    let resources = match member(&list, "Resources") {
        // an empty page may leave it out, but a list says something of itself
        None | Some(Value::Null) if total.is_some() => Vec::new(),
        Some(Value::Array(resources)) => {
            let objects = resources
                .iter()
                .map(|resource| resource.as_object().cloned());
            objects.collect::<Option<_>>().ok_or_else(unlike)?
        }
        _ => return Err(unlike()),
    };
    let next = member(&list, "nextCursor").and_then(Value::as_str);
    let next = next.filter(|next| !next.is_empty()).map(str::to_owned);
    Ok(Page {
        resources,
        total,
        next,
    })
}

fn is_expired(reply: &Reply) -> bool {
    let error = reply.object();
    let scim_type = error
        .as_ref()
        .and_then(|error| member(error, "scimType")?.as_str());
    scim_type.is_some_and(|scim_type| scim_type.eq_ignore_ascii_case("expiredCursor"))
}

fn not_scim(url: &Url, what: &str) -> Unread {
    Unread::wrong(format!("{} answers with {what}", shown(url)), NOT_SCIM)
}

/// Puts a refusal into words.
fn refusal(url: &Url, reply: &Reply) -> Unread {
    let at = shown(url);
    let said = reply.object().and_then(|error| {
        let detail = member(&error, "detail")?.as_str()?;
        Some(format!(": {}", words(detail)))
    });
    let said = said.unwrap_or_default();
    match reply.status {
        401 => Unread::wrong(
            format!("the endpoint refuses the token (401){said}"),
            "create a new token there and enter it here",
        ),
        403 => Unread::wrong(
            format!("the token may not read {at} (403){said}"),
            "give it the right to read people and groups",
        ),
        404 => Unread::wrong(format!("there is nothing at {at} (404){said}"), NOT_SCIM),
        300..=399 => Unread::wrong(
            format!("{at} redirects ({}), which is not followed", reply.status),
            "enter the address to which it leads",
        ),
        status @ (408 | 429 | 500..=599) => Unread::out_of_reach(
            format!("{at} answers {status}, also when asked again{said}"),
            "it is tried again; if it stays so, ask whoever runs the endpoint",
        ),
        status => Unread::wrong(format!("{at} answers {status}{said}"), NOT_SCIM),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The total and the ids of each page.
    type Pages = &'static [(u64, &'static [&'static str])];

    #[test]
    fn a_list_is_worth_what_its_pages_say_together() {
        let rows: [(Pages, Option<&str>); 5] = [
            (&[(3, &["a", "b"]), (3, &["c"])], None),
            (&[(2, &["a", ""])], Some("1 of the Users have no id")),
            (
                &[(2, &["a", "b"]), (2, &["a", "b"])],
                Some("`a` came on two places of the list: it moved while it was read"),
            ),
            (
                &[(3, &["a"]), (2, &["b"])],
                Some("`totalResults` went from 3 to 2 while the list was read"),
            ),
            (
                &[(3, &["a"])],
                Some("the endpoint counts 3 Users and shows 1"),
            ),
        ];
        for (pages, expected) in rows {
            let mut list = List::of(Kind::User);
            for (total, ids) in pages {
                let resource = |id: &&str| json!({"id": id}).as_object().cloned().unwrap();
                list.take(ids.iter().map(resource).collect(), Some(*total));
            }

            assert_eq!(list.finished().flaw.as_deref(), expected, "{pages:?}");
        }
    }
}
