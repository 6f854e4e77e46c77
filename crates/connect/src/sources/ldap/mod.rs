//! A directory that speaks LDAP as a source: OpenLDAP, Active Directory, 389, FreeIPA, eDirectory.
//!
//! **Is:** the people and groups below a base, found by filters and read page by page (RFC 2696) into one reading; distinguished names become
//! references once everything is there. Attributes are asked for by name, so nothing comes along that nobody wants, a password least of all. Of several
//! values the first counts, in the directory's order.
//! **Is not:** a follower of changes, and not what comes over the wire: that is the library's, and [`connection`]'s.
//! **Start at** [`Ldap::new`].

mod connection;
mod entry;
mod name;

use std::collections::HashMap;

use async_trait::async_trait;
use rollcall_model::{Kind, Secret};
use rollcall_scim::limits::Limits;
use rollcall_scim::schema::Registry;
use serde_json::{Map, Value};
use tokio::task::JoinSet;

use super::described::Described;
use super::ready::{Ready, Taken};
use super::{Batch, Completeness, Pointer, Refusal, Source, Unread};
use crate::client::Client;
use crate::guard::{DirectoryAddress, Refused};
use connection::Connection;
use entry::{Entry, KEYS, LOCKS, MEMBER_UIDS, MEMBERS, OF_GROUPS, OF_PEOPLE, USER_NAMES};
use name::canonical;

/// Who is a person, unless the job says so itself. Active Directory counts computers among its users, but not among its persons.
pub const PEOPLE: &str =
    "(|(objectClass=inetOrgPerson)(&(objectClass=user)(objectCategory=person)))";
/// What is a group.
pub const GROUPS: &str = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup)(objectClass=group))";
const MANAGER: &str = "manager";
const UID: &str = "uid";

/// What of a directory is read, and as whom.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Where the directory is: `ldaps://ldap.example.com`.
    pub url: String,
    /// Whether a connection to `ldap://` is made secret by StartTLS (RFC 4511 §4.14).
    pub starts_tls: bool,
    /// Name and password of whoever reads; absent: nobody in particular.
    pub bind: Option<(String, Secret)>,
    /// Below what is read.
    pub base: String,
    /// Who is a person, as a filter (RFC 4515); [`PEOPLE`] when absent.
    pub users: Option<String>,
    /// What is a group; [`GROUPS`] when absent.
    pub groups: Option<String>,
    /// The attribute with the userName; absent: the first there is of `userPrincipalName`, `uid`, `sAMAccountName` and `mail`.
    pub user_name: Option<String>,
    /// The attribute by which people and groups are known for good; absent: what the directory has for that.
    pub key: Option<String>,
    /// More attributes of people, which mappings know by the same names.
    pub attributes: Vec<String>,
}

