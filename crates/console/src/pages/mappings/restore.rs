//! The mappings of a new application, given back; and how two mappings differ.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use rollcall_app::Failure;
use rollcall_model::mapping::{ObjectMapping, TargetAttribute, defaults};
use rollcall_model::{Kind, Permission};

use super::conflict::{Sides, conflict};
use super::{Head, kind_of, mapping_of};
use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};

pub(super) fn routes() -> Routes {
    let change = Needs::Role(Permission::ManageProvisioning);
    let path = "/applications/{id}/mappings/{object}/restore";
    vec![page(path, change, ask), action(path, change, restore)]
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) what: String,
    /// Absent: it is added.
    pub(super) before: Option<String>,
    /// Absent: it is taken out.
    pub(super) after: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "mapping_restore.html")]
pub(super) struct RestorePage {
    pub(super) frame: Frame,
    pub(super) head: Head,
    pub(super) changes: Vec<Difference>,
}

/// Tells in which ways two mappings differ.
pub(super) fn differences(before: &ObjectMapping, after: &ObjectMapping) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut tell = |what: &str, before: Option<String>, after: Option<String>| {
        if before != after {
            found.push(Difference {
                what: what.to_owned(),
                before,
                after,
            });
        }
    };
    tell("Name", Some(before.name.clone()), Some(after.name.clone()));
    let enabled =
        |mapping: &ObjectMapping| Some(if mapping.enabled { "Yes" } else { "No" }.to_owned());
    tell("Enabled", enabled(before), enabled(after));
    let actions = |mapping: &ObjectMapping| {
        let actions = mapping.actions;
        let words = [
            ("Create", actions.create),
            ("Update", actions.update),
            ("Delete", actions.delete),
        ];
        let words = words
            .into_iter()
            .filter_map(|(word, is)| is.then_some(word));
        let words: Vec<&str> = words.collect();
        Some(if words.is_empty() {
            "None".to_owned()
        } else {
            words.join(", ")
        })
    };
    tell("Target object actions", actions(before), actions(after));
    let types = |mapping: &ObjectMapping| Some(format!("{} to {}", mapping.source, mapping.target));
    tell("Object types", types(before), types(after));
    let scope = |mapping: &ObjectMapping| {
        let filters = mapping.filters.iter();
        let filters: Vec<String> = filters
            .map(rollcall_model::mapping::ScopeFilter::sentence)
            .collect();
        Some(if filters.is_empty() {
            "All records".to_owned()
        } else {
            filters.join(" or ")
        })
    };
    tell("Source object scope", scope(before), scope(after));
    let input = |mapping: &ObjectMapping| {
        let filters = mapping.input_filters.iter();
        let filters: Vec<String> = filters
            .map(rollcall_model::mapping::ScopeFilter::sentence)
            .collect();
        (!filters.is_empty()).then(|| filters.join(" or "))
    };
    tell("Input filters", input(before), input(after));
    for target in both(before, after, |mapping| {
        mapping
            .attributes
            .iter()
            .map(|line| line.target.as_str())
            .collect()
    }) {
        let line = |mapping: &ObjectMapping| {
            let place = mapping.place_of(target)?;
            mapping
                .attributes
                .get(place)
                .map(rollcall_model::AttributeMapping::sentence)
        };
        tell(&format!("Mapping to {target}"), line(before), line(after));
    }
    for name in both(before, after, |mapping| {
        mapping
            .target_attributes
            .iter()
            .map(|one| one.name.as_str())
            .collect()
    }) {
        let listed = |mapping: &ObjectMapping| {
            let mut listed = mapping.target_attributes.iter();
            listed
                .find(|one| one.name.eq_ignore_ascii_case(name))
                .map(properties)
        };
        tell(
            &format!("Attribute list: {name}"),
            listed(before),
            listed(after),
        );
    }
    found
}

/// Returns the names on both sides, each once.
fn both<'m>(
    before: &'m ObjectMapping,
    after: &'m ObjectMapping,
    names: impl Fn(&'m ObjectMapping) -> Vec<&'m str>,
) -> Vec<&'m str> {
    let mut all = names(before);
    let mut met: std::collections::HashSet<String> =
        all.iter().map(|name| name.to_ascii_lowercase()).collect();
    all.extend(
        names(after)
            .into_iter()
            .filter(|name| met.insert(name.to_ascii_lowercase())),
    );
    all
}

/// Says in one line what an attribute of the target's list is.
pub(super) fn properties(attribute: &TargetAttribute) -> String {
    let mut told = vec![attribute.kind.name().to_owned()];
    let flags = [
        ("primary", attribute.primary_key),
        ("required", attribute.required),
        ("multi-valued", attribute.multi_valued),
        ("exact case", attribute.exact_case),
    ];
    told.extend(
        flags
            .into_iter()
            .filter(|(_, is)| *is)
            .map(|(word, _)| word.to_owned()),
    );
    if attribute.mutability != rollcall_model::mapping::Mutability::ReadWrite {
        told.push(attribute.mutability.name().to_owned());
    }
    if let Some(text) = &attribute.api_expression {
        told.push(format!("API expression {text}"));
    }
    if !attribute.referenced_objects.is_empty() {
        told.push(format!(
            "refers to {}",
            attribute.referenced_objects.join(", ")
        ));
    }
    told.join(", ")
}

fn default_of(kind: Kind) -> ObjectMapping {
    match kind {
        Kind::User => defaults::users(),
        Kind::Group => defaults::groups(),
    }
}

async fn ask(
    State(console): State<Console>,
    known: Known,
    Path((id, kind)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let kind = kind_of(&kind)?;
    let mut application = console.editable(&known, &id).await?;
    let head = Head::new(&application, kind);
    let frame = console
        .frame(&known, Place::Applications, "Restore default mappings")
        .await?;
    let mapping = mapping_of(&mut application, kind);
    Ok(layout::rendered(&RestorePage {
        changes: differences(mapping, &default_of(kind)),
        frame,
        head,
    }))
}

async fn restore(
    State(console): State<Console>,
    known: Known,
    Path((id, kind)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let kind = kind_of(&kind)?;
    let mut application = console.editable(&known, &id).await?;
    let head = Head::new(&application, kind);
    let restored = console
        .app
        .edit_mapping(
            &known.visitor.context(),
            application.id,
            (kind, form.filled("version").map(str::to_owned)),
            move |mapping| {
                *mapping = default_of(kind);
                Ok(())
            },
        )
        .await;
    match restored {
        Ok(_) => {
            let flash = Flash::ok(format!(
                "The mappings of {} are those of a new application.",
                head.many()
            ));
            Ok(layout::done(&console, &head.base(), &flash))
        }
        Err(Failure::Precondition) => {
            let mapping = mapping_of(&mut application, kind);
            let sides = Sides {
                theirs: mapping
                    .attributes
                    .iter()
                    .map(rollcall_model::AttributeMapping::sentence)
                    .collect(),
                mine: vec!["The default mappings".to_owned()],
                action: format!("{}/restore", head.base()),
                back: head.base(),
            };
            conflict(&console, &known, head, &form, sides).await
        }
        Err(failure) => Err(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_once_and_nothing_else() {
        let before = defaults::users();
        assert_eq!(differences(&before, &before), []);
        let mut after = before.clone();
        after.take_out("title");
        after.enabled = false;
        after
            .target_attributes
            .push(TargetAttribute::new("shoeSize"));
        let told: Vec<String> = differences(&before, &after)
            .into_iter()
            .map(|one| one.what)
            .collect();
        assert_eq!(
            told,
            ["Enabled", "Mapping to title", "Attribute list: shoeSize"]
        );
    }
}
