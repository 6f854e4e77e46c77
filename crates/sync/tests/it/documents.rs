//! Laws of the synchronization schema, on generated mappings and documents.

use proptest::prelude::*;
use rollcall_model::mapping::defaults::{ENTERPRISE_USER, GROUP};
use rollcall_model::mapping::{
    Actions, Apply, AttributeMapping, Clause, Mutability, Nulls, ObjectMapping, Operator,
    ScopeFilter, Source, TargetAttribute, ValueType,
};
use rollcall_sync::schema::{Imported, read, write};
use serde_json::{Map, Value, json};

#[path = "../../../../fuzz/exercises/schema.rs"]
mod exercises;
#[path = "../../../../fuzz/exercises/runs.rs"]
mod runs;

const TARGETS: [&str; 9] = [
    "userName",
    "externalId",
    "active",
    "name.givenName",
    r#"emails[type eq "work"].value"#,
    r#"roles[primary eq "True"].value"#,
    "tags",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    "urn:example:ext:2.0:User:unit",
];

fn words() -> impl Strategy<Value = String> {
    "[ -~äé€]{1,12}"
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        4 => "x[A-Za-z_]{0,8}".prop_map(Source::Direct),
        2 => words().prop_map(Source::Constant),
        1 => Just(Source::None),
        3 => prop::sample::select(vec![
            r#"Join(" ", [givenName], [surname])"#,
            r#"Switch([IsSoftDeleted], , "False", "True", "True", "False")"#,
            r#"ToLower( Replace([mail],,"a\"b",,"",,) )"#,
            r#"IIF([a] = "b", IgnoreAttributeFlow, [manager])"#,
            "[manager]",
            r#""quoted""#,
            r#"[a] & "b" & Trim(Trim(Trim([c])))"#,
        ]).prop_map(|text| Source::Expression(text.to_owned())),
    ]
}

fn line(target: &'static str) -> impl Strategy<Value = (AttributeMapping, TargetAttribute)> {
    let apply = prop::sample::select(vec![Apply::Always, Apply::OnCreate, Apply::AddOnly]);
    let default = prop::option::of(words());
    (source(), default, apply, any::<[bool; 4]>()).prop_map(
        move |(source, default, apply, flags)| {
            let [clears, exact_case, required, write_only] = flags;
            let mapping = AttributeMapping {
                target: target.to_owned(),
                source,
                default,
                matching: None,
                apply,
                nulls: if clears { Nulls::Clear } else { Nulls::Keep },
            };
            let listed = TargetAttribute {
                exact_case,
                required,
                multi_valued: apply == Apply::AddOnly,
                mutability: if write_only {
                    Mutability::WriteOnly
                } else {
                    Mutability::ReadWrite
                },
                ..TargetAttribute::new(target)
            };
            (mapping, listed)
        },
    )
}

fn unmapped() -> impl Strategy<Value = TargetAttribute> {
    let references = prop::collection::vec("(User|Group|urn:x:y)", 0..3);
    (
        "z[a-z]{1,5}",
        prop::sample::select(ValueType::ALL.to_vec()),
        any::<[bool; 4]>(),
        prop::option::of(words()),
        references,
        prop::sample::select(Mutability::ALL.to_vec()),
    )
        .prop_map(
            |(name, kind, flags, api_expression, referenced_objects, mutability)| TargetAttribute {
                name,
                kind,
                primary_key: flags[0],
                required: flags[1],
                multi_valued: flags[2],
                exact_case: flags[3],
                api_expression,
                referenced_objects,
                mutability,
            },
        )
}

fn clause() -> impl Strategy<Value = Clause> {
    let operator = prop::sample::select(Operator::ALL.to_vec());
    (
        operator,
        "[a-z]{1,6}",
        prop::collection::vec("[0-9]{1,4}", 1..4),
    )
        .prop_map(|(operator, attribute, mut values)| {
            match operator {
                Operator::RegexMatch | Operator::NotRegexMatch => values.truncate(1),
                operator if !operator.takes_a_value() => values.clear(),
                _ => {}
            }
            Clause {
                attribute,
                operator,
                values,
            }
        })
}

fn filters() -> impl Strategy<Value = Vec<ScopeFilter>> {
    let filter = (words(), prop::collection::vec(clause(), 0..3))
        .prop_map(|(name, clauses)| ScopeFilter { name, clauses });
    prop::collection::vec(filter, 0..3)
}

