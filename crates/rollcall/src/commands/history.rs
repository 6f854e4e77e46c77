//! `rollcall history`: what was, what differs, and the way back.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;

use rollcall_app::directory::Context;
use rollcall_app::history::{Became, Changed, Deed, Moment, Reason, Revert, Span, Step};
use rollcall_app::{App, actor_key};
use rollcall_model::history::Past;
use rollcall_model::{Actor, KeyId, Kind, ResourceId};
use rollcall_scim::patch::Change as Difference;
use serde_json::{Value, json};

use crate::cli::{DiffMoments, HistoryCommand, OneObject, RevertTo, ShowPast};
use crate::config::Config;
use crate::outcome::{Exit, Trouble};
use crate::{printer, runtime};

/// So many changes of an object are listed.
const LISTED: u64 = 100;
/// The end of the feed, wherever it is.
const NOW: Moment = Moment::Place(u64::MAX);

pub(crate) async fn run(
    config: &Config,
    command: HistoryCommand,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let app = runtime::app(config).await?;
    match command {
        HistoryCommand::List(which) => list(&app, &which, as_json).await,
        HistoryCommand::Show(show) => self::show(&app, &show).await,
        HistoryCommand::Diff(diff) => self::diff(&app, &diff, as_json).await,
        HistoryCommand::Revert(revert) => self::revert(&app, &revert, as_json).await,
    }
}

