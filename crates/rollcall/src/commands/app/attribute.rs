//! `rollcall app attribute`: the target's attribute list.

use rollcall_model::mapping::{Mutability, TargetAttribute};
use rollcall_model::{Application, Kind};
use serde_json::{Value, json};

use super::{Desk, kinds};
use crate::cli::mapping::{AttributeCommand, Kinds, SetAttribute};
use crate::outcome::Exit;
use crate::printer;
use crate::provisioning::{noun, word_of};

pub(super) async fn run(desk: &Desk<'_>, command: AttributeCommand) -> anyhow::Result<Exit> {
    match command {
        AttributeCommand::List(kinds) => list(desk, &kinds).await,
        AttributeCommand::Set(command) => set(desk, *command).await,
        AttributeCommand::Remove(of) => {
            let (context, application) = desk.find(&of.which).await?;
            let key = (of.kind.into(), of.attribute.clone());
            desk.app
                .remove_target_attribute(&context, application.id, key)
                .await?;
            desk.done(
                &format!("`{}` is not in the list any more", of.attribute),
                &json!({"removed": of.attribute}),
            )
        }
    }
}

async fn set(desk: &Desk<'_>, command: SetAttribute) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(&command.of.which).await?;
    let (kind, name): (Kind, String) = (command.of.kind.into(), command.of.attribute.clone());
    let application = desk
        .app
        .set_target_attribute(
            &context,
            application.id,
            (kind, name.clone()),
            move |attribute| change(attribute, command),
        )
        .await?;
    let listed = application
        .mapping(kind)
        .target_attributes
        .iter()
        .find(|one| one.name.eq_ignore_ascii_case(&name));
    desk.done(
        &format!("`{name}` is as you say"),
        &serde_json::to_value(listed)?,
    )
}

fn change(attribute: &mut TargetAttribute, command: SetAttribute) {
    for (place, word) in [
        (&mut attribute.primary_key, command.primary_key),
        (&mut attribute.required, command.required),
        (&mut attribute.multi_valued, command.multi_valued),
        (&mut attribute.exact_case, command.exact_case),
    ] {
        if let Some(word) = word {
            *place = word.into();
        }
    }
    if let Some(word) = command.value_type {
        attribute.kind = word.into();
    }
    if let Some(word) = command.mutability {
        attribute.mutability = word.into();
    }
    if let Some(text) = command.api_expression {
        attribute.api_expression = Some(text).filter(|text| !text.is_empty());
    }
    if let Some(text) = command.references {
        let types = text.split(',').map(str::trim);
        let types = types.filter(|name| !name.is_empty());
        attribute.referenced_objects = types.map(str::to_owned).collect();
    }
}

async fn list(desk: &Desk<'_>, command: &Kinds) -> anyhow::Result<Exit> {
    let (_, application) = desk.find(&command.which).await?;
    let kinds = kinds(command.kind);
    if desk.as_json {
        printer::json(&described(&application, &kinds)?)?;
        return Ok(Exit::Done);
    }
    let rows = kinds.iter().flat_map(|kind| {
        let attributes = application.mapping(*kind).target_attributes.iter();
        attributes.map(|attribute| {
            [
                noun(*kind).to_owned(),
                attribute.name.clone(),
                word_of(&attribute.kind),
                properties(attribute),
            ]
        })
    });
    printer::table(["kind", "attribute", "type", "properties"], rows);
    Ok(Exit::Done)
}

fn described(application: &Application, kinds: &[Kind]) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    for kind in kinds {
        for attribute in &application.mapping(*kind).target_attributes {
            let mut value = serde_json::to_value(attribute)?;
            if let Some(fields) = value.as_object_mut() {
                fields.insert("kind".to_owned(), json!(kind));
            }
            all.push(value);
        }
    }
    Ok(all)
}

fn properties(attribute: &TargetAttribute) -> String {
    let mut told: Vec<String> = [
        ("primary key", attribute.primary_key),
        ("required", attribute.required),
        ("multi-valued", attribute.multi_valued),
        ("exact case", attribute.exact_case),
    ]
    .into_iter()
    .filter(|(_, is)| *is)
    .map(|(what, _)| what.to_owned())
    .collect();
    if attribute.mutability != Mutability::ReadWrite {
        told.push(word_of(&attribute.mutability));
    }
    if !attribute.referenced_objects.is_empty() {
        told.push(format!("of {}", attribute.referenced_objects.join(" or ")));
    }
    if let Some(expression) = &attribute.api_expression {
        told.push(format!("API expression {expression}"));
    }
    told.join(", ")
}
