//! Entra ID as a source, by Microsoft Graph.
//!
//! **Is:** the people of a tenant with their managers, then its groups with their members, read whole by an application that signs in with
//! a client secret. Attributes have the names that Entra's provisioning service gives them (its schema says `telephoneNumber` where Graph
//! says `businessPhones`), so mappings made there mean the same here.
//! **Is not:** a follower of changes: each reading reads everything, and the mirror finds what moved.
//! **Start at** [`Graph::new`].

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use rollcall_model::{Kind, Secret};
use rollcall_scim::limits::Limits;
use rollcall_scim::schema::Registry;
use serde_json::{Map, Value};
use url::Url;

use super::asking::{Asking, PAUSE, passes, shown, words};
use super::described::Described;
use super::ready::Ready;
use super::{Batch, Completeness, Pointer, Source, Unread};
use crate::client::{Client, Refused, Surroundings};
use crate::reply::Reply;

/// Where Graph is, unless a national cloud has its own.
pub const GRAPH: &str = "https://graph.microsoft.com/v1.0";
/// Where applications sign in.
pub const LOGIN: &str = "https://login.microsoftonline.com";
/// So many objects are asked for at a time: the most that Graph gives of people and groups.
const COUNT: &str = "999";
/// More objects of a kind than this are not read.
const MOST: usize = 1_000_000;

/// What Graph calls an attribute, and the name by which mappings know it. One with a dot is within another; of a list the first counts.
const OF_PEOPLE: [(&str, &str); 33] = [
    ("userPrincipalName", "userPrincipalName"),
    ("accountEnabled", "accountEnabled"),
    ("displayName", "displayName"),
    ("givenName", "givenName"),
    ("surname", "surname"),
    ("mail", "mail"),
    ("mailNickname", "mailNickname"),
    ("jobTitle", "jobTitle"),
    ("department", "department"),
    ("companyName", "companyName"),
    ("employeeId", "employeeId"),
    ("employeeType", "employeeType"),
    ("employeeOrgData.division", "division"),
    ("employeeOrgData.costCenter", "costCenter"),
    ("mobilePhone", "mobile"),
    ("businessPhones", "telephoneNumber"),
    ("faxNumber", "facsimileTelephoneNumber"),
    ("officeLocation", "physicalDeliveryOfficeName"),
    ("streetAddress", "streetAddress"),
    ("city", "city"),
    ("state", "state"),
    ("postalCode", "postalCode"),
    ("country", "country"),
    ("usageLocation", "usageLocation"),
    ("preferredLanguage", "preferredLanguage"),
    ("userType", "userType"),
    ("onPremisesSyncEnabled", "dirSyncEnabled"),
    (
        "onPremisesSecurityIdentifier",
        "onPremisesSecurityIdentifier",
    ),
    ("onPremisesSamAccountName", "onPremisesSamAccountName"),
    ("onPremisesDistinguishedName", "onPremisesDistinguishedName"),
    ("onPremisesImmutableId", "onPremisesImmutableId"),
    ("onPremisesUserPrincipalName", "onPremisesUserPrincipalName"),
    ("createdDateTime", "createdDateTime"),
];
/// Attributes of people that hold lists, and stay lists.
const LISTS: [&str; 2] = ["proxyAddresses", "otherMails"];
/// What holds `extensionAttribute1` and the fourteen others.
const EXTENSIONS: &str = "onPremisesExtensionAttributes";
/// Likewise of groups.
const OF_GROUPS: [(&str, &str); 6] = [
    ("displayName", "displayName"),
    ("description", "description"),
    ("mail", "mail"),
    ("mailEnabled", "mailEnabled"),
    ("mailNickname", "mailNickname"),
    ("securityEnabled", "securityEnabled"),
];

/// Which tenant is read, and by whom.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its id, or one of its domains.
    pub tenant: String,
    /// The application's (client) id.
    pub client_id: String,
    /// A client secret of the application.
    pub client_secret: Secret,
    /// Where Graph is; [`GRAPH`] unless a national cloud has its own.
    pub url: String,
    /// Where the application signs in; [`LOGIN`] likewise.
    pub login: String,
    /// More attributes of people, by Graph's names, which mappings then know by the same.
    pub attributes: Vec<String>,
}

