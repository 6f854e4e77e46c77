//! Samples of the pages about mappings, in every state, with hostile names.

use askama::Template;
use rollcall_engine::preview::{Extent, Population, ScopeEffect, Shared};
use rollcall_model::mapping::{
    Apply, AttributeMapping, Clause, ObjectMapping, Operator, ScopeFilter, TargetAttribute,
    defaults,
};
use rollcall_model::{Application, ApplicationId, Kind};
use rollcall_sync::explain::{Explained, Outcome};

use super::attributes::{AttributesPage, listed};
use super::conflict::{ConflictPage, Sides};
use super::edit::{EditPage, FunctionRow, Tried, carets, sources};
use super::line::Fields;
use super::list::{ListPage, rows};
use super::restore::{RestorePage, differences};
use super::schema::{Draft, SchemaPage};
use super::scope::{ScopePage, operators, typed};
use super::{Head, Person};
use crate::layout::sample::{HOSTILE, frame};
use crate::layout::{Frame, Mistakes, Place};

pub(super) fn at(title: &str) -> Frame {
    frame(Place::Applications, title)
}

pub(super) fn head(name: &str, kind: Kind) -> Head {
    let id = ApplicationId::from_bytes([7; 16]);
    let application = Application::new(id, name.to_owned(), jiff::Timestamp::UNIX_EPOCH);
    Head::new(&application, kind)
}

fn person(name: &str) -> Person {
    Person {
        name: name.to_owned(),
        id: Some(rollcall_model::ResourceId::from_bytes([7; 16])),
        offered: vec![
            name.to_owned(),
            "marek.dvorak@alderbrook.example".to_owned(),
        ],
        error: None,
    }
}

fn explained(mapping: &ObjectMapping, text: &str) -> Vec<Explained> {
    let lines = mapping.attributes.iter().enumerate();
    lines
        .map(|(place, line)| Explained {
            target: line.target.clone(),
            source: line.source.clone(),
            outcome: match place % 5 {
                1 => Outcome::Nothing,
                2 => Outcome::Failed {
                    code: "EntrySynchronizationError",
                    message: format!("the mapping of `{}` failed: {text}", line.target),
                },
                3 => Outcome::DefaultAtCreation(format!("\"{text}\"")),
                _ => Outcome::Value(serde_json::Value::from(text).to_string()),
            },
            apply: line.apply,
            nulls: line.nulls,
            matching: line.matching,
        })
        .collect()
}

fn list(name: &str, kind: Kind, mapping: &ObjectMapping, person: Person) -> ListPage {
    let results = match person.id {
        Some(_) => explained(mapping, &person.name),
        None => Vec::new(),
    };
    ListPage {
        frame: at("Attribute mapping, users"),
        head: head(name, kind),
        name: mapping.name.clone(),
        enabled: mapping.enabled,
        actions: mapping.actions,
        target_type: mapping.target.clone(),
        filters: Vec::new(),
        rows: rows(mapping, kind, &results),
        matching: mapping.matching_order().len(),
        listed: mapping.target_attributes.len(),
        person,
        trouble: None,
        undo: None,
    }
}

fn hostile() -> ObjectMapping {
    let mut mapping = defaults::users();
    HOSTILE.clone_into(&mut mapping.name);
    mapping.attributes.truncate(3);
    mapping.put(
        None,
        AttributeMapping {
            default: Some(HOSTILE.to_owned()),
            apply: Apply::OnCreate,
            ..AttributeMapping::constant(HOSTILE, "nickName")
        },
    );
    mapping.put(
        None,
        AttributeMapping::direct(HOSTILE, "externalId").matching(1),
    );
    mapping.put(
        None,
        AttributeMapping::expression(&"Append([givenName], \"漢字\"), ".repeat(20), HOSTILE),
    );
    mapping
}

