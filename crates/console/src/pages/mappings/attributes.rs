//! The target's attribute list: names, types and properties, edited in one form.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use rollcall_app::Failure;
use rollcall_model::mapping::{Mutability, ObjectMapping, TargetAttribute, ValueType};
use rollcall_model::{Kind, Permission};
use rollcall_sync::rules::{Spot, check};
use rollcall_sync::target_path::TargetPath;

use super::conflict::{Sides, conflict};
use super::restore::{differences, properties};
use super::{Head, kind_of};
use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};

pub(super) fn routes() -> Routes {
    let change = Needs::Role(Permission::ManageProvisioning);
    let path = "/applications/{id}/attributes/{object}";
    vec![
        page(path, Needs::Role(Permission::Read), look),
        action(path, change, save),
        action("/applications/{id}/attributes/{object}/edit", change, edit),
    ]
}

/// So many attributes a list may have.
const MOST: usize = 1_000;

/// A line of the list as typed, with what is wrong in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) attribute: TargetAttribute,
    pub(super) error: Option<String>,
    /// Whether something fills it.
    pub(super) is_mapped: bool,
}

#[derive(Debug, Template)]
#[template(path = "attribute_list.html")]
pub(super) struct AttributesPage {
    pub(super) frame: Frame,
    pub(super) head: Head,
    pub(super) rows: Vec<Listed>,
    /// The line at the end, for an attribute that is to be added.
    pub(super) new: TargetAttribute,
    pub(super) mistakes: usize,
    /// Whether the form differs from what is stored.
    pub(super) is_changed: bool,
}

impl AttributesPage {
    fn address(&self) -> String {
        format!(
            "/applications/{}/attributes/{}",
            self.head.id,
            self.head.word()
        )
    }

    #[expect(clippy::unused_self, reason = "the template asks the page")]
    fn types(&self) -> [&'static str; 6] {
        ValueType::ALL.map(ValueType::name)
    }

    #[expect(clippy::unused_self, reason = "the template asks the page")]
    fn mutabilities(&self) -> [&'static str; 4] {
        Mutability::ALL.map(Mutability::name)
    }
}

/// Reads the line of this number.
fn line(form: &Form, number: usize) -> TargetAttribute {
    let key = |name: &str| format!("{name}-{number}");
    let kind = form.text(&key("type"));
    let mutability = form.text(&key("mut"));
    let references = form.raw(&key("ref")).split(',').map(str::trim);
    TargetAttribute {
        name: form.text(&key("name")).to_owned(),
        kind: ValueType::ALL
            .into_iter()
            .find(|known| known.name() == kind)
            .unwrap_or_default(),
        primary_key: form.has(&key("p")),
        required: form.has(&key("r")),
        multi_valued: form.has(&key("m")),
        exact_case: form.has(&key("e")),
        api_expression: form.filled(&key("api")).map(str::to_owned),
        referenced_objects: references
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        mutability: Mutability::ALL
            .into_iter()
            .find(|known| known.name() == mutability)
            .unwrap_or_default(),
    }
}

/// Reads the list, and the line at its end.
fn of_form(form: &Form) -> (Vec<TargetAttribute>, TargetAttribute) {
    let count = form.text("rows").parse::<usize>().unwrap_or(0).min(MOST);
    let list = (0..count).map(|number| line(form, number)).collect();
    (list, line(form, count))
}

