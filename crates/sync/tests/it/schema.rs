//! The synchronization schema: what is read is what is meant, and nothing is lost on the way back.

use rollcall_model::mapping::{
    Actions, Apply, AttributeMapping, Nulls, ObjectMapping, Operator, Source, defaults,
};
use rollcall_sync::schema::{Imported, read, write};
use serde_json::{Value, json};

const SAMPLES: [(&str, &str); 3] = [
    ("template", include_str!("../schemas/template.json")),
    ("scopes", include_str!("../schemas/scopes.json")),
    ("lastpass", include_str!("../schemas/lastpass.json")),
];

fn sample(name: &str) -> Imported {
    let (_, text) = SAMPLES.iter().find(|(known, _)| *known == name).unwrap();
    read(text).unwrap()
}

fn again(document: &Value) -> Imported {
    read(&document.to_string()).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn mapping<'m>(mapping: &'m ObjectMapping, target: &str) -> &'m AttributeMapping {
    let found = mapping.attributes.iter().find(|one| one.target == target);
    found.unwrap_or_else(|| panic!("{target} is not mapped"))
}

/// The pointers at which two documents differ.
fn differences(one: &Value, other: &Value, at: &str, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            for name in one
                .keys()
                .chain(other.keys().filter(|name| !one.contains_key(*name)))
            {
                let null = Value::String("absent".into());
                let of = |map: &serde_json::Map<String, Value>| map.get(name).cloned();
                let (left, right) = (of(one).unwrap_or(null.clone()), of(other).unwrap_or(null));
                differences(&left, &right, &format!("{at}/{name}"), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (place, (left, right)) in one.iter().zip(other).enumerate() {
                differences(left, right, &format!("{at}/{place}"), found);
            }
        }
        _ if one == other => {}
        _ => found.push(at.to_owned()),
    }
}

#[test]
fn what_was_read_is_written_as_it_was() {
    for (name, text) in SAMPLES {
        let imported = read(text).unwrap_or_else(|mistakes| panic!("{name}: {mistakes:?}"));

        let written = write(
            Some(&imported.document),
            &imported.users,
            &imported.groups_or_none(),
        );

        // as text, because the order counts
        let before: Value = serde_json::from_str(text).unwrap();
        assert_eq!(written.to_string(), before.to_string(), "{name}");
    }
}

#[test]
fn the_template_is_the_default_mapping() {
    let imported = sample("template");

    let (users, groups) = (defaults::users(), defaults::groups());
    assert_eq!(imported.users.attributes, users.attributes);
    assert_eq!(imported.groups.unwrap().attributes, groups.attributes);
    assert_eq!(imported.users.target, users.target);
    assert_eq!(imported.notes, []);
}