fn edit(fields: Fields, mistakes: Mistakes) -> EditPage {
    let carets = if fields.kind == "expression" {
        carets(&fields.expression, Kind::User, &[])
    } else {
        Vec::new()
    };
    EditPage {
        frame: at(if mistakes.is_empty() {
            "Edit attribute"
        } else {
            "Error: Edit attribute"
        }),
        head: head("Keyhaven", Kind::User),
        number: "9".to_owned(),
        carets,
        sources: sources(Kind::User, &[]),
        targets: vec![fields.target.clone(), "nickName".to_owned()],
        ranks: vec!["1".to_owned(), "2".to_owned()],
        matched_by: "userName".to_owned(),
        functions: rollcall_expression::library::all()
            .iter()
            .map(|function| FunctionRow {
                signature: function.signature(),
                summary: function.summary,
            })
            .collect(),
        person: person("ingrid.solheim@alderbrook.example"),
        result: None,
        population: None,
        busy: false,
        fields,
        mistakes,
    }
}

fn expression(text: &str) -> Fields {
    Fields::of_line(&AttributeMapping::expression(text, "name.formatted"), None)
}

fn population() -> Population {
    Population {
        extent: Extent {
            looked: 5_000,
            more: true,
        },
        in_scope: 4_870,
        values: 4_859,
        defaults: 2,
        nothing: 11,
        nothing_names: vec![
            "marek.dvorak@alderbrook.example".to_owned(),
            HOSTILE.to_owned(),
        ],
        left_alone: 1,
        failed: 3,
        failures: vec![Shared {
            text: HOSTILE.to_owned(),
            count: 3,
            names: vec![HOSTILE.to_owned()],
        }],
        duplicates: vec![Shared {
            text: HOSTILE.to_owned(),
            count: 2,
            names: vec!["a".to_owned(), "b".to_owned()],
        }],
        duplicated: 2,
        examples: vec![(
            "ingrid.solheim@alderbrook.example".to_owned(),
            "Ingrid Solheim".to_owned(),
        )],
    }
}

fn tried(name: &str, class: &'static str, text: &str) -> Tried {
    Tried {
        inputs: vec![
            (name.to_owned(), Some(format!("\"{text}\""))),
            ("surname".to_owned(), None),
        ],
        class,
        text: text.to_owned(),
        out_of_scope: None,
    }
}