fn mapping(source: &'static str, target: &'static str) -> impl Strategy<Value = ObjectMapping> {
    let lines = prop::sample::subsequence(TARGETS.to_vec(), 1..TARGETS.len())
        .prop_shuffle()
        .prop_flat_map(|targets| targets.into_iter().map(line).collect::<Vec<_>>());
    (
        words(),
        any::<[bool; 4]>(),
        lines,
        filters(),
        filters(),
        prop::collection::vec(unmapped(), 0..4),
    )
        .prop_map(
            move |(name, flags, lines, filters, input_filters, mut listed)| {
                let [enabled, create, update, delete] = flags;
                let (mut attributes, more): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
                listed.extend(more);
                // whatever comes first and holds one text
                attributes.insert(
                    0,
                    AttributeMapping::direct("objectId", "nickName").matching(3),
                );
                attributes.push(AttributeMapping::direct(
                    "manager",
                    &format!("{ENTERPRISE_USER}:manager"),
                ));
                ObjectMapping {
                    name,
                    enabled,
                    actions: Actions {
                        create,
                        update,
                        delete,
                    },
                    source: source.to_owned(),
                    target: target.to_owned(),
                    attributes,
                    filters,
                    input_filters,
                    target_attributes: listed,
                }
            },
        )
}

fn both() -> impl Strategy<Value = (ObjectMapping, ObjectMapping)> {
    (mapping("User", ENTERPRISE_USER), mapping("Group", GROUP))
}

/// Makes a document look like one from elsewhere: other orders, more members, fewer empty ones.
fn estranged(value: &Value, seed: &mut u64) -> Value {
    let mut dice = |sides: u64| {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % sides
    };
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            if !names.is_empty() && dice(3) == 0 {
                let by = usize::try_from(dice(8)).unwrap() % names.len();
                names.rotate_left(by);
            }
            let (drops, adds) = (dice(3) == 0, dice(4));
            let mut made = Map::new();
            for name in names {
                let value = &members[name];
                if drops
                    && (value.is_null() || *value == json!([]) || *value == json!(false))
                    && name != "enabled"
                {
                    continue;
                }
                made.insert(name.clone(), estranged(value, seed));
            }
            match adds {
                0 => drop(made.insert("unheardOf".into(), json!({"b": [1.5, null], "a": ""}))),
                1 => drop(made.shift_insert(0, "x@odata.context".into(), json!("https://x.test"))),
                _ => {}
            }
            Value::Object(made)
        }
        Value::Array(elements) => elements.iter().map(|one| estranged(one, seed)).collect(),
        plain => plain.clone(),
    }
}

fn again(document: &Value) -> Imported {
    read(&document.to_string()).unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{document:#}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_mapping_reads_back_from_a_fresh_document((users, groups) in both()) {
        let imported = again(&write(None, &users, &groups));

        prop_assert_eq!(imported.users, users);
        prop_assert_eq!(imported.groups, Some(groups));
    }

    #[test]
    fn a_document_from_elsewhere_is_written_as_it_was_read((users, groups) in both(), mut seed in any::<u64>()) {
        let document = estranged(&write(None, &users, &groups), &mut seed);
        let imported = again(&document);

        let written = write(Some(&imported.document), &imported.users, &imported.groups_or_none());

        prop_assert_eq!(written.to_string(), document.to_string());
        prop_assert_eq!(imported.users, users);
        prop_assert_eq!(imported.groups, Some(groups));
    }

    #[test]
    fn any_mapping_can_be_written_into_any_document((users, groups) in both(), (others, more) in both(), mut seed in any::<u64>()) {
        let document = estranged(&write(None, &others, &more), &mut seed);

        let imported = again(&write(Some(&document), &users, &groups));

        prop_assert_eq!(imported.users, users);
        prop_assert_eq!(imported.groups, Some(groups));
    }
}

#[test]
fn every_document_of_the_corpus_is_refused_or_written_as_it_was_read() {
    runs::replay("schema", exercises::schema);
}

#[test]
fn a_document_that_is_made_by_chance_is_refused_or_written_as_it_was_read() {
    runs::mutate("schema", exercises::schema);
}
