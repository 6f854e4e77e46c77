//! Single objects and what becomes of them.

use rollcall_model::application::Leaving;
use rollcall_model::link::LinkState;
use rollcall_model::mapping::{AttributeMapping, Source};
use rollcall_model::{Kind, Link};
use rollcall_sync::source::SourceObject;
use rollcall_sync::task::{Decision, Entitlement};
use serde_json::{Value, json};

use crate::target::{ID, Luck, Target, application, person, rules, run};

/// Runs with a target that does what it is asked.
fn calm(object: &SourceObject, link: &mut Option<Link>, target: &mut Target) -> Decision {
    let application = application();
    run(&rules(&application), object, link, target, || Luck::Good)
        .unwrap()
        .decision
}

#[test]
fn a_person_is_created_kept_updated_disabled_enabled_and_deleted() {
    let (mut link, mut target) = (None, Target::default());
    let ann = person("ann@example.com", json!({"title": "Buyer"}));

    assert_eq!(calm(&ann, &mut link, &mut target), Decision::Create);
    assert_eq!(target.resources[0]["title"], "Buyer");
    assert_eq!(target.resources[0]["active"], true);

    let writes = target.writes;
    assert_eq!(calm(&ann, &mut link, &mut target), Decision::Keep);
    assert_eq!(target.writes, writes, "nothing changed, nothing is written");

    let promoted = person("ann@example.com", json!({"title": "Head"}));
    assert_eq!(calm(&promoted, &mut link, &mut target), Decision::Update);
    assert_eq!(target.resources[0]["title"], "Head");

    let blocked = person("ann@example.com", json!({"title": "Head", "active": false}));
    assert_eq!(calm(&blocked, &mut link, &mut target), Decision::Disable);
    assert_eq!(target.resources[0]["active"], false);
    assert_eq!(calm(&blocked, &mut link, &mut target), Decision::Skip);

    assert_eq!(calm(&promoted, &mut link, &mut target), Decision::Update);
    assert_eq!(target.resources[0]["active"], true);

    let gone = SourceObject::gone(Kind::User, ID.parse().unwrap());
    assert_eq!(calm(&gone, &mut link, &mut target), Decision::Delete);
    assert!(target.resources.is_empty() && link.is_none());
    assert_eq!(target.created, 1);
}

#[test]
fn whoever_is_there_already_is_adopted_and_brought_up_to_date() {
    let mut target = Target::with(&[json!({"userName": "ANN@EXAMPLE.COM", "active": true})]);
    let mut link = None;

    let decision = calm(
        &person("ann@example.com", json!({"title": "Buyer"})),
        &mut link,
        &mut target,
    );

    assert_eq!(decision, Decision::Adopt);
    assert_eq!((target.created, target.resources.len()), (0, 1));
    assert_eq!(target.resources[0]["title"], "Buyer");
}

#[test]
fn what_a_target_kept_when_it_was_first_spoken_to_it_is_told_in_the_next_cycle() {
    let ann = person("ann@example.com", json!({"title": "Buyer"}));
    for (kept, next) in [("Seller", Decision::Update), ("Buyer", Decision::Keep)] {
        let there = json!({"userName": "ann@example.com", "title": "Seller", "active": true});
        let (mut link, mut target) = (None, Target::with(&[there]));
        assert_eq!(calm(&ann, &mut link, &mut target), Decision::Adopt);
        assert!(link.as_ref().unwrap().needs_attention());
        target.resources[0]["title"] = kept.into();

        assert_eq!(calm(&ann, &mut link, &mut target), next);

        assert_eq!(target.resources[0]["title"], "Buyer");
        assert!(!link.as_ref().unwrap().needs_attention());
        assert_eq!(calm(&ann, &mut link, &mut target), Decision::Keep);
    }
}

#[test]
fn who_is_blocked_or_unassigned_is_never_created() {
    for object in [
        person("ann", json!({"active": false})),
        SourceObject {
            is_assigned: false,
            ..person("ann", json!({}))
        },
    ] {
        let (mut link, mut target) = (None, Target::default());
        assert_eq!(calm(&object, &mut link, &mut target), Decision::Skip);
        assert!(link.is_none() && target.writes == 0);
    }
}

