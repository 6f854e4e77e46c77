//! A user or group as the document that is stored.
//!
//! **Is:** names in their canonical spelling, values checked, `schemas` computed from the content.
//! **Is not:** the answer to a client: that gets `meta.location`, related rows and a projection.
//! **Start at** [`Resource::from_request`].
//! **Source:** RFC 7643 §2 and §3; RFC 7644 §3.3 for POST, §3.5.1 for PUT.

use serde::Serializer as _;
use serde_json::{Map, Value};

use crate::difference::{self, Change};
use crate::error::{Error, ErrorKind, quoted};
use crate::leniency::named;
use crate::limits::Limits;
use crate::member::{self, Member};
use crate::merge::{self, Lists};
use crate::path::Path;
use crate::schema::{Attribute, ENTERPRISE_USER, Mutability, ResourceType};
use crate::value::{self, Checker};

/// A document that keeps the rules of its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    document: Map<String, Value>,
    members: Option<Vec<Member>>,
    ignored: Vec<String>,
}

impl Resource {
    /// Returns the resource that the body of a POST asks for.
    ///
    /// Read-only attributes, `password` and unknown names are passed over and listed by
    /// [`Resource::ignored`]. `id` and the rest of `meta` are for the server to set.
    ///
    /// # Errors
    /// `invalidSyntax` when the body is not an object of this type, `invalidValue` for a value that
    /// does not fit or a required attribute that is missing.
    pub fn from_request(
        resource_type: &ResourceType,
        body: Value,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let mut resource = Self::read(resource_type, body, limits)?;
        settle(&mut resource.document, resource_type, limits)?;
        resource.set_resource_type(resource_type);
        Ok(resource)
    }

    /// Returns what the body of a PUT makes of the present resource.
    ///
    /// `id` and `meta` stay, attributes that the body leaves out are cleared, unless they can be
    /// written only once.
    ///
    /// # Errors
    /// As [`Resource::from_request`], and `mutability` when an immutable value would change.
    pub fn replacement(
        resource_type: &ResourceType,
        current: &Self,
        body: Value,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let mut resource = Self::read(resource_type, body, limits)?;
        keep_immutable(resource_type, &current.document, &mut resource.document)?;
        for name in ["id", "meta"] {
            if let Some(kept) = current.document.get(name) {
                resource.document.insert(name.to_owned(), kept.clone());
            }
        }
        settle(&mut resource.document, resource_type, limits)?;
        if !resource.document.contains_key("meta") {
            resource.set_resource_type(resource_type);
        }
        Ok(resource)
    }

    /// Takes over what another resource of the type says, all but `userName`: what it does not mention stays. Returns what
    /// changed.
    ///
    /// # Errors
    /// `mutability` when an immutable value would change.
    pub fn take_over(
        &mut self,
        other: &Self,
        lists: Lists,
        resource_type: &ResourceType,
        limits: &Limits,
    ) -> Result<Vec<Change>, Error> {
        let mut document = self.document.clone();
        let mut new = other.document.clone();
        new.retain(|name, _| !matches!(name.as_str(), "schemas" | "id" | "meta" | "userName"));
        merge::put_into(&mut document, &new, lists);
        keep_immutable(resource_type, &self.document, &mut document)?;
        settle(&mut document, resource_type, limits)?;
        let changes = difference::between(&self.document, &document);
        self.document = document;
        Ok(changes)
    }

    /// Keeps the e-mail addresses of another version of it, whatever this one says of them.
    pub fn keep_emails(&mut self, of: &Self) {
        match of.document.get("emails") {
            Some(emails) => self.document.insert("emails".to_owned(), emails.clone()),
            None => self.document.shift_remove("emails"),
        };
    }

