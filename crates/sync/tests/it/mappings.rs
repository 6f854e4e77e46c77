//! What single mappings lead to: lists, types, required values, defaults, cleared values, input filters.

use rollcall_model::Link;
use rollcall_model::application::Application;
use rollcall_model::mapping::{
    Apply, AttributeMapping, Clause, Mutability, Nulls, Operator, ScopeFilter, Source,
    TargetAttribute, ValueType,
};
use rollcall_model::{Kind, link::LinkState};
use rollcall_sync::explain::explain;
use rollcall_sync::source::SourceObject;
use rollcall_sync::task::{Decision, Ending};
use rollcall_sync::wish::{Surroundings, Unmappable, Wish};
use serde_json::{Map, Value, json};

use crate::target::{ID, Luck, NoDice, Target, application, person, rules, run};

fn surroundings() -> Surroundings<'static> {
    Surroundings {
        now: jiff::Timestamp::UNIX_EPOCH,
        randomness: &NoDice,
    }
}

/// An application with one more mapping of people, whose target is in the list.
fn with(mapping: AttributeMapping, listed: TargetAttribute) -> Application {
    let mut application = application();
    let users = &mut application.users;
    users.attributes.retain(|one| one.target != mapping.target);
    users
        .target_attributes
        .retain(|one| one.name != listed.name);
    users.attributes.push(mapping);
    users.target_attributes.push(listed);
    application
}

fn wish(application: &Application, object: &SourceObject) -> Result<Wish, Unmappable> {
    Wish::of(rules(application).of(Kind::User), object, &surroundings())
}

/// The operations that change what is there, of the paths that begin so.
fn operations(
    application: &Application,
    object: &SourceObject,
    there: Value,
    path: &str,
) -> Vec<Value> {
    let wish = wish(application, object).unwrap();
    let there: Map<String, Value> = there.as_object().cloned().unwrap();
    let (operations, _) = wish.changes(rules(application).of(Kind::User), &there);
    let begins = |one: &Value| one["path"].as_str().unwrap().starts_with(path);
    operations.into_iter().filter(begins).collect()
}

fn body(application: &Application, object: &SourceObject) -> Map<String, Value> {
    let rules = rules(application);
    let wish = wish(application, object).unwrap();
    wish.creation(rules.of(Kind::User), "urn:s").unwrap().0
}

fn calm(
    application: &Application,
    object: &SourceObject,
    link: &mut Option<Link>,
    target: &mut Target,
) -> Ending {
    run(&rules(application), object, link, target, || Luck::Good).unwrap()
}

fn list(name: &str) -> TargetAttribute {
    TargetAttribute {
        multi_valued: true,
        ..TargetAttribute::new(name)
    }
}

