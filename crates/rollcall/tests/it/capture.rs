//! Ways to somebody else's account, over HTTP: each is refused or harmless, and on record.

use serde_json::{Value, json};

use crate::console::guest::Page;
use crate::console::invitations::{House, links, mailed};
use crate::deactivation::Source;
use crate::support::{Answer, Scim};

const ANN: &str = "ann@example.com";
const EVE: &str = "eve@elsewhere.example";

/// Brings people in that no directory manages: userName and e-mail.
fn imported(house: &House, people: &[(&str, &str)]) {
    let rows: Vec<String> = people
        .iter()
        .map(|(name, email)| format!("{name},{email}\n"))
        .collect();
    let rows = rows.concat();
    let file = house.installation.folder.path().join("people.csv");
    std::fs::write(&file, format!("userName,email\n{rows}")).unwrap();
    let file = file.display().to_string();
    house
        .installation
        .ok(&["import", "--org", "vault", "--users", &file]);
}

async fn found(scim: &Scim, name: &str) -> Value {
    let path = format!("/Users?filter=userName eq \"{name}\"");
    scim.get(&path).await.is(200).body["Resources"][0].clone()
}

/// The audit log, a line for each entry, the latest first.
async fn log(house: &mut House) -> Vec<Value> {
    let Page { body, .. } = house
        .owner
        .get("/activity/export?format=jsonl")
        .await
        .is(200);
    body.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// How often something was done to somebody.
async fn times(house: &mut House, action: &str, object: &str) -> usize {
    let log = log(house).await;
    let these = log.iter().filter(|entry| {
        entry["action"] == action && (entry["object"] == object || object.is_empty())
    });
    these.count()
}

/// Everything that a directory may send about an account that it wants.
async fn attempts(scim: &Scim, id: &str, name: &str) -> Vec<(&'static str, Answer)> {
    let path = format!("/Users/{id}");
    let whole = json!({"userName": name, "active": false, "emails": [{"value": EVE}]});
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    let mail = json!([{"op": "replace", "path": "emails", "value": [{"value": EVE}]}]);
    let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
        {"method": "DELETE", "path": path},
        {"method": "PATCH", "path": path, "data": {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": off}},
    ]});
    let mut bulk = scim.post("/Bulk", bulk).await.is(200);
    let statuses = bulk.body["Operations"].as_array().unwrap();
    assert!(
        statuses.iter().all(|one| one["status"] == "403"),
        "{bulk:?}"
    );
    bulk.status = 403;
    vec![
        ("create", scim.post("/Users", whole.clone()).await),
        ("replace", scim.send("PUT", &path, Some(&whole)).await),
        ("switch off", scim.patch(&path, off).await),
        ("readdress", scim.patch(&path, mail).await),
        ("delete", scim.send("DELETE", &path, None).await),
        ("bulk", bulk),
    ]
}

#[tokio::test]
async fn no_directory_gets_an_administrators_account_and_every_attempt_is_on_record() {
    let mut house = House::new(false).await;
    imported(
        &house,
        &[
            ("owner@example.com", "owner@example.com"),
            ("boss", "Owner@Example.com"),
        ],
    );
    let scim = house.scim.clone();
    for name in ["owner@example.com", "boss"] {
        let before = found(&scim, name).await;
        let id = before["id"].as_str().unwrap();

        for (what, answer) in attempts(&scim, id, name).await {
            let expected = if what == "create" { 409 } else { 403 };
            assert_eq!(answer.status, expected, "{what}: {answer:?}");
        }

        assert_eq!(found(&scim, name).await, before);
        // a directory that tries all day is noted once an hour
        assert_eq!(times(&mut house, "user.refused", id).await, 1, "{name}");
        assert_eq!(times(&mut house, "user.adopted", id).await, 0, "{name}");
    }
    let refused = log(&mut house).await;
    let refused = refused
        .iter()
        .find(|entry| entry["action"] == "user.refused");
    assert_eq!(refused.unwrap()["actor"]["type"], "integration");
    let page = house.owner.get("/activity").await.is(200).body;
    assert!(
        page.contains("A directory was kept from a person"),
        "{page}"
    );
}