/// A tenant, to be read once.
#[derive(Debug)]
pub struct Graph {
    asking: Asking,
    tenant: Tenant,
    base: Url,
    sign_in: Url,
    token: Option<Secret>,
    registry: Registry,
    limits: Limits,
    /// Absent before the first batch.
    ready: Option<Ready>,
}

impl Graph {
    /// Makes a source of a tenant.
    ///
    /// # Errors
    /// [`Refused`] when one of the addresses cannot be called.
    pub fn new(
        client: Client,
        tenant: Tenant,
        registry: Registry,
        limits: Limits,
        surroundings: Surroundings,
    ) -> Result<Self, Refused> {
        let base = client.address(&tenant.url)?;
        let sign_in = below(
            &client.address(&tenant.login)?,
            &[&tenant.tenant, "oauth2", "v2.0", "token"],
        );
        Ok(Self {
            asking: Asking {
                client,
                pause: PAUSE,
                surroundings,
            },
            tenant,
            base,
            sign_in,
            token: None,
            registry,
            limits,
            ready: None,
        })
    }

    /// Waits so long before a request is repeated the first time; the pauses after it double.
    #[must_use]
    pub fn with_pause(mut self, pause: Duration) -> Self {
        self.asking.pause = pause;
        self
    }

    async fn read(&mut self) -> Result<Ready, Unread> {
        let (mut reasons, mut empty) = (Vec::new(), Vec::new());
        let people = self.all(self.people(), &mut reasons).await?;
        let groups = self.all(self.groups(), &mut reasons).await?;
        if people.is_empty() {
            empty.push("the tenant shows no people".to_owned());
        }
        let mut taken = Vec::new();
        for person in people {
            match self.person(person) {
                Some(person) => taken.push(person.taken(
                    &self.registry,
                    &self.limits,
                    "`userPrincipalName` is empty",
                )),
                None => reasons.push("a person without an `id` came".to_owned()),
            }
        }
        for group in groups {
            let Some(mut group) = group_of(group) else {
                reasons.push("a group without an `id` came".to_owned());
                continue;
            };
            let Some(members) = self.members(&group.key).await? else {
                reasons.push(format!(
                    "the group `{}` was in the list and is not there",
                    group.key
                ));
                continue;
            };
            group.members = members;
            taken.push(group.taken(&self.registry, &self.limits, "`displayName` is empty"));
        }
        Ok(Ready::new(taken, Completeness::of(&reasons, &empty)))
    }

