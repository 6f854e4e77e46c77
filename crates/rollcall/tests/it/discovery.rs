//! What the endpoint says about itself is true: features work, limits hold.

use serde_json::{Value, json};

use crate::support::{Installation, answer};

#[tokio::test]
async fn the_limits_that_are_stated_are_those_that_hold() {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[("ROLLCALL_RATE", "100000")]);
    let scim = server.scim("vault", &token);
    let config = scim.get("/ServiceProviderConfig").await.is(200).body;

    let most = config["bulk"]["maxOperations"].as_u64().unwrap();
    let operations = |count: u64| -> Value {
        let one = |number: u64| json!({"method": "POST", "path": "/Users", "bulkId": format!("b{number}"), "data": {"userName": format!("bulk {number}")}});
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": (0..count).map(one).collect::<Vec<_>>(),
        })
    };
    let done = scim.post("/Bulk", operations(most)).await.is(200);
    let created = done.body["Operations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["status"] == "201");
    assert_eq!(created.count() as u64, most);
    scim.post("/Bulk", operations(most + 1)).await.is(413);
    let payload = usize::try_from(config["bulk"]["maxPayloadSize"].as_u64().unwrap()).unwrap();
    let large = scim
        .request("POST", "/Bulk")
        .header("content-type", "application/scim+json")
        .body(" ".repeat(payload + 1));
    answer(large).await.is(413);

    let page = config["filter"]["maxResults"].as_u64().unwrap();
    scim.person("one more").await;
    let all = scim
        .get(&format!("/Users?count={}", page + 50))
        .await
        .is(200)
        .body;
    assert_eq!(all["totalResults"], most + 1);
    assert_eq!(all["itemsPerPage"], page.min(most + 1));
    assert_eq!(config["pagination"]["maxPageSize"], page);
    let usual = scim.get("/Users").await.is(200).body;
    assert_eq!(
        usual["itemsPerPage"],
        config["pagination"]["defaultPageSize"]
    );

    assert_eq!(config["sort"]["supported"], true);
    let sorted = scim
        .get("/Users?sortBy=userName&sortOrder=descending&count=1")
        .await
        .is(200)
        .body;
    assert_eq!(sorted["Resources"][0]["userName"], "one more");
    assert_eq!(config["etag"]["supported"], true);
    assert_eq!(config["changePassword"]["supported"], false);
}

#[tokio::test]
async fn cursors_lead_through_everything_once() {
    let (installation, token) = Installation::with("vault");
    let server = installation.serve(&[]);
    let scim = server.scim("vault", &token);
    for number in 0..25 {
        scim.person(&format!("p{number}")).await;
    }
    let (mut names, mut path) = (Vec::new(), "/Users?cursor&count=10".to_owned());
    loop {
        let page = scim.get(&path).await.is(200).body;
        let found = page["Resources"].as_array().unwrap();
        names.extend(
            found
                .iter()
                .map(|person| person["userName"].as_str().unwrap().to_owned()),
        );
        match page["nextCursor"].as_str() {
            Some(cursor) => path = format!("/Users?cursor={cursor}&count=10"),
            None => break,
        }
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 25);
}

#[tokio::test]
async fn an_extension_of_the_configuration_is_described_stored_and_enforced() {
    const URN: &str = "urn:example:params:scim:schemas:extension:vault:2.0:User";
    let installation = Installation::new();
    let at = |name: &str| installation.folder.path().join(name);
    let schema = json!({
        "id": URN, "name": "Vault", "description": "What Vault knows of people",
        "attributes": [
            {"name": "costCentre", "type": "string", "multiValued": false, "required": false, "caseExact": true,
             "mutability": "readWrite", "returned": "default", "uniqueness": "none"},
            {"name": "badge", "type": "integer", "multiValued": false, "required": false,
             "mutability": "readWrite", "returned": "default", "uniqueness": "none"},
        ],
    });
    std::fs::write(at("vault.json"), schema.to_string()).unwrap();
    std::fs::write(at("rollcall.toml"), "user_extensions = [\"vault.json\"]\n").unwrap();
    installation.ok(&["org", "create", "vault", "--name", "Vault"]);
    let token = installation.ok(&["token", "create", "--org", "vault"]);
    let server = installation.serve(&[("ROLLCALL_CONFIG", "rollcall.toml")]);
    let scim = server.scim("vault", &token);

    let described = scim.get(&format!("/Schemas/{URN}")).await.is(200).body;
    assert_eq!(described["attributes"][0]["name"], "costCentre");
    let body = json!({"userName": "ann", URN: {"costCentre": "C-1", "badge": 7}});
    let created = scim.post("/Users", body).await.is(201);
    assert!(created.body["schemas"].to_string().contains(URN));
    let path = format!("/Users/{}", created.id());
    let change = json!([{"op": "replace", "path": format!("{URN}:badge"), "value": "many"}]);
    scim.patch(&path, change).await.is(400);
    let change = json!([{"op": "replace", "path": format!("{URN}:costCentre"), "value": "C-2"}]);
    scim.patch(&path, change).await.is(204);
    let found = scim
        .get(&format!("/Users?filter={URN}:costCentre eq \"C-2\""))
        .await
        .is(200)
        .body;
    assert_eq!(found["totalResults"], 1);

    std::fs::write(at("vault.json"), "{\"name\": \"no id\"}").unwrap();
    let output = installation.run(&["org", "list", "--config", "rollcall.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("vault.json"));
}