/// Puts lines into the form, each with what is wrong in it.
pub(super) fn listed(mapping: &ObjectMapping, kind: Kind, list: &[TargetAttribute]) -> Vec<Listed> {
    let draft = ObjectMapping {
        target_attributes: list.to_vec(),
        ..mapping.clone()
    };
    let already = check(mapping, kind);
    let mistakes: Vec<(String, String)> = check(&draft, kind)
        .into_iter()
        .filter(|mistake| !already.contains(mistake))
        .filter_map(|(spot, mistake)| match spot {
            Spot::Attribute(place) => {
                let target = draft.attributes.get(place)?.target.to_ascii_lowercase();
                Some((
                    target,
                    format!("The mapping does not fit: {}.", mistake.message),
                ))
            }
            _ => None,
        })
        .collect();
    let mut met = std::collections::HashSet::new();
    list.iter()
        .map(|attribute| {
            let key = attribute.name.to_ascii_lowercase();
            let error = if let Err(error) = TargetPath::parse(&attribute.name) {
                Some(format!("{error}. Write a SCIM path such as userName or emails[type eq \"work\"].value."))
            } else if !met.insert(key.clone()) {
                Some("This name is in the list twice. Keep one of the two.".to_owned())
            } else if !attribute.referenced_objects.is_empty() && attribute.kind != ValueType::Reference {
                Some("Only an attribute of the type Reference refers to objects. Change the type, or empty the last field.".to_owned())
            } else {
                mistakes
                    .iter()
                    .find(|(target, _)| *target == key)
                    .map(|(_, text)| text.clone())
            };
            Listed {
                attribute: attribute.clone(),
                error,
                is_mapped: mapping.place_of(&attribute.name).is_some(),
            }
        })
        .collect()
}

impl Console {
    async fn attributes_page(
        &self,
        known: &Known,
        head: Head,
        mapping: &ObjectMapping,
        (list, new): (Vec<TargetAttribute>, TargetAttribute),
    ) -> Result<AttributesPage, Problem> {
        let rows = listed(mapping, head.kind, &list);
        let mistakes = rows.iter().filter(|row| row.error.is_some()).count();
        let title = if mistakes == 0 {
            "Edit attribute list"
        } else {
            "Error: Edit attribute list"
        };
        Ok(AttributesPage {
            frame: self.mapping_frame(known, &head, title).await?,
            is_changed: list != mapping.target_attributes,
            rows,
            new,
            mistakes,
            head,
        })
    }
}