#[tokio::test]
async fn no_directory_gets_an_account_of_another_and_every_attempt_is_on_record() {
    let mut house = House::new(false).await;
    let create = ["token", "create", "--org", "vault", "--integration", "okta"];
    let okta = house.server.scim("vault", &house.installation.ok(&create));
    let id = okta.person(ANN).await;
    let group = okta.group("Team", &[&id]).await;
    let before = found(&okta, ANN).await;
    let scim = house.scim.clone();

    for (what, answer) in attempts(&scim, &id, ANN).await {
        let expected = if what == "create" { 409 } else { 403 };
        assert_eq!(answer.status, expected, "{what}: {answer:?}");
    }
    let operation = json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
    scim.patch(&format!("/Groups/{group}"), operation)
        .await
        .is(403);

    assert_eq!(found(&okta, ANN).await, before);
    assert_eq!(times(&mut house, "user.refused", &id).await, 1);
    assert_eq!(times(&mut house, "group.refused", &group).await, 1);
    // what it may, its own directory still may
    let path = format!("/Users/{id}");
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    okta.patch(&path, off).await.is(204);
}

#[tokio::test]
async fn the_first_contact_changes_neither_how_somebody_signs_in_nor_where_their_mail_goes() {
    let mut house = House::new(true).await;
    let names = ["post", "put", "patch", "renamed"].map(|name| format!("{name}@example.com"));
    let people: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &**name)).collect();
    imported(&house, &people);
    let scim = house.scim.clone();
    let mut ids = Vec::new();
    for name in &names {
        ids.push(found(&scim, name).await["id"].as_str().unwrap().to_owned());
    }
    let [post, put, patch, renamed] = &names;
    let whole =
        |name: &str| json!({"userName": name, "title": "Buyer", "emails": [{"value": EVE}]});
    let operations = json!([
        {"op": "replace", "path": "title", "value": "Buyer"},
        {"op": "replace", "path": "emails", "value": [{"value": EVE, "primary": true}]},
    ]);
    let path = |number: usize| format!("/Users/{}", ids[number]);

    let posted = scim
        .post("/Users", whole(&post.to_uppercase()))
        .await
        .is(201);
    assert_eq!(posted.id(), ids[0], "it is the account that was there");
    scim.send("PUT", &path(1), Some(&whole(put))).await.is(200);
    scim.patch(&path(2), operations.clone()).await.is(204);
    let rename = json!([{"op": "replace", "path": "userName", "value": EVE}]);
    scim.patch(&path(3), rename.clone()).await.is(403);

    for (number, name) in [post, put, patch].into_iter().enumerate() {
        let now = scim.get(&path(number)).await.is(200).body;
        assert_eq!(now["userName"], **name, "{now}");
        assert_eq!(now["emails"].as_array().unwrap().len(), 1, "{now}");
        assert_eq!(now["emails"][0]["value"], **name, "{now}");
        assert_eq!(now["title"], "Buyer", "everything else is taken over");
        assert_eq!(times(&mut house, "user.adopted", &ids[number]).await, 1);
    }
    let kept = scim.get(&path(3)).await.body;
    assert_eq!(kept["userName"], **renamed, "{kept}");
    assert_eq!(times(&mut house, "user.refused", &ids[3]).await, 1);
    assert_eq!(times(&mut house, "user.adopted", &ids[3]).await, 0);
    // whoever has charge may change them, and that is on record as such
    scim.patch(&path(2), operations).await.is(204);
    let now = scim.get(&path(2)).await.body;
    assert_eq!(now["emails"][0]["value"], EVE, "{now}");
    // the owner is told, of all of them once
    let mail = mailed(&house.mail, "takes charge of accounts", 1).await;
    assert!(
        mail.contains("To: owner@example.com") && mail.contains(&**post),
        "{mail}"
    );
    assert_eq!(times(&mut house, "integration.adoption_told", "").await, 1);
}

#[tokio::test]
async fn an_account_without_addresses_takes_those_over_that_divert_nothing() {
    let house = House::new(false).await;
    let own = "own@example.com";
    imported(&house, &[("bare", ""), (ANN, ""), (own, "")]);
    let scim = &house.scim;
    for (name, address, is_taken) in [("bare", EVE, true), (ANN, EVE, false), (own, own, true)] {
        let id = found(scim, name).await["id"].as_str().unwrap().to_owned();
        let emails = json!([{"op": "replace", "path": "emails", "value": [{"value": address}]}]);

        scim.patch(&format!("/Users/{id}"), emails).await.is(204);

        let now = found(scim, name).await;
        let expected = if is_taken {
            json!(address)
        } else {
            Value::Null
        };
        assert_eq!(now["emails"][0]["value"], expected, "{now}");
    }
}

