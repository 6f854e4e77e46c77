//! From the body of a PATCH to operations on resolved paths.

use serde_json::{Map, Value};

use super::{MemberChange, Operation, PATCH_SCHEMA, Patch, Verb};
use crate::error::{Error, ErrorKind, quoted};
use crate::filter::{Filter, Literal, Operator};
use crate::leniency::named;
use crate::limits::Limits;
use crate::member;
use crate::path::{Path, Place, Target};
use crate::schema::{Mutability, ResourceType, parts_of_rows};

pub(super) fn parse(body: &Value, kind: &ResourceType, limits: &Limits) -> Result<Patch, Error> {
    let body = body
        .as_object()
        .ok_or_else(|| Error::invalid_syntax("the body must be a JSON object"))?;
    check_schemas(body)?;
    let Some((_, Value::Array(operations))) = named(body, "Operations") else {
        return Err(Error::invalid_syntax("`Operations` must be a list"));
    };
    if operations.is_empty() {
        return Err(Error::invalid_syntax("`Operations` is empty"));
    }
    if operations.len() > limits.patch_operations {
        return Err(too_many(limits));
    }
    let mut patch = Patch {
        operations: Vec::new(),
        members: Vec::new(),
    };
    let mut reader = Reader {
        patch: &mut patch,
        kind,
        limits,
    };
    for (at, operation) in operations.iter().enumerate() {
        reader.operation(operation).map_err(|error| {
            let detail = format!("operation {}: {}", at + 1, error.detail);
            Error { detail, ..error }
        })?;
    }
    Ok(patch)
}

fn too_many(limits: &Limits) -> Error {
    Error::invalid_syntax(format!(
        "a PATCH has at most {} operations; each attribute of one without a path counts",
        limits.patch_operations
    ))
}

fn check_schemas(body: &Map<String, Value>) -> Result<(), Error> {
    match named(body, "schemas") {
        None => Ok(()),
        Some((_, Value::Array(uris)))
            if uris.iter().any(|uri| {
                uri.as_str()
                    .is_some_and(|uri| uri.eq_ignore_ascii_case(PATCH_SCHEMA))
            }) =>
        {
            Ok(())
        }
        Some(_) => Err(Error::invalid_syntax(format!(
            "`schemas` must list {PATCH_SCHEMA}"
        ))),
    }
}

struct Reader<'a> {
    patch: &'a mut Patch,
    kind: &'a ResourceType,
    limits: &'a Limits,
}

