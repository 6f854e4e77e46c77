//! One line of a mapping: what fills an attribute of the target, with the result for a real person and for everybody in scope.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use rollcall_app::Failure;
use rollcall_engine::preview::{Population, Preview};
use rollcall_expression::{Expression, Severity, library};
use rollcall_model::mapping::{AttributeMapping, Mutability, ObjectMapping, Source};
use rollcall_model::{Application, Kind, Permission};
use rollcall_sync::rules::{Spot, check};
use rollcall_sync::source::attribute_names;
use rollcall_sync::target_path::TargetPath;
use rollcall_sync::task::Entitlement;
use serde_json::Value;

use super::conflict::{Sides, conflict};
use super::line::{Caret, Fields};
use super::{Head, Person, kind_of, mapping_of, problem, shown};
use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Mistakes, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};
use crate::words::sentence;

pub(super) fn routes() -> Routes {
    let look_at = Needs::Role(Permission::Read);
    let change = Needs::Role(Permission::ManageProvisioning);
    vec![
        page(
            "/applications/{id}/mappings/{object}/new",
            change,
            look_at_new,
        ),
        action("/applications/{id}/mappings/{object}/new", change, add),
        action(
            "/applications/{id}/mappings/{object}/new/preview",
            change,
            preview_new,
        ),
        page("/applications/{id}/mappings/{object}/{n}", look_at, look),
        action("/applications/{id}/mappings/{object}/{n}", change, save),
        action(
            "/applications/{id}/mappings/{object}/{n}/preview",
            change,
            preview,
        ),
    ]
}

/// What comes out for the person that was chosen.
#[derive(Debug, Default)]
pub(super) struct Tried {
    /// The attributes that are read: name and value.
    pub(super) inputs: Vec<(String, Option<String>)>,
    pub(super) class: &'static str,
    pub(super) text: String,
    /// Why nothing of it would be sent.
    pub(super) out_of_scope: Option<&'static str>,
}

/// A function of the expression language.
#[derive(Debug)]
pub(super) struct FunctionRow {
    pub(super) signature: String,
    pub(super) summary: &'static str,
}

#[derive(Debug, Template)]
#[template(path = "mapping_edit.html")]
pub(super) struct EditPage {
    pub(super) frame: Frame,
    pub(super) head: Head,
    /// The place of the line in addresses; `new` for a new one.
    pub(super) number: String,
    pub(super) fields: Fields,
    pub(super) mistakes: Mistakes,
    pub(super) carets: Vec<Caret>,
    pub(super) sources: Vec<String>,
    pub(super) targets: Vec<String>,
    /// The ranks that it can have as matching attribute.
    pub(super) ranks: Vec<String>,
    /// By what objects are matched now.
    pub(super) matched_by: String,
    pub(super) functions: Vec<FunctionRow>,
    pub(super) person: Person,
    pub(super) result: Option<Tried>,
    pub(super) population: Option<Population>,
    /// Whether a count was asked for and could not be made now.
    pub(super) busy: bool,
}

/// What is looked at beside the form itself.
#[derive(Debug, Clone, Copy, Default)]
struct Ask<'f> {
    person: &'f str,
    count: bool,
}

/// What a request is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Look,
    Change,
}

/// Which form it is.
#[derive(Debug)]
struct Site {
    application: Application,
    kind: Kind,
    number: String,
}

/// Returns the places of mistakes, and attributes that nobody is known to have, in an expression.
pub(super) fn carets(text: &str, kind: Kind, known: &[String]) -> Vec<Caret> {
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(mistakes) => {
            return mistakes
                .iter()
                .map(|mistake| Caret::new(text, mistake))
                .collect();
        }
    };
    let mut carets: Vec<Caret> = expression
        .warnings()
        .iter()
        .map(|mistake| Caret::new(text, mistake))
        .collect();
    for (name, span) in expression.attribute_places() {
        let names = attribute_names(kind).iter().copied();
        let names = names.chain(known.iter().map(String::as_str));
        if names.clone().any(|known| known == name) {
            continue;
        }
        let near = library::nearest_of(name, names);
        let mut caret = Caret::new(
            text,
            &rollcall_expression::Mistake {
                span: span.clone(),
                message: format!(
                    "Rollcall itself has no attribute “{name}”: it has a value only where the directory sends it"
                ),
                help: near.map(|near| format!("did you mean [{near}]?")),
                fix: near.map(|near| rollcall_expression::Fix {
                    span,
                    text: format!("[{near}]"),
                }),
                severity: Severity::Warning,
            },
        );
        caret.is_error = false;
        carets.push(caret);
    }
    carets
}

