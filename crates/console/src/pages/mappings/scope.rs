//! The scoping filters of a mapping: lines that all have to hold, filters of which one is enough, and what they would do, before they are saved.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use rollcall_app::Failure;
use rollcall_engine::preview::ScopeEffect;
use rollcall_model::mapping::{Clause, ObjectMapping, Operator, ScopeFilter};
use rollcall_model::{Application, Kind, Permission};
use rollcall_sync::digest::Digest;
use rollcall_sync::scope::ScopeFilters;

use super::conflict::{Sides, conflict};
use super::edit::sources;
use super::{Head, kind_of, mapping_of, problem};
use crate::Console;
use crate::filters;
use crate::form::Form;
use crate::guard::Known;
use crate::layout::{self, Flash, Frame, Mistakes, Place};
use crate::problem::Problem;
use crate::table::{Needs, Routes, action, page};

pub(super) fn routes() -> Routes {
    let change = Needs::Role(Permission::ManageProvisioning);
    let path = "/applications/{id}/mappings/{object}/scope";
    vec![
        page(path, Needs::Role(Permission::Read), look),
        action(path, change, save),
        action(
            "/applications/{id}/mappings/{object}/scope/edit",
            change,
            edit,
        ),
    ]
}

/// So many filters, and lines in each, a form may have.
const MOST: usize = 50;

/// A filter as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) name: String,
    pub(super) lines: Vec<TypedLine>,
}

/// A line of a filter as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TypedLine {
    pub(super) attribute: String,
    pub(super) operator: String,
    /// The values; one at least, which may be empty.
    pub(super) values: Vec<String>,
    pub(super) error: Option<String>,
}

impl TypedLine {
    pub(super) fn takes_a_value(&self) -> bool {
        Operator::find(&self.operator).is_none_or(Operator::takes_a_value)
    }
}