#[test]
fn every_property_of_an_export_is_read() {
    let imported = sample("scopes");
    let users = &imported.users;

    assert_eq!(users.name, "Provision Microsoft Entra ID Users");
    let actions = Actions {
        delete: false,
        ..Actions::ALL
    };
    assert_eq!(users.actions, actions);
    let display_name = mapping(users, "displayName");
    assert_eq!(display_name.default.as_deref(), Some("Nobody"));
    assert_eq!(display_name.nulls, Nulls::Clear);
    assert_eq!(
        mapping(users, "title").nulls,
        Nulls::Clear,
        "of the source attribute"
    );
    assert_eq!(
        mapping(users, r#"emails[type eq "work"].value"#).apply,
        Apply::OnCreate
    );
    assert_eq!(mapping(users, "roles").apply, Apply::AddOnly);
    assert_eq!(mapping(users, "preferredLanguage").matching, None);
    assert_eq!(mapping(users, "timezone").source, Source::None);
    assert_eq!(
        mapping(users, "userType").source,
        Source::Constant("Employee".into())
    );
    let formatted = r#"Join(" ", [givenName], [surname])"#;
    assert_eq!(
        mapping(users, "name.formatted").source,
        Source::Expression(formatted.into())
    );
    let operators: Vec<Operator> = users
        .filters
        .iter()
        .flat_map(|one| &one.clauses)
        .map(|one| one.operator)
        .collect();
    assert_eq!(
        operators,
        [Operator::Equals, Operator::IsTrue, Operator::RegexMatch]
    );
    assert_eq!(users.input_filters[0].clauses[1].values, ["Sales;IT;HR"]);
    assert!(!imported.groups.as_ref().unwrap().enabled);
    let externally = sample("lastpass").users;
    assert_eq!(mapping(&externally, "externalId").matching, Some(1));
    let listed = externally
        .target_attributes
        .iter()
        .find(|one| one.name == "externalId");
    assert!(listed.unwrap().exact_case);
}

#[test]
fn what_is_kept_and_not_acted_on_is_named() {
    let notes: Vec<String> = sample("scopes")
        .notes
        .iter()
        .map(|note| format!("{}\n    {}", note.place, note.message))
        .collect();

    insta::assert_snapshot!(notes.join("\n"));
}

#[test]
fn all_mistakes_are_told_at_once_with_place_line_and_help() {
    let mistakes = read(include_str!("../schemas/mistakes.json")).unwrap_err();

    let told: Vec<String> = mistakes
        .iter()
        .map(|one| format!("{}\n{}\n  help: {}\n", one.place, one.message, one.help))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_text_that_is_no_json_is_shown_where_it_breaks() {
    let mistakes = read("{\n  \"id\": \"x\"\n  \"version\": 1\n}").unwrap_err();
    assert_eq!(mistakes[0].place, "line 3, column 3");
    insta::assert_snapshot!(mistakes[0].message, @r#"
    error: the text is no JSON: expected `,` or `}`
      |
    3 |   "version": 1
      |   ^
    "#);
    for text in [
        "",
        "\u{feff}",
        "[",
        "7",
        "[]",
        "{}",
        "null",
        r#"{"synchronizationRules": [5]}"#,
        r#"{"id": 1, "id": 2}"#,
    ] {
        let mistakes = read(text).unwrap_err();
        assert!(
            !mistakes[0].message.is_empty() && !mistakes[0].help.is_empty(),
            "{text}"
        );
    }
    let marked = format!("\u{feff}{}", SAMPLES[0].1);
    assert!(read(&marked).is_ok());
}

fn line<'m>(users: &'m mut ObjectMapping, target: &str) -> &'m mut AttributeMapping {
    let found = users.attributes.iter_mut().find(|one| one.target == target);
    found.unwrap()
}

type Change = fn(&mut ObjectMapping);

/// Changes of the sample `scopes`, with what they change of its mapping of people.
const CHANGES: [(Change, &[&str]); 11] = [
    (|users| users.name = "People".into(), &["/name"]),
    (|users| users.enabled = false, &["/enabled"]),
    (|users| users.actions.create = false, &["/flowTypes"]),
    (
        |users| users.filters[0].clauses[0].values = vec!["HR".into()],
        &["/scope/groups/0/clauses/0/targetOperand/values"],
    ),
    (
        |users| users.filters[1].name = "Technology".into(),
        &["/scope/groups/1/name"],
    ),
    (
        |users| users.filters[1].clauses[0].operator = Operator::Equals,
        &["/scope/groups/1/clauses/0/operatorName"],
    ),
    (
        |users| users.input_filters.clear(),
        &["/scope/inputFilterGroups"],
    ),
    (
        |users| line(users, "title").source = Source::Constant("x".into()),
        &[
            "/attributeMappings/3/source/type",
            "/attributeMappings/3/source/name",
            "/attributeMappings/3/source/expression",
            // the nulls of the attribute that it came from flowed
            "/attributeMappings/3/flowNullValues",
        ],
    ),
    (
        |users| line(users, "displayName").default = None,
        &["/attributeMappings/2/defaultValue"],
    ),
    (
        |users| line(users, "displayName").nulls = Nulls::Keep,
        &["/attributeMappings/2/flowNullValues"],
    ),
    (
        |users| line(users, "externalId").matching = Some(2),
        &["/attributeMappings/18/matchingPriority"],
    ),
];

#[test]
fn a_changed_mapping_changes_its_part_of_the_document_only() {
    let imported = sample("scopes");
    let groups = imported.groups_or_none();
    for (change, wanted) in CHANGES {
        let mut users = imported.users.clone();
        change(&mut users);

        let written = write(Some(&imported.document), &users, &groups);

        let mut found = Vec::new();
        differences(&imported.document, &written, "", &mut found);
        let at = "/synchronizationRules/1/objectMappings/0";
        let wanted: Vec<String> = wanted.iter().map(|place| format!("{at}{place}")).collect();
        assert_eq!(found, wanted);
        assert_eq!(again(&written).users, users);
    }
}

#[test]
fn a_changed_attribute_list_changes_its_directory_only() {
    let imported = sample("scopes");
    let mut users = imported.users.clone();
    let title = users
        .target_attributes
        .iter_mut()
        .find(|one| one.name == "title");
    title.unwrap().required = true;

    let written = write(Some(&imported.document), &users, &imported.groups_or_none());

    let mut found = Vec::new();
    differences(&imported.document, &written, "", &mut found);
    assert_eq!(found, ["/directories/1/objects/0/attributes/4/required"]);
}

#[test]
fn lines_that_are_added_moved_and_taken_out_leave_the_others_as_they_were() {
    let imported = sample("scopes");
    let mut users = imported.users.clone();
    users.attributes.remove(0);
    users.attributes.reverse();
    users
        .attributes
        .push(AttributeMapping::direct("mail", "userName").matching(1));
    users.target_attributes.remove(3);

    let written = write(Some(&imported.document), &users, &imported.groups_or_none());

    assert_eq!(again(&written).users, users);
    let at = "/synchronizationRules/1/objectMappings/0/attributeMappings";
    let lines = |document: &Value| -> Vec<String> {
        let lines = document.pointer(at).unwrap().as_array().unwrap();
        lines.iter().map(ToString::to_string).collect()
    };
    let (before, after) = (lines(&imported.document), lines(&written));
    for line in &before[1..] {
        assert!(after.contains(line), "{line}");
    }
}

#[test]
fn a_mapping_of_groups_is_added_when_it_is_switched_on_only() {
    let mut document: Value = serde_json::from_str(SAMPLES[0].1).unwrap();
    document["synchronizationRules"][0]["objectMappings"]
        .as_array_mut()
        .unwrap()
        .pop();
    let imported = again(&document);
    assert_eq!(imported.groups, None);

    let without = write(Some(&document), &imported.users, &imported.groups_or_none());
    assert_eq!(without.to_string(), document.to_string());
    let with = write(Some(&document), &imported.users, &defaults::groups());
    assert_eq!(again(&with).groups, Some(defaults::groups()));
    assert_eq!(again(&with).users, imported.users);
}

#[test]
fn a_fresh_document_is_complete() {
    let (users, groups) = (defaults::users(), defaults::groups());

    let document = write(None, &users, &groups);

    let imported = again(&document);
    assert_eq!(
        (&imported.users, imported.groups.as_ref()),
        (&users, Some(&groups))
    );
    assert_eq!(imported.notes, []);
    let mappings = document.pointer("/synchronizationRules/0/objectMappings/0/attributeMappings");
    let lines = mappings.unwrap().as_array().unwrap();
    let line = |target: &str| {
        lines
            .iter()
            .find(|one| one["targetAttributeName"] == target)
            .unwrap()
    };
    insta::assert_json_snapshot!([line("userName"), line("name.formatted"), line("active")]);
    // what is mapped is described on both sides
    let names = |at: &str| -> Vec<String> {
        let attributes = document.pointer(at).unwrap().as_array().unwrap();
        attributes
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let (source, target) = (
        names("/directories/0/objects/0/attributes"),
        names("/directories/1/objects/0/attributes"),
    );
    for one in &users.attributes {
        assert!(target.contains(&one.target));
        if let Source::Direct(name) = &one.source {
            assert!(source.contains(name), "{name}");
        }
    }
    // what only a mapping knows is described too
    let mut more = users;
    more.attributes.push(AttributeMapping::expression(
        "Append([nick], \"x\")",
        "nickName",
    ));
    let document = write(None, &more, &groups);
    assert!(
        document["directories"][0]["objects"][0]
            .to_string()
            .contains(r#""name":"nick""#)
    );
}

#[test]
fn a_document_that_cannot_be_read_is_written_into_all_the_same() {
    let (users, groups) = (defaults::users(), defaults::groups());
    let odd = [
        json!(null),
        json!([]),
        json!({}),
        json!({"synchronizationRules": {}, "directories": 7}),
        json!({"synchronizationRules": [7, {"objectMappings": [null, {"sourceObjectName": "User"}]}]}),
        json!({"directories": [{"name": "customappsso", "objects": "x"}], "synchronizationRules": [{}]}),
        serde_json::from_str(include_str!("../schemas/mistakes.json")).unwrap(),
    ];
    for document in odd {
        let written = write(Some(&document), &users, &groups);
        // what else is wrong in it stays
        if let Ok(imported) = read(&written.to_string()) {
            assert_eq!(imported.users, users, "{document}");
            assert_eq!(imported.groups.as_ref(), Some(&groups), "{document}");
        }
    }
}

#[test]
fn the_examples_of_the_documentation_are_read_and_written_so() {
    let page = include_str!("../../../../docs/schema.md");
    let blocks = page.split("```json\n").skip(1);
    let examples: Vec<Value> = blocks
        .map(|block| serde_json::from_str(block.split("```").next().unwrap()).unwrap())
        .collect();
    assert_eq!(examples.len(), 3);
    let mut document: Value = serde_json::from_str(SAMPLES[0].1).unwrap();
    let mapping = &mut document["synchronizationRules"][0]["objectMappings"][0];
    mapping["scope"] = examples[2]["scope"].clone();
    mapping["attributeMappings"][18] = examples[0].clone();
    mapping["attributeMappings"][1] = examples[1].clone();
    mapping["attributeMappings"][0]["matchingPriority"] = json!(2);

    let imported = again(&document);

    assert_eq!(imported.notes, []);
    let fresh = write(None, &imported.users, &imported.groups_or_none());
    let mapping = &fresh["synchronizationRules"][0]["objectMappings"][0];
    assert_eq!(mapping["scope"], examples[2]["scope"]);
    assert_eq!(mapping["attributeMappings"][18], examples[0]);
    assert_eq!(
        mapping["attributeMappings"][1]["source"],
        examples[1]["source"]
    );
}