impl Reader<'_> {
    fn operation(&mut self, operation: &Value) -> Result<(), Error> {
        let fields = operation
            .as_object()
            .ok_or_else(|| Error::invalid_syntax("an operation is an object"))?;
        let verb = match named(fields, "op").and_then(|(_, op)| op.as_str()) {
            Some(op) if op.eq_ignore_ascii_case("add") => Verb::Add,
            Some(op) if op.eq_ignore_ascii_case("replace") => Verb::Replace,
            Some(op) if op.eq_ignore_ascii_case("remove") => Verb::Remove,
            Some(op) => {
                let detail = format!("`op` is {}: use add, replace or remove", quoted(op));
                return Err(Error::invalid_syntax(detail));
            }
            None => return Err(Error::invalid_syntax("`op` must be add, replace or remove")),
        };
        let value = named(fields, "value").map(|(_, value)| value);
        let path = match named(fields, "path") {
            None | Some((_, Value::Null)) => None,
            Some((_, Value::String(path))) if path.trim().is_empty() => None,
            Some((_, Value::String(path))) => Some(path),
            Some(_) => return Err(Error::invalid_path("`path` must be a text")),
        };
        if verb != Verb::Remove && value.is_none() {
            return Err(Error::invalid_value("`add` and `replace` need a `value`"));
        }
        match (path, value) {
            (Some(path), value) => {
                let path = Path::parse_within(path, self.kind, self.limits)?;
                self.at(verb, path, value)
            }
            (None, _) if verb == Verb::Remove => Err(Error::no_target("`remove` needs a `path`")),
            (None, Some(Value::Object(fields))) => fields
                .iter()
                .try_for_each(|(name, value)| self.by_name(verb, name, value)),
            (None, _) => Err(Error::invalid_value(
                "without a `path` the `value` must be an object of attributes",
            )),
        }
    }

    /// One attribute of an operation without path. Read-only ones are what the client read and sends back.
    fn by_name(&mut self, verb: Verb, name: &str, value: &Value) -> Result<(), Error> {
        let path = Path::parse_within(name, self.kind, self.limits)?;
        let place_is_read_only = path
            .place()
            .is_some_and(|place| place.attribute.mutability == Mutability::ReadOnly);
        if place_is_read_only {
            return Ok(());
        }
        self.at(verb, path, Some(value))
    }

    fn at(&mut self, verb: Verb, path: Path, value: Option<&Value>) -> Result<(), Error> {
        if let Some(place) = path.place() {
            if place.related && self.kind.name == "Group" {
                return self.members(verb, &path, value);
            }
            let is_read_only = place.attribute.mutability == Mutability::ReadOnly
                || path
                    .definition()
                    .is_some_and(|end| end.mutability == Mutability::ReadOnly);
            if is_read_only {
                return Err(Error::mutability(format!("`{path}` is read-only")));
            }
            if place.attribute.is_secret() {
                // "password discarded"
                return Ok(());
            }
        }
        match (&path.target, value) {
            (Target::Extension(urn), Some(Value::Object(fields))) => fields
                .iter()
                .filter(|(name, _)| !name.eq_ignore_ascii_case("schemas"))
                .try_for_each(|(name, value)| {
                    let inner =
                        Path::parse_within(&format!("{urn}:{name}"), self.kind, self.limits)?;
                    self.at(verb, inner, Some(value))
                }),
            (Target::Extension(_), Some(value)) if verb != Verb::Remove && !value.is_null() => Err(
                Error::invalid_value(format!("the value at `{path}` must be an object")),
            ),
            (_, value) => {
                let value = value.cloned().unwrap_or_default();
                self.patch.operations.push(Operation { verb, path, value });
                self.check_number()
            }
        }
    }

    /// Checks how many operations there are, each attribute of one without a path counted.
    fn check_number(&self) -> Result<(), Error> {
        if self.patch.operations.len() + self.patch.members.len() > self.limits.patch_operations {
            return Err(too_many(self.limits));
        }
        Ok(())
    }

    /// Makes the removal of the members that fulfil a condition. Members are rows of which only `value` and `type` are looked
    /// at, and all members are, so both what a condition asks and the number of conditions have a bound.
    fn remove_where(&self, place: &Place, filter: &Filter) -> Result<MemberChange, Error> {
        let known = parts_of_rows(&place.attribute);
        if let Some(part) = filter.node.asks_beyond(known) {
            return Err(Error::invalid_filter(format!(
                "members cannot be chosen by `{part}`, only by {}",
                known.join(", ")
            )));
        }
        let conditions = self.patch.members.iter().filter_map(|change| match change {
            MemberChange::RemoveWhere(filter) => Some(filter.terms()),
            _ => None,
        });
        let (number, terms) = conditions.fold((1, filter.terms()), |(number, terms), more| {
            (number + 1, terms + more)
        });
        if number > self.limits.patch_member_conditions || terms > self.limits.filter_terms {
            let detail = format!(
                "a PATCH removes members by at most {} conditions with {} comparisons: use `members[value eq \"…\"]`, or \
                 `remove` at `members` with a list",
                self.limits.patch_member_conditions, self.limits.filter_terms
            );
            return Err(Error::new(ErrorKind::TooMany, detail));
        }
        Ok(MemberChange::RemoveWhere(filter.clone()))
    }

    fn members(&mut self, verb: Verb, path: &Path, value: Option<&Value>) -> Result<(), Error> {
        let given = || member::members(value.cloned().unwrap_or_default(), self.limits);
        let change = match (&path.target, verb) {
            (Target::Attribute(place), _) if place.sub.is_some() => {
                return Err(Error::mutability(format!(
                    "`{path}` cannot be changed: add and remove whole members"
                )));
            }
            (Target::Attribute(_), Verb::Add) => MemberChange::Add(given()?),
            (Target::Attribute(_), Verb::Replace) => MemberChange::Replace(given()?),
            (Target::Attribute(_), Verb::Remove) => match value {
                None | Some(Value::Null) => MemberChange::RemoveAll,
                // "members removed by value"
                Some(_) => {
                    MemberChange::Remove(given()?.into_iter().map(|member| member.value).collect())
                }
            },
            (
                Target::Elements {
                    place,
                    sub: None,
                    filter,
                },
                Verb::Remove,
            ) => {
                let conjuncts = filter.conjuncts();
                match conjuncts.as_slice() {
                    [only]
                        if only.operator == Operator::Eq
                            && only.path() == "value"
                            && matches!(filter.node, crate::filter::Node::Compare(_)) =>
                    {
                        match only.literal {
                            Literal::String(id) => MemberChange::Remove(vec![id.clone()]),
                            _ => self.remove_where(place, filter)?,
                        }
                    }
                    _ => self.remove_where(place, filter)?,
                }
            }
            _ => {
                return Err(Error::mutability(format!(
                    "`{path}`: a member is added and removed, never changed"
                )));
            }
        };
        self.patch.members.push(change);
        self.check_number()
    }
}