#[derive(Debug, Template)]
#[template(path = "mapping_scope.html")]
pub(super) struct ScopePage {
    pub(super) frame: Frame,
    pub(super) head: Head,
    pub(super) filters: Vec<Typed>,
    pub(super) operators: Vec<(&'static str, String)>,
    pub(super) sources: Vec<String>,
    pub(super) mistakes: Mistakes,
    pub(super) effect: Option<ScopeEffect>,
    /// Marks the filters whose effect is shown; a form without it is not saved.
    pub(super) shown: String,
    /// Whether others are counting.
    pub(super) busy: bool,
    /// Whether the form is as it is stored.
    pub(super) is_stored: bool,
    /// Whether the form was sent to be saved before its effect was shown.
    pub(super) asks: bool,
}

/// Fills the form of filters.
pub(super) fn typed(filters: &[ScopeFilter]) -> Vec<Typed> {
    let line = |clause: &Clause| TypedLine {
        attribute: clause.attribute.clone(),
        operator: clause.operator.name().to_owned(),
        values: match clause.values.as_slice() {
            [] => vec![String::new()],
            values => values.to_vec(),
        },
        error: None,
    };
    filters
        .iter()
        .map(|filter| Typed {
            name: filter.name.clone(),
            lines: filter.clauses.iter().map(line).collect(),
        })
        .collect()
}

/// Reads the filters that were sent: `filter` names them, `attribute-F`, `operator-F` and `values-F-L` have their lines.
fn of_form(form: &Form) -> Vec<Typed> {
    let names = form.all("filter").take(MOST).enumerate();
    names
        .map(|(number, name)| {
            let attribute = format!("attribute-{number}");
            let operator = format!("operator-{number}");
            let lines = form.all(&attribute).zip(form.all(&operator)).take(MOST);
            let lines = lines.enumerate().map(|(line, (attribute, operator))| {
                let key = format!("values-{number}-{line}");
                let values: Vec<String> = form.all(&key).map(str::to_owned).collect();
                TypedLine {
                    attribute: attribute.trim().to_owned(),
                    operator: operator.to_owned(),
                    values: if values.is_empty() {
                        vec![String::new()]
                    } else {
                        values
                    },
                    error: None,
                }
            });
            Typed {
                name: name.trim().to_owned(),
                lines: lines.collect(),
            }
        })
        .collect()
}

/// Does what a button beside a filter or a line says: `add-filter`, `remove-filter-F`, `add-line-F`, `remove-line-F-L`, `add-value-F-L`.
fn pressed(filters: &mut Vec<Typed>, button: &str) {
    let numbers: Vec<usize> = button
        .split('-')
        .filter_map(|part| part.parse().ok())
        .collect();
    let new = || TypedLine {
        operator: Operator::Equals.name().to_owned(),
        values: vec![String::new()],
        ..TypedLine::default()
    };
    let verb = button.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
    match (verb, numbers.as_slice()) {
        ("add-filter", _) if filters.len() < MOST => {
            let free = (1..).map(|number| format!("Filter {number}"));
            let is_free = |name: &String| {
                let mut others = filters.iter();
                !others.any(|other| other.name.eq_ignore_ascii_case(name))
            };
            let name = free.into_iter().find(is_free).unwrap_or_default();
            filters.push(Typed {
                name,
                lines: vec![new()],
            });
        }
        ("remove-filter", [number]) if *number < filters.len() => {
            filters.remove(*number);
        }
        ("add-line", [number]) => {
            let filter = filters.get_mut(*number);
            if let Some(filter) = filter.filter(|filter| filter.lines.len() < MOST) {
                filter.lines.push(new());
            }
        }
        ("remove-line", [number, line]) => {
            if let Some(filter) = filters.get_mut(*number)
                && *line < filter.lines.len()
            {
                filter.lines.remove(*line);
                if filter.lines.is_empty() {
                    filters.remove(*number);
                }
            }
        }
        ("add-value", [number, line]) => {
            let filter = filters.get_mut(*number);
            if let Some(line) = filter.and_then(|filter| filter.lines.get_mut(*line)) {
                line.values.push(String::new());
            }
        }
        _ => {}
    }
}

/// Makes the filters; otherwise the mistakes stand at their lines.
fn read(typed: &mut [Typed]) -> Result<Vec<ScopeFilter>, Mistakes> {
    let mut filters: Vec<ScopeFilter> = Vec::new();
    let mut mistakes = Mistakes::default();
    for (number, filter) in typed.iter_mut().enumerate() {
        let mut clauses = Vec::new();
        for line in &mut filter.lines {
            let Some(operator) = Operator::find(&line.operator) else {
                line.error = Some("Choose an operator.".to_owned());
                continue;
            };
            let values = line.values.iter().filter(|value| !value.is_empty());
            clauses.push(Clause {
                attribute: line.attribute.clone(),
                operator,
                values: if operator.takes_a_value() {
                    values.cloned().collect()
                } else {
                    Vec::new()
                },
            });
        }
        if filter.name.is_empty() {
            filter.name = format!("Filter {}", number + 1);
        }
        if filters
            .iter()
            .any(|other| other.name.eq_ignore_ascii_case(&filter.name))
        {
            mistakes.add(
                "filters",
                format!(
                    "Two filters are named “{}”. Give one of them another name.",
                    filter.name
                ),
            );
        }
        filters.push(ScopeFilter {
            name: filter.name.clone(),
            clauses,
        });
    }
    if let Err(wrong) = ScopeFilters::compile(&filters) {
        for bad in wrong {
            let line = typed.get_mut(bad.filter);
            if let Some(line) = line.and_then(|filter| filter.lines.get_mut(bad.clause)) {
                line.error = Some(format!("{}. {}.", bad.message, bad.help));
            }
        }
    }
    let has_errors = |filter: &Typed| filter.lines.iter().any(|line| line.error.is_some());
    if typed.iter().any(has_errors) {
        mistakes.add(
            "filters",
            "Some lines cannot be used: what is wrong stands below them.",
        );
    }
    if mistakes.is_empty() {
        Ok(filters)
    } else {
        Err(mistakes)
    }
}

/// Marks filters, so that those that are saved are those whose effect was shown.
fn mark(filters: &[ScopeFilter], version: &str) -> String {
    let mut digest = Digest::default();
    digest
        .value(&serde_json::to_value(filters).unwrap_or_default())
        .text(version);
    digest.finish()
}

/// Returns the operators with their names for people.
pub(super) fn operators() -> Vec<(&'static str, String)> {
    let words = |operator: Operator| match operator {
        Operator::Equals => "equals",
        Operator::NotEquals => "not equals",
        Operator::IsTrue => "is true",
        Operator::IsFalse => "is false",
        Operator::IsNull => "is null",
        Operator::IsNotNull => "is not null",
        Operator::RegexMatch => "regex match",
        Operator::NotRegexMatch => "not regex match",
        Operator::GreaterThan => "greater than",
        Operator::GreaterThanOrEquals => "greater than or equals",
        Operator::Includes => "includes",
        Operator::EndsWith => "ends with",
        Operator::OccursIn => "occurs in (&)",
        Operator::NotOccursIn => "does not occur in (!&)",
    };
    let all = Operator::ALL.into_iter();
    all.map(|operator| (operator.name(), words(operator).to_owned()))
        .collect()
}

/// Which form it is.
struct Site<'s> {
    application: &'s Application,
    kind: Kind,
    mapping: &'s ObjectMapping,
}