async fn look(
    State(console): State<Console>,
    known: Known,
    Path((id, kind)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let kind = kind_of(&kind)?;
    let application = console.application(&known, &id).await?;
    let mapping = application.mapping(kind);
    let list = (mapping.target_attributes.clone(), TargetAttribute::new(""));
    let head = Head::new(&application, kind);
    let page = console.attributes_page(&known, head, mapping, list).await?;
    Ok(layout::rendered(&page))
}

/// Does what a button in the list says: `add`, `remove-N`.
fn pressed(list: &mut Vec<TargetAttribute>, new: &mut TargetAttribute, button: &str) {
    let number = button.strip_prefix("remove-");
    let number = number.and_then(|number| number.parse::<usize>().ok());
    if let Some(number) = number.filter(|number| *number < list.len()) {
        list.remove(number);
    } else if button == "add" && !new.name.is_empty() && list.len() < MOST {
        list.push(std::mem::replace(new, TargetAttribute::new("")));
    }
}

async fn edit(
    State(console): State<Console>,
    known: Known,
    Path((id, kind)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let kind = kind_of(&kind)?;
    let application = console.editable(&known, &id).await?;
    let mapping = application.mapping(kind);
    let (mut list, mut new) = of_form(&form);
    pressed(&mut list, &mut new, form.text("do"));
    let mut head = Head::new(&application, kind);
    // the form goes on from the version that it was made for
    form.text("version").clone_into(&mut head.version);
    let page = console
        .attributes_page(&known, head, mapping, (list, new))
        .await?;
    Ok(layout::rendered(&page))
}

async fn save(
    State(console): State<Console>,
    known: Known,
    Path((id, kind)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let kind = kind_of(&kind)?;
    let application = console.editable(&known, &id).await?;
    let mapping = application.mapping(kind);
    let head = Head::new(&application, kind);
    let (mut list, mut new) = of_form(&form);
    // what was typed into the last line was meant
    pressed(&mut list, &mut new, "add");
    let is_current = form.text("version") == head.version;
    let rows = listed(mapping, kind, &list);
    if is_current && rows.iter().any(|row| row.error.is_some()) {
        let page = console
            .attributes_page(&known, head, mapping, (list, new))
            .await?;
        return Ok(layout::rendered_again(&page));
    }
    let wanted = list.clone();
    let changed = console
        .app
        .edit_mapping(
            &known.visitor.context(),
            application.id,
            (kind, Some(form.text("version").to_owned())),
            move |mapping| {
                mapping.target_attributes = wanted;
                Ok(())
            },
        )
        .await;
    match changed {
        Ok(_) => {
            let flash = Flash::ok("Saved. The attribute list holds from the next cycle on.");
            Ok(layout::done(&console, &head.base(), &flash))
        }
        Err(Failure::Precondition) => {
            let mine = ObjectMapping {
                target_attributes: list,
                ..mapping.clone()
            };
            let mine = differences(mapping, &mine).into_iter();
            let address = format!("/applications/{}/attributes/{}", head.id, head.word());
            let theirs = mapping.target_attributes.iter();
            let sides = Sides {
                theirs: theirs
                    .map(|one| format!("{}: {}", one.name, properties(one)))
                    .collect(),
                mine: mine
                    .map(|one| {
                        let after = one.after.unwrap_or_else(|| "taken out".to_owned());
                        format!("{}: {after}", one.what)
                    })
                    .collect(),
                action: address.clone(),
                back: address,
            };
            conflict(&console, &known, head, &form, sides).await
        }
        Err(failure) => Err(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_model::mapping::defaults;

    fn query(list: &[TargetAttribute]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("rows", &list.len().to_string());
        for (number, one) in list.iter().enumerate() {
            let mut pair = |name: &str, value: &str| {
                query.append_pair(&format!("{name}-{number}"), value);
            };
            pair("name", &one.name);
            pair("type", one.kind.name());
            pair("mut", one.mutability.name());
            for (name, is) in [
                ("p", one.primary_key),
                ("r", one.required),
                ("m", one.multi_valued),
                ("e", one.exact_case),
            ] {
                if is {
                    pair(name, "on");
                }
            }
            pair("api", one.api_expression.as_deref().unwrap_or_default());
            pair("ref", &one.referenced_objects.join(", "));
        }
        query.finish()
    }

    #[test]
    fn the_list_goes_into_the_form_and_comes_back_the_same() {
        let mut list = defaults::users().target_attributes;
        list.extend(defaults::groups().target_attributes);
        list.push(TargetAttribute {
            kind: ValueType::Integer,
            exact_case: true,
            api_expression: Some("$.é".to_owned()),
            mutability: Mutability::WriteOnly,
            ..TargetAttribute::new("urn:ietf:params:scim:schemas:extension:own:2.0:User:quota")
        });
        let (read, new) = of_form(&Form::of_query(&query(&list)));
        assert_eq!(read, list);
        assert_eq!(new, TargetAttribute::new(""));
    }

    #[test]
    fn a_line_is_added_from_the_last_one_and_removed_by_its_number() {
        let mut list = defaults::groups().target_attributes;
        let mut new = TargetAttribute::new("shoeSize");
        pressed(&mut list, &mut new, "add");
        assert_eq!(list.len(), 5);
        pressed(&mut list, &mut new, "add");
        assert_eq!(list.len(), 5, "nothing was typed");
        pressed(&mut list, &mut new, "remove-0");
        pressed(&mut list, &mut new, "remove-99");
        pressed(&mut list, &mut new, "remove-x");
        assert_eq!(list.len(), 4);
        assert_eq!(list[0].name, "displayName");
    }

    #[test]
    fn every_mistake_stands_at_its_line() {
        let mapping = defaults::users();
        let mut list = mapping.target_attributes.clone();
        assert!(
            listed(&mapping, Kind::User, &list)
                .iter()
                .all(|row| row.error.is_none())
        );
        list[2].kind = ValueType::Integer;
        list.push(TargetAttribute::new("a["));
        list.push(TargetAttribute::new("USERNAME"));
        list.push(TargetAttribute {
            referenced_objects: vec!["User".to_owned()],
            ..TargetAttribute::new("assistant")
        });
        let rows = listed(&mapping, Kind::User, &list);
        let wrong: Vec<&str> = rows
            .iter()
            .filter(|row| row.error.is_some())
            .map(|row| row.attribute.name.as_str())
            .collect();
        assert_eq!(wrong, ["userName", "a[", "USERNAME", "assistant"]);
    }
}