    fn people(&self) -> Url {
        let mut names: Vec<&str> = vec!["id", EXTENSIONS];
        let known = OF_PEOPLE.iter().map(|(theirs, _)| *theirs);
        let own = self.tenant.attributes.iter().map(String::as_str);
        for name in known.chain(LISTS).chain(own) {
            let name = name.split('.').next().unwrap_or(name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut url = below(&self.base, &["users"]);
        url.query_pairs_mut()
            .append_pair("$select", &names.join(","))
            .append_pair("$expand", "manager($select=id)")
            .append_pair("$top", COUNT);
        url
    }

    fn groups(&self) -> Url {
        let names = OF_GROUPS.iter().map(|(theirs, _)| *theirs);
        let names: Vec<&str> = std::iter::once("id").chain(names).collect();
        let mut url = below(&self.base, &["groups"]);
        url.query_pairs_mut()
            .append_pair("$select", &names.join(","))
            .append_pair("$top", COUNT);
        url
    }

    fn person(&self, person: Map<String, Value>) -> Option<Described> {
        let key = id(&person)?;
        let mut values: Vec<(String, Value)> = Vec::new();
        let mut own = Map::new();
        for (theirs, ours) in OF_PEOPLE {
            if let Some(value) = value(&person, theirs) {
                values.push((ours.to_owned(), first(value)));
            }
        }
        let extensions = person.get(EXTENSIONS).and_then(Value::as_object);
        let extensions = extensions.into_iter().flatten();
        let more = extensions.map(|(name, value)| (name.as_str(), value));
        let lists = LISTS
            .iter()
            .filter_map(|name| Some((*name, person.get(*name)?)));
        let asked = self.tenant.attributes.iter();
        let asked = asked.filter_map(|name| Some((name.as_str(), value(&person, name)?)));
        for (name, value) in more.chain(lists).chain(asked) {
            if !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()) {
                own.insert(name.to_owned(), value.clone());
            }
        }
        let manager = person.get("manager").and_then(Value::as_object);
        Some(Described {
            kind: Kind::User,
            place: format!("/users/{key}"),
            key,
            values,
            own,
            members: Vec::new(),
            manager: manager.and_then(id).map(Pointer::Key),
        })
    }

    /// Reads the members of a group that are there themselves; absent: there is no such group any more.
    async fn members(&mut self, group: &str) -> Result<Option<Vec<Pointer>>, Unread> {
        let mut url = below(&self.base, &["groups", group, "members"]);
        url.query_pairs_mut()
            .append_pair("$select", "id")
            .append_pair("$top", COUNT);
        let mut members = Vec::new();
        let mut next = Some(url);
        while let Some(url) = next {
            let reply = self.get(&url).await?;
            if reply.status == 404 {
                return Ok(None);
            }
            let page = self.page(&url, &reply)?;
            members.extend(page.0.iter().filter_map(id).map(Pointer::Key));
            next = page.1;
        }
        Ok(Some(members))
    }

    /// Reads a list page by page.
    async fn all(
        &mut self,
        from: Url,
        reasons: &mut Vec<String>,
    ) -> Result<Vec<Map<String, Value>>, Unread> {
        let (mut all, mut seen) = (Vec::new(), HashSet::new());
        let mut next = Some(from);
        while let Some(url) = next {
            let reply = self.get(&url).await?;
            let (objects, following) = self.page(&url, &reply)?;
            for object in objects {
                match id(&object) {
                    Some(id) if !seen.insert(id.clone()) => reasons.push(format!(
                        "`{id}` came on two places of the list: it moved while it was read"
                    )),
                    _ => all.push(object),
                }
            }
            if all.len() > MOST {
                return Err(Unread::wrong(
                    format!("{} shows more than {MOST} objects", shown(&url)),
                    "a source of this size is not supported",
                ));
            }
            next = following;
        }
        Ok(all)
    }

    /// Reads a page, and where the next one is.
    fn page(&self, url: &Url, reply: &Reply) -> Result<Page, Unread> {
        if reply.status != 200 {
            return Err(refusal(url, reply));
        }
        let unlike = || {
            Unread::wrong(
                format!("{} does not answer as Microsoft Graph", shown(url)),
                "leave `url` out, or enter Graph's address with its version: \"https://graph.microsoft.com/v1.0\"",
            )
        };
        let list = reply.object().ok_or_else(unlike)?;
        let objects = list
            .get("value")
            .and_then(Value::as_array)
            .ok_or_else(unlike)?;
        let objects = objects.iter().map(|one| one.as_object().cloned());
        let objects = objects.collect::<Option<Vec<_>>>().ok_or_else(unlike)?;
        let Some(next) = list.get("@odata.nextLink") else {
            return Ok((objects, None));
        };
        let next = next.as_str().and_then(|next| Url::parse(next).ok());
        // the token goes where the operator sent it, and nowhere else
        match next.filter(|next| next.origin() == self.base.origin()) {
            Some(next) => Ok((objects, Some(next))),
            None => Err(unlike()),
        }
    }

    /// Asks Graph; signs in first, and once more when the token ran out on the way.
    async fn get(&mut self, url: &Url) -> Result<Reply, Unread> {
        loop {
            let is_fresh = self.token.is_none();
            let token = match self.token.take() {
                Some(token) => token,
                None => self.sign_in().await?,
            };
            let reply = self.asking.ask(Method::GET, url, |request| {
                request
                    .bearer_auth(token.expose())
                    .header("accept", "application/json")
            });
            let reply = reply.await?;
            if reply.status == 401 && !is_fresh {
                continue;
            }
            self.token = Some(token);
            if passes(reply.status) {
                return Err(refusal(url, &reply));
            }
            return Ok(reply);
        }
    }

    /// Signs in by the client credentials flow (RFC 6749 §4.4).
    async fn sign_in(&self) -> Result<Secret, Unread> {
        let scope = format!("{}/.default", self.base.origin().ascii_serialization());
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.tenant.client_id)
            .append_pair("client_secret", self.tenant.client_secret.expose())
            .append_pair("scope", &scope)
            .finish();
        let reply = self.asking.ask(Method::POST, &self.sign_in, |request| {
            request
                .header("content-type", "application/x-www-form-urlencoded")
                .header("accept", "application/json")
                .body(form.clone())
        });
        let reply = reply.await?;
        let answer = reply.object();
        let text = |name: &str| {
            let text = answer.as_ref()?.get(name)?.as_str()?;
            Some(text).filter(|text| !text.is_empty())
        };
        match (reply.status, text("access_token")) {
            (200, Some(token)) => Ok(Secret::new(token)),
            (status, _) if passes(status) => Err(refusal(&self.sign_in, &reply)),
            (status, _) => {
                // what follows the first line are numbers for whoever runs the service
                let said = text("error_description").or(text("error"));
                let said = said.and_then(|said| said.lines().next()).map(words);
                Err(Unread::wrong(
                    format!(
                        "{} does not let the application in ({status}){}",
                        shown(&self.sign_in),
                        said.map(|said| format!(": {said}")).unwrap_or_default()
                    ),
                    "check `tenant` and `client_id`, and that the client secret is the value of one that has not run out (App registrations > Certificates & secrets)",
                ))
            }
        }
    }
}

