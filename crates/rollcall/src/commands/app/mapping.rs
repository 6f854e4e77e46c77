//! `rollcall app mapping`: what fills the target's attributes.

use rollcall_model::mapping::{AttributeMapping, Source};
use rollcall_model::{Application, Kind};
use serde_json::{Value, json};

use super::{Desk, kinds};
use crate::cli::mapping::{Kinds, MappingCommand, SetMapping, SourceWords};
use crate::cli::words::PrecedenceOrNone;
use crate::outcome::Exit;
use crate::printer;
use crate::provisioning::noun;

pub(super) async fn run(desk: &Desk<'_>, command: MappingCommand) -> anyhow::Result<Exit> {
    match command {
        MappingCommand::List(kinds) => list(desk, &kinds).await,
        MappingCommand::Set(command) => set(desk, *command).await,
        MappingCommand::Remove(of) => {
            let (context, application) = desk.find(&of.which).await?;
            let key = (of.kind.into(), of.target.clone());
            desk.app
                .remove_mapping(&context, application.id, key)
                .await?;
            desk.done(
                &format!("nothing fills `{}` any more", of.target),
                &json!({"removed": of.target}),
            )
        }
        MappingCommand::Reset(command) => {
            let (context, application) = desk.find(&command.which).await?;
            let kinds = kinds(command.kind);
            let application = desk
                .app
                .reset_mapping(&context, application.id, kinds.clone())
                .await?;
            desk.done(
                "the mappings are those of a new application; `rollcall app plan` shows what that means",
                &Value::Array(described(&application, &kinds)?),
            )
        }
    }
}

async fn set(desk: &Desk<'_>, command: SetMapping) -> anyhow::Result<Exit> {
    let (context, application) = desk.find(&command.of.which).await?;
    let (kind, target): (Kind, String) = (command.of.kind.into(), command.of.target.clone());
    let application = desk
        .app
        .set_mapping(
            &context,
            application.id,
            (kind, target.clone()),
            move |mapping| change(mapping, command),
        )
        .await?;
    let mapping = application.mapping(kind);
    let is_listed = mapping
        .target_attributes
        .iter()
        .any(|listed| listed.name.eq_ignore_ascii_case(&target));
    if !is_listed {
        printer::say(&format!(
            "`{target}` is not in the attribute list and taken for text; `rollcall app attribute set` adds it"
        ));
    }
    let set = mapping
        .attributes
        .iter()
        .find(|one| one.target.eq_ignore_ascii_case(&target));
    desk.done(
        &set.map(AttributeMapping::sentence).unwrap_or_default(),
        &serde_json::to_value(set)?,
    )
}

fn change(mapping: &mut AttributeMapping, command: SetMapping) {
    mapping.source = source(command.source);
    if command.no_default {
        mapping.default = None;
    }
    if let Some(default) = command.default {
        mapping.default = Some(default);
    }
    if let Some(PrecedenceOrNone(precedence)) = command.matching {
        mapping.matching = precedence;
    }
    if let Some(word) = command.apply {
        mapping.apply = word.into();
    }
    if let Some(word) = command.nulls {
        mapping.nulls = word.into();
    }
}

fn source(words: SourceWords) -> Source {
    let SourceWords {
        direct,
        expression,
        constant,
        none: _,
    } = words;
    direct
        .map(Source::Direct)
        .or_else(|| expression.map(Source::Expression))
        .or_else(|| constant.map(Source::Constant))
        .unwrap_or(Source::None)
}

async fn list(desk: &Desk<'_>, command: &Kinds) -> anyhow::Result<Exit> {
    let (_, application) = desk.find(&command.which).await?;
    let kinds = kinds(command.kind);
    if desk.as_json {
        printer::json(&described(&application, &kinds)?)?;
        return Ok(Exit::Done);
    }
    let rows = kinds.iter().flat_map(|kind| {
        let attributes = application.mapping(*kind).attributes.iter();
        attributes.map(|mapping| {
            [
                noun(*kind).to_owned(),
                mapping.target.clone(),
                mapping.origin(),
                mapping.conditions(),
            ]
        })
    });
    printer::table(["kind", "target", "source", "how"], rows);
    Ok(Exit::Done)
}

fn described(application: &Application, kinds: &[Kind]) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    for kind in kinds {
        for mapping in &application.mapping(*kind).attributes {
            let mut value = serde_json::to_value(mapping)?;
            if let Some(fields) = value.as_object_mut() {
                fields.insert("kind".to_owned(), json!(kind));
            }
            all.push(value);
        }
    }
    Ok(all)
}