#[test]
fn who_leaves_the_scope_is_disabled_or_left_alone_as_configured() {
    let unassigned = SourceObject {
        is_assigned: false,
        ..person("ann", json!({}))
    };
    for (leaving, decision, active) in [
        (Leaving::Disable, Decision::Disable, 0),
        (Leaving::Delete, Decision::Delete, 0),
        (Leaving::Unlink, Decision::Skip, 1),
    ] {
        let (mut link, mut target) = (None, Target::default());
        let mut application = application();
        application.settings.leaving = leaving;
        let rules = rules(&application);
        run(
            &rules,
            &person("ann", json!({})),
            &mut link,
            &mut target,
            || Luck::Good,
        )
        .unwrap();

        let ending = run(&rules, &unassigned, &mut link, &mut target, || Luck::Good).unwrap();

        assert_eq!((ending.decision, target.active()), (decision, active));
        // it comes back as the same account
        run(
            &rules,
            &person("ann", json!({})),
            &mut link,
            &mut target,
            || Luck::Good,
        )
        .unwrap();
        let created = if leaving == Leaving::Delete { 2 } else { 1 };
        assert_eq!((target.active(), target.created), (1, created));
    }
}

#[test]
fn a_target_that_cannot_be_told_to_disable_is_told_to_delete() {
    let mut application = application();
    application
        .users
        .attributes
        .retain(|mapping| mapping.target != "active");
    let rules = rules(&application);
    let (mut link, mut target) = (None, Target::default());
    run(
        &rules,
        &person("ann", json!({})),
        &mut link,
        &mut target,
        || Luck::Good,
    )
    .unwrap();

    let unassigned = SourceObject {
        is_assigned: false,
        ..person("ann", json!({}))
    };
    let ending = run(&rules, &unassigned, &mut link, &mut target, || Luck::Good).unwrap();

    assert_eq!(ending.decision, Decision::Delete);
    assert!(target.resources.is_empty());
}

#[test]
fn actions_that_are_switched_off_are_not_taken() {
    let mut application = application();
    application.users.actions.create = false;
    let (mut link, mut target) = (None, Target::default());
    let ending = run(
        &rules(&application),
        &person("ann", json!({})),
        &mut link,
        &mut target,
        || Luck::Good,
    )
    .unwrap();
    assert_eq!(
        (ending.decision, ending.reason.unwrap().code.as_str()),
        (Decision::Skip, "NotPermitted")
    );

    application.users.actions.create = true;
    application.users.actions.delete = false;
    let rules = rules(&application);
    run(
        &rules,
        &person("ann", json!({})),
        &mut link,
        &mut target,
        || Luck::Good,
    )
    .unwrap();
    let gone = SourceObject::gone(Kind::User, ID.parse().unwrap());
    run(&rules, &gone, &mut link, &mut target, || Luck::Good).unwrap();
    assert_eq!(target.resources.len(), 1);
    assert_eq!(link.unwrap().state, LinkState::Released);
}

/// A file or a server that has somebody no longer does not say why: the application's setting for who leaves decides.
#[test]
fn who_vanished_from_a_foreign_source_is_treated_as_who_left_the_scope() {
    let ann = person("ann", json!({}));
    let vanished = SourceObject::vanished(Kind::User, ID.parse().unwrap());
    for (leaving, decision, active, created) in [
        (Leaving::Disable, Decision::Disable, Some(false), 1),
        (Leaving::Delete, Decision::Delete, None, 2),
        (Leaving::Unlink, Decision::Skip, Some(true), 1),
    ] {
        let (mut link, mut target) = (None, Target::default());
        let mut application = application();
        application.settings.leaving = leaving;
        let rules = rules(&application);
        let go = |object: &SourceObject, link: &mut Option<_>, target: &mut Target| {
            run(&rules, object, link, target, || Luck::Good).unwrap()
        };
        go(&ann, &mut link, &mut target);

        let ending = go(&vanished, &mut link, &mut target);
        assert_eq!(ending.decision, decision, "{leaving:?}");
        let account = target.resources.first();
        let there = account.map(|account| account["active"] == true);
        assert_eq!(there, active, "{leaving:?}");
        let keeps = leaving == Leaving::Disable;
        let name = link.as_ref().map(|link| link.name.as_deref());
        assert_eq!(name, keeps.then_some(Some("ann")), "{leaving:?}");
        let writes = target.writes;
        go(&vanished, &mut link, &mut target);
        assert_eq!(target.writes, writes, "{leaving:?}");

        go(&ann, &mut link, &mut target);
        assert_eq!(target.active(), 1, "{leaving:?}");
        assert_eq!(target.created, created, "{leaving:?}");
    }
}

