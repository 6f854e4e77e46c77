//! Without faults, the target does what RFC 7644 says, and tells afterwards what was done.

use rollcall_model::Kind;
use rollcall_testkit::{Behaviour, Dialect, Target};
use serde_json::{Value, json};

use crate::support::{client, names};

#[tokio::test]
async fn a_person_is_created_found_changed_and_deleted() {
    let target = Target::start(Behaviour::default());
    let client = client(&target);

    let id = client.person("Ann@example.com").await;
    let found = client
        .get("/Users?filter=userName%20eq%20%22ann@EXAMPLE.com%22")
        .await;
    assert_eq!(found.body["totalResults"], 1);
    assert_eq!(found.body["Resources"][0]["id"], id.as_str());
    let again = client
        .post("/Users", json!({"userName": "ann@example.com"}))
        .await;
    assert_eq!(
        (again.status, &again.body["scimType"]),
        (409, &"uniqueness".into())
    );

    let replace = json!([{"op": "Replace", "path": "active", "value": "False"}]);
    let patched = client.patch(&format!("/Users/{id}"), replace).await;
    assert_eq!(
        (patched.status, &patched.body["active"]),
        (200, &false.into())
    );
    let put = json!({"userName": "ann@example.com", "active": true, "title": "Buyer"});
    let put = client
        .send("PUT", &format!("/Users/{id}"), Some(put))
        .await
        .unwrap();
    assert_eq!(
        (put.status, &put.body["meta"]["version"]),
        (200, &"W/\"3\"".into())
    );
    let deleted = client
        .send("DELETE", &format!("/Users/{id}"), None)
        .await
        .unwrap();
    assert_eq!(deleted.status, 204);
    assert_eq!(client.get(&format!("/Users/{id}")).await.status, 404);

    assert_eq!(target.creates(Kind::User, "ANN@example.com"), 1);
    let active =
        |document: &Option<Value>| document.as_ref().map(|document| document["active"].clone());
    let history: Vec<_> = target
        .history(&id)
        .iter()
        .map(|state| active(&state.document))
        .collect();
    assert_eq!(
        history,
        [
            Some(json!(true)),
            Some(json!(false)),
            Some(json!(true)),
            None
        ]
    );
    let writes: Vec<_> = target
        .writes_since(3)
        .into_iter()
        .map(|write| (write.method, write.status))
        .collect();
    let expected = [("PATCH", 200), ("PUT", 200), ("DELETE", 204)];
    assert_eq!(
        writes,
        expected.map(|(method, status)| (method.to_owned(), Some(status)))
    );
}

#[tokio::test]
async fn members_are_kept_as_a_set_and_leave_with_the_person() {
    let target = Target::start(Behaviour::default());
    let client = client(&target);
    let (ann, bob) = (client.person("ann").await, client.person("bob").await);
    let group = client
        .post(
            "/Groups",
            json!({"displayName": "Sales", "members": [{"value": ann}]}),
        )
        .await;
    let path = format!("/Groups/{}", group.body["id"].as_str().unwrap());

    let add = json!([{"op": "Add", "path": "members", "value": [{"value": ann}, {"value": bob}]}]);
    assert_eq!(client.patch(&path, add).await.status, 204);
    let stranger = json!([{"op": "Add", "path": "members", "value": [{"value": "nobody"}]}]);
    assert_eq!(client.patch(&path, stranger).await.status, 400);
    assert_eq!(
        client.get(&path).await.body["members"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let bare = client
        .get(&format!("{path}?excludedAttributes=members"))
        .await;
    assert_eq!(bare.body.get("members"), None);
    let filter = format!("/Groups?filter=members%20eq%20%22{bob}%22");
    assert_eq!(names(&client.get(&filter).await.body), ["Sales"]);
    assert_eq!(
        target.by(Kind::User, "userName", "BOB")[0]["groups"][0]["type"],
        "direct"
    );

    client
        .send("DELETE", &format!("/Users/{ann}"), None)
        .await
        .unwrap();
    let remove = json!([{"op": "remove", "path": format!("members[value eq \"{bob}\"]")}]);
    assert_eq!(client.patch(&path, remove).await.status, 204);
    assert_eq!(client.get(&path).await.body.get("members"), None);
}

#[tokio::test]
async fn a_list_is_read_by_places_and_by_cursors() {
    let dialect = Dialect {
        page_size: 2,
        cursors: true,
        ..Dialect::default()
    };
    let target = Target::start(Behaviour::default().with_dialect(dialect));
    for name in ["a", "b", "c", "d", "e"] {
        target
            .insert(Kind::User, json!({"userName": name}))
            .unwrap();
    }
    let client = client(&target);

    let second = client.get("/Users?startIndex=3&count=100").await.body;
    assert_eq!(
        (names(&second), &second["startIndex"]),
        (vec!["c", "d"], &3.into())
    );
    let mut read = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/Users?cursor={cursor}")).await.body;
        read.extend(names(&page).iter().map(ToString::to_string));
        match page["nextCursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(read, ["a", "b", "c", "d", "e"]);
    assert_eq!(
        client.get("/Users?cursor=abc").await.body["scimType"],
        "invalidCursor"
    );
    let config = client.get("/ServiceProviderConfig").await.body;
    assert_eq!(config["pagination"]["cursor"], true);
    assert_eq!(target.creates(Kind::User, "a"), 0);
}

#[tokio::test]
async fn who_has_another_token_gets_nothing() {
    let target = Target::start(Behaviour::default());
    let client = client(&target);
    assert_eq!(client.get("/Devices").await.status, 404);

    target.behave(Behaviour::default().with_token("another"));

    assert_eq!(client.get("/Users").await.status, 401);
}
