//! Entra ID as a source, by a service that answers as Microsoft Graph documents it.

use std::time::Duration;

use rollcall_connect::client::Client;
use rollcall_connect::guard::Reach;
use rollcall_connect::sources::graph::{Graph, Tenant};
use rollcall_connect::sources::{Completeness, Pointer, Unread};
use rollcall_model::{Kind, Secret};
use rollcall_scim::limits::STANDARD;
use rollcall_scim::schema::Registry;
use serde_json::{Value, json};

use crate::scripted::{Said, Scripted, Seen, surroundings};
use crate::sources_support::{Reading, read};

async fn read_from(graph: &Scripted) -> Result<Reading, Unread> {
    let client = Client::new(Reach::Anywhere).unwrap();
    let tenant = Tenant {
        tenant: "contoso.example".to_owned(),
        client_id: "app".to_owned(),
        client_secret: Secret::new("p&ss"),
        url: format!("http://{}/v1.0", graph.address),
        login: format!("http://{}", graph.address),
        attributes: vec!["extension_ab12_costCode".to_owned()],
    };
    let source = Graph::new(
        client,
        tenant,
        Registry::standard(),
        STANDARD,
        surroundings(),
    );
    read(&mut source.unwrap().with_pause(Duration::from_millis(1))).await
}

fn token() -> Said {
    Said::json(
        200,
        &json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "of-graph"}),
    )
}

fn page(seen: &Seen, value: Value, next: Option<&str>) -> Said {
    let mut body = json!({"value": value});
    if let Some(next) = next {
        let host = seen
            .head
            .lines()
            .find_map(|line| line.strip_prefix("host: "));
        body["@odata.nextLink"] = json!(format!("http://{}{next}", host.unwrap()));
    }
    Said::json(200, &body)
}

/// Answers as a tenant with two people, one of whom comes on a second page, and a group.
fn answer(seen: &Seen) -> Said {
    match seen.line().as_str() {
        "POST /contoso.example/oauth2/v2.0/token" => token(),
        "GET /v1.0/users"
            if seen.path.contains("$skiptoken=2") || seen.path.contains("%24skiptoken=2") =>
        {
            page(
                seen,
                json!([{"id": "u2", "userPrincipalName": "bob@contoso.example", "accountEnabled": false, "displayName": null}]),
                None,
            )
        }
        "GET /v1.0/users" => page(
            seen,
            json!([{
                "id": "u1", "userPrincipalName": "ann@contoso.example", "accountEnabled": true, "displayName": "Ann",
                "jobTitle": "Buyer", "mail": "ann@contoso.example", "mailNickname": "ann.lee", "department": "Sales",
                "mobilePhone": "+47 3", "businessPhones": ["+47 1", "+47 2"], "officeLocation": "4/1",
                "proxyAddresses": ["SMTP:ann@contoso.example"], "otherMails": [],
                "employeeOrgData": {"division": "North", "costCenter": null},
                "onPremisesExtensionAttributes": {"extensionAttribute1": "x", "extensionAttribute2": null},
                "extension_ab12_costCode": "C7", "manager": {"id": "u2"},
            }]),
            Some("/v1.0/users?$skiptoken=2"),
        ),
        "GET /v1.0/groups" => page(
            seen,
            json!([{"id": "g1", "displayName": "Sales", "securityEnabled": true, "mailEnabled": false, "description": null}]),
            None,
        ),
        "GET /v1.0/groups/g1/members" => page(seen, json!([{"id": "u1"}, {"id": "device"}]), None),
        _ => Said::json(
            404,
            &json!({"error": {"code": "Request_ResourceNotFound", "message": "no"}}),
        ),
    }
}