type Page = (Vec<Map<String, Value>>, Option<Url>);

#[async_trait]
impl Source for Graph {
    async fn next(&mut self) -> Result<Batch, Unread> {
        let mut ready = match self.ready.take() {
            Some(ready) => ready,
            None => self.read().await?,
        };
        let batch = ready.next();
        self.ready = Some(ready);
        Ok(batch)
    }
}

fn group_of(group: Map<String, Value>) -> Option<Described> {
    let key = id(&group)?;
    let values = OF_GROUPS
        .iter()
        .filter_map(|(theirs, ours)| Some(((*ours).to_owned(), value(&group, theirs)?.clone())));
    Some(Described {
        kind: Kind::Group,
        place: format!("/groups/{key}"),
        values: values.collect(),
        key,
        own: Map::new(),
        members: Vec::new(),
        manager: None,
    })
}

fn id(object: &Map<String, Value>) -> Option<String> {
    let id = object.get("id")?.as_str()?;
    (!id.is_empty()).then(|| id.to_owned())
}

/// Returns a value that says something; a dot leads into an object.
fn value<'o>(object: &'o Map<String, Value>, name: &str) -> Option<&'o Value> {
    let found = match name.split_once('.') {
        Some((outer, inner)) => object.get(outer)?.as_object()?.get(inner)?,
        None => object.get(name)?,
    };
    match found {
        Value::Null => None,
        Value::String(text) if text.trim().is_empty() => None,
        Value::Array(list) if list.is_empty() => None,
        found => Some(found),
    }
}

fn first(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.first().cloned().unwrap_or_default(),
        one => one.clone(),
    }
}

fn below(base: &Url, parts: &[&str]) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}

/// Puts a refusal into words.
fn refusal(url: &Url, reply: &Reply) -> Unread {
    let at = shown(url);
    let said = reply
        .object()
        .and_then(|body| Some(words(value(&body, "error.message")?.as_str()?)))
        .map(|said| format!(": {said}"))
        .unwrap_or_default();
    match reply.status {
        401 => Unread::wrong(
            format!("{at} refuses the token (401){said}"),
            "check that the application belongs to this tenant",
        ),
        403 => Unread::wrong(
            format!("the application may not read {at} (403){said}"),
            "give it the application permissions User.Read.All and GroupMember.Read.All, and grant admin consent",
        ),
        300..=399 => Unread::wrong(
            format!("{at} redirects ({}), which is not followed", reply.status),
            "enter the address to which it leads",
        ),
        status if passes(status) => Unread::out_of_reach(
            format!("{at} answers {status}, also when asked again{said}"),
            "it is tried again; if it stays so, look at the service's health page",
        ),
        status => Unread::wrong(
            format!("{at} answers {status}{said}"),
            "check `url` and the names in `attributes`",
        ),
    }
}
