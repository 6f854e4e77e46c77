//! A mapping as a whole: on or off, what may be done, what fills the target's attributes, with the result for a real person.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use rollcall_app::Failure;
use rollcall_model::mapping::{Actions, Apply, ObjectMapping};
use rollcall_model::{Application, Kind, Permission};
use rollcall_sync::explain::Explained;
use rollcall_sync::rules::can_match;

use super::conflict::{Sides, conflict};
use super::line::{Fields, Piece, pieces};
use super::{Head, Person, kind_of, mapping_of, problem, shown, with};
use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Place};
use crate::pages::applications::Tab;
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};

pub(super) fn routes() -> Routes {
    let look_at = Needs::Role(Permission::Read);
    let change = Needs::Role(Permission::ManageProvisioning);
    vec![
        page("/applications/{id}/mappings", look_at, forward),
        page("/applications/{id}/mappings/{object}", look_at, look),
        action("/applications/{id}/mappings/{object}", change, save),
        action("/applications/{id}/mappings/{object}/lines", change, act),
    ]
}

/// A line of the table.
#[derive(Debug)]
pub(super) struct Row {
    /// Its place in addresses, from 1.
    pub(super) number: usize,
    pub(super) target: String,
    pub(super) source: Vec<Piece>,
    /// Its rank as matching attribute, from 1.
    pub(super) rank: Option<usize>,
    pub(super) can_match: bool,
    pub(super) apply: &'static str,
    pub(super) default: Option<String>,
    pub(super) result: Option<(&'static str, String)>,
}

#[derive(Debug, Template)]
#[template(path = "mapping_list.html")]
pub(super) struct ListPage {
    pub(super) frame: Frame,
    pub(super) head: Head,
    pub(super) name: String,
    pub(super) enabled: bool,
    pub(super) actions: Actions,
    pub(super) target_type: String,
    pub(super) filters: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// How many match.
    pub(super) matching: usize,
    pub(super) listed: usize,
    pub(super) person: Person,
    /// Why no results are shown.
    pub(super) trouble: Option<String>,
    /// A line that was taken out: its target, and the fields that bring it back.
    pub(super) undo: Option<(String, Vec<(String, String)>)>,
}

/// Makes the rows of a mapping.
pub(super) fn rows(mapping: &ObjectMapping, kind: Kind, results: &[Explained]) -> Vec<Row> {
    let order = mapping.matching_order();
    let lines = mapping.attributes.iter().enumerate();
    lines
        .map(|(place, line)| {
            let rank = order.iter().position(|ordered| *ordered == place);
            let result = results
                .iter()
                .find(|result| is_of(result, &line.target))
                .map(|result| shown(&result.outcome));
            Row {
                number: place + 1,
                target: line.target.clone(),
                source: pieces(&line.source),
                rank: rank.map(|rank| rank + 1),
                can_match: can_match(mapping, kind, line),
                apply: match line.apply {
                    Apply::Always => "Always",
                    Apply::OnCreate => "Only when created",
                    Apply::AddOnly => "Only adds",
                },
                default: line.default.clone(),
                result,
            }
        })
        .collect()
}

/// Tells whether a result is of the line that fills this attribute; paths are written in more than one way.
fn is_of(result: &Explained, target: &str) -> bool {
    use rollcall_sync::target_path::TargetPath;
    result.target.eq_ignore_ascii_case(target.trim())
        || TargetPath::parse(target).is_ok_and(|path| path.to_string() == result.target)
}

async fn forward(Path(id): Path<String>) -> Response {
    let id: String = id.chars().filter(char::is_ascii_graphic).collect();
    Redirect::to(&format!(
        "/applications/{}/mappings/users",
        layout::encoded(&id)
    ))
    .into_response()
}

async fn look(
    State(console): State<Console>,
    known: Known,
    Path((id, kind)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let kind = kind_of(&kind)?;
    let application = console.application(&known, &id).await?;
    let head = Head::new(&application, kind);
    let frame = console
        .mapping_frame(
            &known,
            &head,
            &format!("Attribute mapping, {}", head.word()),
        )
        .await?;
    let person = console
        .person(&known, &application, kind, form.text("person"))
        .await?;
    let (results, trouble) = results(&console, &known, &application, &person, kind).await?;
    let mapping = application.mapping(kind);
    let undo = form.filled("undo").and_then(|text| console.unmarked(text));
    Ok(layout::rendered(&ListPage {
        name: mapping.name.clone(),
        enabled: mapping.enabled,
        actions: mapping.actions,
        target_type: mapping.target.clone(),
        filters: mapping
            .filters
            .iter()
            .map(rollcall_model::mapping::ScopeFilter::sentence)
            .collect(),
        rows: rows(mapping, kind, &results),
        matching: mapping.matching_order().len(),
        listed: mapping.target_attributes.len(),
        undo: undo.and_then(|address| removed(address, &head, mapping)),
        person,
        trouble,
        frame,
        head,
    }))
}

async fn results(
    console: &Console,
    known: &Known,
    application: &Application,
    person: &Person,
    kind: Kind,
) -> Result<(Vec<Explained>, Option<String>), Problem> {
    let Some(id) = person.id else {
        return Ok((Vec::new(), None));
    };
    let context = known.visitor.context();
    match console
        .engine
        .preview(&context, application.clone(), kind, id)
        .await
    {
        Ok(preview) => Ok((preview.lines, None)),
        Err(rollcall_engine::Error::Failed(failure @ Failure::Configuration(_))) => {
            Ok((Vec::new(), Some(failure.to_string())))
        }
        Err(error) => Err(problem(error)),
    }
}

/// Reads from the address of a form which line was taken out, unless it is there again.
fn removed(
    address: &str,
    head: &Head,
    mapping: &ObjectMapping,
) -> Option<(String, Vec<(String, String)>)> {
    let query = address.strip_prefix(&format!("{}/new?", head.base()))?;
    let fields = Form::of_query(query).fields().to_vec();
    let (_, target) = fields.iter().find(|(name, _)| name == "target")?;
    let is_back = mapping.place_of(target).is_some();
    (!is_back).then(|| (target.clone(), fields.clone()))
}

async fn save(
    State(console): State<Console>,
    known: Known,
    Path((id, kind)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let kind = kind_of(&kind)?;
    let application = console.editable(&known, &id).await?;
    let enabled = form.text("enabled") == "yes";
    let actions = Actions {
        create: form.has("create"),
        update: form.has("update"),
        delete: form.has("delete"),
    };
    let head = Head::new(&application, kind);
    let changed = console
        .app
        .edit_mapping(
            &known.visitor.context(),
            application.id,
            (kind, form.filled("version").map(str::to_owned)),
            move |mapping| {
                mapping.enabled = enabled;
                mapping.actions = actions;
                Ok(())
            },
        )
        .await;
    match changed {
        Ok(_) => {
            let text = if enabled {
                "Saved. The next cycle goes by it."
            } else {
                "Saved. Nothing of this kind is provisioned; what was provisioned stays as it is."
            };
            Ok(layout::done(&console, &head.base(), &Flash::ok(text)))
        }
        Err(Failure::Precondition) => {
            let mapping = application.mapping(kind);
            let sides = Sides {
                theirs: vec![switches(mapping.enabled, mapping.actions)],
                mine: vec![switches(enabled, actions)],
                action: head.base(),
                back: head.base(),
            };
            conflict(&console, &known, head, &form, sides).await
        }
        Err(failure) => Err(failure.into()),
    }
}

fn switches(enabled: bool, actions: Actions) -> String {
    let allowed = [
        ("create", actions.create),
        ("update", actions.update),
        ("delete", actions.delete),
    ];
    let allowed: Vec<&str> = allowed
        .into_iter()
        .filter_map(|(name, is)| is.then_some(name))
        .collect();
    let enabled = if enabled { "Enabled" } else { "Not enabled" };
    if allowed.is_empty() {
        return format!("{enabled}; nothing may be done in the target");
    }
    format!("{enabled}; may {}", allowed.join(", "))
}

/// What a button beside a line does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// It becomes the first matching attribute.
    Match,
    Up,
    Down,
    /// It does not match any more.
    Unmatch,
    Delete,
}

impl Act {
    const ALL: [(&'static str, Self); 5] = [
        ("match", Self::Match),
        ("up", Self::Up),
        ("down", Self::Down),
        ("unmatch", Self::Unmatch),
        ("delete", Self::Delete),
    ];

    /// Finds the button that was pressed, and the attribute beside which it stands.
    fn of_form(form: &Form) -> Option<(Self, String)> {
        Self::ALL
            .into_iter()
            .find_map(|(name, act)| Some((act, form.filled(name)?.to_owned())))
    }

    fn apply(self, mapping: &mut ObjectMapping, target: &str) -> Result<(), Failure> {
        let place = mapping.place_of(target).ok_or_else(|| Failure::Missing {
            noun: "mapping",
            id: target.to_owned(),
        })?;
        match self {
            Self::Match => mapping.rank(place, Some(1)),
            Self::Up => mapping.shift(place, true),
            Self::Down => mapping.shift(place, false),
            Self::Unmatch => mapping.rank(place, None),
            Self::Delete => {
                mapping.take_out(target);
            }
        }
        Ok(())
    }

    /// Says what was done.
    fn done(self, target: &str) -> String {
        match self {
            Self::Match => format!(
                "Objects are matched by {target} first. The other matching attributes moved down."
            ),
            Self::Up | Self::Down => "The order of the matching attributes is changed.".to_owned(),
            Self::Unmatch => format!("Objects are not matched by {target} any more."),
            Self::Delete => {
                format!("Nothing fills {target} any more. What the target has there stays.")
            }
        }
    }

    /// Says what was about to be done.
    fn wanted(self, target: &str) -> String {
        match self {
            Self::Match => format!("Match by {target} first"),
            Self::Up => format!("Move {target} up among the matching attributes"),
            Self::Down => format!("Move {target} down among the matching attributes"),
            Self::Unmatch => format!("Do not match by {target}"),
            Self::Delete => format!("Delete the mapping to {target}"),
        }
    }
}

async fn act(
    State(console): State<Console>,
    known: Known,
    Path((id, kind)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let kind = kind_of(&kind)?;
    let mut application = console.editable(&known, &id).await?;
    let head = Head::new(&application, kind);
    let (act, target) =
        Act::of_form(&form).ok_or_else(|| Problem::refused("no button was pressed".to_owned()))?;
    let base = head.base();
    let mapping = mapping_of(&mut application, kind);
    let order = mapping.matching_order();
    let line = mapping.place_of(&target);
    let rank = line.and_then(|place| order.iter().position(|ordered| *ordered == place));
    let line = line
        .and_then(|place| mapping.attributes.get(place))
        .cloned();
    let wanted = target.clone();
    let changed = console
        .app
        .edit_mapping(
            &known.visitor.context(),
            application.id,
            (kind, form.filled("version").map(str::to_owned)),
            move |mapping| act.apply(mapping, &wanted),
        )
        .await;
    match changed {
        Ok(_) => {
            let back = match line.filter(|_| act == Act::Delete) {
                Some(line) => {
                    let fields = Fields::of_line(&line, rank.map(|rank| rank + 1));
                    let address = format!("{base}/new?{}", fields.query());
                    with(&base, "undo", &console.marked(&address))
                }
                None => base,
            };
            Ok(layout::done(&console, &back, &Flash::ok(act.done(&target))))
        }
        Err(Failure::Precondition | Failure::Missing { .. }) => {
            let theirs =
                line.map_or_else(|| format!("Nothing fills {target}"), |line| line.sentence());
            let sides = Sides {
                theirs: vec![theirs],
                mine: vec![act.wanted(&target)],
                action: format!("{base}/lines"),
                back: base,
            };
            conflict(&console, &known, head, &form, sides).await
        }
        Err(Failure::Configuration(mistakes)) => {
            let mistake = mistakes.first().map(ToString::to_string);
            let text = format!("Nothing was changed. {}", mistake.unwrap_or_default());
            Ok(layout::done(&console, &base, &Flash::warn(text)))
        }
        Err(failure) => Err(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_model::mapping::defaults;

    #[test]
    fn every_button_does_what_it_says() {
        let mut mapping = defaults::users();
        Act::Match.apply(&mut mapping, "externalId").unwrap();
        let ranked = |mapping: &ObjectMapping| -> Vec<String> {
            let order = mapping.matching_order();
            let lines = order.iter().map(|place| &mapping.attributes[*place]);
            lines.map(|line| line.target.clone()).collect()
        };
        assert_eq!(ranked(&mapping), ["externalId", "userName"]);
        Act::Down.apply(&mut mapping, "externalId").unwrap();
        assert_eq!(ranked(&mapping), ["userName", "externalId"]);
        Act::Unmatch.apply(&mut mapping, "userName").unwrap();
        assert_eq!(ranked(&mapping), ["externalId"]);
        Act::Delete.apply(&mut mapping, "title").unwrap();
        assert!(mapping.place_of("title").is_none());
        assert!(Act::Delete.apply(&mut mapping, "title").is_err());
        let form = Form::of_query("version=1&up=userName");
        assert_eq!(Act::of_form(&form), Some((Act::Up, "userName".to_owned())));
    }

    #[test]
    fn what_cannot_match_is_not_offered_to() {
        let mapping = defaults::users();
        let rows = rows(&mapping, Kind::User, &[]);
        let cannot: Vec<&str> = rows
            .iter()
            .filter(|row| !row.can_match)
            .map(|row| row.target.as_str())
            .collect();
        assert_eq!(
            cannot,
            [
                "active",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"
            ]
        );
        assert_eq!(rows[0].rank, Some(1));
    }
}
