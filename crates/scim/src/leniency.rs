//! Every deviation from the RFCs that is accepted, because a client is known to send it.
//!
//! **Is:** the list, with who sends what and what it is taken for; and the small functions that do the taking.
//! **Is not:** a switch: what is harmless from one client is harmless from all.
//! **Start at** [`Leniency::ALL`], from which `docs/leniencies.md` is made.

use serde_json::{Map, Value};

use crate::schema::Attribute;

/// A deviation that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leniency {
    /// Its name.
    pub name: &'static str,
    /// Who is known to send it.
    pub clients: &'static str,
    /// What is sent, and what it is taken for.
    pub what: &'static str,
}

impl Leniency {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self {
            name: "operation in any case",
            clients: "Entra",
            what: "`\"op\": \"Replace\"` is `replace`",
        },
        Self {
            name: "boolean as text",
            clients: "Entra",
            what: "`\"True\"` and `\"False\"`, in any case, are booleans in bodies, PATCH values and filters",
        },
        Self {
            name: "names as paths",
            clients: "Entra with `aadOptscim062020`",
            what: "the keys of a PATCH value without path are read as paths: `name.givenName`, `urn:…:User:department`",
        },
        Self {
            name: "element made by its filter",
            clients: "Entra",
            what: "`add` or `replace` at `emails[type eq \"work\"].value` creates the element when there is none",
        },
        Self {
            name: "members removed by value",
            clients: "Entra, JumpCloud",
            what: "`remove` at `members` with a list removes those members only, not all",
        },
        Self {
            name: "bare value for an object",
            clients: "Entra",
            what: "`\"manager\": \"26118915\"` is `{\"value\": \"26118915\"}`; a list of one object is that object",
        },
        Self {
            name: "empty is absent",
            clients: "Entra, OneLogin",
            what: "null, `\"\"` and `{\"value\": \"\"}` clear a single-valued attribute and are left out of a new resource; a PATCH cannot clear `active` so",
        },
        Self {
            name: "role packed as text",
            clients: "Entra",
            what: "a role whose `value` is JSON in a string is unpacked; `displayName` becomes `display`",
        },
        Self {
            name: "extension attribute without its URN",
            clients: "Entra (older jobs)",
            what: "the path `manager` means the enterprise extension's `manager`, as no core attribute has that name",
        },
        Self {
            name: "unlisted extensions",
            clients: "Entra",
            what: "extension data counts whether or not `schemas` lists its URN; unknown URIs there are passed over",
        },
        Self {
            name: "read-only values repeated",
            clients: "Okta",
            what: "`id`, `meta`, `groups` and other read-only attributes in a body or a PATCH without path have no effect",
        },
        Self {
            name: "password discarded",
            clients: "Okta",
            what: "`password` is accepted and discarded: provisioning sets no passwords here",
        },
        Self {
            name: "object merged",
            clients: "Entra, Okta",
            what: "`replace` of `name` with an object changes the parts that it names",
        },
        Self {
            name: "removing what is not there",
            clients: "Entra, Okta",
            what: "`remove` of a member, element or attribute that is not there changes nothing and succeeds",
        },
        Self {
            name: "value path before a sub-attribute in a filter",
            clients: "Entra",
            what: "`emails[type eq \"work\"].value eq \"x\"` means one element with both properties",
        },
    ];

    /// Returns the list as a Markdown page.
    pub fn page() -> String {
        let mut page = String::from(
            "# What is accepted beyond the RFCs\n\n\
             Known clients deviate from RFC 7643 and 7644. What they send is accepted and means what they mean; it is the same for every\n\
             client. Anything else that is not understood is refused with a 400 that names it. Each row has test vectors in\n\
             `crates/scim/tests/vectors`. This page is made from the list in the code.\n\n\
             | leniency | sent by | what it is taken for |\n|---|---|---|\n",
        );
        for Self {
            name,
            clients,
            what,
        } in Self::ALL
        {
            for part in ["| ", name, " | ", clients, " | ", what, " |\n"] {
                page.push_str(part);
            }
        }
        page
    }
}

/// Finds an entry by its name in any case.
pub(crate) fn named<'m>(map: &'m Map<String, Value>, name: &str) -> Option<(&'m str, &'m Value)> {
    if let Some((name, value)) = map.get_key_value(name) {
        return Some((name, value));
    }
    map.iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(name, value)| (name.as_str(), value))
}

/// *boolean as text.*
pub(crate) fn boolean_from_text(text: &str) -> Option<bool> {
    let is = |word: &str| text.trim().eq_ignore_ascii_case(word);
    if is("true") {
        Some(true)
    } else if is("false") {
        Some(false)
    } else {
        None
    }
}

/// *bare value for an object*, the other way round: `{"value": x}` for a simple attribute is x.
pub(crate) fn unwrapped(value: Value) -> Value {
    match value {
        Value::Object(mut map) if map.len() == 1 => match map.shift_remove("value") {
            Some(inner) => inner,
            None => Value::Object(map),
        },
        other => other,
    }
}

/// *bare value for an object.*
pub(crate) fn object_from_bare_value(attribute: &Attribute, value: Value) -> Value {
    match value {
        Value::String(text) if !text.is_empty() && attribute.sub_attribute("value").is_some() => {
            let mut map = Map::new();
            map.insert("value".to_owned(), Value::String(text));
            Value::Object(map)
        }
        other => other,
    }
}

/// *role packed as text.*
pub(crate) fn proper_role(mut given: Map<String, Value>) -> Map<String, Value> {
    let packed = named(&given, "value").and_then(|(name, value)| {
        let unpacked: Map<String, Value> = serde_json::from_str(value.as_str()?.trim()).ok()?;
        unpacked
            .contains_key("value")
            .then(|| (name.to_owned(), unpacked))
    });
    if let Some((name, unpacked)) = packed {
        given.shift_remove(&name);
        for (name, value) in unpacked {
            if value.is_string() && named(&given, &name).is_none() {
                given.insert(name, value);
            }
        }
    }
    if named(&given, "display").is_none()
        && let Some(display) = named(&given, "displayName").map(|(_, value)| value.clone())
    {
        given.insert("display".to_owned(), display);
    }
    // what a role's object carries beside its parts
    given.retain(|name, _| {
        !name.eq_ignore_ascii_case("displayName") && !name.eq_ignore_ascii_case("id")
    });
    given
}
