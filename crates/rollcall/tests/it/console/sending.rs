//! The sending end in the console: an application from its creation to its end, against another organisation of the same server.

use std::time::Duration;

use serde_json::json;

use super::guest::{Guest, PASSWORD, Page, administrator};
use crate::support::{Installation, Server};

/// Who sends, who receives, and the token of the receiving end.
struct Ends {
    _installation: Installation,
    server: Server,
    guest: Guest,
    token: String,
    tenant_url: String,
}

impl Ends {
    async fn new() -> Self {
        let (installation, own) = Installation::with("sender");
        installation.ok(&["org", "create", "receiver", "--name", "The other end"]);
        let token = installation.ok(&["token", "create", "--org", "receiver"]);
        administrator(&installation, "sender", "ann@example.com");
        let server = installation.serve(&[("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true")]);
        let scim = server.scim("sender", &own);
        for name in ["adele", "boris", "\"><script>alert(1)</script>"] {
            let person = json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "userName": format!("{name}@example.com"), "externalId": name, "displayName": name,
                "active": true,
            });
            scim.post("/Users", person).await.is(201);
        }
        let mut guest = Guest::new(&server);
        guest.sign_in("ann@example.com", PASSWORD).await.is(303);
        let tenant_url = format!("{}/scim/v2/receiver", server.url);
        Self {
            _installation: installation,
            server,
            guest,
            token,
            tenant_url,
        }
    }

    /// Adds an application, and returns the address of its overview.
    async fn application(&mut self, name: &str) -> String {
        let fields = [("name", name), ("template", "")];
        let added = self
            .guest
            .submit("/applications/new", "/applications", &fields)
            .await
            .is(303);
        added.to().trim_end_matches("/provisioning").to_owned()
    }

    /// Sends the form *Provisioning*.
    async fn provisioning(&mut self, home: &str, to: &str, changes: &[(&str, &str)]) -> Page {
        let url = self.tenant_url.clone();
        let mut fields = vec![
            ("mode", "automatic"),
            ("url", url.as_str()),
            ("scope", "all"),
            ("nested", "direct"),
            ("leaving", "disable"),
            ("limits", "default"),
            ("status", "off"),
        ];
        fields.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        fields.extend(changes);
        let page = format!("{home}/provisioning");
        self.guest
            .submit(&page, &format!("{page}{to}"), &fields)
            .await
    }

    /// Looks at a page until it says something.
    async fn until(&mut self, path: &str, text: &str) -> Page {
        for _ in 0..100 {
            let page = self.guest.get(path).await.is(200);
            if page.body.contains(text) {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!(
            "{path} never says `{text}`: {}",
            self.guest.get(path).await.body
        );
    }
}

#[tokio::test]
async fn an_application_is_added_connected_planned_and_the_plan_sent_once() {
    let mut ends = Ends::new().await;
    let home = ends.application("Vault").await;
    let token = ends.token.clone();

    let fields = [("name", "vault"), ("template", "")];
    let taken = ends
        .guest
        .submit("/applications/new", "/applications", &fields)
        .await;
    assert!(
        taken.is(422).body.contains("<title>Error: "),
        "a name is taken once"
    );

    let wrong = ends
        .provisioning(&home, "/test", &[("token", "wrong")])
        .await
        .is(200);
    assert!(
        wrong.body.contains("does not accept the token"),
        "{}",
        wrong.body
    );
    assert!(
        !wrong.body.contains("value=\"wrong\""),
        "a secret comes back"
    );
    let none = ends.provisioning(&home, "/test", &[]).await.is(422);
    assert!(none.body.contains("none is stored for this address"));
    let good = ends
        .provisioning(&home, "/test", &[("token", &token)])
        .await
        .is(200);
    assert!(
        good.body.contains("answered. Save to keep"),
        "{}",
        good.body
    );

    let bare = ends
        .provisioning(&home, "", &[("status", "on")])
        .await
        .is(422);
    assert!(bare.body.contains("cannot be switched on"));
    ends.provisioning(&home, "", &[("token", &token)])
        .await
        .is(303);
    let stored = ends
        .guest
        .get(&format!("{home}/provisioning"))
        .await
        .is(200);
    assert!(stored.body.contains("Stored encrypted") && !stored.body.contains(&token));

    let plan = format!("{home}/plan");
    ends.guest.submit(&plan, &plan, &[]).await.is(303);
    let made = ends.until(&plan, "Send this plan once").await;
    assert!(made.body.contains("adele@example.com"), "{}", made.body);
    assert!(!made.body.contains("<script>alert"), "a name breaks out");
    ends.guest
        .submit(&plan, &format!("{plan}/1/approve"), &[])
        .await
        .is(303);
    ends.until(&plan, "This plan was carried out").await;
    let again = ends
        .guest
        .submit(&plan, &format!("{plan}/1/approve"), &[])
        .await
        .is(303);
    assert_eq!(again.to(), plan);

    let overview = ends.guest.get(&home).await.is(200);
    assert!(overview.body.contains("Last cycle"), "{}", overview.body);
    let logs = ends
        .guest
        .get("/provisioning-logs?result=success")
        .await
        .is(200);
    assert!(logs.body.contains("adele@example.com"));
    let event = logs.body.split("event=").nth(1).unwrap();
    let event = event.split('"').next().unwrap();
    let detail = ends
        .guest
        .get(&format!("{home}/logs?event={event}"))
        .await
        .is(200);
    assert!(detail.body.contains("4. Perform action"), "{}", detail.body);
}

#[tokio::test]
async fn another_address_forgets_the_token_and_a_stored_one_goes_to_its_own_address_only() {
    let mut ends = Ends::new().await;
    let home = ends.application("Vault").await;
    let token = ends.token.clone();
    ends.provisioning(&home, "", &[("token", &token)])
        .await
        .is(303);
    ends.provisioning(&home, "/test", &[]).await.is(200);

    let elsewhere = format!("{}/scim/v2/sender", ends.server.url);
    let tested = ends
        .provisioning(&home, "/test", &[("url", &elsewhere)])
        .await
        .is(422);
    assert!(tested.body.contains("none is stored for this address"));
    ends.provisioning(&home, "", &[("url", &elsewhere)])
        .await
        .is(303);

    let page = ends
        .guest
        .get(&format!("{home}/provisioning"))
        .await
        .is(200);
    assert!(page.body.contains("was forgotten") && page.body.contains("None is stored"));
}

#[tokio::test]
async fn people_are_assigned_provisioned_on_demand_and_removed_after_a_question() {
    let mut ends = Ends::new().await;
    let home = ends.application("Vault").await;
    let token = ends.token.clone();
    let fields = [("token", token.as_str()), ("scope", "assigned")];
    ends.provisioning(&home, "", &fields).await.is(303);

    let list = format!("{home}/assignments");
    let add = format!("{list}/add");
    let found = ends.guest.get(&format!("{add}?q=adele")).await.is(200);
    let object = found.body.split("object=").nth(1).unwrap();
    let object = object.split('"').next().unwrap().to_owned();
    let effect = ends
        .guest
        .get(&format!("{add}?object={object}"))
        .await
        .is(200);
    assert!(
        effect.body.contains("1 person would be new in scope"),
        "{}",
        effect.body
    );
    let fields = [("object", object.as_str())];
    ends.guest.submit(&add, &add, &fields).await.is(303);
    let asked = ends.guest.get(&format!("{list}?check=adele")).await.is(200);
    assert!(asked.body.contains("<b>Yes.</b>"), "{}", asked.body);

    let demand = format!("{home}/on-demand");
    let done = ends.guest.submit(&demand, &demand, &fields).await.is(200);
    assert!(
        done.body.contains("adele@example.com was created"),
        "{}",
        done.body
    );
    let why = ends
        .guest
        .get(&format!("{home}/why?object={object}"))
        .await
        .is(200);
    assert!(
        why.body.contains("Its counterpart is in use"),
        "{}",
        why.body
    );

    let remove = format!("{list}/remove");
    let question = ends
        .guest
        .get(&format!("{remove}?object={object}"))
        .await
        .is(200);
    assert!(
        question.body.contains("1 person would leave the scope"),
        "{}",
        question.body
    );
    ends.guest.submit(&list, &remove, &fields).await.is(303);
    let asked = ends.guest.submit(&demand, &demand, &fields).await.is(200);
    assert!(asked.body.contains("would be disabled"), "{}", asked.body);
    let sure = [("object", object.as_str()), ("sure", "yes")];
    let done = ends.guest.submit(&demand, &demand, &sure).await.is(200);
    assert!(
        done.body.contains("adele@example.com was disabled"),
        "{}",
        done.body
    );
}

#[tokio::test]
async fn cycles_run_when_asked_and_an_application_is_deleted_by_its_name() {
    let mut ends = Ends::new().await;
    let home = ends.application("Vault").await;
    let token = ends.token.clone();
    let refused = ends
        .guest
        .submit(&home, &format!("{home}/start"), &[])
        .await
        .is(303);
    assert!(refused.to().ends_with("/provisioning"), "{}", refused.to());
    ends.provisioning(&home, "", &[("token", &token), ("status", "on")])
        .await
        .is(303);
    ends.until(&home, "Everything was handled").await;

    ends.guest
        .submit(&home, &format!("{home}/run"), &[])
        .await
        .is(303);
    ends.guest
        .submit(&home, &format!("{home}/compare"), &[])
        .await
        .is(303);
    ends.until(&home, "Both ends agree").await;
    let restart = format!("{home}/restart");
    let fields = [("watermark", "on")];
    ends.guest.submit(&restart, &restart, &fields).await.is(303);
    ends.guest
        .submit(&home, &format!("{home}/stop"), &[])
        .await
        .is(303);
    let off = ends.guest.submit(&home, &format!("{home}/run"), &[]).await;
    off.is(403);

    let delete = format!("{home}/delete");
    ends.guest
        .submit(&delete, &delete, &[("name", "Vult")])
        .await
        .is(422);
    let gone = ends
        .guest
        .submit(&delete, &delete, &[("name", "Vault")])
        .await
        .is(303);
    assert_eq!(gone.to(), "/applications");
    ends.guest.get(&home).await.is(404);
}
