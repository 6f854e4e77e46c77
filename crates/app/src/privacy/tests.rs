//! What is kept about a person, where no server and no target is needed to put it there.

use rollcall_model::application::Application;
use rollcall_model::plan::{PlanRecord, PlanState};
use rollcall_model::{Actor, ApplicationId, Exchange, IntegrationKind};
use rollcall_store::ExchangeQuery;

use super::*;
use crate::testing::Installation;

const ZOE: &str = "quokkazoe@example.com";

fn exchange(installation: &Installation, path: &str, asked: Option<&str>) -> Exchange {
    Exchange {
        request: installation.app.new_request_id(),
        at: installation.app.now(),
        took: 1,
        integration: None,
        token: None,
        address: None,
        agent: None,
        method: "GET".into(),
        path: path.into(),
        status: 200,
        asked: asked.map(str::to_owned),
        answered: None,
    }
}

/// Puts requests and plans there that tell of a person, and others that do not; returns the application of the plans.
async fn remembered(installation: &Installation, id: ResourceId) -> ApplicationId {
    let (app, command) = (&installation.app, installation.command());
    let application = Application::new(
        ApplicationId::new(app.now(), &**app.randomness()),
        "Vault".into(),
        app.now(),
    );
    let exchanges = [
        exchange(
            installation,
            "/Users?filter=userName+eq+%22QuokkaZoe%40example.com%22",
            None,
        ),
        exchange(
            installation,
            "/Users",
            Some(r#"{"displayName": "Zo\u00eb Quokka"}"#),
        ),
        exchange(installation, &format!("/Users/{id}"), None),
        exchange(
            installation,
            "/Users?filter=userName+eq+%22bob%40example.com%22",
            None,
        ),
    ];
    let at = application.id;
    let now = app.now();
    command
        .tenant()
        .write::<_, Failure, _>(move |writer| {
            writer.append_exchanges(&exchanges)?;
            writer.save_application(&application)?;
            for text in [
                format!("{{\"name\":\"{ZOE}\"}}"),
                "{\"name\":\"bob\"}".into(),
            ] {
                let mut record = PlanRecord {
                    number: 0,
                    at: now,
                    by: Actor::Command,
                    state: PlanState::Ready,
                    digest: String::new(),
                };
                record.number = writer.add_plan(at, &record)?;
                writer.save_plan(at, &record, Some(text.as_bytes()))?;
            }
            Ok(())
        })
        .await
        .unwrap();
    at
}

#[tokio::test]
async fn invitations_mail_plans_and_requests_are_in_the_export_and_go_with_the_person() {
    let installation = Installation::new().await;
    let (app, command) = (&installation.app, installation.command());
    let (_, _, directory) = installation.directory(IntegrationKind::Entra).await;
    app.set_invitations(&command, true).await.unwrap();
    let body = json!({"userName": ZOE, "displayName": "Zoë Quokka"});
    let zoe = app.create(&directory, Kind::User, body).await.unwrap();
    let body = json!({"userName": "bob@example.com"});
    app.create(&directory, Kind::User, body).await.unwrap();
    let id = zoe.entry.id;
    let at = remembered(&installation, id).await;

    let named = app.person_called(&command, ZOE.to_uppercase()).await;
    let data = app.person_data(&command, named.unwrap()).await.unwrap();
    assert_eq!(data["requests"].as_array().unwrap().len(), 3, "{data:#}");
    assert_eq!(data["applications"][0]["plans"], json!([1]));
    assert_eq!(data["mail"][0]["to"], ZOE);
    assert_eq!(data["activation"]["link"]["address"], ZOE);
    let secrets = ["digest", "salt", "url", "wrapped"];
    assert!(
        secrets
            .iter()
            .all(|secret| !data["mail"].to_string().contains(secret))
    );
    assert!(
        secrets
            .iter()
            .all(|secret| !data["activation"].to_string().contains(secret))
    );

    let refused = app.erase_person(&command, id).await;
    assert!(
        matches!(refused, Err(Failure::Forbidden { .. })),
        "{refused:?}"
    );
    let refused = app.erase_person(&directory, id).await;
    assert!(
        matches!(refused, Err(Failure::Forbidden { .. })),
        "{refused:?}"
    );
    app.release(&command, Kind::User, id).await.unwrap();
    let erased = app.erase_person(&command, id).await.unwrap();

    assert!(erased.changes >= 2 && erased.entries >= 4, "{erased:?}");
    let left = app.person_data(&command, id).await.unwrap();
    let text = left.to_string().to_lowercase();
    assert!(!text.contains("quokka"), "{left:#}");
    let last = left["activity"][0].clone();
    assert_eq!(last["action"], "user.erased");
    let erased = left["activity"].as_array().unwrap().iter().skip(1);
    assert!(erased.clone().count() >= 4 && erased.clone().all(|one| one["detail"].is_null()));
    // what is others' stays
    let kept = app.exchanges(&command, ExchangeQuery::default(), 10).await;
    assert_eq!(kept.unwrap().len(), 1);
    let plans = app.plans(&command, at).await.unwrap();
    assert_eq!(plans.len(), 1);
    assert_eq!(app.waiting_letters().await.unwrap(), 1);
    let outcome = app.verify_audit(installation.organisation.id, None).await;
    assert_eq!(outcome.unwrap().damages, []);
    // by name nobody is found any more
    let named = app.person_called(&command, ZOE.into()).await;
    assert!(matches!(named, Err(Failure::Missing { .. })), "{named:?}");
}
