//! Places in a resource: attribute paths and value paths (RFC 7644 §3.5.2, §3.10).
//!
//! **Is:** text resolved against a resource type, so that what exists is a place that exists.
//! **Start at** [`Path::parse`].

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, quoted};
use crate::filter::Filter;
use crate::limits::{Limits, STANDARD};
use crate::schema::{Attribute, ResourceType};

/// Where names are looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// In a whole resource.
    Resource(&'a ResourceType),
    /// Among the parts of one complex value.
    Element(&'a Attribute),
}

/// An attribute, or a part of one, without a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) extension: Option<Arc<str>>,
    pub(crate) attribute: Arc<Attribute>,
    pub(crate) sub: Option<Arc<Attribute>>,
    /// Kept as rows beside the document.
    pub(crate) related: bool,
}

impl Place {
    /// Resolves `name`, `name.part` or either behind a URN. `None`: there is no such attribute.
    pub(crate) fn resolve(text: &str, scope: Scope<'_>) -> Option<Self> {
        let (extension, names) = match scope {
            Scope::Resource(kind) => split_urn(text, kind)?,
            Scope::Element(_) => (None, text),
        };
        let (name, sub) = match names.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (names, None),
        };
        let (extension, attribute) = match (scope, extension) {
            (Scope::Element(parent), _) => (None, Arc::clone(parent.sub_attribute(name)?)),
            (Scope::Resource(kind), Some(urn)) => {
                let schema = kind.extension(urn)?;
                (
                    Some(Arc::from(schema.id.as_str())),
                    Arc::clone(schema.attribute(name)?),
                )
            }
            (Scope::Resource(kind), None) => match kind.top_attribute(name) {
                Some(attribute) => (None, Arc::clone(attribute)),
                // "extension attribute without its URN"
                None => kind.extensions.iter().find_map(|schema| {
                    Some((
                        Some(Arc::from(schema.id.as_str())),
                        Arc::clone(schema.attribute(name)?),
                    ))
                })?,
            },
        };
        let sub = match sub {
            Some(sub) => Some(Arc::clone(attribute.sub_attribute(sub)?)),
            None => None,
        };
        let related = match scope {
            Scope::Resource(kind) => kind.is_related(extension.as_deref(), &attribute),
            Scope::Element(_) => false,
        };
        Some(Self {
            extension,
            attribute,
            sub,
            related,
        })
    }

    /// Returns the definition of what is at the place.
    pub(crate) fn definition(&self) -> &Arc<Attribute> {
        self.sub.as_ref().unwrap_or(&self.attribute)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.extension {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attribute.name)?;
        match &self.sub {
            Some(sub) => write!(f, ".{}", sub.name),
            None => Ok(()),
        }
    }
}

/// Takes a schema's URN off the front; `None` for the URN of no schema of the type.
fn split_urn<'t>(text: &'t str, kind: &ResourceType) -> Option<(Option<&'t str>, &'t str)> {
    if !text
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
    {
        return Some((None, text));
    }
    kind.schemas().find_map(|schema| {
        let urn = text.get(..schema.id.len())?;
        let rest = text.get(schema.id.len()..)?.strip_prefix(':')?;
        let is_core = schema.id == kind.schema.id;
        urn.eq_ignore_ascii_case(&schema.id)
            .then_some(((!is_core).then_some(urn), rest))
    })
}