#[test]
fn a_list_that_is_only_added_to_keeps_what_the_target_has_besides() {
    let mapping = AttributeMapping {
        apply: Apply::AddOnly,
        ..AttributeMapping::expression(r#"Split("red;Blue", ";")"#, "tags")
    };
    let one = with(mapping, list("tags"));
    let ann = person("ann", json!({}));
    let rows = [
        (
            json!({}),
            json!([{"op": "add", "path": "tags", "value": ["red", "Blue"]}]),
        ),
        (
            json!({"tags": ["green", "blue"]}),
            json!([{"op": "add", "path": "tags", "value": ["red"]}]),
        ),
        (json!({"tags": ["blue", "red", "green"]}), json!([])),
    ];
    for (there, wanted) in rows {
        assert_eq!(
            json!(operations(&one, &ann, there.clone(), "tags")),
            wanted,
            "{there}"
        );
    }

    // a source without a value takes nothing away, even if nulls clear
    let mapping = AttributeMapping {
        apply: Apply::AddOnly,
        nulls: Nulls::Clear,
        ..AttributeMapping::direct("title", "tags")
    };
    let one = with(mapping, list("tags"));
    assert!(operations(&one, &ann, json!({"tags": ["green"]}), "tags").is_empty());
}

#[test]
fn one_text_for_a_list_becomes_its_one_element_in_the_form_of_that_list() {
    let ann = person("ann", json!({"title": "Buyer"}));
    let rows = [
        ("tags", json!(["Buyer"])),
        ("roles", json!([{"value": "Buyer"}])),
        ("urn:example:ext:2.0:User:groups", json!(["Buyer"])),
    ];
    for (target, wanted) in rows {
        let one = with(AttributeMapping::direct("jobTitle", target), list(target));
        let body = body(&one, &ann);
        let path = rollcall_sync::target_path::TargetPath::parse(target).unwrap();
        assert_eq!(path.find(&body), Some(&wanted), "{target}");
        assert!(
            operations(&one, &ann, Value::Object(body), target).is_empty(),
            "{target}"
        );
    }
    // what the target adds to an element is no difference, another element is
    let one = with(AttributeMapping::direct("jobTitle", "roles"), list("roles"));
    let same = json!({"roles": [{"value": "buyer", "primary": false, "$ref": "x"}]});
    assert!(operations(&one, &ann, same, "roles").is_empty());
    let more = json!({"roles": [{"value": "Buyer"}, {"value": "Cook"}]});
    assert_eq!(operations(&one, &ann, more, "roles").len(), 1);
    // a part of an element is no list
    let path = r#"emails[type eq "work"].value"#;
    let one = with(AttributeMapping::direct("jobTitle", path), list(path));
    assert_eq!(
        body(&one, &ann)["emails"],
        json!([{"type": "work", "value": "Buyer"}])
    );
}

#[test]
fn a_value_that_does_not_fit_fails_the_object_and_nothing_is_sent() {
    for (kind, wanted) in [
        (ValueType::Integer, "a whole number"),
        (ValueType::Boolean, "`True` or `False`"),
        (ValueType::DateTime, "a date"),
        (ValueType::Binary, "base64"),
    ] {
        let listed = TargetAttribute {
            kind,
            ..TargetAttribute::new("nickName")
        };
        let one = with(AttributeMapping::direct("jobTitle", "nickName"), listed);
        let (mut link, mut target) = (None, Target::default());

        let ending = calm(
            &one,
            &person("ann", json!({"title": "no, thanks!"})),
            &mut link,
            &mut target,
        );

        let trouble = ending.reason.unwrap();
        assert_eq!(trouble.code, "SchemaPropertyCanOnlyAcceptValue");
        assert!(
            trouble.message.contains("`nickName`") && trouble.message.contains("`no, thanks!`")
        );
        assert!(trouble.message.contains(wanted), "{}", trouble.message);
        assert_eq!((ending.decision, target.writes), (Decision::Fail, 0));
        // who has no value is no worse for it
        let ending = calm(&one, &person("ann", json!({})), &mut link, &mut target);
        assert_eq!(ending.decision, Decision::Create);
    }
}

#[test]
fn a_secret_that_does_not_fit_is_not_shown() {
    let listed = TargetAttribute {
        kind: ValueType::Integer,
        ..TargetAttribute::new("nickName")
    };
    let one = with(
        AttributeMapping::expression("Redact([jobTitle])", "nickName"),
        listed,
    );

    let unmappable = wish(&one, &person("ann", json!({"title": "hush"}))).unwrap_err();

    assert!(!unmappable.to_string().contains("hush"), "{unmappable}");
}

#[test]
fn a_new_object_without_a_required_value_fails_and_nothing_is_sent() {
    let required = |name: &str| TargetAttribute {
        required: true,
        ..TargetAttribute::new(name)
    };
    let mut one = with(
        AttributeMapping::direct("jobTitle", "title"),
        required("title"),
    );
    one.users
        .target_attributes
        .push(required("urn:example:ext:2.0:User:unit"));
    one.users.target_attributes.push(required("emails"));
    let (mut link, mut target) = (None, Target::default());

    let ending = calm(&one, &person("ann", json!({})), &mut link, &mut target);

    let trouble = ending.reason.unwrap();
    assert_eq!((trouble.code.as_str(), target.writes), ("MissingValues", 0));
    assert!(
        trouble
            .message
            .contains("`title`, `urn:example:ext:2.0:User:unit`, and"),
        "{}",
        trouble.message
    );
    assert!(
        link.as_ref()
            .is_none_or(|link| link.state == LinkState::Unlinked)
    );

    // a default is a value; who is there already needs none
    one.users
        .target_attributes
        .retain(|listed| !listed.name.contains("example"));
    let mut adopted = Target::with(&[json!({"userName": "ann", "active": true})]);
    assert_eq!(
        calm(&one, &person("ann", json!({})), &mut None, &mut adopted).decision,
        Decision::Adopt
    );
    for mapping in &mut one.users.attributes {
        if mapping.target == "title" {
            mapping.default = Some("Staff".into());
        }
    }
    assert_eq!(
        calm(&one, &person("ann", json!({})), &mut link, &mut target).decision,
        Decision::Create
    );
    assert_eq!(target.resources[0]["title"], "Staff");
}

#[test]
fn a_default_is_given_at_creation_only() {
    let mapping = AttributeMapping {
        default: Some("Staff".into()),
        ..AttributeMapping::direct("jobTitle", "title")
    };
    let one = with(mapping, TargetAttribute::new("title"));
    let nobody = person("ann", json!({}));

    assert_eq!(body(&one, &nobody)["title"], "Staff");
    assert!(operations(&one, &nobody, json!({"title": "Cook"}), "title").is_empty());
    assert!(operations(&one, &nobody, json!({}), "title").is_empty());

    // a mapping from nowhere is its default
    let one = with(
        AttributeMapping {
            source: Source::None,
            default: Some("en".into()),
            ..AttributeMapping::direct("x", "locale")
        },
        TargetAttribute::new("locale"),
    );
    assert_eq!(body(&one, &nobody)["locale"], "en");
    assert!(operations(&one, &nobody, json!({"locale": "fr"}), "locale").is_empty());
}

#[test]
fn a_cleared_value_is_removed_where_nulls_clear_and_kept_where_they_do_not() {
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let there = json!({
        "title": "Cook", "name": {"givenName": "Ann"},
        "emails": [{"type": "home", "value": "h"}, {"type": "work", "value": "w"}],
        enterprise: {"department": "Sales"}, "tags": ["a"],
    });
    let department = format!("{enterprise}:department");
    let paths = [
        "title",
        "name.givenName",
        r#"emails[type eq "work"].value"#,
        department.as_str(),
        "tags",
    ];
    for path in paths {
        let mut mapping = AttributeMapping::direct("companyName", path);
        let mut listed = TargetAttribute::new(path);
        listed.multi_valued = path == "tags";
        let keeping = with(mapping.clone(), listed.clone());
        mapping.nulls = Nulls::Clear;
        mapping.default = Some("later".into());
        let clearing = with(mapping, listed);
        let ann = person("ann", json!({}));

        assert!(
            operations(&keeping, &ann, there.clone(), path).is_empty(),
            "{path}"
        );
        assert_eq!(
            operations(&clearing, &ann, there.clone(), path),
            [json!({"op": "remove", "path": path})],
            "{path}"
        );
        // nothing there, or an empty text: nothing to remove
        for empty in [
            json!({}),
            json!({"title": "", "tags": [], "emails": [{"type": "work"}]}),
        ] {
            assert!(
                operations(&clearing, &ann, empty.clone(), path).is_empty(),
                "{path} {empty}"
            );
        }
    }
}

#[test]
fn what_cannot_be_changed_later_is_sent_at_creation_only() {
    let listed = TargetAttribute {
        mutability: Mutability::Immutable,
        ..TargetAttribute::new("title")
    };
    let one = with(AttributeMapping::direct("jobTitle", "title"), listed);
    let ann = person("ann", json!({"title": "Buyer"}));

    assert_eq!(body(&one, &ann)["title"], "Buyer");
    assert!(operations(&one, &ann, json!({"title": "Cook"}), "title").is_empty());
}

#[test]
fn case_alone_is_a_change_where_the_attribute_says_so() {
    let ann = person("ann", json!({"title": "Buyer"}));
    for (exact_case, changes) in [(false, 0), (true, 1)] {
        let listed = TargetAttribute {
            exact_case,
            ..TargetAttribute::new("title")
        };
        let one = with(AttributeMapping::direct("jobTitle", "title"), listed);
        assert_eq!(
            operations(&one, &ann, json!({"title": "BUYER"}), "title").len(),
            changes
        );
    }
}

#[test]
fn matching_attributes_keep_their_order_and_who_lacks_the_first_is_looked_up_by_the_second() {
    let mut one = application();
    for mapping in &mut one.users.attributes {
        mapping.matching = match mapping.target.as_str() {
            "userName" => Some(7),
            "title" => Some(2),
            _ => None,
        };
    }
    let both = wish(&one, &person("ann", json!({"title": "Buyer"}))).unwrap();
    assert_eq!(
        both.matching,
        [
            ("title".into(), "Buyer".into()),
            ("userName".into(), "ann".into())
        ]
    );

    let there = json!({"userName": "ann", "title": "Cook", "active": true});
    let mut target = Target::with(&[there]);
    let ending = calm(&one, &person("ann", json!({})), &mut None, &mut target);
    assert_eq!((ending.decision, target.created), (Decision::Adopt, 0));
}

#[test]
fn who_is_outside_the_input_filters_is_left_alone_until_it_is_deleted() {
    let mut one = application();
    one.users.input_filters.push(ScopeFilter {
        name: "Sales".into(),
        clauses: vec![Clause {
            attribute: "jobTitle".into(),
            operator: Operator::Equals,
            values: vec!["Buyer".into()],
        }],
    });
    let (mut link, mut target) = (None, Target::default());
    let outside = person("ann", json!({"title": "Cook", "active": false}));
    assert_eq!(
        calm(&one, &outside, &mut link, &mut target).decision,
        Decision::Skip
    );
    assert!(link.is_none() && target.writes == 0, "it is not created");

    calm(
        &one,
        &person("ann", json!({"title": "Buyer"})),
        &mut link,
        &mut target,
    );
    let writes = target.writes;
    let unassigned = SourceObject {
        is_assigned: false,
        ..outside.clone()
    };
    for left in [&outside, &unassigned] {
        assert_eq!(
            calm(&one, left, &mut link, &mut target).decision,
            Decision::Skip
        );
        assert_eq!(
            (target.writes, target.active()),
            (writes, 1),
            "it is neither changed nor switched off"
        );
    }
    calm(
        &one,
        &person("ann", json!({"title": "Buyer"})),
        &mut link,
        &mut target,
    );
    assert_eq!(target.created, 1, "it comes back as the same account");

    calm(&one, &outside, &mut link, &mut target);
    let gone = SourceObject::gone(Kind::User, ID.parse().unwrap());
    assert_eq!(
        calm(&one, &gone, &mut link, &mut target).decision,
        Decision::Delete
    );
    assert!(target.resources.is_empty());
}

#[test]
fn who_was_left_alone_is_deleted_with_the_source_where_deletions_are_allowed() {
    let unassigned = SourceObject {
        is_assigned: false,
        ..person("ann", json!({}))
    };
    let gone = SourceObject::gone(Kind::User, ID.parse().unwrap());
    for (may_delete, decision, left) in [(true, Decision::Delete, 0), (false, Decision::Skip, 1)] {
        let mut one = application();
        one.settings.leaving = rollcall_model::application::Leaving::Unlink;
        one.users.actions.delete = may_delete;
        let (mut link, mut target) = (None, Target::default());
        calm(&one, &person("ann", json!({})), &mut link, &mut target);
        calm(&one, &unassigned, &mut link, &mut target);
        assert_eq!(link.as_ref().unwrap().state, LinkState::Released);

        let ending = calm(&one, &gone, &mut link, &mut target);

        assert_eq!((ending.decision, target.resources.len()), (decision, left));
        assert!(link.is_none());
    }
}

#[test]
fn every_line_is_explained_whatever_becomes_of_the_others() {
    let mut one = application();
    let users = &mut one.users;
    users.attributes.retain(|mapping| {
        ["userName", "active", "title"].contains(&mapping.target.as_str())
            || mapping.target.ends_with("manager")
    });
    users.target_attributes.push(TargetAttribute {
        kind: ValueType::Integer,
        ..TargetAttribute::new("level")
    });
    users.attributes.extend([
        AttributeMapping::direct("displayName", "level"),
        AttributeMapping::expression("Redact([displayName])", "nickName"),
        AttributeMapping::expression(
            "IIF([displayName] = \"x\", \"y\", IgnoreAttributeFlow)",
            "locale",
        ),
        AttributeMapping {
            apply: Apply::OnCreate,
            default: Some("Staff".into()),
            ..AttributeMapping::direct("companyName", "userType")
        },
        AttributeMapping::constant("Rollcall", "profileUrl"),
        AttributeMapping::expression("Error(\"no\")", "timezone"),
    ]);
    let ann = person(
        "ann",
        json!({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": ID}}}),
    );

    let explained = explain(rules(&one).of(Kind::User), &ann, &surroundings());

    insta::assert_debug_snapshot!(explained);
}