    /// Returns the resource of a document that this crate wrote earlier; nothing is checked.
    pub fn from_stored(document: Value) -> Self {
        let document = match document {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        Self {
            document,
            members: None,
            ignored: Vec::new(),
        }
    }

    fn read(resource_type: &ResourceType, body: Value, limits: &Limits) -> Result<Self, Error> {
        let Value::Object(body) = body else {
            return Err(Error::invalid_syntax("the body must be a JSON object"));
        };
        check_schemas(resource_type, &body)?;
        let mut checker = Checker::new(limits);
        let mut document = Map::new();
        let mut members = None;
        for (name, value) in body {
            if let Some(extension) = resource_type.extension(&name) {
                let inner =
                    read_extension(&mut checker, &extension.attributes, value, &extension.id)?;
                if !inner.is_empty() {
                    document.insert(extension.id.clone(), Value::Object(inner));
                }
            } else if let Some(attribute) = resource_type.top_attribute(&name) {
                if attribute.name == "members" && resource_type.is_related(None, attribute) {
                    members = Some(member::members(value, limits)?);
                } else {
                    read_attribute(&mut checker, attribute, value, "", &mut document)?;
                }
            } else {
                checker.ignore(name);
            }
        }
        Ok(Self {
            document,
            members,
            ignored: checker.ignored,
        })
    }

    fn set_resource_type(&mut self, resource_type: &ResourceType) {
        let mut meta = Map::new();
        meta.insert(
            "resourceType".to_owned(),
            resource_type.name.as_str().into(),
        );
        self.document.insert("meta".to_owned(), Value::Object(meta));
    }

    /// Sets the identifier.
    pub fn set_id(&mut self, id: &str) {
        // behind `schemas`, where readers look for it
        let position = usize::from(self.document.contains_key("schemas"));
        self.document.shift_remove("id");
        self.document
            .shift_insert(position, "id".to_owned(), id.into());
    }

    /// Sets what the server knows: instants as `xsd:dateTime`, and the version counter.
    pub fn set_meta(&mut self, created: &str, modified: &str, version: u64) {
        let meta = self
            .document
            .entry("meta")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(meta) = meta.as_object_mut() {
            meta.insert("created".to_owned(), created.into());
            meta.insert("lastModified".to_owned(), modified.into());
            meta.insert("version".to_owned(), format!("W/\"{version}\"").into());
        }
    }

    /// Returns the members that the request listed, once: `None` when it did not mention them.
    pub fn take_members(&mut self) -> Option<Vec<Member>> {
        self.members.take()
    }

    /// Returns what the request contained without effect: unknown, read-only and secret names.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Returns the document.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.document
    }

    /// Returns the document for the code of this crate that changes it and then calls [`settle`].
    pub(crate) fn document_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.document
    }

    /// Returns the document as a JSON value.
    pub fn into_value(self) -> Value {
        Value::Object(self.document)
    }

    /// Returns the document as JSON text, `meta` last: what is known only when it is shown is written behind it, see
    /// [`crate::stored::shown`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let is_meta = |(name, _): &(&String, &Value)| name.as_str() == "meta";
        let others = self.document.iter().filter(|field| !is_meta(field));
        let fields = others.chain(self.document.iter().filter(is_meta));
        let mut text = Vec::new();
        // writing a map of JSON values to memory cannot fail; an empty body would be seen at once
        let written = serde_json::Serializer::new(&mut text).collect_map(fields);
        debug_assert!(written.is_ok(), "{written:?}");
        text
    }

    /// Returns the values at a place: several for a list, none when absent.
    pub fn get(&self, path: &Path) -> Vec<&Value> {
        crate::filter::values_at(path, &self.document)
    }

    /// Returns the identifier, once the server has set it.
    pub fn id(&self) -> Option<&str> {
        self.text("id")
    }

    /// Returns the name with which a user signs in.
    pub fn user_name(&self) -> Option<&str> {
        self.text("userName")
    }

    /// Returns the client's own identifier.
    pub fn external_id(&self) -> Option<&str> {
        self.text("externalId")
    }

    /// Returns the name to show.
    pub fn display_name(&self) -> Option<&str> {
        self.text("displayName")
    }

    /// Returns whether a user is active. Whoever says nothing is not: taking `active` away must never let somebody in.
    pub fn is_active(&self) -> bool {
        self.document.get("active") == Some(&Value::Bool(true))
    }

    /// Returns the id of a user's manager (RFC 7643 §4.3).
    pub fn manager(&self) -> Option<&str> {
        let manager = self.document.get(ENTERPRISE_USER)?.get("manager")?;
        manager.get("value")?.as_str()
    }

    /// Makes a user who says nothing about being active say so; tells whether it had to. Whoever filters by `active` finds everybody
    /// then.
    pub fn assume_active(&mut self, active: bool) -> bool {
        if self.document.contains_key("active") {
            return false;
        }
        self.document
            .insert("active".to_owned(), Value::Bool(active));
        true
    }

    /// Returns the e-mail addresses, in order.
    pub fn emails(&self) -> impl Iterator<Item = &str> {
        self.document
            .get("emails")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|email| email.get("value")?.as_str())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.document.get(name)?.as_str()
    }
}