/// Who may not be switched off or deleted does not leave: the guard does not count him, and nothing is sent.
#[test]
fn who_leaves_while_the_action_for_it_is_switched_off_does_not_count_as_leaving() {
    let blocked = person("ann", json!({"active": false}));
    let unassigned = SourceObject {
        is_assigned: false,
        ..person("ann", json!({}))
    };
    let gone = SourceObject::gone(Kind::User, ID.parse().unwrap());
    let vanished = SourceObject::vanished(Kind::User, ID.parse().unwrap());
    for (object, leaving, may_update, may_delete, counts) in [
        (&blocked, Leaving::Disable, false, true, false),
        (&blocked, Leaving::Disable, true, false, true),
        (&unassigned, Leaving::Disable, false, true, false),
        (&unassigned, Leaving::Delete, true, false, false),
        (&unassigned, Leaving::Delete, false, true, true),
        (&unassigned, Leaving::Unlink, true, true, false),
        (&gone, Leaving::Disable, true, false, false),
        (&gone, Leaving::Disable, false, true, true),
        (&vanished, Leaving::Disable, true, false, true),
        (&vanished, Leaving::Disable, false, true, false),
        (&vanished, Leaving::Delete, false, true, true),
        (&vanished, Leaving::Delete, true, false, false),
        (&vanished, Leaving::Unlink, true, true, false),
    ] {
        let (mut link, mut target) = (None, Target::default());
        calm(&person("ann", json!({})), &mut link, &mut target);
        let mut application = application();
        application.settings.leaving = leaving;
        application.users.actions.update = may_update;
        application.users.actions.delete = may_delete;
        let (rules, writes) = (rules(&application), target.writes);

        let users = rules.of(Kind::User);
        let entitlement = Entitlement::of(users, object, true);
        let takes_away = entitlement.takes_away(users, link.as_ref().unwrap());
        run(&rules, object, &mut link, &mut target, || Luck::Good).unwrap();

        let row = format!("{entitlement:?} {leaving:?} {may_update} {may_delete}");
        assert_eq!(takes_away, counts, "{row}");
        assert_eq!(target.writes > writes, counts, "{row}");
    }
}

#[test]
fn several_matches_or_none_that_matches_are_no_reason_to_write() {
    let twins = [
        json!({"userName": "a", "externalId": "ann", "active": true}),
        json!({"userName": "b", "externalId": "ann", "active": true}),
    ];
    let mut application = application();
    for mapping in &mut application.users.attributes {
        mapping.matching = (mapping.target == "externalId").then_some(1);
    }
    let (mut link, mut target) = (None, Target::with(&twins));
    let object = person("ann@example.com", json!({}));
    let ending = run(
        &rules(&application),
        &object,
        &mut link,
        &mut target,
        || Luck::Good,
    )
    .unwrap();
    assert_eq!(ending.reason.unwrap().code, "DuplicateTargetEntries");
    assert_eq!(target.writes, 0);

    // nothing to look up by
    for mapping in &mut application.users.attributes {
        mapping.matching = (mapping.target == "title").then_some(1);
    }
    let (mut link, mut target) = (None, Target::default());
    let ending = run(
        &rules(&application),
        &object,
        &mut link,
        &mut target,
        || Luck::Good,
    )
    .unwrap();
    assert_eq!(
        (ending.decision, ending.reason.unwrap().code.as_str()),
        (Decision::Skip, "ImportSkipped")
    );
    assert_eq!(target.writes, 0);
}

