//! The mappings of an application, edited as an administrator edits them.

use serde_json::json;

use super::guest::{Guest, PASSWORD, Page, administrator};
use crate::support::{Installation, Server};

/// An organisation with two people and an application.
async fn with_application() -> (Installation, Server, Guest, String) {
    let (installation, token) = Installation::with("vault");
    administrator(&installation, "vault", "owner@example.com");
    let made = installation.ok(&["app", "create", "--org", "vault", "Keyhaven"]);
    let id = made.split_whitespace().next_back().unwrap().to_owned();
    let server = installation.serve(&[]);
    let scim = server.scim("vault", &token);
    for (name, given) in [("ann@example.com", "Ann"), ("bo@example.com", "Bø")] {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name,
            "name": {"givenName": given, "familyName": "Lee"}, "active": true,
        });
        scim.post("/Users", body).await.is(201);
    }
    let mut guest = Guest::new(&server);
    guest.sign_in("owner@example.com", PASSWORD).await.is(303);
    (installation, server, guest, id)
}

/// Sends a form of a page with its token and version.
async fn send(guest: &mut Guest, page: &str, action: &str, fields: &[(&str, &str)]) -> Page {
    let seen = guest.get(page).await.is(200);
    let (token, version) = (seen.token(), seen.value("version"));
    let mut fields = fields.to_vec();
    fields.extend([("csrf", token.as_str()), ("version", version.as_str())]);
    guest.post(action, &fields).await
}

#[tokio::test]
async fn a_line_is_previewed_mended_and_saved_and_undone() {
    let (_installation, _server, mut guest, id) = with_application().await;
    let base = format!("/applications/{id}/mappings/users");
    let forward = guest.get(&format!("/applications/{id}/mappings")).await;
    assert_eq!(forward.to(), base);
    let list = guest
        .get(&format!("{base}?person=bo@example.com"))
        .await
        .is(200);
    assert!(list.body.contains("Bø Lee"), "the result for a real person");
    assert_eq!(
        guest
            .get(&format!("{base}?person=nobody"))
            .await
            .is(200)
            .body
            .matches("no person of this name")
            .count(),
        1
    );

    let wrong = [
        ("was", "name.formatted"),
        ("target", "name.formatted"),
        ("type", "expression"),
        ("expression", "Join(\"é\", [givenName] [surname])"),
        ("person", "bo@example.com"),
    ];
    let page = send(&mut guest, &base, &format!("{base}/9"), &wrong)
        .await
        .is(422);
    assert!(page.body.contains("<title>Error:"), "{}", page.body);
    assert!(page.body.contains("A comma is missing"));
    let fix = page.body.split("name=\"fix\" value=\"").nth(1).unwrap();
    let fix = fix.split('"').next().unwrap().replace("&#34;", "\"");
    assert_eq!(fix, "Join(\"é\", [givenName], [surname])");

    let mut mended = wrong.to_vec();
    mended.push(("fix", &fix));
    let page = send(&mut guest, &base, &format!("{base}/9/preview"), &mended)
        .await
        .is(200);
    assert!(page.body.contains("BøéLee"), "{}", page.body);
    mended[3].1 = &fix;
    mended.push(("count", "1"));
    let page = send(&mut guest, &base, &format!("{base}/9/preview"), &mended)
        .await
        .is(200);
    assert!(
        page.body.contains("0 people in scope"),
        "nobody is assigned"
    );
    send(&mut guest, &base, &format!("{base}/9"), &mended)
        .await
        .is(303);
    let list = guest
        .get(&format!("{base}?person=bo@example.com"))
        .await
        .is(200);
    assert!(list.body.contains("BøéLee"));

    let gone = send(
        &mut guest,
        &base,
        &format!("{base}/lines"),
        &[("delete", "name.formatted")],
    )
    .await
    .is(303);
    let undo = guest.get(gone.to()).await.is(200);
    assert!(undo.body.contains("Undo"), "{}", undo.body);
    assert!(!undo.body.contains("BøéLee"));
    let back = [
        ("type", "expression"),
        ("target", "name.formatted"),
        ("expression", undo_value(&undo.body).as_str()),
    ]
    .map(|(name, value)| (name, value.to_owned()));
    let back: Vec<(&str, &str)> = back
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    send(&mut guest, &base, &format!("{base}/new"), &back)
        .await
        .is(303);
    let list = guest.get(gone.to()).await.is(200);
    assert!(list.body.contains("AnnéLee") && !list.body.contains("Undo"));
}