/// What is wrong with a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The address cannot be called.
    #[error("url: {0}")]
    Address(#[from] Refused),
    /// A filter cannot be understood.
    #[error("{0}: `{1}` is not a filter: it looks like `(objectClass=person)` (RFC 4515)")]
    Filter(&'static str, String),
}

/// A directory, to be read once.
#[derive(Debug)]
pub struct Ldap {
    reading: Reading,
    /// Absent before the first batch.
    ready: Option<Ready>,
}

/// What a reading needs.
#[derive(Debug, Clone)]
struct Reading {
    client: Client,
    address: DirectoryAddress,
    tree: Tree,
    registry: Registry,
    limits: Limits,
}

impl Ldap {
    /// Makes a source of a directory.
    ///
    /// # Errors
    /// [`Unusable`], which says what to write instead.
    pub fn new(
        client: Client,
        tree: Tree,
        registry: Registry,
        limits: Limits,
    ) -> Result<Self, Unusable> {
        let address = client.directory(&tree.url, tree.starts_tls)?;
        for (key, filter) in [("users", &tree.users), ("groups", &tree.groups)] {
            if let Some(filter) = filter
                && ldap3::parse_filter(filter).is_err()
            {
                return Err(Unusable::Filter(key, filter.chars().take(200).collect()));
            }
        }
        Ok(Self {
            reading: Reading {
                client,
                address,
                tree,
                registry,
                limits,
            },
            ready: None,
        })
    }
}

#[async_trait]
impl Source for Ldap {
    async fn next(&mut self) -> Result<Batch, Unread> {
        let mut ready = match self.ready.take() {
            Some(ready) => ready,
            None => self.reading.read_apart().await?,
        };
        let batch = ready.next();
        self.ready = Some(ready);
        Ok(batch)
    }
}

impl Reading {
    /// Reads in a task of its own: the library panics at some answers that are no LDAP.
    async fn read_apart(&self) -> Result<Ready, Unread> {
        let reading = self.clone();
        let mut task = JoinSet::new();
        task.spawn(async move { reading.read().await });
        let read = task.join_next().await.and_then(Result::ok);
        read.unwrap_or_else(|| {
            let message = format!("{} does not answer as LDAP", self.address);
            Err(Unread::wrong(message, "check address and port"))
        })
    }

    async fn read(&self) -> Result<Ready, Unread> {
        let tree = &self.tree;
        let (mut reasons, mut empty) = (Vec::new(), Vec::new());
        let mut connection = Connection::open(&self.client, &self.address).await?;
        connection.bind(tree.bind.as_ref()).await?;
        let filter = tree.users.as_deref().unwrap_or(PEOPLE);
        let search = (tree.base.as_str(), filter, self.of_people());
        let people = connection.search(search, &mut reasons).await?;
        let filter = tree.groups.as_deref().unwrap_or(GROUPS);
        let search = (tree.base.as_str(), filter, self.of_groups());
        let groups = connection.search(search, &mut reasons).await?;
        connection.close().await;
        if people.is_empty() {
            empty.push(format!("there are no people below `{}`", tree.base));
        }
        let known = Known::of(&people, &groups, tree.key.as_deref());
        let taken = people
            .iter()
            .map(|entry| self.person(entry, &known))
            .chain(groups.iter().map(|entry| self.group(entry, &known)));
        Ok(Ready::new(
            taken.collect(),
            Completeness::of(&reasons, &empty),
        ))
    }

    /// Returns the attributes of people that are asked for.
    fn of_people(&self) -> Vec<String> {
        let names = OF_PEOPLE.iter().map(|(theirs, _)| *theirs);
        let names = names.chain(LOCKS).chain([MANAGER, UID]);
        let own = self.tree.attributes.iter().map(String::as_str);
        let user_name = match &self.tree.user_name {
            Some(name) => vec![name.as_str()],
            None => USER_NAMES.to_vec(),
        };
        self.with_key(names.chain(user_name).chain(own))
    }

    fn of_groups(&self) -> Vec<String> {
        let names = OF_GROUPS.iter().map(|(theirs, _)| *theirs);
        self.with_key(names.chain(MEMBERS).chain([MEMBER_UIDS]))
    }

    fn with_key<'n>(&'n self, names: impl Iterator<Item = &'n str>) -> Vec<String> {
        let key = match &self.tree.key {
            Some(key) => vec![key.as_str()],
            None => KEYS.to_vec(),
        };
        let mut asked: Vec<String> = Vec::new();
        for name in names.chain(key) {
            if !asked.iter().any(|other| other.eq_ignore_ascii_case(name)) {
                asked.push(name.to_owned());
            }
        }
        asked
    }

    fn person(&self, entry: &Entry, known: &Known) -> Taken {
        let names = match &self.tree.user_name {
            Some(name) => vec![name.as_str()],
            None => USER_NAMES.to_vec(),
        };
        let user_name = names.iter().find_map(|name| entry.text(name));
        let user_name = user_name.map(|text| ("userName".to_owned(), Value::from(text)));
        let mut values: Vec<(String, Value)> = user_name.into_iter().collect();
        values.extend(entry.columns(&OF_PEOPLE));
        values.push(("active".to_owned(), entry.is_active().into()));
        let manager = entry.text(MANAGER).and_then(|name| known.named(name));
        let nameless = match names.as_slice() {
            [name] => format!("`{name}` is empty"),
            names => format!("it has none of {}", names.join(", ")),
        };
        self.taken(
            entry,
            Described {
                kind: Kind::User,
                key: String::new(),
                place: entry.dn.clone(),
                values,
                own: entry.own(&self.tree.attributes),
                members: Vec::new(),
                manager,
            },
            &nameless,
        )
    }

    fn group(&self, entry: &Entry, known: &Known) -> Taken {
        let names = MEMBERS.iter().flat_map(|name| entry.texts(name));
        let named = names.filter_map(|name| known.named(name));
        let uids = entry.texts(MEMBER_UIDS);
        let by_uid = uids.filter_map(|uid| known.uids.get(uid).cloned().map(Pointer::Key));
        self.taken(
            entry,
            Described {
                kind: Kind::Group,
                key: String::new(),
                place: entry.dn.clone(),
                values: entry.columns(&OF_GROUPS),
                own: Map::new(),
                members: named.chain(by_uid).collect(),
                manager: None,
            },
            "it has neither `cn` nor `displayName`",
        )
    }

    fn taken(&self, entry: &Entry, mut described: Described, nameless: &str) -> Taken {
        let attribute = self.tree.key.as_deref();
        let Some(key) = entry.key(attribute) else {
            return Err(Refusal {
                kind: described.kind,
                place: described.place,
                reason: format!(
                    "`{}` is empty, by which it would be known",
                    attribute.unwrap_or_default()
                ),
                key: None,
                name: None,
            });
        };
        described.key = key;
        described.taken(&self.registry, &self.limits, nameless)
    }
}

/// Whom names and uids mean.
struct Known {
    names: HashMap<String, String>,
    uids: HashMap<String, String>,
}

impl Known {
    fn of(people: &[Entry], groups: &[Entry], key: Option<&str>) -> Self {
        let (mut names, mut uids) = (HashMap::new(), HashMap::new());
        for entry in people.iter().chain(groups) {
            if let Some(key) = entry.key(key) {
                names.insert(canonical(&entry.dn), key);
            }
        }
        for entry in people {
            if let (Some(uid), Some(key)) = (entry.text(UID), entry.key(key)) {
                uids.insert(uid.to_owned(), key);
            }
        }
        Self { names, uids }
    }

    /// Returns whom a name means; nobody when it is not among those who were read: a device, say, or somebody outside the base.
    fn named(&self, name: &str) -> Option<Pointer> {
        // a unique name may have a number behind it (RFC 4517 §3.3.21)
        let name = name.split("#'").next().unwrap_or(name);
        self.names.get(&canonical(name)).cloned().map(Pointer::Key)
    }
}
