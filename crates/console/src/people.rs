//! What pages about people and groups share: how somebody is listed, who manages them, and their history.

use rollcall_app::Entry;
use rollcall_app::activity::Deed;
use rollcall_app::directory::{Moved, title};
use rollcall_app::integrations::Parties;
use rollcall_model::{AuditEntry, IntegrationId, Kind, Standing};
use serde_json::Value;

use crate::deeds::{self, Row};
use crate::words::{Moment, Zone, capital, initials};

/// How many rows a page of a list has.
pub(crate) const ROWS: u64 = 50;

/// Somebody or a group in a list.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) initials: String,
    pub(crate) sub: String,
    pub(crate) is_group: bool,
    /// How a person stands; who still has to activate is only told where that was looked up.
    pub(crate) standing: Standing,
    pub(crate) source: &'static str,
    pub(crate) is_managed: bool,
    /// Whether the name by which the person signs in has a word of letters of several scripts.
    pub(crate) mixes_scripts: bool,
    pub(crate) department: String,
    pub(crate) changed: Moment,
}

impl Person {
    pub(crate) fn new(entry: &Entry, parties: &Parties, zone: &Zone) -> Self {
        let name = title(entry);
        let resource = &entry.resource;
        let sub = resource.user_name().filter(|sub| *sub != name);
        Self {
            id: entry.id.to_string(),
            initials: initials(&name),
            sub: sub.unwrap_or_default().to_owned(),
            is_group: entry.kind == Kind::Group,
            standing: Standing::of(
                entry.kind == Kind::Group || resource.is_active(),
                false,
                None,
            ),
            source: source(entry.managed_by, parties),
            is_managed: entry.managed_by.is_some(),
            mixes_scripts: resource
                .user_name()
                .is_some_and(rollcall_scim::key::mixes_scripts),
            department: department(resource.as_map()).to_owned(),
            changed: zone.short(entry.modified),
            name,
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.standing != Standing::Disabled
    }

    pub(crate) fn is_invited(&self) -> bool {
        self.standing == Standing::Invited
    }

    pub(crate) fn list(&self) -> &'static str {
        if self.is_group { "groups" } else { "users" }
    }
}

fn department(document: &serde_json::Map<String, Value>) -> &str {
    document
        .get(rollcall_scim::schema::ENTERPRISE_USER)
        .and_then(|enterprise| enterprise.get("department"))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Names who manages something.
pub(crate) fn source(managed_by: Option<IntegrationId>, parties: &Parties) -> &'static str {
    match managed_by {
        None => "No directory",
        Some(id) => parties.kind(id).map_or("A directory", |kind| match kind {
            rollcall_model::IntegrationKind::Custom => "Custom SCIM",
            other => other.short(),
        }),
    }
}

/// A choice of who manages what is listed.
#[derive(Debug, Clone)]
pub(crate) struct SourceChoice {
    pub(crate) word: &'static str,
    pub(crate) title: &'static str,
    pub(crate) is_chosen: bool,
}

/// Reads which source was chosen: nothing, one that is connected, or `none`.
#[expect(
    clippy::option_option,
    reason = "nothing was chosen, or nobody, or somebody"
)]
pub(crate) fn chosen_source(word: &str, parties: &Parties) -> Option<Option<IntegrationId>> {
    if word == "none" {
        return Some(None);
    }
    let kind = word.parse().ok()?;
    parties.of_kind(kind).map(Some)
}

/// Lists the sources that may be chosen.
pub(crate) fn sources(word: &str, parties: &Parties) -> Vec<SourceChoice> {
    let connected = parties.kinds().into_iter().map(|(kind, id)| SourceChoice {
        word: kind.word(),
        title: source(Some(id), parties),
        is_chosen: kind.word() == word,
    });
    let none = SourceChoice {
        word: "none",
        title: "No directory",
        is_chosen: word == "none",
    };
    connected.chain([none]).collect()
}