fn undo_value(body: &str) -> String {
    let rest = body.split("name=\"expression\" value=\"").nth(1).unwrap();
    rest.split('"').next().unwrap().replace("&#34;", "\"")
}

#[tokio::test]
async fn one_click_makes_an_attribute_match_and_who_was_slower_is_asked() {
    let (_installation, _server, mut guest, id) = with_application().await;
    let base = format!("/applications/{id}/mappings/users");
    let lines = format!("{base}/lines");
    let seen = guest.get(&base).await.is(200);
    let old = seen.value("version");
    send(&mut guest, &base, &lines, &[("match", "externalId")])
        .await
        .is(303);
    let list = guest.get(&base).await.is(200).body;
    let rank = |body: &str, target: &str| {
        let row = body.split(&format!(">{target}</td>")).nth(1).unwrap();
        let row = row.split("</tr>").next().unwrap();
        row.split("Match ")
            .nth(1)
            .and_then(|rest| rest.chars().next().filter(char::is_ascii_digit))
    };
    assert_eq!(
        (rank(&list, "externalId"), rank(&list, "userName")),
        (Some('1'), Some('2'))
    );
    send(&mut guest, &base, &lines, &[("up", "userName")])
        .await
        .is(303);
    let list = guest.get(&base).await.is(200).body;
    assert_eq!(
        (rank(&list, "externalId"), rank(&list, "userName")),
        (Some('2'), Some('1'))
    );

    let fields = [
        ("unmatch", "externalId"),
        ("csrf", &seen.token()),
        ("version", &old),
    ];
    let conflict = guest.post(&lines, &fields).await.is(409);
    assert!(conflict.body.contains("Keep it as it is now"));
    let fields = [
        ("unmatch", "externalId".to_owned()),
        ("csrf", conflict.token()),
        ("version", conflict.value("version")),
    ];
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    guest.post(&lines, &fields).await.is(303);
    let list = guest.get(&base).await.is(200).body;
    assert_eq!(
        (rank(&list, "externalId"), rank(&list, "userName")),
        (None, Some('1'))
    );

    // the last one cannot go
    let answer = send(&mut guest, &base, &lines, &[("unmatch", "userName")])
        .await
        .is(303);
    let list = guest.get(answer.to()).await.is(200).body;
    assert!(list.contains("Nothing was changed"), "{list}");
    assert_eq!(rank(&list, "userName"), Some('1'));

    let restore = format!("{base}/restore");
    let asks = guest.get(&restore).await.is(200);
    assert!(asks.body.contains("already"), "{}", asks.body);
    send(&mut guest, &base, &lines, &[("delete", "title")])
        .await
        .is(303);
    assert!(
        guest
            .get(&restore)
            .await
            .is(200)
            .body
            .contains("Mapping to title")
    );
    send(&mut guest, &restore, &restore, &[]).await.is(303);
    assert_eq!(rank(&guest.get(&base).await.body, "title"), None);
}