/// Returns samples of the pages about mappings.
#[expect(
    clippy::too_many_lines,
    clippy::indexing_slicing,
    reason = "samples are data"
)]
pub(crate) fn samples() -> Vec<(String, String)> {
    let users = defaults::users();
    let mut several = defaults::users();
    several.put(
        None,
        AttributeMapping::direct("employeeId", "nickName").matching(1),
    );
    several.put(
        None,
        AttributeMapping::direct("objectId", "userType").matching(3),
    );
    let empty = ObjectMapping {
        attributes: Vec::new(),
        enabled: false,
        ..defaults::groups()
    };
    let direct = Fields::of_line(&users.attributes[0], Some(1));
    let mut all = vec![
        (
            "mappings-users",
            list(
                "Keyhaven",
                Kind::User,
                &users,
                person("ingrid.solheim@alderbrook.example"),
            )
            .render(),
        ),
        (
            "mappings-several",
            ListPage {
                undo: Some((
                    "title".to_owned(),
                    vec![("target".to_owned(), "title".to_owned())],
                )),
                filters: vec!["a".to_owned(), "b".to_owned()],
                ..list("Keyhaven", Kind::User, &several, Person::default())
            }
            .render(),
        ),
        (
            "mappings-groups",
            list(
                "Keyhaven",
                Kind::Group,
                &defaults::groups(),
                person("Warehouse"),
            )
            .render(),
        ),
        (
            "mappings-empty",
            list("Keyhaven", Kind::Group, &empty, Person::default()).render(),
        ),
        (
            "mappings-hostile",
            ListPage {
                trouble: Some(HOSTILE.to_owned()),
                undo: Some((
                    HOSTILE.to_owned(),
                    vec![(HOSTILE.to_owned(), HOSTILE.to_owned())],
                )),
                ..list(HOSTILE, Kind::User, &hostile(), person(HOSTILE))
            }
            .render(),
        ),
        (
            "mappings-nobody",
            list(
                "Keyhaven",
                Kind::User,
                &users,
                Person {
                    name: HOSTILE.to_owned(),
                    error: Some("There is no person of this name. Enter a user name.".to_owned()),
                    ..Person::default()
                },
            )
            .render(),
        ),
        (
            "mapping-edit",
            EditPage {
                result: Some(tried("givenName", "res", "Ingrid Solheim")),
                population: Some(population()),
                ..edit(
                    expression("Join(\" \", [givenName], [surname])"),
                    Mistakes::default(),
                )
            }
            .render(),
        ),
        (
            "mapping-edit-warning",
            edit(
                expression("Join(\" \", [givenName], [surnmae])"),
                Mistakes::default(),
            )
            .render(),
        ),
        (
            "mapping-edit-error",
            edit(
                expression("Join(\" \",\n  [givenName] [surname])"),
                Mistakes::one(
                    "ex",
                    "The expression cannot be used: the places are marked below it.",
                ),
            )
            .render(),
        ),
        ("mapping-edit-direct", {
            let mut page = edit(direct, Mistakes::default());
            page.frame.may.provisioning = false;
            page.result = Some(tried(
                "userPrincipalName",
                "res",
                "ingrid.solheim@alderbrook.example",
            ));
            page.render()
        }),
        (
            "mapping-edit-hostile",
            EditPage {
                head: head(HOSTILE, Kind::User),
                person: person(HOSTILE),
                result: Some(tried(HOSTILE, "bad", HOSTILE)),
                busy: true,
                ..edit(
                    Fields {
                        target: HOSTILE.to_owned(),
                        was: HOSTILE.to_owned(),
                        ..expression(HOSTILE)
                    },
                    Mistakes::one("tg", HOSTILE),
                )
            }
            .render(),
        ),
        ("mapping-new", {
            let fields = Fields {
                kind: "direct".to_owned(),
                ..Fields::default()
            };
            let mut mistakes = Mistakes::one("src", "Choose the source attribute that is copied.");
            mistakes.add("tg", "Choose the target attribute that is filled.");
            EditPage {
                number: "new".to_owned(),
                ..edit(fields, mistakes)
            }
            .render()
        }),
        (
            "mapping-restore",
            RestorePage {
                frame: at("Restore default mappings"),
                head: head("Keyhaven", Kind::User),
                changes: differences(&hostile(), &users),
            }
            .render(),
        ),
        (
            "mapping-restore-none",
            RestorePage {
                frame: at("Restore default mappings"),
                head: head("Keyhaven", Kind::Group),
                changes: Vec::new(),
            }
            .render(),
        ),
        (
            "mapping-conflict",
            ConflictPage {
                frame: at("Somebody else was faster"),
                head: head(HOSTILE, Kind::User),
                sides: Sides {
                    theirs: vec![users.attributes[1].sentence()],
                    mine: vec![HOSTILE.to_owned(), users.attributes[8].sentence()],
                    action: "/applications/7/mappings/users/9".to_owned(),
                    back: "/applications/7/mappings/users".to_owned(),
                },
                fields: vec![("target".to_owned(), HOSTILE.to_owned())],
            }
            .render(),
        ),
    ];
    all.extend(scopes());
    all.extend(lists());
    all.extend(schemas());
    all.drain(..)
        .map(|(name, page)| (name.to_owned(), page.unwrap_or_default()))
        .collect()
}