/// Returns the mistakes that a draft has because of one line, at the fields of the form.
fn mistakes_of(mapping: &ObjectMapping, kind: Kind, line: &AttributeMapping) -> Mistakes {
    let place = mapping.place_of(&line.target);
    let mut mistakes = Mistakes::default();
    for (spot, mistake) in check(mapping, kind) {
        let is_ours = match spot {
            Spot::Attribute(other) => Some(other) == place || mistake.message.contains("twice"),
            Spot::Whole => true,
            Spot::Filter { .. } | Spot::InputFilter { .. } => false,
        };
        if !is_ours {
            continue;
        }
        let field = if mistake.message.starts_with("the constant") {
            "const"
        } else if mistake.message.starts_with("the default") {
            "df"
        } else if mistake.message.contains("looked up by") || spot == Spot::Whole {
            "rank"
        } else if matches!(line.source, Source::Expression(_)) && mistake.message.contains('^') {
            "ex"
        } else {
            "tg"
        };
        let text = if field == "ex" {
            "The expression cannot be used: the places are marked below it.".to_owned()
        } else {
            format!("{} {}", sentence(&mistake.message), sentence(&mistake.help))
        };
        if mistakes.at(field) != Some(text.as_str()) {
            mistakes.add(field, text);
        }
    }
    mistakes
}

/// Names the attributes that mappings and filters of an application read.
fn used(application: &Application, kind: Kind) -> Vec<String> {
    let mapping = application.mapping(kind);
    let mut used: Vec<String> = Vec::new();
    for line in &mapping.attributes {
        if let Source::Direct(name) = &line.source {
            used.push(name.clone());
        }
    }
    let clauses = mapping.filters.iter().flat_map(|filter| &filter.clauses);
    used.extend(clauses.map(|clause| clause.attribute.clone()));
    used
}

/// Returns the source attributes that are offered.
pub(super) fn sources(kind: Kind, more: &[String]) -> Vec<String> {
    let own = attribute_names(kind).iter().map(|name| (*name).to_owned());
    let mut names: Vec<String> = own.chain(more.iter().cloned()).collect();
    names.retain(|name| name != "IsSoftDeleted" && !name.is_empty());
    names.sort_by_key(|name| name.to_lowercase());
    names.dedup();
    names
}

/// Returns the target attributes that are offered: those that no other line fills and that can be written.
fn targets(mapping: &ObjectMapping, fields: &Fields) -> Vec<String> {
    let own = [fields.target.as_str(), fields.was.as_str()];
    let is_own = |name: &str| own.iter().any(|own| own.eq_ignore_ascii_case(name));
    let mut names: Vec<String> = mapping
        .target_attributes
        .iter()
        .filter(|listed| !listed.primary_key && listed.mutability != Mutability::ReadOnly)
        .filter(|listed| is_own(&listed.name) || mapping.place_of(&listed.name).is_none())
        .map(|listed| listed.name.clone())
        .collect();
    for name in own {
        let is_there = names.iter().any(|known| known.eq_ignore_ascii_case(name));
        if !name.is_empty() && !is_there {
            names.push(name.to_owned());
        }
    }
    names
}

fn functions() -> Vec<FunctionRow> {
    let all = library::all().iter();
    all.map(|function| FunctionRow {
        signature: function.signature(),
        summary: function.summary,
    })
    .collect()
}