impl Console {
    async fn scope_page(
        &self,
        known: &Known,
        site: &Site<'_>,
        mut filters: Vec<Typed>,
        count: bool,
    ) -> Result<ScopePage, Problem> {
        let read = read(&mut filters);
        let (read, mistakes) = match read {
            Ok(read) => (Some(read), Mistakes::default()),
            Err(mistakes) if count => (None, mistakes),
            Err(_) => {
                // somebody is still typing
                for line in filters.iter_mut().flat_map(|filter| &mut filter.lines) {
                    line.error = None;
                }
                (None, Mistakes::default())
            }
        };
        let head = Head::new(site.application, site.kind);
        let title = if mistakes.is_empty() {
            "Source object scope"
        } else {
            "Error: Source object scope"
        };
        let used = site
            .mapping
            .filters
            .iter()
            .flat_map(|filter| &filter.clauses);
        let used: Vec<String> = used.map(|clause| clause.attribute.clone()).collect();
        let mut page = ScopePage {
            frame: self.mapping_frame(known, &head, title).await?,
            sources: sources(site.kind, &used),
            operators: operators(),
            is_stored: read.as_ref() == Some(&site.mapping.filters),
            effect: None,
            shown: String::new(),
            busy: false,
            asks: false,
            filters,
            mistakes,
            head,
        };
        if let Some(read) = read.filter(|_| count) {
            let mut draft = site.application.clone();
            mapping_of(&mut draft, site.kind).filters.clone_from(&read);
            let context = known.visitor.context();
            page.effect = self
                .engine
                .scope_effect(&context, draft, site.kind)
                .await
                .map_err(problem)?;
            page.busy = page.effect.is_none();
            if page.effect.is_some() {
                page.shown = mark(&read, &page.head.version);
            }
        }
        Ok(page)
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
    let site = Site {
        application: &application,
        kind,
        mapping,
    };
    let page = console
        .scope_page(&known, &site, typed(&mapping.filters), false)
        .await?;
    Ok(layout::rendered(&page))
}

async fn edit(
    State(console): State<Console>,
    known: Known,
    Path((id, kind)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let kind = kind_of(&kind)?;
    let application = console.editable(&known, &id).await?;
    let mut filters = of_form(&form);
    let button = form.text("do");
    pressed(&mut filters, button);
    let site = Site {
        application: &application,
        kind,
        mapping: application.mapping(kind),
    };
    let count = button == "count";
    let mut page = console.scope_page(&known, &site, filters, count).await?;
    // the form goes on from the version that it was made for
    form.text("version").clone_into(&mut page.head.version);
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
    let head = Head::new(&application, kind);
    let mapping = application.mapping(kind);
    let site = Site {
        application: &application,
        kind,
        mapping,
    };
    let mut filters = of_form(&form);
    let read = read(&mut filters);
    if form.text("version") != head.version {
        let sentences = |filters: &[ScopeFilter]| -> Vec<String> {
            match filters {
                [] => vec!["All records".to_owned()],
                filters => filters.iter().map(ScopeFilter::sentence).collect(),
            }
        };
        let sides = Sides {
            theirs: sentences(&mapping.filters),
            mine: sentences(&read.unwrap_or_default()),
            action: format!("{}/scope", head.base()),
            back: format!("{}/scope", head.base()),
        };
        return conflict(&console, &known, head, &form, sides).await;
    }
    let ready = match read {
        Ok(read) if form.text("shown") == mark(&read, &head.version) => read,
        _ => {
            let mut page = console.scope_page(&known, &site, filters, true).await?;
            page.asks = page.mistakes.is_empty();
            return Ok(layout::rendered_again(&page));
        }
    };
    let changed = console
        .app
        .edit_mapping(
            &known.visitor.context(),
            application.id,
            (kind, Some(head.version.clone())),
            move |mapping| {
                mapping.filters = ready;
                Ok(())
            },
        )
        .await;
    match changed {
        Ok(_) => {
            let flash = Flash::ok("Saved. The next cycle goes by this scope.");
            Ok(layout::done(&console, &head.base(), &flash))
        }
        Err(Failure::Precondition) => Err(Problem::from(Failure::Precondition)),
        Err(failure) => Err(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters() -> Vec<ScopeFilter> {
        let clause = |attribute: &str, operator, values: &[&str]| Clause {
            attribute: attribute.to_owned(),
            operator,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        vec![
            ScopeFilter {
                name: "Warehouse é".to_owned(),
                clauses: vec![
                    clause("department", Operator::Equals, &["Warehouse", " a,b "]),
                    clause("mail", Operator::IsNotNull, &[]),
                ],
            },
            ScopeFilter {
                name: "Filter 1".to_owned(),
                clauses: vec![clause("employeeId", Operator::GreaterThan, &["7"])],
            },
        ]
    }

    fn query(filters: &[Typed]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (number, filter) in filters.iter().enumerate() {
            query.append_pair("filter", &filter.name);
            for (place, line) in filter.lines.iter().enumerate() {
                query.append_pair(&format!("attribute-{number}"), &line.attribute);
                query.append_pair(&format!("operator-{number}"), &line.operator);
                for value in &line.values {
                    query.append_pair(&format!("values-{number}-{place}"), value);
                }
            }
        }
        query.finish()
    }

    #[test]
    fn filters_go_into_the_form_and_come_back_the_same() {
        let filters = filters();
        let mut back = of_form(&Form::of_query(&query(&typed(&filters))));
        assert_eq!(back, typed(&filters));
        assert_eq!(read(&mut back).unwrap(), filters);
    }

    #[test]
    fn buttons_add_and_remove_lines_and_filters() {
        let mut typed = typed(&filters());
        pressed(&mut typed, "add-filter");
        assert_eq!(typed[2].name, "Filter 2");
        pressed(&mut typed, "add-line-0");
        assert_eq!(typed[0].lines.len(), 3);
        pressed(&mut typed, "add-value-0-1");
        assert_eq!(typed[0].lines[1].values.len(), 2);
        pressed(&mut typed, "remove-line-1-0");
        assert_eq!(typed.len(), 2, "a filter without lines goes");
        pressed(&mut typed, "remove-filter-0");
        assert_eq!(typed.len(), 1);
        for nonsense in ["remove-filter-9", "remove-line-9-9", "add-line-9", "x", ""] {
            pressed(&mut typed, nonsense);
        }
        assert_eq!(typed.len(), 1);
    }

    #[test]
    fn every_mistake_stands_at_its_line() {
        let form = "filter=a&attribute-0=&operator-0=EQUALS&values-0-0=x\
            &attribute-0=b&operator-0=EQUALS&values-0-1=\
            &attribute-0=c&operator-0=REGEX+MATCH&values-0-2=(\
            &attribute-0=d&operator-0=Greater_Than&values-0-3=x\
            &filter=A&attribute-1=e&operator-1=IS+NULL";
        let mut typed = of_form(&Form::of_query(form));
        let mistakes = read(&mut typed).unwrap_err();
        assert_eq!(mistakes.0.len(), 2, "{mistakes:?}");
        assert!(typed[0].lines.iter().all(|line| line.error.is_some()));
        assert!(typed[1].lines[0].error.is_none());
    }

    #[test]
    fn what_is_saved_is_what_was_shown() {
        let filters = filters();
        let shown = mark(&filters, "1");
        assert_eq!(shown, mark(&filters.clone(), "1"));
        assert_ne!(shown, mark(&filters, "2"));
        assert_ne!(shown, mark(&[], "1"));
    }
}