type Rendered = Vec<(&'static str, Result<String, askama::Error>)>;

fn scope(filters: &[ScopeFilter]) -> ScopePage {
    ScopePage {
        frame: at("Source object scope"),
        head: head("Keyhaven", Kind::User),
        filters: typed(filters),
        operators: operators(),
        sources: sources(Kind::User, &[]),
        mistakes: Mistakes::default(),
        effect: None,
        shown: String::new(),
        busy: false,
        is_stored: true,
        asks: false,
    }
}

fn scopes() -> Rendered {
    let clause = |attribute: &str, operator, values: &[&str]| Clause {
        attribute: attribute.to_owned(),
        operator,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let filters = [
        ScopeFilter {
            name: "Filter 1".to_owned(),
            clauses: vec![
                clause("department", Operator::Equals, &["Warehouse Planning"]),
                clause(
                    "employeeType",
                    Operator::NotEquals,
                    &["Contractor", "Guest"],
                ),
            ],
        },
        ScopeFilter {
            name: HOSTILE.to_owned(),
            clauses: vec![clause(HOSTILE, Operator::RegexMatch, &[HOSTILE])],
        },
    ];
    let mut wrong = scope(&filters);
    wrong.mistakes = Mistakes::one(
        "filters",
        "Some lines cannot be used: what is wrong stands below them.",
    );
    for line in wrong
        .filters
        .iter_mut()
        .flat_map(|filter| &mut filter.lines)
    {
        line.error = Some(format!("`{HOSTILE}` cannot be used."));
    }
    let mut reader = scope(&filters);
    reader.frame.may.provisioning = false;
    vec![
        ("mapping-scope-empty", scope(&[]).render()),
        ("mapping-scope-mistakes", wrong.render()),
        ("mapping-scope-reader", reader.render()),
        (
            "mapping-scope",
            ScopePage {
                effect: Some(ScopeEffect {
                    extent: Extent {
                        looked: 5_000,
                        more: true,
                    },
                    now: 4_412,
                    then: 1_174,
                    entering: 1,
                    entering_names: vec![HOSTILE.to_owned()],
                    leaving: 3_239,
                    leaving_names: vec![
                        "ingrid.solheim@alderbrook.example".to_owned(),
                        HOSTILE.to_owned(),
                    ],
                    accounts: 3_200,
                    held_above: Some(50),
                }),
                is_stored: false,
                asks: true,
                ..scope(&filters)
            }
            .render(),
        ),
        (
            "mapping-scope-nobody",
            ScopePage {
                effect: Some(ScopeEffect::default()),
                ..scope(&filters)
            }
            .render(),
        ),
    ]
}

fn lists() -> Rendered {
    let page = |mapping: &ObjectMapping, kind, list: &[TargetAttribute]| {
        let rows = listed(mapping, kind, list);
        AttributesPage {
            frame: at("Edit attribute list"),
            head: head("Keyhaven", kind),
            mistakes: rows.iter().filter(|row| row.error.is_some()).count(),
            is_changed: list != mapping.target_attributes,
            rows,
            new: TargetAttribute::new(""),
        }
    };
    let users = defaults::users();
    let groups = defaults::groups();
    let mut wrong = groups.target_attributes.clone();
    wrong.push(TargetAttribute {
        api_expression: Some(HOSTILE.to_owned()),
        referenced_objects: vec![HOSTILE.to_owned()],
        ..TargetAttribute::new(HOSTILE)
    });
    vec![
        (
            "attribute-list",
            page(&users, Kind::User, &users.target_attributes).render(),
        ),
        (
            "attribute-list-groups",
            page(&groups, Kind::Group, &groups.target_attributes).render(),
        ),
        (
            "attribute-list-mistakes",
            page(&groups, Kind::Group, &wrong).render(),
        ),
        (
            "attribute-list-empty",
            page(&groups, Kind::Group, &[]).render(),
        ),
    ]
}

fn schemas() -> Rendered {
    let page = || SchemaPage {
        frame: at("Synchronization schema"),
        head: head(HOSTILE, Kind::User),
        pasted: String::new(),
        mistakes: Vec::new(),
        draft: None,
    };
    let draft = |users, groups| Draft {
        text: HOSTILE.to_owned(),
        users,
        groups,
        more: 3,
        notes: vec![rollcall_sync::schema::Note {
            place: "/synchronizationRules/0/priority".to_owned(),
            message: format!("`{HOSTILE}` is not known here"),
        }],
    };
    let mistake = |place: &str, message: &str| rollcall_sync::schema::Mistake {
        place: place.to_owned(),
        message: message.to_owned(),
        help: "write it in brackets, as an export does".to_owned(),
    };
    let changes = differences(&hostile(), &defaults::users());
    vec![
        ("schema", page().render()),
        (
            "schema-mistakes",
            SchemaPage {
                pasted: HOSTILE.to_owned(),
                mistakes: vec![
                    mistake(
                        "/synchronizationRules (line 3)",
                        "`synchronizationRules` is a list, not `x`",
                    ),
                    mistake("line 1, column 2", HOSTILE),
                ],
                ..page()
            }
            .render(),
        ),
        (
            "schema-changes",
            SchemaPage {
                draft: Some(draft(changes, Vec::new())),
                ..page()
            }
            .render(),
        ),
        (
            "schema-same",
            SchemaPage {
                draft: Some(draft(Vec::new(), Vec::new())),
                ..page()
            }
            .render(),
        ),
    ]
}
