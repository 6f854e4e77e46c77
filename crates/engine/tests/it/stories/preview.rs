//! Drafts of mappings and filters, evaluated before they are saved.

use rollcall_engine::preview::plain;
use rollcall_model::Kind;
use rollcall_model::application::{Application, Scope};
use rollcall_model::mapping::{AttributeMapping, Clause, Operator, ScopeFilter};
use rollcall_sync::explain::Outcome;
use rollcall_sync::target_path::TargetPath;
use rollcall_sync::task::Entitlement;
use rollcall_testkit::Behaviour;
use serde_json::json;

use crate::ends::Ends;

async fn stored(ends: &Ends) -> Application {
    let configured = ends.app.configured(&ends.source, ends.application).await;
    configured.unwrap().application
}

/// Three people, two of them assigned: one directly, one by a group; one of these has a title.
async fn some_people(ends: &Ends) -> [rollcall_model::ResourceId; 3] {
    let ann = ends.person("ann").await;
    let bob = ends.person("bob").await;
    let cleo = ends.person("cleo").await;
    ends.set(Kind::User, ann, "title", json!("Buyer")).await;
    let team = ends.group("Team", &[bob]).await;
    ends.assign(Kind::User, ann).await;
    ends.assign(Kind::Group, team).await;
    ends.configure(|application| application.scope = Scope::AssignedOnly)
        .await;
    [ann, bob, cleo]
}

#[tokio::test]
async fn a_draft_is_evaluated_and_nothing_of_it_is_kept() {
    let ends = Ends::new(Behaviour::default()).await;
    let [ann, _, cleo] = some_people(&ends).await;
    let before = stored(&ends).await;
    let mut draft = before.clone();
    let line = AttributeMapping::expression(r"ToUpper([jobTitle])", "title");
    draft.users.put(Some("title"), line);

    let preview = ends
        .engine
        .preview(&ends.source, draft.clone(), Kind::User, ann);
    let preview = preview.await.unwrap();

    let title = preview.lines.iter().find(|line| line.target == "title");
    let Outcome::Value(value) = &title.unwrap().outcome else {
        panic!("{title:?}");
    };
    assert_eq!(plain(value), "BUYER");
    assert_eq!(preview.entitlement, Entitlement::Entitled);
    let preview = ends.engine.preview(&ends.source, draft, Kind::User, cleo);
    assert_eq!(preview.await.unwrap().entitlement, Entitlement::OutOfScope);
    assert_eq!(stored(&ends).await, before);
    assert_eq!(ends.target.last_request(), 0, "the target is not asked");
}

#[tokio::test]
async fn everybody_in_scope_is_counted_and_nobody_else() {
    let ends = Ends::new(Behaviour::default()).await;
    some_people(&ends).await;
    let mut draft = stored(&ends).await;
    draft
        .users
        .put(Some("title"), AttributeMapping::direct("jobTitle", "title"));
    let census = async |draft: &Application, target: &str| {
        let target = TargetPath::parse(target).unwrap();
        let census = ends
            .engine
            .population(&ends.source, draft.clone(), Kind::User, target);
        census.await.unwrap().unwrap()
    };

    let titles = census(&draft, "title").await;
    assert_eq!(
        (titles.in_scope, titles.values, titles.nothing),
        (2, 1, 1),
        "{titles:?}"
    );
    assert_eq!(titles.nothing_names, ["bob"]);
    assert_eq!(titles.examples, [("ann".to_owned(), "Buyer".to_owned())]);
    assert!(!titles.extent.more);

    let same = AttributeMapping::constant("same", "nickName");
    draft.users.put(None, same.matching(2));
    let shared = census(&draft, "nickName").await;
    assert_eq!(shared.duplicated, 2);
    assert_eq!(shared.duplicates[0].text, "same");

    let fails = AttributeMapping::expression(r#"CStr(Split([objectId], "-"))"#, "title");
    draft.users.put(Some("title"), fails);
    let failed = census(&draft, "title").await;
    assert_eq!(
        failed.failed + failed.values + failed.nothing,
        2,
        "{failed:?}"
    );

    draft.scope = Scope::All;
    assert_eq!(census(&draft, "userName").await.in_scope, 3);
}

#[tokio::test]
async fn a_scope_is_counted_before_it_is_saved_and_the_guard_is_asked() {
    let ends = Ends::new(Behaviour::default()).await;
    some_people(&ends).await;
    ends.configure(|application| application.settings.max_deletions = Some(0))
        .await;
    ends.settle().await;
    let mut draft = stored(&ends).await;
    let titled = Clause {
        attribute: "jobTitle".to_owned(),
        operator: Operator::IsNotNull,
        values: Vec::new(),
    };
    draft.users.filters.push(ScopeFilter {
        name: "titled".to_owned(),
        clauses: vec![titled],
    });

    let effect = ends
        .engine
        .scope_effect(&ends.source, draft.clone(), Kind::User);
    let effect = effect.await.unwrap().unwrap();

    assert_eq!(
        (effect.now, effect.then, effect.leaving, effect.accounts),
        (2, 1, 1, 1)
    );
    assert_eq!(effect.leaving_names, ["bob"]);
    assert_eq!(effect.held_above, Some(0));

    ends.configure(move |application| application.users.filters = draft.users.filters)
        .await;
    let mut open = stored(&ends).await;
    open.users.filters.clear();
    let effect = ends.engine.scope_effect(&ends.source, open, Kind::User);
    let effect = effect.await.unwrap().unwrap();
    assert_eq!(
        (effect.entering, effect.leaving, effect.held_above),
        (1, 0, None)
    );
    assert_eq!(effect.entering_names, ["bob"]);
}