impl Console {
    async fn edit_page(
        &self,
        known: &Known,
        place: &Site,
        fields: Fields,
        mistakes: Mistakes,
        ask: Ask<'_>,
    ) -> Result<EditPage, Problem> {
        let Site {
            application,
            kind,
            number,
        } = place;
        let kind = *kind;
        let mapping = application.mapping(kind);
        let name = if number == "new" {
            "Add New Mapping"
        } else {
            "Edit attribute"
        };
        let title = if mistakes.is_empty() {
            name.to_owned()
        } else {
            format!("Error: {name}")
        };
        let head = Head::new(application, kind);
        let frame = self.mapping_frame(known, &head, &title).await?;
        let person = self.person(known, application, kind, ask.person).await?;
        let mut page = EditPage {
            head,
            number: number.clone(),
            sources: sources(kind, &used(application, kind)),
            targets: targets(mapping, &fields),
            ranks: ranks(mapping, &fields),
            matched_by: matched_by(mapping),
            functions: functions(),
            carets: Vec::new(),
            result: None,
            population: None,
            busy: false,
            fields,
            mistakes,
            person,
            frame,
        };
        let draft = page.fields.line().ok().and_then(|line| {
            let mut draft = application.clone();
            let was = Some(page.fields.was.as_str()).filter(|was| !was.is_empty());
            let mapping = mapping_of(&mut draft, kind);
            mapping.put(was, line.clone());
            let is_usable = mistakes_of(mapping, kind, &line).is_empty();
            is_usable.then_some((draft, line))
        });
        let mut own = used(application, kind);
        if let Some((draft, line)) = draft {
            let context = known.visitor.context();
            if let Some(id) = page.person.id {
                let preview = self.engine.preview(&context, draft.clone(), kind, id).await;
                let preview = preview.map_err(problem)?;
                own.extend(preview.object.attributes.keys().cloned());
                page.result = Some(result(&preview, &line));
            }
            if let Ok(target) = TargetPath::parse(&line.target)
                && ask.count
            {
                let population = self.engine.population(&context, draft, kind, target).await;
                page.population = population.map_err(problem)?;
                page.busy = page.population.is_none();
            }
        }
        if page.fields.kind == "expression" && !page.fields.expression.is_empty() {
            page.carets = carets(&page.fields.expression, kind, &own);
        }
        Ok(page)
    }
}

fn ranks(mapping: &ObjectMapping, fields: &Fields) -> Vec<String> {
    let own = mapping.place_of(&fields.was);
    let order = mapping.matching_order();
    let others = order.iter().filter(|place| Some(**place) != own).count();
    (1..=others + 1).map(|rank| rank.to_string()).collect()
}

fn matched_by(mapping: &ObjectMapping) -> String {
    let order = mapping.matching_order();
    let names = order
        .iter()
        .filter_map(|place| mapping.attributes.get(*place))
        .map(|line| line.target.as_str());
    names.collect::<Vec<_>>().join(", then ")
}

/// Returns what a draft makes of somebody.
fn result(preview: &Preview, line: &AttributeMapping) -> Tried {
    let target = TargetPath::parse(&line.target).map(|target| target.to_string());
    let target = target.unwrap_or_default();
    let outcome = preview
        .lines
        .iter()
        .find(|other| other.target == target)
        .map(|line| shown(&line.outcome));
    let (class, text) = outcome.unwrap_or(("muted", "No value".to_owned()));
    let names: Vec<String> = match &line.source {
        Source::Direct(name) => vec![name.clone()],
        Source::Expression(text) => match Expression::parse(text) {
            // whose value must not be shown, from that nothing is shown either
            Ok(expression) if !expression.is_redacted() => expression
                .attributes()
                .into_iter()
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        },
        Source::Constant(_) | Source::None => Vec::new(),
    };
    let inputs = names.into_iter().map(|name| {
        let value = preview.object.attributes.get(&name);
        let value = match value {
            None if name == "IsSoftDeleted" => Some("False".to_owned()),
            None | Some(Value::Null) => None,
            Some(value) => Some(value.to_string()),
        };
        (name, value)
    });
    Tried {
        inputs: inputs.collect(),
        class,
        text,
        out_of_scope: (preview.entitlement != Entitlement::Entitled)
            .then(|| preview.entitlement.reason()),
    }
}

impl Site {
    async fn find(
        console: &Console,
        known: &Known,
        (id, kind): (&str, &str),
        number: &str,
        way: Way,
    ) -> Result<Self, Problem> {
        let kind = kind_of(kind)?;
        let application = match way {
            Way::Look => console.application(known, id).await?,
            Way::Change => console.editable(known, id).await?,
        };
        if number != "new" && !number.chars().all(|digit| digit.is_ascii_digit()) {
            return Err(Problem::missing());
        }
        Ok(Self {
            application,
            kind,
            number: number.to_owned(),
        })
    }
}