/// A place in a resource, as PATCH and projections name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub(crate) target: Target,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// All attributes of an extension.
    Extension(Arc<str>),
    /// An attribute or a part of it.
    Attribute(Place),
    /// The elements of a list that fulfil a condition, or a part of them.
    Elements {
        place: Place,
        filter: Filter,
        sub: Option<Arc<Attribute>>,
    },
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// `invalidPath` when it is malformed or names nothing, `invalidFilter` for what is wrong inside brackets.
    pub fn parse(text: &str, kind: &ResourceType) -> Result<Self, Error> {
        Self::parse_within(text, kind, &STANDARD)
    }

    pub(crate) fn parse_within(
        text: &str,
        kind: &ResourceType,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let unknown = || {
            Error::invalid_path(format!(
                "the path {} names nothing in a {}",
                quoted(text),
                kind.name
            ))
        };
        let trimmed = text.trim();
        if trimmed.len() > limits.filter_bytes {
            return Err(Error::invalid_path(format!(
                "a path is at most {} bytes long",
                limits.filter_bytes
            )));
        }
        if let Some(extension) = kind.extension(trimmed) {
            return Ok(Self {
                target: Target::Extension(Arc::from(extension.id.as_str())),
            });
        }
        let Some((base, rest)) = trimmed.split_once('[') else {
            let place = Place::resolve(trimmed, Scope::Resource(kind)).ok_or_else(unknown)?;
            return Ok(Self {
                target: Target::Attribute(place),
            });
        };
        let (condition, behind) = rest.rsplit_once(']').ok_or_else(|| {
            Error::invalid_path(format!(
                "the path {} lacks its closing bracket",
                quoted(text)
            ))
        })?;
        let place = Place::resolve(base, Scope::Resource(kind)).filter(|place| place.sub.is_none());
        let place = place.ok_or_else(unknown)?;
        if !place.attribute.multi_valued {
            return Err(Error::invalid_path(format!(
                "`{place}` is no list, so nothing can be chosen from it"
            )));
        }
        let sub = match behind.strip_prefix('.') {
            Some(name) => Some(Arc::clone(
                place.attribute.sub_attribute(name).ok_or_else(unknown)?,
            )),
            None if behind.is_empty() => None,
            None => return Err(unknown()),
        };
        let filter = Filter::parse_in(condition, Scope::Element(&place.attribute), limits)?;
        Ok(Self {
            target: Target::Elements { place, filter, sub },
        })
    }

    /// Returns the place, unless the path names a whole extension.
    pub(crate) fn place(&self) -> Option<&Place> {
        match &self.target {
            Target::Extension(_) => None,
            Target::Attribute(place) | Target::Elements { place, .. } => Some(place),
        }
    }

    /// Returns the definition of the attribute, or part of one, at the end of the path; none for a whole extension.
    pub fn definition(&self) -> Option<&Arc<Attribute>> {
        match &self.target {
            Target::Extension(_) => None,
            Target::Attribute(place) => Some(place.definition()),
            Target::Elements { place, sub, .. } => Some(sub.as_ref().unwrap_or(&place.attribute)),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Extension(urn) => f.write_str(urn),
            Target::Attribute(place) => place.fmt(f),
            Target::Elements { place, filter, sub } => {
                write!(f, "{place}[{filter}]")?;
                match sub {
                    Some(sub) => write!(f, ".{}", sub.name),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Registry;

    #[test]
    fn a_path_prints_in_its_canonical_spelling_and_reads_back() {
        let registry = Registry::standard();
        for (text, canonical) in [
            ("USERNAME", "userName"),
            ("name.FAMILYNAME", "name.familyName"),
            (
                "urn:ietf:params:scim:schemas:core:2.0:user:displayname",
                "displayName",
            ),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            ),
            (
                "manager",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
            ),
            (
                "emails[TYPE eq \"work\"].VALUE",
                "emails[type eq \"work\"].value",
            ),
            ("emails[type eq \"a]b\"]", "emails[type eq \"a]b\"]"),
        ] {
            let path = Path::parse(text, registry.user()).unwrap();
            assert_eq!(path.to_string(), canonical);
            assert_eq!(Path::parse(canonical, registry.user()).unwrap(), path);
        }
    }

    #[test]
    fn what_names_nothing_is_refused() {
        let registry = Registry::standard();
        for wrong in [
            "",
            " ",
            "nosuch",
            "name.nosuch",
            "name.familyName.x",
            "emails[type eq \"work\"",
            "emails[]",
            "emails[x eq 1]",
            "userName[value eq \"x\"]",
            "emails[type eq \"work\"]value",
            "urn:nosuch:attribute",
            "a[b[c]]",
            ".",
            "[",
            "]",
        ] {
            assert!(Path::parse(wrong, registry.user()).is_err(), "{wrong}");
        }
    }
}