#[tokio::test]
async fn people_and_groups_come_under_the_names_that_mappings_know() {
    let graph = Scripted::start(|seen, _| answer(seen)).await;

    let reading = read_from(&graph).await.unwrap();

    assert_eq!(reading.completeness, Completeness::Complete);
    assert_eq!(reading.refusals, []);
    assert_eq!(reading.keys(), ["u1", "u2", "g1"]);
    let [ann, bob, sales] = &reading.records[..] else {
        panic!("{reading:?}")
    };
    assert_eq!(ann.body["userName"], "ann@contoso.example");
    assert_eq!(
        (&ann.body["active"], &bob.body["active"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(ann.body["title"], "Buyer");
    assert_eq!(ann.body["addresses"][0]["formatted"], "4/1");
    let phones = ann.body["phoneNumbers"].to_string();
    assert!(
        phones.contains("+47 1") && phones.contains("+47 3") && !phones.contains("+47 2"),
        "{phones}"
    );
    let own = Value::Object(ann.attributes.clone());
    assert_eq!(
        own,
        json!({
            "mailNickname": "ann.lee", "extensionAttribute1": "x", "extension_ab12_costCode": "C7",
            "proxyAddresses": ["SMTP:ann@contoso.example"],
        })
    );
    assert_eq!(ann.manager, Some(Pointer::Key("u2".into())));
    assert_eq!(
        (sales.kind, &sales.body["displayName"]),
        (Kind::Group, &json!("Sales"))
    );
    assert_eq!(sales.attributes["securityEnabled"], true);
    assert_eq!(
        sales.members.len(),
        2,
        "who is nobody is found out by the mirror"
    );

    let seen = graph.seen();
    assert!(seen[1].path.contains("extension_ab12_costCode") && seen[1].path.contains("manager"));
    assert!(
        seen[1..]
            .iter()
            .all(|one| one.head.contains("authorization: bearer of-graph"))
    );
}

#[tokio::test]
async fn a_token_that_runs_out_is_renewed_and_a_service_that_is_busy_is_asked_again() {
    let graph = Scripted::start(|seen, before| match before {
        3 => Said::json(
            401,
            &json!({"error": {"code": "InvalidAuthenticationToken", "message": "expired"}}),
        ),
        5 => Said::status(429).with("retry-after", "0"),
        _ => answer(seen),
    })
    .await;

    let reading = read_from(&graph).await.unwrap();

    assert_eq!(reading.completeness, Completeness::Complete);
    assert_eq!(reading.records.len(), 3);
    let signed_in = graph
        .lines()
        .iter()
        .filter(|line| line.starts_with("POST"))
        .count();
    assert_eq!(signed_in, 2);
}

#[tokio::test]
async fn a_list_that_moves_or_leads_elsewhere_is_not_believed() {
    let twice = Scripted::start(|seen, _| match seen.line().as_str() {
        "GET /v1.0/users" if seen.path.contains("skiptoken") => page(
            seen,
            json!([{"id": "u1", "userPrincipalName": "ann"}]),
            None,
        ),
        _ => answer(seen),
    })
    .await;
    let reading = read_from(&twice).await.unwrap();
    assert!(
        reading.reason().contains("`u1` came on two places"),
        "{}",
        reading.reason()
    );

    let gone = Scripted::start(|seen, _| match seen.line().as_str() {
        "GET /v1.0/groups/g1/members" => Said::status(404),
        _ => answer(seen),
    })
    .await;
    let reading = read_from(&gone).await.unwrap();
    assert!(
        reading.reason().contains("the group `g1`"),
        "{}",
        reading.reason()
    );

    let elsewhere = Scripted::start(|seen, _| match seen.line().as_str() {
        "GET /v1.0/users" => Said::json(
            200,
            &json!({"value": [], "@odata.nextLink": "http://evil.example.com/v1.0/users"}),
        ),
        _ => answer(seen),
    })
    .await;
    let unread = read_from(&elsewhere).await.unwrap_err();
    assert!(
        unread
            .message
            .contains("does not answer as Microsoft Graph"),
        "{unread:?}"
    );
}

#[tokio::test]
async fn what_stands_in_the_way_is_told_with_what_to_do() {
    let denied = json!({"error": {"code": "Authorization_RequestDenied", "message": "Insufficient privileges"}});
    let secret = json!({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1"});
    let rows: [(&str, u16, Value, bool, &str, &str); 4] = [
        (
            "POST /contoso.example/oauth2/v2.0/token",
            401,
            secret,
            false,
            "AADSTS7000215: Invalid client secret provided.",
            "client secret",
        ),
        (
            "GET /v1.0/users",
            403,
            denied,
            false,
            "Insufficient privileges",
            "User.Read.All",
        ),
        (
            "GET /v1.0/groups",
            503,
            json!({}),
            true,
            "also when asked again",
            "health",
        ),
        (
            "GET /v1.0/users",
            200,
            json!({"people": []}),
            false,
            "does not answer as Microsoft Graph",
            "`url`",
        ),
    ];
    for (line, status, body, is_out_of_reach, message, help) in rows {
        let graph = Scripted::start(move |seen, _| {
            if seen.line() == line {
                Said::json(status, &body)
            } else {
                answer(seen)
            }
        })
        .await;

        let unread = read_from(&graph).await.unwrap_err();

        assert!(unread.message.contains(message), "{unread:?}");
        assert!(!unread.message.contains("Trace ID"), "{unread:?}");
        assert!(unread.help.contains(help), "{unread:?}");
        assert_eq!(unread.is_out_of_reach, is_out_of_reach, "{unread:?}");
    }
}