/// Refuses a body whose `schemas` is malformed or means another kind of resource.
fn check_schemas(resource_type: &ResourceType, body: &Map<String, Value>) -> Result<(), Error> {
    let wrong = || Error::invalid_syntax("`schemas` must be a list of URIs");
    let listed = match named(body, "schemas") {
        None | Some((_, Value::Null)) => return Ok(()),
        Some((_, Value::Array(list))) => list,
        Some(_) => return Err(wrong()),
    };
    let mut is_ours = listed.is_empty();
    for uri in listed {
        let uri = uri.as_str().ok_or_else(wrong)?;
        is_ours |= resource_type
            .schemas()
            .any(|schema| schema.id.eq_ignore_ascii_case(uri));
    }
    if is_ours {
        return Ok(());
    }
    Err(Error::invalid_syntax(format!(
        "`schemas` names no schema of a {}, such as {}",
        resource_type.name, resource_type.schema.id
    )))
}

fn read_extension(
    checker: &mut Checker<'_>,
    attributes: &[std::sync::Arc<Attribute>],
    value: Value,
    uri: &str,
) -> Result<Map<String, Value>, Error> {
    let given = match value {
        Value::Null => return Ok(Map::new()),
        Value::Object(map) => map,
        _ => {
            return Err(Error::invalid_value(format!(
                "{} must be an object",
                quoted(uri)
            )));
        }
    };
    let mut inner = Map::new();
    let prefix = format!("{uri}:");
    for (name, value) in given {
        match attributes
            .iter()
            .find(|attribute| attribute.is_named(&name))
        {
            Some(attribute) => read_attribute(checker, attribute, value, &prefix, &mut inner)?,
            None => checker.ignore(format!("{prefix}{name}")),
        }
    }
    Ok(inner)
}

fn read_attribute(
    checker: &mut Checker<'_>,
    attribute: &Attribute,
    value: Value,
    prefix: &str,
    into: &mut Map<String, Value>,
) -> Result<(), Error> {
    let place = format!("{prefix}{}", attribute.name);
    if attribute.mutability == Mutability::ReadOnly || attribute.is_secret() {
        // `schemas` is no mistake of the client, it only says what the content says anyway
        if attribute.name != "schemas" {
            checker.ignore(place);
        }
        return Ok(());
    }
    if let Some(value) = checker.attribute(attribute, value, &place)? {
        into.insert(attribute.name.clone(), value);
    }
    Ok(())
}

/// Compares what can be written only once, and carries it over where the request leaves it out.
fn keep_immutable(
    resource_type: &ResourceType,
    old: &Map<String, Value>,
    new: &mut Map<String, Value>,
) -> Result<(), Error> {
    keep_immutable_in("", resource_type.top_attributes(), old, new)?;
    for extension in &resource_type.extensions {
        let Some(before) = old.get(&extension.id).and_then(Value::as_object) else {
            continue;
        };
        let mut after = match new.shift_remove(&extension.id) {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        let prefix = format!("{}:", extension.id);
        keep_immutable_in(&prefix, extension.attributes.iter(), before, &mut after)?;
        if !after.is_empty() {
            new.insert(extension.id.clone(), Value::Object(after));
        }
    }
    Ok(())
}

fn keep_immutable_in<'a>(
    prefix: &str,
    attributes: impl Iterator<Item = &'a std::sync::Arc<Attribute>>,
    old: &Map<String, Value>,
    new: &mut Map<String, Value>,
) -> Result<(), Error> {
    for attribute in attributes {
        let Some(before) = old.get(&attribute.name) else {
            continue;
        };
        if attribute.mutability == Mutability::Immutable {
            let after = new
                .entry(attribute.name.clone())
                .or_insert_with(|| before.clone());
            if after != before {
                return Err(cannot_change(&format!("{prefix}{}", attribute.name)));
            }
        } else if attribute.is_complex() && !attribute.multi_valued {
            let Some(before) = before.as_object() else {
                continue;
            };
            if let Some(after) = new.get_mut(&attribute.name).and_then(Value::as_object_mut) {
                let prefix = format!("{prefix}{}.", attribute.name);
                keep_immutable_in(&prefix, attribute.sub_attributes.iter(), before, after)?;
            }
        }
    }
    Ok(())
}