#[test]
fn the_second_matching_attribute_is_tried_when_the_first_finds_nobody() {
    let mut application = application();
    for mapping in &mut application.users.attributes {
        if mapping.target == "externalId" {
            mapping.matching = Some(2);
        }
    }
    let there = json!({"userName": "old.name@example.com", "externalId": "ann", "active": true});
    let (mut link, mut target) = (None, Target::with(&[there]));

    let object = person("ann@example.com", json!({}));
    let ending = run(
        &rules(&application),
        &object,
        &mut link,
        &mut target,
        || Luck::Good,
    )
    .unwrap();

    assert_eq!(ending.decision, Decision::Adopt);
    assert_eq!(target.resources[0]["userName"], "ann@example.com");
}

#[test]
fn an_expression_that_fails_fails_the_object_and_nothing_is_written() {
    let mut application = application();
    application.users.attributes.push(AttributeMapping {
        source: Source::Expression("FormatDateTime([title], , \"yyyy\", \"MM\")".into()),
        ..AttributeMapping::direct("title", "nickName")
    });
    let (mut link, mut target) = (None, Target::default());

    let object = person("ann", json!({"title": "no date"}));
    let ending = run(
        &rules(&application),
        &object,
        &mut link,
        &mut target,
        || Luck::Good,
    )
    .unwrap();

    assert_eq!((ending.decision, target.writes), (Decision::Fail, 0));
    assert!(ending.reason.unwrap().message.contains("nickName"));
}

#[test]
fn a_counterpart_that_somebody_deleted_is_made_again() {
    let (mut link, mut target) = (None, Target::default());
    calm(&person("ann", json!({})), &mut link, &mut target);
    target.resources.clear();

    let decision = calm(
        &person("ann", json!({"title": "New"})),
        &mut link,
        &mut target,
    );

    assert_eq!(decision, Decision::Create);
    assert_eq!(target.resources.len(), 1);
}

#[test]
fn what_was_begun_is_found_under_the_value_that_it_was_begun_with() {
    let (mut link, mut target) = (None, Target::default());
    let mut luck = [Luck::Good, Luck::Killed].into_iter();
    let application = application();
    let rules = rules(&application);
    let ended = run(
        &rules,
        &person("ann.lee", json!({})),
        &mut link,
        &mut target,
        || luck.next().unwrap(),
    );
    assert!(ended.is_none() && target.resources.len() == 1);

    // renamed before anybody looked again
    calm(&person("ann.ray", json!({})), &mut link, &mut target);
    assert_eq!(target.created, 1);
    assert_eq!(target.resources[0]["userName"], "ann.ray");

    // and the same when the account was blocked meanwhile: it must not stay switched on
    let (mut link, mut target) = (None, Target::default());
    let mut luck = [Luck::Good, Luck::Killed].into_iter();
    run(
        &rules,
        &person("bob", json!({})),
        &mut link,
        &mut target,
        || luck.next().unwrap(),
    );
    assert_eq!(target.active(), 1);
    calm(
        &person("bob", json!({"active": false})),
        &mut link,
        &mut target,
    );
    assert_eq!(target.active(), 0);
}

#[test]
fn a_target_that_ignores_filters_is_not_written_to() {
    use rollcall_sync::task::{Answer, Entitlement, Step, Task};
    use rollcall_sync::wish::Surroundings;
    let application = application();
    let rules = rules(&application);
    let object = person("ann", json!({}));
    let surroundings = Surroundings {
        now: jiff::Timestamp::UNIX_EPOCH,
        randomness: &crate::target::NoDice,
    };
    let kind = rules.of(Kind::User);
    let mut task = Task::new(
        kind,
        &object,
        crate::target::fresh_link(),
        Entitlement::Entitled,
        &surroundings,
    );
    assert!(matches!(task.step(), Step::Find { .. }));
    let stranger: Value = json!({"id": "t1", "userName": "stranger"});
    task.answer(Answer::Found(vec![stranger.as_object().cloned().unwrap()]));

    let Step::End(ending) = task.step() else {
        panic!("it goes on")
    };
    assert_eq!(ending.decision, Decision::Fail);
    assert!(ending.link.is_none_or(|link| link.target_id.is_none()));
}