async fn list(app: &App, which: &OneObject, as_json: bool) -> anyhow::Result<Exit> {
    let organisation = app.organisation(&which.org).await?;
    let context = app.command_context(organisation.id);
    let kind = which.object.kind;
    let id = app.anybody(&context, &which.object).await?;
    let life = app.life(&context, (kind, id), LISTED).await?;
    let members = |change: &rollcall_model::Change| {
        (
            change.membership.added.len(),
            change.membership.removed.len(),
        )
    };
    if as_json {
        let life = life.iter().map(|change| {
            let (added, removed) = members(change);
            json!({"place": change.sequence, "at": change.at.to_string(), "action": change.action,
                "added": added, "removed": removed})
        });
        printer::json(&life.collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    let rows = life.iter().map(|change| {
        let action = json!(change.action);
        let said = match members(change) {
            (0, 0) => String::new(),
            (added, removed) => format!("{added} members in, {removed} out"),
        };
        [
            change.sequence.to_string(),
            change.at.to_string(),
            action.as_str().unwrap_or_default().to_owned(),
            said,
        ]
    });
    printer::table(["place", "at", "what", "members"], rows);
    Ok(Exit::Done)
}

async fn show(app: &App, show: &ShowPast) -> anyhow::Result<Exit> {
    let organisation = app.organisation(&show.which.org).await?;
    let context = app.command_context(organisation.id);
    let kind = show.which.object.kind;
    let id = app.anybody(&context, &show.which.object).await?;
    let Some(past) = app.past(&context, (kind, id), show.at).await? else {
        printer::say(&format!("{} was not there", show.which.object.name));
        return Ok(Exit::No);
    };
    let Some(document) = document(kind, past) else {
        printer::say("what it was has been erased");
        return Ok(Exit::No);
    };
    printer::json(&document)?;
    Ok(Exit::Done)
}

/// Returns an object as a SCIM resource; absent: it was erased.
pub(crate) fn document(kind: Kind, past: Past) -> Option<Value> {
    let mut document = past.document?;
    if let (Kind::Group, Some(fields)) = (kind, document.as_object_mut()) {
        let members = past.members.iter().map(|id| json!({"value": id}));
        fields.insert("members".into(), members.collect());
    }
    Some(document)
}

async fn diff(app: &App, diff: &DiffMoments, as_json: bool) -> anyhow::Result<Exit> {
    let organisation = app.organisation(&diff.org).await?;
    let context = app.command_context(organisation.id);
    let to = diff.to.unwrap_or(NOW);
    let by = match &diff.by {
        Some(who) => Some(actor(app, &context, who).await?),
        None => None,
    };
    let found = app.changed(&context, (diff.from, to), by.as_deref(), None);
    let mut found = found.await?;
    if let Some(object) = &diff.object {
        let id = app.anybody(&context, object).await?;
        let objects = &mut found.objects;
        objects.retain(|one| (one.kind, one.id) == (object.kind, id));
    }
    let moments = (Moment::Place(found.from), Moment::Place(found.to));
    let mut described = Vec::new();
    for one in &found.objects {
        // one at a time: there may be many, and each may hold much
        let object = (one.kind, one.id);
        let changed = app.compared(&context, object, moments).await?;
        if as_json {
            described.push(changed_json(&changed));
        } else {
            tell_changed(&changed);
        }
    }
    if as_json {
        printer::json(&described)?;
    } else if found.objects.is_empty() {
        printer::good("nothing differs");
    }
    Ok(Exit::Done)
}

fn tell_changed(one: &Changed) {
    printer::data(&format!(
        "{} {} {}",
        verb(one.became()),
        kind_word(one.kind),
        one.name()
    ));
    if one.became() == Became::Different {
        for line in attribute_lines(&one.attributes()) {
            printer::data(&line);
        }
    }
    let (added, removed) = one.members();
    tell_members(&added, &removed);
}

fn verb(became: Became) -> &'static str {
    match became {
        Became::New => "came",
        Became::Gone => "went",
        Became::Different => "changed",
    }
}

fn changed_json(one: &Changed) -> Value {
    let (added, removed) = one.members();
    json!({
        "what": verb(one.became()), "kind": one.kind.resource_type(), "id": one.id, "name": one.name(),
        "attributes": attributes_json(&one.attributes()), "added": added, "removed": removed,
    })
}

fn attributes_json(attributes: &[Difference]) -> Value {
    attributes
        .iter()
        .map(|change| json!({"path": change.path, "old": change.old, "new": change.new}))
        .collect()
}

fn attribute_lines(attributes: &[Difference]) -> impl Iterator<Item = String> {
    let shown = |value: &Option<Value>| {
        value
            .as_ref()
            .map_or_else(|| "nothing".to_owned(), ToString::to_string)
    };
    attributes.iter().map(move |change| {
        format!(
            "    {}: {} → {}",
            change.path,
            shown(&change.old),
            shown(&change.new)
        )
    })
}

async fn revert(app: &App, command: &RevertTo, as_json: bool) -> anyhow::Result<Exit> {
    let organisation = app.organisation(&command.span.org).await?;
    let context = app.command_context(organisation.id);
    let object = match &command.span.object {
        Some(object) => Some((object.kind, app.anybody(&context, object).await?)),
        None => None,
    };
    let span = Span {
        from: command.span.from,
        to: command.span.to.unwrap_or(NOW),
        object,
        by: match &command.span.by {
            Some(who) => Some(actor(app, &context, who).await?),
            None => None,
        },
        deletes: command.delete,
        most: None,
    };
    let plan = app.plan_revert(&context, span.clone()).await?;
    let (mut results, mut missing) = (HashMap::new(), 0);
    if command.yes && plan.does_anything() {
        let progress = AtomicU64::new(0);
        let outcome = app.take_back(&context, &span, &plan, &progress).await?;
        if outcome.untried > 0 {
            return Err(Trouble::unreachable(format!(
                "the store is out of reach: {} of {} objects were not tried",
                outcome.untried,
                plan.steps.len()
            ))
            .hint("run the command again: it does what is left")
            .into());
        }
        missing = outcome.missing;
        let refused = outcome.refused.into_iter();
        results.extend(refused.map(|one| (one.id, one.said())));
    }
    if as_json {
        let steps = plan.steps.iter().map(|step| {
            let mut described = step_json(step);
            if let Some(fields) = described.as_object_mut() {
                fields.insert("refused".into(), json!(results.get(&step.id)));
            }
            described
        });
        let steps: Vec<_> = steps.collect();
        printer::json(&json!({"done": command.yes, "steps": steps, "missing": missing}))?;
    } else {
        tell(&plan, command.yes, &results);
        if missing > 0 {
            printer::say(&format!(
                "members of groups who are gone, and stay so: {missing}"
            ));
        }
    }
    Ok(if results.is_empty() {
        Exit::Done
    } else {
        Exit::No
    })
}

/// Returns the key of whoever `--by` names.
async fn actor(app: &App, context: &Context, who: &str) -> anyhow::Result<String> {
    if who == "command" || who.contains(':') {
        return Ok(who.to_owned());
    }
    if let Ok(key) = who.parse::<KeyId>() {
        return Ok(actor_key(&Actor::Key { id: key }));
    }
    let (integrations, _) = app.tokens(context.tenant().organisation()).await?;
    let found = integrations
        .iter()
        .find(|one| one.kind.word() == who.to_lowercase());
    let Some(found) = found else {
        return Err(Trouble::wrong(format!("the organisation has no integration `{who}`"))
            .hint("--by takes the kind of an integration of this organisation (`rollcall token list` shows them), the id of an API key (`rollcall api-key list`), or `command`")
            .into());
    };
    Ok(format!("integration:{}", found.id))
}

fn tell(plan: &Revert, is_done: bool, results: &HashMap<ResourceId, String>) {
    for step in &plan.steps {
        printer::data(&format!(
            "{} {} {}",
            deed(&step.deed),
            kind_word(step.kind),
            step.name
        ));
        if let Deed::Restore {
            attributes,
            added,
            removed,
            missing,
            ..
        } = &step.deed
        {
            for line in attribute_lines(attributes) {
                printer::data(&line);
            }
            tell_members(added, removed);
            if !missing.is_empty() {
                printer::data(&format!(
                    "    {} members are gone and stay so",
                    missing.len()
                ));
            }
        }
        if let Some(refusal) = results.get(&step.id) {
            printer::data(&format!("    refused: {refusal}"));
        }
    }
    // a group that is there again under another id
    let steps = || plan.steps.iter().map(|step| step.id);
    for (id, refusal) in results {
        if !steps().any(|of| of == *id) {
            printer::data(&format!("refused: group {id}: {refusal}"));
        }
    }
    if !plan.does_anything() {
        printer::good("there is nothing to take back");
    } else if is_done {
        let done = plan
            .steps
            .iter()
            .filter(|step| !matches!(step.deed, Deed::Leave(_)) && !results.contains_key(&step.id));
        printer::good(&format!("{} objects are what they were", done.count()));
    } else {
        printer::say("nothing was changed; add --yes to do this");
    }
}

fn deed(deed: &Deed) -> &'static str {
    match deed {
        Deed::Restore { .. } => "restore",
        Deed::Recreate { .. } => "create again",
        Deed::Disable { .. } => "switch off",
        Deed::Delete { .. } => "delete",
        Deed::Leave(Reason::ChangedSince) => "leave (changed again since)",
        Deed::Leave(Reason::SomebodyElse) => "leave (somebody else changed it too)",
        Deed::Leave(Reason::Erased) => "leave (what it was has been erased)",
        Deed::Leave(Reason::NewGroup) => "leave (a new group; --delete removes it)",
    }
}

