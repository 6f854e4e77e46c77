//! Managers.

use rollcall_model::Kind;
use rollcall_model::application::Scope;
use rollcall_testkit::Behaviour;
use serde_json::{Value, json};

use crate::ends::{ENTERPRISE, Ends};

async fn report_and_boss(ends: &Ends) -> (rollcall_model::ResourceId, rollcall_model::ResourceId) {
    let boss = ends.person("boss").await;
    let body = json!({"userName": "ann", ENTERPRISE: {"manager": {"value": boss}}});
    (ends.create(Kind::User, body).await, boss)
}

fn manager(ends: &Ends) -> Value {
    ends.there("ann").unwrap()[ENTERPRISE]["manager"]["value"].clone()
}

#[tokio::test]
async fn a_manager_who_comes_into_scope_late_reaches_the_report() {
    let ends = Ends::new(Behaviour::default()).await;
    ends.configure(|application| application.scope = Scope::AssignedOnly)
        .await;
    let (ann, boss) = report_and_boss(&ends).await;
    ends.assign(Kind::User, ann).await;
    ends.settle().await;
    assert_eq!(manager(&ends), Value::Null);

    ends.assign(Kind::User, boss).await;
    let report = ends.settle().await;

    assert_eq!((report.users.created, report.references), (1, 1));
    assert_eq!(manager(&ends), ends.there("boss").unwrap()["id"]);
}