#[tokio::test]
async fn a_scope_is_not_saved_before_its_effect_was_shown() {
    let (installation, _server, mut guest, id) = with_application().await;
    installation.ok(&[
        "app",
        "assign",
        "--org",
        "vault",
        "Keyhaven",
        "user:ann@example.com",
    ]);
    let base = format!("/applications/{id}/mappings/users");
    let scope = format!("{base}/scope");
    let filter = [
        ("filter", "Filter 1"),
        ("attribute-0", "givenName"),
        ("operator-0", "EQUALS"),
        ("values-0-0", "Bø"),
    ];
    let shown = send(&mut guest, &scope, &scope, &filter).await.is(422);
    assert!(shown.body.contains("Nothing is saved yet"));
    assert!(
        shown.body.contains("1 person would leave the scope"),
        "{}",
        shown.body
    );
    assert!(guest.get(&base).await.body.contains("All records"));

    let mark = shown.value("shown");
    let mut saved = filter.to_vec();
    saved.push(("shown", &mark));
    let mut another = saved.clone();
    another[3].1 = "Ann";
    send(&mut guest, &scope, &scope, &another).await.is(422);
    send(&mut guest, &scope, &scope, &saved).await.is(303);
    assert!(guest.get(&base).await.body.contains("1 filter"));

    let wrong = [
        filter[0],
        filter[1],
        ("operator-0", "REGEX MATCH"),
        ("values-0-0", "("),
    ];
    let page = send(&mut guest, &scope, &scope, &wrong).await.is(422);
    assert!(page.body.contains("aria-invalid"), "{}", page.body);
    let edit = format!("{scope}/edit");
    let more = [filter.to_vec(), vec![("do", "add-filter")]].concat();
    let page = send(&mut guest, &scope, &edit, &more).await.is(200);
    assert!(page.body.contains("Filter 2"));
}

#[tokio::test]
async fn the_attribute_list_and_the_schema_are_edited_as_a_whole() {
    let (_installation, _server, mut guest, id) = with_application().await;
    let list = format!("/applications/{id}/attributes/groups");
    let fields = [
        ("rows", "4"),
        ("name-0", "id"),
        ("p-0", "on"),
        ("r-0", "on"),
        ("name-1", "displayName"),
        ("r-1", "on"),
        ("type-1", "String"),
        ("name-2", "externalId"),
        ("name-3", "members"),
        ("m-3", "on"),
        ("type-3", "Reference"),
        ("ref-3", "User, Group"),
        ("name-4", "urn:own:2.0:Group:colour"),
        ("type-4", "Integer"),
    ];
    let added = [fields.to_vec(), vec![("do", "add")]].concat();
    let page = send(&mut guest, &list, &format!("{list}/edit"), &added)
        .await
        .is(200);
    assert!(page.body.contains("name=\"rows\" value=\"5\""));
    assert!(page.body.contains("Nothing is saved yet"));
    send(&mut guest, &list, &list, &fields).await.is(303);
    assert!(
        guest
            .get(&list)
            .await
            .is(200)
            .body
            .contains("urn:own:2.0:Group:colour")
    );
    let mut wrong = fields.to_vec();
    wrong[12].1 = "a[";
    assert!(
        send(&mut guest, &list, &list, &wrong)
            .await
            .is(422)
            .body
            .contains("SCIM path")
    );

    let schema = format!("/applications/{id}/schema");
    let document = guest.get(&format!("{schema}/download")).await.is(200);
    let disposition = document.headers.get("content-disposition").unwrap();
    assert!(
        disposition
            .to_str()
            .unwrap()
            .contains("keyhaven-synchronization-schema.json")
    );
    let same = send(
        &mut guest,
        &schema,
        &schema,
        &[("document", &document.body)],
    )
    .await
    .is(200);
    assert!(same.body.contains("what holds already"), "{}", same.body);
    let changed = document.body.replace("jobTitle", "division");
    let changes = send(&mut guest, &schema, &schema, &[("document", &changed)])
        .await
        .is(200);
    assert!(
        changes.body.contains("What would change for users"),
        "{}",
        changes.body
    );
    let broken = send(
        &mut guest,
        &schema,
        &schema,
        &[("document", "{\"synchronizationRules\": 7}")],
    )
    .await
    .is(422);
    assert!(broken.body.contains("/synchronizationRules"));
    let (token, version) = (changes.token(), changes.value("version"));
    let taken = [
        ("document", changed.as_str()),
        ("csrf", &token),
        ("version", &version),
    ];
    guest.post(&format!("{schema}/apply"), &taken).await.is(303);
    let mappings = guest
        .get(&format!("/applications/{id}/mappings/users"))
        .await
        .is(200);
    assert!(!mappings.body.contains(">jobTitle<"));
    let stale = [("document", document.body.as_str()), ("version", "old")];
    let token = guest.get(&schema).await.token();
    let stale = [stale.to_vec(), vec![("csrf", token.as_str())]].concat();
    guest.post(&format!("{schema}/apply"), &stale).await.is(409);
}