/// Returns the refusal to change what can be written only once.
pub(crate) fn cannot_change(place: &str) -> Error {
    Error::new(
        ErrorKind::Mutability,
        format!("`{place}` cannot be changed once it has a value"),
    )
}

/// Brings a changed document into its final form, or refuses it.
///
/// Drops what became empty, checks what only the whole document can tell (required attributes, one
/// `primary`, number of values), orders the names and computes `schemas`.
pub(crate) fn settle(
    document: &mut Map<String, Value>,
    resource_type: &ResourceType,
    limits: &Limits,
) -> Result<(), Error> {
    let mut given = std::mem::take(document);
    given.shift_remove("schemas");
    let meta = given.shift_remove("meta");
    let mut uris = vec![Value::from(resource_type.schema.id.as_str())];
    let mut settled = Map::new();
    settle_attributes(
        "",
        resource_type.top_attributes(),
        &mut given,
        &mut settled,
        limits,
    )?;
    let mut extensions = Vec::new();
    for extension in &resource_type.extensions {
        let Some(Value::Object(mut inner)) = given.shift_remove(&extension.id) else {
            continue;
        };
        let mut kept = Map::new();
        let prefix = format!("{}:", extension.id);
        settle_attributes(
            &prefix,
            extension.attributes.iter(),
            &mut inner,
            &mut kept,
            limits,
        )?;
        // data of attributes that the installation no longer defines stays as it is
        kept.extend(inner);
        if !kept.is_empty() {
            uris.push(extension.id.as_str().into());
            extensions.push((extension.id.clone(), Value::Object(kept)));
        }
    }
    document.insert("schemas".to_owned(), Value::Array(uris));
    document.extend(settled);
    document.extend(extensions);
    document.extend(given);
    if let Some(meta) = meta {
        document.insert("meta".to_owned(), meta);
    }
    Ok(())
}

fn settle_attributes<'a>(
    prefix: &str,
    attributes: impl Iterator<Item = &'a std::sync::Arc<Attribute>>,
    given: &mut Map<String, Value>,
    settled: &mut Map<String, Value>,
    limits: &Limits,
) -> Result<(), Error> {
    // one pass in the order of the schema, taking each value out of the given map
    for attribute in attributes {
        let place = || format!("{prefix}{}", attribute.name);
        let kept = match given.get_mut(&attribute.name).map(Value::take) {
            Some(value) => settle_value(attribute, value, &place, limits)?,
            None => None,
        };
        match kept {
            Some(value) => {
                settled.insert(attribute.name.clone(), value);
            }
            None if attribute.required && !is_kept_elsewhere(attribute) => {
                return Err(Error::invalid_value(format!("`{}` is required", place())));
            }
            None => {}
        }
    }
    given.retain(|_, value| !value.is_null());
    Ok(())
}

/// Returns whether an attribute is required of clients without being part of the document.
fn is_kept_elsewhere(attribute: &Attribute) -> bool {
    attribute.mutability == Mutability::ReadOnly || attribute.is_secret()
}

fn settle_value(
    attribute: &Attribute,
    value: Value,
    place: &dyn Fn() -> String,
    limits: &Limits,
) -> Result<Option<Value>, Error> {
    match value {
        Value::Null => Ok(None),
        Value::Array(mut list) if attribute.multi_valued => {
            list.retain(|one| match one {
                Value::Object(map) => !value::is_hollow(attribute, map),
                Value::Null => false,
                _ => true,
            });
            if list.len() > limits.attribute_values {
                return Err(value::too_many(&place(), limits));
            }
            value::check_primary(&list, &place())?;
            for one in &list {
                check_parts(attribute, one, place)?;
            }
            Ok((!list.is_empty()).then_some(Value::Array(list)))
        }
        Value::Object(map) if map.is_empty() => Ok(None),
        other => {
            check_parts(attribute, &other, place)?;
            Ok(Some(other))
        }
    }
}

/// Refuses an object that lacks a required part.
fn check_parts(
    attribute: &Attribute,
    value: &Value,
    place: &dyn Fn() -> String,
) -> Result<(), Error> {
    let missing = attribute
        .sub_attributes
        .iter()
        .find(|part| part.required && !is_kept_elsewhere(part) && value.get(&part.name).is_none());
    match missing {
        Some(part) => Err(Error::invalid_value(format!(
            "`{}.{}` is required",
            place(),
            part.name
        ))),
        None => Ok(()),
    }
}