async fn look(
    State(console): State<Console>,
    known: Known,
    Path((id, kind, n)): Path<(String, String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let place = Site::find(&console, &known, (&id, &kind), &n, Way::Look).await?;
    let mapping = place.application.mapping(place.kind);
    let number = n
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_sub(1));
    let line = number.and_then(|number| Some((number, mapping.attributes.get(number)?)));
    let (number, line) = line.ok_or_else(Problem::missing)?;
    let order = mapping.matching_order();
    let rank = order.iter().position(|ordered| *ordered == number);
    let fields = Fields::of_line(line, rank.map(|rank| rank + 1));
    let ask = Ask {
        person: form.text("person"),
        count: false,
    };
    let page = console
        .edit_page(&known, &place, fields, Mistakes::default(), ask)
        .await?;
    Ok(layout::rendered(&page))
}

async fn look_at_new(
    State(console): State<Console>,
    known: Known,
    Path((id, kind)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let place = Site::find(&console, &known, (&id, &kind), "new", Way::Change).await?;
    let fields = Fields {
        was: String::new(),
        ..Fields::of_form(&form)
    };
    let ask = Ask {
        person: form.text("person"),
        count: false,
    };
    let page = console
        .edit_page(&known, &place, fields, Mistakes::default(), ask)
        .await?;
    Ok(layout::rendered(&page))
}

async fn previewed(
    console: &Console,
    known: &Known,
    place: &Site,
    form: &Form,
) -> Result<Response, Problem> {
    let mut fields = Fields::of_form(form);
    if let Some(mended) = form.filled("fix") {
        mended.clone_into(&mut fields.expression);
        "expression".clone_into(&mut fields.kind);
    }
    let mistakes = match fields.line() {
        Ok(line) => mistakes_in(place, &fields, &line),
        Err(mistakes) => mistakes,
    };
    let ask = Ask {
        person: form.text("person"),
        count: form.has("count"),
    };
    let page = console
        .edit_page(known, place, fields, mistakes, ask)
        .await?;
    Ok(layout::rendered(&page))
}

fn mistakes_in(place: &Site, fields: &Fields, line: &AttributeMapping) -> Mistakes {
    let mut mapping = place.application.mapping(place.kind).clone();
    let was = Some(fields.was.as_str()).filter(|was| !was.is_empty());
    mapping.put(was, line.clone());
    mistakes_of(&mapping, place.kind, line)
}

async fn preview(
    State(console): State<Console>,
    known: Known,
    Path((id, kind, n)): Path<(String, String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let place = Site::find(&console, &known, (&id, &kind), &n, Way::Change).await?;
    previewed(&console, &known, &place, &form).await
}

async fn preview_new(
    State(console): State<Console>,
    known: Known,
    Path((id, kind)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let place = Site::find(&console, &known, (&id, &kind), "new", Way::Change).await?;
    previewed(&console, &known, &place, &form).await
}

async fn save(
    State(console): State<Console>,
    known: Known,
    Path((id, kind, n)): Path<(String, String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let place = Site::find(&console, &known, (&id, &kind), &n, Way::Change).await?;
    saved(&console, &known, &place, &form).await
}

async fn add(
    State(console): State<Console>,
    known: Known,
    Path((id, kind)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let place = Site::find(&console, &known, (&id, &kind), "new", Way::Change).await?;
    saved(&console, &known, &place, &form).await
}

async fn saved(
    console: &Console,
    known: &Known,
    place: &Site,
    form: &Form,
) -> Result<Response, Problem> {
    let fields = Fields::of_form(form);
    let head = Head::new(&place.application, place.kind);
    let again = async |fields: Fields, mistakes: Mistakes| {
        let ask = Ask {
            person: form.text("person"),
            count: false,
        };
        let page = console
            .edit_page(known, place, fields, mistakes, ask)
            .await?;
        Ok(layout::rendered_again(&page))
    };
    let line = match fields.line() {
        Ok(line) => line,
        Err(mistakes) => return again(fields, mistakes).await,
    };
    let is_current = form.text("version") == head.version;
    if is_current {
        let mistakes = mistakes_in(place, &fields, &line);
        if !mistakes.is_empty() {
            return again(fields, mistakes).await;
        }
    }
    let (was, new) = (fields.was.clone(), line.clone());
    let changed = console
        .app
        .edit_mapping(
            &known.visitor.context(),
            place.application.id,
            (place.kind, Some(form.text("version").to_owned())),
            move |mapping| {
                mapping.put(Some(was.as_str()).filter(|was| !was.is_empty()), new);
                Ok(())
            },
        )
        .await;
    match changed {
        Ok(_) => {
            let text = format!(
                "Saved. {} is filled like this from the next cycle on.",
                line.target
            );
            Ok(layout::done(console, &head.base(), &Flash::ok(text)))
        }
        Err(Failure::Precondition) => {
            let mapping = place.application.mapping(place.kind);
            let own = Some(fields.was.as_str()).filter(|was| !was.is_empty());
            let own = own.unwrap_or(&fields.target);
            let theirs = mapping
                .place_of(own)
                .and_then(|at| mapping.attributes.get(at));
            let theirs = theirs.map_or_else(
                || format!("Nothing fills {own}"),
                AttributeMapping::sentence,
            );
            let sides = Sides {
                theirs: vec![theirs],
                mine: vec![line.sentence()],
                action: format!("{}/{}", head.base(), place.number),
                back: head.base(),
            };
            conflict(console, known, head, form, sides).await
        }
        Err(Failure::Configuration(mistakes)) => {
            let told = mistakes.first().map(ToString::to_string);
            again(fields, Mistakes::one("tg", told.unwrap_or_default())).await
        }
        Err(failure) => Err(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_model::mapping::defaults;

    #[test]
    fn an_attribute_that_nobody_has_is_marked_and_the_nearest_is_offered() {
        let text = "Join(\"é\", [givenName], [surnmae])";
        let carets = carets(text, Kind::User, &[]);
        assert_eq!(carets.len(), 1);
        let caret = &carets[0];
        assert!(!caret.is_error);
        assert_eq!(caret.wrong, "[surnmae]");
        let (what, mended) = caret.fix.clone().unwrap();
        assert_eq!(what, "[surname]");
        assert_eq!(mended, "Join(\"é\", [givenName], [surname])");
        assert!(
            super::carets(
                "[extension_shoe]",
                Kind::User,
                &["extension_shoe".to_owned()]
            )
            .is_empty()
        );
    }

    #[test]
    fn mistakes_stand_at_the_fields_they_are_about() {
        let fields_of = |line: &AttributeMapping| {
            let mut mapping = defaults::users();
            mapping.put(None, line.clone());
            let mistakes = mistakes_of(&mapping, Kind::User, line);
            mistakes.0.iter().map(|one| one.field).collect::<Vec<_>>()
        };
        let twice = AttributeMapping::direct("mail", "userName");
        assert_eq!(fields_of(&twice), ["tg"]);
        let key = AttributeMapping::direct("mail", "id");
        assert_eq!(fields_of(&key), ["tg"]);
        let expression = AttributeMapping::expression("Join(", "nickName");
        assert_eq!(fields_of(&expression), ["ex"]);
        let path = AttributeMapping::direct("mail", "a[");
        assert_eq!(fields_of(&path), ["tg"]);
        let manager = AttributeMapping::direct("manager", "nickName").matching(2);
        assert_eq!(fields_of(&manager), ["rank"]);
    }

    #[test]
    fn only_free_attributes_that_can_be_written_are_offered() {
        let mapping = defaults::users();
        let names = targets(&mapping, &Fields::default());
        assert!(names.iter().any(|name| name == "nickName"));
        assert!(!names.iter().any(|name| name == "userName" || name == "id"));
        let fields = Fields {
            was: "userName".to_owned(),
            target: "own".to_owned(),
            ..Fields::default()
        };
        let names = targets(&mapping, &fields);
        assert!(names.iter().any(|name| name == "userName"));
        assert!(names.iter().any(|name| name == "own"));
        assert_eq!(ranks(&mapping, &fields), ["1"]);
        assert_eq!(matched_by(&mapping), "userName");
    }
}