#[tokio::test]
async fn what_was_kept_at_the_first_contact_our_own_sender_says_again() {
    let house = House::new(true).await;
    imported(&house, &[(ANN, "old@example.com")]);
    let source = Source::new(&house).await;
    let emails = json!([{"value": "new@example.com", "type": "work", "primary": true}]);
    let body = json!({"userName": ANN, "emails": emails});
    let ann = source.scim.post("/Users", body).await.is(201).id();
    let member = json!([{"op": "add", "path": "members", "value": [{"value": ann}]}]);
    source.member(member).await;

    Source::app(&house, &["run", "Vault"]);
    let first = found(&house.scim, ANN).await["emails"].to_string();
    assert!(
        first.contains("old@example.com") && !first.contains("new@example.com"),
        "{first}"
    );

    Source::app(&house, &["run", "Vault"]);
    let second = found(&house.scim, ANN).await["emails"].to_string();
    assert!(second.contains("new@example.com"), "{second}");
}

#[tokio::test]
async fn an_external_id_that_is_somebodys_id_selects_nobody() {
    let mut house = House::new(false).await;
    let scim = house.scim.clone();
    let ann = scim.person(ANN).await;
    let team = scim.group("Team", &[&ann]).await;
    let page = house.owner.get("/settings/security").await.is(200).body;
    let owner = page.split("administrators/").nth(1).unwrap();
    let owner = owner.split('"').next().unwrap().to_owned();
    let before = scim.get(&format!("/Users/{ann}")).await.body;
    for (number, id) in [&ann, &team, &owner].into_iter().enumerate() {
        let name = format!("eve{number}");
        let body = json!({"userName": name, "externalId": id});
        let eve = scim.post("/Users", body).await.is(201).id();

        assert_ne!(eve, *id);
        let filter = format!("/Users?filter=externalId eq \"{id}\"");
        let listed = scim.get(&filter).await.is(200).body;
        assert_eq!(listed["totalResults"], 1, "{listed}");
        assert_eq!(listed["Resources"][0]["id"], *eve);
        // as a name it is one more name
        let body = json!({"userName": id});
        scim.post("/Users", body).await.is(201);
    }
    let rename = json!([{"op": "replace", "path": "displayName", "value": "Eve"}]);
    for path in ["Users", "Groups"] {
        let path = format!("/{path}/{owner}");
        scim.get(&path).await.is(404);
        scim.patch(&path, rename.clone()).await.is(404);
        scim.send("DELETE", &path, None).await.is(404);
    }
    assert_eq!(scim.get(&format!("/Users/{ann}")).await.body, before);
    let members = scim.get(&format!("/Groups/{team}")).await.body;
    assert_eq!(members["members"].as_array().unwrap().len(), 1);
    house.owner.get("/").await.is(200);
}

#[tokio::test]
async fn a_changed_address_brings_nobody_a_link_before_somebody_has_confirmed_it() {
    let mut house = House::inviting().await;
    let scim = house.scim.clone();
    let body = json!({"userName": "ann", "emails": [{"value": ANN}]});
    let ann = scim.post("/Users", body).await.is(201).id();
    let first = house.invited(ANN, 1).await;
    house.activate(&first).await.is(303);
    let path = format!("/Users/{ann}");
    let to =
        |address: &str| json!([{"op": "replace", "path": "emails", "value": [{"value": address}]}]);

    scim.patch(&path, to(EVE)).await.is(204);

    let told = mailed(
        &house.mail,
        "Your address at An organisation was changed",
        1,
    )
    .await;
    assert!(told.contains(&format!("To: {ANN}")), "{told}");
    let page = house.page(&ann).await;
    assert!(
        page.contains(EVE) && page.contains("Confirm the new address"),
        "{page}"
    );
    house.press(&ann, "reset-activation").await.is(303);
    let page = house.page(&ann).await;
    assert!(page.contains("No invitation was sent"), "{page}");
    // nor does switching the account off and on have it sent there, nor inviting everybody
    for active in [false, true] {
        let operation = json!([{"op": "replace", "path": "active", "value": active}]);
        scim.patch(&path, operation).await.is(204);
    }
    house.press(&ann, "invite").await.is(303);
    assert_eq!(links(&house.mail, EVE).len(), 0);
    assert_eq!(times(&mut house, "user.activation_reset", &ann).await, 0);

    // of the address that was shown, and no other
    let person = format!("/users/{ann}");
    let confirm = format!("{person}/confirm-address");
    let stale = [("address", "mallory@example.com")];
    house.owner.submit(&person, &confirm, &stale).await.is(409);
    let right = [("address", EVE)];
    house.owner.submit(&person, &confirm, &right).await.is(303);
    assert_eq!(times(&mut house, "user.address_confirmed", &ann).await, 1);
    house.press(&ann, "reset-activation").await.is(303);
    let second = house.invited(EVE, 1).await;
    // the link is bound to it, and so is what comes after it
    scim.patch(&path, to("third@example.com")).await.is(204);
    house.activate(&second).await.is(400);
    assert_eq!(links(&house.mail, "third@example.com").len(), 0);
}