fn step_json(step: &Step) -> Value {
    let word = match &step.deed {
        Deed::Restore { .. } => "restore",
        Deed::Recreate { .. } => "recreate",
        Deed::Disable { .. } => "disable",
        Deed::Delete { .. } => "delete",
        Deed::Leave(_) => "leave",
    };
    let mut described = json!({
        "deed": word, "kind": step.kind.resource_type(), "id": step.id, "name": step.name,
    });
    let more = match &step.deed {
        Deed::Restore {
            attributes,
            added,
            removed,
            missing,
            ..
        } => {
            json!({"attributes": attributes_json(attributes), "added": added, "removed": removed, "missing": missing})
        }
        Deed::Recreate {
            members, missing, ..
        } => json!({"added": members, "missing": missing}),
        Deed::Leave(_) => json!({"reason": deed(&step.deed)}),
        Deed::Disable { .. } | Deed::Delete { .. } => json!({}),
    };
    if let (Some(fields), Value::Object(more)) = (described.as_object_mut(), more) {
        fields.extend(more);
    }
    described
}

fn tell_members(added: &[ResourceId], removed: &[ResourceId]) {
    if !added.is_empty() || !removed.is_empty() {
        let (added, removed) = (added.len(), removed.len());
        printer::data(&format!("    members: {added} in, {removed} out"));
    }
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "user",
        Kind::Group => "group",
    }
}