/// Lists whoever changes something, by the key of an actor, with what they are called.
pub(crate) fn actors(parties: &Parties) -> Vec<(String, String)> {
    let directories = parties
        .kinds()
        .into_iter()
        .map(|(kind, id)| (format!("integration:{id}"), capital(kind.short())));
    let administrators = parties.administrators().into_iter().map(|(id, name)| {
        let name = name.chars().take(80).collect();
        (format!("administrator:{id}"), name)
    });
    let keys = parties.keys().into_iter().map(|(id, name)| {
        let name = name.chars().take(80).collect();
        (format!("key:{id}"), name)
    });
    let others = [
        ("command", "Commands on the server"),
        ("system", "Rollcall"),
    ];
    let others = others.map(|(word, title)| (word.to_owned(), title.to_owned()));
    directories
        .chain(administrators)
        .chain(keys)
        .chain(others)
        .collect()
}

/// Makes the history of an object: what was done to it, with who came and went.
pub(crate) fn history(
    entries: &[AuditEntry],
    moved: &[Moved],
    parties: &Parties,
    zone: &Zone,
) -> Vec<Row> {
    entries
        .iter()
        .map(|entry| {
            let deed = Deed {
                entry: entry.clone(),
                name: None,
            };
            let mut row = deeds::row(&deed, parties, zone);
            if let Some(moved) = moved.iter().find(|moved| moved.at == entry.at) {
                let mut parts = Vec::new();
                if !moved.added.is_empty() {
                    parts.push(format!("in: {}", shortened(&moved.added)));
                }
                if !moved.removed.is_empty() {
                    parts.push(format!("out: {}", shortened(&moved.removed)));
                }
                row.more = format!("{}; {}", row.more, parts.join("; "));
            }
            row
        })
        .collect()
}

fn shortened(names: &[String]) -> String {
    let names = names
        .iter()
        .map(|name| name.chars().take(60).collect::<String>());
    names.collect::<Vec<_>>().join(", ")
}

/// An attribute as it is listed: what it is called, its value, its path.
#[derive(Debug, Clone)]
pub(crate) struct Attribute {
    pub(crate) label: &'static str,
    pub(crate) value: String,
    pub(crate) path: &'static str,
}

/// Lists the attributes of a person that people know.
pub(crate) fn attributes(entry: &Entry) -> Vec<Attribute> {
    attributes_of(entry.resource.as_map())
}

/// Likewise, of a document.
pub(crate) fn attributes_of(document: &serde_json::Map<String, Value>) -> Vec<Attribute> {
    const KNOWN: [(&str, &str, &str); 14] = [
        ("Display name", "/displayName", "displayName"),
        ("User name", "/userName", "userName"),
        ("Given name", "/name/givenName", "name.givenName"),
        ("Family name", "/name/familyName", "name.familyName"),
        ("Nickname", "/nickName", "nickName"),
        ("Title", "/title", "title"),
        ("Kind of user", "/userType", "userType"),
        ("Department", "/E/department", "enterprise:department"),
        ("Organisation", "/E/organization", "enterprise:organization"),
        ("Division", "/E/division", "enterprise:division"),
        ("Cost centre", "/E/costCenter", "enterprise:costCenter"),
        (
            "Employee number",
            "/E/employeeNumber",
            "enterprise:employeeNumber",
        ),
        ("Language", "/preferredLanguage", "preferredLanguage"),
        ("Time zone", "/timezone", "timezone"),
    ];
    let at = |pointer: &str| -> Option<&Value> {
        let mut parts = pointer.split('/').skip(1).map(|part| match part {
            "E" => rollcall_scim::schema::ENTERPRISE_USER,
            other => other,
        });
        let first = document.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    };
    let mut found: Vec<Attribute> = KNOWN
        .into_iter()
        .filter_map(|(label, pointer, path)| {
            let value = deeds::shown(at(pointer)?);
            Some(Attribute { label, value, path })
        })
        .collect();
    for (label, list, path) in [
        ("E-mail", "emails", "emails"),
        ("Phone", "phoneNumbers", "phoneNumbers"),
    ] {
        let values = document.get(list).and_then(Value::as_array);
        for element in values.into_iter().flatten().take(10) {
            let Some(value) = element.get("value") else {
                continue;
            };
            let kind = element.get("type").and_then(Value::as_str);
            let value = deeds::shown(value);
            found.push(Attribute {
                label,
                value: kind.map_or(value.clone(), |kind| {
                    format!("{value} ({})", kind.chars().take(40).collect::<String>())
                }),
                path,
            });
        }
    }
    found
}
