//! A foreign id is an unknown one at every route, of which the table of routes says which they are.

use rollcall_web::table::Policy;
use serde_json::{Value, json};

use super::Program;
use crate::support::{Answer, Installation};

const UNKNOWN: &str = "0190b6f1-7c1d-7f5e-9a53-2f6b8c1d4e77";

/// The same answer but for the id that was asked for, and that of the request.
fn comparable(answer: &Answer, id: &str) -> (u16, String) {
    let mut body = answer.body.clone();
    body.as_object_mut().unwrap().remove("requestId");
    (answer.status, body.to_string().replace(id, "ID"))
}

#[tokio::test]
async fn a_foreign_id_is_answered_as_an_unknown_one_at_every_route() {
    let (installation, token) = Installation::with("own");
    installation.ok(&["org", "create", "other", "--name", "Other"]);
    let other_token = installation.ok(&["token", "create", "--org", "other"]);
    let server = installation.serve(&[("ROLLCALL_RATE", "10000")]);
    let (own, other) = (
        Program::new(&installation, &server, "own", "manage").await,
        Program::new(&installation, &server, "other", "manage").await,
    );
    server.scim("own", &token).person("ann").await;
    let scim = server.scim("other", &other_token);
    let person = scim.person("ann").await;
    let group = scim.group("Team", &[&person]).await;
    installation.ok(&["app", "create", "Target", "--org", "other"]);
    let application = other.get("/applications").await.is(200).body["applications"][0].clone();
    let application = application["id"].as_str().unwrap().to_owned();
    let tokens = other.get("/integrations/entra/tokens").await.is(200).body;
    let token = tokens["tokens"][0]["id"].as_str().unwrap().to_owned();

    let mut compared = 0;
    for route in rollcall_api::route_table() {
        let path = route.path.trim_start_matches("/api/v1");
        if !matches!(route.policy, Policy::Key(_)) || !path.contains('{') {
            continue;
        }
        let foreign = match path.split('/').nth(1).unwrap() {
            "people" => &person,
            "groups" => &group,
            "applications" => &application,
            _ if path.contains("{token}") => &token,
            // the kind of a directory is no id
            _ => continue,
        };
        let at = |id: &str| {
            path.replace("{id}", id)
                .replace("{token}", id)
                .replace("{kind}", "entra")
        };
        let method = route.method.as_str();
        let body = (path.ends_with("/allow")).then(|| json!({"code": "x"}));
        let found = own.send(method, &at(foreign), body.as_ref()).await;
        let unknown = own.send(method, &at(UNKNOWN), body.as_ref()).await;
        assert_eq!(
            comparable(&found, foreign),
            comparable(&unknown, UNKNOWN),
            "{method} {path}"
        );
        assert_eq!(found.status, 404, "{method} {path}");
        // it is there for its own organisation
        if method == "GET" {
            other.get(&at(foreign)).await.is(200);
        }
        compared += 1;
    }
    // four of a person, two of a group, six of an application, one of a token
    assert_eq!(compared, 13);
    // nothing of the other organisation was touched, and nothing of it is listed
    other.get(&format!("/people/{person}")).await.is(200);
    scim.get(&format!("/Users/{person}")).await.is(200);
    for path in [
        "/people",
        "/groups",
        "/events",
        "/audit",
        "/applications",
        "/integrations/entra/tokens",
    ] {
        let listed = own.get(path).await.is(200).body.to_string();
        for foreign in [&person, &group, &application, &token] {
            assert!(!listed.contains(foreign.as_str()), "{path}: {listed}");
        }
    }
}

#[tokio::test]
async fn a_cursor_is_bound_to_its_organisation_and_its_question() {
    let (installation, token) = Installation::with("own");
    installation.ok(&["org", "create", "other", "--name", "Other"]);
    let server = installation.serve(&[("ROLLCALL_RATE", "10000")]);
    let own = Program::new(&installation, &server, "own", "read").await;
    let other = Program::new(&installation, &server, "other", "read").await;
    let scim = server.scim("own", &token);
    for name in ["a1", "a2"] {
        scim.person(name).await;
    }
    for path in ["/people?limit=1", "/audit?limit=1"] {
        let page = own.get(path).await.is(200).body;
        let next = page["next"].as_str().unwrap();
        own.get(&format!("{path}&cursor={next}")).await.is(200);
        let stolen = other
            .get(&format!("{path}&cursor={next}"))
            .await
            .is(400)
            .body;
        assert_eq!(stolen["type"], "urn:rollcall:problem:cursor", "{path}");
        let asked = match path {
            "/people?limit=1" => "filter=active eq true",
            _ => "action=user.created",
        };
        let another = own
            .get(&format!("{path}&{asked}&cursor={next}"))
            .await
            .is(400)
            .body;
        assert_eq!(
            another["type"],
            Value::from("urn:rollcall:problem:cursor"),
            "{path}"
        );
    }
}
